"""What is left of a message once what must stay behind is out, and what that comes to."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.consent.cover import ALL_DATA, Bounds, Cover, Part
from gateway.consent.directives import ConsentReading
from gateway.consent.items import INLINE_LABEL
from gateway.consent.withhold import NOT_COVERED_LABEL, TakenOut, Why
from gateway.fhir.json_text import read_json
from gateway.fhir.read_referral import read_referral
from gateway.mapping.minimise import Minimised
from gateway.referral.directory import ProviderRole, Purpose
from tests.builders.messages import bars_message, letter_transaction, service_request
from tests.builders.withhold import (
    CARE,
    CONFIDENTIALITY,
    COVERING,
    LEGAL,
    OH,
    PSY,
    SEALED,
    a_condition,
    a_letter,
    a_message,
    a_request,
    an_observation,
    bytes_of,
    labelled,
    minimised,
    names_in,
    ref,
    url,
)

Tree = dict[str, Any]
ALWAYS = {"req", "pat", "gp"}
DIRECT = Purpose.DIRECT_CARE


def resource(left: Minimised, name: str) -> Tree:
    tree: Any = left.tree
    return next(e["resource"] for e in tree["entry"] if e["fullUrl"] == url(name))


def sent(left: Minimised) -> Tree:
    tree: Tree = json.loads(bytes_of(left))
    return tree


def outside(*parts: Part) -> ConsentReading:
    return replace(COVERING, cover=Cover(within=Part(), without=parts))


# What stays behind.


@pytest.mark.parametrize("mark", [SEALED, LEGAL, PSY])
def test_an_item_that_may_not_leave_is_taken_out_and_so_is_what_leads_to_it(mark: Tree) -> None:
    left = minimised(a_message(one=an_observation(), two=labelled(an_observation(), mark)))
    assert names_in(left) == {*ALWAYS, "one"}
    assert resource(left, "req")["supportingInfo"] == [ref("one")]


def test_a_label_that_the_patient_agreed_to_leaves() -> None:
    reading = replace(COVERING, labels=("PSY",))
    left = minimised(a_message(one=labelled(an_observation(), PSY)), reading)
    assert names_in(left) == {*ALWAYS, "one"}
    assert (left.withheld.labels, left.withheld.consent_labels) == (("PSY",), ("PSY",))
    assert left.withheld.taken_out == ()


def test_for_direct_care_no_consent_is_asked_about_labels_but_sealed_stays_sealed() -> None:
    parts = {"one": labelled(an_observation(), PSY), "two": labelled(an_observation(), SEALED)}
    left = minimised(a_message(**parts), purpose=DIRECT, role=CARE)
    assert names_in(left) == {*ALWAYS, "one"}
    assert (left.withheld.sealed, left.withheld.labels) == (True, ("PSY",))


def test_the_last_reference_of_a_list_takes_the_list_with_it() -> None:
    left = minimised(a_message(one=labelled(an_observation(), SEALED)))
    assert "supportingInfo" not in resource(left, "req")


def test_what_requires_something_that_went_goes_too() -> None:
    told = {"resourceType": "Provenance", "target": [ref("one")], "recorded": "2026-11-01T09:00:00Z",
            "agent": [{"who": ref("gp")}]}  # fmt: skip
    left = minimised(a_message(a_request("one"), one=labelled(an_observation(), SEALED), told=told))
    assert names_in(left) == ALWAYS


def test_what_only_mentions_something_that_went_stays_without_the_mention() -> None:
    other = an_observation(hasMember=[ref("one")], note=[{"text": "kept"}])
    left = minimised(a_message(one=labelled(an_observation(), SEALED), other=other))
    assert resource(left, "other") == {k: v for k, v in other.items() if k != "hasMember"}


def test_a_mention_by_identifier_goes_too() -> None:
    number = {"system": "https://lab.example", "value": "77"}
    parts = {
        "one": labelled(an_observation(identifier=[number]), SEALED),
        "other": an_observation(hasMember=[{"identifier": number, "display": "a test"}]),
    }
    left = minimised(a_message(a_request("other"), **parts))
    assert "hasMember" not in resource(left, "other")


def test_a_mention_in_an_extension_takes_the_extension_and_not_its_neighbour() -> None:
    beside = {"url": "https://x.example/a", "valueString": "kept"}
    extension = [{"url": "https://x.example/b", "valueReference": ref("one")}, beside]
    other = an_observation(extension=extension)
    left = minimised(a_message(one=labelled(an_observation(), SEALED), other=other))
    assert resource(left, "other")["extension"] == [beside]


def test_an_extension_of_a_primitive_in_a_list_leaves_its_neighbours_in_their_places() -> None:
    told = {"extension": [{"url": "https://x.example/b", "valueReference": ref("one")}]}
    name: Tree = {
        "given": ["Avery", "Bo"],
        "_given": [told, {"extension": [{"url": "u", "valueString": "x"}]}],
    }
    tree = a_message(one=labelled(an_observation(), SEALED))
    tree["entry"][1]["resource"]["name"] = [copy.deepcopy(name)]
    left = minimised(tree)
    assert resource(left, "pat")["name"] == [name | {"_given": [None, name["_given"][1]]}]
    tree["entry"][1]["resource"]["name"] = [{"given": ["Avery"], "_given": [told]}]
    assert resource(minimised(tree), "pat")["name"] == [{"given": ["Avery"]}]


def test_an_invariant_that_breaks_takes_what_lacks_it() -> None:
    composition = {
        "resourceType": "Composition", "status": "final", "type": {"text": "letter"},
        "subject": ref("pat"), "date": "2020-05-05", "title": "A letter", "author": [ref("gp")],
        "section": [{"title": "Mind", "entry": [ref("one")]}, {"title": "Back", "entry": [ref("two")]}],
    }  # fmt: skip
    parts = {"one": labelled(an_observation(), SEALED), "two": an_observation(), "doc": composition}
    left = minimised(a_message(**parts), purpose=DIRECT, role=CARE)
    assert resource(left, "doc")["section"] == [{"title": "Back", "entry": [ref("two")]}]


QR = {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": ref("pat")}
ASKED = {"linkId": "1", "text": "HIV clinic", "answer": [{"valueReference": ref("one")}]}
OTHER = {"linkId": "2", "text": "Back", "answer": [{"valueString": "pain"}]}
TELLING: dict[str, tuple[Tree, Tree | None]] = {
    "a list": (
        {"resourceType": "List", "status": "current", "mode": "working", "title": "HIV clinic",
         "entry": [{"item": ref("one")}]},
        None,
    ),
    "a list of which something stays": (
        {"resourceType": "List", "status": "current", "mode": "working",
         "entry": [{"item": ref("one")}, {"item": ref("two")}]},
        {"resourceType": "List", "status": "current", "mode": "working", "entry": [{"item": ref("two")}]},
    ),
    "a report": (
        {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "HIV clinic"},
         "result": [ref("one")], "conclusion": "HIV clinic"},
        None,
    ),
    "a form with one question": (QR | {"item": [ASKED]}, None),
    "a form with two questions": (QR | {"item": [ASKED, OTHER]}, QR | {"item": [OTHER]}),
    "a form with a group of questions": (
        QR | {"item": [{"linkId": "0", "text": "HIV clinic", "item": [ASKED]}, OTHER]},
        QR | {"item": [OTHER]},
    ),
    "a stage of an illness": (
        a_condition(stage=[{"type": {"text": "HIV clinic"}, "summary": {"text": "x"}, "assessment": [ref("one")]}]),
        a_condition(),
    ),
    "an extension of several parts": (
        an_observation(extension=[{"url": "x", "extension": [
            {"url": "of", "valueReference": ref("one")}, {"url": "as", "valueString": "HIV clinic"}]}]),
        an_observation(),
    ),
    "an extension that tells of another too": (
        an_observation(extension=[{"url": "x", "extension": [
            {"url": "of", "valueReference": ref("one")}, {"url": "of", "valueReference": ref("two")}]}]),
        an_observation(extension=[{"url": "x", "extension": [{"url": "of", "valueReference": ref("two")}]}]),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("told", "stays"), TELLING.values(), ids=TELLING)
def test_what_told_only_of_what_went_goes_with_it_in(told: Tree, stays: Tree | None) -> None:
    parts = {"one": labelled(an_observation(), SEALED), "two": an_observation(), "told": told}
    left = minimised(a_message(**parts), purpose=DIRECT, role=CARE)
    if stays is None:
        assert "told" not in names_in(left)
        assert left.tree == minimised(a_message(two=parts["two"]), purpose=DIRECT, role=CARE).tree
    else:
        assert resource(left, "told") == stays


NUMBER = {"system": "https://lab.example/n", "value": "L1"}
ADDRESSES = [url("one"), "https://x.example/kept"]
SURVIVING: dict[str, tuple[Tree, Tree]] = {
    "an identifier of another system": (
        {"supportingInfo": [{"identifier": {"value": "L1"}, "display": "HIV clinic"}]},
        {},
    ),
    "an identifier of the request": (
        {"requisition": NUMBER | {"assigner": {"display": "HIV clinic"}}},
        {},
    ),
    "an identifier in an extension": (
        {"extension": [{"url": "https://x.example/x", "valueIdentifier": NUMBER}]},
        {},
    ),
    "an address in a list, and what stands beside it": (
        {"instantiatesUri": ADDRESSES, "_instantiatesUri": [{"id": "HIV"}, None]},
        {"instantiatesUri": ADDRESSES[1:]},
    ),
    "the only address in a list": ({"instantiatesCanonical": ADDRESSES[:1]}, {}),
}


@pytest.mark.parametrize(("more", "stays"), SURVIVING.values(), ids=SURVIVING)
def test_no_link_survives_what_it_led_to_by(more: Tree, stays: Tree) -> None:
    sealed = labelled(an_observation(identifier=[NUMBER]), SEALED)
    left = minimised(a_message(a_request(**more), one=sealed))
    assert resource(left, "req") == a_request(**stays)


@pytest.mark.parametrize("mark", [SEALED, PSY])
@pytest.mark.parametrize("kind", ["Organization", "HealthcareService"])
def test_a_withheld_organisation_takes_no_party_to_the_referral_with_it(
    mark: Tree, kind: str
) -> None:
    named = {"identifier": NUMBER}
    consent = {"resourceType": "Consent", "patient": ref("pat"), "provision": {"actor": [
        {"role": {"text": "to"}, "reference": {"identifier": NUMBER | {"value": "P2"}}}]}}  # fmt: skip
    request = a_request("agreed", requester=named, performer=[named])
    numbers = [NUMBER, NUMBER | {"value": "P2"}]
    clinic = labelled({"resourceType": kind, "identifier": numbers, "name": "HIV clinic"}, mark)
    left = minimised(a_message(request, agreed=consent, clinic=clinic))
    assert left.tree == minimised(a_message(request, agreed=consent)).tree
    assert not left.withheld.reason_hit


def test_two_parts_with_one_id_are_not_taken_for_each_other() -> None:
    request = a_request(supportingInfo=[{"reference": "Observation/x"}])
    plain = an_observation(id="x")
    sealed = labelled(an_observation(id="x"), SEALED)
    left = minimised(a_message(request, six=sealed, one=plain))
    assert left.tree == minimised(a_message(request, one=plain)).tree


def test_a_practitioner_of_a_record_that_went_goes_and_that_of_the_referral_stays() -> None:
    parts = {
        "one": labelled(an_observation(performer=[ref("role2")]), SEALED),
        "doc1": {"resourceType": "Practitioner"},
        "role1": {"resourceType": "PractitionerRole", "practitioner": ref("doc1"), "organization": ref("gp")},
        "doc2": {"resourceType": "Practitioner"},
        "role2": {"resourceType": "PractitionerRole", "practitioner": ref("doc2"), "organization": ref("gp")},
    }  # fmt: skip
    left = minimised(a_message(a_request("one", requester=ref("doc1")), **parts))
    assert names_in(left) == {"req", "pat", "gp", "doc1", "role1"}


def test_an_organisation_that_belongs_to_the_practice_goes_with_the_only_record_that_names_it() -> (
    None
):
    clinic = {"resourceType": "Organization", "name": "The clinic", "partOf": ref("gp")}
    one = labelled(an_observation(performer=[ref("clinic")]), SEALED)
    assert names_in(minimised(a_message(a_request("one"), one=one, clinic=clinic))) == ALWAYS


def test_a_document_within_what_went_is_not_there_to_tell_of_it() -> None:
    picture = {"resourceType": "Media", "id": "m", "status": "completed", "subject": ref("pat")}
    one = labelled(an_observation(contained=[picture], derivedFrom=[{"reference": "#m"}]), SEALED)
    assert minimised(a_message(one=one), purpose=DIRECT, role=CARE).withheld.freetext_ok


def test_the_content_of_a_letter_that_went_goes_with_it() -> None:
    letter = a_letter(content=[{"attachment": {"url": url("body")}}])
    body = {"resourceType": "Binary", "contentType": "text/plain", "data": "TGV0dGVy"}
    left = minimised(a_message(a_request("doc"), doc=labelled(letter, SEALED), body=body))
    assert names_in(left) == ALWAYS


def test_a_letter_whose_content_is_sealed_goes_with_it() -> None:
    letter = a_letter(content=[{"attachment": {"url": url("body"), "title": "Clinic"}}])
    body = {"resourceType": "Binary", "contentType": "text/plain", "data": "TGV0dGVy"}
    left = minimised(a_message(a_request("doc"), doc=letter, body=labelled(body, SEALED)))
    assert names_in(left) == ALWAYS


def test_what_is_contained_goes_by_itself_and_with_its_container() -> None:
    sealed = {"url": INLINE_LABEL, "valueCoding": SEALED}
    device = {"resourceType": "Device", "id": "d", "extension": [sealed]}
    kept = {"resourceType": "Device", "id": "k"}
    one = an_observation(
        contained=[device, kept], device={"reference": "#d"}, focus=[{"reference": "#k"}]
    )
    left = minimised(a_message(one=one))
    assert resource(left, "one")["contained"] == [kept]
    assert "device" not in resource(left, "one")
    alone = an_observation(contained=[device], device={"reference": "#d"})
    assert "contained" not in resource(minimised(a_message(one=alone)), "one")
    assert names_in(minimised(a_message(one=labelled(one, SEALED)))) == ALWAYS


def test_a_request_with_contained_resources_is_minimised_too() -> None:
    tree = service_request()
    inline = {"url": INLINE_LABEL, "valueCoding": SEALED}
    secret = an_observation() | {
        "id": "o",
        "subject": {"reference": "#patient"},
        "extension": [inline],
    }
    with_secret = copy.deepcopy(tree)
    with_secret["contained"].append(secret)
    with_secret["supportingInfo"].append({"reference": "#o"})
    assert minimised(with_secret).tree == minimised(tree).tree


def test_what_hangs_on_nothing_is_dropped() -> None:
    stray = {"resourceType": "Organization", "name": "Nobody's"}
    assert names_in(minimised(a_message(a_request(), stray=stray))) == ALWAYS


@pytest.mark.parametrize("message", [service_request(), bars_message(), letter_transaction()])
def test_a_good_message_with_nothing_to_withhold_is_left_as_it_is(message: Tree) -> None:
    left = minimised(message)
    assert left.tree == message
    assert left.withheld.minimum
    assert not left.withheld.taken_out
    read_referral(left.tree or {})


# What it comes to.


def test_a_part_that_the_consent_is_not_about_counts_among_the_labels() -> None:
    parts = {"old": an_observation("2018-03-01"), "new": an_observation()}
    denied = outside(Part(period=Bounds(start="2018", end="2018")))
    left = minimised(a_message(**parts), denied)
    assert names_in(left) == {*ALWAYS, "new"}
    assert left.withheld.labels == (NOT_COVERED_LABEL,)
    assert left.withheld.openly == (TakenOut(type="Observation", why=Why.NOT_COVERED),)


HITS: dict[str, Tree] = {
    "the referral itself": a_message(labelled(a_request(), PSY)),
    "the patient": a_message(pat=labelled({"resourceType": "Patient"}, PSY)),
    "who asks": a_message(gp=labelled({"resourceType": "Organization"}, PSY)),
    "what it names as its reason": a_message(
        a_request(reasonReference=[ref("one")]), one=labelled(a_condition(), PSY)
    ),
    "a part that its reason cannot be without": a_message(
        a_request(reasonReference=[ref("doc")]),
        doc=a_letter(content=[{"attachment": {"url": url("body")}}]),
        body=labelled({"resourceType": "Binary", "contentType": "text/plain"}, PSY),
    ),
    "what the plan that it is based on addresses": a_message(
        a_request(basedOn=[ref("plan")]),
        plan={"resourceType": "CarePlan", "status": "active", "intent": "plan",
              "subject": ref("pat"), "addresses": [ref("one")]},
        one=labelled(a_condition(), PSY),
    ),
    "the letter that is all it says": a_message(
        {k: v for k, v in a_request("doc").items() if k != "reasonCode"}, doc=labelled(a_letter(), PSY)
    ),
    "the whole message": labelled(a_message(), PSY),
}  # fmt: skip


@pytest.mark.parametrize("message", HITS.values(), ids=HITS)
@pytest.mark.parametrize("role", [OH, None, ProviderRole.EMPLOYER])
def test_the_reason_is_hit_where_what_stays_behind_is(
    message: Tree, role: ProviderRole | None
) -> None:
    assert minimised(message, role=role).withheld.reason_hit


@pytest.mark.parametrize("role", ProviderRole)
def test_the_reason_is_not_hit_by_what_is_merely_cut(role: ProviderRole) -> None:
    message = a_message(a_request(reasonReference=[ref("one")]), one=a_condition())
    assert not minimised(message, role=role).withheld.reason_hit


def test_the_reason_is_not_hit_by_what_only_supports_it() -> None:
    left = minimised(a_message(one=labelled(a_condition(), PSY), two=an_observation()))
    assert not left.withheld.reason_hit
    assert left.withheld.freetext_ok


def test_nothing_is_left_where_the_referral_itself_stays_behind() -> None:
    assert minimised(a_message(labelled(a_request(), SEALED))).tree is None


NORMAL = {"system": CONFIDENTIALITY, "code": "N"}
DOCUMENT_CASES: list[tuple[str, Tree, bool | None]] = [
    ("an unlabelled letter", {"doc": a_letter()}, None),
    ("a letter that is labelled normal", {"doc": labelled(a_letter(), NORMAL)}, True),
    (
        "an unlabelled Binary of a labelled letter",
        {
            "doc": labelled(a_letter(content=[{"attachment": {"url": url("body")}}]), NORMAL),
            "body": {"resourceType": "Binary", "contentType": "text/plain", "data": "TGV0dGVy"},
        },
        True,
    ),
    (
        "an unlabelled Binary of an unlabelled letter",
        {
            "doc": a_letter(content=[{"attachment": {"url": url("body")}}]),
            "body": labelled({"resourceType": "Binary", "contentType": "text/plain"}, NORMAL),
        },
        None,
    ),
    ("a picture in an extension", {"doc": an_observation(extension=[{"url": "u", "valueAttachment": {}}])}, None),
    ("no document", {"doc": an_observation()}, True),
]  # fmt: skip


@pytest.mark.parametrize("mark", [SEALED, PSY], ids=["silently", "openly"])
@pytest.mark.parametrize(
    ("parts", "answer"), [c[1:] for c in DOCUMENT_CASES], ids=[c[0] for c in DOCUMENT_CASES]
)
def test_text_is_in_doubt_beside_what_stays_behind_unless_it_is_labelled(
    mark: Tree, parts: Tree, *, answer: bool | None
) -> None:
    beside = {"secret": labelled(an_observation(), mark), **parts}
    left = minimised(a_message(a_request("secret", "doc"), **beside))
    assert left.withheld.freetext_ok is answer
    assert minimised(a_message(a_request("doc"), **parts)).withheld.freetext_ok is True


def test_narrative_that_stays_is_text_too() -> None:
    text = {"status": "additional", "div": '<div xmlns="http://www.w3.org/1999/xhtml">more</div>'}
    parts = {"secret": labelled(an_observation(), SEALED), "one": an_observation(text=text)}
    left = minimised(a_message(**parts), purpose=DIRECT, role=CARE)
    assert left.withheld.freetext_ok is None


# Narrative.


@pytest.mark.parametrize(
    ("status", "purpose", "stays", "minimum"),
    [
        ("generated", DIRECT, False, True),
        ("additional", DIRECT, True, True),
        ("extensions", DIRECT, True, True),
        ("generated", Purpose.OCCUPATIONAL_HEALTH, False, True),
        ("extensions", Purpose.OCCUPATIONAL_HEALTH, False, True),
        ("additional", Purpose.OCCUPATIONAL_HEALTH, False, False),
    ],
)
def test_narrative_is_dropped_and_told_where_it_said_more_than_the_data(
    status: str, purpose: Purpose, *, stays: bool, minimum: bool
) -> None:
    text = {"status": status, "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    role = CARE if purpose is DIRECT else OH
    left = minimised(a_message(one=an_observation(text=text)), purpose=purpose, role=role)
    assert ("text" in resource(left, "one")) is stays
    assert left.withheld.minimum is minimum


# Marks.


def test_a_message_that_lacks_something_openly_is_marked_and_says_which_duty_did_it() -> None:
    mapped = sent(minimised(a_message(one=labelled(an_observation(), PSY))))
    request, told = mapped["entry"][1]["resource"], mapped["entry"][-1]["resource"]
    for marked in (mapped, request):
        assert "REDACTED" in [label["code"] for label in marked["meta"]["security"]]
    assert told["resourceType"] == "Provenance"
    assert told["target"] == [{"reference": mapped["entry"][1]["fullUrl"]}]
    assert [uri.rpartition("#")[2] for uri in told["policy"]] == ["REDACT"]
    assert told["recorded"] == "2026-11-22T09:00:00.000Z"


def test_a_message_that_was_cut_says_so_and_is_not_marked_redacted() -> None:
    left = minimised(a_message(a_request(), whole=an_observation()))
    assert names_in(left) == ALWAYS
    mapped = sent(left)
    assert "meta" not in mapped
    assert [u.rpartition("#")[2] for u in mapped["entry"][-1]["resource"]["policy"]] == ["MINEC"]


def test_nothing_tells_what_or_how_much_was_taken_out() -> None:
    one = minimised(a_message(one=labelled(an_observation(), PSY), two=an_observation()))
    more = {"six": labelled(a_condition(), PSY), "one": labelled(an_observation(), PSY)}
    assert bytes_of(one) == bytes_of(minimised(a_message(**more, two=an_observation())))


@pytest.mark.parametrize("mark", [SEALED, LEGAL])
@pytest.mark.parametrize("purpose", [DIRECT, Purpose.OCCUPATIONAL_HEALTH])
def test_what_is_withheld_silently_leaves_no_trace(mark: Tree, purpose: Purpose) -> None:
    one, six = labelled(an_observation(), PSY), labelled(a_condition(), mark)
    with_it = a_message(six=six, one=one, two=an_observation(focus=[ref("six")]))
    left, other = (
        minimised(tree, purpose=purpose)
        for tree in (with_it, a_message(one=one, two=an_observation()))
    )
    assert bytes_of(left, purpose) == bytes_of(other, purpose)


def test_what_is_told_is_valid_fhir_and_the_same_at_each_attempt() -> None:
    left = minimised(a_message(one=labelled(an_observation(), PSY)))
    assert bytes_of(left) == bytes_of(left)
    assert read_json(bytes_of(left))


def test_the_message_that_entered_is_left_as_it_is() -> None:
    tree = a_message(one=labelled(an_observation(), PSY), two=an_observation(focus=[ref("one")]))
    before = copy.deepcopy(tree)
    minimised(tree)
    assert tree == before


def test_minimising_twice_changes_nothing() -> None:
    once = minimised(a_message(one=labelled(an_observation(), PSY), two=an_observation()))
    again = minimised(once.tree or {})
    assert again.tree == once.tree
    assert again.withheld.taken_out == ()


def test_an_unknown_recipient_has_no_minimum() -> None:
    left = minimised(a_message(a_request(), whole=an_observation()), role=None)
    assert left.withheld.minimum is None
    assert left.withheld == replace(left.withheld, labels=(), reason_hit=False)


def test_all_data_is_what_a_consent_covers_that_limits_nothing() -> None:
    assert COVERING.cover is ALL_DATA
