"""Facts as JSON: one object of names and values to Facts, and back to where it is wrong.

What enters: a parsed JSON object. What leaves: Facts, and remarks about codes that no list has.
Null, and a name that is left out, are unknown. A name that is no fact, and a value that its
fact cannot take, are refused: nothing is ignored in silence. No text quotes a value.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from gateway.consent.facts import VOCABULARY, Codes, Count, Facts, Kind, Labels, Truth

_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_CODE = re.compile(r"\S+( \S+)*")
_SAME_AS = {("agreement", "proposed"): "none"}
"""What a source may call by another name: an agreement that nobody signed is none."""

GOOD_REFERRAL: Mapping[str, object] = {
    "action": "forward",
    "purpose": "occupational-health",
    "registered": True,
    "deceased": False,
    "s_flag": False,
    "authority": "self",
    "recipient_known": True,
    "recipient_assured": True,
    "recipient_role": "oh-provider",
    "recipient_accepting": True,
    "agreement": "active",
    "agreement_covers": True,
    "agreement_kind": "mixed",
    "sw_update_record": "on",
    "sw_send_document": "on",
    "sw_secondary": "on",
    "sw_freeze": "off",
    "consent": "active",
    "consent_recipient": True,
    "consent_purpose": True,
    "consent_in_period": True,
    "consent_evidence": True,
    "consent_labels": [],
    "dissent": "none",
    "type1": False,
    "ndoo": False,
    "anonymised": False,
    "s251": False,
    "specific_consent": False,
    "labels": [],
    "sealed": False,
    "legal_restricted": False,
    "third_party": False,
    "minimum": True,
    "freetext_ok": True,
    "reason_hit": False,
    "report": "none",
    "sight": "none",
    "sight_days": 0,
    "employed": True,
    "absence_ok": True,
    "prior_12m": False,
    "funded": True,
    "legal_authorised": False,
    "honours_type1": True,
    "agr_change": "none",
    "dpia": True,
    "sc_formal": True,
    "sc_resourced": True,
    "sc_support": True,
    "sc_capacity": True,
    "practice_is_employer": False,
    "referral_type": "clinical",
    "payload_from_record": True,
    "fresh": True,
    "payload_hash_ok": True,
}
"""Every fact of a good occupational-health referral. Source: the acceptance cases' baseline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsRead:
    """The facts, and what is worth knowing about how they were written."""

    facts: Facts
    remarks: Sequence[str]


def read_facts(given: Mapping[str, object], *, of_good_referral: bool = False) -> FactsRead:
    """Read one object of facts.

    Args:
        given: names and values; what is left out is unknown.
        of_good_referral: what is left out is as in a good referral instead.

    Raises:
        ValueError: a name or a value is wrong; the text names each.
    """
    named = {name: _same(name, value) for name, value in given.items()}
    faults = list(_faults(named))
    if faults:
        raise ValueError("; ".join(faults))
    values = {**GOOD_REFERRAL, **named} if of_good_referral else named
    typed = {name: _typed(VOCABULARY[name], value) for name, value in values.items()}
    return FactsRead(
        facts=Facts(**typed),  # type: ignore[arg-type]  # checked against VOCABULARY, which is of Facts
        remarks=tuple(_remarks(given)),
    )


def _same(name: str, value: object) -> object:
    return _SAME_AS.get((name, value), value) if isinstance(value, str) else value


def _faults(given: Mapping[str, object]) -> Iterator[str]:
    for name in given:
        if name not in VOCABULARY:
            yield f"{name if _NAME.fullmatch(name) else 'a name'} is not a fact"
    for name, kind in VOCABULARY.items():
        value = given.get(name)
        if value is not None and not _fits(kind, value):
            yield f"{name} is to be {_wanted(kind)}, or null"


def _fits(kind: Kind, value: object) -> bool:
    match kind:
        case Truth():
            return isinstance(value, bool)
        case Count():
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case Labels():
            return isinstance(value, list) and all(_is_code(label) for label in value)
        case Codes(listed=listed, is_open=is_open):
            return _is_code(value) and (is_open or value in set(listed))
        case _:
            assert_never(kind)


def _is_code(value: object) -> bool:
    return isinstance(value, str) and _CODE.fullmatch(value) is not None


def _wanted(kind: Kind) -> str:
    match kind:
        case Truth():
            return "true or false"
        case Count():
            return "a whole number, not below 0"
        case Labels():
            return "a list of labels"
        case Codes(listed=listed, is_open=is_open):
            return f"{'a code such as' if is_open else 'one of'} {', '.join(listed)}"
        case _:
            assert_never(kind)


def _typed(kind: Kind, value: object) -> object:
    if isinstance(kind, Labels) and isinstance(value, list):
        return tuple(value)
    if isinstance(kind, Codes) and not kind.is_open and isinstance(value, str):
        return kind.listed(value)
    return value


def _remarks(given: Mapping[str, object]) -> Iterator[str]:
    """Say where an open list has a code that no rule names: perhaps it is misspelt.

    Of a purpose, a rule says it.
    """
    for name, kind in VOCABULARY.items():
        value = given.get(name) if name != "purpose" else None
        if isinstance(kind, Codes) and value is not None and value not in set(kind.listed):
            yield f"{name} has a code that is not listed: {', '.join(kind.listed)}"
