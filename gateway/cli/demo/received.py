"""Whether a provider received a Bundle without its labelled part, and with all the rest.

What enters: the Bundle as it was posted, and how to read the provider's own FHIR server. What
leaves: in which ways what is there differs that it should not. Reckoned from the posted Bundle
alone, without the code that withholds.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from gateway.referral.json import Json, JsonObject, child, objects, string

Read = Callable[[str], JsonObject]
"""Reads a path below the provider's FHIR base."""
_LABEL, _MARK = "PSY", "REDACTED"
_REQUEST = "ServiceRequest"


@dataclass(slots=True)
class _Pairs:
    """Walks two trees side by side; `links` are references of one and of the other, in pairs."""

    names: frozenset[str]
    links: list[tuple[str, str]] = field(default_factory=list)

    def are_alike(self, sent: Json, came: Json) -> bool:
        """Whether two values are the same, but for where the parts of the message now are."""
        if isinstance(sent, list) and isinstance(came, list):
            return len(sent) == len(came) and all(map(self.are_alike, sent, came))
        if not isinstance(sent, dict) or not isinstance(came, dict):
            return sent == came
        own, there = string(sent, "reference"), string(came, "reference")
        if own in self.names and there is not None:
            self.links.append((own or "", there))
            sent = sent | {"reference": there}
        return sent.keys() == came.keys() and all(self.are_alike(sent[n], came[n]) for n in sent)


def differences_in(sent: JsonObject, request: JsonObject, read: Read) -> Iterator[str]:
    """Compare what came with what was sent, from the ServiceRequest on along its references.

    Args:
        sent: the Bundle as it was posted.
        request: the ServiceRequest as the provider has it. Only an id, the gateway's identifier
            as the last one, and labels may have been added to it.
        read: reads the provider's server.
    """
    parts = {string(e, "fullUrl") or "": child(e, "resource") or {} for e in objects(sent, "entry")}
    behind = {url: part for url, part in parts.items() if _LABEL in _labels(part)}
    for part in behind.values():
        yield from _found(part, read)
    if _MARK not in _labels(request):
        yield f"what came is not marked {_MARK}"
    rest = {url: _without(p, behind) for url, p in parts.items() if url not in behind}
    start = next(url for url, p in rest.items() if string(p, "resourceType") == _REQUEST)
    there = {start: _as_sent(request)}
    waiting = [start]
    while waiting:
        url = waiting.pop()
        pairs = _Pairs(frozenset(rest))
        for name in sorted(rest[url].keys() | there[url].keys()):
            if not pairs.are_alike(rest[url].get(name), there[url].get(name)):
                yield f"{string(rest[url], 'resourceType')}.{name} did not come as it was sent"
        fresh = {own: place for own, place in pairs.links if own not in there}
        there |= {own: _own(read(place)) for own, place in fresh.items()}
        waiting.extend(fresh)
    for url in rest.keys() - there.keys():
        yield f"{string(rest[url], 'resourceType')} did not come"


def _found(part: JsonObject, read: Read) -> Iterator[str]:
    """Look for a part that was to stay behind, by its identifier."""
    name = objects(part, "identifier")[0]
    kind = string(part, "resourceType")
    query = f"{kind}?identifier={string(name, 'system')}|{string(name, 'value')}"
    if read(query)["total"] != 0:
        yield f"the provider has the {kind} that was to stay behind"


def _labels(resource: JsonObject) -> list[str | None]:
    meta = child(resource, "meta") or {}
    return [string(label, "code") for label in objects(meta, "security")]


def _own(resource: JsonObject) -> JsonObject:
    """Take away the id that the provider gave."""
    return {name: value for name, value in resource.items() if name != "id"}


def _as_sent(request: JsonObject) -> JsonObject:
    """Take away what may have been added to the ServiceRequest."""
    meta = {n: v for n, v in (child(request, "meta") or {}).items() if n != "security"}
    return _own(request) | {"meta": meta, "identifier": [*objects(request, "identifier")[:-1]]}


def _without(resource: JsonObject, behind: Mapping[str, JsonObject]) -> JsonObject:
    """Copy a resource without its references to what stays behind."""
    left = _cut(resource, behind)
    return left if isinstance(left, dict) else {}


def _cut(value: Json, behind: Mapping[str, JsonObject]) -> Json:
    """Copy a value without such references, nor what is empty then; None: nothing is left."""
    if isinstance(value, list):
        kept: list[Json] = [cut for each in value if (cut := _cut(each, behind)) is not None]
        return kept or None
    if not isinstance(value, dict):
        return value
    if (string(value, "reference") or "") in behind:
        return None
    left: JsonObject = {n: cut for n, v in value.items() if (cut := _cut(v, behind)) is not None}
    return left or None
