"""What an outcome holds, by what is in it and never by what it says it is.

What enters: a FHIR R4 message as a JSON tree: a Task, a Bundle, a DocumentReference, a Composition,
or anything else that was sent. What leaves: a Content that names each code, document and
request by its FHIRPath. Codes are looked for everywhere that one can hide: entries, contained
resources, references, extensions, narrative, attachments, texts. What is not known counts as a
code. No value of the message is in a Content.

Not checked: that the message is valid FHIR, and that what a document says in words is true.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from gateway.referral.identifiers import OdsCode
from gateway.referral.json import Json, JsonObject, string
from gateway.writeback.addressed import MAX_DEPTH, Index, index, is_for, names
from gateway.writeback.attachments import (
    MAX_BYTES,
    Kind,
    PartFault,
    elsewhere,
    empty,
    html_faults,
    inspect,
    sniff_text,
    too_deep,
    too_large,
)
from gateway.writeback.clinical import (
    ACTION_TYPES,
    ANSWERED,
    CARE_SETTING,
    CARE_SETTINGS,
    DOCUMENT_TYPES,
    NOT_PLANS,
    SHARED_CARE_TYPES,
    describes,
    is_administrative,
    is_clinical_name,
    is_for_filing,
    is_plain_code,
    type_named,
)
from gateway.writeback.markup import NARRATIVE_TAGS, Hidden, read_markup
from gateway.writeback.proposal import Payload

_WITHHELD: Final = frozenset({"R", "V"})
"""Restricted and very restricted. Source: v3-Confidentiality."""
_ATTACHED: Final = frozenset(
    {"attachment", "valueAttachment", "contentAttachment", "presentedForm"}
)
_MEASURED: Final = frozenset(
    {"valueQuantity", "valueRange", "valueRatio", "valueSampledData", "valueDosage", "valueCount"}
    | {"valueAge", "valueDistance", "valueDuration", "valueMoney", "valueTiming"}
)
_EXTENSIONS: Final = frozenset({"extension", "modifierExtension"})
_LABELS: Final = frozenset({"security", "securityLabel"})


@dataclass(frozen=True, slots=True)
class Found:
    """One thing in a message: where (FHIRPath), and what: a resource type or a plain word."""

    expression: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an outcome holds.

    `actions`: requests to the practice; `shared_care`: those of them, and plans, that would have
    it prescribe, monitor or do work. `has_withheld_mark`: something in it is labelled restricted.
    `is_readable`: a person can read at least one part of it as it came.
    """

    coded: tuple[Found, ...]
    documents: tuple[Found, ...]
    actions: tuple[Found, ...]
    shared_care: tuple[Found, ...]
    faults: tuple[PartFault, ...]
    has_withheld_mark: bool
    is_readable: bool

    @property
    def payload(self) -> Payload | None:
        """Return what the write guard is to rule on; None where nothing is for the record.

        A Composition with codes and no other document is the wrapping of the codes.
        """
        if self.actions:
            return Payload.ACTION_WITH_CODES if self.coded else Payload.ACTION
        if self.coded:
            is_wrapped = all(each.what == "Composition" for each in self.documents)
            return Payload.CODED if is_wrapped else Payload.DOCUMENT_WITH_CODES
        return Payload.DOCUMENT if self.documents else None


def classify(tree: JsonObject, practice: OdsCode) -> Content:
    """Say what a message to a practice holds.

    Args:
        tree: the message. A Task at its top is the practice's own request, answered.
        practice: the practice that it is for.
    """
    walk = _Walk(practice=practice, known=index(tree))
    at = string(tree, "resourceType") or "Resource"
    walk.visit(tree, _Place(at=at, holder="", path=(), depth=0))
    if walk.size > MAX_BYTES:
        walk.faults.append(too_large(at))
    return Content(
        coded=tuple(walk.coded),
        documents=tuple(walk.documents),
        actions=tuple(walk.actions),
        shared_care=tuple(walk.shared_care),
        faults=tuple(walk.faults),
        has_withheld_mark=walk.has_withheld_mark,
        is_readable=walk.is_readable,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the walk is: its FHIRPath, the resource that holds it, and the way within that."""

    at: str
    holder: str
    path: tuple[str, ...]
    depth: int

    @property
    def key(self) -> str:
        return self.path[-1] if self.path else ""

    def under(self, key: str) -> "_Place":
        plain = key.removeprefix("_")
        return _Place(
            at=f"{self.at}.{plain}",
            holder=self.holder,
            path=(*self.path, plain),
            depth=self.depth + 1,
        )

    def member(self, position: int) -> "_Place":
        return _Place(
            at=f"{self.at}[{position}]", holder=self.holder, path=self.path, depth=self.depth + 1
        )

    def inside(self, holder: str) -> "_Place":
        return _Place(at=self.at, holder=holder, path=(), depth=self.depth)

    def marked(self, mark: str) -> "_Place":
        return _Place(at=self.at, holder=self.holder, path=(*self.path, mark), depth=self.depth)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """Walks a message once, and notes what it meets."""

    practice: OdsCode
    known: Index
    coded: list[Found] = field(default_factory=list)
    documents: list[Found] = field(default_factory=list)
    actions: list[Found] = field(default_factory=list)
    shared_care: list[Found] = field(default_factory=list)
    faults: list[PartFault] = field(default_factory=list)
    has_withheld_mark: bool = False
    is_readable: bool = False
    size: int = 0

    def visit(self, node: Json, place: _Place) -> None:
        if place.depth > MAX_DEPTH:
            self.faults.append(too_deep(place.at))
            self.coded.append(Found(place.at, "unread"))
        elif isinstance(node, list):
            for position, value in enumerate(node):
                self.visit(value, place.member(position))
        elif isinstance(node, dict):
            self._visit_object(node, place)
        elif isinstance(node, str):
            self._read_text(node, place)

    def _visit_object(self, node: JsonObject, place: _Place) -> None:
        if "resourceType" in node:
            place = self._read_resource(node, place)
        if place.key in _EXTENSIONS and node.get("url") in CARE_SETTINGS:
            place = place.marked(CARE_SETTING)
        for look in (self._read_code, self._read_reference, self._read_attachment, self._read_mark):
            look(node, place)
        for key, value in node.items():
            if key in _MEASURED:
                self.coded.append(Found(f"{place.at}.{key}", "quantity"))
            self.visit(value, place.under(key))

    def _read_resource(self, node: JsonObject, place: _Place) -> _Place:
        """Sort one resource; return the place inside it."""
        type_ = string(node, "resourceType") or "unknown"
        found = Found(place.at, type_)
        is_answer = place.depth == 0 and type_ == "Task"
        is_asked = not is_answer and is_for(self.practice, node, self.known)
        is_request = is_asked and not self._is_answered(node)
        if type_ in ACTION_TYPES and is_request:
            self.actions.append(found)
        if type_ in SHARED_CARE_TYPES and is_request and node.get("intent") not in NOT_PLANS:
            self.shared_care.append(found)
        if type_ in DOCUMENT_TYPES:
            self.documents.append(found)
        if is_for_filing(type_) or self._is_for_others(node, is_asked=is_asked):
            self.coded.append(found)
        return place.inside(ANSWERED if self._is_answered(node) else type_)

    def _is_answered(self, node: JsonObject) -> bool:
        """Whether it is the practice's own request, given back by the answer to it."""
        if node.get("resourceType") != "ServiceRequest" or not self.known.is_focus(node):
            return False
        return not names(self.practice, node, self.known)

    def _is_for_others(self, node: JsonObject, *, is_asked: bool) -> bool:
        """Whether it is a request between others: for the practice, it could only be filed."""
        is_request = node.get("resourceType") == "ServiceRequest"
        return is_request and not is_asked and not self._is_answered(node)

    def _read_code(self, node: JsonObject, place: _Place) -> None:
        system, code = string(node, "system"), node.get("code")
        is_coding = "system" in node or place.key == "coding" or place.key.endswith("Coding")
        files = not is_administrative(system) and not describes(place.holder, place.path)
        is_bare = place.key in _EXTENSIONS and "valueCode" in node
        is_hidden = is_bare and not is_plain_code(node.get("url"), node.get("valueCode"))
        if (code is not None and is_coding and files) or is_hidden:
            self.coded.append(Found(place.at, "code"))

    def _read_reference(self, node: JsonObject, place: _Place) -> None:
        """Note a reference to something for filing, be it in the message or elsewhere."""
        reference = string(node, "reference")
        if "resourceType" in node or (reference is None and "identifier" not in node):
            return
        type_ = type_named(reference or "") or string(node, "type")
        if type_ is None or not is_for_filing(type_) or place.holder == ANSWERED:
            return
        self.coded.append(Found(place.at, type_))

    def _read_attachment(self, node: JsonObject, place: _Place) -> None:
        is_attached = place.key in _ATTACHED or node.get("resourceType") == "Binary"
        data = node.get("data", node.get("valueBase64Binary"))
        if data is None or place.key == "valueSampledData":
            self._read_absent(node, place, is_attached=is_attached)
            return
        self.size += len(data) if isinstance(data, str) else 0
        inspected = inspect({**node, "data": data}, place.at)
        self.faults += inspected.faults
        if inspected.hides_codes:
            self.coded.append(Found(place.at, "data"))
        if place.key != "signature":
            self.documents.append(Found(place.at, "Attachment"))
            self.is_readable = self.is_readable or inspected.is_readable

    def _read_absent(self, node: JsonObject, place: _Place, *, is_attached: bool) -> None:
        """Note an attachment whose bytes are elsewhere, or nowhere."""
        if not is_attached:
            return
        url = string(node, "url")
        self.documents.append(Found(place.at, "Attachment"))
        if url is None:
            self.faults.append(empty(place.at))
        elif not self.known.holds(url):
            self.faults.append(elsewhere(place.at))

    def _read_mark(self, node: JsonObject, place: _Place) -> None:
        labels: list[Json] = [node.get("confidentiality")]
        if place.key in _LABELS or "security" in place.path or "securityLabel" in place.path:
            labels.append(node.get("code"))
        if any(isinstance(label, str) and label.strip().upper() in _WITHHELD for label in labels):
            self.has_withheld_mark = True

    def _read_text(self, text: str, place: _Place) -> None:
        read: Callable[[str, _Place], None] = (
            self._read_narrative if place.key == "div" else self._read_words
        )
        if place.key != "data":
            read(text, place)

    def _read_words(self, text: str, place: _Place) -> None:
        is_described = place.key == "system" and describes(place.holder, place.path[:-1])
        if is_clinical_name(text) and not is_described:
            self.coded.append(Found(place.at, "terminology"))
        elif sniff_text(text.lstrip()) is Kind.DATA:
            self.coded.append(Found(place.at, "data"))

    def _read_narrative(self, div: str, place: _Place) -> None:
        found, shows = read_markup(div, NARRATIVE_TAGS)
        if found:
            self.coded.append(Found(place.at, "narrative"))
        self.faults += html_faults(found - {Hidden.CODE}, place.at)
        self.is_readable = self.is_readable or (shows and not found)
