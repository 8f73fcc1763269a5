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
from gateway.ledger.values import Handle, Name, Ods, Rule, Uuid

MAX_ENTRY_BYTES = 1792
"""An entry without its place; `seal.py` adds at most 256 bytes to reach 2,048."""

_ENCODER = json.JSONEncoder(separators=(",", ":"))
"""Keys unsorted: for the length only, where their order makes no difference."""

Part: TypeAlias = Literal["top", "refs", "detail"]

_TOP = frozenset({"practice", "subject", "actor"})
_REFS = frozenset("referral decision delivery service recipient consent agreement notice".split())


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


_SLOTS: dict[type["Line"], tuple[Slot, ...]] = {}
"""What was read from the classes so far: the same for each class, whoever asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What every kind has. `actor` is a client, or a role such as `worker` or `operator`."""

    kind: ClassVar[EntryKind]
    actor: Name

    def __post_init__(self) -> None:
        length = len(_ENCODER.encode(self.as_json()))
        self._check_together()
        if length > MAX_ENTRY_BYTES:
            message = f"{self.kind}: longer than {MAX_ENTRY_BYTES} bytes"
            raise ValueError(message)

    def _check_together(self) -> None:
        """Check what no single field can say. Most kinds have nothing of the sort."""

    def as_json(self) -> dict[str, Json]:
        """Return kind, practice, subject, actor, refs and detail, ready to be sealed."""
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
