"""What BaRS asks a referral to carry, made from what the referral itself says.

What enters: the entries of a message that is being made. What leaves: the same entries, with
what was missing added. Nothing is made up: an Encounter says that the referral was written, and
when; a CarePlan repeats its reasons; a role joins the referrer to the practice; the service and
the organisations are those of the directory. A Consent, a Practitioner, or a date that nobody
gave is not made, so that the message is refused and held. Source: BaRS Core, message bundle.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.bars.message import CATEGORY_SYSTEM, coded
from gateway.fhir.references import Index, index
from gateway.mapping.bars_terms import use_case_of, use_cases
from gateway.mapping.fhir_rest import resource_of
from gateway.referral.directory import Endpoint
from gateway.referral.identifiers import DOS_SERVICE_SYSTEM, ODS_CODE_SYSTEM, OdsCode
from gateway.referral.identifiers import normal_system as normal
from gateway.referral.json import Json, JsonObject, child, copied, objects, string
from gateway.referral.model import Identifier, Referral

INTENT_SYSTEM = "http://hl7.org/fhir/request-intent"
"""Of the tag that keeps what the sender wrote as `intent`, where BaRS knows only plan."""

_ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


@dataclass(slots=True, kw_only=True)
class Draft:
    """A message that is being made: its entries, and which of them we changed or made.

    `touched` are the names of those that say something on the sender's behalf.
    """

    referral: Referral
    provider: OdsCode
    entries: list[JsonObject]
    touched: list[str] = field(default_factory=list)

    @property
    def parts(self) -> Index:
        """The entries as they stand now."""
        return index({"resourceType": "Bundle", "entry": [*self.entries]})

    @property
    def request(self) -> JsonObject:
        """The ServiceRequest."""
        return self.parts.of_type("ServiceRequest")[0].resource

    def add(self, resource: JsonObject, name: str, *, for_sender: bool = False) -> JsonObject:
        """Add an entry under a name that is the same at every attempt; return a reference."""
        url = f"urn:uuid:{self.referral.id.part(name)}"
        self.entries.append({"fullUrl": url, "resource": resource})
        if for_sender:
            self.touched.append(url)
        return {"reference": url}

    def find(self, kind: str, fits: Callable[[JsonObject], bool]) -> JsonObject | None:
        """Refer to the first entry of a kind that fits."""
        for entry in self.entries:
            resource = resource_of(entry)
            if string(resource, "resourceType") == kind and fits(entry):
                return {"reference": entry["fullUrl"]}
        return None

    def organisation(self, ods: OdsCode) -> JsonObject:
        """Refer to the entry of an organisation, which is added where there is none."""
        parts = self.parts
        found = self.find(
            "Organization", lambda e: parts.organisation({"reference": e["fullUrl"]}) == ods
        )
        return found or self.add(organisation_of(ods), f"Organization/{ods}")


def organisation_of(ods: OdsCode) -> JsonObject:
    """Name an organisation by its ODS code."""
    return {
        "resourceType": "Organization",
        "identifier": [{"system": ODS_CODE_SYSTEM, "value": str(ods)}],
    }


def complete(draft: Draft, target: Identifier, endpoint: Endpoint) -> None:
    """Add what BaRS asks for, in place.

    Raises:
        InvalidMessageError: the referral says what no BaRS message can carry.
    """
    _address(draft, target)
    _join_referrer(draft)
    encounter = _encounter(draft)
    _plan(draft, encounter)
    _spell(draft)
    draft.request["category"] = [category_of(draft.request, draft.referral, endpoint)]


def category_of(request: JsonObject, referral: Referral, endpoint: Endpoint) -> JsonObject:
    """Return the one category that BaRS allows: a referral, its use case, and the sender's own.

    Raises:
        InvalidMessageError: there are several, or the use case is not known.
    """
    sent = objects(request, "category")
    if len(sent) > 1:
        raise InvalidMessageError(
            Fault(
                code=IssueCode.INVARIANT,
                expression="ServiceRequest.category",
                diagnostics="A BaRS message has one category. Write its codings into one, or send"
                " the referral to a service that is reached otherwise.",
            )
        )
    category: JsonObject = copied(sent[0]) if sent else {}
    codings: list[Json] = [*objects(category, "coding")]
    if not use_cases(request):
        codings.insert(0, use_case_of(referral, endpoint))
    if not coded(sent, CATEGORY_SYSTEM):
        codings.insert(0, {"system": CATEGORY_SYSTEM, "code": "referral"})
    return category | {"coding": codings}


def _address(draft: Draft, target: Identifier) -> None:
    """Lead the first performer to the service that the far end knows, and no other elsewhere."""
    own: JsonObject = {"system": target.system, "value": target.value}

    def is_target(entry: JsonObject) -> bool:
        known = objects(resource_of(entry), "identifier")
        return any(
            (normal(string(i, "system") or ""), string(i, "value")) == (target.system, target.value)
            for i in known
        )

    service = draft.find("HealthcareService", is_target)
    if service is None:
        made: JsonObject = {
            "resourceType": "HealthcareService",
            "identifier": [own],
            "active": True,
            "providedBy": draft.organisation(draft.provider),
            "name": str(draft.referral.service),
        }
        service = draft.add(made, "HealthcareService")
    request, parts = draft.request, draft.parts
    sent = objects(request, "performer")
    if not any(_leads(each, service) for each in sent[:1]):
        kept = [
            performer
            for performer in sent
            if not _names_service(performer) and parts.organisation(performer) == draft.provider
        ]
        request["performer"] = [service, *kept]


def _leads(reference: JsonObject, to: JsonObject) -> bool:
    return string(reference, "reference") == to["reference"]


def _names_service(performer: JsonObject) -> bool:
    identifier = child(performer, "identifier") or {}
    return normal(string(identifier, "system") or "") == DOS_SERVICE_SYSTEM


def _join_referrer(draft: Draft) -> None:
    """Give the Practitioner who asks a role at the practice, where the message shows none."""
    parts = draft.parts
    requester = child(draft.request, "requester")
    who = parts.follow(requester)
    if who is None or who.type != "Practitioner" or parts.roles.get(who.path):
        return
    role: JsonObject = {
        "resourceType": "PractitionerRole",
        "practitioner": {"reference": string(requester or {}, "reference")},
        "organization": draft.organisation(draft.referral.practice),
    }
    draft.add(role, "PractitionerRole", for_sender=True)


def _encounter(draft: Draft) -> JsonObject:
    """Refer to the Encounter: the sender's, else that in which the referral was written."""
    request = draft.request
    found = draft.find("Encounter", lambda _: True)
    if found is None:
        encounter: JsonObject = {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"system": _ACT_CODE, "code": "AMB", "display": "ambulatory"},
            "subject": copied(request.get("subject")),
            "episodeOfCare": [{"reference": f"EpisodeOfCare/{draft.referral.correlation_id}"}],
        }
        found = draft.add(encounter | _period(request), "Encounter", for_sender=True)
    request.setdefault("encounter", found)
    return found


def _plan(draft: Draft, encounter: JsonObject) -> None:
    """Base the referral on its CarePlan: the sender's, else one that repeats its reasons."""
    request = draft.request
    found = draft.find("CarePlan", lambda _: True)
    if found is None:
        plan: JsonObject = {
            "resourceType": "CarePlan",
            "status": "completed",
            "intent": "plan",
            "subject": copied(request.get("subject")),
            "encounter": encounter,
        }
        plan |= _period(request)
        conditions: list[Json] = [
            {"reference": entry["fullUrl"]}
            for entry in draft.entries
            if string(resource_of(entry), "resourceType") == "Condition"
        ]
        if conditions:
            plan["addresses"] = conditions
        if reasons := objects(request, "reasonCode"):
            plan["activity"] = [{"outcomeCodeableConcept": [*copied(reasons)]}]
        found = draft.add(plan, "CarePlan", for_sender=True)
    sent = objects(request, "basedOn")
    if not any(_leads(each, found) for each in sent):
        request["basedOn"] = [found, *sent]


def _period(request: JsonObject) -> JsonObject:
    written = string(request, "authoredOn")
    return {"period": {"start": written}} if written else {}


def _spell(draft: Draft) -> None:
    """Write as BaRS does what a plain UK Core request writes otherwise; lose none of it."""
    request = draft.request
    before = copied(request)
    intent = string(request, "intent")
    if intent != "plan":
        meta = child(request, "meta") or {}
        as_sent: JsonObject = {"system": INTENT_SYSTEM, "code": intent}
        request["meta"] = meta | {"tag": [*objects(meta, "tag"), as_sent]}
        request["intent"] = "plan"
    moment = request.pop("occurrenceDateTime", None)
    if moment is not None:
        request["occurrencePeriod"] = {"start": moment, "end": moment}
    if request != before:
        name = draft.find("ServiceRequest", lambda _: True) or {}
        draft.touched.insert(0, string(name, "reference") or "")
