"""What a decision costs when its facts are read from a store, and whether that grows.

What enters: an empty database with a current schema, and numbers of consents. What leaves: for
each number, milliseconds of `consider` for persons whose Consent the register holds, in a
transaction as `deliver` opens it; where they go; and which table, if any, is read from end to
end. The referral is read beforehand. No person is asked about twice, so nothing of theirs is
warm.
"""

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice

from gateway.consent.decide import Effect
from gateway.consent.rules import POLICY
from gateway.fhir.read_referral import read_referral
from gateway.journey.consider import Answer, Case, consider
from gateway.journey.gateway import Gateway, Schedule
from gateway.referral.directory import Purpose
from gateway.referral.identifiers import DosServiceId, NhsNumber, OdsCode
from gateway.referral.sharing import Moment
from gateway.routing.candidates import Candidate
from gateway.store import persons
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Store, Transaction
from tests.bench.country import Country, dos_service_of, nhs_number_of
from tests.bench.fill import add_consents, fill_directory, fresh_vault, tidy
from tests.bench.messages import lengthened
from tests.bench.plans import tables_scanned
from tests.bench.stopwatch import ROUND, ROWS, Stopwatch, timed_parts
from tests.bench.times import A_MILLISECOND, Cost, Times, Turns, times_of
from tests.builders.house import own_profiles
from tests.builders.messages import patient, service_request

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_NEWS_EVERY = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FactTimes:
    """One number of consents. Milliseconds.

    `short`: of a plain form; `long`: of one of about 20 kB; `parts`: of a plain form.
    `scans`: the tables that the decision reads from end to end, by the database's own plan.
    """

    engine: str
    consents: int
    samples: int
    short: Cost
    long: Cost
    parts: Mapping[str, Times]
    scans: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    case: Case
    candidate: Candidate


def fact_times(
    database_url: str,
    sizes: Sequence[int],
    *,
    country: Country,
    samples: int = 2_000,
    processes: int = 0,
    told: Callable[[str], object] = lambda _: None,
) -> list[FactTimes]:
    """Fill a database step by step, and time decisions at each.

    Where there are too few consents for so many samples, half of the persons are asked about.
    """
    found, before = [], 0
    for size in sizes:
        with closing(_store(database_url)) as store:
            if not before:
                fill_directory(store, country)
            started = time.perf_counter()
            for done in add_consents(store, country, range(before, size), processes=processes):
                if done % _NEWS_EVERY == 0:
                    told(f"{done:,} consents")
            told(f"{size - before:,} more in {time.perf_counter() - started:.0f} s")
            tidy(store)
        with closing(_store(database_url)) as store:
            found.append(_measured(_gateway(store), size, country, min(samples, size // 2)))
        before = size
    return found


def _measured(gateway: Gateway, size: int, country: Country, count: int) -> FactTimes:
    chosen = iter(random.Random(size).sample(range(size), 2 * count))  # noqa: S311  # a sample

    def some(how_many: int, *, long: bool = False) -> list[_Question]:
        numbers = islice(chosen, how_many)
        return [_question(gateway, country, number, long=long) for number in numbers]

    _cost(gateway, some(count // 10 + 2))
    return FactTimes(
        engine=gateway.store.engine.dialect.name,
        consents=size,
        samples=count,
        short=_cost(gateway, some(count)),
        long=_cost(gateway, some(count // 2, long=True)),
        parts=_parts(gateway, some(count // 4)),
        scans=_scans(gateway, *some(1)),
    )


def _cost(gateway: Gateway, questions: Sequence[_Question]) -> Cost:
    turns = Turns(A_MILLISECOND)
    with _out_of_the_way():
        for question in questions:
            with gateway.store.transaction(AT) as tx:
                answer = turns.take(partial(_considered, tx, gateway, question))
            _check(answer)
    return turns.cost()


@contextmanager
def _out_of_the_way() -> Iterator[None]:
    """Keep the collector of garbage from the questions that wait: no gateway has thousands."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _parts(gateway: Gateway, questions: Sequence[_Question]) -> Mapping[str, Times]:
    """Time the parts, each question by itself. The stopwatch costs something, too."""
    watch, turns = Stopwatch(), []
    with _out_of_the_way(), timed_parts(gateway.store.engine, watch):
        for question in questions:
            with watch.inside(ROUND), gateway.store.transaction(AT) as tx, watch.inside(ROWS):
                _considered(tx, gateway, question)
            turns.append(watch.take())
    return {part: times_of([turn[part] / A_MILLISECOND for turn in turns]) for part in turns[0]}


def _scans(gateway: Gateway, question: _Question) -> tuple[str, ...]:
    with gateway.store.transaction(AT) as tx:
        return tables_scanned(tx.connection, lambda: _considered(tx, gateway, question))


def _considered(tx: Transaction, gateway: Gateway, question: _Question) -> Answer:
    return consider(tx, gateway, question.case, question.candidate)


def _check(answer: Answer) -> None:
    """Time no decision but the one that was meant: permitted, by a Consent of the register."""
    used = [source.version for source in answer.facts.sources if source.name == "consents"]
    if answer.verdict.effect is not Effect.PERMIT or used == [None]:
        raise ValueError(f"not the decision that was to be timed: {answer.verdict.code}")


def _question(gateway: Gateway, country: Country, person: int, *, long: bool) -> _Question:
    """Ask about one person, whom the referral's row would name by handle."""
    practice, number = OdsCode(country.practice_of(person)), NhsNumber(nhs_number_of(person))
    dos_service = dos_service_of(country.provider_of(practice))
    tree = service_request(
        consents=[], person=patient(number, practice), service=dos_service, requester=practice
    )
    with gateway.store.reading() as view:
        subject = persons.find_handle(view, practice, number)
        service = DirectoryAsOf(view, AT).service_known_as(DosServiceId(dos_service))
    return _Question(
        case=Case(
            referral=read_referral(lengthened(tree) if long else tree),
            practice=practice,
            subject=subject,
            received_at=AT - _HOUR,
            payload_hash_ok=True,
            moment=Moment(at=AT, is_now=True),
        ),
        candidate=Candidate(service=service, purpose=Purpose.OCCUPATIONAL_HEALTH),
    )


def _store(database_url: str) -> Store:
    return Store(
        database_url,
        vault=fresh_vault(),
        ledger_origin="gateway.example/bench",
        timeout=timedelta(seconds=30),
        pool_size=2,
    )


def _gateway(store: Store) -> Gateway:
    return Gateway(
        store=store,
        profiles=own_profiles(),
        policy=POLICY,
        schedule=Schedule(
            first=_HOUR, longest=_HOUR, horizon=_HOUR, lease=_HOUR, margin=_HOUR, hold_due=_HOUR
        ),
        ods=OdsCode("XGW01"),
        writers={},
        destinations={},
        clock=lambda: AT,
    )
