"""Text of others, made safe for terminals and logs."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_ZERO_WIDTH_JOINER: Final = "\u200d"  # joins emoji and letters of some scripts, and moves nothing
_ESCAPED_BYTES: Final = range(0xDC80, 0xDD00)
"""The surrogates by which Python holds bytes of file names that are no UTF-8."""
_SHORT: Final = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def printable(text: str, *, keeps_lines: bool = False) -> str:
    r"""Return a text in which nothing commands a terminal, breaks a line of a log, or hides or turns letters.

    Control characters (ESC, CSI, BEL and the like), characters that set the direction of text, and bytes that
    are no UTF-8 become escapes as Python writes them: ``\x1b``, ``\u202e``. All else stays as it is.

    Args:
        text: File name, prompt, provenance, message of a server, or any other text of unknown origin.
        keeps_lines: Whether line feeds and tabs stay, for texts of several lines.
    """
    kept = f"\n\t{_ZERO_WIDTH_JOINER}" if keeps_lines else _ZERO_WIDTH_JOINER
    if text.isprintable():
        return text
    return "".join(
        character
        if character in kept or unicodedata.category(character) not in _UNSAFE
        else _escape(character)
        for character in text
    )


def _escape(character: str) -> str:
    code = ord(character)
    if code in _ESCAPED_BYTES:
        code -= 0xDC00
    if (short := _SHORT.get(character)) is not None:
        return short
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
