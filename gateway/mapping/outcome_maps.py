"""The ConceptMaps of outcomes, read and checked.

What enters: the folder `mappings/outcomes/`. What leaves: for each map its sources with their
targets, or one error that names the file and what is wrong. Must never: take a map in which two
targets answer to one source under the same conditions, a code is unknown, or a source is missing.
Source: FHIR R4 ConceptMap; of several targets whose dependsOn hold, the one that asks most counts.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from gateway.errors import ConfigError, MessageError
from gateway.fhir.json_text import read_json
from gateway.referral.json import JsonObject, objects, string
from gateway.referral.outcome import OutcomeKind

_R4: Final = "http://hl7.org/fhir/StructureDefinition/"
ENCOUNTER_STATUS: Final = f"{_R4}Encounter#Encounter.status"
ENCOUNTER_REASON: Final = f"{_R4}Encounter#Encounter.reasonCode"
APPOINTMENT_STATUS: Final = f"{_R4}Appointment#Appointment.status"
BUSINESS_STATUS: Final = f"{_R4}Task#Task.businessStatus"
OUTPUT: Final = f"{_R4}Task#Task.output"
_PROPERTIES: Final = frozenset(
    {ENCOUNTER_STATUS, ENCOUNTER_REASON, APPOINTMENT_STATUS, BUSINESS_STATUS, OUTPUT}
)

_KINDS: Final = frozenset(kind.value for kind in OutcomeKind)
_ITK3: Final = frozenset(str(code) for code in range(30005, 30019))
_REQUEST: Final = frozenset({"active", "revoked"})
_TASK: Final = frozenset(
    {
        "received",
        "accepted",
        "rejected",
        "in-progress",
        "on-hold",
        "cancelled",
        "failed",
        "completed",
    }
)

_ENDS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "outcome-to-itk3": (_KINDS, _ITK3),
    "itk3-to-outcome": (_ITK3, _KINDS),
    "outcome-to-bars": (_KINDS, _REQUEST),
    "bars-to-outcome": (_REQUEST, _KINDS),
    "outcome-to-task": (_KINDS, _TASK),
    "task-to-outcome": (_TASK, _KINDS),
}
"""Each map: all its sources, and all that its targets may be."""


class Equivalence(StrEnum):
    """How a target is to its source. Source: R4, concept-map-equivalence; those in use here."""

    EQUIVALENT = "equivalent"
    WIDER = "wider"
    NARROWER = "narrower"
    UNMATCHED = "unmatched"


@dataclass(frozen=True, slots=True)
class Fact:
    """What else has to be so, or is said besides. `system` is told for reasons only."""

    property: str
    value: str
    system: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a source becomes where `needs` hold; `product` is said besides. No code: nothing."""

    code: str | None
    equivalence: Equivalence
    comment: str
    needs: frozenset[Fact] = frozenset()
    product: tuple[Fact, ...] = ()


_NOTHING: Final = Target(code=None, equivalence=Equivalence.UNMATCHED, comment="Not listed.")


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeMap:
    """One map in one direction."""

    rows: Mapping[str, tuple[Target, ...]]

    def find(self, code: str, facts: Collection[Fact] = frozenset()) -> Target:
        """Return the target that asks most of what is so; one without a code where none fits."""
        fitting = [each for each in self.rows.get(code, ()) if each.needs <= frozenset(facts)]
        return max(fitting, key=lambda each: len(each.needs), default=_NOTHING)


def read_maps(folder: Path) -> Mapping[str, OutcomeMap]:
    """Read every map.

    Raises:
        ConfigError: one is missing or wrong; the text says which, and what.
    """
    return {name: _read(folder / f"{name}.json") for name in _ENDS}


def _read(file: Path) -> OutcomeMap:
    try:
        tree = read_json(file.read_bytes())
        rows = _rows(tree)
    except (OSError, MessageError, ValueError) as error:
        msg = f"mappings/outcomes/{file.name} is missing or broken: {error}"
        raise ConfigError(msg) from error
    problems = [*_problems(rows, *_ENDS[file.stem])]
    if problems:
        msg = f"mappings/outcomes/{file.name} is wrong: {'; '.join(problems)}"
        raise ConfigError(msg)
    return OutcomeMap(rows=rows)


def _rows(tree: JsonObject) -> Mapping[str, tuple[Target, ...]]:
    rows: dict[str, tuple[Target, ...]] = {}
    for group in objects(tree, "group"):
        for element in objects(group, "element"):
            code = string(element, "code") or ""
            found = tuple(_target(each) for each in objects(element, "target"))
            rows[code] = rows.get(code, ()) + found
    return rows


def _target(tree: JsonObject) -> Target:
    return Target(
        code=string(tree, "code"),
        equivalence=Equivalence(string(tree, "equivalence") or ""),
        comment=string(tree, "comment") or "",
        needs=frozenset(_facts(tree, "dependsOn")),
        product=tuple(_facts(tree, "product")),
    )


def _facts(tree: JsonObject, name: str) -> Iterator[Fact]:
    for each in objects(tree, name):
        about = string(each, "property") or ""
        if about not in _PROPERTIES:
            msg = f"the property {about} is none that is known here"
            raise ValueError(msg)
        system = string(each, "system") if about == ENCOUNTER_REASON else None
        yield Fact(about, string(each, "value") or "", system)


def _problems(
    rows: Mapping[str, tuple[Target, ...]], sources: frozenset[str], targets: frozenset[str]
) -> Iterator[str]:
    for code in sorted(sources.symmetric_difference(rows)):
        yield f"the source {code} {'is missing' if code in sources else 'is not known'}"
    for code, found in rows.items():
        if len({each.needs for each in found}) < len(found):
            yield f"the source {code} has two targets under the same conditions"
        for each in found:
            yield from _target_problems(code, each, targets)


def _target_problems(source: str, target: Target, targets: frozenset[str]) -> Iterator[str]:
    if (target.code is None) != (target.equivalence is Equivalence.UNMATCHED):
        yield f"a target of {source} has a code if, and only if, it is not unmatched"
    elif target.code is not None and target.code not in targets:
        yield f"the target {target.code} of {source} is not known"
    if target.equivalence is not Equivalence.EQUIVALENT and not target.comment:
        # Beyond R4 (cmd-1), which asks this only of what is narrower or inexact.
        yield f"a target of {source} is not equivalent, and no comment says what is lost"
