"""The tutorial, followed command by command, as a nephrologist would."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from mnbayes.cli import app

ROOT = Path(__file__).parents[1]
runner = CliRunner()


def steps() -> list[list[str]]:
    """Commands of the page, in order."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    return [shlex.split(line) for line in lines.splitlines() if line]


@pytest.mark.usefixtures("few_pictures")
def test_from_a_spreadsheet_to_a_comparison(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    sheet = "docs/examples/clinic.csv"
    outputs = []
    for program, *words in steps():
        arguments = [str(ROOT / word) if word == sheet else word for word in words]
        if program == "touch":
            Path(arguments[0]).touch()
            continue
        assert program == "mnbayes"
        # Refits without each patient are another page's subject.
        more = ["--no-influence"] if arguments[0] == "fit" else []
        outputs.append(runner.invoke(app, [*arguments, *more]))
    asked, imported, checked, first, second, compared = outputs
    # One round of questions, then a folder that is right.
    assert asked.exit_code == 2
    assert '--unit "eGFR=mL/min/1.73m2"' in " ".join(asked.output.split())
    for done in (imported, checked, first, second, compared):
        assert done.exit_code == 0, done.output
    rows = pd.read_csv("mine/measurements.csv")
    assert len(rows) == 95
    assert "no errors" in checked.output
    runs = [json.loads(Path(name, "run.json").read_text()) for name in ("first", "second")]
    assert [run["data"]["patients"] for run in runs] == [9, 9]
    assert runs[0]["definitions"]["name"] == "kdigo_mn_ratio"
    tables = [pd.read_csv(f"{name}/estimates.csv") for name in ("first", "second")]
    upcr = [table.query("marker == 'upcr' and week == 24")["gmr_median"].item() for table in tables]
    assert upcr[0] < upcr[1] < 1  # the sceptic sees a smaller fall
    judged = pd.read_csv("first/probabilities.csv")
    latent = judged[(judged["quantity"] == "latent") & (judged["category"] == "remission")]
    assert latent["patient"].nunique() == 9
    page = Path("first", "report.html").read_text(encoding="utf-8")
    assert "SYNTHETIC" in page
    assert "eight patients" not in page.lower()
    assert "upcr" in compared.output
