"""A provider's server that answers at once, in a process of its own, over TLS.

What enters: transactions by HTTPS. What leaves: a 200 with an answer for every entry, and a line
in `arrived` for each: the idempotency key and when the answer had left, on the clock that all
processes of a machine share. It keeps nothing and checks nothing, so that the time of a delivery
is the gateway's. Two more ports never answer: `hangs` takes a connection and says nothing,
`refuses` takes none.
"""

import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.processes.certificates import make_certificates
from tests.processes.children import kill, start
from tests.processes.receiver import Receiver, until

_ENTRY = b'{"response":{"status":"201 Created"}}'
_OUTER = b'{"resourceType":"Bundle","type":"transaction-response","entry":[%s]}'


@dataclass(frozen=True, slots=True)
class QuickReceiver(Receiver):
    """A running one. `pid` is its process."""

    pid: int = 0

    def arrived(self) -> dict[str, float]:
        """Tell when each delivery was answered first, by `time.monotonic`, by idempotency key."""
        found: dict[str, float] = {}
        for line in (self.folder / "arrived").read_text().splitlines():
            key, _, at = line.partition(" ")
            found.setdefault(key, float(at))
        return found

    def forget(self) -> None:
        """Begin anew."""
        os.truncate(self.folder / "arrived", 0)


@contextmanager
def quick_receiver(folder: Path) -> Iterator[QuickReceiver]:
    """Run one in a process of its own."""
    make_certificates(folder)
    (folder / "arrived").touch()
    process = start(_receive, folder, log=folder / "receiver.log")
    try:
        until((folder / "ports.json").exists)
        yield QuickReceiver(folder, pid=process.pid or 0)
    finally:
        kill(process)


def _receive(folder: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "good.pem", folder / "good.key")
    book = os.open(folder / "arrived", os.O_WRONLY | os.O_APPEND)
    good, hangs, refuses = socket.socket(), socket.socket(), socket.socket()
    for each in (good, hangs, refuses):
        each.bind(("127.0.0.1", 0))
    good.listen(256)
    hangs.listen(256)
    ports = {"good": good, "hangs": hangs, "refuses": refuses}
    text = json.dumps({name: each.getsockname()[1] for name, each in ports.items()})
    (folder / "ports.tmp").write_text(text)
    (folder / "ports.tmp").rename(folder / "ports.json")
    while True:
        line, _ = good.accept()
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve, args=(line, context, book), daemon=True).start()


def _serve(line: socket.socket, context: ssl.SSLContext, book: int) -> None:
    with suppress(OSError), context.wrap_socket(line, server_side=True) as secure:
        while taken := _read(secure):
            head, body = taken
            answers = _OUTER % b",".join([_ENTRY] * body.count(b'"fullUrl"'))
            start_line = b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n"
            secure.sendall(start_line + b"Content-Length: %d\r\n\r\n" % len(answers) + answers)
            key = _header(head, b"\r\nidempotency-key:").decode()
            os.write(book, f"{key} {time.monotonic():.6f}\n".encode())


def _read(line: ssl.SSLSocket) -> tuple[bytes, bytes] | None:
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := line.recv(65536)):
            return None
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(_header(head, b"\r\ncontent-length:") or b"0")
    while len(body) < length:
        if not (more := line.recv(65536)):
            return None
        body += more
    return head, body


def _header(head: bytes, name: bytes) -> bytes:
    at = head.lower().find(name)
    return b"" if at < 0 else head[at + len(name) :].partition(b"\r\n")[0].strip()
