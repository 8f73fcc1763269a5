"""Rules of requests, plans, events and lists. See `gateway.fhir.invariants`."""

from typing import Final

from gateway.fhir.invariants.datatypes import is_after
from gateway.fhir.invariants.rule import Invariant, has, has_choice, is_one_of
from gateway.referral.json import JsonObject, objects, string


def _modified_after_authored(task: JsonObject) -> bool:
    modified, authored = string(task, "lastModified"), string(task, "authoredOn")
    return modified is None or authored is None or not is_after(authored, modified)


def _has_times(appointment: JsonObject) -> bool:
    both = has(appointment, "start") and has(appointment, "end")
    return both or is_one_of(appointment, "status", "proposed", "cancelled", "waitlist")


def _any_entry_has(list_: JsonObject, name: str) -> bool:
    return any(has(entry, name) for entry in objects(list_, "entry"))


def _has_one_content(parameter: JsonObject) -> bool:
    contents = has(parameter, "part"), has(parameter, "resource"), has_choice(parameter, "value")
    return sum(contents) == 1


INVARIANTS: Final = (
    Invariant(
        "ServiceRequest",
        "prr-1",
        "orderDetail needs a code",
        lambda request: has(request, "code") or not has(request, "orderDetail"),
    ),
    Invariant(
        "Task", "inv-1", "lastModified may not be before authoredOn", _modified_after_authored
    ),
    Invariant(
        "CarePlan.activity",
        "cpl-3",
        "give either a reference or a detail",
        lambda activity: not (has(activity, "reference") and has(activity, "detail")),
    ),
    Invariant(
        "Appointment.participant",
        "app-1",
        "a participant needs a type or an actor",
        lambda participant: has(participant, "type") or has(participant, "actor"),
    ),
    Invariant(
        "Appointment",
        "app-2",
        "give start and end, or neither",
        lambda appointment: has(appointment, "start") == has(appointment, "end"),
    ),
    Invariant(
        "Appointment",
        "app-3",
        "only a proposed, cancelled or waitlisted appointment may lack start and end",
        _has_times,
    ),
    Invariant(
        "Appointment",
        "app-4",
        "only a cancelled or no-show appointment has a cancelationReason",
        lambda appointment: (
            not has(appointment, "cancelationReason")
            or is_one_of(appointment, "status", "cancelled", "no-show")
        ),
    ),
    Invariant(
        "AuditEvent.entity",
        "sev-1",
        "give either a name or a query",
        lambda entity: not (has(entity, "name") and has(entity, "query")),
    ),
    Invariant(
        "Composition.section",
        "cmp-1",
        "a section needs text, entries or sections",
        lambda section: any(has(section, name) for name in ("text", "entry", "section")),
    ),
    Invariant(
        "Composition.section",
        "cmp-2",
        "a section with entries has no emptyReason",
        lambda section: not (has(section, "emptyReason") and has(section, "entry")),
    ),
    Invariant(
        "List",
        "lst-1",
        "a list with entries has no emptyReason",
        lambda list_: not (has(list_, "emptyReason") and has(list_, "entry")),
    ),
    Invariant(
        "List",
        "lst-2",
        "only a list of mode changes has deleted entries",
        lambda list_: is_one_of(list_, "mode", "changes") or not _any_entry_has(list_, "deleted"),
    ),
    Invariant(
        "List",
        "lst-3",
        "only a list of mode working has dated entries",
        lambda list_: is_one_of(list_, "mode", "working") or not _any_entry_has(list_, "date"),
    ),
    Invariant(
        "Parameters.parameter",
        "inv-1",
        "a parameter has exactly one of value[x], resource and part",
        _has_one_content,
    ),
)
