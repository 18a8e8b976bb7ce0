"""Tables as one HTML page, each by great-tables; it prints with its head on every page."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from mnbayes.base.text_table import Spanned
from mnbayes.exports.exhibit import Exhibit, unbroken
from mnbayes.report.kit.tables import great
from mnbayes.report.kit.templates import content_policy

_STYLE = """
body { font: 15px/1.4 "Times New Roman", Times, serif; margin: 2em auto; max-width: 68em;
  padding: 0 1em; color: #000; background: #fff; }
section { margin: 0 0 2.5em; break-inside: auto; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; border-top: 2px solid; border-bottom: 2px solid; }
caption { text-align: left; font-weight: bold; padding: 0 0 .4em; }
thead { display: table-header-group; border-bottom: 1px solid; }
th, td { padding: .2em .6em .2em 0; vertical-align: top; text-align: left; font-weight: normal; }
thead th { font-weight: bold; vertical-align: bottom; }
.gt_right { text-align: right; font-variant-numeric: tabular-nums; }
p { margin: .3em 0 0; font-size: 13px; }
tr { break-inside: avoid; }
"""


def document(exhibits: Sequence[Exhibit], title: str) -> bytes:
    """The page; every text is escaped."""
    body = Markup("\n").join(map(_section, exhibits))
    return (
        Markup(
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{}\n'
            '<meta name="viewport" content="width=device-width">\n'
            "<title>{}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}\n</main>\n</body>\n"
            "</html>\n"
        )
        .format(content_policy(), title, Markup(_STYLE), body)
        .encode("utf-8")
    )


def _section(exhibit: Exhibit) -> Markup:
    table = exhibit.table
    names = [f"column{place}" for place in range(len(table.head))]
    spanned = Spanned(
        pd.DataFrame([list(map(unbroken, row)) for row in table.rows], columns=names),
        exhibit.name,
        unbroken(exhibit.caption),
        dict(zip(names, map(unbroken, table.head), strict=True)),
        {},
        tuple(name for place, name in enumerate(names) if place in table.text),
    )
    notes = Markup("\n").join(
        Markup("<p>{}</p>").format(unbroken(note)) for note in exhibit.footnotes
    )
    return Markup('<section id="{}">\n{}\n{}\n</section>').format(
        exhibit.stem, great(spanned, counted=False), notes
    )
