from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mnbayes.answers.categories import (
    Interval,
    Judge,
    Kleene,
    classify,
    classify_course,
    judge,
)
from mnbayes.cards.definitions import (
    ALBUMIN,
    PROTEIN,
    Definitions,
    load_definitions,
    parse_definitions,
)
from mnbayes.data.markers import MARKERS

DEFINITIONS = load_definitions("embedded")
CATEGORIES = DEFINITIONS.categories
WITH, WITHOUT = (
    judge(DEFINITIONS, markers, MARKERS) for markers in ((PROTEIN, ALBUMIN), (PROTEIN,))
)


def met(baseline, visit, albumin):  # type: ignore[no-untyped-def]
    """The embedded trial's categories, with and without albumin in the model."""
    judged = WITHOUT if albumin is None else WITH
    at_visit = {PROTEIN: visit} if albumin is None else {PROTEIN: visit, ALBUMIN: albumin}
    return classify(judged, {PROTEIN: baseline}, at_visit)


# Levels on and around every threshold, so that Hypothesis meets the boundaries.
PROTEINS = st.one_of(
    st.floats(np.log(0.02), np.log(20.0)),
    st.sampled_from([0.15, 0.2999, 0.3, 0.6, 1.75, 3.0, 3.4999, 3.5, 7.0]).map(np.log),
)
ALBUMINS = st.one_of(
    st.floats(np.log(10.0), np.log(55.0)), st.sampled_from([34.99, 35.0, 36.0]).map(np.log)
)


def one(baseline: float, visit: float, albumin: float | None) -> set[str]:
    found = met(np.log([baseline]), np.log([visit]), None if albumin is None else np.log([albumin]))
    return {category for category, holds in found.items() if holds[0]}


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
    assert set(met(np.zeros(2), np.zeros(2), None)) == {"effective", "none"}


@given(baseline=PROTEINS, visit=PROTEINS, albumin=ALBUMINS)
def test_categories_exclude_and_nest(baseline: float, visit: float, albumin: float) -> None:
    found = met(np.array(baseline), np.array(visit), np.array(albumin))
    assert tuple(found) == CATEGORIES
    assert not (found["complete"] & found["partial"])
    assert found["remission"] == (found["complete"] | found["partial"])
    assert found["effective"] >= found["remission"]
    assert found["none"] != found["effective"]


@given(baseline=PROTEINS, visits=st.tuples(PROTEINS, PROTEINS), albumin=ALBUMINS)
def test_a_larger_fall_never_loses_a_response(
    baseline: float, visits: tuple[float, float], albumin: float
) -> None:
    low, high = sorted(visits)
    for level in (np.array(albumin), None):
        better = met(np.array(baseline), np.array(low), level)
        worse = met(np.array(baseline), np.array(high), level)
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


@given(baseline=interval(PROTEINS), visit=interval(PROTEINS), albumin=interval(ALBUMINS))
def test_intervals_agree_with_every_point_inside(
    baseline: tuple[float, float, float],
    visit: tuple[float, float, float],
    albumin: tuple[float, float, float],
) -> None:
    levels = [
        Interval(np.array(low), np.array(high)) for low, _, high in (baseline, visit, albumin)
    ]
    decided = met(*levels)
    inside = [np.array(level[1]) for level in (baseline, visit, albumin)]
    exact = met(*inside)
    for category in CATEGORIES:
        assert decided[category].must <= exact[category] <= decided[category].may


@given(baseline=interval(PROTEINS), visit=interval(PROTEINS), albumin=interval(ALBUMINS))
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
    decided = met(*levels)
    worst = met(np.array(b0), np.array(v1), np.array(a0))
    best = met(np.array(b1), np.array(v0), np.array(a1))
    for category in ("complete", "remission", "effective"):
        assert decided[category].must == worst[category]
        assert decided[category].may == best[category]


LEVELS = arrays(np.float64, 6, elements=st.floats(-2, 3))


@given(baseline=LEVELS, visit=LEVELS, albumin=arrays(np.float64, 6, elements=st.floats(3, 4)))
def test_a_point_is_an_interval_without_doubt(
    baseline: np.ndarray, visit: np.ndarray, albumin: np.ndarray
) -> None:
    exact = met(baseline, visit, albumin)
    points = [Interval(level, level) for level in (baseline, visit, albumin)]
    for category, statement in met(*points).items():
        np.testing.assert_array_equal(statement.value, exact[category])


def test_remission_is_decided_without_albumin_where_partial_or_complete_is_enough() -> None:
    exact = [Interval(np.log([level]), np.log([level])) for level in (6.0, 0.2)]
    unknown = Interval(np.array([-np.inf]), np.array([np.inf]))
    found = met(*exact, unknown)
    assert found["remission"].must[0]
    assert np.isnan(found["complete"].value[0])
    assert np.isnan(found["partial"].value[0])


def test_a_censored_level_below_all_thresholds_is_decided() -> None:
    visit = Interval(np.array([-np.inf]), np.log([0.15]))
    baseline, albumin = (Interval(np.log([x]), np.log([x])) for x in (2.0, 38.0))
    found = met(baseline, visit, albumin)
    assert {c: float(found[c].value[0]) for c in CATEGORIES} == {
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
            met(*arguments)


def test_below_a_limit_is_below_it() -> None:
    """A value recorded as "<0.3" meets "below 0.3", one recorded as "<0.31" may."""
    nan = np.full(2, np.nan)
    visit = Interval.from_measurements(nan, np.full(2, -np.inf), np.log([0.3, 0.31]))
    exact = Interval.from_measurements(np.log([1.0, 1.0]), nan, nan)
    albumin = Interval.from_measurements(np.log([40.0, 40.0]), nan, nan)
    complete = met(exact, visit, albumin)["complete"]
    assert complete.must.tolist() == [True, False]
    assert complete.may.tolist() == [True, True]


LEVEL = {"urine_protein_24h": "g/24h", "albumin": "g/L", "upcr": "g/g", "egfr": "mL/min/1.73m2"}


def logs(levels: dict[str, float]) -> dict[str, np.ndarray]:
    return {name: np.log([level]) for name, level in levels.items()}


def holds(
    name: str,
    baseline: dict[str, float],
    visit: dict[str, float],
    following: dict[str, float] | None = None,
) -> set[str]:
    """Categories of one patient by shipped definitions, for a model of the given markers."""
    judged = judge(load_definitions(name), tuple(visit), MARKERS)
    later = None if following is None else logs(following)
    found = classify(judged, logs(baseline), logs(visit), later)
    return {category for category, truth in found.items() if truth[0]}


CR, PR, NONE = {"complete", "remission"}, {"partial", "remission"}, {"none"}


@pytest.mark.parametrize(
    ("name", "baseline", "visit", "categories"),
    [
        # protein, albumin (and eGFR) at baseline and at the visit
        ("kdigo_mn_protein", (6, 25), (0.29, 35), CR),
        ("kdigo_mn_protein", (6, 25), (0.29, 34.9), PR),
        ("kdigo_mn_protein", (7.02, 25), (3.5, 30), NONE),
        ("kdigo_mn_protein", (7, 25), (3.49, 30), PR),
        ("kdigo_mn_protein", (4, 25), (3.0, 36), NONE),
        ("kdigo_mn_protein", (6, 25, 80), (0.29, 35, 68), CR),  # eGFR fallen by 15 % exactly
        ("kdigo_mn_protein", (6, 25, 80), (0.29, 35, 67.9), NONE),
        ("kdigo_mn_protein", (6, 25, 80), (2.0, 30, 95), PR),
        ("kdigo_mn_protein", (6, 25, 80), (2.0, 30, 50), NONE),
    ],
)
def test_membranous_nephropathy_by_protein(
    name: str, baseline: tuple[float, ...], visit: tuple[float, ...], categories: set[str]
) -> None:
    markers = (PROTEIN, ALBUMIN, "egfr")[: len(visit)]
    pairs = (dict(zip(markers, levels, strict=True)) for levels in (baseline, visit))
    assert holds(name, *pairs) == categories


@pytest.mark.parametrize(
    ("baseline", "visit", "categories"),
    [
        # ratio in g/g, eGFR
        ((4, 80), (0.49, 80), {"complete", "response"}),
        ((4, 80), (0.5, 80), {"partial", "response"}),
        ((0.8, 80), (0.49, 80), {"complete", "response"}),  # whatever the fall
        ((0.8, 80), (0.5, 80), {"none"}),  # neither half nor below 0.5
        ((6, 80), (3.0, 80), {"none"}),
        ((6.2, 80), (2.99, 80), {"partial", "response"}),
        ((4, 80), (0.3, 67), {"none"}),  # the kidney got worse
        ((4, None), (0.3, None), {"complete", "response"}),  # eGFR not measured: dropped
    ],
)
def test_lupus_nephritis(
    baseline: tuple[float, float], visit: tuple[float, float], categories: set[str]
) -> None:
    first, last = (
        {name: level for name, level in zip(("upcr", "egfr"), pair, strict=True) if level}
        for pair in (baseline, visit)
    )
    assert holds("lupus_nephritis", first, last) == categories


@pytest.mark.parametrize(
    ("baseline", "visit", "categories"),
    [
        (4.0, 1.49, {"partial"}),
        (4.0, 1.5, {"none"}),
        (2.0, 1.2, {"partial"}),  # 40 % exactly
        (2.0, 1.21, {"none"}),
    ],
)
def test_focal_segmental_glomerulosclerosis(
    baseline: float, visit: float, categories: set[str]
) -> None:
    assert holds("fsgs_partial", {"upcr": baseline}, {"upcr": visit}) == categories


@pytest.mark.parametrize(
    ("marker", "baseline", "visit", "categories"),
    [
        ("crp", 20.0, 10.0, {"half"}),
        ("crp", 20.0, 10.1, {"none"}),
        ("egfr", 40.0, 60.0, {"half"}),  # more is better: a rise by half
        ("egfr", 40.0, 59.0, {"none"}),
        ("egfr", 40.0, 20.0, {"none"}),
    ],
)
def test_better_by_half_of_any_marker(
    marker: str, baseline: float, visit: float, categories: set[str]
) -> None:
    assert holds("fall_by_half", {marker: baseline}, {marker: visit}) == categories


def test_a_change_of_a_percentage_is_a_share_of_the_percentage() -> None:
    """On the logit scale too: 40 % to 20 % is a fall by half, whatever it is of the odds."""
    text = {
        "name": "cells",
        "title": "cells",
        "category": [
            {
                "name": "low",
                "label": "low",
                "short": "low",
                "patients": "low",
                "all": [
                    {"marker": "b_pct", "fall_at_least": 0.5, "why": "x", "source": "x"},
                    {"marker": "b_pct", "below": 25.0, "unit": "%", "why": "x", "source": "x"},
                ],
            }
        ],
    }
    marker = next(m for m in MARKERS.values() if m.scale == "logit")
    catalogue = {"b_pct": marker.model_copy(update={"name": "b_pct"})}
    judged = judge(parse_definitions(text, "x"), ("b_pct",), catalogue)
    levels = [
        {"b_pct": marker.on_scale(np.array(level))}
        for level in ([40.0, 40.0, 60.0], [20.0, 20.1, 25.0])
    ]
    assert classify(judged, *levels)["low"].tolist() == [True, False, False]


def test_confirmed_on_a_course_by_hand() -> None:
    """Weeks 4, 12, 24 and 36; protein from 8 g, albumin 40 throughout."""
    judged = judge(load_definitions("kdigo_mn_protein_confirmed"), (PROTEIN, ALBUMIN), MARKERS)
    assert judged.confirmed == {"complete", "partial", "remission", "none"}
    course = np.array(
        [
            [0.2, 0.2, 2.0, 5.0],  # complete, complete, partial, lost
            [2.0, 0.2, 0.2, 0.2],  # partial first, then complete for good
            [2.0, 6.0, 2.0, 2.0],  # not confirmed, none, confirmed
        ]
    )
    visits = {PROTEIN: np.log(course), ALBUMIN: np.log(np.full(course.shape, 40.0))}
    first = {PROTEIN: np.log(np.full(3, 8.0)), ALBUMIN: np.log(np.full(3, 25.0))}
    found = classify_course(judged, first, visits)
    nan = np.nan
    expected = {
        "complete": [[1, 0, 0, nan], [0, 1, 1, nan], [0, 0, 0, nan]],
        "partial": [[0, 1, 0, nan], [1, 0, 0, nan], [0, 0, 1, nan]],
        "remission": [[1, 1, 0, nan], [1, 1, 1, nan], [0, 0, 1, nan]],
        "none": [[0, 0, 1, nan], [0, 0, 0, nan], [1, 1, 0, nan]],
    }
    for category, values in expected.items():
        np.testing.assert_array_equal(found[category], values, err_msg=category)
    assert "remission" not in classify(judged, first, {k: v[:, 0] for k, v in visits.items()})


def test_what_a_model_lacks_is_said() -> None:
    assert dict(WITH.reasons) == {}
    assert dict(WITH.notes) == {}
    reason = "needs albumin, which is not in this model"
    assert dict(WITHOUT.reasons) == dict.fromkeys(("complete", "partial", "remission"), reason)
    assert set(WITHOUT.notes) == {"effective"}
    nothing = judge(DEFINITIONS, ("cd3",), MARKERS)
    assert nothing.categories == ()
    assert nothing.reasons["none"] == "needs urine_protein_24h, which is not in this model"
    kdigo = judge(load_definitions("kdigo_mn_protein"), (PROTEIN, ALBUMIN), MARKERS)
    assert set(kdigo.notes) == {"complete", "partial"}  # eGFR, where measured
    assert (
        dict(judge(load_definitions("kdigo_mn_protein"), (PROTEIN, ALBUMIN, "egfr"), MARKERS).notes)
        == {}
    )


def test_categories_that_do_not_overlap() -> None:
    parts = (("complete", None), ("partial", None), ("effective", "remission"), ("none", None))
    assert WITH.parts == parts
    assert WITHOUT.parts == (("effective", None), ("none", None))


def random_definitions(drawn: list[tuple[int, str, float, int]]) -> Definitions:
    """Three categories of random criteria on two markers, one excluding another."""
    kinds = ("below", "at_least", "fall_at_least", "fall_at_most", "rise_at_least", "rise_at_most")
    parts: list[list[dict[str, object]]] = [[], [], []]
    for place, marker, value, kind in drawn:
        part: dict[str, object] = {"marker": marker, "why": "x", "source": "x"}
        part[kinds[kind]] = {LEVEL[marker]: 50 * value} if kind < 2 else value
        parts[place].append(part)
    words = {"label": "x", "short": "x", "patients": "x"}
    category = [
        {"name": f"c{i}", "all" if i < 2 else "any": own, **words}
        for i, own in enumerate(parts)
        if own
    ]
    names = [str(each["name"]) for each in category]
    category.append({"name": "either", "any": names, **words})
    category.append({"name": "last", "any": names[-1:], "not": names[:1], **words})
    return parse_definitions({"name": "x", "title": "x", "category": category}, "x")


PARTS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from([PROTEIN, ALBUMIN]),
        st.sampled_from([0.2, 0.5, 0.7]),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=5,
)
CORNERS = st.tuples(*[st.sampled_from([8.0, 12.0, 24.0, 26.0, 40.0])] * 8)


@given(drawn=PARTS, ends=CORNERS)
def test_intervals_against_every_corner(
    drawn: list[tuple[int, str, float, int]], ends: tuple[float, ...]
) -> None:
    """What must hold does at every corner, what may not holds at none, whatever the criteria.

    Where all criteria of a category are easiest at one corner, the verdict is that of the corners.
    """
    judged = judge(random_definitions(drawn), (PROTEIN, ALBUMIN), MARKERS)
    pairs = [sorted(np.log(ends[i : i + 2])) for i in range(0, 8, 2)]
    intervals = [Interval(np.array([low]), np.array([high])) for low, high in pairs]
    decided = classify(
        judged,
        {PROTEIN: intervals[0], ALBUMIN: intervals[1]},
        {PROTEIN: intervals[2], ALBUMIN: intervals[3]},
    )
    points = np.array(list(product(*pairs))).T
    exact = classify(
        judged,
        {PROTEIN: points[0], ALBUMIN: points[1]},
        {PROTEIN: points[2], ALBUMIN: points[3]},
    )
    for category, statement in decided.items():
        assert statement.must[0] <= exact[category].all()
        assert exact[category].any() <= statement.may[0]
        if one_corner(judged, category):
            assert statement.must[0] == exact[category].all()
            assert statement.may[0] == exact[category].any()


def one_corner(judged: Judge, category: str) -> bool:
    """Whether a category is a plain ``all`` of criteria that are easiest at the same corner."""
    rule = judged.definitions.rule(category)
    if rule.without or rule.either:
        return False
    directions: set[tuple[str, str, bool]] = set()
    for part in rule.every:
        up = part.kind in ("at_least", "fall_at_most", "rise_at_least")
        directions.add((str(part.marker), "visit", up))
        if part.kind not in ("below", "at_least"):
            directions.add((str(part.marker), "baseline", not up))
    return len({each[:2] for each in directions}) == len(directions)
