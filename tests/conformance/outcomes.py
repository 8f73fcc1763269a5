"""What a request did: the answer, read back in its format, and the rows that it left."""

import json
from typing import Any, Final

from sqlalchemy import func, select

from gateway.fhir.xml_text import read_xml
from gateway.store.engine import Store
from gateway.store.tables import metadata
from tests.conformance.messages import Format

NOT_OF_A_REFERRAL: Final = frozenset(
    {"access_token", "client_assertion", "directory_record", "request"}
    | {name for name in metadata.tables if name.startswith("ledger_")}
    | {"checkpoint", "cosignature"}
)
"""Tables that a refusal may write: who came, which request was answered how, and the ledger."""


def stored(store: Store) -> dict[str, int]:
    """How many rows each table has that holds anything of a referral."""
    with store.reading(as_one_moment=True) as view:
        return {
            name: view.connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in metadata.tables.items()
            if name not in NOT_OF_A_REFERRAL
        }


def told(answer: Any, form: Format) -> Any:
    """The body of an answer, which is in the format that was asked for."""
    assert answer.content_type.partition(";")[0] == form.value
    return read_xml(answer.data) if form is Format.XML else json.loads(answer.data)
