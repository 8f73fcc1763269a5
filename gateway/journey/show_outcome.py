"""Show a practice what a provider sent it: as a document that stands by itself.

What enters: a practice, and the id of an outcome or of a referral. What leaves: the outcome with
the document made of it, once the guard was asked again and the reading is on record. Must never:
show what is held or kept, what may not go to the practice at this moment, or anything of another
practice's referral. Source: the write restriction, section 9; GP Connect, Send Document.
"""

from dataclasses import dataclass, field

from gateway.errors import InvalidMessageError, NotFoundError
from gateway.fhir.text import read_resource
from gateway.journey.disclose import Question, read_of, record_shown
from gateway.journey.gateway import Gateway
from gateway.journey.look_up import shown_of
from gateway.journey.onward import Found, Judgement, judge
from gateway.journey.onward import find as open_outcome
from gateway.ledger.kinds import Interaction
from gateway.mapping.compose_letter import patient_of
from gateway.mapping.readable import Person, Provenance
from gateway.mapping.readable_content import render_content
from gateway.mapping.readable_pdf import write_pdf
from gateway.referral.identifiers import OutcomeId, ReferralId
from gateway.referral.model import Referral, Sender
from gateway.referral.outcome import Outcome
from gateway.store import documents, gates, letters, referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction
from gateway.writeback.ruling import Effect

_NEVER = frozenset({Effect.BLOCK, Effect.REJECT, Effect.HOLD})


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An outcome as its practice reads it. `pdf` None: it cannot be written as a document."""

    outcome: Outcome
    referral: Referral
    pdf: bytes | None = field(repr=False)
    is_replaced: bool


def show_document(sender: Sender, outcome_id: OutcomeId, type_: str, gateway: Gateway) -> Document:
    """Show one document to the practice whose referral it answers.

    --- one transaction ---
    1. Find it among those of this practice's referrals that go to the practice.
    2. Put it to the rules and the guard on the facts of this moment.
    3. Write the document, and record that it is shown.
    --- end ---

    Raises:
        NotFoundError: there is none, or it may not be shown; that is on record too.
    """
    question = Question(type=type_, interaction=Interaction.READ, by={"_id": outcome_id})
    with gateway.store.transaction(gateway.clock()) as tx:
        found = documents.find(tx, sender.ods, outcome_id)
        document = _document(tx, gateway, found) if found else None
        if document is not None:
            tx.record(read_of(sender, question, shown_of(document.referral)))
            return document
    record_shown(gateway, sender, question, ())
    msg = "no document has this id"
    raise NotFoundError(msg)


def list_documents(sender: Sender, referral_id: ReferralId, gateway: Gateway) -> list[Document]:
    """List the documents that came back to one referral of the practice, oldest first."""
    with gateway.store.transaction(gateway.clock()) as tx:
        every = documents.of_referral(tx, sender.ods, referral_id)
        shown = [each for each in (_document(tx, gateway, found) for found in every) if each]
    question = Question(
        type="DocumentReference", interaction=Interaction.SEARCH, by={"related": referral_id}
    )
    record_shown(gateway, sender, question, [shown_of(each.referral) for each in shown])
    return shown


def _document(tx: Transaction, gateway: Gateway, outcome: Outcome) -> Document | None:
    """Steps 2 and 3; None: it may not be shown now."""
    present = referrals.get(tx, outcome.referral)
    gates.hold(tx, present.id, recipient=present.practice)
    found = open_outcome(tx, outcome, present)
    judged = judge(tx, gateway, found)
    if judged.ruling.effect in _NEVER:
        return None
    return Document(
        outcome=outcome,
        referral=present,
        pdf=_written(tx, gateway, found, judged),
        is_replaced=documents.is_replaced(tx, outcome.id),
    )


def _written(tx: Transaction, gateway: Gateway, found: Found, judged: Judgement) -> bytes | None:
    """Write the document: with where it comes from, and why no code was written."""
    outcome = found.outcome
    provider = DirectoryAsOf(tx, tx.at).parties(found.referral.practice, outcome.provider).provider
    brought = letters.of_outcomes(tx, [outcome.id])
    source = Provenance(
        organisation=provider.name if provider else outcome.provider,
        ods=outcome.provider,
        said_at=outcome.said_at or outcome.received_at,
        gateway=f"Referral gateway ({gateway.ods})",
        decision=brought[0].decision if brought else documents.decision_on(tx, outcome),
        reference=found.referral.reference,
        why_no_codes=judged.why_no_codes,
    )
    try:
        patient = patient_of(read_resource(referrals.body_of(tx, found.referral.id)))
        name = " ".join((*patient.given, patient.family))
        person = Person(number=patient.number, birth_date=patient.birth_date, name=name)
        return write_pdf(render_content(found.tree, person, source))
    except InvalidMessageError:
        return None
