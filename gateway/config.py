"""Settings: every knob with its unit, its default and whether it is secret.

Read once, in the composition root. Sources, first wins: arguments, environment variables
`GATEWAY_<NAME>`, files in the secrets folder (`GATEWAY_SECRETS_DIR`, one file a name), a
TOML file (`GATEWAY_CONFIG`). An unknown name is refused, so a misspelt one is noticed.
"""

import base64
import os
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gateway.errors import ConfigError, KeyMissingError
from gateway.fhir.json_text import MAX_BYTES

OWN_PROFILES = Path(__file__).parents[1] / "fhir_profiles"
"""The profiles that come with the program: a folder beside it."""

OWN_MAPPINGS = Path(__file__).parents[1] / "mappings"
"""Stylesheets and schemas of the formats that have them, in the same way."""

_PREFIX = "GATEWAY_"
_NOT_SETTINGS = frozenset({"GATEWAY_SECRETS_DIR", "GATEWAY_CONFIG"})


class Settings(BaseSettings):
    """Everything that an operator may set.

    Secrets are 32 bytes in base64. `key_encryption_keys` holds `id:base64` pairs,
    separated by blanks or lines; the first one wraps, all of them open. `ledger_keys` holds
    Ed25519 seeds in the same way, without ids: all of them sign.
    """

    model_config = SettingsConfigDict(env_prefix=_PREFIX, extra="forbid", frozen=True)

    database_url: str = Field(
        description="SQLAlchemy URL: sqlite:////path or postgresql+psycopg://..."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8080",
        description="scheme, host and port under which senders reach this gateway",
    )
    operator_ods: str = Field(default="XGW01", description="ODS code of whoever runs this gateway")
    ledger_origin: str = Field(
        default="referral-gateway.example/ledger", description="name of the log, without the year"
    )
    certificates_dir: Path = Field(
        default=Path("certs"), description="folder of the CA files that endpoints name"
    )
    credentials_dir: Path = Field(
        default=Path("certs"),
        description="folder of the private files that endpoints name: keys, passwords,"
        " client certificates",
    )

    profiles_dir: Path | None = Field(
        default=None,
        description="folder of the profiles that messages are held against; empty: our own",
    )

    key_encryption_keys: SecretStr = Field(description="secret: wraps the keys of data at rest")
    lookup_key: SecretStr = Field(description="secret: keys the hash that finds an NHS number")

    ledger_keys: SecretStr | None = Field(
        default=None,
        description="secret: sign checkpoints of the ledger, the first as the current key;"
        " only the worker and `gateway ledger` need them",
    )
    checkpoint_every: timedelta = Field(
        default=timedelta(minutes=1), description="how long news may wait for a checkpoint"
    )
    checkpoint_entries: int = Field(
        default=256, ge=1, description="entries after which a checkpoint waits no longer"
    )
    witnesses: str = Field(
        default="",
        description="who cosigns checkpoints: for each a URL, a verifier key, and if need be a CA"
        " file of certificates_dir, with blanks between",
    )
    witness_timeout: timedelta = Field(
        default=timedelta(seconds=10),
        gt=timedelta(0),
        le=timedelta(minutes=1),
        description="for a witness's whole answer",
    )

    max_body_bytes: int = Field(
        default=MAX_BYTES,
        ge=1024,
        le=MAX_BYTES,
        description="bytes; longer messages are refused unread",
    )
    token_lifetime: timedelta = Field(
        default=timedelta(minutes=10), description="how long an access token is good for"
    )
    database_timeout: timedelta = Field(
        default=timedelta(seconds=2), description="how long a statement or a lock may take"
    )
    database_pool_size: int = Field(
        default=16, ge=1, description="connections of one process; no fewer than its threads"
    )

    web_workers: int = Field(default=2, ge=1, description="processes of the front door")
    web_threads: int = Field(default=8, ge=1, description="threads of each of them")
    tls_certificate: Path | None = Field(
        default=None, description="PEM file; empty: a proxy in front ends TLS"
    )
    tls_key: Path | None = Field(default=None, description="PEM file, with tls_certificate")

    delivery_threads: int = Field(
        default=16, ge=1, description="deliveries under way at once, in one worker"
    )
    delivery_share: int = Field(
        default=4, ge=1, description="how many of them may be to one destination"
    )
    delivery_poll: timedelta = Field(
        default=timedelta(milliseconds=50), description="how long an idle worker waits"
    )
    delivery_lease: timedelta = Field(
        default=timedelta(seconds=10),
        ge=timedelta(seconds=2),
        description="how long one attempt may take in all, its decision and its answer included",
    )
    delivery_margin: timedelta = Field(
        default=timedelta(seconds=5),
        ge=timedelta(seconds=1),
        description="how long after that a worker that was paused is waited for; together, the"
        " longest that a withdrawal takes",
    )
    connect_timeout: timedelta = Field(
        default=timedelta(seconds=5), description="for a connection and its TLS handshake"
    )
    reply_timeout: timedelta = Field(
        default=timedelta(seconds=8), description="for a provider's whole answer"
    )
    mesh_poll: timedelta = Field(
        default=timedelta(minutes=5),
        gt=timedelta(0),
        description="how long a worker waits between two looks into our MESH mailboxes; live MESH"
        " asks for 5 minutes",
    )
    notifier_threads: int = Field(
        default=4, ge=1, description="notifications to subscribers under way at once"
    )
    subscription_hosts: str = Field(
        default="",
        description="where subscriptions may lead beside port 443 of the public Internet: for each"
        " a host or host:port, and if need be a CA file of certificates_dir, with blanks between",
    )
    retry_first: timedelta = Field(
        default=timedelta(seconds=15), description="the first wait after a failed attempt"
    )
    retry_longest: timedelta = Field(
        default=timedelta(hours=2), description="where the doubling of waits ends"
    )
    retry_horizon: timedelta = Field(
        default=timedelta(days=5), description="when a delivery is given up and held instead"
    )
    outage_failures: int = Field(
        default=5, ge=1, description="attempts in a row without an answer that make an outage"
    )
    outage_first: timedelta = Field(
        default=timedelta(seconds=10),
        description="how long a destination is left alone that does not answer; doubles",
    )
    outage_longest: timedelta = Field(
        default=timedelta(minutes=5), description="where that doubling ends"
    )
    worker_losses: int = Field(
        default=3, ge=1, description="workers lost in a row with a delivery before it is put aside"
    )
    recall_due: timedelta = Field(
        default=timedelta(days=2), description="how soon a provider must answer a recall"
    )
    letter_due: timedelta = Field(
        default=timedelta(days=1), description="how soon a practice's system must answer a letter"
    )
    silence: timedelta = Field(
        default=timedelta(days=14), description="how long a provider may say nothing of a referral"
    )
    hold_due: timedelta = Field(
        default=timedelta(days=2), description="how soon a held referral must be looked at"
    )

    opt_out_age: timedelta = Field(
        default=timedelta(days=1),
        description="how old an answer of the national data opt-out service may be; older: unknown",
    )

    # Retention: how long each kind of record is kept. README, Erasure and retention, says why.
    retention_referrals: timedelta = Field(
        default=timedelta(days=2922),
        ge=timedelta(days=1),
        description="how long a referral is kept after it was delivered or closed: 8 years",
    )
    retention_refusals: timedelta = Field(
        default=timedelta(days=731),
        ge=timedelta(days=1),
        description="how long a decision that let no referral in is kept: 2 years",
    )
    retention_consents: timedelta = Field(
        default=timedelta(days=2922),
        ge=timedelta(days=1),
        description="how long a Consent is kept after it was withdrawn, or found to be an error:"
        " 8 years",
    )
    retention_requests: timedelta = Field(
        default=timedelta(days=30),
        description="how long a request is known again when it is repeated; no shorter than"
        " retry_horizon",
    )
    retention_tokens: timedelta = Field(
        default=timedelta(days=1),
        ge=timedelta(0),
        description="how long access tokens and used client assertions are kept once expired",
    )
    retention_notices: timedelta = Field(
        default=timedelta(days=2192),
        ge=timedelta(days=1),
        description="how long a notice to an ICB is kept once nothing of it stands: 6 years",
    )
    retention_opt_outs: timedelta = Field(
        default=timedelta(days=30),
        description="how long an answer of the national data opt-out service is kept; no shorter"
        " than opt_out_age",
    )
    retention_ledger_years: int = Field(
        default=10,
        ge=1,
        description="whole years for which a year of the ledger is kept after it ended",
    )

    @field_validator("retention_requests", "retention_opt_outs")
    @classmethod
    def _is_kept_while_it_is_asked_for(cls, kept: timedelta, given: ValidationInfo) -> timedelta:
        least = {"retention_requests": "retry_horizon", "retention_opt_outs": "opt_out_age"}
        other = least[str(given.field_name)]
        if kept < given.data.get(other, timedelta(0)):
            msg = f"must not be shorter than {other}"
            raise ValueError(msg)
        return kept

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # no .env files
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources as the module says."""
        config = os.environ.get("GATEWAY_CONFIG")
        toml = (TomlConfigSettingsSource(settings_cls, Path(config)),) if config else ()
        return (init_settings, env_settings, file_secret_settings, *toml)


def read_settings(**given: Any) -> Settings:  # noqa: ANN401  # pydantic checks each value
    """Read the settings from all sources.

    Raises:
        ConfigError: a name is unknown or missing, or a value is wrong; the text names it.
    """
    known = {f"{_PREFIX}{name}".upper() for name in Settings.model_fields}
    strange = sorted(n for n in os.environ if n.startswith(_PREFIX) and n not in known)
    strange = [n for n in strange if n not in _NOT_SETTINGS]
    if strange:
        msg = f"unknown setting {', '.join(strange)}: see `gateway serve --help`"
        raise ConfigError(msg)
    try:
        return Settings(_secrets_dir=os.environ.get("GATEWAY_SECRETS_DIR"), **given)
    except ValidationError as error:
        lines = [
            f"{_PREFIX}{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from None


def key_bytes(text: str, name: str) -> bytes:
    """Decode one 32-byte key.

    Raises:
        KeyMissingError: it is not 32 bytes of base64.
    """
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:  # noqa: PLR2004  # AES-256 and HMAC-SHA-256
        msg = f"{name} is not 32 bytes in base64; `gateway init` makes one"
        raise KeyMissingError(msg)
    return key


def ledger_seeds(settings: Settings) -> list[bytes]:
    """Return the seeds of the keys that sign checkpoints, the current one first; or none.

    Raises:
        KeyMissingError: one is not 32 bytes of base64.
    """
    given = settings.ledger_keys
    return (
        [key_bytes(text, "ledger_keys") for text in given.get_secret_value().split()]
        if given
        else []
    )


def key_encryption_keys(settings: Settings) -> dict[str, bytes]:
    """Return the key-encryption keys by id, the wrapping one first."""
    pairs = settings.key_encryption_keys.get_secret_value().split()
    keys = {}
    for pair in pairs:
        name, _, text = pair.partition(":")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,32}", name):
            msg = "key_encryption_keys holds id:key pairs; an id has up to 32 letters and digits"
            raise KeyMissingError(msg)
        keys[name] = key_bytes(text, "key_encryption_keys")
    if not keys:
        msg = "key_encryption_keys is empty; `gateway init` makes one"
        raise KeyMissingError(msg)
    return keys
