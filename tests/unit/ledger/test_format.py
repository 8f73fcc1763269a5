"""FORMAT.md says what the code does."""

import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest

from gateway.ledger.entry import Entry
from gateway.ledger.line import Slot, slots_of
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.seal import MAX_BODY_BYTES, MAX_LOG_NAME, read_entry
from gateway.ledger.values import MAX_CODES, MAX_INTEGER, Rule, Sha256
from tests.unit.ledger.lines import CLOSED_LISTS, KINDS

ROOM = Path(__file__).parents[3] / "gateway" / "ledger"
FORMAT = (ROOM / "FORMAT.md").read_text(encoding="utf-8")


def whose(slots: dict[str, Slot], name: str) -> str:
    if name not in slots:
        return "null"
    return "or null" if slots[name].nullable else "yes"


def keys(slots: dict[str, Slot], part: str) -> str:
    found = [slot for _, slot in sorted(slots.items()) if slot.part == part]
    return " ".join(f"`{slot.name}{'?' if slot.nullable else ''}`" for slot in found) or "none"


@pytest.mark.parametrize("cls", KINDS.values(), ids=KINDS)
def test_the_table_of_kinds_is_true(cls: type[Entry]) -> None:
    slots = {slot.name: slot for slot in slots_of(cls)}
    row = " | ".join(
        [
            f"| `{cls.kind}`",
            whose(slots, "practice"),
            whose(slots, "subject"),
            keys(slots, "refs"),
            f"{keys(slots, 'detail')} |",
        ]
    )
    assert row in FORMAT.splitlines()


def test_the_table_has_no_further_kind() -> None:
    rows = re.findall(r"^\| `([a-z]+(?:\.[a-z_]+)+)` \|", FORMAT, re.MULTILINE)
    assert sorted(rows) == sorted(KINDS)


def test_a_key_has_one_form_in_every_kind_and_hashes_are_named_so() -> None:
    forms: dict[str, set[Rule]] = {}
    for cls in KINDS.values():
        for slot in slots_of(cls):
            forms.setdefault(slot.name, set()).add(slot.rule)
    assert {name for name, rules in forms.items() if len(rules) > 1} == {"status"}
    hashes = {name for name, rules in forms.items() if get_args(Sha256)[1] in rules}
    assert hashes == {name for name in forms if name.endswith("_sha256")} | {"root"}


def in_words(closed_list: type[StrEnum]) -> str:
    *most, last = (f"`{word}`" for word in closed_list)
    return f"{', '.join(most)} or {last}"


@pytest.mark.parametrize("closed_list", CLOSED_LISTS, ids=lambda each: each.__name__)
def test_the_text_spells_every_word_of_a_closed_list(closed_list: type[StrEnum]) -> None:
    assert f" {in_words(closed_list)}" in FORMAT


@pytest.mark.parametrize("limit", [MAX_BODY_BYTES, MAX_LOG_NAME, MAX_CODES, MAX_INTEGER])
def test_the_limits_are_those_of_the_code(limit: int) -> None:
    assert f" {limit:,} " in FORMAT


def test_the_example_is_true() -> None:
    example = FORMAT.split("```\n")[1].splitlines()
    bodies, hashes = (example[0].encode(), example[2].encode()), (example[1], example[3])
    frontier = Frontier()
    for body, told in zip(bodies, hashes, strict=True):
        read_entry(body)
        assert leaf_hash(body).hex() == told
        frontier = frontier.append(leaf_hash(body))
    assert example[4].split() == ["frontier", frontier.to_bytes().hex()]
    assert example[5].split() == ["root", frontier.root().hex()]
