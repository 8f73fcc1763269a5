"""Tasks: how the owner and the requester of a hop follow it.

What enters: an id, or a time since when. What leaves: Tasks that are the caller's to see: a
provider those of deliveries that it has, a practice those of its own referrals.
"""

import flask

from gateway.fhir.task import gateway_hop, provider_hop
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import check_accept, to_response, unless_known
from gateway.inbound.search import after, count, own_id, page_of, parameters, period
from gateway.journey.look_up import Hop, own_hop, own_hops
from gateway.referral.directory import Scope
from gateway.referral.json import JsonObject

_KNOWN = frozenset({"_lastUpdated", "_count", "_after"})

routes = flask.Blueprint("tasks", __name__)


@routes.get("/Task/<hop_id>")
@needs(Scope.TASK_READ)
def get_task(hop_id: str) -> flask.Response:
    """Show one hop, unless the caller says that it has this version (If-None-Match)."""
    check_accept()
    hop = own_hop(flask.g.sender, own_id(hop_id), house().gateway)
    version = hop.delivery.version if hop.delivery else hop.referral.version
    answer = Answer(http=200, body=_task(hop), headers={"ETag": f'W/"{version}"'})
    return to_response(unless_known(answer))


@routes.get("/Task")
@needs(Scope.TASK_READ)
def search_tasks() -> flask.Response:
    """List hops, those that moved longest ago first."""
    check_accept()
    given = parameters(_KNOWN)
    since, before = period(given)
    limit = count(given)
    hops = own_hops(
        flask.g.sender,
        since=since,
        before=before,
        after=after(given),
        limit=limit,
        gateway=house().gateway,
    )
    found = [(hop.id, _task(hop)) for hop in hops]
    place = (hops[-1].moved_at, hops[-1].id) if len(hops) == limit else None
    return to_response(Answer(http=200, body=page_of("Task", found, None, given, place)))


def _task(hop: Hop) -> JsonObject:
    ods = house().gateway.ods
    if hop.delivery is None:
        return gateway_hop(hop.referral, ods)
    return provider_hop(hop.referral, hop.delivery, ods)
