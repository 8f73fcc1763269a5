"""What is handed out is under a checkpoint, on record first, and checked by an outsider alone."""

import hashlib
import json
from pathlib import Path

import pytest

from gateway.errors import NotFoundError
from gateway.journey.hand_out import (
    Proved,
    export_log,
    newest_log,
    prove_entry,
    prove_timeline,
    subject_of,
    verifier_key,
)
from gateway.ledger.verify import verify_export, verify_proof, verify_timeline
from gateway.referral.identifiers import Handle, OdsCode, ReferralId
from gateway.store import details
from tests.builders.evidence import entries, execute, referral, work
from tests.builders.house import House
from tests.builders.messages import PRACTICE, service_request
from tests.builders.signed import SIGNER, sign


@pytest.fixture
def lived(house: House) -> House:
    """A referral came, was decided on, and delivered."""
    house.post("/ServiceRequest", service_request())
    work(house)
    return house


def log_of(house: House) -> str:
    return newest_log(house.gateway, None)


def written(folder: Path, proved: Proved) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{proved.index}.json").write_bytes(proved.body)
    (folder / f"{proved.index}.tlog-proof").write_text(proved.proof, encoding="utf-8")
    if proved.detail is not None:
        (folder / f"{proved.index}.detail").write_bytes(proved.detail)


def exported(house: House, folder: Path) -> list[int]:
    """Write an export. Returns: what its progress was told."""
    folder.mkdir()
    told: list[int] = []
    files = export_log(house.gateway, log_of(house), [SIGNER], lambda done, _: told.append(done))
    for name, content in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return told


def test_an_export_is_intact_for_who_has_only_the_key(lived: House, tmp_path: Path) -> None:
    told = exported(lived, tmp_path / "out")
    report = verify_export(tmp_path / "out", vkey=verifier_key(lived.gateway, log_of(lived)))
    assert (report.ok, report.findings) == (True, ())
    assert told[-1] == report.size
    (said,) = entries(lived, "audit.exported")
    assert (said["extent"], said["size"], said["root"]) == ("log", report.size, report.root)


def test_an_export_of_more_than_a_tile_is_intact(lived: House, tmp_path: Path) -> None:
    for _ in range(90):
        lived.post("/ServiceRequest", service_request())
    exported(lived, tmp_path / "out")
    report = verify_export(tmp_path / "out", vkey=verifier_key(lived.gateway, log_of(lived)))
    assert report.ok
    assert report.size > 256
    assert (tmp_path / "out" / "tile" / "1" / "000.p" / "1").exists()


def test_one_entry_is_proved(lived: House) -> None:
    proved = prove_entry(lived.gateway, log_of(lived), 3, [SIGNER], with_detail=False)
    key = verifier_key(lived.gateway, log_of(lived))
    assert verify_proof(proved.body, proved.proof, vkey=key).ok
    assert proved.detail is None


def test_an_opened_detail_is_what_its_entry_committed_to(lived: House) -> None:
    (decided, _) = entries(lived, "decision.made")
    proved = prove_entry(lived.gateway, log_of(lived), decided["idx"], [SIGNER], with_detail=True)
    assert proved.detail is not None
    assert hashlib.sha256(proved.detail).hexdigest() == decided["detail_commit"]
    assert json.loads(proved.detail[32:])["verdict"]["effect"] == "PERMIT"
    assert entries(lived, "audit.exported")[-1]["opened"] is True


def test_a_detail_that_was_changed_is_not_opened(lived: House) -> None:
    received = entries(lived, "referral.received")[0]
    swap = (
        "UPDATE ledger_detail SET sealed_salt ="
        " (SELECT sealed_salt FROM ledger_detail WHERE idx <> :own LIMIT 1)"
    )
    execute(lived, swap, own=received["idx"])
    with lived.gateway.store.reading() as view, pytest.raises(Exception, match="does not open"):
        details.open_detail(view, log_of(lived), received["idx"])


def test_the_timeline_of_a_person_is_complete_up_to_its_handing_out(
    lived: House, tmp_path: Path
) -> None:
    received = entries(lived, "referral.received")[0]
    own = referral(lived, ReferralId(received["referral"]))
    subject = subject_of(lived.gateway, own.reference)
    lived.post("/ServiceRequest", service_request(), client="gp-two")
    timeline = prove_timeline(lived.gateway, log_of(lived), [SIGNER], subject=subject)
    for each in timeline.entries:
        written(tmp_path / "out", each)
    (tmp_path / "out" / "timeline").write_text(f"{timeline.about}\n", encoding="utf-8")
    report = verify_timeline(tmp_path / "out", vkey=verifier_key(lived.gateway, log_of(lived)))
    assert (report.ok, report.findings) == (True, ())
    on_subject = [e["idx"] for e in entries(lived) if e["subject"] == subject]
    assert [each.index for each in timeline.entries] == on_subject
    assert json.loads(timeline.entries[-1].body)["kind"] == "audit.exported"


def test_a_timeline_without_one_of_its_entries_is_not_complete(
    lived: House, tmp_path: Path
) -> None:
    practice = OdsCode(PRACTICE)
    timeline = prove_timeline(lived.gateway, log_of(lived), [SIGNER], practice=practice)
    for each in timeline.entries[:3] + timeline.entries[4:]:
        written(tmp_path / "out", each)
    (tmp_path / "out" / "timeline").write_text(f"{timeline.about}\n", encoding="utf-8")
    report = verify_timeline(tmp_path / "out", vkey=verifier_key(lived.gateway, log_of(lived)))
    assert not report.ok


def test_nothing_is_handed_out_that_could_not_be_proved(lived: House) -> None:
    log = log_of(lived)
    with pytest.raises(NotFoundError, match="no checkpoint was signed yet"):
        prove_entry(lived.gateway, log, 0, [], with_detail=False)
    with pytest.raises(NotFoundError, match="no checkpoint of this log"):
        verifier_key(lived.gateway, log)
    sign(lived)
    lived.post("/ServiceRequest", service_request())
    late = entries(lived)[-1]["idx"]
    with pytest.raises(NotFoundError, match="under a checkpoint"):
        prove_entry(lived.gateway, log, late, [], with_detail=False)
    with pytest.raises(NotFoundError, match="under a checkpoint"):
        prove_entry(lived.gateway, log, -1, [SIGNER], with_detail=False)
    with pytest.raises(NotFoundError, match="fresh checkpoint"):
        prove_timeline(lived.gateway, log, [], practice=OdsCode(PRACTICE))
    with pytest.raises(NotFoundError, match="nothing stands"):
        prove_timeline(lived.gateway, log, [SIGNER], subject=Handle("f" * 32))
    with pytest.raises(NotFoundError, match="no such log"):
        newest_log(lived.gateway, 1999)


def test_what_cannot_be_recorded_is_not_handed_out(lived: House) -> None:
    sign(lived)
    execute(lived, "ALTER TABLE ledger_head RENAME TO hidden_head")
    with pytest.raises(Exception, match=r"ledger_head|did not (answer|take)"):
        prove_entry(lived.gateway, "gateway.example/ledger/2026", 0, [], with_detail=False)
