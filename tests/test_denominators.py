"""Counted response over both denominators; intervals against hand-computed and published ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mnbayes.answers.denominators import COLUMNS, exact_interval, response_counts

RESPONSES = ("complete", "partial", "remission", "effective")


def test_none_and_all_have_closed_forms() -> None:
    # P(no success in n) = (1 - p)^n = 0.025 at the upper end, and the mirror image
    end = 1 - 0.025 ** (1 / 8)
    assert exact_interval(0, 8) == pytest.approx((0, end))
    assert exact_interval(8, 8) == pytest.approx((1 - end, 1))


def test_one_of_one_at_another_confidence() -> None:
    assert exact_interval(1, 1, 0.8) == pytest.approx((0.1, 1))


@pytest.mark.parametrize(("successes", "total"), [(0, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match=f"found {successes}/{total}"):
        exact_interval(successes, total)


def _observed(values: dict[str, list[float]], week: float = 12.0) -> pd.DataFrame:
    rows = [
        ("m", quantity, f"P{i}", week, category, value)
        for category, cells in values.items()
        for i, value in enumerate(cells)
        for quantity in ("observed", "latent")
    ]
    names = ["model", "quantity", "patient", "week", "category", "probability"]
    return pd.DataFrame(rows, columns=names)


def test_counts_over_both_denominators() -> None:
    nan = float("nan")
    effective, none = [1, 1, 1, 1, 1, 0, 0, nan], [0, 0, 0, 0, 0, 1, 1, nan]
    table = _observed({"effective": effective, "none": none, "complete": [nan] * 8})
    counts = response_counts(table, 12.0, RESPONSES)
    assert tuple(counts.columns) == COLUMNS
    # "none" would count the withdrawal as a success, and "complete" could not be judged
    assert counts["category"].tolist() == ["effective"]
    row = counts.iloc[0]
    assert (row["responders"], row["evaluable"], row["enrolled"]) == (5, 7, 8)
    assert row["share_evaluable"] == pytest.approx(5 / 7)
    assert row["share_enrolled"] == pytest.approx(5 / 8)
    ends = [f"{end}_{group}" for group in ("evaluable", "enrolled") for end in ("lower", "upper")]
    assert [round(100 * row[end], 1) for end in ends] == [29.0, 96.3, 24.5, 91.5]


def test_only_the_asked_visit_counts() -> None:
    both = pd.concat([_observed({"effective": [1, 0]}, 4.0), _observed({"effective": [1, 1]})])
    assert response_counts(both, 4.0, RESPONSES)["responders"].tolist() == [1]
    assert response_counts(both, 12.0, RESPONSES)["responders"].tolist() == [2]


def test_a_visit_where_nobody_was_judged_gives_no_row() -> None:
    assert response_counts(_observed({"effective": [np.nan, np.nan]}), 12.0, RESPONSES).empty
