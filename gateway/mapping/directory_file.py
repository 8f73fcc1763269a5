"""The directory as people write it (YAML) and as the store keeps it (JSON, a row each).

What enters: the text of a directory file, or one stored row. What leaves: rows, or the
nouns of `referral.directory`. A section that is present lists records of one kind; each
record is checked alone here (`directory_records`), and against the others in
`journey.apply_directory`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

import yaml
from pydantic import ValidationError

from gateway.errors import DirectoryFileError
from gateway.mapping.directory_records import (
    STORED,
    AgreementRow,
    ClientRow,
    CommissionerRow,
    EndpointRow,
    Noun,
    PracticeRow,
    ProviderRow,
    Row,
    ServiceRow,
    in_order,
)
from gateway.referral import directory as nouns

__all__ = [
    "DirectoryRow",
    "Kind",
    "Noun",
    "agreement_row",
    "noun_of",
    "practice_row",
    "read_directory_file",
]


class Kind(StrEnum):
    """What a directory row is about. The order is the order of applying."""

    COMMISSIONER = "commissioner"
    PRACTICE = "practice"
    PROVIDER = "provider"
    ENDPOINT = "endpoint"
    SERVICE = "service"
    AGREEMENT = "agreement"
    CLIENT = "client"


_MODELS: Mapping[Kind, type[Row]] = {
    Kind.COMMISSIONER: CommissionerRow,
    Kind.PRACTICE: PracticeRow,
    Kind.PROVIDER: ProviderRow,
    Kind.ENDPOINT: EndpointRow,
    Kind.SERVICE: ServiceRow,
    Kind.AGREEMENT: AgreementRow,
    Kind.CLIENT: ClientRow,
}
_SECTIONS: Mapping[str, Kind] = {f"{kind}s": kind for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRow:
    """One record as the store keeps it. `also` is a second name by which it is found."""

    kind: Kind
    key: str
    also: str | None
    body: str

    @property
    def name(self) -> tuple[Kind, str]:
        """What tells it from every other record."""
        return self.kind, self.key


def read_directory_file(text: str) -> list[DirectoryRow]:
    """Read a directory file.

    Raises:
        DirectoryFileError: all that is wrong with it, each with its place.
    """
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        msg = f"the file is not YAML{where}"
        raise DirectoryFileError(msg) from None
    if not isinstance(loaded, dict):
        msg = f"the file has none of the sections {', '.join(_SECTIONS)}"
        raise DirectoryFileError(msg)
    faults: list[str] = [
        f"{name}: there is no such section; there are {', '.join(_SECTIONS)}"
        for name in loaded
        if name not in _SECTIONS
    ]
    rows: list[DirectoryRow] = []
    for name, kind in _SECTIONS.items():
        rows += _section(name, kind, loaded.get(name, []), faults)
    faults += _repeated(rows)
    if faults:
        raise DirectoryFileError("\n".join(faults))
    return rows


def _section(name: str, kind: Kind, records: object, faults: list[str]) -> list[DirectoryRow]:
    if not isinstance(records, list):
        faults.append(f"{name}: write a list of records")
        return []
    rows = []
    for position, record in enumerate(records):
        try:
            row = _MODELS[kind].model_validate(record)
        except ValidationError as error:
            faults += [
                f"{name}[{position}].{'.'.join(map(str, e['loc']))}: {e['msg']}"
                for e in error.errors()
            ]
        else:
            rows.append(_row_of(kind, row))
    return rows


def _repeated(rows: Sequence[DirectoryRow]) -> list[str]:
    seen: set[tuple[Kind, str]] = set()
    faults = []
    for row in rows:
        names = [row.key] + ([row.also] if row.kind is Kind.SERVICE and row.also else [])
        for name in dict.fromkeys(names):
            if (row.kind, name) in seen:
                faults.append(f"{row.kind} {name}: this name is used twice")
            seen.add((row.kind, name))
    return faults


def agreement_row(agreement: nouns.Agreement) -> DirectoryRow:
    """Write an agreement as a file of the directory would."""
    terms = agreement.terms
    told = {name: getattr(terms, name) for name in nouns.Terms.__dataclass_fields__}
    row = AgreementRow.model_validate(
        told
        | {
            "id": agreement.id,
            "practice": agreement.practice,
            "counterparty": agreement.counterparty,
            "status": agreement.status,
            "name": None if terms.name == agreement.id else terms.name,
            "purposes": list(terms.purposes),
            "data_classes": list(terms.data_classes),
        },
        context=STORED,
    )
    return _row_of(Kind.AGREEMENT, row)


def practice_row(body: str, switches: Mapping[nouns.Switch, nouns.SwitchValue]) -> DirectoryRow:
    """Write a practice as a file of the directory would: its row, and where its switches stand."""
    row = PracticeRow.model_validate_json(body)
    return _row_of(Kind.PRACTICE, row.model_copy(update={"switches": in_order(switches)}))


def _row_of(kind: Kind, row: Row) -> DirectoryRow:
    body = row.model_dump_json(exclude_none=True)
    return DirectoryRow(kind=kind, key=row.key(), also=row.also(), body=body)


@lru_cache(maxsize=4096)
def noun_of(kind: Kind, body: str) -> Noun:
    """Read one stored row. Rows never change in place, so what was read once is kept."""
    return _MODELS[kind].model_validate_json(body, context=STORED).noun()
