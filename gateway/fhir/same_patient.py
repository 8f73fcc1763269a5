"""Every part of a referral is about its one Patient, and names nobody else.

What enters: a message that `validate` has passed, its Index, its ServiceRequest and its
Patient. What leaves: a fault for each subject, reference, NHS number, document or hidden
resource that is, or may be, somebody else's; each at its place. No diagnostics quote the
message.

Somebody else is whoever is not proved to be the Patient. A reference proves it by leading to
the Patient of the message, or by an identifier that the Patient has. The wrong person's data
in a right message does harm that nobody notices, so in doubt the whole message is refused.

Not checked: what is written in narrative, in free text and inside attachments; plain strings
and codes; an NHS number whose identifier has neither system nor place of a document.
"""

import re
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Final

from gateway.errors import Fault, IssueCode
from gateway.fhir.faults import MAX_FAULTS, Place
from gateway.fhir.references import Index, Part
from gateway.fhir.tables import load_tables
from gateway.fhir.visit import Visited, visit
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM, NhsNumber, normal_system
from gateway.referral.json import JsonObject, child, objects, string

ABOUT: Final = frozenset({"subject", "patient", "for", "beneficiary", "sourcePatientInfo", "other"})
"""The elements that say about whom something is, in every type that the tables read.

`other` is Patient.link.other. All further elements that may point to a Patient say who did
something, or what else is of interest: there, anybody who is not a Patient may stand.
"""

_PEOPLE: Final = frozenset(
    {"Patient", "Practitioner", "PractitionerRole", "RelatedPerson", "Person", "Group", "CareTeam"}
)
"""About none of these, but the one Patient. A place, a device or a specimen is no person."""

_WRAPPERS: Final = frozenset({"Bundle", "Parameters"})
_DOCUMENTS: Final = frozenset({"DocumentReference", "Media", "Binary"})

_OLDER: Final = frozenset(
    {
        "https://fhir.nhs.net/id/nhs-number",
        "urn:oid:2.16.840.1.113883.2.1.4.1",
        "2.16.840.1.113883.2.1.4.1",
    }
)
"""How the NHS number's system was written before FHIR R4, in lower case and with https."""

_TYPES: Final = "http://terminology.hl7.org/CodeSystem/v2-0203"
"""Where an identifier's type is coded; its code NH is that of a national number."""

_VERSION: Final = re.compile(r"/_history/[^/]*$")
_NAMED_TYPE: Final = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}$")
_NAMES_PATIENT: Final = re.compile(r"(?:^|/)Patient[/?]", re.IGNORECASE)
_OPAQUE: Final = re.compile(
    r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"  # a UUID
    r"|[0-9A-Fa-f]{24,}"  # a digest
    r"|(?<![0-9])[0-9]++(?:\.[0-9]++){3,}+"  # an OID
)
_GAP: Final = r"(?:[ \u00a0_-]|%20)?"
_TEN_DIGITS: Final = re.compile(
    rf"(?<![0-9])([0-9]{{3}}){_GAP}([0-9]{{3}}){_GAP}([0-9]{{4}})(?![0-9])"
)

_NOT_REFERRED: Final = (
    "The subject of a referral is its Patient: refer to the Patient of this message, or put"
    " the Patient's NHS number into subject.identifier."
)
_STRANGER: Final = (
    "This points to somebody else than the referral's Patient. Every part of a referral is"
    " about one patient."
)
_HIDDEN: Final = (
    "In a Bundle, the Patient and what is about the Patient stand in entries of their own, not"
    " in contained."
)
_OTHER_NUMBER: Final = (
    "This carries an NHS number that is not the Patient's. Send what belongs to this patient"
    " only; where it is another kind of number, leave it out."
)


def stranger_faults(
    tree: JsonObject, parts: Index, request: Part, patient: Part
) -> Iterator[Fault]:
    """Find whatever in a message is somebody else's than its Patient's.

    1. The one who is referred is the Patient, not a group, a place or a device.
    2. No person is hidden below the entries, where nobody would look.
    3. Every reference leads to the Patient, or to no Patient.
    4. Every NHS number, and every document's name and number, is the Patient's.
    5. The Patient has one NHS number, or none.

    Of each kind there are at most one more than `faults.MAX_FAULTS`: no report outgrows its
    message, and whoever tells them knows that there were too many.
    """
    yield from islice(_Judge(parts, request, patient).judge(tree), MAX_FAULTS + 1)
    yield from islice(_number_faults(patient), MAX_FAULTS + 1)


def is_nhs_number(identifier: JsonObject) -> bool:
    """Whether an Identifier says that it is an NHS number, in today's system."""
    return normal_system(string(identifier, "system") or "") == NHS_NUMBER_SYSTEM


class _Judge:
    """Judges one message. A thing refused is not judged again for what is in it."""

    def __init__(self, parts: Index, request: Part, patient: Part) -> None:
        own = objects(patient.resource, "identifier")
        self._parts = parts
        self._patient = patient
        self._request = request
        self._known = {id(part.resource) for part in parts.parts}
        self._numbers = frozenset(_value(each) for each in own if _is_any_nhs_number(each))
        self._identifiers = frozenset(_key(each) for each in own if string(each, "value"))
        self._refused: set[int] = set()

    def judge(self, tree: JsonObject) -> Iterator[Fault]:
        if "subject" not in self._request.resource:
            yield _fault(f"{self._request.path}.subject", _NOT_REFERRED)
        for each in visit(tree, _judged_types()):
            if self._is_inside_refused(each.place):
                continue
            match each.type:
                case "Reference":
                    yield from self._reference(each)
                case "Identifier":
                    yield from self._identifier(each)
                case "Attachment":
                    yield from self._texts(each.node, each.path, ("id", "title", "url"))
                case "Bundle.entry.request":
                    yield from self._texts(each.node, each.path, ("url", "ifNoneExist"))
                case _:
                    yield from self._resource(each)

    def _is_inside_refused(self, place: Place) -> bool:
        step: Place | None = place if self._refused else None
        while step is not None and id(step) not in self._refused:
            step = step[0]
        return step is not None

    def _resource(self, each: Visited) -> Iterator[Fault]:
        is_below = each.place[0] is not None
        if is_below and each.type in _WRAPPERS:
            self._refused.add(id(each.place))
            yield Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression=each.path,
                diagnostics=f"A {each.type} inside a referral is not taken. Send what it holds"
                " as entries of the message.",
            )
        elif id(each.node) not in self._known and is_below and _is_of_a_person(each):
            self._refused.add(id(each.place))
            yield _fault(each.path, _HIDDEN)
        elif each.type in _DOCUMENTS:
            yield from self._document(each)

    def _reference(self, each: Visited) -> Iterator[Fault]:
        if each.name == "subject" and each.path == f"{self._request.path}.subject":
            is_right, says = self._leads_to_patient(each.node), _NOT_REFERRED
        elif each.name in ABOUT:
            is_right, says = self._is_about(each.node), _STRANGER
        else:
            is_right, says = self._is_nobody_else(each.node), _STRANGER
        if not is_right:
            self._refused.add(id(each.place))
            yield _fault(each.path, says)

    def _leads_to_patient(self, reference: JsonObject) -> bool:
        target = self._follow(reference)
        if target is not None or string(reference, "reference") is not None:
            return target is self._patient
        identifier = child(reference, "identifier") or {}
        return is_nhs_number(identifier) and _value(identifier) in self._numbers

    def _is_about(self, reference: JsonObject) -> bool:
        """Whether this is the Patient, or surely no person."""
        target = self._follow(reference)
        text = string(reference, "reference")
        if target is not None:
            return target is self._patient or target.type not in _PEOPLE
        if text is not None:
            named = _NAMED_TYPE.search(_VERSION.sub("", text))
            return named is not None and named[1] not in _PEOPLE
        stated = string(reference, "type")
        return self._is_own(child(reference, "identifier")) or (
            stated is not None and stated not in _PEOPLE
        )

    def _is_nobody_else(self, reference: JsonObject) -> bool:
        """Whether this is the Patient, or is not said to be a patient at all."""
        target = self._follow(reference)
        if target is not None:
            return target is self._patient or target.type != "Patient"
        text = string(reference, "reference")
        if text is not None and _NAMES_PATIENT.search(text):
            return False
        is_patient = string(reference, "type") == "Patient"
        return not is_patient or (text is None and self._is_own(child(reference, "identifier")))

    def _follow(self, reference: JsonObject) -> Part | None:
        text = string(reference, "reference")
        return self._parts.by_reference.get(_VERSION.sub("", text)) if text else None

    def _is_own(self, identifier: JsonObject | None) -> bool:
        return identifier is not None and (
            _key(identifier) in self._identifiers
            or (_is_any_nhs_number(identifier) and _value(identifier) in self._numbers)
        )

    def _identifier(self, each: Visited) -> Iterator[Fault]:
        if (
            string(each.node, "value") is not None
            and _is_any_nhs_number(each.node)
            and _value(each.node) not in self._numbers
        ):
            yield _fault(
                each.path,
                "This NHS number is not the Patient's. Correct it; where it belongs to a"
                " relative or to a professional, leave it out: a referral carries one"
                " person's NHS number.",
            )

    def _document(self, each: Visited) -> Iterator[Fault]:
        """Judge what a document is called, and by which numbers of any system."""
        yield from self._texts(each.node, each.path, ("id", "description"))
        master = child(each.node, "masterIdentifier")
        numbered = [("masterIdentifier", master)] if master else []
        numbered += [
            (f"identifier[{position}]", identifier)
            for position, identifier in enumerate(objects(each.node, "identifier"))
        ]
        for place, identifier in numbered:
            if not _is_any_nhs_number(identifier):  # else judged as an Identifier
                yield from self._texts(identifier, f"{each.path}.{place}", ("value",))

    def _texts(self, node: JsonObject, place: str, names: tuple[str, ...]) -> Iterator[Fault]:
        for name in names:
            text = string(node, name)
            if text is not None and not numbers_in(text) <= self._numbers:
                yield _fault(f"{place}.{name}", _OTHER_NUMBER)


def numbers_in(text: str) -> frozenset[str]:
    """Find what may be NHS numbers: ten digits, right by modulus 11, together or 3-3-4.

    A UUID, a digest and an OID are read over; so is what a `data:` URL carries.
    """
    shown = text.partition(",")[0] if text.startswith("data:") else text
    found = {"".join(each.groups()) for each in _TEN_DIGITS.finditer(_OPAQUE.sub(" ", shown))}
    return frozenset(each for each in found if NhsNumber(each).checks)


@cache
def _judged_types() -> frozenset[str]:
    kinds = {"Reference", "Identifier", "Attachment", "Bundle.entry.request"}
    return load_tables().resources | kinds


def _is_of_a_person(each: Visited) -> bool:
    return each.type == "Patient" or not ABOUT.isdisjoint(each.node)


def _is_any_nhs_number(identifier: JsonObject) -> bool:
    """Whether an Identifier says that it is an NHS number, by its system or by its type."""
    kinds = objects(child(identifier, "type") or {}, "coding")
    if any(
        (string(k, "system"), (string(k, "code") or "").upper()) == (_TYPES, "NH") for k in kinds
    ):
        return True
    system = normal_system((string(identifier, "system") or "").strip()).lower().rstrip("/")
    return system == NHS_NUMBER_SYSTEM.lower() or system.replace("http:", "https:") in _OLDER


def _value(identifier: JsonObject) -> str:
    return re.sub(r"[\s-]", "", string(identifier, "value") or "")


def _key(identifier: JsonObject) -> tuple[str, str]:
    return normal_system(string(identifier, "system") or ""), string(identifier, "value") or ""


def _fault(expression: str, diagnostics: str) -> Fault:
    return Fault(code=IssueCode.INVARIANT, expression=expression, diagnostics=diagnostics)


def _number_faults(patient: Part) -> Iterator[Fault]:
    numbers = set()
    for identifier in filter(_is_any_nhs_number, objects(patient.resource, "identifier")):
        try:
            numbers.add(NhsNumber(string(identifier, "value") or ""))
        except ValueError as error:
            yield Fault(
                code=IssueCode.VALUE,
                expression=f"{patient.path}.identifier",
                diagnostics=f"This is not an NHS number: {error}.",
            )
    if len(numbers) > 1:
        yield _fault(
            f"{patient.path}.identifier",
            "The Patient has two different NHS numbers. Send the right one only.",
        )
