"""Addresses of the simulated MESH that MESH does not have: for tests, and for those who watch.

What enters: requests below `/_practices` on this machine. What leaves: what a practice received,
and how its system behaves; changes of both::

    GET    /_practices                        every practice: manner, workflows, number received
    POST   /_practices/{mailbox}              {"manner": "silent", "workflows": [...]}, either alone
    GET    /_practices/{mailbox}/received     the list of what it received
    POST   /_practices/{mailbox}/expire       what is not collected goes back, as after five days
    DELETE /_practices                        as at the start: nothing sent, nothing received

Asks nobody who they are beyond what the connection asks. Must never: be part of a MESH that is in
earnest.
"""

from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from gateway.cli.demo.mesh_routing import Register
from gateway.cli.demo.practice_inbox import listing
from gateway.cli.demo.practice_manners import Manners
from gateway.cli.demo.practice_system import PracticeSystem
from gateway.errors import InvalidMessageError
from gateway.fhir.json_text import read_json, write_json
from gateway.referral.json import Json, JsonObject, string, strings

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

CONTROL: Final = "/_practices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """What the addresses reach. `expire` and `empty` are the sandbox's part of it."""

    register: Register
    systems: Mapping[str, PracticeSystem]
    expire: Callable[[str], Coroutine[None, None, list[str]]]
    empty: Callable[[], Coroutine[None, None, None]]


def build_control(controls: Controls) -> "ASGIApp":
    """Make the application."""
    from starlette.applications import Starlette
    from starlette.routing import Route

    one = f"{CONTROL}/{{mailbox}}"
    return Starlette(
        routes=[
            Route(CONTROL, partial(_show_all, controls), methods=["GET"]),
            Route(CONTROL, partial(_forget, controls), methods=["DELETE"]),
            Route(one, partial(_change, controls), methods=["POST"]),
            Route(f"{one}/received", partial(_show_received, controls), methods=["GET"]),
            Route(f"{one}/expire", partial(_expire, controls), methods=["POST"]),
        ]
    )


def _show_all(controls: Controls, _request: "Request") -> "Response":
    return _json({"practices": [_shown(controls, each) for each in controls.systems]})


def _show_received(controls: Controls, request: "Request") -> "Response":
    system = controls.systems.get(request.path_params["mailbox"])
    return _json(listing(system.inbox.received)) if system else _not_there()


async def _change(controls: Controls, request: "Request") -> "Response":
    from starlette.concurrency import run_in_threadpool

    mailbox, body = request.path_params["mailbox"], await request.body()
    if mailbox not in controls.systems:
        return _not_there()
    try:
        await run_in_threadpool(_make_so, controls, mailbox, read_json(body))
    except (InvalidMessageError, ValueError) as error:
        return _json({"error": str(error)}, status=400)
    return _json(_shown(controls, mailbox))


async def _expire(controls: Controls, request: "Request") -> "Response":
    mailbox = request.path_params["mailbox"]
    if mailbox not in controls.systems:
        return _not_there()
    return _json({"returned": list[Json](await controls.expire(mailbox))})


def _forget(controls: Controls, _request: "Request") -> "Response":
    """Begin again, while nothing is under way."""
    from anyio import from_thread

    with ExitStack() as held:
        for system in controls.systems.values():
            held.enter_context(system.under_way)
        from_thread.run(controls.empty)
        controls.register.reset()
        for system in controls.systems.values():
            system.inbox.clear()
            system.behave(system.practice.manners)
    return _json({})


def _make_so(controls: Controls, mailbox: str, wish: JsonObject) -> None:
    """Change a practice once what it has under way is done: the next message meets the new."""
    system = controls.systems[mailbox]
    manners = Manners(string(wish, "manner") or system.manners.word)
    with system.under_way:
        if "workflows" in wish:
            controls.register.register(mailbox, strings(wish, "workflows"))
        system.behave(manners)


def _shown(controls: Controls, mailbox: str) -> JsonObject:
    system = controls.systems[mailbox]
    return {
        "mailbox": mailbox,
        "ods": system.practice.mailbox.ods,
        "name": system.practice.mailbox.name,
        "manner": system.manners.word,
        "workflows": list[Json](sorted(controls.register.workflows_of(mailbox))),
        "received": len(system.inbox.received),
    }


def _json(tree: JsonObject, *, status: int = 200) -> "Response":
    from starlette.responses import Response

    return Response(write_json(tree), status_code=status, media_type="application/json")


def _not_there() -> "Response":
    return _json({"error": "no practice has this mailbox"}, status=404)
