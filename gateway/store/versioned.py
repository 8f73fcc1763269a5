"""Rows with a version: written only where nobody else has written since they were read.

What enters: a table with `id`, `version` and `updated_at`, and what is to stand there. What
leaves: whether it stands there now. Each statement is built once: it is part of every move.
"""

from collections.abc import Mapping
from functools import cache

from sqlalchemy import Table, Update, bindparam, update

from gateway.store.engine import Transaction


def write(
    tx: Transaction, table: Table, row_id: str, version: int, values: Mapping[str, object]
) -> bool:
    """Write a row's next version; tell whether it was still in this one."""
    new = {**values, "version": version + 1, "updated_at": tx.at}
    named = {f"new_{name}": value for name, value in new.items()}
    done = tx.connection.execute(
        _written(table, tuple(new)), {"of_id": row_id, "of_version": version, **named}
    )
    return bool(done.rowcount == 1)


@cache
def _written(table: Table, names: tuple[str, ...]) -> Update:
    return (
        update(table)
        .where(table.c.id == bindparam("of_id"), table.c.version == bindparam("of_version"))
        .values({name: bindparam(f"new_{name}") for name in names})
    )
