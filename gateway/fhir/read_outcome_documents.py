"""The documents of an outcome: which count, who signs for them, what they replace.

What enters: the parts of a message. What leaves: the facts about its Compositions and
DocumentReferences that do not depend on what they hold, the same in whatever order they stand.
Source: FHIR R4 Composition, DocumentReference.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.read_outcome_parts import DOCUMENTS, Pointer, identifiers_in, in_order
from gateway.fhir.references import Index, Part
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.model import Identifier
from gateway.referral.outcome import OutcomeKind

_GONE: Final = {
    "entered-in-error": "This document was entered in error. Send the right one, and name this one"
    " in its relatesTo as replaced.",
    "superseded": "Another document has taken the place of this one. Send that one.",
}


def documents_of(parts: Iterable[Part]) -> Iterator[Part]:
    """Pick the documents."""
    return (part for part in parts if part.type in DOCUMENTS)


def check_documents(parts: Index) -> bool:
    """Say whether one of the documents is not final.

    Raises:
        InvalidMessageError: one of them does not count any more.
    """
    faults = []
    statuses = set()
    for part in documents_of(parts.parts):
        for name in ("status", "docStatus"):
            status = string(part.resource, name) or ""
            statuses.add(status)
            if status in _GONE:
                faults.append(
                    Fault(
                        code=IssueCode.INVARIANT,
                        expression=f"{part.path}.{name}",
                        diagnostics=_GONE[status],
                    )
                )
    if faults:
        raise InvalidMessageError(*faults)
    return "preliminary" in statuses


def kind_with(kind: OutcomeKind, *, has_document: bool) -> OutcomeKind:
    """Call an ending that brings a document a report: what it holds must not be overlooked."""
    return OutcomeKind.REPORT if kind is OutcomeKind.CLOSED and has_document else kind


def authors_of(documents: Sequence[Part]) -> Iterator[tuple[str, JsonObject | None]]:
    """List who signs for each document: its custodian, else its authors."""
    for part in documents:
        custodian = child(part.resource, "custodian")
        if custodian is not None:
            yield f"{part.path}.custodian", custodian
            continue
        for position, author in enumerate(objects(part.resource, "author")):
            yield f"{part.path}.author[{position}]", author


def own_names(documents: Sequence[Part]) -> tuple[Identifier, ...]:
    """List the identifiers of the documents."""
    return in_order(
        each
        for part in documents
        for each in identifiers_in(part.resource, "identifier", "masterIdentifier")
    )


def replaced_by(documents: Sequence[Part]) -> tuple[Pointer, ...]:
    """Name what the documents take the place of. Source: R4, relatesTo, code replaces."""
    found: set[tuple[str, str, str]] = set()
    for part in documents:
        for each in objects(part.resource, "relatesTo"):
            if string(each, "code") != "replaces":
                continue
            target = child(each, "target") or child(each, "targetReference") or {}
            identifiers = [*identifiers_in(target, "identifier")]
            identifiers += identifiers_in(each, "targetIdentifier")
            reference = string(target, "reference") or ""
            found |= {(reference, i.system, i.value) for i in identifiers}
            if not identifiers and reference:
                found.add((reference, "", ""))
    return tuple(_pointer(*each) for each in sorted(found))


def _pointer(reference: str, system: str, value: str) -> Pointer:
    identifier = Identifier(system, value) if value else None
    return Pointer(reference=reference or None, identifier=identifier)


def absent_from(parts: Index, documents: Sequence[Part]) -> tuple[str, ...]:
    """Tell where a document keeps its content outside the message. Nothing is fetched."""
    found = []
    for part in documents:
        for position, content in enumerate(objects(part.resource, "content")):
            attachment = child(content, "attachment") or {}
            address = string(attachment, "url")
            if not string(attachment, "data") and address not in parts.by_reference:
                found.append(f"{part.path}.content[{position}].attachment")
    return tuple(found)
