"""Elements of FHIR R4 as labelled texts, so that none of them is lost.

What enters: an element that validation has passed. What leaves: rows. A data type is put into
words where every part of it has a place in them; anything else is written part by part, under the
names of its parts. Codes come out as text: the words first, the code in brackets.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.mapping.readable import Row, one_line
from gateway.mapping.readable_narrative import narrative_text
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject, child, objects, string

_SYSTEMS: Final[Mapping[str, str]] = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://loinc.org": "LOINC",
    "https://dmd.nhs.uk": "dm+d",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://unitsofmeasure.org": "UCUM",
}
_HL7: Final = "http://terminology.hl7.org/CodeSystem/"
_OURS: Final = f"{OWN_BASE}/CodeSystem/"
"""Where our own words stand: they need no address beside them."""
_COMPARATORS: Final = {"<": "less than ", "<=": "at most ", ">=": "at least ", ">": "more than "}
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CHOICE: Final = re.compile(
    r"^(value|default|onset|abatement|effective|occurrence|performed|medication|asNeeded|dose|rate|"
    r"deceased|timing|scheduled|reported|detail|product|item|content|author)"
    r"(?:CodeableConcept|Coding|Code|Quantity|Range|Ratio|String|Markdown|DateTime|Date|Time|"
    r"Instant|Period|Age|Boolean|Integer|Decimal|PositiveInt|Uri|Url|Reference|Attachment|"
    r"Identifier|Timing|SampledData)$"
)
"""An element of which FHIR has a choice of types: its name, then that of the type."""

_IS_PLAIN: Final = "text/plain"


@dataclass(frozen=True, slots=True)
class Names:
    """What the resources of a message are called, by the references that name them."""

    by_reference: Mapping[str, str]


def rows_of(label: str, value: Json, names: Names) -> Iterator[Row]:
    """Put one element, with all its parts, into rows."""
    if isinstance(value, list):
        for place, each in enumerate(value, start=1):
            numbered = f"{label} {place}" if len(value) > 1 else label
            yield from rows_of(numbered, each, names)
    elif not isinstance(value, dict):
        yield Row(label=label, text=plain(value))
    elif (said := describe(value, names)) is not None:
        yield Row(label=label, text=said)
    else:
        for key, part in value.items():
            yield from rows_of(one_line(f"{label}: {words(key)}"), part, names)


def words(key: str) -> str:
    """Write the name of an element or a type as words."""
    return _HUMP.sub(" ", _CHOICE.sub(r"\1", key.removeprefix("_"))).lower()


def plain(value: Json) -> str:
    """Write a primitive."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not given" if value is None else str(value)


def describe(value: JsonObject, names: Names) -> str | None:
    """Put a data type into words; None: it is not one, or has parts that have no place there."""
    keys = frozenset(value) - {"id"}
    for known, needed, say in _TYPES:
        if keys <= known and keys & needed:
            return say(value, names)
    return None


def file_row(binary: JsonObject, names: Names) -> Row:
    """Name the file in a Binary; where it is plain text, write it."""
    return Row(label="File", text=_attachment(binary, names))


def concept(value: JsonObject, names: Names) -> str:
    """Write a CodeableConcept: its words, then each coding."""
    said = [each for each in [string(value, "text")] if each]
    return "; ".join(said + [_coding(each, names) for each in objects(value, "coding")])


def _coding(value: JsonObject, _names: Names) -> str:
    system = string(value, "system")
    named = _SYSTEMS.get(system, system.removeprefix(_HL7)) if system else None
    if named and named.startswith(_OURS):
        named = None
    version, code = string(value, "version"), string(value, "code")
    display = string(value, "display")
    of = [named, code if display else None, f"version {version}" if version else None]
    inside = " ".join(each for each in of if each)
    said = display or code or "not given"
    return f"{said} ({inside})" if inside else said


def _quantity(value: JsonObject, _names: Names) -> str:
    said = f"{_COMPARATORS.get(string(value, 'comparator') or '', '')}{plain(value.get('value'))}"
    unit, code = string(value, "unit"), string(value, "code")
    other = f"({code})" if unit and code and code != unit else None
    return " ".join(each for each in [said, unit or code, other] if each)


def _range(value: JsonObject, names: Names) -> str:
    low, high = child(value, "low"), child(value, "high")
    return _between(_end(low, names), _end(high, names))


def _ratio(value: JsonObject, names: Names) -> str:
    return " to ".join(
        _end(child(value, key), names) or "not given" for key in ("numerator", "denominator")
    )


def _end(value: JsonObject | None, names: Names) -> str | None:
    return None if value is None else _in_short(value, names)


def _in_short(value: JsonObject, names: Names) -> str:
    said = describe(value, names)
    rows = rows_of("", value, names) if said is None else ()
    return said or ", ".join(f"{row.label.removeprefix(': ')} {row.text}" for row in rows)


def _period(value: JsonObject, _names: Names) -> str:
    return _between(string(value, "start"), string(value, "end"))


def _between(first: str | None, last: str | None) -> str:
    said = [f"from {first}" if first else "", f"to {last}" if last else ""]
    return " ".join(each for each in said if each)


def _reference(value: JsonObject, names: Names) -> str:
    reference, display = string(value, "reference"), string(value, "display")
    identifier = child(value, "identifier")
    known = names.by_reference.get(reference) if reference else None
    said = [display, known, _end(identifier, names)]
    found = list(dict.fromkeys(each for each in said if each))
    return "; ".join(found) or reference or words(string(value, "type") or "not named")


def _identifier(value: JsonObject, _names: Names) -> str:
    said = [plain(value.get("value")), string(value, "system")]
    return " of ".join(each for each in said if each)


def _annotation(value: JsonObject, names: Names) -> str:
    author = child(value, "authorReference")
    who = string(value, "authorString") or (_reference(author, names) if author else None)
    said = " ".join(each for each in [who, string(value, "time")] if each)
    return f"{string(value, 'text') or ''} ({said})" if said else string(value, "text") or ""


def _attachment(value: JsonObject, _names: Names) -> str:
    kind, data = string(value, "contentType") or "unknown type", string(value, "data")
    named = [string(value, "title"), string(value, "creation"), string(value, "url")]
    said = ", ".join(each for each in named if each) or "no title"
    text = _plain_text(kind, data)
    return f"{said}\n{text}" if text is not None else f"{said} (a file: {kind})"


def _plain_text(kind: str, data: str | None) -> str | None:
    if data is None or kind.partition(";")[0].strip().lower() != _IS_PLAIN:
        return None
    try:
        return base64.b64decode("".join(data.split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _narrative(value: JsonObject, _names: Names) -> str:
    return narrative_text(string(value, "div") or "")


_Say = Callable[[JsonObject, Names], str]
_TYPES: Final[tuple[tuple[frozenset[str], frozenset[str], _Say], ...]] = (
    (frozenset({"status", "div"}), frozenset({"div"}), _narrative),
    (frozenset({"coding", "text"}), frozenset({"coding"}), concept),
    (
        frozenset({"text", "time", "authorString", "authorReference"}),
        frozenset({"text"}),
        _annotation,
    ),
    (
        frozenset({"value", "comparator", "unit", "system", "code"}),
        frozenset({"unit", "comparator"}),
        _quantity,
    ),
    (
        frozenset({"system", "version", "code", "display", "userSelected"}),
        frozenset({"code"}),
        _coding,
    ),
    (frozenset({"low", "high"}), frozenset({"low", "high"}), _range),
    (frozenset({"numerator", "denominator"}), frozenset({"numerator", "denominator"}), _ratio),
    (frozenset({"start", "end"}), frozenset({"start", "end"}), _period),
    (
        frozenset({"contentType", "data", "title", "creation", "url", "size", "hash", "language"}),
        frozenset({"contentType", "url"}),
        _attachment,
    ),
    (
        frozenset({"reference", "type", "display", "identifier"}),
        frozenset({"reference", "display"}),
        _reference,
    ),
    (frozenset({"system", "value"}), frozenset({"value"}), _identifier),
)
"""For each data type: the parts that its words have a place for, and by which it is known."""
