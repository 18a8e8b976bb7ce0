"""Figures of a fit: matplotlib figures that share no state with pyplot.

Importing this package imports matplotlib; nothing else in mnbayes imports it at the top.
"""

from mnbayes.plots.changes import gmr_by_visit, waterfall
from mnbayes.plots.checks import predictive_check
from mnbayes.plots.correlations import correlations
from mnbayes.plots.gallery import all_figures, png_bytes, save_figures
from mnbayes.plots.influence import influence
from mnbayes.plots.parameters import prior_posterior
from mnbayes.plots.ranks import ranks
from mnbayes.plots.regression import regression_bound
from mnbayes.plots.responses import response_probabilities
from mnbayes.plots.sensitivity import power_scaling, specification_curve
from mnbayes.plots.subsets import subset_forest, subset_ranks
from mnbayes.plots.trajectories import trajectories
from mnbayes.plots.withdrawal import tipping_curve, withdrawal_strategies

__all__ = [
    "all_figures",
    "correlations",
    "gmr_by_visit",
    "influence",
    "png_bytes",
    "power_scaling",
    "predictive_check",
    "prior_posterior",
    "ranks",
    "regression_bound",
    "response_probabilities",
    "save_figures",
    "specification_curve",
    "subset_forest",
    "subset_ranks",
    "tipping_curve",
    "trajectories",
    "waterfall",
    "withdrawal_strategies",
]
