"""The posterior tree of a finished run's model, read back."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from mnbayes.base.problems import InputError, Problem
from mnbayes.inference.contract import lacking


def stored_tree(folder: Path, model: str) -> xr.DataTree:
    """Open the draws of a finished run's model; each variable is read when it is used.

    Parameters
    ----------
    folder : Path
        As ``mnbayes fit`` wrote it.
    model : str
        Name of a card of the run.

    Raises
    ------
    InputError
        If there are no such draws, they cannot be read, or they are not laid out as this
        version's (:func:`mnbayes.inference.contract.lacking`).
    """
    path = folder / "posterior" / f"{model}.nc"
    expected = "the draws of this version's mnbayes fit: fit again"
    try:
        tree = xr.open_datatree(path, engine="h5netcdf")
    except (OSError, KeyError, ValueError) as error:
        found = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError([Problem(path.name, None, None, found, expected)]) from error
    missing = lacking(tree)
    if missing:
        tree.close()
        found = f"no {', no '.join(missing)}"
        raise InputError([Problem(path.name, None, None, found, expected)])
    return tree
