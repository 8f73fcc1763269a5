"""What a referral asks, and which part of an outcome answers it, by name.

What enters: a referral as sent; the parts of an outcome. What leaves: the questions; the answers,
under the names that they carry; and each question with its answers, or none. Must never: read
language. An answer names its question: by linkId within the same questionnaire, by an identifier,
by a code, or by the very words. Whatever is not named is unanswered, for a person to judge.

A question is: an item of a Questionnaire or QuestionnaireResponse in supportingInfo that the
sender itself left unanswered; a reasonCode, an orderDetail and a note of the ServiceRequest. These
three are named by the `id` of their element, or, where it has none, as `reasonCode[0]`.
Source: FHIR R4 QuestionnaireResponse, Composition.section.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.fhir.read_outcome_parts import (
    Answer,
    IncomingOutcome,
    Question,
    codes_of,
    identifiers_in,
)
from gateway.fhir.references import Index, Part, index
from gateway.fhir.visit import visit
from gateway.referral.json import JsonObject, child, objects, string

_ASKS_NOTHING: Final = ("group", "display")
_NO_ANSWER: Final = frozenset(
    "Appointment CareTeam Device Encounter Group HealthcareService Location MessageHeader"
    " Organization Patient Person Practitioner PractitionerRole Questionnaire RelatedPerson"
    " ServiceRequest Task".split()
)
"""Who, where, when, and what was asked: whatever these are called, they answer nothing."""


class NamedBy(StrEnum):
    """How an answer named its question; the first that finds one counts."""

    LINK_ID = "link-id"
    IDENTIFIER = "identifier"
    CODE = "code"
    WORDS = "words"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A question, and where it is answered. No places, and `by` None: it is not."""

    question: Question
    by: NamedBy | None
    at: tuple[str, ...]

    @property
    def is_answered(self) -> bool:
        """Whether something names it."""
        return bool(self.at)


def questions_of(tree: JsonObject) -> tuple[Question, ...]:
    """List what a referral asks: a ServiceRequest with what it contains, or a Bundle of them."""
    parts = index(tree)
    found: list[Question] = []
    for request in parts.of_type("ServiceRequest"):
        asked = [parts.follow(each) for each in objects(request.resource, "supportingInfo")]
        forms = {each.path: each for each in asked if each is not None}.values()
        own = {name for form in forms for name in _settled(form)}
        for form in forms:
            found += [
                each for each in _asked(form) if (each.questionnaire, each.link_id) not in own
            ]
        for element in ("reasonCode", "orderDetail", "note"):
            found += _plain(request, element)
    return tuple(found)


def match(questions: Sequence[Question], outcome: IncomingOutcome) -> tuple[Answered, ...]:
    """Match each question to the answers that name it, or list it as unanswered."""
    return tuple(_match(question, outcome.answers) for question in questions)


def questions_in(parts: Index) -> tuple[Question, ...]:
    """List what an outcome asks in Questionnaires."""
    forms = parts.of_type("Questionnaire")
    return tuple(sorted((q for form in forms for q in _asked(form)), key=lambda each: each.at))


def answers_in(parts: Index) -> tuple[Answer, ...]:
    """List what in an outcome may answer something; empty items and sections do not."""
    found: list[Answer] = []
    for part in parts.parts:
        if part.type == "QuestionnaireResponse":
            found += _answered_items(part)
        elif part.type == "Composition":
            found += _sections(part)
        elif part.type not in _NO_ANSWER:
            names = frozenset(identifiers_in(part.resource, "identifier", "masterIdentifier"))
            found += [Answer(at=part.path, title="", identifiers=names)] if names else []
    return tuple(sorted(found, key=lambda each: each.at))


def _match(question: Question, answers: Iterable[Answer]) -> Answered:
    named: dict[NamedBy, list[str]] = {}
    for answer in answers:
        by = _named_by(question, answer)
        if by is not None:
            named.setdefault(by, []).append(answer.at)
    best = next((by for by in NamedBy if by in named), None)
    places = tuple(sorted(named[best])) if best else ()
    return Answered(question=question, by=best, at=places)


def _named_by(question: Question, answer: Answer) -> NamedBy | None:
    same_form = question.questionnaire == answer.questionnaire
    if question.link_id is not None and same_form and question.link_id == answer.link_id:
        return NamedBy.LINK_ID
    if question.identifiers & answer.identifiers:
        return NamedBy.IDENTIFIER
    if question.codes & answer.codes:
        return NamedBy.CODE
    words = _plainly(question.text)
    return NamedBy.WORDS if words and words == _plainly(answer.title) else None


def _plainly(text: str) -> str:
    """Take out what is no word: blanks, and whether letters are capital."""
    return " ".join(text.split()).casefold()


def _plain(request: Part, element: str) -> Iterator[Question]:
    for position, node in enumerate(objects(request.resource, element)):
        yield Question(
            at=f"{request.path}.{element}[{position}]",
            text=string(node, "text") or "",
            link_id=string(node, "id") or f"{element}[{position}]",
            codes=codes_of(node),
        )


def _asked(form: Part) -> Iterator[Question]:
    """List the items of a form that ask something and have no answer."""
    identifiers = frozenset(identifiers_in(form.resource, "identifier"))
    items = [*_items(form)]
    lone = identifiers if len(items) == 1 else frozenset()
    for path, item in items:
        is_asked = string(item, "type") not in _ASKS_NOTHING and not objects(item, "item")
        if is_asked and not objects(item, "answer"):
            yield Question(
                at=path,
                text=string(item, "text") or "",
                link_id=string(item, "linkId"),
                questionnaire=_questionnaire(form),
                identifiers=lone,
                codes=codes_of({"coding": [*objects(item, "code")]}),
            )


def _settled(form: Part) -> Iterator[tuple[str | None, str | None]]:
    """Name the items that the sender answered itself."""
    for _, item in _items(form):
        if objects(item, "answer"):
            yield _questionnaire(form), string(item, "linkId")


def _answered_items(form: Part) -> Iterator[Answer]:
    identifiers = frozenset(identifiers_in(form.resource, "identifier"))
    for path, item in _items(form):
        if objects(item, "answer"):
            yield Answer(
                at=path,
                title=string(item, "text") or "",
                link_id=string(item, "linkId"),
                questionnaire=_questionnaire(form),
                identifiers=identifiers,
            )


def _items(form: Part) -> Iterator[tuple[str, JsonObject]]:
    """List the items of a form at any depth, each with its FHIRPath."""
    for each in visit(form.resource, (f"{form.type}.item",)):
        yield each.path.replace(form.type, form.path, 1), each.node


def _questionnaire(form: Part) -> str | None:
    """Return which questionnaire this is, or answers."""
    name = "url" if form.type == "Questionnaire" else "questionnaire"
    return (string(form.resource, name) or "").partition("|")[0] or None


def _sections(composition: Part) -> Iterator[Answer]:
    for each in visit(composition.resource, ("Composition.section",)):
        if any(each.node.get(name) for name in ("text", "entry", "section")):
            yield Answer(
                at=each.path.replace("Composition", composition.path, 1),
                title=string(each.node, "title") or "",
                codes=codes_of(child(each.node, "code")),
            )
