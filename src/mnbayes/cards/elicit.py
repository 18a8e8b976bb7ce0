"""A belief as a distribution, with what it was fitted to and how well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mnbayes.cards import families as priors
from mnbayes.cards.belief_fits import FITS, MISSED, ONE_NUMBER, Wanted, check_arguments
from mnbayes.cards.beliefs import Belief, BeliefError, Quantity, parse_belief

#: Numbers of a family that a belief does not fit: they are given, or stay as they are.
_FIXED = {"StudentT": ("nu",), "HalfStudentT": ("nu",)}


@dataclass(frozen=True)
class Check:
    """A stated probability beside the fitted distribution's.

    Attributes
    ----------
    statement : str
        Such as ``"below 0.3"``.
    stated, achieved : float
    implied : bool
        Whether the statement was not made but follows where both sides are alike.
    """

    statement: str
    stated: float
    achieved: float
    implied: bool = False


@dataclass(frozen=True)
class Elicited:
    """A belief and the distribution fitted to it.

    Attributes
    ----------
    belief : Belief
    distribution : str
    arguments : dict
        On the parameter's own (log) scale.
    checks : tuple of Check
    notes : tuple of str
        What was kept of the present prior, and where the family cannot say what was believed.
    """

    belief: Belief
    distribution: str
    arguments: dict[str, float]
    checks: tuple[Check, ...]
    notes: tuple[str, ...]

    @property
    def formula(self) -> str:
        """The distribution as text, such as ``Normal(-0.554, 0.395)``."""
        return priors.formula(self.distribution, self.arguments)

    @property
    def sentence(self) -> str:
        """What the fitted distribution says, on the scale of the belief."""
        ends = [self._quantile(p) for p in (0.025, 0.5, 0.975)]
        low, middle, high = ends if self.belief.scale != "fall" else ends[::-1]
        low_text, middle_text, high_text = map(self.belief.shown, (low, middle, high))
        return (
            f"95 % of it lies between {low_text} and {high_text}, half of it below {middle_text}."
        )

    def _quantile(self, probability: float) -> float:
        own = float(priors.quantile(self.distribution, self.arguments, probability))
        return self.belief.natural(own)


def read_prior_belief(
    values: Mapping[str, Any], quantity: Quantity, family: str, present: Mapping[str, float]
) -> Elicited:
    """Fit the belief in a prior's table, as a card or a prior set writes it.

    Parameters
    ----------
    values : mapping
        With ``belief``, perhaps ``on``, and other keys that are not texts: numbers.
    quantity : Quantity
    family : str
    present : mapping
        Arguments that the prior has so far, if its family is the same; else empty.

    Raises
    ------
    BeliefError
    """
    text, on = values["belief"], values.get("on", "")
    for key, value in (("belief", text), ("on", on)):
        if not isinstance(value, str):
            raise BeliefError("a text in quotation marks", key, repr(value)[:60])
    fixed = _FIXED.get(family, ())
    given = dict(present)
    for name, value in values.items():
        if name in ("belief", "on"):
            continue
        if name not in fixed:
            expected = "either a belief or numbers" + (f" (besides {fixed[0]})" if fixed else "")
            raise BeliefError(expected, name, "both")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e300:
            raise BeliefError("a number above 0", name, repr(value)[:60])
        given[name] = float(value)
    return elicit(parse_belief(text, quantity, on), family, given)


def elicit(belief: Belief, family: str, present: Mapping[str, float] | None = None) -> Elicited:
    """Fit a distribution to a belief.

    Parameters
    ----------
    belief : Belief
    family : str
        A key of :data:`mnbayes.cards.families.FAMILIES`.
    present : mapping, optional
        The prior's present arguments. Degrees of freedom stay; and where two numbers are sought
        and the belief has one side only, the median stays unless ``median M`` is stated.

    Returns
    -------
    Elicited
        With the achieved probabilities beside the stated ones.

    Raises
    ------
    BeliefError
        If no distribution of the family says that.
    """
    if family not in FITS:
        raise BeliefError("numbers: a belief on correlations cannot be stated; set eta")
    present = dict(present or {})
    low, high = belief.bounds
    notes: list[str] = []
    with np.errstate(all="ignore"):
        median = _median(belief, family, present, notes)
        arguments = FITS[family](Wanted(belief.share, low, high, median, family, present))
    check_arguments(family, arguments)
    checks = _checks(belief, family, arguments)
    return Elicited(belief, family, arguments, checks, (*notes, *_missed(belief, family, checks)))


def _median(
    belief: Belief, family: str, present: Mapping[str, float], notes: list[str]
) -> float | None:
    """The median to keep to: the stated one, else the present one where one side is open."""
    if belief.two_sided or family in ONE_NUMBER:
        return None if belief.median is None else belief.own(belief.median)
    if belief.median is not None:
        median = belief.median
    elif set(present) == set(priors.FAMILIES[family].arguments):
        median = belief.natural(float(priors.quantile(family, present, 0.5)))
        notes.append(f"The median stays at {belief.shown(median)}; 'median M' would move it.")
    else:
        raise BeliefError(
            "a second statement, since two numbers are sought: 'P% between A and B', or 'median M'"
        )
    side, bound = ("below", belief.upper) if belief.lower is None else ("above", belief.lower)
    needs_more = (belief.share > 0.5) == (side == "below")
    if bound is None or belief.share == 0.5 or bound == median or (bound > median) != needs_more:
        place = "above" if needs_more else "below"
        raise BeliefError(
            f"a bound {place} the median {belief.shown(median)}, since half lies {side} that; "
            "or another 'median M'"
        )
    return belief.own(median)


def _checks(belief: Belief, family: str, arguments: Mapping[str, float]) -> tuple[Check, ...]:
    def below(value: float) -> float:
        """Probability below a value of the belief's scale."""
        cumulative = float(priors.cdf(family, arguments, belief.own(value)))
        return 1 - cumulative if belief.scale == "fall" else cumulative

    lower, upper, share = belief.lower, belief.upper, belief.share
    checks = []
    if lower is not None and upper is not None:
        words, tail = f"between {belief.shown(lower)} and {belief.shown(upper)}", (1 - share) / 2
        checks.append(Check(words, share, below(upper) - below(lower)))
        if belief.own(lower) != 0 or belief.quantity.kind in ("level", "change"):
            checks.append(Check(f"below {belief.shown(lower)}", tail, below(lower), implied=True))
            checks.append(
                Check(f"above {belief.shown(upper)}", tail, 1 - below(upper), implied=True)
            )
    elif upper is not None:
        checks.append(Check(f"below {belief.shown(upper)}", share, below(upper)))
    elif lower is not None:
        checks.append(Check(f"above {belief.shown(lower)}", share, 1 - below(lower)))
    if belief.median is not None:
        words = f"below the median {belief.shown(belief.median)}"
        checks.append(Check(words, 0.5, below(belief.median)))
    return tuple(checks)


def _missed(belief: Belief, family: str, checks: tuple[Check, ...]) -> list[str]:
    """Say where the family cannot have what was believed."""
    notes = []
    tails = [check for check in checks if check.implied]
    if any(abs(check.achieved - check.stated) > MISSED for check in tails):
        found = " and ".join(f"{100 * c.achieved:.1f} % {c.statement}" for c in tails)
        logs = family == "LogNormal" or (belief.quantity.kind != "shape" and belief.scale != "log")
        shape = "is skewed" if family == "Gamma" else "is symmetric"
        reason = f"{family} {shape}{' on the log scale' if logs and family != 'Gamma' else ''}"
        kept = " and keeps to the stated median" if belief.median is not None else ""
        notes.append(f"The tails are unequal: {found}. {reason}{kept}.")
    notes += [
        f"Not reached: {check.statement} was to have {100 * check.stated:.3g} %, it has "
        f"{100 * check.achieved:.3g} %."
        for check in checks
        if not check.implied and abs(check.achieved - check.stated) > MISSED
    ]
    return notes
