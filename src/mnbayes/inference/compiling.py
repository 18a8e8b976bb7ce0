"""Compile a model once; refit it with new numbers without compiling."""

from __future__ import annotations

from typing import Any

from mnbayes.cards.card import Card
from mnbayes.data.observations import Observations
from mnbayes.models.longitudinal import build_model, model_data, structure_key

_compiled: dict[tuple[Any, ...], Any] = {}


def compiled_model(card: Card, observations: Observations) -> Any:
    """Nutpie's compiled model of a card on a cohort, with the present numbers in it.

    Models of equal structure (markers, visits, families of priors, kind of residuals)
    share one compilation in a process; priors' arguments and observations are exchanged.
    Across processes PyTensor's disk cache shortens the compilation.
    """
    import nutpie

    key = structure_key(card, observations)
    if key not in _compiled:
        _compiled[key] = nutpie.compile_pymc_model(build_model(card, observations))
        return _compiled[key]
    # with_data checks only the rank; model_data checks finiteness, and equal keys equal shapes.
    return _compiled[key].with_data(**model_data(card, observations))
