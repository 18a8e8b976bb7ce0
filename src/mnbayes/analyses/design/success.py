"""How likely the next single-arm trial is to end in go: assurance, exactly summed.

Two priors, never one: the *design prior* says what share of patients will respond (the posterior
of this trial, and beside it its prior alone), the *analysis prior* is the one with which the new
trial's counts will be analysed. Assurance is the probability of go averaged over the design
prior: for each value of the share the chance of go is a sum of binomial probabilities, and nothing
is simulated beyond the draws of the fit.

The new trial is analysed in one of two ways (column ``analysis``):

``new``
    By itself: its own counts, with the analysis prior. Its chance of go is the assurance.
``pooled``
    Together with the patients seen so far, as if this trial went on: their counts are added to
    the analysis prior. Averaged over the posterior this is the predictive probability of success
    (Lee and Liu 2008, doi:10.1177/1740774508089279). Patients whose results led to the question
    are counted in its answer, so a false go is likelier; ``go_at_reference`` shows it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import product
from typing import get_args

import numpy as np
import pandas as pd

from mnbayes.analyses.design.beta_binomial import Beta, chances, cutoffs, nodes
from mnbayes.analyses.design.evidence import Counts
from mnbayes.analyses.design.rules import Criteria, Handling, NextTrial, TwoStage
from mnbayes.analyses.design.simon import TwoStageDesign, single_stage, two_stage
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import typed
from mnbayes.base.montecarlo import effective_draws, mcse

NEW, POOLED = "new", "pooled"
#: Shares at which a chance is worked out where there are more draws.
EVEN_POINTS = 513
HANDLINGS: tuple[Handling, ...] = get_args(Handling.__value__)

ASSURANCE_COLUMNS = (
    *("analysis", "patients", "withdrawal", "handling", "confidence", "needed"),
    *("go", "go_mcse", "consider", "consider_mcse", "no_go", "no_go_mcse"),
    *("go_prior", "go_prior_mcse"),
    *("go_at_reference", "go_at_target", "limit", "limit_mcse"),
)
SCALE_COLUMNS = (
    *("design", "stage_one", "stop_at", "patients", "needed", "go_at_reference", "go_at_target"),
    *("expected_at_reference", "expected_at_target"),
    *("go", "go_mcse", "go_prior", "go_prior_mcse"),
)


@dataclass(frozen=True)
class DesignPrior:
    """What is expected of the share of responders in a new trial, among patients who stay.

    Attributes
    ----------
    share : array, shape (chain, draw) or (node,)
        Draws of a fit; or nodes that, with their weights, average polynomials exactly.
    weight : array, shape (node,), or None
        None for draws.
    beta : Beta or None
        The distribution itself, where it is a beta.
    """

    share: Floats
    weight: Floats | None = None
    beta: Beta | None = None

    @classmethod
    def from_beta(cls, beta: Beta, patients: int) -> DesignPrior:
        """A beta distribution, for trials of up to so many patients."""
        return cls(*nodes(beta, patients), beta=beta)

    def average(self, chance: Floats) -> tuple[float, float]:
        """Average of a chance given at each share, and its Monte Carlo standard error."""
        if self.weight is not None:
            return float(self.weight @ chance), 0.0
        if not chance.any():
            return 0.0, 0.0  # impossible, whatever the share
        mean, spread = float(chance.mean()), float(chance.std(ddof=1))
        if spread == 0:
            return mean, float(mcse(chance))
        return mean, spread / float(np.sqrt(self.effective))

    @cached_property
    def effective(self) -> float:
        """Effective draws of the share; a chance, its smooth function, has as many or more.

        Worked out once: a table has hundreds of chances.
        """
        return float(effective_draws(self.share))

    def at_each(self, chances_at: Callable[[Floats], tuple[Floats, ...]]) -> tuple[Floats, ...]:
        """Chances at each share; of many draws by interpolation between even points.

        A chance is a polynomial of the share. For trials of 100 patients the interpolation is off
        by less than 1e-4, a fiftieth of the draws' own error.
        """
        if self.weight is not None or self.share.size <= EVEN_POINTS:
            return chances_at(self.share)
        points = np.linspace(self.share.min(), self.share.max(), EVEN_POINTS)
        return tuple(np.interp(self.share, points, values) for values in chances_at(points))

    def reaches(self, share: float) -> tuple[float, float]:
        """P(share >= some value), with its Monte Carlo standard error."""
        if share > 1:
            return 0.0, 0.0
        if self.beta is not None:
            return float(self.beta.above(share)), 0.0
        reached = (self.share >= share).astype(float)
        return float(reached.mean()), float(mcse(reached))


def assurance_table(
    posterior: DesignPrior,
    prior: DesignPrior,
    criteria: Criteria,
    trial: NextTrial,
    seen: Counts | None = None,
) -> pd.DataFrame:
    """Chances of go, consider and no-go of new trials (``assurance.csv``).

    Parameters
    ----------
    posterior, prior : DesignPrior
        What this trial's data, and its prior alone, say of the share as measured.
    criteria : Criteria
        Of a share; its confidence is replaced by each of the trial's.
    trial : NextTrial
        Numbers of patients, withdrawal rates and confidences: one row for each combination.
    seen : Counts, optional
        Patients seen so far; without them there are no ``pooled`` rows.

    Returns
    -------
    DataFrame
        Columns :data:`ASSURANCE_COLUMNS`. ``needed``: fewest responders for go if nobody
        leaves the denominator (blank where not even all would do). ``consider``, ``no_go``:
        given the data. ``go_prior``: under the prior alone, the new patients by themselves.
        ``go_at_reference`` and ``go_at_target``: if the share among patients who stay were
        exactly the rule's two values. ``limit``: where the chance of go tends with ever more new
        patients, the probability that the share reaches the target (withdrawals taken off where
        they count as no response); few patients may reach more, by luck.
    """
    before: dict[tuple[object, ...], tuple[float, float]] = {}
    limits: dict[float, tuple[float, float]] = {}
    rows = []
    analyses = (NEW,) if seen is None else (NEW, POOLED)
    cases = product(analyses, trial.confidence, trial.withdrawal, HANDLINGS, trial.patients)
    for analysis, confidence, withdrawal, handling, patients in cases:
        rule = replace(criteria, confidence=confidence)
        own = Beta(trial.analysis_prior.a, trial.analysis_prior.b)
        used = own
        if analysis == POOLED and seen is not None:
            of = seen.enrolled if handling == "composite" else seen.evaluable
            used = own.after(seen.responders, of)
        case = (patients, withdrawal, handling, confidence)

        def new_trial(
            share: Floats,
            used: Beta = used,
            rule: Criteria = rule,
            n: int = patients,
            leave: float = withdrawal,
            how: Handling = handling,
        ) -> tuple[Floats, Floats]:
            return chances(share, n, leave, how, used, rule)

        go, either = posterior.at_each(new_trial)
        if case not in before:
            alone, _ = prior.at_each(partial(new_trial, used=own))
            before[case] = prior.average(alone)
        values = np.array([rule.reference, rule.target])
        known, _ = new_trial(values)
        stay = 1 - withdrawal if handling == "composite" else 1.0
        if stay not in limits:
            limits[stay] = posterior.reaches(rule.target / stay)
        needed = int(cutoffs(patients, used, rule).go)
        outcomes = [posterior.average(chance) for chance in (go, either - go, 1 - either)]
        rows.append(
            (analysis, *case[:3], confidence, float(needed) if needed <= patients else np.nan)
            + tuple(number for outcome in outcomes for number in outcome)
            + (*before[case], *map(float, known))
            + limits[stay]
        )
    table = pd.DataFrame(rows, columns=list(ASSURANCE_COLUMNS))
    return typed(table, ("analysis", "handling"), ("patients",))


def scale_table(
    posterior: DesignPrior,
    prior: DesignPrior,
    criteria: Criteria,
    trial: NextTrial,
    asked: TwoStage,
) -> pd.DataFrame:
    """Designs that stand beside the rule for scale (``designs.csv``).

    Simon's optimal and minimax two-stage designs and the exact single-stage test between the
    rule's two values; then the rule itself, at the new trial's main confidence, with as many
    patients as the single-stage test. Nobody withdraws.

    Parameters
    ----------
    posterior, prior, criteria, trial
        As of :func:`assurance_table`.
    asked : TwoStage

    Returns
    -------
    DataFrame
        Columns :data:`SCALE_COLUMNS`; ``stage_one`` and ``stop_at`` are blank with one stage.
        Empty where no design is small enough to be found.
    """
    errors = (criteria.reference, criteria.target, asked.false_go, asked.false_no_go)
    found = two_stage(*errors)
    named: dict[str, TwoStageDesign] = {}
    if found is not None:
        named |= {"Simon two-stage, optimal": found[0], "Simon two-stage, minimax": found[1]}
    single = single_stage(*errors)
    if single is not None:
        named["exact test, one stage"] = single
        rule = replace(criteria, confidence=trial.confidence[0])
        own = Beta(trial.analysis_prior.a, trial.analysis_prior.b)
        least = int(cutoffs(single.n, own, rule).go) - 1
        named["dual criterion, as many patients"] = TwoStageDesign(least, single.n, least, single.n)
    rows = [_scale_row(name, design, posterior, prior, criteria) for name, design in named.items()]
    table = pd.DataFrame(rows, columns=list(SCALE_COLUMNS))
    return typed(table, ("design",), ("patients", "needed"))


def _scale_row(
    name: str,
    design: TwoStageDesign,
    posterior: DesignPrior,
    prior: DesignPrior,
    criteria: Criteria,
) -> Mapping[str, object]:
    values = np.array([criteria.reference, criteria.target])
    at_reference, at_target = design.recommends(values)
    fewer, more = design.expected(values)
    go, error = posterior.average(*posterior.at_each(lambda share: (design.recommends(share),)))
    alone, alone_error = prior.average(*prior.at_each(lambda share: (design.recommends(share),)))
    stages = design.n1 < design.n
    return {
        "design": name,
        "stage_one": float(design.n1) if stages else np.nan,
        "stop_at": float(design.r1) if stages else np.nan,
        "patients": design.n,
        "needed": design.r + 1,
        "go_at_reference": float(at_reference),
        "go_at_target": float(at_target),
        "expected_at_reference": float(fewer),
        "expected_at_target": float(more),
        "go": go,
        "go_mcse": error,
        "go_prior": alone,
        "go_prior_mcse": alone_error,
    }


def main_rows(table: pd.DataFrame, trial: NextTrial, analysis: str = NEW) -> pd.DataFrame:
    """Rows of the table at the trial's own handling and its first confidence."""
    chosen = (
        (table["analysis"] == analysis)
        & (table["handling"] == trial.handling)
        & (table["confidence"] == trial.confidence[0])
    )
    return table[chosen]
