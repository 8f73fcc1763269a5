"""FORMAT.md says what the code does."""

import re
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args

import pytest

from gateway.ledger import values
from gateway.ledger.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from gateway.ledger.entry import Entry
from gateway.ledger.line import MAX_ENTRY_BYTES, Slot, slots_of
from gateway.ledger.merkle import Frontier, leaf_hash, root_of
from gateway.ledger.note import (
    Ed25519Signer,
    read_note,
    read_verifier_key,
    verify,
    verify_cosignature,
)
from gateway.ledger.proof import verify_inclusion, write_tlog_proof
from gateway.ledger.seal import (
    FORMAT_VERSION,
    MAX_BODY_BYTES,
    MAX_LOG_NAME,
    SALT_BYTES,
    read_placed,
)
from gateway.ledger.tiles import Tile, tile_path
from gateway.ledger.values import MAX_CODES, MAX_INTEGER, Rule, Sha256
from tests.unit.ledger.lines import CLOSED_LISTS, KINDS, LOG, MORNING

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
    assert {name for name, rules in forms.items() if len(rules) > 1} == {"cause", "status"}
    hashes = {name for name, rules in forms.items() if get_args(Sha256)[1] in rules}
    assert hashes == {name for name in forms if name.endswith("_sha256")} | {"root"}


TYPES: dict[str, Any] = {
    "ODS code": values.Ods,
    "handle": values.Handle,
    "UUID": values.Uuid,
    "code": values.Code,
    "name": values.Name,
    "list of codes": values.Codes,
    "list of names": values.Names,
    "list of scopes": values.Scopes,
    "count": values.Count,
    "HTTP status": values.HttpStatus,
    "boolean": values.Truth,
    "time": values.Instant,
    "day": values.Day,
    "epochs": values.Fence,
}


@pytest.mark.parametrize("type_", TYPES)
def test_the_table_of_types_names_exactly_the_keys_that_have_each(type_: str) -> None:
    (row,) = re.findall(rf"^\| {type_} \| .* \| ([^|]*) \|$", FORMAT, re.MULTILINE)
    rule = get_args(TYPES[type_])[1]
    meant = {slot.name for cls in KINDS.values() for slot in slots_of(cls) if slot.rule == rule}
    told = re.findall("`([a-z_]+)`", row)
    assert told == sorted(meant)


def test_every_other_key_is_a_hash_or_a_word_of_a_closed_list() -> None:
    hashes = {get_args(Sha256)[1]}
    known = {get_args(alias)[1] for alias in TYPES.values()} | hashes | set(CLOSED_LISTS.values())
    assert {slot.rule for cls in KINDS.values() for slot in slots_of(cls)} == known


OF_ONE_KIND = {"cause": " of `withdrawal.acknowledged`", "status": " of `referral.cancelled`"}
"""Keys that are a word of a closed list in one kind, and something else in others."""


def in_words(closed_list: type[StrEnum]) -> str:
    *most, last = (f"`{word}`" for word in closed_list)
    return f"{', '.join(most)} or {last}"


@pytest.mark.parametrize("closed_list", CLOSED_LISTS, ids=lambda each: each.__name__)
def test_the_text_spells_every_word_of_a_closed_list_at_its_key(
    closed_list: type[StrEnum],
) -> None:
    rule = CLOSED_LISTS[closed_list]
    (key,) = {slot.name for cls in KINDS.values() for slot in slots_of(cls) if slot.rule == rule}
    of = OF_ONE_KIND.get(key, "")
    assert f"| `{key}`{of} | {in_words(closed_list)} |" in FORMAT.splitlines()


@pytest.mark.parametrize(
    "limit",
    [MAX_BODY_BYTES, MAX_ENTRY_BYTES, MAX_LOG_NAME, MAX_CODES, MAX_INTEGER, SALT_BYTES],
)
def test_the_limits_are_those_of_the_code(limit: int) -> None:
    assert f" {limit:,} " in FORMAT
    assert f"adds at most {MAX_BODY_BYTES - MAX_ENTRY_BYTES} to it" in FORMAT


def test_the_version_is_the_one_that_is_written() -> None:
    assert FORMAT.startswith(f"# The ledger, byte for byte (version {FORMAT_VERSION})\n")
    assert f"| `v` | `{FORMAT_VERSION}` |" in FORMAT


def test_the_kinds_said_to_carry_epochs_are_kinds() -> None:
    (carried,) = re.findall("They are carried by (.*); elsewhere", FORMAT)
    for named in re.findall("`([a-z.*]+)`", carried):
        assert any(kind.startswith(named.rstrip("*")) for kind in KINDS)


def test_the_path_of_a_tile_is_the_one_said() -> None:
    tile = Tile(level=0, index=1_234_067)
    assert tile_path(tile) == "tile/0/x001/x234/067"
    assert "tile 1234067 is `x001/x234/067`" in FORMAT


ENTRIES_SHOWN, PROOF_SHOWN, KEYS_SHOWN = FORMAT.split("```\n")[1::2]


def shown_bodies() -> tuple[bytes, bytes]:
    lines = ENTRIES_SHOWN.splitlines()
    return lines[0].encode(), lines[2].encode()


def test_the_example_is_true() -> None:
    lines = ENTRIES_SHOWN.splitlines()
    frontier = Frontier()
    for body, told in zip(shown_bodies(), (lines[1], lines[3]), strict=True):
        assert read_placed(body).version == FORMAT_VERSION
        assert leaf_hash(body).hex() == told
        frontier = frontier.append(leaf_hash(body))
    assert lines[4].split() == ["frontier", frontier.to_bytes().hex()]
    assert lines[5].split() == ["root", frontier.root().hex()]


def test_the_checkpoint_and_the_proof_of_the_example_are_true() -> None:
    first, second = map(leaf_hash, shown_bodies())
    note = PROOF_SHOWN.partition("\n\n")[2]
    root = root_of([first, second])
    assert read_checkpoint(note) == Checkpoint(origin=LOG, size=2, root=root)
    assert write_tlog_proof(0, [second], note) == PROOF_SHOWN
    assert verify_inclusion(first, 0, 2, [second], root)


def test_the_keys_of_the_example_are_those_of_its_seeds_and_sign_its_checkpoint() -> None:
    seeds = bytes(range(32)), bytes(range(32, 64))
    log_key, witness_key = map(read_verifier_key, KEYS_SHOWN.splitlines())
    assert (log_key.name, witness_key.name) == (LOG, "witness.example/dpo")
    assert [Ed25519Signer(seed).public_key for seed in seeds] == [
        log_key.public_key,
        witness_key.public_key,
    ]
    note = read_note(PROOF_SHOWN.partition("\n\n")[2])
    verify(note, log_key)
    assert (
        sign_checkpoint(
            Checkpoint(origin=LOG, size=2, root=root_of(map(leaf_hash, shown_bodies()))),
            [Ed25519Signer(seeds[0])],
        )
        == PROOF_SHOWN.partition("\n\n")[2].partition("\u2014 witness")[0]
    )
    assert verify_cosignature(note, witness_key) == MORNING + timedelta(minutes=1)
