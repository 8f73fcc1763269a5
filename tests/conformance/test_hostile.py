"""What no good sender sends: refused in form, quickly, in little memory, and without a trace.

Against a real gateway process. The time is the CPU time of that process, since the machine
may be busy; the memory is its peak while it answers, less what it had before.
"""

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import pytest

from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.validate import validate
from gateway.fhir.xml_text import read_xml
from gateway.store.engine import make_engine
from gateway.store.schema import upgrade
from tests.conformance.hostile import HOSTILE_JSON, KNOWN, Hostile
from tests.conformance.hostile_xml import XML
from tests.conformance.messages import Door, Format
from tests.conformance.thinning import lot, thinned, until_time_is_up
from tests.conformance.wire import SERVICE, Cost, Reply, Request, Server
from tests.processes.installation import Installation, free_port
from tests.processes.receiver import Receiver

MOST_SECONDS: Final = 1.0
MOST_BYTES: Final = 100 * 1024 * 1024

ATTEMPTS: Final = 3
"""A busy machine makes CPU seconds longer: the cheapest of so many attempts counts."""


def named(each: Hostile, door: Door) -> Any:
    reason = KNOWN.get(each.name)
    marks = [pytest.mark.xfail(strict=True, reason=reason)] if reason else []
    return pytest.param(each, door, id=f"{each.name}-{door.name.lower()}", marks=marks)


PRODUCT: Final = [(each, door) for each in (*HOSTILE_JSON, *XML) for door in each.doors]
CASES: Final = [
    named(*case)
    for case in thinned(
        sorted(PRODUCT, key=lambda case: lot(case[0].name, case[1].name)),
        lambda case: (case[0].name, *((case[1], code) for code in case[0].codes)),
    )
]
"""Each request at one door, and each code that may be the answer at each door."""


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A gateway with one worker process; its only provider does not exist."""
    if not sys.platform.startswith("linux"):
        pytest.skip("what a process costs is read from /proc, which only Linux has")
    folder = tmp_path_factory.mktemp("hostile")
    url = f"sqlite:///{folder / 'gateway.sqlite3'}"
    engine = make_engine(url, timeout=timedelta(seconds=5), pool_size=1)
    upgrade(engine)
    engine.dispose()
    built = Installation(
        database_url=url,
        folder=folder,
        receiver=Receiver(folder),
        port=free_port(),
        settings={"web_workers": "1"},
    )
    built.offer({SERVICE: "https://localhost:9/nobody"})
    built.serve()
    yield built
    built.end()


@pytest.fixture(scope="module")
def server(installation: Installation) -> Iterator[Server]:
    """The running gateway. At the end: the books are in order, and the process is the first one."""
    running = Server(installation)
    assert running.accepts_a_good_message()
    yield running
    assert running.is_same_process()
    installation.check_the_books()


@pytest.mark.parametrize(("hostile", "door"), CASES)
def test_a_hostile_request_is_refused_cheaply_and_does_no_harm(
    server: Server, hostile: Hostile, door: Door
) -> None:
    check(server, hostile, door)


@pytest.mark.soak
def test_each_hostile_request_is_refused_cheaply_at_each_door(
    server: Server, soak_time: timedelta
) -> None:
    for hostile, door in until_time_is_up(PRODUCT, soak_time):
        if hostile.name not in KNOWN:
            check(server, hostile, door)


def check(server: Server, hostile: Hostile, door: Door) -> None:
    before, request = server.rows(), hostile.make()
    for attempt in range(ATTEMPTS):
        reply, cost = server.post(door, hostile.form, request)
        assert reply.status in hostile.status
        if hostile.codes:
            told = outcome(reply, request, hostile.form)
            assert {issue["code"] for issue in told["issue"]} & {*hostile.codes}
        assert "set-cookie" not in reply.headers
        assert server.rows() == before
        assert server.accepts_a_good_message()
        before = server.rows()
        if is_cheap(cost) or hostile.name in KNOWN:
            break
        assert attempt < ATTEMPTS - 1, cost
    assert is_cheap(cost)


def is_cheap(cost: Cost) -> bool:
    return cost.cpu_seconds < MOST_SECONDS and cost.memory_bytes < MOST_BYTES


def outcome(reply: Reply, request: Request, form: Format) -> Any:
    """The OperationOutcome, in the media type asked for; JSON where none could be told."""
    kind = reply.headers["content-type"].partition(";")[0]
    asked = request.headers.get("Accept", form.value)
    assert kind == (asked if asked in list(Format) else form.value)
    tree: Any = read_xml(reply.body) if kind == Format.XML else json.loads(reply.body)
    assert tree["resourceType"] == "OperationOutcome"
    assert validate(tree) == []
    assert len(tree["issue"]) <= MAX_FAULTS + 1
    return tree


def test_what_is_hostile_has_names_of_its_own() -> None:
    names = [each.name for each in (*HOSTILE_JSON, *XML)]
    assert len(names) == len(set(names))
    assert set(KNOWN) <= set(names)
