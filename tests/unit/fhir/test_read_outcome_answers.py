"""Each question of a referral has an answer that names it, or is listed as unanswered."""

import copy

import pytest

from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.read_outcome_answers import Answered, NamedBy, match, questions_of
from gateway.mapping.outcome_terms import Coded
from tests.builders.messages import Tree, bars_message, service_request
from tests.builders.outcomes import (
    CANARY,
    concept,
    document,
    document_reference,
    form,
    item,
    section,
    task,
)

SCT = "http://snomed.info/sct"
ASKED = "https://gp.example/Questionnaire/oh"
FREE = "Low back pain, absent for three weeks"


def referral(*supporting: Tree, **more: object) -> Tree:
    tree = service_request(consents=[])
    tree["contained"] += [copy.deepcopy(each) for each in supporting]
    tree["supportingInfo"] = [{"reference": f"#{each['id']}"} for each in supporting]
    return tree | more


def questionnaire(*items: Tree) -> Tree:
    made: Tree = {"resourceType": "Questionnaire", "id": "asked", "url": f"{ASKED}", "item": []}
    made["status"] = "active"
    made["item"] = [{"type": "string"} | each for each in items]
    return made


def reply(*items: Tree, questionnaire: str | None = None, **more: object) -> Tree:
    return task("in-progress", contained=[form(*items, questionnaire=questionnaire, **more)])


def judged(asking: Tree, answering: Tree) -> list[tuple[str, NamedBy | None]]:
    found = match(questions_of(asking), read_outcome(answering))
    return [(each.question.at, each.by) for each in found]


def one(asking: Tree, answering: Tree) -> Answered:
    [found] = match(questions_of(asking), read_outcome(answering))
    return found


def only(**more: object) -> Tree:
    """Build a referral that asks nothing but what is given."""
    tree = referral(**more)
    if "reasonCode" not in more:
        del tree["reasonCode"]
    return tree


def form_referral(*supporting: Tree) -> Tree:
    tree = referral(*supporting)
    del tree["reasonCode"]
    return tree


def test_a_referral_asks_by_its_reason_its_details_and_its_notes() -> None:
    tree = referral(
        orderDetail=[concept(SCT, "1") | {"id": "detail"}], note=[{"text": "Fit for nights?"}]
    )
    found = [(q.at.partition(".")[2], q.link_id, q.text, q.codes) for q in questions_of(tree)]
    assert found == [
        ("reasonCode[0]", "reasonCode[0]", FREE, frozenset()),
        ("orderDetail[0]", "detail", "", frozenset({Coded(SCT, "1")})),
        ("note[0]", "note[0]", "Fit for nights?", frozenset()),
    ]


def test_a_bars_message_is_asked_for_its_questions_too() -> None:
    tree = bars_message(consents=[])
    request = next(
        e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == "ServiceRequest"
    )
    request["note"] = [{"text": "Fit for nights?"}]
    [asked] = questions_of(tree)
    assert asked.text == "Fit for nights?"


def test_a_form_asks_by_the_items_that_its_sender_left_open() -> None:
    asks = questionnaire(
        {"linkId": "g", "text": "Group", "type": "group", "item": [
            {"linkId": "1", "text": "Job", "type": "string"},
            {"linkId": "2", "text": "Fit for nights?", "type": "string"},
        ]},
        {"linkId": "3", "text": "Read this", "type": "display"},
    )  # fmt: skip
    filled = form(item("1", "Job", "Nurse"), questionnaire=f"{ASKED}|1.0")
    found = questions_of(form_referral(asks, filled))
    assert [(q.link_id, q.questionnaire) for q in found] == [("2", ASKED)]
    assert found[0].at == "ServiceRequest.contained[1].item[0].item[1]"


def test_an_open_item_of_a_filled_form_is_a_question() -> None:
    filled = form(item("1", "Job", "Nurse"), item("2", "Fit for nights?"))
    assert [q.link_id for q in questions_of(form_referral(filled))] == ["2"]


def test_what_supportinginfo_does_not_lead_to_asks_nothing() -> None:
    tree = form_referral(form(item("2", "Fit for nights?")))
    tree["supportingInfo"] = [{"reference": "Questionnaire/elsewhere"}]
    assert questions_of(tree) == ()


def test_a_link_id_answers_within_the_same_questionnaire() -> None:
    asking = form_referral(questionnaire({"linkId": "2", "text": "Fit for nights?"}))
    found = one(asking, reply(item("2", "x", "No"), questionnaire=f"{ASKED}|2.0"))
    assert (found.by, found.at) == (NamedBy.LINK_ID, ("Task.contained[0].item[0]",))
    assert found.is_answered


@pytest.mark.parametrize("other", [None, "https://oh.example/Questionnaire/own"])
def test_the_same_link_id_of_another_questionnaire_answers_nothing(other: str | None) -> None:
    asking = form_referral(questionnaire({"linkId": "2", "text": "Fit for nights?"}))
    found = one(asking, reply(item("2", "x", "No"), questionnaire=other))
    assert (found.by, found.at, found.is_answered) == (None, (), False)


def test_a_free_question_is_answered_by_its_place_or_its_element_id() -> None:
    asking = referral(note=[{"id": "nights", "text": "Fit for nights?"}])
    answering = reply(item("reasonCode[0]", "x", "Yes"), item("nights", "y", "No"))
    assert [by for _, by in judged(asking, answering)] == [NamedBy.LINK_ID, NamedBy.LINK_ID]


def test_an_item_without_an_answer_answers_nothing() -> None:
    assert one(referral(), reply(item("reasonCode[0]", FREE))).by is None


def test_an_identifier_names_the_form_of_one_question() -> None:
    named = {"system": "https://gp.example/Id", "value": "Q-1"}
    asking = form_referral(form(item("2", "Fit for nights?"), identifier=named))
    assert one(asking, document_reference(identifier=[named])).by is NamedBy.IDENTIFIER
    assert one(asking, reply(item("9", "x", "No"), identifier=named)).by is NamedBy.IDENTIFIER
    assert one(asking, document_reference()).by is None


def test_an_identifier_of_a_form_with_many_questions_names_none_of_them() -> None:
    named = {"system": "https://gp.example/Id", "value": "Q-1"}
    asking = form_referral(form(item("2", "Nights?"), item("3", "Lifting?"), identifier=named))
    found = judged(asking, document_reference(identifier=[named]))
    assert [by for _, by in found] == [None, None]


def test_a_section_answers_by_its_code() -> None:
    asking = only(orderDetail=[concept(SCT, "160910001")])
    answering = document([section("Anything", "No.", concept(SCT, "160910001"))])
    assert one(asking, answering).by is NamedBy.CODE


@pytest.mark.parametrize("title", [FREE, f"  {FREE.upper()} ", FREE.replace(" ", "  ")])
def test_a_section_answers_by_the_very_words(title: str) -> None:
    assert one(referral(), document([section(title, "Strain.")])).by is NamedBy.WORDS


@pytest.mark.parametrize("title", ["Low back pain", f"On {FREE}", f"{FREE}?", "Advice"])
def test_words_that_are_only_alike_answer_nothing(title: str) -> None:
    assert one(referral(), document([section(title, "Strain.")])).by is None


def test_an_empty_section_answers_nothing() -> None:
    empty = {"title": FREE, "emptyReason": {"text": "Not asked"}}
    assert one(referral(), document([empty])).by is None


def test_a_section_in_a_section_answers_at_its_place() -> None:
    outer = section("Outer", "x") | {"section": [section(FREE, "Strain.")]}
    assert one(referral(), document([outer])).at == (
        "Bundle.entry[0].resource.section[0].section[0]",
    )


def test_a_question_without_words_is_not_answered_by_a_section_without_a_title() -> None:
    untitled = section("x", "Strain.")
    del untitled["title"]
    assert one(only(orderDetail=[concept(SCT, "1")]), document([untitled])).by is None


def test_the_surest_name_counts_and_all_places_of_it_are_listed() -> None:
    answering = reply(
        item("reasonCode[0]", FREE, "Strain"), item("reasonCode[0]", "x", "Rest"),
        item("8", FREE, "Strain"),
    )  # fmt: skip
    found = one(referral(), answering)
    assert found.by is NamedBy.LINK_ID
    assert found.at == ("Task.contained[0].item[0]", "Task.contained[0].item[1]")


def test_who_and_what_was_asked_answers_nothing_whatever_it_is_called() -> None:
    asking = form_referral(
        form(item("2", "Nights?"), identifier={"system": "https://oh.example", "value": "1"})
    )
    answering = task(identifier=[{"system": "https://oh.example", "value": "1"}])
    assert one(asking, answering).by is None


def test_no_question_or_answer_shows_its_words() -> None:
    asking = only(note=[{"text": CANARY}])
    found = match(questions_of(asking), read_outcome(reply(item("note[0]", CANARY, CANARY))))
    assert CANARY not in repr(found)
