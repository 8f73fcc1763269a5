"""One walk over a resource, comparing each property with its definition.

What enters: a tree and the spec to hold it against. What leaves: faults, in the list given.
Whatever the tree holds, the walk ends and raises nothing but `EnoughError`. No text of a
fault is taken from the tree: not values, and not names of unknown properties either.

Not checked: what extensions mean, codes of other than required value sets, and profiles.
"""

import difflib
import re
from typing import Final, assert_never

from gateway.errors import IssueCode, Severity
from gateway.fhir.faults import MAX_FAULTS, FaultList, Place
from gateway.fhir.invariants.rule import Invariant
from gateway.fhir.inventory import Inventory, Met
from gateway.fhir.primitives import Accepts, JsonKind
from gateway.fhir.reference_rules import ReferenceRules
from gateway.fhir.tables import ElementSpec, Tables, Then, TypeSpec
from gateway.referral.json import Json, JsonObject, objects, string

MAX_DEPTH: Final = 100
"""Deeper trees are refused. `read_json` passes none as deep; others might."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,40}")


class Walk:
    """Walks one message. See the module."""

    def __init__(
        self, tables: Tables, root: JsonObject, found: FaultList, inventory: Inventory
    ) -> None:
        self._tables = tables
        self._found = found
        self._inventory = inventory
        self._container: Met | None = None
        self._strange: set[int] = set()
        self._hints = MAX_FAULTS
        self.references = ReferenceRules(tables.resources, root, found)
        self._element = tables.types["Element"]

    def resource(self, node: JsonObject, place: Place, depth: int = 0) -> None:
        """Check a resource that stands on its own: at the root, in an entry or a parameter."""
        spec = self._spec_of(node, place)
        if spec is None:
            return
        met = Met(node, place)
        self._inventory.resources.append(met)
        outer, self.references.local = self.references.local, []
        container, self._container = self._container, met
        self._type(node, spec, place, depth)
        self.references.settle(node, place)
        self.references.local, self._container = outer, container

    def _spec_of(self, node: JsonObject, place: Place) -> TypeSpec | None:
        name = string(node, "resourceType")
        spec = self._tables.types.get(name) if name in self._tables.resources else None
        if "resourceType" not in node:
            self._found.add(
                IssueCode.REQUIRED, place, "A resource needs a resourceType.", below=".resourceType"
            )
        elif name not in self._tables.resources:
            self._found.add(
                IssueCode.VALUE,
                place,
                "The resourceType is not the name of an R4 resource type.",
                below=".resourceType",
            )
        elif spec is None:
            self._found.add(
                IssueCode.NOT_SUPPORTED, place, f"Resources of type {name} are not read here."
            )
        return spec

    def _type(self, node: JsonObject, spec: TypeSpec, place: Place, depth: int) -> None:
        """Check one object against its type: properties, what is missing, invariants."""
        if depth > MAX_DEPTH:
            self._found.add(IssueCode.STRUCTURE, place, f"Nested deeper than {MAX_DEPTH} levels.")
            return
        plain, elements = spec.plain, spec.elements
        for key, value in node.items():
            accepts = plain.get(key)
            if accepts is not None:
                if not accepts(value):
                    self._bad_primitive(elements[key], value, (place, elements[key].label, None))
            elif (element := elements.get(key)) is None:
                self._other_property(node, key, value, spec, place, depth)
            elif element.is_array:
                self._array(node, element, value, place, depth)
            else:
                self._object(element, value, (place, element.label, None), depth)
        if spec.asks_of_the_whole:
            self._whole(node, spec, place)

    def _whole(self, node: JsonObject, spec: TypeSpec, place: Place) -> None:
        """Check what is asked of an object as a whole: its choices, what is missing, its rules."""
        if spec.choices and not spec.choices.keys().isdisjoint(node):
            self._choices(node, spec, place)
        if not spec.needed <= node.keys() or spec.needs_choice:
            self._missing(node, spec, place)
        for rule in spec.invariants:
            if (rule.only_with is None or rule.only_with in node) and not rule.holds(node):
                self._broken(rule, node, place)

    def _choices(self, node: JsonObject, spec: TypeSpec, place: Place) -> None:
        """Check that no choice element is given in two types."""
        given: dict[str, str] = {}
        for key in node:
            choice = spec.choices.get(key)
            if choice is None:
                continue
            name = key.removeprefix("_")
            if given.setdefault(choice, name) != name:
                self._found.add(
                    IssueCode.STRUCTURE,
                    (place, choice, None),
                    f"{choice}[x] is given in more than one type; keep one.",
                )

    def _missing(self, node: JsonObject, spec: TypeSpec, place: Place) -> None:
        """Find what is required and not there, not even as an extension alone."""
        for label, names in spec.required:
            for name in names:
                if name in node or "_" + name in node:
                    break
            else:
                self._found.add(
                    IssueCode.REQUIRED,
                    place,
                    f"{spec.name} needs {label}; add it.",
                    below="." + label,
                )

    def _broken(self, rule: Invariant, node: JsonObject, place: Place) -> None:
        for below in rule.places(node) if rule.places else ("",):
            self._found.add(IssueCode.INVARIANT, place, f"{rule.key}: {rule.says}.", below=below)

    def _array(
        self, node: JsonObject, element: ElementSpec, value: Json, place: Place, depth: int
    ) -> None:
        if not isinstance(value, list):
            here = (place, element.label, None)
            self._found.add(
                IssueCode.STRUCTURE, here, f"{element.label} must be an array, even of one value."
            )
        elif not value:
            here = (place, element.label, None)
            self._found.add(
                IssueCode.STRUCTURE, here, f"{element.label} is an empty array; leave it out."
            )
        elif element.primitive is None:
            self._objects(element, value, place, depth)
        else:
            self._primitives(node, element, element.primitive.accepts, value, place)

    def _objects(self, element: ElementSpec, values: list[Json], place: Place, depth: int) -> None:
        """Check each value of an array that must be an object, as `_object` does one."""
        label, inner, then = element.label, element.inner, element.then
        for index, item in enumerate(values):
            here = (place, label, index)
            if inner is None or not isinstance(item, dict) or not item:
                self._object(element, item, here, depth)
                continue
            self._type(item, inner, here, depth + 1)
            if then is not None:
                self._then(then, element, item, here)

    def _primitives(
        self,
        node: JsonObject,
        element: ElementSpec,
        accepts: Accepts,
        value: list[Json],
        place: Place,
    ) -> None:
        """Check an array of primitives; null where a value has only extensions beside it."""
        for index, item in enumerate(value):
            if item is None and element.has_companion:
                self._gap(node, element, (place, element.label, index), index)
            elif not accepts(item):
                self._bad_primitive(element, item, (place, element.label, index))

    def _object(self, element: ElementSpec, value: Json, place: Place, depth: int) -> None:
        """Check one value that must be an object: of a known type, or any resource."""
        if not isinstance(value, dict) or not value:
            self._bad_object(element, value, place)
        elif element.inner is None:
            self._any_resource(element, value, place, depth + 1)
        else:
            self._type(value, element.inner, place, depth + 1)
            if element.then is not None:
                self._then(element.then, element, value, place)

    def _then(self, then: Then, element: ElementSpec, value: JsonObject, place: Place) -> None:
        """Do with a whole value what its type asks."""
        match then:
            case Then.JUDGE_REFERENCE:
                self.references.check(value, element, place)
            case Then.COMPARE_CODES:
                self._concept(element, value, place)
            case Then.NOTE_EXTENSION:
                self._inventory.meet(value, place)
            case _:
                assert_never(then)

    def _any_resource(
        self, element: ElementSpec, value: JsonObject, place: Place, depth: int
    ) -> None:
        if element.name != "contained":
            self.resource(value, place, depth)
        elif (spec := self._spec_of(value, place)) is not None:
            self._inventory.resources.append(Met(value, place, self._container))
            self._type(value, spec, place, depth)

    def _other_property(
        self,
        node: JsonObject,
        key: str,
        value: Json,
        spec: TypeSpec,
        place: Place,
        depth: int,
    ) -> None:
        """Check a property that is no element: beside a primitive element, or unknown."""
        element = spec.elements.get(key[1:]) if key[:1] == "_" else None
        if element is None or not element.has_companion:
            self._unknown(node, spec, place)
        elif element.is_array:
            self._companions(node.get(element.name), value, (place, element.label, None), depth)
        else:
            here = (place, element.label, None)
            self._companion(value, here, depth, alone=element.name not in node)

    def _companions(self, main: Json, value: Json, place: Place, depth: int) -> None:
        """Check what stands beside an array of primitives; null where a value needs nothing."""
        if not isinstance(value, list) or not value:
            self._found.add(
                IssueCode.STRUCTURE,
                place,
                f"The extensions of {place[1]} must be an array beside its values.",
            )
            return
        values = main if isinstance(main, list) else []
        for index, item in enumerate(value):
            here = (place[0], place[1], index)
            if item is not None:
                alone = index >= len(values) or values[index] is None
                self._companion(item, here, depth, alone=alone)
            elif index >= len(values):
                self._nothing(here)

    def _companion(self, value: Json, place: Place, depth: int, *, alone: bool) -> None:
        """Check the id and extensions of a primitive; `alone` where it has no value."""
        if not isinstance(value, dict) or not value:
            self._found.add(
                IssueCode.STRUCTURE,
                place,
                "What stands beside a primitive must be an object with id or extension.",
            )
            return
        self._type(value, self._element, place, depth + 1)
        if alone and not objects(value, "extension"):
            self._nothing(place)

    def _gap(self, node: JsonObject, element: ElementSpec, place: Place, index: int) -> None:
        beside = node.get("_" + element.name)
        if not isinstance(beside, list) or index >= len(beside) or beside[index] is None:
            self._nothing(place)

    def _nothing(self, place: Place) -> None:
        self._found.add(
            IssueCode.INVARIANT, place, "ele-1: there is neither a value nor an extension here."
        )

    def _unknown(self, node: JsonObject, spec: TypeSpec, place: Place) -> None:
        """Tell of all unknown properties of an object at once: they have one place."""
        if id(node) in self._strange:
            return
        self._strange.add(id(node))
        unknown = [key for key in node if not _is_known(key, spec)]
        meant = self._meant(unknown, spec)
        if len(unknown) == 1:
            says = "a property that R4 does not know"
            hint = f"did you mean {meant[0]}?" if meant else "remove it or mend its name."
        else:
            says = f"{len(unknown)} properties that R4 does not know"
            hint = "remove them or mend their names."
            hint = f"did you mean {' and '.join(meant)}? Otherwise {hint}" if meant else hint
        self._found.add(IssueCode.STRUCTURE, place, f"{spec.name} has {says}: {hint}")

    def _meant(self, unknown: list[str], spec: TypeSpec) -> list[str]:
        """Find the elements whose names are nearly written; of a whole message, of so many."""
        found: list[str] = []
        for key in unknown:
            if self._hints and _NAME.fullmatch(key):
                self._hints -= 1
                found += difflib.get_close_matches(key, spec.elements, n=1, cutoff=0.75)
        return list(dict.fromkeys(found))

    def _bad_object(self, element: ElementSpec, value: Json, place: Place) -> None:
        if isinstance(value, list) and not element.is_array:
            says = f"{element.label} must be one object, not an array."
        elif isinstance(value, dict):
            says = f"{element.label} is an empty object; leave it out."
        else:
            says = f"{element.label} must be a JSON object of type {element.type_name}."
        self._found.add(IssueCode.STRUCTURE, place, says)

    def _bad_primitive(self, element: ElementSpec, value: Json, place: Place) -> None:
        primitive = element.primitive
        if primitive is None:  # pragma: no cover  # only primitives are asked about
            return
        code, severity = IssueCode.VALUE, Severity.ERROR
        if isinstance(value, list) and not element.is_array:
            code, says = IssueCode.STRUCTURE, f"{element.label} must be one value, not an array."
        elif isinstance(value, str) and primitive.json_kind is not JsonKind.STRING:
            says = f"{element.label} must be {primitive.wanted}, written without quotes in JSON."
        elif not primitive.is_written_right(value):
            code = IssueCode.STRUCTURE
            says = f"{element.label} must be {primitive.json_kind}: {primitive.wanted}."
        elif value == "":
            says = f"{element.label} is empty; leave it out or give {primitive.wanted}."
        else:
            code = IssueCode.CODE_INVALID if primitive.is_code_list else code
            says = f"{element.label} must be {primitive.wanted}."
        if isinstance(value, str) and value and value.isspace() and primitive.is_free_text:
            severity = Severity.WARNING
        self._found.add(code, place, says, severity=severity)

    def _concept(self, element: ElementSpec, value: JsonObject, place: Place) -> None:
        """Check that one coding of a CodeableConcept is in its required value set."""
        concepts = element.concepts or {}
        for coding in objects(value, "coding"):
            if string(coding, "code") in concepts.get(string(coding, "system") or "", ()):
                return
        listed = "; ".join(f"{system}: {', '.join(sorted(c))}" for system, c in concepts.items())
        self._found.add(
            IssueCode.CODE_INVALID, place, f"{element.label} needs a coding with one of {listed}."
        )


def _is_known(key: str, spec: TypeSpec) -> bool:
    """Whether a property is an element of a type, or stands beside a primitive one."""
    if key in spec.elements:
        return True
    beside = spec.elements.get(key[1:]) if key[:1] == "_" else None
    return beside is not None and beside.has_companion
