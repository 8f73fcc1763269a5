"""The composition root: settings become live objects. The only place that sees all rooms.

The front door and the back door are imported by whoever opens them, so that a command that
needs neither starts quickly.
"""

import os
from typing import TYPE_CHECKING

from gateway.config import (
    OWN_PROFILES,
    Settings,
    key_bytes,
    key_encryption_keys,
    ledger_seeds,
)
from gateway.consent.rules import POLICY
from gateway.errors import KeyMissingError
from gateway.fhir.examine import require_own
from gateway.fhir.profiles.load import load_profiles
from gateway.journey.cosign import Cosigner
from gateway.journey.gateway import Gateway, Schedule
from gateway.journey.publish import Due
from gateway.ledger.note import Ed25519Signer
from gateway.mapping.fhir_rest import FhirTransaction
from gateway.outbound.fhir_rest import FhirRest
from gateway.outbound.https_line import HttpsLine
from gateway.referral.directory import Format, Transport
from gateway.referral.identifiers import OdsCode
from gateway.store.engine import Store
from gateway.store.schema import require_current_schema
from gateway.store.vault import Vault

if TYPE_CHECKING:
    from flask import Flask

    from gateway.outbound.keeper import Keeper
    from gateway.outbound.worker import Worker


def open_store(settings: Settings) -> Store:
    """Open the database under the settings' keys."""
    vault = Vault(
        key_encryption_keys(settings),
        key_bytes(settings.lookup_key.get_secret_value(), "lookup_key"),
        os.urandom,
    )
    return Store(
        settings.database_url,
        vault=vault,
        ledger_origin=settings.ledger_origin,
        timeout=settings.database_timeout,
        pool_size=settings.database_pool_size,
    )


def open_gateway(settings: Settings) -> Gateway:
    """Make the live gateway.

    Raises:
        SchemaOutdatedError: the database needs `gateway db upgrade` first.
        ProfileError: a file of the profiles is wrong; the text says which and where.
    """
    store = open_store(settings)
    require_current_schema(store.engine)
    schedule = Schedule(
        first=settings.retry_first,
        longest=settings.retry_longest,
        horizon=settings.retry_horizon,
        lease=settings.delivery_lease,
        margin=settings.delivery_margin,
        hold_due=settings.hold_due,
        silences=settings.outage_failures,
        rest_first=settings.outage_first,
        rest_longest=settings.outage_longest,
        lapses=settings.worker_losses,
        recall_due=settings.recall_due,
    )
    line = HttpsLine(
        certificates=settings.certificates_dir,
        credentials=settings.credentials_dir,
        connect_timeout=settings.connect_timeout,
        reply_timeout=settings.reply_timeout,
    )
    return Gateway(
        store=store,
        profiles=require_own(load_profiles(settings.profiles_dir or OWN_PROFILES)),
        policy=POLICY,
        schedule=schedule,
        ods=OdsCode(settings.operator_ods),
        writers={Format.FHIR_TRANSACTION: FhirTransaction()},
        destinations={Transport.FHIR_REST: FhirRest(line)},
        opt_out_age=settings.opt_out_age,
    )


def create_app(settings: Settings) -> "Flask":
    """Make the WSGI application of the front door."""
    from gateway.inbound.front_door import build_front_door  # noqa: PLC0415

    return build_front_door(
        open_gateway(settings),
        public_url=settings.public_url,
        token_lifetime=settings.token_lifetime,
        max_body_bytes=settings.max_body_bytes,
    )


def create_worker(settings: Settings) -> "Worker":
    """Make the worker of the back door."""
    from gateway.outbound.worker import Worker  # noqa: PLC0415

    return Worker(
        open_gateway(settings),
        threads=settings.delivery_threads,
        share=settings.delivery_share,
        poll=settings.delivery_poll,
    )


def open_signers(settings: Settings) -> tuple[Ed25519Signer, ...]:
    """Make the signers of checkpoints, the current one first; none where no key is given.

    Raises:
        KeyMissingError: a key is not 32 bytes of base64.
    """
    return tuple(Ed25519Signer(seed) for seed in ledger_seeds(settings))


def create_keeper(settings: Settings) -> "Keeper":
    """Make the keeper, which signs the ledger's heads and has them cosigned, beside the worker.

    Raises:
        KeyMissingError: there is no key to sign with.
        ConfigError: the setting of the witnesses is wrong.
    """
    from gateway.outbound.keeper import Keeper  # noqa: PLC0415
    from gateway.outbound.witness import read_witnesses  # noqa: PLC0415

    signers = open_signers(settings)
    if not signers:
        msg = (
            "GATEWAY_LEDGER_KEYS is empty: the ledger would not be signed; `gateway init` makes one"
        )
        raise KeyMissingError(msg)
    witnesses = read_witnesses(
        settings.witnesses,
        certificates=settings.certificates_dir,
        timeout=settings.witness_timeout,
    )
    return Keeper(
        open_gateway(settings),
        signers,
        due=Due(every=settings.checkpoint_every, entries=settings.checkpoint_entries),
        cosigners=[Cosigner(witness=each) for each in witnesses],
    )
