"""The div of a narrative inside FHIR XML, byte by byte as it was written.

What enters: a document with the place of a div in it, or the text of a div. What leaves: the
div alone, with every namespace that it needs. Whether it is basic formatting and nothing that
could act is not checked here (see `narrative`).
"""

import re
from collections.abc import Mapping
from typing import Final, NoReturn
from xml.parsers import expat

from gateway.referral.json import Json

XHTML: Final = "http://www.w3.org/1999/xhtml"
_TAG: Final = re.compile(rb"<(?:[^>\"']|\"[^\"]*\"|'[^']*')*+>")
_NAME: Final = re.compile(rb"<([^\s/>]+)")
_DECLARATION: Final = re.compile(rb"\s(xmlns(?::[^\s=]++)?)\s*=")
_ESCAPES: Final = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)


def escaped(text: str) -> str:
    """Write a text as the value of an attribute, so that it is read back exactly."""
    return text.translate(_ESCAPES)


def cut_out(document: bytes, first: int, last: int) -> bytes:
    """Cut out an element whose first tag begins at `first` and whose last one at `last`."""
    tag = _TAG.match(document, first)
    if tag is not None and tag[0].endswith(b"/>"):
        return tag[0]
    return document[first : document.index(b">", last) + 1]


def standing_alone(div: bytes, declared: Mapping[str | None, str | None]) -> bytes:
    """Carry into a div the namespaces that it uses and that were declared around it."""
    tag, name = _TAG.match(div), _NAME.match(div)
    if tag is None or name is None:
        return div
    own = set(_DECLARATION.findall(tag[0]))
    added = b""
    for prefix, uri in declared.items():
        declares = f"xmlns:{prefix}" if prefix else "xmlns"
        used = f"{prefix}:".encode() in div if prefix else b":" not in name[1]
        if used and declares.encode() not in own:
            added += f' {declares}="{escaped(uri or "")}"'.encode()
    return div[: name.end()] + added + div[name.end() :]


def narrative_in(div: Json) -> str:
    """Return the div element of a narrative as it was written, without what stands around it.

    Raises:
        ValueError: it is not one XHTML div.
    """
    body = div.encode() if isinstance(div, str) else b""
    finder = _Finder()
    try:
        finder.parser.Parse(body, True)  # noqa: FBT003  # expat's own signature
    except expat.ExpatError:
        _refuse()
    if finder.name != f"{XHTML} div":
        _refuse()
    return cut_out(body, finder.first, finder.last).decode()


class _Finder:
    """Finds where the root element begins, and where the tag begins that ends it."""

    def __init__(self) -> None:
        self.name = ""
        self.first = self.last = 0
        self.parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = _refuse

    def _start(self, name: str, _attributes: object) -> None:
        if not self.name:
            self.name, self.first = name, self.parser.CurrentByteIndex

    def _end(self, _name: str) -> None:
        self.last = self.parser.CurrentByteIndex


def _refuse(*_parts: object) -> NoReturn:
    msg = "a narrative is not one div of well-formed XHTML"
    raise ValueError(msg) from None
