"""What the program reads from a posterior tree, whoever sampled it.

``docs/arviz.md`` lists the groups and variables. Only what has no choice of place is read
directly, such as ``tree["posterior"]["visit_change"]``; the functions here find the rest.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
import xarray as xr

from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array, labels, stacked
from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.data.markers import Catalogue, catalogue_of, shipped_markers
from mnbayes.models.hyperparameters import Hyperparameters

Group = Literal["posterior", "prior"]
#: Groups of the patients' own draws, and of predictions for every cell, by what they follow.
PATIENTS = {"posterior": "patients", "prior": "prior_patients"}
PREDICTIONS = {"posterior": "predictions", "prior": "prior_predictions"}
#: Attribute of a tree that holds its markers, as JSON.
MARKERS_SAID = "markers"
#: Cells of a table of measurements.
CELLS = ("patient", "visit", "marker")
#: Groups of what was measured.
_SEEN = ("observed_data", "constant_data")
#: Parameters of a population that every card has.
_POPULATION = ("baseline_mean", "baseline_sd", "visit_change", "change_sd", "residual_sd")


def variable(tree: xr.DataTree, group: str, name: str) -> xr.DataArray:
    """Draws of a parameter, or of a patient's own quantity, under the posterior or the prior.

    Parameters
    ----------
    tree : DataTree
    group : str
        ``posterior`` or ``prior``; a patient's quantity may stand in the group of patients that
        belongs to it, or in itself. Of another group the variable as it stands there.
    name : str
        Such as ``visit_change`` or ``level``.

    Raises
    ------
    KeyError
        If the tree has no such variable.
    """
    for place in (group, PATIENTS.get(group, group)):
        if place in tree.children and name in tree[place].data_vars:
            return tree[place].dataset[name]
    raise KeyError(f"{name} is not in the group {group} of this tree, nor among its patients")


def catalogue(tree: xr.DataTree) -> Catalogue:
    """The markers that a tree may speak of, by name.

    Returns
    -------
    mapping
        The ones that mnbayes brings, and those of the tree itself as its cohort had them; of a
        tree that says nothing of its markers, an older one or somebody's own, the former alone.

    Raises
    ------
    InputError
        If what it says of them is damaged.
    """
    said = tree.attrs.get(MARKERS_SAID)
    return _said(said) if isinstance(said, str) and said else shipped_markers()


@lru_cache(maxsize=32)
def _said(text: str) -> Catalogue:
    place = f"attribute {MARKERS_SAID}"
    try:
        own = json.loads(text)
    except (ValueError, RecursionError):
        own = None
    if not isinstance(own, dict):
        expected = "the markers of the draws, as JSON: fit again"
        raise InputError([Problem(place, None, None, quoted(text), expected)])
    return {**shipped_markers(), **catalogue_of(own, place)}


def lacking(tree: xr.DataTree) -> tuple[str, ...]:
    """What the program's answers need of a fit's tree and do not find; empty if nothing.

    A tree of an older version, or one of somebody's own model, may lack some of it.
    """
    missing = []
    for group in ("posterior", "prior"):
        if group not in tree.children:
            missing.append(f"group {group}")
            continue
        data = tree[group].dataset
        missing += [f"{group}/{name}" for name in _POPULATION if name not in data.data_vars]
        # A dimension whose labels are lost is one without a coordinate.
        named = [name for name in (*_POPULATION, "correlation") if name in data.data_vars]
        dims = dict.fromkeys(str(dim) for name in named for dim in data[name].dims)
        asked = {"marker": None, "later_visit": None} | dims
        missing += [f"{group}/{dim}" for dim in asked if dim not in data.coords]
        if not drawn(tree, group, "level"):
            missing.append(f"{PATIENTS[group]}/level")
    observed = tree["observed_data"].dataset if "observed_data" in tree.children else xr.Dataset()
    missing += [
        f"observed_data/{name}"
        for name in ("measurement", *CELLS)
        if name not in observed.variables
    ]
    return tuple(missing)


def drawn(tree: xr.DataTree, group: str, name: str) -> bool:
    """Whether a tree has draws of a variable: see :func:`variable`."""
    places = (group, PATIENTS.get(group, group))
    return any(place in tree.children and name in tree[place].data_vars for place in places)


def has_population(tree: xr.DataTree, group: str) -> bool:
    """Whether a group holds the parameters that describe a population as a card's model does.

    A model of one's own that leaves one of them out says nothing of the share of such patients.
    """
    return all(drawn(tree, group, name) for name in _POPULATION)


def primary_week(tree: xr.DataTree) -> float:
    """Week of the primary analysis; the last visit in a tree that does not name one.

    Raises
    ------
    InputError
        If what the tree names is no number.
    """
    said = tree.attrs.get("primary_week", array(tree["posterior"].dataset["later_visit"])[-1])
    try:
        return float(said)
    except (TypeError, ValueError):
        raise InputError([Problem("draws", None, "primary_week", quoted(said), "a week")]) from None


def level(tree: xr.DataTree, group: str) -> xr.DataArray:
    """Patients' true log levels: dims ``chain, draw, patient, visit, marker``."""
    return variable(tree, group, "level")


def predicted(tree: xr.DataTree, group: str) -> xr.DataArray:
    """Repeat log measurements of every cell: dims ``chain, draw, patient, visit, marker``."""
    return tree[PREDICTIONS[group]].dataset["measurement"]


def recorded(tree: xr.DataTree) -> xr.Dataset:
    """What was measured, as a table of patients, visits and markers.

    Returns
    -------
    Dataset
        ``log_value`` (NaN where missing or censored), ``log_lower`` and ``log_upper`` (the
        interval of a censored value, NaN elsewhere), each ``(patient, visit, marker)``.
    """
    coords = level(tree, "posterior").coords
    names = {dim: coords[dim].to_numpy() for dim in CELLS}
    observed = tree["observed_data"].dataset
    places = []
    for dim in CELLS:
        place = {name: position for position, name in enumerate(names[dim].tolist())}
        places.append(np.array([place[name] for name in observed[dim].to_numpy().tolist()], int))
    found = {"log_value": observed["measurement"].to_numpy().astype(float)}
    constant = tree["constant_data"].dataset if "constant_data" in tree.children else xr.Dataset()
    for name in ("log_lower", "log_upper"):
        missing = np.full(observed.sizes["observation"], np.nan)
        found[name] = constant[name].to_numpy() if name in constant else missing
    censored = ~(np.isnan(found["log_lower"]) & np.isnan(found["log_upper"]))
    found["log_value"] = np.where(censored, np.nan, found["log_value"])
    cells = {}
    for name, values in found.items():
        table = np.full([len(names[dim]) for dim in CELLS], np.nan)
        table[tuple(places)] = values
        cells[name] = (CELLS, table)
    return xr.Dataset(cells, names)


def at_weeks(tree: xr.DataTree, weeks: Sequence[float]) -> xr.DataTree:
    """The draws of a tree at baseline and at some later visits: what tables are made of.

    Pointwise densities and the sampler's statistics are left out.

    Parameters
    ----------
    tree : DataTree
    weeks : sequence of float
        Later visits, ascending.
    """
    kept = {"visit": [0.0, *weeks], "later_visit": list(weeks)}
    seen = np.isin(tree["observed_data"].dataset["visit"].to_numpy(), kept["visit"])
    found = {}
    for name in ("posterior", "prior", *PATIENTS.values(), *PREDICTIONS.values(), *_SEEN):
        if name not in tree.children:
            continue
        data = tree[name].to_dataset()
        places = {d: np.isin(data.variables[d].to_numpy(), kept[d]) for d in kept if d in data.dims}
        if "observation" in data.dims:
            places["observation"] = seen
        found[name] = data.isel({dim: np.flatnonzero(at) for dim, at in places.items()})
    out = xr.DataTree()
    out.children = {name: xr.DataTree(data) for name, data in found.items()}
    out.attrs = dict(tree.attrs)
    return out


def correlated_pairs(data: xr.Dataset) -> list[tuple[str, str]]:
    """Patient effects of each free correlation, in the order of the dim ``pair``.

    The label of a pair names both, such as ``albumin baseline ~ cd3 change``. The second marker
    is left out where it is the first (``albumin baseline ~ change``), and both where the model
    has one (``baseline ~ change``). (Names along ``pair`` would be clearer in coordinates of their
    own, but ArviZ's ``plot_convergence_dist`` refuses a dim that has some.)
    """
    if "correlation" not in data:
        return []
    pairs = []
    for label in labels(data["pair"]):
        first, second = label.split(" ~ ")
        if " " not in first:
            first = f"{labels(data['marker'])[0]} {first}"
        if " " not in second:
            second = f"{first.split()[0]} {second}"
        pairs.append((first, second))
    return pairs


def correlation_matrix(data: xr.Dataset, effects: Sequence[str]) -> Floats:
    """Correlations between patient effects; 0 where a card holds them at 0.

    Parameters
    ----------
    data : Dataset
        Group ``posterior`` or ``prior``.
    effects : sequence of str
        Such as ``albumin baseline``, in the order that is wanted.

    Returns
    -------
    array, shape (chain, draw, effect, effect)
    """
    sizes = (data.sizes["chain"], data.sizes["draw"])
    out = np.tile(np.eye(len(effects)), (*sizes, 1, 1))
    place = {name: position for position, name in enumerate(effects)}
    pairs = correlated_pairs(data)
    draws = array(data["correlation"], "pair") if pairs else out
    for at, (first, second) in enumerate(pairs):
        if first in place and second in place:
            out[..., place[first], place[second]] = draws[..., at]
            out[..., place[second], place[first]] = draws[..., at]
    return out


def effect_names(markers: Sequence[str]) -> list[str]:
    """Names of the patient effects: baselines of every marker, then changes."""
    return [f"{marker} {kind}" for kind in ("baseline", "change") for marker in markers]


def hyperparameters_of(data: xr.Dataset) -> Hyperparameters:
    """Draws of a population's parameters, chain after chain on one axis.

    Parameters
    ----------
    data : Dataset
        Group ``posterior`` or ``prior``, or that of some of its markers.
    """
    mean = stacked(data["baseline_mean"], "marker")
    correlation = correlation_matrix(data, effect_names(labels(data["marker"])))

    def optional(name: str, missing: Floats) -> Floats:
        return stacked(data[name]) if name in data else missing

    return Hyperparameters(
        baseline_mean=mean,
        visit_change=stacked(data["visit_change"], "later_visit", "marker"),
        slope=optional("covariate_slope", np.zeros_like(mean)),
        baseline_sd=stacked(data["baseline_sd"], "marker"),
        change_sd=stacked(data["change_sd"], "marker"),
        residual_sd=stacked(data["residual_sd"], "marker"),
        cholesky=_cholesky(correlation.reshape(-1, *correlation.shape[2:])),
        serial_sd=optional("serial_sd", np.zeros_like(mean)),
        serial_weeks=optional("serial_weeks", np.ones(len(mean))),
        residual_df=optional("residual_df", np.full(len(mean), np.inf)),
    )


def _cholesky(correlation: Floats) -> Floats:
    """Cholesky factors, shape (draw, effect, effect), also of matrices on the edge of validity.

    A stored correlation near 1 can lose its positive definiteness by rounding; eigenvalues are
    then raised to the smallest one that a factor needs.
    """
    try:
        return np.asarray(np.linalg.cholesky(correlation))
    except np.linalg.LinAlgError:
        value, vector = np.linalg.eigh(correlation)
        raised = np.maximum(value, 1e-8)[:, None] * vector
        return np.asarray(np.linalg.cholesky(raised @ vector.transpose(0, 2, 1)))
