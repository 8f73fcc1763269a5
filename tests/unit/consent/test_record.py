"""What is kept of a decision."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest

from gateway.consent.decide import Effect, decide
from gateway.consent.facts import Source
from gateway.consent.record import decided_of, detail_of, facts_of
from gateway.consent.rules import POLICY
from gateway.consent.withhold import TakenOut, Why
from gateway.referral.json import JsonObject
from tests.builders.consent import facts_from
from tests.properties.cases import CASES

AT = datetime(2026, 10, 14, 12, 0, tzinfo=UTC)
SOURCE = Source(name="directory", version=None, as_of=AT, facts=("agreement", "registered"))


def as_text(tree: object) -> str:
    return json.dumps(tree, default=datetime.isoformat, sort_keys=True)


@pytest.mark.parametrize(
    "changes", [{}, {"agreement": "none"}, {"registered": None, "labels": None}]
)
def test_everything_is_kept_by_its_name(changes: dict[str, object]) -> None:
    facts = replace(facts_from(changes), sources=(SOURCE,))
    verdict = decide(facts, POLICY)
    kept = as_text(detail_of(facts, verdict))
    assert kept == as_text({"facts": asdict(facts), "verdict": asdict(verdict)})
    assert "2026-10-14T12:00:00+00:00" in kept


def test_what_stays_behind_is_kept_by_type_and_reason_and_read_past() -> None:
    facts = facts_from({})
    taken_out = [TakenOut(type="Observation", why=Why.SEALED)]
    kept = json.loads(as_text(detail_of(facts, decide(facts, POLICY), taken_out)))
    assert kept["taken_out"] == [{"type": "Observation", "why": Why.SEALED}]
    assert facts_of(kept) == facts


def kept_of(*sources: Source, **changes: object) -> JsonObject:
    facts = replace(facts_from(changes), sources=sources)
    tree: JsonObject = json.loads(as_text(detail_of(facts, decide(facts, POLICY))))
    return tree


UNDATED = Source(name="agreements", version="agr-1", as_of=None, facts=("agreement",))


@pytest.mark.parametrize("case", CASES)
def test_facts_are_read_back_as_they_were_kept(case: str) -> None:
    facts = replace(facts_from(CASES[case]), sources=(SOURCE, UNDATED))
    verdict = decide(facts, POLICY)
    read = decided_of(json.loads(as_text(detail_of(facts, verdict))))
    assert read.facts == facts
    assert read.effect is verdict.effect
    assert read.rules == tuple(dict.fromkeys(reason.rule for reason in verdict.reasons))
    assert decide(read.facts, POLICY) == verdict


def test_facts_that_were_kept_before_a_fact_was_known_leave_it_unknown() -> None:
    kept = kept_of()
    kept["facts"] = {"consent": "active"}
    assert facts_of(kept).consent == "active"
    assert facts_of(kept).registered is None
    assert facts_of(kept).sources == ()


@pytest.mark.parametrize(
    ("facts", "fault"),
    [
        ({"consented": True}, "consented is not a fact"),
        ({"consent": "perhaps"}, "consent is to be one of"),
        (None, "has its facts under"),
    ],
    ids=["a name that is no fact", "a value that is none", "no facts"],
)
def test_kept_facts_that_are_none_are_refused(facts: JsonObject | None, fault: str) -> None:
    with pytest.raises(ValueError, match=fault) as refused:
        facts_of({**kept_of(), "facts": facts})
    assert "perhaps" not in str(refused.value)


GOOD_SOURCE: JsonObject = {"name": "message", "version": None, "as_of": None, "facts": ["type1"]}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"name": None}, "a source has"),
        ({"facts": "type1"}, "a source has"),
        ({"facts": ["type1", 1]}, "a source has"),
        ({"more": 1}, "a source has"),
        ({"facts": ["type2"]}, "no fact"),
        ({"as_of": "yesterday"}, "ISO 8601"),
    ],
    ids=str,
)
def test_a_kept_source_that_is_none_is_refused(change: JsonObject, fault: str) -> None:
    assert facts_of({"facts": {"sources": [GOOD_SOURCE]}}).sources[0].facts == ("type1",)
    with pytest.raises(ValueError, match=fault):
        facts_of({"facts": {"sources": [GOOD_SOURCE | change]}})


def test_a_kept_decision_without_its_effect_is_refused() -> None:
    assert decided_of(kept_of()).effect is Effect.PERMIT
    with pytest.raises(ValueError, match="has its effect"):
        decided_of({"facts": {}, "verdict": {"effect": "MAYBE"}})
    with pytest.raises(ValueError, match="has its effect"):
        decided_of({"facts": {}})
