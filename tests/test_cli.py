"""The commands as a user runs them."""

import json
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
import xarray as xr
from cohorts import write_cohort
from study_replicates import wait_until
from test_report_budget import MOST, PAGE_ONE, Shown, words
from typer.testing import CliRunner

from mnbayes.cards.definitions import load_definitions
from mnbayes.cli import app
from mnbayes.inference.sampling import Engine
from mnbayes.run.record import MANIFEST

ROOT = Path(__file__).parents[1]
runner = CliRunner()

PROBABILITY_COLUMNS = "model quantity patient week category probability mcse prior_probability"
GMR = "gmr_median gmr_lower gmr_upper p_fall p_fall_30 p_fall_50"
ESTIMATE_COLUMNS = f"model marker week {GMR} " + " ".join(f"{c}_prior" for c in GMR.split())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The main job on the embedded cohort: every card, without the refits."""
    out = tmp_path_factory.mktemp("run") / "out"
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "fit.py", "--no-influence", "--out", out],
        capture_output=True,
        text=True,
        check=False,
        cwd=out.parent,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(out)
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    assert "SYNTHETIC cohort: no real patient." in done.stdout
    # The answer, the decision and where to read on: nothing long before them.
    assert len(done.stdout.splitlines()) <= 15
    assert f"open {out / 'report.html'}" in done.stdout.splitlines()
    said = " ".join(done.stdout.split())
    assert re.search(
        r"24-h urinary protein at week 12 fell to \d+ % \(\d+ % to \d+ %\) of baseline", said
    )
    assert re.search(r"Remission: (no-go|go|consider)\.", said)
    return out


pytestmark = pytest.mark.xdist_group("remission")


def test_files_of_a_run(finished: Path) -> None:
    names = {p.relative_to(finished).as_posix() for p in finished.rglob("*") if p.is_file()}
    tables = "probabilities population estimates diagnostics safety withdrawal subsets decision "
    tables += "correlations power_scaling assurance designs published_answers historical_rates "
    assert names >= {f"{name}.csv" for name in (tables + "historical_left_out").split()}
    models = "proteinuria remission lymphocytes joint urine_protein_conc published historical"
    assert names >= {f"posterior/{name}.nc" for name in models.split()}
    plots = "joint_correlations lymphocytes_subset_forest remission_trajectories_albumin "
    plots += "proteinuria_trajectories_urine_protein_24h decision_assurance published_answers"
    assert names >= {f"plots/{name}.svg" for name in plots.split()}
    for picture in finished.rglob("*.svg"):
        ET.parse(picture)  # a browser shows nothing of what is no XML
    assert {"report.html", "annex.html", "paper.html", "history.html", MANIFEST} <= names


def test_withdrawal_fits_a_screen_and_takes_the_run_by_itself(finished: Path) -> None:
    done = runner.invoke(app, ["withdrawal", str(finished)], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    twice = runner.invoke(app, ["withdrawal", str(finished), "--run", "elsewhere"])
    assert twice.exit_code == 2
    assert "one folder: RUN, or --run" in twice.stderr


def test_probabilities_csv(finished: Path) -> None:
    table = pd.read_csv(finished / "probabilities.csv")
    assert table.columns.tolist() == [*PROBABILITY_COLUMNS.split(), "synthetic"]
    assert (table["synthetic"] == (table["model"] != "published")).all()
    assert set(table["model"]) == {"proteinuria", "remission", "joint", "published"}
    own = ["observed", "latent", "repeat"]
    assert set(table["quantity"]) == {*own, "next_patient", "population", "exceeds"}
    assert set(table["category"]) == set(load_definitions().categories)
    assert set(table["week"]) == {1, 2, 4, 12}
    assert set(table.loc[table["model"] == "published", "week"]) == {12}
    assert (table["patient"].notna() == table["quantity"].isin(own)).all()
    assert table["probability"].dropna().between(0, 1).all()
    modelled = table[(table["quantity"] != "observed") & table["probability"].notna()]
    # The shares that published counts give are exact.
    assert (modelled.loc[modelled["model"] != "published", "mcse"] > 0).all()
    assert modelled["prior_probability"].between(0, 1).all()
    # The withdrawn patient was not measured at week 12, but is predicted.
    left = table.query("patient == 'MN01' and week == 12 and model == 'remission'")
    assert left.loc[left["quantity"] == "observed", "probability"].isna().all()
    assert left.loc[left["quantity"] == "latent", "probability"].notna().all()


def test_estimates_csv(finished: Path) -> None:
    table = pd.read_csv(finished / "estimates.csv")
    assert table.columns.tolist() == [*ESTIMATE_COLUMNS.split(), "synthetic"]
    assert len(table) == 4 * (1 + 2 + 5 + 7 + 1) + 1
    (published,) = table[table["model"] == "published"].itertuples()
    assert (published.marker, published.week) == ("urine_protein_24h", 12)
    assert (table["gmr_lower"] < table["gmr_median"]).all()
    assert (table["p_fall_50"] <= table["p_fall_30"]).all()
    diagnostics = pd.read_csv(finished / "diagnostics.csv")
    assert {"model", "parameter", "ess_bulk", "ess_tail"} <= set(diagnostics.columns)
    sampled = diagnostics["model"] != "published"  # which is summed on a grid
    assert (diagnostics.loc[sampled, "rhat"] < 1.01).all()
    assert diagnostics.loc[~sampled, "rhat"].isna().all()


def test_run_json(finished: Path) -> None:
    run = json.loads((finished / MANIFEST).read_text())
    assert (run["converged"], run["synthetic"], run["divergences"]) == (True, True, 0)
    assert run["worst_rhat"] < 1.01
    assert run["worst_ess"] > 400
    assert run["seed"] == 1
    assert run["prior_set"] == "weak"
    assert len(run["data"]["sha256"]) == 64
    assert [(s["name"], len(s["sha256"])) for s in run["prior_sets"]] == [("weak", 64)]
    for key in ("card_sha256", "priors_sha256"):
        assert {len(model[key]) for model in run["models"].values()} == {64}
    assert all(model["beliefs"] == {} for model in run["models"].values())
    assert {"python", "pymc", "nutpie", "mnbayes"} <= set(run["versions"])
    assert run["models"]["remission"]["seconds"]["sample"] > 0
    with xr.open_datatree(finished / "posterior" / "remission.nc", engine="h5netcdf") as tree:
        assert tree["posterior"]["marker"].to_numpy().tolist() == ["urine_protein_24h", "albumin"]


def test_what_stands_beside_the_cohort_is_recorded_and_apart(finished: Path) -> None:
    run = json.loads((finished / MANIFEST).read_text())
    for name in ("published", "historical"):
        assert run["sections"][name]["converged"] is True
        assert name not in run["models"]
    page = (finished / "paper.html").read_text()
    section = page[page.index('<section id="published">') :]
    section = section[: section.index("</section>")]
    assert "No patient of the synthetic cohort is in it" in section
    assert '<p class="tag">' not in section


@pytest.mark.parametrize("engine", [*get_args(Engine), "metropolis"])
def test_every_engine_can_be_asked_for(engine: str) -> None:
    done = runner.invoke(app, ["fit", "--engine", engine, "--model", "nothing"])
    assert done.exit_code == 2
    assert ("--engine" in done.output) == (engine == "metropolis")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("published", "mnbayes published"),
        ("historicl", "conc, published, historical"),
    ],
)
def test_beside_alone_and_a_misspelt_model_are_refused(
    model: str, said: str, tmp_path: Path
) -> None:
    done = runner.invoke(app, ["fit", "--model", model, "--out", str(tmp_path / "o")])
    assert done.exit_code == 2
    assert said in " ".join(done.output.split())
    assert not (tmp_path / "o").exists()


def test_report_says_synthetic_and_needs_no_network(finished: Path) -> None:
    for page in ("report", "annex", "paper", "history"):
        text = (finished / f"{page}.html").read_text(encoding="utf-8")
        assert "SYNTHETIC" in text
        for reference in ('src="http', "url(http", "<link", "<script src"):
            assert reference not in text


def test_pages_of_every_card_keep_their_budgets_of_words(finished: Path) -> None:
    shown = {file: Shown((finished / file).read_text(encoding="utf-8")) for file in MOST}
    counts = {file: words(" ".join(each.every)) for file, each in shown.items()}
    assert {file: count for file, count in counts.items() if count > MOST[file]} == {}
    assert words(" ".join(shown["report.html"].first)) <= PAGE_ONE


@pytest.mark.usefixtures("few_pictures")
def test_settings_over_files_over_sets_and_no_report(tmp_path: Path, proteinuria: object) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine.toml"
    mine.write_text("[priors.visit_sd.urine_protein_24h]\nsigma = 0.25\n")
    arguments = ["fit", "--model", "proteinuria", "--priors", str(mine), "--priors", "enthusiastic"]
    arguments += ["--set", "change_sd=95% below 0.8", "--set", "residual_sd.sigma=0.4"]
    arguments += ["--no-report", "--no-influence", "--seed", "7"]
    done = runner.invoke(app, [*arguments, "--out", str(out)])
    assert done.exit_code == 0, done.output
    said = " ".join(done.stderr.split())
    assert "visit_sd ~ Half-normal(0.25), the card has Half-normal(0.5)" in said
    run = json.loads((out / MANIFEST).read_text())
    assert not (out / "report.html").exists()
    assert (run["prior_set"], run["seed"]) == ("enthusiastic + mine", 7)
    assert run["settings"] == ["change_sd=95% below 0.8", "residual_sd.sigma=0.4"]
    used = run["models"]["proteinuria"]["priors"]
    assert used["residual_sd"] == {"urine_protein_24h": "Log-normal(-1.31, 0.4)"}
    assert [each["name"] for each in run["prior_sets"]] == ["enthusiastic", "mine"]
    assert run["models"]["proteinuria"]["beliefs"] == {
        "change_mean": {"urine_protein_24h": "90% between 0.25 and 0.8 on gmr"},
        "change_sd": {"urine_protein_24h": "95% below 0.8 on sd"},
    }


@pytest.mark.usefixtures("few_pictures")
def test_a_fit_that_fails_the_gate_has_no_probability_and_status_1(
    tmp_path: Path, proteinuria: object
) -> None:
    out = tmp_path / "out"
    arguments = ["fit", "--model", "proteinuria", "--draws", "20", "--tune", "200"]
    arguments += ["--no-influence", "--out", str(out)]
    done = runner.invoke(app, arguments)
    assert done.exit_code == 1
    assert "did not converge" in done.stdout
    assert "withheld" in done.stdout
    table = pd.read_csv(out / "probabilities.csv")
    assert table.loc[table["quantity"] != "observed", "probability"].isna().all()
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "effective sample size" in report
    assert json.loads((out / MANIFEST).read_text())["converged"] is False
    shown = runner.invoke(app, [*arguments, "--no-report", "--allow-unconverged", "--force"])
    assert shown.exit_code == 1
    latent = pd.read_csv(out / "probabilities.csv").query("quantity == 'latent'")
    assert latent["probability"].notna().any()


def bad_inputs() -> dict[str, tuple[Callable[[Path], None], str]]:
    """What a user may hand over: how to make it in a good cohort's folder, what is said."""

    def changed(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
        def make(folder: Path) -> None:
            path = folder / "measurements.csv"
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            change(table).to_csv(path, index=False)

        return make

    def edit(row: int, column: str, value: object) -> Callable[[Path], None]:
        def change(table: pd.DataFrame) -> pd.DataFrame:
            table.loc[row, column] = str(value)
            return table

        return changed(change)

    def no_baseline(table: pd.DataFrame) -> pd.DataFrame:
        first = (table["patient"] == table["patient"].iloc[0]) & (table["week"].astype(float) == 0)
        return table[~first]

    def empty(folder: Path) -> None:
        (folder / "measurements.csv").write_bytes(b"")

    def other_study(folder: Path) -> None:
        lines = "".join(f"{i},2020-01-01,{i % 7},x\n" for i in range(1_000_000))
        (folder / "measurements.csv").write_text("id,date,score,arm\n" + lines)

    return {
        "empty file": (empty, "measurements.csv"),
        "missing column": (changed(lambda table: table.drop(columns="unit")), "unit"),
        "text in a number column": (edit(2, "value", "high"), "row 4, column value"),
        "wrong unit": (edit(1, "unit", "mmol/L"), "row 3, column unit"),
        "duplicate visit": (changed(lambda table: pd.concat([table, table.iloc[[0]]])), "row 2"),
        "no baseline": (changed(no_baseline), "baseline"),
        "negative value": (edit(0, "value", -3), "row 2, column value"),
        "unknown marker": (edit(0, "marker", "albumen"), "albumin"),
        "NaN": (edit(0, "value", "NaN"), "row 2, column value"),
        "another study": (other_study, "a column named week"),
        "missing folder": (shutil.rmtree, "folder"),
    }


@pytest.mark.parametrize("case", bad_inputs())
@pytest.mark.parametrize("command", ["check", "fit"])
def test_bad_input_is_said_and_nothing_written(case: str, command: str, tmp_path: Path) -> None:
    if case == "another study" and command == "fit":
        pytest.skip("the same loader, and a slow file to make twice")
    make, message = bad_inputs()[case]
    folder = write_cohort(tmp_path / "mine")
    make(folder)
    out = tmp_path / "out"
    fit = ["fit", "--data", str(folder), "--out", str(out)]
    done = runner.invoke(app, ["check", str(folder)] if command == "check" else fit)
    assert done.exit_code == 2, done.output
    assert "Traceback" not in done.output
    assert message in done.stderr
    assert "expected" in done.stderr
    assert not out.exists()


def test_problems_of_data_model_and_priors_come_together(tmp_path: Path) -> None:
    wrong = ["--model", "protein", "--priors", "wild", "--set", "x=1"]
    done = runner.invoke(app, ["fit", "--data", str(tmp_path / "gone"), *wrong])
    assert done.exit_code == 2
    for part in ("gone", "'protein'", "'wild'", "NAME.ARG=VALUE"):
        assert part in done.stderr


@pytest.mark.parametrize(("option", "value"), [("--n", "2"), ("--n", "201"), ("--replicates", "1")])
def test_studies_too_small_to_say_anything_are_refused(
    option: str, value: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = runner.invoke(app, ["characteristics", option, value, "--out", str(out)])
    assert done.exit_code == 2
    assert option in done.stderr
    assert "should be" in done.stderr
    assert not out.exists()


def test_output_folder_with_other_files_is_refused_before_fitting(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = runner.invoke(app, ["fit", "--out", str(tmp_path)])
    assert done.exit_code == 2
    assert "holds other files" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "text", ["change_maen.sigma=0.3", "change_mean.sigma=-1", "change_mean.sigma=x"]
)
def test_misspelt_or_impossible_priors_are_refused(text: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = runner.invoke(app, ["fit", "--set", text, "--out", str(out)])
    assert done.exit_code == 2
    assert "--set" in done.stderr
    assert not out.exists()


def test_priors_that_make_the_data_impossible_are_said(tmp_path: Path, proteinuria: object) -> None:
    out = tmp_path / "out"
    arguments = ["fit", "--model", "proteinuria", "--out", str(out)]
    done = runner.invoke(app, [*arguments, "--set", "residual_sd.sigma=1e-290"])
    assert done.exit_code in (1, 2)
    assert "Traceback" not in done.output
    if done.exit_code == 2:
        assert "priors under which the measurements are possible" in done.stderr
        assert not out.exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    done = runner.invoke(app, ["fit", "--out", str(blocked / "out")])
    assert done.exit_code == 2
    assert "Traceback" not in done.output
    assert str(blocked) in done.stderr


def test_check_describes_a_good_cohort(tmp_path: Path) -> None:
    done = runner.invoke(app, ["check", str(write_cohort(tmp_path / "mine"))])
    assert done.exit_code == 0, done.output
    assert "4 patients" in done.stdout
    assert "SYNTHETIC" not in done.stdout


HELD = """
import sys
import time
from pathlib import Path
from types import SimpleNamespace
import mnbayes.pipeline
import mnbayes.run.outputs
from mnbayes.cli import main

def held(*_):
    Path(sys.argv[-1], "held").touch()
    time.sleep(1200)

# When the tables are written and the draws are not yet moved to their place.
mnbayes.run.outputs.shutil = SimpleNamespace(move=held)
mnbayes.pipeline.write_arviz_pictures = lambda *_, **__: None  # longer than the fit
mnbayes.pipeline.draw = lambda *_, **__: {}
main()
"""


def test_killed_run_leaves_the_previous_results(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / MANIFEST).write_text('{"run": "previous"}')
    options = ["fit", "--model", "proteinuria", "--no-influence", "--no-report", "--force"]
    options += ["--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-c", HELD, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    held = out / "held"
    wait_until(lambda: held.exists() or process.poll() is not None, "the run writes nothing")
    assert process.poll() is None
    held.unlink()
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert (out / MANIFEST).read_text() == '{"run": "previous"}'
