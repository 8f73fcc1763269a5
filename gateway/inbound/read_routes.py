"""Reading referrals back, for the practice that sent them.

What enters: a search or an id. What leaves: ServiceRequests of the caller's own practice.
"""

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
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM, NhsNumber, ReferralId, normal_system
from gateway.referral.model import Identifier

_STATUSES = frozenset(
    {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
)
_KNOWN = frozenset(
    {"patient:identifier", "patient.identifier", "identifier", "ServiceRequest.identifier",
     "status", "_id", "_lastUpdated", "_count", "_after", "_format"}
)  # fmt: skip
_NARROWING = _KNOWN - {"_count", "_after", "_format", "status"}

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
                diagnostics="Search by patient:identifier, identifier, _id or _lastUpdated.",
            )
        )
    wanted = _wanted(given)
    if "active" not in _statuses(given):
        return to_response(Answer(http=200, body=page_of("ServiceRequest", [], 0, given, None)))
    page, total = own_referrals(flask.g.sender, wanted, house().gateway)
    found = [(r.id, service_request_of(message, r)) for r, message in page]
    last = page[-1][0] if len(page) == wanted.limit else None
    place = (last.updated_at, str(last.id)) if last else None
    return to_response(Answer(http=200, body=page_of("ServiceRequest", found, total, given, place)))


def _shown(referral_id: str) -> flask.Response:
    check_accept()
    gateway = house().gateway
    referral, message = own_referral(flask.g.sender, own_id(referral_id), gateway)
    body = service_request_of(message, referral)
    return to_response(Answer(http=200, body=body, headers={"ETag": f'W/"{VERSION}"'}))


def _wanted(given: Mapping[str, list[str]]) -> Wanted:
    since, before = period(given)
    names = ("identifier", "ServiceRequest.identifier")
    ids = single(given, "_id")
    return Wanted(
        id=read("_id", "a UUID", lambda: ReferralId(ids)) if ids else None,
        nhs_number=_nhs_number(given),
        identifiers=tuple(
            _token(name, text)
            for name in names
            for value in given.get(name, [])
            for text in value.split(",")
        ),
        updated_from=since,
        updated_before=before,
        after=after(given),
        limit=count(given),
    )


def _nhs_number(given: Mapping[str, list[str]]) -> NhsNumber | None:
    for name in ("patient:identifier", "patient.identifier"):
        text = single(given, name)
        if text:
            token = _token(name, text)
            if token.system != NHS_NUMBER_SYSTEM:
                raise malformed(name, f"{NHS_NUMBER_SYSTEM}|number")
            return read(name, "an NHS number of ten digits", partial(NhsNumber, token.value))
    return None


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
