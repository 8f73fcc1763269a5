"""A provider's own list of events, pulled to its end: no number is missing.

What enters: a running demo. What leaves: the numbers that a provider is shown, in order.
"""

from collections.abc import Sequence

from gateway.cli.demo.setting import Neighbour, client_of
from gateway.cli.demo.start import Demo
from gateway.fhir.json_text import read_json
from gateway.inbound.feed_routes import EVENT_TAG, NEWEST_TAG, POSITION_TAG
from gateway.referral.json import JsonObject, child, objects, string

_PAGE, _MOST_PAGES = 5, 1_000


def events_of(provider: Neighbour, demo: Demo) -> Sequence[int]:
    """Pull the list of a provider that has a client, page by page; return its numbers."""
    found: list[int] = []
    since, newest, client = 0, 1, client_of(provider)
    for _ in range(_MOST_PAGES):
        if since >= newest:
            break
        answer = demo.call("GET", f"/Task?_since={since}&_count={_PAGE}", client=client)
        page = read_json(answer.content)
        tasks = [child(each, "resource") or {} for each in objects(page, "entry")]
        found += [number for each in (page, *tasks) for number in _tagged(each, EVENT_TAG)]
        (since,), (newest,) = _tagged(page, POSITION_TAG), _tagged(page, NEWEST_TAG)
    return sorted(found)


def is_whole(numbers: Sequence[int]) -> bool:
    """Whether they are 1, 2, 3 and so on: what a provider can prove that it has seen."""
    return [*numbers] == [*range(1, len(numbers) + 1)]


def _tagged(tree: JsonObject, system: str) -> list[int]:
    tags = objects(child(tree, "meta") or {}, "tag")
    return [int(string(tag, "code") or 0) for tag in tags if string(tag, "system") == system]
