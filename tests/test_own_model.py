"""Models of one's own: three examples through the command, draws of somebody else, bad files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import runs
import xarray as xr
from conftest import simulate_cohort
from typer.testing import CliRunner

import mnbayes as mn
from mnbayes.analyses.catalogue import catalogue
from mnbayes.base.labelled import array, stacked
from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.cards.own_model import OwnModel, load_own_model
from mnbayes.cli import app
from mnbayes.inference.contract import CELLS, level
from mnbayes.inference.own_fit import checked_model, prior_draws
from mnbayes.report.page import render_pages

EXAMPLES = Path(__file__).parents[1] / "examples" / "own_models"
NAMES = ("slope_in_time", "bambi_nearest", "two_classes")
PROTEIN = "urine_protein_24h"
FEW = tuple(each for each in catalogue() if each.name in ("results", "previous", "decision"))
CARDS_ONLY = ("priors", "calibration", "influence", "prior_sets", "sensitivity", "structures")


# The examples, as a user runs them


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> mn.OpenedRun:
    folder = tmp_path_factory.mktemp("own") / "run"
    asked = [part for name in NAMES for part in ("--model", str(EXAMPLES / f"{name}.py"))]
    few = ["--draws", "200", "--tune", "200", "--chains", "2", "--allow-unconverged"]
    found = CliRunner().invoke(app, ["fit", *asked, *few, "--out", str(folder)])
    assert found.exit_code in (0, 1), found.output
    return mn.open_run(folder)


def test_each_example_keeps_the_contract(finished: mn.OpenedRun, cohort: mn.Cohort) -> None:
    rows = cohort.measurements.query("marker == @PROTEIN")
    for name in NAMES:
        with finished.posterior(name) as tree:
            assert level(tree, "posterior").sizes == {
                **{"chain": 2, "draw": 200, "patient": 8, "visit": 5, "marker": 1},
            }
            assert level(tree, "prior").shape == level(tree, "posterior").shape
            observed = tree["observed_data"]["measurement"]
            np.testing.assert_allclose(observed, np.log(rows["value"]), atol=1e-12)
            assert observed["patient"].to_numpy().tolist() == rows["patient"].tolist()
            for group in ("posterior_predictive", "prior_predictive"):
                assert tree[group]["measurement"].dims == ("chain", "draw", "observation")
            assert not any("patient" in v.dims for v in tree["posterior"].data_vars.values())
            assert tree.attrs["engine"] == "pymc"
            assert tree.attrs["synthetic"] == 1
            assert "SYNTHETIC" in tree.attrs["title"]
            assert tree.attrs["model"] == name
            assert tree.attrs["cohort_sha256"] == cohort.sha256


def test_the_gate_s_verdict_is_recorded(finished: mn.OpenedRun) -> None:
    for name in NAMES:
        recorded = finished.manifest["models"][name]
        checks = recorded["diagnostics"]
        assert recorded["engine"] == "pymc"
        assert recorded["retried"]  # 400 draws cannot have 400 effective ones of everything
        assert not checks["converged"]
        assert any("effective sample size" in why for why in checks["reasons"])
        assert checks["worst_rhat"] < 1.1
        with finished.posterior(name) as tree:
            assert tree.attrs["converged"] == 0
            assert tree.attrs["not_converged_because"] == "; ".join(checks["reasons"])
    assert not finished.converged


def test_answers_are_those_of_the_draws(finished: mn.OpenedRun) -> None:
    table = finished.tables["probabilities"].query("week == 12 and category == 'effective'")
    for name in NAMES:
        own = table[table["model"] == name].set_index("quantity")["probability"]
        with finished.posterior(name) as tree:
            draws = level(tree, "posterior").sel(marker=PROTEIN)
            change = array(draws.sel(visit=12.0) - draws.sel(visit=0.0), "patient")
            np.testing.assert_allclose(own["latent"], (change <= np.log(0.85)).mean(axis=(0, 1)))
            with_next = "new_measurement" in tree["predictions"].data_vars
            whole = name == "bambi_nearest"
            assert with_next == (name == "slope_in_time")
            assert np.isfinite(own["repeat"]).all()
            assert np.isfinite(own["next_patient"]) == (with_next or whole)
            assert np.isfinite(own["population"]) == np.isfinite(own["exceeds"]) == whole


def test_the_ratio_is_the_model_s_or_that_of_its_patients(finished: mn.OpenedRun) -> None:
    table = finished.tables["estimates"].set_index(["model", "week"])["gmr_median"]
    for name in NAMES:
        with finished.posterior(name) as tree:
            change = tree["posterior"]["visit_change"]
            assert ("of" in change.attrs) == (name == "two_classes")
            draws = stacked(level(tree, "posterior"), *CELLS)
            mean = (draws[..., 4, 0] - draws[..., 0, 0]).mean(axis=1)
            if name == "two_classes":
                np.testing.assert_allclose(table[name, 12.0], np.exp(np.median(mean)))
            else:  # of the population, whose patients these are
                assert abs(np.log(table[name, 12.0]) - mean.mean()) < 0.1
    with finished.posterior("two_classes") as tree:
        share = tree["patients"]["responder"]
        assert 0 <= float(share.min()) <= float(share.max()) <= 1
        fallen = array(level(tree, "posterior").sel(marker=PROTEIN))
        fallen = (fallen[..., 1:].mean(axis=-1) - fallen[..., 0]).mean(axis=(0, 1))
        chance = array(share).mean(axis=(0, 1))
        assert np.corrcoef(fallen, chance)[0, 1] < -0.9  # who fell further is a responder


def test_what_needs_a_card_is_absent_by_name(finished: mn.OpenedRun) -> None:
    sections = finished.manifest["sections"]
    for name in CARDS_ONLY:
        assert sections[name]["absent"] == f"{', '.join(NAMES)}: a model of one's own has no card"
    for name in ("results", "checks", "withdrawal", "regression", "computation", "model"):
        assert sections[name]["absent"] == ""
        assert "without" not in sections[name]
    assert list(sections["decision"]["without"]) == ["slope_in_time", "two_classes"]
    assert sections["decision"]["absent"] == ""
    assert set(finished.tables["decision"]["model"]) == {"bambi_nearest"}
    page = (finished.folder / "annex.html").read_text()
    assert page.count("pm.NormalMixture") == 2  # the file, its docstring and its line
    assert not (finished.folder / "influence.csv").exists()


def test_the_record_names_the_file(finished: mn.OpenedRun) -> None:
    for name in NAMES:
        recorded = finished.manifest["models"][name]
        assert recorded["own"] == f"{name}.py"
        assert recorded["own_sha256"] == load_own_model(EXAMPLES / f"{name}.py").sha256
        assert recorded["markers"] == [PROTEIN]
        assert "priors" not in recorded
    assert finished.manifest["prior_set"] == "none"


# Numbers


CONJUGATE = """
import importlib.util
import pymc as pm

spec = importlib.util.spec_from_file_location("example", {path!r})
example = importlib.util.module_from_spec(spec)
spec.loader.exec_module(example)


def model(cohort):
    return pm.do(example.model(cohort), {fixed!r})
"""


def test_slopes_are_those_of_the_conjugate_formula(tmp_path: Path, cohort: mn.Cohort) -> None:
    """With the three SDs held fixed the posterior is normal: matrices instead of draws."""
    fixed = {"baseline_sd": 0.7, "slope_sd": 0.25, "residual_sd": 0.3}
    file = tmp_path / "fixed.py"
    file.write_text(CONJUGATE.format(path=str(EXAMPLES / "slope_in_time.py"), fixed=fixed))
    fitted = mn.fit_own(file, cohort, mn.Sampling(seed=3))
    assert fitted.diagnostics.converged, fitted.diagnostics.reasons

    data = fitted.observations
    time = np.log1p(np.array(data.weeks) / 4)
    n, t = len(data.patients), time.size
    # A patient's level is linear in: both means, then baselines and slopes of all patients.
    design = np.zeros((n, t, 2 + 2 * n))
    design[:, :, 0], design[:, :, 1] = 1, time
    for i in range(n):
        design[i, :, 2 + i], design[i, :, 2 + n + i] = 1, time
    flat = design.reshape(n * t, -1)
    prior_mean = np.r_[1.4, 0, np.zeros(2 * n)]
    prior_sd = np.r_[0.75, 0.5, np.full(n, 0.7), np.full(n, 0.25)]
    seen = data.observed[..., 0].ravel()
    x, y = flat[seen], data.log_value[..., 0].ravel()[seen]
    covariance = np.linalg.inv(x.T @ x / 0.3**2 + np.diag(prior_sd**-2.0))
    mean = covariance @ (x.T @ y / 0.3**2 + prior_mean / prior_sd**2)
    expected = flat @ mean
    sd = np.sqrt(np.einsum("ij,jk,ik->i", flat, covariance, flat))

    draws = stacked(level(fitted.tree, "posterior"), *CELLS).reshape(-1, n * t)
    table = fitted.parameters[fitted.parameters["parameter"].str.startswith("level[")]
    assert len(table) == n * t
    error = table["mcse_mean"].to_numpy()
    assert np.abs((draws.mean(axis=0) - expected) / error).max() < 4.5
    assert np.abs(draws.std(axis=0) / sd - 1).max() < 0.08
    prior = stacked(level(fitted.tree, "prior"), *CELLS).reshape(-1, n * t)
    prior_level = np.sqrt(np.einsum("ij,j,ij->i", flat, prior_sd**2, flat))
    assert np.abs(prior.std(axis=0) / prior_level - 1).max() < 0.08
    # Held fixed, so no draw and nothing that the gate could judge.
    assert not fitted.parameters["parameter"].str.startswith("slope_sd").any()


# Draws of somebody else


def bare(fitted: mn.Fit, *groups: str) -> xr.DataTree:
    """The levels of a fit in ``posterior`` and some of its groups, nothing else of it."""
    own = {name: fitted.tree[name].to_dataset() for name in groups}
    own["posterior"] = fitted.tree["patients"].to_dataset()[["level"]]
    return xr.DataTree.from_dict(own)


def test_a_whole_tree_gives_the_answers_of_its_fit(
    proteinuria: mn.Fit, cohort: mn.Cohort, definitions: mn.Definitions
) -> None:
    whole = mn.summarise(proteinuria, definitions)
    again = mn.summarise(proteinuria.tree, cohort, definitions)
    for table in ("probabilities", "population", "estimates", "patient_changes", "best"):
        mine, theirs = getattr(again, table), getattr(whole, table)
        numbers = theirs.select_dtypes("number").columns
        np.testing.assert_array_equal(mine[numbers], theirs[numbers])
    assert again.name == whole.name
    assert again.fit.card is None
    assert set(again.parts) == set(whole.parts) - set(CARDS_ONLY)
    assert again.fit.tree["log_likelihood"].equals(proteinuria.tree["log_likelihood"])


def test_levels_alone_are_summarised_and_reported(
    proteinuria: mn.Fit, cohort: mn.Cohort, definitions: mn.Definitions, tmp_path: Path
) -> None:
    tree = bare(proteinuria)
    turned = tree.isel(patient=slice(None, None, -1), visit=slice(None, None, -1))
    result = mn.summarise(turned, cohort, definitions)
    whole = mn.summarise(proteinuria, definitions)
    keys = ["patient", "week", "category"]

    def of(one: mn.Result, quantity: str) -> np.ndarray[Any, Any]:
        rows = one.probabilities.query("quantity == @quantity").sort_values(keys)
        return rows[["probability", "prior_probability"]].to_numpy(float)

    np.testing.assert_array_equal(of(result, "latent")[:, 0], of(whole, "latent")[:, 0])
    assert np.isnan(of(result, "latent")[:, 1]).all()
    for quantity in ("repeat", "next_patient", "population", "exceeds"):
        assert np.isnan(of(result, quantity)).all()
    assert result.best.empty
    assert result.estimates.filter(like="_prior").isna().to_numpy().all()
    pd_changes = result.patient_changes["ratio_median"]
    np.testing.assert_array_equal(pd_changes, whole.patient_changes["ratio_median"])
    assert result.fit.diagnostics.worst_bfmi is None

    run = mn.write_report(result, tmp_path / "run")
    absent = {section.name for section in run.sections if section.absent and not section.hidden}
    wanted = {*CARDS_ONLY, "checks", "withdrawal", "decision", "correlations", "subsets"}
    assert wanted <= absent
    assert "no draws of its prior" in run.section("decision").absent
    assert "residual_sd" in run.section("checks").absent
    opened = mn.open_run(tmp_path / "run")
    assert opened.report is not None
    assert opened.manifest["models"]["own"]["engine"] == "not recorded"
    with opened.posterior("own") as stored:
        again = mn.summarise(stored.load(), cohort, definitions)
    np.testing.assert_array_equal(of(again, "latent"), of(result, "latent"))
    assert mn.compare(result, again).changed.empty


def test_models_of_cards_and_one_s_own_stand_in_one_report(
    proteinuria: mn.Fit, cohort: mn.Cohort, definitions: mn.Definitions, tmp_path: Path
) -> None:
    own = mn.summarise(bare(proteinuria, "sample_stats"), cohort, definitions)
    both = (mn.summarise(proteinuria, definitions), own)
    run = runs.with_sections(mn.Run(cohort, definitions, both, "weak"))
    for name in CARDS_ONLY:
        assert run.section(name).without == {"own": "a model of one's own has no card"}
        assert run.section(name).described["without"] == run.section(name).without
        assert not run.section("results").without
    page = "".join(render_pages(run).values())
    assert page.count("Not shown: own: a model of one") == len(CARDS_ONLY)
    assert set(run.tables["estimates"]["model"]) == {"proteinuria", "own"}
    with pytest.raises(mn.InputError, match="models of different names"):
        mn.write_report([own, own], tmp_path / "twice")
    assert not (tmp_path / "twice").exists()


def test_a_model_that_judges_no_response(
    proteinuria: mn.Fit, cohort: mn.Cohort, tmp_path: Path
) -> None:
    """Its run has no table of responses, and is compared all the same."""
    levels = bare(proteinuria)["posterior"].to_dataset().assign_coords(marker=["albumin"])
    result = mn.summarise(xr.DataTree.from_dict({"posterior": levels}), cohort)
    assert result.probabilities.empty
    places = [tmp_path / name for name in ("first", "second")]
    for place in places:
        run = mn.write_report(result, place, analyses=FEW, with_report=False)
    assert not (places[0] / "probabilities.csv").exists()
    assert run.manifest["previous"]["folder"] == "first"
    found = mn.compare(*places)
    assert len(found.numbers) > 0
    assert found.changed.empty
    assert any("previous run is first" in text for text in run.section("previous").sentences)


def test_noise_gives_repeats(
    proteinuria: mn.Fit, cohort: mn.Cohort, definitions: mn.Definitions
) -> None:
    tree = bare(proteinuria)
    noise = proteinuria.tree["posterior"]["residual_sd"].isel(marker=0, drop=True)
    own = tree["posterior"].to_dataset().assign(residual_sd=noise)
    fitted = mn.summarise(xr.DataTree.from_dict({"posterior": own}), cohort, definitions).fit
    repeat = fitted.tree["predictions"]["measurement"] - level(fitted.tree, "posterior")
    ratio = array(repeat.std(("patient", "visit", "marker"))) / array(noise)
    assert ratio.mean() == pytest.approx(1, abs=0.02)
    assert fitted.tree["posterior"]["residual_sd"].dims == ("chain", "draw", "marker")


def test_an_earlier_verdict_is_kept(proteinuria: mn.Fit, cohort: mn.Cohort) -> None:
    tree = bare(proteinuria, "sample_stats")
    tree.attrs = {"converged": 0, "not_converged_because": "3 divergent transitions"}
    result = mn.summarise(tree, cohort)
    assert result.withheld == ("3 divergent transitions",)
    assert result.estimates["gmr_median"].isna().all()


def test_constant_numbers_are_not_judged(proteinuria: mn.Fit, cohort: mn.Cohort) -> None:
    tree = bare(proteinuria)
    own = tree["posterior"].to_dataset()
    change = own["level"] - own["level"].sel(visit=0.0)  # 0 at baseline in every draw
    stuck = xr.zeros_like(own["level"].isel(patient=0, visit=0, marker=0, drop=True))
    moving = xr.DataTree.from_dict({"posterior": own.assign(change=change)})
    assert mn.summarise(moving, cohort).withheld == ()
    halted = xr.DataTree.from_dict({"posterior": own.assign(stuck=stuck)})
    assert any("R-hat" in why for why in mn.summarise(halted, cohort).withheld)


def renamed(tree: xr.DataTree, **labels: list[Any]) -> xr.DataTree:
    own = tree["posterior"].to_dataset().assign_coords(labels)
    return xr.DataTree.from_dict({"posterior": own})


def test_what_a_tree_lacks_is_named(proteinuria: mn.Fit, cohort: mn.Cohort) -> None:
    tree = bare(proteinuria)
    own = tree["posterior"].to_dataset()
    patients = [f"MN{i:02d}" for i in range(2, 10)]
    none = xr.DataTree.from_dict({"posterior": own.rename(level="mu")})
    outcome = xr.DataTree.from_dict({"posterior": own.rename(marker="outcome")})
    unnamed = xr.DataTree.from_dict({"posterior": own.drop_vars("patient")})
    cases = [
        (xr.DataTree(), "no group posterior"),
        (none, r"column level: found only mu"),
        (tree.isel(chain=[0]), "found 1 chains of 1000 draws"),
        (renamed(tree, patient=patients), "no MN01; MN09, which the cohort has not"),
        (renamed(tree, visit=[0, 1, 2, 4, 13]), "no 12; 13, which the cohort has not"),
        (renamed(tree, visit=list("abcde")), "which the cohort has not"),
        (renamed(tree, marker=["urine_protein"]), r"did you mean urine_protein_24h"),
        (outcome, r"dims \(patient, visit, outcome\)"),
        (unnamed, "each with its names as coords"),
    ]
    for wrong, message in cases:
        with pytest.raises(mn.InputError, match=message) as error:
            mn.summarise(wrong, cohort)
        assert len(error.value.problems) == 1
    flat = own["level"].mean("patient").rename(visit="week")
    wrong = xr.DataTree.from_dict({"posterior": own.assign(visit_change=flat)})
    with pytest.raises(mn.InputError, match=r"posterior/visit_change: found dims \(week, marker\)"):
        mn.summarise(wrong, cohort)
    with pytest.raises(mn.InputError, match="the cohort that was fitted"):
        mn.summarise(tree)  # type: ignore[call-overload]


def test_a_fit_without_a_card_says_so(proteinuria: mn.Fit, cohort: mn.Cohort) -> None:
    fitted = mn.summarise(bare(proteinuria), cohort).fit
    with pytest.raises(mn.InputError, match="which has no card"):
        _ = fitted.required_card
    assert fitted.name == "own"
    with pytest.raises(ValueError, match="of a card or of a model"):
        _ = replace(fitted, own=None).name


# Files that cannot be used


GOOD = """
import pymc as pm
def model(cohort):
    weeks = [0.0, 1.0, 4.0]
    coords = {"patient": cohort.patient_ids, "visit": weeks, "marker": ["urine_protein_24h"]}
    with pm.Model(coords=coords) as stated:
        pm.Normal("level", 1, 1, dims=("patient", "visit", "marker"))
    return stated
"""


def stated(tmp_path: Path, text: str) -> OwnModel:
    file = tmp_path / "mine.py"
    file.write_text(text)
    return load_own_model(file)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("", "", ""),
        ("    weeks =", "    weeks ==", r"mine.py, row 4: found \w*Error: .*weeks"),
        ("import pymc as pm", "import pymcs as pm", "mine.py, row 2: found ModuleNotFoundError"),
        ("import pymc as pm", "raise SystemExit", "mine.py, row 2: found SystemExit"),
        ("    weeks", "   weeks = (\n    weeks", "mine.py, row 4: found SyntaxError"),
        ("def model", "def modell", r"found none; expected .*did you mean modell"),
        ("def model", "model = 3\ndef other", "found model, a int"),
        ("return stated", "return", r"model\(cohort\) returned None; expected a pymc.Model"),
        ('"level"', '"levels"', "column level: found a model of levels"),
        ('"visit", "marker"))', '"marker", "marker"))', r"mine.py"),
        ("dims=(", "shape=(6, 3, 1)) #", r"column level: found dims \(\)"),
        ("cohort.patient_ids", 'list("abcdef")', r"patient: no S001, .*; a, b, c, d, e, f, which"),
        ("[0.0, 1.0, 4.0]", "[0.0, 1.0, 3.0]", "visit: no 4; 3, which the cohort has not"),
        (
            '["urine_protein_24h"]',
            '["albumin"]',
            "found marker albumin; expected .* urine_protein_24h",
        ),
        ("return stated", "    pm.Poisson('count', 3)\n    return stated", "column count"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, old: str, new: str, message: str) -> None:
    cohort = simulate_cohort()
    text = GOOD.replace(old, new) if old else GOOD
    if not message:
        assert "level" in checked_model(stated(tmp_path, text), cohort).named_vars
        assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]  # nothing beside it
        return
    with pytest.raises(mn.InputError, match=message) as error:
        checked_model(stated(tmp_path, text), cohort)
    assert len(error.value.problems) == 1
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "{own}"], "mine.py, row 3: found ZeroDivisionError"),
        (["--model", "{own}", "--set", "change_mean.sigma=2"], "no card; expected a card besides"),
        (["--model", "{own}", "--model", "{other}"], "--model: found mine; expected models of"),
        (["--model", "no.py"], "no.py: found No such file or directory; expected a Python file"),
    ],
)
def test_the_command_refuses_in_one_message(
    tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "b").mkdir()
    for place in (tmp_path, tmp_path / "b"):
        (place / "mine.py").write_text("def model(cohort):\n    zero = 0\n    return 1 / zero\n")
    own, other = tmp_path / "mine.py", tmp_path / "b" / "mine.py"
    asked = [option.format(own=own, other=other) for option in options]
    data = ["--data", str(embedded_cohort_folder()), "--out", str(tmp_path / "out")]
    found = CliRunner().invoke(app, ["fit", *asked, *data])
    assert found.exit_code == 2
    assert message in found.output
    assert "Nothing was written." in found.output
    assert not (tmp_path / "out").exists()


def test_potentials_leave_the_prior_out(tmp_path: Path) -> None:
    """Draws of the prior would pass a potential by: there are none, with the reason."""
    text = GOOD.replace(
        "    return stated",
        '        pm.Potential("pull", -((stated["level"] - 1) ** 2).sum())\n    return stated',
    )
    cohort, sampling = simulate_cohort(), mn.Sampling(draws=50)
    without = {}
    for name, file in (("with", text), ("without", GOOD)):
        model = checked_model(stated(tmp_path, file), cohort)
        without[name] = prior_draws(model, sampling, np.random.SeedSequence(1))
    assert without["with"][0] == {}
    assert "pull" in without["with"][1]
    groups, reason = without["without"]
    assert reason == ""
    assert groups["prior"]["level"].sizes == {
        **{"chain": 4, "draw": 50, "patient": 6, "visit": 3, "marker": 1}
    }
