"""A hop as a FHIR Task: how its owner and its requester follow a referral.

What enters: a referral, or a delivery with its referral. What leaves: a Task that names no
person. A letter to the practice is a Task too, and its focus the document. The first hop is the practice's request to the gateway, under the referral's id; the
next is the gateway's request to the provider, under the delivery's id. Source: FHIR R4 Task;
Clinical Order Workflow guide.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fhir.resources.R4B.task import Task

from gateway.fhir.service_request import instant
from gateway.mapping.outcome_terms import OUTCOME_SYSTEM, to_task
from gateway.referral.identifiers import (
    ODS_CODE_SYSTEM,
    OWN_BASE,
    REASON_SYSTEM,
    REFERENCE_SYSTEM,
    OdsCode,
)
from gateway.referral.json import JsonObject
from gateway.referral.letter import Letter, LetterState, state_of
from gateway.referral.lifecycle import (
    CANCELLED,
    CLOSED_BY_PROVIDER,
    DECLINED_BY_PROVIDER,
    GATEWAY_HOP,
    PROVIDER_HOP,
    DeliveryKind,
    DeliveryState,
    ReferralState,
    TaskStatus,
)
from gateway.referral.model import Delivery, Referral
from gateway.referral.outcome import Outcome
from gateway.referral.withdrawals import Recall, RecallAnswer

BUSINESS_STATUS_SYSTEM = f"{OWN_BASE}/CodeSystem/hop-status"
ANSWER_SYSTEM = f"{OWN_BASE}/CodeSystem/recall-answer"
"""What a provider did with what it had; stands beside the hop's own status."""

GROUND_SYSTEM = f"{OWN_BASE}/CodeSystem/retention-ground"
"""Why it keeps what it had."""

ANSWERED: Mapping[RecallAnswer, TaskStatus] = {
    RecallAnswer.STOPPED: TaskStatus.COMPLETED,
    RecallAnswer.RETURNED: TaskStatus.COMPLETED,
    RecallAnswer.RETAINED: TaskStatus.REJECTED,
}
"""What a recall's Task is by its answer. To keep what one has may be lawful; it is a no all the
same."""
LETTER_STATE_SYSTEM = f"{OWN_BASE}/CodeSystem/letter-state"
TASK_KIND_SYSTEM = f"{OWN_BASE}/CodeSystem/task-kind"
_LETTERS: Mapping[LetterState, TaskStatus] = {
    LetterState.WAITS: TaskStatus.REQUESTED,
    LetterState.SENT: TaskStatus.REQUESTED,
    LetterState.COLLECTED: TaskStatus.RECEIVED,
    LetterState.READ_BY_SYSTEM: TaskStatus.RECEIVED,
    LetterState.IN_WORKFLOW: TaskStatus.ACCEPTED,
    LetterState.CAME_BACK: TaskStatus.FAILED,
    LetterState.NOT_SENT: TaskStatus.FAILED,
}
_TASK_CODES = "http://hl7.org/fhir/CodeSystem/task-code"


def gateway_hop(referral: Referral, gateway: OdsCode) -> JsonObject:
    """Show the hop from practice to gateway."""
    body = _hop(
        referral, referral.id, str(referral.version), referral.received_at, referral.updated_at
    )
    body |= {
        "status": _gateway_status(referral).value,
        "businessStatus": _concept(BUSINESS_STATUS_SYSTEM, referral.state.value),
        "requester": _organisation(referral.practice),
        "owner": _organisation(gateway),
    }
    if referral.state is ReferralState.HELD and referral.hold is not None:
        text = f"{referral.hold.text} {referral.hold.remedy}"
        body["statusReason"] = _concept(REASON_SYSTEM, referral.hold.code, text)
        body["restriction"] = {"period": {"end": instant(referral.hold.due)}}
    if referral.closed_because is not None:
        body["statusReason"] = _concept(REASON_SYSTEM, referral.closed_because)
    return _tree(body)


def provider_hop(
    referral: Referral,
    delivery: Delivery,
    gateway: OdsCode,
    recall: Recall | None = None,
    outcome: Outcome | None = None,
) -> JsonObject:
    """Show the hop from gateway to provider; a recall's Task asks to abort the referral.

    What the provider answered to a recall is its status from then on, whether or not our own
    word of it was brought; `outcome` is what it said last of the referral itself.
    """
    version = version_of(delivery, recall, outcome)
    body = _hop(referral, delivery.id, version, delivery.created_at, delivery.updated_at)
    body |= {
        "partOf": [{"reference": f"Task/{referral.id}"}],
        "status": PROVIDER_HOP[delivery.state].value,
        "businessStatus": _concept(BUSINESS_STATUS_SYSTEM, delivery.state.value),
        "requester": _organisation(gateway),
        "owner": _organisation(delivery.provider),
    }
    if delivery.kind is DeliveryKind.RECALL:
        body["code"] = _concept(_TASK_CODES, "abort")
        body["reasonCode"] = _concept(REASON_SYSTEM, recall.cause if recall else CANCELLED)
    if delivery.reason is not None and delivery.state is not DeliveryState.DELIVERED:
        body["statusReason"] = _concept(REASON_SYSTEM, delivery.reason)
    if recall is not None:
        body["restriction"] = {"period": {"end": instant(recall.due)}}
        body |= _answered(recall, delivery)
    if outcome is not None:
        body |= _said(outcome, delivery)
    return _tree(body)


def letter_hop(
    referral: Referral, delivery: Delivery, letter: Letter, gateway: OdsCode
) -> JsonObject:
    """Show a document on its way to the practice, as far as anybody said that it came.

    None of its states says that anything stands in a record.
    """
    state = state_of(letter, delivery)
    version = f"{delivery.version}.{state}"
    body = _hop(referral, delivery.id, version, delivery.created_at, delivery.updated_at)
    body |= {
        "partOf": [{"reference": f"Task/{referral.id}"}],
        "status": _LETTERS[state].value,
        "businessStatus": _concept(LETTER_STATE_SYSTEM, state.value),
        "code": _concept(TASK_KIND_SYSTEM, "letter"),
        "focus": {"reference": f"DocumentReference/{letter.outcome}"},
        "requester": _organisation(gateway),
        "owner": _organisation(referral.practice),
    }
    if why := letter.returned or (delivery.reason if state is LetterState.NOT_SENT else None):
        body["statusReason"] = _concept(REASON_SYSTEM, why)
    return _tree(body)


def version_of(delivery: Delivery, recall: Recall | None, outcome: Outcome | None = None) -> str:
    """Name the version of a hop's Task: where its delivery stands, and what was answered."""
    answer = recall.answer if recall else outcome and f"o{outcome.seq}"
    return f"{delivery.version}.{answer}" if answer else str(delivery.version)


def _said(outcome: Outcome, delivery: Delivery) -> dict[str, Any]:
    """Show what the provider said last, beside where the delivery stands."""
    words = to_task(outcome.kind)
    codings = [
        {"system": BUSINESS_STATUS_SYSTEM, "code": delivery.state.value},
        {"system": OUTCOME_SYSTEM, "code": words.business_status or outcome.kind.value},
    ]
    shown: dict[str, Any] = {
        "status": words.status,
        "businessStatus": {"coding": codings},
        "lastModified": instant(outcome.received_at),
    }
    if outcome.reason is not None and outcome.reason_system is not None:
        shown["statusReason"] = _concept(outcome.reason_system, outcome.reason)
    return shown


def with_document(task: JsonObject, outcome: Outcome) -> JsonObject:
    """Add where the practice reads what an outcome holds."""
    document: JsonObject = {"reference": f"DocumentReference/{outcome.id}"}
    output: JsonObject = {"type": {"text": "document"}, "valueReference": document}
    return task | {"output": [output]}


def _answered(recall: Recall, delivery: Delivery) -> dict[str, Any]:
    """Show what the provider answered, beside where the recall itself stands."""
    if recall.answer is None:
        return {}
    where = {"system": BUSINESS_STATUS_SYSTEM, "code": delivery.state.value}
    said = {"system": ANSWER_SYSTEM, "code": recall.answer.value}
    shown: dict[str, Any] = {
        "status": ANSWERED[recall.answer].value,
        "businessStatus": {"coding": [where, said]},
    }
    if recall.ground is not None:
        shown["statusReason"] = _concept(GROUND_SYSTEM, recall.ground.value)
    return shown


def _gateway_status(referral: Referral) -> TaskStatus:
    if referral.is_cancelled and referral.state is ReferralState.CLOSED:
        return TaskStatus.CANCELLED
    because = referral.closed_because or ""
    if because.startswith(CLOSED_BY_PROVIDER) and because != DECLINED_BY_PROVIDER:
        return TaskStatus.COMPLETED
    return GATEWAY_HOP[referral.state]


def _hop(
    referral: Referral, own_id: str, version: str, made: datetime, moved: datetime
) -> dict[str, Any]:
    return {
        "id": own_id,
        "meta": {"versionId": version, "lastUpdated": instant(moved)},
        "identifier": [{"system": f"{OWN_BASE}/Id/hop", "value": own_id}],
        "groupIdentifier": {"system": REFERENCE_SYSTEM, "value": referral.reference},
        "intent": "order",
        "code": _concept(_TASK_CODES, "fulfill"),
        "focus": {"reference": f"ServiceRequest/{referral.id}"},
        "authoredOn": instant(made),
        "lastModified": instant(moved),
    }


def _concept(system: str, code: str, text: str | None = None) -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": system, "code": code}]}
    return concept | ({"text": text} if text else {})


def _organisation(ods: OdsCode) -> dict[str, Any]:
    return {"identifier": {"system": ODS_CODE_SYSTEM, "value": ods}}


def _tree(body: dict[str, Any]) -> JsonObject:
    task = Task.model_validate(body)
    tree: JsonObject = task.model_dump(mode="json", exclude_none=True)
    return tree
