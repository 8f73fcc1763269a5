import pytest
import yaml

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


WAYS = (
    "9990000018", "for 999 000 0018", "999-000-0018, again", "999.000.0018", "99900 00018",
    "\uff19\uff19\uff19\uff10\uff10\uff10\uff10\uff10\uff11\uff18",
    "\u0669\u0669\u0669\u0660\u0660\u0660\u0660\u0660\u0661\u0668",
    "\u2079\u2079\u2079 000 0018", "999\u200b000\u200b0018", "action 7 999 000 0018 2026", "(999) 000/0018",
)  # fmt: skip


@pytest.mark.parametrize("text", WAYS)
def test_a_reason_holds_no_nhs_number(text: str) -> None:
    with pytest.raises(ValueError, match="name no patient"):
        read_reason(text)


FREE = ("name", "dpia_ref", "processor", "gdpr_basis", "confirmed_by", "reason")


@pytest.mark.parametrize("text", [way for way in WAYS if "\u200b" not in way])
@pytest.mark.parametrize("field", FREE)
def test_no_free_words_hold_an_nhs_number(field: str, text: str) -> None:
    written = yaml.safe_dump({field: text}).encode()
    assert places(TERMS + written) == [field]


def test_no_class_of_data_is_an_nhs_number() -> None:
    assert places(TERMS + b'data_classes: [notes, "999-000-0018"]') == ["data_classes[1]"]


@pytest.mark.parametrize("text", ["call 1234567890", "no 99900000181", "action 7, 2024"])
def test_a_reason_may_hold_other_numbers(text: str) -> None:
    assert read_reason(f" {text} ") == text


def test_no_text_repeats_what_was_sent() -> None:
    with pytest.raises(InvalidMessageError) as refused:
        read_body({"value": "Quetzal", "Quetzal": "Quetzal", "reason": ["Quetzal"]}, SwitchBody)
    assert "Quetzal" not in str(refused.value)
    assert [fault.expression for fault in refused.value.faults] == ["reason", "value", None]
