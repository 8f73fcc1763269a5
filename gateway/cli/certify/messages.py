"""The synthetic referrals of the self-test, and what recalls them.

What enters: an endpoint, a Writer, an instant. What leaves: parcels as the walk makes them,
each with names of its own. Nobody in them exists: the NHS number is of the 999 range, the name
begins with XXTESTPATIENT, and each resource that may carry a label carries HTEST. The Bundle,
its Task and a recall are made by the Writer as in production, so they carry none.
Source: FHIR R4, security-labels.html (HTEST: test health data).
"""

import base64
import hashlib
import secrets
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from gateway.cli.demo.people import Person
from gateway.cli.demo.samples import Door as Way
from gateway.cli.demo.samples import Ending, Expected, Sample, message_of
from gateway.cli.demo.setting import HAWTHORN, OH
from gateway.fhir.json_text import MAX_BYTES, read_json
from gateway.journey.gateway import Parcel, Writer
from gateway.mapping.outgoing import Outgoing
from gateway.referral.directory import Endpoint, Format
from gateway.referral.identifiers import (
    ClientId,
    CorrelationId,
    DeliveryId,
    Handle,
    OdsCode,
    ReferralId,
    ReferralReference,
    RequestId,
    ServiceId,
)
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.lifecycle import (
    CANCELLED,
    DeliveryKind,
    DeliveryState,
    ReferralState,
    RequestStatus,
)
from gateway.referral.model import Delivery, Door, Referral

_NOBODY = Person(
    nhs="9990000018", given="Certify", family="XXTESTPATIENT-GATEWAY", gender="other",
    born="1980-02-29",
)  # fmt: skip
_TEST: JsonObject = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActReason",
    "code": "HTEST",
    "display": "test health data",
}
_UNKNOWN = "https://supplier.example/fhir"
"""Of everything that no endpoint can know."""
_BESIDE_DOCUMENT = 32 * 1024
"""Bytes that a letter takes beside its document, and what the Writer adds: amply."""
_RECALL_DUE = timedelta(days=2)

Edit = Callable[[JsonObject], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Messages:
    """Makes parcels for one endpoint. `largest` is the length of the largest, in bytes."""

    writer: Writer
    endpoint: Endpoint
    provider: OdsCode
    service: str
    largest: int = MAX_BYTES

    def form(self, *, age: timedelta = timedelta(0), edit: Edit | None = None) -> Parcel:
        """Make a referral whose parts are all contained in the ServiceRequest.

        For BaRS, which asks for more, it is a message.
        """
        if self.endpoint.format is Format.BARS_MESSAGE:
            return self._parcel("oh-message", Way.BARS, age, edit)
        return self._parcel("oh-form", Way.FORM, age, edit)

    def letter(self, *, edit: Edit | None = None) -> Parcel:
        """Make a referral of several resources that refer to each other, with a document."""
        if self.endpoint.format is Format.BARS_MESSAGE:
            return self.form(edit=edit)
        return self._parcel("oh-letter", Way.BUNDLE, timedelta(0), edit)

    def large(self) -> Parcel:
        """Make a letter as long as the gateway takes at its own door."""
        return self.letter(edit=self._enlarge)

    def with_unknowns(self) -> Parcel:
        """Make a referral that carries what no endpoint can know, as FHIR allows."""
        return self.form(edit=_add_unknowns)

    def recall_of(self, parcel: Parcel) -> Parcel:
        """Make what tells the endpoint to stop work on a referral."""
        now = datetime.now(UTC)
        recall = replace(
            parcel.delivery, id=DeliveryId.of(uuid.uuid4()), kind=DeliveryKind.RECALL,
            reason=CANCELLED, created_at=now, updated_at=now, give_up_at=now + _RECALL_DUE,
        )  # fmt: skip
        body = self.writer.write_recall(parcel.referral, recall, self.endpoint)
        return replace(
            parcel, delivery=recall, body=body, body_sha256=hashlib.sha256(body).hexdigest()
        )

    def _parcel(self, template: str, way: Way, age: timedelta, edit: Edit | None) -> Parcel:
        created = datetime.now(UTC) - age
        sample = Sample(
            name=template, title="", door=way, template=template, person=_NOBODY, practice=HAWTHORN,
            service=replace(OH, ods=self.provider, dos_service_id=self.service),
            expected=Expected(status=200, ending=Ending.DELIVERED),
        )  # fmt: skip
        tree = read_json(message_of(sample, at=created).body)
        _mark(tree)
        if edit is not None:
            edit(tree)
        referral = self._referral(created)
        delivery = self._delivery(referral, created)
        body = self.writer.write(Outgoing(tree=tree), referral, delivery, self.endpoint)
        return Parcel(
            delivery=delivery, referral=referral, endpoint=self.endpoint,
            media_type=self.writer.media_type, body=body,
            body_sha256=hashlib.sha256(body).hexdigest(),
        )  # fmt: skip

    def _referral(self, created: datetime) -> Referral:
        return Referral(
            id=ReferralId.of(uuid.uuid4()), reference=ReferralReference.of(secrets.randbits(40)),
            practice=OdsCode(HAWTHORN.ods), sender=ClientId("certify"), subject=Handle("0" * 32),
            door=Door.REST, request_id=RequestId.of(uuid.uuid4()),
            correlation_id=CorrelationId.of(uuid.uuid4()), purpose=OH.purpose,
            service=ServiceId(OH.service_id), provider=self.provider,
            state=ReferralState.IN_FLIGHT, hold=None, closed_because=None,
            status=RequestStatus.ACTIVE, content_version=1, content_at=created,
            body_sha256="0" * 64, version=2, received_at=created, updated_at=created,
        )  # fmt: skip

    def _delivery(self, referral: Referral, created: datetime) -> Delivery:
        return Delivery(
            id=DeliveryId.of(uuid.uuid4()), kind=DeliveryKind.REFERRAL, referral=referral.id,
            service=referral.service, provider=referral.provider, state=DeliveryState.IN_FLIGHT,
            attempts=1, next_at=created, give_up_at=created + timedelta(days=5),
            lease_owner="certify", lease_until=created, reason=None, may_have_arrived=False,
            lane=self.endpoint.id, version=2, created_at=created, updated_at=created,
        )  # fmt: skip

    def _enlarge(self, tree: JsonObject) -> None:
        """Make the message's document as long as the whole may be."""
        length = max(self.largest - _BESIDE_DOCUMENT, 0) * 3 // 4
        document = b"%PDF-1.4\n%" + b"x" * length
        digest = hashlib.sha1(document, usedforsecurity=False).digest()  # SHA-1: as FHIR has it
        if not any(objects(resource, "content") for resource in _resources(tree)):
            _add_document(tree)
        for resource in _resources(tree):
            for content in objects(resource, "content"):
                attachment = child(content, "attachment") or {}
                attachment["data"] = base64.b64encode(document).decode()
                attachment["size"] = len(document)
                attachment["hash"] = base64.b64encode(digest).decode()


def _add_document(tree: JsonObject) -> None:
    """Put a document into a message that has none, and let the referral lead to it."""
    name = f"urn:uuid:{uuid.uuid4()}"
    requests = [r for r in _resources(tree) if string(r, "resourceType") == "ServiceRequest"]
    for request in requests:
        request["supportingInfo"] = [*objects(request, "supportingInfo"), {"reference": name}]
    document: JsonObject = {
        "resourceType": "DocumentReference",
        "meta": {"security": [dict(_TEST)]},
        "status": "current",
        "content": [{"attachment": {"contentType": "application/pdf"}}],
    }
    tree["entry"] = [*objects(tree, "entry"), {"fullUrl": name, "resource": document}]


def _resources(tree: JsonObject) -> list[JsonObject]:
    """List the resources that may carry a label: not those that are contained."""
    if string(tree, "resourceType") != "Bundle":
        return [tree]
    return [child(entry, "resource") or {} for entry in objects(tree, "entry")]


def _mark(tree: JsonObject) -> None:
    for resource in _resources(tree):
        meta = child(resource, "meta") or {}
        resource["meta"] = meta | {"security": [*objects(meta, "security"), dict(_TEST)]}


def _add_unknowns(tree: JsonObject) -> None:
    tag: JsonObject = {"system": f"{_UNKNOWN}/CodeSystem/unknown", "code": "unknown"}
    name: JsonObject = {"system": f"{_UNKNOWN}/Id/unknown", "value": "unknown"}
    extension: JsonObject = {"url": f"{_UNKNOWN}/StructureDefinition/unknown", "valueCode": "any"}
    for resource in _resources(tree):
        if string(resource, "resourceType") == "ServiceRequest":
            meta = child(resource, "meta") or {}
            resource["meta"] = meta | {"tag": [tag]}
            resource["identifier"] = [name, *objects(resource, "identifier")]
            resource["extension"] = [*objects(resource, "extension"), extension]
