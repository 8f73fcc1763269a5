import pytest

from gateway.errors import InvalidMessageError
from gateway.mapping.practice_words import SwitchBody, read_body, read_reason, read_terms_file

TERMS = b"kind: direct\npurposes: [occupational-health]\n"


def places(body: bytes) -> list[str | None]:
    with pytest.raises(InvalidMessageError) as refused:
        read_terms_file(body)
    return [fault.expression for fault in refused.value.faults]


def test_a_file_of_terms_is_read_with_what_is_said_beside_it() -> None:
    read = read_terms_file(
        TERMS + b"ends_on: 2027-01-01\neffective_at: 2026-12-01\ncounterparty: RX900\n",
        counterparty="rx901",
        confirmed_by=None,
    )
    assert (read.counterparty, str(read.ends_on), read.confirmed_by) == (
        "RX901",
        "2027-01-01",
        None,
    )
    assert read.effective_at is not None
    assert read.effective_at.isoformat() == "2026-12-01T00:00:00+00:00"
    assert read.terms("dsa").name == "dsa"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"[]", [None]),
        (b"kind: [", [None]),
        (b"\xff\xfe\x00", [None]),
        (b"1: x", [None]),
        (b"kind: direct", ["purposes"]),
        (TERMS + b"knid: mixed", [None]),
        (TERMS + b"effective_at: 2026-12-01T09:00:00", ["effective_at"]),
        (TERMS + b"counterparty: 901", ["counterparty"]),
    ],
    ids=["a list", "broken", "no text", "a number", "missing", "misspelt", "naive", "a number"],
)
def test_a_file_of_terms_that_is_wrong_is_refused_at_its_field(
    body: bytes, found: list[str | None]
) -> None:
    assert places(body) == found


@pytest.mark.parametrize("text", ["", " ", "a\nb", "\ud800", "x" * 501])
def test_a_reason_is_one_printable_line(text: str) -> None:
    with pytest.raises(ValueError, match="printable characters on one line"):
        read_reason(text)


@pytest.mark.parametrize("text", ["9990000018", "for 999 000 0018", "999-000-0018, again"])
def test_a_reason_holds_no_nhs_number(text: str) -> None:
    with pytest.raises(ValueError, match="name no patient"):
        read_reason(text)


@pytest.mark.parametrize("text", ["call 1234567890", "no 99900000181", "action 7, 2024"])
def test_a_reason_may_hold_other_numbers(text: str) -> None:
    assert read_reason(f" {text} ") == text


def test_no_text_repeats_what_was_sent() -> None:
    with pytest.raises(InvalidMessageError) as refused:
        read_body({"value": "Quetzal", "Quetzal": "Quetzal", "reason": ["Quetzal"]}, SwitchBody)
    assert "Quetzal" not in str(refused.value)
    assert [fault.expression for fault in refused.value.faults] == ["reason", "value", None]
