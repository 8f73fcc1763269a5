"""Any order of claiming, releasing, sending, settling, withdrawing, dying and coming back.

Attempts and withdrawals walk side by side, each a transaction at a time; between any two steps of
one the others may go on, time may pass, and it may die. After every step the ledger and what came
to the provider are held against a second reading of invariants 12 to 18.
"""

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg import sql
from sqlalchemy import select

from gateway.errors import ConsentRefusedError
from gateway.journey import withdraw
from gateway.journey.agreements import Wish, set_agreement
from gateway.journey.claim import claim_due
from gateway.journey.deliver import deliver
from gateway.journey.gateway import Gateway
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.journey.switches import SwitchWish, set_switch
from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, WithdrawalId
from gateway.referral.lifecycle import DeliveryKind, ReferralState
from gateway.referral.model import Referral
from gateway.referral.sharing import AgreementMove
from gateway.store import referrals
from gateway.store.tables_ledger import ledger_entry
from tests.builders import register, withdrawn
from tests.builders.evidence import id_in, take_back
from tests.builders.house import House, build_house, directory, furnish, own_keys
from tests.builders.messages import NHS_NUMBER, patient, service_request
from tests.builders.release import Fate, Stage, Walk, staged
from tests.builders.sharing import OPERATOR, PRACTICE_ODS, set_to
from tests.postgres import PostgresServer
from tests.properties.release_book import Book

OH = AgreementId("dsa-one-oh")
PERSONS = (NHS_NUMBER, "9990000026")
WAITS = (0.4, 1.0, 9.0, 29.0, 31.0, 300.0)
"""Seconds: within a second, a retry, nearly a lease (29), a lease and its margin, an outage."""

fates = st.sampled_from(Fate)
numbers = st.integers(0, 7)


def furnish_further(url: str) -> None:
    """Furnish a house in which two persons consented and new agreements may be signed."""
    furnish(url)
    house = build_house(url, is_furnished=True)
    house.apply(agreements=assessed(house))
    set_to(house, "new_agreements", "on")
    for number in PERSONS:
        register.register(house, register.to_register(number=number))
    house.gateway.store.close()


def assessed(house: House) -> list[dict[str, Any]]:
    return [each | {"dpia_ref": "DPIA-1"} for each in house.directory["agreements"]]


@cache
def furnished_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.sqlite3"
        furnish_further(f"sqlite:///{path}")
        return path.read_bytes()


def on_sqlite(folder: Path) -> tuple[str, Callable[[], None]]:
    """A database, and how to make it again while nobody is connected to it."""
    path = folder / "gateway.sqlite3"

    def restore() -> None:
        for each in folder.glob("gateway.sqlite3*"):
            each.unlink()
        path.write_bytes(furnished_file())

    restore()
    return f"sqlite:///{path}", restore


def on_postgresql(server: PostgresServer) -> tuple[str, Callable[[], None]]:
    template, url = (server.fresh_database(furnish_further) for _ in range(2))
    names = [sql.Identifier(urlsplit(each).path.removeprefix("/")) for each in (url, template)]

    def restore() -> None:
        server.drop_database(url)
        with server.connect() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))

    return url, restore


class Releases(RuleBasedStateMachine):
    """Some referrals of two persons of one practice, on their way to one provider."""

    stage: ClassVar[Stage]
    restore: ClassVar[Callable[[], None]]
    of_workers: ClassVar[Callable[[Gateway], Gateway]] = staticmethod(lambda gateway: gateway)
    of_officers: ClassVar[Callable[[Gateway], Gateway]] = staticmethod(lambda gateway: gateway)
    """What workers, and whoever withdraws, are handed; a test may break it."""

    def __init__(self) -> None:
        super().__init__()
        self.house.gateway.store.close()
        type(self).restore()
        self.stage.begin_again()
        self.house.directory |= {"providers": assured_until("2030-01-01")}
        self.is_sound = self.is_assured = True
        self.refusing: set[str] = set()
        self.planned: set[datetime] = set()
        self.book = Book(taken_in=self.stage.taken_in)
        self.walks: list[Walk] = []
        self.own: list[str] = []
        self.consents: dict[str, str] = {}
        self.read_entries = self.read_arrivals = 0

    @property
    def house(self) -> House:
        return self.stage.house

    @initialize()
    def two_referrals_come(self) -> None:
        for number in PERSONS:
            named = f"https://fhir.nhs.uk/Id/nhs-number|{number}"
            found = self.house.get("/Consent", **{"patient:identifier": named}).get_json()
            self.consents[number] = found["entry"][0]["resource"]["id"]
            self.a_referral_comes(number)

    # What comes from outside.

    @rule(person=st.sampled_from(PERSONS))
    def a_referral_comes(self, person: str) -> None:
        tree = service_request(consents=[], person=patient(person))
        answer = self.house.post("/ServiceRequest", tree)
        assert answer.status_code in (201, 202, 403), answer.get_data(as_text=True)
        if answer.status_code != 403:
            self.own.append(id_in(answer.headers["Location"]))

    @rule(which=numbers)
    def its_sender_takes_one_back(self, which: int) -> None:
        if self.own:
            take_back(self.house, self.own[which % len(self.own)])

    @rule(seconds=st.sampled_from(WAITS))
    def time_passes(self, seconds: float) -> None:
        self.house.clock.move(seconds=seconds)
        if seconds > max(WAITS[:-1]):
            self.house.tokens.clear()
        self.book.pass_time(self.house.clock.now)

    # Attempts.

    @rule(fate=fates, most=st.integers(1, 2))
    def a_worker_claims(self, fate: Fate, most: int) -> None:
        gateway = type(self).of_workers(self.house.gateway)
        for each in claim_due("worker", gateway, most=most):
            self.walks.append(self.stage.walk(partial(deliver, each, gateway), fate))

    @rule(fate=fates)
    def an_attempt_is_made_and_settled(self, fate: Fate) -> None:
        self.a_worker_claims(fate, 1)
        for walk in self.walks[-1:]:
            self.finish(walk)

    # Withdrawals, each as far as the commit that counts.

    @rule(number=st.sampled_from(PERSONS))
    def a_person_takes_consent_back(self, number: str) -> None:
        self.change_consent(number, "inactive", "consent.withdrawn")

    @rule(number=st.sampled_from(PERSONS))
    def a_person_consents_again(self, number: str) -> None:
        self.change_consent(number, "active", "consent.superseded")

    @rule(move=st.sampled_from([AgreementMove.WITHDRAWN, AgreementMove.REINSTATED]))
    def the_agreement_changes(self, move: AgreementMove) -> None:
        if move is AgreementMove.REINSTATED and self.is_an_end_due():
            return
        wish = Wish(agreement=OH, move=move)
        act = partial(set_agreement, PRACTICE_ODS, wish, OPERATOR, self.officers)
        self.begin(act, f"agreement.{move}")

    def is_an_end_due(self) -> bool:
        """Whether a planned end has come, and no worker has carried it out yet."""
        return any(
            c.at in self.planned and c.stops and not c.is_acknowledged for c in self.book.changes
        )

    @rule(seconds=st.sampled_from([5.0, 60.0]))
    def the_agreement_is_to_end(self, seconds: float) -> None:
        self.time_passes(0.4)
        at = self.house.clock.now + timedelta(seconds=seconds)
        self.planned.add(at)
        wish = Wish(agreement=OH, move=AgreementMove.WITHDRAWN, effective_at=at)
        act = partial(set_agreement, PRACTICE_ODS, wish, OPERATOR, self.officers)
        self.begin(act, "agreement.withdrawn")

    @rule(value=st.sampled_from([SwitchValue.ON, SwitchValue.OFF]))
    def new_agreements_are_frozen_or_not(self, value: SwitchValue) -> None:
        wish = SwitchWish(switch=Switch.NEW_AGREEMENTS, value=value)
        act = partial(set_switch, PRACTICE_ODS, wish, OPERATOR, self.officers)
        self.begin(act, "switch.changed")

    @rule(is_assured=st.booleans())
    def the_provider_is_assured(self, is_assured: bool) -> None:  # noqa: FBT001  # as drawn
        if is_assured is not self.is_assured:
            self.time_passes(0.4)
            until = "2030-01-01" if is_assured else "2026-01-01"
            self.house.apply(providers=assured_until(until))
            self.is_assured = is_assured

    @rule()
    def a_worker_goes_on_with_withdrawals(self) -> None:
        self.walks.append(self.stage.walk(partial(withdraw.go_on, self.officers)))

    @property
    def officers(self) -> Gateway:
        return type(self).of_officers(self.house.gateway)

    def begin(self, act: Callable[[], object], kind: str) -> None:
        """Let a withdrawal, or what undoes one, walk to its commit; it goes on later."""
        self.time_passes(0.4)
        walk = self.stage.walk(act)
        self.walks.append(walk)
        while walk.at not in (None, "monotonic"):  # there it waits for others, and began nothing
            if kind in self.step(walk):
                break

    def change_consent(self, number: str, status: str, kind: str) -> None:
        if (status == "inactive") is (number in self.refusing):
            return
        self.refusing ^= {number}
        own = f"/Consent/{self.consents[number]}"
        read = self.house.get(own)
        self.time_passes(0.4)
        tree = read.get_json() | {"status": status, "dateTime": self.house.clock.now.isoformat()}
        sent = {"Content-Type": "application/fhir+json", "If-Match": read.headers["ETag"]}
        put = partial(
            self.house.app.test_client().put,
            f"/FHIR/R4{own}",
            data=json.dumps(tree).encode(),
            headers=sent | self.house.bearer(),
        )
        self.begin(put, kind)

    # Whoever is on the way.

    @precondition(lambda self: self.walks)
    @rule(which=numbers, steps=st.integers(1, 4))
    def one_goes_on(self, which: int, steps: int) -> None:
        walk = self.walks[which % len(self.walks)]
        for _ in range(steps):
            self.step(walk)

    @precondition(lambda self: self.walks)
    @rule(which=numbers)
    def one_goes_on_to_its_end(self, which: int) -> None:
        self.finish(self.walks[which % len(self.walks)])

    @precondition(lambda self: self.walks)
    @rule(which=numbers)
    def one_dies(self, which: int) -> None:
        self.walks.pop(which % len(self.walks)).die()

    @rule(which=numbers)
    def an_operator_orders_a_replay(self, which: int) -> None:
        if self.own:
            self.replay(self.now(self.own[which % len(self.own)]))

    def replay(self, one: Referral) -> None:
        if one.state is ReferralState.HELD:
            replay_referral(one.reference, self.house.gateway)

    def now(self, own: str) -> Referral:
        with self.house.gateway.store.reading(as_one_moment=True) as view:
            return referrals.get(view, own)  # type: ignore[arg-type]  # a text

    def step(self, walk: Walk) -> set[str]:
        """Let one go on to its next stop; tell the kinds of the new entries."""
        walk.go_on()
        if walk.at is None and walk in self.walks:
            self.walks.remove(walk)
        kinds = self.look()
        if walk.failure is not None and not isinstance(walk.failure, ConsentRefusedError):
            raise walk.failure
        return kinds

    def until(self, walk: Walk, at: str) -> None:
        """Let one go on until it stands there."""
        while walk.at not in (None, at):
            self.step(walk)
        assert walk.at == at, "it never stood there"

    def finish(self, walk: Walk) -> None:
        """Let one walk to its end; where it waits for another, time passes."""
        while walk.at is not None:
            if walk.at == "monotonic":
                self.time_passes(1.0)
            self.step(walk)

    # What must hold.

    @invariant()
    def the_invariants_hold(self) -> None:
        self.look()

    def look(self) -> set[str]:
        """Read what is new; tell the kinds of the new entries."""
        self.is_sound, was_sound = False, self.is_sound
        entries = self.new_entries()
        for each in entries:
            self.book.read(each)
            if each["kind"] == "withdrawal.acknowledged":
                found = WithdrawalId(each["withdrawal"])
                self.book.acknowledge(withdrawn.find(self.house.gateway, found))
        arrivals = self.stage.arrivals[self.read_arrivals :]
        self.read_arrivals += len(arrivals)
        for arrival in arrivals:
            self.book.arrive(arrival)
        self.is_sound = was_sound
        return {each["kind"] for each in entries}

    def new_entries(self) -> Sequence[dict[str, Any]]:
        query = (
            select(ledger_entry.c.body)
            .where(ledger_entry.c.idx >= self.read_entries)
            .order_by(ledger_entry.c.idx)
        )
        with self.house.gateway.store.reading() as view:
            bodies = [json.loads(body) for (body,) in view.connection.execute(query)]
        self.read_entries += len(bodies)
        return [body | body["refs"] | body["detail"] for body in bodies]

    def teardown(self) -> None:
        try:
            if self.is_sound and self.own:
                self.all_comes_to_its_end()
        finally:
            for walk in self.walks:
                walk.die()

    def all_comes_to_its_end(self) -> None:
        """Share everything again, let all that waits go, and see that nothing revives."""
        self.time_passes(120.0)
        self.a_worker_goes_on_with_withdrawals()
        while self.walks:
            self.walks[0].fate = Fate.ARRIVES
            self.finish(self.walks[0])
        self.new_agreements_are_frozen_or_not(SwitchValue.ON)
        self.the_agreement_changes(AgreementMove.REINSTATED)
        self.the_provider_is_assured(True)  # noqa: FBT003  # as drawn
        for number in PERSONS:
            self.a_person_consents_again(number)
        for _ in range(12):
            self.time_passes(600.0)
            self.a_worker_goes_on_with_withdrawals()
            self.a_worker_claims(Fate.ARRIVES, 100)
            while self.walks:
                self.finish(self.walks[0])
            everyone = self.everyone()
            for one in everyone:
                self.replay(one)
            if all(each.state in _ENDS for each in everyone) and not self.are_any_due():
                break
        self.check_the_end()

    def are_any_due(self) -> bool:
        before = len(self.walks)
        self.a_worker_claims(Fate.ARRIVES, 100)
        return len(self.walks) > before

    def everyone(self) -> list[Referral]:
        with self.house.gateway.store.reading(as_one_moment=True) as view:
            return list(referrals.everyone(view))

    def check_the_end(self) -> None:
        self.look()
        found = reconcile(self.house.gateway).discrepancies
        assert [each.text for each in found] == []
        for one in self.everyone():
            assert one.state in _ENDS, one.state
            known = self.book.referrals[one.id]
            assert one.state is ReferralState.CLOSED or known.key in self.stage.taken_in
        recalls = {a.key: a.referral for a in self.stage.arrivals if a.kind is DeliveryKind.RECALL}
        self.book.finish(Counter(recalls.values()))


_ENDS = (ReferralState.CLOSED, ReferralState.DELIVERED)


def assured_until(last_day: str) -> list[dict[str, Any]]:
    first, *others = directory(dict(own_keys()))["providers"]
    return [first | {"assured_until": last_day}, *others]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[type[Releases]]:
    """A machine, on each engine in turn, whose runs share a house and have a database each."""
    if request.param == "sqlite":
        made = on_sqlite(tmp_path)
    else:
        made = on_postgresql(request.getfixturevalue("postgres_server"))
    with machine_on(*made) as built:
        yield built


@contextmanager
def machine_on(
    url: str, restore: Callable[[], None], **changed: object
) -> Iterator[type[Releases]]:
    house = build_house(url, checks_answers=False, is_furnished=True)
    house.directory["agreements"] = assessed(house)
    stage = staged(house, **changed)
    yield type("Releases", (Releases,), {"stage": stage, "restore": staticmethod(restore)})
    house.gateway.store.close()


def run(machine: type[Releases], *, examples: int, steps: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[Phase.generate],  # to shrink what fails would take minutes
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.timeout(300)
def test_nothing_leaves_after_an_acknowledgement_and_nothing_is_lost(
    machine: type[Releases],
) -> None:
    run(machine, examples=9, steps=25)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_nothing_leaves_or_is_lost_however_long_it_goes_on(
    machine: type[Releases], soak_time: timedelta
) -> None:
    last = time.monotonic() + soak_time.total_seconds()
    while time.monotonic() < last:
        run(machine, examples=20, steps=60)
