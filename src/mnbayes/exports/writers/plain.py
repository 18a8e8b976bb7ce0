"""Tables as CSV: one file each, and one that lists their captions and footnotes.

With the mark of UTF-8 at the start, without which Excel takes accents for something else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mnbayes.base.csv_files import csv_rows
from mnbayes.exports.exhibit import Exhibit


def files(exhibits: Sequence[Exhibit]) -> dict[str, bytes]:
    """Every table in a file of its own, and ``captions.csv``."""
    found = {f"{each.stem}.csv": _csv([each.table.head, *each.table.rows]) for each in exhibits}
    said = [(f"{each.stem}.csv", each.caption, " ".join(each.footnotes)) for each in exhibits]
    return found | {"captions.csv": _csv([("file", "caption", "footnotes"), *said])}


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    return csv_rows(rows).encode("utf-8-sig")
