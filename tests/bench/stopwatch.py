"""Where a decision spends its time: each part without the parts inside it."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any
from unittest import mock

from sqlalchemy import Engine, event

import gateway.journey.consider
import gateway.store.consents
from gateway.store.vault import Vault

QUERIES = "the database: four queries"
ROWS = "rows to values: organisations, agreements, switches"
SEALS = "opening two seals"
CONSENTS = "reading the Consent"
ITEMS = "what must stay behind, and taking it out"
FACTS = "gathering the facts"
RULES = "the rules"
ROUND = "the transaction around it"

_CONSIDER, _REGISTER = gateway.journey.consider, gateway.store.consents
_PARTS: tuple[tuple[str, ModuleType | type, str], ...] = (
    (SEALS, Vault, "open_key"),
    (SEALS, Vault, "open"),
    (CONSENTS, _REGISTER, "read_resource"),
    (CONSENTS, _REGISTER, "standing"),
    (CONSENTS, _REGISTER, "names_of"),
    (CONSENTS, _CONSIDER, "combine"),
    (CONSENTS, _CONSIDER, "versions_used"),
    (CONSENTS, _CONSIDER, "read_consents"),
    (ITEMS, _CONSIDER, "items_of"),
    (ITEMS, _CONSIDER, "plan_for"),
    (ITEMS, _CONSIDER, "minimise"),
    (FACTS, _CONSIDER, "facts_about"),
    (RULES, _CONSIDER, "decide"),
)


class Stopwatch:
    """Adds up the time of each part; what one part spends in another counts for the other."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._open: list[str] = []
        self._since = 0.0

    def enter(self, part: str) -> None:
        """Begin a part inside the present one."""
        self._credit()
        self._open.append(part)

    def leave(self) -> None:
        """End the present part; the one around it goes on."""
        self._credit()
        self._open.pop()

    @contextmanager
    def inside(self, part: str) -> Iterator[None]:
        """Time a part."""
        self.enter(part)
        try:
            yield
        finally:
            self.leave()

    def take(self) -> dict[str, float]:
        """Return the seconds of each part, and begin anew."""
        taken, self.spent = self.spent, {}
        return taken

    def _credit(self) -> None:
        now = time.perf_counter()
        if self._open:
            part = self._open[-1]
            self.spent[part] = self.spent.get(part, 0.0) + now - self._since
        self._since = now


@contextmanager
def timed_parts(engine: Engine, watch: Stopwatch) -> Iterator[None]:
    """Have a stopwatch time the parts of `consider`, and each statement that the database gets."""

    def begins(*_: object) -> None:
        watch.enter(QUERIES)

    def ends(*_: object) -> None:
        watch.leave()

    event.listen(engine, "before_cursor_execute", begins)
    event.listen(engine, "after_cursor_execute", ends)
    try:
        with ExitStack() as patches:
            for part, place, name in _PARTS:
                real = getattr(place, name)
                patches.enter_context(mock.patch.object(place, name, _timed(real, part, watch)))
            yield
    finally:
        event.remove(engine, "before_cursor_execute", begins)
        event.remove(engine, "after_cursor_execute", ends)


def _timed(real: Callable[..., Any], part: str, watch: Stopwatch) -> Callable[..., Any]:
    def measured(*args: Any, **kwargs: Any) -> Any:
        with watch.inside(part):
            return real(*args, **kwargs)

    return measured
