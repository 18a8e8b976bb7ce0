"""Patients inside and outside the ranges of healthy people, as measured.

Ranges (:attr:`mnbayes.data.markers.Marker.reference`) orient a reader and enter no model: being
inside or outside one is no response.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from mnbayes.data.markers import Reference

PLACE_COLUMNS = ("marker", "week", "measured", "inside", "below", "above", "undecided")


def placed(
    measurements: pd.DataFrame, ranges: Mapping[str, Reference], weeks: tuple[float, ...]
) -> pd.DataFrame:
    """Count patients inside, below and above the ranges, as measured.

    Parameters
    ----------
    measurements : DataFrame
        Of a :class:`~mnbayes.data.cohort.Cohort`; one row for each patient, week and marker.
    ranges : mapping
        Marker to range; the bounds belong to it, and a side without one is open.
    weeks : tuple of float

    Returns
    -------
    DataFrame
        Columns :data:`PLACE_COLUMNS`, one row for each marker and week, markers in the order of
        ``ranges``. ``measured`` is the sum of the other four; ``undecided`` counts censored
        values whose interval reaches over a bound.
    """
    rows = []
    for marker, given in ranges.items():
        start, end = given.ends
        for week in weeks:
            at = (measurements["marker"] == marker) & (measurements["week"] == week)
            part = measurements.loc[at]
            low = part["value"].fillna(part["lower"])
            high = part["value"].fillna(part["upper"])
            # A censored value lies strictly between its bounds, an exact one on both.
            exact = part["value"].notna()
            below = (high < start) | (~exact & (high == start))
            above = (low > end) | (~exact & (low == end))
            inside = (low >= start) & (high <= end)
            counts = [int(which.sum()) for which in (inside, below, above)]
            rows.append((marker, week, len(part), *counts, len(part) - sum(counts)))
    return pd.DataFrame(rows, columns=list(PLACE_COLUMNS)).astype({"marker": "str"})
