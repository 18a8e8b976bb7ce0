"""Labelled draws as plain arrays, and tables as columns of settled types.

Numerics here are array functions below a labelled surface; these are the steps between both.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
import xarray as xr

from mnbayes.base.arrays import Floats


def array(data: xr.DataArray, *dims: str) -> Floats:
    """Numbers of a labelled array, its draws first.

    Parameters
    ----------
    data : DataArray
        Of a group of a fit, whole or selected from.
    *dims : str
        Order of all its dims but ``chain`` and ``draw``; default: as stored.

    Returns
    -------
    array, shape (chain, draw, ...)
        Without ``chain`` and ``draw`` where the data have no draws.

    Raises
    ------
    ValueError
        If ``dims`` are not the dims of the data.
    """
    draws = ("chain", "draw") if "chain" in data.dims else ()
    wanted = (*draws, *dims) if dims else (*draws, *(d for d in data.dims if d not in draws))
    if data.dims != wanted:  # to ask for the order that is there takes longer than all the rest
        data = data.transpose(*wanted)
    return np.asarray(data.to_numpy(), dtype=float)


def stacked(data: xr.DataArray, *dims: str) -> Floats:
    """Numbers of labelled draws, chain after chain on one axis: shape (draw, ...).

    Parameters are those of :func:`array`.
    """
    values = array(data, *dims)
    return values.reshape(-1, *values.shape[2:])


def labels(coord: xr.DataArray) -> list[str]:
    """Names along a dim, such as ``tree["posterior"].dataset["marker"]``."""
    return [str(name) for name in coord.to_numpy()]


def marked(table: pd.DataFrame, synthetic: bool) -> pd.DataFrame:
    """A table as it is written: of a synthetic cohort its last column says so."""
    return table.assign(synthetic=True) if synthetic else table


def typed(
    table: pd.DataFrame, texts: Collection[str], integers: Collection[str] = ()
) -> pd.DataFrame:
    """Give a table its column types, which it has then also where it is empty.

    Parameters
    ----------
    table : DataFrame
    texts, integers : collection of str
        Columns of text and of whole numbers, those that the table lacks aside; every other
        column holds numbers.
    """
    types = dict.fromkeys(table.columns, "float64")
    types |= {column: "str" for column in table.columns if column in texts}
    types |= {column: "int64" for column in table.columns if column in integers}
    return table.astype({c: kind for c, kind in types.items() if table[c].dtype != kind})
