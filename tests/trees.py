"""A small fit that nobody sampled: a DataTree of the fits' schema from known hyperparameters.

``make_tree()`` gives four chains that are independent draws around stated hyperparameters, so
that whatever is computed from a fit can be compared with a closed form. With ``spread=0`` every
draw has exactly the stated hyperparameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

type Array = NDArray[np.float64]

CELLS = ("patient", "visit", "marker")

#: Log-scale hyperparameters by marker: baseline mean and SD, change mean and SD, residual SD.
MARKERS: dict[str, tuple[float, float, float, float, float]] = {
    "urine_protein_24h": (np.log(4.0), 0.5, np.log(0.5), 0.5, 0.25),
    "urine_protein_conc": (np.log(2.5), 0.5, np.log(0.5), 0.5, 0.25),
    "albumin": (np.log(28.0), 0.2, np.log(1.2), 0.1, 0.05),
    "cd3": (np.log(1200.0), 0.3, np.log(1.15), 0.2, 0.15),
    "cd4": (np.log(700.0), 0.3, np.log(1.15), 0.2, 0.15),
    "cd8": (np.log(500.0), 0.4, np.log(1.15), 0.2, 0.15),
    "b_cell": (np.log(250.0), 0.5, np.log(1.1), 0.3, 0.25),
    "nk_cell": (np.log(220.0), 0.5, np.log(1.1), 0.3, 0.25),
}


@dataclass(frozen=True)
class Hyper:
    """Hyperparameters on the log scale; arrays over markers, ``visit_change`` (visit, marker)."""

    baseline_mean: Array
    visit_change: Array
    baseline_sd: Array
    change_sd: Array
    residual_sd: Array
    correlation: Array
    residual_df: float | None = None
    serial_sd: Array | None = None
    serial_weeks: float | None = None

    @property
    def effect_covariance(self) -> Array:
        sd = np.concatenate([self.baseline_sd, self.change_sd])
        return sd[:, None] * self.correlation * sd


def default_hyper(markers: Sequence[str], later: int, correlation: float = 0.2) -> Hyper:
    """Hyperparameters of these markers; all patient effects equally correlated."""
    mean, sd, change, change_sd, residual = np.array([MARKERS[m] for m in markers]).T
    size = 2 * len(markers)
    return Hyper(
        baseline_mean=mean,
        visit_change=np.tile(change, (later, 1)),
        baseline_sd=sd,
        change_sd=change_sd,
        residual_sd=residual,
        correlation=np.full((size, size), correlation) + (1 - correlation) * np.eye(size),
    )


@dataclass(frozen=True)
class TreeSpec:
    """What to build.

    ``names`` are the patients'. ``spread`` is the posterior SD of every location and log
    scale, ``prior_spread`` the
    prior's; ``levels`` fixes the patients' true levels (patient, visit, marker) in every
    posterior draw. ``missing`` and ``censored_below`` are (patient, visit, marker) positions
    of observations that were not made, or lie below their value. ``measured`` fixes the log
    observations (patient, visit, marker).
    """

    markers: tuple[str, ...] = ("urine_protein_24h", "albumin")
    visits: tuple[float, ...] = (0.0, 1.0, 2.0, 4.0, 12.0)
    patients: int = 8
    names: tuple[str, ...] = ()
    chains: int = 4
    draws: int = 250
    seed: int = 1
    hyper: Hyper | None = None
    spread: float = 0.1
    prior_spread: float = 0.7
    level_spread: float = 0.1
    levels: Array | None = None
    measured: Array | None = None
    missing: tuple[tuple[int, int, int], ...] = field(default=())
    censored_below: tuple[tuple[int, int, int], ...] = field(default=())


def make_tree(spec: TreeSpec | None = None, **changes: object) -> xr.DataTree:
    """Build the tree of a specification; keywords change the default one."""
    spec = replace(spec or TreeSpec(), **changes)  # type: ignore[arg-type]
    rng = np.random.default_rng(spec.seed)
    hyper = spec.hyper or default_hyper(spec.markers, len(spec.visits) - 1)
    shape = (spec.patients, len(spec.visits), len(spec.markers))
    truth = spec.levels
    if truth is None:
        truth = _patients(hyper, spec.visits, spec.patients, rng)[2]
    measured = spec.measured
    if measured is None:
        measured = truth + hyper.residual_sd * rng.standard_normal(shape)
    value, lower, upper = measured.copy(), np.full(shape, np.nan), np.full(shape, np.nan)
    for at in spec.censored_below:
        lower[at], upper[at], value[at] = -np.inf, value[at], np.nan
    for at in spec.missing:
        value[at] = np.nan

    posterior, replicated = _draws(spec, hyper, spec.spread, rng, truth)
    prior, prior_replicated = _draws(spec, hyper, spec.prior_spread, rng, None)
    seen = ~np.isnan(value) | ~np.isnan(upper)
    limit = np.where(np.isnan(value), upper, value)[seen]
    level = posterior["level"][1][:, :, seen]
    sd = np.broadcast_to(posterior["residual_sd"][1][:, :, None, None], (*level.shape[:2], *shape))
    likelihood = stats.norm.logpdf(limit, level, sd[:, :, seen])
    own = ("level", "patient_baseline", "patient_change")
    top = [name for name in posterior if name not in own]
    draws = ("chain", "draw")
    sizes = (spec.chains, spec.draws)
    log_prior = {
        name: (posterior[name][0], stats.norm.logpdf(posterior[name][1], 0, 2)) for name in top
    }
    observation = (*draws, "observation")
    groups: dict[str, dict[str, tuple[tuple[str, ...], Array]]] = {
        "posterior": {name: posterior[name] for name in top},
        "prior": {name: prior[name] for name in top},
        "patients": {name: posterior[name] for name in own},
        "prior_patients": {name: prior[name] for name in own},
        "posterior_predictive": {"measurement": (observation, replicated[1][:, :, seen])},
        "prior_predictive": {"measurement": (observation, prior_replicated[1][:, :, seen])},
        "predictions": {"measurement": replicated},
        "prior_predictions": {"measurement": prior_replicated},
        "log_likelihood": {"measurement": (observation, likelihood)},
        "log_prior": log_prior,
        "sample_stats": {
            "diverging": (draws, np.zeros(sizes, dtype=bool)),
            "energy": (draws, rng.normal(50, 5, sizes)),
            "depth": (draws, np.full(sizes, 4)),
        },
        "observed_data": {"measurement": (("observation",), limit)},
        "constant_data": {
            "measurement": (("observation",), (~np.isnan(value))[seen].astype(float)),
            "log_lower": (("observation",), lower[seen]),
            "log_upper": (("observation",), upper[seen]),
        },
    }
    effects = [f"{m} {part}" for part in ("baseline", "change") for m in spec.markers]
    coords: dict[str, object] = {
        "patient": list(spec.names) or [f"P{i + 1}" for i in range(spec.patients)],
        "visit": list(spec.visits),
        "later_visit": list(spec.visits[1:]),
        "marker": list(spec.markers),
        "pair": [f"{effects[j]} ~ {effects[i]}" for i, j in pairs_of(effects)],
        "observation": np.arange(int(seen.sum())),
        "chain": np.arange(spec.chains),
        "draw": np.arange(spec.draws),
    }
    datasets = {}
    for name, variables in groups.items():
        used = {dim for dims, _ in variables.values() for dim in dims}
        datasets[name] = xr.Dataset(variables, {k: v for k, v in coords.items() if k in used})
    axes = (coords["patient"], coords["visit"], coords["marker"])
    of_cells = {
        name: ("observation", np.array(axis)[index])
        for name, axis, index in zip(CELLS, axes, np.nonzero(seen), strict=True)
    }
    for name in ("posterior_predictive", "prior_predictive", "log_likelihood", "observed_data"):
        datasets[name] = datasets[name].assign_coords(of_cells)
    return xr.DataTree.from_dict(datasets)


def pairs_of(effects: Sequence[object]) -> list[tuple[int, int]]:
    """Positions of every two effects, the later one first."""
    return [(i, j) for i in range(len(effects)) for j in range(i)]


def _patients(
    hyper: Hyper, visits: Sequence[float], count: int, rng: np.random.Generator
) -> tuple[Array, Array, Array]:
    # Baselines, changes (patient, marker) and levels (patient, visit, marker) of new patients.
    n_marker = hyper.baseline_mean.size
    effects = (
        rng.standard_normal((count, 2 * n_marker))
        @ np.linalg.cholesky(hyper.effect_covariance + 1e-14 * np.eye(2 * n_marker)).T
    )
    baseline = hyper.baseline_mean + effects[:, :n_marker]
    change = effects[:, n_marker:]
    level = np.repeat(baseline[:, None], len(visits), axis=1)
    level[:, 1:] += hyper.visit_change + change[:, None]
    if hyper.serial_sd is not None and hyper.serial_weeks is not None:
        weeks = np.asarray(visits)
        decay = np.exp(-np.abs(weeks[:, None] - weeks) / hyper.serial_weeks)
        noise = rng.standard_normal((count, n_marker, weeks.size)) @ np.linalg.cholesky(decay).T
        level += hyper.serial_sd * np.swapaxes(noise, 1, 2)
    return baseline, change, level


def _draws(
    spec: TreeSpec, hyper: Hyper, spread: float, rng: np.random.Generator, truth: Array | None
) -> tuple[dict[str, tuple[tuple[str, ...], Array]], tuple[tuple[str, ...], Array]]:
    # The variables of a posterior (patients near the truth) or of a prior (new patients).
    draws, n_marker = ("chain", "draw"), len(spec.markers)
    sizes = (spec.chains, spec.draws)

    def jitter(value: Array, scale: bool) -> Array:
        noise = spread * rng.standard_normal((*sizes, *np.shape(value)))
        return value * np.exp(noise) if scale else value + noise

    change_mean = hyper.visit_change.mean(axis=0)
    variables: dict[str, tuple[tuple[str, ...], Array]] = {
        "baseline_mean": ((*draws, "marker"), jitter(hyper.baseline_mean, False)),
        "change_mean": ((*draws, "marker"), jitter(change_mean, False)),
        "visit_change": (
            (*draws, "later_visit", "marker"),
            jitter(hyper.visit_change, False),
        ),
        "correlation": (
            (*draws, "pair"),
            np.tile(
                [hyper.correlation[pair] for pair in pairs_of(range(2 * n_marker))], (*sizes, 1)
            ),
        ),
    }
    sds = {
        "baseline_sd": hyper.baseline_sd,
        "change_sd": hyper.change_sd,
        "visit_sd": np.full(n_marker, 0.1),
        "residual_sd": hyper.residual_sd,
    }
    if hyper.serial_sd is not None:
        sds["serial_sd"] = hyper.serial_sd
    variables |= {name: ((*draws, "marker"), jitter(sd, True)) for name, sd in sds.items()}
    for name in ("residual_df", "serial_weeks"):
        value = getattr(hyper, name)
        if value is not None:
            variables[name] = (draws, jitter(np.asarray(value), True))

    if truth is None:
        shape = (*sizes, spec.patients)
        count = int(np.prod(shape))
        own = [
            part.reshape(*shape, *part.shape[1:])
            for part in _patients(
                replace(hyper, visit_change=np.zeros_like(hyper.visit_change)),
                spec.visits,
                count,
                rng,
            )
        ]
        moved = variables["baseline_mean"][1] - hyper.baseline_mean
        baseline, change = own[0] + moved[:, :, None], own[1]
        level = own[2] + moved[:, :, None, None]
        level[:, :, :, 1:] += variables["visit_change"][1][:, :, None]
    else:
        near = 0.0 if spec.levels is not None else spec.level_spread
        level = truth + near * rng.standard_normal((*sizes, *truth.shape))
        baseline = level[..., 0, :]
        shifts = level[..., 1:, :] - level[..., :1, :]
        change = (shifts - variables["visit_change"][1][:, :, None]).mean(axis=-2)
    patient = (*draws, "patient", "marker")
    cells = (*draws, "patient", "visit", "marker")
    variables |= {
        "patient_baseline": (patient, baseline),
        "patient_change": (patient, change),
        "level": (cells, level),
    }
    if hyper.residual_df is None:
        noise = rng.standard_normal(level.shape)
    else:
        df = variables["residual_df"][1][..., None, None, None]
        noise = rng.standard_t(df, level.shape)
    sd = variables["residual_sd"][1][:, :, None, None]
    return variables, (cells, level + sd * noise)
