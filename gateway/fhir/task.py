"""A hop as a FHIR Task: how its owner and its requester follow a referral.

What enters: a referral, or a delivery with its referral. What leaves: a Task that names no
person. The first hop is the practice's request to the gateway, under the referral's id; the
next is the gateway's request to the provider, under the delivery's id. Source: FHIR R4 Task;
Clinical Order Workflow guide.
"""

from datetime import datetime
from typing import Any

from fhir.resources.R4B.task import Task

from gateway.fhir.service_request import instant
from gateway.referral.identifiers import (
    ODS_CODE_SYSTEM,
    OWN_BASE,
    REASON_SYSTEM,
    REFERENCE_SYSTEM,
    OdsCode,
)
from gateway.referral.json import JsonObject
from gateway.referral.lifecycle import (
    CANCELLED,
    GATEWAY_HOP,
    PROVIDER_HOP,
    DeliveryKind,
    DeliveryState,
    ReferralState,
    TaskStatus,
)
from gateway.referral.model import Delivery, Referral

BUSINESS_STATUS_SYSTEM = f"{OWN_BASE}/CodeSystem/hop-status"
_TASK_CODES = "http://hl7.org/fhir/CodeSystem/task-code"


def gateway_hop(referral: Referral, gateway: OdsCode) -> JsonObject:
    """Show the hop from practice to gateway."""
    body = _hop(referral, referral.id, referral.version, referral.received_at, referral.updated_at)
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


def provider_hop(referral: Referral, delivery: Delivery, gateway: OdsCode) -> JsonObject:
    """Show the hop from gateway to provider; a recall's Task asks to abort the referral."""
    body = _hop(referral, delivery.id, delivery.version, delivery.created_at, delivery.updated_at)
    body |= {
        "partOf": [{"reference": f"Task/{referral.id}"}],
        "status": PROVIDER_HOP[delivery.state].value,
        "businessStatus": _concept(BUSINESS_STATUS_SYSTEM, delivery.state.value),
        "requester": _organisation(gateway),
        "owner": _organisation(delivery.provider),
    }
    if delivery.kind is DeliveryKind.RECALL:
        body["code"] = _concept(_TASK_CODES, "abort")
        body["reasonCode"] = _concept(REASON_SYSTEM, CANCELLED)
    if delivery.reason is not None and delivery.state is not DeliveryState.DELIVERED:
        body["statusReason"] = _concept(REASON_SYSTEM, delivery.reason)
    return _tree(body)


def _gateway_status(referral: Referral) -> TaskStatus:
    if referral.is_cancelled and referral.state is ReferralState.CLOSED:
        return TaskStatus.CANCELLED
    return GATEWAY_HOP[referral.state]


def _hop(
    referral: Referral, own_id: str, version: int, made: datetime, moved: datetime
) -> dict[str, Any]:
    return {
        "id": own_id,
        "meta": {"versionId": str(version), "lastUpdated": instant(moved)},
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
