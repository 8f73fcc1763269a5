"""Anybody may fetch a signed head of the ledger, and nothing else of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.journey.cosign import Cosigner, cosign
from gateway.journey.hand_out import newest_log, verifier_key
from gateway.journey.publish import publish
from gateway.ledger.note import Ed25519Signer, read_note, read_verifier_key, verify
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, execute
from tests.builders.house import House
from tests.builders.witnesses import grow, near, notary_of, note, sign

PLAIN = "text/plain; charset=utf-8"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as house:
        sign(house)
        yield house


def get(house: House, path: str) -> Any:
    return house.web.get(f"/ledger/{path}")


def test_the_newest_checkpoint_is_shown_as_it_is_signed(house: House, tmp_path: Path) -> None:
    sign(house)
    sign(house)
    cosign(house.gateway, Cosigner(witness=near(notary_of(house, tmp_path))))
    before = entries(house)
    answer = get(house, "2026/checkpoint")
    assert (answer.status_code, answer.content_type) == (200, PLAIN)
    assert answer.headers["Cache-Control"] == "max-age=10"
    assert answer.get_data(as_text=True) == note(house)
    shown = read_note(answer.get_data(as_text=True))
    assert len(shown.signatures) == 2
    key = get(house, "2026/vkey")
    assert (key.status_code, key.content_type) == (200, PLAIN)
    verify(shown, read_verifier_key(key.get_data(as_text=True).rstrip("\n")))
    assert entries(house) == before


def test_an_older_checkpoint_is_shown_by_its_size(door: House) -> None:
    first = note(door)
    size = first.splitlines()[1]
    sign(door)
    assert get(door, f"2026/checkpoint/{size}").get_data(as_text=True) == first
    assert get(door, f"2026/checkpoint/{int(size) + 1}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "2025/checkpoint", "0000/checkpoint", "26/checkpoint", "20266/checkpoint",
        "x/checkpoint", "٢٠٢٦/checkpoint", "2026/checkpoint/0", "2026/checkpoint/01",
        "2026/checkpoint/-1", "2026/checkpoint/99999999999999999999",
        "2026/checkpoint/999999999999999999", "2026/checkpoint/x", "2026/checkpoint/٣",
        "2025/vkey", "x/vkey",
    ],
)  # fmt: skip
def test_what_was_not_published_is_not_found_in_plain_words(door: House, path: str) -> None:
    answer = get(door, path)
    assert (answer.status_code, answer.content_type) == (404, PLAIN)
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(answer.data) < 100


@pytest.mark.parametrize(
    "path", ["2026", "2026/tile/0/000", "2026/tile/entries/000", "2026/entries", ""]
)
def test_nothing_else_of_the_ledger_is_served(door: House, path: str) -> None:
    assert get(door, path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_sent(door: House, method: str) -> None:
    assert door.web.open("/ledger/2026/checkpoint", method=method).status_code == 405


def test_the_last_checkpoint_of_a_year_stays_when_its_entries_are_purged(door: House) -> None:
    before = note(door)
    execute(door, "UPDATE ledger_head SET purged_at = '2035-01-01 00:00:00.000000'")
    assert get(door, "2026/checkpoint").get_data(as_text=True) == before


def test_the_key_of_a_year_is_the_one_that_signed_its_last_checkpoint(door: House) -> None:
    old = newest_log(door.gateway, 2026)
    key = verifier_key(door.gateway, old)
    publish(door.gateway, [Ed25519Signer(b"o" * 32)])
    door.clock.move(days=60)
    grow(door)
    publish(door.gateway, [Ed25519Signer(b"n" * 32)])
    last = get(door, "2026/vkey").get_data(as_text=True)
    told = get(door, "2026/checkpoint").get_data(as_text=True)
    verify(read_note(told), read_verifier_key(last.strip()))
    assert last.strip() != key
    assert get(door, "2027/vkey").get_data(as_text=True) != last


def test_a_ledger_that_was_never_signed_shows_nothing(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        for path in ("2026/checkpoint", "2026/vkey"):
            assert get(house, path).status_code == 404
