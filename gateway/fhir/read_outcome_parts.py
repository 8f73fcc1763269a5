"""What an outcome is once it is read, and what all its shapes have in common.

What enters: a tree that `validate` has passed, and its Index. What leaves: the values that
`read_outcome` makes; the person that a message is about; the names by which it says what it is
about; its documents. Must never: take a message in which somebody else may be hidden, or let two
readings of one message differ because its parts stand in another order.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.modifiers import modifier_faults
from gateway.fhir.references import Index, Part
from gateway.fhir.same_patient import ABOUT, is_nhs_number, stranger_faults
from gateway.fhir.visit import visit
from gateway.mapping.outcome_terms import Coded
from gateway.referral.identifiers import (
    NHS_NUMBER_SYSTEM,
    REFERENCE_SYSTEM,
    CorrelationId,
    NhsNumber,
    OdsCode,
    normal_system,
)
from gateway.referral.instants import read_instant
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.model import Identifier
from gateway.referral.outcome import OutcomeKind

DOCUMENTS: Final = ("Composition", "DocumentReference")
_REQUESTS: Final = ("ServiceRequest", "Task")
_LEADS: Final = frozenset({"basedOn", "focus", "related", "detail"})
"""The references by which a part says what it answers. `detail` is Composition.event.detail."""

_NOBODY: Final = Part("", {"subject": {}})
"""In the place of a referral's own subject, which an outcome does not have: see `person_of`."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What names something that is not in the message: a reference, an Identifier, or both."""

    reference: str | None = None
    identifier: Identifier | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """The names of what an outcome is about, as it gives them; nothing is looked up here.

    `task` is the id of the Task that was sent, `response_to` the Bundle.id that a BaRS response
    quotes. `references` lead to ServiceRequests and Tasks; `identifiers` are theirs.
    """

    task: str | None = None
    response_to: str | None = None
    references: tuple[str, ...] = ()
    identifiers: tuple[Identifier, ...] = field(default=(), repr=False)
    correlation_id: CorrelationId | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing says which referral this is about."""
        return self == About()


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Something asked: of the provider in a referral, or by it. `at` is where it stands.

    By `link_id` (within `questionnaire`, a canonical url without version), by `identifiers`, by
    `codes` or by the very words of `text` an answer names it. The words are the person's affair.
    """

    at: str
    text: str = field(repr=False)
    link_id: str | None = None
    questionnaire: str | None = None
    identifiers: frozenset[Identifier] = field(default=frozenset(), repr=False)
    codes: frozenset[Coded] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A part of an outcome that may answer something, under the names that it carries."""

    at: str
    title: str = field(repr=False)
    link_id: str | None = None
    questionnaire: str | None = None
    identifiers: frozenset[Identifier] = field(default=frozenset(), repr=False)
    codes: frozenset[Coded] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingOutcome:
    """One outcome as read: the tree as sent, and what was found in it.

    `kind`: REPORT where it brings a document and says nothing else than that it goes on or ends;
    `closes` says that it ends. Any kind may bring documents: ask `documents`, not the kind.
    `author` is the organisation that says so. `parts` are all resources but the one that speaks
    (the Task, the MessageHeader). `reason` is as the provider wrote it: only a code of the lists
    that `outcome_terms` knows may be shown where no person's words may be. `absent`: where an
    output or an attachment leads out of the message. `names` are its documents' own, by which a
    later one may replace them; `replaces` what they replace. `is_draft`: one of them is not final.
    """

    kind: OutcomeKind
    about: About
    tree: JsonObject = field(repr=False)
    parts: tuple[Part, ...] = field(default=(), repr=False)
    reason: Coded | None = field(default=None, repr=False)
    words: str = field(default="", repr=False)
    said_at: datetime | None = None
    author: OdsCode | None = None
    nhs_number: NhsNumber | None = field(default=None, repr=False)
    answers: tuple[Answer, ...] = ()
    questions: tuple[Question, ...] = ()
    version: str | None = None
    names: tuple[Identifier, ...] = field(default=(), repr=False)
    replaces: tuple[Pointer, ...] = ()
    absent: tuple[str, ...] = ()
    closes: bool = False
    is_draft: bool = False

    @property
    def documents(self) -> tuple[Part, ...]:
        """The Compositions and DocumentReferences in it."""
        return tuple(part for part in self.parts if part.type in DOCUMENTS)


def person_of(tree: JsonObject, parts: Index) -> NhsNumber | None:
    """Check that every part is about one person, and return their NHS number, if it is named.

    With no Patient in the message, the person is who its subjects name by NHS number.

    Raises:
        InvalidMessageError: a part is, or may be, about somebody else, or is not understood.
    """
    patients = parts.of_type("Patient")
    if len(patients) > 1:
        text = "An outcome is about one person; this message has more than one Patient. Send one."
        raise refusal(IssueCode.INVALID, patients[1].path, text)
    patient = patients[0] if patients else _named_only(tree)
    faults = [
        *stranger_faults(tree, parts, _NOBODY, patient),
        *_subject_faults(parts, patient),
        *modifier_faults(tree, parts),
    ]
    if faults:
        raise InvalidMessageError(*faults)
    own = [string(i, "value") for i in objects(patient.resource, "identifier") if is_nhs_number(i)]
    return NhsNumber(own[0]) if own and own[0] else None


def _named_only(tree: JsonObject) -> Part:
    """Make a Patient of what the subjects of a message say of one."""
    found: dict[str, str] = {}
    for each in visit(tree, ("Reference",)):
        identifier = child(each.node, "identifier") or {}
        number = re.sub(r"[\s-]", "", string(identifier, "value") or "")
        if number and each.name in ABOUT and is_nhs_number(identifier):
            found.setdefault(number, each.path)
    if len(found) > 1:
        text = "This names another person than a part before it. An outcome is about one person."
        raise refusal(IssueCode.INVARIANT, [*found.values()][1], text)
    named: JsonObject = {"resourceType": "Patient"}
    if found:
        named["identifier"] = [{"system": NHS_NUMBER_SYSTEM, "value": next(iter(found))}]
    return Part(next(iter(found.values()), string(tree, "resourceType") or ""), named)


def _subject_faults(parts: Index, patient: Part) -> Iterator[Fault]:
    """Ask of each document, and of a referral, that it says whose it is."""
    for part in parts.parts:
        if part.type not in (*DOCUMENTS, "ServiceRequest"):
            continue
        subject = child(part.resource, "subject") or {}
        identifier = child(subject, "identifier") or {}
        is_named = is_nhs_number(identifier) and string(identifier, "value") is not None
        if parts.follow(subject) is not patient and not is_named:
            yield Fault(
                code=IssueCode.REQUIRED,
                expression=f"{part.path}.subject",
                diagnostics="This does not say whom it is about. Refer to the Patient of this"
                " message, or put the person's NHS number into subject.identifier.",
            )


def names_of_requests(tree: JsonObject, parts: Index) -> tuple[set[str], set[Identifier]]:
    """Collect by which references and identifiers the parts name a referral or its Task."""
    references: set[str] = set()
    identifiers: set[Identifier] = set()
    for part in parts.of_type("ServiceRequest"):
        references |= {f"ServiceRequest/{own}" for own in [string(part.resource, "id")] if own}
        identifiers |= {*identifiers_in(part.resource, "identifier", "requisition")}
    for each in visit(tree, ("Reference",)):
        text = string(each.node, "reference")
        if each.name not in _LEADS:
            continue
        if text and parts.follow(each.node) is None and _kind_of(text) in _REQUESTS:
            references.add(text)
        for identifier in identifiers_in(each.node, "identifier"):
            is_request = string(each.node, "type") in _REQUESTS
            if is_request or identifier.system == REFERENCE_SYSTEM:
                identifiers.add(identifier)
    return references, {each for each in identifiers if each.system != NHS_NUMBER_SYSTEM}


def _kind_of(reference: str) -> str:
    steps = reference.partition("/_history/")[0].split("/")
    return steps[-2] if len(steps) > 1 else ""


def identifiers_in(tree: JsonObject, *elements: str) -> Iterator[Identifier]:
    """Read the Identifiers of some elements, arrays or not."""
    for element in elements:
        one = child(tree, element)
        for each in [one] if one else objects(tree, element):
            if string(each, "value"):
                system = normal_system(string(each, "system") or "")
                yield Identifier(system, (string(each, "value") or "").strip())


def in_order(identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    """Sort, each once, so that the order of parts does not matter."""
    return tuple(sorted(set(identifiers), key=lambda each: (each.system, each.value)))


def codes_of(*concepts: JsonObject | None) -> frozenset[Coded]:
    """Collect the codes of CodeableConcepts."""
    return frozenset(
        Coded(normal_system(string(coding, "system") or ""), string(coding, "code") or "")
        for concept in concepts
        for coding in objects(concept or {}, "coding")
        if string(coding, "code")
    )


def said(texts: Iterable[str | None]) -> str:
    """Join what people wrote."""
    return "\n".join(text.strip() for text in texts if text and text.strip())


def latest(texts: Iterable[str | None]) -> datetime | None:
    """Return the last of the instants that are written in full; None: there is none."""
    found = []
    for text in texts:
        try:
            found.append(read_instant(text or ""))
        except ValueError:
            continue
    return max(found, default=None)


def only_author(
    parts: Index, references: Iterable[tuple[str, JsonObject | None]]
) -> OdsCode | None:
    """Return the organisation that references lead to; each comes with its FHIRPath.

    Raises:
        InvalidMessageError: they lead to different ones.
    """
    found: dict[OdsCode, str] = {}
    for where, reference in references:
        code = parts.organisation(reference)
        if code is not None:
            found.setdefault(code, where)
    if len(found) > 1:
        text = "The authors are of different organisations. Send one message for each provider."
        raise refusal(IssueCode.INVARIANT, [*found.values()][1], text)
    return next(iter(found), None)


def rest_of(parts: Index, speaker: Part | None) -> tuple[Part, ...]:
    """List all parts but the one that speaks."""
    return tuple(part for part in parts.parts if part is not speaker)


def refusal(code: IssueCode, expression: str | None, text: str) -> InvalidMessageError:
    """Refuse for one reason."""
    return InvalidMessageError(Fault(code=code, expression=expression, diagnostics=text))
