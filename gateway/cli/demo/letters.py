"""What a provider answers, and what of it a practice receives: the end of the demo's way back.

What enters: a running demo and a sample that was delivered. What leaves: what the provider's own
system put on its Task, with a coded finding; and what stood in the practice's own inbox behind
the simulated MESH, as its staff would read it. The practice has switched coding by others off.
"""

import base64
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from gateway.cli.demo import people
from gateway.cli.demo.practice_inbox import Received, read_inbox
from gateway.cli.demo.setting import MESH, OH, client_of, mailbox_of
from gateway.cli.demo.start import Demo
from gateway.cli.demo.watch import Seen
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.text import FHIR_JSON
from gateway.mapping.outcome_terms import OUTCOME_SYSTEM, to_task
from gateway.referral.identifiers import NHS_NUMBER_SYSTEM
from gateway.referral.json import Json, JsonObject, child, objects, string
from gateway.referral.outcome import OutcomeKind

_PATIENCE: Final = timedelta(seconds=30)
_LOOK_AGAIN: Final = timedelta(milliseconds=200)
_DOCUMENT: Final = "GPCONNECT_SEND_DOCUMENT"
_ANSWERED: Final = 202
SHOWN: Final = ("Code: Systolic", "Why no code was written", "Codes in this document")
"""Which lines of the document are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """What became of an outcome. `status` and `said`: what the provider was answered."""

    status: int
    said: str
    received: Received | None
    words: Sequence[str]

    @property
    def is_as_expected(self) -> bool:
        """Whether it came as a document, without a code, with the reason, and was taken."""
        found = self.received
        return (
            self.status == _ANSWERED
            and found is not None
            and found.workflow == _DOCUMENT
            and not found.coded_entries
            and found.answers == ("20013", "30001")
            and all(any(each in line for line in self.words) for each in SHOWN)
        )


def bring_back(seen: Seen, demo: Demo) -> WayBack:
    """Have the provider report on a sample with a coded finding; see what the practice gets."""
    practice = seen.sample.practice
    before = len(read_inbox(demo.folder / MESH, mailbox_of(practice)))
    answer = _report(seen, demo)
    said = objects(read_json(answer[1]), "issue")
    received = _await(demo.folder / MESH, mailbox_of(practice), before)
    return WayBack(
        status=answer[0],
        said=(string(said[0], "diagnostics") or "") if said else "",
        received=received,
        words=_words(demo.folder / MESH / mailbox_of(practice), received),
    )


def lines_of(back: WayBack, seen: Seen) -> Sequence[str]:
    """Say it to people."""
    told = [
        "",
        f"{OH.key} reports on {seen.reference} with a coded finding: {back.status} {back.said}",
    ]
    if back.received is None:
        return [*told, f"{seen.sample.practice.ods} received nothing"]
    found = back.received
    coded = ", ".join(found.coded_entries) or "none"
    answers = ", ".join(found.answers)
    return [
        *told,
        (
            f"{seen.sample.practice.ods}'s own inbox: {found.workflow}, {found.title!r},"
            f" coded entries: {coded}; its system answered {answers}"
        ),
        *(f"  {line}" for line in back.words),
    ]


def _report(seen: Seen, demo: Demo) -> tuple[int, bytes]:
    """Put the provider's Task back with a letter and an Observation."""
    client = client_of(OH)
    page = read_json(demo.call("GET", "/Task?_since=0&_count=100", client=client).content)
    tasks = [child(each, "resource") or {} for each in objects(page, "entry")]
    own = next(
        string(each, "id")
        for each in reversed(tasks)
        if (child(each, "groupIdentifier") or {}).get("value") == seen.reference
    )
    read = demo.call("GET", f"/Task/{own}", client=client)
    task = read_json(read.content)
    words = to_task(OutcomeKind.REPORT)
    person = seen.sample.person or people.IVY
    subject: JsonObject = {"identifier": {"system": NHS_NUMBER_SYSTEM, "value": person.nhs}}
    parts = [_letter(subject), _finding(subject)]
    outputs: list[Json] = [
        {
            "type": {"text": "Report"},
            "valueReference": {"reference": f"#{string(each, 'id')}"},
        }
        for each in parts
    ]
    status: JsonObject = {"coding": [{"system": OUTCOME_SYSTEM, "code": words.business_status}]}
    changed: Mapping[str, Json] = {
        "status": words.status,
        "businessStatus": status,
        "contained": list[Json](parts),
        "output": outputs,
    }
    answer = demo.call(
        "PUT",
        f"/Task/{own}",
        client=client,
        headers={"Content-Type": FHIR_JSON, "If-Match": read.headers["ETag"]},
        data=write_json({**task, **changed}),
    )
    return answer.status_code, answer.content


def _letter(subject: JsonObject) -> JsonObject:
    text = "Fit for work with a phased return over four weeks, and a rest break each hour."
    data = base64.b64encode(text.encode()).decode()
    return {
        "resourceType": "DocumentReference",
        "id": "letter",
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{uuid.uuid4()}"}],
        "status": "current",
        "docStatus": "final",
        "description": "Occupational health report",
        "subject": subject,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "content": [{"attachment": {"contentType": "text/plain", "data": data}}],
    }


def _finding(subject: JsonObject) -> JsonObject:
    code: JsonObject = {
        "system": "http://snomed.info/sct",
        "code": "271649006",
        "display": "Systolic blood pressure",
    }
    return {
        "resourceType": "Observation",
        "id": "finding",
        "status": "final",
        "code": {"coding": [code]},
        "subject": subject,
        "valueQuantity": {"value": 142, "unit": "mmHg"},
    }


def _await(folder: Path, mailbox: str, before: int) -> Received | None:
    """Wait until one more message was collected and answered."""
    deadline = time.monotonic() + _PATIENCE.total_seconds()
    found: Received | None = None
    while time.monotonic() < deadline:
        found = next(iter(read_inbox(folder, mailbox)[before:]), None)
        if found is not None and len(found.answers) > 1:
            return found
        time.sleep(_LOOK_AGAIN.total_seconds())
    return found


def _words(inbox: Path, received: Received | None) -> Sequence[str]:
    """Read the rows of the PDF that are shown, each as one line."""
    from pypdf import PdfReader  # it comes with the tests, as mesh-sandbox does

    if received is None or not received.attachments:
        return ()
    reader = PdfReader(inbox / received.attachments[0].file)
    rows: list[str] = []
    for line in (text for page in reader.pages for text in page.extract_text().splitlines()):
        is_new = ": " in line or line.startswith("NHS number")
        if is_new or not rows:
            rows.append(line.strip())
        else:
            rows[-1] += f" {line.strip()}"
    return [row for row in rows if any(each in row for each in SHOWN)]
