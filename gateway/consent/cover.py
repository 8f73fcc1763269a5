"""What part of the data a consent covers, item by item.

What enters: a provision's labels and period of data, as written; an item's labels and dates.
What leaves: whether the item is covered. Elements are joined by AND, their values by OR; an
absent element limits nothing. In a permission a level of confidentiality is a high-water mark;
in a denial it is exact, and a sensitivity denies what is part of it (`labels`).

In doubt an item is not covered: a date that cannot be read, or one too coarse to tell, counts as
inside a denied period and outside a permitted one, and so does an item without a date.
Administrative items bear no dates of their own; nor do those that only serve another item,
which go with it. Source: FHIR R4 Consent.provision; IHE PCF.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.consent.labels import (
    NORMAL,
    RESTRICTED,
    denied_by,
    is_everyday,
    label_of,
    level_of,
    permitted_by,
)
from gateway.consent.moments import is_apart, is_inside
from gateway.referral.json import Json, JsonObject, child, objects, string

ADMINISTRATIVE: Final = frozenset(
    "Bundle CareTeam Consent Coverage Endpoint HealthcareService Location MessageHeader"
    " Organization Parameters Patient Practitioner PractitionerRole Provenance RelatedPerson"
    " Task".split()
)
"""Types that say who, where and how, not what was found."""

SERVING: Final = frozenset({"Binary", "Device", "Medication", "Specimen"})
"""Types that are part of what refers to them, and share its dates."""

_DATES: Final = frozenset(
    "abatementDateTime abatementPeriod authored authoredOn created date dateAsserted"
    " effectiveDateTime effectiveInstant effectivePeriod effectiveTiming end issued"
    " lastOccurrence occurrenceDateTime occurrencePeriod occurrenceTiming onsetDateTime"
    " onsetPeriod performedDateTime performedPeriod period received recorded recordedDate"
    " sent start startDate statusDate".split()
)
"""Elements of resources that say when something was so, was done or was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A period as written; None: no bound on that side."""

    start: str | None
    end: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The data that one provision is about. No labels: of any label; no period: of any time."""

    labels: frozenset[str] = frozenset()
    period: Bounds | None = None

    @property
    def is_of_normal_data(self) -> bool:
        """Whether it is about all data that nobody labelled, of any time."""
        named = not self.labels or not self.labels.isdisjoint({NORMAL, *RESTRICTED})
        return self.period is None and named


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """What the consents cover: what lies within one permission, and in no denial."""

    within: Part
    without: tuple[Part, ...] = ()


ALL_DATA = Cover(within=Part())
"""What a consent covers that limits nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An item as a provision sees it: its type, its labels, and the resource for its dates."""

    type: str
    labels: frozenset[str]
    resource: JsonObject


def part_of(provision: JsonObject) -> Part:
    """Read what data a provision names; labels that this house does not know were refused."""
    period = child(provision, "dataPeriod")
    return Part(
        labels=frozenset(filter(None, map(label_of, objects(provision, "securityLabel")))),
        period=_bounds(period) if period is not None else None,
    )


def consented_labels(within: Part, without: tuple[Part, ...]) -> frozenset[str]:
    """List the labels that a permission names or includes, less those denied at any time."""
    named = {each for label in within.labels for each in permitted_by(label)}
    denied = {
        each
        for part in without
        if part.period is None
        for label in part.labels
        for each in denied_by(label)
    }
    return frozenset(each for each in named - denied if not is_everyday(each))


def covers(cover: Cover, item: Subject) -> bool:
    """Whether an item lies within the permission, and certainly in no denial."""
    if item.type in ADMINISTRATIVE and all(is_everyday(label) for label in item.labels):
        return True
    return _includes(cover.within, item) and not any(_touches(d, item) for d in cover.without)


def _includes(part: Part, item: Subject) -> bool:
    permitted = {each for label in part.labels for each in permitted_by(label)}
    if part.labels and permitted.isdisjoint(_bears(item)):
        return False
    if part.period is None or not _is_dated(item):
        return True
    times = list(_times(item.resource))
    within = (part.period.start, part.period.end)
    return bool(times) and all(is_inside((t.start, t.end), within) for t in times)


def _touches(part: Part, item: Subject) -> bool:
    denied = {each for label in part.labels for each in denied_by(label)}
    if part.labels and denied.isdisjoint(_bears(item)):
        return False
    if part.period is None:
        return True
    if not _is_dated(item):
        return False
    times = list(_times(item.resource))
    updated = string(child(item.resource, "meta") or {}, "lastUpdated")
    if times and updated is not None:
        times.append(Bounds(start=updated, end=updated))
    denied_time = (part.period.start, part.period.end)
    return not times or not all(is_apart((t.start, t.end), denied_time) for t in times)


def _bears(item: Subject) -> frozenset[str]:
    """Name an item's labels, with the level that it has by default."""
    return item.labels | {level_of(item.labels)}


def _is_dated(item: Subject) -> bool:
    return item.type not in ADMINISTRATIVE and item.type not in SERVING


def _times(resource: JsonObject) -> Iterator[Bounds]:
    """Give each time that an item names; those of a document are of its content too."""
    for name in _DATES & resource.keys():
        yield from _bounds_in(resource[name])
    yield from _bounds_in((child(resource, "context") or {}).get("period"))
    for content in objects(resource, "content"):
        yield from _bounds_in((child(content, "attachment") or {}).get("creation"))


def _bounds_in(value: Json) -> Iterator[Bounds]:
    """Read a dateTime, a Period, or the events and bounds of a Timing."""
    if isinstance(value, str):
        yield Bounds(start=value, end=value)
    elif isinstance(value, dict):
        if "start" in value or "end" in value:
            yield _bounds(value)
        events = value.get("event")
        for each in events if isinstance(events, list) else []:
            yield from _bounds_in(each)
        yield from _bounds_in((child(value, "repeat") or {}).get("boundsPeriod"))


def _bounds(period: JsonObject) -> Bounds:
    return Bounds(start=string(period, "start"), end=string(period, "end"))
