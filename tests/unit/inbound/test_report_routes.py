"""The door for copies of reports: what it takes, what it refuses, and where it says so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries
from tests.builders.house import House
from tests.builders.reporting import EMPLOYER, HR, TO_EMPLOYER, copies, get, post, reported
from tests.builders.reporting import with_employers as know_employers

NOBODY = "11111111-1111-4111-8111-111111111111"
GOOD = {"task": NOBODY, "kind": "functional", "copies": [{"recipient": "gp"}]}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with embedded_house(tmp_path_factory.mktemp("door")) as house:
        know_employers(house)
        yield house


@pytest.fixture(scope="module")
def copy(door: House) -> str:
    _, task = reported(door, TO_EMPLOYER)
    (made,) = copies(door, task, ("employer", EMPLOYER))
    return made


def faults(answer: Any) -> list[tuple[str | None, str]]:
    assert answer.status_code == 400, answer.get_data(as_text=True)
    return [
        ((each.get("expression") or [None])[0], each["diagnostics"])
        for each in answer.get_json()["issue"]
    ]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"task": None}, "task"),
        ({"task": "not-an-id"}, "task"),
        ({"kind": "gossip"}, "kind"),
        ({"copies": []}, "copies"),
        ({"copies": [{"recipient": "gp"}] * 11}, "copies"),
        ({"copies": [{"recipient": "gp", "organisation": HR}]}, "copies[0]"),
        ({"copies": [{"recipient": "employer"}]}, "copies[0]"),
        ({"copies": [{"recipient": "hr", "organisation": "?"}]}, "copies[0]"),
        ({"copies": [{"recipient": "neighbour"}]}, "copies[0]"),
        ({"third_party": "no"}, "third_party"),
        ({"would_harm": 1}, "would_harm"),
    ],
)
def test_copies_that_cannot_be_made_are_refused_with_the_place(
    door: House, changes: dict[str, Any], place: str
) -> None:
    tree = {name: value for name, value in (GOOD | changes).items() if value is not None}
    assert [where for where, _ in faults(post(door, "", tree))] == [place]


def test_a_field_that_is_not_known_is_refused(door: House) -> None:
    ((where, why),) = faults(post(door, "", GOOD | {"cc": "everybody"}))
    assert where is None
    assert "not known" in why


@pytest.mark.parametrize(
    ("act", "said", "place"),
    [
        ("shown", {}, "version"),
        ("shown", {"version": 0}, "version"),
        ("release", {"version": True}, "version"),
        ("answer", {"version": 1, "answer": "shrugs"}, "answer"),
        ("answer", {"version": 1, "answer": "agrees", "statement": "But"}, "statement"),
        ("answer", {"version": 1, "answer": "attaches-statement"}, "statement"),
        ("answer", {"version": 1, "answer": "attaches-statement", "statement": " "}, "statement"),
        ("route", {"route": "inbox", "clinician": "Dr Example"}, "clinician"),
        ("route", {"route": "named-clinician"}, "clinician"),
        ("review", {"version": 1}, "third_party"),
    ],
)
def test_an_act_that_cannot_be_read_is_refused_with_the_place(
    door: House, copy: str, act: str, said: dict[str, Any], place: str
) -> None:
    assert [where for where, _ in faults(post(door, f"/{copy}/{act}", said))] == [place]


def test_a_way_is_chosen_for_the_gp_alone(door: House, copy: str) -> None:
    answer = post(door, f"/{copy}/route", {"route": "inbox"})
    assert answer.status_code == 409
    assert "GP's copy" in answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["not-an-id", NOBODY])
def test_an_id_that_leads_nowhere_is_not_found(door: House, path: str) -> None:
    assert get(door, f"/{path}").status_code == 404
    assert post(door, f"/{path}/offer").status_code == 404
    assert post(door, f"/{path}/release", {"version": 1}).status_code == 404


def test_a_task_that_leads_nowhere_is_not_found(door: House) -> None:
    assert post(door, "", GOOD).status_code == 404


@pytest.mark.parametrize(
    ("path", "query"),
    [("", {"task": "x"}), ("", {"state": "draft"}), ("/{}/document", {"_format": "docx"}),
     ("/{}", {"task": NOBODY}), ("/{}/text", {"x": "y"})],
)  # fmt: skip
def test_a_parameter_that_is_not_known_is_refused(
    door: House, copy: str, path: str, query: dict[str, str]
) -> None:
    assert get(door, path.format(copy), **query).status_code == 400


def test_an_act_takes_no_parameters(door: House, copy: str) -> None:
    assert post(door, f"/{copy}/offer?force=1").status_code == 400


@pytest.mark.parametrize("kind", ["text/plain", "application/json; charset=latin-1"])
def test_what_is_not_said_to_be_json_is_not_read(door: House, kind: str) -> None:
    headers = {"Content-Type": kind, **door.bearer("oh-one")}
    assert door.web.post("/reports", data=b"{}", headers=headers).status_code == 415


def test_nobody_enters_without_a_token(door: House, copy: str) -> None:
    for path in ("", f"/{copy}", f"/{copy}/text", f"/{copy}/document"):
        assert door.web.get(f"/reports{path}").status_code == 401
    assert door.web.post(f"/reports/{copy}/release").status_code == 401


def test_that_a_copy_is_read_is_recorded(tmp_path: Path) -> None:
    with embedded_house(tmp_path) as house:
        know_employers(house)
        own, task = reported(house, TO_EMPLOYER)
        (made,) = copies(house, task, ("employer", EMPLOYER))
        before = len(entries(house, "record.read"))
        for path in (f"/{made}", f"/{made}/text", ""):
            assert get(house, path).status_code == 200
        read = entries(house, "record.read")[before:]
        assert [each["referral"] for each in read] == [own] * 3
        assert {each["actor"] for each in read} == {"oh-one"}
