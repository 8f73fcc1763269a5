"""The terms of a shared-care agreement: read, refused with their place, and kept as they were."""

import json
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gateway.errors import InvalidMessageError
from gateway.mapping.shared_care_terms import read_terms, write_terms
from gateway.writeback.shared_care import NO_AGREEMENT, SharedCareAgreement
from tests.builders.messages import NHS_NUMBER
from tests.builders.shared_care import FORMAL, SUPPORT

WHOLE = replace(
    FORMAL, support=replace(SUPPORT, ends_on=date(2027, 1, 1)), ends_on=date(2027, 11, 30)
)


@pytest.mark.parametrize("agreement", [FORMAL, WHOLE, NO_AGREEMENT])
def test_what_is_written_reads_as_it_was(agreement: SharedCareAgreement) -> None:
    assert read_terms(write_terms(agreement).encode()) == agreement


def test_what_is_left_out_does_not_exist() -> None:
    assert read_terms(b"{}") == NO_AGREEMENT


def changed(**parts: Any) -> bytes:
    return json.dumps(json.loads(write_terms(WHOLE)) | parts).encode()


TASK = {"work": "prescribe", "party": "practice"}
HELPS = {"contact": "a team", "confirmed_on": "2026-11-02"}
PAYS = {"funder": "the ICB", "works": ["prescribe"]}


@pytest.mark.parametrize(
    ("parts", "place"),
    [
        ({"responsibilities": [TASK, TASK | {"work": "wombatitis"}]}, "responsibilities[1].work"),
        ({"responsibilities": []}, "responsibilities"),
        ({"responsibilities": "wombatitis"}, "responsibilities"),
        ({"responsibilities": [TASK | {"wombatitis": 1}]}, "responsibilities[0]"),
        ({"responsibilities": ["wombatitis"]}, "responsibilities[0]"),
        ({"responsibilities": [{"work": "prescribe"}]}, "responsibilities[0].party"),
        ({"support": HELPS | {"confirmed_on": "wombatitis"}}, "support.confirmed_on"),
        ({"support": HELPS | {"confirmed_on": "2026-02-30"}}, "support.confirmed_on"),
        ({"support": HELPS | {"confirmed_on": 20261102}}, "support.confirmed_on"),
        ({"support": HELPS | {"contact": "wombatitis\nx"}}, "support.contact"),
        ({"support": HELPS | {"contact": f"wombatitis {NHS_NUMBER}"}}, "support.contact"),
        ({"support": HELPS | {"contact": " "}}, "support.contact"),
        ({"resourcing": PAYS | {"funder": "w" * 121}}, "resourcing.funder"),
        ({"resourcing": PAYS | {"works": []}}, "resourcing.works"),
        ({"decision": "wombatitis"}, "decision"),
        ({"starts_on": "2028-01-01"}, "starts_on"),
        ({"wombatitis": 1}, None),
    ],
)
def test_wrong_terms_are_refused_with_their_place(parts: dict[str, Any], place: str | None) -> None:
    with pytest.raises(InvalidMessageError) as refused:
        read_terms(changed(**parts))
    (fault,) = refused.value.faults
    assert fault.expression == place
    assert "wombatitis" not in fault.diagnostics
    assert NHS_NUMBER not in fault.diagnostics
    assert fault.diagnostics.endswith(".")


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(InvalidMessageError) as refused:
        read_terms(changed(decision="no", support=None, resourcing={}))
    assert sorted(each.expression or "" for each in refused.value.faults) == [
        "decision",
        "resourcing.funder",
        "resourcing.works",
    ]


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", b"{", b"[" * 100_000])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidMessageError, match="JSON object"):
        read_terms(body)
