"""Make the copies of a report: one for each recipient, each to walk alone.

What enters: a provider, the task that it was brought, and for whom it wants copies of the report
that it sent last. What leaves: the copies, as drafts. Must never: copy what a person has to look at
first; or make a copy for an organisation that the directory does not know as what it is to be.
Source: `gateway/referral/report.py`; the sharing rules, section 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.errors import (
    Fault,
    IllegalMoveError,
    InvalidMessageError,
    IssueCode,
    NotFoundError,
)
from gateway.journey import report_cases as cases
from gateway.journey.gateway import Gateway
from gateway.journey.report_cases import Asker
from gateway.journey.report_facts import ROLES, is_in_role
from gateway.referral.identifiers import DeliveryId, OdsCode, ReportId
from gateway.referral.model import Delivery, Referral
from gateway.referral.outcome import Outcome, Standing
from gateway.referral.report import Recipient, ReportCopy, ReportKind
from gateway.referral.report_copy import FiledCopy, ReportAct
from gateway.store import deliveries, reports
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCopy:
    """For whom a copy is wanted. `organisation`: of those whom the directory knows."""

    recipient: Recipient
    organisation: OdsCode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Copies of the newest report that was sent for a task.

    `third_party` None: nobody has reviewed yet whether it speaks of somebody else.
    """

    task: DeliveryId
    kind: ReportKind
    copies: tuple[WantedCopy, ...]
    third_party: bool | None = None
    would_harm: bool = False


def create_copies(wanted: Wanted, asker: Asker, gateway: Gateway) -> Sequence[FiledCopy]:
    """Make a copy of a report for each recipient; one that is there already is left as it is.

    --- one transaction ---
    1. Find the task among those of this provider; let nobody move it.
    2. Find its newest report, and see that nothing in it waits for a person.
    3. Find each recipient; write, seal and note each copy.
    --- end ---

    Raises:
        NotFoundError: this provider was told of no such task.
        IllegalMoveError: no report was sent for it, or it went to the practice already.
        InvalidMessageError: a recipient is none of the directory's in that role, or somebody has
            to look at the report first.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        found = deliveries.find(tx, wanted.task)
        if found is None or asker.provider not in (None, found.provider):
            msg = "no task that you were told of has this id"
            raise NotFoundError(msg)
        delivery, referral = deliveries.hold_still(tx, found.id)
        outcome = cases.newest_report(tx, delivery)
        addressed = _addressed(tx, wanted, delivery, referral)
        return [
            reports.find_same(tx, outcome.id, each.recipient, organisation)
            or _create(tx, gateway, wanted, each.recipient, organisation, delivery, outcome, asker)
            for each, organisation in addressed
        ]


def _create(
    tx: Transaction,
    gateway: Gateway,
    wanted: Wanted,
    recipient: Recipient,
    organisation: OdsCode,
    delivery: Delivery,
    outcome: Outcome,
    asker: Asker,
) -> FiledCopy:
    if recipient is Recipient.GP and outcome.standing is Standing.SENT_ON:
        msg = (
            "this report is on its way to the practice as an outcome: to have the person see it"
            " first, send it as a draft"
        )
        raise IllegalMoveError(msg)
    new = FiledCopy(
        id=ReportId.of(gateway.new_uuid()),
        referral=delivery.referral,
        outcome=outcome.id,
        delivery=delivery.id,
        provider=delivery.provider,
        organisation=organisation,
        copy=ReportCopy(
            recipient=recipient,
            kind=wanted.kind,
            third_party=wanted.third_party,
            would_harm=wanted.would_harm,
        ),
        text_sha256=outcome.body_sha256,
        is_complete=True,
        created_at=tx.at,
    )
    text = cases.text_of(tx, new, outcome, with_notes=True)
    new = replace(new, text_sha256=text.sha256, is_complete=text.is_complete)
    reports.add(tx, new, text.body)
    reports.note(tx, new, ReportAct.CREATE, by=asker.actor)
    return new


def _addressed(
    tx: Transaction, wanted: Wanted, delivery: Delivery, referral: Referral
) -> Sequence[tuple[WantedCopy, OdsCode]]:
    """Find the organisation of each recipient; every one that is not there is named."""
    here = {Recipient.GP: referral.practice, Recipient.PERSON: delivery.provider}
    directory = DirectoryAsOf(tx, tx.at)
    found: list[tuple[WantedCopy, OdsCode]] = []
    faults: list[Fault] = []
    for number, each in enumerate(wanted.copies):
        organisation = here.get(each.recipient, each.organisation)
        provider = directory.parties(referral.practice, organisation).provider
        if organisation is None or (
            each.recipient in ROLES and not is_in_role(each.recipient, provider)
        ):
            faults.append(_unknown(number, each.recipient))
        else:
            found.append((each, organisation))
    if faults:
        raise InvalidMessageError(*faults)
    return found


def _unknown(number: int, recipient: Recipient) -> Fault:
    return Fault(
        code=IssueCode.BUSINESS_RULE,
        expression=f"copies[{number}].organisation",
        diagnostics=f"The directory knows no organisation of this code as {recipient}: give the"
        " right one, or ask the gateway's operator to add it.",
    )
