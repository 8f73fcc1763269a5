"""A Consent that is certainly about others is set aside; an uncertain one still counts."""

import pytest

from gateway.consent.decide import Effect
from gateway.consent.directives import NO_CONSENT, NOT_UNDERSTOOD, ConsentState
from gateway.referral.json import Json, JsonObject
from tests.builders.consent import (
    ACT_CODE,
    ACT_REASON,
    COVERS,
    PATIENT,
    a_consent,
    a_denial,
    a_provision,
    an_actor,
    coding,
    concept,
    our_purpose,
    outcome,
    read,
    without,
)

STRANGER = an_actor("urn:uuid:stranger")
TO_STRANGER = a_provision(actor=[STRANGER])
FOR_RESEARCH = a_provision(purpose=[our_purpose("research")])
ABOUT_OTHERS: dict[str, JsonObject] = {
    "another receiver": TO_STRANGER,
    "another purpose": FOR_RESEARCH,
    "another purpose of nobody in particular": {"purpose": [our_purpose("research")]},
    "another receiver, for anything": {"actor": [STRANGER]},
    "a primary receiver": {"actor": [an_actor("urn:uuid:stranger", "PRCP")]},
    "two purposes, neither ours": {"purpose": [our_purpose("research"), our_purpose("planning")]},
    "an exception that is about them too": TO_STRANGER
    | {"provision": [a_denial(actor=[STRANGER])]},
}
ABOUT_US: dict[str, JsonObject] = {
    "nobody in particular": {},
    "us": a_provision(),
    "us and another": a_provision(actor=[STRANGER, an_actor()]),
    "this purpose and another": a_provision(purpose=[our_purpose("research"), our_purpose()]),
    "a role that nobody knows": a_provision(actor=[an_actor("#role")]),
    "one who keeps the data": a_provision(actor=[an_actor("urn:uuid:stranger", "CST")]),
    "one whose part is not said": a_provision(actor=[without(STRANGER, "role")]),
    "a purpose that is not ours": a_provision(purpose=[coding(ACT_REASON, "HRESCH")]),
    "a purpose that we do not have": a_provision(purpose=[our_purpose("leisure")]),
    "an exception for everybody": TO_STRANGER | {"provision": [a_denial()]},
    "an exception for us": TO_STRANGER | {"provision": [a_denial(actor=[an_actor()])]},
}


def refusal(status: str, provision: JsonObject, **changes: Json) -> JsonObject:
    return a_consent(status=status, provision=provision, **changes)


@pytest.mark.parametrize("status", ["rejected", "inactive", "proposed", "draft"])
@pytest.mark.parametrize("about", ABOUT_OTHERS)
def test_what_was_said_of_others_does_not_speak_against_a_permission(
    about: str, status: str
) -> None:
    assert read(a_consent(), refusal(status, ABOUT_OTHERS[about])) == COVERS


@pytest.mark.parametrize("status", ["rejected", "inactive"])
@pytest.mark.parametrize("about", ABOUT_US)
def test_what_may_be_about_us_speaks_against_a_permission(about: str, status: str) -> None:
    assert read(a_consent(), refusal(status, ABOUT_US[about])) == NOT_UNDERSTOOD


def test_a_denial_that_names_others_at_its_root_does_not_speak_against_a_permission() -> None:
    opt_out = refusal("active", TO_STRANGER, policyRule=concept(ACT_CODE, "OPTOUT"))
    deny = without(refusal("active", TO_STRANGER | {"type": "deny"}), "policyRule")
    assert read(a_consent(), opt_out) == COVERS
    assert read(a_consent(), deny) == COVERS


def test_a_denial_that_names_nobody_touches_everybody() -> None:
    assert read(a_consent(), refusal("active", {}, policyRule=concept(ACT_CODE, "OPTOUT"))) == (
        NOT_UNDERSTOOD
    )


def test_a_refusal_without_a_provision_touches_everybody() -> None:
    assert read(a_consent(), without(a_consent(status="rejected"), "provision")) == NOT_UNDERSTOOD


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "unheard-of"},
        {"modifierExtension": [{"url": "https://x.example/not", "valueBoolean": True}]},
        {"policyRule": concept(ACT_CODE, "OPTOUT"), "provision": TO_STRANGER | {"type": "permit"}},
        {"provision": TO_STRANGER | {"class": [coding(ACT_CODE, "x")]}},
    ],
)
def test_a_consent_that_is_not_understood_counts_whomever_it_names(changes: JsonObject) -> None:
    odd = a_consent(status="rejected", provision=TO_STRANGER) | changes
    assert read(a_consent(), odd) == NOT_UNDERSTOOD
    assert outcome(a_consent(), odd)[0] is Effect.HOLD


def test_a_receiver_that_the_directory_does_not_know_is_spared_by_no_refusal() -> None:
    assert read(a_consent(), refusal("rejected", TO_STRANGER), recipient=None) == NOT_UNDERSTOOD


def test_a_refusal_of_others_is_no_consent_either() -> None:
    assert read(refusal("rejected", TO_STRANGER)) == NO_CONSENT
    assert outcome(refusal("inactive", TO_STRANGER)) == (Effect.DENY, "NO_PATIENT_CONSENT")


def test_a_refusal_of_us_stands_beside_a_permission_for_others() -> None:
    found = read(refusal("rejected", a_provision()), a_consent(provision=TO_STRANGER))
    assert found.state is ConsentState.REJECTED


@pytest.mark.parametrize("status", ["rejected", "inactive"])
def test_a_permission_for_others_does_not_cover_though_they_were_refused_too(status: str) -> None:
    """As where it stands alone: the referral waits, and the sender hears that it does not cover."""
    consents = [a_consent(provision=TO_STRANGER), refusal(status, TO_STRANGER)]
    assert outcome(*consents) == outcome(consents[0]) == (Effect.HOLD, "CONSENT_DOES_NOT_COVER")


def test_a_question_to_the_patient_about_others_waits_where_nothing_else_is_known() -> None:
    asked = a_consent(status="proposed", provision=TO_STRANGER)
    assert outcome(asked) == (Effect.HOLD, "CONSENT_NOT_YET_GIVEN")


def test_one_entered_in_error_does_not_hide_what_others_were_permitted() -> None:
    mistake = a_consent(status="entered-in-error")
    assert outcome(mistake, a_consent(provision=TO_STRANGER)) == (
        Effect.HOLD,
        "CONSENT_DOES_NOT_COVER",
    )


def test_who_signed_for_others_does_not_matter() -> None:
    proxy = a_consent(provision=TO_STRANGER, performer=[{"reference": "RelatedPerson/1"}])
    assert read(a_consent(performer=[PATIENT]), proxy) == COVERS
