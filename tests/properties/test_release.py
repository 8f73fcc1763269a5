"""Any order of claiming, releasing, sending, settling, withdrawing, dying and coming back.

Attempts and withdrawals walk side by side, each a transaction at a time; between any two steps of
one the others may go on, time may pass, and it may die. After every step the ledger and what came
to the provider are held against a second reading of invariants 12 to 18.
"""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, ClassVar

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
from sqlalchemy import select

from gateway.errors import ConsentRefusedError
from gateway.journey import withdraw
from gateway.journey.agreements import Wish, set_agreement
from gateway.journey.claim import claim_due
from gateway.journey.deliver import deliver
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
from tests.builders import register
from tests.builders.evidence import id_in, take_back
from tests.builders.house import House, build_house, furnish
from tests.builders.messages import NHS_NUMBER, patient, service_request
from tests.builders.release import Fate, Stage, Walk, staged
from tests.builders.sharing import OPERATOR, PRACTICE_ODS, set_to
from tests.memory import folder_in_memory
from tests.postgres import PostgresServer
from tests.properties.release_book import Book

OH = AgreementId("dsa-one-oh")
PERSONS = (NHS_NUMBER, "9990000026")
WAITS = (0.4, 1.0, 9.0, 29.0, 31.0, 300.0)
"""Seconds: within a second, a retry, nearly a lease (29), a lease and its margin, an outage."""

fates = st.sampled_from(Fate)
numbers = st.integers(0, 7)

Fresh = Callable[[], AbstractContextManager[House]]


def furnish_further(url: str) -> None:
    """Furnish a house in which two persons consented and new agreements may be signed."""
    furnish(url)
    house = build_house(url, is_furnished=True)
    assessed = [each | {"dpia_ref": "DPIA-1"} for each in house.directory["agreements"]]
    house.apply(agreements=assessed)
    set_to(house, "new_agreements", "on")
    for number in PERSONS:
        register.register(house, register.to_register(number=number))
    house.gateway.store.close()


@cache
def furnished_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.sqlite3"
        furnish_further(f"sqlite:///{path}")
        return path.read_bytes()


@contextmanager
def on_sqlite() -> Iterator[House]:
    with tempfile.TemporaryDirectory(dir=folder_in_memory()) as folder:
        path = Path(folder) / "gateway.sqlite3"
        path.write_bytes(furnished_file())
        house = build_house(f"sqlite:///{path}", is_furnished=True)
        try:
            yield house
        finally:
            house.gateway.store.close()


@contextmanager
def on_postgresql(server: PostgresServer) -> Iterator[House]:
    url = server.fresh_database(furnish_further)
    house = build_house(url, is_furnished=True)
    try:
        yield house
    finally:
        house.gateway.store.close()
        server.drop_database(url)


class Releases(RuleBasedStateMachine):
    """Some referrals of two persons of one practice, on their way to one provider."""

    fresh: ClassVar[Fresh] = on_sqlite

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        house = self.open.enter_context(type(self).fresh())
        self.stage = self.open.enter_context(self.staged(house))
        self.book = Book(taken_in=self.stage.taken_in)
        self.walks: list[Walk] = []
        self.own: list[str] = []
        self.consents: dict[str, str] = {}
        self.read_entries = self.read_arrivals = 0

    def staged(self, house: House) -> AbstractContextManager[Stage]:
        return staged(house)

    @property
    def house(self) -> House:
        return self.stage.house

    @initialize()
    def two_referrals_come(self) -> None:
        assessed = [each | {"dpia_ref": "DPIA-1"} for each in self.house.directory["agreements"]]
        self.house.directory |= {"agreements": assessed}
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
        self.house.tokens.clear()
        self.book.pass_time(self.house.clock.now)

    # Attempts.

    @rule(fate=fates, most=st.integers(1, 2))
    def a_worker_claims(self, fate: Fate, most: int) -> None:
        gateway = self.house.gateway
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
        wish = Wish(agreement=OH, move=move)
        act = partial(set_agreement, PRACTICE_ODS, wish, OPERATOR, self.house.gateway)
        self.begin(act, f"agreement.{move}")

    @rule(value=st.sampled_from([SwitchValue.ON, SwitchValue.OFF]))
    def new_agreements_are_frozen_or_not(self, value: SwitchValue) -> None:
        wish = SwitchWish(switch=Switch.NEW_AGREEMENTS, value=value)
        act = partial(set_switch, PRACTICE_ODS, wish, OPERATOR, self.house.gateway)
        self.begin(act, "switch.changed")

    @rule(until=st.sampled_from(["2026-01-01", "2030-01-01"]))
    def the_provider_is_assured_until(self, until: str) -> None:
        first, *others = self.house.directory["providers"]
        self.time_passes(0.4)
        self.house.apply(providers=[first | {"assured_until": until}, *others])

    @rule()
    def a_worker_goes_on_with_withdrawals(self) -> None:
        self.walks.append(self.stage.walk(partial(withdraw.go_on, self.house.gateway)))

    def begin(self, act: Callable[[], object], kind: str) -> None:
        """Let a withdrawal, or what undoes one, walk to its commit; it goes on later."""
        self.time_passes(0.4)
        walk = self.stage.walk(act)
        self.walks.append(walk)
        while walk.at is not None and kind not in self.look():
            self.step(walk)

    def change_consent(self, number: str, status: str, kind: str) -> None:
        self.time_passes(0.4)
        own = f"/Consent/{self.consents[number]}"
        read = self.house.get(own)
        if read.get_json()["status"] == status:
            return
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

    def step(self, walk: Walk) -> None:
        walk.go_on()
        if walk.at is None and walk in self.walks:
            self.walks.remove(walk)
        self.look()
        if walk.failure is not None and not isinstance(walk.failure, ConsentRefusedError):
            raise walk.failure

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
        entries = self.new_entries()
        for each in entries:
            self.book.read(each)
            if each["kind"] == "withdrawal.acknowledged":
                found = WithdrawalId(each["withdrawal"])
                self.book.acknowledge(withdraw.show(self.house.gateway, found, practice=None))
        arrivals = self.stage.arrivals[self.read_arrivals :]
        self.read_arrivals += len(arrivals)
        for arrival in arrivals:
            self.book.arrive(arrival)
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
            if self.consents:
                self.all_comes_to_its_end()
        finally:
            for walk in self.walks:
                walk.die()
            self.open.close()

    def all_comes_to_its_end(self) -> None:
        """Share everything again, let all that waits go, and see that nothing revives."""
        while self.walks:
            self.walks[0].fate = Fate.ARRIVES
            self.finish(self.walks[0])
        self.new_agreements_are_frozen_or_not(SwitchValue.ON)
        self.the_agreement_changes(AgreementMove.REINSTATED)
        self.the_provider_is_assured_until("2030-01-01")
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
        assert reconcile(self.house.gateway).discrepancies == ()
        for one in self.everyone():
            assert one.state in _ENDS, one.state
            known = self.book.referrals[one.id]
            assert one.state is ReferralState.CLOSED or known.key in self.stage.taken_in
        recalls = {a.key: a.referral for a in self.stage.arrivals if a.kind is DeliveryKind.RECALL}
        self.book.finish(Counter(recalls.values()))


_ENDS = (ReferralState.CLOSED, ReferralState.DELIVERED)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def fresh(request: pytest.FixtureRequest) -> Fresh:
    """Where each run has a house of its own, on each engine in turn."""
    if request.param == "sqlite":
        return on_sqlite
    return partial(on_postgresql, request.getfixturevalue("postgres_server"))


def run(fresh: Fresh, *, examples: int, steps: int) -> None:
    machine = type("Releases", (Releases,), {"fresh": staticmethod(fresh)})
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
def test_nothing_leaves_after_an_acknowledgement_and_nothing_is_lost(fresh: Fresh) -> None:
    run(fresh, examples=15, steps=25)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_nothing_leaves_or_is_lost_however_long_it_goes_on(fresh: Fresh) -> None:
    run(fresh, examples=400, steps=60)
