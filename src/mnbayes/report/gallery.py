"""All figures of a result, by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from mnbayes.analyses.correlations.figure import correlations
from mnbayes.analyses.influence.figure import influence
from mnbayes.analyses.lymphocytes.figure import subset_forest, subset_ranks
from mnbayes.analyses.regression.figure import regression_bound
from mnbayes.analyses.results.changes_figure import gmr_by_visit, waterfall
from mnbayes.analyses.results.checks_figure import predictive_check
from mnbayes.analyses.results.parameters import prior_posterior
from mnbayes.analyses.results.ranks import ranks
from mnbayes.analyses.results.responses_figure import response_probabilities
from mnbayes.analyses.results.trajectories import trajectories
from mnbayes.analyses.sensitivity.figure import power_scaling
from mnbayes.analyses.withdrawal.figure import tipping_curve, withdrawal_strategies
from mnbayes.answers.results import Result
from mnbayes.cards.definitions import Definitions
from mnbayes.report.kit.figures import svg_bytes, without_collection


@without_collection()
def all_figures(
    result: Result, definitions: Definitions, synthetic: bool, *, repeated: bool = False
) -> dict[str, Figure]:
    """Draw every figure that a result allows.

    Parameters
    ----------
    result : Result
    definitions : Definitions
    synthetic : bool
        Whether every figure says that the cohort is synthetic.
    repeated : bool
        Whether smaller models of the same run have all of this one's markers. Their figures show
        patients, responses and withdrawal; this one's show what it adds.

    Returns
    -------
    dict
        In order of reading: ``gmr_by_visit``, ``trajectories_<marker>`` for each marker,
        ``waterfall``, ``response_probabilities`` (where a response can be judged),
        ``prior_posterior``, ``subset_forest`` and ``subset_ranks`` (where the model has
        lymphocyte subsets), ``correlations`` (where changes of two markers may correlate),
        ``predictive_check_<marker>``, ``influence`` (where patients
        were left out), ``power_scaling``, ``withdrawal_strategies`` and ``tipping_curve`` (where
        the model has 24-h protein and a patient withdrew), ``regression_bound`` (where the
        model has 24-h protein), ``ranks``. The waterfall and the probabilities are at the last
        visit. Of a withheld result only ``ranks``, which helps to see why.
    """
    if result.withheld:
        return {"ranks": ranks(result, synthetic)}
    markers, week = result.fit.observations.markers, result.fit.observations.weeks[-1]
    figures = {"gmr_by_visit": gmr_by_visit(result, synthetic)}
    if repeated:
        figures["prior_posterior"] = prior_posterior(result, synthetic)
        if not result.correlations.empty:
            figures["correlations"] = correlations(result, synthetic)
        if not result.influence.empty:
            figures["influence"] = influence(result, definitions, synthetic)
        figures["ranks"] = ranks(result, synthetic)
        return figures
    for marker in markers:
        figures[f"trajectories_{marker}"] = trajectories(result, marker, definitions, synthetic)
    figures["waterfall"] = waterfall(result, week, definitions, synthetic)
    if not result.probabilities.empty:
        figures["response_probabilities"] = response_probabilities(result, week, synthetic)
    figures["prior_posterior"] = prior_posterior(result, synthetic)
    if not result.subsets.empty:
        figures["subset_forest"] = subset_forest(result, synthetic)
    if not result.ranks.empty:
        figures["subset_ranks"] = subset_ranks(result, synthetic)
    if not result.correlations.empty:
        figures["correlations"] = correlations(result, synthetic)
    for marker in markers:
        figures[f"predictive_check_{marker}"] = predictive_check(result, marker, synthetic)
    if not result.influence.empty:
        figures["influence"] = influence(result, definitions, synthetic)
    if not result.power_scaling.empty:
        figures["power_scaling"] = power_scaling(result, definitions, synthetic)
    if result.tipping is not None:
        reasons = result.fit.diagnostics.reasons
        figures["withdrawal_strategies"] = withdrawal_strategies(
            result.withdrawal, reasons, synthetic
        )
        figures["tipping_curve"] = tipping_curve(result.tipping, definitions, reasons, synthetic)
    if not result.regression.empty:
        figures["regression_bound"] = regression_bound(result, synthetic)
    figures["ranks"] = ranks(result, synthetic)
    return figures


def save_figures(figures: Mapping[str, Figure], folder: Path, prefix: str) -> dict[str, Path]:
    """Write figures as SVG files.

    Parameters
    ----------
    figures : mapping
        Name to figure.
    folder : Path
        Made if it does not exist.
    prefix : str
        Usually the model's name; files are called ``<prefix>_<name>.svg``.

    Returns
    -------
    dict
        Name to the file's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{prefix}_{name}.svg" for name in figures}
    for name, figure in figures.items():
        paths[name].write_bytes(svg_bytes(figure))
    return paths
