"""The sample referrals: what is sent, by whom, by which door, and how each should end.

What enters: the instant of posting. What leaves: messages, ready to post. The files in
`samples/` are good referrals with blanks: `{{uuid:label}}`, `{{instant:-2d}}`,
`{{date:-35d}}`, and words about the person, practice and service. What is wrong with a bad
sample is done to a good one by a function of `edits`. All persons are invented; their NHS
numbers are of the 999 range, which is set aside for tests.
"""

import base64
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from gateway.cli.demo import edits, people
from gateway.cli.demo.setting import (
    BEACON,
    HAWTHORN,
    HEALTH_AND_WORK,
    MILLPOND,
    OH,
    PHARMACY,
    Neighbour,
    Practice,
)
from gateway.fhir.bars.check import DEFINITIONS
from gateway.fhir.bars.message import REASON_SYSTEM
from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.text import FHIR_JSON, FHIR_XML
from gateway.fhir.xml_text import write_xml
from gateway.referral.identifiers import (
    DOS_SERVICE_SYSTEM,
    NHS_NUMBER_SYSTEM,
    ODS_CODE_SYSTEM,
)
from gateway.referral.json import Json, JsonObject, child, objects, string

FOLDER = Path(__file__).parent / "samples"
CONSENT_SYSTEM, CONSENT_NAME = "https://gp-system.example/Id/consent", "demo-1"
"""What the practice calls the one Consent that it records in the register."""
_BLANK = re.compile(r"\{\{([a-z_]+)(?::([^{}]+))?\}\}")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Ending(StrEnum):
    """What may become of a sample."""

    DELIVERED = "delivered"
    HELD = "held"
    REFUSED = "refused"
    NOT_TAKEN = "malformed"
    REPEATED = "recognised as a repeat"
    TAKEN_BACK = "taken back"
    CLOSED = "closed"


class Act(StrEnum):
    """What a practice, or its provider, does beside posting a sample."""

    RECORD_CONSENT = "record the Consent in the register"
    WITHDRAW_CONSENT = "withdraw the Consent in the register"
    ANSWER_RECALL = "let the provider answer the recall that this withdrawal made"
    WITHDRAW_AGREEMENT = "withdraw from the agreement with the provider"
    REINSTATE_AGREEMENT = "reinstate the agreement with the provider"


class Door(StrEnum):
    """By which door a sample comes, and its path below the FHIR base."""

    FORM = "/ServiceRequest"
    BUNDLE = "/"
    BARS = "/$process-message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How a sample should end.

    `reason` is a code that the answer must carry: the rule's for refusals and holds, else
    the NHS error code. `expression` is the FHIRPath at which a message is found wrong.
    """

    status: int
    ending: Ending
    reason: str | None = None
    expression: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One sample.

    `edit` changes the good message, `cut` its bytes. `again` names an earlier sample, which
    is sent once more exactly as it was; `takes_back` one whose referral is taken back.
    `busy_first`: how often the provider answers that it is busy before it takes this one.
    `before`: what the practice does first. `meanwhile`: what it does once the provider was asked
    for the first time; it is busy until the end. `withholds`: a part that carries a label must
    not reach the provider, and everything else must.
    """

    name: str
    title: str
    door: Door
    expected: Expected
    template: str = ""
    person: people.Person | None = None
    practice: Practice = HAWTHORN
    service: Neighbour = OH
    edit: Callable[[JsonObject], None] | None = None
    cut: bool = False
    media_type: str = FHIR_JSON
    again: str | None = None
    takes_back: str | None = None
    busy_first: int = 0
    before: Act | None = None
    meanwhile: Act | None = None
    withholds: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is posted: to which path below the FHIR base, with which headers and bytes."""

    path: str
    headers: Mapping[str, str]
    body: bytes


def message_of(sample: Sample, *, at: datetime) -> Message:
    """Fill in a sample's blanks as of an instant, with new identifiers."""
    tree = _good_message(sample, at)
    if sample.edit is not None:
        sample.edit(tree)
    body = write_xml(tree) if sample.media_type == FHIR_XML else write_json(tree)
    if sample.cut:
        body = body[: len(body) // 2]
    return Message(path=sample.door.value, headers=_headers_of(sample), body=body)


def consent_of(sample: Sample, *, at: datetime) -> JsonObject:
    """Take the Consent out of a sample's good message, as the register keeps it.

    It stands by itself: it names the person by NHS number, and has a name of its own.
    """
    consent = edits.consent_in(_good_message(sample, at))
    del consent["id"]
    nhs = blanks_of(sample)["nhs"]
    person: JsonObject = {"identifier": {"system": NHS_NUMBER_SYSTEM, "value": nhs}}
    name: JsonObject = {"system": CONSENT_SYSTEM, "value": CONSENT_NAME}
    return consent | {"identifier": [name], "patient": person, "performer": [person]}


def _good_message(sample: Sample, at: datetime) -> JsonObject:
    text = (FOLDER / f"{sample.template}.json").read_text(encoding="utf-8")
    return read_json(filled(text, blanks_of(sample), at).encode())


def message_that_takes_back(sample: Sample, first: Message) -> Message:
    """Make the message that takes an earlier one's referral back. Source: BaRS, cancellation."""
    tree = read_json(first.body)
    kept = ("MessageHeader", "ServiceRequest", "Patient", "Organization")
    entries: list[Json] = []
    for entry in objects(tree, "entry"):
        resource = child(entry, "resource") or {}
        if string(resource, "resourceType") in kept:
            entries.append(entry)
        if string(resource, "resourceType") == "MessageHeader":
            resource["definition"] = f"{DEFINITIONS}bars-message-servicerequest-request-cancelled"
            resource["reason"] = {"coding": [{"system": REASON_SYSTEM, "code": "update"}]}
        if string(resource, "resourceType") == "ServiceRequest":
            resource["status"] = "revoked"
            resource["reasonCode"] = [{"text": "The patient is back at work"}]
            for name in ("basedOn", "encounter", "supportingInfo"):
                resource.pop(name, None)
    body = write_json(tree | {"entry": entries})
    return Message(path=sample.door.value, headers=_headers_of(sample), body=body)


def _headers_of(sample: Sample) -> dict[str, str]:
    headers = {
        "Content-Type": sample.media_type,
        "Accept": f"{FHIR_JSON}; version=1.4.0",
        "X-Request-Id": str(uuid.uuid4()),
        "X-Correlation-Id": str(uuid.uuid4()),
    }
    if sample.door is Door.BARS:
        headers |= bars_headers(sample.practice, sample.service)
    return headers


def file_name(number: int, sample: Sample) -> str:
    """Name the file of a message that was posted as the number-th."""
    kind = "xml" if sample.media_type == FHIR_XML else "json"
    return f"{number:02}-{sample.name}.{kind}"


def bars_headers(practice: Practice, service: Neighbour) -> dict[str, str]:
    """Make the headers that BaRS adds. Source: BaRS message headers."""
    organisation: JsonObject = {
        "resourceType": "Organization",
        "identifier": [{"system": ODS_CODE_SYSTEM, "value": practice.ods}],
        "name": practice.name,
    }
    software: JsonObject = {
        "resourceType": "Device",
        "identifier": [{"system": "https://gp-system.example/Id/device", "value": "demo"}],
        "deviceName": [{"name": "Example GP System", "type": "manufacturer-name"}],
        "version": [{"value": "1.0"}],
    }
    target: JsonObject = {"value": service.dos_service_id, "system": DOS_SERVICE_SYSTEM}
    return {
        "NHSD-Target-Identifier": _encoded(target),
        "NHSD-End-User-Organisation": _encoded(organisation),
        "NHSD-Requesting-Software": _encoded(software),
        "use-context": f"{service.use_case}|referral|servicerequest-request|new",
    }


def _encoded(tree: JsonObject) -> str:
    return base64.b64encode(write_json(tree)).decode()


def blanks_of(sample: Sample) -> Mapping[str, str]:
    """Return the words that fill a sample's blanks."""
    person = sample.person or people.IVY
    return {
        "nhs": person.nhs,
        "given": person.given,
        "family": person.family,
        "gender": person.gender,
        "born": person.born,
        "practice": sample.practice.ods,
        "practice_name": sample.practice.name,
        "provider": sample.service.ods,
        "provider_name": sample.service.name,
        "service": sample.service.dos_service_id,
        "service_name": sample.service.service,
    }


def filled(text: str, words: Mapping[str, str], at: datetime) -> str:
    """Fill in the blanks of a template. The same label of `uuid` gives the same UUID."""
    made: dict[str, str] = {}

    def fill(blank: re.Match[str]) -> str:
        name, argument = blank[1], blank[2]
        if argument is None:
            return words[name]
        if name == "uuid":
            return made.setdefault(argument, str(uuid.uuid4()))
        amount = timedelta(**{_UNITS[argument[-1]]: int(argument[:-1])})
        moment = (at + amount).astimezone(UTC)
        if name == "date":
            return moment.date().isoformat()
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return _BLANK.sub(fill, text)


_GOOD = Expected(status=201, ending=Ending.DELIVERED)
_FORM = Sample(name="", title="", door=Door.FORM, template="oh-form", expected=_GOOD)
_BARS = Sample(
    name="", title="", door=Door.BARS, template="oh-message", expected=replace(_GOOD, status=200)
)


def _not_taken(status: int, reason: str, expression: str | None = None) -> Expected:
    return Expected(status=status, ending=Ending.NOT_TAKEN, reason=reason, expression=expression)


SAMPLES: tuple[Sample, ...] = (
    replace(_FORM, name="form", title="A form to occupational health", person=people.IVY),
    replace(
        _FORM, name="letter", title="A letter instead of a form", door=Door.BUNDLE,
        template="oh-letter", person=people.OTTO, expected=replace(_GOOD, status=200),
    ),
    replace(_BARS, name="bars", title="A BaRS message to occupational health", person=people.NELL),
    replace(
        _FORM, name="work-health", title="To the national Health and Work service",
        template="work-health-form", person=people.SAUL, service=HEALTH_AND_WORK,
    ),
    replace(
        _BARS, name="pharmacy", title="Direct care: to a pharmacy, consent implied",
        template="pharmacy-message", person=people.WREN, service=PHARMACY,
    ),
    replace(
        _FORM, name="switches-off", title="Practice shares for individual care only",
        person=people.ADA, practice=BEACON,
    ),
    replace(
        _FORM, name="no-consent", title="No consent at all", person=people.HUGO, edit=edits.without_consent,
        expected=Expected(status=403, ending=Ending.REFUSED, reason="NO_PATIENT_CONSENT"),
    ),
    replace(
        _BARS, name="implied-only", title="Only implied consent, to occupational health",
        person=people.MAUD, edit=edits.with_implied_consent_only,
        expected=Expected(status=422, ending=Ending.REFUSED, reason="NO_PATIENT_CONSENT"),
    ),
    replace(
        _FORM, name="no-agreement", title="Practice has no agreement with the provider",
        person=people.TEDDY, practice=MILLPOND,
        expected=Expected(status=403, ending=Ending.REFUSED, reason="NO_ORGANISATION_CONSENT"),
    ),
    replace(
        _FORM, name="another-provider", title="Consent names another provider", person=people.PEARL,
        edit=edits.with_consent_for_another_provider,
        expected=Expected(status=202, ending=Ending.HELD, reason="CONSENT_DOES_NOT_COVER"),
    ),
    replace(
        _BARS, name="not-yet-asked", title="Patient asked, no answer yet", person=people.AMOS,
        edit=edits.with_consent_not_yet_given,
        expected=Expected(status=200, ending=Ending.HELD, reason="CONSENT_NOT_YET_GIVEN"),
    ),
    replace(
        _FORM, name="broken-json", title="Broken off half-way", person=people.EDIE, cut=True,
        expected=_not_taken(400, "REC_BAD_REQUEST"),
    ),
    replace(
        _FORM, name="no-patient", title="No Patient", person=people.EDIE, edit=edits.without_patient,
        expected=_not_taken(400, "REC_BAD_REQUEST", "ServiceRequest.subject.reference"),
    ),
    replace(
        _FORM, name="unknown-element", title="An element that FHIR does not have", person=people.EDIE,
        edit=edits.with_unknown_element,
        expected=_not_taken(400, "REC_BAD_REQUEST", "ServiceRequest"),
    ),
    replace(
        _FORM, name="media-type", title="Sent as plain text", person=people.EDIE,
        media_type="text/plain",
        expected=_not_taken(415, "REC_UNSUPPORTED_MEDIA_TYPE"),
    ),
    replace(
        _FORM, name="form-again", title="The first form once more", again="form",
        expected=Expected(status=201, ending=Ending.REPEATED),
    ),
    replace(
        _BARS, name="bars-again", title="The BaRS message once more", again="bars",
        expected=Expected(status=409, ending=Ending.REPEATED, reason="REC_CONFLICT"),
    ),
    replace(
        _FORM, name="busy", title="Provider busy at first", person=people.REX, busy_first=1,
    ),
    replace(
        _FORM, name="xml", title="The letter, in XML", door=Door.BUNDLE, template="oh-letter",
        person=people.IRIS, media_type=FHIR_XML, expected=replace(_GOOD, status=200),
    ),
    replace(
        _BARS, name="taken-back", title="The BaRS referral taken back", takes_back="bars",
        expected=Expected(status=200, ending=Ending.TAKEN_BACK),
    ),
    replace(
        _FORM, name="labelled", title="One part labelled PSY, consent silent on it",
        door=Door.BUNDLE, template="oh-letter", person=people.VERA,
        edit=edits.with_part_labelled_psy, withholds=True, expected=replace(_GOOD, status=200),
    ),
    replace(
        _FORM, name="register", title="Consent in the register, none in the message",
        person=people.JONAH, edit=edits.without_consent, before=Act.RECORD_CONSENT,
    ),
    replace(
        _FORM, name="withdrawn", title="That consent withdrawn while the next waits",
        person=people.JONAH, edit=edits.without_consent, meanwhile=Act.WITHDRAW_CONSENT,
        expected=Expected(status=201, ending=Ending.CLOSED, reason="CONSENT_WITHDRAWN"),
    ),
    replace(
        _FORM, name="recalled", title="The provider answers its recall; one more is sent",
        person=people.JONAH, edit=edits.without_consent, before=Act.ANSWER_RECALL,
        expected=Expected(status=403, ending=Ending.REFUSED, reason="NO_PATIENT_CONSENT"),
    ),
    replace(
        _FORM, name="agreement-withdrawn", title="The practice withdraws its agreement",
        template="work-health-form", person=people.LOTTIE, practice=MILLPOND,
        service=HEALTH_AND_WORK, before=Act.WITHDRAW_AGREEMENT,
        expected=Expected(status=403, ending=Ending.REFUSED, reason="NO_ORGANISATION_CONSENT"),
    ),
    replace(
        _FORM, name="agreement-reinstated", title="The practice reinstates its agreement",
        template="work-health-form", person=people.LOTTIE, practice=MILLPOND,
        service=HEALTH_AND_WORK, before=Act.REINSTATE_AGREEMENT,
    ),
)  # fmt: skip
