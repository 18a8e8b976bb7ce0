"""The toy analysis of CONTRIBUTING.md is found wherever sections are walked."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import runs
from rich.console import Console
from runs import result_of
from trees import make_tree

from mnbayes.analyses.catalogue import catalogue, register_section, unregister_section
from mnbayes.analyses.comparison.runs import compare_runs
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table
from mnbayes.cards.definitions import load_definitions
from mnbayes.data.cohort import Cohort
from mnbayes.report.kit.drawing import pictures_of
from mnbayes.report.page import PAGES, render_pages
from mnbayes.report.terminal import show_section, show_table
from mnbayes.run.analysis import Analysis, Shown, sections_of
from mnbayes.run.manifest import sections_manifest
from mnbayes.run.outputs import write_run
from mnbayes.run.run import Run
from mnbayes.run.section import Section
from mnbayes.run.stored_run import load_run, stored

PAGE = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
DEFINITIONS = load_definitions()


@pytest.fixture
def noise() -> Iterator[Analysis]:
    """The analysis as the page writes it, registered."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names: dict[str, object] = {}
    exec(compile(code, "CONTRIBUTING.md", "exec"), names)
    analysis = names["NOISE"]
    assert isinstance(analysis, Analysis)
    yield register_section(analysis)
    unregister_section("noise")


def run_of(analysis: Analysis, cohort: Cohort, shift: float = 0.0) -> Run:
    """A run of one model with the analysis's part and figure, and a few sections."""
    tree = make_tree(markers=("urine_protein_24h",), draws=40)
    groups = {name: node.to_dataset() for name, node in tree.children.items()}
    groups["posterior"]["residual_sd"] = groups["posterior"]["residual_sd"] + shift
    base = result_of(type(tree).from_dict(groups))
    result: Result = summarise(base.fit, DEFINITIONS, analyses=[analysis])
    drawn = analysis.figures(result, Shown(DEFINITIONS, synthetic=True))
    pictures = {"noise": {result.name: pictures_of(drawn, "a model")}}
    some = [a for a in catalogue() if a.name in ("results", "noise", "limitations", "summary")]
    run = Run(cohort, DEFINITIONS, (result,), "weak", pictures=pictures)
    made = sections_of(run, some)
    manifest = {"synthetic": True, "started": "2026-01-02T03:04:05+00:00", "models": {}}
    return replace(made, manifest=manifest | sections_manifest(made))


@pytest.fixture
def run(noise: Analysis, cohort: Cohort) -> Run:
    return run_of(noise, cohort)


def by_hand(run: Run) -> float:
    """Share of the draws above the page's threshold."""
    (sd,) = (result.fit.tree["posterior"]["residual_sd"] for result in run.results)
    return float((sd > 0.3).mean())


def test_it_stands_in_the_report_and_on_page_1(run: Run) -> None:
    html = render_pages(run)["report.html"]
    own = html.split('<section id="noise">')[1].split("</section>")[0]
    assert f"<td>{100 * by_hand(run):.0f}" in own
    assert own.count("data:image/svg+xml") == 1
    assert '<a href="#noise">' in html
    first = html.split('<section id="summary"')[1].split("</section>")[0]
    assert "Noisiest is urine_protein_24h." in first
    # Registered analyses stand before the limitations, which close the report.
    assert html.index('<section id="noise">') < html.index('id="limitations"')


def test_the_terminal_prints_the_same_table(run: Run) -> None:
    console = Console(width=100, file=io.StringIO())
    show_section(run.section("noise"), console)
    text = console.file.getvalue()
    assert f"{100 * by_hand(run):.0f} %" in text


INTERVALS = Table(
    "GMR",
    (
        "Changes of two markers",
        *(f"{of}: {what}" for of in ("Data", "Prior") for what in ("GMR", "P", "error")),
        "Remark",
    ),
    tuple(
        (
            f"24-h protein and albumin, week {week}",
            *(f"{week}.55 (0.31 to {week}.72)", ">99 %", f"−0.{week}1 to 0.{week}4"),
            *(f"{week}.01 (0.24 to 39{week}.1)", "2 %", f"{week} % to 10{week} %"),
            "prior-dominated",
        )
        for week in (1, 2, 4)
    ),
    frozenset({0, 7}),
)


@pytest.mark.parametrize(("width", "parts"), [(44, 3), (80, 2), (120, 1)])
def test_no_interval_is_broken(width: int, parts: int) -> None:
    console = Console(width=width, file=io.StringIO())
    show_table(INTERVALS, console)
    shown = console.file.getvalue()
    assert max(map(len, shown.splitlines())) <= width
    assert shown.count("───\n") == parts  # each with the names of the rows
    for row in INTERVALS.rows:
        for cell in row[1:]:
            for whole in cell.replace(" (", "\n(").split("\n"):
                assert whole in shown


def test_a_table_whose_rows_have_one_name_is_not_cut() -> None:
    rows = tuple(("a", *row[1:]) for row in INTERVALS.rows)
    console = Console(width=60, file=io.StringIO())
    show_table(replace(INTERVALS, rows=rows), console)
    shown = console.file.getvalue()
    assert "───" not in shown
    assert shown.count("  Data: GMR: ") == len(rows)


def test_its_files_are_in_the_folder_and_in_the_record(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path / "run", None)
    written = pd.read_csv(tmp_path / "run" / "noise.csv")
    assert written["probability"].tolist() == [pytest.approx(by_hand(run))]
    picture = (tmp_path / "run" / "plots" / "proteinuria_noise.svg").read_bytes()
    assert picture.startswith(b"<?xml")
    said = json.loads((tmp_path / "run" / "run.json").read_text())["sections"]["noise"]
    assert said["title"] == "Is a measurement noisy?"
    assert said["threshold"] == 0.3
    assert said["compared"]["noise"]["errors"] == {"probability": "mcse"}


def test_two_runs_are_compared_by_it(noise: Analysis, cohort: Cohort, tmp_path: Path) -> None:
    before, after = run_of(noise, cohort), run_of(noise, cohort, shift=1.0)
    for name, run in (("a", before), ("b", after)):
        write_run(run, tmp_path / name, None)
    numbers = compare_runs(tmp_path / "a", tmp_path / "b").numbers
    (row,) = numbers[numbers["table"] == "noise"].to_dict("records")
    assert by_hand(after) == 1.0
    assert row["difference"] == pytest.approx(1.0 - by_hand(before))
    errors = [run.section("noise").tables["noise"].frame["mcse"].iloc[0] for run in (before, after)]
    expected = row["difference"] / (errors[0] ** 2 + errors[1] ** 2) ** 0.5
    assert row["in_errors"] == pytest.approx(expected)


def test_a_run_in_memory_has_the_same_numbers_as_one_read_back(run: Run, tmp_path: Path) -> None:
    write_run(run, tmp_path / "run", None)
    back, memory = load_run(tmp_path / "run"), stored(run, "run")
    own = [each.numbers[each.numbers["table"] == "noise"] for each in (back, memory)]
    pd.testing.assert_frame_equal(*(each.reset_index(drop=True) for each in own))
    assert len(own[0]) == 1


def test_a_name_is_given_once(noise: Analysis) -> None:
    with pytest.raises(ValueError, match="is called noise already"):
        register_section(noise)
    with pytest.raises(ValueError, match="no analysis is called other"):
        unregister_section("other")


def test_a_section_that_is_absent_says_why(cohort: Cohort) -> None:
    absent = Section(name="toy", title="A toy", absent="nobody was given any")
    run = Run(cohort, DEFINITIONS, (result_of(make_tree(draws=40)),), "weak")
    page = render_pages(replace(run, sections=(absent,)))["report.html"]
    assert "Not shown: nobody was given any." in page
    assert absent.described["absent"] == "nobody was given any"


def test_names_in_the_catalogue_are_unique() -> None:
    names = [analysis.name for analysis in catalogue()]
    assert len(set(names)) == len(names)
    assert names[-1] == "summary"  # the others give their sentences to it


def test_every_figure_of_a_result_says_what_it_shows() -> None:
    figures = runs.drawn(result_of(make_tree(draws=40)), DEFINITIONS)
    assert all(len(each.alt) > 40 for each in figures)
    names = [each.name for each in figures]
    assert len(set(names)) == len(names)


def test_annex_paper_and_history_are_files_of_their_own(cohort: Cohort) -> None:
    result = result_of(make_tree(markers=("urine_protein_24h",), draws=40))
    run = runs.with_sections(Run(cohort, DEFINITIONS, (result,), "weak"))
    pages = render_pages(run)
    assert list(pages)[:2] == ["report.html", "annex.html"]
    for file, page in PAGES.items():
        own = [s.name for s in run.sections if s.place in page.places and not s.hidden]
        if page.places == ("annex",):  # and what it adds to sections of the main report
            own += [s.name for s in run.sections if s.annex and s.place == "main"]
        if file not in pages:
            assert not own
            continue
        anchors = re.findall(r'<(?:section|div) id="([^"]+)"', pages[file])
        assert sorted(a for a in anchors if not a.startswith("part-")) == sorted(own)
        # Each links to the others, and to nothing that is not there.
        files = set(re.findall(r'href="([a-z]+\.html)[#"]', pages[file]))
        assert files == set(pages) - {file}
        inside = set(re.findall(r'href="#([^"]+)"', pages[file]))
        assert inside <= set(re.findall(r'id="([^"]+)"', pages[file]))
    places = {section.name: section.place for section in run.sections}
    assert places["summary"] == "page 1"
    assert places["results"] == places["withdrawal"] == places["limitations"] == "main"
    assert places["computation"] == places["characteristics"] == "main"
    assert places["priors"] == places["correlations"] == "annex"
    assert (places["published"], places["historical"]) == ("paper", "history")
