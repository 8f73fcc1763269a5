"""A message Bundle and its header, opened once for all who look at it.

What enters: a Bundle that `validate` has passed. What leaves: a Message: its parts, and what
its MessageHeader says. Codes are compared in lower case and systems in their normal
spelling, as senders write both in several ways. Source: BaRS Core, message headers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.references import Index, Part, index
from gateway.referral.identifiers import DOS_SERVICE_SYSTEM, DosServiceId, OdsCode, normal_system
from gateway.referral.json import JsonObject, child, objects, string

EVENT_SYSTEM = "https://fhir.nhs.uk/CodeSystem/message-events-bars"
CATEGORY_SYSTEM = "https://fhir.nhs.uk/CodeSystem/message-category-servicerequest"
REASON_SYSTEM = "https://fhir.nhs.uk/CodeSystem/message-reason-bars"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: the tree, its parts, and its header."""

    tree: JsonObject
    parts: Index
    header: Part

    @property
    def event(self) -> str:
        """The event's code; empty where it is none of BaRS."""
        return next(iter(coded([{"coding": [self._child("eventCoding")]}], EVENT_SYSTEM)), "")

    @property
    def reasons(self) -> set[str]:
        """The codes of the reason."""
        return coded([self._child("reason")], REASON_SYSTEM)

    @property
    def definition(self) -> str | None:
        """Which MessageDefinition the message says that it follows, without a version."""
        text = string(self.header.resource, "definition")
        return normal_system(text.partition("|")[0]) if text else None

    @property
    def request(self) -> Part | None:
        """The first ServiceRequest."""
        return next(iter(self.parts.of_type("ServiceRequest")), None)

    @property
    def categories(self) -> set[str]:
        """What the ServiceRequest says it is: referral, validation."""
        request = self.request
        return coded(objects(request.resource, "category"), CATEGORY_SYSTEM) if request else set()

    @property
    def status(self) -> str:
        """The ServiceRequest's status."""
        return (string(self.request.resource, "status") if self.request else None) or ""

    @property
    def destination(self) -> DosServiceId | None:
        """The service to which the message is addressed."""
        endpoints = [string(d, "endpoint") for d in objects(self.header.resource, "destination")]
        return next((_service(text) for text in endpoints if _names_service(text)), None)

    @property
    def reply_service(self) -> DosServiceId | None:
        """The service to which replies go; None where the reply address names none."""
        text = self.source_endpoint
        return _service(text) if _names_service(text) else None

    @property
    def source_endpoint(self) -> str | None:
        """Where replies go."""
        return string(self._child("source"), "endpoint")

    @property
    def sender(self) -> OdsCode | None:
        """The organisation that MessageHeader.sender leads to."""
        return self.parts.organisation(child(self.header.resource, "sender"))

    @property
    def full_url(self) -> str | None:
        """The name of the ServiceRequest inside the message."""
        for entry in objects(self.tree, "entry"):
            if self.request and child(entry, "resource") is self.request.resource:
                return string(entry, "fullUrl")
        return None

    def _child(self, name: str) -> JsonObject:
        return child(self.header.resource, name) or {}


def _names_service(endpoint: str | None) -> bool:
    return normal_system((endpoint or "").partition("|")[0]) == DOS_SERVICE_SYSTEM


def _service(endpoint: str | None) -> DosServiceId | None:
    try:
        return DosServiceId((endpoint or "").partition("|")[2])
    except ValueError:
        return None


def open_message(tree: JsonObject) -> Message:
    """Open a message Bundle.

    Raises:
        InvalidMessageError: it is none, or does not begin with its header.
    """
    if string(tree, "resourceType") != "Bundle" or string(tree, "type") != "message":
        raise InvalidMessageError(
            Fault(
                code=IssueCode.STRUCTURE,
                expression="Bundle.type",
                diagnostics="$process-message takes a Bundle of the type message.",
            )
        )
    parts = index(tree)
    if not parts.parts or parts.parts[0].type != "MessageHeader":
        raise InvalidMessageError(
            Fault(
                code=IssueCode.REQUIRED,
                expression="Bundle.entry[0].resource",
                diagnostics="The first entry of a message is its MessageHeader.",
            )
        )
    return Message(tree, parts, parts.parts[0])


def coded(concepts: Sequence[JsonObject], system: str) -> set[str]:
    """Collect the codes of one system, in lower case."""
    return {
        (string(coding, "code") or "").lower()
        for concept in concepts
        for coding in objects(concept, "coding")
        if normal_system(string(coding, "system") or "") == system
    }
