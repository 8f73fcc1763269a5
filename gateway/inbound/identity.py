"""Who is calling, and what may they do.

What enters: a client assertion at the token endpoint, or a bearer token on any other route.
What leaves: a Sender, or a refusal that is on record. Source: RFC 7523 (private_key_jwt);
NHS application-restricted APIs; SMART backend services. `Identity` is what routes are
handed; `ClientCredentials` is its one implementation here.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, wraps
from typing import Any, TypeVar

import flask
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.errors import IssueCode, ScopeMissingError, TokenRequestError, UnauthenticatedError
from gateway.journey.gateway import Gateway
from gateway.journey.sign_in import (
    issue_token,
    refuse_access,
    refuse_token,
    registered_client,
    who_holds,
)
from gateway.referral.directory import Client, Scope
from gateway.referral.identifiers import ClientId
from gateway.referral.model import Sender

ALGORITHMS = ("RS512", "RS384", "ES384")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION = timedelta(minutes=5)
CLOCK_LEEWAY = timedelta(seconds=10)
_JTI = re.compile(r"[!-~]{8,128}")
"""Visible ASCII, as wide as its column. Also keeps out NUL, which PostgreSQL cannot store."""
_OPEN = "open"
_View = TypeVar("_View", bound=Callable[..., Any])


def open_to_anyone(view: _View) -> _View:
    """Declare that a route needs no token."""
    view.may_enter = _OPEN  # type: ignore[attr-defined]  # read by the house test
    return view


def needs(scope: Scope, *others: Scope) -> Callable[[_View], _View]:
    """Declare which scope a route needs; the sender is then in `flask.g.sender`.

    One of `others` lets in too, where only what is sent tells what is needed: the view asks for
    that by `require`.

    Raises:
        UnauthenticatedError: there is no token, or it is unknown, or it has expired.
        ScopeMissingError: the token does not carry the scope.
    """

    def declare(view: _View) -> _View:
        @wraps(view)
        def entered(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # any view
            identity: ClientCredentials = flask.current_app.extensions["house"].identity
            sender = identity.authenticate(flask.request.headers.get("Authorization", ""))
            if sender.scopes.isdisjoint({scope, *others}):
                raise _missing(sender, scope)
            flask.g.sender = sender
            return view(*args, **kwargs)

        entered.may_enter = scope  # type: ignore[attr-defined]  # read by the house test
        return entered  # type: ignore[return-value]  # the same signature

    return declare


def require(scope: Scope) -> None:
    """Ask for a scope once it is known what is sent.

    Raises:
        ScopeMissingError: the token does not carry it; that is on record.
    """
    if scope not in flask.g.sender.scopes:
        raise _missing(flask.g.sender, scope)


def _missing(sender: Sender, scope: Scope) -> ScopeMissingError:
    refuse_access(flask.current_app.extensions["house"].gateway, sender, scope, "scope-missing")
    return ScopeMissingError(f"the token does not carry the scope {scope}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What the token endpoint hands out."""

    access_token: str
    expires_in: timedelta
    scopes: frozenset[Scope]


class ClientCredentials:
    """Signed-JWT client authentication and opaque, short-lived tokens.

    Args:
        gateway: the live objects.
        token_url: the exact `aud` that an assertion must carry.
        lifetime: how long a token is good for.
    """

    def __init__(self, gateway: Gateway, *, token_url: str, lifetime: timedelta) -> None:
        self._gateway = gateway
        self._token_url = token_url
        self._lifetime = lifetime

    def exchange(self, form: dict[str, str]) -> Token:
        """Exchange a client assertion for a token; success and refusal are both recorded.

        1. Find the client that the assertion names, and check its signature and claims.
        2. Check that it may have the scopes that it asks for.
        --- one transaction ---
        3. Use up the assertion; store and record the token.

        Raises:
            TokenRequestError: the request is wrong; `code` is the OAuth error.
        """
        known: list[Client] = []
        try:
            client, jti, forgotten_at = self._checked(form, known)
            scopes = _scopes(form.get("scope", ""), client)
            sender = Sender(client=client.id, ods=client.ods, scopes=scopes)
            token = secrets.token_urlsafe(32)
            issue_token(
                self._gateway, sender, token, self._lifetime, jti=jti, assertion_ends=forgotten_at
            )
        except TokenRequestError as error:
            refuse_token(self._gateway, known[0] if known else None, error.code)
            raise
        return Token(access_token=token, expires_in=self._lifetime, scopes=scopes)

    def authenticate(self, authorization: str) -> Sender:
        """Find who holds the bearer token.

        Raises:
            UnauthenticatedError: there is none, or it is unknown, or it has expired.
        """
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise UnauthenticatedError(
                IssueCode.LOGIN,
                "Send Authorization: Bearer with a token from the token endpoint.",
            )
        found = who_holds(self._gateway, token.strip())
        if found is None:
            raise UnauthenticatedError(
                IssueCode.UNKNOWN, "The token is not one that was issued here. Ask for a new one."
            )
        sender, expires_at = found
        if expires_at <= self._gateway.clock():
            raise UnauthenticatedError(
                IssueCode.EXPIRED, "The token has expired. Ask for a new one."
            )
        return sender

    def _checked(self, form: dict[str, str], known: list[Client]) -> tuple[Client, str, datetime]:
        """Step 1. Puts the client into `known` as soon as the directory knows it.

        Returns: the client, the assertion's id, and until when that id must be remembered.
        """
        if form.get("grant_type") != "client_credentials":
            raise TokenRequestError("unsupported_grant_type", "use client_credentials")
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise TokenRequestError("invalid_request", f"client_assertion_type: {ASSERTION_TYPE}")
        assertion = form.get("client_assertion", "")
        client = registered_client(self._gateway, _named_client(assertion))
        if client is None:
            raise _invalid("the client is not registered here")
        known.append(client)
        claims = _verified(assertion, client)
        if claims.get("sub") != client.id or claims.get("iss") != client.id:
            raise _invalid("iss and sub are both the client id")
        if claims.get("aud") not in (self._token_url, [self._token_url]):
            raise _invalid(f"aud is {self._token_url}")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not _JTI.fullmatch(jti):
            raise _invalid("jti is a unique text of 8 to 128 visible characters, such as a UUID")
        return client, jti, self._expiry(claims) + CLOCK_LEEWAY

    def _expiry(self, claims: dict[str, Any]) -> datetime:
        now = self._gateway.clock()
        expires = claims.get("exp")
        if not isinstance(expires, (int, float)) or not 0 <= expires < 2**40:
            raise _invalid("exp is a time in seconds since 1970")
        ends = datetime.fromtimestamp(expires, UTC)
        if ends <= now - CLOCK_LEEWAY:
            raise _invalid("the assertion has expired: check the clock, and sign a new one")
        if ends > now + LONGEST_ASSERTION + CLOCK_LEEWAY:
            raise _invalid("exp is at most five minutes ahead")
        begins = claims.get("nbf", 0)
        if not isinstance(begins, (int, float)) or begins > (now + CLOCK_LEEWAY).timestamp():
            raise _invalid("nbf is in the future: check the clock")
        return ends


def _invalid(message: str) -> TokenRequestError:
    return TokenRequestError("invalid_client", message)


def _named_client(assertion: str) -> ClientId | None:
    """Read who the assertion claims to be, before anything is believed."""
    from joserfc import jws  # noqa: PLC0415  # only here: nothing unverified goes further

    try:
        claims = jws.extract_compact(assertion.encode()).payload
        named = flask.json.loads(claims).get("iss")
        return ClientId(named) if isinstance(named, str) else None
    except (JoseError, ValueError, AttributeError, RecursionError):
        return None


def _verified(assertion: str, client: Client) -> dict[str, Any]:
    try:
        token = jwt.decode(assertion, _key_set(client.jwks), algorithms=list(ALGORITHMS))
    except (JoseError, ValueError) as error:
        message = "the signature does not fit a registered key (RS512, RS384 or ES384; check kid)"
        raise _invalid(message) from error
    return dict(token.claims)


@lru_cache(maxsize=1024)
def _key_set(jwks: str) -> KeySet:
    return KeySet.import_key_set(flask.json.loads(jwks))


def _scopes(asked: str, client: Client) -> frozenset[Scope]:
    """Grant what is asked, if registered; all that is registered where nothing is asked."""
    if not asked:
        return client.scopes
    try:
        wanted = frozenset(Scope(name) for name in asked.split())
    except ValueError as error:
        raise TokenRequestError("invalid_scope", "a scope that is not known here") from error
    if not wanted <= client.scopes:
        raise TokenRequestError("invalid_scope", "a scope that this client is not registered for")
    return wanted
