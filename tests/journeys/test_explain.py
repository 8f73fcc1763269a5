"""What the rules would say, asked of a whole gateway: now, and as of the past."""

from datetime import datetime
from typing import Any

import pytest

from gateway.consent.decide import Effect
from gateway.consent.facts import Action
from gateway.journey.explain import Pair, explain_pair, explain_referral, moment_of
from gateway.referral.identifiers import OdsCode
from gateway.store.tables import agreement_event
from tests.builders.evidence import counts, entries, kinds, the_referral
from tests.builders.house import House
from tests.builders.messages import (
    PRACTICE,
    PROVIDER,
    bars_headers,
    bars_message,
    consent,
    service_request,
)

PURPOSE = "occupational-health"


def explained(house: House, body: Any, **more: str) -> list[dict[str, Any]]:
    """The answers of `$explain`, each part under its name; what repeats, in a list."""
    sent = body
    if more:
        extra = [
            {"name": n, "valueInstant" if n == "at" else "valueCode": v} for n, v in more.items()
        ]
        sent = {
            "resourceType": "Parameters",
            "parameter": [{"name": "resource", "resource": body}, *extra],
        }
    answer = house.post("/ServiceRequest/$explain", sent)
    assert answer.status_code == 200, answer.get_json()
    return [parts(each) for each in answer.get_json()["parameter"]]


def parts(parameter: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parameter["part"]:
        value = parts(part) if "part" in part else next(v for k, v in part.items() if k != "name")
        if part["name"] in ("reason", "flip", "fact", "step", "withheld", "ground", "obligation"):
            found.setdefault(part["name"], []).append(value)
        else:
            found[part["name"]] = value
    return found


def withdraw(house: House) -> None:
    house.apply(agreements=[house.directory["agreements"][0] | {"status": "withdrawn"}])


def pair(**changed: Any) -> Pair:
    known: dict[str, Any] = {
        "practice": OdsCode(PRACTICE),
        "recipient": OdsCode(PROVIDER),
        "purpose": PURPOSE,
        "service": None,
        "action": Action.FORWARD,
        "assumed": {},
    }
    return Pair(**known | changed)


def pair_at(house: House, at: datetime | None = None, *, then: bool = False) -> tuple[str, str]:
    moment = moment_of(at, house.gateway, as_known_then=then)
    verdict = explain_pair(pair(), house.gateway, moment).verdict
    return verdict.effect, verdict.code


def test_a_good_referral_is_explained_with_its_ground_and_what_would_leave(house: House) -> None:
    (told,) = explained(house, service_request())
    assert (told["effect"], told["rule"], told["ground"]) == ("PERMIT", "G2", ["G2"])
    assert told["service"]["value"] == "9000000001"
    assert told["policy"] == house.gateway.policy.version
    assert told["payload"]["resourceType"] == "ServiceRequest"
    assert {"DENY"} <= {flip["effect"] for flip in told["flip"]}


def test_a_refusal_is_explained_with_every_reason_its_facts_and_a_way_out(house: House) -> None:
    (told,) = explained(house, service_request(consents=[]))
    assert (told["effect"], told["code"]) == ("DENY", "NO_PATIENT_CONSENT")
    (reason,) = told["reason"]
    assert reason["remedy"]
    facts = {fact["name"]: fact for fact in reason["fact"]}
    assert facts["consent"]["value"] == "none"
    assert facts["consent"]["source"] == "consents"
    assert told["flip"][0]["effect"] == "PERMIT"


def test_explaining_writes_nothing_but_that_it_was_asked(house: House) -> None:
    explained(house, service_request())
    explained(house, bars_message())
    asked = entries(house, "decision.previewed")
    assert [(e["actor"], e["practice"], e["effect"]) for e in asked] == [
        ("gp-one", PRACTICE, "PERMIT"),
        ("gp-one", PRACTICE, "PERMIT"),
    ]
    assert {e["subject"] for e in asked} == {None}, "nobody here has met the person"
    assert set(counts(house).values()) == {0}


def test_what_was_permitted_before_a_withdrawal_is_so_as_of_then_and_not_now(house: House) -> None:
    start = house.clock.now
    house.clock.move(days=3)
    withdraw(house)
    (then,) = explained(house, service_request(), at=start.isoformat())
    (now,) = explained(house, service_request())
    assert (then["effect"], now["effect"]) == ("PERMIT", "DENY")
    assert now["code"] == "AGREEMENT_NOT_IN_FORCE"


def test_what_became_known_later_counts_only_as_known_now(house: House) -> None:
    start = house.clock.now
    house.clock.move(days=3)
    middle = house.clock.now
    house.clock.move(days=3)
    with house.gateway.store.transaction(house.clock.now) as tx:
        tx.connection.exec_driver_sql(
            "INSERT INTO agreement_event SELECT practice, agreement, 2, counterparty, 'withdrawn',"
            " terms, effective_at, recorded_at, actor, source, reason, document_sha256"
            " FROM agreement_event"
        )
    with house.gateway.store.engine.begin() as connection:
        connection.execute(
            agreement_event.update()
            .where(agreement_event.c.seq == 2)
            .values(effective_at=middle, recorded_at=house.clock.now)
        )
    assert pair_at(house, start) == ("PERMIT", "PERMITTED")
    assert pair_at(house, middle, then=True) == ("PERMIT", "PERMITTED")
    assert pair_at(house, middle) == ("DENY", "AGREEMENT_NOT_IN_FORCE")
    assert pair_at(house) == ("DENY", "AGREEMENT_NOT_IN_FORCE")


def test_a_held_referral_is_explained_by_its_reference(house: House) -> None:
    house.post("/ServiceRequest", service_request())
    before = kinds(house)
    own = the_referral(house)
    moment = moment_of(None, house.gateway, as_known_then=False)
    found = explain_referral(own.reference, house.gateway, moment)
    assert found.verdict.effect is Effect.PERMIT
    withdraw(house)
    found = explain_referral(own.reference, house.gateway, moment)
    assert found.verdict.code == "AGREEMENT_NOT_IN_FORCE"
    since = kinds(house)[len(before) :]
    assert [kind for kind in since if kind.startswith("decision.")] == ["decision.previewed"] * 2


def test_every_flip_of_an_explanation_holds_when_the_facts_are_decided_again(house: House) -> None:
    moment = moment_of(None, house.gateway, as_known_then=False)
    withdraw(house)
    found = explain_pair(pair(), house.gateway, moment)
    assert found.verdict.effect is Effect.DENY
    assert found.flips.found
    assert {flip.effect for flip in found.flips.found} == {Effect.PERMIT}


def test_what_a_pair_assumes_is_marked_as_assumed(house: House) -> None:
    moment = moment_of(None, house.gateway, as_known_then=False)
    found = explain_pair(pair(assumed={"s_flag": True}), house.gateway, moment)
    (reason,) = found.verdict.reasons
    assert reason.code == "SENSITIVE_PATIENT"
    assert [(used.name, used.source) for used in reason.facts_used] == [("s_flag", "assumed")]


def test_an_assumption_that_is_no_fact_is_refused(house: House) -> None:
    moment = moment_of(None, house.gateway, as_known_then=False)
    with pytest.raises(ValueError, match="is not a fact"):
        explain_pair(pair(assumed={"mood": True}), house.gateway, moment)


@pytest.mark.parametrize(
    "extra",
    [
        [{"name": "at", "valueInstant": "2026-11-22T10:00:00"}],
        [{"name": "at", "valueDate": "2026-11-22"}],
        [{"name": "known", "valueCode": "then"}],
        [{"name": "at", "valueInstant": "2026-11-22T10:00:00Z"}] * 2,
        [
            {"name": "at", "valueInstant": "2026-11-22T10:00:00Z"},
            {"name": "known", "valueCode": "later"},
        ],
        [{"name": "dry", "valueBoolean": True}],
    ],
    ids=["no offset", "a date", "known alone", "twice", "known never", "unknown"],
)
def test_a_parameter_that_cannot_be_obeyed_is_refused(
    house: House, extra: list[dict[str, Any]]
) -> None:
    resource = {"name": "resource", "resource": service_request()}
    sent = {"resourceType": "Parameters", "parameter": [resource, *extra]}
    answer = house.post("/ServiceRequest/$explain", sent)
    assert answer.status_code == 400


def test_the_patient_of_another_practice_is_not_explained(house: House) -> None:
    answer = house.post("/ServiceRequest/$explain", service_request(), client="gp-two")
    assert answer.status_code == 403


def test_a_refusal_about_a_protected_person_tells_the_outside_nothing(house: House) -> None:
    system = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
    message = bars_message(consents=[consent(status="rejected")])
    for entry in message["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            entry["resource"]["meta"] = {"security": [{"system": system, "code": "R"}]}
    answer = house.post("/$process-message", message, **bars_headers())
    (issue,) = answer.get_json()["issue"]
    assert answer.status_code == 422
    assert issue["diagnostics"] == "The patient was not found. Reason: PATIENT_NOT_FOUND."
    assert "ACCESS_DENIED" in {c["code"] for c in issue["details"]["coding"]}
