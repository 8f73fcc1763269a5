"""One element through all its definitions: how many, of which types, leading where.

What enters: the forms an element has in R4 and its ElementDefinitions, from the base profile
to the last. What leaves: what remains permitted. Each definition may only narrow the one
before it; one that widens is a problem.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.fhir.profiles.library import Library, Target
from gateway.fhir.profiles.model import Targets
from gateway.fhir.profiles.tree import Source
from gateway.fhir.tables import ElementSpec
from gateway.referral.json import JsonObject, objects, string, strings

_ANY_RESOURCE: Final = ("Resource", "DomainResource")
_GROUPS: Final = ("BackboneElement", "Element")
_SYSTEM_TYPES: Final = "http://hl7.org/fhirpath/System."


@dataclass(slots=True, kw_only=True)
class Narrowed:
    """What is permitted of an element.

    `forms` are the JSON properties that remain; `most` None: any number. `types` are the
    resource types of a slot that holds resources; none: any.
    """

    forms: tuple[ElementSpec, ...]
    least: int
    most: int | None
    types: frozenset[str] = frozenset()
    targets: Targets | None = None
    profiles: tuple[str, ...] = ()


class Narrowing:
    """Applies definitions to an element, telling what is wrong with them."""

    def __init__(self, library: Library) -> None:
        self._library = library

    def apply(self, narrowed: Narrowed, source: Source) -> None:
        """Narrow by one definition."""
        self._count(narrowed, source)
        types = objects(source.element, "type")
        if types:
            self._types(narrowed, types, source)

    def _tell(self, source: Source, below: str, says: str) -> None:
        self._library.problems.add(source.file.name, f"{source.place}{below}", says)

    def _count(self, narrowed: Narrowed, source: Source) -> None:
        least, most = source.element.get("min"), string(source.element, "max")
        if isinstance(least, int):
            if least < narrowed.least:
                self._tell(source, ".min", f"at least {narrowed.least}, as in the base.")
            narrowed.least = max(least, narrowed.least)
        if most is not None and most.isdigit():
            if narrowed.most is not None and int(most) > narrowed.most:
                self._tell(source, ".max", f"at most {narrowed.most}, as in the base.")
            else:
                narrowed.most = int(most)
        elif most == "*" and narrowed.most is not None:
            self._tell(source, ".max", f"at most {narrowed.most}, as in the base.")
        if narrowed.most is not None and narrowed.least > narrowed.most:
            self._tell(source, "", "min is above the max that the base leaves.")

    def _types(self, narrowed: Narrowed, types: Sequence[JsonObject], source: Source) -> None:
        kept: list[ElementSpec] = []
        resources: set[str] = set()
        for index, typed in enumerate(types):
            place = f".type[{index}]"
            code = string(typed, "code") or ""
            forms = [form for form in narrowed.forms if self._is_form(form, code, narrowed)]
            if not forms:
                self._tell(source, f"{place}.code", "this is not one of the types in the base.")
            for form in forms:
                kept.append(form)
                if form.type_name == "Resource" and code not in _ANY_RESOURCE:
                    resources.add(code)
                self._profiles(narrowed, form, typed, source, place)
        if kept:
            narrowed.forms = tuple(dict.fromkeys(kept))
        narrowed.types = frozenset(resources) or narrowed.types
        if narrowed.profiles and len(narrowed.forms) > 1:
            self._tell(source, ".type", "a profile is supported where there is one type only.")

    def _is_form(self, form: ElementSpec, code: str, narrowed: Narrowed) -> bool:
        if form.type_name == "Resource":
            return code in _ANY_RESOURCE or (
                code in self._library.tables.resources
                and (not narrowed.types or code in narrowed.types)
            )
        if "." in form.type_name:
            return code in _GROUPS
        is_primitive = form.primitive is not None
        return code == form.type_name or (is_primitive and code.startswith(_SYSTEM_TYPES))

    def _profiles(
        self, narrowed: Narrowed, form: ElementSpec, typed: JsonObject, source: Source, place: str
    ) -> None:
        profiles = strings(typed, "profile")
        if len(profiles) > 1:
            self._tell(source, f"{place}.profile", "only one profile is supported.")
        for canonical in profiles[:1]:
            target = self._library.structure(
                canonical, source.file, f"{source.place}{place}.profile"
            )
            code = string(typed, "code")
            if target is not None and target.type != code:
                self._tell(source, f"{place}.profile", f"this is no profile of {code}.")
            elif target is not None and target.profile is not None:
                narrowed.profiles = _with(narrowed.profiles, target.profile)
        if strings(typed, "targetProfile"):
            self._targets(narrowed, form, typed, source, f"{place}.targetProfile")

    def _targets(
        self, narrowed: Narrowed, form: ElementSpec, typed: JsonObject, source: Source, place: str
    ) -> None:
        if form.type_name != "Reference":
            self._tell(source, place, "supported for references only.")
            return
        found = self._targets_named(narrowed, form, typed, source, place)
        before = narrowed.targets.profiles if narrowed.targets else {}
        profiles = {name: before.get(name, ()) for name in found}
        for name, target in found.items():
            if target.profile is not None:
                profiles[name] = _with(profiles[name], target.profile)
        if found and "Resource" not in found:
            narrowed.targets = Targets(name=form.name, types=frozenset(found), profiles=profiles)

    def _targets_named(
        self, narrowed: Narrowed, form: ElementSpec, typed: JsonObject, source: Source, place: str
    ) -> dict[str, Target]:
        found: dict[str, Target] = {}
        for canonical in strings(typed, "targetProfile"):
            target = self._library.structure(canonical, source.file, source.place + place)
            if target is None:
                continue
            if target.type in found:
                self._tell(source, place, f"only one profile of {target.type} is supported.")
            elif not self._may_lead_to(target, form, narrowed):
                self._tell(source, place, f"the base does not lead to {target.type}.")
            found[target.type] = target
        return found

    @staticmethod
    def _may_lead_to(target: Target, form: ElementSpec, narrowed: Narrowed) -> bool:
        permitted = narrowed.targets.types if narrowed.targets else form.targets
        return not permitted or target.type in permitted


def _with(profiles: tuple[str, ...], url: str) -> tuple[str, ...]:
    return profiles if url in profiles else (*profiles, url)
