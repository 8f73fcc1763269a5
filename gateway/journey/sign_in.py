"""Tokens issued and refused, each on record. The token itself is stored as its hash."""

from datetime import datetime, timedelta

from gateway.journey.gateway import Gateway
from gateway.ledger.entry import AccessRefused, TokenIssued, TokenRefused
from gateway.referral.directory import Client, Scope
from gateway.referral.identifiers import ClientId, OdsCode
from gateway.referral.model import Sender
from gateway.store import tokens
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction


def registered_client(gateway: Gateway, client: ClientId | None) -> Client | None:
    """Find a client in the directory as of now."""
    if client is None:
        return None
    with gateway.store.reading() as view:
        return DirectoryAsOf(view, gateway.clock()).client(client)


def who_holds(gateway: Gateway, token: str) -> tuple[Sender, datetime] | None:
    """Find who holds a token, and until when it is good."""
    with gateway.store.reading() as view:
        return tokens.find(view, token)


def issue_token(
    gateway: Gateway,
    sender: Sender,
    token: str,
    lifetime: timedelta,
    *,
    jti: str,
    assertion_ends: datetime,
) -> None:
    """Use up the assertion, store the token and record both.

    Raises:
        TokenRequestError: the assertion was used before.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        tokens.use_assertion(tx, sender.client, jti, assertion_ends)
        tokens.add(tx, token, sender, tx.at + lifetime)
        tx.record(
            TokenIssued(
                actor=sender.client,
                practice=_practice(tx, sender.ods),
                client=sender.client,
                ods=sender.ods,
                scopes=tuple(sorted(sender.scopes)),
            )
        )


def refuse_token(gateway: Gateway, client: Client | None, code: str) -> None:
    """Record that a token was refused. An unknown caller's claim is not repeated."""
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.record(
            TokenRefused(
                actor=client.id if client else "unknown",
                practice=_practice(tx, client.ods) if client else None,
                code=code,
            )
        )


def refuse_access(gateway: Gateway, sender: Sender, scope: Scope, code: str) -> None:
    """Record that a client was refused what a scope, or its organisation, does not open to it."""
    with gateway.store.transaction(gateway.clock()) as tx:
        tx.record(
            AccessRefused(
                actor=sender.client,
                practice=_practice(tx, sender.ods),
                ods=sender.ods,
                code=code,
                scopes=(scope.value,),
            )
        )


def _practice(tx: Transaction, ods: OdsCode) -> OdsCode | None:
    """Return the code of an organisation where it is a practice."""
    return ods if DirectoryAsOf(tx, tx.at).practice(ods) is not None else None
