"""Tables as CSV that no spreadsheet runs and that read back as they were (``docs/outputs.md``).

The one place where a cell is defused, and where that is undone.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: What a spreadsheet takes for the begin of a formula, at the start of a cell or of what another
#: separator makes a cell; the last four are what some take for the first four.
_FORMULA = r"(?='*[=+\-@\t\r＝＋－＠])"
_START = r"(^|[;\t\r\n])"
_RUN, _DEFUSED = re.compile(f"{_START}{_FORMULA}"), re.compile(f"{_START}'{_FORMULA}")
#: A spreadsheet shows a number, and runs nothing.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

#: Columns of names and words, which stay text where they look like a number: patients may be
#: called 001, 1E5 or NA, an event 5, a card 2024.
TEXTS = frozenset(
    (
        *("model", "patient", "left_out", "marker", "other", "category", "kind", "by"),
        *("prior", "prior_set", "strongest_prior", "term", "rule", "study", "arm"),
        *("scenario", "strategy", "unseen", "treatment_class", "title", "note", "reason"),
        "reference",
    )
)


def defused(cell: str) -> str:
    """A cell before whose formula stands an apostrophe; one more, where some are there already.

    :func:`undone` gives the cell back, whatever it is.
    """
    return cell if _NUMBER.fullmatch(cell) else _RUN.sub(r"\1'", cell)


def undone(cell: str) -> str:
    """The cell that :func:`defused` was given."""
    return _DEFUSED.sub(r"\1", cell)


def csv_rows(rows: Iterable[Sequence[str]]) -> str:
    """Rows of texts as CSV, defused."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(defused, row) for row in rows)
    return text.getvalue()


def csv_table(table: pd.DataFrame) -> bytes:
    """A table as CSV in UTF-8, its texts defused."""
    from pandas.api.types import is_numeric_dtype

    texts = [name for name in table.columns if not is_numeric_dtype(table[name])]
    safe = {name: [defused(c) if isinstance(c, str) else c for c in table[name]] for name in texts}
    return table.assign(**safe).to_csv(index=False, lineterminator="\n").encode()


def read_csv_table(path: Path, texts: Iterable[str] = ()) -> pd.DataFrame:
    """What :func:`csv_table` wrote: :data:`TEXTS` as text, blank cells missing, NA a name.

    Parameters
    ----------
    path : Path
    texts : iterable of str
        More columns of text.

    Raises
    ------
    OSError, ValueError
        If it cannot be read, or is no such table.
    """
    import pandas as pd

    table: pd.DataFrame = pd.read_csv(
        path, dtype=dict.fromkeys((*TEXTS, *texts), "str"), keep_default_na=False, na_values=[""]
    )
    read = [str(name) for name in table if table[name].dtype == "str"]
    return table.assign(**{name: table[name].map(undone, na_action="ignore") for name in read})
