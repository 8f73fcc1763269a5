"""What the web server answers by itself is an OperationOutcome, and quotes nothing."""

import json
import ssl
import uuid
from email.parser import BytesParser

import pytest
from gunicorn.http import errors

from gateway.cli.unread import unread_answer
from gateway.fhir.json_text import read_json
from gateway.fhir.validate import validate

SECRET = "Testperson"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.InvalidRequestLine(SECRET), 400, "invalid"),
        (errors.InvalidHeader(SECRET), 400, "invalid"),
        (errors.InvalidHeaderName(SECRET), 400, "invalid"),
        (errors.InvalidRequestMethod(SECRET), 400, "invalid"),
        (errors.InvalidHTTPVersion(SECRET), 400, "invalid"),
        (errors.LimitRequestLine(9, 8), 414, "too-long"),
        (errors.LimitRequestHeaders(SECRET), 431, "too-long"),
        (errors.ExpectationFailed(SECRET), 417, "not-supported"),
        (errors.UnsupportedTransferCoding(SECRET), 501, "not-supported"),
        (errors.ForbiddenProxyRequest(SECRET), 403, "forbidden"),
        (errors.ConfigurationProblem(SECRET), 500, "exception"),
        (errors.InvalidResponseHeader(SECRET), 500, "exception"),
        (ssl.SSLError(1, SECRET), 400, "invalid"),
        (KeyError(SECRET), 500, "exception"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_a_request_that_was_not_read_is_answered_as_any_other_refusal(
    error: Exception, status: int, code: str
) -> None:
    answer = unread_answer(error)
    head, _, body = answer.partition(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    headers = BytesParser().parsebytes(rest + b"\r\n\r\n")
    assert line.split()[:2] == [b"HTTP/1.1", str(status).encode()]
    assert headers["Content-Type"] == "application/fhir+json"
    assert headers["Connection"] == "close"
    assert int(headers["Content-Length"]) == len(body)
    assert uuid.UUID(headers["X-Request-Id"]) != uuid.UUID(headers["X-Correlation-Id"])
    assert [issue["code"] for issue in json.loads(body)["issue"]] == [code]
    assert validate(read_json(body)) == []
    assert SECRET.encode() not in answer
