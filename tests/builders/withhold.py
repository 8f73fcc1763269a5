"""Messages with something to withhold, and what is left of them.

left = minimised(a_message(an_observation("o1", "PSY")))
"""

from typing import Any

from gateway.consent.cover import ALL_DATA
from gateway.consent.directives import ConsentReading, ConsentState
from gateway.consent.items import items_of
from gateway.consent.labels import RESTRICTION_SYSTEM, Restriction
from gateway.consent.minimum import MINIMUM
from gateway.consent.withhold import Plan, plan_for
from gateway.fhir.json_text import write_json
from gateway.mapping.fhir_rest import transaction_for
from gateway.mapping.minimise import Minimised, minimise
from gateway.mapping.outgoing import Outgoing, notice_of
from gateway.referral.directory import ProviderRole, Purpose
from gateway.referral.identifiers import OdsCode
from tests.builders.rows import a_delivery, a_referral

ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
SEALED = {"system": RESTRICTION_SYSTEM, "code": Restriction.SEALED.value}
LEGAL = {"system": RESTRICTION_SYSTEM, "code": Restriction.LEGALLY_RESTRICTED.value}
PSY = {"system": ACT_CODE, "code": "PSY"}
OH, CARE = ProviderRole.OH_PROVIDER, ProviderRole.CARE_PROVIDER
POLICY_VERSION = "f" * 64

COVERING = ConsentReading(
    state=ConsentState.ACTIVE,
    recipient=True,
    purpose=True,
    in_period=True,
    evidence=True,
    cover=ALL_DATA,
)

Tree = dict[str, Any]


def url(name: str) -> str:
    """Name a part of a message by a UUID that tells its name."""
    return f"urn:uuid:00000000-0000-4000-8000-{name.encode().hex()[:12]:0>12}"


def ref(name: str) -> Tree:
    return {"reference": url(name)}


def labelled(resource: Tree, *labels: Tree) -> Tree:
    meta = resource.get("meta", {})
    return resource | {"meta": meta | {"security": [*meta.get("security", []), *labels]}}


def an_observation(when: str | None = "2020-05-05", **more: Any) -> Tree:
    dated = {} if when is None else {"effectiveDateTime": when}
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "finding"},
        "subject": ref("pat"),
        **dated,
        **more,
    }


def a_condition(**more: Any) -> Tree:
    return {
        "resourceType": "Condition",
        "code": {"text": "condition"},
        "subject": ref("pat"),
        "recordedDate": "2020-05-05",
        **more,
    }


def a_letter(**more: Any) -> Tree:
    content = {"attachment": {"contentType": "text/plain", "data": "TGV0dGVy"}}
    return {
        "resourceType": "DocumentReference",
        "status": "current",
        "subject": ref("pat"),
        "date": "2020-05-05T09:00:00Z",
        "content": [content],
        **more,
    }


def a_request(*led_to: str, **more: Any) -> Tree:
    """The referral; its supportingInfo leads to these parts."""
    tree: Tree = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": ref("pat"),
        "authoredOn": "2026-11-01",
        "requester": ref("gp"),
        "reasonCode": [{"text": "back pain"}],
        **more,
    }
    if led_to:
        tree["supportingInfo"] = [*tree.get("supportingInfo", []), *(ref(name) for name in led_to)]
    return tree


def a_message(request: Tree | None = None, **parts: Tree) -> Tree:
    """A Bundle with a referral, its Patient, its practice, and these parts by name."""
    bodies = {
        "req": request if request is not None else a_request(*parts),
        "pat": {"resourceType": "Patient", "name": [{"family": "Testperson"}]},
        "gp": {"resourceType": "Organization", "name": "The practice"},
        **parts,
    }
    entries = [{"fullUrl": url(name), "resource": body} for name, body in bodies.items()]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def a_plan(
    tree: Tree,
    reading: ConsentReading = COVERING,
    *,
    purpose: str = Purpose.OCCUPATIONAL_HEALTH,
    role: ProviderRole | None = OH,
) -> Plan:
    return plan_for(items_of(tree), reading=reading, purpose=purpose, role=role, minimum=MINIMUM)


def minimised(
    tree: Tree,
    reading: ConsentReading = COVERING,
    *,
    purpose: str = Purpose.OCCUPATIONAL_HEALTH,
    role: ProviderRole | None = OH,
) -> Minimised:
    return minimise(a_plan(tree, reading, purpose=purpose, role=role))


def names_in(left: Minimised) -> set[str]:
    """Which of `a_message`'s parts are left, by name."""
    assert left.tree is not None
    found = set()
    for entry in left.tree["entry"]:  # type: ignore[union-attr]  # a Bundle has a list of objects
        digits = entry["fullUrl"].rpartition("-")[2].lstrip("0")  # type: ignore[index,call-overload,union-attr]
        found.add(bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}").decode())
    return found


def bytes_of(left: Minimised, purpose: str = Purpose.OCCUPATIONAL_HEALTH) -> bytes:
    """The exact bytes that a FHIR server would receive."""
    assert left.tree is not None
    notice = notice_of(left.withheld, policy_version=POLICY_VERSION, by=OdsCode("XGW01"))
    outgoing = Outgoing(tree=left.tree, notice=notice)
    return write_json(transaction_for(outgoing, a_referral(purpose), a_delivery()))
