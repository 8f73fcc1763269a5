"""The policy in force: the rows of `table`, each with its words; and the reader of such rows.

What enters: the table's text. What leaves: POLICY. A row that cannot be read, or that has no
words, is refused at once. `draft` reads other tables with the same readers. A refusal quotes
the table's text, which names nobody.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import TypeAlias, TypeVar

from gateway.consent import table
from gateway.consent.condition import ALWAYS, Condition, read_condition
from gateway.consent.decide import ANY_ACTION, Duty, Effect, Ground, Policy, Rule, SpineCode
from gateway.consent.facts import CLASS_OF, Action, PurposeClass
from gateway.consent.words import WORDS, Words

_ORGANISATION = range(20, 26)
_PATIENT = range(30, 37)
_EXPLICIT_LABELS = ("NORDSCLCD", "NOREUSE")

Row: TypeAlias = Sequence[str]
Groups: TypeAlias = Mapping[str, frozenset[Action]]
Code = TypeVar("Code", bound=StrEnum)

_CODE = re.compile(r"[A-Z][A-Z0-9_]*")
_RULE_ID = re.compile(r"R[0-9]{2}[a-z]{0,2}")
_GROUND_ID = re.compile(r"G[0-9]{1,2}[a-z]{0,2}")
_KNOWN = {"surely": True, "perhaps": False}
_DEEPEST = 40  # brackets and NOTs: what a reader, and the stack, can bear


def rows_of(text: str) -> list[Row]:
    """Split a table's text into rows, and each into its cells."""
    return [cells_of(line) for line in text.strip().splitlines()]


def cells_of(line: str) -> Row:
    """Split one row into its cells."""
    return [cell.strip() for cell in line.split("|")]


def read_group(row: Row) -> tuple[str, frozenset[Action]]:
    """Read one name for several actions.

    Raises:
        ValueError: the row is not `name | actions`.
    """
    name, actions = _shaped(row, "name | actions")
    return name, _actions(actions, {})


def read_rule(row: Row, groups: Groups, words_for: Callable[[str, str], Words]) -> Rule:
    """Read one rule; `words_for` gives the words for its id and code.

    Raises:
        ValueError: the row is not one; the text says what is to be mended.
    """
    id_, effect, code, actions, condition = _shaped(row, "id | effect | code | actions | condition")
    _shaped_as(_RULE_ID, id_, "a rule's id is R, two digits and perhaps a letter, as R23b")
    _shaped_as(_CODE, code, "a code is in capitals, digits and _")
    if effect not in {Effect.HOLD, Effect.DENY}:
        raise ValueError(f"the effect of a rule is HOLD or DENY, not {effect!r}")
    return Rule(
        id=id_,
        effect=Effect(effect),
        code=code,
        actions=_actions(actions, groups),
        condition=_condition(condition),
        words=words_for(id_, code),
        spine_code=_spine_code(id_),
    )


def read_ground(row: Row, groups: Groups) -> Ground:
    """Read one ground.

    Raises:
        ValueError: as `read_rule`.
    """
    id_, actions, condition = _shaped(row, "id | actions | condition")
    _shaped_as(_GROUND_ID, id_, "a ground's id is G, a digit and perhaps a letter, as G5s")
    return Ground(id=id_, actions=_actions(actions, groups), condition=_condition(condition))


def read_duty(row: Row, groups: Groups) -> Duty:
    """Read one obligation.

    Raises:
        ValueError: as `read_rule`.
    """
    code, effects, actions, known, condition = _shaped(
        row, "code | effects | actions | surely or perhaps | condition"
    )
    _shaped_as(_CODE, code, "a code is in capitals, digits and _")
    if known not in _KNOWN:
        raise ValueError(f"{known!r} is to be surely or perhaps")
    return Duty(
        code=code,
        effects=_each_of(Effect, effects, "an effect"),
        actions=_actions(actions, groups),
        only_if_known=_KNOWN[known],
        condition=_condition(condition),
    )


def _shaped(row: Row, columns: str) -> Row:
    if len(row) != columns.count("|") + 1:
        raise ValueError(f"a row here is: {columns}; this one has {len(row)} cells")
    return row


def _shaped_as(pattern: re.Pattern[str], cell: str, wanted: str) -> None:
    if not pattern.fullmatch(cell):
        raise ValueError(f"{cell!r}: {wanted}")


def _actions(cell: str, groups: Groups) -> frozenset[Action]:
    return groups[cell] if cell in groups else _each_of(Action, cell, "an action or a group")


def _each_of(listed: type[Code], cell: str, noun: str) -> frozenset[Code]:
    names = [name.strip() for name in cell.split(",")]
    wrong = [name for name in names if name not in set(listed)]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not {noun}; choose of {', '.join(listed)}")
    return frozenset(listed(name) for name in names)


def _condition(cell: str) -> Condition:
    """Read a condition that is not nested so deep that nobody could read it."""
    if cell.count("(") + cell.count("NOT") > _DEEPEST:
        raise ValueError(
            f"a condition has at most {_DEEPEST} brackets and NOTs; write it as two rows"
        )
    try:
        return read_condition(cell)
    except ValueError as fault:
        raise ValueError(f"{fault}; gateway/consent/table.py says how one is written") from None


def _spine_code(rule: str) -> SpineCode:
    """R20 to R25 are the practice's refusals, R30 to R36 the patient's."""
    number = int(rule[1:3])
    if number in _ORGANISATION:
        return SpineCode.NO_ORGANISATION_CONSENT
    return SpineCode.NO_PATIENT_CONSENT if number in _PATIENT else SpineCode.ACCESS_DENIED


def _added(row: Row) -> Rule:
    id_, effect, code, _ = row
    return Rule(
        id=id_,
        effect=Effect(effect),
        code=code,
        actions=ANY_ACTION,
        condition=ALWAYS,
        words=WORDS[id_],
        spine_code=_spine_code(id_),
    )


_GROUPS = dict(read_group(row) for row in rows_of(table.ACTION_GROUPS))
RULES = tuple(read_rule(row, _GROUPS, lambda id_, _: WORDS[id_]) for row in rows_of(table.RULES))
GROUNDS = tuple(read_ground(row, _GROUPS) for row in rows_of(table.GROUNDS))
DUTIES = tuple(read_duty(row, _GROUPS) for row in rows_of(table.OBLIGATIONS))
_NO_GROUND, _UNKNOWN = (_added(row) for row in rows_of(table.ADDED))

POLICY = Policy(
    rules=RULES,
    grounds=GROUNDS,
    duties=DUTIES,
    no_ground=_NO_GROUND,
    unknown=_UNKNOWN,
    explains_missing_ground=frozenset(table.EXPLAINS_MISSING_GROUND.split(", ")),
)


def handling_labels(purpose: str) -> tuple[str, ...]:
    """Name the obligations that travel with data released for this purpose.

    Returns: codes of v3-ActCode for `meta.security`, in alphabetical order.
    """
    return _EXPLICIT_LABELS if CLASS_OF.get(purpose) is PurposeClass.EXPLICIT else ()
