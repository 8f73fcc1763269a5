"""The consent register's door, for the practice whose patients they are.

What enters: a Consent, an id or a search. What leaves: Consents of the caller's own practice.
A change is a new version; nothing is edited and nothing is deleted.
Source: FHIR R4 http.html, create, update, history; Consent, status.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import flask
from werkzeug.http import http_date

from gateway.consent.register import Registered
from gateway.errors import Fault, IssueCode, NotFoundError, ParameterError, Severity
from gateway.fhir.outcome import operation_outcome
from gateway.fhir.read_consent import IncomingConsent, read_consent
from gateway.fhir.service_request import history
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import check_accept, numbered, shown, to_response
from gateway.inbound.request import envelope, known_version, read_body, taken_up_as, wish
from gateway.inbound.search import (
    after,
    count,
    malformed,
    nhs_number,
    own_token,
    page_of,
    parameters,
    period,
    read,
    single,
)
from gateway.journey.consents import (
    Wanted,
    change_consent,
    consent_receipt,
    is_clear,
    own_consents,
    own_versions,
    record_consent,
    show_versions,
)
from gateway.journey.show_withdrawn import is_about
from gateway.journey.withdraw import acknowledge
from gateway.ledger.kinds import Interaction
from gateway.referral.directory import Scope
from gateway.referral.identifiers import ConsentId, Handle
from gateway.referral.json import JsonObject
from gateway.referral.model import Door

_STATUSES: Final = frozenset(
    "draft proposed active rejected inactive entered-in-error".split()
)  # Source: FHIR R4, consent-state-codes
_KNOWN: Final = frozenset(
    "patient:identifier patient.identifier identifier status _id _lastUpdated _subject _count"
    " _after".split()
)
_NARROWING: Final = _KNOWN - {"_count", "_after"}
_UNCLEAR: Final = (
    "The Consent was recorded, and it holds something that the sharing rules do not understand."
    " Until it is superseded, referrals that it may touch are held for a person."
)

routes = flask.Blueprint("consents", __name__)


@routes.post("/Consent")
@needs(Scope.CONSENT_CREATE)
def post_consent() -> flask.Response:
    """Record a Consent of one person, by NHS number."""
    check_accept()
    _refuse_condition()
    arrived = envelope(Door.REST, flask.g.sender, ids_required=False)
    with taken_up_as(arrived, consent_receipt) as (sent, before):
        incoming, warnings = _incoming(*read_body(sent))
        made = before or record_consent(incoming, sent, house().gateway)
    return to_response(_receipt(made, 201, warnings, is_repeat=before is not None))


@routes.put("/Consent/<consent_id>")
@needs(Scope.CONSENT_UPDATE)
def put_consent(consent_id: str) -> flask.Response:
    """Append a version. If-Match names the version that the sender has read."""
    check_accept()
    arrived = envelope(Door.REST, flask.g.sender, ids_required=False)
    with taken_up_as(arrived, consent_receipt) as (sent, before):
        incoming, warnings = _incoming(*read_body(sent))
        changed = before or change_consent(
            _own_id(consent_id), known_version(), incoming, sent, house().gateway
        )
    return to_response(_receipt(changed, 200, warnings, is_repeat=before is not None))


@routes.get("/Consent/<consent_id>")
@needs(Scope.CONSENT_READ)
def get_consent(consent_id: str) -> flask.Response:
    """Show a Consent in its newest version."""
    check_accept()
    return to_response(shown(_versions(consent_id, Interaction.READ)[-1]))


@routes.get("/Consent/<consent_id>/_history")
@needs(Scope.CONSENT_READ)
def get_consent_history(consent_id: str) -> flask.Response:
    """List every version of it, the newest first."""
    check_accept()
    parameters(frozenset())
    versions = _versions(consent_id, Interaction.HISTORY)
    url = f"{house().base_url}/Consent/{versions[0]['id']}"
    return to_response(Answer(http=200, body=history(versions, url)))


@routes.get("/Consent/<consent_id>/_history/<version>")
@needs(Scope.CONSENT_READ)
def get_consent_version(consent_id: str, version: str) -> flask.Response:
    """Show one version of it."""
    check_accept()
    return to_response(shown(numbered(_versions(consent_id, Interaction.VREAD), version)))


@routes.get("/Consent")
@needs(Scope.CONSENT_READ)
def search_consents() -> flask.Response:
    """Search the register of the caller's own practice; each Consent in its newest version."""
    check_accept(counts=True)
    given = parameters(_KNOWN)
    if not _NARROWING & set(given):
        raise ParameterError(
            Fault(
                code=IssueCode.REQUIRED,
                diagnostics="Search by patient:identifier, identifier, status, _id or"
                " _lastUpdated.",
            )
        )
    wanted = _wanted(given)
    page, total = own_consents(flask.g.sender, wanted, house().gateway)
    last = page[-1][0] if len(page) == wanted.limit else None
    place = (last.updated_at, str(last.id)) if last else None
    links = _linked(given, wanted, page[0][0].subject if page else None)
    found = [(consent.id, tree) for consent, tree in page]
    return to_response(Answer(http=200, body=page_of("Consent", found, total, links, place)))


def _refuse_condition() -> None:
    """Refuse a condition that is not kept here, rather than pass over it."""
    if "If-None-Exist" in flask.request.headers:
        raise ParameterError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                diagnostics="Leave If-None-Exist out: no two Consents of a practice have one"
                " identifier here anyway. Send X-Request-Id to repeat a request safely.",
            )
        )


def _incoming(tree: JsonObject, warnings: Sequence[Fault]) -> tuple[IncomingConsent, list[Fault]]:
    """Read a Consent; say what was tolerated, and whether the rules will understand it."""
    incoming = read_consent(tree)
    unclear = Fault(
        severity=Severity.WARNING,
        code=IssueCode.NOT_SUPPORTED,
        expression="Consent",
        diagnostics=_UNCLEAR,
    )
    return incoming, [*warnings, *([] if is_clear(incoming) else [unclear])]


def _receipt(made: Registered, http: int, warnings: Sequence[Fault], *, is_repeat: bool) -> Answer:
    """Show the version as stored; with `Prefer: return=` the remarks on it, or nothing.

    What it withdraws was awaited when it was taken in; the same request again awaits the rest.
    """
    if is_repeat:
        acknowledge(house().gateway, practice=made.practice, subject=made.subject)
    headers = {
        "Location": f"{house().base_url}/Consent/{made.id}/_history/{made.version}",
        "ETag": f'W/"{made.version}"',
        "Last-Modified": http_date(made.updated_at),
        **_related(made),
    }
    match wish():
        case "minimal":
            body = None
        case "OperationOutcome":
            body = operation_outcome(warnings or [_all_well()], code=None)
        case _:
            versions = own_versions(flask.g.sender, made.id, house().gateway)
            body = versions[made.version - 1]
    return Answer(http=http, body=body, headers=headers)


def _related(made: Registered) -> dict[str, str]:
    """Link to what became of what a withdrawal of this Consent covers, where there was one."""
    if not is_about(house().gateway, made.practice, made.id):
        return {}
    return {"Link": f'<{house().sharing_url}/withdrawals?about={made.id}>; rel="related"'}


def _all_well() -> Fault:
    return Fault(
        severity=Severity.INFORMATION,
        code=IssueCode.INFORMATIONAL,
        diagnostics="The Consent was recorded, with nothing to remark on.",
    )


def _versions(consent_id: str, interaction: Interaction) -> list[JsonObject]:
    return show_versions(flask.g.sender, _own_id(consent_id), house().gateway, interaction)


def _own_id(text: str) -> ConsentId:
    """Read the id of a path; what is no UUID names nothing here."""
    try:
        return ConsentId(text)
    except ValueError:
        msg = "nothing has this id: an id here is a UUID"
        raise NotFoundError(msg) from None


def _wanted(given: Mapping[str, list[str]]) -> Wanted:
    since, before = period(given)
    own, subject = single(given, "_id"), single(given, "_subject")
    names = single(given, "identifier")
    return Wanted(
        id=read("_id", "a UUID", partial(ConsentId, own)) if own else None,
        subject=read("_subject", "the one of a next link", partial(Handle, subject))
        if subject
        else None,
        nhs_number=nhs_number(given),
        statuses=_statuses(given),
        identifiers=tuple(
            own_token("identifier", each) for each in (names or "").split(",") if each
        ),
        updated_from=since,
        updated_before=before,
        after=after(given),
        limit=count(given),
    )


def _statuses(given: Mapping[str, list[str]]) -> frozenset[str] | None:
    """Read the statuses wanted. None: any."""
    if "status" not in given:
        return None
    texts = frozenset(text for value in given["status"] for text in value.split(","))
    if not texts <= _STATUSES:
        raise malformed("status", "a code of Consent.status")
    return texts


def _linked(
    given: Mapping[str, list[str]], wanted: Wanted, subject: Handle | None
) -> Mapping[str, list[str]]:
    """Make the parameters of the links: a person is in them by handle only, or they are bare."""
    links = {name: values for name, values in given.items() if not name.startswith("patient")}
    if wanted.nhs_number:
        if subject is None:
            return {}
        links["_subject"] = [subject]
    return links
