"""The three doors that need no token: the ping, the capability statement, the token endpoint."""

from typing import Any

import flask
from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from gateway import __version__
from gateway.errors import TokenRequestError
from gateway.fhir.bars import DEFINITION
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import open_to_anyone
from gateway.inbound.request import FHIR_JSON, check_accept, to_response
from gateway.referral.directory import Scope
from gateway.referral.json import JsonObject

MAX_FORM_BYTES = 16 * 1024


ping = flask.Blueprint("ping", __name__)
routes = flask.Blueprint("open", __name__)


@ping.get("/_ping")
@routes.get("/_ping")
@open_to_anyone
def say_that_it_is_up() -> flask.Response:
    """Say only that the process is up."""
    return flask.jsonify({"status": "pass", "version": __version__})


@routes.get("/metadata")
@open_to_anyone
def metadata() -> flask.Response:
    """State what is served here."""
    check_accept()
    return to_response(Answer(http=200, body=capability_statement(house().base_url)))


@routes.post("/oauth2/token")
@open_to_anyone
def token() -> flask.Response:
    """Exchange a client assertion for a token, in the form of RFC 6749."""
    flask.request.max_content_length = MAX_FORM_BYTES
    try:
        granted = house().identity.exchange(flask.request.form.to_dict())
    except TokenRequestError as error:
        body = {"error": error.code, "error_description": str(error)}
        return _not_stored(flask.jsonify(body), 401 if error.code == "invalid_client" else 400)
    return _not_stored(
        flask.jsonify(
            {
                "access_token": granted.access_token,
                "token_type": "Bearer",
                "expires_in": int(granted.expires_in.total_seconds()),
                "scope": " ".join(sorted(granted.scopes)),
            }
        ),
        200,
    )


def _not_stored(response: flask.Response, status: int) -> flask.Response:
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response


def capability_statement(base_url: str) -> JsonObject:
    """State what is served; a test compares it with the routes."""
    search = [
        {"name": "identifier", "type": "token"},
        {"name": "patient", "type": "reference", "documentation": "as patient:identifier"},
        {"name": "status", "type": "token"},
        {"name": "_id", "type": "token"},
        {"name": "_lastUpdated", "type": "date"},
    ]
    rest: dict[str, Any] = {
        "mode": "server",
        "security": {
            "service": [
                {
                    "coding": [
                        {
                            "system": "http://terminology.hl7.org/CodeSystem/"
                            "restful-security-service",
                            "code": "SMART-on-FHIR",
                        }
                    ]
                }
            ],
            "description": f"Client credentials with a signed JWT at {base_url}/oauth2/token."
            f" Scopes: {', '.join(sorted(Scope))}.",
        },
        "resource": [
            {
                "type": "ServiceRequest",
                "profile": "http://hl7.org/fhir/StructureDefinition/ServiceRequest",
                "interaction": [
                    {"code": code} for code in ("create", "read", "vread", "search-type")
                ],
                "versioning": "versioned",
                "searchParam": search,
            },
            {
                "type": "Task",
                "profile": "http://hl7.org/fhir/StructureDefinition/Task",
                "interaction": [{"code": code} for code in ("read", "search-type")],
                "searchParam": [{"name": "_lastUpdated", "type": "date"}],
            },
        ],
        "interaction": [{"code": "transaction"}],
        "operation": [
            {
                "name": "process-message",
                "definition": "http://hl7.org/fhir/OperationDefinition/MessageHeader-process-message",
            }
        ],
    }
    statement = CapabilityStatement.model_validate(
        {
            "url": f"{base_url}/metadata",
            "version": __version__,
            "name": "ReferralGateway",
            "title": "Referral gateway",
            "status": "active",
            "date": "2026-11-22",
            "kind": "instance",
            "software": {"name": "referral-gateway", "version": __version__},
            "implementation": {"description": "Referral gateway", "url": base_url},
            "fhirVersion": "4.0.1",
            "format": [FHIR_JSON],
            "rest": [rest],
            "messaging": [{"supportedMessage": [{"mode": "receiver", "definition": DEFINITION}]}],
        }
    )
    tree: JsonObject = statement.model_dump(mode="json", exclude_none=True)
    return tree
