"""Rules of Bundle. See `gateway.fhir.invariants`."""

from collections import Counter
from typing import Final

from gateway.fhir.invariants.rule import Invariant, has, is_one_of
from gateway.referral.json import Json, JsonObject, child, objects, string


def _kind(bundle: JsonObject) -> str:
    return string(bundle, "type") or ""


def _entries(bundle: JsonObject) -> list[Json]:
    """Return the entries with nothing left out, so that positions are true."""
    entries = bundle.get("entry")
    return entries if isinstance(entries, list) else []


def _odd_entries(bundle: JsonObject, name: str, *kinds: str) -> list[str]:
    """Find the entries where `name` is there but may not be, or the other way round."""
    wanted = _kind(bundle) in kinds
    return [
        f".entry[{index}].{name}" if has(entry, name) else f".entry[{index}]"
        for index, entry in enumerate(_entries(bundle))
        if isinstance(entry, dict) and has(entry, name) != wanted
    ]


def _odd_requests(bundle: JsonObject) -> list[str]:
    return _odd_entries(bundle, "request", "batch", "transaction", "history")


def _odd_responses(bundle: JsonObject) -> list[str]:
    return _odd_entries(bundle, "response", "batch-response", "transaction-response", "history")


def _searches(bundle: JsonObject) -> list[str]:
    if _kind(bundle) == "searchset":
        return []
    return [
        f".entry[{index}].search"
        for index, entry in enumerate(_entries(bundle))
        if isinstance(entry, dict) and has(entry, "search")
    ]


def _repeated_full_urls(bundle: JsonObject) -> list[str]:
    """Find the second and later entries that have an earlier one's fullUrl and version."""
    if _kind(bundle) == "history":
        return []
    seen: Counter[tuple[str, str | None]] = Counter()
    places = []
    for index, entry in enumerate(_entries(bundle)):
        full_url = string(entry, "fullUrl") if isinstance(entry, dict) else None
        if full_url is None or not isinstance(entry, dict):
            continue
        meta = child(child(entry, "resource") or {}, "meta") or {}
        name = full_url, string(meta, "versionId")
        if seen[name]:
            places.append(f".entry[{index}].fullUrl")
        seen[name] += 1
    return places


def _starts_with(bundle: JsonObject, kind: str, resource_type: str) -> bool:
    if _kind(bundle) != kind:
        return True
    first = next(iter(objects(bundle, "entry")), {})
    return is_one_of(child(first, "resource") or {}, "resourceType", resource_type)


def _is_identified(bundle: JsonObject) -> bool:
    identifier = child(bundle, "identifier") or {}
    return has(identifier, "system") and has(identifier, "value")


INVARIANTS: Final = (
    Invariant(
        "Bundle",
        "bdl-1",
        "only a searchset or history has a total",
        lambda bundle: not has(bundle, "total") or _kind(bundle) in {"searchset", "history"},
    ),
    Invariant(
        "Bundle",
        "bdl-2",
        "only the entries of a searchset have search",
        lambda bundle: not _searches(bundle),
        _searches,
    ),
    Invariant(
        "Bundle",
        "bdl-3",
        "every entry of a batch, transaction or history needs a request; no other may have one",
        lambda bundle: not _odd_requests(bundle),
        _odd_requests,
    ),
    Invariant(
        "Bundle",
        "bdl-4",
        "every entry of a response or history needs a response; no other may have one",
        lambda bundle: not _odd_responses(bundle),
        _odd_responses,
    ),
    Invariant(
        "Bundle.entry",
        "bdl-5",
        "an entry needs a resource, a request or a response",
        lambda entry: any(has(entry, name) for name in ("resource", "request", "response")),
    ),
    Invariant(
        "Bundle",
        "bdl-7",
        "no two entries may have the same fullUrl and version",
        lambda bundle: not _repeated_full_urls(bundle),
        _repeated_full_urls,
    ),
    Invariant(
        "Bundle.entry",
        "bdl-8",
        "a fullUrl may not name a version: leave out /_history/",
        lambda entry: "/_history/" not in (string(entry, "fullUrl") or ""),
        lambda _entry: [".fullUrl"],
    ),
    Invariant(
        "Bundle",
        "bdl-9",
        "a document needs an identifier with system and value",
        lambda bundle: _kind(bundle) != "document" or _is_identified(bundle),
    ),
    Invariant(
        "Bundle",
        "bdl-10",
        "a document needs a timestamp",
        lambda bundle: _kind(bundle) != "document" or "timestamp" in bundle,
    ),
    Invariant(
        "Bundle",
        "bdl-11",
        "a document's first resource must be a Composition",
        lambda bundle: _starts_with(bundle, "document", "Composition"),
        lambda _bundle: [".entry[0]"],
    ),
    Invariant(
        "Bundle",
        "bdl-12",
        "a message's first resource must be a MessageHeader",
        lambda bundle: _starts_with(bundle, "message", "MessageHeader"),
        lambda _bundle: [".entry[0]"],
    ),
)
