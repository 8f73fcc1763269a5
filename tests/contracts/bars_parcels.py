"""Parcels for BaRS receivers, as the walk makes them."""

import hashlib
import json
import uuid
from dataclasses import replace
from typing import Any

from gateway.fhir.json_text import read_json
from gateway.journey.gateway import Parcel
from gateway.mapping.bars_message import BarsMessage
from gateway.mapping.outgoing import Outgoing
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import (
    CorrelationId,
    DeliveryId,
    EndpointId,
    OdsCode,
    ReferralId,
    ReferralReference,
)
from gateway.referral.lifecycle import DeliveryKind, RequestStatus
from gateway.referral.model import Delivery, Referral
from tests.builders.house import own_profiles
from tests.builders.messages import bars_message
from tests.builders.rows import a_delivery, a_referral
from tests.processes.bars_checks import TARGET
from tests.processes.bars_receiver import CLIENT, KEY_FILE, KEY_ID
from tests.processes.certificates import CA_FILE

WRITER = BarsMessage(own_profiles(), by=OdsCode("XGW01"))
SOURCE = "https://fhir.nhs.uk/Id/dos-service-id|2000011147"


def endpoint(address: str, **parameters: str) -> Endpoint:
    """An endpoint of a receiver; a parameter that is empty is left out."""
    known = {
        "target_identifier": f"{TARGET['system']}|{TARGET['value']}",
        "source_identifier": SOURCE,
    } | parameters
    return Endpoint(
        id=EndpointId("oh"), transport=Transport.BARS, format=Format.BARS_MESSAGE,
        address=address, ca_file=CA_FILE,
        parameters={name: value for name, value in known.items() if value},
    )  # fmt: skip


def secured(address: str, token_url: str, **changed: str) -> Endpoint:
    """An endpoint that asks for a token."""
    client = {"client_id": CLIENT, "key_id": KEY_ID, "key_file": KEY_FILE}
    return endpoint(address, token_url=token_url, **(client | changed))


def a_pair() -> tuple[Referral, Delivery]:
    """A referral and its delivery, like no other."""
    referral = replace(
        a_referral(),
        id=ReferralId.of(uuid.uuid4()),
        correlation_id=CorrelationId.of(uuid.uuid4()),
        reference=ReferralReference.of(uuid.uuid4().int & (2**40 - 1)),
    )
    delivery = replace(a_delivery(), id=DeliveryId.of(uuid.uuid4()), referral=referral.id)
    return referral, delivery


def parcel_to(to: Endpoint, tree: Any = None) -> Parcel:
    """One attempt to bring a referral to an endpoint."""
    referral, delivery = a_pair()
    message = Outgoing(tree=read_json(json.dumps(tree or bars_message()).encode()))
    return wrapped(WRITER.write(message, referral, delivery, to), referral, delivery, to)


def recall_of(sent: Parcel) -> Parcel:
    """One attempt to take back what was sent."""
    referral = replace(sent.referral, status=RequestStatus.REVOKED)
    recall = replace(
        sent.delivery, id=DeliveryId.of(uuid.uuid4()), kind=DeliveryKind.RECALL,
        reason="CANCELLED_BY_SENDER",
    )  # fmt: skip
    body = WRITER.write_recall(referral, recall, sent.endpoint)
    return wrapped(body, referral, recall, sent.endpoint)


def wrapped(body: bytes, referral: Referral, delivery: Delivery, to: Endpoint) -> Parcel:
    return Parcel(
        delivery=delivery, referral=referral, endpoint=to, media_type=WRITER.media_type,
        body=body, body_sha256=hashlib.sha256(body).hexdigest(),
    )  # fmt: skip
