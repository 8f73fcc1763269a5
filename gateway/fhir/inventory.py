"""What the walk meets on its way, for the profiles to be held against afterwards.

What enters: resources and extensions, in the order of the message. What leaves: the same,
with their places. Only extensions whose url is asked for are noted.
"""

from dataclasses import dataclass, field

from gateway.fhir.faults import Place
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

    def meet(self, extension: JsonObject, place: Place) -> None:
        """Note an extension, if its url is asked for."""
        url = extension.get("url")
        if isinstance(url, str) and url in self.urls and self.resources:
            self.extensions.append((extension, place, self.resources[-1]))
