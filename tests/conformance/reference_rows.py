"""Which test shows each row of the NHS wire standards that concern the front door.

The rows follow the tables of BaRS (headers, the receiver's order, message and workflow
tables, answers, cancellation, search, transactional integrity, error codes), of the NHS API
platform and of UK Core. A name is that of a defect of the corpus, or of a test function. A
test compares these names with what exists, so that no row can lose its test unnoticed.
"""

from collections.abc import Mapping
from typing import Final

ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    # Versions and addresses.
    "Accept version: same major only, else 406": (
        "test_another_version_or_media_type_is_not_acceptable",
        "test_an_accept_header_that_leaves_room_for_json_is_fine",
    ),
    "Bundle.meta.versionId: application version": (
        "version_that_is_missing", "version_of_another_major", "version_that_is_none",
    ),
    "GET /metadata true to what is served": ("test_the_statement_lists_what_the_routes_serve_and_nothing_else",),
    "GET /MessageDefinition: context required, value-only honoured": (
        "test_a_sender_learns_which_messages_a_service_takes_for_a_use_case",
        "test_a_search_that_names_no_service_is_told_what_is_required",
        "test_a_context_that_nobody_serves_is_not_found",
    ),
    "paths are case-sensitive": ("path_of_another_case",),
    # Request headers.
    "Authorization": ("no_token", "token_of_nothing", "token_of_another_scheme"),
    "X-Request-Id, X-Correlation-Id: UUIDs, both required, echoed": (
        "test_both_ids_are_asked_for", "test_both_ids_of_a_message_come_back",
    ),
    "NHSD-Target-Identifier": (
        "test_a_message_without_a_target_is_refused",
        "test_a_target_that_cannot_be_read_is_refused",
        "test_the_older_spelling_of_the_target_system_is_read",
    ),
    "NHSD-End-User-Organisation": (
        "test_an_end_user_organisation_that_is_another_is_access_control",
        "test_an_end_user_organisation_that_is_the_sender_is_let_in",
    ),
    "NHSD-Requesting-Software: both shapes": (
        "test_the_software_header_of_the_specification_is_read",
        "test_a_header_that_is_another_resource_is_refused",
    ),
    "NHSD-Requesting-Practitioner": ("test_a_header_that_is_another_resource_is_refused",),
    "Content-Type": ("media_type_none", "media_type_text", "media_type_utf_16"),
    "use-context is ignored": ("test_the_use_context_is_not_looked_at",),
    # The receiver's order.
    "order 1: access control before ids": ("test_who_asks_is_checked_before_the_ids",),
    "order 2: ids": ("test_both_ids_are_asked_for",),
    "order 3: replay before version": (
        "test_a_duplicate_is_told_before_the_version_is_looked_at",
    ),
    "order 4: Accept version": ("test_another_version_or_media_type_is_not_acceptable",),
    "order 5: application version": ("version_that_is_missing", "version_of_another_major"),
    "order 6: destination": (
        "endpoint_of_another_service", "destination_that_is_missing", "receiver_that_is_missing",
    ),
    "order 7: source endpoint": (
        "reply_address_that_is_missing", "reply_address_that_is_no_service",
    ),
    "order 8: structure against the definition": (
        "message_without_encounter", "message_with_two_of_careplan",
        "message_with_one_organization", "message_without_consent",
    ),
    "order 9: use case supported for the service": ("use_case_that_the_service_does_not_take",),
    "order 10: workflow variables": ("new_referral_with_an_active_plan",),
    "order 11: only what is current is changed": (
        "test_it_is_taken_back_once", "test_the_version_that_was_read_must_be_the_present_one",
    ),
    "order 12: 200 with the bundle": (
        "test_an_accepted_message_comes_back_with_an_id_on_every_resource",
    ),
    # The message.
    "Bundle.type message, timestamp": ("bundle_of_another_type_than_message",),
    "times: up to seven digits, any offset": ("test_what_is_right_in_both_forms_has_no_warning",),
    "MessageHeader.eventCoding": ("event_that_is_unknown", "missing_event_of_a_message"),
    "MessageHeader.sender": ("sender_that_is_missing", "sender_that_is_another_practice"),
    "MessageHeader.source": ("missing_source_of_a_message",),
    "MessageHeader.reason": ("reason_that_is_missing", "reason_that_is_unknown"),
    "MessageHeader.focus": (
        "focus_that_is_missing", "focus_on_something_else",
        "cancellation_whose_focus_is_something_else",
    ),
    "MessageHeader.definition": ("definition_of_another_message",),
    "MessageHeader.response": ("response_to_nothing", "response_to_what_was_never_sent"),
    "ServiceRequest.intent plan": ("new_referral_whose_intent_is_order",),
    "ServiceRequest.category: two codings": ("category_that_is_missing", "use_case_that_is_missing"),
    "ServiceRequest.performer": ("performer_that_is_missing", "performer_that_is_another_service"),
    "ServiceRequest.requester": ("requester_in_words_only", "requester_with_a_code_that_is_none"),
    "a UK Core order at the REST door": ("test_an_accepted_referral_is_queued_with_its_decision_in_one_transaction",),
    # The person.
    "NHS number: modulus 11 only warns": ("test_a_deviation_is_accepted_with_a_warning_at_its_place",),
    "NHS number: ten digits": ("nhs_number_that_is_too_short",),
    "a patient without an NHS number is accepted": (
        "test_a_patient_without_a_number_is_accepted",
    ),
    "verification status in two systems": ("test_what_is_right_in_both_forms_has_no_warning",),
    "one patient throughout": (
        "condition_of_somebody_else", "second_nhs_number",
        "nhs_number_of_somebody_else_in_the_title", "patient_hidden_inside_an_entry",
    ),
    # Workflow variables.
    "request new referral active": ("test_an_accepted_message_comes_back_with_an_id_on_every_resource",),
    "… CarePlan completed, Encounter triaged or finished": (
        "new_referral_with_an_active_plan", "new_referral_with_an_encounter_in_progress",
    ),
    "request new validation active": ("new_validation",),
    "request update referral revoked or entered-in-error": (
        "test_a_message_takes_a_referral_back_by_each_of_its_names",
    ),
    "request update referral active": ("update_of_an_active_referral",),
    "request update validation": ("test_an_update_of_a_validation_is_not_offered",),
    "response without response": ("response_to_nothing",),
    "response to what is not known": ("response_to_what_was_never_sent",),
    "anything else": (
        "new_referral_that_was_revoked", "update_of_a_referral_on_hold", "reason_that_is_unknown",
    ),
    "a booking": ("event_of_a_booking",),
    # The answer.
    "same bundle, our ids, planned Encounter with a reference": (
        "test_the_answer_adds_a_planned_encounter_with_the_reference_to_quote",
    ),
    "under 5 s, else 408": (
        "test_a_request_whose_time_has_ended_writes_nothing_and_may_be_sent_again",
        "test_a_body_that_stops_coming_is_answered_and_nobody_else_waits",
    ),
    # Cancellation.
    "found by id, identifier, fullUrl and source endpoint": (
        "test_a_message_takes_a_referral_back_by_each_of_its_names",
    ),
    "update and delete": ("test_a_message_takes_a_referral_back_by_each_of_its_names",),
    "unknown: 404": ("cancellation_of_what_was_never_sent",),
    "not active: 409": ("test_a_message_twice_is_a_conflict_and_its_repeat_a_duplicate",),
    "the same person": ("test_a_message_about_another_person_changes_nothing",),
    "previous versions are kept": ("test_every_version_can_be_read",),
    "a delivered referral is revoked downstream": (
        "test_whoever_has_it_is_told_to_stop_and_nothing_of_the_person",
    ),
    # Search.
    "patient:identifier, identifier": (
        "test_a_referral_is_found_by_person_identifier_id_and_our_own_reference",
    ),
    "patient:name, birthdate, address-postalcode together": (
        "test_a_person_is_found_by_name_birth_and_postcode_together",
    ),
    "paging, _lastUpdated": (
        "test_pages_follow_each_other_and_hold_each_referral_once",
        "test_a_search_by_time_compares_with_when_the_content_came",
    ),
    # Transactional integrity.
    "already processed: 409 duplicate": ("test_a_message_that_was_processed_is_a_duplicate",),
    "still processing: 425": (
        "test_a_message_that_is_being_processed_is_too_early_until_its_claim_ends",
    ),
    "first attempt failed: the original failure": (
        "test_a_message_that_failed_fails_again_in_the_same_words",
        "test_a_refusal_by_the_rules_is_told_again_and_decided_once",
    ),
    "per sender": ("test_ids_of_one_sender_do_not_block_another",),
    "If-None-Exist": ("test_what_is_there_is_not_created_again",),
    "If-Match": ("test_the_version_that_was_read_must_be_the_present_one",),
    # Errors.
    "OperationOutcome: registered system, no patient data": (
        "test_every_error_that_may_reach_the_door_has_an_answer",
        "test_a_defect_is_named_at_its_place_and_nothing_is_stored",
    ),
    "405 with Allow": ("path_by_another_method",),
    "413 over-long body": ("over_the_limit", "far_over_the_limit_in_chunks"),
    "415 media type": ("media_type_html", "bomb_packed_as_gzip"),
    "422 by the sharing rules": ("test_occupational_health_under_implied_consent_is_refused",),
    "503": ("test_a_database_that_is_away_costs_one_503",),
    # The platform.
    "signed JWT for a token": ("test_each_algorithm_of_the_list_is_taken",),
    "XML and JSON": (
        "test_a_referral_in_xml_is_accepted_and_answered_in_either_format",
        "test_accept_chooses_the_format",
    ),
    # Contradictions in the sources: the table itself is compared row by row.
    "every contradiction has its row": ("test_every_contradiction_of_the_reference_has_its_row",),
    "every row that warns is shown": ("test_every_row_that_warns_is_shown_here",),
}  # fmt: skip
