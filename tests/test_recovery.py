"""Known changes are recovered: the stored study, and whether it is still the program's."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import script
from scipy import stats

from mnbayes.cards.card import load_card
from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.inference.diagnostics import MIN_ESS
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.recovery import RECOVERY_COLUMNS, coverage, first_cohorts
from mnbayes.studies.rerun import ABSOLUTE, RELATIVE, from_lines
from mnbayes.studies.simulated_cohorts import simulate_cohorts

STORED = Path(__file__).parent / "reference" / "recovery.json"
AGAIN = "the model's numbers or a card have changed: run `python scripts/recovery.py`"
WEEKS = (0.0, 1.0, 2.0, 4.0, 12.0)


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return content


def test_the_stored_study_is_of_these_cards_and_settings(stored: dict[str, Any]) -> None:
    cards = [load_card(name) for name in stored["coverage"]]
    assert stored["fingerprint"] == fingerprint(cards), AGAIN
    made = script("recovery")
    settings = (stored["patients"], tuple(stored["weeks"]), stored["seed"])
    assert settings == (made.PATIENTS, made.WEEKS, made.SEED), AGAIN
    assert {name: rows[0]["cohorts"] for name, rows in stored["coverage"].items()} == made.COHORTS


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("proteinuria", marks=pytest.mark.xdist_group("proteinuria")),
        pytest.param("remission", marks=pytest.mark.xdist_group("remission")),
        pytest.param("lymphocytes", marks=pytest.mark.xdist_group("remission")),
    ],
)
def test_its_first_cohorts_have_the_same_numbers_again(name: str, stored: dict[str, Any]) -> None:
    kept, count = stored["first"][name], stored["coverage"][name][0]["cohorts"]
    before = from_lines(kept["intervals"])
    first = before["cohort"].nunique()
    again = first_cohorts(
        load_card(name), stored["patients"], stored["weeks"], count, stored["seed"], first
    )
    close = {"rtol": RELATIVE, "atol": ABSOLUTE}
    np.testing.assert_allclose(again["log_density"], kept["log_density"], **close, err_msg=AGAIN)
    now = from_lines(again["intervals"])
    assert tuple(now.columns) == RECOVERY_COLUMNS
    assert now[["cohort", "marker", "quantity"]].equals(before[["cohort", "marker", "quantity"]])
    np.testing.assert_allclose(now["truth"], before["truth"], **close, err_msg=AGAIN)
    assert now["converged"].all()
    assert before["converged"].all()
    # Errors of a normal quantile from the fewest effective draws that pass, of two fits.
    sd = (before["upper"] - before["lower"]) / (2 * stats.norm.ppf(0.975))
    for column, p in (("lower", 0.025), ("median", 0.5), ("upper", 0.975)):
        error = np.sqrt(2 * p * (1 - p) / MIN_ESS) / stats.norm.pdf(stats.norm.ppf(p))
        assert ((now[column] - before[column]).abs() <= 4 * error * sd).all(), (column, AGAIN)


def test_at_least_fifty_cohorts_of_eight(stored: dict[str, Any]) -> None:
    assert stored["patients"] == 8
    for rows in stored["coverage"].values():
        assert all(row["cohorts"] >= 50 for row in rows)


def test_intervals_of_the_mean_changes_cover(stored: dict[str, Any]) -> None:
    for name, rows in stored["coverage"].items():
        for row in rows:
            if row["marker"] == "all":
                assert 0.90 <= row["coverage"] <= 0.99, (name, row)
            else:
                # One marker's intervals are few: within three of its standard errors at 95 %.
                error = np.sqrt(0.95 * 0.05 / row["cohorts"])
                assert abs(row["coverage"] - 0.95) <= 3 * error, (name, row)


def test_fingerprint_sees_priors_and_structure_and_no_words() -> None:
    card = load_card("proteinuria")
    (changed,) = apply_changes([card], [parse_setting("change_mean.sigma=0.6")], strict=True)
    serial = card.structure.model_copy(update={"trajectory": "step"})
    rebuilt = card.model_copy(update={"structure": serial})
    renamed = card.model_copy(update={"name": "another", "title": "Another"})
    assert fingerprint([renamed]) == fingerprint([card])
    assert len({fingerprint([each]) for each in (card, changed, rebuilt)}) == 3


def test_simulated_cohorts_have_the_prior_s_moments() -> None:
    card = load_card("proteinuria")
    simulated = simulate_cohorts(card, 8, WEEKS, 1000, np.random.default_rng(1))
    baseline = np.array([np.log(s.cohort.measurements["value"].to_numpy()[0]) for s in simulated])
    # Var = mean's sigma^2 + between^2 + within^2 (half-normal: second moment sigma^2).
    total = 0.75**2 + 0.51**2 + 0.3**2
    assert baseline.mean() == pytest.approx(1.386, abs=5 * np.sqrt(total / 1000))
    assert baseline.var() == pytest.approx(total, rel=0.15)
    one = simulated[0]
    assert one.level.shape == (8, 5, 1)
    assert one.cohort.synthetic
    assert len(one.cohort.measurements) == 8 * 5


def test_coverage_counts_by_hand() -> None:
    rows = [
        (0, "a", "mean change", 0.0, -1.0, 0.0, 1.0, True, True, ""),
        (1, "a", "mean change", 0.0, 0.5, 0.7, 1.0, False, True, ""),
        (0, "b", "mean change", 0.0, np.nan, np.nan, np.nan, False, False, "R-hat"),
        (1, "b", "mean change", 0.0, -1.0, 0.0, 1.0, True, True, ""),
    ]
    out = coverage(pd.DataFrame(rows, columns=list(RECOVERY_COLUMNS))).set_index("marker")
    assert out.loc["a", "coverage"] == 0.5
    assert out.loc["all", "coverage"] == 0.5
    assert out["failed"].to_dict() == {"a": 0, "b": 1, "all": 1}
    assert out.loc["a", "standard_error"] == pytest.approx(np.sqrt(0.25 / 2))
