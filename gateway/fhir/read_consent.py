"""A Consent that is sent by itself: whose it is, and what of it can be read anywhere.

What enters: a Consent that the door has checked. What leaves: an IncomingConsent; and a tree
that stands by itself, for the sharing rules, which read it beside a message. Must never:
let a reference of the Consent be taken for one of a message that happens to be spelt alike.
Not checked: what the Consent allows; that is `consent`'s.
Source: FHIR R4 Consent; references.html, contained resources and logical references.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.fhir.references import Index, index
from gateway.fhir.same_patient import is_nhs_number
from gateway.fhir.service_request import instant
from gateway.fhir.visit import visit
from gateway.referral.identifiers import ODS_CODE_SYSTEM, ConsentId, NhsNumber, normal_system
from gateway.referral.json import Json, JsonObject, child, objects, string

_PATIENT = "Consent.patient"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingConsent:
    """One Consent as read: the tree as sent, and what was found in it.

    `id` is what the sender wrote there; in an update it is ours. `date_time` is as written.
    """

    tree: JsonObject = field(repr=False)
    id: str | None
    status: str
    date_time: str | None
    nhs_number: NhsNumber = field(repr=False)


def read_consent(tree: JsonObject) -> IncomingConsent:
    """Read a Consent.

    Raises:
        InvalidMessageError: it is another resource, or is not about one person with an NHS
            number; every fault.
    """
    if string(tree, "resourceType") != "Consent":
        raise InvalidMessageError(
            Fault(
                code=IssueCode.INVALID,
                expression=string(tree, "resourceType"),
                diagnostics="Send one Consent, with what it refers to in contained.",
            )
        )
    return IncomingConsent(
        tree=tree,
        id=string(tree, "id"),
        status=string(tree, "status") or "",
        date_time=string(tree, "dateTime"),
        nhs_number=_whose(tree, index(tree)),
    )


def standing(tree: JsonObject) -> JsonObject:
    """Make a Consent stand by itself, so that it can be read beside a message.

    An actor that leads to an organisation with an ODS code carries the code itself; any other
    reference of an actor leads nowhere then. What it contained is left out, but where that
    holds something that would change its meaning: a Consent with that is not understood.
    """
    parts = index(tree)
    shown = dict(tree)
    if not any(_modifies(part) for part in objects(tree, "contained")):
        shown.pop("contained", None)
    provision = child(tree, "provision")
    if provision is not None:
        shown["provision"] = _naming(provision, parts)
    return shown


def shown_as(
    tree: JsonObject, consent_id: ConsentId, version: int, recorded_at: datetime
) -> JsonObject:
    """Show a version as it was sent, under our id. Shares its parts with the tree."""
    meta: JsonObject = {
        **(child(tree, "meta") or {}),
        "versionId": str(version),
        "lastUpdated": instant(recorded_at),
    }
    head: JsonObject = {"resourceType": "Consent", "id": str(consent_id), "meta": meta}
    return {**head, **{name: value for name, value in tree.items() if name not in head}}


def _whose(tree: JsonObject, parts: Index) -> NhsNumber:
    """Find the one NHS number of the person.

    Raises:
        InvalidMessageError: there is none, it is malformed, or there are two.
    """
    faults: list[Fault] = []
    found: set[NhsNumber] = set()
    for where, identifier in _numbers(tree, parts):
        try:
            found.add(NhsNumber(string(identifier, "value") or ""))
        except ValueError as error:
            says = f"This is not an NHS number: {error}."
            faults.append(Fault(code=IssueCode.VALUE, expression=where, diagnostics=says))
    if not faults and len(found) == 1:
        return found.pop()
    if len(found) > 1:
        faults.append(
            Fault(
                code=IssueCode.INVARIANT,
                expression=_PATIENT,
                diagnostics="This names two people. A Consent is one person's: send one NHS number,"
                " and contain no other Patient.",
            )
        )
    elif not faults:
        faults.append(
            Fault(
                code=IssueCode.REQUIRED,
                expression=_PATIENT,
                diagnostics="Nothing says whose Consent this is. Put the NHS number into"
                " Consent.patient.identifier, or contain the Patient that patient refers to.",
            )
        )
    raise InvalidMessageError(*faults)


def _numbers(tree: JsonObject, parts: Index) -> Iterator[tuple[str, JsonObject]]:
    """Go through the NHS numbers of the person, and of whoever else is contained as a Patient."""
    own = child(child(tree, "patient") or {}, "identifier")
    if own is not None and is_nhs_number(own):
        yield f"{_PATIENT}.identifier", own
    for part in parts.of_type("Patient"):
        for position, identifier in enumerate(objects(part.resource, "identifier")):
            if is_nhs_number(identifier):
                yield f"{part.path}.identifier[{position}]", identifier


def _modifies(contained: JsonObject) -> bool:
    return "implicitRules" in contained or any(
        each.name == "modifierExtension" for each in visit(contained, ("Extension",))
    )


def _naming(provision: JsonObject, parts: Index) -> JsonObject:
    """Name the actors of a provision and of those in it by identifiers."""
    shown = dict(provision)
    for name, change in (("actor", _actor), ("provision", _naming)):
        values = provision.get(name)
        if isinstance(values, list):
            changed: list[Json] = [
                change(each, parts) if isinstance(each, dict) else each for each in values
            ]
            shown[name] = changed
    return shown


def _actor(actor: JsonObject, parts: Index) -> JsonObject:
    """Name one actor; one whose reference and identifier contradict each other is nobody."""
    reference = child(actor, "reference")
    if reference is None:
        return actor
    kept = {name: value for name, value in reference.items() if name != "reference"}
    leads_to = parts.organisation({"reference": reference.get("reference")})
    if leads_to is not None and leads_to != parts.organisation(
        {"identifier": kept.get("identifier")}
    ):
        written = child(kept, "identifier") or {}
        kept.pop("identifier", None)
        if normal_system(string(written, "system") or "") != ODS_CODE_SYSTEM:
            kept["identifier"] = {"system": ODS_CODE_SYSTEM, "value": str(leads_to)}
    return {**actor, "reference": kept}
