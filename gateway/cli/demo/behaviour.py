"""How a simulated neighbour behaves: well, or badly in one of the ways that networks know."""

import threading
from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """What happens to a transaction that comes in.

    The first six take nothing in; the last three take it in, then spoil the answer.
    """

    OK = "ok"
    ERROR = "500"
    BUSY = "503"
    FULL = "429"
    UNWILLING = "422"
    HANG = "hang"
    REDIRECT = "redirect"
    DROP_AFTER_COMMIT = "drop-after-commit"
    SLOW_DRIP = "slow-drip"
    NOT_JSON = "not-json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """A mode, how often it still applies (None: until told otherwise), and a wish.

    `retry_after` is what a 503 asks for, in seconds; None: it does not say.
    """

    mode: Mode = Mode.OK
    times: int | None = None
    retry_after: int | None = None


class Conduct:
    """The present behaviour of one neighbour. Safe to share between threads."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._lock = threading.Lock()
        self._behaviour = behaviour

    def become(self, behaviour: Behaviour) -> None:
        """Behave like this from now on."""
        with self._lock:
            self._behaviour = behaviour

    def present(self) -> Behaviour:
        """Return the behaviour, and use none of it up."""
        with self._lock:
            return self._behaviour

    def next(self) -> Behaviour:
        """Return the behaviour for one transaction, and count it."""
        with self._lock:
            now = self._behaviour
            if now.times is not None:
                left = now.times - 1
                self._behaviour = (
                    Behaviour(mode=now.mode, times=left, retry_after=now.retry_after)
                    if left > 0
                    else Behaviour()
                )
            return now
