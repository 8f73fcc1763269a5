"""Which format a body may come in, and in which format and part the answer goes."""

import copy
import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fhir.json_text import read_json
from gateway.fhir.validate import validate
from gateway.fhir.xml_text import read_xml, write_xml
from gateway.inbound.answers import Answer
from gateway.inbound.media import to_response
from gateway.referral.json import JsonObject
from tests.builders.evidence import counts, entries, issues
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, bars_headers, bars_message, service_request

FHIR_JSON: Final = "application/fhir+json"
FHIR_XML: Final = "application/fhir+xml"


def tree_of(answer: Any) -> dict[str, Any]:
    """Read an answer in the format that it says it is in."""
    readers: dict[str, Any] = {FHIR_JSON: read_json, FHIR_XML: read_xml}
    tree: dict[str, Any] = readers[answer.content_type](answer.data)
    return tree


def ask(door: House, path: str, accept: str | None = None, **query: Any) -> Any:
    headers = door.bearer() | ({} if accept is None else {"Accept": accept})
    return door.web.get(f"/FHIR/R4{path}", query_string=query, headers=headers)


@pytest.fixture(scope="module")
def referral_id(door: House) -> str:
    """The id of one referral that the practice has sent."""
    tree = service_request()
    tree["text"] = {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>A request</p></div>',
    }
    tree["note"] = [{"text": "é & <b>\n2"}]
    answer = door.post("/ServiceRequest", tree)
    assert answer.status_code == 201
    own: str = answer.get_json()["id"]
    return own


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        (None, FHIR_JSON),
        ("", FHIR_JSON),
        ("*/*", FHIR_JSON),
        ("application/*", FHIR_JSON),
        (FHIR_XML, FHIR_XML),
        ("application/xml", FHIR_XML),
        ("text/xml", FHIR_XML),
        ("text/json", FHIR_JSON),
        ("APPLICATION/FHIR+XML; fhirVersion=4.0; version=1.4.0", FHIR_XML),
        (f"{FHIR_JSON};q=0.5, {FHIR_XML}", FHIR_XML),
        (f"{FHIR_XML};q=0.5, {FHIR_JSON};q=0.6", FHIR_JSON),
        (f"{FHIR_XML}, {FHIR_JSON}", FHIR_XML),
        (f"{FHIR_JSON}, {FHIR_XML}", FHIR_JSON),
        (f"*/*, {FHIR_XML}", FHIR_XML),
        (f"*/*, {FHIR_JSON};q=0.1", FHIR_XML),
        (f"*/*, {FHIR_JSON};q=0", FHIR_XML),
        (f"*/*;q=0, application/*, {FHIR_JSON};q=0", FHIR_XML),
        ("text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8", FHIR_XML),
        (f"{FHIR_XML};q=many, {FHIR_JSON}", FHIR_JSON),
        (f"{FHIR_XML}; fhirVersion=5.0, {FHIR_JSON};q=0.1", FHIR_JSON),
    ],
)
def test_accept_chooses_the_format(
    door: House, referral_id: str, accept: str | None, media: str
) -> None:
    answer = ask(door, f"/ServiceRequest/{referral_id}", accept)
    assert (answer.status_code, answer.content_type) == (200, media)
    assert "Accept" in answer.vary
    assert tree_of(answer)["id"] == referral_id


@pytest.mark.parametrize(
    ("wanted", "media"),
    [
        ("json", FHIR_JSON),
        ("xml", FHIR_XML),
        ("XML", FHIR_XML),
        (FHIR_XML, FHIR_XML),
        ("application/fhir xml", FHIR_XML),
        ("application/xml", FHIR_XML),
        ("text/xml", FHIR_XML),
        ("application/json", FHIR_JSON),
    ],
)
@pytest.mark.parametrize("accept", [FHIR_JSON, FHIR_XML, "text/html"])
def test_the_parameter_wins_over_the_header(
    door: House, referral_id: str, wanted: str, media: str, accept: str
) -> None:
    answer = ask(door, f"/ServiceRequest/{referral_id}", accept, _format=wanted)
    assert (answer.status_code, answer.content_type) == (200, media)


@pytest.mark.parametrize(
    "accept",
    [
        "text/turtle",
        "text/*",
        "nonsense",
        f"{FHIR_XML};q=0",
        f"{FHIR_JSON};q=0, {FHIR_XML};q=0, */*;q=0",
        f"{FHIR_XML}; fhirVersion=3.0",
        f"{FHIR_XML}; version=2.0.0",
    ],
)
def test_what_cannot_be_given_is_not_acceptable(door: House, accept: str) -> None:
    answer = ask(door, "/Task", accept)
    media = FHIR_XML if "version=2" in accept else FHIR_JSON
    assert (answer.status_code, answer.content_type) == (406, media)
    assert tree_of(answer)["issue"][0]["code"] == "processing"


PIECES: Final = st.sampled_from(
    [
        FHIR_JSON,
        FHIR_XML,
        "*/*",
        "application/*",
        ";",
        ",",
        "q=0",
        "q=0.5",
        "version=",
        "2",
        '"',
        "=",
        " ",
    ]
)
any_header = st.lists(
    PIECES | st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=9
)


@given(accept=any_header.map("".join), wanted=st.none() | any_header.map("".join))
def test_whatever_is_asked_for_has_an_answer(door: House, accept: str, wanted: str | None) -> None:
    query = {} if wanted is None else {"_format": wanted, "_pretty": wanted, "_summary": wanted}
    answer = ask(door, "/nowhere", accept, **query)
    assert answer.status_code == 404
    assert ask(door, "/Task", accept, **query).status_code in (200, 400, 406)


@pytest.mark.parametrize("wanted", ["turtle", "html", NHS_NUMBER, f"json;{NHS_NUMBER}"])
def test_an_unknown_format_is_not_acceptable_and_not_repeated(door: House, wanted: str) -> None:
    answer = ask(door, "/Task", FHIR_XML, _format=wanted)
    assert (answer.status_code, answer.content_type) == (406, FHIR_JSON)
    assert NHS_NUMBER not in answer.get_data(as_text=True)


@pytest.mark.parametrize("accept", [FHIR_JSON, FHIR_XML])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/FHIR/R4/nowhere", 404),
        ("GET", "/FHIR/R4/Task", 401),
        ("DELETE", "/FHIR/R4/Task/1", 405),
        ("GET", "/FHIR/R4/metadata", 200),
    ],
)
def test_every_answer_is_in_the_format_asked_for(
    door: House, accept: str, method: str, path: str, status: int
) -> None:
    answer = door.web.open(path, method=method, headers={"Accept": accept})
    assert (answer.status_code, answer.content_type) == (status, accept)
    assert validate(tree_of(answer)) == []


@pytest.mark.parametrize("name", ["_format", "_pretty", "_summary", "_elements"])
def test_a_parameter_is_given_once_and_with_a_value(door: House, name: str) -> None:
    for values in ([""], ["true", "true"]):
        query: dict[str, Any] = {name: values}
        answer = ask(door, "/Task", **query)
        assert (answer.status_code, issues(answer)) == (400, [("value", None)])


@pytest.mark.parametrize(
    "query",
    [
        {"_pretty": "yes"},
        {"_summary": "some"},
        {"_summary": "count"},
        {"_summary": "true", "_elements": "status"},
        {"_elements": NHS_NUMBER},
        {"_elements": "status,Testperson"},
        {"_elements": "status,"},
    ],
    ids=str,
)
def test_a_part_that_cannot_be_understood_is_refused(
    door: House, referral_id: str, query: dict[str, str]
) -> None:
    for path in ("/Task", f"/ServiceRequest/{referral_id}"):
        answer = ask(door, path, **query)
        assert (answer.status_code, issues(answer)) == (400, [("value", None)])
        assert NHS_NUMBER not in answer.get_data(as_text=True)


@pytest.mark.parametrize("accept", [FHIR_JSON, FHIR_XML])
def test_a_pretty_answer_says_the_same_on_many_lines(
    door: House, referral_id: str, accept: str
) -> None:
    plain = ask(door, f"/ServiceRequest/{referral_id}", accept)
    pretty = ask(door, f"/ServiceRequest/{referral_id}", accept, _pretty="true")
    assert tree_of(plain) == tree_of(pretty)
    assert (plain.data.count(b"\n"), pretty.data.count(b"\n") > 20) == (0, True)


def test_a_read_gives_the_part_that_is_asked_for(door: House, referral_id: str) -> None:
    path = f"/ServiceRequest/{referral_id}"
    whole = ask(door, path, _summary="false").get_json()
    assert {"text", "note"} <= set(whole)
    summary = ask(door, path, FHIR_XML, _summary="true")
    assert not {"text", "note"} & set(tree_of(summary))
    assert b"SUBSETTED" in summary.data
    asked = ask(door, path, _elements="note").get_json()
    assert {"note", "status", "subject", "id", "meta"} <= set(asked)
    assert "reasonCode" not in asked


@pytest.mark.parametrize("accept", [FHIR_JSON, FHIR_XML])
def test_a_search_gives_the_part_of_each_and_so_do_its_links(
    door: House, referral_id: str, accept: str
) -> None:
    query = {"_id": referral_id, "_elements": "note", "_format": accept}
    found = tree_of(ask(door, "/ServiceRequest", **query))
    [entry] = found["entry"]
    assert entry["resource"]["meta"]["tag"][0]["code"] == "SUBSETTED"
    assert "reasonCode" not in entry["resource"]
    [link] = found["link"]
    assert "_elements=note" in link["url"]
    assert "_format=" in link["url"]


def test_a_count_is_a_total_without_entries(door: House, referral_id: str) -> None:
    found = ask(door, "/ServiceRequest", _id=referral_id, _summary="count").get_json()
    assert (found["total"], "entry" in found) == (1, False)


def test_an_error_is_never_narrowed(door: House) -> None:
    answer = ask(door, f"/Task/{NHS_NUMBER}", _summary="true")
    assert answer.status_code == 404
    assert "tag" not in answer.get_json()["meta"]


def test_the_token_endpoint_speaks_as_its_own_standard_does(door: House) -> None:
    answer = door.web.post("/FHIR/R4/oauth2/token?_format=xml", headers={"Accept": FHIR_XML})
    assert (answer.status_code, answer.content_type) == (400, "application/json")


def test_the_statement_names_both_formats(door: House) -> None:
    assert door.web.get("/FHIR/R4/metadata").get_json()["format"] == [FHIR_JSON, FHIR_XML]


@pytest.mark.parametrize("kind", [FHIR_XML, "application/xml; charset=UTF-8", "text/xml"])
@pytest.mark.parametrize("path", ["/ServiceRequest", "/$process-message"])
def test_a_referral_in_xml_is_accepted_and_answered_in_either_format(
    door: House, path: str, kind: str
) -> None:
    tree = bars_message() if "process" in path else service_request()
    for accept in (FHIR_XML, FHIR_JSON):
        headers = (bars_headers() if "process" in path else {}) | {"Content-Type": kind}
        headers["Accept"] = accept
        answer = door.post(path, write_xml(tree), **headers)
        assert answer.status_code in (200, 201)
        assert answer.content_type == accept
        assert tree_of(answer)["resourceType"] == tree["resourceType"]
        assert validate(tree_of(answer)) == []


REFUSED: Final = {
    "json_called_xml": (json.dumps(service_request()).encode(), FHIR_XML, 400),
    "xml_called_json": (write_xml(service_request()), FHIR_JSON, 400),
    "document_type": (b"<!DOCTYPE a>" + write_xml(service_request()), FHIR_XML, 400),
    "utf_16": (write_xml(service_request()).decode().encode("utf-16"), FHIR_XML, 400),
    "charset": (write_xml(service_request()), f"{FHIR_XML}; charset=utf-16", 415),
    "version": (write_xml(service_request()), f"{FHIR_XML}; fhirVersion=3.0", 415),
    "turtle": (b"a", "text/turtle", 415),
    "xhtml": (b"<html/>", "application/xhtml+xml", 415),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("accept", [FHIR_JSON, FHIR_XML])
def test_a_body_that_is_not_what_it_says_is_refused_in_the_format_asked_for(
    door: House, name: str, accept: str
) -> None:
    body, kind, status = REFUSED[name]
    before, rejected = counts(door), len(entries(door, "referral.rejected"))
    answer = door.post("/ServiceRequest", body, Content_Type=kind, Accept=accept)
    assert (answer.status_code, answer.content_type) == (status, accept)
    assert validate(tree_of(answer)) == []
    assert counts(door) == before
    assert len(entries(door, "referral.rejected")) == rejected + 1


def test_every_fault_of_an_xml_body_is_named_at_its_place(door: House) -> None:
    tree = service_request() | {"status": "neither"}
    body = write_xml(tree).replace(b"<intent", b"<unheard/><intent")
    answer = door.post("/ServiceRequest", body, Content_Type=FHIR_XML)
    assert issues(answer) == [
        ("structure", "ServiceRequest"),
        ("code-invalid", "ServiceRequest.status"),
    ]


@pytest.mark.parametrize("character", ["\ufffe", "\uffff"])
def test_what_xml_cannot_carry_is_refused(door: House, character: str) -> None:
    tree = copy.deepcopy(service_request())
    tree["note"] = [{"text": f"one {character} character that XML does not have"}]
    answer = door.post("/ServiceRequest", tree, Accept=FHIR_XML)
    assert (answer.status_code, answer.content_type) == (400, FHIR_XML)
    told = tree_of(answer)["issue"]
    assert [(each["code"], each["expression"]) for each in told] == [
        ("value", ["ServiceRequest.note[0].text"])
    ]


@pytest.mark.parametrize(("method", "status"), [("POST", 201), ("GET", 500)])
def test_an_answer_that_xml_cannot_carry_is_given_in_json(
    door: House, method: str, status: int
) -> None:
    """No door takes such a text; should one be kept all the same, its sender still hears."""
    kept: JsonObject = {"resourceType": "Basic", "id": "a\ufffeb"}
    asks = {"method": method, "headers": {"Accept": FHIR_XML}}
    with door.web.application.test_request_context("/FHIR/R4/Basic", **asks):
        answer = to_response(Answer(http=201 if method == "POST" else 200, body=kept))
    assert (answer.status_code, answer.content_type) == (status, FHIR_JSON)
    is_told = answer.get_json()["resourceType"] == "OperationOutcome"
    assert is_told is (method == "GET")
