"""Make the pictures of docs/arviz.md by running its code on a run's stored draws.

python scripts/arviz_figures.py results/RUN    (a folder that `make fit` wrote)

Every block of Python on the page is run in order, in one namespace; the picture that a block
draws last is saved under the name of the image below it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt

DOCS = Path(__file__).parents[1] / "docs"
#: A block of Python, and the image that follows it, if one does.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n!\[[^]]*\]\(([^)]+)\))?", re.DOTALL | re.MULTILINE)
DPI = 60


def main(run: Path, page: Path = DOCS / "arviz.md") -> None:
    """Run the page's code in a run's folder and write its pictures."""
    mpl.use("agg")
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    os.chdir(run)
    names: dict[str, Any] = {}
    for code, image in blocks:
        exec(code, names)
        if image:
            path = page.parent / image
            path.parent.mkdir(parents=True, exist_ok=True)
            plt.gcf().suptitle(
                names["tree"].attrs["title"], fontsize=9, color="0.4", ha="left", x=0.01
            )
            plt.gcf().savefig(path, dpi=DPI)
            print(f"{path.name}: {path.stat().st_size // 1000} kB")
        plt.close("all")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
