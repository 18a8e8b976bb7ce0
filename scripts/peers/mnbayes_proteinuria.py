"""Time mnbayes on the proteinuria card: the first fit in this process, then refits.

Run ``python -m peers.mnbayes_proteinuria OUT.json ENGINE REFITS [LIMIT PATIENTS ...]``. A refit
includes everything ``mnbayes.inference.fit.fit`` does: sampling, diagnostics, patients' levels,
posterior and prior predictive draws, log-likelihood and log prior. With new priors, that of the
mean change has another SD each time.
"""

import time

_STARTED = time.perf_counter()  # before the imports, which the first fit pays for

# ruff: noqa: E402
import json
import sys
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, cast

from mnbayes.cards.card import Card, load_card
from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.data.cohort import Cohort
from mnbayes.data.embedded import embedded_cohort
from mnbayes.inference.fit import Fit, Sampling, fit
from mnbayes.inference.sampling import Engine


def timed(card: Card, cohort: Cohort, engine: Engine, seed: int) -> tuple[float, Fit]:
    """Seconds of a fit, and the fit."""
    before = time.perf_counter()
    fitted = fit(card, cohort, Sampling(seed=seed, engine=engine))
    return time.perf_counter() - before, fitted


def effective(fitted: Fit) -> float:
    """Smallest of the bulk and tail effective draws of the card's own parameters."""
    table = fitted.parameters
    own = table["parameter"].str.split("[").str[0].isin(fitted.required_card.parameters)
    return float(table.loc[own, ["ess_bulk", "ess_tail"]].min().min())


def growth(card: Card, engine: Engine, limit: float, sizes: list[int]) -> dict[str, float]:
    """Median seconds of three refits by number of patients, until one takes more than a limit."""
    from peers import routes

    out: dict[str, float] = {}
    for n in sizes:
        if out and max(out.values()) > limit:
            break
        cohort = routes.larger_cohort(n)
        out[str(n)] = median(timed(card, cohort, engine, seed)[0] for seed in (1, 2, 3))
    return out


def main(out: Path, engine: Engine, refits: int, limit: float, sizes: list[int]) -> None:
    """Fit, refit, write the seconds."""
    card, cohort = load_card("proteinuria"), embedded_cohort()
    loaded = time.perf_counter() - _STARTED
    seconds_first, first = timed(card, cohort, engine, 1)
    again = [timed(card, cohort, engine, 2 + i) for i in range(refits)]
    others = []
    for i in range(refits):
        before = time.perf_counter()
        setting = parse_setting(f"change_mean.sigma={0.3 + 0.1 * i:g}")
        (changed,) = apply_changes([card], [setting], strict=True)
        _, refitted = timed(changed, cohort, engine, 2 + i)
        others.append((time.perf_counter() - before, refitted))
    fits = [first, *(refit for _, refit in [*again, *others])]
    answer: dict[str, Any] = {
        "versions": {name: version(name) for name in ("mnbayes", "nutpie", "numba")},
        "seconds": {
            "load": loaded,
            "first": seconds_first,
            "warm": [seconds for seconds, _ in again],
            "new_priors": [seconds for seconds, _ in others],
            "growth": growth(card, engine, limit, sizes),
        },
        "effective": [effective(refit) for _, refit in again],
        "not_converged": sum(not each.diagnostics.converged for each in fits),
        "retried": sum(each.retried for each in fits),
    }
    out.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        cast(Engine, sys.argv[2]),
        int(sys.argv[3]),
        float(sys.argv[4]) if len(sys.argv) > 4 else 0.0,
        [int(n) for n in sys.argv[5:]],
    )
