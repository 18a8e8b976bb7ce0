r"""Tables as RTF, as submissions to regulators and some journals ask for.

Each table begins a page, its head is repeated on each (``\trhdr``), and a row is not broken
(``\trkeep``). Every character beyond ASCII is written as its code (``\u``), so that no program
has to guess an encoding.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from mnbayes.exports.exhibit import Exhibit, unbroken

#: A4 with margins of an inch, in twips (1/1440 inch).
_SHORT, _LONG, _MARGIN = 11906, 16838, 1440
_START = (
    r"{\rtf1\ansi\ansicpg1252\uc1\deff0"
    r"{\fonttbl{\f0\froman\fcharset0 Times New Roman;}}"
    "\n"
)


def document(exhibits: Sequence[Exhibit], title: str) -> bytes:
    """The file; plain ASCII."""
    info = rf"{{\info{{\title {escaped(title)}}}}}"
    sections = r"\sect".join(_section(each) for each in exhibits)
    return f"{_START}{info}\n{sections}}}\n".encode("ascii")


def escaped(text: str) -> str:
    r"""A text in RTF: signs of its own escaped, others than ASCII as UTF-16 codes."""
    return "".join(map(_escaped, unbroken(text)))


def _escaped(character: str) -> str:
    if character in "\\{}":
        return f"\\{character}"
    if character.isascii():
        return character
    # A character beyond the basic plane is two codes; a code is a signed number of 16 bits.
    codes = character.encode("utf-16-le")
    return "".join(rf"\u{code}?" for code in struct.unpack(f"<{len(codes) // 2}h", codes))


def _section(exhibit: Exhibit) -> str:
    wide, high = (_LONG, _SHORT) if exhibit.across else (_SHORT, _LONG)
    across = r"\lndscpsxn" if exhibit.across else ""
    page = (
        rf"\sectd\sbkpage{across}\pgwsxn{wide}\pghsxn{high}"
        rf"\marglsxn{_MARGIN}\margrsxn{_MARGIN}\margtsxn{_MARGIN}\margbsxn{_MARGIN}"
    )
    caption = rf"\pard\plain\f0\fs20\keepn\sa80{{\b {escaped(exhibit.label)}.}} "
    caption += rf"{escaped(exhibit.table.caption)}\par"
    ends, reached = [], 0.0
    for width in exhibit.widths:
        reached += width * (wide - 2 * _MARGIN)
        ends.append(round(reached))
    rows = exhibit.table.rows
    lines = [_row(exhibit, exhibit.table.head, ends, first=True, last=not rows)]
    lines += [_row(exhibit, row, ends, last=row is rows[-1]) for row in rows]
    notes = [rf"\pard\plain\f0\fs18\sb40 {escaped(note)}\par" for note in exhibit.footnotes]
    return "\n".join([page, caption, *lines, *notes, ""])


def _row(
    exhibit: Exhibit,
    cells: Sequence[str],
    ends: Sequence[int],
    *,
    first: bool = False,
    last: bool = False,
) -> str:
    rules = r"\clbrdrt\brdrs\brdrw20" if first else ""
    rules += r"\clbrdrb\brdrs\brdrw10" if first and not last else ""
    rules += r"\clbrdrb\brdrs\brdrw20" if last else ""
    widths = "".join(rf"{rules}\cellx{end}" for end in ends)
    # A space ends a control word and belongs to it: the text begins after it.
    texts = "".join(
        rf"\pard\plain\intbl\f0\fs18\q{'l' if place in exhibit.table.text else 'r'}"
        rf"{chr(92) + 'b' if first else ''} {escaped(cell)}\cell"
        for place, cell in enumerate(cells)
    )
    head = r"\trhdr" if first else ""
    return rf"\trowd\trgaph80{head}\trkeep{widths}{texts}\row"
