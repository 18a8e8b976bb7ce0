"""The smoke part: what a user does in an afternoon, once, wherever Python runs.

`sh scripts/smoke.sh` runs it with processes that are spawned, in a Turkish locale and without a
network, and on one core.
"""

import locale
from collections.abc import Iterator
from pathlib import Path

import pytest
import study_replicates as sr
from typer.testing import CliRunner

import mnbayes as mn
from mnbayes.analyses.sensitivity.multiverse import run_multiverse
from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.cards.card import load_card
from mnbayes.cli import app
from mnbayes.data.cohort import Cohort
from mnbayes.studies.run import run_study

pytestmark = pytest.mark.smoke

MODELS = ("proteinuria", "urine_protein_conc")


@pytest.fixture(autouse=True)
def user_s_locale() -> Iterator[None]:
    """Every category of it, as programs that embed Python set it."""
    before = locale.setlocale(locale.LC_ALL)
    locale.setlocale(locale.LC_ALL, "")
    yield
    locale.setlocale(locale.LC_ALL, before)


def ended(*arguments: str) -> int:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.output
    return done.exit_code


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two models, too short to converge: what they come to is withheld."""
    folder = tmp_path_factory.mktemp("smoke") / "ein Lauf, забег"
    models = [word for name in MODELS for word in ("--model", name)]
    draws = ["--chains", "2", "--draws", "20", "--tune", "100", "--no-influence"]
    assert ended("fit", *models, *draws, "--out", str(folder)) == 1
    return folder


def test_a_cohort_is_checked(tmp_path: Path) -> None:
    assert ended("check", str(embedded_cohort_folder())) == 0
    assert ended("check", str(tmp_path)) == 2


def test_a_run_is_read_back(run: Path) -> None:
    opened = mn.open_run(run)
    assert set(opened.tables["diagnostics"]["model"]) == set(MODELS)
    for name in MODELS:
        assert opened.posterior(name)["posterior"].sizes["draw"] == 20
    assert mn.runs(run)["converged"].tolist() == [False]


def test_a_run_is_exported(run: Path) -> None:
    place = run.with_name("ihracat")
    assert ended("export", str(run), "--to", "csv", "--out", str(place)) in (0, 1)
    assert list(place.glob("*.csv"))


def test_a_study_is_run_by_processes(tmp_path: Path) -> None:
    study = sr.study(replicates=10)
    table = run_study(study, tmp_path / "bir çalışma", workers=2)
    assert len(table) == study.total


def test_a_multiverse_is_run(cohort: Cohort) -> None:
    short = mn.Sampling(chains=2, draws=20, tune=100)
    one = {"residuals": ["normal"], "trajectories": ["step"]}
    sets = ["weak", "sceptical"]
    card = load_card("proteinuria")
    found = run_multiverse(cohort, [card], prior_sets=sets, sampling=short, **one)
    assert found.table["prior_set"].unique().tolist() == sets
