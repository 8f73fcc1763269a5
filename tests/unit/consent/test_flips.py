"""The smallest changes that would turn an answer, each held against deciding again."""

import random
from dataclasses import replace
from functools import cache
from itertools import combinations

import pytest

from gateway.consent.condition import facts_of, read_condition
from gateway.consent.decide import ANY_ACTION, Effect, Ground, Policy, Verdict, decide
from gateway.consent.directives import ConsentState
from gateway.consent.facts import VOCABULARY, Action, Facts
from gateway.consent.flips import Flip, Flips, find_flips
from gateway.consent.rules import GROUNDS, POLICY, RULES
from gateway.consent.steps import (
    ENDS,
    FIXED,
    MENDS,
    NEVER_FOUND_OUT,
    Step,
    StepRow,
    Value,
    findings_from,
    read_steps,
    spell,
    steps_from,
)
from tests.builders.consent import FACT_NAMES, facts_from, possible
from tests.properties.cases import CASES

ORDER = list(Effect)
EVERY_FACT = frozenset(VOCABULARY)


def flips_of(**changes: object) -> Flips:
    return find_flips(facts_from(changes), POLICY)


def moved(flip: Flip) -> list[list[tuple[str, object]]]:
    return [[(c.fact, c.after) for c in step.changes] for step in flip.steps]


def after(facts: Facts, *steps: Step) -> Facts:
    changes = {change.fact: change.after for step in steps for change in step.changes}
    return replace(facts, **changes)  # type: ignore[arg-type]  # what a flip says, whatever it is


@cache
def near(case: str) -> list[tuple[Facts, Flips]]:
    """A case, and some of what differs from it in one fact, in two, and in six."""
    chance = random.Random(case)  # noqa: S311  # no secret
    every = [facts_from(CASES[case])]
    for far in (1, 2, 6):
        changed = {fact: chance.choice(possible(fact)) for fact in chance.sample(FACT_NAMES, far)}
        every.append(facts_from({**CASES[case], **changed}))
    return [(facts, find_flips(facts, POLICY, limit=40)) for facts in every]


# What a person would be told.


def test_a_patient_never_asked_may_give_one_consent_that_says_all() -> None:
    flips = flips_of(consent="none", consent_recipient=None, consent_purpose=None)
    assert [moved(flip) for flip in flips.found] == [
        [[("consent", "active"), ("consent_recipient", True), ("consent_purpose", True)]]
    ]
    assert flips.found[0].steps[0].who == "patient"
    assert (flips.found[0].effect, flips.found[0].primary_rule, flips.found[0].code) == (
        Effect.PERMIT,
        "G2",
        "PERMITTED",
    )


def test_two_things_in_the_way_need_two_steps() -> None:
    flips = flips_of(agreement="none", consent="withdrawn")
    assert [moved(flip) for flip in flips.found] == [
        [[("consent", "active")], [("agreement", "active")]]
    ]


def test_several_ways_stand_in_the_order_of_their_table() -> None:
    flips = flips_of(action="extract", purpose="research", ndoo=True, s251=True)
    assert [moved(flip) for flip in flips.found] == [
        [[("specific_consent", True)]],
        [[("anonymised", True)]],
        [[("ndoo", False)]],
    ]


def test_fewer_steps_stand_first() -> None:
    flips = flips_of(action="extract", purpose="research", type1=True, ndoo=True)
    assert moved(flips.found[0]) == [[("anonymised", True)]]
    assert [len(flip.steps) for flip in flips.found] == [1, 2, 3]


def test_at_most_so_many_are_given_as_were_asked_for() -> None:
    facts = facts_from({"action": "extract", "purpose": "research", "ndoo": True, "s251": True})
    assert find_flips(facts, POLICY, limit=2).found == find_flips(facts, POLICY).found[:2]
    assert len(find_flips(facts_from({}), POLICY, limit=3).found) == 3


def test_a_frozen_practice_lifts_its_freeze_before_it_signs() -> None:
    flips = flips_of(agreement="none", sw_freeze="on")
    assert ["freeze" in flip.steps[0].how for flip in flips.found] == [True]


def test_labelled_parts_are_agreed_to_beside_those_agreed_before() -> None:
    flips = flips_of(labels=["PSY", "SEX"], consent_labels=["SEX", "HIV"], reason_hit=True)
    assert moved(flips.found[0]) == [[("consent_labels", ("SEX", "HIV", "PSY"))]]


def test_the_days_of_the_act_pass() -> None:
    flips = flips_of(
        action="release_report",
        purpose="employment-report",
        recipient_role="employer",
        report="amra",
        sight="pending",
        sight_days=3,
    )
    assert [[("sight_days", 21)]] in [moved(flip) for flip in flips.found]


def test_what_is_not_known_may_turn_out_well() -> None:
    flips = flips_of(deceased=None)
    assert [moved(flip) for flip in flips.found] == [[[("deceased", False)]]]
    assert flips.found[0].steps[0].changes[0].before is None


def test_labels_that_nobody_knows_may_turn_out_to_be_none() -> None:
    flips = flips_of(labels=None, reason_hit=True)
    assert [[("labels", ())]] in [moved(flip) for flip in flips.found]


def test_an_unknown_of_the_directory_is_the_operators_to_find_out() -> None:
    flips = flips_of(recipient_role=None, report="clinical")
    assert {step.who for flip in flips.found for step in flip.steps} == {"operator", "practice"}


def test_a_ground_that_is_unknown_is_mended() -> None:
    flips = flips_of(action="activate_agreement", purpose="practice-admin", dpia=None)
    assert [moved(flip) for flip in flips.found] == [[[("dpia", True)]]]


# What stands against it.


def test_what_nobody_can_change_is_named_and_not_proposed() -> None:
    flips = flips_of(deceased=True, agreement="none")
    assert (flips.found, flips.best) == ((), Effect.DENY)
    assert [(fixed.fact, fixed.value) for fixed in flips.hangs_on] == [("deceased", True)]
    assert flips.hangs_on[0].why == FIXED["deceased"]


def test_where_nothing_permits_what_holds_is_said() -> None:
    flips = flips_of(s_flag=True, consent="none")
    assert [(moved(flip), flip.effect) for flip in flips.found] == [
        ([[("consent", "active")]], Effect.HOLD)
    ]
    assert [fixed.fact for fixed in flips.hangs_on] == ["s_flag"]
    assert flips.best is Effect.HOLD


def test_the_question_itself_is_not_named_where_a_fact_of_the_person_stands_against_it() -> None:
    flips = flips_of(purpose="work-health", absence_ok=False)
    assert [fixed.fact for fixed in flips.hangs_on] == ["employed", "absence_ok", "prior_12m"]


def test_where_no_ground_could_ever_hold_the_question_is_named() -> None:
    flips = flips_of(action="extract", purpose="direct-care")
    assert [fixed.fact for fixed in flips.hangs_on] == ["action", "purpose"]


def test_an_unknown_question_is_not_guessed() -> None:
    assert find_flips(facts_from({"action": None, "purpose": None}), POLICY).found == ()


def test_a_search_that_runs_out_says_so() -> None:
    facts = facts_from({"agreement": "none", "consent": "none", "deceased": None})
    cut = find_flips(facts, POLICY, most=2)
    assert (cut.found, cut.is_complete) == ((), False)
    assert find_flips(facts, POLICY).is_complete


# What ends a permit.


def test_each_single_step_that_ends_a_permit_is_given() -> None:
    flips = find_flips(facts_from({}), POLICY, limit=100)
    assert [(flip.effect, flip.code) for flip in flips.found][:2] == [
        (Effect.DENY, "CONSENT_WITHDRAWN"),
        (Effect.DENY, "PATIENT_DISSENT"),
    ]
    assert {len(flip.steps) for flip in flips.found} == {1}
    assert (flips.hangs_on, flips.is_complete, flips.best) == ((), True, Effect.PERMIT)


def test_the_same_facts_have_the_same_flips() -> None:
    facts = facts_from({"agreement": None, "consent": None, "labels": None})
    assert find_flips(facts, POLICY) == find_flips(facts, POLICY)


# Properties, near each case.


@pytest.mark.parametrize("case", CASES)
def test_every_flip_is_what_deciding_again_says_and_none_is_larger_than_it_must_be(
    case: str,
) -> None:
    for facts, flips in near(case):
        now = decide(facts, POLICY)
        assert flips.effect is now.effect
        for flip in flips.found:
            then = decide(after(facts, *flip.steps), POLICY)
            told = (flip.effect, flip.primary_rule, flip.code)
            assert (then.effect, then.primary_rule, then.code) == told
            for some in combinations(flip.steps, len(flip.steps) - 1):
                assert is_short(decide(after(facts, *some), POLICY), now, then)


def is_short(verdict: Verdict, now: Verdict, then: Verdict) -> bool:
    """Whether an answer after fewer steps falls short of what all of them come to."""
    if now.effect is Effect.PERMIT:
        return verdict.effect is Effect.PERMIT is not then.effect
    return ORDER.index(verdict.effect) > ORDER.index(then.effect)


@pytest.mark.parametrize("case", CASES)
def test_nothing_that_is_known_and_fixed_is_ever_moved(case: str) -> None:
    for facts, flips in near(case):
        changes = [c for flip in flips.found for step in flip.steps for c in step.changes]
        assert not {c.fact for c in changes if c.before is not None} & set(FIXED)
        assert not {c.fact for c in changes} & NEVER_FOUND_OUT
        assert all(c.before == getattr(facts, c.fact) != c.after for c in changes)


@pytest.mark.parametrize("case", CASES)
def test_an_answer_that_no_step_permits_says_what_it_hangs_on(case: str) -> None:
    for facts, flips in near(case):
        assert flips.is_complete
        assert bool(flips.hangs_on) is not (flips.best is Effect.PERMIT)
        assert all(fixed.value == getattr(facts, fixed.fact) for fixed in flips.hangs_on)


@pytest.mark.parametrize("case", CASES)
def test_no_way_of_one_step_or_two_is_missed(case: str) -> None:
    """Against trying every pair of steps."""
    facts = facts_from({**CASES[case], "fresh": False, "sc_capacity": False, "dpia": False})
    flips = find_flips(facts, POLICY, limit=1000)
    steps = (*steps_from(MENDS, facts, EVERY_FACT), *findings_from(facts))
    told = [effect_of(flip) for flip in flips.found]
    assert flips.effect is not Effect.PERMIT
    for some in [*combinations(steps, 1), *combinations(steps, 2)]:
        if not contradict(some) and decide(after(facts, *some), POLICY).effect is Effect.PERMIT:
            now = {(c.fact, c.after) for step in some for c in step.changes}
            assert any(items <= now for items in told), [step.how for step in some]


def effect_of(flip: Flip) -> set[tuple[str, object]]:
    return {(c.fact, c.after) for step in flip.steps for c in step.changes}


def contradict(steps: tuple[Step, ...]) -> bool:
    items = {(c.fact, c.after) for step in steps for c in step.changes}
    return len(items) > len({fact for fact, _ in items})


# The tables of steps.


def test_every_fact_that_a_rule_or_ground_reads_can_be_moved_or_is_fixed() -> None:
    conditions = [rule.condition for rule in RULES] + [ground.condition for ground in GROUNDS]
    read = {name for condition in conditions for name in facts_of(condition)}
    moved_by_steps = {name for row in MENDS for name in facts_of(row.becomes)} - {"labels"}
    assert read | {"action"} == moved_by_steps | set(FIXED)
    assert not moved_by_steps & set(FIXED)


@cache
def told_somewhere() -> set[str]:
    """What any flip says of the cases, of what stands by them, and of some situations."""
    every = [flips for case in CASES for _, flips in near(case)]
    every += [find_flips(facts_from(each), POLICY, limit=40) for each in SITUATIONS]
    return {step.how for flips in every for flip in flips.found for step in flip.steps}


REPORT: dict[str, object] = {
    "action": "release_report",
    "recipient_role": "employer",
    "report": "amra",
}
SHARED_CARE: dict[str, object] = {"action": "accept_shared_care", "purpose": "practice-admin"}
SITUATIONS: list[dict[str, object]] = [
    {"agreement": "none", "sw_freeze": "on"},
    {"agreement_covers": False},
    {"reason_hit": True, "sealed": True},
    {"third_party": True},
    {"consent_evidence": False},
    {"action": "extract", "purpose": "research", "specific_consent": True},
    {"action": "extract", "purpose": "research", "s251": True},
    REPORT | {"sight": "pending"},
    REPORT | {"sight": "declined"},
    SHARED_CARE | {"sc_formal": False, "sc_resourced": False, "sc_support": False},
    SHARED_CARE | {"sc_resourced": False},
    SHARED_CARE | {"sc_support": False},
]


@pytest.mark.parametrize("row", [*MENDS, *ENDS], ids=lambda row: row.how)
def test_each_step_leads_somewhere(row: StepRow) -> None:
    assert row.how in told_somewhere()


@pytest.mark.parametrize(
    "becomes",
    ["consent in active, none", "dpia OR fresh", "some labels not in consent_labels", "class = ?"],
)
def test_a_step_that_leaves_open_what_it_does_is_refused(becomes: str) -> None:
    with pytest.raises(ValueError, match="in one way"):
        read_steps(f"always | {becomes} | practice | Somehow.")


# Any policy.


def a_policy(ground: str, **changes: object) -> Policy:
    grounds = (Ground(id="G9", actions=ANY_ACTION, condition=read_condition(ground)),)
    return replace(POLICY, rules=(), grounds=grounds, **changes)  # type: ignore[arg-type]  # by name


def test_a_missing_ground_is_sought_in_any_policy() -> None:
    facts = replace(facts_from({}), dpia=False, funded=False)
    found = find_flips(facts, a_policy("dpia OR (funded AND sealed)")).found
    assert [moved(flip) for flip in found] == [[[("dpia", True)]]]


def test_steps_that_contradict_each_other_are_not_taken_together() -> None:
    facts = replace(facts_from({}), consent=ConsentState.NONE, authority="none")
    assert find_flips(facts, a_policy("authority = proxy AND consent = active")).found == ()


def test_nothing_is_tried_for_a_fact_that_has_no_step() -> None:
    facts = replace(facts_from({}), minimum=None, sight_days=None, action=Action.FORWARD)
    flips = find_flips(facts, a_policy("minimum AND sight_days >= 5"))
    assert flips.found == ()


@pytest.mark.parametrize(
    ("value", "spelt"),
    [
        (None, "unknown"),
        (True, "true"),
        (False, "false"),
        (21, "21"),
        ("active", "active"),
        ((), "none"),
        (("HIV", "PSY"), "HIV, PSY"),
    ],
)
def test_a_value_is_spelt_for_a_person(value: Value, spelt: str) -> None:
    assert spell(value) == spelt
