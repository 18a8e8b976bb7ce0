"""Time the collapsed engine as studies use it: fits a minute, and growth with patients.

Run ``python -m peers.mnbayes_studies OUT.json SECONDS``. A fit is mode, proposals, weights,
resampling and 500 exact draws of every effect, with at least 400 effective draws; fits of as many
processes as there are cores are counted for so many seconds, each of data of its own.
"""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import numpy as np

from mnbayes.cards.card import load_card
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.observations import observations
from mnbayes.inference.study_fits import study_fit
from peers import routes


def count_fits(seconds: float, seed: int) -> tuple[int, int, float, float]:
    """Fits done, those not trusted, effective draws in all, and the seconds they took."""
    card = load_card("proteinuria")
    data = observations(card, embedded_cohort())
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


def growth() -> dict[str, float]:
    """Median seconds of a fit in one process, by number of patients."""
    card, rng = load_card("proteinuria"), np.random.default_rng(1)
    out = {}
    for n in (8, *routes.LARGER):
        data = observations(card, routes.larger_cohort(n))
        times = []
        for _ in range(20):
            fresh = replace(data)  # nothing remembered of the fit before
            start = time.perf_counter()
            study_fit(card, fresh, rng)
            times.append(time.perf_counter() - start)
        out[str(n)] = median(times)
    return out


def main(out: Path, seconds: float) -> None:
    """Count, time, write."""
    cores = os.cpu_count() or 1
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        counted = list(pool.map(count_fits, [seconds] * cores, range(cores)))
    fits = sum(done for done, _, _, _ in counted)
    answer = {
        "processes": cores,
        "fits": fits,
        "fits_per_minute": sum(60.0 * done / took for done, _, _, took in counted),
        "not_trusted": sum(failed for _, failed, _, _ in counted),
        "effective_per_fit": sum(e for _, _, e, _ in counted) / fits,
        "effective_per_second": sum(e / took for _, _, e, took in counted),
        "growth": growth(),
    }
    out.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
