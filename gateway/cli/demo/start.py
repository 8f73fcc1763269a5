"""Everything up: folder, keys, directory, and every process of its own, speaking real HTTP.

What enters: a folder. What leaves: a running Demo, for the command and for tests::

    with start_demo(folder) as demo:
        demo.call("POST", "/ServiceRequest", client="hawthorn-gp-system", data=body, ...)

However the `with` block ends, no process is left behind.
"""

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import requests

from gateway.cli.certs import CA_FILE, SERVER_FILE, SERVER_KEY_FILE
from gateway.cli.demo.clients import Signer, ask_for_token, signers
from gateway.cli.demo.folder import (
    CERTIFICATES,
    claimed,
    database,
    environment_with,
    prepare,
    write_description,
)
from gateway.cli.demo.mesh_setting import furnish_mesh, mesh_arguments
from gateway.cli.demo.processes import (
    Child,
    require,
    run_gateway,
    start_child,
    stop_all,
    wait_until,
)
from gateway.cli.demo.setting import ACCOUNTS, MESH, NEIGHBOURS, Neighbour, directory_file

FRONT_DOOR, WORKER = "front-door", "worker"
FHIR_BASE, SHARING_BASE = "/FHIR/R4", "/sharing"
_TIMEOUT = timedelta(seconds=15)
_MARGIN = timedelta(seconds=30)
"""How long before its end a token is replaced."""
_HOST = "127.0.0.1"

Tell = Callable[[str], None]


def _tell_nobody(_text: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A running demo. `environment` is what a gateway command needs to find it."""

    folder: Path
    ports: Mapping[str, int]
    settings: Mapping[str, str]
    environment: Mapping[str, str]
    signers: Mapping[str, Signer]
    session: requests.Session
    children: list[Child] = field(default_factory=list)
    _tokens: dict[str, tuple[str, datetime]] = field(default_factory=dict)

    @property
    def root_url(self) -> str:
        """Scheme, host and port of the front door."""
        return f"http://{_HOST}:{self.ports[FRONT_DOOR]}"

    @property
    def base_url(self) -> str:
        """The FHIR base of the front door."""
        return self.root_url + FHIR_BASE

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return f"{self.base_url}/oauth2/token"

    @property
    def ca_file(self) -> Path:
        """The authority behind the neighbours' certificates."""
        return self.folder / CERTIFICATES / CA_FILE

    def child(self, name: str) -> Child:
        """Return a process by name."""
        return next(each for each in self.children if each.name == name)

    def token(self, client: str) -> str:
        """Return an access token of a client, a new one where the last is about to end."""
        now = datetime.now(UTC)
        if client not in self._tokens or self._tokens[client][1] - _MARGIN <= now:
            token, lifetime = ask_for_token(self.signers[client], self.token_url)
            self._tokens[client] = token, now + lifetime
        return self._tokens[client][0]

    def call(
        self,
        method: str,
        path: str,
        *,
        client: str,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        base: str = FHIR_BASE,
    ) -> requests.Response:
        """Call the front door as a client; `path` is below the base."""
        return self.session.request(
            method,
            f"{self.root_url}{base}{path}",
            headers={"Authorization": f"Bearer {self.token(client)}", **(headers or {})},
            data=data,
            timeout=_TIMEOUT.total_seconds(),
            allow_redirects=False,
        )

    def neighbour_url(self, key: str) -> str:
        """Return where a neighbour listens."""
        return f"https://{_HOST}:{self.ports[key]}"

    def ask_neighbour(
        self, key: str, method: str, path: str, *, json: Mapping[str, Any] | None = None
    ) -> Any:  # noqa: ANN401  # JSON of a server that is not ours
        """Ask a neighbour something; return its JSON."""
        answer = self.session.request(
            method,
            f"{self.neighbour_url(key)}{path}",
            json=json,
            timeout=_TIMEOUT.total_seconds(),
            verify=str(self.ca_file),
        )
        answer.raise_for_status()
        return answer.json()

    def describe(self, samples: Sequence[Path] = (), consents: Sequence[Path] = ()) -> Path:
        """Write demo.json: all that a person or a script needs to take part.

        Args:
            samples: the messages that were posted.
            consents: what was sent to the consent register.
        """
        files = {"samples": samples, "consents": consents}
        paths = {name: [str(path) for path in each] for name, each in files.items()}
        return write_description(self.folder, {**_described(self), **paths})


@contextmanager
def start_demo(
    folder: Path, *, tell: Tell = _tell_nobody, settings: Mapping[str, str] | None = None
) -> Iterator[Demo]:
    """Start gateway, worker and neighbours; stop them all at the end.

    1. Claim the folder; make settings, keys and certificates.
    2. Start the neighbours; make the database; start the front door and the worker.
    3. Apply the directory of the demo, and wait until every process answers.
    4. Describe it all in demo.json.

    Args:
        folder: where everything is kept.
        tell: is told each step.
        settings: more GATEWAY_* variables for the gateway's own processes.

    Raises:
        SetupError: something did not start; with the end of its log.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(claimed(folder))
        ports = _free_ports([FRONT_DOOR, MESH, *(each.key for each in NEIGHBOURS)])
        tell("keys and certificates")
        own = {**prepare(folder, port=ports[FRONT_DOOR]), **(settings or {})}
        furnish_mesh(folder)
        signing = signers(folder / "clients")
        demo = Demo(
            folder=folder,
            ports=ports,
            settings=own,
            environment=environment_with(own),
            signers=signing,
            session=stack.enter_context(requests.Session()),
        )
        demo.session.trust_env = False
        _start_processes(demo, stack, tell)
        demo.describe()
        yield demo


def _free_ports(names: Sequence[str]) -> Mapping[str, int]:
    """Find free ports, all different: each is held until the last is found."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server((_HOST, 0))) for _ in names]
        return {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}


def _start_processes(demo: Demo, stack: ExitStack, tell: Tell) -> None:
    """Start what can start, while what the next one needs is made; then wait for each."""
    logs = demo.folder / "logs"
    logs.mkdir(exist_ok=True)
    stack.callback(stop_all, demo.children)
    start = partial(start_child, environment=demo.environment, logs=logs)
    tell("three neighbours, each a process of its own")
    for each in NEIGHBOURS:
        arguments = _provider_arguments(demo, each)
        demo.children.append(start(each.key, "gateway.cli.demo.provider", arguments))
    tell("MESH, and the practices' systems behind it")
    mesh = mesh_arguments(demo.folder, demo.ports[MESH])
    demo.children.append(start(MESH, "gateway.cli.demo.mesh_house", mesh))
    tell("database")
    require(run_gateway("db", "upgrade", environment=demo.environment))
    tell("front door and worker")
    port = str(demo.ports[FRONT_DOOR])
    demo.children.append(start(FRONT_DOOR, "gateway", ["serve", "--port", port]))
    demo.children.append(start(WORKER, "gateway", ["worker"]))
    tell("directory of practices, providers, services, agreements and clients")
    _apply_directory(demo)
    for each in NEIGHBOURS:
        url = f"{demo.neighbour_url(each.key)}/_received"
        wait_until(demo.child(each.key), partial(_answers, demo, url))
    mesh_url = f"https://{_HOST}:{demo.ports[MESH]}/_practices"
    wait_until(demo.child(MESH), partial(_answers, demo, mesh_url))
    wait_until(demo.child(FRONT_DOOR), partial(_answers, demo, f"{demo.root_url}/_ping"))


def _apply_directory(demo: Demo) -> None:
    keys = {name: signer.public_key() for name, signer in demo.signers.items()}
    today = datetime.now(UTC).date()
    file = demo.folder / "directory.yaml"
    file.write_text(directory_file(demo.ports, keys, today=today), encoding="utf-8")
    require(run_gateway("directory", "apply", str(file), environment=demo.environment))


def _provider_arguments(demo: Demo, neighbour: Neighbour) -> list[str]:
    certificates = demo.folder / CERTIFICATES
    arguments = {
        "--ods": neighbour.ods,
        "--name": neighbour.name,
        "--port": str(demo.ports[neighbour.key]),
        "--cert": str(certificates / SERVER_FILE),
        "--key": str(certificates / SERVER_KEY_FILE),
        "--db": str(demo.folder / f"{neighbour.key}.sqlite3"),
    }
    takes = [f"--takes={system}|{code}" for system, code in neighbour.takes]
    return [word for pair in arguments.items() for word in pair] + takes


def _answers(demo: Demo, url: str) -> bool:
    try:
        answer = demo.session.get(url, timeout=2, verify=str(demo.ca_file))
    except requests.RequestException:
        return False
    return answer.ok


def _described(demo: Demo) -> Mapping[str, object]:
    return {
        "base_url": demo.base_url,
        "token_url": demo.token_url,
        "sharing_url": demo.root_url + SHARING_BASE,
        "ping_url": f"{demo.root_url}/_ping",
        "console_url": None,
        "clients": [
            {
                "id": each.id,
                "ods": each.ods,
                "name": each.name,
                "scopes": [scope.value for scope in each.scopes],
                "algorithm": each.algorithm,
                "kid": demo.signers[each.id].kid,
                "key_file": str(demo.signers[each.id].key_file),
            }
            for each in ACCOUNTS
        ],
        "directory_file": str(demo.folder / "directory.yaml"),
        "ca_file": str(demo.ca_file),
        "neighbours": [
            {
                "name": each.name,
                "key": each.key,
                "ods": each.ods,
                "service": each.dos_service_id,
                "url": demo.neighbour_url(each.key),
                "port": demo.ports[each.key],
                "pid": demo.child(each.key).process.pid,
            }
            for each in NEIGHBOURS
        ],
        "ports": dict(demo.ports),
        "processes": [
            {"name": each.name, "pid": each.process.pid, "log": str(each.log)}
            for each in demo.children
        ],
        "database": str(database(demo.folder)),
        "environment": dict(demo.settings),
    }
