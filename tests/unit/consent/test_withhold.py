"""Which items a plan withholds, openly or silently, and what the rules are told of it."""

from dataclasses import replace

import pytest

from gateway.consent.cover import Bounds, Cover, Part
from gateway.consent.decide import decide
from gateway.consent.record import detail_of
from gateway.consent.rules import POLICY
from gateway.consent.withhold import NOT_COVERED_LABEL, TakenOut, Why, Withheld
from gateway.referral.directory import Purpose
from tests.builders.consent import GOOD_FACTS
from tests.builders.withhold import (
    CARE,
    CONFIDENTIALITY,
    COVERING,
    LEGAL,
    PSY,
    SEALED,
    a_message,
    a_plan,
    an_observation,
    labelled,
)

RESTRICTED = {"system": CONFIDENTIALITY, "code": "R"}
NORMAL = {"system": CONFIDENTIALITY, "code": "N"}


def test_a_plain_message_is_withheld_from_nobody() -> None:
    plan = a_plan(a_message(one=labelled(an_observation(), NORMAL)))
    assert (plan.silent, plan.open, plan.labels) == ({}, {}, ())


def test_a_label_that_the_consent_does_not_name_is_withheld_openly() -> None:
    plan = a_plan(a_message(one=labelled(an_observation(), PSY)))
    assert (plan.open, plan.labels) == ({3: Why.NOT_CONSENTED}, ("PSY",))


def test_of_several_labels_each_must_be_agreed_to() -> None:
    tree = a_message(one=labelled(an_observation(), PSY, RESTRICTED))
    assert a_plan(tree, replace(COVERING, labels=("PSY",))).open == {3: Why.NOT_CONSENTED}
    assert a_plan(tree, replace(COVERING, labels=("PSY", "R"))).open == {}


def test_what_the_consent_is_not_about_counts_under_a_label_of_its_own() -> None:
    denied = Part(period=Bounds(start="2018", end="2018"))
    reading = replace(COVERING, cover=Cover(within=Part(), without=(denied,)))
    plan = a_plan(a_message(one=an_observation("2018-05-05")), reading)
    assert (plan.open, plan.labels) == ({3: Why.NOT_COVERED}, (NOT_COVERED_LABEL,))


def test_for_direct_care_the_labels_are_told_and_nothing_is_withheld_for_them() -> None:
    denied = Part(period=Bounds(start="2018", end="2018"))
    reading = replace(COVERING, cover=Cover(within=Part(), without=(denied,)))
    tree = a_message(one=labelled(an_observation("2018"), PSY))
    plan = a_plan(tree, reading, purpose=Purpose.DIRECT_CARE, role=CARE)
    assert (plan.open, plan.labels, plan.keeps_text) == ({}, ("PSY",), True)


@pytest.mark.parametrize("purpose", [*Purpose, "unheard of"])
def test_what_is_restricted_is_withheld_silently_for_every_purpose(purpose: str) -> None:
    parts = {
        "one": labelled(an_observation(), SEALED),
        "two": labelled(an_observation(), LEGAL),
        "six": labelled(an_observation(), LEGAL, SEALED, PSY),
    }
    plan = a_plan(a_message(**parts), purpose=purpose)
    assert plan.silent == {
        3: Why.SEALED,
        4: Why.LEGALLY_RESTRICTED,
        5: Why.LEGALLY_RESTRICTED,
    }
    assert (plan.open, plan.labels) == ({}, ())


def test_a_label_on_the_message_is_on_each_item() -> None:
    plan = a_plan(labelled(a_message(), PSY))
    assert set(plan.open) == {0, 1, 2}
    assert set(a_plan(labelled(a_message(), SEALED)).silent) == {0, 1, 2}


def test_a_protected_patient_is_a_fact_of_its_own_and_no_label() -> None:
    person = labelled({"resourceType": "Patient"}, RESTRICTED)
    plan = a_plan(a_message(pat=person))
    assert (plan.open, plan.labels) == ({}, ())
    limited = replace(COVERING, cover=Cover(within=Part(labels=frozenset({"N"}))))
    assert a_plan(a_message(pat=person), limited).open == {}
    assert a_plan(a_message(pat=labelled(person, PSY))).labels == ("PSY",)


def test_a_decision_keeps_what_was_taken_out_by_type_and_reason_alone() -> None:
    taken_out = (TakenOut(type="Observation", why=Why.SEALED),)
    detail = detail_of(GOOD_FACTS, decide(GOOD_FACTS, POLICY), taken_out)
    assert detail["taken_out"] == [{"type": "Observation", "why": "sealed"}]


@pytest.mark.parametrize(
    ("why", "minimum", "duties", "is_open"),
    [
        (Why.NOT_CONSENTED, True, {"REDACT"}, True),
        (Why.NOT_COVERED, None, {"REDACT"}, True),
        (Why.SEALED, True, {"REDACT", "REDACT_SILENT"}, False),
        (Why.NOT_MINIMUM, False, {"MINEC"}, False),
        (Why.NOT_CONNECTED, True, set(), False),
    ],
)
def test_each_reason_is_the_duty_that_it_discharges(
    why: Why, duties: set[str], *, minimum: bool | None, is_open: bool
) -> None:
    withheld = Withheld(
        labels=(), consent_labels=(), sealed=False, legal_restricted=False, reason_hit=False,
        minimum=minimum, freetext_ok=True, taken_out=(TakenOut(type="Observation", why=why),),
    )  # fmt: skip
    assert withheld.duties == duties
    assert bool(withheld.openly) is is_open
