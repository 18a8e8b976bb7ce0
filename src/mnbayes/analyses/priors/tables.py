"""Every prior of a model, what it says before any data, and what a belief changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.priors.elicit_command import Elicitation
from mnbayes.analyses.priors.predictive import PriorPredictive
from mnbayes.analyses.priors.shared import same_priors
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.cards import families
from mnbayes.cards.card import Card
from mnbayes.report.kit import wording
from mnbayes.report.kit.results import prior_text
from mnbayes.report.kit.wording import PARAMETER_LABELS

_ENDS = ("median", "lower", "upper")
_SIDES = ("below", "above")
#: Rows of the density, and signs of the longest bar.
_BARS, _LONGEST = 13, 24


def prior_table(card: Card) -> Table:
    """Every prior of a card: formula, meaning on the natural scale, reason and source.

    Those of parameters that the card has switched off are named as well.
    """
    rows = []
    for parameter in card.prior:
        what = PARAMETER_LABELS[parameter]
        off = "" if parameter in card.parameters else ", switched off"
        for marker, spec in card.prior[parameter].items():
            rows.append(
                (
                    f"{parameter} ({what}{off})",
                    marker or "all",
                    spec.formula,
                    spec.explained,
                    spec.why,
                    spec.source,
                )
            )
    head = ("Parameter", "Marker", "Prior", "Meaning", "Why", "Source")
    caption = f"{card.name}: priors as they would be used"
    return Table(caption, head, tuple(rows), frozenset(range(6)), wide=True)


#: Probability of response: what it is of, in words.
_ASKED = {
    "latent": "True level of a patient",
    "repeat": "Repeat measurement of that patient",
    "next_patient": "Next patient, as measured",
    "population": "Share of such patients",
    "exceeds": "Share above its benchmark",
}


def prior_predictive_table(result: Result) -> Table | None:
    """Every probability of response at the primary week before any data; None without any.

    The mean over patients where a quantity has one value each: under the prior all patients
    are alike, unless the model has a covariate.
    """
    table = result.probabilities
    if table.empty or result.withheld:
        return None
    definitions, week = result.judged_by, result.primary_week
    categories = [c for c in definitions.categories if c not in result.not_evaluable]
    table = table[table["week"] == week]
    means = table.groupby(["quantity", "category"])["prior_probability"].mean()
    rows = tuple(
        (
            asked,
            *(prior_text(result, float(means.get((quantity, c), np.nan))) for c in categories),
        )
        for quantity, asked in _ASKED.items()
    )
    head = ("Probability of", *(definitions.label(c).capitalize() for c in categories))
    caption = f"Responses under the prior alone, {wording.week_name(week)}, model {result.name}"
    return Table(caption, head, rows)


def levels_once(found: Mapping[str, tuple[Card, PriorPredictive]], shares: set[str]) -> Table:
    """Levels under the priors alone, one row for each marker and its priors.

    Parameters
    ----------
    found : mapping
        Model to its card and what its priors say.
    shares : set of str
        Models of which probabilities may be shown.
    """
    rows: dict[tuple[str, str], list[str]] = {}
    models: dict[tuple[str, str], list[str]] = {}
    for model, (card, predictive) in found.items():
        for marker in card.markers:
            key = (marker, str(same_priors(card, marker)))
            models.setdefault(key, []).append(model)
            if key not in rows or (model in shares and not rows[key][-1]):
                rows[key] = _levels_cells(predictive, marker, model in shares)
    every = {marker: sum(name == marker for name, _ in rows) for marker, _ in rows}
    labelled = tuple(
        (
            f"{cells[0]} ({', '.join(models[key])})" if every[key[0]] > 1 else cells[0],
            *cells[1:],
        )
        for key, cells in rows.items()
    )
    head = (
        *("Marker", "Typical patient, baseline", "… at the last visit"),
        *("Next patient, last visit, as measured", "Beyond what is found in patients"),
    )
    caption = "Levels under the prior alone: median (95 % interval)"
    return Table(caption, head, labelled, frozenset({0, 4}))


def _levels_cells(predictive: PriorPredictive, marker: str, shares: bool) -> list[str]:
    info = predictive.draws.catalogue[marker]
    first, last = (
        _row(predictive.levels, marker, week)
        for week in (predictive.draws.weeks[0], predictive.draws.weeks[-1])
    )
    cells = [f"{info.label}, {info.unit}"]
    for row, who in ((first, "typical"), (last, "typical"), (last, "patient")):
        cells.append(wording.level_with_range(*(row[f"{who}_{end}"] for end in _ENDS)))
    beyond = []
    draws = len(predictive.draws.patient)
    for side, bound in (("below", info.limits.lower), ("above", info.limits.upper)):
        share = wording.probability_of_draws(last[f"patient_{side}"], draws)
        beyond.append(f"{share} {side} {bound:g}")
    return [*cells, ", ".join(beyond) if shares else ""]


def levels_frame(
    found: Mapping[str, tuple[Card, PriorPredictive]], shares: set[str]
) -> pd.DataFrame:
    """Levels under the priors alone, every model and visit, beside the levels found in patients.

    ``prior_levels.csv``: the columns of :attr:`PriorPredictive.levels`, then the limits of what
    is found in patients with reason and source. Probabilities are blank for a model that is not
    in ``shares``.
    """
    frames = []
    for model, (_, predictive) in found.items():
        known = predictive.draws.catalogue
        frame = predictive.levels.assign(
            found_lower=[known[m].limits.lower for m in predictive.levels["marker"]],
            found_upper=[known[m].limits.upper for m in predictive.levels["marker"]],
            found_why=[known[m].limits.why for m in predictive.levels["marker"]],
            found_source=[known[m].source_of_limits for m in predictive.levels["marker"]],
        )
        if model not in shares:
            hidden = [f"{who}_{side}" for who in ("typical", "patient") for side in _SIDES]
            frame[hidden] = np.nan
        frame.insert(0, "model", model)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def levels_table(predictive: PriorPredictive, *, shares: bool) -> Table:
    """Levels that a card's priors call normal, first and last visit.

    Parameters
    ----------
    predictive : PriorPredictive
    shares : bool
        Whether to give the probability of a level that no patient has.
    """
    draws = len(predictive.draws.patient)
    known = predictive.draws.catalogue
    last = predictive.draws.weeks[-1]
    rows = []
    for row in records(predictive.levels[predictive.levels["week"].isin([0.0, last])]):
        marker = known[row["marker"]]
        cells = [
            f"{marker.label}, {marker.unit}",
            wording.week_name(row["week"]),
            *(
                wording.level_with_range(*(row[f"{who}_{part}"] for part in _ENDS))
                for who in ("typical", "patient")
            ),
        ]
        for side, bound in (
            (("below", marker.limits.lower), ("above", marker.limits.upper)) if shares else ()
        ):
            share = wording.probability_of_draws(row[f"patient_{side}"], draws)
            cells.append(f"{side} {bound:g}: {share}")
        rows.append(tuple(cells))
    head: tuple[str, ...] = ("Marker", "Visit", "Typical (median) patient")
    head = (*head, "Next patient, as measured")
    if shares:
        head = (*head, "Next patient, too low", "Next patient, too high")
    caption = "Levels under the prior alone: median (95 % interval); all later visits are alike"
    return Table(caption, head, tuple(rows), frozenset({0, 1}))


def statements_table(found: Elicitation) -> Table:
    """What a belief states, and what the distribution that was fitted to it has."""
    rows = tuple(
        (
            f"{check.statement} (if both tails are alike)" if check.implied else check.statement,
            f"{100 * check.stated:.3g} %",
            f"{100 * check.achieved:.3g} %",
        )
        for check in found.elicited.checks
    )
    caption = "What was stated and what the distribution has"
    return Table(caption, ("Statement", "Stated", "Achieved"), rows)


def density_table(found: Elicitation) -> Table:
    """The density as bars, one row for each value of the belief's scale.

    Solid within the stated bounds, hatched outside, so that the stated probability can be seen.
    No row where the distribution is too wide to be drawn.
    """
    elicited = found.elicited
    belief, family, arguments = elicited.belief, elicited.distribution, elicited.arguments
    low, high = (float(families.quantile(family, arguments, p)) for p in (0.005, 0.995))
    edges = np.linspace(low, high, _BARS + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    mass = np.diff(families.cdf(family, arguments, edges))
    head, caption = ("Value", "Density"), "Density: solid within what was stated, hatched outside"
    if not np.isfinite(mass).all() or mass.max() <= 0:
        return Table(caption, head, ())
    start, end = belief.bounds
    rows = []
    for middle, part in zip(middles, mass / mass.max(), strict=True):
        within = (start is None or middle >= start) and (end is None or middle <= end)
        bar = ("█" if within else "░") * max(round(_LONGEST * part), 1)
        rows.append((belief.shown(belief.natural(float(middle))), bar))
    ordered = rows[::-1] if belief.scale == "fall" else rows
    return Table(caption, head, tuple(ordered), frozenset({1}))


def belief_table(found: Elicitation) -> Table:
    """The marker's change and the next patient, without and with the belief."""
    both = (found.without, found.with_belief)
    info = found.card.catalogue[found.shown_marker]
    last = found.with_belief.draws.weeks[-1]
    draws = len(found.with_belief.draws.patient)
    levels = [_row(p.levels, info.name, 0.0) for p in both]
    later = [_row(p.levels, info.name, last) for p in both]
    ratios = [_row(p.ratios, info.name, last) for p in both]

    def ends(rows: list[dict[str, Any]], who: str) -> list[str]:
        return [wording.level_with_range(*(row[f"{who}{end}"] for end in _ENDS)) for row in rows]

    half = [wording.probability_of_draws(row["p_fall_50"], draws) for row in ratios]
    at = wording.week_name(last)
    falls = [
        (f"Typical fall, {at}", *(_fall(row) for row in ratios)),
        ("P(typical fall of half or more)", *half),
    ]
    rows = [
        (f"{info.label}: typical baseline, {info.unit}", *ends(levels, "typical_")),
        (f"Typical {info.ratio} to baseline, {at}", *ends(ratios, "")),
        *(falls if info.scale == "log" else ()),
        (f"Next patient, baseline, {info.unit}", *ends(levels, "patient_")),
        (f"Next patient, {at}, {info.unit}", *ends(later, "patient_")),
    ]
    said = found.with_belief.definitions
    if info.name in said.markers:
        chances = [responses_at(p, last) for p in both]
        rows += [
            (
                f"P(next patient: {label}), {at}",
                *(wording.probability_of_draws(each[category], draws) for each in chances),
            )
            for category, label in ((c, said.short(c)) for c in said.responses)
            if category in chances[0]
        ]
    caption = (
        "Under the prior alone, no data: median (95 % interval); a fall is negative where the "
        "marker rises"
    )
    return Table(caption, ("Consequence", "Without the belief", "With it"), tuple(rows))


def responses_at(predictive: PriorPredictive, week: float) -> dict[str, float]:
    """Probability of each category for the next patient, under the prior alone."""
    rows = predictive.responses[predictive.responses["week"] == week]
    return {str(c): float(p) for c, p in zip(rows["category"], rows["probability"], strict=True)}


def _row(frame: pd.DataFrame, marker: str, week: float) -> dict[str, Any]:
    return records(frame[(frame["marker"] == marker) & (frame["week"] == week)])[0]


def _fall(row: dict[str, Any]) -> str:
    median, upper, lower = (
        wording.percent(1 - row[end]) if row[end] < 11 else f"{wording.level(row[end])}-fold"
        for end in _ENDS
    )
    return f"{median} ({lower} to {upper})"
