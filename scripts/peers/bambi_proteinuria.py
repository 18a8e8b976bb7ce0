"""Time bambi with nutpie on its nearest model; run it in an environment that has bambi.

Run ``python bambi_proteinuria.py DATA.csv OUT.json REFITS``. Bambi has no correlation between a
patient's effects, so this is timing only. A refit has another prior of the mean change: the
model is built and compiled again, with whatever PyTensor and numba keep on disk.
"""

import time

_STARTED = time.perf_counter()  # before the imports, which the first fit pays for

# ruff: noqa: E402
import json
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

bmb: Any = import_module("bambi")  # not among the project's dependencies, so unknown to mypy

FORMULA = "log_y ~ 1 + post + (1 + post | patient) + (0 + post | week)"


def fit_seconds(data: pd.DataFrame, change_sigma: float, seed: int) -> float:
    """Build, compile and sample once; wall-clock seconds."""
    before = time.perf_counter()

    def effect(sigma: float) -> Any:
        return bmb.Prior("Normal", mu=0, sigma=bmb.Prior("HalfNormal", sigma=sigma))

    priors = {
        "Intercept": bmb.Prior("Normal", mu=1.386, sigma=0.75),
        "post": bmb.Prior("Normal", mu=0, sigma=change_sigma),
        "1|patient": effect(0.51),
        "post|patient": effect(0.51),
        "post|week": effect(0.2),
        "sigma": bmb.Prior("HalfNormal", sigma=0.3),
    }
    model = bmb.Model(FORMULA, data, priors=priors, center_predictors=False)
    model.fit(
        draws=1000,
        tune=1000,
        chains=4,
        inference_method="nutpie",
        random_seed=seed,
        target_accept=0.9,
    )
    return time.perf_counter() - before


def main(source: Path, out: Path, refits: int) -> None:
    """Fit, refit, write the seconds."""
    data = pd.read_csv(source)
    data["post"] = (data["week"] > 0).astype(float)
    data["week"] = "w" + data["week"].astype(str)
    loaded = time.perf_counter() - _STARTED
    seconds_first = fit_seconds(data, 0.7, 1)
    seconds_refit = [fit_seconds(data, 0.3 + 0.1 * i, 2 + i) for i in range(refits)]
    answer = {
        "versions": {name: version(name) for name in ("bambi", "pymc", "nutpie")},
        "seconds": {"load": loaded, "first": seconds_first, "refits": seconds_refit},
    }
    out.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
