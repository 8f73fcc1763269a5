"""The composition root: settings become live objects. The only place that sees all rooms.

The front door and the back door are imported by whoever opens them, so that a command that
needs neither starts quickly.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.config import (
    OWN_MAPPINGS,
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
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.read_subscription import LONGEST_TIMEOUT
from gateway.journey.cosign import Cosigner
from gateway.journey.gateway import Destination, Gateway, Schedule, Writer
from gateway.journey.publish import Due
from gateway.journey.reach import Reach, read_hosts
from gateway.ledger.note import Ed25519Signer
from gateway.mapping.bars_message import BarsMessage
from gateway.mapping.fhir_rest import FhirTransaction
from gateway.mapping.health_and_work import HealthAndWork
from gateway.mapping.outcome_terms import load_outcome_maps
from gateway.mapping.report_text import employer_minimum
from gateway.outbound.addresses import look_up
from gateway.outbound.bars import Bars
from gateway.outbound.client_token import ClientTokens
from gateway.outbound.fhir_rest import FhirRest
from gateway.outbound.https_line import HttpsLine
from gateway.outbound.https_xml import HttpsXml
from gateway.outbound.mesh import Mesh
from gateway.referral.directory import Format, Transport
from gateway.referral.identifiers import OdsCode
from gateway.store.clock import DatabaseClock
from gateway.store.engine import Store
from gateway.store.schema import require_current_schema
from gateway.store.vault import Vault

if TYPE_CHECKING:
    from flask import Flask

    from gateway.outbound.keeper import Keeper
    from gateway.outbound.mailbox import Postman
    from gateway.outbound.notifier import Notifier
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
        ConfigError: a stylesheet, schema, map or dataset of the mappings is missing or wrong.
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
        letter_due=settings.letter_due,
        silence=settings.silence,
    )
    profiles = require_own(load_profiles(settings.profiles_dir or OWN_PROFILES))
    load_outcome_maps()  # these two are read at need; what is wrong in them stops the start
    employer_minimum()
    work = HealthAndWork(OWN_MAPPINGS / "health-and-work")
    return Gateway(
        store=store,
        profiles=profiles,
        policy=POLICY,
        schedule=schedule,
        ods=OdsCode(settings.operator_ods),
        writers=_writers(settings, profiles) | {Format.HEALTH_AND_WORK: work},
        destinations=_destinations(settings, work),
        opt_out_age=settings.opt_out_age,
        clock=_clock(store),
    )


def _clock(store: Store) -> Callable[[], datetime]:
    """All machines go by the clock of the database that they share; an embedded one has none."""
    if store.engine.dialect.name == "postgresql":
        return DatabaseClock(store.engine)
    return lambda: datetime.now(UTC)


def _writers(settings: Settings, profiles: Profiles) -> dict[Format, Writer]:
    return {
        Format.FHIR_TRANSACTION: FhirTransaction(),
        Format.BARS_MESSAGE: BarsMessage(profiles, by=OdsCode(settings.operator_ods)),
    }


def _line(settings: Settings) -> HttpsLine:
    return HttpsLine(
        certificates=settings.certificates_dir,
        credentials=settings.credentials_dir,
        connect_timeout=settings.connect_timeout,
        reply_timeout=settings.reply_timeout,
    )


def _destinations(settings: Settings, work: HealthAndWork) -> dict[Transport, Destination]:
    line = _line(settings)
    return {
        Transport.FHIR_REST: FhirRest(line),
        Transport.BARS: Bars(line, ClientTokens(line)),
        Transport.HTTPS: HttpsXml(line, work.read_receipt),
        Transport.MESH: Mesh(line),
    }


def create_app(settings: Settings) -> "Flask":
    """Make the WSGI application of the front door."""
    from gateway.inbound.front_door import build_front_door  # noqa: PLC0415

    return build_front_door(
        open_gateway(settings),
        public_url=settings.public_url,
        token_lifetime=settings.token_lifetime,
        max_body_bytes=settings.max_body_bytes,
        reach=_reach(settings),
    )


def _reach(settings: Settings) -> Reach:
    return Reach(look_up=look_up, named=read_hosts(settings.subscription_hosts))


def create_worker(settings: Settings) -> "Worker":
    """Make the worker of the back door."""
    from gateway.outbound.worker import Worker  # noqa: PLC0415

    return Worker(
        open_gateway(settings),
        threads=settings.delivery_threads,
        share=settings.delivery_share,
        poll=settings.delivery_poll,
    )


def create_postman(settings: Settings) -> "Postman":
    """Make the postman, which looks after our MESH mailboxes, beside the worker."""
    from gateway.outbound.mailbox import Postman  # noqa: PLC0415

    return Postman(open_gateway(settings), _line(settings), poll=settings.mesh_poll)


def create_notifier(settings: Settings) -> "Notifier":
    """Make the notifier, which tells subscribers what happened, beside the worker.

    Raises:
        ConfigError: the setting of the hosts that subscriptions may name is wrong.
    """
    from gateway.inbound.front_door import FHIR_BASE  # noqa: PLC0415
    from gateway.outbound.notifier import Notifier  # noqa: PLC0415
    from gateway.outbound.rest_hook import RestHook  # noqa: PLC0415

    line = HttpsLine(
        certificates=settings.certificates_dir,
        credentials=settings.credentials_dir,
        connect_timeout=settings.connect_timeout,
        reply_timeout=LONGEST_TIMEOUT,
    )
    return Notifier(
        open_gateway(settings),
        RestHook(line, _reach(settings)),
        base_url=settings.public_url.rstrip("/") + FHIR_BASE,
        threads=settings.notifier_threads,
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
