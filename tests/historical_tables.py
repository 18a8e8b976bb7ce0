"""Tables and cards for the tests of the historical model, without reading files of the user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mnbayes.analyses.historical.card import HistoricalCard, load_historical_card
from mnbayes.analyses.historical.table import COLUMNS, HistoricalTable

#: RBesT's data set AS: placebo responders in eight trials of ankylosing spondylitis.
AS_RESPONDERS = (23, 12, 19, 9, 39, 6, 9, 10)
AS_PATIENTS = (107, 44, 51, 39, 139, 20, 78, 35)


def table_of(rows: Sequence[dict[str, Any]]) -> HistoricalTable:
    """A table whose unstated columns are the benchmark's, exact and without overlap."""
    defaults: dict[str, Any] = {
        "arm": "all",
        "treatment_class": "control",
        "refractory": "yes",
        "month": 6.0,
        "month_is": "assessed",
        "complete": -1,
        "read_as": "published",
        "count_within": 0,
        "overlap": "",
        "reference": "made up",
        "note": "",
    }
    frame = pd.DataFrame([defaults | row for row in rows])[list(COLUMNS)]
    return HistoricalTable(frame, "made up", "0" * 64)


def as_table() -> HistoricalTable:
    counts = zip(AS_RESPONDERS, AS_PATIENTS, strict=True)
    return table_of(
        [{"study": f"trial {i}", "remission": r, "n": n} for i, (r, n) in enumerate(counts, 1)]
    )


def as_card(spread: float = 1.0) -> HistoricalCard:
    """RBesT's priors: intercept ~ Normal(0, 2), tau ~ HalfNormal(spread)."""
    return load_historical_card(
        settings=["class_log_odds.sigma=2", f"between_study_sd.sigma={spread}"]
    )
