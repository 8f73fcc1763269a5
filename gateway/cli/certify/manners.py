"""Ways to send that a network may have, and that an endpoint must bear: lost, cut off, slow.

What enters: a posting as production would make it. What leaves: its bytes over a line of our own,
in one of these manners. Of an answer only its status is read. Must never: wait beyond the deadline.
"""

import re
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from gateway.errors import DestinationUnreachableError, NoReplyError
from gateway.outbound.https_line import Answer, Posting

_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[^\r\n]*\r?\n")
_MOST_HEAD = 65536
_HTTPS_PORT = 443
_DRIPPED = 10
"""Bytes at the end of a message that a slow sender sends one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawLine:
    """Makes connections. `connect` bounds one and its handshake, in seconds."""

    certificates: Path
    credentials: Path
    connect: float

    def context(self, posting: Posting) -> ssl.SSLContext:
        """Trust whom production trusts, and show the certificate that it shows."""
        trusted = self.certificates / posting.ca_file if posting.ca_file else DEFAULT_CA_BUNDLE_PATH
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(trusted)
        if posting.client_certificate:
            own = self.credentials / posting.client_certificate
            context.load_cert_chain(own, password=lambda: "")
        return context

    def joined(self, posting: Posting) -> socket.socket:
        """Make a connection, without TLS yet."""
        host, port = _where(posting)
        return socket.create_connection((host, port), timeout=self.connect)

    @contextmanager
    def opened(
        self, posting: Posting, deadline: float, context: ssl.SSLContext | None = None
    ) -> Iterator["Socket"]:
        """Make a connection under TLS.

        Raises:
            OSError: there is none.
        """
        made = context or self.context(posting)
        with (
            self.joined(posting) as line,
            made.wrap_socket(line, server_hostname=_where(posting)[0]) as secure,
        ):
            yield Socket(secure, deadline)


class Socket:
    """A line under TLS whose every wait ends at a deadline."""

    def __init__(self, line: ssl.SSLSocket, deadline: float) -> None:
        self.line = line
        self._deadline = deadline
        self._received = b""

    def send(self, data: bytes) -> None:
        """Send all of it."""
        rest = memoryview(data)
        while rest:
            self._wait_at_most(None)
            rest = rest[self.line.send(rest[:65536]) :]

    def status(self, wait: float | None = None) -> int | None:
        """Read until the status of an answer is known; None: none came in so many seconds.

        Raises:
            OSError: the line broke, or was closed; TimeoutError where the deadline passed.
        """
        until = None if wait is None else time.monotonic() + wait
        while (found := self._status()) is None:
            self._wait_at_most(until)
            try:
                more = self.line.recv(65536)
            except TimeoutError:
                if until is not None and time.monotonic() >= until:
                    return None
                raise
            self._received += more
            if not more or len(self._received) > _MOST_HEAD:
                msg = "the line was closed without an answer"
                raise ConnectionError(msg)
        return found

    def reset(self) -> None:
        """Break the line off, as a network does."""
        self.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.line.close()

    def _status(self) -> int | None:
        """Find the status of the first answer that is more than `go on`."""
        for found in _STATUS.finditer(self._received):
            if int(found[1]) >= HTTPStatus.OK:
                return int(found[1])
        return None

    def _wait_at_most(self, until: float | None) -> None:
        last = self._deadline if until is None else min(until, self._deadline)
        if self._deadline <= time.monotonic():
            raise TimeoutError
        self.line.settimeout(max(last - time.monotonic(), 0.001))


def _where(posting: Posting) -> tuple[str, int]:
    url = urlsplit(posting.address)
    return url.hostname or "", url.port or _HTTPS_PORT


def written(posting: Posting) -> tuple[bytes, bytes]:
    """Write a request as it goes over the line: its head, its body."""
    url = urlsplit(posting.address)
    body = posting.body or b""
    headers = {
        "Host": url.netloc,
        "Accept-Encoding": "identity",
        **posting.headers,
        "Content-Length": str(len(body)),
    }
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"{posting.method} {target} HTTP/1.1\r\n{lines}\r\n".encode("latin-1"), body


@dataclass(slots=True)
class Manner:
    """A way to send.

    `early`: the status that came before the last byte was sent. `is_whole`: a slow one was sent
    to its end.
    """

    raw: RawLine
    way: Callable[["Manner", Socket, bytes, bytes], int | None]
    drip: float = 0.0
    early: int | None = None
    is_whole: bool = False

    def __call__(self, posting: Posting, deadline: float) -> Answer:
        """Send a posting so; see `trial.Act`."""
        has_begun = False
        try:
            with self.raw.opened(posting, deadline) as line:
                has_begun = True
                status = self.way(self, line, *written(posting))
        except OSError as error:
            if not has_begun:
                raise DestinationUnreachableError("there was no connection") from error
            raise NoReplyError("the line broke, or its time ended") from error
        if status is None:
            raise NoReplyError("we hung up")
        return Answer(status=status, headers={}, body=b"")


def hang_up_at_once(_manner: Manner, line: Socket, head: bytes, body: bytes) -> None:
    """Send all of it, and go away before any answer."""
    line.send(head + body)
    time.sleep(0.05)  # what was sent is on its way before the line is gone


def hang_up_on_answer(_manner: Manner, line: Socket, head: bytes, body: bytes) -> None:
    """Send all of it, wait until the answer begins, and go away without it."""
    line.send(head + body)
    line.status()
    line.reset()


def break_off(_manner: Manner, line: Socket, head: bytes, body: bytes) -> None:
    """Send half of it, and break the line off."""
    line.send(head + body[: len(body) // 2])
    time.sleep(0.05)
    line.reset()


def drip(manner: Manner, line: Socket, head: bytes, body: bytes) -> int | None:
    """Send all but the end at once, the end byte by byte; then read the answer."""
    last = max(len(body) - _DRIPPED, 0)
    line.send(head + body[:last])
    for at in range(last, len(body)):
        manner.early = line.status(manner.drip)
        if manner.early is not None:
            return manner.early
        line.send(body[at : at + 1])
    manner.is_whole = True
    return line.status()
