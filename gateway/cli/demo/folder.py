"""The demo's folder: claimed by one demo at a time, and never somebody else's.

What enters: a path. What leaves: the settings, keys and certificates in it. A folder that a
demo made is used again with its keys and database; a folder with other things in it is left
alone, since a gateway that is in earnest may live there.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.certs import make_development_certificates
from gateway.cli.init import make_settings
from gateway.errors import ConfigError

MARK = ".gateway-demo"
DESCRIPTION = "demo.json"
CERTIFICATES = "certs"
CREDENTIALS = "credentials"
SAMPLES_FOLDER = "samples"


@contextmanager
def claimed(folder: Path) -> Iterator[Path]:
    """Hold a folder for this demo alone.

    Raises:
        ConfigError: another demo runs in it, or it holds what no demo made.
    """
    folder = folder.resolve()
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        msg = f"{folder} is not empty, and no demo made it: choose another folder"
        raise ConfigError(msg)
    folder.mkdir(parents=True, exist_ok=True)
    with mark.open("a", encoding="utf-8") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            msg = f"another demo runs in {folder}"
            raise ConfigError(msg) from None
        yield folder


def prepare(folder: Path, *, port: int) -> Mapping[str, str]:
    """Make the settings, keys and certificates that are not there yet.

    Args:
        folder: the demo's own.
        port: of the front door; the settings name it.

    Returns: the GATEWAY_* variables with which every gateway command finds this demo.
    """
    secret_files = folder / "secrets"
    if not secret_files.exists():
        make_settings(folder)
    certificates = folder / CERTIFICATES
    make_development_certificates(certificates)
    settings = {
        "database_url": f"sqlite:///{database(folder)}",
        "certificates_dir": str(certificates),
        "credentials_dir": str(folder / CREDENTIALS),
        "public_url": f"http://127.0.0.1:{port}",
        "ledger_origin": "referral-gateway.example/demo",
        "retry_first": "PT0.5S",
        "retry_longest": "PT5S",
        "delivery_poll": "PT0.1S",
        "mesh_poll": "PT1S",
    }
    config = folder / "gateway.toml"
    config.write_text("".join(f"{k} = {json.dumps(v)}\n" for k, v in settings.items()))
    return {"GATEWAY_CONFIG": str(config), "GATEWAY_SECRETS_DIR": str(secret_files)}


def database(folder: Path) -> Path:
    """Return where the gateway's database is."""
    return folder / "gateway.sqlite3"


def environment_with(settings: Mapping[str, str]) -> Mapping[str, str]:
    """Return this process's environment, with these settings and no others of a gateway."""
    others = {name: v for name, v in os.environ.items() if not name.startswith("GATEWAY_")}
    return {**others, **settings, "PYTHONUNBUFFERED": "1"}


def write_description(folder: Path, description: Mapping[str, object]) -> Path:
    """Write demo.json, whole or not at all."""
    path = folder / DESCRIPTION
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path
