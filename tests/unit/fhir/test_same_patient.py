"""Every part of a referral is about its one Patient, wherever somebody else may hide."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.errors import Fault, InvalidMessageError
from gateway.fhir.faults import MAX_FAULTS
from gateway.fhir.read_referral import read_referral
from gateway.fhir.references import index
from gateway.fhir.same_patient import ABOUT, numbers_in, stranger_faults
from gateway.fhir.tables import ElementSpec, TypeSpec, load_tables
from tests.builders.messages import (
    NHS_NUMBER,
    bars_message,
    letter_transaction,
    patient,
    service_request,
)
from tests.builders.stopwatch import within

Tree = dict[str, Any]
Edit = Callable[[Tree], object]
SYSTEM = "https://fhir.nhs.uk/Id/nhs-number"
MRN = "https://gp.example/Id/record"
OTHER_NUMBER = "9990000026"
OTHER = {"system": SYSTEM, "value": OTHER_NUMBER}
OWN = {"system": SYSTEM, "value": NHS_NUMBER}
UUID = "11111111-2222-4333-8444-555555555555"


def faults(tree: Tree) -> list[Fault]:
    parts = index(tree)
    [request], [person] = parts.of_type("ServiceRequest"), parts.of_type("Patient")
    return list(stranger_faults(tree, parts, request, person))


def found(tree: Tree) -> list[tuple[str, str | None]]:
    return [(fault.code.value, fault.expression) for fault in faults(tree)]


def invariant(*places: str) -> list[tuple[str, str | None]]:
    return [("invariant", place) for place in places]


def with_part(kind: str, **more: Any) -> Tree:
    """Build a referral that contains one more resource: ServiceRequest.contained[2]."""
    tree = service_request()
    tree["contained"][0]["identifier"].append({"system": MRN, "value": "17"})
    tree["contained"].append({"resourceType": kind, "id": "part", **more})
    tree["supportingInfo"].append({"reference": "#part"})
    return tree


PART = "ServiceRequest.contained[2]"


# The elements of R4 that may point to a Patient.

WHO_OR_WHAT_ELSE = frozenset(
    "about actor agent answerReference asserter attester author authorReference basedOn basis"
    " contentReference contributor derivedFrom detail entry expressedBy focus informationSource"
    " item member observer onBehalfOf operator outcomeReference owner parent partOf party payor"
    " performer policyHolder reasonReference recipient recorder reference related"
    " reportedReference requester securityContext sender source subscriber supportingInfo"
    " supportingInformation target valueReference verifiedWith what who".split()
)
"""Elements that say who did something, or what else is of interest."""
OF_DEFINITIONS = frozenset({"ElementDefinition"})
"""A definition describes messages; none travels in one."""


def may_point_to_a_patient(element: ElementSpec) -> bool:
    return element.type_name == "Reference" and (
        not element.targets or "Patient" in element.targets
    )


def elements() -> Iterator[tuple[str, str]]:
    for name, spec in sorted(load_tables().types.items()):
        if name.partition(".")[0] not in {*OF_DEFINITIONS, "Parameters"}:
            for element in spec.elements.values():
                if may_point_to_a_patient(element):
                    yield name, element.name


def test_every_element_that_may_point_to_a_patient_says_about_whom_or_who_else() -> None:
    names = {name for _, name in elements()}
    assert names - WHO_OR_WHAT_ELSE == ABOUT
    assert ABOUT.isdisjoint(WHO_OR_WHAT_ELSE)


def test_nothing_but_a_reference_is_called_as_what_says_about_whom() -> None:
    kinds = {
        element.type_name
        for spec in load_tables().types.values()
        for element in spec.elements.values()
        if element.name in ABOUT
    }
    assert kinds == {"Reference"}


def home_of(type_name: str) -> tuple[Tree, Tree, str]:
    """Build a referral with an object of this type: the tree, the object, and its place."""
    types = load_tables().types
    root, *groups = type_name.split(".")
    tree, at = with_part(root), PART
    resource = tree["contained"][-1]
    if root in {"ServiceRequest", "Patient"}:
        tree = service_request()
        tree["contained"][0]["identifier"].append({"system": MRN, "value": "17"})
        resource, at = (
            (tree, "ServiceRequest")
            if root == "ServiceRequest"
            else (tree["contained"][0], "ServiceRequest.contained[0]")
        )
    elif not types[root].is_resource:
        tree = with_part("Flag")
        resource, at = in_a_datatype(tree["contained"][-1], root)
    for group in groups:
        resource, at = step(resource, types[type_of(root, groups, group)], group, at)
    return tree, resource, at


def in_a_datatype(resource: Tree, kind: str) -> tuple[Tree, str]:
    value: Tree = {}
    if kind == "Extension":
        resource["extension"] = [value]
        return value, f"{PART}.extension[0]"
    resource["extension"] = [{"url": "https://x.example", f"value{kind}": value}]
    return value, f"{PART}.extension[0].value"


def type_of(root: str, groups: list[str], group: str) -> str:
    return ".".join([root, *groups[: groups.index(group)]])


def step(node: Tree, spec: TypeSpec, name: str, at: str) -> tuple[Tree, str]:
    inner: Tree = {}
    element = spec.elements[name]
    node[name] = [inner] if element.is_array else inner
    return inner, f"{at}.{element.label}[0]" if element.is_array else f"{at}.{element.label}"


def put(type_name: str, name: str, reference: Tree) -> tuple[Tree, str]:
    """Put a reference into an element; return the referral and the element's place."""
    tree, node, at = home_of(type_name)
    element = load_tables().types[type_name].elements[name]
    node[name] = [reference] if element.is_array else reference
    return tree, f"{at}.{element.label}[0]" if element.is_array else f"{at}.{element.label}"


STRANGERS: dict[str, Tree] = {
    "relative": {"reference": "Patient/2"},
    "absolute": {"reference": "https://gp.example/fhir/Patient/2"},
    "with a version": {"reference": "Patient/2/_history/1"},
    "conditional": {"reference": f"Patient?identifier={SYSTEM}|{OTHER_NUMBER}"},
    "stated type, urn": {"reference": f"urn:uuid:{UUID}", "type": "Patient"},
    "stated type, record": {"type": "Patient", "identifier": {"system": MRN, "value": "18"}},
    "stated type, urn and own number": {
        "reference": f"urn:uuid:{UUID}",
        "type": "Patient",
        "identifier": OWN,
    },
    "stated type, no more": {"type": "Patient", "display": "Somebody"},
    "number": {"identifier": OTHER},
    "leads to the patient, names another": {"reference": "#patient", "identifier": OTHER},
}
ALL_ELEMENTS = list(elements())


@pytest.mark.parametrize(("kind", "name"), ALL_ELEMENTS)
def test_a_stranger_is_found_in_every_element_that_may_point_to_one(kind: str, name: str) -> None:
    for label, reference in STRANGERS.items():
        tree, place = put(kind, name, copy.deepcopy(reference))
        [(code, where)] = found(tree)
        assert code == "invariant"
        assert where in {place, f"{place}.identifier"}, label


OWN_REFERENCES: dict[str, Tree] = {
    "contained": {"reference": "#patient"},
    "number": {"type": "Patient", "identifier": OWN},
    "number with blanks": {"identifier": OWN | {"value": "999 000 0018"}},
    "both": {"reference": "#patient", "identifier": OWN},
}


@pytest.mark.parametrize(("kind", "name"), ALL_ELEMENTS)
def test_the_patient_may_stand_in_every_one_of_them(kind: str, name: str) -> None:
    for label, reference in OWN_REFERENCES.items():
        tree, _ = put(kind, name, copy.deepcopy(reference))
        assert found(tree) == [], label


NOT_PROVED: dict[str, Tree] = {
    "a name": {"display": "Somebody"},
    "a urn": {"reference": f"urn:uuid:{UUID}"},
    "an address": {"reference": "https://gp.example/people/2"},
    "a group": {"reference": "Group/1"},
    "a practitioner": {"reference": "Practitioner/1"},
    "a stated practitioner": {"type": "Practitioner", "identifier": {"value": "1"}},
    "a relative": {"reference": "https://gp.example/fhir/RelatedPerson/1"},
    "another record": {"identifier": {"system": MRN, "value": "18"}},
    "another system": {"identifier": {"system": "https://x.example", "value": "17"}},
    "nothing": {},
}
ABOUT_ELEMENTS = [
    row for row in ALL_ELEMENTS if row[1] in ABOUT and row != ("ServiceRequest", "subject")
]


@pytest.mark.parametrize(("kind", "name"), ABOUT_ELEMENTS)
def test_about_whom_a_part_is_must_be_proved(kind: str, name: str) -> None:
    for label, reference in NOT_PROVED.items():
        tree, place = put(kind, name, dict(reference))
        assert found(tree) == invariant(place), label


@pytest.mark.parametrize(
    "reference",
    [
        {"reference": "Location/1"},
        {"reference": "https://gp.example/fhir/Device/1/_history/2"},
        {"type": "Location", "identifier": {"value": "1"}},
        {"identifier": {"system": MRN, "value": "17"}},
    ],
    ids=["place", "device", "stated", "own-record"],
)
def test_a_part_may_be_about_a_thing_or_about_the_patients_own_record(reference: Tree) -> None:
    assert found(with_part("Observation", subject=reference)) == []


def test_a_part_may_be_about_a_thing_of_the_message_but_about_no_other_person() -> None:
    tree = with_part("Observation", subject={"reference": "#thing"})
    tree["contained"].append({"resourceType": "Location", "id": "thing"})
    assert found(tree) == []
    tree["contained"][-1]["resourceType"] = "RelatedPerson"
    assert found(tree) == invariant(f"{PART}.subject")


def test_who_else_is_named_need_not_be_in_the_message() -> None:
    others = [{"reference": "Practitioner/1"}, {"reference": f"urn:uuid:{UUID}"}, {"display": "x"}]
    assert found(with_part("Observation", performer=others)) == []


def test_a_part_of_a_version_of_the_patient_is_the_patients() -> None:
    tree = letter_transaction()
    entries = {e["resource"]["resourceType"]: e for e in tree["entry"]}
    entries["Patient"]["fullUrl"] = "https://gp.example/fhir/Patient/1"
    for kind, element in [("DocumentReference", "subject"), ("Consent", "patient")]:
        entries[kind]["resource"][element] = {
            "reference": "https://gp.example/fhir/Patient/1/_history/3"
        }
    entries["Consent"]["resource"].pop("performer")
    entries["ServiceRequest"]["resource"]["subject"] = {
        "reference": "https://gp.example/fhir/Patient/1"
    }
    assert found(tree) == []


# Swapped references.


def entry(tree: Tree, kind: str) -> tuple[int, Tree]:
    return next(
        (position, each)
        for position, each in enumerate(tree["entry"])
        if each["resource"]["resourceType"] == kind
    )


ABOUT_IN_A_MESSAGE = [
    ("ServiceRequest", "subject"),
    ("Encounter", "subject"),
    ("CarePlan", "subject"),
    ("Condition", "subject"),
    ("Consent", "patient"),
]


@pytest.mark.parametrize(("kind", "element"), ABOUT_IN_A_MESSAGE)
def test_a_part_swapped_with_another_message_is_found(kind: str, element: str) -> None:
    here, there = bars_message(), bars_message()
    (position, mine), (_, other) = entry(here, kind), entry(there, kind)
    mine["resource"][element] = other["resource"][element]
    assert found(here) == invariant(f"Bundle.entry[{position}].resource.{element}")


def test_a_patient_swapped_with_another_message_is_found_in_every_part() -> None:
    here, there = bars_message(), bars_message()
    (position, _), (_, other) = entry(here, "Patient"), entry(there, "Patient")
    here["entry"][position] = other
    places = {place for _, place in found(here)}
    assert places >= {
        f"Bundle.entry[{entry(here, kind)[0]}].resource.{element}"
        for kind, element in ABOUT_IN_A_MESSAGE
    }


@pytest.mark.parametrize("kind", ["Practitioner", "HealthcareService", "Organization"])
def test_a_subject_swapped_with_another_part_is_found(kind: str) -> None:
    tree = bars_message()
    position, request = entry(tree, "ServiceRequest")
    request["resource"]["subject"] = {"reference": entry(tree, kind)[1]["fullUrl"]}
    assert found(tree) == invariant(f"Bundle.entry[{position}].resource.subject")


def test_a_referral_of_nobody_is_found() -> None:
    tree = service_request()
    del tree["subject"]
    assert found(tree) == invariant("ServiceRequest.subject")


@pytest.mark.parametrize("build", [service_request, letter_transaction, bars_message])
def test_a_good_message_has_no_stranger(build: Callable[[], Tree]) -> None:
    assert found(build()) == []


# Deep places, hidden resources.


def deep(reference: Tree) -> dict[str, tuple[Edit, str]]:
    """Places where nobody looks: an edit of a referral, and the place."""
    inner = {"url": "a", "valueReference": reference}
    return {
        "an extension in an extension": (
            lambda t: t.update(extension=[{"url": "b", "extension": [inner]}]),
            "ServiceRequest.extension[0].extension[0].value",
        ),
        "beside a primitive": (
            lambda t: t.update(_status={"extension": [inner]}),
            "ServiceRequest.status.extension[0].value",
        ),
        "beside one of many primitives": (
            lambda t: t["contained"][0]["name"][0].update(_given=[{"extension": [inner]}]),
            "ServiceRequest.contained[0].name[0].given[0].extension[0].value",
        ),
        "in the assigner of an identifier": (
            lambda t: t["identifier"][0].update(assigner=reference),
            "ServiceRequest.identifier[0].assigner",
        ),
        "in a note": (
            lambda t: t.update(note=[{"text": "x", "authorReference": reference}]),
            "ServiceRequest.note[0].author",
        ),
        "in the metadata": (
            lambda t: t.update(meta={"extension": [inner]}),
            "ServiceRequest.meta.extension[0].value",
        ),
    }


@pytest.mark.parametrize("where", deep({}))
@pytest.mark.parametrize("form", ["absolute", "number", "stated type, record"])
def test_a_stranger_is_found_in_deep_places(where: str, form: str) -> None:
    edit, place = deep(dict(STRANGERS[form]))[where]
    tree = service_request()
    edit(tree)
    [(code, at)] = found(tree)
    assert code == "invariant"
    assert at in {place, f"{place}.identifier"}


@pytest.mark.parametrize(
    "inner",
    [
        {"resourceType": "Patient", "id": "p"},
        {"resourceType": "Observation", "id": "p", "subject": {"reference": "#patient"}},
        {"resourceType": "RelatedPerson", "id": "p", "patient": {"reference": "Patient/2"}},
        {"resourceType": "Task", "id": "p", "for": {"display": "Somebody"}},
    ],
    ids=lambda inner: inner["resourceType"],
)
@pytest.mark.parametrize("position", [0, 2])
def test_a_person_hidden_in_an_entry_is_named_once(inner: Tree, position: int) -> None:
    tree = letter_transaction()
    tree["entry"][position]["resource"]["contained"] = [inner]
    assert found(tree) == invariant(f"Bundle.entry[{position}].resource.contained[0]")


def test_a_person_hidden_in_what_is_contained_is_found() -> None:
    tree = with_part("Flag", contained=[patient()])
    assert found(tree) == invariant(f"{PART}.contained[0]")


def test_what_an_entry_contains_may_be_about_nobody() -> None:
    tree = letter_transaction()
    tree["entry"][2]["resource"]["contained"] = [{"resourceType": "Practitioner", "id": "p"}]
    assert found(tree) == []


@pytest.mark.parametrize("kind", ["Bundle", "Parameters"])
def test_a_wrapper_is_refused_at_any_level_with_all_that_is_in_it(kind: str) -> None:
    stranger = {"resourceType": "Flag", "subject": {"reference": "Patient/2"}}
    wrapper = {
        "resourceType": kind,
        "id": "w",
        "entry": [{"resource": stranger}],
        "parameter": [{"name": "x", "resource": stranger}],
    }
    tree = letter_transaction()
    tree["entry"][2]["resource"]["contained"] = [wrapper]
    tree["entry"].append({"fullUrl": "urn:uuid:w", "resource": wrapper})
    assert found(tree) == [
        ("not-supported", "Bundle.entry[2].resource.contained[0]"),
        ("not-supported", "Bundle.entry[4].resource"),
    ]


# NHS numbers.

SPELLINGS = [
    SYSTEM,
    "http://fhir.nhs.uk/Id/nhs-number",
    "https://fhir.nhs.uk/id/nhs-number",
    "HTTPS://FHIR.NHS.UK/ID/NHS-NUMBER",
    " https://fhir.nhs.uk/Id/nhs-number/",
    "http://fhir.nhs.net/Id/nhs-number",
    "https://fhir.nhs.net/Id/nhs-number",
    "urn:oid:2.16.840.1.113883.2.1.4.1",
    "2.16.840.1.113883.2.1.4.1",
]


@pytest.mark.parametrize("system", SPELLINGS)
def test_another_persons_number_is_found_however_its_system_is_spelt(system: str) -> None:
    tree = with_part("Location", identifier=[OTHER | {"system": system}])
    assert found(tree) == invariant(f"{PART}.identifier[0]")
    tree = with_part("Location", identifier=[OWN | {"system": system}])
    assert found(tree) == []


@pytest.mark.parametrize("value", [OTHER_NUMBER, "999 000 0026", "9990000027", "unknown", ""])
def test_any_number_but_the_patients_is_found(value: str) -> None:
    tree = with_part("Location", identifier=[OTHER | {"value": value}])
    assert found(tree) == invariant(f"{PART}.identifier[0]")


def test_an_identifier_without_a_value_names_nobody() -> None:
    assert found(with_part("Location", identifier=[{"system": SYSTEM}])) == []


@pytest.mark.parametrize(
    ("kind", "element"), [("RelatedPerson", "patient"), ("Practitioner", None)]
)
def test_a_relative_or_a_professional_brings_no_number_of_its_own(
    kind: str, element: str | None
) -> None:
    more = {element: {"reference": "#patient"}} if element else {}
    [fault] = faults(with_part(kind, identifier=[OTHER], **more))
    assert fault.expression == f"{PART}.identifier[0]"
    assert "leave it out" in fault.diagnostics


def test_a_number_is_found_in_an_extension_and_in_a_reference_to_anybody() -> None:
    tree = with_part("Flag", author={"identifier": OTHER})
    tree["extension"] = [{"url": "a", "valueIdentifier": OTHER}]
    assert found(tree) == invariant(
        f"{PART}.author.identifier", "ServiceRequest.extension[0].value"
    )


def test_where_the_patient_has_no_number_nothing_has_one() -> None:
    nameless = service_request(person=patient(number=None))
    assert found(nameless) == []
    nameless["performer"] = [{"identifier": OWN}]
    assert found(nameless) == invariant("ServiceRequest.performer[0].identifier")


@pytest.mark.parametrize("system", SPELLINGS)
def test_a_patient_with_two_numbers_is_refused(system: str) -> None:
    tree = service_request()
    tree["contained"][0]["identifier"].append(OTHER | {"system": system})
    assert found(tree) == invariant("ServiceRequest.contained[0].identifier")


# Documents.

FORMS = [
    OTHER_NUMBER,
    "999 000 0026",
    "999-000-0026",
    "999_000_0026",
    f"Letter about {OTHER_NUMBER}.pdf",
    f"letter_{OTHER_NUMBER}_v2.pdf",
    f"NHS{OTHER_NUMBER}",
    f"https://gp.example/documents/{OTHER_NUMBER}/1",
    "https://gp.example/999%20000%200026.pdf",
    f"{UUID}/{OTHER_NUMBER}",
    f"{NHS_NUMBER} and {OTHER_NUMBER}",
    f"urn:uuid:{UUID} 999 000 0026",
]
NO_NUMBERS = [
    "",
    "Letter of 1 November 2026",
    "9990000027",
    "99900000261",
    "19990000026",
    "999000002",
    "20261101090000",
    f"urn:uuid:{UUID[:-12]}9990000026ab",
    "9990000026" + "ab" * 16,
    "urn:oid:1.2.840.9990000026.1",
    "data:application/pdf;base64,9990000026",
]


@pytest.mark.parametrize("text", FORMS)
def test_a_number_in_a_text_is_found(text: str) -> None:
    assert OTHER_NUMBER in numbers_in(text)


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_nhs_number_is_read_over(text: str) -> None:
    assert numbers_in(text) == frozenset()


def documents(text: str) -> dict[str, tuple[Tree, str]]:
    """Places where a document may carry a number: the referral, and the place."""
    attachment = {"contentType": "application/pdf", "title": text}
    content = {"content": [{"attachment": {"contentType": "application/pdf", "url": text}}]}
    return {
        "title": (
            with_part("DocumentReference", content=[{"attachment": attachment}]),
            f"{PART}.content[0].attachment.title",
        ),
        "address": (
            with_part("DocumentReference", **content),
            f"{PART}.content[0].attachment.url",
        ),
        "attachment-id": (
            with_part("DocumentReference", content=[{"attachment": {"id": text}}]),
            f"{PART}.content[0].attachment.id",
        ),
        "description": (with_part("DocumentReference", description=text), f"{PART}.description"),
        "master-identifier": (
            with_part("DocumentReference", masterIdentifier={"system": MRN, "value": text}),
            f"{PART}.masterIdentifier.value",
        ),
        "identifier": (
            with_part("DocumentReference", identifier=[{"value": "1"}, {"value": text}]),
            f"{PART}.identifier[1].value",
        ),
        "media": (
            with_part("Media", identifier=[{"system": MRN, "value": text}]),
            f"{PART}.identifier[0].value",
        ),
        "media-content": (with_part("Media", content=attachment), f"{PART}.content.title"),
        "binary-id": (with_part("Binary") | {}, f"{PART}.id"),
        "communication": (
            with_part("Communication", payload=[{"contentAttachment": attachment}]),
            f"{PART}.payload[0].content.title",
        ),
        "report": (
            with_part("DiagnosticReport", presentedForm=[attachment]),
            f"{PART}.presentedForm[0].title",
        ),
        "extension": (
            with_part("Flag", extension=[{"url": "a", "valueAttachment": attachment}]),
            f"{PART}.extension[0].value.title",
        ),
    }


@pytest.mark.parametrize("where", documents(""))
def test_a_document_that_carries_another_number_is_found_at_its_place(where: str) -> None:
    for text, expected in [(f"x {OTHER_NUMBER}", True), (f"x {NHS_NUMBER}", False), ("x", False)]:
        tree, place = documents(text)[where]
        if where == "binary-id":
            tree["contained"][-1]["id"] = text
        assert found(tree) == (invariant(place) if expected else []), text


def test_a_document_numbered_by_an_nhs_number_is_named_once() -> None:
    tree = with_part("DocumentReference", masterIdentifier=OTHER)
    assert found(tree) == invariant(f"{PART}.masterIdentifier")


@pytest.mark.parametrize("element", ["ifNoneExist", "url"])
def test_a_condition_on_another_person_is_found(element: str) -> None:
    tree = letter_transaction()
    tree["entry"][1]["request"][element] = f"Patient?identifier={SYSTEM}|{OTHER_NUMBER}"
    assert found(tree) == invariant(f"Bundle.entry[1].request.{element}")
    tree["entry"][1]["request"][element] = f"Patient?identifier={SYSTEM}|{NHS_NUMBER}"
    assert found(tree) == []


# The whole.


def test_everything_is_reported_at_once_and_nothing_is_quoted() -> None:
    tree = with_part(
        "DocumentReference",
        subject={"reference": "Patient/2"},
        author=[{"identifier": OTHER}],
        description=f"Letter about {OTHER_NUMBER}",
    )
    with pytest.raises(InvalidMessageError) as refused:
        read_referral(tree)
    told = refused.value.faults
    assert {fault.expression for fault in told} == {
        f"{PART}.description",
        f"{PART}.subject",
        f"{PART}.author[0].identifier",
    }
    assert OTHER_NUMBER not in str(told)
    assert NHS_NUMBER not in str(told)


def test_a_message_of_strangers_is_refused_in_no_time_with_a_short_report() -> None:
    stranger = {"reference": "https://gp.example/fhir/Patient/2"}
    tree = with_part("Observation", performer=[stranger] * 60_000)
    with within(2):
        assert len(faults(tree)) == MAX_FAULTS + 1


@pytest.mark.parametrize(
    "text", ["9" * 1_000_000, "999-" * 250_000, "1." * 500_000, "ab" * 500_000]
)
def test_a_long_name_of_a_document_is_read_in_no_time(text: str) -> None:
    with within(2):
        numbers_in(text)
