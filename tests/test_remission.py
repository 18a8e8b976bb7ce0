from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats
from trees import Hyper, default_hyper, make_tree

from mnbayes.answers.probability_tables import (
    POPULATION_COLUMNS,
    PROBABILITY_COLUMNS,
    population_table,
    probability_table,
)
from mnbayes.answers.response_draws import judge_of, response_draws
from mnbayes.cards.definitions import Definitions, load_definitions, parse_definitions

DEFINITIONS = load_definitions("embedded")
CATEGORIES = DEFINITIONS.categories
PROTEIN = ("urine_protein_24h",)
BOTH = ("urine_protein_24h", "albumin")
VISITS = (0.0, 2.0, 12.0)
FALL = np.log(0.85)
#: Error of a share from 512 quasi-Monte Carlo points.
QMC = 0.012


def hyper(markers: tuple[str, ...] = PROTEIN, **changes: object) -> Hyper:
    base = default_hyper(markers, len(VISITS) - 1)
    shift = np.array([[0.3], [0.0]])  # the two visits differ
    return replace(base, visit_change=base.visit_change + shift, **changes)  # type: ignore[arg-type]


def tree_of(known: Hyper, markers: tuple[str, ...] = PROTEIN, **changes: object) -> xr.DataTree:
    defaults = {"spread": 0.0, "prior_spread": 0.0, "draws": 1000, "patients": 2}
    return make_tree(hyper=known, markers=markers, visits=VISITS, **(defaults | changes))


def table_of(tree: xr.DataTree, definitions: Definitions = DEFINITIONS) -> pd.DataFrame:
    return probability_table(response_draws(tree, definitions, 7), "m")


def shares_of(tree: xr.DataTree) -> pd.DataFrame:
    return population_table(response_draws(tree, DEFINITIONS, 7), "m")


def cell(table: pd.DataFrame, quantity: str, week: float, category: str, patient: str = "") -> dict:
    rows = table.query("quantity == @quantity and week == @week and category == @category")
    rows = rows[rows["patient"] == patient] if patient else rows[rows["patient"].isna()]
    assert len(rows) == 1
    return dict(rows.iloc[0])


def assert_close(row: dict, expected: float, extra: float = 0.0) -> None:
    """Within four Monte Carlo standard errors, which must not be idle."""
    assert 0 < row["mcse"] < 0.02
    assert row["probability"] == pytest.approx(expected, abs=4 * row["mcse"] + extra)
    # the prior has the same number of draws, and here the same hyperparameters
    if row["quantity"] in ("next_patient", "population"):
        assert row["prior_probability"] == pytest.approx(expected, abs=4 * row["mcse"] + extra)


# --- one marker: closed forms -----------------------------------------------------------------


@pytest.mark.parametrize("week", VISITS[1:])
def test_one_marker_shares_are_a_normal_cdf(week: float) -> None:
    known = hyper()
    table = table_of(tree_of(known))
    change = known.visit_change[VISITS.index(week) - 1, 0]
    noise = np.hypot(known.change_sd[0], np.sqrt(2) * known.residual_sd[0])
    measured = stats.norm.cdf((FALL - change) / noise)
    assert_close(cell(table, "next_patient", week, "effective"), measured)
    assert_close(cell(table, "next_patient", week, "none"), 1 - measured)
    share = cell(table, "population", week, "effective")
    true = stats.norm.cdf((FALL - change) / known.change_sd[0])
    assert share["probability"] == pytest.approx(true, abs=QMC)
    assert share["prior_probability"] == share["probability"]
    assert share["mcse"] == pytest.approx(0, abs=1e-12)  # every draw has the same share


def test_serial_correlation_widens_a_change_by_what_two_weeks_apart_differ() -> None:
    known = hyper(serial_sd=np.array([0.6]), serial_weeks=5.0)
    table = table_of(tree_of(known))
    for week, change in zip(VISITS[1:], known.visit_change[:, 0], strict=True):
        variance = known.change_sd[0] ** 2 + 2 * 0.36 * (1 - np.exp(-week / 5.0))
        true = stats.norm.cdf((FALL - change) / np.sqrt(variance))
        share = cell(table, "population", week, "effective")
        assert share["probability"] == pytest.approx(true, abs=QMC)
        sd = np.sqrt(variance + 2 * known.residual_sd[0] ** 2)
        expected = stats.norm.cdf((FALL - change) / sd)
        assert_close(cell(table, "next_patient", week, "effective"), expected)


def test_student_noise_reaches_the_next_patient_and_not_the_share() -> None:
    known = hyper(residual_df=3.0, residual_sd=np.array([0.6]))
    table = table_of(tree_of(known))
    rng = np.random.default_rng(1)
    noise = 0.6 * rng.standard_t(3.0, (2, 400_000))
    own = known.change_sd[0] * rng.standard_normal(400_000)
    for week, change in zip(VISITS[1:], known.visit_change[:, 0], strict=True):
        brute = np.mean(change + own + noise[1] - noise[0] <= FALL)
        assert_close(cell(table, "next_patient", week, "effective"), brute, 0.003)
        true = stats.norm.cdf((FALL - change) / known.change_sd[0])
        share = cell(table, "population", week, "effective")
        assert share["probability"] == pytest.approx(true, abs=QMC)


def test_exceeds_counts_the_draws_whose_share_is_above_the_definitions_benchmark() -> None:
    easier = DEFINITIONS.benchmark[1].model_copy(update={"share": 0.3})
    assert easier.category == "effective"
    tree = tree_of(hyper(), spread=0.3, prior_spread=0.6)
    table = table_of(tree, DEFINITIONS.model_copy(update={"benchmark": (easier,)}))
    # With one marker half of the patients respond when the typical change is a response.
    half = table_of(tree)
    for group, column in (("posterior", "probability"), ("prior", "prior_probability")):
        draws = tree[group].to_dataset().isel(marker=0)
        z = (FALL - draws["visit_change"]) / draws["change_sd"]
        for week in VISITS[1:]:
            at = z.sel(later_visit=week)
            row, own = (cell(each, "exceeds", week, "effective") for each in (table, half))
            assert row[column] == pytest.approx(float((at > stats.norm.ppf(0.3)).mean()), abs=0.01)
            assert own[column] == pytest.approx(float((at > 0).mean()), abs=0.005)
            assert 0.05 < own[column] < 0.999
    assert 0.002 < cell(half, "exceeds", 12.0, "effective")["mcse"] < 0.01
    assert set(table.query("quantity == 'exceeds'")["category"]) == {"effective"}


def test_population_share_has_the_interval_of_its_draws() -> None:
    tree = tree_of(hyper(), spread=0.2)
    row = shares_of(tree).query("week == 2 and category == 'effective'")
    posterior = tree["posterior"].to_dataset().sel(later_visit=2.0).isel(marker=0)
    share = stats.norm.cdf((FALL - posterior["visit_change"]) / posterior["change_sd"])
    expected = {
        "share_mean": share.mean(),
        "share_median": np.median(share),
        "share_lower": np.quantile(share, 0.025),
        "share_upper": np.quantile(share, 0.975),
    }
    for column, value in expected.items():
        assert row[column].item() == pytest.approx(value, abs=QMC)
    assert row["share_mean_prior"].item() == pytest.approx(
        cell(table_of(tree), "population", 2.0, "effective")["prior_probability"]
    )


# --- the patients of the trial ----------------------------------------------------------------


def patients_tree(level_spread: float = 0.0, **changes: object) -> tuple[xr.DataTree, Hyper]:
    # Patient 1: 4 g to 3.2 g and 1.9 g; patient 2: 2 g to 1.9 g and 1.5 g.
    known = hyper()
    levels = np.log([[[4.0], [3.2], [1.9]], [[2.0], [1.9], [1.5]]])
    tree = tree_of(known, levels=levels, **changes)
    if level_spread:
        rng = np.random.default_rng(3)
        level = tree["patients"]["level"]
        tree["patients"]["level"] = level + level_spread * rng.standard_normal(level.shape)
    return tree, known


def test_latent_is_certain_where_the_level_is_known() -> None:
    tree, _ = patients_tree()
    table = table_of(tree)
    expected = {("P1", 2.0): 1, ("P1", 12.0): 1, ("P2", 2.0): 0, ("P2", 12.0): 1}
    for (patient, week), value in expected.items():
        row = cell(table, "latent", week, "effective", patient)
        assert row["probability"] == value
        assert row["mcse"] == pytest.approx(1 / 4001)  # 4,000 draws do not prove certainty


def test_latent_is_a_normal_cdf_where_levels_are_normal() -> None:
    tree, _ = patients_tree(level_spread=0.1)
    table = table_of(tree)
    for patient, week, ratio in (("P1", 2.0, 3.2 / 4), ("P2", 2.0, 0.95), ("P2", 12.0, 0.75)):
        expected = stats.norm.cdf((FALL - np.log(ratio)) / np.hypot(0.1, 0.1))
        assert_close(cell(table, "latent", week, "effective", patient), expected)


def test_repeat_compares_with_the_baseline_as_recorded() -> None:
    measured = np.log([[[4.4], [3.0], [2.0]], [[1.8], [2.0], [1.4]]])
    tree, known = patients_tree(measured=measured)
    table = table_of(tree)
    for patient, week, ratio in (("P1", 2.0, 3.2 / 4.4), ("P2", 2.0, 1.9 / 1.8)):
        expected = stats.norm.cdf((FALL - np.log(ratio)) / known.residual_sd[0])
        assert_close(cell(table, "repeat", week, "effective", patient), expected)


def test_repeat_replicates_a_censored_baseline_and_the_prior_replicates_both() -> None:
    tree, known = patients_tree(censored_below=((0, 0, 0),))
    table = table_of(tree)
    row = cell(table, "repeat", 2.0, "effective", "P1")
    both = np.sqrt(2) * known.residual_sd[0]
    assert_close(row, stats.norm.cdf((FALL - np.log(3.2 / 4)) / both))
    prior = stats.norm.cdf((FALL - known.visit_change[0, 0]) / np.hypot(both, known.change_sd[0]))
    assert row["prior_probability"] == pytest.approx(prior, abs=4 * row["mcse"])


def observed(table: pd.DataFrame, patient: str, week: float) -> list[float]:
    return [cell(table, "observed", week, c, patient)["probability"] for c in CATEGORIES]


def test_observed_is_the_category_as_measured() -> None:
    nan = np.nan
    protein = np.array([[1.2, 0.29, 0.29], [6.0, 5.0, 3.0], [2.0, 0.2, 1.9], [3.0, 1.0, 1.0]])
    albumin = np.array([[30, 36, 34], [25, 26, 30], [30, 36, 30], [30, 30, 30]], dtype=float)
    tree = tree_of(
        hyper(BOTH),
        BOTH,
        patients=4,
        measured=np.log(np.stack([protein, albumin], axis=-1)),
        # P3, week 2: protein censored at 0.2 g; P3, week 12: below 1.9 g, which leaves it open;
        # P4, week 2: no albumin; P4, week 12: withdrawn.
        censored_below=((2, 1, 0), (2, 2, 0)),
        missing=((3, 1, 1), (3, 2, 0), (3, 2, 1)),
    )
    table = table_of(tree)
    # complete, partial, remission, effective, none
    assert observed(table, "P1", 2.0) == [1, 0, 1, 1, 0]
    assert observed(table, "P1", 12.0) == [0, 1, 1, 1, 0]
    assert observed(table, "P2", 2.0) == [0, 0, 0, 1, 0]
    assert observed(table, "P2", 12.0) == [0, 1, 1, 1, 0]
    assert observed(table, "P3", 2.0) == [1, 0, 1, 1, 0]
    np.testing.assert_array_equal(observed(table, "P3", 12.0), [0, nan, nan, nan, nan])
    np.testing.assert_array_equal(observed(table, "P4", 2.0), [0, 1, 1, 1, 0])
    np.testing.assert_array_equal(observed(table, "P4", 12.0), [nan] * 5)
    rows = table.query("quantity == 'observed'")
    assert rows["prior_probability"].isna().all()
    assert (rows.loc[rows["probability"].notna(), "mcse"] == 0).all()
    # an unmeasured visit still has its model-based probabilities
    latent = table.query("quantity == 'latent' and patient == 'P4'")
    assert latent["probability"].notna().all()


# --- two markers: brute force -----------------------------------------------------------------


def brute_force(known: Hyper, later: int, noise: bool) -> dict[str, float]:
    """Shares by a million patients, written out without the package's code."""
    rng = np.random.default_rng(11)
    effects = rng.multivariate_normal(np.zeros(4), known.effect_covariance, 1_000_000)
    p0 = known.baseline_mean[0] + effects[:, 0]
    p1 = p0 + known.visit_change[later, 0] + effects[:, 2]
    a1 = known.baseline_mean[1] + effects[:, 1] + known.visit_change[later, 1] + effects[:, 3]
    if noise:
        e = rng.standard_normal((3, p0.size))
        p0, p1 = p0 + known.residual_sd[0] * e[0], p1 + known.residual_sd[0] * e[1]
        a1 = a1 + known.residual_sd[1] * e[2]
    before, after, albumin = np.exp(p0), np.exp(p1), np.exp(a1)
    complete = (after < 0.3) & (albumin >= 35)
    partial = (after <= before / 2) & (after < 3.5) & ~complete
    effective = (after <= 0.85 * before) | complete | partial
    met = (complete, partial, complete | partial, effective, ~effective)
    return {c: float(m.mean()) for c, m in zip(CATEGORIES, met, strict=True)}


def two_markers() -> Hyper:
    corr = np.eye(4)
    corr[np.triu_indices(4, 1)] = -0.4, 0.3, -0.2, -0.1, 0.2, -0.6
    corr = corr + corr.T - np.eye(4)
    known = hyper(BOTH, correlation=corr)
    # low baselines and wide changes, so that every category has patients
    return replace(
        known,
        baseline_mean=np.log([1.0, 30.0]),
        change_sd=np.array([0.9, 0.15]),
        visit_change=np.array([[-0.5, 0.05], [-1.0, 0.15]]),
    )


def test_two_markers_agree_with_brute_force() -> None:
    known = two_markers()
    table = table_of(tree_of(known, BOTH))
    for later, week in enumerate(VISITS[1:]):
        true, measured = (brute_force(known, later, noise) for noise in (False, True))
        for category in CATEGORIES:
            assert 0.02 < true[category] < 0.98
            share = cell(table, "population", week, category)
            assert share["probability"] == pytest.approx(true[category], abs=QMC)
            assert_close(cell(table, "next_patient", week, category), measured[category], 0.002)


def test_markers_are_found_by_name_among_others() -> None:
    known = two_markers()
    plain = tree_of(known, BOTH, draws=50)
    # the same two markers in the other order, with a third between their effects
    order = [1, 0]
    third = {"baseline_mean": 7.0, "baseline_sd": 0.3, "change_sd": 0.2}
    third |= {"residual_sd": 0.1, "visit_change": 0.1}
    moved = {n: np.insert(getattr(known, n)[..., order], 1, x, axis=-1) for n, x in third.items()}
    swapped = replace(known, **moved)
    corr = np.eye(6)
    places = [2, 0, 5, 3]  # protein and albumin baselines, then changes
    corr[np.ix_(places, places)] = known.correlation
    swapped = replace(swapped, correlation=corr)
    joint = tree_of(swapped, ("albumin", "cd3", "urine_protein_24h"), draws=50)
    one, other = (shares_of(tree)["share_mean"] for tree in (plain, joint))
    np.testing.assert_allclose(one, other)


def test_dims_are_found_by_name() -> None:
    tree = tree_of(two_markers(), BOTH, spread=0.1, draws=50)
    turned = xr.DataTree.from_dict(
        {
            name: node.to_dataset().map(lambda v: v.transpose(*reversed(v.dims)))
            for name, node in tree.children.items()
        }
    )
    pd.testing.assert_frame_equal(table_of(tree), table_of(turned))


# --- the tables -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def both() -> pd.DataFrame:
    return table_of(tree_of(two_markers(), BOTH, spread=0.2, prior_spread=0.5, patients=3))


def test_columns_and_rows(both: pd.DataFrame) -> None:
    names = "model,quantity,patient,week,category,probability,mcse,prior_probability"
    assert ",".join(both.columns) == names
    own = ["observed", "latent", "repeat"]
    assert list(both["quantity"].unique()) == [*own, "next_patient", "population", "exceeds"]
    counts = both["quantity"].value_counts()
    assert counts["observed"] == counts["latent"] == counts["repeat"] == 3 * 2 * 5
    assert counts["next_patient"] == counts["population"] == 2 * 5
    assert counts["exceeds"] == 2 * 2
    keys = ["model", "quantity", "patient", "week", "category"]
    assert not both.duplicated(keys).any()
    assert (both["patient"].notna() == both["quantity"].isin(own)).all()


def test_probabilities_are_coherent(both: pd.DataFrame) -> None:
    assert both["probability"].between(0, 1).all()
    assert (both["mcse"] >= 0).all()
    wide = both.fillna({"patient": ""}).query("quantity != 'exceeds'")
    for column in ("probability", "prior_probability"):
        rows = wide.pivot_table(
            index=["quantity", "patient", "week"], columns="category", values=column
        )
        np.testing.assert_allclose(rows["complete"] + rows["partial"], rows["remission"])
        np.testing.assert_allclose(rows["effective"] + rows["none"], 1)
        assert (rows["effective"] >= rows["remission"]).all()


def test_both_tables_come_from_the_same_draws() -> None:
    tree = tree_of(two_markers(), BOTH, spread=0.2)
    draws = response_draws(tree, DEFINITIONS, 7)
    table, shares = probability_table(draws, "m"), population_table(draws, "m")
    assert tuple(shares.columns) == POPULATION_COLUMNS
    assert len(shares) == 2 * 5
    mean = table.query("quantity == 'population'")
    np.testing.assert_allclose(shares["share_mean"], mean["probability"])
    np.testing.assert_allclose(shares["share_mean_prior"], mean["prior_probability"])
    assert (shares["share_lower"] <= shares["share_median"]).all()
    assert (shares["share_median"] <= shares["share_upper"]).all()
    pd.testing.assert_frame_equal(table, table_of(tree))
    pd.testing.assert_frame_equal(shares, shares_of(tree))


def test_the_seed_moves_the_next_patient_only() -> None:
    tree = tree_of(two_markers(), BOTH, draws=100)
    one, other = (
        probability_table(response_draws(tree, DEFINITIONS, seed), "m") for seed in (1, 2)
    )
    same = one["quantity"] != "next_patient"
    pd.testing.assert_frame_equal(one[same], other[same])
    assert not one[~same].equals(other[~same])


def test_the_prior_may_have_another_number_of_draws() -> None:
    tree = tree_of(hyper(), draws=100)
    for group in ("prior", "prior_patients", "prior_predictions"):
        tree[group] = xr.DataTree(tree[group].to_dataset().isel(chain=[0], draw=slice(40)))
    assert table_of(tree).query("quantity == 'repeat'")["prior_probability"].notna().sum() == 8


def test_without_albumin_remission_is_blank_and_says_why() -> None:
    tree = tree_of(hyper())
    table = table_of(tree)
    blank = table["category"].isin(["complete", "partial", "remission"])
    columns = ["probability", "mcse", "prior_probability"]
    assert table.loc[blank, columns].isna().all(axis=None)
    assert table.loc[~blank, "probability"].notna().all()
    shares = shares_of(tree)
    assert (shares["share_mean"].isna() == shares["category"].isin(list(CATEGORIES[:3]))).all()
    reasons = judge_of(tree, DEFINITIONS).reasons
    assert set(reasons) == {"complete", "partial", "remission"}
    assert all("needs albumin" in reason for reason in reasons.values())
    both = judge_of(tree_of(two_markers(), BOTH, draws=5), DEFINITIONS)
    assert dict(both.reasons) == {}


def test_without_urine_protein_the_tables_are_empty_and_say_why() -> None:
    tree = tree_of(hyper(("albumin",)), ("albumin",), draws=5)
    assert response_draws(tree, DEFINITIONS, 1) is None
    table, shares = table_of(tree), shares_of(tree)
    assert table.empty
    assert shares.empty
    assert tuple(table.columns) == PROBABILITY_COLUMNS
    assert tuple(shares.columns) == POPULATION_COLUMNS
    assert set(judge_of(tree, DEFINITIONS).reasons) == set(CATEGORIES)
    # and they join the tables of other models without a warning
    full = table_of(tree_of(hyper(), draws=5))
    assert len(pd.concat([table, full])) == len(full)
    assert (pd.concat([table, full]).dtypes == full.dtypes).all()


def test_without_benchmarks_nothing_exceeds() -> None:
    bare = DEFINITIONS.model_copy(update={"benchmark": ()})
    assert "exceeds" not in set(table_of(tree_of(hyper(), draws=20), bare)["quantity"])


def test_the_definitions_decide() -> None:
    data = DEFINITIONS.recorded()
    data["category"][3]["any"][0]["fall_at_least"] = 0.4
    known = hyper()
    table = table_of(tree_of(known), parse_definitions(data, "x"))
    true = stats.norm.cdf((np.log(0.6) - known.visit_change[0, 0]) / known.change_sd[0])
    share = cell(table, "population", 2.0, "effective")
    assert share["probability"] == pytest.approx(true, abs=QMC)


CONFIRMED = parse_definitions(
    {
        "name": "half twice",
        "title": "Half at two visits",
        "category": [
            {
                "name": "half",
                "label": "half",
                "short": "half",
                "patients": "at half",
                "confirmed": True,
                "all": [{"marker": PROTEIN[0], "fall_at_least": 0.5, "why": "x", "source": "x"}],
            },
            {"name": "none", "label": "no", "short": "no", "patients": "not", "not": ["half"]},
        ],
        "benchmark": [{"category": "half", "share": 0.3, "why": "x", "source": "x"}],
    },
    "x",
)


@pytest.mark.parametrize("drift", [False, True])
def test_a_confirmed_category_agrees_with_the_law_of_both_visits(drift: bool) -> None:
    """The two visits share the baseline, the patient's change, and a drift that fades."""
    serial = {"serial_sd": np.array([0.4]), "serial_weeks": 6.0} if drift else {}
    known = hyper(**serial)
    tree = tree_of(known, patients=3)
    table = table_of(tree, CONFIRMED)
    weeks, (first, last) = np.array(VISITS), VISITS[1:]
    together = np.full((3, 3), 0.0)
    if drift:
        together = 0.4**2 * np.exp(-np.abs(weeks[:, None] - weeks) / 6.0)
    apart = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])  # changes from baseline

    def both(noise: float) -> float:
        own = together + noise**2 * np.eye(3)
        covariance = apart @ own @ apart.T + known.change_sd[0] ** 2
        mean = known.visit_change[:, 0]
        law = stats.multivariate_normal(mean, covariance, allow_singular=True)
        return float(law.cdf(np.log([0.5, 0.5])))

    share = cell(table, "population", first, "half")
    assert share["probability"] == pytest.approx(both(0.0), abs=QMC)
    assert cell(table, "population", first, "none")["probability"] == pytest.approx(
        1 - share["probability"]
    )
    if not drift:  # where there is one the tree of a fit has the next patient's course
        assert_close(cell(table, "next_patient", first, "half"), both(known.residual_sd[0]), 0.002)
    at_last = table[table["week"] == last]
    assert len(at_last) == len(table) / 2
    assert at_last[["probability", "mcse"]].isna().all(axis=None)
    assert table[table["week"] == first]["probability"].notna().all()
    shares = population_table(response_draws(tree, CONFIRMED, 7), "m")
    assert shares.loc[shares["week"] == last, "share_mean"].isna().all()


def test_confirmed_as_measured_needs_the_next_visit() -> None:
    nan = np.nan
    protein = np.array([[4.0, 1.0, 1.0], [4.0, 1.0, 3.0], [4.0, 1.0, nan], [4.0, 3.0, nan]])
    tree = tree_of(
        hyper(),
        draws=5,
        patients=4,
        missing=((2, 2, 0), (3, 2, 0)),
        measured=np.log(protein)[..., None],
    )
    table = table_of(tree, CONFIRMED).query("quantity == 'observed'")
    half = table[table["category"] == "half"].set_index("week")["probability"]
    np.testing.assert_array_equal(half.loc[VISITS[1]], [1, 0, nan, 0])
    assert half.loc[VISITS[2]].isna().all()
