"""Reports: a copy for each recipient, where it stands, and what the person said of it.

A copy walks alone; what is done with one says nothing of another::

    draft                   ──► shown, released, withheld
    shown                   ──► draft, released, released-with-statement, withheld
    withheld                ──► draft
    released                (final)
    released-with-statement (final)

To `draft` goes back what is written anew; it is to be seen anew, and the person answers anew.
From `draft` a copy is released where nobody is to see it first: the person does not wish to, lets
the time pass that the law gives, or is the recipient. Whether it may be is not asked here:
`gateway/writeback/report_gate.py`.

What enters: a copy, an act and its day (by the clock of the UK). What leaves: the copy after it.
Must never: hold the text of a report, or count an answer for a text that the person did not see.
Source: the sharing rules, sections 3 and 5; Access to Medical Reports Act 1988 (AMRA), sections
4 to 6; GMC, Confidentiality, paragraph 115.
"""

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum

from gateway.errors import IllegalMoveError


class Recipient(StrEnum):
    """Who is to have a copy. Each needs a consent of its own, the person too."""

    GP = "gp"
    EMPLOYER = "employer"
    HR = "hr"
    HEALTH_AND_WORK = "health-and-work"
    PERSON = "person"


class ReportKind(StrEnum):
    """What kind of report it is. AMRA: by a clinician responsible for the person's care."""

    FUNCTIONAL = "functional"
    AMRA = "amra"
    CLINICAL = "clinical"


class CopyState(StrEnum):
    """Where a copy stands. Exactly one holds at any time."""

    DRAFT = "draft"
    SHOWN = "shown"
    RELEASED = "released"
    RELEASED_WITH_STATEMENT = "released-with-statement"
    WITHHELD = "withheld"


class Answer(StrEnum):
    """What the person says of a copy. A statement is no agreement: that is another answer."""

    ASKS_SIGHT = "asks-sight"
    DECLINES_SIGHT = "declines-sight"
    AGREES = "agrees"
    OBJECTS = "objects"
    ASKS_AMENDMENT = "asks-amendment"
    ATTACHES_STATEMENT = "attaches-statement"


class Sight(StrEnum):
    """Whether the person saw a copy first; as the sharing rules spell it."""

    NONE = "none"
    PENDING = "pending"
    DECLINED = "declined"
    AGREES = "agrees"
    OBJECTS = "objects"


class GpRoute(StrEnum):
    """How a copy reaches the person's GP. INBOX: the practice's, which its staff read."""

    INBOX = "inbox"
    NAMED_CLINICIAN = "named-clinician"
    NOBODY = "nobody"


S, A = CopyState, Answer

COPY_MOVES: Mapping[CopyState, frozenset[CopyState]] = {
    S.DRAFT: frozenset({S.SHOWN, S.RELEASED, S.WITHHELD}),
    S.SHOWN: frozenset({S.DRAFT, S.RELEASED, S.RELEASED_WITH_STATEMENT, S.WITHHELD}),
    S.WITHHELD: frozenset({S.DRAFT}),
    S.RELEASED: frozenset(),
    S.RELEASED_WITH_STATEMENT: frozenset(),
}

ANSWERS: Mapping[CopyState, frozenset[Answer]] = {
    S.DRAFT: frozenset({A.ASKS_SIGHT, A.DECLINES_SIGHT, A.OBJECTS}),
    S.SHOWN: frozenset({A.AGREES, A.OBJECTS, A.ASKS_AMENDMENT, A.ATTACHES_STATEMENT}),
    S.WITHHELD: frozenset(),
    S.RELEASED: frozenset(),
    S.RELEASED_WITH_STATEMENT: frozenset(),
}
"""What a person may say of a copy that stands so. Nobody agrees to what they have not seen."""

ACCESS_LAPSES_AFTER = timedelta(days=21)
"""How long a report waits for a person who asked for access and is not heard of again. The day
of asking is the first, so it may go on the day that is 21 later. Source: AMRA, section 4."""

KEPT_MONTHS = 6
"""How long a copy is kept from the day of supply, at least. Source: AMRA, section 6."""

_MONTHS = 12

_SIGHT: Mapping[Answer, Sight] = {
    A.ASKS_SIGHT: Sight.PENDING,
    A.DECLINES_SIGHT: Sight.DECLINED,
    A.AGREES: Sight.AGREES,
    A.OBJECTS: Sight.OBJECTS,
    A.ASKS_AMENDMENT: Sight.PENDING,
    A.ATTACHES_STATEMENT: Sight.PENDING,
}
_AFTER_SIGHT = frozenset({A.AGREES, A.ASKS_AMENDMENT, A.ATTACHES_STATEMENT})
_LEFT = frozenset({S.RELEASED, S.RELEASED_WITH_STATEMENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCopy:
    """The copy of one report for one recipient.

    `version` counts the texts. `access_asked_on`: when the person first asked to see it;
    `was_in_touch`: they were heard of after that, so that no time runs out. `third_party`: whether
    a reviewer found that it speaks of somebody else; None: nobody reviewed it. `would_harm`: a
    clinician says that seeing it could harm the person seriously.
    """

    recipient: Recipient
    kind: ReportKind
    version: int = 1
    state: CopyState = CopyState.DRAFT
    offered_on: date | None = None
    access_asked_on: date | None = None
    was_in_touch: bool = False
    shown_on: date | None = None
    answer: Answer | None = None
    answered_on: date | None = None
    has_statement: bool = False
    supplied_on: date | None = None
    third_party: bool | None = None
    would_harm: bool = False

    def __post_init__(self) -> None:
        """Refuse a copy of which one part gives another the lie."""
        needs_sight = (
            self.state is CopyState.SHOWN or self.has_statement or self.answer in _AFTER_SIGHT
        )
        if needs_sight and self.shown_on is None:
            raise ValueError("nobody has shown this copy: nothing can be said of what it holds")
        if (self.supplied_on is not None) != self.has_left:
            raise ValueError("a copy has a day of supply if it was released, and only then")

    @property
    def has_left(self) -> bool:
        """Whether it went to its recipient."""
        return self.state in _LEFT

    @property
    def sight(self) -> Sight:
        """Whether the person saw it. An offer without an answer, and a wish, are pending."""
        if self.answer is not None:
            return _SIGHT[self.answer]
        is_begun = self.offered_on or self.access_asked_on or self.shown_on
        return Sight.PENDING if is_begun else Sight.NONE

    def days_without_word(self, today: date) -> int:
        """Count the days since the person asked for access; none once they were in touch."""
        if self.access_asked_on is None or self.was_in_touch:
            return 0
        return max((today - self.access_asked_on).days, 0)

    @property
    def access_lapses_on(self) -> date | None:
        """The day from which a report under AMRA no longer waits; None: no time runs."""
        if self.access_asked_on is None or self.was_in_touch:
            return None
        runs = self.kind is ReportKind.AMRA and self.state is CopyState.DRAFT
        return self.access_asked_on + ACCESS_LAPSES_AFTER if runs else None

    @property
    def kept_until(self) -> date | None:
        """The last day of six months from the supply; None: it was not supplied."""
        return None if self.supplied_on is None else _months_after(self.supplied_on, KEPT_MONTHS)


def move_copy(present: CopyState, wanted: CopyState) -> CopyState:
    """Return `wanted` where the table allows the move; raise IllegalMoveError otherwise."""
    if wanted not in COPY_MOVES[present]:
        legal = ", ".join(sorted(COPY_MOVES[present])) or "nothing else"
        msg = f"a copy of a report that is {present} cannot become {wanted}: it can become {legal}"
        raise IllegalMoveError(msg)
    return wanted


def offer_sight(copy: ReportCopy, on: date) -> ReportCopy:
    """Record that the person was told that they may see it first.

    Raises:
        IllegalMoveError: the copy is no draft.
    """
    move_copy(copy.state, CopyState.SHOWN)
    return replace(copy, offered_on=copy.offered_on or on)


def show(copy: ReportCopy, on: date) -> ReportCopy:
    """Record that the person has it before them. What they said before counts no more.

    Raises:
        IllegalMoveError: the copy is no draft.
    """
    state = move_copy(copy.state, CopyState.SHOWN)
    return replace(copy, state=state, shown_on=on, was_in_touch=True, answer=None, answered_on=None)


def take_answer(copy: ReportCopy, answer: Answer, on: date, *, version: int) -> ReportCopy:
    """Record what the person says of the text of some version.

    Raises:
        IllegalMoveError: the answer is about another text, or may not be given as things stand.
    """
    if version != copy.version:
        raise IllegalMoveError(
            "the answer is about another text of the report than the present one: show the"
            " present text, and ask again"
        )
    if answer not in ANSWERS[copy.state]:
        legal = ", ".join(sorted(ANSWERS[copy.state])) or "nothing"
        msg = (
            f"of a copy that is {copy.state}, the person cannot say {answer}: they can say {legal}"
        )
        raise IllegalMoveError(msg)
    asked_before = copy.access_asked_on is not None
    asks_first = answer is Answer.ASKS_SIGHT and not asked_before
    return replace(
        copy,
        answer=answer,
        answered_on=on,
        access_asked_on=on if asks_first else copy.access_asked_on,
        was_in_touch=copy.was_in_touch or (asked_before and not asks_first),
        has_statement=copy.has_statement or answer is Answer.ATTACHES_STATEMENT,
    )


def write_anew(copy: ReportCopy) -> ReportCopy:
    """Begin again with another text: not seen, not reviewed, and nothing said of it.

    Raises:
        IllegalMoveError: the copy was released; what follows it is a copy of its own.
    """
    if copy.state is not CopyState.DRAFT:
        move_copy(copy.state, CopyState.DRAFT)
    return replace(
        copy,
        version=copy.version + 1,
        state=CopyState.DRAFT,
        offered_on=None,
        shown_on=None,
        answer=None,
        answered_on=None,
        has_statement=False,
        third_party=None,
        would_harm=False,
    )


def supply(copy: ReportCopy, on: date) -> ReportCopy:
    """Record that it went to its recipient, with the statement that the person attached to it.

    Raises:
        IllegalMoveError: the copy was released before, or is withheld.
    """
    wanted = CopyState.RELEASED_WITH_STATEMENT if copy.has_statement else CopyState.RELEASED
    return replace(copy, state=move_copy(copy.state, wanted), supplied_on=on)


def withhold_copy(copy: ReportCopy) -> ReportCopy:
    """Record that it stays here.

    Raises:
        IllegalMoveError: it was released, or is withheld already.
    """
    return replace(copy, state=move_copy(copy.state, CopyState.WITHHELD))


def _months_after(day: date, months: int) -> date:
    """Return the same day of a later month, or its last day where it has no such day."""
    years, month = divmod(day.month - 1 + months, _MONTHS)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
