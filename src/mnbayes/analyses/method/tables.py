"""Model and computation as tables of texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table
from mnbayes.cards.card import Card
from mnbayes.inference.fit import Fit
from mnbayes.models.longitudinal import formulas
from mnbayes.report.kit import wording
from mnbayes.report.kit.wording import BLANK
from mnbayes.run.run import Run


def marker_table(run: Run) -> Table:
    """Units, who uses a marker, and how many of its values are exact, censored and missing."""
    used: dict[tuple[str, ...], list[str]] = {}
    for result in run.results:
        data = result.fit.observations
        for k, marker in enumerate(data.markers):
            seen, censored = data.observed[:, :, k], data.censored[:, :, k]
            counts = (str(int(np.sum(c))) for c in (seen & ~censored, censored, ~seen))
            used.setdefault((marker, *counts), []).append(result.name)
    rows = [
        (run.catalogue[marker].label, marker, run.catalogue[marker].unit, _names(names, run), *at)
        for (marker, *at), names in used.items()
    ]
    known = {marker for marker, *_ in used}
    rows += [
        (run.catalogue[marker].label, marker, run.catalogue[marker].unit, "none", *[BLANK] * 3)
        for marker in run.cohort.markers
        if marker not in known
    ]
    return Table(
        "Measurements in the models",
        ("Marker", "In files", "Unit", "Models", "Exact", "Detection limit or range", "Missing"),
        tuple(rows),
        frozenset({0, 1, 2, 3}),
    )


def _names(names: Sequence[str], run: Run) -> str:
    every = len(run.results) > 1 and len(names) == len(run.results)
    return "all" if every else ", ".join(names)


@dataclass(frozen=True)
class Formulas:
    """The models in formulas, what they share once.

    Attributes
    ----------
    shared : tuple of str
        Lines of every model.
    own : tuple of tuple
        Models and the further lines of these, where there are any.
    cards : tuple of Card
    """

    shared: tuple[str, ...]
    own: tuple[tuple[str, tuple[str, ...]], ...]
    cards: tuple[Card, ...]

    def any(self, part: str) -> str:
        """Models of which a part is switched on: blank if none, "all" if there is no other."""
        named = [card.name for card in self.cards if getattr(card.structure, part)]
        return "all" if len(named) == len(self.cards) else wording.listed(named)


def formulas_of(run: Run) -> Formulas | None:
    """The formulas of a run's cards; None where it has none."""
    cards = tuple(result.fit.card for result in run.results if result.fit.card is not None)
    if not cards:
        return None
    lines = [formulas(card.structure) for card in cards]
    shared = tuple(line for line in lines[0] if all(line in other for other in lines))
    own: dict[tuple[str, ...], list[str]] = {}
    for card, all_of in zip(cards, lines, strict=True):
        own.setdefault(tuple(line for line in all_of if line not in shared), []).append(card.name)
    listed = tuple((wording.listed(names), rest) for rest, names in own.items() if rest)
    return Formulas(shared, listed, cards)


def computation_table(run: Run) -> Table:
    """Convergence of every fit, one row each."""
    rows = []
    importance = any(r.fit.diagnostics.pareto_k is not None for r in run.results)
    for result in run.results:
        checks, sampling = result.fit.diagnostics, result.fit.sampling
        row = [
            result.name,
            f"{'yes' if checks.converged else 'NO'}{', repeated' if result.fit.retried else ''}",
            _engine(result.fit),
            f"{sampling.chains} × {sampling.draws:,}",
            f"{checks.worst_rhat:.4f}",
            f"{checks.worst_ess_bulk:,.0f}",
            f"{checks.worst_ess_tail:,.0f}",
            str(checks.divergences),
            _number(checks.worst_bfmi),
        ]
        row += [_number(checks.pareto_k)] if importance else []
        seconds = sum(result.fit.seconds.values())
        rows.append((*row, largest_error(result), f"{seconds:.0f}" if seconds else BLANK))
    head = ["Model", "Passed", "Engine", "Draws", "Worst R-hat (below 1.01)"]
    head += ["Least bulk ESS (400)", "Least tail ESS (400)", "Divergences (none)"]
    head += ["Least E-BFMI (0.3)", *(["Pareto k (0.7)"] if importance else [])]
    head += ["Largest MCSE, points", "Seconds"]
    caption = "Sampling and convergence; what a fit must reach is in brackets"
    return Table(caption, tuple(head), tuple(rows), frozenset({0, 1, 2}))


def settings_sentence(run: Run) -> str:
    """Seeds and settings of the sampler, each once where every model has it."""
    sampled = [result for result in run.results if result.fit.own is None or result.fit.own.file]
    if not sampled:
        return ""
    settings = [result.fit.sampling for result in sampled]
    parts = [
        f"Seed {_each(str(s.seed) for s in settings)}",
        f"{_each(f'{s.tune:,}' for s in settings)} tuning draws a chain",
        f"target acceptance {_each(f'{s.target_accept:g}' for s in settings)}",
    ]
    return f"{'; '.join(parts)}."


def _each(texts: Iterable[str]) -> str:
    return wording.listed(list(dict.fromkeys(texts)), "or")


def _number(value: float | None) -> str:
    return BLANK if value is None else f"{value:.2f}"


def _engine(fit: Fit) -> str:
    if fit.engine == "collapsed":
        return "collapsed"
    if fit.engine == "pymc" and fit.own is None:
        return "NUTS (PyMC)"
    if fit.own is not None:
        return "NUTS (own file)" if fit.own.file else fit.engine
    if not fit.handed_over:
        return "NUTS"
    return f"NUTS, handed over from the collapsed engine: {fit.handed_over}"


def largest_error(result: Result) -> str:
    """The largest Monte Carlo standard error of a model's probabilities, in points."""
    if result.withheld:
        return "withheld"
    errors = result.probabilities["mcse"].dropna()
    return wording.points(float(errors.max())) if len(errors) else BLANK


def _item(name: str, value: object) -> str:
    return f"{name} {value:.1f}" if isinstance(value, float) else f"{name} {value}"


def software_table(run: Run) -> Table | None:
    """Versions, and seconds of the stages that are of no single model, as far as known."""
    rows = tuple(
        (label, ", ".join(_item(name, value) for name, value in part.items()))
        for label, key in (("Versions", "versions"), ("Seconds in all", "seconds"))
        if isinstance(part := run.manifest.get(key), Mapping)
    )
    if not rows:
        return None
    return Table("Software and time", ("Item", "Value"), rows, frozenset({0, 1}), wide=True)
