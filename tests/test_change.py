from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, stats
from trees import default_hyper, make_tree

from mnbayes.answers.change import (
    BEST_COLUMNS,
    PATIENT_COLUMNS,
    best_reduction,
    estimates,
    gmr_summaries,
    patient_changes,
)

PROTEIN = "urine_protein_24h"
SHORT_TERM = (1.0, 2.0, 4.0)


def test_summaries_of_a_normal_log_ratio() -> None:
    # Exact normal quantiles as draws: the summaries are the distribution's own.
    log_gmr = np.log(0.6) + 0.3 * stats.norm.ppf((np.arange(10_000) + 0.5) / 10_000)
    made = gmr_summaries(log_gmr.reshape(4, 2500))
    assert made["gmr_median"] == pytest.approx(0.6, rel=1e-3)
    assert made["gmr_lower"] == pytest.approx(0.6 * np.exp(-1.96 * 0.3), rel=1e-2)
    assert made["gmr_upper"] == pytest.approx(0.6 * np.exp(1.96 * 0.3), rel=1e-2)
    for name, bound in (("p_fall", 1.0), ("p_fall_30", 0.7), ("p_fall_50", 0.5)):
        expected = stats.norm.cdf(np.log(bound / 0.6) / 0.3)
        assert made[name] == pytest.approx(expected, abs=1e-4)


def test_estimates_have_the_contracts_columns_and_the_right_cells() -> None:
    tree = make_tree(draws=100)
    table = estimates(tree, "remission")
    own = ["gmr_median", "gmr_lower", "gmr_upper", "p_fall", "p_fall_30", "p_fall_50"]
    prior = [f"{name}_prior" for name in own]
    assert table.columns.tolist() == ["model", "marker", "week", *own, *prior]
    assert len(table) == 2 * 4
    assert set(table["model"]) == {"remission"}
    for _, row in table.iterrows():
        for group, suffix in (("posterior", ""), ("prior", "_prior")):
            log_ratio = tree[group]["visit_change"].sel(
                marker=row["marker"], later_visit=row["week"]
            )
            draws = np.exp(log_ratio.to_numpy().ravel())
            assert row[f"gmr_median{suffix}"] == pytest.approx(np.median(draws), rel=1e-3)
            assert row[f"gmr_upper{suffix}"] == pytest.approx(np.quantile(draws, 0.975), rel=1e-2)
            assert row[f"p_fall{suffix}"] == np.mean(draws < 1)
            assert row[f"p_fall_50{suffix}"] == np.mean(draws <= 0.5)


def test_patient_changes_say_what_was_measured_and_what_is_predicted() -> None:
    levels = np.zeros((2, 5, 2))
    levels[0, :, 0] = np.log([4.0, 3.0, 2.0, 1.0, 2.0])
    levels[1, :, 1] = np.log([20.0, 22.0, 24.0, 26.0, 30.0])
    tree = make_tree(
        patients=2, draws=20, levels=levels, missing=((0, 4, 0),), censored_below=((0, 3, 0),)
    )
    table = patient_changes(tree, "m")
    assert tuple(table.columns) == PATIENT_COLUMNS
    assert len(table) == 2 * 2 * 4
    rows = table.set_index(["patient", "marker", "week"]).sort_index()
    np.testing.assert_allclose(rows.loc[("P1", PROTEIN), "ratio_median"], [0.75, 0.5, 0.25, 0.5])
    np.testing.assert_allclose(rows.loc[("P2", "albumin"), "ratio_median"], [1.1, 1.2, 1.3, 1.5])
    np.testing.assert_allclose(table["ratio_lower"], table["ratio_upper"])  # no spread here
    predicted = table.query("prediction")
    assert list(predicted[["patient", "marker", "week"]].iloc[0]) == ["P1", PROTEIN, 12.0]
    assert len(predicted) == 1
    assert (table["measured"] != table["prediction"]).all()
    assert rows.loc[("P1", PROTEIN, 4.0), "measured"]  # below a limit is a measurement


def test_patient_interval_is_equal_tailed() -> None:
    tree = make_tree(patients=1, draws=500, level_spread=0.2)
    row = patient_changes(tree, "m").iloc[0]
    level = tree["patients"]["level"].isel(patient=0, marker=0).to_numpy()
    ratio = np.exp(level[..., 1] - level[..., 0]).ravel()
    assert np.mean(ratio < row["ratio_lower"]) == pytest.approx(0.025, abs=1e-3)
    assert np.mean(ratio > row["ratio_upper"]) == pytest.approx(0.025, abs=1e-3)


# --- the best of several visits -----------------------------------------------------------------


def flat_tree(residual_sd: float, **changes: object):
    # Everybody falls from 4 g to 2 g at once and stays there: every visit is the best one.
    levels = np.log(np.array([4.0, 2.0, 2.0, 2.0, 2.0]))[None, :, None].repeat(3, axis=0)
    known = replace(default_hyper((PROTEIN,), 4), residual_sd=np.array([residual_sd]))
    defaults = {"patients": 3, "draws": 2500, "spread": 0.0, "levels": levels}
    return make_tree(markers=(PROTEIN,), hyper=known, **(defaults | changes))


def test_noise_alone_makes_the_best_of_three_visits_too_good() -> None:
    sd = 0.25
    table = best_reduction(flat_tree(sd), PROTEIN, SHORT_TERM)
    assert tuple(table.columns) == BEST_COLUMNS
    np.testing.assert_allclose(table["latent_best_median"], 0.5)
    np.testing.assert_allclose(table["latent_median"], 0.5)

    def smallest_at_most(x: float) -> float:
        # P(min of three errors less the baseline's error <= x), by quadrature
        def missed(z: float) -> float:
            return float(stats.norm.pdf(z) * stats.norm.sf(x + z) ** 3)

        return 1 - integrate.quad(missed, -8, 8)[0]

    for median, lower, upper in table[
        ["replicated_median", "replicated_lower", "replicated_upper"]
    ].to_numpy():
        # reductions back to standardised log ratios; the largest reduction is the smallest ratio
        x = {k: np.log((1 - v) / 0.5) / sd for k, v in (("m", median), ("l", lower), ("u", upper))}
        assert smallest_at_most(x["m"]) == pytest.approx(0.5, abs=0.025)
        assert smallest_at_most(x["u"]) == pytest.approx(0.025, abs=0.008)
        assert smallest_at_most(x["l"]) == pytest.approx(0.975, abs=0.008)
    assert (table["bias"] > 0.05).all()
    np.testing.assert_allclose(
        table["bias"], table["replicated_median"] - table["latent_best_median"]
    )


def test_one_visit_has_no_bias_and_no_noise_has_none_either() -> None:
    one = best_reduction(flat_tree(0.25), PROTEIN, [2.0])
    np.testing.assert_allclose(one["bias"], 0, atol=0.02)
    still = best_reduction(flat_tree(1e-12), PROTEIN, SHORT_TERM)
    np.testing.assert_allclose(still["bias"], 0, atol=1e-9)


def test_observed_best_by_hand() -> None:
    measured = np.log(
        np.array([[4.0, 3.0, 1.0, 2.0, 0.5], [4.0, 5.0, 6.0, 8.0, 1.0], [4.0, 2.0, 1.0, 3.0, 3.0]])
    )[..., None]
    tree = flat_tree(0.25, measured=measured, missing=((2, 2, 0),), draws=200)
    table = best_reduction(tree, PROTEIN, SHORT_TERM).set_index("patient")
    np.testing.assert_allclose(table["observed_best"], [0.75, -0.25, 0.5])
    assert list(table["best_week"]) == [2.0, 1.0, 1.0]
    assert list(table["visits"]) == [3, 3, 2]
    p = table["p_replicated_at_least"]
    assert p["P1"] < 0.2 < p["P3"] < p["P2"]
    assert p["P2"] == 1
    # fewer visits, smaller extreme: like is compared with like
    assert table["bias"]["P3"] < table["bias"]["P1"]
    whole = best_reduction(tree, PROTEIN, (*SHORT_TERM, 12.0)).set_index("patient")
    assert list(whole["best_week"]) == [12.0, 12.0, 1.0]


def test_a_censored_visit_that_may_be_the_best_leaves_the_best_open() -> None:
    measured = np.log(np.array([4.0, 3.0, 1.0, 2.0, 2.0]))[None, :, None].repeat(3, axis=0)
    # P1: below 3 g at week 1, perhaps below the best; P2: its baseline is censored;
    # P3: not measured at any of the visits.
    tree = flat_tree(
        0.25,
        measured=measured,
        draws=100,
        censored_below=((0, 1, 0), (1, 0, 0)),
        missing=((2, 1, 0), (2, 2, 0), (2, 3, 0)),
    )
    table = best_reduction(tree, PROTEIN, SHORT_TERM)
    assert table["observed_best"].isna().all()
    assert table["best_week"].isna().all()
    assert list(table["visits"]) == [3, 3, 0]
    assert table["bias"].notna().tolist() == [True, True, False]
    # above a limit that is worse than the best: the best is known
    limits = tree["constant_data"]
    limits["log_lower"][1], limits["log_upper"][1] = np.log(2.5), np.inf
    assert best_reduction(tree, PROTEIN, SHORT_TERM)["observed_best"][0] == pytest.approx(0.75)


def test_what_does_not_exist_is_named() -> None:
    tree = flat_tree(0.25, draws=10)
    with pytest.raises(ValueError, match="'cd3' is not in this model; there are urine_protein"):
        best_reduction(tree, "cd3", SHORT_TERM)
    for weeks in ([3.0], [0.0], []):
        with pytest.raises(ValueError, match="some of the later visits"):
            best_reduction(tree, PROTEIN, weeks)
