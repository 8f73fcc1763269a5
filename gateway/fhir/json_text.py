"""Bytes to JSON tree and back, refusing what FHIR or safety forbids.

What enters: a body as received, or a tree. What leaves: a tree of plain Python values
(see `gateway.referral.json`), or UTF-8 bytes. It never repairs, guesses or drops, and no
fault quotes the body: places are given as line and column. Whether the tree is a FHIR
resource is not checked here (see `validate`).

Standards: RFC 8259 (JSON), FHIR R4 json.html (UTF-8, no duplicate keys, exact decimals).
"""

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Final, NoReturn

import simplejson

from gateway.errors import BodyTooLargeError, Fault, InvalidMessageError, IssueCode
from gateway.referral.json import Json, JsonObject

MAX_BYTES: Final = 5 * 1024 * 1024
"""Longest body read, in bytes, where the caller names no limit of its own."""

MAX_DEPTH: Final = 64
"""Deepest nesting read. A real BaRS message is about 12 deep."""

MAX_VALUES: Final = 40_000
"""Most values read, where the caller names no limit of its own; objects and arrays count too.

They cost by number, not by length: so many in identifiers, the dearest, take half a second on
their way through the door. A real message of 20 kB has about 1,000. XML is limited in tags,
of which an object has two: so much the same is taken in both formats."""

MAX_NUMBER_CHARACTERS: Final = 64
"""Longest number read, in characters. FHIR asks for 18 digits of a decimal at least."""

MAX_EXPONENT: Final = 400
"""Largest power of ten, either way: keeps `1E+999999999` from becoming a gigabyte."""

_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NOT_STRUCTURE: Final = bytes(set(range(256)) - set(b'[]{},"'))
_TOKEN: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)
_WITHOUT_HALVES: Final = re.compile(
    r"(?:[^\\]++|\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\(?!u[dD][89a-fA-F]).)*+", re.DOTALL
)
"""All before the first half of a surrogate pair; all there is where there is none."""
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_CONSTANTS: Final = frozenset({"NaN", "Infinity", "-Infinity"})


class _RefusedError(Exception):
    """A hook of the scanner met something that this reader refuses."""


class _DuplicateKeyError(_RefusedError):
    """One object names the same property twice."""


class _ConstantError(_RefusedError):
    """NaN or Infinity, which JSON does not have."""


class _NumberError(_RefusedError):
    """A number beyond what this reader takes."""


def read_json(
    body: bytes,
    *,
    max_bytes: int = MAX_BYTES,
    max_depth: int = MAX_DEPTH,
    max_values: int = MAX_VALUES,
) -> JsonObject:
    """Read one JSON object.

    Returns: the tree; key order kept, numbers as int, or as Decimal where written with a
    fraction or an exponent (`1.50` stays `1.50`).

    Raises:
        BodyTooLargeError: longer than `max_bytes`.
        InvalidMessageError: empty, not UTF-8, a byte order mark, not JSON, a property named
            twice in one object, NaN or Infinity, half a surrogate pair, nested deeper than
            `max_depth`, more than `max_values` (objects and arrays are values too), a number
            too long, or not an object at the top.
    """
    if len(body) > max_bytes:
        raise BodyTooLargeError(_too_long(max_bytes))
    text = _decode(body)
    _check_shape(body, max_depth, max_values)
    if _SURROGATE.search(text) is not None:
        _refuse_lone_surrogates(text)
    tree = _scan(text)
    if not isinstance(tree, dict):
        raise _refusal(
            IssueCode.STRUCTURE,
            "The body must be one JSON object: a resource with a resourceType.",
        )
    return tree


def read_own(body: bytes) -> JsonObject:
    """Read what this program wrote from a message: what it added may pass the door's limits."""
    return read_json(
        body, max_bytes=2 * MAX_BYTES, max_depth=2 * MAX_DEPTH, max_values=2 * MAX_VALUES
    )


def write_json(tree: Json) -> bytes:
    """Write `tree` as compact UTF-8, key order kept.

    A Decimal keeps every digit: `1.50` as `1.50`, `0.000000001` as itself; only a number
    with a positive exponent is written with one (`1E+2`), since `100` would be more precise.
    """
    text = simplejson.dumps(
        tree,
        ensure_ascii=False,
        separators=(",", ":"),
        use_decimal=False,
        allow_nan=False,
        encoding=None,
        namedtuple_as_object=False,
        tuple_as_array=False,
        default=_raw_decimal,
    )
    return text.encode()


def _raw_decimal(value: object) -> simplejson.RawJSON:
    if not isinstance(value, Decimal) or not value.is_finite():
        message = f"{type(value).__name__} has no place in a JSON tree"
        raise TypeError(message)
    exponent = value.as_tuple().exponent
    plain = isinstance(exponent, int) and exponent <= 0
    return simplejson.RawJSON(format(value, "f") if plain else str(value))


def _decode(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise _refusal(
            IssueCode.INVALID,
            "The body starts with a byte order mark; send UTF-8 without it.",
        )
    if not body.strip():
        raise _refusal(IssueCode.STRUCTURE, "The body is empty; send one JSON resource.")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"byte {error.start + 1}"
    raise _refusal(IssueCode.INVALID, f"The body is not UTF-8 from {where} on; encode it as UTF-8.")


def _check_shape(body: bytes, max_depth: int, max_values: int) -> None:
    """Refuse what nests too deep or holds too much, without parsing.

    Text that is not JSON may pass: the scanner refuses it afterwards, and before the place of
    its fault it holds no more than was counted here. The tags of narratives are read too, so
    there may be no more of them than of values.
    """
    if _count_tags(body) > max_values:
        raise _refusal(
            IssueCode.TOO_COSTLY,
            f"The JSON has more than {max_values} tags in its narratives; send less.",
        )
    skeleton = _skeleton(body, most_texts=2 * max_values)
    if skeleton is not None and b"[" * (max_depth + 1) in skeleton:
        raise _too_deep(max_depth)
    if skeleton is None or skeleton.count(b",") + skeleton.count(b"[") >= max_values:
        raise _refusal(
            IssueCode.TOO_COSTLY,
            f"The JSON has more than {max_values} values; send less, or in parts.",
        )
    if _is_deeper(skeleton.replace(b",", b""), max_depth):
        raise _too_deep(max_depth)


def _count_tags(body: bytes) -> int:
    written = body.count(b"<")
    if b"\\" in body:
        written += body.count(b"\\u003c") + body.count(b"\\u003C")
    return written


def _skeleton(body: bytes, most_texts: int) -> bytes | None:
    """Keep brackets, all of them square, and the commas between values.

    Returns: None where there are more texts, names among them, than so many values can have.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    structure = body.translate(_BRACKETS, _NOT_STRUCTURE)
    if structure.count(b'"') > 2 * most_texts:
        return None
    return b"".join(structure.split(b'"')[::2])


def _is_deeper(brackets: bytes, limit: int) -> bool:
    """Tell whether brackets nest deeper than a limit: peel the innermost pairs, level by level."""
    if brackets.count(b"]") > brackets.count(b"["):  # not JSON; there may be any number of them
        return False
    for _ in range(limit):
        peeled = brackets.replace(b"[]", b"")
        if len(peeled) == len(brackets):
            return False
        brackets = peeled
    return b"[]" in brackets


def _scan(text: str) -> Json:
    position: int | None = None
    try:
        tree: Json = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        code, message = (
            IssueCode.STRUCTURE,
            f"This is not JSON: {error.msg.removesuffix(' at')}",
        )
        position = error.pos
    except RecursionError:
        code, message = IssueCode.STRUCTURE, "The JSON is nested too deep"
    except _DuplicateKeyError:
        position = _find_duplicate_key(text)
        code, message = IssueCode.STRUCTURE, "One object names the same property twice"
    except _ConstantError:
        position = _find(text, _CONSTANTS.__contains__)
        code, message = IssueCode.STRUCTURE, "JSON has no NaN and no Infinity"
    except _NumberError:
        position = _find(text, _is_refused_number)
        code, message = (
            IssueCode.VALUE,
            "A number is longer or larger than is read here",
        )
    else:
        return tree
    raise _refusal(code, f"{message}{_place(text, position)}.")


def _unique(pairs: list[tuple[str, Json]]) -> JsonObject:
    tree = dict(pairs)
    if len(tree) != len(pairs):
        raise _DuplicateKeyError
    return tree


def _constant(_name: str) -> NoReturn:
    raise _ConstantError


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise _NumberError
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise _NumberError
    try:
        value = Decimal(text)
    except InvalidOperation:  # an exponent beyond what Decimal itself holds
        raise _NumberError from None
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) > MAX_EXPONENT:
        raise _NumberError
    return value


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_float=_decimal,
    parse_int=_integer,
    parse_constant=_constant,
)


def _refuse_lone_surrogates(text: str) -> None:
    """Refuse half a UTF-16 pair: no UTF-8 can carry it onwards."""
    before = _WITHOUT_HALVES.match(text)
    lone = _SURROGATE.match(text, before.end() if before else 0)
    if lone is not None:
        raise _refusal(
            IssueCode.INVALID,
            f"Half a surrogate pair is written as an escape{_place(text, lone.start())}.",
        )


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    return ((match[0], match.start()) for match in _TOKEN.finditer(text))


def _find(text: str, is_wanted: Callable[[str], bool]) -> int | None:
    return next((position for token, position in _tokens(text) if is_wanted(token)), None)


def _is_refused_number(token: str) -> bool:
    if token[0] not in "-0123456789":
        return False
    try:
        _decimal(token)
    except _NumberError:
        return True
    return False


def _find_duplicate_key(text: str) -> int | None:
    """Find the second naming. The scanner's hook knows that there is one, not where."""
    seen: list[set[str]] = []
    before, start = "", 0
    for token, position in _tokens(text):
        if token in "{[":
            seen.append(set())
        elif token in "}]":
            seen.pop()
        elif token == ":":
            key = json.loads(before)
            if key in seen[-1]:
                return start
            seen[-1].add(key)
        before, start = token, position
    return None  # pragma: no cover  # the scanner met one, so the loop has returned


def _place(text: str, position: int | None) -> str:
    if position is None:
        return ""
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f" at line {line}, column {column}"


def _too_deep(max_depth: int) -> InvalidMessageError:
    return _refusal(IssueCode.STRUCTURE, f"The JSON is nested deeper than {max_depth} levels.")


def _too_long(max_bytes: int) -> Fault:
    return Fault(
        code=IssueCode.TOO_LONG,
        diagnostics=f"The body is longer than {max_bytes} bytes; send less, or in parts.",
    )


def _refusal(code: IssueCode, diagnostics: str) -> InvalidMessageError:
    return InvalidMessageError(Fault(code=code, diagnostics=diagnostics))
