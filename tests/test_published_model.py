"""The published-evidence model against quadrature, simulation, closed forms and its statement."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import ndtr

from mnbayes.analyses.published import answers as an
from mnbayes.analyses.published.card import PublishedCard, load_published_card, override_published
from mnbayes.analyses.published.categories import shares
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.grid import log_posterior, summed
from mnbayes.analyses.published.load_facts import load_facts
from mnbayes.analyses.published.model import build_model
from mnbayes.analyses.published.posteriors import least_loglik, least_nodes, loglik
from mnbayes.analyses.published.readings import Evidence, Readings, best_evidence, outcome_evidence
from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError
from mnbayes.cards import families as priors
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.prior_sets import load_prior_set, parse_setting
from mnbayes.inference.sampling import Sampling

FACTS, DEFINITIONS, CARD = load_facts(), load_definitions(), load_published_card()
COUNTS = outcome_counts(FACTS)
VISITS = 3
UNKNOWN = {"remission": "unknown", "no_response": "no_fall"}


def evidence(**readings: Any) -> Evidence:
    return outcome_evidence(FACTS, Readings(**readings), DEFINITIONS)


def best() -> Evidence:
    found = best_evidence(FACTS, Readings(), DEFINITIONS)
    assert found is not None
    return found


def quadrature(card: PublishedCard, found: Evidence) -> dict[str, float]:
    """Answers by a sum over a fine grid of mean and log SD, written out from the model."""
    mean, log_sd = np.linspace(-5, 4, 1201), np.linspace(-3.5, 2.5, 801)
    m, s = mean[:, None], np.exp(log_sd)[None, :]
    log_post = np.asarray(log_sd[None, :])
    for name, value in (("mean_log_ratio", m), ("sd_log_ratio", s)):
        spec = card.prior[name]
        log_post = log_post + priors.log_density(spec.distribution, spec.arguments, value)
    for low, high, patients in zip(found.lower, found.upper, found.patients, strict=True):
        if low == high:
            term = stats.norm.logpdf(low, m, s)
        else:
            # sf and cdf, so that neither tail is lost
            below, above = stats.norm.cdf(low, m, s), stats.norm.sf(high, m, s)
            term = np.log(np.maximum(1.0 - below - above, 1e-300))
        log_post = log_post + patients * term
    weight = np.exp(log_post - log_post.max())
    weight /= weight.sum()
    cumulative = np.cumsum(weight.sum(axis=1)) - 0.5 * weight.sum(axis=1)
    answers = {"gmr": float(np.exp(np.interp(0.5, cumulative, mean)))}
    for name, ratio in (("p_fall", 1.0), ("p_fall_30", 0.7), ("p_fall_50", 0.5)):
        answers[name] = float(np.interp(np.log(ratio), mean, cumulative))
    for name, ratio in (("next_any_fall", 1.0), ("next_fall_50", 0.5)):
        answers[name] = float(np.sum(weight * stats.norm.cdf(np.log(ratio), m, s)))
    return answers


@pytest.mark.parametrize(
    ("prior_set", "readings"),
    [
        ("weak", {}),
        ("weak", {"withdrawn": "failure"}),
        ("weak", UNKNOWN),
        ("weak", {"no_response": "unknown"}),
        ("enthusiastic", {"withdrawn": "success"}),
        *(
            (prior_set, readings)
            for prior_set in ("sceptical", "historical")
            for readings in ({}, {"withdrawn": "failure"}, UNKNOWN)
        ),
    ],
)
def test_answers_and_draws_agree_with_quadrature(prior_set: str, readings: dict[str, str]) -> None:
    card = override_published(CARD, [load_prior_set(prior_set)])
    found = evidence(**readings)
    exact = quadrature(card, found)
    posterior, quick = (summed(card, found, fine=fine) for fine in (True, False))
    got, few = posterior.answers(), quick.answers()
    assert set(got) == set(few) == set(exact)
    assert not quick.doubts()
    for name, value in exact.items():
        assert abs(got[name].value - value) < 5e-4, name
        assert few[name].value == pytest.approx(value, abs=0.001), name
        assert few[name].mcse == 0
    draws = posterior.part(Sampling(draws=2000), np.random.SeedSequence(11)).draws
    mean, sd = draws["mean_log_ratio"], draws["sd_log_ratio"]
    shares = {name: mean < bound for name, bound in an.TYPICAL.items()}
    shares |= {name: ndtr((bound - mean) / sd) for name, bound in an.NEXT.items()}
    for name, share in shares.items():  # the draws are independent
        assert abs(share.mean() - exact[name]) < 4.5 * share.std() / mean.size**0.5 + 5e-4, name
    for name, drawn in {"gmr": np.exp(mean), **{n: shares[n] for n in an.NEXT}}.items():
        ends = np.quantile(drawn, [0.025, 0.975])
        assert [few[name].lower, few[name].upper] == pytest.approx(ends, rel=0.04, abs=0.025)


def counts_alone() -> Evidence:
    """Seven of twelve fell by 15 % or more: nothing is known exactly, so SDs near 0 fit."""
    ends = np.log([0.85, 0.85])
    lower, upper = np.array([-np.inf, ends[0]]), np.array([ends[1], np.inf])
    return Evidence(("response", "none"), lower, upper, np.array([7.0, 5.0]))


def test_counts_alone_are_summed() -> None:
    found = counts_alone()
    exact = quadrature(CARD, found)
    posterior = summed(CARD, found, fine=True)
    assert not posterior.doubts()
    got = posterior.answers()
    assert {name: got[name].value for name in exact} == pytest.approx(exact, abs=0.002)
    # and the draws themselves
    mean = posterior.part(Sampling(draws=4000), np.random.SeedSequence(7)).draws["mean_log_ratio"]
    assert float((mean < 0).mean()) == pytest.approx(exact["p_fall"], abs=0.015)
    assert float(np.exp(np.median(mean))) == pytest.approx(exact["gmr"], abs=0.01)


def test_too_few_points_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnbayes.analyses.published.grid.FEWER", {2: (9, 7)})
    doubts = summed(CARD, evidence()).doubts()
    assert doubts
    assert all(doubt.startswith("half the points of the sum give ") for doubt in doubts)


def test_the_best_visit_summed_on_fewer_points_says_the_same() -> None:
    for card in (CARD, override_published(CARD, [load_prior_set("enthusiastic")])):
        found = [summed(card, best(), VISITS, fine=fine) for fine in (False, True)]
        assert not any(each.doubts() for each in found)
        few, many = (each.answers(of_patients=False) for each in found)
        assert set(few) == {"gmr", *an.TYPICAL}
        for name in few:
            assert few[name].value == pytest.approx(many[name].value, abs=0.002)
            assert few[name].lower == pytest.approx(many[name].lower, abs=0.01, nan_ok=True)
            assert few[name].upper == pytest.approx(many[name].upper, abs=0.01, nan_ok=True)


def test_parts_say_that_nothing_was_sampled() -> None:
    part = summed(CARD, best(), VISITS, fine=True).part(Sampling(), np.random.SeedSequence(3))
    table = part.table.set_index("parameter")
    assert list(table.index) == ["mean_log_ratio", "sd_log_ratio", "visit_noise_sd"]
    assert table[["rhat", "ess_bulk", "ess_tail"]].isna().all(axis=None)
    for name, draws in part.draws.items():
        assert draws.shape == (4, 1000)
        error = draws.std() / 4000**0.5
        assert draws.mean() == pytest.approx(table.loc[name, "mean"], abs=4.5 * error)
        assert draws.std() == pytest.approx(table.loc[name, "sd"], rel=0.06)


def test_rounding_of_the_printed_ends_makes_no_difference() -> None:
    known, rounded = (quadrature(CARD, evidence(ends=ends)) for ends in ("known", "rounded"))
    assert known == pytest.approx(rounded, abs=1e-4)


@pytest.mark.parametrize(
    "settings",
    [
        [],
        [
            *(f"mean_log_ratio.{s}" for s in ("distribution=StudentT", "nu=4", "mu=-0.3")),
            "mean_log_ratio.sigma=0.5",
            *("sd_log_ratio.distribution=Exponential", "sd_log_ratio.lam=1.5"),
        ],
        ["sd_log_ratio.distribution=HalfStudentT", "sd_log_ratio.nu=3", "sd_log_ratio.sigma=0.7"],
        ["sd_log_ratio.distribution=Gamma", "sd_log_ratio.alpha=2", "sd_log_ratio.beta=3"],
        ["sd_log_ratio.distribution=LogNormal", "sd_log_ratio.mu=-1", "sd_log_ratio.sigma=0.6"],
    ],
)
def test_densities_agree_with_the_stated_model_up_to_a_constant(settings: list[str]) -> None:
    card = CARD
    if settings:
        # A new family gets all its numbers at once, as a prior set's table gives them.
        values: dict[str, dict[str, Any]] = {}
        for change in map(parse_setting, settings):
            values.setdefault(change.parameter, {}).update(change.values)
        from mnbayes.cards.prior_sets import Change

        merged = [Change(name, "", each, "test") for name, each in values.items()]
        card = override_published(CARD, [], merged)
    rng = np.random.default_rng(5)
    for found, visits in [(evidence(), 1), *([] if settings else [(best(), VISITS)])]:
        model = build_model(card, found, visits)
        log_density = model.compile_fn(model.logp(), mode="FAST_COMPILE")
        names = [variable.name for variable in model.value_vars]
        differences = []
        for _ in range(12):
            point = rng.normal([-0.7, -0.6, -1.4][: len(names)], 0.35)
            value = log_posterior(card, found, visits, tuple(point))
            stated = log_density(dict(zip(names, point, strict=True)))
            differences.append(float(value) - float(stated))
        assert np.ptp(differences) < 2e-6


def least_terms(found: Evidence, mean: float, sd: float, noise: float, visits: int) -> Floats:
    return least_loglik(found, np.array(mean), np.array(sd), np.array(noise), visits)


@pytest.mark.parametrize("sd", [0.15, 0.5, 1.1])  # below and above the noise
def test_the_least_of_three_visits_agrees_with_simulation(sd: float) -> None:
    mean, noise, size = -0.7, 0.3, 1_000_000
    rng = np.random.default_rng(int(100 * sd))
    least = rng.normal(mean, sd, size)
    least += noise * rng.normal(size=(VISITS, size)).min(axis=0)
    ends = np.log([0.21, 0.40, 0.54, 0.83])
    lower, upper = np.append(-np.inf, ends), np.append(ends, np.inf)
    between = Evidence(("x",) * 5, lower, upper, np.ones(5))
    share = np.diff(np.concatenate([[0.0], [(least <= end).mean() for end in ends], [1.0]]))
    got = np.exp(least_terms(between, mean, sd, noise, VISITS))
    assert got.sum() == pytest.approx(1.0, abs=1e-7)
    assert np.all(np.abs(got - share) < 4.5 * np.sqrt(share * (1 - share) / size))
    # the density at a point is that of a narrow interval around it
    h = 1e-3
    points = Evidence(("x",) * 4, ends, ends, np.ones(4))
    around = Evidence(("x",) * 4, ends - h, ends + h, np.ones(4))
    heights = np.exp(least_terms(points, mean, sd, noise, VISITS))
    thin = np.exp(least_terms(around, mean, sd, noise, VISITS)) / (2 * h)
    assert heights == pytest.approx(thin, rel=1e-4)


def test_the_least_of_one_visit_is_a_normal_with_both_variances() -> None:
    found = evidence().informative
    got = least_terms(found, -0.6, 0.4, 0.3, 1)
    spread = np.hypot(0.4, 0.3)
    normal = loglik(found, np.array(-0.6), np.array(spread))
    assert got * 1.0 == pytest.approx(normal, abs=1e-8)


@pytest.mark.parametrize("visits", [1, 2, 3, 8])
def test_nodes_integrate_the_least_of_some_standard_normals(visits: int) -> None:
    nodes = least_nodes(visits)
    assert nodes[1].sum() == pytest.approx(1)
    exact, _ = integrate.quad(
        lambda u: u * visits * stats.norm.pdf(u) * stats.norm.sf(u) ** (visits - 1), -9, 9
    )
    assert (nodes[0] * nodes[1]).sum() == pytest.approx(exact, abs=1e-7)
    assert (nodes[2] ** 2 * nodes[3]).sum() == pytest.approx(1.0, abs=1e-7)


def test_reading_the_best_of_three_as_one_measurement_overstates_the_change() -> None:
    aware, naive = (
        summed(CARD, best(), visits).answers(of_patients=False)["gmr"].value
        for visits in (VISITS, 1)
    )
    # The least of three noises of SD 0.23 lies 0.85 x 0.23 below their mean.
    assert np.log(aware) - np.log(naive) == pytest.approx(0.20, abs=0.04)


def test_mean_is_integrated_exactly_where_everything_is_normal() -> None:
    # Known values and an SD that its prior holds at 0.5: the mean's posterior has a closed form.
    values = np.array([-1.0, -0.4, 0.1])
    found = Evidence(("a", "b", "c"), values, values, np.ones(3))
    held = {"distribution": "LogNormal", "arguments": {"mu": np.log(0.5), "sigma": 1e-4}}
    spec = CARD.prior["sd_log_ratio"].model_copy(update=held)
    posterior = summed(
        CARD.model_copy(update={"prior": CARD.prior | {"sd_log_ratio": spec}}), found, fine=True
    )
    precision = 3 / 0.25 + 1
    centre, spread = values.sum() / 0.25 / precision, precision**-0.5
    got = posterior.answers()
    bound = an.TYPICAL["p_fall_30"]
    assert got["p_fall_30"].value == pytest.approx(ndtr((bound - centre) / spread), abs=2e-4)
    assert np.log(got["gmr"].upper) == pytest.approx(centre + 1.95996 * spread, abs=1e-3)
    both = np.hypot(spread, 0.5)
    assert got["next_any_fall"].value == pytest.approx(ndtr(-centre / both), abs=2e-4)
    assert posterior.mass.sum() == pytest.approx(1)
    step = posterior.mean[1] - posterior.mean[0]
    assert posterior.density.sum() * step == pytest.approx(1)


def test_prior_answers_have_closed_forms() -> None:
    got = an.prior_answers(CARD)
    assert got["gmr"].value == pytest.approx(1)
    assert got["gmr"].upper == pytest.approx(np.exp(1.959964))
    assert got["p_fall"].value == pytest.approx(0.5)
    assert got["p_fall_50"].value == pytest.approx(ndtr(np.log(0.5)))
    assert got["next_any_fall"].value == pytest.approx(0.5, abs=1e-3)
    exact, _ = integrate.quad(
        lambda s: ndtr(np.log(0.5) / np.hypot(1, s)) * stats.halfnorm.pdf(s), 0, 9
    )
    assert got["next_fall_50"].value == pytest.approx(exact, abs=1e-3)


def test_shares_are_dirichlet_by_hand() -> None:
    third = CARD.shares.complete
    found = shares(COUNTS, CARD.shares, "missing")
    assert found["complete"].mean == pytest.approx((third + 1) / 9, abs=1e-4)
    assert found["remission"].mean == pytest.approx((2 * third + 4) / 9, abs=1e-4)
    assert found["effective"].mean == pytest.approx(6 / 9, abs=1e-4)
    # effective: Beta(1 + 5, 1 + 2); its distribution function is a binomial tail
    above = stats.binom.cdf(5, 8, 0.5)
    assert found["effective"].above(0.5) == pytest.approx(above, abs=1e-4)
    assert found["none"].mean == pytest.approx(1 - found["effective"].mean)
    alone = shares(COUNTS, CARD.shares, None)
    assert alone["effective"].quantile(0.5) == pytest.approx(0.5, abs=1e-4)


def test_the_withdrawn_as_failure_and_success_bracket_the_missing() -> None:
    found = {each: shares(COUNTS, CARD.shares, each) for each in ("failure", "missing", "success")}
    assert found["failure"]["effective"].mean == pytest.approx(6 / 10, abs=1e-4)
    assert found["success"]["effective"].mean == pytest.approx(7 / 10, abs=1e-4)
    assert found["success"]["complete"].mean == pytest.approx(
        (CARD.shares.complete + 2) / 10, abs=1e-4
    )
    for category in ("complete", "remission", "effective"):
        low, middle, high = (found[each][category].mean for each in found)
        assert low < middle < high
    none = [found[each]["none"].mean for each in found]
    assert none[0] > none[1] > none[2]


WRONG = {
    "mean_log_ration.sigma=1": "did you mean mean_log_ratio?",
    "sd_log_ratio.sigma=-1": "a number above 0",
    "category_shares.partail=1": "did you mean partial?",
    "category_shares.none=0": "a weight above 0",
}


def test_priors_are_overridden_by_sets_and_single_values_and_checked() -> None:
    card = override_published(
        CARD, [load_prior_set("sceptical")], [parse_setting("mean_log_ratio.sigma=0.4")]
    )
    assert card.prior["mean_log_ratio"].arguments == {"mu": 0.0, "sigma": 0.4}
    assert card.shares.none == 3.4
    assert card.priors_sha256 != CARD.priors_sha256
    believed = override_published(
        CARD, [], [parse_setting("mean_log_ratio=90% between 0.3 and 1.1 on gmr")]
    )
    assert believed.prior["mean_log_ratio"].belief
    with pytest.raises(InputError) as error:
        override_published(CARD, [], [parse_setting(setting) for setting in WRONG])
    assert all(words in str(error.value) for words in WRONG.values())


@pytest.mark.parametrize("name", ["weak", "sceptical", "enthusiastic"])
def test_sets_say_what_the_weights_are_worth(name: str) -> None:
    card = override_published(CARD, [load_prior_set(name)])
    weights = np.array(card.shares.weights)
    response = weights[:3].sum() / weights.sum()
    assert weights.sum() == pytest.approx({"weak": 2}.get(name, 4), abs=1e-3)
    expected = {"weak": 0.5, "sceptical": 0.15, "enthusiastic": 0.75}[name]
    assert response == pytest.approx(expected, abs=1e-3)
