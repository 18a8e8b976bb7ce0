"""The posterior tree of a finished run's model, read back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import xarray as xr

from mnbayes.base.problems import InputError, Problem, cut
from mnbayes.inference.contract import lacking

#: What HDF5, its Python and xarray raise on a damaged file; they have no common error.
DAMAGED = (
    *(OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError),
    xr.SerializationWarning,
)


@contextmanager
def whole_variables() -> Iterator[None]:
    """Have xarray raise where it would warn that a variable's values are all taken for missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", xr.SerializationWarning)
        yield


def open_tree(path: Path, shown: str, expected: str) -> xr.DataTree:
    """Open a file of draws, whatever it holds; each variable is read when it is used.

    Parameters
    ----------
    path : Path
    shown : str
        What the file is called in a message.
    expected : str

    Raises
    ------
    InputError
        If it cannot be opened as a tree.
    """
    try:
        # A variable without its dimensions is told by what is lacking, not by a warning.
        with whole_variables():
            return xr.open_datatree(path, engine="h5netcdf", phony_dims="access")
    except DAMAGED as error:
        found = str(error).splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError([Problem(shown, None, None, cut(found, 200), expected)]) from error


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
    tree = open_tree(path, path.name, expected)
    missing = lacking(tree)
    if missing:
        tree.close()
        found = f"no {', no '.join(missing)}"
        raise InputError([Problem(path.name, None, None, found, expected)])
    return tree
