import hashlib
import json
from typing import Any, Final

import pytest

from gateway.ledger.checkpoint import (
    MAX_PROOF_LINES,
    MAX_SIZE,
    Checkpoint,
    add_checkpoint_request,
    read_checkpoint,
    read_cosignatures,
    sign_checkpoint,
)
from gateway.ledger.note import (
    COSIGNATURE,
    ED25519,
    Ed25519Signer,
    VerifierKey,
    cosignature_message,
    read_note,
    read_verifier_key,
    signature_line,
    verify,
    verify_cosignature,
)
from tests.unit.ledger.lines import VECTORS

VECTOR: Final[dict[str, Any]] = json.loads((VECTORS / "proofs.json").read_text(encoding="utf-8"))
SIGNER = Ed25519Signer(bytes.fromhex(VECTOR["seed"]))
WITNESS = read_verifier_key(VECTOR["witness_vkey"])
WITNESS_SIGNER = Ed25519Signer(bytes.fromhex(VECTOR["witness_seed"]))
ROOT = bytes.fromhex(VECTOR["root"])
ORIGIN: Final[str] = VECTOR["origin"]
CHECKPOINT = Checkpoint(origin=ORIGIN, size=300, root=ROOT)
NOTE: Final[str] = VECTOR["checkpoint"]
COSIGNED: Final[str] = VECTOR["cosignature"]


class BrokenSigner:
    """A signer whose hardware returns something else."""

    public_key = SIGNER.public_key

    def __init__(self, value: bytes) -> None:
        self.value = value

    def sign(self, message: bytes) -> bytes:
        return self.value


def with_text(text: str) -> str:
    return NOTE.replace(CHECKPOINT.text, text)


def test_a_signed_checkpoint_is_that_of_the_vector() -> None:
    assert sign_checkpoint(CHECKPOINT, [SIGNER]) == NOTE
    key = VerifierKey(name=ORIGIN, algorithm=ED25519, public_key=SIGNER.public_key)
    assert key.text == VECTOR["vkey"]
    verify(read_note(NOTE), read_verifier_key(VECTOR["vkey"]))


def test_a_signed_checkpoint_is_read_again() -> None:
    assert read_checkpoint(NOTE) == CHECKPOINT
    assert read_checkpoint(NOTE + COSIGNED) == CHECKPOINT
    assert read_note(NOTE).text == CHECKPOINT.text


def test_the_empty_log_has_a_checkpoint() -> None:
    empty = Checkpoint(origin=ORIGIN, size=0, root=hashlib.sha256().digest())
    assert read_checkpoint(sign_checkpoint(empty, [SIGNER])) == empty


def test_an_origin_may_hold_what_a_key_name_may_not() -> None:
    text = "go.sum database tree\n300\n" + CHECKPOINT.text.split("\n")[2] + "\n"
    assert read_checkpoint(with_text(text)).origin == "go.sum database tree"
    with pytest.raises(ValueError, match="key name"):
        sign_checkpoint(read_checkpoint(with_text(text)), [SIGNER])


@pytest.mark.parametrize(
    ("origin", "size", "root", "fault"),
    [
        ("", 1, ROOT, "origin"),
        ("a\nb", 1, ROOT, "origin"),
        ("a\tb", 1, ROOT, "origin"),
        (ORIGIN, -1, ROOT, "from 0 to"),
        (ORIGIN, MAX_SIZE + 1, ROOT, "from 0 to"),
        (ORIGIN, 1, ROOT[:-1], "32 bytes"),
        (ORIGIN, 1, ROOT + b"x", "32 bytes"),
        (ORIGIN, 0, ROOT, "SHA-256 of nothing"),
    ],
)
def test_a_head_that_no_log_has_is_refused(origin: str, size: int, root: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Checkpoint(origin=origin, size=size, root=root)


FIRST, SECOND, THIRD, _ = CHECKPOINT.text.split("\n")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("\n", "three lines"),
        (f"{FIRST}\n{SECOND}\n", "three lines"),
        (f"{CHECKPOINT.text}extension\n", "extension lines"),
        (f"{CHECKPOINT.text}\n", "extension lines"),
        (f"\n{SECOND}\n{THIRD}\n", "origin"),
        (f"{FIRST}\n0300\n{THIRD}\n", "line 2 .* leading zeroes"),
        (f"{FIRST}\n00\n{THIRD}\n", "line 2"),
        (f"{FIRST}\n+300\n{THIRD}\n", "line 2"),
        (f"{FIRST}\n-1\n{THIRD}\n", "line 2"),
        (f"{FIRST}\n3_0\n{THIRD}\n", "line 2"),
        (f"{FIRST}\n 300\n{THIRD}\n", "line 2"),
        (f"{FIRST}\n\u0663\n{THIRD}\n", "line 2"),
        (f"{FIRST}\n\n{THIRD}\n", "line 2"),
        (f"{FIRST}\n{'9' * 5000}\n{THIRD}\n", "line 2"),
        (f"{FIRST}\n{MAX_SIZE + 1}\n{THIRD}\n", "from 0 to"),
        (f"{FIRST}\n{SECOND}\n{THIRD[:-1]}\n", "line 3 .* base64"),
        (f"{FIRST}\n{SECOND}\n{THIRD[:-2]}h=\n", "line 3 .* base64"),
        (f"{FIRST}\n{SECOND}\n{THIRD[:-4]}\n", "32 bytes"),
        (f"{FIRST}\n0\n{THIRD}\n", "SHA-256 of nothing"),
    ],
)
def test_what_is_not_in_the_form_of_a_checkpoint_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_checkpoint(with_text(text))


def test_the_largest_size_is_read() -> None:
    assert read_checkpoint(with_text(f"{FIRST}\n{MAX_SIZE}\n{THIRD}\n")).size == MAX_SIZE


def test_what_is_no_note_is_no_checkpoint() -> None:
    with pytest.raises(ValueError, match="blank line"):
        read_checkpoint(CHECKPOINT.text)


def test_two_keys_may_sign_while_one_follows_the_other() -> None:
    second = Ed25519Signer(bytes(32))
    signed = sign_checkpoint(CHECKPOINT, [SIGNER, second])
    assert signed.startswith(NOTE)
    for signer in (SIGNER, second):
        key = VerifierKey(name=ORIGIN, algorithm=ED25519, public_key=signer.public_key)
        verify(read_note(signed), key)


def test_nobody_signs_no_checkpoint() -> None:
    with pytest.raises(ValueError, match="give a signing key"):
        sign_checkpoint(CHECKPOINT, [])


@pytest.mark.parametrize(
    ("value", "fault"),
    [(SIGNER.sign(b"another text"), "does not hold"), (bytes(3), "hold"), (b"", "not empty")],
)
def test_a_signature_that_does_not_verify_is_never_handed_out(value: bytes, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        sign_checkpoint(CHECKPOINT, [SIGNER, BrokenSigner(value)])


# Witnesses.


def test_a_request_to_a_witness_is_that_of_the_vector() -> None:
    proof = [bytes.fromhex(text) for text in VECTOR["consistency"]]
    request = add_checkpoint_request(VECTOR["old_size"], proof, NOTE)
    assert request == VECTOR["request"].encode()


def test_the_first_and_a_repeated_request_carry_no_proof() -> None:
    assert add_checkpoint_request(0, (), NOTE) == f"old 0\n\n{NOTE}".encode()
    assert add_checkpoint_request(300, (), NOTE) == f"old 300\n\n{NOTE}".encode()


@pytest.mark.parametrize(
    ("old_size", "proof", "fault"),
    [
        (-1, [], "larger log"),
        (301, [], "larger log"),
        (200, [], "a proof is due"),
        (0, [ROOT], "a proof is due"),
        (300, [ROOT], "a proof is due"),
        (200, [ROOT[:-1]], "32 bytes"),
        (200, [ROOT] * (MAX_PROOF_LINES + 1), "at most 63"),
    ],
)
def test_a_request_that_a_witness_would_refuse_is_not_written(
    old_size: int, proof: list[bytes], fault: str
) -> None:
    with pytest.raises(ValueError, match=fault):
        add_checkpoint_request(old_size, proof, NOTE)


def test_a_cosignature_is_added_to_the_note() -> None:
    lines = read_cosignatures(COSIGNED, CHECKPOINT.text, WITNESS)
    assert lines == [COSIGNED]
    note = read_note(NOTE + "".join(lines))
    verify(note, read_verifier_key(VECTOR["vkey"]))
    assert verify_cosignature(note, WITNESS).timestamp() == VECTOR["witnessed_at"]


def test_of_an_answer_only_the_lines_of_the_witness_are_kept() -> None:
    stranger = signature_line("stranger.example", bytes(4), bytes(72))
    answer = stranger + COSIGNED + stranger
    assert read_cosignatures(answer, CHECKPOINT.text, WITNESS) == [COSIGNED]
    assert read_cosignatures(stranger, CHECKPOINT.text, WITNESS) == []


def test_a_witness_may_sign_twice() -> None:
    later = VECTOR["witnessed_at"] + 1
    value = WITNESS_SIGNER.sign(cosignature_message(CHECKPOINT.text, later))
    line = signature_line(WITNESS.name, WITNESS.key_id, later.to_bytes(8, "big") + value)
    answer = COSIGNED + line
    assert read_cosignatures(answer, CHECKPOINT.text, WITNESS) == [COSIGNED, line]


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    grown = Checkpoint(origin=ORIGIN, size=301, root=ROOT)
    with pytest.raises(ValueError, match="does not hold"):
        read_cosignatures(COSIGNED, grown.text, WITNESS)


def test_one_bad_line_by_the_witness_refuses_its_answer() -> None:
    bad = signature_line(WITNESS.name, WITNESS.key_id, bytes(72))
    with pytest.raises(ValueError, match="does not hold"):
        read_cosignatures(COSIGNED + bad, CHECKPOINT.text, WITNESS)


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("", "no signature line"),
        ("busy\n", "signature line 1"),
        (COSIGNED.removesuffix("\n"), "cut off"),
        (f"more text\n\n{COSIGNED}", "more than signature lines"),
        (f"\n{COSIGNED}", "more than signature lines"),
    ],
)
def test_an_answer_that_is_not_signature_lines_is_refused(answer: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_cosignatures(answer, CHECKPOINT.text, WITNESS)


def test_the_key_of_a_log_is_no_witness() -> None:
    log = VerifierKey(name=ORIGIN, algorithm=ED25519, public_key=SIGNER.public_key)
    assert WITNESS.algorithm == COSIGNATURE
    with pytest.raises(ValueError, match="no key of a witness"):
        read_cosignatures(COSIGNED, CHECKPOINT.text, log)
