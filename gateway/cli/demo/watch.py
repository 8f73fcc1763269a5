"""What became of each sample, asked from outside: of the gateway and of the neighbours.

What enters: a running demo and the samples. What leaves: for each sample what was seen, and
in which way that is not what was expected. Nothing here looks into the gateway's database: a
practice sees its Task, a provider what it received.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests

from gateway.cli.demo.samples import (
    Ending,
    Message,
    Sample,
    file_name,
    message_of,
    message_that_takes_back,
)
from gateway.cli.demo.setting import ACCOUNTS, NEIGHBOURS
from gateway.cli.demo.start import Demo
from gateway.errors import InvalidMessageError
from gateway.fhir.json_text import read_json
from gateway.referral.identifiers import REFERENCE_SYSTEM
from gateway.referral.json import JsonObject, child, objects, string, strings
from gateway.referral.lifecycle import ReferralState, TaskStatus

PATIENCE = timedelta(seconds=30)
"""How long a sample may take from its receipt to its end."""
_LOOK_AGAIN = timedelta(milliseconds=200)
_RULE = re.compile(r"Reason: ([A-Z_]+)")
_ENDS = {
    ReferralState.DELIVERED.value: Ending.DELIVERED,
    ReferralState.HELD.value: Ending.HELD,
    ReferralState.CLOSED.value: Ending.REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of one sample.

    `codes` are all codes of the answer or of the Task, `expressions` all places found
    wrong. `why` is one line for people. `says_on_hold`: the answer itself brought a Task
    that is on hold. `attempts` is how often the provider was asked.
    `differences` are the ways in which this is not what was expected.
    """

    sample: Sample
    status: int
    location: str | None = None
    reference: str | None = None
    ending: Ending | None = None
    codes: Sequence[str] = ()
    expressions: Sequence[str] = ()
    why: str = ""
    says_on_hold: bool = False
    attempts: int = 0
    differences: Sequence[str] = ()

    @property
    def is_as_expected(self) -> bool:
        """Whether it ended as it should."""
        return not self.differences


@dataclass(slots=True)
class Walk:
    """Posts samples one after the other, and follows each to its end."""

    demo: Demo
    folder: Path
    sent: dict[str, Message] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def follow(self, samples: Sequence[Sample]) -> Iterator[Seen]:
        """Post each sample, wait for its end, and tell."""
        for sample in samples:
            found = self._follow(sample)
            self.seen[sample.name] = found
            yield found

    def _follow(self, sample: Sample) -> Seen:
        if sample.busy_first:
            self.demo.ask_neighbour(
                sample.service.key,
                "POST",
                "/_behave",
                json={"mode": "503", "times": sample.busy_first},
            )
        before = self._received(sample)
        message = self._message(sample)
        client = next(each.id for each in ACCOUNTS if each.ods == sample.practice.ods)
        answer = self.demo.call(
            "POST", message.path, client=client, headers=message.headers, data=message.body
        )
        found = self._to_its_end(_first_look(sample, answer), _tree(answer), client)
        after = self._received(sample)
        found = replace(found, attempts=after["attempts"] - before["attempts"])
        created = after["service_requests"] - before["service_requests"]
        differences = [*differences_of(found, self.seen), *self._at_provider(found, created)]
        return replace(found, differences=differences)

    def _message(self, sample: Sample) -> Message:
        if sample.again is not None:
            return self.sent[sample.again]
        if sample.takes_back is not None:
            message = message_that_takes_back(sample, self.sent[sample.takes_back])
        else:
            message = message_of(sample, at=datetime.now(UTC))
        self.sent[sample.name] = message
        path = self.folder / file_name(len(self.files) + 1, sample)
        path.write_bytes(message.body)
        lines = "".join(f"{name}: {value}\n" for name, value in message.headers.items())
        path.with_suffix(".headers").write_text(lines, encoding="utf-8")
        self.files.append(path)
        return message

    def _to_its_end(self, seen: Seen, tree: JsonObject, client: str) -> Seen:
        """Follow the practice's Task until it says how the referral ended, or time is up."""
        own_id = _referral_id(seen, tree)
        if own_id is None:
            return seen
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while True:
            seen = _as_task(seen, _tree(self.demo.call("GET", f"/Task/{own_id}", client=client)))
            if seen.ending is not None or time.monotonic() > deadline:
                return seen
            time.sleep(_LOOK_AGAIN.total_seconds())

    def _received(self, sample: Sample) -> Mapping[str, int]:
        counts: Mapping[str, int] = self.demo.ask_neighbour(sample.service.key, "GET", "/_received")
        return counts

    def _at_provider(self, seen: Seen, created: int) -> Iterator[str]:
        """Compare with what the provider has: one of each delivered referral, none else."""
        expected = 1 if seen.sample.expected.ending is Ending.DELIVERED else 0
        if created != expected:
            yield f"the provider got {created} new referrals, not {expected}"
        if seen.reference is None:
            return
        query = f"/fhir/ServiceRequest?identifier={REFERENCE_SYSTEM}|{seen.reference}"
        found = self.demo.ask_neighbour(seen.sample.service.key, "GET", query)["total"]
        has_it = seen.sample.expected.ending in (
            Ending.DELIVERED, Ending.REPEATED, Ending.TAKEN_BACK
        )  # fmt: skip
        if found != int(has_it):
            yield f"the provider has {found} referrals of this reference"


def differences_of(seen: Seen, earlier: Mapping[str, Seen]) -> Iterator[str]:
    """Tell in which ways a sample did not end as expected."""
    expected = seen.sample.expected
    if seen.status != expected.status:
        yield f"HTTP {seen.status}, not {expected.status}"
    first = earlier.get(seen.sample.again or "")
    ending = seen.ending
    if first is not None:
        is_known = seen.status == requests.codes.conflict or seen.location == first.location
        ending = Ending.REPEATED if is_known else ending
    if ending is not expected.ending:
        yield f"{ending or 'no end in time'}, not {expected.ending}"
    if expected.reason is not None and expected.reason not in seen.codes:
        yield f"the reason is not {expected.reason}"
    if expected.expression is not None and expected.expression not in seen.expressions:
        yield f"nothing found wrong at {expected.expression}"
    if expected.ending is Ending.HELD and not seen.says_on_hold:
        yield "the answer brought no Task that is on hold"
    if seen.sample.busy_first and seen.attempts <= seen.sample.busy_first:
        yield f"{seen.attempts} attempts, not more than {seen.sample.busy_first}"


def received_in_all(demo: Demo) -> Mapping[str, int]:
    """Count the referrals that each neighbour has, by its key."""
    return {
        each.key: demo.ask_neighbour(each.key, "GET", "/_received")["service_requests"]
        for each in NEIGHBOURS
    }


def _first_look(sample: Sample, answer: requests.Response) -> Seen:
    """Read the answer itself: a refusal says all there is to say."""
    tree = _tree(answer)
    issues = objects(tree, "issue")
    codings = [c for i in issues for c in objects(child(i, "details") or {}, "coding")]
    texts = [string(issue, "diagnostics") or "" for issue in issues]
    codes = [string(coding, "code") or "" for coding in codings]
    codes += [rule for text in texts for rule in _RULE.findall(text)]
    return Seen(
        sample=sample,
        status=answer.status_code,
        location=answer.headers.get("Location"),
        ending=_ending_of(answer.status_code),
        codes=tuple(dict.fromkeys(codes)),
        expressions=[place for issue in issues for place in strings(issue, "expression")],
        why=texts[0] if texts else "",
        says_on_hold=any(string(each, "status") == "on-hold" for each in _tasks(tree)),
    )


def _tasks(tree: JsonObject) -> list[JsonObject]:
    parts = [tree, *(child(entry, "resource") or {} for entry in objects(tree, "entry"))]
    return [part for part in parts if string(part, "resourceType") == "Task"]


def _ending_of(status: int) -> Ending | None:
    """Tell what a refusal amounts to; None where the referral was taken."""
    if status in (requests.codes.forbidden, requests.codes.unprocessable):
        return Ending.REFUSED
    if status == requests.codes.conflict:
        return Ending.REPEATED
    return Ending.NOT_TAKEN if status >= requests.codes.bad_request else None


def _referral_id(seen: Seen, tree: JsonObject) -> str | None:
    """Find the gateway's id of a referral that it took: in Location, or in a BaRS answer."""
    if seen.status >= requests.codes.bad_request:
        return None
    if seen.location is not None:
        found = re.search(r"/ServiceRequest/([^/]+)", seen.location)
        return found[1] if found else None
    parts = [child(entry, "resource") or {} for entry in objects(tree, "entry")]
    return next(
        (string(p, "id") for p in parts if string(p, "resourceType") == "ServiceRequest"), None
    )


def _as_task(seen: Seen, task: JsonObject) -> Seen:
    """Add what the practice's Task says."""
    reason = child(task, "statusReason") or {}
    states = _codes_of(child(task, "businessStatus") or {})
    codes = _codes_of(reason)
    ending = _ENDS.get(states[0]) if states else None
    if string(task, "status") == TaskStatus.CANCELLED.value:
        ending = Ending.TAKEN_BACK
    return replace(
        seen,
        reference=string(child(task, "groupIdentifier") or {}, "value"),
        ending=ending,
        codes=codes,
        why=string(reason, "text") or "",
    )


def _codes_of(concept: JsonObject) -> list[str]:
    return [string(coding, "code") or "" for coding in objects(concept, "coding")]


def _tree(answer: requests.Response) -> JsonObject:
    try:
        return read_json(answer.content)
    except InvalidMessageError:
        return {}
