"""A line without TLS that ends at a deadline: to a server on this very machine only.

What enters: an attempt's deadline. What leaves: sockets whose every wait ends at it, as those
of `line.py` do under TLS. Must never: serve an address that is not this machine's; whoever
mounts it sees to that (`is_loopback`).
"""

import ipaddress
import socket
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from gateway.outbound.line import Call


def is_loopback(host: str) -> bool:
    """Say whether a name or an address can only be this machine. Source: RFC 6761, section 6.3."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class LoopbackAdapter(HTTPAdapter):
    """Makes the connections of one session; `call` is the attempt that they serve now."""

    call: Call

    def __init__(self) -> None:
        super().__init__(pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:  # noqa: ANN401  # requests' own
        """Hand itself to every connection, by way of their pool."""
        super().init_poolmanager(*args, **options)

        def pool(host: str, port: int, **more: Any) -> "_Pool":  # noqa: ANN401  # urllib3's own
            return _Pool(host, port, adapter=self, **more)

        self.poolmanager.pool_classes_by_scheme = {"http": pool}


class _Socket(socket.socket):
    """A socket whose waits end at its adapter's deadline."""

    adapter: LoopbackAdapter

    def sendall(self, data: Any, flags: int = 0) -> None:  # noqa: ANN401  # any buffer
        """Send all of the message, or fail at the deadline."""
        self.settimeout(self.adapter.call.left())
        self.adapter.call.has_spoken = True
        super().sendall(data, flags)

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:  # noqa: ANN401  # as the parent's
        """Read some of the answer."""
        self.settimeout(self.adapter.call.left())
        return super().recv_into(buffer, nbytes, flags)


class _Connection(HTTPConnection):
    def __init__(self, *args: Any, adapter: LoopbackAdapter, **options: Any) -> None:  # noqa: ANN401  # urllib3's own
        super().__init__(*args, **options)
        self._adapter = adapter

    def _new_conn(self) -> socket.socket:
        made = super()._new_conn()
        line = _Socket(fileno=made.detach())
        line.adapter = self._adapter
        return line


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection
