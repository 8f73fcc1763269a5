"""What a real BaRS receiver refuses, written down again without a look at our own code.

What enters: headers and a message. What leaves: what is wrong, in words. Source: the NHS wire
reference, 1.2, 1.4, 1.9 and 1.15.
"""

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

TARGET = {"value": "2000099999", "system": "https://fhir.nhs.uk/Id/dos-service-id"}
ODS = "https://fhir.nhs.uk/Id/ods-organization-code"
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NEEDED = (
    "NHSD-Target-Identifier", "NHSD-End-User-Organisation", "NHSD-Requesting-Software",
    "X-Request-Id", "X-Correlation-Id", "use-context", "Accept", "Content-Type",
)  # fmt: skip
ONE = ("Encounter", "CarePlan", "Patient", "ServiceRequest", "MessageHeader")
SOME = ("Consent", "Practitioner", "PractitionerRole", "HealthcareService")
Tree = dict[str, Any]


def faults_of_headers(headers: Any) -> list[str]:
    """List what is missing, or is not what it should be."""
    missing = [name for name in NEEDED if not headers.get(name)]
    return missing or [*_header_faults(headers)]


def _header_faults(headers: Any) -> Iterator[str]:
    patterns = {
        "X-Request-Id": UUID,
        "X-Correlation-Id": UUID,
        "use-context": r"[\w-]+\|referral\|servicerequest-request\|(new|update)",
        "Accept": r"application/fhir\+json; version=\d+\.\d+\.\d+",
        "Content-Type": r"application/fhir\+json",
    }
    yield from (name for name, each in patterns.items() if not re.fullmatch(each, headers[name]))
    if decoded(headers["NHSD-Target-Identifier"]) != TARGET:
        yield "NHSD-Target-Identifier"
    who = decoded(headers["NHSD-End-User-Organisation"])
    if (who["resourceType"], who["identifier"][0]["system"]) != ("Organization", ODS):
        yield "NHSD-End-User-Organisation"
    device = decoded(headers["NHSD-Requesting-Software"])
    kinds = [type(device[name]) for name in ("deviceName", "version")]
    if device["resourceType"] != "Device" or kinds != [list, list]:
        yield "NHSD-Requesting-Software"


def decoded(text: str) -> Tree:
    """Read a header that is Base64 of JSON."""
    tree: Tree = json.loads(base64.b64decode(text, validate=True))
    return tree


def faults_of_message(message: Tree) -> list[str]:
    """List what is wrong with a message."""
    try:
        return [*_faults(message)]
    except (KeyError, IndexError, TypeError) as error:
        return [f"{type(error).__name__} {error}"]


def _faults(message: Tree) -> Iterator[str]:
    entries = {e["fullUrl"]: e["resource"] for e in message["entry"]}
    resources = [*entries.values()]
    header = resources[0]
    request = entries[header["focus"][0]["reference"]]
    yield from _bundle(message, entries)
    yield from _broken_links(message, entries)
    yield from _header_of(header, entries)
    if request["resourceType"] != "ServiceRequest" or request["intent"] != "plan":
        yield "focus"
    if len(request["category"]) != 1 or len(request["category"][0]["coding"]) < 2:
        yield "category"
    reason = header["reason"]["coding"][0]["code"]
    yield from (_new if reason == "new" else _update)(header, request, resources)


def _bundle(message: Tree, entries: dict[str, Tree]) -> Iterator[str]:
    if message["type"] != "message" or not re.fullmatch(UUID, message["id"]):
        yield "Bundle"
    if not re.match(r"1\.", message["meta"]["versionId"]) or not message["timestamp"]:
        yield "Bundle.meta.versionId"
    if not message["meta"]["profile"][0].endswith("/BARSBundleMessage"):
        yield "Bundle.meta.profile"
    stamps = {each["meta"]["lastUpdated"] for each in entries.values()}
    if stamps != {message["meta"]["lastUpdated"]}:
        yield "meta.lastUpdated"
    if not all(re.fullmatch(f"urn:uuid:{UUID}", url) for url in entries):
        yield "fullUrl"
    if [each for each in entries.values() if "id" in each]:
        yield "id"


def _header_of(header: Tree, entries: dict[str, Tree]) -> Iterator[str]:
    if header["resourceType"] != "MessageHeader":
        yield "first entry"
    if header["eventCoding"]["code"] != "servicerequest-request":
        yield "eventCoding"
    if header["destination"][0]["endpoint"] != f"{TARGET['system']}|{TARGET['value']}":
        yield "destination.endpoint"
    for reference in (header["destination"][0]["receiver"], header["sender"]):
        if entries[reference["reference"]]["resourceType"] != "Organization":
            yield "receiver or sender"
    if not header["source"]["name"] or "|" not in header["source"]["endpoint"]:
        yield "source"


def _new(header: Tree, request: Tree, resources: list[Tree]) -> Iterator[str]:
    kinds = [r["resourceType"] for r in resources]
    yield from (kind for kind in ONE if kinds.count(kind) != 1)
    yield from (kind for kind in SOME if not kinds.count(kind))
    if kinds.count("Organization") < 2 or request["status"] != "active":
        yield "Organization or status"
    needed = ("basedOn", "encounter", "subject", "authoredOn", "requester", "performer")
    yield from (name for name in needed if not request.get(name))
    encounter = next(r for r in resources if r["resourceType"] == "Encounter")
    plan = next(r for r in resources if r["resourceType"] == "CarePlan")
    if not encounter["episodeOfCare"] or encounter["status"] not in ("triaged", "finished"):
        yield "Encounter"
    if plan["status"] != "completed" or not header["definition"]:
        yield "CarePlan or definition"


def _update(header: Tree, request: Tree, resources: list[Tree]) -> Iterator[str]:
    if request["status"] not in ("revoked", "entered-in-error"):
        yield "status"
    yield from (n for n in ("identifier", "authoredOn", "occurrencePeriod") if not request.get(n))
    if not request["reasonCode"][0]["text"] or not header["definition"].endswith("-cancelled"):
        yield "reason or definition"
    kinds = sorted(r["resourceType"] for r in resources)
    if kinds != ["MessageHeader", "Organization", "Organization", "Patient", "ServiceRequest"]:
        yield "only what a cancellation carries"


def _broken_links(value: Any, entries: dict[str, Tree]) -> Iterator[str]:
    """Name each link inside the message that leads nowhere."""
    if isinstance(value, dict):
        link = value.get("reference")
        if isinstance(link, str) and link.startswith("urn:") and link not in entries:
            yield "a link that leads nowhere"
        value = [*value.values()]
    if isinstance(value, list):
        for each in value:
            yield from _broken_links(each, entries)
