from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.ledger.entry import (
    DecisionMade,
    Entry,
    HoldAssigned,
    HoldOpened,
    HoldOverdue,
    HoldResolved,
    LegalAuthorised,
    ReferralRejected,
)
from gateway.ledger.kinds import Effect, EntryKind, Stage
from gateway.ledger.line import MAX_ENTRY_BYTES, slots_of
from gateway.ledger.values import MAX_CODES, MAX_INTEGER, Epochs, refuse_identifiers
from tests.unit.ledger.lines import (
    ENTRIES,
    KINDS,
    MORNING,
    ONE_OF_EACH,
    an_entry,
    changed,
    vector_lines,
)

NHS_NUMBER = "9990000018"


def test_there_is_one_class_for_each_kind_and_one_kind_for_each_class() -> None:
    assert sorted(KINDS) == sorted(EntryKind)
    assert {entry.kind for entry in ENTRIES} == set(EntryKind)


@pytest.mark.parametrize("line", vector_lines(), ids=lambda line: line["kind"])
def test_a_kind_takes_exactly_its_fields(line: dict[str, Any]) -> None:
    construct: Callable[..., Entry] = KINDS[line["kind"]]
    values = {slot.name: None for slot in slots_of(KINDS[line["kind"]])}
    assert values.keys() == line["fields"].keys() | {"epochs"}
    with pytest.raises(TypeError, match="unexpected keyword"):
        construct(**values, remark="one too many")
    for missing in values.keys() - {"epochs"}:
        with pytest.raises(TypeError, match="missing"):
            construct(**{name: None for name in values if name != missing})


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.kind)
def test_every_entry_says_whom_it_is_about_and_who_acted(entry: Entry) -> None:
    assert isinstance(entry.kind, EntryKind)
    assert isinstance(entry.actor, str)
    assert entry.subject is None or entry.practice is not None


def test_an_entry_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        an_entry(EntryKind.REFERRAL_CLOSED).actor = "somebody"  # type: ignore[misc]  # the point


@pytest.mark.parametrize("entry", ONE_OF_EACH, ids=lambda entry: entry.kind)
@pytest.mark.parametrize(
    "value", ["two words", "Ünïcode", "", "\\", NHS_NUMBER, f"NHS{NHS_NUMBER}", 1.5, -1, object()]
)
def test_no_field_takes_free_text_a_number_of_a_person_or_another_type(
    entry: Entry, value: object
) -> None:
    for slot in slots_of(type(entry)):
        with pytest.raises(ValueError, match=f"^{entry.kind}: {slot.name} is not") as caught:
            changed(entry, **{slot.name: value})
        assert str(value) == "" or str(value) not in str(caught.value)


@pytest.mark.parametrize("entry", ONE_OF_EACH, ids=lambda entry: entry.kind)
def test_null_is_refused_unless_the_kind_takes_it(entry: Entry) -> None:
    for slot in slots_of(type(entry)):
        if not slot.nullable:
            with pytest.raises(ValueError, match=f"^{entry.kind}: {slot.name} is not"):
                changed(entry, **{slot.name: None})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("practice", "a81001"),
        ("practice", "A8"),
        ("practice", "A8100100000"),
        ("practice", "1234567890"),
        ("practice", "A81001\n"),
        ("subject", "5EEDC0DE" * 4),
        ("subject", "5eedc0de" * 5),
        ("referral", "{00000000-0000-4000-8000-000000000001}"),
        ("referral", "00000000-0000-4000-8000-00000000000A"),
        ("referral", "000000000000400080000000000000001"),
        ("request_sha256", "ab" * 31),
        ("actor", "A" * 65),
        ("actor", "999-000-0018"),
        ("actor", "Ann O'Neil"),
        ("door", "window"),
        ("door", "rest"),
    ],
)
def test_a_value_that_almost_fits_is_refused(field: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"^referral.received: {field} is not"):
        changed(an_entry(EntryKind.REFERRAL_RECEIVED), **{field: value})


@pytest.mark.parametrize("actor", ["worker", "ab" * 32, "00000000-0000-4000-8000-0000000000aa"])
def test_an_actor_is_a_code_a_hash_or_a_uuid(actor: str) -> None:
    assert changed(an_entry(EntryKind.REFERRAL_RECEIVED), actor=actor).actor == actor


@pytest.mark.parametrize("status", [99, 600, True, "200", MAX_INTEGER])
def test_a_status_is_one_of_http(status: object) -> None:
    with pytest.raises(ValueError, match="status is not an integer from 100 to 599"):
        changed(an_entry(EntryKind.DELIVERY_DELIVERED), status=status)


@pytest.mark.parametrize("ok", [1, "true", None])
def test_a_truth_is_true_or_false(ok: object) -> None:
    with pytest.raises(ValueError, match="ok is not true or false"):
        changed(an_entry(EntryKind.LEDGER_VERIFIED), ok=ok)


def test_true_is_no_count() -> None:
    with pytest.raises(ValueError, match="attempt is not an integer"):
        changed(an_entry(EntryKind.DELIVERY_DELIVERED), attempt=True)


def test_no_count_has_room_for_ten_digits() -> None:
    verified = an_entry(EntryKind.LEDGER_VERIFIED)
    changed(verified, size=MAX_INTEGER)
    with pytest.raises(ValueError, match="size is not an integer"):
        changed(verified, size=int(NHS_NUMBER))


@pytest.mark.parametrize(
    "due",
    [
        datetime(2026, 11, 22, 9, tzinfo=timezone(timedelta(hours=1))),
        MORNING.replace(tzinfo=None),
        "2026-11-22T09:00:00.000000Z",
    ],
)
def test_a_time_is_an_aware_datetime_in_utc(due: object) -> None:
    with pytest.raises(ValueError, match="due is not an aware datetime in UTC"):
        changed(an_entry(EntryKind.HOLD_OPENED), due=due)


@pytest.mark.parametrize("codes", [["structure"], "structure", ("two words",), ("a",) * 65])
def test_codes_come_in_a_tuple_of_at_most_64(codes: object) -> None:
    with pytest.raises(ValueError, match="codes is not"):
        changed(an_entry(EntryKind.REFERRAL_REJECTED), codes=codes)


def test_approvers_are_names_in_a_tuple_and_no_person_is_one() -> None:
    authorised = an_entry(EntryKind.LEGAL_AUTHORISED)
    two = ("ab" * 32, "00000000-0000-4000-8000-0000000000aa")
    approved = changed(authorised, approvers=two)
    assert isinstance(approved, LegalAuthorised)
    assert approved.approvers == two
    for approvers in (list(two), "ab" * 32, (*two, "Ann O'Neil"), (*two, NHS_NUMBER)):
        with pytest.raises(ValueError, match="approvers is not"):
            changed(authorised, approvers=approvers)


def test_epochs_stand_at_the_top_all_three_and_those_not_concerned_are_null() -> None:
    queued = changed(an_entry(EntryKind.DELIVERY_QUEUED), epochs=Epochs(practice=0, subject=7))
    assert queued.as_json()["epochs"] == {"practice": 0, "recipient": None, "subject": 7}
    assert changed(queued, epochs=None).as_json()["epochs"] is None


@pytest.mark.parametrize("gate", ["practice", "recipient", "subject"])
@pytest.mark.parametrize("count", [-1, MAX_INTEGER + 1, True, "1", int(NHS_NUMBER)])
def test_an_epoch_is_a_count(gate: str, count: object) -> None:
    freely: Callable[..., Epochs] = Epochs
    with pytest.raises(ValueError, match=r"^decision\.made: epochs is not an integer"):
        changed(an_entry(EntryKind.DECISION_MADE), epochs=freely(**{gate: count}))


def test_epochs_come_as_epochs_and_nothing_else() -> None:
    with pytest.raises(ValueError, match="epochs is not Epochs"):
        changed(
            an_entry(EntryKind.DECISION_MADE),
            epochs={"practice": 1, "recipient": 1, "subject": 1},
        )


def test_an_entry_that_is_too_long_is_refused_before_it_is_sealed() -> None:
    rejected = an_entry(EntryKind.REFERRAL_REJECTED)
    assert isinstance(rejected, ReferralRejected)
    assert len(replace(rejected, codes=("C",) * MAX_CODES).codes) == MAX_CODES
    with pytest.raises(ValueError, match=f"^referral.rejected: longer than {MAX_ENTRY_BYTES}"):
        replace(rejected, codes=("C" * 64,) * MAX_CODES)


@pytest.mark.parametrize("stage", [Stage.RELEASE, Stage.REPLAY])
@pytest.mark.parametrize("missing", ["delivery", "payload_sha256"])
def test_a_permit_that_lets_bytes_go_names_the_delivery_and_the_bytes(
    stage: Stage, missing: str
) -> None:
    release = next(e for e in ENTRIES if isinstance(e, DecisionMade) and e.delivery is not None)
    with pytest.raises(ValueError, match="lacks delivery or payload_sha256"):
        changed(release, stage=stage, **{missing: None})
    changed(release, stage=Stage.ACCEPT, **{missing: None})
    changed(release, stage=stage, effect=Effect.HOLD, **{missing: None})


@pytest.mark.parametrize("kind", [kind for kind in EntryKind if kind.startswith("hold.")])
def test_a_hold_hangs_on_a_decision_or_a_delivery(kind: EntryKind) -> None:
    hold = an_entry(kind)
    assert isinstance(hold, HoldOpened | HoldAssigned | HoldResolved | HoldOverdue)
    changed(hold, decision=None, delivery=hold.decision)
    with pytest.raises(ValueError, match=f"{kind}: names neither a decision nor a delivery"):
        changed(hold, decision=None, delivery=None)


@pytest.mark.parametrize("whom", ["practice", "subject", "recipient"])
def test_a_withdrawal_concerns_a_practice_a_person_or_a_recipient(whom: str) -> None:
    withdrawn = an_entry(EntryKind.WITHDRAWAL_ACKNOWLEDGED)
    named = {"practice": "A81001", "subject": "5eedc0de" * 4, "recipient": "RX4Y7"}
    nobody = dict.fromkeys(named)
    changed(withdrawn, **nobody | {whom: named[whom]})
    with pytest.raises(ValueError, match=r"^withdrawal\.acknowledged: names no practice, subject"):
        changed(withdrawn, **nobody)


@pytest.mark.parametrize("day", ["2027-02-28", MORNING])
def test_a_day_is_a_date_without_a_time(day: object) -> None:
    with pytest.raises(ValueError, match=r"^assurance\.changed: assured_until is not a date"):
        changed(an_entry(EntryKind.ASSURANCE_CHANGED), assured_until=day)


@pytest.mark.parametrize(
    "body",
    [
        b'{"actor":"9990000018"}',
        b'{"actor":"999-000-0018"}',
        b'{"actor":"a-999/000.0018"}',
        b'{"size":9990000018}',
        b'{"actor":"two words"}',
        b'{"actor":"\xc3\xbc"}',
        b'{"actor":"\\u0041"}',
        b'{"actor":"\x7f"}',
    ],
)
def test_the_last_guard_refuses_identifiers_and_free_text(body: bytes) -> None:
    with pytest.raises(ValueError, match="an entry may not hold") as caught:
        refuse_identifiers(body)
    assert "5919" not in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"size":9990000019}',  # fails modulus 11
        b'{"size":99900000180}',  # eleven digits
        b'{"hash":"a9990000018b"}',  # inside a hash; the rules of the values keep it out of words
        b'{"t":"2026-11-22T09:00:00.000000Z"}',
        b"{}",
    ],
)
def test_the_last_guard_lets_the_rest_pass(body: bytes) -> None:
    refuse_identifiers(body)


def test_a_time_in_another_zone_object_with_no_offset_is_the_same_time() -> None:
    london_in_winter = timezone(timedelta(0), "GMT")
    due = datetime(2026, 11, 22, 9, tzinfo=london_in_winter)
    hold = changed(an_entry(EntryKind.HOLD_OPENED), due=due)
    expected = changed(an_entry(EntryKind.HOLD_OPENED), due=due.astimezone(UTC))
    assert hold.as_json() == expected.as_json()


@pytest.mark.parametrize("approvers", [(), ("ig-officer",), ("ig-officer", "ig-officer")])
def test_one_person_alone_cannot_authorise(approvers: tuple[str, ...]) -> None:
    lawful = an_entry(EntryKind.LEGAL_AUTHORISED)
    with pytest.raises(ValueError, match="fewer than two different approvers"):
        changed(lawful, approvers=approvers)
