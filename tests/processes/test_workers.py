"""Several workers at once: no delivery is attempted twice at the same moment."""

import os
import signal

import pytest

from tests.processes.installation import Installation, overlaps
from tests.processes.receiver import until


@pytest.mark.parametrize("workers", [2, 4])
def test_no_two_workers_attempt_one_delivery_at_the_same_time(
    installation: Installation, workers: int
) -> None:
    # The third service's first answers drip until the lease is nearly over.
    conducts = ("slow", "busy-once", "drips-head-once")
    installation.settings = {"delivery_lease": "PT3S", "reply_timeout": "PT10S"}
    installation.settings |= {"retry_first": "PT1S"}
    installation.offer({name: installation.receiver.address(name) for name in conducts})
    installation.serve()
    for _ in range(4):
        for name in conducts:
            installation.post_until_accepted(name)
    installation.work(workers)
    installation.await_delivered(12)
    events = {d.id: installation.receiver.events(key=d.id) for d in installation.deliveries()}
    assert overlaps(each for of_key in events.values() for each in of_key) == []
    came = {
        name: sorted(
            len([e for e in of_key if e["event"] == "began"])
            for of_key in events.values()
            if of_key[0]["path"] == name
        )
        for name in conducts
    }
    assert came == {"slow": [1] * 4, "busy-once": [2] * 4, "drips-head-once": [2] * 4}
    kept = [[e["event"] for e in of_key].count("kept") for of_key in events.values()]
    assert kept == [1] * 12
    assert {d.attempts for d in installation.deliveries()} == {1, 2}
    found = installation.check_the_books()
    assert found.lapsed_leases == 0


def test_a_worker_that_slept_beyond_its_lease_settles_nothing(
    installation: Installation,
) -> None:
    installation.settings = {"delivery_lease": "PT2S", "delivery_threads": "1"}
    installation.offer({"late": installation.receiver.address("takes-and-hangs-once")})
    installation.serve()
    installation.post_until_accepted("late")
    [sleeper] = installation.work()
    until(lambda: installation.deliveries()[0].attempts == 1)
    key = installation.deliveries()[0].id
    installation.receiver.await_event(event="kept", key=key)
    os.killpg(sleeper.pid or 0, signal.SIGSTOP)
    [heir] = installation.work()
    installation.await_delivered(1)
    heir.terminate()
    heir.join()
    [settled] = installation.deliveries()

    os.killpg(sleeper.pid or 0, signal.SIGCONT)
    sleeper.terminate()  # it ends the attempt under way first
    sleeper.join()
    assert [heir.exitcode, sleeper.exitcode] == [0, 0]
    assert installation.deliveries() == [settled]
    events = installation.receiver.events(key=key)
    assert [each["event"] for each in events].count("began") == 2
    assert len({each["sha256"] for each in events}) == 1
    said = (installation.folder / "gateway.log").read_text()
    assert [line for line in said.splitlines() if '"level": "info"' not in line] == []
    installation.check_the_books()
