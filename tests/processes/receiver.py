"""A provider's server in a process of its own, which misbehaves as the path asks.

What enters: HTTPS posts to `/<conduct>` on this machine. What leaves: the conduct's answer,
and one line in `events.jsonl` for each step: `began` with the hash of what came and when, `kept`
once a transaction is taken in, `ended`. It takes each idempotency key in once only. Started by
`running_receiver`; asks nobody who they are.
"""

import hashlib
import json
import os
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.processes.certificates import CA_FILE, make_certificates
from tests.processes.children import start
from tests.processes.conducts import CONDUCTS, Given, reset

SERVERS = (
    "good",
    "elsewhere",
    "expired",
    "wrong-name",
    "other-ca",
    "never-shakes-hands",
    "hangs-up",
    "slow-to-shake-hands",
)
SLOW = timedelta(seconds=0.8)
"""How long a message waits at the last of them, once it has `called`, before a byte may leave."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """A running receiver, as a test sees it."""

    folder: Path

    @property
    def ports(self) -> Mapping[str, int]:
        found: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        return found

    def address(self, conduct: str, server: str = "good") -> str:
        return f"https://localhost:{self.ports[server]}/{conduct}"

    def events(self, **wanted: str) -> list[dict[str, Any]]:
        """Return what happened so far, in order; only those with these values, if given."""
        lines = (self.folder / "events.jsonl").read_text().splitlines()
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [e for e in found if all(e[name] == value for name, value in wanted.items())]

    def await_event(self, **wanted: str) -> None:
        """Wait until something has happened."""
        until(lambda: bool(self.events(**wanted)))


def until(is_so: Callable[[], bool], *, seconds: float = 30, every: float = 0.02) -> None:
    """Wait until something is so.

    Raises:
        TimeoutError: it did not come to be.
    """
    last = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > last:
            msg = "it did not happen in time"
            raise TimeoutError(msg)
        time.sleep(every)


@contextmanager
def running_receiver(folder: Path) -> Iterator[Receiver]:
    """Run a receiver in a process of its own; its CA is CA_FILE in the folder."""
    make_certificates(folder)
    (folder / "events.jsonl").touch()
    process = start(receive, folder, log=folder / "receiver.log")
    try:
        until((folder / "ports.json").exists)
        yield Receiver(folder)
    finally:
        process.kill()
        process.join()


def receive(folder: Path) -> None:
    """Serve for ever on one port for each of SERVERS."""
    book = _Book(folder / "events.jsonl")
    ports: dict[str, int] = {}
    for name in SERVERS:
        server = _Server(("127.0.0.1", 0), _handler(name, book, _context(folder, name), ports))
        ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "ports.tmp").write_text(json.dumps(ports))
    (folder / "ports.tmp").rename(folder / "ports.json")
    threading.Event().wait()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


class _Book:
    """What happened, in order; and which keys were taken in, with the hash of their bytes."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)
        self._lock = threading.Lock()
        self._kept: dict[str, str] = {}
        self._attempts: dict[str, int] = {}

    def note(self, event: str, at: Mapping[str, Any]) -> None:
        with self._lock:
            self._write(event, at)

    def begin(self, at: Mapping[str, Any]) -> int:
        """Note that an attempt came; return which one of its key it is, from 1."""
        with self._lock:
            number = self._attempts[at["key"]] = self._attempts.get(at["key"], 0) + 1
            self._write("began", at)
            return number

    def keep(self, at: Mapping[str, Any]) -> bool:
        """Take a transaction in once; tell whether its bytes are those that came before."""
        with self._lock:
            before = self._kept.setdefault(at["key"], at["sha256"])
            is_same: bool = before == at["sha256"]
            self._write("kept" if is_same else "conflict", at)
            return is_same

    def _write(self, event: str, at: Mapping[str, Any]) -> None:
        os.write(self._file, json.dumps({"event": event, **at}).encode() + b"\n")


def _context(folder: Path, name: str) -> ssl.SSLContext | None:
    if name in ("never-shakes-hands", "hangs-up"):
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    is_good = name in ("elsewhere", "slow-to-shake-hands")
    chain = folder / ("good" if is_good else name)
    context.load_cert_chain(chain.with_suffix(".pem"), chain.with_suffix(".key"))
    return context


def _handler(
    server: str, book: _Book, context: ssl.SSLContext | None, ports: Mapping[str, int]
) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            line: socket.socket = self.request
            if context is None:
                book.note("began", _what(server, "", {}, b""))
                line.recv(65536)  # the caller's greeting
                if server == "never-shakes-hands":
                    line.recv(65536)  # until the caller goes away
                return
            is_slow = server == "slow-to-shake-hands"
            if is_slow:
                book.note("called", _what(server, "", {}, b""))
                time.sleep(SLOW.total_seconds())
            with suppress(OSError), context.wrap_socket(line, server_side=True) as secure:
                while _served(secure, server, book, ports) and not is_slow:
                    pass

    return Handler


def _served(line: ssl.SSLSocket, server: str, book: _Book, ports: Mapping[str, int]) -> bool:
    """Serve one request; tell whether the connection is good for another."""
    request = _read(line)
    if request is None:
        return False
    path, headers, body, came = request
    at = _what(server, path, headers, body) | came
    number = book.begin(at)
    given = Given(
        line=line,
        number=number,
        body=body,
        elsewhere=f"https://127.0.0.1:{ports['elsewhere']}/ok",
        keep=lambda: book.keep(at),
    )
    try:
        return CONDUCTS[path](given)
    except ConnectionAbortedError:
        reset(line)
        return False
    finally:
        book.note("ended", at)


def _what(server: str, path: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    return {
        "server": server,
        "path": path,
        "key": headers.get("idempotency-key", ""),
        "correlation": headers.get("x-correlation-id", ""),
        "sha256": hashlib.sha256(body).hexdigest(),
    }


def _read(line: ssl.SSLSocket) -> tuple[str, dict[str, str], bytes, dict[str, float]] | None:
    """Read one request; tell by this machine's monotonic clock when it began and ended to come."""
    received, first_at = b"", 0.0
    while b"\r\n\r\n" not in received:
        if not (more := line.recv(65536)):
            return None
        first_at = first_at or time.monotonic()
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (each.partition(":") for each in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    while len(body) < int(headers.get("content-length", "0")):
        if not (more := line.recv(65536)):
            return None
        body += more
    came = {"first_at": first_at, "last_at": time.monotonic()}
    return first.split(" ")[1].removeprefix("/"), headers, body, came


__all__ = ["CA_FILE", "Receiver", "running_receiver", "until"]
