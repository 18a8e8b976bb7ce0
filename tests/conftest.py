"""Session-scoped cohort and fits: each model is compiled and fitted once."""

import importlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings
from typer.testing import CliRunner

from mnbayes.base.problems import InputError
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.cli import app
from mnbayes.data.cohort import Cohort
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.markers import MARKERS
from mnbayes.inference.fit import Fit, Sampling, fit
from mnbayes.report.pdf import find_browser

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# The same examples each time and no clock: a busy machine fails nothing. New examples are looked
# for with `pytest --hypothesis-profile explore`.
settings.register_profile(
    "explore", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("repeatable", settings.get_profile("explore"), derandomize=True)
settings.load_profile("repeatable")


# Sockets are forbidden, here and in every process that a test starts.
NO_NETWORK = str(Path(__file__).with_name("no_network"))
sys.path.insert(0, NO_NETWORK)
sys.modules.pop("sitecustomize", None)
importlib.import_module("sitecustomize")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (NO_NETWORK, os.getenv("PYTHONPATH"))))


def pytest_addoption(parser: pytest.Parser) -> None:
    """How mnbayes starts its processes: by default as it chooses itself."""
    parser.addoption("--start-method", choices=["spawn", "forkserver"])


def pytest_configure(config: pytest.Config) -> None:
    if method := config.getoption("--start-method"):
        multiprocessing.set_start_method(method)


#: Test files of half a minute and more, the longest first.
LONGEST = {
    name: place
    for place, name in enumerate(
        [
            *("test_cli", "test_arviz", "test_identity", "test_own_model", "test_fitting"),
            *("test_tutorial", "test_other_trial", "test_made_card", "test_cohort_properties"),
            *("test_calibration", "test_report", "test_plots", "test_studies", "test_compiling"),
        ]
    )
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one process, so that what they share is made once.

    The files that take longest come first: one that starts late leaves the other process idle.
    """
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: LONGEST.get(item.path.stem, len(LONGEST)))


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium without a screen, where the machine has one."""
    from playwright.sync_api import sync_playwright

    try:
        found = find_browser()
    except InputError:
        pytest.skip("no Chromium on this machine")
    quiet = ["background-networking", "component-update", "sync"]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=found, args=[f"--disable-{each}" for each in quiet]
        )
        yield launched
        launched.close()


MakeCohort = Callable[..., Cohort]


@pytest.fixture(scope="session")
def cohort() -> Cohort:
    """The embedded synthetic cohort."""
    return embedded_cohort()


@pytest.fixture(scope="session")
def definitions() -> Definitions:
    return load_definitions()


@pytest.fixture(scope="session")
def proteinuria_card() -> Card:
    return load_card("proteinuria")


@pytest.fixture(scope="session")
def proteinuria(proteinuria_card: Card, cohort: Cohort) -> Fit:
    return fit(proteinuria_card, cohort, Sampling(seed=1))


@pytest.fixture(scope="session")
def remission(cohort: Cohort) -> Fit:
    return fit(load_card("remission"), cohort, Sampling(seed=1))


def script(name: str) -> ModuleType:
    """A module of scripts/, which says how a stored study was made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "scripts")
        return importlib.import_module(name)


@pytest.fixture(scope="session")
def lupus_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up cohort of another disease, as its files."""
    where = tmp_path_factory.mktemp("lupus") / "cohort"
    script("make_lupus").make(where)
    return where


@pytest.fixture(scope="session")
def lupus_run(lupus_folder: Path) -> Path:
    """The folder of its run, without the refits."""
    out = lupus_folder.parent / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnbayes.pipeline.write_arviz_pictures", lambda *_, **__: None)
        arguments = ["fit", "--data", str(lupus_folder), "--no-influence", "--out", str(out)]
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A card's pictures take longer than its fit: for tests that look at none of them."""
    monkeypatch.setattr("mnbayes.pipeline.write_arviz_pictures", lambda *_, **__: None)
    monkeypatch.setattr("mnbayes.pipeline.draw", lambda *_, **__: {})


def simulate_cohort(
    n_patients: int = 6,
    weeks: tuple[float, ...] = (0.0, 1.0, 4.0),
    markers: tuple[str, ...] = ("urine_protein_24h",),
    change: float = -0.6,
    residual_sd: float = 0.25,
    seed: int = 1,
) -> Cohort:
    """A cohort drawn from a plain version of the model, without reading files."""
    rng = np.random.default_rng(seed)
    patients = [f"S{i + 1:03d}" for i in range(n_patients)]
    rows = []
    for patient in patients:
        for marker in markers:
            scale = 1.0 if marker == "urine_protein_24h" else 0.2
            centre = np.log(4.0 if marker == "urine_protein_24h" else 28.0)
            base = centre + 0.5 * scale * rng.normal()
            own = (change + 0.3 * rng.normal()) * (1.0 if scale == 1.0 else -0.2)
            for week in weeks:
                level = base + (own if week > 0 else 0.0)
                value = np.exp(level + scale * residual_sd * rng.normal())
                rows.append((patient, week, marker, value, MARKERS[marker].unit, np.nan, np.nan))
    columns = ["patient", "week", "marker", "value", "unit", "lower", "upper"]
    table = pd.DataFrame(
        {
            "patient": patients,
            "sex": "female",
            "age_years": 50.0,
            "bmi": 25.0 + np.arange(n_patients),
            "infusions": 3,
            "withdrew_week": np.nan,
        }
    )
    return Cohort(table, pd.DataFrame(rows, columns=columns), "simulated", "0" * 64, True, ())
