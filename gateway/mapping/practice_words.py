"""What a practice writes when it changes what it shares: JSON bodies, terms files, reasons.

What enters: a tree of JSON or YAML, or a text. What leaves: checked values, or every fault with
its place. A field that is not known is refused, so that a misspelt one is noticed. Must never:
repeat what was written, or let an NHS number into what is written freely.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gateway.errors import Fault, InvalidMessageError, IssueCode
from gateway.mapping.directory_records import AgreementTerms
from gateway.mapping.free_words import refuse_nhs_number
from gateway.referral.directory import SwitchValue
from gateway.referral.identifiers import OdsCode
from gateway.referral.instants import read_instant

LONGEST_REASON = 500
"""Characters of a reason."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_MESSAGES = {
    "missing": "is required",
    "extra_forbidden": "is not known here",
    "string_type": "is a text",
    "enum": "is not one of the codes that are known here",
    "model_type": "is an object",
    "list_type": "is a list",
    "bool_type": "is true or false",
    "bool_parsing": "is true or false",
    "string_too_long": "is too long",
    "string_too_short": "is empty",
    "too_short": "is empty",
    "string_pattern_mismatch": "does not have the form that is wanted",
    **dict.fromkeys(
        ("int_type", "int_parsing", "int_from_float", "greater_than_equal", "less_than_equal"),
        "is a whole number in bounds",
    ),
    **dict.fromkeys(
        ("date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"),
        "is a date such as 2026-12-01",
    ),
}
_Body = TypeVar("_Body", bound=BaseModel)


def read_reason(text: str) -> str:
    """Read a practice's own words.

    Raises:
        ValueError: they are too long, hold what cannot be printed, or an NHS number.
    """
    text = text.strip()
    if not 0 < len(text) <= LONGEST_REASON or _UNPRINTABLE.search(text):
        msg = f"is 1 to {LONGEST_REASON} printable characters on one line"
        raise ValueError(msg)
    return refuse_nhs_number(text)


def _is_printable(text: str) -> str:
    if _UNPRINTABLE.search(text):
        msg = "holds a character that cannot be printed"
        raise ValueError(msg)
    return text


def _all_printable(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Refuse unprintable text anywhere in a tree, before its fields are looked at."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, str):
            _is_printable(each)
    return value


def _instant(value: object) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        msg = "is a text: write it in quotes"
        raise ValueError(msg)  # noqa: TRY004  # pydantic reports ValueError
    return read_instant(value)


Reason = Annotated[str, AfterValidator(read_reason)]
EffectiveAt = Annotated[datetime | None, BeforeValidator(_instant)]


class Said(BaseModel):
    """What every change may carry: from when it counts, and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    effective_at: EffectiveAt = None
    reason: Reason | None = None


class SwitchBody(Said):
    """Where a switch is to stand."""

    value: SwitchValue


class MoveBody(Said):
    """Withdraw, suspend or reinstate: nothing has to be said."""

    confirmed_by: Reason | None = None


class SigningBody(AgreementTerms, Said):
    """The terms that are signed, and with whom."""

    counterparty: Annotated[str, AfterValidator(lambda text: str(OdsCode(text)))] | None = None
    document_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    confirmed_by: Reason | None = None


def read_body(tree: Mapping[str, Any], model: type[_Body]) -> _Body:
    """Read a tree as one of the bodies above.

    Raises:
        InvalidMessageError: every fault, each at its field.
    """
    faults = [
        Fault(code=IssueCode.VALUE, expression=_place(model, (name,)), diagnostics=_sentence(text))
        for name, value in tree.items()
        for text in _faults_of(_all_printable, value)
    ]
    try:
        body = model.model_validate(tree)
    except ValidationError as error:
        faults += [_fault(model, each) for each in error.errors(include_input=False)]
        raise InvalidMessageError(*faults) from None
    if faults:
        raise InvalidMessageError(*faults)
    return body


def read_terms_file(body: bytes, **said: str | None) -> SigningBody:
    """Read a YAML file of terms; `said` are fields from elsewhere, which win.

    Raises:
        InvalidMessageError: it is not YAML, or every fault of its fields.
    """
    try:
        tree = yaml.safe_load(body)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError):
        tree = None
    if not isinstance(tree, dict) or not all(isinstance(name, str) for name in tree):
        text = "The file is YAML: a line for each field, such as kind: direct."
        raise InvalidMessageError(Fault(code=IssueCode.STRUCTURE, diagnostics=text))
    dates = {name: value.isoformat() for name, value in tree.items() if hasattr(value, "isoformat")}
    given = {name: value for name, value in said.items() if value is not None}
    return read_body(tree | dates | given, SigningBody)


def _faults_of(check: Callable[[Any], object], value: object) -> list[str]:
    try:
        check(value)
    except ValueError as error:
        return [str(error)]
    return []


def _fault(model: type[BaseModel], error: Mapping[str, Any]) -> Fault:
    kind, place = str(error["type"]), _place(model, error["loc"])
    text = _MESSAGES.get(kind)
    if kind == "value_error":
        text = str(error["ctx"]["error"])
    if place is None:
        known = ", ".join(sorted(model.model_fields))
        text = f"A field here is not known: the fields are {known}."
        return Fault(code=IssueCode.STRUCTURE, diagnostics=text)
    code = IssueCode.REQUIRED if kind == "missing" else IssueCode.VALUE
    wanted = _codes_of(error)
    return Fault(
        code=code, expression=place, diagnostics=_sentence(f"{text or 'cannot be taken'}{wanted}")
    )


def _place(model: type[BaseModel], where: Sequence[int | str]) -> str | None:
    """Name a field as FHIRPath would; None where it is a name that the sender made up."""
    if not where or where[0] not in model.model_fields:
        return None
    first, *rest = where
    return str(first) + "".join(f"[{each}]" for each in rest if isinstance(each, int))


def _codes_of(error: Mapping[str, Any]) -> str:
    if error["type"] != "enum":
        return ""
    return f": {error['ctx']['expected']}"


def _sentence(text: str) -> str:
    """Say what is wrong with a field: its name is beside it."""
    if text.startswith(("is ", "holds ", "does ", "cannot ")):
        return f"This field {text}."
    return f"{text[:1].upper()}{text[1:]}."
