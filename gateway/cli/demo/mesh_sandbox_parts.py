"""The NHS's own mesh-sandbox, with what it leaves out of MESH.

What enters: the register of mailboxes. What leaves: the sandbox as an application, which routes by
person, refuses a workflow that a mailbox is not registered for, answers look-ups from the same
register, and takes a token once. Its state is in this process. Source: MESH API; the sandbox's own
interfaces, mesh-sandbox 1.0.

Not done: a window of time for tokens, limits of size and rate, expiry by the clock.
"""

import importlib.util
import logging
import warnings
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from gateway.cli.demo.mesh_config import MeshConfig, MeshMailbox
from gateway.cli.demo.mesh_routing import UNREGISTERED_WORKFLOW, Register, UnroutableError
from gateway.errors import SetupError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_NOT_SENT: Final = 417
"""HTTP status of every refusal to send. Source: MESH API."""
_PACKAGE: Final = "mesh_sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """The application; `expire` gives a mailbox's messages back, `empty` empties every mailbox."""

    app: "ASGIApp"
    expire: Callable[[str], Coroutine[None, None, list[str]]]
    empty: Callable[[], Coroutine[None, None, None]]
    leave: Callable[[], None]
    """Let another sandbox run in this process."""


def is_installed() -> bool:
    """Whether the NHS's sandbox is here. It is a tool of development, not of the gateway."""
    return importlib.util.find_spec(_PACKAGE) is not None


def build_sandbox(
    config: MeshConfig, register: Register, arrived: Callable[[str], None]
) -> Sandbox:
    """Make the sandbox; `arrived` is told each mailbox that a message comes into.

    Raises:
        SetupError: mesh-sandbox is not installed, or one is running in this process.
    """
    if not is_installed():
        msg = (
            "the simulated MESH needs the package mesh-sandbox, which only the development"
            " requirements have: run `make setup`, or pip install -r requirements/dev.txt"
        )
        raise SetupError(msg)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the sandbox's own making, as it is imported
        from mesh_sandbox.api import app
        from mesh_sandbox.dependencies import get_messaging
    logging.getLogger("mesh-sandbox").setLevel(logging.ERROR)
    if get_messaging in app.dependency_overrides:
        msg = "one simulated MESH runs in this process already: stop it first"
        raise SetupError(msg)
    messaging = _messaging(config, register, arrived)
    app.dependency_overrides[get_messaging] = lambda: messaging

    async def expire(mailbox: str) -> list[str]:
        return await _expire(messaging, mailbox)

    return Sandbox(
        app=app,
        expire=expire,
        empty=messaging.reset,
        leave=lambda: app.dependency_overrides.pop(get_messaging, None),
    )


def _messaging(config: MeshConfig, register: Register, arrived: Callable[[str], None]) -> Any:  # noqa: ANN401  # the sandbox has no types
    """Make what sends and keeps messages, for tokens that are good once."""
    from fastapi import HTTPException
    from mesh_sandbox.common import EnvConfig, constants
    from mesh_sandbox.common.messaging import Messaging

    class RegisteredPlugin:
        triggers = ("before_send_message",)

        async def on_event(self, event: str, said: dict[str, Any], error: Any = None) -> None:  # noqa: ANN401, ARG002  # the sandbox calls it
            message = said["message"]
            workflows = register.workflows_of(message.recipient.mailbox_id)
            if message.message_type == "DATA" and message.workflow_id not in workflows:
                raise _refusal(UnroutableError(UNREGISTERED_WORKFLOW))

    used: set[str] = set()

    class OnceOnly(Messaging):  # type: ignore[misc]  # it has no types
        async def _validate_auth_token(self, mailbox_id: str, authorization: str) -> Any:  # noqa: ANN401
            if authorization in used:
                detail = constants.ERROR_DUPLICATED_AUTH_TOKEN
                raise HTTPException(status_code=403, detail=detail)
            used.add(authorization)
            return await super()._validate_auth_token(mailbox_id, authorization)

    settings = EnvConfig()
    settings.auth_mode, settings.shared_key = "full", config.shared_key
    messaging = OnceOnly(store=_store(settings, config, register, arrived))
    messaging.register_plugin(RegisteredPlugin)
    return messaging


def _store(
    settings: Any,  # noqa: ANN401  # the sandbox has no types
    config: MeshConfig,
    register: Register,
    arrived: Callable[[str], None],
) -> Any:  # noqa: ANN401
    """Make the mailboxes."""
    from mesh_sandbox.dependencies import get_logger
    from mesh_sandbox.models.mailbox import Mailbox
    from mesh_sandbox.store.memory_store import MemoryStore

    class Store(MemoryStore):  # type: ignore[misc]  # it has no types
        def _load_mailboxes(self) -> dict[str, Mailbox]:
            return {each.id: _known_to_it(each) for each in config.all_mailboxes}

        def _load_endpoints(self) -> dict[str, list[Mailbox]]:
            return {}

        async def get_mailbox(self, mailbox_id: str, accessed: bool = False) -> Mailbox | None:
            try:
                name = register.route(mailbox_id)
            except UnroutableError as error:
                raise _refusal(error) from None
            found: Mailbox | None = await super().get_mailbox(name, accessed)
            return found

        async def add_to_inbox(self, message: Any) -> None:  # noqa: ANN401
            await super().add_to_inbox(message)
            arrived(message.recipient.mailbox_id)

        async def lookup_by_ods_code_and_workflow_id(
            self, ods_code: str, workflow_id: str
        ) -> list[Mailbox]:
            return [_known_to_it(each) for each in register.found_at(ods_code, workflow_id)]

        async def lookup_by_workflow_id(self, workflow_id: str) -> list[Mailbox]:
            return [_known_to_it(each) for each in register.found_at(None, workflow_id)]

    return Store(settings, get_logger())


def _known_to_it(mailbox: MeshMailbox) -> Any:  # noqa: ANN401  # the sandbox has no types
    from mesh_sandbox.models.mailbox import Mailbox

    return Mailbox(
        mailbox_id=mailbox.id,
        mailbox_name=mailbox.name,
        billing_entity="",
        ods_code=mailbox.ods,
        org_code=mailbox.ods,
        org_name=mailbox.name,
        password=mailbox.password,
    )


def _refusal(error: UnroutableError) -> Exception:
    from fastapi import HTTPException

    said = {"errorEvent": "SEND", "errorCode": error.code, "errorDescription": str(error)}
    return HTTPException(status_code=_NOT_SENT, detail=said)


async def _expire(messaging: Any, mailbox: str) -> list[str]:  # noqa: ANN401  # the sandbox has no types
    """Give back what was not collected, as MESH does after five days: a report to its sender."""
    from fastapi import BackgroundTasks
    from mesh_sandbox.handlers.admin import AdminHandler
    from mesh_sandbox.models.message import MessageEvent, MessageStatus
    from mesh_sandbox.views.admin import CreateReportRequest

    returned = []
    for message in await messaging.get_accepted_inbox_messages(mailbox):
        event = MessageEvent(status=MessageStatus.UNDELIVERABLE, event="SEND", code="14")
        await messaging.add_message_event(message, event, BackgroundTasks())
        report = CreateReportRequest(
            mailbox_id=message.sender.mailbox_id,
            code="14",
            description="",  # the sandbox words it
            workflow_id=message.workflow_id,
            subject=message.metadata.subject,
            local_id=message.metadata.local_id,
            linked_message_id=message.message_id,
        )
        await AdminHandler(messaging).create_report(report, BackgroundTasks())
        returned.append(message.message_id)
    return returned
