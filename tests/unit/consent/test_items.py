"""The items of a message: what they are, the labels in them, and what leads where."""

from typing import Any

import pytest

from gateway.consent.items import INLINE_LABEL, Item, Items, items_of
from gateway.consent.labels import Restriction
from tests.builders.withhold import (
    ACT_CODE,
    CONFIDENTIALITY,
    LEGAL,
    PSY,
    SEALED,
    a_message,
    a_request,
    labelled,
    ref,
    url,
)
from tests.builders.withhold import an_observation as finding

HIV = {"system": ACT_CODE, "code": "HIV"}
INLINE = {"url": INLINE_LABEL, "valueCoding": HIV}
Tree = dict[str, Any]


def only(items: Items, kind: str) -> Item:
    (found,) = items.of_type(kind)
    return found


def seen(**parts: Tree) -> Item:
    return items_of(a_message(**parts)).all[-1]


def test_each_entry_and_each_contained_resource_is_an_item() -> None:
    tree = a_message(doc=finding(contained=[{"resourceType": "Device", "id": "d"}]))
    found = [(item.type, item.container) for item in items_of(tree).all]
    assert found == [
        ("ServiceRequest", None),
        ("Patient", None),
        ("Organization", None),
        ("Observation", None),
        ("Device", 3),
    ]


def test_a_request_with_contained_resources_is_items_too() -> None:
    tree: Tree = {
        "resourceType": "ServiceRequest",
        "contained": [{"resourceType": "Patient", "id": "p"}],
    }
    assert [(i.type, i.container) for i in items_of(tree).all] == [
        ("ServiceRequest", None),
        ("Patient", 0),
    ]


PLACES: dict[str, Tree] = {
    "its meta": labelled(finding(), HIV),
    "an extension of it": finding(extension=[INLINE]),
    "an extension deep in it": finding(component=[{"code": {"text": "x", "extension": [INLINE]}}]),
    "an extension of a primitive": finding(_effectiveDateTime={"extension": [INLINE]}),
    "an extension of a name in a list": finding(_x=[None, {"extension": [INLINE]}]),
    "the meta of a resource within": {
        "resourceType": "Bundle",
        "entry": [{"resource": labelled(finding(), HIV)}],
    },
    "the security tags of a document": {
        "resourceType": "DocumentReference",
        "securityLabel": [{"coding": [HIV]}],
    },
}


@pytest.mark.parametrize("resource", PLACES.values(), ids=PLACES)
def test_a_label_is_found_in(resource: Tree) -> None:
    assert seen(part=resource).labels == {"HIV"}


def test_a_label_of_an_entry_is_its_items() -> None:
    tree = a_message(part=finding())
    tree["entry"][-1]["extension"] = [INLINE]
    assert items_of(tree).all[-1].labels == {"HIV"}


def test_the_confidentiality_of_a_composition_is_a_label() -> None:
    assert seen(part={"resourceType": "Composition", "confidentiality": "R"}).labels == {"R"}


def test_a_label_in_a_contained_resource_is_its_own_and_not_its_containers() -> None:
    inner = {"resourceType": "Device", "id": "d", "extension": [INLINE]}
    outer, contained = items_of(a_message(doc=finding(contained=[inner]))).all[-2:]
    assert outer.labels == frozenset()
    assert contained.labels == {"HIV"}


def test_a_mark_of_handling_is_no_label_and_another_coding_is_no_inline_one() -> None:
    test = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"}
    other = {"url": "https://x.example/colour", "valueCoding": HIV}
    assert seen(part=labelled(finding(extension=[other]), test)).labels == frozenset()


ODD_LABELS: dict[str, tuple[Tree, str]] = {
    "an inline concept": (
        finding(extension=[{"url": INLINE_LABEL, "valueCodeableConcept": {"coding": [HIV]}}]),
        "HIV",
    ),
    "an inline concept of words": (
        finding(extension=[{"url": INLINE_LABEL, "valueCodeableConcept": {"text": "x"}}]),
        "R",
    ),
    "an inline code without a system": (
        finding(extension=[{"url": INLINE_LABEL, "valueCode": "HIV"}]),
        "R",
    ),
    "an inline label that is no object": (
        finding(extension=[{"url": INLINE_LABEL, "valueCoding": "HIV"}]),
        "R",
    ),
    "an inline label of a version": (
        finding(extension=[INLINE | {"url": f"{INLINE_LABEL}|1.0.0"}]),
        "HIV",
    ),
    "an inline label by https": (
        finding(extension=[INLINE | {"url": INLINE_LABEL.replace("http:", "https:")}]),
        "HIV",
    ),
    "the security tag of a document in words": (
        {"resourceType": "DocumentReference", "securityLabel": [{"text": "Psychiatry"}]},
        "R",
    ),
    "a tag with a sensitivity": (finding(meta={"tag": [HIV]}), "HIV"),
}


@pytest.mark.parametrize(("resource", "label"), ODD_LABELS.values(), ids=ODD_LABELS)
def test_a_label_that_was_read_as_nothing_is_found_in(resource: Tree, label: str) -> None:
    assert seen(part=resource).labels == {label}


def test_a_tag_that_says_what_any_tag_may_is_no_label() -> None:
    everyday = {"system": CONFIDENTIALITY, "code": "N"}
    found = seen(part=finding(meta={"tag": [everyday, {"code": "workflow"}, SEALED]}))
    assert found.labels == frozenset()
    assert found.restrictions == {Restriction.SEALED}


def test_restrictions_are_told_from_labels() -> None:
    found = seen(part=labelled(finding(), SEALED, LEGAL, PSY))
    assert found.restrictions == set(Restriction)
    assert found.labels == {"PSY"}


@pytest.mark.parametrize("where", ["Bundle", "MessageHeader"])
def test_a_label_on_the_whole_message_is_on_all_of_it(where: str) -> None:
    tree = a_message(header={"resourceType": "MessageHeader"})
    on = tree if where == "Bundle" else tree["entry"][-1]["resource"]
    on["meta"] = {"security": [{"system": CONFIDENTIALITY, "code": "R"}, SEALED]}
    items = items_of(tree)
    assert items.labels == {"R"}
    assert items.restrictions == {Restriction.SEALED}


LINKS: dict[str, str] = {
    "its full url": url("joy"),
    "its full url in capitals": url("joy").upper(),
    "its type and id": "Observation/o1",
    "a version of it": "Observation/o1/_history/3",
    "its place on a server": "https://gp.example/fhir/Observation/o1",
    "a search for its number": "Observation?identifier=https://lab.example|77",
}


@pytest.mark.parametrize("link", LINKS.values(), ids=LINKS)
def test_an_item_is_named_by(link: str) -> None:
    part = finding(id="o1", identifier=[{"system": "https://lab.example", "value": "77"}])
    items = items_of(a_message(joy=part, other=finding(hasMember=[{"reference": link}])))
    assert 3 in items.leads[4]


NUMBER = {"system": "https://lab.example/n", "value": "L1"}
SPELLINGS: dict[str, tuple[Tree, Tree]] = {
    "an identifier without its system": ({}, {"identifier": {"value": "l1 "}}),
    "an identifier by http": (
        {},
        {"identifier": {"system": "http://LAB.example/N/", "value": "L1"}},
    ),
    "an identifier that it bears without a system": (
        {"identifier": [{"value": "L1"}]},
        {"identifier": NUMBER},
    ),
    "a search that names no system": ({}, {"reference": "Observation?identifier=L1"}),
    "its master identifier": (
        {"identifier": [], "masterIdentifier": NUMBER},
        {"identifier": NUMBER},
    ),
    "the end of its full url": ({}, {"reference": "Observation/psy1"}),
    "its full url by http, in another case": (
        {},
        {"reference": "http://GP.example/fhir/Observation/psy1"},
    ),
    "a search and a slash behind it": (
        {},
        {"reference": "https://gp.example/fhir/Observation/psy1/?x=y/z"},
    ),
    "its canonical url in some version": (
        {"url": "https://q.example/q"},
        {"extension": [{"url": "x", "valueCanonical": "http://Q.example/q|2"}]},
    ),
    "its id alone": ({"id": "psy1"}, {"extension": [{"url": "x", "valueId": "psy1"}]}),
    "an identifier in an extension": ({}, {"extension": [{"url": "x", "valueIdentifier": NUMBER}]}),
}


@pytest.mark.parametrize(("borne", "link"), SPELLINGS.values(), ids=SPELLINGS)
def test_a_link_that_nothing_followed_leads_to_an_item_by(borne: Tree, link: Tree) -> None:
    part = {"resourceType": "Observation", "identifier": [NUMBER], **borne}
    tree = a_message(part=part, other=finding(hasMember=[link]))
    tree["entry"][3]["fullUrl"] = "https://gp.example/fhir/Observation/psy1"
    assert 3 in items_of(tree).leads[4]


@pytest.mark.parametrize("name", ["url", "identifier", "id"])
def test_what_a_thing_is_called_by_itself_is_no_link(name: str) -> None:
    called: Tree = {"url": "start", "identifier": [NUMBER], "id": "start"}
    own: Tree = {name: called[name]}
    other = finding(extension=[{"url": "start", "valueString": "x"}], **own)
    assert items_of(a_message(part=finding(**called), other=other)).leads[4] == {1}


@pytest.mark.parametrize("name", ["instantiatesUri", "instantiatesCanonical"])
def test_each_member_of_a_list_of_addresses_is_a_link(name: str) -> None:
    more: Tree = {name: ["x", url("one")]}
    items = items_of(a_message(one=finding(), two=finding(**more)))
    assert 3 in items.leads[4]


def test_a_number_that_something_that_stays_bears_leads_to_no_withheld_item() -> None:
    one, two = finding(identifier=[NUMBER]), finding(identifier=[NUMBER])
    other = finding(hasMember=[{"identifier": NUMBER}])
    items = items_of(a_message(one=one, two=two, other=other))
    assert items.leads[5] == {1, 3, 4}
    assert items.but_for({3}).leads[5] == {1, 4}
    assert items.but_for({3, 4}).leads[5] == {1, 3, 4}


def test_the_name_of_a_party_leads_to_no_withheld_organisation() -> None:
    party = finding(performer=[{"identifier": NUMBER}])
    request = a_request(performer=[{"identifier": NUMBER}])
    clinic = {"resourceType": "Organization", "identifier": [NUMBER]}
    items = items_of(a_message(request, clinic=clinic, two=party))
    assert items.but_for({3}).leads[4] == {1}
    assert items.but_for({4}).leads[4] == {1, 3}
    person = finding(identifier=[NUMBER])
    items = items_of(a_message(request, clinic=clinic, person=person, two=party))
    assert items.but_for({3, 4}).leads[5] == {1, 4}


def test_what_is_sealed_names_no_party() -> None:
    sealed = {"resourceType": "Consent", "organization": [{"identifier": NUMBER}]}
    assert items_of(a_message(part=sealed)).parties
    assert not items_of(a_message(part=labelled(sealed, SEALED))).parties


def test_an_item_is_named_by_its_identifier_alone() -> None:
    number = {"system": "https://lab.example", "value": "77"}
    other = finding(hasMember=[{"identifier": number}])
    items = items_of(a_message(part=finding(identifier=[number]), other=other))
    assert 3 in items.leads[4]


def test_a_local_link_leads_to_what_is_contained_here_and_not_elsewhere() -> None:
    inner = {"resourceType": "Device", "id": "d", "owner": {"reference": "#"}}
    one = finding(contained=[inner], device={"reference": "#d"})
    items = items_of(a_message(one=one, two=one))
    assert items.leads[3] == {1, 4}
    assert items.leads[4] == {3}
    assert items.leads[5] == {1, 6}


def test_an_address_in_an_attachment_is_a_link() -> None:
    document = {
        "resourceType": "DocumentReference",
        "content": [{"attachment": {"url": url("body")}}],
    }
    items = items_of(a_message(doc=document, body={"resourceType": "Binary"}))
    assert items.leads[3] == {4}


DOCUMENTS: dict[str, Tree] = {
    "a letter": {"resourceType": "DocumentReference"},
    "its content": {"resourceType": "Binary"},
    "a picture": {"resourceType": "Media"},
    "an attachment in an extension": finding(extension=[{"url": "x", "valueAttachment": {}}]),
    "a report as written": {"resourceType": "DiagnosticReport", "presentedForm": [{}]},
    "a scan of a consent": {"resourceType": "Consent", "sourceAttachment": {}},
    "a letter within": {
        "resourceType": "Bundle",
        "entry": [{"resource": {"resourceType": "Binary"}}],
    },
}


@pytest.mark.parametrize("resource", DOCUMENTS.values(), ids=DOCUMENTS)
def test_a_document_is(resource: Tree) -> None:
    assert seen(part=resource).is_document


@pytest.mark.parametrize("kind", ["Patient", "Practitioner"])
def test_the_photo_of_a_person_is_no_document(kind: str) -> None:
    assert not seen(part={"resourceType": kind, "photo": [{"data": ""}]}).is_document
    assert not seen(part=finding(subject=ref("pat"))).is_document


def test_what_is_no_resource_is_passed_over() -> None:
    tree: Tree = {"resourceType": "Bundle", "entry": [{"fullUrl": "urn:uuid:empty"}], "meta": {}}
    assert items_of(tree).all == ()
