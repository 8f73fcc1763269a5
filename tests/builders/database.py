"""What stands in a database, column by column and byte by byte."""

from pathlib import Path

from sqlalchemy import select

from gateway.store.tables import metadata
from tests.builders.house import House

Value = tuple[str, bytes]
"""A column's place, as in `person.handle`, and the bytes of one of its values."""


def every_value(house: House, *, but: tuple[str, ...] = ()) -> list[Value]:
    """Every value of every column of every table but these, with its place."""
    found = []
    with house.gateway.store.reading(as_one_moment=True) as view:
        for table in metadata.sorted_tables:
            if table.name in but:
                continue
            for row in view.connection.execute(select(table)):
                for name, value in row._mapping.items():
                    raw = value if isinstance(value, bytes) else str(value).encode()
                    found.append((f"{table.name}.{name}", raw))
    return found


def places_of(values: list[Value], wanted: str | bytes) -> set[str]:
    """Where a text or some bytes stand, whatever the case of their letters."""
    raw = wanted.encode() if isinstance(wanted, str) else wanted
    return {place for place, value in values if raw.lower() in value.lower()}


def raw_files(folder: Path) -> bytes:
    """All bytes of a SQLite database: the file, and its log of writes."""
    return b"".join(path.read_bytes() for path in sorted(folder.glob("gateway.sqlite3*")))
