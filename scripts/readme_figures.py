"""Make the README's pictures and print the numbers it quotes, from a run on the embedded cohort.

python scripts/readme_figures.py results/RUN    (a folder that `make fit` wrote)
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pandas as pd

#: Picture of a run to its name in ``docs/images``.
PICTURES = {
    "remission_trajectories_urine_protein_24h.svg": "trajectories.svg",
    "remission_arrows.svg": "arrows.svg",
}
IMAGES = Path(__file__).parents[1] / "docs" / "images"


def sentences(run: Path) -> list[str]:
    """The README's sentences on the embedded cohort, from a run's tables."""
    estimates = pd.read_csv(run / "estimates.csv").query(
        "model == 'remission' and marker == 'urine_protein_24h' and week == 12"
    )
    probabilities = pd.read_csv(run / "probabilities.csv").query(
        "model == 'remission' and quantity == 'next_patient' and week == 12"
    )
    gmr = estimates.iloc[0]
    following = probabilities.set_index("category").loc["remission"]
    return [
        f"24-h protein at week 12: {gmr['gmr_median']:.0%} of baseline "
        f"(95 % interval {gmr['gmr_lower']:.0%} to {gmr['gmr_upper']:.0%}; "
        f"prior alone {gmr['gmr_lower_prior']:.0%} to {gmr['gmr_upper_prior']:.0%})",
        f"next patient in remission: {following['probability']:.0%} "
        f"(prior alone {following['prior_probability']:.0%})",
    ]


def main(run: Path) -> None:
    """Copy the pictures into ``docs/images`` and print the sentences."""
    if not json.loads((run / "run.json").read_text(encoding="utf-8"))["synthetic"]:
        raise SystemExit("The README shows the embedded synthetic cohort only.")
    IMAGES.mkdir(parents=True, exist_ok=True)
    for picture, name in PICTURES.items():
        shutil.copy(run / "plots" / picture, IMAGES / name)
    for sentence in sentences(run):
        print(sentence)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
