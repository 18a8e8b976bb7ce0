"""What an analysis may need of a fit that a model of one's own need not have, in words."""

from __future__ import annotations

from mnbayes.inference.contract import PREDICTIONS, drawn, has_population
from mnbayes.inference.fit import Fit


def nothing(fit: Fit) -> str:
    """Every fit has it."""
    return ""


def a_card(fit: Fit) -> str:
    """Priors and a structure that the program knows, to list, to scale and to refit."""
    return "" if fit.card is not None else "a model of one's own has no card"


def a_prior(fit: Fit) -> str:
    """Draws of the prior."""
    if drawn(fit.tree, "prior", "level"):
        return ""
    why = fit.tree.attrs.get("no_prior_because", "")
    return f"there are no draws of its prior{f' ({why})' if why else ''}"


def repeats(fit: Fit) -> str:
    """Repeat measurements of every cell."""
    if drawn(fit.tree, PREDICTIONS["posterior"], "measurement"):
        return ""
    return "it says nothing of measurement noise (residual_sd)"


def repeats_and_prior(fit: Fit) -> str:
    """Repeat measurements under posterior and prior."""
    return repeats(fit) or a_prior(fit)


def a_population(fit: Fit) -> str:
    """The distribution of patients as a card's model has it, under posterior and prior."""
    if missing := a_prior(fit):
        return missing
    if all(has_population(fit.tree, group) for group in ("posterior", "prior")):
        return ""
    return "it does not describe its patients by the parameters of a card (docs/own-models.md)"
