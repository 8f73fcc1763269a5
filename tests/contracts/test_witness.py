"""What the walk relies on in a witness, whichever it is; then each fault of the one over HTTP.

Also here: the witness that the tests ask is held against tlog-scales, which is not ours either.
"""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from io import BufferedIOBase
from itertools import pairwise
from pathlib import Path

import pytest
from tlog_scales.signing import Vkey, VkeySet
from tlog_scales.tlog import Checkpoint as ScalesCheckpoint
from tlog_scales.tlog import ConsistencyProof as ScalesConsistency
from tlog_scales.tlog import ConsistencyProofInvalid

from gateway.errors import DestinationUnreachableError, NoReplyError
from gateway.journey.cosign import Reply, Witness
from gateway.ledger.checkpoint import (
    Checkpoint,
    add_checkpoint_request,
    read_cosignatures,
    sign_checkpoint,
)
from gateway.ledger.note import ED25519, Ed25519Signer, VerifierKey, read_verifier_key
from gateway.ledger.proof import consistency_proof, root_at
from gateway.outbound.witness import MAX_REPLY_BYTES, HttpWitness
from tests.builders.witness import Conduct, Notary, grows, honest, http, says, served
from tests.builders.witnesses import near
from tests.processes.certificates import CA_FILE, OTHER_CA_FILE, make_certificates
from tests.processes.installation import DEAD_PROXY, free_port
from tests.unit.ledger.trees import Tree, some_bodies

ORIGIN = "gateway.example/ledger/2026"
SIGNER = Ed25519Signer(b"g" * 32)
KEY = VerifierKey(name=ORIGIN, algorithm=ED25519, public_key=SIGNER.public_key)
TREE = Tree(some_bodies(600))
BRIEF, AMPLE = timedelta(milliseconds=300), timedelta(seconds=20)
LATEST = 3.0
"""Seconds. Well over BRIEF on a busy machine, and well under what a hostile witness takes."""


def note(size: int, *, signer: Ed25519Signer = SIGNER, origin: str = ORIGIN) -> str:
    head = Checkpoint(origin=origin, size=size, root=root_at(size, TREE.read))
    return sign_checkpoint(head, [signer])


def request(old: int, size: int) -> bytes:
    return add_checkpoint_request(old, consistency_proof(old, size, TREE.read), note(size))


@pytest.fixture
def notary(tmp_path: Path) -> Notary:
    return Notary(tmp_path / "state.json", logs={ORIGIN: [KEY.text]})


@pytest.fixture(params=["over-http", "near"])
def witness(request: pytest.FixtureRequest, notary: Notary) -> Iterator[Witness]:
    if request.param == "near":
        yield near(notary)
        return
    with served(honest(notary)) as at:
        yield far(at.url, notary)


def far(
    url: str, notary: Notary, *, ca_file: Path | None = None, timeout: timedelta = AMPLE
) -> HttpWitness:
    key = read_verifier_key(notary.vkey)
    return HttpWitness(url, key, ca_file=ca_file, timeout=timeout)


def lines_in(reply: Reply, size: int, witness: Witness) -> list[str]:
    text = note(size).partition("\n\n")[0] + "\n"
    return read_cosignatures(reply.body.decode(), text, witness.key)


def test_a_log_that_grows_is_cosigned_at_every_size(witness: Witness) -> None:
    sizes = [0, 1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 600]
    for old, size in pairwise(sizes):
        reply = witness.add_checkpoint(request(old, size))
        assert reply.status == 200
        assert len(lines_in(reply, size, witness)) == 1


def test_the_same_checkpoint_is_cosigned_again(witness: Witness) -> None:
    witness.add_checkpoint(request(0, 300))
    assert witness.add_checkpoint(request(300, 300)).status == 200


def test_a_size_that_it_does_not_know_is_answered_with_the_one_that_it_does(
    witness: Witness,
) -> None:
    assert witness.add_checkpoint(request(100, 300)) == Reply(status=409, body=b"0\n")
    witness.add_checkpoint(request(0, 300))
    assert witness.add_checkpoint(request(100, 400)) == Reply(status=409, body=b"300\n")


def other(size: int) -> bytes:
    """A checkpoint of this size over other entries, signed by the log."""
    tree = Tree([b"other %d" % number for number in range(size)])
    head = Checkpoint(origin=ORIGIN, size=size, root=root_at(size, tree.read))
    return sign_checkpoint(head, [SIGNER]).encode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"old 300\n\n" + other(300), 409),
        (request(300, 400).replace(b"old 300", b"old 500"), 400),
        (request(300, 400).replace(b"old 300", b"old 0300"), 400),
        (b"\xff" + request(300, 400), 400),
        (b"", 400),
        (b"old 300\n\n" + note(400).encode(), 422),
        (b"old 300\n" + b"A" * 43 + b"=\n\n" + note(400).encode(), 422),
        (request(300, 400).partition(b"\n\n")[0] + b"\n\n" + other(400), 422),
        (b"old 300\n\n" + note(400, signer=Ed25519Signer(b"e" * 32)).encode(), 403),
        (b"old 300\n\n" + note(400, origin="gateway.example/ledger/1999").encode(), 404),
    ],
    ids=["other-root", "old-too-large", "leading-zero", "not-utf8", "empty", "no-proof",
         "false-proof", "other-history", "other-key", "other-log"],
)  # fmt: skip
def test_what_does_not_continue_is_not_cosigned(
    witness: Witness, notary: Notary, sent: bytes, status: int
) -> None:
    witness.add_checkpoint(request(0, 300))
    before = notary.seen
    assert witness.add_checkpoint(sent).status == status
    assert notary.seen == before


def test_a_witness_that_was_started_again_knows_what_it_cosigned(notary: Notary) -> None:
    near(notary).add_checkpoint(request(0, 300))
    again = near(Notary(notary.state, logs=notary.logs))
    assert again.add_checkpoint(request(0, 400)) == Reply(status=409, body=b"300\n")
    assert again.add_checkpoint(request(300, 400)).status == 200


# The witness of these tests, against tlog-scales.


def test_tlog_scales_finds_the_cosignature_good(notary: Notary) -> None:
    reply = near(notary).add_checkpoint(request(0, 300))
    theirs = ScalesCheckpoint.from_text(note(300) + reply.body.decode())
    keys = VkeySet(Vkey.from_string(notary.vkey), Vkey.from_string(KEY.text))
    assert {key.name for key, _ in keys.verify(theirs.signatures, theirs)} == {ORIGIN, notary.name}


@pytest.mark.parametrize("size", [*range(1, 34), 255, 256, 257, 300])
def test_tlog_scales_says_of_each_proof_what_the_witness_says(size: int) -> None:
    new = root_at(size, TREE.read)
    for old in {1, size // 3, size // 2, size - 1, size} - {0}:
        root = root_at(old, TREE.read)
        proof = list(consistency_proof(old, size, TREE.read))
        spoilt = [proof[:-1], [*proof, new], proof[::-1], [new, *proof[1:]]]
        for each in [proof, *spoilt]:
            assert grows(old, root, size, new, each) == scales(old, root, size, new, each)
        assert grows(old, root, size, new, proof)
        assert not grows(old, bytes(32), size, new, proof)
        assert not grows(old, root, size, bytes(32), proof)


def scales(old: int, root: bytes, size: int, new: bytes, proof: list[bytes]) -> bool:
    try:
        ScalesConsistency(old, size, proof).check(root, new)
    except ConsistencyProofInvalid:
        return False
    return True


# Over HTTP: what a hostile or broken witness may do.


def drips(*pieces: bytes, then: bytes) -> Conduct:
    """Say some bytes, and then a little for ever, faster than any timeout for one read."""

    def conduct(request: bytes, line: BufferedIOBase) -> None:
        line.writelines(pieces)
        until = time.monotonic() + 4 * LATEST
        while time.monotonic() < until:
            line.write(then)
            line.flush()
            time.sleep(0.02)

    return conduct


def hangs_up(after: bytes) -> Conduct:
    """Say some bytes, and hang up."""

    def conduct(request: bytes, line: BufferedIOBase) -> None:
        line.write(after)
        raise ConnectionResetError

    return conduct


def pours(head: bytes, then: bytes) -> Conduct:
    """Say some bytes, and then more and more."""

    def conduct(request: bytes, line: BufferedIOBase) -> None:
        line.write(head)
        while True:
            line.write(then)

    return conduct


OK = b"HTTP/1.1 200 it\r\n"
LOST = {
    "hangs-up": hangs_up(b""),
    "says-nothing": drips(then=b""),
    "no-http": says(b"SSH-2.0-it\r\n\r\n"),
    "cut-off": hangs_up(OK + b"Content-Length: 90\r\n\r\nhalf"),
    "cut-off-chunk": hangs_up(OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhalf"),
    "no-chunk": says(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "drips-status": drips(then=b"H"),
    "drips-headers": drips(OK, then=b"X: y\r\n"),
    "drips-body": drips(OK, b"Content-Length: 9000\r\n\r\n", then=b"."),
    "drips-chunks": drips(OK, b"Transfer-Encoding: chunked\r\n\r\n", then=b"1\r\n.\r\n"),
    "continues-for-ever": drips(then=b"HTTP/1.1 100 Continue\r\n\r\n"),
    "pours-headers": pours(OK, b"X: y\r\n" * 99),
    "pours-one-header": pours(OK + b"X: ", b"y" * 65536),
    "pours-body": pours(OK + b"Content-Length: 99999999999\r\n\r\n", b"." * 65536),
    "pours-without-length": pours(OK + b"\r\n", b"." * 65536),
    "pours-chunks": pours(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"4\r\n....\r\n"),
    "too-long": says(http(200, b"." * (MAX_REPLY_BYTES + 1))),
}


@pytest.mark.parametrize("certificate", [None, "good.pem"], ids=["plain", "tls"])
@pytest.mark.parametrize("defect", LOST)
def test_no_witness_takes_longer_or_says_more_than_it_may(
    notary: Notary, certificates: Path, defect: str, certificate: str | None
) -> None:
    own = certificates / certificate if certificate else None
    with served(LOST[defect], certificate=own) as at:
        witness = far(at.url, notary, ca_file=certificates / CA_FILE, timeout=BRIEF)
        began = time.monotonic()
        with pytest.raises(NoReplyError) as caught:
            witness.add_checkpoint(request(0, 300))
        assert time.monotonic() - began < LATEST
    assert "." * 8 not in str(caught.value)


def test_the_longest_answer_that_is_taken_is_taken(notary: Notary) -> None:
    body = b"." * MAX_REPLY_BYTES
    with served(says(http(200, body))) as at:
        assert far(at.url, notary).add_checkpoint(request(0, 1)) == Reply(status=200, body=body)


def test_a_redirect_is_an_answer_and_is_not_followed(notary: Notary) -> None:
    with served(honest(notary)) as elsewhere:
        moved = http(307, Location=f"{elsewhere.url}/add-checkpoint")
        with served(says(moved)) as at:
            assert far(at.url, notary).add_checkpoint(request(0, 1)).status == 307
        assert elsewhere.paths == []


def test_a_packed_answer_is_not_unpacked(notary: Notary) -> None:
    with served(says(http(200, b"\x1f\x8b", Content_Encoding="gzip"))) as at:
        assert far(at.url, notary).add_checkpoint(request(0, 1)).body == b"\x1f\x8b"


@pytest.mark.parametrize("path", ["", "/", "/w1", "/w1/"])
def test_the_path_is_added_to_the_submission_prefix(notary: Notary, path: str) -> None:
    with served(honest(notary)) as at:
        far(at.url + path, notary).add_checkpoint(request(0, 1))
        assert at.paths == [path.rstrip("/") + "/add-checkpoint"]


def test_a_witness_that_was_away_is_asked_again_and_answers(notary: Notary) -> None:
    conducts: list[Conduct] = [LOST["too-long"], hangs_up(b""), honest(notary), honest(notary)]

    def conduct(sent: bytes, line: BufferedIOBase) -> None:
        conducts.pop(0)(sent, line)

    with served(conduct) as at:
        witness = far(at.url, notary)
        for _ in range(2):
            with pytest.raises(NoReplyError):
                witness.add_checkpoint(request(0, 1))
        assert witness.add_checkpoint(request(0, 1)).status == 200
        assert witness.add_checkpoint(request(1, 300)).status == 200


def test_where_nobody_listens_there_is_no_connection(notary: Notary) -> None:
    with pytest.raises(DestinationUnreachableError):
        far(f"http://127.0.0.1:{free_port()}", notary).add_checkpoint(request(0, 1))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


def test_a_witness_under_tls_is_known_by_its_ca(notary: Notary, certificates: Path) -> None:
    with served(honest(notary), certificate=certificates / "good.pem") as at:
        witness = far(at.url, notary, ca_file=certificates / CA_FILE)
        assert witness.add_checkpoint(request(0, 300)).status == 200
        assert witness.add_checkpoint(request(300, 600)).status == 200


@pytest.mark.parametrize(
    ("certificate", "ca_file"),
    [
        ("good", None), ("good", OTHER_CA_FILE), ("good", "no-such.pem"), ("expired", CA_FILE),
        ("wrong-name", CA_FILE), ("other-ca", CA_FILE),
    ],
)  # fmt: skip
def test_a_witness_that_does_not_prove_who_it_is_hears_nothing(
    notary: Notary, certificates: Path, certificate: str, ca_file: str | None
) -> None:
    with served(honest(notary), certificate=certificates / f"{certificate}.pem") as at:
        witness = far(at.url, notary, ca_file=certificates / ca_file if ca_file else None)
        with pytest.raises(DestinationUnreachableError):
            witness.add_checkpoint(request(0, 300))
    assert notary.requests == []


def test_a_witness_that_never_shakes_hands_is_given_up(notary: Notary, certificates: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://localhost:{silent.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(DestinationUnreachableError):
            far(url, notary, ca_file=certificates / CA_FILE, timeout=BRIEF).add_checkpoint(
                request(0, 1)
            )
        assert time.monotonic() - began < LATEST


def test_a_witness_that_does_not_read_is_given_up(notary: Notary) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(NoReplyError):
            far(url, notary, timeout=BRIEF).add_checkpoint(b"." * 32_000_000)
        assert time.monotonic() - began < LATEST


@pytest.mark.parametrize("certificate", [None, "good.pem"], ids=["plain", "tls"])
def test_the_environment_names_no_proxy_and_no_authority(
    notary: Notary,
    certificates: Path,
    monkeypatch: pytest.MonkeyPatch,
    certificate: str | None,
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, DEAD_PROXY)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / OTHER_CA_FILE))
    own = certificates / certificate if certificate else None
    with served(honest(notary), certificate=own) as at:
        witness = far(at.url, notary, ca_file=certificates / CA_FILE)
        assert witness.add_checkpoint(request(0, 1)).status == 200
