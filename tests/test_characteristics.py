"""Scenarios do what they say, readings by hand, and a small study from end to end."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from scipy.special import ndtr
from scipy.stats import binomtest, norm

import mnbayes.analyses.characteristics.parts as sc
from mnbayes.analyses.characteristics import scenarios as registry
from mnbayes.analyses.characteristics.command import run_characteristics
from mnbayes.analyses.characteristics.judges import (
    BETWEEN,
    FALSE,
    TRUE,
    Truth,
    other_judges,
    rule_judges,
    truth_of,
)
from mnbayes.analyses.characteristics.parts import MARKERS, WEEKS
from mnbayes.analyses.characteristics.patients import (
    patients_told,
    per_patient,
    pooled,
    ratios_told,
    responses_told,
)
from mnbayes.analyses.characteristics.readings import (
    counted,
    exact_majority,
    majority,
    wilcoxon_fall,
)
from mnbayes.analyses.characteristics.replicate import (
    Setting,
    fall_share,
    observed,
    replicate,
    rule_columns,
    shares_at,
)
from mnbayes.analyses.characteristics.result import read_result
from mnbayes.analyses.characteristics.scenarios import (
    Scenario,
    find_scenario,
    register_scenario,
    scenarios,
)
from mnbayes.analyses.characteristics.summary import decisions, estimates
from mnbayes.analyses.design.rules import load_rules
from mnbayes.answers.categories import classify, judge
from mnbayes.answers.population import patient_dims, population_share
from mnbayes.answers.response_draws import POINTS, POINTS_SEED
from mnbayes.base.montecarlo import normal_points
from mnbayes.base.problems import InputError
from mnbayes.cards.card import load_card
from mnbayes.cards.definitions import PROTEIN, load_definitions
from mnbayes.data.markers import shipped_markers
from mnbayes.inference.study_fits import study_fit
from mnbayes.models.hyperparameters import hyperparameters_from_draws

MANY = 40_000
DEFINITIONS = load_definitions()
CARD = load_card("proteinuria")
RULES, LEFT_OUT = rule_judges(load_rules().rule, CARD, DEFINITIONS)
JUDGES = (*RULES, *other_judges())


def protein_change(name: str, n: int = MANY) -> tuple[np.ndarray, np.ndarray]:
    """True and measured log change of protein to week 12."""
    cohort = find_scenario(name).simulate(n, np.random.default_rng(3))
    return tuple(part[:, -1, 0] - part[:, 0, 0] for part in (cohort.true, cohort.measured))


# Scenarios


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda item: item.name)
def test_a_scenario_has_the_ratio_it_states(scenario: Scenario) -> None:
    assert scenario.gmr is not None
    true, _ = protein_change(scenario.name)
    error = true.std() / np.sqrt(MANY)
    assert true.mean() == pytest.approx(np.log(scenario.gmr), abs=4 * error + 1e-12)


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda item: item.name)
def test_cohorts_are_whole_and_follow_from_the_stream(scenario: Scenario) -> None:
    one, two = (scenario.simulate(7, np.random.default_rng(5)) for _ in range(2))
    assert one.true.shape == one.measured.shape == (7, len(WEEKS), len(MARKERS))
    np.testing.assert_array_equal(one.measured, two.measured)
    assert np.isfinite(one.true).all()
    assert np.isfinite(one.measured[:, :2]).all()  # baseline and week 1 are always there
    missing = np.isnan(one.measured[..., 0])
    assert (missing == np.isnan(one.measured[..., 1])).all()
    assert (np.diff(missing.astype(int), axis=1) >= 0).all()  # who left does not come back
    np.testing.assert_array_equal(one.withdrew, missing[:, -1])


def test_nothing_changes_where_nothing_should() -> None:
    for name in ("no_change", "regression_to_mean", "strong_regression", "heavy_tails"):
        true, _ = protein_change(name)
        np.testing.assert_allclose(true, 0.0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "centre"),
    [("regression_to_mean", sc.SCREENED), ("strong_regression", sc.SCREENED_LOW)],
)
def test_regression_to_the_mean_is_that_of_a_cut_off_normal(name: str, centre: float) -> None:
    """Against the closed form, and against patients drawn one by one until enough are enrolled."""
    total = np.hypot(sc.SCREENED_SD, sc.NOISE)
    cut = np.log(sc.ENTRY / centre) / total
    expected = -(sc.NOISE**2 / total) * norm.pdf(cut) / norm.sf(cut)
    cohort = find_scenario(name).simulate(MANY, np.random.default_rng(3))
    _, seen = protein_change(name)
    assert seen.mean() == pytest.approx(expected, abs=4 * seen.std() / np.sqrt(MANY))
    assert np.exp(cohort.measured[:, 0, 0]).min() >= sc.ENTRY * (1 - 1e-9)
    rng = np.random.default_rng(4)
    base = np.log(centre) + sc.SCREENED_SD * rng.standard_normal(20 * MANY)
    first = base + sc.NOISE * rng.standard_normal(base.size)
    base = base[first >= np.log(sc.ENTRY)]
    assert cohort.true[:, 0, 0].mean() == pytest.approx(base.mean(), abs=0.012)
    assert cohort.true[:, 0, 0].std() == pytest.approx(base.std(), rel=0.03)


def test_heavy_tails_have_the_stated_robust_and_plain_spread() -> None:
    cohort = find_scenario("heavy_tails").simulate(MANY, np.random.default_rng(3))
    error = (cohort.measured - cohort.true)[..., 0].ravel()
    quartiles = np.quantile(error, [0.25, 0.75])
    # Quartile of a t with 3 degrees of freedom: 0.7649.
    assert np.diff(quartiles)[0] / 2 == pytest.approx(0.7649 * sc.HEAVY_SCALE, rel=0.02)
    assert np.mean(np.abs(error) > 1.0) > 3 * np.mean(
        np.abs(np.random.default_rng(1).normal(0, sc.NOISE, error.size)) > 1.0
    )


def test_responders_are_two_kinds() -> None:
    true, _ = protein_change("responders")
    assert set(np.round(np.exp(true), 6)) == {1.0, sc.RESPONSE}
    assert np.mean(true < -0.1) == pytest.approx(sc.RESPONDERS, abs=0.01)


def test_a_quarter_leaves_at_random_or_because_it_went_badly() -> None:
    for name in ("random_leave", "worst_leave", "worst_leave_no_change"):
        cohort = find_scenario(name).simulate(MANY, np.random.default_rng(3))
        assert cohort.withdrew.sum() == MANY // 4
        moved = cohort.true[:, -1, 0] - cohort.true[:, 0, 0]
        stayed, left = moved[~cohort.withdrew], moved[cohort.withdrew]
        if name == "random_leave":
            assert stayed.mean() == pytest.approx(left.mean(), abs=0.03)
        else:
            assert stayed.max() <= left.min()
        last = np.isfinite(cohort.measured[cohort.withdrew, :, 0]).sum(axis=1) - 1
        np.testing.assert_allclose(np.bincount(last, minlength=4)[1:] / last.size, 1 / 3, atol=0.02)
    worst, rng = find_scenario("worst_leave"), np.random.default_rng(1)
    assert [worst.simulate(n, rng).withdrew.sum() for n in (4, 8, 16)] == [1, 2, 4]


def test_a_slow_change_arrives_at_week_12() -> None:
    cohort = find_scenario("slow_change").simulate(MANY, np.random.default_rng(3))
    course = (cohort.true - cohort.true[:, :1])[..., 0].mean(axis=0) / np.log(sc.RATIO)
    np.testing.assert_allclose(course, sc.SLOWLY, atol=0.02)


def test_a_gradual_change_comes_evenly_in_log_time() -> None:
    cohort = find_scenario("gradual").simulate(MANY, np.random.default_rng(3))
    course = (cohort.true - cohort.true[:, :1])[..., 0].mean(axis=0) / np.log(sc.RATIO)
    # log 2, 3, 5 and 13 over log 13.
    np.testing.assert_allclose(course, [0.0, 0.270, 0.428, 0.627, 1.0], atol=0.02)


def test_an_early_fall_is_lost_and_what_patients_have_of_their_own_is_not() -> None:
    cohort = find_scenario("early_and_lost").simulate(MANY, np.random.default_rng(3))
    change = (cohort.true - cohort.true[:, :1])[..., 0]
    expected = [1.0, 0.5, 0.5, 0.5**0.8, 1.0]
    np.testing.assert_allclose(np.exp(change.mean(axis=0)), expected, atol=0.01)
    np.testing.assert_allclose(change[:, 1:].std(axis=0), sc.OWN_SD, rtol=0.02)
    own = change[:, 1:] - change[:, 1:].mean(axis=0)
    np.testing.assert_allclose(own, own[:, :1] * np.ones(4), atol=1e-9)


def test_three_in_ten_of_those_who_fell_rebound_after_week_4() -> None:
    cohort = find_scenario("rebound").simulate(MANY, np.random.default_rng(3))
    change = (cohort.true - cohort.true[:, :1])[..., 0]
    fell = change[:, 3] < 0
    back = change[:, 4] == 0
    assert back[fell].mean() == pytest.approx(0.3, abs=0.01)
    assert not back[~fell].any()
    np.testing.assert_array_equal(change[~back, 4], change[~back, 3])


@pytest.mark.parametrize("n", [4, 8, 16])
def test_one_of_eight_relapses_to_baseline_or_above(n: int) -> None:
    relapses = []
    for seed in range(400):
        cohort = find_scenario("relapse_of_one").simulate(n, np.random.default_rng(seed))
        change = (cohort.true - cohort.true[:, :1])[..., 0]
        moved = change[:, 4] != change[:, 3]
        relapses.append(moved.sum())
        assert ((change[moved, 4] >= 0) & (change[moved, 4] <= np.log(1.5))).all()
    assert np.mean(relapses) == pytest.approx(n / 8, abs=0.1)
    assert set(relapses) == ({n // 8} if n >= 8 else {0, 1})


@pytest.mark.parametrize("name", ["gradual", "early_and_lost", "rebound", "relapse_of_one"])
def test_one_of_eight_leaves_where_courses_turn(name: str) -> None:
    for seed in range(20):
        cohort = find_scenario(name).simulate(8, np.random.default_rng(seed))
        assert cohort.withdrew.sum() == 1


def test_albumin_rises_as_protein_falls() -> None:
    cohort = find_scenario("change").simulate(200, np.random.default_rng(3))
    change = cohort.true - cohort.true[:, :1]
    np.testing.assert_allclose(change[..., 1], sc.ALBUMIN_SLOPE * change[..., 0])


def test_scenarios_can_be_added_and_names_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_REGISTRY", dict(registry._REGISTRY))

    @register_scenario("half_way", "Half way", "Half at week 4, as at first by week 12.")
    def half_way(n: int, rng: np.random.Generator) -> sc.Simulated:
        change = np.log(0.5) * np.array([0.0, 1.0, 1.0, 1.0, 0.0])
        return sc.measured(sc.baselines(n, rng), np.broadcast_to(change, (n, 5)), rng)

    assert scenarios()[-1].simulate is half_way
    truth = truth_of(find_scenario("half_way"), JUDGES, DEFINITIONS)
    assert truth.log_gmr == pytest.approx(0.0, abs=1e-12)  # counted, since none is stated
    assert set(truth.meaning.values()) == {FALSE}
    with pytest.raises(ValueError, match="already"):
        register_scenario("half_way", "", "")
    with pytest.raises(ValueError, match="letters"):
        register_scenario("two words", "", "")
    with pytest.raises(InputError, match="did you mean half_way"):
        find_scenario("half_wai")


# Readings


def test_wilcoxon_by_enumerating_every_sign() -> None:
    rng = np.random.default_rng(2)
    first, last = np.exp(rng.normal(1.4, 0.4, 7)), np.exp(rng.normal(1.0, 0.4, 7))
    difference = last - first
    ranks = np.argsort(np.argsort(np.abs(difference))) + 1
    positive = ranks[difference > 0].sum()
    sums = [np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=7)]
    assert wilcoxon_fall(first, last) == pytest.approx(np.mean(np.array(sums) <= positive))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [1, 2, 8, 40, 60])
def test_wilcoxon_is_scipy_s(n: int, ties: bool) -> None:
    rng = np.random.default_rng(n)
    for _ in range(20):
        difference = rng.normal(-0.3, 1.0, n)
        if ties:
            difference = np.round(difference) + 0.5
        expected = scipy.stats.wilcoxon(difference, alternative="less").pvalue
        assert wilcoxon_fall(np.zeros(n), difference) == pytest.approx(expected)


def test_wilcoxon_leaves_out_who_is_not_there() -> None:
    first = np.array([5.0, 4.0, np.nan, 6.0])
    last = np.array([4.0, 2.0, 3.0, np.nan])
    assert wilcoxon_fall(first, last) == 0.25
    assert np.isnan(wilcoxon_fall(first[2:], last[2:]))


def test_five_of_seven() -> None:
    """The published counts: eight enrolled, one withdrew, falls of 17 % and more are effective."""
    first = np.log(np.array([4.0, 5.0, 3.0, 6.0, 4.0, 4.0, 5.0, 4.0]))
    ratio = np.array([0.24, 0.5, 0.4, 0.45, 0.83, 0.9, 1.2, np.nan])
    effective, evaluable = counted(first, first + np.log(ratio), DEFINITIONS)
    assert (effective, evaluable) == (5, 7)
    assert majority(effective, evaluable)
    assert not exact_majority(effective, evaluable)  # 29.0 to 96.3 %


def test_half_is_no_majority_and_the_test_is_the_interval() -> None:
    assert not majority(4, 8)
    assert majority(5, 8)
    for m in (1, 5, 6, 7, 8, 13):
        for k in range(m + 1):
            low = binomtest(k, m).proportion_ci(0.95, "exact").low
            assert bool(exact_majority(k, m)) == (low > 0.5), (k, m)
    assert not exact_majority(0, 0)


# Judges


def test_a_model_is_judged_by_the_rules_it_can_answer() -> None:
    assert [judge.name for judge in RULES] == ["effective", "proteinuria"]
    assert LEFT_OUT == {"remission": "it needs albumin"}
    both, left_out = rule_judges(load_rules().rule, load_card("remission"), DEFINITIONS)
    assert [judge.name for judge in both] == ["remission", "effective", "proteinuria"]
    assert not left_out


def test_meaning_of_a_go() -> None:
    share, ratio = RULES
    expected = [FALSE, FALSE, BETWEEN, TRUE, TRUE]
    assert [share.meaning(x) for x in (0.4, 0.5, 0.6, 0.75, 0.9)] == expected
    assert [ratio.meaning(x) for x in (1.1, 1.0, 0.9, 0.7, 0.4)] == expected
    assert share.meaning(0.501, error=0.001) == FALSE  # not known to be above
    truth = truth_of(find_scenario("change"), JUDGES, DEFINITIONS)
    expected = ndtr((np.log(0.85) - np.log(sc.RATIO)) / sc.OWN_SD)
    assert truth.value["effective"] == pytest.approx(expected, abs=0.005)
    assert truth.value["proteinuria"] == pytest.approx(sc.RATIO)
    assert set(truth.meaning.values()) == {TRUE}


def test_a_rule_for_a_visit_that_no_scenario_has_is_refused() -> None:
    rule = load_rules().rule[2].model_copy(update={"week": 24.0})
    with pytest.raises(InputError, match="one of 1, 2, 4, 12"):
        rule_judges([rule], CARD, DEFINITIONS)
    remission = load_rules().rule[:1]
    with pytest.raises(InputError, match=r"a rule of decision\.toml can judge"):
        rule_judges(remission, CARD, DEFINITIONS)


# One replicate


@pytest.mark.parametrize("drift", [0.0, 0.6])
def test_the_share_in_closed_form_is_that_over_points(drift: float) -> None:
    cohort = find_scenario("change").simulate(8, np.random.default_rng(1))
    fitted = study_fit(CARD, observed(cohort, CARD), np.random.default_rng(2))
    population = hyperparameters_from_draws(fitted.draws)
    population = replace(
        population,
        serial_sd=np.full_like(population.serial_sd, drift),
        serial_weeks=np.linspace(1.0, 30.0, population.n_draws),
    )
    weeks = np.array(WEEKS[1:])
    points = normal_points(8 * POINTS, patient_dims(population), POINTS_SEED)
    over_points = population_share(
        population, weeks, judge(DEFINITIONS, (PROTEIN,), shipped_markers()), points
    )["effective"]
    for visit in (1, 4):
        exact = fall_share(
            population, visit, DEFINITIONS.threshold("effective", PROTEIN, "fall_at_least")
        )
        np.testing.assert_allclose(exact, over_points[:, visit - 1], atol=0.02)
        shares = shares_at(population, visit, CARD, DEFINITIONS)
        np.testing.assert_array_equal(shares["effective"], exact)
        np.testing.assert_array_equal(shares["none"], 1 - exact)


def test_a_replicate_says_what_the_data_say() -> None:
    setting = Setting(CARD, DEFINITIONS, RULES, {s.name: s for s in scenarios()})
    cell = {"scenario": "worst_leave", "patients": 8}
    found = replicate(np.random.SeedSequence(7), cell, setting)
    assert found.keys() == setting.columns.keys()
    again = replicate(np.random.SeedSequence(7), cell, setting)
    assert found == again
    data, _ = np.random.SeedSequence(7).spawn(2)
    cohort = find_scenario("worst_leave").simulate(8, np.random.default_rng(data))
    first, last = cohort.measured[:, 0, 0], cohort.measured[:, -1, 0]
    seen = ~np.isnan(last)
    judged = judge(DEFINITIONS, (PROTEIN,), shipped_markers())
    met = classify(judged, {PROTEIN: first[seen]}, {PROTEIN: last[seen]})["effective"]
    assert (found["effective"], found["evaluable"]) == (met.sum(), 6)
    assert found["log_lower"] < found["log_median"] < found["log_upper"] < 0
    for name in ("effective", "proteinuria"):
        assert all(0 <= found[column] <= 1 for column in rule_columns(name))


def test_a_fit_that_fails_keeps_the_tests_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise np.linalg.LinAlgError("Matrix is not positive definite.")

    monkeypatch.setattr("mnbayes.analyses.characteristics.replicate.study_fit", broken)
    setting = Setting(CARD, DEFINITIONS, RULES, {s.name: s for s in scenarios()})
    cell = {"scenario": "change", "patients": 8}
    found = replicate(np.random.SeedSequence(7), cell, setting)
    assert found["withheld"] == "LinAlgError: Matrix is not positive definite."
    assert found["log_median"] is None
    assert found["evaluable"] == 8
    assert 0 < found["wilcoxon"] < 1


# Counting


def by_hand() -> pd.DataFrame:
    """Four replicates: go, consider, withheld, failed."""
    rows = pd.DataFrame(
        {
            "scenario": "change",
            "patients": 8,
            "failure": [None, None, None, "ValueError: x"],
            "log_lower": [-1.0, -0.5, np.nan, np.nan],
            "log_median": [-0.7, -0.2, np.nan, np.nan],
            "log_upper": [-0.3, 0.1, np.nan, np.nan],
            "wilcoxon": [0.01, 0.2, 0.02, np.nan],
            "effective": pd.array([7, 4, 5, None], dtype="Int64"),
            "evaluable": pd.array([7, 8, 8, None], dtype="Int64"),
        }
    )
    for name, values in (("effective", (0.9, 0.6)), ("proteinuria", (0.95, 0.9))):
        for column, high in zip(rule_columns(name), (values[0], 0.7), strict=True):
            rows[column] = [high, values[1], np.nan, np.nan]
    return rows


def test_rates_bias_and_coverage_by_hand() -> None:
    names = [judge.name for judge in JUDGES]
    truth = {"change": Truth(np.log(0.5), dict.fromkeys(names, 0.5), dict.fromkeys(names, TRUE))}
    row = estimates(by_hand(), truth).iloc[0]
    assert (row["replicates"], row["withheld"], row["failed"]) == (4, 1, 1)
    assert row["bias"] == pytest.approx(-0.45 - np.log(0.5))
    assert row["bias_mcse"] == pytest.approx(np.std([-0.7, -0.2], ddof=1) / np.sqrt(2))
    assert row["coverage"] == 0.25  # of all four: withheld and failed do not cover
    assert row["width"] == pytest.approx(0.65)
    assert row["evaluable"] == pytest.approx(23 / 3)
    table = decisions(by_hand(), JUDGES, truth).set_index("judge")
    # effective: significance at least 0.8 and relevance at least 0.5 asked.
    ends = table[["go", "no_go", "silent"]]
    assert ends.loc["effective"].tolist() == [0.25, 0.0, 0.5]
    assert ends.loc["proteinuria"].tolist() == [0.5, 0.0, 0.5]
    assert table.loc[["effective", "proteinuria"], "consider"].tolist() == [0.25, 0.0]
    assert ends.loc["wilcoxon"].tolist() == ends.loc["majority"].tolist() == [0.5, 0.25, 0.25]
    assert ends.loc["exact"].tolist() == [0.25, 0.5, 0.25]
    assert table.loc["effective", "go_mcse"] == pytest.approx(np.sqrt(0.25 * 0.75 / 4))


# Single patients


def test_intervals_of_patients_by_hand() -> None:
    """Draws 0, 1, ..., 100 of each: 95 % from 2.5 to 97.5, 80 % from 10 to 90, mean 50."""
    ratio = np.repeat(np.arange(101.0)[:, None], 5, axis=1)
    truth = np.array([50.0, 95.0, 98.0, 3.0, 1.0])
    left = np.array([False, False, False, True, True])
    found = ratios_told(ratio, truth, left)
    assert (found["covered_95"], found["covered_80"]) == (2, 1)
    assert (found["covered_left"], found["left"]) == (1, 2)
    assert found["squared_error"] == 45**2 + 48**2 + 47**2 + 49**2


def test_statements_of_patients_by_hand() -> None:
    """The line is 80 %: likely from there on, unlikely below 20 %, and neither between."""
    probability = np.array([0.8, 0.9, 0.79, 0.2, 0.1, 0.1])
    holds = np.array([True, False, False, True, True, False])
    found = responses_told(probability, holds, 0.8)
    assert (found["wrong"], found["likely"], found["true"]) == (2, 2, 1)
    assert found["said"] == pytest.approx(1.7)
    assert found["brier"] == pytest.approx(0.04 + 0.81 + 0.6241 + 0.64 + 0.81 + 0.01)


def test_errors_are_those_of_cohorts() -> None:
    # Each cohort is all or nothing: as many independent trials as cohorts, not as patients.
    value, error = pooled(np.array([8.0, 0.0, 8.0, 0.0]), np.full(4, 8.0))
    assert (value, error) == (0.5, pytest.approx(np.std([1, 0, 1, 0], ddof=1) / 2))
    # 3 of 6: residuals 0.5 and -0.5, twice their squares over 6.
    value, error = pooled(np.array([1.0, 2.0, 0.0]), np.array([1.0, 5.0, 0.0]))
    assert (value, error) == (0.5, pytest.approx(np.sqrt(2 * 0.5) / 6))
    assert pooled(np.array([7.0, 8.0]), np.array([7.0, 8.0])) == (1.0, 1 / 3)
    assert np.isnan(pooled(np.zeros(2), np.zeros(2))).all()
    # Shared luck counts once: errors as of repeated studies.
    rng = np.random.default_rng(1)
    counts = rng.binomial(8, rng.beta(2, 1, (2000, 50))).astype(float)
    shares = np.array([pooled(row, np.full(50, 8.0)) for row in counts])
    assert shares[:, 1].mean() == pytest.approx(shares[:, 0].std(), rel=0.06)


def test_patients_are_those_of_the_cohort_and_markers_those_of_the_card() -> None:
    """Albumin first in the draws, protein first in the cohort: complete remission needs both."""
    card = load_card("remission")
    card = card.model_copy(update={"markers": card.markers[::-1]})
    order = [card.markers.index(marker) for marker in MARKERS]
    true = np.zeros((2, len(WEEKS), 2))
    true[..., 0], true[..., 1] = np.log(4.0), np.log(30.0)
    true[0, -1] = np.log([0.2, 40.0])
    measured = true.copy()
    measured[1, -1] = np.nan
    level = np.empty((100, *true.shape))
    level[..., order] = true
    found = patients_told(level, sc.Simulated(true, measured), card, DEFINITIONS)
    assert (found["covered_95"], found["covered_left"], found["left"]) == (1, 1, 1)
    assert found["squared_error"] == pytest.approx(0, abs=1e-12)
    for category in ("remission", "effective"):
        assert (found[f"likely_{category}"], found[f"true_{category}"]) == (1, 1)
        assert found[f"brier_{category}"] == found[f"wrong_{category}"] == 0


def test_rates_over_patients_by_hand() -> None:
    """Three cohorts of four, the last of them withheld."""
    table = pd.DataFrame({"scenario": "change", "patients": 4, "failure": None}, index=range(3))
    for name, values in {
        "covered_95": (3, 3),
        "covered_80": (2, 3),
        "covered_left": (0, 1),
        "left": (0, 1),
        "squared_error": (0.4, 1.6),
        "brier_effective": (0.5, 0.3),
        "wrong_effective": (1, 0),
        "likely_effective": (3, 1),
        "said_effective": (2.7, 0.9),
        "true_effective": (2, 1),
    }.items():
        table[name] = [*values, np.nan]
    found = per_patient(table, ("effective",)).set_index("quantity")
    expected = {
        "covered_95": 6 / 7,
        "covered_80": 5 / 7,
        "covered_left": 1.0,
        "rmse": 0.5,
        "brier_effective": 0.1,
        "wrong_effective": 1 / 8,
        "said_effective": 0.9,
        "true_effective": 3 / 4,
    }
    assert found["value"].to_dict() == pytest.approx(expected)
    # Mean squared errors 0.1 and 0.4: standard error 0.15, halved and over 0.5.
    assert found.loc["rmse", "mcse"] == pytest.approx(0.15)


# From end to end


SMALL = {"scenario": ["strong_regression", "change"], "patients": [8, 4], "workers": 0, "seed": 3}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, Path]:
    folder = tmp_path_factory.mktemp("characteristics") / "study"
    return run_characteristics(**SMALL, replicates=12, out=folder)


def test_a_small_study(small: tuple[object, Path]) -> None:
    found, folder = small
    assert found.patients == (4, 8)
    assert found.cells == 4
    assert len(found.estimates) == 4
    assert len(found.decisions) == 4 * len(JUDGES)
    assert [item.name for item in found.false_go] == ["strong_regression"]
    assert [item.name for item in found.other_go] == ["change"]
    # The wrong picture is seen, and it is seen as one.
    table = found.estimates.set_index(["scenario", "patients"])
    assert table.loc[("strong_regression", 8), "bias"] < -0.15
    four = found.of("wilcoxon", "change").iloc[0]
    assert (four["patients"], four["go"]) == (4, 0.0)  # four pairs cannot reach 0.05
    names = {path.name for path in folder.iterdir()}
    tables = {"estimates.csv", "decisions.csv", "per_patient.csv"}
    assert {"study.ledger", "characteristics.json"} | tables <= names
    assert {"false_go.svg", "right_go.svg", "estimates.svg", "patients.svg"} <= names
    told = found.told("strong_regression", 8)
    assert told["wrong_effective"][0] > 0.3  # falls that are none, patient by patient
    assert np.isnan(told["covered_left"][0])  # nobody leaves
    assert len(found.per_patient) == 4 * len(told)


def test_a_study_is_read_back_and_goes_on(small: tuple[object, Path]) -> None:
    found, folder = small
    read = read_result(folder)
    pd.testing.assert_frame_equal(read.estimates, found.estimates, atol=1e-5, check_dtype=False)
    pd.testing.assert_frame_equal(read.decisions, found.decisions, atol=1e-5, check_dtype=False)
    pd.testing.assert_frame_equal(read.per_patient, found.per_patient, atol=1e-5, check_dtype=False)
    assert read.scenarios == found.scenarios
    assert read.left_out == LEFT_OUT
    assert json.loads((folder / "characteristics.json").read_text())["replicates"] == 12
    more, _ = run_characteristics(**SMALL, replicates=13, out=folder)
    assert set(more.estimates["replicates"]) == {13}
    with pytest.raises(InputError, match="another folder"):
        run_characteristics(scenario=["change"], patients=[4], workers=0, out=folder, seed=4)


def test_everything_wrong_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        run_characteristics(
            scenario=["chance"], patients=[2, 500], replicates=1, out=tmp_path / "x"
        )
    text = str(caught.value)
    assert "did you mean change" in text
    assert text.count("--n") == 2
    assert "--replicates" in text
    assert not (tmp_path / "x").exists()
    with pytest.raises(InputError, match="scenarios have these alone"):
        run_characteristics("lymphocytes", out=tmp_path / "x")


def test_a_folder_without_a_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_result(tmp_path)
    (tmp_path / "characteristics.json").write_text("{}")
    with pytest.raises(InputError, match="scenarios"):
        read_result(tmp_path)
