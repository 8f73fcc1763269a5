"""What is handed to a destination: a message that was minimised, and what is told of that.

What enters: the tree that may leave, and what was withheld. What leaves: one value, which is all
that a destination's mapping sees, so that no message leaves as it came in. What was withheld
silently changes nothing here.
"""

from dataclasses import dataclass, field

from gateway.consent.withhold import Withheld
from gateway.referral.identifiers import OWN_BASE, OdsCode
from gateway.referral.json import JsonObject

REDACT = "REDACT"
MINEC = "MINEC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What the recipient is told: which duties took something out, by which policy, and whose.

    It never says what was taken out, nor how much.
    """

    duties: tuple[str, ...]
    policy_version: str
    by: OdsCode

    @property
    def is_redacted(self) -> bool:
        """Whether something is missing that the patient did not agree to share."""
        return REDACT in self.duties

    @property
    def policies(self) -> tuple[str, ...]:
        """Name each duty, in the version of the policy that asks for it, as a URI."""
        return tuple(f"{OWN_BASE}/policy/{self.policy_version}#{duty}" for duty in self.duties)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message as it may leave. `notice` None: nothing was taken out that may be told."""

    tree: JsonObject = field(repr=False)
    notice: Notice | None = None


def notice_of(withheld: Withheld, *, policy_version: str, by: OdsCode) -> Notice | None:
    """Say what may be told of what was taken out; None: nothing."""
    duties = (
        *((REDACT,) if withheld.openly else ()),
        *((MINEC,) if withheld.minimum is False else ()),
    )
    return Notice(duties=duties, policy_version=policy_version, by=by) if duties else None
