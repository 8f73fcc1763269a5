"""Whether what a pharmacy sent is an Update Record, about this person, and whole.

What enters: a record, and leave to write it. What leaves: its parts in the order of the message, or
why it is none; and each fault of what it says as a whole: its service, its sections, its person, its
sender. Must never: take another person's, or another sender's.
Source: GP Connect Update Record 1.2, Composition, section, Patient; GPCM-SD-035 to 038.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.faults import not_too_many
from gateway.fhir.references import Index, Part, index
from gateway.fhir.same_patient import is_nhs_number
from gateway.mapping.itk3_envelope import fault
from gateway.mapping.itk3_record_parts import PracticeRecord
from gateway.mapping.itk3_record_tables import CLINICAL, RESOURCES
from gateway.mapping.itk3_record_terms import (
    HEADINGS,
    NOT_TO_PATIENT,
    SERVICES,
    SNOMED,
)
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.writeback.interactions import Permitted

_BUNDLES: Final = frozenset({"document", "collection"})
_OF_BUNDLE: Final = frozenset(
    {"resourceType", "id", "meta", "identifier", "type", "timestamp", "entry"}
)
_OF_IDENTIFIER: Final = frozenset({"use", "system", "value", "period"})
_OF_META: Final = frozenset({"id", "versionId", "lastUpdated", "source", "profile"})
_OF_ENTRY: Final = frozenset({"fullUrl", "resource"})
_ONE: Final = ("Composition", "Encounter", "Patient")
_SOME: Final = ("Organization", "Practitioner", "PractitionerRole", "ClinicalImpression")
_IN_SECTIONS: Final = ("Encounter", "ClinicalImpression")
_NAMES_PRACTICE: Final = frozenset({"reference", "type", "identifier", "display"})
_REQUESTS: Final = ("ServiceRequest", "Task")
_NAMES_REQUEST: Final = re.compile(r"(?:^|/)(?:ServiceRequest|Task)/[A-Za-z0-9.-]+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The parts of a record, in the order in which the message has them."""

    known: Index
    parts: tuple[Part, ...]
    composition: Part
    patient: Part


def take_apart(tree: JsonObject) -> Taken:
    """Find the parts of a record.

    Raises:
        InvalidMessageError: it is no such Bundle, or has a part too many or too few.
    """
    if string(tree, "resourceType") != "Bundle" or string(tree, "type") not in _BUNDLES:
        text = "Update Record is made of a Bundle with a Composition: send one, or a document."
        where = string(tree, "resourceType") or "Bundle"
        raise InvalidMessageError(fault(IssueCode.NOT_SUPPORTED, text, where))
    known = index(tree)
    faults = [*_of_bundle(tree), *_of_parts(known)]
    if faults:
        raise InvalidMessageError(*not_too_many(faults))
    order = list(RESOURCES)
    return Taken(
        known=known,
        parts=tuple(sorted(known.parts, key=lambda part: order.index(part.type))),
        composition=known.of_type("Composition")[0],
        patient=known.of_type("Patient")[0],
    )


def _of_bundle(tree: JsonObject) -> Iterator[Fault]:
    for key in sorted(set(tree) - _OF_BUNDLE):
        yield _no_place(f"Bundle.{key.removeprefix('_')}")
    for name, known in (("identifier", _OF_IDENTIFIER), ("meta", _OF_META)):
        for key in sorted(set(child(tree, name) or {}) - known):
            yield _no_place(f"Bundle.{name}.{key.removeprefix('_')}")
    for place, entry in enumerate(objects(tree, "entry")):
        for key in sorted(set(entry) - _OF_ENTRY):
            yield _no_place(f"Bundle.entry[{place}].{key.removeprefix('_')}")


def _of_parts(known: Index) -> Iterator[Fault]:
    for part in known.parts:
        if part.type not in RESOURCES:
            yield _no_place(part.path)
    found = Counter(part.type for part in known.parts)
    for name in (*_ONE, *_SOME):
        if not found[name]:
            text = f"Update Record has a {name}: add it, or send a document."
            yield fault(IssueCode.REQUIRED, text, "Bundle.entry")
    for name in _ONE:
        if found[name] > 1:
            text = f"Update Record has one {name}: send a Bundle for each."
            yield fault(IssueCode.INVARIANT, text, known.of_type(name)[1].path)


def faults_of_whole(record: PracticeRecord, taken: Taken, permitted: Permitted) -> Iterator[Fault]:
    """Tell what is wrong with what a record says as a whole."""
    yield from _of_service(taken.composition)
    yield from _of_replaced(taken.composition, permitted)
    yield from _of_sections(taken)
    yield from _of_labels(taken)
    yield from _of_request(taken)
    yield from _of_person(record, taken.patient)
    yield from _of_practice(record, taken)
    yield from _of_sender(record, taken.known)


def _of_service(composition: Part) -> Iterator[Fault]:
    codings = objects(child(composition.resource, "type") or {}, "coding")
    found = [string(each, "code") for each in codings if string(each, "system") == SNOMED]
    if len(codings) != 1 or not found or found[0] not in SERVICES:
        text = "Codes are taken for these services only, each by its one code of SNOMED CT:"
        text = f"{text} {', '.join(sorted(SERVICES))}."
        yield fault(IssueCode.CODE_INVALID, text, f"{composition.path}.type")


def _of_replaced(composition: Part, permitted: Permitted) -> Iterator[Fault]:
    """Ask that what it replaces is what the message will say: the version before."""
    for place, each in enumerate(_each(composition.resource, "relatesTo")):
        is_said = isinstance(each, dict) and string(each, "code") == "replaces"
        if permitted.version.replaces is None or not is_said:
            text = "This record replaces nothing that was sent: leave it out, or send a document."
            where = f"{composition.path}.relatesTo[{place}]"
            yield fault(IssueCode.INVARIANT, text, where)


def _of_sections(taken: Taken) -> Iterator[Fault]:
    named = {
        target.path: target.type
        for section in objects(taken.composition.resource, "section")
        for each in objects(section, "entry")
        if (target := taken.known.follow(each)) is not None
    }
    for name in _IN_SECTIONS:
        if name not in named.values():
            text = f"A section refers to the {name}: add the reference."
            yield fault(IssueCode.REQUIRED, text, f"{taken.composition.path}.section")
    for part in taken.parts:
        if part.type in CLINICAL and part.path not in named:
            text = "No section refers to this, so nobody might see it: refer to it in one."
            yield fault(IssueCode.INVARIANT, text, part.path)


def _of_labels(taken: Taken) -> Iterator[Fault]:
    """Ask that each label is one that has a place: not to be shown, on the Encounter; a heading."""
    for part in taken.parts:
        meta = child(part.resource, "meta") or {}
        for place, each in enumerate(_each(meta, "security")):
            is_known = isinstance(each, dict) and each.get("code") == NOT_TO_PATIENT
            if part.type != "Encounter" or not is_known:
                yield _no_place(f"{part.path}.meta.security[{place}]")
        for place, each in enumerate(_each(meta, "tag")):
            if not isinstance(each, dict) or each.get("system") != HEADINGS:
                yield _no_place(f"{part.path}.meta.tag[{place}]")


def _of_request(taken: Taken) -> Iterator[Fault]:
    """Ask that what leads to the referral does nothing else: it is for us, and is not sent on."""
    for part in taken.known.of_type("Encounter"):
        for place, each in enumerate(_each(part.resource, "basedOn")):
            if not _names_request(each):
                yield _no_place(f"{part.path}.basedOn[{place}]")
    for place, event in enumerate(_each(taken.composition.resource, "event")):
        if not _names_only_requests(event):
            yield _no_place(f"{taken.composition.path}.event[{place}]")


def _names_only_requests(event: Json) -> bool:
    if not isinstance(event, dict) or set(event) != {"detail"}:
        return False
    return all(_names_request(each) for each in _each(event, "detail"))


def _names_request(reference: Json) -> bool:
    if not isinstance(reference, dict) or not set(reference) <= {"reference", "type", "identifier"}:
        return False
    named, kind = string(reference, "reference"), reference.get("type")
    if named is None:
        return kind in _REQUESTS
    return _NAMES_REQUEST.search(named) is not None and kind in (None, *_REQUESTS)


def _each(node: JsonObject, key: str) -> list[Json]:
    """List what stands under a key, whatever it is, so that nothing is passed over."""
    value = node.get(key, [])
    return value if isinstance(value, list) else [value]


def _of_person(record: PracticeRecord, patient: Part) -> Iterator[Fault]:
    """Ask that it is the person of the address: the receiver checks that they agree."""
    node, wanted = patient.resource, record.patient
    numbers = [
        re.sub(r"[\s-]", "", string(each, "value") or "")
        for each in objects(node, "identifier")
        if is_nhs_number(each)
    ]
    if numbers != [wanted.number]:
        text = "This is not the person of the referral, or not by one NHS number: send theirs."
        yield fault(IssueCode.INVARIANT, text, f"{patient.path}.identifier")
    if string(node, "birthDate") != wanted.birth_date.isoformat():
        text = "The date of birth is not that of the referral: mend it, or send a document."
        yield fault(IssueCode.INVARIANT, text, f"{patient.path}.birthDate")
    if not _is_named(node, record):
        text = "The person has one name here, the official one, as in the referral: send that."
        yield fault(IssueCode.INVARIANT, text, f"{patient.path}.name")


def _is_named(node: JsonObject, record: PracticeRecord) -> bool:
    names = _each(node, "name")
    name = names[0] if len(names) == 1 else None
    if not isinstance(name, dict) or name.get("use", "official") != "official":
        return False
    sent = [name.get("family"), *_each(name, "given")]
    wanted = [record.patient.family, *record.patient.given]
    said = [each.casefold() if isinstance(each, str) else None for each in sent]
    return said == [each.casefold() for each in wanted]


def _of_practice(record: PracticeRecord, taken: Taken) -> Iterator[Fault]:
    for place, each in enumerate(_each(taken.patient.resource, "generalPractitioner")):
        named = each if isinstance(each, dict) and set(each) <= _NAMES_PRACTICE else None
        if taken.known.organisation(named) != record.practice.ods:
            text = "This is not the practice that it goes to: leave it out, or mend it."
            where = f"{taken.patient.path}.generalPractitioner[{place}]"
            yield fault(IssueCode.INVARIANT, text, where)


def _of_sender(record: PracticeRecord, known: Index) -> Iterator[Fault]:
    own = [known.organisation({"reference": name}) for name in known.by_reference]
    if record.sender.ods not in own:
        text = "None of these is the organisation that sends this: add it, with its ODS code."
        yield fault(IssueCode.REQUIRED, text, known.of_type("Organization")[0].path)


def _no_place(where: str) -> Fault:
    text = "Update Record has no place for this: leave it out, or send a document."
    return fault(IssueCode.NOT_SUPPORTED, text, where)
