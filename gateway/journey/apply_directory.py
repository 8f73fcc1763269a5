"""Bring the directory to what a file says: plan, then apply, in versions.

What enters: the text of a directory file. What leaves: a plan that a person can read, and,
once applied, new versions of the rows that changed. No row is ever edited in place. A record
that the file does not list stays, unless ending it was asked for.

Agreements and switches of the file become events. A file records what exists, so it signs also
without an impact assessment, and where nobody has said whether new agreements are signed: the
plan notes it. Must never: overrule by a file what a practice said itself or plans, or sign by a
file what a practice has frozen.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.consent.agreements import RESTRICTS, in_order, move_to
from gateway.errors import DirectoryFileError
from gateway.journey.assurance import change_assurance, shortened
from gateway.journey.gateway import Gateway
from gateway.journey.loose_ends import loose_ends
from gateway.journey.sharing import import_agreement, import_switches
from gateway.ledger.entry import DirectoryApplied
from gateway.mapping.directory_file import (
    DirectoryRow,
    Kind,
    Noun,
    noun_of,
    practice_row,
    read_directory_file,
)
from gateway.referral.directory import (
    Agreement,
    AgreementStatus,
    Endpoint,
    Practice,
    Provider,
    Service,
    Switch,
    SwitchValue,
)
from gateway.referral.identifiers import OdsCode
from gateway.referral.sharing import AgreementEvent, AgreementMove, Origin
from gateway.store import deliveries, directory, lanes, sharing
from gateway.store.engine import Reading, Transaction

ACTOR = "operator"
_BRINGS_INTO_FORCE = frozenset(
    {AgreementMove.SIGNED, AgreementMove.WIDENED, AgreementMove.REINSTATED, AgreementMove.RENEWED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a file would change. `missing` are there now and not in the file.

    `kept` names what the practice itself has said, where the file says otherwise; `notes` what
    the file signs that the practice's own word could not.
    """

    added: tuple[DirectoryRow, ...]
    changed: tuple[DirectoryRow, ...]
    missing: tuple[DirectoryRow, ...]
    kept: tuple[str, ...]
    notes: tuple[str, ...]
    ends_missing: bool
    file_sha256: str

    @property
    def changes_anything(self) -> bool:
        """Whether applying would write anything."""
        return bool(self.added or self.changed or (self.missing and self.ends_missing))


def plan_directory(text: str, gateway: Gateway, *, end_missing: bool) -> Plan:
    """Compare a directory file with the directory as of now.

    Raises:
        DirectoryFileError: all that is wrong with the file, or with what would result.
    """
    wanted = read_directory_file(text)
    with gateway.store.reading() as view:
        said = _said(view, gateway.clock())
    return _compare(wanted, said, text, end_missing=end_missing)


def apply_directory(plan: Plan, text: str, gateway: Gateway) -> Plan:
    """Apply a plan; it is made again inside the transaction, on what is there then.

    Returns: the plan that was applied.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        said = _said(tx, tx.at)
        plan = _compare(read_directory_file(text), said, text, end_missing=plan.ends_missing)
        if not plan.changes_anything:
            return plan
        ended = plan.missing if plan.ends_missing else ()
        written = [*plan.added, *plan.changed]
        directory.replace_rows(tx, [_alone(r) for r in written if r.kind is not Kind.AGREEMENT])
        directory.end_rows(tx, [(row.kind, row.key) for row in ended])
        nouns = [noun_of(row.kind, row.body) for row in written]
        lanes.keep(tx, [noun for noun in nouns if isinstance(noun, Endpoint)])
        _import(tx, gateway, written, ended, {row.name: row for row in said.rows})
        _reassure(tx, gateway, said.rows, written, ended)
        _move_lanes(tx, nouns)
        tx.record(
            DirectoryApplied(
                actor=ACTOR,
                file_sha256=plan.file_sha256,
                added=len(plan.added),
                changed=len(plan.changed),
                ended=len(ended),
            )
        )
    return plan


def _reassure(
    tx: Transaction,
    gateway: Gateway,
    now: Iterable[DirectoryRow],
    written: Iterable[DirectoryRow],
    ended: Iterable[DirectoryRow],
) -> None:
    """Note what the file changes of providers, in one order, after all gates of practices."""
    before, gone = _providers(now), _providers(ended)
    then = {ods: it for ods, it in (before | _providers(written)).items() if ods not in gone}
    for ods in sorted({*before, *then}):
        change_assurance(tx, gateway, before.get(ods), then.get(ods), actor=ACTOR)


def _providers(rows: Iterable[DirectoryRow]) -> dict[OdsCode, Provider]:
    nouns = [noun_of(row.kind, row.body) for row in rows]
    return {noun.ods: noun for noun in nouns if isinstance(noun, Provider)}


def _move_lanes(tx: Transaction, written: Iterable[Noun]) -> None:
    """Let what waits for a service that moved wait in the lane of its new endpoint."""
    for noun in written:
        if isinstance(noun, Service):
            deliveries.move_lane(tx, noun.id, noun.endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What stands now, and which of it the practices said themselves.

    `ending` are the agreements that a practice itself ended, or plans to end.
    """

    rows: Sequence[DirectoryRow]
    own_agreements: frozenset[str]
    ending: frozenset[str]
    own_switches: frozenset[tuple[str, Switch]]


def _said(view: Reading | Transaction, at: datetime) -> _Said:
    events = sharing.all_agreement_events(view)
    own_switches = [e for e in sharing.all_switch_events(view) if e.origin is not Origin.IMPORT]
    return _Said(
        rows=directory.rows_as_of(view, at),
        own_agreements=frozenset(e.agreement for e in events if e.origin is not Origin.IMPORT),
        ending=_ending(events),
        own_switches=frozenset((event.practice, event.switch) for event in own_switches),
    )


def _ending(events: Iterable[AgreementEvent]) -> frozenset[str]:
    """Find the agreements that a practice restricted itself, now or in time to come.

    What it lifted itself, and what was taken back, does not count.
    """
    of_each: dict[str, list[AgreementEvent]] = {}
    for event in events:
        of_each.setdefault(event.agreement, []).append(event)
    last = {
        name: [event.move for event in in_order(of_one) if event.origin is not Origin.IMPORT][-1:]
        for name, of_one in of_each.items()
    }
    return frozenset(name for name, moves in last.items() if RESTRICTS.intersection(moves))


def _compare(listed: Sequence[DirectoryRow], said: _Said, text: str, *, end_missing: bool) -> Plan:
    now = {row.name: row for row in said.rows}
    kept: list[str] = []
    wanted = [_yielding(row, now.get(row.name), said, kept) for row in listed]
    then = {row.name: row for row in wanted}
    missing = tuple(r for name, r in now.items() if name not in then and not _is_over(r))
    if end_missing:
        own = [row for row in missing if _is_own(row, said)]
        kept += [_said_itself(row) for row in own]
        then |= {row.name: row for row in own}
        missing = tuple(row for row in missing if row not in own)
    changed = tuple(row for name, row in then.items() if name in now and now[name] != row)
    added = tuple(row for name, row in then.items() if name not in now)
    result = then if end_missing else now | then
    signed = [each for row in (*added, *changed) for each in _signed(row, now)]
    plan = Plan(
        added=added,
        changed=changed,
        missing=missing,
        kept=tuple(kept),
        notes=(
            *_notes(signed, result),
            *shortened(_providers(said.rows), _providers(result.values())),
        ),
        ends_missing=end_missing,
        file_sha256=hashlib.sha256(text.encode()).hexdigest(),
    )
    faults = sorted(
        [
            *loose_ends(result.values()),
            *_moved_to_others(plan, now),
            *_frozen(signed, now),
            *_against_the_practice(signed, said),
        ]
    )
    if faults:
        raise DirectoryFileError("\n".join(faults))
    return plan


def _yielding(
    row: DirectoryRow, now: DirectoryRow | None, said: _Said, kept: list[str]
) -> DirectoryRow:
    """Let what a practice said itself stand against the file."""
    noun = noun_of(row.kind, row.body)
    if now is None or now == row:
        return row
    if _is_own(row, said):
        kept.append(_said_itself(row))
        return now
    there = noun_of(now.kind, now.body)
    if not isinstance(noun, Practice) or not isinstance(there, Practice):
        return row
    own = {s: there.switches[s] for s in there.switches if (noun.ods, s) in said.own_switches}
    kept += [
        f"practice {row.key}: the practice itself has set {switch}"
        for switch, value in own.items()
        if noun.switches.get(switch, value) is not value
    ]
    # A switch that the file does not name stays as it is.
    return practice_row(row.body, {**there.switches, **noun.switches, **own})


def _is_own(row: DirectoryRow, said: _Said) -> bool:
    """Whether it is an agreement of which the practice itself has said something."""
    return row.kind is Kind.AGREEMENT and row.key in said.own_agreements


def _said_itself(row: DirectoryRow) -> str:
    return f"agreement {row.key}: the practice itself has said how it stands"


def _signed(row: DirectoryRow, now: Mapping[tuple[Kind, str], DirectoryRow]) -> Iterable[Agreement]:
    """Give the agreement that a row would bring into force, if it would."""
    wanted, move = _move(row, now)
    if wanted is not None and move in _BRINGS_INTO_FORCE:
        yield wanted


def _notes(
    signed: Iterable[Agreement], result: Mapping[tuple[Kind, str], DirectoryRow]
) -> Iterable[str]:
    """Name what the practice's own word could not have signed."""
    for wanted in signed:
        if wanted.terms.dpia_ref is None:
            yield f"agreement {wanted.id}: signed by file without an impact assessment"
        here = result.get((Kind.PRACTICE, wanted.practice))
        practice = noun_of(here.kind, here.body) if here else None
        if isinstance(practice, Practice) and Switch.NEW_AGREEMENTS not in practice.switches:
            yield (
                f"agreement {wanted.id}: signed by file though practice {practice.ods} has not said"
                " whether it signs new agreements"
            )


def _frozen(
    signed: Iterable[Agreement], now: Mapping[tuple[Kind, str], DirectoryRow]
) -> Iterable[str]:
    """Find agreements that a file would sign for a practice that has frozen new ones."""
    for wanted in signed:
        here = now.get((Kind.PRACTICE, wanted.practice))
        practice = noun_of(here.kind, here.body) if here else None
        if isinstance(practice, Practice) and _is_frozen(practice):
            yield (
                f"agreement {wanted.id}: practice {practice.ods} has frozen new agreements; it can"
                " be signed once the practice has switched new_agreements on"
            )


def _against_the_practice(signed: Iterable[Agreement], said: _Said) -> Iterable[str]:
    """Find agreements that a file would sign with one from whom the practice itself withdrew."""
    nouns = [noun_of(row.kind, row.body) for row in said.rows if row.key in said.own_agreements]
    ended = {
        (noun.practice, noun.counterparty): noun.id
        for noun in nouns
        if isinstance(noun, Agreement)
        and (noun.status is not AgreementStatus.ACTIVE or noun.id in said.ending)
    }
    for wanted in signed:
        own = ended.get((wanted.practice, wanted.counterparty))
        if own is not None:
            yield (
                f"agreement {wanted.id}: the practice itself ended {own} with the same"
                " organisation, or plans to; only the practice can sign another"
            )


def _moved_to_others(plan: Plan, now: Mapping[tuple[Kind, str], DirectoryRow]) -> Iterable[str]:
    """Find agreements that a file would turn into one between others."""
    for row in plan.changed:
        wanted, before = (noun_of(each.kind, each.body) for each in (row, now[row.name]))
        if isinstance(wanted, Agreement) and isinstance(before, Agreement):
            is_same = wanted.practice == before.practice
            if not is_same or wanted.counterparty != before.counterparty:
                yield f"agreement {row.key}: it is between others; list this one under another id"


def _is_frozen(practice: Practice) -> bool:
    return practice.switches.get(Switch.NEW_AGREEMENTS) is SwitchValue.OFF


def _move(
    row: DirectoryRow, now: Mapping[tuple[Kind, str], DirectoryRow]
) -> tuple[Agreement | None, AgreementMove | None]:
    """Name what a row would do to an agreement; nothing where it is about something else."""
    wanted = noun_of(row.kind, row.body)
    if not isinstance(wanted, Agreement):
        return None, None
    there = now.get(row.name)
    before = noun_of(there.kind, there.body) if there else None
    return wanted, move_to(before if isinstance(before, Agreement) else None, wanted)


def _is_over(row: DirectoryRow) -> bool:
    """Whether it is an agreement that was withdrawn: its events stay, and it needs no end."""
    noun = noun_of(row.kind, row.body)
    return isinstance(noun, Agreement) and noun.status is AgreementStatus.WITHDRAWN


def _alone(row: DirectoryRow) -> DirectoryRow:
    """Return what the directory keeps of a row: a practice's without its switches."""
    return practice_row(row.body, {}) if row.kind is Kind.PRACTICE else row


def _import(
    tx: Transaction,
    gateway: Gateway,
    written: Sequence[DirectoryRow],
    ended: Sequence[DirectoryRow],
    now: Mapping[tuple[Kind, str], DirectoryRow],
) -> None:
    """Write what the file says of agreements and switches as events."""
    for row in written:
        wanted, move = _move(row, now)
        if wanted is not None and move is not None:
            import_agreement(tx, gateway, wanted, move, actor=ACTOR)
        noun = noun_of(row.kind, row.body)
        if isinstance(noun, Practice):
            import_switches(tx, gateway, noun, actor=ACTOR)
    for row in ended:
        noun = noun_of(row.kind, row.body)
        if isinstance(noun, Agreement):
            import_agreement(tx, gateway, noun, AgreementMove.WITHDRAWN, actor=ACTOR)
