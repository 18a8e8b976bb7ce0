"""The table of earlier studies and the card: what is refused, and what the embedded one says."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import edited

from mnbayes.analyses.historical.card import load_historical_card
from mnbayes.analyses.historical.table import COLUMNS, load_historical
from mnbayes.base.problems import InputError, Problem
from mnbayes.base.resources import models_folder
from mnbayes.cards.card import available_cards

HEADER = "study,arm,treatment_class,refractory,month,n,remission,complete,read_as,reference\n"
GOOD = "A,one,control,yes,6,23,5,,published,doi:1\n"


def problems_of(folder: Path, text: str) -> tuple[Problem, ...]:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_historical(path, ("control", "rituximab"))
    return caught.value.problems


def test_the_embedded_table_has_every_arm_with_its_source() -> None:
    card = load_historical_card()
    table = load_historical(classes=card.classes)
    rows = table.rows
    assert list(rows.columns) == list(COLUMNS)
    assert len(rows) == 20
    assert len(table.studies) == 13
    assert set(rows["treatment_class"]) == set(card.classes)
    assert rows["reference"].str.len().min() > 5
    counts = rows.set_index(["study", "arm"])[["n", "remission"]]
    assert counts.loc[("Cattran 2001", "placebo + prednisone")].tolist() == [23, 5]
    assert counts.loc[("Polanco 2010", "conservative")].tolist() == [328, 104]
    assert counts.loc[("RI-CYCLO", "rituximab")].tolist() == [37, 23]
    assert counts["n"].sum() == 987
    assert counts["remission"].sum() == 531


def test_every_doubt_about_a_count_is_a_column_and_not_only_a_note() -> None:
    rows = load_historical().rows
    # The two rows of one publication, and the two of one hospital.
    assert rows["overlap"][rows["overlap"] != ""].value_counts().tolist() == [2, 2]
    average = set(rows["study"][rows["month_is"] == "average"])
    assert average == {"Polanco 2010", "Wang 2018", "Gao 2021"}
    # A derived count is either one patient off or confirmed by a second number of its abstract.
    derived = rows[rows["read_as"] == "derived"]
    assert (derived["note"] != "").all()
    unconfirmed = derived[~derived["note"].str.contains(r"confirm \d|gives the published")]
    confirmed = derived.drop(unconfirmed.index)
    assert (confirmed["count_within"] == 0).all()
    waldman = rows[rows["study"] == "Waldman 2016"]
    assert waldman["count_within"].tolist() == [1]


def test_confirmations_of_derived_counts_are_arithmetic() -> None:
    assert (round(100 * 5 / 23), round(100 * 2 / 5)) == (22, 40)
    assert (round(100 * 21 / 28), round(100 * 9 / 21)) == (75, 43)
    assert (round(100 * 34 / 65, 1), round(100 * 19 / 26, 1)) == (52.3, 73.1)
    assert round(100 * (34 + 19) / 91, 1) == 58.2
    assert round(100 * 12 / 13) == 92


def test_blank_columns_mean_exact_counts(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(HEADER + GOOD, encoding="utf-8")
    row = load_historical(path).rows.iloc[0]
    assert (row["month_is"], row["count_within"], row["overlap"]) == ("assessed", 0, "")
    assert row["complete"] == -1


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    found = problems_of(
        tmp_path,
        HEADER
        + "A,one,contrl,yes,6,23,5,,published,doi:1\n"
        + "A,two,control,perhaps,6,23,5,,published,doi:1\n"
        + "A,three,control,yes,six,23,5.5,,read,\n",
    )
    at = {(problem.row, problem.column) for problem in found}
    fourth = {(4, name) for name in ("month", "remission", "read_as", "reference")}
    assert at == {(2, "treatment_class"), (3, "refractory")} | fourth
    assert all(problem.found and problem.expected for problem in found)


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("A,one,control,yes,6,23,24,,published,doi:1\n", "remission", "at most the arm's"),
        ("A,one,control,yes,6,23,5,6,published,doi:1\n", "complete", "at most remission"),
        ("A,one,control,yes,0,23,5,,published,doi:1\n", "month", "after the start"),
        ("A,one,control,yes,6,0,0,,published,doi:1\n", "n", "at least one patient"),
        (GOOD + GOOD, "arm", "each arm of a study once"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, row: str, column: str, words: str) -> None:
    (problem,) = problems_of(tmp_path, HEADER + row)
    assert problem.column == column
    assert words in problem.expected


def test_an_exact_published_count_cannot_be_off(tmp_path: Path) -> None:
    header = HEADER.replace("reference", "reference,count_within")
    (problem,) = problems_of(tmp_path, header + GOOD.replace("doi:1", "doi:1,2"))
    assert problem.column == "count_within"


def test_columns_are_named_when_missing_or_unknown(tmp_path: Path) -> None:
    text = HEADER.replace("remission", "remissions") + GOOD
    found = {problem.column: problem for problem in problems_of(tmp_path, text)}
    assert found["remission"].severity == "error"
    assert found["remissions"].severity == "warning"
    with pytest.raises(InputError, match="no such file"):
        load_historical(tmp_path / "absent.csv")


def test_the_card_is_no_card_of_the_longitudinal_model() -> None:
    assert "historical" not in available_cards()


def test_settings_override_single_values() -> None:
    card = load_historical_card(settings=["between_study_sd.sigma=0.5"])
    assert card.prior["between_study_sd"].arguments == {"sigma": 0.5}
    assert card.sha256 != load_historical_card().sha256


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("between_sd.sigma=0.5", "did you mean between_study_sd"),
        ("between_study_sd.albumin.sigma=0.5", "without a marker"),
        ("refractory=90% between 0.3 and 1.1", "take no beliefs"),
        ("refractory.sigma=-1", "must be above 0"),
        ("refractory.distribution=HalfNormal", "takes sigma"),
    ],
)
def test_wrong_settings_say_what_is_right(setting: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_historical_card(settings=[setting])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('treatment_class = "control"', 'treatment_class = "contrl"', "a benchmark of one of"),
        ("[priors.refractory]", "[priors.refractoriness]", "no prior of refractory"),
        ('distribution = "HalfNormal"', 'distribution = "LogNormal"', "takes mu, sigma"),
        ("remission = 4\nn = 7", "remission = 8\nn = 7", "at most 7 remissions"),
        ("average_at_least = 0.5", "average_at_least = 1.5", "less than or equal to 1"),
    ],
)
def test_a_wrong_card_is_refused(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = edited(tmp_path, models_folder() / "historical.toml", (old, new))
    with pytest.raises(InputError, match=words):
        load_historical_card(path)


def test_priors_explain_themselves_as_they_stand() -> None:
    card = load_historical_card()
    said = card.prior["class_log_odds"].explained
    assert "between 5 % and 95 %" in said
    assert all("$" not in spec.explained for spec in card.prior.values())
    narrow = load_historical_card(settings=["class_log_odds.sigma=0.5"])
    assert "between 27 % and 73 %" in narrow.prior["class_log_odds"].explained
