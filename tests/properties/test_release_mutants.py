"""Break each guard of the release protocol in turn: the invariants must notice, every time.

Each defect comes with a schedule in which it shows. The same schedule without the defect is sound,
so what is noticed is the defect. Defects are put in as broken collaborators: a clock that stands
still, a provider's line that is deaf, a database that hears a statement otherwise than it was said.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import IntegrityError

from gateway.consent.rules import POLICY
from gateway.journey.switches import SwitchWish, set_switch
from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.sharing import AgreementMove
from tests.builders.messages import NHS_NUMBER
from tests.builders.release import Fate, Walk, deciding_slowly
from tests.builders.sharing import OPERATOR, PRACTICE_ODS
from tests.properties.test_release import Releases, machine_on, on_postgresql, on_sqlite

Schedule = Callable[[Releases], None]
Breaks = Callable[[type[Releases]], None]

# Schedules.


def paused_at_the_provider(now: Releases, fate: Fate = Fate.ARRIVES) -> Walk:
    """An attempt that was released, and has not sent yet."""
    now.a_worker_claims(fate, 1)
    walk = now.walks[-1]
    now.until(walk, "sending")
    return walk


def sends_after_its_lease(now: Releases) -> None:
    walk = paused_at_the_provider(now)
    now.the_agreement_changes(AgreementMove.WITHDRAWN)
    now.finish(now.walks[-1])
    now.finish(walk)


def sends_while_somebody_withdraws(now: Releases) -> None:
    walk = paused_at_the_provider(now)
    now.the_agreement_changes(AgreementMove.WITHDRAWN)
    withdrawing = now.walks[-1]
    now.one_goes_on(now.walks.index(withdrawing), 40)
    now.finish(walk)
    now.finish(withdrawing)


def pauses_while_it_decides(now: Releases) -> None:
    """A change of sharing comes in the midst of a release; it touches no referral."""
    now.a_worker_claims(Fate.ARRIVES, 1)
    walk = now.walks[-1]
    now.until(walk, "deciding")
    wish = SwitchWish(switch=Switch.UPDATE_RECORD, value=SwitchValue.ON)
    act = partial(set_switch, PRACTICE_ODS, wish, OPERATOR, now.house.gateway)
    changing = now.stage.walk(act)
    assert changing.go_on()
    may_pass = changing.go_on(patience=0.5)
    now.finish(walk)
    assert may_pass or changing.arrive()
    now.walks.append(changing)


def comes_due_after_a_planned_end(now: Releases) -> None:
    now.the_agreement_is_to_end(100.0)
    now.time_passes(300.0)
    now.an_attempt_is_made_and_settled(Fate.ARRIVES)


def fails_between_a_withdrawal_and_its_end(now: Releases) -> None:
    """It is shared again before the attempt under way has failed."""
    walk = paused_at_the_provider(now, Fate.UNREACHABLE)
    now.the_agreement_changes(AgreementMove.WITHDRAWN)
    now.the_agreement_changes(AgreementMove.REINSTATED)
    now.finish(walk)
    now.time_passes(31.0)
    now.an_attempt_is_made_and_settled(Fate.ARRIVES)
    now.an_attempt_is_made_and_settled(Fate.ARRIVES)


def two_withdraw_at_once(now: Releases) -> None:
    """Both find that it was delivered before either has told its provider."""
    now.an_attempt_is_made_and_settled(Fate.ARRIVES)
    now.an_attempt_is_made_and_settled(Fate.ARRIVES)
    now.a_person_takes_consent_back(NHS_NUMBER)
    now.the_agreement_changes(AgreementMove.WITHDRAWN)
    for steps in itertools.repeat(1, 40):
        for walk in list(now.walks):
            now.one_goes_on(now.walks.index(walk), steps)


# Defects.


def hear(engine: Engine, said: Mapping[str, str]) -> None:
    """Have a database hear some words of statements as others."""

    def rewrite(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any
    ) -> tuple[str, Any]:
        for words, heard in said.items():
            statement = statement.replace(words, heard)
        return statement, parameters

    event.listen(engine, "before_cursor_execute", rewrite, retval=True)


def hears(said: Mapping[str, str]) -> Breaks:
    return lambda machine: hear(machine.stage.house.gateway.store.engine, said)


def without_fence(machine: type[Releases]) -> None:
    machine.stage.is_deaf_to_deadlines = True
    machine.of_workers = staticmethod(lambda gateway: replace(gateway, monotonic=lambda: 0.0))


def without_drain(machine: type[Releases]) -> None:
    hasty = itertools.count(0.0, 1e6).__next__
    machine.of_officers = staticmethod(lambda gateway: replace(gateway, monotonic=hasty))


def without_second_decision(machine: type[Releases]) -> None:
    blind = replace(POLICY, rules=())
    machine.of_workers = staticmethod(lambda gateway: replace(gateway, policy=blind))


def slowly(machine: type[Releases]) -> None:
    """No defect: a stop in the midst of the release."""
    machine.of_workers = staticmethod(partial(deciding_slowly, machine.stage))


def without_gate_lock(machine: type[Releases]) -> None:
    slowly(machine)
    hears({" FOR SHARE OF gate": "", " FOR SHARE": ""})(machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What is broken, where that shows, and which invariant must say so.

    `sound` is how the machine is without the defect. `needs_rows`: only an engine with row locks.
    """

    name: str
    breaks: Breaks
    shows: Schedule
    says: str
    sound: Breaks = lambda _machine: None
    needs_rows: bool = False


DEFECTS = (
    Defect(name="no fence", breaks=without_fence, shows=sends_after_its_lease, says="13: bytes"),
    Defect(
        name="no drain",
        breaks=without_drain,
        shows=sends_while_somebody_withdraws,
        says="13: bytes",
    ),
    Defect(
        name="no gate lock",
        breaks=without_gate_lock,
        shows=pauses_while_it_decides,
        says="14: released",
        sound=slowly,
        needs_rows=True,
    ),
    Defect(
        name="no second decision",
        breaks=without_second_decision,
        shows=comes_due_after_a_planned_end,
        says="12: released",
    ),
    Defect(
        name="withdrawn forgotten",
        breaks=hears({"SELECT delivery.withdrawn": "SELECT 1 = 0"}),
        shows=fails_between_a_withdrawal_and_its_end,
        says="16: released",
    ),
    Defect(
        name="told forgotten",
        breaks=hears({"WHERE recall.recalled IN": "WHERE 1 = 0 AND recall.recalled IN"}),
        shows=two_withdraw_at_once,
        says="18: ",
    ),
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def broken(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[Breaks], type[Releases]]]:
    """A machine that a test may break, on each engine in turn."""
    if request.param == "sqlite":
        made = on_sqlite(tmp_path)
    else:
        made = on_postgresql(request.getfixturevalue("postgres_server"))
    with machine_on(*made) as machine:

        def break_it(breaks: Breaks) -> type[Releases]:
            breaks(machine)
            return machine

        yield break_it


Broken = Callable[[Breaks], type[Releases]]


def play(machine: type[Releases], schedule: Schedule) -> None:
    """Go through one schedule, and on to the end of all that it began."""
    now = machine()
    try:
        now.two_referrals_come()
        schedule(now)
    finally:
        now.teardown()


def is_for(defect: Defect, machine: type[Releases]) -> bool:
    engine = machine.stage.house.gateway.store.engine
    return not defect.needs_rows or engine.dialect.name == "postgresql"


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda each: each.name)
def test_a_broken_guard_is_noticed(broken: Broken, defect: Defect) -> None:
    machine = broken(defect.sound)
    if not is_for(defect, machine):
        pytest.skip("SQLite has one writer at a time: there is no lock to leave out")
    play(machine, defect.shows)
    defect.breaks(machine)
    with pytest.raises((AssertionError, IntegrityError)) as noticed:
        play(machine, defect.shows)
    assert str(noticed.value).startswith(defect.says) or noticed.type is IntegrityError
