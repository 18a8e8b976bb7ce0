"""Real fits: the gate, refits without compiling, options, and awkward shapes of data."""

import dataclasses

import numpy as np
import pytest
from conftest import simulate_cohort
from numba.core.event import install_recorder
from scipy import stats
from test_identity import structured

from mnbayes.analyses.summarise import summarise
from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import Definitions
from mnbayes.cards.overrides import with_priors
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import observations
from mnbayes.inference.contract import variable
from mnbayes.inference.fit import Fit, Sampling, _engine, fit
from mnbayes.models.hyperparameters import hyperparameters_from_draws

SHORT = Sampling(draws=500, tune=500)


def summary(fitted: Fit, name: str) -> tuple[float, float, float]:
    """Mean, SD and Monte Carlo error of the mean of a parameter of the first marker."""
    row = fitted.parameters.set_index("parameter").loc[f"{name}[urine_protein_24h]"]
    return float(row["mean"]), float(row["sd"]), float(row["mcse_mean"])


@pytest.mark.xdist_group("proteinuria")
def test_groups_of_the_tree(proteinuria: Fit) -> None:
    names = "posterior patients posterior_predictive predictions prior prior_patients "
    names += "prior_predictive prior_predictions log_likelihood log_prior sample_stats "
    assert set(proteinuria.tree.children) == {*names.split(), "observed_data", "constant_data"}
    patients = proteinuria.tree["patients"]
    assert patients["level"].dims == ("chain", "draw", "patient", "visit", "marker")
    assert patients["patient"].values.tolist() == [f"MN0{i}" for i in range(1, 9)]
    assert patients["visit"].values.tolist() == [0.0, 1.0, 2.0, 4.0, 12.0]
    for name in ("log_likelihood", "observed_data", "posterior_predictive", "prior_predictive"):
        (variable,) = proteinuria.tree[name].data_vars
        assert variable == "measurement"
        assert proteinuria.tree[name]["measurement"].sizes["observation"] == 39


@pytest.mark.xdist_group("proteinuria")
@pytest.mark.parametrize("seed", range(1, 11))
def test_embedded_cohort_passes_the_gate_under_ten_seeds(
    seed: int, proteinuria_card: Card, cohort: Cohort
) -> None:
    fitted = fit(proteinuria_card, cohort, Sampling(seed=seed))
    assert fitted.diagnostics.converged
    assert not fitted.retried


@pytest.mark.xdist_group("remission")
@pytest.mark.parametrize("seed", range(1, 11))
def test_embedded_cohort_passes_the_gate_with_albumin(seed: int, cohort: Cohort) -> None:
    fitted = fit(load_card("remission"), cohort, Sampling(seed=seed))
    assert fitted.diagnostics.converged
    assert fitted.diagnostics.divergences == 0


@pytest.mark.xdist_group("proteinuria")
def test_same_seed_same_draws(proteinuria: Fit, proteinuria_card: Card, cohort: Cohort) -> None:
    again = fit(proteinuria_card, cohort, Sampling(seed=1))
    for group in ("posterior", "prior_predictive"):
        for name, array in proteinuria.tree[group].data_vars.items():
            np.testing.assert_array_equal(array, again.tree[group][name])


@pytest.mark.xdist_group("proteinuria")
def test_new_numbers_compile_nothing(
    proteinuria: Fit, proteinuria_card: Card, cohort: Cohort
) -> None:
    with install_recorder("numba:compile") as compiled:
        sceptic = fit(with_priors(proteinuria_card, "sceptical"), cohort, Sampling(seed=2))
    assert not compiled.buffer
    before, after = (summary(f, "change_mean")[0] for f in (proteinuria, sceptic))
    # A prior of SD 0.2 around no change must pull the estimate towards none.
    assert before < after - 0.1 < 0
    fewer = dataclasses.replace(
        cohort, measurements=cohort.measurements[cohort.measurements["patient"] != "MN03"]
    )
    without = fit(proteinuria_card, fewer, Sampling(seed=3))
    # Nothing is known of MN03 now: the level has the population's spread.
    spread = without.tree["patients"]["patient_baseline"].sel(patient="MN03").std()
    known = proteinuria.tree["patients"]["patient_baseline"].sel(patient="MN03").std()
    assert spread > 2 * known


@pytest.mark.xdist_group("proteinuria")
def test_posterior_predictive_and_loglik_follow_the_levels(proteinuria: Fit) -> None:
    tree = proteinuria.tree
    sd = tree["posterior"]["residual_sd"]
    noise = (tree["predictions"]["measurement"] - tree["patients"]["level"]) / sd
    assert stats.kstest(noise.to_numpy().ravel()[::50], "norm").pvalue > 1e-4
    first = tree["log_likelihood"]["measurement"].isel(observation=0)
    level = tree["patients"]["level"].isel(patient=0, visit=0)
    value = tree["observed_data"]["measurement"].isel(observation=0)
    expected = stats.norm(level, sd).logpdf(value)
    np.testing.assert_allclose(first, expected[..., 0])


@pytest.mark.xdist_group("proteinuria")
def test_failed_gate_withholds_every_number(
    proteinuria_card: Card, cohort: Cohort, definitions: Definitions
) -> None:
    # Far too few draws for an effective sample size of 400, whatever the retry does.
    fitted = fit(proteinuria_card, cohort, Sampling(draws=20, tune=200))
    assert fitted.retried
    assert not fitted.diagnostics.converged
    result = summarise(fitted, definitions)
    assert any("effective sample size" in reason for reason in result.withheld)
    modelled = result.probabilities[result.probabilities["quantity"] != "observed"]
    assert modelled[["probability", "mcse", "prior_probability"]].isna().all(axis=None)
    assert result.estimates.drop(columns=["model", "marker", "week"]).isna().all(axis=None)
    observed = result.probabilities[result.probabilities["quantity"] == "observed"]
    assert observed["probability"].notna().any()
    shown = summarise(fitted, definitions, allow_unconverged=True)
    assert shown.probabilities.query("quantity == 'latent'")["probability"].notna().any()


@pytest.mark.xdist_group("proteinuria")
def test_interrupt_leaves_no_truncated_fit(
    proteinuria_card: Card, cohort: Cohort, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nutpie

    def interrupted(self: object, **_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(nutpie.sample.__globals__["_BackgroundSampler"], "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(proteinuria_card, cohort, SHORT)


def with_outlier() -> Cohort:
    cohort = simulate_cohort(8, weeks=(0.0, 1.0, 2.0, 4.0), seed=11)
    rows = cohort.measurements.copy()
    rows.loc[5, "value"] *= 6.0
    return dataclasses.replace(cohort, measurements=rows)


@pytest.mark.xdist_group("censored")
def test_student_t_residuals_discount_an_outlier(proteinuria_card: Card) -> None:
    card = structured(proteinuria_card, residual="student_t")
    cohort = with_outlier()
    fitted = fit(card, cohort, Sampling(draws=1500, tune=1000))
    assert fitted.diagnostics.converged
    weights = fitted.parameters.set_index("parameter")["mean"].filter(like="residual_weight")
    assert len(weights) == fitted.observations.observed.sum()
    outlier = fitted.observations.log_value[fitted.observations.observed]
    expected = np.log(cohort.measurements["value"].iloc[5])
    assert weights.idxmin() == f"residual_weight[{int(np.argmin(abs(outlier - expected)))}]"
    plain = fit(proteinuria_card, cohort, Sampling())
    assert summary(fitted, "residual_sd")[0] < summary(plain, "residual_sd")[0]


@pytest.mark.xdist_group("censored")
def test_half_of_the_values_below_a_limit_pass_the_gate_at_once(proteinuria_card: Card) -> None:
    cohort = simulate_cohort(20, weeks=(0.0, 1.0, 2.0, 4.0, 8.0, 12.0, 26.0, 52.0), seed=3)
    rows = cohort.measurements.copy()
    limit = rows["value"].median()
    rows.loc[rows["value"] < limit, ["value", "lower", "upper"]] = [np.nan, 0.0, limit]
    cohort = dataclasses.replace(cohort, measurements=rows)
    fitted = fit(proteinuria_card, cohort, Sampling(seed=3))
    assert fitted.observations.censored.sum() == 80
    assert fitted.diagnostics.converged
    assert not fitted.retried


@pytest.mark.slow
@pytest.mark.xdist_group("censored")
def test_the_statement_is_sampled_through_the_same_gate(proteinuria_card: Card) -> None:
    """More kinds of model are compared with stored fits in test_statement.py."""
    cohort = simulate_cohort(4, weeks=(0.0, 1.0, 4.0), seed=12)
    stated = fit(proteinuria_card, cohort, Sampling(engine="pymc", target_accept=0.95))
    assert (stated.engine, stated.tree.attrs["engine"]) == ("pymc", "pymc")
    assert stated.diagnostics.converged
    judged = set(stated.parameters["parameter"])
    assert "patient_baseline[S001, urine_protein_24h]" in judged
    assert not any(name.startswith(("level", "visit_change")) for name in judged)
    fitted = fit(proteinuria_card, cohort, Sampling())
    assert set(stated.tree.children) == set(fitted.tree.children)
    ours, theirs = (
        f.tree["patients"]["level"].stack(all=("chain", "draw")) for f in (fitted, stated)
    )
    # 1,000 effective draws at the least: means agree within 5 of their errors, SDs within 15 %
    error = np.hypot(ours.std("all"), theirs.std("all")) / np.sqrt(1000)
    assert (abs(ours.mean("all") - theirs.mean("all")) < 5 * error).all()
    np.testing.assert_allclose(ours.std("all"), theirs.std("all"), rtol=0.15)


@pytest.mark.xdist_group("shapes")
def test_serial_correlation_and_covariate(proteinuria_card: Card) -> None:
    card = structured(proteinuria_card, trajectory="drift", covariate="bmi")
    how = Sampling(draws=3000, target_accept=0.98)
    fitted = fit(card, simulate_cohort(6, weeks=(0.0, 1.0, 2.0, 4.0, 12.0)), how)
    assert fitted.diagnostics.converged
    posterior = fitted.tree["posterior"]
    assert {"serial_sd", "serial_weeks", "covariate_slope"} <= set(posterior.data_vars)
    assert set(fitted.tree["log_prior"].data_vars) >= {"serial_weeks", "covariate_slope"}


@pytest.mark.xdist_group("shapes")
@pytest.mark.parametrize(
    ("n_patients", "weeks"),
    [(2, (0.0, 1.0, 4.0)), (8, (0.0, 6.0)), (8, (0.0, 3.0, 26.0)), (400, (0.0, 1.0, 4.0))],
)
def test_awkward_shapes(
    n_patients: int, weeks: tuple[float, ...], proteinuria_card: Card, definitions: Definitions
) -> None:
    cohort = simulate_cohort(n_patients, weeks=weeks)
    fitted = fit(proteinuria_card, cohort, Sampling())
    assert fitted.diagnostics.converged
    result = summarise(fitted, definitions)
    assert set(result.estimates["week"]) == set(weeks[1:])
    latent = result.probabilities.query("quantity == 'latent' and category == 'effective'")
    assert latent["probability"].between(0, 1).all()
    assert len(latent) == n_patients * (len(weeks) - 1)
    if n_patients == 400:
        # With that many patients the truth is found: a mean log change of -0.6.
        row = result.estimates.iloc[0]
        assert row["gmr_lower"] < np.exp(-0.6) < row["gmr_upper"]
        assert row["gmr_upper"] / row["gmr_lower"] < 1.3


def test_nothing_to_fit_is_said() -> None:
    with pytest.raises(InputError, match="at least two patients"):
        fit(load_card("proteinuria"), simulate_cohort(1))
    with pytest.raises(InputError, match="at least one visit after baseline"):
        fit(load_card("proteinuria"), simulate_cohort(3, weeks=(0.0,)))


@pytest.mark.xdist_group("proteinuria")
def test_prior_group_follows_the_card(proteinuria: Fit) -> None:
    change = proteinuria.tree["prior"]["change_mean"].to_numpy().ravel()
    assert stats.kstest(change, stats.norm(0, 0.7).cdf).pvalue > 1e-4
    level = proteinuria.tree["prior_patients"]["level"].isel(patient=0, visit=0).to_numpy().ravel()
    spread = proteinuria.tree["prior"]["baseline_sd"].to_numpy().ravel()
    # Var(level) = Var(mean) + E(sd^2), with E(sd^2) = sigma^2 of the half-normal.
    assert level.var() == pytest.approx(0.75**2 + np.mean(spread**2), rel=0.1)


def test_parameters_from_draws_defaults_to_no_options() -> None:
    names = ("baseline_mean", "change_mean", "baseline_sd", "change_sd", "visit_sd", "residual_sd")
    draws = {name: np.ones((2, 1)) for name in names}
    draws |= {"correlation_unit": np.full((2, 1), 0.5), "visit_offset": np.zeros((2, 3, 1))}
    p = hyperparameters_from_draws(draws)
    assert p.visit_change.shape == (2, 3, 1)
    assert not p.serial_sd.any()
    assert np.isinf(p.residual_df).all()


def test_engines_give_the_same_answers_and_say_which_drew(
    proteinuria: Fit, proteinuria_card: Card, cohort: Cohort
) -> None:
    fitted = fit(proteinuria_card, cohort, Sampling(seed=3, engine="collapsed"))
    assert (proteinuria.engine, fitted.engine, fitted.handed_over) == ("nuts", "collapsed", "")
    assert fitted.diagnostics.converged
    assert fitted.diagnostics.pareto_k is not None
    assert fitted.diagnostics.worst_bfmi is None
    ours, theirs = fitted.tree["posterior"], proteinuria.tree["posterior"]
    assert set(ours.data_vars) == set(theirs.data_vars)
    for name in ("change_mean", "visit_change", "level", "correlation"):
        one, other = (variable(each.tree, "posterior", name) for each in (fitted, proteinuria))
        error = other.std(("chain", "draw")) * np.sqrt(1 / 1500 + 1 / 1500)
        gap = abs(one.mean(("chain", "draw")) - other.mean(("chain", "draw")))
        assert bool((gap <= 4 * error + 1e-9).all()), name


def test_auto_hands_over_where_weights_are_not_to_be_trusted(
    monkeypatch: pytest.MonkeyPatch, proteinuria_card: Card, cohort: Cohort
) -> None:
    from mnbayes.inference import collapsed as engine

    def one_heavy(*arguments: object) -> engine.Weighted:
        weighted = weighted_draws(*arguments)
        return dataclasses.replace(weighted, pareto_k=0.9)

    weighted_draws = engine.weighted_draws
    monkeypatch.setattr(engine, "weighted_draws", one_heavy)
    quick = Sampling(draws=200, tune=200)
    fitted = fit(proteinuria_card, cohort, dataclasses.replace(quick, engine="auto"))
    assert fitted.engine == "nuts"
    assert "Pareto k 0.90" in fitted.handed_over
    alone = fit(proteinuria_card, cohort, dataclasses.replace(quick, engine="collapsed"))
    assert alone.engine == "collapsed"
    assert not alone.diagnostics.converged


def test_a_model_that_is_not_gaussian_goes_to_nuts_or_is_refused(
    proteinuria_card: Card, cohort: Cohort
) -> None:
    heavy = structured(proteinuria_card, residual="student_t")
    data = observations(heavy, cohort)
    assert _engine(Sampling(engine="auto"), heavy, data) == ("nuts", "residuals are not normal")
    assert _engine(Sampling(engine="nuts"), heavy, data) == ("nuts", "")
    with pytest.raises(InputError, match="residuals are not normal"):
        fit(heavy, cohort, Sampling(engine="collapsed"))
