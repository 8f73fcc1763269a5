"""The text of a copy: what the person is shown is what leaves, byte for byte."""

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gateway.errors import ConfigError
from gateway.mapping.report_text import (
    Handed,
    as_json,
    employer_minimum,
    employer_text,
    full_text,
    open_text,
    read_dataset,
)
from gateway.referral.identifiers import DeliveryId, OdsCode, OutcomeId, ReferralId, ReportId
from gateway.referral.report import Recipient, ReportCopy, ReportKind
from gateway.referral.report_copy import FiledCopy
from tests.builders.reporting import NOTE, choice, statement

DAY = date(2026, 11, 20)
ID = "11111111-1111-4111-8111-111111111111"
DRAFT = FiledCopy(
    id=ReportId(ID), referral=ReferralId(ID), outcome=OutcomeId(ID), delivery=DeliveryId(ID),
    provider=OdsCode("RX901"), organisation=OdsCode("EM901"),
    copy=ReportCopy(recipient=Recipient.EMPLOYER, kind=ReportKind.FUNCTIONAL),
    text_sha256="0" * 64, is_complete=True, created_at=datetime(2026, 11, 20, tzinfo=UTC),
)  # fmt: skip


def a_task() -> dict[str, object]:
    parts = [choice("fitness", "fit"), statement("note-for-employer", valueString=NOTE)]
    return {"resourceType": "Task", "contained": parts}


def test_the_text_is_hashed_as_it_is_kept_and_reads_back() -> None:
    text = employer_text(a_task(), DAY, with_notes=True)  # type: ignore[arg-type]  # a tree
    assert text.body is not None
    assert text.sha256 == hashlib.sha256(text.body).hexdigest()
    document, lines = open_text(text.body)
    assert document["effectiveDateTime"] == "2026-11-20"
    assert lines == ("Fitness for work: Fit for work", f"Note for the employer: {NOTE}")
    assert text.left_out == ()


def test_a_note_that_nobody_has_seen_is_left_out_and_named() -> None:
    text = employer_text(a_task(), DAY, with_notes=False)  # type: ignore[arg-type]  # a tree
    assert text.body is not None
    assert NOTE.encode() not in text.body
    assert [fault.expression for fault in text.left_out] == ["Resource.contained[1]"]


def test_a_report_in_full_is_its_own_bytes() -> None:
    assert (full_text("ab").body, full_text("ab").sha256) == (None, "ab")


def test_what_was_not_released_is_not_written() -> None:
    with pytest.raises(AssertionError, match="only what was released"):
        as_json(Handed(filed=DRAFT, document={}))


@pytest.mark.parametrize(
    ("body", "why"),
    [(None, "No such file"), (b"{", "not JSON"), (b'{"system": "x"}', "system"), (b"[]", "")],
)
def test_a_dataset_that_cannot_be_used_is_named(
    tmp_path: Path, body: bytes | None, why: str
) -> None:
    file = tmp_path / "minimum.json"
    if body is not None:
        file.write_bytes(body)
    with pytest.raises(ConfigError, match=f"(?s)minimum.json.*{why}"):
        read_dataset(file)


def test_the_dataset_that_comes_with_the_program_is_read_once() -> None:
    assert employer_minimum() is employer_minimum()
