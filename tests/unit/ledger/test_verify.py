from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.ledger.kinds import EntryKind
from gateway.ledger.merkle import Frontier, leaf_hash
from gateway.ledger.seal import SealedEntry, read_placed, seal
from gateway.ledger.verify import (
    CLOCK_TOLERANCE,
    KEPT_FINDINGS,
    PROGRESS_EVERY,
    FindingCode,
    Head,
    LedgerRow,
    Report,
    verify_entries,
)
from tests.unit.ledger.lines import ENTRIES, LOG, MORNING, an_entry, vector_lines, written

ROWS, HEAD = written(ENTRIES)
LAST = len(ROWS) - 1


def head_of(frontier: Frontier) -> Head:
    return Head(size=frontier.size, root=frontier.root())


def verified(rows: list[LedgerRow], head: Frontier = HEAD) -> Report:
    return verify_entries(rows, log=LOG, head=head_of(head))


def codes_at(report: Report, index: int | None) -> set[str]:
    return {finding.code.value for finding in report.findings if finding.index == index}


def resealed(row: LedgerRow, **place: object) -> LedgerRow:
    """Seal a row again at another place: what a forger with the program could do."""
    placed = read_placed(row.body)
    given = {
        "log": placed.log,
        "index": placed.index,
        "at": placed.at,
        "prev_subject": placed.prev_subject,
        "prev_practice": placed.prev_practice,
    }
    freely: Callable[..., SealedEntry] = seal
    sealed = freely(placed.entry, **(given | place))
    return LedgerRow(index=row.index, body=sealed.body, leaf_hash=sealed.leaf_hash)


def head_over(rows: list[LedgerRow]) -> Frontier:
    head = Frontier()
    for row in rows:
        head = head.append(leaf_hash(row.body))
    return head


def test_an_honest_log_passes() -> None:
    report = verified(ROWS)
    assert report.ok
    assert report.log == LOG
    assert (report.found, report.findings, report.first) == (0, (), None)
    assert (report.size, report.root) == (len(ENTRIES), HEAD.root().hex())


def test_the_log_of_the_vectors_passes() -> None:
    lines = vector_lines()
    rows = [
        LedgerRow(
            index=line["idx"],
            body=line["body"].encode(),
            leaf_hash=bytes.fromhex(line["leaf_hash"]),
        )
        for line in lines
    ]
    head = Frontier.from_bytes(lines[-1]["size"], bytes.fromhex(lines[-1]["frontier"]))
    assert verified(rows, head).ok


def test_a_log_without_entries_passes() -> None:
    report = verified([], Frontier())
    assert (report.ok, report.size) == (True, 0)


def test_a_report_says_what_it_does_not_prove() -> None:
    said = " ".join(verified(ROWS).not_proved)
    assert "never logged" in said
    assert "true at the time" in said
    assert "replaced entries and head together" in said


@pytest.mark.parametrize("index", [0, 6, LAST])
def test_every_flipped_bit_of_a_body_is_found(index: int) -> None:
    (row,), head = written([ENTRIES[index]])
    for bit in range(len(row.body) * 8):
        body = bytearray(row.body)
        body[bit // 8] ^= 1 << bit % 8
        flipped = replace(row, index=0, body=bytes(body))
        assert "leaf-hash" in codes_at(verified([flipped], head), 0)
        rehashed = replace(flipped, leaf_hash=leaf_hash(flipped.body))
        assert codes_at(verified([rehashed], head), None) == {"root"}


def test_every_flipped_bit_of_a_stored_hash_is_found() -> None:
    rows, head = written(ENTRIES[:3])
    for bit in range(256):
        stored = bytearray(rows[1].leaf_hash)
        stored[bit // 8] ^= 1 << bit % 8
        report = verified([rows[0], replace(rows[1], leaf_hash=bytes(stored)), rows[2]], head)
        assert report.first is not None
        assert (report.first.index, report.first.code) == (1, FindingCode.LEAF_HASH)
        assert report.found == 1


def test_every_flipped_bit_of_the_head_is_found() -> None:
    rows, head = written(ENTRIES[:3])
    for bit in range(len(head.to_bytes()) * 8):
        flipped = bytearray(head.to_bytes())
        flipped[bit // 8] ^= 1 << bit % 8
        report = verified(rows, Frontier.from_bytes(head.size, bytes(flipped)))
        assert codes_at(report, None) == {"root"}
        assert not report.ok


@pytest.mark.parametrize("index", range(LAST))
def test_two_swapped_entries_are_found(index: int) -> None:
    rows = [*ROWS]
    rows[index], rows[index + 1] = rows[index + 1], rows[index]
    report = verified(rows)
    assert not report.ok
    assert report.first is not None
    assert (report.first.index, report.first.code) == (index + 1, FindingCode.INDEX)
    assert codes_at(report, None) == {"root"}


def test_two_swapped_bodies_under_their_old_indexes_are_found() -> None:
    rows = [*ROWS]
    rows[4] = replace(ROWS[5], index=4)
    rows[5] = replace(ROWS[4], index=5)
    report = verified(rows)
    assert "place" in codes_at(report, 4) & codes_at(report, 5)
    assert codes_at(report, None) == {"root"}


@pytest.mark.parametrize("index", range(LAST))
def test_a_deleted_entry_is_found(index: int) -> None:
    report = verified(ROWS[:index] + ROWS[index + 1 :])
    assert report.first is not None
    assert (report.first.index, report.first.code) == (index + 1, FindingCode.INDEX)
    assert codes_at(report, None) == {"size", "root"}


@pytest.mark.parametrize("index", range(len(ROWS)))
def test_an_inserted_entry_is_found(index: int) -> None:
    report = verified([*ROWS[:index], ROWS[index], *ROWS[index:]])
    assert report.first is not None
    assert report.first.code is FindingCode.INDEX
    assert "missing, repeated or out of order" in report.first.text
    assert codes_at(report, None) == {"size", "root"}


@pytest.mark.parametrize("kept", range(len(ROWS)))
def test_a_log_cut_at_its_end_is_found_by_its_head(kept: int) -> None:
    report = verified(ROWS[:kept])
    assert codes_at(report, None) == {"size", "root"}
    assert report.found == 2
    assert report.findings[0].text == f"the head counts {len(ROWS)} entries; {kept} were read"


def test_an_entry_added_without_the_head_is_found() -> None:
    rows, _ = written([*ENTRIES, an_entry(EntryKind.POLICY_CHANGED)])
    assert codes_at(verified(rows), None) == {"size", "root"}


def test_an_entry_removed_together_with_its_head_is_found_by_the_links() -> None:
    policy = an_entry(EntryKind.POLICY_CHANGED)
    received, closed = (an_entry(EntryKind(f"referral.{done}")) for done in ("received", "closed"))
    honest, _ = written([policy, received, policy, closed])
    rows = [replace(resealed(row, index=row.index - 1), index=row.index - 1) for row in honest[1:]]
    report = verified(rows, head_over(rows))
    assert codes_at(report, 2) == {"prev-subject", "prev-practice"}
    assert report.found == 2
    assert report.findings[0].text == (
        "names entry 1 as the one before it on this subject; "
        "among those that can be read, it is entry 0"
    )


def test_a_whole_log_replaced_together_with_its_head_is_not_found() -> None:
    rows, head = written(ENTRIES[:9] + ENTRIES[10:])
    assert verified(rows, head).ok


def test_an_entry_of_another_log_is_found() -> None:
    rows = [resealed(ROWS[0], log="other.example/ledger/2026"), *ROWS[1:]]
    assert codes_at(verified(rows, head_over(rows)), 0) == {"log"}


@pytest.mark.parametrize("link", ["prev_subject", "prev_practice"])
@pytest.mark.parametrize("said", [None, 0])
def test_a_wrong_link_is_found(link: str, said: int | None) -> None:
    rows = [*ROWS[:LAST], resealed(ROWS[LAST], **{link: said})]
    report = verified(rows, head_over(rows))
    names = "no entry" if said is None else "entry 0"
    assert report.first is not None
    assert report.first.index == LAST
    assert report.first.code == link.replace("_", "-")
    assert report.first.text.startswith(f"names {names} as the one before it")


def test_a_link_where_there_should_be_none_is_found() -> None:
    rows = [*ROWS[:5], resealed(ROWS[5], prev_subject=2), *ROWS[6:]]
    report = verified(rows, head_over(rows))
    assert report.first is not None
    assert report.first.text.endswith("there is none")


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"[" * 5000, b"null", b"\x00" * 3000])
def test_a_body_that_cannot_be_read_is_one_finding_and_no_end(body: bytes) -> None:
    rows = [replace(ROWS[0], body=body, leaf_hash=leaf_hash(body)), *ROWS[1:]]
    report = verified(rows)
    assert report.size == len(ROWS)
    assert codes_at(report, 0) == {"body"}
    assert codes_at(report, None) == {"root"}
    assert report.found == 2


def test_a_clock_that_stepped_back_a_little_is_no_matter() -> None:
    rows = [*ROWS[:-1], resealed(ROWS[-1], at=MORNING + (LAST - 1) * timedelta(seconds=1))]
    rows[-1] = resealed(ROWS[-1], at=read_placed(ROWS[-2].body).at - CLOCK_TOLERANCE)
    assert verified(rows, head_over(rows)).found == 0


def test_a_clock_that_stepped_back_further_is_noted_and_no_failure() -> None:
    rows = [*ROWS[:-1], resealed(ROWS[-1], at=MORNING)]
    report = verified(rows, head_over(rows))
    assert report.ok
    assert (report.found, report.first) == (1, None)
    assert report.findings[0].is_note
    assert (
        report.findings[0].text
        == f"the time lies {LAST - 1} seconds before that of an earlier entry"
    )


def many(count: int) -> Iterator[LedgerRow]:
    for index in range(count):
        yield LedgerRow(index=index, body=b"x", leaf_hash=leaf_hash(b"x"))


def test_all_findings_are_counted_and_the_first_thousand_are_kept() -> None:
    report = verify_entries(many(KEPT_FINDINGS + 10), log=LOG, head=head_of(Frontier()))
    assert report.found == KEPT_FINDINGS + 10 + 2
    assert len(report.findings) == KEPT_FINDINGS
    assert report.findings[0].index == 0


def test_a_failure_after_a_thousand_notes_is_still_the_first_failure() -> None:
    entry = an_entry(EntryKind.POLICY_CHANGED)
    rows, _ = written([entry] * (KEPT_FINDINGS + 4), step=timedelta(0))
    rows[0] = resealed(rows[0], at=MORNING + timedelta(minutes=1))
    report = verified(rows, head_over(rows[:-1]))
    assert report.found == KEPT_FINDINGS + 3 + 2
    assert report.first is not None
    assert report.first.code is FindingCode.SIZE
    assert not report.ok


def test_progress_is_told_after_every_thousand_and_at_the_end() -> None:
    told: list[int] = []
    verify_entries(
        many(2 * PROGRESS_EVERY + 5), log=LOG, head=head_of(Frontier()), progress=told.append
    )
    assert told == [PROGRESS_EVERY, 2 * PROGRESS_EVERY, 2 * PROGRESS_EVERY + 5]


def test_an_entry_of_an_unknown_kind_is_found_and_its_links_still_count() -> None:
    later = b"later.kind"
    rows = [
        replace(row, body=row.body.replace(b"referral.received", later)) if row.index == 5 else row
        for row in ROWS
    ]
    assert later in rows[5].body
    rows[5] = replace(rows[5], leaf_hash=leaf_hash(rows[5].body))
    report = verified(rows, head_over(rows))
    assert [(finding.index, finding.code) for finding in report.findings] == [(5, FindingCode.KIND)]
    assert not report.ok


def test_a_log_whose_name_is_no_name_of_a_log_has_no_right_entry() -> None:
    for name in ("gateway.example/ledger", "gateway.example/999-000-0018/2026"):
        report = verify_entries(ROWS, log=name, head=head_of(HEAD))
        assert {finding.code for finding in report.findings} == {FindingCode.LOG}
    rows = [
        replace(row, body=row.body.replace(b"gateway.example", b"999-000-0018.example"))
        for row in ROWS
    ]
    report = verify_entries(rows, log="999-000-0018.example/ledger/2026", head=head_of(HEAD))
    assert FindingCode.IDENTIFIER in {finding.code for finding in report.findings}


def test_a_report_says_what_was_checked() -> None:
    said = f"{len(ROWS)} entries: canonical form, hashes, links"
    assert verified(ROWS).checked == (said,)
    assert verified(ROWS).witnesses == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"prev_subject":null', b'"prev_subject":0'),
        (b'"prev_practice":null', b'"prev_practice":0'),
        (b'"detail_commit":null', b'"detail_commit":"' + b"ab" * 32 + b'"'),
        (b'"t":"2026', b'"t":"2027'),
        (b'"v":2', b'"v":1'),
    ],
)
def test_what_a_body_may_not_say_together_is_found_in_a_log_too(old: bytes, new: bytes) -> None:
    rows = written([an_entry(EntryKind.POLICY_CHANGED)] * 2)[0]
    body = rows[1].body.replace(old, new)
    rows[1] = replace(rows[1], body=body, leaf_hash=leaf_hash(body))
    assert codes_at(verified(rows, head_over(rows)), 1) == {"body"}
