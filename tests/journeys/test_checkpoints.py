"""Checkpoints: signed when there is news, never over a broken log, under a key on record."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import text

from gateway.errors import DamagedRecordError
from gateway.journey.publish import Due
from gateway.ledger.checkpoint import read_checkpoint
from gateway.ledger.merkle import Frontier
from gateway.ledger.note import Ed25519Signer, read_note, verify
from gateway.store import checkpoints, ledger
from tests.builders.evidence import entries
from tests.builders.house import House
from tests.builders.messages import service_request
from tests.builders.signed import NEXT_SIGNER, SIGNER, key_of, sign

WHEN_OLD = Due(every=timedelta(minutes=1), entries=10_000)
WHEN_MANY = Due(every=timedelta(days=1), entries=8)


def head(house: House) -> tuple[str, Frontier]:
    with house.gateway.store.reading() as view:
        (found,) = ledger.logs(view.connection)
    return found


def execute(house: House, statement: str) -> None:
    with house.gateway.store.transaction(house.clock.now) as tx:
        bound = {"other": bytes(32)} if ":other" in statement else {}
        tx.connection.execute(text(statement), bound)


def test_a_checkpoint_says_the_head_and_verifies_with_the_public_key_alone(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    log, frontier = head(house)
    (signed,) = sign(house)
    told = read_checkpoint(signed.note)
    assert (told.origin, told.size, told.root) == (log, frontier.size, frontier.root())
    verify(read_note(signed.note), key_of(log))


def test_a_checkpoint_is_an_entry_and_makes_no_other_one_due(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    (signed,) = sign(house)
    log, _ = head(house)
    (said,) = entries(house, "checkpoint.published")
    assert (said["size"], said["root"]) == (signed.checkpoint.size, signed.checkpoint.root.hex())
    assert said["key"] == key_of(log).key_id.hex()
    assert sign(house) == []


def test_news_waits_until_it_is_old_or_much(house: House) -> None:
    assert len(sign(house, due=WHEN_OLD)) == 1, "the first is due at once"
    house.post("/ServiceRequest", service_request())
    assert sign(house, due=WHEN_OLD) == []
    house.clock.move(minutes=1)
    assert len(sign(house, due=WHEN_OLD)) == 1
    house.post("/ServiceRequest", service_request())
    assert sign(house, due=WHEN_MANY) == []
    for _ in range(3):
        house.post("/ServiceRequest", service_request())
    assert len(sign(house, due=WHEN_MANY)) == 1


def test_another_key_is_on_record_before_anybody_can_miss_it(house: House) -> None:
    sign(house)
    house.post("/ServiceRequest", service_request())
    (signed,) = sign(house, NEXT_SIGNER, SIGNER)
    log, _ = head(house)
    note = read_note(signed.note)
    verify(note, key_of(log))
    verify(note, key_of(log, NEXT_SIGNER))
    first, second = entries(house, "key.rotated")
    hashes = [hashlib.sha256(s.public_key).hexdigest() for s in (SIGNER, NEXT_SIGNER)]
    assert (first["old_key_sha256"], first["new_key_sha256"]) == (None, hashes[0])
    assert (second["old_key_sha256"], second["new_key_sha256"]) == tuple(hashes)


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (
            "UPDATE ledger_entry SET body = leaf_hash WHERE idx = 1",
            "missing or was changed",
        ),
        (
            "UPDATE ledger_entry SET leaf_hash = (SELECT root FROM checkpoint) WHERE idx = 1",
            "missing or was changed",
        ),
        ("DELETE FROM ledger_entry WHERE idx = 1", "missing or was changed"),
        (
            "UPDATE ledger_head SET frontier = (SELECT root FROM checkpoint), size = 1",
            "head lies behind its last checkpoint",
        ),
        ("UPDATE checkpoint SET root = :other", "does not continue its last checkpoint"),
    ],
)
def test_a_broken_log_is_not_signed(house: House, damage: str, says: str) -> None:
    (signed,) = sign(house)
    house.post("/ServiceRequest", service_request())
    execute(house, damage)
    with pytest.raises(DamagedRecordError, match=says):
        sign(house)
    with house.gateway.store.reading() as view:
        newest = checkpoints.newest(view, signed.checkpoint.origin)
    assert newest is not None
    assert newest.note == signed.note


def test_that_a_log_is_broken_is_on_record(house: House) -> None:
    sign(house)
    house.post("/ServiceRequest", service_request())
    execute(house, "UPDATE checkpoint SET root = :other")
    with pytest.raises(DamagedRecordError):
        sign(house)
    assert len(entries(house, "chain.verify.failed")) == 1


def test_a_signer_that_fails_leaves_nothing_behind_and_the_next_try_succeeds(house: House) -> None:
    class Failing(Ed25519Signer):
        def sign(self, message: bytes) -> bytes:
            raise OSError(f"no answer to {len(message)} bytes")

    class Lying(Ed25519Signer):
        def sign(self, message: bytes) -> bytes:
            return super().sign(message + b".")

    before = entries(house)
    with pytest.raises(OSError, match="no answer"):
        sign(house, Failing(bytes(32)))
    with pytest.raises(ValueError, match="does not hold"):
        sign(house, Lying(bytes(32)))
    assert entries(house) == before
    assert len(sign(house)) == 1


def test_the_log_of_a_year_that_is_over_is_signed_whole(house: House) -> None:
    """Its last entry is that of its own last checkpoint, which alone would be no news."""
    sign(house)
    log, frontier = head(house)
    house.clock.move(days=60)
    sign(house)
    with house.gateway.store.reading() as view:
        newest = checkpoints.newest(view, log)
    assert newest is not None
    assert newest.checkpoint.size == frontier.size
    assert sign(house) == []
