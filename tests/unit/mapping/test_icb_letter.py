import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest

from gateway.mapping.icb_letter import TEMPLATE, letter, letter_sha256
from gateway.mapping.london import say_day, say_time
from gateway.referral.directory import AgreementKind, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, NoticeId, OdsCode
from gateway.referral.instants import day_of, end_of_day
from gateway.referral.notices import (
    About,
    AgreementAct,
    AgreementTold,
    NoticeKind,
    Organisation,
    SwitchTold,
)

HOSTILE = "<script>alert('x')</script> & \"Sons\""
AGREEMENT = AgreementTold(
    id=AgreementId("dsa-eval"), version=2, act=AgreementAct.WITHDRAWN, name="Equity evaluation",
    kind=AgreementKind.EXCLUSIVE_SECONDARY,
    counterparty=Organisation(ods=OdsCode("RX901"), name="Provider"), processor="Extracts Ltd",
    purposes=("evaluation", "planning"), gdpr_basis="6(1)(e)", confidentiality_basis="s251",
)  # fmt: skip
ABOUT = About(
    template=TEMPLATE, id=NoticeId("11111111-1111-4111-8111-111111111111"),
    kind=NoticeKind.WITHDRAW_SECONDARY,
    practice=Organisation(ods=OdsCode("G99001"), name="One Surgery"),
    commissioner=Organisation(ods=OdsCode("QX9"), name="An ICB"),
    written_on=date(2026, 11, 22), effective_at=datetime(2026, 12, 1, tzinfo=UTC),
    reply_by=date(2026, 12, 20), agreements=(AGREEMENT,), switches=(),
)  # fmt: skip
RELEASED = {
    "withdraw-secondary": "9b91b15217dba6d404fc3589aca7c9af6b1d417f74fe74186b7eaf7a5d7b415e",
    "freeze-new": "3a9415d8c706e8951e7468c5310b6d593ac759c71684add5bcdc8755dc9b328f",
    "write-switch": "49a6d66b17c7f4bcb85e6febf782bc3ad99680562a5dc4ac73981c55c2b39bbb",
    "reinstate": "ec0d9a600bba952e643f4d34641212c7ed05c5f5239a1017f08f7cc3565da00d",
    "shared-care": "05e394313425e94538bb310a263c413289a750ea638bec718cee3521028c4b14",
}
"""The letters of template 1, and of 2 where each processor is named. A wording that was released stays: its hash is in ledgers."""


def shown(about: About) -> str:
    """What a reader sees, blanks made one."""
    text = re.sub(r"<style>.*?</style>|<[^>]+>", " ", letter(about), flags=re.DOTALL)
    return " ".join(text.split())


def about(kind: str) -> About:
    switch = SwitchTold(switch=Switch.UPDATE_RECORD, value=SwitchValue.OFF)
    return replace(ABOUT, kind=NoticeKind(kind), switches=(switch,), replies_to=(ABOUT.id,))


BARE = replace(AGREEMENT, processor=None)
WORDED = {
    (): "whoever extracts data for secondary purposes on your behalf to stop",
    (BARE,): "whoever processes data under these agreements (we have no record of who does) to",
    (AGREEMENT, BARE): "each processor named here, and whoever else processes data under these",
    (AGREEMENT,): "each processor named here to stop",
}
RELEASED_2 = dict(zip(WORDED, (
    "3e5bbe8049c42114cf62be3d63c96523f50a87314f1a1de8593f8e0ef6f7ae38",
    "7567693da8e6f22b6f74489bdac5d7988aa6f4a1040a138c82b10e69fd425178",
    "f7528ca77eb8694407237f0bf40ca41de26ade6ada2c8808158725521d8e966a",
    "9b91b15217dba6d404fc3589aca7c9af6b1d417f74fe74186b7eaf7a5d7b415e",
), strict=True))  # fmt: skip


@pytest.mark.parametrize("template", [1, 2])
@pytest.mark.parametrize("kind", NoticeKind)
def test_a_released_letter_never_changes(kind: NoticeKind, template: int) -> None:
    assert letter_sha256(letter(replace(about(kind), template=template))) == RELEASED[kind]


@pytest.mark.parametrize("listed", WORDED, ids=["none", "unknown", "some known", "known"])
def test_only_a_processor_that_is_named_is_called_so(listed: tuple[AgreementTold, ...]) -> None:
    told = replace(ABOUT, agreements=listed)
    assert f"Please instruct {WORDED[listed]}" in shown(told)
    assert ("look at each agreement by itself" in shown(told)) is bool(listed)
    of_1 = shown(replace(told, template=1))
    assert "each processor named here to stop" in of_1
    assert "look at each agreement by itself" in of_1


@pytest.mark.parametrize("listed", WORDED, ids=["none", "unknown", "some known", "known"])
def test_a_released_letter_of_the_second_wording_never_changes(
    listed: tuple[AgreementTold, ...],
) -> None:
    switch = SwitchTold(switch=Switch.UPDATE_RECORD, value=SwitchValue.OFF)
    told = replace(ABOUT, template=2, agreements=listed, switches=(switch,), replies_to=(ABOUT.id,))
    assert letter_sha256(letter(told)) == RELEASED_2[listed]


@pytest.mark.parametrize("kind", NoticeKind)
def test_a_letter_needs_nothing_beside_it_and_runs_nothing(kind: NoticeKind) -> None:
    class Tags(HTMLParser):
        found: list[tuple[str, list[str]]] = []  # noqa: RUF012  # of this test alone

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found.append((tag, [name for name, _ in attrs]))

    tags = Tags()
    tags.found = []
    tags.feed(letter(about(kind)))
    names = {tag for tag, _ in tags.found}
    attributes = {name for _, each in tags.found for name in each}
    assert not names & {"script", "link", "img", "iframe", "a", "form", "object"}
    assert attributes <= {"lang", "charset", "name", "content", "class"}
    assert "url(" not in letter(about(kind))


def test_everything_that_others_wrote_is_escaped() -> None:
    there = Organisation(ods=OdsCode("RX901"), name=HOSTILE)
    hostile = replace(
        AGREEMENT, name=HOSTILE, counterparty=there, processor=HOSTILE, gdpr_basis=HOSTILE,
        confidentiality_basis=HOSTILE, purposes=(HOSTILE,),
    )  # fmt: skip
    text = letter(
        replace(
            ABOUT, agreements=(hostile,), practice=replace(ABOUT.practice, name=HOSTILE),
            commissioner=replace(there, name=HOSTILE),
        )
    )  # fmt: skip
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 9


def test_a_letter_of_withdrawal_says_what_the_icb_needs() -> None:
    text = shown(ABOUT)
    for part in (
        "One Surgery", "G99001", "An ICB (QX9)", "22 November 2026", "1 December 2026 at 00:00",
        "Equity evaluation (dsa-eval, version 2)", "Provider (RX901); processor: Extracts Ltd",
        "6(1)(e); s251", "evaluation, planning", "exclusive-secondary", "withdrawn",
        "Only sharing for secondary purposes stops.", "collections that the law requires",
        "instruct each processor", "date and time of the last extract", "20 December 2026",
        "a list of all data-sharing agreements", "data protection impact assessment",
        "whether or not it has been acknowledged", "Contract holder", "Contact for replies",
        "Caldicott Guardian", "Local Medical Committee", "silence", ABOUT.id,
    ):  # fmt: skip
        assert part in text, part


@pytest.mark.parametrize(
    ("kind", "part"),
    [
        ("freeze-new", "All agreements in force go on as they are."),
        ("write-switch", "writing of codes into our records by third parties: off"),
        ("shared-care", "accepts no informal request"),
        ("reinstate", "It refers to our earlier notice 11111111"),
    ],
)
def test_each_kind_of_letter_says_its_own(kind: str, part: str) -> None:
    assert part in shown(about(kind))


def test_what_is_not_known_is_said_or_left_blank() -> None:
    bare = replace(
        AGREEMENT, version=None, name="dsa-eval", processor=None, gdpr_basis=None,
        confidentiality_basis=None,
    )  # fmt: skip
    text = shown(replace(ABOUT, agreements=(bare,), commissioner=None))
    assert "dsa-eval Provider (RX901); processor: not recorded not recorded" in text
    assert "An ICB" not in text
    assert "We hold no record of an agreement" in shown(replace(ABOUT, agreements=()))
    nothing = replace(about("reinstate"), agreements=(), switches=())
    assert "Nothing else that we stopped" in shown(nothing)


def test_a_wording_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="the wording 3 of a notice"):
        letter(replace(ABOUT, template=3))


def test_days_and_times_are_those_of_london() -> None:
    summer = datetime(2026, 6, 30, 23, 0, tzinfo=UTC)
    assert (day_of(summer), say_time(summer)) == (date(2026, 7, 1), "1 July 2026 at 00:00")
    assert end_of_day(date(2026, 7, 1)) == datetime(2026, 7, 1, 22, 59, 59, 999999, tzinfo=UTC)
    assert say_day(date(2026, 1, 31)) == "31 January 2026"
