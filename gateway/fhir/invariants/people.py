"""Rules of patients, organisations and consent. See `gateway.fhir.invariants`.

The official expressions of ppc-2 to ppc-5 name a placeholder as the system of
`Consent.scope`, so that they never bite. Here they ask for the system that the scope codes
really have, as the text of each rule plainly means.
"""

from collections.abc import Callable
from typing import Final

from gateway.fhir.invariants.rule import Invariant, codings, has, is_one_of
from gateway.referral.json import JsonObject

_SCOPES: Final = "http://terminology.hl7.org/CodeSystem/consentscope"


def _names_patient(scope: str) -> Callable[[JsonObject], bool]:
    return lambda consent: (
        has(consent, "patient") or (_SCOPES, scope) not in codings(consent, "scope")
    )


def _is_reachable(contact: JsonObject) -> bool:
    return any(has(contact, name) for name in ("name", "telecom", "address", "organization"))


def _homes(organization: JsonObject, name: str) -> list[str]:
    members = organization.get(name)
    return [
        f".{name}[{index}]"
        for index, each in enumerate(members if isinstance(members, list) else [])
        if isinstance(each, dict) and is_one_of(each, "use", "home")
    ]


INVARIANTS: Final = (
    Invariant(
        "Patient.contact",
        "pat-1",
        "a contact needs a name, telecom, address or organization",
        _is_reachable,
    ),
    Invariant(
        "Organization",
        "org-1",
        "an organisation needs a name or an identifier",
        lambda organization: has(organization, "name") or has(organization, "identifier"),
    ),
    Invariant(
        "Organization",
        "org-2",
        "an organisation's address cannot be of use home",
        lambda organization: not _homes(organization, "address"),
        lambda organization: _homes(organization, "address"),
    ),
    Invariant(
        "Organization",
        "org-3",
        "an organisation's telecom cannot be of use home",
        lambda organization: not _homes(organization, "telecom"),
        lambda organization: _homes(organization, "telecom"),
    ),
    Invariant(
        "Consent",
        "ppc-1",
        "a consent needs a policy or a policyRule",
        lambda consent: has(consent, "policy") or has(consent, "policyRule"),
    ),
    Invariant(
        "Consent",
        "ppc-2",
        "a consent of scope patient-privacy needs a patient",
        _names_patient("patient-privacy"),
    ),
    Invariant(
        "Consent",
        "ppc-3",
        "a consent of scope research needs a patient",
        _names_patient("research"),
    ),
    Invariant("Consent", "ppc-4", "a consent of scope adr needs a patient", _names_patient("adr")),
    Invariant(
        "Consent",
        "ppc-5",
        "a consent of scope treatment needs a patient",
        _names_patient("treatment"),
    ),
)
