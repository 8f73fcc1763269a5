"""Outcomes that come as documents, and where their practice reads them."""

import base64
import hashlib
from typing import Any

import pytest

from gateway.fhir.text import Media, write_resource
from gateway.referral.outcome import OutcomeKind, Standing
from gateway.store import outcomes
from tests.builders.canary import WORDS
from tests.builders.evidence import entries, referral, work
from tests.builders.house import House
from tests.builders.messages import NHS_NUMBER, OTHER_PRACTICE, PRACTICE
from tests.builders.outcomes import (
    NUMBER,
    bundle,
    document,
    document_reference,
    person,
    to,
)
from tests.builders.returning import (
    CODED,
    brought,
    report,
    say,
    told,
    with_letters,
)

OTHER_NUMBER = "9990000026"


def kept(house: House, own: str) -> list[Any]:
    with house.gateway.store.reading() as view:
        return outcomes.of_referral(view, own)  # type: ignore[arg-type]


def letter_about(own: str, **more: Any) -> dict[str, Any]:
    return (
        document_reference({"identifier": NUMBER})
        | {"context": {"related": [{"reference": f"ServiceRequest/{own}"}]}}
        | more
    )


def report_about(own: str) -> dict[str, Any]:
    return document(event=[{"detail": [{"reference": f"ServiceRequest/{own}"}]}])


def letters_about(own: str) -> dict[str, Any]:
    return bundle(
        "collection",
        ("letter1", letter_about(own) | {"subject": to("patient")}),
        ("patient", person()),
    )


def post(house: House, tree: dict[str, Any], **more: Any) -> Any:
    return house.post(f"/{tree['resourceType']}", tree, client="oh-one", **more)


def with_file(own: str, media_type: str, data: bytes) -> dict[str, Any]:
    file = {"contentType": media_type, "data": base64.b64encode(data).decode()}
    return letter_about(own, content=[{"attachment": file}])


@pytest.mark.parametrize("make", [letter_about, report_about, letters_about])
def test_a_document_is_taken_and_is_where_the_answer_says(house: House, make: Any) -> None:
    mesh = with_letters(house)
    own, _ = brought(house)
    answer = post(house, make(own))
    assert answer.status_code == 201, answer.get_data(as_text=True)
    (outcome,) = kept(house, own)
    assert outcome.kind is OutcomeKind.REPORT
    path = f"/DocumentReference/{outcome.id}"
    assert answer.headers["Location"] == f"http://gateway.example/FHIR/R4{path}"
    work(house)
    assert len(mesh.sent) == 1
    shown = house.get(path)
    assert shown.status_code == 200, shown.get_data(as_text=True)
    tree = shown.get_json()
    assert (tree["status"], tree["docStatus"]) == ("current", "final")
    assert tree["author"][0]["identifier"]["value"] == "RX901"
    assert tree["context"]["related"][0]["reference"] == f"ServiceRequest/{own}"
    attachment = tree["content"][0]["attachment"]
    pdf = house.get(f"/{attachment['url']}")
    assert (pdf.status_code, pdf.content_type) == (200, "application/pdf")
    assert pdf.data.startswith(b"%PDF-")
    digest = hashlib.sha1(pdf.data).digest()  # noqa: S324  # what FHIR asks for
    assert (attachment["size"], base64.b64decode(attachment["hash"])) == (len(pdf.data), digest)


def test_codes_that_stay_here_are_told_and_the_document_is_there(house: House) -> None:
    with_letters(house)
    own, _ = brought(house)
    tree = letters_about(own)
    coded = {k: v for k, v in CODED.items() if k != "id"} | {"subject": to("patient")}
    tree["entry"].append({"fullUrl": to("coded1")["reference"], "resource": coded})
    answer = post(house, tree)
    assert answer.status_code == 202, answer.get_data(as_text=True)
    assert answer.get_json()["issue"][0]["severity"] == "warning"
    assert house.get(f"/DocumentReference/{kept(house, own)[0].id}").status_code == 200


def test_a_document_names_its_person_by_the_referral_alone(house: House) -> None:
    with_letters(house)
    own, _ = brought(house)
    post(house, letter_about(own))
    (outcome,) = kept(house, own)
    shown = house.get(f"/DocumentReference/{outcome.id}").get_data(as_text=True)
    assert NHS_NUMBER not in shown
    assert "Testperson" not in shown
    assert "extension" not in shown


def test_documents_are_found_by_their_referral(house: House) -> None:
    with_letters(house)
    own, task = brought(house)
    say(house, task, **told(OutcomeKind.ACCEPTED))
    say(house, task, **report())
    say(house, task, **report(named="L-2", replaces="L-1"))
    page = house.get("/DocumentReference", related=f"ServiceRequest/{own}").get_json()
    first, later = [each["resource"] for each in page["entry"]]
    assert page["total"] == 2
    assert (first["status"], later["status"]) == ("superseded", "current")
    assert later["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{first['id']}"
    nobody = house.get("/DocumentReference", related=f"ServiceRequest/{later['id']}").get_json()
    assert nobody["total"] == 0
    for query in ({}, {"related": "Patient/1"}, {"related": own, "patient": "x"}):
        assert house.get("/DocumentReference", **query).status_code == 400


def test_what_is_held_or_kept_is_not_there(house: House) -> None:
    with_letters(house)
    own, _ = brought(house)
    draft = post(house, letter_about(own, docStatus="preliminary"))
    assert draft.status_code == 202, draft.get_data(as_text=True)
    assert "Location" not in draft.headers
    (outcome,) = kept(house, own)
    assert outcome.standing is Standing.HELD
    for kind in ("DocumentReference", "Binary"):
        assert house.get(f"/{kind}/{outcome.id}").status_code == 404
    assert house.get("/DocumentReference", related=own).get_json()["total"] == 0


def test_a_state_is_no_document(house: House) -> None:
    own, task = brought(house)
    say(house, task, **told(OutcomeKind.ACCEPTED))
    (outcome,) = kept(house, own)
    assert house.get(f"/DocumentReference/{outcome.id}").status_code == 404


def test_nobody_but_the_practice_reads_it(house: House) -> None:
    with_letters(house)
    own, _ = brought(house)
    post(house, letter_about(own))
    (outcome,) = kept(house, own)
    for client in ("oh-one", "gp-two"):
        for kind in ("DocumentReference", "Binary"):
            assert house.get(f"/{kind}/{outcome.id}", client=client).status_code == 404
        found = house.get("/DocumentReference", client=client, related=own)
        assert found.get_json()["total"] == 0
    assert {each["practice"] for each in entries(house, "record.read")[-6:]} <= {
        OTHER_PRACTICE, "RX901",
    }  # fmt: skip


def test_each_reading_is_on_record(house: House) -> None:
    with_letters(house)
    own, _ = brought(house)
    post(house, letter_about(own))
    (outcome,) = kept(house, own)
    before = len(entries(house, "record.read"))
    for path in (f"/DocumentReference/{outcome.id}", f"/Binary/{outcome.id}"):
        house.get(path)
    house.get("/DocumentReference", related=own)
    read = entries(house, "record.read")[before:]
    assert [(each["practice"], each["referral"]) for each in read] == [(PRACTICE, own)] * 3


def test_a_reader_that_has_it_is_not_sent_it_again(house: House) -> None:
    with_letters(house)
    own, _ = brought(house)
    post(house, letter_about(own))
    (outcome,) = kept(house, own)
    for kind in ("DocumentReference", "Binary"):
        path = f"/{kind}/{outcome.id}"
        headers = house.bearer() | {"If-None-Match": house.get(path).headers["ETag"]}
        assert house.web.get(f"/FHIR/R4{path}", headers=headers).status_code == 304


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("application/pdf", "application/pdf"),
        ("*/*", "application/pdf"),
        ("application/fhir+json", "application/fhir+json"),
        ("application/fhir+xml", "application/fhir+xml"),
    ],
)
def test_a_document_comes_as_it_is_asked_for(house: House, accept: str, kind: str) -> None:
    with_letters(house)
    own, _ = brought(house)
    post(house, letter_about(own))
    headers = house.bearer() | {"Accept": accept}
    answer = house.web.get(f"/FHIR/R4/Binary/{kept(house, own)[0].id}", headers=headers)
    assert answer.status_code == 200
    assert (answer.content_type or "").startswith(kind)


def test_a_document_in_xml_is_the_same(house: House) -> None:
    with_letters(house)
    own, _ = brought(house)
    sent = write_resource(report_about(own), Media.XML)
    answer = house.post("/Bundle", sent, client="oh-one", Content_Type="application/fhir+xml")
    assert answer.status_code == 201, answer.get_data(as_text=True)


def test_the_same_request_or_the_same_bytes_are_one_outcome(house: House) -> None:
    mesh = with_letters(house)
    own, _ = brought(house)
    named = {"X_Request_Id": "c7d9ab5e-7a57-4b36-9c2b-5f7a0a6f1d11"}
    first, again = (post(house, letter_about(own), **named) for _ in range(2))
    bare = post(house, letter_about(own))
    assert (first.status_code, again.status_code, bare.status_code) == (201, 200, 200)
    assert len({each.headers["Location"] for each in (first, again, bare)}) == 1
    other = post(house, letter_about(own, date="2026-11-21T09:00:00+00:00"), **named)
    assert other.status_code == 409
    work(house)
    assert (len(kept(house, own)), len(mesh.sent)) == (1, 1)


REFUSED = [
    ("referral_that_is_unknown", lambda _: letter_about("44444444-4444-4444-8444-444444444444"), 404),
    ("another_person", lambda own: letter_about(own, subject={"identifier": NUMBER | {"value": OTHER_NUMBER}}), 400),
    ("nothing_named", lambda own: letter_about(own, context={}, identifier=[]), 400),
    ("script_in_a_pdf", lambda own: with_file(own, "application/pdf", b"%PDF-1.4\n1 0 obj<</OpenAction<</S/JavaScript/JS(app.alert)>>>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"), 400),
    ("script_in_html", lambda own: with_file(own, "text/html", b"<p>x</p><script>alert(1)</script>"), 400),
    ("longer_than_five_megabytes", lambda own: with_file(own, "text/plain", b"word " * 1_100_000), 400),
    ("bundle_that_is_a_message", lambda _: bundle("message", ("patient", person())), 400),
]  # fmt: skip


@pytest.mark.parametrize(("make", "status"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_what_is_wrong_is_refused_and_not_kept(house: House, make: Any, status: int) -> None:
    with_letters(house)
    own, _ = brought(house)
    answer = post(house, make(own))
    text = answer.get_data(as_text=True)
    assert answer.status_code in (status, 413), text
    assert kept(house, own) == []
    for word in (*WORDS, NHS_NUMBER, OTHER_NUMBER, "Testperson", "app.alert"):
        assert word not in text


def test_a_document_of_another_version_or_from_another_provider_is_refused(house: House) -> None:
    with_letters(house)
    own, task = brought(house)
    wrong = post(house, letter_about(own), If_Match='W/"77"')
    assert wrong.status_code == 412
    assert post(house, letter_about(own), If_Match="x").status_code == 400
    stranger = house.post("/DocumentReference", letter_about(own), client="gp-two")
    assert stranger.status_code == 404
    etag = house.get(f"/Task/{task}", client="oh-one").headers["ETag"]
    assert post(house, letter_about(own), If_Match=etag).status_code == 201


def test_a_document_after_a_rejection_is_refused_with_what_is_legal(house: House) -> None:
    own, task = brought(house)
    reason = {"text": "not ours"}
    say(house, task, **told(OutcomeKind.REJECTED, statusReason=reason))
    answer = post(house, letter_about(own))
    assert answer.status_code == 409
    assert "it can say nothing" in answer.get_json()["issue"][0]["diagnostics"]
    assert referral(house, own).closed_because is not None


def test_a_document_that_cannot_be_written_has_no_file(house: House) -> None:
    own, _ = brought(house)
    for path in ("/DocumentReference/x", f"/Binary/{own}"):
        assert house.get(path).status_code == 404
