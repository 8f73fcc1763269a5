"""`gateway certs dev`: a certificate authority for development, and a server of this machine.

What enters: a folder. What leaves: four files in it. The authority can vouch for this machine
only (name constraints), so that a key that gets lost opens nothing else. It is never
overwritten; the server's certificate is renewed each time.
Source: RFC 5280, section 4.2, with what `VERIFY_X509_STRICT` of OpenSSL asks.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.errors import ConfigError

CA_FILE, CA_KEY_FILE = "dev-ca.pem", "dev-ca.key"
SERVER_FILE, SERVER_KEY_FILE = "dev-server.pem", "dev-server.key"
CA_NAME = "Referral gateway development CA"

_LIFETIME = timedelta(days=365)
_CLOCK_SKEW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


def make_development_certificates(folder: Path, *, at: datetime | None = None) -> list[Path]:
    """Make, or reuse, the development CA; make a server certificate for localhost.

    1. Reuse the CA that is there, if it is whole and in date; otherwise make one.
    2. Sign a fresh server certificate that ends no later than the CA.

    Returns: CA certificate, CA key, server certificate, server key.

    Raises:
        ConfigError: there is a CA that cannot be used; it is left as it is.
    """
    now = at or datetime.now(UTC)
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / name for name in (CA_FILE, CA_KEY_FILE, SERVER_FILE, SERVER_KEY_FILE)]
    ca_file, ca_key_file, server_file, server_key_file = paths
    if ca_file.exists() or ca_key_file.exists():
        authority = _existing(ca_file, ca_key_file, now)
    else:
        authority = _new_authority(now)
        _write_key(ca_key_file, authority.key)
        _write_certificate(ca_file, authority.certificate)
    key = ec.generate_private_key(ec.SECP256R1())
    _write_key(server_key_file, key)
    _write_certificate(server_file, _server_certificate(authority, key, now))
    return paths


def _existing(ca_file: Path, key_file: Path, now: datetime) -> _Authority:
    try:
        certificate = x509.load_pem_x509_certificate(ca_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (OSError, ValueError):
        msg = f"{ca_file} or {key_file.name} cannot be read; delete both to begin again"
        raise ConfigError(msg) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or (
        key.public_key() != certificate.public_key()
    ):
        msg = f"{key_file} is not the key of {ca_file.name}; delete both to begin again"
        raise ConfigError(msg)
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        msg = f"{ca_file} is out of date; delete it and {key_file.name} to begin again"
        raise ConfigError(msg)
    return _Authority(certificate, key)


def _new_authority(now: datetime) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(CA_NAME)
    builder = (
        _builder(name, name, key.public_key(), now)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(_this_machine_only(), critical=True)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
        )
    )
    return _Authority(builder.sign(key, hashes.SHA256()), key)


def _server_certificate(
    authority: _Authority, key: ec.EllipticCurvePrivateKey, now: datetime
) -> x509.Certificate:
    issuer = authority.certificate
    return (
        _builder(_name("localhost"), issuer.subject, key.public_key(), now)
        .not_valid_after(min(now + _LIFETIME, issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    x509.IPAddress(IPv4Address("127.0.0.1")),
                    x509.IPAddress(IPv6Address("::1")),
                ]
            ),
            critical=False,
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
            ),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _this_machine_only() -> x509.NameConstraints:
    return x509.NameConstraints(
        permitted_subtrees=[
            x509.DNSName("localhost"),
            x509.IPAddress(IPv4Network("127.0.0.1/32")),
            x509.IPAddress(IPv6Network("::1/128")),
        ],
        excluded_subtrees=None,
    )


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    """Write a private key into a file that nobody else could ever read."""
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text)
