"""By which way a letter goes, and what it is written as for that way.

What enters: what the write guard said, and the practice's endpoint for letters. What leaves: the
interaction, or None where a person must bring it; and the bytes with their media type, the same
for the same letter whenever they are written. Must never: send codes to anything but GP Connect,
or write without leave of the guard. Source: GP Connect, Send Document and Update Record; the
write restriction, section 9, fallback.
"""

from dataclasses import dataclass, field

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.text import read_resource
from gateway.journey.gateway import Gateway
from gateway.journey.onward import Found, Judgement
from gateway.mapping.compose_letter import Envelope, compose
from gateway.mapping.mesh import Control
from gateway.mapping.practice_document import MEDIA_TYPE, write_document
from gateway.referral.directory import Endpoint, Transport
from gateway.referral.letter import Letter
from gateway.store import referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction
from gateway.writeback.interactions import DocumentVersion, Interaction, permit
from gateway.writeback.ruling import Route, Ruling

_NOT_IN_DIRECTORY = Fault(
    code=IssueCode.NOT_FOUND,
    diagnostics="The practice or the provider is in the directory no more: put them back, or bring"
    " the document another way.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The bytes of a letter; `control` goes with those that MESH routes by the person."""

    media_type: str
    body: bytes = field(repr=False)
    control: Control | None = None


def interaction_by(ruling: Ruling, endpoint: Endpoint | None) -> Interaction | None:
    """Say as what an outcome goes to an endpoint; None: it does not, and a person brings it."""
    if endpoint is None:
        return None
    if ruling.route is Route.UPDATE_RECORD:
        return Interaction.UPDATE_RECORD
    if ruling.route is Route.FALLBACK:
        is_own = endpoint.transport is Transport.FHIR_REST
        return Interaction.FHIR_DOCUMENT if is_own else None
    return Interaction(endpoint.parameters["workflow"])


def version_of(letter: Letter) -> DocumentVersion:
    """Say which version of a document a letter brings."""
    return DocumentVersion(identifier=letter.id, number=letter.number, replaces=letter.replaces)


def write_letter(
    tx: Transaction, gateway: Gateway, found: Found, letter: Letter, judged: Judgement,
    endpoint: Endpoint,
) -> Written:  # fmt: skip
    """Write what leaves for a letter.

    Raises:
        IllegalMoveError: the guard gives no leave for it.
        InvalidMessageError: it cannot be written so.
    """
    permitted = permit(judged.ruling, Interaction(letter.interaction), version_of(letter))
    directory = DirectoryAsOf(tx, tx.at)
    parties = directory.parties(found.referral.practice, found.answered.provider)
    if parties.practice is None or parties.provider is None:
        raise InvalidMessageError(_NOT_IN_DIRECTORY)
    envelope = Envelope(
        letter=letter,
        outcome=found.outcome,
        referral=found.referral,
        practice=parties.practice,
        provider=parties.provider,
        endpoint=endpoint,
        gateway=gateway.ods,
        why_no_codes=judged.why_no_codes,
    )
    received = read_resource(referrals.body_of(tx, found.referral.id))
    if permitted.interaction is Interaction.FHIR_DOCUMENT:
        body = write_document(envelope, outcome=found.tree, referral=received, permitted=permitted)
        return Written(media_type=MEDIA_TYPE, body=body)
    message = compose(envelope, outcome=found.tree, referral=received, permitted=permitted)
    return Written(
        media_type=message.control.content_type, body=message.body, control=message.control
    )
