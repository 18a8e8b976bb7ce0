"""Patients of ADSL or DM: arm, age, sex, first dose, and who left when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mnbayes.base.problems import did_you_mean, quoted
from mnbayes.data.imports.datasets import Dataset
from mnbayes.data.imports.draft import Draft, Options, Place
from mnbayes.data.imports.findings import days_between, numeric
from mnbayes.data.imports.grids import as_text
from mnbayes.data.imports.mapping import Mapping, key

_NOT_TREATED = ("screenfailure", "scrnfail", "notassigned", "notassgn", "nottreated", "nottrt")
_GRADES = {"MILD": "1", "MODERATE": "2", "SEVERE": "3"}


@dataclass(frozen=True)
class Subjects:
    """Who is in, and what dates are counted from.

    Attributes
    ----------
    start : dict
        Date of the first dose by patient, as found; blank where there is none.
    left : dict
        Day of leaving from the first dose by patient, None where it has no date.
    """

    start: dict[str, object]
    left: dict[str, float | None]


def read_subjects(data: Dataset, mapping: Mapping, options: Options, draft: Draft) -> Subjects:
    """Patients of ADSL or DM, without those who were never treated, of one arm where asked."""
    arms = ("TRT01A", "TRT01P", "ACTARM", "ARM")
    arm_of = next((n for n in arms if any(as_text(c) for c in data.columns.get(n, ()))), "")
    start_of = next((n for n in ("TRTSDT", "RFXSTDTC", "RFSTDTC") if n in data.columns), "")
    start: dict[str, object] = {}
    left: dict[str, float | None] = {}
    reasons: Counter[str] = Counter()
    known: Counter[str] = Counter()
    odd_sex: Counter[str] = Counter()
    names = ("USUBJID", "AGE", "AGEU", "SEX", "BMI", "BMIBL", arm_of, "ARM", "EOSSTT", "DISCONFL")
    texts = data.texts(*names, "DCSREAS", "DCDECOD")
    dates = data.rows(start_of, "EOSDT", "RFENDT", "RFENDTC")
    first, twice = data.first, []
    for row, (
        (patient, age, ageu, sex, bmi, bmibl, arm, plan, status, flag, why, code),
        when,
    ) in enumerate(zip(texts, dates, strict=True), first):
        if not patient or key(arm) in _NOT_TREATED or key(plan) in _NOT_TREATED:
            draft.left_out["patient never treated (screen failure)"] += 1
            continue
        if arm:
            known[arm] += 1
        if options.arm and key(arm) != key(options.arm):
            draft.left_out[f"patient of another arm ({arm or 'blank'})"] += 1
            continue
        if patient in draft.patients:
            twice.append(patient)
        own = {"patient": patient, "age_years": age, "bmi": bmi or bmibl}
        own["sex"] = mapping.sexes.get(key(sex), "")
        odd_sex[sex] += bool(sex) and not own["sex"]
        if arm_of:
            own["arm"] = arm
        if ageu and key(ageu) not in ("years", "year"):
            draft.problems.append(Place(data.file, row, "AGEU").problem(quoted(ageu), "YEARS"))
        draft.patients[patient] = own
        draft.places[patient] = Place(data.file, row, "USUBJID")
        start[patient] = when[0]
        gone = status.upper() == "DISCONTINUED" or (not status and flag == "Y")
        gone = gone or (not status and not flag and bool(code) and "COMPLETED" not in code.upper())
        if gone:
            end = next((x for x in when[1:] if as_text(x)), "")
            left[patient] = days_between(when[0], end)
            reasons[why or code or "no reason given"] += 1
    if twice:
        found = f"{', '.join(twice[:5])} in more than one row"
        draft.problems.append(Place(data.file).problem(found, "one row of each patient"))
    if options.arm and not draft.patients:
        near = did_you_mean(options.arm, known)
        expected = f"one of {', '.join(known)}{near}"
        draft.ask(Place("--arm"), quoted(options.arm), expected)
    for arm, count in known.items():
        if not options.arm or key(arm) == key(options.arm):
            made = "kept" if options.arm else "column arm of patients.csv"
            draft.decide("Arms", f"{arm_of}: {arm}", made, count)
    if len(known) > 1 and not options.arm:
        draft.notes.append("several arms are kept: name one with --arm here, or when fitting")
    draft.decide("Dates", start_of or "no date of first dose", "start of treatment, week 0")
    for sex, count in odd_sex.items():
        if count:
            draft.decide("Columns", f"SEX {sex}", "blank: neither F nor M", count)
    for reason, count in reasons.items():
        draft.decide("Withdrawal", f"{data.file}: {reason}", "withdrew_week", count)
    return Subjects(start, left)


def write_withdrawals(draft: Draft, subjects: Subjects) -> None:
    """Week of leaving: of its date, or of the last value where there is no date or one later."""
    last: dict[str, float] = {}
    for reading in draft.readings:
        last[reading.patient] = max(
            reading.week, reading.actual or 0.0, last.get(reading.patient, 0)
        )
    rules: Counter[str] = Counter()
    for patient, days in subjects.left.items():
        week = -1.0 if days is None else round(days / 7, 2)
        if days is None:
            rules["no date: the week of the last value"] += 1
        elif week < last.get(patient, 0.0):
            rules["a value after it: the week of the last value"] += 1
        else:
            rules["the date of leaving"] += 1
        draft.patients[patient]["withdrew_week"] = (
            f"{max(week, round(last.get(patient, 0.0), 2)):g}"
        )
    for rule, count in rules.items():
        draft.decide("Withdrawal", rule, "withdrew_week", count)


def read_dispositions(data: Dataset, draft: Draft, subjects: Subjects) -> None:
    """Who left: the disposition event of DS, of the study rather than of the treatment."""
    found: dict[str, tuple[bool, str, object]] = {}
    ignored: Counter[str] = Counter()
    names = ("USUBJID", "DSDECOD", "DSCAT", "DSSCAT")
    for (patient, term, kind, part), (date,) in zip(
        data.texts(*names), data.rows("DSSTDTC"), strict=True
    ):
        if patient not in draft.patients:
            continue
        if (kind and key(kind) != "dispositionevent") or key(term) == "screenfailure":
            ignored[kind or term] += 1
            continue
        study = "STUDY" in part.upper()
        if patient not in found or (study and not found[patient][0]):
            found[patient] = (study, term, date)
    for patient, (_, term, date) in found.items():
        if key(term) not in ("completed", "ongoing"):
            subjects.left[patient] = days_between(subjects.start.get(patient, ""), date)
            draft.decide("Withdrawal", f"{patient}: {term}, {as_text(date)[:10]}", "withdrew_week")
    for kind, count in ignored.items():
        draft.decide("Withdrawal", f"DS rows of {kind}", "not read", count)


def read_events(sets: Sequence[Dataset], draft: Draft, subjects: Subjects) -> None:
    """Adverse events of ADAE or AE: term, week, grade; the highest grade of a term and week."""
    grades: dict[tuple[str, str, float], int] = {}
    for data in sets:
        names = ("USUBJID", "AEDECOD", "AETERM", "AETOXGR", "ATOXGR", "AESEV", "ASEV")
        for texts, (ady, sdy, adt, dtc) in zip(
            data.texts(*names), data.rows("ASTDY", "AESTDY", "ASTDT", "AESTDTC"), strict=True
        ):
            patient, decoded, term, toxicity, graded, severity, rated = texts
            if patient not in draft.patients:
                draft.left_out["event of a patient who is not in"] += 1
                continue
            grade = toxicity or graded or _GRADES.get((severity or rated).upper(), "")
            day = numeric(ady) if numeric(ady) is not None else numeric(sdy)
            days = (
                days_between(subjects.start.get(patient, ""), dtc or adt) if day is None else None
            )
            if day is not None:
                days = day - 1 if day > 0 else day
            if days is None or days < 0 or not grade.isdigit():
                why = "without grade" if not grade.isdigit() else "before treatment or undated"
                draft.left_out[f"event {why}"] += 1
                continue
            spot = (patient, (decoded or term).lower(), round(days / 7, 2))
            grades[spot] = max(int(grade), grades.get(spot, 0))
    draft.events = [
        {"patient": patient, "week": f"{week:g}", "term": term, "grade": str(grade)}
        for (patient, term, week), grade in grades.items()
    ]
    draft.decide(
        "Adverse events",
        ", ".join(data.file for data in sets),
        "events.csv; mild, moderate, severe are grades 1, 2, 3 where no toxicity grade is given",
        len(grades),
    )
