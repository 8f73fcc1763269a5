"""What a named defect is, and the few words in which defects are written down.

A place such as `Patient.name[0].family` starts with a type: the first resource of that type
in the message, wherever it stands; `Bundle` and `ServiceRequest` of a plain referral are the
message itself. `New` is the resource that the defect added last. So one row serves all doors.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.builders.messages import Tree
from tests.conformance.messages import Door, Format

Change = Callable[[Tree], object]
Step = str | int

ALL: Final = (Door.REST, Door.TRANSACTION, Door.BARS)
PLAIN: Final = (Door.REST, Door.TRANSACTION)
BUNDLES: Final = (Door.TRANSACTION, Door.BARS)
BOTH: Final = (Format.JSON, Format.XML)
ONLY_JSON: Final = (Format.JSON,)
ONLY_XML: Final = (Format.XML,)
REMOVED: Final = object()

_STEP: Final = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """One thing wrong with a good message, and how the front door must name it."""

    name: str
    doors: Sequence[Door]
    change: Change
    at: str | None
    code: str
    status: int = 400
    severity: str = "error"
    formats: Sequence[Format] = BOTH


def wrong(  # a row of a table
    name: str,
    path: str,
    value: Any,
    code: str,
    at: str | None = None,
    *,
    doors: Sequence[Door] = ALL,
    status: int = 400,
    formats: Sequence[Format] = BOTH,
) -> Defect:
    """Put a value at a place, or take away what is there (REMOVED); found there, or at `at`."""
    return Defect(
        name=name,
        doors=doors,
        change=put(path, value),
        at=at or path,
        code=code,
        status=status,
        formats=formats,
    )


def put(path: str, value: Any) -> Change:
    """Set the value at a place; REMOVED takes it away."""

    def change(tree: Tree) -> None:
        *above, last = steps(tree, path)
        node: Any = tree
        for step in above:
            node = node[step]
        if value is REMOVED:
            del node[last]
        else:
            node[last] = value

    return change


def both(*changes: Change) -> Change:
    """Make several changes, in order."""

    def change(tree: Tree) -> None:
        for each in changes:
            each(tree)

    return change


def get(tree: Tree, path: str) -> Any:
    """Return what stands at a place."""
    node: Any = tree
    for step in steps(tree, path):
        node = node[step]
    return node


def steps(tree: Tree, path: str) -> list[Step]:
    """The keys and positions that lead from the root to a place."""
    found = [name or int(index) for name, index in _STEP.findall(path)]
    return [*home(tree, str(found[0])), *found[1:]]


def home(tree: Tree, kind: str) -> list[Step]:
    """Where the first resource of a type stands; `New`: the last resource of the message."""
    if tree["resourceType"] == kind:
        return []
    key = "entry" if tree["resourceType"] == "Bundle" else "contained"
    below: list[Step] = ["resource"] if key == "entry" else []
    if kind == "New":
        return [key, len(tree[key]) - 1, *below]
    for position, each in enumerate(tree[key]):
        part = each["resource"] if key == "entry" else each
        if part["resourceType"] == kind:
            return [key, position, *below]
    msg = f"there is no {kind} in the good message"
    raise LookupError(msg)


def expression(tree: Tree, at: str | None) -> str | None:
    """The FHIRPath of a place in one message."""
    if at is None:
        return None
    kind, _, rest = at.partition(".")
    if kind in ("Resource", tree["resourceType"]):
        return at
    text = tree["resourceType"]
    for step in home(tree, kind):
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return f"{text}.{rest}" if rest else text


def add(part: Tree) -> Change:
    """Add a resource, and a reference to it where it is contained."""

    def change(tree: Tree) -> None:
        own = dict(part)
        if tree["resourceType"] == "Bundle":
            own.pop("id", None)
            entry: Tree = {"fullUrl": NEW_URL, "resource": own}
            if tree["type"] == "transaction":
                entry["request"] = {"method": "POST", "url": own["resourceType"]}
            tree["entry"].append(entry)
        else:
            tree["contained"].append(own | {"id": "new"})
            tree["supportingInfo"].append({"reference": "#new"})

    return change


NEW_URL: Final = "urn:uuid:11111111-2222-4333-8444-555555555555"


def patient_url(tree: Tree) -> str:
    """The reference by which the message's patient is named."""
    if tree["resourceType"] != "Bundle":
        return "#patient"
    entry = tree["entry"][home(tree, "Patient")[1]]
    return str(entry["fullUrl"])


def without(kind: str) -> Change:
    """Take away every resource of a type; references to it are left behind."""

    def change(tree: Tree) -> None:
        key = "entry" if tree["resourceType"] == "Bundle" else "contained"
        tree[key] = [e for e in tree[key] if e.get("resource", e)["resourceType"] != kind]

    return change


def twice(kind: str) -> Change:
    """Send the first resource of a type twice, the second under a name of its own."""
    return lambda tree: add(get(tree, kind))(tree)
