"""Defects of structure: properties, kinds of JSON value, cardinality, types, primitives, codes."""

from typing import Final

from tests.builders.canary import FAMILY, NUMBER
from tests.builders.messages import OWN
from tests.conformance.defect import (
    ALL,
    ONLY_JSON,
    ONLY_XML,
    PLAIN,
    REMOVED,
    Defect,
    add,
    both,
    put,
    wrong,
)
from tests.conformance.messages import Door

BARS: Final = (Door.BARS,)
REST: Final = (Door.REST,)
TRANSACTION: Final = (Door.TRANSACTION,)
_EXTENSION: Final = {"url": "https://gp.example/extension", "valueString": FAMILY}
_PERIOD: Final = {"start": "2026-02-02", "end": "2026-02-01"}

PROPERTIES: Final = (
    wrong("unknown_property", "ServiceRequest.colour", FAMILY, "structure", "ServiceRequest"),
    wrong("misspelt_property", "Patient.birthdate", "1980-01-01", "structure", "Patient"),
    wrong("unknown_property_of_a_datatype", "Patient.name[0].nick", FAMILY, "structure", "Patient.name[0]"),
    wrong("unknown_property_that_is_an_object", "Consent.verdict", {"text": FAMILY}, "structure", "Consent"),
    wrong("unknown_property_of_a_bundle", "Bundle.colour", FAMILY, "structure", "Bundle", doors=(Door.TRANSACTION, Door.BARS)),
    wrong("unknown_property_of_an_entry", "Bundle.entry[0].colour", FAMILY, "structure", "Bundle.entry[0]", doors=(Door.TRANSACTION, Door.BARS)),
    wrong("companion_of_an_object", "Patient._name", [{"id": "a"}], "structure", "Patient", formats=ONLY_JSON),
    wrong("companion_that_is_text", "Patient._birthDate", FAMILY, "structure", "Patient.birthDate", formats=ONLY_JSON),
    wrong("companion_with_an_unknown_property", "Patient._birthDate", {"colour": FAMILY}, "structure", "Patient.birthDate"),
    wrong("companion_of_the_url_of_an_extension", "Patient.extension", [_EXTENSION | {"_url": {"id": "a"}}], "structure", "Patient.extension[0]", formats=ONLY_JSON),
    wrong("companion_without_value_or_extension", "Patient._maritalStatus", {"id": "a"}, "structure", "Patient", formats=ONLY_JSON),
)  # fmt: skip

KINDS: Final = (
    wrong("boolean_as_text", "Patient.active", "true", "value", formats=ONLY_JSON),
    wrong("number_as_text", "Patient.telecom[0].rank", "1", "value", formats=ONLY_JSON),
    wrong("text_as_number", "Patient.name[0].family", 9990548609, "structure", formats=ONLY_JSON),
    wrong("array_where_one_code_belongs", "ServiceRequest.status", ["active"], "structure", formats=ONLY_JSON),
    wrong("two_codes_where_one_belongs", "ServiceRequest.status", ["active", "active"], "structure"),
    wrong("array_where_an_object_belongs", "ServiceRequest.subject", [{"display": FAMILY}], "structure", formats=ONLY_JSON),
    wrong("two_objects_where_one_belongs", "Patient.maritalStatus", [{"text": FAMILY}, {"text": FAMILY}], "structure"),
    wrong("object_where_an_array_belongs", "Patient.name", {"family": FAMILY}, "structure", formats=ONLY_JSON),
    wrong("text_where_an_array_belongs", "Patient.name[0].given", FAMILY, "structure", formats=ONLY_JSON),
    wrong("text_where_an_object_belongs", "ServiceRequest.subject", FAMILY, "structure", formats=ONLY_JSON),
    wrong("text_in_an_array_of_objects", "Patient.name[0]", FAMILY, "structure", formats=ONLY_JSON),
    wrong("array_in_an_array", "Patient.name[0]", [{"family": FAMILY}], "structure", formats=ONLY_JSON),
    wrong("empty_array", "Patient.name", [], "structure", formats=ONLY_JSON),
    wrong("empty_object", "Patient.maritalStatus", {}, "structure"),
    wrong("empty_object_in_an_array", "Patient.name[0]", {}, "structure"),
    wrong("empty_text", "Patient.name[0].family", "", "value"),
    wrong("null_object", "Patient.maritalStatus", None, "structure", formats=ONLY_JSON),
    wrong("null_primitive", "Patient.birthDate", None, "structure", formats=ONLY_JSON),
    wrong("null_in_an_array_of_objects", "Patient.name[0]", None, "structure", formats=ONLY_JSON),
    wrong("gap_without_an_extension", "Patient.name[0].given", [None, "Zephyrina"], "invariant", "Patient.name[0].given[0]", formats=ONLY_JSON),
)  # fmt: skip

CARDINALITY: Final = (
    wrong("missing_status", "ServiceRequest.status", REMOVED, "required"),
    wrong("missing_intent", "ServiceRequest.intent", REMOVED, "required"),
    wrong("missing_subject", "ServiceRequest.subject", REMOVED, "required"),
    wrong("missing_subject_of_a_condition", "Condition.subject", REMOVED, "required"),
    wrong("missing_bundle_type", "Bundle.type", REMOVED, "required", doors=(Door.TRANSACTION, Door.BARS)),
    wrong("missing_content_of_a_letter", "DocumentReference.content", REMOVED, "required", doors=PLAIN),
    wrong("missing_attachment_of_a_letter", "DocumentReference.content[0]", {"format": {"code": "a"}}, "required", "DocumentReference.content[0].attachment", doors=PLAIN),
    wrong("missing_intent_of_a_task", "Task.intent", REMOVED, "required", doors=BARS),
    wrong("missing_class_of_an_encounter", "Encounter.class", REMOVED, "required", doors=BARS),
    wrong("missing_event_of_a_message", "MessageHeader.eventCoding", REMOVED, "required", "MessageHeader.event", doors=BARS),
    wrong("missing_source_of_a_message", "MessageHeader.source", REMOVED, "required", doors=BARS),
    wrong("extension_of_ours_that_is_unknown", "Patient.extension", [{"url": f"{OWN}/StructureDefinition/wish", "valueString": FAMILY}], "extension", "Patient.extension[0].url"),
    wrong("profile_of_ours_that_is_unknown", "Patient.meta", {"profile": [f"{OWN}/StructureDefinition/wish"]}, "code-invalid", "Patient.meta.profile[0]"),
    wrong("version_of_a_profile_of_ours_that_is_unknown", "Patient.meta", {"profile": [f"{OWN}/StructureDefinition/wish|1.0.0"]}, "code-invalid", "Patient.meta.profile[0]"),
    wrong("extension_without_url", "Patient.extension", [{"valueString": FAMILY}], "required", "Patient.extension[0].url"),
    wrong("link_without_other", "Patient.link", [{"type": "seealso"}], "required", "Patient.link[0].other"),
)  # fmt: skip

TYPES: Final = (
    wrong("missing_resource_type", "Patient.resourceType", REMOVED, "required", formats=ONLY_JSON),
    wrong("unknown_resource_type", "Patient.resourceType", FAMILY, "value"),
    wrong("resource_type_in_lower_case", "Patient.resourceType", "patient", "value"),
    wrong("resource_type_that_is_not_read_here", "Condition", {"resourceType": "Substance", "id": "condition", "code": {"text": FAMILY}}, "not-supported"),
    Defect(name="two_types_of_one_choice", doors=ALL, change=both(put("Patient.deceasedBoolean", False), put("Patient.deceasedDateTime", "2026-02-02")), at="Patient.deceased", code="structure"),  # noqa: FBT003
    wrong("choice_of_a_type_that_is_not_offered", "Patient.deceasedString", FAMILY, "structure", "Patient"),
    wrong("extension_with_two_values", "Patient.extension", [_EXTENSION | {"valueCode": "a"}], "structure", "Patient.extension[0].value"),
    Defect(name="two_kinds_of_occurrence", doors=ALL, change=both(put("ServiceRequest.occurrenceDateTime", "2026-02-02"), put("ServiceRequest.occurrencePeriod", {"start": "2026-02-02"})), at="ServiceRequest.occurrence", code="structure"),
)  # fmt: skip

PRIMITIVES: Final = (
    wrong("date_not_in_the_calendar", "Patient.birthDate", "1981-02-29", "value"),
    wrong("date_in_british_order", "Patient.birthDate", "29/02/1980", "value"),
    wrong("date_with_a_time", "Patient.birthDate", "1980-02-29T00:00:00Z", "value"),
    wrong("date_time_without_zone", "ServiceRequest.authoredOn", "2026-03-02T09:30:00", "value"),
    wrong("date_time_without_seconds", "ServiceRequest.authoredOn", "2026-03-02T09:30Z", "value"),
    wrong("date_time_on_a_31st_of_june", "ServiceRequest.authoredOn", "2026-06-31T09:30:00Z", "value"),
    wrong("date_time_at_25_oclock", "ServiceRequest.authoredOn", "2026-06-30T25:30:00Z", "value"),
    wrong("date_time_in_a_zone_of_15_hours", "ServiceRequest.authoredOn", "2026-06-30T09:30:00+15:00", "value"),
    wrong("instant_without_zone", "ServiceRequest.meta", {"lastUpdated": "2026-03-02T09:30:00"}, "value", "ServiceRequest.meta.lastUpdated"),
    wrong("instant_without_time", "ServiceRequest.meta", {"lastUpdated": "2026-03-02"}, "value", "ServiceRequest.meta.lastUpdated"),
    wrong("timestamp_that_is_a_date", "Bundle.timestamp", "2026-03-02", "value", doors=BARS),
    wrong("id_with_a_slash", "ServiceRequest.id", "a/b", "value"),
    wrong("id_that_climbs_out", "ServiceRequest.id", "../../etc/passwd", "value"),
    wrong("id_that_climbs_out_escaped", "ServiceRequest.id", "%2e%2e%2fadmin", "value"),
    wrong("id_with_a_null_byte", "ServiceRequest.id", "a\x00b", "value", formats=ONLY_JSON),
    wrong("id_with_a_line_end", "ServiceRequest.id", "abc\n", "value"),
    wrong("id_of_65_characters", "ServiceRequest.id", "a" * 65, "value"),
    wrong("id_in_other_digits", "ServiceRequest.id", "\u0661\u0662", "value"),
    wrong("base64_without_padding", "DocumentReference.content[0].attachment.data", "SGVsbG8", "value", doors=PLAIN),
    wrong("base64_with_a_strange_letter", "DocumentReference.content[0].attachment.data", "SGVsbG8*", "value", doors=PLAIN),
    wrong("base64_of_another_alphabet", "DocumentReference.content[0].attachment.data", "_-8=", "value", doors=PLAIN),
    wrong("media_type_without_subtype", "DocumentReference.content[0].attachment.contentType", "pdf", "value", doors=PLAIN),
    wrong("size_that_is_negative", "DocumentReference.content[0].attachment.size", -1, "value", doors=PLAIN),
    wrong("positive_integer_of_zero", "Patient.telecom[0].rank", 0, "value"),
    wrong("positive_integer_below_zero", "Patient.telecom[0].rank", -1, "value"),
    wrong("positive_integer_with_a_fraction", "Patient.telecom[0].rank", 1.5, "value", formats=ONLY_JSON),
    wrong("positive_integer_with_a_fraction_in_xml", "Patient.telecom[0].rank", 1.5, "value", formats=ONLY_XML),
    wrong("integer_beyond_32_bits", "Patient.multipleBirthInteger", 2147483648, "value", "Patient.multipleBirth"),
    wrong("code_with_a_blank_at_its_end", "ServiceRequest.code", {"coding": [{"code": "306152009 "}]}, "value", "ServiceRequest.code.coding[0].code"),
    wrong("code_with_two_blanks_together", "ServiceRequest.code", {"coding": [{"code": "a  b"}]}, "value", "ServiceRequest.code.coding[0].code"),
    wrong("uri_with_a_blank", "Patient.identifier[0].system", "https://fhir.nhs.uk/Id/nhs number", "value"),
    wrong("url_with_a_blank", "DocumentReference.content[0].attachment.url", "https://gp.example/a letter", "value", doors=PLAIN),
    wrong("canonical_with_a_blank", "ServiceRequest.instantiatesCanonical", ["https://gp.example/a b"], "value", "ServiceRequest.instantiatesCanonical[0]"),
    wrong("text_that_is_too_long", "Patient.name[0].text", "a" * (1024 * 1024 + 1), "value"),
    wrong("text_with_a_control_character", "Patient.name[0].text", "a\x07b", "value", formats=ONLY_JSON),
    wrong("text_with_a_character_that_xml_cannot_carry", "Patient.name[0].text", "a\uffffb", "value", formats=ONLY_JSON),
    wrong("language_with_an_underscore", "Patient.language", "en_GB", "value"),
    wrong("decimal_in_words", "ServiceRequest.quantityQuantity", {"value": FAMILY}, "value", "ServiceRequest.quantity.value"),
    wrong("number_that_is_a_boolean", "Patient.telecom[0].rank", True, "structure", formats=ONLY_JSON),  # noqa: FBT003
    wrong("number_that_is_a_boolean_in_xml", "Patient.telecom[0].rank", True, "value", formats=ONLY_XML),  # noqa: FBT003
    wrong("currency_in_words", "Patient.extension", [{"url": "https://gp.example/e", "valueMoney": {"value": 1, "currency": "pounds"}}], "value", "Patient.extension[0].value.currency"),
    wrong("oid_without_its_prefix", "Patient.extension", [{"url": "https://gp.example/e", "valueOid": "1.2.3"}], "value", "Patient.extension[0].value"),
    wrong("uuid_without_its_prefix", "Patient.extension", [{"url": "https://gp.example/e", "valueUuid": NUMBER}], "value", "Patient.extension[0].value"),
    wrong("time_of_24_hours", "Patient.extension", [{"url": "https://gp.example/e", "valueTime": "24:00:00"}], "value", "Patient.extension[0].value"),
)  # fmt: skip

BINDINGS: Final = (
    wrong("status_not_in_its_list", "ServiceRequest.status", FAMILY, "code-invalid"),
    wrong("status_in_upper_case", "ServiceRequest.status", "ACTIVE", "code-invalid"),
    wrong("intent_not_in_its_list", "ServiceRequest.intent", "wish", "code-invalid"),
    wrong("priority_not_in_its_list", "ServiceRequest.priority", "soon", "code-invalid"),
    wrong("gender_not_in_its_list", "Patient.gender", "F", "code-invalid"),
    wrong("use_of_a_name_not_in_its_list", "Patient.name[0].use", "pen", "code-invalid"),
    wrong("system_of_a_telecom_not_in_its_list", "Patient.telecom[0].system", "pigeon", "code-invalid"),
    wrong("status_of_a_consent_not_in_its_list", "Consent.status", "yes", "code-invalid"),
    wrong("status_of_a_letter_not_in_its_list", "DocumentReference.status", "final", "code-invalid", doors=PLAIN),
    wrong("status_of_a_task_not_in_its_list", "Task.status", "open", "code-invalid", doors=BARS),
    wrong("status_of_an_encounter_not_in_its_list", "Encounter.status", "done", "code-invalid", doors=BARS),
    wrong("status_of_a_care_plan_not_in_its_list", "CarePlan.status", "done", "code-invalid", doors=BARS),
    wrong("condition_of_another_code_system", "Condition.clinicalStatus", {"coding": [{"system": "https://gp.example", "code": "active"}]}, "code-invalid"),
    wrong("condition_with_a_status_in_words", "Condition.clinicalStatus", {"text": FAMILY}, "code-invalid"),
    wrong("bundle_type_not_in_its_list", "Bundle.type", "referral", "code-invalid", doors=(Door.TRANSACTION, Door.BARS)),
    wrong("method_not_in_its_list", "Bundle.entry[0].request.method", "SEND", "code-invalid", doors=TRANSACTION),
)  # fmt: skip

INVARIANTS: Final = (
    Defect(name="dom-2_contained_in_contained", doors=REST, change=put("Condition.contained", [{"resourceType": "Organization", "id": "z", "name": FAMILY}]), at="ServiceRequest", code="invariant"),
    wrong("dom-4_contained_with_a_version", "Condition.meta", {"versionId": "1"}, "invariant", "ServiceRequest", doors=REST),
    wrong("dom-5_contained_with_a_security_label", "Condition.meta", {"security": [{"code": "R"}]}, "invariant", "ServiceRequest", doors=REST),
    wrong("ext-1_value_and_extension", "Patient.extension", [_EXTENSION | {"extension": [_EXTENSION]}], "invariant", "Patient.extension[0]"),
    wrong("ext-1_neither_value_nor_extension", "Patient.extension", [{"url": "https://gp.example/e"}], "invariant", "Patient.extension[0]"),
    wrong("per-1_ends_before_it_starts", "ServiceRequest.occurrencePeriod", _PERIOD, "invariant", "ServiceRequest.occurrence"),
    wrong("prr-1_order_detail_without_code", "ServiceRequest.orderDetail", [{"text": FAMILY}], "invariant", "ServiceRequest", doors=(Door.TRANSACTION, Door.BARS)),
    wrong("pat-1_contact_without_details", "Patient.contact", [{"gender": "male"}], "invariant", "Patient.contact[0]"),
    wrong("cpt-2_telecom_without_system", "Patient.telecom[0].system", REMOVED, "invariant", "Patient.telecom[0]"),
    wrong("qty-3_unit_without_system", "ServiceRequest.quantityQuantity", {"value": 1, "code": "d"}, "invariant", "ServiceRequest.quantity"),
    wrong("ppc-1_consent_without_policy", "Consent.policyRule", REMOVED, "invariant", "Consent"),
    wrong("att-1_data_without_content_type", "DocumentReference.content[0].attachment.contentType", REMOVED, "invariant", "DocumentReference.content[0].attachment", doors=PLAIN),
    wrong("con-5_entered_in_error_and_active", "Condition.verificationStatus", {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-ver-status", "code": "entered-in-error"}]}, "invariant", "Condition"),
    wrong("con-4_abated_and_active", "Condition.abatementString", FAMILY, "invariant", "Condition"),
    wrong("txt-1_script_in_the_narrative", "Patient.text", {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><script>x()</script></div>'}, "invariant", "Patient.text.div"),
    wrong("txt-1_handler_in_the_narrative", "Patient.text", {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p onclick="x()">a</p></div>'}, "invariant", "Patient.text.div"),
    wrong("txt-2_blank_narrative", "Patient.text", {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p> </p></div>'}, "invariant", "Patient.text.div"),
    wrong("org-1_organisation_without_name_or_identifier", "Organization", {"resourceType": "Organization", "active": True}, "invariant", doors=BARS),
    wrong("inv-1_task_modified_before_it_was_authored", "Task.lastModified", "2026-10-31T09:00:00Z", "invariant", "Task", doors=BARS),
    wrong("cpl-3_activity_with_reference_and_detail", "CarePlan.activity", [{"reference": {"display": FAMILY}, "detail": {"status": "completed"}}], "invariant", "CarePlan.activity[0]", doors=BARS),
    Defect(name="obs-6_value_and_reason_for_none", doors=ALL, change=add({"resourceType": "Observation", "status": "final", "code": {"text": "A finding"}, "valueString": FAMILY, "dataAbsentReason": {"text": "a"}}), at="New", code="invariant"),
)  # fmt: skip

STRUCTURE: Final[tuple[Defect, ...]] = (
    *PROPERTIES,
    *KINDS,
    *CARDINALITY,
    *TYPES,
    *PRIMITIVES,
    *BINDINGS,
    *INVARIANTS,
)
