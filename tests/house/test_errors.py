"""The error tree is drawn as it is, and every error that may reach the door has its answer."""

import inspect
import logging
import re
from collections.abc import Iterator

import flask
import pytest
from werkzeug.exceptions import BadGateway, ImATeapot

from gateway import errors
from gateway.errors import (
    ConsentRefusedError,
    Fault,
    GatewayError,
    IssueCode,
    MessageError,
    NotTheRequesterError,
    TokenRequestError,
    UnauthenticatedError,
)
from gateway.fhir.refusals import STATUSES
from gateway.inbound.answers import answer_to, codes_of, http_error
from gateway.referral.model import Door
from tests.builders.embedded import embedded_house
from tests.builders.evidence import execute, nhs_codes
from tests.builders.house import House

TREE = {
    name: cls
    for name, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, GatewayError)
}
INSIDE = {
    "SetupError", "DeliveryError",  # the operator's, and the worker's
}  # fmt: skip
"""Branches of the tree that never reach the front door: there they are unforeseen."""


def leaves() -> list[type[GatewayError]]:
    return [cls for cls in TREE.values() if not cls.__subclasses__()]


def sample(cls: type[GatewayError]) -> GatewayError:
    """An error of this class, as it is raised."""
    if issubclass(cls, ConsentRefusedError):
        return cls(code="R", spine_code="ACCESS_DENIED", external_text="No.", remedy="Ask.")
    if issubclass(cls, MessageError):
        return cls(Fault(code=IssueCode.VALUE, expression="Patient", diagnostics="Wrong."))
    if issubclass(cls, UnauthenticatedError):
        return cls(IssueCode.LOGIN, "Who is it?")
    if issubclass(cls, TokenRequestError):
        return cls("invalid_client", "no")
    if issubclass(cls, NotTheRequesterError):
        return cls("ServiceRequest.requester", "Another one.")
    if cls is errors.FailedBeforeError:
        return cls('{"http":400,"body":{"resourceType":"OperationOutcome"},"headers":{}}')
    return cls("secret detail")


def parents_drawn() -> dict[str, str]:
    """Each class of the docstring's tree, and the one above it."""
    above: list[str] = []
    found = {}
    for line in (errors.__doc__ or "").splitlines():
        drawn = re.match(r"    ((?:[│ ]   )*)(?:[├└]── )?(\w+Error)\b", line)
        if drawn is None:
            continue
        depth = len(drawn[1]) // 4 + ("── " in line)
        above[depth:] = [drawn[2]]
        found[drawn[2]] = above[depth - 1] if depth else "Exception"
    return found


def test_the_tree_is_drawn_exactly_as_it_is() -> None:
    assert parents_drawn() == {name: cls.__bases__[0].__name__ for name, cls in TREE.items()}


def test_every_error_says_in_one_sentence_what_happened() -> None:
    for name, cls in TREE.items():
        first = (inspect.getdoc(cls) or "").splitlines()[0]
        assert first.endswith("."), name


def may_reach_the_door(cls: type[GatewayError]) -> bool:
    return not any(base.__name__ in INSIDE for base in cls.__mro__)


@pytest.mark.parametrize("door", Door)
@pytest.mark.parametrize("cls", leaves(), ids=lambda cls: cls.__name__)
def test_every_error_that_may_reach_the_door_has_an_answer(
    cls: type[GatewayError], door: Door
) -> None:
    answer = answer_to(sample(cls), door)
    answered_inside = {"TokenRequestError", "DamagedRecordError"}
    if may_reach_the_door(cls) and cls.__name__ not in answered_inside:
        assert cls in STATUSES or cls in (ConsentRefusedError, errors.FailedBeforeError)
        assert 400 <= answer.http < 500 or answer.http == 503
    else:
        assert answer.http == 500
    codes = codes_of(sample(cls), door)
    assert codes[0].startswith("REC_")
    assert codes[1] in set(IssueCode)


@pytest.mark.parametrize(
    "cls", [c for c in leaves() if not may_reach_the_door(c)] + [errors.DamagedRecordError]
)
def test_an_error_from_inside_shows_no_detail(cls: type[GatewayError]) -> None:
    body = str(answer_to(sample(cls), Door.REST).body)
    assert "secret" not in body
    assert "REC_SERVER_ERROR" in body


def test_the_table_names_only_what_the_tree_has() -> None:
    assert set(STATUSES) <= set(TREE.values())


def test_a_store_that_is_away_says_when_to_come_back() -> None:
    answer = answer_to(errors.StoreUnavailableError("the database slept"), Door.REST)
    assert (answer.http, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize(
    ("error", "door", "told"),
    [
        (sample(NotTheRequesterError), Door.REST, (403, "REC_FORBIDDEN", "forbidden")),
        (sample(NotTheRequesterError), Door.BARS, (401, "REC_UNAUTHORIZED", "security")),
        (sample(ConsentRefusedError), Door.REST, (403, "REC_FORBIDDEN", "forbidden")),
        (
            sample(ConsentRefusedError),
            Door.BARS,
            (422, "REC_UNPROCESSABLE_ENTITY", "business-rule"),
        ),
    ],
)
def test_the_two_doors_tell_a_refusal_in_their_own_words(
    error: GatewayError, door: Door, told: tuple[int, str, str]
) -> None:
    assert (answer_to(error, door).http, *codes_of(error, door)) == told


def test_a_message_error_without_faults_still_says_something() -> None:
    assert codes_of(errors.InvalidMessageError(), Door.REST) == ["REC_BAD_REQUEST", "exception"]


def test_what_the_framework_refuses_without_a_place_in_the_table_is_a_bad_request() -> None:
    answer = http_error(418, {"Allow": "TEA", "Other": "x"})
    assert (answer.http, dict(answer.headers)) == (418, {"Allow": "TEA"})


@pytest.fixture(scope="module")
def falling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with a route that fails in every way."""

    def fall(name: str) -> flask.Response:
        raise {
            "unforeseen": RuntimeError("Quetzalcanary 9990548609"),
            "damaged": errors.DamagedRecordError("Quetzalcanary"),
            "busy": errors.StoreUnavailableError("the database slept"),
            "teapot": ImATeapot(),
            "gateway": BadGateway("Quetzalcanary"),
        }[name]

    with embedded_house(tmp_path_factory.mktemp("falling")) as house:
        house.app.add_url_rule("/fall/<name>", view_func=fall)
        yield house


@pytest.mark.parametrize(
    ("name", "status"),
    [("unforeseen", 500), ("damaged", 500), ("busy", 503), ("teapot", 418), ("gateway", 502)],
)
def test_whatever_falls_is_caught_at_the_door_without_detail(
    falling: House, caplog: pytest.LogCaptureFixture, name: str, status: int
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = falling.web.get(f"/fall/{name}")
    assert (answer.status_code, answer.content_type) == (status, "application/fhir+json")
    assert "Quetzalcanary" not in answer.get_data(as_text=True) + caplog.text
    assert all(record.exc_info is None for record in caplog.records)
    if status in (500, 502):
        assert nhs_codes(answer) == {"REC_SERVER_ERROR"}


def test_a_gateway_that_cannot_reach_its_store_does_not_say_that_the_caller_is_unknown(
    house: House,
) -> None:
    headers = house.bearer()
    execute(house, "ALTER TABLE access_token RENAME TO elsewhere")
    answer = house.web.get("/FHIR/R4/Task", headers=headers)
    assert answer.status_code in (500, 503)
