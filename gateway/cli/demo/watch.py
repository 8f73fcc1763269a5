"""What became of each sample, asked from outside: of the gateway and of the neighbours.

What enters: a running demo and the samples. What leaves: for each sample what was seen, and
in which way that is not what was expected. Nothing here looks into the gateway's database: a
practice sees its Task, a provider what it received.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import requests

from gateway.cli.demo.acts import carry_out
from gateway.cli.demo.behaviour import Mode
from gateway.cli.demo.received import differences_in
from gateway.cli.demo.samples import (
    Act,
    Ending,
    Message,
    Sample,
    file_name,
    message_of,
    message_that_takes_back,
)
from gateway.cli.demo.setting import NEIGHBOURS, client_of
from gateway.cli.demo.start import Demo
from gateway.errors import InvalidMessageError, IssueCode
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
    ReferralState.CLOSED.value: Ending.CLOSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What became of one sample.

    `codes` are all codes of the answer or of the Task, `expressions` all places found
    wrong. `issues` are the kinds of the answer's remarks. `why` is one line for people.
    `says_on_hold`: the answer itself brought a Task that is on hold. `attempts` is how often
    the provider was asked.
    `differences` are the ways in which this is not what was expected.
    """

    sample: Sample
    status: int
    location: str | None = None
    reference: str | None = None
    ending: Ending | None = None
    codes: Sequence[str] = ()
    expressions: Sequence[str] = ()
    issues: Sequence[str] = ()
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
    consents: list[Path] = field(default_factory=list)

    def follow(self, samples: Sequence[Sample]) -> Iterator[Seen]:
        """Post each sample, wait for its end, and tell."""
        for sample in samples:
            found = self._follow(sample)
            self.seen[sample.name] = found
            yield found

    def _follow(self, sample: Sample) -> Seen:
        """Follow one sample.

        1. The practice does what comes before.
        2. Post it to a provider that takes it, is busy at first, or is busy until the end.
        3. The practice does what comes meanwhile, once the provider was asked.
        4. Wait for the end; compare what became of it with what was expected.
        """
        client = client_of(sample.practice)
        amiss = list(self._carry_out(sample.before, sample))
        before = self._received(sample)
        with self._busy(sample):
            message = self._message(sample)
            answer = self.demo.call(
                "POST", message.path, client=client, headers=message.headers, data=message.body
            )
            if sample.meanwhile is not None:
                amiss += self._amiss_with_waiting(sample, before["attempts"])
            amiss += self._carry_out(sample.meanwhile, sample)
            found = self._to_its_end(_first_look(sample, answer), _tree(answer), client)
        after = self._received(sample)
        found = replace(found, attempts=after["attempts"] - before["attempts"])
        created = after["service_requests"] - before["service_requests"]
        amiss += [*differences_of(found, self.seen), *self._at_provider(found, created)]
        return replace(found, differences=amiss)

    def _carry_out(self, act: Act | None, sample: Sample) -> Iterator[str]:
        if act is None:
            return
        file = self.folder / file_name(len(self.files) + 1, sample)
        file = file.with_suffix(f".{act.name.lower().replace('_', '-')}.json")
        yield from carry_out(act, sample, self.demo, file)
        self.consents.extend([file] if file.exists() else [])

    @contextmanager
    def _busy(self, sample: Sample) -> Iterator[None]:
        """Let the provider be as busy as the sample asks for; at the end it is not."""
        path = (sample.service.key, "POST", "/_behave")
        if sample.busy_first:
            self.demo.ask_neighbour(*path, json={"mode": "503", "times": sample.busy_first})
        if sample.meanwhile is None:
            yield
            return
        self.demo.ask_neighbour(*path, json={"mode": Mode.FULL.value})
        try:
            yield
        finally:
            self.demo.ask_neighbour(*path, json={"mode": "ok"})

    def _amiss_with_waiting(self, sample: Sample, attempts: int) -> Iterator[str]:
        """Wait until the provider was asked once more; from then on the referral waits."""
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while self._received(sample)["attempts"] <= attempts:
            if time.monotonic() > deadline:
                yield "the provider was not asked in time"
                return
            time.sleep(_LOOK_AGAIN.total_seconds())

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
        there = self.demo.ask_neighbour(seen.sample.service.key, "GET", query)
        has_it = seen.sample.expected.ending in (
            Ending.DELIVERED, Ending.REPEATED, Ending.TAKEN_BACK
        )  # fmt: skip
        if there["total"] != int(has_it):
            yield f"the provider has {there['total']} referrals of this reference"
        elif seen.sample.withholds:
            sent, request = self.sent[seen.sample.name].body, there["entry"][0]["resource"]
            yield from differences_in(read_json(sent), request, partial(self._read, seen.sample))

    def _read(self, sample: Sample, path: str) -> JsonObject:
        """Read a path below the FHIR base of the sample's provider."""
        tree: JsonObject = self.demo.ask_neighbour(sample.service.key, "GET", f"/fhir/{path}")
        return tree


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
    yield from _amiss_on_the_way(seen)


def _amiss_on_the_way(seen: Seen) -> Iterator[str]:
    if seen.sample.withholds and IssueCode.SUPPRESSED.value not in seen.issues:
        yield "the sender was not told that a part stays behind"
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
    issues = [issue for outcome in _outcomes(tree) for issue in objects(outcome, "issue")]
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
        issues=[string(issue, "code") or "" for issue in issues],
        why=texts[0] if texts else "",
        says_on_hold=any(string(each, "status") == "on-hold" for each in _tasks(tree)),
    )


def _outcomes(tree: JsonObject) -> list[JsonObject]:
    """Find the answer's remarks: the answer itself, or what it says of an entry."""
    responses = [child(entry, "response") or {} for entry in objects(tree, "entry")]
    return [tree, *(child(response, "outcome") or {} for response in responses)]


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
