"""The records of a directory file, one model a kind: what each may say, and its noun.

What enters: one record, as YAML or JSON read it. What leaves: a checked record that knows its
key, its second name, and the noun of `referral.directory` that it stands for. Source: the
sections of a directory file; switches and terms as `referral.directory` names them.
"""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from gateway.consent.switches import can_stand
from gateway.mapping.endpoint_parameters import check_parameters
from gateway.mapping.free_words import refuse_nhs_number
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


_T = TypeVar("_T")


def _parsed(parse: type[_T]) -> Any:  # noqa: ANN401  # a pydantic annotation
    def check(value: object) -> str:
        if not isinstance(value, str):
            msg = "write this in quotes: YAML read it as something other than text"
            raise ValueError(msg)  # noqa: TRY004  # pydantic reports ValueError
        return str(parse(value))  # type: ignore[call-arg]  # every identifier takes a text

    return BeforeValidator(check)


def _once_in_order(values: list[_T]) -> list[_T]:
    return sorted(set(values))  # type: ignore[type-var]  # all are texts


def _on_or_off(value: object) -> object:
    """YAML reads a bare `on` or `off` as a boolean."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def in_order(
    switches: Mapping[nouns.Switch, nouns.SwitchValue],
) -> dict[nouns.Switch, nouns.SwitchValue]:
    """Put switches into the order of their list."""
    return {switch: switches[switch] for switch in nouns.Switch if switch in switches}


Ods = Annotated[str, _parsed(OdsCode)]
Text = Annotated[str, Field(min_length=1, max_length=200)]
Code = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
STORED = "stored"
"""The context in which a record is read that was checked when it was written."""


def _names_no_patient(text: str, info: ValidationInfo) -> str:
    return text if info.context == STORED else refuse_nhs_number(text)


Words = Annotated[Text, AfterValidator(_names_no_patient)]
DataClass = Annotated[Code, AfterValidator(_names_no_patient)]
SwitchValue = Annotated[nouns.SwitchValue, BeforeValidator(_on_or_off)]


class Row(BaseModel):
    """One record: unknown names are refused, so that a misspelt one is noticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def key(self) -> str:
        """Return what tells it from every other record of its kind."""
        raise NotImplementedError

    def also(self) -> str | None:
        """Return the second name by which it is found."""
        return None

    def noun(self) -> Noun:
        """Return what it stands for."""
        raise NotImplementedError


class CommissionerRow(Row):
    """One commissioner."""

    ods: Ods
    name: Text

    def key(self) -> str:
        """Return what tells it from every other record of its kind."""
        return self.ods

    def noun(self) -> Noun:
        """Return what it stands for."""
        return nouns.Commissioner(ods=OdsCode(self.ods), name=self.name)


class PracticeRow(Row):
    """One practice, and where its switches stand."""

    ods: Ods
    name: Text
    commissioner: Ods | None = None
    letters: Annotated[str, _parsed(EndpointId)] | None = None
    switches: Annotated[dict[nouns.Switch, SwitchValue], AfterValidator(in_order)] = {}

    @model_validator(mode="after")
    def _can_stand_so(self) -> Self:
        for switch, value in self.switches.items():
            if not can_stand(switch, value):
                msg = f"switches.{switch}: it is on or off, and nothing else"
                raise ValueError(msg)
        return self

    def key(self) -> str:
        """Return what tells it from every other record of its kind."""
        return self.ods

    def noun(self) -> Noun:
        """Return what it stands for."""
        return nouns.Practice(
            ods=OdsCode(self.ods),
            name=self.name,
            commissioner=OdsCode(self.commissioner) if self.commissioner else None,
            letters=EndpointId(self.letters) if self.letters else None,
            switches=self.switches,
        )


class ProviderRow(Row):
    """One provider."""

    ods: Ods
    name: Text
    role: nouns.ProviderRole
    assured_until: date | None = None

    def key(self) -> str:
        """Return what tells it from every other record of its kind."""
        return self.ods

    def noun(self) -> Noun:
        """Return what it stands for."""
        return nouns.Provider(
            ods=OdsCode(self.ods),
            name=self.name,
            role=self.role,
            assured_until=self.assured_until,
        )


class EndpointRow(Row):
    """One endpoint."""

    id: Annotated[str, _parsed(EndpointId)]
    transport: nouns.Transport
    address: Annotated[str, Field(pattern=r"^https://[^\s/?#@]+(/[^\s?#]*)?$", max_length=500)]
    ca_file: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$")] | None = None
    format: nouns.Format | None = None
    parameters: dict[str, Annotated[str, Field(min_length=1, max_length=500)]] = {}
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None

    @model_validator(mode="after")
    def _fits_its_transport(self) -> Self:
        carried = nouns.FORMATS[self.transport]
        if self.format is not None and self.format not in carried:
            msg = f"format: {self.transport} carries {', '.join(carried)}"
            raise ValueError(msg)
        check_parameters(self.transport, self.format or carried[0], self.parameters)
        return self

    def key(self) -> str:
        """Return what tells it from every other record of its kind."""
        return self.id

    def noun(self) -> Noun:
        """Return what it stands for."""
        return nouns.Endpoint(
            id=EndpointId(self.id),
            transport=self.transport,
            format=self.format or nouns.FORMATS[self.transport][0],
            address=self.address.rstrip("/"),
            ca_file=self.ca_file,
            parameters=self.parameters,
            concurrency=self.concurrency,
            per_minute=self.per_minute,
        )


class _Offer(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    use_case: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")]
    use_case_system: Text = USE_CASE_SYSTEM
    purpose: nouns.Purpose
    codes: list[Annotated[str, Field(pattern=r"^[0-9]{6,18}$")]] = []


class ServiceRow(Row):
    """One service."""

    id: Annotated[str, _parsed(ServiceId)]
    name: Text
    provider: Ods
    dos_service_id: Annotated[str, _parsed(DosServiceId)]
    endpoint: Annotated[str, _parsed(EndpointId)]
    offers: Annotated[list[_Offer], Field(min_length=1)]
    commissioners: list[Ods] = []
    accepting: bool | None = None

    def key(self) -> str:
        """Return what tells it from every other record of its kind."""
        return self.id

    def also(self) -> str | None:
        """Return the second name by which it is found."""
        return self.dos_service_id

    def noun(self) -> Noun:
        """Return what it stands for."""
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


class AgreementTerms(BaseModel):
    """What an agreement says, as people write it: of lists, order and repeats mean nothing.

    No text of it may hold an NHS number, unless it is read from the store.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Words | None = None
    kind: nouns.AgreementKind
    purposes: Annotated[list[nouns.Purpose], Field(min_length=1), AfterValidator(_once_in_order)]
    data_classes: Annotated[list[DataClass], AfterValidator(_once_in_order)] = []
    gdpr_basis: Words | None = None
    confidentiality_basis: nouns.ConfidentialityBasis | None = None
    dpia_ref: Words | None = None
    processor: Words | None = None
    notice_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    is_statutory: bool = False
    ends_on: date | None = None

    def terms(self, agreement: str) -> nouns.Terms:
        """Return the terms; an agreement without a name goes by its id."""
        told = self.model_dump(include=set(nouns.Terms.__dataclass_fields__))
        return nouns.Terms(
            **told
            | {
                "name": self.name or agreement,
                "purposes": frozenset(self.purposes),
                "data_classes": frozenset(self.data_classes),
            }
        )


class AgreementRow(AgreementTerms, Row):
    """One agreement: its terms, between whom, and where it stands."""

    id: Annotated[str, _parsed(AgreementId)]
    practice: Ods
    counterparty: Ods
    status: nouns.AgreementStatus

    def key(self) -> str:
        """Return what tells it from every other record of its kind."""
        return self.id

    def also(self) -> str | None:
        """Return the second name by which it is found."""
        return self.practice

    def noun(self) -> Noun:
        """Return what it stands for."""
        return nouns.Agreement(
            id=AgreementId(self.id),
            practice=OdsCode(self.practice),
            counterparty=OdsCode(self.counterparty),
            status=self.status,
            terms=self.terms(self.id),
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


class ClientRow(Row):
    """One client of the token endpoint."""

    id: Annotated[str, _parsed(ClientId)]
    ods: Ods
    scopes: Annotated[list[nouns.Scope], Field(min_length=1)]
    jwks: _KeySet

    def key(self) -> str:
        """Return what tells it from every other record of its kind."""
        return self.id

    def noun(self) -> Noun:
        """Return what it stands for."""
        return nouns.Client(
            id=ClientId(self.id),
            ods=OdsCode(self.ods),
            scopes=frozenset(self.scopes),
            jwks=self.jwks.model_dump_json(exclude_none=True),
        )
