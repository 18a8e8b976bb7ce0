"""A card's posterior as a compiled log density: the statement with its effects integrated out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, takewhile

import numpy as np
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.cards import families
from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.models.correlation import free_partials
from mnbayes.models.roles import FIXED, SCALAR, correlation_alpha, integrated
from mnbayes.numerics import posterior
from mnbayes.numerics.coordinates import coordinate_rows, sampled_inputs, values
from mnbayes.numerics.density import Density
from mnbayes.numerics.inputs import input_sizes
from mnbayes.numerics.packed_cells import packed_cells
from mnbayes.numerics.unknown_cells import pack_unknown, unknown_cells

#: Least unit of a censored value's distance from its limit, log scale: patients differ by as much,
#: however exactly they are measured.
LEAST_UNIT = 0.1


def gaussian(card: Card, observations: Observations) -> bool:
    """Whether the data are normal given the parameters: no weights, nothing censored."""
    return card.structure.residual == "normal" and not bool(observations.censored.any())


def longitudinal_density(card: Card, observations: Observations) -> Density:
    """State a card's model of a cohort as a compiled log density.

    The posterior of :func:`mnbayes.models.longitudinal.model`, its patients' effects and the
    means with normal priors integrated out.

    Parameters
    ----------
    card : Card
    observations : Observations

    Returns
    -------
    Density
        It expands draws to the parameters by name, the correlations as ``correlation_unit``,
        shape (draw, free partial correlation); with Student-t residuals there is
        ``residual_weight``, shape (draw, cell), with censored values ``censored_value``, shape
        (draw, censored), both in patient, visit, marker order.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    n_marker = len(observations.markers)
    sizes = input_sizes(n_marker)
    first = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
    inputs = np.zeros(sum(sizes.values()))
    inputs[first["correlation"] : first["residual_sd"]] = 0.5  # none
    inputs[first["serial_weeks"]] = 1.0
    rows: list[Floats] = []
    blocks: dict[str, int] = {}

    def sample(
        name: str, family: str, arguments: list[Floats], places: object, copies: int
    ) -> None:
        rows.append(coordinate_rows(family, arguments, np.asarray(places), copies))
        blocks[name] = len(rows[-1])

    for name in card.parameters:
        arguments = list(card.argument_values(name).values())
        if name == "correlation":
            free = first[name] + free_partials(card.structure.correlation, n_marker)
            sample("correlation_unit", "Beta", [correlation_alpha(card)], free, 1)
            continue
        if name == "residual_df":  # of the weights, not of the likelihood's inputs
            sample(name, card.family(name), arguments, [0], 0)
            continue
        target, copies = _target(name, n_marker)
        place = first[target[0]] + target[1]
        if integrated(card, name):
            sd_place = first["fixed_sd"] + _sd_place(name, n_marker)
            mean, sd = arguments
            inputs[place : place + n_marker] = mean
            inputs[sd_place : sd_place + sd.size] = sd
            continue
        count = 1 if name in SCALAR else n_marker
        sample(name, card.family(name), arguments, place + np.arange(count), copies)

    coordinates = np.concatenate(rows)
    before_df = list(takewhile(lambda name: name != "residual_df", blocks))
    df_at = sum(blocks[name] for name in before_df) if "residual_df" in blocks else 0
    hidden = observations.censored
    limits = observations.log_lower[hidden], observations.log_upper[hidden]
    n_weight = int(observations.observed.sum()) if observations.weights else 0
    unknown = pack_unknown(n_weight, df_at, *limits, _units(card, hidden))
    cells = packed_cells(observations.groups, n_marker, sampled_inputs(coordinates, inputs))
    data = posterior.pack(coordinates, inputs, n_marker, unknown, cells)
    if not np.isfinite(data).all():
        raise ValueError("the model's numbers hold one that is not finite")
    expand = _expand(coordinates, blocks, None if gaussian(card, observations) else unknown)
    function = posterior.gradient_function()
    dimension = len(coordinates) + n_weight + int(hidden.sum())
    return Density(dimension, function.address, data, expand, _value_address)


def _value_address() -> int:
    return int(posterior.value_function().address)


def _units(card: Card, hidden: NDArray[np.bool_]) -> Floats:
    """Units of the censored values: the prior's median of the SD of a measurement, or the least."""
    if not hidden.any():  # the quantile would load SciPy's statistics, half a second
        return np.empty(0)
    family, arguments = card.family("residual_sd"), card.argument_values("residual_sd")
    median = families.quantile(family, arguments, 0.5)
    return np.broadcast_to(np.maximum(median, LEAST_UNIT), hidden.shape)[hidden]


def _target(name: str, n_marker: int) -> tuple[tuple[str, int], int]:
    """The likelihood's input that a parameter sets, where in it, and how many are equal."""
    if name == "common_change":  # the mean changes deviate from it
        return ("change_mean", 0), n_marker
    if name == "change_spread":  # the SD of those deviations
        return ("fixed_sd", FIXED.index("change_mean") * n_marker), n_marker
    return (name, 0), 1


def _sd_place(name: str, n_marker: int) -> int:
    """Where the SD of an integrated parameter stands among the SDs."""
    return (FIXED.index(name) if name in FIXED else len(FIXED)) * n_marker


def _expand(
    coordinates: Floats, blocks: dict[str, int], cells: Floats | None
) -> Callable[[Floats], dict[str, Floats]]:
    bounds = list(pairwise(np.cumsum([0, *blocks.values()]).tolist()))
    n_own = len(coordinates)

    def expand(points: Floats) -> dict[str, Floats]:
        drawn = values(coordinates, np.ascontiguousarray(points[:, :n_own]))
        out = {name: drawn[:, a:b] for name, (a, b) in zip(blocks, bounds, strict=True)}
        out = {name: array[:, 0] if name in SCALAR else array for name, array in out.items()}
        if cells is None:
            return out
        df = np.ascontiguousarray(out.get("residual_df", np.ones(len(points))))
        unknown = np.ascontiguousarray(points[:, n_own:])
        weight, value = unknown_cells(cells, df, unknown)
        found = {"residual_weight": weight, "censored_value": value}
        return out | {name: array for name, array in found.items() if array.size}

    return expand
