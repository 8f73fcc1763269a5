"""A TLS line that ends at a deadline, and that knows whether the message began to leave.

What enters: an attempt's deadline. What leaves: sockets whose every wait ends at it, however
slowly the other end drips its answer. The timeouts of HTTP clients are for one read each, so
a byte now and then keeps them waiting for ever. Must never: let a byte of a message out once
the deadline has passed. Not bounded here: how long the system takes to look up a name.
"""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter


@dataclass(slots=True)
class Call:
    """One attempt. `deadline` is of the monotonic clock, in seconds.

    `has_spoken` turns true with the first byte of a message: from then on, nobody knows what
    the other end has unless it says so. `is_distrusted`: the other end showed a certificate
    that does not prove who it is. `may_connect` is asked about the other end's own address
    before a byte is said to it; None: any will do.
    """

    deadline: float
    may_connect: Callable[[str], bool] | None = None
    has_spoken: bool = False
    is_distrusted: bool = False

    def left(self) -> float:
        """Tell how many seconds are left, more than none.

        Raises:
            TimeoutError: the deadline has passed.
        """
        seconds = self.deadline - time.monotonic()
        if seconds <= 0:
            msg = "the attempt's time is over"
            raise TimeoutError(msg)
        return seconds


class CallContext(ssl.SSLContext):
    """A client's TLS context whose sockets serve one call after the other."""

    call: Call


class _Socket(ssl.SSLSocket):
    """A socket whose waits end at its context's deadline."""

    @property
    def _call(self) -> Call:
        context = self.context
        if not isinstance(context, CallContext):
            raise TypeError(type(context).__name__)
        return context.call

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002  # as the parent's
        """Shake hands, within the connection's own timeout too."""
        left = self._call.left()
        may_connect = self._call.may_connect
        if may_connect is not None and not may_connect(str(self.getpeername()[0])):
            msg = "the name leads to an address that may not be called"
            raise ConnectionRefusedError(msg)
        own = self.gettimeout()
        self.settimeout(left if own is None else min(own, left))
        try:
            super().do_handshake(block)
        except ssl.SSLCertVerificationError:
            self._call.is_distrusted = True
            raise

    def send(self, data: Any, flags: int = 0) -> int:  # noqa: ANN401  # any buffer
        """Send some of the message."""
        call = self._call
        self.settimeout(call.left())
        call.has_spoken = True
        return super().send(data, flags)

    def read(self, len: int = 1024, buffer: Any = None) -> bytes:  # noqa: A002, ANN401  # as the parent's
        """Read some of the answer."""
        self.settimeout(self._call.left())
        return super().read(len, buffer)


class LineAdapter(HTTPAdapter):
    """Makes the connections of one session, all of them lines of one context."""

    def __init__(self) -> None:
        self.context = CallContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.sslsocket_class = _Socket
        super().__init__(pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # requests' own
        """Hand the context to every connection."""
        super().init_poolmanager(*args, **options, ssl_context=self.context)
