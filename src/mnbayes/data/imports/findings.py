"""What ADaM and SDTM share: codes to markers, units, baseline, planned visits."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from mnbayes.base.problems import few, quoted
from mnbayes.data.imports.draft import Draft, Options, Place, Reading
from mnbayes.data.imports.mapping import Mapping, is_unit, key, unit_kind
from mnbayes.data.imports.values import CellError, read_date, read_value
from mnbayes.data.imports.visits import (
    Named,
    in_window,
    resolve,
    suggested_weeks,
    visit_of,
    windows,
)

_LAST_BRACKET = re.compile(r"^(.*?)\s*[(\[]([^()]*(?:\([^()]*\))?[^()]*)[)\]]\s*$")


@dataclass(slots=True)
class Finding:
    """One row of ADLB, LB or CP.

    Attributes
    ----------
    patient, code, name, specimen, unit : str
    value : str
        The number, blank where there is none.
    limit : str
        The text result where it is a limit ("<0.1"), else blank.
    visit : str
    order : tuple
        Date or day, visit number and sequence, which decide what is last.
    week : float or None
        Weeks from baseline by study day or date.
    flag : bool
        Whether the file says that it is the baseline.
    file, row : str, int
        Where it stands.
    marker : str
        Filled in here.
    """

    patient: str
    code: str
    name: str
    specimen: str
    unit: str
    value: str
    limit: str
    visit: str
    order: tuple[float, float, float]
    week: float | None
    flag: bool
    file: str
    row: int
    marker: str = ""


def numeric(cell: object) -> float | None:
    """A number of a cell, or None."""
    try:
        found = float(cell)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return found if abs(found) < 1e9 else None


def days_between(start: object, end: object) -> float | None:
    """Days from one date to another; both may be plain numbers of days from one origin."""
    a, b = numeric(start), numeric(end)
    if a is not None and b is not None and min(a, b) > 3000:  # "2024" is a year
        return b - a
    try:
        first, second = read_date(start), read_date(end)
    except CellError:
        return None
    return None if first is None or second is None else float((second - first).days)


def ordinal(cell: object) -> float:
    """A date as a number to sort by; the past where it is none, or only partial."""
    if isinstance(cell, (int, float)):
        return float(cell) if cell == cell else 0.0
    try:
        found = read_date(cell)
    except CellError:
        found = None
    return float(found.toordinal()) if isinstance(found, dt.date) else 0.0


def limit_of(*texts: str) -> str:
    """The first text that is a limit ("<0.1"), else blank."""
    return next((t for t in texts if t[:1] in "<>≤≥" and t), "")


def split_unit(name: str) -> tuple[str, str]:
    """A parameter's name and its unit: ``Albumin (g/L)``."""
    match = _LAST_BRACKET.match(name)
    if match and is_unit(match[2]):
        return match[1], match[2].strip()
    return name, ""


def _marker(
    finding: Finding,
    count: int,
    mapping: Mapping,
    options: Options,
    draft: Draft,
    values: Sequence[str],
) -> tuple[str, str]:
    """Marker and unit of a code, name, specimen and unit; blank where it is none that is used."""
    code = finding.code.upper()
    name, own = split_unit(finding.name)
    units = {key(each): unit for each, unit in options.units.items()}
    specimen = mapping.specimen(finding.specimen, name)
    line = f'codes.{code if re.fullmatch("[A-Z0-9_]+", code) else quoted(code)} = "MARKER"'
    known = mapping.codes.get(code)
    by_name = mapping.names.get(key(name), ())
    markers = known if known is not None else by_name
    # What is answered fills blanks: another row of the same code may have another unit.
    answers = [units[each] for each in (key(code), key(name), *map(key, markers)) if each in units]
    unit = own or finding.unit or next(iter(answers), "")
    draft.answered |= {key(code), key(name), *map(key, markers)} & set(units)
    fitting = mapping.of_kind(markers, unit, specimen)
    place = Place(finding.file)
    what = f"{finding.code}, {finding.name}" + (f" [{unit}]" if not own else "")
    what += f", {finding.specimen}" if finding.specimen else ""
    if known == ():
        draft.decide("Codes", what, "left out, as the mapping says", count)
        return "", ""
    if not fitting:
        why = "" if not markers else f" ({' or '.join(markers)} is of another unit or specimen)"
        draft.decide("Codes", what, f"not used{why}; to use it: {line}", count)
        return "", ""
    said_so = len(mapping.files) > 1 and code in {c.upper() for c in mapping.files[0].codes}
    if known and not said_so and not set(by_name) & set(fitting):
        others = by_name or tuple(
            m for word in re.split(r"[ ,/()-]+", name) for m in mapping.names.get(key(word), ())
        )
        others = mapping.of_kind(others, unit)
        if others and not set(others) & set(known):
            draft.ask(
                place,
                f"the code {finding.code} ({fitting[0]}) named {quoted(name)} ({others[0]})",
                f'which it is, in a --mapping file: codes.{code} = "{fitting[0]}" or "{others[0]}"',
            )
            return "", ""
    unclear = code in mapping.words("ask_specimen") and not specimen and not unit_kind(unit)
    if unclear and unit and not said_so:
        draft.ask(
            place,
            f"{what} in {count:,} rows: no specimen, so of serum or urine",
            f'which, in a --mapping file: codes.{code} = "{fitting[0]}", or "" to leave it out',
        )
        return "", ""
    if not unit or (
        len(fitting) > 1 and len({unit_kind(mapping.catalogue[m].unit) for m in fitting}) > 1
    ):
        numbers = [float(v) for v in values if numeric(v) is not None]
        guess = mapping.suggested_unit(fitting[0], median(numbers) if numbers else 0.0)
        answer = f'--unit "{finding.code or name}={guess}"'
        draft.ask(place, f"no unit of {what}", f"its unit: add {answer}", answer)
        return "", ""
    how = "" if known is not None else ", by name"
    assumed = "" if specimen or not fitting[0] else ", specimen not given"
    draft.decide("Codes", what, f"{fitting[0]}{how}{assumed}", count)
    return fitting[0], unit


def map_markers(
    findings: Sequence[Finding], mapping: Mapping, options: Options, draft: Draft
) -> list[Finding]:
    """Rows of a known marker and unit, every code that is not known being listed."""
    groups: defaultdict[tuple[str, str, str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.code, finding.name, finding.specimen, finding.unit].append(finding)
    kept: list[Finding] = []
    for members in groups.values():
        values = [member.value for member in members if member.value]
        marker, unit = _marker(members[0], len(members), mapping, options, draft, values)
        if not marker:
            draft.left_out["code that is not used"] += len(members)
            continue
        for member in members:
            member.marker, member.unit = marker, unit
        kept += members
    _one_code_a_marker(kept, draft)
    if not kept and not draft.questions:
        found = ", ".join(dict.fromkeys(f.code for f in findings))[:200]
        draft.ask(
            Place(findings[0].file) if findings else Place("the files"),
            f"no code of a marker among {found or 'no rows'}",
            'a line as codes.CODE = "MARKER" in a --mapping file',
        )
    return kept


def _one_code_a_marker(findings: Sequence[Finding], draft: Draft) -> None:
    """Ask where two codes bring values of one marker for the same visit of a patient."""
    codes: defaultdict[str, set[str]] = defaultdict(set)
    for finding in findings:
        codes[finding.marker].add(finding.code or finding.name)
    for marker in [marker for marker, found in codes.items() if len(found) > 1]:
        seen: dict[tuple[str, str, float | None], str] = {}
        for finding in findings:
            name = finding.code or finding.name
            if finding.marker != marker:
                continue
            before = seen.setdefault((finding.patient, finding.visit, finding.week), name)
            if before != name:
                draft.ask(
                    Place(finding.file),
                    f"{before} and {name}, both {marker}, of the same visits",
                    f'one of them, in a --mapping file: codes.{name} = "" leaves that one out',
                )
                break


def place_visits(
    findings: Sequence[Finding], mapping: Mapping, options: Options, draft: Draft
) -> None:
    """Choose each patient's baseline and the planned week of each other row; add what is kept.

    Parameters
    ----------
    findings : sequence of Finding
        Rows with a marker and a value.
    mapping, options, draft
    """
    baseline = _baselines(findings, mapping, draft)
    named: dict[str, Named] = {}
    for text in dict.fromkeys(f.visit for f in findings if f.visit):
        named[text] = visit_of(text, mapping)
    counts: Counter[Named] = Counter()
    times: defaultdict[str, list[float]] = defaultdict(list)
    rest_of: list[Finding] = []
    for finding in findings:
        if baseline.get((finding.patient, finding.marker)) is finding:
            continue
        early = finding.week is not None and finding.week <= 0
        if early and baseline.get((finding.patient, finding.marker)) is not None:
            draft.left_out["before or at baseline, and not the baseline"] += 1
            continue
        rest_of.append(finding)
        if finding.visit:
            counts[named[finding.visit]] += 1
            if finding.week is not None:
                times[named[finding.visit].text].append(finding.week)
    place = Place(findings[0].file if findings else "the files")
    suggested = {text: round(median(weeks)) for text, weeks in times.items()}
    weeks = resolve(counts, draft, options, place, no_day_0=True, suggested=suggested)
    loose = [f.week for f in rest_of if not f.visit and f.week is not None]
    planned = windows(options.weeks)
    if loose and not counts and not planned:
        guess = ",".join(f"{w:g}" for w in suggested_weeks([0.0, *loose]))
        draft.ask(
            place,
            "study days and no names of visits",
            f"the planned weeks: add --weeks {guess} (a guess from the days)",
            f"--weeks {guess}",
        )
    spots: dict[tuple[str, str, float], list[Finding]] = {}
    for spot, chosen in baseline.items():
        spots[(*spot, 0.0)] = [chosen]
    draft.plan(0.0, "baseline")
    for finding in rest_of:
        if finding.visit:
            week = weeks[named[finding.visit]]
            why = f"the visit {finding.visit[:40]} has no week"
        else:
            week = None if finding.week is None else in_window(finding.week, planned)
            why = "outside the windows of planned visits" if planned else "no name of the visit"
        if week is None:
            draft.left_out[why] += 1
        elif week == 0 and (finding.patient, finding.marker) in baseline:
            draft.left_out["before or at baseline, and not the baseline"] += 1
        else:
            draft.plan(week, "")
            spots.setdefault((finding.patient, finding.marker, week), []).append(finding)
    for (*_, week), rows in spots.items():
        chosen = min(rows, key=lambda f: (abs((f.week or week) - week), *(-x for x in f.order)))
        if len(rows) > 1:
            draft.left_out["a second value of a visit (the one nearest to its week is kept)"] += (
                len(rows) - 1
            )
        _write(draft, chosen, week, mapping)


def _write(draft: Draft, chosen: Finding, week: float, mapping: Mapping) -> None:
    value, lower, upper, unit = chosen.value, "", "", chosen.unit
    place = Place(chosen.file, chosen.row, chosen.code)
    if chosen.limit:
        try:
            found = read_value(chosen.limit, mapping.missing, ".")
        except CellError:
            draft.left_out[f"limit without a number ({chosen.limit[:30]})"] += 1
            draft.warnings.append(
                f"{place.file}, row {place.row}: {quoted(chosen.limit)} is a limit without a "
                "number, so it is left out; below a limit, it was not high"
            )
            return
        if found is not None:
            value, lower, upper = found.value, found.lower, found.upper
    draft.readings.append(
        Reading(chosen.patient, week, chosen.marker, value, unit, lower, upper, place, chosen.week)
    )


def _baselines(
    findings: Sequence[Finding], mapping: Mapping, draft: Draft
) -> dict[tuple[str, str], Finding]:
    """The baseline row of each patient and marker, by the file's flag or by admiral's rule."""
    groups: defaultdict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        groups[finding.patient, finding.marker].append(finding)
    how: Counter[str] = Counter()
    twice: list[str] = []
    chosen: dict[tuple[str, str], Finding] = {}
    rules: tuple[tuple[str, Callable[[Finding], bool]], ...] = (
        ("flagged in the file", lambda f: f.flag),
        (
            "not flagged: the last value up to the day of the first dose",
            lambda f: f.week is not None and f.week <= 0,
        ),
        (
            "not flagged, no day: the visit named baseline",
            lambda f: (
                (v := visit_of(f.visit, mapping)).kind == "baseline"
                or (v.kind == "week" and v.number == 0)
            ),
        ),
    )
    for spot, rows in groups.items():
        for rule, fits in rules:
            found = [row for row in rows if fits(row)]
            if not found:
                continue
            chosen[spot] = max(found, key=lambda f: f.order)
            how[rule] += 1
            if rule == rules[0][0] and len(found) > 1:
                lines = ", ".join(str(f.row) for f in found)
                twice.append(f"{spot[0]}, {spot[1]} (rows {lines}; row {chosen[spot].row} is used)")
            break
        else:
            how["none found: no value of week 0"] += 1
    for rule, count in how.items():
        draft.decide("Baseline", rule, "week 0", count)
    if twice:
        draft.warnings.append(
            f"two baseline flags in {len(twice)} patient and marker, the last is used: "
            + few(twice, 5, "; ")
        )
    return chosen
