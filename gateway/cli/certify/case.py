"""What a case of the self-test is, and what may be found.

What enters: nothing. What leaves: values. A finding says what was seen in our own words; it
never quotes what the endpoint answered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from gateway.cli.certify.trial import Trial


class Verdict(StrEnum):
    """What a case showed. NOT_SHOWN: nothing for or against; another case may say why."""

    PASS = "pass"  # noqa: S105  # no credential
    WARN = "warn"
    FAIL = "fail"
    NOT_SHOWN = "not shown"

    @property
    def is_good(self) -> bool:
        """Whether cases that need this one can be tried."""
        return self in (Verdict.PASS, Verdict.WARN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a case showed, and what was seen."""

    verdict: Verdict
    seen: str


def passed(seen: str) -> Finding:
    """Find that the endpoint does as it is asked."""
    return Finding(verdict=Verdict.PASS, seen=seen)


def warned(seen: str) -> Finding:
    """Find that it will do, but should be better."""
    return Finding(verdict=Verdict.WARN, seen=seen)


def failed(seen: str) -> Finding:
    """Find that it does not."""
    return Finding(verdict=Verdict.FAIL, seen=seen)


def not_shown(seen: str) -> Finding:
    """Find nothing for or against."""
    return Finding(verdict=Verdict.NOT_SHOWN, seen=seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that is asked of an endpoint.

    `needs` names the case without which this one shows nothing; `longest` bounds it.
    """

    name: str
    asks: str
    why: str
    mend: str
    attempt: Callable[[Trial], Finding]
    needs: str | None = "accepts"
    longest: timedelta = timedelta(seconds=45)
