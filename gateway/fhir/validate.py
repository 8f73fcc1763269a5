"""Is this tree a valid FHIR R4 resource? All faults at once, each with its place.

What enters: a tree that `json_text.read_json` made. What leaves: a list of faults; an empty
list means that nothing was found. It never raises for anything in the tree, never changes
it, and never quotes it. Standard: FHIR R4 4.0.1, by the tables in `tables/`.

Not checked: profiles, terminology beyond required value sets, whether references resolve
outside the message, the meaning of extensions, and slices. Advice is not reported.
"""

from gateway.errors import Fault, IssueCode, Severity
from gateway.fhir.faults import EnoughError, FaultList
from gateway.fhir.tables import load_tables
from gateway.fhir.walk import Walk
from gateway.referral.json import JsonObject, string


def validate(resource: JsonObject, *, root: str | None = None) -> list[Fault]:
    """Find what is wrong with a resource and everything in it.

    `root` is the FHIRPath at which the resource stands, where it is part of something
    larger; otherwise expressions start with its own type.

    Returns: the faults in the order of the message, at most `faults.MAX_FAULTS` and then
        one that says so. Those of severity `error` break the standard; a `warning` does not.
    """
    tables = load_tables()
    name = string(resource, "resourceType")
    start = root or (name if name in tables.resources else "Resource")
    found = FaultList()
    try:
        Walk(tables, resource, found).resource(resource, (None, start, None))
    except EnoughError:
        found.faults.append(
            Fault(
                severity=Severity.INFORMATION,
                code=IssueCode.TOO_COSTLY,
                expression=start,
                diagnostics="There may be more faults than are listed; mend these first.",
            )
        )
    return found.faults
