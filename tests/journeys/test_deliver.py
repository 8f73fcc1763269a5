"""A queued referral on its way: sent once decided again, retried, held, stopped, never lost."""

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    KeyMissingError,
    NoReplyError,
    StoreUnavailableError,
)
from gateway.journey.deliver import deliver_next
from gateway.journey.gateway import Acknowledgement, Gateway, Parcel
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.referral.directory import Transport
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, ReferralState
from gateway.store.engine import Store
from gateway.store.vault import Vault
from tests.builders.evidence import (
    counts,
    delivery,
    entries,
    execute,
    kinds,
    sealed_body,
    the_delivery,
    the_referral,
    work,
)
from tests.builders.house import FakeDestination, House
from tests.builders.messages import consent, service_request

ACCEPTED = ["referral.received", "decision.made", "delivery.queued"]
RELEASED = [*ACCEPTED, "decision.made", "delivery.released"]


@pytest.fixture
def queued(house: House) -> House:
    """A house with one referral that is due."""
    assert house.post("/ServiceRequest", service_request()).status_code == 201
    return house


def with_destination(house: House, destination: FakeDestination) -> Gateway:
    return replace(house.gateway, destinations={Transport.FHIR_REST: destination})


def change_agreement(house: House, **changed: str) -> None:
    house.apply(agreements=[house.directory["agreements"][0] | changed])


def change_provider(house: House, **changed: str) -> None:
    first, *rest = house.directory["providers"]
    house.apply(providers=[first | changed, *rest])


def in_order(house: House) -> bool:
    return reconcile(house.gateway).discrepancies == ()


def test_a_delivery_is_decided_again_released_sent_and_settled(queued: House) -> None:
    assert deliver_next("worker-1", queued.gateway)
    assert kinds(queued) == [*RELEASED, "delivery.delivered"]
    assert the_referral(queued).state is ReferralState.DELIVERED
    assert the_delivery(queued).state is DeliveryState.DELIVERED
    assert in_order(queued)


def test_the_release_names_the_bytes_that_leave_and_the_decision_about_them(
    queued: House,
) -> None:
    deliver_next("worker-1", queued.gateway)
    (parcel,) = queued.destination.received
    released, decided = entries(queued, "delivery.released")[0], entries(queued, "decision.made")[1]
    assert released["payload_sha256"] == decided["payload_sha256"] == parcel.body_sha256
    assert released["decision"] == decided["decision"]
    assert (decided["stage"], decided["effect"]) == ("release", "PERMIT")


def test_nothing_is_done_when_nothing_is_due(house: House) -> None:
    assert not deliver_next("worker-1", house.gateway)


def test_a_delivered_referral_is_not_sent_again(queued: House) -> None:
    assert work(queued) == 1
    queued.clock.move(days=30)
    assert work(queued) == 0


@pytest.mark.parametrize(
    ("failure", "phase"),
    [
        (DestinationBusyError("busy", status=503), "busy"),
        (NoReplyError("gone"), "no-reply"),
        (DestinationUnreachableError("closed"), "connect"),
    ],
)
def test_a_failed_attempt_is_made_again_after_a_wait(
    queued: House, failure: DeliveryError, phase: str
) -> None:
    queued.destination.failures.append(failure)
    deliver_next("worker-1", queued.gateway)
    waiting = the_delivery(queued)
    assert (waiting.state, waiting.attempts, waiting.reason) == (DeliveryState.QUEUED, 1, phase)
    assert waiting.next_at == queued.clock.now + timedelta(seconds=10)
    assert entries(queued, "delivery.unknown")[0]["phase"] == phase
    assert in_order(queued)


def test_the_wait_doubles_up_to_the_longest(queued: House) -> None:
    waits = []
    for _ in range(11):
        queued.destination.failures.append(DestinationBusyError("busy"))
        deliver_next("worker-1", queued.gateway)
        waits.append((the_delivery(queued).next_at - queued.clock.now).total_seconds())
        queued.clock.now = the_delivery(queued).next_at
    assert waits[:4] == [10, 20, 40, 80]
    assert waits[-2:] == [3600, 3600]


def test_a_delivery_that_is_not_due_yet_is_left_alone(queued: House) -> None:
    queued.destination.failures.append(DestinationBusyError("busy"))
    work(queued)
    queued.clock.move(seconds=9.9)
    assert work(queued) == 0
    queued.clock.move(seconds=0.1)
    assert work(queued) == 1


@pytest.mark.parametrize(("wish", "seconds"), [(120, 120), (3, 10)])
def test_a_wish_to_be_left_alone_for_longer_is_honoured(
    queued: House, wish: int, seconds: int
) -> None:
    busy = DestinationBusyError("busy", status=429, retry_after=timedelta(seconds=wish))
    queued.destination.failures.append(busy)
    deliver_next("worker-1", queued.gateway)
    assert the_delivery(queued).next_at == queued.clock.now + timedelta(seconds=seconds)


@pytest.mark.parametrize(("status", "code"), [(422, ".422"), (None, "")])
def test_a_refusal_by_the_provider_is_held_for_the_operator(
    queued: House, status: int | None, code: str
) -> None:
    queued.destination.failures.append(DestinationRefusedError("no", status=status))
    deliver_next("worker-1", queued.gateway)
    held = the_referral(queued)
    assert held.hold is not None
    assert (held.hold.code, held.hold.owner) == (f"REFUSED_BY_PROVIDER{code}", "operator")
    assert kinds(queued) == [*RELEASED, "delivery.refused", "hold.opened"]
    assert work(queued) == 0
    assert in_order(queued)


def test_a_delivery_past_its_horizon_is_dead_lettered_and_held(queued: House) -> None:
    queued.clock.move(days=5)
    queued.destination.failures.append(NoReplyError("gone"))
    deliver_next("worker-1", queued.gateway)
    ended, held = the_delivery(queued), the_referral(queued)
    assert (ended.state, ended.reason) == (DeliveryState.DEAD_LETTERED, "GIVEN_UP.no-reply")
    assert held.hold is not None
    assert held.hold.due == queued.clock.now + timedelta(days=2)
    assert kinds(queued) == [*RELEASED, "delivery.dead_lettered", "hold.opened"]
    assert in_order(queued)


def test_a_delivery_whose_next_attempt_would_be_too_late_is_given_up_now(queued: House) -> None:
    queued.clock.move(days=5, seconds=-5)
    queued.destination.failures.append(NoReplyError("gone"))
    deliver_next("worker-1", queued.gateway)
    assert the_delivery(queued).state is DeliveryState.DEAD_LETTERED


def test_a_consent_that_ended_since_stops_the_delivery(house: House) -> None:
    agreed = consent()
    agreed["provision"]["period"] = {"end": "2026-11-22T10:00:00Z"}
    house.post("/ServiceRequest", service_request(consents=[agreed]))
    house.clock.move(hours=2)
    assert work(house) == 1
    assert house.destination.received == []
    stopped = the_referral(house)
    assert (stopped.state, stopped.closed_because) == (ReferralState.CLOSED, "CONSENT_EXPIRED")
    assert kinds(house)[-3:] == ["decision.made", "delivery.refused", "referral.closed"]
    assert in_order(house)


def test_an_agreement_withdrawn_since_stops_the_delivery(queued: House) -> None:
    change_agreement(queued, status="withdrawn")
    work(queued)
    assert queued.destination.received == []
    assert the_referral(queued).closed_because == "AGREEMENT_NOT_IN_FORCE"


def test_an_agreement_withdrawn_between_two_attempts_stops_the_second(queued: House) -> None:
    queued.destination.failures.append(NoReplyError("gone"))
    work(queued)
    queued.clock.move(minutes=1)
    change_agreement(queued, status="withdrawn")
    work(queued)
    # The first may have arrived: only word of that leaves.
    assert [p.delivery.kind for p in queued.destination.received] == [DeliveryKind.RECALL]
    assert the_referral(queued).state is ReferralState.CLOSED
    assert in_order(queued)


def test_an_assurance_that_lapsed_since_holds_the_referral(queued: House) -> None:
    change_provider(queued, assured_until="2026-11-23")
    queued.clock.move(days=2)
    work(queued)
    held = the_referral(queued)
    assert queued.destination.received == []
    assert held.hold is not None
    assert (held.hold.code, held.hold.owner) == ("RECIPIENT_ASSURANCE_LAPSED", "operator")
    assert kinds(queued)[-3:] == ["decision.made", "delivery.refused", "hold.opened"]
    assert in_order(queued)


def test_a_service_that_left_the_directory_is_sent_nothing(queued: House) -> None:
    queued.apply(services=queued.directory["services"][1:])
    work(queued)
    assert queued.destination.received == []
    assert the_referral(queued).closed_because == "UNKNOWN_RECIPIENT"
    assert in_order(queued)


def test_a_service_whose_endpoint_vanished_is_sent_nothing(queued: House) -> None:
    # The directory refuses such a file; a row that was ended by hand must do no harm.
    queued.clock.move(seconds=1)
    execute(
        queued,
        "UPDATE directory_record SET valid_to = valid_from WHERE kind = 'endpoint' AND key = 'oh'",
    )
    work(queued)
    assert queued.destination.received == []
    assert the_referral(queued).state is ReferralState.CLOSED


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE referral SET sealed_body = wrapped_key WHERE id = :id",
        (
            "UPDATE referral SET wrapped_key ="
            " (SELECT wrapped_key FROM person WHERE handle = subject) WHERE id = :id"
        ),
        (
            "UPDATE person SET wrapped_key = sealed_nhs_number WHERE handle ="
            " (SELECT subject FROM referral WHERE id = :id)"
        ),
    ],
    ids=["body", "key", "persons-key"],
)
def test_a_damaged_record_is_dead_lettered_and_blocks_nobody(queued: House, damage: str) -> None:
    broken = the_referral(queued)
    other = service_request(person=None)
    other["contained"][0]["identifier"][0]["value"] = "9990000026"
    queued.post("/ServiceRequest", other)
    execute(queued, damage, id=broken.id)
    assert work(queued) == 2
    states = reconcile(queued.gateway).states
    assert states == {ReferralState.HELD: 1, ReferralState.DELIVERED: 1}
    assert entries(queued, "delivery.dead_lettered")[0]["referral"] == broken.id
    assert entries(queued, "delivery.dead_lettered")[0]["reason"] == "MESSAGE_CANNOT_BE_PREPARED"
    assert in_order(queued)


def test_a_missing_key_gives_nothing_up(queued: House) -> None:
    # Dead-lettering would turn one forgotten secret into a held referral each.
    queued.gateway.store.vault = Vault({"k2": bytes(32)}, bytes(range(32)), os.urandom)
    with pytest.raises(KeyMissingError):
        deliver_next("worker", queued.gateway)
    assert the_referral(queued).state is ReferralState.QUEUED
    for _ in range(9):  # nor does trying on count as workers that were lost with it
        queued.clock.move(minutes=1)
        with pytest.raises(KeyMissingError):
            deliver_next("worker", queued.gateway)
    assert kinds(queued) == ACCEPTED
    assert in_order(queued)


def test_a_delivery_that_three_workers_were_lost_with_is_put_aside(queued: House) -> None:
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            deliver_next("worker", with_destination(queued, Vanishing()))
        queued.clock.move(minutes=1)
    assert deliver_next("worker", queued.gateway)
    assert queued.destination.received == []
    assert kinds(queued)[-3:] == ["delivery.lease_lapsed", "delivery.dead_lettered", "hold.opened"]
    assert the_delivery(queued).reason == "QUARANTINED.WORKERS_LOST"
    assert in_order(queued)
    replay_referral(the_referral(queued).reference, queued.gateway)  # they are forgotten
    assert deliver_next("worker", queued.gateway)
    assert the_delivery(queued).state is DeliveryState.DELIVERED


def test_a_message_other_than_the_one_received_is_held(queued: House) -> None:
    execute(queued, "UPDATE referral SET body_sha256 = :other", other="0" * 64)
    work(queued)
    held = the_referral(queued)
    assert queued.destination.received == []
    assert held.hold is not None
    assert held.hold.code == "PAYLOAD_CHANGED"


@dataclass
class Vanishing(FakeDestination):
    """A worker's end: the bytes left, and nobody came back to say so."""

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        super().send(parcel, deadline=deadline)
        raise KeyboardInterrupt


def test_a_lapsed_lease_is_taken_over_with_the_same_key_and_the_same_bytes(
    queued: House,
) -> None:
    vanishing = Vanishing()
    with pytest.raises(KeyboardInterrupt):
        deliver_next("worker-1", with_destination(queued, vanishing))
    assert not deliver_next("worker-2", queued.gateway)
    queued.clock.move(seconds=30)
    assert reconcile(queued.gateway).lapsed_leases == 1
    assert deliver_next("worker-2", queued.gateway)
    (first,), (second,) = vanishing.received, queued.destination.received
    assert (first.delivery.id, first.body) == (second.delivery.id, second.body)
    assert kinds(queued)[len(RELEASED) :] == [
        "delivery.lease_lapsed",
        "decision.made",
        "delivery.released",
        "delivery.delivered",
    ]
    assert the_delivery(queued).attempts == 2
    assert in_order(queued)


@dataclass
class Slow(FakeDestination):
    """While this one takes its time, another worker takes the delivery over."""

    house: House | None = None
    outcome: DeliveryError | None = None

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        assert self.house is not None
        self.house.clock.move(seconds=31)
        assert deliver_next("worker-2", self.house.gateway)
        if self.outcome is not None:
            raise self.outcome
        return super().send(parcel, deadline=deadline)


@pytest.mark.parametrize(
    "outcome",
    [None, NoReplyError("gone"), DestinationRefusedError("no", status=400)],
    ids=["delivered", "no-reply", "refused"],
)
def test_a_worker_that_lost_its_lease_settles_nothing(
    queued: House, outcome: DeliveryError | None
) -> None:
    slow = Slow(house=queued, outcome=outcome)
    assert deliver_next("worker-1", with_destination(queued, slow))
    assert kinds(queued).count("delivery.delivered") == 1
    assert kinds(queued)[-1] == "delivery.delivered"
    assert the_delivery(queued).attempts == 2
    assert in_order(queued)


@dataclass
class Timed(FakeDestination):
    """Notes by when it must end."""

    deadlines: list[float] = field(default_factory=list)

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        self.deadlines.append(deadline)
        return super().send(parcel, deadline=deadline)


def test_an_attempt_must_end_its_lease_after_it_was_begun(queued: House) -> None:
    timed, ticks = Timed(), iter([1000.0, 1007.0])
    gateway = replace(with_destination(queued, timed), monotonic=lambda: next(ticks))
    deliver_next("worker-1", gateway)
    assert timed.deadlines == [1029.0]


def test_a_worker_that_was_paused_for_its_lease_sends_nothing(queued: House) -> None:
    ticks = iter([1000.0, 1029.0])
    assert deliver_next("worker-1", replace(queued.gateway, monotonic=lambda: next(ticks)))
    assert queued.destination.received == []
    assert kinds(queued)[-2:] == ["delivery.released", "delivery.expired"]
    assert the_delivery(queued).state is DeliveryState.QUEUED
    assert in_order(queued)
    assert deliver_next("worker-2", queued.gateway)
    assert kinds(queued)[-1] == "delivery.delivered"


def test_a_delivery_that_kills_its_workers_is_given_up_at_the_horizon(queued: House) -> None:
    with pytest.raises(KeyboardInterrupt):
        deliver_next("worker-1", with_destination(queued, Vanishing()))
    queued.clock.move(days=5)
    assert deliver_next("worker-2", queued.gateway)
    assert queued.destination.received == []
    assert kinds(queued)[-3:] == ["delivery.lease_lapsed", "delivery.dead_lettered", "hold.opened"]
    assert the_delivery(queued).reason == "NO_WORKER_RETURNED"
    assert in_order(queued)


@dataclass
class Meeting(FakeDestination):
    """Two deliveries must be under way at once; notes any that is twice."""

    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(2))
    under_way: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        if parcel.delivery.id in self.under_way:
            self.twice.append(parcel.delivery.id)
        self.under_way.append(parcel.delivery.id)
        self.barrier.wait(timeout=20)
        return super().send(parcel, deadline=deadline)


def test_two_workers_at_one_queue_never_send_one_delivery_at_once(house: House) -> None:
    for _ in range(6):
        house.post("/ServiceRequest", service_request())
    meeting = Meeting()
    gateway = with_destination(house, meeting)

    def drain(worker: str) -> None:
        brought = 0
        while brought < 3:  # nothing to do, while the other one takes its own from the lane
            brought += deliver_next(worker, gateway)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(drain, ["worker-1", "worker-2"]))
    assert meeting.twice == []
    assert len({p.delivery.id for p in meeting.received}) == 6
    assert reconcile(house.gateway).states == {ReferralState.DELIVERED: 6}
    assert in_order(house)


@dataclass
class Shutting(FakeDestination):
    """The database goes away while the destination answers."""

    house: House | None = None

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        assert self.house is not None
        hide_ledger(self.house)
        return super().send(parcel, deadline=deadline)


def hide_ledger(house: House) -> None:
    execute(house, "ALTER TABLE ledger_head RENAME TO hidden_head")


def show_ledger(house: House) -> None:
    execute(house, "ALTER TABLE hidden_head RENAME TO ledger_head")


def test_a_referral_is_not_taken_when_the_ledger_cannot_be_written(house: House) -> None:
    house.bearer()
    before = counts(house)
    hide_ledger(house)
    answer = house.post("/ServiceRequest", service_request())
    show_ledger(house)
    assert answer.status_code in (500, 503)
    assert counts(house) == before


def test_a_release_that_cannot_be_recorded_does_not_happen(queued: House) -> None:
    hide_ledger(queued)
    with pytest.raises(Exception, match=r"ledger_head|did not (answer|take)"):
        deliver_next("worker-1", queued.gateway)
    show_ledger(queued)
    assert queued.destination.received == []
    assert kinds(queued) == ACCEPTED
    queued.clock.move(seconds=30)
    assert work(queued) == 1
    assert in_order(queued)


def test_an_outcome_that_cannot_be_recorded_leaves_the_lease_to_lapse(queued: House) -> None:
    with pytest.raises(Exception, match=r"ledger_head|did not (answer|take)"):
        deliver_next("worker-1", with_destination(queued, Shutting(house=queued)))
    show_ledger(queued)
    own = the_delivery(queued)
    assert delivery(queued, own.id).state is DeliveryState.IN_FLIGHT
    assert kinds(queued) == RELEASED
    queued.clock.move(seconds=30)
    assert work(queued) == 1
    assert the_referral(queued).state is ReferralState.DELIVERED
    assert in_order(queued)


def test_what_leaves_is_what_came_with_our_reference_and_labels_added(queued: House) -> None:
    work(queued)
    (parcel,) = queued.destination.received
    own = the_referral(queued)
    sent = json.loads(parcel.body)["entry"][1]["resource"]
    came = json.loads(sealed_body(queued, own.id))
    assert sent["identifier"].pop()["value"] == own.reference
    assert [label["code"] for label in sent.pop("meta")["security"]] == ["NORDSCLCD", "NOREUSE"]
    assert sent == came


def test_a_store_that_does_not_answer_is_an_error_of_its_own(
    house: House, database_url: str
) -> None:
    impatient = replace(house.gateway, store=_impatient(house, database_url))
    with house.gateway.store.transaction(house.clock.now) as tx:
        if not database_url.startswith("sqlite"):  # where one writer keeps all others out
            tx.connection.exec_driver_sql("LOCK TABLE delivery IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailableError):
            deliver_next("worker-1", impatient)
    impatient.store.close()


def _impatient(house: House, url: str) -> Store:
    return Store(
        url,
        vault=house.gateway.store.vault,
        ledger_origin=house.gateway.store.ledger_origin,
        timeout=timedelta(milliseconds=200),
        pool_size=1,
    )
