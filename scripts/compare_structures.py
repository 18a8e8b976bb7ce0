"""Write the comparison of structures into docs/model-checks.md; a test holds the page to it.

Run ``python scripts/compare_structures.py``.
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import arviz as az
import pandas as pd

import mnbayes as mn
from mnbayes.analyses.checks.leave_one_out import By
from mnbayes.analyses.sensitivity.specifications import with_structure

PAGE = Path(__file__).parents[1] / "docs" / "model-checks.md"
MARKS = "<!-- compare -->", "<!-- /compare -->"
#: What is changed in the proteinuria card, with and without a drift of each patient.
STRUCTURES: dict[str, dict[str, Any]] = {
    "step": {"trajectory": "step", "residual": "normal"},
    "drift": {"trajectory": "drift", "residual": "normal"},
    "drift, Student-t": {"trajectory": "drift", "residual": "student_t"},
}
LEFT_OUT: tuple[By, ...] = ("measurement", "patient")


def compared(names: Sequence[str] = tuple(STRUCTURES)) -> pd.DataFrame:
    """``az.compare`` of the structures on the embedded synthetic cohort, by what is left out."""
    cohort, base = mn.embedded_cohort(), mn.load_card("proteinuria")
    fits = {}
    for name in names:
        fits[name] = mn.fit(with_structure(base, **STRUCTURES[name]), cohort)
    tables: list[pd.DataFrame] = []
    for by in LEFT_OUT:
        with warnings.catch_warnings():
            # Pareto k above its limit: the table counts them.
            warnings.filterwarnings("ignore", "Estimated shape parameter of Pareto", UserWarning)
            loos = {name: mn.integrated_loo(fit, by) for name, fit in fits.items()}
        table = az.compare(loos, round_to="none").loc[list(names)]
        poor = {name: int((loo.pareto_k > loo.good_k).sum()) for name, loo in loos.items()}
        count = {name: loo.n_data_points for name, loo in loos.items()}
        tables.append(table.assign(by=by, poor=pd.Series(poor), count=pd.Series(count)))
    table = pd.concat(tables).rename_axis("structure")
    return table.reset_index()


def written(table: pd.DataFrame) -> str:
    """The comparison in Markdown."""
    lines = [
        "| left out | structure | elpd | difference (SE) | Pareto k too high |",
        "|---" * 5 + "|",
    ]
    for _, row in table.iterrows():
        numbers = f"{row['elpd']:.1f}", f"{row['elpd_diff']:.1f} ({row['dse']:.1f})"
        poor = f"{row['poor']} of {row['count']}"
        cells = (row["by"], row["structure"], *(n.replace("-", "−") for n in numbers), poor)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Write the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.split(MARKS[0])[0], page.split(MARKS[1])[1]
    text = f"{before}{MARKS[0]}\n{written(compared())}\n{MARKS[1]}{after}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
