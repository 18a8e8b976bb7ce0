"""The PyMC model: structure, density and prior against routes that share no code."""

import dataclasses

import numpy as np
import pymc as pm
import pytest
from conftest import simulate_cohort
from pymc.testing import mock_sample
from scipy import stats

from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.overrides import Change, apply_changes, with_priors
from mnbayes.data.observations import Observations, observations
from mnbayes.models.hyperparameters import hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior, log_prior, pointwise_loglik
from mnbayes.models.longitudinal import build_model, hyperparameters, model_data, structure_key


def structured(card: Card, **changes: object) -> Card:
    return card.model_copy(update={"structure": card.structure.model_copy(update=changes)})


def censor(obs: Observations) -> Observations:
    """Three censored values: between two limits, below one, above one."""
    y, low, high = (a.copy() for a in (obs.log_value, obs.log_lower, obs.log_upper))
    for patient, limits in enumerate([(0.0, 1.0), (-np.inf, 0.5), (0.2, np.inf)]):
        y[patient, 1, 0] = np.nan
        low[patient, 1, 0], high[patient, 1, 0] = limits
    return dataclasses.replace(obs, log_value=y, log_lower=low, log_upper=high)


@pytest.fixture(scope="module")
def small() -> Observations:
    return observations(load_card("proteinuria"), simulate_cohort(4))


def test_names_and_dims(small: Observations) -> None:
    model = build_model(load_card("proteinuria"), small)
    names = {rv.name for rv in model.free_RVs}
    # The means and the visits' deviations have normal priors: they are integrated out.
    scores = {f"{name}_score" for name in ("baseline_sd", "change_sd", "visit_sd", "residual_sd")}
    assert names == scores | {"correlation_unit"}
    assert {"baseline_sd", "residual_sd"} <= {rv.name for rv in model.deterministics}
    assert model.named_vars_to_dims["visit_sd"] == ("marker",)
    assert list(model.coords["marker"]) == ["urine_protein_24h"]


def test_hyperparameters_are_labelled_model_data(small: Observations) -> None:
    card = load_card("proteinuria")
    model = build_model(card, small)
    labels, values = hyperparameters(card)
    assert list(model.coords["hyperparameter"]) == labels
    where = labels.index("change_mean.sigma[urine_protein_24h]")
    assert model["hyperparameters"].get_value()[where] == values[where] == 0.7


@pytest.mark.parametrize(
    ("changes", "extra"),
    [
        ({"residual": "student_t"}, {"residual_df", "weight_offset"}),
        ({"serial": True}, {"serial_sd_score", "serial_weeks"}),
    ],
)
def test_options_add_their_parameters(changes: dict[str, object], extra: set[str]) -> None:
    card = structured(load_card("proteinuria"), **changes)
    model = build_model(card, observations(card, simulate_cohort(4)))
    assert extra <= {rv.name for rv in model.free_RVs}


def test_censored_values_are_unknowns_of_their_kind(small: Observations) -> None:
    model = build_model(load_card("proteinuria"), censor(small))
    assert {"censored_between", "censored_below", "censored_above"} <= {
        rv.name for rv in model.free_RVs
    }


def test_a_mean_without_a_normal_prior_is_sampled(small: Observations) -> None:
    card = heavy_tailed(load_card("proteinuria"))
    assert "change_mean" in {rv.name for rv in build_model(card, small).free_RVs}


def heavy_tailed(card: Card) -> Card:
    values = {"distribution": "StudentT", "nu": 4, "mu": 0, "sigma": 0.7}
    return apply_changes([card], [Change("change_mean", "", values, "test")], strict=True)[0]


def test_structure_through_mock_sample(small: Observations) -> None:
    model = build_model(load_card("proteinuria"), small)
    # The mock draws from the prior, and says that it leaves the likelihood out.
    with pytest.warns(UserWarning, match="Potentials"):
        draws = mock_sample(draws=5, model=model, random_seed=1)
    sizes = dict(draws["posterior"].to_dataset().sizes)
    assert (sizes["marker"], sizes["partial"]) == (1, 1)


def score(card: Card, name: str, value: np.ndarray) -> np.ndarray:
    """The standard normal score at which a half-normal SD has its value."""
    half = stats.halfnorm(0, card.argument_values(name)["sigma"])
    return np.asarray(-stats.norm.ppf(half.sf(value)))


def brute_log_density(card: Card, obs: Observations, point: dict[str, np.ndarray]) -> float:
    """Log prior of what is sampled plus one multivariate normal of all data, from SciPy."""
    numbers = {name: card.argument_values(name) for name in card.parameters}
    total = float(stats.beta(2.0, 2.0).logpdf(point["correlation_unit"]).sum())
    for name in ("baseline_sd", "change_sd", "visit_sd", "residual_sd"):
        total += stats.norm().logpdf(score(card, name, point[name])).sum()
    base, change = numbers["baseline_mean"], numbers["change_mean"]
    mean_change, change_variance = float(change["mu"][0]), float(change["sigma"][0]) ** 2
    if "change_mean" in point:
        total += stats.t(4, 0, 0.7).logpdf(point["change_mean"]).sum()
        mean_change, change_variance = float(point["change_mean"][0]), 0.0
    sd = np.array([point["baseline_sd"][0], point["change_sd"][0]])
    r = 2 * point["correlation_unit"][0] - 1
    n_patients, n_visits = obs.log_value.shape[:2]
    later = (np.arange(n_visits) > 0).astype(float)
    design = np.column_stack([np.ones(n_visits), later])
    own = design @ (np.outer(sd, sd) * np.array([[1, r], [r, 1]])) @ design.T
    own += point["residual_sd"][0] ** 2 * np.eye(n_visits)
    common = base["sigma"][0] ** 2 + np.outer(later, later) * change_variance
    common += np.diag(later) * point["visit_sd"][0] ** 2
    cov = np.kron(np.eye(n_patients), own) + np.kron(np.ones((n_patients, n_patients)), common)
    mean = np.tile(base["mu"][0] + later * mean_change, n_patients)
    return total + float(stats.multivariate_normal(mean, cov).logpdf(obs.log_value.ravel()))


@pytest.mark.parametrize("sampled_mean", [False, True])
def test_density_is_the_hierarchical_model_s(small: Observations, sampled_mean: bool) -> None:
    card = heavy_tailed(load_card("proteinuria")) if sampled_mean else load_card("proteinuria")
    model = build_model(card, small)
    rng = np.random.default_rng(3)
    logp = model.compile_logp(jacobian=False, mode="FAST_COMPILE")
    for _ in range(5):
        point = {
            name: rng.uniform(0.2, 0.8, 1)
            for name in ("baseline_sd", "change_sd", "visit_sd", "residual_sd", "correlation_unit")
        }
        if sampled_mean:
            point["change_mean"] = rng.normal(size=1)
        values = {
            v.name: score(
                card, rv.name.removesuffix("_score"), point[rv.name.removesuffix("_score")]
            )
            if rv.name.endswith("_score")
            else np.log(point[rv.name] / (1 - point[rv.name]))
            if v.name.endswith("_logodds__")
            else point[rv.name]
            for rv, v in model.rvs_to_values.items()
        }
        assert logp(values) == pytest.approx(brute_log_density(card, small, point), rel=1e-9)


def test_prior_draws_agree_with_pymc_s(small: Observations) -> None:
    card = load_card("proteinuria")
    with build_model(card, small), pytest.warns(UserWarning, match="Potentials"):
        theirs = pm.sample_prior_predictive(
            4000, random_seed=1, compile_kwargs={"mode": "FAST_COMPILE"}
        )
    ours = draw_prior(card, 2, 4000, np.random.default_rng(1))
    for name in (n for n in theirs["prior"].data_vars if not n.endswith("_score")):
        other = theirs["prior"][name].to_numpy().ravel()
        assert stats.ks_2samp(ours[name].ravel(), other).pvalue > 1e-4, name
    assert stats.kstest(ours["baseline_mean"].ravel(), stats.norm(1.386, 0.75).cdf).pvalue > 1e-4
    assert stats.kstest(ours["visit_offset"].ravel(), "norm").pvalue > 1e-4


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


def test_key_ignores_numbers_patients_and_visits_but_not_structure(small: Observations) -> None:
    card = load_card("proteinuria")
    key = structure_key(card, small)
    assert structure_key(with_priors(card, "sceptical"), small) == key
    more = observations(card, simulate_cohort(9, seed=3))
    assert structure_key(card, more) == key
    other = observations(card, simulate_cohort(4, weeks=(0, 1, 8, 20)))
    assert structure_key(card, other) == key
    assert structure_key(heavy_tailed(card), small) != key
    joint = load_card("remission")
    two = observations(joint, simulate_cohort(4, markers=joint.markers))
    assert structure_key(joint, two) != key
    assert structure_key(structured(card, serial=True), small) != key


def test_numbers_that_are_not_finite_never_reach_the_sampler(small: Observations) -> None:
    card = load_card("proteinuria")
    broken = dataclasses.replace(small, weeks=(0.0, np.inf, 4.0))
    with pytest.raises(ValueError, match="cells"):
        model_data(card, broken)


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
    with pytest.raises(InputError, match="one of age_years, bmi, infusions"):
        observations(structured(card, covariate="height"), cohort)


def test_rows_left_out_are_counted_and_named() -> None:
    cohort = simulate_cohort(3, markers=("urine_protein_24h", "albumin"))
    (sentence,) = observations(load_card("proteinuria"), cohort).left_out
    assert "9 of albumin" in sentence
