"""Rules of the datatypes and of every resource. See `gateway.fhir.invariants`."""

from datetime import datetime
from typing import Final

from gateway.fhir.invariants.rule import Invariant, has, has_choice, is_one_of, number
from gateway.fhir.json_text import MAX_DEPTH
from gateway.fhir.narrative import has_content, is_basic_html
from gateway.referral.json import JsonObject, child, objects, string

_UCUM: Final = "http://unitsofmeasure.org"
_VALUE: Final = ("value", "_value")
_DATE_CHARACTERS: Final = 10


def _extension_has_one(extension: JsonObject) -> bool:
    for key in extension:
        if key.startswith(_VALUE):
            return not has(extension, "extension")
    return has(extension, "extension")


def _starts_before_end(period: JsonObject) -> bool:
    start, end = string(period, "start"), string(period, "end")
    return start is None or end is None or not is_after(start, end)


def is_after(first: str, second: str) -> bool:
    """Say whether the date `first` is surely later: as instants, else as far as both go."""
    if "T" in first and "T" in second:
        try:
            return datetime.fromisoformat(first) > datetime.fromisoformat(second)
        except (ValueError, TypeError):
            return False
    precision = min(len(first), len(second), _DATE_CHARACTERS)
    return first[:precision] > second[:precision]


def _is_coded(quantity: JsonObject) -> bool:
    return has(quantity, "code") or not has(quantity, "value")


def _is_ucum(quantity: JsonObject) -> bool:
    return not has(quantity, "system") or is_one_of(quantity, "system", _UCUM)


def _is_age(age: JsonObject) -> bool:
    value = number(age, "value")
    return _is_coded(age) and _is_ucum(age) and (value is None or value > 0)


def _is_count(count: JsonObject) -> bool:
    value = number(count, "value")
    is_one = not has(count, "code") or is_one_of(count, "code", "1")
    return _is_coded(count) and _is_ucum(count) and is_one and "." not in f"{value}"


def _is_duration(duration: JsonObject) -> bool:
    measured = is_one_of(duration, "system", _UCUM) and has(duration, "value")
    return measured or not has(duration, "code")


def _is_ratio(ratio: JsonObject) -> bool:
    both = has(ratio, "numerator"), has(ratio, "denominator")
    return all(both) or (not any(both) and has(ratio, "extension"))


def _is_range(range_: JsonObject) -> bool:
    low, high = child(range_, "low") or {}, child(range_, "high") or {}
    if low.get("code") != high.get("code"):
        return True
    least, most = number(low, "value"), number(high, "value")
    return least is None or most is None or least <= most


def _is_trigger(trigger: JsonObject) -> bool:
    kind = string(trigger, "type") or ""
    if kind.startswith("data-"):
        return has(trigger, "data")
    if kind == "named-event":
        return has(trigger, "name")
    return kind != "periodic" or has_choice(trigger, "timing")


def _is_not_negative(repeat: JsonObject, name: str) -> bool:
    value = number(repeat, name)
    return value is None or value >= 0


def _offset_has_when(repeat: JsonObject) -> bool:
    when = repeat.get("when")
    if not has(repeat, "offset"):
        return True
    return isinstance(when, list) and not any(each in ("C", "CM", "CD", "CV") for each in when)


def _path_or_parameter(filter_: JsonObject) -> bool:
    return has(filter_, "path") != has(filter_, "searchParam")


def _contained(resource: JsonObject, *names: str) -> bool:
    """Say whether a contained resource's meta has one of `names`."""
    metas = [each["meta"] for each in objects(resource, "contained") if "meta" in each]
    return any(isinstance(meta, dict) and has(meta, name) for meta in metas for name in names)


INVARIANTS: Final = (
    Invariant(
        "Extension", "ext-1", "give either extension or value[x], not both", _extension_has_one
    ),
    Invariant(
        "DomainResource",
        "dom-2",
        "a contained resource may not contain another: move it up to this level",
        lambda resource: not any(has(each, "contained") for each in objects(resource, "contained")),
        only_with="contained",
    ),
    Invariant(
        "DomainResource",
        "dom-4",
        "remove meta.versionId and meta.lastUpdated from contained resources",
        lambda resource: not _contained(resource, "versionId", "lastUpdated"),
        only_with="contained",
    ),
    Invariant(
        "DomainResource",
        "dom-5",
        "remove meta.security from contained resources: label this resource instead",
        lambda resource: not _contained(resource, "security"),
        only_with="contained",
    ),
    Invariant(
        "Narrative",
        "txt-1",
        "use only the formatting that FHIR permits: no script, form, frame, handler or entity, and"
        f" no element more than {MAX_DEPTH} deep",
        lambda text: is_basic_html(string(text, "div") or ""),
        lambda _text: [".div"],
    ),
    Invariant(
        "Narrative",
        "txt-2",
        "the narrative must show some text or an image",
        lambda text: has_content(string(text, "div") or ""),
        lambda _text: [".div"],
    ),
    Invariant("Age", "age-1", "an age is above zero, with a UCUM code", _is_age),
    Invariant("Count", "cnt-3", "a count is a whole number with the UCUM code 1", _is_count),
    Invariant(
        "Distance",
        "dis-1",
        "a distance with a value needs a code, and its system is UCUM",
        lambda distance: _is_coded(distance) and _is_ucum(distance),
    ),
    Invariant(
        "Duration", "drt-1", "a coded duration needs a value and the UCUM system", _is_duration
    ),
    Invariant(
        "Quantity",
        "qty-3",
        "a unit given as a code needs its system",
        lambda quantity: has(quantity, "system") or not has(quantity, "code"),
    ),
    Invariant("Ratio", "rat-1", "give numerator and denominator, or neither", _is_ratio),
    Invariant("Range", "rng-2", "low may not be above high", _is_range),
    Invariant("Period", "per-1", "start may not be after end", _starts_before_end),
    Invariant(
        "Attachment",
        "att-1",
        "data needs a contentType",
        lambda attachment: has(attachment, "contentType") or not has(attachment, "data"),
    ),
    Invariant(
        "ContactPoint",
        "cpt-2",
        "a value needs a system such as phone or email",
        lambda point: has(point, "system") or not has(point, "value"),
    ),
    Invariant(
        "Expression",
        "exp-1",
        "give an expression or a reference",
        lambda expression: has(expression, "expression") or has(expression, "reference"),
    ),
    Invariant(
        "DataRequirement.codeFilter", "drq-1", "give either path or searchParam", _path_or_parameter
    ),
    Invariant(
        "DataRequirement.dateFilter", "drq-2", "give either path or searchParam", _path_or_parameter
    ),
    Invariant(
        "TriggerDefinition",
        "trd-1",
        "give either data or timing[x]",
        lambda trigger: not (has(trigger, "data") and has_choice(trigger, "timing")),
    ),
    Invariant(
        "TriggerDefinition",
        "trd-2",
        "a condition needs data",
        lambda trigger: has(trigger, "data") or not has(trigger, "condition"),
    ),
    Invariant("TriggerDefinition", "trd-3", "give what this type of trigger needs", _is_trigger),
    Invariant(
        "Timing.repeat",
        "tim-1",
        "a duration needs a durationUnit",
        lambda repeat: has(repeat, "durationUnit") or not has(repeat, "duration"),
    ),
    Invariant(
        "Timing.repeat",
        "tim-2",
        "a period needs a periodUnit",
        lambda repeat: has(repeat, "periodUnit") or not has(repeat, "period"),
    ),
    Invariant(
        "Timing.repeat",
        "tim-4",
        "duration may not be negative",
        lambda repeat: _is_not_negative(repeat, "duration"),
    ),
    Invariant(
        "Timing.repeat",
        "tim-5",
        "period may not be negative",
        lambda repeat: _is_not_negative(repeat, "period"),
    ),
    Invariant(
        "Timing.repeat",
        "tim-6",
        "periodMax needs a period",
        lambda repeat: has(repeat, "period") or not has(repeat, "periodMax"),
    ),
    Invariant(
        "Timing.repeat",
        "tim-7",
        "durationMax needs a duration",
        lambda repeat: has(repeat, "duration") or not has(repeat, "durationMax"),
    ),
    Invariant(
        "Timing.repeat",
        "tim-8",
        "countMax needs a count",
        lambda repeat: has(repeat, "count") or not has(repeat, "countMax"),
    ),
    Invariant(
        "Timing.repeat", "tim-9", "an offset needs a when other than a meal", _offset_has_when
    ),
    Invariant(
        "Timing.repeat",
        "tim-10",
        "give either timeOfDay or when",
        lambda repeat: not (has(repeat, "timeOfDay") and has(repeat, "when")),
    ),
)
