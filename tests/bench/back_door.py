"""How fast what was accepted leaves: real workers, a real database, a receiver behind real TLS.

What enters: an engine. What leaves: deliveries a second from a full queue; the time from a 201 to
the receiver's 2xx; and by how much one dead destination of fifty delays the other ones. Gateway,
database and receiver share the cores of this machine, so figures are ratios. All instants are
of the one clock that every process here reads.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update

from gateway.referral.directory import Service
from gateway.referral.identifiers import DosServiceId
from gateway.store.directory import DirectoryAsOf
from gateway.store.tables import delivery
from tests.bench.messages import lengthened
from tests.bench.outbox import Waiting, fill_outbox
from tests.bench.processor import seconds_of
from tests.bench.quick_receiver import QuickReceiver
from tests.bench.times import Times
from tests.processes.children import kill
from tests.processes.installation import Installation, free_port, message
from tests.processes.receiver import until

AS_DELIVERED = {
    "connect_timeout": "PT5S",
    "reply_timeout": "PT8S",
    "retry_first": "PT15S",
    "retry_longest": "PT2H",
}
"""Where the tests hurry: what an operator has who sets nothing."""
_LEAD = timedelta(seconds=3)
_WARM = 100
_HOURS = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """One full queue, drained. Milliseconds of processor time are for each delivery."""

    engine: str
    workers: int
    lanes: int
    body_bytes: int
    per_second: float
    gateway_ms: float
    database_ms: float
    receiver_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """From the 201 to the receiver's 2xx, in milliseconds."""

    engine: str
    per_second: float
    referrals: int
    accepted_to_received: Times
    posted_to_accepted: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """The forty-nine, from due to the receiver's 2xx, while the fiftieth does something."""

    engine: str
    fiftieth: str
    referrals: int
    late_ms: Times
    middle_of_rounds: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A gateway whose directory names some services of one receiver."""

    engine: str
    installation: Installation
    receiver: QuickReceiver
    services: dict[str, Service]

    def fill(self, names: Sequence[str], dues: Sequence[Any], *, long: bool = False) -> list[str]:
        """Queue one referral for each due, to the named services in turn."""
        gateway = self.installation.gateway
        waiting = []
        for number, due in enumerate(dues):
            service = self.services[names[number % len(names)]]
            body = _body(self.installation.services[names[number % len(names)]], long=long)
            waiting.append(Waiting(service=service, body=body, due=due))
        return fill_outbox(gateway, waiting)

    def await_arrived(self, keys: Sequence[str], *, seconds: float = 60) -> dict[str, float]:
        """Wait until the receiver has answered all of these."""
        wanted = set(keys)
        until(lambda: wanted <= self.receiver.arrived().keys(), seconds=seconds, every=0.2)
        found = self.receiver.arrived()
        return {key: found[key] for key in keys}


def _body(dos_service_id: str, *, long: bool) -> bytes:
    short = message(dos_service_id)
    return json.dumps(lengthened(json.loads(short))).encode() if long else short


@contextmanager
def placed(
    engine: str, url: str, folder: Path, receiver: QuickReceiver, names: dict[str, str]
) -> Iterator[_Place]:
    """Install a gateway on a fresh database; `names`: services, with the server of each."""
    installation = Installation(
        database_url=url, folder=folder, receiver=receiver, port=free_port()
    )
    installation.settings = dict(AS_DELIVERED)
    try:
        installation.offer({name: receiver.address("fhir", at) for name, at in names.items()})
        gateway = installation.gateway
        with gateway.store.reading() as view:
            known = {
                each.dos_service_id: each
                for each in DirectoryAsOf(view, gateway.clock()).services()
            }
        services = {name: known[DosServiceId(key)] for name, key in installation.services.items()}
        yield _Place(engine=engine, installation=installation, receiver=receiver, services=services)
    finally:
        installation.end()


def drain(
    place: _Place, *, workers: int, number: int, database_pid: int | None, long: bool = False
) -> Drain:
    """Fill the queue, let the workers begin at one instant, and time the middle four fifths."""
    gateway, names = place.installation.gateway, list(place.services)
    place.receiver.forget()
    children = place.installation.work(workers)
    at_once = [gateway.clock()] * (_WARM * workers)
    place.await_arrived(place.fill(names, at_once, long=long))
    keys = place.fill(names, [gateway.clock() + _HOURS] * number, long=long)
    groups = {
        "gateway": [child.pid or 0 for child in children],
        "database": [database_pid] if database_pid else [],
        "receiver": [place.receiver.pid],
    }
    before = {name: seconds_of(pids) for name, pids in groups.items()}
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.connection.execute(
            update(delivery).where(delivery.c.next_at > tx.at).values(next_at=tx.at)
        )
    arrived = sorted(place.await_arrived(keys).values())
    spent = {
        name: (seconds_of(pids) - before[name]) * 1000 / number for name, pids in groups.items()
    }
    for child in children:
        kill(child)
    low, high = number // 10, number * 9 // 10
    return Drain(
        engine=place.engine,
        workers=workers,
        lanes=len(names),
        body_bytes=len(_body("9000000001", long=long)),
        per_second=(high - low) / (arrived[high] - arrived[low]),
        gateway_ms=spent["gateway"],
        database_ms=spent["database"],
        receiver_ms=spent["receiver"],
    )
