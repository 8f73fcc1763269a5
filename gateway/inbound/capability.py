"""The capability statement: what is served here, as data; a test compares it with the routes.

What enters: the base URL, and the profiles that messages are held against. What leaves: a
statement in which each profile, message and operation that is named can be read here too.
Source: FHIR R4 CapabilityStatement; BaRS Core for the messaging part.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fhir.resources.R4B.capabilitystatement import CapabilityStatement

from gateway import __version__
from gateway.fhir.profiles.model import Profiles
from gateway.inbound.media import FORMATS
from gateway.referral.directory import Scope
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import JsonObject
from gateway.referral.subscriptions import TOPIC

WRITTEN_ON = "2026-11-22"
"""When what is stated here last changed."""

_READ = ("read", "search-type")
_DEFINITION = (_READ, (("_id", "token"), ("url", "uri"), ("name", "string")))
SERVED: dict[str, tuple[Sequence[str], Sequence[tuple[str, str]]]] = {
    "ServiceRequest": (
        ("create", "read", "vread", "update", "history-instance", "search-type"),
        (
            ("identifier", "token"),
            ("status", "token"),
            ("_id", "token"),
            ("_lastUpdated", "date"),
        ),
    ),
    "Consent": (
        ("create", "read", "vread", "update", "history-instance", "search-type"),
        (
            ("identifier", "token"),
            ("status", "token"),
            ("_id", "token"),
            ("_lastUpdated", "date"),
        ),
    ),
    "Task": ((*_READ, "update", "patch"), (("_lastUpdated", "date"), ("_since", "special"))),
    "DocumentReference": (("create", *_READ), (("related", "reference"),)),
    "Binary": (("read",), ()),
    "Bundle": (("create",), ()),
    "Subscription": (
        ("create", "read", "update", "delete", "search-type"),
        (("_id", "token"), ("status", "token"), ("url", "uri")),
    ),
    "AuditEvent": (
        _READ,
        (
            ("patient", "reference"),
            ("agent", "reference"),
            ("entity", "reference"),
            ("date", "date"),
            ("type", "token"),
            ("subtype", "token"),
            ("action", "token"),
            ("outcome", "token"),
            ("policy", "uri"),
            ("practice", "token"),
            ("_id", "token"),
        ),
    ),
    "MessageDefinition": (_READ, (("context", "token"),)),
    "StructureDefinition": _DEFINITION,
    "ValueSet": _DEFINITION,
    "CodeSystem": _DEFINITION,
    "OperationDefinition": _DEFINITION,
}
"""For each resource type: its interactions, and those of its search parameters, with their
types, by which alone it can be searched."""

_DOCUMENTATION = {
    "ServiceRequest": "Only a practice's own referrals are found. A provider reads by id what was"
    " brought to it, as it may be shown at that moment: the rules are asked again, and every part that"
    " may leave is contained. A person is found by"
    " patient:identifier (NHS number, system|value), or by patient:name, patient:birthdate and"
    " patient:address-postalcode together; each may be chained instead (patient.identifier)."
    " The parameter patient itself, a reference, is not supported. An update takes a referral"
    " back and changes nothing else. A creation may be conditional on one identifier.",
    "Consent": "The register of what a practice's patients say about sharing; only the practice's"
    " own are found. The person is named by NHS number, in Consent.patient.identifier or in a"
    " contained Patient. An update appends a version, which supersedes the one before it, withdraws"
    " it (status inactive), or says that it was entered in error; no version is changed or deleted."
    " A person is found by patient:identifier, or patient.identifier.",
    "Task": "A practice sees the hops of its own referrals; a provider what it was told of. With"
    " _since, alone or with _count, a provider reads its own numbered list of events without a gap:"
    " _since is the number of the last event that it has seen, 0 for none, or an instant to begin at."
    " Each Task comes once a page as it stands now, its events as codes of meta.tag; the Bundle's"
    " meta.tag says where the page (feed-position) and the list (feed-newest) end. An update or a JSON"
    " Patch, with If-Match, answers a recall: completed with stopped or returned, rejected with"
    " retained and its ground. The Task of a referral takes no answer yet.",
    "DocumentReference": "What providers sent that goes to the practice: a practice reads what came to"
    " its own referrals, by id or by related (ServiceRequest/ and our id). A provider creates one to"
    " answer a referral that it was brought, which context.related or an identifier names; what"
    " becomes of it the sharing rules say.",
    "Binary": "The document of a DocumentReference here, as application/pdf or as a resource.",
    "Bundle": "A provider's answer to a referral as a document, or as a collection of documents; it"
    " is read as a DocumentReference.",
    "AuditEvent": "The ledger, the newest entry first: to a practice the entries on itself, to the"
    " organisation that runs the gateway all of them. Each read is an entry too. A person is found by"
    " patient (Patient/ and a handle of the ledger) or by patient:identifier (a handle or an NHS"
    " number; beside a number, who reads all gives the practice). entity is a ServiceRequest, a"
    " Consent, or the Task of a delivery; agent is a client or a role of the gateway, practice an ODS"
    " code, policy a version of the sharing rules. A page may hold fewer entries than asked for and"
    " still have a next one. There is no total.",
    "Subscription": "Topic-based subscriptions (Subscriptions R5 Backport 1.1.0), rest-hook only,"
    " content empty or id-only; a provider sees only its own. Each notification is signed by the"
    " Standard Webhooks scheme, and payload application/json asks for plain webhooks. An update"
    " changes status, end and channel.header, and nothing else. No filter is applied.",
    "MessageDefinition": "A search is about one service, and needs its id as a context, beside"
    " which go the use case as another context, _id, url or name; and it needs the token of one"
    " who may send a referral. A definition is read by anyone.",
}

_TOPICS = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
    "capabilitystatement-subscriptiontopic-canonical"
)
_SECURITY_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_VERSIONING = {
    "ServiceRequest": "versioned-update",
    "Consent": "versioned-update",
    "Task": "versioned-update",
    "Subscription": "versioned-update",
    "DocumentReference": "versioned",
    "Binary": "versioned",
}
"""How types are versioned. Those that are know If-None-Match, and an update wants If-Match."""

_CREATED_ONCE = frozenset({"ServiceRequest"})
"""Types that take If-None-Exist."""

_OPERATIONS = {"process-message": "process-message"}
"""Operations of the whole system, each with the id of its OperationDefinition here."""

_OPERATIONS_OF = {
    "ServiceRequest": {"validate": "referral-validate", "explain": "referral-explain"},
    "Subscription": {"status": "subscription-status", "events": "subscription-events"},
}
"""Operations of one type, likewise."""


def capability_statement(base_url: str, profiles: Profiles) -> JsonObject:
    """State what is served under a base URL, and which profiles it is held against."""
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
            "format": [*FORMATS],
            "rest": [
                {
                    "mode": "server",
                    "security": _security(base_url),
                    "resource": [_resource(name, profiles) for name in SERVED],
                    "interaction": [{"code": "transaction"}],
                    "operation": _operations(_OPERATIONS),
                },
                {
                    "mode": "client",
                    "documentation": "Referrals are brought to providers as transactions.",
                    "interaction": [{"code": "transaction"}],
                },
            ],
            "messaging": _messaging(profiles),
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


def _resource(name: str, profiles: Profiles) -> dict[str, Any]:
    interactions, parameters = SERVED[name]
    held = sorted({each.url for each in profiles.by_url.values() if each.type == name})
    topics = [{"url": _TOPICS, "valueCanonical": TOPIC}] if name == "Subscription" else []
    return {
        **({"extension": topics} if topics else {}),
        "type": name,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{name}",
        **({"supportedProfile": held} if held else {}),
        **({"documentation": _DOCUMENTATION[name]} if name in _DOCUMENTATION else {}),
        "interaction": [{"code": code} for code in interactions],
        "versioning": _VERSIONING.get(name, "no-version"),
        **({"conditionalRead": "not-match"} if name in _VERSIONING else {}),
        **({"conditionalCreate": True} if name in _CREATED_ONCE else {}),
        **({"searchParam": _parameters(parameters)} if parameters else {}),
        **({"operation": _operations(_OPERATIONS_OF[name])} if name in _OPERATIONS_OF else {}),
    }


def _parameters(stated: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"name": name, "type": kind} for name, kind in stated]


def _operations(named: Mapping[str, str]) -> list[dict[str, Any]]:
    definitions = f"{OWN_BASE}/OperationDefinition"
    return [{"name": name, "definition": f"{definitions}/{own}"} for name, own in named.items()]


def _messaging(profiles: Profiles) -> list[dict[str, Any]] | None:
    """List the messages that are taken: all that are defined here. None is sent yet."""
    urls = sorted({each.url for each in profiles.messages.values()})
    taken = [{"mode": "receiver", "definition": url} for url in urls]
    return [{"supportedMessage": taken}] if taken else None
