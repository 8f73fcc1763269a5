"""What the ICB is told, when, and what becomes of a notice; it changes nothing of the act."""

from datetime import date, timedelta

import pytest

from gateway.errors import DamagedRecordError, IllegalMoveError, NotFoundError
from gateway.journey.notices import letter_of, notices_of, record_acknowledged, record_sent
from gateway.referral.directory import AgreementKind
from gateway.referral.identifiers import NoticeId, OdsCode
from gateway.referral.notices import Notice, NoticeState
from tests.builders.evidence import entries, execute
from tests.builders.house import House
from tests.builders.sharing import PRACTICE_ODS, move, set_to, sign

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def notices(house: House) -> list[Notice]:
    return notices_of(PRACTICE_ODS, house.gateway)


def seen(house: House) -> list[tuple[str, str]]:
    return [(each.about.kind.value, each.state.value) for each in notices(house)]


def shared(house: House) -> House:
    """A practice with one secondary agreement in force."""
    set_to(house, "new_agreements", "on")
    sign(house)
    return house


def kinds(house: House) -> list[str]:
    return [each["kind"] for each in entries(house) if each["kind"].startswith("icb.")]


@pytest.mark.parametrize(
    ("switch", "value", "kind"),
    [
        ("secondary_sharing", "off", "withdraw-secondary"),
        ("secondary_sharing", "exclusive-withdrawn", "withdraw-secondary"),
        ("new_agreements", "off", "freeze-new"),
        ("update_record", "off", "write-switch"),
        ("access_record", "off", "write-switch"),
        ("shared_care", "off", "shared-care"),
    ],
)
def test_switching_off_drafts_a_notice_with_it(
    house: House, switch: str, value: str, kind: str
) -> None:
    set_to(house, switch, value)
    assert seen(house) == [(kind, "drafted")]
    entry = entries(house, "icb.notice.drafted")[-1]
    (notice,) = notices(house)
    assert (entry["notice"], entry["recipient"], entry["notice_kind"]) == (notice.id, "QX9", kind)
    assert entry["letter_sha256"] == notice.letter_sha256


@pytest.mark.parametrize("switch", ["send_document", "advice_and_guidance"])
def test_of_some_switches_the_icb_is_not_told(house: House, switch: str) -> None:
    set_to(house, switch, "off")
    assert notices(house) == []


def test_switching_on_what_was_never_off_drafts_nothing(house: House) -> None:
    for switch in ("secondary_sharing", "new_agreements", "update_record"):
        set_to(house, switch, "on")
    assert notices(house) == []


def test_a_notice_tells_all_that_the_icb_needs(house: House) -> None:
    shared(house)
    at = house.clock.now + timedelta(days=9)
    move(house, "withdrawn", at=at)
    (notice,) = notices(house)
    about = notice.about
    assert (about.practice.name, about.practice.ods) == ("One Surgery", "G99001")
    assert about.commissioner is not None
    assert (about.commissioner.name, about.commissioner.ods) == ("An ICB", "QX9")
    assert (about.written_on, about.effective_at) == (date(2026, 11, 22), at)
    assert about.reply_by == date(2026, 12, 20)
    (agreement,) = about.agreements
    assert (agreement.id, agreement.version, agreement.act) == ("dsa-eval", 2, "withdrawn")
    assert agreement.counterparty.name == "Provider RX901"
    assert agreement.purposes == ("evaluation",)


def test_of_an_agreement_for_direct_care_alone_the_icb_is_not_told(house: House) -> None:
    move(house, "suspended", "dsa-one-oh")
    assert notices(house) == []


@pytest.mark.parametrize(
    ("value", "told"),
    [("off", ["dsa-eval", "dsa-mixed"]), ("exclusive-withdrawn", ["dsa-eval"])],
)
def test_a_switch_tells_which_agreements_it_stops(
    house: House, value: str, told: list[str]
) -> None:
    shared(house)
    both = frozenset({"planning", "direct-care"})
    sign(house, "dsa-mixed", kind=AgreementKind.MIXED, purposes=both)
    sign(house, "dsa-law", is_statutory=True)
    sign(house, "dsa-gone")
    move(house, "withdrawn", "dsa-gone")
    set_to(house, "secondary_sharing", value)
    about = next(n.about for n in notices(house) if n.about.switches)
    assert [each.id for each in about.agreements] == told
    assert {each.act for each in about.agreements} == {"stopped"}


def test_a_practice_without_a_commissioner_has_a_letter_with_a_blank(house: House) -> None:
    first, second = house.directory["practices"]
    alone = {name: first[name] for name in ("ods", "name")}
    house.apply(practices=[alone, second])
    set_to(house, "new_agreements", "off")
    (notice,) = notices(house)
    assert notice.about.commissioner is None
    assert entries(house, "icb.notice.drafted")[-1]["recipient"] is None
    assert 'class="blank"' in letter_of(notice.id, house.gateway).split("<h1>")[0]


def test_a_notice_is_sent_and_acknowledged_and_saying_so_twice_changes_nothing(
    house: House,
) -> None:
    set_to(house, "new_agreements", "off")
    (notice,) = notices(house)
    house.clock.move(days=1)
    sent = record_sent(notice.id, house.gateway, actor="operator")
    assert (sent.state, sent.sent_at) == (NoticeState.SENT, house.clock.now)
    assert record_sent(notice.id, house.gateway, actor="operator") == sent
    done = record_acknowledged(notice.id, house.gateway, actor="operator")
    assert record_acknowledged(notice.id, house.gateway, actor="operator") == done
    assert notices(house) == [done]
    assert kinds(house) == ["icb.notice.drafted", "icb.notice.sent", "icb.notice.acknowledged"]


def test_what_was_not_sent_cannot_be_acknowledged(house: House) -> None:
    set_to(house, "new_agreements", "off")
    (notice,) = notices(house)
    with pytest.raises(IllegalMoveError, match="not sent yet"):
        record_acknowledged(notice.id, house.gateway, actor="operator")


def test_the_act_counts_whatever_becomes_of_its_notice(house: House) -> None:
    set_to(house, "new_agreements", "off")
    with pytest.raises(Exception, match="NEW_AGREEMENTS_FROZEN"):
        sign(house)


def test_switching_on_again_replies_to_the_notice_and_ends_it(house: House) -> None:
    set_to(house, "new_agreements", "off")
    (first,) = notices(house)
    record_sent(first.id, house.gateway, actor="operator")
    house.clock.move(days=1)
    set_to(house, "new_agreements", "on")
    assert seen(house) == [("freeze-new", "reinstated"), ("reinstate", "drafted")]
    over, reply = notices(house)
    assert reply.about.replies_to == (first.id,)
    assert over.reinstated_at == house.clock.now
    assert kinds(house)[-2:] == ["icb.notice.drafted", "icb.notice.reinstated"]
    with pytest.raises(IllegalMoveError, match="no longer stands"):
        record_acknowledged(first.id, house.gateway, actor="operator")


def test_a_notice_of_reinstatement_is_not_replied_to(house: House) -> None:
    for value in ("off", "on"):
        set_to(house, "new_agreements", value)
        house.clock.move(days=1)
    set_to(house, "update_record", "on")
    assert seen(house) == [("freeze-new", "reinstated"), ("reinstate", "drafted")]


def test_switching_one_thing_on_ends_the_notice_of_no_other(house: House) -> None:
    set_to(house, "update_record", "off")
    house.clock.move(days=1)
    set_to(house, "access_record", "off")
    house.clock.move(days=1)
    set_to(house, "update_record", "on")
    assert [state for _, state in seen(house)] == ["reinstated", "drafted", "drafted"]


def test_reinstating_an_agreement_replies_to_its_notice(house: House) -> None:
    shared(house)
    move(house, "withdrawn")
    house.clock.move(days=1)
    move(house, "reinstated")
    assert seen(house) == [("withdraw-secondary", "reinstated"), ("reinstate", "drafted")]
    assert [each.act for each in notices(house)[1].about.agreements] == ["reinstated"]


def test_signing_a_withdrawn_agreement_anew_replies_to_its_notice(house: House) -> None:
    shared(house)
    move(house, "withdrawn")
    house.clock.move(days=1)
    sign(house, dpia_ref="DPIA-2")
    assert seen(house)[0] == ("withdraw-secondary", "reinstated")


def test_a_plan_to_switch_off_is_not_over_because_the_switch_is_on_until_then(
    house: House,
) -> None:
    set_to(house, "new_agreements", "off", at=house.clock.now + timedelta(days=9))
    house.clock.move(days=1)
    set_to(house, "new_agreements", "on")
    assert seen(house) == [("freeze-new", "drafted")]


def test_a_letter_is_the_same_each_time_and_is_the_one_on_record(house: House) -> None:
    shared(house)
    move(house, "withdrawn")
    (notice,) = notices(house)
    text = letter_of(notice.id, house.gateway)
    house.clock.move(days=400)
    assert letter_of(notice.id, house.gateway) == text
    assert "One Surgery" in text
    execute(house, "UPDATE icb_notice SET about = REPLACE(about, 'One Surgery', 'Other')")
    with pytest.raises(DamagedRecordError):
        letter_of(notice.id, house.gateway)


def test_a_notice_is_shown_to_its_own_practice_only(house: House) -> None:
    set_to(house, "new_agreements", "off")
    (notice,) = notices(house)
    other = OdsCode("G99002")
    assert notices_of(other, house.gateway) == []
    assert notices_of(None, house.gateway) == [notice]
    with pytest.raises(NotFoundError, match="no notice has this id"):
        letter_of(notice.id, house.gateway, practice=other)
    with pytest.raises(NotFoundError, match="no notice has this id"):
        record_sent(notice.id, house.gateway, actor="gp-two", practice=other)
    with pytest.raises(NotFoundError, match="no practice G99999"):
        notices_of(OdsCode("G99999"), house.gateway)
    with pytest.raises(NotFoundError):
        letter_of(NoticeId("11111111-1111-4111-8111-111111111111"), house.gateway)
