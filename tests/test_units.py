"""Units: hand-computed factors, and refusal of everything else."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnbayes.data.markers import MARKERS
from mnbayes.data.units import UnitError, accepted, conversion, converts, plain_unit

# (marker, unit, the number that is one in the canonical unit times what it must give)
CONVERTS = [
    ("urine_protein_24h", "g/24h", 3.5, 3.5),
    ("urine_protein_24h", "mg/24h", 3300.0, 3.3),
    ("urine_protein_24h", "g/24 h", 3.5, 3.5),
    ("urine_protein_24h", "mg / 24 hours", 3500.0, 3.5),
    ("urine_protein_24h", "g/day", 3.5, 3.5),
    ("urine_protein_24h", "g/d", 3.5, 3.5),
    ("urine_protein_24h", "mg per day", 3500.0, 3.5),
    ("urine_protein_24h", "g·d⁻¹", 3.5, 3.5),
    ("urine_protein_24h", "\N{MICRO SIGN}g/24h", 250000.0, 0.25),
    ("urine_protein_conc", "mg/dL", 350.0, 3.5),
    ("urine_protein_conc", "mg/L", 3500.0, 3.5),
    ("albumin", "g/L", 35.0, 35.0),
    ("albumin", "g/dL", 3.5, 35.0),
    ("albumin", "gm/dl", 3.5, 35.0),
    ("albumin", "mg/mL", 35.0, 35.0),
    ("albumin", "g L-1", 35.0, 35.0),
    ("cd4", "cells/uL", 500.0, 500.0),
    ("cd4", "cells/\N{MICRO SIGN}L", 500.0, 500.0),
    ("cd4", "Cells/uL", 500.0, 500.0),
    ("cd4", "/uL", 500.0, 500.0),
    ("cd4", "cells/mm3", 500.0, 500.0),
    ("cd4", "cells/mm^3", 500.0, 500.0),
    ("cd4", "cells/mm³", 500.0, 500.0),
    ("cd4", "/cumm", 500.0, 500.0),
    ("cd4", "10^9/L", 0.5, 500.0),
    ("cd4", "x10^9/L", 0.5, 500.0),
    ("cd4", "x 10^9 / L", 0.5, 500.0),
    ("cd4", "×10⁹/L", 0.5, 500.0),
    ("cd4", "10*9/L", 0.5, 500.0),
    ("cd4", "10^9 cells/L", 0.5, 500.0),
    ("cd4", "10^6/L", 500.0, 500.0),
    ("cd4", "cells/mL", 500000.0, 500.0),
    ("cd4", "{cells}/uL", 500.0, 500.0),
    ("cd4", "10*3/uL", 0.5, 500.0),
    ("cd4", "K/uL", 0.5, 500.0),
    ("cd4", "G/L", 0.5, 500.0),
    ("cd4", "Tsd/µl", 0.5, 500.0),
    ("cd4", "Zellen/µl", 500.0, 500.0),
    ("urine_protein_24h", "g/(24.h)", 3.5, 3.5),
    ("urine_protein_24h", "mg/(24.h)", 3500.0, 3.5),
    ("upcr", "mg/mg", 3.5, 3.5),
    ("upcr", "g/g creatinine", 3.5, 3.5),
    ("upcr", "mg/g{creat}", 3500.0, 3.5),
    ("upcr", "ug/mg", 3500.0, 3.5),
    # 113.12 mg of creatinine are a millimole
    ("upcr", "mg/mmol", 113.12, 1.0),
    ("upcr", "g/mol", 113.12, 1.0),
    ("upcr", "mg/mmol creatinine", 226.24, 2.0),
    ("uacr", "mg/mmol", 113.12, 1000.0),
    ("uacr", "ug/mg", 30.0, 30.0),
    ("creatinine", "mg/dL", 11.312, 1000.0),
    ("creatinine", "mmol/L", 0.1, 100.0),
    ("cholesterol", "mg/dL", 386.65, 10.0),
    ("egfr", "mL/min/1.73 m2", 60.0, 60.0),
    ("egfr", "mL/min/{1.73_m2}", 60.0, 60.0),
    ("egfr", "ml/min/1,73m²", 60.0, 60.0),
    ("egfr", "mL/s/1.73m2", 1.0, 60.0),
    ("anti_pla2r", "RU/ml", 14.0, 14.0),
    ("cd4_percent", "%", 35.0, 35.0),
    ("cd4_percent", "% of lymphocytes", 35.0, 35.0),
]

REFUSED = [
    ("urine_protein_24h", ""),
    ("urine_protein_24h", "g"),
    ("urine_protein_24h", "g/24"),
    ("urine_protein_24h", "g/L"),
    ("urine_protein_24h", "mg/mmol"),
    ("urine_protein_24h", "g/0h"),
    ("urine_protein_24h", "nan/day"),
    ("albumin", "MG/DL"),  # megagrams
    ("albumin", "G/L"),
    ("albumin", "umol/L"),
    ("albumin", "%"),
    ("albumin", "/L"),
    ("cd4", "%"),
    ("cd4", "%/uL"),
    ("cd4", "cells"),
    ("cd4", "g/L"),
    ("cd4", "10^9"),
    ("cd4", "109/L"),  # a lost superscript
    ("cd4", "10e9/L"),  # 10^9 or 10^10?
    ("cd4", "x/uL"),
    ("upcr", "mol/mol"),  # of which protein?
    ("upcr", "L/L"),
    ("upcr", "g/L"),
    ("creatinine", "mg/mmol"),
    ("egfr", "mL/min"),  # of which body surface?
    ("egfr", "60/1.73m2"),
    ("anti_pla2r", "U/mL"),
    ("cd4_percent", "cells/uL"),
    ("cd4_percent", "50%"),
]


@pytest.mark.parametrize(("marker", "unit", "value", "expected"), CONVERTS)
def test_conversion_by_hand(marker: str, unit: str, value: float, expected: float) -> None:
    multiply, divide = conversion(unit, MARKERS[marker])
    assert value * multiply / divide == expected  # exactly: thresholds are compared with it


def test_factor_that_is_no_power_of_ten() -> None:
    multiply, divide = conversion("\N{GREEK SMALL LETTER MU}g/min", MARKERS["urine_protein_24h"])
    assert multiply / divide == pytest.approx(1440e-6, rel=1e-14)  # 1440 minutes a day


@pytest.mark.parametrize(("marker", "unit"), REFUSED)
def test_a_unit_that_does_not_convert_is_refused(marker: str, unit: str) -> None:
    with pytest.raises(UnitError, match=f"converts to {re.escape(MARKERS[marker].unit)}"):
        conversion(unit, MARKERS[marker])


@pytest.mark.parametrize("marker", MARKERS)
def test_canonical_unit_is_the_identity(marker: str) -> None:
    assert conversion(MARKERS[marker].unit, MARKERS[marker]) == (1.0, 1.0)


@pytest.mark.parametrize("unit", ["9**9**9**9", "__import__('os')", "g/(24h)", "1e999999/L"])
def test_nothing_in_a_unit_is_evaluated(unit: str) -> None:
    with pytest.raises(UnitError):
        conversion(unit, MARKERS["cd4"])


@pytest.mark.parametrize("marker", MARKERS)
def test_units_named_in_messages_convert(marker: str) -> None:
    names = accepted(MARKERS[marker])
    assert names[0] == MARKERS[marker].unit
    assert all(converts(unit, MARKERS[marker]) for unit in names)


@pytest.mark.parametrize(
    ("marker", "unit", "plain"),
    [
        ("upcr", "mg/mmol creatinine", "mg/mmol"),
        ("upcr", "mg/mg", "g/g"),
        ("urine_protein_24h", "mg per day", "mg/24h"),
        ("cd4", "x10^9/L", "10^9/L"),
        ("creatinine", "mg/dl", "mg/dL"),
    ],
)
def test_a_unit_has_one_plain_spelling(marker: str, unit: str, plain: str) -> None:
    assert plain_unit(unit, MARKERS[marker]) == plain


def test_a_marker_of_one_s_own_converts_by_grammar_and_by_its_spellings() -> None:
    odd = MARKERS["anti_pla2r"].model_copy(update={"unit": "points", "spellings": {"pt": 2.0}})
    assert conversion("points", odd) == (1.0, 1.0)
    assert conversion("pt", odd) == (2.0, 1.0)
    assert not converts("RU/mL", odd)
    phosphate = odd.model_copy(update={"unit": "mmol/L", "molar_mass": 94.97, "spellings": {}})
    multiply, divide = conversion("mg/dL", phosphate)
    assert 9.497 * multiply / divide == pytest.approx(1.0, rel=1e-15)


# Letters that pass the grammar reach pint: words that mean something to a parser among them.
WORDS = st.one_of(
    st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZμ", min_size=1, max_size=12),
    st.sampled_from(["nan", "inf", "None", "and", "lambda", "not", "pi", "e", "dimensionless"]),
)


@given(over=WORDS, under=WORDS, marker=st.sampled_from(list(MARKERS)))
@example(over="nan", under="nan", marker="cd4")
@settings(max_examples=200)
def test_any_words_convert_or_are_refused(over: str, under: str, marker: str) -> None:
    for unit in (f"{over}/{under}", f"10^3 {over}/24 {under}", f"{over} {under}^-3"):
        try:
            multiply, divide = conversion(unit, MARKERS[marker])
        except UnitError:
            continue
        assert multiply > 0
        assert divide > 0


@given(unit=st.text(max_size=20), marker=st.sampled_from(list(MARKERS)))
@settings(max_examples=200)
def test_any_text_converts_or_is_refused(unit: str, marker: str) -> None:
    try:
        factors = conversion(unit, MARKERS[marker])
    except UnitError:
        return
    assert min(factors) > 0
