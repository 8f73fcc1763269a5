"""What `gateway outcome` does and prints.

What enters: values of a command line. What leaves: lines on stdout, or JSON. Nobody is named, and
no word of an outcome is printed: a question is shown by its place in the referral.
"""

import json

import click

from gateway.app import open_gateway
from gateway.config import read_settings
from gateway.journey.decide_held import decide_held
from gateway.journey.gateway import Gateway
from gateway.journey.show_outcomes import Line, Sent, Story, show_outcomes
from gateway.ledger.values import write_instant
from gateway.mapping.reminder_views import reminder_view
from gateway.referral.identifiers import OutcomeId, ReferralReference
from gateway.referral.json import JsonObject
from gateway.referral.outcome import Standing

ACTOR = "operator"


def print_story(reference: ReferralReference, *, as_json: bool) -> None:
    """Print what was said of a referral."""
    gateway = open_gateway(read_settings())
    story = show_outcomes(reference, gateway, actor=ACTOR)
    if as_json:
        click.echo(json.dumps(_as_json(story, gateway), indent=2))
        return
    click.echo(f"{story.referral.reference}  {story.referral.state}")
    for line in story.lines:
        _print_line(line)
    for each in story.reminders:
        told = f"due {each.due:%Y-%m-%d %H:%M} UTC" if each.is_open else f"done: {each.resolution}"
        click.echo(f"  waits {each.id}  {each.owner} {each.code}, {told}")
    for asked in story.questions:
        numbers = ", ".join(str(number) for number in asked.answered_by)
        click.echo(f"  asked {asked.at}: {f'answered by {numbers}' if numbers else 'unanswered'}")


def decide_one(wanted: OutcomeId, *, is_released: bool, because: str, actor: str) -> bool:
    """Decide, and print how it stands then; tell whether it is held no longer."""
    gateway = open_gateway(read_settings())
    done = decide_held(gateway, wanted, is_released=is_released, because=because, actor=actor)
    click.echo(f"{done.id}  {done.standing}: {done.code}")
    return done.standing is not Standing.HELD


def _print_line(line: Line) -> None:
    one = line.outcome
    ruled = f", row {one.row}" if one.row is not None else ""
    why = f", {one.code}" if one.code else ""
    codes = f", codes stay here: {one.kept}" if one.kept else ""
    click.echo(
        f"  {one.seq}. {one.received_at:%Y-%m-%d %H:%M} UTC {one.provider} {one.kind}"
        f" [{one.id}] {one.standing}{ruled}{why}{codes}"
    )
    for each in line.letters:
        click.echo(f"     letter {each.letter.id} {each.letter.interaction}: {each.state}")


def _as_json(story: Story, gateway: Gateway) -> JsonObject:
    present, now = story.referral, gateway.clock()
    return {
        "reference": present.reference,
        "practice": present.practice,
        "state": present.state.value,
        "outcomes": [_line(each) for each in story.lines],
        "reminders": [
            reminder_view(each, present.reference, present.practice, now)
            for each in story.reminders
        ],
        "questions": [
            {"at": each.at, "answered_by": [*each.answered_by]} for each in story.questions
        ],
    }


def _line(line: Line) -> JsonObject:
    one = line.outcome
    return {
        "id": one.id,
        "number": one.seq,
        "provider": one.provider,
        "kind": one.kind.value,
        "received_at": write_instant(one.received_at),
        "standing": one.standing.value,
        "row": one.row,
        "code": one.code,
        "codes_stay_here": one.kept,
        "letters": [_letter(each) for each in line.letters],
    }


def _letter(sent: Sent) -> JsonObject:
    return {
        "id": sent.letter.id,
        "interaction": sent.letter.interaction,
        "state": sent.state.value,
        "infrastructure": sent.letter.infrastructure,
        "business": sent.letter.business,
        "returned": sent.letter.returned,
    }
