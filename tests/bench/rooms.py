"""Where one accepted request spends its time, room by room, in one process and thread."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import gateway.inbound.referral_routes
import gateway.inbound.request
import gateway.journey.accept
import gateway.store.engine
from gateway.store import deliveries, persons, referrals, requests
from gateway.store.schema import upgrade
from tests.bench.messages import referral_of_about_20_kb
from tests.builders.house import build_house

_ROOMS: tuple[tuple[str, Any, str], ...] = (
    ("parsing", gateway.inbound.request, "body_tree"),
    ("validation, profiles and deviations", gateway.inbound.request, "check_structure"),
    ("reading the referral", gateway.inbound.referral_routes, "read_referral"),
    ("decision and its facts", gateway.journey.accept, "consider"),
    ("keeping the decision", gateway.journey.accept, "keep"),
    ("ledger", gateway.store.engine, "append"),
    ("store: request", requests, "settle"),
    ("store: person", persons, "meet"),
    ("store: referral and seal", referrals, "add"),
    ("store: delivery", deliveries, "add"),
    ("accept as a whole, with commit", gateway.inbound.referral_routes, "accept_referral"),
)


def share_of_rooms(folder: Path, *, repeats: int) -> dict[str, float]:
    """Time the parts of a request. Milliseconds a request; parts overlap where one calls another."""
    url = f"sqlite:///{folder / 'rooms.sqlite3'}"
    _upgrade(url)
    house = build_house(url, checks_answers=False)
    bodies = [referral_of_about_20_kb(number) for number in range(repeats)]
    house.post("/ServiceRequest", bodies[0])
    spent: dict[str, float] = {}
    with _timed(spent):
        started = time.perf_counter()
        for body in bodies:
            answer = house.post("/ServiceRequest", body)
            assert answer.status_code == 201, answer.get_data()
        whole = time.perf_counter() - started
    house.gateway.store.close()
    figures = {room: spent[room] * 1000 / repeats for room, _, _ in _ROOMS}
    return figures | {"whole request": whole * 1000 / repeats}


@contextmanager
def _timed(spent: dict[str, float]) -> Iterator[None]:
    patches = []
    for room, module, name in _ROOMS:
        patches.append(mock.patch.object(module, name, _timing(room, module, name, spent)))
    for patch in patches:
        patch.start()
    yield
    for patch in patches:
        patch.stop()


def _timing(
    room: str, module: ModuleType, name: str, spent: dict[str, float]
) -> Callable[..., Any]:
    real = getattr(module, name)

    def measured(*args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return real(*args, **kwargs)
        finally:
            spent[room] = spent.get(room, 0.0) + time.perf_counter() - started

    return measured


def _upgrade(url: str) -> None:
    engine = gateway.store.engine.make_engine(url, timeout=timedelta(seconds=5), pool_size=1)
    upgrade(engine)
    engine.dispose()
