"""What to assume of the visits after a withdrawal: strategies, each a pure function on draws.

A fit's draws are made under *missing at random*: at a visit that nobody saw, the model predicts
the level from the patient's own earlier visits and from the other patients. That cannot be
checked, because the patient who left may have left *because* things went badly. A strategy
replaces what is predicted after a withdrawal by another assumption and leaves everything that
was seen as it is. All strategies reuse one set of draws: the model is not fitted again.

A visit counts as *after the withdrawal* where its week is at or past the week of withdrawal and
24-h protein was not measured. A patient who missed a visit without having withdrawn is missing
at random under every strategy.

Built in: ``mar``, ``composite``, ``locf`` and ``delta``. Your own is a function like these::

    @mnbayes.register_withdrawal_strategy("rebound", "back to baseline after withdrawal")
    def rebound(draws):
        level = draws.level.copy()
        baseline = level[..., :1, :]
        return Outcome(np.where(draws.open, baseline, level))

The estimands are ICH E9(R1)'s (2019): hypothetical (``mar``, ``delta``) and composite. The delta
adjustment as a table that one can inspect follows rbmi (Gower-Page et al. 2022,
doi:10.21105/joss.04251).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mnbayes.analyses.withdrawal.unseen import Outcome, WithdrawalDraws
from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError, Problem, did_you_mean

type StrategyFunction = Callable[[WithdrawalDraws], Outcome]

SHIFT_COLUMNS = ("patient", "week", "marker", "log_shift")
#: Ratio of the strategy ``delta`` where none is given: twice as bad as predicted. Log 2 is 0.69,
#: two to four times the visit-to-visit SD of log 24-h protein (0.15 to 0.35): more than a bad
#: collection, less than a full rebound of a fall by 79 %.
RATIO = 2.0


@dataclass(frozen=True)
class Strategy:
    """A strategy.

    Attributes
    ----------
    name : str
        In commands and tables.
    label : str
        What it assumes, in a few words.
    function : callable
        :class:`WithdrawalDraws` to :class:`Outcome`.
    delta : float
        The ratio it uses; NaN where it uses none.
    """

    name: str
    label: str
    function: StrategyFunction
    delta: float = float("nan")


_REGISTRY: dict[str, Strategy] = {}


def register_withdrawal_strategy[F: StrategyFunction](name: str, label: str) -> Callable[[F], F]:
    """Register a strategy under a name; use as a decorator.

    Parameters
    ----------
    name : str
        As in ``--strategy``: letters, digits and underscores.
    label : str
        What it assumes, in a few words, for tables and figures.

    Returns
    -------
    callable
        Registers a function from :class:`WithdrawalDraws` to :class:`Outcome` and returns it
        unchanged. It is called with posterior and with prior draws. It may alter ``level`` where
        ``draws.open`` is true and set ``no_response`` where ``draws.after`` is.

    Raises
    ------
    ValueError
        If the name is taken, or is not a name.

    Notes
    -----
    Models that are fitted side by side run in processes of their own, which import the main
    script again: register at the top level of a module, not under ``if __name__``.
    """
    if not name.isidentifier():
        raise ValueError(f"a strategy's name is letters, digits and underscores; found {name!r}")
    if name in _REGISTRY:
        raise ValueError(f"there is a strategy {name!r} already: {_REGISTRY[name].label}")

    def register(function: F) -> F:
        _REGISTRY[name] = Strategy(name, label, function)
        return function

    return register


def withdrawal_strategies() -> tuple[Strategy, ...]:
    """All strategies: the built-in ones, then the user's in order of registration."""
    return tuple(_REGISTRY.values())


def find_strategy(name: str) -> Strategy:
    """The strategy of a name.

    Raises
    ------
    InputError
        If there is none; lists those that there are.
    """
    if name not in _REGISTRY:
        expected = f"one of {', '.join(_REGISTRY)}{did_you_mean(name, _REGISTRY)}"
        raise InputError([Problem("--strategy", None, None, repr(name), expected)])
    return _REGISTRY[name]


@register_withdrawal_strategy("mar", "missing at random: the model's prediction")
def mar(draws: WithdrawalDraws) -> Outcome:
    """Leave the draws as they are: the unseen visit is as the model predicts it."""
    return Outcome(draws.level)


@register_withdrawal_strategy("composite", "withdrawal counts as no response")
def composite(draws: WithdrawalDraws) -> Outcome:
    """Count a patient as no response at every visit after the withdrawal."""
    return Outcome(draws.level, draws.after)


@register_withdrawal_strategy(
    "locf", "last observation carried forward: what others do; not recommended"
)
def locf(draws: WithdrawalDraws) -> Outcome:
    """Take each marker's last measurement before the withdrawal for its true level after it.

    Here because readers expect it. It pretends that the patient stopped changing on leaving, and
    that the last measurement, noise included, is known to be right (Molenberghs et al. 2004,
    doi:10.1093/biostatistics/kxh001). A marker that was never measured stays as predicted.
    """
    level = draws.level.copy()
    for patient, visit, marker in np.argwhere(draws.open):
        earlier = np.flatnonzero(draws.seen[patient, :visit, marker])
        if earlier.size:
            level[..., patient, visit, marker] = draws.measured[..., patient, earlier[-1], marker]
    return Outcome(level)


def worse(draws: WithdrawalDraws) -> dict[str, float]:
    """What delta moves, in units of its logarithm: the main marker, to the worse.

    Other markers stay as predicted. Albumin's levels, for example, vary a fifth as much as
    protein's, so no ratio of protein has an obvious counterpart, and a patient with more protein
    meets no definition the more easily for it. A table of your own may shift albumin as well
    (below 0, since lower is worse).
    """
    main = 1.0 if draws.main.falls else -1.0
    return {name: 0.0 if place else main for place, name in enumerate(draws.markers)}


def delta_shifts(
    draws: WithdrawalDraws, ratio: float = RATIO, scales: Mapping[str, float] | None = None
) -> pd.DataFrame:
    """The shifts of a delta adjustment, as a table to inspect, edit and pass to :func:`shifted`.

    Parameters
    ----------
    draws : WithdrawalDraws
    ratio : float
        How many times worse the main marker is than the model predicts (24-h protein: as
        high); above 0, 1 changes nothing.
        The same for every patient who withdrew and at every visit after that.
    scales : mapping, optional
        Marker to shift in units of ``log(ratio)``; markers that are left out are not shifted.
        Default: :func:`worse`.

    Returns
    -------
    DataFrame
        Columns :data:`SHIFT_COLUMNS`, one row for each level that nobody saw after a
        withdrawal; ``log_shift`` is added to the log level.

    Raises
    ------
    ValueError
        If the ratio is not a number above 0.
    """
    if not (ratio > 0 and np.isfinite(ratio)):
        raise ValueError(f"delta is a ratio above 0; found {ratio}")
    scales = worse(draws) if scales is None else scales
    rows = [
        (draws.patients[p], draws.weeks[v], draws.markers[k], scales[draws.markers[k]])
        for p, v, k in np.argwhere(draws.open)
        if draws.markers[k] in scales
    ]
    table = pd.DataFrame(rows, columns=list(SHIFT_COLUMNS)).astype({"log_shift": "float64"})
    return table.assign(log_shift=table["log_shift"] * np.log(ratio))


def shift_array(draws: WithdrawalDraws, shifts: pd.DataFrame) -> Floats:
    """A table of shifts as an array, shape (patient, visit, marker); 0 where it has no row.

    Raises
    ------
    ValueError
        If a row names no level of these draws, or one that was seen, or no finite shift.
    """
    array = np.zeros(draws.open.shape)
    for patient, week, marker, shift in shifts[list(SHIFT_COLUMNS)].itertuples(index=False):
        place = f"{marker} of {patient} in week {week:g}"
        try:
            at = (
                draws.patients.index(patient),
                draws.weeks.index(week),
                draws.markers.index(marker),
            )
        except ValueError:
            raise ValueError(f"there is no {place} to shift") from None
        if not draws.open[at]:
            raise ValueError(f"{place} is not after a withdrawal: it is not shifted")
        if not np.isfinite(shift):
            raise ValueError(f"the shift of {place} is {shift}")
        array[at] += shift
    return array


def shifted(draws: WithdrawalDraws, shifts: pd.DataFrame) -> Outcome:
    """Add a table's shifts to the log levels that nobody saw (delta adjustment).

    Parameters
    ----------
    draws : WithdrawalDraws
    shifts : DataFrame
        As :func:`delta_shifts` gives it, edited or not.
    """
    return Outcome(draws.level + shift_array(draws, shifts))


def delta(draws: WithdrawalDraws, ratio: float = RATIO) -> Outcome:
    """Make the main marker after a withdrawal worse by a ratio; 1 is ``mar`` exactly."""
    return shifted(draws, delta_shifts(draws, ratio))


def delta_strategy(ratio: float = RATIO) -> Strategy:
    """The strategy ``delta`` with a ratio of its own."""
    label = f"{ratio:g} times worse than predicted"
    return Strategy("delta", label, lambda draws: delta(draws, ratio), ratio)


_REGISTRY["delta"] = delta_strategy()


def handle(strategy: Strategy, draws: WithdrawalDraws) -> Outcome:
    """Apply a strategy, and refuse one that alters what was seen.

    Raises
    ------
    ValueError
        If the result has another shape, is not finite, or differs from the draws where
        something was seen or no withdrawal came before.
    """
    outcome = strategy.function(draws)
    name = f"the withdrawal strategy {strategy.name!r}"
    if outcome.level.shape != draws.level.shape:
        raise ValueError(f"{name} returned {outcome.level.shape}; expected {draws.level.shape}")
    kept = ~draws.open
    if not np.array_equal(outcome.level[..., kept], draws.level[..., kept]):
        raise ValueError(f"{name} altered a level that is not after a withdrawal")
    if not np.isfinite(outcome.level[..., draws.open]).all():
        raise ValueError(f"{name} returned a level that is no number (use no_response instead)")
    failed = outcome.no_response
    if failed is not None and np.any(failed & ~draws.after):
        raise ValueError(f"{name} set no_response at a visit that is not after a withdrawal")
    return outcome
