"""A provider reads a referral that it has: decided again, cut down again, and on record."""

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.journey.check_ledger import check_ledger
from gateway.journey.erase import Authority, erase_subject
from gateway.journey.reconcile import reconcile
from gateway.referral.identifiers import OdsCode
from gateway.store import gates
from tests.builders.evidence import (
    entries,
    id_in,
    issues,
    kinds,
    nhs_codes,
    referral,
    take_back,
    the_delivery,
    the_referral,
    work,
)
from tests.builders.house import House
from tests.builders.messages import (
    NHS_NUMBER,
    PRACTICE,
    Tree,
    bars_headers,
    bars_message,
    letter_transaction,
    patient,
    service_request,
)
from tests.builders.register import register, to_register, withdraw
from tests.builders.withhold import PSY, SEALED


def brought(house: House, tree: Tree | None = None, path: str = "/ServiceRequest") -> str:
    headers = bars_headers() if path == "/$process-message" else {}
    answer = house.post(path, tree or service_request(), **headers)
    assert answer.status_code in (200, 201), answer.get_json()
    work(house)
    return str(the_referral(house).id)


def read(house: House, own: str, *, client: str = "oh-one") -> Any:
    return house.get(f"/ServiceRequest/{own}", client=client)


def types(tree: Any) -> list[str]:
    return sorted(each["resourceType"] for each in tree.get("contained", []))


def with_findings(**findings: Tree) -> Tree:
    """A letter, and findings beside it that the letter's referral names."""
    tree = letter_transaction()
    request, person = (entry["resource"] for entry in tree["entry"][:2])
    assert (request["resourceType"], person["resourceType"]) == ("ServiceRequest", "Patient")
    request["reasonCode"] = [{"text": "back pain"}]
    del tree["entry"][2]
    request["supportingInfo"] = []
    for number, (word, more) in enumerate(findings.items()):
        url = f"urn:uuid:99999999-0000-4000-8000-{number:012}"
        body = {
            "resourceType": "Observation", "status": "final", "code": {"text": word},
            "effectiveDateTime": "2020-05-05", "subject": request["subject"], **more,
        }  # fmt: skip
        request["supportingInfo"].append({"reference": url})
        tree["entry"].append(
            {"fullUrl": url, "resource": body, "request": {"method": "POST", "url": "Observation"}}
        )
    return tree


def test_a_provider_reads_what_was_brought_to_it_and_it_is_on_record(house: House) -> None:
    own = brought(house)
    answer = read(house, own)
    assert answer.status_code == 200
    assert "ETag" not in answer.headers
    shown = answer.get_json()
    assert (shown["id"], shown["status"], shown["meta"]["versionId"]) == (own, "active", "1")
    assert types(shown) == ["Consent", "Patient"]
    made, told = entries(house)[-2:]
    assert (made["kind"], made["stage"], made["effect"]) == ("decision.made", "read", "PERMIT")
    assert (made["delivery"], made["actor"]) == (the_delivery(house).id, "oh-one")
    assert (told["kind"], told["referral"], told["size"]) == ("record.read", own, 1)
    assert made["payload_sha256"] == hashlib.sha256(answer.data).hexdigest()
    assert reconcile(house.gateway).discrepancies == ()
    assert all(report.ok for report in check_ledger(house.gateway, lambda _rows: None))


def test_reading_it_twice_decides_twice_and_shows_the_same(house: House) -> None:
    own = brought(house)
    first, again = read(house, own), read(house, own)
    assert first.data == again.data
    assert [e["stage"] for e in entries(house, "decision.made")] == [
        "accept", "release", "read", "read",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "tree", "parts"),
    [
        ("/", letter_transaction(), {"Patient", "Consent", "DocumentReference"}),
        ("/$process-message", bars_message(), {"Patient", "Consent", "Condition", "Encounter"}),
    ],
    ids=["letter", "message"],
)
def test_what_came_as_a_bundle_comes_as_one_resource_with_every_part_that_may_leave(
    house: House, path: str, tree: Tree, parts: set[str]
) -> None:
    own = brought(house, tree, path)
    shown = read(house, own).get_json()
    assert parts <= set(types(shown))
    inside = {f"#{each['id']}" for each in shown["contained"]}
    text = json.dumps(shown)
    assert "urn:uuid:" not in text
    assert all(f'"{each}"' in text for each in inside), "nothing stands there unnamed"
    assert "Task" not in types(shown)
    sent = json.loads(house.destination.received[0].body)
    kept = [e["resource"]["resourceType"] for e in sent["entry"]]
    assert sorted([*types(shown), "ServiceRequest", "Task"]) == sorted(kept)


def test_what_stays_behind_stays_behind_again_and_labels_stand_on_the_whole(house: House) -> None:
    labelled = {"meta": {"security": [PSY]}}
    sealed = {"meta": {"security": [SEALED]}}
    everyday = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "N"}
    tree = with_findings(PLAIN={"meta": {"security": [everyday]}}, MIND=labelled, SECRET=sealed)
    own = brought(house, tree, "/")
    answer = read(house, own)
    shown, text = answer.get_json(), answer.get_data(as_text=True)
    assert "PLAIN" in text
    assert "MIND" not in text
    assert "SECRET" not in text
    codes = {label["code"] for label in shown["meta"]["security"]}
    assert {"REDACTED", "N"} <= codes
    assert not any("security" in each.get("meta", {}) for each in shown["contained"])
    assert "Provenance" in types(shown)
    assert shown["relevantHistory"]


def test_a_contained_part_of_a_part_keeps_its_links(house: House) -> None:
    inner = {"resourceType": "Practitioner", "id": "p", "name": [{"family": "Example"}]}
    tree = with_findings(
        ONE={"contained": [inner], "performer": [{"reference": "#p"}]},
        TWO={"contained": [inner], "performer": [{"reference": "#p"}]},
    )
    shown = read(house, brought(house, tree, "/")).get_json()
    by_id = {each["id"]: each for each in shown["contained"]}
    findings = [each for each in shown["contained"] if each["resourceType"] == "Observation"]
    ends = [each["performer"][0]["reference"].removeprefix("#") for each in findings]
    assert len(set(ends)) == 2
    assert {by_id[end]["resourceType"] for end in ends} == {"Practitioner"}


def test_a_consent_withdrawn_since_shows_nothing_more(house: House) -> None:
    own = brought(house)
    withdraw(house, register(house, to_register("later")))
    answer = read(house, own)
    assert answer.status_code == 403
    assert NHS_NUMBER not in answer.get_data(as_text=True)
    assert entries(house)[-1]["kind"] in ("decision.made", "access.refused")


def test_a_provider_whose_assurance_lapsed_is_refused_by_decision(house: House) -> None:
    own = brought(house)
    house.clock.move(days=365 * 5)
    house.tokens.clear()
    answer = read(house, own)
    assert answer.status_code == 403
    assert issues(answer) == [("forbidden", None)]
    assert "REC_FORBIDDEN" in nhs_codes(answer)
    made = entries(house)[-1]
    assert (made["kind"], made["stage"]) == ("decision.made", "read")
    assert made["effect"] != "PERMIT"
    assert reconcile(house.gateway).discrepancies == ()


def test_what_was_taken_back_is_refused_and_that_is_on_record(house: House) -> None:
    own = brought(house)
    take_back(house, own)
    for _ in range(2):  # while its provider is being told, and afterwards
        answer = read(house, own)
        assert answer.status_code == 403
        assert "taken back" in answer.get_json()["issue"][0]["diagnostics"]
        last = entries(house)[-1]
        assert (last["kind"], last["code"]) == ("access.refused", "TAKEN_BACK")
        work(house)
    assert kinds(house).count("record.read") == 1, "only the practice read it, to take it back"


def test_nobody_else_learns_that_there_is_such_a_referral(house: House) -> None:
    own = brought(house)
    answer = read(house, own, client="gp-two")
    assert (answer.status_code, issues(answer)) == (404, [("not-found", None)])
    for path in (f"/ServiceRequest/{own}/_history", f"/ServiceRequest/{own}/_history/1"):
        assert house.get(path, client="oh-one").status_code == 404
    assert "entry" not in house.get("/ServiceRequest", client="oh-one", _id=own).get_json()


def test_what_has_not_been_brought_is_not_theirs_to_read(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    assert read(house, the_referral(house).id).status_code == 404


def test_what_is_erased_is_not_found(house: House) -> None:
    own = brought(house)
    subject = referral(house, own).subject
    erase_subject(house.gateway, subject, authority=Authority.DATA_SUBJECT_REQUEST)
    assert read(house, own).status_code == 404


def test_the_practice_still_reads_its_own_as_it_sent_it(house: House) -> None:
    answer = house.post("/ServiceRequest", service_request(person=patient()))
    own = id_in(answer.headers["Location"])
    work(house)
    shown = read(house, own, client="gp-one")
    assert shown.get_json() == answer.get_json()
    assert shown.headers["ETag"] == 'W/"1"'


def test_a_reading_waits_for_a_change_of_sharing_that_is_under_way(house: House) -> None:
    """Whoever changes what a practice shares comes wholly before a reading, or wholly after it."""
    own = brought(house)
    house.bearer("oh-one")
    before = entries(house, "decision.made")[-1]["epochs"]["practice"]
    with ThreadPoolExecutor(1) as pool:
        with house.gateway.store.transaction(house.clock.now) as tx:
            gates.change(tx, practice=OdsCode(PRACTICE))
            waiting = pool.submit(read, house, own)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
        assert waiting.result(timeout=20).status_code == 200
    assert entries(house, "decision.made")[-1]["epochs"]["practice"] == before + 1
