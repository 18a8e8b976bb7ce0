"""Simon's designs against his tables, and against a search that knows no short cuts."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from mnbayes.analyses.design.simon import TwoStageDesign, single_stage, two_stage

#: Simon 1989, tables 1 and 2: p0, p1, alpha, beta; optimal and minimax as r1/n1, r/n, EN, PET.
#: PET is left out where the printed table is not at hand.
TABLE = [
    ((0.10, 0.30, 0.05, 0.20), (1, 10, 5, 29, 15.0, 0.74), (1, 15, 5, 25, 19.5, 0.55)),
    ((0.20, 0.40, 0.05, 0.20), (3, 13, 12, 43, 20.6, 0.75), (4, 18, 10, 33, 22.3, None)),
    ((0.30, 0.50, 0.05, 0.20), (5, 15, 18, 46, 23.6, 0.72), (6, 19, 16, 39, 25.7, None)),
    ((0.40, 0.60, 0.05, 0.20), (7, 16, 23, 46, 24.5, 0.72), (17, 34, 20, 39, 34.4, 0.91)),
    ((0.50, 0.70, 0.05, 0.20), (8, 15, 26, 43, 23.5, 0.70), (12, 23, 23, 37, 27.7, 0.66)),
    ((0.05, 0.25, 0.05, 0.20), (0, 9, 2, 17, 12.0, 0.63), (0, 12, 2, 16, 13.8, 0.54)),
    ((0.10, 0.30, 0.10, 0.10), (1, 12, 5, 35, 19.8, None), (1, 16, 4, 25, 20.4, 0.51)),
    ((0.10, 0.30, 0.05, 0.10), (2, 18, 6, 35, 22.5, None), (2, 22, 6, 33, 26.2, 0.62)),
    ((0.20, 0.35, 0.10, 0.10), (5, 27, 16, 63, 43.6, 0.54), (6, 33, 15, 58, 45.5, 0.50)),
]


@pytest.mark.parametrize(("errors", "optimal", "minimax"), TABLE)
def test_the_published_tables(errors, optimal, minimax) -> None:
    found = two_stage(*errors)
    assert found is not None
    for design, (*sizes, expected, stops) in zip(found, (optimal, minimax), strict=True):
        assert [design.r1, design.n1, design.r, design.n] == sizes
        assert float(design.expected(errors[0])) == pytest.approx(expected, abs=0.051)
        if stops is not None:
            assert float(design.stops(errors[0])) == pytest.approx(stops, abs=0.0051)
        assert float(design.recommends(errors[0])) <= errors[2]
        assert float(design.recommends(errors[1])) >= 1 - errors[3]


def _by_hand(design: TwoStageDesign, p: float) -> float:
    rest = design.n - design.n1
    return sum(
        binom.pmf(x, design.n1, p) * binom.sf(design.r - x, rest, p)
        for x in range(design.r1 + 1, design.n1 + 1)
    )


def test_a_search_without_short_cuts_finds_the_same() -> None:
    p0, p1, alpha, beta = 0.2, 0.6, 0.1, 0.15
    best: list[tuple[float, int, TwoStageDesign]] = []
    for n in range(2, 12):
        for n1, r in product(range(1, n), range(n)):
            for r1 in range(min(n1, r + 1)):
                design = TwoStageDesign(r1, n1, r, n)
                if _by_hand(design, p0) <= alpha and _by_hand(design, p1) >= 1 - beta:
                    stop = binom.cdf(r1, n1, p0)
                    best.append((n1 + (1 - stop) * (n - n1), n, design))
    optimal = min(best, key=lambda item: item[0])
    fewest = min(item[1] for item in best)
    minimax = min((item for item in best if item[1] == fewest), key=lambda item: item[0])
    assert two_stage(p0, p1, alpha, beta) == (optimal[2], minimax[2])


@settings(max_examples=40)
@given(
    st.integers(2, 30).flatmap(
        lambda n: st.tuples(st.just(n), st.integers(1, n - 1), st.integers(0, n - 1))
    ),
    st.floats(0.02, 0.98),
    st.randoms(use_true_random=False),
)
def test_the_chance_of_a_design_is_its_sum(sizes, share, random) -> None:
    n, n1, r = sizes
    design = TwoStageDesign(random.randrange(n1), n1, r, n)
    assert float(design.recommends(share)) == pytest.approx(_by_hand(design, share), abs=1e-12)
    assert float(design.expected(share)) == pytest.approx(
        n1 + binom.sf(design.r1, n1, share) * (n - n1)
    )
    higher = design.recommends(np.array([share, min(1.0, share + 0.05)]))
    assert higher[1] >= higher[0] - 1e-12


def test_one_stage_has_the_fewest_patients_of_the_exact_test() -> None:
    # A'Hern 2001, doi:10.1002/sim.721: 6 or more of 25.
    assert single_stage(0.1, 0.3, 0.05, 0.2) == TwoStageDesign(5, 25, 5, 25)
    for n in range(1, 25):
        least = next(k for k in range(n + 2) if binom.sf(k - 1, n, 0.1) <= 0.05)
        assert binom.sf(least - 1, n, 0.3) < 0.8
    one = TwoStageDesign(5, 25, 5, 25)
    assert float(one.expected(0.4)) == 25
    assert float(one.stops(0.4)) == 0
    assert float(one.recommends(0.3)) == pytest.approx(binom.sf(5, 25, 0.3))


def test_values_too_close_have_no_design() -> None:
    assert two_stage(0.30, 0.31, 0.05, 0.2, 40) is None
    assert single_stage(0.30, 0.31, 0.05, 0.2, 40) is None
