"""Pictures whose file the user names: ``--plot FILE``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mnbayes.base.problems import InputError, Problem
from mnbayes.report.kit.figures import as_it_stands, svg_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Endings, and the metadata that leave out date and version.
ENDINGS: dict[str, dict[str, None]] = {
    ".svg": {},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def plot_problems(path: Path | None) -> Iterator[Problem]:
    """What is wrong with the name of a picture."""
    if path is not None and (path.suffix.lower() not in ENDINGS or path.is_dir()):
        expected = f"a file name in {', '.join(ENDINGS)}"
        yield Problem("--plot", None, None, str(path), expected)


def check_plot(path: Path | None) -> None:
    """Refuse a picture's name of another kind before anything is worked out.

    Raises
    ------
    InputError
    """
    problems = list(plot_problems(path))
    if problems:
        raise InputError(problems)


def write_plot(figure: Figure, path: Path) -> None:
    """Write a figure in the format that the file's name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ending = path.suffix.lower()
    if ending == ".svg":
        path.write_bytes(svg_bytes(figure))
    else:
        as_it_stands(figure).savefig(path, format=ending[1:], dpi=150, metadata=ENDINGS[ending])
