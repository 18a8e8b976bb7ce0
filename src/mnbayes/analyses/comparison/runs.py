"""Compare two runs: what was put in, what came out, and whether a difference is more than noise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mnbayes.analyses.comparison.inputs import compare_priors, compare_settings, post_hoc_sentence
from mnbayes.answers.reported import KEYS, is_log, of_prior
from mnbayes.base.problems import InputError, gathered
from mnbayes.run.history import earlier_runs, when
from mnbayes.run.run import Run
from mnbayes.run.stored_run import StoredRun, load_run, shown_name, stored

#: A difference beyond this many Monte Carlo errors is not noise. For normal errors one number in
#: 16,000 exceeds it by chance, and a run reports thousands.
BEYOND = 4.0

NUMBER_COLUMNS = (
    *KEYS,
    *("a", "b", "scale", "difference", "sd", "mc_error_a", "mc_error_b", "mc_error"),
    *("in_sd", "in_errors", "verdict"),
)
ONLY_COLUMNS = (*KEYS, "run", "value", "reason")


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two runs side by side.

    Attributes
    ----------
    a, b : str
        Names of their folders.
    started : tuple of str
        When each started, in words.
    synthetic : bool
        Whether either run says that its cohort is synthetic.
    settings : DataFrame
        Columns ``part, item, a, b``: what differs in data, models, cards, definitions, sampling
        and versions, as text; ``not recorded`` where a run does not say.
    priors : DataFrame
        Columns ``model, parameter, marker, a, b``: priors that differ, in models of both runs.
    numbers : DataFrame
        Every number that both runs report, named by
        :data:`mnbayes.answers.reported.KEYS`.

        - ``a``, ``b``: the two values;
        - ``scale``: ``log`` for ratios, whose ``difference`` is log(b) - log(a), ``plain`` for
          the others, b - a;
        - ``sd``: SD of the quantity (root mean square of the two runs'), NaN for probabilities;
        - ``mc_error``: Monte Carlo standard error of the difference, the root of the sum of
          squares of ``mc_error_a`` and ``mc_error_b``;
        - ``in_sd``, ``in_errors``: the difference in units of each;
        - ``verdict``: ``same`` (equal to the last digit), ``noise`` (at most :data:`BEYOND`
          Monte Carlo errors), ``changed`` (more) or ``unknown`` (no error is known).
    only : DataFrame
        Numbers that one run alone reports, with its ``run`` (``a`` or ``b``), their ``value``,
        and the ``reason``: ``no such row`` or ``blank`` in the other.
    post_hoc : str
        The sentence that says which run's priors were changed after the other had been run on
        the same data; empty where none were.
    """

    a: str
    b: str
    started: tuple[str, str]
    synthetic: bool
    settings: pd.DataFrame
    priors: pd.DataFrame
    numbers: pd.DataFrame
    only: pd.DataFrame
    post_hoc: str

    @property
    def given_data(self) -> pd.DataFrame:
        """The numbers that depend on the data: all but those under the prior alone."""
        return self.numbers[~of_prior(self.numbers["column"])]

    @property
    def changed(self) -> pd.DataFrame:
        """The numbers that differ by more than noise, the most certain difference first."""
        return largest(self.numbers[self.numbers["verdict"] == "changed"])


def compare_numbers(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Match the reported numbers of two runs.

    Parameters
    ----------
    a, b : DataFrame
        See :func:`mnbayes.answers.reported.reported_numbers`.

    Returns
    -------
    numbers, only : DataFrame
        As in :class:`Comparison`. Numbers that are blank in both are in neither.
    """
    both = a.assign(place=range(len(a))).merge(
        b.assign(place=range(len(b))),
        on=list(KEYS), how="outer", suffixes=("_a", "_b"), indicator=True, validate="one_to_one",
    ).sort_values(["place_a", "place_b"])  # fmt: skip
    blank_a, blank_b = both["value_a"].isna(), both["value_b"].isna()
    return _differences(both[~blank_a & ~blank_b]), _unmatched(both[blank_a != blank_b])


def _differences(both: pd.DataFrame) -> pd.DataFrame:
    a, b = both["value_a"].to_numpy(float), both["value_b"].to_numpy(float)
    log = is_log(both["column"]).to_numpy() & (a > 0) & (b > 0)
    difference = b - a
    difference[log] = np.log(b[log]) - np.log(a[log])
    error_a, error_b = (both[f"mc_error_{run}"].to_numpy(float) for run in "ab")
    error = np.hypot(error_a, error_b)
    spreads = np.stack([both[f"sd_{run}"].to_numpy(float) for run in "ab"])
    sd = np.sqrt(np.mean(spreads**2, axis=0))
    same = a == b
    with np.errstate(divide="ignore", invalid="ignore"):
        in_sd = np.where(same & ~np.isnan(sd), 0.0, difference / sd)
        in_errors = np.where(same, 0.0, difference / error)
    verdict = np.select(
        [same, np.isnan(in_errors), np.abs(in_errors) > BEYOND],
        ["same", "unknown", "changed"],
        "noise",
    )
    table = both[list(KEYS)].assign(
        a=a, b=b, scale=np.where(log, "log", "plain"), difference=difference, sd=sd,
        mc_error_a=error_a, mc_error_b=error_b, mc_error=error,
        in_sd=in_sd, in_errors=in_errors, verdict=verdict,
    )  # fmt: skip
    return table[list(NUMBER_COLUMNS)].reset_index(drop=True)


def _unmatched(both: pd.DataFrame) -> pd.DataFrame:
    in_a = both["value_a"].notna()
    table = both[list(KEYS)].assign(
        run=np.where(in_a, "a", "b"),
        value=both["value_a"].where(in_a, both["value_b"]),
        reason=np.where(both["_merge"] == "both", "blank", "no such row"),
    )
    return table[list(ONLY_COLUMNS)].reset_index(drop=True)


def largest(numbers: pd.DataFrame) -> pd.DataFrame:
    """Numbers by the size of their difference in Monte Carlo errors, the largest first."""
    order = np.argsort(-numbers["in_errors"].abs().fillna(-1.0).to_numpy(), kind="stable")
    return numbers.iloc[order]


def main_numbers(numbers: pd.DataFrame) -> pd.DataFrame:
    """The numbers a reader looks at first, at the last visit of each model.

    Median ratios to baseline, and the probabilities of remission and of an effective response:
    of each patient's true level, of the next patient, of the population and its benchmark.
    """
    last = numbers.groupby("model")["week"].transform("max")
    # The mean share is in both tables; population.csv knows its spread as well.
    columns = {
        "change": "gmr_median",
        "population": "share_mean",
        **dict.fromkeys(["latent", "next_patient", "exceeds"], "probability"),
    }
    chosen = (
        (numbers["week"] == last)
        & (numbers["column"] == numbers["quantity"].map(columns))
        & numbers["category"].isin(["", "remission", "effective"])
    )
    return numbers[chosen]


def compare(a: StoredRun, b: StoredRun) -> Comparison:
    """Compare two runs; a pure function of what they stored.

    Parameters
    ----------
    a, b : StoredRun
        Differences are from a to b.
    """
    numbers, only = compare_numbers(a.numbers, b.numbers)
    priors = compare_priors(a.manifest, b.manifest)
    return Comparison(
        a.name, b.name,
        (when(a.manifest.get("started")), when(b.manifest.get("started"))),
        any(run.manifest.get("synthetic") is True for run in (a, b)),
        compare_settings(a.manifest, b.manifest),
        priors, numbers, only, post_hoc_sentence(a, b, priors),
    )  # fmt: skip


def with_previous(run: Run) -> Comparison | None:
    """The comparison of a run with its previous one; None where there is none to be read."""
    if run.folder is None:
        return None
    previous = earlier_runs(run.folder, run.cohort.sha256).previous
    if previous is None:
        return None
    try:
        before = load_run(previous.folder)
    except (InputError, OSError):
        return None
    return compare(before, stored(run, shown_name(run.folder)))


def compare_runs(a: str | Path, b: str | Path) -> Comparison:
    """Compare the runs of two folders.

    Parameters
    ----------
    a, b : str or Path
        Folders that ``mnbayes fit`` wrote.

    Returns
    -------
    Comparison
        Differences are from a to b.

    Raises
    ------
    InputError
        If one is not a run's folder or is damaged; the problems of both at once.
    """
    with gathered() as attempt:
        runs = [attempt(load_run, folder) for folder in (a, b)]
    return compare(runs[0], runs[1])
