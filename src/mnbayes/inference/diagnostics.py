"""The gate between a fit and its probabilities."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
import pandas as pd
import xarray as xr

#: Vehtari et al. (2021), Bayesian Analysis 16:667, for R-hat and ESS (100 a chain);
#: Betancourt (2016), arXiv:1604.00695, for the energy fraction; Vehtari et al. (2024), JMLR
#: 25(72):1, for the shape of importance weights.
MAX_RHAT = 1.01
MIN_ESS = 400
MIN_BFMI = 0.3
MAX_PARETO_K = 0.7
#: Quantiles whose effective sample size is that of the tails.
TAILS = (0.05, 0.95)


@dataclass(frozen=True)
class Diagnostics:
    """Convergence of one fit.

    Attributes
    ----------
    divergences : int
    worst_rhat, worst_ess_bulk, worst_ess_tail : float
        Over all sampled quantities.
    worst_bfmi : float or None
        Over chains; None for the collapsed engine, which has no energy.
    reasons : tuple of str
        Why the fit is not to be trusted; empty if it may be.
    pareto_k : float or None
        Of the collapsed engine's weights; None for NUTS.
    """

    divergences: int
    worst_rhat: float
    worst_ess_bulk: float
    worst_ess_tail: float
    worst_bfmi: float | None
    reasons: tuple[str, ...]
    pareto_k: float | None = None

    @property
    def converged(self) -> bool:
        """Whether the fit passes the gate."""
        return not self.reasons

    def as_dict(self) -> dict[str, object]:
        """Fields and ``converged`` as plain values."""
        return asdict(self) | {"converged": self.converged}


def parameter_table(posterior: xr.Dataset) -> pd.DataFrame:
    """R-hat, ESS and Monte Carlo error of every scalar in a posterior.

    Parameters
    ----------
    posterior : Dataset
        Dims ``chain``, ``draw`` and others.

    Returns
    -------
    DataFrame
        Columns ``parameter, mean, sd, mcse_mean, rhat, ess_bulk, ess_tail``, by ArviZ's array
        functions (the labelled ones take longer than a refit of the sampler).
    """
    from arviz_stats.base.array import array_stats

    names: list[str] = []
    columns = []
    for name, array in posterior.transpose("chain", "draw", ...).data_vars.items():
        labels = [[str(value) for value in array[dim].to_numpy()] for dim in array.dims[2:]]
        indices = [", ".join(index) for index in product(*labels)]
        names += [f"{name}[{index}]" if index else str(name) for index in indices]
        columns.append(array.to_numpy().reshape(*array.shape[:2], -1))
    draws = np.concatenate(columns, axis=2)
    axes = {"chain_axis": 0, "draw_axis": 1}
    return pd.DataFrame(
        {
            "parameter": names,
            "mean": draws.mean(axis=(0, 1)),
            "sd": draws.std(axis=(0, 1), ddof=1),
            "mcse_mean": array_stats.mcse(draws, method="mean", **axes),
            "rhat": array_stats.rhat(draws, method="rank", **axes),
            "ess_bulk": array_stats.ess(draws, method="bulk", **axes),
            "ess_tail": array_stats.ess(draws, method="tail", prob=TAILS, **axes),
        }
    )


def diagnose(table: pd.DataFrame, sample_stats: xr.Dataset) -> Diagnostics:
    """Apply the gate.

    Parameters
    ----------
    table : DataFrame
        From :func:`parameter_table`, over the sampled quantities.
    sample_stats : Dataset
        With ``diverging`` and ``energy``, or with an attribute ``pareto_k``; what another
        sampler did not record is not judged.
    """
    from arviz_stats.base.array import array_stats

    divergences, worst_bfmi = 0, None
    pareto_k = sample_stats.attrs.get("pareto_k")
    if pareto_k is None and "diverging" in sample_stats:
        divergences = int(sample_stats["diverging"].to_numpy().sum())
    if pareto_k is None and "energy" in sample_stats:
        energy = sample_stats["energy"].transpose("chain", "draw").to_numpy()
        worst_bfmi = float(np.min(array_stats.bfmi(energy)))
    rhat, bulk, tail = (
        float(table["rhat"].max(skipna=False)),
        float(table["ess_bulk"].min(skipna=False)),
        float(table["ess_tail"].min(skipna=False)),
    )
    reasons = []
    if divergences:
        reasons.append(f"{divergences} divergent transition{'s' if divergences > 1 else ''}")
    if not rhat < MAX_RHAT:
        reasons.append(f"R-hat {rhat:.3f} is not below {MAX_RHAT}")
    for name, ess in (("bulk", bulk), ("tail", tail)):
        if not ess >= MIN_ESS:
            reasons.append(f"{name} effective sample size {ess:.0f} is below {MIN_ESS}")
    if worst_bfmi is not None and not worst_bfmi >= MIN_BFMI:
        reasons.append(f"E-BFMI {worst_bfmi:.2f} is below {MIN_BFMI}")
    if pareto_k is not None and not pareto_k <= MAX_PARETO_K:
        reasons.append(f"Pareto k {pareto_k:.2f} of the importance weights is above {MAX_PARETO_K}")
    return Diagnostics(divergences, rhat, bulk, tail, worst_bfmi, tuple(reasons), pareto_k)
