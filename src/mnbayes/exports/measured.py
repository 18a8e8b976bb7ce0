"""What the draws of a model hold beside draws: its markers, what was measured, and who left."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array
from mnbayes.data.markers import Catalogue
from mnbayes.inference.contract import catalogue, recorded
from mnbayes.run.stored_tree import DAMAGED, whole_variables

#: Groups that hold no draws, and those that tell what the patients' are over.
_GROUPS = {"patients", "posterior", "observed_data", "constant_data"}


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured of one marker.

    Attributes
    ----------
    patients : tuple of str
    weeks : tuple of float
    value : array, shape (patient, week)
        In the marker's unit; NaN where missing or censored.
    censored : array of bool, shape (patient, week)
    """

    patients: tuple[str, ...]
    weeks: tuple[float, ...]
    value: Floats
    censored: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Kept:
    """A model's markers, what was measured, who left when, and over whom its ratio is a mean."""

    known: Catalogue
    measured: dict[str, Measured]
    withdrew: dict[str, float]
    mean_over: str


def kept(path: Path) -> Kept | None:
    """Read it from stored draws; None where there are none, or none of this version.

    Parameters
    ----------
    path : Path
        ``posterior/<model>.nc``. Of its groups only those are opened that are asked: to open all
        takes a second.
    """
    # xarray's engine; by itself it tells quickly which groups there are.
    import h5netcdf  # type: ignore[import-untyped]

    try:
        with h5netcdf.File(path, "r") as file:
            names = _GROUPS & set(file.groups)
        with whole_variables(), ExitStack() as opened:

            def group(name: str) -> xr.Dataset:
                return opened.enter_context(
                    # Without a warning of dimensions that are lost.
                    xr.open_dataset(path, group=name, engine="h5netcdf", phony_dims="access")
                )

            tree = xr.DataTree.from_dict({name: group(name) for name in sorted(names)})
            tree.attrs = group("/").attrs
            return _kept(tree)
    except DAMAGED:
        return None


def _kept(tree: xr.DataTree) -> Kept:
    known, table = catalogue(tree), recorded(tree)
    patients = tuple(str(p) for p in table["patient"].to_numpy())
    weeks = tuple(float(w) for w in table["visit"].to_numpy())
    measured = {}
    for marker in (str(m) for m in table["marker"].to_numpy()):
        of = table.sel(marker=marker)
        log = of["log_value"].to_numpy()
        limits = ~np.isnan(of["log_lower"].to_numpy()) | ~np.isnan(of["log_upper"].to_numpy())
        value = known[marker].in_units(log) if marker in known else np.exp(log)
        measured[marker] = Measured(patients, weeks, value, limits)
    withdrew: dict[str, float] = {}
    constant = tree["constant_data"].dataset if "constant_data" in tree.children else xr.Dataset()
    if "withdrew_week" in constant:
        when = array(constant["withdrew_week"], "patient")
        pairs = zip(constant["patient"].to_numpy().tolist(), when, strict=True)
        withdrew = {str(p): float(w) for p, w in pairs if not np.isnan(w)}
    posterior = tree["posterior"].dataset if "posterior" in tree.children else xr.Dataset()
    over = posterior["visit_change"].attrs.get("of", "") if "visit_change" in posterior else ""
    return Kept(known, measured, withdrew, str(over))
