"""`gateway consent decide`: the sharing rules on facts, without a gateway.

What enters: one JSON object of facts a line on stdin. What leaves: one decision a line on
stdout, in the same order; a line that cannot be decided answers `{"error": ...}`, and its
number and fault go to stderr. Needs no settings and no database; nothing is stored.
"""

import json
import sys
from collections.abc import Iterable

import click

from gateway.consent.decide import Verdict, decide
from gateway.consent.rules import POLICY
from gateway.consent.vocabulary import read_facts
from gateway.errors import MessageError
from gateway.fhir.json_text import read_json


def decide_lines(*, of_good_referral: bool) -> bool:
    """Decide each line of stdin; tell whether all could be decided."""
    decided = [_answer(*line, of_good_referral=of_good_referral) for line in _lines()]
    return all(decided)


def _lines() -> Iterable[tuple[int, bytes]]:
    """Give the lines with their numbers, counted from 1; blank ones are passed over."""
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if line.strip():
            yield number, line


def _answer(number: int, line: bytes, *, of_good_referral: bool) -> bool:
    try:
        read = read_facts(read_json(line), of_good_referral=of_good_referral)
    except MessageError as refusal:
        return _refuse(number, "; ".join(fault.diagnostics for fault in refusal.faults))
    except ValueError as fault:
        return _refuse(number, str(fault))
    for remark in read.remarks:
        click.echo(f"line {number}: {remark}", err=True)
    click.echo(json.dumps(_told(decide(read.facts, POLICY))))
    return True


def _refuse(number: int, fault: str) -> bool:
    click.echo(f"line {number}: {fault}", err=True)
    click.echo(json.dumps({"error": f"line {number}: {fault}"}))
    return False


def _told(verdict: Verdict) -> dict[str, object]:
    """Write a decision; `rules` are those that spoke, each once, or the grounds of a PERMIT."""
    spoke = tuple(dict.fromkeys(reason.rule for reason in verdict.reasons))
    return {
        "effect": verdict.effect,
        "primary_rule": verdict.primary_rule,
        "code": verdict.code,
        "rules": spoke or verdict.grounds,
        "obligations": verdict.obligations,
    }
