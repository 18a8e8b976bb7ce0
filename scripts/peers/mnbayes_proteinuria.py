"""Time mnbayes on the proteinuria card: the first fit in this process, then refits.

Run ``python mnbayes_proteinuria.py OUT.json REFITS``. A refit has another prior of the mean change
each time and includes everything ``mnbayes.fitting.fit`` does: sampling, diagnostics, patients'
levels, posterior and prior predictive draws, log-likelihood and log prior.
"""

import time

_STARTED = time.perf_counter()  # before the imports, which the first fit pays for

# ruff: noqa: E402
import json
import sys
from importlib.metadata import version
from pathlib import Path

from mnbayes.cards import load_card
from mnbayes.cohort import load_cohort
from mnbayes.fitting import Sampling, fit
from mnbayes.overrides import apply_changes, parse_setting
from mnbayes.resources import embedded_cohort


def main(out: Path, refits: int) -> None:
    """Fit, refit, write the seconds."""
    card, cohort = load_card("proteinuria"), load_cohort(embedded_cohort())
    loaded = time.perf_counter() - _STARTED
    first = fit(card, cohort, Sampling(seed=1))
    seconds_first = time.perf_counter() - _STARTED - loaded
    seconds_refit, stages, clean = [], [], first.diagnostics.converged
    retried = int(first.retried)
    for i in range(refits):
        before = time.perf_counter()
        setting = parse_setting(f"change_mean.sigma={0.3 + 0.1 * i:g}")
        (changed,) = apply_changes([card], [setting], strict=True)
        refit = fit(changed, cohort, Sampling(seed=2 + i))
        seconds_refit.append(time.perf_counter() - before)
        stages.append(refit.seconds)
        clean &= refit.diagnostics.converged
        retried += refit.retried
    answer = {
        "versions": {name: version(name) for name in ("pymc", "nutpie", "numba")},
        "seconds": {"load": loaded, "first": seconds_first, "refits": seconds_refit},
        "stages": {"first": first.seconds, "refits": stages},
        "converged": clean,
        "retried": retried,
    }
    out.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
