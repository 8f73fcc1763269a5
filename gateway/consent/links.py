"""What names a part of a message: how a link is spelled, and the names that a part answers to.

What enters: elements as written. What leaves: links, and keys to look them up by, the surest
first. Two spellings that may mean one thing have a key in common: what is withheld must not be
named by a link that this house merely failed to follow. Source: FHIR R4, http.html, section
3.1.0.11.2; references.html, sections 2.3.0.1 to 2.3.0.3.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from gateway.referral.json import Json, JsonObject, string

LINKS: Final = frozenset(
    "definition instantiates instantiatesCanonical instantiatesUri policy questionnaire reference"
    " source sourceCanonical sourceUri targetCanonical targetUri uri url valueCanonical valueId"
    " valueOid valueUri valueUrl valueUuid".split()
)
"""Elements of type uri, url, canonical, oid, uuid or id that may name a part of the message."""

_NUMBERS: Final = frozenset(
    "accessionIdentifier groupIdentifier identifier masterIdentifier preAdmissionIdentifier"
    " requisition targetIdentifier valueIdentifier".split()
)
"""Elements of type Identifier."""

_BORNE: Final = frozenset({"identifier", "masterIdentifier", "url"})
"""Elements by which a resource names itself: there they are no links."""

_EXTENSIONS: Final = frozenset({"extension", "modifierExtension"})
NAMING: Final = LINKS | _NUMBERS
_BY_NUMBER: Final = "?identifier="
_SERVER: Final = re.compile(r"https?://([^/]*)(.*)", re.IGNORECASE | re.DOTALL)


def links_in(name: str, value: Json, node: JsonObject, under: str) -> Iterator[str]:
    """List the links that one element writes; `under` names the element that its object is."""
    if name in _BORNE and ("resourceType" in node or (name == "url" and under in _EXTENSIONS)):
        return
    for each in value if isinstance(value, list) else (value,):
        if isinstance(each, str) and name in LINKS:
            yield f"/{each}" if name == "valueId" else each
        elif isinstance(each, dict) and name in _NUMBERS:
            yield from _link_of(each)


def is_by_number(link: str) -> bool:
    """Whether a link names what it leads to by an identifier."""
    return _BY_NUMBER in link


def keys_of(link: str, container: int) -> tuple[str, ...]:
    """List what to look a link up by, from within an outer item; the surest first."""
    if link.startswith("#"):
        return (f"{container}{link}",)
    number = link.partition(_BY_NUMBER)[2]
    if number:
        system, bar, value = number.partition("|")
        return _number_keys(system, value) if bar else _number_keys("", system)
    whole = spelt(link)
    return whole, _tail(whole)


def names_of(
    resource: JsonObject, type_: str, entry: JsonObject | None, outer: int
) -> Iterator[str]:
    """List the keys that an item answers to; `entry` None: it is contained in an outer one."""
    own = string(resource, "id")
    if entry is None:
        yield f"{outer}#{own or ''}"
    else:
        yield f"{outer}#"
        address = spelt(string(entry, "fullUrl") or "")
        yield from (address, _tail(address)) if address else ()
        yield from (f"{type_}/{own}", f"/{own}") if own else ()
    canonical = string(resource, "url")
    if canonical:
        yield spelt(canonical)
    for name in ("identifier", "masterIdentifier"):
        borne = resource.get(name)
        for each in borne if isinstance(borne, list) else (borne,):
            if isinstance(each, dict):
                yield from _names_by(each)


def spelt(link: str) -> str:
    """Leave out version, query, fragment and protocol; what has no case is in lower case."""
    whole = link.strip().partition("/_history")[0]
    for mark in "?#|":
        whole = whole.partition(mark)[0]
    whole = whole.rstrip("/")
    if whole[:4].lower() == "urn:":
        return whole.lower()
    server = _SERVER.fullmatch(whole)
    return f"//{server[1].lower()}{server[2]}" if server else whole


def _tail(whole: str) -> str:
    """Return the type and id at the end of an address."""
    return "/".join(whole.rsplit("/", 2)[-2:])


def _link_of(identifier: JsonObject) -> Iterable[str]:
    """Spell an identifier as a search for it; not one without a value."""
    value = string(identifier, "value")
    return (f"{_BY_NUMBER}{string(identifier, 'system') or ''}|{value}",) if value else ()


def _number_keys(system: str, value: str) -> tuple[str, ...]:
    """Look up what bears the number in that system, else in none; without a system: in any."""
    if system:
        return _numbered(system, value), _numbered("", value)
    return (_numbered("*", value),)


def _names_by(identifier: JsonObject) -> Iterable[str]:
    value = string(identifier, "value")
    system = string(identifier, "system") or ""
    return (_numbered(system, value), _numbered("*", value)) if value else ()


def _numbered(system: str, value: str) -> str:
    return f"={spelt(system).casefold()}|{value.strip().casefold()}"
