"""Blocks of a page that scripts write: what stands between ``<!-- name -->`` and its end."""

from __future__ import annotations

from pathlib import Path


def with_block(page: str, name: str, block: str) -> str:
    """A page whose block of that name holds another text.

    Raises
    ------
    ValueError
        If the page does not have the two markers once each, in order.
    """
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, start, rest = page.partition(first)
    _, end, after = rest.partition(last)
    if not (start and end) or first in rest or last in after:
        raise ValueError(f"expected {first} and then {last}, once each")
    return f"{before}{first}\n{block}\n{last}{after}"


def write_block(page: Path, name: str, block: str) -> None:
    """Write a page's block anew; what else is there stays."""
    page.write_text(with_block(page.read_text(encoding="utf-8"), name, block), encoding="utf-8")
