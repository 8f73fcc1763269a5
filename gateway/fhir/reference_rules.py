"""Is each Reference written rightly, and does it point to a type that its place permits?

What enters: Reference objects, as the walk meets them. What leaves: faults. A reference to
something outside the message is never followed, so a dangling `EpisodeOfCare/<uuid>` is
fine; a type is compared where the message itself tells it: in the URL, in an entry with that
fullUrl, or in a contained resource. Source: FHIR R4, references.html.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from gateway.errors import IssueCode, Severity
from gateway.fhir.faults import FaultList, Place
from gateway.fhir.tables import ElementSpec
from gateway.referral.json import JsonObject, child, objects, string

_ID: Final = r"[A-Za-z0-9\-.]{1,64}"
_RELATIVE: Final = re.compile(rf"([A-Z][A-Za-z]+)/{_ID}(?:/_history/{_ID})?")
_ABSOLUTE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.\-]*+://(\S++)")
_NAMED_AT_THE_END: Final = re.compile(rf"./([A-Z][A-Za-z]{{1,63}})/{_ID}(?:/_history/{_ID})?\Z")
_LONGEST_END: Final = 256
"""Characters of a URL that may name a type, its id and its version."""

_URN: Final = re.compile(
    r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|urn:oid:[0-2](?:\.\d++)++", re.IGNORECASE
)
_CONDITIONAL: Final = re.compile(r"([A-Z][A-Za-z]+)\?[^\s=]++=\S++")

_REFERENCE: Final = ".reference"
_SHAPES: Final = (
    "must be Type/id, an absolute URL, urn:uuid: and a UUID, or # and the id of a contained "
    "resource; a business number belongs in identifier"
)


LocalReference: TypeAlias = tuple[str, Place, ElementSpec, str | None]
"""A reference into the contained resources, to be judged once they are all known: the id,
where the reference stands, its definition, and the type it declares."""


class ReferenceRules:
    """Judges every Reference of one message.

    `local` are the references of the resource that is being walked; the walk swaps the list
    when it enters another one.
    """

    def __init__(self, resource_names: frozenset[str], root: JsonObject, found: FaultList) -> None:
        self.local: list[LocalReference] = []
        self._names = resource_names
        self._found = found
        self._types_by_url = _types_by_url(root)
        self._may_be_conditional = string(root, "type") in {"transaction", "batch"}

    def check(self, node: JsonObject, element: ElementSpec, place: Place) -> None:
        """Judge one Reference; a local one is kept for `settle`."""
        declared = string(node, "type") if "type" in node else None
        declared = declared if declared in self._names else None
        reference = string(node, "reference")
        if not reference:
            self._compare(declared, element, place)
        elif reference[0] == "#":
            self.local.append((reference[1:], place, element, declared))
        else:
            is_well_formed, actual = self._read(reference)
            if not is_well_formed:
                self._found.add(IssueCode.VALUE, place, f"A reference {_SHAPES}.", below=_REFERENCE)
            self._agree(actual, declared, element, place)

    def type_of(self, node: JsonObject) -> str | None:
        """Return the type that a Reference names in its URL or states, where it does."""
        reference = string(node, "reference") or ""
        named = self._read(reference)[1] if reference and reference[0] != "#" else None
        return named or string(node, "type")

    def settle(self, resource: JsonObject, place: Place) -> None:
        """Judge the local references of a resource against what it contains.

        Keeps ref-1 (each leads somewhere) and dom-3 (each contained resource is led to).
        """
        contained = resource.get("contained")
        members = contained if isinstance(contained, list) else []
        types = {
            string(each, "id"): string(each, "resourceType")
            for each in members
            if isinstance(each, dict)
        }
        types[""] = string(resource, "resourceType")  # the resource itself
        for id_, place_, element, declared in self.local:
            if id_ in types:
                if declared is None and types[id_] in element.targets:
                    continue
                self._agree(types[id_], declared, element, place_)
            else:
                self._found.add(
                    IssueCode.INVARIANT,
                    place_,
                    "ref-1: a reference that starts with # must end in the id of a contained "
                    "resource; add that resource or mend the reference.",
                    below=_REFERENCE,
                )
        if members:
            self._find_unused(resource, members, place)

    def _find_unused(self, resource: JsonObject, members: Sequence[object], place: Place) -> None:
        """Warn, where the standard says error: senders put a Consent beside the request.

        Nothing is lost or mixed up by it: each contained resource is read, and must be about
        the referral's patient.
        """
        used = {id_ for id_, _, _, _ in self.local}
        back = {_contained_index(where, place) for id_, where, _, _ in self.local if not id_}
        suspects = [
            (index, string(member, "id"))
            for index, member in enumerate(members)
            if isinstance(member, dict) and index not in back
        ]
        suspects = [(index, id_) for index, id_ in suspects if id_ is None or id_ not in used]
        named = _named(resource) if suspects else frozenset()
        for index, id_ in suspects:
            if id_ not in named:
                self._found.add(
                    IssueCode.INVARIANT,
                    (place, "contained", index),
                    "dom-3: nothing refers to this contained resource; refer to it as # and its "
                    "id, or leave it out.",
                    severity=Severity.WARNING,
                )

    def _read(self, reference: str) -> tuple[bool, str | None]:
        """Say whether a reference is well formed, and which type it names, if it does."""
        if reference in self._types_by_url:
            return True, self._types_by_url[reference]
        match = _RELATIVE.fullmatch(reference)
        if match is None and self._may_be_conditional:
            match = _CONDITIONAL.fullmatch(reference)
        if match is not None:
            return match[1] in self._names, match[1]
        match = _ABSOLUTE.fullmatch(reference)
        if match is not None:
            named = _NAMED_AT_THE_END.search(match[1][-_LONGEST_END:])
            return True, named[1] if named else None
        return _URN.fullmatch(reference) is not None, None

    def _agree(
        self, actual: str | None, declared: str | None, element: ElementSpec, place: Place
    ) -> None:
        actual = actual if actual in self._names else None
        if actual is not None and declared is not None and actual != declared:
            self._found.add(
                IssueCode.VALUE,
                place,
                "The type stated is not the type referred to; mend one of them.",
                below=".type",
            )
        self._compare(actual or declared, element, place)

    def _compare(self, actual: str | None, element: ElementSpec, place: Place) -> None:
        if element.targets and actual in self._names and actual not in element.targets:
            listed = ", ".join(sorted(element.targets))
            self._found.add(
                IssueCode.VALUE,
                place,
                f"{element.label} refers to a {actual}; it may refer to: {listed}.",
            )


def _types_by_url(root: JsonObject) -> Mapping[str, str]:
    types = {}
    for entry in objects(root, "entry"):
        url = string(entry, "fullUrl")
        type_ = string(child(entry, "resource") or {}, "resourceType")
        if url and type_:
            types[url] = type_
    return types


def _contained_index(place: Place, owner: Place) -> int | None:
    """Find in which contained resource of the one at `owner` a place lies."""
    step: Place | None = place
    while step is not None and step[0] is not owner:
        step = step[0]
    return step[2] if step is not None and step[1] == "contained" else None


def _named(tree: JsonObject) -> frozenset[str]:
    """Collect the ids that any text in the tree names as `#id`: canonicals and URIs may."""
    ids = []
    waiting: list[object] = [tree]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
        elif isinstance(each, str) and each[:1] == "#":
            ids.append(each[1:])
    return frozenset(ids)
