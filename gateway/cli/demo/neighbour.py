"""A simulated neighbour's web application: the FHIR server of a provider.

What enters: transactions at `POST /fhir`. What leaves: their answers. For people and tests:
`GET /fhir/<type>/<id>`, `GET /fhir/<type>?identifier=`, `GET /_received`, `GET` and
`POST /_behave`. Must never: answer before what it took is durable. Asks nobody who they are:
it listens on this machine only.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Self

import flask

from gateway.cli.demo.behaviour import Behaviour, Conduct, Mode
from gateway.cli.demo.memory import Memory, NotTakenError
from gateway.errors import InvalidMessageError, IssueCode
from gateway.fhir.json_text import read_json, write_json
from gateway.referral.identifiers import normal_system
from gateway.referral.json import Json, JsonObject, child, objects, string

FHIR_JSON = "application/fhir+json"
LONGEST_HANG = timedelta(minutes=2)
DRIP = timedelta(milliseconds=200)
_MAX_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Character:
    """Who a neighbour is.

    `takes` are codes (system, code) of which a referral must carry one; empty takes any.
    """

    ods: str
    name: str
    takes: frozenset[tuple[str, str]] = frozenset()


class _Silence:
    """A body of which no byte ever comes: the server breaks the connection instead."""

    def __init__(self, lasting: timedelta) -> None:
        self._lasting = lasting

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        threading.Event().wait(self._lasting.total_seconds())
        raise ConnectionAbortedError


def build_neighbour(character: Character, memory: Memory, conduct: Conduct) -> flask.Flask:
    """Make the application."""
    app = flask.Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    routes: tuple[tuple[str, str, Callable[..., flask.Response]], ...] = (
        ("POST", "/fhir", partial(_receive, character, memory, conduct)),
        ("GET", "/fhir/<kind>/<id_>", partial(_read, memory)),
        ("GET", "/fhir/<kind>", partial(_search, memory)),
        ("GET", "/_received", lambda: _json(dict(memory.counts()))),
        ("POST", "/_behave", partial(_behave, conduct)),
        ("GET", "/_behave", lambda: _json(_shown(conduct.present()))),
        ("GET", "/", lambda: _json({"name": character.name, "ods": character.ods})),
    )
    for method, path, view in routes:
        app.add_url_rule(path, f"{method} {path}", view, methods=[method])
    return app


def _receive(character: Character, memory: Memory, conduct: Conduct) -> flask.Response:
    """Take a transaction in, or behave as asked."""
    body = flask.request.get_data(cache=False)
    key = flask.request.headers.get("Idempotency-Key")
    behaviour = conduct.next()
    answer = _INSTEAD.get(behaviour.mode)
    if answer is not None:
        response = answer(behaviour)
    else:
        response = _taken(character, memory, key, body)
        if response.status_code == 200:  # noqa: PLR2004  # HTTP
            response = _SPOILT.get(behaviour.mode, _as_it_is)(response)
    silent = behaviour.mode in (Mode.HANG, Mode.DROP_AFTER_COMMIT)
    memory.note_attempt(key, 0 if silent else response.status_code)
    return response


def _taken(character: Character, memory: Memory, key: str | None, body: bytes) -> flask.Response:
    if flask.request.mimetype not in (FHIR_JSON, "application/json"):
        return _outcome(415, IssueCode.NOT_SUPPORTED, f"Send {FHIR_JSON}.")
    try:
        bundle = read_json(body, max_bytes=_MAX_BODY_BYTES)
        if not _is_wanted(character, bundle):
            text = "This service does not take this kind of referral."
            return _outcome(422, IssueCode.BUSINESS_RULE, text)
        taken = memory.take(key, body, bundle)
    except InvalidMessageError as error:
        return _outcome(400, error.faults[0].code, str(error))
    except NotTakenError as error:
        return _outcome(error.status, error.code, str(error))
    response = flask.Response(taken.answer, 200, content_type=FHIR_JSON)
    if taken.repeated:
        response.headers["Idempotent-Replayed"] = "true"
    return response


def _is_wanted(character: Character, bundle: JsonObject) -> bool:
    if not character.takes:
        return True
    requests = [
        resource
        for entry in objects(bundle, "entry")
        if string(resource := child(entry, "resource") or {}, "resourceType") == "ServiceRequest"
    ]
    return bool(requests) and all(_codes(each) & character.takes for each in requests)


def _codes(request: JsonObject) -> set[tuple[str, str]]:
    concepts = [child(request, "code") or {}, *objects(request, "category")]
    return {
        (normal_system(string(coding, "system") or ""), string(coding, "code") or "")
        for concept in concepts
        for coding in objects(concept, "coding")
    }


def _read(memory: Memory, kind: str, id_: str) -> flask.Response:
    found = memory.resource(kind, id_)
    return _json(found) if found else _outcome(404, IssueCode.NOT_FOUND, "There is no such thing.")


def _search(memory: Memory, kind: str) -> flask.Response:
    system, bar, value = flask.request.args.get("identifier", "").partition("|")
    if not bar or not value:
        return _outcome(400, IssueCode.REQUIRED, "Search with identifier=system|value.")
    found = memory.search(kind, system, value)
    entries: list[Json] = [
        {"fullUrl": f"{flask.request.base_url}/{string(each, 'id')}", "resource": each}
        for each in found
    ]
    bundle: JsonObject = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
    return _json({**bundle, "entry": entries} if entries else bundle)


def _behave(conduct: Conduct) -> flask.Response:
    try:
        wish = read_json(flask.request.get_data())
        behaviour = Behaviour(
            mode=Mode(string(wish, "mode") or ""),
            times=_count(wish, "times", least=1),
            retry_after=_count(wish, "retry_after", least=0),
        )
    except (InvalidMessageError, ValueError):
        modes = "|".join(Mode)
        text = f'Send {{"mode": "{modes}", "times": 1 or more, "retry_after": seconds}}.'
        return _outcome(400, IssueCode.INVALID, text)
    conduct.become(behaviour)
    return _json(_shown(behaviour))


def _count(wish: JsonObject, name: str, *, least: int) -> int | None:
    value = wish.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(name)
    return value


def _shown(behaviour: Behaviour) -> JsonObject:
    return {
        "mode": behaviour.mode.value,
        "times": behaviour.times,
        "retry_after": behaviour.retry_after,
    }


def _busy(behaviour: Behaviour) -> flask.Response:
    """Take nothing now: 429 says for certain that nothing was kept, 503 does not."""
    status = int(behaviour.mode.value)
    response = _outcome(status, IssueCode.TRANSIENT, "Too busy for now.")
    if behaviour.retry_after is not None:
        response.headers["Retry-After"] = str(behaviour.retry_after)
    return response


def _hang(_behaviour: Behaviour) -> flask.Response:
    """Say nothing for long, then break the connection."""
    return flask.Response(_Silence(LONGEST_HANG), 200)


def _redirect(_behaviour: Behaviour) -> flask.Response:
    return flask.redirect("/elsewhere", 307)  # type: ignore[return-value]  # flask's own class


def _as_it_is(response: flask.Response) -> flask.Response:
    return response


def _dropped(_response: flask.Response) -> flask.Response:
    """Break the connection before the first byte of the answer."""
    return flask.Response(_Silence(timedelta(0)), 200)


def _dripping(response: flask.Response) -> flask.Response:
    whole = response.get_data()

    def drops() -> Iterator[bytes]:
        for position in range(len(whole)):
            yield whole[position : position + 1]
            time.sleep(DRIP.total_seconds())

    slow = flask.Response(drops(), 200, content_type=FHIR_JSON)
    slow.content_length = len(whole)
    return slow


def _not_json(_response: flask.Response) -> flask.Response:
    return flask.Response("<html><body>Welcome!</body></html>", 200, content_type="text/html")


_INSTEAD: dict[Mode, Callable[[Behaviour], flask.Response]] = {
    Mode.ERROR: lambda _: _outcome(500, IssueCode.EXCEPTION, "Something went wrong."),
    Mode.BUSY: _busy,
    Mode.FULL: _busy,
    Mode.UNWILLING: lambda _: _outcome(422, IssueCode.BUSINESS_RULE, "This is not for us."),
    Mode.HANG: _hang,
    Mode.REDIRECT: _redirect,
}
_SPOILT: dict[Mode, Callable[[flask.Response], flask.Response]] = {
    Mode.DROP_AFTER_COMMIT: _dropped,
    Mode.SLOW_DRIP: _dripping,
    Mode.NOT_JSON: _not_json,
}


def _json(tree: JsonObject) -> flask.Response:
    kind = FHIR_JSON if "resourceType" in tree else "application/json"
    return flask.Response(write_json(tree), 200, content_type=kind)


def _outcome(status: int, code: IssueCode, text: str) -> flask.Response:
    issue: JsonObject = {"severity": "error", "code": code.value, "diagnostics": text}
    tree: JsonObject = {"resourceType": "OperationOutcome", "issue": [issue]}
    return flask.Response(write_json(tree), status, content_type=FHIR_JSON)
