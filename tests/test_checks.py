"""Leave-one-out against closed forms and refits; patients' courses against numbers by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import runs
from conftest import script, simulate_cohort
from scipy import integrate, special, stats
from test_longitudinal import structured
from trees import default_hyper, make_tree

import mnbayes as mn
from mnbayes.analyses.checks import courses, words
from mnbayes.analyses.checks import part as checks_part
from mnbayes.analyses.checks.leave_one_out import leave_one_out
from mnbayes.analyses.checks.predictive import (
    Means,
    Predictive,
    conditionals,
    log_predictive,
    means,
)
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import stacked
from mnbayes.cards.card import Card
from mnbayes.data.observations import observations
from mnbayes.inference.contract import CELLS, hyperparameters_of, level
from mnbayes.models.effects import cell_covariance, levels, prior_deviations
from mnbayes.models.likelihood import pointwise_loglik
from mnbayes.numerics.designs import fixed_design

PROTEIN = "urine_protein_24h"
#: Among five patients some cannot be left out by weights; the tests look at those that can.
some_cannot = pytest.mark.filterwarnings("ignore:Estimated shape parameter of Pareto")


@pytest.mark.parametrize("df", [1.5, 4.0, 60.0])
def test_the_predictive_is_a_normal_level_with_a_student_t_residual(df: float) -> None:
    mean, sd, noise = 0.3, 0.5, 0.2
    found = Predictive(*(np.array([[x]]) for x in (mean, sd**2, noise)), np.array([df]))
    level = stats.norm(mean, sd)

    def expected(function: object) -> float:
        ends = mean - 9 * sd, mean + 9 * sd
        near = [-1.2, 0.3, 2.0]
        of = lambda x: level.pdf(x) * function(x)  # noqa: E731
        return float(integrate.quad(of, *ends, points=near, limit=200)[0])

    t = stats.t(df, scale=noise)
    for at in (-1.2, 0.3, 2.0):
        density = expected(lambda x, at=at: t.pdf(at - x))
        assert np.exp(found.log_density(np.array([at]))) == pytest.approx(density, rel=1e-3)
        below = expected(lambda x, at=at: t.cdf(at - x))
        assert found.below(np.array([at])) == pytest.approx(below, abs=1e-4)
        inside = found.log_probability(np.array([-np.inf]), np.array([at]))
        assert np.exp(inside) == pytest.approx(below, abs=1e-4)
    middle = found.log_probability(np.array([0.0]), np.array([1.0]))
    share = found.below(np.array([1.0])) - found.below(np.array([0.0]))
    assert np.exp(middle) == pytest.approx(share, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("proteinuria", {"covariate": "bmi"}),
        ("remission", {"trajectory": "drift"}),
        ("lymphocytes", {}),
    ],
)
def test_conditionals_are_those_of_the_joint_normal(name: str, changes: dict[str, object]) -> None:
    card = structured(mn.load_card(name), **changes)
    cohort = simulate_cohort(4, markers=card.markers)
    data = observations(card, replace(cohort, measurements=cohort.measurements.drop(index=[2, 7])))
    times = data.times
    times[1, 1:] += 0.4
    data = replace(data, own_times=times)
    fit = mn.fit(card, cohort, mn.Sampling(chains=1, draws=8, tune=50))
    posterior = fit.tree["posterior"].to_dataset()
    draws = {str(each): stacked(values) for each, values in posterior.data_vars.items()}
    parameters = hyperparameters_of(posterior)
    mean = means(card, draws, len(data.weeks) - 1)
    patient, visit, marker = np.nonzero(data.observed)
    value = np.broadcast_to(data.log_value[data.observed], (8, patient.size))
    noise = parameters.residual_sd[:, marker]
    found = conditionals(parameters, data, mean, value, noise)
    total = log_predictive(found.later, data)

    design = np.concatenate(
        [
            fixed_design(visit[patient == i], marker[patient == i], at, len(card.markers), 2)
            for i, at in enumerate(data.covariate)
        ]
    )
    cov = (design * mean.sd[-1] ** 2) @ design.T
    for i in range(4):
        own = np.flatnonzero(patient == i)
        block = cell_covariance(parameters, times[i], visit[own], marker[own], noise[:, own])
        cov[np.ix_(own, own)] += block[-1]
    joint = stats.multivariate_normal(design @ mean.offset[-1], cov)
    for i in range(4):
        rest = np.flatnonzero(patient != i)
        others = stats.multivariate_normal(joint.mean[rest], cov[np.ix_(rest, rest)])
        expected = joint.logpdf(value[-1]) - others.logpdf(value[-1, rest])
        assert total[-1, patient == i].sum() == pytest.approx(expected)
    for cell in (0, 5):
        rest = np.delete(np.arange(patient.size), cell)
        others = stats.multivariate_normal(joint.mean[rest], cov[np.ix_(rest, rest)])
        expected = joint.logpdf(value[-1]) - others.logpdf(value[-1, rest])
        assert log_predictive(found.others, data)[-1, cell] == pytest.approx(expected)


def test_means_that_are_sampled_stand_at_their_draws() -> None:
    card = mn.load_card("proteinuria")
    spec = card.prior["change_mean"]
    heavy = {
        key: each.model_copy(update={"distribution": "StudentT"}) for key, each in spec.items()
    }
    card = card.model_copy(update={"prior": card.prior | {"change_mean": heavy}})
    draws = {"visit_sd": np.full((2, 1), 0.1), "change_mean": np.array([[-0.5], [-0.7]])}
    found: Means = means(card, draws, 2)
    np.testing.assert_allclose(found.offset[:, 1], [-0.5, -0.7])
    np.testing.assert_allclose(found.sd[0], [0.75, 0, 0, 0.1, 0.1, 0])


def _tiny(residual: str) -> tuple[Card, mn.Cohort]:
    """Five patients; with Student-t residuals also two values below a limit of detection."""
    cohort = simulate_cohort(5, weeks=(0.0, 1.0, 4.0, 8.0), seed=3)
    card = structured(mn.load_card("proteinuria"), residual=residual)
    if residual == "normal":
        return card, cohort
    table = cohort.measurements.copy()
    for row in (2, 9):
        table.loc[row, "upper"] = 1.1 * table.loc[row, "value"]
        table.loc[row, ["value", "lower"]] = np.nan, 0.0
    return card, replace(cohort, measurements=table)


@cache
def _fitted(residual: str) -> mn.Fit:
    return mn.fit(*_tiny(residual), mn.Sampling(draws=1000, seed=5))


def _log_mean(values: Floats) -> float:
    return float(special.logsumexp(values) - np.log(values.size))


@some_cannot
@pytest.mark.parametrize("residual", ["normal", "student_t"])
@pytest.mark.parametrize("row", [2, 14])
def test_a_measurement_left_out_is_that_of_the_refit(residual: str, row: int) -> None:
    card, cohort = _tiny(residual)
    kept = replace(cohort, measurements=cohort.measurements.drop(index=row))
    refit = mn.fit(card, kept, mn.Sampling(draws=2000, seed=6))
    data = observations(card, cohort)
    drawn = stacked(level(refit.tree, "posterior"), *CELLS)
    parameters = hyperparameters_of(refit.tree["posterior"].to_dataset())
    expected = _log_mean(pointwise_loglik(drawn, parameters, data)[:, row])
    found = mn.integrated_loo(_fitted(residual))
    assert float(found.pareto_k[row]) < 0.7
    assert float(found.elpd_i[row]) == pytest.approx(expected, abs=0.04)


@some_cannot
@pytest.mark.parametrize("residual", ["normal", "student_t"])
def test_a_patient_left_out_is_that_of_the_refit(residual: str) -> None:
    card, cohort = _tiny(residual)
    away = cohort.measurements["patient"] == "S003"
    kept = replace(
        cohort,
        measurements=cohort.measurements[~away],
        patients=cohort.patients[cohort.patients["patient"] != "S003"],
    )
    refit = mn.fit(card, kept, mn.Sampling(draws=2000, seed=6))
    parameters = hyperparameters_of(refit.tree["posterior"].to_dataset())
    alone = observations(card, cohort)
    who = np.array(alone.patients) == "S003"
    alone = replace(
        alone,
        patients=("S003",),
        covariate=np.zeros(1),
        **{
            name: getattr(alone, name)[who]
            for name in ("log_value", "log_lower", "log_upper", "withdrew_week")
        },
    )
    rng, weeks = np.random.default_rng(1), np.array(alone.weeks)
    total = [
        pointwise_loglik(
            levels(parameters, *prior_deviations(parameters, weeks, 1, rng), alone.covariate),
            parameters,
            alone,
        ).sum(axis=1)
        for _ in range(60)
    ]
    found = mn.integrated_loo(_fitted(residual), "patient")
    at = found.elpd_i["patient"].to_numpy().tolist().index("S003")
    assert float(found.pareto_k[at]) < 0.7
    assert float(found.elpd_i[at]) == pytest.approx(_log_mean(np.concatenate(total)), abs=0.06)


@some_cannot
def test_the_report_s_numbers_are_arviz_s_of_integrated_loo() -> None:
    fit = _fitted("normal")
    found, table = leave_one_out(fit), leave_one_out(fit).table.set_index("by")
    for by in ("measurement", "patient"):
        loo = mn.integrated_loo(fit, by)
        np.testing.assert_allclose(table.loc[by, "elpd"], loo.elpd_i, rtol=1e-9)
        np.testing.assert_allclose(table.loc[by, "pareto_k"], loo.pareto_k)
        np.testing.assert_allclose(found.elpd[by], (loo.elpd, loo.se))
        assert (table.loc[by, "trusted"] == (table.loc[by, "pareto_k"] <= loo.good_k)).all()
    rows = found.table.query("by == 'measurement'")
    inside = rows["value"].between(rows["lower"], rows["upper"])
    assert (rows["pit"].between(0.025, 0.975) == inside).mean() > 0.9
    np.testing.assert_allclose(special.ndtri(rows["pit"]), rows["sds"], atol=0.35)


def test_censored_values_have_an_interval_of_probabilities() -> None:
    found = leave_one_out(_fitted("student_t"))
    width = found.ends[:, 1] - found.ends[:, 0]
    assert (width > 0).sum() == 2
    np.testing.assert_allclose(found.ends[width > 0, 0], 0.0)
    rows = found.table.query("by == 'measurement'")
    assert rows["sds"].isna().tolist() == (width > 0).tolist()
    assert found.table["tail"].isna().all()
    assert (rows["weight"] > 0).all()


def test_the_page_holds_what_arviz_says_of_two_structures() -> None:
    compare_structures = script("compare_structures")
    page = compare_structures.PAGE.read_text(encoding="utf-8")
    rows = {
        (by, name): re.findall(r"−?[0-9.]+", numbers.replace("(", ""))
        for by, name, numbers in re.findall(r"^\| (\w+) \| ([^|]+) \| (.*) \|$", page, re.MULTILINE)
    }
    table = compare_structures.compared(("step", "drift"))
    assert len(table) == 4
    for _, row in table.iterrows():
        written = [float(each.replace("−", "-")) for each in rows[row["by"], row["structure"]]]
        found = [row["elpd"], row["elpd_diff"], row["dse"]]
        np.testing.assert_allclose(written[:3], found, atol=0.3)
        assert written[4] == row["count"]


def test_what_cannot_be_left_out_is_said(proteinuria: mn.Fit, cohort: mn.Cohort) -> None:
    with pytest.raises(mn.InputError, match="did you mean patient"):
        mn.integrated_loo(proteinuria, "patients")  # type: ignore[arg-type]
    own = mn.summarise(proteinuria.tree, cohort)
    with pytest.raises(mn.InputError, match="no card"):
        mn.integrated_loo(own)
    found = checks_part.of(own)
    assert found.left_out is None
    assert set(found.courses["replicated"]) == {"same patients", "prior"}


# Courses.

_NAN = float("nan")
_COURSES = np.array(
    [[[2.0, 1.0, 1.5, _NAN, 0.9], [1.0, 0.5, 0.2, 1.1, 1.0], [1.0, _NAN, 0.4, 0.3, _NAN]]]
)


def test_statistics_of_courses_by_hand() -> None:
    seen = ~np.isnan(_COURSES[0])
    # Steps after baseline: 0.5, -0.6; -0.3, 0.9, -0.1; -0.1.
    assert courses.rebound(_COURSES, seen) == pytest.approx(0.9)
    assert courses.spread(_COURSES, seen) == pytest.approx(np.std([-1.1, 0.0, -0.7], ddof=1))
    later = pd.DataFrame(_COURSES[0, :, 1:])
    own = later.sub(later.mean(axis=1), axis=0)
    own = own - own.mean()
    pairs = [(0, 0, 1), (0, 1, 3), (1, 0, 1), (1, 1, 2), (1, 2, 3), (2, 1, 2)]
    first, second = np.array([(own.loc[i, a], own.loc[i, b]) for i, a, b in pairs]).T
    expected = (first @ second) / np.sqrt((first @ first) * (second @ second))
    assert courses.lag_1(_COURSES, seen) == pytest.approx(expected)
    none = np.zeros_like(seen)
    assert all(np.isnan(each(_COURSES, none)).all() for each in courses.STATISTICS.values())


def test_courses_beyond_the_model_are_found() -> None:
    markers, weeks = (PROTEIN,), (0.0, 1.0, 2.0, 4.0, 12.0)
    hyper = default_hyper(markers, 4)
    tree = make_tree(markers=markers, hyper=hyper, spread=0.0, patients=8, draws=500)
    plain = runs.result_of(tree)
    table = checks_part.of(plain).courses.set_index("statistic")
    assert table.loc[["rebound", "spread", "lag_1"], "tail"].between(0.01, 0.99).all()
    assert set(table["replicated"]) == {"new patients", "prior"}
    level = np.full((8, 5, 1), np.log(2.0))
    level[3, 3] += 3.0  # one patient's level at week 4, and back again
    odd = runs.result_of(
        make_tree(markers=markers, hyper=hyper, visits=weeks, spread=0.0, draws=500, measured=level)
    )
    found = checks_part.of(odd)
    rows = found.courses.set_index("statistic")
    assert rows.loc["rebound", "observed"] == pytest.approx(np.exp(3.0))
    assert rows.loc["rebound", "tail"] == 0.0
    left_out = found.left_out.table
    worst = left_out.loc[left_out["sds"].abs().idxmax()]
    assert (worst["patient"], worst["week"]) == (odd.fit.observations.patients[3], 4.0)
    assert worst["patient"] in words.discounted(odd, found.left_out)
    assert any(worst["patient"] in each for each in words.findings(odd, found))


def test_a_rebound_of_albumin_is_a_fall() -> None:
    result = runs.result_of(make_tree(markers=("albumin",), spread=0.0, draws=200))
    row = checks_part.of(result).courses.set_index("statistic").loc["rebound"]
    value = result.fit.observations.log_value[..., 0]
    assert row["observed"] == pytest.approx(np.exp(np.diff(value[:, 1:], axis=1).min()))
    assert row["lower"] < row["median"] < row["upper"] < 1
