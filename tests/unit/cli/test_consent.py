"""`gateway consent decide`: facts in, decisions out, a line each."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli.main import main
from tests.properties.cases import CASES, ROWS
from tests.properties.second_reading import read_again


def run(*lines: str, baseline: bool = True) -> Result:
    arguments = ["consent", "decide", "--jsonl", *(["--baseline"] if baseline else [])]
    return CliRunner().invoke(main, arguments, input="".join(f"{line}\n" for line in lines))


def answers(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def as_lines(all_facts: Iterable[Mapping[str, Any]]) -> list[str]:
    return [json.dumps(facts) for facts in all_facts]


def test_every_case_comes_out_as_its_row_says() -> None:
    result = run(*as_lines(row["facts"] for row in ROWS))
    assert result.exit_code == 0
    given = [(a["effect"], a["primary_rule"], a["code"], a["obligations"]) for a in answers(result)]
    assert given == [(r["effect"], r["rule"], r["code"], r["obligations"]) for r in ROWS]


def test_a_whole_line_of_facts_needs_no_baseline() -> None:
    result = run(*as_lines(CASES.values()), baseline=False)
    assert [a["code"] for a in answers(result)] == [read_again(c).code for c in CASES.values()]


def test_the_answer_has_these_members_and_no_other() -> None:
    assert answers(run('{"consent": "withdrawn", "recipient_assured": null}')) == [
        {
            "effect": "DENY",
            "primary_rule": "R31",
            "code": "CONSENT_WITHDRAWN",
            "rules": ["R01", "R31"],
            "obligations": ["NOTIFY_REFERRER"],
        }
    ]


def test_what_is_left_out_is_unknown_without_the_baseline() -> None:
    assert [a["effect"] for a in answers(run("{}", baseline=False))] == ["HOLD"]
    assert [a["effect"] for a in answers(run("{}"))] == ["PERMIT"]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('{"colour": "red"}', "colour is not a fact"),
        ('{"facts": {"consent": "none"}}', "facts is not a fact"),
        ('{"registered": "yes"}', "registered is to be true or false, or null"),
        ('{"consent": "none", "consent": "active"}', "names the same property twice"),
        ("[]", "must be one JSON object"),
        ("consent", "not JSON"),
        ('{"sight_days": NaN}', "no NaN"),
    ],
)
def test_a_line_that_cannot_be_decided_is_named_and_the_others_are_answered(
    line: str, fault: str
) -> None:
    result = run("{}", "", line, "{}")
    assert result.exit_code == 1
    first, refused, last = answers(result)
    assert (first["effect"], last["effect"]) == ("PERMIT", "PERMIT")
    assert list(refused) == ["error"]
    assert refused["error"].startswith("line 3: ")
    assert fault in refused["error"]
    assert refused["error"] in result.stderr


def test_a_code_that_no_list_has_is_remarked_upon_beside_the_answer() -> None:
    result = run('{"sight": "seen-twice"}')
    assert (result.exit_code, len(answers(result))) == (0, 1)
    assert result.stderr.startswith("line 1: sight has a code that is not listed")


def test_without_a_format_it_is_a_bad_call() -> None:
    assert CliRunner().invoke(main, ["consent", "decide"], input="{}\n").exit_code == 2
