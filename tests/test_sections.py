"""A toy analysis is found wherever sections are walked: report, terminal, folder, comparison."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import runs
from rich.console import Console
from test_plots import result_of
from trees import make_tree

from mnbayes.analyses.catalogue import catalogue, register_section, unregister_section
from mnbayes.analyses.comparison.runs import compare_runs
from mnbayes.base.text_table import Table
from mnbayes.cards.definitions import load_definitions
from mnbayes.data.cohort import Cohort
from mnbayes.report.page import render_report
from mnbayes.report.terminal import show_section
from mnbayes.run.analysis import Analysis, sections_of
from mnbayes.run.manifest import sections_manifest
from mnbayes.run.outputs import write_run
from mnbayes.run.run import Run
from mnbayes.run.section import PageOne, Picture, Section, Tidy
from mnbayes.run.stored_run import load_run, stored

#: What the toy's table holds for a quantity of each patient.
DOSES = {"A": 1.5, "B": 2.5}


def toy_section(run: Run) -> Section:
    """How much each patient was given."""
    frame = pd.DataFrame(
        {"patient": list(DOSES), "dose": list(DOSES.values()), "dose_mcse": [0.01, 0.01]}
    )
    rows = tuple((patient, f"{dose:g}") for patient, dose in DOSES.items())
    return Section(
        name="toy",
        title="Doses of a toy",
        tables={"toy_doses": Tidy(frame, keys=("patient",), errors={"dose": "dose_mcse"})},
        pictures={"toy": (Picture("dose", "Doses", "Two bars", b"<svg/>"),)},
        page_one=PageOne("What was given?", "", ("Patient B was given most.",)),
        sentences=("Doses differ by 1.",),
        shown=(Table("Dose of each patient", ("patient", "dose"), rows),),
        record={"unit": "mL"},
    )


TOY = Analysis(name="toy", title="Doses of a toy", section=toy_section)


@pytest.fixture
def toy() -> Iterator[Analysis]:
    yield register_section(TOY)
    unregister_section("toy")


@pytest.fixture
def run(toy: Analysis, cohort: Cohort) -> Run:
    result = result_of(make_tree(draws=40))
    some = [
        each for each in catalogue() if each.name in ("results", "toy", "limitations", "summary")
    ]
    made = sections_of(Run(cohort, load_definitions(), (result,), "weak"), some)
    manifest = {"synthetic": True, "started": "2026-01-02T03:04:05+00:00", "models": {}}
    return replace(made, manifest=manifest | sections_manifest(made))


def test_it_stands_in_the_report_and_on_page_1(run: Run) -> None:
    html = render_report(run)
    own = html.split('<section id="toy">')[1].split("</section>")[0]
    for text in ("Doses of a toy", "Doses differ by 1.", "<td>2.5</td>", "data:image/svg+xml"):
        assert text in own
    assert '<a href="#toy">' in html
    first = html.split('<section id="summary">')[1].split("</section>")[0]
    assert "Patient B was given most." in first
    # Registered analyses stand before the limitations, which close the report.
    assert html.index('<section id="toy">') < html.index('<section id="limitations">')


def test_the_terminal_prints_the_same_table(run: Run) -> None:
    console = Console(width=100, file=io.StringIO())
    show_section(run.section("toy"), console)
    text = console.file.getvalue()
    for cell in ("Doses of a toy", "Doses differ by 1.", "Dose of each", "2.5"):
        assert cell in text


def test_its_files_are_in_the_folder(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path / "run", None)
    written = pd.read_csv(tmp_path / "run" / "toy_doses.csv")
    assert dict(zip(written["patient"], written["dose"], strict=True)) == DOSES
    assert (tmp_path / "run" / "plots" / "toy_dose.svg").read_bytes() == b"<svg/>"
    said = json.loads((tmp_path / "run" / "run.json").read_text())["sections"]["toy"]
    assert said["title"] == "Doses of a toy"
    assert said["unit"] == "mL"
    assert said["compared"] == {"toy_doses": {"keys": ["patient"], "errors": {"dose": "dose_mcse"}}}


def test_two_runs_are_compared_by_it(run: Run, tmp_path: Path, monkeypatch) -> None:
    write_run(run, tmp_path / "a", None)
    monkeypatch.setitem(DOSES, "B", 2.6)
    section = toy_section(run)
    others = tuple(section if each.name == "toy" else each for each in run.sections)
    write_run(replace(run, sections=others), tmp_path / "b", None)
    numbers = compare_runs(tmp_path / "a", tmp_path / "b").numbers
    doses = numbers[numbers["table"] == "toy_doses"].set_index("patient")
    assert doses.loc["B", "difference"] == pytest.approx(0.1)
    # 0.1 in errors of the difference: 0.01 * sqrt(2).
    assert doses.loc["B", "in_errors"] == pytest.approx(0.1 / (0.01 * 2**0.5))
    assert doses["verdict"].to_dict() == {"A": "same", "B": "changed"}


def test_a_run_in_memory_has_the_same_numbers_as_one_read_back(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path / "run", None)
    back, memory = load_run(tmp_path / "run"), stored(run, "run")
    own = [each.numbers[each.numbers["table"] == "toy_doses"] for each in (back, memory)]
    pd.testing.assert_frame_equal(*(each.reset_index(drop=True) for each in own))
    assert len(own[0]) == len(DOSES)


def test_a_name_is_given_once(toy: Analysis) -> None:
    with pytest.raises(ValueError, match="is called toy already"):
        register_section(TOY)
    with pytest.raises(ValueError, match="no analysis is called other"):
        unregister_section("other")


def test_a_section_that_is_absent_says_why(cohort: Cohort) -> None:
    absent = Section(name="toy", title="A toy", absent="nobody was given any")
    run = Run(cohort, load_definitions(), (result_of(make_tree(draws=40)),), "weak")
    assert "Not shown: nobody was given any." in render_report(replace(run, sections=(absent,)))
    assert absent.described["absent"] == "nobody was given any"


def test_names_in_the_catalogue_are_unique() -> None:
    names = [analysis.name for analysis in catalogue()]
    assert len(set(names)) == len(names)
    assert names[-1] == "summary"  # the others give their sentences to it


def test_every_figure_of_a_result_says_what_it_shows() -> None:
    figures = runs.drawn(result_of(make_tree(draws=40)), load_definitions())
    assert all(len(each.alt) > 40 for each in figures)
    names = [each.name for each in figures]
    assert len(set(names)) == len(names)
