"""What a provider is answered that says what became of a referral.

What enters: an outcome at one of the doors, and what the walk made of it. What leaves: the Task as
it stands, or, where the write guard kept something back, what it says to the outside: never why
the person objects, never that a record is marked. Source: the write restriction, section 9.
"""

import hashlib
from collections.abc import Sequence

import flask

from gateway.errors import (
    ConsentRefusedError,
    Fault,
    IssueCode,
    NotFoundError,
    Severity,
)
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.task import provider_hop
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.journey.answering import Arrived
from gateway.journey.return_outcome import Returned, return_outcome
from gateway.journey.shared_care import INFORMAL, what_is_missing
from gateway.ledger.kinds import Door
from gateway.referral.identifiers import CorrelationId, DeliveryId
from gateway.referral.json import JsonObject, child, string
from gateway.referral.outcome import Standing
from gateway.writeback.ruling import Effect, Ruling, SpineCode

_ACCEPTED = 202


def outcome_answer(task: DeliveryId, tree: JsonObject, body: bytes, known: str) -> Answer:
    """Take an outcome that came as a Task, and answer it."""
    said = read_outcome(tree)
    arrived = arrival(Door.REST, body, task=task, known=known)
    return answer_for(return_outcome(said, arrived, house().gateway))


def arrival(
    door: Door, body: bytes, *, task: DeliveryId | None = None, known: str | None = None
) -> Arrived:
    """Say how an outcome came, from the request at hand."""
    wishes = flask.request.headers.get("Prefer", "").replace(" ", "").lower().split(",")
    return Arrived(
        door=door,
        provider=flask.g.sender.ods,
        client=flask.g.sender.client,
        body=body,
        body_sha256=hashlib.sha256(body).hexdigest(),
        task=task,
        known=known,
        is_strict="handling=strict" in wishes,
    )


def correlation_of(text: str | None) -> CorrelationId | None:
    """Read the correlation id that came with a message, where it is one."""
    try:
        return CorrelationId(text or "")
    except ValueError:
        return None


def answer_for(returned: Returned) -> Answer:
    """Answer what was taken: the Task as it stands; 202 and why, where something was kept back.

    Raises:
        ConsentRefusedError: it may not reach the practice.
        NotFoundError: the answer to that tells nothing.
    """
    _refuse_informal(returned)
    ruling = returned.ruling
    if ruling is not None and ruling.status not in (200, _ACCEPTED):
        raise _refusal(ruling)
    hop = provider_hop(
        returned.referral, returned.delivery, house().gateway.ods, None, returned.outcome
    )
    version = string(child(hop, "meta") or {}, "versionId")
    headers = {
        "ETag": f'W/"{version}"',
        "Content-Location": f"{house().base_url}/Task/{returned.delivery.id}",
    }
    if returned.outcome.standing is Standing.HELD and ruling is None:
        told = operation_outcome([_PERSON_LOOKS], code=None)
        return Answer(http=_ACCEPTED, body=told, headers=headers)
    if ruling is None or ruling.effect is Effect.ALLOW:
        return Answer(http=200, body=hop, headers=headers)
    told = operation_outcome(warnings_of(ruling), code=None, spine_code=ruling.spine_code)
    return Answer(http=_ACCEPTED, body=told, headers=headers)


def document_answer(returned: Returned) -> Answer:
    """Answer an outcome that came as documents: where the practice reads it, or what was kept.

    Raises:
        ConsentRefusedError: it may not reach the practice.
        NotFoundError: the answer to that tells nothing.
    """
    _refuse_informal(returned)
    ruling, outcome = returned.ruling, returned.outcome
    if ruling is not None and ruling.status not in (200, _ACCEPTED):
        raise _refusal(ruling)
    if outcome.standing is Standing.KEPT:
        raise _nothing_here()
    headers = {"Location": f"{house().base_url}/DocumentReference/{outcome.id}"}
    if outcome.standing is Standing.HELD:
        told = operation_outcome([_PERSON_LOOKS], code=None)
        return Answer(http=_ACCEPTED, body=told)
    if ruling is not None and ruling.effect is not Effect.ALLOW:
        told = operation_outcome(warnings_of(ruling), code=None, spine_code=ruling.spine_code)
        return Answer(http=_ACCEPTED, body=told, headers=headers)
    return Answer(http=200 if returned.repeated else 201, body=None, headers=headers)


_PERSON_LOOKS = Fault(
    severity=Severity.WARNING,
    code=IssueCode.INFORMATIONAL,
    diagnostics="This is on record here. A person looks at it before it reaches the practice.",
)


def kept_back(returned: Returned) -> Sequence[Fault]:
    """Say what of an outcome did not go straight to the practice, and refuse what may not.

    Raises:
        ConsentRefusedError: it may not reach the practice.
        NotFoundError: the answer to that tells nothing.
    """
    _refuse_informal(returned)
    ruling = returned.ruling
    if ruling is not None and ruling.status not in (200, _ACCEPTED):
        raise _refusal(ruling)
    if returned.outcome.standing is Standing.KEPT:
        raise _nothing_here()
    if returned.outcome.standing is Standing.HELD:
        return [_PERSON_LOOKS]
    return [] if ruling is None or ruling.effect is Effect.ALLOW else warnings_of(ruling)


def warnings_of(ruling: Ruling) -> Sequence[Fault]:
    """Say to the outside what the guard made of an outcome that was taken."""
    code = IssueCode.FORBIDDEN if ruling.spine_code else IssueCode.INFORMATIONAL
    return [Fault(severity=Severity.WARNING, code=code, diagnostics=ruling.text_outside)]


def _refusal(ruling: Ruling) -> ConsentRefusedError | NotFoundError:
    if ruling.spine_code is SpineCode.PATIENT_NOT_FOUND or ruling.spine_code is None:
        return _nothing_here()
    return ConsentRefusedError(
        code=ruling.spine_code,
        spine_code=ruling.spine_code,
        external_text=ruling.text_outside,
        remedy="",
    )


def _refuse_informal(returned: Returned) -> None:
    """Refuse an outcome that asks for shared care informally: why, and what a proposal says.

    Raises:
        ConsentRefusedError: it is one.
    """
    missing = what_is_missing(returned.outcome, house().gateway)
    if missing is None:
        return
    fields = "; ".join(f"{each.name} ({each.ask.rstrip('.')})" for each in missing.fields)
    proposal = f" Or agree on it first, by a formal proposal with these fields: {fields}."
    raise ConsentRefusedError(
        code=INFORMAL,
        spine_code=SpineCode.ACCESS_DENIED,
        external_text=" ".join(missing.reasons),
        remedy=f"{_WITHOUT_IT}{proposal if fields else ''}",
    )


_WITHOUT_IT = (
    "This is on record here, and nothing of it reached the practice. Send it again without what it"
    " asks the practice to prescribe, monitor or do."
)


def _nothing_here() -> NotFoundError:
    return NotFoundError("nothing that was sent to you goes by these names")
