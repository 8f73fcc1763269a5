"""What a transaction that brings a referral may ask for, and on which condition one is created.

What enters: a Bundle of the type transaction, or the search of an If-None-Exist. What leaves:
the identifier that must not be there yet, or a refusal at its place. Must never: pass over a
condition that this door does not keep. Source: FHIR R4, http.html, "Conditional create" and
"transaction".
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final
from urllib.parse import unquote_plus

from gateway.errors import Fault, InvalidMessageError, IssueCode, ParameterError
from gateway.fhir.faults import MAX_FAULTS
from gateway.inbound.search import own_token
from gateway.referral.json import JsonObject, child, objects, string
from gateway.referral.model import Identifier

_NOT_OF_A_CREATION: Final = ("ifMatch", "ifNoneMatch", "ifModifiedSince")


def check_transaction(tree: JsonObject) -> None:
    """A transaction creates: this door offers no other change.

    Raises:
        InvalidMessageError: it is no transaction, or an entry asks for something else.
    """
    if string(tree, "resourceType") != "Bundle" or string(tree, "type") != "transaction":
        raise InvalidMessageError(
            Fault(
                code=IssueCode.INVALID,
                expression="Bundle.type",
                diagnostics="Send a Bundle of the type transaction that brings one referral.",
            )
        )
    faults = [
        Fault(
            code=IssueCode.NOT_SUPPORTED,
            expression=f"Bundle.entry[{position}].request{element}",
            diagnostics=says,
        )
        for position, element, says in islice(_beyond_creation(tree), MAX_FAULTS + 1)
    ]
    if faults:
        raise InvalidMessageError(*faults)


def _beyond_creation(tree: JsonObject) -> Iterator[tuple[int, str, str]]:
    """Go through what is asked for beyond a plain creation: which entry, where, and why not."""
    for position, entry in enumerate(objects(tree, "entry")):
        request = child(entry, "request") or {}
        kind = string(child(entry, "resource") or {}, "resourceType")
        if (string(request, "method"), string(request, "url")) != ("POST", kind):
            says = "A referral's transaction creates: method POST, url the resource type."
            yield position, "", says
            continue
        if kind != "ServiceRequest" and "ifNoneExist" in request:
            says = (
                "Only the creation of the ServiceRequest may be conditional. Leave ifNoneExist"
                " out here: the other resources are kept as parts of the referral."
            )
            yield position, ".ifNoneExist", says
        for name in _NOT_OF_A_CREATION:
            if name in request:
                says = f"What is created has no version before it. Leave {name} out."
                yield position, f".{name}", says


def unless_of(tree: JsonObject) -> Identifier | None:
    """Read the condition on the creation of a transaction's ServiceRequest.

    Raises:
        ParameterError: it is another search than the one that is understood.
    """
    for position, entry in enumerate(objects(tree, "entry")):
        if string(child(entry, "resource") or {}, "resourceType") == "ServiceRequest":
            where = f"Bundle.entry[{position}].request.ifNoneExist"
            return unless(string(child(entry, "request") or {}, "ifNoneExist"), where)
    return None


def unless(condition: str | None, where: str | None) -> Identifier | None:
    """Read the search of a conditional creation: one identifier, system and value.

    It may be percent-encoded, and begin with `?` or `ServiceRequest?`.

    Raises:
        ParameterError: it is another search.
    """
    if not condition:
        return None
    search = condition.strip().removeprefix("ServiceRequest?").removeprefix("?")
    name, _, encoded = search.partition("=")
    text = unquote_plus(encoded)
    if name == "identifier" and "|" in text and "&" not in encoded and "," not in text:
        return own_token("identifier", text)
    raise ParameterError(
        Fault(
            code=IssueCode.NOT_SUPPORTED,
            expression=where,
            diagnostics="A creation may be conditional on one identifier: identifier=system|value.",
        )
    )
