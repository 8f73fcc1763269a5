"""What a BaRS message of ours says of itself, and of whom it is for.

What enters: an endpoint, and a referral. What leaves: the names, versions and codes that its
parameters give, or a fault that says which parameter is wrong. Source: BaRS Core, message
headers and versioning.
"""

from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.referral.directory import Endpoint, Purpose
from gateway.referral.identifiers import (
    BARS_USE_CASE_SYSTEM,
    OWN_BASE,
    USE_CASE_SYSTEM,
    normal_system,
)
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.model import Identifier, Referral

SOFTWARE: Final = "Referral gateway"
DEVICE_SYSTEM: Final = f"{OWN_BASE}/Id/software"
DEVICE: Final = "referral-gateway"
FORMAT_VERSION: Final = "1.0.0"
"""Of this format, not of the program: an upgrade between two attempts changes no byte."""

DEFAULT_API: Final = "1.4.0"
"""The version of BaRS Core that is asked for: `Accept`."""
_DEFAULT_APPLICATION: Final = "1.0.0"

_OWN_USE_CASES: Final = {
    Purpose.OCCUPATIONAL_HEALTH: "oh-referral",
    Purpose.WORK_HEALTH: "work-health-referral",
}
"""BaRS has no use case for these. A message under one of them names a definition of ours."""

_OWN_DEFINITIONS: Final = {
    code: f"{OWN_BASE}/MessageDefinition/{code}-request" for code in _OWN_USE_CASES.values()
}


def target_of(endpoint: Endpoint) -> Identifier:
    """Return the service id that the far end knows itself by.

    Raises:
        InvalidMessageError: the endpoint names none.
    """
    return _pair(endpoint, "target_identifier")


def source_of(endpoint: Endpoint) -> Identifier:
    """Return the service id under which replies reach this gateway.

    Raises:
        InvalidMessageError: the endpoint names none.
    """
    return _pair(endpoint, "source_identifier")


def written(identifier: Identifier) -> str:
    """Write an identifier as BaRS writes a service in `endpoint`."""
    return f"{identifier.system}|{identifier.value}"


def application_version(endpoint: Endpoint, sent: str | None = None) -> str:
    """Return the BaRS application's version: the far end's, else the sender's."""
    return endpoint.parameters.get("application_version") or sent or _DEFAULT_APPLICATION


def api_version(endpoint: Endpoint) -> str:
    """Return the version of BaRS Core that the far end is asked for."""
    return endpoint.parameters.get("api_version") or DEFAULT_API


def use_cases(request: JsonObject) -> list[JsonObject]:
    """List the codings of a ServiceRequest's category that are use cases."""
    return [
        coding
        for concept in objects(request, "category")
        for coding in objects(concept, "coding")
        if normal_system(string(coding, "system") or "") in (BARS_USE_CASE_SYSTEM, USE_CASE_SYSTEM)
    ]


def use_case_of(referral: Referral, endpoint: Endpoint) -> JsonObject:
    """Return the use case of a referral that names none: the endpoint's, else its purpose's.

    Raises:
        InvalidMessageError: neither says.
    """
    own = {purpose.value: code for purpose, code in _OWN_USE_CASES.items()}.get(referral.purpose)
    if "use_case" in endpoint.parameters:
        named = _pair(endpoint, "use_case")
        return {"system": named.system, "code": named.value}
    if own is None:
        raise _wrong(
            "The referral names no BaRS use case. Name it in the category of the ServiceRequest,"
            " or in the endpoint's parameter use_case."
        )
    return {"system": USE_CASE_SYSTEM, "code": own}


def definition_of(use_case: JsonObject | None, default: str) -> str:
    """Return the MessageDefinition of a use case: ours for ours, else the default."""
    return _OWN_DEFINITIONS.get(string(use_case or {}, "code") or "", default)


def _pair(endpoint: Endpoint, name: str) -> Identifier:
    system, bar, value = endpoint.parameters.get(name, "").partition("|")
    if not (system and bar and value):
        raise _wrong(f"The endpoint's parameter {name} is a system and a value: system|value.")
    return Identifier(normal_system(system), value)


def _wrong(diagnostics: str) -> InvalidMessageError:
    return InvalidMessageError(Fault(code=IssueCode.REQUIRED, diagnostics=diagnostics))
