"""Whether a PDF only shows pages: no script, no action, no file inside, and nothing sealed.

What enters: the bytes of a PDF. What leaves: the names of the parts that it may not have, and
whether it could be read to its end. Names are searched in the whole file and in every stream
that inflates, not followed from the catalogue: a reader may take another way. Source: ISO
32000-1, 7.3.5 (names, `#xx`), 7.5.7 (object streams), 7.6 (encryption), 12.6 (actions).

Not checked: that it can be opened. Two bytes of a picture can look like a short name; such a
name counts only where what follows it is the value that it takes.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

MAX_INFLATED: Final = 20_000_000
"""Bytes that the streams of one file may inflate to. Our choice: four times the largest file."""
MAX_STREAMS: Final = 20_000
"""Streams of one file. Our choice."""

_GAP: Final = rb"(?:[\x00\t\n\x0c\r ]|%[^\r\n]*[\r\n])*"
_END: Final = rb"(?=[\x00\t\n\x0c\r /<>\[\](){}%]|$)"
_NAMES: Final = (
    b"JavaScript OpenAction Launch EmbeddedFile EmbeddedFiles RichMedia XFA SubmitForm ImportData"
)
_ACTIVE: Final = re.compile(rb"/(" + _NAMES.replace(b" ", b"|") + rb")" + _END)
_SHORT: Final = re.compile(
    rb"/(?:(JS)" + _GAP + rb"(?:[(<]|[0-9]+" + _GAP + rb"[0-9]+" + _GAP + rb"R)"
    rb"|(AA)" + _GAP + rb"(?:<<|[0-9]+" + _GAP + rb"[0-9]+" + _GAP + rb"R))"
)
_ENCRYPTED: Final = re.compile(rb"/Encrypt" + _END)
_ESCAPED: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM: Final = re.compile(rb"(?<!end)stream(?:\r\n|\n|\r)")
_OBJECT_STREAM: Final = re.compile(rb"/ObjStm" + _END)
_FILTER: Final = re.compile(rb"/(?:Filter|F)" + _GAP + rb"(\[[^\]]*\]|/[A-Za-z0-9]+|[0-9]+)")
_ONE_FLATE: Final = re.compile(rb"\[?" + _GAP + rb"/(?:FlateDecode|Fl)" + _GAP + rb"\]?")
_PREDICTOR: Final = re.compile(rb"/(?:DecodeParms|DP)" + _END)
_BLOCK: Final = 64
"""Bytes inflated at once, so that little before a damaged place is lost."""
_DICTIONARY_REACH: Final = 4096
"""Bytes before a stream in which its dictionary is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PdfFound:
    """The active parts of a PDF by name, and why it could not be read to its end, if so.

    `is_marked`: somewhere in it stands what was looked for besides.
    """

    active: frozenset[str]
    unread: str | None = None
    is_marked: bool = False


def read_pdf(data: bytes, marks: re.Pattern[bytes]) -> PdfFound:
    """Look for active parts in a PDF and in its streams, and for marks of the caller's."""
    plain, is_marked = _unescape(data), marks.search(data) is not None
    if _ENCRYPTED.search(plain):
        return PdfFound(active=_names(plain), unread="it is encrypted", is_marked=is_marked)
    active, total, unread = set(_names(plain)), 0, None
    for count, (opaque, inflated) in enumerate(_streams(data)):
        total += len(inflated)
        active |= _names(_unescape(inflated))
        is_marked = is_marked or marks.search(inflated) is not None
        if opaque:
            unread = "a stream of objects is packed in a way that is not read here"
        if total > MAX_INFLATED or count >= MAX_STREAMS:
            unread = "its streams are more, or inflate to more, than is read here"
            break
    return PdfFound(active=frozenset(active), unread=unread, is_marked=is_marked)


def _unescape(data: bytes) -> bytes:
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), data)


def _names(data: bytes) -> frozenset[str]:
    long = {match[1].decode() for match in _ACTIVE.finditer(data)}
    return frozenset(long | {(m[1] or m[2]).decode() for m in _SHORT.finditer(data)})


def _streams(data: bytes) -> Iterator[tuple[bool, bytes]]:
    """Yield each stream: whether it holds objects that stay unread, and what it inflates to."""
    for match in _STREAM.finditer(data):
        before = _unescape(data[max(0, match.start() - _DICTIONARY_REACH) : match.start()])
        dictionary = before[before.rfind(b"obj") + 3 :] if b" obj" in before else before
        inflated = _inflate(memoryview(data)[match.end() :])
        holds_objects = bool(_OBJECT_STREAM.search(dictionary))
        yield holds_objects and not _is_read(dictionary, inflated), inflated


def _is_read(dictionary: bytes, inflated: bytes) -> bool:
    """Whether what was inflated, or the file itself, shows the objects as a reader sees them."""
    packing = _FILTER.search(dictionary)
    if packing is None:
        return True
    is_simple = bool(_ONE_FLATE.fullmatch(packing[1])) and not _PREDICTOR.search(dictionary)
    return is_simple and bool(inflated)


def _inflate(data: memoryview) -> bytes:
    """Inflate what starts here, as far as it goes; nothing where it is not packed so.

    What a damaged stream gives before its damage counts: a reader shows that much.
    """
    packed, out, size = zlib.decompressobj(), [], 0
    for start in range(0, len(data), _BLOCK):
        try:
            piece = packed.decompress(data[start : start + _BLOCK], MAX_INFLATED)
        except zlib.error:
            break
        out.append(piece)
        size += len(piece)
        if packed.eof or size > MAX_INFLATED:
            break
    return b"".join(out)
