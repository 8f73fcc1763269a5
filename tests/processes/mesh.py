"""The NHS's own stand-in for MESH, mesh-sandbox, in a process of its own, behind mutual TLS.

What enters: requests to MESH's API on this machine. What leaves: what the sandbox answers; and,
for the mailboxes of CONDUCTS, a fault instead, once for each local id. Beyond the sandbox, it
refuses a token that was used before and a workflow that is not registered, as MESH does.
Started by `running_mesh`.
"""

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from mesh_client import MeshClient

from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import EndpointId
from tests.processes.certificates import CA_FILE, make_certificates
from tests.processes.children import start
from tests.processes.receiver import until

OURS, THEIRS, STRANGER = "GATEWAY1", "OHPROV1", "STRANGER1"
WORKFLOW, UNREGISTERED = "REFERRAL", "NOT_REGISTERED"
CONDUCTS = (
    "HANGS",  # takes the message, and never answers
    "FAILS",  # takes the message, and answers 500
    "BUSY",  # takes nothing, and answers 429
    "NAMELESS",  # takes the message, and does not say by which name
    "TALKS",  # takes the message, and answers no JSON
    "MOVED",  # takes nothing, and sends the caller elsewhere
    "SLOWLY",  # takes the second chunk, after a while
)
PASSWORD, SHARED_KEY, CLIENT = "password", "TestKey", "client.pem"
CANARY = "a word of MESH that must not be quoted"


@dataclass(frozen=True, slots=True)
class MeshServer:
    """A running sandbox, as a test sees it. Its folder holds certificates and credentials."""

    folder: Path

    @property
    def url(self) -> str:
        return f"https://localhost:{(self.folder / 'port').read_text()}"

    def endpoint(self, recipient: str = THEIRS, **changed: Any) -> Endpoint:
        parameters = {
            "recipient": recipient, "workflow": WORKFLOW, "mailbox": OURS,
            "password_file": "password", "shared_key_file": "shared-key",
            "client_certificate": CLIENT,
        }  # fmt: skip
        address, ca_file = changed.pop("address", self.url), changed.pop("ca_file", CA_FILE)
        return Endpoint(
            id=EndpointId("to-mesh"), transport=Transport.MESH, format=Format.FHIR_TRANSACTION,
            address=address, ca_file=ca_file, parameters=parameters | changed,
        )  # fmt: skip

    @contextmanager
    def client(self, mailbox: str = THEIRS) -> Iterator[MeshClient]:
        """The NHS's client as another uses it: the recipient, or a stranger."""
        pair = (str(self.folder / "good.pem"), str(self.folder / "good.key"))
        with closing(
            MeshClient(
                self.url, mailbox, PASSWORD, shared_key=SHARED_KEY.encode(), cert=pair,
                verify=str(self.folder / CA_FILE), max_retries=0, timeout=10,
            )
        ) as client:  # fmt: skip
            yield client

    def report(self, **said: str) -> str:
        """Put a report into our mailbox, as MESH does; return its id."""
        told = {
            "mailbox_id": OURS, "code": "14", "description": CANARY, "workflow_id": WORKFLOW,
            "status": "error",
        } | said  # fmt: skip
        name: str = self._ask("POST", "/messageexchange/admin/report", told)["message_id"]
        return name

    def add_event(self, name: str, **said: str) -> None:
        """Have something befall a message."""
        self._ask("POST", f"/admin/message/{name}/event", said)

    def reset(self) -> None:
        """Empty every mailbox."""
        self._ask("DELETE", "/admin/reset", {})

    def _ask(self, method: str, path: str, told: Mapping[str, str]) -> dict[str, Any]:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(
                method, f"{self.url}{path}", json=told, timeout=10,
                verify=str(self.folder / CA_FILE),
                cert=(str(self.folder / "good.pem"), str(self.folder / "good.key")),
            )  # fmt: skip
        answer.raise_for_status()
        found: dict[str, Any] = answer.json() if answer.content else {}
        return found


@contextmanager
def running_mesh(folder: Path) -> Iterator[MeshServer]:
    """Run the sandbox in a process of its own."""
    make_certificates(folder)
    (folder / "password").write_text(f"{PASSWORD}\n")
    (folder / "shared-key").write_text(f"{SHARED_KEY}\n")
    pair = (folder / "good.pem").read_bytes() + (folder / "good.key").read_bytes()
    (folder / CLIENT).write_bytes(pair)
    process = start(serve_mesh, folder, log=folder / "mesh.log")
    try:
        until((folder / "port").exists)
        yield MeshServer(folder)
    finally:
        process.kill()
        process.join()


def serve_mesh(folder: Path) -> None:
    """Serve for ever."""
    os.environ.update(ENV="local", AUTH_MODE="full", STORE_MODE="memory", SHARED_KEY=SHARED_KEY)
    import uvicorn

    line = socket.create_server(("127.0.0.1", 0), backlog=128)
    config = uvicorn.Config(
        _Conducts(_sandbox()),
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=60,
        ssl_certfile=str(folder / "good.pem"),
        ssl_keyfile=str(folder / "good.key"),
        ssl_ca_certs=str(folder / CA_FILE),
        ssl_cert_reqs=2,  # a caller without a certificate is not let in
    )
    (folder / "port.tmp").write_text(str(line.getsockname()[1]))
    (folder / "port.tmp").rename(folder / "port")
    uvicorn.Server(config).run(sockets=[line])


def _sandbox() -> Any:
    """Make the sandbox with our mailboxes, tokens that are good once, and workflows."""
    from fastapi import HTTPException
    from mesh_sandbox.api import app
    from mesh_sandbox.common import constants
    from mesh_sandbox.common.messaging import Messaging
    from mesh_sandbox.dependencies import get_env_config, get_logger, get_messaging
    from mesh_sandbox.models.mailbox import Mailbox
    from mesh_sandbox.store.memory_store import MemoryStore

    class Store(MemoryStore):  # type: ignore[misc]  # it has no types
        def _load_mailboxes(self) -> dict[str, Mailbox]:
            names = (OURS, THEIRS, STRANGER, *CONDUCTS)
            return {
                name: Mailbox(
                    mailbox_id=name, mailbox_name=name, billing_entity="", ods_code="X26",
                    org_code="X26", org_name="", password=PASSWORD,
                )
                for name in names
            }  # fmt: skip

    used: set[str] = set()

    class OnceOnly(Messaging):  # type: ignore[misc]  # it has no types
        async def _validate_auth_token(self, mailbox_id: str, authorization: str) -> Any:
            if authorization in used:
                detail = constants.ERROR_DUPLICATED_AUTH_TOKEN
                raise HTTPException(status_code=403, detail=detail)
            used.add(authorization)
            return await super()._validate_auth_token(mailbox_id, authorization)

    class RegisteredPlugin:
        triggers = ("before_send_message",)

        async def on_event(self, event: str, said: dict[str, Any], error: Any = None) -> None:
            if said["message"].workflow_id == UNREGISTERED:
                detail = constants.ERROR_NOT_REGISTERED_FOR_WORKFLOWID
                raise HTTPException(status_code=417, detail=detail)

    messaging = OnceOnly(store=Store(get_env_config(), get_logger()))
    messaging.register_plugin(RegisteredPlugin)
    app.dependency_overrides[get_messaging] = lambda: messaging
    return app


class _Conducts:
    """Answers in the sandbox's place, where the recipient's mailbox has the name of a fault."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._seen: set[tuple[str, str]] = set()
        self._is_slow = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = {k.decode(): v.decode() for k, v in scope.get("headers", ())}
        conduct, local_id = headers.get("mex-to", ""), headers.get("mex-localid", "")
        is_chunk = "/outbox/" in scope.get("path", "") and scope.get("method") == "POST"
        if is_chunk and self._is_slow:
            self._is_slow = False
            await asyncio.sleep(1.5)
        if conduct not in CONDUCTS or (conduct, local_id) in self._seen:
            await self._app(scope, receive, send)
            return
        self._seen.add((conduct, local_id))
        if conduct in ("BUSY", "MOVED"):
            while (await receive()).get("more_body"):
                pass
        elif conduct == "SLOWLY":
            self._is_slow = True
            await self._app(scope, receive, send)
            return
        else:
            await self._app(scope, receive, _ignore)
        await self._say(conduct, send)

    async def _say(self, conduct: str, send: Any) -> None:
        if conduct == "HANGS":
            await asyncio.sleep(30)
        status, headers, body = {
            "BUSY": (429, {"retry-after": "7"}, b"{}"),
            "MOVED": (307, {"location": "https://127.0.0.1:9/elsewhere"}, b""),
            "NAMELESS": (202, {}, b'{"message_id": null}'),
            "TALKS": (202, {}, CANARY.encode()),
        }.get(conduct, (500, {}, CANARY.encode()))
        told = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": told})
        await send({"type": "http.response.body", "body": body})


async def _ignore(_message: Any) -> None:
    """Say nothing."""


__all__ = ["MeshServer", "running_mesh"]
