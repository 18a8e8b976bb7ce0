"""Properties of loading: a valid cohort comes back, anything else is refused in words."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from cohorts import small_cohort_frames, write_cohort
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mnbayes.base.problems import InputError, Problem
from mnbayes.data.cohort import Cohort, load_cohort
from mnbayes.data.markers import MARKERS, Marker
from mnbayes.data.trial import Trial

QUIET = settings(max_examples=20)

# By canonical unit: a spelling and how many of it make one canonical unit, by hand.
SPELLINGS = {
    "g/24h": {"g/24h": 1, "mg/24h": 1000, "g/day": 1, "mg/d": 1000, "µg/24 h": 1e6},
    "g/L": {"g/L": 1, "g/dL": 0.1, "mg/dL": 100, "mg/L": 1000, "mg/mL": 1},
    "cells/uL": {"cells/uL": 1, "10^9/L": 0.001, "10^6/L": 1, "/mm3": 1, "cells/mL": 1000},
    "g/g": {"g/g": 1, "mg/mg": 1, "mg/g{creat}": 1000, "mg/mmol": 113.12},
    "mg/g": {"mg/g": 1, "ug/mg": 1, "mg/mmol": 0.11312},
    "umol/L": {"umol/L": 1, "mmol/L": 0.001, "mg/dL": 0.011312},
    "mmol/L": {"mmol/L": 1, "mg/dL": 38.665},
    "mg/L": {"mg/L": 1, "mg/dL": 0.1},
    "mL/min/1.73m2": {"mL/min/1.73m2": 1, "mL/min/{1.73_m2}": 1, "mL/s/1.73m2": 1 / 60},
    "RU/mL": {"RU/mL": 1},
    "%": {"%": 1, "percent": 1},
}


def outcome(folder: Path) -> Cohort | tuple[Problem, ...]:
    """Load; only an InputError with at least one error may come instead of a cohort."""
    try:
        return load_cohort(folder)
    except InputError as error:
        refusal = error
    assert any(problem.severity == "error" for problem in refusal.problems)
    assert str(refusal)
    return refusal.problems


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Patients, measurements in random units, and what they are in canonical units."""
    markers = draw(st.lists(st.sampled_from(list(MARKERS)), min_size=1, max_size=3, unique=True))
    weeks = sorted(draw(st.sets(st.integers(1, 52), max_size=3)))
    patients, canonical = small_cohort_frames(
        draw(st.integers(1, 3)), (0, *weeks), sorted(markers, key=list(MARKERS).index)
    )
    written = canonical.copy()
    for i in canonical.index:
        low, high = MARKERS[canonical.loc[i, "marker"]].possible
        amounts = st.floats(low * 1.01, high * 0.49, allow_nan=False)
        spellings = SPELLINGS[MARKERS[canonical.loc[i, "marker"]].unit]
        unit = draw(st.sampled_from(list(spellings)))
        value: float = draw(amounts)
        lower, upper = 0.0, np.inf
        match draw(st.sampled_from(["exact", "exact", "below", "above", "between"])):
            case "exact":
                lower = upper = np.nan
            case "below":
                upper, value = value, np.nan
            case "above":
                lower, value = value, np.nan
            case _:
                lower, upper, value = value, 2 * value, np.nan
        amount = np.array([value, lower, upper])
        canonical.loc[i, ["value", "lower", "upper"]] = amount
        shown = np.where((amount == 0) | np.isinf(amount), np.nan, amount * spellings[unit])
        written.loc[i, ["value", "lower", "upper"]] = shown
        written.loc[i, "unit"] = unit
    order = draw(st.permutations(range(len(written))))
    return patients, written.iloc[order], canonical


@given(cohorts())
@QUIET
def test_any_valid_cohort_comes_back_in_canonical_units(
    frames: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    patients, written, canonical = frames
    with tempfile.TemporaryDirectory() as folder:
        cohort = load_cohort(write_cohort(Path(folder), patients, written))
    assert cohort.patient_ids == tuple(patients["patient"])
    expected = canonical.assign(actual_week=canonical["week"])
    pd.testing.assert_frame_equal(
        cohort.measurements, expected, check_dtype=False, rtol=1e-12, atol=0.0
    )


ODD = ("nan", "inf", "1e999", "-0", "0x10", "1_000", "٣", "True", "<NA>", "1e99")
CELLS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=12),
    st.sampled_from([*ODD, '"', "\r", "\x00"]),
    st.floats().map(str),
)


@given(
    table=st.sampled_from(["patients", "measurements", "events"]),
    data=st.data(),
    cells=st.lists(CELLS, min_size=1, max_size=3),
)
@QUIET
def test_any_text_in_any_cell_is_read_or_refused(
    table: str, data: st.DataObject, cells: list[str]
) -> None:
    patients, measurements = small_cohort_frames(2, (0, 4))
    events = pd.DataFrame(
        {"patient": ["P1", "P2"], "week": [0, 4], "term": ["fatigue", "fever"], "grade": [2, 1]}
    )
    frames = {"patients": patients, "measurements": measurements, "events": events}
    frame = frames[table].astype(object)
    for cell in cells:
        row = data.draw(st.integers(0, len(frame) - 1))
        frame.iloc[row, data.draw(st.integers(0, frame.shape[1] - 1))] = cell
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder), **{**frames, table: frame})
        result = outcome(Path(folder))
    if isinstance(result, Cohort):  # nothing is dropped
        assert len(result.patients) == len(patients)
        assert len(result.measurements) + len(result.set_aside) == len(measurements)
        exact = result.measurements["value"].notna()
        bounds = result.measurements.loc[~exact, ["lower", "upper"]]
        assert (result.measurements.loc[exact, "value"] > 0).all()
        assert (bounds["lower"] < bounds["upper"]).all()
        assert result.events is not None
        assert len(result.events) == len(events)
        assert result.events["grade"].isin(range(6)).all()


FILES = st.one_of(
    st.binary(max_size=60),
    st.text(st.sampled_from('patient,week;\n\r"1 x\t'), max_size=60).map(str.encode),
    st.binary(max_size=40).map(
        lambda tail: b"patient,sex,age_years,bmi,infusions,withdrew_week\n" + tail
    ),
    st.binary(max_size=40).map(lambda tail: b"patient,week,marker,value,unit,lower,upper\n" + tail),
    st.binary(max_size=40).map(lambda middle: b"PAR1" + middle + b"PAR1"),
    st.binary(max_size=40).map(lambda tail: b"PK\x03\x04" + tail),
)


@given(
    content=FILES,
    name=st.sampled_from(["patients", "measurements", "events"]),
    form=st.sampled_from(["csv", "parquet", "xlsx"]),
)
@example(content=b"PK\x03\x04", name="patients", form="xlsx")
@example(content=b"patient\n1,2\n", name="measurements", form="csv")
@settings(QUIET, max_examples=40)
def test_any_bytes_are_read_or_refused(content: bytes, name: str, form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder))
        (Path(folder) / f"{name}.csv").unlink(missing_ok=True)
        (Path(folder) / f"{name}.{form}").write_bytes(content)
        outcome(Path(folder))


TOML_VALUES = st.recursive(
    st.one_of(
        st.sampled_from(["albumin", "g/L", "log", "logit", "%", "lower", "", "A", "x" * 300]),
        st.floats(),
        st.integers(-5, 60),
        st.booleans(),
        st.none(),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["week", "a"]), inner)
    ),
    max_leaves=4,
)


def toml(value: object) -> str:
    """A value as TOML writes it; None as something that TOML does not know."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {toml(each)}' for key, each in value.items())}}}"
        case _:
            return str(value)


VISITS = st.lists(
    st.fixed_dictionaries(
        {key: st.sampled_from([-1, 0, 0.5, 1, 4, 12]) for key in ("week", "earliest", "latest")}
    ),
    max_size=3,
)


@given(
    table=st.sampled_from(["", "[albumin]\n", "[new]\n", "[albumin.source]\n", "[[visits]]\n"]),
    fields=st.dictionaries(
        st.sampled_from([*Trial.model_fields, *Marker.model_fields, "odd"]), TOML_VALUES, max_size=4
    ),
    visits=st.none() | VISITS,
    name=st.sampled_from(["trial.toml", "markers.toml"]),
)
@settings(QUIET, max_examples=60)
def test_any_fields_of_the_files_beside_are_read_or_refused(
    table: str, fields: dict[str, object], visits: object, name: str
) -> None:
    lines = [f"{key} = {toml(value)}" for key, value in fields.items()]
    above = f"visits = {toml(visits)}\n" if visits is not None and "visits" not in fields else ""
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder))
        (Path(folder) / name).write_text(above + table + "\n".join(lines), encoding="utf-8")
        result = outcome(Path(folder))
    if isinstance(result, Cohort):
        assert len(result.measurements) + len(result.set_aside) == 40
        assert set(result.measurements["marker"]) <= set(result.catalogue)


@given(
    text=st.text(max_size=80) | st.binary(max_size=60), name=st.sampled_from(["trial", "markers"])
)
@QUIET
def test_any_text_of_the_files_beside_is_read_or_refused(text: str | bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder))
        content = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        (Path(folder) / f"{name}.toml").write_bytes(content)
        outcome(Path(folder))


@given(
    header=st.lists(
        st.sampled_from(
            ["patient", "Patient ID", "week", "Marker", "value ", "unit", "arm", "", "x"]
        ),
        min_size=1,
        max_size=7,
    ),
    rows=st.lists(
        st.lists(
            st.sampled_from(["A", "B", "0", "-3", "12.1", "albumin", "alb", "25", "<3", "g/L", ""]),
            max_size=7,
        ),
        max_size=4,
    ),
    name=st.sampled_from(["patients", "measurements", "events"]),
)
@settings(QUIET, max_examples=60)
def test_any_table_of_words_is_read_or_refused(
    header: list[str], rows: list[list[str]], name: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_cohort(Path(folder))
        text = "\n".join(",".join(cells) for cells in (header, *rows))
        (Path(folder) / f"{name}.csv").write_text(text)
        outcome(Path(folder))
