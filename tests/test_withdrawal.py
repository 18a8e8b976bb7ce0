"""Withdrawal strategies, what they make of the enrolled patients, and the tipping point."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.lines import Line2D
from runs import BAD, GOOD, result_of, texts
from scipy.special import ndtri
from scipy.stats import norm
from trees import make_tree
from typer.testing import CliRunner

import mnbayes
from mnbayes.analyses.withdrawal import strategies as withdrawal
from mnbayes.analyses.withdrawal.enrolled import COLUMNS, NUMBERS, enrolled, withdrawal_table
from mnbayes.analyses.withdrawal.figure import tipping_curve, withdrawal_strategies
from mnbayes.analyses.withdrawal.section import section
from mnbayes.analyses.withdrawal.tipping import POINT_COLUMNS, crossing, tipping
from mnbayes.analyses.withdrawal.unseen import Outcome, WithdrawalDraws, withdrawal_draws
from mnbayes.analyses.withdrawal.words import times
from mnbayes.base.problems import InputError
from mnbayes.base.resources import models_folder
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.cli import app
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.markers import MARKERS
from mnbayes.inference.contract import recorded
from mnbayes.report.kit import style
from mnbayes.run.run import Run

PROTEIN, ALBUMIN = "urine_protein_24h", "albumin"
DEFINITIONS = load_definitions("embedded")
WEEKS = (0.0, 4.0, 12.0)
NAN = np.nan
runner = CliRunner()


def with_benchmarks(**shares: float) -> Definitions:
    """The definitions with other benchmarks, and a decision from 80 % on."""
    bars = [
        {"category": name, "share": share, "why": "a test", "source": "a test"}
        for name, share in shares.items()
    ]
    return Definitions.model_validate(DEFINITIONS.model_dump() | {"benchmark": bars})


def draws_of(
    log_ratio: np.ndarray, withdrew: dict[int, float], draws: int = 1000, baseline: float = 4.0
) -> WithdrawalDraws:
    """Protein alone: every draw has these log ratios at both later visits, shape (patient,)."""
    count = len(log_ratio)
    level = np.full((4, draws, count, len(WEEKS), 1), np.log(baseline))
    level[..., 1:, 0] += np.asarray(log_ratio)[:, None]
    week = np.full(count, NAN)
    seen = np.ones((count, len(WEEKS), 1), dtype=bool)
    for patient, since in withdrew.items():
        week[patient] = since
        seen[patient, np.array(WEEKS) >= since] = False
    measured = np.where(seen, level, NAN)
    names = tuple(f"P{i + 1}" for i in range(count))
    return WithdrawalDraws(names, (PROTEIN,), WEEKS, WEEKS[-1], level, measured, seen, week)


def with_albumin(draws: WithdrawalDraws, **changes: np.ndarray) -> WithdrawalDraws:
    """Albumin beside protein, with the same draws unless others are given."""
    both = {n: np.repeat(getattr(draws, n), 2, axis=-1) for n in ("level", "measured", "seen")}
    return replace(draws, markers=(PROTEIN, ALBUMIN), **(both | changes))


def normal_unseen(
    draws: WithdrawalDraws, patient: int, mean: float, sd: float, seed: int = 1
) -> WithdrawalDraws:
    """The patient's log ratio at week 12 is normal: an exact grid of quantiles, shuffled."""
    size = draws.level.shape[:2]
    grid = ndtri((np.arange(np.prod(size)) + 0.5) / np.prod(size))
    shuffled = np.random.default_rng(seed).permutation(grid).reshape(size)
    level = draws.level.copy()
    level[:, :, patient, 2, 0] = level[:, :, patient, 0, 0] + mean + sd * shuffled
    return replace(draws, level=level)


FALLEN, RISEN = np.log(0.4), np.log(1.2)


def near_the_half(mean: float = FALLEN, sd: float = 0.4) -> WithdrawalDraws:
    """Four of the seven who stayed respond: more than half of eight needs the unseen one."""
    ratios = np.array([FALLEN] * 4 + [RISEN] * 3 + [0.0])
    return normal_unseen(draws_of(ratios, {7: 8.0}), 7, mean, sd)


# --- what a strategy does to the draws ----------------------------------------------------------


def test_after_begins_with_the_week_of_withdrawal_unless_it_was_measured() -> None:
    draws = draws_of(np.zeros(4), {0: 8.0, 1: 4.0, 2: 12.0})
    assert (draws.after == [[0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0]]).all()
    seen = draws.seen.copy()
    seen[2, 2] = True  # measured on the day of leaving
    seen[3, 2] = False  # missed a visit, did not leave
    after = replace(draws, seen=seen).after
    assert not after[2].any()
    assert not after[3].any()


def test_an_albumin_of_the_last_day_is_kept_where_protein_is_missing() -> None:
    one = draws_of(np.zeros(2), {0: 12.0})
    seen = np.repeat(one.seen, 2, axis=-1)
    seen[0, 2, 1] = True
    draws = with_albumin(one, seen=seen)
    assert draws.after[0].tolist() == [False, False, True]
    assert draws.open[0].tolist() == [[False, False], [False, False], [True, False]]


def test_delta_multiplies_the_unseen_level_and_nothing_else() -> None:
    draws = draws_of(np.array([FALLEN, RISEN]), {1: 8.0}, draws=5)
    outcome = withdrawal.delta(draws, 3.0)
    moved = np.exp(outcome.level - draws.level)
    expected = np.ones_like(moved)
    expected[..., 1, 2, 0] = 3.0
    np.testing.assert_allclose(moved, expected)
    assert outcome.no_response is None


def test_shifts_are_a_table_to_inspect_and_edit() -> None:
    draws = with_albumin(draws_of(np.zeros(3), {1: 8.0, 2: 4.0}, draws=5))
    table = withdrawal.delta_shifts(draws, 2.0)
    assert table[["patient", "week"]].drop_duplicates().to_numpy().tolist() == [
        ["P2", 12.0],
        ["P3", 4.0],
        ["P3", 12.0],
    ]
    by_marker = table.groupby("marker")["log_shift"].unique()
    assert by_marker[PROTEIN].tolist() == [np.log(2.0)]
    assert by_marker[ALBUMIN].tolist() == [0.0]
    table.loc[(table["patient"] == "P3") & (table["marker"] == ALBUMIN), "log_shift"] = -0.1
    level = withdrawal.shifted(draws, table).level - draws.level
    np.testing.assert_allclose(level[0, 0, 2], [[0, 0], [np.log(2), -0.1], [np.log(2), -0.1]])
    np.testing.assert_allclose(level[0, 0, 1], [[0, 0], [0, 0], [np.log(2), 0]])
    lower = withdrawal.delta_shifts(draws, 2.0, {ALBUMIN: -0.2})
    assert set(lower["marker"]) == {ALBUMIN}
    np.testing.assert_allclose(lower["log_shift"], -0.2 * np.log(2.0))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("P1", 12.0, PROTEIN, 0.1), "not after a withdrawal"),
        (("P2", 0.0, PROTEIN, 0.1), "not after a withdrawal"),
        (("P2", 11.0, PROTEIN, 0.1), "no .* week 11"),
        (("P9", 12.0, PROTEIN, 0.1), "no .* P9"),
        (("P2", 12.0, PROTEIN, np.inf), "is inf"),
    ],
)
def test_a_shift_of_what_was_seen_is_refused(row: tuple[object, ...], words: str) -> None:
    draws = draws_of(np.zeros(2), {1: 8.0}, draws=5)
    table = pd.DataFrame([row], columns=list(withdrawal.SHIFT_COLUMNS))
    with pytest.raises(ValueError, match=words):
        withdrawal.shifted(draws, table)


@pytest.mark.parametrize("ratio", [0.0, -1.0, np.inf, NAN])
def test_an_impossible_delta_or_sweep_is_refused(ratio: float) -> None:
    draws = draws_of(np.zeros(2), {1: 8.0}, draws=5)
    with pytest.raises(ValueError, match="ratio above 0"):
        withdrawal.delta(draws, ratio)
    for largest in (ratio, 0.5, 1.0):
        with pytest.raises(ValueError, match="ratio above 1"):
            tipping(draws, draws, DEFINITIONS, "m", delta_max=largest)


def test_locf_takes_the_last_measurement_for_the_true_level() -> None:
    draws = draws_of(np.array([FALLEN, RISEN, 0.0]), {1: 8.0, 2: 4.0}, draws=5)
    measured = draws.measured.copy()
    measured[..., 1, 1, 0] = np.log(3.3)  # week 4, noise included
    measured[..., 2, 0, 0] = np.log(5.5)  # only a baseline
    level = np.exp(withdrawal.locf(replace(draws, measured=measured)).level)
    np.testing.assert_allclose(level[..., 1, 2, 0], 3.3)
    np.testing.assert_allclose(level[..., 2, 1:, 0], 5.5)
    np.testing.assert_allclose(level[..., 2, 0, 0], 4.0)  # the true baseline stays
    never = replace(draws, seen=np.zeros_like(draws.seen))
    np.testing.assert_array_equal(withdrawal.locf(never).level, never.level)


@st.composite
def cases(draw: st.DrawFn) -> WithdrawalDraws:
    """Any few patients, visits, markers and withdrawals, with gaps before and after them."""
    patients = draw(st.integers(1, 5))
    weeks = (0.0, *sorted(draw(st.sets(st.sampled_from([1.0, 2.0, 4.0, 8.0, 12.0]), min_size=1))))
    markers = draw(st.sampled_from([(PROTEIN,), (PROTEIN, ALBUMIN)]))
    withdrew = np.array(
        [draw(st.sampled_from([NAN, 0.0, 2.0, 5.0, 12.0, 20.0])) for _ in range(patients)]
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    cells = (patients, len(weeks), len(markers))
    seen = rng.random(cells) < 0.8
    seen &= ~(np.array(weeks) > withdrew[:, None])[..., None]
    level = rng.normal(1.0, 1.0, (2, 6, *cells))
    measured = np.where(seen, level + 0.2 * rng.standard_normal(level.shape), NAN)
    names = tuple(f"P{i}" for i in range(patients))
    return WithdrawalDraws(names, markers, weeks, weeks[-1], level, measured, seen, withdrew)


@settings(max_examples=60)
@given(cases(), st.floats(0.01, 100.0))
def test_no_strategy_alters_what_was_seen(draws: WithdrawalDraws, ratio: float) -> None:
    for strategy in (*withdrawal.withdrawal_strategies(), withdrawal.delta_strategy(ratio)):
        outcome = withdrawal.handle(strategy, draws)
        same = outcome.level == draws.level
        assert same[..., draws.seen].all()
        assert same[..., ~draws.after, :].all()
        assert same[..., 0, :].all()  # the baseline
        if outcome.no_response is not None:
            assert not (outcome.no_response & draws.seen[..., 0]).any()


@settings(max_examples=40)
@given(cases())
def test_delta_of_1_is_missing_at_random_bit_for_bit(draws: WithdrawalDraws) -> None:
    np.testing.assert_array_equal(withdrawal.delta(draws, 1.0).level, withdrawal.mar(draws).level)
    np.testing.assert_array_equal(withdrawal.mar(draws).level, draws.level)


@settings(max_examples=40)
@given(cases(), st.floats(1.0, 30.0), st.floats(1.0, 30.0))
def test_worse_never_makes_a_share_larger_and_composite_is_the_end(
    draws: WithdrawalDraws, one: float, other: float
) -> None:
    low, high = sorted((one, other))
    week = draws.weeks[-1]

    def shares(outcome: Outcome) -> dict[str, np.ndarray]:
        return dict(enrolled(outcome, draws, week, DEFINITIONS).share)

    better, worse = (shares(withdrawal.delta(draws, ratio)) for ratio in (low, high))
    end, failed = shares(withdrawal.delta(draws, 1e12)), shares(withdrawal.composite(draws))
    for category in set(better) - {"partial"}:  # complete that gets worse becomes partial
        assert (worse[category] <= better[category]).all()
        assert (failed[category] <= worse[category]).all()
        np.testing.assert_array_equal(end[category], failed[category])


@settings(max_examples=40)
@given(cases())
def test_composite_is_counting(draws: WithdrawalDraws) -> None:
    at = len(draws.weeks) - 1
    now = enrolled(withdrawal.composite(draws), draws, draws.weeks[-1], DEFINITIONS)
    protein = np.exp(draws.level[..., 0])
    counted = np.zeros(draws.level.shape[:2])
    for patient in range(len(draws.patients)):
        left = draws.withdrew_week[patient] <= draws.weeks[-1] and not draws.seen[patient, at, 0]
        if left:
            continue
        visit, baseline = protein[:, :, patient, at], protein[:, :, patient, 0]
        effective = visit <= 0.85 * baseline
        if len(draws.markers) == 2:
            albumin = np.exp(draws.level[:, :, patient, at, 1])
            effective |= (visit < 0.3) & (albumin >= 35)
        counted += effective
    np.testing.assert_allclose(now.share["effective"], counted / len(draws.patients))


# --- the registry ------------------------------------------------------------------------------


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registrations of a test end with it."""
    monkeypatch.setattr(withdrawal, "_REGISTRY", dict(withdrawal._REGISTRY))


@pytest.mark.usefixtures("registry")
def test_a_strategy_of_ones_own_is_in_the_table() -> None:
    @mnbayes.register_withdrawal_strategy("rebound", "back to baseline after withdrawal")
    def rebound(draws: WithdrawalDraws) -> Outcome:
        return Outcome(np.where(draws.open, draws.level[..., :1, :], draws.level))

    draws = draws_of(np.array([FALLEN, FALLEN]), {1: 8.0}, draws=10)
    table = withdrawal_table(draws, draws, DEFINITIONS, "m")
    row = table[(table["strategy"] == "rebound") & (table["quantity"] == "gmr")].iloc[0]
    assert row["median"] == pytest.approx(np.sqrt(0.4))
    assert row["assumption"] == "back to baseline after withdrawal"


@pytest.mark.usefixtures("registry")
def test_a_taken_or_impossible_name_is_refused() -> None:
    with pytest.raises(ValueError, match="'mar' already: missing at random"):
        mnbayes.register_withdrawal_strategy("mar", "mine")
    with pytest.raises(ValueError, match="letters"):
        mnbayes.register_withdrawal_strategy("my own", "mine")


def test_an_unknown_name_lists_those_that_there_are() -> None:
    with pytest.raises(InputError) as caught:
        withdrawal.find_strategy("lofc")
    assert "one of mar, composite, locf, delta (did you mean locf?)" in str(caught.value)


@pytest.mark.parametrize(
    ("level", "no_response", "words"),
    [
        (lambda d: d.level + 1, None, "altered a level"),
        (lambda d: d.level[..., :1], None, "expected"),
        (lambda d: np.where(d.open, NAN, d.level), None, "use no_response"),
        (lambda d: d.level, lambda d: np.ones_like(d.after), "set no_response"),
    ],
)
def test_a_strategy_that_alters_what_was_seen_is_refused(level, no_response, words) -> None:
    draws = draws_of(np.zeros(2), {1: 8.0}, draws=5)
    bad = withdrawal.Strategy(
        "mine", "mine", lambda d: Outcome(level(d), None if no_response is None else no_response(d))
    )
    with pytest.raises(ValueError, match=f"'mine'.*{words}"):
        withdrawal.handle(bad, with_albumin(draws))


# --- the enrolled patients ----------------------------------------------------------------------


def test_shares_and_ratio_of_known_levels() -> None:
    # Five fell to 40 %, two rose, the one who left is predicted to fall by a quarter.
    ratios = np.array([FALLEN] * 5 + [RISEN] * 2 + [np.log(0.75)])
    draws = draws_of(ratios, {7: 8.0}, draws=20)
    table = withdrawal_table(draws, draws, DEFINITIONS, "m").set_index(["quantity", "strategy"])
    assert tuple(table.reset_index()[list(COLUMNS)].columns) == COLUMNS
    share = table.loc["share"]
    expected = {"mar": 6 / 8, "composite": 5 / 8, "locf": 6 / 8, "delta": 5 / 8}
    assert share["mean"].to_dict() == expected
    assert (share["threshold"] == 0.5).all()
    assert (share["probability"] == 1).all()  # 5 of 8 is more than half
    gmr = table.loc["gmr"]
    assert gmr.loc["mar", "median"] == pytest.approx(np.exp(ratios.mean()))
    assert gmr.loc["delta", "median"] == pytest.approx(np.exp(ratios.mean()) * 2 ** (1 / 8))
    blank = gmr.loc["composite", ["mean", "mcse", "lower", "probability"]]
    assert np.isnan(blank.astype(float)).all()
    assert (table["enrolled"] == 8).all()
    assert (table["withdrawn"] == 1).all()
    np.testing.assert_array_equal(table["mean"], table["mean_prior"])


def test_albumin_decides_remission_and_is_not_shifted() -> None:
    one = draws_of(np.log([0.05, 0.05]), {1: 8.0}, draws=10)  # 4 to 0.2 g/24h
    level = np.repeat(one.level, 2, axis=-1)
    level[..., 1] = np.log([36.0, 36.0])[:, None]
    draws = with_albumin(one, level=level, measured=level)
    table = withdrawal_table(draws, draws, DEFINITIONS, "m")
    complete = table[table["category"] == "complete"].set_index("strategy")["mean"]
    assert complete.to_dict() == {"mar": 1.0, "composite": 0.5, "locf": 1.0, "delta": 0.5}
    partial = table[table["category"] == "partial"].set_index("strategy")["mean"]
    assert partial["delta"] == 0.5  # 0.4 g/24h is no longer complete, but partial


def test_probabilities_have_the_error_of_their_draws() -> None:
    draws = normal_unseen(draws_of(np.array([FALLEN, RISEN, 0.0]), {2: 8.0}), 2, 0.0, 0.5)
    table = withdrawal_table(draws, draws, with_benchmarks(effective=0.5), "m")
    row = table[(table["strategy"] == "mar") & (table["quantity"] == "share")].iloc[0]
    p = norm.cdf(np.log(0.85) / 0.5)
    assert row["probability"] == pytest.approx(p, abs=1e-3)
    assert row["probability_mcse"] == pytest.approx(np.sqrt(p * (1 - p) / 4000), rel=0.15)
    assert row["mean"] == pytest.approx((1 + p) / 3, abs=1e-3)


def test_nobody_withdrew_leaves_missing_at_random_alone() -> None:
    draws = draws_of(np.array([FALLEN, RISEN]), {}, draws=10)
    seen = draws.seen.copy()
    seen[0, 2] = False  # missed the visit
    draws = replace(draws, seen=seen)
    table = withdrawal_table(draws, draws, DEFINITIONS, "m")
    assert set(table["strategy"]) == {"mar"}
    assert (table["withdrawn"] == 0).all()
    assert tipping(draws, draws, DEFINITIONS, "m") is None


def test_draws_of_a_tree_hold_records_under_the_posterior_and_none_under_the_prior() -> None:
    tree = make_tree(
        draws=40,
        markers=(ALBUMIN, PROTEIN),
        missing=((1, 4, 0), (1, 4, 1)),
        censored_below=((2, 3, 1),),
    )
    week = np.full(8, NAN)
    week[1] = 8.0
    now, before = (withdrawal_draws(tree, group, week) for group in ("posterior", "prior"))
    assert now.markers == (PROTEIN, ALBUMIN)
    assert np.argwhere(now.after).tolist() == [[1, 4]]
    data = recorded(tree)
    value = data["log_value"].sel(marker=PROTEIN).to_numpy()
    exact = ~np.isnan(value)
    np.testing.assert_array_equal(
        now.measured[..., 0][..., exact], np.broadcast_to(value[exact], (4, 40, exact.sum()))
    )
    limit = float(data["log_upper"].sel(marker=PROTEIN).to_numpy()[2, 3])
    assert (now.measured[..., 2, 3, 0] <= limit).all()
    for draws in (now, before):
        assert np.isnan(draws.measured[..., 1, 4, :]).all()
        assert np.isnan(draws.measured).sum() == 4 * 40 * 2
    assert before.measured[..., 0, 0, 0].std() > 0.1
    level = tree["patients"]["level"].sel(marker=ALBUMIN).to_numpy()
    np.testing.assert_array_equal(now.level[..., 1], level)


# --- the tipping point ---------------------------------------------------------------------------


def points_of(
    draws: WithdrawalDraws, definitions: Definitions, **options: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    swept = tipping(draws, draws, definitions, "m", **options)
    assert swept is not None
    assert tuple(swept.points.columns) == POINT_COLUMNS
    return swept.points.set_index("conclusion"), swept.curve


def test_a_flip_lies_where_the_normal_distribution_says() -> None:
    mean, sd = np.log(0.4), 0.4
    draws = near_the_half(mean, sd)
    points, curve = points_of(draws, with_benchmarks(effective=0.5))
    # P(log ratio + log delta <= log 0.85) = 0.8
    delta = np.exp(np.log(0.85) - mean - sd * norm.ppf(0.8))
    row = points.loc["share_exceeds"]
    assert row["verdict"] == "flips"
    assert row["delta"] == pytest.approx(delta, rel=2e-3)
    assert row["delta_lower"] < row["delta"] < row["delta_upper"]
    assert row["as_failure"] == 0.0
    # the slope of the normal distribution turns the error of P into one of delta
    error = np.sqrt(0.8 * 0.2 / 4000) / norm.pdf(norm.ppf(0.8)) * sd * delta
    assert 0.5 * (row["delta_upper"] - row["delta_lower"]) == pytest.approx(error, rel=0.3)
    # the curve itself
    part = curve[curve["category"] == "effective"]
    expected = norm.cdf((np.log(0.85) - mean - np.log(part["delta"])) / sd)
    np.testing.assert_allclose(part["probability"], expected, atol=1e-3)
    assert part["delta"].iloc[0] == 1.0
    assert part["delta"].iloc[-1] == pytest.approx(10.0)


@pytest.mark.parametrize("left", [1, 2])
def test_the_ratio_flips_where_its_interval_reaches_1(left: int) -> None:
    # log GMR = mean of the others' + (sum of the unseen + left * log delta) / 8
    ratios = np.array([np.log(0.8)] * 8)
    mean, sd = np.log(0.8), 0.4
    draws = draws_of(ratios, {7 - i: 8.0 for i in range(left)})
    for i in range(left):
        draws = normal_unseen(draws, 7 - i, mean, sd, seed=i + 1)
    points, curve = points_of(draws, with_benchmarks(effective=0.5))
    spread = sd * np.sqrt(left) / 8
    upper = np.log(0.8) + norm.ppf(0.975) * spread
    interval, chance = (points.loc[name] for name in ("gmr_interval", "gmr_probability"))
    assert interval["at_one"] == pytest.approx(np.exp(upper), rel=3e-3)
    assert interval["delta"] == pytest.approx(np.exp(-upper * 8 / left), rel=0.03)
    high = np.log(0.8) + norm.ppf(0.8) * spread
    assert chance["delta"] == pytest.approx(np.exp(-high * 8 / left), rel=0.03)
    gmr = curve[curve["quantity"] == "gmr"]
    np.testing.assert_allclose(gmr["median"], 0.8 * gmr["delta"] ** (left / 8), rtol=5e-3)


def test_a_sweep_is_the_strategy_delta_at_every_ratio() -> None:
    draws = normal_unseen(draws_of(np.array([FALLEN, RISEN, 0.0]), {2: 8.0}), 2, -0.5, 0.5)
    _, curve = points_of(draws, DEFINITIONS)
    part = curve.groupby("delta", sort=True)
    for ratio, rows in list(part)[::8]:
        table = withdrawal_table(
            draws, draws, DEFINITIONS, "m", [withdrawal.delta_strategy(float(ratio))]
        )
        both = rows.merge(table, on=["quantity", "category"], suffixes=("", "_one"))
        assert len(both) == 2
        for name in ("probability", "mean", "lower", "upper"):
            np.testing.assert_allclose(both[name], both[f"{name}_one"])


@pytest.mark.parametrize(
    ("responders", "unseen", "verdict"),
    [
        (5, FALLEN, "never"),
        (3, FALLEN, "not_held"),
        (4, np.log(0.01), "beyond"),
        (4, FALLEN, "flips"),
    ],
)
def test_verdicts(responders: int, unseen: float, verdict: str) -> None:
    # Levels without any spread: 0.4 reaches 0.85 of baseline at delta 2.125.
    ratios = np.array([FALLEN] * responders + [RISEN] * (7 - responders) + [unseen])
    points, _ = points_of(draws_of(ratios, {7: 8.0}, draws=50), with_benchmarks(effective=0.5))
    row = points.loc["share_exceeds"]
    assert row["verdict"] == verdict
    assert not row["unsure"]
    assert np.isnan(row["delta"]) == (verdict != "flips")
    if verdict == "flips":
        assert row["delta"] == pytest.approx(2.125, rel=1e-3)


def test_a_verdict_within_the_monte_carlo_error_says_so() -> None:
    # P is 0.8 less a third of its error: below what is required, but not surely.
    p = 0.8 - 0.3 * np.sqrt(0.16 / 4000)
    draws = near_the_half(np.log(0.85) - 0.4 * norm.ppf(p))
    points, _ = points_of(draws, with_benchmarks(effective=0.5))
    row = points.loc["share_exceeds"]
    assert row["verdict"] == "not_held"
    assert row["unsure"]


def test_the_decision_is_the_definitions_own() -> None:
    draws = near_the_half()
    strict = with_benchmarks(effective=0.5).model_dump()
    strict["decision"] |= {"probability": 0.95}
    deltas = [
        points_of(draws, definitions)[0].loc["share_exceeds", "delta"]
        for definitions in (with_benchmarks(effective=0.5), Definitions.model_validate(strict))
    ]
    assert deltas[1] == pytest.approx(
        deltas[0] * np.exp(0.4 * (norm.ppf(0.8) - norm.ppf(0.95))), rel=0.01
    )


def test_a_card_without_a_decision_has_80_percent_and_half_a_decision_is_refused(
    tmp_path: Path,
) -> None:
    text = (models_folder() / "definitions" / "embedded.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text.partition("[decision]")[0], encoding="utf-8")
    assert load_definitions(path).decision.probability == 0.8
    assert DEFINITIONS.decision.probability == 0.8
    path.write_text(text.replace("probability = 0.8", "probability = 80"), encoding="utf-8")
    with pytest.raises(InputError, match=r"decision\.probability: found 80; .*less than 1"):
        load_definitions(path)
    path.write_text(text.partition("[decision]")[0] + "[decision]\nprobability = 0.9\n")
    with pytest.raises(InputError, match=r"decision\.why: found nothing"):
        load_definitions(path)


def test_a_share_that_is_not_monotone_or_no_response_is_not_swept() -> None:
    draws = draws_of(np.array([FALLEN, 0.0]), {1: 8.0}, draws=10)
    points, curve = points_of(draws, with_benchmarks(none=0.5, partial=0.2))
    assert set(points.index) == {"gmr_interval", "gmr_probability"}
    assert set(curve["quantity"]) == {"gmr"}


def test_bisection_finds_the_place() -> None:
    grid = np.linspace(0.0, 2.0, 5)
    found = crossing(lambda x: -(x**2), grid, -(grid**2), -2.0)
    assert found == pytest.approx(np.sqrt(2.0), abs=1e-4)
    assert np.isnan(crossing(lambda x: -x, grid, -grid, 0.5))
    assert crossing(lambda x: -x, grid, -grid, -3.0) == np.inf


@pytest.mark.parametrize(
    ("delta", "error", "text"),
    [
        (2.43, 0.03, "2.4"),
        (2.43, 0.3, "2.5"),
        (2.43, 0.8, "2"),
        (1.043, 0.004, "1.04"),
        (1.043, 0.2, "less than 1.5"),
        (7.6, 3.0, "10"),
        (7.6, np.inf, "10"),
    ],
)
def test_a_delta_has_no_digit_finer_than_its_error(delta: float, error: float, text: str) -> None:
    assert times(delta, error) == text


# --- in a result and in the report ---------------------------------------------------------------


def test_a_result_holds_the_table_and_the_sweep_and_blanks_them_when_withheld() -> None:
    tree = make_tree(markers=(PROTEIN,), visits=WEEKS, patients=4, draws=100, missing=((1, 2, 0),))
    result, held = (result_of(tree, ((1, 8.0),), how) for how in (GOOD, BAD))
    strategies = {"mar", "composite", "locf", "delta"}
    assert set(result.parts["withdrawal"].table["strategy"]) == strategies
    assert len(result.parts["withdrawal"].tipping.points) == 3
    assert held.parts["withdrawal"].tipping is None
    run = Run(embedded_cohort(), load_definitions(), (held,), "weak", (), {})
    shown = section(run)
    assert (bool(shown.absent), shown.page_one, shown.shown, shown.annex) == (True, None, (), "")
    of_both = section(replace(run, results=(held, result)))
    assert len(of_both.shown) == 2  # the categories with a benchmark
    assert of_both.page_one is not None
    assert len(of_both.sentences) == 3
    assert len(held.parts["withdrawal"].table) == len(result.parts["withdrawal"].table)
    assert held.parts["withdrawal"].table[list(NUMBERS)].isna().all(axis=None)
    assert held.parts["withdrawal"].table["strategy"].notna().all()


# --- figures and the command ---------------------------------------------------------------------


def test_figures_draw_where_it_flips_and_say_that_it_is_synthetic() -> None:
    draws = near_the_half()
    definitions = with_benchmarks(effective=0.5)
    swept = tipping(draws, draws, definitions, "m")
    assert swept is not None
    curve = tipping_curve(swept, definitions, MARKERS[PROTEIN], ("too few draws",), True)
    words = texts(curve)
    delta = float(swept.points["delta"].iloc[0])
    assert "Synthetic cohort: no real patient." in words
    assert "NOT CONVERGED (too few draws)" in words
    (left, right) = curve.axes
    assert left.get_xscale() == right.get_xscale() == right.get_yscale() == "log"
    assert delta in [line.get_xdata()[0] for line in left.lines]
    table = withdrawal_table(draws, draws, definitions, "m")
    assert "Synthetic" not in texts(
        withdrawal_strategies(table, definitions, MARKERS[PROTEIN], (), False)
    )


def look(line: Line2D) -> tuple[object, ...]:
    """Colour, style and marker of a line."""
    return line.get_color(), line.get_linestyle(), str(line.get_marker() or None)


@pytest.mark.parametrize(("most", "flips"), [(10.0, 0), (1000.0, 2)])
def test_the_key_names_only_what_is_drawn(most: float, flips: int) -> None:
    draws = near_the_half()
    definitions = with_benchmarks(effective=0.5)
    swept = tipping(draws, draws, definitions, "m", delta_max=most)
    assert swept is not None
    figure = tipping_curve(swept, definitions, MARKERS[PROTEIN], (), True)
    drawn = {look(line) for ax in figure.axes for line in ax.lines}
    drawn |= {(style.GREY, *rest) for _, *rest in drawn}  # grey stands for every category
    key = [each for each in figure.legends[0].legend_handles if isinstance(each, Line2D)]
    assert {look(each) for each in key} <= drawn
    dotted = [line for line in figure.axes[1].lines if line.get_linestyle() == ":"]
    found = swept.points.loc[swept.points["conclusion"] != "share_exceeds", "delta"].dropna()
    assert len(found) == flips
    assert [line.get_xdata()[0] for line in dotted] == found.tolist()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run's folder with what the command reads."""
    folder = tmp_path_factory.mktemp("finished") / "results" / "20260102-030405"
    (folder / "posterior").mkdir(parents=True)
    week = np.full(8, NAN)
    week[1] = 8.0
    tree = make_tree(markers=(PROTEIN,), draws=50, missing=((1, 4, 0),))
    constant = tree["constant_data"].to_dataset().assign(withdrew_week=("patient", week))
    tree["constant_data"] = xr.DataTree(constant)
    tree.to_netcdf(folder / "posterior" / "proteinuria.nc", engine="h5netcdf")
    (folder / "posterior" / "damaged.nc").write_bytes(b"half")
    fine = {"withheld": [], "diagnostics": {"reasons": []}}
    bad = {"withheld": ["R-hat"], "diagnostics": {"reasons": ["R-hat"]}}
    manifest = {
        "started": "2026-01-02T03:04:05+00:00",
        "synthetic": True,
        "definitions": DEFINITIONS.recorded(),
        "models": {
            "proteinuria": {"markers": [PROTEIN], **fine},
            "bad": {"markers": [PROTEIN], **bad},
            "cells": {"markers": ["cd4"], **fine},
            "damaged": {"markers": [PROTEIN], **fine},
        },
    }
    (folder / "run.json").write_text(json.dumps(manifest))
    return folder


def test_the_command_reads_the_newest_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run.parents[1])
    out = run.parents[1] / "out"
    args = ["withdrawal", "--model", "proteinuria", "--delta", "4", "--delta-max", "20"]
    args += ["--strategy", "mar", "--strategy", "delta", "--out", str(out)]
    for _ in range(2):  # its own folder may be written again
        done = runner.invoke(app, args)
        assert done.exit_code == 0, done.output
    words = " ".join(done.stdout.split())
    assert "SYNTHETIC cohort: no real patient." in words
    names = {"withdrawal.csv", "tipping_curve.csv", "tipping_points.csv"}
    pictures = {f"proteinuria_{n}.svg" for n in ("withdrawal_strategies", "tipping_curve")}
    assert {p.name for p in out.iterdir()} == names | pictures
    table = pd.read_csv(out / "withdrawal.csv")
    assert table.columns.tolist() == [*COLUMNS, "synthetic"]
    assert set(table["delta"].dropna()) == {4.0}
    points = pd.read_csv(out / "tipping_points.csv")
    assert (points["delta_max"] == 20).all()


def test_a_withheld_model_stays_withheld(run: Path) -> None:
    models = ["--model", "proteinuria", "--model", "bad"]
    done = runner.invoke(app, ["withdrawal", str(run), "--full", *models])
    assert done.exit_code == 1
    words = " ".join(done.stdout.split())
    assert "bad did not converge (R-hat): its numbers are withheld." in words
    assert words.count("Share of the 8 enrolled at week 12: effective") == 1


def test_by_itself_the_command_prints_one_table_and_says_what_it_leaves_out(run: Path) -> None:
    models = ["--model", "proteinuria", "--model", "bad"]
    short, full = (
        runner.invoke(app, ["withdrawal", "--run", str(run), *models, *more], env={"COLUMNS": "80"})
        for more in ((), ("--full",))
    )
    words = " ".join(short.stdout.split())
    assert "bad did not converge (R-hat): its numbers are withheld." in words
    assert "--full" in words
    assert len(short.stdout.splitlines()) <= 40 < len(full.stdout.splitlines())
    # The same probabilities, strategy by strategy.
    rows = [line.split("  ") for line in short.stdout.splitlines() if line.startswith("effective")]
    cells = [cell.strip() for cell in rows[0][1:] if cell.strip()]
    assert len(cells) == 4
    assert all(cell in full.stdout for cell in cells)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "proteinurai"], "(did you mean proteinuria?)"),
        (["--model", "cells"], "a model of the run that has urine_protein_24h (proteinuria, bad,"),
        (["--strategy", "moon"], "one of mar, composite, locf, delta"),
        (["--run", "nowhere"], "no such folder"),
        (["--out", "."], "which is not an output of mnbayes withdrawal"),
    ],
)
def test_bad_options_are_said_in_words(
    run: Path, options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(run)
    base = ["withdrawal"] + ([] if "--run" in options else ["--run", str(run)])
    done = runner.invoke(app, base + options)
    assert done.exit_code == 2
    assert words in " ".join(done.stderr.split())


def test_damaged_draws_and_no_run_are_said_in_words(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = runner.invoke(app, ["withdrawal", "--run", str(run)])
    assert done.exit_code == 2
    assert "damaged.nc: found" in done.stderr
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    done = runner.invoke(app, ["withdrawal"])
    assert done.exit_code == 2
    assert "no run under results/" in done.stderr
