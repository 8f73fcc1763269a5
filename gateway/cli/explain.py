"""`gateway consent explain`: one answer, shown for a person or as JSON."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import click

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.consent.decide import Reason
from gateway.consent.facts import VOCABULARY, Action, Codes, Count, Labels
from gateway.consent.flips import Flip
from gateway.consent.steps import spell
from gateway.journey.explain import (
    Explanation,
    Pair,
    explain_pair,
    explain_referral,
    moment_of,
)
from gateway.journey.gateway import Gateway
from gateway.journey.policies import policy_at
from gateway.referral.identifiers import OdsCode, ReferralReference, ServiceId
from gateway.referral.sharing import Moment

_ALL_OR_ONE = "Give a REFERENCE, or --practice, --recipient and --purpose together."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The question as it was given on the command line."""

    reference: str | None
    practice: str | None
    recipient: str | None
    purpose: str | None
    service: str | None
    action: str
    assume: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """As of when it is asked, on what was known when, and by the rules of when. None: now."""

    at: datetime | None
    as_known_then: bool
    by_rules_of_then: bool


def explain(asked: Asked, when: When, *, as_json: bool) -> None:
    """Explain, and print."""
    pair = _pair(asked)
    gateway = open_gateway(read_settings())
    if when.at is not None and when.by_rules_of_then:
        gateway = replace(gateway, policy=policy_at(gateway, when.at))
    moment = moment_of(when.at, gateway, as_known_then=when.as_known_then)
    found = _found(asked, pair, gateway, moment)
    if as_json:
        click.echo(json.dumps(_as_json(found), indent=2, default=str))
    else:
        for line in _lines(found):
            click.echo(line)


def _found(asked: Asked, pair: Pair | None, gateway: Gateway, moment: Moment) -> Explanation:
    if pair is None:
        return explain_referral(_reference(asked.reference or ""), gateway, moment)
    try:
        return explain_pair(pair, gateway, moment)
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint="--assume") from None


def _pair(asked: Asked) -> Pair | None:
    """Read the question without a referral; None where one is named."""
    given = (asked.practice, asked.recipient, asked.purpose)
    if asked.reference is not None:
        if any(given) or asked.service or asked.assume:
            raise click.UsageError(_ALL_OR_ONE)
        return None
    if not all(given):
        raise click.UsageError(_ALL_OR_ONE)
    try:
        return Pair(
            practice=OdsCode(asked.practice or ""),
            recipient=OdsCode(asked.recipient or ""),
            purpose=asked.purpose or "",
            service=ServiceId(asked.service) if asked.service else None,
            action=Action(asked.action),
            assumed=dict(_assumed(each) for each in asked.assume),
        )
    except ValueError as fault:
        raise click.UsageError(str(fault)) from None


def _reference(text: str) -> ReferralReference:
    try:
        return ReferralReference(text)
    except ValueError as fault:
        raise click.BadParameter(str(fault), param_hint="REFERENCE") from None


def _assumed(text: str) -> tuple[str, object]:
    """Read `fact=value`: true, false, unknown, a number, a code, or labels with commas."""
    name, _, value = text.partition("=")
    kind = VOCABULARY.get(name)
    if value == "unknown":
        return name, None
    if isinstance(kind, Labels):
        return name, [label for label in value.split(",") if label]
    if isinstance(kind, Count) and value.isdecimal():
        return name, int(value)
    if isinstance(kind, Codes):
        return name, value
    return name, {"true": True, "false": False}.get(value, value)


def _as_json(found: Explanation) -> dict[str, Any]:
    verdict = found.verdict
    return {
        "effect": verdict.effect,
        "primary_rule": verdict.primary_rule,
        "code": verdict.code,
        "policy": verdict.policy_version,
        "purpose": found.purpose,
        "service": found.service.id if found.service else None,
        "at": found.moment.at.isoformat(),
        "known_at": found.moment.known_at.isoformat() if found.moment.known_at else None,
        "grounds": verdict.grounds,
        "obligations": found.duties_told,
        "reasons": [_reason(reason) for reason in verdict.reasons],
        "withheld": [{"type": each.type, "why": each.why} for each in found.withheld_told],
        "flips": [_flip(flip) for flip in found.flips.found],
        "hangs_on": [{"fact": f.fact, "why": f.why} for f in found.flips.hangs_on],
        "all_flips_tried": found.flips.is_complete,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "rule": reason.rule,
        "effect": reason.effect,
        "code": reason.code,
        "staff_text": reason.staff_text,
        "patient_text": reason.patient_text,
        "external_text": reason.external_text,
        "remedy": reason.remedy,
        "owner": reason.owner,
        "facts": [
            {
                "name": used.name,
                "value": used.value,
                "source": used.source,
                "version": used.version,
                "as_of": used.as_of.isoformat() if used.as_of else None,
            }
            for used in reason.facts_used
        ],
    }


def _flip(flip: Flip) -> dict[str, Any]:
    return {
        "effect": flip.effect,
        "rule": flip.primary_rule,
        "code": flip.code,
        "steps": [
            {
                "who": step.who,
                "how": step.how,
                "changes": [
                    {"fact": c.fact, "from": c.before, "to": c.after} for c in step.changes
                ],
            }
            for step in flip.steps
        ],
    }


def _lines(found: Explanation) -> Iterator[str]:
    verdict = found.verdict
    yield f"{verdict.effect}  {verdict.primary_rule} {verdict.code}"
    to = f" to service {found.service.id}" if found.service else ""
    yield f"for {found.purpose}{to}, {_as_of(found.moment)}; policy {verdict.policy_version[:12]}"
    if verdict.grounds:
        yield f"grounds: {', '.join(verdict.grounds)}"
    if found.duties_told:
        yield f"duties: {', '.join(found.duties_told)}"
    for reason in verdict.reasons:
        yield ""
        yield from _reason_lines(reason)
    if found.withheld_told:
        yield ""
        yield "Withheld: " + ", ".join(f"{each.type} ({each.why})" for each in found.withheld_told)
    yield ""
    yield from _flip_lines(found)


def _as_of(moment: Moment) -> str:
    if moment.is_now:
        return "as of now"
    known = "then" if moment.known_at else "now"
    return f"as of {moment.at.isoformat(timespec='seconds')}, as known {known}"


def _reason_lines(reason: Reason) -> Iterator[str]:
    yield f"{reason.rule} {reason.effect} {reason.code}: {reason.staff_text}"
    yield f"  mend: {reason.remedy} ({reason.owner})"
    for used in reason.facts_used:
        where = " ".join(filter(None, (used.source, used.version)))
        since = f" as of {used.as_of.isoformat(timespec='seconds')}" if used.as_of else ""
        yield f"  {used.name} = {spell(used.value)}" + (f"  [{where}{since}]" if where else "")


def _flip_lines(found: Explanation) -> Iterator[str]:
    flips = found.flips
    if flips.found:
        yield "What would change it (each was decided again):"
    for flip in flips.found:
        steps = " And: ".join(step.how for step in flip.steps)
        yield f"  -> {flip.effect} {flip.code}: {steps}"
    for fixed in flips.hangs_on:
        yield f"It hangs on {fixed.fact}: {fixed.why}"
    if not flips.found and not flips.hangs_on:
        yield "No set of steps that was tried changes it."
    if not flips.is_complete:
        yield "Not every set of steps was tried; there may be smaller ones."
