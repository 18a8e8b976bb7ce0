"""Time bambi with nutpie on its nearest model; run it in an environment that has bambi.

Run ``python bambi_proteinuria.py DATA.csv OUT.json REFITS [LIMIT LARGER.csv ...]``. Bambi has no
correlation between a patient's effects, so this is timing only. In every fit the model is built
and compiled again, with whatever PyTensor and numba keep on disk.
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

import numpy as np
import pandas as pd

bmb: Any = import_module("bambi")  # not among the project's dependencies, so unknown to mypy

FORMULA = "log_y ~ 1 + post + (1 + post | patient) + (0 + post | week)"
#: The parameters that the card has as well.
OWN = ("Intercept", "post", "1|patient_sigma", "post|patient_sigma", "post|week_sigma", "sigma")


def read_data(source: Path) -> pd.DataFrame:
    """Rows as the formula names them."""
    data = pd.read_csv(source)
    data["post"] = (data["week"] > 0).astype(float)
    data["week"] = "w" + data["week"].astype(str)
    return data


def timed(data: pd.DataFrame, change_sigma: float, seed: int) -> tuple[float, Any]:
    """Build, compile and sample once; wall-clock seconds, and the draws."""
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
    tree = model.fit(
        draws=1000,
        tune=1000,
        chains=4,
        inference_method="nutpie",
        random_seed=seed,
        target_accept=0.9,
    )
    return time.perf_counter() - before, tree


def effective(tree: Any) -> float:
    """Smallest of the bulk and tail effective draws of the card's own parameters."""
    arviz: Any = import_module("arviz")
    return min(
        float(arviz.ess(tree, var_names=[name], method=method)[name].min())
        for name in OWN
        for method in ("bulk", "tail")
    )


def main(source: Path, out: Path, refits: int, limit: float, larger: list[Path]) -> None:
    """Fit, refit, write the seconds."""
    data = read_data(source)
    loaded = time.perf_counter() - _STARTED
    seconds_first, _ = timed(data, 0.7, 1)
    again = [timed(data, 0.7, 2 + i) for i in range(refits)]
    others = [timed(data, 0.3 + 0.1 * i, 2 + i)[0] for i in range(refits)]
    growth: dict[str, float] = {}
    for file in larger:
        if growth and max(growth.values()) > limit:
            break
        more = read_data(file)
        growth[str(more["patient"].nunique())], _ = timed(more, 0.7, 1)
    trees = [tree for _, tree in again]
    answer = {
        "versions": {name: version(name) for name in ("bambi", "pymc", "nutpie")},
        "seconds": {
            "load": loaded,
            "first": seconds_first,
            "warm": [seconds for seconds, _ in again],
            "new_priors": others,
            "growth": growth,
        },
        "effective": [effective(tree) for tree in trees],
        "divergences": [int(np.sum(tree["sample_stats"]["diverging"])) for tree in trees],
    }
    out.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]),
        float(sys.argv[4]) if len(sys.argv) > 4 else 0.0,
        [Path(name) for name in sys.argv[5:]],
    )
