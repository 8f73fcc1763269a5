"""An entry and its place in a log become the bytes that are kept, and back.

What enters: an entry, the log's name, the index, the time, the two links, and the commitment
to the sealed detail. What leaves: the body and its leaf hash. The bytes are frozen at this moment: nothing ever writes them
again from what they say. Must never: read a clock, or choose a place itself. Byte for byte:
FORMAT.md. Source: RFC 8785 for the body, RFC 6962 section 2.1 for the hash.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast, get_args

from gateway.errors import DamagedRecordError
from gateway.ledger.canonical import Json
from gateway.ledger.entry import Entry
from gateway.ledger.line import slots_of
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.values import (
    MAX_INTEGER,
    read_instant,
    refuse_identifiers,
    write_instant,
)

FORMAT_VERSION = 2
"""The `v` of every body that is written. Bodies of version 1 are read as well."""

MAX_BODY_BYTES = 2048
"""A body in all. An entry is at most 1,728 of them, its place at most 320."""

_WRITER = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, sort_keys=True, separators=(",", ":")
)
"""Canonical for what entries hold: each value has passed its rule, and every key is ASCII."""

SALT_BYTES = 32
"""Random bytes before a sealed detail, so that its commitment cannot be guessed."""

MAX_LOG_NAME = 96
"""Characters in the name of a log."""

_COMMIT = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LOG_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*(?:/[a-z0-9][a-z0-9._-]*)*/[0-9]{4}", re.ASCII)
_TOP_KEYS_1 = frozenset(
    "actor detail idx kind log practice prev_practice prev_subject refs subject t v".split()
)
_TOP_KEYS = {1: _TOP_KEYS_1, 2: _TOP_KEYS_1 | {"detail_commit", "epochs"}}
_KINDS: Mapping[str, type[Entry]] = {kind.kind.value: kind for kind in get_args(Entry)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEntry:
    """What is kept of an entry: its bytes, and SHA-256(0x00 || bytes)."""

    body: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedEntry:
    """An entry as it stands in a log.

    `prev_subject` and `prev_practice` are the indexes of the entries before this one on the
    same subject and for the same practice; None where there is none. `detail_commit`: see
    `commit`; None where nothing is sealed beside the entry. `version` is the body's `v`.
    """

    entry: Entry
    log: str
    index: int
    at: datetime
    prev_subject: int | None
    prev_practice: int | None
    detail_commit: str | None = None
    version: int = FORMAT_VERSION


def log_name(origin: str, at: datetime) -> str:
    """Name the log that takes what happens at this time: one log a calendar year, in UTC.

    `origin` is the name without the year, such as `gateway.example/ledger`.

    Raises:
        ValueError: the time is not in UTC, or the origin is not lower case host and path.
    """
    name = f"{origin}/{write_instant(at)[:4]}"
    _check_log(name)
    return name


def commit(salt: bytes, detail: bytes) -> str:
    """Commit to a detail that is sealed beside its entry.

    Returns: SHA-256(salt || detail), hexadecimal.

    Raises:
        ValueError: the salt is not 32 bytes; a shorter one could be tried.
    """
    _check(len(salt) == SALT_BYTES, "a salt has 32 bytes")
    return hashlib.sha256(salt + detail).hexdigest()


def seal(
    entry: Entry,
    *,
    log: str,
    index: int,
    at: datetime,
    prev_subject: int | None,
    prev_practice: int | None,
    detail_commit: str | None = None,
    version: int = FORMAT_VERSION,
) -> SealedEntry:
    """Freeze an entry at its place: canonical bytes, and their leaf hash.

    1. Check the place: the log is the one of this year, and both links point backwards.
    2. Write the body.
    3. Refuse it if it holds free text or an NHS number.
    4. Hash it.

    Raises:
        ValueError: the place does not fit, or the body may not be written.
    """
    t = write_instant(at)
    _check_log(log)
    _check(log.endswith(f"/{t[:4]}"), "the log is not the one of this year")
    _check(_is_index(index, MAX_INTEGER + 1), "the index is out of range")
    _check_link(prev_subject, entry.subject, index)
    _check_link(prev_practice, entry.practice, index)
    _check_commit(detail_commit, entry.subject)
    whole = {
        "v": version,
        "log": log,
        "idx": index,
        "t": t,
        "prev_subject": prev_subject,
        "prev_practice": prev_practice,
        "detail_commit": detail_commit,
        **entry.as_json(),
    }
    body = _WRITER.encode({key: whole[key] for key in _TOP_KEYS[version]}).encode("ascii")
    refuse_identifiers(body)
    return SealedEntry(body=body, leaf_hash=leaf_hash(body))


def read_entry(body: bytes) -> Entry:
    """Return the entry that a body says, without its place.

    Raises:
        DamagedRecordError: these are not the exact bytes of any entry of this version.
    """
    return read_placed(body).entry


def read_placed(body: bytes) -> PlacedEntry:
    """Return the entry that a body says, with its place.

    Not checked: that the links are true, or the hash: both need the rest of the log.

    Raises:
        DamagedRecordError: these are not the exact bytes of any entry of this version.
    """
    try:
        placed = _parse(body)
        sealed = seal(
            placed.entry,
            log=placed.log,
            index=placed.index,
            at=placed.at,
            prev_subject=placed.prev_subject,
            prev_practice=placed.prev_practice,
            detail_commit=placed.detail_commit,
            version=placed.version,
        )
    except (ValueError, RecursionError) as error:
        message = f"a ledger entry cannot be read: {error}"
        raise DamagedRecordError(message) from None
    if sealed.body != body:
        message = "a ledger entry is not in its canonical form"
        raise DamagedRecordError(message)
    return placed


def _parse(body: bytes) -> PlacedEntry:
    """Read loosely; whatever is read wrongly here seals to other bytes, and shows."""
    _check(len(body) <= MAX_BODY_BYTES, "longer than 2,048 bytes")
    whole = json.loads(body.decode("ascii"))
    version = _version(whole)
    top = {"epochs": None, "detail_commit": None} | dict(_object(whole, _TOP_KEYS[version]))
    kind = top["kind"]
    _check(isinstance(kind, str) and kind in _KINDS, "unknown kind")
    slots = slots_of(_KINDS[cast("str", kind)])
    construct: Callable[..., Entry] = _KINDS[cast("str", kind)]
    parts = {
        "top": top,
        "refs": _object(top["refs"], {slot.name for slot in slots if slot.part == "refs"}),
        "detail": _object(top["detail"], {slot.name for slot in slots if slot.part == "detail"}),
    }
    found = {slot.name: (slot, parts[slot.part][slot.name]) for slot in slots}
    return PlacedEntry(
        entry=construct(
            **{
                name: None if value is None else slot.rule.read(value)
                for name, (slot, value) in found.items()
            }
        ),
        log=str(top["log"]),
        index=cast("int", top["idx"]),
        at=read_instant(top["t"]),
        prev_subject=cast("int | None", top["prev_subject"]),
        prev_practice=cast("int | None", top["prev_practice"]),
        detail_commit=cast("str | None", top["detail_commit"]),
        version=version,
    )


def _version(whole: Json) -> int:
    version = whole.get("v") if isinstance(whole, dict) else None
    if type(version) is int and version in _TOP_KEYS:
        return version
    message = "another version of the format"
    raise ValueError(message)


def _object(value: Json, keys: frozenset[str] | set[str]) -> Mapping[str, Json]:
    if isinstance(value, dict) and value.keys() == keys:
        return value
    message = "an object lacks a field or has one too many"
    raise ValueError(message)


def _check_log(log: str) -> None:
    fit = len(log) <= MAX_LOG_NAME and _LOG_NAME.fullmatch(log)
    _check(bool(fit), "the name of the log is not host, path and year in lower case")


def _check_link(link: int | None, key: str | None, index: int) -> None:
    _check(link is None or key is not None, "a link to an entry on nobody")
    _check(link is None or _is_index(link, index), "a link does not point backwards")


def _check_commit(detail_commit: object, subject: str | None) -> None:
    if detail_commit is not None:
        _check(subject is not None, "a detail is sealed under the key of a subject")
        fit = isinstance(detail_commit, str) and _COMMIT.fullmatch(detail_commit)
        _check(bool(fit), "detail_commit is not a SHA-256 of 64 hexadecimal digits")


def _is_index(value: object, below: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < below


def _check(fits: bool, message: str) -> None:  # noqa: FBT001  # reads as a sentence
    if not fits:
        raise ValueError(message)
