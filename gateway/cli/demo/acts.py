"""What happens beside posting a sample: in the consent register, on an agreement, to a recall.

What enters: a running demo and the sample that it goes with. What leaves: in which ways an act
did not go as it should; nothing where it did. Each goes in by the doors that a practice's own
system uses, or its provider's. An act that an earlier run in the same folder left half done is done again.
"""

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_never

import requests

from gateway.cli.demo.samples import CONSENT_NAME, CONSENT_SYSTEM, Act, Sample, consent_of
from gateway.cli.demo.setting import COMMISSIONER, client_of
from gateway.cli.demo.start import SHARING_BASE, Demo
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.task import ANSWER_SYSTEM
from gateway.fhir.text import FHIR_JSON
from gateway.referral.directory import AgreementStatus
from gateway.referral.json import JsonObject, child, objects, string, strings
from gateway.referral.lifecycle import TaskStatus
from gateway.referral.notices import NoticeKind, NoticeState
from gateway.referral.withdrawals import RecallAnswer, Standing

_PATIENCE = timedelta(seconds=20)
"""How long the word of a recall may take to its provider."""
_LOOK_AGAIN = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Practice:
    """The practice's own system: whom an act is about, and where a Consent it sends is kept."""

    sample: Sample
    demo: Demo
    file: Path

    @property
    def agreement(self) -> str:
        """The id of its agreement with the sample's provider."""
        return self.sample.practice.agreement(self.sample.service.ods)

    def send(
        self, method: str, path: str, consent: JsonObject, **headers: str
    ) -> requests.Response:
        """Send a Consent to the register."""
        body = write_json(consent)
        self.file.write_bytes(body)
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.demo.call(
            method,
            path,
            client=client_of(self.sample.practice),
            headers={"Content-Type": FHIR_JSON, "X-Request-Id": str(uuid.uuid4())} | named,
            data=body,
        )

    def ask(self, method: str, path: str) -> requests.Response:
        """Ask about what it shares, or change it."""
        client = client_of(self.sample.practice)
        return self.demo.call(method, path, client=client, base=SHARING_BASE)

    def withdrawal(self) -> JsonObject:
        """Return what became of the newest withdrawal of the Consent; nothing where there is none."""
        own = string(self.held() or {}, "id")
        found = objects(read_json(self.ask("GET", f"/withdrawals?about={own}").content), "entries")
        if not found:
            return {}
        return read_json(self.ask("GET", f"/withdrawals/{string(found[0], 'id')}").content)

    def held(self) -> JsonObject | None:
        """Return the Consent as the register holds it, or nothing."""
        path = f"/Consent?identifier={CONSENT_SYSTEM}|{CONSENT_NAME}"
        answer = self.demo.call("GET", path, client=client_of(self.sample.practice))
        found = objects(read_json(answer.content), "entry")
        return child(found[0], "resource") if found else None


def carry_out(act: Act, sample: Sample, demo: Demo, file: Path) -> Iterator[str]:
    """Do it, and tell in which ways it did not go as it should.

    Args:
        act: what to do.
        sample: says for which person, practice and provider.
        demo: the running gateway.
        file: where a Consent that is sent is kept for people to read.
    """
    practice = _Practice(sample=sample, demo=demo, file=file)
    match act:
        case Act.RECORD_CONSENT:
            yield from _record(practice)
        case Act.WITHDRAW_CONSENT:
            yield from _withdraw(practice)
        case Act.ANSWER_RECALL:
            yield from _answer_recall(practice)
        case Act.WITHDRAW_AGREEMENT:
            yield from _move(practice, "withdraw", to=AgreementStatus.WITHDRAWN)
            yield from _amiss_with_notice(practice, NoticeState.DRAFTED)
        case Act.REINSTATE_AGREEMENT:
            yield from _move(practice, "reinstate", to=AgreementStatus.ACTIVE)
            yield from _amiss_with_notice(practice, NoticeState.REINSTATED)
        case _:
            assert_never(act)


def withdrawal_of(sample: Sample, demo: Demo) -> JsonObject:
    """Return what became of the newest withdrawal of the Consent in the register."""
    return _Practice(sample=sample, demo=demo, file=Path()).withdrawal()


def _record(practice: _Practice) -> Iterator[str]:
    """Record the Consent, or give it anew where an earlier run withdrew it."""
    consent = consent_of(practice.sample, at=datetime.now(UTC))
    held = practice.held()
    if held is not None:
        yield from _change(practice, held, consent | {"id": held["id"]})
        return
    answer = practice.send("POST", "/Consent", consent)
    if answer.status_code != requests.codes.created:
        yield f"recording the Consent: HTTP {answer.status_code}"


def _withdraw(practice: _Practice) -> Iterator[str]:
    held = practice.held()
    if held is None:
        yield "the register does not hold the Consent"
        return
    yield from _change(practice, held, held | {"status": "inactive"})


def _change(practice: _Practice, held: JsonObject, changed: JsonObject) -> Iterator[str]:
    version = string(child(held, "meta") or {}, "versionId")
    path = f"/Consent/{string(held, 'id')}"
    answer = practice.send("PUT", path, changed, If_Match=f'W/"{version}"')
    if answer.status_code != requests.codes.ok:
        yield f"changing the Consent: HTTP {answer.status_code}"


def _answer_recall(practice: _Practice) -> Iterator[str]:
    """Answer as the provider; see that the practice is told what became of each delivery."""
    deadline = time.monotonic() + _PATIENCE.total_seconds()
    while (recall := _brought(practice)) is None:
        if time.monotonic() > deadline:
            yield "the provider was not brought a recall in time"
            return
        time.sleep(_LOOK_AGAIN.total_seconds())
    provider = client_of(practice.sample.service)
    feed = practice.demo.call("GET", "/Task?_since=0&_count=200", client=provider)
    tasks = [child(each, "resource") or {} for each in objects(read_json(feed.content), "entry")]
    task = next((each for each in tasks if string(each, "id") == recall), None)
    if task is None:
        yield "the provider's list does not name the recall"
        return
    version = string(child(task, "meta") or {}, "versionId")
    said: JsonObject = {"coding": [{"system": ANSWER_SYSTEM, "code": RecallAnswer.STOPPED.value}]}
    steps: list[JsonObject] = [
        {"op": "replace", "path": "/status", "value": TaskStatus.COMPLETED.value},
        {"op": "replace", "path": "/businessStatus", "value": said},
    ]
    answer = practice.demo.call(
        "PATCH",
        f"/Task/{recall}",
        client=provider,
        headers={"Content-Type": "application/json-patch+json", "If-Match": f'W/"{version}"'},
        data=json.dumps(steps).encode(),
    )
    if answer.status_code != requests.codes.ok:
        yield f"answering the recall: HTTP {answer.status_code}"
    yield from _amiss_with_withdrawal(practice)


def _brought(practice: _Practice) -> str | None:
    """Return the id of the recall that the withdrawal made, once its provider has it."""
    for each in objects(practice.withdrawal(), "deliveries"):
        recall = child(each, "recall") or {}
        if string(recall, "sent_at") is not None:
            return string(recall, "id")
    return None


def _amiss_with_withdrawal(practice: _Practice) -> Iterator[str]:
    """Look at what the practice is told: one was stopped, one delivered, with its answer."""
    covered = objects(practice.withdrawal(), "deliveries")
    told = sorted(
        (string(each, "standing") or "", string(child(each, "recall") or {}, "answer") or "")
        for each in covered
    )
    if told != [(Standing.DELIVERED, RecallAnswer.STOPPED), (Standing.STOPPED, "")]:
        yield f"of what the withdrawal covers, the practice is told {told}"


def _move(practice: _Practice, verb: str, *, to: AgreementStatus) -> Iterator[str]:
    """Withdraw from the agreement or reinstate it; it stands so from now on."""
    answer = practice.ask("POST", f"/agreements/{practice.agreement}/{verb}")
    status = string(child(read_json(answer.content), "agreement") or {}, "status")
    if status != to.value:
        yield f"the agreement is {status} (HTTP {answer.status_code}), not {to.value}"


def _amiss_with_notice(practice: _Practice, state: NoticeState) -> Iterator[str]:
    """Look for the notice of the withdrawal: in this state, with the letter of this practice."""
    told = [
        each
        for each in objects(read_json(practice.ask("GET", "/notices").content), "entries")
        if string(each, "kind") == NoticeKind.WITHDRAW_SECONDARY.value
        and practice.agreement in strings(each, "agreements")
    ]
    if not told or string(told[-1], "state") != state.value:
        yield f"there is no notice to the ICB that is {state.value}"
        return
    letter = practice.ask("GET", f"/notices/{string(told[-1], 'id')}/letter").text
    sample = practice.sample
    for name in (sample.practice.name, sample.practice.ods, sample.service.name, COMMISSIONER):
        if name not in letter:
            yield f"the letter to the ICB does not name {name}"
