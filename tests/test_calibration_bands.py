"""Bands of the ECDF of ranks: exact on a small case, and against simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mnbayes.analyses.calibration.bands import check, critical, simultaneous
from mnbayes.analyses.calibration.ranks import counts, ranks
from mnbayes.analyses.calibration.result import reading

UNIFORM = np.full(10, 100)


def smallest_tail(found: np.ndarray, size: int, values: int) -> float:
    """Twice the smallest binomial tail of the ECDF, by scipy alone."""
    position = np.arange(1, values) / values
    number = np.cumsum(found)[:-1]
    below = stats.binom.cdf(number, size, position)
    return 2.0 * float(np.minimum(below, stats.binom.sf(number - 1, size, position)).min())


def test_probability_of_the_band_by_listing_every_outcome() -> None:
    size, values = 4, 3
    outcomes = [np.bincount(o, minlength=values) for o in product(range(values), repeat=size)]
    tails = np.array([smallest_tail(found, size, values) for found in outcomes])
    for gamma in (0.02, 0.1, 0.5, 0.9):
        share = np.mean(tails >= gamma * (1 - 1e-9))
        assert simultaneous(gamma, size, values) == pytest.approx(share, abs=1e-12)
    for found, tail in zip(outcomes, tails, strict=True):
        expected = np.mean(tails <= tail * (1 + 1e-9))
        assert check(found, 0.9).p_value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("size", "values"), [(10_000, 100), (250, 100), (300, 20)])
def test_bands_hold_uniform_ranks_as_often_as_they_say(size: int, values: int) -> None:
    rng = np.random.default_rng(size)
    for level in (0.8, 0.95):
        number = np.cumsum(rng.multinomial(size, np.full(values, 1 / values), 8000), axis=1)
        band = check(rng.multinomial(size, np.full(values, 1 / values)), level)
        share = number[:, :-1] / size - band.position[1:-1]
        slack = 1e-12
        held = (share >= band.lower[1:-1] - slack) & (share <= band.upper[1:-1] + slack)
        exact = simultaneous(critical(level, size, values), size, values)
        assert level <= exact < level + 0.03
        assert held.all(axis=1).mean() == pytest.approx(exact, abs=4 * np.sqrt(0.16 / 8000))


def test_outside_the_band_is_a_small_p_value() -> None:
    rng = np.random.default_rng(3)
    for found in rng.multinomial(200, np.full(20, 1 / 20), 200):
        result = check(found, 0.9)
        # At the edge the discrete band may hold a little more than its level.
        assert result.inside == (result.p_value > 0.1) or result.p_value == pytest.approx(0.1)


def test_even_ranks_are_in_the_middle_of_the_band() -> None:
    result = check(UNIFORM, 0.95)
    assert result.inside
    assert np.abs(result.difference).max() < 1e-12
    assert result.p_value == pytest.approx(1.0)
    np.testing.assert_allclose(result.lower, -result.upper[::-1], atol=1e-12)


def test_ranks_are_divided_by_the_true_number_of_draws() -> None:
    # Truths that never reach the upper fifth look uniform over what was seen, and are not.
    seen = np.repeat(np.arange(80), 5)
    assert check(counts(seen, 79), 0.95).inside
    found = check(counts(seen, 99), 0.95)
    assert not found.inside
    assert found.difference[found.farthest] == pytest.approx(0.2)
    assert reading(counts(seen, 99)) == "the draws lie too high"


@pytest.mark.parametrize(
    ("shape", "said"),
    [((3, 1), "too low"), ((1, 3), "too high"), ((3, 3), "too much"), ((0.5, 0.5), "too little")],
)
def test_what_the_ranks_say_of_the_draws(shape: tuple[float, float], said: str) -> None:
    rank = np.floor(100 * np.random.default_rng(2).beta(*shape, size=500)).astype(int)
    assert said in reading(counts(rank, 99))


def test_counts_refuse_ranks_that_cannot_be() -> None:
    np.testing.assert_array_equal(counts(np.array([0, 2, 2]), 3), [1, 0, 2, 0])
    with pytest.raises(ValueError, match="not between 0 and 3"):
        counts(np.array([4]), 3)
    with pytest.raises(ValueError, match="no ranks"):
        check(np.zeros(5, dtype=int), 0.95)


# Ranks


def test_ranks_by_hand() -> None:
    values = np.array([[2.5, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0], [9.0, 1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(ranks(values, np.random.default_rng(1)), [2, 0, 3])


def test_ties_are_broken_evenly() -> None:
    # The truth holds, as do three of five draws: ranks 2, 3, 4 and 5 are equally likely.
    row = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    found = ranks(np.tile(row, (8000, 1)), np.random.default_rng(1))
    np.testing.assert_allclose(np.bincount(found, minlength=6)[2:] / 8000, 0.25, atol=0.02)
    assert found.min() == 2


def test_a_rank_of_nothing_is_an_error() -> None:
    with pytest.raises(ArithmeticError, match="no value"):
        ranks(np.array([[1.0, np.nan]]), np.random.default_rng(1))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
@settings(max_examples=30)
def test_ranks_do_not_depend_on_the_scale(seed: int, draws: int) -> None:
    values = np.random.default_rng(seed).standard_normal((3, draws + 1)).round(1)
    plain, scaled, turned = (
        ranks(each, np.random.default_rng(1)) for each in (values, np.exp(values), -values)
    )
    np.testing.assert_array_equal(plain, scaled)
    assert ((plain >= 0) & (plain <= draws)).all()
    distinct = (values[:, 1:] != values[:, :1]).all(axis=1)
    np.testing.assert_array_equal((plain + turned)[distinct], draws)
