"""What a calibration found: the ranks of every quantity against their bands, and the verdict."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from mnbayes.analyses.calibration.bands import Check, Integers, check
from mnbayes.analyses.calibration.quantities import Group
from mnbayes.analyses.calibration.ranks import counts
from mnbayes.analyses.calibration.replicates import quantities
from mnbayes.analyses.calibration.sampler import CalibratedEngine
from mnbayes.analyses.calibration.simulate import Setting

#: Probability that a right program passes, all quantities together.
LEVEL = 0.95
#: Largest share of failed fits that passes. Which fits fail depends on the data alone, so that the
#: ranks of the others stay uniform; but a program that often fails is of little use.
MOST_FAILED = 0.01
#: Standard errors from which a shift or a spread of the ranks is put into words.
_NOTABLE = 2.0

COLUMNS = ("quantity", "group", "ranks", "largest", "position", "p_value", "inside", "reading")


@dataclass(frozen=True)
class Calibration:
    """Ranks of a calibration.

    Attributes
    ----------
    model : str
    posterior : bool
        Whether truths came from the posterior given the cohort, or from the prior.
    draws : int
        L; ranks are 0..L.
    level : float
        Of the bands of all quantities together.
    counts : mapping
        Quantity to how often each rank occurred.
    groups : mapping
        Quantity to ``parameter``, ``derived`` or ``data``.
    failures : mapping
        Reason to number of failed replicates.
    engine : {"nuts", "collapsed"}
    structure : str
        Course, residuals and detection limits, in words.
    """

    model: str
    posterior: bool
    draws: int
    level: float
    counts: Mapping[str, Integers]
    groups: Mapping[str, Group]
    failures: Mapping[str, int]
    engine: CalibratedEngine = "collapsed"
    structure: str = ""

    @property
    def ranked(self) -> int:
        """Replicates with ranks."""
        return int(next(iter(self.counts.values())).sum())

    @property
    def failed(self) -> int:
        """Replicates without."""
        return sum(self.failures.values())

    @property
    def replicates(self) -> int:
        """All of them."""
        return self.ranked + self.failed

    @property
    def each_level(self) -> float:
        """Level of one quantity's band, such that `level` holds for all (Bonferroni)."""
        return 1.0 - (1.0 - self.level) / len(self.counts)

    @cached_property
    def checks(self) -> dict[str, Check]:
        """The ECDF of each quantity's ranks against its band; none without ranks."""
        if not self.ranked:
            return {}
        return {name: check(count, self.each_level) for name, count in self.counts.items()}

    @property
    def outside(self) -> tuple[str, ...]:
        """Quantities whose ECDF leaves its band."""
        return tuple(name for name, found in self.checks.items() if not found.inside)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it does not pass; empty where it does."""
        found = [f"{name}: {reading(self.counts[name])}" for name in self.outside]
        # Fewer than 5 of 100 programs with this share of failures would have so many.
        if stats.binom.sf(self.failed - 1, self.replicates, MOST_FAILED) < 0.05:
            found.append(f"{self.failed:,} of {self.replicates:,} fits failed")
        return tuple(found)

    @property
    def passed(self) -> bool:
        """Whether all ECDFs are in their bands, and no more fits failed than 1 % explains."""
        return not self.reasons

    def table(self) -> pd.DataFrame:
        """One row for each quantity, with columns :data:`COLUMNS`.

        ``largest`` is the largest difference of the ECDF from the uniform one and ``position``
        where that is, ``p_value`` that of the quantity alone; ``reading`` says what is wrong with
        the draws, and is blank inside the band.
        """
        rows = []
        for name, found in self.checks.items():
            at = found.farthest
            inside = found.inside
            said = "" if inside else reading(self.counts[name])
            numbers = (float(found.difference[at]), float(found.position[at]), found.p_value)
            rows.append((name, self.groups[name], self.ranked, *numbers, inside, said))
        return pd.DataFrame(rows, columns=list(COLUMNS))


def reading(count: Integers) -> str:
    """What ranks that are not uniform say of the draws.

    Parameters
    ----------
    count : array of int, shape (rank,)
    """
    size, values = int(count.sum()), (np.arange(count.size) + 0.5) / count.size
    shift = (count @ values / size - 0.5) * np.sqrt(12.0 * size)
    # Of a uniform variable the square around the middle has mean 1/12 and variance 1/180.
    spread = (count @ (values - 0.5) ** 2 / size - 1.0 / 12.0) * np.sqrt(180.0 * size)
    if max(abs(shift), abs(spread)) < _NOTABLE:
        return "the draws are distributed otherwise than the truths"
    if abs(shift) >= abs(spread):
        return "the draws lie too low" if shift > 0 else "the draws lie too high"
    return "the draws spread too little" if spread > 0 else "the draws spread too much"


@dataclass(frozen=True)
class Outcome:
    """A finished calibration.

    Attributes
    ----------
    calibration : Calibration
    title : str
        Of the card.
    prior_set : str
    folder : Path
        Where its ledger and files are.
    synthetic : bool
        Whether the cohort, whose pattern or values were used, is synthetic.
    said : tuple of str
        Sentences on what was moved or left for it.
    """

    calibration: Calibration
    title: str
    prior_set: str
    folder: Path
    synthetic: bool
    said: tuple[str, ...] = ()


def calibration_of(setting: Setting, replicates: pd.DataFrame, level: float = LEVEL) -> Calibration:
    """Gather the replicates of a study.

    Parameters
    ----------
    setting : Setting
    replicates : DataFrame
        Of :func:`mnbayes.analyses.calibration.replicates.calibration_study`.
    level : float
    """
    failure = replicates["failure"].dropna()
    reasons = failure.map(lambda text: re.sub(r"-?\b\d[\d.]*", "…", str(text)))
    ranked = replicates[replicates["failure"].isna()]
    groups = quantities(setting)
    return Calibration(
        setting.card.name,
        setting.posterior,
        setting.draws,
        level,
        {name: counts(ranked[name].to_numpy(dtype=np.int64), setting.draws) for name in groups},
        groups,
        {str(reason): int(count) for reason, count in reasons.value_counts().items()},
        setting.engine,
        setting.structure,
    )


def as_plain(calibration: Calibration) -> dict[str, Any]:
    """A calibration as values that JSON takes; :func:`from_plain` reads them."""
    return {
        "model": calibration.model,
        "structure": calibration.structure,
        "engine": calibration.engine,
        "posterior": calibration.posterior,
        "draws": calibration.draws,
        "level": calibration.level,
        "replicates": calibration.replicates,
        "failures": dict(calibration.failures),
        "passed": calibration.passed,
        "reasons": list(calibration.reasons),
        "quantities": [
            {
                "quantity": name,
                "group": calibration.groups[name],
                "p_value": round(float(found.p_value), 6),
                "inside": found.inside,
                "counts": calibration.counts[name].tolist(),
            }
            for name, found in calibration.checks.items()
        ],
    }


def from_plain(stored: Mapping[str, Any]) -> Calibration:
    """Read what :func:`as_plain` wrote."""
    rows = stored["quantities"]
    return Calibration(
        stored["model"],
        stored["posterior"],
        stored["draws"],
        stored["level"],
        {row["quantity"]: np.array(row["counts"], dtype=np.int64) for row in rows},
        {row["quantity"]: row["group"] for row in rows},
        stored["failures"],
        stored["engine"],
        stored["structure"],
    )
