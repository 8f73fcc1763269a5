"""A referral becomes the XML message of the national Health and Work service.

What enters: the message as it may leave, and the delivery. What leaves: canonical UTF-8 XML, the
same bytes at every attempt, valid by `mappings/health-and-work/health-and-work.xsd`. Our FHIR XML
goes through the stylesheet beside it; what the sharing rules read from the Consents is handed to
the stylesheet, so that there is one reading of them. Must never: guess what was not sent, or let
out what the schema does not allow.

A message says that the person agreed to be referred. That is so because nothing leaves for such a
purpose without a decision that found it; for other purposes nothing is written here.
Not carried: parts and elements that `mappings/health-and-work/README.md` does not name; the types
of resources left out are told in the message.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lxml import etree

from gateway.consent.directives import ConsentKind, ConsentReading, ConsentState, read_consents
from gateway.consent.facts import CLASS_OF, PurposeClass
from gateway.consent.kleene import both, negate
from gateway.consent.rules import handling_labels
from gateway.fhir.references import Index, index
from gateway.fhir.xml_text import write_xml
from gateway.mapping.fhir_rest import instant
from gateway.mapping.outgoing import Outgoing
from gateway.mapping.work_faults import faults_of, refusal, unmakeable, unwritable
from gateway.mapping.work_schema import NAMESPACE, Unreadable, WorkSchema, named, read, written
from gateway.referral.directory import Endpoint, Purpose
from gateway.referral.identifiers import OWN_BASE, DeliveryId, OdsCode
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.lifecycle import CANCELLED
from gateway.referral.model import Delivery, Referral

_KINDS = f"{OWN_BASE}/CodeSystem/consent-kind"
_EMPTY_WITHDRAWAL = f'<Withdrawal xmlns="{NAMESPACE}" version="1.0"/>'.encode()
_MAX_RECEIPT_BYTES = 64 * 1024
_REFUSED = frozenset({ConsentState.REJECTED, ConsentState.WITHDRAWN})
_NOT_SAID = frozenset({ConsentState.NONE, ConsentState.IN_ERROR})


class Outcome(StrEnum):
    """What the service made of a message."""

    ACCEPTED = "Accepted"
    DUPLICATE = "Duplicate"
    REJECTED = "Rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The service's answer to the message `message_id`. `reason`: one of the schema's codes."""

    message_id: DeliveryId
    outcome: Outcome
    reason: str | None = None


class HealthAndWork:
    """Writes the format `health-and-work`: see `journey.gateway.Writer`.

    Args:
        folder: `mappings/health-and-work`, read once.

    Raises:
        ConfigError: its stylesheet or schema is missing or broken.
    """

    media_type = "application/xml"

    def __init__(self, folder: Path) -> None:
        self._schema = WorkSchema(folder)

    def write(
        self, message: Outgoing, referral: Referral, delivery: Delivery, _endpoint: Endpoint
    ) -> bytes:
        """Write the message that brings one referral to the service.

        Raises:
            InvalidMessageError: something that the service needs is missing, or is not as it can
                hold it; the faults say where, and how to mend it.
        """
        parts = index(message.tree)
        if CLASS_OF.get(referral.purpose) is not PurposeClass.EXPLICIT:
            text = "This format is for referrals that the person agreed to; refer elsewhere."
            raise refusal(None, text)
        try:
            source = write_xml(message.tree)
        except ValueError:
            raise unwritable(parts) from None
        facts = {
            **_named(referral, delivery),
            **_withheld(message),
            **_consents(parts, referral, delivery),
        }
        try:
            made = self._schema.transform(source, facts)
        except Unreadable:
            raise unmakeable(parts) from None
        mismatches = self._schema.mismatches(made)
        if mismatches:
            raise faults_of(mismatches, parts)
        return written(made)

    def write_recall(self, referral: Referral, recall: Delivery, _endpoint: Endpoint) -> bytes:
        """Write the message that takes a referral back: our reference, and nothing of the person.

        Raises:
            InvalidMessageError: its cause is not a code.
        """
        root = read(_EMPTY_WITHDRAWAL)
        for name, text in (
            ("MessageId", recall.id),
            ("Reference", referral.reference),
            ("Created", instant(recall.created_at)),
            ("Cause", recall.reason or CANCELLED),
            ("Due", instant(recall.give_up_at)),
        ):
            etree.SubElement(root, named(name)).text = str(text)
        if self._schema.mismatches(root):
            raise refusal(None, "The cause of the withdrawal is not a code.")
        return written(root)

    def read_receipt(self, body: bytes) -> Receipt | None:
        """Read what the service answered; None: it is not a Receipt of the schema."""
        if len(body) > _MAX_RECEIPT_BYTES:
            return None
        try:
            root = read(body)
        except Unreadable:
            return None
        if root.tag != named("Receipt") or self._schema.mismatches(root):
            return None
        message_id, outcome = root
        return Receipt(
            message_id=DeliveryId(message_id.text or ""),
            outcome=Outcome(etree.QName(outcome).localname),
            reason=outcome.text or None,
        )


def _named(referral: Referral, delivery: Delivery) -> Mapping[str, str]:
    return {
        "message-id": delivery.id,
        "reference": referral.reference,
        "created": instant(delivery.created_at),
        "practice": referral.practice,
        "handling": _listed(handling_labels(referral.purpose)),
    }


def _withheld(message: Outgoing) -> Mapping[str, str]:
    notice = message.notice
    if notice is None:
        return {}
    return {
        "withheld-by": notice.by,
        "is-redacted": "yes" if notice.is_redacted else "no",
        "policies": _listed(notice.policies),
    }


def _consents(parts: Index, referral: Referral, delivery: Delivery) -> Mapping[str, str]:
    """Read the consents of the message as of the moment when the delivery was queued.

    The consent to refer may stand in the register instead, which is not read here.
    """
    consents = [part.resource for part in parts.of_type("Consent")]
    organisations = _organisations(parts)
    to_refer = read_consents(
        consents,
        recipient=delivery.provider,
        purpose=referral.purpose,
        organisations=organisations,
        at=delivery.created_at,
    )
    shared = [each for each in consents if _is_about_the_plan(each)]
    employer, practice = (
        read_consents(
            shared,
            recipient=recipient,
            purpose=purpose,
            organisations=organisations,
            at=delivery.created_at,
            kind=ConsentKind.SHARE_PLAN,
        )
        for recipient, purpose in (
            (None, Purpose.EMPLOYMENT_REPORT),  # an employer has no ODS code to ask for
            (referral.practice, Purpose.DIRECT_CARE),
        )
    )
    is_here = to_refer.state is ConsentState.ACTIVE and both(to_refer.recipient, to_refer.purpose)
    return {
        "consent-given-at": (to_refer.given or "") if is_here else "",
        "consent-evidence": "with-referral" if is_here else "register",
        "share-with-employer": _answer(employer, named_as=(True, None)),
        "share-with-practice": _answer(practice, named_as=(True,)),
    }


def _answer(reading: ConsentReading, *, named_as: Sequence[bool | None]) -> str:
    """Say what was answered about sharing the plan; a yes only where nothing is in doubt."""
    if reading.state in _REFUSED:
        return "no"
    if reading.state in _NOT_SAID:
        return "not-asked"
    if reading.state is ConsentState.ACTIVE and reading.purpose is False:
        return "not-asked"
    is_clear = both(reading.in_period, reading.evidence, negate(reading.denied))
    is_given = reading.state is ConsentState.ACTIVE and is_clear is True and not reading.is_proxy
    return "yes" if is_given and reading.recipient in named_as else "not-known"


def _is_about_the_plan(consent: JsonObject) -> bool:
    """Whether it says so: a consent to share is never taken from another one."""
    codings = [c for each in objects(consent, "category") for c in objects(each, "coding")]
    return any(
        string(c, "system") == _KINDS and string(c, "code") == ConsentKind.SHARE_PLAN
        for c in codings
    )


def _organisations(parts: Index) -> Mapping[str, OdsCode]:
    found = {name: parts.organisation({"reference": name}) for name in parts.by_reference}
    return {name: code for name, code in found.items() if code is not None}


def _listed(words: Sequence[str]) -> str:
    """Join words as the stylesheet takes a list: a blank after each."""
    return "".join(f"{word} " for word in words)
