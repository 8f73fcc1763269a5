"""A whole gateway as an operator runs it: real processes, a real database, a real provider."""

import json
import os
import socket
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import requests
import yaml
from joserfc import jwt

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.journey.apply_directory import apply_directory, plan_directory
from gateway.journey.gateway import Gateway
from gateway.journey.reconcile import Reconciliation, reconcile
from gateway.ledger.verify import Head, verify_entries
from gateway.referral.lifecycle import DeliveryState
from gateway.referral.model import Delivery
from gateway.store import deliveries, ledger
from tests.builders.house import KEK, LEDGER_SEED, LOOKUP, directory, key
from tests.builders.messages import service_request
from tests.processes.children import kill, start_gateway
from tests.processes.receiver import CA_FILE, Receiver, until

DEAD_PROXY = "http://127.0.0.1:9"
CLIENT = "gp-one"
_KEYS = {name: key(name) for name in ("gp-one", "gp-two", "oh-one")}


@dataclass
class Installation:
    """One gateway: its settings, its children and its only practice's computer."""

    database_url: str
    folder: Path
    receiver: Receiver
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    children: list[ForkServerProcess] = field(default_factory=list)
    services: dict[str, str] = field(default_factory=dict)
    token: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """What the processes see: our settings, and proxies that must never be used."""
        own = {f"GATEWAY_{name}".upper(): value for name, value in self._given.items()}
        proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), DEAD_PROXY)
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder)} | proxies | own

    @property
    def _given(self) -> dict[str, str]:
        return {
            "database_url": self.database_url,
            "public_url": self.url,
            "key_encryption_keys": KEK,
            "lookup_key": LOOKUP,
            "ledger_keys": LEDGER_SEED,
            "certificates_dir": str(self.receiver.folder),
            "delivery_poll": "PT0.05S",
            "connect_timeout": "PT1S",
            "reply_timeout": "PT1S",
            "retry_first": "PT0.2S",
            "retry_longest": "PT1S",
        } | self.settings

    @cached_property
    def gateway(self) -> Gateway:
        """The same gateway in this process, for what no process needs to be killed at."""
        given: dict[str, Any] = self._given
        return open_gateway(read_settings(**given))

    def offer(self, addresses: Mapping[str, str]) -> None:
        """Have one service for each name, at its address."""
        tree = directory(_KEYS)
        later = (datetime.now(UTC) + timedelta(days=300)).date().isoformat()
        for provider in tree["providers"]:
            provider["assured_until"] = later
        oh = tree["services"][0]
        for number, (name, address) in enumerate(addresses.items()):
            self.services[name] = f"90000010{number:02}"
            point = {"id": f"to-{name}", "transport": "fhir-rest", "address": address}
            tree["endpoints"].append(point | {"ca_file": CA_FILE})
            own = {"id": f"oh-{name}", "dos_service_id": self.services[name]}
            tree["services"].append(oh | own | {"endpoint": point["id"]})
        text = yaml.safe_dump(tree)
        plan = plan_directory(text, self.gateway, end_missing=False)
        apply_directory(plan, text, self.gateway)

    def serve(self) -> ForkServerProcess:
        """Start the front door, and wait until it answers."""
        process = self._start("serve", "--port", str(self.port))
        until(self._answers)
        return process

    def work(self, workers: int = 1) -> list[ForkServerProcess]:
        """Start workers."""
        return [self._start("worker") for _ in range(workers)]

    def _start(self, *arguments: str) -> ForkServerProcess:
        log = self.folder / "gateway.log"
        process = start_gateway(*arguments, environment=self.environment, log=log)
        self.children.append(process)
        return process

    def _answers(self) -> bool:
        with suppress(OSError):
            return _ask("GET", f"{self.url}/_ping").ok
        return False

    def post(
        self, service: str, request_id: str | None = None, body: bytes = b""
    ) -> requests.Response:
        """Post one referral once. Raises OSError where nobody answers."""
        if not self.token:
            self.token = self._new_token()
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/fhir+json",
            "X-Request-Id": request_id or str(uuid.uuid4()),
        }
        sent = body or message(self.services[service])
        return _ask("POST", f"{self.url}/FHIR/R4/ServiceRequest", data=sent, headers=headers)

    def post_until_accepted(self, service: str, *, seconds: float = 60) -> str:
        """Post one referral until it is accepted; return its id. Another 4xx fails at once."""
        request_id, body = str(uuid.uuid4()), message(self.services[service])
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            with suppress(OSError):
                reply = self.post(service, request_id, body)
                if reply.status_code == 201:
                    return str(reply.json()["id"])
                # 425: the process that had claimed it was killed, and its claim not yet over.
                assert reply.status_code >= 500 or reply.status_code == 425, reply.text
            time.sleep(0.02)
        msg = "it was not accepted in time"
        raise TimeoutError(msg)

    def _new_token(self) -> str:
        url = f"{self.url}/FHIR/R4/oauth2/token"
        now = int(datetime.now(UTC).timestamp())
        claims = {
            "iss": CLIENT, "sub": CLIENT, "aud": url, "jti": str(uuid.uuid4()), "exp": now + 60,
        }  # fmt: skip
        header = {"alg": "ES384", "kid": CLIENT}
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": jwt.encode(header, claims, _KEYS[CLIENT], algorithms=["ES384"]),
        }
        reply = _ask("POST", url, data=form)
        reply.raise_for_status()
        return str(reply.json()["access_token"])

    def deliveries(self) -> list[Delivery]:
        """Return every delivery as it is now."""
        with self.gateway.store.reading(as_one_moment=True) as view:
            return [each for of in deliveries.by_referral(view).values() for each in of]

    def await_delivered(self, number: int, *, seconds: float = 40) -> None:
        """Wait until so many are delivered, and none is on its way.

        Raises:
            TimeoutError: for so many seconds nothing more was delivered.
        """

        def delivered() -> int:
            states = Counter(each.state for each in self.deliveries())
            return states[DeliveryState.DELIVERED] if states.total() == number else -1

        while (before := delivered()) != number:
            until(lambda: delivered() > before, seconds=seconds, every=0.1)

    def check_the_books(self) -> Reconciliation:
        """Check the ledger, and that rows and ledger agree; return the counts."""
        with self.gateway.store.reading(as_one_moment=True) as view:
            for log, head in ledger.logs(view.connection):
                rows = ledger.entries(view.connection, log)
                kept = Head(size=head.size, root=head.root())
                report = verify_entries(rows, log=log, head=kept, progress=lambda _: None)
                assert report.ok, report.findings
        found = reconcile(self.gateway)
        assert found.discrepancies == ()
        return found

    def end(self) -> None:
        """Leave nothing running."""
        for child in self.children:
            kill(child)
        self.gateway.store.close()


def message(service: str) -> bytes:
    """A referral to one service, written today."""
    tree = service_request(service=service)
    now = datetime.now(UTC)
    tree["authoredOn"] = now.isoformat(timespec="seconds")
    tree["contained"][1]["dateTime"] = (now - timedelta(days=1)).isoformat(timespec="seconds")
    return json.dumps(tree).encode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def overlaps(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """Name each key that was being attempted twice at the same moment."""
    under_way: dict[str, int] = {}
    found = []
    for each in events:
        step = {"began": 1, "ended": -1}.get(each["event"], 0)
        under_way[each["key"]] = under_way.get(each["key"], 0) + step
        if under_way[each["key"]] > 1:
            found.append(each["key"])
    return found


def _ask(
    method: str,
    url: str,
    *,
    data: bytes | dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> requests.Response:
    """Ask once, on a line of its own: the other end may have been killed since the last."""
    with requests.Session() as session:
        session.trust_env = False
        return session.request(method, url, data=data, headers=headers, timeout=10)
