"""What a provider writes of copies of a report: JSON bodies.

What enters: a tree of JSON. What leaves: checked values, or every fault with its place, by
`practice_words.read_body`. Must never: repeat what was written.
"""

from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gateway.referral.identifiers import DeliveryId, OdsCode
from gateway.referral.report import Answer, GpRoute, Recipient, ReportKind

LONGEST_STATEMENT = 4_000
"""Characters of a person's statement."""
_LONGEST_NAME = 200
_MOST_COPIES = 10
_OF_DIRECTORY = frozenset({Recipient.EMPLOYER, Recipient.HR, Recipient.HEALTH_AND_WORK})
"""Recipients that are named by the code of an organisation."""


def _ods(text: str) -> str:
    return str(OdsCode(text))


def _uuid(text: str) -> str:
    return str(DeliveryId(text))


Version = Annotated[StrictInt, Field(ge=1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CopyBody(_Body):
    """One recipient. `organisation` is its ODS code; the GP's and the person's go without."""

    recipient: Recipient
    organisation: Annotated[str, AfterValidator(_ods)] | None = None

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        if (self.recipient in _OF_DIRECTORY) != (self.organisation is not None):
            msg = "organisation is said for employer, hr and health-and-work, and for no other"
            raise ValueError(msg)
        return self


class ReportsBody(_Body):
    """Copies of the newest report that was sent for a task."""

    task: Annotated[str, AfterValidator(_uuid)]
    kind: ReportKind
    copies: Annotated[list[CopyBody], Field(min_length=1, max_length=_MOST_COPIES)]
    third_party: StrictBool | None = None
    would_harm: StrictBool = False


class ReviewBody(_Body):
    """What whoever reviewed a text found in it."""

    version: Version
    third_party: StrictBool
    would_harm: StrictBool = False


class VersionBody(_Body):
    """Of which text it is."""

    version: Version


class AnswerBody(_Body):
    """What the person said of a text."""

    version: Version
    answer: Answer
    statement: Annotated[str, Field(max_length=LONGEST_STATEMENT)] | None = Field(
        default=None, validate_default=True
    )

    @field_validator("statement")
    @classmethod
    def _goes_with_answer(cls, text: str | None, said: ValidationInfo) -> str | None:
        is_wanted = said.data.get("answer") is Answer.ATTACHES_STATEMENT
        return _only_where(text, "goes with attaches-statement, and with no other", is_wanted)


class RouteBody(_Body):
    """How the person wishes their GP to have it."""

    route: GpRoute
    clinician: Annotated[str, Field(max_length=_LONGEST_NAME)] | None = Field(
        default=None, validate_default=True
    )

    @field_validator("clinician")
    @classmethod
    def _goes_with_route(cls, text: str | None, said: ValidationInfo) -> str | None:
        is_wanted = said.data.get("route") is GpRoute.NAMED_CLINICIAN
        return _only_where(text, "goes with named-clinician, and with no other", is_wanted)


def _only_where(text: str | None, told: str, is_wanted: bool) -> str | None:  # noqa: FBT001  # of three
    """Return a text that is there where it is wanted, and only there."""
    if is_wanted != bool(text and text.strip()):
        raise ValueError(told)
    return text


class EmptyBody(_Body):
    """Nothing has to be said."""
