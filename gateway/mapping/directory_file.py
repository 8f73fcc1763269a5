"""The directory as people write it (YAML) and as the store keeps it (JSON, a row each).

What enters: the text of a directory file, or one stored row. What leaves: rows, or the
nouns of `referral.directory`. A section that is present lists records of one kind; each
record is checked alone here, and against the others in `journey.apply_directory`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gateway.errors import DirectoryFileError
from gateway.referral import directory as nouns
from gateway.referral.identifiers import (
    USE_CASE_SYSTEM,
    AgreementId,
    ClientId,
    DosServiceId,
    EndpointId,
    OdsCode,
    ServiceId,
)

Noun = (
    nouns.Practice
    | nouns.Commissioner
    | nouns.Provider
    | nouns.Endpoint
    | nouns.Service
    | nouns.Agreement
    | nouns.Client
)


class Kind(StrEnum):
    """What a directory row is about. The order is the order of applying."""

    COMMISSIONER = "commissioner"
    PRACTICE = "practice"
    PROVIDER = "provider"
    ENDPOINT = "endpoint"
    SERVICE = "service"
    AGREEMENT = "agreement"
    CLIENT = "client"


_T = TypeVar("_T")


def _parsed(parse: type[_T]) -> Any:  # noqa: ANN401  # a pydantic annotation
    def check(value: object) -> str:
        if not isinstance(value, str):
            msg = "write this in quotes: YAML read it as something other than text"
            raise ValueError(msg)  # noqa: TRY004  # pydantic reports ValueError
        return str(parse(value))  # type: ignore[call-arg]  # every identifier takes a text

    return BeforeValidator(check)


def _on_or_off(value: object) -> object:
    """YAML reads a bare `on` or `off` as a boolean."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


Ods = Annotated[str, _parsed(OdsCode)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
SwitchValue = Annotated[nouns.SwitchValue, BeforeValidator(_on_or_off)]


class _Row(BaseModel):
    """One record: unknown names are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def key(self) -> str:
        raise NotImplementedError

    def also(self) -> str | None:
        return None

    def noun(self) -> Noun:
        raise NotImplementedError


class _Commissioner(_Row):
    ods: Ods
    name: Text

    def key(self) -> str:
        return self.ods

    def noun(self) -> Noun:
        return nouns.Commissioner(ods=OdsCode(self.ods), name=self.name)


class _Practice(_Row):
    ods: Ods
    name: Text
    commissioner: Ods | None = None
    switches: dict[nouns.Switch, SwitchValue] = {}

    def key(self) -> str:
        return self.ods

    def noun(self) -> Noun:
        return nouns.Practice(
            ods=OdsCode(self.ods),
            name=self.name,
            commissioner=OdsCode(self.commissioner) if self.commissioner else None,
            switches=self.switches,
        )


class _Provider(_Row):
    ods: Ods
    name: Text
    role: nouns.ProviderRole
    assured_until: date | None = None

    def key(self) -> str:
        return self.ods

    def noun(self) -> Noun:
        return nouns.Provider(
            ods=OdsCode(self.ods),
            name=self.name,
            role=self.role,
            assured_until=self.assured_until,
        )


class _Endpoint(_Row):
    id: Annotated[str, _parsed(EndpointId)]
    transport: nouns.Transport
    address: Annotated[str, Field(pattern=r"^https://[^\s/?#@]+(/[^\s?#]*)?$", max_length=500)]
    ca_file: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None

    def key(self) -> str:
        return self.id

    def noun(self) -> Noun:
        return nouns.Endpoint(
            id=EndpointId(self.id),
            transport=self.transport,
            address=self.address.rstrip("/"),
            ca_file=self.ca_file,
        )


class _Offer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    use_case: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    use_case_system: Text = USE_CASE_SYSTEM
    purpose: nouns.Purpose
    codes: list[Annotated[str, Field(pattern=r"^[0-9]{6,18}$")]] = []


class _Service(_Row):
    id: Annotated[str, _parsed(ServiceId)]
    name: Text
    provider: Ods
    dos_service_id: Annotated[str, _parsed(DosServiceId)]
    endpoint: Annotated[str, _parsed(EndpointId)]
    offers: Annotated[list[_Offer], Field(min_length=1)]
    commissioners: list[Ods] = []
    accepting: bool | None = None

    def key(self) -> str:
        return self.id

    def also(self) -> str | None:
        return self.dos_service_id

    def noun(self) -> Noun:
        return nouns.Service(
            id=ServiceId(self.id),
            name=self.name,
            provider=OdsCode(self.provider),
            dos_service_id=DosServiceId(self.dos_service_id),
            endpoint=EndpointId(self.endpoint),
            offers=tuple(
                nouns.Offer(
                    use_case_system=o.use_case_system,
                    use_case=o.use_case.lower(),
                    purpose=o.purpose,
                    codes=tuple(o.codes),
                )
                for o in self.offers
            ),
            commissioners=frozenset(OdsCode(c) for c in self.commissioners),
            accepting=self.accepting,
        )


class _Agreement(_Row):
    id: Annotated[str, _parsed(AgreementId)]
    practice: Ods
    counterparty: Ods
    kind: nouns.AgreementKind
    purposes: Annotated[list[nouns.Purpose], Field(min_length=1)]
    status: nouns.AgreementStatus

    def key(self) -> str:
        return self.id

    def also(self) -> str | None:
        return self.practice

    def noun(self) -> Noun:
        return nouns.Agreement(
            id=AgreementId(self.id),
            practice=OdsCode(self.practice),
            counterparty=OdsCode(self.counterparty),
            kind=self.kind,
            purposes=frozenset(self.purposes),
            status=self.status,
        )


class _PublicKey(BaseModel):
    """A public JSON Web Key: RSA or P-384, with the id by which assertions name it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kty: Literal["RSA", "EC"]
    kid: Text
    use: Literal["sig"] | None = None
    alg: Literal["RS512", "RS384", "ES384"] | None = None
    n: str | None = None
    e: str | None = None
    crv: Literal["P-384"] | None = None
    x: str | None = None
    y: str | None = None


class _KeySet(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: Annotated[list[_PublicKey], Field(min_length=1)]


class _Client(_Row):
    id: Annotated[str, _parsed(ClientId)]
    ods: Ods
    scopes: Annotated[list[nouns.Scope], Field(min_length=1)]
    jwks: _KeySet

    def key(self) -> str:
        return self.id

    def noun(self) -> Noun:
        return nouns.Client(
            id=ClientId(self.id),
            ods=OdsCode(self.ods),
            scopes=frozenset(self.scopes),
            jwks=self.jwks.model_dump_json(exclude_none=True),
        )


_MODELS: Mapping[Kind, type[_Row]] = {
    Kind.COMMISSIONER: _Commissioner,
    Kind.PRACTICE: _Practice,
    Kind.PROVIDER: _Provider,
    Kind.ENDPOINT: _Endpoint,
    Kind.SERVICE: _Service,
    Kind.AGREEMENT: _Agreement,
    Kind.CLIENT: _Client,
}
_SECTIONS: Mapping[str, Kind] = {f"{kind}s": kind for kind in Kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryRow:
    """One record as the store keeps it. `also` is a second name by which it is found."""

    kind: Kind
    key: str
    also: str | None
    body: str


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
            body = row.model_dump_json(exclude_none=True)
            rows.append(DirectoryRow(kind=kind, key=row.key(), also=row.also(), body=body))
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


@lru_cache(maxsize=4096)
def noun_of(kind: Kind, body: str) -> Noun:
    """Read one stored row. Rows never change in place, so what was read once is kept."""
    return _MODELS[kind].model_validate_json(body).noun()
