"""Correlations between patients' changes: numbers by hand, prior beside posterior, plain words."""

from __future__ import annotations

import re

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.collections import LineCollection, PolyCollection
from runs import BAD, DEFINITIONS, result_of
from scipy import stats
from trees import make_tree

from mnbayes.analyses.correlations.figure import correlations
from mnbayes.analyses.correlations.section import (
    shown_rows,
    signed,
    together,
    verdict,
    width_left,
)
from mnbayes.analyses.correlations.table import (
    CORRELATION_COLUMNS,
    correlation_table,
    free_pairs,
    pair_draws,
    pairs,
)
from mnbayes.answers.result import Result
from mnbayes.cards.card import load_card
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import MARKERS
from mnbayes.inference.contract import correlated_pairs
from mnbayes.models.hyperparameters import hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior
from mnbayes.run.run import Run

PROTEIN = "urine_protein_24h"
JOINT = (PROTEIN, "albumin", "cd3", "cd4", "cd8", "b_cell", "nk_cell")


def correlate(tree: xr.DataTree, group: str, first: str, second: str, draws: np.ndarray) -> None:
    """Put known draws in the place of one correlation between changes, of a pair."""
    data = tree[group]["correlation"].transpose("chain", "draw", "pair")
    pairs_there = [frozenset(pair) for pair in correlated_pairs(tree[group].to_dataset())]
    at = pairs_there.index(frozenset((f"{first} change", f"{second} change")))
    data.data[:, :, at] = draws.reshape(data.shape[:2])


def spread(mean: float, sd: float, count: int) -> np.ndarray:
    """Normal quantiles in a shuffled order: the same mean and interval in every run."""
    values = stats.norm(mean, sd).ppf((np.arange(count) + 0.5) / count)
    return np.random.default_rng(5).permutation(values)


def result_with(*given: tuple[str, str, float, float], markers: tuple[str, ...]) -> Result:
    """A result whose pairs have these posterior means and SDs; the prior's are 0 and 0.2."""
    tree = make_tree(markers=markers, draws=250, visits=(0.0, 12.0))
    for first, second in pairs(markers):
        correlate(tree, "prior", first, second, spread(0, 0.2, 1000))
        correlate(tree, "posterior", first, second, spread(0, 0.2, 1000))
    for first, second, mean, sd in given:
        correlate(tree, "posterior", first, second, spread(mean, sd, 1000))
    return result_of(tree)


def run_of(cohort: Cohort, *results: Result) -> Run:
    return Run(cohort, DEFINITIONS, results, "weak", (), {})


@pytest.fixture(scope="module")
def joint() -> Result:
    """CD4 and CD8 clearly together, NK cells against protein; the rest is the prior."""
    return result_with(("cd4", "cd8", 0.6, 0.1), (PROTEIN, "nk_cell", -0.4, 0.12), markers=JOINT)


# Numbers


@given(st.lists(st.sampled_from(list(MARKERS)), unique=True, min_size=1))
def test_every_pair_once_and_protein_leads(markers: list[str]) -> None:
    found = pairs(tuple(markers))
    count = len(markers)
    assert len({frozenset(pair) for pair in found}) == len(found) == count * (count - 1) // 2
    with_protein = [PROTEIN in pair for pair in found]
    assert with_protein == sorted(with_protein, reverse=True)
    assert all(first == PROTEIN for first, second in found if PROTEIN in (first, second))


def test_table_by_hand() -> None:
    tree = make_tree(markers=("albumin", "cd4", PROTEIN), draws=25, chains=4)
    draws = np.linspace(-0.3, 0.69, 100)  # 30 below 0, the 31st is 0
    correlate(tree, "posterior", PROTEIN, "cd4", np.random.default_rng(1).permutation(draws))
    correlate(tree, "prior", PROTEIN, "cd4", -draws)
    table = correlation_table(tree, "m")
    assert tuple(table.columns) == CORRELATION_COLUMNS
    named = [(PROTEIN, "albumin"), (PROTEIN, "cd4"), ("albumin", "cd4")]
    assert list(zip(table["marker"], table["other"], strict=True)) == named
    row = table.iloc[1]
    assert row["correlation_median"] == pytest.approx(0.195)
    # Linear interpolation: the 2.5 % quantile lies 2.475 steps of 0.01 above the lowest.
    assert row["correlation_lower"] == pytest.approx(-0.3 + 0.02475)
    assert row["correlation_upper"] == pytest.approx(0.69 - 0.02475)
    assert row["p_positive"] == pytest.approx(np.mean(draws > 0))
    assert row["correlation_upper_prior"] == pytest.approx(0.3 - 0.02475)
    assert row["p_positive_prior"] == pytest.approx(np.mean(-draws > 0))
    # The other pairs keep the tree's own correlation, 0.2 in every draw.
    assert table["correlation_median"].iloc[0] == pytest.approx(0.2)


def test_error_of_the_sign_is_that_of_a_share() -> None:
    tree = make_tree(markers=("cd4", "cd8"), draws=250)
    correlate(tree, "posterior", "cd4", "cd8", spread(0.1, 0.2, 1000))
    (row,) = correlation_table(tree, "m").to_dict("records")
    share = stats.norm.cdf(0.5)
    assert row["p_positive"] == pytest.approx(share, abs=0.001)
    assert row["p_positive_mcse"] == pytest.approx(np.sqrt(share * (1 - share) / 1000), rel=0.25)
    assert row["correlation_mcse"] == pytest.approx(0.2 / np.sqrt(1000), rel=0.25)


def test_pairs_are_picked_by_name_whatever_the_order_of_effects() -> None:
    tree = make_tree(markers=("cd3", "cd4", "cd8"), draws=5)
    correlate(tree, "posterior", "cd3", "cd8", np.full(20, 0.7))
    order = np.random.default_rng(1).permutation(15)
    turned = xr.DataTree.from_dict({"posterior": tree["posterior"].to_dataset().isel(pair=order)})
    found = pair_draws(turned, "posterior", [("cd3", "cd8"), ("cd4", "cd3")])
    assert found.shape == (4, 5, 2)
    np.testing.assert_allclose(found, np.broadcast_to([0.7, 0.2], found.shape))


def test_pairs_that_the_card_holds_at_zero_have_no_answer() -> None:
    tree = make_tree(markers=("cd3", "cd4", "cd8"), draws=100, visits=(0.0, 1.0))
    named = correlated_pairs(tree["posterior"].to_dataset())
    others = [at for at, pair in enumerate(named) if set(pair) != {"cd3 change", "cd4 change"}]
    own = [at for at, pair in enumerate(named) if pair[0].split()[0] == pair[1].split()[0]]
    for kept, expected in ((others, [("cd3", "cd8"), ("cd4", "cd8")]), (own, [])):
        groups = {name: node.to_dataset() for name, node in tree.children.items()}
        groups |= {name: groups[name].isel(pair=kept) for name in ("prior", "posterior")}
        held = xr.DataTree.from_dict(groups)
        assert free_pairs(held) == expected
        assert len(correlation_table(held, "m")) == len(expected)
    with pytest.raises(ValueError, match="no correlation"):
        correlations(result_of(held), True)


def test_one_marker_has_no_pair() -> None:
    tree = make_tree(markers=(PROTEIN,), draws=100, visits=(0.0, 1.0))
    assert correlation_table(tree, "m").empty
    with pytest.raises(ValueError, match="no correlation"):
        correlations(result_of(tree), True)


# Words


def test_sign_and_minus() -> None:
    assert [signed(x) for x in (-0.254, 0.3, -0.001, np.nan)] == ["−0.25", "0.30", "0.00", "–"]


@pytest.mark.parametrize(
    ("sd", "hardly"), [(0.2, True), (0.165, True), (0.155, False), (0.1, False)]
)
def test_what_the_data_narrowed_is_told_from_80_percent_of_the_prior_s_width(
    sd: float, hardly: bool
) -> None:
    # Widths are proportional to the SDs: 0.8 of the prior's is an SD of 0.16.
    result = result_with(("cd4", "cd8", 0.0, sd), markers=("cd4", "cd8"))
    (row,) = shown_rows(result)
    assert width_left(row) == pytest.approx(sd / 0.2, abs=0.02)
    (said,) = verdict(result)
    assert ("little more than what was assumed" in said) is hardly
    assert ("the interval includes 0" in said) is not hardly


@pytest.mark.parametrize(
    ("other", "mean", "share"),
    [
        ("b_cell", 0.4, "<1 %"),
        ("b_cell", -0.1, "80 ± 1 %"),  # Phi(0.1 / 0.12) = 0.80
        ("albumin", -0.4, ">99 %"),
    ],
)
def test_a_rise_goes_with_a_fall_of_protein_where_the_sign_is_negative(
    other: str, mean: float, share: str
) -> None:
    result = result_with((PROTEIN, other, mean, 0.12), markers=(PROTEIN, other))
    assert verdict(result)[-1].endswith(f" {share}.")
    assert "greater fall" not in " ".join(verdict(result_with(markers=("cd4", "cd8"))))


def test_pairs_with_protein_and_those_that_moved_are_shown(joint: Result) -> None:
    rows = {(row["marker"], row["other"]) for row in shown_rows(joint)}
    assert {pair for pair in rows if pair[0] != PROTEIN} == {("cd4", "cd8")}
    assert len(rows) == 6 + 1


def test_the_model_with_most_pairs_comes_first_and_a_withheld_one_not_at_all(
    cohort: Cohort, joint: Result
) -> None:
    two = result_with(markers=(PROTEIN, "albumin"))
    withheld = result_of(make_tree(markers=JOINT, draws=20, visits=(0.0, 12.0)), diagnostics=BAD)
    numbers = withheld.parts["correlations"].drop(columns=["model", "marker", "other"])
    assert len(numbers) == 21
    assert numbers.isna().all(axis=None)
    found = together(run_of(cohort, two, joint, withheld))
    assert [len(re.findall("<tbody|<tr", item.table)) for item in found] == [1 + 2 + 7, 1 + 2 + 1]
    assert together(run_of(cohort, withheld)) == ()
    ids = re.findall('id="([^"]+)"', "".join(item.table for item in found))
    assert len(ids) == len(set(ids))


# Figure


def test_figure_has_prior_and_posterior_of_every_pair(joint: Result) -> None:
    figure = correlations(joint, True)
    (ax,) = figure.axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert len(names) == 21
    assert names[:2] == ["protein – albumin", "protein – CD3+"]
    assert names[-1] == "B cells – NK cells"
    areas = [each for each in ax.collections if isinstance(each, PolyCollection)]
    intervals = [each for each in ax.collections if isinstance(each, LineCollection)]
    assert len(areas) == 21
    assert [len(each.get_segments()) for each in intervals] == [21, 21]  # posterior and prior
    draws = pair_draws(joint.fit.tree, "posterior", [(PROTEIN, "albumin")]).ravel()
    ends = intervals[0].get_segments()[0][:, 0]
    np.testing.assert_allclose(ends, np.quantile(draws, (0.025, 0.975)))
    assert ax.get_xlim() == (-1.0, 1.0)


@pytest.mark.parametrize("markers", [("cd4", "cd8"), (PROTEIN, "albumin"), ("cd3", "cd4", "cd8")])
def test_figure_of_few_markers(markers: tuple[str, ...]) -> None:
    figure = correlations(result_with(markers=markers), False)
    assert len(figure.axes[0].get_yticks()) == len(markers) * (len(markers) - 1) // 2


@pytest.mark.parametrize("card_name", ["joint", "lymphocytes", "remission"])
def test_the_cards_priors_have_the_spread_that_the_note_states(card_name: str) -> None:
    card = load_card(card_name)
    count, kind = len(card.markers), card.structure.correlation
    drawn = draw_prior(card, 4, 4000, np.random.default_rng(1))
    factor = hyperparameters_from_draws(drawn, kind).cholesky
    between = (factor @ factor.transpose(0, 2, 1))[:, count:, count:]
    pairs_of = between[:, *np.tril_indices(count, -1)]
    if kind == "within":
        assert (np.abs(pairs_of) < 1e-9).all()  # the tree has none of them
        return
    # (r + 1) / 2 ~ Beta(a, a), a = eta - 1 + d / 2: the SD of r is 1 / sqrt(2 a + 1).
    eta = card.prior["correlation"][""].arguments["eta"]
    effects = count if kind == "changes" else 2 * count
    expected = 1 / np.sqrt(2 * (eta - 1 + effects / 2) + 1)
    np.testing.assert_allclose(pairs_of.std(axis=0), expected, rtol=0.05)
