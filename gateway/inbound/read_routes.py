"""Reading back: a practice its referrals, an owner its Tasks.

What enters: a search or an id. What leaves: FHIR resources, only those that are the caller's
to see. Parameters that are not known are refused by name; values are never repeated.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

import flask

from gateway.errors import Fault, IssueCode, NotFoundError, ParameterError
from gateway.fhir.service_request import VERSION, searchset, service_request_of
from gateway.fhir.task import gateway_hop, provider_hop
from gateway.inbound.answers import Answer
from gateway.inbound.identity import needs
from gateway.inbound.request import check_accept, to_response
from gateway.journey.gateway import Gateway
from gateway.journey.look_up import Hop, Wanted, own_hop, own_hops, own_referral, own_referrals
from gateway.referral.directory import Scope
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM, NhsNumber, ReferralId, normal_system
from gateway.referral.json import JsonObject
from gateway.referral.model import Identifier

MAX_PAGE = 200
_T = TypeVar("_T")
_STATUSES = frozenset(
    {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown"}
)
_REFERRAL_PARAMETERS = frozenset(
    {"patient:identifier", "patient.identifier", "identifier", "ServiceRequest.identifier",
     "status", "_id", "_lastUpdated", "_count", "_after", "_format"}
)  # fmt: skip
_TASK_PARAMETERS = frozenset({"_lastUpdated", "_count", "_after", "_format"})
_NARROWING = _REFERRAL_PARAMETERS - {"_count", "_after", "_format", "status"}


def read_routes(gateway: Gateway, base_url: str) -> flask.Blueprint:
    """Make the routes that read."""
    routes = flask.Blueprint("reads", __name__)

    @routes.get("/ServiceRequest/<referral_id>")
    @needs(Scope.REFERRAL_READ)
    def get_referral(referral_id: str) -> flask.Response:
        check_accept()
        referral, message = own_referral(flask.g.sender, _referral_id(referral_id), gateway)
        body = service_request_of(message, referral)
        return to_response(Answer(http=200, body=body, headers={"ETag": f'W/"{VERSION}"'}))

    @routes.get("/ServiceRequest/<referral_id>/_history/<version>")
    @needs(Scope.REFERRAL_READ)
    def get_referral_version(referral_id: str, version: str) -> flask.Response:
        if version != VERSION:
            msg = "no version of this number"
            raise NotFoundError(msg)
        return get_referral.__wrapped__(referral_id)  # type: ignore[attr-defined, no-any-return]

    @routes.get("/ServiceRequest")
    @needs(Scope.REFERRAL_READ)
    def search_referrals() -> flask.Response:
        check_accept()
        parameters = _parameters(_REFERRAL_PARAMETERS)
        if not _NARROWING & set(parameters):
            raise ParameterError(
                Fault(
                    code=IssueCode.REQUIRED,
                    diagnostics="Search by patient:identifier, identifier, _id or _lastUpdated.",
                )
            )
        is_active = "active" in _statuses(parameters)
        wanted = _wanted(parameters)
        page, total = own_referrals(flask.g.sender, wanted, gateway) if is_active else ([], 0)
        found = [(r.id, service_request_of(message, r)) for r, message in page]
        last = page[-1][0] if len(page) == wanted.limit else None
        place = (last.updated_at, str(last.id)) if last else None
        body = _page(base_url, "ServiceRequest", found, total, parameters, place)
        return to_response(Answer(http=200, body=body))

    @routes.get("/Task/<hop_id>")
    @needs(Scope.TASK_READ)
    def get_task(hop_id: str) -> flask.Response:
        check_accept()
        hop = own_hop(flask.g.sender, _referral_id(hop_id), gateway)
        body = _task(hop, gateway)
        version = hop.delivery.version if hop.delivery else hop.referral.version
        return to_response(Answer(http=200, body=body, headers={"ETag": f'W/"{version}"'}))

    @routes.get("/Task")
    @needs(Scope.TASK_READ)
    def search_tasks() -> flask.Response:
        check_accept()
        parameters = _parameters(_TASK_PARAMETERS)
        since, _ = _period(parameters)
        limit = _count(parameters)
        after = _after(parameters)
        hops = own_hops(flask.g.sender, since=since, after=after, limit=limit, gateway=gateway)
        found = [(hop.id, _task(hop, gateway)) for hop in hops]
        place = (hops[-1].moved_at, hops[-1].id) if len(hops) == limit else None
        body = _page(base_url, "Task", found, None, parameters, place)
        return to_response(Answer(http=200, body=body))

    return routes


def _task(hop: Hop, gateway: Gateway) -> JsonObject:
    if hop.delivery is None:
        return gateway_hop(hop.referral, gateway.ods)
    return provider_hop(hop.referral, hop.delivery, gateway.ods)


def _referral_id(text: str) -> ReferralId:
    try:
        return ReferralId(text)
    except ValueError:
        msg = "nothing has this id: an id here is a UUID"
        raise NotFoundError(msg) from None


def _parameters(known: frozenset[str]) -> Mapping[str, list[str]]:
    """Take the query apart; refuse what is not known, which might have narrowed the result."""
    given = flask.request.args
    strange = [name for name in given if name not in known]
    if strange:
        raise ParameterError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                diagnostics=f"Only these parameters are supported here: {', '.join(sorted(known))}.",
            )
        )
    return {name: given.getlist(name) for name in given}


def _wanted(parameters: Mapping[str, list[str]]) -> Wanted:
    since, before = _period(parameters)
    names = ("identifier", "ServiceRequest.identifier")
    ids = _single(parameters, "_id")
    return Wanted(
        id=_read("_id", "a UUID", lambda: ReferralId(ids)) if ids else None,
        nhs_number=_nhs_number(parameters),
        identifiers=tuple(
            _token(name, text)
            for name in names
            for value in parameters.get(name, [])
            for text in value.split(",")
        ),
        updated_from=since,
        updated_before=before,
        after=_after(parameters),
        limit=_count(parameters),
    )


def _nhs_number(parameters: Mapping[str, list[str]]) -> NhsNumber | None:
    for name in ("patient:identifier", "patient.identifier"):
        text = _single(parameters, name)
        if text:
            token = _token(name, text)
            if token.system != NHS_NUMBER_SYSTEM:
                raise _malformed(name, f"{NHS_NUMBER_SYSTEM}|number")
            return _read(name, "an NHS number of ten digits", lambda: NhsNumber(token.value))
    return None


def _token(name: str, text: str) -> Identifier:
    system, bar, value = text.partition("|")
    if not bar or not value:
        raise _malformed(name, "system|value")
    return Identifier(normal_system(system), value)


def _statuses(parameters: Mapping[str, list[str]]) -> set[str]:
    texts = [s for value in parameters.get("status", []) for s in value.split(",")]
    if not set(texts) <= _STATUSES:
        raise _malformed("status", "a code of ServiceRequest.status")
    return set(texts) or {"active"}


_DATE = re.compile(
    r"(?P<prefix>eq|ge|gt|le|lt)?(?P<moment>\d{4}-\d{2}-\d{2}"
    r"(?P<time>T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+ -]\d{2}:\d{2}))?)"
)


def _period(parameters: Mapping[str, list[str]]) -> tuple[datetime | None, datetime | None]:
    """Read `_lastUpdated`, once or twice, as a half-open period."""
    since: datetime | None = None
    before: datetime | None = None
    for text in parameters.get("_lastUpdated", []):
        found = _DATE.fullmatch(text)
        if found is None:
            raise _malformed("_lastUpdated", "a date or time such as ge2026-01-31 or"
                             " gt2026-01-31T09:00:00Z")  # fmt: skip
        start, end = _moments(found)
        prefix = found["prefix"] or "eq"
        if prefix in ("ge", "eq"):
            since = start
        if prefix == "gt":
            since = end
        if prefix in ("le", "eq"):
            before = end
        if prefix == "lt":
            before = start
    return since, before


def _moments(found: re.Match[str]) -> tuple[datetime, datetime]:
    """Return the first instant of a date or time, and the first one after it."""
    text = found["moment"].replace(" ", "+")  # an unescaped + arrives as a blank
    moment = _read("_lastUpdated", "a real date", lambda: datetime.fromisoformat(text))
    if found["time"]:
        return moment.astimezone(UTC), moment.astimezone(UTC) + timedelta(microseconds=1)
    first = moment.replace(tzinfo=UTC)
    return first, first + timedelta(days=1)


def _count(parameters: Mapping[str, list[str]]) -> int:
    text = _single(parameters, "_count")
    if not text:
        return 50
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) == 0:
        raise _malformed("_count", f"a number from 1 to {MAX_PAGE}")
    return min(int(text), MAX_PAGE)


def _after(parameters: Mapping[str, list[str]]) -> tuple[datetime, str] | None:
    text = _single(parameters, "_after")
    if not text:
        return None
    try:
        moment, _, row = base64.urlsafe_b64decode(text).decode("ascii").partition("|")
        return datetime.fromisoformat(moment), ReferralId(row)
    except (binascii.Error, ValueError):
        raise _malformed("_after", "the one of a next link") from None


def _page(
    base_url: str,
    kind: str,
    found: Sequence[tuple[str, JsonObject]],
    total: int | None,
    parameters: Mapping[str, list[str]],
    place: tuple[datetime, str] | None,
) -> JsonObject:
    """Make the searchset. The next link carries the search by reference to its place only.

    A link repeats the parameters, and a search by patient repeats the NHS number; so links
    of such a search leave it out, and the client adds it again.
    """
    kept = {n: v for n, v in parameters.items() if not n.startswith("patient") and n != "_after"}
    self_url = f"{base_url}/{kind}" + (f"?{urlencode(kept, doseq=True)}" if kept else "")
    next_url = None
    if place is not None:
        mark = base64.urlsafe_b64encode(f"{place[0].isoformat()}|{place[1]}".encode()).decode()
        next_url = f"{base_url}/{kind}?{urlencode({**kept, '_after': mark}, doseq=True)}"
    return searchset(
        [(f"{base_url}/{kind}/{own}", resource) for own, resource in found],
        total=total,
        self_url=self_url,
        next_url=next_url,
    )


def _single(parameters: Mapping[str, list[str]], name: str) -> str | None:
    values = parameters.get(name, [])
    if len(values) > 1:
        raise _malformed(name, "given once")
    return values[0] if values else None


def _read(name: str, wanted: str, parse: Callable[[], _T]) -> _T:
    try:
        return parse()
    except ValueError:
        raise _malformed(name, wanted) from None


def _malformed(name: str, wanted: str) -> ParameterError:
    return ParameterError(
        Fault(code=IssueCode.VALUE, diagnostics=f"The parameter {name} is {wanted}.")
    )
