"""What a practice shares, as JSON: for its own system over HTTP, and for `--json`.

What enters: events, agreements, notices and withdrawals. What leaves: trees of plain JSON
values; a field that has no value is left out. A patient is in none of them: a withdrawal names
referrals by reference alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from gateway.referral.directory import Agreement, Switch, Terms
from gateway.referral.identifiers import AgreementId
from gateway.referral.json import JsonObject
from gateway.referral.notices import Notice
from gateway.referral.sharing import AgreementEvent, SwitchEvent
from gateway.referral.withdrawals import Acknowledged, Covered, Recall, Standing, Withdrawal

UNKNOWN = "unknown"
"""Where a switch stands that nobody has set."""


def switch_view(
    switch: Switch, event: SwitchEvent | None, planned: Sequence[SwitchEvent]
) -> JsonObject:
    """Show how one switch stands, and what is planned."""
    return {
        "switch": switch.value,
        "value": event.value.value if event else UNKNOWN,
        **(_event(event) if event else {}),
        "planned": [switch_event_view(each) for each in planned],
    }


def switch_event_view(event: SwitchEvent) -> JsonObject:
    """Show one event on a switch."""
    return {"switch": event.switch.value, "value": event.value.value, **_event(event)}


def agreement_view(
    agreement_id: AgreementId, agreement: Agreement | None, planned: Sequence[AgreementEvent]
) -> JsonObject:
    """Show how one agreement stands, under which terms, and what is planned."""
    shown: JsonObject = {"id": agreement_id, "status": UNKNOWN}
    if agreement is not None:
        shown |= {
            "status": agreement.status.value,
            "counterparty": agreement.counterparty,
            "version": agreement.version,
            "since": agreement.since.isoformat() if agreement.since else None,
            "terms": terms_view(agreement.terms),
        }
    return shown | {"planned": [agreement_event_view(each) for each in planned]}


def agreement_event_view(event: AgreementEvent) -> JsonObject:
    """Show one event on an agreement, with the terms from then on."""
    return {
        "id": event.agreement,
        "move": event.move.value,
        "counterparty": event.counterparty,
        **_event(event),
        "terms": terms_view(event.terms),
        **_known({"document_sha256": event.document_sha256}),
    }


def terms_view(terms: Terms) -> JsonObject:
    """Show terms as they are signed: the same names as a file of terms."""
    return _known(
        {
            "name": terms.name,
            "kind": terms.kind.value,
            "purposes": [*sorted(terms.purposes)],
            "data_classes": [*sorted(terms.data_classes)] or None,
            "gdpr_basis": terms.gdpr_basis,
            "confidentiality_basis": terms.confidentiality_basis,
            "dpia_ref": terms.dpia_ref,
            "processor": terms.processor,
            "notice_days": terms.notice_days,
            "is_statutory": terms.is_statutory or None,
            "ends_on": terms.ends_on.isoformat() if terms.ends_on else None,
        }
    )


def notice_view(notice: Notice) -> JsonObject:
    """Show one notice and where it stands."""
    about = notice.about
    times = {
        "sent_at": notice.sent_at,
        "acknowledged_at": notice.acknowledged_at,
        "reinstated_at": notice.reinstated_at,
    }
    return {
        "id": notice.id,
        "practice": notice.practice,
        "kind": about.kind.value,
        "state": notice.state.value,
        "commissioner": about.commissioner.ods if about.commissioner else None,
        "effective_at": about.effective_at.isoformat(),
        "created_at": notice.created_at.isoformat(),
        "reply_by": about.reply_by.isoformat(),
        **_times(times),
        "agreements": [each.id for each in about.agreements],
        "switches": [each.switch.value for each in about.switches],
        "replies_to": [*about.replies_to],
        "letter_sha256": notice.letter_sha256,
    }


def acknowledged_view(done: Acknowledged, now: datetime) -> JsonObject:
    """Show one withdrawal with all that it covers."""
    counts = Counter(each.standing for each in done.covered)
    return withdrawal_view(done.withdrawal, counts) | {
        "deliveries": [covered_view(each, now) for each in done.covered]
    }


def withdrawal_view(withdrawal: Withdrawal, counts: Mapping[Standing, int]) -> JsonObject:
    """Show one withdrawal, and how many of the deliveries that it covers came to what.

    `leaving`: those that may be on their way, where it is not acknowledged yet.
    """
    leaving = counts.get(Standing.LEAVING)
    return {
        "id": withdrawal.id,
        "cause": withdrawal.cause.value,
        "about": withdrawal.about,
        **_known({"practice": withdrawal.practice, "recipient": withdrawal.recipient}),
        "actor": withdrawal.actor,
        **_times({"withdrawn_at": withdrawal.withdrawn_at}),
        **_times({"acknowledged_at": withdrawal.acknowledged_at}),
        **({"leaving": leaving} if leaving else {}),
        "stopped": counts.get(Standing.STOPPED, 0),
        "delivered": counts.get(Standing.DELIVERED, 0),
        "unknown": counts.get(Standing.UNKNOWN, 0),
    }


def covered_view(covered: Covered, now: datetime) -> JsonObject:
    """Show one delivery that a withdrawal covers, and its recall where there is one."""
    shown: JsonObject = {
        "reference": covered.reference,
        "provider": covered.provider,
        "standing": covered.standing.value,
    }
    return shown | ({"recall": recall_view(covered.recall, now)} if covered.recall else {})


def recall_view(recall: Recall, now: datetime) -> JsonObject:
    """Show one recall; `overdue`: no answer came in time, and none has come since."""
    return {
        "id": recall.id,
        "cause": recall.cause,
        **_times({"due": recall.due, "sent_at": recall.sent_at}),
        **_known({"answer": recall.answer and recall.answer.value}),
        **_known({"ground": recall.ground and recall.ground.value}),
        **_times({"answered_at": recall.answered_at}),
        "overdue": recall.is_overdue(now),
    }


def _times(times: Mapping[str, datetime | None]) -> JsonObject:
    return {name: at.isoformat() for name, at in times.items() if at is not None}


def _event(event: AgreementEvent | SwitchEvent) -> JsonObject:
    return {
        "version": event.seq,
        "effective_at": event.effective_at.isoformat(),
        "recorded_at": event.recorded_at.isoformat(),
        "actor": event.actor,
        "source": event.origin.value,
        **_known({"reason": event.reason}),
    }


def _known(fields: Mapping[str, object]) -> JsonObject:
    return {name: value for name, value in fields.items() if value is not None}  # type: ignore[misc]  # plain JSON values
