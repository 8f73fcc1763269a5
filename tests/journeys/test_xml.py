"""A referral that comes in XML goes the whole way: taken, forwarded, shown in both formats."""

import json
from typing import Any, Final

import pytest

from gateway.fhir.json_text import read_json
from gateway.fhir.validate import validate
from gateway.fhir.xml_text import read_xml, write_xml
from gateway.journey.replay import replay_referral
from tests.builders.evidence import sealed_body, the_delivery, the_referral, work
from tests.builders.house import House
from tests.builders.messages import bars_headers, bars_message, letter_transaction, service_request

FHIR_XML: Final = "application/fhir+xml"
TEXT: Final = 'Low back pain <three weeks> & more: "é", 😀,\n and a new line'


def referral(path: str) -> dict[str, Any]:
    tree = {
        "/ServiceRequest": service_request,
        "/": letter_transaction,
        "/$process-message": bars_message,
    }[path]()
    request = tree
    if path != "/ServiceRequest":
        (request,) = (
            each["resource"]
            for each in tree["entry"]
            if each["resource"]["resourceType"] == "ServiceRequest"
        )
    request["note"] = [{"text": TEXT}]
    request["extension"] = [
        {"url": "https://x.example/days", "valueDecimal": 15},
        {"url": "https://x.example/known", "_valueCode": {"id": "unknown"}},
    ]
    request["extension"][1]["_valueCode"]["extension"] = [
        {"url": "https://x.example/why", "valueString": "not asked"}
    ]
    return tree


def post(house: House, path: str, tree: dict[str, Any], **headers: str) -> Any:
    given = bars_headers() if "process" in path else {}
    return house.post(path, write_xml(tree), **(given | {"Content-Type": FHIR_XML} | headers))


def show(house: House, path: str, media: str, read: Any) -> Any:
    answer = house.web.get(f"/FHIR/R4{path}", headers=house.bearer() | {"Accept": media})
    assert (answer.status_code, answer.content_type) == (200, media)
    return read(answer.data)


@pytest.mark.parametrize("path", ["/ServiceRequest", "/", "/$process-message"])
def test_a_referral_in_xml_is_taken_forwarded_and_shown_in_both_formats(
    house: House, path: str
) -> None:
    tree = referral(path)
    assert post(house, path, tree).status_code in (200, 201)
    own = the_referral(house)
    assert sealed_body(house, own.id) == write_xml(tree)
    assert work(house) == 1
    forwarded = read_json(house.destination.received[0].body)
    assert validate(forwarded) == []
    assert json.dumps(TEXT, ensure_ascii=False) in house.destination.received[0].body.decode()
    as_json = show(house, f"/ServiceRequest/{own.id}", "application/fhir+json", read_json)
    as_xml = show(house, f"/ServiceRequest/{own.id}", FHIR_XML, read_xml)
    assert as_json == as_xml
    assert as_json["note"] == [{"text": TEXT}]
    assert as_json["extension"] == referral("/ServiceRequest")["extension"]
    for hop in (own.id, the_delivery(house).id):
        task = show(house, f"/Task/{hop}", FHIR_XML, read_xml)
        assert task == show(house, f"/Task/{hop}", "application/fhir+json", read_json)


def test_a_held_referral_in_xml_is_decided_again_on_its_bytes(house: House) -> None:
    first, *rest = house.directory["services"]
    house.apply(services=[first | {"accepting": False}, *rest])
    answer = post(house, "/ServiceRequest", referral("/ServiceRequest"), Accept=FHIR_XML)
    assert (answer.status_code, read_xml(answer.data)["resourceType"]) == (202, "Task")
    house.apply(services=[first, *rest])
    replay_referral(the_referral(house).reference, house.gateway)
    assert work(house) == 1
    assert len(house.destination.received) == 1


def test_what_is_forwarded_is_the_same_from_either_format(house: House) -> None:
    tree = referral("/ServiceRequest")
    assert post(house, "/ServiceRequest", tree).status_code == 201
    work(house)
    tree["identifier"][0]["value"] = "another"
    assert house.post("/ServiceRequest", tree).status_code == 201
    work(house)
    first, second = (content(read_json(parcel.body)) for parcel in house.destination.received)
    assert first == second


def content(bundle: Any) -> list[Any]:
    """The resources without what is each referral's own."""
    found = []
    for entry in bundle["entry"]:
        resource = entry["resource"]
        found.append(
            {
                k: v
                for k, v in resource.items()
                if k not in ("id", "meta", "identifier", "contained")
            }
            if resource["resourceType"] == "ServiceRequest"
            else resource["resourceType"]
        )
    return found
