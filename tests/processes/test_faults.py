"""A provider that fails in every way that networks know: each referral is kept and owned."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.referral.lifecycle import DeliveryState
from gateway.store import referrals
from tests.processes.conducts import CANARY
from tests.processes.installation import Installation, free_port
from tests.processes.receiver import until

ROOT = Path(__file__).parents[2]
AGAIN = {
    "down": "connect", "unknown-host": "connect", "wrong-name": "connect",
    "expired": "connect", "other-ca": "connect", "never-shakes-hands": "connect",
    "hangs": "no-reply", "drips-head": "no-reply", "drips-body": "no-reply",
    "says-go-on-for-ever": "no-reply", "resets-mid-body": "no-reply",
    "closes-mid-body": "no-reply", "no-http": "no-reply", "200-outcome": "no-reply",
    "200-searchset": "no-reply", "200-some-parts": "no-reply", "200-malformed": "no-reply",
    "200-huge": "no-reply", "200-zipped-huge": "no-reply",
    "500": "busy", "502-html": "busy", "503-seconds": "busy", "503-date": "busy", "429": "busy",
}  # fmt: skip
HELD = {
    "301": "REFUSED_BY_PROVIDER.301",
    "401": "REFUSED_BY_PROVIDER.401",
    "422": "REFUSED_BY_PROVIDER.422",
    "409-conflict": "REFUSED_BY_PROVIDER.409",
    "200-part-refused": "REFUSED_BY_PROVIDER.200",
}
DELIVERED = ("ok", "409-duplicate")
CANNOT_HAVE_ARRIVED = {*HELD, "429"} | {name for name, phase in AGAIN.items() if phase == "connect"}


def addresses(installation: Installation) -> dict[str, str]:
    receiver = installation.receiver
    found = {name: receiver.address(name) for name in (*AGAIN, *HELD, *DELIVERED)}
    for server in ("wrong-name", "expired", "other-ca", "never-shakes-hands"):
        found[server] = receiver.address("ok", server)
    found["down"] = f"https://localhost:{free_port()}/ok"
    found["unknown-host"] = "https://provider.invalid/ok"
    return found


def test_whatever_a_provider_does_each_referral_ends_queued_held_or_delivered(
    installation: Installation,
) -> None:
    everything = addresses(installation)
    began = len(installation.receiver.events(server="elsewhere"))
    installation.settings = {"retry_first": "PT1H", "retry_longest": "PT1H"}
    installation.settings |= {"delivery_threads": "8"}
    installation.offer(everything)
    installation.serve()
    for name in everything:
        installation.post_until_accepted(name)
    installation.work()
    until(lambda: all(is_tried(installation)), every=0.2)

    attempted = {d.service.removeprefix("oh-"): d for d in installation.deliveries()}
    assert {d.attempts for d in attempted.values()} == {1}
    again = {n: d.reason for n, d in attempted.items() if d.state is DeliveryState.QUEUED}
    held = {n: d.reason for n, d in attempted.items() if d.state is DeliveryState.REFUSED}
    rest = {n for n, d in attempted.items() if d.state is DeliveryState.DELIVERED}
    assert (again, held, rest) == (AGAIN, HELD, set(DELIVERED))
    may_have = {name for name, d in attempted.items() if d.may_have_arrived}
    assert may_have == set(AGAIN) - CANNOT_HAVE_ARRIVED
    for name in again:
        wait = attempted[name].next_at - datetime.now(UTC)
        assert timedelta(minutes=20) < wait < timedelta(hours=1), name
    owners = hold_owners(installation)
    assert owners == dict.fromkeys(HELD, "operator")
    installation.check_the_books()
    assert len(installation.receiver.events(server="elsewhere")) == began
    said = (installation.folder / "gateway.log").read_text()
    assert not [word for word in CANARY.split() if word in said]
    assert "unforeseen" not in said


def is_tried(installation: Installation) -> list[bool]:
    idle = (DeliveryState.QUEUED, DeliveryState.REFUSED, DeliveryState.DELIVERED)
    return [each.attempts > 0 and each.state in idle for each in installation.deliveries()]


def hold_owners(installation: Installation) -> dict[str, str]:
    with installation.gateway.store.reading(as_one_moment=True) as view:
        return {
            each.service.removeprefix("oh-"): each.hold.owner
            for each in referrals.everyone(view)
            if each.hold is not None
        }


def test_the_runbook_says_of_each_fault_what_happens() -> None:
    runbook = (ROOT / "docker" / "RUNBOOK.md").read_text(encoding="utf-8")
    section = runbook.split("## When a destination fails\n")[1].split("\n## ")[0]
    told: dict[str, tuple[str, str]] = {}
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and "`" in cells[1]:  # the first table's columns
            told |= dict.fromkeys(re.findall(r"`([^`]+)`", cells[1]), (cells[2], cells[3]))
    known = {name: f"again: {phase}" for name, phase in AGAIN.items()}
    known |= dict.fromkeys(HELD, "held for the operator") | dict.fromkeys(DELIVERED, "delivered")
    assert {name: outcome for name, (outcome, _) in told.items()} == known
    arrived = {name: may for name, (_, may) in told.items()}
    assert {n for n, may in arrived.items() if may == "no"} == CANNOT_HAVE_ARRIVED
    assert {n for n, may in arrived.items() if may == "it did"} == set(DELIVERED)
