"""What would have come of other rules, another switch, another agreement: nothing is changed."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from gateway.cli.main import main
from gateway.consent.draft import policy_text, read_policy
from gateway.errors import NotFoundError
from gateway.journey.what_if import (
    Period,
    WhatIf,
    impact_of_agreement,
    impact_of_switch,
    replay_decisions,
)
from gateway.referral.directory import AgreementStatus, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, OdsCode
from gateway.store import decisions
from gateway.store.decisions import Kept
from tests.builders.evidence import counts, entries, the_referral, work
from tests.builders.house import House
from tests.builders.messages import (
    OTHER_PRACTICE,
    PRACTICE,
    bars_headers,
    bars_message,
    consent,
    service_request,
)

AGREEMENT = AgreementId("dsa-one-oh")


def recently(house: House, practice: str | None = PRACTICE) -> Period:
    return Period(
        since=house.clock.now - timedelta(weeks=8),
        until=house.clock.now + timedelta(seconds=1),
        practice=OdsCode(practice) if practice else None,
    )


@pytest.fixture
def busy(house: House) -> House:
    """Two weeks: one referral delivered, one refused for want of consent, one still queued."""
    house.post("/ServiceRequest", service_request())
    work(house)
    house.post("/ServiceRequest", service_request(consents=[]))
    house.clock.move(days=7)
    house.tokens.clear()
    house.post("/ServiceRequest", service_request())
    return house


def test_a_withdrawal_would_have_blocked_what_left_and_would_stop_what_waits(busy: House) -> None:
    found = impact_of_agreement(busy.gateway, recently(busy), AGREEMENT, AgreementStatus.WITHDRAWN)
    assert found.considered == 3
    blocked = [each.shift.is_blocked for each in found.touched]
    assert blocked == [True, True]
    assert [each.decision.state for each in found.waiting] == ["queued"]
    assert list(found.by_week().values()) == [(0, 1), (0, 1)]


def test_a_reinstatement_shows_what_would_newly_leave(busy: House) -> None:
    busy.apply(agreements=[busy.directory["agreements"][0] | {"status": "suspended"}])
    busy.clock.move(days=1)
    busy.tokens.clear()
    assert busy.post("/ServiceRequest", service_request()).status_code == 403
    found = impact_of_agreement(busy.gateway, recently(busy), AGREEMENT, AgreementStatus.ACTIVE)
    (released,) = found.touched
    assert released.shift.is_released
    assert released.decision.reference is None


def test_a_switch_that_no_decision_looked_at_touches_nothing(busy: House) -> None:
    for switch in (Switch.SHARED_CARE, Switch.SECONDARY_SHARING, Switch.NEW_AGREEMENTS):
        found = impact_of_switch(busy.gateway, recently(busy), switch, SwitchValue.OFF)
        assert (found.considered, found.touched) == (3, ())


def test_another_practice_is_not_looked_at(busy: House) -> None:
    found = impact_of_switch(
        busy.gateway, recently(busy, OTHER_PRACTICE), Switch.SECONDARY_SHARING, SwitchValue.OFF
    )
    assert found.considered == 0


def test_the_impact_on_an_agreement_that_is_not_there_is_refused(busy: House) -> None:
    with pytest.raises(NotFoundError, match="no agreement dsa-none"):
        impact_of_agreement(
            busy.gateway, recently(busy), AgreementId("dsa-none"), AgreementStatus.WITHDRAWN
        )


def test_a_draft_that_drops_a_rule_lists_who_would_newly_be_released(house: House) -> None:
    house.apply(
        services=[
            {**service, "accepting": service["id"] != "oh-assessment"}
            for service in house.directory["services"]
        ]
    )
    house.post("/ServiceRequest", service_request())
    text = policy_text()
    draft = "\n".join(line for line in text.splitlines() if not line.startswith("R53 "))
    found = replay_decisions(house.gateway, recently(house), policy=read_policy(draft))
    (touched,) = found.touched
    assert touched.decision.reference == the_referral(house).reference
    assert touched.shift.is_released
    assert (touched.shift.gained, touched.shift.lost) == ((), ("R53",))


def test_the_same_rules_change_nothing(busy: House) -> None:
    found = replay_decisions(busy.gateway, recently(busy), policy=read_policy(policy_text()))
    assert (found.considered, found.touched) == (3, ())


def test_what_if_stores_nothing_but_that_decisions_were_read(busy: House) -> None:
    before, rows = entries(busy), counts(busy)
    replay_decisions(busy.gateway, recently(busy))
    impact_of_agreement(
        busy.gateway, recently(busy), AGREEMENT, AgreementStatus.WITHDRAWN, actor="gp-one"
    )
    read = entries(busy)[len(before) :]
    assert [(e["kind"], e["actor"], e["size"]) for e in read] == [
        ("audit.read", "operator", 3),
        ("audit.read", "gp-one", 3),
    ]
    assert counts(busy) == rows


def test_an_older_referral_counts_while_it_waits_and_then_no_more(house: House) -> None:
    held = bars_message(consents=[consent(status="proposed")])
    house.post("/$process-message", held, **bars_headers())
    house.clock.move(days=100)
    found = replay_decisions(house.gateway, recently(house))
    assert found.considered == 1


def test_what_was_kept_with_facts_of_another_version_is_counted_and_left_out(
    house: House,
) -> None:
    house.post("/ServiceRequest", service_request())
    with house.gateway.store.transaction(house.clock.now) as tx:
        rows = tx.connection.exec_driver_sql("SELECT id, subject, sealed_detail FROM decision")
        ((decision, subject, sealed),) = rows.all()
        wrapped = tx.connection.exec_driver_sql("SELECT wrapped_key FROM person").scalar_one()
        key = tx.vault.open_key(wrapped, f"person/{subject}")
        kept = json.loads(tx.vault.open(key, sealed, f"decision/{decision}"))
        kept["facts"]["mood"] = True
        again = tx.vault.seal(key, json.dumps(kept).encode(), f"decision/{decision}")
        tx.connection.execute(text("UPDATE decision SET sealed_detail = :new"), {"new": again})
    found = replay_decisions(house.gateway, recently(house))
    assert (found.considered, found.unreadable, found.touched) == (1, 1, ())


def test_the_command_says_where_a_draft_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "draft.txt"
    file.write_text(policy_text().replace("NOT registered", "NOT here"))
    asked = ["consent", "what-if", "--policy", str(file), "--since", "2026-11-01"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 2
    assert "line" in result.output


def test_a_practice_asks_for_the_impact_before_it_acts(busy: House) -> None:
    answer = busy.web.get(
        "/sharing/agreements/dsa-one-oh/impact?status=withdrawn", headers=busy.bearer()
    )
    told = answer.get_json()
    assert (answer.status_code, told["waiting"], len(told["touched"])) == (200, 1, 2)
    assert [week["newly_blocked"] for week in told["weeks"]] == [1, 1]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sharing/switches/secondary_sharing/impact?value=off", 200),
        ("/sharing/switches/secondary_sharing/impact?value=maybe", 400),
        ("/sharing/switches/secondary_sharing/impact", 400),
        ("/sharing/switches/mood/impact?value=off", 404),
        ("/sharing/agreements/dsa-none/impact?status=withdrawn", 404),
        ("/sharing/agreements/!/impact?status=withdrawn", 404),
        ("/sharing/agreements/dsa-one-oh/impact?status=proposed", 400),
    ],
)
def test_an_impact_is_asked_of_what_there_is(house: House, path: str, status: int) -> None:
    assert house.web.get(path, headers=house.bearer()).status_code == status


def test_an_impact_counts_other_agreements_as_they_stood_then(busy: House) -> None:
    first = busy.directory["agreements"][0]
    busy.apply(agreements=[first, first | {"id": "dsa-two"}])
    busy.clock.move(minutes=1)
    busy.tokens.clear()
    assert busy.post("/ServiceRequest", service_request()).status_code == 201
    busy.clock.move(minutes=1)

    def blocked_last() -> bool:
        found = impact_of_agreement(
            busy.gateway, recently(busy), AGREEMENT, AgreementStatus.WITHDRAWN
        )
        latest = max(each.decided_at for each in entries_of(found))
        return any(each.decision.decided_at == latest for each in found.touched)

    def entries_of(found: WhatIf) -> list[Kept]:
        with busy.gateway.store.reading(as_one_moment=True) as view:
            assert found.considered
            period = recently(busy)
            return list(
                decisions.newest(
                    view, since=period.since, until=period.until, practice=period.practice
                )
            )

    assert not blocked_last()
    busy.apply(agreements=[first, first | {"id": "dsa-two", "status": "withdrawn"}])
    assert not blocked_last(), "what was withdrawn since covered it then"
