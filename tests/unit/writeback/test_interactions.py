"""Only what a ruling allows can be made, and documents are replaced one by one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import IllegalMoveError
from gateway.writeback.interactions import (
    ANSWER_EVENT,
    BIRTH_DATE_IN_MAILBOX,
    DocumentVersion,
    Interaction,
    Permitted,
    check_replacement,
    is_in_time,
    permit,
    replacement,
)
from gateway.writeback.ruling import Effect, RecipientType, Route, Ruling

FIRST = DocumentVersion(identifier="one")
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


def a_ruling(row: int, effect: Effect, route: Route) -> Ruling:
    type_ = None if route is Route.NONE else RecipientType.FI
    return Ruling(
        row=row,
        effect=effect,
        route=route,
        recipient_type=type_,
        code="X",
        text_inside="x",
        text_outside="x",
    )


LETTER = a_ruling(7, Effect.ALLOW, Route.SEND_DOCUMENT)
CODES = a_ruling(4, Effect.ALLOW, Route.UPDATE_RECORD)
FALLBACK = a_ruling(7, Effect.ALLOW, Route.FALLBACK)
BLOCKED = a_ruling(1, Effect.BLOCK, Route.NONE)
OWN = a_ruling(3, Effect.ALLOW, Route.NONE)


@pytest.mark.parametrize("ruling", [LETTER, CODES, FALLBACK, BLOCKED, OWN])
@pytest.mark.parametrize("interaction", Interaction)
def test_a_message_is_made_only_by_the_route_of_its_ruling(
    ruling: Ruling, interaction: Interaction
) -> None:
    is_codes = interaction is Interaction.UPDATE_RECORD
    is_own = interaction is Interaction.FHIR_DOCUMENT
    by_letter = ruling is LETTER and not is_codes and not is_own
    if (ruling is CODES and is_codes) or by_letter or (ruling is FALLBACK and is_own):
        leave = permit(ruling, interaction, FIRST)
        assert (leave.row, leave.recipient_type) == (ruling.row, RecipientType.FI)
        assert (leave.interaction, leave.version) == (interaction, FIRST)
        return
    with pytest.raises(IllegalMoveError, match=f"row {ruling.row} of the write guard"):
        permit(ruling, interaction, FIRST)


def test_nobody_else_makes_leave_to_send() -> None:
    leave = permit(LETTER, Interaction.SEND_DOCUMENT, FIRST)
    with pytest.raises(ValueError, match="only it gives leave"):
        Permitted(
            interaction=Interaction.UPDATE_RECORD,
            row=4,
            recipient_type=RecipientType.FI,
            version=FIRST,
            key=object(),
        )
    with pytest.raises((ValueError, TypeError)):
        replace(leave, interaction=Interaction.UPDATE_RECORD)  # type: ignore[call-arg]  # no key
    with pytest.raises(AttributeError):
        leave.interaction = Interaction.UPDATE_RECORD  # type: ignore[misc]  # frozen


def test_the_interactions_are_those_of_gp_connect() -> None:
    by_mesh = set(Interaction) - {Interaction.FHIR_DOCUMENT}
    assert {(each.value, each.acknowledgement, each.event) for each in by_mesh} == {
        ("GPCONNECT_UPDATE_RECORD", "GPCONNECT_UPDATE_RECORD_ACK", "ITK014M"),
        ("GPCONNECT_SEND_DOCUMENT", "GPCONNECT_SEND_DOCUMENT_ACK", "ITK007C"),
        ("GPFED_CONSULT_REPORT", "GPFED_CONSULT_REPORT_ACK", "ITK007C"),
    }
    assert ANSWER_EVENT == "ITK008M"
    assert datetime(1967, 1, 26, tzinfo=UTC).strftime(BIRTH_DATE_IN_MAILBOX) == "19670126"


def test_a_document_for_a_practices_own_server_has_no_event_and_no_later_answer() -> None:
    with pytest.raises(IllegalMoveError, match="no workflow of GP Connect"):
        _ = Interaction.FHIR_DOCUMENT.event
    with pytest.raises(IllegalMoveError, match="transaction-response is all"):
        _ = Interaction.FHIR_DOCUMENT.acknowledgement


def test_a_replacement_is_the_next_version_and_names_the_one_before() -> None:
    second = replacement(FIRST, "two")
    assert (second.number, second.replaces) == (2, "one")
    check_replacement(second, FIRST)


@pytest.mark.parametrize(
    ("new", "word"),
    [
        (DocumentVersion(identifier="x", number=2, replaces="other"), "relatesTo"),
        (DocumentVersion(identifier="x", number=3, replaces="one"), "versionId must be 2"),
        (DocumentVersion(identifier="x"), "relatesTo"),
    ],
)
def test_a_replacement_out_of_order_is_refused(new: DocumentVersion, word: str) -> None:
    with pytest.raises(IllegalMoveError, match=word):
        check_replacement(new, FIRST)


@pytest.mark.parametrize(
    ("identifier", "number", "replaces"),
    [("", 1, None), ("x", 0, None), ("x", 1, "y"), ("x", 2, None), ("x", 2, "x")],
)
def test_a_version_that_cannot_be_is_not_made(
    identifier: str, number: int, replaces: str | None
) -> None:
    with pytest.raises(ValueError, match=r"version|itself"):
        DocumentVersion(identifier=identifier, number=number, replaces=replaces)


def test_a_replacement_should_come_within_a_day() -> None:
    assert is_in_time(NOON, NOON + timedelta(hours=24))
    assert not is_in_time(NOON, NOON + timedelta(hours=24, seconds=1))
