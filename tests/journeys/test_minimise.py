"""A Consent about a part of the data, from the door to the bytes that leave."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.consent.labels import RESTRICTION_SYSTEM
from gateway.journey.reconcile import reconcile
from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, kinds, the_referral, work
from tests.builders.house import House
from tests.builders.messages import PROVIDER, consent, letter_transaction

TERMS = "http://terminology.hl7.org/CodeSystem"
ACT_CODE, LEVEL = f"{TERMS}/v3-ActCode", f"{TERMS}/v3-Confidentiality"
PSY = {"system": ACT_CODE, "code": "PSY"}
SEALED = {"system": RESTRICTION_SYSTEM, "code": "sealed"}
HERE: Any = consent()["provision"]
Tree = dict[str, Any]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with embedded_house(tmp_path) as built:
        yield built


def a_message(given: Tree, **findings: Tree) -> Tree:
    """A transaction with a referral for back pain, and these findings as its support."""
    tree = letter_transaction()
    request, person, _, own = (entry["resource"] for entry in tree["entry"])
    url = tree["entry"][1]["fullUrl"]
    kept = {"resourceType": "Consent", "patient": own["patient"]}
    own.clear()
    own |= {n: v for n, v in given.items() if n not in ("id", "patient")} | kept
    if own.get("performer") == [{"reference": "#patient"}]:
        own["performer"] = [{"reference": url}]
    del tree["entry"][2]
    request |= {"reasonCode": [{"text": "back pain"}], "supportingInfo": []}
    for number, (word, more) in enumerate(findings.items()):
        name = f"urn:uuid:99999999-0000-4000-8000-{number:012}"
        body = {"resourceType": "Observation", "status": "final", "code": {"text": word},
                "subject": {"reference": url}, **more}  # fmt: skip
        request["supportingInfo"].append({"reference": name})
        tree["entry"].append(
            {"fullUrl": name, "resource": body, "request": {"method": "POST", "url": "Observation"}}
        )
    assert person["resourceType"] == "Patient"
    return tree


EVERYTHING: dict[str, Tree] = {
    "PLAIN": {"effectiveDateTime": "2020-05-05"},
    "MIND": {"effectiveDateTime": "2020-05-05", "meta": {"security": [PSY]}},
    "LONGAGO": {"effectiveDateTime": "2018-05-05"},
    "UNDATED": {},
}


def of(**changes: Any) -> Tree:
    return consent() | changes


def with_provision(**changes: Any) -> Tree:
    return of(provision=HERE | changes)


def but(**denial: Any) -> Tree:
    return with_provision(provision=[{"type": "deny", **denial}])


def pcf(provision: Tree) -> Tree:
    tree = of(policy=[{"uri": "https://policy.example/oh"}], provision=provision)
    del tree["policyRule"]
    return tree


OPT_OUT = {"coding": [{"system": ACT_CODE, "code": "OPTOUT"}]}
UNLABELLED = {"PLAIN", "LONGAGO", "UNDATED"}
CASES: dict[str, tuple[Tree, set[str] | str]] = {
    "K01 all for this provider": (of(), UNLABELLED),
    "K02 in the shape of PCF": (pcf(HERE | {"type": "permit"}), UNLABELLED),
    "K03 root type against policy rule": (
        with_provision(type="permit") | {"policyRule": OPT_OUT}, "FACT_UNKNOWN:R30"),
    "K04 not this provider": (but(actor=HERE["actor"]), "CONSENT_DOES_NOT_COVER"),
    "K05 everyday data alone": (
        pcf({"type": "deny", "provision": [
            HERE | {"type": "permit", "securityLabel": [{"system": LEVEL, "code": "N"}]}]}),
        UNLABELLED),
    "K06 all but psychiatry": (but(securityLabel=[PSY]), UNLABELLED),
    "K07 in the old system": (but(securityLabel=[{"system": LEVEL, "code": "PSY"}]), UNLABELLED),
    "K08 a label that is none": (
        but(securityLabel=[{"system": ACT_CODE, "code": "R"}]), "FACT_UNKNOWN:R30"),
    "K09 all but a year": (but(dataPeriod={"start": "2018", "end": "2018"}), {"PLAIN"}),
    "K10 three levels": (
        but(actor=HERE["actor"], provision=[{"type": "permit"}]), "FACT_UNKNOWN:R30"),
    "K11 what nobody reads": (
        with_provision(code=[{"text": "letters"}]), "FACT_UNKNOWN:R30"),
    "K14 a role": (
        with_provision(actor=[{"role": HERE["actor"][0]["role"], "reference": {"display": "HR"}}]),
        "FACT_UNKNOWN:R33"),
    "K15 not yet given": (of(status="proposed"), "CONSENT_NOT_YET_GIVEN"),
    "K16 signed by another": (
        of(performer=[{"display": "A relative"}]), "AUTHORITY_TO_CONSENT_UNPROVEN"),
    "psychiatry too": (
        with_provision(securityLabel=[PSY, {"system": LEVEL, "code": "N"}]), {*UNLABELLED, "MIND"}),
}  # fmt: skip


@pytest.mark.parametrize(("given", "outcome"), CASES.values(), ids=CASES)
def test_a_consent_decides_which_bytes_leave(
    house: House, given: Tree, outcome: set[str] | str
) -> None:
    answer = house.post("/", a_message(given, **EVERYTHING))
    assert answer.status_code == 200
    work(house)
    if isinstance(outcome, str):
        hold = the_referral(house).hold
        assert hold is not None
        assert hold.code == outcome
        assert house.destination.received == []
        return
    (parcel,) = house.destination.received
    assert {word for word in EVERYTHING if word.encode() in parcel.body} == outcome
    assert reconcile(house.gateway).discrepancies == ()


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (with_provision(period={"end": "2025"}), "NO_PATIENT_CONSENT"),
        (of(status="inactive"), "NO_PATIENT_CONSENT"),
        (of(status="rejected"), "NO_PATIENT_CONSENT"),
        (of(policyRule=OPT_OUT), "NO_PATIENT_CONSENT"),
    ],
    ids=["K12 ended", "K15 withdrawn", "K15 rejected", "K13 an opt-out"],
)
def test_a_consent_that_refuses_lets_no_byte_leave(house: House, given: Tree, code: str) -> None:
    answer = house.post("/", a_message(given, **EVERYTHING))
    assert answer.status_code == 403
    assert code in answer.text
    work(house)
    assert house.destination.received == []


def body_of(house: House, message: Tree) -> bytes:
    assert house.post("/", message).status_code == 200
    work(house)
    return house.destination.received[-1].body


def test_what_was_taken_out_is_recorded_by_its_duty_with_the_bytes_that_are_left(
    house: House,
) -> None:
    body = body_of(house, a_message(of(), **EVERYTHING))
    assert kinds(house)[-4:] == [
        "decision.made",
        "redaction.applied",
        "delivery.released",
        "delivery.delivered",
    ]
    (applied,) = entries(house, "redaction.applied")
    released, decided = entries(house, "delivery.released")[0], entries(house, "decision.made")[-1]
    assert applied["obligations"] == ["REDACT"]
    assert applied["payload_sha256"] == released["payload_sha256"] == decided["payload_sha256"]
    assert applied["payload_sha256"] == house.destination.received[0].body_sha256
    assert applied["decision"] == decided["decision"]
    tree = json.loads(body)
    assert tree["meta"]["security"][0]["code"] == "REDACTED"
    assert tree["entry"][-1]["resource"]["resourceType"] == "Provenance"


def test_nothing_is_recorded_where_nothing_was_taken_out(house: House) -> None:
    body = body_of(house, a_message(of(), PLAIN={}))
    assert entries(house, "redaction.applied") == []
    assert b"Provenance" not in body
    assert b"REDACTED" not in body


def test_what_is_sealed_leaves_no_trace_for_the_recipient_and_one_in_the_ledger(
    house: House,
) -> None:
    body = body_of(house, a_message(of(), PLAIN={}, SECRET={"meta": {"security": [SEALED]}}))
    for word in (b"SECRET", b"REDACTED", b"Provenance", b"restriction", b"sealed"):
        assert word not in body
    (applied,) = entries(house, "redaction.applied")
    assert applied["obligations"] == ["REDACT", "REDACT_SILENT"]
    line = json.dumps(applied)
    assert "Observation" not in line
    assert "SECRET" not in line


def test_the_reason_of_a_referral_is_not_taken_out_but_held_for_the_patients_word(
    house: House,
) -> None:
    message = a_message(of(), MIND=EVERYTHING["MIND"])
    request = message["entry"][0]["resource"]
    request["reasonReference"] = request.pop("supportingInfo")
    assert house.post("/", message).status_code == 200
    hold = the_referral(house).hold
    assert hold is not None
    assert hold.code == "REDACTION_REMOVES_REASON"
    assert kinds(house)[-1] == "hold.opened"


def test_a_letter_that_nobody_labelled_is_held_beside_what_stays_behind(house: House) -> None:
    message = a_message(of(), MIND=EVERYTHING["MIND"])
    letter = letter_transaction()["entry"][2]
    letter["resource"]["subject"] = message["entry"][0]["resource"]["subject"]
    message["entry"].append(letter)
    message["entry"][0]["resource"]["supportingInfo"].append({"reference": letter["fullUrl"]})
    assert house.post("/", message).status_code == 200
    hold = the_referral(house).hold
    assert hold is not None
    assert hold.code == "FACT_UNKNOWN:R45"


@pytest.mark.parametrize("role", ["employer", "hr"])
def test_an_employer_gets_no_referral_at_all(house: House, role: str) -> None:
    first, *rest = house.directory["providers"]
    assert first["ods"] == PROVIDER
    house.apply(providers=[first | {"role": role}, *rest])
    answer = house.post("/", a_message(of(), **EVERYTHING))
    assert answer.status_code == 403
    assert "EMPLOYER_NEVER_SEES_CLINICAL" in answer.text


def outcome_of(answer: Any) -> list[str]:
    """What the transaction's answer remarks on the referral."""
    entry = answer.get_json()["entry"][0]["response"]
    return [issue["diagnostics"] for issue in entry.get("outcome", {}).get("issue", [])]


def test_the_sender_is_told_what_stays_behind_and_told_again(house: House) -> None:
    message = a_message(consent(), **EVERYTHING)
    ids = {"X_Request_Id": "3f0e2d51-4c1f-4d6e-9f0a-2f6f0c1d7a01"}
    first = house.post("/", message, **ids)
    (told,) = [text for text in outcome_of(first) if "not be forwarded" in text]
    assert told.startswith("1 part ")
    assert "PSY" not in told
    again = house.post("/", message, **ids)
    assert outcome_of(again) == outcome_of(first)


def test_of_what_is_sealed_nobody_is_told(house: House) -> None:
    sealed = EVERYTHING | {"MIND": {"meta": {"security": [SEALED]}}}
    answer = house.post("/", a_message(consent(), **sealed))
    assert answer.status_code == 200
    assert not [text for text in outcome_of(answer) if "not be forwarded" in text]
