"""What hangs together in a message, and what the referral cannot do without.

What enters: items and what each leads to. What leaves: sets of their numbers. It changes nothing.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

from gateway.consent.cover import SERVING
from gateway.consent.items import Item, Items, read_item
from gateway.referral.json import Json, JsonObject

Leads = Sequence[frozenset[int]]
"""For each item by its number, the numbers of those that it leads to."""

REQUEST: Final = "ServiceRequest"
_SUPPORT: Final = SERVING | {
    "Endpoint", "HealthcareService", "Location", "Organization", "Practitioner",
    "PractitionerRole", "Questionnaire", "Schedule", "Slot", "Substance",
}  # fmt: skip
"""Types that are there for whoever refers to them: alone they tell of what did."""

_ORGANISED: Final = frozenset(
    {"HealthcareService", "Organization", "Practitioner", "PractitionerRole"}
)
_WHO: Final = ("subject", "requester", "performer")
_CARRIES_REASON: Final = frozenset({"CarePlan", "Condition", "DocumentReference"})


def connected(items: Items, here: Collection[int], leads: Leads, roots: Iterable[int]) -> set[int]:
    """List the items that hang on some others, the roots.

    1. What a root, or anything that is listed, leads to.
    2. What leads to something listed, unless it is there only to be referred to: so a record
       about the patient stays, and the practitioner of a record that went does not.
    3. The role of a practitioner who is listed, which nobody need refer to.

    What is contained is listed with what contains it, or not at all.
    """
    led_by = inverse(leads, here)
    found: set[int] = set()
    outside: dict[int, list[int]] = {}
    waiting = [number for number in roots if number in here]
    while waiting:
        number = waiting.pop()
        container = items.all[number].container
        if number in found or number not in here:
            continue
        if container is not None and container not in found:
            outside.setdefault(container, []).append(number)
            continue
        found.add(number)
        waiting += leads[number]
        waiting += [each for each in led_by.get(number, ()) if _hangs_on(items, each, number)]
        waiting += outside.pop(number, [])
    return found


def inverse(leads: Leads, here: Iterable[int]) -> dict[int, list[int]]:
    """List what leads to each item."""
    led_by: dict[int, list[int]] = {}
    for number in here:
        for target in leads[number]:
            led_by.setdefault(target, []).append(number)
    return led_by


def _hangs_on(items: Items, number: int, target: int) -> bool:
    kind = items.all[number].type
    if kind == "PractitionerRole":
        return items.all[target].type == "Practitioner"
    return kind not in _SUPPORT


def led_to(start: Iterable[int], leads: Leads, may_pass: Callable[[int], bool]) -> set[int]:
    """List where references lead from some items on, through those that may be passed."""
    found = set(start)
    new = list(found)
    while new:
        ahead = {number for each in new for number in leads[each]}
        new = [number for number in ahead - found if may_pass(number)]
        found.update(new)
    return found


def envelope(items: Items) -> frozenset[int]:
    """List the referral, and the header of the message that it came in."""
    return frozenset(i.number for i in items.all if i.type in (REQUEST, "MessageHeader"))


def reasons(items: Items) -> frozenset[int]:
    """List the items that say why the referral is made.

    They are what `reasonReference` leads to, and the plan that it is based on with what that
    addresses. Where the referral gives no reason of its own, every condition, plan and letter
    may be it. What only serves a reason, as the content of a letter, is a part of it.
    """
    found: set[int] = set()
    for request in items.of_type(REQUEST):
        own = request.resource
        found |= _under(items, request, own, ("reasonReference", "basedOn"))
        if not own.get("reasonCode") and not own.get("reasonReference"):
            found |= {item.number for item in items.all if item.type in _CARRIES_REASON}
    plans = [items.all[n] for n in found if items.all[n].type == "CarePlan"]
    for plan in plans:
        found |= _under(items, plan, plan.resource, ("addresses",))
    return frozenset(led_to(found, items.leads, lambda n: items.all[n].type in SERVING))


def signatories(items: Items) -> frozenset[int]:
    """List the referral, whom it is about, who asks, and who is asked, with where they belong."""
    requests = items.of_type(REQUEST)
    named = {n for each in requests for n in _under(items, each, each.resource, _WHO)}
    belonging = led_to(named, items.leads, lambda n: items.all[n].type in _ORGANISED)
    return frozenset(belonging | {each.number for each in requests})


def _under(items: Items, item: Item, resource: JsonObject, names: Iterable[str]) -> set[int]:
    outer = item.number if item.container is None else item.container
    part: dict[str, Json] = {name: resource[name] for name in names if name in resource}
    return {number for link in read_item(part).links for number in items.named(link, outer)}
