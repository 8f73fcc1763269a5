"""The ledger by API: who sees which entries, how they are found, and that each read is one."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.fhir.text import Media, read_resource
from gateway.ledger.balp import ACTOR_SYSTEM, HANDLE_SYSTEM
from gateway.ledger.balp_table import Sort
from gateway.ledger.entry import LedgerVerified
from gateway.ledger.kinds import EntryKind
from gateway.referral.identifiers import Handle
from gateway.store import ledger_search
from gateway.store.details import open_detail
from tests.builders.canary import NUMBER, WORDS, canary_message, canary_patient, canary_referral
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, execute, id_in, issues, take_back, work
from tests.builders.house import House, key
from tests.builders.messages import (
    NHS_NUMBER,
    OTHER_PRACTICE,
    PRACTICE,
    bars_headers,
    consent,
    patient,
    service_request,
)
from tests.builders.register import register, to_register, withdraw

NHS = "https://fhir.nhs.uk/Id/nhs-number"
DCM = "http://dicom.nema.org/resources/ontology/DCM"
OTHER_NUMBER = "9990000026"
OFFICER = "ig-officer"
NOWHERE = "7a2c6f6e-51d4-4a41-9f0e-1f6f0c1d7a02"


def with_officer(house: House) -> House:
    """Register a client of who runs the gateway, and an agreement of the second practice."""
    house.keys[OFFICER] = key(OFFICER)
    officer = {
        "id": OFFICER, "ods": str(house.gateway.ods), "scopes": ["system/AuditEvent.rs"],
        "jwks": {"keys": [house.keys[OFFICER].as_dict(private=False)]},
    }  # fmt: skip
    (agreed,) = house.directory["agreements"]
    also = agreed | {"id": "dsa-two-oh", "practice": OTHER_PRACTICE}
    house.apply(clients=[*house.directory["clients"], officer], agreements=[agreed, also])
    return house


def send(house: House, number: str = NHS_NUMBER, client: str = "gp-one", **more: Any) -> str:
    practice = PRACTICE if client == "gp-one" else OTHER_PRACTICE
    tree = service_request(person=patient(number, practice), requester=practice, **more)
    answer = house.post("/ServiceRequest", tree, client=client)
    return id_in(answer.headers["Location"]) if answer.status_code < 300 else ""


def lived_in(house: House) -> House:
    """Two practices and the gateway's own officer; sent, delivered, refused, held, withdrawn."""
    with_officer(house)
    send(house)
    house.clock.move(seconds=1)
    work(house)
    send(house, OTHER_NUMBER, consents=[consent(status="proposed")])
    send(house, OTHER_NUMBER, consents=[])
    withdraw(house, register(house))
    house.clock.move(days=1)
    house.tokens.clear()
    send(house, client="gp-two")
    register(house, to_register(), client="gp-two")
    return house


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with embedded_house(tmp_path_factory.mktemp("door")) as house:
        yield lived_in(house)


def events(answer: Any) -> list[Any]:
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [e["resource"] for e in answer.get_json().get("entry", [])]


def ids(answer: Any) -> list[str]:
    return [event["id"] for event in events(answer)]


def search(house: House, client: str = "gp-one", **query: Any) -> list[str]:
    return ids(house.get("/AuditEvent", client=client, _count="200", **query))


def link(answer: Any, relation: str) -> str | None:
    found = [x["url"] for x in answer.get_json()["link"] if x["relation"] == relation]
    return found[0] if found else None


def follow(house: House, url: str, client: str = "gp-one") -> Any:
    parts = urlsplit(url)
    path = parts.path.removeprefix("/FHIR/R4")
    return house.get(path, client=client, **dict(parse_qsl(parts.query)))


def ids_of(house: House, fits: Callable[[Any], bool]) -> list[str]:
    """The ids of the entries that fit, the newest first, from the ledger's own bytes."""
    found = [e for e in entries(house) if fits(e)]
    return [f"{e['log'][-4:]}-{e['idx']}" for e in reversed(found)]


def subject(house: House, practice: str = PRACTICE) -> str:
    return next(
        str(e["subject"]) for e in entries(house, "delivery.queued") if e["practice"] == practice
    )


def test_each_reads_what_is_theirs_and_all_of_it(house: House) -> None:
    lived_in(house)
    for client, practice in (("gp-one", PRACTICE), ("gp-two", OTHER_PRACTICE)):
        house.bearer(client)  # a token is an entry too
        own = ids_of(house, lambda e, practice=practice: e["practice"] == practice)  # type: ignore[misc]
        assert own
        assert search(house, client) == own
    house.bearer(OFFICER)
    everything = ids_of(house, lambda _: True)
    assert search(house, OFFICER) == everything


@pytest.mark.parametrize("path", ["/AuditEvent", "/AuditEvent/2026-0", "/AuditEvent/2026-99999"])
def test_the_ledger_is_closed_to_a_provider(door: House, path: str) -> None:
    answer = door.get(path, client="oh-one")
    assert (answer.status_code, issues(answer)) == (403, [("forbidden", None)])
    last = entries(door, "access.refused")[-1]
    assert (last["actor"], last["practice"], last["code"]) == ("oh-one", None, "not-open")


def test_a_token_without_the_scope_opens_nothing(door: House) -> None:
    granted = door.ask_for_token(door.assertion(), scope="system/Task.rs").get_json()
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    for path in ("/AuditEvent", "/AuditEvent/2026-1"):
        assert door.web.get(f"/FHIR/R4{path}", headers=headers).status_code == 403
        assert door.web.get(f"/FHIR/R4{path}").status_code == 401


PERMIT, DENY = "PERMIT", "DENY"
FOUND_BY: dict[str, tuple[dict[str, Any], Callable[[Any], bool]]] = {
    "agent": ({"agent": "worker"}, lambda e: e["actor"] == "worker"),
    "agent-identifier": (
        {"agent:identifier": f"{ACTOR_SYSTEM}|gp-one"}, lambda e: e["actor"] == "gp-one",
    ),
    "type": ({"type": "rest"}, lambda e: e["kind"].startswith(("referral.", "consent.", "hold.", "record."))),
    "type-with-system": ({"type": f"{DCM}|110106"}, lambda e: e["kind"].startswith(("delivery.", "recall."))),
    "type-of-another-system": ({"type": "https://x.example|rest"}, lambda _: False),
    "subtype": ({"subtype": "delivery.delivered"}, lambda e: e["kind"] == "delivery.delivered"),
    "subtype-either": (
        {"subtype": "create,login,110129"},
        lambda e: e["kind"] in ("referral.received", "consent.recorded")
        or e["kind"].startswith(("agreement.", "switch.", "withdrawal.")),
    ),
    "subtype-that-is-none": ({"subtype": "9990000018"}, lambda _: False),
    "action": ({"action": "C"}, lambda e: e["kind"] in (
        "referral.received", "consent.recorded", "agreement.signed")),
    "outcome": ({"outcome": "8"}, lambda e: e.get("effect") == DENY),
    "outcome-success": (
        {"outcome": "0", "type": "110113", "subtype": "decision.made"},
        lambda e: e.get("effect") == PERMIT,
    ),
    "outcome-never": ({"outcome": "12"}, lambda _: False),
    "date": ({"date": "2026-11-22"}, lambda e: e["t"] < "2026-11-23"),
    "date-from": ({"date": "gt2026-11-22T09:00:00Z"}, lambda e: e["t"] > "2026-11-22T09:00:00.000000Z"),
    "date-between": (
        {"date": ["ge2026-11-22T09:00:01Z", "lt2026-11-23"]},
        lambda e: "2026-11-22T09:00:01" <= e["t"] < "2026-11-23",
    ),
    "date-of-no-log": ({"date": "lt2026"}, lambda _: False),
    "date-to-come": ({"date": "ge2027"}, lambda _: False),
    "practice": ({"practice": PRACTICE.lower()}, lambda _: True),
    "practice-of-others": ({"practice": OTHER_PRACTICE}, lambda _: False),
    "together": (
        {"agent": "worker", "type": "110113", "date": "2026-11-22"},
        lambda e: e["actor"] == "worker" and e["kind"] == "decision.made",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND_BY)
def test_an_entry_is_found_by(door: House, name: str) -> None:
    query, fits = FOUND_BY[name]
    house_only = {"audit.read", "token.issued"}  # they go on being written while the tests run

    def is_wanted(entry: Any) -> bool:
        return entry["practice"] == PRACTICE and entry["kind"] not in house_only and fits(entry)

    found = events(door.get("/AuditEvent", _count="200", **query))
    kept = [e["id"] for e in found if e["subtype"][-1]["code"] not in house_only]
    assert kept == ids_of(door, is_wanted)
    assert bool(kept) or "none" in name or "of-" in name or "never" in name or "to-come" in name


def test_an_entry_is_found_by_what_it_is_about(house: House) -> None:
    own, other = send(house), send(house, OTHER_NUMBER)
    agreed = register(house)
    hop = entries(house, "delivery.queued")[0]["delivery"]
    work(house)
    for query, fits in (
        ({"entity": f"ServiceRequest/{own}"}, lambda e: e.get("referral") == own),
        ({"entity": f"http://gateway.example/FHIR/R4/Consent/{agreed}"},
         lambda e: e.get("consent") == agreed),
        ({"entity": f"Task/{hop}"}, lambda e: e.get("delivery") == hop),
        ({"policy": "0" * 64}, lambda _: False),
        ({"entity": f"Task/{NOWHERE}"}, lambda _: False),
        ({"entity": f"ServiceRequest/{other}", "agent": "gp-one"},
         lambda e: e.get("referral") == other and e["actor"] == "gp-one"),
    ):  # fmt: skip
        assert search(house, **query) == ids_of(house, fits)
    policy = entries(house, "decision.made")[0]["policy"]
    for given in (policy, f"https://fhir.referral-gateway.example/policy/{policy}"):
        assert search(house, policy=given) == ids_of(house, lambda e: e.get("policy") == policy)


def test_entries_that_differ_in_what_they_say_are_told_apart_on_both_databases(
    house: House,
) -> None:
    send(house)
    send(house, OTHER_NUMBER, consents=[])
    for outcome, effect in (("0", PERMIT), ("8", DENY)):
        found = search(house, subtype="decision.made", outcome=outcome)
        assert found
        assert found == ids_of(house, lambda e, effect=effect: e.get("effect") == effect)  # type: ignore[misc]
    verified = LedgerVerified(actor="operator", size=1, root="0" * 64, ok=True)
    with house.gateway.store.transaction(house.clock.now) as tx:
        tx.record(verified, replace(verified, ok=False))
    with house.gateway.store.reading() as view:
        for ok in (True, False):
            sort = Sort(EntryKind.LEDGER_VERIFIED, ("ok", ok))
            page = ledger_search.search(view, ledger_search.Search(sorts=[sort]))
            assert [e.placed.entry for e in page.entries] == [replace(verified, ok=ok)]


def test_a_persons_entries_are_found_by_handle_and_by_nhs_number(house: House) -> None:
    send(house)
    send(house, OTHER_NUMBER)
    handle = subject(house)
    expected = ids_of(house, lambda e: e["subject"] == handle)
    assert expected
    read: list[str] = []
    for query in (
        {"patient": f"Patient/{handle}"},
        {"patient": handle},
        {"patient:identifier": f"{HANDLE_SYSTEM}|{handle}"},
        {"patient:identifier": f"{NHS}|{NHS_NUMBER}"},
        {"patient.identifier": f"{NHS}|999 000 0018"},
    ):
        assert search(house, **query) == [*reversed(read), *expected], query
        read += ids_of(house, lambda e: e["kind"] == "audit.read")[:1]


def test_nobody_is_found_by_a_number_or_handle_that_nobody_has(door: House) -> None:
    for query in (
        {"patient:identifier": f"{NHS}|9990000034"},
        {"patient": "Patient/" + "0" * 32},
    ):
        assert search(door, **query) == []
        last = entries(door)[-1]
        assert (last["subject"], last["size"], last["practice"]) == (None, 0, PRACTICE)


def test_another_practices_entries_cannot_be_told_from_what_is_not_there(house: House) -> None:
    lived_in(house)
    others = [e for e in entries(house) if e["practice"] == OTHER_PRACTICE]
    handle, hop = subject(house, OTHER_PRACTICE), [e for e in others if e.get("delivery")]
    referral = next(e["referral"] for e in others if e.get("referral"))
    agreed = next(e["consent"] for e in others if e.get("consent"))
    there = house.get(f"/AuditEvent/2026-{others[0]['idx']}")
    absent = house.get("/AuditEvent/2026-987654")
    strange = house.get("/AuditEvent/9990000018")
    for answer in (there, absent, strange):
        assert (answer.status_code, issues(answer)) == (404, [("not-found", None)])
        said = answer.get_json()
        assert said | {"id": ""} == absent.get_json() | {"id": ""}
    for query in (
        {"_id": f"2026-{others[0]['idx']}"},
        {"patient": f"Patient/{handle}"},
        {"patient:identifier": f"{HANDLE_SYSTEM}|{handle}"},
        {"entity": f"ServiceRequest/{referral}"},
        {"entity": f"Consent/{agreed}"},
        {"entity": f"Task/{hop[0]['delivery'] if hop else NOWHERE}"},
        {"agent": "gp-two"},
        {"practice": OTHER_PRACTICE},
    ):
        answer = house.get("/AuditEvent", **query)
        assert ids(answer) == [], query
        assert "total" not in answer.get_json()
        assert link(answer, "next") is None
        last = entries(house)[-1]
        assert (last["practice"], last["subject"], last["size"]) == (PRACTICE, None, 0)
    assert not [e for e in entries(house, "audit.read") if e["practice"] == OTHER_PRACTICE]


def test_pages_hold_each_entry_once_whatever_is_appended_meanwhile(house: House) -> None:
    for _ in range(3):
        send(house)
    house.bearer()
    expected = ids_of(house, lambda e: e["practice"] == PRACTICE)
    page, seen = house.get("/AuditEvent", _count="4"), []
    while True:
        assert len(ids(page)) <= 4
        seen += ids(page)
        send(house, OTHER_NUMBER)  # and the read itself is an entry
        url = link(page, "next")
        if url is None:
            break
        page = follow(house, url)
    assert seen == expected
    assert ids(page)  # the last page is not an empty one


def test_pages_about_one_record_hold_each_entry_once(house: House) -> None:
    own = send(house)
    work(house)
    page = house.get("/AuditEvent", entity=f"ServiceRequest/{own}", _count="1")
    seen = ids(page)
    while (url := link(page, "next")) is not None:
        page = follow(house, url)
        seen += ids(page)
    assert seen == ids_of(house, lambda e: e.get("referral") == own)
    assert len(seen) > 3


def test_the_next_page_of_one_person_is_about_that_person_and_no_link_holds_a_number(
    house: House,
) -> None:
    send(house)
    send(house, OTHER_NUMBER)
    handle = subject(house)
    page = house.get("/AuditEvent", _count="2", **{"patient:identifier": f"{NHS}|{NHS_NUMBER}"})
    next_url = link(page, "next")
    assert next_url is not None
    rest = follow(house, next_url)
    for answer in (page, rest):
        links = json.dumps(answer.get_json()["link"])
        assert NHS_NUMBER not in links
        assert f"Patient%2F{handle}" in links
        for event in events(answer):
            assert handle in json.dumps(event["entity"])
    nobody = house.get("/AuditEvent", **{"patient:identifier": f"{NHS}|9990000034", "_count": "1"})
    assert link(nobody, "self") == "http://gateway.example/FHIR/R4/AuditEvent"


def test_each_read_leaves_exactly_one_entry_that_says_who_and_how_much(house: House) -> None:
    own = send(house)
    house.bearer()
    for path, query, size in (
        ("/AuditEvent", {}, None),
        ("/AuditEvent", {"entity": f"ServiceRequest/{own}", "_count": "2"}, 2),
        ("/AuditEvent/2026-987654", {}, 0),
        ("/AuditEvent", {"_id": "9990000018"}, 0),
    ):
        before = entries(house)
        answer = house.get(path, **query)
        (written,) = entries(house)[len(before) :]
        shown = len(ids(answer)) if answer.status_code == 200 else 0
        assert written["kind"] == "audit.read"
        assert (written["actor"], written["practice"]) == ("gp-one", PRACTICE)
        assert written["size"] == (shown if size is None else size)
        assert shown == written["size"]


def test_a_refused_search_shows_nothing_and_is_no_read(door: House) -> None:
    before = len(entries(door))
    assert door.get("/AuditEvent", date="yesterday").status_code == 400
    assert door.get("/AuditEvent", client="oh-one").status_code == 403
    assert len([e for e in entries(door)[before:] if e["kind"] == "audit.read"]) == 0


def test_a_read_about_one_person_is_on_that_persons_timeline_with_its_query_sealed(
    house: House,
) -> None:
    send(house)
    handle = subject(house)
    index = entries(house, "referral.received")[0]["idx"]
    read = []
    for path, query in (
        ("/AuditEvent", {"patient:identifier": f"{NHS}|{NHS_NUMBER}", "type": "rest"}),
        ("/AuditEvent", {"patient": handle, "type": "rest"}),
        (f"/AuditEvent/2026-{index}", {}),
    ):
        assert house.get(path, **query).status_code == 200
        last = entries(house)[-1]
        assert (last["subject"], last["practice"]) == (handle, PRACTICE)
        with house.gateway.store.reading() as view:
            opened = open_detail(view, last["log"], last["idx"])
        assert opened is not None
        query_read = json.loads(opened.detail)["query"]
        assert hashlib.sha256(query_read.encode()).hexdigest() == last["query_sha256"]
        read.append((last["query_sha256"], json.loads(query_read)))
    assert read[0] == read[1]
    assert read[0][1]["patient"] == handle
    assert read[2][1] == {"_id": f"2026-{index}", "practice": PRACTICE, "_count": 1}


def test_a_read_about_a_known_person_that_finds_nothing_is_on_the_timeline_too(
    house: House,
) -> None:
    send(house)
    handle = subject(house)
    assert search(house, patient=handle, subtype="breakglass.used") == []
    last = entries(house)[-1]
    assert (last["subject"], last["practice"], last["size"]) == (handle, PRACTICE, 0)


def test_what_is_kept_of_a_query_is_the_same_for_every_unknown_number(door: House) -> None:
    """A hash that differed would be a hash of the number."""
    kept = set()
    for number in ("9990000034", "9990000042", "9990000050"):
        for query in (
            {"patient:identifier": f"{NHS}|{number}"},
            {"subtype": number},
            {"_id": number},
            {"_after": number},
        ):
            door.get("/AuditEvent", **query)
            kept.add((min(query), entries(door)[-1]["query_sha256"]))
    assert len(kept) == 4


def test_what_cannot_be_recorded_is_not_shown(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        send(house)
        execute(
            house,
            "CREATE TRIGGER shut BEFORE INSERT ON ledger_entry BEGIN SELECT RAISE(ABORT, 'no'); END",
        )
        for path in ("/AuditEvent", "/AuditEvent/2026-1"):
            answer = house.get(path)
            assert answer.status_code == 500
            assert answer.get_json()["resourceType"] == "OperationOutcome"


ANOTHER = "(SELECT {} FROM ledger_entry WHERE kind = 'referral.received')"


@pytest.mark.parametrize(
    "damage",
    [
        "leaf_hash = zeroblob(32)",
        "body = CAST(replace(body, 'a', 'b') AS BLOB)",
        f"body = {ANOTHER.format('body')}, leaf_hash = {ANOTHER.format('leaf_hash')}",
    ],
    ids=["another-hash", "another-text", "another-place"],
)
def test_an_entry_that_was_tampered_with_is_not_shown(tmp_path: Path, damage: str) -> None:
    with embedded_house(tmp_path) as house:
        send(house)
        assert house.get("/AuditEvent", subtype="delivery.queued").status_code == 200
        execute(house, f"UPDATE ledger_entry SET {damage} WHERE kind = 'delivery.queued'")  # noqa: S608  # of this list
        answer = house.get("/AuditEvent", subtype="delivery.queued")
        assert (answer.status_code, issues(answer)) == (500, [("exception", None)])


def test_the_gateways_officer_finds_a_person_by_number_with_the_practice(house: House) -> None:
    lived_in(house)
    number = {"patient:identifier": f"{NHS}|{NHS_NUMBER}"}
    alone = house.get("/AuditEvent", client=OFFICER, **number)
    assert (alone.status_code, issues(alone)) == (400, [("required", None)])
    for practice in (PRACTICE, OTHER_PRACTICE):
        handle = subject(house, practice)
        assert (
            search(house, OFFICER, practice=practice, **number)
            == ids_of(
                house,
                lambda e, handle=handle: e["subject"] == handle,  # type: ignore[misc]
            )[1:]
        )
        last = entries(house)[-1]
        assert (last["actor"], last["practice"], last["subject"]) == (OFFICER, practice, handle)
    assert search(house, OFFICER, practice="G99999") == []


def test_a_practice_sees_that_the_gateways_officer_read_of_its_patient(house: House) -> None:
    lived_in(house)
    handle = subject(house)
    search(house, OFFICER, patient=handle)
    newest = events(house.get("/AuditEvent", patient=handle, _count="1"))[0]
    assert newest["subtype"][-1]["code"] == "audit.read"
    assert newest["agent"][0]["who"]["identifier"]["value"] == OFFICER


def test_an_erased_persons_entries_are_still_found_by_handle(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        send(house)
        handle = subject(house)
        expected = ids_of(house, lambda e: e["subject"] == handle)
        with closing(sqlite3.connect(tmp_path / "gateway.sqlite3")) as beside, beside:
            beside.execute("DELETE FROM person")
        assert search(house, patient=handle) == expected
        last = entries(house)[-1]
        assert (last["subject"], last["detail_commit"]) == (handle, None)
        assert search(house, **{"patient:identifier": f"{NHS}|{NHS_NUMBER}"}) == []


HOSTILE: dict[str, dict[str, Any]] = {
    "unknown": {"name": NUMBER},
    "patient-name": {"patient": "Testperson"},
    "patient-number": {"patient": f"Patient/{NUMBER}"},
    "patient-system": {"patient:identifier": f"https://x.example|{NUMBER}"},
    "patient-alone": {"patient:identifier": NUMBER},
    "patient-short": {"patient:identifier": f"{NHS}|12345"},
    "handle-short": {"patient:identifier": f"{HANDLE_SYSTEM}|12345"},
    "patient-twice": {"patient": ["0" * 32, "1" * 32]},
    "patient-both": {"patient": "0" * 32, "patient:identifier": f"{NHS}|{NUMBER}"},
    "agent-sentence": {"agent": "Testperson of Rowan"},
    "agent-number": {"agent": NUMBER},
    "agent-system": {"agent:identifier": f"https://x.example|{NUMBER}"},
    "entity-kind": {"entity": f"Patient/{NUMBER}"},
    "entity-id": {"entity": f"Consent/{NUMBER}"},
    "entity-task": {"entity": f"Task/{NUMBER}"},
    "entity-referral": {"entity": "ServiceRequest/' OR 1=1 --"},
    "date-word": {"date": "yesterday"},
    "date-unreal": {"date": "2026-02-30"},
    "date-prefix": {"date": "ne2026-01-01"},
    "type-empty-code": {"type": f"{DCM}|"},
    "type-twice": {"type": ["rest", "110106"]},
    "action-unknown": {"action": "X"},
    "outcome-unknown": {"outcome": "1"},
    "policy-sentence": {"policy": "the old one"},
    "practice-short": {"practice": "A"},
    "count-nought": {"_count": "0"},
    "empty": {"agent": ""},
    "counted": {"_summary": "count"},
    "null": {"agent": "x\x00y"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_value_that_cannot_be_meant_is_refused_by_name_and_not_repeated(
    door: House, name: str
) -> None:
    answer = door.get("/AuditEvent", **HOSTILE[name])
    assert answer.status_code == 400
    said = answer.get_data(as_text=True)
    for value in (NUMBER, "Testperson", "1=1", "yesterday", "Rowan"):
        assert value not in said


@pytest.mark.parametrize(
    "after", ["2026", "2026-01", "2027-1", "2026-1.000000000000", "9990-000018", "x", "2026--1"]
)
def test_a_place_that_is_none_leads_nowhere(door: House, after: str) -> None:
    assert search(door, _after=after) == []
    assert search(door, _id=after) == []


def test_an_event_is_the_same_in_json_and_xml_and_can_be_asked_for_in_part(door: House) -> None:
    index = entries(door, "decision.made")[0]["idx"]
    whole = door.get(f"/AuditEvent/2026-{index}").get_json()
    xml = door.get(f"/AuditEvent/2026-{index}", _format="xml").data
    assert read_resource(xml, Media.XML) == whole
    part = door.get(f"/AuditEvent/2026-{index}", _elements="outcome").get_json()
    assert part["outcome"] == whole["outcome"]
    assert "entity" not in part
    assert "profile" not in part["meta"]  # of which a part may lack what it asks
    page = door.get("/AuditEvent", entity="Consent/" + NOWHERE, _format="xml")
    assert read_resource(page.data, Media.XML)["type"] == "searchset"


def test_every_log_of_the_database_is_read_the_newest_year_first(house: House) -> None:
    with_officer(house)
    send(house)
    house.gateway.store.ledger_origin = "gateway.example/before"
    send(house, OTHER_NUMBER)
    house.gateway.store.ledger_origin = "gateway.example/ledger"
    house.clock.move(days=60)
    house.tokens.clear()
    send(house)
    house.bearer(OFFICER)
    total = len(entries(house))
    page, seen = house.get("/AuditEvent", client=OFFICER, _count="5"), []
    while True:
        seen += ids(page)
        url = link(page, "next")
        if url is None:
            break
        page = follow(house, url, OFFICER)
    assert len(seen) == len(set(seen)) == total
    assert list(dict.fromkeys(i[:4] for i in seen)) == ["2027", "2026"]
    other = next(i for i in seen if "." in i)
    assert events(house.get("/AuditEvent", client=OFFICER, _id=other))[0]["id"] == other
    found = search(house, OFFICER, date="lt2027")
    assert {i[:4] for i in found} == {"2026"}


def test_a_purged_log_is_passed_over(house: House) -> None:
    send(house)
    house.clock.move(days=60)
    house.tokens.clear()
    for table in ("ledger_detail", "ledger_entry"):
        execute(house, f"DELETE FROM {table}")  # noqa: S608  # of this list
    send(house)
    assert {i[:4] for i in search(house)} == {"2027"}
    assert house.get("/AuditEvent/2026-1").status_code == 404


def test_a_search_that_nothing_narrows_ends_its_page_after_a_stretch(house: House) -> None:
    for _ in range(2):
        send(house)
    with house.gateway.store.reading() as view:
        ((log, size),) = ((of.log, of.index) for of in ledger_search.logs(view))
        wanted = ledger_search.Search(actor="nobody", stretch=3)
        page = ledger_search.search(view, wanted)
        assert page == ledger_search.Page(entries=(), goes_on=ledger_search.Place(log, size - 3))
        pages, found = 0, []
        after: ledger_search.Place | None = None
        while pages == 0 or after is not None:
            page = ledger_search.search(
                view, ledger_search.Search(actor="gp-one", stretch=3, after=after)
            )
            found += [e.placed.index for e in page.entries]
            pages, after = pages + 1, page.goes_on
        narrowed = ledger_search.Search(
            actor="gp-one", subject=Handle(subject(house)), stretch=1, limit=200
        )
        assert len(ledger_search.search(view, narrowed).entries) > 1
    assert found == [e["idx"] for e in reversed(entries(house)) if e["actor"] == "gp-one"]
    assert pages == -(-size // 3)


def test_the_canary_is_in_no_event_however_it_is_asked_for(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        with_officer(house)
        own = id_in(house.post("/ServiceRequest", canary_referral()).headers["Location"])
        house.post("/$process-message", canary_message(), **bars_headers())
        work(house)
        take_back(house, own)
        work(house)
        house.post("/ServiceRequest", canary_referral(consents=[]))
        tree = to_register("the-canarys") | {
            "contained": [canary_patient()],
            "patient": {"reference": "#patient"}, "performer": [{"reference": "#patient"}],
        }  # fmt: skip
        withdraw(house, register(house, tree))
        assert {"delivery.delivered", "recall.sent", "consent.withdrawn"} <= {
            e["kind"] for e in entries(house)
        }
        queries: list[dict[str, str]] = [
            {},
            {"patient:identifier": f"{NHS}|{NUMBER}"},
            {"entity": f"ServiceRequest/{own}"},
        ]
        for query in queries:
            for client, form, more in (
                ("gp-one", "json", {}),
                (OFFICER, "xml", {"practice": PRACTICE}),
            ):
                answer = house.get(
                    "/AuditEvent", client=client, _format=form, _count="200", **query, **more
                )
                assert answer.status_code == 200
                said = answer.get_data(as_text=True).lower()
                assert "ledger-entry" in said
                assert [word for word in WORDS if word.lower() in said] == []
