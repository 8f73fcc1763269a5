"""A Subscription as its client sends it: what is asked for, or every reason why it cannot fire.

What enters: a Subscription that the door has checked against R4. What leaves: what it asks
for. Whatever is not done here is refused, and never passed over: a subscription that was taken
fires. Not checked: where its address leads; that is `journey.reach`.
Source: Subscriptions R5 Backport 1.1.0, backport-subscription; FHIR R4 Subscription.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeVar

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.subscriptions import TOPIC, Asked, Channel, Content, SubscriptionStatus, Terms

BACKPORT: Final = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
FILTER: Final = f"{BACKPORT}backport-filter-criteria"
CUSTOM_CHANNEL: Final = f"{BACKPORT}backport-channel-type"
CONTENT: Final = f"{BACKPORT}backport-payload-content"
HEARTBEAT: Final = f"{BACKPORT}backport-heartbeat-period"
TIMEOUT: Final = f"{BACKPORT}backport-timeout"
MAX_COUNT: Final = f"{BACKPORT}backport-max-count"

_HEARTBEATS: Final = (30, 3600, 300)
"""Seconds: the shortest and the longest, and the one that is meant where nothing is said."""
LONGEST_TIMEOUT: Final = timedelta(seconds=30)
_TIMEOUTS: Final = (1, 30, 10)
_COUNTS: Final = (1, 100, 50)
_PAYLOADS: Final[Mapping[str, Channel]] = {
    "application/fhir+json": Channel.FHIR_JSON,
    "application/fhir+xml": Channel.FHIR_XML,
    "application/json": Channel.WEBHOOK,
}
_MOST_HEADERS: Final = 8
_HEADER: Final = re.compile(
    r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}):[ \t]*([!-~]([ -~]{0,2046}[!-~])?)"
)
_OURS: Final = re.compile(
    r"host|content-.*|transfer-encoding|connection|t(?:e|railer)|upgrade|expect|accept-encoding"
    r"|proxy-.*|webhook-.*|idempotency-key",
    re.IGNORECASE,
)
_T = TypeVar("_T")


class _Reading:
    """Collects faults while a Subscription is read."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def refuse(self, where: str, says: str, code: IssueCode = IssueCode.VALUE) -> None:
        self.faults.append(Fault(code=code, expression=f"Subscription{where}", diagnostics=says))


def read_subscription(tree: JsonObject) -> Asked:
    """Read a Subscription.

    Raises:
        InvalidMessageError: it is another resource, or asks for what is not done here; every
            fault.
    """
    if string(tree, "resourceType") != "Subscription":
        where = string(tree, "resourceType")
        says = "Send one Subscription."
        raise InvalidMessageError(Fault(code=IssueCode.INVALID, expression=where, diagnostics=says))
    reading = _Reading()
    channel = child(tree, "channel") or {}
    is_on = _is_on(reading, tree)
    _check_topic(reading, tree)
    _check_extras(reading, tree, channel)
    heartbeat = _number(reading, channel, HEARTBEAT, "valueUnsignedInt", _HEARTBEATS)
    timeout = _number(reading, channel, TIMEOUT, "valueUnsignedInt", _TIMEOUTS)
    if 2 * timeout > heartbeat:
        reading.refuse(".channel", "The timeout is at most half of the heartbeat period.")
    terms = Terms(
        channel=_channel(reading, channel),
        address=_address(reading, channel),
        content=_content(reading, channel),
        heartbeat=timedelta(seconds=heartbeat),
        timeout=timedelta(seconds=timeout),
        max_count=_number(reading, channel, MAX_COUNT, "valuePositiveInt", _COUNTS),
        end_at=_end(reading, tree),
    )
    headers = _headers(reading, channel)
    if reading.faults:
        raise InvalidMessageError(*reading.faults)
    return Asked(terms=terms, is_on=is_on, headers=headers)


def _is_on(reading: _Reading, tree: JsonObject) -> bool:
    status = string(tree, "status")
    if status == SubscriptionStatus.ERROR:
        says = "Only we say error. Send requested, or off."
        reading.refuse(".status", says, IssueCode.BUSINESS_RULE)
    return status != SubscriptionStatus.OFF


def _check_topic(reading: _Reading, tree: JsonObject) -> None:
    if string(tree, "criteria") != TOPIC:
        says = f"There is one topic here: {TOPIC}. Any other would never fire."
        reading.refuse(".criteria", says, IssueCode.NOT_SUPPORTED)
    if _extension(child(tree, "_criteria"), FILTER) is not None:
        says = "No filter is applied here, so that no number is left out. Leave it out."
        reading.refuse(".criteria.extension", says, IssueCode.NOT_SUPPORTED)


def _check_extras(reading: _Reading, tree: JsonObject, channel: JsonObject) -> None:
    """Refuse what would be lost, or would mean something that is not done."""
    for name in ("contact", "contained", "modifierExtension"):
        if name in tree:
            says = f"{name} is not kept here. Leave it out."
            reading.refuse(f".{name}", says, IssueCode.NOT_SUPPORTED)
    if "modifierExtension" in channel:
        says = "No modifier of a channel is understood here. Leave it out."
        reading.refuse(".channel.modifierExtension", says, IssueCode.NOT_SUPPORTED)
    is_custom = _extension(child(channel, "_type"), CUSTOM_CHANNEL) is not None
    if string(channel, "type") != "rest-hook" or is_custom:
        says = "Notifications go by rest-hook only: name it, and no other channel type."
        reading.refuse(".channel.type", says, IssueCode.NOT_SUPPORTED)


def _channel(reading: _Reading, channel: JsonObject) -> Channel:
    found = _PAYLOADS.get(string(channel, "payload") or "")
    if found is None:
        says = (
            "Ask for application/fhir+json or application/fhir+xml (a notification Bundle), or for"
            " application/json (a webhook, one event each)."
        )
        reading.refuse(".channel.payload", says, IssueCode.NOT_SUPPORTED)
    return found or Channel.FHIR_JSON


def _address(reading: _Reading, channel: JsonObject) -> str:
    address = string(channel, "endpoint")
    if address is None:
        says = "Name the https:// address to which notifications are posted."
        reading.refuse(".channel.endpoint", says, IssueCode.REQUIRED)
    return address or ""


def _content(reading: _Reading, channel: JsonObject) -> Content:
    extension = _extension(child(channel, "_payload"), CONTENT)
    if extension is None:
        return Content.ID_ONLY
    text = string(extension, "valueCode")
    if text == "full-resource":
        says = (
            "No resource is sent in a notification: the patient's consent is decided again at the"
            " moment when you read it. Ask for id-only, and read the Task."
        )
        reading.refuse(".channel.payload.extension", says, IssueCode.NOT_SUPPORTED)
        return Content.ID_ONLY
    try:
        return Content(text or "")
    except ValueError:
        reading.refuse(".channel.payload.extension", "The content is empty or id-only.")
        return Content.ID_ONLY


def _number(
    reading: _Reading, channel: JsonObject, url: str, element: str, bounds: tuple[int, int, int]
) -> int:
    least, most, usual = bounds
    extension = _extension(channel, url)
    value = usual if extension is None else extension.get(element)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        name = url.rpartition("/")[2]
        says = f"{name} is from {least} to {most}, as {element}; {usual} where it is left out."
        reading.refuse(".channel.extension", says)
        return usual
    return value


def _end(reading: _Reading, tree: JsonObject) -> datetime | None:
    text = string(tree, "end")
    if text is None:
        return None
    return _parsed(reading, ".end", "end is an instant with its offset.", lambda: _moment(text))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment.year > 9000:  # noqa: PLR2004  # what can still be moved
        raise ValueError
    return moment


def _headers(reading: _Reading, channel: JsonObject) -> tuple[tuple[str, str], ...] | None:
    """Read the receiver's own headers. A fault names a position, never what stands there."""
    given = channel.get("header")
    if not isinstance(given, list):
        return None
    if len(given) > _MOST_HEADERS:
        reading.refuse(".channel.header", f"At most {_MOST_HEADERS} headers are sent.")
    headers: list[tuple[str, str]] = []
    for position, text in enumerate(given):
        found = _HEADER.fullmatch(text) if isinstance(text, str) else None
        if found is None or _OURS.fullmatch(found[1]):
            says = "This is no `Name: value` in visible ASCII, or a header that we set ourselves."
            reading.refuse(f".channel.header[{position}]", says)
        else:
            headers.append((found[1], found[2]))
    if len({name.lower() for name, _ in headers}) < len(headers):
        reading.refuse(".channel.header", "Name each header once.")
    return tuple(headers)


def _extension(tree: JsonObject | None, url: str) -> JsonObject | None:
    found = [each for each in objects(tree or {}, "extension") if string(each, "url") == url]
    return found[0] if found else None


def _parsed(reading: _Reading, where: str, says: str, parse: Callable[[], _T]) -> _T | None:
    try:
        return parse()
    except ValueError:
        reading.refuse(where, says)
        return None
