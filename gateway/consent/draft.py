"""A draft of the sharing rules: one text, to be read and changed by a governance officer.

What enters: a text as `policy_text` writes it, perhaps changed. What leaves: a Policy that can
be replayed over decisions of the past (`compare`). The sections are those of `table`, each
under its name in square brackets; empty lines and lines that start with # are passed over.
What the combining adds (R00, R01), the classes of purposes and all words of known rules stay
as they are. Must never become the policy in force by itself: that takes a change of `table`.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.consent import table
from gateway.consent.decide import Ground, Policy, Rule
from gateway.consent.facts import Action
from gateway.consent.rules import (
    POLICY,
    Groups,
    Row,
    cells_of,
    read_duty,
    read_ground,
    read_group,
    read_rule,
)
from gateway.consent.words import WORDS, Words

_SECTIONS: Mapping[str, str] = {
    "ACTION_GROUPS": table.ACTION_GROUPS,
    "RULES": table.RULES,
    "GROUNDS": table.GROUNDS,
    "OBLIGATIONS": table.OBLIGATIONS,
    "EXPLAINS_MISSING_GROUND": table.EXPLAINS_MISSING_GROUND,
}
_HEADING = re.compile(r"\[(.*)\]")
_MOST_CHARACTERS = 200_000  # ten times the policy in force
_ABOUT = """\
# A draft of the sharing rules. Change it and replay it; it changes nothing by itself.
# How a row is written is said in gateway/consent/table.py.
"""
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One row of a draft, and its place, counted from 1."""

    number: int
    text: str


def policy_text() -> str:
    """Write the policy in force in the form that `read_policy` reads."""
    sections = (f"[{name}]\n{rows.strip()}\n" for name, rows in _SECTIONS.items())
    return "\n".join((_ABOUT, *sections))


def read_policy(text: str) -> Policy:
    """Read a draft.

    Returns: a policy of the same version as POLICY where the draft says the same.

    Raises:
        ValueError: the draft is none; each line of the text names one line of the draft, what
            is wrong there, and how to mend it.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ValueError(
            f"a draft has at most {_MOST_CHARACTERS:,} characters; this is something else"
        )
    faults = _Faults()
    sections = _sections(text, faults)
    groups = _groups(sections["ACTION_GROUPS"], faults)
    faults.raise_if_any()
    rules = _rows(sections["RULES"], lambda row: _rule(row, groups), faults)
    grounds = _rows(sections["GROUNDS"], lambda row: read_ground(row, groups), faults)
    duties = _rows(sections["OBLIGATIONS"], lambda row: read_duty(row, groups), faults)
    _refuse_repeated(rules, grounds, faults)
    explaining = _explaining(sections["EXPLAINS_MISSING_GROUND"], rules, faults)
    faults.raise_if_any()
    return replace(
        POLICY, rules=rules, grounds=grounds, duties=duties, explains_missing_ground=explaining
    )


class _Faults:
    """What is wrong, each at its line; 0 is the draft as a whole."""

    def __init__(self) -> None:
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, text: str) -> None:
        self._found.append((line, text))

    def raise_if_any(self) -> None:
        if self._found:
            told = (f"line {line}: {text}" if line else text for line, text in sorted(self._found))
            raise ValueError("\n".join(told))


def _sections(text: str, faults: _Faults) -> Mapping[str, list[_Line]]:
    """Give the lines of each section; what stands outside them, or twice, is a fault."""
    found: dict[str, list[_Line]] = {}
    here: list[_Line] | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip()
        heading = _HEADING.fullmatch(words)
        if not words or words.startswith("#"):
            continue
        if heading:
            here = []
            _refuse_misplaced(heading[1], number, found, faults)
            found.setdefault(heading[1], here)
        elif here is None:
            faults.add(number, "this stands in no section; put it below a heading")
        else:
            here.append(_Line(number=number, text=words))
    for name in _SECTIONS:
        if name not in found:
            faults.add(0, f"section [{name}] is missing; copy it from the policy in force")
    return {name: found.get(name, []) for name in _SECTIONS}


def _refuse_misplaced(
    name: str, number: int, found: Mapping[str, list[_Line]], faults: _Faults
) -> None:
    if name not in _SECTIONS:
        faults.add(number, f"no section is called {name!r}; there are {', '.join(_SECTIONS)}")
    elif name in found:
        faults.add(number, f"section [{name}] is there twice; put its rows together")


def _rows(lines: Sequence[_Line], read: Callable[[Row], _Read], faults: _Faults) -> list[_Read]:
    rows = []
    for line in lines:
        try:
            rows.append(read(cells_of(line.text)))
        except ValueError as fault:
            faults.add(line.number, str(fault))
    return rows


def _groups(lines: Sequence[_Line], faults: _Faults) -> Groups:
    named = _rows(lines, read_group, faults)
    for name, count in Counter(name for name, _ in named).items():
        if count > 1 or name in set(Action):
            faults.add(
                0, f"the group {name!r} has the name of an action or another group; rename it"
            )
    return dict(named)


def _rule(row: Row, groups: Groups) -> Rule:
    return read_rule(row, groups, lambda id_, code: WORDS.get(id_) or neutral_words(code))


def neutral_words(code: str) -> Words:
    """Make words for a rule that has none yet: they say its code, and nothing more."""
    said = code.replace("_", " ").lower()
    return Words(
        f"A rule of a draft applies: {said}.",
        "We have not sent this.",
        "The referral has not been sent.",
        f"See the draft's rule about: {said}.",
    )


def _refuse_repeated(rules: Sequence[Rule], grounds: Sequence[Ground], faults: _Faults) -> None:
    """Refuse a name of two rows: an answer that quotes it would point at both."""
    every = (*rules, POLICY.no_ground, POLICY.unknown)
    names = Counter(rule.id for rule in every)
    names += Counter(rule.code for rule in every) + Counter(ground.id for ground in grounds)
    for name, count in names.items():
        if count > 1:
            faults.add(0, f"{name} names two rows; give one of them another name")


def _explaining(lines: Sequence[_Line], rules: Sequence[Rule], faults: _Faults) -> frozenset[str]:
    known = {rule.id for rule in (*rules, POLICY.no_ground, POLICY.unknown)}
    names = [(line.number, n.strip()) for line in lines for n in line.text.split(",")]
    for number, name in names:
        if name not in known:
            faults.add(number, f"no rule is called {name!r}; leave it out or add the rule")
    return frozenset(name for _, name in names)
