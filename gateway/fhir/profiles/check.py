"""The second pass: resources and extensions against the profiles that apply to them.

What enters: what the walk met, and the profiles. What leaves: faults. It goes only where a
profile asks something, and passes over what the walk has found to be of the wrong kind. Its
texts name the profile and quote its values, never the message's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.errors import IssueCode, Severity
from gateway.fhir.faults import FaultList, Place
from gateway.fhir.inventory import Inventory, Met
from gateway.fhir.profiles.contexts import stands_rightly
from gateway.fhir.profiles.model import EXTENSIONS, Ask, Profile, Profiles, Slice, Targets
from gateway.fhir.reference_rules import ReferenceRules
from gateway.fhir.tables import Tables
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject, child, string

_OWN_PROFILES: Final = f"{OWN_BASE}/StructureDefinition/"


@dataclass(frozen=True, slots=True)
class _Item:
    """One value of an element: its JSON name, what stands there, and beside it if primitive."""

    name: str
    place: Place
    value: Json
    beside: Json


class ProfilePass:
    """Holds one message against profiles. See the module."""

    def __init__(
        self,
        profiles: Profiles,
        tables: Tables,
        root: JsonObject,
        references: ReferenceRules,
        found: FaultList,
    ) -> None:
        self._profiles = profiles
        self._tables = tables
        self._root = root
        self._references = references
        self._found = found
        self._waiting: list[tuple[Met, str]] = []
        self._done: set[tuple[int, str]] = set()
        self._profile: Profile | None = None
        self._met = Met(root, (None, "", None))
        self._entries: Mapping[str, Met] = {}

    def run(self, inventory: Inventory, expected: Mapping[str, Sequence[str]]) -> None:
        """Check every resource and extension of an inventory."""
        if not inventory.resources:
            return
        self._entries = _entries(self._root, inventory.resources[0].place)
        for met in inventory.resources:
            if urls := self._applying(met, expected):
                self._resource(met, urls)
        for node, place, met in inventory.extensions:
            self._met = met
            self._extension(node, place)
        self._unknown(inventory.unknown)
        self._count_extensions(inventory)
        for target, url in self._waiting:  # grows as it goes, and ends: none is checked twice
            self._resource(target, [url])

    def _applying(self, met: Met, expected: Mapping[str, Sequence[str]]) -> list[str]:
        """List the profiles that a resource claims and those that it is expected to be of.

        Of a Bundle in a Bundle none is expected: what is asked of a message is not asked of it.
        """
        kind = string(met.node, "resourceType") or ""
        is_inner_bundle = kind == "Bundle" and met.node is not self._root
        urls = [] if is_inner_bundle else [*expected.get(kind, ())]
        if "meta" not in met.node:
            return urls
        claims = (child(met.node, "meta") or {}).get("profile")
        for index, claim in enumerate(claims if isinstance(claims, list) else []):
            if not isinstance(claim, str):
                continue
            is_own = claim.startswith(_OWN_PROFILES)
            profile = self._profiles.by_url.get(claim.partition("|")[0] if is_own else claim)
            if profile is None:
                if is_own:
                    self._found.add(
                        IssueCode.CODE_INVALID,
                        met.place,
                        "This gateway has no profile of this name. Claim one that its"
                        " CapabilityStatement lists, or none.",
                        below=f".meta.profile[{index}]",
                    )
            elif profile.type == kind:
                urls.append(profile.url)
            else:
                self._found.add(
                    IssueCode.VALUE,
                    met.place,
                    f"The profile {profile.name} is one of {profile.type}; claim one of {kind}.",
                    below=f".meta.profile[{index}]",
                )
        return urls

    def _resource(self, met: Met, urls: Sequence[str]) -> None:
        """Hold a resource against profiles: of those that derive from each other, the last."""
        profiles = {each.url: each for each in (self._profiles.by_url[url] for url in urls)}
        covered = frozenset[str]().union(*(each.ancestors for each in profiles.values()))
        for url, profile in profiles.items():
            key = id(met.node), url
            if url in covered or key in self._done:
                continue
            self._done.update((key[0], each) for each in (url, *profile.ancestors))
            if string(met.node, "resourceType") == profile.type:
                self._profile, self._met = profile, met
                self._asks(met.node, profile.asks, met.place)

    def _extension(self, node: JsonObject, place: Place) -> None:
        rule = self._profiles.extensions[string(node, "url") or ""]
        self._profile = rule.profile
        name, owner = rule.profile.name, place[0]
        if rule.is_modifier != (place[1] == "modifierExtension"):
            right = EXTENSIONS[rule.is_modifier]
            self._found.add(IssueCode.EXTENSION, place, f"{name} belongs in {right}; move it.")
        if owner is not None and not stands_rightly(rule, owner, self._root, self._tables):
            permitted = ", ".join(sorted(rule.elements | rule.extensions))
            self._found.add(
                IssueCode.EXTENSION, place, f"{name} may stand in {permitted} only; move it."
            )
        self._asks(node, rule.profile.asks, place)

    def _unknown(self, places: Sequence[Place]) -> None:
        """Refuse what says that it is defined here, and is not."""
        for place in places:
            self._found.add(
                IssueCode.EXTENSION,
                place,
                "This gateway defines no extension of this name. Correct the url, or leave the"
                " extension out.",
                below=".url",
            )

    def _count_extensions(self, inventory: Inventory) -> None:
        counts: dict[tuple[int, str], int] = {}
        for node, place, _met in inventory.extensions:
            rule = self._profiles.extensions[string(node, "url") or ""]
            key = id(place[0]), rule.profile.url
            counts[key] = counts.get(key, 0) + 1
            if rule.most is not None and counts[key] == rule.most + 1:
                self._found.add(
                    IssueCode.EXTENSION,
                    place,
                    f"{rule.profile.name} may stand in one place {_times(rule.most)}.",
                )

    def _asks(self, node: JsonObject, asks: Sequence[Ask], place: Place) -> None:
        for ask in asks:
            items = list(_items(node, ask, place))
            here = (place, ask.label, None)
            if any(name in node or "_" + name in node for name in ask.refused):
                says = f"must be given as {' or '.join(ask.names)}"
                self._tell(IssueCode.VALUE, here, ask, says)
            else:
                self._count(ask, items, here)
            for item in items:
                self._item(ask, item)
            if ask.slices or ask.is_closed:
                self._slices(ask, items, here)

    def _count(
        self, ask: Ask, items: Sequence[_Item], place: Place, slice_: Slice | None = None
    ) -> None:
        """Compare how many values there are with how many there may be."""
        if ask.least <= len(items) and (ask.most is None or len(items) <= ask.most):
            return
        known_by = _known_by(slice_) if slice_ else ""
        if len(items) < ask.least:
            many = f" {ask.least} times at least" if ask.least > 1 else ""
            self._tell(IssueCode.REQUIRED, place, ask, f"is needed{many}{known_by}; add it")
        elif ask.most is not None:
            says = f"may be given {_times(ask.most)}{known_by}; leave out what is more"
            says = says if ask.most else f"may not be given{known_by}; leave it out"
            self._tell(IssueCode.STRUCTURE, items[ask.most].place, ask, says)

    def _item(self, ask: Ask, item: _Item) -> None:
        """Check one value, and what is in it."""
        for demand in ask.demands:
            if not demand.holds(item.value):
                self._tell(demand.code, item.place, ask, demand.says, severity=demand.severity)
        if ask.asks:
            inner = (item.beside or {}) if ask.is_primitive else item.value
            if isinstance(inner, dict):
                self._asks(inner, ask.asks, item.place)
        if isinstance(item.value, dict):
            self._object(ask, item, item.value)

    def _object(self, ask: Ask, item: _Item, value: JsonObject) -> None:
        """Check of what type and profile an object is, and where a reference leads."""
        if ask.types and string(value, "resourceType") not in ask.types:
            listed = ", ".join(sorted(ask.types))
            self._tell(IssueCode.VALUE, item.place, ask, f"must be one of: {listed}")
        if ask.targets is not None and item.name == ask.targets.name:
            self._reference(ask, ask.targets, value, item.place)
        for url in ask.profiles:
            self._hold(url, value, item.place)

    def _hold(self, url: str, node: JsonObject, place: Place) -> None:
        """Hold a value against the profile of its type: a resource later, a part of one now."""
        profile = self._profiles.by_url[url]
        if profile.type in self._tables.resources:
            self._waiting.append((Met(node, place), url))
            return
        outer, self._profile = self._profile, profile
        self._asks(node, profile.asks, place)
        self._profile = outer

    def _slices(self, ask: Ask, items: Sequence[_Item], place: Place) -> None:
        """Sort the values into slices; count and check those of each."""
        taken: set[int] = set()
        for each in ask.slices:
            own = [item for item in items if each.matches(item.name, item.value)]
            taken.update(id(item) for item in own)
            self._count(each.ask, own, place, each)
            for item in own:
                self._item(each.ask, item)
        if ask.is_closed:
            permitted = "; ".join(f"{each.name} ({each.known_by})" for each in ask.slices)
            for item in items:
                if id(item) not in taken:
                    self._tell(IssueCode.STRUCTURE, item.place, ask, f"may only be: {permitted}")

    def _reference(self, ask: Ask, targets: Targets, node: JsonObject, place: Place) -> None:
        """Check what a reference leads to, as far as the message tells."""
        target = self._target(node)
        kind = string(target.node, "resourceType") if target else self._references.type_of(node)
        if kind is None or kind not in self._tables.resources:
            return
        if kind not in targets.types:
            listed = ", ".join(sorted(targets.types))
            self._tell(
                IssueCode.VALUE, place, ask, f"refers to a {kind}; it may refer to: {listed}"
            )
        elif target is not None:
            self._waiting += [(target, url) for url in targets.profiles[kind]]

    def _target(self, reference: JsonObject) -> Met | None:
        """Return the resource of the message that a reference leads to."""
        text = string(reference, "reference") or ""
        if not text.startswith("#"):
            return self._entries.get(text)
        container = self._met.container or self._met
        members = container.node.get("contained")
        for index, each in enumerate(members if isinstance(members, list) else []):
            if isinstance(each, dict) and string(each, "id") == text[1:]:
                return Met(each, (container.place, "contained", index), container)
        return None

    def _tell(
        self,
        code: IssueCode,
        place: Place,
        ask: Ask,
        says: str,
        *,
        severity: Severity = Severity.ERROR,
    ) -> None:
        profile = self._profile
        is_extension = ask.label in EXTENSIONS or (profile and profile.type == "Extension")
        if is_extension and code in (IssueCode.REQUIRED, IssueCode.STRUCTURE):
            code = IssueCode.EXTENSION
        name = profile.name if profile else ""
        self._found.add(code, place, f"{name}: {ask.label} {says}.", severity=severity)


def _entries(root: JsonObject, start: Place) -> Mapping[str, Met]:
    """Find the resources of a Bundle by their fullUrl."""
    entries = root.get("entry")
    found = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        url = string(entry, "fullUrl") if isinstance(entry, dict) else None
        resource = child(entry, "resource") if isinstance(entry, dict) else None
        if url is not None and resource is not None:
            found[url] = Met(resource, ((start, "entry", index), "resource", None))
    return found


def _times(most: int) -> str:
    return f"{most} times at most" if most > 1 else "once only"


def _known_by(slice_: Slice) -> str:
    return f" with {slice_.known_by}" if slice_.known_by else f" of the slice {slice_.name}"


def _items(node: JsonObject, ask: Ask, place: Place) -> Iterator[_Item]:
    """Find the values of an element. That one is of the wrong kind is told by the walk."""
    for name in ask.names:
        value, beside = node.get(name), node.get("_" + name)
        if value is None and beside is None:
            continue
        if not ask.is_array:
            yield _Item(name, (place, ask.label, None), value, beside)
            continue
        values, besides = _members(value), _members(beside)
        for index in range(max(len(values), len(besides))):
            yield _Item(
                name,
                (place, ask.label, index),
                values[index] if index < len(values) else None,
                besides[index] if index < len(besides) else None,
            )


def _members(value: Json) -> list[Json]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]
