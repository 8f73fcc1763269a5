"""How a practice's switch for coded entries by third parties stands, and how that is known.

What enters: what was said or found out about one practice, as events that are only ever added.
What leaves: ON, OFF or UNKNOWN for one kind of sender at a moment, with who said so and until
when it holds. UNKNOWN counts as OFF everywhere. Only the practice itself can say ON: what a
machine finds out can only close. Sources: GP Connect, Enablement (deployed as disabled by
default; each change audited); Update Record, "Functionality is unsupported by the receiver".

Choices: an event about no kind of sender is about GP Connect as a whole; its OFF closes every
kind, its ON opens none. A finding ends, by default after 30 days, and leaves UNKNOWN: what the
practice had said before the finding does not come back by itself. A found OFF does not shorten
the practice's own OFF. What the practice says later ends every finding before it. An ITK3 20010
does not say whether the practice or its supplier closed the door: it is OFF, reason unknown.

Not checked: who may speak for a practice. That is the door's to know.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.errors import IllegalMoveError
from gateway.referral.identifiers import OdsCode
from gateway.writeback.allowed import SenderCategory

FINDING_LASTS = timedelta(days=30)
"""For how long a finding counts where nobody sets another time. Our choice."""

UPDATE_RECORD_WORKFLOW = "GPCONNECT_UPDATE_RECORD"
_SWITCHED_OFF = 20010
"""ITK3: Unrecognised Payload Recipient Organisation."""
_NOT_REGISTERED = (417, "17")
"""MESH: HTTP status and error code for a workflow that the mailbox is not registered for."""


class Position(StrEnum):
    """Where the switch stands."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class Source(StrEnum):
    """How it became known: the practice said so, a MESH look-up, an answer, or not at all."""

    PRACTICE = "practice"
    LOOKUP = "lookup"
    LEARNED = "learned"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingEvent:
    """One thing said or found out. `sender` None: about GP Connect as a whole.

    `seq` counts from 1 for each practice; `by` is a client, a role or the name of a machine;
    `expires` None: it holds until something newer is said.

    Raises:
        ValueError: it says what its source cannot know.
    """

    practice: OdsCode
    seq: int
    sender: SenderCategory | None
    value: Position
    source: Source
    at: datetime
    by: str
    expires: datetime | None = None

    def __post_init__(self) -> None:
        if self.value is Position.UNKNOWN or self.source is Source.DEFAULT:
            raise ValueError("an event says ON or OFF, and somebody says it")
        if self.source is not Source.PRACTICE:
            if self.value is not Position.OFF:
                raise ValueError("only the practice can say that codes may be written")
            if self.expires is None:
                raise ValueError("what was found out ends some day: set `expires`")


@dataclass(frozen=True, slots=True, kw_only=True)
class CodingState:
    """Where the switch stands for one kind of sender, since when, on whose word, until when."""

    value: Position
    source: Source
    since: datetime | None = None
    by: str | None = None
    expires: datetime | None = None

    @property
    def is_on(self) -> bool:
        """Whether codes may be written as far as the switch goes. UNKNOWN is not ON."""
        return self.value is Position.ON


NOBODY_SAID = CodingState(value=Position.UNKNOWN, source=Source.DEFAULT)


def state_at(
    events: Iterable[CodingEvent], sender: SenderCategory, moment: datetime
) -> CodingState:
    """Say how the switch of one practice stands for one kind of sender at a moment.

    GP Connect as a whole switched off, or once off and since unknown, counts before what
    was said about the one kind of sender.
    """
    seen = sorted((e for e in events if e.at <= moment), key=lambda e: (e.at, e.seq))
    whole = _newest([e for e in seen if e.sender is None], moment)
    if not whole.is_on and whole.source is not Source.DEFAULT:
        return whole
    return _newest([e for e in seen if e.sender is sender], moment)


def _newest(events: Sequence[CodingEvent], moment: datetime) -> CodingState:
    said = [e for e in events if e.source is Source.PRACTICE][-1:]
    if said and said[0].value is Position.OFF and _holds(said[0], moment):
        return _state(said[0], moment)
    found = [e for e in events[events.index(said[0]) + 1 if said else 0 :] if e not in said]
    if found:
        return _state(max(found, key=lambda e: e.expires or e.at), moment)
    return _state(said[0], moment) if said else NOBODY_SAID


def _holds(event: CodingEvent, moment: datetime) -> bool:
    return event.expires is None or moment < event.expires


def _state(event: CodingEvent, moment: datetime) -> CodingState:
    return CodingState(
        value=event.value if _holds(event, moment) else Position.UNKNOWN,
        source=event.source,
        since=event.at,
        by=event.by,
        expires=event.expires,
    )


def append(events: Sequence[CodingEvent], event: CodingEvent) -> tuple[CodingEvent, ...]:
    """Return the events of one practice with one more at their end.

    Raises:
        IllegalMoveError: it is another practice's, or not the next one.
    """
    if any(e.practice != event.practice for e in events):
        raise IllegalMoveError("the event is about another practice")
    if event.seq != len(events) + 1:
        raise IllegalMoveError(f"the next event is number {len(events) + 1}; read them again")
    return (*events, event)


def is_switched_off_signal(
    workflow: str,
    *,
    itk3: int | None = None,
    mesh_status: int | None = None,
    mesh_code: str | None = None,
) -> bool:
    """Whether an answer to an Update Record message says that the practice takes no codes.

    The same answer to another kind of message says nothing about codes.
    """
    if workflow != UPDATE_RECORD_WORKFLOW:
        return False
    return itk3 == _SWITCHED_OFF or (mesh_status, mesh_code) == _NOT_REGISTERED


def learn(
    events: Sequence[CodingEvent],
    practice: OdsCode,
    sender: SenderCategory,
    *,
    at: datetime,
    source: Source = Source.LEARNED,
    lasts: timedelta = FINDING_LASTS,
) -> CodingEvent:
    """Make the next event from an answer or a look-up: OFF for this kind of sender, for a time."""
    return CodingEvent(
        practice=practice,
        seq=len(events) + 1,
        sender=sender,
        value=Position.OFF,
        source=source,
        at=at,
        by="gateway",
        expires=at + lasts,
    )
