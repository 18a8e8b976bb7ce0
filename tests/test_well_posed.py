"""What a model could only answer out of its priors is refused before anything is sampled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from cohorts import small_cohort_frames, write_cohort
from conftest import simulate_cohort
from test_identity import structured
from typer.testing import CliRunner

from mnbayes.base.problems import InputError
from mnbayes.cards.card import available_cards, load_card
from mnbayes.cards.overrides import with_priors
from mnbayes.cli import app
from mnbayes.data.cohort import Cohort
from mnbayes.data.embedded import embedded_cohort
from mnbayes.inference import fit as fitting
from mnbayes.inference.fit import fit
from mnbayes.models.well_posed import well_posed

PROTEINURIA = load_card("proteinuria")


@pytest.fixture(autouse=True)
def no_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("sampled")

    monkeypatch.setattr(fitting, "sample", refuse)


def without_baseline(marker: str) -> Cohort:
    cohort = simulate_cohort(4, markers=("urine_protein_24h", "albumin"))
    rows = cohort.measurements
    gone = (rows["marker"] == marker) & (rows["week"] == 0)
    return replace(cohort, measurements=rows[~gone])


def test_a_marker_that_nobody_has_at_baseline() -> None:
    cohort = without_baseline("albumin")
    with pytest.raises(InputError) as error:
        fit(load_card("remission"), cohort)
    (problem,) = error.value.problems
    assert (problem.file, problem.column) == ("measurements.csv", "week")
    assert "albumin" in problem.found
    assert well_posed(PROTEINURIA, cohort).markers == ("urine_protein_24h",)


def test_values_that_never_vary_within_a_patient() -> None:
    cohort = simulate_cohort(4)
    first = cohort.measurements.groupby("patient")["value"].transform("first")
    constant = cohort.measurements.assign(value=first)
    with pytest.raises(InputError) as error:
        fit(PROTEINURIA, replace(cohort, measurements=constant))
    (problem,) = error.value.problems
    assert problem.column == "value"
    assert "the same at every visit" in problem.found
    # one patient who varies is enough, and so is a value below a limit
    once = constant.copy()
    once.loc[once.index[-1], "value"] *= 1.1
    well_posed(PROTEINURIA, replace(cohort, measurements=once))
    hidden = constant.copy()
    hidden.loc[hidden.index[-1], ["value", "lower", "upper"]] = [np.nan, 0.0, 0.3]
    well_posed(PROTEINURIA, replace(cohort, measurements=hidden))


@pytest.mark.parametrize(
    "setting",
    [
        "change_mean.sigma=300",
        "baseline_mean.mu=800",
        "residual_sd.sigma=100",
    ],
)
def test_priors_that_overflow(setting: str) -> None:
    card = with_priors(PROTEINURIA, settings=[setting])
    with pytest.raises(InputError) as error:
        fit(card, simulate_cohort(4))
    (problem,) = error.value.problems
    assert setting.split(".")[0] in str(problem.column)
    assert "overflow" in problem.expected


def test_degrees_of_freedom_near_0() -> None:
    heavy = structured(PROTEINURIA, residual="student_t")
    well_posed(heavy, simulate_cohort(4))
    with pytest.raises(InputError) as error:
        fit(with_priors(heavy, settings=["residual_df.beta=10"]), simulate_cohort(4))
    (problem,) = error.value.problems
    assert "residual_df" in str(problem.column)
    # Gamma(2, 10): nearly all of it lies below 1
    assert "100%" in problem.expected


@pytest.mark.parametrize("name", available_cards())
def test_cards_and_the_prior_sets_that_come_with_them_are_well_posed(name: str) -> None:
    for prior_set in ("weak", "sceptical", "enthusiastic", "historical"):
        well_posed(with_priors(load_card(name), prior_set), embedded_cohort())


def test_check_and_fit_say_the_same_once_and_write_nothing(tmp_path) -> None:
    patients, measurements = small_cohort_frames()
    protein = measurements[measurements["marker"] == "urine_protein_24h"]
    value = protein.groupby("patient")["value"].transform("first")
    folder = write_cohort(tmp_path / "mine", patients, protein.assign(value=value))
    out = tmp_path / "out"
    for arguments in (["check", str(folder)], ["fit", "--data", str(folder), "--out", str(out)]):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2
        assert done.stderr.count("the same at every visit") == 1
    assert not out.exists()
