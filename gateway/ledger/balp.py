"""An entry of the ledger as a FHIR AuditEvent, for officers who read by API.

What enters: an entry at its place, its leaf hash, and whose gateway this is. What leaves: one
AuditEvent. The entry is the truth; this is a rendering, which may change without any hash
changing, and which says nothing that the leaf does not say. It must never hold a name or an
NHS number: a person is a handle of the ledger, as an identifier, and nothing else.

Every event follows our own profile `ledger-entry`, which can say what BALP cannot: a refusal
because no consent exists. It also claims a profile of IHE BALP where it keeps to it:

    PatientCreate             a referral or a Consent came in through the REST door
    PatientUpdate             a referral was taken back there, or a Consent has a new version
    PatientRead               one record of a known person was read
    PrivacyDisclosure.Source  the recipient said that it has a referral

Where such a profile asks for the network address of a party, which no leaf holds, the event
says that it is not known (data-absent-reason). Not claimed: AuthZconsent, whose slices of
entities are closed and want the Consent and the user, while a decision rests on facts that are
sealed; PatientQuery, which wants the query itself, of which the leaf has a hash; any profile
for what failed, since all of these are about success.
Source: FHIR R4 AuditEvent; IHE BALP 1.1, volume 3, 5.7; the sharing rules, section 8.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from gateway.ledger.balp_table import DCM, EXPORT, FORMS, Coding, Form, sort_of
from gateway.ledger.canonical import Json as CanonicalJson
from gateway.ledger.entry import (
    ConsentEnteredInError,
    ConsentRecorded,
    ConsentSuperseded,
    ConsentWithdrawn,
    DeliveryDelivered,
    Entry,
    RecordRead,
    ReferralCancelled,
    ReferralReceived,
)
from gateway.ledger.kinds import Door, Interaction
from gateway.ledger.seal import PlacedEntry
from gateway.ledger.sentence import sentence
from gateway.ledger.values import write_instant
from gateway.referral.identifiers import ODS_CODE_SYSTEM, OWN_BASE
from gateway.referral.json import Json, JsonObject

HANDLE_SYSTEM: Final = f"{OWN_BASE}/Id/handle"
ACTOR_SYSTEM: Final = f"{OWN_BASE}/Id/actor"
POLICY_BASE: Final = f"{OWN_BASE}/policy/"
PROFILE: Final = f"{OWN_BASE}/StructureDefinition/ledger-entry"
BALP: Final = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
PATIENT_CREATE: Final = f"{BALP}PatientCreate"
PATIENT_UPDATE: Final = f"{BALP}PatientUpdate"
PATIENT_READ: Final = f"{BALP}PatientRead"
DISCLOSURE: Final = f"{BALP}PrivacyDisclosure.Source"

_ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
_RESOURCE_TYPE = "http://hl7.org/fhir/resource-types"
_APPLICATION = Coding(DCM, "110150")
_DESTINATION = Coding(DCM, "110152")
_SOURCE = Coding(DCM, "110153")
_CUSTODIAN = Coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "CST")
_RECIPIENT = Coding("http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "IRCP")
_PROVIDER = Coding("http://terminology.hl7.org/CodeSystem/v3-RoleClass", "PROV")
_SERVER = {
    "system": "http://terminology.hl7.org/CodeSystem/security-source-type",
    "code": "4",
    "display": "Application Server",
}
_NOT_KNOWN: JsonObject = {
    "extension": [
        {
            "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason",
            "valueCode": "unknown",
        }
    ]
}
_NAMED = (
    "decision",
    "agreement",
    "notice",
    "artefact",
    "service",
    "endpoint",
    "withdrawal",
    "reminder",
)
"""References of an entry to what has no address here, each under a system of its own."""
_TASKS = ("delivery", "recalled")
_SUFFIX = 12  # hexadecimal digits that tell logs of one year apart


def event_id(log: str, index: int, *, origin: str) -> str:
    """Name the AuditEvent of an entry: year and index, such as `2026-17`.

    A log that began under another origin than the gateway has now adds the start of a hash
    of its name, so that no two entries of one database share a name.
    """
    year = log[-4:]
    if log == f"{origin}/{year}":
        return f"{year}-{index}"
    return f"{year}-{index}.{hashlib.sha256(log.encode()).hexdigest()[:_SUFFIX]}"


def audit_event(placed: PlacedEntry, leaf_hash: bytes, *, ods: str, origin: str) -> JsonObject:
    """Show an entry as an AuditEvent.

    Args:
        placed: the entry and its place.
        leaf_hash: SHA-256(0x00 || body), by which its proof is found.
        ods: the organisation that runs this gateway, which recorded the event.
        origin: the name of this gateway's logs, without the year.
    """
    entry = placed.entry
    form, claimed = FORMS[sort_of(entry)], _claimed(entry)
    at = write_instant(placed.at)
    profiles: list[Json] = [PROFILE, *([claimed] if claimed else [])]
    return {
        "resourceType": "AuditEvent",
        "id": event_id(placed.log, placed.index, origin=origin),
        "meta": {"lastUpdated": at, "profile": profiles},
        "type": _coding(form.type),
        "subtype": [_coding(each) for each in form.subtypes],
        "action": form.action.value,
        "recorded": at,
        "outcome": form.outcome.value,
        "outcomeDesc": sentence(entry),
        "agent": list(_agents(entry, form, claimed, ods)),
        "source": {"observer": _organisation(ods), "type": [{**_SERVER}]},
        "entity": list(_entities(placed, leaf_hash)),
    }


def _claimed(entry: Entry) -> str | None:
    """Name the profile of BALP that the event of an entry keeps to; None: there is none."""
    match entry:
        case ReferralReceived(door=Door.REST) | ConsentRecorded():
            return PATIENT_CREATE
        case ReferralCancelled(door=Door.REST):
            return PATIENT_UPDATE
        case ConsentSuperseded() | ConsentWithdrawn() | ConsentEnteredInError():
            return PATIENT_UPDATE
        case RecordRead(interaction=Interaction.READ | Interaction.VREAD, subject=str()):
            return PATIENT_READ if entry.consent or entry.referral else None
        case DeliveryDelivered():
            return DISCLOSURE
        case _:
            return None


def _agents(entry: Entry, form: Form, claimed: str | None, ods: str) -> Iterator[JsonObject]:
    """List who acted, this gateway, the practice whose data it is, and who was to have it."""
    actor, own, recipient = _APPLICATION, _CUSTODIAN, _RECIPIENT
    if form.type == EXPORT:
        own, recipient = _SOURCE, _DESTINATION
    elif claimed == PATIENT_READ:
        actor, own = _DESTINATION, _SOURCE
    elif claimed:
        actor, own = _SOURCE, _DESTINATION
    yield _agent(actor, _named(ACTOR_SYSTEM, entry.actor), claimed, is_requestor=True)
    policy = getattr(entry, "policy", None)
    yield _agent(own, _organisation(ods), claimed, policy=policy)
    if entry.practice is not None:
        yield _agent(_PROVIDER, _organisation(entry.practice), None)
    to = getattr(entry, "recipient", None)
    if to is not None:
        yield _agent(recipient, _organisation(to), claimed)


def _agent(
    role: Coding,
    who: JsonObject,
    claimed: str | None,
    *,
    is_requestor: bool = False,
    policy: str | None = None,
) -> JsonObject:
    return {
        "type": {"coding": [_coding(role)]},
        "who": who,
        "requestor": is_requestor,
        **({"policy": [f"{POLICY_BASE}{policy}"]} if policy else {}),
        **({"network": _NOT_KNOWN} if claimed else {}),
    }


def _entities(placed: PlacedEntry, leaf_hash: bytes) -> Iterator[JsonObject]:
    """List the person, what it was about, whatever else is named, and the entry itself."""
    entry = placed.entry
    if entry.subject is not None:
        who = {**_named(HANDLE_SYSTEM, entry.subject), "type": "Patient"}
        yield _entity(_code(_ENTITY_TYPE, "1"), who, role="1")
    addresses = list(_addresses(entry))
    for number, address in enumerate(addresses):
        kind = Coding(_ENTITY_TYPE, "2") if number == 0 else _resource(address)
        yield _entity(_coding(kind), {"reference": address}, role="4")
    for name in _TASKS:
        if task := getattr(entry, name, None):
            address = f"Task/{task}"
            yield _entity(_coding(_resource(address)), {"reference": address}, role="20")
    for name in _NAMED:
        if value := getattr(entry, name, None):
            yield _entity(_code(_ENTITY_TYPE, "4"), _named(f"{OWN_BASE}/Id/{name}", value))
    yield {
        **_entity(
            _code(_ENTITY_TYPE, "4"),
            _named(f"{OWN_BASE}/Id/ledger-entry", f"{placed.log}/{placed.index}"),
            role="13",
        ),
        "detail": [{"type": n, "valueString": v} for n, v in _details(placed, leaf_hash)],
    }


def _addresses(entry: Entry) -> Iterator[str]:
    """Name the records that an entry is about, the one that it is most about first."""
    consent = getattr(entry, "consent", None)
    if consent is not None:
        version = getattr(entry, "version", None)
        yield f"Consent/{consent}" + (f"/_history/{version}" if version is not None else "")
    referral = getattr(entry, "referral", None)
    if referral is not None:
        yield f"ServiceRequest/{referral}"


def _details(placed: PlacedEntry, leaf_hash: bytes) -> Iterator[tuple[str, str]]:
    """Tell where the entry stands, how it is proved, and whatever else its leaf says.

    The names are those of the leaf, and `leaf_hash`, by which its proof is found.
    """
    body = placed.entry.as_json()
    said: dict[str, CanonicalJson] = {
        "log": placed.log,
        "idx": placed.index,
        "leaf_hash": leaf_hash.hex(),
        "prev_subject": placed.prev_subject,
        "prev_practice": placed.prev_practice,
        "detail_commit": placed.detail_commit,
        "detail": body["detail"],
        "epochs": body["epochs"],
    }
    for name, value in said.items():
        if isinstance(value, dict):
            prefix = "" if name == "detail" else f"{name}."
            yield from ((prefix + n, text) for n, v in value.items() for text in _texts(v))
        else:
            yield from ((name, text) for text in _texts(value))


def _texts(value: CanonicalJson) -> list[str]:
    """Write a value of a leaf as texts: one for each member of a list, none for null."""
    if value is None:
        return []
    if isinstance(value, list):
        return [str(each) for each in value]
    return [str(value).lower() if isinstance(value, bool) else str(value)]


def _entity(kind: JsonObject, what: JsonObject, *, role: str | None = None) -> JsonObject:
    return {"what": what, "type": kind, **({"role": _code(_ROLE, role)} if role else {})}


def _resource(address: str) -> Coding:
    return Coding(_RESOURCE_TYPE, address.partition("/")[0])


def _organisation(ods: str) -> JsonObject:
    return {**_named(ODS_CODE_SYSTEM, ods), "type": "Organization"}


def _named(system: str, value: str) -> JsonObject:
    return {"identifier": {"system": system, "value": value}}


def _coding(coding: Coding) -> JsonObject:
    return _code(coding.system, coding.code)


def _code(system: str, code: str) -> JsonObject:
    return {"system": system, "code": code}
