"""`gateway init`: a settings file and fresh keys, readable by their owner only."""

import base64
import secrets
from pathlib import Path

from gateway.errors import ConfigError


def make_settings(folder: Path) -> str:
    """Make the secrets folder and the settings file; return what to do next.

    Raises:
        ConfigError: there are keys already. Overwriting them would lose all data at rest.
    """
    secret_files = folder / "secrets"
    if secret_files.exists():
        msg = f"{secret_files} is there already; its keys open the data at rest, so it stays"
        raise ConfigError(msg)
    secret_files.mkdir(parents=True, mode=0o700)
    key_id = f"k{secrets.token_hex(3)}"
    _write(secret_files / "gateway_key_encryption_keys", f"{key_id}:{_new_key()}")
    _write(secret_files / "gateway_lookup_key", _new_key())
    _write(secret_files / "gateway_ledger_keys", _new_key())
    credentials = folder / "credentials"  # of endpoints: their keys and passwords come later
    credentials.mkdir(mode=0o700, exist_ok=True)
    config = folder / "gateway.toml"
    config.write_text(
        f'database_url = "sqlite:///{folder.resolve() / "gateway.sqlite3"}"\n'
        f'certificates_dir = "{folder.resolve() / "certs"}"\n'
        f'credentials_dir = "{credentials.resolve()}"\n'
    )
    return (
        f"export GATEWAY_CONFIG={config.resolve()}\n"
        f"export GATEWAY_SECRETS_DIR={secret_files.resolve()}\n"
        "# then: gateway db upgrade; gateway directory apply FILE.yaml; gateway serve; gateway worker"
    )


def _new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
