"""What is kept of a decision."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime

import pytest

from gateway.consent.decide import decide
from gateway.consent.facts import Source
from gateway.consent.record import detail_of
from gateway.consent.rules import POLICY
from tests.builders.consent import facts_from

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
