"""Rules of questionnaires, capability statements and message definitions.

See `gateway.fhir.invariants`.
"""

from typing import Final

from gateway.fhir.invariants.rule import (
    Invariant,
    are_distinct,
    descend,
    has,
    is_one_of,
    size,
)
from gateway.referral.json import JsonObject, objects, string

_ANSWERED_FROM_A_LIST: Final = (
    "choice",
    "open-choice",
    "decimal",
    "integer",
    "date",
    "dateTime",
    "time",
    "string",
    "quantity",
)
_LIMITED_IN_LENGTH: Final = (
    "boolean",
    "decimal",
    "integer",
    "string",
    "text",
    "url",
    "open-choice",
)


def _nests_as_its_type_does(item: JsonObject) -> bool:
    if is_one_of(item, "type", "group"):
        return has(item, "item")
    return not (is_one_of(item, "type", "display") and has(item, "item"))


def _display_has_none(item: JsonObject, *names: str) -> bool:
    return not is_one_of(item, "type", "display") or not any(has(item, name) for name in names)


def _lists_answers(item: JsonObject) -> bool:
    return has(item, "answerValueSet") or has(item, "answerOption")


def _exists_is_boolean(condition: JsonObject) -> bool:
    return not is_one_of(condition, "operator", "exists") or has(condition, "answerBoolean")


def _is_cardinality_above_zero(focus: JsonObject) -> bool:
    most = string(focus, "max")
    return (
        most is None or most == "*" or (most.isascii() and most.isdigit() and most.strip("0") != "")
    )


def _document_modes(statement: JsonObject) -> list[tuple[str | None, str | None]]:
    return [
        (string(each, "profile"), string(each, "mode")) for each in objects(statement, "document")
    ]


def _software_and_implementation(statement: JsonObject) -> tuple[bool, bool]:
    return has(statement, "software"), has(statement, "implementation")


INVARIANTS: Final = (
    Invariant(
        "Questionnaire",
        "que-2",
        "every linkId must be unique in the questionnaire",
        lambda form: are_distinct([each.get("linkId") for each in descend(form, "item")]),
    ),
    Invariant(
        "Questionnaire.item",
        "que-1",
        "a group needs items, and a display may have none",
        _nests_as_its_type_does,
    ),
    Invariant(
        "Questionnaire.item",
        "que-3",
        "a display has no code",
        lambda item: _display_has_none(item, "code"),
    ),
    Invariant(
        "Questionnaire.item",
        "que-4",
        "give either answerOption or answerValueSet",
        lambda item: not (has(item, "answerOption") and has(item, "answerValueSet")),
    ),
    Invariant(
        "Questionnaire.item",
        "que-5",
        "this type of item has no answerOption and no answerValueSet",
        lambda item: is_one_of(item, "type", *_ANSWERED_FROM_A_LIST) or not _lists_answers(item),
    ),
    Invariant(
        "Questionnaire.item",
        "que-6",
        "a display has neither required nor repeats",
        lambda item: _display_has_none(item, "required", "repeats"),
    ),
    Invariant(
        "Questionnaire.item.enableWhen",
        "que-7",
        "with the operator exists the answer is a boolean",
        _exists_is_boolean,
    ),
    Invariant(
        "Questionnaire.item",
        "que-8",
        "a group or display has no initial value",
        lambda item: not (is_one_of(item, "type", "group", "display") and has(item, "initial")),
    ),
    Invariant(
        "Questionnaire.item",
        "que-9",
        "a display has no readOnly",
        lambda item: _display_has_none(item, "readOnly"),
    ),
    Invariant(
        "Questionnaire.item",
        "que-10",
        "this type of item has no maxLength",
        lambda item: is_one_of(item, "type", *_LIMITED_IN_LENGTH) or not has(item, "maxLength"),
    ),
    Invariant(
        "Questionnaire.item",
        "que-11",
        "an item with answerOption has no initial",
        lambda item: not (has(item, "answerOption") and has(item, "initial")),
    ),
    Invariant(
        "Questionnaire.item",
        "que-12",
        "more than two enableWhen need an enableBehavior",
        lambda item: has(item, "enableBehavior") or size(item, "enableWhen") <= 2,  # noqa: PLR2004
    ),
    Invariant(
        "Questionnaire.item",
        "que-13",
        "only a repeating item has more than one initial value",
        lambda item: item.get("repeats") is True or size(item, "initial") <= 1,
    ),
    Invariant(
        "QuestionnaireResponse.item",
        "qrs-1",
        "give nested items beneath the item or beneath its answer, not both",
        lambda item: not (has(item, "answer") and has(item, "item")),
    ),
    Invariant(
        "MessageDefinition.focus",
        "md-1",
        "max is * or a whole number above zero",
        _is_cardinality_above_zero,
    ),
    Invariant(
        "CapabilityStatement",
        "cpb-1",
        "the statement needs rest, messaging or document",
        lambda statement: any(has(statement, name) for name in ("rest", "messaging", "document")),
    ),
    Invariant(
        "CapabilityStatement",
        "cpb-2",
        "the statement needs a description, software or implementation",
        lambda statement: (
            has(statement, "description") or any(_software_and_implementation(statement))
        ),
    ),
    Invariant(
        "CapabilityStatement",
        "cpb-3",
        "only the statement of an instance has messaging endpoints",
        lambda statement: (
            is_one_of(statement, "kind", "instance")
            or not any(has(each, "endpoint") for each in objects(statement, "messaging"))
        ),
    ),
    Invariant(
        "CapabilityStatement",
        "cpb-7",
        "no two documents may have the same profile and mode",
        lambda statement: len(set(_document_modes(statement))) == len(_document_modes(statement)),
    ),
    Invariant(
        "CapabilityStatement.rest",
        "cpb-9",
        "describe each resource type once",
        lambda rest: are_distinct([each.get("type") for each in objects(rest, "resource")]),
    ),
    Invariant(
        "CapabilityStatement.rest.resource",
        "cpb-12",
        "name each search parameter once",
        lambda resource: are_distinct(
            [each.get("name") for each in objects(resource, "searchParam")]
        ),
    ),
    Invariant(
        "CapabilityStatement",
        "cpb-14",
        "the statement of an instance needs an implementation",
        lambda statement: (
            has(statement, "implementation") or not is_one_of(statement, "kind", "instance")
        ),
    ),
    Invariant(
        "CapabilityStatement",
        "cpb-15",
        "the statement of a capability has software and no implementation",
        lambda statement: (
            not is_one_of(statement, "kind", "capability")
            or _software_and_implementation(statement) == (True, False)
        ),
    ),
    Invariant(
        "CapabilityStatement",
        "cpb-16",
        "the statement of requirements has neither software nor implementation",
        lambda statement: (
            not is_one_of(statement, "kind", "requirements")
            or _software_and_implementation(statement) == (False, False)
        ),
    ),
)
