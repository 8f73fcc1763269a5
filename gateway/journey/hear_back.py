"""What a provider hears of an outcome that it sent, whichever way it sent it.

What enters: an outcome that is on record, and what the outside hears of the write guard's ruling.
What leaves: what did not go straight to the practice, in words; or the refusal that is told in its
place: never why the person objects, never that a record is marked. Must never: tell one door more
than another. Source: the write restriction, section 9; the sharing rules, R27.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import ConsentRefusedError, Fault, IssueCode, NotFoundError, Severity
from gateway.journey.gateway import Gateway
from gateway.journey.return_outcome import Returned
from gateway.journey.shared_care import INFORMAL, what_is_missing
from gateway.referral.outcome import Outcome, Standing
from gateway.writeback.outside import Outside, outside, outside_again
from gateway.writeback.ruling import SpineCode

PERSON_LOOKS = Fault(
    severity=Severity.WARNING,
    code=IssueCode.INFORMATIONAL,
    diagnostics="This is on record here. A person looks at it before it reaches the practice.",
)
_WITHOUT_IT = (
    "This is on record here, and nothing of it reached the practice. Send it again without what it"
    " asks the practice to prescribe, monitor or do."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is said of an outcome that was taken; no faults: it went straight to the practice."""

    faults: Sequence[Fault] = ()
    spine_code: str | None = None


def said_of(returned: Returned) -> Outside | None:
    """Say what is heard of the guard's ruling; of what came again, in the words of the first time.

    None: nothing is.
    """
    return outside_again(returned.outcome) if returned.repeated else outside(returned.ruling)


def hear_back(outcome: Outcome, said: Outside | None, gateway: Gateway) -> Told:
    """Say what of an outcome did not go straight to the practice, and refuse what may not.

    Args:
        outcome: as it stands.
        said: what the outside hears of the ruling on it; None: nothing.
        gateway: the live objects.

    Raises:
        ConsentRefusedError: it may not reach the practice.
        NotFoundError: the answer to that tells nothing.
    """
    refuse_kept(outcome, said, gateway)
    if outcome.standing is Standing.KEPT:
        raise nothing_here()
    if outcome.standing is Standing.HELD:
        return Told(faults=(PERSON_LOOKS,))
    return told_of(said) if said is not None else Told()


def refuse_kept(outcome: Outcome, said: Outside | None, gateway: Gateway) -> None:
    """Refuse what may not reach the practice: what the guard stops, or asks informally for work.

    Raises:
        ConsentRefusedError: it is one.
        NotFoundError: the answer to that tells nothing.
    """
    _refuse_informal(outcome, gateway)
    if said is None or said.is_taken:
        return
    if said.spine_code is SpineCode.PATIENT_NOT_FOUND or said.spine_code is None:
        raise nothing_here()
    raise ConsentRefusedError(
        code=said.spine_code,
        spine_code=said.spine_code,
        external_text=said.text,
        remedy="",
    )


def told_of(said: Outside) -> Told:
    """Say what the guard made of an outcome that was taken."""
    code = IssueCode.FORBIDDEN if said.spine_code else IssueCode.INFORMATIONAL
    fault = Fault(severity=Severity.WARNING, code=code, diagnostics=said.text)
    return Told(faults=(fault,), spine_code=said.spine_code)


def nothing_here() -> NotFoundError:
    """Say what is said where an answer may tell nothing: the same as where nothing is."""
    return NotFoundError("nothing that was sent to you goes by these names")


def _refuse_informal(outcome: Outcome, gateway: Gateway) -> None:
    """Refuse an outcome that asks for shared care informally: why, and what a proposal says.

    Raises:
        ConsentRefusedError: it is one.
    """
    missing = what_is_missing(outcome, gateway)
    if missing is None:
        return
    fields = "; ".join(f"{each.name} ({each.ask.rstrip('.')})" for each in missing.fields)
    proposal = f" Or agree on it first, by a formal proposal with these fields: {fields}."
    raise ConsentRefusedError(
        code=INFORMAL,
        spine_code=SpineCode.ACCESS_DENIED,
        external_text=" ".join(missing.reasons),
        remedy=f"{_WITHOUT_IT}{proposal if fields else ''}",
    )
