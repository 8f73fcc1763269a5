"""`POST /ServiceRequest/$explain`: what the rules would say of a referral, now or at any instant.

What enters: a referral, or Parameters with it, `at` and `known`. What leaves: Parameters, an
`answer` for each service that could take it: the decision, every reason with its facts, what
would be withheld, what would leave, and the smallest steps that would change it. Nothing is
stored, sent or recorded.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

import flask

from gateway.consent.decide import Reason
from gateway.consent.flips import Flip
from gateway.consent.steps import spell
from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.examine import check_structure
from gateway.fhir.read_referral import read_referral
from gateway.fhir.service_request import instant
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import body_tree, check_accept, to_response
from gateway.inbound.operation import given_to
from gateway.inbound.request import envelope
from gateway.inbound.search import parameters
from gateway.journey.explain import Explanation, explain_message, moment_of
from gateway.referral.directory import Scope
from gateway.referral.identifiers import DOS_SERVICE_SYSTEM
from gateway.referral.instants import read_instant
from gateway.referral.json import Json, JsonObject, string
from gateway.referral.model import Door

_PARAMETERS = {"at": "valueInstant", "known": "valueCode"}
_KNOWN = ("now", "then")
_NOT_TAKEN = (
    "Beside the resource, send at (valueInstant), and known (valueCode: now or then) with it;"
    " each once."
)
routes = flask.Blueprint("explain", __name__)


@routes.post("/ServiceRequest/$explain")
@needs(Scope.REFERRAL_CREATE)
def explain() -> flask.Response:
    """Explain what would become of a referral."""
    check_accept()
    sent = envelope(Door.REST, flask.g.sender, ids_required=False)
    parameters(frozenset())
    tree, others = given_to(body_tree(sent.body), _is_known, otherwise=_NOT_TAKEN)
    at, as_known_then = _asked(others)
    gateway = house().gateway
    check_structure(tree, gateway.profiles)
    moment = moment_of(at, gateway, as_known_then=as_known_then)
    found = explain_message(read_referral(tree), flask.g.sender, gateway, moment)
    body: JsonObject = {
        "resourceType": "Parameters",
        "parameter": [{"name": "answer", "part": [*_answer(each)]} for each in found],
    }
    return to_response(Answer(http=200, body=body))


def _is_known(parameter: JsonObject) -> bool:
    value = _PARAMETERS.get(string(parameter, "name") or "")
    return value is not None and value in parameter


def _asked(others: Sequence[JsonObject]) -> tuple[datetime | None, bool]:
    """Read `at` and `known`.

    Raises:
        InvalidMessageError: one comes twice, or says what it cannot.
    """
    given = {string(each, "name"): each for each in others}
    known = string(given.get("known", {}), "valueCode") or "now"
    text = string(given.get("at", {}), "valueInstant")
    try:
        at = read_instant(text) if text is not None else None
    except ValueError as fault:
        raise _refused(str(fault)) from None
    if len(given) < len(others) or known not in _KNOWN or ("known" in given and at is None):
        raise _refused(_NOT_TAKEN)
    return at, known == "then"


def _refused(text: str) -> InvalidMessageError:
    return InvalidMessageError(
        Fault(code=IssueCode.INVALID, expression="Parameters.parameter", diagnostics=text)
    )


def _answer(found: Explanation) -> Iterator[Json]:
    yield from _question(found)
    yield from _verdict(found)
    for taken in found.withheld_told:
        parts: list[Json] = [
            {"name": "type", "valueCode": taken.type},
            {"name": "why", "valueCode": taken.why.value},
        ]
        yield {"name": "withheld", "part": parts}
    for flip in found.flips.found:
        yield {"name": "flip", "part": [*_flip(flip)]}
    for fixed in found.flips.hangs_on:
        yield {"name": "hangs-on", "part": [*_named(fact=fixed.fact, why=fixed.why)]}
    if found.would_leave is not None:
        yield {"name": "payload", "resource": found.would_leave}


def _question(found: Explanation) -> Iterator[Json]:
    if found.service is not None:
        identifier: JsonObject = {
            "system": DOS_SERVICE_SYSTEM,
            "value": found.service.dos_service_id,
        }
        yield {"name": "service", "valueIdentifier": identifier}
    yield {"name": "chosen", "valueBoolean": found.is_chosen}
    yield {"name": "purpose", "valueCode": found.purpose}
    yield {"name": "at", "valueInstant": instant(found.moment.at)}


def _verdict(found: Explanation) -> Iterator[Json]:
    verdict = found.verdict
    yield {"name": "effect", "valueCode": verdict.effect.value}
    yield {"name": "rule", "valueCode": verdict.primary_rule}
    yield {"name": "code", "valueCode": verdict.code}
    yield {"name": "policy", "valueString": verdict.policy_version}
    for ground in verdict.grounds:
        yield {"name": "ground", "valueCode": ground}
    for duty in found.duties_told:
        yield {"name": "obligation", "valueCode": duty}
    for reason in verdict.reasons:
        yield {"name": "reason", "part": [*_reason(reason)]}


def _reason(reason: Reason) -> Iterator[Json]:
    yield {"name": "rule", "valueCode": reason.rule}
    yield {"name": "effect", "valueCode": reason.effect.value}
    yield {"name": "code", "valueCode": reason.code}
    yield from _named(
        staff=reason.staff_text,
        patient=reason.patient_text,
        external=reason.external_text,
        remedy=reason.remedy,
        owner=reason.owner,
    )
    for used in reason.facts_used:
        parts = [*_named(name=used.name, value=spell(used.value))]
        parts += _named(source=used.source, version=used.version)
        if used.as_of is not None:
            parts.append({"name": "as-of", "valueInstant": instant(used.as_of)})
        yield {"name": "fact", "part": parts}


def _flip(flip: Flip) -> Iterator[Json]:
    yield {"name": "effect", "valueCode": flip.effect.value}
    yield {"name": "code", "valueCode": flip.code}
    for step in flip.steps:
        parts = [*_named(who=step.who, how=step.how)]
        for change in step.changes:
            told = {"fact": change.fact, "from": spell(change.before), "to": spell(change.after)}
            parts.append({"name": "change", "part": [*_named(**told)]})
        yield {"name": "step", "part": parts}


def _named(**texts: str | None) -> Iterator[Json]:
    """Give a part for each text that there is."""
    for name, text in texts.items():
        if text:
            yield {"name": name, "valueString": text}
