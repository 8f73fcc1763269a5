"""A draft of the sharing rules: read back as written, refused where it is wrong."""

import pytest

from gateway.consent.decide import Effect, Policy, SpineCode, decide
from gateway.consent.draft import neutral_words, policy_text, read_policy
from gateway.consent.rules import POLICY
from gateway.consent.words import WORDS
from tests.builders.consent import facts_from
from tests.properties.cases import CASES

IN_FORCE = policy_text()


def changed(old: str, new: str) -> str:
    assert IN_FORCE.count(old) == 1, old
    return IN_FORCE.replace(old, new)


def line_of(text: str, part: str) -> int:
    return next(n for n, line in enumerate(text.splitlines(), start=1) if part in line)


def refusal(text: str) -> str:
    with pytest.raises(ValueError, match=r"line|section|name|at most") as refused:
        read_policy(text)
    return str(refused.value)


def test_the_policy_in_force_is_read_back_as_it_is() -> None:
    read = read_policy(IN_FORCE)
    assert read.version == POLICY.version
    for given in CASES.values():
        assert decide(facts_from(given), read) == decide(facts_from(given), POLICY)


def test_spaces_comments_and_the_order_of_sections_do_not_matter() -> None:
    about, *sections = IN_FORCE.split("\n[")
    turned = "\n[".join([about, *reversed(sections)]).replace("  ", " ").replace("\n", "\r\n")
    assert read_policy(f"{turned}\n   # a remark\n").version == POLICY.version


def test_a_changed_condition_decides_otherwise_in_another_version() -> None:
    read = read_policy(changed("sight_days >= 21", "sight_days >= 28"))
    assert read.version != POLICY.version
    assert [rule.id for rule in read.rules] == [rule.id for rule in POLICY.rules]


def test_a_changed_effect_counts() -> None:
    read = read_policy(changed("R04  | HOLD | REC", "R04  | DENY | REC"))
    assert decide(facts_from({"recipient_assured": False}), read).effect is Effect.DENY


def test_a_rule_without_words_gets_neutral_ones() -> None:
    read = with_rule("R39a | HOLD | LONG_ABSENCE_ASKED | forward | NOT minimum")
    reason = decide(facts_from({"minimum": False}), read).primary
    assert reason is not None
    assert (reason.rule, reason.code) == ("R39a", "LONG_ABSENCE_ASKED")
    assert "long absence asked" in reason.staff_text
    assert all((reason.patient_text, reason.external_text, reason.remedy, reason.owner))
    assert reason.spine_code is SpineCode.ACCESS_DENIED


def test_a_rule_that_is_known_keeps_its_words() -> None:
    read = read_policy(changed("| HOLD | NO_FUNDER ", "| HOLD | NOBODY_PAYS "))
    rule = next(rule for rule in read.rules if rule.id == "R55")
    assert (rule.code, rule.words) == ("NOBODY_PAYS", WORDS["R55"])


def test_a_group_is_what_the_draft_says() -> None:
    read = read_policy(changed("moves | forward, extract, ", "moves | extract, "))
    assert decide(facts_from({"s_flag": True}), read).effect is Effect.PERMIT


def test_a_draft_may_have_no_rules_and_explain_nothing() -> None:
    read = read_policy(
        "[RULES]\n[GROUNDS]\n[ACTION_GROUPS]\n[OBLIGATIONS]\n[EXPLAINS_MISSING_GROUND]\n"
    )
    assert decide(facts_from({}), read).code == "NO_GROUND"


def with_rule(row: str) -> Policy:
    return read_policy(IN_FORCE.replace("[RULES]\n", f"[RULES]\n{row}\n"))


ROW = "R39 | HOLD | A_CODE | forward | NOT minimum"
BAD_RULES = {
    "a cell too few": ("R39 | HOLD | A_CODE | forward", "this one has 4 cells"),
    "a cell too many": (f"{ROW} | more", "this one has 6 cells"),
    "an id of another kind": (ROW.replace("R39", "X39"), "a rule's id is R"),
    "a code in small letters": (ROW.replace("A_CODE", "a_code"), "in capitals"),
    "an effect that no rule has": (ROW.replace("HOLD", "PERMIT"), "is HOLD or DENY"),
    "an action that is none": (ROW.replace("forward", "send"), "'send' is not an action"),
    "a fact that is none": (ROW.replace("minimum", "minimal"), "'minimal' is not a fact"),
    "a condition that breaks off": (f"{ROW} AND", "it ends too early"),
    "a limit that is no number": (f"{ROW} AND sight_days >= x", "says how one is written"),
    "a condition nested too deep": (ROW.replace("NOT", "NOT " * 41), "at most 40 brackets"),
}


@pytest.mark.parametrize(("row", "fault"), BAD_RULES.values(), ids=BAD_RULES)
def test_a_rule_that_is_none_is_refused_at_its_line(row: str, fault: str) -> None:
    text = IN_FORCE.replace("[RULES]\n", f"[RULES]\n{row}\n")
    told = refusal(text)
    assert told.startswith(f"line {line_of(text, row)}: ")
    assert fault in told


BAD_LINES = {
    "a ground of another kind": ("G2d | write_document  ", "H2d | write_document", "a ground's id"),
    "a ground without its actions": ("G5  | activate_agreement", "G5", "has 2 cells"),
    "an obligation neither surely nor perhaps": (
        "| extract                               | perhaps | anonymised\nSMALL",
        "| extract | maybe | anonymised\nSMALL",
        "'maybe' is to be surely or perhaps",
    ),
    "an obligation on no effect": ("DEID                      | PERMIT ", "DEID | GO", "an effect"),
    "an obligation's code": ("SMALL_NUMBERS  ", "Small numbers", "in capitals"),
    "a group of no action": ("any   | forward", "any | sending", "'sending' is not an action"),
    "a group without its actions": ("any   | forward", "forward", "name | actions"),
    "an explanation by nothing": ("R30b, R33", "R30x, R33", "no rule is called 'R30x'"),
    "a section of another name": ("[GROUNDS]", "[GROUNDED]", "no section is called 'GROUNDED'"),
    "a section twice": ("[GROUNDS]", "[RULES]", "[RULES] is there twice"),
}


@pytest.mark.parametrize(("old", "new", "fault"), BAD_LINES.values(), ids=BAD_LINES)
def test_what_is_wrong_is_told_with_its_line(old: str, new: str, fault: str) -> None:
    told = refusal(changed(old, new))
    line = IN_FORCE[: IN_FORCE.index(old)].count("\n") + 1
    assert next(part for part in told.splitlines() if fault in part).startswith(f"line {line}: ")


@pytest.mark.parametrize("text", ["", "# nothing yet\n"])
def test_a_missing_section_is_named(text: str) -> None:
    assert "section [RULES] is missing; copy it from the policy in force" in refusal(text)


def test_a_row_before_any_section_is_refused() -> None:
    assert "line 1: this stands in no section" in refusal(f"{ROW}\n{IN_FORCE}")


@pytest.mark.parametrize("name", ["R02", "R01", "NO_FUNDER"])
def test_a_name_of_two_rows_is_refused(name: str) -> None:
    row = ROW.replace("A_CODE" if name == "NO_FUNDER" else "R39", name)
    told = refusal(IN_FORCE.replace("[RULES]\n", f"[RULES]\n{row}\n"))
    assert told == f"{name} names two rows; give one of them another name"


def test_two_grounds_of_one_name_are_refused() -> None:
    assert "G1 names two rows" in refusal(changed("G2d | write_document", "G1 | write_document"))


@pytest.mark.parametrize("group", ["forward", "moves"])
def test_a_group_that_is_called_like_an_action_or_another_group_is_refused(group: str) -> None:
    told = refusal(changed("\nany   |", f"\n{group} | forward\nany   |"))
    assert told.startswith(f"the group '{group}' has the name")


def test_every_fault_is_told_in_the_order_of_the_lines() -> None:
    text = changed("R03  |", "R3 |").replace("R60  |", "R6 |").replace("G3  |", "3 |")
    about, *sections = text.split("\n[")
    text = "\n[".join([about, *reversed(sections)])
    lines = [int(told.split(":")[0].removeprefix("line ")) for told in refusal(text).splitlines()]
    assert lines == sorted(lines)
    assert len(lines) == 3


def test_what_is_no_draft_at_all_is_not_read() -> None:
    assert "at most 200,000 characters" in refusal("x" * 200_001)


def test_neutral_words_tell_an_outsider_nothing() -> None:
    words = neutral_words("SENSITIVE_PATIENT")
    assert "sensitive" not in (words.patient + words.external).lower()
