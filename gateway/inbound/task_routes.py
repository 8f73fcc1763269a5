"""Tasks: how the owner and the requester of a hop follow it.

What enters: an id, or a time since when. What leaves: Tasks that are the caller's to see: a
provider those that it was told of, a practice those of its own referrals.
"""

import flask

from gateway.inbound.answers import Answer
from gateway.inbound.feed_routes import SINCE, feed_page, task_answer, task_of
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import check_accept, to_response, unless_known
from gateway.inbound.search import after, count, own_id, page_of, parameters, period
from gateway.journey.look_up import own_hop, own_hops
from gateway.referral.directory import Scope

_KNOWN = frozenset({"_lastUpdated", "_count", "_after"})

routes = flask.Blueprint("tasks", __name__)


@routes.get("/Task/<hop_id>")
@needs(Scope.TASK_READ)
def get_task(hop_id: str) -> flask.Response:
    """Show one hop, unless the caller says that it has this version (If-None-Match)."""
    check_accept()
    hop = own_hop(flask.g.sender, own_id(hop_id), house().gateway)
    return to_response(unless_known(task_answer(hop)))


@routes.get("/Task")
@needs(Scope.TASK_READ)
def search_tasks() -> flask.Response:
    """List hops, those that moved longest ago first; or, with _since, the caller's own list."""
    check_accept()
    if SINCE in flask.request.args:
        return feed_page()
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
    found = [(hop.id, task_of(hop)) for hop in hops]
    place = (hops[-1].moved_at, hops[-1].id) if len(hops) == limit else None
    return to_response(Answer(http=200, body=page_of("Task", found, None, given, place)))
