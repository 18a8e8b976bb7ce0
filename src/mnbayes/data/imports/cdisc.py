"""ADaM (ADSL with ADLB) and SDTM (DM with LB or CP, DS, AE) as a draft of a cohort."""

from __future__ import annotations

from collections.abc import Sequence

from mnbayes.base.problems import InputError, Problem
from mnbayes.data.imports.datasets import Dataset
from mnbayes.data.imports.draft import Draft, Options
from mnbayes.data.imports.findings import (
    Finding,
    days_between,
    limit_of,
    map_markers,
    numeric,
    ordinal,
    place_visits,
)
from mnbayes.data.imports.mapping import Mapping
from mnbayes.data.imports.subjects import (
    Subjects,
    read_dispositions,
    read_events,
    read_subjects,
    write_withdrawals,
)
from mnbayes.data.imports.visits import week_of_study_day


def read_datasets(sets: Sequence[Dataset], mapping: Mapping, options: Options) -> Draft:
    """CDISC data sets as a draft of a cohort.

    Raises
    ------
    InputError
        If the set of patients or of findings is missing.
    OpenQuestionsError
        With everything that is wrong and everything that must be asked.
    """
    of_kind: dict[str, list[Dataset]] = {}
    for data in sets:
        of_kind.setdefault(data.kind, []).append(data)
    adam = "ADLB" in of_kind
    if len(of_kind.get("ADSL", [])) > 1:  # other sets copy its columns, but not a row a patient
        of_kind["ADSL"] = [d for d in of_kind["ADSL"] if d.one_row_a_patient]
    people = of_kind.get("ADSL" if adam else "DM", of_kind.get("DM" if adam else "ADSL", []))
    measured = of_kind.get("ADLB", []) or [*of_kind.get("LB", []), *of_kind.get("CP", [])]
    problems = []
    names = ", ".join(data.file for data in sets)
    if len(people) != 1:
        expected = "one file of patients besides: ADSL (ADaM) or DM (SDTM)"
        problems.append(Problem(names, None, None, f"{len(people)} files of patients", expected))
    if not measured:
        expected = "a file of measurements besides: ADLB (PARAMCD, AVAL), or LB or CP"
        problems.append(Problem(names, None, None, "no file of measurements", expected))
    if problems:
        raise InputError(problems)
    used = [data for name, each in of_kind.items() for data in each if name]
    draft = Draft(
        f"Rows of {', '.join(data.file for data in measured)} ({'ADaM' if adam else 'SDTM'})"
    )
    draft.notes += [f"{data.file} is not used" for data in sets if data not in used]
    for data in sets:
        draft.notes += [f"{data.file}: {note}" for note in data.notes]
    subjects = read_subjects(people[0], mapping, options, draft)
    rows: list[Finding] = []
    for data in measured:
        reader = _adam if adam else _sdtm
        rows += reader(data, draft, subjects)
    if draft.patients:
        place_visits(map_markers(rows, mapping, options, draft), mapping, options, draft)
    for data in of_kind.get("DS", []):
        read_dispositions(data, draft, subjects)
    write_withdrawals(draft, subjects)
    if events := [*of_kind.get("ADAE", []), *of_kind.get("AE", [])]:
        read_events(events, draft, subjects)
    draft.check_answers(options)
    draft.stop_where_open()
    return draft


def _known(patient: str, draft: Draft) -> bool:
    """Count a row as read; whether its patient is in."""
    draft.read += 1
    if patient in draft.patients:
        return True
    draft.left_out["row of a patient who is not in"] += 1
    return False


def _adam(data: Dataset, draft: Draft, subjects: Subjects) -> list[Finding]:
    """Rows of ADLB with a value, without derived and unselected ones."""
    names = ("USUBJID", "PARAMCD", "PARAM", "AVALU", "AVALC", "AVISIT", "VISIT")
    flags = ("ABLFL", "ANL01FL", "DTYPE", "LBSTRESU", "LBSPEC")
    numbers = ("AVAL", "ADY", "ADT", "TRTSDT", "AVISITN", "VISITNUM", "LBSEQ")
    chosen = "ANL01FL" in data.columns and any(x == "Y" for x in data.columns["ANL01FL"])
    named = any(x for (x,) in data.texts("AVISIT"))
    texts = data.texts(*names, *flags)
    values = data.texts("AVAL")
    kept: list[Finding] = []
    undated = 0
    for row, (text, (value,), cells) in enumerate(
        zip(texts, values, data.rows(*numbers), strict=True), data.first
    ):
        patient, code, param, avalu, avalc, avisit, visit, flag, anl, dtype, stresu, spec = text
        _, ady, adt, trtsdt, avisitn, visitnum, seq = cells
        if not _known(patient, draft):
            continue
        limit = limit_of(avalc)
        if dtype and not limit:
            draft.left_out[f"derived row (DTYPE {dtype})"] += 1
            continue
        if chosen and anl != "Y" and flag != "Y":
            draft.left_out["not chosen for analysis (ANL01FL)"] += 1
            continue
        if not value and not limit:
            draft.left_out["no value"] += 1
            continue
        day = numeric(ady)
        days = None
        if day is None:
            days = days_between(trtsdt or subjects.start.get(patient, ""), adt)
        week = week_of_study_day(day) if day is not None else None if days is None else days / 7
        undated += week is None
        order = (
            ordinal(adt) or day or 0.0,
            numeric(visitnum) or numeric(avisitn) or 0.0,
            numeric(seq) or 0.0,
        )
        kept.append(
            Finding(
                patient,
                code,
                param,
                spec,
                avalu or stresu,
                value,
                limit,
                avisit if named else visit,
                order,
                week,
                flag == "Y",
                data.file,
                row,
            )
        )
    _say_of_days(data, draft, kept, undated)
    return kept


def _sdtm(data: Dataset, draft: Draft, subjects: Subjects) -> list[Finding]:
    """Rows of LB or CP with a value."""
    p = "CP" if data.kind == "CP" else "LB"
    marker = next((n for n in ("CPMRKSTR", "CPSBMRKS") if n in data.columns), f"{p}TEST")
    names = (
        "USUBJID",
        f"{p}TESTCD",
        marker,
        f"{p}SPEC",
        f"{p}CAT",
        f"{p}STRESU",
        f"{p}ORRESU",
        f"{p}STRESC",
        f"{p}ORRES",
        "VISIT",
        f"{p}BLFL",
        f"{p}LOBXFL",
        f"{p}STRESN",
    )
    numbers = (f"{p}DY", f"{p}DTC", "VISITNUM", f"{p}SEQ")
    kept: list[Finding] = []
    undated = 0
    for row, (text, (dy, dtc, visitnum, seq)) in enumerate(
        zip(data.texts(*names), data.rows(*numbers), strict=True), data.first
    ):
        patient, code, name, spec, cat, unit, orresu, stresc, orres, visit, blfl, lobxfl, value = (
            text
        )
        if not _known(patient, draft):
            continue
        limit = limit_of(stresc, orres)
        if limit and limit == orres and not limit_of(stresc):
            unit = orresu
        if not value and not limit:
            draft.left_out["no value"] += 1
            continue
        day = numeric(dy)
        days = days_between(subjects.start.get(patient, ""), dtc) if day is None else None
        week = week_of_study_day(day) if day is not None else None if days is None else days / 7
        undated += week is None
        # In CP the string of markers, not the code, names the population.
        code = "" if p == "CP" else code
        kept.append(
            Finding(
                patient,
                code,
                name,
                spec or cat,
                unit,
                value,
                limit,
                visit,
                (ordinal(dtc) or day or 0.0, numeric(visitnum) or 0.0, numeric(seq) or 0.0),
                week,
                "Y" in (blfl, lobxfl),
                data.file,
                row,
            )
        )
    _say_of_days(data, draft, kept, undated)
    return kept


def _say_of_days(data: Dataset, draft: Draft, kept: Sequence[Finding], undated: int) -> None:
    """Rows without a day, and days that lie years off."""
    if undated:
        draft.decide("Dates", f"{data.file}: no study day, no whole date", "visit by name", undated)
    far = [f for f in kept if f.week is not None and (f.week < -3 * 52.2 or f.week > 9.5 * 52.2)]
    if far:
        one = far[0]
        years = (one.week or 0.0) / 52.18
        draft.warnings.append(
            f"{data.file}: {len(far)} rows lie years from the first dose (row {one.row}: "
            f"{years:.1f} years): SAS counts days from 1960, R from 1970, Excel from 1900 or 1904"
        )
