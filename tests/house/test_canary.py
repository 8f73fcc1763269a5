"""A patient whose every word is unmistakable walks every success and failure, and leaves no
trace where none belongs: no log record, header, error, link or ledger entry."""

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import select

from gateway.errors import (
    DestinationRefusedError,
    GatewayError,
    NoReplyError,
)
from gateway.journey.check_ledger import check_ledger
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.store.tables_ledger import ledger_entry
from tests.builders.canary import (
    FAMILY,
    LOCAL_ID,
    NUMBER,
    WORDS,
    canary_message,
    canary_patient,
    canary_referral,
)
from tests.builders.embedded import embedded_house
from tests.builders.evidence import execute, id_in, work
from tests.builders.house import House
from tests.builders.messages import ODS, OTHER_PRACTICE, bars_headers, consent, implied_consent
from tests.builders.register import to_register

Walk = Callable[[House], list[Any]]
NHS = "https://fhir.nhs.uk/Id/nhs-number"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with embedded_house(tmp_path_factory.mktemp("door")) as house:
        yield house


def rest(tree: Any, **headers: str) -> Walk:
    return lambda house: [house.post("/ServiceRequest", tree, **headers)]


def bars(tree: Any, **headers: str) -> Walk:
    return lambda house: [house.post("/$process-message", tree, **(bars_headers() | headers))]


def search(**query: Any) -> Walk:
    return lambda house: [house.get("/ServiceRequest", **query)]


def delivered(*failures: Exception, tree: Any = None) -> Walk:
    def walk(house: House) -> list[Any]:
        answer = house.post("/ServiceRequest", tree or canary_referral())
        house.destination.failures.extend(failures)
        work(house)
        own = id_in(answer.headers["Location"])
        return [answer, house.get(f"/Task/{own}"), house.get(f"/ServiceRequest/{own}")]

    return walk


def damaged(house: House) -> list[Any]:
    answer = house.post("/ServiceRequest", canary_referral())
    own = id_in(answer.headers["Location"])
    execute(house, "UPDATE referral SET sealed_body = wrapped_key WHERE id = :id", id=own)
    work(house)
    return [answer, house.get(f"/ServiceRequest/{own}"), house.get(f"/Task/{own}")]


def replayed(house: House) -> list[Any]:
    house.destination.failures.append(DestinationRefusedError("no", status=400))
    answer = house.post("/ServiceRequest", canary_referral())
    work(house)
    task = house.get(f"/Task/{id_in(answer.headers['Location'])}").get_json()
    replay_referral(task["groupIdentifier"]["value"], house.gateway)
    work(house)
    return [answer]


def twice(house: House) -> list[Any]:
    ids = bars_headers()
    return [house.post("/$process-message", canary_message(), **ids) for _ in range(2)] + [
        house.post("/ServiceRequest", canary_referral(), **ids)
    ]


def hostile(**changed: Any) -> dict[str, Any]:
    """A referral whose every text that we look at is the patient's name."""
    return canary_referral() | changed


def token(house: House) -> list[Any]:
    return [
        house.ask_for_token(house.assertion("gp-one", iss=f"{FAMILY} {NUMBER}")),
        house.ask_for_token(house.assertion("gp-one", jti=FAMILY), scope=FAMILY),
        house.ask_for_token(FAMILY),
        house.web.get("/FHIR/R4/Task", headers={"Authorization": f"Bearer {FAMILY}"}),
    ]


def addresses(house: House) -> list[Any]:
    paths = [f"/{FAMILY}", f"//{FAMILY}", f"/ServiceRequest/{NUMBER}", f"/Task/{NUMBER}"]
    return [house.get(path) for path in paths] + [
        house.web.put(f"/FHIR/R4/Task?name={FAMILY}", headers=house.bearer())
    ]


def canary_consent(**changes: Any) -> dict[str, Any]:
    """A Consent for the register, with the patient contained in it, words and all."""
    person = {"reference": "#patient", "display": FAMILY}
    tree = to_register("the-canarys", patient=person, performer=[person])
    return tree | {"contained": [canary_patient()], "source": None} | changes


def consents(house: House) -> list[Any]:
    execute(house, "DELETE FROM consent_identifier")
    tree = {k: v for k, v in canary_consent().items() if v is not None}
    made = house.post("/Consent", tree)
    searched = house.get("/Consent", **{"patient:identifier": f"{NHS}|{NUMBER}"})
    own = next(
        entry["resource"]
        for entry in searched.get_json()["entry"]
        if entry["resource"]["resourceType"] == "Consent"
    )
    read = house.get(f"/Consent/{own['id']}")
    gone = house.put(
        f"/Consent/{own['id']}", own | {"status": "inactive"}, If_Match=read.headers["ETag"]
    )
    return [
        made,
        searched,
        read,
        gone,
        house.post("/ServiceRequest", canary_referral(consents=[])),
        house.post("/Consent", tree | {"status": FAMILY}),
        house.post("/Consent", tree | {FAMILY: NUMBER}),
        house.get(f"/Consent/{NUMBER}"),
        house.get("/Consent", **{FAMILY: NUMBER}),
    ]


def explained(house: House) -> list[Any]:
    def asked(tree: Any) -> Any:
        return house.post("/ServiceRequest/$explain", tree)

    wrapped = {"name": "resource", "resource": canary_referral()}
    strange = {"resourceType": "Parameters", "parameter": [wrapped, {"name": FAMILY}]}
    return [
        asked(canary_referral()),
        asked(canary_referral(consents=[])),
        asked(hostile(status=FAMILY)),
        asked(strange),
    ]


def shared(house: House) -> list[Any]:
    """What a practice says of its sharing, by one who puts a patient where none belongs."""
    base, who = "/sharing", {"headers": house.bearer()}
    web = house.web
    return [
        web.get(f"{base}/switches/{FAMILY}/history", **who),
        web.put(f"{base}/switches/{FAMILY}", json={"value": FAMILY}, **who),
        web.put(f"{base}/switches/shared_care", json={"value": "off", FAMILY: NUMBER}, **who),
        web.put(f"{base}/switches/shared_care", json={"value": NUMBER}, **who),
        web.get(f"{base}/agreements/{NUMBER}", **who),
        web.get(f"{base}/agreements/dsa-one-oh/impact?status={FAMILY}", **who),
        web.get(f"{base}/notices/{FAMILY}/letter", **who),
    ]


BODY = json.dumps(canary_referral()).encode()
WALKS: dict[str, Walk] = {
    "accepted": rest(canary_referral()),
    "held": rest(canary_referral(consents=[consent(status="proposed")])),
    "refused": rest(canary_referral(consents=[])),
    "another-practice": rest(
        canary_referral()
        | {
            "contained": [
                canary_patient(
                    generalPractitioner=[{"identifier": {"system": ODS, "value": OTHER_PRACTICE}}]
                ),
                consent(),
            ]
        }
    ),
    "wrong-requester": rest(canary_referral(requester=OTHER_PRACTICE)),
    "unknown-service": rest(canary_referral(service="9000000042")),
    "no-service": rest(canary_referral(service=None) | {"code": {"text": FAMILY}}),
    "broken": rest(BODY[:-20]),
    "bom": rest(b"\xef\xbb\xbf" + BODY),
    "twice-a-key": rest(b'{"name": "' + FAMILY.encode() + b'",' + BODY[1:-1] + b',"name": 1}'),
    "unknown-element": rest(hostile(**{FAMILY: NUMBER})),
    "wrong-type": rest(hostile(resourceType=FAMILY)),
    "wrong-code": rest(hostile(status=FAMILY, intent=NUMBER)),
    "wrong-subject": rest(hostile(subject={"reference": f"Patient/{NUMBER}", "display": FAMILY})),
    "wrong-performer": rest(hostile(performer=[{"display": FAMILY}])),
    "wrong-date": rest(hostile(authoredOn=NUMBER)),
    "media-type": rest(BODY, **{"Content-Type": f"text/{FAMILY}"}),
    "accept": rest(BODY, Accept=f"text/{FAMILY}"),
    "ids": rest(BODY, **{"X-Request-Id": FAMILY, "X-Correlation-Id": NUMBER}),
    "message": bars(canary_message()),
    "message-held": bars(canary_message(consents=[consent(status="proposed")])),
    "message-refused": bars(canary_message(consents=[implied_consent()])),
    "message-event": bars(canary_message() | {"type": "collection"}),
    "message-target": bars(canary_message(), **{"NHSD-Target-Identifier": FAMILY}),
    "message-organisation": bars(canary_message(), **{"NHSD-End-User-Organisation": FAMILY}),
    "repeated": twice,
    "delivered": delivered(),
    "retried": delivered(NoReplyError("gone")),
    "provider-refused": delivered(DestinationRefusedError("no", status=422)),
    "damaged": damaged,
    "replayed": replayed,
    "search": search(**{"patient:identifier": f"{NHS}|{NUMBER}", "_count": "1"}),
    "search-by-identifier": search(identifier=f"{NHS}|{NUMBER}"),
    "search-wrong": search(**{"patient:identifier": FAMILY}),
    "search-name": search(**{FAMILY: NUMBER}),
    "search-after": search(_lastUpdated=FAMILY, _after=FAMILY),
    "tokens": token,
    "addresses": addresses,
    "consents": consents,
    "explained": explained,
    "shared": shared,
}


def leaks(text: str) -> list[str]:
    return [word for word in WORDS if word.lower() in text.lower()]


def may_show_the_patient(answer: Any) -> bool:
    """A success gives the sender its own message back; nothing else may."""
    return bool(answer.status_code < 300)


def links_of(answer: Any) -> str:
    body = answer.get_json(silent=True) or {}
    return json.dumps([body.get("link"), [e.get("fullUrl") for e in body.get("entry") or []]])


@pytest.mark.parametrize("name", WALKS)
def test_the_canary_leaves_no_trace(
    door: House, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level(logging.DEBUG):
        answers = WALKS[name](door)
    for answer in answers:
        headers = str(answer.headers)
        assert leaks(headers) == []
        assert leaks(links_of(answer)) == []
        if not may_show_the_patient(answer):
            assert leaks(answer.get_data(as_text=True)) == []
    for record in caplog.records:
        assert leaks(repr(record.__dict__) + record.getMessage()) == []
        assert record.exc_info is None
    assert leaks(every_entry(door)) == []


def every_entry(house: House) -> str:
    with house.gateway.store.reading() as view:
        bodies = view.connection.execute(select(ledger_entry.c.body)).scalars()
        return b"\n".join(bodies).decode()


def test_the_walks_reach_every_way_to_be_answered(door: House) -> None:
    statuses = {a.status_code for walk in WALKS.values() for a in walk(door)}
    assert {200, 201, 202, 400, 401, 403, 404, 405, 406, 409, 415, 422, 500} <= statuses


def test_after_all_walks_the_books_are_in_order(door: House) -> None:
    for name in ("accepted", "refused", "repeated", "provider-refused"):
        WALKS[name](door)
    result = reconcile(door.gateway)
    assert result.discrepancies == ()
    assert leaks(repr(result)) == []
    assert all(report.ok for report in check_ledger(door.gateway, lambda _rows: None))


@pytest.mark.parametrize("text", [f"x{NUMBER}", LOCAL_ID.lower(), FAMILY.upper()])
def test_a_trace_would_be_noticed(text: str) -> None:
    assert len(leaks(text)) == 1


def test_an_error_about_the_canary_does_not_quote_it(door: House) -> None:
    with pytest.raises((GatewayError, ValueError)) as caught:
        replay_referral(f"{FAMILY}", door.gateway)  # type: ignore[arg-type]  # a careless caller
    assert leaks(str(caught.value)) == []
