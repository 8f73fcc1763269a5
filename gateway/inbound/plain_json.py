"""JSON that is no FHIR: how the doors beside the FHIR one read it.

What enters: the request at hand. What leaves: one JSON object, or a refusal that repeats nothing.
"""

from typing import Final

import flask
from werkzeug.http import parse_options_header

from gateway.errors import Fault, IssueCode, UnsupportedMediaTypeError
from gateway.fhir.json_text import read_json
from gateway.inbound.request import envelope
from gateway.referral.json import JsonObject
from gateway.referral.model import Door

JSON: Final = "application/json"


def plain_body(*, may_be_empty: bool = False) -> JsonObject:
    """Read the body of the request as a JSON object.

    Raises:
        HeaderError: an id of the request is malformed.
        UnsupportedMediaTypeError: the body is packed, or not JSON in UTF-8.
        InvalidMessageError: it is not a JSON object.
    """
    sent = envelope(Door.REST, flask.g.sender, ids_required=False)
    if may_be_empty and not sent.body:
        return {}
    kind, options = parse_options_header(flask.request.headers.get("Content-Type", ""))
    is_utf8 = options.get("charset", "utf-8").lower() in ("utf-8", "utf8")
    packing = flask.request.headers.get("Content-Encoding", "identity").strip().lower()
    if kind.strip().lower() != JSON or not is_utf8 or packing != "identity":
        raise UnsupportedMediaTypeError(
            Fault(
                code=IssueCode.NOT_SUPPORTED,
                diagnostics=f"Send Content-Type: {JSON} in UTF-8, without Content-Encoding.",
            )
        )
    return read_json(sent.body)
