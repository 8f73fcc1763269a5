"""The stylesheet and schema of the Health and Work service, ready for use by many threads.

What enters: the folder `mappings/health-and-work`, once. What leaves: transformed, checked and
canonical documents. Must never: fetch anything, read or write a file on a document's word, take
a document type and with it an entity, or quote a document.

Objects of lxml keep what they found wrong in themselves, and names in a dictionary of their
thread; so each thread compiles its own from the same bytes, the first time that it needs them.
Standards: XSLT 1.0; XML Schema 1.0; Canonical XML 1.0.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lxml import etree

from gateway.errors import ConfigError
from gateway.referral.identifiers import OWN_BASE

NAMESPACE = f"{OWN_BASE}/xml/health-and-work/1"
_DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
_NO_ACCESS = etree.XSLTAccessControl.DENY_ALL  # type: ignore[attr-defined]  # its stub
_TOO_LONG = "SCHEMAV_CVC_MAXLENGTH_VALID"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One place where a document is not what the schema says: names of elements, from the root."""

    path: str
    is_too_long: bool


class Unreadable(Exception):  # noqa: N818  # an answer, which its caller turns into an error
    """These bytes are not a document that is read here."""


@dataclass(frozen=True, slots=True)
class _Tools:
    sheet: etree.XSLT
    schema: etree.XMLSchema


class WorkSchema:
    """Transforms into documents of the service, and checks them."""

    def __init__(self, folder: Path) -> None:
        try:
            self._sheet = (folder / "health-and-work.xsl").read_bytes()
            self._schema = (folder / "health-and-work.xsd").read_bytes()
            self._local = threading.local()
            self._tools()
        except (OSError, Unreadable, etree.XSLTParseError, etree.XMLSchemaParseError) as error:
            msg = (
                "the stylesheet or the schema in mappings/health-and-work is missing or broken:"
                f" {error}"
            )
            raise ConfigError(msg) from error

    def transform(self, source: bytes, facts: Mapping[str, str]) -> etree._Element:
        """Apply the stylesheet to FHIR XML.

        Args:
            source: one resource.
            facts: parameters of the stylesheet, as texts.

        Raises:
            Unreadable: this cannot be transformed.
        """
        given = {name: etree.XSLT.strparam(text) for name, text in facts.items()}
        try:
            made = self._tools().sheet(read(source), **given)  # type: ignore[arg-type]  # its stub
        except etree.XSLTApplyError as error:
            msg = "the stylesheet gives up"
            raise Unreadable(msg) from error
        root: etree._Element | None = made.getroot()
        if root is None:
            msg = "the stylesheet makes nothing of it"
            raise Unreadable(msg)
        return root

    def mismatches(self, root: etree._Element) -> list[Mismatch]:
        """List where a document is not what the schema says; none: it is valid."""
        schema = self._tools().schema
        if schema.validate(root):
            return []
        found = [
            Mismatch(path=_names(root, each.path), is_too_long=each.type_name == _TOO_LONG)
            for each in schema.error_log  # type: ignore[attr-defined]  # its stub
        ]
        return list(dict.fromkeys(found)) or [Mismatch(path="", is_too_long=False)]

    def _tools(self) -> _Tools:
        tools: _Tools | None = getattr(self._local, "tools", None)
        if tools is None:
            tools = self._local.tools = _Tools(
                etree.XSLT(read(self._sheet), access_control=_NO_ACCESS),
                etree.XMLSchema(read(self._schema)),
            )
        return tools


def read(document: bytes) -> etree._Element:
    """Parse a document that may come from anybody.

    Raises:
        Unreadable: it is not well-formed UTF-8 XML of a usual size, or has a document type.
    """
    if b"<!DOCTYPE" in document:
        msg = "it has a document type"
        raise Unreadable(msg)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_pis=True,
        remove_comments=True,
    )
    try:
        return etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError):
        msg = "it is not XML in UTF-8"
        raise Unreadable(msg) from None


def written(root: etree._Element) -> bytes:
    """Write a document as canonical XML, after a declaration: the same bytes for the same."""
    return _DECLARATION + etree.tostring(root, method="c14n") + b"\n"


def named(tag: str) -> str:
    """Spell the name of an element of the service as lxml does."""
    return f"{{{NAMESPACE}}}{tag}"


def _names(root: etree._Element, path: str | None) -> str:
    """Spell the way to an element by names, without the root's; empty: unknown, or the root."""
    found = root.xpath(path) if path and "[namespace" not in path else None
    if not isinstance(found, list) or not found or not isinstance(found[0], etree._Element):  # noqa: SLF001  # lxml's public type has no other name
        return ""
    here = found[0]
    upward = [here, *here.iterancestors()]
    return "/".join(etree.QName(each).localname for each in reversed(upward[:-1]))
