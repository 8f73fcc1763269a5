"""Finding entries of the ledger for those who may read it, the newest first, a page at a time.

What enters: conditions, all of which are SQL, and the place where the page before ended. What
leaves: entries with their places and hashes, and the place where the next page goes on. Every
log of the database is searched, the newest year first; of a purged log nothing is found.

No page is more work than a bounded stretch: a search that no index narrows looks at no more
than `STRETCH` entries, and ends short of a full page where it found fewer in them.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select

from gateway.errors import DamagedRecordError
from gateway.ledger.balp_table import FORMS, Sort
from gateway.ledger.canonical import canonical_json
from gateway.ledger.merkle import leaf_hash
from gateway.ledger.seal import PlacedEntry, read_placed
from gateway.referral.identifiers import ConsentId, DeliveryId, Handle, OdsCode, ReferralId
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import delivery, person
from gateway.store.tables_ledger import ledger_entry, ledger_head

STRETCH = 20_000
"""Entries that one page looks at, at most, where no index narrows the search: some 40 ms, for
which SQLite's one writer is held."""

_COLUMNS = (ledger_entry.c.idx, ledger_entry.c.body, ledger_entry.c.leaf_hash)
_ALL_SORTS = frozenset(FORMS)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry stands: the name of its log, and its index."""

    log: str
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Which entries to list: all conditions hold together; None: any.

    `task` is a delivery or a recall that an entry names. `since` and `before` are a half-open
    period. `after` is the place that the page before left off at, itself left out.
    """

    id: Place | None = None
    practice: OdsCode | None = None
    subject: Handle | None = None
    actor: str | None = None
    referral: ReferralId | None = None
    consent: ConsentId | None = None
    task: DeliveryId | None = None
    sorts: Collection[Sort] | None = None
    since: datetime | None = None
    before: datetime | None = None
    policy: str | None = None
    after: Place | None = None
    limit: int = 50
    stretch: int = STRETCH

    @property
    def is_narrowed(self) -> bool:
        """Whether an index leads to what is searched, past the entries of others."""
        narrow = (self.id, self.practice, self.subject, self.referral, self.consent, self.task)
        return any(each is not None for each in narrow)

    @property
    def is_about_one_thing(self) -> bool:
        """Whether the entries are those of one record, which are few."""
        return any(each is not None for each in (self.referral, self.consent, self.task))


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry at its place, and its leaf hash."""

    placed: PlacedEntry
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Entries, the newest first; the next page goes on below `goes_on`. None: there is none."""

    entries: tuple[Found, ...]
    goes_on: Place | None


NOTHING = Page(entries=(), goes_on=None)
"""The page of a search that nothing can fit."""


def logs(view: Reading | Transaction) -> list[Place]:
    """List the logs with their sizes, that of the newest year first."""
    rows = view.connection.execute(select(ledger_head.c.log, ledger_head.c.size)).all()
    return sorted((Place(*row) for row in rows), key=lambda of: _order(of.log), reverse=True)


def practice_of(view: Reading | Transaction, handle: Handle) -> OdsCode | None:
    """Tell at which practice a person has this handle; None: nobody has it any more."""
    query = select(person.c.practice).where(person.c.handle == handle)
    found = view.connection.execute(query).scalar_one_or_none()
    return OdsCode(found) if found is not None else None


def search(view: Reading | Transaction, wanted: Search) -> Page:
    """List one page of entries, the newest first.

    Raises:
        DamagedRecordError: a row is not the exact bytes of an entry at this place.
    """
    conditions = [*_fits(view, wanted)]
    found: list[Found] = []
    stretch = wanted.stretch
    for log in logs(view):
        top = _top(log, wanted)
        if top == 0:
            continue
        bottom = 0 if wanted.is_narrowed else max(0, top - stretch)
        stands = [*_stands(log.log, bottom, top, wanted), *conditions]
        found += _in_log(view, log.log, stands, wanted.limit + 1 - len(found))
        if len(found) > wanted.limit:
            last = found[wanted.limit - 1].placed
            return Page(entries=tuple(found[:-1]), goes_on=Place(last.log, last.index))
        if bottom > 0:
            return Page(entries=tuple(found), goes_on=Place(log.log, bottom))
        stretch -= top
    return Page(entries=tuple(found), goes_on=None)


def _order(log: str) -> tuple[str, str]:
    """Logs follow each other by year, whatever their origin is called."""
    return log[-4:], log


def _top(log: Place, wanted: Search) -> int:
    """Tell below which index of a log the page begins; 0: nothing of it can be wanted."""
    year = int(log.log[-4:])
    is_late = wanted.before is not None and year > wanted.before.year
    is_early = wanted.since is not None and year < wanted.since.year
    if is_late or is_early:
        return 0
    if wanted.after is None or _order(log.log) < _order(wanted.after.log):
        return log.index
    return min(wanted.after.index, log.index) if log.log == wanted.after.log else 0


def _stands(log: str, bottom: int, top: int, wanted: Search) -> list[ColumnElement[bool]]:
    """Tell whether an entry stands in this part of a log.

    Of entries about one thing this is said of expressions, which no index knows: SQLite would
    else walk the log, in the order that is wanted, rather than look the thing up.
    """
    entry = ledger_entry.c
    if wanted.is_about_one_thing:
        return [entry.log.concat("") == log, (entry.idx + 0).between(bottom, top - 1)]
    return [entry.log == log, entry.idx.between(bottom, top - 1)]


def _in_log(
    view: Reading | Transaction, log: str, conditions: list[ColumnElement[bool]], limit: int
) -> Iterator[Found]:
    query = select(*_COLUMNS).where(*conditions).order_by(ledger_entry.c.idx.desc()).limit(limit)
    rows = view.connection.execute(query)
    for row in rows:
        placed = read_placed(row.body)
        if (placed.log, placed.index, leaf_hash(row.body)) != (log, row.idx, row.leaf_hash):
            msg = "a ledger entry is not what its place or its hash says; check the ledger"
            raise DamagedRecordError(msg)
        yield Found(placed=placed, leaf_hash=row.leaf_hash)


def _fits(view: Reading | Transaction, wanted: Search) -> Iterator[ColumnElement[bool]]:
    entry = ledger_entry.c
    if wanted.id is not None:
        yield and_(entry.log == wanted.id.log, entry.idx == wanted.id.index)
    if wanted.task is not None:
        of_task = select(delivery.c.referral).where(delivery.c.id == wanted.task)
        yield entry.referral == of_task.scalar_subquery()
        yield _says(view, f'"{wanted.task}"'.encode())
    yield from _compares(wanted)
    if wanted.sorts is not None:
        yield _is_of(view, frozenset(wanted.sorts))


def _compares(wanted: Search) -> Iterator[ColumnElement[bool]]:
    entry = ledger_entry.c
    for column, value in (
        (entry.practice, wanted.practice),
        (entry.subject, wanted.subject),
        (entry.actor, wanted.actor),
        (entry.referral, wanted.referral),
        (entry.consent, wanted.consent),
        (entry.policy, wanted.policy),
    ):
        if value is not None:
            yield column == value
    if wanted.since is not None:
        yield entry.at >= wanted.since
    if wanted.before is not None:
        yield entry.at < wanted.before


def _is_of(view: Reading | Transaction, sorts: frozenset[Sort]) -> ColumnElement[bool]:
    """Tell whether an entry is of one of these sorts: a kind alone, or one that says a thing."""
    left_out = {sort.kind for sort in _ALL_SORTS - sorts}
    whole = {sort.kind for sort in sorts} - left_out
    parts = [(each.kind, each.says) for each in sorts if each.says and each.kind in left_out]
    return or_(
        ledger_entry.c.kind.in_(sorted(whole)),
        *(and_(ledger_entry.c.kind == kind, _says_so(view, says)) for kind, says in parts),
    )


def _says_so(view: Reading | Transaction, says: tuple[str, str | bool]) -> ColumnElement[bool]:
    """Tell whether an entry says what makes its sort; its body is canonical, so by its bytes."""
    name, value = says
    if name == "effect":
        return ledger_entry.c.effect == value
    return _says(view, canonical_json({name: value})[1:-1])


def _says(view: Reading | Transaction, text: bytes) -> ColumnElement[bool]:
    """Tell whether the bytes of a body hold these."""
    is_embedded = view.connection.dialect.name == "sqlite"
    where = func.instr if is_embedded else func.pg_catalog.position
    return where(ledger_entry.c.body, text) > 0
