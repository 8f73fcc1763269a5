"""A decision as it is kept: the facts, and the verdict with every reason.

What enters: facts and the verdict on them. What leaves: one tree for JSON, whose times are
still times; and of such a tree, read again, what it says. Holds what a decision looked at, so
it is kept sealed, never logged. No refusal quotes a value.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from gateway.consent.compare import Decided
from gateway.consent.decide import Effect, FactUsed, Reason, Verdict
from gateway.consent.facts import VOCABULARY, Facts, Source
from gateway.consent.vocabulary import read_facts
from gateway.consent.withhold import TakenOut
from gateway.referral.json import JsonObject, child, objects, string, strings

_OF_A_SOURCE = set(Source.__dataclass_fields__)


def detail_of(
    facts: Facts, verdict: Verdict, taken_out: Sequence[TakenOut] = ()
) -> dict[str, object]:
    """Lay out a decision by its names, as `dataclasses.asdict` would, without its copying.

    `taken_out` is what stays behind of the message, by type and reason; none of its values.
    """
    kept = _members(facts) | {"sources": [_members(source) for source in facts.sources]}
    reasons = [_with_facts(reason) for reason in verdict.reasons]
    detail: dict[str, object] = {
        "facts": kept,
        "verdict": _members(verdict) | {"reasons": reasons},
    }
    if taken_out:
        detail["taken_out"] = [{"type": each.type, "why": each.why} for each in taken_out]
    return detail


def _with_facts(reason: Reason) -> dict[str, object]:
    return _members(reason) | {"facts_used": [_members(used) for used in reason.facts_used]}


def _members(value: Facts | Source | Verdict | Reason | FactUsed) -> dict[str, object]:
    return {name: getattr(value, name) for name in type(value).__dataclass_fields__}


def facts_of(detail: JsonObject) -> Facts:
    """Read the facts of a kept decision, with their sources. What is left out is unknown.

    Raises:
        ValueError: it has no facts, or names what is no fact, or a value that is none.
    """
    kept = child(detail, "facts")
    if kept is None:
        raise ValueError("a kept decision has its facts under `facts`")
    values = {name: value for name, value in kept.items() if name != "sources"}
    return replace(read_facts(values).facts, sources=tuple(_sources(kept)))


def decided_of(detail: JsonObject) -> Decided:
    """Read a kept decision: its facts, its effect, and the rules that spoke.

    Raises:
        ValueError: as `facts_of`, or it has no verdict.
    """
    verdict = child(detail, "verdict") or {}
    rules = (string(reason, "rule") for reason in objects(verdict, "reasons"))
    effect = string(verdict, "effect")
    if effect not in set(Effect):
        raise ValueError("a kept decision has its effect under `verdict`")
    return Decided(
        facts=facts_of(detail),
        effect=Effect(effect),
        rules=tuple(dict.fromkeys(rule for rule in rules if rule is not None)),
    )


def _sources(kept: JsonObject) -> Iterator[Source]:
    for source in objects(kept, "sources"):
        name, facts = string(source, "name"), strings(source, "facts")
        if set(source) != _OF_A_SOURCE or name is None or source["facts"] != facts:
            raise ValueError("a source has a name, a version, a time and names of facts")
        if not set(facts) <= set(VOCABULARY):
            raise ValueError("a source names what is no fact")
        yield Source(
            name=name,
            version=string(source, "version"),
            as_of=_time(string(source, "as_of")),
            facts=tuple(facts),
        )


def _time(text: str | None) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if text else None
    except ValueError:
        raise ValueError("the time of a source is to be as ISO 8601 writes it") from None
