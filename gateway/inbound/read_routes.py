"""Reading referrals back, for the practice that sent them and the provider that has them.

What enters: a search or an id. What leaves: ServiceRequests of the caller's own practice; to a
provider, one that was brought to it, as it may be shown now.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import partial

import flask
from werkzeug.exceptions import MethodNotAllowed

from gateway.errors import Fault, IssueCode, ParameterError
from gateway.fhir.demographics import demographic_name
from gateway.fhir.service_request import history, service_request_of
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import check_accept, numbered, shown, to_response
from gateway.inbound.search import (
    after,
    count,
    malformed,
    nhs_number,
    one_spelling,
    own_id,
    own_token,
    page_of,
    parameters,
    period,
    read,
    single,
)
from gateway.journey.look_up import (
    Wanted,
    mark_of,
    own_referrals,
    present_version,
    show_referral,
)
from gateway.journey.show_again import brought_to, show_again
from gateway.ledger.kinds import Interaction
from gateway.referral.directory import Scope
from gateway.referral.identifiers import Handle, ReferralId
from gateway.referral.json import JsonObject
from gateway.referral.lifecycle import RequestStatus
from gateway.referral.model import Identifier

_PERSON = ("name", "birthdate", "address-postalcode")
_STATUSES = frozenset(
    {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
)
_KNOWN = frozenset(
    {"patient:identifier", "patient.identifier", "identifier", "ServiceRequest.identifier",
     "status", "_id", "_lastUpdated", "_subject", "_person", "_count", "_after",
     *(f"patient{mark}{each}" for mark in ":." for each in _PERSON)}
)  # fmt: skip
_NARROWING = _KNOWN - {"_count", "_after"}

routes = flask.Blueprint("reads", __name__)


@routes.get("/ServiceRequest/<referral_id>")
@needs(Scope.REFERRAL_READ)
def get_referral(referral_id: str) -> flask.Response:
    """Show a referral of the caller's own organisation, in its present version.

    A provider to whom it was brought is shown what may leave at this moment, without an ETag:
    what may leave changes while the referral does not.

    Raises:
        MethodNotAllowed: it is no id but the operation, which is posted.
    """
    if referral_id in ("$validate", "$explain"):
        raise MethodNotAllowed(["POST"])
    check_accept()
    brought = brought_to(flask.g.sender, own_id(referral_id), house().gateway)
    if brought is not None:
        body = show_again(flask.g.sender, brought, house().gateway)
        return to_response(Answer(http=200, body=body))
    versions = _versions(referral_id, Interaction.READ)
    return to_response(shown(versions[-1]))


@routes.get("/ServiceRequest/<referral_id>/_history")
@needs(Scope.REFERRAL_READ)
def get_referral_history(referral_id: str) -> flask.Response:
    """List every version of it, the newest first."""
    check_accept()
    parameters(frozenset())
    versions = _versions(referral_id, Interaction.HISTORY)
    url = f"{house().base_url}/ServiceRequest/{versions[0]['id']}"
    return to_response(Answer(http=200, body=history(versions, url)))


@routes.get("/ServiceRequest/<referral_id>/_history/<version>")
@needs(Scope.REFERRAL_READ)
def get_referral_version(referral_id: str, version: str) -> flask.Response:
    """Show one version of it."""
    check_accept()
    return to_response(shown(numbered(_versions(referral_id, Interaction.VREAD), version)))


@routes.get("/ServiceRequest")
@needs(Scope.REFERRAL_READ)
def search_referrals() -> flask.Response:
    """Search the referrals of the caller's own organisation."""
    check_accept(counts=True)
    given = parameters(_KNOWN)
    if not _NARROWING & set(given):
        raise ParameterError(
            Fault(
                code=IssueCode.REQUIRED,
                diagnostics="Search by patient:identifier, identifier, status, _id or"
                " _lastUpdated; or by patient:name, patient:birthdate and"
                " patient:address-postalcode together.",
            )
        )
    wanted = _wanted(given)
    page, total = own_referrals(flask.g.sender, wanted, house().gateway)
    found = [(kept.referral.id, present_version(kept)) for kept in page]
    last = page[-1].referral if len(page) == wanted.limit else None
    place = (last.content_at, str(last.id)) if last else None
    links = _linked(given, wanted, page[0].referral.subject if page else None)
    return to_response(Answer(http=200, body=page_of("ServiceRequest", found, total, links, place)))


def _linked(
    given: Mapping[str, list[str]], wanted: Wanted, subject: Handle | None
) -> Mapping[str, list[str]]:
    """Make the parameters of the links: a person is in them by a mark only, or they are bare.

    A link without its person would be another search, or none at all. So where an NHS number
    found nobody, and hence no handle, the self link is the address alone.
    """
    links = {name: values for name, values in given.items() if not name.startswith("patient")}
    if wanted.nhs_number:
        if subject is None:
            return {}
        links["_subject"] = [subject]
    if wanted.person:
        links["_person"] = [mark_of(wanted.person, house().gateway)]
    return links


def _versions(referral_id: str, interaction: Interaction) -> list[JsonObject]:
    """Show every version, oldest first."""
    kept = show_referral(flask.g.sender, own_id(referral_id), house().gateway, interaction)
    changes = [None, *kept.changes]
    return [service_request_of(kept.message, kept.referral, each) for each in changes]


def _wanted(given: Mapping[str, list[str]]) -> Wanted:
    since, before = period(given)
    ids = single(given, "_id")
    subject = single(given, "_subject")
    mark = single(given, "_person")
    return Wanted(
        id=read("_id", "a UUID", lambda: ReferralId(ids)) if ids else None,
        subject=read("_subject", "the one of a next link", partial(Handle, subject))
        if subject
        else None,
        nhs_number=nhs_number(given),
        person=_person(given),
        mark=read("_person", "the one of a next link", partial(_mark, mark)) if mark else None,
        statuses=_statuses(given),
        identifiers=_identifiers(given),
        updated_from=since,
        updated_before=before,
        after=after(given),
        limit=count(given),
    )


def _identifiers(given: Mapping[str, list[str]]) -> tuple[Identifier, ...]:
    """Read the referral's own identifiers: any one of a list may fit."""
    name, text = one_spelling(given, "identifier", "ServiceRequest.identifier")
    return tuple(own_token(name, each) for each in text.split(",")) if text else ()


def _person(given: Mapping[str, list[str]]) -> Identifier | None:
    """Read name, date of birth and postcode, which are asked for together."""
    texts = [one_spelling(given, f"patient:{each}", f"patient.{each}")[1] for each in _PERSON]
    if not any(texts):
        return None
    name, born, postcode = (text or "" for text in texts)
    if not (name and born and postcode):
        raise ParameterError(
            Fault(
                code=IssueCode.REQUIRED,
                diagnostics="Give patient:name, patient:birthdate and patient:address-postalcode"
                " together: each alone would find strangers.",
            )
        )
    born = born.removeprefix("eq")
    day = read("patient:birthdate", "a date such as 1980-01-31", partial(_day, born))
    return demographic_name(name, day.isoformat(), postcode)


def _day(text: str) -> date:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        raise ValueError
    return date.fromisoformat(text)


def _mark(text: str) -> bytes:
    if not re.fullmatch(r"[0-9a-f]{64}", text):
        raise ValueError
    return bytes.fromhex(text)


def _statuses(given: Mapping[str, list[str]]) -> frozenset[RequestStatus] | None:
    """Read the statuses wanted, of which some are never given here. None: any."""
    if "status" not in given:
        return None
    texts = {text for value in given["status"] for text in value.split(",")}
    if not texts <= _STATUSES:
        raise malformed("status", "a code of ServiceRequest.status")
    return frozenset(status for status in RequestStatus if status.value in texts)
