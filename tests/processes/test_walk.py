"""One referral, from a real sender's socket to a real provider's, by real processes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from tests.processes.children import command, run_command
from tests.processes.installation import Installation
from tests.processes.receiver import until


@contextmanager
def programs(installation: Installation) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """Run `python -m gateway serve` and `... worker`, each in a group of its own."""
    serve = command("serve", "--port", str(installation.port))
    with (installation.folder / "gateway.log").open("ab") as log:
        running = [
            subprocess.Popen(each, env=installation.environment, stderr=log, start_new_session=True)
            for each in (serve, command("worker"))
        ]
    try:
        until(installation._answers)
        yield running
    finally:
        for each in running:
            if each.poll() is None:
                os.killpg(each.pid, signal.SIGKILL)
            each.wait()


def test_a_referral_posted_over_http_is_delivered_over_https_and_the_books_agree(
    installation: Installation,
) -> None:
    installation.offer({"ok": installation.receiver.address("slow")})
    with programs(installation) as (web, worker):
        reply = installation.post("ok")
        assert reply.status_code == 201, reply.text
        installation.await_delivered(1)
        [delivery] = installation.deliveries()
        received = installation.receiver.events(key=delivery.id)
        assert [each["event"] for each in received] == ["began", "kept", "ended"]
        assert received[0]["correlation"] == reply.headers["X-Correlation-Id"]

        commands = (("reconcile", "--json"), ("ledger", "verify", "--json"))
        with ThreadPoolExecutor() as pool:
            ask = partial(run_command, environment=installation.environment)
            reconciled, verified = pool.map(lambda words: ask(*words), commands)
        assert reconciled.returncode == 0, reconciled.stderr
        assert json.loads(reconciled.stdout)["states"]["delivered"] == 1
        assert verified.returncode == 0, verified.stderr
        assert [each["ok"] for each in json.loads(verified.stdout)] == [True]

        for each in (web, worker):
            each.terminate()
        assert [each.wait(20) for each in (web, worker)] == [0, 0]


def test_a_worker_that_is_told_to_stop_finishes_the_attempt_under_way(
    installation: Installation,
) -> None:
    installation.settings = {"reply_timeout": "PT5S", "delivery_threads": "1"}
    installation.offer({"ok": installation.receiver.address("answers-in-a-second")})
    installation.serve()
    [worker] = installation.work()
    installation.post_until_accepted("ok")
    until(lambda: any(d.attempts for d in installation.deliveries()))
    [under_way] = installation.deliveries()
    installation.receiver.await_event(event="began", key=under_way.id)
    installation.post_until_accepted("ok")

    began = time.monotonic()
    worker.terminate()
    worker.join(20)
    assert worker.exitcode == 0
    assert time.monotonic() - began < 10
    states = {each.id: (each.state, each.attempts) for each in installation.deliveries()}
    assert states.pop(under_way.id) == ("delivered", 1)
    assert list(states.values()) == [("queued", 0)]
    installation.check_the_books()
