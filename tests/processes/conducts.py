"""How a receiver may behave: each conduct by its name, which is the path it answers at."""

import gzip
import hashlib
import json
import socket
import ssl
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

FHIR_JSON = "application/fhir+json"
CANARY = "Canary Testperson 9990000018"
"""What a badly written server might quote; it must show up nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One request as a conduct sees it. `number` counts the attempts of its key, from 1."""

    line: ssl.SSLSocket
    number: int
    body: bytes
    elsewhere: str
    keep: Callable[[], bool]


Tree = dict[str, Any]
Conduct = Callable[[Given], bool]
"""Answers a request; tells whether the connection is good for another."""


def say(given: Given, status: int, tree: Tree, **headers: str) -> bool:
    given.line.sendall(_answer(status, json.dumps(tree).encode(), headers))
    return True


def _answer(status: int, body: bytes, headers: Mapping[str, str]) -> bytes:
    named = {"Content-Type": FHIR_JSON, "Content-Length": str(len(body))}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Because\r\n{lines}\r\n".encode() + body


def _response(given: Given, status: str = "201 Created") -> Tree:
    entries = json.loads(given.body)["entry"]
    return {
        "resourceType": "Bundle",
        "type": "transaction-response",
        "entry": [{"response": {"status": status}} for _ in entries],
    }


def _outcome(code: str) -> Tree:
    issue = {"severity": "error", "code": code, "diagnostics": CANARY}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def take(given: Given) -> bool:
    """Take it in and say so."""
    if not given.keep():
        return say(given, 422, _outcome("duplicate"))
    return say(given, 200, _response(given))


def take_slowly(given: Given) -> bool:
    time.sleep(0.1)
    return take(given)


def take_in_a_second(given: Given) -> bool:
    time.sleep(1)
    return take(given)


def hang(given: Given) -> bool:
    """Say nothing until the caller goes away."""
    with suppress(OSError):
        given.line.recv(1)
    return False


def take_and_hang(given: Given) -> bool:
    given.keep()
    return hang(given)


def take_and_reset(given: Given) -> bool:
    given.keep()
    raise ConnectionAbortedError


def first(bad: Conduct) -> Conduct:
    """Behave badly at the first attempt of each key only."""
    return lambda given: bad(given) if given.number == 1 else take(given)


def drip(data: Callable[[Given], bytes], *, at_once: int) -> Conduct:
    """Send a part at once and the rest a byte at a time: half a minute at the least."""

    def drop_by_drop(given: Given) -> bool:
        whole = data(given)
        given.line.sendall(whole[:at_once])
        given.line.settimeout(0.1)
        for position in range(at_once, len(whole)):
            with suppress(TimeoutError):
                given.line.recv(1)
                break  # the caller went away
            given.line.sendall(whole[position : position + 1])
        return False

    return drop_by_drop


def _long_head(given: Given) -> bytes:
    return _answer(200, json.dumps(_response(given)).encode(), {"X-Long": "x" * 400})


def _long_body(given: Given) -> bytes:
    padded = json.dumps(_response(given)).encode() + b" " * 400
    return _answer(200, padded, {})


def _go_on(given: Given) -> bytes:
    return b"HTTP/1.1 100 Continue\r\n\r\n" * 40


def reset(line: socket.socket) -> None:
    """Close a connection with a reset instead of a farewell."""
    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.close()


def half_then(rude: Callable[[ssl.SSLSocket], None]) -> Conduct:
    def break_off(given: Given) -> bool:
        whole = _answer(200, json.dumps(_response(given)).encode(), {})
        given.line.sendall(whole[:-20])
        rude(given.line)
        return False

    return break_off


def send(data: bytes, status: int = 200, **headers: str) -> Conduct:
    def send_bytes(given: Given) -> bool:
        given.line.sendall(_answer(status, data, headers))
        return True

    return send_bytes


def answer(status: int, code: str = "processing", **headers: str) -> Conduct:
    return lambda given: say(given, status, _outcome(code), **headers)


def _busy_until(given: Given) -> bool:
    wish = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    return say(given, 503, _outcome("transient"), Retry_After=wish)


def _redirect(given: Given) -> bool:
    return say(given, 301, _outcome("processing"), Location=given.elsewhere)


def _some_parts(given: Given) -> bool:
    response = _response(given)
    del response["entry"][-1]
    return say(given, 200, response)


def _huge(given: Given) -> bool:
    """A good answer, but for five million blanks at its end."""
    return send(json.dumps(_response(given)).encode() + b" " * 5_000_000)(given)


def _zipped_huge(given: Given) -> bool:
    """The same, packed although the caller asked for it unpacked."""
    whole = json.dumps(_response(given)).encode() + b" " * 50_000_000
    return send(gzip.compress(whole), Content_Encoding="gzip")(given)


def _part_refused(given: Given) -> bool:
    response = _response(given)
    response["entry"][-1] = {"response": {"status": "422", "outcome": _outcome("invalid")}}
    return say(given, 200, response)


def _speak_no_http(given: Given) -> bool:
    given.line.sendall(b"\x00\xff" * 100 + b"\r\n\r\n")
    return False


def _mixed(given: Given) -> bool:
    """Misbehave at the first attempt of most keys, in a way that the key itself chooses."""
    ways = (take, take, take_and_hang, take_and_reset, hang, answer(503))
    return first(ways[hashlib.sha256(given.body).digest()[0] % len(ways)])(given)


CONDUCTS: Mapping[str, Conduct] = {
    "ok": take,
    "mixed": _mixed,
    "slow": take_slowly,
    "answers-in-a-second": take_in_a_second,
    "hangs": hang,
    "hangs-once": first(hang),
    "takes-and-hangs-once": first(take_and_hang),
    "takes-and-resets-once": first(take_and_reset),
    "drips-head-once": first(drip(_long_head, at_once=20)),
    "busy-once": first(answer(503, Retry_After="0")),
    "drips-head": drip(_long_head, at_once=20),
    "drips-body": drip(_long_body, at_once=150),
    "says-go-on-for-ever": drip(_go_on, at_once=0),
    "resets-mid-body": half_then(reset),
    "closes-mid-body": half_then(lambda line: line.close()),
    "no-http": _speak_no_http,
    "500": answer(500, "exception"),
    "502-html": send(b"<html>", 502, Content_Type="text/html"),
    "503": answer(503, "transient"),
    "503-seconds": answer(503, "transient", Retry_After="120"),
    "503-date": _busy_until,
    "503-nonsense": answer(503, "transient", Retry_After="soon"),
    "503-a-year": answer(503, "transient", Retry_After="31536000"),
    "408": answer(408, "timeout"),
    "429": answer(429, "throttled", Retry_After="7"),
    "400": answer(400, "invalid"),
    "401": answer(401, "login"),
    "404": answer(404, "not-found"),
    "422": answer(422, "business-rule"),
    "409-duplicate": answer(409, "duplicate"),
    "409-conflict": answer(409, "conflict"),
    "301": _redirect,
    "200-outcome": answer(200, "exception"),
    "200-searchset": lambda given: say(given, 200, _response(given) | {"type": "searchset"}),
    "200-some-parts": _some_parts,
    "200-part-refused": _part_refused,
    "200-empty": send(b""),
    "200-malformed": send(b'{"resourceType": "Bundle", "type": "transaction-resp'),
    "200-list": send(b"[1, 2]"),
    "200-deep": send(b"[" * 100_000),
    "200-huge": _huge,
    "200-zipped-huge": _zipped_huge,
    "200-falsely-zipped": send(b"not gzip", Content_Encoding="gzip"),
}
