"""A simulated MESH with practices behind it: `python -m gateway.cli.demo.mesh_house --port ...`.

What enters: a configuration, and requests to MESH's API on this machine. What leaves: what MESH
answers, and what the systems of the practices send back through it. MESH is the NHS's own sandbox,
with routing by person (`mesh_sandbox_parts`); each practice is a thread that uses it as a practice
does (`practice_system`); `mesh_control` has addresses for those who watch. Also in a thread::

    house = MeshHouse(config, folder)
    with running(house):
        ...  # house.url

Must never: listen beyond this machine.
"""

import argparse
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from ssl import CERT_NONE, CERT_REQUIRED
from typing import TYPE_CHECKING, Final

from gateway.cli.demo.mesh_config import MeshConfig, MeshPractice, read_config
from gateway.cli.demo.mesh_control import CONTROL, Controls, build_control
from gateway.cli.demo.mesh_routing import Register
from gateway.cli.demo.mesh_sandbox_parts import build_sandbox
from gateway.cli.demo.practice_inbox import Inbox
from gateway.cli.demo.practice_system import MeshAddress, PracticeSystem
from gateway.errors import SetupError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp, Receive, Scope, Send

PORT_FILE: Final = "port"
"""In the folder, once the program listens: at which port."""
_HOST: Final = "127.0.0.1"
_KEEP_ALIVE: Final = timedelta(minutes=1)
_STOP_PATIENCE: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshTls:
    """By which files MESH is known, and by which it knows its callers.

    `ca`: who signed `certificate`; practices trust it. `client_ca`: who signs callers; None: anybody
    may call. `client_certificate`: what the practices show, certificate and key in one file.
    """

    certificate: Path
    key: Path
    ca: Path
    client_ca: Path | None = None
    client_certificate: Path | None = None


class MeshHouse:
    """A MESH that listens already, and the practices behind it. Each serves once.

    Raises:
        SetupError: mesh-sandbox is not installed, or one runs in this process already.
    """

    def __init__(
        self, config: MeshConfig, folder: Path, *, port: int = 0, tls: MeshTls | None = None
    ) -> None:
        self.config = config
        self.folder = folder
        """Where each practice has a folder of what it received; see `practice_inbox.read_inbox`."""
        self._register = Register(config)
        self._line = socket.create_server((_HOST, port), backlog=128)
        # Each connection inherits it; without it every answer waits 40 ms for the one before.
        self._line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._sandbox = build_sandbox(config, self._register, self._wake)
        except SetupError:
            self._line.close()
            raise
        self.port: int = self._line.getsockname()[1]
        self._is_tls = tls is not None
        self.systems = {each.mailbox.id: self._system(each, tls) for each in config.practices}
        self._server = self._made(tls)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self._is_tls else 'http'}://{_HOST}:{self.port}"

    def serve(self) -> None:
        """Serve until `stop`, or until the process is told to end."""
        for system in self.systems.values():
            system.start()
        try:
            self._server.run(sockets=[self._line])
        finally:
            for system in self.systems.values():
                system.stop()
            self._line.close()
            self._sandbox.leave()

    def stop(self) -> None:
        """Serve no more: first the practices end, then MESH."""
        for system in self.systems.values():
            system.stop()
        self._server.should_exit = True

    def _made(self, tls: MeshTls | None) -> "uvicorn.Server":
        import uvicorn
        from uvicorn.protocols.http.h11_impl import H11Protocol

        controls = Controls(
            register=self._register,
            systems=self.systems,
            expire=self._sandbox.expire,
            empty=self._sandbox.empty,
        )

        class Server(uvicorn.Server):
            async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
                """Break idle connections: their other ends may keep them for long."""
                for each in self.server_state.connections:
                    if isinstance(each, H11Protocol) and not (
                        each.cycle and not each.cycle.response_complete
                    ):
                        each.transport.abort()
                await super().shutdown(sockets)

        asked = tls.client_ca if tls else None
        return Server(
            uvicorn.Config(
                _both(build_control(controls), self._sandbox.app),
                log_level="warning",
                access_log=False,
                lifespan="off",
                http=H11Protocol,
                timeout_keep_alive=int(_KEEP_ALIVE.total_seconds()),
                timeout_graceful_shutdown=1,
                ssl_certfile=tls.certificate if tls else None,
                ssl_keyfile=tls.key if tls else None,
                ssl_ca_certs=str(asked) if asked else None,
                ssl_cert_reqs=CERT_REQUIRED if asked else CERT_NONE,
            )
        )

    def _system(self, practice: MeshPractice, tls: MeshTls | None) -> PracticeSystem:
        at = MeshAddress(
            url=self.url,
            shared_key=self.config.shared_key,
            ca_file=tls.ca if tls else None,
            certificate=tls.client_certificate if tls else None,
        )
        persons = self.config.persons_of(practice.mailbox.ods)
        inbox = Inbox(self.folder, practice.mailbox.id)
        return PracticeSystem(practice, at, inbox, knows=persons.__contains__)

    def _wake(self, mailbox: str) -> None:
        """Spare a practice the wait until it looks next."""
        system = self.systems.get(mailbox)
        if system is not None:
            system.wake()


@contextmanager
def running(house: MeshHouse) -> Iterator[MeshHouse]:
    """Serve in a thread of this process for as long as the block lasts."""
    thread = threading.Thread(target=house.serve, name="simulated MESH", daemon=True)
    thread.start()
    try:
        yield house
    finally:
        house.stop()
        thread.join(_STOP_PATIENCE.total_seconds())


def _both(control: "ASGIApp", mesh: "ASGIApp") -> "ASGIApp":
    """Bring each request to the one it is for."""

    async def app(scope: "Scope", receive: "Receive", send: "Send") -> None:
        is_control = str(scope.get("path", "")).startswith(CONTROL)
        await (control if is_control else mesh)(scope, receive, send)

    return app


def main(arguments: list[str] | None = None) -> None:
    """Serve until stopped."""
    told = _parser().parse_args(arguments)
    tls = None
    if told.cert is not None:
        tls = MeshTls(
            certificate=told.cert,
            key=told.key,
            ca=told.ca,
            client_ca=told.client_ca,
            client_certificate=told.client_cert,
        )
    try:
        house = MeshHouse(read_config(told.config), told.folder, port=told.port, tls=tls)
    except (SetupError, OSError) as error:
        sys.exit(f"error: {error}")
    new = told.folder / f"{PORT_FILE}.new"
    new.write_text(str(house.port), encoding="ascii")
    new.replace(told.folder / PORT_FILE)
    sys.stderr.write(f"MESH with its practices listens on port {house.port}\n")
    with suppress(KeyboardInterrupt):
        house.serve()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m gateway.cli.demo.mesh_house")
    parser.add_argument("--port", type=int, required=True, help="0: any that is free.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument(
        "--folder", type=Path, required=True, help="Where practices keep what they receive."
    )
    parser.add_argument("--cert", type=Path, help="The server's certificate; none: plain HTTP.")
    parser.add_argument("--key", type=Path)
    parser.add_argument("--ca", type=Path, help="Who signed it.")
    parser.add_argument("--client-ca", type=Path, help="Who signs callers; none: all may call.")
    parser.add_argument(
        "--client-cert", type=Path, help="What the practices show: certificate and key."
    )
    return parser


if __name__ == "__main__":
    main()
