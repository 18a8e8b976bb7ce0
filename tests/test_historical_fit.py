"""The whole result: rates, refits, withholding, and the readings of doubtful rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from historical_tables import as_card, as_table, table_of
from scipy.special import expit
from scipy.stats import binom

from mnbayes.analyses.historical.card import load_historical_card
from mnbayes.analyses.historical.design import design
from mnbayes.analyses.historical.fit import HistoricalResult, fit_historical
from mnbayes.analyses.historical.readings import readings
from mnbayes.analyses.historical.reweighting import Source, reweighted, study_likelihoods
from mnbayes.analyses.historical.sampled import sample_historical
from mnbayes.analyses.historical.table import load_historical
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.inference.sampling import Sampling

CARD = load_historical_card()
TABLE = load_historical(classes=CARD.classes)


@pytest.fixture(scope="module")
def result() -> HistoricalResult:
    """Of the embedded table, without refits."""
    return fit_historical(TABLE, CARD, Sampling(seed=3), refits=False)


@pytest.fixture(scope="module")
def few() -> HistoricalResult:
    """Of four studies, with refits."""
    kept = TABLE.rows["study"].isin(["Cattran 2001", "Polanco 2010", "RI-CYCLO", "Gao 2021"])
    some = TABLE.with_rows(TABLE.rows[kept])
    return fit_historical(some, CARD, Sampling(seed=3), chosen=readings()[:1])


def test_the_embedded_fit_passes_the_gate(result: HistoricalResult) -> None:
    assert result.converged
    assert not result.withheld
    assert result.gate.divergences == 0
    columns = ["model", "parameter", "mean", "sd", "mcse_mean", "rhat", "ess_bulk", "ess_tail"]
    assert list(result.diagnostics.columns) == columns
    assert set(result.diagnostics["model"]) == {"historical"}


def test_rates_say_where_nothing_was_assessed(result: HistoricalResult) -> None:
    rates = result.rates.set_index(["treatment_class", "refractory", "month"])
    first = result.rates.iloc[0]
    assert (first["treatment_class"], first["refractory"], first["month"]) == ("control", "yes", 6)
    assert rates.loc[("control", "yes", 6), "beyond"] == ""
    assert rates.loc[("control", "yes", 6), "arms"] == 1
    week_12 = rates.xs(2.76, level="month")
    assert week_12.index.tolist() == [("control", "yes")]
    assert week_12["beyond"].tolist() == ["before the earliest study (month 6)"]
    assert "no arm of refractory" in rates.loc[("alkylating", "yes", 12), "beyond"]
    # A new study is less certain than a class's typical one, and the prior less than either.
    width = rates["upper"] - rates["lower"]
    assert not rates.index.duplicated().any()
    assert (width > rates["typical_upper"] - rates["typical_lower"]).all()
    assert (width < rates["upper_prior"] - rates["lower_prior"]).all()
    assert rates["mcse"].max() < 0.01


def test_the_prior_alone_is_what_its_formula_says(result: HistoricalResult) -> None:
    """At the benchmark: logit-normal with SD sqrt(1.5^2 + tau^2), tau half-normal."""
    rng = np.random.default_rng(1)
    tau = np.abs(rng.normal(size=200_000))
    rate = 1 / (1 + np.exp(-rng.normal(size=200_000) * np.sqrt(1.5**2 + tau**2)))
    row = result.rates.iloc[0]
    assert row["mean_prior"] == pytest.approx(0.5, abs=0.012)
    assert row["lower_prior"] == pytest.approx(np.quantile(rate, 0.025), abs=0.006)
    assert row["upper_prior"] == pytest.approx(np.quantile(rate, 0.975), abs=0.006)


def test_arms_are_shrunk_towards_their_class(result: HistoricalResult) -> None:
    arms = result.arms
    exact = arms[arms["low"] == arms["high"]]
    typical = exact.groupby("treatment_class")["median"].transform("median")
    far = (exact["low"] / exact["n"] - typical).abs()
    near = (exact["median"] - typical).abs()
    assert near[far > 0.1].lt(far[far > 0.1]).all()
    assert (arms["lower"] >= 0).all()
    waldman = arms[arms["study"] == "Waldman 2016"].iloc[0]
    assert (waldman["low"], waldman["high"]) == (11, 13)


def test_mixture_describes_the_predictive(result: HistoricalResult) -> None:
    assert result.mixture is not None
    assert result.robust is not None
    draws = result.tree["posterior"]["new_study_rate"].sel(treatment_class="control").to_numpy()
    assert result.mixture.mean == pytest.approx(draws.mean(), abs=0.003)
    assert result.mixture.sd == pytest.approx(draws.std(), rel=0.04)
    assert result.robust.weight[-1] == pytest.approx(0.2)
    assert 5 < result.ess < 25
    assert result.robust_ess < result.ess


def test_conflict_is_shown_for_both_denominators(result: HistoricalResult) -> None:
    table = result.conflict
    assert table[["remission", "n"]].to_numpy().tolist() == [[4, 7], [4, 8]]
    # More remissions than expected, and fewer of 8 than of 7 are out of the ordinary.
    assert (table["remission"] > table["expected"]).all()
    assert table["p_at_least"].is_monotonic_increasing
    assert (table["vague_weight_after"] > table["vague_weight"]).all()
    between = table["mean_after"].between(result.mixture.mean, table["mean_without_history"])
    assert between.all()


def test_every_study_is_left_out_once(few: HistoricalResult) -> None:
    table = few.left_out
    names = ["study", "arm"]
    assert table[names].to_numpy().tolist() == few.table.rows[names].to_numpy().tolist()
    assert (table["reason"] == "").all()
    assert (table["p_as_few"] + table["p_as_many"] >= 1).all()
    # Without the only study of refractory patients under conventional care history says less.
    width = table["upper"] - table["lower"]
    own = table["study"] == "Cattran 2001"
    assert width[own].iloc[0] > few.rates["upper"].iloc[0] - few.rates["lower"].iloc[0]


def test_left_out_prediction_is_that_of_a_fit_without_the_study() -> None:
    """Leaving one of two identical studies out predicts it from the other."""
    card = as_card()
    rows = [{"study": name, "remission": 8, "n": 40} for name in ("A", "B")]
    found = fit_historical(table_of(rows), card, Sampling(draws=2000, seed=1), chosen=())
    alone = fit_historical(table_of(rows[:1]), card, Sampling(draws=2000, seed=2), refits=False)
    for _, row in found.left_out.iterrows():
        error = np.hypot(row["mcse"], float(alone.benchmark["mcse"]))
        assert abs(row["mean"] - float(alone.benchmark["mean"])) < 4 * error
        assert row["predicted"] == pytest.approx(float(alone.benchmark["median"]), abs=0.02)


def test_study_likelihoods_are_those_of_fine_sums() -> None:
    """Each study's effects integrated out, against plain sums over wide grids."""
    fit = sample_historical(TABLE, CARD, Sampling(draws=100, tune=200), np.random.SeedSequence(4))
    source = Source.of(TABLE, CARD, fit, Sampling())
    data = fit.design
    found = np.array(study_likelihoods(source, data))
    z = np.linspace(-7, 7, 141)
    weight = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    exact = []
    for draw in (0, 57, 311):
        tau, rho = (float(fit.draws[n][draw]) for n in ("between_study_sd", "arm_correlation"))
        names = ("refractory", "doubling_of_time")
        beta = [*fit.draws["class_log_odds"][draw], *(fit.draws[n][draw] for n in names)]
        rows = []
        for study in range(len(data.studies)):
            arms = np.flatnonzero(data.study == study)
            a, b = (tau * rho**0.5, tau * (1 - rho) ** 0.5) if len(arms) > 1 else (tau, 0.0)
            of_effect = np.zeros(len(z))
            for arm in arms:
                rate = expit(data.x[arm] @ beta + a * z[:, None] + b * z)
                ends = (data.low[arm] - 1, data.high[arm])
                below, upto = (binom.cdf(end, data.n[arm], rate) for end in ends)
                with np.errstate(divide="ignore"):  # far out the count is impossible
                    of_effect += np.log((upto - below) ** data.weight[arm] @ weight)
            rows.append(np.log(np.exp(of_effect) @ weight))
        exact.append(rows)
    # Constants of the counts do not change with the draw.
    steps = found[:, [57, 311]] - found[:, [0]]
    expected = (np.array(exact)[1:] - np.array(exact)[0]).T
    assert np.abs(steps - expected).max() < 0.01


def test_weighted_draws_agree_with_refits() -> None:
    fit = sample_historical(TABLE, CARD, Sampling(), np.random.SeedSequence(5))
    source = Source.of(TABLE, CARD, fit, Sampling())
    by_name = {reading.name: reading for reading in readings()}
    for name in ("twice the spread between studies", "derived counts off by one"):
        other, changed = by_name[name].change(TABLE, CARD)
        weighted = reweighted(source, other, changed)
        assert weighted is not None
        assert weighted.pareto_k < 0.5
        assert weighted.weights is not None
        again = sample_historical(other, changed, Sampling(), np.random.SeedSequence(6))
        for name in ("between_study_sd", "doubling_of_time"):
            mean = weighted.weights @ weighted.draws[name]
            spread = again.draws[name].std()
            assert abs(mean - again.draws[name].mean()) < 0.1 * spread
    # The benchmark's class alone is too far away.
    assert reweighted(source, *readings()[0].change(TABLE, CARD)) is None


def test_readings_change_what_they_say() -> None:
    own = design(TABLE, CARD)
    found = {}
    for reading in readings():
        other, changed = reading.change(TABLE, CARD)
        found[reading.name] = (other.rows, design(other, changed), changed)
    rows, data, _ = found["the benchmark's class alone"]
    assert set(rows["study"]) == {"Cattran 2001", "Polanco 2010"}
    rows, data, _ = found["assessed at the benchmark's month only"]
    assert (rows["month"] == 6).all()
    assert len(rows) == 8
    _, data, _ = found["months ignored"]
    assert (data.x[:, -1] == 0).all()
    rows, _, _ = found["average months left out"]
    assert "Polanco 2010" not in set(rows["study"])
    _, data, _ = found["average months as assessed"]
    assert (data.high - data.low).sum() == 2  # Waldman's count alone
    _, data, _ = found["derived counts off by one"]
    derived = (TABLE.rows["read_as"] == "derived") & (TABLE.rows["month_is"] == "assessed")
    assert (data.high - data.low)[derived].tolist() == [2, 2, 2]
    rows, _, _ = found["derived counts left out"]
    assert (rows["read_as"] == "published").all()
    _, data, _ = found["overlapping rows in full"]
    assert (data.weight == 1).all()
    assert (own.weight == 0.5).sum() == 4
    rows, data, _ = found["one of each overlap"]
    assert set(TABLE.rows["arm"]) - set(rows["arm"]) == {"rituximab 375 mg/m2 x2"}
    assert "Wang 2018" not in set(rows["study"])
    assert (data.weight == 1).all()
    for name, sigma in (("half", 0.5), ("twice", 2.0)):
        _, _, changed = found[f"{name} the spread between studies"]
        assert changed.prior["between_study_sd"].arguments == {"sigma": sigma}


def test_the_benchmarks_class_alone_says_less(few: HistoricalResult) -> None:
    row = few.readings.set_index("reading").loc["the benchmark's class alone"]
    assert row["arms"] == 2
    own = few.rates.iloc[0]
    assert row["upper"] - row["lower"] > own["upper"] - own["lower"]


def test_a_fit_that_fails_yields_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from mnbayes.analyses.historical import sampled

    bad = Diagnostics(3, 1.2, 100, 100, 0.1, ("3 divergent transitions",))
    monkeypatch.setattr(sampled, "diagnose", lambda table, stats: bad)
    found = fit_historical(as_table(), as_card(), Sampling(draws=250, tune=250))
    assert not found.converged
    assert found.withheld == ("3 divergent transitions",)
    for name in ("rates", "arms", "conflict", "left_out", "readings"):
        table = getattr(found, name)
        assert isinstance(table, pd.DataFrame)
        assert table.empty
    assert found.mixture is None
    assert np.isnan(found.ess)
    with pytest.raises(ValueError, match="withheld"):
        _ = found.benchmark
    shown = fit_historical(
        as_table(), as_card(), Sampling(draws=250, tune=250), refits=False, allow_unconverged=True
    )
    assert not shown.converged
    assert len(shown.rates)


def test_equal_seeds_give_equal_numbers() -> None:
    how = Sampling(draws=300, tune=300, seed=9)
    first, again = (fit_historical(as_table(), as_card(), how, refits=False) for _ in range(2))
    pd.testing.assert_frame_equal(first.rates, again.rates)
    other = fit_historical(as_table(), as_card(), replace(how, seed=10), refits=False)
    assert other.rates["mean"].iloc[0] != first.rates["mean"].iloc[0]
