"""Numbers of the page's pictures: densities, courses, shares, ratios by visit, tipping curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import xarray as xr

from mnbayes.analyses.withdrawal.tipping import Tipping
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import labels, stacked
from mnbayes.base.text_table import records
from mnbayes.cards.beliefs import Belief
from mnbayes.cards.parameters import SHARED, quantity
from mnbayes.explorer.answers import Answered
from mnbayes.explorer.dials import density, quantiles, unit_of
from mnbayes.inference.contract import level
from mnbayes.report.kit.measured import LEVELS, PANELS, measured
from mnbayes.report.kit.thresholds import thresholds

#: Bars of a posterior, and of a share.
BARS, SHARES = 40, 40
#: Share of a prior that its density is drawn over.
DRAWN = 0.99
#: Significant digits of what is drawn: more than a screen has.
DIGITS = 4


def rounded(values: Floats) -> Any:
    """An array as plain numbers, None where there is none."""
    return _plain(np.asarray(values, dtype=float).tolist())


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def densities(answered: Answered, names: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Prior and posterior of each top-level parameter that has a density of one number.

    Returns
    -------
    dict
        Name of the prior to ``x`` and ``prior`` (a curve), ``edges`` and ``posterior`` (bars; none
        where withheld), all on the belief's own unit along x; heights are densities on the
        parameter's own scale, which is even along a log axis where ``log`` says so.
    """
    card = answered.fit.required_card
    shown = not answered.result.withheld
    posterior = answered.fit.tree["posterior"].dataset
    found: dict[str, Any] = {}
    for name, (parameter, marker) in names.items():
        spec = card.prior[parameter][marker]
        about = quantity(parameter, marker, card.catalogue)
        if spec.distribution == "LKJ" or not about.scales:
            continue
        belief = unit_of(about)
        low, high = quantiles(spec, (1 - DRAWN) / 2, (1 + DRAWN) / 2)
        if about.kind not in ("level", "change"):
            low = 0.0
        draws = _draws(posterior, parameter, marker) if shown else np.empty(0)
        if draws.size:
            low, high = min(low, float(draws.min())), max(high, float(draws.max()))
        curve = density(card, parameter, marker, low, high)
        entry = {
            "x": _natural(belief, np.array(curve["x"])),
            "prior": rounded(np.array(curve["y"])),
            "log": about.kind in ("level", "change") and belief.scale != "%",
        }
        if draws.size:
            heights, edges = np.histogram(draws, BARS, (low, high), density=True)
            entry |= {"edges": _natural(belief, edges), "posterior": rounded(heights)}
        found[name] = entry
    return found


def _draws(posterior: xr.Dataset, parameter: str, marker: str) -> Floats:
    if parameter not in posterior:
        return np.empty(0)
    array = posterior[parameter]
    draws = np.asarray(array.to_numpy(), dtype=float)
    if parameter not in SHARED:
        at = labels(posterior["marker"]).index(marker)
        draws = np.take(draws, at, axis=array.get_axis_num("marker"))
    return draws.ravel()


def _natural(belief: Belief, values: Floats) -> Any:
    return rounded(belief.naturals(values))


def courses(answered: Answered) -> list[dict[str, Any]]:
    """Each patient's measurements over the true level, marker by marker, in the marker's unit."""
    result, found = answered.result, []
    tree = result.fit.tree
    for marker in result.fit.observations.markers:
        about, data = result.catalogue[marker], measured(result, marker)
        bands: Any = None
        patients = list(result.fit.observations.patients)[:PANELS]
        if not result.withheld:
            draws = stacked(level(tree, "posterior").sel(marker=marker), "patient", "visit")
            ends = np.quantile(draws[:, : len(patients)], LEVELS, axis=0)
            bands = rounded(np.moveaxis(np.asarray(about.in_units(ends)), 0, 1))
        found.append(
            {
                "marker": marker,
                "label": about.label,
                "unit": about.unit,
                "log": about.scale == "log",
                "weeks": rounded(data.weeks),
                "patients": patients,
                "left_out": len(result.fit.observations.patients) - len(patients),
                "value": rounded(data.value[: len(patients)]),
                "lower": rounded(data.lower[: len(patients)]),
                "upper": rounded(data.upper[: len(patients)]),
                "withdrew": rounded(data.withdrew[: len(patients)]),
                "bands": bands,
                "lines": [
                    {"at": at, "label": label.split("\n")[-1]}
                    for at, label in thresholds(about, answered.definitions)
                ],
            }
        )
    return found


def by_week(answered: Answered) -> list[dict[str, Any]]:
    """Ratio to baseline at each visit, given the data and under the prior alone."""
    result, found = answered.result, []
    table = answered.before.estimates
    for marker in result.fit.observations.markers:
        about = result.catalogue[marker]
        rows = records(table[table["marker"] == marker])
        ends = ("median", "lower", "upper")
        nothing = bool(result.withheld)
        found.append(
            {
                "marker": marker,
                "label": about.label,
                "ratio": about.ratio,
                "weeks": [row["week"] for row in rows],
                "now": None
                if nothing
                else [[rounded(row[f"gmr_{end}"]) for end in ends] for row in rows],
                "prior": [[rounded(row[f"gmr_{end}_prior"]) for end in ends] for row in rows],
            }
        )
    return found


def shares(answered: Answered) -> list[dict[str, Any]]:
    """The share of such patients in each stated category, and its benchmark."""
    draws, result = answered.draws, answered.result
    if draws is None:
        return []
    at = draws.weeks.index(result.primary_week) if result.primary_week in draws.weeks else None
    found = []
    for category in answered.definitions.stated:
        if at is None or category not in draws.posterior.share:
            continue
        now, prior = (
            np.histogram(group.share[category][..., at].ravel(), SHARES, (0.0, 1.0))[0]
            for group in (draws.posterior, draws.prior)
        )
        found.append(
            {
                "category": category,
                "label": answered.definitions.label(category),
                "benchmark": answered.definitions.benchmarks.get(category),
                "now": None if result.withheld else rounded(now / max(1, int(now.sum()))),
                "prior": rounded(prior / max(1, int(prior.sum()))),
            }
        )
    return found


def tipping_curve(swept: Tipping | None, answered: Answered) -> list[dict[str, Any]]:
    """Probability that a conclusion about the enrolled stands, by how much worse the unseen are."""
    if swept is None:
        return []
    found = []
    curve = swept.curve[swept.curve["probability"].notna()]
    line = answered.definitions.decision.probability
    for (quantity_, category), rows in curve.groupby(["quantity", "category"], sort=False):
        of = answered.definitions.label(str(category)) if category else ""
        threshold = float(rows["threshold"].iloc[0])
        label = f"share in {of} above {100 * threshold:.4g} %" if of else "ratio better than 1"
        found.append(
            {
                "quantity": str(quantity_),
                "label": label,
                "line": line,
                "delta": rounded(rows["delta"].to_numpy()),
                "probability": rounded(rows["probability"].to_numpy()),
                "prior": rounded(rows["probability_prior"].to_numpy()),
            }
        )
    return found
