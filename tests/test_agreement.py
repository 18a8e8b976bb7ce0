"""The posterior of 24-h protein agrees with two other routes to it.

1. brms fits what it can state (a constant step) with the same priors; its answer is stored in
   ``tests/reference`` with how it was made, and is stale as soon as the data, the priors or the R
   script change.
2. Integration without a sampler and without the package's kernel, of the step and of the card as it
   stands, with a drift: given the SDs and the correlation all observations are one normal vector,
   whose covariance is written out here in full; the remaining parameters are integrated by
   importance sampling on Sobol points.
"""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats
from scipy.special import ndtr, ndtri

from mnbayes.cards.card import load_card
from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.inference.fit import Sampling, fit

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "tests" / "reference" / "brms_proteinuria.json"
REFRESH = "run `python scripts/agreement.py` (needs R with brms) to refresh it"
PARAMETERS = (
    "baseline_mean",
    "change_mean",
    "baseline_sd",
    "change_sd",
    "visit_sd",
    "residual_sd",
    "correlation",
)
DRIFT = ("serial_sd", "serial_weeks")
ERRORS = 4.0  # combined Monte Carlo standard errors
SD_SHARE = 0.05


def _load_routes():
    spec = importlib.util.spec_from_file_location("routes", ROOT / "scripts/peers/routes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


routes = _load_routes()


@pytest.fixture(scope="session")
def card():
    return routes.peer_card()


@pytest.fixture(scope="session")
def stored():
    return json.loads(REFERENCE.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def agreement_fit(card, cohort):
    result = fit(card, cohort, Sampling(draws=2000, seed=1))
    assert result.diagnostics.converged, result.diagnostics.reasons
    return result


@pytest.fixture(scope="session")
def sampled(agreement_fit):
    return routes.estimates(agreement_fit)


@pytest.fixture(scope="session")
def integrated(card, cohort):
    return integrate(routes.prior_numbers(card), routes.peer_data(cohort))


@pytest.fixture(scope="session")
def drifting(cohort):
    """Both routes to the card as it stands."""
    card = load_card("proteinuria")
    assert card.structure.drift
    fitted = fit(card, cohort, Sampling(draws=2000, seed=1))
    assert fitted.diagnostics.converged, fitted.diagnostics.reasons
    data = routes.peer_data(cohort)
    return routes.estimates(fitted), integrate(routes.prior_numbers(card), data)


def mean_distance(a, b):
    """Distance of two means in combined Monte Carlo errors."""
    return abs(a["mean"] - b["mean"]) / np.hypot(a["mcse_mean"], b["mcse_mean"])


def assert_agree(a, b):
    assert mean_distance(a, b) < ERRORS
    tolerance = max(SD_SHARE * b["sd"], ERRORS * np.hypot(a["mcse_sd"], b["mcse_sd"]))
    assert abs(a["sd"] - b["sd"]) < tolerance


# --- 1. brms ---------------------------------------------------------------------------------


def test_reference_was_made_from_what_is_there_now(stored, cohort, card):
    script = ROOT / "scripts/peers/brms_proteinuria.R"
    now = {"data": routes.data_hash(cohort), "priors": routes.priors_hash(card)}
    now["r_script"] = routes.file_hash(script)
    for what, digest in now.items():
        assert stored[f"{what}_sha256"] == digest, f"{what} changed since brms was run: {REFRESH}"


def test_reference_is_a_clean_fit(stored):
    brms = stored["brms"]
    assert brms["sampling"]["divergences"] == 0
    assert set(brms["parameters"]) == set(PARAMETERS)
    for row in brms["parameters"].values():
        assert row["rhat"] < 1.01
        assert min(row["ess_bulk"], row["ess_tail"]) > 1000


def test_a_changed_prior_or_value_makes_the_reference_stale(stored, card, cohort):
    (changed,) = apply_changes([card], [parse_setting("visit_sd.sigma=0.21")], strict=True)
    assert routes.priors_hash(changed) != stored["priors_sha256"]
    rows = cohort.measurements.copy()
    first = rows.index[rows["marker"] == routes.MARKER][0]
    rows.loc[first, "value"] *= 1.001
    moved = type(cohort)(cohort.patients, rows, cohort.source, cohort.sha256, cohort.synthetic)
    assert routes.data_hash(moved) != stored["data_sha256"]


# --- 2. integration without a sampler -------------------------------------------------------

REPLICATES, POINTS, DF = 8, 2048, 5.0


class Marginal:
    """Log posterior of (normal scores of scales, atanh correlation), every effect integrated out.

    The 39 observations are normal with covariance X B X' + Z S Z' + visit part + s^2 I, built
    from indicator matrices: same patient, same week, and whether a visit is after baseline; and
    that of the drift, within a patient and by the weeks between.
    """

    def __init__(self, priors, data):
        post = (data["week"] > 0).to_numpy(dtype=float)
        one = np.ones_like(post)
        patient = data["patient"].to_numpy()
        week = data["week"].to_numpy()
        self.same_patient = (patient[:, None] == patient).astype(float)
        self.apart = np.abs(week[:, None] - week)
        same_week = (week[:, None] == week).astype(float)
        self.parts = np.stack(
            [
                self.same_patient,
                self.same_patient * np.outer(post, post),
                self.same_patient * (np.outer(post, one) + np.outer(one, post)),
                same_week * np.outer(post, post),
                np.eye(post.size),
            ]
        )
        self.design = np.stack([one, post], axis=1)
        fixed = [priors["baseline_mean"], priors["change_mean"]]
        assert {p["distribution"] for p in fixed} == {"Normal"}
        self.names = tuple(name for name in PARAMETERS if name in priors)[2:-1]
        self.names += tuple(name for name in DRIFT if name in priors)
        self.laws = [_law(priors[name]) for name in self.names]
        self.centre = np.array([p["mu"] for p in fixed])
        self.fixed_cov = np.diag([p["sigma"] ** 2 for p in fixed])
        self.eta = priors["correlation"]["eta"]
        self.y = data["log_y"].to_numpy()

    @property
    def dimension(self):
        return len(self.names) + 1

    def values(self, theta):
        """Scales under their priors' quantile functions, and the correlation."""
        share = np.clip(ndtr(theta[:, :-1]), 1e-12, 1 - 1e-12).T
        scales = [law.ppf(u) for law, u in zip(self.laws, share, strict=True)]
        return np.column_stack([*scales, np.tanh(theta[:, -1])])

    def covariance(self, theta):
        """Shape (n, 39, 39), for theta of shape (n, dimension)."""
        base, change, visit, residual, *drift = self.values(theta)[:, :-1].T
        rho = np.tanh(theta[:, -1])
        weights = [base**2, change**2, rho * base * change, visit**2, residual**2]
        of_fixed = self.design @ self.fixed_cov @ self.design.T
        out = of_fixed + np.tensordot(np.stack(weights, axis=1), self.parts, axes=1)
        if drift:
            sd, weeks = (each[:, None, None] for each in drift)
            out = out + sd**2 * np.exp(-self.apart / weeks) * self.same_patient
        return out

    def log_prior(self, theta):
        """With the Jacobians; a 2 x 2 LKJ(eta) is rho ~ (1 - rho^2)^(eta - 1)."""
        return np.log1p(-(np.tanh(theta[:, -1]) ** 2)) * self.eta - (theta[:, :-1] ** 2).sum(1) / 2

    def solve(self, theta):
        """Log posterior (n,), and mean (n, 2) and covariance (n, 2, 2) of the fixed effects."""
        residual = self.y - self.design @ self.centre
        factor = np.linalg.cholesky(self.covariance(theta))
        right = np.column_stack([residual, self.design])
        whitened = np.linalg.solve(factor, np.broadcast_to(right, (len(theta), *right.shape)))
        r, x = whitened[..., :1], whitened[..., 1:]
        half_log_det = np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1)
        loglik = -half_log_det - (r**2).sum(axis=(1, 2)) / 2 - self.y.size * np.log(2 * np.pi) / 2
        xt = np.swapaxes(x, 1, 2)
        mean = self.centre + (self.fixed_cov @ (xt @ r))[..., 0]
        cov = self.fixed_cov - self.fixed_cov @ (xt @ x) @ self.fixed_cov
        return loglik + self.log_prior(theta), mean, cov


def _law(prior):
    """SciPy's distribution of a scale's prior."""
    if prior["distribution"] == "LogNormal":
        return stats.lognorm(prior["sigma"], scale=np.exp(prior["mu"]))
    assert prior["distribution"] == "HalfNormal"
    return stats.halfnorm(scale=prior["sigma"])


def proposal(model):
    """Mode of the log posterior and a Cholesky factor of the inverse curvature there."""
    n = model.dimension
    result = optimize.minimize(lambda t: -model.solve(t[None])[0][0], np.zeros(n), method="BFGS")
    step = 1e-3 * np.eye(n)
    corners = np.array(
        [result.x + a * u + b * v for u in step for v in step for a in (1, -1) for b in (1, -1)]
    )
    value = model.solve(corners)[0].reshape(n, n, 2, 2)
    signs = np.array([[1, -1], [-1, 1]])
    hessian = (value * signs).sum(axis=(2, 3)) / (4 * 1e-6)
    return result.x, np.linalg.cholesky(np.linalg.inv(-hessian))


def weighted_points(model, centre, factor, seed):
    """Points of a t proposal (scrambled Sobol) and their self-normalised importance weights."""
    n = model.dimension
    uniform = stats.qmc.Sobol(n + 1, scramble=True, rng=np.random.default_rng(seed)).random(POINTS)
    uniform = np.clip(uniform, 1e-10, 1 - 1e-10)
    t = ndtri(uniform[:, :n]) * np.sqrt(DF / stats.chi2(DF).ppf(uniform[:, n:]))
    theta = centre + t @ factor.T
    log_q = stats.multivariate_t(centre, factor @ factor.T, df=DF).logpdf(theta)
    log_p, *fixed = model.solve(theta)
    weight = np.exp(log_p - log_q - (log_p - log_q).max())
    return theta, weight / weight.sum(), fixed


def integrate(priors, data):
    """Mean, SD and errors of each parameter, and the least share of effective points.

    The posterior of the scores is skewed, so the proposal at the mode is first moved to the
    mean and covariance that it finds. The errors come from independent scramblings.
    """
    model = Marginal(priors, data)
    centre, factor = proposal(model)
    for pilot in range(2):
        theta, weight, _ = weighted_points(model, centre, factor, 100 + pilot)
        centre = weight @ theta
        factor = np.linalg.cholesky((theta - centre).T * weight @ (theta - centre))
    by_replicate, efficiency = [], []
    for seed in range(REPLICATES):
        theta, weight, (fixed_mean, fixed_cov) = weighted_points(model, centre, factor, seed)
        efficiency.append(1 / (weight**2).sum() / POINTS)
        values = np.column_stack([fixed_mean, model.values(theta)])
        second = values**2
        second[:, :2] += np.diagonal(fixed_cov, axis1=1, axis2=2)
        by_replicate.append([weight @ values, weight @ second])
    moments = np.array(by_replicate)  # replicate, moment, parameter
    means, sds = moments[:, 0], np.sqrt(moments[:, 1] - moments[:, 0] ** 2)
    out = {
        name: {
            "mean": means[:, i].mean(),
            "sd": sds[:, i].mean(),
            "mcse_mean": stats.sem(means[:, i]),
            "mcse_sd": stats.sem(sds[:, i]),
        }
        for i, name in enumerate((*PARAMETERS[:2], *model.names, "correlation"))
    }
    return out, min(efficiency)


def test_marginal_density_is_scipys(card, cohort):
    model = Marginal(routes.prior_numbers(card), routes.peer_data(cohort))
    theta = np.random.default_rng(1).normal(0.0, 0.6, size=(5, model.dimension))
    expected = [
        stats.multivariate_normal(model.design @ model.centre, cov).logpdf(model.y)
        for cov in model.covariance(theta)
    ]
    np.testing.assert_allclose(model.solve(theta)[0] - model.log_prior(theta), expected)


def test_importance_weights_are_even_enough(integrated, drifting):
    assert integrated[1] > 0.3
    assert drifting[1][1] > 0.2


@pytest.mark.parametrize("name", [*PARAMETERS, *DRIFT])
def test_the_drift_s_posterior_is_the_integral(name, drifting):
    sampled, (exact, _) = drifting
    assert_agree(sampled[name], exact[name])


@pytest.mark.parametrize("name", PARAMETERS)
def test_three_routes_agree(name, sampled, stored, integrated):
    brms, exact = stored["brms"]["parameters"][name], integrated[0][name]
    assert_agree(sampled[name], brms)
    assert_agree(sampled[name], exact)
    assert_agree(brms, exact)


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("change_mean.sigma=0.5", "change_mean"),
        ("visit_sd.sigma=0.15", "visit_sd"),
        ("correlation.eta=1", "correlation"),
    ],
)
def test_the_comparison_notices_another_prior(setting, name, card, cohort, stored):
    (changed,) = apply_changes([card], [parse_setting(setting)], strict=True)
    other, _ = integrate(routes.prior_numbers(changed), routes.peer_data(cohort))
    assert mean_distance(other[name], stored["brms"]["parameters"][name]) > ERRORS
