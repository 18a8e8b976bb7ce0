"""Influence of each patient: every answer again, from a refit without that patient.

A patient who is left out is out of everything: of the likelihood, of the centre of a covariate
and of the tables. The refits have draws of their own, independent of the full fit's, so the
Monte Carlo error of a difference is the root of the sum of both squared errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.change import estimates
from mnbayes.cohort import Cohort
from mnbayes.comparison.reported import estimate_errors
from mnbayes.definitions import Definitions
from mnbayes.fitting import Fit, fit
from mnbayes.labelled import array
from mnbayes.probability_tables import population_table, probability_table
from mnbayes.problems import InputError
from mnbayes.remission import response_draws
from mnbayes.results import Result

#: Called with the refits done and the refits in all.
Count = Callable[[int, int], None]

#: Most patients that are left out one by one: beyond, a single one moves little, and the
#: refits take minutes.
MOST_PATIENTS = 40
#: Draws of a chain that a refit needs for the gate.
ENOUGH = 750
#: Fewest patients with measurements; without one of them, two are left, the least for a fit.
FEWEST_PATIENTS = 3
#: Spawn key of the refits' seeds; a fit spawns 0, 1 and 2 from its own.
_SEEDS = 3

_KEYS = ["kind", "patient", "marker", "week", "category"]
_NUMBERS = ["value", "lower", "upper", "mcse"]
INFLUENCE_COLUMNS = (
    *("model", "left_out", *_KEYS, "prior"),
    *_NUMBERS,
    *(f"{name}_without" for name in _NUMBERS),
    *("difference", "mcse_difference", "reason"),
)


def _silent(done: int, total: int) -> None:
    """Show no progress."""


def without(cohort: Cohort, patient: str) -> Cohort:
    """The cohort as though a patient had never been enrolled."""

    def kept(table: pd.DataFrame) -> pd.DataFrame:
        return table[table["patient"] != patient].reset_index(drop=True)

    return replace(
        cohort,
        patients=kept(cohort.patients),
        measurements=kept(cohort.measurements),
        events=None if cohort.events is None else kept(cohort.events),
    )


def measured_patients(fitted: Fit) -> tuple[str, ...]:
    """Patients with a measurement that the model uses; leaving out another changes nothing."""
    data = fitted.observations
    seen = data.observed.any(axis=(1, 2))
    return tuple(patient for patient, here in zip(data.patients, seen, strict=True) if here)


def why_none(fitted: Fit) -> str:
    """Say why no patient of a fit is left out; empty where each can be."""
    count = len(measured_patients(fitted))
    if not fitted.card.influence:
        return "The model's card does not ask for it (influence = true)."
    if count < FEWEST_PATIENTS:
        return (
            f"Only {count} patients were measured. Without one of them a single patient would be "
            "left, who says nothing of the spread between patients."
        )
    if count > MOST_PATIENTS:
        return (
            f"{count} patients were measured; patients are left out one by one in cohorts of up "
            f"to {MOST_PATIENTS}."
        )
    return ""


def answer_table(
    probabilities: pd.DataFrame, population: pd.DataFrame, gmr: pd.DataFrame, tree: xr.DataTree
) -> pd.DataFrame:
    """Every model-based answer of a fit as one long table.

    Parameters
    ----------
    probabilities, population, gmr : DataFrame
        As in ``probabilities.csv``, ``population.csv`` and ``estimates.csv``.
    tree : DataTree
        The fit, for the Monte Carlo errors of the ratios.

    Returns
    -------
    DataFrame
        Columns ``kind, patient, marker, week, category`` (texts blank where they do not
        apply), ``prior, value, lower, upper, mcse``. ``kind`` is ``latent``, ``next_patient``,
        ``population``, ``exceeds``, ``gmr`` (posterior median), ``p_fall``, ``p_fall_30`` or
        ``p_fall_50``; 95 % equal-tailed intervals where it is ``gmr`` or ``population``.
        Answers that cannot be evaluated are not there.
    """
    judged = probabilities[~probabilities["quantity"].isin(["observed", "repeat"])].rename(
        columns={"quantity": "kind", "probability": "value", "prior_probability": "prior"}
    )
    ends = population.rename(columns={"share_lower": "lower", "share_upper": "upper"})
    ends = ends[["week", "category", "lower", "upper"]].assign(kind="population")
    judged = judged.merge(ends, on=["kind", "week", "category"], how="left")
    table = pd.concat([judged.assign(marker=""), _ratios(gmr, tree)], ignore_index=True)
    texts = ["kind", "patient", "marker", "category"]
    table[texts] = table[texts].fillna("").astype("str")
    return table.loc[table["value"].notna(), [*_KEYS, "prior", *_NUMBERS]].reset_index(drop=True)


def _ratios(gmr: pd.DataFrame, tree: xr.DataTree) -> pd.DataFrame:
    """Ratios to baseline and probabilities of a fall; rows as in ``estimates.csv``, repeated."""
    errors = estimate_errors(
        array(tree["posterior"].dataset["visit_change"], "marker", "later_visit")
    )
    place = gmr[["marker", "week"]]
    ratio = place.assign(
        kind="gmr",
        prior=gmr["gmr_median_prior"],
        value=gmr["gmr_median"],
        lower=gmr["gmr_lower"],
        upper=gmr["gmr_upper"],
        # The error is that of the log ratio.
        mcse=gmr["gmr_median"] * errors["gmr_median"][1].ravel(),
    )
    falls = [
        place.assign(
            kind=kind,
            prior=gmr[f"{kind}_prior"],
            value=gmr[kind],
            mcse=errors[kind][1].ravel(),
        )
        for kind in ("p_fall", "p_fall_30", "p_fall_50")
    ]
    return pd.concat([ratio, *falls], ignore_index=True)


def _answers_of(fitted: Fit, definitions: Definitions) -> pd.DataFrame:
    """What a refit reports; the prior does not change with the data and is not summarised."""
    groups = {
        name: fitted.tree[name].to_dataset()
        for name in ("posterior", "posterior_predictive", "observed_data")
    }
    for name in ("prior", "prior_predictive"):
        groups[name] = fitted.tree[name].to_dataset().isel(draw=slice(1))
    tree = xr.DataTree.from_dict(groups)
    name = fitted.card.name
    draws = response_draws(tree, definitions, fitted.sampling.seed)
    if draws is not None:
        # Nobody asks how a repeat measurement moves; its Monte Carlo errors take as long as all
        # the others'.
        repeat = replace(draws.posterior.repeat, categories={})
        draws = replace(draws, posterior=replace(draws.posterior, repeat=repeat))
    return answer_table(
        probability_table(draws, name), population_table(draws, name), estimates(tree, name), tree
    )


def compare(
    full: pd.DataFrame, refit: pd.DataFrame | str, model: str, left_out: str
) -> pd.DataFrame:
    """Set the answers of a refit beside those from all patients.

    Parameters
    ----------
    full : DataFrame
        From :func:`answer_table`, of all patients.
    refit : DataFrame or str
        The same of the refit, or why there is none.
    model, left_out : str
        Written on every row.

    Returns
    -------
    DataFrame
        Columns :data:`INFLUENCE_COLUMNS`, one row for each answer but those about the patient
        who is left out. Where the refit has no answer its numbers and the difference are
        blank, and ``reason`` says why; elsewhere ``reason`` is blank.
    """
    kept = full[full["patient"] != left_out]
    if isinstance(refit, str):
        table = kept.assign(**{f"{name}_without": np.nan for name in _NUMBERS}, reason=refit)
    else:
        table = kept.merge(refit.drop(columns="prior"), "left", _KEYS, suffixes=("", "_without"))
        # The visits of a fit are those at which somebody was measured.
        missing = table["value_without"].isna()
        words = [f"nobody else was measured at week {w:g}" for w in table["week"]]
        table["reason"] = pd.Series(words, table.index, dtype="str").where(missing, "")
    table["difference"] = table["value_without"] - table["value"]
    table["mcse_difference"] = np.hypot(table["mcse"], table["mcse_without"])
    table = table.assign(model=model, left_out=left_out)
    return table[list(INFLUENCE_COLUMNS)].reset_index(drop=True)


def _refit(
    result: Result, cohort: Cohort, definitions: Definitions, seed: int
) -> pd.DataFrame | str:
    try:
        sampling = result.fit.sampling
        # Enough for the gate; the differences that matter are far above the Monte Carlo error.
        draws = min(sampling.draws, max(ENOUGH, 3 * sampling.draws // 4))
        fewer = replace(sampling, draws=draws, seed=seed)
        refit = fit(result.fit.card, cohort, fewer)
    except InputError as error:
        found = [f"{p.found}; expected {p.expected}" for p in error.problems]
        return f"cannot be fitted: {'; '.join(found)}"
    if refit.diagnostics.reasons:
        return f"did not converge: {'; '.join(refit.diagnostics.reasons)}"
    return _answers_of(refit, definitions)


def leave_one_out(
    result: Result, cohort: Cohort, definitions: Definitions, progress: Count = _silent
) -> pd.DataFrame:
    """Refit a model without each patient in turn and compare every answer.

    The refits are exact (no importance weights), and shorter than the full fit. They compile
    nothing, except where a patient's absence changes the structure of the model: with
    Student-t residuals, and where the patient has values beyond a detection limit.

    Parameters
    ----------
    result : Result
        From all patients, not withheld.
    cohort : Cohort
        The one that was fitted.
    definitions : Definitions
        The ones that were used.
    progress : callable, optional

    Returns
    -------
    DataFrame
        Columns :data:`INFLUENCE_COLUMNS`, long: one row for each patient left out and each
        answer (``influence.csv``); ratios have no unit, probabilities and shares lie between
        0 and 1.

        - ``prior, value, lower, upper, mcse``: the answer under the prior alone and from all
          patients, its 95 % interval (``gmr`` and ``population`` alone), its Monte Carlo error;
        - ``value_without`` and so on: the same from the refit;
        - ``difference``: ``value_without - value``, with its Monte Carlo error;
        - ``reason``: why the refit has no answer. A refit that fails the gate has none, also
          where the user asked to see unconverged fits.

        Empty where no patient is left out; :func:`why_none` says why.
    """
    if why_none(result.fit) or result.withheld:
        return pd.DataFrame(columns=list(INFLUENCE_COLUMNS))
    full = answer_table(result.probabilities, result.population, result.estimates, result.fit.tree)
    patients = measured_patients(result.fit)
    stream = np.random.SeedSequence(result.fit.sampling.seed, spawn_key=(_SEEDS,))
    seeds = stream.generate_state(len(patients))
    parts = []
    for done, (patient, seed) in enumerate(zip(patients, seeds, strict=True)):
        progress(done, len(patients))
        refit = _refit(result, without(cohort, patient), definitions, int(seed))
        parts.append(compare(full, refit, result.name, patient))
    progress(len(patients), len(patients))
    return pd.concat(parts, ignore_index=True)
