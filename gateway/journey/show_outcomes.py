"""What was said of a referral, line by line, and which of its questions were answered.

What enters: a referral's reference. What leaves: each outcome with where it stands, its letters
each in its own state, the reminders, and each question with what answers it by name, or nothing.
That it is read is an entry. Must never: say that anything is in a record; or show a word of what
the outcomes hold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.read_outcome_answers import match, questions_of
from gateway.fhir.text import read_resource
from gateway.journey.disclose import Question, record_audit
from gateway.journey.gateway import Gateway
from gateway.ledger.kinds import Interaction
from gateway.referral.identifiers import ReferralReference
from gateway.referral.letter import Letter, LetterState, state_of
from gateway.referral.model import Delivery, Referral
from gateway.referral.outcome import Outcome, Standing
from gateway.referral.reminder import Reminder
from gateway.store import deliveries, letters, outcomes, referrals, reminders
from gateway.store.engine import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A letter, and how far it has come as far as anybody said."""

    letter: Letter
    delivery: Delivery
    state: LetterState


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One outcome with its letters."""

    outcome: Outcome
    letters: tuple[Sent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question by its place in the referral, and the outcomes that answer it, by number."""

    at: str
    answered_by: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """All that was said of a referral so far, and what waits."""

    referral: Referral
    lines: tuple[Line, ...]
    reminders: tuple[Reminder, ...]
    questions: tuple[Asked, ...]


def show_outcomes(reference: ReferralReference, gateway: Gateway, *, actor: str) -> Story:
    """Show what was said of a referral. What stays here answers no question of the practice.

    Raises:
        NotFoundError: no referral has this reference.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        present = referrals.find_reference(view, reference)
        told = outcomes.of_referral(view, present.id)
        story = Story(
            referral=present,
            lines=_lines(view, told),
            reminders=tuple(reminders.of_referral(view, present.id)),
            questions=_questions(view, present, told),
        )
    question = Question(
        type="Outcome", interaction=Interaction.READ, by={"reference": present.reference}
    )
    record_audit(gateway, actor, question, present.practice, len(told))
    return story


def _lines(view: Reading, told: Sequence[Outcome]) -> tuple[Line, ...]:
    written = letters.of_outcomes(view, [each.id for each in told])
    brought = {each.id: each for each in deliveries.of_ids(view, [one.id for one in written])}
    sent = [
        Sent(letter=each, delivery=brought[each.id], state=state_of(each, brought[each.id]))
        for each in written
    ]
    return tuple(
        Line(outcome=each, letters=tuple(one for one in sent if one.letter.outcome == each.id))
        for each in told
    )


def _questions(view: Reading, present: Referral, told: Sequence[Outcome]) -> tuple[Asked, ...]:
    asked = questions_of(read_resource(referrals.body_of(view, present.id)))
    by: dict[str, list[int]] = {each.at: [] for each in asked}
    for outcome in told:
        if outcome.standing is Standing.KEPT or not asked:
            continue
        said = read_outcome(read_resource(outcomes.body_of(view, outcome)))
        for answer in match(asked, said):
            if answer.is_answered:
                by[answer.question.at].append(outcome.seq)
    return tuple(Asked(at=at, answered_by=tuple(numbers)) for at, numbers in by.items())
