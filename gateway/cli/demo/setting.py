"""Who is in the demo: invented practices, providers, services and agreements.

What enters: the ports of the simulated neighbours and the public keys of the clients. What
leaves: a directory file as people write it. The ODS codes have the shape of real ones and a
99 in them; to our knowledge they belong to nobody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import yaml

from gateway.cli.certs import CA_FILE
from gateway.referral.directory import (
    AgreementKind,
    AgreementStatus,
    Format,
    ProviderRole,
    Purpose,
    Scope,
    Switch,
    SwitchValue,
    Transport,
)
from gateway.referral.identifiers import BARS_USE_CASE_SYSTEM, USE_CASE_SYSTEM

OUR_ODS, MESH, LETTERS, LETTERS_MAILBOX = "XGW01", "mesh", "gp-connect", "GATEWAY01"
"""The gateway's own code; the simulated MESH, the endpoint of letters to practices, and our mailbox."""
INVENTED = " (invented)"
"""How the names of the demo's organisations end."""
SNOMED = "http://snomed.info/sct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Practice:
    """A practice of the demo. `agrees` are the purposes it has agreed to, by provider.

    `takes_codes`: where its switch stands for coded entries by others.
    """

    ods: str
    name: str
    agrees: Mapping[str, tuple[Purpose, ...]]
    switches: SwitchValue
    takes_codes: SwitchValue = SwitchValue.OFF

    def agreement(self, ods: str) -> str:
        """Return the id of its agreement with a provider."""
        return f"{self.ods}-{ods}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A provider of the demo, its one service, and what it takes.

    `key` names its process, its files and its endpoint. `choosy`: its own system refuses
    referrals that carry neither its use case nor one of its codes.
    """

    key: str
    ods: str
    name: str
    role: ProviderRole
    service_id: str
    service: str
    dos_service_id: str
    use_case_system: str
    use_case: str
    purpose: Purpose
    codes: tuple[str, ...] = ()
    choosy: bool = False

    @property
    def takes(self) -> tuple[tuple[str, str], ...]:
        """The codes of which its own system asks for one; none if it is not choosy."""
        if not self.choosy:
            return ()
        return ((self.use_case_system, self.use_case), *((SNOMED, code) for code in self.codes))


COMMISSIONER_ODS, COMMISSIONER = "Q9X", f"NHS Sampleshire Integrated Care Board{INVENTED}"
OH = Neighbour(
    key="oh-provider",
    ods="8Z99A",
    name=f"Rowan Occupational Health{INVENTED}",
    role=ProviderRole.OH_PROVIDER,
    service_id="rowan-oh-assessment",
    service="Occupational health assessment",
    dos_service_id="990000001",
    use_case_system=USE_CASE_SYSTEM,
    use_case="oh-referral",
    purpose=Purpose.OCCUPATIONAL_HEALTH,
    codes=("306152009", "183612004"),
)
HEALTH_AND_WORK = Neighbour(
    key="health-and-work",
    ods="8Z99B",
    name=f"National Health and Work service{INVENTED}",
    role=ProviderRole.NATIONAL_SERVICE,
    service_id="health-and-work",
    service="Health and Work case management",
    dos_service_id="990000002",
    use_case_system=USE_CASE_SYSTEM,
    use_case="work-health-referral",
    purpose=Purpose.WORK_HEALTH,
    codes=("18781004",),
    choosy=True,
)
PHARMACY = Neighbour(
    key="community-pharmacy",
    ods="F9901",
    name=f"Corner Pharmacy{INVENTED}",
    role=ProviderRole.CARE_PROVIDER,
    service_id="corner-pharmacy-first",
    service="Pharmacy First",
    dos_service_id="990000003",
    use_case_system=BARS_USE_CASE_SYSTEM,
    use_case="a5t1",
    purpose=Purpose.DIRECT_CARE,
)
NEIGHBOURS = (OH, HEALTH_AND_WORK, PHARMACY)
ANOTHER_PROVIDER_ODS, ANOTHER_PROVIDER = "8Z99D", f"Aspen Occupational Health{INVENTED}"
"""A provider that a patient may name in a Consent, and that nobody refers to."""

HAWTHORN = Practice(
    ods="G99001",
    name=f"Hawthorn Lane Surgery{INVENTED}",
    agrees={OH.ods: (OH.purpose,), HEALTH_AND_WORK.ods: (HEALTH_AND_WORK.purpose,)},
    switches=SwitchValue.ON,
)
MILLPOND = Practice(
    ods="G99002",
    name=f"Millpond Medical Centre{INVENTED}",
    agrees={HEALTH_AND_WORK.ods: (HEALTH_AND_WORK.purpose, Purpose.EVALUATION)},
    switches=SwitchValue.ON,
)
BEACON = Practice(
    ods="G99003",
    name=f"Beacon Road Practice{INVENTED}",
    agrees={OH.ods: (OH.purpose,)},
    switches=SwitchValue.OFF,
)
PRACTICES = (HAWTHORN, MILLPOND, BEACON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A client of the token endpoint: whom it acts for, how it signs, what it may do."""

    id: str
    ods: str
    name: str
    algorithm: str
    scopes: tuple[Scope, ...]


_GP_SYSTEM = (
    Scope.REFERRAL_CREATE,
    Scope.REFERRAL_READ,
    Scope.TASK_READ,
    Scope.CONSENT_CREATE,
    Scope.CONSENT_READ,
    Scope.CONSENT_UPDATE,
    Scope.SHARING_READ,
    Scope.SHARING_UPDATE,
    Scope.AUDIT_READ,
)
ACCOUNTS = (
    Account(
        id="hawthorn-gp-system",
        ods=HAWTHORN.ods,
        name=HAWTHORN.name,
        algorithm="RS512",
        scopes=_GP_SYSTEM,
    ),
    Account(
        id="millpond-gp-system",
        ods=MILLPOND.ods,
        name=MILLPOND.name,
        algorithm="RS384",
        scopes=_GP_SYSTEM,
    ),
    Account(
        id="beacon-gp-system",
        ods=BEACON.ods,
        name=BEACON.name,
        algorithm="ES384",
        scopes=_GP_SYSTEM,
    ),
    Account(
        id="rowan-oh-system",
        ods=OH.ods,
        name=OH.name,
        algorithm="ES384",
        scopes=(Scope.TASK_READ, Scope.TASK_UPDATE),
    ),
)


def client_of(organisation: Practice | Neighbour) -> str:
    """Return the client that acts for a practice, or for a provider that has one."""
    return next(each.id for each in ACCOUNTS if each.ods == organisation.ods)


def directory_file(
    ports: Mapping[str, int], public_keys: Mapping[str, Mapping[str, str]], *, today: date
) -> str:
    """Write the directory file of the demo.

    Args:
        ports: of the neighbours on this machine, by key.
        public_keys: JSON Web Keys, by account id.
        today: assurance of the providers ends a year later.
    """
    sections: dict[str, Sequence[Mapping[str, Any]]] = {
        "commissioners": [{"ods": COMMISSIONER_ODS, "name": COMMISSIONER}],
        "practices": [_practice(each) for each in PRACTICES],
        "providers": [
            {
                "ods": each.ods,
                "name": each.name,
                "role": each.role.value,
                "assured_until": today + timedelta(days=365),
            }
            for each in NEIGHBOURS
        ],
        "endpoints": [
            *(_endpoint(each, ports[each.key]) for each in NEIGHBOURS),
            _letters(ports[MESH]),
        ],
        "services": [_service(each) for each in NEIGHBOURS],
        "agreements": [_agreement(p, ods) for p in PRACTICES for ods in p.agrees],
        "clients": [_client(each, public_keys[each.id]) for each in ACCOUNTS],
    }
    return yaml.safe_dump(sections, sort_keys=False, allow_unicode=True)


def _practice(practice: Practice) -> Mapping[str, Any]:
    return {
        "ods": practice.ods,
        "name": practice.name,
        "commissioner": COMMISSIONER_ODS,
        "letters": LETTERS,
        "switches": {switch.value: practice.switches.value for switch in Switch}
        | {Switch.UPDATE_RECORD.value: practice.takes_codes.value},
    }


def mailbox_of(practice: Practice) -> str:
    """Return the MESH mailbox of a practice."""
    return f"{practice.ods}GP1"


def _endpoint(neighbour: Neighbour, port: int) -> Mapping[str, Any]:
    return {
        "id": neighbour.key,
        "transport": Transport.FHIR_REST.value,
        "address": f"https://127.0.0.1:{port}/fhir",
        "ca_file": CA_FILE,
    }


def _letters(port: int) -> Mapping[str, Any]:
    return {
        "id": LETTERS,
        "transport": Transport.MESH.value,
        "format": Format.GP_CONNECT.value,
        "address": f"https://127.0.0.1:{port}",
        "ca_file": CA_FILE,
        "parameters": {
            "recipient": "GPPROVIDER",
            "workflow": "GPCONNECT_SEND_DOCUMENT",
            "mailbox": LETTERS_MAILBOX,
            "password_file": "mesh-password",
            "shared_key_file": "mesh-key",
            "telephone": "0113 496 0000",
        },
    }


def _service(neighbour: Neighbour) -> Mapping[str, Any]:
    offer = {
        "use_case_system": neighbour.use_case_system,
        "use_case": neighbour.use_case,
        "purpose": neighbour.purpose.value,
        "codes": list(neighbour.codes),
    }
    return {
        "id": neighbour.service_id,
        "name": neighbour.service,
        "provider": neighbour.ods,
        "dos_service_id": neighbour.dos_service_id,
        "endpoint": neighbour.key,
        "offers": [offer],
        "accepting": True,
    }


def _agreement(practice: Practice, ods: str) -> Mapping[str, Any]:
    purposes = practice.agrees[ods]
    kind = AgreementKind.MIXED if Purpose.EVALUATION in purposes else AgreementKind.DIRECT
    return {
        "id": practice.agreement(ods),
        "practice": practice.ods,
        "counterparty": ods,
        "kind": kind.value,
        "purposes": [each.value for each in purposes],
        "dpia_ref": "DPIA-2026-1",
        "status": AgreementStatus.ACTIVE.value,
    }


def _client(account: Account, public_key: Mapping[str, str]) -> Mapping[str, Any]:
    return {
        "id": account.id,
        "ods": account.ods,
        "scopes": [scope.value for scope in account.scopes],
        "jwks": {"keys": [dict(public_key)]},
    }
