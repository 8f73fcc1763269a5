"""What holds of every decision. Source: the reference's invariants 1 to 8.

Hypothesis looks anywhere; the same properties are then held against each case and, in the
soak, against all that lies one change from a case.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from gateway.consent.decide import Effect, Verdict, decide
from gateway.consent.directives import ConsentState
from gateway.consent.facts import Action, Facts, PurposeClass
from gateway.consent.rules import POLICY
from gateway.referral.directory import Purpose
from gateway.referral.json import JsonObject
from tests.builders.consent import (
    FACT_NAMES,
    GOOD_FACTS,
    SOME_LABELS,
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
from tests.properties.cases import CASES, neighbours

SEVERITY = {Effect.PERMIT: 0, Effect.HOLD: 1, Effect.DENY: 2}
FALSE = (
    "registered recipient_known recipient_assured recipient_accepting agreement_covers"
    " consent_recipient consent_purpose consent_in_period consent_evidence freetext_ok fresh"
    " payload_hash_ok dpia sc_formal sc_resourced sc_support sc_capacity funded employed"
    " absence_ok legal_authorised s251"
).split()
TRUE = (
    "deceased s_flag type1 ndoo sealed legal_restricted third_party reason_hit prior_12m"
    " payload_from_record practice_is_employer honours_type1"
).split()
RESTRICTIONS: list[tuple[str, object]] = [
    *((name, False) for name in FALSE),
    *((name, True) for name in TRUE),
    *(("agreement", value) for value in ("none", "suspended", "withdrawn", "expired")),
    *(("consent", value) for value in ("withdrawn", "rejected", "none")),
    *(("recipient_role", value) for value in ("employer", "hr")),
    ("sw_secondary", "off"),
    ("sw_update_record", "off"),
    ("sw_send_document", "off"),
    ("sw_freeze", "on"),
    ("dissent", "after-consent"),
    ("sight", "objects"),
    ("authority", "none"),
    ("labels", SOME_LABELS),
    ("consent_labels", ()),
]
OPT_OUTS = {"type1": True, "ndoo": True, "sw_secondary": "off", "agreement_kind": None}
LOGS = {"LOG_DISCLOSURE", "LOG_WRITE", "LOG_ACCESS", "LOG_AGREEMENT"}
SENT_ON_CONSENT = {Action.FORWARD, Action.RELEASE_REPORT}


@st.composite
def partly_known(draw: st.DrawFn, most: int = 4) -> Facts:
    """A case with a few facts changed: nearer to a permit than any facts at all."""
    few = draw(st.lists(st.sampled_from(FACT_NAMES), max_size=most, unique=True))
    case = draw(st.sampled_from(list(CASES.values())))
    return facts_from({**case, **{name: draw(st.sampled_from(possible(name))) for name in few}})


@st.composite
def partly_unknown(draw: st.DrawFn) -> Facts:
    """A case with a few of its facts missing."""
    few = draw(st.lists(st.sampled_from(FACT_NAMES), max_size=3, unique=True))
    return facts_from({**draw(st.sampled_from(list(CASES.values()))), **dict.fromkeys(few)})


facts_of_every_kind = st.one_of(partly_known(), partly_unknown(), any_facts())


# Each property is a function, so that it can be held against chosen facts too.


def restriction_is_monotone(facts: Facts, restriction: tuple[str, object]) -> None:
    """More restricted is no less restrictive.

    The reference's combining lets any unknown excuse the want of a ground, so a restriction
    that makes an unknown matter may turn R00's refusal into a hold. Neither lets data go.
    To learn which labels there are is no restriction: they may be labels that are agreed to.
    """
    name, _ = restriction
    if name in {"labels", "consent_labels"} and getattr(facts, name) is None:
        return
    before, after = decide(facts, POLICY), decide(changed(facts, restriction), POLICY)
    if (before.primary_rule, after.primary_rule) == ("R00", "R01"):
        return
    assert SEVERITY[after.effect] >= SEVERITY[before.effect], restriction


def opt_outs_do_not_touch_care_or_consent(facts: Facts) -> None:
    if facts.purpose_class in {PurposeClass.DIRECT, PurposeClass.EXPLICIT}:
        out = replace(facts, **OPT_OUTS)  # type: ignore[arg-type]  # four facts of three kinds
        assert without_provenance(decide(out, POLICY)) == without_provenance(decide(facts, POLICY))


def a_permit_on_consent_rests_on_all_of_it(facts: Facts, verdict: Verdict) -> None:
    if (
        verdict.effect is Effect.PERMIT
        and facts.purpose_class is PurposeClass.EXPLICIT
        and facts.action in SENT_ON_CONSENT
    ):
        assert facts.consent == ConsentState.ACTIVE
        assert facts.consent_in_period is True
        assert facts.consent_recipient is True
        assert facts.consent_purpose is True
        assert facts.consent_evidence is True
        assert facts.dissent == "none"
        assert facts.authority not in {"none", None}


def employers_receive_reports_only(facts: Facts, verdict: Verdict) -> None:
    if verdict.effect is Effect.PERMIT and facts.action in SENT_ON_CONSENT:
        is_another = facts.recipient_role not in {"employer", "hr", None}
        assert is_another or facts.report in {"functional", "amra"}


def a_permit_is_logged_and_all_else_explained(verdict: Verdict) -> None:
    if verdict.effect is Effect.PERMIT:
        assert LOGS.intersection(verdict.obligations)
        assert (verdict.reasons, verdict.primary) == ((), None)
        assert verdict.primary_rule == verdict.grounds[0]
        return
    assert verdict.primary is not None
    assert verdict.primary.effect is verdict.effect
    assert verdict.primary_rule == verdict.primary.rule
    assert verdict.code == next(r.code for r in verdict.reasons if r.effect is verdict.effect)
    assert ("TASK" in verdict.obligations) == (verdict.effect is Effect.HOLD)
    assert ("NOTIFY_REFERRER" in verdict.obligations) == (verdict.effect is Effect.DENY)
    assert all(reason.owner for reason in verdict.reasons)


def a_permit_discloses_what_was_decided_on(facts: Facts, verdict: Verdict) -> None:
    if verdict.effect is Effect.PERMIT and facts.action in {Action.FORWARD, Action.EXTRACT}:
        assert facts.payload_hash_ok is True
        assert facts.fresh is True
        assert facts.s_flag is False
        assert facts.recipient_known is True
        assert facts.recipient_assured is True


def a_label_adds_duties_and_an_agreed_one_restricts_nothing(facts: Facts, label: str) -> None:
    if facts.labels is None:
        return
    before = decide(facts, POLICY)
    after = decide(replace(facts, labels=(*facts.labels, label)), POLICY)
    if after.effect is before.effect:
        assert set(before.obligations) <= set(after.obligations)
    if facts.consent_labels is not None and label in facts.consent_labels:
        assert after.effect is before.effect
        assert after.obligations == before.obligations


def hold_all(facts: Facts) -> None:
    """Hold every property that needs no second party against some facts."""
    verdict = decide(facts, POLICY)
    opt_outs_do_not_touch_care_or_consent(facts)
    a_permit_on_consent_rests_on_all_of_it(facts, verdict)
    employers_receive_reports_only(facts, verdict)
    a_permit_is_logged_and_all_else_explained(verdict)
    a_permit_discloses_what_was_decided_on(facts, verdict)
    for label in SOME_LABELS:
        a_label_adds_duties_and_an_agreed_one_restricts_nothing(facts, label)


def changed(facts: Facts, change: tuple[str, object]) -> Facts:
    name, value = change
    return replace(facts, **{name: value})  # type: ignore[arg-type]  # a name and its value


def without_provenance(verdict: Verdict) -> Verdict:
    """A verdict but for what its reasons looked at, which includes what cannot matter."""
    return replace(verdict, reasons=tuple(replace(r, facts_used=()) for r in verdict.reasons))


@given(facts_of_every_kind, st.sampled_from(RESTRICTIONS))
@example(
    replace(GOOD_FACTS, action=Action.EXTRACT), ("consent_recipient", False)
)  # a consent rule once explained a missing ground to an extract
@example(replace(GOOD_FACTS, consent=ConsentState.WITHDRAWN), ("fresh", False))
@example(replace(GOOD_FACTS, purpose="practice-admin", labels=None), ("reason_hit", True))
def test_a_restriction_never_makes_a_decision_less_restrictive(
    facts: Facts, restriction: tuple[str, object]
) -> None:
    restriction_is_monotone(facts, restriction)


@given(st.one_of(partly_unknown(), facts_of_every_kind), st.data())
def test_a_decision_that_did_not_wait_for_a_fact_is_the_same_when_it_comes(
    facts: Facts, data: st.DataObject
) -> None:
    verdict = decide(facts, POLICY)
    if verdict.effect is Effect.HOLD:
        return
    unknown = [name for name in FACT_NAMES if getattr(facts, name) is None]
    values = {n: data.draw(st.sampled_from(possible(n)[:-1]), label=n) for n in unknown}
    later = decide(replace(facts, **values), POLICY)  # type: ignore[arg-type]  # as drawn
    assert later.effect is verdict.effect
    # To notify the practice itself needs certainty; any other duty was owed already.
    assert set(later.obligations) - {"NOTIFY_PRACTICE", "FALLBACK_SEND_DOCUMENT"} <= set(
        verdict.obligations
    )


@given(facts_of_every_kind, st.randoms(use_true_random=False))
def test_the_order_of_rules_changes_neither_effect_nor_reasons(
    facts: Facts, chance: random.Random
) -> None:
    rules, grounds, duties = list(POLICY.rules), list(POLICY.grounds), list(POLICY.duties)
    for rows in (rules, grounds, duties):
        chance.shuffle(rows)
    verdict = decide(facts, POLICY)
    shuffled = decide(facts, replace(POLICY, rules=rules, grounds=grounds, duties=duties))
    assert shuffled.effect is verdict.effect
    assert shuffled.obligations == verdict.obligations
    assert {r.code for r in shuffled.reasons} == {r.code for r in verdict.reasons}
    assert set(shuffled.grounds) == set(verdict.grounds)


@given(facts_of_every_kind)
def test_every_property_holds_of_any_facts(facts: Facts) -> None:
    hold_all(facts)


@given(facts_of_every_kind, st.sampled_from(SOME_LABELS))
def test_adding_a_label_never_removes_an_obligation(facts: Facts, label: str) -> None:
    assume(facts.labels is not None)
    agreed = replace(facts, consent_labels=(*(facts.consent_labels or ()), label))
    a_label_adds_duties_and_an_agreed_one_restricts_nothing(agreed, label)
    a_label_adds_duties_and_an_agreed_one_restricts_nothing(facts, label)


@pytest.mark.parametrize("case", CASES)
def test_every_property_holds_of_a_case(case: str) -> None:
    facts = facts_from(CASES[case])
    hold_all(facts)
    for restriction in RESTRICTIONS:
        restriction_is_monotone(facts, restriction)


@pytest.mark.soak
def test_every_property_holds_of_all_that_lies_one_change_from_a_case(
    soak_time: timedelta,
) -> None:
    chance = random.Random()  # noqa: S311  # no secret
    last, names = time.monotonic() + soak_time.total_seconds(), sorted(CASES)
    while time.monotonic() < last:
        facts = chance.choice(list(around(chance.choice(names))))
        hold_all(facts)
        for restriction in RESTRICTIONS:
            restriction_is_monotone(facts, restriction)


def around(case: str) -> Iterator[Facts]:
    return (facts_from(given) for given in neighbours(CASES[case]))


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
