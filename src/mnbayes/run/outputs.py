"""The files of a run, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from mnbayes.analyses.safety.counts import safety_table
from mnbayes.analyses.withdrawal.tipping import output_tables
from mnbayes.base.labelled import marked
from mnbayes.base.problems import InputError, Problem
from mnbayes.run.run import Run

if TYPE_CHECKING:
    import xarray as xr

MANIFEST = "run.json"
#: Tables of a result that are written where a model has any, and their files' names.
TABLES = {
    "subsets": "subsets",
    "ranks": "subset_ranks",
    "ratios": "cd4_cd8",
    "correlations": "correlations",
    "power_scaling": "power_scaling",
}


def new_folder(parent: Path, started: datetime) -> Path:
    """A folder name under ``parent`` that is not taken, such as ``results/20260102-030405``."""
    stem = started.strftime("%Y%m%d-%H%M%S")
    candidates = (parent / (stem if i == 1 else f"{stem}-{i}") for i in range(1, 10_000))
    return next(path for path in candidates if not path.exists())


def check_replaceable(folder: Path, manifest: str = MANIFEST) -> None:
    """Refuse a folder whose content is not a previous run's.

    Parameters
    ----------
    folder : Path
    manifest : str
        Name of the file by which a folder of this kind is known.

    Raises
    ------
    InputError
        If ``folder`` is a file, or holds something but no such file.
    """
    expected = f"a new folder, an empty one, or one that holds an earlier run's {manifest}"
    if folder.is_dir():
        if any(folder.iterdir()) and not (folder / manifest).is_file():
            raise InputError(
                [Problem("--out", None, None, f"{folder}, which holds other files", expected)]
            )
    elif any(parent.exists() and not parent.is_dir() for parent in folder.parents):
        raise InputError(
            [Problem("--out", None, None, f"{folder}, which lies in a file", expected)]
        )
    elif folder.exists() or folder.is_symlink():
        raise InputError([Problem("--out", None, None, f"{folder}, which is a file", expected)])


@contextmanager
def whole_folder(folder: Path, manifest: str = MANIFEST) -> Iterator[Path]:
    """A temporary folder that takes the place of ``folder`` when the block succeeds.

    It lies beside ``folder``, so that the move is a rename. If the block fails or the process
    is killed, what ``folder`` held before is untouched.
    """
    check_replaceable(folder, manifest)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if folder.exists():
            retired = temporary.with_name(f"{temporary.name}.old")
            folder.rename(retired)
            temporary.rename(folder)
            shutil.rmtree(retired)
        else:
            temporary.rename(folder)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def diagnostics_table(run: Run) -> pd.DataFrame:
    """Convergence of every sampled quantity of every model (``diagnostics.csv``)."""
    tables = []
    for result in run.results:
        table = result.fit.parameters.copy()
        table.insert(0, "model", result.name)
        tables.append(table)
    tables += [result.diagnostics for result in (run.published, run.historical) if result]
    return pd.concat(tables, ignore_index=True)


def _beside(run: Run) -> Iterator[tuple[str, pd.DataFrame]]:
    """Tables of the published facts, the earlier studies and the decision rule, by file."""
    if run.published is not None:
        yield "published_answers", run.published.answers
    if run.historical is not None:
        for name in ("rates", "arms", "conflict", "left_out", "readings"):
            yield f"historical_{name}", getattr(run.historical, name)
    if run.plan is not None:
        yield from run.plan.tables.items()


def write_tree(tree: xr.DataTree, folder: Path, name: str) -> None:
    """Write a model's draws into a folder, as ``<name>.nc``."""
    tree.to_netcdf(folder / f"{name}.nc", engine="h5netcdf")


def write_run(
    run: Run,
    folder: Path,
    pictures: Mapping[str, Mapping[str, bytes]],
    report: str | None,
    draws: Path | None = None,
) -> None:
    """Write every output of a run into ``folder``.

    Parameters
    ----------
    run : Run
    folder : Path
        Replaced whole if it holds an earlier run.
    pictures : mapping
        Model name to picture name to PNG bytes.
    report : str, optional
        The HTML page; none is written where it is None.
    draws : Path, optional
        Folder with the draws that are already written (:func:`write_tree`), and ArviZ's
        pictures of each model in a folder of its name; they are moved.

    Raises
    ------
    InputError
        If ``folder`` holds something that is not a run.
    """
    with whole_folder(folder) as place:

        def write(table: pd.DataFrame, name: str) -> None:
            # What stands beside the cohort holds none of its numbers.
            own = run.cohort.synthetic and not name.startswith(("published", "historical"))
            marked(table, own).to_csv(place / f"{name}.csv", index=False)

        for name in ("probabilities", "population", "estimates"):
            write(run.rows(name), name)
        write(diagnostics_table(run), "diagnostics")
        for name, file in TABLES.items():
            filled = [t for r in run.results if not (t := getattr(r, name)).empty]
            if filled:
                write(pd.concat(filled, ignore_index=True), file)
        influence = [r.influence for r in run.results if not r.influence.empty]
        if influence:
            write(pd.concat(influence, ignore_index=True), "influence")
        if run.cohort.events is not None:
            write(safety_table(run.cohort), "safety")
        for name, table in output_tables((r.withdrawal, r.tipping) for r in run.results).items():
            write(table, name)
        for name, table in _beside(run):
            if not table.empty:
                write(table, name)
        trees = {result.name: result.fit.tree for result in run.results}
        trees |= {"published": run.published.tree} if run.published else {}
        trees |= {"historical": run.historical.tree} if run.historical else {}
        (place / "posterior").mkdir()
        for name, tree in trees.items():
            written = None if draws is None else draws / f"{name}.nc"
            if written is not None and written.exists():
                shutil.move(written, place / "posterior")
            else:
                write_tree(tree, place / "posterior", name)
        (place / "plots").mkdir()
        drawn = [name for name in trees if draws is not None and (draws / name).is_dir()]
        if draws is not None and drawn:
            (place / "plots" / "arviz").mkdir()
            for name in drawn:
                shutil.move(draws / name, place / "plots" / "arviz")
        for model, named in pictures.items():
            for name, png in named.items():
                (place / "plots" / f"{model}_{name}.png").write_bytes(png)
        if report is not None:
            (place / "report.html").write_text(report, encoding="utf-8")
        text = json.dumps(run.manifest, indent=2, ensure_ascii=False)
        (place / MANIFEST).write_text(text + "\n", encoding="utf-8")
