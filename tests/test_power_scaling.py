"""Power scaling against closed forms, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import runs
import xarray as xr
from conftest import simulate_cohort
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from runs import BAD, DEFINITIONS, GOOD, unsampled
from scipy import stats
from test_longitudinal import structured
from trees import default_hyper, pairs_of

from mnbayes.analyses.sensitivity.marginal_likelihood import marginal_loglik
from mnbayes.analyses.sensitivity.power_scaling import (
    CONFLICT,
    NONE,
    POWER_COLUMNS,
    STRONG_PRIOR,
    diagnose,
    log_priors,
)
from mnbayes.analyses.sensitivity.section import (
    multiverse_command,
    power_scaling_of,
    section,
)
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import Result
from mnbayes.base.labelled import stacked
from mnbayes.cards.card import Card, load_card
from mnbayes.data.observations import Observations
from mnbayes.inference.contract import (
    CELLS,
    correlation_matrix,
    effect_names,
    hyperparameters_of,
    level,
)
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.inference.fit import Fit, Sampling
from mnbayes.inference.importance_weights import (
    highest_khat,
    near_weights,
    scaled_weights,
    sensitivity,
    weighted_mean,
    weighted_median,
)
from mnbayes.models.given_levels import completed
from mnbayes.run.run import Run

type Array = NDArray[np.float64]

PROTEIN, ALBUMIN = "urine_protein_24h", "albumin"


def normal_distance(mean: float, sd: float, power: float, of: tuple[float, float]) -> float:
    """ArviZ's distance between two normals, by integration of their distribution functions."""
    x = np.linspace(mean - 4 * sd, mean + 4 * sd, 20_001)

    def one_sided(p: Array, q: Array) -> float:
        def integral(values: Array) -> float:
            return float(np.trapezoid(values, x))

        def part(a: Array, b: Array) -> float:
            logs = np.log2(np.where(a > 0, a, 1)) - np.log2(np.where(a + b > 0, (a + b) / 2, 1))
            return max(0.0, integral(a * logs) + (integral(b) - integral(a)) / (2 * np.log(2)))

        return float(np.sqrt((part(p, q) + part(q, p)) / (integral(p) + integral(q))))

    p, q = stats.norm.cdf(x, mean, sd), stats.norm.cdf(x, *of)
    up, uq = stats.norm.sf(x, mean, sd), stats.norm.sf(x, *of)
    return max(one_sided(p, q), one_sided(up, uq)) / abs(np.log2(power))


class Conjugate:
    """A normal mean with known SD: n data of mean ``ybar``, prior N(m0, s0)."""

    def __init__(self, ybar: float, n: int, sd: float, m0: float, s0: float) -> None:
        self.data, self.prior = (ybar, n / sd**2), (m0, 1 / s0**2)

    def posterior(self, prior: float = 1.0, likelihood: float = 1.0) -> tuple[float, float]:
        weights = prior * self.prior[1], likelihood * self.data[1]
        mean = (weights[0] * self.prior[0] + weights[1] * self.data[0]) / sum(weights)
        return mean, 1 / np.sqrt(sum(weights))

    def draws(self, count: int = 40_000) -> tuple[Array, Array, Array]:
        """Exact draws, log prior and log-likelihood at them."""
        mean, sd = self.posterior()
        theta = mean + sd * np.random.default_rng(1).standard_normal((4, count // 4))
        densities = [-w * (theta - m) ** 2 / 2 for m, w in (self.prior, self.data)]
        return theta, densities[0], densities[1]


@pytest.mark.parametrize(
    ("model", "diagnosis"),
    [
        (Conjugate(ybar=1.0, n=20, sd=1.0, m0=0.0, s0=10.0), NONE),
        (Conjugate(ybar=3.0, n=20, sd=1.0, m0=0.0, s0=0.5), CONFLICT),
        (Conjugate(ybar=0.2, n=1, sd=4.0, m0=0.0, s0=0.5), STRONG_PRIOR),
    ],
)
def test_conjugate_normal(model: Conjugate, diagnosis: str) -> None:
    theta, log_prior, loglik = model.draws()
    found = []
    for density, scaled in (
        (log_prior, lambda power: model.posterior(prior=power)),
        (loglik, lambda power: model.posterior(likelihood=power)),
    ):
        value, error = sensitivity(theta, near_weights(density))
        powers = (0.99, 1.01)
        exact = np.mean([normal_distance(*model.posterior(), p, scaled(p)) for p in powers])
        assert value == pytest.approx(exact, abs=max(5 * error, 0.1 * exact))
        found.append(value)
        for power in (0.5, 2.0):
            weights, khat = scaled_weights(density, power)
            if khat > 0.5:  # far from the draws: said, and not relied on
                continue
            mean, sd = scaled(power)
            assert weights.sum() == pytest.approx(1)
            mean_found, mcse = weighted_mean(theta, weights, theta.size)
            assert mean_found == pytest.approx(mean, abs=5 * mcse)
            assert weighted_median(theta, weights) == pytest.approx(mean, abs=8 * mcse)
            share, mcse = weighted_mean((theta < mean + sd).astype(float), weights, theta.size)
            assert share == pytest.approx(stats.norm.cdf(1), abs=5 * mcse)
    assert diagnose(*found) == diagnosis


def test_weights_that_reach_too_far_are_recognised() -> None:
    # A prior that dominates cannot be taken away from draws of its posterior: they are too narrow.
    _, log_prior, _ = Conjugate(ybar=6.0, n=2, sd=4.0, m0=0.0, s0=0.1).draws(4000)
    assert scaled_weights(log_prior, 2.0)[1] < highest_khat(4000)
    assert scaled_weights(log_prior, 0.1)[1] > highest_khat(4000)


class Hierarchical:
    """Patients' levels N(mu, between), measured with error; mu has a flat-ish normal prior.

    Everything is normal and known but mu and the levels, so all scaled posteriors are too.
    """

    def __init__(self, patients: int, visits: int, between: float, within: float) -> None:
        self.patients, self.between = patients, between
        self.visits, self.within, self.prior_sd = visits, within, 20.0
        rng = np.random.default_rng(3)
        levels = 1.0 + between * rng.standard_normal(patients)
        self.means = levels + within / np.sqrt(visits) * rng.standard_normal(patients)

    def draws(self, count: int = 40_000) -> tuple[Array, Array]:
        """Exact draws of mu (chain, draw) and of the levels (patient, chain, draw)."""
        rng = np.random.default_rng(4)
        spread = self.between**2 + self.within**2 / self.visits
        precision = self.patients / spread + 1 / self.prior_sd**2
        centre = self.means.sum() / spread / precision
        mu = centre + rng.standard_normal((4, count // 4)) / np.sqrt(precision)
        own = 1 / (1 / self.between**2 + self.visits / self.within**2)
        expected = own * (
            mu / self.between**2 + (self.means * self.visits / self.within**2)[:, None, None]
        )
        return mu, expected + np.sqrt(own) * rng.standard_normal(expected.shape)

    def log_top_level(self, mu: Array) -> Array:
        return np.asarray(stats.norm.logpdf(mu, 0, self.prior_sd))

    def log_patients(self, mu: Array, levels: Array) -> Array:
        return np.asarray(stats.norm.logpdf(levels, mu, self.between).sum(axis=0))

    def log_given_levels(self, levels: Array) -> Array:
        error = self.within / np.sqrt(self.visits)
        return np.asarray(stats.norm.logpdf(self.means[:, None, None], levels, error).sum(axis=0))

    def log_marginal(self, mu: Array) -> Array:
        spread = np.sqrt(self.between**2 + self.within**2 / self.visits)
        return np.asarray(stats.norm.logpdf(self.means[:, None, None], mu, spread).sum(axis=0))


def test_scaling_the_patients_with_the_priors_raises_a_false_alarm() -> None:
    # The prior of mu is flat where the data are: nothing of mu is the prior's.
    model = Hierarchical(patients=8, visits=5, between=0.4, within=0.3)
    mu, levels = model.draws()
    top = model.log_top_level(mu)
    naive = top + model.log_patients(mu, levels)
    data = model.log_marginal(mu)
    alarm, alone, of_data = (sensitivity(mu, near_weights(x))[0] for x in (naive, top, data))
    assert diagnose(alarm, of_data) == CONFLICT
    assert alone < 0.005
    assert diagnose(alone, of_data) == NONE


def test_the_marginal_likelihood_is_the_one_that_competes_with_the_prior() -> None:
    # Measurements are nearly exact: mu is uncertain because there are few patients, so counting
    # each measurement twice changes nothing, and counting each patient twice does.
    model = Hierarchical(patients=6, visits=5, between=1.0, within=0.05)
    mu, levels = model.draws()
    of_levels = sensitivity(mu, near_weights(model.log_given_levels(levels)))[0]
    marginal = sensitivity(mu, near_weights(model.log_marginal(mu)))[0]
    # The SD of mu falls by the root of the power, its mean stays.
    centre, sd = mu.mean(), mu.std()
    exact = np.mean(
        [normal_distance(centre, sd, p, (centre, sd / np.sqrt(p))) for p in (0.99, 1.01)]
    )
    assert marginal == pytest.approx(exact, rel=0.15)
    assert diagnose(0.06, marginal) == CONFLICT
    assert of_levels < 0.05
    assert diagnose(0.06, of_levels) == STRONG_PRIOR  # a wrong diagnosis


def test_diagnoses() -> None:
    assert diagnose(0.049, 0.5) == NONE
    assert diagnose(0.05, 0.05) == CONFLICT
    assert diagnose(0.2, 0.049) == STRONG_PRIOR
    assert diagnose(float("nan"), 0.2) == ""


def test_nothing_to_scale() -> None:
    rng = np.random.default_rng(1)
    draws = rng.standard_normal((4, 250))
    flat = np.full((4, 250), -3.0)
    assert near_weights(flat) is None
    assert sensitivity(draws, None) == (0.0, 0.0)
    weights, khat = scaled_weights(flat, 2.0)
    assert khat == -np.inf
    np.testing.assert_allclose(weights, 1 / 1000)
    assert sensitivity(np.ones((4, 250)), near_weights(draws)) == (0.0, 0.0)
    few = draws[:, :20]
    assert np.isnan(sensitivity(few, near_weights(few))).all()
    assert np.isnan(scaled_weights(few, 2.0)[1])


@given(st.lists(st.booleans(), min_size=8, max_size=80))
def test_even_weights_give_the_plain_mean(values: list[bool]) -> None:
    draws = np.array(values, dtype=float)[None]
    weights = np.full(draws.shape, 1 / draws.size)
    mean, error = weighted_mean(draws, weights, draws.size)
    assert mean == pytest.approx(draws.mean())
    if 0 < draws.mean() < 1:
        assert error == pytest.approx(draws.std() / np.sqrt(draws.size))
    else:
        assert error == pytest.approx(1 / (draws.size + 1))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30, unique=True), st.integers(0, 2**31))
def test_weighted_median_splits_the_weight(values: list[float], seed: int) -> None:
    draws = np.array(values)[None]
    weights = np.random.default_rng(seed).dirichlet(np.ones(draws.size))[None]
    median = weighted_median(draws, weights)
    assert draws.min() <= median <= draws.max()
    below = weights[draws < median - 1e-12].sum()
    above = weights[draws > median + 1e-12].sum()
    assert max(below, above) <= 0.5 + weights.max() / 2 + 1e-9


# ------------------------------------------------------------------ of a fit


def fake_fit(
    card: Card, *, diagnostics: Diagnostics = GOOD, draws: int = 100, **changes: object
) -> Fit:
    """A fit that nobody sampled, of a simulated cohort and a card."""
    cohort = simulate_cohort(n_patients=5, markers=card.markers)
    if card.structure.drift:
        extra = {"serial_sd": np.full(len(card.markers), 0.3), "serial_weeks": 2.0}
        changes["hyper"] = replace(default_hyper(card.markers, 2), **extra)  # type: ignore[arg-type]
    how = Sampling(draws=draws)
    fitted = unsampled(card, cohort, how, diagnostics=diagnostics, **changes)
    groups = {name: node.to_dataset() for name, node in fitted.tree.children.items()}
    rng = np.random.default_rng(how.seed)
    posterior = groups["posterior"]
    size, count = 2 * len(card.markers), posterior.sizes["draw"]
    roots = np.linalg.cholesky(
        np.eye(size) * 0.8 + 0.2 + 0.1 * np.eye(size) * rng.random((4, count, 1, 1))
    )
    roots /= np.linalg.norm(roots, axis=-1, keepdims=True)
    matrix = roots @ np.swapaxes(roots, -1, -2)
    pairs = np.array(pairs_of(range(size))).T
    posterior = posterior.assign(correlation=(posterior["correlation"].dims, matrix[..., *pairs]))
    eta = float(card.argument_values("correlation")["eta"][0])
    density = (("chain", "draw"), (eta - 1.0) * np.linalg.slogdet(matrix)[1])
    groups["log_prior"] = groups["log_prior"].assign(correlation=density)
    if card.structure.covariate:
        slope = 0.2 * rng.standard_normal((4, count, len(card.markers)))
        posterior = posterior.assign(covariate_slope=(("chain", "draw", "marker"), slope))
    if card.structure.shrink:
        for name in ("common_change", "change_spread"):
            values = np.exp(0.2 * rng.standard_normal((4, count)))
            posterior = posterior.assign({name: (("chain", "draw"), values)})
    groups["posterior"] = posterior
    for name in card.parameters:
        if name not in groups["log_prior"]:
            flat = xr.zeros_like(posterior["baseline_mean"])
            groups["log_prior"] = groups["log_prior"].assign({name: flat})
    return replace(fitted, tree=xr.DataTree.from_dict(groups))


def dense_loglik(fit: Fit, chain: int, draw: int) -> float:
    """The normal density of all measurements together, from indicators of who and when."""
    at = fit.tree["posterior"].dataset.isel(chain=chain, draw=draw)
    data = fit.observations
    patient, visit, marker = np.nonzero(data.observed)
    later, count = visit > 0, len(data.markers)

    def value(name: str) -> Array:
        return np.asarray(at[name].to_numpy())

    effects = np.zeros((patient.size, 2 * count))
    effects[np.arange(patient.size), marker] = 1
    effects[np.arange(patient.size), count + marker] = later
    sd = np.concatenate([value("baseline_sd"), value("change_sd")])
    one = fit.tree["posterior"].dataset.isel(chain=[chain], draw=[draw])
    correlation = correlation_matrix(one, effect_names(data.markers))[0, 0]
    cov = effects @ (sd[:, None] * correlation * sd) @ effects.T
    cov *= patient[:, None] == patient
    same_marker = marker[:, None] == marker
    both_later = later[:, None] & later
    shift = (visit[:, None] == visit) & same_marker & both_later
    cov += shift * value("visit_sd")[marker] ** 2
    if "serial_sd" in at:
        when = data.times[patient, visit]
        gaps = np.abs(when[:, None] - when)
        same = (patient[:, None] == patient) & same_marker
        cov += same * value("serial_sd")[marker] ** 2 * np.exp(-gaps / value("serial_weeks"))
    change = value("change_mean")[marker]
    if fit.card.structure.shrink:
        change = np.full(marker.size, value("common_change"))
        cov += same_marker * both_later * value("change_spread") ** 2
    if fit.card.structure.covariate:
        change = change + value("covariate_slope")[marker] * data.covariate[patient]
    cov[np.diag_indices_from(cov)] += value("residual_sd")[marker] ** 2
    mean = value("baseline_mean")[marker] + later * change
    measured = data.log_value[patient, visit, marker]
    return float(stats.multivariate_normal(mean, cov).logpdf(measured))


@pytest.mark.parametrize(
    ("name", "structure"),
    [
        ("proteinuria", {}),
        ("proteinuria", {"covariate": "bmi"}),
        ("proteinuria", {"trajectory": "drift"}),
        ("remission", {}),
        ("lymphocytes", {}),
    ],
)
def test_marginal_likelihood_is_the_density_of_all_measurements(
    name: str, structure: Mapping[str, object]
) -> None:
    fit = fake_fit(structured(load_card(name), **structure))
    # A patient who missed a visit has a covariance of their own.
    seen = fit.observations.log_value.copy()
    seen[2, 1, 0] = np.nan
    # One more comes at other times.
    times = fit.observations.times
    times[1, 1:] += 0.3
    data = replace(fit.observations, log_value=seen, own_times=times)
    fit = replace(fit, observations=data)
    found = marginal_loglik(fit, np.random.default_rng(1))
    assert found.shape == (4, 100)
    thinned = marginal_loglik(fit, np.random.default_rng(1), 2)
    np.testing.assert_allclose(thinned, found[:, ::2])
    for chain, draw in ((0, 0), (3, 57)):
        assert found[chain, draw] == pytest.approx(dense_loglik(fit, chain, draw), abs=1e-8)


def _censored(data: Observations) -> Observations:
    lower, upper = data.log_lower.copy(), data.log_upper.copy()
    value = data.log_value.copy()
    for patient, ends in ((0, (-np.inf, -1.0)), (1, (3.0, np.inf)), (2, (0.2, 0.3))):
        lower[patient, 1, 0], upper[patient, 1, 0] = ends
        value[patient, 1, 0] = np.nan
    return replace(data, log_value=value, log_lower=lower, log_upper=upper)


def test_censored_values_are_drawn_inside_their_intervals() -> None:
    fit = fake_fit(load_card("proteinuria"))
    fit = replace(fit, observations=_censored(fit.observations))
    data = fit.observations
    posterior = fit.tree["posterior"].to_dataset()
    levels = stacked(level(fit.tree, "posterior"), *CELLS)
    value, _ = completed(levels, data, hyperparameters_of(posterior), np.random.default_rng(1))
    hidden = value[:, data.censored[data.observed]]
    lower, upper = data.log_lower[data.censored], data.log_upper[data.censored]
    assert np.isfinite(hidden).all()
    assert np.all((hidden >= lower) & (hidden <= upper))
    # The first lies far below the patient's level: just under its limit, as a normal tail does.
    assert -1.2 < hidden[:, 0].mean() < -1.0
    assert np.isfinite(marginal_loglik(fit, np.random.default_rng(1))).all()


def test_weights_of_student_t_residuals_follow_the_distance() -> None:
    card = structured(load_card("proteinuria"), residual="student_t", trajectory="step")
    hyper = replace(default_hyper(card.markers, 2), residual_df=4.0)
    fit = fake_fit(card, hyper=hyper, spread=0.0, level_spread=0.0)
    posterior = fit.tree["posterior"].to_dataset()
    parameters = hyperparameters_of(posterior)
    levels = stacked(level(fit.tree, "posterior"), *CELLS)
    value, sd = completed(levels, fit.observations, parameters, np.random.default_rng(2))
    weight = (parameters.residual_sd[:, fit.observations.observed.nonzero()[2]] / sd) ** 2
    distance = (value - levels.reshape(400, -1)) / parameters.residual_sd
    # The mean of Gamma((df + 1) / 2, rate (df + z^2) / 2), cell by cell.
    expected = (5.0 / (4.0 + distance**2))[0]
    error = np.sqrt(2 / 5) * expected / np.sqrt(400)
    assert np.all(np.abs(weight.mean(axis=0) - expected) < 4.5 * error)
    assert np.isfinite(marginal_loglik(fit, np.random.default_rng(1))).all()


def test_only_top_level_priors_are_scaled() -> None:
    fit = fake_fit(load_card("remission"))
    found = log_priors(fit)
    assert set(found) == set(fit.card.parameters)
    stored = fit.tree["log_prior"]["baseline_sd"]
    np.testing.assert_allclose(found["baseline_sd"], stored.sum("marker"))
    # LKJ(2): the log determinant.
    names = effect_names(fit.card.markers)
    matrix = correlation_matrix(fit.tree["posterior"].to_dataset(), names)
    np.testing.assert_allclose(found["correlation"], np.log(np.linalg.det(matrix)))


def test_every_reported_answer_is_scaled() -> None:
    result = summarise(fake_fit(load_card("remission")), DEFINITIONS)
    table = result.parts["sensitivity"]
    assert tuple(table.columns) == POWER_COLUMNS
    kinds = table.groupby("kind", sort=False).size().to_dict()
    assert kinds == {"gmr": 2, "p_fall": 2, "next_patient": 4, "population": 4, "exceeds": 2}
    assert list(table["kind"][:4]) == ["gmr", "p_fall", "gmr", "p_fall"]
    assert set(table["week"]) == {4.0}
    # The numbers are those of the other tables.
    reported = result.probabilities.set_index(["quantity", "week", "category"])
    for row in table[table["category"] != ""].to_dict("records"):
        place = reported.loc[(row["kind"], 4.0, row["category"])]
        assert row["value"] == float(place["probability"])
        assert row["mcse"] == float(place["mcse"])
        assert row["prior"] == float(place["prior_probability"])
    change = result.estimates.set_index(["marker", "week"]).loc[(PROTEIN, 4.0)]
    first = table.iloc[0]
    assert (first["value"], first["prior"]) == (change["gmr_median"], change["gmr_median_prior"])


def test_of_a_large_model_the_likelihood_has_half_of_the_draws() -> None:
    fit = fake_fit(load_card("joint"), draws=101)
    table = summarise(fit, DEFINITIONS).parts["sensitivity"]
    assert table["likelihood_sensitivity"].gt(0).all()


def test_answers_with_half_the_prior_lie_opposite_to_those_with_twice() -> None:
    card = structured(load_card("proteinuria"), trajectory="step")
    result = summarise(fake_fit(card), DEFINITIONS)
    row = result.parts["sensitivity"].iloc[0]
    # The tree's log prior is N(0, 2) of everything: more of it moves the ratio towards 1.
    sides = np.log([row["value_half"], row["value_double"]]) - np.log(row["value"])
    assert sides[0] < 0 < sides[1]
    assert row["khat_half"] <= highest_khat(400)


def test_a_withheld_fit_has_no_power_scaling() -> None:
    result = summarise(fake_fit(load_card("proteinuria"), diagnostics=BAD), DEFINITIONS)
    assert result.parts["sensitivity"].empty
    shown = summarise(
        fake_fit(load_card("proteinuria"), diagnostics=BAD), DEFINITIONS, allow_unconverged=True
    )
    assert not shown.parts["sensitivity"].empty


# ------------------------------------------------------------------ in words


@pytest.fixture(scope="module")
def result() -> Result:
    return summarise(fake_fit(load_card("proteinuria")), DEFINITIONS)


def altered(result: Result, kind: str, **cells: object) -> Result:
    """The result with other numbers in the rows of a kind, all others without a sensitivity."""
    table = result.parts["sensitivity"].copy()
    for name in ("value_half", "value_double"):
        table[name] = table["value"]
    table[["prior_sensitivity", "prior_sensitivity_mcse"]] = 0.01, 0.0
    table["diagnosis"], table["strongest_prior"] = NONE, ""
    for name in ("khat_half", "khat_double"):
        table[name] = 0.1
    for name, value in cells.items():
        table.loc[table["kind"] == kind, name] = value
    return runs.with_part(result, "sensitivity", table)


def test_conclusions_that_move_are_counted(result: Result) -> None:
    def moved(changed: Result) -> int:
        return len(power_scaling_of(changed, DEFINITIONS, 0.8).flips)

    assert moved(altered(result, "p_fall")) == 0
    cells = {"value": 0.9, "mcse": 0.004, "value_double": 0.62, "mcse_double": 0.01}
    assert moved(altered(result, "exceeds", value_half=0.95, **cells)) == 1
    # So near the line that Monte Carlo error decides.
    cells = {"value": 0.81, "mcse": 0.008, "value_half": 0.79, "mcse_half": 0.01}
    assert moved(altered(result, "next_patient", value_double=0.81, **cells)) == 0


def test_weights_too_far_and_withheld_fits_show_no_number(result: Result) -> None:
    blank = {"value_half": np.nan, "mcse_half": np.nan, "khat_half": 0.93}
    own = power_scaling_of(altered(result, "gmr", **blank), DEFINITIONS, 0.8)
    assert own.table.rows[0][3] == "–"
    manifest = {"versions": {}, "seconds": {}, "models": {}}
    run = Run(simulate_cohort(n_patients=5), DEFINITIONS, (result,), "weak", (), manifest)
    (table,) = section(run).shown
    assert len(table.rows) == len(result.parts["sensitivity"])
    old = runs.with_part(result, "sensitivity", pd.DataFrame())
    for without in (replace(result, withheld=("no",)), old):
        absent = section(replace(run, results=(without,)))
        assert (bool(absent.absent), absent.sentences, absent.shown) == (True, (), ())
        assert not absent.annex
    spaced = replace(run, cohort=replace(run.cohort, source="my trial"))
    assert "--data 'my trial' " in multiverse_command(spaced)


def test_a_correlation_on_the_edge_has_a_factor() -> None:
    from mnbayes.inference.contract import _cholesky

    edge = np.array([[[1.0, 1.0 + 1e-12], [1.0 + 1e-12, 1.0]], [[1.0, 0.6], [0.6, 1.0]]])
    factor = _cholesky(edge)
    np.testing.assert_allclose(factor @ factor.transpose(0, 2, 1), edge, atol=1e-6)
    np.testing.assert_allclose(factor[1], [[1.0, 0.0], [0.6, 0.8]], atol=1e-9)
