"""Replicates to operating characteristics: bias, coverage and how often each judge says go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mnbayes.analyses.characteristics.judges import EXACT, MAJORITY_READING, WILCOXON, Judge, Truth
from mnbayes.analyses.characteristics.readings import LEVEL, exact_majority, majority
from mnbayes.analyses.characteristics.replicate import rule_columns
from mnbayes.analyses.design.decision import CONSIDER, GO, NO_GO, verdicts
from mnbayes.base.montecarlo import independent_error

#: One row for each scenario and number of patients.
ESTIMATE_COLUMNS = (
    *("scenario", "patients", "replicates", "withheld", "failed", "gmr"),
    *("bias", "bias_mcse", "coverage", "coverage_mcse", "width", "evaluable"),
)
#: One row for each scenario, number of patients and judge.
DECISION_COLUMNS = (
    *("scenario", "patients", "judge", "replicates", "truth", "meaning"),
    *("go", "go_mcse", "consider", "consider_mcse", "no_go", "no_go_mcse", "silent"),
)


def estimates(table: pd.DataFrame, truths: Mapping[str, Truth]) -> pd.DataFrame:
    """Bias and coverage of the estimated log GMR at the last visit.

    Parameters
    ----------
    table : DataFrame
        Replicates, as :func:`mnbayes.studies.run.run_study` returns them.
    truths : mapping
        By scenario.

    Returns
    -------
    DataFrame
        Columns :data:`ESTIMATE_COLUMNS`. ``bias``: mean over the fits that are not withheld of
        the posterior median's log less the true log GMR (0.1: estimates a tenth too high as a
        ratio). ``coverage``: share of *all* replicates whose 95 % equal-tailed interval holds the
        truth; a withheld or failed fit does not. ``width``: mean of the interval's log width.
        ``withheld``: fits that say nothing; ``failed``: replicates that raised an error, which
        are among ``replicates``. ``evaluable``: mean number of patients measured at the end.
    """
    rows = []
    for (scenario, patients), group in table.groupby(["scenario", "patients"], sort=False):
        log_gmr = truths[str(scenario)].log_gmr
        median, lower, upper = (
            _floats(group, name) for name in ("log_median", "log_lower", "log_upper")
        )
        error = (median - log_gmr)[np.isfinite(median)]
        with np.errstate(invalid="ignore"):
            covered = float(np.mean((lower <= log_gmr) & (log_gmr <= upper)))
        failed = int(group["failure"].notna().sum())
        found = int(np.isfinite(median).sum())
        rows.append(
            {
                "scenario": scenario,
                "patients": int(str(patients)),
                "replicates": len(group),
                "withheld": len(group) - found - failed,
                "failed": failed,
                "gmr": float(np.exp(log_gmr)),
                "bias": float(error.mean()) if found else np.nan,
                "bias_mcse": float(error.std(ddof=1) / np.sqrt(found)) if found > 1 else np.nan,
                "coverage": covered,
                "coverage_mcse": independent_error(covered, len(group)),
                "width": float(np.nanmean(upper - lower)) if found else np.nan,
                "evaluable": float(np.nanmean(_floats(group, "evaluable")))
                if failed < len(group)
                else np.nan,
            }
        )
    return pd.DataFrame(rows, columns=list(ESTIMATE_COLUMNS)).astype({"scenario": "str"})


def decisions(
    table: pd.DataFrame, judges: Sequence[Judge], truths: Mapping[str, Truth]
) -> pd.DataFrame:
    """How often each judge says go, consider and no-go.

    Parameters
    ----------
    table, truths
        As of :func:`estimates`.
    judges : sequence of Judge

    Returns
    -------
    DataFrame
        Columns :data:`DECISION_COLUMNS`. Shares are of all replicates; ``silent`` is the share
        in which the judge says nothing (a withheld fit, a failed replicate, nobody evaluable),
        and what is silent is no go. ``meaning``: whether a go is ``false``, right (``true``) or
        in ``between``; ``truth``: the true value of the judge's quantity.
    """
    rows = []
    for (scenario, patients), group in table.groupby(["scenario", "patients"], sort=False):
        known = truths[str(scenario)]
        for judge in judges:
            said = spoken(group, judge)
            shares = {word: float(np.mean(said == word)) for word in (GO, CONSIDER, NO_GO)}
            row: dict[str, object] = {
                "scenario": scenario,
                "patients": int(str(patients)),
                "judge": judge.name,
                "replicates": len(group),
                "truth": known.value[judge.name],
                "meaning": known.meaning[judge.name],
                "silent": float(np.mean(said == "")),
            }
            for word, share in shares.items():
                name = word.replace("-", "_")
                row[name] = share
                # A judge that never says "consider" does so exactly.
                never = word == CONSIDER and not judge.rule
                row[f"{name}_mcse"] = 0.0 if never else independent_error(share, len(group))
            rows.append(row)
    kinds = dict.fromkeys(("scenario", "judge", "meaning"), "str")
    return pd.DataFrame(rows, columns=list(DECISION_COLUMNS)).astype(kinds)


def spoken(group: pd.DataFrame, judge: Judge) -> NDArray[np.str_]:
    """What a judge says of each replicate: a verdict, or nothing."""
    if judge.rule:
        significance, relevance = (_floats(group, name) for name in rule_columns(judge.name))
        return verdicts(significance, relevance, judge.criteria)
    if judge.name == WILCOXON:
        p = _floats(group, "wilcoxon")
        with np.errstate(invalid="ignore"):
            return _go_or_not(p < LEVEL / 2, np.isnan(p))
    effective, evaluable = _floats(group, "effective"), _floats(group, "evaluable")
    reading = {MAJORITY_READING: majority, EXACT: exact_majority}[judge.name]
    nobody = ~(evaluable > 0)
    return _go_or_not(reading(np.nan_to_num(effective), np.nan_to_num(evaluable)), nobody)


def _go_or_not(go: NDArray[np.bool_], silent: NDArray[np.bool_]) -> NDArray[np.str_]:
    return np.where(silent, "", np.where(go, GO, NO_GO))


def _floats(group: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return group[name].to_numpy(dtype=float, na_value=np.nan)
