"""Which rules were in force, and since when: appended at each change, never edited."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.errors import MovedMeanwhileError
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import policy_in_force as row


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesInForce:
    """One version of the rules, as text, and since when it was in force."""

    seq: int
    version: str
    text: str
    since: datetime


def newest(view: Reading | Transaction) -> RulesInForce | None:
    """Return the rules that were put in force last; None before the first start."""
    found = view.connection.execute(select(row).order_by(row.c.seq.desc()).limit(1)).one_or_none()
    return _in_force(found) if found else None


def at(view: Reading | Transaction, instant: datetime) -> RulesInForce | None:
    """Return the rules in force at an instant; None where nobody had started by then."""
    found = view.connection.execute(
        select(row).where(row.c.since <= instant).order_by(row.c.seq.desc()).limit(1)
    ).one_or_none()
    return _in_force(found) if found else None


def add(tx: Transaction, new: RulesInForce) -> None:
    """Append a version.

    Raises:
        MovedMeanwhileError: another process did so at the same moment.
    """
    values = {name: getattr(new, name) for name in RulesInForce.__dataclass_fields__}
    try:
        tx.connection.execute(insert(row), values)
    except IntegrityError as error:
        msg = "another process has put rules in force at the same moment"
        raise MovedMeanwhileError(msg) from error


def _in_force(found: Row[tuple[object, ...]]) -> RulesInForce:
    return RulesInForce(seq=found.seq, version=found.version, text=found.text, since=found.since)
