"""Draws of a model that somebody states, as a tree that the program's answers read.

Whoever sampled it: what is there is kept and checked by name (``docs/arviz.md``); what follows
from it (repeat measurements from levels and their noise, say) is drawn; what does not is absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards.own_model import OwnModel, observed_of
from mnbayes.data.cohort import Cohort
from mnbayes.data.observations import Observations
from mnbayes.inference.contract import CELLS, PATIENTS, PREDICTIONS
from mnbayes.inference.trees import TOP_LEVEL, described, measured_cells

#: Draws that are kept as they are, where there are some.
_KEPT = ("sample_stats", "log_prior")
#: What a model may say of the next patient.
_NEW = {"new_level": ("visit", "marker"), "new_measurement": ("visit", "marker")}
_PREDICTIVE = {"posterior": "posterior_predictive", "prior": "prior_predictive"}
#: Whose mean ratio a variable ``visit_change`` is, where the model has none.
OF_PATIENTS = "these patients"


@dataclass(frozen=True)
class OwnTree:
    """A tree that keeps the contract as far as its model gives it.

    Attributes
    ----------
    tree : DataTree
    observations : Observations
    sampled : Dataset
        What is to be judged by the gate.
    """

    tree: xr.DataTree
    observations: Observations
    sampled: xr.Dataset


def own_tree(
    own: OwnModel, groups: Mapping[str, xr.Dataset], cohort: Cohort, rng: np.random.Generator
) -> OwnTree:
    """Arrange draws as the contract has them.

    Parameters
    ----------
    own : OwnModel
    groups : mapping
        Name to dataset with dims ``chain`` and ``draw``: ``posterior`` with ``level`` in it or
        in ``patients``, and as much of the contract's other groups as there is.
    cohort : Cohort
        That was fitted. What was measured is taken from it.
    rng : Generator
        Of repeat measurements.

    Raises
    ------
    InputError
        If something is missing that no answer can do without, or not arranged as the contract
        says; every problem by name.
    """
    found = _gathered(own, groups, "posterior")
    _need_draws(own, found)
    if "level" not in found:
        here = ", ".join(map(str, found.data_vars)) or "nothing"
        expected = "level (patient, visit, marker): true log levels of every patient"
        raise InputError([Problem(_file(own), None, "level", f"only {here}", expected)])
    level = found["level"]
    dims = [str(dim) for dim in level.dims if dim not in ("chain", "draw")]
    names = {dim: level[dim].to_numpy().tolist() for dim in dims if dim in level.coords}
    data = observed_of(own, dims, names, cohort)
    done = {"posterior": _arranged(own, "posterior", found, data)}
    before = _gathered(own, groups, "prior")
    if "level" in before:
        done["prior"] = _arranged(own, "prior", before, data)
    made: dict[str, xr.Dataset] = {}
    cells, of_cells, records = measured_cells(data)
    for group, draws in done.items():
        of_patients = [name for name, each in draws.data_vars.items() if "patient" in each.dims]
        predictions = _predictions(own, groups, group, draws, data, rng)
        own_parameters = draws.drop_vars([*of_patients, *(set(_NEW) & set(draws))])
        made[group] = _with_names(own_parameters, data)
        made[PATIENTS[group]] = draws[of_patients]
        if predictions:
            made[PREDICTIONS[group]] = xr.Dataset(predictions)
        if "measurement" in predictions:
            repeats = array(predictions["measurement"], *CELLS)
            dims_of = ("chain", "draw", "observation")
            made[_PREDICTIVE[group]] = xr.Dataset(
                {"measurement": (dims_of, repeats[:, :, *cells])},
                {name: draws[name] for name in ("chain", "draw")} | of_cells,
            )
    made |= {name: groups[name] for name in _KEPT if name in groups}
    if _same_cells(groups.get("observed_data"), of_cells) and "log_likelihood" in groups:
        made["log_likelihood"] = groups["log_likelihood"][["measurement"]]
    made["observed_data"] = xr.Dataset({"measurement": records["measurement"]}, of_cells)
    made["constant_data"] = xr.Dataset(
        {
            "withdrew_week": (("patient",), data.withdrew_week, {"units": "weeks"}),
            "week": (("visit",), np.array(data.weeks), {"units": "weeks"}),
            "measurement": records["exact"],
            "log_lower": records["log_lower"],
            "log_upper": records["log_upper"],
        },
        {"patient": list(data.patients), "visit": list(data.weeks)},
    )
    tree = xr.DataTree()
    tree.children = {name: xr.DataTree(dataset) for name, dataset in made.items()}
    return OwnTree(tree, data, _varying(xr.merge([made["posterior"], made["patients"]])))


def _file(own: OwnModel) -> str:
    return own.file or f"tree of {own.name}"


def _gathered(own: OwnModel, groups: Mapping[str, xr.Dataset], group: str) -> xr.Dataset:
    """A group with what stands in the group of patients that belongs to it."""
    parts = [groups[name] for name in (group, PATIENTS[group]) if name in groups]
    try:
        return xr.merge(parts, join="exact", compat="identical") if parts else xr.Dataset()
    except (ValueError, xr.MergeError) as error:
        found = f"{group} and {PATIENTS[group]} that do not fit ({str(error).splitlines()[0]})"
        expected = "the same chains, draws and names in both"
        raise InputError([Problem(_file(own), None, None, found, expected)]) from error


def _need_draws(own: OwnModel, found: xr.Dataset) -> None:
    if not found.data_vars:
        expected = "a group posterior with level (patient, visit, marker)"
        raise InputError([Problem(_file(own), None, None, "no group posterior", expected)])
    sizes = found.sizes
    if sizes.get("chain", 0) < 2 or sizes.get("draw", 0) < 4:
        shown = f"{sizes.get('chain', 0)} chains of {sizes.get('draw', 0)} draws"
        expected = "dims chain and draw, at least 2 chains of 4 draws"
        raise InputError([Problem(_file(own), None, "posterior", shown, expected)])


def _labels(data: Observations) -> dict[str, list[Any]]:
    return {
        "patient": list(data.patients),
        "visit": list(data.weeks),
        "later_visit": list(data.weeks[1:]),
        "marker": list(data.markers),
    }


def _arranged(own: OwnModel, group: str, found: xr.Dataset, data: Observations) -> xr.Dataset:
    """Draws with the cohort's names in its order, and the contract's names with their dims."""
    labels = _labels(data)
    for dim, wanted in labels.items():
        if dim not in found.coords:
            continue
        kind = float if dim in ("visit", "later_visit") else str
        try:
            found = found.assign_coords({dim: [kind(name) for name in found[dim].to_numpy()]})
            found = found.sel({dim: wanted})
        except (KeyError, TypeError, ValueError) as error:
            shown = ", ".join(map(str, found[dim].to_numpy()))
            expected = ", ".join(f"{n:g}" if isinstance(n, float) else n for n in wanted)
            problem = Problem(_file(own), None, f"{group}/{dim}", shown, expected)
            raise InputError([problem]) from error
    out = found.assign(level=found["level"].transpose("chain", "draw", *CELLS))
    problems = []
    for name, dims in (TOP_LEVEL | _NEW).items():
        if name in out:
            settled = _settled(out[name], dims, data)
            if settled is None:
                shown = f"dims ({', '.join(str(d) for d in out[name].dims[2:])})"
                expected = f"dims ({', '.join(dims)}), as mnbayes has this name (docs/arviz.md)"
                problems.append(Problem(_file(own), None, f"{group}/{name}", shown, expected))
            else:
                out[name] = settled
    if problems:
        raise InputError(problems)
    if "visit_change" not in out:
        change = out["level"] - out["level"].isel(visit=0, drop=True)
        mean = change.isel(visit=slice(1, None)).mean("patient").rename(visit="later_visit")
        out["visit_change"] = mean.transpose("chain", "draw", *TOP_LEVEL["visit_change"])
        out["visit_change"].attrs["of"] = OF_PATIENTS
    for known in ("level", *TOP_LEVEL, *_NEW):
        if known in out:
            out[known].attrs |= described(known, data)
    return out


def _settled(
    variable: xr.DataArray, dims: tuple[str, ...], data: Observations
) -> xr.DataArray | None:
    """A variable with the contract's dims; one for every marker has no dim ``marker``."""
    own = {str(dim) for dim in variable.dims} - {"chain", "draw"}
    if own != set(dims):
        if own | {"marker"} != set(dims):
            return None
        variable = variable.expand_dims(marker=list(data.markers))
    if "pair" in own:
        pairs = [str(label) for label in variable["pair"].to_numpy()]
        if any(len(label.split(" ~ ")) != 2 for label in pairs):
            return None
    return variable.transpose("chain", "draw", *dims)


def _predictions(
    own: OwnModel,
    groups: Mapping[str, xr.Dataset],
    group: str,
    draws: xr.Dataset,
    data: Observations,
    rng: np.random.Generator,
) -> dict[str, xr.DataArray]:
    """Repeats of every cell, and the next patient, as far as they are there or follow."""
    given = groups.get(PREDICTIONS[group], xr.Dataset())
    found = {name: draws[name] for name in _NEW if name in draws}
    wanted = {"measurement": CELLS} | _NEW
    named = {name: given[name] for name in wanted if name in given}
    for name, variable in named.items():
        dims = wanted[name]
        if set(variable.dims) != {"chain", "draw", *dims}:
            shown = f"dims ({', '.join(map(str, variable.dims))})"
            place = f"{PREDICTIONS[group]}/{name}"
            expected = f"dims (chain, draw, {', '.join(dims)})"
            raise InputError([Problem(_file(own), None, place, shown, expected)])
        labels = {dim: names for dim, names in _labels(data).items() if dim in dims}
        found[name] = variable.sel(labels).transpose("chain", "draw", *dims)
    noise = draws.get("residual_sd")
    for name, of in (("measurement", "level"), ("new_measurement", "new_level")):
        truth = found.get(of, draws.get(of))
        if name not in found and truth is not None and noise is not None:
            standard = _standard(truth, draws, rng)
            repeat = truth + noise * xr.DataArray(standard, truth.coords, truth.dims)
            found[name] = repeat.transpose(*truth.dims)
    for name, variable in found.items():
        variable.attrs |= described(name, data)
    return found


def _standard(truth: xr.DataArray, draws: xr.Dataset, rng: np.random.Generator) -> Floats:
    """Noise of unit scale: Student-t where the model has degrees of freedom."""
    if "residual_df" not in draws:
        return rng.standard_normal(truth.shape)
    df = array(draws["residual_df"])
    return rng.standard_t(df.reshape(*df.shape, *[1] * (truth.ndim - 2)), truth.shape)


def _with_names(parameters: xr.Dataset, data: Observations) -> xr.Dataset:
    """Top-level parameters, with the visits and markers that answers ask for."""
    labels = _labels(data)
    return parameters.drop_vars("patient", errors="ignore").assign_coords(
        {name: labels[name] for name in ("later_visit", "marker")}
    )


def _same_cells(observed: xr.Dataset | None, of_cells: Mapping[str, Any]) -> bool:
    """Whether somebody's observations are those of the cohort, in its order."""
    if observed is None or "measurement" not in observed:
        return False
    return all(
        name in observed.coords
        and list(map(str, observed[name].to_numpy())) == list(map(str, of_cells[name][1]))
        for name in CELLS
    )


def _varying(draws: xr.Dataset) -> xr.Dataset:
    """Each number that moves, or is all of its variable, on a dim of its own.

    Ones on the diagonal of a correlation matrix, or a change at baseline, are not sampled: they
    have no R-hat. A variable of which nothing moves keeps it, and fails the gate.
    """
    kept = {}
    for name, variable in draws.data_vars.items():
        values = array(variable)
        spread = np.ptp(values, axis=(0, 1))
        moves = spread > 1e-12 * (1 + np.abs(values).max(axis=(0, 1)))
        if moves.all() or not moves.any():
            kept[name] = variable
            continue
        for place in np.argwhere(moves):
            where = dict(zip(variable.dims[2:], place.tolist(), strict=True))
            kept[f"{name}[{', '.join(_shown(variable, where))}]"] = variable.isel(
                where, drop=True
            ).reset_coords(drop=True)
    return xr.Dataset(kept)


def _shown(variable: xr.DataArray, where: Mapping[Any, int]) -> Iterator[str]:
    for dim, at in where.items():
        yield str(variable[dim].to_numpy()[at]) if dim in variable.coords else str(at)
