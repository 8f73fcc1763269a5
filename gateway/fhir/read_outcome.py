"""A message becomes one IncomingOutcome: what a provider says became of a referral.

What enters: a tree that `validate` has passed, in one of these shapes: a Task; a BaRS message
with the event servicerequest-response; a Bundle of the type document, its Composition first; a
Bundle of the type collection, batch or transaction with one Task, or with documents; a
DocumentReference. What leaves: what it says, about what, of whom, and the tree untouched. No
diagnostics quote the message. Must never: guess what a code means, or take two people for one.

Not checked: whether the referral exists, is this provider's, and is at a point where this may be
said; what the documents hold; sizes.
"""

from collections.abc import Iterator
from typing import Final

from gateway.errors import IssueCode
from gateway.fhir.read_outcome_answers import answers_in, questions_in
from gateway.fhir.read_outcome_bars import read_bars
from gateway.fhir.read_outcome_documents import (
    absent_from,
    authors_of,
    check_documents,
    documents_of,
    kind_with,
    own_names,
    replaced_by,
)
from gateway.fhir.read_outcome_parts import (
    About,
    IncomingOutcome,
    Question,
    codes_of,
    identifiers_in,
    in_order,
    latest,
    names_of_requests,
    only_author,
    person_of,
    refusal,
    rest_of,
    said,
)
from gateway.fhir.references import Index, Part, index
from gateway.mapping.outcome_terms import OUTCOME_SYSTEM, REASON_LISTS, Coded, from_task
from gateway.referral.identifiers import CorrelationId
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.outcome import OutcomeKind

_ENDINGS: Final = ("completed", "cancelled", "failed")
_NEED_REASON: Final = ("rejected", "cancelled", "failed")
"""The statuses of a Task that leave the practice without what it asked for."""

_NO_CONTENT: Final = ("Appointment", "Questionnaire")
"""What an output may be without being something that the provider found."""

_PACKED: Final = ("collection", "batch", "transaction")
_TASK_CODES: Final = "http://hl7.org/fhir/CodeSystem/task-code"
_SHAPES: Final = (
    "An outcome is a Task, a DocumentReference, a BaRS message with the event"
    " servicerequest-response, a Bundle of the type document with its Composition first, or a"
    " Bundle of the type collection with one Task or with DocumentReferences."
)


def read_outcome(
    tree: JsonObject, *, correlation_id: CorrelationId | None = None
) -> IncomingOutcome:
    """Read one outcome.

    Args:
        tree: the message.
        correlation_id: what came with it, where the door has one.

    Raises:
        InvalidMessageError: every fault of the first kind that is found, with its place.
        UnsupportedMessageError: a BaRS response about a validation.
    """
    kind = string(tree, "resourceType")
    bundle = string(tree, "type") if kind == "Bundle" else None
    if bundle == "message":
        return read_bars(tree, correlation_id)
    parts = index(tree)
    if kind == "Task" or (bundle in _PACKED and parts.of_type("Task")):
        return _read_task(tree, parts, correlation_id)
    is_document = bundle == "document" and [p.type for p in parts.parts[:1]] == ["Composition"]
    is_packed = bundle in _PACKED and any(documents_of(parts.parts))
    if not (is_document or is_packed or kind == "DocumentReference"):
        raise refusal(IssueCode.NOT_SUPPORTED, kind, _SHAPES)
    return _read_documents(tree, parts, correlation_id)


def _read_task(
    tree: JsonObject, parts: Index, correlation_id: CorrelationId | None
) -> IncomingOutcome:
    task = _only_task(parts)
    number = person_of(tree, parts)
    is_draft = check_documents(parts)
    documents = [*documents_of(parts.parts)]
    has_document = bool(documents) or any(_is_content(parts, each) for _, each in _outputs(task))
    kind = _kind_of(task, has_document=has_document)
    reason, words = _reason(task), _words(task)
    questions = questions_in(parts)
    _check_told(task, kind, reason, words, questions)
    if kind is OutcomeKind.MORE_INFORMATION and not questions:
        questions = (Question(at=f"{task.path}.statusReason", text=words),)
    references, identifiers = names_of_requests(tree, parts)
    grouped = identifiers_in(task.resource, "groupIdentifier")
    named = About(
        task=string(task.resource, "id"),
        references=tuple(sorted(references)),
        identifiers=in_order([*identifiers, *grouped]),
        correlation_id=correlation_id,
    )
    times = [string(task.resource, "lastModified")]
    return IncomingOutcome(
        kind=kind_with(kind, has_document=has_document),
        about=named,
        tree=tree,
        parts=rest_of(parts, task),
        reason=reason,
        words=words,
        said_at=latest(times)
        or latest([string(child(task.resource, "meta") or {}, "lastUpdated")]),
        author=parts.organisation(child(task.resource, "owner")),
        nhs_number=number,
        answers=answers_in(parts),
        questions=questions,
        version=string(child(task.resource, "meta") or {}, "versionId"),
        names=own_names(documents),
        replaces=replaced_by(documents),
        absent=tuple(p for p, each in _outputs(task) if parts.follow(each) is None)
        + absent_from(parts, documents),
        closes=string(task.resource, "status") in _ENDINGS,
        is_draft=is_draft,
    )


def _read_documents(
    tree: JsonObject, parts: Index, correlation_id: CorrelationId | None
) -> IncomingOutcome:
    number = person_of(tree, parts)
    is_draft = check_documents(parts)
    documents = [*documents_of(parts.parts)]
    references, identifiers = names_of_requests(tree, parts)
    versions = {string(child(each.resource, "meta") or {}, "versionId") for each in documents}
    return IncomingOutcome(
        kind=OutcomeKind.REPORT,
        about=About(
            references=tuple(sorted(references)),
            identifiers=in_order(identifiers),
            correlation_id=correlation_id,
        ),
        tree=tree,
        parts=parts.parts,
        said_at=latest(string(each.resource, "date") for each in documents),
        author=only_author(parts, authors_of(documents)),
        nhs_number=number,
        answers=answers_in(parts),
        questions=questions_in(parts),
        version=versions.pop() if len(versions) == 1 else None,
        names=in_order([*own_names(documents), *identifiers_in(tree, "identifier")]),
        replaces=replaced_by(documents),
        absent=absent_from(parts, documents),
        is_draft=is_draft,
    )


def _only_task(parts: Index) -> Part:
    tasks = parts.of_type("Task")
    if len(tasks) > 1:
        text = "An outcome has one Task; this message has more. Send one message for each."
        raise refusal(IssueCode.INVALID, tasks[1].path, text)
    codes = {c.code for c in codes_of(child(tasks[0].resource, "code")) if c.system == _TASK_CODES}
    if codes - {"fulfill"}:
        text = "The Task of an outcome has the code fulfill; another asks for something else."
        raise refusal(IssueCode.VALUE, f"{tasks[0].path}.code", text)
    return tasks[0]


def _kind_of(task: Part, *, has_document: bool) -> OutcomeKind:
    said_so = codes_of(child(task.resource, "businessStatus"))
    own = sorted(each.code for each in said_so if each.system == OUTCOME_SYSTEM)
    if len(own) > 1:
        text = "The businessStatus says two things. Send the one that is meant."
        raise refusal(IssueCode.INVARIANT, f"{task.path}.businessStatus", text)
    return from_task(
        string(task.resource, "status") or "",
        own[0] if own else None,
        has_document=has_document,
        where=task.path,
    ).kind


def _reason(task: Part) -> Coded | None:
    """Return why: a code of BaRS first, since those the practice's system may know."""
    found = codes_of(child(task.resource, "statusReason"))
    return min(
        found,
        key=lambda each: (each.system not in REASON_LISTS, each.system, each.code),
        default=None,
    )


def _words(task: Part) -> str:
    reason = string(child(task.resource, "statusReason") or {}, "text")
    notes = [string(each, "text") for each in objects(task.resource, "note")]
    outputs = [string(each, "valueString") for each in objects(task.resource, "output")]
    return said([reason, *notes, *outputs])


def _check_told(
    task: Part,
    kind: OutcomeKind,
    reason: Coded | None,
    words: str,
    questions: tuple[Question, ...],
) -> None:
    where = f"{task.path}.statusReason"
    status = string(task.resource, "status")
    if status in _NEED_REASON and reason is None and not words:
        text = f"A Task that is {status} says why. Add a code of BaRS, or words, to statusReason."
        raise refusal(IssueCode.REQUIRED, where, text)
    if kind is OutcomeKind.MORE_INFORMATION and not words and not questions:
        text = "Say what is wanted: words in statusReason, or a Questionnaire."
        raise refusal(IssueCode.REQUIRED, where, text)


def _outputs(task: Part) -> Iterator[tuple[str, JsonObject]]:
    """List the outputs that refer to something."""
    for position, output in enumerate(objects(task.resource, "output")):
        reference = child(output, "valueReference")
        if reference is not None:
            yield f"{task.path}.output[{position}].value", reference


def _is_content(parts: Index, reference: JsonObject) -> bool:
    """Whether an output is something to read: a document, a plan, whatever is no appointment."""
    target = parts.follow(reference)
    steps = (string(reference, "reference") or "").partition("/_history/")[0].split("/")
    named = string(reference, "type") or (steps[-2] if len(steps) > 1 else "")
    return (target.type if target else named) not in _NO_CONTENT
