"""OperationOutcome: how every error, and some good news, is told.

What enters: faults and the NHS error code. What leaves: a resource in the shape that BaRS
senders know. Source: BaRS failure scenarios; UKCore-OperationOutcome.
"""

import uuid
from collections.abc import Sequence

from fhir.resources.R4B.operationoutcome import OperationOutcome

from gateway.errors import Fault
from gateway.fhir.faults import not_too_many
from gateway.referral.json import JsonObject

HTTP_ERROR_CODES = "https://fhir.nhs.uk/CodeSystem/http-error-codes"
SPINE_CODES = "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode"
_PROFILE = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-OperationOutcome"


def operation_outcome(
    faults: Sequence[Fault], *, code: str | None, spine_code: str | None = None
) -> JsonObject:
    """Make an OperationOutcome, an issue for each fault; of too many, for the first.

    Args:
        faults: what to tell, in order; at least one.
        code: the NHS HTTP error code, such as `REC_BAD_REQUEST`; None for good news.
        spine_code: the Spine error code, where a GP system expects one.
    """
    coding = [{"system": SPINE_CODES, "code": spine_code}] if spine_code else []
    coding += [{"system": HTTP_ERROR_CODES, "code": code}] if code else []
    issues = []
    for fault in not_too_many(faults):
        issue: dict[str, object] = {
            "severity": fault.severity.value,
            "code": fault.code.value,
            "diagnostics": fault.diagnostics,
        }
        if coding:
            issue["details"] = {"coding": coding}
        if fault.expression:
            issue["expression"] = [fault.expression]
        issues.append(issue)
    outcome = OperationOutcome.model_validate(
        {"id": str(uuid.uuid4()), "meta": {"profile": [_PROFILE]}, "issue": issues}
    )
    tree: JsonObject = outcome.model_dump(mode="json", exclude_none=True)
    return tree
