"""A line ends at its deadline, and speaks modern TLS to those it trusts only."""

import ssl
import time

import pytest

from gateway.outbound.line import Call, LineAdapter


def test_a_call_tells_how_much_time_is_left() -> None:
    assert 4 < Call(deadline=time.monotonic() + 5).left() <= 5


def test_a_call_whose_deadline_has_passed_has_none_left() -> None:
    with pytest.raises(TimeoutError):
        Call(deadline=time.monotonic()).left()


def test_a_line_checks_certificates_and_names_and_speaks_no_old_tls() -> None:
    context = LineAdapter().context
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.get_ca_certs() == []
