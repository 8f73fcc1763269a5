"""The signature of a notification, held against the values that the libraries are tested with."""

import base64
from datetime import UTC, datetime

import pytest

from gateway.mapping.standard_webhook import shown_secret, signed

SECRET = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
AT = datetime.fromtimestamp(1614265330, UTC)


def test_the_published_example_has_the_published_signature() -> None:
    """Source: standard-webhooks, the test of the reference libraries for `sign`."""
    headers = signed(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", AT, b'{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_secret_is_shown_as_libraries_read_it() -> None:
    assert shown_secret(SECRET) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.mark.parametrize("part", ["id", "time", "body", "secret"])
def test_whatever_is_changed_changes_the_signature(part: str) -> None:
    good = signed(SECRET, "m", AT, b"{}")["webhook-signature"]
    other = {
        "id": signed(SECRET, "n", AT, b"{}"),
        "time": signed(SECRET, "m", AT.replace(year=2022), b"{}"),
        "body": signed(SECRET, "m", AT, b"{ }"),
        "secret": signed(SECRET[:-1], "m", AT, b"{}"),
    }[part]["webhook-signature"]
    assert other != good


def test_an_id_with_a_full_stop_could_be_parted_elsewhere_and_is_refused() -> None:
    with pytest.raises(ValueError, match="full stop"):
        signed(SECRET, "a.b", AT, b"{}")
