"""Withdrawals fired during sends, with workers killed at random: zero bytes afterwards.

The gateway, its workers and the provider are processes of their own on one machine, whose monotonic
clock they share: the provider writes down when the first and the last byte of each request came.
"""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import yaml

from gateway.journey.apply_directory import apply_directory, plan_directory
from gateway.journey.replay import replay_referral
from gateway.journey.switches import SwitchWish, set_switch
from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, ReferralState
from gateway.referral.withdrawals import Standing
from gateway.store import referrals
from tests.builders import withdrawn
from tests.builders.house import directory, own_keys
from tests.builders.messages import NHS_NUMBER, patient, service_request
from tests.builders.register import to_register
from tests.builders.sharing import OPERATOR, PRACTICE_ODS
from tests.processes.children import kill, start
from tests.processes.installation import Installation, _ask
from tests.processes.pausing import Pause, deliver_and_pause, is_stopped
from tests.processes.receiver import until

PERSONS = (NHS_NUMBER, "9990000026")
LIVE = (DeliveryState.QUEUED, DeliveryState.IN_FLIGHT)
OH = "/sharing/agreements/dsa-one-oh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """What an acknowledgement promises. Times are of the machine's monotonic clock, in seconds.

    `of` are the persons whose sharing was withdrawn; `before` the referrals that were accepted
    before anybody asked. From `since` none of these comes any more, and until `until`, when it is
    shared again, none at all.
    """

    of: tuple[str, ...]
    before: frozenset[str]
    since: float
    until: float


class Surgery(threading.Thread):
    """A practice's computer, which posts referrals of its patients one after another."""

    def __init__(self, installation: Installation, number: str) -> None:
        super().__init__()
        self._installation, self._number = installation, number
        self._stopping = threading.Event()
        self.accepted: list[str] = []
        self.refused: Counter[int] = Counter()

    def run(self) -> None:
        while not self._stopping.wait(0.05):
            with suppress(OSError):
                reply = self._installation.post("mixed", body=message(self._number))
                if reply.status_code == 201:
                    self.accepted.append(str(reply.json()["id"]))
                else:
                    self.refused[reply.status_code] += 1

    def finish(self) -> None:
        self._stopping.set()
        self.join()


def message(number: str) -> bytes:
    """A referral whose consent is the register's to know."""
    tree = service_request(consents=[], service="9000001000", person=patient(number))
    tree["authoredOn"] = datetime.now(UTC).isoformat(timespec="seconds")
    return json.dumps(tree).encode()


@dataclass
class Practice:
    """What a practice shares, and takes back: all of it at its own doors."""

    installation: Installation
    surgeries: dict[str, Surgery] = field(default_factory=dict)
    consents: dict[str, str] = field(default_factory=dict)
    silences: list[Silence] = field(default_factory=list)

    def open(self) -> None:
        """Let two persons consent, and let agreements be reinstated."""
        wish = SwitchWish(switch=Switch.NEW_AGREEMENTS, value=SwitchValue.ON)
        set_switch(PRACTICE_ODS, wish, OPERATOR, self.installation.gateway)
        for number in PERSONS:
            tree = to_register(number=number)
            made = self.ask("POST", "/FHIR/R4/Consent", tree)
            self.consents[number] = str(made.json()["id"])
            self.surgeries[number] = Surgery(self.installation, number)

    def ask(self, method: str, path: str, tree: object, **headers: str) -> requests.Response:
        kind = "application/fhir+json" if "/FHIR/" in path else "application/json"
        sent = {"Authorization": f"Bearer {self.installation.token}", "Content-Type": kind}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        data = json.dumps(tree).encode() if tree is not None else None
        url = f"{self.installation.url}{path}"
        while True:
            reply = _ask(method, url, data=data, headers=sent | named)
            if reply.status_code != 408:  # then nothing was written: the machine is busy
                break
        assert reply.ok, reply.text
        return reply

    def withdraw_agreement(self, quiet: float) -> None:
        """Withdraw, and reinstate a while after the acknowledgement."""
        before = self.accepted(PERSONS)
        told = self.ask("POST", f"{OH}/withdraw", {}).json()
        since = time.monotonic()
        (done,) = told["withdrawn"]
        assert done["acknowledged_at"]
        assert "leaving" not in done
        time.sleep(quiet)
        self.keep_silent(PERSONS, before, since)
        self.ask("POST", f"{OH}/reinstate", {})

    def withdraw_consent(self, number: str, quiet: float) -> None:
        """Take one person's consent back, and record it anew a while after."""
        before = self.accepted((number,))
        self._change_consent(number, "inactive")
        since = time.monotonic()
        time.sleep(quiet)
        self.keep_silent((number,), before, since)
        self._change_consent(number, "active")

    def _change_consent(self, number: str, status: str) -> None:
        path = f"/FHIR/R4/Consent/{self.consents[number]}"
        read = self.ask("GET", path, None)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        tree = read.json() | {"status": status, "dateTime": now}
        self.ask("PUT", path, tree, If_Match=read.headers["ETag"])

    def accepted(self, numbers: tuple[str, ...]) -> frozenset[str]:
        return frozenset(each for number in numbers for each in self.surgeries[number].accepted)

    def keep_silent(self, of: tuple[str, ...], before: frozenset[str], since: float) -> None:
        now = time.monotonic()
        self.silences.append(Silence(of=of, before=before, since=since, until=now))


def test_nothing_comes_after_an_acknowledgement_while_workers_are_killed(
    installation: Installation,
) -> None:
    endure(installation, timedelta(seconds=8))


@pytest.mark.soak
def test_nothing_comes_after_any_acknowledgement_of_a_long_time(
    installation: Installation, soak_time: timedelta
) -> None:
    endure(installation, soak_time)


def endure(installation: Installation, lasting: timedelta) -> None:
    """Withdraw and kill at random while referrals come in and go out; then let it all settle."""
    installation.settings = {
        "delivery_lease": "PT2S",
        "delivery_margin": "PT1S",
        "connect_timeout": "PT2S",
        "delivery_threads": "4",
        "outage_failures": "1000",  # many answers are lost here, and none is to be waited for
    }
    installation.offer({"mixed": installation.receiver.address("mixed", "slow-to-shake-hands")})
    assess(installation)
    installation.serve()
    installation.token = installation._new_token()
    practice = Practice(installation)
    practice.open()
    chance = random.Random(20261122)  # noqa: S311  # no secret
    workers = installation.work(2)
    for surgery in practice.surgeries.values():
        surgery.start()
    last = time.monotonic() + lasting.total_seconds()
    while time.monotonic() < last:
        time.sleep(chance.uniform(0.3, 0.8))
        if chance.random() < 0.4:
            kill(workers.pop(0))
            workers += installation.work()
        await_call(installation)
        if chance.random() < 0.5:
            practice.withdraw_agreement(chance.uniform(0.1, 0.4))
        else:
            practice.withdraw_consent(chance.choice(PERSONS), chance.uniform(0.1, 0.4))
    for surgery in practice.surgeries.values():
        surgery.finish()
    settle(installation)
    check(installation, practice)


def await_call(installation: Installation) -> None:
    """Wait until a worker calls the provider: its message leaves a while later."""

    def calls() -> int:
        return len(installation.receiver.events(event="called"))

    before = calls()
    until(lambda: calls() > before)


def assess(installation: Installation) -> None:
    """Give the agreement its impact assessment, so that it may be reinstated."""
    agreements = directory(dict(own_keys()))["agreements"]
    tree = {"agreements": [each | {"dpia_ref": "DPIA-1"} for each in agreements]}
    text = yaml.safe_dump(tree)
    plan = plan_directory(text, installation.gateway, end_missing=False)
    apply_directory(plan, text, installation.gateway)


def settle(installation: Installation) -> None:
    """Wait until every referral is delivered or closed; replay what lost too many workers."""

    def is_over() -> bool:
        with installation.gateway.store.reading(as_one_moment=True) as view:
            everyone = list(referrals.everyone(view))
        for each in everyone:
            if each.state is ReferralState.HELD:
                replay_referral(each.reference, installation.gateway)
        ends = (ReferralState.DELIVERED, ReferralState.CLOSED)
        is_idle = all(d.state not in LIVE for d in installation.deliveries())
        return is_idle and all(each.state in ends for each in everyone)

    until(is_over, seconds=60, every=0.2)


def check(installation: Installation, practice: Practice) -> None:
    """Hold what the provider wrote down against what was promised."""
    accepted = practice.accepted(PERSONS)
    assert sum(installation.check_the_books().states.values()) == len(accepted)
    everything = {d.id: d for d in installation.deliveries()}
    events = [e for e in installation.receiver.events() if e["key"] in everything]
    assert "conflict" not in {e["event"] for e in events}
    came = [e for e in events if e["event"] == "began"]
    person_of = {each: n for n in PERSONS for each in practice.surgeries[n].accepted}
    for each in came:
        delivery = everything[each["key"]]
        if delivery.kind is DeliveryKind.REFERRAL:
            person = person_of[delivery.referral]
            late = [s for s in practice.silences if is_broken(s, each, delivery.referral, person)]
            assert late == []
    kept = {e["key"] for e in events if e["event"] == "kept"}
    check_acknowledgements(installation, {e["key"] for e in came}, kept)


def is_broken(silence: Silence, came: dict[str, Any], referral: str, person: str) -> bool:
    """Whether bytes of a referral came that must not have come then."""
    if person not in silence.of or came["last_at"] <= silence.since:
        return False
    return referral in silence.before or came["first_at"] < silence.until


def check_acknowledgements(installation: Installation, came: set[str], kept: set[str]) -> None:
    """Each was true: nothing that it calls stopped ever came, and all the rest was recalled."""
    done = withdrawn.newest(installation.gateway, limit=10_000)
    told = [each for one in done for each in one.covered]
    assert all(one.withdrawal.acknowledged_at for one in done)
    assert told
    for each in told:
        if each.standing is Standing.STOPPED:
            assert each.delivery not in came
            assert each.recall is None
            continue
        assert each.standing is Standing.UNKNOWN or each.delivery in kept
        assert each.recall is not None
        assert each.recall.id in kept
    recalled = [d.referral for d in installation.deliveries() if d.kind is DeliveryKind.RECALL]
    assert len(recalled) == len(set(recalled))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.postgresql
@pytest.mark.parametrize("pause", Pause)
def test_a_worker_stopped_between_release_and_send_sends_nothing_once_it_goes_on(
    installation: Installation, pause: Pause
) -> None:
    installation.settings = {"delivery_lease": "PT2S", "delivery_margin": "PT1S"}
    installation.offer({"mixed": installation.receiver.address("ok")})
    installation.serve()
    own = installation.post_until_accepted("mixed")
    log = installation.folder / "pausing.log"
    paused = start(deliver_and_pause, pause, installation.environment, log=log)
    pid = paused.pid or 0
    until(lambda: is_stopped(pid))
    [released] = installation.deliveries()
    assert released.released_at is not None

    practice = Practice(installation)
    told = practice.ask("POST", f"{OH}/withdraw", {}).json()
    assert [each["unknown"] for each in told["withdrawn"]] == [1]
    os.kill(pid, signal.SIGCONT)
    paused.join(20)
    assert paused.exitcode == 0, log.read_text()
    assert installation.receiver.events(key=released.id) == []
    installation.work()
    settle(installation)
    assert installation.receiver.events(key=released.id) == []
    with installation.gateway.store.reading() as view:
        assert referrals.get(view, own).closed_because  # type: ignore[arg-type]  # a text
    assert installation.check_the_books().states == {ReferralState.CLOSED: 1}
