"""Calibration: the right sampler passes, wrong ones are caught, nothing is dropped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from test_longitudinal import structured

from mnbayes.analyses.calibration import command
from mnbayes.analyses.calibration.posterior import posterior_case
from mnbayes.analyses.calibration.quantities import loglik, test_quantities
from mnbayes.analyses.calibration.replicates import OWN, calibration_study, quantities, replicate
from mnbayes.analyses.calibration.result import (
    COLUMNS,
    Calibration,
    as_plain,
    calibration_of,
    from_plain,
)
from mnbayes.analyses.calibration.sampler import NutsFit, nuts_fit, thorough_fit
from mnbayes.analyses.calibration.section import what_was_done
from mnbayes.analyses.calibration.simulate import Setting, arranged, prior_case
from mnbayes.analyses.calibration.wrong import scaled_prior, with_scaled_prior, with_shared_effects
from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.overrides import apply_changes, parse_setting
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.observations import Observations, observations
from mnbayes.inference.study_fits import StudyFit, study_fit
from mnbayes.studies.run import run_study

# A helper by that name is no test.
test_quantities.__test__ = False  # type: ignore[attr-defined]


_BY_PATIENT = ("patients", "log_value", "log_lower", "log_upper", "covariate", "withdrew_week")


def setting_of(model: str = "proteinuria", patients: int | None = None, **changes: Any) -> Setting:
    card = load_card(model)
    observed = observations(card, embedded_cohort())
    cut = {name: getattr(observed, name)[:patients] for name in _BY_PATIENT}
    return Setting(card, replace(observed, **cut), load_definitions(), **changes)


def calibrated(setting: Setting, replicates: int, folder: Path, seed: int = 7) -> Calibration:
    table = run_study(calibration_study(setting, replicates, seed), folder, workers=0)
    assert len(table) == replicates
    return calibration_of(setting, table)


# Wrong samplers. Three patients say less against a wrong prior than eight, and take less time, as
# do fits with fewer draws; those see the noise of the weights, so the last one has them all.


def test_the_right_sampler_passes(tmp_path: Path) -> None:
    found = calibrated(setting_of(patients=3, fit=study_fit), 200, tmp_path)
    assert found.passed, found.reasons
    assert found.replicates == 200
    assert found.failed <= 2
    assert set(found.groups.values()) == {"parameter", "derived", "data"}


def test_a_prior_scaled_by_one_and_a_half_is_caught(tmp_path: Path) -> None:
    setting = with_scaled_prior(setting_of(patients=3, fit=study_fit), "change_sd")
    found = calibrated(setting, 200, tmp_path)
    assert not found.passed
    assert any(reason == "change_sd: the draws lie too high" for reason in found.reasons)


def test_shared_patient_effects_are_caught(tmp_path: Path) -> None:
    found = calibrated(with_shared_effects(setting_of(patients=3)), 100, tmp_path)
    assert {found.groups[name] for name in found.outside} >= {"derived"}
    assert any("level of MN01 (not measured)" in name for name in found.outside)
    # The parameters are drawn rightly: without derived quantities nothing would be noticed.
    assert not any(found.groups[name] == "parameter" for name in found.outside)


def test_under_nuts_too_the_right_sampler_passes_and_a_wrong_one_is_caught(tmp_path: Path) -> None:
    right = setting_of(patients=3, engine="nuts")
    found = calibrated(right, 60, tmp_path / "right")
    assert found.passed, found.reasons
    assert (found.engine, found.structure) == ("nuts", "drift")
    wrong = calibrated(with_shared_effects(right), 60, tmp_path / "wrong")
    assert any("level of MN01 (not measured)" in name for name in wrong.outside)
    assert not any(wrong.groups[name] == "parameter" for name in wrong.outside)


def test_scaling_a_prior() -> None:
    card = load_card("remission")
    changed = scaled_prior(card, "change_sd", 1.5)
    for marker, spec in card.prior["change_sd"].items():
        scaled = changed.prior["change_sd"][marker].arguments["sigma"]
        assert scaled == pytest.approx(1.5 * spec.arguments["sigma"])
    assert changed.prior["visit_sd"] == card.prior["visit_sd"]
    with pytest.raises(ValueError, match="no scale"):
        scaled_prior(card, "correlation", 1.5)


# One replicate


def test_a_replicate_depends_on_its_stream_alone() -> None:
    setting = setting_of()
    first, again, other = (
        replicate(np.random.SeedSequence(1, spawn_key=(0, k)), {}, setting=setting)
        for k in (1, 1, 2)
    )
    assert first == again != other
    assert list(first) == [*OWN["collapsed"], *quantities(setting)]
    assert all(0 <= first[name] <= 99 for name in quantities(setting))


def test_thinned_draws_repeat_hardly_a_point() -> None:
    setting = setting_of(patients=4)
    distinct = [
        replicate(np.random.SeedSequence(k), {}, setting=setting)["distinct"] for k in range(20)
    ]
    assert np.mean(distinct) > 98


def test_nuts_keeps_draws_that_are_nearly_independent() -> None:
    setting = setting_of(engine="nuts")
    _, data = prior_case(setting, np.random.default_rng(1))
    fit = nuts_fit(setting.card, data, np.random.default_rng(2), 99)
    assert fit.trusted
    assert fit.effective >= 2 * 99
    kept = np.log(fit.draws["residual_sd"][:, 0])
    assert len(np.unique(kept)) == 99
    neighbours = [
        np.corrcoef(values[:-1], values[1:])[0, 1]
        for values in (kept, *np.log(fit.draws["change_sd"]).T, *fit.draws["level"][:, :, -1, 0].T)
    ]
    assert abs(np.mean(neighbours)) < 0.1
    again = nuts_fit(setting.card, data, np.random.default_rng(2), 99)
    np.testing.assert_array_equal(again.draws["level"], fit.draws["level"])


def test_a_chain_that_is_not_to_be_trusted_is_a_failed_replicate(tmp_path: Path) -> None:
    # Whatever the gate says is said; a run's second attempt is made before.
    def doubtful(card: Card, data: Observations, rng: np.random.Generator, draws: int) -> NutsFit:
        fit = nuts_fit(card, data, rng, draws)
        reasons = ("3 divergences",)
        return replace(fit, diagnostics=replace(fit.diagnostics, reasons=reasons))

    found = calibrated(setting_of(patients=3, engine="nuts", fit=doubtful), 2, tmp_path)
    assert dict(found.failures) == {"UntrustedFitError: draws not to be trusted: … divergences": 2}


def test_a_failed_fit_is_a_failed_replicate(tmp_path: Path) -> None:
    def sometimes(card: Card, data: Observations, rng: np.random.Generator, draws: int) -> StudyFit:
        fit = study_fit(card, data, rng, draws)
        return replace(fit, pareto_k=1.25) if rng.random() < 0.5 else fit

    found = calibrated(setting_of(patients=3, fit=sometimes), 30, tmp_path)
    assert 5 < found.failed < 25
    assert found.ranked + found.failed == found.replicates == 30
    (reason,) = found.failures
    assert reason.startswith("UntrustedFitError: weights not to be trusted: Pareto k …")
    assert not found.passed
    assert f"{found.failed} of 30 fits failed" in found.reasons


def test_simulated_data_have_the_cohort_s_pattern() -> None:
    setting = setting_of("remission")
    truth, data = prior_case(setting, np.random.default_rng(1))
    np.testing.assert_array_equal(data.observed, setting.observed.observed)
    assert not data.censored.any()
    assert truth["level"].shape == (1, 8, 5, 2)
    seen = data.observed
    noise = (data.log_value - truth["level"][0])[seen]
    assert 0 < np.abs(noise).max() < 5


def test_values_below_a_detection_limit_are_ranges() -> None:
    exact = setting_of(engine="nuts")
    truth, values = prior_case(exact, np.random.default_rng(1))
    limit = float(np.exp(np.nanquantile(values.log_value, 0.3)))
    setting = replace(exact, detection_limits={"urine_protein_24h": limit})
    same, data = prior_case(setting, np.random.default_rng(1))
    np.testing.assert_array_equal(same["level"], truth["level"])
    below = values.log_value < np.log(limit)
    assert 0.2 < below.sum() / values.observed.sum() < 0.4
    np.testing.assert_array_equal(data.censored, below)
    np.testing.assert_array_equal(data.observed, values.observed)
    assert np.isneginf(data.log_lower[below]).all()
    assert (data.log_upper[below] == np.log(limit)).all()
    np.testing.assert_array_equal(data.log_value[~below], values.log_value[~below])
    assert setting.structure == f"drift, values below {limit:g} g/24h censored"
    # The likelihood of the parameters has no closed form then: it is left out by name.
    missing = quantities(exact).keys() - quantities(setting).keys()
    assert missing == {"log-likelihood of the parameters"}


@pytest.mark.parametrize("changes", [{"residual": "student_t"}, {"trajectory": "step"}])
def test_nuts_is_calibrated_on_other_structures(changes: dict[str, str]) -> None:
    setting = setting_of(engine="nuts")
    setting = replace(setting, card=structured(setting.card, **changes))
    found = replicate(np.random.SeedSequence(3), {}, setting=setting)
    assert list(found) == [*OWN["nuts"], *quantities(setting)]
    assert ("residual_df" in found) == ("residual" in changes)
    assert ("serial_sd" in found) == ("residual" in changes)


def test_posterior_truths_come_with_new_patients() -> None:
    setting = setting_of(posterior=True)
    truth, data = posterior_case(setting, np.random.default_rng(1))
    assert len(data.patients) == len(set(data.patients)) == 16
    np.testing.assert_array_equal(data.log_value[:8], setting.observed.log_value)
    np.testing.assert_array_equal(data.observed[8:], setting.observed.observed)
    assert truth["level"].shape == (1, 16, 5, 1)
    # The observed patients' levels follow their data, the new ones' do not.
    near = np.abs(truth["level"][0] - data.log_value)[data.observed]
    assert np.median(near) < 0.3


def test_a_wrong_sampler_is_also_seen_given_the_cohort(tmp_path: Path) -> None:
    right = setting_of(patients=3, posterior=True)

    def shifted(card: Card, data: Observations, rng: np.random.Generator, draws: int) -> StudyFit:
        fit = thorough_fit(card, data, rng, draws)
        if draws == 1:
            return fit
        return replace(fit, draws={**fit.draws, "residual_sd": 1.5 * fit.draws["residual_sd"]})

    assert calibrated(right, 40, tmp_path / "right").passed
    found = calibrated(replace(right, fit=shifted), 40, tmp_path / "shifted")
    assert "residual_sd" in found.outside


# Quantities


def test_loglikelihood_is_that_of_multivariate_normals() -> None:
    setting = setting_of("remission")
    times = setting.observed.times
    times[1, 1:] += 0.4  # one patient comes later than planned
    setting = replace(setting, observed=replace(setting.observed, own_times=times))
    truth, data = prior_case(setting, np.random.default_rng(4))
    parameters = arranged(setting.card, truth)
    factor = parameters.effect_cholesky[0]
    total = 0.0
    for patient in range(8):
        visit, marker = np.nonzero(data.observed[patient])
        design = np.zeros((visit.size, 4))
        design[np.arange(visit.size), marker] = 1.0
        design[np.arange(visit.size), 2 + marker] = visit > 0
        mean = parameters.baseline_mean[0, marker].copy()
        mean[visit > 0] += parameters.visit_change[0][visit - 1, marker][visit > 0]
        noise = np.diag(parameters.residual_sd[0, marker] ** 2)
        weeks = times[patient, visit]
        decay = np.exp(-np.abs(weeks[:, None] - weeks) / parameters.serial_weeks[0])
        drift = (marker[:, None] == marker) * parameters.serial_sd[0, marker] ** 2 * decay
        covariance = design @ factor @ factor.T @ design.T + drift + noise
        total += stats.multivariate_normal(mean, covariance).logpdf(
            data.log_value[patient, visit, marker]
        )
    assert loglik(parameters, data)[0] == pytest.approx(total, rel=1e-9)


def test_share_of_effective_patients_is_a_normal_probability() -> None:
    setting = setting_of()
    truth, data = prior_case(setting, np.random.default_rng(8))
    found = test_quantities(setting, truth, data, np.random.default_rng(1))["derived"]
    limit = np.log(
        1 - setting.definitions.threshold("effective", "urine_protein_24h", "fall_at_least")
    )
    decay = np.exp(-12.0 / truth["serial_weeks"][0])
    drift = 2 * truth["serial_sd"][0, 0] ** 2 * (1 - decay)  # of the difference to baseline
    sd = np.sqrt(truth["change_sd"][0, 0] ** 2 + drift)
    expected = stats.norm.cdf((limit - truth["visit_change"][0, -1, 0]) / sd)
    assert found["share effective at week 12"][0] == pytest.approx(expected, abs=0.02)
    ratio = np.exp(truth["visit_change"][:, -1, 0])
    np.testing.assert_allclose(found["GMR at week 12"], ratio)


def test_quantities_of_a_card_with_albumin_include_complete_remission() -> None:
    setting = setting_of("remission")
    named = quantities(setting)
    assert named["complete: MN02 (measured) at week 12"] == "derived"
    assert named["complete: MN01 (not measured) at week 12"] == "derived"
    assert named["complete: the next patient at week 12"] == "derived"
    assert named["share complete at week 12"] == "derived"
    assert named["correlation, partial 6"] == "parameter"
    truth, _ = prior_case(setting, np.random.default_rng(2))
    population = arranged(setting.card, truth).at_visit(-1).of_markers([1])
    assert population.effect_cholesky.shape == (1, 2, 2)


def test_lymphocytes_are_ranked_without_protein() -> None:
    named = quantities(setting_of("lymphocytes"))
    assert "ratio of the next patient at week 12, cd4" in named
    assert not any("effective" in name for name in named)


# Results


def even(draws: int = 9, failures: dict[str, int] | None = None) -> Calibration:
    count = {"a": np.full(draws + 1, 20), "b": np.full(draws + 1, 20)}
    return Calibration(
        "m", False, draws, 0.95, count, {"a": "parameter", "b": "data"}, failures or {}
    )


def test_levels_are_shared_out_over_quantities() -> None:
    found = even()
    assert found.each_level == pytest.approx(0.975)
    assert found.passed
    assert tuple(found.table().columns) == COLUMNS
    assert found.table()["reading"].tolist() == ["", ""]


def test_few_failures_pass_and_many_do_not() -> None:
    assert even(failures={"x": 2}).passed
    assert not even(failures={"x": 9}).passed
    everything = Calibration("m", False, 9, 0.95, {"a": np.zeros(10, int)}, {"a": "data"}, {"x": 3})
    assert not everything.passed
    assert everything.table().empty


def test_a_calibration_is_stored_and_read() -> None:
    found = even(failures={"x": 2})
    again = from_plain(json.loads(json.dumps(as_plain(found))))
    pd.testing.assert_frame_equal(again.table(), found.table())
    assert (again.failures, again.level, again.passed) == (found.failures, 0.95, True)


# The command


def test_the_command_writes_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = command.run_calibrate(replicates=20, workers=0, out=folder, seed=3)
    stored = json.loads((folder / "calibration.json").read_text())
    assert stored["replicates"] == first.calibration.replicates == 20
    assert stored["prior_set"] == "weak"
    assert stored["synthetic"]
    assert (folder / "calibration.svg").read_bytes().startswith(b"<?xml")
    longer = command.run_calibrate(replicates=22, workers=0, out=folder, seed=3)
    table = pd.read_csv(folder / "replicates.csv")
    assert len(table) == longer.calibration.replicates == 22
    fresh = command.run_calibrate(replicates=22, workers=0, out=tmp_path / "other", seed=3)
    pd.testing.assert_frame_equal(pd.read_csv(fresh.folder / "replicates.csv"), table)
    with pytest.raises(InputError, match="seed"):
        command.run_calibrate(replicates=25, workers=0, out=folder, seed=4)
    with pytest.raises(InputError, match="depends cards"):
        command.run_calibrate(
            replicates=25, workers=0, out=folder, seed=3, settings=["visit_sd.sigma=0.1"]
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"replicates": 3, "seed": -1}, ["--replicates", "--seed"]),
        ({"model": "nothing", "replicates": 0}, ["nothing", "--replicates"]),
        ({"scheduler": "tcp://127.0.0.1:1", "workers": 2}, ["--workers"]),
    ],
)
def test_bad_input_is_said_at_once(
    options: dict[str, Any], said: Sequence[str], tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        command.run_calibrate(out=tmp_path / "out", **options)
    assert all(word in str(caught.value) for word in said)
    assert not (tmp_path / "out").exists()


def test_models_that_the_collapsed_engine_lacks_are_refused() -> None:
    setting = setting_of()
    heavy = replace(setting, card=structured(setting.card, residual="student_t"))
    with pytest.raises(InputError) as caught:
        command._check_model(heavy)
    assert "structure.residual" in str(caught.value)
    assert not heavy.gaussian
    hidden = setting.observed.log_lower.copy()
    hidden[0, 1, 0] = -np.inf
    censored = replace(setting.observed, log_lower=hidden, log_upper=np.zeros_like(hidden))
    command._check_model(replace(setting, observed=censored))
    given = replace(setting, observed=censored, posterior=True)
    assert not given.gaussian
    with pytest.raises(InputError, match="1 ranges"):
        command._check_model(given)


def test_the_command_calibrates_nuts(tmp_path: Path) -> None:
    found = command.run_calibrate(replicates=20, engine="nuts", workers=0, out=tmp_path, seed=3)
    assert found.calibration.engine == "nuts"
    table = pd.read_csv(tmp_path / "replicates.csv")
    assert set(table["length"]) <= {1000, 4000}
    assert "NUTS" in what_was_done(found.calibration)
    with pytest.raises(InputError, match="over its prior, engine nuts"):
        command.run_calibrate(replicates=20, workers=0, out=tmp_path, seed=3)


def test_another_prior_is_another_study() -> None:
    setting = setting_of()
    (other,) = apply_changes([setting.card], [parse_setting("visit_sd.sigma=0.3")], strict=True)
    prints = {
        calibration_study(each, 20, 1).fingerprint
        for each in (
            setting,
            replace(setting, card=other),
            replace(setting, fitted=other),
            replace(setting, posterior=True),
            with_shared_effects(setting),
            replace(setting, engine="nuts"),
            with_shared_effects(replace(setting, engine="nuts")),
            replace(setting, card=structured(setting.card, trajectory="step")),
            replace(setting, detection_limits={"urine_protein_24h": 1.0}),
        )
    }
    assert len(prints) == 9
