"""The front door as one WSGI application: routes, limits, and errors to answers."""

import logging
import time
from datetime import timedelta

import flask
from werkzeug.exceptions import HTTPException

from gateway.errors import GatewayError
from gateway.inbound.answers import Answer, answer_to, http_error, unforeseen
from gateway.inbound.audit_routes import routes as audit_routes
from gateway.inbound.bars_routes import routes as bars_routes
from gateway.inbound.consent_routes import routes as consent_routes
from gateway.inbound.definition_routes import routes as definition_routes
from gateway.inbound.explain_routes import routes as explain_routes
from gateway.inbound.feed_routes import routes as feed_routes
from gateway.inbound.house import ANSWER_WITHIN, House
from gateway.inbound.identity import ClientCredentials
from gateway.inbound.impact_routes import routes as impact_routes
from gateway.inbound.ledger_routes import routes as ledger_routes
from gateway.inbound.media import to_response
from gateway.inbound.open_routes import ping
from gateway.inbound.open_routes import routes as open_routes
from gateway.inbound.outcome_routes import routes as outcome_routes
from gateway.inbound.read_routes import routes as read_routes
from gateway.inbound.referral_routes import routes as referral_routes
from gateway.inbound.reminder_routes import routes as reminder_routes
from gateway.inbound.report_routes import routes as report_routes
from gateway.inbound.request import echo_ids
from gateway.inbound.sharing_routes import routes as sharing_routes
from gateway.inbound.subscription_routes import routes as subscription_routes
from gateway.inbound.task_routes import routes as task_routes
from gateway.inbound.withdrawal_routes import routes as withdrawal_routes
from gateway.journey.gateway import Gateway
from gateway.journey.reach import NOWHERE, Reach
from gateway.referral.model import Door

FHIR_BASE = "/FHIR/R4"
SHARING_BASE = "/sharing"
LEDGER_BASE = "/ledger"
REPORTS_BASE = "/reports"
REMINDERS_BASE = "/reminders"
_FHIR_ROUTES = (
    open_routes,
    referral_routes,
    bars_routes,
    read_routes,
    consent_routes,
    task_routes,
    feed_routes,
    outcome_routes,
    audit_routes,
    definition_routes,
    explain_routes,
    subscription_routes,
)
_ROUTES = {
    SHARING_BASE: (sharing_routes, impact_routes, withdrawal_routes),
    LEDGER_BASE: (ledger_routes,),
    REPORTS_BASE: (report_routes,),
    REMINDERS_BASE: (reminder_routes,),
    FHIR_BASE: _FHIR_ROUTES,
}
_log = logging.getLogger(__name__)


def build_front_door(
    gateway: Gateway,
    *,
    public_url: str,
    token_lifetime: timedelta,
    max_body_bytes: int,
    reach: Reach = NOWHERE,
    answer_within: timedelta = ANSWER_WITHIN,
) -> flask.Flask:
    """Assemble the application.

    Args:
        gateway: the live objects.
        public_url: scheme, host and port under which senders reach this gateway.
        token_lifetime: how long an access token is good for.
        max_body_bytes: longer bodies are refused unread.
        reach: where subscribers may have notifications posted.
        answer_within: how long after its arrival a request may begin anything.
    """
    base_url = public_url.rstrip("/") + FHIR_BASE
    identity = ClientCredentials(
        gateway, token_url=f"{base_url}/oauth2/token", lifetime=token_lifetime
    )
    app = flask.Flask("gateway", static_folder=None)
    app.url_map.merge_slashes = False  # a redirect would repeat the address, query and all
    app.config["MAX_CONTENT_LENGTH"] = max_body_bytes
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False  # it would answer anybody
    app.extensions["house"] = House(
        gateway=gateway,
        base_url=base_url,
        sharing_url=public_url.rstrip("/") + SHARING_BASE,
        identity=identity,
        reach=reach,
        answer_within=answer_within,
    )
    app.register_blueprint(ping)
    for base, rooms in _ROUTES.items():
        for routes in rooms:
            app.register_blueprint(routes, url_prefix=base)
    app.before_request(_start_clock)
    # The last one registered runs first: the log line sees what the others have set.
    app.after_request(_log_line)
    app.after_request(_keep_nowhere)
    app.after_request(echo_ids)
    app.register_error_handler(GatewayError, _refused)
    app.register_error_handler(HTTPException, _not_routed)
    app.register_error_handler(Exception, _unforeseen)
    return app


def _door() -> Door:
    return Door.BARS if flask.request.path.endswith("/$process-message") else Door.REST


def _refused(error: GatewayError) -> flask.Response:
    answer = answer_to(error, _door())
    if answer.http >= 500:  # noqa: PLR2004  # HTTP classes
        _log.warning("answered %d for %s", answer.http, type(error).__name__)
    return to_response(answer)


def _not_routed(error: HTTPException) -> flask.Response:
    headers = dict(error.get_headers(flask.request.environ))
    return to_response(http_error(error.code or 500, headers))


def _unforeseen(error: Exception) -> flask.Response:
    """The request boundary: the other place that catches everything."""
    _log.error("an unforeseen %s at the front door", type(error).__name__)
    answer: Answer = unforeseen()
    return to_response(answer)


def _keep_nowhere(response: flask.Response) -> flask.Response:
    """No cache keeps an answer, and no browser guesses what it is."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _start_clock() -> None:
    flask.g.started = time.monotonic()


def _log_line(response: flask.Response) -> flask.Response:
    """One line a request: the route's pattern, never its values."""
    rule = flask.request.url_rule
    _log.info(
        "request",
        extra={
            "request_id": response.headers.get("X-Request-Id"),
            "route": f"{flask.request.method} {rule.rule if rule else '(none)'}",
            "status": response.status_code,
            "milliseconds": round((time.monotonic() - flask.g.get("started", 0)) * 1000, 1),
        },
    )
    return response
