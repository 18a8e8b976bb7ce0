"""Log posterior density of the longitudinal model with serial correlation.

As :mod:`mnbayes.numerics.posterior`, with the likelihood of :mod:`mnbayes.numerics.marginal`.
Compiled apart from it: most models have no serial correlation, and need not wait for this.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numba as nb
import numpy as np

from mnbayes.numerics.c_signature import SIGNATURE
from mnbayes.numerics.compiling import SOURCES, compiled
from mnbayes.numerics.inputs import split
from mnbayes.numerics.marginal_gradient import marginal_loglik_and_gradient
from mnbayes.numerics.posterior import chain_rule, parts, set_inputs


@compiled
def _loglik_and_gradient(inputs, cells, k):
    """Log-likelihood and its gradient in the order of the inputs."""
    none = np.zeros(0)
    base, change, slope, visit, base_sd, change_sd, unit, sd, serial, weeks, fixed = split(
        inputs, k
    )
    (
        loglik,
        d_base,
        d_change,
        d_slope,
        d_visit,
        d_base_sd,
        d_change_sd,
        d_unit,
        d_sd,
        d_serial,
        d_weeks,
        _,
        _,
        d_fixed,
    ) = marginal_loglik_and_gradient(
        base,
        change,
        slope,
        visit,
        base_sd,
        change_sd,
        unit,
        sd,
        serial,
        weeks[0],
        none,
        none,
        fixed,
        cells,
    )
    return loglik, np.concatenate(
        (
            d_base,
            d_change,
            d_slope,
            d_visit,
            d_base_sd,
            d_change_sd,
            d_unit,
            d_sd,
            d_serial,
            np.full(1, d_weeks),
            d_fixed,
        )
    )


def _function(sources: str) -> Any:
    @nb.cfunc(SIGNATURE, cache=True, error_model="numpy")
    def density(n, point, gradient, log_density, data):
        x = nb.carray(point, (n,))
        coordinate, inputs, cells, k = parts(nb.carray(data, (int(data[0]),)))
        log_prior = set_inputs(x, coordinate, inputs)
        loglik, d_inputs = _loglik_and_gradient(inputs, cells, k)
        log_density[0] = log_prior + loglik
        if len(sources) == 0 or not np.isfinite(log_density[0]):
            return 4
        return 0 if chain_rule(x, coordinate, d_inputs, nb.carray(gradient, (n,))) else 3

    return density


@cache
def serial_function() -> Any:
    """C function of the log density and its gradient.

    See :func:`mnbayes.numerics.posterior.gradient_function`; the data hold
    :meth:`mnbayes.numerics.groups.Groups.packed`.
    """
    return _function(SOURCES)
