"""What an operation on a referral is given: the referral itself, or Parameters with it.

What enters: a body as read. What leaves: the one resource, and the other parameters. Source:
FHIR R4, operations.html: a single resource may be sent alone.
"""

from collections.abc import Callable, Sequence

from gateway.errors import Fault, InvalidMessageError, IssueCode, Severity
from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.validate import validate
from gateway.referral.json import Json, JsonObject, child, objects, string


def given_to(
    tree: JsonObject, is_known: Callable[[JsonObject], bool], *, otherwise: str
) -> tuple[JsonObject, Sequence[JsonObject]]:
    """Return the referral that an operation was given, and its other parameters.

    Args:
        tree: a ServiceRequest, a Bundle, or Parameters with one as `resource`.
        is_known: whether the operation takes another parameter.
        otherwise: what to say of one that it does not take.

    Raises:
        InvalidMessageError: they are no valid Parameters, or ask for more than is done here.
    """
    others: list[JsonObject] = []
    if string(tree, "resourceType") == "Parameters":
        tree, others = _unwrapped(tree, is_known, otherwise)
    if string(tree, "resourceType") not in ("Bundle", "ServiceRequest"):
        raise InvalidMessageError(
            Fault(
                code=IssueCode.INVALID,
                expression=string(tree, "resourceType"),
                diagnostics="Send a ServiceRequest, or a Bundle that brings one.",
            )
        )
    return tree, others


def _unwrapped(
    tree: JsonObject, is_known: Callable[[JsonObject], bool], otherwise: str
) -> tuple[JsonObject, list[JsonObject]]:
    faults = [f for f in validate(_wrapping(tree)) if f.severity is Severity.ERROR]
    found, others = [], []
    for position, parameter in enumerate(objects(tree, "parameter")):
        resource = child(parameter, "resource")
        if string(parameter, "name") == "resource" and resource is not None:
            found.append(resource)
        elif is_known(parameter):
            others.append(parameter)
        else:
            where = f"Parameters.parameter[{position}]"
            fault = Fault(code=IssueCode.NOT_SUPPORTED, expression=where, diagnostics=otherwise)
            faults.append(fault)
    if len(found) != 1:
        faults.append(
            Fault(
                code=IssueCode.REQUIRED,
                expression="Parameters.parameter",
                diagnostics="Send the referral as the one parameter resource, or alone.",
            )
        )
    if faults:
        raise InvalidMessageError(*faults[: MAX_FAULTS + 1])
    return found[0], others


def _wrapping(tree: JsonObject) -> JsonObject:
    """Return Parameters without what is in them, which is examined by itself."""
    sent = tree.get("parameter")
    if not isinstance(sent, list):
        return tree
    kept: list[Json] = [
        {**each, "resource": {"resourceType": "Parameters"}}
        if isinstance(each, dict) and isinstance(each.get("resource"), dict)
        else each
        for each in sent
    ]
    return {**tree, "parameter": kept}
