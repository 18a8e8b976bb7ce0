"""Judgements of experts as priors: chips on a grid, several experts pooled, consequences in words.

Chips are fitted as SHELF does: within the prior's family the numbers whose cumulative
probabilities are closest (least squares) to those of the chips at the edges of the bins (Oakley
and O'Hagan, SHELF 4.0; the roulette of Gore 1987). Experts are pooled linearly: the mixture of
their distributions with equal or stated weights (Stone 1961), to which the family is fitted
likewise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import stacked
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards import families
from mnbayes.explorer.answers import Answered
from mnbayes.inference.contract import PREDICTIONS
from mnbayes.report.kit import wording

#: Fewest chips, and bins with one, that a distribution of two numbers can be fitted to.
FEWEST_CHIPS, FEWEST_BINS = 4, 2
#: Most bins and chips that are read.
MOST_BINS, MOST_CHIPS = 40, 400
#: Points at which a pooled distribution is fitted.
POOLED = 99
#: One patient in so many, for consequences in words.
ONE_IN = 20

type Arguments = dict[str, float]


@dataclass(frozen=True)
class Judged:
    """A distribution fitted to judgements.

    Attributes
    ----------
    distribution : str
    arguments : dict
        On the parameter's own scale.
    apart : float
        Largest difference between its cumulative probability and that of the judgements.
    """

    distribution: str
    arguments: Arguments
    apart: float

    @property
    def formula(self) -> str:
        """The distribution as text."""
        return families.formula(self.distribution, self.arguments)


def _refused(found: str, expected: str) -> InputError:
    return InputError([Problem("judgements", None, None, found, expected)])


def fit_chips(
    edges: Sequence[float], chips: Sequence[int], family: str, present: Mapping[str, float]
) -> Judged:
    """Fit a family to chips that an expert laid on a grid.

    Parameters
    ----------
    edges : sequence of float, length bins + 1
        Ascending, on the parameter's own scale.
    chips : sequence of int, length bins
    family : str
        A key of :data:`mnbayes.cards.families.FAMILIES`.
    present : mapping
        Arguments that the prior has now: where the search begins; degrees of freedom stay.

    Raises
    ------
    InputError
        If there are too few chips, or the bins do not ascend.
    """
    bins, counts = np.asarray(edges, dtype=float), np.asarray(chips, dtype=float)
    if not (2 <= counts.size <= MOST_BINS and bins.size == counts.size + 1):
        raise _refused(f"{counts.size} bins", f"2 to {MOST_BINS} bins, one edge more than bins")
    if not np.isfinite(bins).all() or (np.diff(bins) <= 0).any():
        raise _refused("edges that do not ascend", "ascending edges")
    whole = np.isfinite(counts).all() and (counts >= 0).all() and (counts == counts.round()).all()
    if not whole or not FEWEST_CHIPS <= counts.sum() <= MOST_CHIPS:
        raise _refused(f"{counts.sum():g} chips", f"{FEWEST_CHIPS} to {MOST_CHIPS} chips")
    if np.count_nonzero(counts) < FEWEST_BINS and family not in ("HalfNormal", "Exponential"):
        raise _refused("all chips in one bin", "chips in two bins at least: nobody is surer")
    below = np.cumsum(counts)[:-1] / counts.sum()
    return _closest(bins[1:-1], below, family, present)


def pool(
    experts: Sequence[tuple[str, Mapping[str, float]]],
    weights: Sequence[float],
    family: str,
    present: Mapping[str, float],
) -> Judged:
    """Pool experts linearly, and fit a family to the mixture.

    Parameters
    ----------
    experts : sequence of tuple
        Distribution and arguments of each.
    weights : sequence of float
        One for each, above 0; they need not sum to 1.
    family : str
    present : mapping
        Arguments that the prior has now.

    Raises
    ------
    InputError
        If there is no expert, or a weight is not above 0.
    """
    shares = np.asarray(weights, dtype=float)
    if not experts or shares.size != len(experts):
        raise _refused(f"{len(experts)} experts, {shares.size} weights", "a weight for each")
    if not np.isfinite(shares).all() or (shares <= 0).any():
        raise _refused("a weight that is not above 0", "weights above 0")
    shares = shares / shares.sum()
    at = np.linspace(0.005, 0.995, POOLED)
    ends = np.array([families.quantile(name, numbers, [0.005, 0.995]) for name, numbers in experts])
    grid = np.linspace(ends[:, 0].min(), ends[:, 1].max(), 20 * POOLED)
    mixture = sum(
        share * families.cdf(name, numbers, grid)
        for share, (name, numbers) in zip(shares, experts, strict=True)
    )
    inside = np.interp(at, np.asarray(mixture), grid)
    return _closest(inside, at, family, present)


def _closest(points: Floats, below: Floats, family: str, present: Mapping[str, float]) -> Judged:
    """The family's numbers whose cumulative probabilities are closest, by least squares."""
    from scipy import optimize

    names = [name for name in families.FAMILIES[family].arguments if name != "nu"]
    fixed = {name: float(value) for name, value in present.items() if name == "nu"}
    positive = families.FAMILIES[family].positive
    centre, spread = _moments(points, below, family)

    def arguments(values: Floats) -> Arguments:
        free = {
            name: float(np.exp(value)) if name in positive else float(value)
            for name, value in zip(names, values, strict=True)
        }
        return {name: (fixed | free)[name] for name in families.FAMILIES[family].arguments}

    def apart(values: Floats) -> Floats:
        with np.errstate(all="ignore"):
            found = families.cdf(family, arguments(values), points) - below
        return np.where(np.isfinite(found), found, 1.0)

    start = [_start(name, family, centre, spread, positive) for name in names]
    found = optimize.least_squares(apart, start, xtol=1e-12, ftol=1e-12, max_nfev=400)
    return Judged(family, arguments(found.x), float(np.abs(apart(found.x)).max()))


def _moments(points: Floats, below: Floats, family: str) -> tuple[float, float]:
    """A centre and a spread to begin the search with."""
    values = np.log(np.maximum(points, 1e-12)) if family == "LogNormal" else points
    middle, low, high = np.interp([0.5, 0.16, 0.84], below, values)
    return float(middle), max(float(high - low) / 2, 1e-3 * max(1.0, abs(float(middle))))


def _start(name: str, family: str, centre: float, spread: float, positive: frozenset[str]) -> float:
    if name == "mu":
        return centre
    size = max(abs(centre), spread, 1e-6)
    value = {
        "sigma": spread if family in ("Normal", "StudentT", "LogNormal") else 1.5 * size,
        "lam": 1.0 / size,
        "alpha": 2.0,
        "beta": 2.0 / size,
    }[name]
    return float(np.log(value)) if name in positive else value


def consequences(answered: Answered) -> list[str]:
    """What the priors say of the next patient's true level, before any data, in words.

    Such as "one patient in twenty gets worse by a quarter or more".
    """
    result, tree = answered.result, answered.fit.tree
    group = PREDICTIONS["prior"]
    if group not in tree.children or "new_level" not in tree[group].data_vars:
        return []
    said = []
    for marker in result.fit.observations.markers:
        about = result.catalogue[marker]
        if about.scale != "log":
            continue
        draws = stacked(tree[group].dataset["new_level"].sel(marker=marker), "visit")
        weeks = tree[group].dataset["new_level"]["visit"].to_numpy().tolist()
        change = np.exp(draws[:, weeks.index(result.primary_week)] - draws[:, weeks.index(0.0)])
        low, middle, high = np.quantile(change, [1 / ONE_IN, 0.5, 1 - 1 / ONE_IN])
        name = wording.in_text(about)
        said.append(
            f"Before any data, {name} at {wording.week_name(result.primary_week)}: in one patient "
            f"of {_IN_WORDS} it {_moved(high, upper=True)}, in half it {_moved(middle)}, in one of "
            f"{_IN_WORDS} it {_moved(low, upper=False)}."
        )
    return said


_IN_WORDS = "twenty"


def _moved(ratio: float, upper: bool | None = None) -> str:
    """A ratio to baseline in words; ``upper`` or lower end of what is expected."""
    percent = 100 * (ratio - 1)
    if abs(percent) < 1:
        return "stays where it was or rises" if upper else "stays where it was or falls"
    if percent > 0:
        times = (
            f"rises to {ratio:.3g} times baseline" if ratio >= 2 else f"rises by {percent:.0f} %"
        )
        return f"{times} or more" if upper in (True, None) else f"{times} or less, or falls"
    falls = f"falls by {-percent:.0f} %"
    return f"{falls} or more" if not upper else f"{falls} or less, or rises"
