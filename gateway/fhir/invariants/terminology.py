"""Rules of code systems, value sets, concept maps, naming systems, operations and searches.

See `gateway.fhir.invariants`.
"""

from typing import Final

from gateway.fhir.invariants.rule import Invariant, are_distinct, descend, has, is_one_of
from gateway.referral.json import JsonObject, objects


def _codes_are_distinct(code_system: JsonObject) -> bool:
    return are_distinct([each.get("code") for each in descend(code_system, "concept")])


def _is_explained(target: JsonObject) -> bool:
    return has(target, "comment") or not is_one_of(target, "equivalence", "narrower", "inexact")


def _one_preferred_of_each_type(system: JsonObject) -> bool:
    preferred = [each for each in objects(system, "uniqueId") if each.get("preferred") is True]
    return are_distinct([each.get("type") for each in preferred])


def _root_has_no_uuid(system: JsonObject) -> bool:
    return not is_one_of(system, "kind", "root") or not any(
        is_one_of(each, "type", "uuid") for each in objects(system, "uniqueId")
    )


INVARIANTS: Final = (
    Invariant(
        "CodeSystem", "csd-1", "every code of a code system must be unique", _codes_are_distinct
    ),
    Invariant(
        "ConceptMap.group.element.target",
        "cmd-1",
        "a narrower or inexact map needs a comment",
        _is_explained,
    ),
    Invariant(
        "ConceptMap.group.unmapped",
        "cmd-2",
        "with the mode fixed a code is needed",
        lambda unmapped: has(unmapped, "code") or not is_one_of(unmapped, "mode", "fixed"),
    ),
    Invariant(
        "ConceptMap.group.unmapped",
        "cmd-3",
        "with the mode other-map a url is needed",
        lambda unmapped: has(unmapped, "url") or not is_one_of(unmapped, "mode", "other-map"),
    ),
    Invariant(
        "NamingSystem", "nsd-1", "a root system has no identifiers of type uuid", _root_has_no_uuid
    ),
    Invariant(
        "NamingSystem",
        "nsd-2",
        "prefer at most one identifier of each type",
        _one_preferred_of_each_type,
    ),
    Invariant(
        "OperationDefinition.parameter",
        "opd-1",
        "a parameter needs a type or parts",
        lambda parameter: has(parameter, "type") or has(parameter, "part"),
    ),
    Invariant(
        "OperationDefinition.parameter",
        "opd-2",
        "only a parameter of type string has a searchType",
        lambda parameter: (
            not has(parameter, "searchType") or is_one_of(parameter, "type", "string")
        ),
    ),
    Invariant(
        "OperationDefinition.parameter",
        "opd-3",
        "only a parameter of type Reference or canonical has a targetProfile",
        lambda parameter: (
            not has(parameter, "targetProfile")
            or is_one_of(parameter, "type", "Reference", "canonical")
        ),
    ),
    Invariant(
        "SearchParameter",
        "spd-1",
        "an xpath needs an xpathUsage",
        lambda parameter: has(parameter, "xpathUsage") or not has(parameter, "xpath"),
    ),
    Invariant(
        "SearchParameter",
        "spd-2",
        "only a parameter of type reference has chain names",
        lambda parameter: not has(parameter, "chain") or is_one_of(parameter, "type", "reference"),
    ),
    Invariant(
        "ValueSet.compose.include",
        "vsd-1",
        "give a system or a valueSet",
        lambda include: has(include, "valueSet") or has(include, "system"),
    ),
    Invariant(
        "ValueSet.compose.include",
        "vsd-2",
        "concepts and filters need a system",
        lambda include: (
            has(include, "system") or not (has(include, "concept") or has(include, "filter"))
        ),
    ),
    Invariant(
        "ValueSet.compose.include",
        "vsd-3",
        "give either concept or filter",
        lambda include: not (has(include, "concept") and has(include, "filter")),
    ),
    Invariant(
        "ValueSet.expansion.contains",
        "vsd-6",
        "give a code or a display",
        lambda contains: has(contains, "code") or has(contains, "display"),
    ),
    Invariant(
        "ValueSet.expansion.contains",
        "vsd-9",
        "a member without a code must be abstract",
        lambda contains: has(contains, "code") or contains.get("abstract") is True,
    ),
    Invariant(
        "ValueSet.expansion.contains",
        "vsd-10",
        "a code needs a system",
        lambda contains: has(contains, "system") or not has(contains, "code"),
    ),
)
