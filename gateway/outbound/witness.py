"""Witnesses over HTTP: `add-checkpoint`, as c2sp.org/tlog-witness has it.

What enters: the setting `witnesses`, and requests. What leaves: each request once, and what was
answered, no longer than MAX_REPLY_BYTES. Must never: follow a redirect, trust the environment's
proxies or certificates, speak without TLS to another machine, or wait longer than it was given.
"""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import requests
from urllib3.exceptions import HTTPError

from gateway.errors import ConfigError, DestinationUnreachableError, NoReplyError
from gateway.journey.cosign import Reply
from gateway.ledger.note import COSIGNATURE, MAX_SIGNATURES, VerifierKey, read_verifier_key
from gateway.outbound.line import Call, LineAdapter
from gateway.outbound.loopback import LoopbackAdapter, is_loopback

MAX_REPLY_BYTES = 16 * 1024
"""Our own limit: a hundred lines by Ed25519 keys, or three by ML-DSA-44, which are left out."""

MAX_WITNESSES = MAX_SIGNATURES // 2
"""Our own limit: the other half of a note's lines is for the log's own keys and for later."""

_NAME = re.compile(r"(?!(?:[^0-9]*[0-9]){10})[A-Za-z0-9_.:|/-]{1,64}", re.ASCII)
_CA_FILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.pem", re.ASCII)
_URL = re.compile(r"[!-~]{1,2048}", re.ASCII)
_HOW = (
    "GATEWAY_WITNESSES holds, for each witness, its URL, its verifier key, and if need be a CA file"
)


class HttpWitness:
    """A witness behind HTTP. One session; used by one thread at a time.

    Args:
        url: its submission prefix.
        key: what its cosignatures must hold under.
        ca_file: whom to trust; None: the system's authorities.
        timeout: for an attempt in all, the name's look-up aside.
    """

    def __init__(
        self, url: str, key: VerifierKey, *, ca_file: Path | None, timeout: timedelta
    ) -> None:
        self.key = key
        self._address = url.rstrip("/") + "/add-checkpoint"
        self._timeout = timeout.total_seconds()
        self._session, self._line = requests.Session(), LineAdapter()
        self._plain_line = LoopbackAdapter()
        self._session.trust_env = False
        self._session.verify = str(ca_file) if ca_file else True
        self._session.adapters.clear()
        if urlsplit(url).scheme == "https":
            self._session.mount("https://", self._line)
        else:
            self._session.mount("http://", self._plain_line)

    def add_checkpoint(self, request: bytes) -> Reply:
        """Ask for a cosignature; see `journey.cosign.Witness`.

        Raises:
            DestinationUnreachableError: no connection, or the CA file cannot be read.
            NoReplyError: no whole answer came in time, or it is too long.
        """
        call = Call(deadline=time.monotonic() + self._timeout)
        self._line.context.call = self._plain_line.call = call
        try:
            with self._session.post(
                self._address,
                data=request,
                headers={
                    "Content-Type": "text/plain; charset=utf-8",
                    "Accept-Encoding": "identity",
                },
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            ) as reply:
                return Reply(status=reply.status_code, body=_body(reply))
        except (OSError, HTTPError) as error:  # whatever requests raises is an OSError
            if call.has_spoken:
                raise NoReplyError("no whole answer came in time") from error
            raise DestinationUnreachableError("there was no connection") from error


def _body(reply: requests.Response) -> bytes:
    """Read the whole answer, no more than the limit. It is not unpacked: ours is never packed.

    Reading goes on to the end, for only there is it noticed that an answer was cut off.
    """
    body = bytearray()
    while part := reply.raw.read(MAX_REPLY_BYTES, decode_content=False):
        body += part
        if len(body) > MAX_REPLY_BYTES:
            raise NoReplyError("the answer is too long", status=reply.status_code)
    return bytes(body)


def read_witnesses(text: str, *, certificates: Path, timeout: timedelta) -> tuple[HttpWitness, ...]:
    """Make the witnesses that the setting names.

    Args:
        text: for each, its URL, its verifier key, and a CA file of `certificates` where the
            system's authorities do not vouch for it; blanks or lines between.
        certificates: the folder of the CA files.
        timeout: for a witness's whole answer.

    Raises:
        ConfigError: a word is wrong; the text says which, and how to mend it.
    """
    found: list[HttpWitness] = []
    words = list(enumerate(text.split(), 1))
    while words:
        at, url = words.pop(0)
        _check_url(at, url)
        if not words:
            raise _wrong(at, "no verifier key follows this URL")
        key = _key(*words.pop(0))
        _check_new(at + 1, key, [each.key for each in found])
        ca_file = None
        if words and words[0][1].endswith(".pem"):
            ca_file = _ca_file(*words.pop(0), certificates)
        found.append(HttpWitness(url, key, ca_file=ca_file, timeout=timeout))
    if len(found) > MAX_WITNESSES:
        raise ConfigError(f"{_HOW}: at most {MAX_WITNESSES} of them")
    return tuple(found)


def _wrong(at: int, text: str) -> ConfigError:
    return ConfigError(f"GATEWAY_WITNESSES, word {at}: {text}. {_HOW}.")


def _check_url(at: int, text: str) -> None:
    try:
        url = urlsplit(text)
        faults = list(_faults_in(url, url.port)) if _URL.fullmatch(text) else ["is no URL"]
    except ValueError:
        faults = ["is no URL"]
    if faults:
        raise _wrong(at, f"this {' and '.join(faults)}")


def _faults_in(url: SplitResult, port: int | None) -> Iterator[str]:
    host = url.hostname or ""
    if url.scheme not in ("https", "http") or not host or port == 0:
        yield "is not https:// and a host"
    elif url.scheme == "http" and not is_loopback(host):
        yield "is without TLS, which only a witness on this machine may be: write https://"
    if "@" in url.netloc or url.query or url.fragment:
        yield "has more than a host and a path: a submission prefix is only that"


def _key(at: int, text: str) -> VerifierKey:
    try:
        key = read_verifier_key(text)
    except ValueError as error:
        raise _wrong(at, str(error)) from None
    if key.algorithm != COSIGNATURE:
        raise _wrong(at, "this is the key of a log; ask the witness for its own, of type 4")
    if not _NAME.fullmatch(key.name):
        msg = (
            "the name in this key cannot stand in an entry: at most 64 letters, digits and"
            " _.:|/-, at most nine of them digits; ask the witness for another"
        )
        raise _wrong(at, msg)
    return key


def _check_new(at: int, key: VerifierKey, known: list[VerifierKey]) -> None:
    """Refuse a second witness of the same name or key: it would be no second witness."""
    for each in known:
        if key.name == each.name or key.public_key == each.public_key:
            raise _wrong(at, "this witness is named twice: leave one out")


def _ca_file(at: int, name: str, certificates: Path) -> Path:
    if not _CA_FILE.fullmatch(name):
        raise _wrong(at, "a CA file is named without its folder, GATEWAY_CERTIFICATES_DIR")
    path = certificates / name
    if not path.is_file():
        raise _wrong(at, f"there is no such CA file in {certificates}")
    return path
