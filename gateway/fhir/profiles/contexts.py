"""Does an extension stand where its definition permits?

What enters: a rule, and the place of what the extension stands in. What leaves: yes or no.
A place goes by many names: those of its type and of what that derives from, and the paths
that lead to it from the types around it. Only the extensions defined here are asked about.
"""

from gateway.fhir.faults import Place
from gateway.fhir.profiles.model import ExtensionRule
from gateway.fhir.tables import ElementSpec, Tables
from gateway.referral.json import Json, JsonObject, string


def stands_rightly(rule: ExtensionRule, owner: Place, root: JsonObject, tables: Tables) -> bool:
    """Say whether an extension may stand in what is at `owner`, a place of a message."""
    steps: list[tuple[str, int | None]] = []
    step: Place | None = owner
    while step is not None:
        steps.insert(0, (step[1], step[2]))
        step = step[0]
    contexts = _Contexts(root, tables)
    for label, index in steps[1:]:
        contexts.descend(label, index)
    url = string(contexts.node, "url") if "Extension" in contexts.names else None
    return url in rule.extensions or not rule.elements.isdisjoint(contexts.names)


class _Contexts:
    """What a place of a message is called: its types, and paths from the types around it."""

    def __init__(self, root: JsonObject, tables: Tables) -> None:
        self._tables = tables
        self._enter(root)

    def _enter(self, resource: JsonObject) -> None:
        self.node = resource
        self._type = string(resource, "resourceType") or ""
        self.names = frozenset(self._lineage(self._type))

    def _lineage(self, name: str) -> list[str]:
        names = []
        while name:
            names.append(name)
            name = self._tables.bases.get(name, "")
        return names

    def descend(self, label: str, index: int | None) -> None:
        """Go to what stands under a label, at a position where it is an array."""
        spec = self._tables.types.get(self._type)
        elements = spec.elements.values() if spec else ()
        forms = [each for each in elements if each.label == label]
        form = next((f for f in forms if f.name in self.node or "_" + f.name in self.node), None)
        if form is None:
            self.names = frozenset()
        elif form.inner is None and form.primitive is None:
            self._enter(_at(self.node.get(form.name), index))
        else:
            below = {f"{name}.{label}" for name in self.names}
            self._type = form.type_name if form.primitive is None else "Element"
            self.names = frozenset({*below, form.type_name, *self._lineage(self._type)})
            self.node = _at(self.node.get(_property(form)), index)


def _property(form: ElementSpec) -> str:
    return form.name if form.primitive is None else "_" + form.name


def _at(value: Json, index: int | None) -> JsonObject:
    if isinstance(value, list) and index is not None and index < len(value):
        value = value[index]
    return value if isinstance(value, dict) else {}
