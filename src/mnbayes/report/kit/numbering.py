"""Numbers of the report's tables and figures, and the links that refer to them.

The templates' macros leave a mark where a table or a figure stands, and where one is referred to.
They are counted when all pages are written, since a page may refer to a later one. A mark looks
like a comment of HTML: what a user's files hold is escaped, so that it cannot be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count

_MARK = re.compile(r"<!--(table|figure):([^>]*?)-->")
_REFERENCE = re.compile(r"<!--see:(table|figure):([^>]*?)-->")
#: Stands for the id of what a reader may ask for; two of each, the first in the button.
_ASKED = re.compile(r"<asked>(.*?)<asked>", re.DOTALL)


def numbered(pages: Mapping[str, str], letters: Mapping[str, str] | None = None) -> dict[str, str]:
    """Number tables and figures page by page, and link what refers to them.

    Parameters
    ----------
    pages : mapping
        File name to page, with marks.
    letters : mapping, optional
        File name to what its numbers begin with, such as ``A`` for the annex.

    Returns
    -------
    dict
        File name to page, without marks. A reference to what no page shows reads "the table" or
        "the figure" and links nothing.
    """
    found: dict[tuple[str, str], tuple[str, str]] = {}
    said: dict[str, str] = {}
    for file, page in pages.items():
        letter = (letters or {}).get(file, "")
        counters = {"table": count(1), "figure": count(1)}

        def number(
            match: re.Match[str],
            file: str = file,
            letter: str = letter,
            counters: Mapping[str, count[int]] = counters,
        ) -> str:
            kind, key = match.groups()
            own = f"{letter}{next(counters[kind])}"
            if key:
                found.setdefault((kind, key), (file, own))
            return f'<b class="number" id="{kind}-{own}">{kind.capitalize()} {own}.</b>'

        said[file] = _MARK.sub(number, page)
    return {file: _asked(_linked(page, file, found)) for file, page in said.items()}


def _linked(page: str, file: str, found: Mapping[tuple[str, str], tuple[str, str]]) -> str:
    def link(match: re.Match[str]) -> str:
        kind, key = match.groups()
        if (kind, key) not in found:
            return f"the {kind}"
        where, own = found[kind, key]
        target = f"#{kind}-{own}" if where == file else f"{where}#{kind}-{own}"
        return f'<a href="{target}">{kind.capitalize()} {own}</a>'

    return _REFERENCE.sub(link, page)


def _asked(page: str) -> str:
    numbers = count(1)

    def own(match: re.Match[str]) -> str:
        name = f"asked-{next(numbers)}"
        return f"{name}{match.group(1)}{name}"

    return _ASKED.sub(own, page)
