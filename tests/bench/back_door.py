"""How fast what was accepted leaves: real workers, a real database, a receiver behind real TLS.

What enters: an engine. What leaves: deliveries a second from a full queue; the time from a 201 to
the receiver's 2xx; and by how much one dead destination of fifty delays the other ones. Gateway,
database and receiver share the cores of this machine, so figures are ratios. All instants are
of the one clock that every process here reads.
"""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median

from sqlalchemy import update

from gateway.referral.directory import Service
from gateway.store.directory import DirectoryAsOf
from gateway.store.tables import delivery, lane
from tests.bench.messages import lengthened
from tests.bench.outbox import Waiting, fill_outbox
from tests.bench.processor import seconds_of
from tests.bench.quick_receiver import QuickReceiver
from tests.bench.times import Times, times_of
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
_WARM = 100
_LATER = timedelta(hours=1)
FIFTIETH = {"well": "good", "hangs": "hangs", "refuses": "refuses"}
"""What the fiftieth destination does, and the port of the receiver where it is done."""
_ITS_SHARE = 10
"""One delivery of so many is for the fiftieth: more than its share, since what is dead piles up."""
_LET_GO = 6.0
"""Seconds after which every attempt at a dead destination has ended."""


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
class Late:
    """The forty-nine, from due to the receiver's 2xx, in milliseconds: medians over the rounds.

    `rounds` are what each round came to.
    """

    engine: str
    fiftieth: str
    per_second: float
    deliveries: int
    late_ms: Times
    rounds: Sequence[Times]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A gateway whose directory names some services of one receiver."""

    engine: str
    installation: Installation
    receiver: QuickReceiver
    services: Mapping[str, Service]

    def fill(
        self, names: Sequence[str], dues: Sequence[datetime], *, long: bool = False
    ) -> list[str]:
        """Queue one referral for each due, to the named services in turn; return their keys."""
        turns = [names[number % len(names)] for number in range(len(dues))]
        waiting = [
            Waiting(
                service=self.services[name],
                body=_body(self.installation.services[name], long=long),
                due=due,
            )
            for name, due in zip(turns, dues, strict=True)
        ]
        return fill_outbox(self.installation.gateway, waiting)

    def await_arrived(self, keys: Sequence[str], *, seconds: float = 180) -> dict[str, float]:
        """Wait until the receiver has answered all of these; tell when it did."""
        wanted = set(keys)
        until(lambda: wanted <= self.receiver.arrived().keys(), seconds=seconds, every=0.25)
        found = self.receiver.arrived()
        return {key: found[key] for key in keys}

    def warm_up(self, workers: int, *, long: bool = False) -> None:
        """Let the workers open their lines and prepare their statements."""
        now = self.installation.gateway.clock()
        some = list(self.services)[:8]
        self.await_arrived(self.fill(some, [now] * (_WARM * workers), long=long))


def _body(dos_service_id: str, *, long: bool) -> bytes:
    short = message(dos_service_id)
    return json.dumps(lengthened(json.loads(short))).encode() if long else short


@contextmanager
def placed(
    engine: str, url: str, folder: Path, receiver: QuickReceiver, names: Mapping[str, str]
) -> Iterator[Place]:
    """Install a gateway on a fresh database; `names`: services, with the port of each."""
    installation = Installation(
        database_url=url, folder=folder, receiver=receiver, port=free_port()
    )
    installation.settings = dict(AS_DELIVERED)
    try:
        installation.offer({name: receiver.address("fhir", port) for name, port in names.items()})
        gateway = installation.gateway
        with gateway.store.reading() as view:
            directory = DirectoryAsOf(view, gateway.clock())
            known = {str(each.dos_service_id): each for each in directory.services()}
        services = {name: known[key] for name, key in installation.services.items()}
        yield Place(engine=engine, installation=installation, receiver=receiver, services=services)
    finally:
        installation.end()


def drain(
    place: Place, *, workers: int, number: int, database_pid: int | None, long: bool = False
) -> Drain:
    """Fill the queue, let all of it be due at one instant, and time the middle four fifths."""
    gateway, names = place.installation.gateway, list(place.services)
    children = place.installation.work(workers)
    place.warm_up(workers, long=long)
    keys = place.fill(names, [gateway.clock() + _LATER] * number, long=long)
    groups = {
        "gateway": [child.pid or 0 for child in children],
        "database": [database_pid] if database_pid else [],
        "receiver": [place.receiver.pid],
    }
    before = {name: seconds_of(pids) for name, pids in groups.items()}
    with gateway.store.transaction(gateway.clock()) as tx:
        later = delivery.c.next_at > tx.at
        tx.connection.execute(update(delivery).where(later).values(next_at=tx.at))
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


@dataclass
class _Posted:
    """When each referral was posted, and when its 201 had come, by the referral's id."""

    times: dict[str, tuple[float, float]] = field(default_factory=dict)

    def post(self, place: Place, name: str, at: float) -> None:
        """Post one referral at an instant."""
        time.sleep(max(at - time.monotonic(), 0))
        began = time.monotonic()
        answer = place.installation.post(name)
        if answer.status_code == 201:
            self.times[str(answer.json()["id"])] = (began, time.monotonic())


def walk(place: Place, *, workers: int, per_second: float, seconds: float) -> Walk:
    """Post referrals at even intervals, whatever becomes of those before; follow each."""
    names = list(place.services)
    place.installation.serve()
    place.installation.work(workers)
    place.warm_up(workers)
    _post_evenly(place, names, _Posted(), 10, per_second)
    posted, number = _Posted(), int(seconds * per_second)
    _post_evenly(place, names, posted, number, per_second)
    keys = {str(d.id): str(d.referral) for d in place.installation.deliveries()}
    own = [key for key, referral in keys.items() if referral in posted.times]
    arrived = place.await_arrived(own)
    accepted = {key: posted.times[keys[key]] for key in own}
    return Walk(
        engine=place.engine,
        per_second=per_second,
        referrals=len(own),
        accepted_to_received=times_of(
            [(arrived[key] - answered) * 1000 for key, (_, answered) in accepted.items()]
        ),
        posted_to_accepted=times_of(
            [(answered - began) * 1000 for began, answered in accepted.values()]
        ),
    )


def _post_evenly(
    place: Place, names: Sequence[str], posted: _Posted, number: int, per_second: float
) -> None:
    place.installation.post(names[0])  # has a token from here on
    start = time.monotonic() + 0.2
    threads = [
        threading.Thread(
            target=posted.post, args=(place, names[n % len(names)], start + n / per_second)
        )
        for n in range(number)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def beside_a_dead_one(
    place: Place, *, workers: int, per_second: float, seconds: float, rounds: int
) -> list[Late]:
    """Deliver to forty-nine while the fiftieth is well, hangs or refuses, in turn."""
    place.installation.work(workers)
    others = [name for name in place.services if name not in FIFTIETH]
    now = place.installation.gateway.clock()
    place.await_arrived(place.fill(others, [now] * len(others) * workers))
    kinds = [*FIFTIETH, "well, again"]
    found: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
    for number in range(rounds * len(kinds)):
        kind = kinds[number % len(kinds)]
        fiftieth = kind.removesuffix(", again")
        found[kind].append(_round(place, others, fiftieth, per_second, seconds))
    return [
        Late(
            engine=place.engine,
            fiftieth=kind,
            per_second=per_second,
            deliveries=sum(map(len, each)),
            late_ms=_middle([times_of(one) for one in each]),
            rounds=[times_of(one) for one in each],
        )
        for kind, each in found.items()
    ]


def _middle(rounds: Sequence[Times]) -> Times:
    return Times(p50=median(each.p50 for each in rounds), p99=median(each.p99 for each in rounds))


def _round(
    place: Place, others: Sequence[str], fiftieth: str, per_second: float, seconds: float
) -> list[float]:
    """Give the forty-nine what falls due evenly; tell how late each was, in milliseconds."""
    gateway, number = place.installation.gateway, int(per_second * seconds)
    began, ticks = gateway.clock() + timedelta(seconds=2), time.monotonic() + 2
    offsets = [n / per_second for n in range(number)]
    to_it = offsets[::_ITS_SHARE]
    to_others = [each for n, each in enumerate(offsets) if n % _ITS_SHARE]
    place.fill([fiftieth], [began + timedelta(seconds=each) for each in to_it])
    keys = place.fill(others, [began + timedelta(seconds=each) for each in to_others])
    arrived = place.await_arrived(keys)
    _forget_the_dead(place, _LET_GO if fiftieth == "hangs" else 1.0)
    due = zip(keys, to_others, strict=True)
    return [(arrived[key] - ticks - offset) * 1000 for key, offset in due]


def _forget_the_dead(place: Place, seconds: float) -> None:
    """Put aside what waits for a dead destination, so that the next round begins as this one."""
    gateway = place.installation.gateway
    lanes = [place.services[name].endpoint for name in FIFTIETH]
    for _ in range(2):  # what is under way may come back once
        with gateway.store.transaction(gateway.clock()) as tx:
            waits = delivery.c.lane.in_(lanes) & delivery.c.state.in_(["queued", "in-flight"])
            aside = {"state": "dead-lettered", "lease_owner": None, "lease_until": None}
            tx.connection.execute(
                update(delivery).where(waits).values(version=delivery.c.version + 1, **aside)
            )
            fresh = {"failures": 0, "opened_at": None, "next_at": tx.at}
            tx.connection.execute(update(lane).where(lane.c.endpoint.in_(lanes)).values(**fresh))
        time.sleep(seconds)
