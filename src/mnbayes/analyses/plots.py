"""The figures of the analyses as methods: ``result.plot.trajectories(marker="albumin")``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from matplotlib.figure import Figure

from mnbayes.analyses.catalogue import catalogue
from mnbayes.answers.result import Result
from mnbayes.base.display import Displayed, Screen
from mnbayes.base.problems import InputError, Problem, did_you_mean
from mnbayes.base.text_table import Table
from mnbayes.report.kit.figures import as_it_stands
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.section import Drawn


@dataclass(frozen=True)
class Plotter:
    """Gives the figures of a result.

    Attributes
    ----------
    analyses : tuple of Analysis or None
        Whose figures; None for those of the catalogue.
    """

    analyses: tuple[Analysis, ...] | None = None

    def __call__(self, result: Result) -> Plots:
        """The figures of ``result``."""
        return Plots(result, catalogue() if self.analyses is None else self.analyses)


@dataclass(frozen=True, repr=False)
class Plots(Displayed):
    """Figures of one model, each a method of its name that returns a matplotlib figure.

    Figures of one marker take ``marker``, by default the first of the model.

    Parameters
    ----------
    result : Result
    analyses : tuple of Analysis
    """

    _result: Result
    _analyses: tuple[Analysis, ...]

    def __dir__(self) -> list[str]:
        return sorted([*object.__dir__(self), *self._figures()])

    def __getattr__(self, name: str) -> Callable[..., Figure]:
        if name.startswith("_"):
            raise AttributeError(name)  # asked for while an object is copied or restored
        found = self._figures()
        if name in found:
            return _method(name, found[name])
        raise AttributeError(self._why_not(name, list(found)))

    def _drawn(self) -> Iterator[Drawn]:
        result = self._result
        definitions = result.judged_by
        how = Shown(definitions, result.fit.synthetic)
        for analysis in self._analyses:
            if analysis.figures is not None and not analysis.needs(result.fit):
                yield from analysis.figures(result, how)

    def _figures(self) -> dict[str, dict[str, Drawn]]:
        """Name to marker to figure; one marker, blank, where a figure is of the whole model."""
        markers = self._result.fit.observations.markers
        found: dict[str, dict[str, Drawn]] = {}
        for drawn in self._drawn():
            marker = next((m for m in markers if drawn.name.endswith(f"_{m}")), "")
            name = drawn.name.removesuffix(f"_{marker}") if marker else drawn.name
            found.setdefault(name, {})[marker] = drawn
        return found

    def _why_not(self, name: str, found: list[str]) -> str:
        needs = {each: need for one in self._analyses for each, need in one.draws.items()}
        model = self._result.name
        if name not in needs:
            listed = ", ".join(found) or "none"
            hint = did_you_mean(name, [*needs, *found])
            return f"no figure is called {name!r}; of {model} there are {listed}{hint}"
        if self._result.withheld:
            reasons = "; ".join(self._result.withheld)
            return f"{name} is withheld, since {model} did not converge: {reasons}"
        needed = f": it needs {needs[name]}" if needs[name] else ""
        return f"{name} does not apply to {model}{needed}"

    def _screen(self) -> Screen:
        rows = tuple(
            (name, next(iter(of.values())).title.split(": ")[0], ", ".join(filter(None, of)))
            for name, of in self._figures().items()
        )
        table = Table("", ("method", "figure", "markers"), rows, frozenset(range(3)))
        return Screen(f"Figures of {self._result.name}", (), (table,))


def _method(name: str, by_marker: dict[str, Drawn]) -> Callable[..., Figure]:
    first = next(iter(by_marker))

    def of_model() -> Figure:
        return as_it_stands(by_marker[first].figure)

    def of_marker(marker: str = first) -> Figure:
        if marker not in by_marker:
            known = list(by_marker)
            hint = did_you_mean(marker, known)
            expected = f"one of {', '.join(known)}{hint}"
            raise InputError([Problem(name, None, "marker", repr(marker), expected)])
        return as_it_stands(by_marker[marker].figure)

    method: Callable[..., Figure] = of_marker if first else of_model
    method.__name__ = method.__qualname__ = name
    drawn = by_marker[first]
    method.__doc__ = f"{drawn.title}.\n\n{drawn.alt}."
    return method
