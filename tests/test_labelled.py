"""Labelled draws as arrays, and the types of tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mnbayes.base.labelled import array, labels, stacked, typed


def draws() -> xr.DataArray:
    """Two chains of three draws of four weeks of two markers, stored in another order."""
    numbers = np.arange(48).reshape(4, 3, 2, 2)
    coords = {"week": [0, 1, 2, 4], "marker": ["albumin", "cd3"]}
    return xr.DataArray(numbers, coords, ("week", "draw", "chain", "marker"))


def test_the_draws_come_first_and_the_other_dims_as_asked() -> None:
    data = draws()
    found = array(data, "marker", "week")
    assert found.shape == (2, 3, 2, 4)
    assert found.dtype == float
    # Position (week 3, draw 1, chain 0, marker 1) of the stored numbers.
    assert found[0, 1, 1, 3] == 3 * 12 + 1 * 4 + 0 * 2 + 1
    assert array(data).shape == (2, 3, 4, 2)
    assert array(data["week"]).tolist() == [0.0, 1.0, 2.0, 4.0]


def test_stacked_draws_run_through_one_chain_after_the_other() -> None:
    data = draws()
    found = stacked(data, "marker", "week")
    assert found.shape == (6, 2, 4)
    np.testing.assert_array_equal(found[:3], array(data, "marker", "week")[0])


def test_a_forgotten_dim_is_an_error() -> None:
    with pytest.raises(ValueError, match="week"):
        array(draws(), "marker")


def test_labels_are_plain_texts() -> None:
    assert labels(draws()["marker"]) == ["albumin", "cd3"]


def test_an_empty_table_has_the_types_of_a_full_one() -> None:
    columns = ["model", "rank", "value"]
    full = pd.DataFrame([("m", 1.0, 2)], columns=columns)
    for table in (full, full.iloc[:0], pd.DataFrame(columns=columns)):
        types = typed(table, ("model", "absent"), ("rank",)).dtypes
        assert [str(kind) for kind in types] == ["str", "int64", "float64"]
