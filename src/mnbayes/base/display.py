"""What an object shows of itself: one screen, as text and as HTML made from the same rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from textwrap import wrap

from mnbayes.base.text_table import Table

#: Size of a screen, in lines and letters.
LINES, WIDTH = 24, 100
#: Most lines of one fact or note, and fewest letters of a column that is cut.
_WRAPPED, _LEAST = 3, 8


@dataclass(frozen=True)
class Screen:
    """What a person wants to see of an object first.

    Attributes
    ----------
    title : str
    facts : tuple of (str, str)
        Name and value; facts without a value are left out.
    tables : tuple of Table
    notes : tuple of str
        Below everything.
    """

    title: str
    facts: tuple[tuple[str, str], ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()


class Displayed:
    """An object whose ``repr`` is one screen, and its HTML the same in a notebook.

    A dataclass must say ``repr=False`` to keep it.
    """

    def _screen(self) -> Screen:
        raise NotImplementedError

    def __repr__(self) -> str:
        return as_text(self._screen())

    def __str__(self) -> str:
        return repr(self)

    def _repr_html_(self) -> str:
        return as_html(self._screen())


def listed_briefly(items: tuple[str, ...] | list[str], most: int = 8) -> str:
    """Items with commas, only the first of many: "MN01, MN02, … (40 in all)"."""
    if len(items) <= most:
        return ", ".join(items)
    return f"{', '.join(items[:most])}, … ({len(items)} in all)"


def as_text(screen: Screen) -> str:
    """A screen of at most :data:`LINES` lines of at most :data:`WIDTH` letters."""
    screen = _fitted(screen)
    lines = [*_head(screen)]
    for table in screen.tables:
        lines += _table(table)
    lines += _notes(screen)
    return "\n".join(lines[:LINES])


def as_html(screen: Screen) -> str:
    """The same rows as HTML; every text is escaped."""
    screen = _fitted(screen)
    parts = [f"<div><p><strong>{escape(screen.title)}</strong></p>"]
    if screen.facts:
        rows = "".join(
            f'<tr><th style="text-align: left">{escape(name)}</th>'
            f'<td style="text-align: left">{escape(value)}</td></tr>'
            for name, value in screen.facts
        )
        parts.append(f"<table><tbody>{rows}</tbody></table>")
    for table in screen.tables:
        head = "".join(_cell("th", cell, i in table.text) for i, cell in enumerate(table.head))
        rows = "".join(
            f"<tr>{''.join(_cell('td', cell, i in table.text) for i, cell in enumerate(row))}</tr>"
            for row in table.rows
        )
        caption = escape(table.caption)
        if caption:
            caption = f'<caption style="text-align: left">{caption}</caption>'
        parts.append(f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    parts += [f"<p>{escape(note)}</p>" for note in screen.notes]
    return "".join([*parts, "</div>"])


def _cell(tag: str, text: str, is_word: bool) -> str:
    side = "left" if is_word else "right"
    return f'<{tag} style="text-align: {side}">{escape(text)}</{tag}>'


def _clean(text: str) -> str:
    """A user's text on one line, without letters that move a terminal's cursor."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _fitted(screen: Screen) -> Screen:
    """A screen whose texts are clean and whose longest tables are cut to the lines there are."""
    tables = [
        replace(
            table,
            caption=_clean(table.caption),
            head=tuple(map(_clean, table.head)),
            rows=tuple(tuple(map(_clean, row)) for row in table.rows),
        )
        for table in screen.tables
        if table.rows
    ]
    screen = Screen(
        _clean(screen.title),
        tuple((name, _clean(value)) for name, value in screen.facts if value),
        (),
        tuple(_clean(note) for note in screen.notes if note),
    )
    # Each table has a caption and a head.
    room = LINES - len(_head(screen)) - len(_notes(screen)) - 2 * len(tables)
    kept = [len(table.rows) for table in tables]
    while sum(kept) > room and max(kept, default=0) > 1:
        kept[kept.index(max(kept))] -= 1
    return replace(screen, tables=tuple(map(_cut, tables, kept)))


def _cut(table: Table, rows: int) -> Table:
    """A table of that many rows; the last one says how many there are more."""
    if len(table.rows) <= rows:
        return table
    more = (f"… {len(table.rows) - rows + 1} more", *[""] * (len(table.head) - 1))
    return replace(table, rows=(*table.rows[: rows - 1], more))


def _head(screen: Screen) -> list[str]:
    name_width = max((len(name) for name, _ in screen.facts), default=0)
    lines = [_clipped(screen.title, WIDTH)]
    for name, value in screen.facts:
        indent = " " * (name_width + 4)
        lines += _wrapped(value, f"  {name:<{name_width}}  ", indent)
    return lines


def _notes(screen: Screen) -> list[str]:
    return [line for note in screen.notes for line in _wrapped(note, "", "")]


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return wrap(
        text,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        max_lines=_WRAPPED,
        placeholder=" …",
    )


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _table(table: Table) -> list[str]:
    """A table's lines; where they are too long its widest columns are cut."""
    cells = [table.head, *table.rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(table.head))]
    while sum(widths) + 2 * len(widths) > WIDTH and max(widths) > _LEAST:
        widths[widths.index(max(widths))] -= 1
    lines = [_clipped(table.caption, WIDTH)] if table.caption else []
    for row in cells:
        texts = [
            f"{_clipped(cell, width):{'<' if column in table.text else '>'}{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append(_clipped(f"  {'  '.join(texts)}".rstrip(), WIDTH))
    return lines
