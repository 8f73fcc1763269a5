"""The self-test of providers: a good endpoint passes, and each bad one fails exactly its case."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli.certify.case import Verdict
from gateway.cli.certify.run import (
    Result,
    Target,
    certify,
    chosen,
    exit_status,
    longest,
    open_trial,
)
from gateway.cli.certify.table import BY_NAME, CASES
from gateway.cli.certify.trial import Patience
from gateway.cli.main import main
from gateway.fhir.json_text import MAX_BYTES, read_json
from gateway.fhir.validate import validate
from gateway.referral.directory import Format
from gateway.referral.identifiers import NhsNumber
from tests.processes.certified_receiver import (
    BARS,
    DEFECTS,
    GOOD,
    CertifiedReceiver,
    running_certified_receiver,
)
from tests.processes.children import run_command
from tests.processes.installation import free_port

# Several are tried at once; that the tests' filter of warnings is one for all threads is theirs.
pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion")

SHORT = Patience(
    connect=timedelta(seconds=1),
    reply=timedelta(seconds=4),
    answer=timedelta(seconds=2),
    usual=timedelta(seconds=1.9),
    pause=timedelta(seconds=0.6),
    drip=timedelta(seconds=0.1),
    found=timedelta(seconds=0.3),
)
LARGE = 300_000
BAD_CERTIFICATES = ("wrong-name", "expired")
NAMES = (*(kind.name for kind in (*GOOD, *BARS, *DEFECTS)), *BAD_CERTIFICATES, "silent")
Found = Mapping[str, Result]


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CertifiedReceiver]:
    with running_certified_receiver(tmp_path_factory.mktemp("certified")) as running:
        yield running


@pytest.fixture(scope="module")
def found(receiver: CertifiedReceiver) -> Mapping[str, Found]:
    """What the self-test finds of each receiver; they are tried several at once."""

    def tried(name: str) -> Found:
        target = Target(
            url=receiver.address(name),
            ca_file=receiver.ca_file,
            format=Format.BARS_MESSAGE if name.startswith("bars") else Format.FHIR_TRANSACTION,
        )
        trial = open_trial(target, SHORT, largest=LARGE)
        return {result.case.name: result for result in certify(trial, CASES)}

    with ThreadPoolExecutor(14) as pool:
        return dict(zip(NAMES, pool.map(tried, NAMES), strict=True))


def verdicts(results: Found, *verdicts: Verdict) -> set[str]:
    return {name for name, result in results.items() if result.finding.verdict in verdicts}


def test_a_good_endpoint_passes_every_case(found: Mapping[str, Found]) -> None:
    results = found["good"]
    # The certificates of these tests last a day, of which a provider is warned.
    assert verdicts(results, Verdict.WARN) == {"certificate"}
    assert verdicts(results, Verdict.PASS) == BY_NAME.keys() - {"certificate"}
    assert exit_status([*results.values()]) == 0


@pytest.mark.parametrize("name", [*(kind.name for kind in DEFECTS)])
def test_an_endpoint_with_one_defect_fails_exactly_that_case(
    name: str, found: Mapping[str, Found]
) -> None:
    assert verdicts(found[name], Verdict.FAIL) == {name}
    assert exit_status([*found[name].values()]) == 1


def test_every_case_has_an_endpoint_that_fails_it() -> None:
    assert {kind.name for kind in DEFECTS} | {"certificate"} == BY_NAME.keys()


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_nothing_is_sent_to_an_endpoint_whose_certificate_does_not_prove_it(
    name: str, found: Mapping[str, Found], receiver: CertifiedReceiver
) -> None:
    assert verdicts(found[name], Verdict.FAIL) == {"certificate"}
    assert verdicts(found[name], Verdict.NOT_SHOWN) == BY_NAME.keys() - {"certificate"}
    assert receiver.kept(name) == []


def test_without_a_search_what_cannot_be_seen_is_not_shown(found: Mapping[str, Found]) -> None:
    results = found["without-search"]
    assert verdicts(results, Verdict.FAIL) == set()
    hidden = {"timeout-after-commit", "client-reset"}
    assert verdicts(results, Verdict.NOT_SHOWN) == hidden
    assert exit_status([*results.values()]) == 0


def test_a_repeat_that_is_answered_409_duplicate_is_as_good(found: Mapping[str, Found]) -> None:
    results = found["says-duplicate"]
    assert verdicts(results, Verdict.FAIL, Verdict.NOT_SHOWN) == set()
    assert "409" in results["duplicate"].finding.seen


def test_who_knows_only_conditional_creation_is_warned_of_the_other_parts(
    found: Mapping[str, Found],
) -> None:
    results = found["without-keys"]
    assert verdicts(results, Verdict.FAIL) == set()
    assert results["duplicate"].finding.verdict is Verdict.WARN


def test_the_wish_to_be_asked_again_later_is_heeded(found: Mapping[str, Found]) -> None:
    results = found["busy-at-first"]
    assert verdicts(results, Verdict.FAIL) == set()
    assert verdicts(results, Verdict.NOT_SHOWN) == {"slow-sender"}


def test_the_readme_says_how_long_it_may_take() -> None:
    minutes = f"{longest(CASES) / 60:.0f} minutes in all"
    assert minutes in (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_a_good_bars_endpoint_fails_nothing(found: Mapping[str, Found]) -> None:
    results = found["bars"]
    assert verdicts(results, Verdict.FAIL) == set()
    # BaRS has no search; 409 says of a repeat that it was one.
    assert verdicts(results, Verdict.NOT_SHOWN) <= {"client-reset", "timeout-after-commit"}
    assert results["duplicate"].finding.verdict is Verdict.PASS


def test_a_bars_endpoint_may_refuse_the_recall_of_what_it_never_had(
    found: Mapping[str, Found],
) -> None:
    results = found["bars-knows-its-own"]
    assert verdicts(results, Verdict.FAIL) == set()
    assert results["revoke-unknown"].finding.verdict is Verdict.WARN


def test_a_bars_endpoint_must_bring_the_message_back(found: Mapping[str, Found]) -> None:
    assert verdicts(found["bars-lies"], Verdict.FAIL) == {"says-what-it-did"}


def test_who_never_shakes_hands_shows_nothing_in_a_bounded_time(
    found: Mapping[str, Found],
) -> None:
    results = found["silent"]
    assert verdicts(results, Verdict.NOT_SHOWN) == BY_NAME.keys()
    assert exit_status([*results.values()]) == 2
    assert sum(result.seconds for result in results.values()) < 3


def test_all_that_is_sent_is_marked_as_test_data_of_nobody(
    found: Mapping[str, Found], receiver: CertifiedReceiver
) -> None:
    assert found
    trees = receiver.kept("good")
    assert len(trees) > 30
    for tree in trees:
        assert validate(read_json(json.dumps(tree).encode())) == []
        tasks = [e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == "Task"]
        others = [e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] != "Task"]
        assert len(tasks) == 1
        for resource in others:
            assert "HTEST" in [each["code"] for each in resource["meta"]["security"]]
        text = json.dumps(tree)
        if others:
            assert '"9990000018"' in text
            assert "XXTESTPATIENT" in text
    assert NhsNumber("9990000018").checks


def test_the_large_message_is_as_large_as_one_may_be() -> None:
    parcel = open_trial(Target(url="https://oh.example/fhir")).messages.large()
    assert 5_000_000 < len(parcel.body) <= MAX_BYTES


def test_a_case_brings_those_that_it_needs() -> None:
    names = [case.name for case in chosen(["revoke-again"])]
    assert names == ["certificate", "accepts", "revoke", "revoke-again"]
    places = [case.name for case in CASES]
    for case in CASES:
        assert case.needs is None or places.index(case.needs) < places.index(case.name)


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, ["certify", *arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_needs_no_settings_and_prints_a_table(receiver: CertifiedReceiver) -> None:
    url = receiver.address("good")
    bare = {"PATH": os.environ["PATH"], "COLUMNS": "120"}
    done = run_command(
        "certify", url, "--ca-file", str(receiver.ca_file), "--only", "large", environment=bare
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "3 cases: 2 pass, 1 warn")
    assert "5.2 MB: 200" in done.stdout
    assert "at most" in done.stderr


def test_the_command_says_how_to_mend_what_failed(receiver: CertifiedReceiver) -> None:
    address, trust = receiver.address("revoke"), str(receiver.ca_file)
    status, out, err = run(address, "--ca-file", trust, "--only", "revoke-again", "--json")
    assert status == 1
    told = {each["case"]: each for each in json.loads(out)}
    assert told["revoke"]["verdict"] == "fail"
    assert told["revoke-again"]["verdict"] == "not shown"
    assert told["revoke"]["mend"] == BY_NAME["revoke"].mend
    status, out, err = run(address, "--ca-file", trust, "--only", "revoke")
    assert status == 1
    assert f"mend: {BY_NAME['revoke'].mend}" in out
    assert "4 cases" not in out
    assert "3 cases" in err


def test_where_nothing_answers_the_command_ends_with_2_at_once() -> None:
    began = time.monotonic()
    status, out, _ = run(f"https://localhost:{free_port()}/fhir")
    assert (status, out.splitlines()[-1]) == (2, "21 cases: 21 not shown")
    assert time.monotonic() - began < 3


def test_the_list_names_every_case_and_sends_nothing() -> None:
    status, out, _ = run("--list")
    assert status == 0
    assert all(case.name in out for case in CASES)


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://oh.example/fhir"],
        ["https://user:word@oh.example/fhir"],
        ["https://oh.example/fhir?a=b"],
        ["https:///fhir"],
        ["https://[/fhir"],
        ["https://oh.example/fhir", "--only", "nothing"],
        ["https://oh.example/fhir", "--provider", "?"],
        ["https://oh.example/fhir", "--ca-file", "missing.pem"],
        ["https://oh.example/fhir", "--ca-file", "EMPTY"],
        ["https://oh.example/fhir", "--client-certificate", "EMPTY"],
        ["https://oh.example/fhir", "--token-file", "EMPTY"],
        [],
    ],
    ids=" ".join,
)
def test_a_bad_call_sends_nothing_and_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    status, out, err = run(*(str(empty) if each == "EMPTY" else each for each in arguments))
    assert (status, out) == (2, "")
    assert "Error: " in err
    assert "word" not in err.replace("one word", "")
