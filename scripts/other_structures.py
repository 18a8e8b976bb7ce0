"""What other structures of the model would do: the cohorts of ``trajectory.py``, integrated anew.

Run ``python scripts/other_structures.py`` after ``scripts/trajectory.py``; it takes some ten
minutes on two cores. Of the program's density and engines nothing is used: a cohort's posterior is
integrated here by importance sampling, so that the row of the shipped structure checks the
program's, and a structure that the program does not have costs a few lines. The result is
``tests/reference/other_structures.json``, and a table in ``docs/trajectory.md``.

Given the SDs all is normal. A patient's log levels at the visits are ``m + d``: the mean over
patients is ``m ~ Normal(., M)``, what is the patient's own ``d ~ Normal(0, S)``; each measurement
adds ``residual_sd``. A structure is what M and S are, and the priors of what they are made of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import trajectory
from page_blocks import with_block
from scipy.special import betaincinv, ndtr

from mnbayes.analyses.characteristics.parts import WEEKS
from mnbayes.analyses.characteristics.patients import patient_columns, patients_told
from mnbayes.analyses.characteristics.replicate import QUANTILES
from mnbayes.analyses.characteristics.scenarios import find_scenario
from mnbayes.base.arrays import Floats
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.cards.families import quantile
from mnbayes.models.roles import correlation_alpha
from mnbayes.studies.fingerprint import fingerprint
from mnbayes.studies.study import Cell, Study

REFERENCE = Path(__file__).parents[1] / "tests" / "reference" / "other_structures.json"
#: Draws of a round of importance sampling, rounds, equally weighted draws that are kept of the
#: last one, and the proposal's degrees of freedom.
DRAWS, ROUNDS, KEPT, TAILS = 2000, 4, 500, 8
COLUMNS: Mapping[str, type] = {
    **dict.fromkeys(("log_lower", "log_median", "log_upper", "effective_draws"), float),
    "evaluable": int,
    **patient_columns(("effective",)),
}

WEEK = np.array(WEEKS, dtype=float)
#: Where an SD is as good as 0 a matrix has no inverse: what it gets, of log levels.
ROUNDING = 1e-8 * np.eye(len(WEEK))
LATER, ALWAYS = (WEEK > 0).astype(float), np.ones_like(WEEK)
APART = np.abs(WEEK[:, None] - WEEK)
#: A course that is even in log time: 0 at baseline, 1 at the last visit.
LINE = np.log1p(WEEK) / np.log1p(WEEK[-1])
#: The same around its average after baseline, so that a mean change stays what its prior says.
TILT = (LINE - LINE[1:].mean()) * LATER

#: Draws of parameters by name, each of shape (draw, 1, 1); a matrix of the visits for each draw.
type Drawn = Mapping[str, Floats]
type Matrices = Callable[[Drawn], Floats]
PARTS = ("baseline", "change")


@cache
def protein_card() -> Card:
    """The card whose priors these are."""
    return load_card("proteinuria")


@cache
def definitions() -> Definitions:
    """Of response, read once."""
    return load_definitions()


def free_visits(drawn: Drawn) -> Floats:
    """The shipped mean: a baseline, a change, and each visit's deviation from it."""
    card = protein_card()
    baseline, change = (card.argument_values(f"{name}_mean")["sigma"] for name in PARTS)
    fixed = baseline**2 * np.outer(ALWAYS, ALWAYS) + change**2 * np.outer(LATER, LATER)
    return np.asarray(fixed + drawn["visit_sd"] ** 2 * np.diag(LATER))


def tilted(drawn: Drawn) -> Floats:
    """The same, and a line in log time: from baseline to the last visit Normal(0, 0.5)."""
    return free_visits(drawn) + 0.5**2 * np.outer(TILT, TILT)


def walk(drawn: Drawn) -> Floats:
    """Visits deviate by a random walk in log time, in the place of each by itself."""
    steps = np.minimum(LINE[:, None], LINE) - np.diag(LATER)
    return np.asarray(free_visits(drawn) + drawn["visit_sd"] ** 2 * steps)


def step(drawn: Drawn) -> Floats:
    """A baseline and a constant change of a patient's own."""
    baseline, change = (drawn[f"{name}_sd"] for name in PARTS)
    both = np.outer(ALWAYS, LATER) + np.outer(LATER, ALWAYS)
    apart = baseline**2 * np.outer(ALWAYS, ALWAYS) + change**2 * np.outer(LATER, LATER)
    return np.asarray(apart + drawn["correlation"] * baseline * change * both)


def drift(drawn: Drawn) -> Floats:
    """The shipped course of a patient: a step, and deviations that fade."""
    fading = np.exp(-APART / drawn["serial_weeks"])
    return np.asarray(step(drawn) + drawn["serial_sd"] ** 2 * fading)


def drift_from_0(drawn: Drawn) -> Floats:
    """The same, but deviations begin at baseline, with 0."""
    left = np.exp(-(WEEK[:, None] + WEEK) / drawn["serial_weeks"])
    return np.asarray(drift(drawn) - drawn["serial_sd"] ** 2 * left)


def with_line(drawn: Drawn) -> Floats:
    """A drift, and a line in log time of the patient's own."""
    return np.asarray(drift(drawn) + drawn["line_sd"] ** 2 * np.outer(LINE, LINE))


@dataclass(frozen=True)
class Structure:
    """Matrices M and S, and half-normal priors in the place of the card's or besides, by scale."""

    mean: Matrices = free_visits
    own: Matrices = drift
    scales: Mapping[str, float] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """Parameters that are sampled: the card's SDs and weeks, those besides, a correlation."""
        card = ("baseline_sd", "change_sd", "visit_sd", "residual_sd", "serial_sd", "serial_weeks")
        return [*dict.fromkeys((*card, *self.scales)), "correlation"]

    def parameters(self, scores: Floats) -> dict[str, Floats]:
        """Parameters at normal scores, shape (draw, parameter): quantiles of their priors."""
        card, found = protein_card(), {}
        for name, probability in zip(self.names, ndtr(scores).T, strict=True):
            if name == "correlation":  # LKJ of two is a Beta on (-1, 1)
                alpha = correlation_alpha(card)
                values = 2 * betaincinv(alpha, alpha, probability) - 1
            elif name in self.scales:
                values = quantile("HalfNormal", {"sigma": self.scales[name]}, probability)
            else:
                values = quantile(card.family(name), card.argument_values(name), probability)
            found[name] = np.asarray(values)[:, None, None]
        return found


SHIPPED, STEP = "as shipped", "a step"
#: By what the page calls them.
STRUCTURES: Mapping[str, Structure] = {
    STEP: Structure(own=step),
    SHIPPED: Structure(),
    "drift from 0 at baseline": Structure(own=drift_from_0),
    "mean tilted in log time": Structure(tilted, drift, {"visit_sd": 0.2}),
    "and own lines, HalfNormal(0.15)": Structure(
        tilted, with_line, {"visit_sd": 0.2, "line_sd": 0.15}
    ),
    "and own lines, HalfNormal(0.25)": Structure(
        tilted, with_line, {"visit_sd": 0.2, "line_sd": 0.25}
    ),
    "mean a walk, own lines HalfNormal(0.4)": Structure(
        walk, with_line, {"visit_sd": 1.0, "line_sd": 0.4}
    ),
}


@dataclass(frozen=True)
class Given:
    """A cohort's posterior given each draw of the parameters, effects integrated out.

    Attributes
    ----------
    log_likelihood : array, shape (draw,)
        Up to a constant.
    mean, covariance : array, shape (draw, visit), (draw, visit, visit)
        Of m, the mean over patients.
    own : array, shape (draw, visit, visit)
        S.
    weights : list of array, shape (draw, visit, visit)
        Of each patient: the inverse covariance of the measurements, 0 where there is none. Those
        who were measured at the same visits share it.
    """

    log_likelihood: Floats
    mean: Floats
    covariance: Floats
    own: Floats
    weights: list[Floats]


def given(structure: Structure, drawn: Drawn, above: Floats) -> Given:
    """Integrate effects out.

    Parameters
    ----------
    above : array, shape (patient, visit)
        Log values less the prior mean of a baseline (that of a change is 0); NaN: not measured.
    """
    own, prior = structure.own(drawn), structure.mean(drawn) + ROUNDING
    precision, pull = np.linalg.inv(prior), np.zeros(own.shape[:2])
    total = -0.5 * np.linalg.slogdet(prior)[1]
    by_visits: dict[bytes, tuple[Floats, Floats]] = {}
    weights = []
    for seen, values in zip(np.isfinite(above), np.nan_to_num(above), strict=True):
        if seen.tobytes() not in by_visits:
            at = np.flatnonzero(seen)
            spread = own[:, at[:, None], at] + drawn["residual_sd"] ** 2 * np.eye(at.size)
            weight = np.zeros_like(own)
            weight[:, at[:, None], at] = np.linalg.inv(spread)
            by_visits[seen.tobytes()] = weight, np.linalg.slogdet(spread)[1]
        weight, log_determinant = by_visits[seen.tobytes()]
        weighted = weight @ values
        total = total - 0.5 * (log_determinant + weighted @ values)
        precision, pull = precision + weight, pull + weighted
        weights.append(weight)
    covariance = np.linalg.inv(precision)
    mean = np.einsum("dts,ds->dt", covariance, pull)
    total = total + 0.5 * (np.linalg.slogdet(covariance)[1] + np.sum(pull * mean, axis=1))
    return Given(total, mean, covariance, own, weights)


def posterior(
    structure: Structure, measured: Floats, rng: np.random.Generator
) -> tuple[Floats, Floats, float]:
    """Draws of a cohort's posterior by adaptive importance sampling.

    Parameters
    ----------
    structure : Structure
    measured : array, shape (patient, visit)
        Log values; NaN where there is none.
    rng : Generator

    Returns
    -------
    mean : array, shape (draw, visit)
        Log levels of the mean over patients.
    level : array, shape (draw, patient, visit)
        True log levels of the patients.
    effective : float
        Draws that the weights are worth.
    """
    (centre,) = protein_card().argument_values("baseline_mean")["mu"]
    size = len(structure.names)
    middle, spread = np.zeros(size), np.eye(size)
    for _ in range(ROUNDS):
        heavy = np.sqrt(TAILS / rng.chisquare(TAILS, (DRAWS, 1)))
        steps = heavy * rng.standard_normal((DRAWS, size))
        scores = np.clip(middle + steps @ np.linalg.cholesky(spread).T, -6, 6)
        found = given(structure, structure.parameters(scores), measured - centre)
        proposal = -0.5 * (TAILS + size) * np.log1p(np.sum(steps**2, axis=1) / TAILS)
        ratio = found.log_likelihood - 0.5 * np.sum(scores**2, axis=1) - proposal
        weight = np.exp(ratio - ratio.max())
        # Truncated as in Ionides (2008), J. Comput. Graph. Stat. 17:295.
        weight = np.minimum(weight, weight.mean() * np.sqrt(DRAWS))
        weight /= weight.sum()
        middle = weight @ scores
        off = scores - middle
        spread = 1.2 * (off * weight[:, None]).T @ off + 0.01 * np.eye(size)
    places = (rng.uniform() + np.arange(KEPT)) / KEPT
    kept = np.searchsorted(np.cumsum(weight), places).clip(0, DRAWS - 1)
    own, noise = found.own[kept], rng.standard_normal((1 + len(measured), KEPT, len(WEEK), 1))
    mean = centre + found.mean[kept]
    mean = mean + (np.linalg.cholesky(found.covariance[kept] + ROUNDING) @ noise[0])[..., 0]
    level = np.empty((KEPT, *measured.shape))
    for patient, (weights, values) in enumerate(zip(found.weights, measured, strict=True)):
        gain = own @ weights[kept]
        root = np.linalg.cholesky(own - gain @ own + ROUNDING)
        above = np.nan_to_num(values - mean)[..., None]
        level[:, patient] = mean + (gain @ above + root @ noise[1 + patient])[..., 0]
    return mean, level, float(1 / np.sum(weight**2))


def replicate(
    stream: np.random.SeedSequence, parameters: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """Simulate the cohort that the program's study has, and say what a structure says of it."""
    data, fit = (np.random.default_rng(child) for child in stream.spawn(2))
    cohort = find_scenario(parameters["scenario"]).simulate(parameters["patients"], data)
    measured = cohort.measured[..., 0]
    mean, level, effective = posterior(STRUCTURES[name], measured, fit)
    ends = np.quantile(mean[:, -1] - mean[:, 0], QUANTILES)
    said = patients_told(level[..., None], cohort, protein_card(), definitions())
    return {
        **dict(zip(("log_lower", "log_median", "log_upper"), map(float, ends), strict=True)),
        "effective_draws": effective,
        "evaluable": int(np.isfinite(measured[:, -1]).sum()),
        **said,
    }


def study_of(name: str, replicates: int) -> Study:
    """The study of one structure: of the cohorts of :func:`trajectory.study_of`."""
    cells = tuple(
        Cell({"scenario": scenario, "patients": trajectory.PATIENTS}, replicates)
        for scenario in trajectory.SCENARIOS
    )
    depends = {"card": fingerprint([protein_card()]), "structure": name}
    function = partial(replicate, name=name)
    return Study("other structures", function, COLUMNS, cells, trajectory.SEED, depends)


def filled(page: str, stored: dict[str, Any]) -> str:
    """The page with its table as stored."""
    table = trajectory.table_of(stored, tuple(STRUCTURES), trajectory.SHOWN)
    return with_block(page, "structures", table)


def main() -> int:
    """Run every study, store them, fill the page."""
    out, count = trajectory.asked(__doc__, REFERENCE)
    how = "python scripts/other_structures.py"
    trajectory.write(trajectory.stored_by(how, tuple(STRUCTURES), study_of, count), out, filled)
    return 0


if __name__ == "__main__":
    # Processes of the study load its functions from a module that has a name.
    from other_structures import main as named

    raise SystemExit(named())
