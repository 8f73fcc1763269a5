"""The write guard over every combination, against a second reading of its table."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import product

import pytest

from gateway.writeback.allowed import ALLOWED, PHARMACY_FIRST, SenderCategory, is_allowed
from gateway.writeback.guard import TABLE, Row, rule
from gateway.writeback.learned import Position
from gateway.writeback.proposal import (
    Objection,
    Payload,
    Proposal,
    RuleAnswer,
    RuleEffect,
    strictest,
)
from gateway.writeback.ruling import Effect, RecipientType, Route, Ruling, SpineCode, WhyKept

PERMIT = RuleAnswer(RuleEffect.PERMIT, "PERMITTED")
DENY = RuleAnswer(RuleEffect.DENY, "GP_CONNECT_DIRECT_CARE_ONLY")
HOLD = RuleAnswer(RuleEffect.HOLD, "SEND_DOCUMENT_OFF")
SERVICES = (PHARMACY_FIRST, "1577321000000100")
FLAGS = (True, False)

LETTER = Proposal(
    objection=Objection.NONE,
    payload=Payload.DOCUMENT,
    sender=SenderCategory.OH_PROVIDER,
    service=None,
    switch=Position.UNKNOWN,
    has_agreement=True,
    is_employer_facing=False,
    is_routine=True,
    is_readable=True,
    is_strict=False,
    has_workflow=True,
    write_back=DENY,
    write_document=PERMIT,
)
CODES = replace(
    LETTER,
    payload=Payload.CODED,
    sender=SenderCategory.COMMUNITY_PHARMACY,
    service=PHARMACY_FIRST,
    switch=Position.ON,
    write_back=PERMIT,
)


def every_proposal(*, less: bool = False) -> Iterator[Proposal]:
    """Every combination; or only those where each row meets another, for the slower tests."""
    flags = [FLAGS] * 3 + [(True,), (False,), (True,)] if less else [FLAGS] * 6
    for values in product(
        Objection, Payload, SenderCategory, SERVICES, Position, *flags, (PERMIT, DENY)
    ):
        yield Proposal(
            objection=values[0],
            payload=values[1],
            sender=values[2],
            service=values[3],
            switch=values[4],
            has_agreement=values[5],
            is_employer_facing=values[6],
            is_routine=values[7],
            is_readable=values[8],
            is_strict=values[9],
            has_workflow=values[10],
            write_back=values[11],
            write_document=PERMIT,
        )


LESS = tuple(every_proposal(less=True))

# The second reading: the table's words as a flow, sharing nothing with the first but the nouns.


def second_reading(p: Proposal) -> tuple[int, int | None, str, str]:
    """Row, row of the document in its place, effect and route."""
    if p.objection == "withhold":
        return 1, None, "block", "none"
    if p.objection == "sensitive":
        return 2, None, "hold", "none"
    own = p.sender == "practice-itself"
    if p.payload == "coded" or "with-codes" in p.payload:
        if own:
            return 3, None, "allow", "none"
        return second_reading_of_codes(p)
    return second_reading_of_words(p, "action" if p.payload == "action" else "document")


def second_reading_of_codes(p: Proposal) -> tuple[int, int | None, str, str]:
    kind = "action" if "action" in p.payload else "document"
    row = 11
    if p.payload == "coded":
        listed = p.service in {"1577041000000109", "1659111000000107", "1659121000000101"}
        if p.sender == "community-pharmacy" and listed:
            if p.switch == "on" and p.write_back.effect == "PERMIT":
                return 4, None, "allow", "update-record"
            row = 5
        else:
            if p.is_strict or not p.is_readable:
                return 6, None, "reject", "none"
            row = 6
    then, _, effect, route = second_reading_of_words(p, kind)
    return row, then, "downgrade" if effect == "allow" else effect, route


def second_reading_of_words(p: Proposal, kind: str) -> tuple[int, int | None, str, str]:
    route = "send-document" if p.has_workflow else "fallback"
    row = 10
    if kind == "document":
        if p.is_employer_facing or not (p.has_agreement or p.sender == "practice-itself"):
            return 9, None, "block", "none"
        row = 8 if p.objection == "record-dissent" else 7
        if row == 8 and not p.is_routine:
            return 8, None, "hold", "none"
    stopped = {"PERMIT": "allow", "HOLD": "hold", "DENY": "block"}[p.write_document.effect]
    return row, None, stopped, route if stopped == "allow" else "none"


def told(ruling: Ruling) -> tuple[int, int | None, str, str]:
    return ruling.row, ruling.then, ruling.effect, ruling.route


def agree(proposals: Iterable[Proposal], table: Sequence[Row] = TABLE) -> bool:
    return all(told(rule(each, table)) == second_reading(each) for each in proposals)


def test_both_readings_of_the_table_agree_on_every_combination() -> None:
    assert agree(every_proposal())


@pytest.mark.parametrize("answer", [HOLD, DENY])
def test_both_readings_agree_where_the_sharing_rules_stop_the_document(answer: RuleAnswer) -> None:
    assert agree(replace(each, write_document=answer) for each in LESS)


@pytest.mark.parametrize("number", range(1, 12))
def test_a_row_that_is_lost_is_noticed(number: int) -> None:
    without = tuple(row for row in TABLE if row.number != number)
    other = TABLE[1] if number == 1 else TABLE[0]
    rest = replace(other, objections=frozenset(Objection))
    assert not agree(LESS, (*without, rest))


@pytest.mark.parametrize("number", range(1, 12))
def test_a_row_that_does_another_thing_is_noticed(number: int) -> None:
    other = TABLE[1] if number == 1 else TABLE[0]
    wrong = tuple(replace(row, do=other.do) if row.number == number else row for row in TABLE)
    assert not agree(LESS, wrong)


@pytest.mark.parametrize("place", range(10))
def test_two_rows_that_change_places_are_noticed_unless_they_cannot_meet(place: int) -> None:
    rows = list(TABLE)
    rows[place], rows[place + 1] = rows[place + 1], rows[place]
    first, second = rows[place], rows[place + 1]
    meet = any(first.matches(each) and second.matches(each) for each in LESS)
    assert agree(LESS, rows) is not meet


def test_no_ruling_writes_codes_of_a_third_party_but_row_4() -> None:
    writing = [each for each in LESS if rule(each).route is Route.UPDATE_RECORD]
    assert {each.sender for each in writing} == {SenderCategory.COMMUNITY_PHARMACY}
    assert {each.service for each in writing} == {PHARMACY_FIRST}
    assert {each.switch for each in writing} == {Position.ON}
    assert {each.payload for each in writing} == {Payload.CODED}
    assert {rule(each).keeps_coded for each in writing} == {None}


def test_what_the_rules_say_of_codes_never_stops_the_document() -> None:
    for each in LESS:
        if rule(each).is_sent and each.has_agreement and not each.is_employer_facing:
            assert rule(replace(each, write_back=DENY)).is_sent or not each.is_routine


def test_codes_never_open_what_a_document_alone_finds_shut() -> None:
    for each in LESS:
        if each.payload is Payload.DOCUMENT_WITH_CODES and rule(each).is_sent:
            assert rule(replace(each, payload=Payload.DOCUMENT)).is_sent


def test_codes_that_the_practice_switched_off_go_as_a_document_with_the_reason() -> None:
    ruling = rule(replace(CODES, switch=Position.OFF))
    assert told(ruling) == (5, 7, Effect.DOWNGRADE, Route.SEND_DOCUMENT)
    assert ruling.keeps_coded is WhyKept.SWITCHED_OFF
    assert (ruling.status, ruling.spine_code) == (202, SpineCode.ACCESS_DENIED)
    assert ruling.text_outside == "The Update Record capability is disabled at this practice."
    assert "stays here" in ruling.text_inside


@pytest.mark.parametrize(
    ("change", "why", "code"),
    [
        ({"switch": Position.UNKNOWN}, WhyKept.SWITCH_UNKNOWN, "UPDATE_RECORD_SWITCHED_OFF"),
        ({"write_back": DENY}, WhyKept.RULED_OUT, DENY.code),
        ({"service": None}, WhyKept.NOT_APPROVED, "CODED_ENTRY_NOT_APPROVED"),
        ({"payload": Payload.DOCUMENT_WITH_CODES}, WhyKept.TEXT_ONLY, "CODES_WRITTEN_AS_TEXT"),
    ],
)
def test_the_reason_for_which_codes_stay_here_is_kept(
    change: dict[str, object], why: WhyKept, code: str
) -> None:
    ruling = rule(replace(CODES, **change))  # type: ignore[arg-type]  # fields by name
    assert (ruling.keeps_coded, ruling.code) == (why, code)


def test_a_rule_that_is_not_the_switch_is_not_told_as_the_switch() -> None:
    assert "disabled" not in rule(replace(CODES, write_back=DENY)).text_outside


@pytest.mark.parametrize(
    ("objection", "spine", "status"),
    [
        (Objection.WITHHOLD, SpineCode.NO_PATIENT_CONSENT, 403),
        (Objection.SENSITIVE, SpineCode.PATIENT_NOT_FOUND, 404),
    ],
)
def test_an_objection_of_the_person_sends_nothing(
    objection: Objection, spine: SpineCode, status: int
) -> None:
    ruling = rule(replace(LETTER, objection=objection))
    assert (ruling.is_sent, ruling.spine_code, ruling.status) == (False, spine, status)


def test_outside_nobody_learns_that_a_record_is_marked() -> None:
    ruling = rule(replace(LETTER, objection=Objection.SENSITIVE))
    assert "sensitive" in ruling.text_inside
    assert ruling.text_outside == "The patient was not found."


def test_a_letter_without_agreement_is_refused_for_the_organisation() -> None:
    ruling = rule(replace(LETTER, has_agreement=False))
    assert (ruling.spine_code, ruling.status) == (SpineCode.NO_ORGANISATION_CONSENT, 403)


def test_strict_handling_refuses_codes_that_are_not_approved() -> None:
    ruling = rule(replace(CODES, service=None, is_strict=True))
    assert (ruling.spine_code, ruling.status) == (SpineCode.ACCESS_DENIED, 403)
    assert "asked for codes or nothing" in ruling.text_inside
    unreadable = rule(replace(CODES, service=None, is_readable=False))
    assert "sent nothing readable" in unreadable.text_inside


def test_a_request_to_act_needs_a_person_whatever_the_route() -> None:
    for has_workflow in FLAGS:
        ruling = rule(replace(LETTER, payload=Payload.ACTION, has_workflow=has_workflow))
        assert (ruling.recipient_type, ruling.needs_person) == (RecipientType.FA, True)
    stripped = rule(replace(LETTER, payload=Payload.ACTION_WITH_CODES))
    assert (stripped.row, stripped.then, stripped.needs_person) == (11, 10, True)
    assert stripped.recipient_type is RecipientType.FA


def test_a_document_that_the_rules_hold_is_held_with_their_code() -> None:
    held = rule(replace(LETTER, write_document=HOLD))
    assert (held.effect, held.code, held.needs_person, held.status) == (
        Effect.HOLD,
        HOLD.code,
        True,
        202,
    )
    denied = rule(replace(LETTER, write_document=DENY))
    assert (denied.effect, denied.code, denied.status) == (Effect.BLOCK, DENY.code, 403)


def test_only_pharmacies_are_on_the_list_of_who_may_write_codes() -> None:
    assert {who for who, services in ALLOWED.items() if services} == {
        SenderCategory.COMMUNITY_PHARMACY
    }
    assert set(ALLOWED) == set(SenderCategory)
    assert len(ALLOWED[SenderCategory.COMMUNITY_PHARMACY]) == 3
    assert not is_allowed(SenderCategory.COMMUNITY_PHARMACY, None)


def test_of_several_objections_the_strictest_counts() -> None:
    assert strictest([]) is Objection.NONE
    assert strictest([Objection.RECORD_DISSENT, Objection.SENSITIVE]) is Objection.SENSITIVE
    assert strictest(Objection) is Objection.WITHHOLD


WORDS = {"code": "X", "text_inside": "x", "text_outside": "x"}


@pytest.mark.parametrize(
    "contradiction",
    [
        {"row": 7, "effect": Effect.ALLOW},
        {"row": 7, "effect": Effect.BLOCK, "route": Route.FALLBACK},
        {"row": 7, "effect": Effect.ALLOW, "route": Route.FALLBACK},
        {
            "row": 6,
            "effect": Effect.DOWNGRADE,
            "route": Route.FALLBACK,
            "recipient_type": RecipientType.FI,
        },
        {
            "row": 7,
            "effect": Effect.ALLOW,
            "route": Route.UPDATE_RECORD,
            "recipient_type": RecipientType.FI,
        },
    ],
)
def test_a_ruling_cannot_contradict_itself(contradiction: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"route|information|codes"):
        Ruling(**WORDS, **contradiction)  # type: ignore[arg-type]  # wrong on purpose
