"""Which kinds of sender may write codes into a GP record, and for which services.

Values only; nothing here opens a door: a practice's switch can narrow this list, and nothing
can widen it but a new version. Source: NHS England, GP Connect Update Record: "can only be used
for 3 services" and by registered community pharmacy professionals; SNOMED CT, UK edition.
"""

from collections.abc import Mapping
from enum import StrEnum


class SenderCategory(StrEnum):
    """What a sender is to the practice. PRACTICE_ITSELF writes through its own system."""

    PRACTICE_ITSELF = "practice-itself"
    COMMUNITY_PHARMACY = "community-pharmacy"
    OH_PROVIDER = "oh-provider"
    HEALTH_AND_WORK = "health-and-work"
    OTHER = "other"


PHARMACY_FIRST = "1577041000000109"
BLOOD_PRESSURE_CHECK = "1659111000000107"
CONTRACEPTION = "1659121000000101"

ALLOWED: Mapping[SenderCategory, frozenset[str]] = {
    SenderCategory.PRACTICE_ITSELF: frozenset(),  # not a third party: it needs no line here
    SenderCategory.COMMUNITY_PHARMACY: frozenset(
        {PHARMACY_FIRST, BLOOD_PRESSURE_CHECK, CONTRACEPTION}
    ),
    SenderCategory.OH_PROVIDER: frozenset(),
    SenderCategory.HEALTH_AND_WORK: frozenset(),
    SenderCategory.OTHER: frozenset(),
}
"""The SNOMED CT codes of the services (Composition.type) for which each may write codes."""


def is_allowed(sender: SenderCategory, service: str | None) -> bool:
    """Whether this kind of sender may write codes for this service at all. None: not known."""
    return service in ALLOWED[sender]
