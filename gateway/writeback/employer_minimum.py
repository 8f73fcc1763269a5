"""The employer's minimum dataset: all that a copy for an employer can ever say.

What enters: the tree of `mappings/employer-copy/minimum.json`, once. What leaves: one value, or a
refusal that says where the file is wrong. Whatever the file does not name cannot reach an employer,
so a name that is not known in it is refused, never passed over.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gateway.referral.json import JsonObject, objects, string

_CODE = re.compile(r"[a-z][a-z-]{0,40}")
_SYSTEM = re.compile(r"https://\S{1,200}")
_MOST_WORDS = 100
"""Characters of a label or a text of the dataset, which are the operator's own words."""


class ItemKind(StrEnum):
    """How an item is said. CHOICE: by a code of a closed list; NOTE: in the provider's words."""

    CHOICE = "choice"
    DATE = "date"
    DURATION = "duration"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An entry of a closed list. `also`: codes of other systems, read as this one."""

    code: str
    text: str
    also: frozenset[tuple[str | None, str | None]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A unit of UCUM in which a duration is said."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing that a copy may say. `most`: units of a duration, days of a date, characters."""

    code: str
    label: str
    kind: ItemKind
    is_required: bool
    is_many: bool
    choices: tuple[Choice, ...]
    units: tuple[Unit, ...]
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EmployerMinimum:
    """The dataset: the system of its codes, and its items in the order of the copy."""

    system: str
    items: tuple[Item, ...]


_HAS = {
    ItemKind.CHOICE: {"choices", "many"},
    ItemKind.DATE: {"most"},
    ItemKind.DURATION: {"most", "units"},
    ItemKind.NOTE: {"most"},
}
_ALWAYS = {"code", "label", "kind", "required"}


def read_employer_minimum(tree: JsonObject) -> EmployerMinimum:
    """Read the dataset.

    Raises:
        ValueError: it is not one; the text says where.
    """
    _refuse_others(tree, {"system", "items"}, "the file")
    system = string(tree, "system") or ""
    if not _SYSTEM.fullmatch(system):
        raise ValueError("system: give the https address of the code system")
    items = tuple(_item(each) for each in _all_objects(tree, "items", "the file"))
    _refuse_twice([item.code for item in items], "items")
    return EmployerMinimum(system=system, items=items)


def _item(tree: JsonObject) -> Item:
    code = _code(tree, "an item")
    kinds = {kind.value: kind for kind in ItemKind}
    kind = kinds.get(string(tree, "kind") or "")
    if kind is None:
        raise ValueError(f"{code}: kind is to be one of {', '.join(kinds)}")
    _refuse_others(tree, _ALWAYS | _HAS[kind], code)
    has = _HAS[kind]
    return Item(
        code=code,
        label=_words(tree, "label", code),
        kind=kind,
        is_required=_is_set(tree, "required", code),
        is_many=_is_set(tree, "many", code),
        choices=tuple(_choices(tree, code)) if "choices" in has else (),
        units=tuple(_units(tree, code)) if "units" in has else (),
        most=_most(tree, code) if "most" in has else 0,
    )


def _choices(tree: JsonObject, item: str) -> Iterator[Choice]:
    named: list[object] = []
    for each in _all_objects(tree, "choices", item):
        _refuse_others(each, {"code", "text", "also"}, item)
        also = [(string(a, "system"), string(a, "code")) for a in objects(each, "also")]
        if any(None in pair for pair in also):
            raise ValueError(f"{item}: each entry of also has a system and a code")
        choice = Choice(
            code=_code(each, item), text=_words(each, "text", item), also=frozenset(also)
        )
        named += [choice.code, *also]
        yield choice
    _refuse_twice(named, item)


def _units(tree: JsonObject, item: str) -> Iterator[Unit]:
    named = []
    for each in _all_objects(tree, "units", item):
        _refuse_others(each, {"code", "text"}, item)
        named.append(_code(each, item))
        yield Unit(code=named[-1], text=_words(each, "text", item))
    _refuse_twice(named, item)


def _most(tree: JsonObject, item: str) -> int:
    most = tree.get("most")
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise ValueError(f"{item}: most is to be a whole number above nought")
    return most


def _code(tree: JsonObject, where: str) -> str:
    code = string(tree, "code") or ""
    if not _CODE.fullmatch(code):
        raise ValueError(f"{where}: a code is of small letters and hyphens")
    return code


def _words(tree: JsonObject, key: str, where: str) -> str:
    words = string(tree, key) or ""
    if not words.strip() or not words.isprintable() or len(words) > _MOST_WORDS:
        raise ValueError(f"{where}: {key} is to be plain words, at most {_MOST_WORDS} characters")
    return words


def _is_set(tree: JsonObject, key: str, where: str) -> bool:
    value = tree.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{where}: {key} is to be true or false")  # noqa: TRY004  # of a file
    return value


def _all_objects(tree: JsonObject, key: str, where: str) -> list[JsonObject]:
    """Return the objects of an array that holds nothing else, and is not empty."""
    found, value = objects(tree, key), tree.get(key)
    if not found or not isinstance(value, list) or len(found) != len(value):
        raise ValueError(f"{where}: {key} is to be a list of objects, not empty")
    return found


def _refuse_others(tree: JsonObject, known: Collection[str], where: str) -> None:
    if not set(tree) <= set(known):
        raise ValueError(f"{where}: only these names are known: {', '.join(sorted(known))}")


def _refuse_twice(named: Collection[object], where: str) -> None:
    if len(set(named)) != len(named):
        raise ValueError(f"{where}: the same code stands there twice")
