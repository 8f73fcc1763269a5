"""What is read of each part of a Consent, and of several Consents together."""

from dataclasses import replace
from functools import partial

import pytest

from gateway.consent.cover import ALL_DATA, Bounds, Cover, Part
from gateway.consent.decide import Effect
from gateway.consent.directives import (
    NO_CONSENT,
    NOT_UNDERSTOOD,
    ConsentKind,
    ConsentState,
    read_consents,
)
from gateway.referral.identifiers import ODS_CODE_SYSTEM
from gateway.referral.json import Json, JsonObject
from tests.builders.consent import (
    ACT_CODE,
    ACT_REASON,
    CONFIDENTIALITY,
    COVERS,
    KIND_SYSTEM,
    NOW,
    ORGANISATIONS,
    PARTICIPATION,
    PATIENT,
    PROVIDER,
    PURPOSE,
    SCOPE,
    STRANGER,
    a_consent,
    a_consent_to_share,
    a_denial,
    a_pcf_consent,
    a_provision,
    an_actor,
    an_actor_with_ods,
    an_implied_consent,
    coding,
    concept,
    decided,
    of_kind,
    our_purpose,
    outcome,
    read,
    with_denial,
    with_provision,
    without,
)

REJECTED = replace(NO_CONSENT, state=ConsentState.REJECTED)
HOLD = Effect.HOLD


# No Consent, and the one that BaRS always sends.


def test_no_consent_is_none() -> None:
    assert read() == NO_CONSENT


def test_implied_direct_care_is_no_consent_to_disclosure() -> None:
    assert read(an_implied_consent()) == NO_CONSENT
    assert outcome(an_implied_consent()) == (Effect.DENY, "NO_PATIENT_CONSENT")


def test_implied_direct_care_does_not_speak_against_an_explicit_consent() -> None:
    assert read(an_implied_consent(), a_consent()) == COVERS


OVERLAID: dict[str, JsonObject] = {
    "a provision that denies": an_implied_consent(provision={"type": "deny"}),
    "an opt-out beside it": an_implied_consent(
        policyRule={"coding": [coding(ACT_CODE, "IMPLIED"), coding(ACT_CODE, "OPTOUT")]}
    ),
    "an element that is not read": an_implied_consent(implicitRules="https://example.org/rules"),
    "a status that takes it back": an_implied_consent(status="inactive"),
}


@pytest.mark.parametrize("implied", OVERLAID.values(), ids=OVERLAID)
def test_implied_direct_care_that_says_more_is_not_passed_over(implied: JsonObject) -> None:
    assert decided(implied, a_consent()).effect is HOLD


def test_a_refusal_of_implied_direct_care_is_a_refusal() -> None:
    assert read(an_implied_consent(status="rejected")) == REJECTED


# Scope and category.


@pytest.mark.parametrize(
    "scope",
    [
        concept(SCOPE, "research"),
        concept("https://example.org", "patient-privacy"),
        {"coding": [coding(SCOPE, "patient-privacy"), coding(SCOPE, "research")]},
        {"text": "privacy"},
    ],
    ids=["research", "another system", "two scopes", "text alone"],
)
def test_a_consent_of_another_scope_is_not_understood(scope: JsonObject) -> None:
    assert read(a_consent(scope=scope)) == NOT_UNDERSTOOD


def test_a_consent_without_a_scope_is_not_understood() -> None:
    assert read(without(a_consent(), "scope")) == NOT_UNDERSTOOD


@pytest.mark.parametrize("code", ["emrgonly", "research", "RESEARCH", "npp", "dnr"])
def test_a_consent_of_a_category_of_its_own_is_not_understood(code: str) -> None:
    categories: list[Json] = [concept(ACT_CODE, "INFA"), concept(ACT_CODE, code)]
    assert read(a_consent(category=categories)) == NOT_UNDERSTOOD


# Permission or refusal.


def test_an_opt_out_is_a_refusal() -> None:
    assert read(a_consent(policyRule=concept(ACT_CODE, "OPTOUT"))) == REJECTED


def test_a_root_denial_is_a_refusal() -> None:
    assert read(a_pcf_consent(provision=a_provision(type="deny"))) == REJECTED


def test_a_root_type_that_agrees_with_its_policy_rule_covers() -> None:
    assert read(with_provision(type="permit")) == COVERS


@pytest.mark.parametrize(
    "rule",
    [
        concept(ACT_CODE, "OPTINR"),
        concept("https://example.org", "OPTIN"),
        {"coding": [coding(ACT_CODE, "OPTIN"), coding(ACT_CODE, "OPTOUT")]},
        {"coding": [coding(ACT_CODE, "OPTIN"), coding(ACT_CODE, "OPTINR")]},
        {"coding": [{"system": ACT_CODE}]},
        {"text": "opt in"},
    ],
    ids=["restricted", "another system", "both", "one unread", "no code", "text alone"],
)
def test_a_policy_rule_that_is_neither_in_nor_out_is_not_understood(rule: JsonObject) -> None:
    assert read(a_consent(policyRule=rule)) == NOT_UNDERSTOOD


def test_neither_root_type_nor_policy_rule_is_not_understood() -> None:
    assert read(without(a_consent(), "policyRule")) == NOT_UNDERSTOOD


def test_an_opt_in_without_a_provision_names_nobody_and_nothing() -> None:
    reading = read(without(a_consent(), "provision"))
    assert reading == replace(COVERS, recipient=False, purpose=False)


# Who may receive.


def test_an_actor_of_another_organisation_does_not_cover() -> None:
    consent = with_provision(actor=[an_actor("urn:uuid:stranger")])
    assert read(consent) == replace(COVERS, recipient=False)


def test_one_of_several_actors_is_enough() -> None:
    actors: list[Json] = [an_actor("urn:uuid:stranger"), an_actor("Group/teams"), an_actor()]
    assert read(with_provision(actor=actors)) == COVERS


def test_an_actor_nobody_knows_beside_a_stranger_is_unknown() -> None:
    actors: list[Json] = [an_actor("urn:uuid:stranger"), an_actor("Group/teams")]
    assert read(with_provision(actor=actors)).recipient is None


def test_an_unknown_provider_is_not_known_to_be_named() -> None:
    assert read(a_consent(), recipient=None) == replace(COVERS, recipient=None)


@pytest.mark.parametrize("role", ["IRCP", "PRCP"])
def test_an_actor_may_be_a_recipient_or_the_primary_one(role: str) -> None:
    assert read(with_provision(actor=[an_actor(role=role)])) == COVERS


@pytest.mark.parametrize(
    "role",
    [
        concept(PARTICIPATION, "CST"),
        {"coding": [coding(PARTICIPATION, "IRCP"), coding(PARTICIPATION, "CST")]},
        concept("https://example.org", "IRCP"),
        {"text": "recipient"},
    ],
    ids=["custodian", "recipient and custodian", "another system", "text alone"],
)
def test_an_actor_in_another_role_is_not_known_to_receive(role: JsonObject) -> None:
    consent = with_provision(actor=[an_actor() | {"role": role}])
    assert read(consent) == replace(COVERS, recipient=None)


def test_an_actor_without_a_role_is_not_known_to_receive() -> None:
    consent = with_provision(actor=[without(an_actor(), "role")])
    assert read(consent).recipient is None


def test_an_actor_may_be_named_by_its_ods_code() -> None:
    assert read(with_provision(actor=[an_actor_with_ods("oh1")])) == COVERS


def test_an_ods_code_system_spelt_the_old_way_is_the_same() -> None:
    actor = an_actor_with_ods("OH1", "http://fhir.nhs.uk/id/ods-organization-code")
    assert read(with_provision(actor=[actor])) == COVERS


@pytest.mark.parametrize(
    "identifier",
    [
        {"system": ODS_CODE_SYSTEM, "value": "no code"},
        {"system": ODS_CODE_SYSTEM},
        {"system": "https://example.org", "value": "OH1"},
    ],
    ids=["not a code", "no value", "another system"],
)
def test_an_identifier_that_is_no_ods_code_names_nobody(identifier: JsonObject) -> None:
    actor = an_actor() | {"reference": {"identifier": identifier}}
    assert read(with_provision(actor=[actor])).recipient is None


def test_a_foreign_identifier_beside_a_reference_does_not_matter() -> None:
    identifier: JsonObject = {"system": "https://example.org", "value": "1"}
    reference: JsonObject = {"reference": "urn:uuid:provider", "identifier": identifier}
    assert read(with_provision(actor=[an_actor() | {"reference": reference}])) == COVERS


def test_a_damaged_ods_code_is_not_passed_over_for_its_reference() -> None:
    identifier: JsonObject = {"system": ODS_CODE_SYSTEM, "value": "no code"}
    reference: JsonObject = {"reference": "urn:uuid:provider", "identifier": identifier}
    actor = an_actor() | {"reference": reference}
    assert read(with_provision(actor=[actor])).recipient is None


def test_an_ods_code_against_its_reference_names_nobody() -> None:
    identifier: JsonObject = {"system": ODS_CODE_SYSTEM, "value": PROVIDER}
    reference: JsonObject = {"reference": "urn:uuid:stranger", "identifier": identifier}
    actor = an_actor() | {"reference": reference}
    assert read(with_provision(actor=[actor])).recipient is None


def test_an_ods_code_beside_a_reference_out_of_the_message_is_enough() -> None:
    identifier: JsonObject = {"system": ODS_CODE_SYSTEM, "value": PROVIDER}
    reference: JsonObject = {"reference": "Organization/elsewhere", "identifier": identifier}
    assert read(with_provision(actor=[an_actor() | {"reference": reference}])) == COVERS


# What for.


@pytest.mark.parametrize(
    "purposes",
    [[], [our_purpose("eap")], [coding(ACT_REASON, "occupational-health")], [{"code": "x"}]],
    ids=["none", "another", "another system", "no system"],
)
def test_a_purpose_that_is_not_named_is_not_covered(purposes: list[Json]) -> None:
    assert read(with_provision(purpose=purposes)) == replace(COVERS, purpose=False)


def test_one_of_several_purposes_is_enough() -> None:
    assert read(with_provision(purpose=[our_purpose("eap"), our_purpose()])) == COVERS


# Nested denials.


@pytest.mark.parametrize(
    "denial",
    [
        {"actor": [an_actor("urn:uuid:stranger")]},
        {"actor": [an_actor_with_ods(STRANGER)], "purpose": [our_purpose()]},
        {"purpose": [our_purpose("research")]},
        {"actor": [an_actor()], "purpose": [our_purpose("research"), our_purpose("eap")]},
    ],
    ids=["a stranger", "a stranger for this", "research", "this provider for others"],
)
def test_a_denial_of_another_provider_or_purpose_spares(denial: JsonObject) -> None:
    assert read(with_denial(**denial)) == COVERS


@pytest.mark.parametrize(
    "denial",
    [
        {},
        {"purpose": [our_purpose()]},
        {"actor": [an_actor()], "purpose": [our_purpose("eap"), our_purpose()]},
        {"actor": [an_actor("urn:uuid:stranger"), an_actor()]},
        {"actor": [an_actor(role="CST")]},
    ],
    ids=["everything", "the purpose", "both", "one of two", "in any role"],
)
def test_a_denial_that_touches_provider_and_purpose_is_not_covered(denial: JsonObject) -> None:
    assert read(with_denial(**denial)) == replace(COVERS, recipient=False)


@pytest.mark.parametrize(
    "denial",
    [
        {"actor": [an_actor("Group/teams")]},
        {"purpose": [coding(ACT_REASON, "PATRQT")]},
        {"purpose": [our_purpose("not-yet-listed")]},
    ],
    ids=["of a group", "of a purpose of another list", "of a purpose not yet listed"],
)
def test_a_denial_that_may_touch_is_unknown(denial: JsonObject) -> None:
    consent = with_denial(**denial)
    assert read(consent) == replace(COVERS, recipient=None)
    assert decided(consent).effect is HOLD


def test_one_denial_that_touches_is_enough() -> None:
    denials: list[Json] = [a_denial(purpose=[our_purpose("eap")]), a_denial(actor=[an_actor()])]
    assert read(with_provision(provision=denials)).recipient is False


# Who signed, and when.


@pytest.mark.parametrize("name", ["dateTime", "performer"])
def test_a_consent_without_date_or_signer_is_not_evidenced(name: str) -> None:
    consent = without(a_consent(), name)
    assert read(consent) == replace(COVERS, evidence=False)
    assert outcome(consent) == (HOLD, "CONSENT_EVIDENCE_WEAK")


@pytest.mark.parametrize("when", ["2026-02-30", "last week", "2027-01-01"])
def test_a_date_that_cannot_be_is_no_evidence(when: str) -> None:
    assert read(a_consent(dateTime=when)) == replace(COVERS, evidence=False)


def test_a_patient_who_signed_beside_others_is_evidence() -> None:
    others: list[Json] = [{"reference": "urn:uuid:doctor"}, PATIENT]
    assert read(a_consent(performer=others)) == COVERS


def test_a_patient_may_be_named_by_identifier() -> None:
    patient: JsonObject = {"identifier": {"system": "https://example.org", "value": "1"}}
    assert read(a_consent(patient=patient, performer=[dict(patient)])) == COVERS


def test_a_signer_of_a_consent_without_a_patient_may_be_anybody() -> None:
    consent = without(a_consent(), "patient")
    assert read(consent) == replace(COVERS, is_proxy=True)
    assert outcome(consent) == (HOLD, "AUTHORITY_TO_CONSENT_UNPROVEN")


# Several Consents.


def test_of_two_permissions_the_one_that_covers_counts_in_any_order() -> None:
    other = with_provision(actor=[an_actor("urn:uuid:stranger")])
    assert read(a_consent(), other) == COVERS
    assert read(other, a_consent()) == COVERS


def test_two_permissions_that_cover_half_each_do_not_add_up() -> None:
    for_this = with_provision(actor=[an_actor("urn:uuid:stranger")])
    to_this = with_provision(purpose=[our_purpose("eap")])
    assert decided(for_this, to_this).effect is HOLD


def test_a_denial_in_one_permission_speaks_against_another() -> None:
    denying = with_denial(actor=[an_actor()])
    assert read(a_consent(), denying) == replace(COVERS, recipient=False)
    assert read(denying, a_consent()) == replace(COVERS, recipient=False)


def test_a_denial_that_was_entered_in_error_does_not_count() -> None:
    denying = with_denial(actor=[an_actor()]) | {"status": "entered-in-error"}
    assert read(denying, a_consent()) == COVERS


def test_a_permission_that_may_cover_is_not_hidden_by_one_that_expired() -> None:
    expired = with_provision(period={"end": "2025"})
    perhaps = with_provision(actor=[an_actor("Group/teams")])
    assert decided(expired, perhaps).effect is HOLD


def test_two_kinds_of_refusal_are_a_refusal() -> None:
    refused, withdrawn = a_consent(status="rejected"), a_consent(status="inactive")
    assert decided(refused, withdrawn).effect is Effect.DENY
    assert decided(withdrawn, refused).effect is Effect.DENY


@pytest.mark.parametrize(
    "other", [a_consent(status="inactive"), a_consent(status="rejected"), a_consent(_status={})]
)
def test_a_permission_beside_a_consent_of_another_state_is_held(other: JsonObject) -> None:
    assert read(a_consent(), other) == NOT_UNDERSTOOD
    assert read(a_consent(), other, a_consent(status="proposed")) == NOT_UNDERSTOOD


@pytest.mark.parametrize("status", ["proposed", "draft"])
def test_a_form_that_waits_for_its_signature_does_not_contradict_the_signed_one(
    status: str,
) -> None:
    waiting, given = a_consent(status=status), a_consent()
    for both_ways in ((waiting, given), (given, waiting)):
        assert read(*both_ways) == COVERS
        assert outcome(*both_ways) == (Effect.PERMIT, "PERMITTED")


@pytest.mark.parametrize(
    "given",
    [
        with_provision(period={"end": "2025-12-31"}),
        with_provision(purpose=[]),
        with_provision(actor=[an_actor("#role")]),
        with_denial(actor=[an_actor()]),
        without(a_consent(), "performer"),
    ],
    ids=["expired", "no purpose", "nobody known", "denied", "unsigned"],
)
def test_a_form_that_waits_beside_a_permission_that_does_not_cover_is_held(
    given: JsonObject,
) -> None:
    assert read(given, a_consent(status="proposed")) == NOT_UNDERSTOOD


@pytest.mark.parametrize(
    "waiting",
    [
        a_consent(policyRule=concept(ACT_CODE, "OPTOUT")),
        without(a_consent(), "policyRule", "provision"),
        with_denial(actor=[an_actor()]),
        with_denial(),
    ],
    ids=["an opt-out", "neither in nor out", "but not to us", "but to nobody"],
)
def test_a_refusal_that_waits_for_its_signature_is_not_passed_over(waiting: JsonObject) -> None:
    assert read(a_consent(), waiting | {"status": "proposed"}) == NOT_UNDERSTOOD


def test_what_a_form_that_waits_leaves_out_of_the_data_is_left_out() -> None:
    label = coding(ACT_CODE, "PSY")
    waiting = with_denial(securityLabel=[label]) | {"status": "proposed"}
    assert read(a_consent(), waiting).cover == read(with_denial(securityLabel=[label])).cover


@pytest.mark.parametrize("status", ["rejected", "inactive"])
def test_a_refusal_beside_a_form_that_waits_is_a_refusal(status: str) -> None:
    refused, waiting = a_consent(status=status), a_consent(status="proposed")
    assert read(waiting, refused) == read(refused)
    assert decided(waiting, refused).effect is Effect.DENY


def test_what_is_not_understood_beside_a_form_that_waits_is_held() -> None:
    assert read(a_consent(status="proposed"), a_consent(_status={})) == NOT_UNDERSTOOD


def test_a_permission_of_the_patient_counts_before_that_of_another() -> None:
    relative = a_consent(performer=[{"reference": "urn:uuid:relative"}])
    assert read(relative, a_consent()) == COVERS


# Consents of the other kind.

SHARE_PLAN: dict[str, JsonObject] = {
    "proposed": a_consent_to_share(status="proposed"),
    "rejected": a_consent_to_share(status="rejected"),
    "withdrawn": a_consent_to_share(status="inactive"),
    "active": a_consent_to_share(),
    "of a provision that nobody reads": a_consent_to_share(provision={"code": [{"text": "all"}]}),
}


@pytest.mark.parametrize("share", SHARE_PLAN.values(), ids=SHARE_PLAN)
def test_a_consent_to_share_the_plan_says_nothing_about_being_referred(share: JsonObject) -> None:
    assert read(share) == NO_CONSENT
    assert outcome(share) == (Effect.DENY, "NO_PATIENT_CONSENT")
    assert read(a_consent(), share) == read(share, a_consent()) == COVERS
    assert read(a_consent(status="rejected"), share) == REJECTED


def test_a_consent_to_refer_may_say_so() -> None:
    assert read(of_kind("refer")) == COVERS
    assert read(of_kind("refer", status="inactive")).state is ConsentState.WITHDRAWN


def test_a_consent_to_refer_says_nothing_about_the_plan() -> None:
    about_the_plan = partial(
        read_consents,
        recipient=PROVIDER, purpose=PURPOSE, organisations=ORGANISATIONS, at=NOW,
        kind=ConsentKind.SHARE_PLAN,
    )  # fmt: skip
    assert about_the_plan([of_kind("refer")]) == NO_CONSENT
    assert about_the_plan([of_kind("refer"), a_consent_to_share()]) == COVERS


@pytest.mark.parametrize(
    "consent",
    [
        a_consent_to_share(modifierExtension=[{"url": "https://example.org/not"}]),
        a_consent_to_share(implicitRules="https://example.org/rules"),
        a_consent_to_share(scope=concept(SCOPE, "treatment")),
    ],
    ids=["a modifier", "implicit rules", "another scope"],
)
def test_a_kind_that_something_may_turn_round_is_not_set_aside(consent: JsonObject) -> None:
    assert read(a_consent(), consent) == NOT_UNDERSTOOD


def test_a_consent_of_both_kinds_is_about_being_referred_too() -> None:
    both: list[Json] = [concept(KIND_SYSTEM, "refer"), concept(KIND_SYSTEM, "share-plan")]
    assert read(a_consent(category=both, status="rejected")) == REJECTED


def test_a_kind_of_another_system_sets_nothing_aside() -> None:
    consent = a_consent(category=[concept("https://example.org", "share-plan")], status="rejected")
    assert read(consent) == REJECTED


# Only a part of the data.


PERMITTED = (Effect.PERMIT, "PERMITTED")
REASON_GOES = (HOLD, "REDACTION_REMOVES_REASON")


@pytest.mark.parametrize(
    ("labels", "within", "named", "expected"),
    [
        ([coding(CONFIDENTIALITY, "R")], {"R"}, ("R",), PERMITTED),
        (
            [coding(CONFIDENTIALITY, "V"), coding(ACT_CODE, "PSY")],
            {"V", "PSY"},
            ("PSY", "R", "V"),
            PERMITTED,
        ),
        ([coding(CONFIDENTIALITY, "N")], {"N"}, (), PERMITTED),
        ([coding(ACT_CODE, "HIV"), coding(CONFIDENTIALITY, "HIV")], {"HIV"}, ("HIV",), REASON_GOES),
        ([coding(CONFIDENTIALITY, "L")], {"L"}, (), REASON_GOES),
    ],
    ids=["restricted and below", "all, and psychiatry by name", "everyday", "one label", "low"],
)
def test_a_permission_covers_its_labels_and_a_level_those_below_it(
    labels: list[Json], within: set[str], named: tuple[str, ...], expected: tuple[Effect, str]
) -> None:
    consent = with_provision(securityLabel=labels)
    cover = Cover(within=Part(labels=frozenset(within)))
    assert read(consent) == replace(COVERS, labels=named, cover=cover)
    assert outcome(consent) == expected


def test_a_permission_for_a_period_covers_the_data_of_that_time_alone() -> None:
    consent = with_provision(dataPeriod={"start": "2020", "end": "2026"})
    period = Bounds(start="2020", end="2026")
    assert read(consent) == replace(COVERS, cover=Cover(within=Part(period=period)))
    assert outcome(consent) == PERMITTED
    assert outcome(with_provision(dataPeriod={"start": "2020", "end": "2025"})) == REASON_GOES


@pytest.mark.parametrize(
    ("denied", "left"),
    [
        ("PSY", ("HIV", "R")),
        ("MH", ("HIV", "R")),
        ("HIV", ("PSY", "R")),
        ("ETH", ("HIV", "PSY", "R")),
    ],
)
def test_a_denial_takes_its_label_and_what_is_part_of_it_from_those_agreed_to(
    denied: str, left: tuple[str, ...]
) -> None:
    labels: list[Json] = [
        coding(CONFIDENTIALITY, "R"),
        coding(ACT_CODE, "PSY"),
        coding(ACT_CODE, "HIV"),
    ]
    denial = a_denial(securityLabel=[coding(ACT_CODE, denied)])
    assert read(with_provision(securityLabel=labels, provision=[denial])).labels == left


def test_a_denial_of_a_label_for_some_years_leaves_it_agreed_to_for_the_others() -> None:
    denial = a_denial(securityLabel=[coding(ACT_CODE, "PSY")], dataPeriod={"start": "2018"})
    labels: list[Json] = [coding(CONFIDENTIALITY, "R"), coding(ACT_CODE, "PSY")]
    assert read(with_provision(securityLabel=labels, provision=[denial])).labels == ("PSY", "R")


@pytest.mark.parametrize(
    ("denial", "is_limited"),
    [
        ({"actor": [an_actor("urn:uuid:stranger")]}, False),
        ({"purpose": [our_purpose("eap")]}, False),
        ({"actor": [an_actor("Group/teams")]}, True),
        ({"actor": [an_actor()], "purpose": [our_purpose()]}, True),
    ],
    ids=["to a stranger", "for another purpose", "to a group", "to this provider for this"],
)
def test_a_denial_of_some_data_limits_whom_it_may_touch(
    denial: JsonObject, *, is_limited: bool
) -> None:
    consent = with_denial(securityLabel=[coding(ACT_CODE, "PSY")], **denial)
    without_psy = replace(ALL_DATA, without=(Part(labels=frozenset({"PSY"})),))
    expected = replace(COVERS, cover=without_psy if is_limited else ALL_DATA)
    assert read(consent) == expected
    assert read(a_consent(), consent) == expected


def test_of_two_permissions_the_one_that_names_more_labels_counts() -> None:
    restricted = with_provision(securityLabel=[coding(CONFIDENTIALITY, "R")])
    assert read(restricted, a_consent()) == read(a_consent(), restricted) == read(restricted)


def test_of_two_permissions_the_one_for_all_data_counts() -> None:
    everyday = with_provision(securityLabel=[coding(ACT_CODE, "HIV")])
    assert read(everyday, a_consent()) == read(a_consent(), everyday) == COVERS
