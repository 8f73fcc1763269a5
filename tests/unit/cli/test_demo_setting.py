import stat
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from gateway.cli.demo.clients import main, signers
from gateway.cli.demo.folder import claimed, environment_with, prepare
from gateway.cli.demo.setting import (
    ACCOUNTS,
    HEALTH_AND_WORK,
    MESH,
    MILLPOND,
    NEIGHBOURS,
    OH,
    PRACTICES,
    client_of,
    directory_file,
)
from gateway.cli.init import make_settings
from gateway.consent.notices import is_secondary
from gateway.errors import ConfigError
from gateway.mapping.directory_file import noun_of, read_directory_file
from gateway.referral.directory import Agreement, Client, Endpoint, Provider, Scope, Transport

PORTS = {each.key: 40000 + number for number, each in enumerate(NEIGHBOURS)} | {MESH: 41000}
TOKEN_URL = "http://127.0.0.1:8080/FHIR/R4/oauth2/token"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "clients"
    signers(folder)
    return folder


def test_the_directory_file_is_one_that_the_gateway_reads(keys: Path) -> None:
    public = {name: signer.public_key() for name, signer in signers(keys).items()}
    text = directory_file(PORTS, public, today=date(2031, 2, 28))
    nouns = [noun_of(row.kind, row.body) for row in read_directory_file(text)]
    assert {n.ods for n in nouns if isinstance(n, Client)} == {a.ods for a in ACCOUNTS}
    addresses = {n.transport: n.address for n in nouns if isinstance(n, Endpoint)}
    brought = {n.address for n in nouns if isinstance(n, Endpoint)} - {addresses[Transport.MESH]}
    assert brought == {f"https://127.0.0.1:{PORTS[each.key]}/fhir" for each in NEIGHBOURS}
    assert str(PORTS[MESH]) in addresses[Transport.MESH]
    assured = {n.assured_until for n in nouns if isinstance(n, Provider)}
    assert assured == {date(2032, 2, 28)}


def test_one_practice_has_no_agreement_with_the_occupational_health_provider(keys: Path) -> None:
    public = {name: signer.public_key() for name, signer in signers(keys).items()}
    text = directory_file(PORTS, public, today=date(2031, 2, 28))
    nouns = [noun_of(row.kind, row.body) for row in read_directory_file(text)]
    with_oh = {n.practice for n in nouns if isinstance(n, Agreement) and n.counterparty == OH.ods}
    assert with_oh == {"G99001", "G99003"}


def test_one_agreement_also_serves_evaluation_so_that_its_end_is_told_to_the_icb(
    keys: Path,
) -> None:
    public = {name: signer.public_key() for name, signer in signers(keys).items()}
    text = directory_file(PORTS, public, today=date(2031, 2, 28))
    nouns = [noun_of(row.kind, row.body) for row in read_directory_file(text)]
    secondary = [n for n in nouns if isinstance(n, Agreement) and is_secondary(n.kind)]
    assert [each.id for each in secondary] == [MILLPOND.agreement(HEALTH_AND_WORK.ods)]
    assert all(each.terms.dpia_ref for each in secondary)


def test_each_practice_has_one_client_and_a_provider_changes_its_tasks_alone() -> None:
    assert [client_of(each) for each in PRACTICES] == [a.id for a in ACCOUNTS if a.ods != OH.ods]
    (provider,) = [account for account in ACCOUNTS if account.ods == OH.ods]
    assert provider.scopes == (Scope.TASK_READ, Scope.TASK_UPDATE)


def test_only_the_national_service_asks_for_its_own_codes() -> None:
    assert [each.key for each in NEIGHBOURS if each.takes] == [HEALTH_AND_WORK.key]


@pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.id)
def test_an_assertion_is_verified_with_the_public_key_of_the_directory(
    keys: Path, account: object
) -> None:
    signer = signers(keys)[getattr(account, "id")]  # noqa: B009  # parametrized
    assertion = signer.assertion(TOKEN_URL, at=datetime.now(UTC))
    key_set = KeySet.import_key_set({"keys": [{**signer.public_key()}]})
    token = jwt.decode(assertion, key_set, algorithms=[signer.algorithm])
    assert token.header["kid"] == signer.kid
    assert token.claims["iss"] == token.claims["sub"] == signer.client
    assert token.claims["aud"] == TOKEN_URL
    lifetime = datetime.fromtimestamp(token.claims["exp"], UTC) - datetime.now(UTC)
    assert timedelta(0) < lifetime <= timedelta(minutes=1)


def test_keys_are_of_each_kind_that_the_gateway_takes_and_for_their_owner_only(
    keys: Path,
) -> None:
    assert {signer.algorithm for signer in signers(keys).values()} == {"RS512", "RS384", "ES384"}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in keys.glob("*.pem")}
    assert modes == {0o600}
    for signer in signers(keys).values():
        assert not {"d", "p", "q"} & signer.public_key().keys()


def test_keys_that_are_there_are_used_again(keys: Path) -> None:
    before = {path: path.read_bytes() for path in keys.glob("*.pem")}
    signers(keys)
    assert {path: path.read_bytes() for path in keys.glob("*.pem")} == before


@pytest.mark.parametrize("arguments", [[], ["nowhere/demo.json", "somebody"]])
def test_asking_for_a_token_without_a_demo_says_how_to_ask(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert "usage" in capsys.readouterr().err


def test_a_folder_of_a_gateway_in_earnest_is_left_alone(tmp_path: Path) -> None:
    make_settings(tmp_path)
    with pytest.raises(ConfigError, match="no demo made it"), claimed(tmp_path):
        pass


def test_a_folder_is_claimed_by_one_demo_at_a_time(tmp_path: Path) -> None:
    again = claimed(tmp_path / "demo")
    with claimed(tmp_path / "demo"), pytest.raises(ConfigError, match="another demo"):
        again.__enter__()
    with claimed(tmp_path / "demo") as folder:
        assert folder.is_dir()


def test_a_demo_folder_is_prepared_again_with_its_keys_and_a_new_port(tmp_path: Path) -> None:
    with claimed(tmp_path / "demo") as folder:
        settings = prepare(folder, port=1111)
        keys = {path: path.read_text() for path in (folder / "secrets").iterdir()}
        assert prepare(folder, port=2222) == settings
    assert {path: path.read_text() for path in (folder / "secrets").iterdir()} == keys
    assert "http://127.0.0.1:2222" in Path(settings["GATEWAY_CONFIG"]).read_text()


def test_settings_of_another_gateway_do_not_reach_the_demo(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_DATABASE_URL", "postgresql+psycopg://in-earnest/gateway")
    made = environment_with({"GATEWAY_CONFIG": "demo/gateway.toml"})
    assert "GATEWAY_DATABASE_URL" not in made
    assert made["GATEWAY_CONFIG"] == "demo/gateway.toml"
