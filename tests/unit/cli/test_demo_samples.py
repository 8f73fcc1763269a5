import base64
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.cli.demo.samples import (
    FOLDER,
    SAMPLES,
    Act,
    Door,
    Ending,
    Expected,
    Message,
    Sample,
    blanks_of,
    consent_of,
    filled,
    message_of,
)
from gateway.cli.demo.setting import HAWTHORN, OH, PRACTICES
from gateway.errors import InvalidMessageError
from gateway.fhir.bars.check import check_message
from gateway.fhir.bars.message import open_message
from gateway.fhir.json_text import read_json
from gateway.fhir.read_consent import read_consent
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.fhir.validate import validate
from gateway.referral.identifiers import DosServiceId, NhsNumber
from gateway.referral.json import child, objects, string
from tests.builders.house import own_profiles

NOW = datetime(2031, 2, 28, 12, 0, tzinfo=UTC)
FRESH = [sample for sample in SAMPLES if not (sample.again or sample.takes_back)]
WELL_FORMED = [
    sample
    for sample in FRESH
    if sample.expected.ending is not Ending.NOT_TAKEN or sample.expected.status == 415
]
named = pytest.mark.parametrize("sample", WELL_FORMED, ids=lambda sample: sample.name)


@named
def test_a_well_formed_sample_is_valid_fhir_without_so_much_as_a_warning(sample: Sample) -> None:
    assert validate(read_resource(message_of(sample, at=NOW).body)) == []


@named
def test_a_well_formed_sample_reads_as_a_referral_of_its_practice(sample: Sample) -> None:
    referral = read_referral(read_resource(message_of(sample, at=NOW).body))
    assert referral.requester == sample.practice.ods
    assert referral.patient.practices == {sample.practice.ods}
    assert referral.service_asked == sample.service.dos_service_id


@named
def test_a_patient_has_a_test_number_with_the_right_check_digit(sample: Sample) -> None:
    number = read_referral(read_resource(message_of(sample, at=NOW).body)).patient.nhs_number
    assert number is not None
    assert number.startswith("999")
    assert number.checks


BETWEEN = ("withdrawn", "recalled", "agreement-reinstated")
"""Samples before which an act changed what may be shared of their person."""


def test_two_referrals_are_never_about_the_same_person_unless_an_act_lies_between() -> None:
    first = [each for each in WELL_FORMED if each.name not in BETWEEN]
    numbers = [sample.person.nhs for sample in first if sample.person is not None]
    assert len(numbers) == len(set(numbers)) == len(first)


def test_a_consent_of_the_register_is_one_that_the_register_takes() -> None:
    sample = next(each for each in SAMPLES if each.before is Act.RECORD_CONSENT)
    consent = consent_of(sample, at=NOW)
    assert validate(consent) == []
    assert read_consent(consent).nhs_number == getattr(sample.person, "nhs", None)


def test_what_an_act_is_about_belongs_to_no_other_sample() -> None:
    """A sample whose agreement another one withdrew would end otherwise when run alone."""
    acting = {
        each.practice.agreement(each.service.ods)
        for each in SAMPLES
        if each.before in (Act.WITHDRAW_AGREEMENT, Act.REINSTATE_AGREEMENT)
    }
    others = {each.practice.agreement(each.service.ods) for each in SAMPLES if each.before is None}
    assert acting
    assert not acting & others


def test_what_is_withdrawn_is_reinstated_and_comes_after() -> None:
    acts = [act for each in SAMPLES for act in (each.before, each.meanwhile) if act is not None]
    assert acts == list(Act)


def test_the_sample_with_a_labelled_part_has_a_part_that_refers_to_it() -> None:
    sample = next(each for each in SAMPLES if each.withholds)
    tree = read_json(message_of(sample, at=NOW).body)
    parts = {string(e, "fullUrl"): child(e, "resource") or {} for e in objects(tree, "entry")}
    (labelled,) = [url for url, part in parts.items() if "security" in (child(part, "meta") or {})]
    referring = [part["resourceType"] for part in parts.values() if str(labelled) in str(part)]
    assert referring == ["ServiceRequest", "Condition"]


@pytest.mark.parametrize(
    "sample", [s for s in FRESH if s.door is Door.BARS], ids=lambda sample: sample.name
)
def test_a_bars_sample_is_a_complete_message_for_its_service(sample: Sample) -> None:
    message = message_of(sample, at=NOW)
    tree = read_json(message.body)
    opened = open_message(tree)
    check_message(opened, DosServiceId(sample.service.dos_service_id), own_profiles())
    assert opened.sender == sample.practice.ods
    target = read_json(base64.b64decode(message.headers["NHSD-Target-Identifier"]))
    assert target["value"] == sample.service.dos_service_id


def test_every_resource_of_a_new_message_was_updated_at_the_same_instant() -> None:
    sample = next(sample for sample in FRESH if sample.door is Door.BARS)
    tree = read_resource(message_of(sample, at=NOW).body)
    parts = [tree, *(child(entry, "resource") or {} for entry in objects(tree, "entry"))]
    assert {string(child(part, "meta") or {}, "lastUpdated") for part in parts} == {
        "2031-02-28T12:00:00.000Z"
    }


@pytest.mark.parametrize("name", ["broken-json", "no-patient", "unknown-element"])
def test_a_malformed_sample_is_not_valid(name: str) -> None:
    sample = next(sample for sample in SAMPLES if sample.name == name)
    body = message_of(sample, at=NOW).body
    try:
        faults = validate(read_json(body))
    except InvalidMessageError as error:
        faults = list(error.faults)
    places = [fault.expression for fault in faults]
    assert places
    assert sample.expected.expression in places


def test_no_blank_stays_empty() -> None:
    for sample in FRESH:
        message = message_of(sample, at=NOW)
        assert b"{{" not in message.body, sample.name


def test_a_label_stands_for_one_uuid_and_another_label_for_another() -> None:
    text = filled("{{uuid:a}} {{uuid:b}} {{uuid:a}}", {}, NOW)
    first, other, again = text.split()
    assert first == again != other


def test_times_are_as_of_the_instant_of_posting() -> None:
    text = filled("{{instant:-2d}} {{date:3d}} {{instant:90m}}", {}, NOW)
    assert text == "2031-02-26T12:00:00.000Z 2031-03-03 2031-02-28T13:30:00.000Z"


def test_a_date_is_a_day_of_universal_time() -> None:
    east = NOW.astimezone(tz=None) + timedelta(hours=11, minutes=59)
    assert filled("{{date:0d}}", {}, east) == "2031-02-28"


def test_a_blank_that_nobody_fills_is_noticed() -> None:
    with pytest.raises(KeyError):
        filled("{{nobody}}", blanks_of(SAMPLES[0]), NOW)


def test_each_rendering_has_request_ids_of_its_own() -> None:
    one, two = (message_of(SAMPLES[0], at=NOW) for _ in range(2))
    for name in ("X-Request-Id", "X-Correlation-Id"):
        assert one.headers[name] != two.headers[name]
    assert one.body != two.body


def test_every_file_of_samples_is_used_and_every_name_is_said_once() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == {s.template for s in FRESH}
    names = [sample.name for sample in SAMPLES]
    assert len(names) == len(set(names))


def test_a_repeat_comes_after_what_it_repeats() -> None:
    names = [sample.name for sample in SAMPLES]
    repeats = [sample for sample in SAMPLES if sample.again is not None]
    assert repeats
    assert all(names.index(str(s.again)) < names.index(s.name) for s in repeats)


def test_every_door_and_every_ending_is_shown() -> None:
    assert {sample.door for sample in SAMPLES} == set(Door)
    assert {sample.expected.ending for sample in SAMPLES} == set(Ending)


def test_only_numbers_of_people_who_were_invented_stand_in_the_files() -> None:
    for path in FOLDER.glob("*.json"):
        found = re.findall(r"(?<![0-9])[0-9]{10}(?![0-9])", path.read_text(encoding="utf-8"))
        assert [number for number in found if NhsNumber(number).checks] == [], path.name


def test_organisations_have_codes_with_a_99_in_them() -> None:
    codes = [each.ods for each in PRACTICES] + [OH.ods]
    assert all("99" in code for code in codes)


def test_an_edit_touches_no_other_sample() -> None:
    edited = next(sample for sample in SAMPLES if sample.name == "no-consent")
    good = replace(edited, edit=None, expected=Expected(status=201, ending=Ending.DELIVERED))
    message_of(edited, at=NOW)
    message: Message = message_of(good, at=NOW)
    assert len(read_referral(read_json(message.body)).consents) == 1
    assert good.practice is HAWTHORN
