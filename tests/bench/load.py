"""A load of referrals on a real front door: gunicorn in its own processes, HTTP over loopback."""

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.bench.messages import referral_of_about_20_kb
from tests.builders.house import KEK, LOOKUP, directory, key

_FHIR = "/FHIR/R4"


@dataclass(kw_only=True)
class Load:
    """What one load came to. Times in milliseconds, of accepted requests only."""

    engine: str
    clients: int
    per_second: float
    p50_ms: float
    p99_ms: float
    other_answers: int
    body_bytes: int


@dataclass
class _Tally:
    times: list[float] = field(default_factory=list)
    others: int = 0


def accept_load(database_url: str, folder: Path, clients: int, seconds: float) -> Load:
    """Post distinct referrals from so many connections at once for so long."""
    keys = {name: key(name) for name in ("gp-one", "gp-two", "oh-one")}
    with _front_door(database_url, folder, keys) as port:
        token = _token(port, keys["gp-one"])
        bodies = [referral_of_about_20_kb(number) for number in range(200)]
        _run(port, token, bodies, clients, 1.0)  # warm up
        tallies, took = _run(port, token, bodies, clients, seconds)
    times = sorted(t * 1000 for tally in tallies for t in tally.times)
    cuts = statistics.quantiles(times, n=100)
    return Load(
        engine=database_url.split(":", maxsplit=1)[0].split("+", maxsplit=1)[0],
        clients=clients,
        per_second=len(times) / took,
        p50_ms=cuts[49],
        p99_ms=cuts[98],
        other_answers=sum(tally.others for tally in tallies),
        body_bytes=len(bodies[0]),
    )


def _run(
    port: int, token: str, bodies: list[bytes], clients: int, seconds: float
) -> tuple[list[_Tally], float]:
    tallies = [_Tally() for _ in range(clients)]
    started = time.perf_counter()
    until = started + seconds
    threads = [
        threading.Thread(target=_post_until, args=(port, token, bodies[n::clients], until, tally))
        for n, tally in enumerate(tallies)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tallies, time.perf_counter() - started


def _post_until(port: int, token: str, bodies: list[bytes], until: float, tally: _Tally) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    number = 0
    while time.perf_counter() < until:
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/fhir+json",
            "X-Request-Id": str(uuid.uuid4()),
        }
        started = time.perf_counter()
        connection.request("POST", f"{_FHIR}/ServiceRequest", bodies[number % len(bodies)], headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status == 201:
            tally.times.append(time.perf_counter() - started)
        else:
            tally.others += 1
        number += 1
    connection.close()


@contextmanager
def _front_door(database_url: str, folder: Path, keys: dict[str, ECKey]) -> Iterator[int]:
    port = _free_port()
    environment = os.environ | {
        "GATEWAY_DATABASE_URL": database_url,
        "GATEWAY_KEY_ENCRYPTION_KEYS": KEK,
        "GATEWAY_LOOKUP_KEY": LOOKUP,
        "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    file = folder / "directory.yaml"
    file.write_text(yaml.safe_dump(directory(keys)))
    for words in (["db", "upgrade"], ["directory", "apply", str(file)]):
        subprocess.run(
            [sys.executable, "-m", "gateway", *words],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    with (folder / "web.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--port", str(port)],
            env=environment,
            stderr=log,
            stdout=log,
        )
        try:
            _await(port)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(port: int) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/_ping")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the front door did not open within 30 s")


def _token(port: int, signing: ECKey) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": "gp-one", "sub": "gp-one", "jti": str(uuid.uuid4()), "exp": now + 60,
        "aud": f"http://127.0.0.1:{port}{_FHIR}/oauth2/token",
    }  # fmt: skip
    assertion = jwt.encode({"alg": "ES384", "kid": "gp-one"}, claims, signing, algorithms=["ES384"])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(
        "POST",
        f"{_FHIR}/oauth2/token",
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
        f"client-assertion-type%3Ajwt-bearer&client_assertion={assertion}",
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    token: str = json.loads(connection.getresponse().read())["access_token"]
    return token
