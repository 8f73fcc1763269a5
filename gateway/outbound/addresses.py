"""The addresses of a host, in time: the system's own look-up has no limit that we could set.

What enters: a name. What leaves: its addresses, none where nobody answered in time.
"""

import socket
import threading
from collections.abc import Sequence
from datetime import timedelta

PATIENCE = timedelta(seconds=1.5)


def look_up(host: str, *, patience: timedelta = PATIENCE) -> Sequence[str]:
    """Look a host up. A look-up that takes longer goes on by itself, and nobody waits for it."""
    found: list[str] = []

    def ask() -> None:
        try:
            told = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found.extend(str(each[4][0]) for each in told)

    asking = threading.Thread(target=ask, name="look-up", daemon=True)
    asking.start()
    asking.join(patience.total_seconds())
    return () if asking.is_alive() else tuple(dict.fromkeys(found))
