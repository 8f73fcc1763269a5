"""GP practices behind a simulated MESH, as a test sees them: sends to, asks and changes them.

`running_practices` runs the program that the demo runs, in a process of its own;
`practices_here` runs the same in a thread of this process, one at a time. Both ask callers for a
certificate, and leave in their folder what a gateway's endpoint needs: CA_FILE, CLIENT, `password`
and `shared-key`.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import requests
from mesh_client import MeshClient

from gateway.cli.demo import mesh_house
from gateway.cli.demo.mesh_config import (
    MeshConfig,
    MeshMailbox,
    MeshPerson,
    MeshPractice,
    write_config,
)
from gateway.cli.demo.mesh_control import CONTROL
from gateway.cli.demo.mesh_house import PORT_FILE, MeshHouse, MeshTls, running
from gateway.cli.demo.practice_inbox import Received, received_of
from gateway.cli.demo.practice_system import MeshAddress
from gateway.mapping.itk3 import PracticeMessage
from gateway.mapping.itk3_answers import PracticeAnswer, read_answer
from gateway.referral.identifiers import NhsNumber, OdsCode
from tests.builders.itk3 import a_practice_message
from tests.processes.certificates import CA_FILE, make_certificates
from tests.processes.children import start
from tests.processes.receiver import until

OURS, THEIRS, PRACTICE, ANOTHER = "GATEWAY01", "OHPROV1", "A81001GP1", "B82002GP1"
"""Our mailbox, that of an OH provider, and those of two practices: the second takes letters only."""
SEND_DOCUMENT, SEND_DOCUMENT_V1 = "GPCONNECT_SEND_DOCUMENT", "GPFED_CONSULT_REPORT"
UPDATE_RECORD = "GPCONNECT_UPDATE_RECORD"
PASSWORD, SHARED_KEY, CLIENT = "password", "TestKey", "client.pem"
LETTER = a_practice_message()
"""A good one, about the person at PRACTICE."""
_ALL = (SEND_DOCUMENT, SEND_DOCUMENT_V1, UPDATE_RECORD)


def edited(old: str, new: str, message: PracticeMessage = LETTER) -> PracticeMessage:
    """A message with something else in its bytes."""
    assert old.encode() in message.body
    return replace(message, body=message.body.replace(old.encode(), new.encode(), 1))


def with_entry(entry: str) -> PracticeMessage:
    """A letter in whose document something more stands."""
    return edited("</Bundle>", f"<entry><resource>{entry}</resource></entry></Bundle>")


def a_mesh_config(**changed: Any) -> MeshConfig:
    """The person of `tests.builders.itk3` is at PRACTICE; one at ANOTHER, one where no mailbox is."""
    answers = frozenset(f"{each}_ACK" for each in _ALL)
    others = frozenset({"REFERRAL", "REFERRAL_ACK"})
    given: dict[str, Any] = {
        "shared_key": SHARED_KEY,
        "mailboxes": (
            _mailbox(OURS, "OH123", answers | others),
            _mailbox(THEIRS, "8Z99A", others),
        ),
        "practices": (
            MeshPractice(mailbox=_mailbox(PRACTICE, "A81001", frozenset(_ALL))),
            MeshPractice(mailbox=_mailbox(ANOTHER, "B82002", frozenset({SEND_DOCUMENT}))),
        ),
        "persons": (
            _person("9990000018", date(1980, 2, 3), "Avery-O'Neill", "A81001"),
            _person("9991590838", date(1971, 11, 23), "Marrowby", "B82002"),
            _person("9990166137", date(1990, 6, 2), "Thistlewick", "C83003"),
        ),
    } | changed  # fmt: skip
    return MeshConfig(**given)


def _mailbox(name: str, ods: str, workflows: frozenset[str]) -> MeshMailbox:
    return MeshMailbox(
        id=name, ods=OdsCode(ods), name=f"{ods} (invented)", password=PASSWORD, workflows=workflows
    )


def _person(number: str, born: date, family: str, practice: str) -> MeshPerson:
    return MeshPerson(
        number=NhsNumber(number), birth_date=born, family=family, practice=OdsCode(practice)
    )


@dataclass(frozen=True, slots=True)
class Practices:
    """The running MESH and its practices. `folder` holds certificates and what was received."""

    folder: Path
    port: int
    _session: requests.Session
    _open: ExitStack
    _clients: dict[str, MeshClient] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def client(self, mailbox: str = OURS) -> MeshClient:
        """The NHS's client for one mailbox; it is closed with the practices."""
        if mailbox not in self._clients:
            at = MeshAddress(
                url=self.url,
                shared_key=SHARED_KEY,
                ca_file=self.folder / CA_FILE,
                certificate=self.folder / CLIENT,
            )
            client = at.client(mailbox, PASSWORD)
            self._clients[mailbox] = self._open.enter_context(closing(client))
        return self._clients[mailbox]

    def send(self, message: PracticeMessage, **changed: str) -> str:
        """Send what `write_letter` or `write_record` wrote from our mailbox; return by which name MESH took it."""
        control = message.control
        told: dict[str, Any] = {
            "recipient": control.to,
            "workflow_id": control.workflow,
            "local_id": control.local_id,
            "subject": control.subject,
            "filename": control.filename,
            "content_type": control.content_type,
        } | changed
        return self.client().send_message(data=message.body, **told)

    def behave(
        self, manner: str, practice: str = PRACTICE, workflows: list[str] | None = None
    ) -> None:
        """Have a practice's system answer like this, and be registered for these workflows."""
        wish: dict[str, Any] = {"manner": manner}
        if workflows is not None:
            wish["workflows"] = workflows
        self.ask("POST", f"{CONTROL}/{practice}", wish)

    def received(self, practice: str = PRACTICE) -> tuple[Received, ...]:
        """Return what a practice collected, in order."""
        found = self.ask("GET", f"{CONTROL}/{practice}/received")["received"]
        return tuple(received_of(each) for each in found)

    def await_received(self, number: int = 1, practice: str = PRACTICE) -> tuple[Received, ...]:
        """Wait until a practice has collected so many, and return them all."""
        until(lambda: len(self.received(practice)) >= number, seconds=10)
        return self.received(practice)

    def await_answers(self, number: int) -> list[PracticeAnswer]:
        """Wait until so many answers stand in our mailbox; read and acknowledge all."""
        client = self.client()
        until(lambda: len(client.list_messages()) >= number, seconds=10)
        return [self._taken(client, name) for name in client.list_messages()]

    def answers(self, practice: str = PRACTICE) -> list[PracticeAnswer]:
        """Read and acknowledge all that stands in our mailbox, once the practice has answered."""
        self.settle(practice)
        return self.await_answers(0)

    def settle(self, practice: str = PRACTICE) -> None:
        """Wait until the practice has answered what it collected."""
        self.ask("POST", f"{CONTROL}/{practice}", {})

    def _taken(self, client: MeshClient, name: str) -> PracticeAnswer:
        with client.retrieve_message(name) as message:
            body: bytes = message.read()
            return read_answer(body)

    def expire(self, practice: str = PRACTICE) -> list[str]:
        """Have what the practice did not collect go back, as after five days; name it."""
        found: list[str] = self.ask("POST", f"{CONTROL}/{practice}/expire")["returned"]
        return found

    def report(self, linked: str, code: str = "14", **said: str) -> str:
        """Put a report of any code on a message into our mailbox; return its name."""
        told = {
            "mailbox_id": OURS,
            "code": code,
            "description": "as MESH words it",
            "workflow_id": SEND_DOCUMENT,
            "status": "error",
            "linked_message_id": linked,
        } | said
        name: str = self.ask("POST", "/messageexchange/admin/report", told)["message_id"]
        return name

    def reset(self) -> None:
        """Begin again: mailboxes empty, nothing received, everybody as at the start."""
        self.ask("DELETE", CONTROL)

    def ask(self, method: str, path: str, told: Mapping[str, Any] | None = None) -> Any:
        """Ask an address that MESH does not have."""
        answer = self._session.request(method, f"{self.url}{path}", json=told, timeout=10)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def running_practices(folder: Path, config: MeshConfig | None = None) -> Iterator[Practices]:
    """Run the demo's program in a process of its own."""
    _furnish(folder)
    write_config(config or a_mesh_config(), folder / "mesh.json")
    options = {
        "--port": "0", "--config": "mesh.json", "--folder": ".", "--cert": "good.pem",
        "--key": "good.key", "--ca": CA_FILE, "--client-ca": CA_FILE, "--client-cert": CLIENT,
    }  # fmt: skip
    given = [
        word
        for name, value in options.items()
        for word in (name, value if name == "--port" else str(folder / value))
    ]
    process = start(mesh_house.main, given, log=folder / "mesh.log")
    try:
        until((folder / PORT_FILE).exists)
        with _asking(folder, int((folder / PORT_FILE).read_text())) as practices:
            yield practices
    finally:
        process.kill()
        process.join()


@contextmanager
def practices_here(folder: Path, config: MeshConfig | None = None) -> Iterator[Practices]:
    """Run it in a thread of this process."""
    _furnish(folder)
    house = MeshHouse(
        config or a_mesh_config(),
        folder,
        tls=MeshTls(
            certificate=folder / "good.pem",
            key=folder / "good.key",
            ca=folder / CA_FILE,
            client_ca=folder / CA_FILE,
            client_certificate=folder / CLIENT,
        ),
    )
    with running(house), _asking(folder, house.port) as practices:
        yield practices


@contextmanager
def _asking(folder: Path, port: int) -> Iterator[Practices]:
    with ExitStack() as stack:
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        session.verify, session.cert = str(folder / CA_FILE), str(folder / CLIENT)
        yield Practices(folder, port, session, stack)


def _furnish(folder: Path) -> None:
    make_certificates(folder)
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "shared-key").write_text(f"{SHARED_KEY}\n")
    pair = (folder / "good.pem").read_bytes() + (folder / "good.key").read_bytes()
    (folder / CLIENT).write_bytes(pair)
