"""The embedded synthetic cohort meets every published fact of the trial.

Each fact is recomputed here from the CSV files, apart from the checks of ``make_cohort.py``.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import script
from scipy import stats

from mnbayes.analyses.safety.counts import ANY, safety_table
from mnbayes.data.cohort import load_cohort

ROOT = Path(__file__).parents[1]
COHORT = ROOT / "data" / "cohort"

UNITS = {"urine_protein_24h": "g/24h", "urine_protein_conc": "g/L", "albumin": "g/L"}
UNITS |= dict.fromkeys(("cd3", "cd4", "cd8", "b_cell", "nk_cell"), "cells/uL")
SHORT_TERM = [1, 2, 4]


@pytest.fixture(scope="module")
def patients():
    return pd.read_csv(COHORT / "patients.csv").set_index("patient")


@pytest.fixture(scope="module")
def measurements():
    return pd.read_csv(COHORT / "measurements.csv")


@pytest.fixture(scope="module")
def events():
    return pd.read_csv(COHORT / "events.csv")


@pytest.fixture(scope="module")
def table(measurements):
    """Marker -> patients by weeks."""
    return {
        marker: rows.pivot_table(index="patient", columns="week", values="value", aggfunc="first")
        for marker, rows in measurements.groupby("marker")
    }


@pytest.fixture(scope="module")
def fall(table):
    """Fall of 24-h urinary protein from baseline, patients by weeks, share of baseline."""
    protein = table["urine_protein_24h"]
    return 1 - protein.div(protein[0], axis="index")


@pytest.fixture(scope="module")
def best_fall(fall):
    return fall[SHORT_TERM].max(axis="columns")


@pytest.fixture(scope="module")
def late_fall(fall):
    return fall[12].dropna()


@pytest.fixture(scope="module")
def complete(table):
    """Patients in complete remission at week 12."""
    low = table["urine_protein_24h"][12] < 0.3
    return set(low.index[low & (table["albumin"][12] >= 35)])


@pytest.fixture(scope="module")
def partial(table, late_fall, complete):
    """Patients in partial, not complete, remission at week 12."""
    below = set(late_fall.index[table["urine_protein_24h"][12].reindex(late_fall.index) < 3.5])
    return (set(late_fall.index[late_fall >= 0.5]) & below) - complete


def assert_moved(before, after, sign):
    """The mean log ratio has the sign, and both usual paired tests give P < 0.05, two-sided."""
    evaluable = after.dropna().index
    before, after = np.log(before[evaluable]), np.log(after[evaluable])
    assert np.sign((after - before).mean()) == sign
    assert stats.ttest_rel(after, before).pvalue < 0.05
    assert stats.wilcoxon(after, before).pvalue < 0.05
    assert stats.wilcoxon(np.exp(after), np.exp(before)).pvalue < 0.05


def short_term_mean(rows):
    """Geometric mean of weeks 1, 2 and 4."""
    return np.exp(np.log(rows[SHORT_TERM]).mean(axis="columns"))


def measured(rows):
    """All measured values of a table of patients by weeks."""
    return rows.melt()["value"].dropna()


# --- Shape ---------------------------------------------------------------------------------------


def test_columns_patients_and_units_are_those_of_the_design(patients, measurements):
    for name, header in (
        ("patients", "patient,sex,age_years,bmi,infusions,withdrew_week"),
        ("measurements", "patient,week,marker,value,unit,lower,upper"),
        ("events", "patient,week,term,grade"),
    ):
        assert (COHORT / f"{name}.csv").read_text().startswith(f"{header}\n")
    assert list(patients.index) == [f"MN{i:02d}" for i in range(1, 9)]
    pairs = measurements[["marker", "unit"]].drop_duplicates()
    assert dict(pairs.itertuples(index=False)) == UNITS
    assert len(pairs) == len(UNITS)
    assert (measurements["value"] > 0).all()
    assert measurements[["lower", "upper"]].isna().all(axis=None)


def test_one_patient_withdrew_between_weeks_4_and_12(patients, measurements, events):
    (week,) = patients["withdrew_week"].dropna()
    assert 4 < week < 12
    for table in (measurements, events):
        assert not (table["week"] >= table["patient"].map(patients["withdrew_week"])).any()


def test_every_marker_is_measured_once_at_every_visit_until_withdrawal(patients, measurements):
    expected = {
        (patient, week, marker)
        for patient, withdrew in patients["withdrew_week"].items()
        for week in (0, 1, 2, 4, 12)
        if np.isnan(withdrew) or week < withdrew
        for marker in UNITS
    }
    keys = list(measurements[["patient", "week", "marker"]].itertuples(index=False, name=None))
    assert len(keys) == len(set(keys)) == (8 * 5 - 1) * 8
    assert set(keys) == expected


def test_a_fourth_infusion_exactly_where_the_bmi_is_above_30(patients):
    assert set(patients["infusions"]) == {3, 4}
    assert ((patients["infusions"] == 4) == (patients["bmi"] > 30)).all()


def test_patients_are_adults_of_both_sexes(patients):
    assert set(patients["sex"]) == {"female", "male"}
    assert patients["age_years"].between(25, 70).all()
    assert patients["bmi"].between(18, 40).all()


def test_the_folder_says_that_the_cohort_is_synthetic():
    text = (COHORT / "SYNTHETIC").read_text(encoding="utf-8")
    assert "SYNTHETIC" in text
    assert "10.21203/rs.3.rs-6824104/v1" in text
    assert "make_cohort.py" in text


# --- Short term: weeks 1, 2 and 4 ----------------------------------------------------------------


def test_short_term_seven_of_eight_improved_by_46_to_79_percent(best_fall):
    improved = 100 * best_fall[best_fall >= 0.15]
    assert (len(improved), len(best_fall)) == (7, 8)
    assert (round(improved.min()), round(improved.max())) == (46, 79)


@pytest.mark.parametrize(
    ("marker", "sign"),
    [("urine_protein_24h", -1), ("urine_protein_conc", -1), ("cd3", 1), ("cd4", 1), ("cd8", 1)],
)
def test_short_term_protein_fell_and_t_cells_rose(table, marker, sign):
    assert_moved(table[marker][0], table[marker][4], sign)
    assert_moved(table[marker][0], short_term_mean(table[marker]), sign)


def test_albumin_rose_in_the_same_six_by_week_4_and_in_the_mean_of_the_visits(table):
    albumin = table["albumin"]
    rose = albumin[4] > albumin[0]
    assert rose.sum() == 6
    by_mean = albumin[SHORT_TERM].mean(axis="columns") > albumin[0]
    pd.testing.assert_series_equal(by_mean, rose)


# --- Week 12 -------------------------------------------------------------------------------------


def test_week_12_five_of_seven_responded_by_17_to_76_percent(patients, late_fall):
    assert set(late_fall.index) == set(patients.index[patients["withdrew_week"].isna()])
    effective = 100 * late_fall[late_fall >= 0.15]
    assert (len(effective), len(late_fall)) == (5, 7)
    assert round(100 * len(effective) / len(late_fall)) == 71
    assert (round(effective.min()), round(effective.max())) == (17, 76)


def test_week_12_one_complete_and_three_partial_remissions(table, complete, partial):
    assert (len(complete), len(partial)) == (1, 3)
    (patient,) = complete
    assert table["urine_protein_24h"].loc[patient, 0] < 1.25


@pytest.mark.parametrize(
    ("marker", "sign"), [("urine_protein_24h", -1), ("b_cell", 1), ("nk_cell", 1)]
)
def test_week_12_protein_fell_and_b_and_nk_cells_rose(table, marker, sign):
    assert_moved(table[marker][0], table[marker][12], sign)
    if sign > 0:  # by the last visit too
        last = table[marker].ffill(axis="columns")[12]
        assert len(last.dropna()) == 8
        assert_moved(table[marker][0], last, sign)


def test_week_12_the_17_percent_patient_is_effective_without_remission(
    late_fall, complete, partial
):
    effective = late_fall[late_fall >= 0.15]
    assert set(effective.index) - complete - partial == {effective.idxmin()}
    assert complete | partial < set(effective.index)


def test_the_short_term_non_responder_is_one_of_the_two_and_the_other_relapsed(
    best_fall, late_fall
):
    never = set(best_fall.index[best_fall < 0.15])
    late = set(late_fall.index[late_fall < 0.15])
    assert never < late
    (relapsed,) = late - never
    assert best_fall[relapsed] >= 0.46


# --- Fatigue and adverse events ------------------------------------------------------------------


def test_fatigue_was_present_at_baseline_in_all_and_improved_in_all(patients, events):
    fatigue = events[events["term"] == "fatigue"].pivot_table(
        index="patient", columns="week", values="grade"
    )
    assert set(fatigue.index) == set(patients.index)
    assert (fatigue[0] >= 1).all()
    assert (fatigue.ffill(axis="columns")[12] < fatigue[0]).all()
    assert (fatigue.le(fatigue[0], axis="index") | fatigue.isna()).all(axis=None)  # never worse


def test_adverse_reactions_were_few_and_mild(events):
    adverse = events[(events["term"] != "fatigue") & (events["grade"] > 0)]
    assert 1 <= adverse["patient"].nunique() <= 2
    assert (adverse["grade"] == 1).all()
    assert (adverse["week"] > 0).all()


def test_the_program_finds_both_facts_in_the_events():
    table = safety_table(load_cohort(COHORT)).set_index(["kind", "term", "outcome"])
    few = table.loc[("adverse", ANY, "grade 1 or higher")]
    severe = table.loc[("adverse", ANY, "grade 3 or higher")]
    improved = table.loc[("symptom", "fatigue", "improved")]
    assert (few["patients"], few["total"]) == (2, 8)
    assert (severe["patients"], severe["total"]) == (0, 8)
    assert (improved["patients"], improved["total"]) == (8, 8)


# --- Plausibility --------------------------------------------------------------------------------


def test_excretion_is_concentration_times_a_plausible_volume(table):
    volume = measured(table["urine_protein_24h"] / table["urine_protein_conc"])
    assert len(volume) == 8 * 5 - 1
    assert volume.between(0.8, 3.0).all()
    assert volume.std() > 0.1


def test_visit_noise_of_urinary_protein_is_that_of_published_series(fall):
    ratio = np.log(1 - fall.dropna())[[1, 2, 4, 12]]
    rest = ratio.sub(ratio.mean(axis="columns"), axis="index").sub(
        ratio.mean() - ratio.mean(axis=None)
    )
    sd = np.sqrt((rest**2).sum(axis=None) / (6 * 3))
    assert 0.15 <= sd <= 0.35


def test_cd4_and_cd8_are_parts_of_cd3(table):
    share = measured((table["cd4"] + table["cd8"]) / table["cd3"])
    assert len(share) == 8 * 5 - 1
    assert share.between(0.8, 1).all()


@pytest.mark.parametrize(
    ("marker", "low", "high"),
    [
        ("albumin", 15, 45),
        ("urine_protein_24h", 0.15, 15),
        ("cd3", 360, 2840),
        ("cd4", 195, 1640),
        ("cd8", 110, 1270),
        ("b_cell", 55, 810),
        ("nk_cell", 30, 760),
    ],
)
def test_values_are_plausible(table, marker, low, high):
    assert measured(table[marker]).between(low, high).all()


def test_generation_is_reproducible_to_the_byte(tmp_path):
    script("make_cohort").main(tmp_path / "cohort")
    for name in ("patients.csv", "measurements.csv", "events.csv", "SYNTHETIC"):
        assert (tmp_path / "cohort" / name).read_bytes() == (COHORT / name).read_bytes(), name
