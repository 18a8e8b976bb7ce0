"""Two runs side by side: differences in their units, noise told from change, honest history."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import runs
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import BAD, DEFINITIONS, GOOD, unsampled
from trees import default_hyper
from typer.testing import CliRunner

import mnbayes
from mnbayes import pipeline
from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.comparison.figure import main_differences
from mnbayes.analyses.comparison.files import every_number
from mnbayes.analyses.comparison.inputs import compare_priors, compare_settings
from mnbayes.analyses.comparison.numbers import BEYOND, compare_numbers
from mnbayes.analyses.comparison.runs import Comparison, compare_runs, compare_stored
from mnbayes.analyses.comparison.section import difference as report_difference
from mnbayes.analyses.comparison.section import of_comparison
from mnbayes.analyses.comparison.words import difference, units, value
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.reported import COLUMNS, KEYS, estimate_errors, reported_numbers
from mnbayes.answers.result import Result
from mnbayes.base.problems import InputError
from mnbayes.cards.card import load_card
from mnbayes.cards.overrides import with_priors
from mnbayes.cli import app
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.observations import observations
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.inference.fit import Sampling
from mnbayes.pipeline import Job, Worked, run_job
from mnbayes.run.history import (
    EarlierRun,
    History,
    earlier_runs,
    post_hoc_sentences,
    priors_of,
    record,
)
from mnbayes.run.manifest import manifest
from mnbayes.run.record import MANIFEST
from mnbayes.run.run import Run
from mnbayes.run.stored_run import load_run, stored

PROTEIN = "urine_protein_24h"
COHORT = embedded_cohort()
DRAWS = 150  # of each of four chains
runner = CliRunner()


def fake_result(
    *,
    seed: int = 1,
    shift: float = 0.0,
    priors: tuple[str, ...] = (),
    diagnostics: Diagnostics = GOOD,
    model: str = "proteinuria",
) -> Result:
    """A result nobody sampled: 4 x 150 draws around one set of hyperparameters."""
    card = with_priors(load_card(model), "weak", priors)
    data = observations(card, COHORT)
    hyper = default_hyper(card.markers, len(data.weeks) - 1)
    levels = np.log(4.0) - 0.3 * (np.array(data.weeks) > 0)[None, :, None]
    fit = unsampled(
        card,
        COHORT,
        Sampling(draws=DRAWS, seed=seed),
        diagnostics=diagnostics,
        levels=np.broadcast_to(levels, data.log_value.shape),
        hyper=replace(hyper, visit_change=hyper.visit_change + shift),
    )
    result = summarise(fit, DEFINITIONS, seed)
    # Of the draws, a comparison reads these; the others take long to write.
    ratios = {
        group: fit.tree[group].to_dataset()[["visit_change"]] for group in ("posterior", "prior")
    }
    return replace(result, fit=replace(fit, tree=xr.DataTree.from_dict(ratios)))


def fake_run(*results: Result, started: str = "2026-01-02T03:04:05") -> Run:
    moment = datetime.fromisoformat(started).replace(tzinfo=UTC)
    described = manifest(COHORT, DEFINITIONS, results, "weak", (), moment, {"models": 1.0})
    run = Run(COHORT, DEFINITIONS, results, "weak", (), described)
    # These results have no draws of the patients, which most analyses need.
    return runs.with_sections(run, only=("results", "computation"))


@pytest.fixture(scope="module")
def first() -> Run:
    return fake_run(fake_result())


@pytest.fixture(scope="module")
def other_seed() -> Run:
    result = fake_result(seed=2)
    return fake_run(result, started="2026-01-03T03:04:05")


@pytest.fixture(scope="module")
def other_prior() -> Run:
    """Another prior, and 0.2 more on the log ratio, two of its posterior SDs."""
    result = fake_result(shift=0.2, priors=("change_mean.sigma=0.30004",))
    return fake_run(result, started="2026-01-04T03:04:05")


@pytest.fixture(scope="module")
def folders(
    tmp_path_factory: pytest.TempPathFactory, first: Run, other_seed: Run, other_prior: Run
) -> Path:
    place = tmp_path_factory.mktemp("results")
    named = {"first": first, "seed": other_seed, "prior": other_prior}
    for name, run in named.items():
        runs.write(run, place / name)
    return place


@pytest.fixture(scope="module")
def seeds_apart(folders: Path) -> Comparison:
    return compare_runs(folders / "first", folders / "seed")


@pytest.fixture(scope="module")
def priors_apart(folders: Path) -> Comparison:
    return compare_runs(folders / "first", folders / "prior")


def row(**cells: object) -> dict[str, object]:
    blank = dict.fromkeys(KEYS, "") | {"table": "probabilities", "model": "m", "week": 12.0}
    return blank | {"column": "probability", "sd": np.nan, "mc_error": 0.01} | cells


def numbers(*rows: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=list(COLUMNS))


def test_differences_in_their_units_by_hand() -> None:
    ratio = {"table": "estimates", "column": "gmr_median", "sd": 0.2, "mc_error": 0.03}
    a = numbers(
        row(patient="P1", value=0.50, mc_error=0.03),
        row(patient="P2", value=0.50, mc_error=0.03),
        row(patient="P3", value=0.25, mc_error=0.0),
        row(patient="P4", value=0.25, mc_error=0.0),
        row(**ratio, value=0.5),
        row(patient="P5", value=0.5, mc_error=np.nan),
    )
    b = numbers(
        row(patient="P5", value=0.6, mc_error=0.1),
        row(**ratio | {"sd": 0.1, "mc_error": 0.04}, value=1.0),
        row(patient="P4", value=0.25, mc_error=0.0),
        row(patient="P3", value=0.50, mc_error=0.0),
        row(patient="P2", value=0.71, mc_error=0.04),
        row(patient="P1", value=0.69, mc_error=0.04),
    )
    table, only = compare_numbers(a, b)
    assert only.empty
    assert table["patient"].tolist() == ["P1", "P2", "P3", "P4", "", "P5"]  # in a's order
    verdicts = ["noise", "changed", "changed", "same", "changed", "unknown"]
    assert table["verdict"].tolist() == verdicts
    assert table["mc_error"].iloc[:5].tolist() == pytest.approx([0.05, 0.05, 0, 0, 0.05])
    assert table["in_errors"].tolist() == pytest.approx(
        [3.8, 4.2, np.inf, 0, np.log(2) / 0.05, np.nan], nan_ok=True
    )
    assert table["in_sd"].iloc[:4].isna().all()
    assert table.loc[4, "scale"] == "log"
    assert table.loc[4, "difference"] == pytest.approx(np.log(2))
    assert table.loc[4, "in_sd"] == pytest.approx(np.log(2) / np.sqrt((0.2**2 + 0.1**2) / 2))


def test_rows_of_one_run_and_blanks_of_one_run_are_listed() -> None:
    a = numbers(row(patient="P1", value=0.1), row(patient="P2", value=np.nan))
    b = numbers(row(patient="P2", value=0.2), row(patient="P3", value=0.3))
    table, only = compare_numbers(a, b)
    assert table.empty
    assert only[["patient", "run", "value", "reason"]].to_numpy().tolist() == [
        ["P1", "a", 0.1, "no such row"],
        ["P2", "b", 0.2, "blank"],
        ["P3", "b", 0.3, "no such row"],
    ]
    both_blank = numbers(row(patient="P1", value=np.nan))
    assert all(part.empty for part in compare_numbers(both_blank, both_blank))


@settings(max_examples=10)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(1e-6, 0.1))))
def test_comparing_the_other_way_round_turns_the_sign(
    values: list[tuple[float, float, float]],
) -> None:
    a, b = (
        numbers(*(row(patient=str(i), value=v[run], mc_error=v[2]) for i, v in enumerate(values)))
        for run in (0, 1)
    )
    there, back = compare_numbers(a, b)[0], compare_numbers(b, a)[0]
    assert there["in_errors"].tolist() == (-back["in_errors"]).tolist()
    assert there["verdict"].tolist() == back["verdict"].tolist()
    assert set(compare_numbers(a, a)[0]["verdict"]) <= {"same"}


def test_errors_of_ratios_from_independent_normal_draws() -> None:
    draws = np.random.default_rng(1).normal(-0.1, 0.2, (4, 2000, 3))
    errors = estimate_errors(draws)
    sd, error = errors["gmr_median"]
    assert sd == pytest.approx(0.2, rel=0.05)
    # A median's error is sqrt(pi / 2) that of the mean, a 2.5 % quantile's 2.67 that.
    assert error == pytest.approx(0.2 / np.sqrt(8000) * np.sqrt(np.pi / 2), rel=0.15)
    assert errors["gmr_lower"][1] == pytest.approx(0.2 / np.sqrt(8000) * 2.671, rel=0.3)
    share = np.mean(draws < 0, axis=(0, 1))
    assert errors["p_fall"][1] == pytest.approx(np.sqrt(share * (1 - share) / 8000), rel=0.1)
    assert np.isnan(errors["p_fall"][0]).all()


def test_errors_of_shares_come_from_their_mean() -> None:
    # A share that is normal: mean 0.5, SD 0.1; a mean's error of 0.002 says 2500 draws.
    cells = {"model": "m", "week": 12.0, "category": "remission"}
    half = 1.959964 * 0.1
    share = cells | dict.fromkeys(("share_mean", "share_median"), 0.5)
    share |= {"share_lower": 0.5 - half, "share_upper": 0.5 + half}
    share |= {"share_mean_prior": 0.5, "share_median_prior": 0.5}
    share |= {"share_lower_prior": 0.0, "share_upper_prior": 1.0}
    probability = cells | {"quantity": "population", "patient": ""}
    probability |= {"probability": 0.5, "mcse": 0.002, "prior_probability": 0.5}
    tables = {
        "probabilities": pd.DataFrame([probability]),
        "population": pd.DataFrame([share]),
        "estimates": pd.DataFrame(columns=["model", "marker", "week"]),
    }
    found = reported_numbers(tables, {"m": 100.0}, {}).set_index("column")
    assert found.loc["probability", "mc_error"] == 0.002
    assert found.loc["share_mean", "mc_error"] == 0.002
    assert found.loc["share_mean", "sd"] == pytest.approx(0.1)
    grid = 2 / 512  # of the integration points
    expected = np.hypot(0.002 * np.sqrt(np.pi / 2), grid)
    assert found.loc["share_median", "mc_error"] == pytest.approx(expected)
    density = np.exp(-(1.959964**2) / 2) / np.sqrt(2 * np.pi)
    expected = np.hypot(0.002 * np.sqrt(0.025 * 0.975) / density, grid)
    assert found.loc["share_lower", "mc_error"] == pytest.approx(expected, rel=0.1)
    # The prior's draws are independent: sqrt(p q / S). It may have two peaks.
    assert found.loc["prior_probability", "mc_error"] == pytest.approx(0.05)
    assert found.loc["share_mean_prior", "mc_error"] == pytest.approx(0.05)
    assert np.isnan(found.loc["share_median_prior", "mc_error"])


def test_a_run_reads_back_as_it_was(folders: Path, first: Run) -> None:
    back, memory = load_run(folders / "first"), stored(first, "first")
    assert back.name == memory.name
    assert {**memory.manifest, "written": back.manifest["written"]} == back.manifest
    pd.testing.assert_frame_equal(back.numbers, memory.numbers, check_exact=True)
    known = back.numbers[back.numbers["value"].notna()]
    assert known["mc_error"].notna().mean() > 0.9


def test_identical_runs_do_not_differ(folders: Path) -> None:
    found = compare_runs(folders / "first", folders / "first")
    assert found.settings.empty
    assert found.priors.empty
    assert found.only.empty
    assert set(found.numbers["verdict"]) == {"same"}
    assert found.post_hoc == ""


def test_another_seed_alone_is_noise(seeds_apart: Comparison) -> None:
    found = seeds_apart
    assert found.settings[["item", "a", "b"]].to_numpy().tolist() == [["seed", "1", "2"]]
    assert found.priors.empty
    assert found.post_hoc == ""
    counts = found.numbers["verdict"].value_counts()
    assert counts["noise"] > 100
    assert "changed" not in counts
    # The errors are neither too small nor too large for what differs.
    judged = found.numbers[found.numbers["column"].str.match("gmr_|p_fall")]
    assert 0.4 < np.sqrt((judged["in_errors"] ** 2).mean()) < 1.8


def test_a_shift_is_measured_and_a_new_prior_is_post_hoc(
    folders: Path, priors_apart: Comparison
) -> None:
    found = priors_apart
    assert found.priors.to_numpy().tolist() == [
        ["proteinuria", "change_mean", PROTEIN, "Normal(0, 0.7)", "Normal(0, 0.3)"]
    ]
    assert found.settings["item"].tolist() == ["SHA-256"]
    ratios = found.main.query("column == 'gmr_median'")
    # The same draws, moved by 0.2 on the log scale, where their SD is 0.1.
    assert ratios["difference"].tolist() == pytest.approx([0.2])
    assert ratios["in_sd"].tolist() == pytest.approx([2.0], rel=0.1)
    error = np.sqrt(np.pi / 2) * 0.1 / np.sqrt(4 * DRAWS) * np.sqrt(2)
    assert ratios["in_errors"].tolist() == pytest.approx([0.2 / error], rel=0.25)
    assert ratios["verdict"].tolist() == ["changed"]
    assert found.changed["in_errors"].abs().is_monotonic_decreasing
    assert (found.changed["in_errors"].abs() > BEYOND).all()
    # The later run is the one whose prior is post hoc, whichever is named first.
    for sentence in (
        found.post_hoc,
        compare_runs(folders / "prior", folders / "first").post_hoc,
    ):
        assert sentence.startswith("Post hoc: run prior (started 2026-01-04 03:04 UTC) changed 1")


def test_other_data_are_said_and_not_called_post_hoc(first: Run, other_prior: Run) -> None:
    a, b = stored(first, "a"), stored(other_prior, "b")
    data = {"sha256": "f" * 64, "patients": 9, "rows": 312}
    found = compare_stored(a, replace(b, manifest=dict(b.manifest) | {"data": data}))
    said = found.settings[found.settings["part"] == "data"]
    assert said["item"].tolist() == ["SHA-256", "patients"]
    assert said["b"].tolist() == ["f" * 64, "9"]
    assert len(found.priors) == 1
    assert found.post_hoc == ""


@pytest.mark.parametrize("named", [True, False])
def test_different_patients_come_first_and_monte_carlo_errors_are_not_counted(
    first: Run, other_prior: Run, named: bool
) -> None:
    a, b = stored(first, "a"), stored(other_prior, "b")
    data = {"sha256": "f" * 64, "patients": 9, "rows": 312}
    patients = b.numbers["patient"]
    others = patients.where(patients == "", "X" + patients)
    if not named:  # a run that says nothing of single patients
        a = replace(a, numbers=a.numbers[a.numbers["patient"] == ""])
    b = replace(b, numbers=b.numbers.assign(patient=others if named else ""))
    b = replace(b, numbers=b.numbers.drop_duplicates(subset=list(KEYS)))
    found = compare_stored(a, replace(b, manifest=dict(b.manifest) | {"data": data}))
    section = of_comparison(found)
    assert section.remarks[0] == found.different
    assert found.different.startswith("Different patients: ")
    assert ("none in both" in found.different) == named
    (table,) = [each for each in section.shown if each.caption.startswith("Main numbers")]
    assert len(table.head) == 5
    said = " ".join((*section.sentences, table.caption, *table.head))
    assert "Monte Carlo error" not in said
    assert any(text.endswith("numbers given the data differ.") for text in section.sentences)
    # A visit more of the same patients is another matter.
    assert compare_stored(stored(first, "a"), stored(other_prior, "b")).different == ""


def test_a_return_to_the_first_prior_is_not_called_post_hoc(first: Run, other_prior: Run) -> None:
    weak, tight = stored(first, "weak"), stored(other_prior, "tight")
    place = {"model": "proteinuria", "parameter": "change_mean", "marker": PROTEIN}
    before = priors_of(weak.manifest)[tuple(place.values())]  # type: ignore[index]
    entry = place | {"from": before, "run": "earliest", "started": "2026-01-01T00:00:00+00:00"}
    changed = dict(tight.manifest) | {"post_hoc": [entry], "started": "2026-01-02T00:00:00+00:00"}
    back = dict(weak.manifest) | {"started": "2026-01-03T00:00:00+00:00"}
    found = compare_stored(
        replace(tight, manifest=changed), replace(weak, name="back", manifest=back)
    )
    assert len(found.priors) == 1
    assert "Post hoc" not in found.post_hoc
    assert found.post_hoc.startswith("1 prior is again")
    # Without that record the later run is the one that changed it.
    unknown = compare_stored(
        replace(tight, manifest=changed | {"post_hoc": []}), replace(weak, manifest=back)
    )
    assert unknown.post_hoc.startswith("Post hoc: run weak")


def test_priors_are_told_apart_to_the_last_digit(first: Run) -> None:
    a = stored(first, "a").manifest
    b = json.loads(json.dumps(a))
    b["models"]["proteinuria"]["prior_arguments"]["change_mean"][PROTEIN]["sigma"] = 0.7001
    found = compare_priors(a, b)
    assert found[["a", "b"]].to_numpy().tolist() == [
        ["Normal(mu=0.0, sigma=0.7)", "Normal(mu=0.0, sigma=0.7001)"]
    ]
    # A run that recorded the formula alone is compared by it.
    del b["models"]["proteinuria"]["prior_arguments"]
    assert compare_priors(a, b).empty


def test_definitions_and_structure_that_differ_are_named(first: Run) -> None:
    a = stored(first, "a").manifest
    b = json.loads(json.dumps(a))
    fall = b["definitions"]["category"][3]["any"][0]
    fall |= {"fall_at_least": 0.25, "why": "another reason"}
    b["definitions"]["benchmark"][0]["share"] = 0.3
    b["models"]["proteinuria"]["structure"]["trajectory"] = "drift"
    del b["versions"]["numpy"]
    found = compare_settings(a, b)
    assert found[["part", "item", "a", "b"]].to_numpy().tolist() == [
        ["definitions", f"category.effective.any.{PROTEIN}.fall_at_least", "0.15", "0.25"],
        ["definitions", "benchmark.remission.share", "0.25", "0.3"],
        ["versions", "numpy", np.__version__, "not recorded"],
        ["card proteinuria", "trajectory", "step", "drift"],
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = (
    "data sha256 models proteinuria priors prior_arguments change_mean structure definitions "
    "benchmark versions started post_hoc previous from to formula exact model parameter marker run"
)
KNOWN = st.recursive(
    JSON, lambda inner: st.dictionaries(st.sampled_from(NAMES.split()), inner), max_leaves=12
)


def test_a_missing_number_is_the_same_in_both_runs() -> None:
    runs = [json.loads('{"definitions": {"benchmark": [NaN, 1]}}') for _ in range(2)]
    assert compare_settings(*runs).empty
    other = json.loads('{"definitions": {"benchmark": [NaN, 2]}}')
    assert len(compare_settings(runs[0], other)) == 1


@settings(max_examples=30)
@given(KNOWN, KNOWN)
def test_whatever_a_manifest_holds_can_be_compared(a: object, b: object) -> None:
    pair = [x if isinstance(x, dict) else {"models": x, "post_hoc": [x]} for x in (a, b)]
    for compared in (compare_settings, compare_priors):
        assert compared(pair[0], pair[0]).empty
        assert list(compared(*pair).columns[-2:]) == ["a", "b"]
    history = History(EarlierRun(Path("x"), pair[0]), True, (EarlierRun(Path("x"), pair[0]),))
    json.dumps(record(pair[1], history))
    assert isinstance(post_hoc_sentences(pair[0]), tuple)


def test_a_run_of_an_older_version_is_compared_as_far_as_it_goes(
    folders: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old"
    shutil.copytree(folders / "first", old)
    shutil.rmtree(old / "posterior")
    (old / MANIFEST).write_text("{}")
    table = pd.read_csv(old / "estimates.csv").drop(columns="p_fall_30").assign(p_fall_20=0.5)
    table.to_csv(old / "estimates.csv", index=False)
    found = compare_runs(old, folders / "first")
    said = found.settings.set_index("item")["a"]
    assert said["seed"] == "not recorded"
    assert found.started[0] == "start not recorded"
    assert found.priors.empty
    only = found.only.groupby(["run", "column"]).size()
    assert only["a", "p_fall_20"] == only["b", "p_fall_30"] == 4
    assert set(found.numbers["verdict"]) == {"same"}
    # Without draws the SD is worked out from the interval, and no error is known.
    medians = compare_runs(old, folders / "prior").numbers.query("column == 'gmr_median'")
    assert medians["in_sd"].tolist() == pytest.approx([2.0] * 4, rel=0.15)
    assert set(medians["verdict"]) == {"unknown"}


def test_withheld_numbers_are_in_one_run_alone(first: Run) -> None:
    failed = fake_run(fake_result(diagnostics=BAD))
    found = compare_stored(stored(first, "a"), stored(failed, "b"))
    assert set(found.only["reason"]) == {"blank"}
    assert set(found.only["run"]) == {"a"}
    assert set(found.given_data["quantity"]) == {"observed"}
    assert (found.settings["item"] == "converged").any()


def damages() -> dict[str, tuple[Callable[[Path], object], str]]:
    def write(file: str, text: str | bytes) -> Callable[[Path], object]:
        content = text if isinstance(text, bytes) else text.encode()
        return lambda run: (run / file).write_bytes(content)

    def edit(file: str, old: str, new: str) -> Callable[[Path], object]:
        return lambda run: (run / file).write_text((run / file).read_text().replace(old, new, 1))

    def twice(run: Path) -> None:
        lines = (run / "population.csv").read_text().splitlines()
        (run / "population.csv").write_text("\n".join([*lines, lines[1]]))

    def cut(run: Path) -> None:
        content = (run / "estimates.csv").read_bytes()
        (run / "estimates.csv").write_bytes(content[: len(content) // 2 + 7])

    return {
        "no folder": (shutil.rmtree, "no such folder"),
        "not a run": (lambda run: (run / MANIFEST).unlink(), f"no {MANIFEST}"),
        "no JSON": (write(MANIFEST, "{"), "a run's JSON"),
        "not UTF-8": (write(MANIFEST, b"\xff\xfe"), "a run's JSON"),
        "a list": (write(MANIFEST, "[1, 2]"), "a JSON object"),
        "no table": (lambda run: (run / "estimates.csv").unlink(), "estimates.csv: found no such"),
        "empty table": (write("population.csv", ""), "population.csv: found an empty file"),
        "binary table": (write("population.csv", b"\0\1\2\n\3"), "population.csv"),
        "other columns": (write("probabilities.csv", "a,b\n1,2\n"), "no model, quantity"),
        "text for a number": (edit("estimates.csv", "0.", "x."), "estimates.csv, row 2"),
        "infinity": (edit("estimates.csv", ",12.0,", ",inf,"), "column week: found"),
        "row cut off": (cut, "16 cells, as in the header"),
        "row twice": (twice, "each row once"),
        "a column twice": (
            write("estimates.csv", "model,marker,week,p_fall,p_fall"),
            "columns once",
        ),
        "a share of two": (edit("population.csv", ",0.", ",2."), "a number from 0 to 1"),
    }


@pytest.mark.parametrize("damage", damages())
def test_a_folder_that_is_no_run_is_said(damage: str, folders: Path, tmp_path: Path) -> None:
    spoil, message = damages()[damage]
    shutil.copytree(folders / "first", tmp_path / "bad")
    spoil(tmp_path / "bad")
    places = [str(tmp_path / "bad")] * 2
    done = runner.invoke(app, ["compare", *places, "--out", str(tmp_path / "x.csv")])
    assert done.exit_code == 2, done.output
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.output
    assert not (tmp_path / "x.csv").exists()


def test_damage_to_the_draws_costs_only_the_errors(folders: Path, tmp_path: Path) -> None:
    shutil.copytree(folders / "first", tmp_path / "bad")
    (tmp_path / "bad" / "posterior" / "proteinuria.nc").write_bytes(b"no netCDF")
    found = load_run(tmp_path / "bad").numbers
    assert found.loc[found["table"] == "estimates", "mc_error"].isna().all()
    assert found.loc[found["table"] == "probabilities", "mc_error"].notna().any()


def test_both_folders_problems_come_together(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        mnbayes.compare_runs(tmp_path / "x", tmp_path / "y")
    assert [Path(problem.file).name for problem in raised.value.problems] == ["x", "y"]


def test_the_command_shows_writes_and_draws(
    folders: Path, priors_apart: Comparison, tmp_path: Path
) -> None:
    csv, png = tmp_path / "all.csv", tmp_path / "p.png"
    places = [str(folders / name) for name in ("first", "prior")]
    done = runner.invoke(app, ["compare", *places, "--out", str(csv), "--plot", str(png)])
    assert done.exit_code == 0, done.output
    text = " ".join(done.stdout.split())
    assert "SYNTHETIC cohort" in text
    assert "Post hoc: run prior" in text
    assert png.read_bytes().startswith(b"\x89PNG")
    written = pd.read_csv(csv)
    assert len(written) == len(priors_apart.numbers) + len(priors_apart.only)
    assert written.columns.tolist() == every_number(priors_apart).columns.tolist()
    assert "prior alone" not in done.stdout
    # Its own table may be written again; another's is left alone.
    everything = runner.invoke(app, ["compare", *places, "--all", "--out", str(csv)])
    assert everything.exit_code == 0
    assert everything.stdout.count("alone") > 50  # a narrow column breaks the words before it
    csv.write_text("patient,week\nP1,0\n")
    refused = runner.invoke(app, ["compare", *places, "--out", str(csv), "--plot", "x.doc"])
    assert refused.exit_code == 2
    assert "another table" in refused.stderr
    assert ".png" in refused.stderr
    assert csv.read_text() == "patient,week\nP1,0\n"


def test_the_picture_holds_every_main_number_and_says_synthetic(priors_apart: Comparison) -> None:
    found = priors_apart
    figure = main_differences(found)
    rows = sum(len(ax.get_yticklabels()) for ax in figure.axes)
    assert rows == len(found.main)
    assert "Synthetic cohort" in figure.get_supxlabel()
    stars = [text for ax in figure.axes for text in ax.texts if text.get_text().endswith("*")]
    main = found.main
    assert len(stars) == (main["verdict"] == "changed").sum() > 0


def test_numbers_have_the_digits_of_their_errors() -> None:
    cells: dict[str, Any] = row(quantity="latent", patient="P1", category="remission")
    cells |= {"a": 0.5, "b": 0.38, "mc_error_a": 0.008, "mc_error_b": 0.02, "mc_error": 0.02}
    cells |= {"scale": "plain", "difference": -0.12}
    assert (value(cells, "a"), value(cells, "b")) == ("50 %", "38 ± 2 %")
    assert difference(cells) == "−12 points"
    assert difference(cells | {"difference": 0.002}) == "<1 point"
    ratio = {"table": "estimates", "marker": PROTEIN, "column": "gmr_upper_prior"}
    assert difference(cells | ratio | {"scale": "log", "difference": np.log(1.1)}) == "× 1.10"
    said = [units(x) for x in (np.nan, np.inf, 0.0, -3.25, 41.7)]
    assert said == ["–", "exact", "0", "−3.2", "+42"]


def write_manifest(folder: Path, started: str, **changes: object) -> Path:
    folder.mkdir(parents=True)
    priors = {"change_mean": {PROTEIN: "Normal(0, 0.7)"}}
    content = {
        "started": started,
        "data": {"sha256": "0" * 64},
        "models": {"proteinuria": {"priors": priors}},
    }
    (folder / MANIFEST).write_text(json.dumps(content | changes))
    return folder


def test_the_previous_run_is_the_replaced_one_or_the_newest(tmp_path: Path) -> None:
    assert earlier_runs(tmp_path / "new") == History()
    newest = write_manifest(tmp_path / "a", "2026-03-01T00:00:00+00:00")
    older = write_manifest(tmp_path / "b", "2026-02-01T00:00:00+00:00")
    write_manifest(tmp_path / ".c.tmp", "2027-01-01T00:00:00+00:00")  # a run being written
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / MANIFEST).write_text("[]")
    found = earlier_runs(tmp_path / "new")
    assert found.previous is not None
    assert found.previous.folder == newest
    assert [run.name for run in found.earlier] == ["b", "a"]
    previous = {"folder": "a", "started": "2026-03-01T00:00:00+00:00", "replaced": False}
    assert record({}, found)["previous"] == previous
    # Of other data nothing can be compared, number by number.
    elsewhere = {"data": {"sha256": "1" * 64}}
    write_manifest(tmp_path / "e", "2026-04-01T00:00:00+00:00", **elsewhere)
    same = earlier_runs(tmp_path / "new", "0" * 64)
    assert same.previous is not None
    assert same.previous.name == "a"
    assert [run.name for run in same.earlier] == ["b", "a", "e"]
    assert earlier_runs(tmp_path / "new", "2" * 64).previous is None
    shutil.rmtree(tmp_path / "e")
    replaced = earlier_runs(older)
    assert replaced.replaced
    assert replaced.previous is not None
    assert replaced.previous.name == "b"
    assert len(replaced.earlier) == 2


def changed_prior(formula: str) -> dict[str, Any]:
    return {"models": {"proteinuria": {"priors": {"change_mean": {PROTEIN: formula}}}}}


def test_a_prior_stays_post_hoc_until_it_is_what_it_was_first(tmp_path: Path) -> None:
    def next_run(name: str, day: int, formula: str) -> list[dict[str, Any]]:
        content = {"started": f"2026-03-0{day}T00:00:00+00:00", "data": {"sha256": "0" * 64}}
        content |= changed_prior(formula)
        found = record(content, earlier_runs(tmp_path / name))
        shutil.rmtree(tmp_path / name, ignore_errors=True)
        write_manifest(tmp_path / name, **(content | found))
        return found["post_hoc"]

    assert next_run("out", 1, "Normal(0, 0.7)") == []
    (change,) = next_run("out", 2, "Normal(0, 0.2)")  # the first run is replaced, not forgotten
    assert change["from"]["formula"] == "Normal(0, 0.7)"
    assert change["started"].startswith("2026-03-01")
    (again,) = next_run("out", 3, "Normal(0, 0.2)")  # no change now, and still post hoc
    assert again["from"]["formula"] == "Normal(0, 0.7)"
    (beside,) = next_run("other", 4, "Normal(0, 0.1)")
    (sentence,) = post_hoc_sentences({"post_hoc": [beside]})
    assert "was Normal(0, 0.7) in run out" in sentence
    assert next_run("back", 5, "Normal(0, 0.7)") == []
    other_data = changed_prior("Normal(0, 9)") | {"data": {"sha256": "1" * 64}}
    assert record(other_data, earlier_runs(tmp_path / "new"))["post_hoc"] == []


def test_a_job_records_its_past_and_reports_the_difference(
    first: Run,
    other_prior: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reported: list[Run] = []
    # These results have no draws of the patients, which most analyses need.
    some = tuple(each for each in catalogue() if each.name in ("results", "previous"))
    monkeypatch.setattr(pipeline, "render_pages", lambda run: reported.append(run) or {})

    def job(run: Run, name: str) -> dict[str, Any]:
        done = {result.name: Worked(result, {}) for result in run.results}
        monkeypatch.setattr(pipeline, "work_all", lambda *_: done)
        cards = tuple(result.fit.card for result in run.results)
        folder = tmp_path / name
        asked = Job(COHORT, cards, DEFINITIONS, analyses=some)
        run_job(asked, folder, lambda *_: None, force=True)
        recorded: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
        return recorded

    recorded = job(first, "one")
    assert (recorded["previous"], recorded["post_hoc"]) == (None, [])
    recorded = job(other_prior, "two")
    assert (recorded["previous"]["folder"], recorded["previous"]["replaced"]) == ("one", False)
    assert recorded["post_hoc"][0]["to"]["exact"]["sigma"] == 0.30004
    recorded = job(first, "two")  # in its place
    assert (recorded["previous"]["folder"], recorded["previous"]["replaced"]) == ("two", True)
    assert recorded["post_hoc"] == []

    said = [run.section("previous").words["previous"] for run in reported]
    assert [each.numbers is None for each in said] == [True, False, False]


def test_the_report_shows_no_number_where_nothing_moved_beyond_noise(
    first: Run, other_seed: Run, seeds_apart: Comparison
) -> None:
    past = {"previous": {"folder": "before", "started": first.manifest["started"]}}
    run = replace(other_seed, manifest=other_seed.manifest | past)
    said = report_difference(run, seeds_apart)
    assert said.numbers is None
    assert said.settings is not None
    assert said.settings.rows == (("sampling: seed", "1", "2"),)
