"""Groups of patients as the likelihood reads them, and factors of correlation matrices."""

import numpy as np

from mnbayes.models.hyperparameters import cholesky_from_unit
from mnbayes.numerics.correlation_factor import correlation_cholesky
from mnbayes.numerics.groups import group_patients

WEEKS = np.array([0.0, 1.0, 2.0, 4.0])


def test_groups_of_equal_patients_merge() -> None:
    y = np.zeros((100, 4, 1))
    times = np.tile(WEEKS, (100, 1))
    groups = group_patients(y, np.zeros(y.shape, bool), np.zeros(100), times, one_each=False)
    assert groups.size.tolist() == [100.0]
    assert groups.mean.tolist() == [0.0] * 4
    np.testing.assert_array_equal(groups.times, WEEKS[None])


def test_patients_merge_with_those_who_came_at_the_same_times() -> None:
    y = np.zeros((5, 4, 1))
    times = np.tile(WEEKS, (5, 1))
    times[[1, 3], 2] = 2.5
    groups = group_patients(y, np.zeros(y.shape, bool), np.zeros(5), times, one_each=False)
    assert groups.member.tolist() == [0, 2, 4, 1, 3]
    assert groups.size.tolist() == [3.0, 2.0]
    np.testing.assert_array_equal(groups.times[groups.schedule], times)


def test_cholesky_of_two_by_two_is_the_closed_form() -> None:
    factor = correlation_cholesky(np.array([0.6]), 2)
    np.testing.assert_allclose(factor, [[1.0, 0.0], [0.6, 0.8]])


def test_vectorised_cholesky_is_the_compiled_one() -> None:
    unit = np.random.default_rng(1).uniform(size=(5, 6))
    factors = cholesky_from_unit(unit, 4)
    for row, factor in zip(unit, factors, strict=True):
        np.testing.assert_allclose(factor, correlation_cholesky(2 * row - 1, 4))
        np.testing.assert_allclose(np.diag(factor @ factor.T), 1.0)
