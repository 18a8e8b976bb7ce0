"""Time the collapsed engine and NUTS on the proteinuria card: whole fits, and growth with patients.

Run ``python mnbayes_collapsed.py OUT.json SECONDS``. A whole fit is mode, proposals, weights,
resampling and 500 exact draws of every effect, with at least 400 effective draws; fits of as many
processes as there are cores are counted for so many seconds. The growth is of the seconds of one
fit from 8 to 80 to 800 patients, each measured at five visits, by both engines.
"""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np

from mnbayes.cards import Card, load_card
from mnbayes.cohort import load_cohort
from mnbayes.collapsed.fits import study_fit
from mnbayes.fitting import Sampling, fit
from mnbayes.models.observations import Observations, observations
from mnbayes.resources import embedded_cohort
from mnbayes.simulation.cohorts import simulate_cohorts

WEEKS = (0.0, 1.0, 2.0, 4.0, 12.0)
PATIENTS = (8, 80, 800)


def count_fits(seconds: float, seed: int) -> tuple[int, int, float, float]:
    """Fits done, those not trusted, effective draws in all, and the seconds they took."""
    card = load_card("proteinuria")
    data = observations(card, load_cohort(embedded_cohort()))
    rng = np.random.default_rng(seed)
    study_fit(card, data, rng)  # loads what is compiled
    done, failed, effective = 0, 0, 0.0
    start = time.perf_counter()
    while (taken := time.perf_counter() - start) < seconds:
        noise = 0.1 * rng.standard_normal(data.log_value.shape)
        fitted = study_fit(card, replace(data, log_value=data.log_value + noise), rng)
        done += 1
        failed += not fitted.trusted
        effective += fitted.effective
    return done, failed, effective, taken


def growth(card: Card) -> dict[str, dict[int, float]]:
    """Median seconds of a fit by engine and number of patients."""
    out: dict[str, dict[int, float]] = {"collapsed": {}, "nuts": {}}
    for n in PATIENTS:
        (truth,) = simulate_cohorts(card, n, WEEKS, 1, np.random.default_rng(n))
        data: Observations = observations(card, truth.cohort)
        rng = np.random.default_rng(1)
        times = []
        for _ in range(20):
            fresh = replace(data)  # nothing remembered of the fit before
            start = time.perf_counter()
            study_fit(card, fresh, rng)
            times.append(time.perf_counter() - start)
        out["collapsed"][n] = median(times)
        times = []
        for seed in range(3):
            start = time.perf_counter()
            fit(card, truth.cohort, Sampling(seed=seed + 1))
            times.append(time.perf_counter() - start)
        out["nuts"][n] = median(times)
    return out


def main(out: Path, seconds: float) -> None:
    """Count, time, write."""
    card, cohort = load_card("proteinuria"), load_cohort(embedded_cohort())
    fitted = fit(card, cohort, Sampling(seed=1))
    start = time.perf_counter()
    fitted = fit(card, cohort, Sampling(seed=2))
    taken = time.perf_counter() - start
    worst = min(fitted.diagnostics.worst_ess_bulk, fitted.diagnostics.worst_ess_tail)
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        counted = list(pool.map(count_fits, [seconds] * cores, range(cores)))
    answer = {
        "versions": {name: version(name) for name in ("numba", "numpy")},
        "processes": cores,
        "fits_per_minute": sum(60.0 * done / took for done, _, _, took in counted),
        "not_trusted": sum(failed for _, failed, _, _ in counted),
        "fits": sum(done for done, _, _, _ in counted),
        "effective_per_fit": sum(e for _, _, e, _ in counted) / sum(d for d, _, _, _ in counted),
        "effective_per_second": {
            "nuts, worst parameter": worst / taken,
            "collapsed": sum(e / took for _, _, e, took in counted),
        },
        "growth": growth(card),
    }
    out.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
