"""What a folder of profiles says, compiled: for each place that is narrowed, what is asked there.

What enters: nothing; `compile` and `load` make these. What leaves: frozen values, which
`check` asks of a message. A place that no profile narrows appears nowhere here, so that the
cost of a check is in proportion to what is asked, not to the message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import IssueCode, Severity
from gateway.referral.json import Json, JsonObject

EXTENSIONS: Final = ("extension", "modifierExtension")
"""The elements that hold extensions; each is sliced by url without saying so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Something asked of one value: a fixed value, a pattern, a binding, a length.

    `says` completes a sentence that starts with the label of the element and never quotes
    the message. The value is None where an element has only an extension.
    """

    holds: Callable[[Json], bool]
    code: IssueCode
    says: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the Reference under the JSON name may lead to, and the profiles of each type."""

    name: str
    types: frozenset[str]
    profiles: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some of the values of an element, told apart by what they hold.

    `matches` is given the JSON name and the value; `known_by` says in words what it looks
    for. `ask` is what is asked of the values that match, and how many there may be.
    """

    name: str
    matches: Callable[[str, Json], bool]
    known_by: str
    ask: "Ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What is asked of one element of an object.

    `label` is its name in FHIRPath; `names` are the JSON properties it may appear as, and
    `refused` those of a choice that may not appear. `most` None: any number. `types`
    are those of a slot for resources, none: any. `profiles` are the urls of the profiles
    that each value is held against. `is_closed`: every value must match one of `slices`.
    """

    label: str
    names: tuple[str, ...]
    refused: tuple[str, ...]
    is_array: bool
    is_primitive: bool
    least: int
    most: int | None
    demands: tuple[Demand, ...]
    types: frozenset[str]
    targets: Targets | None
    profiles: tuple[str, ...]
    asks: "tuple[Ask, ...]"
    slices: tuple[Slice, ...]
    is_closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One StructureDefinition: its url, version and name, the type it narrows, what it asks.

    `ancestors` are the urls of the profiles that it derives from; it asks what they ask too.
    """

    url: str
    version: str | None
    name: str
    type: str
    ancestors: frozenset[str]
    asks: tuple[Ask, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionRule:
    """An extension that is defined here: what it holds and where it may stand.

    `most`: how often in one place; None: any number.
    `elements` are type names and paths such as `Patient.contact`; `extensions` are the urls
    of extensions that it may stand in.
    """

    profile: Profile
    is_modifier: bool
    most: int | None
    elements: frozenset[str]
    extensions: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Focus:
    """How many resources of a type a message carries; `most` None: any number."""

    type: str
    least: int
    most: int | None
    profile: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRule:
    """One MessageDefinition. `event` is (system, code); the system is empty for an eventUri."""

    url: str
    version: str | None
    name: str
    event: tuple[str, str]
    focus: tuple[Focus, ...]

    @property
    def expected(self) -> Mapping[str, tuple[str, ...]]:
        """The profiles that resources of each type are held against, as `validate` takes them."""
        found: dict[str, tuple[str, ...]] = {}
        for focus in self.focus:
            if focus.profile is not None:
                found[focus.type] = (*found.get(focus.type, ()), focus.profile)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """Everything that the folder says.

    Profiles, messages and documents are found by url and by `url|version`; `documents_by_id`
    holds the trees of all files by resource type and id, to be served as they are.
    """

    by_url: Mapping[str, Profile]
    extensions: Mapping[str, ExtensionRule]
    messages: Mapping[str, MessageRule]
    documents: Mapping[str, JsonObject]
    documents_by_id: Mapping[tuple[str, str], JsonObject]
