"""A BaRS receiver in a process of its own, with the token endpoint of the platform before it.

What enters: HTTPS posts to `/<conduct>/$process-message`, or to `/secure/<conduct>/...`, which
asks for a token, and to `/token/<conduct>`. What leaves: what a real receiver answers (it
refuses what they refuse), or what the conduct says; and a line in `events.jsonl` for each step.
It shares no code with the gateway. Source: the NHS wire reference, 1.3, 1.12 to 1.15, 3.1.
"""

import hashlib
import json
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from tests.processes.bars_checks import TARGET, faults_of_headers, faults_of_message
from tests.processes.certificates import CA_FILE, make_certificates
from tests.processes.children import start
from tests.processes.conducts import CANARY
from tests.processes.receiver import Receiver, until

CLIENT, KEY_ID, KEY_FILE, CLIENT_FILE = "gateway-client", "gateway-1", "bars.key", "bars-client.pem"
SYSTEM = "https://fhir.nhs.uk/CodeSystem/http-error-codes"
Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BarsReceiver(Receiver):
    """A running receiver; its servers are `open`, and `mutual`, which asks who we are."""

    def address(self, conduct: str, server: str = "open") -> str:
        return f"https://localhost:{self.ports[server]}/{conduct}"

    def token_url(self, conduct: str = "ok") -> str:
        return f"https://localhost:{self.ports['open']}/token/{conduct}"


@contextmanager
def running_bars_receiver(folder: Path) -> Iterator[BarsReceiver]:
    """Run a receiver in a process of its own; certificates and keys are in the folder."""
    make_certificates(folder)
    key = RSAKey.generate_key(2048, {"kid": KEY_ID})
    (folder / KEY_FILE).write_bytes(key.as_pem(private=True))
    (folder / "registered.jwk").write_text(json.dumps(key.as_dict(private=False)))
    (folder / CLIENT_FILE).write_bytes(
        (folder / "good.pem").read_bytes() + (folder / "good.key").read_bytes()
    )
    (folder / "events.jsonl").touch()
    process = start(receive, folder, log=folder / "receiver.log")
    try:
        until((folder / "ports.json").exists)
        yield BarsReceiver(folder)
    finally:
        process.kill()
        process.join()


def receive(folder: Path) -> None:
    """Serve for ever."""
    world = _World(folder)
    ports = {}
    for name in ("open", "mutual"):
        own = type("Handler", (_Handler,), {"world": world})
        server = ThreadingHTTPServer(("127.0.0.1", 0), own)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "good.pem", folder / "good.key")
        if name == "mutual":
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(folder / CA_FILE)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    world.token_base = f"https://localhost:{ports['open']}"
    (folder / "ports.tmp").write_text(json.dumps(ports))
    (folder / "ports.tmp").rename(folder / "ports.json")
    threading.Event().wait()


@dataclass
class _World:
    """What the receiver remembers."""

    folder: Path
    token_base: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)
    taken: dict[str, str] = field(default_factory=dict)
    referrals: dict[str, Tree] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    assertions: set[str] = field(default_factory=set)

    def note(self, event: str, **at: Any) -> None:
        with self.lock, (self.folder / "events.jsonl").open("a") as file:
            file.write(json.dumps({"event": event, "key": "", "conduct": "", **at}) + "\n")


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: a status, a body, and headers beside it."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    has_ids: bool = True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: _World

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        said = self._answer(self.path.strip("/").split("/"), body)
        own = {n: self.headers.get(n, "") for n in ("X-Request-Id", "X-Correlation-Id")}
        named = {"Content-Type": "application/fhir+json", **(own if said.has_ids else {})}
        self.send_response(said.status)
        for name, value in (named | dict(said.headers)).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(said.body)))
        self.end_headers()
        self.wfile.write(said.body)

    def _answer(self, parts: list[str], body: bytes) -> Said:
        if parts[0] == "token":
            return token_answer(self.world, parts[1], self.headers, body)
        if parts[-1] != "$process-message":
            return outcome(404, "PROXY_NOT_FOUND", "not-found")
        key, sha256 = self.headers.get("X-Request-Id", ""), hashlib.sha256(body).hexdigest()
        self.world.note("began", key=key, sha256=sha256, headers=dict(self.headers.items()))
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if parts[0] == "secure" and token not in self.world.tokens:
            return outcome(401, "SEND_UNAUTHORIZED", "unknown")
        return behave(self.world, parts[-2], self.headers, body, key)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def behave(world: _World, conduct: str, headers: Any, body: bytes, key: str) -> Said:
    """Answer as the conduct asks; `ok` and what begins with it as the standard asks."""
    if conduct in CANNED:
        return CANNED[conduct]
    if conduct == "hangs":
        time.sleep(20)
    if conduct == "takes-and-hangs-once" and key not in world.taken:
        process(world, headers, body, key)
        time.sleep(20)
    said = process(world, headers, body, key)
    return changed(conduct, said) if said.status == 200 else said


def process(world: _World, headers: Any, body: bytes, key: str) -> Said:
    """Take a message, in the order in which receivers check."""
    if faults := faults_of_headers(headers):
        world.note("refused", key=key, faults=faults)
        return outcome(400, "SEND_BAD_REQUEST", "invalid")
    sha256 = hashlib.sha256(body).hexdigest()
    with world.lock:
        before = world.taken.get(key)
        if before is None:
            world.taken[key] = sha256
    if before is not None:
        return outcome(409, "REC_CONFLICT", "duplicate" if before == sha256 else "conflict")
    if not re.search(r"version=1\.", headers["Accept"]):
        return outcome(406, "REC_NOT_ACCEPTABLE", "processing")
    message = json.loads(body)
    if faults := faults_of_message(message):
        world.note("refused", key=key, faults=faults)
        return outcome(400, "SEND_BAD_REQUEST", "invariant")
    return take(world, message, key, sha256)


def take(world: _World, message: Tree, key: str, sha256: str) -> Said:
    """Take a referral in, or back; answer with the message and ids of our own."""
    parts = {e["resource"]["resourceType"]: e["resource"] for e in message["entry"]}
    request = parts["ServiceRequest"]
    name = json.dumps(request["identifier"][-1], sort_keys=True)
    if parts["MessageHeader"]["reason"]["coding"][0]["code"] == "update":
        known = world.referrals.get(name)
        if known is None:
            return outcome(404, "REC_NOT_FOUND", "not-found")
        if not [i for i in parts["Patient"]["identifier"] if i in known["identifier"]]:
            return outcome(422, "REC_UNPROCESSABLE_ENTITY", "business-rule")
    else:
        world.referrals[name] = parts["Patient"]
    world.note("kept", key=key, sha256=sha256, message=message)
    for entry in message["entry"]:
        entry["resource"]["id"] = str(uuid.uuid4())
    planned = {
        "resourceType": "Encounter",
        "id": str(uuid.uuid4()),
        "status": "planned",
        "class": {"code": "AMB"},
    }
    message["entry"].append({"fullUrl": f"urn:uuid:{planned['id']}", "resource": planned})
    return Said(200, json.dumps(message).encode())


def changed(conduct: str, said: Said) -> Said:
    """Make a lie of a good answer, or another way of saying the same."""
    tree = json.loads(said.body)
    header, request = tree["entry"][0]["resource"], tree["entry"][1]["resource"]
    CHANGES[conduct](tree, header, request)
    return Said(201 if conduct == "201" else 200, json.dumps(tree).encode())


def _reply(code: str, *, to: str = "") -> Callable[[Tree, Tree, Tree], object]:
    """Answer with a header alone, in another Bundle."""

    def reply(tree: Tree, header: Tree, _: Tree) -> None:
        header["response"] = {"identifier": to or tree["id"], "code": code}
        tree |= {"id": str(uuid.uuid4()), "entry": tree["entry"][:1]}

    return reply


WRONG = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "invalid"}]}
CHANGES: Mapping[str, Callable[[Tree, Tree, Tree], object]] = {
    "ok": lambda *_: None,
    "takes-and-hangs-once": lambda *_: None,
    "201": lambda *_: None,
    "200-another-bundle": lambda tree, *_: tree.update(id=str(uuid.uuid4())),
    "200-without-ids": lambda *of: of[2].pop("id"),
    "200-another-status": lambda *of: of[2].update(status="draft"),
    "200-searchset": lambda tree, *_: tree.update(type="searchset"),
    "200-no-header": lambda tree, *_: tree["entry"].pop(0),
    "200-with-an-error": lambda tree, *_: tree["entry"].append({"fullUrl": "a", "resource": WRONG}),
    "200-reply-ok": _reply("ok"),
    "200-reply-fatal": _reply("fatal-error"),
    "200-reply-to-another": _reply("ok", to="11111111-2222-4333-8444-555555555555"),
}


def outcome(status: int, code: str, issue: str, *, has_ids: bool = True, **headers: str) -> Said:
    """Make an OperationOutcome that says more than it should."""
    tree = {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": issue,
                "details": {"coding": [{"system": SYSTEM, "code": code}]},
                "diagnostics": CANARY,
            }
        ],
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Said(status, json.dumps(tree).encode(), named, has_ids)


def token_answer(world: _World, conduct: str, headers: Any, body: bytes) -> Said:
    """Answer as the platform's token endpoint does, or as the conduct asks."""
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    world.note("token", conduct=conduct, has_bearer="Authorization" in headers)
    if conduct == "hangs":
        time.sleep(20)
    if conduct == "slow":
        time.sleep(0.3)
    if conduct in CANNED_TOKENS:
        return CANNED_TOKENS[conduct]
    if fault := _assertion_fault(world, f"{world.token_base}/token/{conduct}", form):
        world.note("token-refused", fault=fault)
        return Said(401, json.dumps({"error": "invalid_client"}).encode())
    token = uuid.uuid4().hex
    if conduct != "unknown-tokens":
        world.tokens.add(token)
    lasts = {"lasts-a-second": "1"}.get(conduct, "599")
    given = {"access_token": token, "expires_in": lasts, "token_type": "Bearer"}
    return Said(200, json.dumps(given).encode(), {"Content-Type": "application/json"})


def _assertion_fault(world: _World, url: str, form: Mapping[str, str]) -> str:
    """Verify a client assertion; say what is wrong with it."""
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    if (form.get("grant_type"), form.get("client_assertion_type")) != ("client_credentials", kind):
        return "form"
    key = RSAKey.import_key(json.loads((world.folder / "registered.jwk").read_text()))
    try:
        token = jwt.decode(form["client_assertion"], key, algorithms=["RS512"])
    except (JoseError, ValueError, KeyError):
        return "signature"
    claims, now = token.claims, time.time()
    if (token.header.get("kid"), token.header.get("typ")) != (KEY_ID, "JWT"):
        return "header"
    if (claims["iss"], claims["sub"], claims["aud"]) != (CLIENT, CLIENT, url):
        return "claims"
    if not now < claims["exp"] <= now + 300:
        return "exp"
    with world.lock:
        if claims["jti"] in world.assertions:
            return "jti"
        world.assertions.add(str(uuid.UUID(claims["jti"])))
    return ""


CANNED: Mapping[str, Said] = {
    "200-outcome": outcome(200, "REC_SERVER_ERROR", "exception"),
    "200-empty": Said(200, b""),
    "200-malformed": Said(200, b'{"resourceType": "Bundle", "type": "mess'),
    "400": outcome(400, "REC_BAD_REQUEST", "invariant"),
    "401": outcome(401, "REC_UNAUTHORIZED", "security"),
    "403-token": outcome(403, "SEND_FORBIDDEN", "forbidden"),
    "403-tls": outcome(403, "REC_FORBIDDEN", "forbidden"),
    "404": outcome(404, "PROXY_NOT_FOUND", "not-found"),
    "404-html": Said(404, b"<html>", {"Content-Type": "text/html"}),
    "406": outcome(406, "REC_NOT_ACCEPTABLE", "processing"),
    "408": outcome(408, "REC_TIMEOUT", "timeout", Retry_After="3"),
    "409-conflict": outcome(409, "REC_CONFLICT", "conflict"),
    "409-duplicate": outcome(409, "REC_CONFLICT", "duplicate"),
    "422": outcome(422, "REC_UNPROCESSABLE_ENTITY", "not-supported"),
    "422-no-ids": outcome(422, "REC_UNPROCESSABLE_ENTITY", "not-supported", has_ids=False),
    "425": outcome(425, "REC_TOO_EARLY", "duplicate"),
    "429": outcome(429, "PROXY_TOO_MANY_REQUESTS", "throttled", Retry_After="7"),
    "500": outcome(500, "REC_SERVER_ERROR", "exception"),
    "501": outcome(501, "REC_NOT_IMPLEMENTED", "not-supported"),
    "502-html": Said(502, b"<html>", {"Content-Type": "text/html"}, has_ids=False),
    "503": outcome(503, "REC_UNAVAILABLE", "transient", Retry_After="120"),
    "504": outcome(504, "REC_TIMEOUT", "timeout"),
    "301": Said(301, b"", {"Location": "https://127.0.0.1:9/elsewhere"}, has_ids=False),
}
CANNED_TOKENS: Mapping[str, Said] = {
    "refuses": Said(401, b'{"error": "invalid_client"}'),
    "busy": Said(429, b"{}", {"Retry-After": "11"}),
    "down": Said(503, b"{}"),
    "empty": Said(200, b""),
    "mac": Said(200, b'{"access_token": "abc", "token_type": "mac"}'),
    "breaks-out": Said(200, b'{"access_token": "abc\\r\\nX-Evil: 1", "token_type": "Bearer"}'),
}

__all__ = ["TARGET", "BarsReceiver", "running_bars_receiver"]
