"""What waits for a practice, for its own system; a person of the practice acknowledges it.

What enters: a token of the practice; for an acknowledgement, the role of the person who saw to it.
What leaves: JSON, under `/reminders`. A caller sees only what is of its own practice's referrals.
Must never: take anything of a patient here; a role is a few words, without digits.
"""

from datetime import datetime
from typing import Annotated

import flask
from pydantic import BaseModel, ConfigDict, Field

from gateway.errors import NotFoundError
from gateway.fhir.json_text import write_json
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.plain_json import plain_body
from gateway.inbound.search import parameters
from gateway.journey.show_reminders import Waiting, acknowledge_reminder, reminders_of_practice
from gateway.mapping.practice_words import read_body
from gateway.mapping.reminder_views import reminder_view
from gateway.referral.directory import Scope
from gateway.referral.identifiers import ReminderId
from gateway.referral.json import JsonObject
from gateway.referral.model import Sender

routes = flask.Blueprint("reminders", __name__)


class AcknowledgementBody(BaseModel):
    """Who saw to it, by role: practice-manager, gp, secretary."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+){0,3}$", max_length=40)]


@routes.get("")
@needs(Scope.TASK_READ)
def get_reminders() -> flask.Response:
    """List what waits of the practice's referrals, the one due first at the head."""
    parameters(frozenset())
    sender: Sender = flask.g.sender
    now = house().gateway.clock()
    found = reminders_of_practice(sender, house().gateway)
    return _answer({"practice": sender.ods, "entries": [_view(each, now) for each in found]})


@routes.post("/<reminder_id>/acknowledgement")
@needs(Scope.TASK_UPDATE)
def post_acknowledgement(reminder_id: str) -> flask.Response:
    """Note that a person of the practice has seen to what waited for it."""
    parameters(frozenset())
    wanted = _own_id(reminder_id)
    body = read_body(plain_body(), AcknowledgementBody)
    done = acknowledge_reminder(flask.g.sender, wanted, body.role, house().gateway)
    return _answer(_view(done, house().gateway.clock()))


def _view(each: Waiting, now: datetime) -> JsonObject:
    return reminder_view(each.reminder, each.referral.reference, each.referral.practice, now)


def _own_id(text: str) -> ReminderId:
    """Read the id of a path; what is no UUID names nothing here."""
    try:
        return ReminderId(text)
    except ValueError:
        msg = "nothing has this id: an id here is a UUID"
        raise NotFoundError(msg) from None


def _answer(tree: JsonObject) -> flask.Response:
    return flask.Response(write_json(tree), 200, content_type="application/json")
