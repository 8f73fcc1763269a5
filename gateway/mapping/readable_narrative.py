"""The words of a narrative, without its form.

What enters: the XHTML of `Narrative.div`. What leaves: its text, a line for each block, a mark
before each item of a list. A picture is named, not shown. No entity is expanded and nothing is
fetched; there is no markup in what leaves.
"""

import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from gateway.errors import Fault, InvalidMessageError, IssueCode

_BLOCKS: Final = frozenset(
    "address blockquote br caption dd div dl dt h1 h2 h3 h4 h5 h6 hr li ol p pre table tr ul".split()
)
_CELLS: Final = frozenset({"td", "th"})
_BLANKS: Final = re.compile(r"[ \t\r\n]+")
_Element = etree._Element  # noqa: SLF001  # lxml names its type so


def narrative_text(div: str) -> str:
    """Return the words of a narrative.

    Raises:
        InvalidMessageError: it is not XHTML.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(div.encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError:
        raise _refusal() from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _refusal()
    lines = (_BLANKS.sub(" ", line).strip(" |") for line in "".join(_words(root)).split("\0"))
    return "\n".join(line for line in lines if line)


def _words(element: _Element) -> Iterator[str]:
    """Walk the text in order; a null stands where a line ends, since no XML holds one."""
    name = etree.QName(element).localname
    if name in _BLOCKS:
        yield "\0"
    if name == "li":
        yield "\N{BULLET} "
    if name == "img":
        yield f"[picture not shown: {element.get('alt') or 'no description'}]"
    yield element.text or ""
    for each in element:
        yield from _words(each)
        yield each.tail or ""
    if name in _CELLS:
        yield " | "
    if name in _BLOCKS:
        yield "\0"


def _refusal() -> InvalidMessageError:
    text = "A narrative is XHTML with no document type or named entities: write it so."
    fault = Fault(code=IssueCode.STRUCTURE, expression="Narrative.div", diagnostics=text)
    return InvalidMessageError(fault)
