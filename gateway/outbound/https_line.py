"""Requests over HTTPS by a deadline: what every destination that speaks HTTPS needs.

What enters: a posting, which is an address, headers, bytes, and the names of the files that say
whom to trust and who we are. What leaves: the bytes, once, and the answer as it came.
Must never: follow a redirect, trust the environment's proxies or certificates, wait longer than
it was given, send without TLS, read more of an answer than its limit, or quote the answer.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

import requests

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    MessageError,
    NoReplyError,
)
from gateway.fhir.json_text import read_own
from gateway.outbound.line import Call, LineAdapter
from gateway.referral.directory import Endpoint
from gateway.referral.json import JsonObject, objects, string

MAX_REPLY_BYTES = 4 * 1024 * 1024
_TRY_LATER = frozenset({408, 425, 429})
_LONGEST_WISH = timedelta(hours=24)
_MOST_SESSIONS = 64
"""Of one thread; the one that was not used for longest is closed for the next."""

_File = tuple[str, int] | None
"""A file and when it was last changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One request. `ca_file` is a name in the folder of certificates, None: the system's.

    `client_certificate` is a name in the folder of credentials: a PEM file with our chain and
    its key, unencrypted. A body that is None is none. `may_connect` is asked about the address
    that the name led to; None: any will do. A longer answer than `max_reply_bytes` is none.
    """

    address: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    ca_file: str | None = None
    client_certificate: str | None = None
    method: str = "POST"
    may_connect: Callable[[str], bool] | None = None
    max_reply_bytes: int = MAX_REPLY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole. Header names are compared without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether its status is a 2xx; what the body says is another question."""
        return 200 <= self.status < 300  # noqa: PLR2004  # HTTP classes

    def tree(self) -> JsonObject | None:
        """Return its body as JSON; None: it is not a JSON object.

        It may bring back what was sent, so the limits are those of what we write.
        """
        try:
            return read_own(self.body)
        except MessageError:
            return None

    def says_duplicate(self) -> bool:
        """Tell whether it is an OperationOutcome that calls the request a repeat."""
        issues = objects(self.tree() or {}, "issue")
        return any(string(issue, "code") == "duplicate" for issue in issues)

    def failure(self) -> DeliveryError:
        """Return what an answer that is no success means: not now, or not at all."""
        if self.status in _TRY_LATER or self.status >= 500:  # noqa: PLR2004
            msg = "the destination cannot take it now"
            return DestinationBusyError(msg, status=self.status, retry_after=self.wish())
        return DestinationRefusedError("the destination will not take it", status=self.status)

    def wish(self) -> timedelta | None:
        """Read Retry-After, seconds or a date, no longer than a day."""
        text = self.headers.get("Retry-After", "")
        try:
            wish = (
                timedelta(seconds=int(text))
                if text.isdigit()
                else parsedate_to_datetime(text) - datetime.now(UTC)
            )
        except (ValueError, TypeError, OverflowError):
            return None
        return min(max(wish, timedelta(0)), _LONGEST_WISH)


class HttpsLine:
    """Makes requests. One session for each server, its files, and thread.

    Args:
        certificates: folder of the CA files that endpoints name.
        credentials: folder of the private files that endpoints name.
        connect_timeout: for the connection and its TLS handshake, each.
        reply_timeout: for sending and the whole answer. The two together bound an exchange.
    """

    def __init__(
        self,
        *,
        certificates: Path,
        credentials: Path,
        connect_timeout: timedelta,
        reply_timeout: timedelta,
    ) -> None:
        self.credentials = credentials
        self._certificates = certificates
        self._connect = connect_timeout
        self._reply = reply_timeout
        self._local = threading.local()

    def exchange(self, posting: Posting, *, deadline: float) -> Answer:
        """Send one request and read its whole answer.

        Args:
            posting: what to send, and where.
            deadline: a reading of `time.monotonic`; no byte leaves after it.

        Raises:
            LeaseEndedError: the deadline had passed before the first byte.
            DestinationUnreachableError: no connection.
            NoReplyError: sent, but no whole answer came back in time.
        """
        own = time.monotonic() + (self._connect + self._reply).total_seconds()
        call = Call(deadline=min(deadline, own), may_connect=posting.may_connect)
        try:
            with self._session(posting, call).request(
                posting.method,
                posting.address,
                data=posting.body,
                headers={"Accept-Encoding": "identity", **posting.headers},
                timeout=(min(self._connect.total_seconds(), call.left()), call.left()),
                allow_redirects=False,
                stream=True,
            ) as reply:
                return Answer(
                    status=reply.status_code, headers=reply.headers, body=_read(reply, posting)
                )
        except OSError as error:  # whatever requests raises is one
            raise _lost(error, call, deadline) from error

    def _session(self, posting: Posting, call: Call) -> requests.Session:
        """Return this thread's session for a posting; its lines serve this call now.

        A file that was replaced counts at once, and the one before no longer.

        Raises:
            DestinationUnreachableError: a file that the endpoint names cannot be read.
        """
        sessions: _Sessions = self._local.__dict__.setdefault("sessions", OrderedDict())
        key = (urlsplit(posting.address).netloc, posting.ca_file, posting.client_certificate)
        ca_file = _stamp(self._certificates, posting.ca_file, "CA file")
        own = _stamp(self.credentials, posting.client_certificate, "client certificate")
        session = sessions.pop(key, None)
        if session is None or session.files != (ca_file, own):
            if session is not None:
                session.close()
            session = _Session(ca_file, own)
        sessions[key] = session
        if len(sessions) > _MOST_SESSIONS:
            sessions.popitem(last=False)[1].close()
        session.line.context.call = call
        return session


class _Session(requests.Session):
    """A session with one server, as one pair of files says."""

    def __init__(self, ca_file: _File, own: _File) -> None:
        super().__init__()
        self.files = (ca_file, own)
        self.line = LineAdapter()
        self.trust_env = False
        self.verify = ca_file[0] if ca_file else True
        self.adapters.clear()  # nothing leaves without TLS
        self.mount("https://", self.line)
        if own:
            try:
                self.line.context.load_cert_chain(own[0], password=lambda: "")  # never asks for one
            except OSError as error:
                raise _unreadable("client certificate") from error


_Sessions = OrderedDict[tuple[str, str | None, str | None], _Session]


def posting_to(
    endpoint: Endpoint,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    address: str | None = None,
    method: str = "POST",
    max_reply_bytes: int = MAX_REPLY_BYTES,
) -> Posting:
    """Make a posting to an endpoint, or to another address that is trusted like it."""
    return Posting(
        address=address or endpoint.address,
        headers=headers,
        body=body,
        ca_file=endpoint.ca_file,
        client_certificate=endpoint.parameters.get("client_certificate"),
        method=method,
        max_reply_bytes=max_reply_bytes,
    )


def _stamp(folder: Path, name: str | None, what: str) -> _File:
    if name is None:
        return None
    path = folder / name
    try:
        return str(path), path.stat().st_mtime_ns
    except OSError as error:
        raise _unreadable(what) from error


def _unreadable(what: str) -> DestinationUnreachableError:
    return DestinationUnreachableError(f"the {what} that the endpoint names cannot be read")


def _lost(error: OSError, call: Call, deadline: float) -> DeliveryError:
    """Tell a connection that was never made from one that failed once sending had begun."""
    if call.has_spoken:
        return NoReplyError("the connection broke, or its time ended, before a whole answer came")
    if time.monotonic() >= deadline:
        return LeaseEndedError("the time of the attempt was over before a byte was sent")
    if call.is_distrusted:
        msg = "the destination's certificate is not one that its endpoint trusts"
        return DestinationUnreachableError(msg)
    if isinstance(error, requests.Timeout):
        return DestinationUnreachableError("the destination did not accept a connection in time")
    if isinstance(error, requests.RequestException):
        return DestinationUnreachableError("the destination does not accept connections")
    return _unreadable("CA file")


def _read(reply: requests.Response, posting: Posting) -> bytes:
    """Read the answer, no more than the limit."""
    received = bytearray()
    for chunk in reply.iter_content(chunk_size=65536):
        received += chunk
        if len(received) > posting.max_reply_bytes:
            msg = "the destination's answer is too long"
            raise NoReplyError(msg, status=reply.status_code)
    return bytes(received)
