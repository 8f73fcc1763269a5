"""The tables of shared care: agreements on record, and what practices say of their capacity.

They hold nothing of a patient: an agreement is between a practice and a provider, about work. So
neither erasing nor purging has anything to do here. Rows are only ever added; the newest counts.
"""

from sqlalchemy import Boolean, Column, Date, Integer, Table, Text

from gateway.store.columns import CODE, ODS, metadata
from gateway.store.types import Instant

shared_care_agreement = Table(
    "shared_care_agreement",
    metadata,
    Column("practice", ODS, primary_key=True),
    Column("provider", ODS, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False, comment="from 1; newest counts"),
    Column("terms", Text, nullable=False, comment="JSON; of people, a team to turn to at most"),
    Column("recorded_at", Instant, nullable=False),
    Column("by", CODE, nullable=False),
)

shared_care_capacity = Table(
    "shared_care_capacity",
    metadata,
    Column("practice", ODS, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False, comment="from 1; newest counts"),
    Column("has_capacity", Boolean, nullable=False),
    Column("said_on", Date, nullable=False, comment="a day of London"),
    Column("recorded_at", Instant, nullable=False),
    Column("by", CODE, nullable=False),
)
