"""A referral walks from the front door to the Health and Work service, and back again."""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.config import OWN_MAPPINGS
from gateway.journey.deliver import deliver_next
from gateway.journey.gateway import Gateway
from gateway.mapping.health_and_work import HealthAndWork
from gateway.outbound.https_xml import HttpsXml
from gateway.referral.directory import Format, Transport
from gateway.referral.lifecycle import ReferralState
from tests.builders.embedded import embedded_house
from tests.builders.evidence import the_referral
from tests.builders.house import House
from tests.contracts.parcels import line
from tests.processes.certificates import CA_FILE
from tests.processes.work_service import WorkService, running_service

WORK = "work-health"
FOLDER = OWN_MAPPINGS / "health-and-work"


def full() -> Any:
    return json.loads((FOLDER / "in" / "full.json").read_text())


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkService]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def house(tmp_path: Path, service: WorkService) -> Iterator[House]:
    with embedded_house(tmp_path) as built:
        sections = copy.deepcopy(built.directory)
        sections["providers"][0]["role"] = "national-service"
        sections["endpoints"][0] = {
            "id": "oh",
            "transport": "https",
            "address": service.address("ok"),
            "ca_file": CA_FILE,
        }
        sections["services"][0] |= {
            "dos_service_id": "9000000002",
            "offers": [{"use_case": "work-health-referral", "purpose": WORK, "codes": []}],
        }
        sections["agreements"][0]["purposes"] = [WORK]
        built.apply(**sections)
        yield built


def over_https(house: House, service: WorkService) -> Gateway:
    work = HealthAndWork(FOLDER)
    second = timedelta(seconds=20)
    destination = HttpsXml(line(service.folder, connect=second, reply=second), work.read_receipt)
    return replace(
        house.gateway,
        writers={Format.HEALTH_AND_WORK: work},
        destinations={Transport.HTTPS: destination},
    )


def posted(house: House, tree: Any) -> None:
    answer = house.post("/ServiceRequest", tree)
    assert answer.status_code == 201, answer.get_json()


def test_a_form_is_delivered_as_a_valid_message(house: House, service: WorkService) -> None:
    before = len(service.events())
    posted(house, full())
    assert deliver_next("worker", over_https(house, service))
    assert the_referral(house).state is ReferralState.DELIVERED
    (came,) = service.events()[before:]
    assert came["is_valid"]
    assert "<Accepted/>" in came["said"]


def test_a_referral_that_the_service_could_not_use_is_held_and_nothing_leaves(
    house: House, service: WorkService
) -> None:
    before = len(service.events())
    tree = full()
    del tree["contained"][0]["birthDate"]
    posted(house, tree)
    assert deliver_next("worker", over_https(house, service))
    assert the_referral(house).state is ReferralState.HELD
    assert service.events()[before:] == []
