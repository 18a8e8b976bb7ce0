"""Figures: what they say, where the lines are, and what they keep back."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import runs
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT, CARETRIGHT
from runs import BAD, DEFINITIONS, result_of, texts
from trees import make_tree

from mnbayes.analyses.checks import part as checks_part
from mnbayes.analyses.checks.figure import left_out, patient_checks, pit
from mnbayes.analyses.method.ranks import (
    MOST_PANELS,
    band,
    correlation_time,
    rank_differences,
    ranks,
)
from mnbayes.analyses.regression.figure import RELIABILITIES, regression_bound
from mnbayes.analyses.regression.figure import finding as regression_finding
from mnbayes.analyses.regression.part import stated
from mnbayes.analyses.results.arrows import arrows, finding, moves
from mnbayes.analyses.results.changes_figure import gmr_by_visit
from mnbayes.analyses.results.parameters import prior_posterior
from mnbayes.analyses.results.responses_figure import (
    LOOKS,
    NO_RESPONSE,
    NONE,
    looks,
    response_probabilities,
    segments,
)
from mnbayes.analyses.results.responses_section import measured_categories
from mnbayes.analyses.results.trajectories import trajectories
from mnbayes.answers.categories import judge
from mnbayes.answers.result import Result
from mnbayes.cards.definitions import load_definitions, parse_definitions
from mnbayes.data.markers import shipped_markers
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import Estimate, Row, forest, svg_bytes
from mnbayes.report.kit.measured import PANELS
from mnbayes.report.kit.parameters import density, scalars
from mnbayes.report.kit.plot_files import write_plot
from mnbayes.report.kit.results import best_measured

PROTEIN, ALBUMIN = "urine_protein_24h", "albumin"


@pytest.fixture(scope="module")
def both() -> Result:
    """Protein and albumin; P2 withdrew, P3's last protein is below a limit."""
    tree = make_tree(draws=60, missing=((1, 4, 0), (1, 4, 1)), censored_below=((2, 4, 0),))
    return result_of(tree, withdrew=((1, 8.0),))


@pytest.fixture(scope="module")
def protein() -> Result:
    return result_of(make_tree(markers=(PROTEIN,), draws=60))


@pytest.fixture(scope="module")
def many() -> Result:
    lymphocytes = ("cd3", "cd4", "cd8", "b_cell", "nk_cell")
    return result_of(make_tree(markers=(PROTEIN, ALBUMIN, *lymphocytes), draws=40, patients=4))


@pytest.fixture(scope="module")
def withheld() -> Result:
    return result_of(make_tree(markers=(PROTEIN,), draws=60), diagnostics=BAD)


def labels(figure: Figure, which: str) -> set[str]:
    return {getattr(ax, f"get_{which}label")() for ax in figure.axes} - {""}


def horizontal_lines(ax) -> set[float]:
    return {
        round(float(line.get_ydata()[0]), 6)
        for line in ax.lines
        if list(line.get_xdata()) == [0, 1] and len(set(line.get_ydata())) == 1
    }


def vertical_lines(ax) -> set[float]:
    return {
        round(float(line.get_xdata()[0]), 6)
        for line in ax.lines
        if list(line.get_ydata()) == [0, 1] and len(set(line.get_xdata())) == 1
    }


def draw_all(result: Result, synthetic: bool) -> dict[str, Figure]:
    return runs.all_figures(result, DEFINITIONS, synthetic)


@pytest.fixture(scope="module")
def figures(both: Result) -> dict[str, Figure]:
    return draw_all(both, True)


def test_all_figures_have_stable_names_in_reading_order(figures, protein):
    assert list(figures) == [
        "ranks",
        "gmr_by_visit",
        "trajectories_urine_protein_24h",
        "trajectories_albumin",
        "arrows",
        "response_probabilities",
        "prior_posterior",
        "correlations",
        "left_out_urine_protein_24h",
        "left_out_albumin",
        "pit",
        "patient_checks",
        "withdrawal_strategies",
        "tipping_curve",
        "regression_bound",
        "power_scaling",
    ]
    subsets = result_of(make_tree(markers=("cd4", "cd8"), draws=20, patients=2))
    names = set(draw_all(subsets, False))
    assert {"trajectories_cd4", "left_out_cd8", "arrows"} <= names
    assert "response_probabilities" not in names


def test_every_figure_says_that_the_cohort_is_synthetic_or_does_not(figures, protein):
    for name, figure in figures.items():
        assert "Synthetic cohort: no real patient." in texts(figure), name
    for name, figure in draw_all(protein, False).items():
        assert "Synthetic" not in texts(figure), name


def test_no_figure_speaks_of_an_effect_or_prints_long_numbers(figures):
    for name, figure in figures.items():
        words = texts(figure)
        assert not re.search(r"\beffects?\b", words, re.IGNORECASE), name
        assert not re.search(r"\d\.\d{4,}", words), name


def test_withheld_result_shows_only_what_helps_to_see_why(withheld):
    figures = draw_all(withheld, False)
    assert list(figures) == ["ranks"]
    assert "NOT CONVERGED (3 divergent transitions)" in texts(figures["ranks"])


def test_override_marks_every_figure():
    tree = make_tree(markers=(PROTEIN,), draws=20, patients=3)
    shown = result_of(tree, diagnostics=BAD, allow_unconverged=True)
    for name, figure in draw_all(shown, False).items():
        assert "NOT CONVERGED" in texts(figure), name


def test_axes_carry_units(figures, many):
    assert labels(figures["trajectories_urine_protein_24h"], "y") == {"g/24h"}
    assert labels(figures["trajectories_albumin"], "y") == {"g/L"}
    assert labels(figures["left_out_albumin"], "y") == {"g/L"}
    assert {"g/24h", "g/L"} < labels(figures["prior_posterior"], "x")
    # Baselines of different units do not share a panel.
    figure = runs.all_figures(many, DEFINITIONS, True, repeated=True)["prior_posterior"]
    levels = [ax for ax in figure.axes if ax.get_title(loc="left") == "typical baseline"]
    assert {ax.get_xlabel() for ax in levels} == {"g/24h", "g/L", "cells/uL"}


def test_thresholds_lie_where_the_definitions_put_them(figures):
    protein, albumin = (figures[f"trajectories_{m}"].axes for m in (PROTEIN, ALBUMIN))
    assert all(horizontal_lines(ax) == {0.3, 3.5} for ax in protein)
    # The upper end of the reference range; its lower one is the threshold.
    assert all(horizontal_lines(ax) == {35.0, 50.0} for ax in albumin)


def test_moved_thresholds_move_the_lines(both):
    data = DEFINITIONS.recorded()
    data["category"][1]["all"][1]["below"] = {"g/24h": 2.0}
    moved = parse_definitions(data, "x")
    assert horizontal_lines(trajectories(both, PROTEIN, moved, False).axes[0]) == {0.3, 2.0}


def test_trajectories_show_the_points_the_median_and_real_spacing(both):
    ax = trajectories(both, PROTEIN, DEFINITIONS, False).axes[0]
    points = next(line for line in ax.lines if line.get_marker() == "o")
    value = both.fit.observations.log_value[0, :, 0]
    np.testing.assert_allclose(points.get_ydata(), np.exp(value))
    np.testing.assert_array_equal(points.get_xdata(), [0, 1, 2, 4, 12])
    level = both.fit.tree["patients"]["level"].sel(marker=PROTEIN, patient="P1")
    median = next(line for line in ax.lines if line.get_linewidth() == 1.5)
    np.testing.assert_allclose(median.get_ydata(), np.exp(level.median(("chain", "draw"))))
    assert ax.get_yscale() == "log"
    assert list(ax.get_xticks()) == [0, 1, 2, 4, 12]


def test_prediction_and_withdrawal_are_marked_on_that_patient_alone(figures):
    figure = figures[f"trajectories_{PROTEIN}"]
    hatched = [any(c.get_hatch() for c in ax.collections) for ax in figure.axes]
    assert hatched == [False, True, *[False] * 6]
    diamond = next(line for line in figure.axes[1].lines if line.get_marker() == "D")
    assert list(diamond.get_xdata()) == [12]


def test_censored_value_is_an_arrow_from_its_limit(figures, both):
    limit = np.exp(both.fit.observations.log_upper[2, 4, 0])
    ax = figures[f"trajectories_{PROTEIN}"].axes[2]
    arrow = next(line for line in ax.lines if line.get_marker() == "v")
    bar = next(line for line in ax.lines if line.get_marker() == "_")
    assert bar.get_ydata()[0] == pytest.approx(limit)
    assert arrow.get_ydata()[0] < limit


def test_gmr_medians_and_reference_line(figures, both):
    for ax, marker in zip(figures["gmr_by_visit"].axes, (PROTEIN, ALBUMIN), strict=True):
        drawn = next(line for line in ax.lines if line.get_marker() == "o")
        rows = both.estimates[both.estimates["marker"] == marker]
        np.testing.assert_allclose(drawn.get_xdata(), rows["gmr_median"])
        prior = next(line for line in ax.lines if line.get_marker() == "s")
        np.testing.assert_allclose(prior.get_xdata(), rows["gmr_median_prior"])
        assert next(label.get_text() for label in ax.get_yticklabels()) == "week 1"
        thin = next(c for c in ax.collections if c.get_linewidth()[0] < 2)
        np.testing.assert_allclose(
            [segment[:, 0] for segment in thin.get_segments()], rows[["gmr_lower", "gmr_upper"]]
        )
        assert vertical_lines(ax) == {1.0}


def test_arrows_run_from_baseline_to_what_was_measured_best_first(both):
    ax = arrows(both, 12.0, DEFINITIONS, False).axes[0]
    found = moves(both, PROTEIN, 12.0)
    data = both.fit.observations
    value = np.exp(data.log_value[:, :, 0])
    rows = {move.patient: data.patients.index(move.patient) for move in found}
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rows)
    circles = next(line for line in ax.lines if line.get_marker() == "o")
    np.testing.assert_allclose(circles.get_xdata(), value[list(rows.values()), 0])
    changes = [move.end / move.start for move in found]
    assert changes == sorted(changes)
    for move in found:
        if move.patient not in ("P2", "P3"):
            assert (move.end, move.week) == (pytest.approx(value[rows[move.patient], 4]), 12.0)
    # P2 left in week 8 and was last seen at week 4; P3's last value is known as a bound alone.
    left, bound = (next(m for m in found if m.patient == name) for name in ("P2", "P3"))
    assert (left.week, left.withdrew, left.end) == (4.0, 8.0, pytest.approx(value[1, 3]))
    assert bound.bound
    assert bound.end == pytest.approx(np.exp(data.log_upper[2, 4, 0]))
    assert "week 4, left" in texts(ax.figure)


def test_arrows_rise_where_a_patient_rose_and_fall_where_one_fell(both):
    ax = arrows(both, 12.0, DEFINITIONS, False).axes[0]
    heads = {
        symbol: [x for line in ax.lines if line.get_marker() == symbol for x in line.get_xdata()]
        for symbol in (CARETLEFT, CARETRIGHT)
    }
    found = moves(both, PROTEIN, 12.0)
    for symbol, rises in ((CARETLEFT, False), (CARETRIGHT, True)):
        expected = [move.end for move in found if (move.end > move.start) == rises]
        assert sorted(heads[symbol]) == pytest.approx(sorted(expected))
    rows = sum(len(points) for points in heads.values())
    assert rows == len(found) == 8
    fell = len(heads[CARETLEFT])
    assert f"of 8 patients {fell} lower" in finding(both, DEFINITIONS, 12.0)


def test_arrows_show_thresholds_and_each_patients_half(both):
    ax = arrows(both, 12.0, DEFINITIONS, False).axes[0]
    assert vertical_lines(ax) == {0.3, 3.5}
    found = moves(both, PROTEIN, 12.0)
    halves = next(x for x in ax.lines if x.get_marker() == "|" and x.get_color() == style.RUST)
    np.testing.assert_allclose(halves.get_xdata(), [move.start / 2 for move in found])
    level = both.fit.tree["patients"]["level"].sel(marker=PROTEIN, visit=12.0)
    medians = next(x for x in ax.lines if x.get_marker() == "|" and x.get_color() == style.GREY)
    first = found[0]
    expected = float(np.exp(level.sel(patient=first.patient).median()))
    assert medians.get_xdata()[0] == pytest.approx(expected) == first.level[1]


def test_a_concentration_has_no_thresholds_of_24_hour_protein():
    concentration = result_of(make_tree(markers=("urine_protein_conc",), draws=20, patients=3))
    (ax,) = arrows(concentration, 12.0, DEFINITIONS, False).axes
    assert vertical_lines(ax) == set()
    assert not [line for line in ax.lines if line.get_color() == style.RUST]


def test_a_figure_of_one_panel_draws_into_axes_of_the_readers_own(both):
    figure = Figure()
    left, right = figure.subplots(1, 2)
    assert arrows(both, 12.0, DEFINITIONS, True, ax=left) is figure
    assert response_probabilities(both, 12.0, True, ax=right) is figure
    assert len(left.lines) > 0
    assert len(right.patches) > 0
    for ax in (left, right):
        assert "Synthetic cohort: no real patient." in ax.get_title("left")
    assert figure.get_supxlabel() == ""


def test_segments_of_nested_categories_by_hand():
    table = pd.DataFrame(
        {
            "patient": "P1",
            "category": ["complete", "partial", "remission", "effective", "none"],
            "probability": [0.1, 0.3, 0.4, 0.9, 0.1],
            "mcse": [0.01, 0.02, 0.02, 0.01, 0.01],
        }
    )
    judged = judge(load_definitions(), ("urine_protein_24h", "albumin"), shipped_markers())
    parts = segments(table, judged).set_index("segment")["probability"]
    assert parts.to_dict() == pytest.approx(
        {"complete": 0.1, "partial": 0.3, "effective": 0.5, "none": 0.1}
    )
    table.loc[:2, "probability"] = np.nan
    judged = judge(load_definitions(), ("urine_protein_24h",), shipped_markers())
    parts = segments(table, judged).set_index("segment")["probability"]
    assert parts.to_dict() == pytest.approx({"effective": 0.9, "none": 0.1})


def test_response_bars_add_to_100_and_mark_the_predicted_patient(both):
    figure = response_probabilities(both, 12.0, False)
    ax = figure.axes[0]
    ends: dict[float, float] = {}
    for bar in ax.patches:
        row = round(bar.get_y(), 3)
        ends[row] = max(ends.get(row, 0.0), bar.get_x() + bar.get_width())
    assert len(ends) == 9  # eight patients and the next one
    assert all(end == pytest.approx(100) for end in ends.values())
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[1] == "P2\npredicted"
    assert names[-1] == "Next patient"
    assert sum("predicted" in name for name in names) == 1


def test_model_without_albumin_does_not_claim_that_there_is_no_remission(protein):
    words = texts(response_probabilities(protein, 12.0, False))
    assert "effective (remission not judged)" in words
    assert "needs albumin" in words
    assert "partial remission" not in words
    assert "effective, no remission" not in words


@pytest.mark.parametrize("own", [{}, {"factor": "urine_protein_24h"}])
def test_the_looks_of_categories_are_of_any_marker(own):
    """Also of one that the cohort brings: the catalogue is the result's."""
    known = shipped_markers() | {
        name: shipped_markers()[like].model_copy(update={"name": name})
        for name, like in own.items()
    }
    asked = load_definitions("fall_by_half").of_markers(known, {}, next(iter(own), PROTEIN))
    found = looks(asked, known)
    assert found == {"half": LOOKS[0], "none": NO_RESPONSE}


def test_who_meets_nothing_is_not_said_to_be_undecided():
    """Definitions need not name the patients without a response."""
    table = load_definitions("fall_by_half").model_dump(by_alias=True, exclude_defaults=True)
    table["category"] = table["category"][:1]
    values = np.full((8, 5, 1), np.log(8.0))
    values[[0, 2], 4, 0] = np.log(4.0), np.log(6.0)  # P1 halves; P3's is below 6 g: open
    tree = make_tree(
        markers=(PROTEIN,),
        draws=60,
        measured=values,
        missing=((1, 4, 0),),
        censored_below=((2, 4, 0),),
    )
    result = result_of(tree, definitions=parse_definitions(table, "half alone"))
    found = best_measured(result, 12.0)
    assert [found[p] for p in ("P1", "P2", "P3", "P4")] == ["half", None, None, ""]
    words = measured_categories(result, 12.0)
    assert words["P1"] == "half"
    assert words["P2"] == "not measured"
    assert words["P4"] == "no response"
    assert words["P3"] not in (words["P1"], words["P2"], words["P4"])
    assert NONE in texts(response_probabilities(result, 12.0, False))


def test_left_out_counts_what_is_outside(protein, both):
    tree = protein.fit.tree.copy(deep=True)
    tree["observed_data"]["measurement"][1] = np.log(1e4)
    odd = result_of(tree)
    table = checks_part.of(odd).left_out.table.query("by == 'measurement'")
    hits = int(table["value"].between(table["lower"], table["upper"]).sum())
    figure = left_out(odd, PROTEIN, False)
    assert f"{hits} of 40 exact values ({100 * hits / 40:.0f} %)" in texts(figure)
    crosses = next(line for line in figure.axes[0].lines if line.get_marker() == "X")
    assert 1e4 in np.round(crosses.get_ydata())
    # One missing and one censored value are not counted as covered.
    assert "of 38 exact values" in texts(left_out(both, PROTEIN, False))


def test_pit_is_the_share_of_measurements_below(both):
    found = checks_part.of(both).left_out
    protein = np.nonzero(both.fit.observations.observed)[2] == 0
    line = pit(both, False).axes[0].lines[-1]
    at = np.searchsorted(line.get_xdata(), 50.0)
    low, high = found.ends[protein].T
    share = np.clip((0.5 - low) / np.maximum(high - low, 1e-9), 0, 1).mean()
    assert line.get_ydata()[at] == pytest.approx(100 * (share - 0.5))


def test_patient_checks_mark_what_was_measured(both):
    table = checks_part.of(both).courses
    axes = patient_checks(both, False).axes
    assert len(axes) == 4
    drawn = [
        x
        for ax in axes
        for line in ax.lines
        if line.get_marker() in ("o", "X")
        for x in line.get_xdata()
    ]
    np.testing.assert_allclose(
        sorted(x for x in drawn if np.isfinite(x)), sorted(table["observed"])
    )


def test_density_integrates_to_one_and_respects_its_bounds():
    draws = np.abs(np.random.default_rng(1).standard_normal(20_000))
    grid, height = density(draws, 0.0, 6.0, bounded=(True, False))
    step = grid[1] - grid[0]
    assert height.sum() * step == pytest.approx(1.0, abs=1e-6)
    assert height[0] == pytest.approx(np.sqrt(2 / np.pi), rel=0.06)  # half-normal at 0
    uniform = np.random.default_rng(2).uniform(-1, 1, 20_000)
    _, flat = density(uniform, -1.0, 1.0, bounded=(True, True))
    np.testing.assert_allclose(flat[[0, -1]], 0.5, rtol=0.15)


def test_prior_posterior_has_a_panel_for_each_parameter(figures, both):
    items = scalars(both)
    assert len(figures["prior_posterior"].axes) == len(items) == 2 * 6 + 6
    assert {item.kind for item in items} == {"level", "ratio", "sd", "correlation"}
    styles = {line.get_linestyle() for line in figures["prior_posterior"].axes[0].lines}
    assert {"-", "--"} <= styles


@pytest.mark.parametrize("name", ["both", "many"])
def test_no_parameter_has_two_panels(name, request):
    result = request.getfixturevalue(name)
    for figure in (ranks(result, False), prior_posterior(result, False)):
        titles = [(ax.get_title("left"), ax.get_xlabel()) for ax in figure.axes]
        assert len(set(titles)) == len(titles)
    items = [(item.variable, *sorted(item.select.values())) for item in scalars(result)]
    assert len(set(items)) == len(items)


def test_rank_difference_by_hand():
    # Chain 1 holds the lower half: at rank 0.5 all of it and none of chain 2 are below.
    at, difference = rank_differences(np.array([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]))
    middle = np.searchsorted(at, 0.5)
    np.testing.assert_allclose(difference[:, middle], [0.5, -0.5])
    np.testing.assert_allclose(difference[:, -1], 0.0)


def test_ranks_are_divided_by_the_true_number_of_draws():
    # Ties at the top share a rank below the number of draws; dividing by the highest rank seen
    # would put them at 1 and hide them.
    _, difference = rank_differences(np.array([[1.0, 9.0, 9.0, 9.0], [2.0, 9.0, 9.0, 9.0]]))
    at = np.linspace(0, 1, difference.shape[1])
    highest_rank = (3 + 8) / 2 / 8
    before, after = at < highest_rank, at >= highest_rank
    np.testing.assert_allclose(difference[0, before], (at[before] >= 1 / 8) / 4 - at[before])
    np.testing.assert_allclose(difference[0, after], 1 - at[after])


def test_correlation_time_of_independent_and_of_autoregressive_chains():
    rng = np.random.default_rng(3)
    noise = rng.standard_normal((4, 4000))
    assert correlation_time(noise) == pytest.approx(1.0, abs=0.25)
    slow = noise.copy()
    for step in range(1, slow.shape[1]):
        slow[:, step] += 0.8 * slow[:, step - 1]
    assert correlation_time(slow) == pytest.approx((1 + 0.8) / (1 - 0.8), rel=0.25)
    shifted = noise + np.array([[0.0], [0.0], [0.0], [5.0]])
    assert correlation_time(shifted) == pytest.approx(1.0, abs=0.25)


def test_band_holds_well_mixed_chains_and_not_a_shifted_one():
    rng = np.random.default_rng(4)
    width = band(4, 500, 1.0)
    inside = [
        np.abs(rank_differences(rng.standard_normal((4, 500)))[1]).max() <= width
        for _ in range(200)
    ]
    assert 0.93 <= np.mean(inside) <= 1.0
    shifted = rng.standard_normal((4, 500)) + np.array([[0.0], [0.0], [0.0], [0.7]])
    assert np.abs(rank_differences(shifted)[1]).max() > width
    assert band(4, 2000, 4.0) == pytest.approx(width)


def test_regression_is_a_curve_for_each_reliability_and_a_line_at_the_change(protein):
    (ax,) = regression_bound(protein, False).axes
    table, last = stated(protein.parts["regression"]), protein.estimates.iloc[-1]
    centre = table["baseline_geometric_mean"].iloc[0]
    curves = [line for line in ax.lines if len(line.get_xdata()) > 2]
    assert len(curves) == len(RELIABILITIES) == 3
    for reliability, curve in zip(RELIABILITIES, curves, strict=True):
        bound = np.exp(-(1 - reliability) * (np.log(centre) - np.log(curve.get_xdata())))
        np.testing.assert_allclose(curve.get_ydata(), 100 * (bound - 1))
        rows = table[table["reliability"] == reliability]
        at = np.interp(rows["population_geometric_mean"], curve.get_xdata(), curve.get_ydata())
        np.testing.assert_allclose(at, 100 * (rows["gmr_regression"] - 1), atol=0.5)
    assert round(100 * (last["gmr_median"] - 1), 6) in horizontal_lines(ax)
    assert "g/24h" in ax.get_xlabel()
    assert f"{abs(100 * (last['gmr_median'] - 1)):.0f} %" in regression_finding(protein)


@pytest.mark.parametrize(
    ("medians", "says"),
    [((1.1, 0.9, 1.3), "is no fall"), ((0.02, 0.01, 0.03), "No curve reaches")],
)
def test_regression_bound_where_nothing_or_too_much_fell(protein, medians, says):
    names = ("gmr_median", "gmr_lower", "gmr_upper")
    changed = protein.estimates.assign(**dict(zip(names, medians, strict=True)))
    assert says in texts(regression_bound(replace(protein, estimates=changed), False))


def test_regression_bound_needs_its_table(protein):
    with pytest.raises(ValueError, match="no baseline of the primary marker"):
        regression_bound(runs.with_part(protein, "regression", pd.DataFrame()), False)


def test_many_patients_are_cut_and_the_caption_says_so():
    result = result_of(make_tree(markers=(PROTEIN,), patients=45, draws=10))
    figure = trajectories(result, PROTEIN, DEFINITIONS, False)
    assert len(figure.axes) == PANELS
    assert "24 of 45" in texts(figure)
    assert "40 of 45" in texts(response_probabilities(result, 12.0, False))
    (ax,) = arrows(result, 12.0, DEFINITIONS, False).axes
    circles = next(line for line in ax.lines if line.get_marker() == "o")
    assert len(circles.get_xdata()) == 45


def test_one_patient_with_one_later_visit_can_be_drawn():
    result = result_of(make_tree(markers=(PROTEIN,), patients=1, visits=(0.0, 12.0), draws=25))
    for name, figure in draw_all(result, True).items():
        assert svg_bytes(figure).startswith(b"<?xml"), name


def test_forest_puts_groups_over_their_rows_and_arrows_at_the_axis_end():
    ax = style.new_figure(4, 3).subplots()
    ax.set_xlim(0.0, 1.0)
    rows = [
        Row("a", (Estimate(0.5, 0.2, 3.0, (0.4, 0.6)),), group="first", texts=("x", "y")),
        Row("b", (Estimate(0.4, 0.1, 0.9), Estimate(0.3, 0.1, 0.5, color="k")), group="second"),
        Row("c", note="failed its checks", group="second"),
    ]
    places = forest(ax, rows, columns=("one", "two"))
    assert places == [1.0, 3.0, 4.0]
    words = {text.get_text(): text.xy[1] for text in ax.texts}
    assert words["first"] == 0.0
    assert words["second"] == 2.0
    assert words["failed its checks"] == 4.0
    assert words["x"] == words["y"] == 1.0
    (arrow,) = [line for line in ax.lines if line.get_marker() == ">"]
    assert (arrow.get_xdata()[0], arrow.get_ydata()[0]) == (1.0, 1.0)
    ends = [s[:, 0].max() for c in ax.collections for s in c.get_segments()]
    assert max(ends) == 1.0
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "c"]


def test_a_figure_gives_the_same_small_file_again_with_its_text_as_text(figures, both):
    assert all(len(svg_bytes(figure)) < 200_000 for figure in figures.values())
    svg = svg_bytes(gmr_by_visit(both, True))
    assert svg == svg_bytes(figures["gmr_by_visit"])
    assert b"Synthetic cohort: no real patient." in svg


@pytest.mark.parametrize("ending", [".svg", ".png", ".pdf"])
def test_a_figure_is_written_in_the_format_its_name_ends_in(both, tmp_path, ending):
    first, again = (tmp_path / f"{name}{ending}" for name in ("one", "two"))
    for path in (first, again):
        write_plot(gmr_by_visit(both, True), path)
    start = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF"}[ending]
    assert first.read_bytes().startswith(start)
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.2, 20.0, [0.3, 1, 3, 10]),
        (0.001, 2000.0, [0.001, 0.01, 0.1, 1, 10, 100, 1000]),
        (21.0, 46.0, [25, 30, 35, 40, 45]),
        (0.2, 5.0, [0.2, 0.5, 1, 2, 5]),
    ],
)
def test_log_axis_has_few_round_ticks(low, high, expected):
    assert style.log_ticks(low, high) == expected


def test_crowded_visits_keep_their_ticks_and_lose_labels():
    ax = style.new_figure(4, 3).subplots()
    style.week_axis(ax, [0, 0.5, 26, 52])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "", "26", "52"]
    assert list(ax.get_xticks()) == [0, 0.5, 26, 52]


def test_no_figure_is_registered_with_pyplot(protein):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    ranks(protein, False), prior_posterior(protein, False)
    assert plt.get_fignums() == before


def test_many_parameters_are_rows_of_intervals_not_panels(many: Result) -> None:
    figure = runs.all_figures(many, DEFINITIONS, True, repeated=True)["prior_posterior"]
    assert len(figure.axes) <= 12
    titles = {" ".join(ax.get_title(loc="left").split()): ax for ax in figure.axes}
    change = titles["typical ratio to baseline"]
    assert len(change.get_yticklabels()) == 7
    draws = many.fit.tree["posterior"]["change_mean"].sel(marker=PROTEIN).to_numpy()
    expected = np.exp(np.quantile(draws, [0.025, 0.975]))
    solid = next(c for c in change.collections if c.get_linewidth()[0] > 2)
    np.testing.assert_allclose(solid.get_segments()[0][:, 0], expected)


def test_a_model_whose_markers_others_have_shows_what_it_adds(many: Result) -> None:
    names = list(runs.all_figures(many, DEFINITIONS, True, repeated=True))
    assert names == ["ranks", "gmr_by_visit", "prior_posterior", "correlations"]


def test_ranks_of_many_parameters_show_the_least_well_mixed(many: Result) -> None:
    figure = runs.all_figures(many, DEFINITIONS, True, repeated=True)["ranks"]
    assert len(figure.axes) == MOST_PANELS
