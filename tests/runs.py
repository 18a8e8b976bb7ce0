"""Runs of tests: with their sections, as a page, as a folder, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from mnbayes.analyses.catalogue import catalogue
from mnbayes.answers.result import Result
from mnbayes.cards.definitions import Definitions
from mnbayes.report.page import render_report
from mnbayes.run.analysis import Shown, sections_of
from mnbayes.run.outputs import write_run
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Picture

#: Where pictures stand whose analysis has another name.
_HOME = {
    "gmr": "results",
    "trajectories": "results",
    "waterfall": "results",
    "response": "results",
    "prior": "results",
    "predictive": "checks",
    "subset": "subsets",
    "power": "sensitivity",
    "withdrawal": "withdrawal",
    "tipping": "withdrawal",
    "ranks": "computation",
}


def with_sections(
    run: Run,
    pictures: Mapping[str, Mapping[str, bytes]] | None = None,
    only: tuple[str, ...] = (),
) -> Run:
    """A run with its sections; pictures by model and name, as the pipeline draws them."""
    found: dict[str, dict[str, tuple[Picture, ...]]] = {}
    for model, own in (pictures or {}).items():
        for name, content in own.items():
            start = name.split("_")[0]
            analysis = _HOME.get(start, start)
            title = name.replace("_", " ").capitalize()
            made = Picture(name, title, f"{title}. Model: {model}.", content)
            models = found.setdefault(analysis, {})
            models[model] = (*models.get(model, ()), made)
    asked = [each for each in catalogue() if not only or each.name in only]
    return sections_of(replace(run, pictures={**run.pictures, **found}, sections=()), asked)


def page(run: Run, pictures: Mapping[str, Mapping[str, bytes]] | None = None) -> str:
    """The report of a run."""
    return render_report(with_sections(run, pictures))


def write(run: Run, folder: Path) -> None:
    """The folder of a run, without a report."""
    write_run(run if run.sections else with_sections(run), folder, None)


def drawn(
    result: Result, definitions: Definitions, synthetic: bool = True, *, repeated: bool = False
) -> list[Drawn]:
    """Every figure of a model, as its analyses draw it."""
    how = Shown(definitions, synthetic, repeated)
    return [
        each
        for analysis in catalogue()
        if analysis.figures is not None
        for each in analysis.figures(result, how)
    ]


def all_figures(
    result: Result, definitions: Definitions, synthetic: bool, *, repeated: bool = False
) -> dict[str, Figure]:
    """Every figure of a model by its name."""
    return {
        each.name: each.figure for each in drawn(result, definitions, synthetic, repeated=repeated)
    }


def with_part(result: Result, analysis: str, part: object) -> Result:
    """A result with another part of an analysis."""
    return replace(result, parts={**result.parts, analysis: part})
