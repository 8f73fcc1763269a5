"""What never reaches the front door is answered as FHIR all the same, and quotes nothing."""

import json
import socket
import uuid
from email.parser import BytesParser
from urllib.parse import urlsplit

from tests.processes.installation import Installation

SECRET = "Testperson"
REQUESTS = {
    "a line too long": (f"GET /FHIR/R4/Task?a={SECRET * 450} HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    "a header too long": (
        f"GET /FHIR/R4/_ping HTTP/1.1\r\nHost: x\r\nX-A: {SECRET * 830}\r\n\r\n", 431),
    "too many headers": (
        "GET /FHIR/R4/_ping HTTP/1.1\r\n"
        + "".join(f"X-{SECRET}-{n}: a\r\n" for n in range(80)) + "\r\n", 431),
    "no request line": (f"{SECRET}\r\n\r\n", 400),
    "no version": (f"GET /FHIR/R4/{SECRET}\r\n\r\n", 400),
    "another version": (f"GET /FHIR/R4/{SECRET} HTTP/7.7\r\nHost: x\r\n\r\n", 400),
    "a blank in a header's name": (
        f"GET /FHIR/R4/_ping HTTP/1.1\r\nHost: x\r\nX {SECRET}: a\r\n\r\n", 400),
    "two lengths": (
        f"POST /FHIR/R4/{SECRET} HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n{{", 400),
}  # fmt: skip


def asked(url: str, request: str) -> bytes:
    """Send one request as it stands; return all that comes back."""
    host = urlsplit(url)
    received = b""
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=10) as line:
        line.sendall(request.encode())
        while more := line.recv(65536):
            received += more
    return received


def test_a_request_that_cannot_be_read_is_answered_as_any_other_refusal(
    installation: Installation,
) -> None:
    installation.settings = {"web_workers": "1", "web_threads": "2"}
    installation.serve()
    for name, (request, status) in REQUESTS.items():
        answer = asked(installation.url, request)
        head, _, body = answer.partition(b"\r\n\r\n")
        line, _, rest = head.partition(b"\r\n")
        headers = BytesParser().parsebytes(rest + b"\r\n\r\n")
        assert line.split()[1:2] == [str(status).encode()], name
        assert headers["Content-Type"] == "application/fhir+json", name
        assert headers["Connection"] == "close", name
        assert uuid.UUID(headers["X-Request-Id"]) != uuid.UUID(headers["X-Correlation-Id"])
        assert json.loads(body)["resourceType"] == "OperationOutcome", name
        assert SECRET.encode() not in answer, name
