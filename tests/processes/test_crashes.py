"""kill -9, at chosen steps and at random moments: nothing is lost, nothing is doubled."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from gateway.referral.lifecycle import DeliveryState, ReferralState
from gateway.store.tables import delivery
from tests.processes.children import kill, start
from tests.processes.dying import Step, deliver_and_die
from tests.processes.installation import Installation
from tests.processes.receiver import until

# What a step does before its receiver may answer; the others answer at once.
CONDUCTS = {Step.SENDING: "hangs-once", Step.TAKEN: "takes-and-hangs-once"}
# How often each referral reaches the receiver, and is taken in there, in all.
CAME_AND_KEPT = {
    Step.CLAIMING: (1, 1),
    Step.CLAIMED: (1, 1),
    Step.RELEASING: (1, 1),
    Step.RELEASED: (1, 1),
    Step.SENDING: (2, 1),
    Step.TAKEN: (2, 2),
    Step.ANSWERED: (2, 2),
    Step.SETTLING: (2, 2),
    Step.SETTLED: (1, 1),
}


def let_leases_end(installation: Installation) -> None:
    """As if so much time had passed."""
    with installation.gateway.store.transaction(datetime.now(UTC)) as tx:
        tx.connection.execute(
            update(delivery)
            .where(delivery.c.state == DeliveryState.IN_FLIGHT)
            .values(lease_until=tx.at)
        )


def test_a_referral_survives_the_death_of_its_worker_at_every_step(
    installation: Installation,
) -> None:
    receiver = installation.receiver
    addresses = {step: receiver.address(CONDUCTS.get(step, "ok")) for step in Step}
    installation.settings = {"reply_timeout": "PT20S"}
    installation.offer({step.name.lower().replace("_", "-"): addresses[step] for step in Step})
    installation.serve()
    of_step = {}
    # The one that dies before it has claimed comes last: the next would take its delivery.
    for step in sorted(Step, key=lambda step: step is Step.CLAIMING):
        of_step[step] = installation.post_until_accepted(step.name.lower())
        log = installation.folder / "dying.log"
        where = (step, installation.environment, receiver.folder)
        dead = start(deliver_and_die, *where, log=log)
        dead.join(30)
        assert dead.exitcode == -9, log.read_text()
    not_released = {Step.CLAIMING, Step.CLAIMED, Step.RELEASING}
    in_flight = installation.check_the_books().states[ReferralState.IN_FLIGHT]
    assert in_flight == len(Step) - len({*not_released, Step.SETTLED})

    let_leases_end(installation)
    installation.settings = {}
    installation.work()
    installation.await_delivered(len(Step))
    installation.check_the_books()
    by_referral = {each.referral: each for each in installation.deliveries()}
    found = {
        step: story(installation, by_referral[referral].id)  # type: ignore[index]  # ids are str
        for step, referral in of_step.items()
    }
    assert found == CAME_AND_KEPT
    once = {Step.CLAIMING, Step.SETTLED}
    attempts = {step: by_referral[of_step[step]].attempts for step in Step}  # type: ignore[index]
    assert attempts == {step: 1 if step in once else 2 for step in Step}


def story(installation: Installation, key: str) -> tuple[int, int]:
    """Tell how often one delivery came, and was taken in; its bytes are always the same."""
    events = installation.receiver.events(key=key)
    assert len({each["sha256"] for each in events}) == 1
    kinds = [each["event"] for each in events]
    assert "conflict" not in kinds
    return kinds.count("began"), kinds.count("kept")


class Practice(threading.Thread):
    """A practice's computer: posts one referral after another, each until it is accepted.

    It rests between two, so that what the workers still have to do at the end does not grow
    with the speed of the machine.
    """

    def __init__(self, installation: Installation, stop: threading.Event) -> None:
        super().__init__()
        self._installation = installation
        self._stopping = stop
        self.accepted: list[str] = []
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            while not self._stopping.is_set():
                self.accepted.append(self._installation.post_until_accepted("mixed"))
                self._stopping.wait(0.03)
        except BaseException as failure:  # noqa: BLE001  # told to the test by `finish`
            self.failure = failure

    def finish(self) -> list[str]:
        self.join()
        if self.failure is not None:
            raise self.failure
        return self.accepted


def exactly_once(installation: Installation, accepted: list[str]) -> None:
    """Every referral that got a 2xx is there once, and there is none besides."""
    assert len(set(accepted)) == len(accepted)
    assert sorted(d.referral for d in installation.deliveries()) == sorted(accepted)
    assert sum(installation.check_the_books().states.values()) == len(accepted)


def test_every_referral_that_was_accepted_exists_once_however_the_front_door_dies(
    installation: Installation,
) -> None:
    installation.offer({"mixed": installation.receiver.address("ok")})
    chance, stop = random.Random(20261122), threading.Event()  # noqa: S311  # no secret
    web = installation.serve()
    practices = [Practice(installation, stop) for _ in range(2)]
    installation.token = installation._new_token()
    for practice in practices:
        practice.start()
    for _ in range(3):
        time.sleep(chance.uniform(0.05, 0.5))
        kill(web)
        web = installation.serve()
    until(lambda: sum(len(practice.accepted) for practice in practices) > 8)
    stop.set()
    accepted = [each for practice in practices for each in practice.finish()]
    exactly_once(installation, accepted)


def test_all_is_accounted_for_after_web_and_workers_were_killed_at_random(
    installation: Installation,
) -> None:
    endure(installation, timedelta(seconds=4))


@pytest.mark.soak
def test_all_is_accounted_for_after_a_long_time_of_random_kills(
    installation: Installation, soak_time: timedelta
) -> None:
    endure(installation, soak_time)


def endure(installation: Installation, lasting: timedelta) -> None:
    """Kill at random while referrals come in and go out; then let it all settle.

    Some attempts are refused as busy, some answers are lost, some never come.
    """
    installation.settings = {
        "delivery_lease": "PT2S",
        "delivery_threads": "2",
        "outage_first": "PT0.5S",  # it will seem to be away, now and then, and is not left alone long
        "outage_longest": "PT1S",
        "worker_losses": "50",  # nor is what workers were killed with put aside
    }
    installation.offer({"mixed": installation.receiver.address("mixed")})
    chance, stop = random.Random(7), threading.Event()  # noqa: S311  # no secret
    web = installation.serve()
    installation.token = installation._new_token()
    workers = installation.work(2)
    practice = Practice(installation, stop)
    practice.start()
    last = time.monotonic() + lasting.total_seconds()
    while time.monotonic() < last:
        time.sleep(chance.uniform(0.1, 0.8))
        if chance.random() < 0.3:
            kill(web)
            web = installation.serve()
        else:
            kill(workers.pop(0))
            workers += installation.work()
    stop.set()
    accepted = practice.finish()
    installation.await_delivered(len(accepted), seconds=60)
    exactly_once(installation, accepted)
    of_key: dict[str, list[dict[str, Any]]] = {}
    for each in installation.receiver.events():
        of_key.setdefault(each["key"], []).append(each)
    for delivered in installation.deliveries():
        assert len({e["sha256"] for e in of_key[delivered.id]}) == 1
        assert "kept" in {e["event"] for e in of_key[delivered.id]}
