"""MESH in memory, as our postman meets it: an inbox, and an outbox that fails as it is told."""

import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.errors import DeliveryError
from gateway.outbound.https_line import Answer, HttpsLine, Posting

SECRETS = {"password_file": "mesh-password", "shared_key_file": "mesh-key"}


@dataclass(frozen=True)
class Sent:
    """One message that was sent: its headers in lower case, less the token."""

    headers: dict[str, str]
    body: bytes


class MeshLine(HttpsLine):
    """A line at whose far end one mailbox is kept in memory.

    `sending` and `acknowledging` hold what is answered to the next requests of that kind, in turn,
    before those go well: an error is raised.
    """

    def __init__(self, folder: Path) -> None:
        for name in SECRETS.values():
            (folder / name).write_text("x")
        second = timedelta(seconds=1)
        super().__init__(
            certificates=folder, credentials=folder, connect_timeout=second, reply_timeout=second
        )
        self.inbox: dict[str, tuple[dict[str, str], bytes]] = {}
        self.sent: list[Sent] = []
        self.read: list[str] = []
        self.tried = 0
        self.sending: list[Answer | DeliveryError] = []
        self.acknowledging: list[Answer | DeliveryError] = []

    def arrive(self, name: str, body: bytes, **headers: str) -> None:
        """Put a message into our mailbox; headers are named without `Mex-`."""
        named = {f"Mex-{key.replace('_', '-')}": value for key, value in headers.items()}
        self.inbox[name] = ({"Mex-MessageType": "DATA", **named}, body)

    def exchange(self, posting: Posting, *, deadline: float) -> Answer:
        path = urlsplit(posting.address).path.removeprefix("/messageexchange/")
        mailbox, _, rest = path.partition("/")
        assert mailbox == "GATEWAY01"
        if rest == "outbox":
            return self._take(posting)
        if rest.endswith("/status/acknowledged"):
            return self._forget(rest.split("/")[1])
        if rest == "inbox":
            return answer({"messages": list(self.inbox), "links": {}})
        if rest.startswith("inbox/"):
            headers, body = self.inbox[rest.split("/")[1]]
            self.read.append(rest.split("/")[1])
            return Answer(status=200, headers=headers, body=body)
        return answer({}, 404 if rest else 200)

    def _take(self, posting: Posting) -> Answer:
        self.tried += 1
        failed = _next(self.sending)
        if failed is not None:
            return failed
        every = {key.lower(): value for key, value in posting.headers.items()}
        named = {key: value for key, value in every.items() if key != "authorization"}
        self.sent.append(Sent(headers=named, body=posting.body or b""))
        return answer({"message_id": f"SENT{len(self.sent)}"}, 202)

    def _forget(self, name: str) -> Answer:
        failed = _next(self.acknowledging)
        if failed is not None:
            return failed
        del self.inbox[name]
        return answer({})


def answer(tree: Any, status: int = 200) -> Answer:
    return Answer(status=status, headers={}, body=json.dumps(tree).encode())


def _next(failures: list[Answer | DeliveryError]) -> Answer | None:
    failed = failures.pop(0) if failures else None
    if isinstance(failed, DeliveryError):
        raise failed
    return failed
