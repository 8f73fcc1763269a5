"""What a practice took back, for its own system: withdrawals, and what became of what they cover.

What enters: a token of the practice. What leaves: JSON, under `/sharing` like what it shares. A
caller sees only its own practice's; another's is not there. A list shows counts; one withdrawal
shows each delivery, a page at a time, and that it is read is an entry for each person.
"""

from urllib.parse import urlencode

import flask

from gateway.errors import NotFoundError
from gateway.fhir.json_text import write_json
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.search import count, malformed, parameters, single
from gateway.journey.show_withdrawn import list_withdrawals, show_withdrawal
from gateway.mapping.sharing_views import covered_view, withdrawal_view
from gateway.referral.directory import Scope
from gateway.referral.identifiers import DeliveryId, ReferralReference, WithdrawalId
from gateway.referral.json import JsonObject
from gateway.referral.model import Sender

_BETWEEN = "~"
"""Stands between the reference and the delivery of a place, in neither of which it may."""

routes = flask.Blueprint("withdrawals", __name__)


@routes.get("/withdrawals")
@needs(Scope.SHARING_READ)
def get_withdrawals() -> flask.Response:
    """List what was withdrawn, newest first, with counts; `about`: only what that id names."""
    given = parameters(frozenset({"about", "_count"}))
    sender: Sender = flask.g.sender
    found = list_withdrawals(
        house().gateway,
        actor=sender.client,
        practice=sender.ods,
        about=single(given, "about"),
        limit=count(given),
    )
    entries = [withdrawal_view(each.withdrawal, each.counts) for each in found]
    return _answer({"practice": sender.ods, "entries": [*entries]})


@routes.get("/withdrawals/<withdrawal_id>")
@needs(Scope.SHARING_READ)
def get_withdrawal(withdrawal_id: str) -> flask.Response:
    """Show one withdrawal, with what became of each delivery that it covers; pages."""
    given = parameters(frozenset({"_count", "_after"}))
    limit, own_id = count(given), _own_id(withdrawal_id)
    after = _place(single(given, "_after"))
    found = show_withdrawal(flask.g.sender, own_id, house().gateway, after=after, limit=limit)
    now = house().gateway.clock()
    shown = withdrawal_view(found.tally.withdrawal, found.tally.counts)
    shown |= {"deliveries": [covered_view(each, now) for each in found.covered]}
    if found.place is not None:
        onward = urlencode({"_count": limit, "_after": _BETWEEN.join(found.place)})
        shown |= {"next": f"{house().sharing_url}/withdrawals/{own_id}?{onward}"}
    return _answer(shown)


def _own_id(text: str) -> WithdrawalId:
    """Read the id of a path; what is no UUID names nothing here."""
    try:
        return WithdrawalId(text)
    except ValueError:
        msg = "nothing has this id: an id here is a UUID"
        raise NotFoundError(msg) from None


def _place(text: str | None) -> tuple[str, str] | None:
    """Read where the page before ended: a reference and a delivery."""
    if text is None:
        return None
    reference, _, delivery = text.partition(_BETWEEN)
    try:
        return ReferralReference(reference), DeliveryId(delivery)
    except ValueError:
        raise malformed("_after", "the one of a next link") from None


def _answer(tree: JsonObject) -> flask.Response:
    return flask.Response(write_json(tree), 200, content_type="application/json")
