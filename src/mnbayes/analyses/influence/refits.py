"""Influence of each patient: every answer again, from a refit without that patient.

A patient who is left out is out of everything: of the likelihood, of the centre of a covariate
and of the tables. The refits have draws of their own, independent of the full fit's, so the
Monte Carlo error of a difference is the root of the sum of both squared errors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from mnbayes.answers.answer_table import KEYS, NUMBERS, refit_answers
from mnbayes.answers.conclusions import CLOSE, concluded
from mnbayes.answers.result import Result, headline_week
from mnbayes.base.problems import InputError
from mnbayes.base.text_table import records
from mnbayes.base.workers import silent
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import Observations
from mnbayes.inference.fit import Fit, Sampling, fit

#: Called with the refits done and the refits in all.
Count = Callable[[int, int], None]

#: Most patients that are left out one by one: beyond, a single one moves little, and the
#: refits take minutes.
MOST_PATIENTS = 40
#: How many times as many draws a refit takes whose answer lies on a line between conclusions.
MORE = 2
#: Fewest patients with measurements; without one of them, two are left, the least for a fit.
FEWEST_PATIENTS = 3
#: Spawn key of the refits' seeds; a fit spawns 0, 1 and 2 from its own.
_SEEDS = 3

INFLUENCE_COLUMNS = (
    *("model", "left_out", *KEYS, "prior"),
    *NUMBERS,
    *(f"{name}_without" for name in NUMBERS),
    *("difference", "mcse_difference", "reason"),
)


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
    return _measured(fitted.observations)


def _measured(data: Observations) -> tuple[str, ...]:
    seen = data.observed.any(axis=(1, 2))
    return tuple(patient for patient, here in zip(data.patients, seen, strict=True) if here)


def why_none(fitted: Fit) -> str:
    """Say why no patient of a fit is left out; empty where each can be."""
    if fitted.card is None:
        return "A model of one's own is not refitted without a patient."
    return _why_none(fitted.card, fitted.observations)


def _why_none(card: Card, data: Observations) -> str:
    count = len(_measured(data))
    if not card.influence:
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


def patients_to_leave_out(card: Card, data: Observations, seed: int) -> dict[str, int]:
    """Each patient that is left out once, with the seed of the refit; empty where none is.

    Parameters
    ----------
    seed : int
        Of the fit to all patients.
    """
    if _why_none(card, data):
        return {}
    patients = _measured(data)
    seeds = np.random.SeedSequence(seed, spawn_key=(_SEEDS,)).generate_state(len(patients))
    return {patient: int(own) for patient, own in zip(patients, seeds, strict=True)}


def _answers_of(fitted: Fit, definitions: Definitions) -> pd.DataFrame:
    """What a refit reports; the prior does not change with the data."""
    seed = fitted.sampling.seed
    return refit_answers(fitted.tree, definitions, fitted.name, seed, prior=False)[0]


def compare(
    full: pd.DataFrame, refit: pd.DataFrame | str, model: str, left_out: str
) -> pd.DataFrame:
    """Set the answers of a refit beside those from all patients.

    Parameters
    ----------
    full : DataFrame
        From :func:`mnbayes.answers.answer_table`, of all patients.
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
        table = kept.assign(**{f"{name}_without": np.nan for name in NUMBERS}, reason=refit)
    else:
        table = kept.merge(
            refit.drop(columns="prior"), "left", list(KEYS), suffixes=("", "_without")
        )
        # The visits of a fit are those at which somebody was measured.
        missing = table["value_without"].isna()
        words = [f"nobody else was measured at week {w:g}" for w in table["week"]]
        table["reason"] = pd.Series(words, table.index, dtype="str").where(missing, "")
    table["difference"] = table["value_without"] - table["value"]
    table["mcse_difference"] = np.hypot(table["mcse"], table["mcse_without"])
    table = table.assign(model=model, left_out=left_out)
    return table[list(INFLUENCE_COLUMNS)].reset_index(drop=True)


def refit_without(
    card: Card,
    cohort: Cohort,
    definitions: Definitions,
    sampling: Sampling,
    patient: str,
    seed: int,
) -> pd.DataFrame | str:
    """The answers of a refit without a patient, or why there are none.

    Parameters
    ----------
    cohort : Cohort
        With the patient.
    sampling : Sampling
        Of the fit to all patients; a refit is shorter, and has :data:`MORE` times as many draws
        where what is said of such patients lies so near a line between conclusions
        that Monte Carlo error could move it across.
    seed : int
        Of the refit.
    """
    how = replace(sampling.of_a_refit, seed=seed)
    try:
        left = without(cohort, patient)
        refit = fit(card, left, how)
        if refit.diagnostics.reasons:
            return f"did not converge: {'; '.join(refit.diagnostics.reasons)}"
        found = _answers_of(refit, definitions)
        if not _near_a_line(found, refit, definitions):
            return found
        more = fit(card, left, replace(how, draws=MORE * how.draws))
    except InputError as error:
        problems = [f"{p.found}; expected {p.expected}" for p in error.problems]
        return f"cannot be fitted: {'; '.join(problems)}"
    return found if more.diagnostics.reasons else _answers_of(more, definitions)


def _near_a_line(answers: pd.DataFrame, refit: Fit, definitions: Definitions) -> bool:
    """Whether what is said of such patients lies within two Monte Carlo errors of a line."""
    rows = concluded(answers, definitions, headline_week(refit, definitions))
    # What is said of all such patients; patients' own probabilities are many, and some of them
    # always lie near a line.
    rows = rows[rows["kind"] != "latent"]
    line = definitions.decision.probability
    return any(
        abs(row["value"] - each) <= CLOSE * row["mcse"]
        for row in records(rows)
        for each in (line, 1 - line)
    )


def influence_table(result: Result, refits: Mapping[str, pd.DataFrame | str]) -> pd.DataFrame:
    """Set the answers of all refits beside those from all patients.

    Parameters
    ----------
    result : Result
        From all patients.
    refits : mapping
        Patient to :func:`refit_without`'s answer.

    Returns
    -------
    DataFrame
        See :func:`leave_one_out`; empty for a withheld result and without refits.
    """
    if result.withheld or not refits:
        return pd.DataFrame(columns=list(INFLUENCE_COLUMNS))
    parts = [compare(result.answers, own, result.name, who) for who, own in refits.items()]
    return pd.concat(parts, ignore_index=True)


def leave_one_out(
    result: Result, cohort: Cohort, definitions: Definitions, progress: Count = silent
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
    fitted = result.fit
    card = fitted.required_card
    asked = patients_to_leave_out(card, fitted.observations, fitted.sampling.seed)
    if result.withheld or not asked:
        return influence_table(result, {})
    refits: dict[str, pd.DataFrame | str] = {}
    for patient, seed in asked.items():
        progress(len(refits), len(asked))
        refits[patient] = refit_without(card, cohort, definitions, fitted.sampling, patient, seed)
    progress(len(asked), len(asked))
    return influence_table(result, refits)
