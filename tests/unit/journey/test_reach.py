"""Where notifications may go, by address and by the operator's word."""

import pytest

from gateway.errors import ConfigError
from gateway.journey.reach import NOWHERE, Reach, is_public, read_hosts


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_the_public_internet_is_one(address: str) -> None:
    assert is_public(address)


def test_a_setting_names_hosts_with_their_ports_and_ca_files() -> None:
    assert read_hosts("") == {}
    assert read_hosts("a.example B.example:8443 own-ca.pem [::1]:9000") == {
        ("a.example", 443): None,
        ("b.example", 8443): "own-ca.pem",
        ("::1", 9000): None,
    }


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a.example ../ca.pem", 2), ("a.example:0", 1), ("a.example:70000", 1),
        ("https://a.example", 1), ("a.example b.example x/y.pem", 3),
    ],
)  # fmt: skip
def test_a_wrong_word_of_the_setting_is_named_by_its_place(text: str, word: int) -> None:
    with pytest.raises(ConfigError, match=f"word {word}:"):
        read_hosts(text)


def test_a_connection_counts_by_where_it_leads_and_not_by_its_name() -> None:
    reach = Reach(look_up=lambda _: ["8.8.8.8"], named=read_hosts("desk.example:8443 own.pem"))
    assert reach.may_connect("https://oh.example/x", "8.8.8.8")
    assert not reach.may_connect("https://oh.example/x", "127.0.0.1")
    assert reach.may_connect("https://desk.example:8443/x", "127.0.0.1")
    assert not reach.may_connect("https://desk.example/x", "127.0.0.1")
    assert reach.ca_file("https://desk.example:8443/x") == "own.pem"
    assert reach.ca_file("https://oh.example/x") is None


def test_an_address_that_was_taken_once_is_held_against_the_setting_of_today() -> None:
    assert NOWHERE.is_within("https://oh.example/x")
    assert not NOWHERE.is_within("https://oh.example:8443/x")
    assert not NOWHERE.is_within("http://oh.example/x")
    assert not NOWHERE.is_within("https://[/x")


@pytest.mark.parametrize(
    "address",
    ["https://oh.example:x/", "https://[::1/", "https://oh example/", "//oh.example", "x"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert NOWHERE.refusal(address)
    assert not NOWHERE.is_within(address)
