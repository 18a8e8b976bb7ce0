"""Known changes are recovered: the stored study, its age, and the code that made it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mnbayes.cards.card import load_card
from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.recovery import RECOVERY_COLUMNS, coverage, recover
from mnbayes.studies.simulated_cohorts import simulate_cohorts

STORED = Path(__file__).parent / "reference" / "recovery.json"
WEEKS = (0.0, 1.0, 2.0, 4.0, 12.0)


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(STORED.read_text(encoding="utf-8"))
    return content


def test_the_stored_study_is_of_this_code(stored: dict[str, Any]) -> None:
    cards = [load_card(name) for name in stored["coverage"]]
    assert stored["fingerprint"] == fingerprint(cards), (
        "the model's code or a card has changed since the study: run `python scripts/recovery.py`"
    )


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


def test_fingerprint_sees_cards_and_code_not_comments(tmp_path: Path) -> None:
    card = load_card("proteinuria")
    changed = apply_changes([card], [parse_setting("change_mean.sigma=0.6")], strict=True)
    assert fingerprint([card]) != fingerprint(changed)
    assert fingerprint([card]) != fingerprint([card], ["change.py"])
    from mnbayes.studies.fingerprint import _meaning

    plain = "def f(x):\n    return x + 1\n"
    commented = '"""Module."""\n\n\ndef f(x):\n    """Say."""\n    # why\n    return x + 1\n'
    assert _meaning(plain) == _meaning(commented)
    assert _meaning(plain) != _meaning(plain.replace("1", "2"))


def test_simulated_cohorts_have_the_prior_s_moments() -> None:
    card = load_card("proteinuria")
    simulated = simulate_cohorts(card, 8, WEEKS, 4000, np.random.default_rng(1))
    baseline = np.array([np.log(s.cohort.measurements["value"].to_numpy()[0]) for s in simulated])
    # Var = mean's sigma^2 + between^2 + within^2 (half-normal: second moment sigma^2).
    total = 0.75**2 + 0.51**2 + 0.3**2
    assert baseline.mean() == pytest.approx(1.386, abs=5 * np.sqrt(total / 4000))
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


@pytest.mark.xdist_group("proteinuria")
def test_a_small_study_runs() -> None:
    table = recover(load_card("proteinuria"), 8, WEEKS, 3, seed=1)
    assert tuple(table.columns) == RECOVERY_COLUMNS
    assert len(table) == 3 * 2
    known = table[table["converged"]]
    assert (known["lower"] < known["upper"]).all()
