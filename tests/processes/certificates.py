"""Certificates for servers that tests talk to: a good one, and one for each defect."""

from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CA_FILE, OTHER_CA_FILE = "trusted-ca.pem", "another-ca.pem"
DAY = timedelta(days=1)


def make_certificates(folder: Path) -> None:
    """Write the CA files, and `good`, `expired`, `wrong-name` and `other-ca`, each with its key."""
    trusted, trusted_key = _authority("Trusted")
    other, other_key = _authority("Another")
    (folder / CA_FILE).write_bytes(_pem(trusted))
    (folder / OTHER_CA_FILE).write_bytes(_pem(other))
    good, past = timedelta(days=1), -timedelta(hours=1)
    _issue(folder / "good", trusted, trusted_key, "localhost", good)
    _issue(folder / "expired", trusted, trusted_key, "localhost", past)
    _issue(folder / "wrong-name", trusted, trusted_key, "elsewhere.example", good)
    _issue(folder / "other-ca", other, other_key, "localhost", good)


def _authority(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    built = _builder(subject, subject, key, DAY).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    return built.sign(key, hashes.SHA256()), key


def _issue(
    path: Path,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    host: str,
    ends_in: timedelta,
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(IPv4Address("127.0.0.1")))
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    certificate = (
        _builder(_name(host), authority.subject, key, ends_in)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    path.with_suffix(".pem").write_bytes(_pem(certificate))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, ends_in: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + ends_in)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
