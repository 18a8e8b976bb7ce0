"""Text of somebody else's: what no file may hold, and what a screen or a page would obey."""

from __future__ import annotations

import re

#: Control codes beside tab and line breaks, halves of a surrogate, and what is no character: no
#: SVG, no Word file and no terminal has a place for them.
_CODES = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
CONTROL = re.compile(f"[{_CODES}]")
#: Also what steers the direction of writing: it can show "12 %" as "21 %"; and line separators.
_OBEYED = re.compile(f"[{_CODES}\r\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

#: What means something to Markdown, and to those who read references in it.
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|&~@$^])")


def visible(text: str) -> str:
    """A text for a screen or a page: each character that they would obey is shown as "�".

    Line breaks and tabs stay.
    """
    return _OBEYED.sub("\N{REPLACEMENT CHARACTER}", text)


def markdown_text(text: object) -> str:
    """A text in Markdown that means nothing but itself."""
    return _MARKDOWN.sub(r"\\\1", str(text))
