"""One try of an endpoint: what is sent leaves through the same code as in production.

What enters: an endpoint and a parcel. What leaves: the bytes that the gateway's own Writer made,
by the gateway's own Destination; what came back, and what production makes of it. Must never:
follow a redirect, or wait longer than it was given.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from gateway.cli.certify.manners import RawLine
from gateway.cli.certify.messages import Messages
from gateway.errors import DeliveryError, LeaseEndedError
from gateway.journey.gateway import Destination, Parcel, Writer
from gateway.outbound.https_line import Answer, HttpsLine, Posting, posting_to
from gateway.referral.directory import Endpoint

_REDIRECTS = range(300, 400)
_MOST_WISHES = 4
"""How often an endpoint's Retry-After is heeded for one sending."""

Act = Callable[[Posting, float], Answer]
"""A way to send a posting by a deadline; raises as `HttpsLine.exchange` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait for what.

    `answer` and `usual` are what BaRS allows for every answer, and for nine of ten. `pause` is
    left between an answer that was lost and the next attempt, `drip` between the last bytes of
    a slow sender. `found`: how long a search may take to find what was accepted.
    """

    connect: timedelta = timedelta(seconds=5)
    reply: timedelta = timedelta(seconds=15)
    answer: timedelta = timedelta(seconds=5)
    usual: timedelta = timedelta(seconds=2.1)
    pause: timedelta = timedelta(seconds=2)
    drip: timedelta = timedelta(seconds=0.1)
    found: timedelta = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One format as production writes and sends it.

    `has_search`: an endpoint of this kind may be asked for what it holds. `takes_any_recall`:
    one of a referral that never came must be taken too.
    """

    writer: Writer
    reach: Callable[[HttpsLine], Destination]
    has_search: bool
    takes_any_recall: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of one attempt.

    `failure` is what production makes of it; None: acknowledged. `answer` None: no whole
    answer came back.
    """

    answer: Answer | None
    failure: DeliveryError | None
    seconds: float

    @property
    def status(self) -> int | None:
        """Its HTTP status, where one came back."""
        return self.answer.status if self.answer else None

    @property
    def is_taken(self) -> bool:
        """Whether the endpoint says that it has it; its body is a case of its own."""
        return self.failure is None or (self.answer is not None and self.answer.is_success)

    @property
    def is_repeat(self) -> bool:
        """Whether the endpoint says that it had this message before."""
        return self.failure is None and self.status == HTTPStatus.CONFLICT

    @property
    def is_redirect(self) -> bool:
        """Whether it points elsewhere."""
        return self.status in _REDIRECTS

    @property
    def may_retry(self) -> bool:
        """Whether production would try again."""
        return self.failure is not None and self.failure.may_retry

    @property
    def told(self) -> str:
        """Say in a few words what came back."""
        if self.answer is not None:
            return str(self.answer.status)
        return str(self.failure) if self.failure else "no answer was waited for"


class Tap(HttpsLine):
    """A line that notes what comes back for one body, and may send it in another manner."""

    def __init__(self, line: HttpsLine, body: bytes, act: Act | None) -> None:
        none = timedelta(0)
        super().__init__(
            certificates=Path(), credentials=line.credentials, connect_timeout=none,
            reply_timeout=none,
        )  # fmt: skip
        self._line = line
        self._body = body
        self._act = act
        self.answer: Answer | None = None
        self.posting: Posting | None = None
        self.seconds = 0.0

    def exchange(self, posting: Posting, *, deadline: float) -> Answer:
        """Send it on, or in the manner that was asked for."""
        if posting.body != self._body:
            return self._line.exchange(posting, deadline=deadline)
        self.posting = posting
        began = time.monotonic()
        try:
            if self._act is None:
                self.answer = self._line.exchange(posting, deadline=deadline)
            else:
                self.answer = self._act(posting, deadline)
        finally:
            self.seconds = time.monotonic() - began
        return self.answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a case is handed. `deadline` is a reading of `time.monotonic`.

    `search_headers` go with searches only: production sends a parcel without them.
    """

    endpoint: Endpoint
    wire: Wire
    messages: Messages
    line: HttpsLine
    raw: RawLine
    patience: Patience
    deadline: float
    search_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def send(self, parcel: Parcel, act: Act | None = None) -> Heard:
        """Send a parcel as production does, and say what came of it.

        Where the endpoint wishes to be asked later, it is, as long as the case may take.
        """
        heard = self._attempt(parcel, act)
        for _ in range(_MOST_WISHES):
            wish = heard.failure.retry_after if heard.failure else None
            if wish is None or time.monotonic() + wish.total_seconds() >= self.deadline:
                break
            self.wait(wish)
            heard = self._attempt(parcel, act)
        return heard

    def _attempt(self, parcel: Parcel, act: Act | None) -> Heard:
        tap = Tap(self.line, parcel.body, act)
        failure: DeliveryError | None = None
        try:
            self.wire.reach(tap).send(parcel, deadline=self.deadline)
        except DeliveryError as error:
            failure = error
        return Heard(answer=tap.answer, failure=failure, seconds=tap.seconds)

    def exchange(self, posting: Posting) -> Heard:
        """Send what production would not send; the same line, the same limits."""
        began = time.monotonic()
        try:
            answer = self.line.exchange(posting, deadline=self.deadline)
        except DeliveryError as error:
            return Heard(answer=None, failure=error, seconds=time.monotonic() - began)
        failure = None if answer.is_success else answer.failure()
        return Heard(answer=answer, failure=failure, seconds=time.monotonic() - began)

    def posting(self, parcel: Parcel) -> Posting:
        """Return what production would send, without sending it.

        Raises:
            DeliveryError: not even that came about.
        """
        tap = Tap(self.line, parcel.body, _keep_back)
        try:
            self.wire.reach(tap).send(parcel, deadline=self.deadline)
        except DeliveryError:
            if tap.posting is None:
                raise
        if tap.posting is None:  # a destination that sends other bytes than its parcel's
            msg = "nothing was sent"
            raise LeaseEndedError(msg)
        return tap.posting

    def search(self, kind: str, system: str, value: str) -> Answer | None:
        """Ask for the resources of one type that carry an identifier; None: no answer."""
        token = quote(f"{system}|{value}", safe="")
        address = f"{self.endpoint.address.rstrip('/')}/{kind}?identifier={token}"
        headers = {
            "Accept": "application/fhir+json",
            "Cache-Control": "no-cache",
            **self.search_headers,
        }
        asked = posting_to(self.endpoint, headers=headers, body=None, address=address, method="GET")
        return self.exchange(asked).answer

    def wait(self, pause: timedelta) -> None:
        """Wait, but no longer than the case may take."""
        left = self.deadline - time.monotonic()
        time.sleep(max(min(pause.total_seconds(), left), 0))


def _keep_back(_posting: Posting, _deadline: float) -> Answer:
    msg = "it was only looked at"
    raise LeaseEndedError(msg)
