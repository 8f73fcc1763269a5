"""A subscriber's server in a process of its own, which checks each signature for itself.

What enters: HTTPS posts to `/<conduct>` on this machine, and its secret in `secret.txt`. What
leaves: the conduct's answer, and one line in `posts.jsonl` for each post: its path, its
`webhook-id`, whether its signature and its time are good, its numbers, and whether it came
while another was under way. Started by `running_subscriber`.
"""

import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.builders.subscribers import is_signed, parameters_of
from tests.processes.certificates import make_certificates
from tests.processes.children import kill, start
from tests.processes.receiver import until

SERVERS = ("good", "other-ca", "elsewhere")
_OLDEST = 300
"""Seconds that a signed time may differ from the clock's. Source: Standard Webhooks libraries."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A running subscriber, as a test sees it."""

    folder: Path

    def port(self, server: str = "good") -> int:
        ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        return ports[server]

    def address(self, conduct: str = "ok", server: str = "good") -> str:
        return f"https://localhost:{self.port(server)}/{conduct}"

    def trust(self, secret: str) -> None:
        (self.folder / "secret.txt").write_text(secret)

    def posts(self, **wanted: Any) -> list[dict[str, Any]]:
        lines = (self.folder / "posts.jsonl").read_text().splitlines()
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        return [e for e in found if all(e[name] == value for name, value in wanted.items())]


@contextmanager
def running_subscriber(folder: Path) -> Iterator[Subscriber]:
    """Run a subscriber; its CA is `trusted-ca.pem` in the folder."""
    make_certificates(folder)
    (folder / "posts.jsonl").touch()
    process = start(serve, folder, log=folder / "subscriber.log")
    try:
        until((folder / "ports.json").exists)
        yield Subscriber(folder)
    finally:
        kill(process)


def serve(folder: Path) -> None:
    """Serve for ever, on one port for each of SERVERS."""
    ports: dict[str, int] = {}
    for name in SERVERS:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(folder, name, ports))
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        chain = folder / ("good" if name == "elsewhere" else name)
        context.load_cert_chain(chain.with_suffix(".pem"), chain.with_suffix(".key"))
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        ports[name] = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / "ports.tmp").write_text(json.dumps(ports))
    (folder / "ports.tmp").rename(folder / "ports.json")
    threading.Event().wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conduct:
    """How a post is answered: after how many seconds, and with what."""

    status: int = 200
    seconds: float = 0
    body: bytes = b""
    header: tuple[str, str] | None = None


_CONDUCTS = {
    "ok": Conduct(),
    "no-content": Conduct(status=204),
    "dawdling": Conduct(seconds=0.05),
    "slow": Conduct(seconds=5),
    "junk": Conduct(body=b"\x00<html>{not json"),
    "huge": Conduct(body=b"x" * (5 * 1024 * 1024)),
    "500": Conduct(status=500, body=b"it broke"),
    "404": Conduct(status=404),
    "410": Conduct(status=410),
    "429": Conduct(status=429, header=("Retry-After", "1200")),
    "301": Conduct(status=301, header=("Location", "https://localhost:{elsewhere}/ok")),
}


def _handler(folder: Path, server: str, ports: dict[str, int]) -> type[BaseHTTPRequestHandler]:
    lock, under_way = threading.Lock(), Counter[str]()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            conduct = _CONDUCTS[self.path.strip("/")]
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with lock:
                under_way[self.path] += 1
                self._note(body, is_alone=under_way[self.path] == 1)
            time.sleep(conduct.seconds)
            with lock:
                under_way[self.path] -= 1
            with suppress(OSError):
                self._say(conduct)

        def _note(self, body: bytes, *, is_alone: bool) -> None:
            headers = dict(self.headers.items())
            told = parameters_of(json.loads(body)["entry"][0]["resource"])
            secret = folder / "secret.txt"
            line = {
                "server": server,
                "path": self.path.strip("/"),
                "id": self.headers["webhook-id"],
                "type": told["type"],
                "numbers": [number for number, _ in told["events"]],
                "is_good": secret.exists() and is_signed(secret.read_text(), headers, body),
                "is_fresh": abs(int(self.headers["webhook-timestamp"]) - time.time()) < _OLDEST,
                "is_alone": is_alone,
                "authorization": self.headers.get("Authorization"),
            }
            with (folder / "posts.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")

        def _say(self, conduct: Conduct) -> None:
            self.send_response(conduct.status)
            if conduct.header is not None:
                name, value = conduct.header
                self.send_header(name, value.format(**ports))
            if conduct.status != HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", str(len(conduct.body)))
            self.end_headers()
            self.wfile.write(conduct.body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
