"""Priors as dials: a slider pair for what is likely, in the unit that a clinician thinks in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.cards import families
from mnbayes.cards.beliefs import Belief, BeliefError, Quantity, parse_belief
from mnbayes.cards.card import Card, PriorSpec
from mnbayes.cards.parameters import quantity
from mnbayes.data.markers import Marker
from mnbayes.report.kit import wording

Kind = Literal["range", "below", "numbers"]

#: Probability that a slider pair holds, and that below a single slider.
SURE, BELOW = 0.9, 0.95
#: How many of the card's own 90 % ranges a slider reaches beyond it on either side.
REACH = 1.2
#: A single slider reaches from this share of the card's own value to so many times of it.
LEAST, MOST = 0.05, 4.0
#: Families that a slider pair fixes, and those that one slider does.
_PAIRED, _SINGLE = (
    ("Normal", "StudentT", "LogNormal"),
    ("HalfNormal", "HalfStudentT", "Exponential"),
)
#: Bounds of numbers that have no scale of their own, by argument.
_RANGES = {"eta": (0.1, 20.0), "alpha": (0.1, 20.0), "beta": (0.005, 2.0)}
#: Points of a density that is drawn.
POINTS = 121


@dataclass(frozen=True)
class Slider:
    """One slider with its number box.

    Attributes
    ----------
    key : str
        ``low``, ``high``, ``below``, or an argument of the distribution.
    label : str
    value, least, most : float
        In the unit.
    logs : bool
        Whether the slider moves evenly in the logarithm.
    """

    key: str
    label: str
    value: float
    least: float
    most: float
    logs: bool


@dataclass(frozen=True)
class Dial:
    """A prior in use, as a page shows it.

    Attributes
    ----------
    name, parameter, marker : str
        ``name`` as ``--set`` has it.
    label : str
        What it is a prior of.
    kind : {"range", "below", "numbers"}
    scale, unit : str
        Scale of the belief that the sliders state, and the unit behind its numbers.
    sliders : tuple of Slider
    formula, meaning, why, source : str
    sentence : str
        What the sliders say.
    """

    name: str
    parameter: str
    marker: str
    label: str
    kind: Kind
    scale: str
    unit: str
    sliders: tuple[Slider, ...]
    formula: str
    meaning: str
    why: str
    source: str
    sentence: str

    def stated(self, values: Mapping[str, float]) -> str | dict[str, float]:
        """What a page states where the sliders stand at ``values``: a belief, or numbers."""
        if self.kind == "range":
            low, high = (f"{values[key]:.10g}" for key in ("low", "high"))
            return f"{100 * SURE:g}% between {low} and {high} on {self.scale}"
        if self.kind == "below":
            return f"{100 * BELOW:g}% below {values['below']:.10g} on {self.scale}"
        return {key: float(value) for key, value in values.items()}


_LABELS = {
    "baseline_mean": "Typical baseline",
    "change_mean": "Typical ratio to baseline",
    "common_change": "Ratio to baseline that the markers share",
    "change_spread": "How far markers’ mean changes lie apart",
    "covariate_slope": "Ratio per unit of the covariate",
    "baseline_sd": "How far patients’ baselines lie apart",
    "change_sd": "How differently patients change",
    "visit_sd": "How far visits stray from the mean change",
    "residual_sd": "How much one measurement varies",
    "serial_sd": "How far a patient’s course turns",
    "serial_weeks": "How long a turn lasts",
    "residual_df": "Tails of the measurements (degrees of freedom)",
    "correlation": "Correlations of baselines and changes (LKJ)",
}


def _quantity(card: Card, parameter: str, marker: str) -> Quantity:
    return quantity(parameter, marker, card.catalogue)


def unit_of(about: Quantity) -> Belief:
    """Any belief on the first scale of a quantity that has one, to turn numbers into its unit."""
    return Belief(SURE, None, None, None, about.scales[0], about)


def quantiles(spec: PriorSpec, *at: float) -> list[float]:
    """Quantiles of a prior on the parameter's own scale; most dials stay while one is moved."""
    return list(_quantiles_of(spec.distribution, tuple(spec.arguments.items()), at))


@lru_cache(maxsize=1000)
def _quantiles_of(
    family: str, arguments: tuple[tuple[str, float], ...], at: tuple[float, ...]
) -> tuple[float, ...]:
    return tuple(families.quantile(family, dict(arguments), list(at)).tolist())


def _quantiles(spec: PriorSpec, belief: Belief, *at: float) -> list[float]:
    return [belief.natural(value) for value in quantiles(spec, *at)]


def _unit(about: Quantity, marker: Marker | None) -> str:
    scale = about.scales[0] if about.scales else ""
    if scale == "gmr":
        return "times baseline" if about.scale == "log" else "(odds ratio)"
    if scale == "sd":
        return f"SD, {about.scale} scale"
    return marker.unit if scale and marker is not None and scale == marker.unit else scale


def label(card: Card, parameter: str, marker: str) -> str:
    """What a prior is of, in a few words."""
    of = f", {wording.in_text(card.catalogue[marker])}" if marker else ""
    return _LABELS[parameter] + of


def dial(card: Card, own: PriorSpec, name: str, parameter: str, marker: str) -> Dial:
    """A prior of a card as a dial.

    Parameters
    ----------
    card : Card
        With the priors as they stand.
    own : PriorSpec
        The card's own, which says how far the sliders reach.
    name : str
        As ``--set`` has it.
    parameter, marker : str
        ``marker`` is blank for what the markers share.
    """
    spec, about = card.prior[parameter][marker], _quantity(card, parameter, marker)
    belief = unit_of(about) if about.scales else None
    info = card.catalogue[marker] if marker else None
    kind: Kind = "numbers"
    if belief is not None and spec.distribution in _PAIRED:
        kind, sliders = "range", _pair(spec, own, belief)
    elif belief is not None and spec.distribution in _SINGLE:
        kind, sliders = "below", _one(spec, own, belief)
    else:
        sliders = _numbers(spec)
    return Dial(
        name,
        parameter,
        marker,
        label(card, parameter, marker),
        kind,
        belief.scale if belief is not None else "",
        _unit(about, info),
        sliders,
        spec.formula,
        spec.explained,
        spec.why,
        spec.source,
        said_as(kind, sliders, about),
    )


def said_as(kind: Kind, sliders: tuple[Slider, ...], about: Quantity) -> str:
    """What sliders say, as a sentence; of a change as a fall or a rise as well."""
    values = {each.key: each.value for each in sliders}
    try:
        if kind == "range":
            low, high = values["low"], values["high"]
            text = f"{100 * SURE:g}% between {low:.3g} and {high:.3g} on {about.scales[0]}"
            sentence = parse_belief(text, about).sentence
            if about.kind == "change" and about.scale == "log":
                sentence += f": {_change(low)} to {_change(high)}"
            return f"{sentence}."
        if kind == "below":
            text = f"{100 * BELOW:g}% below {values['below']:.3g} on {about.scales[0]}"
            return f"{parse_belief(text, about).sentence}."
    except BeliefError:  # a prior so extreme that its numbers make no belief
        return "Too extreme to be said as a belief."
    return ", ".join(f"{key} = {value:.3g}" for key, value in values.items()) + "."


def _change(ratio: float) -> str:
    percent = 100 * (ratio - 1)
    if abs(percent) < 0.5:
        return "no change"
    return f"{'a rise' if percent > 0 else 'a fall'} by {abs(percent):.0f} %"


def _logs(belief: Belief) -> bool:
    return belief.scale != "%" and belief.scale not in ("log", "logit")


def _pair(spec: PriorSpec, own: PriorSpec, belief: Belief) -> tuple[Slider, ...]:
    tails = ((1 - SURE) / 2, (1 + SURE) / 2)
    low, high = _quantiles(spec, belief, *tails)
    logs = _logs(belief)
    base = own if own.distribution == spec.distribution else spec
    ends = np.array(_quantiles(base, belief, *tails))
    ends = np.log(ends) if logs else ends
    reach = REACH * float(ends[1] - ends[0])
    edges = np.array([ends[0] - reach, ends[1] + reach])
    least, most = (float(_round(float(np.exp(edge) if logs else edge))) for edge in edges)
    if belief.scale == "%":
        least, most = max(least, 0.1), min(most, 99.9)
    least, most = min(least, low), max(most, high)
    return (
        Slider("low", "from", low, least, most, logs),
        Slider("high", "to", high, least, most, logs),
    )


def _one(spec: PriorSpec, own: PriorSpec, belief: Belief) -> tuple[Slider, ...]:
    (value,) = _quantiles(spec, belief, BELOW)
    base = own if own.distribution == spec.distribution else spec
    (usual,) = _quantiles(base, belief, BELOW)
    least, most = _round(LEAST * usual), _round(MOST * usual)
    return (Slider("below", "below", value, min(least, value), max(most, value), True),)


def _numbers(spec: PriorSpec) -> tuple[Slider, ...]:
    found = []
    for name, value in spec.arguments.items():
        least, most = _RANGES.get(name, (min(value / 20, value * 20), max(value / 20, value * 20)))
        logs = least > 0
        found.append(Slider(name, name, value, min(least, value), max(most, value), logs))
    return tuple(found)


def _round(value: float) -> float:
    return float(f"{value:.2g}")


def dials(card: Card, own: Card, names: Mapping[str, tuple[str, str]]) -> tuple[Dial, ...]:
    """Every prior in use as a dial.

    Parameters
    ----------
    card : Card
        With the priors as they stand.
    own : Card
        With its own.
    names : mapping
        From :meth:`mnbayes.explorer.case.Case.names`.
    """
    return tuple(
        dial(card, own.prior[parameter][marker], name, parameter, marker)
        for name, (parameter, marker) in names.items()
    )


def density(card: Card, parameter: str, marker: str, low: float, high: float) -> dict[str, Any]:
    """Density of a prior between two ends on the parameter's own scale.

    Returns
    -------
    dict
        ``x``, on the own scale, and ``y``; empty of a correlation, whose prior has no density
        of one number.
    """
    spec = card.prior[parameter][marker]
    if spec.distribution == "LKJ":
        return {"x": [], "y": []}
    grid: Floats = np.linspace(low, high, POINTS)
    with np.errstate(all="ignore"):
        height = np.exp(families.log_density(spec.distribution, spec.arguments, grid))
    height = np.where(np.isfinite(height), height, 0.0)
    return {"x": grid.tolist(), "y": height.tolist()}
