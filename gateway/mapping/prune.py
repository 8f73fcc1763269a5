"""A resource without the places that led to something taken out.

What enters: a resource, and which links lead to what is gone. What leaves: the resource without
them: an object that holds such a link goes whole, an empty list or object vanishes, and where a
required element or an invariant of FHIR breaks, so does whatever lacks it, outward to the
resource itself. So does an element of a list that lost all that it referred to, an extension of
several parts, and what collects others, once all of them are gone. The resource that enters is left as it is; what does not change is shared.
Source: FHIR R4, the compiled tables of `gateway.fhir`.

Not touched: what the resource contains (each is an item of its own), narrative, and free text.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final

from gateway.consent.links import LINKS, NAMING, links_in
from gateway.fhir.tables import ElementSpec, TypeSpec, load_tables
from gateway.referral.json import Json, JsonObject, objects

IsGone = Callable[[str], bool]
"""Whether a link, as written, leads to what was taken out."""

_COLLECTS: Final[Mapping[str, Sequence[str]]] = {
    name: elements.split()
    for name, elements in {
        "CarePlan": "activity addresses goal",
        "CareTeam": "participant",
        "ClinicalImpression": "finding investigation problem",
        "Composition": "section",
        "Composition.section": "entry section",
        "DetectedIssue": "evidence implicated",
        "DiagnosticReport": "imagingStudy media result",
        "Goal": "addresses",
        "Group": "member",
        "List": "entry",
        "QuestionnaireResponse": "item",
        "QuestionnaireResponse.item": "answer item",
        "RequestGroup": "action",
        "RiskAssessment": "basis",
        "Task": "focus",
    }.items()
}
"""What collects others, or speaks of them, and by which elements. Once all of these are gone, the
rest of it (a title, a question, a conclusion) speaks of nothing but what may not be told."""

_SAYS_NOTHING: Final = frozenset({"id", "url"})
"""Elements that alone say nothing: `url` names an Extension, `id` is for links within."""


def pruned(resource: JsonObject, is_gone: IsGone) -> JsonObject | None:
    """Return a resource without what leads to the gone; None where it cannot stand without."""
    return _Pruning(is_gone).resource(resource)


class _Pruning:
    """One pruning: which links lead to the gone."""

    def __init__(self, is_gone: IsGone) -> None:
        self._is_gone = is_gone
        self._types = load_tables().types

    def resource(self, resource: JsonObject) -> JsonObject | None:
        outside = {name: value for name, value in resource.items() if name != "contained"}
        spec = self._types.get(str(resource.get("resourceType")))
        left = self._without(outside, spec, "")
        if left is outside:
            return resource
        if left is None or "contained" not in resource:
            return left
        return {
            name: left.get(name, resource[name])
            for name in resource
            if name in left or name == "contained"
        }

    def object(self, node: JsonObject, spec: TypeSpec | None, under: str) -> JsonObject | None:
        """Return what is left of an object below a resource."""
        names = [n for n in NAMING & node.keys() if not isinstance(node[n], list)]
        if any(self._leads_away(name, node[name], node, under) for name in names):
            return None
        return self._without(node, spec, under)

    def _leads_away(self, name: str, value: Json, node: JsonObject, under: str) -> bool:
        return any(self._is_gone(link) for link in links_in(name, value, node, under))

    def _without(self, node: JsonObject, spec: TypeSpec | None, under: str) -> JsonObject | None:
        left: JsonObject = {}
        changed = set()
        for name, value in node.items():
            kept = self._led(name, value, node, under) if name in NAMING else value
            now = self._value(name, kept, spec)
            if now is not value:
                changed.add(name)
            if now is not None or value is None:
                left[name] = now
        if not changed:
            return node
        for name in changed & LINKS:
            left.pop(f"_{name}", None)  # it stood beside what went, member for member
        return left if _can_stand(left, node, spec) else None

    def _led(self, name: str, value: Json, node: JsonObject, under: str) -> Json:
        """Return an element that names something without what names the gone; None: nothing."""
        if not isinstance(value, list):
            return None if self._leads_away(name, value, node, under) else value
        left = [each for each in value if not self._leads_away(name, each, node, under)]
        return value if len(left) == len(value) else left or None

    def _value(self, name: str, value: Json, spec: TypeSpec | None) -> Json:
        """Return what is left of one element; None: nothing."""
        if isinstance(value, dict):
            return self.object(value, self._inner(name, value, spec), name)
        if not isinstance(value, list):
            return value
        now = [
            self.object(each, self._inner(name, each, spec), name)
            if isinstance(each, dict)
            else each
            for each in value
        ]
        if all(new is old for new, old in zip(now, value, strict=True)):
            return value
        if name.startswith("_"):  # it stands beside a list of primitives, member for member
            return list(now) if any(each is not None for each in now) else None
        return [each for each in now if each is not None] or None

    def _inner(self, name: str, node: JsonObject, spec: TypeSpec | None) -> TypeSpec | None:
        element: ElementSpec | None = spec.elements.get(name) if spec else None
        if element is not None and element.inner is not None:
            return element.inner
        if name.startswith("_"):
            return self._types["Element"]
        return self._types.get(str(node.get("resourceType")))


def _can_stand(left: JsonObject, before: JsonObject, spec: TypeSpec | None) -> bool:
    if left.keys() <= _SAYS_NOTHING:
        return False
    if spec is None:
        return True
    if any(_lost_all(names, left, before) for names in _refers_by(spec)):
        return False
    if spec.name == "Extension" and left.get("extension") is not before.get("extension"):
        return any("valueReference" in each for each in objects(left, "extension"))
    for _, names in spec.required:
        if not any(name in left for name in names) and any(name in before for name in names):
            return False
    return not any(rule.holds(before) and not rule.holds(left) for rule in spec.invariants)


@cache
def _refers_by(spec: TypeSpec) -> tuple[Sequence[str], ...]:
    """List the elements of which a type tells only by what they refer to."""
    collected = _COLLECTS.get(spec.name, ())
    if load_tables().bases.get(spec.name) != "BackboneElement":
        return (collected,)
    own = tuple(e.name for e in spec.elements.values() if e.type_name == "Reference")
    return collected, own


def _lost_all(names: Sequence[str], left: JsonObject, before: JsonObject) -> bool:
    return any(name in before for name in names) and not any(name in left for name in names)
