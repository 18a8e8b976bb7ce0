"""The runs of a folder as a table, read from their records alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mnbayes.base.problems import InputError, Problem, few
from mnbayes.run.record import MANIFEST, read_manifest, started_at, table_of

if TYPE_CHECKING:
    import pandas as pd

#: Columns of the table, as attributes of :class:`ListedRun`.
COLUMNS = ("date", "cohort", "cards", "priors", "converged", "decision", "folder")
_UNKNOWN = "not recorded"
_LONGEST = 48  # characters of a cohort's title


@dataclass(frozen=True)
class ListedRun:
    """One run.

    Attributes
    ----------
    started : datetime or None
        In UTC; None where it is not recorded.
    cohort : str
        Its title, patients, and whether it is synthetic.
    cards : str
        Names of its models.
    priors : str
        Prior set and single values, "post hoc" where priors were others in an earlier run on the
        same data.
    converged : bool or None
        None where it is not recorded.
    decision : str
        By the first rule: go, consider, no-go, or why there is none.
    folder : Path
    """

    started: datetime | None
    cohort: str
    cards: str
    priors: str
    converged: bool | None
    decision: str
    folder: Path

    @property
    def date(self) -> str:
        """Start as text, in UTC."""
        return f"{self.started:%Y-%m-%d %H:%M}" if self.started else _UNKNOWN

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands in the columns."""
        converged = {True: "yes", False: "NO", None: _UNKNOWN}[self.converged]
        return (
            *(self.date, self.cohort, self.cards, self.priors, converged, self.decision),
            str(self.folder),
        )


def list_runs(folder: Path) -> tuple[tuple[ListedRun, ...], tuple[str, ...]]:
    """The runs in a folder, or the one that it is.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    tuple of ListedRun
        The newest first.
    tuple of str
        A line for each damaged record, and one for the folders that are no runs.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such folder"
        expected = "a folder with runs (make one with: mnbayes fit)"
        raise InputError([Problem(str(folder), None, None, found, expected)])
    beside = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    places = [folder] if (folder / MANIFEST).is_file() else beside
    runs, damaged, others = [], [], []
    for place in places:
        if place.name.startswith("."):
            continue  # one that is being written, or was left by a kill
        if not (place / MANIFEST).is_file():
            others.append(place.name)
            continue
        try:
            runs.append(_listed(place, read_manifest(place)))
        except InputError as error:
            damaged.append(" ".join(str(error).split()))
    oldest = datetime.min.replace(tzinfo=UTC)
    runs.sort(key=lambda run: (run.started or oldest, run.folder.name), reverse=True)
    if others:
        damaged.append(f"No runs: {few(others, 5)}.")
    return tuple(runs), tuple(damaged)


def runs(folder: str | Path = "results") -> pd.DataFrame:
    """The runs in a folder, the newest first.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    DataFrame
        One row a run: ``date`` (UTC; NaT where it is not recorded), ``cohort``, ``cards``,
        ``priors`` ("post hoc" where they were changed after a fit on the same data), ``converged``
        (None where it is not recorded), ``decision`` and ``folder``. A damaged record has no row.

    Raises
    ------
    InputError
        If there is no such folder.
    """
    import pandas as pd

    listed, _ = list_runs(Path(folder))
    rows = [(run.started, *(getattr(run, name) for name in COLUMNS[1:])) for run in listed]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.assign(
        date=pd.to_datetime(table["date"], utc=True), folder=table["folder"].map(str)
    )


def _listed(folder: Path, record: Mapping[str, Any]) -> ListedRun:
    converged = record.get("converged")
    return ListedRun(
        started=started_at(record),
        cohort=_cohort(record),
        cards=", ".join(table_of(record, "models")) or _UNKNOWN,
        priors=_priors(record),
        converged=converged if isinstance(converged, bool) else None,
        decision=_decision(record),
        folder=folder,
    )


def _cohort(record: Mapping[str, Any]) -> str:
    data = table_of(record, "data")
    title = table_of(data, "trial").get("title")
    named = title if isinstance(title, str) and title else str(data.get("sha256", ""))[:8]
    said = [f"{named[: _LONGEST - 1]}…" if len(named) > _LONGEST else named or _UNKNOWN]
    patients = data.get("patients")
    if isinstance(patients, int):
        said.append(f"{patients} patients")
    if record.get("synthetic") is True:
        said.append("SYNTHETIC")
    return ", ".join(" ".join(each.split()) for each in said)


def _priors(record: Mapping[str, Any]) -> str:
    settings = record.get("settings")
    changed = [str(each) for each in settings] if isinstance(settings, list) else []
    post_hoc = ["post hoc"] if record.get("post_hoc") else []
    return ", ".join([str(record.get("prior_set") or _UNKNOWN), *changed, *post_hoc])


def _decision(record: Mapping[str, Any]) -> str:
    decision = table_of(record, "sections", "decision")
    if decision.get("absent"):
        return "none"
    verdict = decision.get("verdict")
    if not isinstance(verdict, str):
        return _UNKNOWN
    return verdict or "withheld"
