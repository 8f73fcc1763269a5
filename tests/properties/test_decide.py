"""What holds of every decision. Source: the reference's invariants 1 to 5 and 7."""

import random
from dataclasses import replace

from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.consent.decide import Effect, decide
from gateway.consent.directives import ConsentState
from gateway.consent.facts import Action, AgreementFact, Facts, PurposeClass
from gateway.consent.rules import POLICY
from gateway.referral.directory import AgreementKind, ProviderRole, Purpose, SwitchValue
from gateway.referral.json import JsonObject
from tests.builders.consent import (
    FACT_NAMES,
    GOOD_FACTS,
    a_consent,
    a_denial,
    a_provision,
    an_actor,
    any_facts,
    decided,
    facts_from,
    our_purpose,
    possible,
    read,
    with_denial,
)

SEVERITY = {Effect.PERMIT: 0, Effect.HOLD: 1, Effect.DENY: 2}
RESTRICTIONS: list[tuple[str, object]] = [
    ("registered", False),
    ("deceased", True),
    ("recipient_known", False),
    ("recipient_assured", False),
    ("recipient_role", ProviderRole.EMPLOYER),
    ("recipient_role", ProviderRole.HR),
    ("recipient_accepting", False),
    ("agreement", AgreementFact.NONE),
    ("agreement", AgreementFact.SUSPENDED),
    ("agreement", AgreementFact.WITHDRAWN),
    ("agreement", AgreementFact.EXPIRED),
    ("agreement_covers", False),
    ("sw_secondary", SwitchValue.OFF),
    ("consent", ConsentState.WITHDRAWN),
    ("consent", ConsentState.REJECTED),
    ("consent_recipient", False),
    ("consent_purpose", False),
    ("consent_in_period", False),
    ("consent_evidence", False),
    ("payload_hash_ok", False),
]


@st.composite
def partly_known(draw: st.DrawFn, most: int = 4) -> Facts:
    """Good facts of any purpose with a few changed: nearer to a permit than any at all."""
    few = draw(st.lists(st.sampled_from(FACT_NAMES), max_size=most, unique=True))
    purpose = draw(st.sampled_from(Purpose))
    changed = {name: draw(st.sampled_from(possible(name))) for name in few}
    return facts_from({"purpose": purpose, **changed})


@st.composite
def partly_unknown(draw: st.DrawFn) -> Facts:
    """Good facts of a purpose that can be permitted, with a few of them missing."""
    optional = [name for name in FACT_NAMES if possible(name)[-1] is None]
    few = draw(st.lists(st.sampled_from(optional), max_size=3, unique=True))
    purpose = draw(st.sampled_from([Purpose.DIRECT_CARE, Purpose.OCCUPATIONAL_HEALTH]))
    return facts_from({"purpose": purpose, **dict.fromkeys(few)})


facts_of_every_kind = st.one_of(partly_known(), any_facts())


@given(facts_of_every_kind, st.sampled_from(RESTRICTIONS))
@example(
    replace(GOOD_FACTS, action=Action.EXTRACT), ("consent_recipient", False)
)  # a consent rule once explained a missing ground to an extract
def test_a_restriction_never_makes_a_decision_less_restrictive(
    facts: Facts, restriction: tuple[str, object]
) -> None:
    name, value = restriction
    known = {field: getattr(facts, field) for field in FACT_NAMES}
    restricted = facts_from({**known, name: value})
    before, after = decide(facts, POLICY), decide(restricted, POLICY)
    assert SEVERITY[after.effect] >= SEVERITY[before.effect]


@given(st.one_of(partly_unknown(), facts_of_every_kind), st.data())
def test_a_decision_that_did_not_wait_for_a_fact_is_the_same_when_it_comes(
    facts: Facts, data: st.DataObject
) -> None:
    verdict = decide(facts, POLICY)
    if verdict.effect is Effect.HOLD:
        return
    known = {
        name: data.draw(st.sampled_from([v for v in possible(name) if v is not None]), label=name)
        if getattr(facts, name) is None
        else getattr(facts, name)
        for name in FACT_NAMES
    }
    later = decide(facts_from(known), POLICY)
    assert later.effect is verdict.effect
    assert later.obligations == verdict.obligations


@given(facts_of_every_kind, st.randoms(use_true_random=False))
def test_the_order_of_rules_changes_neither_effect_nor_reasons(
    facts: Facts, chance: random.Random
) -> None:
    rules, grounds = list(POLICY.rules), list(POLICY.grounds)
    chance.shuffle(rules)
    chance.shuffle(grounds)
    verdict = decide(facts, POLICY)
    shuffled = decide(facts, replace(POLICY, rules=rules, grounds=grounds))
    assert shuffled.effect is verdict.effect
    assert shuffled.obligations == verdict.obligations
    assert set(shuffled.reasons) == set(verdict.reasons)
    assert set(shuffled.grounds) == set(verdict.grounds)


@given(partly_known(most=2))
@example(GOOD_FACTS)
def test_a_permit_for_an_explicit_purpose_rests_on_the_patients_whole_consent(
    facts: Facts,
) -> None:
    verdict = decide(facts, POLICY)
    if facts.purpose_class is not PurposeClass.EXPLICIT or verdict.effect is not Effect.PERMIT:
        return
    assert facts.consent is ConsentState.ACTIVE
    assert facts.consent_in_period is True
    assert facts.consent_recipient is True
    assert facts.consent_purpose is True
    assert facts.consent_evidence is True


@given(partly_known(most=2))
@example(GOOD_FACTS)
def test_a_permit_is_for_one_registered_patient_and_a_known_assured_service(
    facts: Facts,
) -> None:
    if decide(facts, POLICY).effect is not Effect.PERMIT:
        return
    assert facts.action is Action.FORWARD
    assert facts.purpose_class in {PurposeClass.DIRECT, PurposeClass.EXPLICIT}
    assert facts.registered is True
    assert facts.deceased is False
    assert facts.recipient_known is True
    assert facts.recipient_assured is True
    assert facts.recipient_role not in {None, ProviderRole.EMPLOYER, ProviderRole.HR}
    assert facts.payload_hash_ok is True


@given(
    facts_of_every_kind,
    st.sampled_from([*SwitchValue, None]),
    st.sampled_from([*AgreementKind, None]),
)
def test_the_secondary_switch_never_changes_direct_or_explicit_outcomes(
    facts: Facts, switch: SwitchValue | None, kind: AgreementKind | None
) -> None:
    assume(facts.purpose_class in {PurposeClass.DIRECT, PurposeClass.EXPLICIT})
    switched = replace(facts, sw_secondary=switch, agreement_kind=kind)
    assert decide(switched, POLICY) == decide(facts, POLICY)


@given(facts_of_every_kind)
def test_a_permit_is_logged_and_anything_else_has_a_reason_and_a_hold_an_owner(
    facts: Facts,
) -> None:
    verdict = decide(facts, POLICY)
    if verdict.effect is Effect.PERMIT:
        assert "LOG_DISCLOSURE" in verdict.obligations
        assert (verdict.reasons, verdict.primary) == ((), None)
        assert verdict.primary_rule in verdict.grounds
        return
    assert verdict.primary is not None
    assert verdict.primary.effect is verdict.effect
    assert (verdict.primary_rule, verdict.code) == (verdict.primary.rule, verdict.primary.code)
    if verdict.effect is Effect.HOLD:
        assert verdict.primary.owner
        assert verdict.obligations == ("TASK",)


# The same of Consents as they are sent.

references = st.sampled_from(["urn:uuid:provider", "urn:uuid:stranger", "Group/teams"])
actors = st.lists(st.builds(an_actor, references), max_size=2)
purposes = st.lists(
    st.builds(our_purpose, st.sampled_from([Purpose.OCCUPATIONAL_HEALTH, Purpose.EAP])),
    max_size=2,
)
denials = st.builds(a_denial, actor=actors, purpose=purposes)
periods = st.sampled_from([{}, {"end": "2025"}, {"start": "2026-10-14"}, {"end": "2026-02-30"}])
provisions = st.builds(
    a_provision,
    actor=actors,
    purpose=purposes,
    period=periods,
    provision=st.lists(denials, max_size=1),
)
signers = st.sampled_from([[], [{"reference": "urn:uuid:patient"}], [{"reference": "urn:x:y"}]])
consents = st.builds(
    a_consent,
    status=st.sampled_from(["active", "active", "inactive", "rejected", "proposed"]),
    provision=provisions,
    performer=signers,
)
REFUSALS = (
    a_consent(status="rejected"),
    a_consent(status="inactive"),
    a_consent(implicitRules="https://example.org/rules"),
    with_denial(actor=[an_actor()]),
    with_denial(purpose=[our_purpose()]),
)
some_consents = st.lists(st.one_of(st.just(a_consent()), consents), max_size=3)


@given(some_consents, st.randoms(use_true_random=False))
def test_the_order_of_consents_changes_no_decision(
    sent: list[JsonObject], chance: random.Random
) -> None:
    shuffled = chance.sample(sent, len(sent))
    assert decided(*shuffled).effect is decided(*sent).effect


@given(some_consents, st.sampled_from(REFUSALS))
def test_nothing_is_permitted_beside_a_refusal_or_what_is_not_understood(
    sent: list[JsonObject], refusal: JsonObject
) -> None:
    assert decided(*sent, refusal).effect is not Effect.PERMIT


@given(some_consents)
def test_a_permit_rests_on_one_active_consent_that_covers_alone(
    sent: list[JsonObject],
) -> None:
    if decided(*sent).effect is Effect.PERMIT:
        assert any(decided(consent).effect is Effect.PERMIT for consent in sent)
        assert read(*sent).state is ConsentState.ACTIVE
