"""Names by which people call columns, markers and patients, and which of them look alike."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from mnbayes.data.markers import Catalogue
from mnbayes.data.units import converts

#: Other names of a table's columns, as `normal` has them. Not "day" or "month", which are other
#: times than weeks, and not "lower limit", which is most often that of a healthy range.
COLUMN_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "patient": (
        *("patient_id", "patientid", "pat", "pat_id", "patient_no", "patient_number", "patient_nr"),
        *(
            "id",
            "pid",
            "subject",
            "subject_id",
            "subjid",
            "usubjid",
            "patienten_id",
            "patienten_nr",
        ),
        *("患者", "患者编号"),
    ),
    "week": ("weeks", "week_no", "study_week", "weeks_since_baseline", "woche", "wochen", "周"),
    "marker": (
        *("parameter", "param", "analyte", "analyt", "test", "lab_test", "laboratory_test"),
        *("lab_parameter", "laborwert", "指标"),
    ),
    "value": ("result", "results", "values", "measurement", "measured", "wert", "messwert", "值"),
    "unit": ("units", "einheit", "einheiten", "uom", "单位"),
    "lower": ("lower_bound",),
    "upper": ("upper_bound",),
    "sex": ("gender", "geschlecht", "性别"),
    "age_years": ("age", "alter", "age_at_enrolment", "age_at_baseline", "年龄"),
    "bmi": ("body_mass_index", "bmi_kg_m2"),
    "infusions": ("n_infusions", "number_of_infusions", "infusion_count"),
    "withdrew_week": (
        *("withdrawal_week", "week_of_withdrawal", "withdrawn_week", "dropout_week"),
        *("discontinued_week",),
    ),
    "arm": ("treatment_arm", "study_arm", "arms"),
    "term": ("event", "adverse_event", "ae_term", "aeterm", "ereignis"),
    "grade": ("ctcae_grade", "ctcae", "ae_grade", "aetoxgr", "grad"),
}

#: What a marker is called, as `normal` has it; several where only the unit can tell.
MARKER_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("proteinuria", "protein", "urine_protein", "urinary_protein", "eiweiss", "proteinurie"),
        ("urine_protein_24h", "upcr", "urine_protein_conc"),
    ),
    **dict.fromkeys(
        (
            *("24h_protein", "protein_24h", "24_h_protein", "24h_urine_protein", "24hup", "utp"),
            *("24h_proteinuria", "proteinuria_24h", "upe", "24_hour_urine_protein", "24h_utp"),
        ),
        ("urine_protein_24h",),
    ),
    **dict.fromkeys(
        (
            *("pcr", "up_cr", "upc", "protein_creatinine_ratio", "urine_protein_creatinine_ratio"),
            *("protein_creatinine", "tpcr"),
        ),
        ("upcr",),
    ),
    **dict.fromkeys(
        ("acr", "ua_cr", "albumin_creatinine_ratio", "urine_albumin_creatinine_ratio"), ("uacr",)
    ),
    **dict.fromkeys(("alb", "serum_albumin", "s_albumin", "albumin_serum", "sa"), ("albumin",)),
    **dict.fromkeys(
        ("crea", "creat", "scr", "serum_creatinine", "s_creatinine", "kreatinin", "krea", "cr"),
        ("creatinine",),
    ),
    **dict.fromkeys(
        ("gfr", "ckd_epi", "estimated_gfr", "egfr_ckd_epi", "mdrd", "glomerular_filtration_rate"),
        ("egfr",),
    ),
    **dict.fromkeys(
        ("pla2r", "antipla2r", "pla2r_ab", "anti_pla2r_antibody", "pla2r_antibody", "apla2r"),
        ("anti_pla2r",),
    ),
    **dict.fromkeys(("hb", "hgb", "hemoglobin", "haemoglobin", "hämoglobin"), ("haemoglobin",)),
    **dict.fromkeys(
        ("chol", "total_cholesterol", "tc", "cholesterin", "cholesterol_total"), ("cholesterol",)
    ),
    **dict.fromkeys(("c_reactive_protein", "hs_crp", "hscrp"), ("crp",)),
    **dict.fromkeys(("immunoglobulin_g", "ig_g", "serum_igg"), ("igg",)),
    **dict.fromkeys(
        ("lymph", "lymphs", "total_lymphocytes", "lymphozyten", "alc", "lymphocyte_count"),
        ("lymphocytes",),
    ),
    **dict.fromkeys(("cd3+", "cd3_t_cells", "t_cells", "t_cell"), ("cd3", "cd3_percent")),
    **dict.fromkeys(("cd4+", "cd4_t_cells", "t_helper"), ("cd4", "cd4_percent")),
    **dict.fromkeys(("cd8+", "cd8_t_cells", "t_suppressor"), ("cd8", "cd8_percent")),
    **dict.fromkeys(
        ("cd19", "cd19+", "cd20", "cd20+", "b_cells", "b", "b_lymphocytes"),
        ("b_cell", "b_cell_percent"),
    ),
    **dict.fromkeys(("nk", "nk_cells", "cd16_56", "cd56", "cd56+"), ("nk_cell", "nk_cell_percent")),
}

#: Markers of one thing in several ways, of which the unit tells which one is meant.
_RELATED = (
    ("urine_protein_24h", "upcr", "urine_protein_conc"),
    *((f"{name}", f"{name}_percent") for name in ("cd3", "cd4", "cd8", "b_cell", "nk_cell")),
    ("creatinine", "egfr"),
    ("albumin", "uacr"),
)

#: Cyrillic and Greek letters that look like Latin ones.
_LOOK_ALIKES = str.maketrans(
    "АВЕЅЗІЈКМНОРСТХУавеѕзіјкмнорстхуΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορτυχ",
    "ABESZIJKMHOPCTXYabeszijkmhopctxyABEZHIKMNOPTYXaiknoptux",
)


def normal(name: str) -> str:
    """A name without differences of case, spaces and hyphens."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return re.sub(r"[\s_\-./:()\[\]]+", "_", plain).strip("_")


def columns_meant(given: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    """Which of the contract's columns are meant by names that are not its own.

    Parameters
    ----------
    given : sequence of str
        Names in a header.
    known : iterable of str
        Columns that the table may have.

    Returns
    -------
    dict
        Given name to the contract's.
    """
    by_name: dict[str, str] = {}
    for column in known:
        by_name |= dict.fromkeys((column, *COLUMN_SYNONYMS.get(column, ())), column)
    return {
        name: by_name[normal(name)]
        for name in given
        if normal(name) in by_name and by_name[normal(name)] != name
    }


def marker_meant(name: str, unit: str, catalogue: Catalogue) -> str:
    """The marker that is probably meant by a name of none; blank where nobody can tell."""
    plain = normal(name)
    if plain in catalogue:
        return plain
    meant = [each for each in MARKER_SYNONYMS.get(plain, ()) if each in catalogue]
    fits = [each for each in meant if converts(unit, catalogue[each])]
    if meant:
        return (fits or meant)[0]
    labels = {normal(each.label): key for key, each in catalogue.items()}
    labels |= {normal(each.short): key for key, each in catalogue.items()}
    if plain in labels:
        return labels[plain]
    near = difflib.get_close_matches(plain[:60], list(catalogue), 1, cutoff=0.7)
    if near:
        return near[0]
    # "uPCR ratio", "serum albumin (BCG)": one of the words alone
    words = [word for word in plain.split("_") if word in catalogue]
    return words[0] if len(words) == 1 else ""


def marker_of_unit(marker: str, unit: str, catalogue: Catalogue) -> str:
    """Another marker of the same thing to which a unit belongs; blank where there is none."""
    for family in _RELATED:
        if marker in family:
            for other in family:
                if other in catalogue and other != marker and converts(unit, catalogue[other]):
                    return other
    return ""


def skeleton(name: str) -> str:
    """What is left of a patient's name when all that eyes overlook is taken away.

    Case, spaces and signs (but not those between two numbers), leading zeros, accents composed or
    not, and letters of other alphabets that look like Latin ones.
    """
    plain = unicodedata.normalize("NFKC", name).translate(_LOOK_ALIKES).casefold()
    plain = re.sub(r"(?<=\d)[\W_]+(?=\d)", "-", plain)
    plain = re.sub(r"(?<!\d)[\W_]+|[\W_]+(?!\d)", "", plain)
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain) or name


def difference(name: str, other: str) -> str:
    """Why two names that look alike are not the same, for a message."""
    if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other):
        return "accents written in two ways"
    if name.casefold() == other.casefold():
        return "capitals"
    if name.translate(_LOOK_ALIKES).casefold() == other.translate(_LOOK_ALIKES).casefold():
        return "letters of another alphabet"
    return "spaces, signs or leading zeros"
