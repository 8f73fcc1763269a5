"""Access tokens and used client assertions. A token is stored as its hash only."""

import hashlib
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.errors import TokenRequestError
from gateway.referral.directory import Scope
from gateway.referral.identifiers import ClientId, OdsCode
from gateway.referral.model import Sender
from gateway.store.engine import Reading, Transaction
from gateway.store.tables import access_token, client_assertion

_FIND = select(access_token).where(access_token.c.token_sha256 == bindparam("token_sha256"))
_REMEMBERED = timedelta(days=1)
"""How long an expired token is still told from one that was never issued."""


def add(tx: Transaction, token: str, sender: Sender, expires_at: datetime) -> None:
    """Store a new token, and clear away those that expired long ago."""
    forgotten = tx.at - _REMEMBERED
    tx.connection.execute(delete(access_token).where(access_token.c.expires_at <= forgotten))
    tx.connection.execute(
        insert(access_token).values(
            token_sha256=hashlib.sha256(token.encode()).digest(),
            client=sender.client,
            ods=sender.ods,
            scopes=" ".join(sorted(sender.scopes)),
            expires_at=expires_at,
        )
    )


def find(view: Reading, token: str) -> tuple[Sender, datetime] | None:
    """Find who holds a token and until when; None for a token that was never issued."""
    digest = hashlib.sha256(token.encode()).digest()
    row = view.connection.execute(_FIND, {"token_sha256": digest}).one_or_none()
    if row is None:
        return None
    sender = Sender(
        client=ClientId(row.client),
        ods=OdsCode(row.ods),
        scopes=frozenset(Scope(s) for s in row.scopes.split()),
    )
    return sender, row.expires_at


def use_assertion(tx: Transaction, client: ClientId, jti: str, expires_at: datetime) -> None:
    """Note that an assertion was used; each may be used once.

    Raises:
        TokenRequestError: it was used before.
    """
    tx.connection.execute(delete(client_assertion).where(client_assertion.c.expires_at <= tx.at))
    try:
        tx.connection.execute(
            insert(client_assertion).values(client=client, jti=jti, expires_at=expires_at)
        )
    except IntegrityError as error:
        code, msg = "invalid_client", "this client assertion was used before: sign a new one"
        raise TokenRequestError(code, msg) from error
