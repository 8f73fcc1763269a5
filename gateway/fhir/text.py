"""Resources as text, in whichever of the two formats of FHIR.

What enters: bytes in JSON or XML, or a tree. What leaves: a tree, or bytes. `json_text` and
`xml_text` say what each format refuses. Whether the resource is right is not checked here.
"""

from enum import StrEnum
from typing import Final, assert_never

import simplejson

from gateway.fhir.json_text import MAX_BYTES, MAX_DEPTH, read_json, write_json
from gateway.fhir.xml_text import read_xml, write_xml
from gateway.referral.json import Json, JsonObject

FHIR_JSON: Final = "application/fhir+json"
FHIR_XML: Final = "application/fhir+xml"


class Media(StrEnum):
    """A format of resources, by its media type. Source: FHIR R4 http.html, section 3.1.0.1.11."""

    JSON = FHIR_JSON
    XML = FHIR_XML


def read_resource(
    body: bytes,
    media: Media | None = None,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
) -> JsonObject:
    """Read a resource; where no format is named, the first byte that is not blank tells it.

    Raises:
        BodyTooLargeError: longer than `max_bytes`.
        InvalidMessageError: it is not a text of that format.
    """
    if media is None:
        media = Media.XML if body.lstrip(b" \t\r\n")[:1] == b"<" else Media.JSON
    match media:
        case Media.JSON:
            return read_json(body, max_bytes=max_bytes, max_depth=max_depth)
        case Media.XML:
            return read_xml(body, max_bytes=max_bytes, max_depth=max_depth)
        case _:
            assert_never(media)


def write_resource(tree: JsonObject, media: Media, *, pretty: bool = False) -> bytes:
    """Write a resource, on one line or, `pretty`, on many.

    Raises:
        ValueError: XML cannot carry it.
    """
    match media:
        case Media.JSON:
            return _pretty_json(tree) if pretty else write_json(tree)
        case Media.XML:
            return write_xml(tree, pretty=pretty)
        case _:
            assert_never(media)


def _pretty_json(tree: JsonObject) -> bytes:
    text = simplejson.dumps(tree, ensure_ascii=False, indent=2, use_decimal=False, default=_decimal)
    return text.encode()


def _decimal(value: Json) -> simplejson.RawJSON:
    return simplejson.RawJSON(write_json(value).decode())
