"""Codes of a community pharmacy become the ITK3 message that a practice's system takes for a record.

What enters: a Bundle of FHIR R4 that a pharmacy sent, and leave of row 4 of the write guard. What
leaves: GP Connect Update Record in FHIR STU3 XML, the same bytes at every attempt, and what MESH
needs to route it. Must never: write without that leave; lose anything in silence: what has no
place is refused with its FHIRPath, and the caller sends a document in place of the whole.
Source: GP Connect Update Record 1.2, ITK3 2.9; `mappings/gp-connect/README.md`.

Not checked: that the person is of that practice; that codes exist in their terminologies.
"""

from typing import Final

from gateway.errors import IllegalMoveError, InvalidMessageError
from gateway.fhir.faults import not_too_many
from gateway.fhir.references import Part
from gateway.fhir.same_patient import is_nhs_number
from gateway.mapping.itk3_checks import faults_of_posted, faults_of_texts, texts_of_posted
from gateway.mapping.itk3_envelope import (
    UUIDS,
    PracticeMessage,
    begin,
    check_leave,
    control_of,
    finish,
    part_of,
    put_entry,
)
from gateway.mapping.itk3_record_checks import Taken, faults_of_whole, take_apart
from gateway.mapping.itk3_record_elements import RecordWriter
from gateway.mapping.itk3_record_parts import PracticeRecord
from gateway.referral.identifiers import ODS_CODE_SYSTEM, DeliveryId
from gateway.referral.json import JsonObject, objects, string
from gateway.writeback.interactions import Interaction, Permitted
from gateway.writeback.ruling import WRITES_CODES

__all__ = ["PracticeRecord", "write_record"]

_FOR_US: Final = {"Composition": "event", "Encounter": "basedOn"}
"""What names the referral to this gateway, and is not sent on; see `_of_request` of the checks."""


def write_record(record: PracticeRecord, permitted: Permitted) -> PracticeMessage:
    """Write the message that brings codes to one practice.

    Raises:
        IllegalMoveError: leave was given for a document, or for another delivery.
        InvalidMessageError: not all of it has a place there, or it is too long, or MESH cannot
            route it; every fault of the first kind that is found, with its place as it was sent.
    """
    check_leave(record, permitted, Interaction.UPDATE_RECORD)
    if permitted.row != WRITES_CODES:
        text = f"row {permitted.row} of the write guard writes no codes"
        raise IllegalMoveError(text)
    taken = take_apart(record.tree)
    title = string(taken.composition.resource, "title") or ""
    texts = [(f"{taken.composition.path}.title", title), *texts_of_posted(record)]
    names = {part.path: _name(record, taken, part) for part in taken.parts}
    writer = RecordWriter(taken.known, names)
    root, document = begin(record, permitted)
    for part in taken.parts:
        version = permitted.version.number if part is taken.composition else None
        resource = put_entry(document, part.type, names[part.path])
        writer.write(resource, part, _as_sent_on(record, part, permitted, names), version=version)
    faults = [
        *faults_of_posted(record),
        *faults_of_texts(texts),
        *faults_of_whole(record, taken, permitted),
        *writer.faults,
    ]
    if faults:
        raise InvalidMessageError(*not_too_many(faults))
    control = control_of(record, permitted, title)
    return PracticeMessage(control=control, body=finish(root, "Bundle"))


def _name(record: PracticeRecord, taken: Taken, part: Part) -> str:
    """Name an entry: the Composition as in a letter, so that one can take the other's place."""
    is_first = part is taken.composition
    return part_of(record.delivery_id, "composition" if is_first else f"record/{part.path}")


def _as_sent_on(
    record: PracticeRecord, part: Part, permitted: Permitted, names: dict[str, str]
) -> JsonObject:
    """Put what this message says of itself and of its address in place of what was sent."""
    node = {key: part.resource[key] for key in part.resource if key != _FOR_US.get(part.type)}
    own: JsonObject = {"system": UUIDS, "value": names[part.path]}
    if part.type == "Composition":
        return {**node, "identifier": own, "relatesTo": [*_replaced(permitted)]}
    node.setdefault("identifier", [own])
    return {**node, **_addressed(record, node)} if part.type == "Patient" else node


def _replaced(permitted: Permitted) -> list[JsonObject]:
    if permitted.version.replaces is None:
        return []
    value = part_of(DeliveryId(permitted.version.replaces), "composition")
    return [{"code": "replaces", "targetIdentifier": {"system": UUIDS, "value": value}}]


def _addressed(record: PracticeRecord, node: JsonObject) -> JsonObject:
    """Write number, family name and practice as in the address; the checks compared them."""
    official: JsonObject = {"use": "official", "family": record.patient.family}
    number: JsonObject = {"value": record.patient.number}
    practice: JsonObject = {
        "identifier": {"system": ODS_CODE_SYSTEM, "value": record.practice.ods},
        "display": record.practice.name,
    }
    identifiers = node.get("identifier")
    return {
        "identifier": [
            {**each, **number} if isinstance(each, dict) and is_nhs_number(each) else each
            for each in (identifiers if isinstance(identifiers, list) else [identifiers])
        ],
        "name": [{**each, **official} for each in objects(node, "name")],
        "generalPractitioner": [practice],
    }
