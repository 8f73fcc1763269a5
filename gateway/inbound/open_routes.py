"""The three doors that need no token: the ping, the capability statement, the token endpoint."""

import flask

from gateway import __version__
from gateway.errors import TokenRequestError
from gateway.inbound.answers import Answer
from gateway.inbound.capability import capability_statement
from gateway.inbound.definition_routes import in_force
from gateway.inbound.house import house
from gateway.inbound.identity import open_to_anyone
from gateway.inbound.media import check_accept, to_response

MAX_FORM_BYTES = 16 * 1024


ping = flask.Blueprint("ping", __name__)
routes = flask.Blueprint("open", __name__)


@ping.get("/_ping")
@routes.get("/_ping")
@open_to_anyone
def say_that_it_is_up() -> flask.Response:
    """Say only that the process is up."""
    return flask.jsonify({"status": "pass", "version": __version__})


@routes.get("/metadata")
@open_to_anyone
def metadata() -> flask.Response:
    """State what is served here."""
    check_accept()
    return to_response(Answer(http=200, body=capability_statement(house().base_url, in_force())))


@routes.post("/oauth2/token")
@open_to_anyone
def token() -> flask.Response:
    """Exchange a client assertion for a token, in the form of RFC 6749."""
    flask.request.max_content_length = MAX_FORM_BYTES
    try:
        granted = house().identity.exchange(flask.request.form.to_dict())
    except TokenRequestError as error:
        body = {"error": error.code, "error_description": str(error)}
        return _not_stored(flask.jsonify(body), 401 if error.code == "invalid_client" else 400)
    return _not_stored(
        flask.jsonify(
            {
                "access_token": granted.access_token,
                "token_type": "Bearer",
                "expires_in": int(granted.expires_in.total_seconds()),
                "scope": " ".join(sorted(granted.scopes)),
            }
        ),
        200,
    )


def _not_stored(response: flask.Response, status: int) -> flask.Response:
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    return response
