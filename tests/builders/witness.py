"""A witness, written from c2sp.org/tlog-witness and tlog-cosignature alone.

It imports nothing of the gateway: what the two must agree on is in those texts. `Notary` is the
witness itself; it keeps what it cosigned last in a file, so that it can be started again.
`served` puts it, or any other conduct, behind HTTP on this machine, under TLS where a
certificate is given. A conduct takes the request's bytes and the bare connection, so that it can
misbehave below HTTP as well.
"""

import base64
import hashlib
import json
import re
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BufferedIOBase
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SIZE = re.compile("0|[1-9][0-9]*", re.ASCII)
TEXT, SIZE_TYPE = "text/plain; charset=utf-8", "text/x.tlog.size"
Answer = tuple[int, str, bytes]
"""Status, content type and body."""


class Refused(Exception):  # noqa: N818  # not an error: an answer
    def __init__(self, status: int, body: str = "", content_type: str = TEXT) -> None:
        super().__init__(status)
        self.answer: Answer = (status, content_type, body.encode())


@dataclass
class Notary:
    """An honest witness. `logs`: by origin, the vkeys that it trusts. `state`: its file."""

    state: Path
    logs: dict[str, list[str]] = field(default_factory=dict)
    name: str = "witness.example/w1"
    seed: bytes = b"w" * 32
    now: int = 1_795_338_000
    requests: list[bytes] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def vkey(self) -> str:
        return f"{self.name}+{self._key_id.hex()}+{_b64(bytes([4]) + self._public)}"

    @property
    def seen(self) -> dict[str, tuple[int, str]]:
        """By origin, the size and the root (base64) that were cosigned last."""
        if not self.state.exists():
            return {}
        told = json.loads(self.state.read_text())
        return {origin: (size, root) for origin, (size, root) in told.items()}

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def _public(self) -> bytes:
        return self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def _key_id(self) -> bytes:
        return key_id(self.name, 4, self._public)

    def answer(self, request: bytes) -> Answer:
        """Answer one add-checkpoint."""
        with self.lock:
            self.requests.append(request)
            try:
                return 200, TEXT, self._added(request).encode()
            except Refused as refused:
                return refused.answer

    def _added(self, request: bytes) -> str:
        old, proof, note = _request(request)
        text, origin, size, root = self._trusted(note)
        if old > size:
            raise Refused(400)
        known, known_root = self.seen.get(origin, (0, _b64(hashlib.sha256().digest())))
        if old != known:
            raise Refused(409, f"{known}\n", SIZE_TYPE)
        if old == size and base64.b64decode(known_root) != root:
            raise Refused(409, f"{known}\n", SIZE_TYPE)
        if not grows(old, base64.b64decode(known_root), size, root, proof):
            raise Refused(422)
        self._keep(origin, size, root)
        return self.line(text)

    def _trusted(self, note: str) -> tuple[str, str, int, bytes]:
        text, _, lines = note.rpartition("\n\n")
        text += "\n"
        parts = text.split("\n")
        if len(parts) < 4 or not SIZE.fullmatch(parts[1]):
            raise Refused(400)
        origin, size, root = parts[0], int(parts[1]), _hash(parts[2])
        if origin not in self.logs:
            raise Refused(404)
        if not any(signed(text, lines, vkey) for vkey in self.logs[origin]):
            raise Refused(403)
        return text, origin, size, root

    def _keep(self, origin: str, size: int, root: bytes) -> None:
        """Persist before answering."""
        beside = self.state.with_suffix(".writing")
        beside.write_text(json.dumps(self.seen | {origin: (size, _b64(root))}))
        beside.replace(self.state)

    def line(self, text: str) -> str:
        """Cosign a checkpoint's text, whatever it says."""
        message = f"cosignature/v1\ntime {self.now}\n{text}".encode()
        value = self._key_id + self.now.to_bytes(8, "big") + self._private.sign(message)
        return f"\N{EM DASH} {self.name} {_b64(value)}\n"


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


def signed(text: str, lines: str, vkey: str) -> bool:
    """Whether one of the lines is this Ed25519 key's, and holds; others are passed over."""
    name, _, rest = vkey.partition("+")
    told_id, _, key = rest.partition("+")
    public = base64.b64decode(key)[1:]
    for line in lines.splitlines():
        _, signer, value = line.split(" ")
        raw = base64.b64decode(value)
        if (signer, raw[:4].hex()) == (name, told_id):
            with suppress(InvalidSignature):
                Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], text.encode())
                return True
    return False


def grows(old: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Check a consistency proof by the recursion that makes it. Source: RFC 6962, 2.1.2.

    It is walked from its end: each step down the tree takes the node beside it.
    """
    if old == 0:
        return not proof
    if old == size:
        return not proof and old_root == root
    left = list(proof)
    try:
        found_old, found = _walk(old, size, left, old_root, known=True)
    except IndexError:
        return False
    return not left and (found_old, found) == (old_root, root)


def _walk(
    old: int, size: int, proof: list[bytes], old_root: bytes, *, known: bool
) -> tuple[bytes, bytes]:
    """Return the roots, old and new, of a subtree of `size` whose first `old` leaves are old."""
    if old == size:
        node = old_root if known else proof.pop(0)
        return node, node
    half = 1 << (size - 1).bit_length() - 1
    if old <= half:
        beside = proof.pop()
        before, after = _walk(old, half, proof, old_root, known=known)
        return before, _node(after, beside)
    beside = proof.pop()
    before, after = _walk(old - half, size - half, proof, old_root, known=False)
    return _node(beside, before), _node(beside, after)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _request(body: bytes) -> tuple[int, list[bytes], str]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Refused(400) from None
    head, _, note = text.partition("\n\n")
    first, *lines = head.split("\n")
    size = first.removeprefix("old ")
    if not first.startswith("old ") or not SIZE.fullmatch(size) or len(lines) > 63:
        raise Refused(400)
    return int(size), [_hash(line) for line in lines], note


def _hash(line: str) -> bytes:
    try:
        value = base64.b64decode(line, validate=True)
    except ValueError:
        raise Refused(400) from None
    if len(value) != 32:
        raise Refused(400)
    return value


def _b64(value: bytes) -> str:
    return base64.b64encode(value).decode()


Conduct = Callable[[bytes, BufferedIOBase], None]
"""What answers: it is handed the request's body, and a file that writes to the connection."""


def http(status: int, body: bytes = b"", content_type: str = TEXT, **headers: str) -> bytes:
    """Write an answer as it goes over the line."""
    told = {"Content-Type": content_type, "Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status} it\r\n{lines}\r\n".encode() + body


def says(answer: bytes) -> Conduct:
    """Always say the same bytes."""

    def conduct(request: bytes, line: BufferedIOBase) -> None:
        line.write(answer)

    return conduct


def honest(notary: Notary) -> Conduct:
    def conduct(request: bytes, line: BufferedIOBase) -> None:
        status, content_type, body = notary.answer(request)
        line.write(http(status, body, content_type))

    return conduct


@dataclass
class Served:
    """A conduct behind HTTP. `paths` are those that were asked for, in order."""

    url: str
    paths: list[str]


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, conduct: Conduct, context: ssl.SSLContext | None) -> None:
        self.conduct, self.context = conduct, context
        self.paths: list[str] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def setup(self) -> None:
        if self.server.context is not None:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        while (first := self.rfile.readline()).strip():
            self.server.paths.append(first.decode().split(" ")[1])
            length = 0
            while (header := self.rfile.readline().strip()) != b"":
                name, _, value = header.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            self.server.conduct(self.rfile.read(length), self.wfile)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.request.close()


@contextmanager
def served(conduct: Conduct, *, certificate: Path | None = None) -> Iterator[Served]:
    """Serve a conduct in threads of its own; `certificate` is a PEM file beside its `.key`."""
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with _Server(conduct, context) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        own = "http://127.0.0.1" if context is None else "https://localhost"
        try:
            yield Served(url=f"{own}:{server.server_address[1]}", paths=server.paths)
        finally:
            server.shutdown()
