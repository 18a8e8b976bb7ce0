"""Names that are traps: what is read, written, shown and passed on of them (docs/robustness.md)."""

import base64
import csv
import hashlib
import io
import re
import zipfile
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import h5py
import pandas as pd
import pytest
import runs
from cohorts import (
    HOSTILE_IDS,
    HOSTILE_TERMS,
    hostile_cohort,
    small_cohort_frames,
    write_cohort,
)
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import mnbayes as mn
from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.summarise import summarise
from mnbayes.base.csv_files import csv_table, defused, read_csv_table, undone
from mnbayes.base.problems import InputError
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import read_toml
from mnbayes.base.untrusted_text import CONTROL, visible
from mnbayes.cards.card import load_card
from mnbayes.cli import app
from mnbayes.data.cohort import Cohort, load_cohort
from mnbayes.report.kit.templates import content_policy
from mnbayes.run.opened_run import OpenedRun

runner = CliRunner()
#: Analyses that show patients, terms and titles; the others show numbers.
SHOWN = ("flow", "results", "safety", "checks", "withdrawal", "listing", "model")
FORMULA = "=+-@\t\r＝＋－＠"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile_cohort(tmp_path_factory.mktemp("hostile") / "cohort")


def written(cohort: Cohort, folder: Path) -> Path:
    """The folder of a run that nobody sampled, with report, pictures and draws."""
    chosen = [each for each in catalogue() if each.name in SHOWN]
    fit = replace(runs.unsampled(load_card("proteinuria"), cohort), cohort=cohort)
    result = summarise(fit, mn.load_definitions("fall_by_half"), cohort=cohort, analyses=chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mnbayes.pipeline.write_arviz_pictures", lambda *_, **__: None)
        mn.write_report(result, folder, analyses=chosen)
    return folder


@pytest.fixture(scope="module")
def run(hostile: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenedRun:
    place = tmp_path_factory.mktemp("run") / "run"
    return mn.open_run(written(load_cohort(hostile), place))


# Spreadsheets ---------------------------------------------------------------------------------


@given(st.text(st.sampled_from(f"{FORMULA}';1a\n ")) | st.text())
def test_a_defused_cell_runs_nothing_and_comes_back(cell: str) -> None:
    safe = defused(cell)
    assert undone(safe) == cell
    assert undone(undone(safe)) == undone(cell)
    number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", safe, re.ASCII)
    begins = f"(?:^|[;\t\r\n])[{re.escape(FORMULA)}]"
    assert number or not re.search(begins, safe)


@pytest.mark.parametrize("cell", ["-1.5", "+3", "1E5", "", "a-b", "'", "x; y", "−2"])
def test_a_number_and_a_plain_text_stay_as_they_are(cell: str) -> None:
    assert defused(cell) == undone(cell) == cell


def test_a_table_comes_back_with_its_names(tmp_path: Path) -> None:
    table = pd.DataFrame({"patient": HOSTILE_IDS, "value": range(len(HOSTILE_IDS))})
    table.loc[len(table)] = [None, -1]
    (tmp_path / "a.csv").write_bytes(csv_table(table))
    back = read_csv_table(tmp_path / "a.csv")
    assert back["patient"].tolist()[:-1] == list(HOSTILE_IDS)
    assert pd.isna(back["patient"].iloc[-1])
    assert back["value"].tolist() == table["value"].tolist()


# Reading --------------------------------------------------------------------------------------


@given(st.text())
def test_a_visible_text_steers_nothing(text: str) -> None:
    shown = visible(text)
    assert len(shown) == len(text)
    assert not CONTROL.search(shown)
    assert not set(shown) & set("\r\u202e\u2066\u200f")
    assert visible(shown) == shown


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\x07", "a\x9bb", "a\tb", "a\nb", "y" * 10_000])
def test_a_name_that_cannot_be_is_one_message(tmp_path: Path, name: str) -> None:
    patients, measurements = small_cohort_frames(2, (0, 4), ("urine_protein_24h",))
    patients.loc[1, "patient"] = name
    rows = measurements[measurements["patient"] == "P1"]
    done = runner.invoke(app, ["check", str(write_cohort(tmp_path / "a", patients, rows))])
    assert done.exit_code == 2
    assert done.stderr.startswith("patients.csv, row 3, column patient: found ")
    assert not CONTROL.search(done.stderr)
    assert "1 error, " in done.stderr


def test_an_escape_in_toml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "trial.toml"
    path.write_text('title = "a\\u001b[31m"\n[[visits]]\nweek = "\\u0000"\n', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read_toml(path)
    assert [problem.column for problem in caught.value.problems] == ["title", "visits.week"]
    assert not CONTROL.search(str(caught.value))


@pytest.mark.parametrize("name", ["../../x", "/x", ".x", "a\\\\b", "", "a\\nb"])
def test_no_card_calls_its_files_out_of_their_folder(tmp_path: Path, name: str) -> None:
    path = runs.edited(
        tmp_path, models_folder() / "proteinuria.toml", ('name = "proteinuria"', f'name = "{name}"')
    )
    with pytest.raises(InputError, match=r"column name: found .* expected letters, digits"):
        load_card(path)


def test_names_are_read_as_they_stand(hostile: Path) -> None:
    cohort = load_cohort(hostile)
    assert cohort.patient_ids == HOSTILE_IDS
    assert cohort.events is not None
    assert set(cohort.events["term"]) == set(HOSTILE_TERMS)
    shown = runner.invoke(app, ["check", str(hostile)])
    assert shown.exit_code == 0
    assert not CONTROL.search(shown.output)


# A run ----------------------------------------------------------------------------------------


def test_names_come_back_from_every_file_of_a_run(run: OpenedRun) -> None:
    named = {name: table for name, table in run.tables.items() if "patient" in table}
    assert {"probabilities", "left_out"} <= set(named)
    for name, table in named.items():
        assert set(table["patient"].dropna()) == set(HOSTILE_IDS), name
    assert set(HOSTILE_TERMS) < set(run.tables["safety"]["term"])
    with run.posterior("proteinuria") as tree:
        assert tree["patients"]["patient"].to_numpy().tolist() == list(HOSTILE_IDS)


def test_no_cell_of_a_run_runs(run: OpenedRun) -> None:
    cells = [
        cell
        for path in run.folder.glob("*.csv")
        for row in csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline=""))
        for cell in row
    ]
    assert "'=1+1" in cells
    assert cells == [defused(undone(cell)) for cell in cells]


class _Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.tags.append(tag)


def test_no_name_is_obeyed_on_a_page_or_a_picture(run: OpenedRun) -> None:
    pages = list(run.folder.glob("*.html"))
    assert {page.name for page in pages} == {"report.html", "annex.html"}
    for path in pages:
        page = path.read_text(encoding="utf-8")
        assert _Tags(page).tags.count("script") == 1
        script = page.split("<script>")[1].split("</script>")[0]
        assert f"\n{content_policy(script)}\n" in page
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}';" in page
        assert "\u202e" not in page
    assert "&lt;script&gt;alert(1)" in "".join(p.read_text(encoding="utf-8") for p in pages)
    pictures = list(run.folder.rglob("*.svg"))
    assert pictures
    for path in pictures:
        picture = path.read_text(encoding="utf-8")
        assert "<script" not in picture
        assert "\u202e" not in picture
        assert "x" * 30 not in picture  # no picture is as wide as the longest name


# Pseudonyms -----------------------------------------------------------------------------------


def _stored(path: Path) -> list[object]:
    """Attributes, and texts of every variable, of a netCDF file."""
    found: list[object] = []

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        found.extend((name, dict(item.attrs)))
        if isinstance(item, h5py.Dataset) and item.dtype.kind == "O":
            found.append(item[()])

    with h5py.File(path) as file:
        visit("", file)
        file.visititems(visit)
    return found


def everything(folder: Path) -> dict[str, bytes]:
    """Bytes of every file of a folder, those inside Word files and stored draws as well."""
    found = {}
    for path in (each for each in folder.rglob("*") if each.is_file()):
        found[str(path)] = path.read_bytes()
        if path.suffix == ".docx":
            with zipfile.ZipFile(path) as packed:
                found |= {f"{path}/{n}": packed.read(n) for n in packed.namelist()}
        elif path.suffix == ".nc":
            found[f"{path}/read"] = repr(_stored(path)).encode()
    return found


def test_a_run_under_pseudonyms_holds_no_name(hostile: Path, tmp_path: Path) -> None:
    # Names that occur nowhere else; the first one withdrew.
    names = {name: f"Zq{place}Wx" for place, name in enumerate(HOSTILE_IDS[:4])}
    for table in ("patients", "measurements", "events"):
        text = pd.read_csv(hostile / f"{table}.csv", dtype=str, keep_default_na=False)
        text["patient"] = text["patient"].map(names, na_action="ignore")
        text = text.dropna(subset="patient")
        (tmp_path / "named").mkdir(exist_ok=True)
        if table == "patients":
            text = text.assign(record=text["patient"], sight="good")
        text.to_csv(tmp_path / "named" / f"{table}.csv", index=False)
    cohort, key = load_cohort(tmp_path / "named").pseudonymised()
    assert key["patient"].tolist() == list(names.values())
    assert key["pseudonym"].tolist() == [f"P{i:02d}" for i in range(1, len(names) + 1)]
    assert cohort.patients["record"].tolist() == cohort.patients["patient"].tolist()
    again, _ = cohort.pseudonymised()
    assert again.patient_ids == cohort.patient_ids
    out = written(cohort, tmp_path / "run")
    made = mn.export(
        out, ("docx", "latex", "rtf", "html", "csv"), tmp_path / "export", data=tmp_path / "named"
    )
    for place in (out, made):
        files = everything(place)
        assert any(b"P03" in content for content in files.values())
        for name, content in files.items():
            assert not re.search(rb"Zq\d+Wx", content), name
    assert runner.invoke(app, ["export", str(out), "--pseudonyms", "--list"]).exit_code == 0


def test_a_run_that_holds_names_is_not_exported_as_one_without(run: OpenedRun) -> None:
    done = runner.invoke(app, ["export", str(run.folder), "--pseudonyms", "--list"])
    assert done.exit_code == 2
    assert "a run of mnbayes fit --pseudonyms" in done.stderr


def test_problems_are_told_under_pseudonyms(tmp_path: Path) -> None:
    patients, measurements = small_cohort_frames(3, (0, 4), ("urine_protein_24h",))
    patients["patient"] = ["Zq1Wx", "zq1wx", "Zq3Wx"]
    rows = measurements.assign(
        patient=measurements["patient"].map({"P1": "Zq1Wx", "P2": "Zq7Wx", "P3": "Zq3Wx"})
    )
    rows.loc[1, "week"] = 0
    place = write_cohort(tmp_path / "a", patients, rows)
    key = tmp_path / "key.csv"
    asked = ["check", str(place), "--pseudonyms", "--pseudonym-key", str(key)]
    done = runner.invoke(app, asked)
    assert done.exit_code == 2
    assert not re.search("zq[0-9]", done.output.casefold())
    assert '"P01"' in done.output
    assert '"P04"' in done.output  # in no row of patients.csv
    assert not key.exists()
    write_cohort(place, *small_cohort_frames(3))
    for _ in range(2):  # the same key stays
        assert runner.invoke(app, asked).exit_code == 0
    assert key.read_text(encoding="utf-8") == "pseudonym,patient\nP01,P1\nP02,P2\nP03,P3\n"
    assert key.stat().st_mode & 0o077 == 0
    write_cohort(place, *small_cohort_frames(4))
    assert "nothing is overwritten" in runner.invoke(app, asked).stderr


@pytest.mark.parametrize("inside", ["key.csv", "deep/key.csv"])
def test_the_key_is_refused_in_the_folder_of_a_run(tmp_path: Path, inside: str) -> None:
    place, out = write_cohort(tmp_path / "a"), tmp_path / "out"
    asked = ["fit", str(place), "--out", str(out), "--pseudonyms"]
    done = runner.invoke(app, [*asked, "--pseudonym-key", str(out / inside)])
    assert done.exit_code == 2
    assert "in the folder of the run" in done.stderr
    assert not out.exists()
    alone = [*asked[:-1], "--pseudonym-key", str(tmp_path / "key.csv")]
    assert "expected --pseudonyms besides" in runner.invoke(app, alone).stderr
