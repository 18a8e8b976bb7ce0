"""Lymphocyte subsets: numbers by hand, figures, tables, and percent data refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import runs
import xarray as xr
from cohorts import small_cohort_frames, write_cohort
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from runs import BAD, DEFINITIONS, result_of, texts
from test_plots import horizontal_lines
from trees import default_hyper, make_tree

from mnbayes.analyses.correlations.figure import correlations
from mnbayes.analyses.lymphocytes.cd4_cd8 import CD4_CD8_COLUMNS, cd4_cd8_table
from mnbayes.analyses.lymphocytes.figure import subset_forest, subset_ranks
from mnbayes.analyses.lymphocytes.section import section, subset_model, subsets
from mnbayes.analyses.lymphocytes.subset_tables import (
    reference_table,
)
from mnbayes.analyses.lymphocytes.subsets import (
    SUBSET_COLUMNS,
    SUBSETS,
    common_change,
    forest_table,
    rank_indicators,
    rank_table,
    subset_estimates,
    subset_markers,
)
from mnbayes.analyses.results.trajectories import trajectories
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.change import estimates
from mnbayes.answers.result import Result
from mnbayes.base.problems import InputError
from mnbayes.data.cohort import Cohort, load_cohort
from mnbayes.data.markers import MARKERS, Reference
from mnbayes.data.reference_ranges import placed
from mnbayes.data.units import UnitError, conversion
from mnbayes.report.kit import style
from mnbayes.run.run import Run

FIVE = ("cd3", "cd4", "cd8", "b_cell", "nk_cell")


def one_row(marker: str, week: float, p_fall: float, **cells: float) -> pd.DataFrame:
    row = {"model": "m", "marker": marker, "week": week, "p_fall": p_fall}
    row |= {"gmr_median": 1.2, "gmr_lower": 1.0, "gmr_upper": 1.5}
    return pd.DataFrame([row | cells])


def with_draws(tree: xr.DataTree, group: str, name: str, values: np.ndarray) -> None:
    """Put known draws, repeated over chains and draws in turn, in the place of a variable."""
    data = tree[group][name]
    shape = (data.sizes["chain"] * data.sizes["draw"], *values.shape[1:])
    data.data[...] = np.resize(values, shape).reshape(data.shape)


def shrunk(tree: xr.DataTree, log_mean: float = 0.1) -> xr.DataTree:
    """The same tree as if its card shrank the changes to a common mean, known exactly."""
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    for group, centre in (("posterior", log_mean), ("prior", -log_mean)):
        like = groups[group]["change_mean"].isel(marker=0, drop=True)
        groups[group] = groups[group].assign(common_change=xr.full_like(like, centre))
    return xr.DataTree.from_dict(groups)


def beside(result: Result, alone: pd.DataFrame) -> Result:
    """A result whose subsets stand beside each marker's own fit."""
    own = subset_estimates(result.fit.tree, result.name)
    part = replace(result.parts["subsets"], subsets=forest_table(own, alone))
    return runs.with_part(result, "subsets", part)


@pytest.fixture(scope="module")
def lymphocytes() -> Result:
    """Five subsets, shrunk, each also fitted alone; P2 has no CD4 at baseline."""
    tree = shrunk(make_tree(markers=FIVE, draws=60, missing=((1, 0, 1),)))
    alone = pd.concat(
        [subset_estimates(make_tree(markers=(m,), draws=60, spread=0.2), m) for m in FIVE]
    )
    return beside(summarise(result_of(tree).fit, DEFINITIONS), alone)


def run_of(cohort: Cohort, *results: Result) -> Run:
    return Run(cohort, DEFINITIONS, results, "weak", (), {})


# Before shrinkage beside after


def test_p_rise_is_one_less_p_fall_before_and_after() -> None:
    after = one_row("cd4", 12, 0.1, p_fall_prior=0.4, gmr_median_prior=1.1, p_fall_mcse=0.01)
    before = one_row("cd4", 12, 0.3, p_fall_prior=0.5)
    (row,) = forest_table(after, before).to_dict("records")
    assert row["p_rise"] == pytest.approx(0.9)
    assert row["p_rise_mcse"] == 0.01
    assert row["p_rise_prior"] == pytest.approx(0.6)
    assert row["gmr_median_prior"] == 1.1
    assert row["alone_p_rise"] == pytest.approx(0.7)
    assert row["alone_p_rise_prior"] == 0.5
    assert row["alone_gmr_upper"] == 1.5
    assert np.isnan(row["alone_p_rise_mcse"])


def test_forest_keeps_the_models_rows_and_matches_by_subset_and_visit() -> None:
    after = pd.concat(
        [one_row(m, w, 0.1) for m in ("albumin", "b_cell", "cd3") for w in (1.0, 12.0)]
    )
    before = pd.concat([one_row("cd3", 12, 0.4), one_row("nk_cell", 12, 0.5)])
    table = forest_table(after, before)
    assert tuple(table.columns) == SUBSET_COLUMNS
    places = list(zip(table["marker"], table["week"], strict=True))
    assert places == [("b_cell", 1), ("b_cell", 12), ("cd3", 1), ("cd3", 12)]
    assert table["alone_p_rise"].isna().tolist() == [True, True, True, False]
    assert table["alone_p_rise"].iloc[-1] == pytest.approx(0.6)
    assert forest_table(after).filter(like="alone_").isna().all(axis=None)
    assert forest_table(one_row("albumin", 12, 0.1)).empty
    with pytest.raises(ValueError, match="once"):
        forest_table(after, pd.concat([before] * 2))


def test_subset_estimates_are_those_of_the_run_with_the_error_of_a_share() -> None:
    tree = make_tree(markers=("urine_protein_24h", "cd4", "b_cell"), draws=250)
    table, whole = subset_estimates(tree, "joint"), estimates(tree, "joint")
    assert table["marker"].unique().tolist() == ["cd4", "b_cell"]
    same = whole[whole["marker"] != "urine_protein_24h"].reset_index(drop=True)
    pd.testing.assert_frame_equal(table.drop(columns="p_fall_mcse"), same)
    # Independent draws: sqrt(p (1 - p) / 1000), but for the noise of the estimate of ESS.
    share = table["p_fall"]
    expected = np.sqrt(share * (1 - share) / 1000)
    np.testing.assert_allclose(table["p_fall_mcse"], expected, rtol=0.25)


def test_common_change_only_where_the_model_shrinks() -> None:
    tree = make_tree(markers=("cd4", "cd8"), draws=10)
    assert common_change(tree) is None
    found = common_change(shrunk(tree, np.log(1.5)))
    assert found is not None
    assert found["gmr_median"] == pytest.approx(1.5)
    assert found["p_rise"] == 1
    assert found["gmr_upper_prior"] == pytest.approx(1 / 1.5)
    assert found["p_rise_prior"] == 0


def test_subsets_are_the_markers_counted_in_cells() -> None:
    assert SUBSETS == FIVE
    assert subset_markers(("nk_cell", "albumin", "cd3")) == ("nk_cell", "cd3")


# Ranks


def test_ranks_by_hand() -> None:
    tree = make_tree(markers=("albumin", "cd3", "cd8", "b_cell"), draws=4)
    # Four draws in turn of the log ratios of albumin, CD3, CD8 and B cells at the last visit.
    draws = np.array(
        [[9, 0.1, 0.2, -0.3], [9, 0.1, 0.3, -0.2], [9, 0.5, 0.2, 0.1], [9, -0.4, -0.2, -0.1]]
    )
    for group in ("posterior", "prior"):
        visits = np.zeros((4, 4, 4))
        visits[:, -1] = draws if group == "posterior" else draws[[3, 3, 3, 3]]
        with_draws(tree, group, "visit_change", visits)
    table = rank_table(tree, "m")
    assert set(table["week"]) == {12.0}
    first = table[table["rank"] == 1].set_index(["by", "marker"])
    for by, given_data, alone in (
        ("change", [0.5, 0.25, 0.25], [1, 0, 0]),
        ("rise", [0.25, 0.5, 0.25], [0, 0, 1]),
    ):
        rows = first.loc[by].loc[["cd3", "cd8", "b_cell"]]
        assert rows["probability"].tolist() == given_data
        assert rows["prior_probability"].tolist() == alone


def test_exchangeable_subsets_come_first_equally_often() -> None:
    hyper = replace(default_hyper(FIVE, 4), visit_change=np.zeros((4, 5)))
    table = rank_table(make_tree(markers=FIVE, draws=2500, hyper=hyper), "m")
    # 10 000 independent draws: SD of a share of 1/5 is 0.004.
    np.testing.assert_allclose(table[["probability", "prior_probability"]], 0.2, atol=0.02)
    np.testing.assert_allclose(table["mcse"], 0.004, rtol=0.25)


@given(arrays(float, (3, 4), elements=st.sampled_from([-1.0, 0.0, 1.0, 2.0])))
def test_each_rank_is_taken_once_and_larger_comes_first(size: np.ndarray) -> None:
    holds = rank_indicators(size)
    assert (holds.sum(axis=-1) == 1).all()
    assert (holds.sum(axis=-2) == 1).all()
    ranked = np.einsum("dir,di->dr", holds, size)
    np.testing.assert_array_equal(ranked, -np.sort(-size, axis=-1))


def test_one_subset_has_no_rank() -> None:
    assert rank_table(make_tree(markers=("albumin", "cd4"), draws=10), "m").empty


# CD4/CD8


def test_cd4_cd8_is_the_difference_of_logs() -> None:
    hyper = default_hyper(("cd8", "cd4"), 4)
    hyper = replace(hyper, visit_change=np.log([[1.0, 1.2], [1.0, 1.2], [1.1, 1.2], [2.0, 1.5]]))
    levels = np.log(np.array([[[500.0, 700], [500, 700], [400, 600], [400, 600], [250, 700]]]))
    tree = make_tree(
        markers=("cd8", "cd4"),
        patients=1,
        hyper=hyper,
        spread=0,
        levels=levels,
        draws=20,
        measured=np.log(np.array([[[450.0, 900], [1, 1], [1, 1], [1, 1], [200, 300]]])),
        missing=((0, 4, 0),),
    )
    table = cd4_cd8_table(tree, "m")
    assert tuple(table.columns) == CD4_CD8_COLUMNS
    group, own = table[table["patient"] == ""], table[table["patient"] == "P1"]
    expected = [1.4, 1.4 * 1.2, 1.4 * 1.2, 1.4 * 1.2 / 1.1, 1.4 * 0.75]
    np.testing.assert_allclose(group["ratio_median"], expected)
    np.testing.assert_allclose(group["gmr_upper"].iloc[1:], np.array(expected[1:]) / 1.4)
    assert group["p_rise"].tolist()[1:] == [1, 1, 1, 0]
    assert group["measured"].isna().all()
    np.testing.assert_allclose(own["ratio_lower"], [1.4, 1.4, 1.5, 1.5, 2.8])
    np.testing.assert_allclose(own["gmr_median"].iloc[-1], 2.0)
    np.testing.assert_allclose(own["measured"], [2, 1, 1, 1, np.nan])
    baseline = table[table["week"] == 0]
    assert baseline[["gmr_median", "p_rise", "p_rise_mcse", "p_rise_prior"]].isna().all(axis=None)


def test_the_interval_of_cd4_cd8_knows_that_both_move_together() -> None:
    tree = make_tree(markers=("cd4", "cd8"), draws=50)
    change = tree["posterior"]["visit_change"]
    change.data[...] = change.data[..., :1]  # CD8 changes exactly as CD4 does
    later = cd4_cd8_table(tree, "m").query("patient == '' and week > 0")
    np.testing.assert_allclose(later[["gmr_lower", "gmr_upper"]], 1.0)


def test_no_ratio_without_both_markers() -> None:
    assert cd4_cd8_table(make_tree(markers=("cd3", "cd4"), draws=10), "m").empty


# Reference ranges


def test_the_shipped_ranges_are_the_published_ones() -> None:
    ranges = {name: MARKERS[name].reference for name in FIVE}
    found = {name: given.ends for name, given in ranges.items() if given is not None}
    published = ((723, 2271), (396, 1309), (224, 1014), (118, 645), (61, 607))
    assert found == dict(zip(FIVE, published, strict=True))
    assert {given.coverage for given in ranges.values() if given is not None} == {0.95}
    assert all("10.1128/CVI.00476-12" in MARKERS[name].source["reference"] for name in FIVE)


def test_a_range_may_be_open_at_one_side() -> None:
    table = pd.DataFrame({"value": [3.0, 5.0, 6.0]}).assign(
        marker="crp", week=0.0, lower=np.nan, upper=np.nan
    )
    given = Reference(upper=5.0, coverage=0.95, population="a")
    (row,) = placed(table, {"crp": given}, (0.0,)).to_dict("records")
    assert (row["inside"], row["below"], row["above"]) == (2, 0, 1)


def test_placing_by_hand() -> None:
    given_range = {"cd4": Reference(lower=400.0, upper=1200.0, coverage=0.95, population="a")}
    rows = [
        (0, 400, np.nan, np.nan),
        (0, 1200, np.nan, np.nan),
        (0, 399, np.nan, np.nan),
        (0, np.nan, 500, 600),
        (0, np.nan, 0, 400),
        (0, np.nan, 1200, np.inf),
        (0, np.nan, 300, 500),
        (12, 1300, np.nan, np.nan),
    ]
    table = pd.DataFrame(rows, columns=["week", "value", "lower", "upper"]).assign(marker="cd4")
    found = placed(table, given_range, (0.0, 4.0, 12.0)).set_index("week")
    columns = ["measured", "inside", "below", "above", "undecided"]
    assert found.loc[0.0, columns].tolist() == [7, 3, 2, 1, 1]
    assert found.loc[4.0, columns].tolist() == [0, 0, 0, 0, 0]
    assert found.loc[12.0, columns].tolist() == [1, 0, 0, 1, 0]


def test_reference_table_counts_the_embedded_cohort(cohort: Cohort, lymphocytes: Result) -> None:
    table = reference_table(run_of(cohort, lymphocytes))
    assert table is not None
    rows = {row[0]: row for row in table.rows}
    cells = cohort.measurements[cohort.measurements["marker"] == "cd4"]
    inside = cells["value"].between(396, 1309)
    for week, column in ((0, 2), (12, 4)):
        at = cells["week"] == week
        assert rows["CD4+ lymphocytes"][column].startswith(f"{inside[at].sum()} of {at.sum()} (")


def test_reference_ranges_are_drawn_where_there_is_one(lymphocytes: Result) -> None:
    figure = trajectories(lymphocytes, "nk_cell", DEFINITIONS, True)
    assert all({61.0, 607.0} <= horizontal_lines(ax) for ax in figure.axes)
    low, high = figure.axes[0].get_ylim()
    assert low < 61 < 607 < high
    name = "urine_protein_24h"
    protein = result_of(make_tree(markers=(name,), draws=20, patients=2))
    assert "Reference range" not in texts(trajectories(protein, name, DEFINITIONS, True))


# Percent data


@pytest.mark.parametrize("unit", ["%", "percent", "% of lymphocytes", "％", "pct"])
def test_percent_is_refused_with_the_way_out(unit: str) -> None:
    for marker in FIVE:
        with pytest.raises(UnitError, match="percent × total lymphocytes"):
            conversion(unit, MARKERS[marker])


def test_percent_in_a_cohort_is_reported_in_its_row_beside_other_units(tmp_path: Path) -> None:
    patients, measurements = small_cohort_frames(markers=("cd4", "cd8"))
    measurements.loc[3, "unit"] = "%"  # a CD8 of P1
    measurements.loc[5, "unit"] = "g/L"
    with pytest.raises(InputError) as caught:
        load_cohort(write_cohort(tmp_path / "trial", patients, measurements))
    by_row = {p.row: p for p in caught.value.problems}
    assert set(by_row) == {5, 7}
    assert by_row[5].column == "unit"
    assert "percent × total lymphocytes" in by_row[5].expected
    assert "percent" not in by_row[7].expected


# Figures and report


@pytest.mark.parametrize(
    ("markers", "drawn"),
    [
        (("cd4", "cd8"), {"subset_forest", "subset_ranks", "correlations"}),
        (("cd4",), {"subset_forest"}),
        (("albumin",), set()),
    ],
)
def test_figures_are_there_where_the_model_has_subsets(
    markers: tuple[str, ...], drawn: set[str]
) -> None:
    result = result_of(make_tree(markers=markers, draws=10, patients=1, visits=(0.0, 1.0)))
    names = set(runs.all_figures(result, DEFINITIONS, True))
    assert {"subset_forest", "subset_ranks", "correlations"} & names == drawn
    for name, draw in (("subset_forest", subset_forest), ("subset_ranks", subset_ranks)):
        if name not in drawn:
            with pytest.raises(ValueError, match="subset"):
                draw(result, True)


def test_forest_has_a_row_for_each_subset_and_visit(lymphocytes: Result) -> None:
    figure = subset_forest(lymphocytes, True)
    (ax,) = figure.axes
    assert len(ax.get_yticks()) == 5 * 4
    drawn = texts(figure)
    for row in lymphocytes.parts["subsets"].subsets.to_dict("records"):
        assert "{gmr_median:.2f} ({gmr_lower:.2f} to {gmr_upper:.2f})".format(**row) in drawn


def test_one_panel_is_drawn_into_the_readers_axes(lymphocytes: Result) -> None:
    figure = style.new_figure(9, 5)
    left, right = figure.subplots(1, 2)
    assert subset_forest(lymphocytes, True, ax=left) is figure
    assert correlations(lymphocytes, True, ax=right) is figure
    assert figure.axes == [left, right]
    assert [len(ax.get_yticks()) for ax in (left, right)] == [5 * 4, 10]
    assert all(style.SYNTHETIC in ax.get_title(loc="left") for ax in (left, right))


def test_rank_bars_fill_the_width_in_order(lymphocytes: Result) -> None:
    figure = subset_ranks(lymphocytes, True)
    assert [len(ax.patches) for ax in figure.axes] == [25, 25]
    part = lymphocytes.parts["subsets"].ranks.query("by == 'change' and marker == 'cd3'")
    bars = list(figure.axes[0].patches)  # by rank, then by subset
    widths = [bar.get_width() / 100 for bar in bars[::5]]
    np.testing.assert_allclose(widths, part["probability"])
    ends = [bar.get_x() + bar.get_width() for bar in bars[-5:]]
    np.testing.assert_allclose(ends, 100)


def test_the_model_that_shrinks_speaks_before_the_larger_one(
    cohort: Cohort, lymphocytes: Result
) -> None:
    joint = result_of(make_tree(markers=("urine_protein_24h", *FIVE), draws=20, visits=(0.0, 1.0)))
    found = subset_model(run_of(cohort, joint, lymphocytes))
    assert found is lymphocytes
    shown = subsets(run_of(cohort, joint, lymphocytes))
    assert shown is not None
    assert shown.shrunk
    assert shown.alone


def test_shrinkage_sentence_by_hand(cohort: Cohort) -> None:
    result = result_of(shrunk(make_tree(markers=("cd4", "cd8"), draws=40)))
    alone = result.parts["subsets"].subsets.rename(columns={"p_rise": "p_fall"}).copy()
    alone["gmr_median"] /= 1.05
    # Twice as wide on the log scale, about any centre.
    alone["gmr_upper"] *= alone["gmr_upper"] / alone["gmr_lower"]
    told = subsets(run_of(cohort, beside(summarise(result.fit, DEFINITIONS), alone)))
    assert told is not None
    (sentence,) = [s for s in told.sentences if "by itself" in s]
    assert "no ratio moved by more than 5 %" in sentence
    assert "intervals are 50 % narrower" in sentence


def test_nothing_is_shown_of_a_withheld_fit(cohort: Cohort) -> None:
    tree = make_tree(markers=FIVE, draws=20)
    result = result_of(tree, diagnostics=BAD)
    numbers = {
        "subsets": ["gmr_median", "p_rise", "p_rise_prior"],
        "ranks": ["probability", "mcse"],
        "ratios": ["ratio_median", "gmr_upper", "p_rise_prior"],
    }
    for name, columns in numbers.items():
        table = getattr(result.parts["subsets"], name)
        assert not table.empty
        assert table[columns].isna().all(axis=None)
    assert result.parts["subsets"].ratios["measured"].notna().any()  # as measured, no model
    assert subsets(run_of(cohort, result)) is None
    absent = section(run_of(cohort, result))
    assert (bool(absent.absent), absent.sentences, absent.shown) == (True, (), ())
    assert absent.page_one is None
    assert reference_table(run_of(cohort, result)) is not None


def test_a_run_writes_the_tables_that_its_models_have(
    cohort: Cohort, lymphocytes: Result, tmp_path: Path
) -> None:
    names = {"subsets.csv", "subset_ranks.csv", "cd4_cd8.csv", "correlations.csv"}
    albumin = result_of(make_tree(markers=("albumin",), draws=10, visits=(0.0, 1.0)))
    for result, written in ((lymphocytes, names), (albumin, set())):
        out = tmp_path / result.fit.observations.markers[0]
        runs.write(run_of(cohort, result), out)
        assert {path.name for path in out.glob("*.csv")} & names == written
    table = pd.read_csv(tmp_path / "cd3" / "subsets.csv")
    assert tuple(table.columns) == (*SUBSET_COLUMNS, "synthetic")
    np.testing.assert_allclose(
        table["alone_p_rise"], lymphocytes.parts["subsets"].subsets["alone_p_rise"]
    )
