"""What only deviates is accepted with a warning at its place; beside it, what is refused."""

import copy
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Fault, InvalidMessageError, Severity
from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.json_text import read_json
from gateway.fhir.read_referral import read_referral
from gateway.fhir.tolerance import TABLE, tolerated
from gateway.fhir.validate import validate
from gateway.referral.json import JsonObject
from tests.builders.messages import (
    BARS_USE_CASES,
    FIRST,
    OWN,
    bars_message,
    letter_transaction,
    service_request,
)

Tree = dict[str, Any]
Edit = Callable[[Tree], object]
Warned = list[tuple[str, str | None]]
ROOT = Path(__file__).parents[3]
REAL = ROOT.parent / "shared" / "examples" / "bars"
NHS = "https://fhir.nhs.uk/Id/nhs-number"
SCT = "http://snomed.info/sct"
UUID = "11111111-2222-4333-8444-555555555555"
BARS = "https://fhir.nhs.uk/StructureDefinition"
REASONS = "https://fhir.nhs.uk/CodeSystem/message-reason-bars"
CATEGORIES = "https://fhir.nhs.uk/CodeSystem/message-category-servicerequest"
HEADER, REQUEST, PLAN, PATIENT = (f"Bundle.entry[{n}].resource" for n in (0, 1, 3, 5))

SERVICE_ACTIVE = "Bundle.entry[10].resource.active"
CONTACT: Tree = {"extension": [FIRST], "name": {"text": "A contact"}}


def part(tree: Tree, kind: str) -> Tree:
    found: Tree = next(
        e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == kind
    )
    return found


def read(tree: Tree) -> JsonObject:
    return read_json(json.dumps(tree).encode())


def errors(tree: Tree) -> list[Fault]:
    """Validate and read a message as a door does; list what refuses it."""
    message = read(tree)
    faults = [f for f in validate(message) if f.severity is not Severity.WARNING]
    try:
        read_referral(message)
    except InvalidMessageError as refusal:
        return [*faults, *refusal.faults]
    return faults


def warned(tree: Tree) -> Warned:
    keys = {entry.says: entry.key for entry in TABLE}
    return [(keys[w.diagnostics], w.expression) for w in tolerated(read(tree))]


def cdss(url: str) -> Tree:
    inner = [{"url": url, "valueString": "A triage system"}]
    return {"url": f"{BARS}/CDSSExtension", "extension": inner}


def number(value: str) -> Edit:
    return lambda t: part(t, "Patient")["identifier"][0].update(value=value)


def practice_system(system: str) -> Edit:
    return lambda t: part(t, "Organization")["identifier"][0].update(system=system)


def endpoint(system: str) -> Edit:
    return lambda t: part(t, "MessageHeader")["source"].update(endpoint=f"{system}|9000000099")


def category(system: str, code: str) -> Edit:
    return lambda t: part(t, "ServiceRequest")["category"][0]["coding"][1].update(
        system=system, code=code
    )


def header(**more: Any) -> Edit:
    return lambda t: part(t, "MessageHeader").update(more)


def reason(code: str, system: str = REASONS) -> Tree:
    return {"coding": [{"system": system, "code": code}]}


def cancellation(category_code: str, code: str) -> Edit:
    def edit(tree: Tree) -> None:
        part(tree, "MessageHeader")["reason"] = reason(code)
        request = part(tree, "ServiceRequest")
        request["status"] = "revoked"
        request["category"][0]["coding"][0]["code"] = category_code

    return edit


def profile(url: str) -> Edit:
    return header(meta={"profile": [url]})


def problem(**coding: str) -> Edit:
    return lambda t: part(t, "Condition")["code"].update(coding=[{"system": SCT, **coding}])


def plan(**more: Any) -> Edit:
    return lambda t: part(t, "CarePlan").update(more)


# Each row of the table: edits that show it, with the place of the warning; and, beside it, an
# edit of the same place that is refused, with the place of the fault.
SHOWN: dict[str, tuple[list[tuple[Edit, str]], Edit, str]] = {
    "nhs-number-check-digit": (
        [
            (number("9990000017"), f"{PATIENT}.identifier[0].value"),
            (number("999 000 0017"), f"{PATIENT}.identifier[0].value"),
        ],
        number("999000001"),
        f"{PATIENT}.identifier",
    ),
    "codesystem-folder": (
        [
            (
                header(reason=reason("new", REASONS.replace("CodeSystem", "Codesystem"))),
                f"{HEADER}.reason.coding[0].system",
            )
        ],
        header(reason=reason("new", "code system")),
        f"{HEADER}.reason.coding[0].system",
    ),
    "id-folder": (
        [
            (
                practice_system("https://fhir.nhs.uk/id/ods-organization-code"),
                "Bundle.entry[6].resource.identifier[0].system",
            )
        ],
        practice_system("https://fhir.nhs.uk/organisation"),
        f"{REQUEST}.requester",
    ),
    "http-for-https": (
        [
            (
                practice_system("http://fhir.nhs.uk/Id/ods-organization-code"),
                "Bundle.entry[6].resource.identifier[0].system",
            ),
            (endpoint("http://fhir.nhs.uk/Id/dos-service-id"), f"{HEADER}.source.endpoint"),
            (
                lambda t: part(t, "MessageHeader")["destination"][0].update(
                    endpoint="http://fhir.nhs.uk/Id/dos-service-id|9000000001"
                ),
                f"{HEADER}.destination[0].endpoint",
            ),
        ],
        practice_system("http://fhir.nhs.uk.example/Id/ods-organization-code"),
        f"{REQUEST}.requester",
    ),
    "use-case-singular": (
        [
            (
                category(BARS_USE_CASES.replace("usecases", "usecase"), "a5t1"),
                f"{REQUEST}.category[0].coding[1].system",
            )
        ],
        category(f"{BARS_USE_CASES} ", "a5t1"),
        f"{REQUEST}.category[0].coding[1].system",
    ),
    "use-case-capitals": (
        [
            (category(BARS_USE_CASES, "A5T1"), f"{REQUEST}.category[0].coding[1].code"),
            (
                category(f"{OWN}/CodeSystem/use-case", "OH-Referral"),
                f"{REQUEST}.category[0].coding[1].code",
            ),
        ],
        category(BARS_USE_CASES, " a5t1"),
        f"{REQUEST}.category[0].coding[1].code",
    ),
    "cdss-urls": (
        [
            (
                header(extension=[cdss("RequesterCDSSSoftware")]),
                f"{HEADER}.extension[0].extension[0].url",
            ),
            (
                header(extension=[cdss("requesterCDSSSoftware")]),
                f"{HEADER}.extension[0].extension[0].url",
            ),
        ],
        header(extension=[{"url": f"{BARS}/CDSSExtension"}]),
        f"{HEADER}.extension[0]",
    ),
    "profile-typo": (
        [
            (
                profile(f"{BARS}/BARSMEssageHeader-servicerequest-request"),
                f"{HEADER}.meta.profile[0]",
            )
        ],
        profile("BARS message header"),
        f"{HEADER}.meta.profile[0]",
    ),
    "cancel-by-delete": (
        [(header(reason=reason("delete")), f"{HEADER}.reason.coding[0].code")],
        header(reason=reason("delete now ")),
        f"{HEADER}.reason.coding[0].code",
    ),
    "cancel-of-another-category": (
        [(cancellation("validation", "update"), f"{REQUEST}.category[0]")],
        cancellation("validation ", "update"),
        f"{REQUEST}.category[0].coding[0].code",
    ),
    "response-definition": (
        [
            (
                header(
                    definition="https://fhir.nhs.uk/MessageDefinition/"
                    "bars-message-servicerequest-request-response-short"
                ),
                f"{HEADER}.definition",
            )
        ],
        header(definition="a response"),
        f"{HEADER}.definition",
    ),
    "unknown-definition": (
        [
            (
                header(definition="https://x.example/MessageDefinition/bespoke|1.0.0"),
                f"{HEADER}.definition",
            )
        ],
        header(definition=""),
        f"{HEADER}.definition",
    ),
    "dangling-reference": (
        [
            (
                plan(supportingInfo=[{"reference": f"urn:uuid:{UUID}"}]),
                f"{PLAN}.supportingInfo[0].reference",
            ),
        ],
        plan(subject={"reference": f"urn:uuid:{UUID}"}),
        f"{PLAN}.subject",
    ),
    "snomed-check-digit": (
        [
            (problem(code="1659111000000100"), "Bundle.entry[4].resource.code.coding[0].code"),
            (problem(code="1659121000000100"), "Bundle.entry[4].resource.code.coding[0].code"),
            (problem(code="back pain"), "Bundle.entry[4].resource.code.coding[0].code"),
        ],
        problem(code=""),
        "Bundle.entry[4].resource.code.coding[0].code",
    ),
    "entry-without-urn": (
        [
            (lambda t: t["entry"][0].pop("fullUrl"), "Bundle.entry[0].fullUrl"),
            (
                lambda t: t["entry"][11].update(fullUrl=f"https://gp.example/Consent/{UUID}"),
                "Bundle.entry[11].fullUrl",
            ),
            (lambda t: t["entry"][11].update(fullUrl="urn:uuid:1"), "Bundle.entry[11].fullUrl"),
        ],
        lambda t: t["entry"][1].update(fullUrl=t["entry"][0]["fullUrl"]),
        REQUEST,
    ),
    "message-without-profile": (
        [(lambda t: t["meta"].pop("profile"), "Bundle.meta.profile")],
        lambda t: t["meta"].update(profile="one"),
        "Bundle.meta.profile",
    ),
    "message-without-last-updated": (
        [(lambda t: t["meta"].pop("lastUpdated"), "Bundle.meta.lastUpdated")],
        lambda t: t["meta"].update(lastUpdated="yesterday"),
        "Bundle.meta.lastUpdated",
    ),
    "encounter-without-journey": (
        [
            (
                lambda t: part(t, "Encounter").pop("episodeOfCare"),
                "Bundle.entry[2].resource.episodeOfCare",
            )
        ],
        lambda t: part(t, "Encounter").update(episodeOfCare="one"),
        "Bundle.entry[2].resource.episodeOfCare",
    ),
    "unverified-nhs-number": (
        [
            (
                lambda t: part(t, "Patient")["identifier"][0].pop("extension"),
                f"{PATIENT}.identifier[0]",
            ),
            (
                lambda t: part(t, "Patient")["identifier"][0].update(
                    verification("NHSNumberVerificationStatusEngland", "03")
                ),
                f"{PATIENT}.identifier[0]",
            ),
            (
                lambda t: part(t, "Patient")["identifier"][0].update(
                    verification("NHSNumberVerificationStatus", "01")
                ),
                f"{PATIENT}.identifier[0]",
            ),
        ],
        number("none"),
        f"{PATIENT}.identifier",
    ),
    "patient-without-first-contact": (
        [
            (lambda t: part(t, "Patient").pop("contact"), f"{PATIENT}.contact"),
            (lambda t: part(t, "Patient").update(contact=[CONTACT] * 2), f"{PATIENT}.contact"),
            (
                lambda t: part(t, "Patient").update(contact=[{"name": {"text": "A contact"}}]),
                f"{PATIENT}.contact",
            ),
        ],
        lambda t: part(t, "Patient").update(contact=[CONTACT | {"gender": "none"}]),
        f"{PATIENT}.contact[0].gender",
    ),
    "service-not-active": (
        [
            (lambda t: part(t, "HealthcareService").pop("active"), SERVICE_ACTIVE),
            (lambda t: part(t, "HealthcareService").update(active=False), SERVICE_ACTIVE),
        ],
        lambda t: part(t, "HealthcareService").update(active="no"),
        SERVICE_ACTIVE,
    ),
}
ROWS = [(key, edit, place) for key, (shown, _, _) in SHOWN.items() for edit, place in shown]


def test_every_contradiction_of_the_reference_has_its_row() -> None:
    assert {entry.row for entry in TABLE} >= {str(row) for row in range(1, 24)} | {"1.5"}


def test_every_row_says_what_it_is_and_what_becomes_of_it() -> None:
    keys = [entry.key for entry in TABLE]
    assert len(set(keys)) == len({entry.says for entry in TABLE}) == len(keys)
    for entry in TABLE:
        assert all(text.endswith(".") for text in (entry.says, entry.because, entry.normalised))


def test_what_a_row_says_of_another_part_of_the_house_is_there() -> None:
    named = {
        name for entry in TABLE for name in re.findall(r"gateway/[\w/]+\.py", entry.normalised)
    }
    assert named
    missing = [name for name in named if not (ROOT / name).exists()]
    assert missing == []


def test_every_row_that_warns_is_shown_here() -> None:
    assert set(SHOWN) == {entry.key for entry in TABLE if entry.find is not None}


@pytest.mark.parametrize("build", [bars_message, letter_transaction, service_request])
def test_a_message_without_a_deviation_has_no_warning(build: Callable[[], Tree]) -> None:
    assert warned(build()) == []
    assert errors(build()) == []


@pytest.mark.parametrize(("key", "edit", "place"), ROWS, ids=[f"{k}" for k, _, _ in ROWS])
def test_a_deviation_is_accepted_with_a_warning_at_its_place(
    key: str, edit: Edit, place: str
) -> None:
    tree = bars_message()
    edit(tree)
    assert warned(tree) == [(key, place)]
    statuses = {f"{REQUEST}.status"}  # a cancellation is read by another reader
    assert {f.expression for f in errors(tree)} <= statuses
    assert all(w.severity is Severity.WARNING for w in tolerated(read(tree)))


@pytest.mark.parametrize(
    ("edit", "place"), [(edit, place) for _, edit, place in SHOWN.values()], ids=list(SHOWN)
)
def test_beside_each_deviation_something_is_refused(edit: Edit, place: str) -> None:
    tree = bars_message()
    edit(tree)
    assert place in {fault.expression for fault in errors(tree)}


@pytest.mark.parametrize(("key", "edit", "place"), ROWS, ids=[f"{k}" for k, _, _ in ROWS])
def test_a_warning_quotes_nothing_and_the_message_stays_as_it_is(
    key: str, edit: Edit, place: str
) -> None:
    tree = bars_message()
    edit(tree)
    message = read(tree)
    before = copy.deepcopy(message)
    said = str(tolerated(message))
    assert message == before
    assert not re.search(r"9990000017|999 000 0017|16591\d+|back pain|A triage|" + UUID, said)


# What differs and is right all the same: no warning.

SILENT: dict[str, Edit] = {
    "fractions-of-seconds": lambda t: t.update(timestamp="2026-11-01T09:00:00.1234567+05:30"),
    "number-of-services": lambda t: t["entry"].append(
        {"fullUrl": f"urn:uuid:{UUID}", "resource": part(t, "HealthcareService")}
    ),
    "number that is not traced": lambda t: part(t, "Patient")["identifier"][0].update(
        verification("NHSNumberVerificationStatusEngland", "02")
    ),
    "several contacts": lambda t: part(t, "Patient").update(
        contact=[{"name": {"text": "Another"}}, CONTACT]
    ),
    "no number": lambda t: part(t, "Patient").pop("identifier"),
    "no message": lambda t: (t.update(type="collection"), t.pop("meta")),
    "older verification-status": lambda t: part(t, "Patient")["identifier"][0].update(
        verification("NHSNumberVerificationStatus", "number-present-and-verified")
    ),
    "newer verification-status": lambda t: part(t, "Patient")["identifier"][0].update(
        verification("NHSNumberVerificationStatusEngland", "01")
    ),
    "journey-id": lambda t: part(t, "Encounter").update(
        episodeOfCare=[{"reference": f"EpisodeOfCare/{UUID}"}]
    ),
    "journey-id as a urn": lambda t: part(t, "Encounter").update(
        episodeOfCare=[{"reference": f"urn:uuid:{UUID}"}]
    ),
    "reused-bundle-id": lambda t: t.update(id="86e3371d-1c15-4862-9552-d9560f8292ba"),
    "own definition": header(definition=f"{OWN}/MessageDefinition/oh-referral-request"),
    "definition with a version": header(
        definition="https://fhir.nhs.uk/MessageDefinition/"
        "bars-message-servicerequest-request-referral|1.0.0-beta"
    ),
    "cdss urls": header(extension=[cdss("RequesterCDSSsoftware"), cdss("RequesterCDSSversion")]),
    "an expression": problem(code="306152009 |Referral|: 363589002 = 22298006"),
    "a cancellation": cancellation("referral", "update"),
    "a revoked validation that is new": cancellation("validation", "new"),
    "an active validation that is changed": lambda t: (
        cancellation("validation", "update")(t),
        part(t, "ServiceRequest").update(status="active"),
    ),
    "a code without a check": lambda t: part(t, "Condition")["code"].update(
        coding=[{"system": "http://read.info/ctv3", "code": "16591"}]
    ),
    "another system with http": lambda t: part(t, "ServiceRequest").update(
        identifier=[{"system": "http://gp.example/id/x", "value": "1"}]
    ),
    "no code": problem(display="Back pain"),
}


def verification(name: str, code: str) -> Tree:
    base = "https://fhir.hl7.org.uk"
    coding = {"system": f"{base}/CodeSystem/UKCore-{name}", "code": code}
    url = f"{base}/StructureDefinition/Extension-UKCore-NHSNumberVerificationStatus"
    return {"extension": [{"url": url, "valueCodeableConcept": {"coding": [coding]}}]}


@pytest.mark.parametrize("edit", SILENT.values(), ids=SILENT)
def test_what_is_right_in_both_forms_has_no_warning(edit: Edit) -> None:
    tree = bars_message()
    edit(tree)
    assert warned(tree) == []
    refused = {fault.expression for fault in errors(tree)}
    assert refused <= {f"{REQUEST}.status"}


def test_a_software_header_in_a_body_would_be_refused() -> None:
    # Row 14: what the API's document shows is not FHIR, and in a body it breaks structure.
    tree = bars_message()
    device = {"resourceType": "Device", "deviceName": {"name": "A", "type": "model-name"}}
    tree["entry"].append({"fullUrl": f"urn:uuid:{UUID}", "resource": device})
    assert "Bundle.entry[12].resource.deviceName" in {f.expression for f in errors(tree)}


def test_what_deviates_is_read_in_its_normal_form() -> None:
    tree = bars_message(use_case=(f"{OWN}/CodeSystem/use-case", "OH-Referral"))
    for kind in ("Organization", "HealthcareService", "Patient"):
        for entry in tree["entry"]:
            if entry["resource"]["resourceType"] == kind:
                own = entry["resource"]["identifier"][0]
                own["system"] = own["system"].replace("https", "http").replace("Id", "id")
    deviating, normal = read_referral(tree), read_referral(bars_message())
    assert deviating.use_case == normal.use_case
    assert deviating.requester == normal.requester
    assert deviating.service_asked == normal.service_asked
    assert deviating.patient == normal.patient
    assert len(tolerated(tree)) == 1 + 2 * 4


def test_the_use_cases_of_bars_are_known_in_the_singular_and_in_capitals() -> None:
    tree = bars_message(use_case=(BARS_USE_CASES.replace("usecases", "usecase"), "A5T1"))
    use_case = read_referral(tree).use_case
    assert use_case is not None
    assert (use_case.system, use_case.code) == (BARS_USE_CASES, "a5t1")


def test_a_contained_resource_is_looked_at_too() -> None:
    tree = service_request()
    tree["contained"][0]["identifier"][0]["value"] = "9990000017"
    tree["code"]["coding"][0]["code"] = "306152008"
    assert warned(tree) == [
        ("nhs-number-check-digit", "ServiceRequest.contained[0].identifier[0].value"),
        ("snomed-check-digit", "ServiceRequest.code.coding[0].code"),
    ]


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "MessageHeader"}}]},
        {"resourceType": "Flag", "code": {"coding": [{"system": SCT}, {"code": 7}, {}]}},
        {"resourceType": "Patient", "identifier": [{"system": NHS, "value": "none"}]},
    ],
    ids=["empty", "no-entries", "bare-header", "bare-codings", "no-number"],
)
def test_what_is_missing_raises_nothing(tree: Tree) -> None:
    assert tolerated(tree) == []


def test_a_message_of_deviations_is_looked_at_in_no_time_with_a_short_report() -> None:
    tree = service_request()
    tree["category"] = [{"coding": [{"system": SCT, "code": f"9{n}"} for n in range(12_000)]}]
    message = read(tree)
    began = time.perf_counter()
    assert len(tolerated(message)) == MAX_FAULTS
    assert time.perf_counter() - began < 2


@pytest.mark.skipif(not REAL.exists(), reason="the examples of the standard are not here")
def test_an_official_message_deviates_in_what_the_table_names() -> None:
    message = read_json((REAL / "validation-request.json").read_bytes())
    keys = {entry.says: entry.key for entry in TABLE}
    assert {keys[w.diagnostics] for w in tolerated(message)} == {
        "nhs-number-check-digit",
        "id-folder",
        "http-for-https",
    }
