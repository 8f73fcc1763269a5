"""Whole Consents and their outcome. The numbers K01 to K16 are those of the interpreter's table."""

from dataclasses import replace

import pytest

from gateway.consent.cover import ALL_DATA, Bounds, Cover, Part
from gateway.consent.decide import Effect
from gateway.consent.directives import NOT_UNDERSTOOD, ConsentState
from gateway.referral.identifiers import ODS_CODE_SYSTEM
from gateway.referral.json import JsonObject
from tests.builders.consent import (
    ACT_CODE,
    CONFIDENTIALITY,
    COVERS,
    PATIENT,
    PROVIDER,
    SCOPE,
    a_consent,
    a_denial,
    a_pcf_consent,
    a_provision,
    an_actor,
    coding,
    concept,
    decided,
    our_purpose,
    outcome,
    read,
    with_denial,
    with_provision,
    without,
)

HOLD = Effect.HOLD


# The interpreter's table.


def test_k01_an_opt_in_for_provider_and_purpose_covers() -> None:
    assert read(a_consent()) == COVERS
    assert decided(a_consent()).effect is Effect.PERMIT


def test_k02_the_shape_of_pcf_covers() -> None:
    assert read(a_pcf_consent()) == COVERS


@pytest.mark.parametrize(("root_type", "rule"), [("permit", "OPTOUT"), ("deny", "OPTIN")])
def test_k03_a_root_type_against_its_policy_rule_is_unknown(root_type: str, rule: str) -> None:
    consent = a_consent(provision=a_provision(type=root_type), policyRule=concept(ACT_CODE, rule))
    assert read(consent) == NOT_UNDERSTOOD


def test_k04_a_nested_denial_of_the_provider_does_not_cover() -> None:
    consent = with_denial(actor=[an_actor()])
    assert read(consent) == replace(COVERS, recipient=False)
    assert outcome(consent) == (HOLD, "CONSENT_DOES_NOT_COVER")


SOME_DATA: dict[str, tuple[JsonObject, Cover]] = {
    "K05 everyday data under a denial": (
        {
            "type": "deny",
            "provision": [
                {
                    "type": "permit",
                    "actor": [an_actor()],
                    "purpose": [our_purpose()],
                    "securityLabel": [coding(CONFIDENTIALITY, "N")],
                }
            ],
        },
        Cover(within=Part(labels=frozenset({"N"}))),
    ),
    "K06 all but a label": (
        a_provision(type="permit", provision=[a_denial(securityLabel=[coding(ACT_CODE, "PSY")])]),
        replace(ALL_DATA, without=(Part(labels=frozenset({"PSY"})),)),
    ),
    "K07 the same label in the old system": (
        a_provision(
            type="permit", provision=[a_denial(securityLabel=[coding(CONFIDENTIALITY, "PSY")])]
        ),
        replace(ALL_DATA, without=(Part(labels=frozenset({"PSY"})),)),
    ),
    "K09 all but a year": (
        a_provision(
            type="permit", provision=[a_denial(dataPeriod={"start": "2018", "end": "2018"})]
        ),
        replace(ALL_DATA, without=(Part(period=Bounds(start="2018", end="2018")),)),
    ),
}


@pytest.mark.parametrize(("provision", "cover"), SOME_DATA.values(), ids=SOME_DATA)
def test_k05_to_k09_cover_a_part_of_the_data(provision: JsonObject, cover: Cover) -> None:
    consent = a_pcf_consent(provision=provision)
    assert read(consent) == replace(COVERS, cover=cover)
    assert outcome(consent) == (Effect.PERMIT, "PERMITTED")


def test_k05_without_a_label_covers_all_data() -> None:
    permit = a_provision(type="permit")
    assert read(a_pcf_consent(provision={"type": "deny", "provision": [permit]})) == COVERS


def test_k05_of_several_exceptions_the_best_counts() -> None:
    stranger = a_provision(type="permit", actor=[an_actor("urn:uuid:stranger")])
    for exceptions in (
        [stranger, a_provision(type="permit")],
        [a_provision(type="permit"), stranger],
    ):
        provision: JsonObject = {"type": "deny", "provision": [*exceptions]}
        assert read(a_pcf_consent(provision=provision)) == COVERS


def test_k05_an_exception_for_another_provider_does_not_cover() -> None:
    stranger = a_provision(type="permit", actor=[an_actor("urn:uuid:stranger")])
    consent = a_pcf_consent(provision={"type": "deny", "provision": [stranger]})
    assert outcome(consent) == (HOLD, "CONSENT_DOES_NOT_COVER")


@pytest.mark.parametrize(
    "label",
    [
        coding(ACT_CODE, "R"),
        coding(CONFIDENTIALITY, "SDV-2"),
        coding("https://example.org", "PSY"),
        {"code": "PSY"},
        {"system": ACT_CODE},
    ],
    ids=["a process code", "an invented one", "another system", "no system", "no code"],
)
@pytest.mark.parametrize("type_", ["permit", "deny"])
def test_k08_a_label_that_is_no_sensitivity_is_held(label: JsonObject, type_: str) -> None:
    opposite = {"permit": "deny", "deny": "permit"}[type_]
    consent = a_pcf_consent(
        provision=a_provision(type=opposite, provision=[{"type": type_, "securityLabel": [label]}])
    )
    assert read(consent) == NOT_UNDERSTOOD
    assert outcome(consent) == (HOLD, "FACT_UNKNOWN:R30")


@pytest.mark.parametrize("type_", ["permit", "deny"])
def test_an_exception_that_is_none_is_held(type_: str) -> None:
    provision = a_provision(type=type_, provision=[{"type": type_, "purpose": [our_purpose()]}])
    assert read(a_pcf_consent(provision=provision)) == NOT_UNDERSTOOD


def test_k10_three_levels_of_provision_are_held() -> None:
    third = a_denial(actor=[an_actor("urn:uuid:stranger")])
    consent = with_denial(actor=[an_actor("urn:uuid:stranger")], provision=[third])
    assert outcome(consent) == (HOLD, "FACT_UNKNOWN:R30")


EXTENSION: JsonObject = {"url": "https://example.org/but-only-on-mondays", "valueBoolean": True}
UNREAD: dict[str, JsonObject] = {
    "implicit rules": a_consent(implicitRules="https://example.org/rules"),
    "a modifier extension": a_consent(modifierExtension=[EXTENSION]),
    "an extension": a_consent(extension=[EXTENSION]),
    "a contained resource": a_consent(contained=[{"resourceType": "Group"}]),
    "a verification": a_consent(verification=[{"verified": False}]),
    "an extension of the status": a_consent(_status={"extension": [EXTENSION]}),
    "an extension of the date": a_consent(_dateTime={"extension": [EXTENSION]}),
    "an extension of the scope": a_consent(
        scope=concept(SCOPE, "patient-privacy") | {"extension": [EXTENSION]}
    ),
    "an extension of a coding": a_consent(
        policyRule={"coding": [coding(ACT_CODE, "OPTIN") | {"extension": [EXTENSION]}]}
    ),
    "an extension of a signer": a_consent(performer=[PATIENT | {"extension": [EXTENSION]}]),
    "a class": a_consent(
        provision=a_provision() | {"class": [coding("urn:ietf:bcp:13", "application/pdf")]}
    ),
    "a code": with_provision(code=[concept("http://snomed.info/sct", "371530004")]),
    "an action": with_provision(action=[concept(ACT_CODE, "read")]),
    "data by name": with_provision(data=[{"meaning": "instance"}]),
    "an extension of the period of data": with_provision(
        dataPeriod={"start": "2018", "extension": [EXTENSION]}
    ),
    "an extension of a label": with_provision(
        securityLabel=[coding(CONFIDENTIALITY, "R") | {"extension": [EXTENSION]}]
    ),
    "an extension of the root type": with_provision(_type={"extension": [EXTENSION]}),
    "an extension of the period": with_provision(period={"extension": [EXTENSION]}),
    "an extension of an actor": with_provision(actor=[an_actor() | {"extension": [EXTENSION]}]),
    "an identifier of old": with_provision(
        actor=[
            an_actor()
            | {
                "reference": {
                    "identifier": {"use": "old", "system": ODS_CODE_SYSTEM, "value": PROVIDER}
                }
            }
        ]
    ),
    "a period of a denial": with_denial(period={"end": "2018"}),
    "a nested permission": with_provision(provision=[{"type": "permit"}]),
    "a nested provision without a type": with_provision(provision=[{"actor": [an_actor()]}]),
}


@pytest.mark.parametrize("consent", UNREAD.values(), ids=UNREAD)
def test_k11_an_element_that_is_not_read_holds(consent: JsonObject) -> None:
    assert read(consent) == NOT_UNDERSTOOD
    assert outcome(consent) == (HOLD, "FACT_UNKNOWN:R30")


MISSHAPEN: dict[str, JsonObject] = {
    "a status that is a number": a_consent(status=1),
    "a scope that is a text": a_consent(scope="patient-privacy"),
    "a scope in an array": a_consent(scope=[concept(SCOPE, "patient-privacy")]),
    "a policy rule in an array": a_consent(policyRule=[concept(ACT_CODE, "OPTOUT")]),
    "a provision in an array": a_consent(provision=[a_provision()]),
    "a null provision": a_consent(provision=None),
    "a root type of another list": with_provision(type="maybe"),
    "a period that is a text": with_provision(period="2025"),
    "a period that ends in a number": with_provision(period={"end": 2025}),
    "an actor that is a text": with_provision(actor=["urn:uuid:provider", an_actor()]),
    "actors that are no array": with_provision(actor=an_actor()),
    "a purpose that is a text": with_provision(purpose=["occupational-health", our_purpose()]),
    "a denial that is no array": with_provision(provision=a_denial()),
    "a denial that is a text": with_provision(provision=["deny"]),
    "a flag that is a text": with_provision(purpose=[our_purpose() | {"userSelected": "yes"}]),
    "a signer that is a text": a_consent(performer=["urn:uuid:patient", PATIENT]),
    "a paper that is a text": a_consent(sourceReference="urn:uuid:paper"),
}


@pytest.mark.parametrize("consent", MISSHAPEN.values(), ids=MISSHAPEN)
def test_an_element_of_the_wrong_kind_is_not_passed_over(consent: JsonObject) -> None:
    assert read(consent) == NOT_UNDERSTOOD


def test_what_cannot_change_the_answer_is_let_be() -> None:
    consent = a_consent(
        id="c1",
        meta={"profile": ["https://fhir.hl7.org.uk/StructureDefinition/UKCore-Consent"]},
        language="en-GB",
        text={"status": "generated", "div": "<div/>"},
        identifier=[{"system": "https://example.org", "value": "1"}],
        organization=[{"reference": "urn:uuid:practice"}],
        policy=[{"uri": "https://policy.example/oh"}],
        sourceReference={"reference": "urn:uuid:paper"},
        provision=a_provision(
            id="p1",
            purpose=[our_purpose() | {"display": "Occupational health", "userSelected": True}],
        ),
    )
    assert read(consent) == COVERS


def test_k12_a_permission_whose_period_ended_has_expired() -> None:
    consent = with_provision(period={"end": "2025-12-31"})
    assert read(consent) == replace(COVERS, in_period=False)
    assert outcome(consent) == (Effect.DENY, "CONSENT_EXPIRED")


def test_k13_a_newer_permission_beside_an_older_refusal_is_held() -> None:
    older = a_pcf_consent(dateTime="2019-01-01", provision={"type": "deny"})
    for both_ways in ((a_consent(), older), (older, a_consent())):
        assert read(*both_ways) == NOT_UNDERSTOOD
        assert outcome(*both_ways) == (HOLD, "FACT_UNKNOWN:R30")


@pytest.mark.parametrize(
    "actor",
    [an_actor("Group/teams"), without(an_actor(), "reference")],
    ids=["a group", "a role alone"],
)
def test_k14_an_actor_that_is_nobody_in_particular_is_held(actor: JsonObject) -> None:
    consent = with_provision(actor=[actor])
    assert read(consent) == replace(COVERS, recipient=None)
    assert outcome(consent) == (HOLD, "FACT_UNKNOWN:R33")


@pytest.mark.parametrize(
    ("status", "effect", "code"),
    [
        ("inactive", Effect.DENY, "CONSENT_WITHDRAWN"),
        ("rejected", Effect.DENY, "NO_PATIENT_CONSENT"),
        ("proposed", HOLD, "CONSENT_NOT_YET_GIVEN"),
        ("draft", HOLD, "CONSENT_NOT_YET_GIVEN"),
        ("entered-in-error", Effect.DENY, "NO_PATIENT_CONSENT"),
        ("invented", HOLD, "FACT_UNKNOWN:R30"),
    ],
)
def test_k15_a_status_that_is_not_active_does_not_permit(
    status: str, effect: Effect, code: str
) -> None:
    assert outcome(a_consent(status=status)) == (effect, code)


def test_k15_an_error_alone_is_told_from_no_consent_at_all() -> None:
    assert read(a_consent(status="entered-in-error")).state is ConsentState.IN_ERROR


def test_k15_what_was_entered_in_error_does_not_speak_against_another() -> None:
    assert read(a_consent(status="entered-in-error"), a_consent()) == COVERS


def test_k16_a_relative_who_signed_without_known_authority_is_held() -> None:
    consent = a_consent(performer=[{"reference": "urn:uuid:relative", "type": "RelatedPerson"}])
    assert read(consent) == replace(COVERS, is_proxy=True)
    assert outcome(consent) == (HOLD, "AUTHORITY_TO_CONSENT_UNPROVEN")
