"""Labels by system and code, what a permission or a denial of one means, and the two marks of ours."""

import json
from pathlib import Path

import pytest

from gateway.consent.labels import (
    RESTRICTION_SYSTEM,
    Restriction,
    denied_by,
    is_everyday,
    label_of,
    label_or_unknown,
    level_of,
    permitted_by,
    restriction_of,
)
from gateway.referral.json import JsonObject
from tests.builders.consent import ACT_CODE, ACT_REASON, CONFIDENTIALITY, coding

OBSERVED = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"
DEFINITION = (
    Path(__file__).parents[3] / "fhir_profiles" / "terminology" / "CodeSystem-restriction.json"
)


@pytest.mark.parametrize("code", ["ETH", "HIV", "PSY", "SDV"])
def test_the_deprecated_twins_mean_the_same(code: str) -> None:
    assert label_of(coding(ACT_CODE, code)) == label_of(coding(CONFIDENTIALITY, code)) == code


@pytest.mark.parametrize(
    "label",
    [
        coding(ACT_CODE, "R"),
        coding(ACT_CODE, "N"),
        coding(CONFIDENTIALITY, "SEX"),
        coding("https://example.org", "PSY"),
        coding(RESTRICTION_SYSTEM, "sealed"),
        {"code": "PSY"},
        {"display": "secret"},
    ],
)
def test_a_code_of_another_system_is_no_label_and_counts_as_restricted(label: JsonObject) -> None:
    assert label_of(label) is None
    assert label_or_unknown(label) == "R"


@pytest.mark.parametrize(
    "mark",
    [coding(ACT_REASON, "HTEST"), coding(ACT_CODE, "NORDSCLCD"), coding(OBSERVED, "REDACTED")],
)
def test_a_mark_of_handling_is_no_label(mark: JsonObject) -> None:
    assert label_or_unknown(mark) is None


@pytest.mark.parametrize("mark", [coding(ACT_CODE, "HTEST"), coding("https://x.example", "MINEC")])
def test_a_mark_of_handling_counts_in_its_own_system_only(mark: JsonObject) -> None:
    assert label_or_unknown(mark) == "R"


def test_a_permission_of_a_level_covers_those_below_it_and_of_a_label_itself() -> None:
    assert permitted_by("R") == {"U", "L", "M", "N", "R"}
    assert permitted_by("SUD") == {"SUD"}


@pytest.mark.parametrize(
    ("label", "denied"),
    [
        ("R", {"R"}),
        ("PSYTHPN", {"PSYTHPN"}),
        ("SUD", {"SUD", "ETH", "ETHUD", "OPIOIDUD"}),
        ("MH", {"MH", "PSY", "PSYTHPN", "EMOTDIS"}),
    ],
)
def test_a_denial_of_a_level_is_exact_and_of_a_label_takes_its_parts(
    label: str, denied: set[str]
) -> None:
    assert denied_by(label) == denied


def test_a_denial_of_behavioural_health_takes_mind_and_substances() -> None:
    assert {"MH", "PSY", "SUD", "ETHUD", "OPIOIDUD", "COGN"} <= denied_by("BH") < denied_by("SPI")


def test_a_denial_denies_whatever_a_part_of_it_denies() -> None:
    for label in denied_by("SPI"):
        for part in denied_by(label):
            assert denied_by(part) <= denied_by(label)


def test_the_level_of_what_names_none_is_normal() -> None:
    assert level_of({"PSY"}) == level_of(()) == "N"
    assert level_of({"L", "R", "PSY"}) == "R"
    assert is_everyday("L")
    assert not is_everyday("R")


def test_a_restriction_is_read_and_one_that_nobody_knows_is_sealed() -> None:
    assert restriction_of(coding(RESTRICTION_SYSTEM, "sealed")) is Restriction.SEALED
    legal = coding(RESTRICTION_SYSTEM, "legally-restricted")
    assert restriction_of(legal) is Restriction.LEGALLY_RESTRICTED
    assert restriction_of(coding(RESTRICTION_SYSTEM, "invented")) is Restriction.SEALED
    assert restriction_of(coding(ACT_CODE, "sealed")) is None


def test_the_code_system_that_is_published_lists_the_restrictions() -> None:
    published = json.loads(DEFINITION.read_text())
    assert published["url"] == RESTRICTION_SYSTEM
    assert {concept["code"] for concept in published["concept"]} == set(Restriction)
