"""Why a referral is no message of the Health and Work service, told to who wrote the referral.

What enters: the places where the document that was made of it is not what the schema says. What
leaves: faults at the FHIRPath of the source, each with how to mend it; never a value. A place
that no row speaks of is told by the name of the service's own element.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.references import Index
from gateway.mapping.work_schema import Mismatch
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject

_NOT_XML: Final = frozenset({*map(chr, range(32)), "\ufffe", "\uffff"} - {"\t", "\n", "\r"})
_SURROGATES: Final = range(0xD800, 0xE000)
_EXTENSION: Final = f"extension('{OWN_BASE}/StructureDefinition/%s')"
_WORK: Final = _EXTENSION % "employment"
_OFF: Final = _EXTENSION % "absence"
_DAY: Final = "Write a day of the calendar, a month or a year, such as 2026-11-22."

_ROWS: Final[dict[str, tuple[str, str, str]]] = {
    "Person/Name": ("Patient", "name", "The Health and Work service needs the person's name. Add a family name, or the name as text."),
    "Person/BirthDate": ("Patient", "birthDate", f"The Health and Work service needs the person's date of birth. {_DAY}"),
    "Person/NhsNumber": ("Patient", "identifier", "The NHS number is not ten digits. Mend it, or leave it out."),
    "Person/Gender": ("Patient", "gender", "The gender is none that the service knows: male, female, other, unknown."),
    "Person/Contact/Address": ("Patient", "address", "The address is not one that the service can hold."),
    "Person/Contact": ("Patient", "telecom", "The contact is not one that the service can hold."),
    "Person/Language": ("Patient", "communication", "The language is not one that the service can hold."),
    "Header/SenderReference": ("ServiceRequest", "identifier", "The identifier is not one that the service can hold."),
    "Header/Written": ("ServiceRequest", "authoredOn", "This is not an instant of the calendar."),
    "Handling": ("ServiceRequest", "meta.security", "The label is not one that the service can hold."),
    "Referrer": ("ServiceRequest", "requester", "The referrer's name, role or contact is not one that the service can hold."),
    "Practice": ("ServiceRequest", "requester", "The practice's name or contact is not one that the service can hold."),
    "Employment/Status": ("ServiceRequest", f"{_WORK}.extension('status')", "The employment status is none that the service knows."),
    "Employment/JobTitle": ("ServiceRequest", f"{_WORK}.extension('occupation')", "The occupation is not one that the service can hold."),
    "Employment/Employer": ("ServiceRequest", f"{_WORK}.extension('employer')", "The employer's name is not one that the service can hold."),
    "Employment/HoursPerWeek": ("ServiceRequest", f"{_WORK}.extension('hoursPerWeek')", "The hours a week are from 0 to 168, written as a plain decimal number without an exponent."),
    "Absence/Status": ("ServiceRequest", f"{_OFF}.extension('status')", "The absence status is none that the service knows."),
    "Absence/FirstDay": ("ServiceRequest", f"{_OFF}.extension('start')", f"The first day of absence is not a day. {_DAY}"),
    "Absence/ExpectedLength": ("ServiceRequest", f"{_OFF}.extension('expectedLength')", "The expected length is a plain number from 0 to 100000 with a unit, such as 6 wk."),
    "Absence/ExpectedReturn": ("ServiceRequest", f"{_OFF}.extension('expectedReturn')", f"The day of return is not a day. {_DAY}"),
    "FitNotes": ("ServiceRequest", _EXTENSION % "fit-note", f"A fit note says what it states, in a code or in words, and its days. {_DAY}"),
    "Adjustments": ("ServiceRequest", _EXTENSION % "suggested-adjustment", "An adjustment says what is suggested, in a code or in words."),
    "Reason/Requested": ("ServiceRequest", "code", "What is asked for is not one that the service can hold."),
    "Reason/Urgency": ("ServiceRequest", "priority", "The priority is none that the service knows."),
    "Reason/WantedBy": ("ServiceRequest", "occurrence", "This is not an instant of the calendar."),
    "Reason/Note": ("ServiceRequest", "note", "The note is not one that the service can hold."),
    "Reason": ("ServiceRequest", "reasonCode", "The Health and Work service needs the reason. Add reasonCode, reasonReference with a code, a note, or a letter with its content."),
    "Consent/ToRefer": ("Consent", "dateTime", "The time of the consent is not an instant of the calendar."),
    "Consent/ToSharePlan": ("Consent", "provision.actor", "Whom the plan may go to is not written as the service can hold it: an ODS code, a name."),
    "Documents": ("DocumentReference", "content.attachment", "The document's title, kind, date, media type or content is not one that the service can hold; content is base64."),
}  # fmt: skip
"""Element of the service, from the root's children down: type, element and words of the source."""


def faults_of(mismatches: Sequence[Mismatch], parts: Index) -> InvalidMessageError:
    """Tell each mismatch at its source, once."""
    faults = dict.fromkeys(_fault(each, parts) for each in mismatches)
    return InvalidMessageError(*faults)


def _fault(mismatch: Mismatch, parts: Index) -> Fault:
    code = IssueCode.TOO_LONG if mismatch.is_too_long else IssueCode.INVALID
    path = mismatch.path
    while path and path not in _ROWS:
        path = path.rpartition("/")[0]
    if not path:
        text = (
            "The Health and Work service's message cannot be made of this referral"
            f" (its element {mismatch.path or 'Referral'})."
        )
        return Fault(code=code, expression=_place("ServiceRequest", parts), diagnostics=text)
    kind, element, words = _ROWS[path]
    if mismatch.is_too_long:
        words = "This is longer than the Health and Work service can hold; shorten it."
    return Fault(code=code, expression=f"{_place(kind, parts)}.{element}", diagnostics=words)


def _place(kind: str, parts: Index) -> str:
    found = parts.of_type(kind)
    return found[0].path if found else kind


def refusal(expression: str | None, text: str) -> InvalidMessageError:
    """Make the error of one fault."""
    return InvalidMessageError(
        Fault(code=IssueCode.INVALID, expression=expression, diagnostics=text)
    )


def unmakeable(parts: Index) -> InvalidMessageError:
    """Say that no message can be made, where nobody can say more: it is not valid FHIR."""
    text = (
        "The Health and Work service's message cannot be made of this referral. Hold it against"
        " FHIR R4, and send it again."
    )
    return refusal(_place("ServiceRequest", parts), text)


def unwritable(parts: Index) -> InvalidMessageError:
    """Say which texts of a message have characters that XML does not have."""
    text = (
        "This text has a control character, or another that XML cannot carry, and the Health and"
        " Work service reads XML. Take it out."
    )
    places = [place for part in parts.parts for place in _unwritable(part.resource, part.path)]
    if not places:
        return unmakeable(parts)
    return InvalidMessageError(
        *(Fault(code=IssueCode.VALUE, expression=each, diagnostics=text) for each in places)
    )


def _unwritable(value: Json, place: str) -> Iterator[str]:
    if isinstance(value, str):
        if any(each in _NOT_XML or ord(each) in _SURROGATES for each in value):
            yield place
    elif isinstance(value, list):
        for position, each in enumerate(value):
            yield from _unwritable(each, f"{place}[{position}]")
    elif isinstance(value, dict):
        yield from _inside(value, place)


def _inside(tree: JsonObject, place: str) -> Iterator[str]:
    for key, each in tree.items():
        if key != "contained":  # each contained resource is a part of its own
            yield from _unwritable(each, f"{place}.{key.removeprefix('_')}")
