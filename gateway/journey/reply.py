"""A practice's reply to a provider that wants to know more.

What enters: a referral that was taken, and queued. What leaves: what waited for the practice about
the referral that it names in `basedOn` is seen to, on record. The reply is a referral like any
other: decided on, cut down to what its Consents cover, and delivered. Must never: take one
person's, or another practice's, for the reply.
Source: FHIR R4 ServiceRequest.basedOn; the states that a GP sees.
"""

import re
from collections.abc import Iterator
from typing import Final

from gateway.errors import NotFoundError
from gateway.fhir.references import index
from gateway.journey.reminders import close_reminder
from gateway.referral.identifiers import REFERENCE_SYSTEM, ReferralId, ReferralReference
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.model import IncomingReferral, Referral
from gateway.referral.reminder import ReminderCode
from gateway.store import referrals, reminders
from gateway.store.engine import Transaction

_OURS: Final = re.compile(
    r"(?:.*/)?ServiceRequest/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:/_history/.*)?"
)
_REPLIED: Final = "REPLIED"


def settle_replied(
    tx: Transaction, taken: Referral, incoming: IncomingReferral, *, actor: str
) -> None:
    """Close what waited for the practice about the referrals to which this one replies."""
    for each in _named(tx, incoming):
        if each.practice != taken.practice or each.subject != taken.subject:
            continue
        present = referrals.hold_still(tx, each.id)
        for waiting in reminders.of_referral(tx, present.id):
            if waiting.is_open and waiting.code is ReminderCode.INFORMATION_WANTED:
                close_reminder(tx, present, waiting, actor=actor, resolution=_REPLIED)


def _named(tx: Transaction, incoming: IncomingReferral) -> Iterator[Referral]:
    """Find the referrals that it is based on: by our id, or by the reference that people quote."""
    for part in index(incoming.tree).of_type("ServiceRequest"):
        for each in objects(part.resource, "basedOn"):
            found = _by_id(tx, each) or _by_reference(tx, each)
            if found is not None:
                yield found


def _by_id(tx: Transaction, reference: JsonObject) -> Referral | None:
    match = _OURS.fullmatch(string(reference, "reference") or "")
    return referrals.find(tx, ReferralId(match[1])) if match else None


def _by_reference(tx: Transaction, reference: JsonObject) -> Referral | None:
    named = child(reference, "identifier") or {}
    if string(named, "system") != REFERENCE_SYSTEM:
        return None
    try:
        return referrals.find_reference(tx, ReferralReference(string(named, "value") or ""))
    except (ValueError, NotFoundError):
        return None
