from datetime import UTC, datetime

import pytest

from gateway.ledger.note import (
    COSIGNATURE,
    ED25519,
    MAX_NOTE_BYTES,
    MAX_SIGNATURES,
    Ed25519Signer,
    Note,
    Signature,
    VerifierKey,
    cosignature_message,
    read_base64,
    read_note,
    read_verifier_key,
    signature_line,
    verify,
    verify_cosignature,
    write_base64,
)

TEXT = "gateway.example/ledger/2026\n3\nroot\n"
SIGNER = Ed25519Signer(bytes(range(32)))
KEY = VerifierKey(name="gateway.example/log", algorithm=ED25519, public_key=SIGNER.public_key)
WITNESS_SIGNER = Ed25519Signer(bytes(range(32, 64)))
WITNESS = VerifierKey(
    name="witness.example/w1", algorithm=COSIGNATURE, public_key=WITNESS_SIGNER.public_key
)
TEN = 1_795_341_600  # 2026-11-22 10:00 UTC

# The example in the documentation of golang.org/x/mod/sumdb/note.
OLDEST_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
OLDEST_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqd"
    "ngotpRZb6KE6RyyBwJnAM=\n"
)


def line_by(key: VerifierKey, value: bytes) -> str:
    return signature_line(key.name, key.key_id, value)


def signed(text: str = TEXT) -> str:
    return f"{text}\n{line_by(KEY, SIGNER.sign(text.encode()))}"


def cosignature(seconds: int, text: str = TEXT) -> str:
    value = WITNESS_SIGNER.sign(cosignature_message(text, seconds))
    return line_by(WITNESS, seconds.to_bytes(8, "big") + value)


def test_the_example_of_the_first_implementation_is_read_and_holds() -> None:
    key = read_verifier_key(OLDEST_KEY)
    assert key.name == "PeterNeumann"
    assert key.key_id.hex() == "c74f20a3"
    assert key.text == OLDEST_KEY
    verify(read_note(OLDEST_NOTE), key)


def test_a_note_is_read_in_its_parts() -> None:
    note = read_note(signed())
    value = SIGNER.sign(TEXT.encode())
    signature = Signature(name=KEY.name, key_id=KEY.key_id, value=value)
    assert note == Note(text=TEXT, signatures=(signature,))
    assert note.signatures_by(KEY) == (signature,)
    assert note.signatures_by(WITNESS) == ()


def test_the_text_goes_on_to_the_last_blank_line() -> None:
    for text in ("one\n\ntwo\n", "\n", "one\n\n", "ed è subito sera.\n", "a\x85b\u2028c\n"):
        note = read_note(signed(text))
        assert note.text == text
        verify(note, KEY)


GOOD = signed()
LINE = line_by(KEY, b"value")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "cut off"),
        (GOOD.removesuffix("\n"), "cut off"),
        (TEXT + LINE, "blank line"),
        (f"{TEXT}\n", "no signature line"),
        (f"{GOOD}\n", "no signature line"),
        (GOOD.replace("3", "\t3", 1), "line 2 .* control character"),
        (GOOD.replace("\n", "\r\n"), "line 1 .* control character"),
        (GOOD.replace("root", "\x00"), "line 3 .* control character"),
        (GOOD + "\ud800\n", "surrogate"),
        (GOOD.replace("— ", "- "), "signature line 1 is not an em dash"),
        (GOOD.replace("— ", "—"), "signature line 1 is not an em dash"),
        (GOOD.replace("— ", "—  "), "signature line 1"),
        (GOOD + "gateway.example/ledger/2026\n", "signature line 2 is not an em dash"),
        (f"{TEXT}\n— {KEY.name}\n", "signature line 1 is not an em dash"),
        (f"{TEXT}\n— {KEY.name} \n", "signature line 1 is not an em dash"),
        (f"{TEXT}\n— a+b AAAAAAA=\n", "signature line 1: a key name"),
        (f"{TEXT}\n— a\u00a0b AAAAAAA=\n", "signature line 1: a key name"),
        (f"{TEXT}\n— ab AAAAAAA= \n", "signature line 1: this is not base64"),
        (f"{TEXT}\n— ab AAAAAAA\n", "signature line 1: this is not base64"),
        (f"{TEXT}\n— ab AAAAAAB=\n", "signature line 1: this is not base64"),
        (f"{TEXT}\n— ab AAA_AAA=\n", "signature line 1: this is not base64"),
        (f"{TEXT}\n— ab AAA\u00e9AAA=\n", "signature line 1: this is not base64"),
        (f"{TEXT}\n— ab AAAAAA==\n", "signature line 1 holds no signature"),
        (f"{TEXT}\n{LINE * (MAX_SIGNATURES + 1)}", "more than 64 signatures"),
        ("x" * MAX_NOTE_BYTES + "\n\n" + LINE, "longer than 65,536 bytes"),
    ],
)
def test_what_is_not_in_the_form_of_a_note_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_note(text)


def test_a_note_may_have_64_signatures() -> None:
    assert len(read_note(f"{TEXT}\n{LINE * MAX_SIGNATURES}").signatures) == 64


def test_a_note_may_be_65536_bytes_long() -> None:
    around = len(f"\n\n{LINE}".encode())
    assert read_note("x" * (MAX_NOTE_BYTES - around) + "\n\n" + LINE).signatures


def test_a_refusal_quotes_nothing_of_the_note() -> None:
    with pytest.raises(ValueError, match="line 1") as refused:
        read_note("9990000018\t\n\n" + LINE)
    assert "999" not in str(refused.value)


def test_signatures_of_unknown_keys_are_ignored() -> None:
    shares_the_id = signature_line("another.example", KEY.key_id, bytes(64))
    shares_the_name = signature_line(KEY.name, b"\x00\x00\x00\x00", bytes(64))
    verify(read_note(signed() + shares_the_id + shares_the_name), KEY)


def test_a_note_without_a_signature_by_the_key_is_refused() -> None:
    other = VerifierKey(name="another.example", algorithm=ED25519, public_key=KEY.public_key)
    with pytest.raises(ValueError, match=r"no signature by another\.example"):
        verify(read_note(signed()), other)


@pytest.mark.parametrize("value", [bytes(64), b"x", bytes(63), bytes(65)])
def test_a_wrong_signature_by_a_known_key_refuses_the_whole_note(value: bytes) -> None:
    with pytest.raises(ValueError, match="does not hold"):
        verify(read_note(signed() + line_by(KEY, value)), KEY)


def test_a_changed_text_is_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        verify(read_note(signed().replace("\n3\n", "\n4\n", 1)), KEY)


def test_a_cosignature_says_when() -> None:
    note = read_note(signed() + cosignature(TEN))
    assert verify_cosignature(note, WITNESS) == datetime(2026, 11, 22, 10, tzinfo=UTC)
    verify(note, KEY)


def test_of_several_cosignatures_the_latest_counts_and_all_must_hold() -> None:
    twice = signed() + cosignature(TEN) + cosignature(TEN - 60)
    assert verify_cosignature(read_note(twice), WITNESS).timestamp() == TEN
    damaged = twice + line_by(WITNESS, TEN.to_bytes(8, "big") + bytes(64))
    with pytest.raises(ValueError, match="does not hold"):
        verify_cosignature(read_note(damaged), WITNESS)


def test_a_cosignature_does_not_hold_for_another_time() -> None:
    honest = WITNESS_SIGNER.sign(cosignature_message(TEXT, TEN))
    line = line_by(WITNESS, (TEN + 1).to_bytes(8, "big") + honest)
    with pytest.raises(ValueError, match="does not hold"):
        verify_cosignature(read_note(signed() + line), WITNESS)


@pytest.mark.parametrize(
    ("seconds", "fault"), [(2**63, "out of range"), (2**63 - 1, "9999"), (2**38, "9999")]
)
def test_a_cosignature_of_no_time_is_refused(seconds: int, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        verify_cosignature(read_note(signed() + cosignature(seconds)), WITNESS)


def test_a_cosignature_that_was_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="does not hold"):
        verify_cosignature(read_note(signed() + line_by(WITNESS, b"1234")), WITNESS)


def test_a_note_without_a_cosignature_by_the_witness_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no signature by witness\.example/w1"):
        verify_cosignature(read_note(signed()), WITNESS)


def test_a_log_is_no_witness_and_a_witness_no_log() -> None:
    note = read_note(signed() + cosignature(TEN))
    with pytest.raises(ValueError, match="use verify_cosignature"):
        verify(note, WITNESS)
    with pytest.raises(ValueError, match="use verify"):
        verify_cosignature(note, KEY)


def test_a_key_survives_being_written() -> None:
    for key in (KEY, WITNESS):
        assert read_verifier_key(key.text) == key


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "name\\+id\\+key"),
        ("gateway.example", "name\\+id\\+key"),
        (KEY.text.replace("+", " "), "name\\+id\\+key"),
        (KEY.text.partition("+")[0] + "+" + KEY.key_id.hex() + "+", "name\\+id\\+key"),
        (KEY.text.replace(KEY.key_id.hex(), KEY.key_id.hex()[:7]), "8 lower-case"),
        (OLDEST_KEY.replace("c74f20a3", "C74F20A3"), "8 lower-case"),
        (OLDEST_KEY.replace("c74f20a3", "c74f20a4"), "not that of its name and key"),
        (OLDEST_KEY.replace("PeterNeumann", "PeterNeuman"), "not that of its name and key"),
        (OLDEST_KEY.replace("PeterNeumann", "Peter Neumann"), "key name"),
        (OLDEST_KEY.replace("PeterNeumann", ""), "key name"),
        (f"{OLDEST_KEY}\n", "not base64"),
        (f"{OLDEST_KEY[:-1]}=", "not base64"),
        (f"{OLDEST_KEY[:-4]}", "exactly 32 bytes"),
        (f"PeterNeumann+c74f20a3+{write_base64(bytes([2]) + KEY.public_key)}", "another|type"),
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_verifier_key(text)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b", "a\x01b", "\u00a0"])
def test_a_name_that_a_key_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="key name"):
        signature_line(name, bytes(4), b"value")


@pytest.mark.parametrize(("key_id", "value"), [(bytes(3), b"v"), (bytes(5), b"v"), (bytes(4), b"")])
def test_a_line_that_nobody_could_read_is_not_written(key_id: bytes, value: bytes) -> None:
    with pytest.raises(ValueError, match=r"exactly 4 bytes|not empty"):
        signature_line("gateway.example", key_id, value)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(33), bytes(64)])
def test_a_seed_of_another_length_is_refused(seed: bytes) -> None:
    with pytest.raises(ValueError, match="exactly 32 bytes"):
        Ed25519Signer(seed)


def test_a_signer_signs_like_the_first_test_of_its_standard() -> None:
    # RFC 8032, section 7.1, TEST 1.
    seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
    public_key = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    value = (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
    )
    signer = Ed25519Signer(bytes.fromhex(seed))
    assert signer.public_key.hex() == public_key
    assert signer.sign(b"").hex() == value


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(SIGNER) == str(SIGNER) == f"{SIGNER}" == "Ed25519Signer()"


@pytest.mark.parametrize(
    "text", ["", "A", "AA", "AA=", "AB==", "AA==\n", " AA==", "A-A=", "\u0661"]
)
def test_base64_has_one_spelling(text: str) -> None:
    assert read_base64("AA==") == b"\x00"
    with pytest.raises(ValueError, match="canonical"):
        read_base64(text)
