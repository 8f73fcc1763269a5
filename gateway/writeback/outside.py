"""What whoever sent an outcome hears of the write guard's ruling, then and later.

What enters: a ruling; or, where the same outcome comes again, what is kept of one. What leaves:
the words for the outside, the same both times; or nothing, where it simply went to the practice.
Must never: tell that a record is marked, at once or by a second answer that differs from the
first. Source: gateway/writeback/guard.py, with which this agrees for every proposal (tested).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.referral.outcome import Outcome, Standing
from gateway.writeback.ruling import Effect, Ruling, SpineCode, WhyKept

_TAKEN = 202
_FORBIDDEN = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is said to the outside. `status` is HTTP's: 202, it was taken; 403 or 404, it was not."""

    text: str
    spine_code: SpineCode | None
    status: int = _TAKEN

    @property
    def is_taken(self) -> bool:
        """Whether the practice is to have it, or a person looks at it."""
        return self.status in (200, _TAKEN)


_NOT_HERE = Outside(
    text="The patient was not found.", spine_code=SpineCode.PATIENT_NOT_FOUND, status=404
)
_PROTECTED_ROW = 2
_MAY_NOT = Outside(
    text="This may not be sent.", spine_code=SpineCode.ACCESS_DENIED, status=_FORBIDDEN
)
_NOT_APPROVED = "The sender or service is not approved for coded entry."
_STOPPED: Mapping[str | None, Outside] = {
    "WITHHELD_BY_PATIENT": Outside(
        text="There is no patient consent to send this to the practice.",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
        status=_FORBIDDEN,
    ),
    "CODED_ENTRY_NOT_APPROVED": Outside(
        text=f"{_NOT_APPROVED} Send a document that a person can read, without"
        " Prefer: handling=strict.",
        spine_code=SpineCode.ACCESS_DENIED,
        status=_FORBIDDEN,
    ),
    "NO_SHARING_AGREEMENT": Outside(
        text="There is no sharing agreement for this with the practice.",
        spine_code=SpineCode.NO_ORGANISATION_CONSENT,
        status=_FORBIDDEN,
    ),
}
"""By the guard's own codes. Every other code of what was stopped is a sharing rule's."""

_DISABLED = "The Update Record capability is disabled at this practice."
_AS_DOCUMENT: Mapping[WhyKept, str] = {
    WhyKept.SWITCHED_OFF: _DISABLED,
    WhyKept.SWITCH_UNKNOWN: _DISABLED,
    WhyKept.NOT_APPROVED: _NOT_APPROVED,
    WhyKept.RULED_OUT: "The sharing rules allow no coded entry here.",
    WhyKept.TEXT_ONLY: "The codes in it are not entered; it is sent as text.",
}


def outside(ruling: Ruling | None) -> Outside | None:
    """Say what is heard of a ruling; None: nothing, for it goes to the practice as it is."""
    if ruling is None or ruling.effect is Effect.ALLOW:
        return None
    return Outside(text=ruling.text_outside, spine_code=ruling.spine_code, status=ruling.status)


def outside_again(kept: Outcome) -> Outside | None:
    """Say what is heard of an outcome that was ruled on before, as it stands now.

    What an officer kept here, the guard never having been asked, is not spoken of: None.
    """
    if kept.row == _PROTECTED_ROW:
        return _NOT_HERE
    if kept.row is None:
        return None
    if kept.standing is Standing.KEPT:
        return _STOPPED.get(kept.code, _MAY_NOT)
    if kept.standing is Standing.SENT_ON and kept.kept is not None:
        return Outside(text=_AS_DOCUMENT[WhyKept(kept.kept)], spine_code=SpineCode.ACCESS_DENIED)
    return None
