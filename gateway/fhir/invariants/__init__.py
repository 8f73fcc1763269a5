"""The rules of FHIR R4 that its definitions state in FHIRPath, coded by hand, by key.

Every error-level rule of the types read here is in `INVARIANTS` or among those that the
walk itself keeps (`KEPT_BY_THE_WALK`), except `NOT_KEPT`. A test compares the three with the
list that the official definitions give. Advice (best practice, warnings) is left out.
"""

from typing import Final

from gateway.fhir.invariants import (
    bundle,
    clinical,
    datatypes,
    definitions,
    elements,
    people,
    structures,
    terminology,
    workflow,
)
from gateway.fhir.invariants.rule import Invariant

INVARIANTS: Final[tuple[Invariant, ...]] = (
    *datatypes.INVARIANTS,
    *bundle.INVARIANTS,
    *people.INVARIANTS,
    *clinical.INVARIANTS,
    *workflow.INVARIANTS,
    *definitions.INVARIANTS,
    *structures.INVARIANTS,
    *elements.INVARIANTS,
    *terminology.INVARIANTS,
)

KEPT_BY_THE_WALK: Final = frozenset({"ele-1", "ref-1", "dom-3"})
"""Rules that need more than one object: `gateway.fhir.walk` and `references` keep them."""

NOT_KEPT: Final = frozenset({"ctm-1"})
"""Rules that need the resource behind a reference; resolving is not the validator's work."""
