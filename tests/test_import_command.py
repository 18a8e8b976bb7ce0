"""The commands `import` and `init`, as a nephrologist and a statistician use them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from conftest import script
from sheets import naive_sheet, read
from test_docs import ROOT, commands
from test_import_cdisc import DM, LB, csvs
from typer.testing import CliRunner

import mnbayes as mn
from mnbayes.cli import app

runner = CliRunner()


def test_the_page_on_importing_can_be_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    naive_sheet(tmp_path / "series.xlsx")
    adsl, adlb, _ = script("make_adam").make()
    few = adsl.groupby("TRT01A")["USUBJID"].head(5)
    for name, frame in (("adsl", adsl), ("adlb", adlb)):
        part = frame[frame["USUBJID"].isin(few)]
        script("make_adam").write(part, tmp_path / f"{name}.xpt")
    ds = [
        {"USUBJID": "s3", "DSDECOD": "DEATH", "DSCAT": "DISPOSITION EVENT", "DSSTDTC": "2024-03-05"}
    ]
    csvs(
        tmp_path, dm=DM, lb=[row | {"LBSPEC": ""} for row in LB if row["LBSPEC"] == "URINE"], ds=ds
    )
    (tmp_path / "own.toml").write_text('codes.PROT = "urine_protein_conc"\n')
    asked = 0
    for words in commands(ROOT / "docs" / "import.md"):
        done = runner.invoke(app, words)
        if words[-2:] == ["--out", "series"]:
            assert done.exit_code == 2
            assert done.stderr.count("expected") == 4
            assert '--unit "24h protein=g/24h"' in done.stderr
            assert not (tmp_path / "series").exists()
            asked += 1
            continue
        assert done.exit_code == 0, (words, done.output)
    assert asked == 1
    assert mn.load_cohort("series").markers == ("urine_protein_24h", "albumin")
    assert len(pd.read_csv("high/patients.csv")) == 5
    assert pd.read_csv("sdtm/patients.csv")["withdrew_week"].tolist()[1] == 9
    assert read(tmp_path / "mine").equals(read(tmp_path / "example"))


def test_nothing_is_written_without_a_yes(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("ID,Albumin BL (g/L)\na,28\n")
    words = ["import", str(path), "--out", str(tmp_path / "c")]
    assert "Nothing was written" in runner.invoke(app, words, input="n\n").stderr
    assert [*tmp_path.iterdir()] == [path]
    assert runner.invoke(app, words, input="y\n").exit_code == 0
    assert (tmp_path / "c" / "import.md").is_file()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["s.csv"],
        ["s.csv", "--out", "c", "--unit", "albumin"],
        ["s.csv", "--out", "c", "--visit", "V1=x"],
        ["s.csv", "--out", "c", "--weeks", "a,b"],
        ["s.csv", "--out", "c", "--decimal", "x"],
        ["s.csv", "--out", "c", "--mapping", "none.toml"],
        ["s.csv", "--out", "."],
        ["none.csv", "--out", "c"],
        ["s.csv", "s.csv", "--out", "c"],
        ["s.doc", "--out", "c"],
    ],
)
def test_bad_options_end_in_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("s.csv", "s.doc"):
        (tmp_path / name).write_text("ID,Albumin BL (g/L)\na,28\n")
    done = runner.invoke(app, ["import", *words, "--yes"])
    assert done.exit_code == 2
    assert "expected" in done.stderr
    assert not (tmp_path / "c").exists()


def test_an_example_is_not_written_over_files(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert runner.invoke(app, ["init", str(tmp_path)]).exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_the_example_says_that_it_is_made_up(tmp_path: Path) -> None:
    assert runner.invoke(app, ["init", str(tmp_path / "e")]).exit_code == 0
    cohort = mn.load_cohort(tmp_path / "e")
    assert cohort.synthetic
    assert not cohort.warnings
    assert "MADE UP" in (tmp_path / "e" / "README.md").read_text()


def test_the_pilot_pair_has_the_shape_of_the_pilot() -> None:
    adsl, adlb, truth = script("make_adam").make()
    treated = adsl[adsl["TRT01A"] != ""]
    assert treated["TRT01A"].value_counts().to_dict() == {
        "Placebo": 86,
        "Low Dose": 84,
        "High Dose": 84,
    }
    assert adsl["USUBJID"].is_unique
    assert truth["upper"].notna().any()
    assert set(adlb["DTYPE"]) == {"", "LOCF"}
