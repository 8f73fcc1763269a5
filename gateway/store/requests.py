"""Requests: what each sender has sent before, so that a repeat gets the first answer."""

import json
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.errors import DuplicateRequestError
from gateway.referral.identifiers import ClientId, ReferralId, RequestId
from gateway.referral.model import Envelope
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import request

_FIND = select(request).where(
    request.c.client == bindparam("client"), request.c.request_id == bindparam("request_id")
)
_CLAIM = insert(request)
_REFUSE = update(request).where(
    request.c.client == bindparam("of_client"), request.c.request_id == bindparam("of_request")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What was answered where a decision refused. No patient data."""

    code: str
    spine_code: str
    external_text: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A request that this sender sent before, and what became of it."""

    body_sha256: str
    referral: ReferralId | None
    refusal: Refusal | None


def find(view: Reading | Transaction, client: ClientId, request_id: RequestId) -> Answered | None:
    """Look up what this sender's request id was answered with."""
    row = view.connection.execute(_FIND, {"client": client, "request_id": request_id}).one_or_none()
    if row is None:
        return None
    return Answered(
        body_sha256=row.body_sha256,
        referral=ReferralId(row.referral) if row.referral else None,
        refusal=Refusal(**json.loads(row.refusal)) if row.refusal else None,
    )


def claim(tx: Transaction, envelope: Envelope, referral: ReferralId) -> None:
    """Take a request id for the referral it is to become, before anything else is written.

    A second sender of the same id waits here until the first has committed.

    Raises:
        DuplicateRequestError: another transaction took it meanwhile; read its answer anew.
    """
    try:
        tx.connection.execute(
            _CLAIM,
            {
                "client": envelope.sender.client,
                "request_id": envelope.request_id,
                "body_sha256": envelope.body_sha256,
                "referral": referral,
                "received_at": tx.at,
            },
        )
    except IntegrityError as error:
        msg = "this request id was used before"
        raise DuplicateRequestError(msg) from error


def refuse(tx: Transaction, envelope: Envelope, refusal: Refusal) -> None:
    """Note that the request became no referral, and what was answered."""
    tx.connection.execute(
        _REFUSE,
        {
            "of_client": envelope.sender.client,
            "of_request": envelope.request_id,
            "referral": None,
            "refusal": json.dumps(asdict(refusal)),
        },
    )
