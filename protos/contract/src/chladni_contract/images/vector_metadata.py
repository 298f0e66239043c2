"""The text that an SVG or a PDF carries: an XML element, in SVG's metadata or in PDF's XMP, not deflated.

<chladni:provenance xmlns:chladni="urn:chladni">the text</chladni:provenance>
"""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import escape, unescape

# Nothing is tried twice in these, so that no file takes long, whatever it holds: hence `*+`, no `<` in tags.
_ELEMENT: Final = re.compile(rb"<chladni:provenance\b[^<>]*+>([^<]*+)</chladni:provenance\s*+>")
_SVG_START: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+"
    rb"(?:(?:<\?xml[^>]*+>|<!DOCTYPE[^>]*+>|<!--(?:(?!-->).)*+-->)\s*+)*+<svg\b",
    re.DOTALL,
)
_SEARCHED_BYTES: Final = 4096
_PDF_SIGNATURE: Final = b"%PDF-"


def vector_format_of(content: bytes) -> str:
    """Return ``svg`` or ``pdf``; empty if bytes begin like neither."""
    if content.startswith(_PDF_SIGNATURE):
        return "pdf"
    return "svg" if _SVG_START.match(content[:_SEARCHED_BYTES]) else ""


def provenance_element(text: str) -> str:
    """Return the element that makes a file carry a text."""
    return f'<chladni:provenance xmlns:chladni="urn:chladni">{escape(text)}</chladni:provenance>'


def find_element_text(content: bytes) -> str | None:
    """Return the text of the first such element; `None` if there is none.

    Raises:
        ValueError: It is no UTF-8.
    """
    found = _ELEMENT.search(content)
    return None if found is None else unescape(found[1].decode(), {"&quot;": '"', "&apos;": "'"})
