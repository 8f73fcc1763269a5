"""What changes the meaning of a message, and is not understood here.

What enters: a message that `validate` has passed, and its Index. What leaves: a fault for
each modifier extension, at any depth, and for each resource that names rules of its own.
Nothing is read from them. Source: FHIR R4, extensibility: who does not understand a modifier
extension may not process the resource that it is in.

Not checked: a Consent of the message; the sharing rules hold what they do not understand.
"""

from collections.abc import Iterator
from itertools import islice

from gateway.errors import Fault, IssueCode
from gateway.fhir.faults import MAX_FAULTS, Place, path
from gateway.fhir.references import Index
from gateway.fhir.visit import visit
from gateway.referral.json import JsonObject


def modifier_faults(tree: JsonObject, parts: Index) -> Iterator[Fault]:
    """Find what modifies the meaning of anything in a message.

    There is at most one more than `faults.MAX_FAULTS` of each kind: no report outgrows its
    message, and whoever tells them knows that there were too many.
    """
    yield from islice(_extension_faults(tree, parts), MAX_FAULTS + 1)
    yield from islice(_rules_faults(parts), MAX_FAULTS + 1)


def _extension_faults(tree: JsonObject, parts: Index) -> Iterator[Fault]:
    consents = {id(part.resource) for part in parts.of_type("Consent")}
    passed_over: set[int] = set()
    told: set[int] = set()
    for each in visit(tree, ("Consent", "Extension")):
        if id(each.node) in consents:
            passed_over.add(id(each.place))
        above = each.place[0]
        if each.name != "modifierExtension" or above is None or id(above) in told:
            continue
        if passed_over.isdisjoint(_around(above)):
            told.add(id(above))
            yield Fault(
                code=IssueCode.EXTENSION,
                expression=f"{path(above)}.modifierExtension",
                diagnostics="A modifier extension changes what it stands in, and none is"
                " understood here. Send the referral without it.",
            )


def _around(place: Place) -> Iterator[int]:
    """Name a place and all places around it, by identity."""
    step: Place | None = place
    while step is not None:
        yield id(step)
        step = step[0]


def _rules_faults(parts: Index) -> Iterator[Fault]:
    for part in parts.parts:
        if part.type != "Consent" and "implicitRules" in part.resource:
            yield Fault(
                code=IssueCode.NOT_SUPPORTED,
                expression=f"{part.path}.implicitRules",
                diagnostics="Rules of the sender's own may change what a resource means, and none"
                " are understood here. Send the referral without them.",
            )
