"""The compiled R4 definitions, read once and shaped for a quick walk.

What enters: tables/r4.json, which fhir_profiles/tools/compile_tables.py writes. What leaves:
one `TypeSpec` for each resource type, datatype and nested group of elements, linked to each
other. Nothing is read before the first call of `load_tables`.

A profile narrows a type without opening these tables: `gateway.fhir.profiles` compiles it to
the questions it adds, and asks them after the walk.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache
from importlib.resources import files
from typing import Any, Final

from gateway.fhir.invariants import INVARIANTS
from gateway.fhir.invariants.rule import Invariant
from gateway.fhir.primitives import OPEN_VALUE_SETS, PRIMITIVES, Accepts, JsonKind, Primitive

_SHOWN_CODES: Final = 20
"""A longer list of permitted codes is named by its value set instead."""

_WITHOUT_COMPANION: Final = frozenset({"id", "div"})
"""Properties that are attributes or markup in XML, so that `_id` and `_div` do not exist.

So is the `url` of an Extension; the `url` of other types is an element."""


class Then(Enum):
    """What is asked of a whole value of some types, beyond what their own parts tell."""

    JUDGE_REFERENCE = auto()
    COMPARE_CODES = auto()
    NOTE_EXTENSION = auto()


@dataclass(slots=True, kw_only=True, eq=False)
class ElementSpec:
    """One JSON property of a type.

    `label` is its name in FHIRPath: `value` for `valueString`. Of `primitive` and `inner`
    one is set; neither for a slot that holds any resource. `concepts` are the permitted
    codes by system of a CodeableConcept or Coding. Empty `targets` permit any resource.
    `then` is what the walk does with a whole value, once it has walked it.
    `summary`: it is in a summary of its type. `is_modifier`: it changes what the rest means.
    """

    name: str
    label: str
    is_array: bool
    choice: str | None
    type_name: str
    primitive: Primitive | None
    inner: "TypeSpec | None" = None
    concepts: Mapping[str, frozenset[str]] | None = None
    targets: frozenset[str] = frozenset()
    has_companion: bool = False
    then: "Then | None" = None
    summary: bool = False
    is_modifier: bool = False


@dataclass(slots=True, kw_only=True, eq=False)
class TypeSpec:
    """One type: its elements by JSON name, what it cannot do without, its invariants.

    Each member of `required` is the label and the JSON names, of which one must be there.

    The rest is the same said again, so that a walk over a good message asks little:
    `plain` are the single primitives; `needed` the JSON names of what is required and no
    choice, `needs_choice` whether a choice is required; `choices` is the choice that each JSON
    name belongs to, companions included; `asks_of_the_whole` whether any of these or an
    invariant asks anything.
    """

    name: str
    is_resource: bool
    elements: dict[str, ElementSpec] = field(default_factory=dict)
    required: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    invariants: Sequence[Invariant] = ()
    plain: dict[str, Accepts] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    needs_choice: bool = False
    choices: dict[str, str] = field(default_factory=dict)
    asks_of_the_whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Every type, by name; `resources` names all of R4's, `types` holds those read here.

    `bases` is what each type derives from, `value_sets` the codes by system of each required
    value set that can be listed.
    """

    resources: frozenset[str]
    types: Mapping[str, TypeSpec]
    bases: Mapping[str, str]
    constraints: Mapping[str, Sequence[str]]
    value_sets: Mapping[str, Mapping[str, frozenset[str]]]


_THEN: Final = {"Reference": Then.JUDGE_REFERENCE, "Extension": Then.NOTE_EXTENSION}


@cache
def load_tables() -> Tables:
    """Read the tables; the second call and all later ones return the same object."""
    text = files("gateway.fhir").joinpath("tables", "r4.json").read_text(encoding="utf-8")
    raw: dict[str, Any] = json.loads(text)
    types = {
        name: TypeSpec(name=name, is_resource=row["kind"] == "resource")
        for name, row in raw["types"].items()
    }
    for name, spec in types.items():
        lineage = _lineage(name, raw["types"])
        for ancestor in lineage:
            for property_name, row in raw["types"][ancestor]["elements"].items():
                element = _element(property_name, row, raw["value_sets"], types)
                element.has_companion &= (ancestor, property_name) != ("Extension", "url")
                spec.elements[property_name] = element
        _add_required(spec, lineage, raw["types"])
        spec.invariants = tuple(rule for rule in INVARIANTS if rule.type_name in lineage)
        if spec.is_resource:
            spec.elements["resourceType"] = _resource_type(name)
        _prepare(spec)
    return Tables(
        resources=frozenset(raw["resources"]),
        types=types,
        bases={name: row["base"] for name, row in raw["types"].items()},
        constraints=raw["constraints"],
        value_sets={
            url: {system: frozenset(codes) for system, codes in by_system.items()}
            for url, by_system in raw["value_sets"].items()
        },
    )


def _prepare(spec: TypeSpec) -> None:
    """Say the same again, for a quick walk."""
    spec.plain = {
        name: element.primitive.accepts
        for name, element in spec.elements.items()
        if element.primitive is not None and not element.is_array
    }
    spec.needed = frozenset(names[0] for _, names in spec.required if len(names) == 1)
    spec.needs_choice = any(len(names) > 1 for _, names in spec.required)
    spec.choices = {
        each: element.choice
        for name, element in spec.elements.items()
        if element.choice is not None
        for each in (name, "_" + name)
    }
    spec.asks_of_the_whole = bool(
        spec.needed or spec.needs_choice or spec.choices or spec.invariants
    )


def _lineage(name: str, rows: Mapping[str, Any]) -> list[str]:
    lineage = [name]
    while base := rows[lineage[0]]["base"]:
        lineage.insert(0, base)
    return lineage


def _element(
    name: str, row: Mapping[str, Any], value_sets: Mapping[str, Any], types: Mapping[str, TypeSpec]
) -> ElementSpec:
    type_name: str = row["type"]
    concepts = {
        system: frozenset(codes)
        for system, codes in value_sets.get(row.get("codes", ""), {}).items()
    }
    primitive = PRIMITIVES.get(type_name)
    if type_name == "code" and "codes" in row:
        primitive = OPEN_VALUE_SETS.get(row["codes"]) or _coded(row["codes"], concepts)
    return ElementSpec(
        name=name,
        label=row.get("choice", name),
        is_array=row.get("max") == "*",
        choice=row.get("choice"),
        type_name=type_name,
        primitive=primitive,
        inner=None if primitive or type_name == "Resource" else types[type_name],
        concepts=concepts if primitive is None and concepts else None,
        targets=frozenset(row.get("targets", ())),
        has_companion=primitive is not None and name not in _WITHOUT_COMPANION,
        then=_THEN.get(type_name, Then.COMPARE_CODES if primitive is None and concepts else None),
        summary=row.get("summary", False),
        is_modifier=row.get("modifier", False),
    )


def _coded(value_set: str, concepts: Mapping[str, frozenset[str]]) -> Primitive:
    codes = frozenset().union(*concepts.values())
    listed = ", ".join(sorted(codes))
    return Primitive(
        json_kind=JsonKind.STRING,
        accepts=lambda value: type(value) is str and value in codes,
        wanted=f"one of: {listed}" if len(codes) <= _SHOWN_CODES else f"a code of {value_set}",
        is_code_list=True,
    )


def _resource_type(name: str) -> ElementSpec:
    return ElementSpec(
        name="resourceType",
        label="resourceType",
        is_array=False,
        choice=None,
        type_name="code",
        primitive=Primitive(
            json_kind=JsonKind.STRING, accepts=lambda value: value == name, wanted=name
        ),
    )


def _add_required(spec: TypeSpec, lineage: Sequence[str], rows: Mapping[str, Any]) -> None:
    needed: dict[str, list[str]] = {}
    for ancestor in lineage:
        for name, row in rows[ancestor]["elements"].items():
            if row.get("min"):
                needed.setdefault(row.get("choice", name), []).append(name)
    spec.required = [(label, tuple(names)) for label, names in needed.items()]
