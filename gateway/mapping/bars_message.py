"""A referral becomes the BaRS message that a provider's `$process-message` takes.

What enters: the message as it may leave (a BaRS message, or a referral of the REST door in any
of its forms), the delivery, and the endpoint. What leaves: one message Bundle, the same bytes
at every attempt. All that came goes along, under new names. The envelope is ours: MessageHeader,
names, stamps. Added are what `bars_parts` makes, our reference, a name for the person that tells
nothing, the handling labels and, where it applies, REDACTED and a Provenance.

Must never: send what our own door would refuse; say of the person, in a recall, more than that
name. Source: BaRS Core, message bundle, cancellation, bundle processing.

A cancellation must carry a Patient, which receivers compare with the one they have. Ours has
the name that went with the referral and nothing else: it is enough to compare, and it is worth
nothing to anybody who does not have the referral.
"""

from collections.abc import Mapping
from typing import Final

from gateway.errors import InvalidMessageError
from gateway.fhir.bars.check import DEFAULT_DEFINITION
from gateway.fhir.bars.message import CATEGORY_SYSTEM, EVENT_SYSTEM
from gateway.fhir.bars.message import REASON_SYSTEM as MESSAGE_REASONS
from gateway.fhir.bars.workflow import REQUEST, Meaning
from gateway.fhir.examine import examine, is_error
from gateway.fhir.json_text import write_json
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.references import Index, index
from gateway.mapping import bars_terms as terms
from gateway.mapping.bars_parts import Draft, complete
from gateway.mapping.fhir_rest import (
    ASSEMBLER,
    REDACTED,
    TRANSFORMED,
    add_labels,
    instant,
    mark,
    organisation,
    part_names,
    redaction,
    resource_of,
    rewritten,
)
from gateway.mapping.outgoing import Outgoing
from gateway.referral.directory import Endpoint
from gateway.referral.identifiers import (
    OWN_BASE,
    PURPOSE_SYSTEM,
    REASON_SYSTEM,
    REFERENCE_SYSTEM,
    OdsCode,
)
from gateway.referral.json import Json, JsonObject, child, copied, objects, string
from gateway.referral.lifecycle import RequestStatus
from gateway.referral.model import Delivery, Referral

PERSON_SYSTEM: Final = f"{OWN_BASE}/Id/referred-person"
"""Names the person of one referral, and nobody anywhere else."""

_NHS: Final = "https://fhir.nhs.uk/StructureDefinition/"
_PROFILES: Final = {
    "MessageHeader": f"{_NHS}BARSMessageHeader-servicerequest-request",
    "ServiceRequest": f"{_NHS}BARSServiceRequest-request-referral",
}
_BUNDLE_PROFILE: Final = f"{_NHS}BARSBundleMessage"
_CDSS: Final = f"{_NHS}CDSSExtension"
_KEPT_OF_HEADER: Final = ("extension", "enterer", "author", "responsible")


class BarsMessage:
    """Writes the format `bars-message`: see `journey.gateway.Writer`.

    Args:
        profiles: what our own door holds messages against; so are those that leave.
        by: whoever runs this gateway, who answers for what it made.
    """

    media_type = "application/fhir+json"

    def __init__(self, profiles: Profiles, *, by: OdsCode) -> None:
        self._profiles = profiles
        self._by = by

    def write(
        self, message: Outgoing, referral: Referral, delivery: Delivery, endpoint: Endpoint
    ) -> bytes:
        """Write the message that brings one referral to one service.

        Raises:
            InvalidMessageError: the referral lacks what BaRS asks for; each fault says what.
        """
        return self._checked(message_for(message, referral, delivery, endpoint, by=self._by))

    def write_recall(self, referral: Referral, recall: Delivery, endpoint: Endpoint) -> bytes:
        """Write the cancellation of one referral.

        Raises:
            InvalidMessageError: a parameter of the endpoint is wrong.
        """
        return self._checked(cancellation_for(referral, recall, endpoint))

    def _checked(self, tree: JsonObject) -> bytes:
        faults = [fault for fault in examine(tree, self._profiles) if is_error(fault)]
        if faults:
            raise InvalidMessageError(*faults)
        return write_json(tree)


def message_id(referral: Referral, delivery: Delivery) -> str:
    """Name the message that brings a referral to a service: what a response quotes."""
    return referral.id.part(f"bars/{delivery.service}")


def message_for(
    message: Outgoing, referral: Referral, delivery: Delivery, endpoint: Endpoint, *, by: OdsCode
) -> JsonObject:
    """Map one referral to the message that brings it to one service.

    1. Give every part an entry of its own under a name that is the same at each attempt.
    2. Add what BaRS asks for and the referral says in another way.
    3. Mark the ServiceRequest with our reference and labels, the Patient with the referral's
       own name for the person.
    4. Where something was taken out, or written on the sender's behalf, say so.
    5. Put our header before it, and the sender's stamps on it.

    Raises:
        InvalidMessageError: the referral says what no BaRS message can carry.
    """
    parts = index(message.tree)
    names = part_names(parts, referral)
    draft = Draft(
        referral=referral,
        provider=delivery.provider,
        entries=_entries(parts, _rewrites(parts, names, message.tree), names),
    )
    target = terms.target_of(endpoint)
    complete(draft, target, endpoint)
    mark(draft.request, referral)
    for patient in draft.parts.of_type("Patient"):
        known = objects(patient.resource, "identifier")
        patient.resource["identifier"] = [*known, _person(referral)]
    sent = _sent_header(parts)
    kept: JsonObject = {n: copied(sent[n]) for n in _KEPT_OF_HEADER if n in sent}
    header = rewritten(kept, _rewrites(parts, names, message.tree))
    use_case = next(iter(terms.use_cases(draft.request)), None)
    default = DEFAULT_DEFINITION[Meaning.NEW_REFERRAL]
    header["definition"] = string(sent, "definition") or terms.definition_of(use_case, default)
    around = message.tree if string(message.tree, "resourceType") == "Bundle" else {}
    bundle = _bundle(draft, delivery, endpoint, header, "new", of=around)
    _tell(draft, bundle, message, delivery, by)
    return _stamped(bundle, draft, sent=_sent_stamps(message.tree), at=instant(delivery.created_at))


def cancellation_for(referral: Referral, recall: Delivery, endpoint: Endpoint) -> JsonObject:
    """Write the message that tells a service's people to stop.

    It names the referral by our reference and by the name that its message gave it, and the
    person by the name that went with it. `authoredOn` is when the referral reached us;
    `occurrencePeriod` the time in which it is to stop.
    """
    status = RequestStatus.REVOKED if not referral.is_cancelled else referral.status
    draft = Draft(referral=referral, provider=recall.provider, entries=[])
    patient = draft.add({"resourceType": "Patient", "identifier": [_person(referral)]}, "Patient")
    request: JsonObject = {
        "resourceType": "ServiceRequest",
        "identifier": [{"system": REFERENCE_SYSTEM, "value": str(referral.reference)}],
        "status": status.value,
        "intent": "plan",
        "category": [{"coding": _cancelled_category(referral, endpoint)}],
        "subject": patient,
        "occurrencePeriod": {
            "start": instant(recall.created_at),
            "end": instant(recall.give_up_at),
        },
        "authoredOn": instant(referral.received_at),
        "reasonCode": [
            {
                "coding": [{"system": REASON_SYSTEM, "code": recall.reason}],
                "text": "This referral was taken back. Stop work on it, delete, return or restrict"
                " what came with it, and say which.",
            }
        ],
    }
    draft.entries.insert(0, {"fullUrl": f"urn:uuid:{referral.id}", "resource": request})
    software: list[Json] = [
        {"url": "RequesterCDSSsoftware", "valueString": terms.SOFTWARE},
        {"url": "RequesterCDSSversion", "valueString": terms.FORMAT_VERSION},
    ]
    header: JsonObject = {
        "extension": [{"url": _CDSS, "extension": software}],
        "definition": DEFAULT_DEFINITION[Meaning.CANCELLATION],
    }
    bundle = _bundle(draft, recall, endpoint, header, "update", of={})
    at = instant(recall.created_at)
    return _stamped(bundle, draft, sent=(at, at), at=at)


def _entries(
    parts: Index, rewrites: Mapping[str, str], names: Mapping[str, str]
) -> list[JsonObject]:
    """Step 1: the ServiceRequest first; what a form contained stands beside it."""
    entries: list[JsonObject] = []
    for part in parts.parts:
        if part.type == "MessageHeader":
            continue
        resource = rewritten(copied(part.resource), rewrites)
        resource.pop("id", None)  # in BaRS, an id is what a receiver gave
        if part.path == "ServiceRequest":
            resource.pop("contained", None)
        entry: JsonObject = {"fullUrl": names[part.path], "resource": resource}
        entries.insert(0 if part.type == "ServiceRequest" else len(entries), entry)
    return entries


def _rewrites(parts: Index, names: Mapping[str, str], tree: JsonObject) -> dict[str, str]:
    """List the new name of each reference. Of a Bundle, what is contained stays where it is."""
    found = {
        reference: names[part.path]
        for reference, part in parts.by_reference.items()
        if parts.parts[0].path == "ServiceRequest" or not reference.startswith("#")
    }
    if string(tree, "resourceType") == "ServiceRequest":
        found["#"] = names["ServiceRequest"]
    return found


def _person(referral: Referral) -> JsonObject:
    return {"system": PERSON_SYSTEM, "value": referral.id.part("person")}


def _cancelled_category(referral: Referral, endpoint: Endpoint) -> list[Json]:
    """Say what is cancelled; its purpose stands in where nobody knows the use case any more."""
    try:
        use_case = terms.use_case_of(referral, endpoint)
    except InvalidMessageError:
        use_case = {"system": PURPOSE_SYSTEM, "code": referral.purpose}
    return [{"system": CATEGORY_SYSTEM, "code": "referral"}, use_case]


def _sent_header(parts: Index) -> JsonObject:
    return next((part.resource for part in parts.of_type("MessageHeader")), {})


def _sent_stamps(tree: JsonObject) -> tuple[str | None, str | None]:
    """Return a message's own times, which nobody on the way changes."""
    if string(tree, "type") != "message":
        return None, None
    return string(tree, "timestamp"), string(child(tree, "meta") or {}, "lastUpdated")


def _bundle(
    draft: Draft,
    delivery: Delivery,
    endpoint: Endpoint,
    header: JsonObject,
    reason: str,
    *,
    of: JsonObject,
) -> JsonObject:
    """Make the Bundle around the entries, and put our header before them.

    Its id is the same in what follows on this referral: a cancellation, a reply.
    """
    target, source = terms.target_of(endpoint), terms.source_of(endpoint)
    own: JsonObject = {
        "resourceType": "MessageHeader",
        "eventCoding": {"system": EVENT_SYSTEM, "code": REQUEST},
        "destination": [
            {
                "endpoint": terms.written(target),
                "receiver": draft.organisation(delivery.provider),
            }
        ],
        "sender": draft.organisation(draft.referral.practice),
        "source": {
            "name": terms.SOFTWARE,
            "software": terms.DEVICE,
            "version": terms.FORMAT_VERSION,
            "endpoint": terms.written(source),
        },
        "reason": {"coding": [{"system": MESSAGE_REASONS, "code": reason}]},
        "focus": [{"reference": f"urn:uuid:{draft.referral.id}"}],
    }
    name = f"urn:uuid:{draft.referral.id.part('MessageHeader')}"
    draft.entries.insert(0, {"fullUrl": name, "resource": own | header})
    meta = copied(child(of, "meta") or {})
    meta["versionId"] = terms.application_version(
        endpoint, string(meta, "versionId") if string(of, "type") == "message" else None
    )
    _add_profile(meta, _BUNDLE_PROFILE)
    bundle: JsonObject = {
        "resourceType": "Bundle",
        "id": message_id(draft.referral, delivery),
        "meta": meta,
        "type": "message",
    }
    if "identifier" in of:
        bundle["identifier"] = copied(of["identifier"])
    return bundle


def _add_profile(meta: JsonObject, profile: str) -> None:
    sent = meta.get("profile")
    others: list[Json] = [p for p in sent if p != profile] if isinstance(sent, list) else []
    meta["profile"] = [profile, *others]


def _tell(
    draft: Draft, bundle: JsonObject, message: Outgoing, delivery: Delivery, by: OdsCode
) -> None:
    """Step 4: a mark for what was taken out, and who wrote what the sender did not."""
    notice = message.notice
    request: JsonObject = {"fullUrl": f"urn:uuid:{draft.referral.id}"}
    if notice is not None:
        draft.add(redaction(request, notice, delivery), "Provenance")
        if notice.is_redacted:
            add_labels(draft.request, [REDACTED])
            add_labels(bundle, [REDACTED])
    if draft.touched:
        targets: list[Json] = [{"reference": url} for url in draft.touched]
        provenance: JsonObject = {
            "resourceType": "Provenance",
            "target": targets,
            "recorded": instant(delivery.created_at),
            "activity": {"coding": [copied(TRANSFORMED)]},
            "agent": [{"type": {"coding": [copied(ASSEMBLER)]}, "who": organisation(by)}],
        }
        draft.add(provenance, "Provenance/written")


def _stamped(
    bundle: JsonObject, draft: Draft, *, sent: tuple[str | None, str | None], at: str
) -> JsonObject:
    """Step 5: one time on all resources of a new message, and the profiles that they follow."""
    timestamp, updated = sent
    for stamped in (bundle, *(resource_of(entry) for entry in draft.entries)):
        meta = child(stamped, "meta") or {}
        meta["lastUpdated"] = updated or at
        kind = string(stamped, "resourceType") or ""
        if kind in _PROFILES:
            _add_profile(meta, _PROFILES[kind])
        stamped["meta"] = meta
    return bundle | {"timestamp": timestamp or at, "entry": [*draft.entries]}
