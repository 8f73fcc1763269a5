"""A sender that stops in the middle of its message costs no more than an answer may take."""

import json
import socket
import time
import uuid
from urllib.parse import urlsplit

from tests.processes.installation import Installation


def test_a_body_that_stops_coming_is_answered_and_nobody_else_waits(
    installation: Installation,
) -> None:
    installation.offer({"mixed": installation.receiver.address("ok")})
    installation.settings = {"web_workers": "1", "web_threads": "2"}
    installation.serve()
    assert installation.post("mixed").status_code == 201
    host = urlsplit(installation.url)
    head = (
        "POST /FHIR/R4/ServiceRequest HTTP/1.1\r\nHost: gateway\r\n"
        f"Authorization: Bearer {installation.token}\r\nX-Request-Id: {uuid.uuid4()}\r\n"
        "Content-Type: application/fhir+json\r\nContent-Length: 5000\r\n\r\n{"
    )
    started = time.monotonic()
    with socket.create_connection((host.hostname or "", host.port or 0), timeout=20) as line:
        line.sendall(head.encode())
        assert installation.post("mixed").status_code == 201
        received = b""
        while more := line.recv(65536):
            received += more
    lasted = time.monotonic() - started
    status, _, rest = received.partition(b"\r\n")
    assert status.split()[1] == b"408"
    issue = json.loads(rest.partition(b"\r\n\r\n")[2])["issue"][0]
    assert issue["code"] == "timeout"
    assert lasted < 5
    assert installation.post("mixed").status_code == 201
