"""An act of the demo that goes wrong is told, rather than passed over."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from gateway.cli.demo.acts import carry_out
from gateway.cli.demo.samples import SAMPLES, Act, Sample
from gateway.cli.demo.setting import COMMISSIONER
from gateway.cli.demo.start import Demo
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM

HELD = {"entry": [{"resource": {"id": "c-1", "meta": {"versionId": "4"}, "status": "active"}}]}
NOTICE = {"kind": "withdraw-secondary", "agreements": ["G99002-8Z99B"], "id": "n-1"}


class Door:
    """Answers each request as told, by method and path, and keeps what was sent."""

    def __init__(self, **answers: tuple[int, Any]) -> None:
        self.answers = {name.replace("_", " "): answer for name, answer in answers.items()}
        self.sent: list[tuple[str, str, Any, dict[str, str]]] = []

    def call(self, method: str, path: str, **told: Any) -> requests.Response:
        headers, data = told.get("headers") or {}, told.get("data")
        self.sent.append((method, path, json.loads(data) if data else None, headers))
        last = path.partition("?")[0].rsplit("/", 1)[-1]
        response = requests.Response()
        response.status_code, body = self.answers[f"{method} {last}"]
        response._content = (body if isinstance(body, str) else json.dumps(body)).encode()
        return response


def sample_of(act: Act) -> Sample:
    return next(each for each in SAMPLES if act in (each.before, each.meanwhile))


def done(act: Act, door: Door, folder: Path) -> list[str]:
    return list(carry_out(act, sample_of(act), cast("Demo", door), folder / "consent.json"))


def letter_of(sample: Sample) -> str:
    names = (sample.practice.name, sample.practice.ods, sample.service.name, COMMISSIONER)
    return " ".join(names)


def sharing(act: Act, *, state: str, **changed: tuple[int, Any]) -> Door:
    """A door at which a withdrawal or reinstatement goes well, but for what a test changes."""
    answers: dict[str, tuple[int, Any]] = {
        "POST_withdraw": (200, {"agreement": {"status": "withdrawn"}}),
        "POST_reinstate": (200, {"agreement": {"status": "active"}}),
        "GET_notices": (200, {"entries": [NOTICE | {"state": state}]}),
        "GET_letter": (200, letter_of(sample_of(act))),
    }
    return Door(**answers | changed)


RECALLED = {"id": "t-1", "sent_at": "2026-11-22T09:00:00+00:00", "answer": "stopped"}
COVERED: list[dict[str, Any]] = [
    {"standing": "delivered", "recall": RECALLED},
    {"standing": "stopped"},
]
TASK = {"resource": {"id": "t-1", "meta": {"versionId": "3"}}}


def recalled(**changed: tuple[int, Any]) -> Door:
    """A door at which a recall is answered well, but for what a test changes."""
    answers: dict[str, tuple[int, Any]] = {
        "GET_Consent": (200, HELD),
        "GET_withdrawals": (200, {"entries": [{"id": "w-1"}]}),
        "GET_w-1": (200, {"id": "w-1", "deliveries": COVERED}),
        "GET_Task": (200, {"entry": [TASK]}),
        "PATCH_t-1": (200, {}),
    }
    return Door(**answers | changed)


def test_a_recall_is_answered_by_its_provider_in_the_version_that_it_read(tmp_path: Path) -> None:
    door = recalled()
    assert done(Act.ANSWER_RECALL, door, tmp_path) == []
    ((_, path, steps, headers),) = [each for each in door.sent if each[0] == "PATCH"]
    assert (path, headers["If-Match"]) == ("/Task/t-1", 'W/"3"')
    assert [each["path"] for each in steps] == ["/status", "/businessStatus"]


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"GET_Task": (200, {})}, "the provider's list does not name the recall"),
        ({"PATCH_t-1": (412, {})}, "answering the recall: HTTP 412"),
        (
            {"GET_w-1": (200, {"deliveries": [COVERED[0] | {"standing": "unknown"}]})},
            "of what the withdrawal covers, the practice is told [('unknown', 'stopped')]",
        ),
    ],
)
def test_a_recall_that_goes_wrong_is_told(
    tmp_path: Path, changed: dict[str, tuple[int, Any]], difference: str
) -> None:
    assert done(Act.ANSWER_RECALL, recalled(**changed), tmp_path) == [difference]


def test_a_consent_is_recorded_for_the_person_of_the_sample_and_kept(tmp_path: Path) -> None:
    door = Door(GET_Consent=(200, {"resourceType": "Bundle"}), POST_Consent=(201, {}))
    assert done(Act.RECORD_CONSENT, door, tmp_path) == []
    person = getattr(sample_of(Act.RECORD_CONSENT).person, "nhs", None)
    (_, _, sent, headers) = door.sent[-1]
    assert sent["patient"]["identifier"] == {"system": NHS_NUMBER_SYSTEM, "value": person}
    assert headers["X-Request-Id"]
    assert json.loads((tmp_path / "consent.json").read_bytes()) == sent


def test_a_consent_that_an_earlier_run_withdrew_is_given_anew(tmp_path: Path) -> None:
    door = Door(GET_Consent=(200, HELD), **{"PUT_c-1": (200, {})})
    assert done(Act.RECORD_CONSENT, door, tmp_path) == []
    method, path, sent, headers = door.sent[-1]
    assert (method, path, headers["If-Match"]) == ("PUT", "/Consent/c-1", 'W/"4"')
    assert (sent["id"], sent["status"]) == ("c-1", "active")


def test_a_consent_is_withdrawn_in_the_version_that_was_read(tmp_path: Path) -> None:
    door = Door(GET_Consent=(200, HELD), **{"PUT_c-1": (200, {})})
    assert done(Act.WITHDRAW_CONSENT, door, tmp_path) == []
    assert door.sent[-1][2]["status"] == "inactive"
    assert door.sent[-1][3]["If-Match"] == 'W/"4"'


@pytest.mark.parametrize(
    ("act", "door", "difference"),
    [
        (
            Act.RECORD_CONSENT,
            Door(GET_Consent=(200, {}), POST_Consent=(403, {})),
            "recording the Consent: HTTP 403",
        ),
        (
            Act.WITHDRAW_CONSENT,
            Door(GET_Consent=(200, HELD), **{"PUT_c-1": (412, {})}),
            "changing the Consent: HTTP 412",
        ),
        (
            Act.WITHDRAW_CONSENT,
            Door(GET_Consent=(200, {})),
            "the register does not hold the Consent",
        ),
        (
            Act.WITHDRAW_AGREEMENT,
            sharing(Act.WITHDRAW_AGREEMENT, state="drafted", POST_withdraw=(403, {})),
            "the agreement is None (HTTP 403), not withdrawn",
        ),
        (
            Act.WITHDRAW_AGREEMENT,
            sharing(Act.WITHDRAW_AGREEMENT, state="drafted", GET_notices=(200, {"entries": []})),
            "there is no notice to the ICB that is drafted",
        ),
        (
            Act.REINSTATE_AGREEMENT,
            sharing(Act.REINSTATE_AGREEMENT, state="drafted"),
            "there is no notice to the ICB that is reinstated",
        ),
        (
            Act.WITHDRAW_AGREEMENT,
            sharing(
                Act.WITHDRAW_AGREEMENT,
                state="drafted",
                GET_letter=(200, letter_of(sample_of(Act.RECORD_CONSENT)) + " 8Z99B Health"),
            ),
            "the letter to the ICB does not name G99002",
        ),
    ],
)
def test_what_went_wrong_with_an_act_is_told(
    tmp_path: Path, act: Act, door: Door, difference: str
) -> None:
    assert difference in done(act, door, tmp_path)


@pytest.mark.parametrize(
    ("act", "state"),
    [(Act.WITHDRAW_AGREEMENT, "drafted"), (Act.REINSTATE_AGREEMENT, "reinstated")],
)
def test_an_act_on_an_agreement_that_went_well_says_nothing(
    tmp_path: Path, act: Act, state: str
) -> None:
    door = sharing(act, state=state)
    assert done(act, door, tmp_path) == []
    assert door.sent[0][1].startswith("/agreements/G99002-8Z99B/")
