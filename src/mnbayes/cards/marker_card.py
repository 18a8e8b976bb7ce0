"""A card for any marker: priors from what the markers' file says of it.

Spreads on the marker's scale (log, or logit of a percentage) are multiples of two numbers of the
file, ``between_sd``, between patients, and ``within_sd``, of one patient from visit to visit, or of
their geometric mean. The multiples are those that come near to the shipped cards
(``docs/markers.md``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.data.markers import Catalogue, Marker, beyond_shipped

#: Multiples of ``between_sd``, of ``within_sd``, and of the geometric mean of both: changes are
#: larger than what measurements vary by, and smaller than what patients are apart by.
OF_BETWEEN = {"baseline_mean": 1.25, "baseline_sd": 1.2}
OF_WITHIN = {"residual_sd": 1.0, "serial_sd": 1.1}
OF_BOTH = {"change_mean": 1.8, "change_sd": 1.2, "visit_sd": 1.3, "covariate_slope": 0.9}
#: SD of the log of the residual SD: half or twice what the file says is just possible.
RESIDUAL_DOUBT = 0.35

_WHY = {
    "baseline_mean": "The typical patient of a trial may lie this far from the usual value: "
    "{factor:g} times the SD between patients.",
    "change_mean": "No direction is assumed. Changes are larger than what measurements vary by and "
    "hardly larger than what patients are apart by: {factor:g} times the geometric mean of both "
    "SDs.",
    "baseline_sd": "The SD between patients is known roughly: half-normal, {factor:g} times it, "
    "leaves room for a trial of more different patients.",
    "change_sd": "Some patients respond and others do not: {factor:g} times the geometric mean of "
    "the SDs between and within patients.",
    "visit_sd": "Room for a mean that comes slowly or is lost again: {factor:g} times the "
    "geometric mean of the SDs between and within patients. A tight prior pulls the last visit "
    "towards the average of all.",
    "residual_sd": "The SD of one patient from visit to visit; half or twice of it is just "
    "possible. Near 0 there is no mass: with a drift that could explain everything, the two would "
    "form a funnel.",
    "covariate_slope": "Used only when a covariate is switched on; half of the SD of the typical "
    "change.",
    "serial_sd": "A patient's course can turn, by about as much as measurements vary from visit "
    "to visit ({factor:g} times that SD). Used with the drift only.",
}
_SHARED: Mapping[str, Mapping[str, Any]] = {
    "serial_weeks": {
        "distribution": "LogNormal",
        "mu": 1.386,
        "sigma": 0.8,
        "follow_up_weeks": 12,
        "meaning": "deviations fade over $q50 weeks (95 %: $q025 to $q975)",
        "why": "A third of the follow-up, to which the numbers are stretched. In weeks, never in "
        "visits: the visits need not be evenly spaced. Used with the drift only.",
        "source": "as the shipped cards; measured on simulated cohorts of eight, see the docs on "
        "the trajectory (docs/trajectory.md)",
    },
    "residual_df": {
        "distribution": "Gamma",
        "alpha": 2.0,
        "beta": 0.1,
        "meaning": "degrees of freedom between $q025 and $q975: from heavy tails to normal",
        "why": "Used only with Student-t residuals.",
        "source": "Juarez and Steel (2010), J. Bus. Econ. Stat. 28:52",
    },
    "correlation": {
        "distribution": "LKJ",
        "eta": 2.0,
        "meaning": "patients' baselines and changes: correlations most likely near 0, extremes "
        "unlikely",
        "why": "A handful of patients says little on a correlation; LKJ(2) keeps it from the ends.",
        "source": "Lewandowski, Kurowicka and Joe (2009), J. Multivar. Anal. 100:1989",
    },
}


def of_markers(names: Sequence[str], known: Catalogue) -> list[Marker]:
    """Markers by name.

    Raises
    ------
    InputError
        With each name that there is not.
    """
    problems = []
    for name in names:
        if name not in known:
            expected = f"one of {', '.join(known)}{did_you_mean(name, known)}"
            problems.append(Problem("marker", None, None, repr(name), expected))
    if problems:
        raise InputError(problems)
    return [known[name] for name in names]


def marker_card(markers: Sequence[str], known: Catalogue) -> dict[str, Any]:
    """A card of some markers as the table that a TOML file of it would be.

    Parameters
    ----------
    markers : sequence of str
        Names in `known`.
    known : mapping
        What the markers are.
    """
    titles = [known[name].label for name in markers]
    priors: dict[str, Any] = {}
    for parameter in ("baseline_mean", "change_mean", "baseline_sd", "change_sd", "visit_sd"):
        priors[parameter] = {name: _prior(parameter, known, name) for name in markers}
    for parameter in ("residual_sd", "covariate_slope", "serial_sd"):
        priors[parameter] = {name: _prior(parameter, known, name) for name in markers}
    return {
        "name": "_".join(markers),
        "title": f"{' and '.join(titles)} over visits",
        "markers": list(markers),
        "influence": len(markers) == 1,
        "structure": {"residual": "normal", "trajectory": "drift"},
        "priors": priors | {name: dict(spec) for name, spec in _SHARED.items()},
    }


def _prior(parameter: str, known: Catalogue, name: str) -> dict[str, Any]:
    marker = known[name]
    between, within = marker.between_sd, marker.within_sd
    keys: tuple[str, ...]
    if parameter in OF_BETWEEN:
        factor, of, keys = OF_BETWEEN[parameter], between, ("between_sd",)
    elif parameter in OF_WITHIN:
        factor, of, keys = OF_WITHIN[parameter], within, ("within_sd",)
    else:
        factor, of = OF_BOTH[parameter], float(np.sqrt(between * within))
        keys = "between_sd", "within_sd"
    sd = float(f"{factor * of:.3g}")
    numbers: dict[str, Any] = {"distribution": "HalfNormal", "sigma": sd}
    if parameter == "baseline_mean":
        centre = float(f"{float(marker.on_scale(np.array(marker.typical))):.4g}")
        numbers = {"distribution": "Normal", "mu": centre, "sigma": sd}
    elif parameter in ("change_mean", "covariate_slope"):
        numbers = {"distribution": "Normal", "mu": 0.0, "sigma": sd}
    elif parameter == "residual_sd":
        centre = float(f"{np.log(sd):.4g}")
        numbers = {"distribution": "LogNormal", "mu": centre, "sigma": RESIDUAL_DOUBT}
    if parameter == "baseline_mean":
        keys = "typical", *keys
    return numbers | {
        "meaning": _meaning(parameter, marker),
        "why": _WHY[parameter].format(factor=factor),
        "source": _source(known, marker, keys),
    }


def _meaning(parameter: str, marker: Marker) -> str:
    odds, level = marker.scale == "logit", "l" if marker.scale == "logit" else "x"
    log = "logit" if odds else "log"
    unit = marker.unit.replace("$", "$$")
    return {
        "baseline_mean": f"typical baseline between ${level}025 and ${level}975 {unit}, around "
        f"${level}50",
        "change_mean": f"typical {marker.ratio} to baseline between $x025 and $x975, as likely a "
        "rise as a fall",
        "baseline_sd": f"SD of patients' {log} baselines above $q95 with probability 5 %, half of "
        "it above $q50",
        "change_sd": f"SD of patients' own {log} changes above $q95 with probability 5 %, half of "
        "it above $q50",
        "visit_sd": f"visits deviate from the mean change by a {log} SD above $q95 with "
        "probability 5 %",
        "residual_sd": f"SD of a patient's {log} value from visit to visit around $q50, between "
        "$q025 and $q975",
        "covariate_slope": f"{marker.ratio} per unit of the covariate between $x025 and $x975",
        "serial_sd": f"SD of a patient's own {log} deviations that fade over weeks above $q95 "
        "with probability 5 %",
    }[parameter]


def _source(known: Catalogue, marker: Marker, keys: Sequence[str]) -> str:
    """Where the numbers stand, and what the file says of them."""
    own = bool(beyond_shipped(known, [marker.name]))
    file = "the cohort's markers.toml" if own else "data/markers.toml"
    said = []
    for key in keys:
        value = getattr(marker, key)
        unit = f" {marker.unit}" if key == "typical" else ""
        said.append(f"{key} = {value:g}{unit}: {marker.source.get(key, 'no source given')}")
    return f"{file}, [{marker.name}] {'; '.join(said)}"
