"""What a simulated neighbour remembers: a small FHIR server's SQLite file of its own.

What enters: transaction Bundles. What leaves: transaction-responses, the same one for the
same `Idempotency-Key`. A transaction is on disk before it is answered. Understood of FHIR's
rules: POST entries, conditional creation by identifier, references between entries.
Not checked: whether the resources are valid. Source: FHIR R4, http.html, sections 3.1.0.11
and 3.1.0.8.1; draft-ietf-httpapi-idempotency-key-header.
"""

import hashlib
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import IssueCode
from gateway.fhir.json_text import read_json, write_json
from gateway.referral.identifiers import REFERENCE_SYSTEM
from gateway.referral.json import Json, JsonObject, child, objects, string

_SCHEMA = """
CREATE TABLE IF NOT EXISTS attempt (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, idempotency_key TEXT, status INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS taken (
    number INTEGER PRIMARY KEY, at TEXT NOT NULL, idempotency_key TEXT UNIQUE,
    body_sha256 TEXT NOT NULL, answer BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS resource (
    type TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (type, id)
);
CREATE TABLE IF NOT EXISTS identifier (
    type TEXT NOT NULL, system TEXT NOT NULL, value TEXT NOT NULL, id TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS identifier_by_value ON identifier (type, system, value);
"""
_COUNTS = {
    "attempts": "SELECT count(*) FROM attempt",
    "transactions": "SELECT count(*) FROM taken",
    "idempotency_keys": "SELECT count(DISTINCT idempotency_key) FROM taken",
    "service_requests": "SELECT count(*) FROM resource WHERE type = 'ServiceRequest'",
    "tasks": "SELECT count(*) FROM resource WHERE type = 'Task'",
}
_REFERRALS = (
    "SELECT count(DISTINCT value) FROM identifier WHERE type = 'ServiceRequest' AND system = ?"
)


class NotTakenError(Exception):
    """A transaction that this server does not take; nothing of it is kept."""

    def __init__(self, status: int, code: IssueCode, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The answer to a transaction. `repeated`: it had been taken before."""

    answer: bytes
    repeated: bool


class Memory:
    """One neighbour's memory. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript(
            f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_SCHEMA}"
        )

    def take(self, key: str | None, body: bytes, bundle: JsonObject) -> Taken:
        """Take a transaction in, whole or not at all; answer a repeat as the first time.

        Raises:
            NotTakenError: it is not a transaction that this server understands, or its key
                came before with another body.
        """
        digest = hashlib.sha256(body).hexdigest()
        with self._transaction() as db:
            earlier = _earlier(db, key)
            if earlier is not None:
                if earlier[0] != digest:
                    text = "This Idempotency-Key came before with another body."
                    raise NotTakenError(422, IssueCode.DUPLICATE, text)
                return Taken(answer=earlier[1], repeated=True)
            answer = write_json(_carry_out(db, bundle))
            db.execute(
                "INSERT INTO taken (at, idempotency_key, body_sha256, answer) VALUES (?, ?, ?, ?)",
                (_now(), key, digest, answer),
            )
            return Taken(answer=answer, repeated=False)

    def note_attempt(self, key: str | None, status: int) -> None:
        """Note that a transaction came in, and what it was answered (0: nothing)."""
        with self._transaction() as db:
            db.execute(
                "INSERT INTO attempt (at, idempotency_key, status) VALUES (?, ?, ?)",
                (_now(), key, status),
            )

    def resource(self, kind: str, id_: str) -> JsonObject | None:
        """Return one resource."""
        with self._lock:
            found = self._connection.execute(
                "SELECT body FROM resource WHERE type = ? AND id = ?", (kind, id_)
            ).fetchone()
        return read_json(found[0]) if found else None

    def search(self, kind: str, system: str, value: str) -> list[JsonObject]:
        """Return the resources of one type that carry an identifier."""
        with self._lock:
            ids = _ids(self._connection, kind, system, value)
        return [found for id_ in ids if (found := self.resource(kind, id_)) is not None]

    def counts(self) -> Mapping[str, int]:
        """Count what came in. `referrals` are distinct by the gateway's own reference."""
        with self._lock:
            db = self._connection
            counted = {name: int(db.execute(sql).fetchone()[0]) for name, sql in _COUNTS.items()}
            counted["referrals"] = int(db.execute(_REFERRALS, (REFERENCE_SYSTEM,)).fetchone()[0])
        return counted

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def _earlier(db: sqlite3.Connection, key: str | None) -> tuple[str, bytes] | None:
    if key is None:
        return None
    found: tuple[str, bytes] | None = db.execute(
        "SELECT body_sha256, answer FROM taken WHERE idempotency_key = ?", (key,)
    ).fetchone()
    return found


def _carry_out(db: sqlite3.Connection, bundle: JsonObject) -> JsonObject:
    """Create what the entries ask for, their references pointing to where they now are.

    1. Give each entry its place: what is there already, where ifNoneExist finds it.
    2. Store each new resource with its references rewritten.
    """
    entries = objects(bundle, "entry")
    if string(bundle, "type") != "transaction" or not entries:
        text = "Send a Bundle of the type transaction with at least one entry."
        raise NotTakenError(400, IssueCode.INVALID, text)
    places = [_place(db, entry) for entry in entries]
    urls = {
        string(entry, "fullUrl") or "": f"{place.kind}/{place.id}"
        for entry, place in zip(entries, places, strict=True)
    }
    for entry, place in zip(entries, places, strict=True):
        if place.is_new:
            _store(db, place, _rewritten(child(entry, "resource") or {}, urls))
    return {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [{"response": _response(place)} for place in places],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    kind: str
    id: str
    is_new: bool


def _place(db: sqlite3.Connection, entry: JsonObject) -> _Place:
    request = child(entry, "request") or {}
    resource = child(entry, "resource") or {}
    kind = string(resource, "resourceType") or ""
    if string(request, "method") != "POST" or not kind or string(request, "url") != kind:
        text = "This server takes entries that POST a resource to its own type."
        raise NotTakenError(400, IssueCode.NOT_SUPPORTED, text)
    condition = string(request, "ifNoneExist")
    found = _ids(db, kind, *_identifier_of(condition)) if condition else []
    if len(found) > 1:
        text = "Several resources match ifNoneExist."
        raise NotTakenError(412, IssueCode.MULTIPLE_MATCHES, text)
    return _Place(kind=kind, id=found[0] if found else str(uuid.uuid4()), is_new=not found)


def _identifier_of(condition: str) -> tuple[str, str]:
    name, _, token = condition.partition("=")
    system, bar, value = token.partition("|")
    if name != "identifier" or not bar or not value or "&" in value:
        text = "This server understands ifNoneExist by identifier=system|value."
        raise NotTakenError(400, IssueCode.NOT_SUPPORTED, text)
    return system, value


def _ids(db: sqlite3.Connection, kind: str, system: str, value: str) -> list[str]:
    found = db.execute(
        "SELECT DISTINCT id FROM identifier WHERE type = ? AND system = ? AND value = ?",
        (kind, system, value),
    )
    return [row[0] for row in found]


def _store(db: sqlite3.Connection, place: _Place, resource: JsonObject) -> None:
    resource["id"] = place.id
    db.execute(
        "INSERT INTO resource VALUES (?, ?, ?)", (place.kind, place.id, write_json(resource))
    )
    db.executemany(
        "INSERT INTO identifier VALUES (?, ?, ?, ?)",
        [
            (place.kind, string(each, "system") or "", string(each, "value") or "", place.id)
            for each in objects(resource, "identifier")
        ],
    )


def _rewritten(resource: JsonObject, urls: Mapping[str, str]) -> JsonObject:
    """Copy a resource, its references to other entries pointing to their new places."""

    def copy(value: Json) -> Json:
        if isinstance(value, list):
            return [copy(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            name: urls[part]
            if name == "reference" and isinstance(part, str) and part in urls
            else copy(part)
            for name, part in value.items()
        }

    return {name: copy(part) for name, part in resource.items()}


def _response(place: _Place) -> JsonObject:
    return {
        "status": "201 Created" if place.is_new else "200 OK",
        "location": f"{place.kind}/{place.id}/_history/1",
        "etag": 'W/"1"',
        "lastModified": _now(),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
