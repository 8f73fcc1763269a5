"""A whole gateway in one process: real database, real rules; the far end is a fake."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import flask
import yaml
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import ECKey

from gateway.config import OWN_PROFILES, Settings, read_settings
from gateway.consent.rules import POLICY
from gateway.errors import Severity
from gateway.fhir.profiles.load import load_profiles
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.text import read_resource
from gateway.fhir.validate import validate
from gateway.inbound.front_door import build_front_door
from gateway.journey.apply_directory import apply_directory, plan_directory
from gateway.journey.gateway import Acknowledgement, Gateway, Parcel, Schedule
from gateway.mapping.fhir_rest import FhirTransaction
from gateway.referral.directory import Format, Transport
from gateway.referral.identifiers import OdsCode
from gateway.store.engine import Store, make_engine
from gateway.store.schema import upgrade
from gateway.store.vault import Vault
from tests.builders.messages import OTHER_PRACTICE, PHARMACY, PRACTICE, PROVIDER

PATIENT = timedelta(minutes=1)
"""Time to answer that a busy machine does not use up: only tests of that time count on it."""

KEK = "k1:" + "A" * 43 + "="
LOOKUP = "B" * 43 + "="
LEDGER_SEED = "C" * 43 + "="
ALL_SCOPES = [
    "system/ServiceRequest.c", "system/ServiceRequest.rs", "system/Task.rs", "system/Task.u",
    "system/Consent.c", "system/Consent.rs", "system/Consent.u",
    "gateway/sharing.r", "gateway/sharing.u", "system/AuditEvent.rs",
    "system/Subscription.c", "system/Subscription.rs", "system/Subscription.u",
    "system/Subscription.d",
]  # fmt: skip
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class FakeDestination:
    """A provider that remembers what it got, and fails as it is told."""

    received: list[Parcel] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        if self.failures:
            raise self.failures.pop(0)
        self.received.append(parcel)
        return Acknowledgement(status=200)


@cache
def own_profiles() -> Profiles:
    """The profiles that come with the program, read once for all tests."""
    return load_profiles(OWN_PROFILES)


def settings(database_url: str, **changed: Any) -> Settings:
    return read_settings(
        database_url=database_url,
        key_encryption_keys=KEK,
        lookup_key=LOOKUP,
        public_url="http://gateway.example",
        **changed,
    )


def key(kid: str) -> ECKey:
    return ECKey.generate_key("P-384", {"kid": kid, "use": "sig", "alg": "ES384"})


def directory(keys: dict[str, ECKey]) -> dict[str, Any]:
    """A practice with agreements, one without, an OH provider and a pharmacy."""
    purpose = "occupational-health"
    clients = {"gp-one": PRACTICE, "gp-two": OTHER_PRACTICE, "oh-one": PROVIDER}
    return {
        "commissioners": [{"ods": "QX9", "name": "An ICB"}],
        "practices": [
            {"ods": PRACTICE, "name": "One Surgery", "commissioner": "QX9"},
            {"ods": OTHER_PRACTICE, "name": "Two Surgery", "commissioner": "QX9"},
        ],
        "providers": [
            _provider(PROVIDER, "oh-provider"),
            _provider(PHARMACY, "care-provider"),
        ],
        "endpoints": [
            {"id": "oh", "transport": "fhir-rest", "address": "https://oh.example/fhir"},
            {"id": "pharmacy", "transport": "fhir-rest", "address": "https://rx.example/fhir"},
        ],
        "services": [
            {
                "id": "oh-assessment", "name": "OH assessment", "provider": PROVIDER,
                "dos_service_id": "9000000001", "endpoint": "oh", "accepting": True,
                "offers": [
                    {"use_case": "oh-referral", "purpose": purpose, "codes": ["306152009"]}
                ],
            },
            {
                "id": "pharmacy-first", "name": "Pharmacy First", "provider": PHARMACY,
                "dos_service_id": "9000000003", "endpoint": "pharmacy", "accepting": True,
                "offers": [
                    {
                        "use_case": "a5t1", "purpose": "direct-care",
                        "use_case_system": "https://fhir.nhs.uk/CodeSystem/"
                        "usecases-categories-bars",
                    }
                ],
            },
        ],
        "agreements": [
            {
                "id": "dsa-one-oh", "practice": PRACTICE, "counterparty": PROVIDER,
                "kind": "direct", "purposes": [purpose], "status": "active",
            }
        ],
        "clients": [
            {
                "id": name, "ods": ods, "scopes": ALL_SCOPES,
                "jwks": {"keys": [keys[name].as_dict(private=False)]},
            }
            for name, ods in clients.items()
        ],
    }  # fmt: skip


def _provider(ods: str, role: str) -> dict[str, Any]:
    return {"ods": ods, "name": f"Provider {ods}", "role": role, "assured_until": "2030-01-01"}


@dataclass
class House:
    """The gateway, its front door, its far end and its clock."""

    gateway: Gateway
    settings: Settings
    app: flask.Flask
    web: FlaskClient
    clock: Clock
    destination: FakeDestination
    keys: dict[str, ECKey]
    directory: dict[str, Any]
    tokens: dict[str, str] = field(default_factory=dict)

    def apply(self, **sections: Any) -> None:
        """Change sections of the directory and apply it."""
        self.directory |= sections
        text = yaml.safe_dump(self.directory)
        plan = plan_directory(text, self.gateway, end_missing=True)
        apply_directory(plan, text, self.gateway)

    def assertion(self, client: str = "gp-one", **changed: Any) -> str:
        now = int(self.clock.now.timestamp())
        claims = {
            "iss": client, "sub": client, "jti": str(uuid.uuid4()), "exp": now + 60,
            "aud": "http://gateway.example/FHIR/R4/oauth2/token",
        } | changed  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "ES384", "kid": client}
        return jwt.encode(header, claims, self.keys[client], algorithms=["ES384"])

    def ask_for_token(self, assertion: str, **more: str) -> Any:
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
        } | more
        return self.web.post("/FHIR/R4/oauth2/token", data=form)

    def bearer(self, client: str = "gp-one") -> dict[str, str]:
        if client not in self.tokens:
            answer = self.ask_for_token(self.assertion(client))
            self.tokens[client] = answer.get_json()["access_token"]
        return {"Authorization": f"Bearer {self.tokens[client]}"}

    def post(self, path: str, tree: Any, *, client: str = "gp-one", **headers: str) -> Any:
        body = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "application/fhir+json", **self.bearer(client), **given}
        return self.web.post(f"/FHIR/R4{path}", data=body, headers=sent)

    def put(self, path: str, tree: Any, *, client: str = "gp-one", **headers: str) -> Any:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {"Content-Type": "application/fhir+json", **self.bearer(client), **given}
        return self.web.put(f"/FHIR/R4{path}", data=json.dumps(tree).encode(), headers=sent)

    def get(self, path: str, *, client: str = "gp-one", **query: Any) -> Any:
        return self.web.get(f"/FHIR/R4{path}", query_string=query, headers=self.bearer(client))


def _must_be_valid(answer: flask.Response) -> flask.Response:
    """Hold every answer against the validator that guards the door: what we make is FHIR too."""
    media = (answer.content_type or "").partition(";")[0]
    if media in ("application/fhir+json", "application/fhir+xml") and answer.data:
        faults = validate(read_resource(answer.data), profiles=own_profiles())
        assert not [fault for fault in faults if fault.severity is not Severity.WARNING]
    return answer


@cache
def own_keys() -> Mapping[str, ECKey]:
    """The keys of every house's clients, made once: a furnished database knows them."""
    return {name: key(name) for name in ("gp-one", "gp-two", "oh-one")}


def furnish(database_url: str) -> None:
    """Make the schema in an empty database, and apply the directory that every new house has."""
    engine = make_engine(database_url, timeout=timedelta(seconds=5), pool_size=1)
    upgrade(engine)
    engine.dispose()
    build_house(database_url).gateway.store.close()


def build_house(
    database_url: str, *, checks_answers: bool = True, is_furnished: bool = False
) -> House:
    """Build a gateway over a database whose schema is up to date.

    `is_furnished` where `furnish` made the database, in this process: it knows the directory.
    """
    read = settings(database_url)
    clock, destination = Clock(), FakeDestination()
    vault = Vault(
        {"k1": bytes(32)},
        bytes(range(32)),
        lambda n: uuid.uuid4().bytes * (n // 16) + b"x" * (n % 16),
    )
    store = Store(
        database_url, vault=vault, ledger_origin="gateway.example/ledger",
        timeout=timedelta(seconds=5), pool_size=4,
    )  # fmt: skip
    schedule = Schedule(
        first=timedelta(seconds=10), longest=timedelta(hours=1), horizon=timedelta(days=5),
        lease=timedelta(seconds=29), margin=timedelta(seconds=1), hold_due=timedelta(days=2),
    )  # fmt: skip
    gateway = Gateway(
        store=store, profiles=own_profiles(), policy=POLICY, schedule=schedule, ods=OdsCode("XGW01"),
        writers={Format.FHIR_TRANSACTION: FhirTransaction()}, destinations={Transport.FHIR_REST: destination}, clock=clock, chance=lambda: 0.0,
    )  # fmt: skip
    app = build_front_door(
        gateway,
        public_url=read.public_url,
        token_lifetime=read.token_lifetime,
        max_body_bytes=read.max_body_bytes,
        answer_within=PATIENT,
    )
    if checks_answers:
        app.after_request(_must_be_valid)
    keys = dict(own_keys())
    house = House(
        gateway=gateway, settings=read, app=app, web=app.test_client(), clock=clock,
        destination=destination, keys=keys, directory=directory(keys),
    )  # fmt: skip
    if not is_furnished:
        house.apply()
    return house
