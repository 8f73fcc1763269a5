"""The policy in force: the rows of `table`, each with its words.

What enters: the table's text. What leaves: POLICY. A row that cannot be read, or that has no
words, is refused at once.
"""

from collections.abc import Sequence

from gateway.consent import table
from gateway.consent.condition import AllOf, Condition, read_condition
from gateway.consent.decide import ANY_ACTION, Duty, Effect, Ground, Policy, Rule, SpineCode
from gateway.consent.facts import CLASS_OF, Action, PurposeClass
from gateway.consent.words import WORDS

_ORGANISATION = range(20, 26)
_PATIENT = range(30, 37)
_EXPLICIT_LABELS = ("NORDSCLCD", "NOREUSE")


def _rows(text: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]


_GROUPS: dict[str, str] = {row[0]: row[1] for row in _rows(table.ACTION_GROUPS)}


def _actions(cell: str) -> frozenset[Action]:
    return frozenset(Action(name.strip()) for name in _GROUPS.get(cell, cell).split(","))


def _rule(
    row: Sequence[str], actions: frozenset[Action] = ANY_ACTION, when: Condition | None = None
) -> Rule:
    id_, effect, code = row[:3]
    return Rule(
        id=id_,
        effect=Effect(effect),
        code=code,
        actions=actions,
        condition=when or AllOf(()),
        words=WORDS[id_],
        spine_code=_spine_code(id_),
    )


def _spine_code(rule: str) -> SpineCode:
    """R20 to R25 are the practice's refusals, R30 to R36 the patient's."""
    number = int(rule[1:3])
    if number in _ORGANISATION:
        return SpineCode.NO_ORGANISATION_CONSENT
    return SpineCode.NO_PATIENT_CONSENT if number in _PATIENT else SpineCode.ACCESS_DENIED


def _duty(row: Sequence[str]) -> Duty:
    code, effects, actions, known, condition = row
    return Duty(
        code=code,
        effects=frozenset(Effect(effect.strip()) for effect in effects.split(",")),
        actions=_actions(actions),
        only_if_known={"surely": True, "perhaps": False}[known],
        condition=read_condition(condition),
    )


RULES = tuple(_rule(row, _actions(row[3]), read_condition(row[4])) for row in _rows(table.RULES))
GROUNDS = tuple(
    Ground(id=id_, actions=_actions(actions), condition=read_condition(condition))
    for id_, actions, condition in _rows(table.GROUNDS)
)
DUTIES = tuple(_duty(row) for row in _rows(table.OBLIGATIONS))
_NO_GROUND, _UNKNOWN = (_rule(row) for row in _rows(table.ADDED))

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
