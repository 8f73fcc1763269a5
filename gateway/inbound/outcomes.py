"""What a provider is answered that says what became of a referral.

What enters: an outcome at one of the doors over HTTP, and what the walk made of it. What leaves:
the Task as it stands, or, where something was kept back, what `journey/hear_back.py` says of it.
Source: the write restriction, section 9.
"""

import hashlib
from collections.abc import Mapping, Sequence

import flask

from gateway.errors import Fault
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.task import provider_hop
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.journey.answering import Arrived
from gateway.journey.hear_back import PERSON_LOOKS, Told, hear_back, refuse_kept, said_of, told_of
from gateway.journey.return_outcome import Returned, return_outcome
from gateway.ledger.kinds import Door
from gateway.referral.identifiers import CorrelationId, DeliveryId
from gateway.referral.json import JsonObject, child, string
from gateway.referral.outcome import Standing

_ACCEPTED = 202


def outcome_answer(task: DeliveryId, tree: JsonObject, body: bytes, known: str) -> Answer:
    """Take an outcome that came as a Task, and answer it."""
    said = read_outcome(tree)
    arrived = arrival(Door.REST, body, task=task, known=known)
    return answer_for(return_outcome(said, arrived, house().gateway))


def arrival(
    door: Door, body: bytes, *, task: DeliveryId | None = None, known: str | None = None
) -> Arrived:
    """Say how an outcome came, from the request at hand."""
    wishes = flask.request.headers.get("Prefer", "").replace(" ", "").lower().split(",")
    return Arrived(
        door=door,
        provider=flask.g.sender.ods,
        client=flask.g.sender.client,
        body=body,
        body_sha256=hashlib.sha256(body).hexdigest(),
        task=task,
        known=known,
        is_strict="handling=strict" in wishes,
    )


def correlation_of(text: str | None) -> CorrelationId | None:
    """Read the correlation id that came with a message, where it is one."""
    try:
        return CorrelationId(text or "")
    except ValueError:
        return None


def answer_for(returned: Returned) -> Answer:
    """Answer what was taken: the Task as it stands; 202 and why, where something was kept back.

    Raises:
        ConsentRefusedError: it may not reach the practice.
        NotFoundError: the answer to that tells nothing.
    """
    said = said_of(returned)
    refuse_kept(returned.outcome, said, house().gateway)
    hop = provider_hop(
        returned.referral, returned.delivery, house().gateway.ods, None, returned.outcome
    )
    version = string(child(hop, "meta") or {}, "versionId")
    headers = {
        "ETag": f'W/"{version}"',
        "Content-Location": f"{house().base_url}/Task/{returned.delivery.id}",
    }
    if returned.outcome.standing is Standing.HELD and returned.ruling is None:
        return _taken_with(Told(faults=(PERSON_LOOKS,)), headers)
    if said is None:
        return Answer(http=200, body=hop, headers=headers)
    return _taken_with(told_of(said), headers)


def document_answer(returned: Returned) -> Answer:
    """Answer an outcome that came as documents: where the practice reads it, or what was kept.

    Raises:
        ConsentRefusedError: it may not reach the practice.
        NotFoundError: the answer to that tells nothing.
    """
    told = hear_back(returned.outcome, said_of(returned), house().gateway)
    headers = {"Location": f"{house().base_url}/DocumentReference/{returned.outcome.id}"}
    if returned.outcome.standing is Standing.HELD:
        return _taken_with(told, {})
    if told.faults:
        return _taken_with(told, headers)
    return Answer(http=200 if returned.repeated else 201, body=None, headers=headers)


def kept_back(returned: Returned) -> Sequence[Fault]:
    """Say what of an outcome did not go straight to the practice, and refuse what may not.

    Raises:
        ConsentRefusedError: it may not reach the practice.
        NotFoundError: the answer to that tells nothing.
    """
    return hear_back(returned.outcome, said_of(returned), house().gateway).faults


def _taken_with(told: Told, headers: Mapping[str, str]) -> Answer:
    body = operation_outcome(told.faults, code=None, spine_code=told.spine_code)
    return Answer(http=_ACCEPTED, body=body, headers=headers)
