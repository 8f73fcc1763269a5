"""The terms of a shared-care agreement as JSON: read from a file, kept, and shown.

What enters: JSON of the shape below, or an agreement. What leaves: an agreement, or every fault
with its place; or the JSON of an agreement. A part that is left out does not exist: what is not
agreed is not there. Must never: repeat what was written; or take words that name a patient.

::

    {
      "responsibilities": [{"work": "prescribe", "party": "practice"},
                           {"work": "monitor", "party": "specialist"}],
      "support": {"contact": "advice line of the clinic", "confirmed_on": "2026-11-02",
                  "ends_on": "2027-11-01"},
      "resourcing": {"funder": "the ICB", "works": ["prescribe"]},
      "starts_on": "2026-12-01",
      "ends_on": "2027-11-30",
      "decision": "accepted"
    }

Source: the sharing rules, R27; the fields are those of `gateway/writeback/shared_care.py`.
"""

import json
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.mapping.free_words import refuse_nhs_number
from gateway.writeback.shared_care import (
    Party,
    PracticeDecision,
    Resourcing,
    Responsibility,
    SharedCareAgreement,
    SharedWork,
    SpecialistSupport,
)

LONGEST_NAME = 120
"""Characters of whom to turn to, and of who pays."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_STARTS_LATE = "is after ends_on: an agreement begins before it ends"
_TEXTS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not known here: leave it out, or see the help for the names",
    "enum": "is not one of the codes that are known here; the help lists them",
    "model_type": "is an object",
    "model_attributes_type": "is an object",
    "list_type": "is a list",
    "frozen_set_type": "is a list",
    "too_short": "is empty: leave it out where it is not agreed",
    "string_type": "is a text",
}


def _name(text: str) -> str:
    text = text.strip()
    if not 0 < len(text) <= LONGEST_NAME or not text.isprintable():
        msg = f"is 1 to {LONGEST_NAME} printable characters on one line"
        raise ValueError(msg)
    return refuse_nhs_number(text)


def _day(value: object) -> date:
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    msg = "is a day such as 2026-12-01, in quotes"
    raise ValueError(msg)


_Name = Annotated[str, AfterValidator(_name)]
_Day = Annotated[date, BeforeValidator(_day)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Task(_Part):
    work: SharedWork
    party: Party


class _Support(_Part):
    contact: _Name
    confirmed_on: _Day
    ends_on: _Day | None = None


class _Resourcing(_Part):
    funder: _Name
    works: Annotated[list[SharedWork], Field(min_length=1)]


class _Terms(_Part):
    responsibilities: Annotated[list[_Task], Field(min_length=1)] | None = None
    support: _Support | None = None
    resourcing: _Resourcing | None = None
    starts_on: _Day | None = None
    ends_on: _Day | None = None
    decision: PracticeDecision | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.starts_on and self.ends_on and self.starts_on > self.ends_on:
            raise ValueError(_STARTS_LATE)
        return self


def read_terms(body: bytes) -> SharedCareAgreement:
    """Read the terms of an agreement.

    Raises:
        InvalidMessageError: it is not JSON, or every fault at its place.
    """
    try:
        tree = json.loads(body)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict):
        text = "The file is a JSON object with the terms; the help shows one."
        raise InvalidMessageError(Fault(code=IssueCode.STRUCTURE, diagnostics=text))
    try:
        terms = _Terms.model_validate(tree)
    except ValidationError as error:
        faults = [_fault(each) for each in error.errors(include_input=False)]
        raise InvalidMessageError(*faults) from None
    return _agreement(terms)


def write_terms(agreement: SharedCareAgreement) -> str:
    """Write the terms of an agreement, so that `read_terms` makes the same of it."""
    parts = {
        "responsibilities": agreement.responsibilities
        and [{"work": each.work, "party": each.party} for each in agreement.responsibilities],
        "support": agreement.support
        and _without_nothing(
            contact=agreement.support.contact,
            confirmed_on=_written(agreement.support.confirmed_on),
            ends_on=_written(agreement.support.ends_on),
        ),
        "resourcing": agreement.resourcing
        and {
            "funder": agreement.resourcing.funder,
            "works": sorted(agreement.resourcing.works),
        },
        "starts_on": _written(agreement.starts_on),
        "ends_on": _written(agreement.ends_on),
        "decision": agreement.decision,
    }
    return json.dumps(_without_nothing(**parts))


def _agreement(terms: _Terms) -> SharedCareAgreement:
    support, paid = terms.support, terms.resourcing
    return SharedCareAgreement(
        was_read_whole=True,
        responsibilities=tuple(
            Responsibility(each.work, each.party) for each in terms.responsibilities
        )
        if terms.responsibilities
        else None,
        support=SpecialistSupport(
            contact=support.contact, confirmed_on=support.confirmed_on, ends_on=support.ends_on
        )
        if support
        else None,
        resourcing=Resourcing(funder=paid.funder, works=frozenset(paid.works)) if paid else None,
        starts_on=terms.starts_on,
        ends_on=terms.ends_on,
        decision=terms.decision,
    )


def _fault(error: Mapping[str, Any]) -> Fault:
    """Say what is wrong where; a name that the writer made up is not repeated."""
    kind, where = str(error["type"]), list(error["loc"])
    if kind == "extra_forbidden":
        where = where[:-1]
        text = "A field here is not known: the help shows the names."
        return Fault(code=IssueCode.STRUCTURE, expression=_place(where), diagnostics=text)
    text = str(error["ctx"]["error"]) if kind == "value_error" else _TEXTS.get(kind, "is not right")
    code = IssueCode.REQUIRED if kind == "missing" else IssueCode.VALUE
    place = "starts_on" if text == _STARTS_LATE else _place(where)
    return Fault(code=code, expression=place, diagnostics=f"This field {text}.")


def _place(where: list[int | str]) -> str | None:
    text = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in where)
    return text.removeprefix(".") or None


def _written(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _without_nothing(**parts: object) -> dict[str, object]:
    return {name: value for name, value in parts.items() if value is not None}
