"""Parcels as the walk makes them, for destinations that are tried without it."""

import hashlib
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.fhir.json_text import read_json
from gateway.journey.gateway import Parcel
from gateway.mapping.fhir_rest import FhirTransaction
from gateway.mapping.outgoing import Outgoing
from gateway.outbound.https_line import HttpsLine
from gateway.referral.directory import Endpoint, Transport
from gateway.referral.identifiers import (
    ClientId,
    CorrelationId,
    DeliveryId,
    EndpointId,
    Handle,
    OdsCode,
    ReferralId,
    ReferralReference,
    RequestId,
    ServiceId,
)
from gateway.referral.lifecycle import (
    DeliveryKind,
    DeliveryState,
    ReferralState,
    RequestStatus,
)
from gateway.referral.model import Delivery, Door, Referral
from tests.builders.messages import PRACTICE, PROVIDER
from tests.processes.certificates import CA_FILE
from tests.processes.installation import message

AMPLE = timedelta(seconds=20)
NOW = datetime.now(UTC)
WRITER = FhirTransaction()
MESSAGE = Outgoing(tree=read_json(message("9000000001")))


def parcel(address: str, *, body: bytes | None = None, ca_file: str = CA_FILE) -> Parcel:
    """One attempt's parcel, as the walk makes it, with a key of its own."""
    referral = Referral(
        id=ReferralId.of(uuid.uuid4()), reference=ReferralReference.of(1),
        practice=OdsCode(PRACTICE), sender=ClientId("gp-one"), subject=Handle("a" * 32),
        door=Door.REST, request_id=RequestId.of(uuid.uuid4()),
        correlation_id=CorrelationId.of(uuid.uuid4()), purpose="occupational-health",
        service=ServiceId("oh-assessment"), provider=OdsCode(PROVIDER),
        state=ReferralState.IN_FLIGHT, hold=None, closed_because=None,
        status=RequestStatus.ACTIVE, content_version=1, content_at=NOW, body_sha256="0" * 64,
        version=2, received_at=NOW, updated_at=NOW,
    )  # fmt: skip
    delivery = Delivery(
        id=DeliveryId.of(uuid.uuid4()), kind=DeliveryKind.REFERRAL, referral=referral.id, service=referral.service,
        provider=referral.provider, state=DeliveryState.IN_FLIGHT, attempts=1, next_at=NOW,
        give_up_at=NOW + AMPLE, lease_owner="w", lease_until=NOW + AMPLE, reason=None,
        may_have_arrived=False, lane=EndpointId("oh"), version=2, created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    endpoint = Endpoint(
        id=EndpointId("oh"), transport=Transport.FHIR_REST, address=address, ca_file=ca_file
    )
    sent = WRITER.write(MESSAGE, referral, delivery, endpoint) if body is None else body
    return Parcel(
        delivery=delivery, referral=referral, body=sent,
        body_sha256=hashlib.sha256(sent).hexdigest(),
        endpoint=endpoint, media_type=WRITER.media_type,
    )  # fmt: skip


def line(folder: Path, *, connect: timedelta = AMPLE, reply: timedelta = AMPLE) -> HttpsLine:
    """Make a line whose certificates and credentials are in one folder."""
    return HttpsLine(
        certificates=folder, credentials=folder, connect_timeout=connect, reply_timeout=reply
    )


def within(seconds: float = 20.0) -> float:
    """Tell by when an attempt must end that begins now."""
    return time.monotonic() + seconds
