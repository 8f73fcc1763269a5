"""The table of rules against a table of cases, and against what it owes its readers."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateway.consent import table
from gateway.consent.condition import read_condition
from gateway.consent.decide import Effect, Rule, SpineCode, decide
from gateway.consent.facts import VOCABULARY, Action
from gateway.consent.rules import DUTIES, GROUNDS, POLICY, RULES, handling_labels
from gateway.consent.words import NOT_FOUND, WORDS
from gateway.referral.directory import Purpose
from tests.builders.consent import GOOD_FACTS, facts_from
from tests.properties.cases import ROWS

ALL_RULES = (*RULES, POLICY.no_ground, POLICY.unknown)


@pytest.mark.parametrize("case", ROWS, ids=lambda case: case["name"])
def test_the_table_decides_each_case_as_its_row_says(case: Mapping[str, Any]) -> None:
    verdict = decide(facts_from(case["facts"]), POLICY)
    assert (verdict.effect, verdict.primary_rule, verdict.code, list(verdict.obligations)) == (
        case["effect"],
        case["rule"],
        case["code"],
        case["obligations"],
    )
    assert {reason.rule for reason in verdict.reasons}.issuperset(case.get("also", ()))


def test_every_rule_ground_and_obligation_decides_some_case() -> None:
    rows = {rule.id for rule in ALL_RULES} | {ground.id for ground in GROUNDS}
    assert {case["rule"] for case in ROWS} == rows
    owed = {duty for case in ROWS for duty in case["obligations"]}
    assert owed == {duty.code for duty in DUTIES}


def test_no_two_rows_share_an_id_or_a_code() -> None:
    assert len({r.id for r in ALL_RULES} | {g.id for g in GROUNDS}) == len(ALL_RULES) + len(GROUNDS)
    assert len({r.code for r in ALL_RULES}) == len(ALL_RULES)


@pytest.mark.parametrize("row", [*RULES, *GROUNDS, *DUTIES], ids=lambda row: str(row)[:24])
def test_a_condition_reads_as_it_is_written(row: Rule) -> None:
    assert read_condition(str(row.condition)) == row.condition


def test_every_fact_is_read_by_some_row() -> None:
    words = set(re.findall(r"[a-z0-9_]+", table.RULES + table.GROUNDS + table.OBLIGATIONS))
    assert set(VOCABULARY) - words == {"action"}


def test_what_the_combining_adds_stands_in_no_row() -> None:
    assert not {rule.id for rule in RULES} & {POLICY.no_ground.id, POLICY.unknown.id}
    assert POLICY.no_ground.effect is Effect.DENY
    assert POLICY.unknown.effect is Effect.HOLD


def test_the_rules_that_explain_a_missing_ground_hold() -> None:
    explaining = [r for r in ALL_RULES if r.id in POLICY.explains_missing_ground]
    assert len(explaining) == len(POLICY.explains_missing_ground)
    assert {r.effect for r in explaining} == {Effect.HOLD}


@pytest.mark.parametrize(
    ("rule", "spine_code"),
    [
        ("R10", SpineCode.ACCESS_DENIED),
        ("R20", SpineCode.NO_ORGANISATION_CONSENT),
        ("R25", SpineCode.NO_ORGANISATION_CONSENT),
        ("R26", SpineCode.ACCESS_DENIED),
        ("R30", SpineCode.NO_PATIENT_CONSENT),
        ("R36b", SpineCode.NO_PATIENT_CONSENT),
        ("R37", SpineCode.ACCESS_DENIED),
    ],
)
def test_a_gp_system_reads_who_refused(rule: str, spine_code: SpineCode) -> None:
    assert next(r for r in RULES if r.id == rule).spine_code is spine_code


@pytest.mark.parametrize("purpose", [*Purpose, "marketing"])
def test_the_labels_that_travel_are_obligations_of_the_permit(purpose: str) -> None:
    permitted = POLICY.obligations(Effect.PERMIT, replace(GOOD_FACTS, purpose=purpose))
    travelling = {"NORDSCLCD", "NOREUSE"}.intersection(permitted)
    assert handling_labels(purpose) == tuple(sorted(travelling))


# What each rule says to whom.


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda r: r.id)
def test_a_rule_tells_each_reader_something_and_names_an_owner(rule: Rule) -> None:
    words = rule.words
    assert rule.effect is not Effect.PERMIT
    assert all((words.staff, words.patient, words.external, words.remedy))
    assert words.owner in {"practice", "operator"}


def test_nobody_has_words_for_a_rule_that_is_none() -> None:
    assert set(WORDS) == {rule.id for rule in ALL_RULES}


def grade(text: str) -> float:
    """The Flesch-Kincaid grade: about five less than the age of who can read it."""
    sentences = len(re.findall(r"[.!?]", text))
    words = re.findall(r"[a-z']+", text.lower())
    syllables = sum(count_syllables(word) for word in words)
    return 0.39 * len(words) / sentences + 11.8 * syllables / len(words) - 15.59


def count_syllables(word: str) -> int:
    silent = re.sub(r"(?<=[^aeiouyl])e$|(?<=[^aeiouytd])ed$|(?<=[^aeiouyscxz])es$", "", word)
    return max(1, len(re.findall(r"[aeiouy]+", silent)))


@pytest.mark.parametrize(
    ("word", "count"), [("agreed", 2), ("share", 1), ("asked", 1), ("details", 2)]
)
def test_syllables_are_counted_near_enough(word: str, count: int) -> None:
    assert count_syllables(word) == count


def test_a_hard_text_has_a_high_grade() -> None:
    assert grade("The identifiable disclosure necessitates authorisation beforehand.") > 12


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda r: r.id)
def test_a_patient_of_about_eleven_can_read_the_patient_text(rule: Rule) -> None:
    assert grade(rule.words.patient) <= 6.5, rule.words.patient


# What outsiders may learn.

PROTECTED = [
    {"s_flag": True},
    {"s_flag": True, "consent": "withdrawn"},
    {"s_flag": True, "agreement": "none", "recipient_assured": False},
    {"s_flag": None, "consent": "proposed"},
]


@pytest.mark.parametrize("facts", PROTECTED, ids=str)
def test_outsiders_are_told_one_thing_of_a_protected_patient(facts: Mapping[str, object]) -> None:
    verdict = decide(facts_from(facts), POLICY)
    assert verdict.effect is not Effect.PERMIT
    assert {reason.external_text for reason in verdict.reasons} == {NOT_FOUND}
    assert "EXTERNAL_REASON_NOT_FOUND" in verdict.obligations


def test_outsiders_do_not_learn_what_would_be_cut() -> None:
    told = decide(facts_from({"legal_restricted": True, "reason_hit": True}), POLICY).primary
    assert told is not None
    assert told.external_text == WORDS["R61"].external
    assert told.external_text != told.staff_text


# What a reason rests on.


def test_a_reason_names_the_facts_of_its_condition() -> None:
    reason = decide(facts_from({"consent_purpose": False}), POLICY).primary
    assert reason is not None
    used = {fact.name: fact.value for fact in reason.facts_used}
    assert used == {
        "purpose": "occupational-health",
        "consent": "active",
        "consent_recipient": True,
        "consent_purpose": False,
    }


def test_an_unknown_names_the_action_and_what_was_asked() -> None:
    reason = decide(facts_from({"registered": None}), POLICY).primary
    assert reason is not None
    assert [(f.name, f.value) for f in reason.facts_used] == [
        ("action", Action.FORWARD),
        ("registered", None),
        ("referral_type", "clinical"),
    ]


def test_an_unknown_ground_names_its_facts() -> None:
    verdict = decide(
        facts_from({"action": "activate_agreement", "purpose": "practice-admin", "dpia": None}),
        POLICY,
    )
    ground = verdict.reasons[-1]
    assert ground.code == "FACT_UNKNOWN:ground"
    assert [f.name for f in ground.facts_used] == ["action", "dpia"]


def test_the_want_of_a_ground_names_the_question() -> None:
    reason = decide(facts_from({"purpose": "practice-admin"}), POLICY).primary
    assert reason is not None
    assert [f.name for f in reason.facts_used] == ["action", "purpose"]
