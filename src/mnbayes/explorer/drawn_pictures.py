"""Pictures that a page drew itself and hands over to be taken along, as SVG or PDF."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from typing import Any

from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.exports.figures import titled_pdfs

#: What a person may choose.
FORMATS = ("svg", "pdf")
#: Most pictures that are read: each patient's course for each marker, and a few more.
MOST_PICTURES = 500
_TITLE = re.compile(r"<title[^>]*>([^<]*)</title>")
#: What a file of synthetic patients is called by.
_SYNTHETIC = "SYNTHETIC: "


def read_pictures(said: Mapping[str, Any], *, synthetic: bool) -> dict[str, bytes]:
    """Pictures of a page as files.

    Parameters
    ----------
    said : mapping
        ``pictures``, SVG by a name of letters alone (others are left out), and ``format``, one of
        :data:`FORMATS` or nothing for the first.
    synthetic : bool
        Whether the cohort is: the title of each PDF then says so, as the page's own SVG does.

    Returns
    -------
    dict
        Name of a file to its bytes.

    Raises
    ------
    InputError
        If there are too many, one cannot be read, or there is no such format.
    """
    kind = said.get("format", FORMATS[0])
    if kind not in FORMATS:
        raise _refused("format", quoted(kind), f"one of {', '.join(FORMATS)}")
    given = said.get("pictures")
    found = {
        name: text
        for name, text in (given if isinstance(given, dict) else {}).items()
        if isinstance(name, str) and name.isidentifier() and isinstance(text, str)
    }
    if len(found) > MOST_PICTURES:
        raise _refused("pictures", f"{len(found):,}", f"at most {MOST_PICTURES}")
    drawn = {name: text.encode("utf-8", "replace") for name, text in found.items()}
    if kind == "svg" or not drawn:
        return {f"{name}.svg": content for name, content in drawn.items()}

    figures = [(name, title_of(found[name], name, synthetic), drawn[name]) for name in found]
    return {f"{name}.pdf": made for name, made in zip(found, titled_pdfs(figures), strict=True)}


def title_of(svg: str, name: str, synthetic: bool) -> str:
    """The title that a picture has itself, or its name; of synthetic patients it says so."""
    own = _TITLE.search(svg)
    title = html.unescape(own[1]).strip() if own else ""
    title = title or name
    return title if title.startswith(_SYNTHETIC) or not synthetic else _SYNTHETIC + title


def _refused(key: str, found: str, expected: str) -> InputError:
    return InputError([Problem("the page", None, key, found, expected)])
