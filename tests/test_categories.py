from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnbayes.answers.categories import CATEGORIES, Interval, Kleene, classify
from mnbayes.cards.definitions import load_definitions

DEFINITIONS = load_definitions(Path(__file__).parents[1] / "models" / "definitions.toml")

# Levels on and around every threshold, so that Hypothesis meets the boundaries.
PROTEIN = st.one_of(
    st.floats(np.log(0.02), np.log(20.0)),
    st.sampled_from([0.15, 0.2999, 0.3, 0.6, 1.75, 3.0, 3.4999, 3.5, 7.0]).map(np.log),
)
ALBUMIN = st.one_of(
    st.floats(np.log(10.0), np.log(55.0)), st.sampled_from([34.99, 35.0, 36.0]).map(np.log)
)


def one(baseline: float, visit: float, albumin: float | None) -> set[str]:
    met = classify(
        np.log([baseline]),
        np.log([visit]),
        None if albumin is None else np.log([albumin]),
        DEFINITIONS,
    )
    return {category for category, holds in met.items() if holds[0]}


@pytest.mark.parametrize(
    ("baseline", "visit", "albumin", "categories"),
    [
        (6.0, 0.29, 36.0, {"complete", "remission", "effective"}),
        (6.0, 0.29, 35.0, {"complete", "remission", "effective"}),  # exactly 35 is normal
        (6.0, 0.29, 34.9, {"partial", "remission", "effective"}),
        (6.0, 0.3, 40.0, {"partial", "remission", "effective"}),  # exactly 0.3 is not complete
        (3.2, 1.6, 30.0, {"partial", "remission", "effective"}),  # exactly half is partial
        (0.9, 0.45, 30.0, {"partial", "remission", "effective"}),
        (3.2, 1.601, 30.0, {"effective"}),
        (8.0, 3.5, 30.0, {"effective"}),  # exactly 3.5 is nephrotic
        (8.0, 3.49, 30.0, {"partial", "remission", "effective"}),
        (4.0, 3.4, 30.0, {"effective"}),  # exactly 15 %
        (4.0, 3.41, 30.0, {"none"}),
        (4.0, 5.0, 30.0, {"none"}),
        # a fall too small to count, to a level that does: nests by definition
        (0.31, 0.29, 38.0, {"complete", "remission", "effective"}),
        (1.2, 0.288, 36.0, {"complete", "remission", "effective"}),  # the trial's CR: 76 %
        (4.0, 1.0, None, {"effective"}),
        (4.0, 4.0, None, {"none"}),
        (0.31, 0.29, None, {"none"}),  # without albumin the fall alone counts
    ],
)
def test_hand_computed_cases(
    baseline: float, visit: float, albumin: float | None, categories: set[str]
) -> None:
    assert one(baseline, visit, albumin) == categories


@pytest.mark.parametrize("baseline", np.round(np.arange(0.1, 12, 0.37), 2))
def test_an_exact_fall_counts_whatever_the_rounding_of_the_logarithms(baseline: float) -> None:
    assert "effective" in one(baseline, baseline * 0.85, 20.0)
    assert ("partial" in one(baseline, baseline * 0.5, 20.0)) == (baseline * 0.5 < 3.5)


def test_without_albumin_nothing_is_guessed() -> None:
    assert set(classify(np.zeros(2), np.zeros(2), None, DEFINITIONS)) == {"effective", "none"}


@given(baseline=PROTEIN, visit=PROTEIN, albumin=ALBUMIN)
def test_categories_exclude_and_nest(baseline: float, visit: float, albumin: float) -> None:
    met = classify(np.array(baseline), np.array(visit), np.array(albumin), DEFINITIONS)
    assert set(met) == set(CATEGORIES)
    assert not (met["complete"] & met["partial"])
    assert met["remission"] == (met["complete"] | met["partial"])
    assert met["effective"] >= met["remission"]
    assert met["none"] != met["effective"]


@given(baseline=PROTEIN, visits=st.tuples(PROTEIN, PROTEIN), albumin=ALBUMIN)
def test_a_larger_fall_never_loses_a_response(
    baseline: float, visits: tuple[float, float], albumin: float
) -> None:
    low, high = sorted(visits)
    for level in (np.array(albumin), None):
        better = classify(np.array(baseline), np.array(low), level, DEFINITIONS)
        worse = classify(np.array(baseline), np.array(high), level, DEFINITIONS)
        for category in {"complete", "remission", "effective"} & set(better):
            assert better[category] >= worse[category]


def interval(levels: st.SearchStrategy[float]) -> st.SearchStrategy[tuple[float, float, float]]:
    """Lower bound, a point inside, upper bound; open on a side now and then."""
    return st.tuples(levels, levels, levels, st.booleans(), st.booleans()).map(
        lambda drawn: (
            -np.inf if drawn[3] else min(drawn[:3]),
            sorted(drawn[:3])[1],
            np.inf if drawn[4] else max(drawn[:3]),
        )
    )


@given(baseline=interval(PROTEIN), visit=interval(PROTEIN), albumin=interval(ALBUMIN))
def test_intervals_agree_with_every_point_inside(
    baseline: tuple[float, float, float],
    visit: tuple[float, float, float],
    albumin: tuple[float, float, float],
) -> None:
    levels = [
        Interval(np.array(low), np.array(high)) for low, _, high in (baseline, visit, albumin)
    ]
    decided = classify(*levels, DEFINITIONS)
    inside = [np.array(level[1]) for level in (baseline, visit, albumin)]
    exact = classify(*inside, DEFINITIONS)
    for category in CATEGORIES:
        assert decided[category].must <= exact[category] <= decided[category].may


@given(baseline=interval(PROTEIN), visit=interval(PROTEIN), albumin=interval(ALBUMIN))
def test_intervals_are_sharp_at_their_corners(
    baseline: tuple[float, float, float],
    visit: tuple[float, float, float],
    albumin: tuple[float, float, float],
) -> None:
    # An open side is closed far away, so that the corner exists.
    far = 50.0
    (b0, b1), (v0, v1), (a0, a1) = (
        (max(low, -far), min(high, far)) for low, _, high in (baseline, visit, albumin)
    )
    levels = [Interval(np.array(p), np.array(q)) for p, q in ((b0, b1), (v0, v1), (a0, a1))]
    decided = classify(*levels, DEFINITIONS)
    worst = classify(np.array(b0), np.array(v1), np.array(a0), DEFINITIONS)
    best = classify(np.array(b1), np.array(v0), np.array(a1), DEFINITIONS)
    for category in ("complete", "remission", "effective"):
        assert decided[category].must == worst[category]
        assert decided[category].may == best[category]


LEVELS = arrays(np.float64, 6, elements=st.floats(-2, 3))


@given(baseline=LEVELS, visit=LEVELS, albumin=arrays(np.float64, 6, elements=st.floats(3, 4)))
def test_a_point_is_an_interval_without_doubt(
    baseline: np.ndarray, visit: np.ndarray, albumin: np.ndarray
) -> None:
    exact = classify(baseline, visit, albumin, DEFINITIONS)
    points = [Interval(level, level) for level in (baseline, visit, albumin)]
    for category, statement in classify(*points, DEFINITIONS).items():
        np.testing.assert_array_equal(statement.value, exact[category])


def test_remission_is_decided_without_albumin_where_partial_or_complete_is_enough() -> None:
    exact = [Interval(np.log([level]), np.log([level])) for level in (6.0, 0.2)]
    unknown = Interval(np.array([-np.inf]), np.array([np.inf]))
    met = classify(*exact, unknown, DEFINITIONS)
    assert met["remission"].must[0]
    assert np.isnan(met["complete"].value[0])
    assert np.isnan(met["partial"].value[0])


def test_a_censored_level_below_all_thresholds_is_decided() -> None:
    visit = Interval(np.array([-np.inf]), np.log([0.15]))
    baseline, albumin = (Interval(np.log([x]), np.log([x])) for x in (2.0, 38.0))
    met = classify(baseline, visit, albumin, DEFINITIONS)
    assert {c: float(met[c].value[0]) for c in CATEGORIES} == {
        "complete": 1,
        "partial": 0,
        "remission": 1,
        "effective": 1,
        "none": 0,
    }


def test_kleene_truth_tables() -> None:
    true, unknown, false = 1.0, np.nan, 0.0
    values = np.array([true, unknown, false])
    statement = Kleene(np.array([True, False, False]), np.array([True, True, False]))
    left = Kleene(statement.must[:, None], statement.may[:, None])
    np.testing.assert_array_equal(statement.value, values)
    np.testing.assert_array_equal((~statement).value, [false, unknown, true])
    np.testing.assert_array_equal(
        (left & statement).value,
        [[true, unknown, false], [unknown, unknown, false], [false, false, false]],
    )
    np.testing.assert_array_equal(
        (left | statement).value,
        [[true, true, true], [true, unknown, unknown], [true, unknown, false]],
    )


def test_intervals_of_measurements() -> None:
    nan, inf = np.nan, np.inf
    # exact; below a limit; above a limit; a range; missing
    made = Interval.from_measurements(
        np.array([1.0, nan, nan, nan, nan]),
        np.array([nan, -inf, 2.0, 0.5, nan]),
        np.array([nan, 0.0, inf, 0.7, nan]),
    )
    np.testing.assert_array_equal(made.lower, [1.0, -inf, 2.0, 0.5, -inf])
    np.testing.assert_allclose(made.upper, [1.0, 0.0, inf, 0.7, inf], atol=1e-8)


@pytest.mark.parametrize(("lower", "upper"), [(1.0, 0.0), (np.nan, 1.0)])
def test_an_impossible_interval_is_refused(lower: float, upper: float) -> None:
    with pytest.raises(ValueError, match="lower <= upper"):
        Interval(np.array([lower]), np.array([upper]))


def test_arrays_and_intervals_do_not_mix() -> None:
    level, known = np.zeros(1), Interval(np.zeros(1), np.zeros(1))
    for arguments in ((level, known, None), (known, known, level), (level, level, known)):
        with pytest.raises(TypeError, match="all intervals"):
            classify(*arguments, DEFINITIONS)  # type: ignore[call-overload]


def test_below_a_limit_is_below_it() -> None:
    """A value recorded as "<0.3" meets "below 0.3", one recorded as "<0.31" may."""
    nan = np.full(2, np.nan)
    visit = Interval.from_measurements(nan, np.full(2, -np.inf), np.log([0.3, 0.31]))
    exact = Interval.from_measurements(np.log([1.0, 1.0]), nan, nan)
    albumin = Interval.from_measurements(np.log([40.0, 40.0]), nan, nan)
    complete = classify(exact, visit, albumin, load_definitions())["complete"]
    assert complete.must.tolist() == [True, False]
    assert complete.may.tolist() == [True, True]
