"""An example folder to change, and a workbook to fill in (``mnbayes init``)."""

from __future__ import annotations

import io
from pathlib import Path

from mnbayes.data.imports.visits import windows
from mnbayes.data.imports.writing import place_whole

WEEKS = (0, 4, 12, 24)
#: Patient, sex, age, BMI, week of leaving, 24-h protein and albumin at each visit; made up.
_PATIENTS: tuple[tuple[str, str, int, float, str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("P01", "female", 54, 24.1, "", ("6.2", "4.8", "3.1", "1.9"), ("24", "27", "31", "34")),
    ("P02", "male", 61, 27.5, "", ("4.1", "3.9", "3.6", "3.3"), ("29", "29", "30", "31")),
    ("P03", "male", 47, 31.0, "12", ("8.8", "8.1", "9.0"), ("20", "21", "20")),
    ("P04", "female", 39, 22.3, "", ("5.0", "2.7", "1.2", "0.4"), ("26", "31", "35", "38")),
    ("P05", "male", 66, 25.8, "", ("3.7", "2.2", "0.9", "<0.2"), ("30", "33", "37", "40")),
    ("P06", "female", 58, 23.9, "", ("7.4", "6.0", "", "3.5"), ("22", "24", "", "29")),
)
_EVENTS = (("P01", "4", "fatigue", "1"), ("P03", "12", "oedema", "2"), ("P06", "0", "fatigue", "1"))
MARK = """This cohort is SYNTHETIC: made up by hand as an example of the form. No patient exists.

Remove this file once the tables hold your own patients.
"""
README = """# A cohort's folder

MADE UP: the six patients here are an example of the form and do not exist. The file SYNTHETIC says
so to the program; remove it once the tables hold your own patients.

| file | a row is | columns |
|---|---|---|
| `patients.csv` | a patient | `patient`, `sex`, `age_years`, `bmi`, `infusions`, `withdrew_week` |
| `measurements.csv` | a marker at a visit | `patient`, `week`, `marker`, `value`, `unit`, |
| | | `lower`, `upper` |
| `events.csv`, optional | an adverse event | `patient`, `week`, `term`, `grade` (CTCAE, 0 to 5) |
| `trial.toml`, optional | planned visits and their windows, the week of the primary analysis | |

- `sex` is female, male or blank; `withdrew_week` blank where the patient stayed; week 0 is the
  baseline.
- Text in UTF-8, commas between cells, a decimal point.
- A value below a limit of detection ("<0.2") has a blank `value` and 0.2 in `upper`; one above a
  limit has it in `lower`.
- What was not measured has no row. Every patient has a row of week 0.
- No row after `withdrew_week`. `mnbayes check .` lists everything that is wrong, at once.

`wide.xlsx` is the other way: fill it in, a row a patient, and

    mnbayes import wide.xlsx --out my-trial

writes such a folder. Its second sheet says how.
"""
INSTRUCTIONS = (
    "A row a patient; a column for each marker and visit. MADE UP: write over the example.",
    "Name markers as you do (24h protein, UPCR, albumin, creatinine, eGFR, CD4 …), in English, "
    "German or Chinese, with the unit in brackets.",
    "Visits: baseline, week 4, month 3, day 28. Add or delete columns as you need.",
    "Below or above a limit of detection: <0.2 or >20. Not measured: leave the cell blank.",
    "Withdrawn: the week in which the patient left, or blank.",
    "No names and no dates of birth: a number for each patient is enough.",
    "Then: mnbayes import wide.xlsx --out my-trial, and mnbayes check my-trial.",
    "mnbayes import does not read this sheet.",
)


def _tables() -> dict[str, str | bytes]:
    people = ["patient,sex,age_years,bmi,infusions,withdrew_week"]
    values = ["patient,week,marker,value,unit,lower,upper"]
    for patient, sex, age, bmi, left, protein, albumin in _PATIENTS:
        people.append(f"{patient},{sex},{age},{bmi},,{left}")
        for marker, unit, row in (
            ("urine_protein_24h", "g/24h", protein),
            ("albumin", "g/L", albumin),
        ):
            for week, text in zip(WEEKS, row, strict=False):
                if text.startswith("<"):
                    values.append(f"{patient},{week},{marker},,{unit},,{text[1:]}")
                elif text:
                    values.append(f"{patient},{week},{marker},{text},{unit},,")
    events = ["patient,week,term,grade", *(",".join(event) for event in _EVENTS)]
    lines = ['title = "Example of a cohort\'s folder (made up)"', "primary_week = 24.0"]
    for visit in windows(WEEKS):
        lines += [
            "",
            "[[visits]]",
            f"week = {visit.week}",
            f"earliest = {visit.earliest}",
            f"latest = {visit.latest}",
        ]
    texts = {
        "patients.csv": people,
        "measurements.csv": values,
        "events.csv": events,
        "trial.toml": lines,
    }
    return {name: "\n".join(each) + "\n" for name, each in texts.items()}


def workbook() -> bytes:
    """A workbook that ``mnbayes import`` reads: the example's patients, and instructions."""
    import openpyxl  # type: ignore[import-untyped]
    from openpyxl.styles import Font  # type: ignore[import-untyped]

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Patients"
    sheet.append(
        [
            *("Patient", "Sex", "Age", "BMI", "Withdrawn (week)"),
            *("24h protein (g/24h)" if i == 0 else None for i in range(len(WEEKS))),
            *("Albumin (g/L)" if i == 0 else None for i in range(len(WEEKS))),
        ]
    )
    visits = ["Baseline", *(f"Week {week}" for week in WEEKS[1:])]
    sheet.append([*[None] * 5, *visits, *visits])
    for patient, sex, age, bmi, left, *markers in _PATIENTS:
        cells: list[str | float | None] = [patient, sex, age, bmi, float(left) if left else None]
        for row in markers:
            padded = [*row, *[""] * (len(WEEKS) - len(row))]
            cells += [text if "<" in text else float(text) if text else None for text in padded]
        sheet.append(cells)
    for first in (6, 6 + len(WEEKS)):
        last = first + len(WEEKS) - 1
        sheet.merge_cells(start_row=1, end_row=1, start_column=first, end_column=last)
    for column in range(1, 6):
        sheet.merge_cells(start_row=1, end_row=2, start_column=column, end_column=column)
    for row in sheet["1:2"]:
        for cell in row:
            cell.font = Font(bold=True)
    sheet.freeze_panes = "B3"
    notes = book.create_sheet("Instructions")
    for line in INSTRUCTIONS:
        notes.append([line])
    notes.column_dimensions["A"].width = 110
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def write_example(folder: Path) -> None:
    """Write the example into a new folder, or an empty one.

    Raises
    ------
    InputError
        If the folder holds anything.
    """
    files = {**_tables(), "SYNTHETIC": MARK, "README.md": README, "wide.xlsx": workbook()}
    place_whole(files, folder)
