from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnbayes.analyses.regression.bound import (
    COLUMNS,
    RELIABILITIES,
    SCREENINGS,
    explaining_mean,
    population_means,
    regression_bound,
    regression_table,
    screened_bound,
)
from mnbayes.data.markers import MARKERS

PROTEIN = MARKERS["urine_protein_24h"]


@pytest.mark.parametrize(
    ("baseline", "reliability", "mean", "ratio"),
    [
        (8.0, 0.5, 2.0, 0.5),  # half of the way back, on the log scale: 8 to 4
        (8.0, 1.0, 2.0, 1.0),  # a perfect measurement does not regress
        (8.0, 0.0, 2.0, 0.25),  # pure noise goes all the way
        (3.0, 0.6, 3.0, 1.0),  # nobody was selected
        (1.0, 0.75, 16.0, 2.0),  # a low group rises
    ],
)
def test_closed_forms(baseline: float, reliability: float, mean: float, ratio: float) -> None:
    bound = regression_bound(np.log(baseline), reliability, np.log(mean))
    assert bound == pytest.approx(ratio)


def test_selection_by_level_alone_shows_the_bound() -> None:
    # Nothing happens to anybody; who is above 3.5 g at baseline is enrolled.
    rng = np.random.default_rng(1)
    mean, sd, reliability = np.log(2.0), 0.8, 0.7
    true = mean + np.sqrt(reliability) * sd * rng.standard_normal(400_000)
    first, second = true + np.sqrt(1 - reliability) * sd * rng.standard_normal((2, true.size))
    enrolled = first > np.log(3.5)
    observed = (second - first)[enrolled]
    error = observed.std() / np.sqrt(observed.size)
    bound = regression_bound(first[enrolled].mean(), reliability, mean)
    assert bound < 0.8
    assert np.log(bound) == pytest.approx(observed.mean(), abs=4 * error)


@pytest.mark.parametrize("reliability", [-0.1, 1.1, np.nan])
def test_an_impossible_reliability_is_refused(reliability: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        regression_bound(1.0, reliability, 0.0)


def test_the_mean_that_explains_a_fall_in_closed_form() -> None:
    assert explaining_mean(np.log(8.0), 0.5, 0.5) == pytest.approx(np.log(2.0))
    assert explaining_mean(np.log(8.0), 0.0, 0.5) == pytest.approx(np.log(4.0))
    assert explaining_mean(np.log(8.0), 0.5, 1.0) == pytest.approx(np.log(8.0))  # nothing
    for reliability in (1.0, -0.1, np.nan):
        with pytest.raises(ValueError, match="0 to below 1"):
            explaining_mean(0.0, reliability, 0.5)


@given(baseline=st.floats(0.1, 30), reliability=st.floats(0, 0.95), ratio=st.floats(0.05, 3))
def test_the_bound_at_the_mean_that_explains_a_ratio_is_that_ratio(
    baseline: float, reliability: float, ratio: float
) -> None:
    mean = explaining_mean(np.log(baseline), reliability, ratio)
    assert regression_bound(np.log(baseline), reliability, mean) == pytest.approx(ratio)


@pytest.mark.parametrize("reliability", [0.0, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("high", [True, False])
def test_one_screening_is_the_formula(reliability: float, high: bool) -> None:
    baselines = np.log([2.0, 5.0, 9.0])
    found = screened_bound(baselines, reliability, np.log(3.0), spread=0.6, screenings=1, high=high)
    assert found == pytest.approx(regression_bound(baselines.mean(), reliability, np.log(3.0)))


def test_low_and_high_are_mirror_images() -> None:
    baselines, how = np.log([2.0, 5.0, 9.0]), {"spread": 0.6, "screenings": 7}
    up = screened_bound(baselines, 0.6, np.log(3.0), **how)  # type: ignore[arg-type]
    down = screened_bound(-baselines, 0.6, -np.log(3.0), high=False, **how)  # type: ignore[arg-type]
    assert up * down == pytest.approx(1.0)


@pytest.mark.parametrize("screenings", [1, 4, 20])
def test_the_first_of_several_measurements_regresses_as_computed(screenings: int) -> None:
    # Nothing happens to anybody; who is at 1 g or more for the first time is enrolled.
    rng = np.random.default_rng(screenings)
    mean, sd, reliability = np.log(0.5), 0.9, 0.55
    true = mean + np.sqrt(reliability) * sd * rng.standard_normal(200_000)
    noise = np.sqrt(1 - reliability) * sd
    levels = true[:, None] + noise * rng.standard_normal((true.size, screenings))
    met = levels >= 0.0
    enrolled = met.any(axis=1)
    first = levels[np.arange(true.size), met.argmax(axis=1)][enrolled]
    again = (true + noise * rng.standard_normal(true.size))[enrolled]
    error = (again - first).std() / np.sqrt(first.size)
    bound = screened_bound(
        first[:4000], reliability, mean, spread=sd, screenings=screenings, threshold=0.0
    )
    # The bound is averaged over some of the baselines, the simulation over all.
    spread = first[:4000].std() / np.sqrt(4000)
    assert np.log(bound) == pytest.approx((again - first).mean(), abs=4 * np.hypot(error, spread))


def test_more_screenings_regress_further_and_need_less_of_a_difference() -> None:
    baselines, how = np.log([2.0, 4.0, 8.0]), {"spread": 0.5}
    falls = [screened_bound(baselines, 0.7, np.log(2.0), screenings=k, **how) for k in (1, 3, 10)]
    assert falls == sorted(falls, reverse=True)
    assert len(set(falls)) == 3
    for k in (1, 3, 10):
        mean = explaining_mean(baselines, 0.7, 0.6, screenings=k, **how)
        again = screened_bound(baselines, 0.7, mean, screenings=k, **how)
        assert again == pytest.approx(0.6)


def test_the_table_sweeps_every_assumption() -> None:
    table = regression_table(np.log([2.0, 8.0, np.nan]), PROTEIN, observed_gmr=0.5)
    assert tuple(table.columns) == COLUMNS
    assert PROTEIN.populations is not None
    assert len(table) == len(SCREENINGS) * len(RELIABILITIES) * len(PROTEIN.populations)
    np.testing.assert_allclose(table["baseline_geometric_mean"], 4.0)
    row = table.query("screenings == 1 and reliability == 0.5 and population_geometric_mean == 1")
    np.testing.assert_allclose(row["gmr_regression"], 0.5)
    np.testing.assert_allclose(row["fall_regression"], 0.5)
    np.testing.assert_allclose(row["gmr_beyond"], 1.0)
    rising = table.query("screenings == 1 and population_geometric_mean == 5.6")
    assert (rising["fall_regression"] < 0).all()
    # without an observed ratio there is nothing to divide
    assert regression_table([1.0], PROTEIN)["gmr_beyond"].isna().all()


@pytest.mark.parametrize("name", ["albumin", "upcr", "cd4_percent"])
def test_any_marker_has_populations_on_the_better_side_of_its_baselines(name: str) -> None:
    marker = MARKERS[name]
    centre = float(marker.on_scale(np.array(marker.typical)))
    means = np.array(population_means(marker, centre))
    assert (np.diff(means) > 0).all()
    better = means > marker.typical if marker.better == "higher" else means < marker.typical
    assert better.sum() >= 5
    table = regression_table([centre, centre], marker, screenings=(2,))
    picked = table["gmr_regression"] if marker.better == "higher" else 1 / table["gmr_regression"]
    assert (picked[np.isin(table["population_geometric_mean"], means[better])] > 1).all()


def test_the_table_refuses_what_it_cannot_use() -> None:
    with pytest.raises(ValueError, match="no baseline"):
        regression_table([np.nan], PROTEIN)
    with pytest.raises(ValueError, match="above 0"):
        regression_table([1.0], PROTEIN, means=[0.0])
    with pytest.raises(ValueError, match="positive"):
        screened_bound([1.0], 0.5, 0.0, spread=0.0, screenings=1)
