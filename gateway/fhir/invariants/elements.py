"""Rules of ElementDefinition. See `gateway.fhir.invariants`.

The official expression of eld-11 counts the answers instead of asking them, so that it never
bites. Here the rule asks for what its text says. That of eld-19 is matched to the whole path.
"""

import re
from typing import Final

from gateway.fhir.invariants.rule import (
    Invariant,
    are_distinct,
    has,
    has_choice,
    is_one_of,
    size,
)
from gateway.referral.json import JsonObject, objects, string

_NAME: Final = r"[^\s.,:;'\"/|?!@#$%&*()\[\]{}]{1,64}+"
_PATH: Final = re.compile(rf"{_NAME}(?:\.{_NAME}(?:\[x\])?+(?::[^\s.]++)?+)*+").fullmatch
_SLICE_NAME: Final = re.compile(r"[a-zA-Z0-9/\-_\[\]@]+", re.ASCII).fullmatch
_MAY_BE_BOUND: Final = ("code", "Coding", "CodeableConcept", "Quantity", "string", "uri")
_NOT_BESIDE_A_CONTENT_REFERENCE: Final = ("type", "maxLength", "binding")
_NO_CHOICE_BESIDE_ONE: Final = (
    "defaultValue",
    "fixed",
    "pattern",
    "example",
    "minValue",
    "maxValue",
)


def _most(element: JsonObject) -> int | None:
    """Return the maximum; None where it is *, absent or no number."""
    most = string(element, "max") or ""
    return int(most) if most.isascii() and most.isdigit() and len(most) < 10 else None  # noqa: PLR2004  # 32 bits


def _min_is_not_above_max(element: JsonObject) -> bool:
    least, most = element.get("min"), _most(element)
    return type(least) is not int or most is None or least <= most


def _content_reference_stands_alone(element: JsonObject) -> bool:
    return not has(element, "contentReference") or not (
        any(has(element, name) for name in _NOT_BESIDE_A_CONTENT_REFERENCE)
        or any(has_choice(element, name) for name in _NO_CHOICE_BESIDE_ONE)
    )


def _may_be_bound(element: JsonObject) -> bool:
    if not has(element, "binding"):
        return True
    codes = [string(typed, "code") for typed in objects(element, "type")]
    return not codes or any(code in _MAY_BE_BOUND for code in codes)


def _is_reference(typed: JsonObject) -> bool:
    return is_one_of(typed, "code", "Reference", "canonical")


INVARIANTS: Final = (
    Invariant(
        "ElementDefinition",
        "eld-2",
        "min may not be above max",
        _min_is_not_above_max,
    ),
    Invariant(
        "ElementDefinition",
        "eld-3",
        "max is * or a whole number",
        lambda element: (
            string(element, "max") in (None, "*")
            or re.fullmatch(r"\d+", string(element, "max") or "", re.ASCII) is not None
        ),
        lambda _element: [".max"],
    ),
    Invariant(
        "ElementDefinition",
        "eld-5",
        "an element with a contentReference has no type, value, length or binding of its own",
        _content_reference_stands_alone,
    ),
    Invariant(
        "ElementDefinition",
        "eld-6",
        "fixed[x] needs a single type",
        lambda element: not has_choice(element, "fixed") or size(element, "type") <= 1,
    ),
    Invariant(
        "ElementDefinition",
        "eld-7",
        "pattern[x] needs a single type",
        lambda element: not has_choice(element, "pattern") or size(element, "type") <= 1,
    ),
    Invariant(
        "ElementDefinition",
        "eld-8",
        "give either pattern[x] or fixed[x]",
        lambda element: not (has_choice(element, "pattern") and has_choice(element, "fixed")),
    ),
    Invariant(
        "ElementDefinition",
        "eld-11",
        "only a coded element, a string or a uri has a binding",
        _may_be_bound,
    ),
    Invariant(
        "ElementDefinition",
        "eld-13",
        "name each type once",
        lambda element: are_distinct([each.get("code") for each in objects(element, "type")]),
    ),
    Invariant(
        "ElementDefinition",
        "eld-14",
        "the key of each constraint must be unique",
        lambda element: are_distinct([each.get("key") for each in objects(element, "constraint")]),
    ),
    Invariant(
        "ElementDefinition",
        "eld-15",
        "give either defaultValue[x] or meaningWhenMissing",
        lambda element: (
            not (has_choice(element, "defaultValue") and has(element, "meaningWhenMissing"))
        ),
    ),
    Invariant(
        "ElementDefinition",
        "eld-16",
        "sliceName is written with letters, digits and / - _ [ ] @ only",
        lambda element: _SLICE_NAME(string(element, "sliceName") or "-") is not None,
        lambda _element: [".sliceName"],
    ),
    Invariant(
        "ElementDefinition",
        "eld-18",
        "a modifier needs an isModifierReason",
        lambda element: element.get("isModifier") is not True or has(element, "isModifierReason"),
    ),
    Invariant(
        "ElementDefinition",
        "eld-19",
        "path is made of names with full stops between them",
        lambda element: _PATH(string(element, "path") or "-") is not None,
        lambda _element: [".path"],
    ),
    Invariant(
        "ElementDefinition",
        "eld-22",
        "only a slice has sliceIsConstraining",
        lambda element: has(element, "sliceName") or not has(element, "sliceIsConstraining"),
    ),
    Invariant(
        "ElementDefinition.slicing",
        "eld-1",
        "slicing needs a discriminator or a description",
        lambda slicing: has(slicing, "discriminator") or has(slicing, "description"),
    ),
    Invariant(
        "ElementDefinition.type",
        "eld-4",
        "only a Reference or canonical has aggregation",
        lambda typed: _is_reference(typed) or not has(typed, "aggregation"),
    ),
    Invariant(
        "ElementDefinition.type",
        "eld-17",
        "only a Reference or canonical has a targetProfile",
        lambda typed: _is_reference(typed) or not has(typed, "targetProfile"),
    ),
    Invariant(
        "ElementDefinition.binding",
        "eld-12",
        "valueSet starts with http:, https: or urn:",
        lambda binding: (string(binding, "valueSet") or "urn:").startswith(
            ("http:", "https", "urn:")
        ),
        lambda _binding: [".valueSet"],
    ),
)
