"""Notices to the ICB: drafted with the change that they tell of, then sent and acknowledged.

What enters: the events that were just written, in their transaction; later, word that a letter
was sent or acknowledged. What leaves: notices with their ledger entries, and their letters.
Must never: decide when a practice's act takes effect; that stands in its events.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.consent import agreements, switches
from gateway.consent.notices import (
    is_secondary,
    mark_acknowledged,
    mark_reinstated,
    mark_sent,
    notice_due,
    stopped_by,
)
from gateway.errors import DamagedRecordError
from gateway.journey.gateway import Gateway
from gateway.journey.sharing import once_more, require_practice
from gateway.ledger.entry import (
    IcbNoticeAcknowledged,
    IcbNoticeDrafted,
    IcbNoticeReinstated,
    IcbNoticeSent,
)
from gateway.ledger.kinds import NoticeKind as LedgerKind
from gateway.mapping.directory_file import Kind
from gateway.mapping.icb_letter import TEMPLATE, letter, letter_sha256
from gateway.referral.directory import Agreement, AgreementStatus, Practice, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, NoticeId, OdsCode
from gateway.referral.instants import day_of, end_of_day
from gateway.referral.notices import (
    About,
    AgreementAct,
    AgreementTold,
    Notice,
    NoticeKind,
    NoticeState,
    Organisation,
    SwitchTold,
)
from gateway.referral.sharing import AgreementEvent, AgreementMove, Moment, SwitchEvent
from gateway.store import notices, sharing
from gateway.store.engine import Transaction

REPLY_WITHIN = timedelta(days=28)
"""How long the ICB has to send what a notice asks for. Our choice: four weeks."""

_STOPS = {
    AgreementMove.WITHDRAWN: AgreementAct.WITHDRAWN,
    AgreementMove.SUSPENDED: AgreementAct.SUSPENDED,
}
_STARTS = frozenset(
    {
        AgreementMove.SIGNED,
        AgreementMove.WIDENED,
        AgreementMove.RENEWED,
        AgreementMove.REINSTATED,
    }
)
_Entry = (
    type[IcbNoticeDrafted]
    | type[IcbNoticeSent]
    | type[IcbNoticeAcknowledged]
    | type[IcbNoticeReinstated]
)


@dataclass(slots=True)
class _Draft:
    """What one notice will tell of."""

    agreements: dict[AgreementId, AgreementTold] = field(default_factory=dict)
    switches: dict[Switch, SwitchTold] = field(default_factory=dict)
    replies_to: dict[NoticeId, Notice] = field(default_factory=dict)


def draft_notices(
    tx: Transaction,
    gateway: Gateway,
    practice: Practice,
    events: Sequence[AgreementEvent | SwitchEvent],
    *,
    actor: str,
) -> tuple[Notice, ...]:
    """Draft what the ICB is to be told of events that were just written: one letter a kind and time.

    Where sharing is taken up again that an earlier notice told of, the new one replies to it;
    the earlier one is over once nothing that it told of still stands.
    """
    if not events:
        return ()
    earlier = [
        notice
        for notice in notices.of_practice(tx, practice.ods)
        if notice.state is not NoticeState.REINSTATED
    ]
    drafts: dict[tuple[NoticeKind, datetime], _Draft] = {}
    for event in events:
        for kind, part in _parts(tx, event, earlier):
            draft = drafts.setdefault((kind, event.effective_at), _Draft())
            draft.agreements |= part.agreements
            draft.switches |= part.switches
            draft.replies_to |= part.replies_to
    drafted = tuple(
        _drafted(tx, gateway, practice, kind, at, draft, actor)
        for (kind, at), draft in drafts.items()
    )
    replied = {each.id: each for draft in drafts.values() for each in draft.replies_to.values()}
    for notice in replied.values():
        if not _still_stands(tx, notice):
            _moved(tx, mark_reinstated(notice, tx.at), IcbNoticeReinstated, actor)
    return drafted


def notices_of(practice: OdsCode | None, gateway: Gateway) -> list[Notice]:
    """List the notices of a practice, or of all, oldest first.

    Raises:
        NotFoundError: the directory has no such practice.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        if practice is not None:
            require_practice(view, practice, gateway.clock())
        return notices.of_practice(view, practice)


def letter_of(notice_id: NoticeId, gateway: Gateway, *, practice: OdsCode | None = None) -> str:
    """Write the letter of a notice again; `practice` limits whose.

    Raises:
        NotFoundError: there is none, or it is another practice's.
        DamagedRecordError: it would not be the letter that is on record.
    """
    with gateway.store.reading() as view:
        notice = notices.get(view, notice_id, practice)
    text = letter(notice.about)
    if letter_sha256(text) != notice.letter_sha256:
        msg = "the letter of a notice is not the one whose hash is on record"
        raise DamagedRecordError(msg)
    return text


def record_sent(
    notice_id: NoticeId, gateway: Gateway, *, actor: str, practice: OdsCode | None = None
) -> Notice:
    """Record that a letter was sent; a second time changes nothing.

    Raises:
        NotFoundError: there is none, or it is another practice's.
        IllegalMoveError: what it tells of no longer stands.
    """
    return _recorded(notice_id, gateway, mark_sent, IcbNoticeSent, actor, practice)


def record_acknowledged(
    notice_id: NoticeId, gateway: Gateway, *, actor: str, practice: OdsCode | None = None
) -> Notice:
    """Record that the ICB acknowledged a letter; a second time changes nothing.

    Raises:
        NotFoundError: there is none, or it is another practice's.
        IllegalMoveError: it was not sent, or what it tells of no longer stands.
    """
    return _recorded(notice_id, gateway, mark_acknowledged, IcbNoticeAcknowledged, actor, practice)


def _recorded(
    notice_id: NoticeId,
    gateway: Gateway,
    mark: Callable[[Notice, datetime], Notice],
    entry: _Entry,
    actor: str,
    practice: OdsCode | None,
) -> Notice:
    def act() -> Notice:
        with gateway.store.transaction(gateway.clock()) as tx:
            notice = notices.get(tx, notice_id, practice)
            marked = mark(notice, tx.at)
            if marked == notice:
                return notice
            return _moved(tx, marked, entry, actor)

    return once_more(act)


def _parts(
    tx: Transaction, event: AgreementEvent | SwitchEvent, earlier: Sequence[Notice]
) -> Iterator[tuple[NoticeKind, _Draft]]:
    """Say what one event adds to which notice."""
    if isinstance(event, SwitchEvent):
        kind = notice_due(event.switch, event.value)
        told = SwitchTold(switch=event.switch, value=event.value)
        replied = _replied(event, earlier) if event.value is SwitchValue.ON else {}
        if kind is not None:
            yield kind, _Draft(agreements=_stopped(tx, event), switches={event.switch: told})
        if replied:
            yield NoticeKind.REINSTATE, _Draft(switches={event.switch: told}, replies_to=replied)
        return
    if event.move in _STOPS and is_secondary(event.terms.kind):
        act = _STOPS[event.move]
        yield NoticeKind.WITHDRAW_SECONDARY, _Draft(agreements=_told(tx, event, act))
    replied = _replied(event, earlier) if event.move in _STARTS else {}
    if replied:
        told_again = _told(tx, event, AgreementAct.REINSTATED)
        yield NoticeKind.REINSTATE, _Draft(agreements=told_again, replies_to=replied)


def _replied(
    event: AgreementEvent | SwitchEvent, earlier: Sequence[Notice]
) -> dict[NoticeId, Notice]:
    """Find the notices which told that this switch or agreement stops sharing before then."""
    named = (
        (frozenset[AgreementId](), frozenset({event.switch}))
        if isinstance(event, SwitchEvent)
        else (frozenset({event.agreement}), frozenset[Switch]())
    )
    return {
        each.id: each
        for each in earlier
        if each.about.tells_of(*named) and each.about.effective_at <= event.effective_at
    }


def _stopped(tx: Transaction, event: SwitchEvent) -> dict[AgreementId, AgreementTold]:
    """Tell of the agreements in force then of which this setting stops something."""
    if event.switch is not Switch.SECONDARY_SHARING:
        return {}
    then = Moment(at=event.effective_at, is_now=event.effective_at == event.recorded_at)
    agreed = agreements.agreements_at(sharing.agreement_events(tx, event.practice), then)
    stopped = stopped_by(event.value, agreed)
    return {each.id: _told_of(tx, each, AgreementAct.STOPPED) for each in stopped}


def _told(
    tx: Transaction, event: AgreementEvent, act: AgreementAct
) -> dict[AgreementId, AgreementTold]:
    agreement = Agreement(
        id=event.agreement,
        practice=event.practice,
        counterparty=event.counterparty,
        status=AgreementStatus.ACTIVE,
        terms=event.terms,
        version=event.seq,
    )
    return {agreement.id: _told_of(tx, agreement, act)}


def _told_of(tx: Transaction, agreement: Agreement, act: AgreementAct) -> AgreementTold:
    terms, there = agreement.terms, agreement.counterparty
    known = notices.organisation(tx, Kind.PROVIDER, there, tx.at) or notices.organisation(
        tx, Kind.COMMISSIONER, there, tx.at
    )
    return AgreementTold(
        id=agreement.id,
        version=agreement.version,
        act=act,
        name=terms.name,
        kind=terms.kind,
        counterparty=known or Organisation(ods=there, name="not in the directory"),
        processor=terms.processor,
        purposes=tuple(sorted(terms.purposes)),
        gdpr_basis=terms.gdpr_basis,
        confidentiality_basis=terms.confidentiality_basis,
    )


def _drafted(
    tx: Transaction,
    gateway: Gateway,
    practice: Practice,
    kind: NoticeKind,
    at: datetime,
    draft: _Draft,
    actor: str,
) -> Notice:
    to = practice.commissioner
    reply_by = day_of(tx.at + REPLY_WITHIN)
    about = About(
        template=TEMPLATE,
        id=NoticeId.of(gateway.new_uuid()),
        kind=kind,
        practice=Organisation(ods=practice.ods, name=practice.name),
        commissioner=notices.organisation(tx, Kind.COMMISSIONER, to, tx.at) if to else None,
        written_on=day_of(tx.at),
        effective_at=at,
        reply_by=reply_by,
        agreements=tuple(draft.agreements[each] for each in sorted(draft.agreements)),
        switches=tuple(draft.switches[each] for each in Switch if each in draft.switches),
        replies_to=tuple(draft.replies_to),
    )
    notice = Notice(
        id=about.id,
        practice=practice.ods,
        state=NoticeState.DRAFTED,
        about=about,
        letter_sha256=letter_sha256(letter(about)),
        created_at=tx.at,
    )
    notices.add(tx, notice, reply_by=end_of_day(reply_by))
    tx.record(_entry(IcbNoticeDrafted, notice, actor))
    return notice


def _still_stands(tx: Transaction, notice: Notice) -> bool:
    """Whether anything that a notice told of stops sharing in the end, as far as is planned."""
    told = notice.about
    return any(_is_off(tx, notice.practice, each.switch) for each in told.switches) or any(
        _is_stopped(tx, notice.practice, each.id)
        for each in told.agreements
        if each.act is not AgreementAct.STOPPED
    )


def _is_off(tx: Transaction, practice: OdsCode, switch: Switch) -> bool:
    events = [each for each in sharing.switch_events(tx, practice) if each.switch is switch]
    return bool(events) and switches.in_order(events)[-1].value is not SwitchValue.ON


def _is_stopped(tx: Transaction, practice: OdsCode, agreement: AgreementId) -> bool:
    events = agreements.in_order(sharing.events_on(tx, practice, agreement))
    return bool(events) and events[-1].move not in _STARTS


def _moved(tx: Transaction, notice: Notice, entry: _Entry, actor: str) -> Notice:
    moved = notices.move(tx, notice)
    tx.record(_entry(entry, moved, actor))
    return moved


def _entry(
    kind: _Entry, notice: Notice, actor: str
) -> IcbNoticeDrafted | IcbNoticeSent | IcbNoticeAcknowledged | IcbNoticeReinstated:
    to = notice.about.commissioner
    return kind(
        actor=actor,
        practice=notice.practice,
        notice=notice.id,
        recipient=to.ods if to else None,
        notice_kind=LedgerKind(notice.about.kind),
        letter_sha256=notice.letter_sha256,
    )
