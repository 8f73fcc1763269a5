"""Silences: a provider that says nothing, and a letter to which a practice's system says nothing.

What enters: the time. What leaves: a reminder for each, once, with one alert a round. A provider
that said something and then nothing is silent again. Must never: take silence for an answer, or
note one twice. Source: the write restriction, section 9: no answer, no proof.
"""

import logging
from dataclasses import replace

from gateway.journey.gateway import Gateway
from gateway.journey.reminders import remind
from gateway.referral.identifiers import DeliveryId
from gateway.referral.reminder import Owner, ReminderCode
from gateway.store import deliveries, letters, silences

ACTOR = "gateway"
_AT_A_TIME = 100
"""How many of each kind one round looks at; the next comes in seconds."""
_log = logging.getLogger(__name__)


def notice_silences(gateway: Gateway) -> None:
    """Note each silence that has lasted too long, once, and say so."""
    now = gateway.clock()
    with gateway.store.reading() as view:
        quiet = silences.silent(view, now - gateway.schedule.silence, limit=_AT_A_TIME)
        missed = letters.unanswered(view, now, limit=_AT_A_TIME)
    providers = sum([_note_provider(each, gateway) for each in quiet])
    systems = sum([_note_letter(each.id, gateway) for each in missed])
    if providers or systems:
        _log.error(
            "ALERT: of %d referrals their providers have said nothing for too long, and %d letters"
            " were not answered in time: `gateway reminder list` names them",
            providers,
            systems,
        )


def _note_provider(delivery_id: DeliveryId, gateway: Gateway) -> bool:
    """Note one, unless something was heard meanwhile; tell whether it was noted here."""
    with gateway.store.transaction(gateway.clock()) as tx:
        _, present = deliveries.hold_still(tx, delivery_id)
        if not silences.is_silent(tx, delivery_id, tx.at - gateway.schedule.silence):
            return False
        remind(
            tx, gateway, present, delivery_id, ReminderCode.PROVIDER_SILENT, Owner.PROVIDER,
            actor=ACTOR,
        )  # fmt: skip
    return True


def _note_letter(letter_id: DeliveryId, gateway: Gateway) -> bool:
    """Note that a practice's system does not answer; whatever it says later still counts."""
    with gateway.store.transaction(gateway.clock()) as tx:
        _, present = deliveries.hold_still(tx, letter_id)
        letter = letters.get(tx, letter_id)
        if letter.answer_due is None or letter.answer_due > tx.at:
            return False
        letters.change(tx, replace(letter, answer_due=None))
        remind(
            tx, gateway, present, letter_id, ReminderCode.LETTER_UNANSWERED, Owner.OPERATOR,
            actor=ACTOR,
        )  # fmt: skip
    return True
