"""The compiled density against PyMC, finite differences, quadrature and RBesT."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from historical_tables import AS_PATIENTS, AS_RESPONDERS, as_card, as_table, table_of
from scipy import stats
from scipy.special import expit, roots_hermitenorm

from mnbayes.analyses.historical.card import HistoricalCard, load_historical_card
from mnbayes.analyses.historical.density import log_density_and_gradient
from mnbayes.analyses.historical.design import count_interval, design, overlap_weight
from mnbayes.analyses.historical.points import (
    historical_density,
    row_log_odds,
    rows_by_study,
    working_observations,
)
from mnbayes.analyses.historical.predictive import new_study_rate
from mnbayes.analyses.historical.sampled import Posterior, sample_historical
from mnbayes.analyses.historical.table import HistoricalTable, load_historical
from mnbayes.base.montecarlo import mcse
from mnbayes.inference.sampling import Sampling


@cache
def embedded() -> tuple[HistoricalTable, HistoricalCard]:
    card = load_historical_card()
    return load_historical(classes=card.classes), card


def test_design_by_hand() -> None:
    _, card = embedded()
    table = table_of(
        [
            {"study": "A", "arm": "one", "remission": 5, "n": 20},
            {"study": "B", "remission": 7, "n": 30, "month": 12.0, "refractory": "no"},
            {"study": "A", "arm": "two", "remission": 9, "n": 21, "treatment_class": "rituximab",
             "refractory": "mixed", "month": 3.0},
        ]
    )  # fmt: skip
    data = design(table, card)
    assert data.studies == ("A", "B")
    assert data.x.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, -1, 1],  # not refractory, one doubling of the benchmark's 6 months
        [0, 0, 0, 1, -0.5, -1],
    ]
    assert data.study.tolist() == [0, 1, 0]
    assert data.arm.tolist() == [0, -1, 1]
    assert (data.n_arms, data.n_effects) == (2, 4)


def test_counts_that_are_not_exact_become_intervals() -> None:
    table = table_of(
        [
            {"study": "exact", "remission": 5, "n": 20},
            {"study": "derived", "remission": 12, "n": 13, "count_within": 1},
            {"study": "full", "remission": 13, "n": 13, "count_within": 1},
            {"study": "none", "remission": 0, "n": 13, "count_within": 1},
            {"study": "average", "remission": 15, "n": 36, "month_is": "average"},
        ]
    )
    low, high = count_interval(table.rows, 0.5)
    assert low.tolist() == [5, 11, 12, 0, 8]  # half of 15 remissions, rounded up
    assert high.tolist() == [5, 13, 13, 1, 15]


def test_rows_that_may_share_patients_count_once_together() -> None:
    overlaps = ["", "a", "b", "a", "", "b", "b"]
    table = table_of(
        [{"study": str(i), "remission": 1, "n": 9, "overlap": o} for i, o in enumerate(overlaps)]
    )
    weight = overlap_weight(table.rows)
    assert weight == pytest.approx([1, 1 / 2, 1 / 3, 1 / 2, 1, 1 / 3, 1 / 3])


def test_one_study_told_twice_is_worth_one() -> None:
    """Two rows of the same patients must not tell more than one."""
    _, card = embedded()
    once = [{"study": "A", "remission": 5, "n": 20}]
    twice = [
        {"study": "A", "remission": 5, "n": 20, "overlap": "same"},
        {"study": "B", "remission": 5, "n": 20, "overlap": "same"},
    ]
    point = np.array([-1.0, 0.2, 0.1, -0.3, 0.4, 0.1])
    likelihoods = []
    for rows in (once, twice):
        data = design(table_of(rows), card)
        density = historical_density(data, card)
        gradient = np.empty(density.dimension)
        # No spread between studies: the likelihood is that of the class's rate.
        at = np.concatenate([point, np.zeros(density.dimension - point.size)])
        likelihoods.append(log_density_and_gradient(at, density.data, gradient))
    assert likelihoods[0] == pytest.approx(likelihoods[1])


@pytest.mark.parametrize("change", [{}, {"HalfStudentT": True}, {"Exponential": True}])
def test_gradient_is_that_of_the_density(change: dict[str, bool]) -> None:
    table, card = embedded()
    if "HalfStudentT" in change:
        card = _with(card, "between_study_sd", "HalfStudentT", nu=3.0, sigma=0.7)
        card = _with(card, "refractory", "StudentT", nu=4.0, mu=-0.3, sigma=0.5)
    if "Exponential" in change:
        card = _with(card, "between_study_sd", "Exponential", lam=2.0)
    density = historical_density(design(table, card), card)
    rng = np.random.default_rng(1)
    for _ in range(3):
        point = rng.normal(size=density.dimension)
        gradient, other = np.empty(density.dimension), np.empty(density.dimension)
        log_density_and_gradient(point, density.data, gradient)
        numeric = [
            (
                log_density_and_gradient(point + step, density.data, other)
                - log_density_and_gradient(point - step, density.data, other)
            )
            / 2e-5
            for step in 1e-5 * np.eye(density.dimension)
        ]
        assert gradient == pytest.approx(numeric, abs=2e-6)


def _with(card: HistoricalCard, name: str, distribution: str, **numbers: float) -> HistoricalCard:
    spec = card.prior[name].model_copy(update={"distribution": distribution, "arguments": numbers})
    return card.model_copy(update={"prior": card.prior | {name: spec}})


def _as_pymc_sees_it(point: np.ndarray, table: HistoricalTable, card: HistoricalCard) -> dict:
    """A point of the density as values of PyMC's variables, and the log Jacobian between them.

    Written from the formulas of the module's docstring, arm by arm.
    """
    data = design(table, card)
    size = data.x.shape[1]
    tau, logit = point[size], point[size + 1]
    root, rest = np.sqrt(expit(logit)), np.sqrt(1 - expit(logit))
    working, information = working_observations(data)
    base = data.x @ point[:size]
    study, arms = np.empty(len(data.studies)), np.empty(data.n_arms)
    jacobian, at = 0.0, size + 2
    for position, rows in enumerate(rows_by_study(data)):
        a, b = (tau * root, tau * rest) if len(rows) > 1 else (tau, 0.0)
        q = [1 + b**2 * information[row] for row in rows]
        g = [information[row] / each for row, each in zip(rows, q, strict=True)]
        p = 1 + a**2 * sum(g)
        pull = sum(each * (working[row] - base[row]) for row, each in zip(rows, g, strict=True))
        study[position] = a * pull / p + point[at] / np.sqrt(p)
        jacobian -= np.log(p) / 2
        at += 1
        for row, each in zip(rows, q, strict=True):
            if len(rows) > 1:
                off = working[row] - base[row] - a * study[position]
                arms[data.arm[row]] = b * information[row] * off / each + point[at] / np.sqrt(each)
                jacobian -= np.log(each) / 2
                at += 1
    return {
        "class_log_odds": point[: len(card.classes)],
        "refractory": point[size - 2],
        "doubling_of_time": point[size - 1],
        "between_study_sd_log__": np.log(tau),
        "arm_log_odds": logit,
        "study_effect": study,
        "arm_effect": arms,
        "jacobian": jacobian - np.log(tau),
    }


@pytest.mark.slow
def test_density_is_the_pymc_model() -> None:
    from pytensor.compile.mode import Mode

    from mnbayes.analyses.historical.model import build_model

    table, card = embedded()
    data = design(table, card)
    density = historical_density(data, card)
    model = build_model(table, card)
    outputs = [model.logp(), *model.replace_rvs_by_values([model["rate"]])]
    # Python's own linker: nothing is compiled for four points.
    evaluate = model.compile_fn(outputs, mode=Mode(linker="py", optimizer=None))
    rng = np.random.default_rng(2)
    differences = []
    for _ in range(4):
        point = rng.normal(size=density.dimension) * 0.7
        point[data.x.shape[1]] = abs(point[data.x.shape[1]]) + 0.05
        values = _as_pymc_sees_it(point, table, card)
        jacobian = values.pop("jacobian")
        gradient = np.empty(density.dimension)
        ours = log_density_and_gradient(point, density.data, gradient)
        logp, rate = evaluate(values)
        differences.append(ours - float(logp) - jacobian)
        found = expit(row_log_odds(point[None], data)[0])
        assert found == pytest.approx(np.asarray(rate), rel=1e-10)
    assert differences == pytest.approx([differences[0]] * 4, abs=1e-8)


def quadrature(spread: float) -> dict[str, tuple[float, float]]:
    """Mean and SD of tau and of a new trial's rate, by integration over intercept and tau.

    Shares no code with the package: each trial's effect by Gauss-Hermite, the rest by the
    trapezium rule on a grid.
    """
    node, weight = roots_hermitenorm(40)
    weight = weight / weight.sum()
    mu = np.linspace(-3.0, 0.8, 96)
    tau = np.linspace(0.0, 2.5, 101)
    log_odds = mu[:, None, None] + tau[None, :, None] * node
    per_patient = np.log1p(np.exp(log_odds))
    log_post = stats.norm.logpdf(mu, 0, 2)[:, None] + stats.norm.logpdf(tau, 0, spread)[None]
    for r, n in zip(AS_RESPONDERS, AS_PATIENTS, strict=True):
        log_post = log_post + np.log(np.exp(r * log_odds - n * per_patient + 0.5 * n) @ weight)
    post = np.exp(log_post - log_post.max())
    post[:, [0, -1]] /= 2
    post /= post.sum()
    of_tau = post.sum(axis=0)
    rate = expit(log_odds)

    def moments(first: float, second: float) -> tuple[float, float]:
        return first, float(np.sqrt(second - first**2))

    return {
        "tau": moments(float(of_tau @ tau), float(of_tau @ tau**2)),
        "rate": moments(
            float((post * (rate @ weight)).sum()), float((post * (rate**2 @ weight)).sum())
        ),
    }


@pytest.mark.parametrize(
    ("spread", "tau", "rate"),
    [(1.0, (0.379, 0.211), (0.258, 0.087)), (0.5, (0.331, 0.176), (0.256, 0.077))],
)
def test_the_worked_example_of_rbest(
    spread: float, tau: tuple[float, float], rate: tuple[float, float]
) -> None:
    """NUTS within 4 Monte Carlo errors of the published quadrature and of one made here."""
    exact = quadrature(spread)
    # The published digits are cut off or rounded.
    assert exact["tau"] == pytest.approx(tau, abs=1e-3)
    assert exact["rate"] == pytest.approx(rate, abs=1e-3)
    fit = fitted(as_table(), as_card(spread))
    assert fit.diagnostics.converged
    draws = {
        "tau": fit.draws["between_study_sd"],
        # One new trial for each draw: its spread is that of the predictive rate.
        "rate": new_study_rate(
            fit.draws, as_card(spread), "control", "yes", 6.0,
            np.random.default_rng(1).standard_normal((len(fit.draws["between_study_sd"]), 1)),
        )[:, 0],
    }  # fmt: skip
    for name, published in (("tau", tau), ("rate", rate)):
        for reference, rounding in ((exact[name], 0.0), (published, 1e-3)):
            value = draws[name].reshape(fit.sampling.chains, -1)
            error = float(mcse(value[..., None])[0])
            assert abs(value.mean() - reference[0]) < 4 * error + rounding
            # The SD by the delta method: of the squared deviation over twice the SD.
            squared = (value - reference[0]) ** 2
            of_sd = float(mcse(squared[..., None])[0]) / (2 * reference[1])
            assert abs(np.sqrt(squared.mean()) - reference[1]) < 4 * of_sd + rounding


def fitted(table: HistoricalTable, card: HistoricalCard) -> Posterior:
    first, second = np.random.SeedSequence(5).spawn(2)
    return sample_historical(table, card, Sampling(draws=2000), (first, second))


def test_arms_alone_in_their_studies_need_no_correlation() -> None:
    data = design(as_table(), as_card())
    assert data.n_arms == 0
    density = historical_density(data, as_card())
    assert density.dimension == len(as_card().classes) + 2 + 1 + 8
    assert "arm_correlation" not in density.expand(np.zeros((1, density.dimension)))


def test_two_arms_of_one_study_by_quadrature() -> None:
    """The correlated effects, against integration over both arms' log odds on a grid."""
    card = load_historical_card(
        settings=["arm_correlation.mu=1", "arm_correlation.sigma=0.01", "refractory.sigma=0.01",
                  "class_log_odds.sigma=1"]
    )  # fmt: skip
    table = table_of(
        [
            {"study": "A", "arm": "one", "remission": 9, "n": 10},
            {"study": "A", "arm": "two", "remission": 2, "n": 12},
        ]
    )
    rho = expit(1.0)
    grid = np.linspace(-6, 6, 241)
    tau = np.linspace(0.0, 4.5, 181)[1:]
    x, y = np.meshgrid(grid, grid, indexing="ij")
    likelihood = stats.binom.pmf(9, 10, expit(x)) * stats.binom.pmf(2, 12, expit(y))
    mass = np.empty(tau.size)
    first = np.empty(tau.size)
    for i, t in enumerate(tau):
        covariance = 1.0 + t**2 * np.array([[1, rho], [rho, 1]])  # the class's log odds included
        prior = stats.multivariate_normal([0, 0], covariance, allow_singular=True).pdf(
            np.stack([x, y], axis=-1)
        )
        joint = prior * likelihood
        mass[i] = joint.sum() * stats.norm.pdf(t)
        first[i] = (joint * expit(x)).sum() * stats.norm.pdf(t)
    # At small tau both arms are nearly one number, which the grid cannot resolve: leave it out.
    kept = tau > 0.3
    fit = fitted(table, card)
    enough = fit.draws["between_study_sd"] > tau[kept][0] - (tau[1] - tau[0]) / 2
    value = expit(fit.draws["log_odds"][enough, 0])
    assert value.mean() == pytest.approx(first[kept].sum() / mass[kept].sum(), abs=0.006)
    spread = fit.draws["between_study_sd"][enough]
    assert spread.mean() == pytest.approx((tau * mass)[kept].sum() / mass[kept].sum(), abs=0.03)
