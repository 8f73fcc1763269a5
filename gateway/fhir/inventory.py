"""What the walk meets on its way, for the profiles to be held against afterwards.

What enters: resources and extensions, in the order of the message. What leaves: the same,
with their places. Only extensions whose url is asked for, or is this gateway's own, are noted.
"""

from dataclasses import dataclass, field

from gateway.fhir.faults import Place
from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import JsonObject


@dataclass(frozen=True, slots=True)
class Met:
    """A resource: where it stands, and the resource that contains it, if one does."""

    node: JsonObject
    place: Place
    container: "Met | None" = None


@dataclass(slots=True)
class Inventory:
    """Resources, and extensions with the resource that was met last before each."""

    urls: frozenset[str] = frozenset()
    resources: list[Met] = field(default_factory=list)
    extensions: list[tuple[JsonObject, Place, Met]] = field(default_factory=list)
    unknown: list[Place] = field(default_factory=list)
    """Extensions whose url is under this gateway's own base, and is not asked for."""

    def meet(self, extension: JsonObject, place: Place) -> None:
        """Note an extension, if its url is asked for or is this gateway's own."""
        url = extension.get("url")
        if not isinstance(url, str):
            return
        if url in self.urls:
            if self.resources:
                self.extensions.append((extension, place, self.resources[-1]))
        elif url.startswith(f"{OWN_BASE}/"):
            self.unknown.append(place)
