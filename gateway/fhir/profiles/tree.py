"""A differential as a tree: each element under its parent, each slice under its element.

What enters: the elements of a StructureDefinition's differential, valid as FHIR, and the tree
of the profile that it derives from. What leaves: a tree that holds both. The place of an
element is read from its id, as R4 writes it (`Patient.identifier:nhs.value`), which must
agree with its path and sliceName.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from gateway.fhir.profiles.problems import File, Problems
from gateway.referral.json import JsonObject, child, string

_STEP: Final = re.compile(
    r"(?P<name>[A-Za-z][A-Za-z0-9]*(?:\[x\])?)(?::(?P<slice>[A-Za-z0-9\-_]+))?"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One ElementDefinition, and where it is written."""

    element: JsonObject
    file: File
    place: str


@dataclass(slots=True)
class Node:
    """One element: its definitions from the base profile to the last, children and slices."""

    sources: list[Source] = field(default_factory=list)
    children: "dict[str, Node]" = field(default_factory=dict)
    slices: "dict[str, Node]" = field(default_factory=dict)

    def copy(self) -> "Node":
        """Copy the tree; the definitions in it are shared."""
        return Node(
            list(self.sources),
            {name: node.copy() for name, node in self.children.items()},
            {name: node.copy() for name, node in self.slices.items()},
        )


def grow(base: Node | None, file: File, problems: Problems) -> Node:
    """Make the tree of a profile from that of its base and its own differential."""
    root = base.copy() if base else Node()
    differential = child(file.tree, "differential") or {}
    elements = differential.get("element")
    for index, element in enumerate(elements if isinstance(elements, list) else []):
        if not isinstance(element, dict):
            continue
        source = Source(element, file, f"StructureDefinition.differential.element[{index}]")
        steps = _steps(source, string(file.tree, "type") or "", problems)
        if steps is not None:
            _reach(root, steps).sources.append(source)
    return root


def _steps(source: Source, type_name: str, problems: Problems) -> list[tuple[str, str]] | None:
    """Read the id of an element: names with slice names; None, with the reason told."""
    id_, path = string(source.element, "id") or "", string(source.element, "path") or ""
    matches = [_STEP.fullmatch(step) for step in id_.split(".")]
    steps = [(match["name"], match["slice"] or "") for match in matches if match]
    if len(steps) < len(matches):
        says = "the id must be names with full stops between them, a slice as name:slice."
    elif ".".join(name for name, _ in steps) != path or steps[0] != (type_name, ""):
        says = f"the id without its slice names must be the path, and start with {type_name}."
    elif steps[-1][1] != (string(source.element, "sliceName") or ""):
        says = "the id must end in : and the sliceName, or have none where there is none."
    else:
        return steps[1:]
    problems.add(source.file.name, f"{source.place}.id", says)
    return None


def _reach(root: Node, steps: list[tuple[str, str]]) -> Node:
    node = root
    for name, slice_name in steps:
        node = node.children.setdefault(name, Node())
        if slice_name:
            node = node.slices.setdefault(slice_name, Node())
    return node
