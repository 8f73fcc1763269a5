"""A readable document as PDF: the same bytes each time, with a title, a language and an outline.

What enters: a document. What leaves: the bytes of a PDF without scripts, links, forms or files. A
character that the font cannot show, or that would turn the order of the text, stands as its
number in square brackets, and the last section says so: none is dropped. Must never: take a
letter of the document for markup, or read the time.

Not done: tags, which the library does not write; a reader finds headings in the outline only.
"""

import gzip
import unicodedata
from functools import cache
from importlib.resources import files
from io import BytesIO
from itertools import groupby
from typing import Final
from xml.sax.saxutils import escape

from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase.pdfmetrics import registerFont, registerFontFamily
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate, Paragraph

from gateway.mapping.readable import (
    MOST_PAGES,
    Readable,
    Row,
    Section,
    check_bounds,
    lines_of,
    one_line,
    too_much,
)

_FONT: Final = "DejaVuSans"
_BOLD: Final = "DejaVuSans-Bold"
_MAKER: Final = "Referral gateway"
_MARGIN: Final = 20 * mm
_FOOT: Final = 12 * mm
_TURNING: Final = frozenset({"R", "AL", "AN", "RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "PDF"})
"""Bidirectional classes of characters that would be shown in the wrong order."""

_LAST: Final = 0xFFFF
"""Beyond it, the library draws a character but writes a number for it that cannot be read back."""

_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_TITLE: Final = ParagraphStyle("title", fontName=_BOLD, fontSize=16, leading=20, spaceAfter=8)
_HEADING: Final = ParagraphStyle(
    "heading", fontName=_BOLD, fontSize=12, leading=15, spaceBefore=10, spaceAfter=4
)
_ROW: Final = ParagraphStyle(
    "row", fontName=_FONT, fontSize=10, leading=13, spaceAfter=3, alignment=TA_LEFT
)


def write_pdf(document: Readable) -> bytes:
    """Write a document as PDF.

    Raises:
        InvalidMessageError: it is longer than is rendered.
    """
    document = _with_note(check_bounds(document))
    shown = _fonts()
    story: list[Flowable] = [_Heading(_markup(document.title, shown), _TITLE, document.title, 0)]
    for section in document.sections:
        story.append(_Heading(_markup(section.heading, shown), _HEADING, section.heading, 1))
        story += [_row(row, shown) for row in section.rows]
    written = BytesIO()
    pages = _Pages(written, document)
    pages.build(story)
    if pages.page > MOST_PAGES:
        raise too_much(f"more than {MOST_PAGES} pages")
    return written.getvalue()


class _Heading(Paragraph):  # type: ignore[misc]  # the library has no types
    """A paragraph that stands in the outline."""

    def __init__(self, markup: str, style: ParagraphStyle, text: str, level: int) -> None:
        super().__init__(markup, style)
        self.entry = (_legible(one_line(text), _fonts()), level)


class _Pages(BaseDocTemplate):  # type: ignore[misc]  # the library has no types
    """Pages of A4 with a footer; headings are put into the outline as they are placed."""

    def __init__(self, written: BytesIO, document: Readable) -> None:
        super().__init__(
            written,
            pagesize=A4,
            title=_legible(one_line(document.title), _fonts()),
            author=_MAKER,
            creator=_MAKER,
            subject="",
            lang="en-GB",
            displayDocTitle=1,
            invariant=1,
        )
        self._footer = _legible(one_line(document.footer), _fonts())
        self._headings = 0
        width, height = A4
        inside = (width - 2 * _MARGIN, height - 2 * _MARGIN)
        frame = Frame(_MARGIN, _MARGIN, *inside, leftPadding=0, rightPadding=0)
        self.addPageTemplates([PageTemplate(frames=[frame], onPage=self._foot)])

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802  # the library's name
        """Put a heading into the outline."""
        if isinstance(flowable, _Heading):
            text, level = flowable.entry
            self._headings += 1
            key = f"heading-{self._headings}"
            self.canv.bookmarkPage(key)
            self.canv.addOutlineEntry(text, key, level)

    def _foot(self, canvas: Canvas, _pages: BaseDocTemplate) -> None:
        canvas.saveState()
        canvas.setFont(_FONT, 8)
        canvas.drawString(_MARGIN, _FOOT, f"{self._footer}, page {canvas.getPageNumber()}")
        canvas.restoreState()


def _row(row: Row, shown: frozenset[int]) -> Paragraph:
    label = _markup(row.label, shown)
    lines = [escape(_legible(line, shown)) for line in lines_of(row.text)]
    return Paragraph(f'<font name="{_BOLD}">{label}:</font> ' + "<br/>".join(lines), _ROW)


def _markup(text: str, shown: frozenset[int]) -> str:
    return escape(_legible(one_line(text), shown))


def _with_note(document: Readable) -> Readable:
    """Say at the end that characters stand as numbers, where some do."""
    shown = _fonts()
    texts = [document.title, document.footer]
    for section in document.sections:
        texts += [section.heading, *(each for r in section.rows for each in (r.label, r.text))]
    lines = [line for text in texts for line in lines_of(text)]
    if all(_is_shown(each, shown) for line in lines for each in _composed(line)):
        return document
    text = (
        "Characters that this document cannot show stand as their Unicode numbers in square "
        "brackets. The sender's own words are kept by the gateway."
    )
    note = Section(heading="Characters", rows=(Row(label="Note", text=text),))
    return Readable(
        title=document.title, sections=(*document.sections, note), footer=document.footer
    )


def _legible(text: str, shown: frozenset[int]) -> str:
    """Write a line so that each of its characters is seen, in the order in which it stands."""
    said = []
    for is_shown, run in groupby(_composed(text), lambda each: _is_shown(each, shown)):
        letters = "".join(run)
        said.append(letters if is_shown else f"[{' '.join(f'U+{ord(c):04X}' for c in letters)}]")
    return "".join(said)


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\t", " "))


def _is_shown(character: str, shown: frozenset[int]) -> bool:
    return (
        ord(character) in shown
        and ord(character) <= _LAST
        and unicodedata.category(character) not in _UNSEEN
        and unicodedata.bidirectional(character) not in _TURNING
    )


@cache
def _fonts() -> frozenset[int]:
    """Make the fonts known to the library, once; return which characters both can show."""
    faces = []
    for name in (_FONT, _BOLD):
        packed = files("gateway.mapping").joinpath("fonts", f"{name}.ttf.gz").read_bytes()
        font = TTFont(name, BytesIO(gzip.decompress(packed)))
        registerFont(font)
        faces.append(frozenset(font.face.charToGlyph))
    registerFontFamily(_FONT, normal=_FONT, bold=_BOLD, italic=_FONT, boldItalic=_BOLD)
    return faces[0] & faces[1]
