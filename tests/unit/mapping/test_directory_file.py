"""A directory file is read whole or refused whole, with every fault and its place."""

import copy
import json
from typing import Any

import pytest
import yaml

from gateway.errors import DirectoryFileError
from gateway.mapping.directory_file import (
    Kind,
    agreement_row,
    noun_of,
    read_directory_file,
)
from gateway.referral.directory import Agreement, Practice, Service, Switch, SwitchValue
from tests.builders.house import directory, key

KEYS = {name: key(name) for name in ("gp-one", "gp-two", "oh-one")}


def good() -> dict[str, Any]:
    return copy.deepcopy(directory(KEYS))


def faults(tree: object) -> list[str]:
    with pytest.raises(DirectoryFileError) as refused:
        read_directory_file(tree if isinstance(tree, str) else yaml.safe_dump(tree))
    return str(refused.value).splitlines()


def test_every_record_of_a_good_file_is_a_row() -> None:
    tree = good()
    rows = read_directory_file(yaml.safe_dump(tree))
    assert len(rows) == sum(len(section) for section in tree.values())
    assert {row.kind for row in rows} == set(Kind)
    for row in rows:
        assert noun_of(row.kind, row.body) is not None


def test_a_service_is_also_known_by_its_directory_of_services_id() -> None:
    (row,) = [r for r in read_directory_file(yaml.safe_dump(good())) if r.key == "oh-assessment"]
    assert row.also == "9000000001"
    service = noun_of(row.kind, row.body)
    assert isinstance(service, Service)
    assert service.offers[0].use_case == "oh-referral"


@pytest.mark.parametrize(
    ("written", "value"), [("on", SwitchValue.ON), ("off", SwitchValue.OFF), ("'on'", "on")]
)
def test_a_bare_on_or_off_is_a_switch_and_no_boolean(written: str, value: str) -> None:
    text = f"practices:\n- {{ods: G99001, name: One, switches: {{update_record: {written}}}}}\n"
    (row,) = read_directory_file(text)
    practice = noun_of(row.kind, row.body)
    assert isinstance(practice, Practice)
    assert practice.switches == {Switch.UPDATE_RECORD: value}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: [", "the file is not YAML at line 1"),
        ("\x00", "the file is not YAML"),
        ("[]", "the file has none of the sections"),
        ("", "the file has none of the sections"),
        ("practices: {}", "practices: write a list of records"),
        ("practises: []", "practises: there is no such section"),
    ],
)
def test_a_file_that_is_no_directory_is_refused(text: str, fault: str) -> None:
    assert faults(text)[0].startswith(fault)


def test_all_faults_of_a_file_are_reported_at_once() -> None:
    tree = good()
    tree["practices"][0]["ods"] = "!"
    tree["providers"][0]["role"] = "friend"
    tree["endpoints"][0]["address"] = "http://plain.example"
    tree["services"][0]["offer"] = []
    tree["agreements"][0]["purposes"] = []
    tree["clients"][0]["jwks"]["keys"][0]["d"] = "private"
    tree["extra"] = []
    found = faults(tree)
    assert [line.split(":")[0].rstrip("0123456789.") for line in found] == [
        "extra",
        "practices[0].ods",
        "providers[0].role",
        "endpoints[0].address",
        "services[0].offer",
        "agreements[0].purposes",
        "clients[0].jwks.keys.0.d",
    ]


@pytest.mark.parametrize("field", ["name", "dpia_ref", "processor", "gdpr_basis"])
def test_no_words_of_an_agreement_hold_an_nhs_number(field: str) -> None:
    tree = good()
    tree["agreements"][0][field] = "for 999.000.0018"
    (fault,) = faults(tree)
    assert fault.startswith(f"agreements[0].{field}: ")
    assert "name no patient" in fault
    assert "999" not in fault


def test_an_agreement_that_is_stored_is_read_whatever_its_words() -> None:
    tree = good()
    row = next(r for r in read_directory_file(yaml.safe_dump(tree)) if r.kind is Kind.AGREEMENT)
    stored = json.dumps(json.loads(row.body) | {"dpia_ref": "999-000-0018"})
    noun = noun_of(Kind.AGREEMENT, stored)
    assert isinstance(noun, Agreement)
    assert noun.terms.dpia_ref == "999-000-0018"
    assert json.loads(agreement_row(noun).body)["dpia_ref"] == "999-000-0018"


def test_a_code_that_yaml_read_as_a_number_must_be_quoted() -> None:
    tree = good()
    tree["services"][0]["dos_service_id"] = 9000000001
    assert "write this in quotes" in faults(tree)[0]


@pytest.mark.parametrize("section", ["practices", "services"])
def test_a_name_used_twice_is_refused(section: str) -> None:
    tree = good()
    tree[section].append(tree[section][0])
    assert all("this name is used twice" in line for line in faults(tree))


def test_two_services_with_one_directory_id_are_refused() -> None:
    tree = good()
    tree["services"][1]["dos_service_id"] = "9000000001"
    assert faults(tree) == ["service 9000000001: this name is used twice"]


@pytest.mark.parametrize(
    "address",
    [
        "https://user@x.example",
        "https://x.example/?a=1",
        "https://x.example#a",
        "ftp://x",
        "https://",
    ],
)
def test_an_address_that_is_no_plain_https_url_is_refused(address: str) -> None:
    tree = good()
    tree["endpoints"][0]["address"] = address
    assert faults(tree)[0].startswith("endpoints[0].address")
