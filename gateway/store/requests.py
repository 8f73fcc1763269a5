"""Requests: what each sender has sent before, so that a repeat gets the first answer.

A request id is claimed, in a transaction of its own, before its message is looked at, and
settled with what the message came to. While it is claimed a repeat is too early; a claim
whose process died ends by itself.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import TooEarlyError
from gateway.referral.identifiers import ConsentId, ReferralId
from gateway.referral.model import Envelope
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import request

_IS_IT = (request.c.client == bindparam("of_client")) & (
    request.c.request_id == bindparam("of_request")
)
_IS_MINE = (
    _IS_IT & (request.c.attempt == bindparam("of_attempt")) & request.c.running_until.is_not(None)
)
_FIND = select(request).where(_IS_IT)
_CLAIM = insert(request)
_SETTLE = (
    update(request)
    .where(_IS_MINE)
    .values(
        running_until=None,
        referral=bindparam("became"),
        refusal=bindparam("refused"),
        failure=bindparam("failed"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What was answered where a decision refused. No patient data."""

    code: str
    spine_code: str
    external_text: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A request that this sender sent before, and what became of it.

    `running_until` None: it was answered, with one of the other three. `made` is the id of the
    referral or Consent that it made or changed; `failure` is the answer as the door told it,
    in the door's own form.
    """

    body_sha256: str
    attempt: int
    running_until: datetime | None
    made: str | None
    refusal: Refusal | None
    failure: str | None


def find(view: Reading | Transaction, envelope: Envelope) -> Known | None:
    """Look up what this sender's request id was used for."""
    row = view.connection.execute(_FIND, _key(envelope)).one_or_none()
    if row is None:
        return None
    return Known(
        body_sha256=row.body_sha256,
        attempt=row.attempt,
        running_until=row.running_until,
        made=row.referral,
        refusal=Refusal(**json.loads(row.refusal)) if row.refusal else None,
        failure=row.failure,
    )


def claim(tx: Transaction, envelope: Envelope, until: datetime) -> None:
    """Take a request id that nobody has used.

    Raises:
        TooEarlyError: another process took it at the same moment.
    """
    try:
        tx.connection.execute(
            _CLAIM,
            {
                "client": envelope.sender.client,
                "request_id": envelope.request_id,
                "body_sha256": envelope.body_sha256,
                "attempt": 1,
                "running_until": until,
                "received_at": tx.at,
            },
        )
    except IntegrityError as error:
        raise running() from error


def claim_again(tx: Transaction, envelope: Envelope, before: Known, until: datetime) -> None:
    """Take over a claim whose process did not come back, or an id that made nothing.

    Raises:
        TooEarlyError: another process was quicker.
    """
    done = tx.connection.execute(
        update(request)
        .where(_IS_IT, request.c.attempt == before.attempt)
        .values(
            attempt=before.attempt + 1,
            body_sha256=envelope.body_sha256,
            running_until=until,
            failure=None,
        ),
        _key(envelope),
    )
    if done.rowcount != 1:
        raise running()


def settle(
    tx: Transaction,
    envelope: Envelope,
    *,
    referral: ReferralId | None = None,
    consent: ConsentId | None = None,
    refusal: Refusal | None = None,
    failure: str | None = None,
) -> None:
    """Note what a claimed request came to: one of the four.

    Raises:
        TooEarlyError: the claim lapsed, and another process has taken it over.
    """
    if not envelope.is_repeatable:
        return
    done = tx.connection.execute(
        _SETTLE,
        _key(envelope)
        | {
            "of_attempt": envelope.attempt,
            "became": referral or consent,
            "refused": json.dumps(asdict(refusal)) if refusal else None,
            "failed": failure,
        },
    )
    if done.rowcount != 1:
        raise running()


def give_back(tx: Transaction, envelope: Envelope) -> None:
    """End a claim that came to nothing, so that the sender may send the request again."""
    tx.connection.execute(
        update(request).where(_IS_MINE).values(running_until=tx.at),
        _key(envelope) | {"of_attempt": envelope.attempt},
    )


def _key(envelope: Envelope) -> dict[str, Any]:
    return {"of_client": envelope.sender.client, "of_request": envelope.request_id}


def running() -> TooEarlyError:
    """Say that the request is in hand."""
    return TooEarlyError("this request is being worked on; send it again a little later")
