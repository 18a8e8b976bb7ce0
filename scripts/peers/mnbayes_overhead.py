"""Time a whole refit of mnbayes beside nutpie alone on the same compiled density.

Run ``python -m peers.mnbayes_overhead OUT.json PAIRS``. The two take turns, with the same seed for
the sampler and so the same trajectories. A refit adds to them the draws of what was integrated
out, the convergence checks, patients' levels, predictive draws, log-likelihood and log prior.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import nutpie

from mnbayes.cards import load_card
from mnbayes.cohort import load_cohort
from mnbayes.fitting import Sampling, fit
from mnbayes.inference.densities import nutpie_model
from mnbayes.models.density import longitudinal_density
from mnbayes.models.observations import observations
from mnbayes.resources import embedded_cohort


def main(out: Path, pairs: int) -> None:
    """Take turns, write the seconds of those pairs in which the refit sampled once."""
    card, cohort = load_card("proteinuria"), load_cohort(embedded_cohort())
    model = nutpie_model(longitudinal_density(card, observations(card, cohort)))

    def alone(how: Sampling) -> float:
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

    ours, bare = [], []
    for seed in range(1 + pairs):
        how = Sampling(seed=1 + seed)
        before = time.perf_counter()
        fitted = fit(card, cohort, how)
        seconds = time.perf_counter() - before
        seconds_alone = alone(how)
        if seed and not fitted.retried:  # the first pair loads what is compiled
            ours.append(seconds)
            bare.append(seconds_alone)
    out.write_text(json.dumps({"refit": ours, "nutpie": bare}), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
