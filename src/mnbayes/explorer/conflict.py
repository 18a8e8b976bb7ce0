"""Whether the data lie where the priors hardly allowed them: the prior predictive check of Box.

The statistic is the mean log ratio to baseline of the patients who were measured at both visits, as
measured; the priors' own prediction of it comes from the prior draws of the fit (Box 1980,
doi:10.2307/2982063; Evans and Moshonov 2006, doi:10.1214/06-BA129). A posterior cannot show this: a
narrow prior holds it where the prior is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mnbayes.base.labelled import array, stacked
from mnbayes.inference.contract import PREDICTIONS, drawn, predicted
from mnbayes.inference.fit import Fit

#: A two-sided tail below this is called a conflict.
UNLIKELY = 0.05
#: Fewest patients whose mean is looked at.
FEWEST = 2


@dataclass(frozen=True)
class Conflict:
    """Where the data lie in what the priors predict of them.

    Attributes
    ----------
    ratio : float
        Geometric mean ratio to baseline as measured.
    patients : int
        Over how many.
    lower, upper : float
        95 % interval of it as the priors predict it.
    tail : float
        Two-sided tail probability.
    """

    ratio: float
    patients: int
    lower: float
    upper: float
    tail: float

    @property
    def there(self) -> bool:
        """Whether prior and data are in conflict."""
        return self.tail < UNLIKELY


def prior_predictive_check(fit: Fit, marker: str, week: float) -> Conflict | None:
    """Compare the measured mean change with what the priors predict of it.

    Parameters
    ----------
    fit : Fit
        With prior predictions.
    marker : str
    week : float
        A later visit.

    Returns
    -------
    Conflict or None
        None where fewer than two patients were measured at both visits, or the tree has no prior
        predictions.
    """
    tree = fit.tree
    if not drawn(tree, PREDICTIONS["prior"], "measurement"):
        return None
    both = np.searchsorted(fit.observations.weeks, [0.0, week])
    data = fit.recorded["log_value"].sel(marker=marker)
    change = np.diff(array(data, "patient", "visit")[:, both], axis=1)[:, 0]
    seen = np.isfinite(change)
    if np.count_nonzero(seen) < FEWEST:
        return None
    draws = stacked(predicted(tree, "prior").sel(marker=marker), "patient", "visit")[..., both]
    predictions = np.diff(draws, axis=2)[:, seen, 0].mean(axis=1)
    measured = float(change[seen].mean())
    below = float(np.mean(predictions <= measured))
    lower, upper = np.exp(np.quantile(predictions, [0.025, 0.975]))
    return Conflict(
        float(np.exp(measured)),
        int(np.count_nonzero(seen)),
        float(lower),
        float(upper),
        2 * min(below, 1 - below),
    )
