"""Shares as measured, and assurance, against closed forms and simulated trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from designs import CARD, DEFINITIONS, PROTEIN, evidence_from, short
from scipy import stats
from trees import MARKERS, Hyper, default_hyper, make_tree

from mnbayes.analyses.design.beta_binomial import Beta, chances
from mnbayes.analyses.design.decision import decide
from mnbayes.analyses.design.evidence import Counts
from mnbayes.analyses.design.plan import plan_counts, plan_evidence
from mnbayes.analyses.design.rules import criteria_of
from mnbayes.analyses.design.shares import measured_share, true_share
from mnbayes.analyses.design.success import DesignPrior, assurance_table, main_rows
from mnbayes.answers.response_draws import response_draws
from mnbayes.base.montecarlo import mcse
from mnbayes.cards.definitions import load_definitions

RULE = criteria_of(CARD.rule[0], DEFINITIONS)


def protein_alone(df: float | None = None) -> Hyper:
    mean, sd, change, change_sd, residual = (np.array([v]) for v in MARKERS[PROTEIN])
    return Hyper(
        baseline_mean=mean,
        visit_change=np.tile(change, (4, 1)),
        baseline_sd=sd,
        change_sd=change_sd,
        residual_sd=residual,
        correlation=np.eye(2),
        residual_df=df,
    )


def test_shares_of_known_hyperparameters() -> None:
    # log ratio ~ Normal(log 0.5, 0.5² + 2 · 0.25²) as measured; effective: at most 0.85
    tree = make_tree(markers=(PROTEIN,), hyper=protein_alone(), spread=0.0, draws=10)
    bar = np.log(0.85) - np.log(0.5)
    true = true_share(tree, "posterior", "effective", 12.0, DEFINITIONS)
    seen = measured_share(tree, "posterior", "effective", 12.0, DEFINITIONS)
    assert true.shape == seen.shape == (4, 10)
    np.testing.assert_allclose(true, stats.norm.cdf(bar / 0.5), atol=0.01)
    wide = np.sqrt(0.5**2 + 2 * 0.25**2)
    np.testing.assert_allclose(seen, stats.norm.cdf(bar / wide), atol=0.01)


@pytest.mark.parametrize("name", ["kdigo_mn_protein", "kdigo_mn_protein_confirmed"])
def test_a_rule_is_judged_by_the_share_that_the_tables_have(name) -> None:
    definitions = load_definitions(name)
    hyper = default_hyper((PROTEIN, "albumin"), 4)
    hyper = replace(hyper, serial_sd=np.array([0.3, 0.05]), serial_weeks=4.0)
    tree = make_tree(hyper=hyper, draws=5)
    drawn = response_draws(tree, definitions, seed=1)
    assert drawn is not None
    for week in (2.0, 4.0):
        share = true_share(tree, "posterior", "remission", week, definitions)
        table = drawn.posterior.share["remission"][..., drawn.weeks.index(week)]
        np.testing.assert_array_equal(share, table)


def test_shares_with_heavy_tailed_noise() -> None:
    tree = make_tree(markers=(PROTEIN,), hyper=protein_alone(3.0), spread=0.0, draws=4)
    seen = measured_share(tree, "posterior", "effective", 12.0, DEFINITIONS)
    rng = np.random.default_rng(5)
    size = 200_000
    ratio = rng.normal(np.log(0.5), 0.5, size) + 0.25 * (
        rng.standard_t(3, size) - rng.standard_t(3, size)
    )
    np.testing.assert_allclose(seen, (ratio <= np.log(0.85)).mean(), atol=0.012)


@pytest.mark.parametrize("category", ["remission", "effective"])
def test_the_share_as_measured_averages_to_the_next_patient(category) -> None:
    evidence = evidence_from(make_tree(draws=500))
    asked = f"quantity == 'next_patient' and week == 12 and category == '{category}'"
    row = evidence.probabilities.query(asked).iloc[0]
    for group, value in (("posterior", row["probability"]), ("prior", row["prior_probability"])):
        share = measured_share(evidence.tree, group, category, 12.0, DEFINITIONS)
        assert share.mean() == pytest.approx(value, abs=0.035)


def test_assurance_is_the_share_of_simulated_trials_that_end_in_go() -> None:
    evidence = evidence_from(make_tree(draws=500))
    card = short()
    plan = plan_evidence([evidence], DEFINITIONS, card, "a test", True)
    share = measured_share(evidence.tree, "posterior", "remission", 12.0, DEFINITIONS).ravel()
    rng = np.random.default_rng(11)
    draws = rng.choice(share, 60_000)
    seen = plan.seen
    assert seen is not None
    table = plan.assurance.set_index(["analysis", "handling", "withdrawal", "patients"])
    for handling in ("composite", "evaluable"):
        left = rng.binomial(20, 0.8, draws.size)
        responders = rng.binomial(left, draws)
        of = np.full(draws.size, 20) if handling == "composite" else left
        before = seen.enrolled if handling == "composite" else seen.evaluable
        for analysis, (x0, n0) in (("new", (0, 0)), ("pooled", (seen.responders, before))):
            after = stats.beta(0.5 + x0 + responders, 0.5 + n0 - x0 + of - responders)
            met = np.array([after.sf(RULE.reference) >= 0.9, after.sf(RULE.target) >= 0.5])
            row = table.loc[(analysis, handling, 0.2, 20)]
            for name, said in (
                ("go", met.all(axis=0)),
                ("consider", met.any(axis=0) & ~met.all(axis=0)),
                ("no_go", ~met.any(axis=0)),
            ):
                error = max(np.sqrt(said.mean() * (1 - said.mean()) / said.size), 1e-4)
                assert abs(row[name] - said.mean()) < 4 * error


def test_chances_at_many_draws_are_those_at_each_draw() -> None:
    share = np.random.default_rng(3).beta(4, 5, (4, 1000))
    prior, own = DesignPrior(share), Beta(0.5, 0.5)
    for patients, withdrawal, handling in ((12, 0.0, "composite"), (100, 0.2, "evaluable")):

        def at(values, n=patients, leave=withdrawal, how=handling):
            return chances(values, n, leave, how, own, RULE)

        for quick, exact in zip(prior.at_each(at), at(share), strict=True):
            assert quick.shape == share.shape
            np.testing.assert_allclose(quick, exact, atol=1e-4)
    # A chance moves with the share, and so does its chain.
    go = at(share)[0]
    assert prior.average(go)[1] == pytest.approx(float(mcse(go)), rel=0.15)


def test_outcomes_add_up_and_come_with_errors() -> None:
    plan = plan_evidence([evidence_from(make_tree())], DEFINITIONS, short(), "a test", True)
    table = plan.assurance
    total = table["go"] + table["consider"] + table["no_go"]
    np.testing.assert_allclose(total, 1)
    assert (table["go_mcse"] > 0).all()
    assert table.drop(columns="needed").notna().all(axis=None)
    assert len(table) == 2 * 2 * 2 * 2
    # the prior alone knows nothing of the patients seen
    new, pooled = (table[table["analysis"] == name] for name in ("new", "pooled"))
    np.testing.assert_array_equal(new["go_prior"], pooled["go_prior"])


def test_assurance_from_counts_is_a_beta_binomial_sum() -> None:
    plan = plan_counts(4, 8, Beta(1, 1), DEFINITIONS, short())
    assert plan is not None
    for n in (10, 20):
        counts = np.arange(n + 1)
        predicted = stats.betabinom.pmf(counts, n, 5, 5)
        for analysis, (a, b) in (("new", (0.5, 0.5)), ("pooled", (4.5, 4.5))):
            after = stats.beta(a + counts, b + n - counts)
            go = (after.sf(RULE.reference) >= 0.9) & (after.sf(RULE.target) >= 0.5)
            row = main_rows(plan.assurance, plan.card.next_trial, analysis)
            row = row[(row["patients"] == n) & (row["withdrawal"] == 0)].iloc[0]
            assert row["go"] == pytest.approx(predicted[go].sum(), abs=1e-10)
            assert row["go_mcse"] == 0
            assert row["needed"] == counts[go][0]
    first, second = plan.main.judged
    assert first.probability == pytest.approx(stats.beta.sf(RULE.reference, 5, 5))
    assert second.probability == pytest.approx(stats.beta.sf(RULE.target, 5, 5))
    assert plan.main.verdict == "go"  # 0.95 of 0.8 and 0.83 of 0.5
    assert first.prior == pytest.approx(1 - RULE.reference)


def test_more_patients_approach_the_limit_and_false_go_its_level() -> None:
    prior = Beta(5, 5)
    trial = short(patients=(500,), withdrawal=(0.2,)).next_trial
    own = DesignPrior.from_beta(prior, 500)
    table = assurance_table(own, own, RULE, trial).set_index("handling")
    for handling, stay in (("composite", 0.8), ("evaluable", 1.0)):
        limit = stats.beta.sf(RULE.target / stay, 5, 5)
        assert table.loc[handling, "limit"] == pytest.approx(limit)
        assert table.loc[handling, "go"] == pytest.approx(limit, abs=0.02)
    # with a target just above the reference, go is significance alone, kept near its level
    close = type(RULE)(0.25, 0.9, 0.2501, 0.5)
    trial = trial.model_copy(update={"withdrawal": (0.0,), "patients": (100,)})
    known = assurance_table(own, own, close, trial)
    assert known["go_at_reference"].iloc[0] == pytest.approx(0.1, abs=0.03)


def test_a_trial_too_small_for_go_says_so() -> None:
    strict = type(RULE)(0.9, 0.99, 0.95, 0.5)
    own = DesignPrior.from_beta(Beta(1, 1), 20)
    trial = short().next_trial.model_copy(update={"confidence": (0.99,)})
    table = assurance_table(own, own, strict, trial, Counts(1, 2, 3))
    small = table[(table["patients"] == 10) & (table["analysis"] == "new")]
    assert small["needed"].isna().all()
    assert (small["go"] == 0).all()


def test_designs_for_scale_are_averaged_over_the_same_prior() -> None:
    plan = plan_counts(4, 8, Beta(1, 1), DEFINITIONS, short())
    assert plan is not None
    table = plan.designs.set_index("design")
    row = table.loc["exact test, one stage"]
    n, needed = int(row["patients"]), int(row["needed"])
    predicted = stats.betabinom.sf(needed - 1, n, 5, 5)
    assert row["go"] == pytest.approx(predicted, abs=1e-9)
    assert row["go_prior"] == pytest.approx(stats.betabinom.sf(needed - 1, n, 1, 1), abs=1e-9)
    simon = table.filter(like="Simon", axis="index")
    assert (simon["go_at_reference"] <= 0.05).all()
    assert (simon["go_at_target"] >= 0.8).all()
    # a median at the target: go there about every other time
    own = table.loc["dual criterion, as many patients"]
    assert own["patients"] == n
    assert own["go_at_target"] == pytest.approx(0.5, abs=0.1)


def test_counts_of_the_trial_are_as_measured() -> None:
    evidence = evidence_from(make_tree(missing=((0, 4, 0), (1, 4, 1))))
    asked = "quantity == 'observed' and week == 12 and category == 'remission'"
    rows = evidence.probabilities.query(asked)["probability"]
    counts = evidence.counts("remission", 12.0)
    assert counts == Counts(int(rows.sum()), int(rows.notna().sum()), 8)
    assert evidence_from(make_tree(), probabilities=pd.DataFrame()).counts("remission", 12) is None
    assert decide(evidence, CARD.rule[0], DEFINITIONS).verdict
