"""Objections of a GP record: what counts, since when, and what makes them uncertain."""

from datetime import UTC, datetime

import pytest

from gateway.consent.facts import Dissent
from gateway.consent.objections import Objections, dissent_against, objections_of
from gateway.referral.json import Json, JsonObject

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
DECLINED, AGREED = "320011000000108", "319951000000105"
TYPE_1, TYPE_1_BACK = "827241000000103", "827261000000102"


def coded(code: str, **more: Json) -> JsonObject:
    coding: JsonObject = {"system": "http://snomed.info/sct", "code": code}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [coding]},
        "effectiveDateTime": "2026-06-01",
        **more,
    }


def flag(code: str, **more: Json) -> JsonObject:
    tree = coded(code, **more) | {"resourceType": "Flag", "status": more.get("status", "active")}
    return {name: value for name, value in tree.items() if name != "effectiveDateTime"}


def found(*resources: JsonObject) -> Objections:
    return objections_of(resources, AT)


def test_a_message_that_codes_none_has_none() -> None:
    assert found(coded("73211009")) == Objections(dissent=False, declined=(), type1=False)


@pytest.mark.parametrize("resource", [coded(DECLINED), flag(DECLINED)], ids=["entry", "flag"])
def test_a_refusal_to_share_is_found_wherever_it_stands(resource: JsonObject) -> None:
    assert found(resource).dissent is True


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "inactive"])
def test_what_is_not_in_force_does_not_count(status: str) -> None:
    assert found(coded(DECLINED, status=status), flag(TYPE_1, status=status)) == found()


def test_a_flag_counts_while_its_period_lasts_and_its_start_is_its_time() -> None:
    lasting: JsonObject = {"start": "2026-02-01"}
    over: JsonObject = {"start": "2026-02-01", "end": "2026-03-01"}
    assert found(flag(DECLINED, period=lasting)).declined == ("2026-02-01",)
    assert found(flag(DECLINED, period=over)).dissent is False


@pytest.mark.parametrize(
    "spelt",
    [
        "http://snomed.info/sct/83821000000107",
        "https://snomed.info/sct",
        "urn:oid:2.16.840.1.113883.6.96",
    ],
)
def test_a_refusal_counts_however_its_system_is_spelt(spelt: str) -> None:
    refusal = coded(DECLINED)
    refusal["code"] = {"coding": [{"system": spelt, "code": DECLINED}]}
    assert found(refusal).dissent is True


def test_a_refusal_counts_as_a_value_or_in_a_component() -> None:
    concept = coded(DECLINED)["code"]
    value: JsonObject = {"resourceType": "Observation", "valueCodeableConcept": concept}
    component: JsonObject = {"resourceType": "Observation", "component": [{"code": concept}]}
    assert found(value).dissent is True
    assert found(component).dissent is True


def test_a_code_of_another_system_is_no_objection() -> None:
    foreign = coded(DECLINED)
    foreign["code"] = {"coding": [{"system": "https://codes.example", "code": DECLINED}, {}]}
    assert found(foreign).dissent is False


@pytest.mark.parametrize(
    ("back", "stands"),
    [
        ("2026-07-01", None),
        ("2026-06-01", True),
        ("2026-05-01", True),
        ("2026", True),
    ],
    ids=["later", "the same day", "earlier", "some time that year"],
)
def test_what_takes_an_objection_back_later_makes_it_uncertain(
    back: str, *, stands: bool | None
) -> None:
    taken_back = [coded(AGREED, effectiveDateTime=back), coded(TYPE_1_BACK, effectiveDateTime=back)]
    objections = found(coded(DECLINED), coded(TYPE_1), *taken_back)
    assert (objections.dissent, objections.type1) == (stands, stands)


def test_an_objection_made_again_stands() -> None:
    again = coded(DECLINED, effectiveDateTime="2026-09-01")
    back = coded(AGREED, effectiveDateTime="2026-07-01")
    assert found(coded(DECLINED), back, again).dissent is True


@pytest.mark.parametrize(
    ("given", "against"),
    [
        ("2026-05-01", Dissent.AFTER_CONSENT),
        ("2026-07-01", Dissent.BEFORE_CONSENT),
        ("2026-06-01", Dissent.BEFORE_CONSENT),
        ("2026", Dissent.BEFORE_CONSENT),
        (None, Dissent.BEFORE_CONSENT),
    ],
    ids=["consent first", "consent later", "the same day", "that year", "no consent"],
)
def test_a_refusal_is_told_from_one_before_the_consent(given: str | None, against: Dissent) -> None:
    assert dissent_against(found(coded(DECLINED)), given) is against


def test_no_refusal_is_none_and_an_uncertain_one_unknown() -> None:
    back = coded(AGREED, effectiveDateTime="2026-07-01")
    assert dissent_against(found(), "2026-05-01") is Dissent.NONE
    assert dissent_against(found(coded(DECLINED), back), "2026-05-01") is None
