"""How many copies an endpoint keeps of one message, as far as it shows that.

What enters: what came back for each attempt. What leaves: a finding. Asked are its search, by our
own identifiers only, and the places that its answers name; an endpoint that has neither keeps to
itself how many copies it has.
"""

import time
from collections.abc import Sequence

from gateway.cli.certify.case import Finding, failed, not_shown, passed
from gateway.cli.certify.trial import Heard, Trial
from gateway.fhir.json_text import read_json
from gateway.journey.gateway import Parcel
from gateway.outbound.https_line import Answer
from gateway.referral.json import JsonObject, child, objects, string

_Name = tuple[str, str, str]
"""Type, system and value of what our conditional creation names."""


def one_copy(trial: Trial, parcel: Parcel, heard: Sequence[Heard], seen: str) -> Finding:
    """Judge whether one copy is kept of a parcel that was sent several times.

    Args:
        trial: the endpoint.
        parcel: what was sent.
        heard: what came back for each attempt.
        seen: what was seen so far, which is as it should be.
    """
    counts = [_count(trial, name) for name in _names(parcel)]
    known = [count for count in counts if count is not None]
    if any(count > 1 for count in known):
        return failed(f"{seen}; its search finds {max(known)} copies")
    places = {place for each in heard if (place := _places(each.answer)[:2])}
    if len(places) > 1:
        return failed(f"{seen}; its answers name different places for one thing")
    if known and len(known) == len(counts) and all(known):
        return passed(f"{seen}; its search finds one copy")
    if len([each for each in heard if _places(each.answer)[:2]]) > 1:
        return passed(f"{seen}; its answers name the same place")
    if any(each.is_repeat for each in heard):
        return passed(f"{seen}; it says of a repeat that it is one")
    return not_shown(f"{seen}; how many copies it keeps is not shown: no search by identifier")


def is_kept(trial: Trial, parcel: Parcel) -> bool | None:
    """Tell whether a search finds any of it, at once; None: not shown."""
    counts = [_matches(trial, name) for name in _names(parcel)]
    return None if None in counts or not counts else any(counts)


def other_parts_moved(heard: Sequence[Heard]) -> bool:
    """Tell whether a repeat created again what is not created conditionally."""
    others = {places[2:] for each in heard if (places := _places(each.answer))}
    return len(others) > 1


def _names(parcel: Parcel) -> list[_Name]:
    """Name what a parcel creates conditionally: by the last identifier of each such part."""
    found = []
    for entry in objects(read_json(parcel.body, max_bytes=len(parcel.body)), "entry"):
        condition = string(child(entry, "request") or {}, "ifNoneExist") or ""
        system, bar, value = condition.removeprefix("identifier=").partition("|")
        if bar:
            found.append(
                (string(child(entry, "resource") or {}, "resourceType") or "", system, value)
            )
    return found


def _count(trial: Trial, name: _Name) -> int | None:
    """Count copies once the search finds one, or its time is over; None: there is no search."""
    until = time.monotonic() + trial.patience.found.total_seconds()
    while True:
        count = _matches(trial, name)
        if count != 0 or time.monotonic() >= min(until, trial.deadline):
            return count
        time.sleep(0.1)


def _matches(trial: Trial, name: _Name) -> int | None:
    if not trial.wire.has_search:
        return None
    answer = trial.search(*name)
    tree = answer.tree() if answer is not None and answer.is_success else None
    if tree is None or string(tree, "type") != "searchset":
        return None
    found = [child(entry, "resource") or {} for entry in objects(tree, "entry")]
    count = sum(_is(resource, name) for resource in found)
    has_more = any(string(link, "relation") == "next" for link in objects(tree, "link"))
    return None if has_more and not count else count


def _is(resource: JsonObject, name: _Name) -> bool:
    return string(resource, "resourceType") == name[0] and any(
        (string(each, "system"), string(each, "value")) == name[1:]
        for each in objects(resource, "identifier")
    )


def _places(answer: Answer | None) -> tuple[str, ...]:
    """List where an answer says that each part is now, without versions; none: it does not."""
    tree = answer.tree() if answer is not None and answer.is_success else None
    responses = [child(entry, "response") or {} for entry in objects(tree or {}, "entry")]
    places = [(string(each, "location") or "").partition("/_history/")[0] for each in responses]
    return tuple(_tail(place) for place in places) if all(places) else ()


def _tail(place: str) -> str:
    """Reduce a place to type and id: one answer may name it in full, the next may not."""
    return "/".join(place.split("/")[-2:])
