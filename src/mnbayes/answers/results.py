"""What a fit says: its tables, withheld where the fit is not to be trusted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mnbayes.analyses.correlations.table import correlation_table
from mnbayes.analyses.lymphocytes.cd4_cd8 import cd4_cd8_table
from mnbayes.analyses.lymphocytes.subsets import forest_table, rank_table, subset_estimates
from mnbayes.analyses.regression.bound import regression_table
from mnbayes.analyses.sensitivity.power_scaling import POWER_COLUMNS, power_scaling
from mnbayes.analyses.withdrawal.enrolled import LABELS, withdrawal_table
from mnbayes.analyses.withdrawal.tipping import Tipping, tipping
from mnbayes.analyses.withdrawal.unseen import withdrawal_draws
from mnbayes.answers.answer_table import answer_table
from mnbayes.answers.change import best_reduction, estimates, patient_changes
from mnbayes.answers.probability_tables import population_table, probability_table
from mnbayes.answers.response_draws import PROTEIN, not_evaluable, response_draws
from mnbayes.cards.definitions import Definitions
from mnbayes.inference.contract import recorded
from mnbayes.inference.fit import Fit

#: The trial's short term; the best reduction is taken over these visits where they exist.
SHORT_TERM_WEEKS = 4.0


@dataclass(frozen=True)
class Result:
    """Tables of one fitted model.

    Attributes
    ----------
    fit : Fit
    probabilities, population, estimates : DataFrame
        As in the output files; their numbers are blank where withheld.
    patient_changes : DataFrame
        Ratio to baseline of each patient, marker and visit; empty where withheld.
    best : DataFrame
        Best short-term reduction beside its posterior predictive; empty where withheld or
        where the model has no 24-h protein.
    regression : DataFrame
        Regression-to-the-mean bound; empty where the model has no 24-h protein.
    not_evaluable : dict
        Category to the reason why this model cannot judge it.
    withheld : tuple of str
        Why the numbers are withheld; empty if they are not.
    subsets, ranks, ratios : DataFrame
        Of the lymphocyte subsets: changes before and after shrinkage, ranks of the changes, and
        the CD4/CD8 ratio; see :mod:`mnbayes.analyses.lymphocytes`. Empty where the model has none
        of them.
    correlations : DataFrame
        Between the patients' changes of two markers; empty where the model leaves none free.
    withdrawal : DataFrame
        The enrolled patients at the last visit under each withdrawal strategy; empty where the
        model has no 24-h protein.
    tipping : Tipping or None
        Where a worsening of the unseen overturns a conclusion; None where nobody withdrew, where
        withheld or where the model has no 24-h protein.
    answers : DataFrame
        Every model-based answer, one row each; see
        :func:`mnbayes.answers.answer_table.answer_table`. Empty where withheld.
    influence : DataFrame
        How every answer moves when one patient is left out; empty unless
        :func:`mnbayes.analyses.influence.refits.leave_one_out` was asked.
    power_scaling : DataFrame
        How the answers at the last visit move when the priors count more or less; see
        :func:`mnbayes.analyses.sensitivity.power_scaling.power_scaling`. Empty where withheld.
    """

    fit: Fit
    probabilities: pd.DataFrame
    population: pd.DataFrame
    estimates: pd.DataFrame
    patient_changes: pd.DataFrame
    best: pd.DataFrame
    regression: pd.DataFrame
    not_evaluable: dict[str, str]
    withheld: tuple[str, ...]
    subsets: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranks: pd.DataFrame = field(default_factory=pd.DataFrame)
    ratios: pd.DataFrame = field(default_factory=pd.DataFrame)
    correlations: pd.DataFrame = field(default_factory=pd.DataFrame)
    withdrawal: pd.DataFrame = field(default_factory=pd.DataFrame)
    tipping: Tipping | None = None
    answers: pd.DataFrame = field(default_factory=pd.DataFrame)
    influence: pd.DataFrame = field(default_factory=pd.DataFrame)
    power_scaling: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.fit.card.name


def _blank(table: pd.DataFrame, keep: tuple[str, ...]) -> pd.DataFrame:
    """A copy whose numbers that depend on the posterior are blank."""
    out = table.copy()
    for column in out.columns.difference(list(keep)):
        out[column] = np.nan
    return out


def summarise(
    fit: Fit,
    definitions: Definitions,
    seed: int = 1,
    *,
    allow_unconverged: bool = False,
    alone: pd.DataFrame | None = None,
) -> Result:
    """Turn a fit into tables.

    Parameters
    ----------
    fit : Fit
    definitions : Definitions
    seed : int
        Of the draws of new patients.
    allow_unconverged : bool
        Whether to show the numbers of a fit that failed the gate.
    alone : DataFrame, optional
        Changes of lymphocyte subsets from models of one marker each; see
        :func:`mnbayes.analyses.lymphocytes.subsets.forest_table`.

    Returns
    -------
    Result
        If the fit failed the gate and that is not overridden, every model-based number is
        blank; what was measured stays.
    """
    name, tree = fit.card.name, fit.tree
    draws = response_draws(tree, definitions, seed)
    probabilities = probability_table(draws, name)
    population = population_table(draws, name)
    gmr = estimates(tree, name)
    changes = patient_changes(tree, name)
    best, regression = pd.DataFrame(), pd.DataFrame()
    if PROTEIN in fit.observations.markers:
        later = fit.observations.weeks[1:]
        short = [w for w in later if w <= SHORT_TERM_WEEKS] or list(later)
        best = best_reduction(tree, PROTEIN, short)
        baseline = recorded(tree)["log_value"].sel(marker=PROTEIN, visit=0.0).to_numpy()
        if np.isfinite(baseline).any():
            last = gmr.query("marker == @PROTEIN").iloc[-1]
            regression = regression_table(baseline, observed_gmr=float(last["gmr_median"]))
    subsets = forest_table(subset_estimates(tree, name), alone)
    ranks, ratios = rank_table(tree, name), cd4_cd8_table(tree, name)
    correlations = correlation_table(tree, name)
    withdrawal, tipped = pd.DataFrame(), None
    if PROTEIN in fit.observations.markers:
        left = fit.observations.withdrew_week
        unseen, unseen_prior = (withdrawal_draws(tree, g, left) for g in ("posterior", "prior"))
        withdrawal = withdrawal_table(unseen, unseen_prior, definitions, name)
        tipped = tipping(unseen, unseen_prior, definitions, name)
    withheld = () if allow_unconverged else fit.diagnostics.reasons
    answers, scaled = pd.DataFrame(), pd.DataFrame(columns=list(POWER_COLUMNS))
    if not withheld:
        answers = answer_table(probabilities, population, gmr, tree)
        scaled = power_scaling(fit, draws, answers)
    if withheld:
        modelled = probabilities["quantity"] != "observed"
        columns = ["probability", "mcse", "prior_probability"]
        probabilities = probabilities.copy()
        probabilities.loc[modelled, columns] = np.nan
        population = _blank(population, ("model", "week", "category"))
        gmr = _blank(gmr, ("model", "marker", "week"))
        changes, best = changes.iloc[:0], best.iloc[:0]
        subsets = _blank(subsets, ("model", "marker", "week"))
        ranks = _blank(ranks, ("model", "week", "by", "marker", "rank"))
        ratios = _blank(ratios, ("model", "patient", "week", "measured"))
        correlations = _blank(correlations, ("model", "marker", "other"))
        withdrawal, tipped = _blank(withdrawal, LABELS), None
        if not regression.empty:
            regression = _blank(
                regression,
                ("reliability", "population_geometric_mean", "gmr_regression", "fall_regression"),
            )
    return Result(
        fit, probabilities, population, gmr, changes, best, regression,
        {str(k): v for k, v in not_evaluable(tree).items()}, tuple(withheld),
        subsets, ranks, ratios, correlations,
        withdrawal=withdrawal, tipping=tipped, answers=answers, power_scaling=scaled,
    )  # fmt: skip
