"""Clinical beliefs as text: "90% between 0.3 and 1.1 on gmr" and what may be written.

    P% between A and B          P% below A          P% above A

each optionally followed by ``median M`` and by ``on SCALE`` (or ``SCALE`` alone). A number is
written with a point; on the scale ``fall`` it is a percentage and says so (``70%``), elsewhere it
never is. Nothing is ever evaluated: a text is matched by one regular expression, or refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.base.problems import did_you_mean
from mnbayes.data.markers import Scale

Kind = Literal["level", "change", "sd", "time", "shape", "correlation"]

#: Longest text that is read; what is longer is no belief.
LONGEST = 200
FORM = "'P% between A and B', 'P% below A' or 'P% above A', then perhaps 'median M' and 'on SCALE'"

_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_VALUE = rf"{_NUMBER}(?:\s*%)?"
_BELIEF = re.compile(
    rf"\s*(?P<share>{_NUMBER})\s*%\s+(?:sure\s+)?"
    rf"(?:between\s+(?P<a>{_VALUE})\s+and\s+(?P<b>{_VALUE})"
    rf"|below\s+(?P<below>{_VALUE})|above\s+(?P<above>{_VALUE}))"
    rf"(?:\s*,?\s+median\s+(?P<median>{_VALUE}))?"
    r"(?:\s*,?\s+(?:on\s+)?(?P<on>\S+))?\s*",
    re.IGNORECASE,
)

#: What a belief on a parameter speaks of, where the scale does not say otherwise.
_SUBJECTS = {
    "baseline_mean": "the typical baseline",
    "change_mean": "the typical ratio to baseline",
    "common_change": "the ratio to baseline that the markers share",
    "covariate_slope": "the ratio per unit of the covariate",
    "change_spread": "the SD of the markers' mean log changes",
    "baseline_sd": "the SD of patients' log baselines",
    "change_sd": "the SD of patients' own log changes",
    "visit_sd": "the SD of visits around the mean log change",
    "residual_sd": "the SD of a patient's log value from visit to visit",
    "serial_sd": "the SD of slowly fading log deviations",
    "serial_weeks": "the time over which deviations fade",
    "residual_df": "the number of degrees of freedom of the residual",
}


class BeliefError(ValueError):
    """A belief that cannot be read or cannot be had; the message says what would do.

    Parameters
    ----------
    expected : str
    key : str
        The key of the prior's table that is at fault, such as ``belief`` or ``on``.
    found : str
        What was found there; empty where the whole belief is meant.
    """

    def __init__(self, expected: str, key: str = "belief", found: str = "") -> None:
        super().__init__(expected)
        self.key = key
        self.found = found


@dataclass(frozen=True)
class Quantity:
    """What a belief is about.

    Attributes
    ----------
    parameter : str
        A key of :data:`mnbayes.cards.parameters.PARAMETERS`.
    kind : str
        As there.
    unit : str
        Canonical unit of the marker of a level; empty for the others.
    scale : {"log", "logit"}
        Scale of the marker's models.
    """

    parameter: str
    kind: Kind
    unit: str = ""
    scale: Scale = "log"

    @property
    def scales(self) -> tuple[str, ...]:
        """Scales that a belief may be stated on; the first is the one that is meant unless said."""
        return {
            "level": (self.unit, self.scale),
            "change": ("gmr", "fall", "log"),
            "sd": ("sd", "log"),
            "time": ("weeks",),
            "shape": ("df",),
            "correlation": (),
        }[self.kind]


@dataclass(frozen=True)
class Belief:
    """A belief as it was stated.

    Attributes
    ----------
    share : float
        Probability, between 0 and 1.
    lower, upper : float or None
        In the scale's unit (percent on ``fall``); None on the open side.
    median : float or None
    scale : str
    quantity : Quantity
    """

    share: float
    lower: float | None
    upper: float | None
    median: float | None
    scale: str
    quantity: Quantity

    @property
    def two_sided(self) -> bool:
        """Whether it names a lower and an upper bound."""
        return self.lower is not None and self.upper is not None

    @property
    def text(self) -> str:
        """The belief in the grammar of this module."""
        sign = "%" if self.scale == "fall" else ""
        return f"{100 * self.share:.10g}% {self._where('.10g', sign)} on {self.scale}"

    @property
    def sentence(self) -> str:
        """The belief in words."""
        subject = _SUBJECTS[self.quantity.parameter]
        if self.scale == "fall":
            subject = subject.replace("ratio to baseline", "fall from baseline")
            subject = subject.replace("ratio per", "fall per")
        elif self.scale in ("log", "logit") and self.quantity.kind != "sd":
            subject = f"the {self.scale} of {subject}"
        if self.quantity.scale == "logit":
            subject = subject.replace(" ratio", " odds ratio").replace(" log ", " log odds ")
        unit = f" {self.scale}" if self.scale in (self.quantity.unit, "weeks") else ""
        lies = "lies" if self.two_sided else "is"
        sign = " %" if self.scale == "fall" else ""
        where = self._where(".10g", sign)
        return f"{100 * self.share:.10g} % sure that {subject} {lies} {where}{unit}"

    def _where(self, digits: str, sign: str) -> str:
        def text(value: float | None) -> str:
            return f"{value:{digits}}{sign}"

        if self.two_sided:
            where = f"between {text(self.lower)} and {text(self.upper)}"
        else:
            where = (
                f"above {text(self.lower)}" if self.upper is None else f"below {text(self.upper)}"
            )
        return where if self.median is None else f"{where}, median {text(self.median)}"

    def shown(self, value: float) -> str:
        """A value of the stated scale as text."""
        return f"{value:z.3g}{' %' if self.scale == 'fall' else ''}"

    def own(self, value: float) -> float:
        """A value of the stated scale on the parameter's own scale."""
        if self.scale == "fall":
            return float(np.log1p(-value / 100))
        if self._share:
            return float(np.log(value / (100.0 - value)))
        if self.quantity.kind in ("level", "change") and self.scale not in ("log", "logit"):
            return float(np.log(value))
        return value

    def natural(self, value: float) -> float:
        """A value of the parameter's own scale on the stated one."""
        return float(self.naturals(np.asarray(value, dtype=float)))

    def naturals(self, values: Floats) -> Floats:
        """As :meth:`natural`, of an array."""
        with np.errstate(over="ignore"):
            if self.scale == "fall":
                return -100 * np.expm1(values)
            if self._share:
                return 100.0 / (1.0 + np.exp(-values))
            if self.quantity.kind in ("level", "change") and self.scale not in ("log", "logit"):
                return np.exp(values)
        return values

    @property
    def _share(self) -> bool:
        """Whether it speaks of a percentage that is modelled on the logit scale."""
        about = self.quantity
        return about.kind == "level" and about.scale == "logit" and self.scale == about.unit

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Lower and upper bound on the parameter's own scale; a fall turns them round."""
        low, high = (None if x is None else self.own(x) for x in (self.lower, self.upper))
        return (high, low) if self.scale == "fall" else (low, high)


def _scale(quantity: Quantity, named: str) -> str:
    scales = quantity.scales
    if not scales:
        raise BeliefError(
            "numbers: a belief on correlations cannot be stated; set eta (1: all equally "
            "likely, larger: nearer to 0)"
        )
    if not named:
        return scales[0]
    for scale in scales:
        if named.casefold() == scale.casefold():
            return scale
    expected = f"one of {', '.join(scales)} for {quantity.parameter}"
    raise BeliefError(expected + did_you_mean(named.casefold(), scales), "on", named)


def _number(text: str, scale: str) -> float:
    percent = text.endswith("%")
    if percent != (scale == "fall") and scale != "%":
        raise BeliefError(
            f"a percentage such as {text.strip()}% on the scale fall"
            if not percent
            else f"a plain number on the scale {scale} (percentages are for the scale fall)",
            found=text,
        )
    value = float(text.removesuffix("%"))
    if not np.isfinite(value):
        raise BeliefError("a finite number", found=text)
    return value


def _check_domain(value: float, scale: str, quantity: Quantity, text: str) -> None:
    if scale == "fall":
        if value >= 100:
            raise BeliefError(
                "a fall below 100%: nothing is left of a level after 100%", found=text
            )
    elif quantity.kind in ("level", "change"):
        if scale not in ("log", "logit") and value <= 0:
            what = "a ratio" if quantity.kind == "change" else "a level"
            raise BeliefError(f"{what} above 0", found=text)
        if scale == "%" and value >= 100:
            raise BeliefError("a percentage below 100", found=text)
    elif value < 0:
        raise BeliefError("a number of at least 0", found=text)


def parse_belief(text: str, quantity: Quantity, on: str = "") -> Belief:
    """Read a belief.

    Parameters
    ----------
    text : str
        In the grammar of this module, such as ``"90% between 0.3 and 1.1 on gmr"``.
    quantity : Quantity
        What it is about.
    on : str
        The scale, where the text does not end in one.

    Returns
    -------
    Belief

    Raises
    ------
    BeliefError
        If the text is no belief, or contradicts itself: A not below B, a probability that is not
        between 0 and 100 %, a negative ratio, a fall of 100 % or more, a median outside the range.
    """
    found = _BELIEF.fullmatch(text.replace("−", "-")) if len(text) <= LONGEST else None
    if found is None:
        raise BeliefError(FORM, found=text)
    written = found["on"] or ""
    if written and on and written.casefold() != on.casefold():
        raise BeliefError(f"the scale that the belief itself names, {written}", "on", on)
    scale = _scale(quantity, written or on)
    share = float(found["share"]) / 100
    if not 0 < share < 1:
        raise BeliefError(
            "a probability above 0% and below 100%; nobody is surer than that",
            found=f"{found['share']}%",
        )

    def value(name: str) -> float | None:
        if found[name] is None:
            return None
        number = _number(found[name], scale)
        _check_domain(number, scale, quantity, found[name])
        return number

    lower = value("a") if found["a"] is not None else value("above")
    upper = value("b") if found["b"] is not None else value("below")
    median = value("median")
    if lower is not None and upper is not None:
        if lower >= upper:
            raise BeliefError(
                "the smaller number first: 'between A and B' with A below B", found=text
            )
        if median is not None and not lower < median < upper:
            raise BeliefError(
                f"a median between {lower:g} and {upper:g}", found=f"median {median:g}"
            )
    return Belief(share, lower, upper, median, scale, quantity)
