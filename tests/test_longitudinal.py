"""The statement in PyMC: names, prior, interventions; likelihoods and priors in NumPy."""

import dataclasses
import re

import numpy as np
import pymc as pm
import pytest
from conftest import script, simulate_cohort
from scipy import stats
from test_identity import Change, censor, own_times, structured, whole

from mnbayes.base.problems import InputError
from mnbayes.cards.card import load_card
from mnbayes.data.observations import Observations, observations
from mnbayes.inference.completing import complete_prior
from mnbayes.inference.trees import OWN, TOP_LEVEL
from mnbayes.models.hyperparameters import hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior, log_prior, pointwise_loglik
from mnbayes.models.longitudinal import formulas, model, statement


@pytest.fixture(scope="module")
def small() -> Observations:
    return observations(load_card("proteinuria"), simulate_cohort(4))


@pytest.fixture(scope="module")
def stated() -> pm.Model:
    return model("remission", simulate_cohort(4, markers=load_card("remission").markers))


def test_names_and_dims_are_those_of_a_tree(stated: pm.Model) -> None:
    assert list(stated.coords["marker"]) == ["urine_protein_24h", "albumin"]
    assert list(stated.coords["patient"]) == ["S001", "S002", "S003", "S004"]
    assert stated.coords["observation"][0] == "S001, week 0, urine_protein_24h"
    dims = {name: of for name, of in stated.named_vars_to_dims.items() if name in TOP_LEVEL | OWN}
    assert dims == {name: of for name, of in (TOP_LEVEL | OWN).items() if name in dims}
    assert set(dims) >= {*OWN, "visit_change", "baseline_mean", "residual_sd"}
    assert stated.named_vars_to_dims["measurement"] == ("observation",)


@pytest.mark.parametrize(
    ("changes", "extra"),
    [
        ({"residual": "student_t"}, {"residual_df"}),
        ({"trajectory": "drift"}, {"serial_sd", "serial_weeks", "drift_offset"}),
        ({"covariate": "bmi"}, {"covariate_slope"}),
    ],
)
def test_options_add_their_parameters(changes: dict[str, object], extra: set[str]) -> None:
    card = structured(load_card("proteinuria"), **changes)
    assert extra <= {rv.name for rv in model(card, simulate_cohort(4)).free_RVs}


@pytest.mark.parametrize(
    "changes",
    [
        {"trajectory": "step"},
        {"trajectory": "drift", "residual": "student_t", "covariate": "bmi"},
    ],
)
@pytest.mark.parametrize("name", ["remission", "lymphocytes", "joint"])
def test_formulas_name_what_the_statement_has(name: str, changes: dict[str, str]) -> None:
    card = structured(load_card(name), **changes)
    stated = model(card, simulate_cohort(4, markers=card.markers))
    words = set(re.findall(r"[a-z_]+", " ".join(formulas(card.structure))))
    stood_for = {"visit_offset", "patient_offset", "drift_offset", "correlation_unit"}
    named = {rv.name for rv in (*stated.free_RVs, *stated.deterministics)}
    assert named - stood_for <= words
    parameters = {name for name in (*TOP_LEVEL, *OWN) if name in words}
    assert parameters - {"correlation"} <= named  # the word, of the drift


@pytest.mark.parametrize("change", [whole, own_times])
def test_prior_draws_agree_with_pymc_s(change: Change, small: Observations) -> None:
    card, small = load_card("proteinuria"), change(small)
    with statement(card, small):
        theirs = pm.sample_prior_predictive(
            500, random_seed=1, compile_kwargs={"mode": "FAST_COMPILE"}
        )
    rng = np.random.default_rng(1)
    ours = complete_prior(card, small, 500, rng, np.random.default_rng(2))
    for name in ("baseline_mean", "residual_sd", "correlation_unit", "visit_change", "level"):
        other = theirs["prior"][name].to_numpy().reshape(500, -1)
        own = ours.draws[name].reshape(500, -1)
        for column in range(own.shape[1]):
            same = stats.ks_2samp(own[:, column], other[:, column])
            assert same.pvalue > 1e-4, (name, column)
    measured = theirs["prior_predictive"]["measurement"].to_numpy().reshape(500, -1)
    repeats = ours.measurement[:, small.observed]
    for column in range(repeats.shape[1]):
        assert stats.ks_2samp(repeats[:, column], measured[:, column]).pvalue > 1e-4
    assert (
        stats.kstest(ours.draws["baseline_mean"].ravel(), stats.norm(1.386, 0.75).cdf).pvalue > 1e-4
    )


@pytest.mark.parametrize("residual", ["normal", "student_t"])
def test_repeats_of_censored_values_are_not_censored(residual: str, small: Observations) -> None:
    card = structured(load_card("proteinuria"), residual=residual)
    data = dataclasses.replace(censor(small), weights=residual == "student_t")
    known = {"level": np.full((4, 3, 1), 0.4), "residual_sd": np.array([0.3])}
    if residual == "student_t":
        known["residual_df"] = np.array(5.0)
    with pm.do(statement(card, data), known):
        drawn = pm.sample_prior_predictive(
            3000, random_seed=2, var_names=["measurement"], compile_kwargs={"mode": "FAST_COMPILE"}
        )
    noise = stats.t(5.0) if residual == "student_t" else stats.norm()
    repeats = drawn["prior_predictive"]["measurement"].to_numpy().reshape(3000, -1)
    for column in range(repeats.shape[1]):
        assert stats.kstest((repeats[:, column] - 0.4) / 0.3, noise.cdf).pvalue > 1e-4


def test_an_intervention_sets_what_follows_from_it(stated: pm.Model) -> None:
    """With every patient's change and the visits' held at 0 nobody leaves the baseline."""
    nobody = {
        "patient_change": np.zeros((4, 2)),
        "visit_change": np.zeros((2, 2)),
        "drift": np.zeros((4, 3, 2)),
    }
    with pm.do(stated, nobody):
        drawn = pm.sample_prior_predictive(
            20, random_seed=3, var_names=["level"], compile_kwargs={"mode": "FAST_COMPILE"}
        )
    level = drawn["prior"]["level"]
    np.testing.assert_allclose(level.isel(visit=2), level.isel(visit=0))


def test_other_measurements_can_be_observed(stated: pm.Model) -> None:
    value = np.asarray(stated.rvs_to_values[stated["measurement"]].data)
    again = pm.observe(pm.do(stated, {"residual_sd": [0.3, 0.05]}), {"baseline_mean": [1.4, 3.2]})
    assert {rv.name for rv in again.observed_RVs} == {"measurement", "baseline_mean"}
    assert np.isfinite(value).all()


def test_the_graph_has_every_variable_and_plate(stated: pm.Model) -> None:
    drawn = pm.model_to_graphviz(stated).source
    for name in ("patient_baseline", "level", "measurement", "visit_change", "patient", "marker"):
        assert name in drawn


def test_log_prior_is_scipy_s() -> None:
    card = load_card("remission")
    draws = draw_prior(card, 2, 3, np.random.default_rng(2))
    ours = log_prior(card, draws)
    assert set(ours) == set(card.parameters)
    expected = stats.norm([0.0, 0.0], [0.7, 0.25]).logpdf(draws["change_mean"])
    np.testing.assert_allclose(ours["change_mean"], expected)
    expected = stats.halfnorm(0.0, [0.51, 0.2]).logpdf(draws["baseline_sd"])
    np.testing.assert_allclose(ours["baseline_sd"], expected)
    assert ours["correlation"].shape == (3,)


def test_a_correlation_that_rounds_to_one_has_a_density() -> None:
    card = load_card("remission")
    draws = draw_prior(card, 2, 3, np.random.default_rng(2))
    shape = draws["correlation_unit"].shape
    unit = np.full(shape, 0.25)
    unit[:2, 0] = 0.0, 1.0
    found = log_prior(card, draws | {"correlation_unit": unit})["correlation"]
    eta = float(card.argument_values("correlation")["eta"][0])
    assert found[2] == pytest.approx((eta - 1) * shape[1] * np.log(0.75))
    edge = (eta - 1) * ((shape[1] - 1) * np.log(0.75) + np.log(np.finfo(float).epsneg))
    np.testing.assert_allclose(found[:2], edge)


def test_pointwise_loglik_of_exact_and_censored_values(small: Observations) -> None:
    obs = censor(small)
    draws = draw_prior(load_card("proteinuria"), 2, 1, np.random.default_rng(4))
    p = hyperparameters_from_draws(draws)
    level = np.full((1, 4, 3, 1), 0.3)
    sd = p.residual_sd[0, 0]
    out = pointwise_loglik(level, p, obs)[0].reshape(4, 3)
    assert out[0, 0] == pytest.approx(stats.norm(0.3, sd).logpdf(obs.log_value[0, 0, 0]))
    normal = stats.norm(0.3, sd)
    assert out[0, 1] == pytest.approx(np.log(normal.cdf(1.0) - normal.cdf(0.0)))
    assert out[1, 1] == pytest.approx(normal.logcdf(0.5))
    assert out[2, 1] == pytest.approx(normal.logsf(0.2))


def test_far_tail_of_a_censored_value_keeps_its_digits(small: Observations) -> None:
    obs = censor(small)
    draws = draw_prior(load_card("proteinuria"), 2, 1, np.random.default_rng(4))
    p = dataclasses.replace(hyperparameters_from_draws(draws), residual_sd=np.array([[0.1]]))
    level = np.full((1, 4, 3, 1), -1.5)
    value = pointwise_loglik(level, p, obs)[0].reshape(4, 3)[2, 1]
    assert value == pytest.approx(stats.norm(-1.5, 0.1).logsf(0.2), rel=1e-6)


def test_missing_marker_and_missing_follow_up_are_said() -> None:
    with pytest.raises(InputError, match="albumin, which the model remission needs"):
        observations(load_card("remission"), simulate_cohort(3))
    with pytest.raises(InputError, match="one visit after baseline"):
        observations(load_card("proteinuria"), simulate_cohort(3, weeks=(0.0,)))


def test_covariate_is_centred_and_must_be_complete() -> None:
    card = structured(load_card("proteinuria"), covariate="bmi")
    cohort = simulate_cohort(4)
    obs = observations(card, cohort)
    np.testing.assert_allclose(obs.covariate, [-1.5, -0.5, 0.5, 1.5])
    assert obs.covariate_mean == 26.5
    holes = dataclasses.replace(cohort, patients=cohort.patients.assign(bmi=np.nan))
    with pytest.raises(InputError, match="blank for S001"):
        observations(card, holes)
    with pytest.raises(InputError, match="numbers: age_years, bmi, infusions"):
        observations(structured(card, covariate="height"), cohort)


def test_rows_left_out_are_counted_and_named() -> None:
    cohort = simulate_cohort(3, markers=("urine_protein_24h", "albumin"))
    (sentence,) = observations(load_card("proteinuria"), cohort).left_out
    assert "9 of albumin" in sentence


def test_the_page_of_the_model_is_the_model() -> None:
    page = script("model_page")
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text) == text
