"""Tables in LaTeX: booktabs rules, and longtable so that the head stands on every page.

The file is a whole document for pdfLaTeX, XeLaTeX or LuaLaTeX; a table can be cut out of it. Signs
that pdfLaTeX does not know are written as its commands.
"""

from __future__ import annotations

from collections.abc import Sequence

from mnbayes.exports.exhibit import Exhibit, unbroken

#: Characters with a meaning in LaTeX, and those of this program's tables that it lacks.
ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    # After a row's end a bracket or a star would be its argument; two dashes would be one.
    "[": "{[}",
    "]": "{]}",
    "-": "{-}",
    "*": "{*}",
    "\N{NO-BREAK SPACE}": "~",
    "−": r"\ensuremath{-}",
    "–": r"\textendash{}",
    "≥": r"\ensuremath{\geq}",
    "≤": r"\ensuremath{\leq}",
    "×": r"\texttimes{}",
    "±": r"\textpm{}",
    "†": r"\textdagger{}",
    "½": r"\textonehalf{}",
    "²": r"\texttwosuperior{}",
    "³": r"\textthreesuperior{}",
    "µ": r"\textmu{}",
    "…": r"\dots{}",
}
_START = r"""\documentclass[10pt,a4paper]{article}
\usepackage{iftex}
\ifPDFTeX
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
  \usepackage{textcomp}
\else
  \usepackage{fontspec}
\fi
\usepackage[margin=25mm]{geometry}
\usepackage{array,booktabs,caption,longtable,pdflscape}
\captionsetup{labelsep=period,labelfont=bf,justification=raggedright,singlelinecheck=false}
\setlength{\tabcolsep}{4pt}
\newcolumntype{L}[1]{>{\raggedright\arraybackslash}p{#1}}
\newcolumntype{R}[1]{>{\raggedleft\arraybackslash}p{#1}}
\begin{document}
"""


def document(exhibits: Sequence[Exhibit], title: str) -> bytes:
    """The file in UTF-8."""
    tables = "\n\\clearpage\n".join(map(_table, exhibits))
    # A comment ends with its line, and `printable` has taken line breaks out.
    return f"% {title}\n{_START}{tables}\n\\end{{document}}\n".encode()


def escaped(text: str) -> str:
    """A text without signs that LaTeX would obey."""
    return "".join(ESCAPES.get(character, character) for character in unbroken(text))


def _table(exhibit: Exhibit) -> str:
    table = exhibit.table
    # Each column has its two separations outside the width that is shared out.
    columns = "".join(
        f"{'L' if place in table.text else 'R'}"
        rf"{{\dimexpr {width:.4f}\linewidth-2\tabcolsep\relax}}"
        for place, width in enumerate(exhibit.widths)
    )
    head = " & ".join(map(escaped, table.head))
    lines = [
        *([r"\begin{landscape}"] if exhibit.across else []),
        rf"\setcounter{{table}}{{{exhibit.number - 1}}}",
        r"\begingroup\small",
        rf"\begin{{longtable}}{{@{{}}{columns}@{{}}}}",
        rf"\caption{{{escaped(table.caption)}}}\label{{tab:{exhibit.name.replace('_', '-')}}}\\",
        *(
            line
            for end in (r"\endfirsthead", r"\endhead")
            for line in (r"\toprule", rf"{head} \\", r"\midrule", end)
        ),
        r"\bottomrule",
        r"\endlastfoot",
        *(rf"{' & '.join(map(escaped, row))} \\" for row in table.rows),
        r"\end{longtable}",
        *(rf"\noindent\footnotesize {escaped(note)}\par" for note in exhibit.footnotes),
        r"\endgroup",
        *([r"\end{landscape}"] if exhibit.across else []),
    ]
    return "\n".join(lines)
