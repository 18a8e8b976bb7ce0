"""What the command line shows: progress, tables and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from mnbayes.analyses.influence import part as influence_part
from mnbayes.answers.response_draws import PROTEIN
from mnbayes.answers.result import Result
from mnbayes.base.montecarlo import round_to_mcse
from mnbayes.base.workers import News
from mnbayes.cards.card import Card, prior_name
from mnbayes.data.cohort import Cohort
from mnbayes.data.markers import MARKERS
from mnbayes.run.run import Run

_STAGES = {
    "compiling": "compiling (tens of seconds the first time, then cached)",
    "sampling": "sampling",
    "retrying": "sampling again with smaller steps",
    "predicting": "drawing patients' levels, checking convergence",
    "summarising": "working out probabilities",
    "one by one": "fitting each marker by itself",
    "influence": "refitting without each patient",
    "drawing": "drawing plots",
    "writing": "writing the report",
    "starting": "starting workers",
    "waiting": "waiting for workers",
    "running": "replicates",
    "done": "done",
}
#: Stages that mean something else in a model without patients.
_OWN_STAGES = {
    ("published", "sampling"): "fitting every prior set and reading",
    ("historical", "influence"): "leaving out each study",
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
def progress_bars() -> Iterator[News]:
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
                description=_OWN_STAGES.get((model, stage)) or _STAGES.get(stage, stage),
                total=total or None,
                completed=done,
            )

        yield show


def say_warnings(cohort: Cohort) -> None:
    """Print a cohort's warnings."""
    console = Console(stderr=True)
    for problem in cohort.warnings:
        console.print(escape(str(problem)), highlight=False)


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


def fitting_cards(cards: Sequence[Card], cohort: Cohort) -> list[Card]:
    """The cards whose markers a cohort has, fewest markers first; say which are left out.

    All of them where it has the markers of none: the fit then says what is missing.
    """
    present = set(cohort.measurements["marker"])
    lacking = {card.name: [m for m in card.markers if m not in present] for card in cards}
    able = [card for card in cards if not lacking[card.name]]
    for name, missing in lacking.items():
        if missing and able:
            text = f"Model {name} is left out: the cohort has no {', '.join(missing)}."
            _out().print(escape(text), highlight=False)
    return sorted(able or cards, key=lambda card: (len(card.markers), card.name))


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
        if result.fit.handed_over:
            text = f"{result.name}: NUTS took over from the collapsed engine"
            console.print(escape(f"{text} ({result.fit.handed_over})."), highlight=False)
    # Where several models answer, the one with the fewest markers does, as in the report.
    shown_results = sorted(
        (result for result in run.results if not result.withheld),
        key=lambda result: len(result.fit.observations.markers),
    )
    if shown_results:
        console.print(_change_table(shown_results))
    for result in shown_results:
        _say_failed_refits(console, result)
    judged = [result for result in shown_results if PROTEIN in result.fit.observations.markers]
    if judged:
        # The model that can judge most categories answers for the patients.
        best = min(judged, key=lambda result: len(result.not_evaluable))
        console.print(_patient_table(best))


def _change_table(results: Sequence[Result]) -> Table:
    """Ratio to baseline at the last visit: every marker once, from the first model that has it."""
    table = Table(
        title="Change under treatment at the last visit (no control group)",
        caption="Geometric mean as a share of baseline, with its 95 % interval",
    )
    for column in ("marker", "week", "model", "of baseline", "under the prior alone"):
        table.add_column(column, justify="left" if column in ("marker", "model") else "right")
    rows: dict[str, tuple[str, ...]] = {}
    for result in results:
        last = result.estimates.groupby("marker", sort=False).tail(1)
        for row in last.itertuples():
            now = f"{_percent(row.gmr_median)} ({_between(row.gmr_lower, row.gmr_upper)})"
            before = _between(row.gmr_lower_prior, row.gmr_upper_prior)
            label = MARKERS[str(row.marker)].label
            rows.setdefault(str(row.marker), (label, f"{row.week:g}", result.name, now, before))
    for cells in rows.values():
        table.add_row(*cells)
    return table


def _between(low: object, high: object) -> str:
    return f"{_percent(low)[:-2]} to {_percent(high)}"


def _say_failed_refits(console: Console, result: Result) -> None:
    table = influence_part.of(result)
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
