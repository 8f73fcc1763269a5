"""What hides in HTML: things that act, and codes that no reader sees.

What enters: the text of an HTML document, or of `Narrative.div`. What leaves: what is wrong with
it, and whether it shows a person anything. Nothing is run, fetched or mended. What is not on the
list of elements and attributes counts as wrong. Sources: FHIR R4, narrative.html; HTML, RDFa
1.1 and microdata for the attributes that carry data.

Not checked: that it is well formed. A browser mends what is not, so it is read as one would.
"""

import html
import re
from collections.abc import Sequence
from enum import StrEnum
from html.parser import HTMLParser
from typing import Final

from gateway.referral.snomed import is_sctid


class Hidden(StrEnum):
    """What markup can hold beside text."""

    ACTIVE = "active"
    LOADS = "loads"
    CODE = "code"


NARRATIVE_TAGS: Final = frozenset(
    "a abbr acronym address b bdo big blockquote br caption cite code col colgroup dd dfn div dl "
    "dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p pre q samp small span strong sub sup table "
    "tbody td tfoot th thead tr tt ul var".split()
)
"""The elements of a FHIR narrative."""
DOCUMENT_TAGS: Final = NARRATIVE_TAGS | frozenset(
    "article body center dir figcaption figure footer font head header html ins del main mark meta "
    "s section strike style time title u wbr".split()
)
"""The elements of an attached HTML document that only show text."""
_ATTRIBUTES: Final = frozenset(
    "abbr accesskey align alt axis border cellpadding cellspacing char charoff charset cite class "
    "colspan coords dir frame headers height href hreflang id lang longdesc name nowrap rel rev "
    "rowspan rules scope shape span src start style summary tabindex title type valign value "
    "width xmlns xml:lang xml:space bgcolor color face size content http-equiv media".split()
)
_VOID: Final = frozenset({"br", "col", "hr", "img", "meta", "wbr"})
_DEEPEST: Final = 200
"""Elements that are open at once. More is no letter. Our choice."""
_LOADING: Final = frozenset({"src", "background", "srcset", "poster"})
_META: Final = frozenset({"charset", "name", "content", "http-equiv"})
_NOT_TEXT: Final = frozenset({"style", "title", "head"})
_PLAIN_META: Final = frozenset({"viewport", "author", "generator", "content-type", ""})
_GAPS: Final = re.compile(r"[\s\x00-\x20]+")
_ACTIVE_LINK: Final = re.compile(r"(?:javascript|vbscript|data|file|blob):", re.IGNORECASE)
_ACTIVE_STYLE: Final = re.compile(
    r"expression\s*\(|javascript:|behavior\s*:|-moz-binding|\\", re.IGNORECASE
)
_LOADING_STYLE: Final = re.compile(r"url\s*\(|@import|image-set\s*\(", re.IGNORECASE)
_ACTIVE_TEXT: Final = re.compile(r"<[\s/\x00]*script|<[^<>]*[\s/\"']on[a-z]+\s*=", re.IGNORECASE)
_UNCLOSED: Final = re.compile(r"<[^<>]*(?:<|\Z)")
"""A tag that does not end. Browsers guess at it, and the parser takes quadratic time over it."""
_NUMBER: Final = re.compile(r"(?<![0-9A-Fa-f-])[0-9]{6,18}(?![0-9A-Fa-f-])")
_COLON_MEANS_DATA: Final = frozenset({"rel", "rev", "class"})


class _Reader(HTMLParser):
    """Follows markup the way that a browser would, and notes what it holds."""

    def __init__(self, tags: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self.found: set[Hidden] = set()
        self.has_text = False
        self._tags = tags
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        if tag not in self._tags:
            self.found.add(Hidden.ACTIVE)
        if tag not in _VOID:
            self._inside.append(tag)
        if len(self._inside) > _DEEPEST:
            self._inside.pop()
            self.found.add(Hidden.ACTIVE)
        for name, value in attrs:
            self.found |= _wrong_with(tag, name, html.unescape(value or ""))
        if tag == "meta" and not _is_plain_meta(dict(attrs)):
            self.found.add(Hidden.CODE)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            while self._inside.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" in self._inside:
            self.found |= _wrong_with_style(data)
        elif data.strip() and not _NOT_TEXT & set(self._inside):
            self.has_text = True

    def handle_comment(self, _data: str) -> None:
        self.found.add(Hidden.CODE)

    def handle_pi(self, data: str) -> None:
        if not data.lower().startswith("xml "):
            self.found.add(Hidden.ACTIVE)

    def unknown_decl(self, _data: str) -> None:
        self.found.add(Hidden.ACTIVE)

    def handle_decl(self, decl: str) -> None:
        if "[" in decl or "entity" in decl.lower():
            self.found.add(Hidden.ACTIVE)


def _wrong_with(tag: str, name: str, value: str) -> set[Hidden]:
    """Say what is wrong with one attribute."""
    if name.startswith("on"):
        return {Hidden.ACTIVE}
    if name not in _ATTRIBUTES or (tag == "meta" and name not in _META):
        return {Hidden.CODE}
    if _ACTIVE_LINK.match(_GAPS.sub("", value)):
        return {Hidden.ACTIVE}
    if name in _LOADING and not value.startswith("#"):
        return {Hidden.LOADS}
    if name == "style":
        return _wrong_with_style(value)
    return {Hidden.CODE} if _carries_code(name, value) else set()


def _wrong_with_style(value: str) -> set[Hidden]:
    found = {Hidden.ACTIVE} if _ACTIVE_STYLE.search(value) else set()
    return found | ({Hidden.LOADS} if _LOADING_STYLE.search(value) else set())


def _carries_code(name: str, value: str) -> bool:
    """Whether an attribute that no reader sees holds a code."""
    if name in _COLON_MEANS_DATA and ":" in value:
        return True
    return any(is_sctid(number) for number in _NUMBER.findall(value))


def _is_plain_meta(attributes: dict[str, str | None]) -> bool:
    says = (attributes.get("name") or attributes.get("http-equiv") or "").lower()
    return says in _PLAIN_META


def read_markup(text: str, tags: frozenset[str]) -> tuple[frozenset[Hidden], bool]:
    """Say what markup holds beside text, and whether it shows any text."""
    if _UNCLOSED.search(text):
        return frozenset({Hidden.ACTIVE}), False
    reader = _Reader(tags)
    reader.feed(text)
    reader.close()
    if _ACTIVE_TEXT.search(text):
        reader.found.add(Hidden.ACTIVE)
    return frozenset(reader.found), reader.has_text
