"""`gateway erase` and `gateway retention`, as an operator types them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from gateway.app import open_gateway
from gateway.cli import erase as erase_command
from gateway.cli.main import main
from gateway.journey.erase import Authority
from gateway.ledger.entry import TokenRefused
from gateway.referral.identifiers import Handle, NhsNumber, OdsCode
from gateway.store import persons
from gateway.store.erasing import OnDisk
from tests.builders.evidence import entries, execute, id_in, referral, take_back
from tests.builders.house import House, build_house, settings
from tests.builders.messages import PRACTICE, consent, service_request
from tests.unit.cli.conftest import environment

NUMBER = "9990000018"
AUTHORITY = ("--authority", "data-subject-request")


@dataclass
class Office:
    """Somebody at the command line, and the house whose database they see."""

    house: House
    database: Path

    def run(self, *words: str | Path, given: str | None = None, **more: str) -> Result:
        env = environment(self.database) | more
        return CliRunner().invoke(main, [str(w) for w in words], input=given, env=env)

    def held(self) -> tuple[str, Handle, str]:
        """Have a referral held; return its reference, its person and its id."""
        sent = service_request(consents=[consent(status="proposed")])
        answer = self.house.post("/ServiceRequest", sent)
        found = referral(self.house, id_in(answer.headers["Location"]))
        return found.reference, found.subject, found.id

    def over(self) -> tuple[str, Handle]:
        reference, subject, referral_id = self.held()
        assert take_back(self.house, referral_id).status_code == 200
        return reference, subject


@pytest.fixture
def office(template: Path, tmp_path: Path) -> Iterator[Office]:
    database = tmp_path / "gateway.sqlite3"
    for suffix in ("", "-wal"):
        there = template.with_name(template.name + suffix)
        if there.exists():
            database.with_name(database.name + suffix).write_bytes(there.read_bytes())
    house = build_house(f"sqlite:///{database}")
    house.clock.now = datetime.now(UTC)
    yield Office(house, database)
    house.gateway.store.close()


def test_a_person_is_erased_by_the_reference_of_a_referral(office: Office) -> None:
    reference, subject = office.over()
    done = office.run("erase", "--referral", reference, *AUTHORITY, "--yes")
    assert done.exit_code == 0, done.output
    first, *_, counted, on_disk = done.stdout.splitlines()
    assert first == f"person {subject} of practice {PRACTICE}"
    assert counted.startswith("erased: ")
    assert on_disk.startswith("the deleted bytes are overwritten")
    (entry,) = entries(office.house, "subject.erased")
    assert (entry["subject"], entry["authority"]) == (subject, "data-subject-request")
    again = office.run("erase", "--handle", subject, *AUTHORITY, "--yes")
    assert (again.exit_code, "erased before" in again.output) == (1, True)


def test_a_dry_run_counts_and_changes_nothing(office: Office) -> None:
    _, subject = office.over()
    told = office.run("erase", "--handle", subject, *AUTHORITY, "--dry-run")
    assert told.exit_code == 0
    rows = dict(line.split()[-2:] for line in told.stdout.splitlines()[1:])
    assert (rows["person"], rows["referral"], rows["all"] > "10") == ("1", "1", True)
    assert entries(office.house, "subject.erased") == []


@pytest.mark.parametrize(("answer", "erased"), [("y\n", 1), ("n\n", 0), ("", 0)])
def test_it_asks_before_it_erases(office: Office, answer: str, erased: int) -> None:
    _, subject = office.over()
    done = office.run("erase", "--handle", subject, *AUTHORITY, given=answer)
    assert "Erase them for good?" in done.stderr
    assert (done.exit_code, len(entries(office.house, "subject.erased"))) == (1 - erased, erased)


@pytest.mark.parametrize("more", [("--yes",), ("--dry-run",)])
def test_a_referral_that_is_not_over_is_named_with_how_to_end_it(
    office: Office, more: tuple[str, ...]
) -> None:
    reference, subject, _ = office.held()
    refused = office.run("erase", "--handle", subject, *AUTHORITY, *more)
    assert refused.exit_code == 1
    assert f"{reference} is held: let its sender take it back" in refused.stderr
    assert entries(office.house, "subject.erased") == []


def test_an_nhs_number_comes_from_a_file_or_from_stdin_and_is_never_shown(
    office: Office, tmp_path: Path
) -> None:
    gateway = open_gateway(settings(f"sqlite:///{office.database}"))
    with gateway.store.transaction(gateway.clock()) as tx:
        handle = persons.meet(tx, OdsCode(PRACTICE), NhsNumber(NUMBER))
    gateway.store.close()
    file = tmp_path / "number.txt"
    file.write_text("999 000 0018\n")
    by = ("erase", "--nhs-number-from", file, "--practice", PRACTICE, *AUTHORITY)
    planned = office.run(*by, "--dry-run")
    assert (planned.exit_code, handle in planned.stdout) == (0, True)
    stdin = ("erase", "--nhs-number-from", "-", "--practice", PRACTICE, *AUTHORITY, "--yes")
    done = office.run(*stdin, given=f"{NUMBER}\n")
    assert done.exit_code == 0, done.output
    unknown = office.run(*by, "--yes")
    assert (unknown.exit_code, "no patient of this NHS number" in unknown.output) == (1, True)
    for each in (planned, done, unknown):
        assert NUMBER not in each.output.replace(" ", "")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((), "give one of"),
        (("--handle", "0" * 32, "--referral", "RG-0000-0000"), "give one of"),
        (("--handle", "0" * 32, "--practice", PRACTICE), "--practice goes with"),
        (("--nhs-number-from", "-"), "--practice goes with"),
        (("--handle", "xyz"), "a handle is"),
        (("--referral", "RG-1"), "looks like"),
        (("--nhs-number-from", "-", "--practice", PRACTICE), "an NHS number is ten digits"),
        (("--nhs-number-from", "-", "--practice", "?"), "an ODS code is"),
    ],
)
def test_a_call_that_names_nobody_is_a_bad_call(
    office: Office, words: tuple[str, ...], text: str
) -> None:
    number = NUMBER if "?" in words else "not a number \xff"
    result = office.run("erase", *words, *AUTHORITY, "--yes", given=number)
    assert (result.exit_code, text in result.output) == (2, True)
    assert "not a number" not in result.output


def test_each_authority_and_each_end_on_disk_has_its_word() -> None:
    option = next(p for p in erase_command.erase.params if p.name == "authority")
    assert isinstance(option.type, click.Choice)
    assert set(option.type.choices) == set(Authority)
    assert set(erase_command._ON_DISK) == set(OnDisk)


def test_what_would_go_is_planned_and_goes(office: Office) -> None:
    office.over()
    office.house.clock.now += timedelta(days=1)
    kept = {"GATEWAY_RETENTION_REQUESTS": "P5D", "GATEWAY_RETENTION_TOKENS": "PT0S"}

    def plan(*words: str) -> Result:
        return office.run("retention", *words, **kept)

    planned = json.loads(plan("plan", "--json").stdout)
    assert {each["record"]: each["size"] for each in planned}["referrals"] == 0
    told = plan("plan").stdout
    assert "referrals           0 from before " in told
    refused = plan("purge")
    assert (refused.exit_code, "Delete these for good?" in refused.stderr) == (1, True)
    execute(
        office.house,
        "INSERT INTO access_token VALUES (x'00', 'gp-one', 'G99001', '', '2020-01-01 00:00:00')",
    )
    gone = plan("purge", "--yes", "--json")
    assert gone.exit_code == 0, gone.output
    sizes = {each["record"]: each["size"] for each in json.loads(gone.stdout)}
    assert (sizes["referrals"], sizes["tokens"]) == (0, 1)
    assert plan("purge", "--yes").exit_code == 0


def test_a_year_that_cannot_go_is_told_with_the_reason(office: Office) -> None:
    with office.house.gateway.store.transaction(datetime(2020, 5, 1, tzinfo=UTC)) as tx:
        tx.record(TokenRefused(actor="unknown", practice=None, code="X"))
    kept = {"GATEWAY_RETENTION_LEDGER_YEARS": "1", "GATEWAY_LEDGER_KEYS": ""}
    done = office.run("retention", "purge", "--yes", **kept)
    assert done.exit_code == 1
    assert "gateway.example/ledger/2020        1 from before 2021-01-01" in done.stdout
    assert "kept: it is not signed in full" in done.stdout


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [("REQUESTS", "P4D", "retry_horizon"), ("OPT_OUTS", "PT1H", "opt_out_age")],
)
def test_what_is_still_asked_for_cannot_be_let_go_sooner(
    office: Office, name: str, value: str, least: str
) -> None:
    result = office.run("retention", "plan", **{f"GATEWAY_RETENTION_{name}": value})
    assert result.exit_code == 1
    assert (
        f"GATEWAY_RETENTION_{name}: Value error, must not be shorter than {least}" in result.output
    )
