from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnbayes.analyses.regression.bound import (
    COLUMNS,
    POPULATION_MEANS,
    RELIABILITIES,
    explaining_mean,
    regression_bound,
    regression_table,
)


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
    assert explaining_mean(np.log(8.0), 0.5, 0.5) == pytest.approx(2.0)
    assert explaining_mean(np.log(8.0), 0.0, 0.5) == pytest.approx(4.0)
    assert explaining_mean(np.log(8.0), 0.5, 1.0) == pytest.approx(8.0)  # nothing to explain
    for reliability in (1.0, -0.1, np.nan):
        with pytest.raises(ValueError, match="0 to below 1"):
            explaining_mean(0.0, reliability, 0.5)


@given(baseline=st.floats(0.1, 30), reliability=st.floats(0, 0.95), ratio=st.floats(0.05, 3))
def test_the_bound_at_the_mean_that_explains_a_ratio_is_that_ratio(
    baseline: float, reliability: float, ratio: float
) -> None:
    mean = explaining_mean(np.log(baseline), reliability, ratio)
    assert regression_bound(np.log(baseline), reliability, np.log(mean)) == pytest.approx(ratio)


def test_the_table_sweeps_both_assumptions() -> None:
    table = regression_table(np.log([2.0, 8.0, np.nan]), observed_gmr=0.5)
    assert tuple(table.columns) == COLUMNS
    assert len(table) == len(RELIABILITIES) * len(POPULATION_MEANS)
    np.testing.assert_allclose(table["baseline_geometric_mean"], 4.0)
    row = table.query("reliability == 0.5 and population_geometric_mean == 1")
    np.testing.assert_allclose(row["gmr_regression"], 0.5)
    np.testing.assert_allclose(row["fall_regression"], 0.5)
    np.testing.assert_allclose(row["gmr_beyond"], 1.0)
    rising = table.query("population_geometric_mean == 5.6")
    assert (rising["fall_regression"] < 0).all()
    # without an observed ratio there is nothing to divide
    assert regression_table([1.0])["gmr_beyond"].isna().all()


def test_the_table_refuses_what_it_cannot_use() -> None:
    with pytest.raises(ValueError, match="no baseline"):
        regression_table([np.nan])
    with pytest.raises(ValueError, match="above 0"):
        regression_table([1.0], population_means=[0.0])
