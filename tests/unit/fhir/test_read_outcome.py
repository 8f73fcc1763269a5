"""Outcomes are read the same by every door; what is wrong is refused at its place."""

import copy
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Fault, InvalidMessageError, UnsupportedMessageError
from gateway.fhir.read_outcome import read_outcome
from gateway.fhir.read_outcome_parts import About, IncomingOutcome, Pointer
from gateway.fhir.validate import validate
from gateway.mapping.outcome_terms import BARS_REASONS, DOS_REASONS, OUTCOME_SYSTEM, Coded
from gateway.referral.identifiers import CorrelationId
from gateway.referral.model import Identifier
from gateway.referral.outcome import OutcomeKind
from tests.builders.messages import NHS_NUMBER, ODS, PROVIDER, Tree
from tests.builders.outcomes import (
    CANARY,
    NUMBER,
    REASONS,
    REFERENCE,
    REFERRAL,
    REQUEST_BUNDLE,
    TASK,
    WORDS,
    bars_response,
    bars_saying,
    collection,
    concept,
    contained_letter,
    document,
    document_reference,
    item,
    organisation,
    person,
    task,
    task_saying,
    to,
    url,
)

K = OutcomeKind
OTHER = "9990000026"
OTHER_PERSON = {"identifier": NUMBER | {"value": OTHER}}
LETTER = Identifier("https://oh.example/Id/letter", "L-1")
CORRELATION = CorrelationId("9562466f-c982-4bd5-bb0e-255e9f5e6689")
SAYS_BARS = {kind: tree for kind in K if (tree := bars_saying(kind))}
FORM = {
    "resourceType": "Questionnaire", "id": "asked", "status": "active",
    "item": [{"linkId": "shift", "text": "Which shifts?", "type": "string"}],
}  # fmt: skip


def refused(tree: Tree) -> list[Fault]:
    with pytest.raises(InvalidMessageError) as caught:
        read_outcome(tree)
    texts = " ".join(fault.diagnostics for fault in caught.value.faults)
    assert [each for each in (CANARY, NHS_NUMBER, OTHER) if each in texts] == []
    return list(caught.value.faults)


def places(tree: Tree) -> list[str | None]:
    return [fault.expression for fault in refused(tree)]


GOOD = {
    **{f"task {kind}": task_saying(kind) for kind in K},
    **{f"bars {kind}": tree for kind, tree in SAYS_BARS.items()},
    "document": document(), "collection": collection(), "letter": document_reference(),
    "task with a letter": task("completed", contained=[contained_letter()]),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_what_the_builders_make_is_valid(name: str) -> None:
    assert validate(copy.deepcopy(GOOD[name])) == []


@pytest.mark.parametrize("name", GOOD)
def test_no_outcome_shows_the_person_or_the_words(name: str) -> None:
    shown = repr(read_outcome(GOOD[name]))
    assert [each for each in (CANARY, NHS_NUMBER, "Testperson") if each in shown] == []


@pytest.mark.parametrize("kind", OutcomeKind)
def test_a_task_says_each_kind(kind: OutcomeKind) -> None:
    found = read_outcome(task_saying(kind), correlation_id=CORRELATION)
    assert (found.kind, found.words, found.author) == (kind, WORDS, PROVIDER)
    assert found.about == About(
        task=TASK,
        references=(f"ServiceRequest/{REFERRAL}",),
        identifiers=(Identifier(REFERENCE["system"], REFERENCE["value"]),),
        correlation_id=CORRELATION,
    )
    assert (found.version, found.said_at) == ("3", datetime(2026, 11, 20, 15, tzinfo=UTC))
    assert (found.parts, found.nhs_number) == ((), None)
    assert found.closes is (kind is K.CLOSED)


@pytest.mark.parametrize("kind", SAYS_BARS)
def test_a_bars_response_says_each_kind_that_bars_has(kind: OutcomeKind) -> None:
    found = read_outcome(SAYS_BARS[kind], correlation_id=CORRELATION)
    assert (found.kind, found.author, found.nhs_number) == (kind, PROVIDER, NHS_NUMBER)
    assert found.about.response_to == REQUEST_BUNDLE
    assert found.about.correlation_id == CORRELATION
    assert found.about.references == (f"ServiceRequest/{REFERRAL}",)
    assert "MessageHeader" not in {part.type for part in found.parts}


@pytest.mark.parametrize("tree", [document(), collection(), document_reference()])
def test_documents_are_a_report(tree: Tree) -> None:
    found = read_outcome(tree)
    assert (found.kind, found.closes, found.is_draft) == (K.REPORT, False, False)
    assert (found.author, found.nhs_number) == (PROVIDER, NHS_NUMBER)
    assert found.about == About(references=(f"ServiceRequest/{REFERRAL}",))
    assert found.said_at == datetime(2026, 11, 20, 15, tzinfo=UTC)
    assert found.documents
    assert found.absent == ()


def test_each_part_has_its_place() -> None:
    shown = [(part.path, part.type) for part in read_outcome(document()).parts]
    kinds = ["Composition", "Patient", "Organization", "Binary"]
    assert shown == [(f"Bundle.entry[{n}].resource", kind) for n, kind in enumerate(kinds)]


@pytest.mark.parametrize("kind", ["collection", "transaction", "batch"])
def test_a_packed_task_is_read_with_its_documents(kind: str) -> None:
    tree = collection(kind)
    tree["entry"].append({"fullUrl": url("task"), "resource": task("completed")})
    found = read_outcome(tree)
    assert (found.kind, found.closes, len(found.documents)) == (K.REPORT, True, 2)
    assert found.about.task == TASK


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed"])
def test_an_ending_that_brings_a_document_is_a_report_that_closes(status: str) -> None:
    tree = task(status, reason={"text": WORDS}, contained=[contained_letter()])
    found = read_outcome(tree)
    assert (found.kind, found.closes) == (K.REPORT, True)


def test_a_closing_by_name_with_a_document_is_a_report_too() -> None:
    assert (
        read_outcome(task("completed", "closed", contained=[contained_letter()])).kind is K.REPORT
    )


def test_a_finished_bars_encounter_with_a_document_is_a_report_that_closes() -> None:
    tree = bars_response("active", "finished")
    tree["entry"].append({"fullUrl": url("letter"), "resource": document_reference(to("patient"))})
    found = read_outcome(tree)
    assert (found.kind, found.closes, found.names) == (K.REPORT, True, (LETTER,))


def test_a_rejection_with_a_letter_stays_a_rejection() -> None:
    tree = task("rejected", reason={"text": WORDS}, contained=[contained_letter()])
    found = read_outcome(tree)
    assert (found.kind, len(found.documents)) == (K.REJECTED, 1)


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ({"reference": "DocumentReference/4"}, K.REPORT),
        ({"reference": "https://oh.example/DocumentReference/4/_history/2"}, K.REPORT),
        ({"reference": "CarePlan/4"}, K.REPORT),
        ({"identifier": NUMBER | {"system": "https://oh.example/Id"}}, K.REPORT),
        ({"reference": "Appointment/4"}, K.CLOSED),
        ({"identifier": {"value": "7"}, "type": "Appointment"}, K.CLOSED),
    ],
)
def test_an_output_outside_the_message_is_told_and_not_fetched(
    output: Tree, kind: OutcomeKind
) -> None:
    tree = task("completed", output=[{"type": {"text": "x"}, "valueReference": output}])
    found = read_outcome(tree)
    assert (found.kind, found.absent) == (kind, ("Task.output[0].value",))


def test_an_attachment_outside_the_message_is_told() -> None:
    tree = document_reference()
    tree["content"][0]["attachment"] = {"url": "https://oh.example/letter.pdf"}
    assert read_outcome(tree).absent == ("DocumentReference.content[0].attachment",)


def test_an_attachment_that_leads_to_a_binary_of_the_message_is_there() -> None:
    tree = document()
    letter = document_reference(to("patient"), author=[to("provider")])
    letter["content"][0]["attachment"] = {"url": url("binary")}
    tree["entry"].append({"fullUrl": url("letter"), "resource": letter})
    assert read_outcome(tree).absent == ()


def test_advice_and_notes_are_words() -> None:
    tree = task("accepted", note=[{"text": "A note"}, {"text": " "}])
    tree["output"] = [{"type": {"text": "Advice"}, "valueString": "Some advice"}]
    assert read_outcome(tree).words == "A note\nSome advice"


@pytest.mark.parametrize(
    ("codings", "reason"),
    [
        ([(REASONS, "OTH"), ("https://a.example", "1")], Coded(BARS_REASONS, "OTH")),
        ([("https://b.example", "2"), ("https://a.example", "1")], Coded("https://a.example", "1")),
        (
            [("http://fhir.nhs.uk/Codesystem/rejected-reasons-bars", "FC")],
            Coded(BARS_REASONS, "FC"),
        ),
    ],
)
def test_the_reason_is_that_of_bars_first(codings: list[tuple[str, str]], reason: Coded) -> None:
    for order in (codings, codings[::-1]):
        why = {"coding": [{"system": system, "code": code} for system, code in order]}
        assert read_outcome(task("rejected", reason=why)).reason == reason


def test_a_bars_reason_is_kept_with_its_words() -> None:
    why = concept(DOS_REASONS, "22", WORDS)
    found = read_outcome(bars_response("active", "cancelled", reason=why))
    assert (found.kind, found.reason, found.words) == (K.REJECTED, Coded(DOS_REASONS, "22"), WORDS)


def test_a_bars_rejection_in_words_alone_is_taken() -> None:
    found = read_outcome(bars_response("active", "cancelled", reason={"text": WORDS}))
    assert (found.kind, found.reason, found.words) == (K.REJECTED, None, WORDS)


def test_the_senders_own_encounter_says_nothing() -> None:
    """A request may bring back the sender's Encounter as finished: that closes nothing."""
    tree = bars_response("active", "planned")
    tree["entry"][2]["resource"]["status"] = "finished"
    assert read_outcome(tree).kind is K.ACCEPTED


def test_the_focus_tells_the_receivers_encounter() -> None:
    tree = bars_response("active", "cancelled", reason=concept(REASONS, "OTH"), focus="receiving")
    del tree["entry"][1]["resource"]["encounter"]
    tree["entry"][2]["resource"]["status"] = "finished"
    assert read_outcome(tree).kind is K.REJECTED


def test_words_that_ask_are_the_question_where_there_is_no_form() -> None:
    [asked] = read_outcome(task_saying(K.MORE_INFORMATION)).questions
    assert (asked.text, asked.at) == (WORDS, "Task.statusReason")


def test_a_form_that_asks_is_the_question() -> None:
    [asked] = read_outcome(task("on-hold", "more-information", contained=[FORM])).questions
    assert (asked.link_id, asked.text) == ("shift", "Which shifts?")
    assert asked.at == "Task.contained[0].item[0]"


@pytest.mark.parametrize(
    ("relates", "pointer"),
    [
        ({"target": {"reference": "DocumentReference/9"}}, Pointer("DocumentReference/9")),
        (
            {"target": {"identifier": {"system": LETTER.system, "value": "L-1"}}},
            Pointer(identifier=LETTER),
        ),
    ],
)
def test_a_letter_says_what_it_replaces(relates: Tree, pointer: Pointer) -> None:
    tree = document_reference(relatesTo=[{"code": "replaces"} | relates], meta={"versionId": "2"})
    found = read_outcome(tree)
    assert (found.replaces, found.version, found.names) == ((pointer,), "2", (LETTER,))


def test_a_composition_says_what_it_replaces_and_how_it_is_called() -> None:
    old = {"system": LETTER.system, "value": "L-1"}
    relates = [
        {"code": "replaces", "targetIdentifier": old},
        {"code": "appends", "targetIdentifier": old | {"value": "L-0"}},
        {"code": "replaces", "targetReference": {"reference": "Composition/1"}},
    ]
    found = read_outcome(document(relatesTo=relates))
    assert found.replaces == (Pointer(identifier=LETTER), Pointer("Composition/1"))
    assert [each.value for each in found.names] == ["B-3", "R-2"]


@pytest.mark.parametrize(
    "tree", [document(status="preliminary"), document_reference(docStatus="preliminary")]
)
def test_a_draft_is_known_as_one(tree: Tree) -> None:
    assert read_outcome(tree).is_draft


def test_a_referral_is_named_by_our_reference_and_by_no_nhs_number() -> None:
    related = [
        {"identifier": REFERENCE},
        {"identifier": {"system": "https://gp.example", "value": "7"}, "type": "ServiceRequest"},
        {"identifier": {"system": "https://gp.example", "value": "8"}},
        {"identifier": NUMBER, "type": "ServiceRequest"},
        {"reference": "DocumentReference/1"},
        {"reference": "nonsense"},
    ]
    found = read_outcome(document_reference(context={"related": related})).about
    assert found.references == ()
    assert [each.value for each in found.identifiers] == ["RG-7K3M-9QX2", "7"]


def test_a_letter_that_names_no_referral_is_read_and_says_so() -> None:
    tree = document_reference()
    del tree["context"]
    assert read_outcome(tree).about.is_empty
    assert not read_outcome(tree, correlation_id=CORRELATION).about.is_empty


def test_a_date_that_is_not_whole_is_no_instant() -> None:
    assert read_outcome(document_reference(date="2026-11")).said_at is None


def test_a_task_without_lastmodified_was_said_when_it_was_updated() -> None:
    tree = task(meta={"lastUpdated": "2026-11-21T10:00:00Z"})
    del tree["lastModified"]
    assert read_outcome(tree).said_at == datetime(2026, 11, 21, 10, tzinfo=UTC)


def edited(tree: Tree, edit: Callable[[Tree], object]) -> Tree:
    tree = copy.deepcopy(tree)
    edit(tree)
    return tree


def entry(tree: Tree, position: int) -> Tree:
    found: Tree = tree["entry"][position]["resource"]
    return found


def add(name: str, resource: Tree) -> Callable[[Tree], object]:
    return lambda tree: tree["entry"].append({"fullUrl": url(name), "resource": resource})


CARE_PLAN = {"resourceType": "CarePlan", "status": "active", "intent": "plan"}
EXTENSION = [{"url": "https://a.example", "valueBoolean": True}]
SECOND = "Bundle.entry[4].resource"
BAD: dict[str, tuple[Tree, str]] = {
    "two patients": (
        edited(document(), add("second", person(OTHER))), SECOND,
    ),
    "a plan about another reference": (
        edited(document(), add("plan", CARE_PLAN | {"subject": {"reference": "Patient/7"}})),
        f"{SECOND}.subject",
    ),
    "another NHS number in a letter": (
        edited(collection(), lambda t: entry(t, 1).update(subject=OTHER_PERSON)),
        "Bundle.entry[1].resource.subject",
    ),
    "two people and no Patient": (
        edited(
            collection(),
            lambda t: (
                t["entry"].pop(2),
                entry(t, 0).update(subject={"identifier": NUMBER}),
                entry(t, 1).update(subject=OTHER_PERSON),
            ),
        ),
        "Bundle.entry[1].resource.subject",
    ),
    "a letter about nobody": (
        edited(document_reference(), lambda t: t.pop("subject")), "DocumentReference.subject",
    ),
    "a document about a place": (
        edited(document(), lambda t: entry(t, 0).update(subject=to("provider"))),
        "Bundle.entry[0].resource.subject",
    ),
    "a letter about a Patient elsewhere": (
        document_reference({"reference": "Patient/7"}), "DocumentReference.subject",
    ),
    "a malformed NHS number": (
        document_reference({"identifier": NUMBER | {"value": "999"}}),
        "DocumentReference.subject.identifier",
    ),
    "a Task for another": (
        task("completed", contained=[contained_letter()]) | {"for": OTHER_PERSON},
        "Task.for",
    ),
    "a modifier extension": (
        document_reference(modifierExtension=EXTENSION), "DocumentReference.modifierExtension",
    ),
    "a letter entered in error": (
        document_reference(status="entered-in-error"), "DocumentReference.status",
    ),
    "a letter that was superseded": (
        document_reference(status="superseded"), "DocumentReference.status",
    ),
    "a composition entered in error": (
        document(status="entered-in-error"), "Bundle.entry[0].resource.status",
    ),
    "authors of two providers": (
        edited(collection(), lambda t: entry(t, 1).update(
            author=[{"identifier": {"system": ODS, "value": "RX902"}}]
        )),
        "Bundle.entry[1].resource.author[0]",
    ),
    "two Tasks": (
        edited(collection(), lambda t: (add("a", task())(t), add("b", task(id="other"))(t))),
        "Bundle.entry[5].resource",
    ),
    "a Task that asks to abort": (
        task(code=concept("http://hl7.org/fhir/CodeSystem/task-code", "abort")), "Task.code",
    ),
    "a businessStatus that says two things": (
        task(businessStatus={"coding": [
            {"system": OUTCOME_SYSTEM, "code": "accepted"},
            {"system": OUTCOME_SYSTEM, "code": "booked"},
        ]}),
        "Task.businessStatus",
    ),
    "an unknown businessStatus": (task("accepted", CANARY), "Task.businessStatus"),
    "a rejection without a reason": (task("rejected"), "Task.statusReason"),
    "a failure without a reason": (task("failed"), "Task.statusReason"),
    "a question that asks nothing": (task("on-hold", "more-information"), "Task.statusReason"),
    "a hold that does not say for what": (task("on-hold"), "Task.businessStatus"),
    "a packed Task that says nothing": (
        edited(collection(), add("task", task("received"))), "Bundle.entry[4].resource.status",
    ),
    "a collection without documents": (
        edited(collection(), lambda t: t.update(entry=t["entry"][2:])), "Bundle",
    ),
    "a document without its Composition first": (
        edited(document(), lambda t: t["entry"].reverse()), "Bundle",
    ),
    "an empty document": (edited(document(), lambda t: t.pop("entry")), "Bundle"),
    "a search result": (edited(collection(), lambda t: t.update(type="searchset")), "Bundle"),
    "a Patient": (person(), "Patient"),
    "a bare Composition": (entry(document(), 0), "Composition"),
}  # fmt: skip


@pytest.mark.parametrize("defect", BAD)
def test_what_is_wrong_is_refused_at_its_place(defect: str) -> None:
    tree, place = BAD[defect]
    assert place in places(tree)


HEADER, REQUEST = 0, 1
BAD_BARS: dict[str, tuple[Callable[[Tree], object], str]] = {
    "another event": (
        lambda t: entry(t, HEADER)["eventCoding"].update(code="servicerequest-request"),
        "Bundle.entry[0].resource.event",
    ),
    "another reason": (
        lambda t: entry(t, HEADER)["reason"]["coding"][0].update(code="update"),
        "Bundle.entry[0].resource.reason",
    ),
    "no response": (
        lambda t: entry(t, HEADER).pop("response"), "Bundle.entry[0].resource.response",
    ),
    "a blank identifier": (
        lambda t: entry(t, HEADER)["response"].update(identifier=" "),
        "Bundle.entry[0].resource.response",
    ),
    "a failed response": (
        lambda t: entry(t, HEADER)["response"].update(code="fatal-error"),
        "Bundle.entry[0].resource.response.code",
    ),
    "no header": (lambda t: t["entry"].pop(0), "Bundle.entry[0].resource"),
    "no ServiceRequest": (lambda t: t["entry"].pop(REQUEST), "Bundle.entry"),
    "two ServiceRequests": (
        lambda t: add("again", {**entry(t, REQUEST), "id": "other"})(t),
        "Bundle.entry[7].resource",
    ),
    "no Encounter of the receiver": (
        lambda t: t["entry"].pop(3), "Bundle.entry[1].resource.status",
    ),
    "two Encounters of the receiver": (
        lambda t: add("more", copy.deepcopy(entry(t, 3)))(t), "Bundle.entry[7].resource",
    ),
    "an Encounter that says nothing": (
        lambda t: entry(t, 3).update(status="onleave"), "Bundle.entry[3].resource.status",
    ),
    "a rejection without a reason": (
        lambda t: entry(t, 3).update(status="cancelled"), "Bundle.entry[3].resource.reasonCode",
    ),
    "two reasons": (
        lambda t: entry(t, 3).update(
            status="cancelled", reasonCode=[concept(REASONS, "FC"), concept(REASONS, "OTH")]
        ),
        "Bundle.entry[3].resource.reasonCode",
    ),
    "an unknown reason": (
        lambda t: entry(t, 3).update(status="cancelled", reasonCode=[concept(REASONS, CANARY)]),
        "Bundle.entry[3].resource.status",
    ),
    "an Encounter of somebody else": (
        lambda t: entry(t, 3).update(subject={"reference": "Patient/7"}),
        "Bundle.entry[3].resource.subject",
    ),
    "a ServiceRequest without its subject": (
        lambda t: entry(t, REQUEST).pop("subject"), "Bundle.entry[1].resource.subject",
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", BAD_BARS)
def test_a_bars_response_that_is_wrong_is_refused_at_its_place(defect: str) -> None:
    edit, place = BAD_BARS[defect]
    assert place in places(edited(bars_response(), edit))


def test_a_response_about_a_validation_is_not_offered() -> None:
    tree = bars_response()
    entry(tree, REQUEST)["category"][0]["coding"][0]["code"] = "validation"
    with pytest.raises(UnsupportedMessageError):
        read_outcome(tree)


def test_a_revoked_referral_with_only_the_senders_encounter_is_a_no_show() -> None:
    assert read_outcome(bars_response("revoked", None)).kind is K.DID_NOT_ATTEND


PLACED = {"parts", "tree", "answers", "questions", "absent"}
"""What shows where a part stands."""


def reading(found: IncomingOutcome) -> dict[str, Any]:
    plain = {f.name: getattr(found, f.name) for f in fields(found) if f.name not in PLACED}
    parts = sorted(str(part.resource) for part in found.parts)
    answers = sorted(str((a.link_id, a.title, sorted(map(str, a.codes)))) for a in found.answers)
    return plain | {"parts": parts, "answers": answers, "absent": len(found.absent)}


def packed() -> Tree:
    tree = collection("transaction")
    reply = {"status": "completed", "item": [item("q1", "Fit for nights?", "No")]}
    add("form", {"resourceType": "QuestionnaireResponse", "subject": to("patient")} | reply)(tree)
    add("task", task("completed"))(tree)
    return tree


SHUFFLED = {
    "collection": (collection(), 0), "packed": (packed(), 0), "document": (document(), 1),
    "bars accepted": (bars_response(), 1),
    "bars booked": (bars_response(appointment="booked"), 1),
    "bars rejected": (bars_response("active", "cancelled", reason=concept(REASONS, "OTH")), 1),
}  # fmt: skip


@given(data=st.data(), name=st.sampled_from(sorted(SHUFFLED)))
def test_any_order_of_parts_gives_the_same_reading(data: st.DataObject, name: str) -> None:
    tree, fixed = SHUFFLED[name]
    rest = data.draw(st.permutations(tree["entry"][fixed:]))
    shuffled = tree | {"entry": [*tree["entry"][:fixed], *rest]}
    assert reading(read_outcome(shuffled)) == reading(read_outcome(tree))


def test_an_author_without_an_ods_code_is_nobody() -> None:
    assert read_outcome(document_reference(author=[{"display": "A nurse"}])).author is None


def test_a_patient_without_an_nhs_number_is_still_the_one_person() -> None:
    tree = document()
    del entry(tree, 1)["identifier"]
    assert read_outcome(tree).nhs_number is None


def test_an_organisation_that_signs_for_its_staff_is_the_author() -> None:
    tree = document_reference(author=[{"display": "A nurse"}], custodian=None)
    tree["custodian"] = {"identifier": organisation()["identifier"][0]}
    assert read_outcome(tree).author == PROVIDER


def test_reading_leaves_the_tree_as_it_is() -> None:
    for tree in GOOD.values():
        before = copy.deepcopy(tree)
        assert read_outcome(tree).tree is tree
        assert tree == before
