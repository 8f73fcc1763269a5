"""Access tokens for destinations that ask for one: a client assertion, signed with RS512.

What enters: an endpoint whose parameters name a token endpoint, a client and its key. What
leaves: a token, kept until shortly before its end. One is fetched at a time for each client;
others wait for it, no longer than their own deadline. Must never: keep a key or a token on disk,
show one in a text, or let a failure here look as if the message itself had left.
Source: RFC 7523; NHS application-restricted APIs, signed JWT.
"""

import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from gateway.errors import (
    DestinationBusyError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.outbound.https_line import Answer, HttpsLine, posting_to
from gateway.referral.directory import Endpoint
from gateway.referral.json import JsonObject, string

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LASTS: Final = timedelta(minutes=2)
"""NHS England allows five minutes; a clock may be wrong by some of them."""

EARLY: Final = timedelta(seconds=30)
"""How long before its end a token is not used any more: longer than an attempt lasts."""

_LONGEST: Final = timedelta(hours=1)
_UNSTATED: Final = timedelta(minutes=1)
"""What a token is good for whose endpoint does not say."""
_MOST: Final = 64
"""Clients that are remembered; the one that was not used for longest is forgotten."""
_TOKEN: Final = re.compile(r"[!-~]{1,16384}")
"""Visible ASCII: whatever else would break out of its header."""


@dataclass(slots=True)
class _Slot:
    """One client's token. `used_until` is a reading of the monotonic clock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    token: str | None = None
    used_until: float = 0.0


class ClientTokens:
    """Fetches tokens and keeps them in memory.

    Args:
        line: reaches the token endpoints; its credentials folder has the keys.
        clock: for the times in assertions.
    """

    def __init__(
        self, line: HttpsLine, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._line = line
        self._clock = clock
        self._slots: OrderedDict[tuple[str, ...], _Slot] = OrderedDict()
        self._lock = threading.Lock()

    def token_for(self, endpoint: Endpoint, *, deadline: float) -> str | None:
        """Return a token that is good for one attempt; None: the endpoint asks for none.

        Raises:
            LeaseEndedError: the deadline passed first.
            DestinationUnreachableError: there is no token to be had; nothing of the message left.
            DestinationBusyError: the token endpoint asks to be left alone for now.
        """
        if "token_url" not in endpoint.parameters:
            return None
        client = _Client.of(endpoint)
        with self._held(client, deadline) as slot:
            if slot.token is None or time.monotonic() >= slot.used_until:
                began = time.monotonic()
                slot.token, lasts = self._fetch(client, endpoint, deadline)
                slot.used_until = began + max(lasts - EARLY, lasts / 2).total_seconds()
            return slot.token

    def forget(self, endpoint: Endpoint, token: str, *, deadline: float) -> None:
        """Use a token no more that was refused; one that was fetched since is kept."""
        with self._held(_Client.of(endpoint), deadline) as slot:
            if slot.token == token:
                slot.token = None

    @contextmanager
    def _held(self, client: "_Client", deadline: float) -> Iterator[_Slot]:
        with self._lock:
            slot = self._slots.setdefault(client.key, _Slot())
            self._slots.move_to_end(client.key)
            if len(self._slots) > _MOST:
                self._slots.popitem(last=False)
        if not slot.lock.acquire(timeout=max(deadline - time.monotonic(), 0)):
            msg = "the time of the attempt was over before there was a token"
            raise LeaseEndedError(msg)
        try:
            yield slot
        finally:
            slot.lock.release()

    def _fetch(
        self, client: "_Client", endpoint: Endpoint, deadline: float
    ) -> tuple[str, timedelta]:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": self._assertion(client),
        }
        posting = posting_to(
            endpoint,
            address=client.token_url,
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
            body=urlencode(form).encode(),
        )
        try:
            return _read(self._line.exchange(posting, deadline=deadline))
        except NoReplyError as error:  # of the token endpoint: the message has not left
            raise _none("the token endpoint did not answer in time") from error

    def _assertion(self, client: "_Client") -> str:
        """Sign who we are, for this token endpoint only."""
        claims: dict[str, object] = {
            "iss": client.id,
            "sub": client.id,
            "aud": client.token_url,
            "jti": str(uuid.uuid4()),
            "exp": int((self._clock() + ASSERTION_LASTS).timestamp()),
        }
        header = {"alg": "RS512", "typ": "JWT", "kid": client.key_id}
        try:
            key = RSAKey.import_key((self._line.credentials / client.key_file).read_bytes())
            return jwt.encode(header, claims, key, algorithms=["RS512"])
        except (OSError, ValueError, TypeError, JoseError) as error:
            msg = (
                "the endpoint's key_file cannot be read: it is the PEM file of an RSA private key"
                " in the credentials folder, without a passphrase"
            )
            raise _none(msg) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Client:
    """Who we are at one token endpoint."""

    token_url: str
    id: str
    key_id: str
    key_file: str

    @classmethod
    def of(cls, endpoint: Endpoint) -> "_Client":
        try:
            named = [
                endpoint.parameters[each]
                for each in ("token_url", "client_id", "key_id", "key_file")
            ]
        except KeyError:
            msg = "an endpoint with a token_url also says client_id, key_id and key_file"
            raise _none(msg) from None
        return cls(token_url=named[0], id=named[1], key_id=named[2], key_file=named[3])

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from every other client."""
        return self.token_url, self.id, self.key_id, self.key_file


def _read(answer: Answer) -> tuple[str, timedelta]:
    """Read a token and how long it is good for. Source: RFC 6749, section 5.1."""
    if not answer.is_success:
        raise _refused(answer)
    tree = answer.tree() or {}
    token, kind = string(tree, "access_token"), string(tree, "token_type") or ""
    if token is None or not _TOKEN.fullmatch(token) or kind.lower() != "bearer":
        msg = "the token endpoint answered success without a bearer token"
        raise _none(msg)
    return token, _lifetime(tree)


def _lifetime(tree: JsonObject) -> timedelta:
    """Read `expires_in`, a number or, as NHS England writes it, a text of digits."""
    stated = str(tree.get("expires_in", ""))
    if not re.fullmatch(r"[0-9]{1,9}", stated):
        return _UNSTATED
    return min(timedelta(seconds=int(stated)), _LONGEST)


def _refused(answer: Answer) -> DestinationBusyError | DestinationUnreachableError:
    """Tell "not now" from "not you". No status goes on: it is not that of the destination."""
    failure = answer.failure()
    if failure.may_retry:
        msg = "the token endpoint cannot give a token now"
        return DestinationBusyError(msg, retry_after=failure.retry_after)
    return _none(
        "the token endpoint refused us: compare the endpoint's token_url, client_id, key_id and"
        " key_file with what is registered there"
    )


def _none(message: str) -> DestinationUnreachableError:
    return DestinationUnreachableError(message)
