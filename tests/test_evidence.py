"""What stands beside the cohort: the same trial's counts in every place that states them."""

from __future__ import annotations

import tomllib

from mnbayes.analyses.historical.section import historical_job
from mnbayes.analyses.published.load_facts import load_facts
from mnbayes.analyses.published.section import published_job
from mnbayes.base.resources import models_folder
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.prior_sets import load_prior_set
from mnbayes.inference.fit import Sampling


def test_trial_counts_are_the_published_ones_in_both_models() -> None:
    facts = load_facts()
    assert facts.outcome.remission is not None
    remission = facts.outcome.remission.patients
    card = tomllib.loads((models_folder() / "historical.toml").read_text(encoding="utf-8"))
    counts = {(row["remission"], row["n"]) for row in card["trial"]}
    assert counts == {(remission, facts.outcome.evaluable), (remission, facts.enrolled.patients)}


def test_jobs_take_the_runs_prior_sets() -> None:
    sampling = Sampling(seed=4)
    weak = published_job(load_definitions(), sampling, [], "weak")
    sceptical = published_job(
        load_definitions(), sampling, [load_prior_set("sceptical")], "sceptical"
    )
    assert weak.name == sceptical.name == "published"
    assert weak.card.prior["mean_log_ratio"].arguments["sigma"] == 1.0
    assert sceptical.card.prior["mean_log_ratio"].arguments["sigma"] < 1.0
    assert historical_job(sampling).name == "historical"
