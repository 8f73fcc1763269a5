"""Every row of the table of rules against a table of cases, and the table against its words."""

import itertools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.consent.decide import Effect, Ground, Policy, Rule, decide
from gateway.consent.facts import Action, Facts
from gateway.consent.kleene import both, either, negate
from gateway.consent.rules import GROUNDS, POLICY, RULES, handling_labels, obligations
from gateway.referral.directory import Purpose
from tests.builders.consent import CLOSED_LISTS, FACT_NAMES, GOOD_FACTS, facts_from, possible

ROOT = Path(__file__).parents[3]
OWN_CASES = ROOT / "tests/vectors/consent/first_rules.json"
SHARED_CASES = ROOT.parent / "shared/acceptance/consent_cases.json"

Case = Mapping[str, Any]


def cases(path: Path) -> list[Case]:
    loaded: list[Case] = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return loaded


def named(case: Case) -> str:
    return str(case.get("name") or case["id"])


def fails(case: Case, policy: Policy = POLICY) -> bool:
    """Whether a policy answers a case of our own otherwise than the case says."""
    verdict = decide(facts_from(case["facts"]), policy)
    rules = {reason.rule for reason in verdict.reasons}
    return (
        (verdict.effect, verdict.primary_rule, verdict.code)
        != (case["effect"], case["rule"], case["code"])
        or list(verdict.obligations) != case["obligations"]
        or not rules.issuperset(case.get("also", ()))
    )


@pytest.mark.parametrize("case", cases(OWN_CASES), ids=named)
def test_the_table_decides_each_case_as_its_row_says(case: Case) -> None:
    assert not fails(case)


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.id)
def test_some_case_fails_without_the_rule(rule: Rule) -> None:
    rules = tuple(r for r in RULES if r is not rule)
    assert any(fails(case, replace(POLICY, rules=rules)) for case in cases(OWN_CASES))


@pytest.mark.parametrize("ground", GROUNDS, ids=lambda g: g.id)
def test_some_case_fails_without_the_ground(ground: Ground) -> None:
    grounds = tuple(g for g in GROUNDS if g is not ground)
    assert any(fails(case, replace(POLICY, grounds=grounds)) for case in cases(OWN_CASES))


# The purpose (R06) is never unknown; what R21, R24, R30b and R31 ask, another asks before them.
FIRST_TO_ASK = [r for r in RULES if r.id not in {"R06", "R21", "R24", "R30b", "R31"}]


@pytest.mark.parametrize("rule", FIRST_TO_ASK, ids=lambda r: r.id)
def test_some_case_fails_where_the_rule_takes_an_unknown_for_a_no(rule: Rule) -> None:
    lenient = replace(rule, when=lambda f: rule.when(f) is True)
    rules = tuple(lenient if r is rule else r for r in RULES)
    assert any(fails(case, replace(POLICY, rules=rules)) for case in cases(OWN_CASES))


# The public acceptance cases, where they are at hand.


def shared_cases() -> list[Case]:
    return cases(SHARED_CASES) if SHARED_CASES.exists() else []


def is_within_vocabulary(case: Case) -> bool:
    facts = case["facts"]
    return set(facts) <= set(FACT_NAMES) and facts.get("action", "forward") in set(Action)


def asks_for_a_known_rule(case: Case) -> bool:
    known = {r.id for r in (*RULES, *GROUNDS, POLICY.no_ground, POLICY.unknown)}
    return case["expect"]["primary_rule"] in known


WITHIN = [case for case in shared_cases() if is_within_vocabulary(case)]


@pytest.mark.skipif(not SHARED_CASES.exists(), reason="the acceptance cases are not at hand")
def test_the_acceptance_cases_say_something_about_this_version() -> None:
    assert len([case for case in WITHIN if asks_for_a_known_rule(case)]) > 15


@pytest.mark.parametrize("case", [c for c in WITHIN if asks_for_a_known_rule(c)], ids=named)
def test_an_acceptance_case_of_this_version_comes_out_as_expected(case: Case) -> None:
    verdict = decide(facts_from(case["facts"]), POLICY)
    expected = case["expect"]
    assert (verdict.effect, verdict.primary_rule, verdict.code, list(verdict.obligations)) == (
        expected["effect"],
        expected["primary_rule"],
        expected["code"],
        expected["all_obligations"],
    )


@pytest.mark.parametrize("case", [c for c in WITHIN if not asks_for_a_known_rule(c)], ids=named)
def test_an_acceptance_case_of_a_later_rule_is_not_permitted_meanwhile(case: Case) -> None:
    assert decide(facts_from(case["facts"]), POLICY).effect is not Effect.PERMIT


# Words and code of a condition: a reader for the words, run beside the code.

Question = Callable[[Facts], bool | None]
ROWS: Sequence[Rule | Ground] = (*RULES, *GROUNDS)


@dataclass
class Words:
    """A condition's words, read from left to right: OR of ANDs of terms."""

    left: list[str]

    def next_is(self, *words: str) -> bool:
        return bool(self.left) and self.left[0] in words

    def take(self) -> str:
        return self.left.pop(0)

    def any_of(self) -> Question:
        terms = [self.all_of()]
        while self.next_is("OR"):
            self.take()
            terms.append(self.all_of())
        return lambda f: either(*(term(f) for term in terms))

    def all_of(self) -> Question:
        terms = [self.term()]
        while self.next_is("AND"):
            self.take()
            terms.append(self.term())
        return lambda f: both(*(term(f) for term in terms))

    def term(self) -> Question:
        word = self.take()
        if word == "(":
            inner = self.any_of()
            assert self.take() == ")"
            return inner
        if word == "NOT":
            denied = self.term()
            return lambda f: negate(denied(f))
        if not self.next_is("=", "in"):
            return lambda f: self.truth(f, word)
        self.take()
        options = [self.take()]
        while self.next_is(","):
            self.take()
            options.append(self.take())
        return lambda f: None if fact(f, word) is None else str(fact(f, word)) in options

    @staticmethod
    def truth(f: Facts, name: str) -> bool | None:
        value = fact(f, name)
        assert value is None or isinstance(value, bool)
        return value


def fact(f: Facts, name: str) -> object:
    return f.purpose_class if name == "class" else getattr(f, name)


def in_words(condition: str) -> Question:
    words = Words(re.findall(r"[(),=]|[^\s(),=]+", condition))
    question = words.any_of()
    assert words.left == []
    return question


def everything_asked(condition: str) -> list[Facts]:
    """All combinations of the facts that a condition names."""
    names = {"purpose" if w == "class" else w for w in re.findall(r"[a-z_]+", condition)}
    asked = [name for name in FACT_NAMES if name in names]
    return [
        facts_from(dict(zip(asked, values, strict=True)))
        for values in itertools.product(*(possible(name) for name in asked))
    ]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_words_of_a_condition_say_what_its_code_does(row: Rule | Ground) -> None:
    said = in_words(row.condition)
    differing = [f for f in everything_asked(row.condition) if said(f) is not row.when(f)]
    assert differing == []


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_condition_depends_on_no_fact_that_its_words_leave_out(row: Rule | Ground) -> None:
    words = set(re.findall(r"[a-z_]+", row.condition)) | {"purpose"}
    for name in set(FACT_NAMES) - words:
        for value in possible(name):
            assert row.when(facts_from({name: value})) is row.when(GOOD_FACTS), name


def test_the_words_of_a_condition_name_no_value_that_a_fact_cannot_take() -> None:
    values = {str(member) for members in CLOSED_LISTS.values() for member in members}
    values |= {"direct", "explicit", "secondary", "statutory", "admin", "?", "class", "in"}
    for row in ROWS:
        words = set(re.findall(r"[a-z?][a-z_?-]*", row.condition))
        assert words - values <= set(FACT_NAMES), row.id


# What each row owes its readers.


def test_no_two_rows_share_an_id_or_a_code() -> None:
    rows = (*RULES, POLICY.no_ground, POLICY.unknown)
    assert len({r.id for r in rows} | {g.id for g in GROUNDS}) == len(rows) + len(GROUNDS)
    assert len({r.code for r in rows}) == len(rows)


@pytest.mark.parametrize("rule", [*RULES, POLICY.no_ground, POLICY.unknown], ids=lambda r: r.id)
def test_a_rule_tells_each_reader_something_and_names_an_owner(rule: Rule) -> None:
    assert rule.effect is not Effect.PERMIT
    assert all((rule.staff_text, rule.patient_text, rule.external_text, rule.remedy))
    assert rule.owner in {"practice", "operator"}


def test_the_rules_that_explain_a_missing_ground_hold() -> None:
    rows = (*RULES, POLICY.no_ground, POLICY.unknown)
    explaining = [r for r in rows if r.id in POLICY.explains_missing_ground]
    assert len(explaining) == len(POLICY.explains_missing_ground)
    assert {r.effect for r in explaining} == {Effect.HOLD}


@pytest.mark.parametrize("purpose", [*Purpose, "marketing"])
def test_the_labels_that_travel_are_obligations_of_the_permit(purpose: str) -> None:
    permitted = obligations(Effect.PERMIT, replace(GOOD_FACTS, purpose=purpose))
    travelling = {"NORDSCLCD", "NOREUSE"}.intersection(permitted)
    assert handling_labels(purpose) == tuple(sorted(travelling))


def test_what_no_source_is_asked_for_is_never_evaluated() -> None:
    assert POLICY.no_ground.when(GOOD_FACTS) is None
    assert POLICY.unknown.when(GOOD_FACTS) is None
