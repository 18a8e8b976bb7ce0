"""Calibration by other hands: simuk simulates and ranks, from the card as PyMC would state it.

The truths and data are PyMC's, drawn from a model with every patient effect explicit; the ranks are
simuk's. Only the posteriors are mnbayes's. So nothing of ``mnbayes.analyses.calibration`` is used
but the bands, and a slip in how it simulates or ranks would show here as a disagreement.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnbayes.analyses.calibration.bands import check
from mnbayes.analyses.calibration.ranks import counts
from mnbayes.analyses.calibration.sampler import thorough_fit
from mnbayes.cards.card import Card, load_card
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.observations import Observations, observations

DRAWS, SIMULATIONS, LEVEL = 99, 200, 0.95
#: Ranked parameters; simuk's names are those of the PyMC model.
RANKED = (
    *("baseline_mean", "change_mean", "visit_sd", "baseline_sd", "change_sd", "residual_sd"),
    *("serial_sd", "serial_weeks", "correlation", "level"),
)


def explicit(card: Card, observed: Observations) -> Any:
    """The proteinuria card in PyMC, nothing integrated out."""
    import pymc as pm
    import pytensor.tensor as pt

    patient, visit, _ = np.nonzero(observed.observed)
    later = len(observed.weeks) - 1

    def number(name: str, argument: str) -> float:
        return float(card.argument_values(name)[argument][0])

    with pm.Model() as model:
        named = {
            name: getattr(pm, card.family(name))(
                name,
                **{argument: number(name, argument) for argument in card.argument_values(name)},
            )
            for name in RANKED[:-2]
        }
        # LKJ(eta) of two is a beta on (-1, 1).
        eta = number("correlation", "eta")
        unit = pm.Beta("correlation", eta, eta)
        r = 2.0 * unit - 1.0
        first, second = (pm.Normal(f"z{i}", size=len(observed.patients)) for i in (1, 2))
        offset = pm.Normal("offset", size=later)
        own = named["baseline_sd"] * first
        change = named["change_sd"] * (r * first + pt.sqrt(1.0 - r**2) * second)
        by_visit = pt.concatenate([[0.0], named["change_mean"] + named["visit_sd"] * offset])
        level = named["baseline_mean"] + own[patient] + by_visit[visit]
        level = level + (visit > 0) * change[patient]
        # The drift, forward in time: what is left of the visit before, and something fresh.
        weeks, fresh = (
            np.array(observed.weeks),
            pm.Normal("fresh", size=(later + 1, len(observed.patients))),
        )
        drift = [fresh[0]]
        for t in range(1, later + 1):
            left = pt.exp(-(weeks[t] - weeks[t - 1]) / named["serial_weeks"])
            drift.append(left * drift[-1] + pt.sqrt(1.0 - left**2) * fresh[t])
        level = level + named["serial_sd"] * pt.stack(drift)[visit, patient]
        last = named["baseline_mean"] + own[0] + by_visit[later] + change[0]
        last = last + named["serial_sd"] * drift[-1][0]
        pm.Deterministic("level", last)
        pm.Normal("y", level, named["residual_sd"], observed=np.zeros(patient.size))
    return model


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_simuk_finds_uniform_ranks() -> None:
    simuk = pytest.importorskip("simuk", reason="needs simuk (a tool of mnbayes[dev])")
    xr = pytest.importorskip("xarray")
    card = load_card("proteinuria")
    observed = observations(card, embedded_cohort())

    class OfOurs(simuk.SBC):  # type: ignore[misc]
        """Simulation-based calibration with mnbayes's sampler in the place of PyMC's."""

        def _get_posterior_samples(self, replicated_data: dict[str, Any]) -> Any:
            values = np.full(observed.log_value.shape, np.nan)
            values[observed.observed] = replicated_data["y"]
            rng = np.random.default_rng(self._seeds[self._simulations_complete])
            data = replace(observed, log_value=values)
            fit = thorough_fit(card, data, rng, DRAWS)
            draws = {
                name: fit.draws[name].reshape(DRAWS, -1)[:, 0]
                for name in RANKED
                if name in fit.draws
            }
            draws["correlation"] = fit.draws["correlation_unit"][:, 0]
            draws["level"] = fit.draws["level"][:, 0, -1, 0]
            return xr.Dataset({name: ("sample", value) for name, value in draws.items()})

    calibration = OfOurs(
        explicit(card, observed), num_simulations=SIMULATIONS, seed=5, progress_bar=False
    )
    calibration.var_names = list(RANKED)
    calibration.simulations = {name: [] for name in RANKED}
    calibration.run_simulations()
    found = calibration.simulations["prior_sbc"].dataset
    assert calibration._simulations_complete == SIMULATIONS
    for name in RANKED:
        rank = found[name].to_numpy().ravel()
        result = check(counts(rank, DRAWS), 1 - (1 - LEVEL) / len(RANKED))
        assert result.inside, (name, result.p_value)
