"""Conditions: read, told again, answered, and simplified for one class of purpose."""

import itertools

import pytest

from gateway.consent.condition import (
    ALWAYS,
    NEVER,
    AllOf,
    AnyOf,
    IsTrue,
    Not,
    OneOf,
    facts_of,
    given,
    read_condition,
)
from gateway.consent.facts import Facts, PurposeClass
from gateway.consent.kleene import both, either, negate
from gateway.consent.rules import DUTIES, GROUNDS, RULES
from tests.builders.consent import GOOD_FACTS, facts_from, possible

ANSWERS = (True, False, None)


def holds(text: str, **facts: object) -> bool | None:
    return read_condition(text).holds(facts_from(facts))


@pytest.mark.parametrize(("one", "other"), list(itertools.product(ANSWERS, ANSWERS)))
def test_and_or_and_not_are_kleenes(one: bool | None, other: bool | None) -> None:  # noqa: FBT001
    facts = {"registered": one, "fresh": other}
    assert holds("registered AND fresh", **facts) is both(one, other)
    assert holds("registered OR fresh", **facts) is either(one, other)
    assert holds("NOT registered", **facts) is negate(one)


def test_and_binds_before_or_and_brackets_before_both() -> None:
    assert read_condition("dpia OR fresh AND NOT s251") == AnyOf(
        (IsTrue("dpia"), AllOf((IsTrue("fresh"), Not(IsTrue("s251")))))
    )
    assert read_condition("(dpia OR fresh) AND s251") == AllOf(
        (AnyOf((IsTrue("dpia"), IsTrue("fresh"))), IsTrue("s251"))
    )


@pytest.mark.parametrize(
    "text",
    [
        "always",
        "dpia",
        "NOT (dpia AND fresh)",
        "NOT NOT dpia",
        "(dpia OR fresh) AND (s251 OR ndoo AND type1)",
        "agreement in suspended, withdrawn AND class = ?",
        "some labels not in consent_labels OR sight_days >= 21",
    ],
)
def test_a_condition_that_is_written_down_reads_the_same(text: str) -> None:
    condition = read_condition(text)
    assert read_condition(str(condition)) == condition


def test_not_in_is_not_in() -> None:
    assert read_condition("report not in functional, amra") == Not(
        OneOf("report", ("functional", "amra"))
    )


@pytest.mark.parametrize(("role", "answer"), [("employer", True), ("eap", False), (None, None)])
def test_a_code_is_one_of_some(role: str | None, *, answer: bool | None) -> None:
    assert holds("recipient_role in employer, hr", recipient_role=role) is answer


@pytest.mark.parametrize(("days", "answer"), [(20, False), (21, True), (22, True), (None, None)])
def test_a_count_has_come_so_far(days: int | None, *, answer: bool | None) -> None:
    assert holds("sight_days >= 21", sight_days=days) is answer


@pytest.mark.parametrize(
    ("labels", "agreed", "answer"),
    [
        ((), (), False),
        ((), None, False),
        (("PSY",), (), True),
        (("PSY",), ("HIV", "PSY"), False),
        (("PSY", "HIV"), ("PSY",), True),
        (("PSY",), None, None),
        (None, ("PSY",), None),
    ],
)
def test_some_label_is_not_among_others(
    labels: tuple[str, ...] | None, agreed: tuple[str, ...] | None, *, answer: bool | None
) -> None:
    asked = "some labels not in consent_labels"
    assert holds(asked, labels=labels, consent_labels=agreed) is answer


def test_a_condition_names_its_facts_once_and_the_purpose_for_its_class() -> None:
    text = "class = direct AND NOT dpia OR dpia AND (some labels not in consent_labels)"
    assert facts_of(read_condition(text)) == ("purpose", "dpia", "labels", "consent_labels")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "ends too early"),
        ("dpia AND", "ends too early"),
        ("dpia fresh", "nothing is expected"),
        ("(dpia", "')' is missing"),
        ("dpia)", "nothing is expected"),
        ("dpia; fresh", "a character"),
        ("nonsense", "is not a fact of this kind"),
        ("consent", "is not a fact of this kind"),
        ("dpia >= 1", "is not a fact of this kind"),
        ("some dpia not in labels", "is not a fact of this kind"),
        ("some labels in consent_labels", "'not' is missing"),
        ("report not functional", "'in' is missing"),
        ("dpia = on", "cannot be"),
        ("consent = agreed", "cannot be"),
        ("class = unknown", "cannot be"),
        ("nonsense = on", "cannot be"),
        ("sight_days >= many", "invalid literal"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, fault: str) -> None:
    with pytest.raises(ValueError, match="^.*" + fault.replace(")", r"\)")):
        read_condition(text)


@pytest.mark.parametrize("class_", PurposeClass)
@pytest.mark.parametrize("row", [*RULES, *GROUNDS, *DUTIES], ids=lambda row: str(row)[:24])
def test_what_is_left_for_a_class_answers_as_the_whole_does(
    row: object, class_: PurposeClass
) -> None:
    condition = getattr(row, "condition")  # noqa: B009  # rows of three kinds
    purposes = [p for p in possible("purpose") if class_of(p) is class_]
    left = given(condition, class_)
    names = [name for name in facts_of(condition) if name != "purpose"]
    assert "purpose" not in facts_of(left) or "purpose" in str(condition)
    for purpose in purposes:
        for values in itertools.islice(
            itertools.product(*(possible(name) for name in names)), 0, 4000, 3
        ):
            facts = facts_from({"purpose": purpose, **dict(zip(names, values, strict=True))})
            assert left.holds(facts) is condition.holds(facts)


def class_of(purpose: object) -> PurposeClass | None:
    return facts_from({"purpose": purpose}).purpose_class


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("class = direct", ALWAYS),
        ("class = explicit", NEVER),
        ("NOT class = direct", NEVER),
        ("NOT class = explicit", ALWAYS),
        ("class = direct AND dpia", IsTrue("dpia")),
        ("class = explicit AND dpia", NEVER),
        ("class = explicit OR dpia", IsTrue("dpia")),
        ("class = direct OR dpia", ALWAYS),
        ("NOT (class = direct AND dpia)", Not(IsTrue("dpia"))),
    ],
)
def test_a_known_class_leaves_less_to_ask(text: str, left: object) -> None:
    assert given(read_condition(text), PurposeClass.DIRECT) == left


def test_always_and_never_need_no_fact() -> None:
    assert ALWAYS.holds(Facts()) is True
    assert NEVER.holds(GOOD_FACTS) is False
