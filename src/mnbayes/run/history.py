"""What came before a run: the previous run, and priors changed after a fit on the same data.

A prior chosen after its results were seen is no longer prior knowledge. Whoever reads a run must
be able to see that (post hoc), so every run records it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mnbayes.base.problems import InputError, Problem
from mnbayes.run.record import MANIFEST, read_manifest, shown_name, started_at, table_of

#: A prior's model, parameter and marker ("model" where it has one value for the whole model).
PriorKey = tuple[str, str, str]


@dataclass(frozen=True)
class EarlierRun:
    """A run that was there before: its folder, and what its ``run.json`` holds."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the folder, without its path."""
        return shown_name(self.folder)


@dataclass(frozen=True)
class History:
    """Runs before one.

    Attributes
    ----------
    previous : EarlierRun or None
        The run in the folder that is replaced, else the newest one of the same data beside the
        new folder.
    replaced : bool
        Whether the previous run is the one that is replaced.
    earlier : tuple of EarlierRun
        All of them, the oldest first.
    """

    previous: EarlierRun | None = None
    replaced: bool = False
    earlier: tuple[EarlierRun, ...] = ()


def _read(folder: Path) -> EarlierRun | None:
    try:
        return EarlierRun(folder, read_manifest(folder))
    except (InputError, OSError):
        return None  # not a run that this version can read


def earlier_runs(folder: Path, sha256: str | None = None) -> History:
    """Runs before the one that will be written into ``folder``.

    Parameters
    ----------
    folder : Path
        New, empty or a run's.
    sha256 : str, optional
        Hash of the data; with it a run of other data beside the folder is not its previous run.
    """
    parent = folder.resolve().parent
    beside = sorted(path.parent for path in parent.glob(f"*/{MANIFEST}"))
    # A hidden folder is one that is being written or was left by a kill.
    found = [_read(path) for path in beside if not path.name.startswith(".")]
    dated = [(moment, run) for run in found if run and (moment := started_at(run.manifest))]
    dated.sort(key=lambda item: item[0])
    earlier = tuple(run for _, run in dated)
    replaced = _read(folder)
    if replaced is not None:
        if replaced.name not in [run.name for run in earlier]:
            earlier = (replaced, *earlier)
        return History(replaced, True, earlier)
    comparable = [run for run in earlier if sha256 is None or data_hash(run.manifest) == sha256]
    return History(comparable[-1] if comparable else None, False, earlier)


def priors_of(manifest: Mapping[str, Any]) -> dict[PriorKey, dict[str, Any]]:
    """Effective priors of a run.

    Returns
    -------
    dict
        Key to ``formula`` (as in ``run.json``, three digits) and, where recorded, ``exact``:
        the distribution and its arguments to the last digit.
    """
    found: dict[PriorKey, dict[str, Any]] = {}
    for model, described in table_of(manifest, "models").items():
        exact = table_of(described, "prior_arguments")
        for parameter, table in table_of(described, "priors").items():
            for marker, formula in table_of(table).items():
                entry: dict[str, Any] = {"formula": str(formula)}
                arguments = table_of(exact, parameter, marker)
                if arguments:
                    entry["exact"] = arguments
                found[model, parameter, marker] = entry
    return found


def same_value(a: object, b: object) -> bool:
    """Whether two values of JSON are equal; so are two missing numbers."""
    return a == b or repr(a) == repr(b)  # nan differs from itself


def same_prior(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two priors are equal: to the last digit where both recorded it, else as written."""
    if "exact" in a and "exact" in b:
        return same_value(a["exact"], b["exact"])
    return same_value(a["formula"], b["formula"])


def prior_texts(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[str, str]:
    """Two different priors as text, with as many digits as tell them apart."""
    exact = [table_of(prior, "exact") for prior in (a, b)]
    if a["formula"] != b["formula"] or not all(exact):
        return a["formula"], b["formula"]
    return _exact_text(exact[0]), _exact_text(exact[1])


def _exact_text(exact: Mapping[str, Any]) -> str:
    arguments = (f"{name}={value!r}" for name, value in exact.items() if name != "distribution")
    return f"{exact.get('distribution', '')}({', '.join(arguments)})"


def data_hash(manifest: Mapping[str, Any]) -> str | None:
    """SHA-256 of a run's data; None where it is not recorded."""
    value = table_of(manifest, "data").get("sha256")
    return value if isinstance(value, str) and value else None


def _first_priors(
    earlier: Sequence[EarlierRun], sha256: str
) -> dict[PriorKey, tuple[dict[str, Any], str, str]]:
    """The prior that each parameter first had on these data, with run and time."""
    first: dict[PriorKey, tuple[dict[str, Any], str, str]] = {}
    for run in earlier:
        if data_hash(run.manifest) != sha256:
            continue
        # What a run recorded as its own past reaches back to runs that were replaced since.
        for entry in recorded_changes(run.manifest):
            key = (entry["model"], entry["parameter"], entry["marker"])
            first.setdefault(key, (entry["from"], entry["run"], entry["started"]))
        started = str(run.manifest.get("started", ""))
        for key, prior in priors_of(run.manifest).items():
            first.setdefault(key, (prior, run.name, started))
    return first


def recorded_changes(manifest: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Priors that a run says were others in the first run on its data."""
    entries = manifest.get("post_hoc")
    texts = ("model", "parameter", "marker", "run", "started")
    for entry in entries if isinstance(entries, list) else []:
        if (
            isinstance(entry, dict)
            and all(isinstance(entry.get(key), str) for key in texts)
            and isinstance(table_of(entry, "from").get("formula"), str)
        ):
            yield entry


def record(manifest: Mapping[str, Any], history: History) -> dict[str, Any]:
    """What ``run.json`` says about the past of a run.

    Parameters
    ----------
    manifest : mapping
        Of the run itself.
    history : History

    Returns
    -------
    dict
        ``previous``: None, or the folder's name, its ``started`` and whether it was
        ``replaced``. ``post_hoc``: one entry for each prior that is not what it was in the first
        run on the same data that is known of, with ``from``, ``to`` and that run.
    """
    previous = history.previous
    described = None
    if previous is not None:
        described = {
            "folder": previous.name,
            "started": previous.manifest.get("started"),
            "replaced": history.replaced,
        }
    sha256 = data_hash(manifest)
    first = _first_priors(history.earlier, sha256) if sha256 else {}
    changed = []
    for (model, parameter, marker), prior in priors_of(manifest).items():
        if (model, parameter, marker) not in first:
            continue
        before, run, started = first[model, parameter, marker]
        if not same_prior(before, prior):
            place = {"model": model, "parameter": parameter, "marker": marker}
            changed.append(place | {"from": before, "to": prior, "run": run, "started": started})
    return {"previous": described, "post_hoc": changed}


def post_hoc_sentences(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The recorded post hoc changes in words, one sentence each."""
    sentences = []
    for entry in recorded_changes(manifest):
        to = table_of(entry, "to")
        if not isinstance(to.get("formula"), str):
            continue
        before, now = prior_texts(entry["from"], to)
        marker = "" if entry["marker"] == "model" else f", {entry['marker']}"
        sentences.append(
            f"{entry['model']}: {entry['parameter']}{marker} was {before} in run {entry['run']} "
            f"({when(entry['started'])}), on the same data, and is {now} now."
        )
    return tuple(sentences)


def when(started: object) -> str:
    """A run's start as text: "2026-01-02 03:04 UTC"."""
    moment = started_at({"started": started})
    if moment is None:
        return "start not recorded"
    return f"started {moment:%Y-%m-%d %H:%M} UTC"


def in_order(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether run a started before run b; taken as so where it is not recorded."""
    first, second = started_at(a), started_at(b)
    return first is None or second is None or first <= second


def newest_run(parent: Path = Path("results")) -> Path:
    """The run under a folder that started last.

    Raises
    ------
    InputError
        If there is none.
    """
    runs = earlier_runs(parent / "next").earlier
    if not runs:
        expected = "a finished run's folder (make one with: mnbayes fit)"
        raise InputError([Problem("--run", None, None, f"no run under {parent}/", expected)])
    return runs[-1].folder
