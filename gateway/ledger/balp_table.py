"""Which audit event each kind of entry is shown as: the table that reads like the document.

What enters: an entry, or the codes that a search asks for. What leaves: the type, subtypes,
action and outcome of the AuditEvent; or which entries have such. There is no second copy:
the search asks by the same rows. Beside the subtypes of its row, each event has one of our
own, which is the entry's kind.

Outcome: 0 what was tried was done; 4 not now or not so, and somebody may mend it, which FHIR
likens to HTTP 400 (a message refused, a decision to HOLD, an attempt that failed); 8 it ended
without what it was for (a DENY, as in the example of BALP; a delivery refused or given up).
12 is never used: a gateway that is no longer available writes nothing. An act that found
something is judged as an act: a check of the ledger that found damage has outcome 8.
Source: the sharing rules, section 8, event catalogue; FHIR R4 AuditEvent and the value sets
that it binds; DICOM PS3.16, CID 400 and 401; IHE BALP 1.1, AuthZconsent and its examples.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.ledger.entry import Entry
from gateway.ledger.kinds import EntryKind
from gateway.referral.identifiers import OWN_BASE

DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
KIND_SYSTEM: Final = f"{OWN_BASE}/CodeSystem/entry-kind"
_LIFECYCLE: Final = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
_INTERACTION: Final = "http://hl7.org/fhir/restful-interaction"


class Action(StrEnum):
    """What was done. Source: http://hl7.org/fhir/audit-event-action."""

    CREATE = "C"
    READ = "R"
    UPDATE = "U"
    DELETE = "D"
    EXECUTE = "E"


class Outcome(StrEnum):
    """What came of it. Source: http://hl7.org/fhir/audit-event-outcome."""

    SUCCESS = "0"
    MINOR_FAILURE = "4"
    SERIOUS_FAILURE = "8"
    MAJOR_FAILURE = "12"


@dataclass(frozen=True, slots=True)
class Coding:
    """A code of a system, as AuditEvent.type and subtype carry it."""

    system: str
    code: str


@dataclass(frozen=True, slots=True)
class Sort:
    """Entries that are shown alike: of one kind, or those of a kind that say one thing.

    `says` is the name of a field of the entry and its value in the body; None: any.
    """

    kind: EntryKind
    says: tuple[str, str | bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How a sort of entries is shown. Of the subtypes, the kind itself is the last."""

    type: Coding
    subtypes: tuple[Coding, ...]
    action: Action
    outcome: Outcome


REST: Final = Coding("http://terminology.hl7.org/CodeSystem/audit-event-type", "rest")
EXPORT: Final = Coding(DCM, "110106")
DISCLOSE: Final = Coding(_LIFECYCLE, "disclose")
_IMPORT = Coding(DCM, "110107")
_LOG_USED = Coding(DCM, "110101")
_ALERT = Coding(DCM, "110113")
_AUTHENTICATION = Coding(DCM, "110114")
_TRANSFORM = Coding(_LIFECYCLE, "transform")
_DESTROY = Coding(_LIFECYCLE, "destroy")
_CREATE = Coding(_INTERACTION, "create")
_UPDATE = Coding(_INTERACTION, "update")
_ABORT = Coding("http://hl7.org/fhir/CodeSystem/task-code", "abort")
_CONFIGURATION = Coding(DCM, "110129")
_OVERRIDE = Coding(DCM, "110127")
_LOGIN = Coding(DCM, "110122")

_DONE, _MINOR, _SERIOUS = Outcome.SUCCESS, Outcome.MINOR_FAILURE, Outcome.SERIOUS_FAILURE
_Row = tuple[Coding, Coding | None, Action, Outcome, str]
_ROWS: tuple[_Row, ...] = (
    (REST, _CREATE, Action.CREATE, _DONE, "referral.received consent.recorded"),
    (REST, _CREATE, Action.CREATE, _MINOR, "referral.rejected"),
    (REST, _UPDATE, Action.UPDATE, _DONE, "referral.cancelled referral.closed"),
    (REST, _UPDATE, Action.UPDATE, _DONE, "consent.superseded consent.withdrawn consent.error"),
    (REST, _UPDATE, Action.UPDATE, _DONE, "flag.changed hold.opened hold.assigned hold.resolved"),
    (REST, _UPDATE, Action.UPDATE, _DONE, "reminder.opened reminder.closed"),
    (REST, _UPDATE, Action.UPDATE, _MINOR, "hold.overdue"),
    (REST, _CREATE, Action.CREATE, _DONE, "icb.notice.drafted icb.notice.sent"),
    (REST, _CREATE, Action.CREATE, _DONE, "icb.notice.acknowledged icb.notice.reinstated"),
    (REST, _CREATE, Action.CREATE, _DONE, "outcome.received"),
    (REST, _CREATE, Action.CREATE, _MINOR, "outcome.refused"),
    (REST, _UPDATE, Action.UPDATE, _DONE, "writeback.done writeback.fallback"),
    (REST, _UPDATE, Action.UPDATE, _MINOR, "writeback.refused"),
    (REST, Coding(_INTERACTION, "read"), Action.READ, _DONE, "record.read interaction=read"),
    (REST, Coding(_INTERACTION, "vread"), Action.READ, _DONE, "record.read interaction=vread"),
    (REST, Coding(_INTERACTION, "history-instance"), Action.READ, _DONE, "record.read interaction=history"),
    (REST, Coding(_INTERACTION, "search-type"), Action.EXECUTE, _DONE, "record.read interaction=search"),
    (_ALERT, None, Action.EXECUTE, _DONE, "decision.made effect=PERMIT"),
    (_ALERT, None, Action.EXECUTE, _MINOR, "decision.made effect=HOLD"),
    (_ALERT, None, Action.EXECUTE, _SERIOUS, "decision.made effect=DENY"),
    (_ALERT, None, Action.EXECUTE, _DONE, "decision.previewed effect=PERMIT"),
    (_ALERT, None, Action.EXECUTE, _MINOR, "decision.previewed effect=HOLD"),
    (_ALERT, None, Action.EXECUTE, _SERIOUS, "decision.previewed effect=DENY"),
    (_ALERT, None, Action.EXECUTE, _DONE, "legal.authorised"),
    (_ALERT, _OVERRIDE, Action.EXECUTE, _DONE, "breakglass.used"),
    (EXPORT, None, Action.EXECUTE, _DONE, "delivery.queued delivery.replayed letter.queued"),
    (EXPORT, None, Action.EXECUTE, _DONE, "letter.answered"),
    (EXPORT, None, Action.EXECUTE, _MINOR, "delivery.lease_lapsed"),
    (EXPORT, None, Action.EXECUTE, _SERIOUS, "delivery.dead_lettered"),
    (EXPORT, DISCLOSE, Action.READ, _DONE, "delivery.released delivery.delivered delivery.stopped"),
    (EXPORT, DISCLOSE, Action.READ, _MINOR, "delivery.unknown delivery.expired"),
    (EXPORT, DISCLOSE, Action.READ, _SERIOUS, "delivery.refused"),
    (EXPORT, _ABORT, Action.EXECUTE, _DONE, "recall.queued recall.released recall.sent"),
    (EXPORT, _ABORT, Action.EXECUTE, _DONE, "recall.acknowledged"),
    (EXPORT, _ABORT, Action.EXECUTE, _MINOR, "recall.overdue"),
    (EXPORT, _ABORT, Action.EXECUTE, _SERIOUS, "recall.refused"),
    (EXPORT, DISCLOSE, Action.READ, _DONE, "report.sight.offered report.sight.seen"),
    (EXPORT, DISCLOSE, Action.READ, _DONE, "report.sight.agreed report.sight.released"),
    (EXPORT, DISCLOSE, Action.READ, _DONE, "report.sight.objected"),
    (_TRANSFORM, None, Action.UPDATE, _DONE, "redaction.applied"),
    (_ALERT, _CONFIGURATION, Action.CREATE, _DONE, "agreement.proposed agreement.signed"),
    (_ALERT, _CONFIGURATION, Action.UPDATE, _DONE, "agreement.widened agreement.renewed"),
    (_ALERT, _CONFIGURATION, Action.UPDATE, _DONE, "agreement.suspended agreement.withdrawn"),
    (_ALERT, _CONFIGURATION, Action.UPDATE, _DONE, "agreement.reinstated agreement.expired"),
    (_ALERT, _CONFIGURATION, Action.UPDATE, _SERIOUS, "agreement.refused"),
    (_ALERT, _CONFIGURATION, Action.UPDATE, _DONE, "switch.changed policy.changed coding.learned"),
    (_ALERT, _CONFIGURATION, Action.UPDATE, _DONE, "assurance.changed withdrawal.acknowledged"),
    (_ALERT, _CONFIGURATION, Action.UPDATE, _DONE, "directory.applied key.rotated"),
    (_ALERT, _CONFIGURATION, Action.CREATE, _DONE, "checkpoint.published checkpoint.cosigned"),
    (_ALERT, _CONFIGURATION, Action.CREATE, _SERIOUS, "checkpoint.refused"),
    (_ALERT, _CONFIGURATION, Action.EXECUTE, _SERIOUS, "chain.verify.failed"),
    (_ALERT, _CONFIGURATION, Action.EXECUTE, _MINOR, "clock.drift outage.began"),
    (_ALERT, _CONFIGURATION, Action.EXECUTE, _DONE, "outage.ended"),
    (_LOG_USED, None, Action.READ, _DONE, "audit.read audit.exported"),
    (_LOG_USED, None, Action.READ, _DONE, "ledger.verified ok=true"),
    (_LOG_USED, None, Action.READ, _SERIOUS, "ledger.verified ok=false"),
    (_DESTROY, None, Action.DELETE, _DONE, "subject.erased key.destroyed retention.purged"),
    (_IMPORT, None, Action.CREATE, _DONE, "optout.loaded"),
    (_AUTHENTICATION, _LOGIN, Action.EXECUTE, _DONE, "token.issued"),
    (_AUTHENTICATION, _LOGIN, Action.EXECUTE, _MINOR, "token.refused access.refused"),
)  # fmt: skip
"""Type, subtype, action, outcome, and of which entries: kinds, or a kind and what it says."""

_TRUTHS: dict[str, str | bool] = {"true": True, "false": False}


def _sorts_in(text: str) -> Iterator[Sort]:
    first, *rest = text.split()
    if not rest or "=" not in rest[0]:
        yield from (Sort(EntryKind(each)) for each in (first, *rest))
        return
    name, _, value = rest[0].partition("=")
    yield Sort(EntryKind(first), (name, _TRUTHS.get(value, value)))


FORMS: Final = {
    sort: Form(
        type=kind,
        subtypes=(*([subtype] if subtype else []), Coding(KIND_SYSTEM, sort.kind.value)),
        action=action,
        outcome=outcome,
    )
    for kind, subtype, action, outcome, text in _ROWS
    for sort in _sorts_in(text)
}
"""How each sort of entries is shown: every kind once, or once for each thing that it says."""

_VARYING: Final = {sort.kind: sort.says[0] for sort in FORMS if sort.says is not None}


def sort_of(entry: Entry) -> Sort:
    """Tell which sort an entry is of."""
    field = _VARYING.get(entry.kind)
    return Sort(entry.kind, None if field is None else (field, getattr(entry, field)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """Codes that a search asks for; of each list one must fit, None: any."""

    types: Collection[Coding] | None = None
    subtypes: Collection[Coding] | None = None
    actions: Collection[Action] | None = None
    outcomes: Collection[Outcome] | None = None

    @property
    def are_any(self) -> bool:
        """Whether nothing is asked."""
        return (self.types, self.subtypes, self.actions, self.outcomes) == (None,) * 4


def sorts_with(codes: Codes) -> tuple[Sort, ...]:
    """List the sorts of entries that are shown with such codes."""
    return tuple(sort for sort, form in FORMS.items() if _fits(form, codes))


def _fits(form: Form, codes: Codes) -> bool:
    return (
        _is_among((form.type,), codes.types)
        and _is_among(form.subtypes, codes.subtypes)
        and _is_among((form.action,), codes.actions)
        and _is_among((form.outcome,), codes.outcomes)
    )


def _is_among(shown: Iterable[object], wanted: Collection[object] | None) -> bool:
    return wanted is None or any(each in wanted for each in shown)
