"""The setting of the witnesses is read whole, or refused with the word that is wrong."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app import create_keeper
from gateway.errors import ConfigError
from gateway.ledger.note import ED25519, Ed25519Signer, VerifierKey
from gateway.outbound.loopback import is_loopback
from gateway.outbound.witness import MAX_WITNESSES, read_witnesses
from tests.builders.house import LEDGER_SEED, furnish, settings
from tests.builders.witness import Notary

SECOND = timedelta(seconds=1)
ONE = Notary(Path("one"))
TWO = Notary(Path("two"), name="two.example", seed=b"2" * 32)
URL = "https://w.example/prefix"
LOG_KEY = VerifierKey(
    name="log.example/2026", algorithm=ED25519, public_key=Ed25519Signer(bytes(32)).public_key
)


def named(name: str) -> str:
    return replace(ONE, name=name).vkey


def test_no_witness_is_none(tmp_path: Path) -> None:
    assert read_witnesses(" \n", certificates=tmp_path, timeout=SECOND) == ()


def test_witnesses_are_read_in_order_with_their_ca(tmp_path: Path) -> None:
    (tmp_path / "icb.pem").touch()
    text = f"{URL} {ONE.vkey} icb.pem\n  http://127.0.0.1:9000 {TWO.vkey}\t"
    found = read_witnesses(text, certificates=tmp_path, timeout=SECOND)
    assert [each.key.text for each in found] == [ONE.vkey, TWO.vkey]
    assert [each._session.verify for each in found] == [str(tmp_path / "icb.pem"), True]
    assert [list(each._session.adapters) for each in found] == [["https://"], ["http://"]]


@pytest.mark.parametrize(
    ("text", "word", "why"),
    [
        (URL, 1, "no verifier key follows"),
        (ONE.vkey, 1, "is no"),
        (f"{URL} {ONE.vkey} {URL}", 3, "no verifier key follows"),
        (f"{URL} {URL}", 2, "name"),
        (f"{URL} {ONE.vkey[:-1]}", 2, "base64"),
        (f"{URL} {ONE.vkey.replace('w1', 'w2')}", 2, "copy it once more"),
        (f"{URL} {LOG_KEY.text}", 2, "key of a log"),
        (f"{URL} {ONE.vkey} ../icb.pem", 3, "without its folder"),
        (f"{URL} {ONE.vkey} .pem", 3, "without its folder"),
        (f"{URL} {ONE.vkey} icb.pem", 3, "no such CA file"),
        (f"{URL} {ONE.vkey} {URL} {ONE.vkey}", 4, "named twice"),
        (f"{URL} {ONE.vkey} {URL} {named('other')}", 4, "named twice"),
        (f"{URL} {ONE.vkey} {URL} {replace(TWO, name=ONE.name).vkey}", 4, "named twice"),
        (f"http://w.example {ONE.vkey}", 1, "without TLS"),
        (f"http://127.0.0.1.example {ONE.vkey}", 1, "without TLS"),
        (f"http://127.0.0.1@w.example {ONE.vkey}", 1, "without TLS"),
        (f"http://[::2] {ONE.vkey}", 1, "without TLS"),
        (f"ftp://w.example {ONE.vkey}", 1, "https://"),
        (f"https:///prefix {ONE.vkey}", 1, "a host"),
        (f"https://w.example:0 {ONE.vkey}", 1, "a host"),
        (f"https://w.example:99999 {ONE.vkey}", 1, "is no URL"),
        (f"https://[w.example {ONE.vkey}", 1, "is no URL"),
        (f"https://w\u0435.example {ONE.vkey}", 1, "is no URL"),
        (f"https://me:secret@w.example {ONE.vkey}", 1, "more than a host"),
        (f"https://w.example?a=1 {ONE.vkey}", 1, "more than a host"),
        (f"https://w.example#a {ONE.vkey}", 1, "more than a host"),
        (f"{URL} {named('w' * 65)}", 2, "cannot stand in an entry"),
        (f"{URL} {named('w9990001234')}", 2, "cannot stand in an entry"),
        (f"{URL} {named('wítness')}", 2, "cannot stand in an entry"),
    ],
)
def test_a_setting_that_is_wrong_is_refused_where_it_is(
    tmp_path: Path, text: str, word: int, why: str
) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        read_witnesses(text, certificates=tmp_path, timeout=SECOND)
    assert f"word {word}:" in str(caught.value)
    assert "GATEWAY_WITNESSES holds, for each witness" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_there_are_no_more_witnesses_than_a_note_can_carry(tmp_path: Path) -> None:
    def many(number: int) -> str:
        keys = (replace(ONE, name=f"w{n}", seed=bytes([n] * 32)).vkey for n in range(number))
        return "".join(f"{URL} {key}\n" for key in keys)

    read = read_witnesses(many(MAX_WITNESSES), certificates=tmp_path, timeout=SECOND)
    assert len(read) == MAX_WITNESSES
    with pytest.raises(ConfigError, match="at most"):
        read_witnesses(many(MAX_WITNESSES + 1), certificates=tmp_path, timeout=SECOND)


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True),
        ("8.8.8.8", False), ("10.0.0.1", False), ("localhost.example", False), ("", False),
    ],
)  # fmt: skip
def test_only_this_machine_is_loopback(host: str, is_here: bool) -> None:  # noqa: FBT001
    assert is_loopback(host) is is_here


def test_a_wrong_witness_stops_the_start(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gateway.sqlite3'}"
    furnish(url)
    with pytest.raises(ConfigError, match="word 1"):
        create_keeper(settings(url, ledger_keys=LEDGER_SEED, witnesses="http://w.example"))
    keeper = create_keeper(settings(url, ledger_keys=LEDGER_SEED, witnesses=f"{URL} {ONE.vkey}"))
    assert len(keeper._threads) == 2


@pytest.mark.parametrize("seconds", [0, -1, 61])
def test_a_witness_is_given_some_time_and_no_more_than_a_minute(
    tmp_path: Path, seconds: int
) -> None:
    with pytest.raises(ConfigError, match="GATEWAY_WITNESS_TIMEOUT"):
        settings("sqlite://", witness_timeout=timedelta(seconds=seconds))
