from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from gateway.consent.notices import (
    is_secondary,
    mark_acknowledged,
    mark_reinstated,
    mark_sent,
    notice_due,
    stopped_by,
)
from gateway.errors import IllegalMoveError
from gateway.referral.directory import (
    Agreement,
    AgreementKind,
    AgreementStatus,
    Switch,
    SwitchValue,
)
from gateway.referral.identifiers import AgreementId, NoticeId, OdsCode
from gateway.referral.notices import (
    About,
    AgreementAct,
    AgreementTold,
    Notice,
    NoticeKind,
    NoticeState,
    Organisation,
    SwitchTold,
)
from tests.builders.sharing import terms

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
THERE = Organisation(ods=OdsCode("RX901"), name="Provider")


def told(act: AgreementAct) -> AgreementTold:
    return AgreementTold(
        id=AgreementId("dsa"), version=1, act=act, name="dsa", kind=AgreementKind.MIXED,
        counterparty=THERE, processor=None, purposes=("planning",), gdpr_basis=None,
        confidentiality_basis=None,
    )  # fmt: skip


ABOUT = About(
    template=1, id=NoticeId("11111111-1111-4111-8111-111111111111"), kind=NoticeKind.FREEZE_NEW,
    practice=Organisation(ods=OdsCode("G99001"), name="One Surgery"), commissioner=None,
    written_on=date(2026, 11, 22), effective_at=AT, reply_by=date(2026, 12, 20), agreements=(),
    switches=(SwitchTold(switch=Switch.NEW_AGREEMENTS, value=SwitchValue.OFF),),
)  # fmt: skip
DRAFTED = Notice(
    id=ABOUT.id, practice=OdsCode("G99001"), state=NoticeState.DRAFTED, about=ABOUT,
    letter_sha256="0" * 64, created_at=AT,
)  # fmt: skip


@pytest.mark.parametrize(
    ("switch", "kind"),
    [
        ("secondary_sharing", "withdraw-secondary"),
        ("new_agreements", "freeze-new"),
        ("update_record", "write-switch"),
        ("access_record", "write-switch"),
        ("shared_care", "shared-care"),
        ("send_document", None),
        ("advice_and_guidance", None),
    ],
)
def test_the_icb_is_told_of_some_switches_that_are_off(switch: str, kind: str | None) -> None:
    assert notice_due(Switch(switch), SwitchValue.OFF) == kind
    assert notice_due(Switch(switch), SwitchValue.ON) is None


def test_the_icb_is_told_of_a_half_restriction_too() -> None:
    value = SwitchValue.EXCLUSIVE_WITHDRAWN
    assert notice_due(Switch.SECONDARY_SHARING, value) is NoticeKind.WITHDRAW_SECONDARY


@pytest.mark.parametrize("kind", AgreementKind)
def test_all_but_direct_agreements_are_secondary(kind: AgreementKind) -> None:
    assert is_secondary(kind) is (kind is not AgreementKind.DIRECT)


@pytest.mark.parametrize(
    ("value", "kinds"),
    [
        ("on", set()),
        ("exclusive-withdrawn", {"exclusive-secondary"}),
        ("off", {"exclusive-secondary", "mixed"}),
    ],
)
def test_a_switch_stops_secondary_agreements_in_force_and_none_that_the_law_requires(
    value: str, kinds: set[str]
) -> None:
    agreed = [
        Agreement(
            id=AgreementId(f"{kind}-{status}-{law}"), practice=OdsCode("G99001"),
            counterparty=OdsCode("RX901"), status=status, terms=terms(kind=kind, is_statutory=law),
        )
        for kind in AgreementKind
        for status in AgreementStatus
        for law in (True, False)
    ]  # fmt: skip
    stopped = stopped_by(SwitchValue(value), agreed)
    assert {each.id for each in stopped} == {f"{kind}-active-False" for kind in kinds}


def test_a_notice_is_drafted_then_sent_then_acknowledged() -> None:
    sent = mark_sent(DRAFTED, AT)
    acknowledged = mark_acknowledged(sent, AT)
    assert (sent.state, sent.sent_at) == (NoticeState.SENT, AT)
    assert (acknowledged.state, acknowledged.acknowledged_at) == (NoticeState.ACKNOWLEDGED, AT)


def test_saying_it_twice_changes_nothing() -> None:
    sent = mark_sent(DRAFTED, AT)
    acknowledged = mark_acknowledged(sent, AT)
    assert mark_sent(sent, AT) == sent
    assert mark_sent(acknowledged, AT) == acknowledged
    assert mark_acknowledged(acknowledged, AT) == acknowledged


def test_what_was_not_sent_is_not_acknowledged() -> None:
    with pytest.raises(IllegalMoveError, match="say first that it was sent"):
        mark_acknowledged(DRAFTED, AT)


@pytest.mark.parametrize("mark", [mark_sent, mark_acknowledged])
def test_a_notice_whose_matter_ended_moves_no_more(mark: object) -> None:
    over = mark_reinstated(mark_sent(DRAFTED, AT), AT)
    assert (over.state, over.reinstated_at, over.sent_at) == (NoticeState.REINSTATED, AT, AT)
    with pytest.raises(IllegalMoveError, match="no longer stands"):
        mark(over, AT)  # type: ignore[operator]  # one of two functions


def test_a_notice_tells_of_its_switches_and_of_agreements_that_were_acted_on() -> None:
    none, switch = frozenset[AgreementId](), frozenset({Switch.NEW_AGREEMENTS})
    agreement = frozenset({AgreementId("dsa")})
    assert ABOUT.tells_of(none, switch)
    assert not ABOUT.tells_of(agreement, frozenset({Switch.SHARED_CARE}))
    assert replace(ABOUT, agreements=(told(AgreementAct.SUSPENDED),)).tells_of(
        agreement, frozenset()
    )
    assert not replace(ABOUT, agreements=(told(AgreementAct.STOPPED),)).tells_of(
        agreement, frozenset()
    )
    assert not replace(ABOUT, kind=NoticeKind.REINSTATE).tells_of(none, switch)
