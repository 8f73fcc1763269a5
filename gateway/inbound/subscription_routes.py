"""Subscriptions: how a provider asks to be told of its events, and finds what it missed.

What enters: a Subscription, an id, a search, or the numbers of events. What leaves: Subscriptions
of the caller's own organisation, and notifications as Bundles. The secret of a subscription is
in the answer to its creation, and nowhere else.
Source: Subscriptions R5 Backport 1.1.0, FHIR R4: backport-subscription, $status, $events.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

import flask

from gateway.errors import Fault, InvalidMessageError, IssueCode, NotFoundError
from gateway.fhir.read_subscription import read_subscription
from gateway.fhir.service_request import searchset
from gateway.fhir.subscription import subscription_of
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import SHAPING, check_accept, shown, to_response
from gateway.inbound.request import envelope, known_version, read_body
from gateway.inbound.search import malformed, page_of, parameters, single
from gateway.journey.subscribe import (
    change_subscription,
    own_events,
    own_subscription,
    own_subscriptions,
    statuses,
    subscribe,
    unsubscribe,
)
from gateway.mapping.notification import bundle_of, status_of
from gateway.referral.directory import Scope
from gateway.referral.identifiers import SubscriptionId
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.model import Door
from gateway.referral.subscriptions import Content, Notice, SubscriptionStatus

_KNOWN: Final = frozenset({"_id", "status", "url"})
_OF_STATUS: Final = frozenset({"id", "status"})
_OF_EVENTS: Final = frozenset({"eventsSinceNumber", "eventsUntilNumber", "content"})
_VALUES: Final = ("valueString", "valueCode", "valueId")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")

routes = flask.Blueprint("subscriptions", __name__)


@routes.post("/Subscription")
@needs(Scope.SUBSCRIPTION_CREATE)
def post_subscription() -> flask.Response:
    """Take a subscription; the answer shows its secret, once."""
    check_accept()
    asked = read_subscription(_body())
    made = subscribe(asked, flask.g.sender, house().gateway, house().reach)
    own = made.subscription
    headers = {
        "Location": f"{house().base_url}/Subscription/{own.id}",
        "ETag": f'W/"{own.version}"',
    }
    body = subscription_of(own, secret=made.secret)
    return to_response(Answer(http=201, body=body, headers=headers))


@routes.put("/Subscription/<subscription_id>")
@needs(Scope.SUBSCRIPTION_UPDATE)
def put_subscription(subscription_id: str) -> flask.Response:
    """Switch one off or on again. If-Match names the version that the client has read."""
    check_accept()
    own = _own_id(subscription_id)
    known = known_version()
    asked = read_subscription(_body())
    changed = change_subscription(own, known, asked, flask.g.sender, house().gateway, house().reach)
    headers = {"ETag": f'W/"{changed.version}"'}
    return to_response(Answer(http=200, body=subscription_of(changed), headers=headers))


@routes.delete("/Subscription/<subscription_id>")
@needs(Scope.SUBSCRIPTION_DELETE)
def delete_subscription(subscription_id: str) -> flask.Response:
    """End one for good; its secret is destroyed."""
    unsubscribe(_own_id(subscription_id), flask.g.sender, house().gateway)
    return to_response(Answer(http=204, body=None))


@routes.get("/Subscription/<subscription_id>")
@needs(Scope.SUBSCRIPTION_READ)
def get_subscription(subscription_id: str) -> flask.Response:
    """Show one, as it stands."""
    check_accept()
    own = own_subscription(_own_id(subscription_id), flask.g.sender, house().gateway)
    return to_response(shown(subscription_of(own)))


@routes.get("/Subscription")
@needs(Scope.SUBSCRIPTION_READ)
def search_subscriptions() -> flask.Response:
    """List the caller's own, oldest first; there are never more than fit on a page."""
    check_accept(counts=True)
    given = parameters(_KNOWN)
    ids = _ids(single(given, "_id"))
    states = _states("status", single(given, "status"))
    address = single(given, "url")
    found = own_subscriptions(
        flask.g.sender, house().gateway, ids=ids, states=states, address=address
    )
    page = [(each.id, subscription_of(each)) for each in found]
    body = page_of("Subscription", page, len(page), given, None)
    return to_response(Answer(http=200, body=body))


@routes.get("/Subscription/$status")
@routes.post("/Subscription/$status")
@needs(Scope.SUBSCRIPTION_READ)
def get_statuses() -> flask.Response:
    """Tell how the caller's own stand."""
    check_accept()
    given = _given(_OF_STATUS)
    ids = _ids(",".join(given["id"])) if "id" in given else None
    states = _states("status", ",".join(given["status"])) if "status" in given else None
    return _stand(statuses(flask.g.sender, house().gateway, ids=ids, states=states))


@routes.get("/Subscription/<subscription_id>/$status")
@routes.post("/Subscription/<subscription_id>/$status")
@needs(Scope.SUBSCRIPTION_READ)
def get_status(subscription_id: str) -> flask.Response:
    """Tell how one stands: the number of the newest event, and what is wrong."""
    check_accept()
    _given(_OF_STATUS)
    found = statuses(flask.g.sender, house().gateway, ids=[_own_id(subscription_id)])
    if not found:
        raise _none()
    return _stand(found)


@routes.get("/Subscription/<subscription_id>/$events")
@routes.post("/Subscription/<subscription_id>/$events")
@needs(Scope.SUBSCRIPTION_READ)
def get_events(subscription_id: str) -> flask.Response:
    """List events by number, told or not, so that a consumer can prove and fetch what it missed."""
    check_accept()
    given = _given(_OF_EVENTS)
    first, last = (
        _event_number(given, "eventsSinceNumber"),
        _event_number(given, "eventsUntilNumber"),
    )
    own = _own_id(subscription_id)
    listed = own_events(own, flask.g.sender, house().gateway, first=first or 1, last=last)
    content = _content(given)
    wanted = {"eventsUntilNumber": last, "content": content}
    kept = {name: value for name, value in wanted.items() if value is not None}
    url = f"{house().base_url}/Subscription/{own}/$events"
    links = [("self", f"{url}?{urlencode({'eventsSinceNumber': first or 1, **kept})}")]
    if listed.next_number is not None:
        onward = urlencode({"eventsSinceNumber": listed.next_number, **kept})
        links.append(("next", f"{url}?{onward}"))
    body = bundle_of(listed.notice, house().base_url, content=content, links=links)
    return to_response(Answer(http=200, body=body))


def _body() -> JsonObject:
    tree, _warnings = read_body(envelope(Door.REST, flask.g.sender, ids_required=False))
    return tree


def _stand(found: Sequence[Notice]) -> flask.Response:
    base_url = house().base_url
    resources = [(f"urn:uuid:{each.subscription.id}", status_of(each, base_url)) for each in found]
    body = searchset(
        resources, total=len(found), self_url=f"{base_url}/Subscription/$status", next_url=None
    )
    return to_response(Answer(http=200, body=body))


def _given(known: frozenset[str]) -> Mapping[str, list[str]]:
    """Take what an operation is given: in the query, or in the Parameters of a POST."""
    given = {name: values for name, values in parameters(known).items() if name not in SHAPING}
    if flask.request.method != "POST" or not flask.request.content_length:
        return given
    found = {name: list(values) for name, values in given.items()}
    tree = _body()
    if string(tree, "resourceType") != "Parameters":
        says = "Send Parameters, or nothing."
        raise InvalidMessageError(Fault(code=IssueCode.INVALID, diagnostics=says))
    for position, each in enumerate(objects(tree, "parameter")):
        name = string(each, "name") or ""
        values = [text for key in _VALUES if (text := string(each, key)) is not None]
        if name not in known or not values:
            where = f"Parameters.parameter[{position}]"
            says = f"Only these parameters are taken here, as texts: {', '.join(sorted(known))}."
            raise InvalidMessageError(
                Fault(code=IssueCode.NOT_SUPPORTED, expression=where, diagnostics=says)
            )
        found.setdefault(name, []).extend(values)
    return found


def _event_number(given: Mapping[str, list[str]], name: str) -> int | None:
    text = single(given, name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) == 0:
        raise malformed(name, "the number of an event, from 1")
    return int(text)


def _content(given: Mapping[str, list[str]]) -> Content | None:
    """Read how much is wanted. It is a wish: of a resource, no more than its id is told."""
    text = single(given, "content")
    if text is None:
        return None
    if text == "full-resource":
        return Content.ID_ONLY
    try:
        return Content(text)
    except ValueError:
        raise malformed("content", "empty or id-only") from None


def _ids(text: str | None) -> list[SubscriptionId] | None:
    """Read ids; what is no UUID names nothing here."""
    if text is None:
        return None
    found = []
    for each in text.split(","):
        try:
            found.append(SubscriptionId(each))
        except ValueError:
            continue
    return found


def _states(name: str, text: str | None) -> list[SubscriptionStatus] | None:
    if text is None:
        return None
    try:
        return [SubscriptionStatus(each) for each in text.split(",")]
    except ValueError:
        raise malformed(name, "requested, active, error or off") from None


def _own_id(text: str) -> SubscriptionId:
    try:
        return SubscriptionId(text)
    except ValueError:
        raise _none() from None


def _none() -> NotFoundError:
    return NotFoundError("no subscription has this id")
