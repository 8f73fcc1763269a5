"""Which parts of a StructureDefinition are kept to here; all that asks for more is refused.

What enters: StructureDefinition and ElementDefinition trees, valid as FHIR. What leaves:
problems. Parts that only describe (texts, mappings, examples) ask nothing and may stand.
Nothing that narrows is passed over in silence: what is not listed here is refused.
"""

from typing import Final

from gateway.fhir.profiles.problems import File, Problems
from gateway.fhir.profiles.tree import Source
from gateway.referral.json import JsonObject, child, objects, string

_DESCRIBES: Final = frozenset(
    "id extension path sliceName sliceIsConstraining short definition comment requirements alias"
    " label code example mapping mustSupport isSummary orderMeaning meaningWhenMissing base condition".split()
)
_KEPT: Final = frozenset("min max type binding slicing maxLength".split())
_AT_THE_ROOT: Final = _DESCRIBES | {"min", "max", "isModifier", "isModifierReason"}
_FIXED: Final = ("fixed", "pattern")
_TYPE_PARTS: Final = frozenset({"id", "code", "profile", "targetProfile"})
_SLICING_PARTS: Final = frozenset({"id", "discriminator", "description", "ordered", "rules"})
_STRUCTURE_PARTS_REFUSED: Final = ("snapshot", "contextInvariant", "modifierExtension")
_FHIR_VERSION: Final = "4.0.1"
R4: Final = "http://hl7.org/fhir/StructureDefinition/"
"""The urls of R4's own definitions start so."""


def check_structure(file: File, problems: Problems) -> None:
    """Refuse a StructureDefinition that is more than a constraint by differential."""
    tree = file.tree
    place = "StructureDefinition"
    if string(tree, "derivation") != "constraint":
        problems.add(file.name, f"{place}.derivation", "only constraint is supported.")
    if string(tree, "kind") not in ("resource", "complex-type"):
        problems.add(file.name, f"{place}.kind", "only resource and complex-type are supported.")
    if string(tree, "fhirVersion") not in (None, _FHIR_VERSION):
        problems.add(file.name, f"{place}.fhirVersion", f"only {_FHIR_VERSION} is supported.")
    if child(tree, "differential") is None:
        problems.add(file.name, place, "a differential is needed; it is what is read.")
    if (string(tree, "url") or "").startswith(R4):
        problems.add(file.name, f"{place}.url", "the name is one of R4 itself; choose your own.")
    for name in _STRUCTURE_PARTS_REFUSED:
        if name in tree:
            problems.add(file.name, f"{place}.{name}", "not supported; leave it out.")


def check_element(source: Source, problems: Problems, *, is_root: bool) -> None:
    """Refuse an ElementDefinition that asks for what is not kept to."""
    for key in source.element:
        name = key.removeprefix("_")
        is_known = name in (_AT_THE_ROOT if is_root else _DESCRIBES | _KEPT)
        is_value = not is_root and any(_is_choice(name, stem) for stem in _FIXED)
        if name == "isModifier" and source.element[key] is False:
            continue
        if not is_known and not is_value:
            problems.add(
                source.file.name,
                f"{source.place}.{name}",
                "not supported here, and it would not be kept to; leave it out.",
            )
        elif key != name and not is_value and name in _KEPT:
            problems.add(source.file.name, f"{source.place}.{name}", "extensions say nothing here.")
    _check_parts(source, "type", _TYPE_PARTS, problems)
    slicing = child(source.element, "slicing")
    if slicing is not None:
        _check_slicing(source, slicing, problems)


def _is_choice(name: str, stem: str) -> bool:
    return name.startswith(stem) and name[len(stem) : len(stem) + 1].isupper()


def _check_parts(source: Source, name: str, permitted: frozenset[str], problems: Problems) -> None:
    for index, each in enumerate(objects(source.element, name)):
        for part in sorted(each.keys() - permitted):
            problems.add(
                source.file.name,
                f"{source.place}.{name}[{index}].{part}",
                "not supported here, and it would not be kept to; leave it out.",
            )


def _check_slicing(source: Source, slicing: JsonObject, problems: Problems) -> None:
    place = f"{source.place}.slicing"
    if slicing.keys() - _SLICING_PARTS or slicing.get("ordered") is True:
        problems.add(source.file.name, place, "only discriminator and rules are supported.")
    if string(slicing, "rules") not in ("open", "closed"):
        problems.add(source.file.name, f"{place}.rules", "only open and closed are supported.")
    for index, each in enumerate(objects(slicing, "discriminator")):
        if string(each, "type") not in ("value", "pattern", "type"):
            problems.add(
                source.file.name,
                f"{place}.discriminator[{index}].type",
                "only value, pattern and type are supported.",
            )
