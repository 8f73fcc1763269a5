"""Is a narrative plain formatted text, as FHIR allows, and nothing that could act?

What enters: the XHTML of `Narrative.div`. What leaves: yes or no. No entity is expanded,
nothing is fetched. Source: FHIR R4, narrative.html: basic formatting, tables, lists, images,
links and inline style; no script, form, frame, object or event handler. It nests no deeper
than is read in XML, so that every narrative that is taken can be sent on in both formats.

Not checked: that an image or link can be reached, and that the text agrees with the data.
"""

import re
from typing import Final, NoReturn
from xml.parsers import expat

from gateway.fhir.json_text import MAX_DEPTH

_XHTML: Final = "http://www.w3.org/1999/xhtml"
_TAGS: Final = frozenset(
    "a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd dfn div dl "
    "dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre q samp small span strong sub sup table "
    "tbody td tfoot th thead tr tt ul var".split()
)
_ATTRIBUTES: Final = frozenset(
    "abbr accesskey align alt axis border cellpadding cellspacing char charoff charset cite class "
    "colspan coords dir frame headers height href hreflang id lang longdesc name nowrap rel rev "
    "rowspan rules scope shape span src start style summary tabindex title type valign value "
    "width".split()
)
_LINKS: Final = frozenset({"href", "src", "cite", "longdesc"})
_SAFE_LINK: Final = re.compile(
    r"(?:https?|mailto|tel|urn|cid):|data:image/(?:png|jpeg|gif);|[^:]*(?:[/?#]|$)", re.IGNORECASE
)
_ACTIVE_STYLE: Final = re.compile(r"url\s*\(|expression\s*\(|@import|javascript:", re.IGNORECASE)


class _NotBasicError(Exception):
    """The narrative holds something outside the basic formatting of FHIR."""


class _ContentError(Exception):
    """The narrative shows something: there is no need to read on."""


class _Reader:
    """Follows one narrative through the XML parser."""

    def __init__(self) -> None:
        self._depth = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, tag = name.rpartition(" ")
        if namespace != _XHTML or tag not in _TAGS or (not self._depth and tag != "div"):
            raise _NotBasicError
        if self._depth >= MAX_DEPTH:
            raise _NotBasicError
        for attribute, value in attributes.items():
            _check_attribute(attribute, value)
        self._depth += 1

    def end(self, _name: str) -> None:
        self._depth -= 1


def _check_attribute(name: str, value: str) -> None:
    namespace, _, local = name.rpartition(" ")
    if namespace == "http://www.w3.org/XML/1998/namespace" and local in {"lang", "space"}:
        return
    if namespace or local not in _ATTRIBUTES:
        raise _NotBasicError
    if local in _LINKS and not _SAFE_LINK.match(value.strip()):
        raise _NotBasicError
    if local == "style" and _ACTIVE_STYLE.search(value):
        raise _NotBasicError


def _parser() -> expat.XMLParserType:
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartDoctypeDeclHandler = _refuse
    parser.ProcessingInstructionHandler = _refuse
    return parser


def _refuse(*_parts: object) -> NoReturn:
    raise _NotBasicError


def _note_image(name: str, _attributes: object) -> None:
    if name == f"{_XHTML} img":
        raise _ContentError


def _note_text(text: str) -> None:
    if not text.isspace():
        raise _ContentError


def is_basic_html(div: str) -> bool:
    """Say whether `div` is well formed XHTML of permitted elements and attributes only.

    Elements nested deeper than `MAX_DEPTH`, the div among them, are not permitted.
    """
    reader, parser = _Reader(), _parser()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    try:
        parser.Parse(div.encode(errors="replace"), True)  # noqa: FBT003  # expat's own signature
    except (expat.ExpatError, _NotBasicError):
        return False
    return True


def has_content(div: str) -> bool:
    """Say whether `div` shows anything: text or an image. True where it cannot be read."""
    parser = _parser()
    parser.StartElementHandler = _note_image
    parser.CharacterDataHandler = _note_text
    shown = div.replace("\n", " ").replace("\r", " ")  # the parser hands over each line alone
    try:
        parser.Parse(shown.encode(errors="replace"), True)  # noqa: FBT003  # as above
    except (expat.ExpatError, _NotBasicError, _ContentError):
        return True
    return False
