"""Defects of a referral as a whole: references, bundles, one patient, meaning, consent."""

from typing import Any, Final

from tests.builders.canary import FAMILY, NUMBER
from tests.builders.messages import (
    BARS_USE_CASES,
    DOS,
    ODS,
    OH_SERVICE,
    OWN,
    PHARMACY,
    PHARMACY_SERVICE,
    PROVIDER,
    Tree,
    patient,
)
from tests.conformance.defect import (
    ALL,
    BUNDLES,
    ONLY_JSON,
    PLAIN,
    REMOVED,
    Change,
    Defect,
    add,
    both,
    get,
    patient_url,
    put,
    twice,
    without,
    wrong,
)
from tests.conformance.messages import Door

BARS: Final = (Door.BARS,)
REST: Final = (Door.REST,)
TRANSACTION: Final = (Door.TRANSACTION,)
NHS: Final = "https://fhir.nhs.uk/Id/nhs-number"
OTHER_NUMBER: Final = "9990000026"
OTHER: Final = {"reference": "Patient/11111111-2222-4333-8444-555555555555"}
OTHER_BY_NUMBER: Final = {"identifier": {"system": NHS, "value": OTHER_NUMBER}}
OWN_USE_CASES: Final = f"{OWN}/CodeSystem/use-case"
NH: Final[Tree] = {
    "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "NH"}]}
}
MODIFIER: Final = [{"url": "https://gp.example/not", "valueBoolean": True}]
FINDING: Final[Tree] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "A finding"},
}


def _refer(path: str, **more: Any) -> Change:
    """Refer to the message's own patient, and say something more beside it."""
    return lambda tree: put(path, {"reference": patient_url(tree), **more})(tree)


def _hide(part: Tree) -> Change:
    """Hide a resource inside an entry of a Bundle."""
    return both(
        put("Condition.contained", [part | {"id": "p"}]),
        put("Condition.recorder", {"reference": "#p"}),
    )


def _entry(position: int, name: str, value: Any) -> Change:
    return put(f"Bundle.entry[{position}].{name}", value)


def _same_url(tree: Tree) -> None:
    tree["entry"][2]["fullUrl"] = tree["entry"][1]["fullUrl"]


def _also(key: str, value: Any) -> Change:
    """Add one more identifier to the patient, beside the first."""
    return lambda tree: get(tree, "Patient")[key].append(value)


REFERENCES: Final = (
    wrong("reference_to_a_type_not_permitted_here", "ServiceRequest.subject", {"reference": "Practitioner/1"}, "value"),
    wrong("absolute_reference_to_a_type_not_permitted_here", "Condition.subject", {"reference": "https://gp.example/R4/Medication/1"}, "value"),
    wrong("contained_of_a_type_not_permitted_here", "ServiceRequest.requester", {"reference": "#letter"}, "value", doors=REST),
    Defect(name="entry_of_a_type_not_permitted_here", doors=BUNDLES, change=_refer("ServiceRequest.encounter"), at="ServiceRequest.encounter", code="value"),
    wrong("reference_to_nothing_contained", "Condition.recorder", {"reference": "#nobody"}, "invariant", "Condition.recorder.reference"),
    Defect(name="type_stated_is_another_than_the_real_one", doors=ALL, change=_refer("Condition.subject", type="Group"), at="Condition.subject.type", code="value"),
    wrong("type_stated_is_not_permitted_here", "ServiceRequest.encounter", {"type": "Patient", "identifier": {"value": "1"}}, "value"),
    wrong("reference_that_is_a_business_number", "ServiceRequest.encounter", {"reference": NUMBER}, "value", "ServiceRequest.encounter.reference"),
    wrong("reference_to_an_unknown_type", "ServiceRequest.encounter", {"reference": "Visit/1"}, "value", "ServiceRequest.encounter.reference"),
    wrong("reference_that_climbs_out", "ServiceRequest.encounter", {"reference": "Encounter/../../Patient/1"}, "value", "ServiceRequest.encounter.reference"),
    wrong("malformed_uuid_in_a_reference", "ServiceRequest.encounter", {"reference": "urn:uuid:1234"}, "value", "ServiceRequest.encounter.reference"),
    wrong("conditional_reference_outside_a_transaction", "Condition.subject", {"reference": "Patient?identifier=1"}, "value", "Condition.subject.reference", doors=(Door.REST, Door.BARS)),
    wrong("empty_reference", "ServiceRequest.encounter", {"reference": ""}, "value", "ServiceRequest.encounter.reference"),
)  # fmt: skip

BUNDLE: Final = (
    Defect(name="two_entries_with_one_full_url", doors=BUNDLES, change=_same_url, at="Bundle.entry[2].fullUrl", code="invariant"),
    Defect(name="full_url_that_names_a_version", doors=BUNDLES, change=_entry(1, "fullUrl", "https://gp.example/Patient/1/_history/2"), at="Bundle.entry[1].fullUrl", code="invariant"),
    Defect(name="full_url_that_is_no_uri", doors=BUNDLES, change=_entry(1, "fullUrl", "a b"), at="Bundle.entry[1].fullUrl", code="value"),
    Defect(name="bdl-5_entry_without_a_resource", doors=BARS, change=_entry(2, "resource", REMOVED), at="Bundle.entry[2]", code="invariant"),
    Defect(name="entry_that_creates_nothing", doors=TRANSACTION, change=_entry(2, "resource", REMOVED), at="Bundle.entry[2].request", code="not-supported"),
    Defect(name="entry_without_a_request", doors=TRANSACTION, change=_entry(1, "request", REMOVED), at="Bundle.entry[1]", code="invariant"),
    Defect(name="entry_that_changes", doors=TRANSACTION, change=_entry(1, "request", {"method": "PUT", "url": "Patient/1"}), at="Bundle.entry[1].request", code="not-supported"),
    Defect(name="entry_that_deletes", doors=TRANSACTION, change=_entry(1, "request", {"method": "DELETE", "url": "Patient/1"}), at="Bundle.entry[1].request", code="not-supported"),
    Defect(name="entry_for_another_address", doors=TRANSACTION, change=_entry(1, "request", {"method": "POST", "url": "Observation"}), at="Bundle.entry[1].request", code="not-supported"),
    Defect(name="request_in_a_message", doors=BARS, change=_entry(2, "request", {"method": "POST", "url": "Encounter"}), at="Bundle.entry[2].request", code="invariant"),
    Defect(name="search_outside_a_searchset", doors=BUNDLES, change=_entry(2, "search", {"mode": "match"}), at="Bundle.entry[2].search", code="invariant"),
    Defect(name="response_in_a_request", doors=BUNDLES, change=_entry(2, "response", {"status": "200"}), at="Bundle.entry[2].response", code="invariant"),
    wrong("total_outside_a_searchset", "Bundle.total", 4, "invariant", "Bundle", doors=BUNDLES),
    Defect(name="empty_list_of_entries", doors=BUNDLES, change=put("Bundle.entry", []), at="Bundle.entry", code="structure", formats=ONLY_JSON),
    wrong("bundle_of_the_type_batch", "Bundle.type", "batch", "invalid", doors=TRANSACTION),
    wrong("bundle_of_another_type_than_message", "Bundle.type", "document", "invariant", "Bundle", doors=BARS),
    Defect(name="header_that_is_not_first", doors=BARS, change=lambda tree: tree["entry"].append(tree["entry"].pop(0)), at="Bundle.entry[0]", code="invariant"),
    Defect(name="bundle_inside_a_message", doors=BARS, change=add({"resourceType": "Bundle", "type": "collection"}), at="New", code="not-supported"),
    Defect(name="bundle_inside_a_transaction", doors=TRANSACTION, change=add({"resourceType": "Bundle", "type": "collection"}), at="New", code="not-supported"),
    Defect(name="parameters_inside_a_bundle", doors=BUNDLES, change=add({"resourceType": "Parameters"}), at="New", code="not-supported"),
    Defect(name="two_referrals", doors=TRANSACTION, change=twice("ServiceRequest"), at="New", code="invalid"),
    Defect(name="no_referral", doors=TRANSACTION, change=without("ServiceRequest"), at="Bundle.entry[0].resource", code="required"),
    Defect(name="two_patients", doors=PLAIN, change=add(patient() | {"id": "new"}), at="New", code="invalid"),
    Defect(name="no_patient", doors=TRANSACTION, change=without("Patient"), at="Bundle.entry[0].resource", code="required"),
)  # fmt: skip

SAME_PATIENT: Final = (
    wrong("subject_that_is_somebody_else", "ServiceRequest.subject", OTHER, "invariant"),
    wrong("subject_by_the_number_of_somebody_else", "ServiceRequest.subject", OTHER_BY_NUMBER, "invariant"),
    wrong("subject_that_is_a_group", "ServiceRequest.subject", {"reference": "Group/1"}, "invariant"),
    wrong("subject_in_words_only", "ServiceRequest.subject", {"display": FAMILY}, "invariant"),
    wrong("condition_of_somebody_else", "Condition.subject", OTHER, "invariant"),
    wrong("consent_of_somebody_else", "Consent.patient", OTHER, "invariant"),
    wrong("consent_of_somebody_else_by_number", "Consent.patient", OTHER_BY_NUMBER, "invariant"),
    wrong("letter_of_somebody_else", "DocumentReference.subject", OTHER, "invariant", doors=PLAIN),
    wrong("encounter_of_somebody_else", "Encounter.subject", OTHER, "invariant", doors=BARS),
    wrong("care_plan_of_somebody_else", "CarePlan.subject", OTHER, "invariant", doors=BARS),
    wrong("task_for_somebody_else", "Task.for", OTHER, "invariant", doors=BARS),
    Defect(name="finding_of_a_stranger", doors=ALL, change=add(FINDING | {"subject": OTHER}), at="New.subject", code="invariant"),
    Defect(name="finding_of_a_stranger_by_number", doors=ALL, change=add(FINDING | {"subject": OTHER_BY_NUMBER}), at="New.subject", code="invariant"),
    Defect(name="finding_of_a_stranger_by_absolute_url", doors=ALL, change=add(FINDING | {"subject": {"reference": "https://gp.example/fhir/Patient/2"}}), at="New.subject", code="invariant"),
    Defect(name="relative_of_somebody_else", doors=ALL, change=add({"resourceType": "RelatedPerson", "patient": OTHER}), at="New.patient", code="invariant"),
    wrong("reference_to_a_stranger_in_an_extension", "ServiceRequest.extension", [{"url": "https://gp.example/e", "valueReference": OTHER}], "invariant", "ServiceRequest.extension[0].value"),
    wrong("link_to_another_patient", "Patient.link", [{"other": OTHER, "type": "seealso"}], "invariant", "Patient.link[0].other"),
    Defect(name="second_nhs_number", doors=ALL, change=_also("identifier", {"system": NHS, "value": OTHER_NUMBER}), at="Patient.identifier", code="invariant"),
    Defect(name="second_nhs_number_by_its_type_in_another_system", doors=ALL, change=_also("identifier", {**NH, "system": "https://gp.example/number", "value": OTHER_NUMBER}), at="Patient.identifier", code="invariant"),
    wrong("nhs_number_by_its_type_of_somebody_else_on_the_referral", "ServiceRequest.identifier", [{**NH, "value": OTHER_NUMBER}], "invariant", "ServiceRequest.identifier[0]"),
    Defect(name="second_nhs_number_in_another_spelling", doors=ALL, change=_also("identifier", {"system": "http://fhir.nhs.uk/id/nhs-number", "value": OTHER_NUMBER}), at="Patient.identifier", code="invariant"),
    wrong("nhs_number_that_is_too_short", "Patient.identifier[0].value", "999 000", "value", "Patient.identifier"),
    Defect(name="relative_with_an_nhs_number_of_their_own", doors=ALL, change=lambda tree: add({"resourceType": "RelatedPerson", "patient": {"reference": patient_url(tree)}, "identifier": [{"system": NHS, "value": OTHER_NUMBER}]})(tree), at="New.identifier[0]", code="invariant"),
    wrong("nhs_number_of_somebody_else_on_the_referral", "ServiceRequest.identifier", [{"system": NHS, "value": OTHER_NUMBER}], "invariant", "ServiceRequest.identifier[0]"),
    wrong("nhs_number_of_somebody_else_in_the_title", "DocumentReference.content[0].attachment.title", f"Letter {OTHER_NUMBER}.pdf", "invariant", doors=PLAIN),
    wrong("nhs_number_of_somebody_else_in_the_title_spaced", "DocumentReference.content[0].attachment.title", "Letter 999 000 0026", "invariant", doors=PLAIN),
    wrong("nhs_number_of_somebody_else_in_the_description", "DocumentReference.description", f"For {OTHER_NUMBER}", "invariant", doors=PLAIN),
    Defect(name="patient_hidden_inside_an_entry", doors=BUNDLES, change=_hide(patient()), at="Condition.contained[0]", code="invariant"),
    Defect(name="person_hidden_inside_an_entry", doors=BUNDLES, change=_hide({"resourceType": "RelatedPerson", "patient": {"display": FAMILY}}), at="Condition.contained[0]", code="invariant"),
)  # fmt: skip

MEANING: Final = (
    wrong("referral_that_asks_not_to_do_it", "ServiceRequest.doNotPerform", True, "invariant"),  # noqa: FBT003
    wrong("modifier_of_the_referral", "ServiceRequest.modifierExtension", MODIFIER, "extension"),
    wrong("modifier_of_the_patient", "Patient.modifierExtension", MODIFIER, "extension"),
    wrong("modifier_of_the_letter", "DocumentReference.modifierExtension", MODIFIER, "extension", doors=PLAIN),
    wrong("modifier_of_the_header", "MessageHeader.modifierExtension", MODIFIER, "extension", doors=BARS),
    wrong("modifier_inside_the_patient", "Patient.contact", [{"name": {"text": FAMILY}, "modifierExtension": MODIFIER}], "extension", "Patient.contact[0].modifierExtension"),
    wrong("modifier_inside_the_plan", "CarePlan.activity", [{"detail": {"status": "scheduled", "modifierExtension": MODIFIER}}], "extension", "CarePlan.activity[0].detail.modifierExtension", doors=BARS),
    wrong("modifier_of_an_entry", "Bundle.entry[2].modifierExtension", MODIFIER, "extension", doors=BUNDLES),
    wrong("referral_with_two_use_cases", "ServiceRequest.category", [{"coding": [{"system": OWN_USE_CASES, "code": code}]} for code in ("oh-referral", "work-health-referral")], "invariant", doors=PLAIN),
    wrong("referral_with_use_cases_of_two_systems", "ServiceRequest.category", [{"coding": [{"system": OWN_USE_CASES, "code": "oh-referral"}, {"system": BARS_USE_CASES, "code": "a5t1"}]}], "invariant", doors=PLAIN),
    wrong("performers_that_are_two_services", "ServiceRequest.performer", [{"identifier": {"system": DOS, "value": service}} for service in (OH_SERVICE, PHARMACY_SERVICE)], "invariant", doors=PLAIN),
    wrong("performers_that_are_two_organisations", "ServiceRequest.performer", [{"identifier": {"system": ODS, "value": code}} for code in (PROVIDER, PHARMACY)], "invariant", doors=PLAIN),
    wrong("rules_that_are_not_understood", "ServiceRequest.implicitRules", "https://gp.example/rules", "not-supported"),
    wrong("referral_that_was_revoked", "ServiceRequest.status", "revoked", "invariant", doors=PLAIN),
    wrong("referral_that_is_a_draft", "ServiceRequest.status", "draft", "invariant", doors=PLAIN),
    wrong("referral_entered_in_error", "ServiceRequest.status", "entered-in-error", "invariant", doors=PLAIN),
    wrong("referral_that_is_a_proposal", "ServiceRequest.intent", "proposal", "invariant", doors=PLAIN),
    wrong("letter_entered_in_error", "DocumentReference.status", "entered-in-error", "invariant", doors=PLAIN),
    Defect(name="referral_without_a_reason", doors=REST, change=both(put("ServiceRequest.code", REMOVED), put("ServiceRequest.reasonCode", REMOVED), put("ServiceRequest.reasonReference", REMOVED), without("Condition"), without("DocumentReference"), put("ServiceRequest.supportingInfo", REMOVED)), at="ServiceRequest.reasonCode", code="required"),
    wrong("requester_in_words_only", "ServiceRequest.requester", {"display": FAMILY}, "required", doors=PLAIN),
    wrong("requester_with_a_code_that_is_none", "ServiceRequest.requester", {"identifier": {"system": ODS, "value": "!"}}, "required", doors=PLAIN),
    wrong("performer_in_words_only", "ServiceRequest.performer", [{"display": FAMILY}], "value", doors=PLAIN),
    wrong("performer_outside_the_message", "ServiceRequest.performer", [{"reference": "HealthcareService/7"}], "value", doors=PLAIN),
    wrong("performer_with_an_id_that_is_none", "ServiceRequest.performer", [{"identifier": {"system": "https://fhir.nhs.uk/Id/dos-service-id", "value": "no id!"}}], "value", doors=PLAIN),
)  # fmt: skip

CONSENT: Final = (
    wrong("consent_without_status", "Consent.status", REMOVED, "required"),
    wrong("consent_without_scope", "Consent.scope", REMOVED, "required"),
    wrong("consent_without_category", "Consent.category", REMOVED, "required"),
    wrong("privacy_consent_without_patient", "Consent.patient", REMOVED, "invariant", "Consent"),
    wrong("consent_of_another_provision", "Consent.provision.type", "perhaps", "code-invalid"),
    wrong("consent_whose_actor_has_no_role", "Consent.provision.actor[0].role", REMOVED, "required"),
    wrong("consent_whose_actor_is_nobody", "Consent.provision.actor[0].reference", REMOVED, "required"),
    wrong("consent_that_ends_before_it_starts", "Consent.provision.period", {"start": "2026-10-30", "end": "2026-10-29"}, "invariant"),
    wrong("consent_at_an_impossible_time", "Consent.dateTime", "2026-02-30", "value"),
)  # fmt: skip

REFERRAL: Final[tuple[Defect, ...]] = (
    *REFERENCES,
    *BUNDLE,
    *SAME_PATIENT,
    *MEANING,
    *CONSENT,
)
