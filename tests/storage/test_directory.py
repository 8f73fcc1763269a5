"""The directory in versions: nothing is edited, and the past can be read."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import yaml
from sqlalchemy import select

from gateway.errors import DirectoryFileError
from gateway.journey.agreements import Wish, set_agreement
from gateway.journey.apply_directory import Plan, apply_directory, plan_directory
from gateway.journey.reconcile import reconcile
from gateway.journey.sharing import Word
from gateway.referral.directory import AgreementStatus, SwitchValue
from gateway.referral.identifiers import AgreementId, OdsCode
from gateway.referral.sharing import AgreementMove, Origin
from gateway.store import gates
from gateway.store.directory import DirectoryAsOf
from gateway.store.sharing import events_on
from gateway.store.tables import directory_record
from tests.builders.evidence import entries, execute, the_delivery, work
from tests.builders.house import House
from tests.builders.messages import (
    OTHER_PRACTICE,
    PHARMACY,
    PRACTICE,
    PROVIDER,
    service_request,
)
from tests.builders.sharing import sign

ONE, THERE = OdsCode(PRACTICE), OdsCode(PROVIDER)


def plan(house: House, *, end_missing: bool = False, **sections: Any) -> tuple[Plan, str]:
    text = yaml.safe_dump(house.directory | sections)
    return plan_directory(text, house.gateway, end_missing=end_missing), text


def apply(house: House, *, end_missing: bool = False, **sections: Any) -> Plan:
    return apply_directory(*plan(house, end_missing=end_missing, **sections), house.gateway)


def agreement(house: House, **changed: str | None) -> list[dict[str, Any]]:
    return [house.directory["agreements"][0] | changed]


def status_at(house: House, at: datetime) -> list[AgreementStatus]:
    with house.gateway.store.reading() as view:
        return [a.status for a in DirectoryAsOf(view, at).parties(ONE, THERE).agreements]


def versions(house: House, key: str) -> list[tuple[int, datetime, datetime | None]]:
    columns = (
        directory_record.c.version,
        directory_record.c.valid_from,
        directory_record.c.valid_to,
    )
    query = select(*columns).where(directory_record.c.key == key).order_by(columns[0])
    with house.gateway.store.reading() as view:
        return [(row[0], row[1], row[2]) for row in view.connection.execute(query)]


def moves(house: House) -> list[tuple[str, datetime]]:
    with house.gateway.store.reading() as view:
        events = events_on(view, ONE, AgreementId("dsa-one-oh"))
    return [(event.move, event.effective_at) for event in events]


def test_applying_the_same_file_again_changes_nothing(house: House) -> None:
    before = entries(house)
    applied = apply(house)
    assert not applied.changes_anything
    assert entries(house) == before


def test_a_plan_changes_nothing(house: House) -> None:
    made, _ = plan(house, agreements=agreement(house, status="withdrawn"))
    assert [row.key for row in made.changed] == ["dsa-one-oh"]
    assert made.changes_anything
    assert status_at(house, house.clock.now) == [AgreementStatus.ACTIVE]


def test_a_changed_row_gets_a_new_version_and_the_old_one_ends(house: House) -> None:
    start = house.clock.now
    house.clock.move(days=1)
    apply(house, agreements=agreement(house, status="withdrawn"))
    now = house.clock.now
    assert moves(house) == [("signed", start), ("withdrawn", now)]
    assert status_at(house, start) == [AgreementStatus.ACTIVE]
    assert status_at(house, now) == [AgreementStatus.WITHDRAWN]
    assert entries(house, "directory.applied")[-1]["changed"] == 1


def test_two_changes_at_one_instant_leave_the_last(house: House) -> None:
    apply(house, agreements=agreement(house, status="suspended"))
    apply(house, agreements=agreement(house, status="withdrawn"))
    assert status_at(house, house.clock.now) == [AgreementStatus.WITHDRAWN]
    assert [move for move, _ in moves(house)] == ["signed", "suspended", "withdrawn"]


def test_what_a_file_leaves_out_stays_unless_its_end_was_asked_for(house: House) -> None:
    left_out = apply(house, agreements=[])
    assert [row.key for row in left_out.missing] == ["dsa-one-oh"]
    assert not left_out.changes_anything
    assert status_at(house, house.clock.now) == [AgreementStatus.ACTIVE]
    assert apply(house, agreements=[], end_missing=True).changes_anything
    assert status_at(house, house.clock.now) == [AgreementStatus.WITHDRAWN]
    assert entries(house, "directory.applied")[-1]["ended"] == 1
    assert not apply(house, agreements=[], end_missing=True).changes_anything


def test_a_row_that_comes_back_goes_on_counting_its_versions(house: House) -> None:
    others = [s for s in house.directory["services"] if s["id"] != "pharmacy-first"]
    apply(house, services=others, end_missing=True)
    house.clock.move(days=1)
    apply(house)
    assert [number for number, _, _ in versions(house, "pharmacy-first")] == [1, 2]


def test_an_agreement_that_comes_back_was_reinstated(house: House) -> None:
    apply(house, agreements=[], end_missing=True)
    house.clock.move(days=1)
    apply(house)
    assert [move for move, _ in moves(house)] == ["signed", "withdrawn", "reinstated"]


@pytest.mark.parametrize(
    ("sections", "fault"),
    [
        ({"endpoints": []}, "service oh-assessment: there is no endpoint oh"),
        ({"providers": []}, "agreement dsa-one-oh: there is no provider or commissioner RX901"),
        ({"practices": []}, "agreement dsa-one-oh: there is no practice G99001"),
        ({"commissioners": []}, f"practice {OTHER_PRACTICE}: there is no commissioner QX9"),
    ],
    ids=["endpoint", "provider", "practice", "commissioner"],
)
def test_a_file_that_would_leave_loose_ends_is_refused(
    house: House, sections: dict[str, Any], fault: str
) -> None:
    before = entries(house)
    with pytest.raises(DirectoryFileError) as refused:
        plan(house, end_missing=True, **sections)
    assert fault in str(refused.value).splitlines()
    assert entries(house) == before


def test_a_service_limited_to_a_commissioner_that_is_not_there_is_refused(house: House) -> None:
    first, *rest = house.directory["services"]
    with pytest.raises(DirectoryFileError, match="there is no commissioner QZZ"):
        plan(house, services=[first | {"commissioners": ["QZZ"]}, *rest])


def test_a_service_id_taken_over_from_a_service_that_stays_is_refused(house: House) -> None:
    other = house.directory["services"][0] | {"id": "another"}
    with pytest.raises(DirectoryFileError, match="its dos_service_id is also that of"):
        plan(house, services=[other])


def test_a_switch_is_read_as_of_then(house: House) -> None:
    first, second = house.directory["practices"]
    start = house.clock.now
    house.clock.move(hours=1)
    apply(house, practices=[first | {"switches": {"update_record": False}}, second])
    with house.gateway.store.reading() as view:
        then = DirectoryAsOf(view, start).parties(ONE, None).practice
        now = DirectoryAsOf(view, house.clock.now).parties(ONE, None).practice
    assert then is not None
    assert now is not None
    assert (then.switches, list(now.switches.values())) == ({}, [SwitchValue.OFF])


def test_a_file_does_not_turn_an_agreement_into_one_between_others(house: House) -> None:
    with pytest.raises(DirectoryFileError, match="list this one under another id"):
        plan(house, agreements=agreement(house, counterparty=PHARMACY))


def test_a_file_signs_nothing_for_a_practice_that_has_frozen_new_ones(house: House) -> None:
    first, *rest = house.directory["practices"]
    frozen = [first | {"switches": {"new_agreements": "off"}}, *rest]
    apply(house, practices=frozen, agreements=agreement(house, status="withdrawn"))
    more = agreement(house, id="dsa-more", counterparty=PHARMACY)
    for listed in (agreement(house), agreement(house, status="withdrawn") + more):
        with pytest.raises(DirectoryFileError, match="has frozen new agreements"):
            plan(house, practices=frozen, agreements=listed)


def test_a_file_does_not_go_round_a_practice_that_withdrew(house: House) -> None:
    wish = Wish(agreement=AgreementId("dsa-one-oh"), move=AgreementMove.WITHDRAWN)
    set_agreement(ONE, wish, Word(actor="gp-one", origin=Origin.PRACTICE), house.gateway)
    again, _ = plan(house)
    assert not again.changes_anything
    assert again.kept == ("agreement dsa-one-oh: the practice itself has said how it stands",)
    with pytest.raises(DirectoryFileError, match="only the practice can sign another"):
        plan(house, agreements=[*agreement(house), *agreement(house, id="dsa-another")])


def say(house: House, to: AgreementMove, at: datetime | None = None) -> None:
    wish = Wish(
        agreement=AgreementId("dsa-one-oh"), move=to, effective_at=at, confirmed_by="the partners"
    )
    set_agreement(ONE, wish, Word(actor="gp-one", origin=Origin.PRACTICE), house.gateway)


def test_ending_what_is_missing_leaves_what_the_practice_said_itself(house: House) -> None:
    at = house.clock.now + timedelta(days=9)
    say(house, AgreementMove.SUSPENDED, at)
    before = moves(house)
    left = apply(house, agreements=[], end_missing=True)
    assert left.kept == ("agreement dsa-one-oh: the practice itself has said how it stands",)
    assert (left.missing, left.changes_anything) == ((), False)
    assert moves(house) == before
    with pytest.raises(DirectoryFileError, match="agreement dsa-one-oh: there is no provider"):
        plan(house, agreements=[], providers=[], services=[], endpoints=[], end_missing=True)


def test_a_file_does_not_go_round_a_withdrawal_that_is_planned(house: House) -> None:
    at = house.clock.now + timedelta(days=3)
    say(house, AgreementMove.WITHDRAWN, at)
    more = [*agreement(house), *agreement(house, id="dsa-another")]
    with pytest.raises(DirectoryFileError, match="organisation, or plans to"):
        plan(house, agreements=more)


def test_a_withdrawal_that_was_planned_and_lifted_holds_no_file_back(house: House) -> None:
    at = house.clock.now + timedelta(days=3)
    say(house, AgreementMove.WITHDRAWN, at)
    say(house, AgreementMove.REINSTATED, at)
    more = [*agreement(house), *agreement(house, id="dsa-another")]
    assert [row.key for row in plan(house, agreements=more)[0].added] == ["dsa-another"]


def test_what_a_file_signs_that_a_practice_could_not_is_noted(house: House) -> None:
    added = agreement(house, id="dsa-another", dpia_ref=None)
    noted, _ = plan(house, agreements=[*agreement(house), *added])
    assert noted.notes == (
        "agreement dsa-another: signed by file without an impact assessment",
        (
            "agreement dsa-another: signed by file though practice G99001 has not said whether it"
            " signs new agreements"
        ),
    )
    said = [each | {"switches": {"new_agreements": "on"}} for each in house.directory["practices"]]
    added = agreement(house, id="dsa-another", dpia_ref="DPIA-1")
    quiet, _ = plan(house, practices=said, agreements=[*agreement(house), *added])
    assert quiet.notes == ()


def test_a_file_that_freezes_takes_back_what_was_to_be_signed(house: House) -> None:
    first, *rest = house.directory["practices"]
    apply(house, practices=[first | {"switches": {"new_agreements": "on"}}, *rest])
    sign(house, at=house.clock.now + timedelta(days=9))
    house.clock.move(minutes=5)
    apply(house, practices=[first | {"switches": {"new_agreements": "off"}}, *rest])
    house.clock.move(days=12)
    with house.gateway.store.reading() as view:
        events = events_on(view, ONE, AgreementId("dsa-eval"))
    assert [(each.move.value, each.origin.value) for each in events] == [
        ("signed", "operator"),
        ("withdrawn", "import"),
    ]


def test_an_agreement_may_be_with_who_pays(house: House) -> None:
    added = apply(
        house, agreements=[*agreement(house), *agreement(house, id="x1", counterparty="QX9")]
    )
    assert [row.key for row in added.added] == ["x1"]


def provider(house: House, **changed: str | None) -> list[dict[str, Any]]:
    first, *rest = house.directory["providers"]
    return [first | changed, *rest]


def reassured(house: House) -> list[tuple[str, str | None, dict[str, int | None] | None]]:
    found = entries(house, "assurance.changed")
    return [(each["recipient"], each["assured_until"], each["epochs"]) for each in found]


def raised(epoch: int) -> dict[str, int | None]:
    return {"practice": None, "recipient": epoch, "subject": None}


def gate(house: House) -> int | None:
    with house.gateway.store.reading() as view:
        return gates.epochs(view, recipient=THERE).recipient


def without_the_provider(house: House) -> dict[str, Any]:
    return {
        "providers": house.directory["providers"][1:],
        "services": house.directory["services"][1:],
        "agreements": [],
    }


def test_a_directory_of_new_providers_changes_the_assurance_of_none(house: House) -> None:
    assert reassured(house) == []
    assert gate(house) == 0


@pytest.mark.parametrize("until", ["2026-11-21", "2031-01-01", None])
def test_another_assurance_raises_the_gate_of_its_provider_alone(
    house: House, until: str | None
) -> None:
    apply(house, providers=provider(house, assured_until=until))
    assert reassured(house) == [(PROVIDER, until, raised(1))]
    (changed,) = entries(house, "assurance.changed")
    assert (changed["actor"], changed["source"]) == ("operator", "import")
    assert (changed["practice"], changed["subject"]) == (None, None)
    assert reconcile(house.gateway).discrepancies == ()


def test_another_role_is_a_change_of_assurance_and_another_name_is_none(house: House) -> None:
    apply(house, providers=provider(house, name="Another name"))
    assert reassured(house) == []
    apply(house, providers=provider(house, role="hr"))
    assert reassured(house) == [(PROVIDER, "2030-01-01", raised(1))]


def test_a_provider_that_leaves_the_directory_is_assured_no_longer_until_it_comes_back(
    house: House,
) -> None:
    apply(house, end_missing=True, **without_the_provider(house))
    apply(house, end_missing=True, **without_the_provider(house))
    house.clock.move(days=1)
    apply(house)
    assert reassured(house) == [
        (PROVIDER, None, raised(1)),
        (PROVIDER, "2030-01-01", raised(2)),
    ]
    assert gate(house) == 2
    assert reconcile(house.gateway).discrepancies == ()


def test_a_provider_that_a_file_only_leaves_out_keeps_its_assurance(house: House) -> None:
    apply(house, **without_the_provider(house))
    assert reassured(house) == []


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("UPDATE gate SET epoch = 2 WHERE kind = 'recipient'", "the row has no entry"),
        ("DELETE FROM gate WHERE kind = 'recipient'", "the ledger names it, and there is no row"),
    ],
)
def test_a_recipients_gate_is_held_against_the_changes_of_its_assurance(
    house: House, statement: str, text: str
) -> None:
    apply(house, providers=provider(house, assured_until=None))
    execute(house, statement)
    (found,) = reconcile(house.gateway).discrepancies
    assert text in found.text


def test_a_plan_says_that_it_shortens_an_assurance_and_what_comes_of_it(house: House) -> None:
    said = (
        f"provider {PROVIDER}: its assurance is shortened; if it is over by now, what waits for it"
        " is closed for good, and what was delivered to it is recalled"
    )
    for shorter in ("2026-11-21", None):
        assert plan(house, providers=provider(house, assured_until=shorter))[0].notes == (said,)
    assert plan(house, **without_the_provider(house), end_missing=True)[0].notes == (said,)
    assert plan(house, providers=provider(house, assured_until="2031-01-01"))[0].notes == ()


def test_a_release_after_a_change_of_assurance_has_it_in_sight(house: House) -> None:
    assert house.post("/ServiceRequest", service_request()).status_code == 201
    apply(house, providers=provider(house, assured_until="2031-01-01"))
    work(house)
    (released,) = entries(house, "delivery.released")
    assert released["epochs"]["recipient"] == 1


def test_what_waits_for_a_service_that_moved_waits_in_its_new_lane(house: House) -> None:
    assert house.post("/ServiceRequest", service_request()).status_code == 201
    endpoints = [
        *house.directory["endpoints"],
        {"id": "oh-new", "transport": "fhir-rest", "address": "https://new.example/fhir"},
    ]
    first, *rest = house.directory["services"]
    apply(house, endpoints=endpoints, services=[first | {"endpoint": "oh-new"}, *rest])
    assert the_delivery(house).lane == "oh-new"
    work(house)
    assert [each.endpoint.id for each in house.destination.received] == ["oh-new"]
