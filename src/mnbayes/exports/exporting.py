"""Exporting a finished run: tables, figures, a methods and a results text, into a new folder."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.base.untrusted_text import markdown_text as plain
from mnbayes.data.cohort import Cohort, load_cohort
from mnbayes.data.embedded import embedded_cohort
from mnbayes.exports.catalogue import SYNTHETIC, Exhibits, exhibits
from mnbayes.exports.exhibit import printable
from mnbayes.exports.figures import choices, figure_files, figure_kinds, stored_figures
from mnbayes.exports.findings import limits, results
from mnbayes.exports.methods import formula, methods
from mnbayes.exports.references import REFERENCES, bibliography
from mnbayes.exports.source import Source, read_source, same_data
from mnbayes.exports.writers import FORMATS
from mnbayes.run.keeping import whole_folder
from mnbayes.run.record import read_manifest, table_of

_CITED = re.compile(r"@([a-z0-9]+)\]")


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes
    ----------
    folder : Path
    tables : Exhibits
        Of the whole run, and why it cannot give others.
    converged : bool
        Whether every fit of the run passed the gate.
    """

    folder: Path
    tables: Exhibits
    converged: bool


def export(
    run: str | Path,
    to: str | Sequence[str] = "docx",
    out: str | Path | None = None,
    *,
    table: str | int | Sequence[str | int] = (),
    figures: str | Sequence[str] = (),
    data: str | Path | Cohort | None = None,
    sensitivity: str | Path | None = None,
) -> Path:
    """Write a finished run as a journal wants it; nothing is fitted.

    Parameters
    ----------
    run : str or Path
        Folder of the run, as ``mnbayes fit`` wrote it.
    to : str or sequence of str
        Formats of the tables: docx, latex, rtf, html, csv.
    out : str or Path, optional
        A new or an empty folder. Default: ``<name of the run>-export`` in the working folder.
    table : str, int or sequence of both
        Numbers or names of tables. Default: all.
    figures : str or sequence of str
        Formats of the figures: svg, pdf, png. Default: no figures.
    data : str, Path or Cohort, optional
        The cohort of the run: a run's folder holds no patient's age, sex or treatment. The
        embedded cohort is found by itself.
    sensitivity : str or Path, optional
        Folder of ``mnbayes sensitivity`` on the same data: gives the table of the prior sets,
        under which a run is not refitted.

    Returns
    -------
    Path
        The folder: tables, ``figures/``, ``methods.md`` and ``references.bib``.

    Raises
    ------
    InputError
        If the folder is not a run's, a choice is not there, ``data`` or ``sensitivity`` are not
        of the run, or ``out`` holds something.
    """
    return exported(
        run, to, out, table=table, figures=figures, data=data, sensitivity=sensitivity
    ).folder


def exported(
    run: str | Path,
    to: str | Sequence[str] = "docx",
    out: str | Path | None = None,
    *,
    table: str | int | Sequence[str | int] = (),
    figures: str | Sequence[str] = (),
    data: str | Path | Cohort | None = None,
    sensitivity: str | Path | None = None,
) -> Exported:
    """As :func:`export`, with what the run could not give."""
    place = Path(out) if out is not None else Path(f"{Path(run).resolve().name}-export")
    with gathered() as attempt:
        formats = attempt(choices, _several(to), FORMATS, "--to")
        kinds = attempt(figure_kinds, _several(figures))
        attempt(check_new, place)
        source = attempt(source_of, run, data, sensitivity)
    found = exhibits(source)
    chosen = found.chosen([part.strip() for each in _several(table) for part in each.split(",")])
    title = str(source.trial.get("title") or source.run.name)
    title = printable(f"SYNTHETIC: {title}" if source.synthetic else title)
    files = {
        name: content for each in formats for name, content in FORMATS[each](chosen, title).items()
    }
    files |= texts(source, found)
    # No folder holds this file, so none with anything in it is taken for one of ours.
    with whole_folder(place, "an export is never replaced") as made:
        folder = made.path
        for name, content in files.items():
            (folder / name).write_bytes(content)
        if kinds:
            (folder / "figures").mkdir()
            for name, content in figure_files(stored_figures(source.run.folder), kinds):
                (folder / "figures" / name).write_bytes(content)
    return Exported(place, found, source.run.converged)


def _several(asked: str | int | Sequence[str | int]) -> list[str]:
    return [str(asked)] if isinstance(asked, (str, int)) else [str(each) for each in asked]


def check_new(folder: Path) -> None:
    """Refuse a folder that holds anything: an earlier export may have been edited.

    Raises
    ------
    InputError
    """
    expected = "a new folder, or an empty one"
    if folder.is_dir() and any(folder.iterdir()):
        found = f"{folder}, which is not empty"
    elif folder.exists() and not folder.is_dir():
        found = f"{folder}, which is a file"
    else:
        return
    raise InputError([Problem("--out", None, None, found, expected)])


def source_of(
    run: str | Path,
    data: str | Path | Cohort | None = None,
    sensitivity: str | Path | None = None,
) -> Source:
    """A run with its cohort, where that is given or is the embedded one.

    Raises
    ------
    InputError
    """
    manifest = read_manifest(Path(run))
    if data is None:
        embedded = embedded_cohort()
        cohort = embedded if same_data(manifest, embedded.sha256) else None
    elif isinstance(data, Cohort):
        cohort = data
    else:
        arm = str(table_of(manifest, "data").get("arm", "")) or None
        cohort = load_cohort(data, arm=arm, accept_implausible=True)
    if cohort is not None and has_pseudonyms(manifest):
        cohort, _ = cohort.pseudonymised()
    return read_source(run, cohort, sensitivity)


def has_pseudonyms(manifest: Mapping[str, Any]) -> bool:
    """Whether a run holds pseudonyms in the place of its patients' names."""
    return table_of(manifest, "data").get("pseudonyms") is True


def check_pseudonyms(run: Path) -> None:
    """Refuse a run that holds its patients' names: its pictures and sentences hold them too.

    Raises
    ------
    InputError
    """
    if not has_pseudonyms(read_manifest(run)):
        found = f"{run.name}, which holds the patients' names, in sentences and pictures as well"
        expected = "a run of mnbayes fit --pseudonyms"
        raise InputError([Problem("--pseudonyms", None, None, found, expected)])


def texts(source: Source, found: Exhibits) -> dict[str, bytes]:
    """``methods.md`` and ``references.bib``."""
    where = {each.name: each.label for each in found.tables}
    parts = [
        f"> **{SYNTHETIC}**" if source.synthetic else "",
        "# Methods",
        methods(source, where),
        *([f"```text\n{chr(10).join(formula(source))}\n```"] if formula(source) else []),
        "# Results",
        results(source, where),
        "# What this does not show",
        limits(source),
    ]
    if found.absent:
        missing = [f"- {name}: {plain(why)}." for name, why in found.absent.items()]
        parts += ["# Tables that this run cannot give", "\n".join(missing)]
    text = "\n\n".join(part for part in parts if part) + "\n"
    cited = [key for key in _CITED.findall(text) if key in REFERENCES]
    versions = {k: str(v) for k, v in table_of(source.run.manifest, "versions").items()}
    return {
        "methods.md": text.encode(),
        "references.bib": bibliography(cited, versions).encode(),
    }
