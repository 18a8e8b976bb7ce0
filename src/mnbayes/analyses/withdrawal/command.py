"""``mnbayes withdrawal``: strategies and tipping point from a finished run's stored draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from mnbayes.analyses.withdrawal.enrolled import withdrawal_table
from mnbayes.analyses.withdrawal.figure import tipping_curve, withdrawal_strategies
from mnbayes.analyses.withdrawal.section import of_stored
from mnbayes.analyses.withdrawal.strategies import Strategy
from mnbayes.analyses.withdrawal.tipping import Tipping, output_tables, tipping
from mnbayes.analyses.withdrawal.unseen import WithdrawalDraws, withdrawal_draws
from mnbayes.base.csv_files import csv_table
from mnbayes.base.labelled import marked
from mnbayes.base.number_words import BLANK
from mnbayes.base.problems import InputError, Problem
from mnbayes.base.text_table import Table, records
from mnbayes.cards.definitions import Definitions
from mnbayes.data.markers import Marker
from mnbayes.report.kit.figures import svg_bytes
from mnbayes.report.kit.wording import percent, probability, week_name
from mnbayes.run.record import models_with, read_manifest, texts_of
from mnbayes.run.section import Section
from mnbayes.run.stored_run import recorded_definitions
from mnbayes.run.stored_tree import stored_tree


@dataclass(frozen=True)
class Stored:
    """One model of a finished run, and what was made of it.

    Attributes
    ----------
    model : str
    reasons : tuple of str
        Why its fit did not converge.
    table : DataFrame
    tipping : Tipping or None
    main : Marker or None
        Whose ratio it is.
    """

    model: str
    reasons: tuple[str, ...]
    table: pd.DataFrame
    tipping: Tipping | None
    main: Marker | None


def _draws(
    folder: Path, model: str, definitions: Definitions
) -> tuple[WithdrawalDraws, WithdrawalDraws]:
    with stored_tree(folder, model) as tree:
        return (
            withdrawal_draws(tree, "posterior", definitions=definitions),
            withdrawal_draws(tree, "prior", definitions=definitions),
        )


def from_run(
    folder: Path,
    models: Sequence[str],
    strategies: Sequence[Strategy],
    delta_max: float,
) -> tuple[list[Stored], Definitions, bool]:
    """Strategies and tipping point of a finished run's models; no model is fitted.

    Parameters
    ----------
    folder : Path
    models : sequence of str
        Empty: every one with the main marker of the definitions.
    strategies : sequence of Strategy
    delta_max : float

    Returns
    -------
    stored : list of Stored
        A model whose numbers the run withheld has an empty table.
    definitions : Definitions
        The run's.
    synthetic : bool

    Raises
    ------
    InputError
        If the folder holds no such run or models.
    """
    manifest = read_manifest(folder)
    definitions = recorded_definitions(manifest)
    found = []
    for model, recorded in models_with(manifest, definitions.markers[0], models).items():
        reasons = texts_of(recorded, "diagnostics", "reasons")
        if recorded.get("withheld"):
            found.append(Stored(model, reasons, pd.DataFrame(), None, None))
            continue
        now, before = _draws(folder, model, definitions)
        table = withdrawal_table(now, before, definitions, model, strategies)
        found.append(
            Stored(
                model,
                reasons,
                table,
                tipping(now, before, definitions, model, delta_max),
                now.main,
            )
        )
    return found, definitions, bool(manifest.get("synthetic", False))


def printed(
    stored: Sequence[Stored], definitions: Definitions, *, full: bool
) -> tuple[list[Section], tuple[str, ...]]:
    """What the terminal shows: of every model all tables, or of one what is concluded.

    Parameters
    ----------
    stored : sequence of Stored
    definitions : Definitions
        The run's.
    full : bool
        Otherwise, of the model that judges most (the smallest of several), the conclusions and
        one table of probabilities; of a model whose numbers are withheld, that they are.

    Returns
    -------
    sections : list of Section
    rest : tuple of str
        Sentences that say what is not shown.
    """

    def whole(item: Stored) -> Section:
        return of_stored(item.model, item.table, item.tipping, item.reasons, definitions, item.main)

    if full:
        return [whole(item) for item in stored], ()
    able = [item for item in stored if not item.table.empty]
    first = max(able, key=lambda item: item.table["category"].nunique(), default=None)
    sections = [whole(item) for item in stored if item.table.empty]
    if first is None or first.main is None:
        return sections, ()
    short = _probabilities(first.table, definitions, first.main)
    sections.append(replace(whole(first), shown=(short,)))
    others = ", ".join(item.model for item in able if item is not first)
    more = f"Not shown: intervals and prior alone{f'; {others}' if others else ''}"
    return sections, (f"{more} (--full, or --model NAME).",)


def _probabilities(table: pd.DataFrame, definitions: Definitions, main: Marker) -> Table:
    """The probability of each conclusion under each strategy."""
    rows = records(table[table["threshold"].notna()])
    names = list(dict.fromkeys(row["strategy"] for row in rows))
    said: dict[str, dict[str, str]] = {}
    for row in rows:
        if row["category"]:
            claim = f"{definitions.label(row['category'])}: share > {percent(row['threshold'])}"
        else:
            claim = f"{main.label}: ratio {'<' if main.falls else '>'} 1"
        cell = probability(row["probability"], row["probability_mcse"])
        said.setdefault(claim, {})[row["strategy"]] = cell
    body = tuple((claim, *(cells.get(n, BLANK) for n in names)) for claim, cells in said.items())
    at = week_name(rows[0]["week"])
    caption = f"Probability of each conclusion under each strategy, {at}"
    return Table(caption, ("Conclusion", *names), body)


def files(stored: Sequence[Stored], definitions: Definitions, synthetic: bool) -> dict[str, bytes]:
    """The files of ``--out``: tables of all models, pictures of each."""
    tables = output_tables((item.table, item.tipping) for item in stored)
    found = {f"{name}.csv": csv_table(marked(table, synthetic)) for name, table in tables.items()}
    for item in stored:
        if item.tipping is not None and item.main is not None:
            figures = {
                "withdrawal_strategies": withdrawal_strategies(
                    item.table, definitions, item.main, item.reasons, synthetic
                ),
                "tipping_curve": tipping_curve(
                    item.tipping, definitions, item.main, item.reasons, synthetic
                ),
            }
            found |= {f"{item.model}_{name}.svg": svg_bytes(f) for name, f in figures.items()}
    return found


def check_folder(folder: Path) -> None:
    """Refuse a folder that holds a run, or a file that this command does not write.

    Raises
    ------
    InputError
    """
    endings = ("_withdrawal_strategies.svg", "_tipping_curve.svg")
    tables = {"withdrawal.csv", "tipping_curve.csv", "tipping_points.csv"}
    if folder.exists() and not folder.is_dir():
        others = [folder]
    else:
        inside = sorted(folder.iterdir()) if folder.exists() else []
        others = [p for p in inside if not (p.name in tables or p.name.endswith(endings))]
    if others:
        found = f"{others[0]}, which is not an output of mnbayes withdrawal"
        expected = "a new folder, an empty one, or one that this command wrote"
        raise InputError([Problem("--out", None, None, found, expected)])


def write(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the files, made beforehand so that nothing is half done."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
