"""`gateway validate`: what the door would say, from the command line."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.main import main
from gateway.config import OWN_PROFILES
from gateway.fhir.xml_text import write_xml
from tests.builders.messages import bars_message, service_request


def told(*arguments: str, given: bytes | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["validate", *arguments], input=given)
    return result.exit_code, result.stdout + (result.stderr if not result.stdout else "")


def test_good_messages_are_good_in_both_formats(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("form.json", "message.json", "form.xml")]
    trees = service_request(), bars_message(), service_request()
    for path, tree in zip(files, trees, strict=True):
        is_xml = path.suffix == ".xml"
        path.write_bytes(write_xml(tree) if is_xml else json.dumps(tree).encode())
    status, output = told(*map(str, files))
    assert status == 0
    assert output.splitlines() == [f"{path}: good" for path in files]


def test_a_fault_is_told_with_its_place_and_without_a_value() -> None:
    tree = service_request() | {"status": "a-secret-word"}
    status, output = told("-", given=json.dumps(tree).encode())
    assert status == 1
    assert "ServiceRequest.status" in output
    assert "a-secret-word" not in output


def test_json_is_for_programs() -> None:
    tree = service_request() | {"status": "draft"}
    status, output = told("-", "--json", given=json.dumps(tree).encode())
    (found,) = json.loads(output)
    assert (status, found["ok"]) == (1, False)
    assert found["issue"][0]["expression"] == ["ServiceRequest.status"]


def test_what_is_no_message_is_a_fault_of_the_file() -> None:
    status, output = told("-", given=b"no message at all")
    assert (status, "structure" in output) == (1, True)


def test_a_changed_profile_changes_what_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "profiles"
    shutil.copytree(OWN_PROFILES, folder)
    path = folder / "profiles" / "StructureDefinition-referral.json"
    profile = json.loads(path.read_text())
    profile["differential"]["element"].append(
        {"id": "ServiceRequest.patientInstruction", "path": "ServiceRequest.patientInstruction",
         "min": 1}
    )  # fmt: skip
    path.write_text(json.dumps(profile))
    sent = json.dumps(service_request()).encode()
    assert told("-", given=sent)[0] == 0
    status, output = told("-", "--profiles", str(folder), given=sent)
    assert (status, "ServiceRequest.patientInstruction" in output) == (1, True)


@pytest.mark.parametrize("wrong", ["{", '{"resourceType": "StructureDefinition"}'])
def test_a_wrong_profile_stops_it_with_the_file_named(tmp_path: Path, wrong: str) -> None:
    folder = tmp_path / "profiles"
    shutil.copytree(OWN_PROFILES, folder)
    (folder / "broken.json").write_text(wrong)
    status, output = told("-", "--profiles", str(folder), given=b"{}")
    assert (status, "broken.json" in output) == (1, True)


def test_a_folder_without_our_profiles_is_refused(tmp_path: Path) -> None:
    (tmp_path / "code.json").write_text(
        (OWN_PROFILES / "terminology" / "CodeSystem-purpose.json").read_text()
    )
    status, output = told("-", "--profiles", str(tmp_path), given=b"{}")
    assert (status, "StructureDefinition/referral" in output) == (1, True)
