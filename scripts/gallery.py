"""Copy the pictures of docs/gallery.md from a run on the embedded cohort.

python scripts/gallery.py results/RUN    (a folder that `make fit` wrote)
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE, IMAGES = ROOT / "docs" / "gallery.md", ROOT / "docs" / "images" / "gallery"


def main() -> None:
    """Copy every picture that the page shows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, help="folder of a run on the embedded cohort")
    run = parser.parse_args().run
    if not json.loads((run / "run.json").read_text(encoding="utf-8"))["synthetic"]:
        raise SystemExit("The gallery shows the embedded synthetic cohort only.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in re.findall(r"images/gallery/([\w.]+\.svg)", PAGE.read_text(encoding="utf-8")):
        shutil.copy(run / "plots" / name, IMAGES / name)


if __name__ == "__main__":
    main()
