"""Whether the two engines say the same of simulated cohorts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mnbayes.answers.probability_tables import probability_table
from mnbayes.answers.response_draws import response_draws
from mnbayes.base.workers import silent
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import Definitions
from mnbayes.data.cohort import Cohort
from mnbayes.inference.diagnostics import parameter_table
from mnbayes.inference.fit import Fit, Sampling, fit
from mnbayes.studies.rerun import as_lines
from mnbayes.studies.simulated_cohorts import simulate_cohorts

#: Columns of an agreement table.
AGREEMENT_COLUMNS = ("cohort", "patients", "kind", "quantity", "difference", "error", "reason")
#: What is compared: the parameters themselves and the geometric mean ratios' logs.
VARIABLES = (
    *("baseline_mean", "change_mean", "visit_change"),
    *("baseline_sd", "change_sd", "visit_sd", "residual_sd"),
)
#: NUTS's draws, and the collapsed engine's, which cost less and may repeat.
DRAWS = {"nuts": 5000, "collapsed": 10_000}
#: Times as many draws for a cohort whose comparison is beyond :data:`LIMITS` with those: a chance
#: difference of the two estimates shrinks, one between the engines stays.
MORE = 6
#: Largest difference of a mean and of a probability in Monte Carlo errors, and of an SD as a share.
LIMITS = {"mean": 4.0, "sd": 0.05, "probability": 4.0}


def agreement(
    card: Card,
    definitions: Definitions,
    n_patients: Sequence[int],
    weeks: Sequence[float],
    n_cohorts: int,
    seed: int,
    progress: Callable[[int, int], None] = silent,
) -> pd.DataFrame:
    """Fit each cohort, simulated from the card's priors, with both engines.

    Parameters
    ----------
    n_patients : sequence of int
        Sizes of the cohorts, in turn.
    progress : callable
        Called with the cohorts done and in all.

    Returns
    -------
    DataFrame
        Columns :data:`AGREEMENT_COLUMNS`, one row for each cohort, kind and quantity. ``mean``:
        difference of the posterior means; ``sd``: ratio of the posterior SDs less 1;
        ``probability``: difference of a reported probability; each with the Monte Carlo error of
        the difference. A cohort that either engine's gate withholds has one row, its numbers
        blank, with the reason. A cohort with a difference beyond :data:`LIMITS`, or withheld, is
        fitted again with :data:`MORE` times the draws, and has the rows of that.
    """
    simulations, fits = np.random.SeedSequence(seed).spawn(2)
    rows: list[tuple[object, ...]] = []
    streams = zip(simulations.spawn(n_cohorts), fits.spawn(n_cohorts), strict=True)
    for number, (stream, seeds) in enumerate(streams):
        progress(number, n_cohorts)
        rng = np.random.default_rng(seeds)
        size = n_patients[number % len(n_patients)]
        (truth,) = simulate_cohorts(card, size, weeks, 1, np.random.default_rng(stream))
        found: list[tuple[object, ...]] = []
        for factor in (1, MORE):
            found = _compared(card, truth.cohort, definitions, factor, rng)
            if all(_within(str(row[0]), row[2], row[3]) for row in found):
                break
        rows += [(number, size, *row) for row in found]
    progress(n_cohorts, n_cohorts)
    return pd.DataFrame(rows, columns=list(AGREEMENT_COLUMNS))


def _compared(
    card: Card, cohort: Cohort, definitions: Definitions, factor: int, rng: np.random.Generator
) -> list[tuple[object, ...]]:
    """Rows of one cohort without its number and size."""
    pair = {
        engine: fit(
            card,
            cohort,
            replace(
                Sampling(draws=factor * draws, seed=int(rng.integers(2**31))),
                engine=engine,  # type: ignore[arg-type]
            ),
        )
        for engine, draws in DRAWS.items()
    }
    reasons = [r for fitted in pair.values() for r in fitted.diagnostics.reasons]
    if reasons:
        return [("failed", "", np.nan, np.nan, "; ".join(reasons))]
    both = pair["nuts"], pair["collapsed"]
    return [(*row, "") for row in _moments(*both) + _probabilities(*both, definitions)]


def _within(kind: str, difference: object, error: object) -> bool:
    """Whether a comparison is inside its limit; one that failed is not."""
    size = np.abs(np.asarray(difference, dtype=float))
    limit = LIMITS.get(kind, 0.0) * (1.0 if kind == "sd" else np.asarray(error, dtype=float))
    return bool(size <= limit)


def _moments(one: Fit, other: Fit) -> list[tuple[str, str, float, float]]:

    tables = [
        parameter_table(each.tree["posterior"].to_dataset()[list(VARIABLES)]).set_index("parameter")
        for each in (one, other)
    ]
    first, second = tables
    gap = second["mean"] - first["mean"]
    error = np.hypot(first["mcse_mean"], second["mcse_mean"])
    ratio = second["sd"] / first["sd"] - 1.0
    # Of a normal sample; a skewed posterior's is larger.
    spread = np.sqrt(0.5 / first["ess_bulk"] + 0.5 / second["ess_bulk"])
    names = [str(name) for name in first.index]
    return [
        *(("mean", n, float(g), float(e)) for n, g, e in zip(names, gap, error, strict=True)),
        *(("sd", n, float(r), float(s)) for n, r, s in zip(names, ratio, spread, strict=True)),
    ]


def _probabilities(
    one: Fit, other: Fit, definitions: Definitions
) -> list[tuple[str, str, float, float]]:
    keys = ["quantity", "patient", "week", "category"]
    tables = []
    for each in (one, other):
        table = probability_table(response_draws(each.tree, definitions, 1), each.name)
        modelled = table[table["quantity"] != "observed"].fillna({"patient": ""})
        tables.append(modelled.set_index(keys)[["probability", "mcse"]].dropna())
    first, second = tables
    gap = second["probability"] - first["probability"]
    # Where every draw agrees the estimated error is 0; the truth may still be one draw away.
    least = 1.0 / min(DRAWS.values())
    error = np.maximum(np.hypot(first["mcse"], second["mcse"]), least)
    return [
        ("probability", " ".join(str(part) for part in key if part != ""), float(g), float(e))
        for key, g, e in zip(first.index, gap, error, strict=True)
    ]


def first_cohorts(table: pd.DataFrame, count: int) -> list[str]:
    """Moments of the first cohorts as lines of CSV: a stored agreement keeps them.

    The first of few cohorts are the first of many: a test fits them again, and sees whether the
    engines still differ by these numbers, within the Monte Carlo error that stands beside them.
    """
    kept = table[(table["cohort"] < count) & (table["kind"] != "probability")]
    return as_lines(kept)


def agreement_summary(table: pd.DataFrame) -> dict[str, float | int]:
    """How far the engines are apart at most.

    Returns
    -------
    dict
        Cohorts, those withheld by a gate, and over the others the largest difference of a mean
        and of a probability in Monte Carlo errors, the largest relative difference of an SD, and
        how many quantities were compared.
    """
    known = table[table["kind"] != "failed"]
    in_errors = (known["difference"] / known["error"]).abs()
    kinds = known["kind"]
    sds = kinds == "sd"
    return {
        "cohorts": int(table["cohort"].nunique()),
        "withheld": int((table["kind"] == "failed").sum()),
        "quantities": len(known),
        "mean_in_errors": float(in_errors[kinds == "mean"].max()),
        "mean_beyond_4": int((in_errors[kinds == "mean"] > LIMITS["mean"]).sum()),
        "sd_relative": float(known.loc[sds, "difference"].abs().max()),
        "sd_beyond_5_percent": int((known.loc[sds, "difference"].abs() > LIMITS["sd"]).sum()),
        "probability_in_errors": float(in_errors[kinds == "probability"].max()),
        "probability_beyond_4": int(
            (in_errors[kinds == "probability"] > LIMITS["probability"]).sum()
        ),
    }
