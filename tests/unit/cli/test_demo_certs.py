import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from gateway.cli.certs import CA_NAME, make_development_certificates
from gateway.errors import ConfigError

NAMES = ["dev-ca.pem", "dev-ca.key", "dev-server.pem", "dev-server.key"]


def shake_hands(folder: Path, host: str) -> None:
    """Shake hands once, with the strictest reading of X.509 that OpenSSL offers."""
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "dev-server.pem", folder / "dev-server.key")
    calling = ssl.create_default_context(cafile=str(folder / "dev-ca.pem"))
    calling.verify_flags |= ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = calling.wrap_bio(to_client, to_server, server_hostname=host)
    server = serving.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_strict_client_trusts_the_server_under_each_of_its_names(
    tmp_path: Path, host: str
) -> None:
    make_development_certificates(tmp_path)
    shake_hands(tmp_path, host)


def test_a_strict_client_does_not_trust_it_under_another_name(tmp_path: Path) -> None:
    make_development_certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        shake_hands(tmp_path, "provider.example")


def test_the_four_files_are_named_and_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    paths = make_development_certificates(tmp_path / "new" / "certs")
    assert [path.name for path in paths] == NAMES
    modes = [stat.S_IMODE(path.stat().st_mode) for path in paths if path.suffix == ".key"]
    assert modes == [0o600, 0o600]


def test_the_authority_says_what_it_is_and_can_vouch_for_this_machine_only(
    tmp_path: Path,
) -> None:
    paths = make_development_certificates(tmp_path)
    authority = x509.load_pem_x509_certificate(paths[0].read_bytes())
    assert CA_NAME in authority.subject.rfc4514_string()
    limits = authority.extensions.get_extension_for_class(x509.NameConstraints)
    assert limits.critical
    assert limits.value.permitted_subtrees is not None
    assert len(limits.value.permitted_subtrees) == 3
    lifetime = authority.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=364) < lifetime <= timedelta(days=365)


def test_a_valid_authority_is_reused_and_the_server_certificate_renewed(tmp_path: Path) -> None:
    first = [path.read_bytes() for path in make_development_certificates(tmp_path)]
    again = [path.read_bytes() for path in make_development_certificates(tmp_path)]
    assert first[:2] == again[:2]
    assert first[2:] != again[2:]
    shake_hands(tmp_path, "localhost")


def test_a_server_certificate_ends_no_later_than_its_authority(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    make_development_certificates(tmp_path, at=now - timedelta(days=300))
    paths = make_development_certificates(tmp_path, at=now)
    authority, server = (x509.load_pem_x509_certificate(paths[i].read_bytes()) for i in (0, 2))
    assert server.not_valid_after_utc == authority.not_valid_after_utc
    shake_hands(tmp_path, "localhost")


def test_an_authority_that_is_out_of_date_is_left_alone(tmp_path: Path) -> None:
    make_development_certificates(tmp_path, at=datetime.now(UTC) - timedelta(days=400))
    before = (tmp_path / "dev-ca.pem").read_bytes()
    with pytest.raises(ConfigError, match="out of date"):
        make_development_certificates(tmp_path)
    assert (tmp_path / "dev-ca.pem").read_bytes() == before


def test_an_authority_without_its_key_is_left_alone(tmp_path: Path) -> None:
    make_development_certificates(tmp_path)
    (tmp_path / "dev-ca.key").unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        make_development_certificates(tmp_path)


def test_an_authority_with_another_key_is_left_alone(tmp_path: Path) -> None:
    make_development_certificates(tmp_path)
    make_development_certificates(tmp_path / "other")
    (tmp_path / "dev-ca.key").write_bytes((tmp_path / "other" / "dev-ca.key").read_bytes())
    with pytest.raises(ConfigError, match="is not the key"):
        make_development_certificates(tmp_path)
