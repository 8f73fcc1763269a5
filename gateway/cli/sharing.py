"""What `gateway switch`, `gateway agreement` and `gateway notice` do.

What enters: values of a command line. What leaves: lines on stdout, or JSON; a refusal on stderr
with its reason and remedy, and exit status 1.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from gateway.app import open_gateway
from gateway.cli.withdrawals import print_acknowledged
from gateway.config import read_settings
from gateway.errors import ConsentRefusedError, MessageError
from gateway.journey.agreements import (
    AgreementStanding,
    Wish,
    agreement_history,
    agreements_of,
    set_agreement,
)
from gateway.journey.gateway import Gateway
from gateway.journey.notices import letter_of, notices_of, record_acknowledged, record_sent
from gateway.journey.sharing import Word
from gateway.journey.signing import remedy
from gateway.journey.switches import (
    SwitchStanding,
    SwitchWish,
    set_switch,
    switch_history,
    switches_of,
)
from gateway.mapping.practice_words import read_terms_file
from gateway.mapping.sharing_views import (
    UNKNOWN,
    agreement_event_view,
    agreement_view,
    notice_view,
    switch_event_view,
    switch_view,
)
from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.identifiers import AgreementId, NoticeId, OdsCode
from gateway.referral.json import JsonObject
from gateway.referral.notices import Notice
from gateway.referral.sharing import AgreementEvent, AgreementMove, Origin, SwitchEvent
from gateway.referral.withdrawals import Acknowledged


def word(actor: str, reason: str | None) -> Word:
    """Say who speaks: the operator, for the practice."""
    return Word(actor=actor, origin=Origin.OPERATOR, reason=reason)


def set_one_switch(
    practice: OdsCode, switch: str, value: str, at: datetime | None, said: Word
) -> None:
    """Set a switch, and print how it stands then."""
    wish = SwitchWish(switch=Switch(switch), value=SwitchValue(value), effective_at=at)
    gateway = _gateway()
    with refusals_told():
        done, drafted = set_switch(practice, wish, said, gateway)
    if done.event is None:
        click.echo(f"{practice}: {switch} stands so already; nothing was written")
    _print_plan(done.note)
    for each in done.taken_back:
        click.echo(f"{practice}: {each.agreement} is not signed under this freeze: taken back")
    _print_switch(done.standing)
    _print_drafted(drafted)
    _print_withdrawn(done.withdrawn, gateway)


def list_switches(practice: OdsCode, *, as_json: bool) -> None:
    """Print how each switch stands."""
    standings = switches_of(practice, _gateway())
    if as_json:
        _print_json([switch_view(each.switch, each.event, each.planned) for each in standings])
        return
    for each in standings:
        _print_switch(each)


def show_switch_history(practice: OdsCode, switch: str | None, *, as_json: bool) -> None:
    """Print every event on the switches, or on one."""
    wanted = Switch(switch) if switch else None
    events = switch_history(practice, _gateway(), switch=wanted)
    if as_json:
        _print_json([switch_event_view(each) for each in events])
        return
    for each in events:
        click.echo(f"{each.switch:<20} {each.value:<20} {_how(each)}")


def sign_terms(
    practice: OdsCode,
    agreement: AgreementId,
    file: Path,
    told: Mapping[str, str | None],
    *,
    document: Path | None,
    at: datetime | None,
    said: Word,
) -> None:
    """Sign the terms of a file, and print how the agreement stands then."""
    with refusals_told():
        body = read_terms_file(file.read_bytes(), **told)
        sha256 = hashlib.sha256(document.read_bytes()).hexdigest() if document else None
        wish = Wish(
            agreement=agreement,
            move=AgreementMove.SIGNED,
            effective_at=at or body.effective_at,
            terms=body.terms(agreement),
            counterparty=OdsCode(body.counterparty) if body.counterparty else None,
            document_sha256=sha256 or body.document_sha256,
            confirmed_by=body.confirmed_by,
        )
        reason = said.reason or body.reason
        _set(practice, wish, Word(actor=said.actor, origin=said.origin, reason=reason))


def move_agreement(
    practice: OdsCode,
    agreement: AgreementId,
    move: str,
    at: datetime | None,
    said: Word,
    *,
    confirmed_by: str | None = None,
) -> None:
    """Withdraw, suspend or reinstate, and print how the agreement stands then."""
    wish = Wish(
        agreement=agreement,
        move=AgreementMove(move),
        effective_at=at,
        confirmed_by=confirmed_by,
    )
    with refusals_told():
        _set(practice, wish, said)


def list_agreements(practice: OdsCode, *, as_json: bool) -> None:
    """Print how each agreement stands."""
    standings = agreements_of(practice, _gateway())
    if as_json:
        _print_json([agreement_view(each.id, each.agreement, each.planned) for each in standings])
        return
    for each in standings:
        _print_agreement(each)


def show_agreement_history(
    practice: OdsCode, agreement: AgreementId | None, *, as_json: bool
) -> None:
    """Print every event on the agreements, or on one."""
    events = agreement_history(practice, _gateway(), agreement=agreement)
    if as_json:
        _print_json([agreement_event_view(each) for each in events])
        return
    for each in events:
        click.echo(f"{each.agreement:<20} {each.move:<11} {each.counterparty:<10} {_how(each)}")


def list_notices(practice: OdsCode | None, *, as_json: bool) -> None:
    """Print the notices of a practice, or of all."""
    found = notices_of(practice, _gateway())
    if as_json:
        _print_json([notice_view(each) for each in found])
        return
    for each in found:
        _print_notice(each)


def print_letter(notice: NoticeId) -> None:
    """Print a letter as HTML."""
    click.echo(letter_of(notice, _gateway()), nl=False)


def mark_notice(notice: NoticeId, actor: str, *, is_acknowledged: bool) -> None:
    """Record what became of a letter."""
    record = record_acknowledged if is_acknowledged else record_sent
    _print_notice(record(notice, _gateway(), actor=actor))


@contextmanager
def refusals_told() -> Iterator[None]:
    """Tell a refusal with its remedy, and each fault with its place; then end with status 1."""
    try:
        yield
    except ConsentRefusedError as error:
        text = f"{error.external_text} {error.remedy} Reason: {error.code}."
        click.echo(f"gateway: refused: {text}", err=True)
        sys.exit(1)
    except MessageError as error:
        for fault in error.faults:
            place = f"{fault.expression}: " if fault.expression else ""
            click.echo(f"gateway: {place}{fault.diagnostics}", err=True)
        sys.exit(1)


def _gateway() -> Gateway:
    return open_gateway(read_settings())


def _set(practice: OdsCode, wish: Wish, said: Word) -> None:
    gateway = _gateway()
    done, drafted = set_agreement(practice, wish, said, gateway)
    if done.objection is not None:
        text = f"{done.objection.staff_text} {remedy(done.objection)}"
        click.echo(f"{practice}: {wish.agreement} is kept as a proposal. {text}")
    elif done.event is None:
        click.echo(f"{practice}: {wish.agreement} stands so already; nothing was written")
    _print_plan(done.note)
    _print_agreement(done.standing)
    _print_drafted(drafted)
    _print_withdrawn(done.withdrawn, gateway)


def _print_withdrawn(withdrawn: Sequence[Acknowledged], gateway: Gateway) -> None:
    """Say what no longer leaves, and what had left: nothing of it leaves after this line."""
    for each in withdrawn:
        click.echo("withdrawn: nothing that it covers leaves any more")
        print_acknowledged(each, gateway)


def _print_plan(note: str | None) -> None:
    if note:
        click.echo(f"but {note}")


def _print_json(tree: list[JsonObject]) -> None:
    click.echo(json.dumps(tree, indent=2))


def _print_switch(standing: SwitchStanding) -> None:
    event = standing.event
    value = event.value if event else UNKNOWN
    click.echo(f"{standing.switch:<20} {value:<20} {_how(event) if event else ''}".rstrip())
    for each in standing.planned:
        click.echo(f"{'':<20} {each.value:<20} {_how(each)} (planned)")


def _print_agreement(standing: AgreementStanding) -> None:
    agreement = standing.agreement
    if agreement is None:
        click.echo(f"{standing.id:<20} {UNKNOWN}")
    else:
        since = f"from {agreement.since:%Y-%m-%d %H:%M} UTC" if agreement.since else ""
        purposes = ", ".join(sorted(agreement.purposes))
        click.echo(
            f"{standing.id:<20} {agreement.status:<11} {agreement.counterparty:<10}"
            f" {agreement.kind:<20} {since}  {purposes}"
        )
    for each in standing.planned:
        click.echo(f"{'':<20} {each.move:<11} {each.counterparty:<10} {_how(each)} (planned)")


def _print_drafted(drafted: Sequence[Notice]) -> None:
    for each in drafted:
        about = each.about
        to = about.commissioner.name if about.commissioner else "the ICB, which nobody has named"
        click.echo(f"drafted a notice ({about.kind}) to {to}: gateway notice letter {each.id}")


def _print_notice(notice: Notice) -> None:
    about = notice.about
    to = about.commissioner.ods if about.commissioner else "-"
    click.echo(
        f"{notice.id}  {notice.practice:<10} {about.kind:<18} {notice.state:<12} to {to:<10}"
        f" from {about.effective_at:%Y-%m-%d %H:%M} UTC, reply by {about.reply_by}"
    )


def _how(event: AgreementEvent | SwitchEvent) -> str:
    reason = f": {event.reason}" if event.reason else ""
    return (
        f"from {event.effective_at:%Y-%m-%d %H:%M} UTC, by {event.actor} ({event.origin}){reason}"
    )
