"""What part each parameter has in the compiled density: integrated out, shared, or neither."""

from __future__ import annotations

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card
from mnbayes.cards.parameters import SHARED
from mnbayes.models.correlation import partial_alpha

#: Parameters that are linear in the mean: one value for each marker, in the kernel's order.
FIXED = ("baseline_mean", "change_mean", "covariate_slope")
#: Parameters with one value for the model; the others have one for each marker.
SCALAR = tuple(name for name in SHARED if name != "correlation")


def integrated(card: Card, parameter: str) -> bool:
    """Whether a parameter is integrated out: it is linear and its prior is normal."""
    linear = (*FIXED, "common_change")
    return parameter in linear and card.family(parameter) == "Normal"


def correlation_alpha(card: Card) -> Floats:
    """Beta parameters of a card's free partial correlations; see :func:`.partial_alpha`."""
    eta = float(card.argument_values("correlation")["eta"][0])
    return partial_alpha(card.structure.correlation, len(card.markers), eta)


def prior_arguments(card: Card) -> tuple[list[str], Floats]:
    """Prior arguments as one labelled vector, for a tree's record.

    The LKJ parameter enters as the beta parameters of the partial correlations.

    Returns
    -------
    labels : list of str
    values : array, shape (hyperparameter,)
    """
    labels: list[str] = []
    values: list[Floats] = []
    for parameter in card.parameters:
        if parameter == "correlation":
            alpha = correlation_alpha(card)
            labels += [f"correlation.alpha[{i}]" for i in range(alpha.size)]
            values.append(alpha)
            continue
        for argument, array in card.argument_values(parameter).items():
            keys = card.markers if array.size == len(card.markers) else ("model",)
            labels += [f"{parameter}.{argument}[{key}]" for key in keys]
            values.append(array)
    return labels, np.concatenate(values)
