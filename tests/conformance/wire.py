"""A gateway in a process of its own, and a client that sends bytes no good client would.

What enters: raw requests. What leaves: the answer, and what it cost the server: CPU seconds
and additional memory, read from /proc of the one worker process (Linux).
"""

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.conformance.messages import Door, Format, headers_for
from tests.conformance.outcomes import stored
from tests.processes.installation import Installation, message

SERVICE: Final = "nobody"
_PATIENCE: Final = 60
"""Seconds that the client waits for an answer."""

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PEAK_RESET: Final = "5"
"""What resets VmHWM when written to /proc/PID/clear_refs. Source: proc(5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Bytes for the wire. `length` None: chunked; a number: what Content-Length claims."""

    body: bytes = b""
    headers: Mapping[str, str | None] = field(default_factory=dict)
    path: str | None = None
    method: str = "POST"
    length: int | str | None = -1
    raw_headers: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back; `status` 0: the line was cut without an answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a request cost the worker process."""

    cpu_seconds: float
    memory_bytes: int


class Server:
    """One running gateway with one worker process."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self.worker = self._find_worker()

    def _find_worker(self) -> int:
        """The only child of the process that listens."""
        parent = self._installation.children[0].pid
        (child,) = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return int(child)

    def is_same_process(self) -> bool:
        """Whether the worker that was there at first still serves."""
        return self._find_worker() == self.worker

    def accepts_a_good_message(self) -> bool:
        """Post a good referral; a server that was hurt would not take it."""
        reply = self._installation.post(SERVICE, body=message(self._installation.services[SERVICE]))
        return reply.status_code == 201

    def rows(self) -> dict[str, int]:
        """How many rows each table has that holds anything of a referral."""
        return stored(self._installation.gateway.store)

    def post(self, door: Door, form: Format, request: Request) -> tuple[Reply, Cost]:
        """Send one request, and measure what it costs the worker."""
        given: dict[str, str | None] = dict(headers_for(door, form))
        given |= {"Authorization": f"Bearer {self._installation.token}"} | dict(request.headers)
        path = request.path or f"/FHIR/R4{door}"
        data = _written(request, path, given)
        proc = Path(f"/proc/{self.worker}")
        (proc / "clear_refs").write_text(_PEAK_RESET)
        memory, cpu = _status(proc, "VmRSS"), _cpu(proc)
        reply = _exchange(self._installation.port, data)
        cost = Cost(
            cpu_seconds=_cpu(proc) - cpu, memory_bytes=max(0, _status(proc, "VmHWM") - memory)
        )
        return reply, cost


def _written(request: Request, path: str, headers: Mapping[str, str | None]) -> bytes:
    lines = [f"{request.method} {path} HTTP/1.1".encode("latin-1"), b"Host: localhost"]
    lines += [
        f"{name}: {text}".encode("latin-1") for name, text in headers.items() if text is not None
    ]
    lines += request.raw_headers
    body = request.body
    if request.length is None:
        lines.append(b"Transfer-Encoding: chunked")
        body = _chunked(body)
    elif request.length != "":
        claimed = len(body) if request.length == -1 else request.length
        lines.append(f"Content-Length: {claimed}".encode())
    lines.append(b"Connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _chunked(body: bytes, size: int = 65_536) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def _exchange(port: int, data: bytes) -> Reply:
    """Send everything, say that no more will come, and read what is answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as line:
        with suppress(OSError):  # the server may answer and hang up before it has read it all
            line.sendall(data)
            line.shutdown(socket.SHUT_WR)
        received = b""
        with suppress(ConnectionError):
            while part := line.recv(65_536):
                received += part
    head, _, body = received.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    if not first:
        return Reply(status=0, headers={}, body=b"")
    pairs = (each.partition(":") for each in rest)
    headers = {name.strip().lower(): text.strip() for name, _, text in pairs}
    return Reply(status=int(first.split()[1]), headers=headers, body=body)


def _cpu(proc: Path) -> float:
    fields = (proc / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _status(proc: Path, name: str) -> int:
    for line in (proc / "status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)
