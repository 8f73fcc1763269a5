"""What may leave of any message: nothing unpermitted, no trace of what is silent, and once only.

The messages are made up: parts of many types with labels, references in any direction and in
circles, parts within parts, and documents. The numbers are those of the sharing rules'
invariants: 9, 10 and 11.
"""

import copy
import hashlib
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.consent.directives import ConsentReading
from gateway.consent.items import INLINE_LABEL, items_of
from gateway.consent.minimum import MINIMUM
from gateway.fhir.json_text import read_json
from gateway.referral.directory import ProviderRole, Purpose
from tests.builders.withhold import (
    ACT_CODE,
    CONFIDENTIALITY,
    COVERING,
    LEGAL,
    SEALED,
    a_condition,
    a_letter,
    a_message,
    a_request,
    an_observation,
    bytes_of,
    labelled,
    minimised,
    ref,
    url,
)

Tree = dict[str, Any]
NAMES = ("a", "b", "c", "d", "e", "f")
SENSITIVE = [{"system": ACT_CODE, "code": code} for code in ("PSY", "HIV", "MH")] + [
    {"system": CONFIDENTIALITY, "code": "R"}
]
EVERYDAY = [{"system": CONFIDENTIALITY, "code": "N"}]
AGREED = ("HIV",)
READING = ConsentReading(
    state=COVERING.state, recipient=True, purpose=True, in_period=True, evidence=True, labels=AGREED
)
PLACES = (
    (Purpose.OCCUPATIONAL_HEALTH, ProviderRole.OH_PROVIDER),
    (Purpose.EAP, ProviderRole.EAP),
    (Purpose.DIRECT_CARE, ProviderRole.CARE_PROVIDER),
)


LAB = "https://lab.example/n"
SPELLINGS: tuple[Callable[[str], Tree], ...] = (
    ref,
    lambda name: {"reference": url(name).upper()},
    lambda name: {"identifier": {"value": url(name)}, "display": "a result"},
    lambda name: {"identifier": {"system": "http://LAB.example/n", "value": url(name)}},
)
"""How one part may name another."""


def _plan(links: list[Tree]) -> Tree:
    return {"resourceType": "CarePlan", "status": "active", "intent": "plan",
            "subject": ref("pat"), "supportingInfo": links}  # fmt: skip


def _provenance(links: list[Tree]) -> Tree:
    return {"resourceType": "Provenance", "recorded": "2026-11-01T09:00:00Z",
            "target": links or [ref("req")], "agent": [{"who": ref("gp")}]}  # fmt: skip


def _role(links: list[Tree]) -> Tree:
    extension = [{"url": "https://x.example/see", "valueReference": link} for link in links]
    return {"resourceType": "PractitionerRole", "organization": ref("gp"), "extension": extension}


def _within(links: list[Tree]) -> Tree:
    inner = {"resourceType": "Device", "id": "in", "extension": [
        {"url": "https://x.example/see", "valueReference": link} for link in links]}  # fmt: skip
    return an_observation(contained=[inner], device={"reference": "#in"})


def _list(links: list[Tree]) -> Tree:
    return {"resourceType": "List", "status": "current", "mode": "working", "title": "Results",
            "subject": ref("pat"), "entry": [{"item": link} for link in links]}  # fmt: skip


def _form(links: list[Tree]) -> Tree:
    items = [{"linkId": "1", "text": "Which?", "answer": [{"valueReference": x}]} for x in links]
    return {"resourceType": "QuestionnaireResponse", "status": "completed", "subject": ref("pat"),
            "item": items}  # fmt: skip


def _report(links: list[Tree]) -> Tree:
    return {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "report"},
            "subject": ref("pat"), "result": links, "conclusion": "as above"}  # fmt: skip


COLLECTING = {"Provenance": "target", "List": "entry", "QuestionnaireResponse": "item",
              "DiagnosticReport": "result"}  # fmt: skip
KINDS = {
    "list": _list,
    "form": _form,
    "report": _report,
    "finding": lambda links: an_observation(hasMember=links),
    "condition": lambda links: a_condition(evidence=[{"detail": links}]),
    "plan": _plan,
    "provenance": _provenance,
    "role": _role,
    "letter": lambda links: a_letter(context={"related": links}),
    "within": _within,
}


@st.composite
def messages(draw: st.DrawFn) -> Tree:
    """A message of up to six parts; the referral leads to some of them."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    parts = {}
    for name in names:
        led = draw(st.lists(st.sampled_from(names), max_size=3, unique=True))
        links = [draw(st.sampled_from(SPELLINGS))(n) for n in led]
        part = KINDS[draw(st.sampled_from(sorted(KINDS)))](links)
        part["identifier"] = [{"system": LAB, "value": url(name)}]
        marks = draw(st.lists(st.sampled_from([*SENSITIVE, *EVERYDAY, SEALED, LEGAL]), max_size=2))
        if draw(st.booleans()):
            part["extension"] = [
                *part.get("extension", []),
                *({"url": INLINE_LABEL, "valueCoding": mark} for mark in marks),
            ]
        elif marks:
            part = labelled(part, *marks)
        parts[name] = _without_empty(part)
    led_to = draw(st.lists(st.sampled_from(names), unique=True))
    return a_message(a_request(*led_to), **parts)


def _without_empty(value: Any) -> Any:
    """Take out empty lists and objects, which FHIR does not allow."""
    if isinstance(value, dict):
        kept = {name: _without_empty(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in ([], {})}
    if isinstance(value, list):
        return [each for each in map(_without_empty, value) if each not in ([], {})]
    return value


def without(tree: Tree, gone: set[str]) -> Tree:
    """The same message, had the sender never put these parts in: by hand, not by the house."""

    def says(value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        number = value.get("identifier")
        named = number.get("value") if isinstance(number, dict) else value.get("reference")
        return str(named).lower() in gone

    def cleaned(value: Any) -> Any:
        if isinstance(value, dict):
            kept = {name: cleaned(each) for name, each in value.items() if not says(each)}
            return {name: each for name, each in kept.items() if each not in ([], {}, None)}
        if isinstance(value, list):
            kept_members = [cleaned(each) for each in value if not says(each)]
            return [
                each
                for each in kept_members
                if each not in ([], {})
                and set(each) - {"url"} != set()
                and ("linkId" not in each or "answer" in each)
            ]
        return value

    entries = [e for e in tree["entry"] if e["fullUrl"] not in gone]
    left = {**tree, "entry": [{**e, "resource": cleaned(e["resource"])} for e in entries]}
    dangling = {
        e["fullUrl"]
        for e, before in zip(left["entry"], entries, strict=True)
        for name in [COLLECTING.get(e["resource"]["resourceType"], "")]
        if name in before["resource"] and name not in e["resource"]
    }
    return without(left, dangling) if dangling else left


@given(tree=messages(), place=st.sampled_from(PLACES))
def test_9_nothing_leaves_whose_label_is_not_permitted_nor_what_leads_to_it(
    tree: Tree, place: tuple[Purpose, ProviderRole]
) -> None:
    purpose, role = place
    left = minimised(tree, READING, purpose=purpose, role=role)
    if left.tree is None:
        return
    items = items_of(left.tree)
    names = {entry["fullUrl"] for entry in left.tree["entry"]}  # type: ignore[index,call-overload,union-attr]
    for item in items.all:
        assert not item.restrictions
        if purpose is not Purpose.DIRECT_CARE:
            assert item.labels <= {*AGREED, "N"}
    written = json.dumps(left.tree, default=str)
    for name in NAMES:
        assert url(name) in names or url(name) not in written.lower()


@given(tree=messages(), place=st.sampled_from(PLACES))
def test_10_what_is_withheld_silently_changes_no_byte(
    tree: Tree, place: tuple[Purpose, ProviderRole]
) -> None:
    purpose, role = place
    silent = {
        tree["entry"][item.number if item.container is None else item.container]["fullUrl"]
        for item in _outer(tree)
        if item.restrictions
    }
    left = minimised(tree, READING, purpose=purpose, role=role)
    other = minimised(without(tree, silent), READING, purpose=purpose, role=role)
    assert left.tree == other.tree
    if left.tree is not None and other.tree is not None:
        assert bytes_of(left, purpose) == bytes_of(other, purpose)


def _outer(tree: Tree) -> list[Any]:
    """The items of the entries alone, numbered as the entries are."""
    bare = copy.deepcopy(tree)
    for entry in bare["entry"]:
        entry["resource"].pop("contained", None)
    return list(items_of(bare).all)


@given(tree=messages(), place=st.sampled_from(PLACES))
def test_11_minimising_twice_changes_nothing(
    tree: Tree, place: tuple[Purpose, ProviderRole]
) -> None:
    purpose, role = place
    once = minimised(tree, READING, purpose=purpose, role=role)
    if once.tree is not None:
        again = minimised(once.tree, READING, purpose=purpose, role=role)
        assert again.tree == once.tree
        assert again.withheld.taken_out == ()
        assert not again.withheld.sealed


@given(tree=messages())
def test_whatever_was_taken_out_is_a_duty_of_the_decision(tree: Tree) -> None:
    withheld = minimised(tree, READING).withheld
    unconsented = set(withheld.labels) - set(withheld.consent_labels)
    assert bool(withheld.openly) <= bool(unconsented)
    assert ("REDACT_SILENT" in withheld.duties) == (withheld.sealed or withheld.legal_restricted)


@settings(max_examples=30)
@given(tree=messages(), role=st.sampled_from([ProviderRole.EMPLOYER, ProviderRole.HR]))
def test_an_employer_never_sees_a_clinical_word(tree: Tree, role: ProviderRole) -> None:
    for entry in tree["entry"]:
        _sow(entry["resource"])
    left = minimised(tree, READING, role=role)
    if left.tree is not None:
        assert b"CANARY" not in bytes_of(left)


def _sow(resource: Tree) -> None:
    """Put a word into each text of what is clinical, and into what a referral says of why."""
    if resource["resourceType"] in ("Patient", "Organization"):
        return
    for name, value in resource.items():
        if isinstance(value, dict) and "text" in value:
            resource[name] = {"text": "CANARY"}
    if resource["resourceType"] == "ServiceRequest":
        resource |= {
            "reasonCode": [{"text": "CANARY"}],
            "code": {"text": "CANARY"},
            "note": [{"text": "CANARY"}],
            "category": [{"text": "CANARY"}],
            "patientInstruction": "CANARY",
        }
    else:
        resource["note"] = [{"text": "CANARY"}]


def test_every_role_has_a_minimum_and_only_direct_care_gets_all() -> None:
    whole = {role for role in ProviderRole if MINIMUM.share(role, "FamilyMemberHistory")}
    assert whole == {ProviderRole.CARE_PROVIDER, ProviderRole.COMMUNITY_PHARMACY}


def test_the_bytes_that_are_decided_on_are_those_of_the_message_as_it_leaves() -> None:
    left = minimised(a_message(one=labelled(an_observation(), SEALED)))
    first, second = bytes_of(left), bytes_of(left)
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()
    assert read_json(first)
