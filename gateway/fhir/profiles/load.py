"""Reading the folder of profiles at start-up, all of it or none.

What enters: a folder of JSON files (`fhir_profiles/`), with all folders in it but those
called `examples`. What leaves: `Profiles`; or one error that names each file, each place and
how to mend it. A wrong profile never comes into force in part.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, TypeVar

from gateway.errors import InvalidMessageError, ProfileError, Severity
from gateway.fhir.json_text import read_json
from gateway.fhir.profiles.compile import Compiler
from gateway.fhir.profiles.extensions import extension_rule
from gateway.fhir.profiles.library import Library
from gateway.fhir.profiles.messages import message_rule
from gateway.fhir.profiles.model import ExtensionRule, Profile, Profiles
from gateway.fhir.profiles.problems import File, Problems
from gateway.fhir.profiles.supported import R4, check_structure
from gateway.fhir.profiles.terminology import Terminology, check_code_system
from gateway.fhir.profiles.tree import Node, grow
from gateway.fhir.tables import load_tables
from gateway.fhir.validate import validate
from gateway.referral.json import JsonObject, string

KINDS: Final = frozenset(
    "CodeSystem ConceptMap MessageDefinition NamingSystem OperationDefinition SearchParameter"
    " StructureDefinition ValueSet".split()
)
"""The resource types that a file may hold. Those that ask nothing of a message are served."""

_Each = TypeVar("_Each")

EXAMPLES: Final = "examples"
MAX_FILE_BYTES: Final = 4 * 1024 * 1024


def load_profiles(folder: Path) -> Profiles:
    """Read and compile every file of a folder.

    1. Read each file, and hold it against FHIR R4 itself.
    2. Expand every value set.
    3. Compile every profile, its base before it.
    4. Compile the messages.

    Raises:
        ProfileError: something is wrong; the text has a line for each thing that is.
    """
    problems = Problems()
    files, broken = _read(folder, problems)
    tables = load_tables()
    library = Library(files, broken, tables, problems)
    terminology = Terminology(files, broken, tables.value_sets, problems)
    for file in _of_kind(files, "CodeSystem"):
        check_code_system(file, problems)
    for file in _of_kind(files, "ValueSet"):
        terminology.value_set(string(file.tree, "url") or "", file, "ValueSet.url")
    builder = _Builder(library, Compiler(library, terminology))
    profiles, extensions = builder.build()
    messages = [message_rule(file, library) for file in _of_kind(files, "MessageDefinition")]
    if problems:
        raise ProfileError(str(problems))
    return Profiles(
        by_url=_versioned((each.url, each.version, each) for each in profiles),
        extensions=extensions,
        messages=_versioned((each.url, each.version, each) for each in messages),
        documents=_versioned(
            (url, string(file.tree, "version"), file.tree) for url, file in files.items()
        ),
        documents_by_id={
            (string(f.tree, "resourceType") or "", string(f.tree, "id") or ""): f.tree
            for f in files.values()
        },
    )


def _of_kind(files: Mapping[str, File], kind: str) -> list[File]:
    return [file for file in files.values() if file.tree.get("resourceType") == kind]


def _versioned(rows: Iterable[tuple[str, str | None, _Each]]) -> Mapping[str, _Each]:
    found: dict[str, _Each] = {}
    for url, version, each in rows:
        found[url] = each
        if version:
            found[f"{url}|{version}"] = each
    return found


def _read(folder: Path, problems: Problems) -> tuple[Mapping[str, File], frozenset[str]]:
    """Read every file. Returns: the valid ones by url, and the urls of those that are not."""
    files: dict[str, File] = {}
    ids: set[tuple[str | None, str | None]] = set()
    broken: set[str] = set()
    paths = sorted(folder.rglob("*.json")) if folder.is_dir() else []
    paths = [path for path in paths if EXAMPLES not in path.relative_to(folder).parts]
    if not paths:
        problems.add(str(folder), "", "there is no profile here; name the folder that has them.")
    for path in paths:
        name = path.relative_to(folder).as_posix()
        tree = _tree(path, name, problems)
        if tree is None:
            continue
        url = string(tree, "url") or ""
        named = string(tree, "resourceType"), string(tree, "id")
        if not _is_valid(tree, name, problems):
            broken.add(url)
        elif url in files:
            problems.add(name, "url", f"{files[url].name} has the same url; give each its own.")
        elif named in ids:
            problems.add(name, "id", "another file has this type and id; give each its own.")
        else:
            files[url] = File(name, tree)
        ids.add(named)
    return files, frozenset(broken - files.keys())


def _tree(path: Path, name: str, problems: Problems) -> JsonObject | None:
    try:
        return read_json(path.read_bytes(), max_bytes=MAX_FILE_BYTES, max_values=MAX_FILE_BYTES)
    except OSError as error:
        problems.add(name, "", f"the file cannot be read: {error.strerror}.")
    except InvalidMessageError as error:
        for fault in error.faults:
            problems.add(name, fault.expression or "", fault.diagnostics)
    return None


def _is_valid(tree: JsonObject, name: str, problems: Problems) -> bool:
    kind = string(tree, "resourceType")
    if kind in load_tables().resources and kind not in KINDS:
        problems.add(name, "", f"a {kind} is no definition; examples go in a folder {EXAMPLES}.")
        return False
    faults = [fault for fault in validate(tree) if fault.severity is Severity.ERROR]
    for fault in faults:
        problems.add(name, fault.expression or "", fault.diagnostics)
    missing = [each for each in ("id", "url") if not faults and string(tree, each) is None]
    for each in missing:
        problems.add(name, f"{kind}.{each}", "a definition needs it; add it.")
    return not faults and not missing


class _Builder:
    """Compiles the StructureDefinitions, each after the one that it derives from."""

    def __init__(self, library: Library, compiler: Compiler) -> None:
        self._library = library
        self._compiler = compiler
        self._roots: dict[str, tuple[Node, tuple[str, ...]] | None] = {}

    def build(self) -> tuple[list[Profile], Mapping[str, ExtensionRule]]:
        """Compile all that can be."""
        profiles: list[Profile] = []
        extensions: dict[str, ExtensionRule] = {}
        for file in _of_kind(self._library.files, "StructureDefinition"):
            check_structure(file, self._library.problems)
            url = string(file.tree, "url") or ""
            grown = self._grow(url, file)
            if grown is None:
                continue
            root, ancestors = grown
            profile = Profile(
                url=url,
                version=string(file.tree, "version"),
                name=string(file.tree, "name") or url,
                type=string(file.tree, "type") or "",
                ancestors=frozenset(ancestors),
                asks=self._compiler.asks(root, string(file.tree, "type") or ""),
            )
            profiles.append(profile)
            if profile.type == "Extension":
                extensions[url] = extension_rule(profile, root, file, self._library)
        return profiles, extensions

    def _grow(self, url: str, file: File) -> tuple[Node, tuple[str, ...]] | None:
        """Grow the tree of a profile on that of its base; None after telling why not."""
        if url not in self._roots:
            self._roots[url] = None  # met again before it is grown: it derives from itself
            self._roots[url] = self._grow_on_base(file)
        return self._roots[url]

    def _grow_on_base(self, file: File) -> tuple[Node, tuple[str, ...]] | None:
        problems, place = self._library.problems, "StructureDefinition.baseDefinition"
        base = self._library.structure(string(file.tree, "baseDefinition") or R4, file, place)
        if base is None:
            return None
        type_name = string(file.tree, "type") or ""
        if base.type != type_name or type_name not in self._library.tables.types:
            problems.add(
                file.name, place, "it must be of the type that the profile states, and read here."
            )
            return None
        if base.profile is None:
            return grow(None, file, problems), ()
        grown = self._grow(base.profile, self._library.files[base.profile])
        if grown is None:
            problems.add(file.name, place, "the base cannot be used; see what is wrong with it.")
            return None
        return grow(grown[0], file, problems), (*grown[1], base.profile)
