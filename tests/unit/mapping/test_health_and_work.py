"""The message of the Health and Work service: what its examples show, and what its guards refuse."""

import copy
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.config import OWN_MAPPINGS
from gateway.errors import ConfigError, Fault, InvalidMessageError, IssueCode, Severity
from gateway.fhir.json_text import read_json
from gateway.fhir.references import index
from gateway.fhir.validate import validate
from gateway.mapping.health_and_work import HealthAndWork, Outcome, Receipt
from gateway.mapping.outgoing import MINEC, REDACT, Notice, Outgoing
from gateway.mapping.work_faults import _ROWS, faults_of
from gateway.mapping.work_schema import NAMESPACE, Unreadable, WorkSchema, read
from gateway.referral.directory import Endpoint, Transport
from gateway.referral.identifiers import OWN_BASE, DeliveryId, EndpointId, OdsCode
from tests.builders.rows import AT, NAMES, a_delivery, a_referral

FOLDER = OWN_MAPPINGS / "health-and-work"
EXAMPLES = ["full", "letter", "minimal", "plan-not-asked", "self-employed"]
WRITER = HealthAndWork(FOLDER)
SCHEMA = etree.XMLSchema(etree.parse(str(FOLDER / "health-and-work.xsd")))
THERE = Endpoint(
    id=EndpointId("work"),
    transport=Transport.HTTPS,
    address="https://work.example/referrals",
    ca_file=None,
)
Edit = Callable[[Any], object]


def example(name: str) -> Any:
    return read_json((FOLDER / "in" / f"{name}.json").read_bytes())


def write(tree: Any, *, purpose: str = "work-health", notice: Notice | None = None) -> bytes:
    outgoing = Outgoing(tree=tree, notice=notice)
    return WRITER.write(outgoing, a_referral(purpose), a_delivery(), THERE)


def written(tree: Any, **others: Any) -> etree._Element:
    return etree.fromstring(write(tree, **others))


def texts(root: etree._Element, path: str) -> list[str]:
    """The texts of the elements that a path of names leads to."""
    steps = "/".join(f"{{{NAMESPACE}}}{name}" for name in path.split("/"))
    return [each.text or "" for each in root.iterfind(steps)]


def said(tree: Any, path: str) -> list[str]:
    return texts(written(tree), path)


def edited(edit: Edit, name: str = "full") -> Any:
    tree = example(name)
    edit(tree)
    return tree


def faults(tree: Any) -> list[Fault]:
    with pytest.raises(InvalidMessageError) as caught:
        write(tree)
    return list(caught.value.faults)


def contained(tree: Any, name: str) -> Any:
    return next(each for each in tree["contained"] if each["id"] == name)


def work(tree: Any, name: str) -> Any:
    url = f"{OWN_BASE}/StructureDefinition/{name}"
    return next(each for each in tree["extension"] if each["url"] == url)


def part(tree: Any, name: str, url: str) -> Any:
    return next(each for each in work(tree, name)["extension"] if each["url"] == url)


def unindented(document: bytes) -> bytes:
    parser = etree.XMLParser(remove_blank_text=True)
    return etree.tostring(etree.fromstring(document, parser), method="c14n")


# ------------------------------------------------------------------ examples


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_maps_exactly(name: str) -> None:
    shown = (FOLDER / "out" / f"{name}.xml").read_bytes()
    assert unindented(write(example(name))) == unindented(shown)


def test_there_is_an_answer_for_each_example_and_nothing_else() -> None:
    for side in ("in", "out"):
        assert sorted(path.stem for path in (FOLDER / side).iterdir()) == EXAMPLES


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_valid_on_both_sides(name: str) -> None:
    assert [f for f in validate(example(name)) if f.severity is Severity.ERROR] == []
    SCHEMA.assertValid(etree.fromstring(write(example(name))))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_bytes_are_the_same_at_every_attempt_and_the_message_is_untouched(name: str) -> None:
    tree = example(name)
    before = copy.deepcopy(tree)
    outgoing = Outgoing(tree=tree)
    made = {
        writer.write(outgoing, a_referral("work-health"), a_delivery(attempts), THERE)
        for attempts in (1, 3)
        for writer in (WRITER, HealthAndWork(FOLDER))
    }
    assert len(made) == 1
    assert tree == before
    assert made.pop().startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<Referral ')


def test_many_threads_write_the_same_bytes_and_find_their_own_faults() -> None:
    wrong = edited(lambda tree: contained(tree, "patient").pop("birthDate"))
    expected = write(example("full"))
    found: list[Any] = []

    def work_on() -> None:
        for _ in range(15):
            found.append(write(example("full")) == expected)
            found.append([fault.expression for fault in faults(wrong)])

    threads = [threading.Thread(target=work_on) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(True) == 90
    assert found.count(["ServiceRequest.contained[0].birthDate"]) == 90


# ------------------------------------------------------------------ what the service must have


def _drop(name: str) -> Edit:
    return lambda tree: tree.pop(name)


def _without_reason(tree: Any) -> None:
    for name in ("reasonCode", "reasonReference", "note"):
        tree.pop(name, None)
    tree["contained"] = [each for each in tree["contained"] if each["id"] != "back"]


def _with_blank_reason(tree: Any) -> None:
    _without_reason(tree)
    tree["reasonCode"] = [{"text": " "}]


def _put(element: str, url: str, **value: Any) -> Edit:
    return lambda tree: part(tree, element, url).update(value)


_WORK = f"ServiceRequest.extension('{OWN_BASE}/StructureDefinition/employment')"
_OFF = f"ServiceRequest.extension('{OWN_BASE}/StructureDefinition/absence')"
_PATIENT = "ServiceRequest.contained[0]"


@pytest.mark.parametrize(
    ("edit", "expression"),
    [
        (lambda t: contained(t, "patient").pop("name"), f"{_PATIENT}.name"),
        (lambda t: contained(t, "patient").pop("birthDate"), f"{_PATIENT}.birthDate"),
        (lambda t: contained(t, "patient").update(birthDate="2026-02-30"), f"{_PATIENT}.birthDate"),
        (
            lambda t: contained(t, "patient")["identifier"][0].update(value="12345"),
            f"{_PATIENT}.identifier",
        ),
        (
            lambda t: contained(t, "patient").update(name=[{"family": " ", "given": ["\n"]}]),
            f"{_PATIENT}.name",
        ),
        (_without_reason, "ServiceRequest.reasonCode"),
        (_with_blank_reason, "ServiceRequest.reasonCode"),
        (
            _put("employment", "hoursPerWeek", valueDecimal=200),
            f"{_WORK}.extension('hoursPerWeek')",
        ),
        (_put("absence", "start", valueDate="2026-13-01"), f"{_OFF}.extension('start')"),
        (
            lambda t: part(t, "absence", "expectedLength")["valueDuration"].update(value=-1),
            f"{_OFF}.extension('expectedLength')",
        ),
        (lambda t: t.update(authoredOn="2026-02-30T09:00:00Z"), "ServiceRequest.authoredOn"),
    ],
)
def test_what_is_missing_or_wrong_is_told_at_its_source(edit: Edit, expression: str) -> None:
    assert [fault.expression for fault in faults(edited(edit))] == [expression]


def test_a_fault_says_how_to_mend_it_and_quotes_nothing() -> None:
    secret = "Canary " * 30_000
    long, wrong = faults(
        edited(
            lambda t: (
                t["note"][0].update(text=secret),
                contained(t, "patient").update(birthDate="Canary"),
            )
        )
    )[::-1]
    assert (long.code, long.expression) == (IssueCode.TOO_LONG, "ServiceRequest.note")
    assert "shorten" in long.diagnostics
    assert wrong.expression == f"{_PATIENT}.birthDate"
    assert "such as" in wrong.diagnostics
    assert "Canary" not in f"{long} {wrong}"


def test_a_fault_that_no_row_speaks_of_names_the_element() -> None:
    made = written(example("full"))
    made[-1][0].text = "X" * 1001
    found = WorkSchema(FOLDER).mismatches(made)
    assert [each.path for each in found] == ["NotCarried/Part"]
    (fault,) = faults_of(found, index(example("full"))).faults
    assert fault.expression == "ServiceRequest"
    assert "NotCarried/Part" in fault.diagnostics


def test_what_is_not_fhir_is_refused_without_a_guess_why() -> None:
    (fault,) = faults(edited(lambda t: t.update(unknown="element")))
    assert (fault.code, fault.expression) == (IssueCode.INVALID, "ServiceRequest")
    assert "cannot be made" in fault.diagnostics


@pytest.mark.parametrize("path", sorted(_ROWS))
def test_each_row_of_the_faults_speaks_of_an_element_of_the_schema(path: str) -> None:
    schema = (FOLDER / "health-and-work.xsd").read_text()
    assert all(f'name="{name}"' in schema for name in path.split("/"))


def test_a_letter_is_reason_enough() -> None:
    assert texts(written(example("letter")), "Reason/SeeDocuments") == [""]


def test_the_format_is_only_for_what_the_person_agreed_to() -> None:
    with pytest.raises(InvalidMessageError, match="agreed"):
        write(example("full"), purpose="direct-care")


# ------------------------------------------------------------------ absence, fit notes


def _absent(**parts: Any) -> Edit:
    """Replace the facts of the absence; the message was made on 22 November 2026."""

    def edit(tree: Any) -> None:
        status = parts.pop("status", "absent") if "status" in parts else "absent"
        system = f"{OWN_BASE}/CodeSystem/absence-status"
        concept = {"coding": [{"system": system, "code": status}]}
        names = {"start": "valueDate", "expectedReturn": "valueDate"}
        work(tree, "absence")["extension"] = [
            {"url": "status", "valueCodeableConcept": concept},
            *({"url": k, names.get(k, "valueDuration"): v} for k, v in parts.items()),
        ]

    return edit


def _length(value: Any, code: str, **others: str) -> Any:
    return {"value": value, "system": "http://unitsofmeasure.org", "code": code, **others}


@pytest.mark.parametrize(
    ("edit", "four_weeks"),
    [
        (_absent(), "not-known"),
        (_absent(start="2026-10-25"), "reached"),
        (_absent(start="2026-10-26"), "not-known"),
        (_absent(start="2026-10"), "not-known"),
        (_absent(start="2026-11-20", expectedReturn="2026-12-18"), "expected"),
        (_absent(start="2026-11-20", expectedReturn="2026-12-17"), "not-expected"),
        (_absent(start="2024-02-01", expectedReturn="2024-02-29", status="returned"), "expected"),
        (
            _absent(start="2023-02-01", expectedReturn="2023-02-28", status="returned"),
            "not-expected",
        ),
        (_absent(expectedLength=_length(4, "wk")), "expected"),
        (_absent(expectedLength=_length(27, "d")), "not-expected"),
        (_absent(expectedLength=_length(1, "mo")), "expected"),
        (_absent(expectedLength=_length(9, "a")), "not-known"),
        (_absent(expectedLength=_length(5, "wk", comparator="<")), "not-known"),
        (_absent(expectedLength=_length(3, "wk", comparator="<")), "not-expected"),
        (_absent(expectedLength=_length(3, "wk", comparator=">")), "not-known"),
        (_absent(expectedLength=_length(4, "wk", comparator=">=")), "expected"),
        (_absent(start="2026-09-01", status="at-work"), "not-known"),
        (_absent(start="2026-09-01", status="returned"), "not-known"),
    ],
)
def test_four_weeks_are_reckoned_and_never_guessed(edit: Edit, four_weeks: str) -> None:
    assert said(edited(edit), "Absence/FourWeeks") == [four_weeks]


def _noted(code: str) -> Any:
    tree = example("minimal")
    tree["contained"].append(
        {
            "resourceType": "Observation",
            "id": "note",
            "status": "final",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]},
            "subject": {"reference": "#patient"},
            "effectivePeriod": {"start": "2026-11-02", "end": "2026-11-29"},
            "issued": "2026-11-02T10:00:00Z",
        }
    )
    return tree


@pytest.mark.parametrize(
    ("code", "says"),
    [("751481000000104", "not-fit"), ("751751000000104", "may-be-fit"), ("160910001", "not-fit")],
)
def test_a_fit_note_may_be_an_observation(code: str, says: str) -> None:
    root = written(_noted(code))
    assert texts(root, "FitNotes/FitNote/Says") == [says]
    days = [texts(root, f"FitNotes/FitNote/{name}") for name in ("AssessedOn", "From", "To")]
    assert days == [["2026-11-02"], ["2026-11-02"], ["2026-11-29"]]
    assert texts(root, "NotCarried/Part") == []


def test_a_statement_that_is_not_known_here_is_passed_on_as_it_is() -> None:
    tree = edited(
        lambda t: part(t, "fit-note", "statement").update(valueCodeableConcept={"text": "Rest"})
    )
    assert said(tree, "FitNotes/FitNote/Says") == ["other"]
    assert said(tree, "FitNotes/FitNote/Statement/Text") == ["Rest"]


def test_an_adjustment_may_be_an_observation() -> None:
    root = written(_noted("775351000000103"))
    found = root.find(f"{{{NAMESPACE}}}Adjustments/{{{NAMESPACE}}}Adjustment")
    assert found is not None
    assert found.get("kind") == "workplace-adaptation"
    assert texts(root, "FitNotes/NoneSent") == [""]


# ------------------------------------------------------------------ consents


def _drop_consent(name: str) -> Edit:
    def edit(tree: Any) -> None:
        tree["contained"] = [each for each in tree["contained"] if each["id"] != name]

    return edit


def _change_consent(name: str, **others: Any) -> Edit:
    return lambda tree: contained(tree, name).update(others)


def _but_not_to_somebody(tree: Any) -> None:
    provision = contained(tree, EMPLOYER)["provision"]
    somebody = copy.deepcopy(provision["actor"])
    somebody[0]["reference"] = {"display": "Somebody at work"}
    provision["provision"] = [{"type": "deny", "actor": somebody}]


EMPLOYER, PRACTICE = "consent-to-share", "consent-to-share-with-practice"


@pytest.mark.parametrize(
    ("edit", "employer", "practice"),
    [
        (lambda _: None, "yes", "yes"),
        (_drop_consent(EMPLOYER), "not-asked", "yes"),
        (_drop_consent(PRACTICE), "yes", "not-asked"),
        (_change_consent(EMPLOYER, status="rejected"), "no", "yes"),
        (_change_consent(PRACTICE, status="inactive"), "yes", "no"),
        (_change_consent(EMPLOYER, status="proposed"), "not-known", "yes"),
        (_change_consent(EMPLOYER, status="entered-in-error"), "not-asked", "yes"),
        (_change_consent(EMPLOYER, dateTime="2027-01-01T10:00:00Z"), "not-known", "yes"),
        (_change_consent(EMPLOYER, performer=[{"display": "A cousin"}]), "not-known", "yes"),
        (
            lambda t: contained(t, EMPLOYER)["provision"].update(period={"end": "2026-11-01"}),
            "not-known",
            "yes",
        ),
        (lambda t: contained(t, EMPLOYER)["provision"].pop("actor"), "not-known", "yes"),
        (_but_not_to_somebody, "not-known", "not-known"),
        (
            lambda t: contained(t, PRACTICE)["provision"]["actor"][0]["reference"][
                "identifier"
            ].update(value="X99999"),
            "yes",
            "not-known",
        ),
    ],
)
def test_whether_the_plan_may_be_shared_is_answered_for_each_recipient(
    edit: Edit, employer: str, practice: str
) -> None:
    root = written(edited(edit))
    assert texts(root, "Consent/ToSharePlan/WithEmployer/Answer") == [employer]
    assert texts(root, "Consent/ToSharePlan/WithPractice/Answer") == [practice]
    assert len(texts(root, "Consent/ToSharePlan/WithEmployer/With")) == (employer == "yes")


def test_a_consent_to_refer_is_never_taken_for_one_to_share() -> None:
    def edit(tree: Any) -> None:
        _drop_consent(EMPLOYER)(tree)
        refer = contained(tree, "consent-to-refer")
        del refer["category"][1]
        refer["provision"]["purpose"].append(
            {"system": f"{OWN_BASE}/CodeSystem/purpose", "code": "employment-report"}
        )

    assert said(edited(edit), "Consent/ToSharePlan/WithEmployer/Answer") == ["not-asked"]


def _to_another_provider(tree: Any) -> None:
    actor = contained(tree, "consent-to-refer")["provision"]["actor"][0]
    actor["reference"]["identifier"]["value"] = "X99999"


@pytest.mark.parametrize(
    "edit",
    [
        _drop_consent("consent-to-refer"),
        _change_consent("consent-to-refer", status="proposed"),
        _to_another_provider,
    ],
)
def test_consent_that_is_not_in_the_message_stands_in_the_register(edit: Edit) -> None:
    tree = edited(edit)
    assert said(tree, "Consent/ToRefer/Evidence") == ["register"]
    assert said(tree, "Consent/ToRefer/GivenAt") == ["not-known"]
    assert said(example("full"), "Consent/ToRefer/Evidence") == ["with-referral"]


# ------------------------------------------------------------------ what is told of the rest


@pytest.mark.parametrize(("duties", "mark"), [((REDACT, MINEC), ["REDACTED"]), ((MINEC,), [])])
def test_what_was_withheld_is_told_by_its_policy_only(
    duties: tuple[str, ...], mark: list[str]
) -> None:
    notice = Notice(duties=duties, policy_version="9e05b99cb533", by=OdsCode("XGW01"))
    root = written(example("full"), notice=notice)
    assert texts(root, "Withheld/Mark") == mark
    assert texts(root, "Withheld/Policy") == list(notice.policies)
    assert root.xpath("string(//*[local-name()='Withheld']/@by)") == "XGW01"


def test_the_labels_of_the_purpose_join_those_of_the_sender() -> None:
    label = {"system": "https://x.example", "code": "R"}
    tree = edited(lambda t: t["meta"].update(security=[label]))
    assert said(tree, "Handling/Code") == ["NORDSCLCD", "NOREUSE", "R"]


def test_nothing_withheld_says_nothing() -> None:
    assert b"Withheld" not in write(example("full"))


def test_what_has_no_place_is_told_by_its_type() -> None:
    assert said(example("full"), "NotCarried/Part") == ["Observation"]


def test_a_message_bundle_finds_its_parts_by_any_reference() -> None:
    tree = example("letter")
    patient = tree["entry"][1]
    patient["resource"]["id"] = "p1"
    condition = {
        "resourceType": "Condition",
        "id": "c1",
        "code": {"text": "Low mood"},
        "subject": {"reference": patient["fullUrl"]},
    }
    tree["entry"].append({"fullUrl": "https://gp.example/Condition/c1", "resource": condition})
    tree["entry"][0]["resource"]["reasonReference"] = [{"reference": "Condition/c1"}]
    assert said(tree, "Reason/Item/Text") == ["Low mood"]


def test_a_document_without_its_content_is_named() -> None:
    tree = example("letter")
    document = next(
        e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == "DocumentReference"
    )
    document["content"] = [{"attachment": {"title": "Old letter", "url": "https://x.example/1"}}]
    root = written(tree)
    assert texts(root, "Documents/Document/Title") == ["Old letter"]
    assert texts(root, "Documents/Document/ContentNotSent") == [""]
    assert len(texts(root, "Documents/Document/Content")) == 1  # the Binary that nobody names now


# ------------------------------------------------------------------ hostile texts

HOSTILE = [
    "]]>",
    "<Answer>yes</Answer>",
    "&lt;&amp;&#10;&nbsp;",
    "<!-- --><?pi?><![CDATA[x]]>",
    '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>&b;',
    "\u202eright to left\u202c \u200f\u2066",
    "line\nline\r\nline\ttab \r",
    "'\"{$created}{1+1}",
    "concat('a', \"b\")",
    "\U0001f600 \u0000".replace("\u0000", "") + "e\u0301\ufdd0",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_comes_out_as_it_went_in(text: str) -> None:
    tree = edited(lambda t: (t["note"][0].update(text=text), t["reasonCode"][0].update(text=text)))
    root = written(tree)
    assert texts(root, "Reason/Note") == [text]
    assert texts(root, "Reason/Item/Text")[0] == text
    SCHEMA.assertValid(root)


@pytest.mark.parametrize("mark", ["\u0000", "\u000b", "\u001f", "\ufffe", "\ud800"])
def test_a_character_that_xml_does_not_have_is_told_where_it_stands(mark: str) -> None:
    tree = edited(lambda t: t["note"][0].update(text=f"a{mark}b"))
    assert [(f.code, f.expression) for f in faults(tree)] == [
        (IssueCode.VALUE, "ServiceRequest.note[0].text")
    ]


def test_a_letter_of_megabytes_goes_through() -> None:
    tree = example("letter")
    binary = next(e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == "Binary")
    binary["data"] = "QUJD" * 1_000_000
    assert said(tree, "Documents/Document/Content") == [binary["data"]]


PLACES: tuple[Callable[[Any, Any], None], ...] = (
    lambda t, text: t["note"][0].update(text=text),
    lambda t, text: t["reasonCode"][0].update(text=text),
    lambda t, text: t["identifier"][0].update(value=text, system=text),
    lambda t, text: contained(t, "patient")["name"][0].update(family=text, given=[text]),
    lambda t, text: contained(t, "patient")["telecom"][0].update(value=text, system=text),
    lambda t, text: contained(t, "patient")["address"][0].update(line=[text], postalCode=text),
    lambda t, text: contained(t, "patient").update(birthDate=text, gender=text),
    lambda t, text: contained(t, "practice").update(name=text),
    lambda t, text: contained(t, "back")["code"].update(text=text),
    lambda t, text: part(t, "employment", "employer").update(valueString=text),
    lambda t, text: part(t, "employment", "status")["valueCodeableConcept"]["coding"][0].update(
        code=text
    ),
    lambda t, text: part(t, "absence", "start").update(valueDate=text),
    lambda t, text: part(t, "absence", "expectedLength")["valueDuration"].update(
        code=text, value=text
    ),
    lambda t, text: part(t, "fit-note", "issued").update(valueDate=text),
    lambda t, text: contained(t, "consent-to-refer").update(dateTime=text),
    lambda t, text: contained(t, EMPLOYER)["provision"]["actor"][0]["reference"].update(
        display=text
    ),
    lambda t, text: t.update(authoredOn=text, priority=text),
    lambda t, text: t["requester"].update(reference=text, display=text),
)


@settings(max_examples=60)
@given(place=st.sampled_from(PLACES), text=st.text(max_size=1100) | st.sampled_from(HOSTILE))
def test_whatever_stands_in_it_the_message_is_valid_or_refused(
    place: Callable[[Any, Any], None], text: str
) -> None:
    tree = edited(lambda t: place(t, text))
    try:
        made = write(tree)
    except InvalidMessageError:
        return
    SCHEMA.assertValid(etree.fromstring(made))


@settings(max_examples=50)
@given(text=st.text(min_size=1, max_size=200, alphabet=st.characters(codec="utf-8")))
def test_any_text_that_leaves_is_the_text_that_came(text: str) -> None:
    tree = edited(lambda t: t["note"][0].update(text=text))
    try:
        root = written(tree)
    except InvalidMessageError:
        assert re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text)
    else:
        assert texts(root, "Reason/Note") == [text]


# ------------------------------------------------------------------ stylesheet and parser


def _with_sheet(folder: Path, select: str, root: str = "a") -> WorkSchema:
    (folder / "health-and-work.xsd").write_bytes((FOLDER / "health-and-work.xsd").read_bytes())
    (folder / "health-and-work.xsl").write_text(
        '<x:stylesheet version="1.0" xmlns:x="http://www.w3.org/1999/XSL/Transform">'
        f'<x:template match="/"><{root}><x:copy-of select="{select}"/></{root}></x:template>'
        "</x:stylesheet>"
    )
    return WorkSchema(folder)


@pytest.mark.parametrize("scheme", ["", "file://", "http://localhost"])
def test_a_stylesheet_reads_no_file_and_no_address(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "secret.xml").write_text("<secret/>")
    schema = _with_sheet(tmp_path, f"document('{scheme}{tmp_path}/secret.xml')")
    with pytest.raises(Unreadable):
        schema.transform(b"<b/>", {})


@pytest.mark.parametrize(("select", "root"), [("document('/a.xml')", "a"), ("/none", "x:comment")])
def test_a_stylesheet_that_makes_nothing_lets_nothing_out(
    tmp_path: Path, select: str, root: str
) -> None:
    _with_sheet(tmp_path, select, root)
    with pytest.raises(InvalidMessageError, match="cannot be made"):
        HealthAndWork(tmp_path).write(
            Outgoing(tree=example("full")), a_referral("work-health"), a_delivery(), THERE
        )


def test_the_stylesheet_is_read_once(tmp_path: Path) -> None:
    schema = _with_sheet(tmp_path, "'one'")
    _with_sheet(tmp_path, "'two'")
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(schema.transform(b"<b/>", {}).text))
    thread.start()
    thread.join()
    assert found == ["one"]


@pytest.mark.parametrize("name", ["health-and-work.xsl", "health-and-work.xsd"])
@pytest.mark.parametrize("content", [None, "<a", "<a/>", "<!DOCTYPE a><a/>"])
def test_a_broken_file_stops_the_start(tmp_path: Path, name: str, content: str | None) -> None:
    _with_sheet(tmp_path, "'one'")
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigError, match="mappings/health-and-work"):
        HealthAndWork(tmp_path)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<a",
        b"<a>\xff</a>",
        '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"),
        b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        b"<a>&b;</a>",
        b"<a>" + b"<b>" * 100_000,
    ],
)
def test_a_document_with_tricks_is_not_read(document: bytes) -> None:
    with pytest.raises(Unreadable):
        read(document)


# ------------------------------------------------------------------ withdrawals and receipts


def test_a_withdrawal_names_the_referral_and_nobody() -> None:
    made = WRITER.write_recall(a_referral("work-health"), a_delivery(), THERE)
    SCHEMA.assertValid(etree.fromstring(made))
    assert made.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Withdrawal xmlns="{NAMESPACE}" version="1.0"><MessageId>{NAMES[1]}</MessageId>'
        "<Reference>RG-7K3M-9QX2</Reference><Created>2026-11-22T09:00:00.000Z</Created>"
        "<Cause>CANCELLED_BY_SENDER</Cause><Due>2026-11-22T09:00:00.000Z</Due></Withdrawal>\n"
    )


def test_the_cause_of_a_withdrawal_is_a_code() -> None:
    odd = replace(a_delivery(), reason="She changed her mind")
    with pytest.raises(InvalidMessageError, match="cause"):
        WRITER.write_recall(a_referral("work-health"), odd, THERE)


def receipt(inner: str, *, message_id: str = NAMES[1], more: str = "") -> bytes:
    return (
        f'<Receipt xmlns="{NAMESPACE}" version="1.0"><MessageId>{message_id}</MessageId>'
        f"{inner}{more}</Receipt>"
    ).encode()


@pytest.mark.parametrize(
    ("body", "outcome", "reason"),
    [
        (receipt("<Accepted/>"), Outcome.ACCEPTED, None),
        (receipt("<Duplicate/>"), Outcome.DUPLICATE, None),
        (
            receipt("<Rejected>within-12-months</Rejected>"),
            Outcome.REJECTED,
            "within-12-months",
        ),
    ],
)
def test_a_receipt_is_read(body: bytes, outcome: Outcome, reason: str | None) -> None:
    expected = Receipt(message_id=DeliveryId(NAMES[1]), outcome=outcome, reason=reason)
    assert WRITER.read_receipt(body) == expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html/>",
        b"{}",
        receipt(""),
        receipt("<Accepted/><Duplicate/>"),
        receipt("<Accepted>no</Accepted>"),
        receipt("<Rejected>she is Avery Testperson</Rejected>"),
        receipt("<Accepted/>", message_id="1"),
        receipt("<Accepted/>").replace(NAMESPACE.encode(), b"https://x.example"),
        b"<!DOCTYPE a>" + receipt("<Accepted/>"),
        receipt("<Accepted/>") + b" " * 70_000,
        WRITER.write_recall(a_referral("work-health"), a_delivery(), THERE),
    ],
)
def test_what_is_no_receipt_is_not_taken_for_one(body: bytes) -> None:
    assert WRITER.read_receipt(body) is None


def test_the_message_was_made_when_the_delivery_was_queued() -> None:
    assert said(example("full"), "Header/Created") == [f"{AT:%Y-%m-%dT%H:%M:%S}.000Z"]
