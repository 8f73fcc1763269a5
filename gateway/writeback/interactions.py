"""The messages to practices that this gateway can make at all.

What enters: a ruling of the write guard. What leaves: a Permitted, which nobody else can make;
whoever builds a message takes one. A message that is not on this list cannot be named. Sources:
GP Connect Update Record 1.2, Send Document 2.0.2 and 1.3; ITK-MessageEvent-2.

Not checked: that the bytes made from a Permitted are of the outcome that the ruling was on;
the walk keeps them together.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.errors import IllegalMoveError
from gateway.writeback.ruling import RecipientType, Route, Ruling

BIRTH_DATE_IN_MAILBOX: Final = "%Y%m%d"
"""YYYYMMDD in `GPPROVIDER_...`. Older texts say DDMMYYYY; the endpoint look-up page and Send
Document 2.0.1, both newer, say this."""

REPLACED_WITHIN: Final = timedelta(hours=24)
"""A replacement should follow within this time. Source: Send Document 2.0.2, replacement."""


class Interaction(StrEnum):
    """What can be sent to a practice. The value is the MESH workflow id, if it goes by GP Connect.

    FHIR_DOCUMENT goes to the practice's own FHIR server: no workflow, no code, no later answer.
    """

    UPDATE_RECORD = "GPCONNECT_UPDATE_RECORD"
    SEND_DOCUMENT = "GPCONNECT_SEND_DOCUMENT"
    CONSULTATION_REPORT = "GPFED_CONSULT_REPORT"
    FHIR_DOCUMENT = "FHIR_DOCUMENT"

    @property
    def acknowledgement(self) -> str:
        """Return the workflow id of its answers.

        Raises:
            IllegalMoveError: it goes by no workflow.
        """
        self._check_gp_connect()
        return f"{self.value}_ACK"

    @property
    def event(self) -> str:
        """Return the ITK-MessageEvent-2 code of its message.

        Raises:
            IllegalMoveError: it is no message of ITK3.
        """
        self._check_gp_connect()
        return "ITK014M" if self is Interaction.UPDATE_RECORD else "ITK007C"

    @property
    def route(self) -> Route:
        """Return the route of a ruling under which it may be made."""
        return _ROUTES[self]

    def _check_gp_connect(self) -> None:
        if self is Interaction.FHIR_DOCUMENT:
            raise IllegalMoveError(
                "a document for a practice's own FHIR server goes by no workflow of GP Connect,"
                " and its transaction-response is all that is answered"
            )


_ROUTES: Final[Mapping[Interaction, Route]] = {
    Interaction.UPDATE_RECORD: Route.UPDATE_RECORD,
    Interaction.SEND_DOCUMENT: Route.SEND_DOCUMENT,
    Interaction.CONSULTATION_REPORT: Route.SEND_DOCUMENT,
    Interaction.FHIR_DOCUMENT: Route.FALLBACK,
}


ANSWER_EVENT: Final = "ITK008M"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentVersion:
    """Which version of a document this is, and which one it replaces.

    `number` is Composition.meta.versionId; `identifier` this version's own; `replaces` the
    identifier for Composition.relatesTo (code `replaces`, targetIdentifier).

    Raises:
        ValueError: a first version that replaces, a later one that does not, or one of itself.
    """

    identifier: str
    number: int = 1
    replaces: str | None = None

    def __post_init__(self) -> None:
        if self.number < 1 or not self.identifier:
            raise ValueError("a version has an identifier, and a number from 1")
        if (self.number == 1) != (self.replaces is None):
            raise ValueError("the first version replaces nothing; each later one replaces one")
        if self.replaces == self.identifier:
            raise ValueError("a document does not replace itself")


def replacement(of: DocumentVersion, identifier: str) -> DocumentVersion:
    """Make the next version of a document."""
    return DocumentVersion(identifier=identifier, number=of.number + 1, replaces=of.identifier)


def check_replacement(new: DocumentVersion, old: DocumentVersion) -> None:
    """Check that a version that came in is the one after the version that we hold.

    Raises:
        IllegalMoveError: it skips or repeats a version, or replaces another document.
    """
    if new.replaces != old.identifier:
        raise IllegalMoveError(
            "Composition.relatesTo names another document than the one that is held: name the"
            " identifier of its newest version"
        )
    if new.number != old.number + 1:
        raise IllegalMoveError(
            f"Composition.meta.versionId must be {old.number + 1}: one more than the version"
            " that it replaces"
        )


def is_in_time(first_sent: datetime, replaced: datetime) -> bool:
    """Whether a replacement comes within the time in which it should. A late one is still taken."""
    return replaced - first_sent <= REPLACED_WITHIN


_KEY: Final = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permitted:
    """Leave to make one message to a practice. Only `permit` makes it.

    Raises:
        ValueError: somebody else tries to.
    """

    interaction: Interaction
    row: int
    recipient_type: RecipientType
    version: DocumentVersion
    key: InitVar[object]

    def __post_init__(self, key: object) -> None:
        if key is not _KEY:
            raise ValueError("ask gateway.writeback.interactions.permit: only it gives leave")


def permit(ruling: Ruling, interaction: Interaction, version: DocumentVersion) -> Permitted:
    """Give leave to make one message, where the ruling says so.

    Raises:
        IllegalMoveError: the ruling sends nothing, or not by this interaction.
    """
    if ruling.recipient_type is None or ruling.route is not interaction.route:
        raise IllegalMoveError(
            f"row {ruling.row} of the write guard does not allow {interaction}:"
            f" its effect is {ruling.effect}, its route {ruling.route}"
        )
    return Permitted(
        interaction=interaction,
        row=ruling.row,
        recipient_type=ruling.recipient_type,
        version=version,
        key=_KEY,
    )
