"""Every reader of the package: valid files to start from, and the function that reads them."""

from __future__ import annotations

import functools
import io
import json
import shutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import make_adam

from mnbayes.analyses.characteristics.result import read_result
from mnbayes.analyses.design.evidence import stored_evidence
from mnbayes.analyses.design.rules import load_rules
from mnbayes.analyses.historical.card import load_historical_card
from mnbayes.analyses.historical.table import load_historical
from mnbayes.analyses.published.card import load_published_card
from mnbayes.analyses.published.load_facts import load_facts
from mnbayes.base.problems import gathered
from mnbayes.cards.card import load_card
from mnbayes.cards.choice import choose_models
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.overrides import override
from mnbayes.cards.prior_sets import load_prior_set
from mnbayes.data.cohort import load_cohort
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.imports.example import write_example
from mnbayes.data.imports.importing import import_cohort
from mnbayes.data.load_pseudonymised import load_pseudonymised
from mnbayes.data.markers import load_markers
from mnbayes.data.trial import load_trial
from mnbayes.explorer.case import Case
from mnbayes.explorer.judgements import judgements_toml, read_judgements
from mnbayes.explorer.judging import opened_judgements, stated_judgements
from mnbayes.explorer.settings import Settings, parse_message, read_query, read_settings
from mnbayes.exports.measured import kept
from mnbayes.exports.source import read_source
from mnbayes.run.listing import list_runs
from mnbayes.run.opened_run import open_run
from mnbayes.run.stored_run import load_run
from mnbayes.studies.frames import framed
from mnbayes.studies.ledger import read_ledger
from mnbayes.studies.records import record
from mnbayes.studies.study import Cell, Study

ROOT = Path(__file__).parents[2]

#: Valid files by name; the first ones, as many as a reader says, are damaged.
type Files = Mapping[str, bytes]


@dataclass(frozen=True)
class Reader:
    """What reads files that a user brings.

    Attributes
    ----------
    read : callable
        Takes the folder of the files.
    files : callable
        Takes the folder of a finished run; returns sets of valid files to start from.
    modules : tuple of str
        Modules of mnbayes that read a file here; a test finds those that no reader names.
    damaged : tuple of str
        Patterns of the names of files that are damaged; the others stay as they are.
    """

    read: Callable[[Path], object]
    files: Callable[[Path], list[Files]]
    modules: tuple[str, ...]
    damaged: tuple[str, ...] = ("*",)


def _of(*patterns: str) -> Callable[[Path], list[Files]]:
    """Each file of the repository by itself, under its own name."""

    def files(_: Path) -> list[Files]:
        paths = [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]
        return [{path.name: path.read_bytes()} for path in paths]

    return files


def _folder(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@functools.cache
def _example(scratch: Path) -> dict[str, bytes]:
    """The folder of ``mnbayes init``."""
    folder = scratch.parent / "example"
    shutil.rmtree(folder, ignore_errors=True)
    write_example(folder)
    found = _folder(folder)
    shutil.rmtree(folder)
    return found


def _cohorts(run: Path) -> list[Files]:
    example = _example(run)
    tables = ("patients.csv", "measurements.csv", "events.csv", "trial.toml")
    return [{name: example[name] for name in tables}]


def _sheets(run: Path) -> list[Files]:
    sheet = (
        "Patient;Sex;Age;Albumin BL (g/L);Albumin W4;24h protein BL (g/24h);24h protein W4;Left\n"
        "a;f;50;28;30,5;5,1;<0,2;\nb;m;61;27;29;4,2;3,9;week 6\n"
    )
    return [{"wide.xlsx": _example(run)["wide.xlsx"]}, {"sheet.csv": sheet.encode()}]


@functools.cache
def _cdisc(run: Path) -> tuple[Files, ...]:
    adsl, adlb, _ = make_adam.make()
    some = adsl["USUBJID"].iloc[[0, 1, 2]]
    found = []
    for form, version in (("xpt", 5), ("xpt", 8), ("json", 5), ("ndjson", 5), ("csv", 5)):
        files = {}
        for name, frame in (("adsl", adsl), ("adlb", adlb)):
            path = run.parent / f"{name}.{form}"
            make_adam.write(frame[frame["USUBJID"].isin(some)], path, version)
            files[path.name] = path.read_bytes()
            path.unlink()
        found.append(files)
    return tuple(found)


def _import(folder: Path) -> None:
    """Import what is there; what is written is read back."""
    out = folder.with_name("imported")
    shutil.rmtree(out, ignore_errors=True)
    mapping = folder / "mapping.toml"
    files = [path for path in sorted(folder.iterdir()) if path != mapping]
    import_cohort(files, out, mapping=mapping if mapping.is_file() else None)
    load_cohort(out, arm=None)


def _mappings(run: Path) -> list[Files]:
    mapping = (ROOT / "data" / "import_mapping.toml").read_bytes()
    own = b'[names]\nalbumin = ["Eiweiss"]\n[codes]\nXALB = "albumin"\n[units.albumin]\nfoo = 2.0\n'
    sheet = _sheets(run)[1]
    return [{"mapping.toml": own, **sheet}, {"mapping.toml": mapping, **sheet}]


def _cohort(folder: Path) -> None:
    choose_models(load_cohort(folder))


def _pseudonymised(folder: Path) -> None:
    load_pseudonymised(folder)


@functools.cache
def _case() -> Case:
    return Case(embedded_cohort(), (load_card("proteinuria"),))


def _settings(path: Path) -> None:
    """What a page of the explorer sends, and the same as the query of an address."""
    said = read_settings(parse_message(path.read_bytes()), "proteinuria")
    _case().check(said)
    assert read_query(said.query, "proteinuria") == said


def _messages(_: Path) -> list[Files]:
    priors = {"change_mean": {"mu": -0.3, "sigma": 0.5}, "change_sd": "95% below 0.8"}
    said = {"model": "proteinuria", "sets": ["weak", "sceptical"], "morph": 0.4, "priors": priors}
    said |= {"trajectory": "step", "residual": "normal", "benchmarks": {"remission": 0.3}}
    said |= {"week": 12, "strategy": "delta", "delta": 1.5, "seed": 3}
    return [{"settings.json": json.dumps(said).encode()}]


def _judgements(path: Path) -> None:
    """What experts judged, as a page opens it; what is read is written to the same."""
    read = read_judgements(path.read_bytes())
    assert read_judgements(judgements_toml(read)) == read
    opened_judgements(_case(), Settings("proteinuria"), path.read_bytes().decode("utf-8-sig"))


def _experts(_: Path) -> list[Files]:
    given = {
        "change_mean": [
            {"who": "A. B.", "belief": "90% between 0.5 and 1.2 on gmr", "weight": 2},
            {"who": "é", "edges": [0.1, 0.2, 0.4, 0.8, 1.6], "chips": [1, 4, 4, 1]},
            {"who": "C", "numbers": {"mu": -0.1, "sigma": 0.4}},
        ],
        "visit_sd": [{"who": "A. B.", "belief": "95% below 0.4 on sd"}],
    }
    stated = stated_judgements(_case(), Settings("proteinuria"), given, "Because.", "Stated.")
    assert stated is not None
    return [{"my-experts.toml": judgements_toml(stated).encode()}]


def _prior_set(folder: Path) -> None:
    """A set, and a card with it."""
    (path,) = folder.iterdir()
    override([load_card("remission")], [load_prior_set(path)])


def _card(folder: Path) -> None:
    (path,) = folder.iterdir()
    load_card(path)


def _only[T](read: Callable[[Path], T]) -> Callable[[Path], T]:
    """Read the one file of a folder."""

    def read_only(folder: Path) -> T:
        (path,) = folder.iterdir()
        return read(path)

    return read_only


def _run(folder: Path) -> None:
    """A run's record and tables, as every command reads them."""
    place = folder / "run"
    with gathered() as attempt:
        attempt(list_runs, folder)
        opened = attempt(open_run, place)
        if opened is not None:
            attempt(str, opened)
            attempt(lambda: opened.tables)
        attempt(load_run, place)
        attempt(read_source, place)


def _runs(run: Path) -> list[Files]:
    names = ("run.json", "estimates.csv", "probabilities.csv", "population.csv", "decision.csv")
    return [{f"run/{name}": (run / name).read_bytes() for name in names}]


#: Groups of a file of draws that nothing below reads, and that take most of the time of opening it.
_UNREAD = (
    *("posterior_predictive", "predictions", "prior_predictive", "prior_predictions"),
    *("log_likelihood", "log_prior", "sample_stats"),
)


def _draws(folder: Path) -> None:
    """A run's draws as exports read them; then as `mnbayes design` does, or from Python."""
    path = folder / "posterior" / "remission.nc"
    with gathered() as attempt:
        attempt(kept, path)
        if zlib.crc32(path.read_bytes()) % 2:  # the longer part of both is the same
            attempt(stored_evidence, folder)
            return
        tree = attempt(open_run(folder).posterior, "remission")
        if tree is not None:
            tree.close()


def _trees(run: Path) -> list[Files]:
    import h5py  # type: ignore[import-untyped]

    names = ("posterior/remission.nc", "run.json", "probabilities.csv")
    files: Files = {name: (run / name).read_bytes() for name in names}
    # Nine cases of ten start from a file without the groups that are not read.
    smaller = io.BytesIO(files[names[0]])
    with h5py.File(smaller, "r+") as tree:
        for group in _UNREAD:
            del tree[group]
    small: Files = {**files, names[0]: smaller.getvalue()}
    return [*[small] * 9, files]


def _ledgers(_: Path) -> list[Files]:
    columns = {"mean": float, "largest": int, "above": bool, "label": str}
    cells = (Cell({"n": 3}, 4), Cell({"n": 5}, 2))
    study = Study("fuzz", lambda *_: {}, columns, cells, 1)
    values = {"mean": 0.5, "largest": 2, "above": True, "label": "é"}
    header = json.dumps({"format": 1, "identity": study.identity}).encode()
    records = [
        record(columns, [(0, 0, values, None), (0, 1, {}, "ArithmeticError")]),
        record(columns, [(1, 0, values, None)]),
    ]
    return [{"study.ledger": b"".join(map(framed, [header, *records]))}]


def _characteristics(_: Path) -> list[Files]:
    return [_folder(ROOT / "data" / "characteristics" / "remission")]


READERS: dict[str, Reader] = {
    "cohort": Reader(
        _cohort,
        _cohorts,
        ("data.cohort", "data.read_table"),
        ("patients.csv", "measurements.csv"),
    ),
    "events": Reader(
        _pseudonymised, _cohorts, ("data.cohort", "data.load_pseudonymised"), ("events.csv",)
    ),
    "import: sheets": Reader(_import, _sheets, ("data.imports.grids", "data.imports.importing")),
    "import: CDISC": Reader(_import, lambda run: list(_cdisc(run)), ("data.imports.datasets",)),
    "import: names": Reader(_import, _mappings, ("data.imports.mapping",), ("mapping.toml",)),
    "card": Reader(
        _card,
        _of("models/proteinuria.toml", "models/remission.toml", "models/joint.toml"),
        ("cards.card", "base.toml_files"),
    ),
    "published card": Reader(
        _only(load_published_card), _of("models/published.toml"), ("analyses.published.card",)
    ),
    "historical card": Reader(
        _only(load_historical_card), _of("models/historical.toml"), ("analyses.historical.card",)
    ),
    "prior set": Reader(_prior_set, _of("models/priors/*.toml"), ("cards.prior_sets",)),
    "definitions": Reader(
        _only(load_definitions), _of("models/definitions/*.toml"), ("cards.definitions",)
    ),
    "markers": Reader(_only(load_markers), _of("data/markers.toml"), ("data.markers",)),
    "trial": Reader(load_trial, _of("data/cohort/trial.toml"), ("data.trial",)),
    "published facts": Reader(
        _only(load_facts), _of("data/published.toml"), ("analyses.published.load_facts",)
    ),
    "historical table": Reader(
        _only(load_historical), _of("data/historical.csv"), ("analyses.historical.table",)
    ),
    "decision rule": Reader(
        _only(load_rules), _of("models/decision.toml"), ("analyses.design.rules",)
    ),
    "stored run": Reader(
        _run,
        _runs,
        ("run.record", "run.stored_run", "run.opened_run", "exports.source", "base.csv_files"),
    ),
    "stored draws": Reader(
        _draws, _trees, ("run.stored_tree", "inference.contract", "exports.measured"), ("*.nc",)
    ),
    "ledger": Reader(
        _only(lambda path: read_ledger(path.parent)),
        _ledgers,
        ("studies.ledger", "studies.identity"),
    ),
    "stored characteristics": Reader(
        read_result, _characteristics, ("analyses.characteristics.result",)
    ),
    "explorer's settings": Reader(_only(_settings), _messages, ("explorer.settings",)),
    "experts' judgements": Reader(_only(_judgements), _experts, ("explorer.judgements",)),
}
