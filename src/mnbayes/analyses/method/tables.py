"""Model, priors and computation as tables of texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.inference.fit import Fit
from mnbayes.report.kit import wording
from mnbayes.run.run import Run

#: Stage of a fit to what the clock ran for.
_STAGES = {
    "compile": "compiling",
    "sample": "sampling",
    "predict": "drawing patients' levels, checking convergence",
    "alone": "each marker by itself",
    "summarise": "working out probabilities",
    "influence": "refits without each patient",
    "plot": "drawing plots",
}


def marker_table(result: Result) -> Table:
    """Units, and how many values are exact, censored and missing."""
    data = result.fit.observations
    rows = []
    for k, marker in enumerate(data.markers):
        seen, censored = data.observed[:, :, k], data.censored[:, :, k]
        counts = (seen & ~censored, censored, ~seen)
        label, unit = result.catalogue[marker].label, result.catalogue[marker].unit
        rows.append((label, marker, unit, *(str(int(np.sum(count))) for count in counts)))
    return Table(
        "Measurements in the model",
        ("Marker", "Name in the files", "Unit", "Exact", "Interval or detection limit", "Missing"),
        tuple(rows),
        frozenset({0, 1, 2}),
    )


def computation_table(run: Run) -> Table:
    """Settings and convergence of every fit, one column each."""
    results = run.results

    def row(label: str, cells: Iterator[str]) -> tuple[str, ...]:
        return (label, *cells)

    checks = [result.fit.diagnostics for result in results]
    sampling = [result.fit.sampling for result in results]
    rows = [
        row("Passed the gate", ("yes" if c.converged else "NO" for c in checks)),
        row("Engine", (_engine(r.fit) for r in results)),
        row("Seed", (str(s.seed) for s in sampling)),
        row("Chains", (str(s.chains) for s in sampling)),
        row("Draws per chain", (str(s.draws) for s in sampling)),
        row("Tuning draws per chain", (_known(r, str(r.fit.sampling.tune)) for r in results)),
        row(
            "Target acceptance",
            (_known(r, f"{r.fit.sampling.target_accept:g}") for r in results),
        ),
        row("Repeated with smaller steps", ("yes" if r.fit.retried else "no" for r in results)),
        row("Largest R-hat (below 1.01)", (f"{c.worst_rhat:.4f}" for c in checks)),
        row("Smallest bulk ESS (at least 400)", (f"{c.worst_ess_bulk:.0f}" for c in checks)),
        row("Smallest tail ESS (at least 400)", (f"{c.worst_ess_tail:.0f}" for c in checks)),
        row("Divergent transitions (none)", (str(c.divergences) for c in checks)),
        row("Smallest E-BFMI (at least 0.3)", (_number(c.worst_bfmi) for c in checks)),
        row("Pareto k of the weights (at most 0.7)", (_number(c.pareto_k) for c in checks)),
        row("Largest MCSE of a probability, points", (largest_error(r) for r in results)),
        *(
            row(f"Seconds: {_STAGES.get(stage, stage)}", (_seconds(r.fit, stage) for r in results))
            for stage in dict.fromkeys(stage for r in results for stage in r.fit.seconds)
        ),
    ]
    return Table(
        "Sampling and convergence; what a fit must reach is in brackets",
        ("", *(result.name for result in results)),
        tuple(rows),
    )


def _known(result: Result, setting: str) -> str:
    """A setting of the sampler, where it was this program's."""
    elsewhere = result.fit.own is not None and not result.fit.own.file
    return wording.BLANK if elsewhere else setting


def _seconds(fit: Fit, stage: str) -> str:
    return f"{fit.seconds[stage]:.1f}" if stage in fit.seconds else wording.BLANK


def _number(value: float | None) -> str:
    return "does not apply" if value is None else f"{value:.2f}"


def _engine(fit: Fit) -> str:
    if fit.engine == "collapsed":
        return "collapsed: importance sampling"
    if fit.engine == "pymc" and fit.own is None:
        return "NUTS, of the model as PyMC states it"
    if fit.own is not None:
        return "NUTS, of the model as its file states it" if fit.own.file else fit.engine
    if not fit.handed_over:
        return "NUTS"
    return f"NUTS, handed over from the collapsed engine: {fit.handed_over}"


def largest_error(result: Result) -> str:
    """The largest Monte Carlo standard error of a model's probabilities, in points."""
    if result.withheld:
        return "withheld"
    errors = result.probabilities["mcse"].dropna()
    return wording.points(float(errors.max())) if len(errors) else wording.BLANK


def parameter_table(result: Result) -> Table:
    """R-hat, ESS and, unless withheld, mean and Monte Carlo error of every sampled quantity."""
    columns = ["rhat", "ess_bulk", "ess_tail"]
    head = ["Sampled quantity (log scale)", "R-hat", "Bulk ESS", "Tail ESS"]
    formats = ["{:.4f}", "{:.0f}", "{:.0f}"]
    if not result.withheld:
        columns += ["mean", "sd", "mcse_mean"]
        head += ["Mean", "SD", "MCSE of the mean"]
        formats += ["{:.3f}", "{:.3f}", "{:.4f}"]
    rows = tuple(
        (
            str(record["parameter"]),
            *(text.format(record[name]) for name, text in zip(columns, formats, strict=True)),
        )
        for record in records(result.fit.parameters)
    )
    return Table(f"Convergence of every sampled quantity: {result.name}", tuple(head), rows)


def _item(name: str, value: object) -> str:
    return f"{name} {value:.1f}" if isinstance(value, float) else f"{name} {value}"


def software_table(run: Run) -> Table | None:
    """Versions, and seconds of the stages that are not one model's, as far as they are known."""
    rows = tuple(
        (label, ", ".join(_item(name, value) for name, value in part.items()))
        for label, key in (("Versions", "versions"), ("Seconds in all", "seconds"))
        if isinstance(part := run.manifest.get(key), Mapping)
    )
    if not rows:
        return None
    return Table("Software and time", ("Item", "Value"), rows, frozenset({0, 1}), wide=True)
