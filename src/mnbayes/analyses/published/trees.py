"""Draws of the published-evidence model as one labelled DataTree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from mnbayes.analyses.published.card import PARTS, PublishedCard
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.facts import Facts
from mnbayes.analyses.published.grid import Part
from mnbayes.analyses.published.posteriors import loglik
from mnbayes.analyses.published.readings import Evidence
from mnbayes.base.arrays import Floats
from mnbayes.cards import families as priors

#: Part of the evidence to the prefix of its parameters' names.
PREFIX = {"outcome": "", "best": "best_", "best_naive": "best_naive_"}
_DIMS = {"category_share": ("category",)}


def _prior_draws(
    card: PublishedCard, names: Mapping[str, str], shape: tuple[int, int], rng: np.random.Generator
) -> dict[str, Floats]:
    """Independent prior draws: variable to array, for variables with the parameter of each."""
    return {
        variable: priors.draw(card.prior[name].distribution, card.prior[name].arguments, shape, rng)
        for variable, name in names.items()
    }


def _log_density(card: PublishedCard, name: str, values: Floats) -> Floats:
    spec = card.prior[name]
    return priors.log_density(spec.distribution, spec.arguments, values)


def _next(draws: Mapping[str, Floats], visits: int, rng: np.random.Generator) -> dict[str, Floats]:
    """A new patient for each draw: log ratio at the visit, and the least of several."""
    mean, sd = draws["mean_log_ratio"], draws["sd_log_ratio"]
    found = {"next_log_ratio": rng.normal(mean, sd)}
    if "best_mean_log_ratio" in draws:
        change = rng.normal(draws["best_mean_log_ratio"], draws["best_sd_log_ratio"])
        noise = rng.normal(size=(visits, *change.shape)).min(axis=0)
        found["next_best_log_ratio"] = change + draws["best_visit_noise_sd"] * noise
    return found


def part_counts(facts: Facts, withdrawn: str) -> Floats | None:
    """Patients in each of :data:`.PARTS`; None where not told apart."""
    counts = outcome_counts(facts)
    if counts.complete is None or counts.partial is None or counts.remission is None:
        return None
    found = np.array(
        [counts.complete, counts.partial, counts.effective - counts.remission, counts.none],
        dtype=float,
    )
    if withdrawn != "missing":
        found[3 if withdrawn == "failure" else 0] += counts.missing
    return found


def published_tree(
    card: PublishedCard,
    facts: Facts,
    evidence: Evidence,
    best: Evidence | None,
    parts: Mapping[str, Part],
    rng: np.random.Generator,
) -> xr.DataTree:
    """Gather the draws of a reported fit.

    Parameters
    ----------
    card : PublishedCard
    facts : Facts
    evidence, best : Evidence
    parts : mapping
        Part to its fit; parameters of the parts ``best`` and ``best_naive`` have these names as
        prefix.
    rng : Generator

    Returns
    -------
    DataTree
        See :class:`mnbayes.analyses.published.result.PublishedResult`. Log ratios are natural logs.
        ``category_share`` has disjoint categories and is there where the facts count them all.
    """
    names = {f"{PREFIX[part]}{name}": name for part, own in parts.items() for name in own.draws}
    posterior = {
        f"{PREFIX[part]}{name}": values
        for part, own in parts.items()
        for name, values in own.draws.items()
    }
    shape = posterior["mean_log_ratio"].shape
    shape = (shape[0], shape[1])
    prior = _prior_draws(card, names, shape, rng)
    density = {
        variable: _log_density(card, name, posterior[variable]) for variable, name in names.items()
    }
    visits = len(facts.best.weeks) if facts.best is not None else 1
    predictive = {"posterior": _next(posterior, visits, rng), "prior": _next(prior, visits, rng)}
    counted = part_counts(facts, card.readings.withdrawn)
    if counted is not None:
        weights = np.array(card.shares.weights)
        posterior["category_share"] = rng.dirichlet(weights + counted, size=shape)
        prior["category_share"] = rng.dirichlet(weights, size=shape)
    index = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}

    def dataset(values: Mapping[str, Floats]) -> xr.Dataset:
        variables = {n: (("chain", "draw", *_DIMS.get(n, ())), v) for n, v in values.items()}
        own = {"category": list(PARTS)} if "category_share" in values else {}
        return xr.Dataset(variables, coords=index | own)

    likelihood = np.moveaxis(
        loglik(evidence, posterior["mean_log_ratio"], posterior["sd_log_ratio"]), 0, -1
    )
    groups = {
        "posterior": dataset(posterior),
        "posterior_predictive": dataset(predictive["posterior"]),
        "prior": dataset(prior),
        "prior_predictive": dataset(predictive["prior"]),
        "log_likelihood": xr.Dataset(
            {"log_ratio": (("chain", "draw", "patients"), likelihood)},
            coords=index | {"patients": list(evidence.label)},
        ),
        "log_prior": dataset(density),
        "observed_data": _observed(evidence, "patients", ""),
    }
    for part, own in parts.items():
        groups["sample_stats" if part == "outcome" else f"sample_stats_{part}"] = own.stats
    if best is not None:
        groups["observed_data"] = xr.merge(
            [groups["observed_data"], _observed(best, "best_patients", "best_")]
        )
    return xr.DataTree.from_dict(groups)


def _observed(evidence: Evidence, dim: str, prefix: str) -> xr.Dataset:
    return xr.Dataset(
        {
            f"{prefix}log_lower": (dim, evidence.lower),
            f"{prefix}log_upper": (dim, evidence.upper),
            f"{prefix}number": (dim, evidence.patients),
        },
        coords={dim: list(evidence.label)},
    )
