"""A fit for somebody who waits: few draws, judged by their weights alone."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mnbayes.base.stopwatch import Stopwatch
from mnbayes.cards.card import Card
from mnbayes.data.cohort import Cohort
from mnbayes.inference.collapsed import enough_rounds, in_chains
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.inference.fit import Fit
from mnbayes.inference.sampling import Sampling
from mnbayes.inference.trees import attributes, completed_tree, coordinates
from mnbayes.models.density import gaussian, longitudinal_density
from mnbayes.models.gaussian_effects import draw_gaussian_effects
from mnbayes.models.well_posed import well_posed

#: Chains, and draws of each.
CHAINS, DRAWS = 4, 150
#: Proposals of each round, until one can be trusted.
ROUNDS = (1000, 3000, 8000)


def quick_fit(card: Card, cohort: Cohort, seed: int = 1) -> Fit | None:
    """Fit a Gaussian model in tenths of a second, for a look before :func:`mnbayes.fit`.

    The draws are those of the collapsed engine, of which a study's fits are made
    (:func:`mnbayes.inference.study_fits.study_fit`), and they are judged as a study judges them:
    by the Pareto shape and the effective number of their weights. R-hat and effective sample sizes
    of each parameter, which take as long as all the rest, are left to the fit that follows.

    Parameters
    ----------
    card : Card
    cohort : Cohort
    seed : int

    Returns
    -------
    Fit or None
        With no table of parameters; None where residuals are not normal or values are censored.

    Raises
    ------
    InputError
        As :func:`mnbayes.fit` raises it.
    """
    watch = Stopwatch()
    data = well_posed(card, cohort)
    if not gaussian(card, data):
        return None
    card = card.among(cohort.catalogue).scheduled(data.weeks[-1])
    density = longitudinal_density(card, data)
    proposing, completing = np.random.SeedSequence(seed).spawn(2)
    rng = np.random.default_rng(proposing)
    weighted = enough_rounds(density, ROUNDS, rng)
    sampled = in_chains(weighted, CHAINS, DRAWS, rng)
    watch.lap("sample")
    drawn = draw_gaussian_effects(card, data, density, sampled.draws["unconstrained"], rng)
    names = coordinates(card, data, CHAINS, DRAWS)
    tree = completed_tree(card, data, drawn, names, sampled.stats, stream=completing, seed=seed)
    watch.lap("predict")
    shape, effective = weighted.pareto_k, weighted.effective
    reasons = (weighted.doubt,) if weighted.doubt else ()
    tree.attrs = attributes(card, cohort, "collapsed", seed, reasons)
    return Fit(
        card,
        data,
        tree,
        Diagnostics(0, np.nan, effective, effective, None, reasons, shape),
        pd.DataFrame(),
        Sampling(chains=CHAINS, draws=DRAWS, seed=seed, engine="collapsed"),
        False,
        watch.seconds,
        "collapsed",
        cohort=cohort,
    )
