"""The clients of the demo: their keys, and how each gets a token from the real endpoint.

What enters: the folder of the keys. What leaves: tokens. Also a program of its own, for
people who post by hand: `python -m gateway.cli.demo.clients DIR/demo.json CLIENT` prints a
token. Source: RFC 7523; NHS application-restricted APIs.
"""

import json
import os
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from gateway.cli.demo.setting import ACCOUNTS, Account
from gateway.errors import SetupError

ASSERTION_LIFETIME = timedelta(minutes=1)
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RSA_BITS = 3072
_TIMEOUT = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who signs assertions for one client: its id, algorithm, key id and private key."""

    client: str
    algorithm: str
    kid: str
    key_file: Path

    def public_key(self) -> dict[str, str]:
        """Return the public JSON Web Key, as the directory file takes it."""
        public = self._key().as_dict(private=False)
        kept = {name: str(value) for name, value in public.items() if name != "kid"}
        return {**kept, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def assertion(self, token_url: str, *, at: datetime) -> str:
        """Sign a client assertion for one token endpoint."""
        claims = {
            "iss": self.client,
            "sub": self.client,
            "aud": token_url,
            "jti": str(uuid.uuid4()),
            "exp": int((at + ASSERTION_LIFETIME).timestamp()),
        }
        header = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid}
        return jwt.encode(header, claims, self._key(), algorithms=[self.algorithm])

    def _key(self) -> RSAKey | ECKey:
        kind = ECKey if self.algorithm.startswith("ES") else RSAKey
        return kind.import_key(self.key_file.read_bytes())


def signer_for(account: Account, folder: Path) -> Signer:
    """Return an account's signer; its key is made if it is not there yet."""
    key_file = folder / f"{account.id}.pem"
    if not key_file.exists():
        is_curve = account.algorithm.startswith("ES")
        key = ECKey.generate_key("P-384") if is_curve else RSAKey.generate_key(_RSA_BITS)
        with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as f:
            f.write(key.as_pem(private=True))
    return Signer(
        client=account.id, algorithm=account.algorithm, kid=f"{account.id}-1", key_file=key_file
    )


def signers(folder: Path) -> Mapping[str, Signer]:
    """Return the signers of all accounts, by client id."""
    folder.mkdir(mode=0o700, exist_ok=True)
    return {account.id: signer_for(account, folder) for account in ACCOUNTS}


def ask_for_token(signer: Signer, token_url: str) -> tuple[str, timedelta]:
    """Exchange a signed assertion for an access token and its lifetime.

    Raises:
        SetupError: the token endpoint refused.
    """
    answer = requests.post(
        token_url,
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": signer.assertion(token_url, at=datetime.now(UTC)),
        },
        timeout=_TIMEOUT.total_seconds(),
        proxies={"http": "", "https": ""},
    )
    granted = answer.json()
    if answer.status_code != requests.codes.ok:
        msg = f"the token endpoint refused {signer.client}: {granted.get('error_description')}"
        raise SetupError(msg)
    return str(granted["access_token"]), timedelta(seconds=int(granted["expires_in"]))


def main(arguments: list[str]) -> int:
    """Print a token for one client of a running demo."""
    try:
        described = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        found = next(each for each in described["clients"] if each["id"] == arguments[1])
    except (IndexError, OSError, ValueError, StopIteration):
        sys.stderr.write("usage: python -m gateway.cli.demo.clients DIR/demo.json CLIENT\n")
        return 2
    signer = Signer(
        client=found["id"],
        algorithm=found["algorithm"],
        kid=found["kid"],
        key_file=Path(found["key_file"]),
    )
    sys.stdout.write(ask_for_token(signer, described["token_url"])[0] + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
