"""Runs of tests: with their sections, as a page, as a folder, and their figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.text import Text
from trees import make_tree

from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import Result
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import Observations, observations
from mnbayes.inference.contract import recorded
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.inference.fit import Fit, Sampling
from mnbayes.report.page import render_pages
from mnbayes.run.analysis import Shown, sections_of
from mnbayes.run.outputs import write_run
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Picture

GOOD = Diagnostics(0, 1.001, 2000.0, 1800.0, 0.9, ())
BAD = replace(GOOD, divergences=3, reasons=("3 divergent transitions",))
DEFINITIONS = load_definitions()

#: Where pictures stand whose analysis has another name.
_HOME = {
    "gmr": "results",
    "trajectories": "results",
    "arrows": "results",
    "response": "results",
    "prior": "results",
    "left": "checks",
    "pit": "checks",
    "patient": "checks",
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


def pages(run: Run, pictures: Mapping[str, Mapping[str, bytes]] | None = None) -> dict[str, str]:
    """Every page of a run's report by its file."""
    return render_pages(with_sections(run, pictures))


def page(run: Run, pictures: Mapping[str, Mapping[str, bytes]] | None = None) -> str:
    """The report of a run, without the files beside it."""
    return pages(run, pictures)["report.html"]


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


def texts(figure: Figure) -> str:
    """All that is written on a figure, line breaks as spaces."""
    found = (" ".join(artist.get_text().split()) for artist in figure.findobj(Text))
    return " | ".join(found)


def with_part(result: Result, analysis: str, part: object) -> Result:
    """A result with another part of an analysis."""
    return replace(result, parts={**result.parts, analysis: part})


def parameter_table(name: str = "change_mean") -> pd.DataFrame:
    """The diagnostics of a parameter that mixed well."""
    numbers = {"mean": -0.70123, "sd": 0.2, "mcse_mean": 0.004, "rhat": 1.001}
    numbers |= {"ess_bulk": 900.0, "ess_tail": 800.0}
    return pd.DataFrame({"parameter": [name]} | {key: [value] for key, value in numbers.items()})


def step(card: Card) -> Card:
    """The card without a drift, as the trees here are unless they say so."""
    structure = card.structure.model_copy(update={"trajectory": "step"})
    return card.model_copy(update={"structure": structure})


def unsampled(
    card: Card,
    cohort: Cohort,
    sampling: Sampling | None = None,
    progress: object = None,
    *,
    diagnostics: Diagnostics = GOOD,
    **options: object,
) -> Fit:
    """A fit that nobody sampled: draws near the measurements, other ones for another seed.

    Its patients do not drift unless ``hyper`` says so, and neither does its card.
    """
    sampling = sampling or Sampling(draws=100)
    data = observations(card, cohort)
    if getattr(options.get("hyper"), "serial_sd", None) is None:
        card = step(card)
    tree = make_tree(
        markers=card.markers,
        visits=data.weeks,
        patients=len(data.patients),
        names=data.patients,
        measured=np.nan_to_num(data.log_value),
        missing=tuple(tuple(int(i) for i in at) for at in np.argwhere(~data.observed)),
        draws=sampling.draws,
        seed=sampling.seed % 2**31,
        **options,  # type: ignore[arg-type]
    )
    table = parameter_table()
    return Fit(card, data, tree, diagnostics, table, sampling, False, {"sample": 1.0})


def result_of(
    tree: xr.DataTree,
    withdrew: tuple[tuple[int, float], ...] = (),
    diagnostics: Diagnostics = GOOD,
    *,
    allow_unconverged: bool = False,
    definitions: Definitions = DEFINITIONS,
) -> Result:
    """A result of a tree, as if its model had been fitted; who withdrew, by place and week."""
    data = recorded(tree)
    patients = tuple(str(patient) for patient in data["patient"].to_numpy())
    weeks = np.full(len(patients), np.nan)
    for patient, week in withdrew:
        weeks[patient] = week
    seen = Observations(
        markers=tuple(str(marker) for marker in data["marker"].to_numpy()),
        patients=patients,
        weeks=tuple(float(week) for week in data["visit"].to_numpy()),
        **{name: data[name].to_numpy() for name in ("log_value", "log_lower", "log_upper")},
        covariate=np.zeros(len(patients)),
        covariate_mean=0.0,
        withdrew_week=weeks,
        weights=False,
        left_out=(),
    )
    card = step(load_card("proteinuria"))
    fit = Fit(card, seen, tree, diagnostics, pd.DataFrame(), Sampling(), False, {})
    return summarise(fit, definitions, allow_unconverged=allow_unconverged)


def edited(folder: Path, shipped: Path, *edits: tuple[str, str]) -> Path:
    """A copy of a shipped file in a folder, with each first text in the place of the other."""
    text = shipped.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new, 1)
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path
