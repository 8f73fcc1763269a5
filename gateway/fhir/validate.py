"""Is this tree a valid FHIR R4 resource, of its profiles? All faults at once, with places.

What enters: a tree that `json_text.read_json` made, and profiles if there are any. What
leaves: a list of faults; an empty list means that nothing was found. It never raises for
anything in the tree, never changes it, and never quotes it. Standard: FHIR R4 4.0.1, by the
tables in `tables/`, and the profiles that the caller loaded.

Not checked: terminology beyond required value sets and those of profiles, whether references
resolve outside the message, and the meaning of extensions that no profile defines. Advice is
not reported.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from gateway.errors import Fault
from gateway.fhir.faults import EnoughError, FaultList, more_may_follow, path
from gateway.fhir.inventory import Inventory
from gateway.fhir.profiles.check import ProfilePass
from gateway.fhir.profiles.model import Profiles
from gateway.fhir.tables import load_tables
from gateway.fhir.walk import Walk
from gateway.referral.json import JsonObject, string

_NOTHING: Final[Mapping[str, Sequence[str]]] = MappingProxyType({})


def validate(
    resource: JsonObject,
    *,
    root: str | None = None,
    profiles: Profiles | None = None,
    expected: Mapping[str, Sequence[str]] = _NOTHING,
) -> list[Fault]:
    """Find what is wrong with a resource and everything in it.

    Args:
        resource: the tree.
        root: the FHIRPath at which the resource stands, where it is part of something
            larger; otherwise expressions start with its own type.
        profiles: where given, every resource is held against those of them that it claims
            in meta.profile (other claims are passed over), and every extension that they
            define against its definition.
        expected: by resource type, the urls of profiles that resources of the type are held
            against whatever they claim. `profiles` must have them.

    Returns: the faults in the order of the message, at most `faults.MAX_FAULTS` and then
        one that says so. Those of severity `error` break the standard or a profile; a
        `warning` does not.
    """
    tables = load_tables()
    name = string(resource, "resourceType")
    start = root or (name if name in tables.resources else "Resource")
    found = FaultList()
    inventory = Inventory(frozenset(profiles.extensions) if profiles else frozenset())
    walk = Walk(tables, resource, found, inventory)
    try:
        walk.resource(resource, (None, start, None))
        if profiles is None:
            return found.faults
        found.turn_to_profiles()
        ProfilePass(profiles, tables, resource, walk.references, found).run(inventory, expected)
    except EnoughError:
        return [*found.faults, more_may_follow(start)]
    return found.in_order(path(met.place) for met in inventory.resources)
