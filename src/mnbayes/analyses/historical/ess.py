"""How many patients a prior of a rate is worth: the ELIR effective sample size."""

from __future__ import annotations

import numpy as np

from mnbayes.analyses.historical.mixture import BetaMixture
from mnbayes.base.arrays import Floats


def elir(mixture: BetaMixture) -> float:
    """Expected local-information-ratio effective sample size of a beta mixture, in patients.

    Neuenschwander et al. 2020 (Biometrics 76:578, doi:10.1111/biom.13252): the expectation under
    the prior p of ``-(log p)''(x)`` over the information of one patient, ``1 / (x (1 - x))``.
    It is predictively consistent: after n patients it is expected to be n larger.

    Parameters
    ----------
    mixture : BetaMixture
        No ``a`` or ``b`` below 1, where the expectation does not exist.

    Returns
    -------
    float
        ``a + b`` for a single component.

    Notes
    -----
    Integrated by parts, with ``p x (1 - x)`` and its like vanishing at the ends, it is
    ``2 + E[(log p)'(x)^2 x (1 - x)]``, which needs no second derivative and whose integrand is
    nowhere negative. For a component with ``a`` or ``b`` of exactly 1 this is the limit from
    above, which is what keeps ``a + b`` right for the uniform distribution.

    Raises
    ------
    ValueError
        If a parameter is below 1.
    """
    if min(mixture.a.min(), mixture.b.min()) < 1.0:
        raise ValueError("ELIR needs betas without an infinite end: a and b of at least 1")
    # On the logit scale the integrand falls off exponentially on both sides, the more slowly the
    # nearer a parameter is to 1. Stretches end where components are, so that none is missed.
    total = mixture.a + mixture.b
    centres = np.log(mixture.a / mixture.b)
    widths = np.sqrt(total / (mixture.a * mixture.b))
    near = centres[:, None] + widths[:, None] * np.array([-8.0, -4.0, -2.0, 0.0, 2.0, 4.0, 8.0])
    far = 10.0 * 2.0 ** np.arange(18.0)
    ends = np.unique(np.concatenate([-far, far, near.ravel()]))
    node, rule = np.polynomial.legendre.leggauss(32)
    half = np.diff(ends)[:, None] / 2
    z = (ends[:-1, None] + half * (node + 1)).ravel()
    size = (half * rule).ravel()
    log_x, log_y = -np.logaddexp(0.0, -z), -np.logaddexp(0.0, z)  # of x and of 1 - x
    terms = _log_terms(log_x, log_y, mixture)
    top = terms.max(axis=1, keepdims=True)
    parts = np.exp(terms - top)
    # The score times x (1 - x), which stays finite at the ends.
    slopes = (mixture.a - 1) * np.exp(log_y)[:, None] - (mixture.b - 1) * np.exp(log_x)[:, None]
    score = (parts * slopes).sum(axis=1) / parts.sum(axis=1)
    density = np.exp(top[:, 0]) * parts.sum(axis=1)
    # x (1 - x) (score / (x (1 - x)))^2 dx, with dx = x (1 - x) dz
    return float(2.0 + np.sum(size * density * score**2))


def _log_terms(log_x: Floats, log_y: Floats, mixture: BetaMixture) -> Floats:
    """Log of weight times density of each component; shape (node, component)."""
    from scipy.special import betaln

    powers = log_x[:, None] * (mixture.a - 1) + log_y[:, None] * (mixture.b - 1)
    return np.asarray(np.log(mixture.weight) + powers - betaln(mixture.a, mixture.b))
