"""The published-evidence model: what an abstract's counts and ranges say, as a PyMC model.

Patients' log ratios to baseline at one visit, as measured, are independent and normal::

    mean_log_ratio ~ Normal(0, 1),  sd_log_ratio ~ HalfNormal(1)         (the card's priors)
    log ratio[i] ~ Normal(mean_log_ratio, sd_log_ratio)

of which the paper prints some exactly (the ends of a range) and some as lying between two ends:
those within the range, those in remission, those without response. With ``n`` patients between
``a`` and ``b`` the likelihood has the factor ``[Phi((b - mean)/sd) - Phi((a - mean)/sd)]^n``.
That is the joint density of the order statistics that a range is made of, up to a constant: which
patient has which value is not known, and does not matter to mean and SD.

Of each patient's *best* reduction over several visits the paper prints the same things; but the
least of several noisy log ratios is lower than the true one::

    change[i] ~ Normal(mean_log_ratio, sd_log_ratio)          from the measured baseline
    log ratio[i, t] = change[i] + Normal(0, visit_noise_sd)   at each of T visits
    P(least <= x) = 1 - E_change [1 - Phi((x - change) / visit_noise_sd)]^T

The abstract cannot tell noise from change, so ``visit_noise_sd`` has an informative prior. The
patient's true change is taken to be the same at these visits.

Shares of patients in the categories, from the counts alone::

    (complete, partial, effective without remission, none) ~ Dirichlet(weights)

whose posterior is Dirichlet(weights + counts): :mod:`mnbayes.analyses.published.categories`.

This module states the model. Two or three unknowns need no sampler: runs sum the same log density
over a grid (:mod:`mnbayes.analyses.published.grid`), and a test holds the two together.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mnbayes.analyses.published.card import PublishedCard
from mnbayes.analyses.published.readings import Evidence

#: Gauss-Legendre nodes of the expectation over a patient's change, within eight SDs of its mean.
NODES, SDS = 400, 8.0


def build_model(card: PublishedCard, evidence: Evidence, visits: int = 1) -> Any:
    """Build the PyMC model of one part of the evidence.

    Parameters
    ----------
    card : PublishedCard
    evidence : Evidence
        Log ratios at one visit, or the least of several.
    visits : int
        How many visits each log ratio is the least of; 1: no noise apart.

    Returns
    -------
    pymc.Model
        Free variables ``mean_log_ratio`` and ``sd_log_ratio``, and ``visit_noise_sd`` where
        there are several visits; the likelihood is the potential ``evidence``.
    """
    import pymc as pm
    import pytensor.tensor as pt

    kept = evidence.informative
    exact = kept.lower == kept.upper

    def log_cdf_between(low: Any, high: Any) -> Any:
        distribution = pm.Normal.dist(parameter["mean_log_ratio"], parameter["sd_log_ratio"])
        top = pm.logcdf(distribution, high) if np.isfinite(high) else 0.0
        if not np.isfinite(low):
            return top
        if not np.isfinite(high):
            # The survival function, by the symmetry of the normal.
            mirrored = pm.Normal.dist(-parameter["mean_log_ratio"], parameter["sd_log_ratio"])
            return pm.logcdf(mirrored, -low)
        return pm.math.logdiffexp(top, pm.logcdf(distribution, low))

    def least(x: float, *, density: bool) -> Any:
        # Probability that all visits lie above x, or the density of their least at x.
        node, weight = np.polynomial.legendre.leggauss(NODES)
        node = SDS * node
        weight = weight * np.exp(-0.5 * node**2)
        change = parameter["mean_log_ratio"] + parameter["sd_log_ratio"] * node
        noise = parameter["visit_noise_sd"]
        y = (x - change) / noise
        above = 0.5 * pt.erfc(y / np.sqrt(2.0))
        if density:
            phi = pt.exp(-0.5 * y**2) / np.sqrt(2.0 * np.pi)
            values = visits * phi * above ** (visits - 1) / noise
        else:
            values = above**visits
        return pt.sum(values * (weight / weight.sum()))

    with pm.Model() as model:
        names = ["mean_log_ratio", "sd_log_ratio", *(["visit_noise_sd"] if visits > 1 else [])]
        parameter: dict[str, Any] = {}
        for name in names:
            spec = card.prior[name]
            parameter[name] = getattr(pm, spec.distribution)(name, **spec.arguments)
        terms = []
        for low, high, known, patients in zip(
            kept.lower, kept.upper, exact, kept.patients, strict=True
        ):
            if visits > 1:
                if known:
                    term = pt.log(least(low, density=True))
                else:
                    below = least(high, density=False) if np.isfinite(high) else 0.0
                    term = pt.log((least(low, density=False) if np.isfinite(low) else 1.0) - below)
            elif known:
                normal = pm.Normal.dist(parameter["mean_log_ratio"], parameter["sd_log_ratio"])
                term = pm.logp(normal, low)
            else:
                term = log_cdf_between(low, high)
            terms.append(patients * term)
        pm.Potential("evidence", sum(terms) if terms else pt.constant(0.0))
    return model
