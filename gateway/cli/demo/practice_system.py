"""A simulated practice's system: collects from its mailbox, keeps, answers as it is told to.

What enters: messages in the practice's mailbox, by real HTTP and the NHS's own client. What
leaves: to each message at most two answers, of the infrastructure and of the practice, in the
workflow `<its workflow>_ACK`. A message is kept before MESH is told that it was collected, and
that before it is answered. Must never: name a person in what it prints.

It refuses what a real one must, whatever else it was told: what it cannot read, what it has
already, what replaces nothing that it has, what is restricted, and what is above 5 MB.
Source: GP Connect Send Document 2.0.2; ITK3 Response Codes, 2.10.
"""

import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import requests
from mesh_client import MeshClient, MeshError
from urllib3.exceptions import HTTPError

from gateway.cli.demo.mesh_config import MeshPractice
from gateway.cli.demo.practice_answer import Answerer, write_answer
from gateway.cli.demo.practice_inbox import Inbox, Received
from gateway.cli.demo.practice_manners import (
    NOT_KNOWN,
    READ,
    UPDATE_RECORD,
    Manners,
    is_positive,
)
from gateway.cli.demo.practice_reading import Reading, UnreadableError, read_message

LOOK_AGAIN: Final = timedelta(seconds=1)
"""How long a practice waits that nobody woke. Real ones wait for 5 minutes or more."""
_TIMEOUT: Final = timedelta(seconds=10)
_MOST_BYTES: Final = 5_000_000
"""Source: ITK3, 20015, the recommended limit."""
_NORMAL: Final = ("", "N")
_FRIEND: Final = "known here"
_STRANGER: Final = "not known here"
_TROUBLE: Final = (MeshError, requests.RequestException, HTTPError)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshAddress:
    """Where MESH is, and by which files each side knows the other; None: not by any."""

    url: str
    shared_key: str = field(repr=False)
    ca_file: Path | None = None
    certificate: Path | None = None

    def client(self, mailbox: str, password: str) -> MeshClient:
        """Make the NHS's client for one mailbox; it tries nothing again by itself."""
        client = MeshClient(
            self.url,
            mailbox,
            password,
            shared_key=self.shared_key.encode(),
            cert=(str(self.certificate),) if self.certificate else None,
            verify=str(self.ca_file) if self.ca_file else None,
            max_retries=0,
            timeout=_TIMEOUT.total_seconds(),
        )
        session = client._session  # noqa: SLF001  # a proxy of the environment leads elsewhere
        session.trust_env = False
        if self.ca_file:
            session.verify = str(self.ca_file)  # else the public authorities are trusted beside it
        return client


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    """One message as MESH brought it."""

    name: str
    sender: str
    workflow: str
    body: bytes = field(repr=False)


class PracticeSystem:
    """The system of one practice, in a thread of its own from `start` to `stop`."""

    def __init__(
        self,
        practice: MeshPractice,
        at: MeshAddress,
        inbox: Inbox,
        *,
        knows: Callable[[str], bool],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.practice = practice
        self.inbox = inbox
        self.manners = practice.manners
        self.under_way = threading.Lock()
        """Held while messages are collected and answered."""
        self._at = at
        self._knows = knows
        self._clock = clock
        self._wake = threading.Event()
        self._is_over = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name=f"practice {practice.mailbox.id}", daemon=True
        )

    def start(self) -> None:
        """Collect from now on."""
        self.wake()
        self._thread.start()

    def stop(self) -> None:
        """Collect no more."""
        self._is_over.set()
        self.wake()
        self._thread.join(_TIMEOUT.total_seconds())

    def wake(self) -> None:
        """Look into the mailbox now."""
        self._wake.set()

    def behave(self, manners: Manners) -> None:
        """Behave like this from now on."""
        self.manners = manners
        self.wake()

    def _work(self) -> None:
        mailbox, is_away = self.practice.mailbox, False
        with closing(self._at.client(mailbox.id, mailbox.password)) as client:
            while not self._is_over.is_set():
                self._wake.wait(LOOK_AGAIN.total_seconds())
                self._wake.clear()
                if self._is_over.is_set() or not self.manners.collects:
                    continue
                try:
                    with self.under_way:
                        self._make_round(client)
                    is_away = False
                except _TROUBLE as error:
                    if not is_away:
                        self._tell(f"MESH could not be asked: {type(error).__name__}")
                    is_away = True

    def _make_round(self, client: MeshClient) -> None:
        for name in client.list_messages():
            with closing(client.retrieve_message(name)) as message:
                post = _Post(
                    name=name,
                    sender=message.sender or "",
                    workflow=message.workflow_id or "",
                    body=message.read() if message.message_type == "DATA" else b"",
                )
            if post.body:
                self._take(client, post)
            else:  # a report on an answer of ours
                client.acknowledge_message(name)

    def _take(self, client: MeshClient, post: _Post) -> None:
        try:
            reading = read_message(post.body)
        except UnreadableError:
            reading = None
        codes = self._codes(post, reading)
        self.inbox.keep(_row(post, reading, self._person(reading)), post.body, reading)
        client.acknowledge_message(post.name)
        for code in codes:
            self._answer(client, post, reading, code)

    def _answer(self, client: MeshClient, post: _Post, reading: Reading | None, code: str) -> None:
        """Answer once. An answer that MESH does not take is told, and not sent again."""
        mailbox = self.practice.mailbox
        body = write_answer(
            code,
            Answerer(ods=mailbox.ods, mailbox=mailbox.id),
            about=reading.message_id if reading else post.name,
            sender_reference=reading.sender_reference if reading else "",
            at=self._clock(),
        )
        try:
            client.send_message(
                post.sender,
                body,
                workflow_id=f"{post.workflow}_ACK",
                local_id=mailbox.ods,
                subject="Response",
                content_type="application/xml",
            )
        except MeshError as error:
            self._tell(f"an answer in {post.workflow}_ACK was not taken: {_code(error)}")
        else:
            self.inbox.note_answer(post.name, code)

    def _codes(self, post: _Post, reading: Reading | None) -> Sequence[str]:
        """Decide what is answered: as the practice was told to, but what must be refused is."""
        told = self.manners.answers_to(post.workflow)
        if READ not in told:
            return told
        verdict = self._verdict(post, reading)
        if not is_positive(verdict):
            return (verdict,)
        if self.manners.is_plain and self._person(reading) == _STRANGER:
            return (READ, NOT_KNOWN)
        return told

    def _verdict(self, post: _Post, reading: Reading | None) -> str:
        """Say what the infrastructure makes of a message."""
        if len(post.body) > _MOST_BYTES:
            return "20015"
        if reading is None:
            return "10009"
        held = [each for each in self.inbox.received if not each.is_refused]
        documents = {each.identifier for each in held if each.identifier}
        if reading.message_id in {each.itk_message_id for each in held}:
            return "20007"
        if reading.identifier in documents:
            return "20008"
        if not _is_payload(reading, post.workflow):
            return "20009"
        return "20014" if reading.replaces and reading.replaces not in documents else READ

    def _person(self, reading: Reading | None) -> str:
        if reading is None or not reading.nhs_number:
            return ""
        return _FRIEND if self._knows(reading.nhs_number) else _STRANGER

    def _tell(self, text: str) -> None:
        sys.stderr.write(f"practice {self.practice.mailbox.id}: {text}\n")


def _is_payload(reading: Reading, workflow: str) -> bool:
    """Whether the document is one that may be sent so."""
    has_files = all(each.content for each in reading.attachments)
    if workflow != UPDATE_RECORD:
        has_files = has_files and bool(reading.attachments)
    return has_files and reading.confidentiality in _NORMAL


def _row(post: _Post, reading: Reading | None, person: str) -> Received:
    row = Received(file="", message_id=post.name, sender=post.sender, workflow=post.workflow)
    if reading is None:
        return row
    return Received(
        file="",
        message_id=post.name,
        sender=post.sender,
        workflow=post.workflow,
        itk_message_id=reading.message_id,
        event=reading.event,
        recipient_type=reading.recipient_type,
        person=person,
        identifier=reading.identifier,
        document_type=reading.document_type,
        title=reading.title,
        version=reading.version,
        replaces=reading.replaces,
        confidentiality=reading.confidentiality,
        coded_entries=reading.coded_entries,
    )


def _code(error: MeshError) -> str:
    """Return MESH's code of a refusal; nothing else of it, for it may quote."""
    with suppress(LookupError, TypeError):
        return str(error.args[1]["detail"][0]["code"])[:16]
    return "no code"
