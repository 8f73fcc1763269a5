"""What a simulated practice keeps of what it received: files, and a list of them.

What enters: messages as they were collected. What leaves: for each practice a folder with each
message as it came (`0001.xml`), each of its files (`0001-1.pdf`), and `received.json`. The list
says nothing of the person but whether they are known there. The messages do: they are of invented
persons, and the folder belongs to a demo or a test.
"""

import hashlib
import shutil
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Final

from gateway.cli.demo.practice_manners import is_positive
from gateway.cli.demo.practice_reading import Reading
from gateway.fhir.json_text import read_json, write_json
from gateway.referral.json import Json, JsonObject, objects, string, strings

LIST_FILE: Final = "received.json"
_SUFFIXES: Final = {
    "application/pdf": ".pdf",
    "image/jpeg": ".jpeg",
    "image/png": ".png",
    "image/tiff": ".tiff",
    "text/plain": ".txt",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """One file of a document, as it lies in the practice's folder. `bytes` is its length."""

    file: str
    title: str
    media_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One message that a practice's system collected.

    `message_id` is MESH's name of it, `itk_message_id` its own. `person` is `known here`,
    `not known here`, or empty where none is named. `coded_entries` should be empty wherever no
    code may be written. `answers` are the codes that were sent back. `file` and `attachments`
    lie in the practice's folder. What a message does not say is empty.
    """

    file: str
    message_id: str
    sender: str
    workflow: str
    itk_message_id: str = ""
    event: str = ""
    recipient_type: str = ""
    person: str = ""
    identifier: str = ""
    document_type: str = ""
    title: str = ""
    version: str = ""
    replaces: str = ""
    confidentiality: str = ""
    attachments: tuple[KeptFile, ...] = ()
    coded_entries: tuple[str, ...] = ()
    answers: tuple[str, ...] = field(default=())

    @property
    def is_refused(self) -> bool:
        """Whether it was answered that it is not taken."""
        return not all(is_positive(code) for code in self.answers)


def read_inbox(folder: Path, mailbox: str) -> tuple[Received, ...]:
    """Return what a practice received, in order; nothing where it received nothing."""
    path = folder / mailbox / LIST_FILE
    if not path.exists():
        return ()
    return tuple(received_of(each) for each in objects(read_json(path.read_bytes()), "received"))


def received_of(tree: JsonObject) -> Received:
    """Read one row of the list."""
    lists = ("attachments", "coded_entries", "answers")
    texts = {
        each.name: string(tree, each.name) or ""
        for each in fields(Received)
        if each.name not in lists
    }
    return Received(
        **texts,
        attachments=tuple(_file_of(each) for each in objects(tree, "attachments")),
        coded_entries=tuple(strings(tree, "coded_entries")),
        answers=tuple(strings(tree, "answers")),
    )


def listing(received: Sequence[Received]) -> JsonObject:
    """Write the list as JSON."""
    return {"received": [_row(each) for each in received]}


class Inbox:
    """The folder of one practice. Safe to share between threads."""

    def __init__(self, folder: Path, mailbox: str) -> None:
        self._folder = folder / mailbox
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._received = list(read_inbox(folder, mailbox))

    @property
    def received(self) -> tuple[Received, ...]:
        """All that was received, in order."""
        with self._lock:
            return tuple(self._received)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            shutil.rmtree(self._folder)
            self._folder.mkdir()
            self._received.clear()

    def keep(self, new: Received, body: bytes, reading: Reading | None) -> Received:
        """Keep a message and its files; return its row as it is listed."""
        with self._lock:
            stem = f"{len(self._received) + 1:04}"
            file = f"{stem}.xml" if reading else f"{stem}.dat"
            (self._folder / file).write_bytes(body)
            kept = () if reading is None else tuple(self._files(stem, reading))
            row = replace(new, file=file, attachments=kept)
            self._received.append(row)
            self._write()
        return row

    def note_answer(self, message_id: str, code: str) -> None:
        """Note that a message was answered."""
        with self._lock:
            self._received = [
                replace(each, answers=(*each.answers, code))
                if each.message_id == message_id
                else each
                for each in self._received
            ]
            self._write()

    def _files(self, stem: str, reading: Reading) -> list[KeptFile]:
        kept = []
        for number, attachment in enumerate(reading.attachments, start=1):
            content = attachment.content or b""
            file = f"{stem}-{number}{_SUFFIXES.get(attachment.media_type, '.dat')}"
            (self._folder / file).write_bytes(content)
            kept.append(
                KeptFile(
                    file=file,
                    title=attachment.title,
                    media_type=attachment.media_type,
                    bytes=len(content),
                    sha256=hashlib.sha256(content).hexdigest(),
                )
            )
        return kept

    def _write(self) -> None:
        new = self._folder / f"{LIST_FILE}.new"
        new.write_bytes(write_json(listing(self._received)))
        new.replace(self._folder / LIST_FILE)


def _row(received: Received) -> Json:
    row: JsonObject = {
        **asdict(received),
        "attachments": [dict[str, Json](asdict(each)) for each in received.attachments],
        "coded_entries": list(received.coded_entries),
        "answers": list(received.answers),
    }
    return row


def _file_of(tree: JsonObject) -> KeptFile:
    length = tree.get("bytes")
    return KeptFile(
        file=string(tree, "file") or "",
        title=string(tree, "title") or "",
        media_type=string(tree, "media_type") or "",
        bytes=length if isinstance(length, int) else 0,
        sha256=string(tree, "sha256") or "",
    )
