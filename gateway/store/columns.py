"""What all tables share: the metadata with its naming rules, and the usual column types."""

from sqlalchemy import MetaData, String

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

UUID = String(36)
CODE = String(64)
ODS = String(10)
HANDLE = String(32)
SHA256_HEX = String(64)
LOG = String(128)
