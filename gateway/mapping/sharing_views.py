"""What a practice shares, as JSON: for its own system over HTTP, and for `--json`.

What enters: events, agreements and notices. What leaves: trees of plain JSON values; a field
that has no value is left out. Nothing here is about a patient.
"""

from collections.abc import Mapping, Sequence

from gateway.referral.directory import Agreement, Switch, Terms
from gateway.referral.identifiers import AgreementId
from gateway.referral.json import JsonObject
from gateway.referral.notices import Notice
from gateway.referral.sharing import AgreementEvent, SwitchEvent

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
        **{name: at.isoformat() for name, at in times.items() if at is not None},
        "agreements": [each.id for each in about.agreements],
        "switches": [each.switch.value for each in about.switches],
        "replies_to": [*about.replies_to],
        "letter_sha256": notice.letter_sha256,
    }


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
