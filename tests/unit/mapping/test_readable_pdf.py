"""A readable document as PDF says all that it says, the same each time, and does nothing.

The PDF is read back with a library that shares nothing with the one that wrote it.
"""

import gzip
import hashlib
import re
from dataclasses import replace
from importlib.resources import files
from io import BytesIO
from typing import Any, cast

import pytest
from pypdf import PdfReader

from gateway.errors import InvalidMessageError
from gateway.mapping.readable import Readable, Row, Section
from gateway.mapping.readable_pdf import write_pdf
from tests.builders.readable import OUTCOME, many, note, render


def pdf_text(document: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(document)).pages)


def root_of(document: bytes) -> dict[str, Any]:
    return cast("dict[str, Any]", PdfReader(BytesIO(document)).trailer["/Root"])


def squeezed(text: str) -> str:
    return "".join(text.split())


def of_text(text: str) -> Readable:
    section = Section(heading="Heading", rows=(Row(label="Label", text=text),))
    return Readable(title="Title", sections=(section,), footer="Footer")


def test_the_pdf_says_all_that_the_text_says_in_its_order() -> None:
    document = render(OUTCOME)
    read = squeezed(pdf_text(write_pdf(document)))
    place = 0
    for section in document.sections:
        for said in [section.heading, *(f"{r.label}: {r.text}" for r in section.rows)]:
            place = read.index(squeezed(said), place) + 1


def test_each_writing_gives_the_same_bytes_with_no_time_of_day() -> None:
    document = write_pdf(render(OUTCOME))
    assert document == write_pdf(render(OUTCOME))
    metadata = PdfReader(BytesIO(document)).metadata
    assert metadata is not None
    dates = [str(metadata[key]) for key in ("/CreationDate", "/ModDate")]
    assert dates == ["D:20000101000000+00'00'"] * 2


def test_the_pdf_has_a_title_a_language_an_outline_and_a_number_on_each_page() -> None:
    document = write_pdf(of_text("line\n" * 200))
    reader, root = PdfReader(BytesIO(document)), root_of(document)
    assert reader.metadata is not None
    assert reader.metadata.title == "Title"
    assert root["/Lang"] == "en-GB"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"] is not None
    top, below = cast("tuple[dict[str, str], list[dict[str, str]]]", reader.outline)
    assert [top["/Title"], *(each["/Title"] for each in below)] == ["Title", "Heading"]
    pages = [page.extract_text() for page in reader.pages]
    assert len(pages) > 1
    assert all(f"Footer, page {number}" in text for number, text in enumerate(pages, start=1))


def test_the_pdf_holds_nothing_that_acts() -> None:
    hostile = render(
        note(code={"text": '<a href="javascript:x">'}, note=[{"text": "<img src='x'/>"}])
    )
    document = write_pdf(hostile)
    reader, root = PdfReader(BytesIO(document)), root_of(document)
    assert not {"/OpenAction", "/AA", "/AcroForm"} & set(root)
    assert not reader.attachments
    assert all("/Annots" not in page for page in reader.pages)
    assert "/JavaScript" not in str(root)


@pytest.mark.parametrize(
    "text",
    [
        "<b>bold</b>", "a & b", "&lt;", "<para>", "</para>", "<font size=99>", "<!-- x -->", "]]>",
        "<br/>", "<unclosed", "&#x41;", "%s {0} $x", "\\n", "<seq/>", "<img src='/etc/passwd'/>",
    ],
)  # fmt: skip
def test_markup_in_a_text_is_text(text: str) -> None:
    document = replace(of_text(text), title=text)
    document = replace(document, sections=(replace(document.sections[0], heading=text),))
    read = squeezed(pdf_text(write_pdf(document)))
    assert read.count(squeezed(text)) >= 3


@pytest.mark.parametrize(
    "name",
    [
        "Łukasz Wiśniewski", "Siân Ŵyn-Ŷ", "Nguyễn Thị Hạnh", "Ağaoğlu Şükrü", "Țăran Ștefan",
        "Ødegård Þór Ægir", "Ελένη Παπαδοπούλου", "Олена Ґудзь", "O\N{RIGHT SINGLE QUOTATION MARK}Neill",
    ],
)  # fmt: skip
def test_a_name_comes_out_as_it_is_written(name: str) -> None:
    assert squeezed(name) in squeezed(pdf_text(write_pdf(of_text(name))))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("李小龍", "[U+674E U+5C0F U+9F8D]"),
        ("שלום", "[U+05E9 U+05DC U+05D5 U+05DD]"),
        ("a\u202eb", "a[U+202E]b"),
        ("a\x00b", "a[U+0000]b"),
        ("a\u200bb", "a[U+200B]b"),
        ("a\ud800b", "a[U+D800]b"),
        ("\U0001f600", "[U+1F600]"),
    ],
)
def test_a_character_that_cannot_be_shown_stands_as_its_number(text: str, shown: str) -> None:
    read = pdf_text(write_pdf(of_text(text)))
    assert shown in read.replace("\n", " ")
    assert "Unicode numbers" in read
    assert "Unicode numbers" not in pdf_text(write_pdf(of_text("plain\ttext\r\nof two lines")))


def test_more_pages_than_are_rendered_are_refused() -> None:
    rows = tuple(Row(label="l", text="a\nb") for _ in range(100))
    sections = tuple(Section(heading="H", rows=rows) for _ in range(19))
    with pytest.raises(InvalidMessageError, match="pages"):
        write_pdf(
            Readable(title="T", sections=(*sections, many(1, "\n" * 1100).sections[0]), footer="F")
        )


def test_a_letter_and_its_accent_are_drawn_as_one() -> None:
    assert "Ŵyn" in pdf_text(write_pdf(of_text("W\N{COMBINING CIRCUMFLEX ACCENT}yn")))


def test_the_fonts_are_those_that_were_published() -> None:
    folder = files("gateway.mapping").joinpath("fonts")
    told = re.findall(
        r"`([\w.-]+\.gz)` \| `([0-9a-f]{64})`", folder.joinpath("README.md").read_text()
    )
    packed = {each.name for each in folder.iterdir() if each.name.endswith(".gz")}
    assert {name for name, _ in told} == packed
    for name, sha256 in told:
        unpacked = gzip.decompress(folder.joinpath(name).read_bytes())
        assert hashlib.sha256(unpacked).hexdigest() == sha256
