"""The historical model in PyMC.

For arm j of study s, with class c, covariates z (refractory, doublings of time) and n patients::

    R[j] ~ Binomial(n[j], p[j]),   known to lie between low[j] and high[j]
    logit p[j] = alpha[c] + z[j] . beta + tau (sqrt(rho) u[s] + sqrt(1 - rho) v[j])
    u[s], v[j] ~ Normal(0, 1)

``tau`` is the SD between studies of one class, ``rho`` the correlation of two arms of a study;
an arm that is alone in its study has ``tau u[s]``. A row that may share patients with others
enters with its likelihood raised to a power below 1, so that together they count once.

This module states the model. Compiling it takes a minute, so runs sum over ``u`` and ``v`` by
quadrature in NumPy (:mod:`.quadrature`) and sample the rest by importance
(:mod:`mnbayes.analyses.historical.sampled`), without a gradient; a test holds the two together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from mnbayes.analyses.historical.card import HistoricalCard, HistoricalPrior
from mnbayes.analyses.historical.design import COVARIATES, Design, design
from mnbayes.analyses.historical.table import HistoricalTable


def _prior(name: str, spec: HistoricalPrior, **kwargs: Any) -> Any:
    return getattr(pm, spec.distribution)(name, **spec.arguments, **kwargs)


def interval_loglik(log_odds: Any, data: Design) -> Any:
    """Log probability that each count lies in its interval, raised to its power.

    Parameters
    ----------
    log_odds : tensor, shape (row,)

    Returns
    -------
    tensor, shape (row,)
    """
    reach = np.arange(int(np.max(data.high - data.low)) + 1)
    counts = data.low[:, None] + reach
    inside = counts <= data.high[:, None]
    binomial = pm.Binomial.dist(data.n[:, None], logit_p=log_odds[:, None])
    each = pm.logp(binomial, np.where(inside, counts, data.high[:, None]))
    return data.weight * pt.logsumexp(pt.switch(inside, each, -np.inf), axis=1)


def build_model(table: HistoricalTable, card: HistoricalCard) -> pm.Model:
    """State the model of a table under a card.

    Parameters
    ----------
    table : HistoricalTable
    card : HistoricalCard

    Returns
    -------
    Model
        Free variables ``class_log_odds`` (shape class), ``refractory``, ``doubling_of_time``,
        ``between_study_sd``, ``study_effect`` (shape study) and, where a study has several
        arms, ``arm_log_odds`` (log odds of ``arm_correlation``) and ``arm_effect``.
    """
    data = design(table, card)
    coords = {"class": data.classes, "study": data.studies, "row": data.labels}
    with pm.Model(coords=coords) as model:
        alpha = _prior("class_log_odds", card.prior["class_log_odds"], dims="class")
        beta = [_prior(name, card.prior[name]) for name in COVARIATES]
        tau = _prior("between_study_sd", card.prior["between_study_sd"])
        effect = pm.Normal("study_effect", 0.0, 1.0, dims="study")[data.study]
        if data.n_arms:
            rho = pm.math.invlogit(_prior("arm_log_odds", card.prior["arm_correlation"]))
            arm = pm.Normal("arm_effect", 0.0, 1.0, shape=data.n_arms)
            both = pt.sqrt(rho) * effect + pt.sqrt(1.0 - rho) * arm[np.maximum(data.arm, 0)]
            effect = pt.switch(data.arm >= 0, both, effect)
        log_odds = data.x @ pt.concatenate([alpha, pt.stack(beta)]) + tau * effect
        pm.Deterministic("rate", pm.math.invlogit(log_odds), dims="row")
        pm.Potential("counts", interval_loglik(log_odds, data), dims="row")
    return model
