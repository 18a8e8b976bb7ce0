"""The historical model against its formulas, quadrature and RBesT."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from historical_tables import AS_PATIENTS, AS_RESPONDERS, as_card, as_table, table_of
from scipy import stats
from scipy.special import expit, logsumexp, roots_hermitenorm

from mnbayes.analyses.historical.card import HistoricalCard, load_historical_card
from mnbayes.analyses.historical.design import count_interval, design, overlap_weight
from mnbayes.analyses.historical.predictive import new_study_rate
from mnbayes.analyses.historical.quadrature import study_likelihood, study_numbers
from mnbayes.analyses.historical.sampled import Posterior, located, log_density, sample_historical
from mnbayes.analyses.historical.table import HistoricalTable, load_historical
from mnbayes.base.montecarlo import mcse
from mnbayes.cards import families as priors
from mnbayes.inference.sampling import Sampling


@cache
def embedded() -> tuple[HistoricalTable, HistoricalCard]:
    card = load_historical_card()
    return load_historical(classes=card.classes), card


def test_design_by_hand() -> None:
    _, card = embedded()
    two = {"study": "A", "arm": "two", "remission": 9, "n": 21, "month": 3.0}
    rows = [
        {"study": "A", "arm": "one", "remission": 5, "n": 20},
        {"study": "B", "remission": 7, "n": 30, "month": 12.0, "refractory": "no"},
        two | {"treatment_class": "rituximab", "refractory": "mixed"},
    ]
    data = design(table_of(rows), card)
    assert data.studies == ("A", "B")
    assert data.x.tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 0, 0, 0, -1, 1],  # not refractory, one doubling of the benchmark's 6 months
        [0, 0, 0, 1, -0.5, -1],
    ]
    assert data.study.tolist() == [0, 1, 0]
    assert data.arm.tolist() == [0, -1, 1]
    assert (data.n_arms, len(data.studies)) == (2, 2)


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
    # No spread between studies: the likelihood is that of the class's rate.
    draws = {
        "class_log_odds": np.array([[-1.0, 0.2, 0.1, -0.3]]),
        "refractory": np.array([0.4]),
        "doubling_of_time": np.array([0.1]),
        "between_study_sd": np.zeros(1),
    }
    likelihoods = [
        sum(study_likelihood(draws, arms)[0] for arms in study_numbers(design(each, card)))
        for each in map(table_of, (once, twice))
    ]
    assert likelihoods[0] == pytest.approx(likelihoods[1])
    assert likelihoods[0] == pytest.approx(-5 * np.log1p(np.e) - 15 * np.log1p(1 / np.e))


def test_quadrature_is_that_of_the_pymc_model() -> None:
    """The statement's counts and priors, summed over effects, against the density in NumPy."""
    from pytensor.compile.mode import Mode

    from mnbayes.analyses.historical.model import build_model

    _, card = embedded()
    table = table_of(
        [
            {"study": "A", "remission": 5, "n": 20},
            {"study": "B", "remission": 9, "n": 36, "month_is": "average", "overlap": "x"},
            {"study": "C", "arm": "1", "remission": 4, "n": 13, "refractory": "no", "month": 12.0},
            {"study": "C", "arm": "2", "remission": 9, "n": 14, "treatment_class": "rituximab"},
            {"study": "D", "remission": 7, "n": 30, "overlap": "x", "refractory": "mixed"},
        ]
    )
    data = design(table, card)
    model = build_model(table, card)
    effects = [rv for rv in model.free_RVs if rv.name in ("study_effect", "arm_effect")]
    others = [rv for rv in model.free_RVs if rv not in effects]
    outputs = [model.logp(vars=others, jacobian=False), model.logp(model.potentials, sum=False)[0]]
    # Python's own linker: nothing is compiled for some hundred points.
    evaluate = model.compile_fn(
        outputs, mode=Mode(linker="py", optimizer=None), on_unused_input="ignore"
    )
    node, weight = roots_hermitenorm(15)
    log_weight = np.log(weight / weight.sum())
    rng = np.random.default_rng(2)
    differences = []
    for _ in range(3):
        points = 0.7 * rng.normal(size=(1, data.x.shape[1] + 2))
        points[0, -2] = abs(points[0, -2]) + 0.2
        draws, _ = located(points, data, card)
        rho = draws["arm_correlation"][0]
        values = {
            "class_log_odds": draws["class_log_odds"][0],
            "refractory": draws["refractory"][0],
            "doubling_of_time": draws["doubling_of_time"][0],
            "between_study_sd_log__": np.log(draws["between_study_sd"][0]),
            "arm_log_odds": np.log(rho / (1 - rho)),
        }
        rows = np.empty((node.size, node.size, len(data.labels)))  # study's effect, arm's
        for i, u in enumerate(node):
            for j, v in enumerate(node):
                at = {"study_effect": np.full(4, u), "arm_effect": np.full(2, v)}
                prior, rows[i, j] = evaluate(values | at)
        of_arm = logsumexp(rows + log_weight[:, None], axis=1)
        stated = float(prior) + sum(
            logsumexp(of_arm[:, data.study == study].sum(axis=1) + log_weight)
            for study in range(len(data.studies))
        )
        found = sum(study_likelihood(draws, arms)[0] for arms in study_numbers(data))
        for name, value in values.items():
            prior_name = {"arm_log_odds": "arm_correlation"}.get(name, name.removesuffix("_log__"))
            spec = card.prior[prior_name]
            at = draws["between_study_sd"][0] if prior_name == "between_study_sd" else value
            found += priors.log_density(spec.distribution, spec.arguments, at).sum()
        differences.append(stated - float(found))
    assert differences == pytest.approx([differences[0]] * 3, abs=0.01)


@pytest.mark.parametrize("change", [{}, {"HalfStudentT": True}, {"Exponential": True}])
def test_density_of_the_coordinates_is_that_of_the_parameters(change: dict[str, bool]) -> None:
    """Up to the stretch of the map between them, by differences."""
    table, card = embedded()
    if "HalfStudentT" in change:
        card = _with(card, "between_study_sd", "HalfStudentT", nu=3.0, sigma=0.7)
        card = _with(card, "refractory", "StudentT", nu=4.0, mu=-0.3, sigma=0.5)
    if "Exponential" in change:
        card = _with(card, "between_study_sd", "Exponential", lam=2.0)
    data = design(table, card)
    rng = np.random.default_rng(1)

    def unconstrained(points: np.ndarray) -> np.ndarray:
        draws, _ = located(points, data, card)
        rho = draws["arm_correlation"]
        columns = [draws[n] for n in ("class_log_odds", "refractory", "doubling_of_time")]
        return np.column_stack([*columns, draws["between_study_sd"], np.log(rho / (1 - rho))])

    differences = []
    for _ in range(3):
        point = 0.7 * rng.normal(size=data.x.shape[1] + 2)
        point[-2] = abs(point[-2]) + 0.2
        step = 1e-5 * np.eye(point.size)
        jacobian = (unconstrained(point + step) - unconstrained(point - step)) / 2e-5
        draws, _ = located(point[None], data, card)
        value = sum(study_likelihood(draws, arms)[0] for arms in study_numbers(data))
        values = unconstrained(point[None])[0]
        names = ["class_log_odds"] * 4 + list(card.prior)[1:]
        for name, at in zip(names, values, strict=True):
            spec = card.prior[name]
            value += float(priors.log_density(spec.distribution, spec.arguments, at))
        value += np.linalg.slogdet(jacobian)[1]
        differences.append(log_density(point[None], data, card)[0] - value)
    assert differences == pytest.approx([differences[0]] * 3, abs=1e-6)


def _with(card: HistoricalCard, name: str, distribution: str, **numbers: float) -> HistoricalCard:
    spec = card.prior[name].model_copy(update={"distribution": distribution, "arguments": numbers})
    return card.model_copy(update={"prior": card.prior | {name: spec}})


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_to_be_trusted_whatever_the_seed(seed: int) -> None:
    table, card = embedded()
    fit = sample_historical(table, card, Sampling(draws=500), np.random.SeedSequence(seed))
    assert fit.diagnostics.pareto_k < 0.5
    assert fit.stats.attrs["effective"] > 0.5 * 2 * 4 * 500


def test_few_studies_and_a_wide_prior_are_sampled_too() -> None:
    card = _with(as_card(), "between_study_sd", "HalfStudentT", nu=3.0, sigma=1.0)
    rows = [{"study": "A", "remission": 0, "n": 13}, {"study": "B", "remission": 7, "n": 9}]
    fit = sample_historical(table_of(rows), card, Sampling(), np.random.SeedSequence(1))
    assert fit.diagnostics.converged


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

    first, second = (float((post * (rate**power @ weight)).sum()) for power in (1, 2))
    of_spread = moments(float(of_tau @ tau), float(of_tau @ tau**2))
    return {"tau": of_spread, "rate": moments(first, second)}


@pytest.mark.parametrize(
    ("spread", "tau", "rate"),
    [(1.0, (0.379, 0.211), (0.258, 0.087)), (0.5, (0.331, 0.176), (0.256, 0.077))],
)
def test_the_worked_example_of_rbest(
    spread: float, tau: tuple[float, float], rate: tuple[float, float]
) -> None:
    """Draws within 4 Monte Carlo errors of the published quadrature and of one made here."""
    exact = quadrature(spread)
    # The published digits are cut off or rounded.
    assert exact["tau"] == pytest.approx(tau, abs=1e-3)
    assert exact["rate"] == pytest.approx(rate, abs=1e-3)
    fit = fitted(as_table(), as_card(spread))
    assert fit.diagnostics.converged
    size = (len(fit.draws["between_study_sd"]), 1)
    noise = np.random.default_rng(1).standard_normal(size)
    draws = {
        "tau": fit.draws["between_study_sd"],
        # One new trial for each draw: its spread is that of the predictive rate.
        "rate": new_study_rate(fit.draws, as_card(spread), "control", "yes", 6.0, noise)[:, 0],
    }
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
    return sample_historical(table, card, Sampling(draws=2000), np.random.SeedSequence(5))


def test_arms_alone_in_their_studies_need_no_correlation() -> None:
    data = design(as_table(), as_card())
    assert data.n_arms == 0
    how, stream = Sampling(draws=100), np.random.SeedSequence(1)
    draws = sample_historical(as_table(), as_card(), how, stream).draws
    assert "arm_correlation" not in draws
    assert draws["log_odds"].shape == (400, len(data.labels))


def test_two_arms_of_one_study_by_quadrature() -> None:
    """The correlated effects, against integration over both arms' log odds on a grid."""
    settings = ["arm_correlation.mu=1", "arm_correlation.sigma=0.01"]
    settings += ["refractory.sigma=0.01", "class_log_odds.sigma=1"]
    card = load_historical_card(settings=settings)
    arms = (("one", 9, 10), ("two", 2, 12))
    table = table_of([{"study": "A", "arm": a, "remission": r, "n": n} for a, r, n in arms])
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
