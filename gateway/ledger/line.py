"""What every kind of entry has in common: its fields, their places, and its JSON.

What enters: a class whose annotations carry rules (`values.py`). What leaves: the checked
JSON of one entry, without its place in a log. The kinds themselves are those of `entry.py`. A
field's place in the body follows from its name: `refs` holds the names of other things,
the top holds whom the line is about and who acted, `detail` the rest. See FORMAT.md.
"""

import json
from dataclasses import dataclass, fields
from types import NoneType
from typing import ClassVar, Literal, TypeAlias, get_args, get_type_hints

from gateway.ledger.canonical import Json
from gateway.ledger.kinds import EntryKind
from gateway.ledger.values import LISTS, Fence, Handle, Name, Ods, Rule, Uuid

MAX_ENTRY_BYTES = 1728
"""An entry without its place; `seal.py` adds at most 320 bytes to reach 2,048."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))
"""Keys unsorted: for the length only, where their order makes no difference."""

Part: TypeAlias = Literal["top", "refs", "detail"]

_TOP = frozenset({"practice", "subject", "actor", "epochs"})
_REFS = frozenset(
    (
        "agreement artefact consent decision delivery endpoint notice recipient referral reminder service "
        "withdrawal"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Slot:
    """One field of a kind: where it stands in the body, its rule, whether null fits."""

    name: str
    part: Part
    rule: Rule
    nullable: bool


def slots_of(kind: type["Line"]) -> tuple[Slot, ...]:
    """Return the fields of a kind, read once from its annotations."""
    if kind not in _SLOTS:
        hints = get_type_hints(kind, include_extras=True)
        _SLOTS[kind] = tuple(_slot(field.name, hints[field.name]) for field in fields(kind))
    return _SLOTS[kind]


def _slot(name: str, hint: object) -> Slot:
    part: Part = "top" if name in _TOP else "refs" if name in _REFS else "detail"
    arguments = get_args(hint)
    nullable = NoneType in arguments
    _, rule = get_args(arguments[0]) if nullable else arguments
    return Slot(name, part, rule, nullable)


def _can_be_long(kind: type["Line"]) -> bool:
    """Whether a kind has a list; single values are so short that no entry of them is long."""
    if kind not in _LONG:
        _LONG[kind] = any(slot.rule in LISTS for slot in slots_of(kind))
    return _LONG[kind]


_SLOTS: dict[type["Line"], tuple[Slot, ...]] = {}
_LONG: dict[type["Line"], bool] = {}
"""What was read from the classes so far: the same for each class, whoever asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What every kind has. `actor` is a client, or a role such as `worker` or `operator`.

    `epochs`: how often sharing had changed by then; a line that decides, releases or changes
    sharing carries them, any other None.
    """

    kind: ClassVar[EntryKind]
    actor: Name
    epochs: Fence | None = None

    def __post_init__(self) -> None:
        json_of_it = self.as_json()
        self._check_together()
        if _can_be_long(type(self)) and len(_ENCODER.encode(json_of_it)) > MAX_ENTRY_BYTES:
            message = f"{self.kind}: longer than {MAX_ENTRY_BYTES} bytes"
            raise ValueError(message)

    def _check_together(self) -> None:
        """Check what no single field can say. Most kinds have nothing of the sort."""

    def as_json(self) -> dict[str, Json]:
        """Return kind, practice, subject, actor, epochs, refs and detail, ready to be sealed."""
        parts: dict[Part, dict[str, Json]] = {
            "top": {"practice": None, "subject": None},
            "refs": {},
            "detail": {},
        }
        for slot in slots_of(type(self)):
            value = getattr(self, slot.name)
            try:
                written = None if slot.nullable and value is None else slot.rule.write(value)
            except ValueError as error:
                message = f"{self.kind}: {slot.name} {error}"
                raise ValueError(message) from None
            parts[slot.part][slot.name] = written
        top = parts["top"]
        return {"kind": self.kind.value, **top, "refs": parts["refs"], "detail": parts["detail"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class OnReferral(Line):
    """A line on one referral of one person at one practice."""

    practice: Ods
    subject: Handle
    referral: Uuid


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDelivery(OnReferral):
    """A line on bringing one referral to one recipient."""

    delivery: Uuid
    recipient: Ods


@dataclass(frozen=True, slots=True, kw_only=True)
class OnHouse(Line):
    """A line on the gateway itself."""

    practice: ClassVar[None] = None
    subject: ClassVar[None] = None
