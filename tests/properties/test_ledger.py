"""What holds of every entry and every log, whatever is in them."""

import json
import re
import string
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DamagedRecordError
from gateway.ledger import values
from gateway.ledger.canonical import INTEGER_LIMIT, Json, canonical_json
from gateway.ledger.entry import Entry
from gateway.ledger.line import slots_of
from gateway.ledger.merkle import Frontier, leaf_hash, root_of
from gateway.ledger.seal import (
    FORMAT_VERSION,
    MAX_BODY_BYTES,
    log_name,
    read_entry,
    read_placed,
    seal,
)
from gateway.ledger.sentence import sentence
from gateway.ledger.verify import Head, LedgerRow, Report, verify_entries
from tests.unit.ledger.lines import CLOSED_LISTS, KINDS, LOG, changed, tree_root, written

A_UUID = "00000000-0000-4000-8000-000000000001"


def hexadecimal(length: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=length // 2, max_size=length // 2).map(bytes.hex)


def lists_of(item: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(item, max_size=6).map(tuple)


LETTERS = string.ascii_letters + "_.:|/-"
few_digits = st.integers(0, values.MAX_INTEGER).map(str)
words = st.text(LETTERS, min_size=1, max_size=20) | few_digits
scopes = st.text(LETTERS.replace("|", "*"), min_size=1, max_size=20)
ods_codes = st.text(string.ascii_uppercase + string.digits, min_size=3, max_size=9)
uuids = st.uuids().map(str)
instants = st.datetimes(
    min_value=datetime(1000, 1, 1),  # noqa: DTZ001  # hypothesis takes naive bounds
    timezones=st.just(UTC),
)
counts = st.none() | st.integers(0, values.MAX_INTEGER)
epochs = st.builds(values.Epochs, practice=counts, recipient=counts, subject=counts)
RULES: Mapping[Any, st.SearchStrategy[Any]] = {
    get_args(alias)[1]: strategy
    for alias, strategy in [
        (values.Ods, ods_codes),
        (values.Handle, hexadecimal(32)),
        (values.Uuid, uuids),
        (values.Sha256, hexadecimal(64)),
        (values.Code, words),
        (values.Name, words | uuids | hexadecimal(64)),
        (values.Codes, lists_of(words)),
        (values.Scopes, lists_of(scopes)),
        (values.Instant, instants),
        (values.Count, st.integers(0, values.MAX_INTEGER)),
        (values.HttpStatus, st.integers(100, 599)),
        (values.Truth, st.booleans()),
        (values.Names, lists_of(words | uuids | hexadecimal(64))),
        (values.Fence, epochs),
        (values.Day, st.dates()),
    ]
} | {rule: st.sampled_from(each) for each, rule in CLOSED_LISTS.items()}
# What the kinds say about two fields at once: with these set, any other values go together.
BOUND = {
    "decision.made": ("delivery", "payload_sha256"),
    "hold.opened": ("decision",),
    "hold.assigned": ("decision",),
    "hold.resolved": ("decision",),
    "hold.overdue": ("decision",),
}


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    kind = draw(st.sampled_from(sorted(KINDS)))
    construct: Callable[..., Entry] = KINDS[kind]
    fields = {}
    for slot in slots_of(KINDS[kind]):
        free = slot.nullable and slot.name not in BOUND.get(kind, ())
        fields[slot.name] = draw(st.none() | RULES[slot.rule] if free else RULES[slot.rule])
    if kind == "legal.authorised":
        fields["approvers"] = draw(lists_of(words).filter(lambda names: len(set(names)) > 1))
    if kind == "withdrawal.acknowledged":
        whose = draw(st.sampled_from(["practice", "subject", "recipient"]))
        rules = {slot.name: slot.rule for slot in slots_of(KINDS[kind])}
        fields[whose] = draw(RULES[rules[whose]])
    return construct(**fields)


@st.composite
def nhs_numbers(draw: st.DrawFn) -> str:
    nine = draw(
        st.lists(st.integers(0, 9), min_size=9, max_size=9).filter(
            lambda digits: check_digit(digits) < 10
        )
    )
    return "".join(map(str, [*nine, check_digit(nine)]))


def check_digit(nine: list[int]) -> int:
    """Compute the tenth digit; 10 means that there is no such number."""
    return (11 - sum((10 - place) * digit for place, digit in enumerate(nine)) % 11) % 11


def spellings(number: str) -> list[str]:
    grouped = [separator.join((number[:3], number[3:6], number[6:])) for separator in "-_.:|/ "]
    return [number, f"NHS{number}", f"{number}x", f"nhs:{number}", *grouped]


@given(entries(), instants, st.integers(0, values.MAX_INTEGER), st.data())
def test_an_entry_is_read_back_as_what_was_sealed(
    entry: Entry, at: datetime, index: int, data: st.DataObject
) -> None:
    links = st.none() | st.integers(0, index - 1) if index else st.none()
    committed = data.draw(st.none() | hexadecimal(64)) if entry.subject is not None else None
    sealed = seal(
        entry,
        log=log_name("gateway.example/ledger", at),
        index=index,
        at=at,
        prev_subject=data.draw(links) if entry.subject is not None else None,
        prev_practice=data.draw(links) if entry.practice is not None else None,
        detail_commit=committed,
    )
    placed = read_placed(sealed.body)
    assert (placed.entry, placed.index, placed.at) == (entry, index, at)
    assert (placed.detail_commit, placed.version) == (committed, FORMAT_VERSION)
    assert read_entry(sealed.body) == entry
    assert len(sealed.body) <= MAX_BODY_BYTES
    assert canonical_json(json.loads(sealed.body)) == sealed.body
    assert sentence(entry).endswith(".")


@given(entries())
def test_no_body_holds_an_nhs_number_a_space_or_anything_but_ascii(entry: Entry) -> None:
    body = written([entry])[0][0].body.decode("ascii")
    assert not set(body) & set(" \\\n\t")
    for token in re.split(r"[^0-9A-Za-z]+", body):
        if re.fullmatch(r"[0-9]{10}", token):
            assert check_digit([int(digit) for digit in token[:9]]) != int(token[9])


@given(entries(), nhs_numbers(), st.data())
def test_an_nhs_number_gets_into_no_field_in_any_spelling(
    entry: Entry, number: str, data: st.DataObject
) -> None:
    slot = data.draw(st.sampled_from(slots_of(type(entry))))
    for spelling in spellings(number):
        for value in (spelling, (spelling,)):
            with pytest.raises(ValueError, match=f"^{entry.kind}: {slot.name} is not") as caught:
                changed(entry, **{slot.name: value})
            assert number not in str(caught.value)


@given(entries(), st.integers(10**9, 10**10 - 1), st.data())
def test_no_integer_of_ten_digits_gets_into_a_field(
    entry: Entry, number: int, data: st.DataObject
) -> None:
    slot = data.draw(st.sampled_from(slots_of(type(entry))))
    with pytest.raises(ValueError, match=f"^{entry.kind}: {slot.name} is not"):
        changed(entry, **{slot.name: number})


@given(nhs_numbers())
def test_the_last_guard_finds_every_nhs_number_that_stands_alone(number: str) -> None:
    alone = [spelling for spelling in spellings(number) if not re.search("[Nx]", spelling)]
    for spelling in alone:
        with pytest.raises(ValueError, match="an entry may not hold"):
            values.refuse_identifiers(f'{{"actor":"{spelling}"}}'.encode())


@given(entries(), st.text(min_size=1), st.data())
def test_free_text_gets_into_no_field(entry: Entry, text: str, data: st.DataObject) -> None:
    slot = data.draw(st.sampled_from(slots_of(type(entry))))
    said = f"{text} {text}"
    for value in (said, (said,)):
        with pytest.raises(ValueError, match=f"^{entry.kind}: {slot.name} is not"):
            changed(entry, **{slot.name: value})


JSON: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(1 - INTEGER_LIMIT, INTEGER_LIMIT - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_canonical_json_says_the_same_and_says_it_in_one_way(value: Json) -> None:
    written_once = canonical_json(value)
    assert json.loads(written_once) == value
    assert canonical_json(json.loads(written_once)) == written_once


@given(st.dictionaries(st.text(), st.none()))
def test_canonical_keys_stand_in_utf_16_order(value: dict[str, None]) -> None:
    found = list(json.loads(canonical_json(value)))
    assert found == sorted(value, key=lambda key: key.encode("utf-16-be"))


@given(st.lists(st.binary(max_size=8), max_size=70))
def test_frontier_and_definition_agree_on_any_leaves(bodies: list[bytes]) -> None:
    leaves = [leaf_hash(body) for body in bodies]
    frontier = Frontier()
    for leaf in leaves:
        frontier = Frontier.from_bytes(frontier.size, frontier.to_bytes()).append(leaf)
    assert frontier.root() == tree_root(leaves) == root_of(leaves)


logs = st.lists(entries(), min_size=2, max_size=8)


def verified(rows: list[LedgerRow], head: Frontier) -> Report:
    return verify_entries(rows, log=LOG, head=Head(size=head.size, root=head.root()))


@given(logs)
def test_every_honest_log_passes_and_its_links_give_the_whole_timeline(log: list[Entry]) -> None:
    log = [*log, *log]  # so that subjects and practices come back
    rows, head = written(log)
    assert verified(rows, head).found == 0
    for subject in {entry.subject for entry in log} - {None}:
        expected = [index for index, entry in enumerate(log) if entry.subject == subject]
        found: list[int] = []
        index: int | None = expected[-1]
        while index is not None:
            found.insert(0, index)
            index = read_placed(rows[index].body).prev_subject
        assert found == expected


@given(logs, st.data())
def test_no_damage_to_a_log_goes_unfound(log: list[Entry], data: st.DataObject) -> None:
    rows, head = written(log)
    for damaged in damages(rows, data):
        report = verified(damaged, head)
        assert not report.ok
        assert report.first is not None


def damages(rows: list[LedgerRow], data: st.DataObject) -> list[list[LedgerRow]]:
    """One log for each way of damage: flip, swap, delete, insert, cut."""
    at = data.draw(st.integers(0, len(rows) - 2))
    row = rows[at]
    bit = data.draw(st.integers(0, len(row.body) * 8 - 1))
    body = bytearray(row.body)
    body[bit // 8] ^= 1 << bit % 8
    flipped = replace(row, body=bytes(body))
    swapped = [replace(rows[at + 1], index=at), replace(row, index=at + 1)]
    later = [replace(row, index=row.index + 1) for row in rows[at:]]
    return [
        [*rows[:at], flipped, *rows[at + 1 :]],
        [*rows[:at], replace(flipped, leaf_hash=leaf_hash(flipped.body)), *rows[at + 1 :]],
        [*rows[:at], rows[at + 1], row, *rows[at + 2 :]],
        [*rows[:at], *swapped, *rows[at + 2 :]],
        [*rows[:at], *rows[at + 1 :]],
        [*rows[:at], row, *later],
        rows[: at + 1],
    ]


@given(st.lists(st.tuples(st.integers(-2, 5), st.binary(max_size=80), st.binary(max_size=33))))
def test_no_row_however_damaged_stops_the_check(given_rows: list[tuple[int, bytes, bytes]]) -> None:
    rows = [LedgerRow(index=i, body=body, leaf_hash=stored) for i, body, stored in given_rows]
    report = verified(rows, Frontier())
    assert report.size == len(rows)
    assert report.ok == (not rows)


@given(JSON)
def test_no_json_but_an_entry_is_read_as_one(value: Json) -> None:
    with pytest.raises(DamagedRecordError):
        read_entry(canonical_json(value))
