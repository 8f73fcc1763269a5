"""The destination kind `mesh`: a mailbox of the NHS's Message Exchange; and the way to our own.

What enters: a parcel, or what to do in our mailbox. What leaves: one message of the parcel's
bytes, in as many pieces as MESH asks for, and by which name MESH took it; what stands in the
mailbox; or what is answered to that. The client is the NHS's own; its requests go out on our line,
so they end at the deadline, follow no redirect and trust only whom the endpoint trusts.
Must never: send twice what MESH took already, quote MESH's words, or acknowledge what was read
before it is on record. Source: MESH API; `mappings/mesh/README.md`.
"""

import io
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from mesh_client import MeshClient
from requests.adapters import BaseAdapter

from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.fhir.json_text import read_json
from gateway.journey.gateway import Acknowledgement, Parcel
from gateway.journey.returned import Post
from gateway.mapping.mesh import Control, control_for
from gateway.mapping.outcome_answer import Reply
from gateway.outbound.https_line import Answer, HttpsLine, posting_to
from gateway.referral.directory import Endpoint
from gateway.referral.json import objects, string

CHUNK_BYTES = 75 * 1024 * 1024
"""Of one request. Source: MESH API, 100 MB; the client's own default."""

_ACCEPTED = 202
_NOT_LET_IN = frozenset({401, 403})
_NOT_FOUND = frozenset({300, 404, 405, 410})
"""Of the search by local id: not there, there more than once, or MESH has the search no more."""
_GONE = frozenset({404, 410})
"""Of a message: somebody else acknowledged it, or its time was over."""
_HAS_IT = frozenset({"accepted", "acknowledged"})
_COLLECTED = "acknowledged"
_TELLS_OF_ERRORS = frozenset({"detail", "errorDescription"})
"""By which the client knows an answer that is none, whatever its status."""
_NAME = re.compile(r"[0-9A-Za-z_.-]{1,64}")
_MAILBOX = re.compile(r"[0-9A-Za-z_-]{1,100}")
_WORKFLOW = re.compile(r"[0-9A-Za-z_-]{1,296}")
_CODE = re.compile(r"[0-9A-Z-]{1,10}")
_RANGE = re.compile(r"[0-9]{1,9}:[0-9]{1,9}")

_Fits = Callable[[str, Answer], bool]
"""Whether an answer at this path is as MESH answers, so that the client can read it."""

_log = logging.getLogger(__name__)


class Mesh:
    """Sends parcels to mailboxes; see `journey.gateway.Destination`."""

    def __init__(self, line: HttpsLine, *, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._line = line
        self._chunk_bytes = chunk_bytes

    def send(self, parcel: Parcel, *, deadline: float) -> Acknowledgement:
        """Have MESH take the parcel; whether the recipient collects it shows later.

        An attempt that may have arrived is looked for first. A message of several chunks that
        ends half-way is never delivered by MESH.

        Raises:
            LeaseEndedError: the deadline had passed before the first byte.
            DestinationUnreachableError: no connection, or the endpoint's files cannot be read.
            NoReplyError: sent, but MESH did not say by which name it took it.
            DestinationBusyError: MESH asks to be left alone, fails, or does not let us in.
            DestinationRefusedError: MESH does not know the recipient, or not for this workflow.
        """
        with _client(self._line, parcel.endpoint, deadline, _names_what_it_took) as client:
            receipt = None
            if parcel.control is None and parcel.delivery.may_have_arrived:
                receipt = client.find_sent(parcel.delivery.id, parcel.endpoint)
            if receipt is None:
                control = parcel.control or control_for(
                    parcel.referral, parcel.delivery, parcel.endpoint, parcel.media_type
                )
                receipt = client.send_with(control, parcel.body, self._chunk_bytes)
        return Acknowledgement(status=_ACCEPTED, receipt=receipt)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Our own mailbox, which the endpoints of its recipients name.

    Each method makes its requests before the deadline, and raises DeliveryError where it cannot.
    `page` is how many names MESH lists at a time, from 10.
    """

    line: HttpsLine
    endpoint: Endpoint
    page: int = 500

    def greet(self, *, deadline: float) -> None:
        """Tell MESH that we are there. Source: MESH API, handshake, at least once a day."""
        with _client(self.line, self.endpoint, deadline, _is_anything) as client:
            client.handshake()  # type: ignore[no-untyped-call]  # it has no types

    def waiting(self, *, most: int, deadline: float) -> list[str]:
        """List the messages that are not acknowledged, the oldest first, at most so many."""
        with _client(self.line, self.endpoint, deadline, _is_list) as client:
            names: list[object] = list(
                islice(client.iterate_message_ids(batch_size=self.page), most)
            )
        return [name for name in names if isinstance(name, str) and _NAME.fullmatch(name)]

    def read(self, name: str, *, deadline: float) -> Post | None:
        """Read a message without acknowledging it; None: it is there no longer."""
        with _client(self.line, self.endpoint, deadline, _is_message) as client:
            try:
                with closing(client.retrieve_message(name)) as message:
                    is_whole = message.mex_header("chunk-range", "1:1") == "1:1"
                    return Post(
                        id=name,
                        is_report=message.message_type == "REPORT",
                        sender=message.sender or None,
                        workflow=message.workflow_id,
                        linked=message.mex_header("linkedmsgid"),
                        local_id=message.local_id,
                        code=message.mex_header("statuscode"),
                        body=message.read() if is_whole else b"",
                    )
            except DestinationRefusedError as error:
                if error.status in _GONE:
                    return None
                raise

    def reply(self, reply: Reply, *, deadline: float) -> None:
        """Have MESH take what is answered to a message that stood here.

        An answer of which MESH did not say that it took it is sent again: it is the same.

        Raises:
            DestinationRefusedError: MESH does not know the sender, or not for this workflow.
            DeliveryError: it may be tried again; see `Mesh.send`.
        """
        with _client(self.line, self.endpoint, deadline, _names_what_it_took) as client:
            client.send_with(reply.control, reply.body, CHUNK_BYTES)

    def acknowledge(self, name: str, *, deadline: float) -> None:
        """Have MESH forget a message: it is on record here."""
        with _client(self.line, self.endpoint, deadline, _is_anything) as client:
            client.acknowledge_message(name)

    def is_collected(self, receipt: str, *, deadline: float) -> bool:
        """Tell whether the recipient's system took a message of ours."""
        with _client(self.line, self.endpoint, deadline, _is_object) as client:
            try:
                return str(client.track_message(receipt).get("status")).casefold() == _COLLECTED
            except DestinationRefusedError as error:
                if error.status in _GONE:
                    return False
                raise


class _Client(MeshClient):
    """The NHS's client, on our line. It tries nothing again by itself."""

    def __init__(
        self, line: "_OnOurLine", endpoint: Endpoint, password: str, shared_key: bytes
    ) -> None:
        super().__init__(
            endpoint.address,
            endpoint.parameters["mailbox"],
            password,
            shared_key=shared_key,
            max_retries=0,
        )
        self._session.trust_env = False
        self._session.adapters.clear()
        self._session.mount("", line)

    def send_with(self, control: Control, body: bytes, chunk_bytes: int) -> str:
        """Send one message with its control values; return by which name MESH took it."""
        return self.send_message(
            control.to,
            body,
            max_chunk_size=chunk_bytes,
            workflow_id=control.workflow,
            local_id=control.local_id,
            subject=control.subject,
            filename=control.filename,
            content_type=control.content_type,
        )

    def find_sent(self, local_id: str, endpoint: Endpoint) -> str | None:
        """Find by which name MESH has a message of ours; None: it has none, or cannot tell which.

        The search is deprecated, and the client has it no more; there is no other by local id.
        """
        address = f"{self.mailbox_url}/outbox/tracking/{quote(local_id, safe='')}"
        try:
            found = self._session.get(address, timeout=self._timeout)
        except DestinationRefusedError as error:
            if error.status in _NOT_FOUND:
                return None
            raise
        tree = read_json(found.content)
        name = string(tree, "messageId") or string(tree, "message_id") or ""
        is_for_it = (string(tree, "recipient") or "").upper() == _recipient(endpoint)
        has_it = (string(tree, "status") or "").casefold() in _HAS_IT
        return name if is_for_it and has_it and _NAME.fullmatch(name) else None


class _OnOurLine(BaseAdapter):
    """Makes a client's requests on our line, to the endpoint's own server and no other."""

    def __init__(self, line: HttpsLine, endpoint: Endpoint, deadline: float, fits: _Fits) -> None:
        super().__init__()
        self._line = line
        self._endpoint = endpoint
        self._deadline = deadline
        self._fits = fits
        self._has_sent = False

    def send(  # as the parent's
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: ARG002, FBT001, FBT002
        timeout: object = None,  # noqa: ARG002
        verify: bool | str = True,  # noqa: ARG002, FBT001, FBT002
        cert: object = None,  # noqa: ARG002
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> requests.Response:
        """Make a request; only a success that the client can read comes back.

        Raises:
            DeliveryError: there was no answer, or it was no success.
        """
        address = request.url or ""
        if _server(address) != _server(self._endpoint.address):
            raise _unreadable()
        posting = posting_to(
            self._endpoint,
            headers={**dict(request.headers), "Accept-Encoding": "identity"},
            body=_whole(request.body),
            address=address,
            method=request.method or "GET",
        )
        try:
            answer = self._line.exchange(posting, deadline=self._deadline)
        except (LeaseEndedError, DestinationUnreachableError):
            if self._has_sent:  # an earlier chunk: it is not true that nothing left
                msg = "the time ended, or the connection broke, between two chunks"
                raise NoReplyError(msg) from None
            raise
        self._has_sent |= posting.method == "POST"
        if not answer.is_success:
            raise _failure(answer, self._endpoint)
        if not self._fits(urlsplit(address).path, answer):
            raise _unreadable(answer.status)
        return _response(answer, request)

    def close(self) -> None:
        """Leave the line open: it is not ours."""


@contextmanager
def _client(line: HttpsLine, endpoint: Endpoint, deadline: float, fits: _Fits) -> Iterator[_Client]:
    """Make a client for one errand: each has numbers of its own for its single-use tokens."""
    _check(endpoint)
    ours = _OnOurLine(line, endpoint, deadline, fits)
    client = _Client(ours, endpoint, *_secrets(line, endpoint))
    try:
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]  # it has no types


def _check(endpoint: Endpoint) -> None:
    """Check what goes into addresses and headers, before a byte leaves."""
    patterns = {"mailbox": _MAILBOX, "recipient": _MAILBOX, "workflow": _WORKFLOW}
    for name, pattern in patterns.items():
        if not pattern.fullmatch(endpoint.parameters.get(name, "")):
            msg = (
                f"the {name} that the endpoint names is not as MESH spells one: mend the directory"
            )
            raise DestinationUnreachableError(msg)


def _secrets(line: HttpsLine, endpoint: Endpoint) -> tuple[str, bytes]:
    """Read password and shared key anew, so that a file that was replaced counts at once."""
    found = []
    for name in ("password_file", "shared_key_file"):
        try:
            text = (line.credentials / endpoint.parameters[name]).read_text("ascii").strip()
        except (OSError, ValueError, LookupError):
            text = ""
        if not text:
            msg = f"the {name} that the endpoint names cannot be read, is empty, or is not ASCII"
            raise DestinationUnreachableError(msg)
        found.append(text)
    return found[0], found[1].encode("ascii")


def _failure(answer: Answer, endpoint: Endpoint) -> DeliveryError:
    """Tell what an answer that is no success means. Not to be let in is for the operator."""
    if answer.status in _NOT_LET_IN:
        _log.error(
            "MESH does not let us into the mailbox of endpoint %s (%d): check its password, its"
            " shared key, its client certificate and this machine's clock",
            endpoint.id,
            answer.status,
        )
        return DestinationBusyError("MESH does not let us in", status=answer.status)
    failure = answer.failure()
    failure.code = _code_of(answer)
    return failure


def _code_of(answer: Answer) -> str | None:
    """Read MESH's own code for a refusal: of either version of its answers."""
    tree = answer.tree() or {}
    detail = next(iter(objects(tree, "detail")), {})
    code = string(detail, "code") or string(tree, "errorCode")
    return code if code is not None and _CODE.fullmatch(code) else None


def _names_what_it_took(path: str, answer: Answer) -> bool:
    """Believe that MESH took a message only where it says by which name, and of no error."""
    tree = answer.tree()
    if not path.endswith("/outbox"):
        return "/tracking/" not in path or tree is not None
    name = string(tree or {}, "message_id") or ""
    return bool(_NAME.fullmatch(name)) and not (tree or {}).keys() & _TELLS_OF_ERRORS


def _is_list(_path: str, answer: Answer) -> bool:
    tree = answer.tree() or {}
    links = tree.get("links", {})
    if not isinstance(tree.get("messages"), list) or not isinstance(links, dict):
        return False
    return isinstance(links.get("next", ""), str)


def _is_message(_path: str, answer: Answer) -> bool:
    return bool(_RANGE.fullmatch(answer.headers.get("Mex-Chunk-Range", "1:1")))


def _is_object(_path: str, answer: Answer) -> bool:
    return answer.tree() is not None


def _is_anything(_path: str, _answer: Answer) -> bool:
    return True


def _response(answer: Answer, request: requests.PreparedRequest) -> requests.Response:
    """Hand an answer to the client; our line has unpacked it already."""
    response = requests.Response()
    response.status_code = answer.status
    packed = ("content-encoding", "content-length", "transfer-encoding")
    for name, value in answer.headers.items():
        if name.lower() not in packed:
            response.headers[name] = value
    response.raw = io.BytesIO(answer.body)
    response.request, response.url = request, request.url or ""
    return response


def _whole(body: Any) -> bytes | None:  # noqa: ANN401  # as requests declares it
    """Return a request's body; the client hands some over as something to read from."""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) or body is None else bytes(body.read())


def _server(address: str) -> tuple[str, str]:
    """Name the server of an address, and how it is spoken to."""
    parts = urlsplit(address)
    return parts.scheme.lower(), parts.netloc.lower()


def _recipient(endpoint: Endpoint) -> str:
    return endpoint.parameters["recipient"].upper()


def _unreadable(status: int | None = None) -> NoReplyError:
    return NoReplyError("MESH's answer is not as MESH answers", status=status)
