"""A small part of scripts/fuzz.py, what it stored, and the defects that it found."""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from conftest import script

from mnbayes.analyses.published.card import load_published_card
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards.card import load_card
from mnbayes.data.markers import shipped_markers
from mnbayes.data.trial import load_trial
from mnbayes.exports.measured import kept
from mnbayes.inference.contract import catalogue, primary_week
from mnbayes.run.stored_tree import open_tree
from mnbayes.studies.frames import framed, whole_frames
from mnbayes.studies.identity import LEDGER
from mnbayes.studies.ledger import read_ledger

ROOT = Path(__file__).parents[1]
readers, running = script("fuzzing.readers"), script("fuzzing.running")
STORED = json.loads((ROOT / "docs" / "fuzz.json").read_text(encoding="utf-8"))
#: Functions that read a file.
READING = re.compile(
    r"\b(read_(toml|table|csv|bytes|text|excel|parquet|xport)|json\.loads?|load_workbook|from_path"
    r"|open_(datatree|dataset)|h5netcdf\.File)\("
)
#: Modules that read what no user brings: files of the package, and what it has just written.
OWN = {
    "analyses.calibration.section",
    "analyses.historical.matching",
    "base.memory",
    "cli.imports",
    "data.embedded",
    "explorer.run_process",
    "explorer.server",
    "exports.figures",
    "numerics.compiling",
    "report.kit.templates",
    "report.page",
    "report.pdf",
    "run.keeping",
    "run.section",
    "studies.batches",
    "studies.rerun",
    # Python: read and run, as SECURITY.md says.
    "cards.own_model",
}


def test_every_module_that_reads_a_users_file_is_fuzzed() -> None:
    package = ROOT / "src" / "mnbayes"
    reading = {
        ".".join(path.relative_to(package).with_suffix("").parts)
        for path in package.rglob("*.py")
        if READING.search(path.read_text(encoding="utf-8"))
    }
    named = {module for reader in readers.READERS.values() for module in reader.modules}
    assert reading - OWN <= named
    assert {
        module for module in named if not (package / f"{module.replace('.', '/')}.py").is_file()
    } == set()


def test_the_stored_result_has_every_reader_and_no_defect() -> None:
    assert set(STORED["readers"]) == set(readers.READERS)
    for name, kinds in STORED["readers"].items():
        assert set(kinds) == {"hypothesis", "guided"}, name
        for found in kinds.values():
            assert found["cases"] == found["read"] + found["refused"] > 0, name
            assert found["defects"] == {}, name
            assert found["slowest_case_seconds"] < running.SLOWEST, name


def test_the_page_quotes_the_stored_result() -> None:
    fuzz, blocks = script("fuzz"), script("page_blocks")
    page = fuzz.PAGE.read_text(encoding="utf-8")
    assert blocks.with_block(page, fuzz.BLOCK, fuzz.markdown(STORED)) == page


@pytest.mark.parametrize("name", ["card", "trial", "prior set", "definitions", "ledger"])
def test_a_small_part_of_it_again(name: str, tmp_path: Path) -> None:
    outcomes, reader = running.Outcomes(), readers.READERS[name]
    sets, folder = reader.files(tmp_path), tmp_path / "case"
    running.warm_up(reader, sets, folder)
    running.property_of(running.case(reader, sets, folder, outcomes), 40)()
    assert outcomes.cases >= 40
    assert outcomes.counts["refused"] > 0
    assert not outcomes.defects, outcomes.shown


def test_a_defect_is_seen_as_one(tmp_path: Path) -> None:
    def slow(_: Path) -> None:
        raise running.SlowError

    def unclear(_: Path) -> None:
        raise InputError([Problem("a", None, None, "", "b")])

    def crash(_: Path) -> None:
        raise IndexError

    kinds = [running.outcome(read, tmp_path)[0] for read in (slow, unclear, crash, str)]
    assert [kind.split()[0].rstrip(":") for kind in kinds] == [
        "over",
        "message",
        "IndexError",
        "read",
    ]


def test_counts_of_several_times_are_one_result(tmp_path: Path) -> None:
    fuzz = script("fuzz")
    first = {
        "cases": 3,
        "seconds": 2.0,
        "read": 1,
        "refused": 1,
        "defects": {"slow": 1},
        "slowest_case_seconds": 0.5,
    }
    second = first | {"defects": {"slow": 2, "other": 1}, "cases": 5, "slowest_case_seconds": 0.1}
    both = fuzz.together(first, second)
    assert both["cases"] == 8
    assert both["seconds"] == 4.0
    assert both["defects"] == {"slow": 3, "other": 1}
    assert both["slowest_case_seconds"] == 0.5
    assert fuzz.together({}, first) == first
    assert fuzz.together(first, first | {"cases": 0}) == first

    out = tmp_path / "fuzz.json"
    out.write_text(json.dumps({"readers": {"card": {"hypothesis": first, "guided": first}}}))
    wanted = ["--out", str(out), "--cases", "10", "--guided", "5", "--seed", "7"]
    again = fuzz.left("card", fuzz.arguments([*wanted, "--child", "hypothesis"]))
    assert (again.cases, again.guided, again.seed) == (10, 5.0, 7)
    more = fuzz.left("card", fuzz.arguments([*wanted, "--more", "--child", "guided"]))
    assert (more.cases, more.guided, more.seed) == (7, 3.0, 10)
    new = fuzz.left("trial", fuzz.arguments([*wanted, "--more", "--child", "guided"]))
    assert (new.cases, new.guided, new.seed) == (10, 5.0, 7)


# Defects that it found


def ledger() -> bytes:
    (files,) = readers.READERS["ledger"].files(ROOT)
    content: bytes = files[LEDGER]
    return content


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"identity": {', b'"identity": [{'),
        (b'"identity"', b'"other"'),
        (b'{"format"', b'\xff{"format"'),
        (b'{"format"', b'["format"'),
        (b'"columns"', b'"kolumns"'),
        (b'"float"', b'"complex"'),
        (b'["mean", "float"]', b'["mean", ["float"]]'),
        (b'"cells": [', b'"cells": [0, '),
        (b'"cells": [{"n": 3}, {"n": 5}]', b'"cells": [{"n": 3}]'),  # a record of another cell
    ],
)
def test_a_whole_header_that_describes_no_study_is_refused(
    old: bytes, new: bytes, tmp_path: Path
) -> None:
    first, *records = (bytes(each) for each in whole_frames(ledger())[0])
    assert old in first
    changed = [first.replace(old, new), *records]
    (tmp_path / LEDGER).write_bytes(b"".join(map(framed, changed)))
    with pytest.raises(InputError, match=LEDGER):
        read_ledger(tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        lambda r: r[:100],
        lambda r: b"",
        lambda r: r[:-8],
        lambda r: r[:300] + b"\xff" * 40 + r[340:],
    ],
)
def test_a_whole_frame_that_is_no_record_is_refused(changed: object, tmp_path: Path) -> None:
    assert callable(changed)
    first, record, *_ = (bytes(each) for each in whole_frames(ledger())[0])
    (tmp_path / LEDGER).write_bytes(framed(first) + framed(changed(record)))
    with pytest.raises(InputError, match=LEDGER):
        read_ledger(tmp_path)


@pytest.mark.parametrize("lost", ["patient", "measurement"])
def test_draws_whose_dimensions_are_lost_are_refused_or_left_out(lost: str, tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    sizes = {"patient": ["a", "b"], "visit": [0.0, 4.0], "marker": ["albumin"]}
    data = xr.Dataset({"measurement": (list(sizes), np.ones((2, 2, 1)))}, sizes)
    xr.DataTree.from_dict({"/observed_data": data}).to_netcdf(path, engine="h5netcdf")
    with h5py.File(path, "r+") as file:
        del file[f"observed_data/{lost}"]
        file[f"observed_data/{lost}"] = np.ones((2, 3))
    assert kept(path) is None
    found, said = running.outcome(
        lambda folder: open_tree(folder / "a.nc", "a", "b").close(), tmp_path
    )
    assert found in ("read", "refused"), said


def test_a_primary_week_that_is_no_number_is_refused() -> None:
    visits = xr.Dataset(coords={"later_visit": [1.0, 12.0]})
    tree = xr.DataTree.from_dict({"posterior": visits})
    assert primary_week(tree) == 12.0
    tree.attrs["primary_week"] = "x"
    with pytest.raises(InputError, match="a week"):
        primary_week(tree)


def test_draws_that_xarray_would_take_for_missing_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.nc"
    draws = xr.Dataset({"change_mean": (("chain", "draw"), np.ones((2, 3)))})
    xr.DataTree.from_dict({"/posterior": draws}).to_netcdf(path, engine="h5netcdf")
    with h5py.File(path, "r+") as file:
        del file["posterior/change_mean"].attrs["_FillValue"]
        file["posterior/change_mean"].attrs["_FillValue"] = np.arange(3.0)
    assert kept(path) is None
    with pytest.raises(InputError, match="multiple fill values"):
        open_tree(path, "a", "b")


@pytest.mark.parametrize("key", ["a\\u001b[31mb", "a\\nb", "x" * 10_000, "\\u2028"])
def test_a_name_that_hurts_a_terminal_is_shown_on_one_line(key: str, tmp_path: Path) -> None:
    (tmp_path / "trial.toml").write_text(f'"{key}" = 1\n', encoding="utf-8")
    with pytest.raises(InputError) as refused:
        load_trial(tmp_path)
    assert not running.unclear(refused.value)
    assert "\x1b" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("load", "card", "old", "new"),
    [
        (load_card, "remission", "[priors.visit_sd.albumin]", '[priors.visit_sd.""]'),
        (
            load_published_card,
            "published",
            'distribution = "Normal"',
            f'distribution = "{"x" * 9999}"',
        ),
        (load_card, "proteinuria", "[priors.residual_sd.", f"[priors.{'9' * 5000}."),
    ],
    ids=["blank marker", "long distribution", "long parameter"],
)
def test_what_a_card_was_refused_for_is_said_and_is_short(
    load: object, card: str, old: str, new: str, tmp_path: Path
) -> None:
    assert callable(load)
    text = (ROOT / "models" / f"{card}.toml").read_text(encoding="utf-8")
    assert old in text
    (tmp_path / "card.toml").write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        load(tmp_path / "card.toml")
    assert not running.unclear(refused.value)


@pytest.mark.parametrize("said", ["[1]", "{", "3", "null", "[" * 100_000])
def test_damaged_markers_of_stored_draws_are_refused(said: str) -> None:
    with pytest.raises(InputError) as error:
        catalogue(xr.DataTree(xr.Dataset(attrs={"markers": said})))
    assert not running.unclear(error.value)


@pytest.mark.parametrize("said", [np.arange(3.0), 0, b"\xff", ""])
def test_of_what_is_no_text_come_the_markers_that_mnbayes_brings(said: object) -> None:
    tree = xr.DataTree(xr.Dataset(attrs={"markers": said}))
    assert catalogue(tree) == shipped_markers()
