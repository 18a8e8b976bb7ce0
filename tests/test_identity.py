"""The compiled density and the exact draws against the statement in PyMC, by one identity.

With ``x`` everything that the density integrates out (patients' effects, drift, means with normal
priors), ``log p(y | theta) = log p(y, x | theta) - log p(x | y, theta)`` at any ``x``. Given the
weights of Student-t residuals and the values of censored cells the statement is quadratic in
``x``: its gradient gives ``p(x | y, theta)`` exactly, and no formula of the density is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pymc as pm
import pytest
from conftest import simulate_cohort
from scipy import stats

from mnbayes.base.arrays import Floats
from mnbayes.cards import families as priors
from mnbayes.cards.card import Card, available_cards, load_card
from mnbayes.data.observations import Observations, observations
from mnbayes.models import effects as fx
from mnbayes.models.density import longitudinal_density
from mnbayes.models.gaussian_effects import draw_gaussian_effects
from mnbayes.models.hyperparameters import hyperparameters_from_draws
from mnbayes.models.likelihood import pointwise_loglik
from mnbayes.models.longitudinal import statement
from mnbayes.models.roles import FIXED, integrated
from mnbayes.numerics import posterior
from mnbayes.numerics.coordinates import constrain

#: Arguments to try each family with.
ARGUMENTS = {
    "StudentT": (4.0, 0.3, 0.8),
    "HalfStudentT": (3.0, 0.5),
    "Exponential": (2.0,),
    "Gamma": (3.0, 5.0),
    "LogNormal": (-1.0, 0.6),
}


def structured(card: Card, **changes: object) -> Card:
    return card.model_copy(update={"structure": card.structure.model_copy(update=changes)})


def with_family(card: Card, parameter: str, family: str) -> Card:
    named = dict(zip(priors.FAMILIES[family].arguments, ARGUMENTS[family], strict=True))
    changed = {
        key: spec.model_copy(update={"distribution": family, "arguments": named})
        for key, spec in card.prior[parameter].items()
    }
    return card.model_copy(update={"prior": card.prior | {parameter: changed}})


def censor(obs: Observations) -> Observations:
    """Three censored values: between two limits, below one, above one."""
    y, low, high = (a.copy() for a in (obs.log_value, obs.log_lower, obs.log_upper))
    for patient, limits in enumerate([(0.0, 1.0), (-np.inf, 0.5), (0.2, np.inf)]):
        y[patient, 1, 0] = np.nan
        low[patient, 1, 0], high[patient, 1, 0] = limits
    return replace(obs, log_value=y, log_lower=low, log_upper=high)


def lose(obs: Observations) -> Observations:
    """Cells missing in every way: one visit is one patient's alone, one nobody's."""
    y = obs.log_value.copy()
    y[0, 1:] = np.nan  # only seen at baseline
    y[1, 0] = np.nan  # never seen at baseline
    y[2, :, -1] = np.nan  # a marker never measured, or a patient never seen
    y[:, 2] = np.nan
    y[3, 2, 0] = 0.4
    y[:, 3] = np.nan
    return replace(obs, log_value=y)


def whole(obs: Observations) -> Observations:
    return obs


def own_times(obs: Observations) -> Observations:
    """Patients at times of their own; the last two come together, the first as planned."""
    shift = np.random.default_rng(8).uniform(-0.45, 0.45, size=obs.times.shape)
    shift[0], shift[-1] = 0.0, shift[-2]
    return replace(obs, own_times=obs.times + shift)


type Change = Callable[[Observations], Observations]


def _variants() -> dict[str, tuple[Card, Change]]:
    """Every card as it stands, and cards with each structure, family and kind of data."""
    cards = {name: load_card(name) for name in available_cards()}
    out: dict[str, tuple[Card, Change]] = {name: (card, whole) for name, card in cards.items()}
    for name, card in cards.items():
        other = "step" if card.structure.drift else "drift"
        out[f"{name}, {other}"] = structured(card, trajectory=other), whole
    remission, proteinuria = cards["remission"], cards["proteinuria"]
    for change, end in ((censor, ", censored"), (lose, ", missing")):
        for trajectory in ("step", "drift"):
            out[f"{trajectory}{end}"] = structured(remission, trajectory=trajectory), change
        out[f"student_t{end}"] = structured(remission, residual="student_t"), change
    out["student_t"] = structured(remission, residual="student_t"), whole
    out["lymphocytes, missing"] = cards["lymphocytes"], lose
    timed = structured(remission, trajectory="drift")
    out["times"] = timed, own_times
    out["times, student_t"] = structured(timed, residual="student_t"), own_times
    out["times, censored"] = timed, lambda obs: own_times(censor(obs))
    out["times, missing"] = timed, lambda obs: own_times(lose(obs))
    out["times, lymphocytes"] = cards["lymphocytes"], own_times
    everything = {"trajectory": "drift", "residual": "student_t", "covariate": "bmi"}
    out["everything"] = structured(remission, **everything), censor
    out["times, everything"] = out["everything"][0], lambda obs: own_times(censor(obs))
    out["covariate"] = structured(proteinuria, covariate="bmi"), whole
    # Every family of a scale in one card, each on another parameter.
    families = with_family(remission, "change_mean", "StudentT")
    for parameter, family in {
        "change_sd": "HalfStudentT",
        "baseline_sd": "Exponential",
        "visit_sd": "Gamma",
        "serial_sd": "LogNormal",
    }.items():
        families = with_family(families, parameter, family)
    out["families"] = families, whole
    common = with_family(cards["lymphocytes"], "common_change", "StudentT")
    out["common StudentT"] = common, whole
    return out


VARIANTS = _variants()
#: Whose statement is too large to be differentiated once for each effect in a test.
LARGE = tuple(name for name in VARIANTS if name.startswith("joint"))


@dataclass(frozen=True)
class Quadratic:
    """The statement at some ``theta``, ``x`` integrated out; moments of ``x`` and the levels."""

    log_marginal: float
    mean: dict[str, Floats]
    cov: dict[str, Floats]


class Stated:
    """A card's statement of a cohort, its log density and levels as plain functions."""

    def __init__(self, card: Card, data: Observations) -> None:
        self.card, self.data, self.model = card, data, statement(card, data)
        named = {rv.name: value for rv, value in self.model.rvs_to_values.items()}
        own = ("patient_baseline", "patient_offset", "drift_offset", "visit_offset")
        linear = [n for n in (*FIXED, "common_change") if n in named and integrated(card, n)]
        if card.structure.shrink:
            linear.append("change_mean")
        self.x = [name for name in named if name in {*own, *linear}]
        of_x = [named[name] for name in self.x]
        free = self.model.free_RVs
        self.start = self.model.initial_point()
        compiled = {"point_fn": False, "mode": "FAST_COMPILE", "on_unused_input": "ignore"}
        inputs = [named[rv.name] for rv in free]
        level = self.model.replace_rvs_by_values([self.model["level"]])[0]
        logp = self.model.logp(vars=free, jacobian=False)
        slope = pm.pytensorf.gradient(logp, of_x)
        self.names = [value.name for value in inputs]
        self.function = self.model.compile_fn([logp, slope, level], inputs=inputs, **compiled)
        self.loglik = self.model.compile_fn(
            self.model.logp(vars=self.model.observed_RVs, sum=False), inputs=inputs, **compiled
        )

    def place(self, theta: Mapping[str, Floats]) -> dict[str, Floats]:
        """A point of the statement at parameters by name; ``x`` where it starts."""
        out = {}
        for name, start in self.start.items():
            plain = name.removesuffix("_log__").removesuffix("_logodds__")
            value = theta.get(plain)
            if value is None:
                assert plain in self.x
                out[name] = np.asarray(start, dtype=float)
                continue
            value = np.reshape(value, np.shape(start))
            if name.endswith("_logodds__"):
                value = np.log(value / (1 - value))
            out[name] = np.log(value) if name.endswith("_log__") else value
        return out

    def evaluate(self, point: Mapping[str, Floats]) -> tuple[float, Floats, Floats]:
        logp, slope, level = self.function(*(point[name] for name in self.names))
        return float(logp), np.asarray(slope), np.asarray(level).ravel()

    def quadratic(self, theta: Mapping[str, Floats], value: Floats, sd: Floats) -> Quadratic:
        """Integrate ``x`` out, each cell being normal with a value and SD of its own."""
        at = self.place(theta)
        sizes = [at[name].size for name in self.x]
        cells = np.flatnonzero(self.data.observed.ravel())
        logp, slope, level = self.evaluate(at)
        hessian = np.empty((sum(sizes), sum(sizes)))
        design = np.empty((level.size, sum(sizes)))
        column = 0
        for name in self.x:
            for i in range(at[name].size):
                moved = at[name].copy()
                moved.flat[i] += 1.0
                _, there, level_there = self.evaluate(at | {name: moved})
                hessian[:, column], design[:, column] = slope - there, level_there - level
                column += 1
        error = (value - level[cells]) / sd**2
        gradient = slope + design[cells].T @ error
        precision = hessian + design[cells].T @ (design[cells] / sd[:, None] ** 2)
        step = np.linalg.solve(precision, gradient)
        joint = logp + stats.norm(level[cells], sd).logpdf(value).sum() + 0.5 * gradient @ step
        log_det = np.linalg.slogdet(precision)[1]
        marginal = joint + 0.5 * (len(step) * np.log(2 * np.pi) - log_det)
        cov_x = np.linalg.inv(precision)
        mean, cov = {"level": level + design @ step}, {"level": design @ cov_x @ design.T}
        for name, end in zip(self.x, np.cumsum(sizes), strict=True):
            own = slice(end - at[name].size, end)
            mean[name], cov[name] = at[name].ravel() + step[own], cov_x[own, own]
        return Quadratic(float(marginal), mean, cov)


@cache
def stated(name: str) -> Stated:
    card, change = VARIANTS[name]
    weeks = (0.0, 1.0, 4.0, 9.0) if name.endswith("missing") else (0.0, 1.0, 4.0)
    data = observations(card, simulate_cohort(4, weeks, markers=card.markers, seed=3))
    return Stated(card, change(data))


def cells_at(data: Observations, draws: Mapping[str, Floats], d: int) -> tuple[Floats, Floats]:
    """Values and SDs of the observed cells at a draw of the density."""
    value = np.where(data.censored, 0.0, data.log_value)
    if "censored_value" in draws:
        value[data.censored] = draws["censored_value"][d]
    sd = np.broadcast_to(draws["residual_sd"][d], value.shape)[data.observed]
    if "residual_weight" in draws:
        sd = sd / np.sqrt(draws["residual_weight"][d])
    return value[data.observed], sd


def log_jacobian(card: Card, data: Observations, point: Floats, weight: Floats, df: float) -> float:
    """Log of how much the density's coordinates stretch to what they stand for."""
    density = longitudinal_density(card, data)
    coordinate, _, _, _ = posterior.parts(density.data)
    slopes = [
        constrain(int(row[0]), *row[1:4], x)[1] for row, x in zip(coordinate, point, strict=False)
    ]
    total = np.log(slopes).sum() + np.log(weight * np.sqrt(2.0 / df)).sum()
    # Of a censored value by differences: each moves with a coordinate of its own, which come last.
    hidden = int(data.censored.sum())
    for place in range(hidden):
        step = 1e-6 * np.eye(point.size)[point.size - hidden + place]
        ends = density.expand(np.stack([point + step, point - step]))["censored_value"][:, place]
        total += np.log(abs(ends[0] - ends[1]) / 2e-6)
    return float(total)


def theta_of(draws: Mapping[str, Floats], d: int) -> dict[str, Floats]:
    return {name: np.asarray(values[d]) for name, values in draws.items()}


@pytest.mark.parametrize("name", VARIANTS)
def test_the_density_is_the_statement_s(name: str) -> None:
    model = stated(name)
    card, data = model.card, model.data
    density = longitudinal_density(card, data)
    points = np.random.default_rng(4).normal(0.0, 0.7, size=(4, density.dimension))
    draws = density.expand(points)
    ours, expected = [], []
    for d, point in enumerate(points):
        value, sd = cells_at(data, draws, d)
        df = float(draws["residual_df"][d]) if "residual_df" in draws else 1.0
        weight = draws["residual_weight"][d] if "residual_weight" in draws else np.zeros(0)
        log, gradient = posterior.evaluate(point, density.data, posterior.gradient_function())
        ours.append(log)
        whole = model.quadratic(theta_of(draws, d), value, sd).log_marginal
        whole += stats.gamma(df / 2, scale=2 / df).logpdf(weight).sum()
        expected.append(whole + log_jacobian(card, data, point, weight, df))
        for i in range(point.size):
            step = 1e-5 * np.eye(point.size)[i]
            ahead, behind = (
                posterior.evaluate(point + s, density.data, posterior.value_function())[0]
                for s in (step, -step)
            )
            assert gradient[i] == pytest.approx((ahead - behind) / 2e-5, rel=1e-4, abs=1e-4)
    np.testing.assert_allclose(np.diff(ours), np.diff(expected), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    "name", ["student_t", "student_t, censored", "step, censored", "everything"]
)
def test_the_statement_s_measurements_have_scipy_s_law(name: str) -> None:
    model = stated(name)
    card, data = model.card, model.data
    density = longitudinal_density(card, data)
    draws = density.expand(np.random.default_rng(5).normal(0.0, 0.7, size=(1, density.dimension)))
    at = model.place(theta_of(draws, 0))
    level = model.evaluate(at)[2].reshape(data.log_value.shape)
    sd = draws["residual_sd"][0]
    noise = stats.t(draws["residual_df"][0]) if "residual_df" in draws else stats.norm()
    theirs = np.concatenate(model.loglik(*(at[n] for n in model.names)))
    for number, (i, t, k) in enumerate(zip(*np.nonzero(data.observed), strict=True)):
        ends = [
            (limit[i, t, k] - level[i, t, k]) / sd[k] for limit in (data.log_lower, data.log_upper)
        ]
        if data.censored[i, t, k]:
            expected = np.log(noise.cdf(ends[1]) - noise.cdf(ends[0]))
        else:
            z = (data.log_value[i, t, k] - level[i, t, k]) / sd[k]
            expected = noise.logpdf(z) - np.log(sd[k])
        assert theirs[number] == pytest.approx(expected, rel=1e-6, abs=1e-9)
    stacked = {n: np.asarray(v)[None] for n, v in theta_of(draws, 0).items()}
    zeros = {"baseline_mean": np.zeros((1, sd.size)), "change_mean": np.zeros((1, sd.size))}
    offset = {"visit_offset": np.zeros((1, len(data.weeks) - 1, sd.size))}
    parameters = hyperparameters_from_draws(stacked | zeros | offset, card.structure.correlation)
    ours = pointwise_loglik(level[None], parameters, data)[0]
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name not in LARGE])
def test_exact_draws_have_the_statement_s_moments(name: str) -> None:
    model = stated(name)
    card, data = model.card, model.data
    density = longitudinal_density(card, data)
    n = 4000
    point = np.random.default_rng(6).normal(0.0, 0.5, size=(1, density.dimension))
    points = np.repeat(point, n, axis=0)
    draws = density.expand(points)
    value, sd = cells_at(data, draws, 0)
    found = model.quadratic(theta_of(draws, 0), value, sd)
    drawn = draw_gaussian_effects(card, data, density, points, np.random.default_rng(7))
    parameters = hyperparameters_from_draws(drawn.top_level, card.structure.correlation)
    own = drawn.effects[..., : len(card.markers)]
    everything = drawn.top_level | {
        "level": fx.levels(parameters, drawn.effects, drawn.drift, data.covariate),
        "patient_baseline": parameters.baseline_mean[:, None] + own,
    }
    compared = found.mean.keys() & everything.keys()
    assert compared >= {"level", "patient_baseline", "visit_offset"}
    for variable in compared:
        flat = everything[variable].reshape(n, -1)
        spread = np.sqrt(np.diag(found.cov[variable]))
        z = (flat.mean(axis=0) - found.mean[variable]) / (spread / np.sqrt(n))
        assert abs(z).max() < 4.5, variable
        standard = (flat - found.mean[variable]) / spread
        expected = found.cov[variable] / np.outer(spread, spread)
        # The sampling SD of a covariance of n pairs is at most sqrt(2 / n).
        assert abs(standard.T @ standard / n - expected).max() < 5.0 * np.sqrt(2.0 / n), variable


def test_two_patients_at_other_times_have_the_closed_form_s_density() -> None:
    card = structured(load_card("proteinuria"), trajectory="drift")
    plain = observations(card, simulate_cohort(2, (0.0, 1.0, 4.0), seed=3))
    times = np.array([[0.0, 1.0, 4.0], [-0.5, 1.4, 3.2]])
    first = replace(plain, own_times=times)
    pair = [first, replace(first, log_value=first.log_value[::-1] + 0.1)]
    point = np.random.default_rng(9).normal(0.0, 0.5, longitudinal_density(card, first).dimension)
    at = theta_of(longitudinal_density(card, first).expand(point[None]), 0)
    (low, between), (mean, mean_sd) = (
        card.argument_values(name).values() for name in ("baseline_mean", "change_mean")
    )
    patient, visit = np.repeat([0, 1], 3), np.tile([0, 1, 2], 2)
    later, same = visit > 0, patient[:, None] == patient
    either = later[:, None] + 0.0 + later
    both = np.outer(later, later)
    correlation = 2 * at["correlation_unit"][0] - 1
    a, b = at["baseline_sd"], at["change_sd"]
    apart = abs(times.ravel()[:, None] - times.ravel())
    drift = at["serial_sd"] ** 2 * np.exp(-apart / at["serial_weeks"])
    cov = same * (a**2 + correlation * a * b * either + b**2 * both + drift)
    cov += between**2 + (mean_sd**2 + at["visit_sd"] ** 2 * (visit[:, None] == visit)) * both
    joint = stats.multivariate_normal(low + mean * later, cov + at["residual_sd"] ** 2 * np.eye(6))
    ours, expected = [], []
    for data in pair:
        packed = longitudinal_density(card, data).data
        ours.append(posterior.evaluate(point, packed, posterior.value_function())[0])
        expected.append(joint.logpdf(data.log_value.ravel()))
    assert np.diff(ours) == pytest.approx(np.diff(expected), rel=1e-9)


def test_times_written_down_as_planned_change_no_bit() -> None:
    card = structured(load_card("remission"), trajectory="drift")
    plain = observations(card, simulate_cohort(5, markers=card.markers, seed=3))
    written = replace(plain, own_times=plain.times)
    pair = [longitudinal_density(card, data) for data in (plain, written)]
    np.testing.assert_array_equal(pair[0].data, pair[1].data)
    assert written.groups.size.tolist() == [5.0]
