"""Every definition of the folder by its url, and what a canonical url leads to.

What enters: the files, read. What leaves: files and types by url, or a problem told. A file
that is already known to be wrong is led to without a second complaint.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.fhir.profiles.problems import File, Problems
from gateway.fhir.profiles.supported import R4
from gateway.fhir.profiles.terminology import is_version, url_of
from gateway.fhir.tables import Tables
from gateway.referral.json import string


@dataclass(frozen=True, slots=True)
class Target:
    """What a canonical of a StructureDefinition leads to: a type, and a profile if it is one."""

    type: str
    profile: str | None


@dataclass(frozen=True, slots=True)
class Library:
    """The definitions. `broken` are the urls of files that are not valid FHIR."""

    files: Mapping[str, File]
    broken: frozenset[str]
    tables: Tables
    problems: Problems

    def structure(self, canonical: str, file: File, place: str) -> Target | None:
        """Return what a canonical at a place of a file leads to; None after telling why not."""
        url, version = url_of(canonical)
        name = url.removeprefix(R4)
        if name in self.tables.types or name in self.tables.resources:
            return Target(name, None)
        target = self.files.get(url)
        if target is None or not is_version(target, version):
            if url not in self.broken:
                self.problems.add(
                    file.name,
                    place,
                    f"there is no profile {canonical} here; add its file or mend the url.",
                )
            return None
        if target.tree.get("resourceType") != "StructureDefinition":
            self.problems.add(file.name, place, "the url is that of another kind of definition.")
            return None
        return Target(string(target.tree, "type") or "", url)
