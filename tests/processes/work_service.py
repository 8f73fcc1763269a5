"""The Health and Work service in a process of its own, which misbehaves as the path asks.

What enters: HTTPS posts to `/<conduct>` on this machine. What leaves: the conduct's answer, and
one line in `events.jsonl` for each message that came. It holds each body against the schema
itself, takes each message in once, by its Idempotency-Key and its MessageId, and none whose
Withdrawal came first. Started by `running_service`.
"""

import hashlib
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lxml import etree

from tests.processes.certificates import make_certificates
from tests.processes.children import start
from tests.processes.conducts import CANARY
from tests.processes.receiver import until

SCHEMA = Path(__file__).parents[2] / "mappings" / "health-and-work" / "health-and-work.xsd"
SPACE = "https://fhir.referral-gateway.example/xml/health-and-work/1"
OTHER_ID = "99999999-9999-4999-8999-999999999999"


@dataclass(frozen=True, slots=True)
class WorkService:
    """A running service, as a test sees it."""

    folder: Path

    def address(self, conduct: str) -> str:
        port = (self.folder / "port").read_text()
        return f"https://localhost:{port}/{conduct}"

    def events(self, **wanted: Any) -> list[dict[str, Any]]:
        """Return what came so far, in order; only those with these values, if given."""
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [e for e in found if all(e[name] == value for name, value in wanted.items())]


@contextmanager
def running_service(folder: Path) -> Iterator[WorkService]:
    """Run the service in a process of its own; its CA is CA_FILE in the folder."""
    make_certificates(folder)
    (folder / "events.jsonl").touch()
    process = start(serve, folder, log=folder / "service.log")
    try:
        until((folder / "port").exists)
        yield WorkService(folder)
    finally:
        process.kill()
        process.join()


def serve(folder: Path) -> None:
    """Serve for ever."""
    book = _Book(folder / "events.jsonl")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(book))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "good.pem", folder / "good.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    (folder / "port.new").write_text(str(server.server_address[1]))
    (folder / "port.new").rename(folder / "port")
    server.serve_forever()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered."""

    status: int
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message that came. `root` None: its body is not valid."""

    key: str
    body: bytes
    root: etree._Element | None

    def text(self, name: str) -> str:
        found = None if self.root is None else self.root.find(f".//{{{SPACE}}}{name}")
        return "" if found is None else found.text or ""


class _Book:
    """What was taken in, and what came."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._schema = etree.XMLSchema(etree.parse(str(SCHEMA)))
        self._taken: dict[str, str] = {}
        self._withdrawn: set[str] = set()

    def read(self, key: str, body: bytes) -> Message:
        with self._lock:
            try:
                root = etree.fromstring(body)
            except etree.XMLSyntaxError:
                return Message(key=key, body=body, root=None)
            return Message(key=key, body=body, root=root if self._schema.validate(root) else None)

    def take(self, message: Message) -> str:
        """Take a message in, once; tell what the Receipt says."""
        reference = message.text("Reference")
        if message.root is None:
            return "<Rejected>not-valid</Rejected>"
        with self._lock:
            names = {message.key, message.text("MessageId")}
            if names & self._taken.keys():
                same = {self._taken.get(name) for name in names} == {_hash(message.body)}
                return "<Duplicate/>" if same else "<Rejected>not-valid</Rejected>"
            if message.root.tag == f"{{{SPACE}}}Withdrawal":
                self._withdrawn.add(reference)
            elif reference in self._withdrawn:
                return "<Rejected>withdrawn</Rejected>"
            self._taken |= dict.fromkeys(names, _hash(message.body))
            return "<Accepted/>"

    def note(self, conduct: str, headers: Mapping[str, str], message: Message, said: str) -> None:
        event = {
            "conduct": conduct,
            "key": message.key,
            "request": headers["X-Request-Id"],
            "correlation": headers["X-Correlation-Id"],
            "type": headers["Content-Type"],
            "sha256": _hash(message.body),
            "is_valid": message.root is not None,
            "said": said,
        }
        with self._lock, self._path.open("a") as book:
            book.write(json.dumps(event) + "\n")


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _handler(book: _Book) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            conduct = self.path.removeprefix("/")
            message = book.read(self.headers["Idempotency-Key"], body)
            reply = CONDUCTS[conduct](message, book)
            book.note(conduct, dict(self.headers), message, reply.body[:500].decode("latin-1"))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as the parent's
            """Keep quiet."""

    return Handler


Conduct = Callable[[Message, _Book], Reply]


def _reply(status: int, body: bytes | str, **headers: str) -> Reply:
    whole = body.encode() if isinstance(body, str) else body
    named = {"Content-Type": "application/xml"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=whole, headers=named)


def receipt(message: Message, inner: str, *, message_id: str | None = None) -> str:
    name = message.text("MessageId") if message_id is None else message_id
    return (
        f'<?xml version="1.0"?><Receipt xmlns="{SPACE}" version="1.0">'
        f"<MessageId>{name}</MessageId>{inner}</Receipt>"
    )


def _take(message: Message, book: _Book) -> Reply:
    said = book.take(message)
    status = 422 if "Rejected" in said else 200
    if message.root is None:
        return _reply(status, receipt(message, said, message_id=message.key))
    return _reply(status, receipt(message, said))


def _takes_and_hangs_once(message: Message, book: _Book) -> Reply:
    reply = _take(message, book)
    if b"Accepted" in reply.body:
        time.sleep(3)
    return reply


def _say(status: int, inner: str, **headers: str) -> Conduct:
    return lambda message, _: _reply(status, receipt(message, inner), **headers)


def _send(status: int, body: bytes | str, **headers: str) -> Conduct:
    return lambda _, __: _reply(status, body, **headers)


def _other(message: Message, _: _Book) -> Reply:
    return _reply(200, receipt(message, "<Accepted/>", message_id=OTHER_ID))


def _with_doctype(message: Message, _: _Book) -> Reply:
    declared = '?><!DOCTYPE Receipt [<!ENTITY a "b">]><'
    return _reply(200, receipt(message, "<Accepted/>").replace("?><", declared, 1))


def _laughing(message: Message, _: _Book) -> Reply:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    declared = f'?><!DOCTYPE Receipt [<!ENTITY l0 "ha">{levels}]><'
    said = receipt(message, "<Rejected>&l11;</Rejected>")
    return _reply(200, said.replace("?><", declared, 1))


def _foreign(message: Message, _: _Book) -> Reply:
    return _reply(200, receipt(message, "<Accepted/>").replace(SPACE, "https://x.example"))


def _huge(message: Message, _: _Book) -> Reply:
    return _reply(200, receipt(message, "<Accepted/>") + " " * 1_000_000)


CONDUCTS: Mapping[str, Conduct] = {
    "ok": _take,
    "takes-and-hangs-once": _takes_and_hangs_once,
    "422-rejected": _say(422, "<Rejected>within-12-months</Rejected>"),
    "200-rejected": _say(200, "<Rejected>no-consent</Rejected>"),
    "409-duplicate": _say(409, "<Duplicate/>"),
    "400-accepted": _say(400, "<Accepted/>"),
    "500-accepted": _say(500, "<Accepted/>"),
    "500-rejected": _say(500, "<Rejected>other</Rejected>"),
    "503": _say(503, "<Rejected>other</Rejected>", Retry_After="120"),
    "429": _send(429, CANARY, Retry_After="7"),
    "400-html": _send(400, f"<html>{CANARY}</html>"),
    "404-empty": _send(404, b""),
    "301": _send(301, b"", Location="https://127.0.0.1:1/ok"),
    "200-empty": _send(200, b""),
    "200-html": _send(200, f"<html>{CANARY}</html>"),
    "200-json": _send(200, b'{"accepted": true}'),
    "200-other": _other,
    "200-foreign": _foreign,
    "200-doctype": _with_doctype,
    "200-laughing": _laughing,
    "200-huge": _huge,
    "200-own-words": _say(200, f"<Rejected>{CANARY}</Rejected>"),
    "200-two": _say(200, "<Accepted/><Rejected>other</Rejected>"),
}
