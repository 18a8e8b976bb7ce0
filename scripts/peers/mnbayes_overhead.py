"""Time a whole refit of mnbayes beside nutpie alone.

Run ``python -m peers.mnbayes_overhead OUT.json ROUNDS``. Three take turns with the same seed: a
refit; nutpie on the card's model as PyMC states it, which is what one has without mnbayes's
compiled density (and samples the patients' effects too); and nutpie on that density. A refit adds
to the draws what was integrated out, the convergence checks, patients' levels, predictive draws,
log-likelihood and log prior; nutpie alone does none of that.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import nutpie

from mnbayes.cards.card import load_card
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.observations import observations
from mnbayes.inference.densities import nutpie_model
from mnbayes.inference.fit import Sampling, fit
from mnbayes.models.density import longitudinal_density
from mnbayes.models.longitudinal import statement


def main(out: Path, rounds: int) -> None:
    """Take turns, write the seconds of those rounds in which the refit sampled once."""
    card, cohort = load_card("proteinuria"), embedded_cohort()
    data = observations(card, cohort)
    density = nutpie_model(longitudinal_density(card, data))
    pymc = nutpie.compile_pymc_model(statement(card, data))

    def alone(model: Any, how: Sampling) -> float:
        (stream, *_) = np.random.SeedSequence(how.seed).spawn(4)  # as the refit does
        before = time.perf_counter()
        nutpie.sample(
            model,
            draws=how.draws,
            tune=how.tune,
            chains=how.chains,
            seed=int(stream.generate_state(1)[0]),
            target_accept=how.target_accept,
            save_warmup=False,
            progress_bar=False,
        )
        return time.perf_counter() - before

    taken: dict[str, list[float]] = {"refit": [], "pymc": [], "density": []}
    for seed in range(1 + rounds):
        how = Sampling(seed=1 + seed)
        before = time.perf_counter()
        fitted = fit(card, cohort, how)
        seconds = time.perf_counter() - before
        both = alone(pymc, how), alone(density, how)
        if seed and not fitted.retried:  # the first round loads what is compiled
            for name, value in zip(taken, (seconds, *both), strict=True):
                taken[name].append(value)
    out.write_text(json.dumps(taken), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
