"""Reminders as JSON: what waits, for whom, since when, and until when. Nobody is named."""

from datetime import datetime

from gateway.ledger.values import write_instant
from gateway.referral.identifiers import OdsCode, ReferralReference
from gateway.referral.json import JsonObject
from gateway.referral.reminder import Reminder


def reminder_view(
    each: Reminder, reference: ReferralReference, practice: OdsCode, at: datetime
) -> JsonObject:
    """Show a reminder, and whether it is late at a moment; for the practice or the operator."""
    shown: JsonObject = {
        "id": each.id,
        "reference": reference,
        "practice": practice,
        "about": each.about,
        "code": each.code.value,
        "owner": each.owner.value,
        "opened_at": write_instant(each.opened_at),
        "due": write_instant(each.due),
        "overdue": each.is_open and each.due <= at,
    }
    if each.closed_at is not None:
        shown |= {"closed_at": write_instant(each.closed_at), "resolution": each.resolution}
    return shown
