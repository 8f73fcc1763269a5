"""The items of a message: what may leave, or stay behind, each by itself.

What enters: the tree of one message. What leaves: Items: each resource that is an entry, or is
contained in one, with the labels in it, the links that it writes, and what it leads to. A
resource at any other place is part of the item that it stands in. It changes nothing.

A label is read from `meta.security`, from the inline label of DS4P at any depth, from
`DocumentReference.securityLabel` and from `Composition.confidentiality`. A label on the Bundle
or on the MessageHeader is on every item. Source: FHIR R4, security-labels.html; HL7 DS4P 1.0.0.

A link leads to an item where its text names it: by fullUrl, by type and id (whatever the server
and version in front and behind), by `#` and id, or by an identifier that the item bears.
Not read: narrative and free text, which may name anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.consent.labels import Restriction, label_or_unknown, restriction_of
from gateway.referral.json import Json, JsonObject, child, objects, string

LINKS: Final = frozenset({"reference", "url", "valueUri", "valueUrl", "valueUuid"})
"""Elements that may name another resource of the message. Source: FHIR R4, http.html,
section 3.1.0.11.2: Reference.reference, and elements of type uri, url or uuid."""

INLINE_LABEL: Final = (
    "http://hl7.org/fhir/uv/security-label-ds4p/StructureDefinition/extension-inline-sec-label"
)
_CONFIDENTIALITY: Final = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
_DOCUMENTS: Final = frozenset({"Binary", "Composition", "DocumentReference", "Media"})
_ATTACHMENTS: Final = frozenset(
    "attachment contentAttachment photo presentedForm sourceAttachment valueAttachment".split()
)
"""Elements that hold text or pictures which nobody can label in parts."""

_PHOTOGRAPHED: Final = frozenset({"Patient", "Person", "Practitioner", "RelatedPerson"})
"""Types whose photo is no document."""

_NAMING: Final = LINKS | {"identifier"}
_TELLING: Final = _NAMING | _ATTACHMENTS | {"resourceType", "valueCoding"}


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
    """

    tree: JsonObject = field(repr=False)
    all: tuple[Item, ...]
    names: Mapping[str, int] = field(repr=False)
    leads: tuple[frozenset[int], ...]
    labels: frozenset[str]
    restrictions: frozenset[Restriction]

    def of_type(self, name: str) -> list[Item]:
        """List the items of one type, in order."""
        return [item for item in self.all if item.type == name]

    def named(self, link: str, container: int) -> int | None:
        """Return the number of what a link leads to, from within an outer item."""
        return _named(self.names, link, container)


@dataclass(slots=True)
class Found:
    """What is written in one item, or in a part of one."""

    labels: set[str] = field(default_factory=set)
    restrictions: set[Restriction] = field(default_factory=set)
    links: set[str] = field(default_factory=set)
    is_document: bool = False

    def note(self, coding: Json) -> None:
        """Note one label."""
        if isinstance(coding, dict):
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
    names: dict[str, int] = {}
    if tree.get("resourceType") == "Bundle":
        _note_meta(tree, whole)
        for entry in objects(tree, "entry"):
            resource = child(entry, "resource")
            if resource is not None:
                _add(found, names, entry, resource, whole)
    else:
        _add(found, names, {}, tree, whole)
    return Items(
        tree=tree,
        all=tuple(found),
        names=names,
        leads=tuple(_leads(item, names) for item in found),
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


def link_of(identifier: JsonObject) -> str | None:
    """Spell an identifier as a link; None for one without a value."""
    value = string(identifier, "value")
    return f"{string(identifier, 'system') or ''}|{value}" if value else None


def _add(
    found: list[Item], names: dict[str, int], entry: JsonObject, resource: JsonObject, whole: Found
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
        for name in _names_of(each, type_, None if position else entry, outer):
            names.setdefault(name, number)


def _names_of(
    resource: JsonObject, type_: str, entry: JsonObject | None, outer: int
) -> Iterator[str]:
    own = string(resource, "id")
    if entry is None:
        yield f"{outer}#{own or ''}"
    else:
        yield f"{outer}#"
        url = string(entry, "fullUrl")
        if url:
            yield _spelt(url)
        if own:
            yield f"{type_}/{own}"
    identifier = resource.get("identifier")
    borne = identifier if isinstance(identifier, list) else [identifier]
    for each in borne:
        link = link_of(each) if isinstance(each, dict) else None
        if link:
            yield link


def _leads(item: Item, names: Mapping[str, int]) -> frozenset[int]:
    outer = item.number if item.container is None else item.container
    found = {_named(names, link, outer) for link in item.links}
    return frozenset(number for number in found if number is not None and number != item.number)


def _named(names: Mapping[str, int], link: str, container: int) -> int | None:
    if link.startswith("#"):
        return names.get(f"{container}{link}")
    whole = _spelt(link)
    if whole in names:
        return names[whole]
    by_query = whole.partition("?identifier=")[2]
    return names.get(by_query or "/".join(whole.rsplit("/", 2)[-2:]))


def _spelt(link: str) -> str:
    """Leave out the version; a UUID or an OID is the same in any case of its letters."""
    whole = link.partition("/_history/")[0]
    return whole.lower() if whole[:4].lower() == "urn:" else whole


def _note_meta(resource: JsonObject, found: Found) -> None:
    for coding in objects(child(resource, "meta") or {}, "security"):
        found.note(coding)


def _read(top: JsonObject, found: Found) -> None:
    """Read an object and all below it."""
    waiting = [top]
    while waiting:
        node = waiting.pop()
        for name, value in node.items():
            if name in _TELLING:
                _read_part(name, value, node, found)
            if isinstance(value, dict):
                waiting.append(value)
            elif isinstance(value, list):
                waiting += objects(node, name)


def _read_part(name: str, value: Json, node: JsonObject, found: Found) -> None:
    """Note a link, the labels of a resource, a document, or an inline label."""
    if name in _NAMING:
        link = _link_in(value, node)
        if link is not None:
            found.links.add(link)
    elif name == "resourceType":
        _read_resource(node, found)
    elif name in _ATTACHMENTS:
        found.is_document |= name != "photo" or node.get("resourceType") not in _PHOTOGRAPHED
    elif node.get("url") == INLINE_LABEL:
        found.note(value)


def _link_in(value: Json, node: JsonObject) -> str | None:
    """Return a link as written; for the identifier of a Reference, as `link_of` spells it."""
    if isinstance(value, str):
        return value
    return link_of(value) if isinstance(value, dict) and "resourceType" not in node else None


def _read_resource(node: JsonObject, found: Found) -> None:
    """Note the labels that a resource bears where its type has a place for them."""
    found.is_document |= node.get("resourceType") in _DOCUMENTS
    _note_meta(node, found)
    for concept in objects(node, "securityLabel"):
        for coding in objects(concept, "coding"):
            found.note(coding)
    code = string(node, "confidentiality")
    if code is not None:
        found.note({"system": _CONFIDENTIALITY, "code": code})
