"""What the command line shows: progress, tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mnbayes.cards import Card, prior_name
from mnbayes.cohort import Cohort
from mnbayes.markers import MARKERS
from mnbayes.montecarlo import round_to_mcse
from mnbayes.overrides import Change, applies_to
from mnbayes.pipeline import ModelProgress
from mnbayes.remission import PROTEIN
from mnbayes.results import Result
from mnbayes.run import Run

_STAGES = {
    "compiling": "compiling (tens of seconds the first time, then cached)",
    "sampling": "sampling",
    "retrying": "sampling again with smaller steps",
    "predicting": "drawing patients' levels",
    "summarising": "working out probabilities",
    "influence": "refitting without each patient",
    "drawing": "drawing plots",
    "writing": "writing the report",
    "done": "done",
}
#: The category shown for each patient, most informative first.
_SHOWN = {
    "complete": "complete remission",
    "partial": "partial remission",
    "remission": "remission",
    "effective": "effective",
}


def _out() -> Console:
    return Console(soft_wrap=False)


@contextmanager
def progress_bars() -> Iterator[ModelProgress]:
    """Show a bar for each model on standard error; yield what to call with news."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[model]}"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, object] = {}

        def show(model: str, stage: str, done: int, total: int) -> None:
            if model not in tasks:
                tasks[model] = bars.add_task("", model=model, total=None)
            if stage == "done":
                bars.update(tasks[model], description="done", total=1, completed=1)  # type: ignore[arg-type]
                return
            bars.update(
                tasks[model],  # type: ignore[arg-type]
                description=_STAGES[stage],
                total=total or None,
                completed=done,
            )

        yield show


def say_warnings(cohort: Cohort) -> None:
    """Print a cohort's warnings."""
    console = Console(stderr=True)
    for problem in cohort.warnings:
        console.print(escape(str(problem)), highlight=False)


def say_settings(cards: Sequence[Card], changes: Sequence[Change]) -> None:
    """Print each overridden prior, and the models in which a value has no place."""
    console = Console(stderr=True)
    for change in changes:
        used = applies_to(cards, change)
        for card, marker in used:
            spec = card.prior[change.parameter][marker]
            name = prior_name(change.parameter, marker, card.markers)
            console.print(
                escape(f"{card.name}: {name} ~ {spec.formula}: {spec.explained}"), highlight=False
            )
        others = [card.name for card in cards if card not in [c for c, _ in used]]
        if others:
            written = ".".join(p for p in (change.parameter, change.marker) if p)
            console.print(
                f"{written} is not a prior of {', '.join(others)}: unchanged there "
                "(a model of several markers wants NAME.MARKER.ARG).",
                highlight=False,
            )


def describe_cohort(cohort: Cohort) -> None:
    """Print what a valid cohort holds."""
    console = _out()
    rows = cohort.measurements
    if cohort.synthetic:
        console.print("SYNTHETIC cohort: no real patient.")
    withdrawn = int(cohort.patients["withdrew_week"].notna().sum())
    console.print(
        f"{len(cohort.patients)} patients ({withdrawn} withdrawn), {len(rows)} measurements, "
        f"weeks {', '.join(f'{week:g}' for week in cohort.weeks)}: no errors.",
        highlight=False,
    )
    table = Table("marker", "unit", "measurements", "censored", "patients")
    for marker in cohort.markers:
        part = rows[rows["marker"] == marker]
        table.add_row(
            marker,
            MARKERS[marker].unit,
            str(len(part)),
            str(int(part["value"].isna().sum())),
            str(part["patient"].nunique()),
        )
    console.print(table)
    if cohort.events is None:
        console.print("No table of events: none recorded is not the same as none happened.")
    else:
        console.print(
            f"{len(cohort.events)} rows of events: {cohort.events['term'].nunique()} terms in "
            f"{cohort.events['patient'].nunique()} patients.",
            highlight=False,
        )


def describe_card(card: Card) -> None:
    """Print a card's priors as a table."""
    table = Table("prior", "distribution", "meaning, reason and source", show_lines=True)
    table.title = f"{card.name}: {escape(card.title)}"
    for name, priors in card.prior.items():
        for marker, spec in priors.items():
            label = prior_name(name, marker, card.markers)
            if name not in card.parameters:
                label += " (switched off)"
            reasons = f"{spec.explained}\nWhy: {spec.why}\nSource: {spec.source}"
            cells = (label, spec.formula, reasons)
            table.add_row(*(escape(cell) for cell in cells))
    _out().print(table)


def summary(run: Run) -> None:
    """Print what a clinician wants to know first, for the model that says most."""
    console = _out()
    if run.cohort.synthetic:
        console.print("[bold]SYNTHETIC cohort: no real patient.[/bold]")
    for result in run.results:
        if not result.fit.diagnostics.converged:
            reasons = "; ".join(result.fit.diagnostics.reasons)
            shown = "shown all the same" if run.unconverged_shown else "withheld"
            console.print(
                f"[bold]{result.name} did not converge ({reasons}): "
                f"its probabilities are {shown}.[/bold]"
            )
    shown_results = [result for result in run.results if not result.withheld]
    for result in shown_results:
        _say_change(console, result)
        _say_failed_refits(console, result)
    judged = [result for result in shown_results if PROTEIN in result.fit.observations.markers]
    if judged:
        # The model that can judge most categories answers for the patients.
        best = min(judged, key=lambda result: len(result.not_evaluable))
        console.print(_patient_table(best))


def _say_change(console: Console, result: Result) -> None:
    last = result.estimates.groupby("marker", sort=False).tail(1)
    for row in last.itertuples():
        marker = MARKERS[str(row.marker)]
        console.print(
            f"{result.name}: {marker.label} at week {row.week:g} "
            f"is {_percent(row.gmr_median)} of baseline "
            f"(95 % interval {_percent(row.gmr_lower)} to {_percent(row.gmr_upper)}; under the "
            f"prior alone {_percent(row.gmr_lower_prior)} to {_percent(row.gmr_upper_prior)}). "
            "A change under treatment: there was no control group.",
            highlight=False,
        )


def _say_failed_refits(console: Console, result: Result) -> None:
    table = result.influence
    if table.empty:
        return
    for patient, rows in table.groupby("left_out", sort=False):
        if rows["value_without"].isna().all():
            text = f"{result.name}: the refit without {patient} {rows['reason'].iloc[0]}."
            console.print(escape(text), highlight=False)


def _percent(ratio: object) -> str:
    return f"{100 * float(str(ratio)):.0f} %"


def _patient_table(result: Result) -> Table:
    """Probabilities of response at the last visit: every patient, then the next one."""
    week = result.fit.observations.weeks[-1]
    shown = {k: v for k, v in _SHOWN.items() if k not in result.not_evaluable}
    table = Table(title=f"Probability of response at week {week:g} ({result.name})")
    table.add_column("patient")
    for label in shown.values():
        table.add_column(label, justify="right")
    rows = result.probabilities[result.probabilities["week"] == week]
    changes = result.patient_changes
    at_week = changes[(changes["week"] == week) & (changes["marker"] == PROTEIN)]
    predicted = set(at_week.loc[at_week["prediction"], "patient"])
    latent = rows[rows["quantity"] == "latent"]
    for patient in result.fit.observations.patients:
        label = f"{patient} (predicted: not measured)" if patient in predicted else patient
        cells = _cells(latent[latent["patient"] == patient], tuple(shown))
        table.add_row(escape(label), *cells)
    table.add_section()
    following = rows[rows["quantity"] == "next_patient"]
    table.add_row("next patient", *_cells(following, tuple(shown)))
    table.add_row("  under the prior alone", *_cells(following, tuple(shown), prior=True))
    return table


def _cells(rows: pd.DataFrame, categories: tuple[str, ...], *, prior: bool = False) -> list[str]:
    column = "prior_probability" if prior else "probability"
    shown = rows.set_index("category")[[column, "mcse"]].astype(float)
    values = {str(c): (float(p), float(e)) for c, p, e in shown.itertuples()}
    return [round_to_mcse(*values[category]) for category in categories]
