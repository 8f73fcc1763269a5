"""A resource without the places that led to something taken out.

What enters: a resource, and which links lead to what is gone. What leaves: the resource without
them: an object that holds such a link goes whole, an empty list or object vanishes, and where a
required element or an invariant of FHIR breaks, so does whatever lacks it, outward to the
resource itself. The resource that enters is left as it is; what does not change is shared.
Source: FHIR R4, the compiled tables of `gateway.fhir`.

Not touched: what the resource contains (each is an item of its own), narrative, and free text.
"""

from collections.abc import Callable
from typing import Final

from gateway.consent.items import LINKS, link_of
from gateway.fhir.tables import ElementSpec, TypeSpec, load_tables
from gateway.referral.json import Json, JsonObject, child

IsGone = Callable[[str], bool]
"""Whether a link, as written, leads to what was taken out."""

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
        left = self._without(outside, spec)
        if left is outside:
            return resource
        if left is None or "contained" not in resource:
            return left
        return {
            name: left.get(name, resource[name])
            for name in resource
            if name in left or name == "contained"
        }

    def object(self, node: JsonObject, spec: TypeSpec | None) -> JsonObject | None:
        """Return what is left of an object below a resource."""
        return None if self._leads_away(node) else self._without(node, spec)

    def _leads_away(self, node: JsonObject) -> bool:
        for name in LINKS & node.keys():
            link = node[name]
            if isinstance(link, str) and self._is_gone(link):
                return True
        identifier = child(node, "identifier")
        link = (
            link_of(identifier) if identifier is not None and "resourceType" not in node else None
        )
        return isinstance(link, str) and self._is_gone(link)

    def _without(self, node: JsonObject, spec: TypeSpec | None) -> JsonObject | None:
        left: JsonObject = {}
        is_changed = False
        for name, value in node.items():
            now = self._value(name, value, spec)
            is_changed |= now is not value
            if now is not None or value is None:
                left[name] = now
        if not is_changed:
            return node
        return left if _can_stand(left, node, spec) else None

    def _value(self, name: str, value: Json, spec: TypeSpec | None) -> Json:
        """Return what is left of one element; None: nothing."""
        if isinstance(value, dict):
            return self.object(value, self._inner(name, value, spec))
        if not isinstance(value, list):
            return value
        now = [
            self.object(each, self._inner(name, each, spec)) if isinstance(each, dict) else each
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
    for _, names in spec.required:
        if not any(name in left for name in names) and any(name in before for name in names):
            return False
    return not any(rule.holds(before) and not rule.holds(left) for rule in spec.invariants)
