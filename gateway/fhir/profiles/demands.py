"""Fixed values, patterns, bindings and lengths: from an ElementDefinition to demands.

What enters: one ElementDefinition and what is permitted of its element. What leaves: demands
that `check` makes of each value.

How a binding is kept to: required means that a value without a code of the set is an error.
Extensible warns where no code of the set is given, for another may be right. Preferred warns
where a system of the set is used with a code that the set does not have, which is more
likely a slip than a choice. Example asks nothing, and its set need not be here.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from gateway.errors import IssueCode, Severity
from gateway.fhir.profiles.library import Library
from gateway.fhir.profiles.matching import describe, equals, holds_pattern
from gateway.fhir.profiles.model import Demand
from gateway.fhir.profiles.narrow import Narrowed
from gateway.fhir.profiles.terminology import Terminology, ValueSet
from gateway.fhir.profiles.tree import Source
from gateway.fhir.tables import ElementSpec
from gateway.referral.identifiers import normal_system
from gateway.referral.json import Json, JsonObject, child, objects, string

Coded = tuple[str | None, str | None]
"""A system and a code. The system is None where the type has none."""

_SEVERITIES: Final[Mapping[str, Severity]] = {
    "required": Severity.ERROR,
    "extensible": Severity.WARNING,
    "preferred": Severity.WARNING,
}
_SYSTEMLESS: Final = frozenset({"code", "string", "uri"})
_MAY_BE_BOUND: Final = _SYSTEMLESS | {"Coding", "CodeableConcept", "Quantity"}


class Demands:
    """Reads demands out of definitions, telling what is wrong with them."""

    def __init__(self, library: Library, terminology: Terminology) -> None:
        self._library = library
        self._terminology = terminology

    def of(self, narrowed: Narrowed, source: Source) -> Iterator[Demand]:
        """Read the demands of one definition."""
        element = source.element
        for key, wanted in element.items():
            if key.startswith(("_fixed", "_pattern")):
                self._tell(source, f".{key[1:]}", "a value is needed, not only an extension.")
            elif key.startswith(("fixed", "pattern")):
                yield from self._value(narrowed, source, key, wanted)
        longest = element.get("maxLength")
        if isinstance(longest, int):
            yield _length(longest)
        binding = child(element, "binding")
        if binding is not None:
            yield from self._binding(narrowed, source, binding)

    def _tell(self, source: Source, below: str, says: str) -> None:
        self._library.problems.add(source.file.name, f"{source.place}{below}", says)

    def _value(
        self, narrowed: Narrowed, source: Source, key: str, wanted: Json
    ) -> Iterator[Demand]:
        is_fixed = key.startswith("fixed")
        type_name = key.removeprefix("fixed" if is_fixed else "pattern")
        forms = [form for form in narrowed.forms if _named(form) == type_name]
        if len(narrowed.forms) > 1 or not forms:
            self._tell(source, f".{key}", "the element must have one type, and this be of it.")
        elif forms[0].primitive is not None and not forms[0].primitive.accepts(wanted):
            self._tell(source, f".{key}", f"R4 wants {forms[0].primitive.wanted} here.")
        else:
            says = f"must be {describe(wanted)}" if is_fixed else f"must have {describe(wanted)}"
            yield Demand(
                holds=_fixed(wanted) if is_fixed else _pattern(wanted),
                code=IssueCode.VALUE,
                says=says,
            )

    def _binding(self, narrowed: Narrowed, source: Source, binding: JsonObject) -> Iterator[Demand]:
        strength = string(binding, "strength") or ""
        canonical = string(binding, "valueSet")
        types = {form.type_name for form in narrowed.forms} & _MAY_BE_BOUND
        if strength == "example":
            return
        if canonical is None or len(types) != 1:
            self._tell(source, ".binding", "a valueSet and one coded type are needed.")
            return
        place = f"{source.place}.binding.valueSet"
        value_set = self._terminology.value_set(canonical, source.file, place)
        if strength != "required" and any(_is_required_by_r4(form) for form in narrowed.forms):
            self._tell(source, ".binding.strength", "R4 requires a value set here: required.")
        if value_set is not None:
            yield _bound(value_set, types.pop(), strength)


def _named(form: ElementSpec) -> str:
    return form.type_name[:1].upper() + form.type_name[1:]


def _is_required_by_r4(form: ElementSpec) -> bool:
    return form.concepts is not None or bool(form.primitive and form.primitive.is_code_list)


def _fixed(wanted: Json) -> Callable[[Json], bool]:
    return lambda value: equals(value, wanted)


def _pattern(wanted: Json) -> Callable[[Json], bool]:
    return lambda value: holds_pattern(value, wanted)


def _length(longest: int) -> Demand:
    return Demand(
        holds=lambda value: not isinstance(value, str) or len(value) <= longest,
        code=IssueCode.TOO_LONG,
        says=f"may have at most {longest} characters",
    )


def _bound(value_set: ValueSet, type_name: str, strength: str) -> Demand:
    is_kept = _is_no_slip if strength == "preferred" else _is_member
    start = "should have" if strength in ("extensible", "preferred") else "must have"
    return Demand(
        holds=lambda value: value is None or is_kept(value_set, codes_of(value, type_name)),
        code=IssueCode.CODE_INVALID,
        says=f"{start} a code of {value_set.describe()}",
        severity=_SEVERITIES[strength],
    )


def _is_member(value_set: ValueSet, codes: list[Coded]) -> bool:
    return any(value_set.has(*coded) for coded in codes)


def _is_no_slip(value_set: ValueSet, codes: list[Coded]) -> bool:
    own = [(system, code) for system, code in codes if system is None or system in value_set.codes]
    return not own or _is_member(value_set, own)


def codes_of(value: Json, type_name: str) -> list[Coded]:
    """Read the codes that a value of a coded type holds. A value of a wrong kind has none."""
    if type_name in _SYSTEMLESS:
        return [(None, value)] if isinstance(value, str) else []
    if not isinstance(value, dict):
        return []
    codings = objects(value, "coding") if type_name == "CodeableConcept" else [value]
    return [(normal_system(string(each, "system") or ""), string(each, "code")) for each in codings]


def has_code_of(value_set: ValueSet, value: Json, type_name: str) -> bool:
    """Say whether a value of a coded type has a code of the set."""
    return _is_member(value_set, codes_of(value, type_name))
