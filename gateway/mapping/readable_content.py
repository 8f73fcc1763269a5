"""What a provider sent becomes a document that people read.

What enters: a FHIR R4 tree that validation has passed, a Bundle or one resource; whom it is about;
where it comes from. What leaves: a document with everything said in it, in the sender's order: a
Composition's sections first, each with its narrative and the entries that it names; then what no
section names. Must never: leave out a statement, or keep a code as data.

Not shown: who and where (patients, practitioners, organisations and the like are named where they
are referred to), `meta`, ids, and whom a resource is about, which is said once; of the Task that
answers the referral, what makes it a Task.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.mapping.readable import (
    Person,
    Provenance,
    Readable,
    Section,
    about_person,
    about_source,
    check_bounds,
    one_line,
    spaced,
)
from gateway.mapping.readable_elements import Names, concept, file_row, rows_of, words
from gateway.referral.json import JsonObject, child, objects, string, strings

_UNTOLD: Final = frozenset(
    "AuditEvent Bundle Consent Endpoint HealthcareService Location MessageHeader "
    "Organization Patient Practitioner PractitionerRole Provenance".split()
)
_UNSHOWN: Final = frozenset(
    "resourceType id meta implicitRules language text contained subject patient for".split()
)
_OF_THE_ERRAND: Final = frozenset(
    "identifier groupIdentifier basedOn partOf intent focus authoredOn lastModified requester"
    " owner".split()
)
"""Of a Task: whose errand it is, and about which referral. The document says that by itself."""
_TASK_CODES: Final = "http://hl7.org/fhir/CodeSystem/task-code"
_CONCEPTS: Final = ("code", "vaccineCode", "medicationCodeableConcept", "type")
_LONGEST_NAME: Final = 120
"""Characters of what a resource is called."""
_NO_NAMES: Final = Names({})
_DEEPEST: Final = 8
"""Sections within sections, and Bundles within Bundles."""


@dataclass(slots=True)
class _Telling:
    """Which resources there are, by reference, and which were told."""

    by_reference: dict[str, JsonObject]
    names: Names
    told: set[int]


def render_content(tree: JsonObject, person: Person, source: Provenance) -> Readable:
    """Make a document of what was sent.

    Raises:
        InvalidMessageError: it says nothing, or more than a document holds; or a narrative in it
            cannot be read.
    """
    resources = list(_resources(tree))
    by_reference = dict(_referenced(tree))
    names = {reference: name_of(each) for reference, each in by_reference.items()}
    telling = _Telling(by_reference=by_reference, names=Names(names), told=set())
    sections = list(_compositions(resources, telling))
    for resource in resources:
        sections += _tell(resource, telling)
    if not any(section.rows for section in sections):
        text = "The outcome says nothing that can be read: send a Composition, a DocumentReference or a note."
        raise InvalidMessageError(Fault(code=IssueCode.REQUIRED, diagnostics=text))
    document = Readable(
        title=_title(resources),
        sections=(about_person(person), *sections, about_source(source)),
        footer=f"NHS number {spaced(person.number)}, referral {source.reference}",
    )
    return check_bounds(document)


def can_be_read(tree: JsonObject) -> bool:
    """Whether a document that says something can be made of what was sent."""
    resources = list(_resources(tree))
    telling = _Telling(by_reference=dict(_referenced(tree)), names=_NO_NAMES, told=set())
    try:
        sections = list(_compositions(resources, telling))
        sections += [each for resource in resources for each in _tell(resource, telling)]
    except InvalidMessageError:
        return False
    return any(section.rows for section in sections)


def name_of(resource: JsonObject) -> str:
    """Name a resource as a person would: its kind, and what it is about."""
    if _is(resource, "Task") and _errand(resource):
        return "What the provider says"
    kind = words(string(resource, "resourceType") or "resource").capitalize()
    what = _named(resource)
    return _short(one_line(f"{kind}: {what}" if what else kind))


def _errand(task: JsonObject) -> frozenset[str]:
    """Name what makes a Task one; nothing where its code says something else than what to do."""
    code = child(task, "code") or {}
    codings = objects(code, "coding")
    is_plain = all(
        string(each, "system") == _TASK_CODES and "display" not in each for each in codings
    )
    return _OF_THE_ERRAND | {"code"} if is_plain and "text" not in code else frozenset()


def _short(text: str) -> str:
    """Shorten a name; all of it stands in the rows too."""
    return (
        text
        if len(text) <= _LONGEST_NAME
        else f"{text[: _LONGEST_NAME - 1]}\N{HORIZONTAL ELLIPSIS}"
    )


def _named(resource: JsonObject) -> str | None:
    for key in _CONCEPTS:
        value = child(resource, key)
        if value is not None:
            display = [string(each, "display") for each in objects(value, "coding")]
            said = [each for each in (string(value, "text"), *display) if each]
            return said[0] if said else concept(value, _NO_NAMES)
    names = objects(resource, "name")
    if names:
        given = [*strings(names[0], "prefix"), *strings(names[0], "given")]
        return string(names[0], "text") or " ".join([*given, string(names[0], "family") or ""])
    return string(resource, "name") or string(resource, "description")


def _resources(tree: JsonObject, depth: int = 0) -> Iterator[JsonObject]:
    """List what was sent: the entries of Bundles, and what resources contain."""
    if depth > _DEEPEST:
        raise _too_deep()
    if string(tree, "resourceType") != "Bundle":
        yield tree
    for each in [child(entry, "resource") for entry in objects(tree, "entry")]:
        if each is not None:
            yield from _resources(each, depth + 1)
    for each in objects(tree, "contained"):
        yield from _resources(each, depth + 1)


def _referenced(tree: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """List by which references each resource can be named."""
    for entry in objects(tree, "entry"):
        resource = child(entry, "resource") or {}
        if full_url := string(entry, "fullUrl"):
            yield full_url, resource
        yield from _referenced(resource)
    for each in objects(tree, "contained"):
        if name := string(each, "id"):
            yield f"#{name}", each
    if (kind := string(tree, "resourceType")) and (name := string(tree, "id")):
        yield f"{kind}/{name}", tree


def _title(resources: list[JsonObject]) -> str:
    titles = [string(each, "title") for each in resources if _is(each, "Composition")]
    said = [*titles, *(string(each, "description") for each in resources if _is(each, "Task"))]
    found = [one_line(each) for each in said if each and one_line(each)]
    return found[0] if found else "Outcome of a referral"


def _is(resource: JsonObject, kind: str) -> bool:
    return string(resource, "resourceType") == kind


def _compositions(resources: list[JsonObject], telling: _Telling) -> Iterator[Section]:
    for each in resources:
        if _is(each, "Composition"):
            telling.told.add(id(each))
            yield _section(name_of(each), each, telling, frozenset({"section"}))
            for section in objects(each, "section"):
                yield from _of_section(section, telling)


def _of_section(section: JsonObject, telling: _Telling, depth: int = 0) -> Iterator[Section]:
    if depth > _DEEPEST:
        raise _too_deep()
    code = child(section, "code")
    title = one_line(string(section, "title") or "")
    heading = title or (concept(code, telling.names) if code else "Section")
    unshown = frozenset({"title", "entry", "section"})
    told = _section(one_line(heading), section, telling, unshown)
    found = [
        (entry, telling.by_reference.get(string(entry, "reference") or ""))
        for entry in objects(section, "entry")
    ]
    elsewhere = [entry for entry, resource in found if resource is None]
    rows = tuple(row for each in elsewhere for row in rows_of("Entry", each, telling.names))
    yield Section(heading=told.heading, rows=told.rows + rows)
    for _, resource in found:
        if resource is not None:
            yield from _tell(resource, telling)
    for each in objects(section, "section"):
        yield from _of_section(each, telling, depth + 1)


def _tell(resource: JsonObject, telling: _Telling) -> Iterator[Section]:
    """Tell a resource once, whichever way it is come to."""
    if id(resource) in telling.told or string(resource, "resourceType") in _UNTOLD:
        return
    telling.told.add(id(resource))
    if _is(resource, "Binary"):
        yield Section(heading="File", rows=(file_row(resource, telling.names),))
    else:
        unshown = _errand(resource) if _is(resource, "Task") else frozenset[str]()
        yield _section(name_of(resource), resource, telling, unshown)


def _section(
    heading: str, element: JsonObject, telling: _Telling, unshown: frozenset[str]
) -> Section:
    narrative = child(element, "text")
    rows = [] if narrative is None else list(rows_of("In words", narrative, telling.names))
    for key, value in element.items():
        if key not in _UNSHOWN and key not in unshown:
            rows += rows_of(words(key).capitalize(), value, telling.names)
    return Section(heading=heading, rows=tuple(rows))


def _too_deep() -> InvalidMessageError:
    text = f"Sections and Bundles are nested no deeper than {_DEEPEST}: put them side by side."
    return InvalidMessageError(Fault(code=IssueCode.TOO_COSTLY, diagnostics=text))
