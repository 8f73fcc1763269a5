"""The items of a message: what may leave, or stay behind, each by itself.

What enters: the tree of one message. What leaves: Items: each resource that is an entry, or is
contained in one, with the labels in it, the links that it writes, and what it leads to. A
resource at any other place is part of the item that it stands in. It changes nothing.

A label is read from `meta.security`, from the inline label of DS4P at any depth, from
`DocumentReference.securityLabel` and from `Composition.confidentiality`. A label on the Bundle
or on the MessageHeader is on every item. Source: FHIR R4, security-labels.html; HL7 DS4P 1.0.0.

A label that cannot be understood, or is in a shape that cannot, counts as restricted. A tag
(`meta.tag`) that says what only a label may say is a label.

A link leads to every item that it may name: by fullUrl, by type and id (whatever the server and
version in front and behind), by `#` and id, by canonical url, or by an identifier that the item
bears; `links` says how they are spelled. Not read: narrative and free text, which may name
anything.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.consent.labels import Restriction, is_label, label_or_unknown, restriction_of
from gateway.consent.links import NAMING, is_by_number, keys_of, links_in, names_of, spelt
from gateway.referral.json import Json, JsonObject, child, objects, string

INLINE_LABEL: Final = (
    "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
)
_INLINE: Final = spelt(INLINE_LABEL)
_CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_DOCUMENTS: Final = frozenset({"Binary", "Composition", "DocumentReference", "Media"})
_ATTACHMENTS: Final = frozenset(
    "attachment contentAttachment photo presentedForm sourceAttachment valueAttachment".split()
)
"""Elements that hold text or pictures which nobody can label in parts."""

_PHOTOGRAPHED: Final = frozenset({"Patient", "Person", "Practitioner", "RelatedPerson"})
"""Types whose photo is no document."""

_TELLING: Final = NAMING | _ATTACHMENTS | {"resourceType"}
_PARTIES: Final[Mapping[str, tuple[str, ...]]] = {
    "Consent": ("organization", "performer", "provision"),
    "HealthcareService": ("providedBy",),
    "MessageHeader": ("destination", "responsible", "sender"),
    "PractitionerRole": ("healthcareService", "organization"),
    "ServiceRequest": ("performer", "requester"),
}
"""Where a message names the organisations that it goes between."""

_SERVICES: Final = frozenset({"HealthcareService", "Organization"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One resource. `container`: the number of the item that contains it.

    `links` are as written; `says` that it is, or holds, a document that is not coded.
    """

    number: int
    type: str
    resource: JsonObject = field(repr=False)
    container: int | None
    labels: frozenset[str]
    restrictions: frozenset[Restriction]
    links: frozenset[str] = field(repr=False)
    is_document: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """All items of a message in its order, and by each name that they answer to.

    `leads` are the numbers of the items that each one leads to; `tree` is the whole message.
    `parties` are the names by which it calls the organisations that it goes between.
    """

    tree: JsonObject = field(repr=False)
    all: tuple[Item, ...]
    names: Mapping[str, frozenset[int]] = field(repr=False)
    parties: frozenset[str] = field(repr=False)
    leads: tuple[frozenset[int], ...]
    labels: frozenset[str]
    restrictions: frozenset[Restriction]

    def of_type(self, name: str) -> list[Item]:
        """List the items of one type, in order."""
        return [item for item in self.all if item.type == name]

    def named(self, link: str, container: int) -> frozenset[int]:
        """List the numbers of what a link may lead to, from within an outer item."""
        return _named(self.names, link, container)

    def but_for(self, withheld: Collection[int]) -> "Items":
        """Return the same items; a name that something else answers to leads to no withheld one.

        So nothing withheld takes with it a link to what stays, nor the names of the
        organisations that the message goes between: they are no secret of it.
        """
        names = dict(self.names)
        for name, bearers in self.names.items():
            if not bearers.isdisjoint(withheld):
                left = bearers.difference(withheld)
                if name in self.parties:
                    left |= {n for n in bearers if self.all[n].type not in _SERVICES}
                if left or name in self.parties:
                    names[name] = left
        return replace(self, names=names, leads=_leads(self.all, names))


@dataclass(slots=True)
class Found:
    """What is written in one item, or in a part of one."""

    labels: set[str] = field(default_factory=set)
    restrictions: set[Restriction] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    is_document: bool = False

    def note(self, coding: JsonObject) -> None:
        """Note one label."""
        restriction = restriction_of(coding)
        label = None if restriction else label_or_unknown(coding)
        if restriction is not None:
            self.restrictions.add(restriction)
        elif label is not None:
            self.labels.add(label)


def items_of(tree: JsonObject) -> Items:
    """List the items of a message, and find what leads where."""
    whole = Found()
    found: list[Item] = []
    names: dict[str, set[int]] = {}
    if tree.get("resourceType") == "Bundle":
        _note_meta(tree, whole)
        for entry in objects(tree, "entry"):
            resource = child(entry, "resource")
            if resource is not None:
                _add(found, names, entry, resource, whole)
    else:
        _add(found, names, {}, tree, whole)
    known = {name: frozenset(bearers) for name, bearers in names.items()}
    return Items(
        tree=tree,
        all=tuple(found),
        names=known,
        parties=_parties(found),
        leads=_leads(found, known),
        labels=frozenset(whole.labels),
        restrictions=frozenset(whole.restrictions),
    )


def read_item(resource: JsonObject) -> Found:
    """Read what is written in one resource, but for the resources that it contains."""
    found = Found()
    if "contained" in resource:
        resource = {name: each for name, each in resource.items() if name != "contained"}
    _read(resource, found)
    return found


def _add(
    found: list[Item],
    names: dict[str, set[int]],
    entry: JsonObject,
    resource: JsonObject,
    whole: Found,
) -> None:
    """Add an outer resource, then what it contains."""
    outer = len(found)
    about_entry = Found()
    _read({name: each for name, each in entry.items() if name != "resource"}, about_entry)
    for position, each in enumerate((resource, *objects(resource, "contained"))):
        here = read_item(each)
        type_ = string(each, "resourceType") or ""
        if type_ == "MessageHeader":
            whole.labels |= here.labels
            whole.restrictions |= here.restrictions
        number = len(found)
        found.append(
            Item(
                number=number,
                type=type_,
                resource=each,
                container=outer if position else None,
                labels=frozenset(here.labels | about_entry.labels),
                restrictions=frozenset(here.restrictions | about_entry.restrictions),
                links=frozenset(here.links),
                is_document=here.is_document,
            )
        )
        for name in names_of(each, type_, None if position else entry, outer):
            names.setdefault(name, set()).add(number)


def _parties(found: Sequence[Item]) -> frozenset[str]:
    """List the names of organisations in the places for them; nothing sealed adds to it."""
    return frozenset(
        key
        for item in found
        if not item.restrictions
        for link in read_item({n: item.resource.get(n) for n in _PARTIES.get(item.type, ())}).links
        if is_by_number(link)
        for key in keys_of(link, item.number)
    )


def _leads(all_: Sequence[Item], names: Mapping[str, frozenset[int]]) -> tuple[frozenset[int], ...]:
    return tuple(
        frozenset[int]().union(
            *(
                _named(names, link, item.number if item.container is None else item.container)
                for link in item.links
            )
        )
        - {item.number}
        for item in all_
    )


def _named(names: Mapping[str, frozenset[int]], link: str, container: int) -> frozenset[int]:
    """Look a link up by the surest of its keys that anything answers to."""
    return next(
        (found for key in keys_of(link, container) if (found := names.get(key))), frozenset()
    )


def _note_meta(resource: JsonObject, found: Found) -> None:
    meta = child(resource, "meta") or {}
    for coding in objects(meta, "security"):
        found.note(coding)
    for coding in objects(meta, "tag"):
        if is_label(coding):
            found.note(coding)


def _read(top: JsonObject, found: Found) -> None:
    """Read an object and all below it."""
    waiting = [("", top)]
    while waiting:
        under, node = waiting.pop()
        if "url" in node:
            _read_inline(node, found)
        for name, value in node.items():
            if name in _TELLING:
                _read_part(name, value, node, under, found)
            if isinstance(value, dict):
                waiting.append((name, value))
            elif isinstance(value, list):
                waiting += [(name, each) for each in objects(node, name)]


def _read_part(name: str, value: Json, node: JsonObject, under: str, found: Found) -> None:
    """Note a link, the labels of a resource, or a document."""
    if name in NAMING:
        found.links.update(links_in(name, value, node, under))
    elif name == "resourceType":
        _read_resource(node, found)
    else:
        found.is_document |= name != "photo" or node.get("resourceType") not in _PHOTOGRAPHED


def _read_inline(node: JsonObject, found: Found) -> None:
    """Note an inline label, whatever the version and protocol of its url."""
    if spelt(string(node, "url") or "") != _INLINE:
        return
    coding = child(node, "valueCoding")
    if coding is not None:
        found.note(coding)
    else:
        _note_concept(child(node, "valueCodeableConcept") or {}, found)


def _note_concept(concept: JsonObject, found: Found) -> None:
    """Note the labels of a concept; one without a code is a label that nobody knows."""
    for coding in objects(concept, "coding") or [{}]:
        found.note(coding)


def _read_resource(node: JsonObject, found: Found) -> None:
    """Note the labels that a resource bears where its type has a place for them."""
    found.is_document |= node.get("resourceType") in _DOCUMENTS
    _note_meta(node, found)
    for concept in objects(node, "securityLabel"):
        _note_concept(concept, found)
    code = string(node, "confidentiality")
    if code is not None:
        found.note({"system": _CONFIDENTIALITY, "code": code})
