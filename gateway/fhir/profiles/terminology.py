"""Value sets: which codes of which systems each contains.

What enters: ValueSet and CodeSystem trees, valid as FHIR. What leaves: codes by system. A
value set of R4 itself that elements are bound to as required is known without a file.

Supported: include with listed codes, a whole code system, nested value sets; what stands in
one include is intersected, as R4 says. A CodeSystem whose content is not-present stands for
one that others keep, such as SNOMED CT: including all of it permits any code. Of one whose
content is a fragment, including all permits the codes that are here. Refused, by name:
filters, excludes, supplements, expansions without compose.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.fhir.invariants.rule import descend, has
from gateway.fhir.profiles.problems import File, Problems
from gateway.referral.json import JsonObject, child, objects, string, strings

Codes: TypeAlias = Mapping[str, frozenset[str] | None]
"""Codes by system; None where every code of the system is meant."""

SHOWN_CODES: Final = 20
"""A value set with more codes is named by its url instead."""


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A value set: its url and its codes."""

    url: str
    codes: Codes

    def has(self, system: str | None, code: str | None) -> bool:
        """Say whether the code is a member. Without a system: whether any system has it."""
        if code is None:
            return False
        if system is None:
            return any(codes is None or code in codes for codes in self.codes.values())
        codes = self.codes.get(system, frozenset())
        return codes is None or code in codes

    def describe(self) -> str:
        """Put the permitted codes in words."""
        known = [(system, codes) for system, codes in self.codes.items() if codes is not None]
        if len(known) < len(self.codes) or sum(len(codes) for _, codes in known) > SHOWN_CODES:
            return f"the value set {self.url}"
        return "; ".join(f"{system}: {', '.join(sorted(codes))}" for system, codes in known)


def url_of(canonical: str) -> tuple[str, str | None]:
    """Split a canonical into its url and its version."""
    url, _, version = canonical.partition("|")
    return url, version or None


class Terminology:
    """Expands value sets, each once, and says what it cannot expand."""

    def __init__(
        self,
        files: Mapping[str, File],
        broken: frozenset[str],
        official: Mapping[str, Mapping[str, frozenset[str]]],
        problems: Problems,
    ) -> None:
        """Take every definition by url, the urls of invalid files, the value sets of R4."""
        self._files = files
        self._broken = broken
        self._problems = problems
        self._known: dict[str, ValueSet | None] = {
            url: ValueSet(url, dict(codes)) for url, codes in official.items()
        }
        self._open: list[str] = []

    def value_set(self, canonical: str, file: File, place: str) -> ValueSet | None:
        """Return the value set under a canonical that stands at a place of a file.

        Returns: None after telling why there is none.
        """
        url, version = url_of(canonical)
        if url in self._known and url not in self._files:
            return self._known[url]
        target = self._files.get(url)
        if url in self._broken:
            return None
        if target is None or not is_version(target, version) or not _is_value_set(target):
            self._problems.add(
                file.name,
                place,
                f"there is no value set {canonical} here; add its file or mend the url.",
            )
            return None
        if url in self._open:
            self._problems.add(file.name, place, f"the value set {url} includes itself.")
            return None
        if url not in self._known:
            self._open.append(url)
            self._known[url] = self._expand(target)
            self._open.pop()
        return self._known[url]

    def _expand(self, file: File) -> ValueSet | None:
        """Expand one file; None, with the reason told, where it cannot be."""
        place = "ValueSet.compose"
        compose = child(file.tree, "compose")
        if compose is None or has(compose, "exclude"):
            self._problems.add(
                file.name, place, "a value set needs compose with include, and no exclude."
            )
            return None
        codes: dict[str, frozenset[str] | None] = {}
        for index, include in enumerate(objects(compose, "include")):
            for system, more in self._include(include, file, f"{place}.include[{index}]").items():
                before = codes.get(system, frozenset())
                codes[system] = None if before is None or more is None else before | more
        return ValueSet(string(file.tree, "url") or "", codes)

    def _include(self, include: JsonObject, file: File, place: str) -> Codes:
        if has(include, "filter"):
            self._problems.add(
                file.name, place, "filters are not supported; list the codes that are meant."
            )
            return {}
        parts: list[Codes] = []
        for index, canonical in enumerate(strings(include, "valueSet")):
            nested = self.value_set(canonical, file, f"{place}.valueSet[{index}]")
            parts.append(nested.codes if nested else {})
        system = string(include, "system")
        if system is not None:
            parts.append({system: self._of_system(system, include, file, place)})
        return _intersection(parts)

    def _of_system(
        self, system: str, include: JsonObject, file: File, place: str
    ) -> frozenset[str] | None:
        listed = frozenset(string(each, "code") or "" for each in objects(include, "concept"))
        known, is_known = self._code_system(system)
        if not listed:
            if not is_known and system not in self._broken:
                self._problems.add(
                    file.name,
                    f"{place}.system",
                    f"there is no code system {system} here; add its file (with the content"
                    " not-present, if others keep it) or list the codes that are meant.",
                )
            return known
        if self._is_complete(system):
            for code in sorted(listed - (known or frozenset())):
                says = f"the code system {system} here has no code {code}."
                self._problems.add(file.name, place, says)
        return listed

    def _is_complete(self, url: str) -> bool:
        return url in self._files and self._files[url].tree.get("content") == "complete"

    def _code_system(self, url: str) -> tuple[frozenset[str] | None, bool]:
        """Return the codes of a system (None: any), and whether the system is known here."""
        file = self._files.get(url)
        if file is None or file.tree.get("resourceType") != "CodeSystem":
            return frozenset(), False
        if file.tree.get("content") == "not-present":
            return None, True
        return frozenset(string(each, "code") or "" for each in descend(file.tree, "concept")), True


def _is_value_set(file: File) -> bool:
    return file.tree.get("resourceType") == "ValueSet"


def is_version(file: File, version: str | None) -> bool:
    """Say whether the file is of the version that a canonical asks for."""
    return version is None or file.tree.get("version") == version


def check_code_system(file: File, problems: Problems) -> None:
    """Refuse a code system that adds to another, or only shows what one may look like."""
    if file.tree.get("content") not in ("complete", "fragment", "not-present"):
        problems.add(
            file.name,
            "CodeSystem.content",
            "only complete, fragment and not-present are supported.",
        )


def _intersection(parts: list[Codes]) -> Codes:
    if not parts:
        return {}
    result = dict(parts[0])
    for part in parts[1:]:
        result = {
            system: _both(result[system], part[system]) for system in result if system in part
        }
    return result


def _both(first: frozenset[str] | None, second: frozenset[str] | None) -> frozenset[str] | None:
    if first is None or second is None:
        return first if second is None else second
    return first & second
