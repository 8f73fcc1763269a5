"""Reading referrals back, for the practice that sent them.

What enters: a search or an id. What leaves: ServiceRequests of the caller's own practice.
"""

import re
from collections.abc import Mapping
from functools import partial

import flask

from gateway.errors import Fault, IssueCode, NotFoundError, ParameterError
from gateway.fhir.service_request import VERSION, service_request_of
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.request import check_accept, to_response
from gateway.inbound.search import (
    after,
    count,
    malformed,
    own_id,
    page_of,
    parameters,
    period,
    read,
    single,
)
from gateway.journey.look_up import Wanted, own_referral, own_referrals
from gateway.referral.directory import Scope
from gateway.referral.identifiers import (
    NHS_NUMBER_SYSTEM,
    Handle,
    NhsNumber,
    ReferralId,
    normal_system,
)
from gateway.referral.model import ANY_SYSTEM, Identifier

_STATUSES = frozenset(
    {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
)
_KNOWN = frozenset(
    {"patient:identifier", "patient.identifier", "identifier", "ServiceRequest.identifier",
     "status", "_id", "_lastUpdated", "_subject", "_count", "_after", "_format"}
)  # fmt: skip
_NARROWING = _KNOWN - {"_count", "_after", "_format"}

routes = flask.Blueprint("reads", __name__)


@routes.get("/ServiceRequest/<referral_id>")
@needs(Scope.REFERRAL_READ)
def get_referral(referral_id: str) -> flask.Response:
    """Show a referral of the caller's own organisation."""
    return _shown(referral_id)


@routes.get("/ServiceRequest/<referral_id>/_history/<version>")
@needs(Scope.REFERRAL_READ)
def get_referral_version(referral_id: str, version: str) -> flask.Response:
    """Show one version of it; there is one so far."""
    if version != VERSION:
        raise NotFoundError("no version of this number")
    return _shown(referral_id)


@routes.get("/ServiceRequest")
@needs(Scope.REFERRAL_READ)
def search_referrals() -> flask.Response:
    """Search the referrals of the caller's own organisation."""
    check_accept()
    given = parameters(_KNOWN)
    if not _NARROWING & set(given):
        raise ParameterError(
            Fault(
                code=IssueCode.REQUIRED,
                diagnostics="Search by patient:identifier, identifier, status, _id or _lastUpdated.",
            )
        )
    wanted = _wanted(given)
    if "active" not in _statuses(given):
        return to_response(Answer(http=200, body=page_of("ServiceRequest", [], 0, given, None)))
    page, total = own_referrals(flask.g.sender, wanted, house().gateway)
    found = [(r.id, service_request_of(message, r)) for r, message in page]
    last = page[-1][0] if len(page) == wanted.limit else None
    place = (last.received_at, str(last.id)) if last else None
    if last and wanted.nhs_number:
        given = {**given, "_subject": [last.subject]}
    return to_response(Answer(http=200, body=page_of("ServiceRequest", found, total, given, place)))


def _shown(referral_id: str) -> flask.Response:
    check_accept()
    gateway = house().gateway
    referral, message = own_referral(flask.g.sender, own_id(referral_id), gateway)
    body = service_request_of(message, referral)
    return to_response(Answer(http=200, body=body, headers={"ETag": f'W/"{VERSION}"'}))


def _wanted(given: Mapping[str, list[str]]) -> Wanted:
    since, before = period(given)
    ids = single(given, "_id")
    subject = single(given, "_subject")
    return Wanted(
        id=read("_id", "a UUID", lambda: ReferralId(ids)) if ids else None,
        subject=read("_subject", "the one of a next link", partial(Handle, subject))
        if subject
        else None,
        nhs_number=_nhs_number(given),
        identifiers=_identifiers(given),
        updated_from=since,
        updated_before=before,
        after=after(given),
        limit=count(given),
    )


def _identifiers(given: Mapping[str, list[str]]) -> tuple[Identifier, ...]:
    """Read the referral's own identifiers: any one of a list may fit."""
    name, text = _one_spelling(given, "identifier", "ServiceRequest.identifier")
    found = tuple(_own_token(name, each) for each in text.split(",")) if text else ()
    if any(token.system == NHS_NUMBER_SYSTEM for token in found):
        raise malformed(name, "a referral's identifier; a person is found by patient:identifier")
    return found


def _nhs_number(given: Mapping[str, list[str]]) -> NhsNumber | None:
    name, text = _one_spelling(given, "patient:identifier", "patient.identifier")
    if text is None:
        return None
    token = _token(name, text)
    if token.system != NHS_NUMBER_SYSTEM:
        raise malformed(name, f"{NHS_NUMBER_SYSTEM}|number")
    return read(name, "an NHS number of ten digits", partial(NhsNumber, token.value))


def _one_spelling(given: Mapping[str, list[str]], *names: str) -> tuple[str, str | None]:
    """Take a parameter that may be spelt in two ways and given in one of them."""
    present = [name for name in names if name in given] or [names[0]]
    if len(present) > 1:
        raise malformed(present[0], f"given once, not beside {present[1]}")
    return present[0], single(given, present[0])


def _own_token(name: str, text: str) -> Identifier:
    """Read `system|value`, or a value alone; an NHS number alone is none of a referral's."""
    if "|" in text:
        return _token(name, text)
    if re.fullmatch(r"[0-9]{10}", text) and NhsNumber(text).checks:
        raise malformed(name, "a referral's identifier; a person is found by patient:identifier")
    return Identifier(ANY_SYSTEM, text)


def _token(name: str, text: str) -> Identifier:
    system, bar, value = text.partition("|")
    if not bar or not value:
        raise malformed(name, "system|value")
    return Identifier(normal_system(system), value)


def _statuses(given: Mapping[str, list[str]]) -> set[str]:
    texts = [s for value in given.get("status", []) for s in value.split(",")]
    if not set(texts) <= _STATUSES:
        raise malformed("status", "a code of ServiceRequest.status")
    return set(texts) or {"active"}
