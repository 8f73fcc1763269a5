"""Content negotiation: in which format a body comes, and in which the answer goes.

What enters: the headers and the query of a request; a body; an answer as a tree. What leaves:
a tree; a response in the format and the part that was asked for, or a refusal that repeats
nothing. `_format` wins over Accept. A body that is packed is never unpacked. Source: FHIR R4
http.html, "Content Types and encodings"; BaRS content negotiation.
"""

import logging
import re
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final

import flask
from werkzeug.http import http_date, parse_options_header

from gateway.errors import (
    Fault,
    GatewayError,
    IssueCode,
    NotAcceptableError,
    NotFoundError,
    ParameterError,
    UnsupportedMediaTypeError,
)
from gateway.fhir.json_text import write_json
from gateway.fhir.summary import Part, Summary, part_of
from gateway.fhir.tables import load_tables
from gateway.fhir.text import FHIR_JSON, FHIR_XML, Media, read_resource, write_resource
from gateway.inbound.answers import Answer, unforeseen
from gateway.referral.json import JsonObject, child, string

API_MAJOR: Final = 1
"""The major version of the BaRS API that is spoken here."""

FORMATS: Final = (FHIR_JSON, FHIR_XML)
"""What is read and written here, as the capability statement says it."""

SHAPING: Final = frozenset({"_format", "_pretty", "_summary", "_elements"})
"""Parameters that shape an answer and never what is found."""

_FHIR_VERSIONS: Final = ("4.0", "4.0.1")
_MEDIA: Final = {
    FHIR_JSON: Media.JSON,
    "application/json": Media.JSON,
    "text/json": Media.JSON,
    FHIR_XML: Media.XML,
    "application/xml": Media.XML,
    "text/xml": Media.XML,
}
_SHORT: Final = {"json": Media.JSON, "xml": Media.XML}
_ANY: Final = ("*/*", "application/*")
_VERSION: Final = re.compile(
    r"(?<![\w-])version\s*=\s*\"?(\d{1,4})(?:\.\d{1,6}){0,2}", re.IGNORECASE
)
_log = logging.getLogger(__name__)


def check_accept(*, counts: bool = False) -> None:
    """Refuse a request whose answer could not be given as asked, before anything is done.

    Args:
        counts: this is a search that knows its total, so that `_summary=count` has an answer.

    Raises:
        NotAcceptableError: another media type, or another major version of the API.
        ParameterError: `_pretty`, `_summary` or `_elements` cannot be understood.
    """
    _asked_media()
    majors = [int(found) for found in _VERSION.findall(flask.request.headers.get("Accept", ""))]
    if majors and max(majors) != API_MAJOR:
        raise _not_acceptable(
            f"Version {API_MAJOR} of the API is spoken here. Accept {FHIR_JSON};"
            f" version={API_MAJOR}.0.0 or a later {API_MAJOR}.x."
        )
    if _only("_pretty", "given once") not in (None, "true", "false"):
        raise _malformed("_pretty", "true or false")
    if flask.request.method in ("GET", "HEAD"):
        flask.g.part = _asked_part(counts=counts)


def is_only_counted() -> bool:
    """Whether the caller asked for the total alone, so that there are no pages."""
    part: Part = flask.g.get("part", Part())
    return part.summary is Summary.COUNT


def body_tree(body: bytes) -> JsonObject:
    """Read a body in the format that its headers name.

    Raises:
        UnsupportedMediaTypeError: the body is packed, or not FHIR in JSON or XML in UTF-8.
        BodyTooLargeError: it is longer than is read.
        InvalidMessageError: it is not a text of that format.
    """
    kind, options = parse_options_header(flask.request.headers.get("Content-Type", ""))
    media = _MEDIA.get(kind.strip().lower())
    charset = options.get("charset", "utf-8").lower()
    if media is None or charset not in ("utf-8", "utf8") or not _is_r4(options):
        raise _unsupported(f"Send Content-Type: {FHIR_JSON} or {FHIR_XML}, in UTF-8, as FHIR R4.")
    if flask.request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise _unsupported("A packed body is not taken here. Send it without Content-Encoding.")
    return read_resource(body, media)


def to_response(answer: Answer) -> flask.Response:
    """Write an answer in the format and the part that was asked for. Never raises.

    Where the format asked for cannot be given, or cannot carry the answer, it goes in JSON;
    a reader is then told of an error, whereas what was accepted is never called an error.
    """
    if answer.body is None:
        empty = flask.Response(status=answer.http, headers=dict(answer.headers))
        del empty.headers["Content-Type"]  # of nothing there is no type
        return empty
    media = _media_or_json()
    part: Part = flask.g.get("part", Part())
    body = part_of(answer.body, part)
    is_pretty = flask.request.args.get("_pretty") == "true"
    try:
        text = write_resource(body, media, pretty=is_pretty)
    except (TypeError, ValueError) as error:
        _log.error("an answer could not be written as %s: %s", media.value, type(error).__name__)
        is_reading = flask.request.method in ("GET", "HEAD")
        answer = unforeseen() if is_reading else answer
        media, text = Media.JSON, write_json(answer.body)
    response = flask.Response(text, answer.http, content_type=media.value)
    response.headers.update(answer.headers)
    response.vary.add("Accept")
    return response


def unless_known(answer: Answer) -> Answer:
    """Leave the body out where the caller says that it has this version (If-None-Match)."""
    etag = answer.headers.get("ETag", "").removeprefix("W/").strip('"')
    if flask.request.if_none_match.contains_weak(etag):
        return Answer(http=304, body=None, headers=answer.headers)
    return answer


def numbered(versions: Sequence[JsonObject], number: str) -> JsonObject:
    """Pick one of some versions, the oldest first, by the number in an address.

    Raises:
        NotFoundError: there is no version of this number.
    """
    if not re.fullmatch(r"[1-9][0-9]{0,5}", number) or int(number) > len(versions):
        msg = "no version of this number"
        raise NotFoundError(msg)
    return versions[int(number) - 1]


def shown(version: JsonObject) -> Answer:
    """Show one version, unless the caller says that it has it (If-None-Match)."""
    meta = child(version, "meta") or {}
    etag = f'W/"{string(meta, "versionId")}"'
    headers = {
        "ETag": etag,
        "Last-Modified": http_date(datetime.fromisoformat(string(meta, "lastUpdated") or "")),
    }
    return unless_known(Answer(http=200, body=version, headers=headers))


def _media_or_json() -> Media:
    try:
        return _asked_media()
    except GatewayError:
        return Media.JSON


def _asked_media() -> Media:
    wanted = _only("_format", "given once")
    if wanted is None:
        return _accepted_media()
    name = wanted.lower().replace(" ", "+")  # an unescaped + arrives as a blank
    media = _SHORT.get(name) or _MEDIA.get(name)
    if media is None:
        raise _not_acceptable(f"_format is json, xml, {FHIR_JSON} or {FHIR_XML}.")
    return media


def _accepted_media() -> Media:
    """Choose by Accept: by quality; then what is named before what is only permitted."""
    if not flask.request.headers.get("Accept", "").strip():
        return Media.JSON
    named: dict[Media, float] = {}
    ranges: dict[str, float] = {}
    for value, quality in flask.request.accept_mimetypes:
        kind, options = parse_options_header(value)
        media = _MEDIA.get(kind.lower())
        if media is not None and _is_r4(options):
            named[media] = max(quality, named.get(media, 0))
        elif kind in _ANY:
            ranges[kind] = quality
    permitted = ranges.get("application/*", ranges.get("*/*", 0))
    quality_of = {media: named.get(media, permitted) for media in (*named, *Media)}
    best: Media = max(quality_of, key=lambda media: (quality_of[media], media in named))
    if quality_of[best] <= 0:
        raise _not_acceptable(f"Accept {FHIR_JSON} or {FHIR_XML}.")
    return best


def _is_r4(options: dict[str, str]) -> bool:
    return options.get("fhirversion", "4.0") in _FHIR_VERSIONS


def _asked_part(*, counts: bool) -> Part:
    summary, elements = _only("_summary", "given once"), _only("_elements", "given once")
    try:
        part = Part(summary=Summary(summary or "false"), elements=_names(elements))
    except ValueError:
        raise _malformed("_summary", "true, text, data, count or false") from None
    if part.elements and part.summary is not Summary.FALSE:
        raise _malformed("_elements", "given without _summary")
    if part.summary is Summary.COUNT and not counts:
        raise _malformed("_summary", "true, text, data or false here: nothing is counted")
    return part


def _names(text: str | None) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(",")) if text else frozenset()
    if not names <= _element_names():
        raise _malformed("_elements", "a list of elements of the resource, parted by commas")
    return names


@cache
def _element_names() -> frozenset[str]:
    """Name each element of each resource type, alone and after its type."""
    found: set[str] = set()
    for name, spec in load_tables().types.items():
        if spec.is_resource:
            labels = {element.label for element in spec.elements.values()}
            found |= labels | {f"{name}.{label}" for label in labels}
    return frozenset(found)


def _only(name: str, wanted: str) -> str | None:
    values = flask.request.args.getlist(name)
    if len(values) > 1 or values == [""]:
        raise _malformed(name, wanted)
    return values[0] if values else None


def _malformed(name: str, wanted: str) -> ParameterError:
    return ParameterError(
        Fault(code=IssueCode.VALUE, diagnostics=f"The parameter {name} is {wanted}.")
    )


def _not_acceptable(says: str) -> NotAcceptableError:
    return NotAcceptableError(Fault(code=IssueCode.PROCESSING, diagnostics=says))


def _unsupported(says: str) -> UnsupportedMediaTypeError:
    return UnsupportedMediaTypeError(Fault(code=IssueCode.NOT_SUPPORTED, diagnostics=says))
