"""Data at rest opens only where it was put, under the key that was there."""

import os

import pytest

from gateway.errors import DamagedRecordError, KeyMissingError
from gateway.store.vault import RowKey, Vault

OLD, NEW, LOOKUP = bytes(32), bytes(range(32)), b"l" * 32
PLACE = "referral/1/body"


def vault(**keys: bytes) -> Vault:
    return Vault(keys or {"old": OLD}, LOOKUP, os.urandom)


@pytest.fixture
def key() -> RowKey:
    return vault().new_key("referral/1")


def test_what_was_sealed_opens_at_its_place(key: RowKey) -> None:
    assert vault().open(key, vault().seal(key, b"plain", PLACE), PLACE) == b"plain"


def test_the_same_bytes_are_sealed_differently_each_time(key: RowKey) -> None:
    assert vault().seal(key, b"plain", PLACE) != vault().seal(key, b"plain", PLACE)


def test_what_was_moved_to_another_place_does_not_open(key: RowKey) -> None:
    sealed = vault().seal(key, b"plain", PLACE)
    with pytest.raises(DamagedRecordError):
        vault().open(key, sealed, "referral/2/body")


@pytest.mark.parametrize("position", [0, 11, 12, 20, -1])
def test_a_flipped_bit_is_noticed(key: RowKey, position: int) -> None:
    sealed = bytearray(vault().seal(key, b"plain text", PLACE))
    sealed[position] ^= 1
    with pytest.raises(DamagedRecordError):
        vault().open(key, bytes(sealed), PLACE)


@pytest.mark.parametrize("sealed", [b"", b"short", b"x" * 12])
def test_what_is_too_short_to_be_sealed_is_damaged(key: RowKey, sealed: bytes) -> None:
    with pytest.raises(DamagedRecordError):
        vault().open(key, sealed, PLACE)


def test_another_rows_key_does_not_open_it(key: RowKey) -> None:
    sealed = vault().seal(key, b"plain", PLACE)
    with pytest.raises(DamagedRecordError):
        vault().open(vault().new_key("referral/1"), sealed, PLACE)


def test_a_key_wrapped_before_a_rotation_opens_after_it(key: RowKey) -> None:
    rotated = vault(new=NEW, old=OLD)
    assert rotated.open_key(key.wrapped, "referral/1").key == key.key
    assert rotated.new_key("referral/2").wrapped.startswith(b"new:")


def test_a_key_whose_wrapper_is_gone_is_missing(key: RowKey) -> None:
    with pytest.raises(KeyMissingError):
        vault(new=NEW).open_key(key.wrapped, "referral/1")


def test_a_key_of_another_row_does_not_open(key: RowKey) -> None:
    with pytest.raises(DamagedRecordError):
        vault().open_key(key.wrapped, "referral/2")


def test_a_wrapper_of_the_same_name_and_other_bytes_does_not_open(key: RowKey) -> None:
    with pytest.raises(DamagedRecordError):
        vault(old=NEW).open_key(key.wrapped, "referral/1")


def test_a_key_does_not_show_itself(key: RowKey) -> None:
    assert repr(key) == "RowKey(...)"


def test_a_lookup_depends_on_its_key_and_on_where_its_parts_end() -> None:
    other = Vault({"old": OLD}, b"m" * 32, os.urandom)
    assert vault().lookup("a", "b") == vault().lookup("a", "b")
    assert vault().lookup("a", "b") != other.lookup("a", "b")
    assert vault().lookup("ab", "c") != vault().lookup("a", "bc")
