"""Tables as a Word document: caption above, footnotes below, the head repeated on each page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING

from mnbayes.exports.exhibit import Exhibit, unbroken

if TYPE_CHECKING:
    from docx.document import Document
    from docx.oxml.xmlchemy import BaseOxmlElement
    from docx.table import Table

_FONT = "Times New Roman"
#: A4 with margins of an inch, in millimetres.
_SHORT, _LONG, _MARGIN = 210.0, 297.0, 25.4
#: Rules of a table: above and below it, and below its head, in eighths of a point.
_THICK, _THIN = "12", "6"


def document(exhibits: Sequence[Exhibit], title: str) -> bytes:
    """The file, the same bytes for the same tables save for the date of its making."""
    import docx  # heavy
    from docx.shared import Pt, RGBColor

    made = docx.Document()
    made.core_properties.title = title
    made.core_properties.author = ""
    made.core_properties.comments = ""
    made.core_properties.created = datetime.now(UTC)
    for style, size in (("Normal", 10), ("Caption", 10)):
        font = made.styles[style].font
        font.name, font.size, font.color.rgb = _FONT, Pt(size), RGBColor(0, 0, 0)
        font.bold = font.italic = False
    for place, exhibit in enumerate(exhibits):
        _page(made, exhibit, first=place == 0)
        caption = made.add_paragraph(style="Caption")
        caption.paragraph_format.keep_with_next = True
        caption.add_run(f"{exhibit.label}.").bold = True
        caption.add_run(f" {unbroken(exhibit.table.caption)}")
        _fill(made, exhibit)
        for note in exhibit.footnotes:
            paragraph = made.add_paragraph()
            paragraph.paragraph_format.space_before = Pt(2)
            paragraph.paragraph_format.space_after = Pt(0)
            paragraph.add_run(unbroken(note)).font.size = Pt(9)
    content = BytesIO()
    made.save(content)
    return content.getvalue()


def _page(made: Document, exhibit: Exhibit, *, first: bool) -> None:
    """Begin a page of the right way up."""
    from docx.enum.section import WD_ORIENT, WD_SECTION
    from docx.shared import Mm

    section = made.sections[0] if first else made.add_section(WD_SECTION.NEW_PAGE)
    across = exhibit.across
    section.orientation = WD_ORIENT.LANDSCAPE if across else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = (
        Mm(_LONG if across else _SHORT),
        Mm(_SHORT if across else _LONG),
    )
    section.left_margin = section.right_margin = Mm(_MARGIN)
    section.top_margin = section.bottom_margin = Mm(_MARGIN)


def _fill(made: Document, exhibit: Exhibit) -> None:
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.shared import Mm, Pt

    source = exhibit.table
    texts = (source.head, *source.rows)
    table = made.add_table(rows=len(texts), cols=len(source.head))
    table.autofit = False
    room = (_LONG if exhibit.across else _SHORT) - 2 * _MARGIN
    for column, width in zip(table.columns, exhibit.widths, strict=True):
        column.width = Mm(room * width)
    for number, (row, cells) in enumerate(zip(table.rows, texts, strict=True)):
        for place, (cell, text) in enumerate(zip(row.cells, cells, strict=True)):
            cell.width = Mm(room * exhibit.widths[place])
            paragraph = cell.paragraphs[0]
            run = paragraph.add_run(unbroken(text))
            run.font.size, run.bold = Pt(9), number == 0
            paragraph.paragraph_format.space_after = Pt(2)
            paragraph.paragraph_format.space_before = Pt(2)
            if place not in source.text:
                paragraph.alignment = WD_ALIGN_PARAGRAPH.RIGHT
    _rule(made, table)


def _rule(made: Document, table: Table) -> None:
    """Rules of a table, its head repeated, its rows whole; the last table of a document."""
    from docx.oxml.ns import qn

    drawn = list(made.element.body.iter(qn("w:tbl")))[-1]
    properties = drawn.find(qn("w:tblPr"))
    borders = _element("w:tblBorders")
    for side, size in (("top", _THICK), ("bottom", _THICK)):
        borders.append(_line(side, size))
    _insert(properties, borders, before=("w:shd", "w:tblLayout", "w:tblCellMar", "w:tblLook"))
    for number, row in enumerate(drawn.iter(qn("w:tr"))):
        settings = row.get_or_add_trPr()
        settings.append(_element("w:cantSplit"))
        if number == 0:
            settings.append(_element("w:tblHeader"))
            for cell in row.iter(qn("w:tc")):
                under = _element("w:tcBorders")
                under.append(_line("bottom", _THIN))
                cell.get_or_add_tcPr().append(under)


def _element(name: str, **attributes: str) -> BaseOxmlElement:
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    made = OxmlElement(name)
    for key, value in attributes.items():
        made.set(qn(f"w:{key}"), value)
    return made


def _line(side: str, size: str) -> BaseOxmlElement:
    return _element(f"w:{side}", val="single", sz=size, space="0", color="000000")


def _insert(parent: BaseOxmlElement, child: BaseOxmlElement, before: Sequence[str]) -> None:
    """Put an element where the schema wants it: before any of some others."""
    from docx.oxml.ns import qn

    names = {qn(name) for name in before}
    place = next((i for i, each in enumerate(parent) if each.tag in names), len(parent))
    parent.insert(place, child)
