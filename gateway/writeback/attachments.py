"""Whether the bytes of an attachment are what they say, and do nothing.

What enters: an Attachment or Binary as a JSON tree, and where it is. What leaves: what it is,
by its bytes and never by its label; what is wrong with it; whether a person can read it. Only
PDF, plain text, HTML and three kinds of picture are taken. REFUSE: the sender must mend it; HOLD:
a person must look. Sources: FHIR R4, Attachment; ITK3 20004, 20005 and 20015.

Not checked: that a picture or PDF opens, and what a picture shows.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.errors import Fault, IssueCode, Severity
from gateway.referral.json import JsonObject, string
from gateway.writeback.markup import DOCUMENT_TAGS, Hidden, read_markup
from gateway.writeback.pdf import PdfFound, read_pdf

MAX_BYTES: Final = 5_000_000
"""Bytes of a whole message. Source: ITK3 20015, "recommended maximum size limit is 5MB"."""


class Bearing(StrEnum):
    """What a fault means for the message."""

    REFUSE = "refuse"
    HOLD = "hold"


class FaultCode(StrEnum):
    """What can be wrong with a part of what was sent."""

    NOT_BASE64 = "not-base64"
    EMPTY = "empty"
    TOO_LARGE = "too-large"
    HASH_DIFFERS = "hash-differs"
    TYPE_NOT_TAKEN = "type-not-taken"
    TYPE_DIFFERS = "type-differs"
    ACTIVE_PDF = "active-pdf"
    UNREADABLE_PDF = "unreadable-pdf"
    ACTIVE_HTML = "active-html"
    LOADING_HTML = "loading-html"
    HIDDEN_DATA = "hidden-data"
    ELSEWHERE = "elsewhere"
    TOO_DEEP = "too-deep"


_ISSUES: Final = {
    FaultCode.TOO_LARGE: IssueCode.TOO_LONG,
    FaultCode.TOO_DEEP: IssueCode.TOO_COSTLY,
    FaultCode.TYPE_NOT_TAKEN: IssueCode.NOT_SUPPORTED,
    FaultCode.ACTIVE_PDF: IssueCode.SECURITY,
    FaultCode.ACTIVE_HTML: IssueCode.SECURITY,
    FaultCode.LOADING_HTML: IssueCode.SECURITY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFault:
    """One thing wrong with a part: what, where (FHIRPath), why, and how to mend it."""

    code: FaultCode
    bearing: Bearing
    expression: str
    why: str
    mend: str

    def as_fault(self) -> Fault:
        """Return it as a line of an OperationOutcome."""
        return Fault(
            severity=Severity.ERROR if self.bearing is Bearing.REFUSE else Severity.WARNING,
            code=_ISSUES.get(self.code, IssueCode.VALUE),
            expression=self.expression,
            diagnostics=f"{self.why} {self.mend}",
        )


class Kind(StrEnum):
    """What bytes are. The value is a media type where a practice can be sent it."""

    PDF = "application/pdf"
    TEXT = "text/plain"
    HTML = "text/html"
    JPEG = "image/jpeg"
    PNG = "image/png"
    TIFF = "image/tiff"
    DATA = "data"
    UNKNOWN = "unknown"


_SEEN: Final = frozenset({Kind.PDF, Kind.JPEG, Kind.PNG, Kind.TIFF})
"""What is shown to a person, and may hold data behind that."""
_MAGIC: Final = (
    (b"%PDF-", Kind.PDF),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"II*\x00", Kind.TIFF),
    (b"MM\x00*", Kind.TIFF),
)
_DATA_START: Final = re.compile(r"[{\[]\s*[\"{\[}\]]|(?:MSH|FHS|BHS)[^A-Za-z0-9\s]|UN[AB][+:]")
_DATA_INSIDE: Final = re.compile(
    r"\"resourceType\"|xmlns(?::\w+)?\s*=\s*[\"']http://hl7\.org/fhir|urn:hl7-org:"
    r"|<(?:\w+:)?ClinicalDocument|[\r\n]MSH\|",
    re.IGNORECASE,
)
_DATA_IN_BYTES: Final = re.compile(_DATA_INSIDE.pattern.encode(), re.IGNORECASE)
_PROLOG: Final = re.compile(
    r"\A\s*(?:<\?xml[^>]*>\s*|<!--[^>]*-->\s*|<!doctype\s+html[^>]*>\s*)*", re.IGNORECASE
)
_ROOT: Final = re.compile(r"<([A-Za-z][\w.:-]*)")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_ALIASES: Final = {"image/jpg": "image/jpeg", "image/tif": "image/tiff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What an attachment is. `hides_codes`: it is, or holds, data for a machine."""

    kind: Kind
    is_readable: bool
    hides_codes: bool
    faults: tuple[PartFault, ...]


def sniff(data: bytes) -> Kind:
    """Say what bytes are. DATA: made for a machine, such as FHIR, CDA, HL7 v2 or EDIFACT."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    text = _text_of(data)
    return Kind.UNKNOWN if text is None else sniff_text(text)


def sniff_text(text: str) -> Kind:
    """Say what a text is: DATA, HTML or TEXT."""
    start = _PROLOG.sub("", text, count=1)
    if _DATA_START.match(start) or _DATA_INSIDE.search(text):
        return Kind.DATA
    root = _ROOT.match(start)
    if root is None:
        return Kind.TEXT
    is_html = root[1].lower() in DOCUMENT_TAGS | _ACTIVE_ROOTS
    return Kind.HTML if is_html else Kind.DATA


_ACTIVE_ROOTS: Final = frozenset(
    {"html", "script", "iframe", "form", "svg", "object", "embed", "link"}
)
"""HTML, though not all of it is taken: what is not is refused as active, not as data."""


def _text_of(data: bytes) -> str | None:
    """Decode bytes as text; None where they are none."""
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in _UTF16 else "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not _CONTROL.search(text):
            return text.lstrip()
    return None


_UTF16: Final = frozenset({b"\xff\xfe", b"\xfe\xff"})


def inspect(attachment: JsonObject, at: str) -> Inspected:
    """Look at the bytes of an Attachment or Binary that carries its data.

    Args:
        attachment: has `data`; `contentType` and `hash` are checked against it.
        at: its FHIRPath.
    """
    data, fault = _decode(attachment.get("data"), at)
    if fault is not None:
        return Inspected(kind=Kind.UNKNOWN, is_readable=False, hides_codes=False, faults=(fault,))
    kind, declared = sniff(data), _declared(attachment)
    faults = [*_hash_faults(attachment, data, at), *_type_faults(kind, declared, at)]
    hides, shows = kind is Kind.DATA, kind in {Kind.PDF, Kind.TEXT}
    if kind in _SEEN:
        hides, behind = _look_behind(kind, data, at)
        faults += behind
    elif Kind.HTML in {kind, declared}:
        found, shows = read_markup(_text_of(data) or "", DOCUMENT_TAGS)
        faults += html_faults(found, at)
        hides = hides or Hidden.CODE in found
    is_readable = shows and not hides and not faults
    return Inspected(kind=kind, is_readable=is_readable, hides_codes=hides, faults=tuple(faults))


def _decode(data: object, at: str) -> tuple[bytes, PartFault | None]:
    """Decode base64; white space in it is let through, as NHS England's own example has it."""
    if not isinstance(data, str):
        return b"", _not_base64(at)
    if len(data) > MAX_BYTES:
        return b"", too_large(at)
    try:
        decoded = base64.b64decode(_WHITE_SPACE.sub("", data), validate=True)
    except (binascii.Error, ValueError):
        return b"", _not_base64(at)
    return decoded, None if decoded else empty(at)


_WHITE_SPACE: Final = re.compile(r"[ \t\r\n]+")


def _declared(attachment: JsonObject) -> str | None:
    """Return the media type that it claims, without parameters; None where it claims none."""
    claimed = string(attachment, "contentType")
    if claimed is None:
        return None
    plain = claimed.partition(";")[0].strip().lower()
    return _ALIASES.get(plain, plain)


def _hash_faults(attachment: JsonObject, data: bytes, at: str) -> list[PartFault]:
    claimed = attachment.get("hash")
    # FHIR fixes SHA-1 here; it finds damage, and is no seal.
    found = base64.b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode()
    if claimed is None or claimed == found:
        return []
    return [
        _refuse(
            FaultCode.HASH_DIFFERS,
            f"{at}.hash",
            "The hash is not that of the data.",
            "Send the base64 of the SHA-1 of the bytes, or leave the hash out.",
        )
    ]


def _type_faults(kind: Kind, declared: str | None, at: str) -> list[PartFault]:
    """Say whether the bytes are of a kind that is taken, and the kind that they claim."""
    if kind is Kind.UNKNOWN:
        return [
            _refuse(
                FaultCode.TYPE_NOT_TAKEN,
                at,
                "The bytes are of no kind that is taken.",
                "Send a PDF, plain text, HTML, or a JPEG, PNG or TIFF picture.",
            )
        ]
    is_text_as_html = kind is Kind.TEXT and declared == Kind.HTML
    is_honest_data = kind is Kind.DATA and declared not in set(Kind)
    if declared is None or declared == kind or is_text_as_html or is_honest_data:
        return []
    return [
        _refuse(
            FaultCode.TYPE_DIFFERS,
            f"{at}.contentType",
            "The bytes are of another kind than contentType says.",
            "Declare what they are.",
        )
    ]


def _look_behind(kind: Kind, data: bytes, at: str) -> tuple[bool, list[PartFault]]:
    """Say whether what is shown to a person holds data behind that, and all that is wrong so."""
    if kind is Kind.PDF:
        found = read_pdf(data, _DATA_IN_BYTES)
        hides, faults = found.is_marked, _pdf_faults(found, at)
    else:
        hides, faults = _DATA_IN_BYTES.search(data) is not None, []
    return hides, [*faults, _data_behind(at)] if hides else faults


def _data_behind(at: str) -> PartFault:
    """Say that data stands behind what a person sees; it would go to the practice with the file."""
    return _refuse(
        FaultCode.HIDDEN_DATA,
        at,
        "The file holds data for a machine beside what a person sees.",
        "Print it to a new PDF, or save the picture anew without its metadata.",
    )


def _pdf_faults(found: PdfFound, at: str) -> list[PartFault]:
    faults = []
    if found.active:
        names = ", ".join(f"/{name}" for name in sorted(found.active))
        faults.append(
            _refuse(
                FaultCode.ACTIVE_PDF,
                at,
                f"The PDF has parts that act or hold files: {names}.",
                "Print it to a new PDF, and send that.",
            )
        )
    if found.unread is not None:
        faults.append(
            PartFault(
                code=FaultCode.UNREADABLE_PDF,
                bearing=Bearing.HOLD,
                expression=at,
                why=f"The PDF cannot be looked into: {found.unread}.",
                mend="Send it without encryption, saved as a plain PDF; else a person looks.",
            )
        )
    return faults


_HTML_WORDS: Final = {
    Hidden.ACTIVE: (
        FaultCode.ACTIVE_HTML,
        "The HTML holds a script, a form, a frame, an event handler or another active part.",
    ),
    Hidden.LOADS: (FaultCode.LOADING_HTML, "The HTML loads something from elsewhere."),
    Hidden.CODE: (FaultCode.HIDDEN_DATA, "The HTML holds data or comments that no reader sees."),
}


def html_faults(found: frozenset[Hidden], at: str) -> list[PartFault]:
    """Say what is wrong with HTML or a narrative that holds more than text."""
    mend = "Send HTML that only shows text, or a PDF."
    return [_refuse(_HTML_WORDS[each][0], at, _HTML_WORDS[each][1], mend) for each in sorted(found)]


def _refuse(code: FaultCode, at: str, why: str, mend: str) -> PartFault:
    return PartFault(code=code, bearing=Bearing.REFUSE, expression=at, why=why, mend=mend)


def _not_base64(at: str) -> PartFault:
    return _refuse(
        FaultCode.NOT_BASE64, f"{at}.data", "The data is not base64.", "Encode the bytes as base64."
    )


def empty(at: str) -> PartFault:
    """Say that an attachment holds nothing."""
    return _refuse(
        FaultCode.EMPTY, at, "The attachment holds nothing.", "Send its bytes in `data`."
    )


def too_large(at: str) -> PartFault:
    """Say that the limit of a message is passed."""
    return _refuse(
        FaultCode.TOO_LARGE,
        at,
        f"It is larger than {MAX_BYTES:,} bytes, which practices may reject.",
        "Send fewer or smaller attachments.",
    )


def elsewhere(at: str) -> PartFault:
    """Say that the bytes are not in the message."""
    return PartFault(
        code=FaultCode.ELSEWHERE,
        bearing=Bearing.HOLD,
        expression=f"{at}.url",
        why="The bytes are not in the message, and nothing is fetched.",
        mend="Send them in `data`, or as a Binary in the same message.",
    )


def too_deep(at: str) -> PartFault:
    """Say that the message nests deeper than is read."""
    return _refuse(
        FaultCode.TOO_DEEP, at, "The message nests deeper than is read.", "Send it flatter."
    )
