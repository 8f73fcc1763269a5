"""The capability statement: what is served here, as data; a test compares it with the routes.

Source: FHIR R4 CapabilityStatement; BaRS Core for the messaging part.
"""

from collections.abc import Sequence
from typing import Any

from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from gateway import __version__
from gateway.fhir.bars import DEFINITION
from gateway.inbound.request import FHIR_JSON
from gateway.referral.directory import Scope
from gateway.referral.json import JsonObject

WRITTEN_ON = "2026-11-22"
"""When what is stated here last changed."""

SERVED: dict[str, tuple[Sequence[str], Sequence[tuple[str, str]]]] = {
    "ServiceRequest": (
        ("create", "read", "vread", "search-type"),
        (
            ("identifier", "token"),
            ("patient", "reference"),
            ("status", "token"),
            ("_id", "token"),
            ("_lastUpdated", "date"),
        ),
    ),
    "Task": (("read", "search-type"), (("_lastUpdated", "date"),)),
}
"""For each resource type: its interactions, and its search parameters with their types."""

_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_PROCESS_MESSAGE = "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message"


def capability_statement(base_url: str) -> JsonObject:
    """State what is served under a base URL."""
    statement = CapabilityStatement.model_validate(
        {
            "url": f"{base_url}/metadata",
            "version": __version__,
            "name": "ReferralGateway",
            "title": "Referral gateway",
            "status": "active",
            "date": WRITTEN_ON,
            "kind": "instance",
            "software": {"name": "referral-gateway", "version": __version__},
            "implementation": {"description": "Referral gateway", "url": base_url},
            "fhirVersion": "4.0.1",
            "format": [FHIR_JSON],
            "rest": [
                {
                    "mode": "server",
                    "security": _security(base_url),
                    "resource": [_resource(name) for name in SERVED],
                    "interaction": [{"code": "transaction"}],
                    "operation": [{"name": "process-message", "definition": _PROCESS_MESSAGE}],
                }
            ],
            "messaging": [{"supportedMessage": [{"mode": "receiver", "definition": DEFINITION}]}],
        }
    )
    tree: JsonObject = statement.model_dump(mode="json", exclude_none=True)
    return tree


def _security(base_url: str) -> dict[str, Any]:
    coding = {"system": _SECURITY_SERVICE, "code": "SMART-on-FHIR"}
    return {
        "service": [{"coding": [coding]}],
        "description": f"Client credentials with a signed JWT at {base_url}/oauth2/token."
        f" Scopes: {', '.join(sorted(Scope))}.",
    }


def _resource(name: str) -> dict[str, Any]:
    interactions, parameters = SERVED[name]
    return {
        "type": name,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{name}",
        "interaction": [{"code": code} for code in interactions],
        "versioning": "versioned",
        "searchParam": [{"name": each, "type": kind} for each, kind in parameters],
    }
