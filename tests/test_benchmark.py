"""What the race's script says of a stored run, and that the README quotes the stored one."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module", autouse=True)
def scripts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "scripts")
        yield


@pytest.fixture(scope="module")
def standings(scripts: None) -> ModuleType:
    return importlib.import_module("peers.standings")


def program(warm: list[float], **others: Any) -> dict[str, Any]:
    return {
        "first_cold": [20.0, 40.0],
        "first_warm": [],
        "warm": warm,
        "new_priors": warm,
        "effective": [100.0 * (i + 1) for i in range(len(warm))],
        "growth": {"80": 2.0},
        "peak_mib": 1234.5,
        "versions": {"brms": "2.18.0"},
    } | others


def stored(**others: Any) -> dict[str, Any]:
    return {
        "date": "2026-11-23",
        "machine": {"cores": 2, "system": "Linux", "load_before": [0.1, 0.2, 0.3]},
        "programs": {
            "mnbayes collapsed": program([0.1, 0.1]),
            "mnbayes nuts": program([0.25, 0.5, 1.0], growth={"80": 2.0, "800": 20.0}),
            "brms": program([4.0, 6.0]),
        },
        "studies": {
            "processes": 2,
            "fits_per_minute": 12_345.0,
            "effective_per_fit": 450.0,
            "growth": {"8": 0.01, "80": 0.1, "800": 1.2},
        },
        "overhead": {"refit": [1.1, 1.5, 1.3], "pymc": [1.0] * 3, "density": [0.5] * 3},
        "notes": ["brms with 800 patients was left out: the size before took 20 s."],
    } | others


def test_the_page_on_speed_quotes_the_stored_run_and_nothing_else(standings: ModuleType) -> None:
    readme = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    file = ROOT / "docs" / "benchmark.json"
    if not file.exists():
        assert f"{standings.START}\n{standings.END}" in readme, "figures without a source"
        return
    again = "python scripts/benchmark.py --stored docs/benchmark.json --quote"
    quoted = json.loads(file.read_text(encoding="utf-8"))
    assert standings.with_block(readme, quoted) == readme, again
    assert (ROOT / standings.PICTURE).exists()


def test_table_has_medians_of_what_was_measured(standings: ModuleType) -> None:
    header, *rows = standings.rows(stored())
    assert header == ["", "mnbayes, collapsed", "mnbayes, NUTS", "brms"]
    found = {label: cells for label, *cells in rows}
    assert found["first fit in a fresh process"] == ["30 s"] * 3
    assert found["warm fit: again, same priors"] == ["0.10 s", "0.50 s", "5.0 s"]
    # Of each fit by itself: 100 / 0.25, 200 / 0.5, 300 / 1; and 100 / 4, 200 / 6.
    assert found["effective draws a second, worst parameter"] == ["1,500", "400", "29"]
    assert found["warm fits a minute"] == ["600", "120", "12"]
    assert found["fits of a simulation study a minute"] == ["12,300", "–", "–"]
    assert found["peak memory of a first fit, MiB"] == ["1,230"] * 3
    assert found["warm fit, 800 patients"] == ["–", "20 s", "–"]


def test_goals_are_judged_by_what_was_measured(standings: ModuleType) -> None:
    values = [(goal.value, goal.met) for goal in standings.goals(stored())]
    # 0.5 s against 5 s; over nutpie on either density; 12,345 a minute against 12; 1.2 s to 0.1 s.
    expected = [
        *(("0.10", True), ("30 %", False), ("160 %", False)),
        *(("12,300", True), ("1,030", True), ("12.0", True)),
    ]
    assert values == expected
    peers = stored()["programs"] | {"rstanarm": program([9.0], first_cold=[21.0, 19.0, 20.0])}
    assert standings.goals(stored(programs=peers))[1][1:] == ("1.5", True)  # 30 s to 20 s
    slow = stored(studies=stored()["studies"] | {"fits_per_minute": 5_900.0})
    assert [goal.met for goal in standings.goals(slow)][3:5] == [False, False]


def test_what_was_not_measured_is_not_judged(standings: ModuleType) -> None:
    alone = {"mnbayes nuts": program([0.5])}
    bare = stored(programs=alone, studies={}, overhead={}, notes=["brms not measured (R)."])
    assert standings.goals(bare) == []
    text = standings.markdown(bare)
    assert "not measured" not in text
    assert "goal" not in text.lower()
    assert "| mnbayes, NUTS |" in text


@pytest.mark.parametrize("text", ["", "{start}", "{end}{start}", "{start}{end}{start}{end}"])
def test_lost_markers_are_an_error(standings: ModuleType, text: str) -> None:
    marked = text.format(start="<!-- benchmark -->", end="<!-- /benchmark -->")
    with pytest.raises(ValueError, match="once each"):
        standings.with_block(marked, stored())


def test_picture_shows_each_program() -> None:
    figure = importlib.import_module("peers.picture").race_figure(stored())
    times, rates, growth = figure.axes
    places = {tuple(line.get_xdata()) for line in times.lines}
    assert (0.1, 0.5, 5.0) in places
    np.testing.assert_allclose(rates.lines[0].get_xdata(), [1500, 400, 175 / 6])
    assert [list(line.get_xdata()) for line in growth.lines] == [[8, 80], [8, 80, 800], [8, 80]]
    assert list(growth.lines[1].get_ydata()) == [0.5, 2.0, 20.0]


def test_larger_cohorts_are_complete_and_the_same_each_time() -> None:
    routes = importlib.import_module("peers.routes")
    rows = routes.peer_data(routes.larger_cohort(80))
    assert len(rows) == 80 * 5
    assert rows.equals(routes.peer_data(routes.larger_cohort(80)))
    later = rows["log_y"][rows["week"] > 0].mean() - rows["log_y"][rows["week"] == 0].mean()
    assert later == pytest.approx(-0.59, abs=0.15)
