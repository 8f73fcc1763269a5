"""Defects of a BaRS message: workflow variables, version, addressing, focus.

Source: BaRS Core, bundle processing, message headers, and the MessageDefinition's focus.
"""

from typing import Any, Final

from tests.builders.canary import FAMILY
from tests.builders.messages import DOS, OTHER_PRACTICE, PHARMACY_SERVICE, Tree
from tests.conformance.defect import (
    REMOVED,
    Change,
    Defect,
    both,
    get,
    put,
    twice,
    without,
    wrong,
)
from tests.conformance.messages import Door

BARS: Final = (Door.BARS,)
EVENTS: Final = "https://fhir.nhs.uk/CodeSystem/message-events-bars"
REASONS: Final = "https://fhir.nhs.uk/CodeSystem/message-reason-bars"
CATEGORIES: Final = "https://fhir.nhs.uk/CodeSystem/message-category-servicerequest"
EVENT: Final = "MessageHeader.eventCoding"
REASON: Final = "MessageHeader.reason"
CATEGORY: Final = "ServiceRequest.category"
STATUS: Final = "ServiceRequest.status"


def _bars(name: str, change: Change, at: str | None, code: str, status: int = 400) -> Defect:
    return Defect(name=name, doors=BARS, change=change, at=at, code=code, status=status)


def _row(name: str, path: str, value: Any, code: str = "invariant", status: int = 400, at: str | None = None) -> Defect:  # fmt: skip
    return wrong(name, path, value, code, at, doors=BARS, status=status)


def _event(code: str) -> Change:
    return put(EVENT, {"system": EVENTS, "code": code})


def _reason(code: str) -> Change:
    return put(REASON, {"coding": [{"system": REASONS, "code": code}]})


def _category(code: str) -> Change:
    return put(f"{CATEGORY}[0].coding[0].code", code)


def _also_coded(path: str, system: str, code: str) -> Change:
    """Add a second coding beside those that are there."""
    return lambda tree: get(tree, path)["coding"].append({"system": system, "code": code})


def _third_organisation_only(tree: Tree) -> None:
    """Leave one Organization: the sender's; the receiver's goes."""
    organisations = [e for e in tree["entry"] if e["resource"]["resourceType"] == "Organization"]
    tree["entry"].remove(organisations[1])


def _other_sender(tree: Tree) -> None:
    get(tree, "Organization")["identifier"][0]["value"] = OTHER_PRACTICE


WORKFLOW: Final = (
    _row("new_referral_that_was_revoked", STATUS, "revoked"),
    _row("new_referral_entered_in_error", STATUS, "entered-in-error"),
    _row("new_referral_on_hold", STATUS, "on-hold"),
    _row("new_referral_that_is_a_draft", STATUS, "draft"),
    _row("new_referral_that_is_completed", STATUS, "completed"),
    _row("new_referral_with_an_active_plan", "CarePlan.status", "active"),
    _row("new_referral_with_a_draft_plan", "CarePlan.status", "draft"),
    _row("new_referral_with_a_planned_encounter", "Encounter.status", "planned"),
    _row("new_referral_with_an_encounter_in_progress", "Encounter.status", "in-progress"),
    _row("new_referral_with_a_cancelled_encounter", "Encounter.status", "cancelled"),
    _row("new_referral_whose_intent_is_order", "ServiceRequest.intent", "order", "value"),
    _bars("update_of_an_active_referral", _reason("update"), STATUS, "invariant"),
    _bars("update_of_a_referral_on_hold", both(_reason("update"), put(STATUS, "on-hold")), STATUS, "invariant"),
    _bars("update_of_a_completed_referral", both(_reason("update"), put(STATUS, "completed")), STATUS, "invariant"),
    _bars("reason_that_is_unknown", _reason(FAMILY), REASON, "invariant"),
    _row("reason_that_is_missing", REASON, REMOVED),
    _bars("reason_with_two_codes", _also_coded(REASON, REASONS, "update"), REASON, "invariant"),
    _row("reason_of_another_code_system", f"{REASON}.coding[0].system", "https://gp.example", at=REASON),
    _bars("category_with_two_codes", _also_coded(f"{CATEGORY}[0]", CATEGORIES, "validation"), CATEGORY, "invariant"),
    _bars("category_that_is_unknown", _category("wish"), CATEGORY, "invariant"),
    _row("category_that_is_missing", CATEGORY, REMOVED),
    _bars("new_validation", _category("validation"), CATEGORY, "not-supported", 422),
    _bars("event_that_is_unknown", _event("wish"), "MessageHeader.event", "invariant"),
    _bars("event_of_a_booking", _event("booking-request"), "MessageHeader.event", "not-supported", 422),
    _bars("response_to_nothing", _event("servicerequest-response"), "MessageHeader.response", "invariant"),
    _row("version_that_is_missing", "Bundle.meta.versionId", REMOVED),
    _row("version_of_another_major", "Bundle.meta.versionId", "2.0.0", "not-supported", 422),
    _row("version_that_is_none", "Bundle.meta.versionId", "latest", "not-supported", 422),
    _row("meta_that_is_missing", "Bundle.meta", REMOVED, at="Bundle.meta.versionId"),
    _row("use_case_that_the_service_does_not_take", f"{CATEGORY}[0].coding[1].code", "a8t1", "not-supported", 422, at=CATEGORY),
    _row("use_case_that_is_missing", f"{CATEGORY}[0].coding[1]", REMOVED, "required", at=f"{CATEGORY}[0].coding"),
)  # fmt: skip

CANCELLING: Final = (
    _bars("cancellation_with_two_codes_of_the_reason", both(_reason("update"), put(STATUS, "revoked"), _also_coded(REASON, REASONS, "delete")), REASON, "invariant"),
    _bars("cancellation_whose_focus_is_something_else", both(_reason("update"), put(STATUS, "revoked"), put("MessageHeader.focus", [{"reference": "ServiceRequest/7"}])), "MessageHeader.focus", "invariant"),
    _bars("cancellation_of_what_was_never_sent", both(_reason("update"), put(STATUS, "revoked")), None, "not-found", 404),
    _bars("cancellation_by_delete_of_what_was_never_sent", both(_reason("delete"), put(STATUS, "revoked")), None, "not-found", 404),
    _bars("response_to_what_was_never_sent", both(_event("servicerequest-response"), put(STATUS, "revoked"), put("MessageHeader.response", {"identifier": "11111111-2222-4333-8444-555555555555", "code": "ok"})), None, "not-found", 404),
)  # fmt: skip

ADDRESSING: Final = (
    _row("endpoint_of_another_service", "MessageHeader.destination[0].endpoint", f"{DOS}|{PHARMACY_SERVICE}", "value"),
    _row("endpoint_that_is_no_service", "MessageHeader.destination[0].endpoint", "https://elsewhere.example", "value"),
    _row("endpoint_without_an_id", "MessageHeader.destination[0].endpoint", f"{DOS}|", "value"),
    _row("destination_that_is_missing", "MessageHeader.destination", REMOVED, "required"),
    _row("receiver_that_is_missing", "MessageHeader.destination[0].receiver", REMOVED, "required"),
    _row("reply_address_that_is_missing", "MessageHeader.source.endpoint", REMOVED, "required"),
    _row("reply_address_that_is_no_service", "MessageHeader.source.endpoint", "https://gp.example/fhir", "value"),
    _row("sender_that_is_missing", "MessageHeader.sender", REMOVED, "required"),
    _bars("sender_that_is_another_practice", _other_sender, "MessageHeader.sender", "security", 401),
    _row("performer_that_is_missing", "ServiceRequest.performer", REMOVED, "required"),
    _row("performer_that_is_another_service", "HealthcareService.identifier[0].value", PHARMACY_SERVICE, "value", at="ServiceRequest.performer"),
    _row("focus_that_is_missing", "MessageHeader.focus", REMOVED, "required"),
    _row("definition_of_another_message_with_http", "MessageHeader.definition", "http://fhir.nhs.uk/MessageDefinition/bars-message-booking-request", "not-supported", 422),
    _row("focus_on_something_else", "MessageHeader.focus", [{"reference": "ServiceRequest/7"}]),
    _row("definition_of_another_message", "MessageHeader.definition", "https://fhir.nhs.uk/MessageDefinition/bars-message-booking-request", "not-supported", 422),
)  # fmt: skip

FOCUS: Final = (
    *(
        _bars(f"message_without_{kind.lower()}", without(kind), "Bundle.entry", "required")
        for kind in (
            "ServiceRequest",
            "Patient",
            "Encounter",
            "CarePlan",
            "Consent",
            "Practitioner",
            "PractitionerRole",
            "HealthcareService",
        )
    ),
    _bars("message_with_one_organization", _third_organisation_only, "Bundle.entry", "required"),
    *(
        _bars(f"message_with_two_of_{kind.lower()}", twice(kind), "New", "invalid")
        for kind in ("ServiceRequest", "Patient", "Encounter", "CarePlan")
    ),
)

BARS_DEFECTS: Final[tuple[Defect, ...]] = (*WORKFLOW, *CANCELLING, *ADDRESSING, *FOCUS)
