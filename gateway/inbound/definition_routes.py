"""What is checked here, for anyone to read; and which message a service takes for a use case.

What enters: a search or an id. What leaves: the files of `fhir_profiles/` as they are, which
the gateway itself checks by. They hold no patient data and are open to anyone. Which service
takes which use case is the directory's to say: that search asks for the token of one who may
send a referral. Must never: show a definition that is not the one in force.
Source: FHIR R4, search; BaRS Core, GET /MessageDefinition.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import flask

from gateway.errors import Fault, IssueCode, NotFoundError, ParameterError
from gateway.fhir.bars.workflow import RESPONSE
from gateway.fhir.profiles.model import Profiles
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs, open_to_anyone
from gateway.inbound.media import check_accept, to_response
from gateway.inbound.search import malformed, page_of, parameters, single
from gateway.journey.look_up import offers_of
from gateway.referral.directory import Offer, Scope
from gateway.referral.identifiers import DOS_SERVICE_SYSTEM, DosServiceId, normal_system
from gateway.referral.json import JsonObject, child, objects, string

_KNOWN = frozenset({"_id", "url", "name"})
_BY_CONTEXT = frozenset({"context", "_id", "url", "name"})
_WORKFLOW: JsonObject = {
    "system": "http://terminology.hl7.org/CodeSystem/usage-context-type",
    "code": "workflow",
}

routes = flask.Blueprint("definitions", __name__)


def in_force() -> Profiles:
    """Return the definitions that messages are held against now."""
    return house().gateway.profiles


@routes.get("/StructureDefinition/<own_id>", defaults={"kind": "StructureDefinition"})
@routes.get("/ValueSet/<own_id>", defaults={"kind": "ValueSet"})
@routes.get("/CodeSystem/<own_id>", defaults={"kind": "CodeSystem"})
@routes.get("/OperationDefinition/<own_id>", defaults={"kind": "OperationDefinition"})
@routes.get("/MessageDefinition/<own_id>", defaults={"kind": "MessageDefinition"})
@open_to_anyone
def get_definition(kind: str, own_id: str) -> flask.Response:
    """Show one definition."""
    check_accept()
    found = in_force().documents_by_id.get((kind, own_id))
    if found is None:
        msg = "no definition has this id"
        raise NotFoundError(msg)
    return to_response(Answer(http=200, body=found))


@routes.get("/StructureDefinition", defaults={"kind": "StructureDefinition"})
@routes.get("/ValueSet", defaults={"kind": "ValueSet"})
@routes.get("/CodeSystem", defaults={"kind": "CodeSystem"})
@routes.get("/OperationDefinition", defaults={"kind": "OperationDefinition"})
@open_to_anyone
def search_definitions(kind: str) -> flask.Response:
    """Search the definitions of one type; without parameters, list them all."""
    check_accept(counts=True)
    given = parameters(_KNOWN)
    return _searched(kind, _narrowed(_of_type(kind), given), given)


@routes.get("/MessageDefinition")
@needs(Scope.REFERRAL_CREATE)
def search_message_definitions() -> flask.Response:
    """List the messages that one service takes, for one use case or for all of its own."""
    check_accept(counts=True)
    given = parameters(_BY_CONTEXT)
    service, offers = _asked(_contexts(given))
    found = []
    for definition in _narrowed(_taken_by_services(), given):
        served = [offer for offer in offers if _serves(definition, offer)]
        if served:
            found.append(_in_context(definition, service, served))
    return _searched("MessageDefinition", found, given)


def _of_type(kind: str) -> list[JsonObject]:
    return [tree for (type_, _), tree in in_force().documents_by_id.items() if type_ == kind]


def _taken_by_services() -> list[JsonObject]:
    """List the messages that a service may take; a response goes the other way."""
    return [
        each
        for each in _of_type("MessageDefinition")
        if string(child(each, "eventCoding") or {}, "code") != RESPONSE
    ]


def _narrowed(
    definitions: Iterable[JsonObject], given: Mapping[str, list[str]]
) -> list[JsonObject]:
    """Keep those of these ids and urls, whose names start as asked. Source: FHIR R4, search."""
    ids, urls, names = (
        tuple(text.split(",")) if (text := single(given, name)) else None
        for name in ("_id", "url", "name")
    )
    return [
        each
        for each in definitions
        if (ids is None or string(each, "id") in ids)
        and (urls is None or string(each, "url") in urls)
        and (names is None or _starts_with(string(each, "name") or "", names))
    ]


def _starts_with(name: str, beginnings: Sequence[str]) -> bool:
    return name.casefold().startswith(tuple(each.casefold() for each in beginnings))


def _searched(
    kind: str, found: Sequence[JsonObject], given: Mapping[str, list[str]]
) -> flask.Response:
    page = [(string(each, "id") or "", each) for each in found]
    return to_response(Answer(http=200, body=page_of(kind, page, len(page), given, None)))


@dataclass(frozen=True, slots=True)
class _Context:
    """One `context` parameter. `system` None: given as a value alone."""

    system: str | None
    code: str

    def names(self, offer: Offer) -> bool:
        """Whether this is the use case of an offer; letters of any case, as senders write."""
        system_fits = self.system in (None, normal_system(offer.use_case_system))
        return system_fits and self.code.lower() == offer.use_case.lower()


def _contexts(given: Mapping[str, list[str]]) -> list[_Context]:
    """Read each `context`: `system|code`, or a value alone.

    Raises:
        ParameterError: none can be a service, or one is without its code.
    """
    found = []
    for text in given.get("context", []):
        system, bar, code = text.rpartition("|")
        if not code or (bar and not system):
            raise _malformed_context()
        found.append(_Context(normal_system(system) if bar else None, code))
    if all(context.system not in (None, DOS_SERVICE_SYSTEM) for context in found):
        raise ParameterError(
            Fault(
                code=IssueCode.REQUIRED,
                diagnostics=f"Give context twice: {DOS_SERVICE_SYSTEM}|service, and system|code"
                " of the use case.",
            )
        )
    return found


def _malformed_context() -> ParameterError:
    return malformed("context", f"{DOS_SERVICE_SYSTEM}|service, or system|code of a use case")


def _asked(contexts: Sequence[_Context]) -> tuple[DosServiceId, Sequence[Offer]]:
    """Find the service that is asked about, and those of its offers that all contexts fit.

    Raises:
        NotFoundError: there is no such service, or it does not take the use case.
    """
    for context in contexts:
        service = _service(context)
        offers = offers_of(service, house().gateway) if service else None
        if service is not None and offers is not None:
            others = [other for other in contexts if other is not context]
            taken = [offer for offer in offers if all(other.names(offer) for other in others)]
            if taken:
                return service, taken
            break
    msg = "no service here takes messages in this context"
    raise NotFoundError(msg)


def _service(context: _Context) -> DosServiceId | None:
    """Read a context as a service id, where it may be one."""
    if context.system not in (None, DOS_SERVICE_SYSTEM):
        return None
    try:
        return DosServiceId(context.code)
    except ValueError:
        return None


def _serves(definition: JsonObject, offer: Offer) -> bool:
    """Whether a message is for this use case; one that names no use case is for any."""
    named = [
        _Context(string(coding, "system"), string(coding, "code") or "")
        for use in objects(definition, "useContext")
        for coding in objects(child(use, "valueCodeableConcept") or {}, "coding")
    ]
    return not named or any(context.names(offer) for context in named)


def _in_context(
    definition: JsonObject, service: DosServiceId, offers: Sequence[Offer]
) -> JsonObject:
    """Show a definition with the service and the use cases it was asked about."""
    values = [(DOS_SERVICE_SYSTEM, str(service))]
    values += [(offer.use_case_system, offer.use_case) for offer in offers]
    return {
        **definition,
        "useContext": [
            {
                "code": dict(_WORKFLOW),
                "valueCodeableConcept": {"coding": [{"system": system, "code": code}]},
            }
            for system, code in values
        ],
    }
