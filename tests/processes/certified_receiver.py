"""Providers' servers that de-duplicate, in a process of their own: a good one, one for each defect.

What enters: HTTPS at `/<name>`, where the name is `good` or a defect's. What leaves: what a FHIR
server answers that takes transactions, with its search by identifier. Each name has a memory of
its own. Started by `running_certified_receiver`; asks nobody who they are.
"""

import json
import re
import socket
import socketserver
import ssl
import threading
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from tests.processes.certificates import CA_FILE, make_certificates
from tests.processes.children import start
from tests.processes.receiver import until

Tree = dict[str, Any]
Reply = tuple[int, Tree]
FHIR_JSON = "application/fhir+json"


@dataclass(slots=True)
class Line:
    """One connection: what came over it last, and how many new referrals in a row."""

    socket: ssl.SSLSocket
    last_key: str = ""
    in_a_row: int = 0

    @property
    def pause(self) -> float:
        """How long to dawdle where that matters: at what comes first over a line."""
        return 0.0 if self.last_key else 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; `tree` is its body, once it was read as JSON."""

    line: Line
    headers: Mapping[str, str]
    body: bytes
    tree: Tree = field(default_factory=dict)

    @property
    def key(self) -> str:
        return self.headers.get("idempotency-key") or self.headers.get("x-request-id", "")

    @property
    def resources(self) -> list[Tree]:
        return [entry["resource"] for entry in self.tree["entry"]]

    @property
    def is_abort(self) -> bool:
        code: str = self.resources[0]["code"]["coding"][0]["code"]
        return code == "abort"

    @property
    def reference(self) -> str:
        value: str = self.resources[0]["groupIdentifier"]["value"]
        return value


def outcome(code: str) -> Tree:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}


class Good:
    """Takes each message once, however it comes."""

    name: ClassVar[str] = "good"
    honours_conditions: ClassVar[bool] = True

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.answers: dict[str, Reply] = {}
        self.kept: dict[tuple[str, str], list[tuple[str, Tree]]] = {}

    def begin(self, key: str) -> Reply | None:
        """See the head of a request; answer at once, or go on."""
        return None

    def read(self, line: Line, body: bytes, length: int) -> bytes | None:
        """Read the rest of a body; None: the caller went away."""
        while len(body) < length:
            if not (more := line.socket.recv(65536)):
                return None
            body += more
        return body

    def post(self, asked: Asked) -> Reply:
        if not asked.headers.get("content-type", "").startswith(FHIR_JSON):
            return self.take_other_media_type(asked)
        try:
            tree = json.loads(asked.body)
        except ValueError:
            return self.refuse_malformed()
        known = Asked(line=asked.line, headers=asked.headers, body=asked.body, tree=tree)
        reply = self.take(known)
        asked.line.last_key = asked.key
        return reply

    def take_other_media_type(self, asked: Asked) -> Reply:
        return 415, outcome("not-supported")

    def refuse_malformed(self) -> Reply:
        return 400, outcome("structure")

    def take(self, asked: Asked) -> Reply:
        with self.lock:
            if asked.key not in self.answers:
                self.answers[asked.key] = self.carry_out(asked)
            return self.answers[asked.key]

    def carry_out(self, asked: Asked) -> Reply:
        """Keep what is not there yet."""
        answers = []
        for entry in asked.tree["entry"]:
            resource, condition = entry["resource"], entry["request"].get("ifNoneExist", "")
            name = (resource["resourceType"], condition.removeprefix("identifier="))
            there = self.kept.setdefault(name, []) if condition else []
            if there and self.honours_conditions:
                status = "200 OK"
            else:
                there.append((str(uuid.uuid4()), resource))
                status = "201 Created"
            location = f"{resource['resourceType']}/{there[-1][0]}/_history/1"
            answers.append({"response": {"status": status, "location": location}})
        return 200, {"resourceType": "Bundle", "type": "transaction-response", "entry": answers}

    def search(self, kind: str, token: str) -> Reply:
        found = self.kept.get((kind, token), [])
        entries = [{"resource": {**resource, "id": id_}} for id_, resource in found]
        return 200, {"resourceType": "Bundle", "type": "searchset", "entry": entries}


class WithoutSearch(Good):
    name = "without-search"

    def search(self, kind: str, token: str) -> Reply:
        return 404, outcome("not-supported")


class Conflicts(Good):
    """Answers a repeat with 409 duplicate, as BaRS does."""

    name = "says-duplicate"

    def take(self, asked: Asked) -> Reply:
        with self.lock:
            is_known = asked.key in self.answers
            reply = super().take(asked)
            return (409, outcome("duplicate")) if is_known else reply


class CreatesOthersAgain(Good):
    """Knows no Idempotency-Key: only conditional creation."""

    name = "without-keys"

    def take(self, asked: Asked) -> Reply:
        with self.lock:
            return self.carry_out(asked)


class Busy(Good):
    """Asks of each message that it come again in a moment."""

    name = "busy-at-first"

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def take(self, asked: Asked) -> Reply:
        with self.lock:
            if asked.key not in self.seen:
                self.seen.add(asked.key)
                return 429, outcome("throttled")
            return super().take(asked)


class GoodBars(Good):
    """Speaks BaRS: brings the message back with an id for its ServiceRequest."""

    name = "bars"

    def take(self, asked: Asked) -> Reply:
        with self.lock:
            if asked.key in self.answers:
                return 409, outcome("duplicate")
            self.answers[asked.key] = self.carry_out(asked)
            return self.answers[asked.key]

    def carry_out(self, asked: Asked) -> Reply:
        for resource in asked.resources:
            if resource["resourceType"] == "ServiceRequest":
                resource["id"] = str(uuid.uuid4())
        return 200, asked.tree


class BarsWithoutRecall(GoodBars):
    """Takes back only what it has."""

    name = "bars-knows-its-own"

    def carry_out(self, asked: Asked) -> Reply:
        names = {each["fullUrl"] for each in asked.tree["entry"]}
        resources = asked.resources
        is_recall = any(each.get("status") == "revoked" for each in resources)
        if is_recall and not names & self.names:
            return 404, outcome("not-found")
        self.names |= names
        return super().carry_out(asked)

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()


class BarsLies(GoodBars):
    """Says success and brings nothing back."""

    name = "bars-lies"

    def carry_out(self, asked: Asked) -> Reply:
        return 200, outcome("informational")


class OldTls(Good):
    name = "old-tls"


class Redirects(Good):
    name = "no-redirect"

    def post(self, asked: Asked) -> Reply:
        return 307, outcome("processing")


class Refuses(Good):
    name = "accepts"

    def take(self, asked: Asked) -> Reply:
        return 422, outcome("business-rule")


class Lies(Good):
    name = "says-what-it-did"

    def take(self, asked: Asked) -> Reply:
        super().take(asked)
        return 200, outcome("exception")


class DoublesOnOneLine(Good):
    """De-duplicates between lines, but not on one of them."""

    name = "duplicate"
    honours_conditions = False

    def take(self, asked: Asked) -> Reply:
        if asked.line.last_key == asked.key and not asked.is_abort:
            self.answers.pop(asked.key, None)
        return super().take(asked)


class LooksThenKeeps(Good):
    """Looks whether it is there and keeps it then, and another does so in between."""

    name = "concurrent-duplicates"
    honours_conditions = False

    def take(self, asked: Asked) -> Reply:
        if asked.key in self.answers:
            return self.answers[asked.key]
        time.sleep(asked.line.pause)
        self.answers[asked.key] = self.carry_out(asked)
        return self.answers[asked.key]


class ForgetsLost(Good):
    """Forgets a key whose caller went away, but not what it kept under it."""

    name = "timeout-after-commit"
    honours_conditions = False

    def take(self, asked: Asked) -> Reply:
        reply = super().take(asked)
        time.sleep(asked.line.pause)
        if _is_gone(asked.line.socket):
            self.answers.pop(asked.key, None)
        return reply


class KnowsTheLastKey(Good):
    """Remembers no key but the last one."""

    name = "replay"
    honours_conditions = False

    def take(self, asked: Asked) -> Reply:
        with self.lock:
            self.answers = {k: v for k, v in self.answers.items() if k == asked.key}
            return super().take(asked)


class LocksKeys(Good):
    """Takes up a key with the head of a message, and never lets go of half of one."""

    name = "client-reset"

    def __init__(self) -> None:
        super().__init__()
        self.busy: set[str] = set()

    def begin(self, key: str) -> Reply | None:
        if key in self.busy:
            return 425, outcome("duplicate")
        self.busy.add(key)
        return None

    def post(self, asked: Asked) -> Reply:
        self.busy.discard(asked.key)
        return super().post(asked)


class RefusesOlder(Good):
    name = "out-of-order"
    newest: str = ""

    def take(self, asked: Asked) -> Reply:
        at = datetime.fromisoformat(asked.tree["timestamp"])
        if self.newest and datetime.fromisoformat(self.newest) - at > timedelta(days=1):
            return 409, outcome("conflict")
        self.newest = asked.tree["timestamp"]
        return super().take(asked)


class RefusesAbort(Good):
    name = "revoke"

    def take(self, asked: Asked) -> Reply:
        return (422, outcome("not-supported")) if asked.is_abort else super().take(asked)


class RefusesSecondAbort(Good):
    name = "revoke-again"

    def take(self, asked: Asked) -> Reply:
        if asked.is_abort and asked.key in self.answers:
            return 409, outcome("conflict")
        return super().take(asked)


class RefusesUnknownAbort(Good):
    name = "revoke-unknown"

    def take(self, asked: Asked) -> Reply:
        if asked.is_abort and not any(token.endswith(asked.reference) for _, token in self.kept):
            return 404, outcome("not-found")
        return super().take(asked)


class FailsOnLate(Good):
    """Fails where a referral comes that was aborted before."""

    name = "revoke-first"

    def __init__(self) -> None:
        super().__init__()
        self.aborted: set[str] = set()

    def take(self, asked: Asked) -> Reply:
        if asked.is_abort:
            self.aborted.add(asked.reference)
        elif asked.reference in self.aborted and asked.key not in self.answers:
            return 500, outcome("exception")
        return super().take(asked)


class Small(Good):
    name = "large"

    def post(self, asked: Asked) -> Reply:
        return (413, outcome("too-long")) if len(asked.body) > 200_000 else super().post(asked)


class Strict(Good):
    name = "unknown-extension"

    def take(self, asked: Asked) -> Reply:
        urls = re.findall(rb'"url":"https://supplier\.example/', asked.body)
        return (422, outcome("extension")) if urls else super().take(asked)


class TakesAnyMediaType(Good):
    name = "wrong-media-type"

    def take_other_media_type(self, asked: Asked) -> Reply:
        return self.post(
            Asked(
                line=asked.line,
                headers={**asked.headers, "content-type": FHIR_JSON},
                body=asked.body,
            )
        )


class FailsOnMalformed(Good):
    name = "malformed-json"

    def refuse_malformed(self) -> Reply:
        return 500, outcome("exception")


class Hasty(Good):
    """Answers success to whoever sends slowly, before all of it is there."""

    name = "slow-sender"

    def read(self, line: Line, body: bytes, length: int) -> bytes | None:
        while len(body) < length:
            line.socket.settimeout(0.05 if length - len(body) <= 10 else None)
            try:
                more = line.socket.recv(65536)
            except TimeoutError:
                _say(line, 200, outcome("informational"))
                return None
            if not more:
                return None
            body += more
        line.socket.settimeout(None)
        return body


class Late(Good):
    """Slows down once several referrals came in a row."""

    name = "answers-in-time"

    def take(self, asked: Asked) -> Reply:
        is_new = not asked.is_abort and asked.key not in self.answers
        asked.line.in_a_row = asked.line.in_a_row + 1 if is_new else 0
        if asked.line.in_a_row == 8:
            time.sleep(2.5)
        return super().take(asked)


GOOD = (Good, WithoutSearch, Conflicts, CreatesOthersAgain, Busy)
BARS = (GoodBars, BarsWithoutRecall, BarsLies)
DEFECTS = (
    OldTls, Redirects, Refuses, Lies, DoublesOnOneLine, LooksThenKeeps, ForgetsLost,
    KnowsTheLastKey, LocksKeys, RefusesOlder, RefusesAbort, RefusesSecondAbort,
    RefusesUnknownAbort, FailsOnLate, Small, Strict, TakesAnyMediaType, FailsOnMalformed,
    Hasty, Late,
)  # fmt: skip
"""One for each case but `certificate`; each is named as the case that it must fail."""
SERVERS = ("good", "wrong-name", "expired", "old-tls", "silent")


@dataclass(frozen=True, slots=True)
class CertifiedReceiver:
    """Running servers, as a test sees them."""

    folder: Path

    @property
    def ca_file(self) -> Path:
        return self.folder / CA_FILE

    def address(self, name: str) -> str:
        """Return the address of a server by its name, or by a kind of certificate."""
        ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        return f"https://localhost:{ports.get(name, ports['good'])}/{name}"

    def kept(self, name: str) -> list[Tree]:
        """Return what one of them keeps."""
        lines = (self.folder / "kept.jsonl").read_text().splitlines()
        return [each["tree"] for each in map(json.loads, lines) if each["name"] == name]


@contextmanager
def running_certified_receiver(folder: Path) -> Iterator[CertifiedReceiver]:
    """Run the servers in a process of their own."""
    make_certificates(folder)
    (folder / "kept.jsonl").touch()
    process = start(serve, folder, log=folder / "receiver.log")
    try:
        until((folder / "ports.json").exists)
        yield CertifiedReceiver(folder)
    finally:
        process.kill()
        process.join()


def serve(folder: Path) -> None:
    """Serve for ever, on one port for each of SERVERS."""
    minds = {kind.name: kind() for kind in (*GOOD, *BARS, *DEFECTS)}
    ports = {}
    log = (folder / "kept.jsonl").open("a")
    for name in SERVERS:
        handler = _handler(minds, _context(folder, name), log)
        server = _Server(("127.0.0.1", 0), handler)
        ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "ports.tmp").write_text(json.dumps(ports))
    (folder / "ports.tmp").rename(folder / "ports.json")
    threading.Event().wait()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def _context(folder: Path, name: str) -> ssl.SSLContext | None:
    if name == "silent":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    chain = folder / (name if name in ("wrong-name", "expired") else "good")
    context.load_cert_chain(chain.with_suffix(".pem"), chain.with_suffix(".key"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if name == "old-tls":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
        context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _handler(
    minds: Mapping[str, Good], context: ssl.SSLContext | None, log: Any
) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            plain: socket.socket = self.request
            if context is None:
                with suppress(OSError):
                    while plain.recv(65536):
                        pass
                return
            with suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
                line = Line(secure)
                while _served(line, minds, log):
                    pass

    return Handler


def _served(line: Line, minds: Mapping[str, Good], log: Any) -> bool:
    """Serve one request; tell whether the line is good for another."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (more := line.socket.recv(65536)):
            return False
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (each.partition(":") for each in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    method, target, _ = first.split(" ")
    url = urlsplit(target)
    name, _, kind = url.path.removeprefix("/").partition("/")
    mind = minds.get(name, minds["good"])
    if method == "GET":
        line.in_a_row = 0
        _say(line, *mind.search(kind, parse_qs(url.query)["identifier"][0]))
        return True
    early = mind.begin(headers.get("idempotency-key", ""))
    whole = mind.read(line, body, int(headers["content-length"]))
    if whole is None:
        return False
    with suppress(ValueError):
        log.write(json.dumps({"name": name, "tree": json.loads(whole)}) + "\n")
        log.flush()
    _say(line, *(early or mind.post(Asked(line=line, headers=headers, body=whole))))
    return True


def _say(line: Line, status: int, tree: Tree) -> None:
    body = json.dumps(tree).encode()
    extra = {307: "Location: /elsewhere\r\n", 429: "Retry-After: 0\r\n"}.get(status, "")
    head = f"HTTP/1.1 {status} So\r\nContent-Type: {FHIR_JSON}\r\nX-Request-Id: any\r\n{extra}"
    line.socket.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def _is_gone(line: ssl.SSLSocket) -> bool:
    line.settimeout(0)
    try:
        return not line.recv(1)
    except (ssl.SSLWantReadError, BlockingIOError):
        return False
    except OSError:
        return True
    finally:
        line.settimeout(None)
