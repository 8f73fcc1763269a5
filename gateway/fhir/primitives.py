"""The primitive types of FHIR R4 as JSON values: which are right, and how to say what is.

What enters: one JSON value. What leaves: whether it is a value of the type, and words for
what was wanted. Never quotes a value. Source: FHIR R4, datatypes.html, "Primitive Types".

Stricter than the standard's patterns in one way: a date must be in the calendar. Also a
text may hold no control characters but tab and line ends, as datatypes.html says in prose,
and neither of the two characters above them that XML cannot carry (XML 1.0, section 2.2).

No pattern keeps places to go back to in a repetition without an end: each is possessive.
Otherwise a long value would take a hundred times its own length in memory.
"""

import binascii
import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

from gateway.referral.json import Json

Accepts = Callable[[Json], bool]

_YEAR: Final = r"(?!0000)\d{4}"
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?:0[1-9]|1[0-2])"
_TIME: Final = r"(?:[01]\d|2[0-3]):[0-5]\d:(?:[0-5]\d|60)(?:\.\d+)?"
_ZONE: Final = r"(?:Z|[+-](?:(?:0\d|1[0-3]):[0-5]\d|14:00))"
_FULL_DATE: Final = f"{_YEAR}-{_MONTH}-{_DAY}"

_DATE: Final = re.compile(f"{_YEAR}(?:-{_MONTH}(?:-{_DAY})?)?", re.ASCII).fullmatch
_DATE_TIME: Final = re.compile(
    f"{_YEAR}(?:-{_MONTH}(?:-{_DAY}(?:T{_TIME}{_ZONE})?)?)?", re.ASCII
).fullmatch
_INSTANT: Final = re.compile(f"{_FULL_DATE}T{_TIME}{_ZONE}", re.ASCII).fullmatch
_NO_TEXT: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff"
_SOLID: Final = rf"[^\s{_NO_TEXT}]++"
_URI: Final = re.compile(_SOLID, re.ASCII).fullmatch
_CODE: Final = re.compile(f"{_SOLID}(?: {_SOLID})*+", re.ASCII).fullmatch
_CONTROL: Final = re.compile(f"[{_NO_TEXT}]").search
_BLANKS: Final = str.maketrans("", "", " \t\r\n")

_SAFE_DAY: Final = 28
"""The last day of the month that every month has."""
MAX_STRING_CHARACTERS: Final = 1024 * 1024
_MIN_INTEGER: Final = -(2**31)
_MAX_INTEGER: Final = 2**31 - 1


class JsonKind(StrEnum):
    """How JSON writes a value, in words for a fault."""

    STRING = "a JSON string"
    NUMBER = "a JSON number"
    BOOLEAN = "a JSON boolean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Primitive:
    """One type: the JSON kind it is written in, whether a value fits, and what fits."""

    json_kind: JsonKind
    accepts: Accepts
    wanted: str
    is_free_text: bool = False
    is_code_list: bool = False

    def is_written_right(self, value: Json) -> bool:
        """Say whether the value is of the JSON kind that the type is written in."""
        match self.json_kind:
            case JsonKind.STRING:
                return isinstance(value, str)
            case JsonKind.NUMBER:
                return isinstance(value, int | Decimal) and not isinstance(value, bool)
            case JsonKind.BOOLEAN:
                return isinstance(value, bool)
            case _:
                assert_never(self.json_kind)


def _matches(pattern: str) -> Accepts:
    match = re.compile(pattern, re.ASCII).fullmatch
    return lambda value: type(value) is str and match(value) is not None


def _is_string(value: Json) -> bool:
    if type(value) is not str or not value or len(value) > MAX_STRING_CHARACTERS:
        return False
    if value.isprintable():
        return not value.isspace()
    return _CONTROL(value) is None and not value.isspace()


def _is_uri(value: Json) -> bool:
    if type(value) is not str:
        return False
    if value.isprintable() and " " not in value:  # says quickly of most what the pattern says
        return value != ""
    return _URI(value) is not None


def _is_code(value: Json) -> bool:
    if type(value) is not str:
        return False
    if value.isprintable() and " " not in value:  # as in _is_uri
        return value != ""
    return _CODE(value) is not None


def _is_boolean(value: Json) -> bool:
    return value is True or value is False


def _is_whole_number_from(least: int) -> Accepts:
    return lambda value: type(value) is int and least <= value <= _MAX_INTEGER


def _is_decimal(value: Json) -> bool:
    return type(value) is int or isinstance(value, Decimal)


def _is_in_calendar(text: str) -> bool:
    day = int(text[8:10] or 1)
    return day <= _SAFE_DAY or day <= calendar.monthrange(int(text[:4]), int(text[5:7]))[1]


def _is_date(value: Json) -> bool:
    return type(value) is str and _DATE(value) is not None and _is_in_calendar(value)


def _is_date_time(value: Json) -> bool:
    return type(value) is str and _DATE_TIME(value) is not None and _is_in_calendar(value)


def _is_instant(value: Json) -> bool:
    return type(value) is str and _INSTANT(value) is not None and _is_in_calendar(value)


def _is_base64(value: Json) -> bool:
    if type(value) is not str or not value:
        return False
    try:
        return bool(binascii.a2b_base64(value.translate(_BLANKS), strict_mode=True))
    except ValueError:
        return False


def _text(accepts: Accepts, wanted: str) -> Primitive:
    return Primitive(json_kind=JsonKind.STRING, accepts=accepts, wanted=wanted)


def _number(accepts: Accepts, wanted: str) -> Primitive:
    return Primitive(json_kind=JsonKind.NUMBER, accepts=accepts, wanted=wanted)


_SOME_TEXT: Final = Primitive(
    json_kind=JsonKind.STRING,
    accepts=_is_string,
    wanted="text that is not blank and has no control characters, nor U+FFFE or U+FFFF",
    is_free_text=True,
)
_SOME_URI: Final = _text(_is_uri, "a URI without blanks")

PRIMITIVES: Final[Mapping[str, Primitive]] = {
    "base64Binary": _text(_is_base64, "padded base64"),
    "boolean": Primitive(json_kind=JsonKind.BOOLEAN, accepts=_is_boolean, wanted="true or false"),
    "canonical": _SOME_URI,
    "code": _text(_is_code, "a code: no blank at either end, no two blanks together"),
    "date": _text(_is_date, "a date in the calendar as YYYY, YYYY-MM or YYYY-MM-DD"),
    "dateTime": _text(
        _is_date_time,
        "a date as YYYY, YYYY-MM or YYYY-MM-DD, or date and time with seconds and time zone",
    ),
    "decimal": _number(_is_decimal, "a number"),
    "id": _text(
        _matches(r"[A-Za-z0-9\-.]{1,64}"), "1 to 64 letters, digits, hyphens or full stops"
    ),
    "instant": _text(_is_instant, "a date in the calendar and time with seconds and time zone"),
    "integer": _number(_is_whole_number_from(_MIN_INTEGER), "a whole number of 32 bits"),
    "markdown": _SOME_TEXT,
    "oid": _text(_matches(r"urn:oid:[0-2](?:\.(?:0|[1-9]\d*+))++"), "urn:oid: and an OID"),
    "positiveInt": _number(_is_whole_number_from(1), "a whole number from 1 to 2147483647"),
    "string": _SOME_TEXT,
    "time": _text(_matches(_TIME), "a time of day with seconds, without time zone"),
    "unsignedInt": _number(_is_whole_number_from(0), "a whole number from 0 to 2147483647"),
    "uri": _SOME_URI,
    "url": _SOME_URI,
    "uuid": _text(
        _matches(r"urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        "urn:uuid: and a UUID in lower case",
    ),
    "xhtml": _SOME_TEXT,
}

_CURRENCIES: Final = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BOV BRL BSD "
    "BTN BWP BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUC CUP CVE CZK DJF DKK DOP "
    "DZD EGP ERN ETB EUR FJD FKP GBP GEL GGP GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR "
    "ILS IMP INR IQD IRR ISK JEP JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR "
    "LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK "
    "NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP "
    "SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TVD TWD TZS UAH UGX USD USN "
    "UYI UYU UZS VEF VND VUV WST XAF XAG XAU XBA XBB XBC XBD XCD XDR XOF XPD XPF XPT XSU XTS "
    "XUA XXX YER ZAR ZMW ZWL".split()
)

_TOKEN: Final = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+\-]{0,126}"

OPEN_VALUE_SETS: Final[Mapping[str, Primitive]] = {
    "http://hl7.org/fhir/ValueSet/all-languages": _text(
        _matches(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8}+)*+"), "a BCP 47 language tag such as en-GB"
    ),
    "http://hl7.org/fhir/ValueSet/currencies": _text(
        lambda value: type(value) is str and value in _CURRENCIES,
        "an ISO 4217 currency code such as GBP",
    ),
    "http://hl7.org/fhir/ValueSet/mimetypes": _text(
        _matches(rf"{_TOKEN}/{_TOKEN}(?: ?; ?[^\s;]++)*+|json|xml|ttl"),
        "a media type such as application/pdf",
    ),
}
"""Required value sets that cannot be listed: a pattern or a list kept here stands for each."""
