"""From files to a cohort's folder: which kind they are, and which reader takes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from mnbayes.base.problems import InputError, Problem, few, gathered
from mnbayes.data.imports.cdisc import read_datasets
from mnbayes.data.imports.datasets import Dataset, from_grid, read_json, read_xpt
from mnbayes.data.imports.draft import Draft, Options
from mnbayes.data.imports.grids import EXCEL, TEXT, Grid, read_text, read_workbook, unreadable
from mnbayes.data.imports.mapping import Mapping, load_mapping
from mnbayes.data.imports.wide import read_sheet
from mnbayes.data.imports.writing import check_empty, write_draft
from mnbayes.data.markers import load_markers

JSON = (".json", ".ndjson")


def _read(path: Path, mapping: Mapping, options: Options) -> Grid | Dataset:
    """One file as a data set, or as cells where it is none."""
    form = path.suffix.lower()
    if not path.is_file():
        raise unreadable(str(path), "a folder" if path.is_dir() else "no such file", "a file")
    if not path.stat().st_size:
        raise unreadable(path.name, "an empty file", "a table")
    if form == ".xpt":
        return read_xpt(path)
    if form in JSON:
        return read_json(path)
    if form in EXCEL:
        grid = read_workbook(path, options.sheet)
    elif form in TEXT:
        known = [
            *mapping.words("columns", "patient"),
            *mapping.words("columns", "sex"),
            *(w for name in mapping.catalogue for w in mapping.words("names", name)),
            *(w for kind in ("baseline", "week", "month") for w in mapping.words("visits", kind)),
        ]
        grid = read_text(path, known)
    else:
        expected = f"one of {', '.join((*EXCEL, *TEXT, '.xpt', *JSON))}"
        raise unreadable(path.name, f"a file {form or 'without an ending'}", expected)
    return from_grid(grid) or grid


def _leave_out_without_baseline(draft: Draft) -> None:
    """Leave out, and name, patients without any value of week 0; no change of theirs is known."""
    based = {reading.patient for reading in draft.readings if reading.week <= 0}
    without = [name for name in {r.patient: None for r in draft.readings} if name not in based]
    if not based or not without:
        return
    kept = [reading for reading in draft.readings if reading.patient in based]
    draft.left_out["patient without a value of week 0"] += len(draft.readings) - len(kept)
    draft.readings = kept
    named = few(without, 10)
    draft.warnings.append(f"no value of week 0, so their later values are left out: {named}")


def read_files(files: Sequence[Path], options: Options, mapping: Mapping) -> Draft:
    """Files as a draft of a cohort; nothing is written.

    Parameters
    ----------
    files : sequence of Path
        One sheet of a clinic, or the data sets of ADaM or SDTM.
    options : Options
    mapping : Mapping

    Raises
    ------
    InputError
        If a file cannot be read. :class:`OpenQuestionsError` where something must be asked.
    """
    with gathered() as attempt:
        found = [attempt(_read, path, mapping, options) for path in files]
    sheets = [each for each in found if isinstance(each, Grid)]
    if sheets and len(found) > 1:
        names = ", ".join(each.file for each in sheets)
        raise InputError(
            [Problem(names, None, None, "no column USUBJID", "one sheet alone, or CDISC data sets")]
        )
    if sheets:
        draft = read_sheet(sheets[0], mapping, options)
    else:
        draft = read_datasets([e for e in found if isinstance(e, Dataset)], mapping, options)
    _leave_out_without_baseline(draft)
    digests = (hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    draft.files = tuple((path.name, digest) for path, digest in zip(files, digests, strict=True))
    return draft


def load_names(mapping: str | Path | None, markers: str | Path | None) -> tuple[Mapping, bytes]:
    """The mapping, with markers of one's own, and the bytes of their file."""
    path = None if mapping is None else Path(mapping)
    if markers is None:
        return load_mapping(path), b""
    return load_mapping(path, load_markers(Path(markers))), Path(markers).read_bytes()


def import_cohort(
    files: str | Path | Iterable[str | Path],
    out: str | Path,
    *,
    mapping: str | Path | None = None,
    markers: str | Path | None = None,
    arm: str = "",
    sheet: str | None = None,
    units: dict[str, str] | None = None,
    visits: dict[str, float | None] | None = None,
    weeks: Sequence[float] = (),
    baseline_date: str = "",
    decimal: str = "",
    actual_times: bool = False,
    accept_implausible: bool = False,
) -> Path:
    """Write the folder of a cohort from a clinic's sheet, or from ADaM or SDTM data sets.

    Parameters
    ----------
    files : path or iterable of paths
        One sheet (``.xlsx``, ``.xls``, ``.ods``, ``.csv``), or CDISC data sets (``.xpt``, ``.csv``,
        ``.json``, ``.ndjson``): ADSL with ADLB, or DM with LB or CP, and perhaps DS and AE.
    out : path
        A new folder, or an empty one.
    mapping : path, optional
        A TOML file that adds names and codes to ``data/import_mapping.toml``.
    markers : path, optional
        A TOML file of markers of one's own, which goes beside the tables.
    arm : str
        The arm to keep (default: all, in a column ``arm``).
    sheet : str, optional
        The sheet of a workbook.
    units : dict, optional
        Unit by marker, name or code.
    visits : dict, optional
        Week by name of a visit; None leaves a visit out.
    weeks : sequence of float
        Planned weeks, where there are only days or dates.
    baseline_date : str
        Column with the date of week 0, or ``"first"``.
    decimal : {"", ".", ","}
        The decimal sign, where it cannot be told.
    actual_times : bool
        Write times as measured, not planned weeks, where they lie in their visit's window.
    accept_implausible : bool
        Write values beyond what is possible, with a warning.

    Returns
    -------
    Path
        The folder; its ``import.md`` lists every decision.

    Raises
    ------
    InputError
        With all problems and questions at once; nothing is written then.
    """
    folder = Path(out)
    check_empty(folder)
    paths = [Path(files)] if isinstance(files, (str, Path)) else [Path(each) for each in files]
    known, own = load_names(mapping, markers)
    options = Options(
        arm=arm,
        sheet=sheet,
        units=units or {},
        visits=visits or {},
        weeks=tuple(weeks),
        baseline_date=baseline_date,
        decimal=decimal,
    )
    draft = read_files(paths, options, known)
    draft.markers = own
    write_draft(draft, folder, actual_times=actual_times, accept_implausible=accept_implausible)
    return folder
