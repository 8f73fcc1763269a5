"""Is this message one that may be taken? The receiver's order of checks.

What enters: a message Bundle whose structure is right, and the service id of the request's
`NHSD-Target-Identifier`. What leaves: the message and what it means, or every fault of the
first step that finds one. Source: BaRS Core, the receiver's order of processing, steps 5 to
10; `fhir_profiles/messages` for what a message carries.
"""

import re
from collections.abc import Iterable

from gateway.errors import Fault, InvalidMessageError, IssueCode, UnsupportedMessageError
from gateway.fhir.bars.message import Message
from gateway.fhir.bars.workflow import CONDITIONS, Meaning, meaning_of
from gateway.fhir.profiles.messages import focus_faults
from gateway.fhir.profiles.model import MessageRule, Profiles
from gateway.referral.identifiers import DOS_SERVICE_SYSTEM, DosServiceId
from gateway.referral.json import JsonObject, child, objects, string

APPLICATION_MAJOR = 1
"""The major version of BaRS applications (`Bundle.meta.versionId`) that is taken."""

DEFINITIONS = "https://fhir.nhs.uk/MessageDefinition/"
DEFAULT_DEFINITION = {
    Meaning.NEW_REFERRAL: f"{DEFINITIONS}bars-message-servicerequest-request-referral",
    Meaning.CANCELLATION: f"{DEFINITIONS}bars-message-servicerequest-request-cancelled",
    Meaning.RESPONSE: f"{DEFINITIONS}bars-message-servicerequest-response-referral",
}
"""What a message is held against that names no definition that is known here."""

OTHER_DEFINITIONS = frozenset(
    f"bars-message-{name}"
    for name in (
        "servicerequest-request-validation",
        "servicerequest-request-cancelled",
        "servicerequest-response-referral",
        "servicerequest-response-referral-short",
        "servicerequest-response-validation-full",
        "servicerequest-response-validation-interim",
        "booking-request",
        "booking-request-cancelled",
    )
)
"""Registered definitions that no new referral follows."""

_VERSION = re.compile(r"(\d{1,4})\.\d{1,4}\.\d{1,4}(-[A-Za-z0-9.-]{1,32})?")


def check_message(message: Message, target: DosServiceId | None, profiles: Profiles) -> Meaning:
    """Check that a message is one that is offered, complete, and for whom it says.

    1. Its event, category and reason are ones that are offered here.
    2. It names the version of its application (`check_version` has refused another major).
    3. It is addressed to the service that the request names (`target`, where there is one).
    4. It carries the resources that its definition asks for.
    5. Its workflow variables fit each other.

    Raises:
        InvalidMessageError: structure, addressing or workflow is wrong.
        UnsupportedMessageError: the message is right, but of a kind not offered here.
    """
    meaning = meaning_of(message)
    _check_definition(message, meaning)
    faults = [
        *_version_faults(message),
        *_addressing_faults(message, target),
        *_focus_faults(message, meaning),
        *focus_faults(definition_of(message, meaning, profiles), message.parts),
        *(_condition_faults(message) if meaning is Meaning.NEW_REFERRAL else ()),
    ]
    if faults:
        raise InvalidMessageError(*faults)
    return meaning


def definition_of(message: Message, meaning: Meaning, profiles: Profiles) -> MessageRule:
    """Choose what a message is held against: what it names, if that is of its kind."""
    default = profiles.messages[DEFAULT_DEFINITION[meaning]]
    if meaning is Meaning.CANCELLATION:
        return default
    named = profiles.messages.get(message.definition or "", default)
    return named if named.event == default.event else default


def _check_definition(message: Message, meaning: Meaning) -> None:
    """A new referral that names another kind of BaRS message contradicts itself."""
    name = (message.definition or "").removeprefix(DEFINITIONS)
    if meaning is Meaning.NEW_REFERRAL and name in OTHER_DEFINITIONS:
        raise UnsupportedMessageError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression=f"{message.header.path}.definition",
                diagnostics="The definition is of another kind of message. A new referral names"
                f" {DEFAULT_DEFINITION[meaning]}.",
            )
        )


def _version_faults(message: Message) -> Iterable[Fault]:
    if string(child(message.tree, "meta") or {}, "versionId") is None:
        yield Fault(
            code=IssueCode.INVARIANT,
            expression="Bundle.meta.versionId",
            diagnostics="Bundle.meta.versionId carries the version of the BaRS application."
            f" Add it: {APPLICATION_MAJOR}.0.0 or a later {APPLICATION_MAJOR}.x.",
        )


def check_version(tree: JsonObject) -> None:
    """Refuse a message of another application version before its structure is looked at.

    Raises:
        UnsupportedMessageError: it names another major version, or none that can be read.
    """
    text = string(child(tree, "meta") or {}, "versionId")
    if text is None:
        return
    version = _VERSION.fullmatch(text)
    if version is None or int(version[1]) != APPLICATION_MAJOR:
        raise UnsupportedMessageError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression="Bundle.meta.versionId",
                diagnostics=f"Version {APPLICATION_MAJOR} of the BaRS application is understood"
                " here.",
            )
        )


def _addressing_faults(message: Message, target: DosServiceId | None) -> Iterable[Fault]:
    header = message.header.path
    if message.destination is None or (target is not None and message.destination != target):
        yield Fault(
            code=IssueCode.VALUE,
            expression=f"{header}.destination[0].endpoint",
            diagnostics="The destination's endpoint is the service id of NHSD-Target-Identifier,"
            f" written {DOS_SERVICE_SYSTEM}|id.",
        )
    if not message.source_endpoint:
        yield Fault(
            code=IssueCode.REQUIRED,
            expression=f"{header}.source.endpoint",
            diagnostics="source.endpoint is where replies go. Add it.",
        )
    elif not message.reply_service:
        yield Fault(
            code=IssueCode.VALUE,
            expression=f"{header}.source.endpoint",
            diagnostics="source.endpoint is the service id to which replies go, written"
            f" {DOS_SERVICE_SYSTEM}|id.",
        )


def _focus_faults(message: Message, meaning: Meaning) -> Iterable[Fault]:
    """What the header says that the message is about must be its ServiceRequest.

    A response may be about the receiver's Encounter instead. Source: BaRS App6, responses.
    """
    focus = objects(message.header.resource, "focus")
    led_to = [message.parts.follow(reference) for reference in focus]
    is_response = meaning is Meaning.RESPONSE
    if is_response and any(part is not None and part.type == "Encounter" for part in led_to):
        return
    if message.request is not None and message.request not in led_to:
        yield Fault(
            code=IssueCode.INVARIANT if focus else IssueCode.REQUIRED,
            expression=f"{message.header.path}.focus",
            diagnostics="The focus leads to the ServiceRequest of the message. Refer to it by the"
            " fullUrl of its entry.",
        )


def _condition_faults(message: Message) -> Iterable[Fault]:
    """Check the combination that says: a new referral, triaged and complete."""
    for name, statuses, text in CONDITIONS:
        for part in message.parts.of_type(name)[:1]:
            if string(part.resource, "status") not in statuses:
                yield Fault(
                    code=IssueCode.INVARIANT, expression=f"{part.path}.status", diagnostics=text
                )
