"""A trial of another disease from its folder to its report, without a line of Python."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import pandas as pd
import pytest

from mnbayes.data.cohort import load_cohort

#: What is said of the embedded trial alone.
EMBEDDED_ONLY = (
    r"preprint",
    r"5 of 7",
    r"5/7",
    r"71 %",
    r"month 6",
    r"\beight patients",
    r"\beffective\b(?! (sample|draws|number))",
    r"cord.blood",
    r"membranous",
    r"at 17 %",
    r"rituximab",
    r"10\.21203",
)


def test_visits_are_those_planned_and_the_time_is_kept(lupus_folder: Path) -> None:
    cohort = load_cohort(lupus_folder)
    assert cohort.weeks == (0.0, 4.0, 12.0, 24.0, 52.0)
    later = cohort.measurements[cohort.measurements["week"] > 0]
    assert (later["actual_week"] != later["week"]).any()
    assert ((later["actual_week"] - later["week"]).abs() < 1.0).all()
    assert cohort.patients["prednisone_mg"].dtype == float
    assert cohort.reported_units["upcr"] == "mg/mmol"
    assert cohort.primary_week(["upcr"]) == 24.0


def test_its_own_categories_are_judged_at_its_own_week(lupus_run: Path) -> None:
    described = json.loads((lupus_run / "run.json").read_text(encoding="utf-8"))
    assert described["converged"] is True
    assert list(described["models"]) == ["upcr_egfr", "c3"]
    assert {model["primary_week"] for model in described["models"].values()} == {24.0}
    table = pd.read_csv(lupus_run / "probabilities.csv")
    assert set(table["category"]) == {"complete", "partial", "response", "none"}
    latent = table[(table["quantity"] == "latent") & (table["week"] == 24)]
    wide = latent.pivot_table(index="patient", columns="category", values="probability")
    assert wide[["complete", "partial"]].sum(axis=1).to_numpy() == pytest.approx(
        wide["response"].to_numpy()
    )
    assert (wide["response"] + wide["none"]).to_numpy() == pytest.approx(1.0)


def test_the_report_says_nothing_of_the_embedded_trial(lupus_run: Path) -> None:
    page = (lupus_run / "report.html").read_text(encoding="utf-8")
    page = re.sub(r"<style.*?</style>", "", page, flags=re.DOTALL)
    page = re.sub(r'src="data:[^"]*"', "", page)
    text = html.unescape(re.sub(r"<[^>]+>", " ", page))
    found = {words: re.findall(f".{{40}}{words}.{{40}}", text, re.I) for words in EMBEDDED_ONLY}
    assert {words: lines for words, lines in found.items() if lines} == {}
    assert "A made-up add-on treatment of lupus nephritis" in text
    first = re.sub(r"<span popover.*?</span>|<[^>]+>", "", page, flags=re.DOTALL)
    assert re.search(r"\b\d+ of 11 measured patients", first)
    assert re.search(r"\b\d+/11 = \d+\s% .*? \d+/12 = \d+\s%", text, re.DOTALL)
