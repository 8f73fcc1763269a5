"""The organisations of a whole country: who they are, and what they have agreed.

What enters: how many there are. What leaves: rows of the directory, of agreements and of
switches, as the gateway itself would have written them. All are invented.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.mapping.directory_file import Kind
from gateway.mapping.directory_records import (
    CommissionerRow,
    EndpointRow,
    PracticeRow,
    ProviderRow,
    Row,
    ServiceRow,
)
from gateway.referral.directory import AgreementKind, ConfidentialityBasis, Purpose, Switch, Terms
from gateway.store import sharing

SINCE = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_COMMISSIONERS = 42
_NUMBERS = 1_000_000
"""Numbers of the 999 range, right or wrong by their check digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """How many organisations there are. Person n is registered at one of the practices."""

    practices: int = 10_000
    providers: int = 50

    def all_practices(self) -> list[str]:
        """List their ODS codes."""
        return [_practice(number) for number in range(self.practices)]

    def practice_of(self, person: int) -> str:
        """Scatter persons over the practices; neighbours never share one, if there are two."""
        return _practice(person * 7919 % self.practices)

    def provider_of(self, practice: str) -> str:
        """Name the provider whom this practice refers to."""
        return _provider(int(practice[1:]) % self.providers)


def nhs_number_of(person: int) -> str:
    """Spell a valid number of the 999 range. Two neighbours may share it, at two practices."""
    for name in (person % _NUMBERS, (person + 1) % _NUMBERS):
        digits = f"999{name:06}"
        total = sum(int(d) * w for d, w in zip(digits, range(10, 1, -1), strict=True))
        check = (11 - total % 11) % 11
        if check < 10:
            return f"{digits}{check}"
    raise AssertionError("of two numbers in a row, one has a check digit")


def dos_service_of(provider: str) -> str:
    """Name the one service that a provider offers."""
    return f"90{provider[2:]}"


def directory_rows(country: Country) -> Iterator[Mapping[str, Any]]:
    """Write each organisation, service and endpoint in its first version."""
    for kind, row in _organisations(country):
        yield {
            "kind": kind,
            "key": row.key(),
            "version": 1,
            "also": row.also(),
            "valid_from": SINCE,
            "valid_to": None,
            "recorded_at": SINCE,
            "body": row.model_dump_json(exclude_none=True),
        }


def agreement_rows(country: Country, practice: str) -> Iterator[Mapping[str, Any]]:
    """Sign one agreement with the provider whom a practice refers to, and one with another."""
    mine = country.provider_of(practice)
    other = _provider((int(mine[2:]) + 1) % country.providers)
    yield _signed(practice, "oh", mine, AgreementKind.DIRECT, Purpose.OCCUPATIONAL_HEALTH)
    kind = AgreementKind.EXCLUSIVE_SECONDARY
    yield _signed(practice, "eval", other, kind, Purpose.EVALUATION)


def switch_rows(practice: str) -> Iterator[Mapping[str, Any]]:
    """Switch everything on."""
    return (_event(practice) | {"switch": switch, "value": "on"} for switch in Switch)


def _organisations(country: Country) -> Iterator[tuple[Kind, Row]]:
    for number in range(_COMMISSIONERS):
        yield Kind.COMMISSIONER, CommissionerRow(ods=_commissioner(number), name=f"ICB {number}")
    for number, ods in enumerate(country.all_practices()):
        commissioner = _commissioner(number % _COMMISSIONERS)
        yield Kind.PRACTICE, PracticeRow(ods=ods, name=f"Surgery {ods}", commissioner=commissioner)
    for number in range(country.providers):
        yield from _provider_with_a_service(_provider(number), f"oh-{number}")


def _provider_with_a_service(ods: str, name: str) -> Iterator[tuple[Kind, Row]]:
    provider = {"ods": ods, "name": name, "role": "oh-provider", "assured_until": "2030-01-01"}
    yield Kind.PROVIDER, ProviderRow.model_validate(provider)
    address = f"https://{name}.example/fhir"
    endpoint = {"id": name, "transport": "fhir-rest", "address": address}
    yield Kind.ENDPOINT, EndpointRow.model_validate(endpoint)
    offer = {"use_case": "oh-referral", "purpose": "occupational-health", "codes": ["306152009"]}
    service = {
        "id": name,
        "name": f"Assessment by {name}",
        "provider": ods,
        "dos_service_id": dos_service_of(ods),
        "endpoint": name,
        "accepting": True,
        "offers": [offer],
    }
    yield Kind.SERVICE, ServiceRow.model_validate(service)


def _signed(
    practice: str, name: str, counterparty: str, kind: AgreementKind, purpose: Purpose
) -> Mapping[str, Any]:
    terms = Terms(
        name=f"Sharing for {purpose}",
        kind=kind,
        purposes=frozenset({purpose}),
        data_classes=frozenset({"referral", "observations"}),
        gdpr_basis="6(1)(e), 9(2)(h)",
        confidentiality_basis=ConfidentialityBasis.EXPLICIT,
        dpia_ref=f"DPIA-{practice}",
        notice_days=30,
    )
    return _event(practice) | {
        "agreement": f"{practice}-{name}",
        "counterparty": counterparty,
        "type": "signed",
        "terms": sharing._written(terms),
        "document_sha256": None,
    }


def _event(practice: str) -> dict[str, Any]:
    return {
        "practice": practice,
        "seq": 1,
        "effective_at": SINCE,
        "recorded_at": SINCE + timedelta(minutes=1),
        "actor": "gp-system",
        "source": "practice",
        "reason": None,
    }


def _practice(number: int) -> str:
    return f"P{number:05}"


def _provider(number: int) -> str:
    return f"RX{number:03}"


def _commissioner(number: int) -> str:
    return f"Q{number:02}"
