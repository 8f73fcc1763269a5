"""The verifier's reading of a body is held against the writer's: two programs, one format."""

import json
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import DamagedRecordError
from gateway.ledger.kinds import EntryKind
from gateway.ledger.seal import read_placed
from gateway.ledger.verify import FindingCode, fault_of
from tests.unit.ledger.lines import vector_lines

BODIES = tuple(
    line["body"].encode()
    for file in ("entries.json", "entries_v1.json")
    for line in vector_lines(file)
)
TREES: tuple[dict[str, Any], ...] = tuple(map(json.loads, BODIES))
TIMES = """
    2024-02-29T00:00:00.000000Z 2026-02-29T00:00:00.000000Z 1900-02-29T00:00:00.000000Z
    2000-02-29T23:59:59.999999Z 0000-01-01T00:00:00.000000Z 0001-01-01T00:00:00.000000Z
    2026-04-31T00:00:00.000000Z 2026-13-01T00:00:00.000000Z 2026-01-01T24:00:00.000000Z
    2026-01-01T00:60:00.000000Z 2026-01-01T00:00:60.000000Z 2026-01-01T00:00:00.00000Z
    2026-12-31T00:00:00.000000Z 2026-01-00T00:00:00.000000Z 9999-12-31T23:59:59.999999Z
""".split()
LOGS = """
    gateway.example/ledger/2026 gateway.example/ledger/2025 other/2026 /2026 a//2026 A/2026
    gateway.example/9990000018/2026 999-000-0018.example/2026
""".split()
WORDS = """
    rest bars PERMIT HOLD DENY accept release replay write-back lookup learned revoked entered-in-error prepare busy
    direct new practice secondary_sharing on log read search stopped update-record ahead
    shared-care decision.made nobody.knows x A8 A81001 a81001 1234567890 123456789 A123456789
    AB123456789 999-000-0018 9990000018 a1b2c3d4e5f6a7b8c9d a|b a*b
    00000000-0000-4000-8000-000000000001 00000000-0000-4000-8000-00000000000A
""".split()
ODDITIES: list[Any] = [
    "", "R" * 64, "R" * 65, "ab" * 16, "ab" * 32, "AB" * 32, "a b", "\u00e9", "a\\b",
    "a" * 91 + "/2026", "a" * 92 + "/2026",
    None, True, False, 0, -1, 1, 2, 3, 99, 100, 599, 600, 999_999_999, 10**9, 1.5, 2**70,
    [], ["R1"], ["R1", "R2"], ["R1", "R1"], ["R1"] * 64, ["R1"] * 65, [1], ["a b"], [["R1"]],
    ["ab" * 32, "ab" * 31], ["1234567890", "x"], {}, {"a": 1},
    {"practice": 1, "recipient": None, "subject": 0}, {"practice": 1, "recipient": None},
    {"practice": -1, "recipient": None, "subject": 0},
]  # fmt: skip
VALUES = [*TIMES, *LOGS, *WORDS, *ODDITIES]
Path = tuple[str, ...]


def is_read(body: bytes) -> bool:
    try:
        read_placed(body)
    except DamagedRecordError:
        return False
    return True


def assert_both_agree(body: bytes) -> None:
    fault = fault_of(body)
    assert (fault is None) == is_read(body), (body, fault)


def canonical(whole: Mapping[str, Any]) -> bytes:
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def paths(whole: Mapping[str, Any]) -> Iterator[Path]:
    for key, value in whole.items():
        yield (key,)
        if isinstance(value, dict):
            yield from ((key, *path) for path in paths(value))


def with_value(whole: Mapping[str, Any], path: Path, value: object) -> dict[str, Any]:
    """Copy a body with another value at one place; `...` takes the key away."""
    first, *rest = path
    changed = {**whole}
    if rest:
        changed[first] = with_value(whole[first], tuple(rest), value)
    elif value is ...:
        del changed[first]
    else:
        changed[first] = value
    return changed


def test_every_body_of_the_vectors_is_read() -> None:
    assert [fault_of(body) for body in BODIES] == [None] * len(BODIES)
    assert {whole["kind"] for whole in TREES} == {*EntryKind}


def places() -> Iterator[tuple[dict[str, Any], Path]]:
    """Each key of each kind once; the keys that all kinds share, for each version once."""
    seen = set()
    for whole in TREES:
        for path in paths(whole):
            shared = len(path) == 1 or path[0] == "epochs"
            place = (whole["v"], path if shared else (whole["kind"], *path))
            if place not in seen:
                seen.add(place)
                yield whole, path


def test_both_agree_on_every_value_at_every_key() -> None:
    for number, (whole, path) in enumerate(places()):
        # Every value where all kinds share the key; some of them, others for each, elsewhere.
        step = 1 if len(path) == 1 else 12
        for value in [*VALUES[number % step :: step], None, ...]:
            assert_both_agree(canonical(with_value(whole, path, value)))


DAYS = """
    2027-02-28 2028-02-29 2027-02-29 1900-02-29 2000-02-29 0000-01-01 0001-01-01 9999-12-31
    2027-13-01 2027-04-31 2027-00-10 20270228 2027-W08-7 2027-2-28 27-02-28 2027-02-28T00:00:00Z
    +2027-02-28 10000-01-01
""".split()


def test_both_agree_on_every_day() -> None:
    days = [of_kind("assurance.changed", assured_until=day) for day in DAYS]
    for whole in days:
        assert_both_agree(canonical(whole))
    assert {is_read(canonical(whole)) for whole in days} == {True, False}


def test_both_agree_on_whom_a_withdrawal_concerns() -> None:
    alone = of_kind("withdrawal.acknowledged") | {"prev_practice": None, "prev_subject": None}
    whom = list(product([None, "A81001"], [None, "5eedc0de" * 4], [None, "RX4Y7"]))
    for practice, subject, recipient in whom:
        refs = {**alone["refs"], "recipient": recipient}
        epochs = dict.fromkeys(("practice", "recipient", "subject"))
        body = canonical(
            alone | {"practice": practice, "subject": subject, "refs": refs, "epochs": epochs}
        )
        assert_both_agree(body)
        assert is_read(body) == any((practice, subject, recipient))


def test_both_agree_on_a_key_too_many_anywhere() -> None:
    for whole, path in places():
        assert_both_agree(canonical(with_value(whole, (*path[:-1], "zzz"), 1)))


@given(st.sampled_from(TREES), st.data())
def test_both_agree_on_any_two_values_changed(whole: dict[str, Any], data: st.DataObject) -> None:
    first, second = data.draw(
        st.lists(st.sampled_from(list(paths(whole))), min_size=2, max_size=2, unique=True)
    )
    changed = with_value(whole, first, data.draw(st.sampled_from(VALUES)))
    if second in paths(changed):
        changed = with_value(changed, second, data.draw(st.sampled_from(VALUES)))
    assert_both_agree(canonical(changed))


@given(st.sampled_from(BODIES), st.data())
def test_both_agree_on_any_bytes_changed(body: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    cut = data.draw(st.integers(0, 3))
    put = data.draw(st.binary(max_size=2) | st.sampled_from([b'"', b"{", b"}", b"null", b"0"]))
    assert_both_agree(body[:at] + put + body[at + cut :])


@given(st.sampled_from(BODIES), st.sampled_from(BODIES), st.data())
def test_both_agree_on_parts_of_two_bodies(one: bytes, two: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(one)))
    key = one[one.rfind(b',"', 0, at) :][:8]
    assert_both_agree(one[: one.find(key)] + two[max(two.find(key), 0) :])


def test_both_agree_on_the_length_of_a_body_and_of_its_entry() -> None:
    rejected = next(whole for whole in TREES if whole["kind"] == "referral.rejected")
    for log in ("a/2026", "a" * 91 + "/2026"):
        for version in (1, 2):
            whole = {**rejected, "v": version, "log": log}
            added = {"epochs": None, "detail_commit": None} if version == 2 else {}
            whole = {key: whole[key] for key in whole.keys() - {"epochs", "detail_commit"}} | added
            verdicts = set()
            for length in range(18 * 64, 25 * 64, 3 if log == "a/2026" else 1):
                codes = ["R" * 64] * (length // 64) + ["R" * (length % 64 + 1)]
                body = canonical(with_value(whole, ("detail", "codes"), codes))
                assert_both_agree(body)
                verdicts.add(is_read(body))
            assert verdicts == {True, False}


def of_kind(kind: str, **detail: str) -> dict[str, Any]:
    found = next(whole for whole in TREES if whole["kind"] == kind and whole["v"] == 2)
    return {**found, "detail": found["detail"] | detail}


CLOSED = of_kind("referral.closed")
HOUSE = of_kind("policy.changed")
LONG = with_value(of_kind("referral.rejected"), ("detail", "codes"), ["R" * 60] * 24)


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (b"x" * 2049, "body", "longer than 2,048 bytes"),
        (b'{"a": 1}', "body", "holds a space, a backslash"),
        (canonical(CLOSED).replace(b"actor", b"act\xc3\xb8r"), "body", "outside visible ASCII"),
        (canonical({**CLOSED, "actor": "9990000018"}), "identifier", "NHS number"),
        (canonical({**CLOSED, "log": "a/999-000-0018/2026"}), "identifier", "NHS number"),
        (b"", "body", "not JSON"),
        (b"[" * 2000, "body", "not JSON"),
        (b"[]", "body", "not one JSON object"),
        (canonical(CLOSED).replace(b'"v":2', b'"v":2e0'), "body", "canonical form"),
        (b'{"v":2,"actor":"x"}', "body", "canonical form"),
        (b"{}", "version", "take a later verifier"),
        (canonical({**CLOSED, "v": 3}), "version", "take a later verifier"),
        (canonical({**CLOSED, "v": True}), "version", "take a later verifier"),
        (canonical(with_value(CLOSED, ("actor",), ...)), "body", "the body lacks actor"),
        (canonical({**CLOSED, "zzz": 1}), "body", "the body has a key too many"),
        (canonical({**CLOSED, "refs": None}), "body", "refs is not an object"),
        (canonical({**CLOSED, "kind": None}), "body", "the value of kind"),
        (canonical({**CLOSED, "idx": -1}), "body", "the value of idx"),
        (canonical({**CLOSED, "kind": "nobody.knows"}), "kind", "does not know the kind"),
        (canonical({**CLOSED, "refs": {}}), "body", "refs lacks referral"),
        (canonical({**CLOSED, "detail": {"reason": "a", "b": 1}}), "body", "detail has a key too"),
        (canonical({**CLOSED, "detail": {"reason": "a*b"}}), "body", "value of detail.reason"),
        (canonical({**CLOSED, "practice": None}), "body", "the value of practice"),
        (canonical({**HOUSE, "subject": "ab" * 16}), "body", "the value of subject"),
        (canonical({**CLOSED, "log": "A/2026"}), "body", "the value of log"),
        (canonical({**CLOSED, "log": "a//2026"}), "body", "the value of log"),
        (canonical({**CLOSED, "log": "-/2026"}), "body", "the name of its log"),
        (canonical({**CLOSED, "log": "a/2025"}), "body", "the year of its log"),
        (canonical({**CLOSED, "log": "a" * 92 + "/2026"}), "body", "the name of its log"),
        (canonical({**CLOSED, "prev_subject": CLOSED["idx"]}), "body", "not point backwards"),
        (canonical({**HOUSE, "prev_practice": 0}), "body", "names nobody"),
        (canonical({**HOUSE, "detail_commit": "ab" * 32}), "body", "names no subject"),
        (canonical({**HOUSE, "kind": "nobody.knows", "prev_practice": 0}), "body", "names nobody"),
        (canonical(LONG), "body", "longer than 1,728 bytes"),
        (
            canonical(with_value(of_kind("hold.opened"), ("refs",), dict.fromkeys(
                ("decision", "delivery")) | {"referral": CLOSED["refs"]["referral"]})),
            "body", "do not go together",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_body_is_said(body: bytes, code: str, text: str) -> None:
    fault = fault_of(body)
    assert fault is not None
    assert fault[0] == FindingCode(code)
    assert text in fault[1]


@given(st.sampled_from(TREES), st.data())
def test_no_value_is_ever_quoted(whole: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from([path for path in paths(whole) if path != ("kind",)]))
    fault = fault_of(canonical(with_value(whole, path, "Wrong|Value*")))
    assert fault is not None
    assert "Wrong" not in fault[1]
