"""What is left of a message while items are taken out of it, one kind after another.

What enters: the items of a message, and which of them are to go. What leaves: what is left, in
its old order, as a tree. The message that enters is left as it is; what does not change is
shared. Whatever goes takes with it what cannot stand without it, and what nothing else holds.
"""

from collections.abc import Collection, Iterable, Mapping

from gateway.consent.items import Items, read_item
from gateway.consent.minimum import Share
from gateway.consent.withhold import TakenOut, Why
from gateway.mapping.connected import REQUEST, connected, envelope, inverse, reasons
from gateway.mapping.prune import IsGone, pruned
from gateway.referral.json import Json, JsonObject, child, objects, string

_NEVER_CUT = frozenset({"resourceType", "id", "implicitRules", "language", "contained", "text"})
"""Elements that no row of the minimum dataset cuts; `text` is for `drop_text` to drop."""


class Remainder:
    """The items that are still here, as they are now, and what each leads to."""

    def __init__(self, items: Items) -> None:
        self.items = items
        self.here: dict[int, JsonObject] = {item.number: item.resource for item in items.all}
        self.leads = list(items.leads)
        self.reasons = reasons(items)
        self.taken_out: list[TakenOut] = []
        self._roots = self.reasons | envelope(items)
        self._led_by = inverse(items.leads, self.here)
        self._inside: dict[int, list[int]] = {}
        for item in items.all:
            if item.container is not None:
                self._inside.setdefault(item.container, []).append(item.number)

    @property
    def request(self) -> int | None:
        """The number of the referral itself; None once it is gone."""
        return next((i.number for i in self.items.of_type(REQUEST) if i.number in self.here), None)

    def take_out(self, which: Mapping[int, Why]) -> None:
        """Take out some items, what leads to them, and what hangs on the referral no longer.

        What a gone item contained hangs on nothing, so it goes with the last of these.
        """
        going = {number for number in which if number in self.here}
        while going:
            self._note(going, which)
            going = self._without(going)
        held = connected(self.items, self.here, self.leads, self._roots)
        self._note(self.here.keys() - held, which)

    def _note(self, going: Collection[int], which: Mapping[int, Why]) -> None:
        for number in sorted(going):
            del self.here[number]
            why = which.get(number, Why.NOT_CONNECTED)
            self.taken_out.append(TakenOut(type=self.items.all[number].type, why=why))

    def _without(self, gone: Collection[int]) -> set[int]:
        """Take the links to the gone out of what is left; list what cannot stand without."""
        falling = set()
        for number in {n for each in gone for n in self._led_by.get(each, ())}:
            if number in self.here and not self.leads[number].isdisjoint(gone):
                left = pruned(self.here[number], self._gone_from(number))
                if left is None:
                    falling.add(number)
                else:
                    self.here[number] = left
                    self.leads[number] -= frozenset(gone)
        return falling

    def _gone_from(self, number: int) -> IsGone:
        outer = self._outer(number)

        def is_gone(link: str) -> bool:
            targets = self.items.named(link, outer)
            return bool(targets) and targets.isdisjoint(self.here)

        return is_gone

    def _outer(self, number: int) -> int:
        container = self.items.all[number].container
        return number if container is None else container

    def cut(self, number: int, share: Share) -> bool:
        """Cut an item down to some elements; tell whether anything had to go."""
        before = self.here[number]
        left = _cut(before, share)
        if len(left) == len(before) and all(left[name] is before[name] for name in left):
            return False
        self.here[number] = left
        outer = self._outer(number)
        links = read_item(left).links
        self.leads[number] &= frozenset(n for link in links for n in self.items.named(link, outer))
        self.taken_out.append(TakenOut(type=self.items.all[number].type, why=Why.NOT_MINIMUM))
        return True

    def drop_text(self, statuses: Collection[str] | None) -> Iterable[str]:
        """Drop narrative of some statuses, None: of all; name the status of each."""
        dropped = []
        for number, resource in self.here.items():
            text = child(resource, "text")
            status = string(text, "status") if text is not None else None
            if status is not None and (statuses is None or status in statuses):
                self.here[number] = {n: v for n, v in resource.items() if n != "text"}
                dropped.append(status)
        return dropped

    def is_labelled_throughout(self) -> bool:
        """Whether every document that is left bears a label: its own, or its register entry's."""
        return all(
            self._is_labelled(number)
            for number, resource in self.here.items()
            if self.items.all[number].is_document or "text" in resource
        )

    def _is_labelled(self, number: int) -> bool:
        if self.items.all[number].labels or self.items.labels:
            return True
        return self.items.all[number].type == "Binary" and any(
            number in self.leads[n] and self.items.all[n].labels
            for n in self.here
            if self.items.all[n].type == "DocumentReference"
        )

    def tree(self) -> JsonObject:
        """Write what is left as a message of the form in which it came."""
        whole = self.items.tree
        if string(whole, "resourceType") != "Bundle":
            return self._written(0)
        outer = (item.number for item in self.items.all if item.container is None)
        entries: list[Json] = []
        for entry in objects(whole, "entry"):
            if child(entry, "resource") is not None:
                number = next(outer)
                if number in self.here:
                    entries.append({**entry, "resource": self._written(number)})
        return {**whole, "entry": entries}

    def _written(self, number: int) -> JsonObject:
        """Put what an item still contains back into it."""
        resource = self.here[number]
        if "contained" not in resource:
            return resource
        inside = self._inside.get(number, ())
        inner: list[Json] = [self.here[n] for n in inside if n in self.here]
        written = {**resource, "contained": inner}
        if not inner:
            del written["contained"]
        return written


def _cut(resource: JsonObject, share: Share) -> JsonObject:
    if share.elements is None:
        return resource
    left: JsonObject = {}
    for name, value in resource.items():
        if name in _NEVER_CUT or name.removeprefix("_") in share.elements:
            left[name] = value
        elif name == "extension" and isinstance(value, list) and share.extensions:
            kept = [each for each in value if _ends_in(each, share.extensions)]
            if kept:
                left[name] = value if len(kept) == len(value) else kept
    return left


def _ends_in(extension: Json, names: Collection[str]) -> bool:
    url = string(extension, "url") if isinstance(extension, dict) else None
    return (url or "").rpartition("/")[2] in names
