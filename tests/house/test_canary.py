"""A patient whose every word is unmistakable walks every success and failure, and leaves no
trace where none belongs: no log record, header, error, link or ledger entry."""

import base64
import json
import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, text

from gateway.cli.main import main
from gateway.errors import (
    DestinationRefusedError,
    DestinationUnreachableError,
    GatewayError,
    NoReplyError,
)
from gateway.journey.check_ledger import check_ledger
from gateway.journey.erase import Authority, erase_subject, find_subject
from gateway.journey.publish import publish
from gateway.journey.reconcile import reconcile
from gateway.journey.replay import replay_referral
from gateway.referral.identifiers import NhsNumber, OdsCode
from gateway.store.tables_ledger import ledger_entry
from tests.builders.canary import (
    BORN,
    FAMILY,
    GIVEN,
    LOCAL_ID,
    NUMBER,
    POSTCODE,
    canary_message,
    canary_patient,
    canary_referral,
    forms_of,
    traces_in,
)
from tests.builders.database import every_value
from tests.builders.embedded import embedded_house
from tests.builders.evidence import execute, id_in, take_back, work
from tests.builders.house import KEK, LEDGER_SEED, House
from tests.builders.messages import (
    ODS,
    OTHER_PRACTICE,
    PRACTICE,
    bars_headers,
    consent,
    implied_consent,
)
from tests.builders.register import to_register
from tests.builders.signed import SIGNER
from tests.conformance.xml_of import xml_of

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
    with house.gateway.store.engine.connect() as connection:
        query = text("SELECT sealed_body FROM referral WHERE id = :id")
        body = connection.execute(query, {"id": own}).scalar_one()
    execute(house, "UPDATE referral SET sealed_body = wrapped_key WHERE id = :id", id=own)
    work(house)
    answers = [answer, house.get(f"/ServiceRequest/{own}"), house.get(f"/Task/{own}")]
    # Other walks read the same person's referrals, in the order of ids that nobody can foresee.
    execute(house, "UPDATE referral SET sealed_body = :body WHERE id = :id", id=own, body=body)
    return answers


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


def taken_back(house: House) -> list[Any]:
    sent = house.post("/ServiceRequest", canary_referral())
    own = id_in(sent.headers["Location"])
    work(house)
    back = take_back(house, own)
    again = take_back(house, own)
    work(house)
    return [sent, back, again, house.get(f"/Task/{own}"), house.get(f"/ServiceRequest/{own}")]


def taken_back_wrongly(house: House) -> list[Any]:
    """By somebody who names another person, another version, or nothing that is here."""
    sent = house.post("/ServiceRequest", canary_referral())
    own = id_in(sent.headers["Location"])
    read = house.get(f"/ServiceRequest/{own}")
    tree = read.get_json() | {"status": "revoked"}
    other = canary_referral() | {"id": own, "status": "revoked"}
    other["contained"] = [canary_patient(name=[{"family": FAMILY + FAMILY}]), consent()]
    return [
        house.put(f"/ServiceRequest/{own}", tree, If_Match='W/"7"'),
        house.put(f"/ServiceRequest/{own}", tree, If_Match=FAMILY),
        house.put(f"/ServiceRequest/{own}", other, If_Match=read.headers["ETag"]),
        house.put(f"/ServiceRequest/{NUMBER}", tree, If_Match=read.headers["ETag"]),
        house.post("/$process-message", canary_message() | {"type": FAMILY}, **bars_headers()),
    ]


def recall_refused(house: House) -> list[Any]:
    sent = house.post("/ServiceRequest", canary_referral())
    own = id_in(sent.headers["Location"])
    work(house)
    house.destination.failures.append(DestinationRefusedError("no", status=410))
    back = take_back(house, own)
    work(house)
    return [sent, back, house.get(f"/Task/{own}")]


def pulled(house: House) -> list[Any]:
    """By the provider: its list, what was brought to it, and what was taken back since."""
    sent = house.post("/ServiceRequest", canary_referral())
    own = id_in(sent.headers["Location"])
    work(house)
    asked = {"client": "oh-one", "_count": "200"}
    pages = [house.get("/Task", _since=since, **asked) for since in ("0", NUMBER, FAMILY)]
    read = house.get(f"/ServiceRequest/{own}", client="oh-one")
    take_back(house, own)
    again = [house.get(f"/ServiceRequest/{own}", client="oh-one")]
    for entry in house.get("/Task", client="oh-one", _count="200").get_json()["entry"]:
        if entry["resource"]["code"]["coding"][0]["code"] == "abort":
            again += answered(house, entry["resource"])
    work(house)
    return [sent, *pages, read, *again]


def answered(house: House, task: Any) -> list[Any]:
    """An answer to a recall, wrongly and well, in words that name the patient."""
    path, system = f"/Task/{task['id']}", "https://fhir.referral-gateway.example/CodeSystem"
    etag = house.get(path, client="oh-one").headers["ETag"]
    kept = task | {
        "status": "rejected",
        "businessStatus": {"coding": [{"system": f"{system}/recall-answer", "code": "retained"}]},
        "statusReason": {
            "coding": [{"system": f"{system}/retention-ground", "code": "other"}],
            "text": f"{GIVEN} {FAMILY}, {NUMBER}",
        },
    }
    wrong = task | {"status": "rejected", "statusReason": {"text": FAMILY}, "description": NUMBER}
    unclear = kept | {"businessStatus": {"text": FAMILY}}
    return [
        house.put(path, wrong, client="oh-one", If_Match=etag),
        house.put(path, unclear, client="oh-one", If_Match=etag),
        house.put(path, kept, client="oh-one", If_Match=FAMILY),
        house.put(path, kept, client="oh-one", If_Match=etag),
        house.put(f"/Task/{NUMBER}", kept, client="oh-one", If_Match=etag),
        house.get(path),
    ]


def dead_letter(house: House) -> list[Any]:
    sent = house.post("/ServiceRequest", canary_referral())
    house.destination.failures.append(DestinationUnreachableError("nobody"))
    house.clock.move(days=4, hours=23.999)
    house.tokens.clear()
    work(house)
    return [sent, house.get(f"/Task/{id_in(sent.headers['Location'])}")]


def versions(house: House) -> list[Any]:
    sent = house.post("/ServiceRequest", canary_referral())
    own = id_in(sent.headers["Location"])
    paths = ("_history", "_history/1", "_history/9", f"_history/{FAMILY}")
    return [house.get(f"/ServiceRequest/{own}/{path}") for path in paths]


def validated(house: House) -> list[Any]:
    def asked(tree: Any) -> Any:
        return house.post("/ServiceRequest/$validate", tree)

    return [asked(canary_referral()), asked(hostile(status=FAMILY)), asked(BODY[:-20])]


def by_name_and_place(house: House) -> list[Any]:
    where = {"patient.family": FAMILY, "patient.given": GIVEN, "patient.birthdate": BORN}
    place = {"patient.family": FAMILY, "patient.address-postalcode": POSTCODE}
    return [
        house.get("/ServiceRequest", **where),
        house.get("/ServiceRequest", **place),
        house.get("/ServiceRequest", subject=f"Patient/{NUMBER}"),
        house.get("/Task", patient=NUMBER),
    ]


def paged(house: House) -> list[Any]:
    """Every page of a search by number: no link on the way names the person."""
    sent = house.post("/ServiceRequest", canary_referral())
    page = house.get("/ServiceRequest", **{"patient:identifier": f"{NHS}|{NUMBER}", "_count": "1"})
    pages = [sent, page]
    for _ in range(2):
        links = {each["relation"]: each["url"] for each in page.get_json()["link"]}
        if "next" not in links:
            break
        page = house.web.get(links["next"], headers=house.bearer())
        pages.append(page)
    assert len(pages) > 1
    return pages


def audit_events(house: House) -> list[Any]:
    house.post("/ServiceRequest", canary_referral())
    found = house.get("/AuditEvent", **{"patient:identifier": f"{NHS}|{NUMBER}", "_count": "2"})
    assert found.status_code == 200
    assert found.get_json()["entry"]
    text_of = found.get_data(as_text=True)
    return [
        text_of,
        found,
        house.get("/AuditEvent", **{"patient:identifier": FAMILY}),
        house.get("/AuditEvent", patient=f"Patient/{NUMBER}"),
        house.get("/AuditEvent", **{FAMILY: NUMBER}),
        house.get("/AuditEvent", entity=f"Patient/{NUMBER}"),
        house.get(f"/AuditEvent/{NUMBER}"),
        house.get("/AuditEvent", policy=FAMILY, outcome=NUMBER),
    ]


def what_if(house: House) -> list[Any]:
    who = {"headers": house.bearer()}
    answers = [
        house.web.get("/sharing/switches/secondary_sharing/impact?value=off", **who),
        house.web.get("/sharing/agreements/dsa-one-oh/impact?status=withdrawn", **who),
    ]
    return [*answers, *(answer.get_data(as_text=True) for answer in answers)]


def commands(house: House) -> list[Any]:
    """What an operator reads on screen, of a referral of the canary's; and all that is exported."""
    sent = house.post("/ServiceRequest", canary_referral())
    task = house.get(f"/Task/{id_in(sent.headers['Location'])}").get_json()
    reference = task["groupIdentifier"]["value"]
    with tempfile.TemporaryDirectory() as folder:
        printed = [
            run(house, *words)
            for words in (
                ("reconcile",), ("reconcile", "--json"), ("replay", reference),
                ("ledger", "checkpoint"), ("ledger", "verify"), ("ledger", "verify", "--json"),
                ("ledger", "export", f"{folder}/export"), ("ledger", "verify", f"{folder}/export"),
                ("ledger", "prove", f"{folder}/timeline", "--referral", reference),
                ("ledger", "verify", f"{folder}/timeline"),
                ("ledger", "prove", f"{folder}/one", "--entry", "1"),
                ("ledger", "prove", f"{folder}/opened", "--referral", reference, "--details"),
                ("ledger", "prove", f"{folder}/none", "--referral", FAMILY),
                ("ledger", "prove", f"{folder}/none", "--subject", NUMBER),
                ("replay", FAMILY), ("erase", "--handle", NUMBER, "--authority", "retention"),
                ("erase", "--referral", reference, "--authority", "retention", "--dry-run"),
                ("consent", "explain", reference), ("retention", "plan"),
            )
        ]  # fmt: skip
        # What the operator types is typed again in no answer; what it opened may tell of the person.
        handed_out = [
            path.read_bytes().decode("latin-1")
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and path.suffix != ".detail"
        ]
    return [sent, *printed, *handed_out]


def run(house: House, *words: str) -> str:
    """Run a command over the house's database; return all that it printed."""
    environment = {
        "GATEWAY_DATABASE_URL": house.settings.database_url,
        "GATEWAY_KEY_ENCRYPTION_KEYS": KEK,
        "GATEWAY_LOOKUP_KEY": base64.b64encode(bytes(range(32))).decode(),
        "GATEWAY_LEDGER_KEYS": LEDGER_SEED,
        "GATEWAY_LEDGER_ORIGIN": "gateway.example/ledger",
    }
    done = CliRunner().invoke(main, list(words), env=environment)
    assert done.exception is None or isinstance(done.exception, SystemExit | GatewayError)
    return f"{done.output}\n{done.exception or ''}"


def erasure_refused(house: House) -> list[Any]:
    sent = house.post("/ServiceRequest", canary_referral())
    handle = find_subject(house.gateway, OdsCode(PRACTICE), NhsNumber(NUMBER))
    with pytest.raises(GatewayError) as caught:
        erase_subject(house.gateway, handle, authority=Authority.RETENTION)
    return [sent, str(caught.value)]


BODY = json.dumps(canary_referral()).encode()
XML = xml_of(canary_referral())
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
    "pulled-and-answered": pulled,
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
    "taken-back": taken_back,
    "taken-back-wrongly": taken_back_wrongly,
    "recall-refused": recall_refused,
    "dead-letter": dead_letter,
    "garbage": delivered(NoReplyError("an answer that is none")),
    "versions": versions,
    "validated": validated,
    "by-name-and-place": by_name_and_place,
    "paged": paged,
    "audit-events": audit_events,
    "what-if": what_if,
    "commands": commands,
    "erasure-refused": erasure_refused,
    "bars-garbage": bars(canary_message() | {"entry": [{"resource": canary_patient()}]}),
    "xml": rest(XML, **{"Content-Type": "application/fhir+xml"}),
    "xml-broken": rest(XML[:-9], **{"Content-Type": "application/fhir+xml"}),
    "too-long": rest(BODY + b" " * 6_000_000),
    "not-utf8": rest(BODY.replace(GIVEN.encode(), b"\xff\xfe")),
}


leaks = traces_in


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
    assert list(traces(answers, caplog.records, every_entry(door))) == []
    assert all(record.exc_info is None for record in caplog.records)


def traces(
    answers: Iterable[Any], records: Iterable[logging.LogRecord], ledger: str
) -> Iterator[tuple[str, list[str]]]:
    """Name each channel that holds a word of the canary's, and the words."""
    looked_at = [("entry", ledger)]
    looked_at += [("log", repr(each.__dict__) + each.getMessage()) for each in records]
    for answer in answers:
        if isinstance(answer, str):  # what a command printed, or an error said
            looked_at.append(("text", answer))
            continue
        looked_at += [("header", str(answer.headers)), ("link", links_of(answer))]
        if not may_show_the_patient(answer):
            looked_at.append(("error", answer.get_data(as_text=True)))
    for channel, said in looked_at:
        found = leaks(said)
        if found:
            yield channel, found


def every_entry(house: House) -> str:
    with house.gateway.store.reading() as view:
        bodies = view.connection.execute(select(ledger_entry.c.body)).scalars()
        return b"\n".join(bodies).decode()


def test_the_walks_reach_every_way_to_be_answered(door: House) -> None:
    answers = (a for walk in WALKS.values() for a in walk(door))
    statuses = {a.status_code for a in answers if not isinstance(a, str)}
    assert {200, 201, 202, 400, 401, 403, 404, 405, 406, 409, 415, 422, 500} <= statuses


def test_after_all_walks_the_books_are_in_order(door: House) -> None:
    for name in ("accepted", "refused", "repeated", "provider-refused"):
        WALKS[name](door)
    result = reconcile(door.gateway)
    assert result.discrepancies == ()
    assert leaks(repr(result)) == []
    assert all(report.ok for report in check_ledger(door.gateway, lambda _rows: None))


def test_the_canary_is_erased_without_a_trace(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with embedded_house(tmp_path) as house, caplog.at_level(logging.DEBUG):
        house.post("/ServiceRequest", canary_referral())
        work(house)
        file = tmp_path / "number"
        file.write_text(NUMBER)
        words = ("--authority", "data-subject-request", "--practice", PRACTICE, "--yes")
        printed = run(house, "erase", "--nhs-number-from", str(file), *words)
        again = run(house, "erase", "--nhs-number-from", str(file), *words)
        publish(house.gateway, [SIGNER])
        assert leaks(printed + again + every_entry(house) + caplog.text) == []
        assert '"kind":"subject.erased"' in every_entry(house)
        assert traces_of_rows(house) == []


def traces_of_rows(house: House) -> list[str]:
    """Where any word of the canary's stands in any column, in whatever form."""
    return [
        f"{place}: {word}"
        for place, raw in every_value(house)
        for word in leaks(raw.decode("latin-1"))
    ]


def test_no_column_holds_a_trace_after_all_walks(door: House) -> None:
    for walk in WALKS.values():
        walk(door)
    assert traces_of_rows(door) == []


@pytest.mark.parametrize("form", sorted(forms_of(NUMBER)))
def test_a_number_would_be_noticed_in_every_form(form: str) -> None:
    assert leaks(f"<{form}>") == [NUMBER]


TOLD = json.dumps({"issue": [{"diagnostics": f"{FAMILY} is unknown"}]})
LINKED = json.dumps({"link": [{"url": f"https://x.example/?family={FAMILY}"}]})


@pytest.mark.parametrize(
    ("channel", "answer", "logged", "ledger"),
    [
        ("entry", None, "", f'{{"actor":"{FAMILY}"}}'),
        ("log", None, FAMILY, ""),
        ("text", f"{FAMILY}: no such file", "", ""),
        ("header", ("", 201, {"Location": f"https://x.example/{FAMILY}"}), "", ""),
        ("link", (LINKED, 200, {"Content-Type": "application/fhir+json"}), "", ""),
        ("error", (TOLD, 400, {"Content-Type": "application/fhir+json"}), "", ""),
    ],
)
def test_a_trace_would_be_noticed_in_each_channel(
    door: House, channel: str, answer: Any, logged: str, ledger: str
) -> None:
    record = logging.LogRecord("gateway", logging.DEBUG, "", 0, "x %s", (logged,), None)
    made = door.app.make_response(answer) if isinstance(answer, tuple) else answer
    found = list(traces([made] if made else [], [record], ledger))
    assert found == [(channel, [FAMILY])]


@pytest.mark.parametrize("text", [f"x{NUMBER}", LOCAL_ID.lower(), FAMILY.upper()])
def test_a_trace_would_be_noticed(text: str) -> None:
    assert len(leaks(text)) == 1


def test_an_error_about_the_canary_does_not_quote_it(door: House) -> None:
    with pytest.raises((GatewayError, ValueError)) as caught:
        replay_referral(f"{FAMILY}", door.gateway)  # type: ignore[arg-type]  # a careless caller
    assert leaks(str(caught.value)) == []
