"""A profile's tree against the R4 tables: from definitions to what is asked of a message.

What enters: the tree of a profile, its bases included. What leaves: asks, for those elements
only of which something is asked. Paths that R4 does not know are problems.
"""

from collections.abc import Iterator

from gateway.fhir.profiles.demands import Demands
from gateway.fhir.profiles.library import Library
from gateway.fhir.profiles.model import Ask, Demand, Slice
from gateway.fhir.profiles.narrow import Narrowed, Narrowing
from gateway.fhir.profiles.slicing import Slicer
from gateway.fhir.profiles.supported import check_element
from gateway.fhir.profiles.terminology import Terminology
from gateway.fhir.profiles.tree import Node, Source
from gateway.fhir.tables import ElementSpec, TypeSpec
from gateway.referral.json import child, string


class Compiler:
    """Compiles trees. See the module."""

    def __init__(self, library: Library, terminology: Terminology) -> None:
        self._library = library
        self._types = library.tables.types
        self._narrowing = Narrowing(library)
        self._demands = Demands(library, terminology)
        self._slicer = Slicer(library, terminology)

    def asks(self, root: Node, type_name: str) -> tuple[Ask, ...]:
        """Compile the tree of a profile of a type that the tables have."""
        for source in root.sources:
            check_element(source, self._library.problems, is_root=True)
        return self._children(root, self._types[type_name])

    def _tell(self, source: Source, says: str) -> None:
        self._library.problems.add(source.file.name, source.place, says)

    def _children(self, node: Node, spec: TypeSpec) -> tuple[Ask, ...]:
        found = []
        for name, each in node.children.items():
            forms = _forms(spec, name)
            if not forms:
                for source in _every_source(each):
                    self._tell(source, f"{spec.name} has no element {name}.")
                continue
            is_needed = any(label == forms[0].label for label, _ in spec.required)
            is_whole = name.endswith("[x]") or forms[0].choice is None
            start = Narrowed(
                forms=forms,
                least=int(is_needed and is_whole),
                most=None if forms[0].is_array else 1,
            )
            ask = self._ask(each, start, is_slice=False)
            if _asks_something(ask, start):
                found.append(ask)
        return tuple(found)

    def _ask(self, node: Node, start: Narrowed, *, is_slice: bool) -> Ask:
        """Compile one element, or one slice of it: its definitions, children and slices."""
        narrowed = Narrowed(
            forms=start.forms,
            least=start.least,
            most=start.most,
            types=start.types,
            targets=start.targets,
        )
        demands: list[Demand] = []
        for source in node.sources:
            check_element(source, self._library.problems, is_root=False)
            self._narrowing.apply(narrowed, source)
            demands += self._demands.of(narrowed, source)
            if is_slice and (node.slices or "slicing" in source.element):
                self._tell(source, "slices of slices are not supported.")
        inner = self._spec_below(node, narrowed)
        slices = () if is_slice else tuple(self._slices(node, narrowed, inner))
        first = narrowed.forms[0]
        kept = tuple(form.name for form in narrowed.forms)
        profiles = narrowed.profiles
        if first.type_name == "Extension" and profiles:
            profiles = ()  # each extension is held against its definition wherever it stands
            for source in () if is_slice else node.sources:
                self._tell(source, "name the extensions that are meant in slices.")
        return Ask(
            label=first.label,
            names=kept,
            refused=tuple(form.name for form in start.forms if form.name not in kept),
            is_array=first.is_array,
            is_primitive=all(form.primitive is not None for form in narrowed.forms),
            least=narrowed.least,
            most=narrowed.most,
            demands=tuple(demands),
            types=narrowed.types,
            targets=narrowed.targets,
            profiles=profiles,
            asks=self._children(node, inner) if inner else (),
            slices=slices,
            is_closed=_is_closed(node),
        )

    def _spec_below(self, node: Node, narrowed: Narrowed) -> TypeSpec | None:
        """Return the type whose elements the children are."""
        if len(narrowed.forms) > 1:
            for source in _every_source(*node.children.values()):
                self._tell(source, "narrow the element above to one type first.")
            return None
        form = narrowed.forms[0]
        if form.primitive is not None:
            return self._types["Element"]
        if form.inner is not None:
            return form.inner
        name = next(iter(narrowed.types)) if len(narrowed.types) == 1 else "Resource"
        return self._types.get(name, self._types["Resource"])

    def _slices(self, node: Node, narrowed: Narrowed, spec: TypeSpec | None) -> Iterator[Slice]:
        if not node.slices:
            return
        form = narrowed.forms[0]
        is_choice = form.choice is not None
        discriminators = self._slicer.discriminators(node, form.label, is_choice=is_choice)
        least = 0
        for name, each in node.slices.items():
            start = Narrowed(
                forms=_sliced_forms(narrowed.forms, name),
                least=0,
                most=narrowed.most,
                types=narrowed.types,
                targets=narrowed.targets,
            )
            ask = self._ask(each, start, is_slice=True)
            least += ask.least
            self._check_slice(node, each)
            if discriminators:
                matches, known_by = self._slicer.matcher(discriminators, each, ask, spec)
                yield Slice(name=name, matches=matches, known_by=known_by, ask=ask)
        if narrowed.most is not None and least > narrowed.most:
            for source in node.sources[-1:]:
                self._tell(source, "the slices need more values than the element may have.")

    def _check_slice(self, node: Node, slice_: Node) -> None:
        """Refuse a slice that is added to a slicing which another profile has closed."""
        closers = [
            source.file.name
            for source in node.sources
            if string(child(source.element, "slicing") or {}, "rules") == "closed"
        ]
        for source in slice_.sources[:1]:
            if closers and source.file.name not in closers:
                self._tell(source, "the base has closed the slicing; it takes no more slices.")


def _forms(spec: TypeSpec, name: str) -> tuple[ElementSpec, ...]:
    """Return the JSON forms of an element, by its name in a path."""
    if name.endswith("[x]"):
        stem = name.removesuffix("[x]")
        return tuple(each for each in spec.elements.values() if each.choice == stem)
    element = spec.elements.get(name)
    return () if element is None or name == "resourceType" else (element,)


def _sliced_forms(forms: tuple[ElementSpec, ...], slice_name: str) -> tuple[ElementSpec, ...]:
    """Return the form that a slice is named after (`valueQuantity`), or all of them."""
    return tuple(form for form in forms if form.name == slice_name) or forms


def _is_closed(node: Node) -> bool:
    slicings = (child(source.element, "slicing") or {} for source in node.sources)
    return any(string(slicing, "rules") == "closed" for slicing in slicings)


def _asks_something(ask: Ask, start: Narrowed) -> bool:
    is_counted = (ask.least, ask.most) != (start.least, start.most)
    parts = (ask.refused, ask.demands, ask.types, ask.targets, ask.profiles, ask.asks, ask.slices)
    return is_counted or ask.is_closed or any(parts)


def _every_source(*nodes: Node) -> Iterator[Source]:
    for node in nodes:
        yield from node.sources
        yield from _every_source(*node.children.values(), *node.slices.values())
