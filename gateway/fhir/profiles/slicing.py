"""How the values of one slice are told from those of another.

What enters: the slicing of an element and the tree of one of its slices. What leaves: a
question that `check` asks of each value, and what it looks for in words.

Discriminators of the types value and pattern name a path of elements, or `$this`; a slice
says what stands there by fixed[x], pattern[x] or a required binding, on the element itself or
on one that holds it. The type `type` tells the forms of a choice apart (`$this`), or resource
types. A value may belong to several slices and is then asked what each asks. Extensions are
told apart by url, by the profile of the slice or by a fixed url, without slicing being said.
"""

import re
from collections.abc import Callable, Iterator
from typing import Final

from gateway.fhir.profiles.demands import has_code_of
from gateway.fhir.profiles.library import Library
from gateway.fhir.profiles.matching import describe, equals, holds_pattern, values_at
from gateway.fhir.profiles.model import EXTENSIONS, Ask
from gateway.fhir.profiles.terminology import Terminology
from gateway.fhir.profiles.tree import Node, Source
from gateway.fhir.tables import TypeSpec
from gateway.referral.json import Json, JsonObject, child, objects, string, strings

Matches = Callable[[str, Json], bool]
Looks = tuple[Matches, str]
"""A question about the JSON name and the value, and what it looks for in words."""

_PATH: Final = re.compile(r"[a-z][A-Za-z0-9]*(?:\.[a-z][A-Za-z0-9]*)*")
_BY_URL: Final[JsonObject] = {"type": "value", "path": "url"}
_BY_TYPE: Final[JsonObject] = {"type": "type", "path": "$this"}


class Slicer:
    """Makes the questions of slices, telling where it cannot."""

    def __init__(self, library: Library, terminology: Terminology) -> None:
        self._library = library
        self._terminology = terminology

    def discriminators(self, node: Node, label: str, *, is_choice: bool) -> list[JsonObject]:
        """Return the discriminators of a sliced element; none after telling that there are none."""
        found: list[JsonObject] = []
        for source in node.sources:
            slicing = child(source.element, "slicing")
            found = objects(slicing, "discriminator") if slicing else found
        if label in EXTENSIONS:
            if found and [_of(each) for each in found] != [_of(_BY_URL)]:
                for source in node.sources:
                    self._tell(source, "extensions are told apart by the value of url.")
            found = [_BY_URL]
        elif is_choice:
            found = found or [_BY_TYPE]
        if not found:
            for source in _first_sources(node):
                self._tell(source, "the sliced element needs slicing with a discriminator.")
        return found

    def matcher(
        self, discriminators: list[JsonObject], node: Node, ask: Ask, spec: TypeSpec | None
    ) -> Looks:
        """Make the question of one slice. `spec` is the type of the values, where it is one."""
        looks = [
            each
            for discriminator in discriminators
            for each in self._looks(discriminator, node, ask, spec)
        ]
        words = ", ".join(words for _, words in looks)
        if len(looks) == 1:
            return looks[0]
        questions = tuple(question for question, _ in looks)
        return lambda name, value: all(ask(name, value) for ask in questions), words

    def _tell(self, source: Source, says: str) -> None:
        self._library.problems.add(source.file.name, source.place, says)

    def _looks(
        self, discriminator: JsonObject, node: Node, ask: Ask, spec: TypeSpec | None
    ) -> Iterator[Looks]:
        kind, path = string(discriminator, "type"), string(discriminator, "path") or ""
        if kind == "type":
            found = _by_type(path, ask)
        elif path != "$this" and not _PATH.fullmatch(path):
            found = []
        else:
            steps = () if path == "$this" else tuple(path.split("."))
            found = list(self._by_value(steps, node, spec)) if self._is_path(steps, spec) else []
        if not found:
            for source in node.sources[:1] or _first_sources(node)[:1]:
                self._tell(
                    source,
                    f"the slice must say by fixed[x], pattern[x] or required binding what stands"
                    f" at its discriminator {path}, a path of elements that R4 has.",
                )
        yield from found

    def _is_path(self, steps: tuple[str, ...], spec: TypeSpec | None) -> bool:
        for step in steps:
            element = spec.elements.get(step) if spec else None
            if element is None or element.choice is not None:
                return False
            spec = element.inner
        return True

    def _by_value(
        self, steps: tuple[str, ...], node: Node, spec: TypeSpec | None
    ) -> Iterator[Looks]:
        """Find what the slice says about the path: at its end, and in what is above it."""
        if steps == ("url",):
            yield from self._by_profile(node)
        here: Node | None = node
        for depth in range(len(steps) + 1):
            for source in here.sources if here else ():
                yield from _by_wanted(steps, depth, source)
                if depth == len(steps):
                    yield from self._by_binding(steps, source, _type_at(spec, steps))
            here = here.children.get(steps[depth]) if here and depth < len(steps) else None

    def _by_profile(self, node: Node) -> Iterator[Looks]:
        """Tell extensions apart by the profile that a slice names."""
        for source in node.sources:
            for typed in objects(source.element, "type"):
                for canonical in strings(typed, "profile"):
                    url = canonical.partition("|")[0]
                    yield _at(("url",), lambda value, url=url: value == url), f"url = {url}"  # type: ignore[misc]

    def _by_binding(
        self, steps: tuple[str, ...], source: Source, type_name: str
    ) -> Iterator[Looks]:
        binding = child(source.element, "binding")
        if binding is None or string(binding, "strength") != "required":
            return
        canonical = string(binding, "valueSet") or ""
        place = f"{source.place}.binding.valueSet"
        value_set = self._terminology.value_set(canonical, source.file, place)
        if value_set is not None:
            question = _at(steps, lambda value: has_code_of(value_set, value, type_name))
            yield question, f"a code of {value_set.describe()}"


def _by_wanted(steps: tuple[str, ...], depth: int, source: Source) -> Iterator[Looks]:
    """Look for a fixed value or pattern that reaches the end of the path from `depth`."""
    rest = steps[depth:]
    for key, wanted in source.element.items():
        if not key.startswith(("fixed", "pattern")):
            continue
        is_same = equals if key.startswith("fixed") else holds_pattern
        for each in values_at(wanted, rest):
            at = ".".join(steps)
            words = f"{at} = {describe(each)}" if at else describe(each)
            yield _at(steps, _same(is_same, each)), words


def _same(is_same: Callable[[Json, Json], bool], wanted: Json) -> Callable[[Json], bool]:
    return lambda value: is_same(value, wanted)


def _at(steps: tuple[str, ...], holds: Callable[[Json], bool]) -> Matches:
    """Ask a question of what stands at a path: one value there must satisfy it."""
    if not steps:
        return lambda _name, value: holds(value)
    return lambda _name, value: any(holds(each) for each in values_at(value, steps))


def _by_type(path: str, ask: Ask) -> list[Looks]:
    """Tell the forms of a choice apart, or resource types."""
    is_choice = ask.label not in ask.names
    if path == "$this" and is_choice:
        names = frozenset(ask.names)
        return [(lambda name, _value: name in names, " or ".join(sorted(names)))]
    types = ask.types if path == "$this" else frozenset[str]()
    for inner in ask.asks:
        types = inner.types if inner.label == path else types
    if not types:
        return []
    steps = ("resourceType",) if path == "$this" else (path, "resourceType")
    words = f"a resource of the type {' or '.join(sorted(types))}"
    return [(_at(steps, lambda value: value in types), words)]


def _type_at(spec: TypeSpec | None, steps: tuple[str, ...]) -> str:
    name = spec.name if spec else ""
    for step in steps:
        element = spec.elements[step] if spec else None
        name, spec = (element.type_name, element.inner) if element else ("", None)
    return name


def _of(discriminator: JsonObject) -> tuple[str | None, str | None]:
    return string(discriminator, "type"), string(discriminator, "path")


def _first_sources(node: Node) -> list[Source]:
    """Return the first definition of each slice."""
    found = []
    for each in node.slices.values():
        below: Node | None = each
        while below is not None and not below.sources:
            below = next(iter(below.children.values()), None)
        found += below.sources[:1] if below else []
    return found
