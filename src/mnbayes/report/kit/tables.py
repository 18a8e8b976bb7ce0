"""Two kinds of tables: small ones for the template's macro, main ones by great-tables.

great-tables brings 8 kB of style sheet with every table, part of it for every table of the
page; its markup is kept (header cells, spanners and stubs are linked for screen readers) and
its style sheet is replaced by the report's own.
"""

from __future__ import annotations

import re
import warnings

import pyarrow as pa
from markupsafe import Markup

from mnbayes.base.text_table import Spanned


def great(table: Spanned, *, counted: bool = True) -> Markup:
    """The table by great-tables, without a style sheet.

    Parameters
    ----------
    table : Spanned
    counted : bool
        Whether the report numbers it.

    Returns
    -------
    Markup
        One ``<table>``; every cell, heading and the caption are escaped.
    """
    from great_tables import GT  # heavy

    first, *rest = table.columns
    # great-tables sets and reads cell by cell, which takes pandas two thirds of a table's time.
    texts = pa.table({name: [str(cell) for cell in table.frame[name]] for name in table.columns})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "PyArrow Table support is", UserWarning)
        made = GT(texts, rowname_col=first, id=table.name).tab_stubhead(table.labels[first])
    for number, (heading, columns) in enumerate(table.spanners.items()):
        made = made.tab_spanner(heading, list(columns), id=f"{table.name}-over-{number}")
    made = made.cols_label(**{column: table.labels[column] for column in rest})
    words = [column for column in rest if column in table.text]
    made = made.cols_align("right", columns=[c for c in rest if c not in words])
    made = made.cols_align("left", columns=words) if words else made
    html = re.sub(r"<style>.*?</style>", "", made.as_raw_html(), flags=re.DOTALL)
    body = html[html.index("<thead") : html.rindex("</table>")]
    mark = Markup("<!--table:{}--> ").format(table.name) if counted else ""
    caption = Markup("{}{}").format(mark, table.caption)
    return Markup('<table class="main"><caption><span>{}</span></caption>{}</table>').format(
        caption, Markup(body)
    )
