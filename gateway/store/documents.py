"""Documents: the outcomes that a practice may read, each of its own referrals.

What enters: a practice, and the id of an outcome or of a referral. What leaves: outcomes that go to
that practice. Who sees what is a condition of each query. Must never: show one that is held or kept.
"""

from sqlalchemy import Select, exists, select

from gateway.consent.decide import Effect
from gateway.ledger.kinds import Stage
from gateway.referral.identifiers import DecisionId, OdsCode, OutcomeId, ReferralId
from gateway.referral.outcome import Outcome, Standing
from gateway.store import outcomes
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import decision, referral
from gateway.store.tables_outcomes import outcome


def find(view: Reading | Transaction, practice: OdsCode, outcome_id: OutcomeId) -> Outcome | None:
    """Read one document of a practice; None: there is none of this id for it."""
    query = _for_practice(practice).where(outcome.c.id == outcome_id)
    row = view.connection.execute(query).one_or_none()
    return outcomes.find(view, OutcomeId(row.id)) if row else None


def of_referral(
    view: Reading | Transaction, practice: OdsCode, referral_id: ReferralId
) -> list[Outcome]:
    """List the documents of a practice's referral, in the order in which they came."""
    query = _for_practice(practice).where(outcome.c.referral == referral_id)
    shown = {row.id for row in view.connection.execute(query)}
    return [each for each in outcomes.of_referral(view, referral_id) if each.id in shown]


def is_replaced(view: Reading | Transaction, outcome_id: OutcomeId) -> bool:
    """Whether a later document that the practice may read takes the place of one."""
    later = exists().where(outcome.c.replaces == outcome_id, outcome.c.standing == Standing.SENT_ON)
    return view.connection.execute(select(later)).scalar_one()


def decision_on(view: Reading | Transaction, shown: Outcome) -> DecisionId:
    """Name the first decision that let an outcome go to its practice."""
    found = view.connection.execute(
        select(decision.c.id)
        .where(
            decision.c.referral == shown.referral,
            decision.c.stage == Stage.WRITE_BACK.value,
            decision.c.payload_sha256 == shown.body_sha256,
        )
        .order_by(decision.c.effect != Effect.PERMIT.value, decision.c.decided_at, decision.c.id)
        .limit(1)
    ).scalar_one()
    return DecisionId(found)


def _for_practice(practice: OdsCode) -> Select[tuple[str]]:
    return (
        select(outcome.c.id)
        .join(referral, referral.c.id == outcome.c.referral)
        .where(referral.c.practice == practice, outcome.c.standing == Standing.SENT_ON)
    )
