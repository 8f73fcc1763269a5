"""Control values and answers are exactly what `mappings/mesh` shows; nothing else is an answer."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import InvalidMessageError
from gateway.mapping.mesh import control_for, plain_code, read_response
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import EndpointId
from gateway.referral.lifecycle import DeliveryKind
from tests.builders.rows import a_delivery, a_referral

FOLDER = Path(__file__).parents[3] / "mappings" / "mesh"
CONTROLS = ["recall", "referral"]
ANSWERS = ["itk3-accepted.xml", "itk3-known.xml", "itk3-not-known.xml", "r4-refused.json"]
REPLIES = {
    "answer-held": "json",
    "answer-refused": "json",
    "answer-returned": "xml",
    "answer-taken": "json",
}
"""What we answer: held against the examples by `test_outcome_answer.py`."""
GOOD = (FOLDER / "in" / ANSWERS[0]).read_bytes()
NAME = "22222222-2222-4222-8222-222222222222"
CANARY = "Avery"


def out(name: str) -> Any:
    return json.loads((FOLDER / "out" / f"{Path(name).stem}.json").read_bytes())


@pytest.mark.parametrize("name", CONTROLS)
def test_each_control_value_is_as_shown(name: str) -> None:
    given = json.loads((FOLDER / "in" / f"{name}.json").read_bytes())
    endpoint = Endpoint(
        id=EndpointId("oh"), transport=Transport.MESH, format=Format.HEALTH_AND_WORK,
        address="https://mesh.example", ca_file=None,
        parameters={name: given[name] for name in ("recipient", "workflow")},
    )  # fmt: skip
    delivery = replace(a_delivery(), kind=DeliveryKind(given["kind"]))
    for attempts in (1, 7):
        sent = replace(delivery, attempts=attempts, may_have_arrived=attempts > 1)
        made = control_for(a_referral(), sent, endpoint, given["media_type"])
        assert asdict(made) == out(name)


@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_is_read_as_shown(name: str) -> None:
    assert asdict(read_response((FOLDER / "in" / name).read_bytes())) == out(name)


def test_there_is_an_output_for_each_example_and_nothing_else() -> None:
    given = [f"{name}.json" for name in (*CONTROLS, *REPLIES)]
    examples = sorted(given + ANSWERS)
    assert sorted(path.name for path in (FOLDER / "in").iterdir()) == examples
    wanted = [f"{Path(name).stem}.json" for name in examples]
    messages = [f"{name}.message.{suffix}" for name, suffix in REPLIES.items()]
    assert sorted(path.name for path in (FOLDER / "out").iterdir()) == sorted(wanted + messages)


def message(*headers: dict[str, Any]) -> bytes:
    entries = [{"resource": {"resourceType": "MessageHeader"} | each} for each in headers]
    return json.dumps({"resourceType": "Bundle", "entry": entries}).encode()


OK = {"response": {"identifier": NAME, "code": "ok"}}
NO_ANSWERS = {
    "empty": b"",
    "text": CANARY.encode(),
    "json-list": b"[]",
    "json-broken": b'{"a":',
    "no-header": message(),
    "two-headers": message(OK, OK),
    "a-request": message({"source": {"endpoint": CANARY}}),
    "no-identifier": message({"response": {"code": "ok"}}),
    "no-code": message({"response": {"identifier": NAME}}),
    "xml-broken": GOOD[:-20],
    "xml-of-no-kind": GOOD.replace(b"http://hl7.org/fhir", b"urn:other"),
    "xml-without-a-code": GOOD.replace(b'<code value="ok"/>', b""),
    "xml-two-headers": GOOD.replace(b"</Bundle>", GOOD[GOOD.index(b"<entry>") :]),
    "xml-with-a-document-type": GOOD.replace(
        b"<Bundle", f'<!DOCTYPE Bundle [<!ENTITY e "{CANARY}">]><Bundle'.encode(), 1
    ),
    "too-long": GOOD + b" " * 1024 * 1024,
}


@pytest.mark.parametrize("defect", NO_ANSWERS)
def test_what_is_no_answer_is_refused_and_not_quoted(defect: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        read_response(NO_ANSWERS[defect])
    assert CANARY not in str(caught.value)


def test_an_entity_brings_nothing_in(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("ok")
    body = GOOD.replace(
        b"<Bundle", f'<!DOCTYPE b [<!ENTITY e SYSTEM "file://{secret}">]><Bundle'.encode(), 1
    )
    with pytest.raises(InvalidMessageError):
        read_response(body)


@pytest.mark.parametrize("code", ["transient-error", "fatal-error", "OK", "fine"])
def test_only_ok_is_positive(code: str) -> None:
    said = read_response(message({"response": {"identifier": NAME, "code": code}}))
    assert not said.is_positive
    assert said.code == code


def test_a_name_is_known_with_its_prefix_too() -> None:
    said = read_response(message({"response": {"identifier": f"urn:uuid:{NAME}", "code": "ok"}}))
    assert said.about == NAME


@pytest.mark.parametrize(
    ("code", "plain"),
    [("14", "14"), ("EPL-151", "EPL-151"), (None, "UNSPECIFIED"), ("", "UNSPECIFIED"),
     (f"{CANARY} was born", "UNSPECIFIED"), ("1" * 17, "UNSPECIFIED")],
)  # fmt: skip
def test_a_code_of_somebody_else_is_taken_only_where_it_is_one(
    code: str | None, plain: str
) -> None:
    assert plain_code(code) == plain
