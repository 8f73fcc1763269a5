"""The ledger's signed heads, for anybody: whoever keeps one can prove a later change.

What enters: a year, and a size. What leaves: the signed note as it is, or a 404 in plain words.
No token is asked for: a checkpoint holds the log's name, how many entries it has and a hash over
them, and is worth the more, the more people keep it. Must never: show an entry or a tile.
Source: c2sp.org/tlog-checkpoint.
"""

import re

import flask

from gateway.errors import NotFoundError
from gateway.inbound.house import house
from gateway.inbound.identity import open_to_anyone
from gateway.journey.published import published_key, published_note

_PLAIN = "text/plain; charset=utf-8"
_KEEP = "max-age=10"
"""Seconds for which a cache may keep it: a note gets further cosignatures, and soon a successor."""

_YEAR = re.compile(r"[0-9]{4}", re.ASCII)
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)

routes = flask.Blueprint("ledger", __name__)


@routes.get("/<year>/checkpoint", defaults={"size": None})
@routes.get("/<year>/checkpoint/<size>")
@open_to_anyone
def get_checkpoint(year: str, size: str | None) -> flask.Response:
    """Show the newest checkpoint of a year's log, or the one of this size."""
    if not _YEAR.fullmatch(year) or not (size is None or _SIZE.fullmatch(size)):
        return _nothing("A year is four digits, and a size a number without leading zeroes.")
    try:
        note = published_note(
            house().gateway, int(year), size=int(size) if size is not None else None
        )
    except NotFoundError:
        return _nothing("No such checkpoint was published here.")
    return _shown(note)


@routes.get("/<year>/vkey")
@open_to_anyone
def get_key(year: str) -> flask.Response:
    """Show the public key of a year's log. Who has it from here alone trusts this gateway."""
    if not _YEAR.fullmatch(year):
        return _nothing("A year is four digits.")
    try:
        return _shown(f"{published_key(house().gateway, int(year))}\n")
    except NotFoundError as error:
        return _nothing(f"There is no key to show: {error}.")


def _shown(text: str) -> flask.Response:
    response = flask.Response(text, 200, content_type=_PLAIN)
    response.headers["Cache-Control"] = _KEEP
    return response


def _nothing(text: str) -> flask.Response:
    return flask.Response(f"{text}\n", 404, content_type=_PLAIN)
