"""The ledger as AuditEvents, for officers of a practice and of who runs the gateway.

What enters: a search or an id. What leaves: AuditEvents, each a rendering of one entry, after
the read itself is on record. No link carries an NHS number: a person stands in it by handle.
Nothing is counted: a total would be the work of a whole log.
Source: FHIR R4 AuditEvent and its search parameters; IHE BALP.
"""

from collections.abc import Collection, Mapping
from functools import partial
from typing import Final, get_args
from urllib.parse import urlencode

import flask

from gateway.fhir.service_request import searchset
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import check_accept, to_response
from gateway.inbound.search import (
    count,
    malformed,
    one_spelling,
    parameters,
    period,
    read,
    single,
    token,
)
from gateway.journey.read_audit import Read, Wanted, read_entries, read_entry
from gateway.ledger.balp import ACTOR_SYSTEM, HANDLE_SYSTEM, POLICY_BASE
from gateway.ledger.balp_table import FORMS, Action, Codes, Coding, Outcome
from gateway.ledger.values import Name
from gateway.referral.directory import Scope
from gateway.referral.identifiers import (
    NHS_NUMBER_SYSTEM,
    ConsentId,
    DeliveryId,
    Handle,
    NhsNumber,
    OdsCode,
    ReferralId,
)

_OUTCOMES: Final = "http://hl7.org/fhir/audit-event-outcome"
_ACTIONS: Final = "http://hl7.org/fhir/audit-event-action"
_PERSON: Final = ("patient:identifier", "patient.identifier")
_ACTOR: Final = ("agent:identifier", "agent.identifier")
_KNOWN: Final = frozenset(
    {"patient", *_PERSON, "agent", *_ACTOR, "entity", "date", "type", "subtype", "action",
     "outcome", "policy", "practice", "_id", "_count", "_after"}
)  # fmt: skip
_TYPES: Final = frozenset(form.type for form in FORMS.values())
_SUBTYPES: Final = frozenset(each for form in FORMS.values() for each in form.subtypes)

routes = flask.Blueprint("audit", __name__)


@routes.get("/AuditEvent/<own_id>")
@needs(Scope.AUDIT_READ)
def get_audit_event(own_id: str) -> flask.Response:
    """Show one entry of the ledger."""
    check_accept()
    return to_response(Answer(http=200, body=read_entry(flask.g.sender, own_id, house().gateway)))


@routes.get("/AuditEvent")
@needs(Scope.AUDIT_READ)
def search_audit_events() -> flask.Response:
    """Search the ledger, the newest entry first; without any condition, all of it."""
    check_accept()
    given = parameters(_KNOWN)
    wanted = _wanted(given)
    found = read_entries(flask.g.sender, wanted, house().gateway)
    address = f"{house().base_url}/AuditEvent"
    links = _linked(given, wanted, found)
    on = {**links, "_after": [found.goes_on]} if found.goes_on else None
    body = searchset(
        [(f"{address}/{own_id}", event) for own_id, event in found.events.items()],
        total=None,
        self_url=_url(address, links),
        next_url=_url(address, on) if on else None,
    )
    return to_response(Answer(http=200, body=body))


def _url(address: str, links: Mapping[str, list[str]]) -> str:
    return address + (f"?{urlencode(links, doseq=True)}" if links else "")


def _linked(given: Mapping[str, list[str]], wanted: Wanted, found: Read) -> dict[str, list[str]]:
    """Make the parameters of the links: a person is in them by handle only, or they are bare.

    A link without its person would be another search. So where an NHS number found nobody, the
    self link is the address alone.
    """
    kept = {n: v for n, v in given.items() if not n.startswith("patient") and n != "_after"}
    if found.handle is not None:
        return {**kept, "patient": [f"Patient/{found.handle}"]}
    return {} if wanted.nhs_number is not None else kept


def _wanted(given: Mapping[str, list[str]]) -> Wanted:
    since, before = period(given, "date")
    handle, number = _person(given)
    referral, consent, task = _entity(given)
    practice = single(given, "practice")
    return Wanted(
        id=single(given, "_id"),
        practice=read("practice", "an ODS code", partial(OdsCode, practice)) if practice else None,
        handle=handle,
        nhs_number=number,
        actor=_actor(given),
        referral=referral,
        consent=consent,
        task=task,
        codes=_codes(given),
        since=since,
        before=before,
        policy=_policy(given),
        after=single(given, "_after"),
        limit=count(given),
    )


def _person(given: Mapping[str, list[str]]) -> tuple[Handle | None, NhsNumber | None]:
    """Read whose entries are wanted: a handle of this ledger, or an NHS number."""
    name, text = one_spelling(given, "patient", *_PERSON)
    if text is None:
        return None, None
    if name == "patient":
        handle = text.removeprefix("Patient/")
        return read(name, "Patient/ and a handle of this ledger", partial(Handle, handle)), None
    found = token(name, text)
    if found.system == HANDLE_SYSTEM:
        return read(name, "a handle of this ledger", partial(Handle, found.value)), None
    if found.system == NHS_NUMBER_SYSTEM:
        return None, read(name, "an NHS number of ten digits", partial(NhsNumber, found.value))
    raise malformed(name, f"{HANDLE_SYSTEM}|handle or {NHS_NUMBER_SYSTEM}|number")


def _actor(given: Mapping[str, list[str]]) -> str | None:
    """Read who acted: a client's id, or a role of the gateway."""
    name, text = one_spelling(given, "agent", *_ACTOR)
    if text is None or name == "agent":
        return _name(name, text)
    found = token(name, text)
    if found.system != ACTOR_SYSTEM:
        raise malformed(name, f"{ACTOR_SYSTEM}|name")
    return _name(name, found.value)


def _policy(given: Mapping[str, list[str]]) -> str | None:
    """Read a version of the rules, alone or as the address that an event names it by."""
    text = single(given, "policy")
    return _name("policy", text.removeprefix(POLICY_BASE) if text else None)


def _name(parameter: str, text: str | None) -> str | None:
    if text is not None:
        read(parameter, "a name as entries of the ledger have it", partial(_check_name, text))
    return text


def _check_name(text: str) -> None:
    get_args(Name)[1].write(text)


def _entity(
    given: Mapping[str, list[str]],
) -> tuple[ReferralId | None, ConsentId | None, DeliveryId | None]:
    """Read what the entries are to be about."""
    text = single(given, "entity")
    if text is None:
        return None, None, None
    kind, _, own_id = text.removeprefix(f"{house().base_url}/").partition("/")
    wanted = "ServiceRequest, Consent or Task with its id, such as Consent/(UUID)"
    match kind:
        case "ServiceRequest":
            return read("entity", wanted, partial(ReferralId, own_id)), None, None
        case "Consent":
            return None, read("entity", wanted, partial(ConsentId, own_id)), None
        case "Task":
            return None, None, read("entity", wanted, partial(DeliveryId, own_id))
        case _:
            raise malformed("entity", wanted)


def _codes(given: Mapping[str, list[str]]) -> Codes:
    actions = _among(given, "action", {Coding(_ACTIONS, each) for each in Action})
    outcomes = _among(given, "outcome", {Coding(_OUTCOMES, each) for each in Outcome})
    for name, found in (("action", actions), ("outcome", outcomes)):
        if found is not None and not found:
            raise malformed(name, f"a code of AuditEvent.{name}")
    return Codes(
        types=_among(given, "type", _TYPES),
        subtypes=_among(given, "subtype", _SUBTYPES),
        actions=None if actions is None else frozenset(Action(each.code) for each in actions),
        outcomes=None if outcomes is None else frozenset(Outcome(each.code) for each in outcomes),
    )


def _among(
    given: Mapping[str, list[str]], name: str, known: Collection[Coding]
) -> frozenset[Coding] | None:
    """Read tokens, of which any may fit, and name the codes that fit: those that are used here.

    A code that no entry is shown with finds nothing. None: nothing was asked.
    """
    text = single(given, name)
    if text is None:
        return None
    found: set[Coding] = set()
    for each in text.split(","):
        system, bar, code = each.rpartition("|")
        if not code:
            raise malformed(name, "a code, or system|code")
        found |= {c for c in known if c.code == code and (not bar or c.system == system)}
    return frozenset(found)
