"""A provider's own list, and its answers to recalls.

What enters: the number of the last event that the caller has seen; or a Task, or a patch of one,
that says what became of what it was asked to stop. What leaves: a searchset whose `meta.tag` says
where the page and the list end; or the Task. Numbers stand as codes of a tag, because R4 has no
place of its own for them and every client shows tags.
Source: FHIR R4 Task, http.html (update, patch); RFC 6902; RFC 5989 for the link `monitor`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

import flask

from gateway.errors import (
    Fault,
    InvalidMessageError,
    IssueCode,
    ParameterError,
    PreconditionFailedError,
    UnsupportedMediaTypeError,
    UnsupportedMessageError,
)
from gateway.fhir.examine import check_structure
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.service_request import searchset
from gateway.fhir.task import (
    ANSWER_SYSTEM,
    ANSWERED,
    GROUND_SYSTEM,
    gateway_hop,
    letter_hop,
    provider_hop,
    with_document,
)
from gateway.inbound.answers import Answer
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.media import check_accept, to_response
from gateway.inbound.outcomes import outcome_answer
from gateway.inbound.request import envelope, read_body
from gateway.inbound.search import (
    count,
    instant_of,
    malformed,
    own_id,
    parameters,
    read,
    single,
)
from gateway.journey.answer_recall import Said, answer_recall, not_yet
from gateway.journey.feed import Numbered, Page, read_feed
from gateway.journey.look_up import Hop, own_hop
from gateway.referral.directory import Scope
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.referral.model import Door
from gateway.referral.withdrawals import Ground, RecallAnswer

SINCE: Final = "_since"
EVENT_TAG: Final = f"{OWN_BASE}/CodeSystem/feed-event"
"""On a Task: an event of it on this page, by number; what it was is the display. On the page: an
event of which only the number is left."""

POSITION_TAG: Final = f"{OWN_BASE}/CodeSystem/feed-position"
"""On the page: the number of its last event, which the next `_since` is."""

NEWEST_TAG: Final = f"{OWN_BASE}/CodeSystem/feed-newest"
"""On the page: the number of the newest event of the list."""

JSON_PATCH: Final = "application/json-patch+json"
_KNOWN: Final = frozenset({SINCE, "_count"})
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")
_INSTANT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+ -][0-9]{2}:[0-9]{2})"
)
_ETAG: Final = re.compile(r'(?:W/)?"([A-Za-z0-9.-]{1,64})"')
_MAY_CHANGE: Final = frozenset({"status", "businessStatus", "statusReason"})
_FIXED: Final = frozenset(
    "id identifier groupIdentifier basedOn partOf intent code focus for requester owner"
    " authoredOn restriction".split()
)
"""What a provider's answer to a referral leaves as it is: what the Task is about, and whose."""
_PATCHED: Final = {
    f"/{name}": name
    for name in (*_MAY_CHANGE, "output", "note", "contained", "input", "lastModified")
}

routes = flask.Blueprint("feed", __name__)


def feed_page() -> flask.Response:
    """Show one page of the caller's own list."""
    given = parameters(_KNOWN)
    page = read_feed(flask.g.sender, _since(given), count(given), house().gateway)
    return to_response(Answer(http=200, body=_bundle(page, given)))


@routes.put("/Task/<hop_id>")
@needs(Scope.TASK_UPDATE)
def put_task(hop_id: str) -> flask.Response:
    """Answer a recall: its Task as read, with the status and what says the answer changed."""
    check_accept()
    sent = envelope(Door.REST, flask.g.sender, ids_required=False)
    tree, _ = read_body(sent)
    hop = own_hop(flask.g.sender, own_id(hop_id), house().gateway)
    present = task_of(hop)
    changed = {name for name in present.keys() | tree.keys() if present.get(name) != tree.get(name)}
    fixed = changed & _FIXED if hop.recall is None else changed - _MAY_CHANGE - {"meta"}
    if fixed:
        raise _only_these(f"Task.{min(fixed)}")
    return _answer(hop, tree, sent.body)


@routes.patch("/Task/<hop_id>")
@needs(Scope.TASK_UPDATE)
def patch_task(hop_id: str) -> flask.Response:
    """Answer a recall by a JSON Patch of the same three elements."""
    check_accept()
    sent = envelope(Door.REST, flask.g.sender, ids_required=False)
    if flask.request.mimetype != JSON_PATCH:
        fault = Fault(
            code=IssueCode.NOT_SUPPORTED, diagnostics=f"Send Content-Type: {JSON_PATCH} (RFC 6902)."
        )
        raise UnsupportedMediaTypeError(fault)
    hop = own_hop(flask.g.sender, own_id(hop_id), house().gateway)
    tree = _patched(task_of(hop), _steps(sent.body))
    check_structure(tree, house().gateway.profiles)
    return _answer(hop, tree, write_json(tree))


def _answer(hop: Hop, tree: JsonObject, body: bytes) -> flask.Response:
    """Keep what a Task says of a recall or a referral, and show the Task as it is then."""
    known = _known_version()
    if hop.recall is None and hop.delivery is not None:
        return to_response(outcome_answer(hop.delivery.id, tree, body, known))
    if hop.recall is None:
        raise not_yet()
    said = _said(tree)
    after = answer_recall(flask.g.sender, hop.recall.id, said, known, house().gateway)
    return to_response(task_answer(after))


def task_answer(hop: Hop) -> Answer:
    """Show one hop with its ETag."""
    body = task_of(hop)
    version = string(child(body, "meta") or {}, "versionId")
    return Answer(http=200, body=body, headers={"ETag": f'W/"{version}"'})


def task_of(hop: Hop) -> JsonObject:
    """Show one hop as a Task."""
    ods = house().gateway.ods
    if hop.delivery is None:
        return gateway_hop(hop.referral, ods)
    if hop.letter is not None:
        return letter_hop(hop.referral, hop.delivery, hop.letter, ods)
    task = provider_hop(hop.referral, hop.delivery, ods, hop.recall, hop.outcome)
    is_practice = flask.g.sender.ods == hop.referral.practice
    if hop.outcome is None or hop.outcome.payload is None or not is_practice:
        return task
    return with_document(task, hop.outcome)


def _since(given: Mapping[str, list[str]]) -> int | datetime:
    """Read the number of the last event seen: digits alone; or an instant, which is never that."""
    text = (single(given, SINCE) or "").replace(" ", "+")  # an unescaped + arrives as a blank
    if _NUMBER.fullmatch(text):
        return int(text)
    wanted = "the number of the last event that you have seen, or an instant with its offset"
    if not _INSTANT.fullmatch(text):
        raise malformed(SINCE, wanted)
    return read(SINCE, wanted, lambda: instant_of(text))


def _bundle(page: Page, given: Mapping[str, list[str]]) -> JsonObject:
    """Make the searchset; it says where it ends, and where the list does."""
    base_url = house().base_url
    to = {name: values for name, values in given.items() if name != SINCE}
    onward = f"{base_url}/Task?{urlencode({**to, SINCE: [str(page.position)]}, doseq=True)}"
    bundle = searchset(
        [(f"{base_url}/Task/{each.hop.id}", _tagged(each)) for each in page.tasks],
        total=None,
        self_url=f"{base_url}/Task?{urlencode(given, doseq=True)}",
        next_url=onward if page.has_more else None,
    )
    if not page.has_more:
        bundle["link"] = [*objects(bundle, "link"), {"relation": "monitor", "url": onward}]
    erased: list[Json] = [
        {"system": EVENT_TAG, "code": str(each.seq), "display": "erased"} for each in page.erased
    ]
    tags: list[Json] = [
        {"system": POSITION_TAG, "code": str(page.position)},
        {"system": NEWEST_TAG, "code": str(page.newest)},
        *erased,
    ]
    return {"resourceType": "Bundle", "meta": {"tag": tags}, **bundle}


def _tagged(numbered: Numbered) -> JsonObject:
    task = task_of(numbered.hop)
    tags: list[Json] = [
        {"system": EVENT_TAG, "code": str(each.seq), "display": each.kind.value}
        for each in numbered.events
    ]
    return task | {"meta": {**(child(task, "meta") or {}), "tag": tags}}


def _known_version() -> str:
    """Read If-Match: the ETag of the version that the caller has read."""
    found = _ETAG.fullmatch(flask.request.headers.get("If-Match", "").strip())
    if found is None:
        raise ParameterError(
            Fault(
                code=IssueCode.REQUIRED,
                diagnostics='Send If-Match with the ETag of the version that you read: W/"1".',
            )
        )
    return found[1]


def _steps(body: bytes) -> Sequence[JsonObject]:
    """Read a JSON Patch: a list of operations."""
    tree = read_json(b'{"patch":' + body + b"}")
    steps = objects(tree, "patch")
    if tree.keys() != {"patch"} or not steps or steps != tree["patch"]:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.STRUCTURE,
                diagnostics="The body is no JSON Patch: send a list of operations (RFC 6902).",
            )
        )
    return steps


def _patched(present: JsonObject, steps: Sequence[JsonObject]) -> JsonObject:
    """Carry out a patch on a copy, in order; each step is on a whole element."""
    tree = dict(present)
    for step in steps:
        name = _PATCHED.get(string(step, "path") or "")
        kind = string(step, "op")
        if name is None or kind not in ("add", "replace", "remove", "test"):
            raise _only_these("Task")
        if kind == "test" and tree.get(name) != step.get("value"):
            msg = "a test of the patch does not hold; read the task again first"
            raise PreconditionFailedError(msg)
        if kind == "remove":
            tree.pop(name, None)
        elif kind != "test":
            tree[name] = step.get("value")
    return tree


def _said(tree: JsonObject) -> Said:
    """Read an answer: the status, what was done, and the ground on which it is retained."""
    reason = child(tree, "statusReason") or {}
    answers = [*_codes(child(tree, "businessStatus") or {}, ANSWER_SYSTEM)]
    answer = next((each for each in RecallAnswer if [each.value] == answers), None)
    if answer is None or ANSWERED[answer].value != string(tree, "status"):
        raise _unclear(
            "Task.businessStatus",
            f"Answer with the status completed and {ANSWER_SYSTEM} stopped or returned in"
            " businessStatus; or with the status rejected and retained.",
        )
    words = string(reason, "text")
    if answer is not RecallAnswer.RETAINED:
        return Said(answer=answer, words=words)
    grounds = [*_codes(reason, GROUND_SYSTEM)]
    ground = next((each for each in Ground if [each.value] == grounds), None)
    if ground is None:
        raise _unclear(
            "Task.statusReason",
            f"Say on what ground it is retained: {GROUND_SYSTEM} with one of"
            f" {', '.join(Ground)}, and your own words as the text.",
        )
    return Said(answer=answer, ground=ground, words=words)


def _codes(concept: JsonObject, system: str) -> Iterator[str | None]:
    for coding in objects(concept, "coding"):
        if string(coding, "system") == system:
            yield string(coding, "code")


def _unclear(where: str, mend: str) -> InvalidMessageError:
    return InvalidMessageError(
        Fault(code=IssueCode.CODE_INVALID, expression=where, diagnostics=mend)
    )


def _only_these(where: str) -> UnsupportedMessageError:
    return UnsupportedMessageError(
        Fault(
            code=IssueCode.NOT_SUPPORTED,
            expression=where,
            diagnostics="Of a recall's Task only status, businessStatus and statusReason are"
            " changed; of a referral's, output, note, input, contained and lastModified too; each as"
            " a whole. Send the rest as you read it.",
        )
    )
