"""Words, tables, pictures and files of the historical model."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from historical_tables import table_of
from matplotlib.figure import Figure
from rich.console import Console

from mnbayes.analyses.historical.card import load_historical_card
from mnbayes.analyses.historical.command import FILES, describe, run_historical
from mnbayes.analyses.historical.figure import (
    historical_figures,
    historical_forest,
    historical_refits,
)
from mnbayes.analyses.historical.fit import HistoricalResult, fit_historical
from mnbayes.analyses.historical.page import render_historical
from mnbayes.analyses.historical.readings import readings
from mnbayes.analyses.historical.section import (
    HistoricalSection,
    drawn,
    historical_section,
    section_of,
)
from mnbayes.analyses.historical.table import load_historical
from mnbayes.base.problems import InputError
from mnbayes.inference.sampling import Sampling
from mnbayes.report.kit.drawing import pictures_of
from mnbayes.report.terminal import show_section
from mnbayes.run.section import Picture

DOUBTFUL = {"month": 12.0, "overlap": "x", "read_as": "derived", "count_within": 1}
LATER = {"refractory": "no", "month": 14.0, "month_is": "average"}
RITUXIMAB = {"n": 20, "treatment_class": "rituximab"}
SMALL = [
    {"study": "A", "arm": "<b>one</b>", "remission": 5, "n": 23},
    {"study": "B", "remission": 30, "n": 90, **LATER},
    {"study": "C", "remission": 12, **RITUXIMAB, **DOUBTFUL},
    {"study": "D", "remission": 10, **RITUXIMAB, "overlap": "x"},
]


@pytest.fixture(scope="module")
def result() -> HistoricalResult:
    return fit_historical(
        table_of(SMALL), load_historical_card(), Sampling(seed=4), chosen=readings()[:1]
    )


@pytest.fixture(scope="module")
def pictures(result: HistoricalResult) -> tuple[Picture, ...]:
    return pictures_of(drawn(result), "historical")


@pytest.fixture(scope="module")
def section(result: HistoricalResult, pictures: tuple[Picture, ...]) -> HistoricalSection:
    return historical_section(result, pictures)


def page(section: HistoricalSection, result: HistoricalResult) -> str:
    from datetime import UTC, datetime

    return render_historical(section, describe(result, datetime.now(UTC)))


def test_week_12_is_never_an_unmarked_number(
    section: HistoricalSection, result: HistoricalResult
) -> None:
    at_trial = result.rates[result.rates["month"] == 2.76]
    assert at_trial["beyond"].tolist() == ["before the earliest study (month 6)"]
    assert section.conflicts is not None
    said = [*section.benchmark, *section.conflict, section.conflicts.caption]
    assert "2.76" not in " ".join(said)


def test_the_month_of_the_conflict_is_the_one_of_the_rate(
    section: HistoricalSection, result: HistoricalResult
) -> None:
    assert result.conflict["month"].tolist() == [6, 6]
    assert result.conflict["counted_month"].tolist() == [2.76, 2.76]
    assert section.conflicts is not None
    assert "month 6" in section.conflicts.caption
    assert "month 6" in section.conflict[0]


def test_refits_that_fail_show_no_number(result: HistoricalResult) -> None:
    failed = result.left_out.assign(reason="3 divergent transitions")
    told = historical_section(replace(result, left_out=failed))
    assert any("failed the checks" in sentence for sentence in told.robustness)
    assert not any("without " in sentence for sentence in told.robustness)


def test_every_prior_has_meaning_reason_and_source(section: HistoricalSection) -> None:
    assert len(section.priors.rows) == 5
    assert all(cell and "$" not in cell for row in section.priors.rows for cell in row)


def test_the_page_is_whole_and_escaped(
    section: HistoricalSection, result: HistoricalResult
) -> None:
    html = page(replace(section, robustness=("without <b>one</b>",)), result)
    assert html.count("<img") == 3
    assert "<b>one</b>" not in html
    assert "&lt;b&gt;one" in html
    assert not re.search(r"(src|href)=\"(?!data:|https://doi\.org|#)", html)
    for table in (section.classes, section.conflicts, section.priors):
        assert table is not None
        assert table.caption in html
        assert {len(row) for row in table.rows} == {len(table.head)}


def test_a_withheld_model_shows_no_number(result: HistoricalResult) -> None:
    reasons = ("3 divergent transitions",)
    names = ("rates", "arms", "conflict", "left_out", "readings")
    blank: dict[str, object] = dict.fromkeys(("mixture", "robust"))
    blank |= {name: pd.DataFrame(columns=getattr(result, name).columns) for name in names}
    gate = replace(result.gate, reasons=reasons)
    gone = replace(result, gate=gate, withheld=reasons, **blank)  # type: ignore[arg-type]
    assert historical_figures(gone) == {}
    told = historical_section(gone)
    html = page(told, gone)
    assert "3 divergent transitions" in html
    assert "<img" not in html
    body = html[html.index("<main>") : html.index("<details>")]
    assert not re.search(r"\d+\s%", re.sub(r"<[^>]+>", "", body))
    with pytest.raises(ValueError, match="withheld"):
        historical_refits(gone)


def test_doubtful_numbers_are_marked(result: HistoricalResult) -> None:
    doubtful = replace(result, gate=replace(result.gate, reasons=("R-hat 1.2",)))
    assert "Do not rely on them" in page(historical_section(doubtful), doubtful)
    figure = historical_figures(doubtful)["historical_forest"]
    assert "NOT CONVERGED" in figure.get_supxlabel()


def test_pictures_say_that_nothing_is_of_the_trial(result: HistoricalResult) -> None:
    for figure in historical_figures(result).values():
        assert "no patient of the trial" in figure.get_supxlabel().replace("\n", " ")


def test_the_forest_has_a_row_for_each_arm_class_and_the_prior(result: HistoricalResult) -> None:
    ax = Figure().subplots()
    assert historical_forest(result, ax) is ax.figure
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(labels) == len(result.arms) + 2 + 1
    assert labels.count("a new study") == 2  # of the two classes that have arms
    assert labels[-1] == "a new study, prior alone"
    points = {x for line in ax.lines for x in np.atleast_1d(line.get_xdata()).tolist()}
    assert set(100 * result.arms["median"]) < points
    assert 100 * result.benchmark["mean"] in points


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_terminal_prints_every_number_whole(result: HistoricalResult, width: int) -> None:
    console = Console(width=width, file=io.StringIO())
    own = section_of(result)
    show_section(own, console)
    printed = console.file.getvalue()
    assert max(map(len, printed.splitlines())) <= width
    said = " ".join(printed.split())
    assert " ".join(own.sentences[0].split()) in said
    # A cell may wrap between a number and its interval; no number is cut.
    printed_words = set(said.split())
    words = {w for table in own.shown for row in table.rows for c in row[1:3] for w in c.split()}
    assert words <= printed_words


def test_the_command_writes_everything_or_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    made = run_historical(out=out, sampling=Sampling(seed=2), refits=False)
    assert made.folder == out
    assert made.result.converged
    names = {path.name for path in out.iterdir()}
    others = {"posterior", "plots", "report.html", "historical.json"}
    assert names == {f"{file}.csv" for file in FILES.values()} | others
    told = json.loads((out / "historical.json").read_text(encoding="utf-8"))
    assert told["table"]["arms"] == 20
    assert sum(told["mixture"]["weight"]) == pytest.approx(1)
    assert told["synthetic"] is False
    rates = pd.read_csv(out / "rates.csv")
    assert rates["mean"].iloc[0] == pytest.approx(0.25, abs=0.02)
    with pytest.raises(InputError, match="nosuch"):
        run_historical(out=out, settings=["nosuch.sigma=1"], force=True)
    assert {path.name for path in out.iterdir()} == names
    other = tmp_path / "mine.csv"
    other.write_text("study,arm\nA,one\n", encoding="utf-8")
    with pytest.raises(InputError, match="remission"):
        run_historical(other, out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_the_users_own_table_and_prior(tmp_path: Path, result: HistoricalResult) -> None:
    mine = tmp_path / "mine.csv"
    rows = result.table.rows.assign(complete="")
    rows.to_csv(mine, index=False)
    card = load_historical_card(settings=["between_study_sd.sigma=0.1"])
    counts = load_historical(mine, card.classes)
    pd.testing.assert_frame_equal(counts.rows, result.table.rows)
    found = fit_historical(counts, card, Sampling(seed=2), refits=False)
    width, own = (r.rates["upper"].iloc[0] - r.rates["lower"].iloc[0] for r in (found, result))
    assert width < own
    assert found.ess > result.ess
