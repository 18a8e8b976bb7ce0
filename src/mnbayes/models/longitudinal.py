"""The longitudinal model of log marker levels, stated in plain PyMC.

    measurement ~ Normal(level, residual_sd)     or StudentT(residual_df, level, residual_sd)
    level = patient_baseline
            + 1(visit > 0) (visit_change + patient_change + covariate covariate_slope)
            + drift
    (patient_baseline - baseline_mean, patient_change)
          ~ MvNormal(0, diag(sd) C diag(sd)),  sd = (baseline_sd, change_sd),  C ~ LKJ
    visit_change ~ Normal(change_mean, visit_sd)
    change_mean  ~ its prior, or Normal(common_change, change_spread)
    drift ~ a patient's own Ornstein-Uhlenbeck process in actual time,
            of SD serial_sd and correlation exp(-|weeks apart| / serial_weeks)

All levels are natural logarithms; what a card does not switch on is not there
(:func:`formulas`). Of a censored
value the likelihood is the probability of its interval.

This is the statement that documentation, report and tests refer to. It can be drawn as a graph,
sampled, conditioned and changed by anyone who knows PyMC. What samples by default has the
patients' effects integrated out (:mod:`mnbayes.models.density`); a test holds it to this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mnbayes.base.arrays import Floats
from mnbayes.base.problems import gathered
from mnbayes.cards.card import Card, Structure, as_card
from mnbayes.data.cohort import Cohort, as_cohort
from mnbayes.data.observations import Observations, observations
from mnbayes.models.correlation import correlation_factor, free_partials
from mnbayes.models.roles import SCALAR, correlation_alpha

if TYPE_CHECKING:
    import pymc as pm


def model(card: Card | str | Path, cohort: Cohort | str | Path) -> pm.Model:
    """State a card's model of a cohort in PyMC.

    Parameters
    ----------
    card : Card, str or Path
        A name or path as :func:`mnbayes.load_card` takes it.
    cohort : Cohort, str or Path
        A folder as :func:`mnbayes.load_cohort` takes it.

    Returns
    -------
    pymc.Model
        Dims ``patient, visit, later_visit, marker, effect, observation``; the names of variables
        are those of a fit's tree. Observed is ``measurement`` (observation), on the log scale
        (percentages: logit), in patient, visit, marker order.

    Raises
    ------
    InputError
        If the cohort lacks what the card needs.

    Examples
    --------
    >>> with mn.model("proteinuria", mn.embedded_cohort()):
    ...     tree = pm.sample(nuts_sampler="nutpie")
    """
    with gathered() as read:
        cohort = read(as_cohort, cohort)
        card = read(as_card, card, cohort.catalogue if isinstance(cohort, Cohort) else None)
    data = observations(card, cohort)
    return statement(card.among(cohort.catalogue).scheduled(data.weeks[-1]), data)


def formulas(structure: Structure) -> tuple[str, ...]:
    """The statement of a structure in formulas, by the names that its variables have."""
    heavy, drifts = structure.residual == "student_t", structure.drift
    course = "visit_change + patient_change"
    course += " + covariate covariate_slope" if structure.covariate else ""
    effects = {
        "all": "(patient_baseline - baseline_mean, patient_change) ~ "
        "MvNormal(0, diag(sd) C diag(sd)),\n    sd = (baseline_sd, change_sd), C ~ LKJ",
        "changes": "patient_baseline ~ Normal(baseline_mean, baseline_sd)\npatient_change ~ "
        "MvNormal(0, diag(change_sd) C diag(change_sd)), C ~ LKJ",
        "within": "of each marker (patient_baseline - baseline_mean, patient_change) ~\n    "
        "MvNormal(0, diag(sd) C diag(sd)), sd = (baseline_sd, change_sd), C ~ LKJ",
    }
    return (
        f"measurement ~ {'StudentT(residual_df, ' if heavy else 'Normal('}level, residual_sd)",
        f"level = patient_baseline + 1(visit > 0) ({course}){' + drift' if drifts else ''}",
        effects[structure.correlation],
        "visit_change ~ Normal(change_mean, visit_sd)",
        *(["change_mean ~ Normal(common_change, change_spread)"] if structure.shrink else []),
        *(
            [
                "drift ~ Ornstein-Uhlenbeck of SD serial_sd, correlation "
                "exp(-|weeks apart| / serial_weeks)"
            ]
            if drifts
            else []
        ),
    )


def statement(card: Card, data: Observations) -> pm.Model:
    """State a card's model of observations; see :func:`model`."""
    import pymc as pm
    import pytensor.tensor as pt

    structure, n_marker = card.structure, len(data.markers)
    with pm.Model(coords=_coords(data)) as stated:
        # The population. An SD's prior is a card's; so is a mean's.
        baseline_mean = _prior(card, "baseline_mean")
        if structure.shrink:
            common, spread = _prior(card, "common_change"), _prior(card, "change_spread")
            change_mean = pm.Normal("change_mean", common, spread, dims="marker")
        else:
            change_mean = _prior(card, "change_mean")
        visit_offset = pm.Normal("visit_offset", dims=("later_visit", "marker"))
        visit_change = pm.Deterministic(
            "visit_change",
            change_mean + _prior(card, "visit_sd") * visit_offset,
            dims=("later_visit", "marker"),
        )

        # The patients: baselines of every marker, then changes given them. Baselines are well
        # measured, so they are sampled as they are; changes are not, so they are sampled in SDs.
        factor = correlation_factor(_partials(card, n_marker), 2 * n_marker)
        baseline_factor = _prior(card, "baseline_sd")[:, None] * factor[:n_marker, :n_marker]
        baseline = pm.MvNormal(
            "patient_baseline", baseline_mean, chol=baseline_factor, dims=("patient", "marker")
        )
        above_mean = pt.linalg.solve_triangular(
            baseline_factor, (baseline - baseline_mean).T, lower=True
        ).T
        own = pm.Normal("patient_offset", dims=("patient", "marker"))
        in_sds = above_mean @ factor[n_marker:, :n_marker].T + own @ factor[n_marker:, n_marker:].T
        change = pm.Deterministic(
            "patient_change", _prior(card, "change_sd") * in_sds, dims=("patient", "marker")
        )

        # Their true levels.
        course = visit_change + change[:, None]
        if structure.covariate:
            covariate = pm.Data("covariate", data.covariate, dims="patient")
            course = course + covariate[:, None, None] * _prior(card, "covariate_slope")
        level = baseline[:, None] + pt.concatenate([pt.zeros_like(course[:, :1]), course], axis=1)
        if structure.drift:
            level = level + _drift(card, data)
        level = pm.Deterministic("level", level, dims=("patient", "visit", "marker"))

        # What was measured.
        cells = np.nonzero(data.observed)
        patient, visit, marker = (
            pm.Data(f"{name}_of", place, dims="observation")
            for name, place in zip(("patient", "visit", "marker"), cells, strict=True)
        )
        residual_sd = _prior(card, "residual_sd")
        _measurement(card, data, level[patient, visit, marker], residual_sd[marker])
    return stated


def _coords(data: Observations) -> dict[str, list[Any]]:
    axes = data.patients, data.weeks, data.markers
    cells = zip(*np.nonzero(data.observed), strict=True)
    named = [[axis[place] for axis, place in zip(axes, cell, strict=True)] for cell in cells]
    return {
        "patient": list(data.patients),
        "visit": list(data.weeks),
        "later_visit": list(data.weeks[1:]),
        "marker": list(data.markers),
        "observation": [f"{patient}, week {week:g}, {marker}" for patient, week, marker in named],
    }


def _prior(card: Card, name: str) -> Any:
    """A parameter under its prior of the card, for each marker or for the model."""
    import pymc as pm

    family, arguments = getattr(pm, card.family(name)), card.argument_values(name)
    if name in SCALAR:
        return family(name, **{argument: values[0] for argument, values in arguments.items()})
    return family(name, **arguments, dims="marker")


def _partials(card: Card, n_marker: int) -> Any:
    """Canonical partial correlations of the patient effects, row by row; 0 where held at 0."""
    import pymc as pm
    import pytensor.tensor as pt

    alpha = correlation_alpha(card)
    unit = pm.Beta("correlation_unit", alpha, alpha)
    none = pt.zeros(n_marker * (2 * n_marker - 1))
    free = free_partials(card.structure.correlation, n_marker)
    return pt.set_subtensor(none[free], 2.0 * unit - 1.0)


def _drift(card: Card, data: Observations) -> Any:
    """Deviations of each patient that fade in time: the correlation's factor times noise."""
    import pymc as pm
    import pytensor.tensor as pt

    times = data.times
    if (times == times[0]).all():
        times = times[:1]  # one factor does for all patients
    apart, since = np.abs(times[:, :, None] - times[:, None]), np.diff(times)
    fades = _prior(card, "serial_weeks")
    # What is new at a visit, in SDs, and what is left of it at the later ones: in closed form,
    # the Cholesky factor of exp(-apart / fades).
    new = pt.concatenate([np.ones_like(times[:, :1]), pt.sqrt(-pt.expm1(-2 * since / fades))], 1)
    factor = np.tri(times.shape[1]) * pt.exp(-apart / fades) * new[:, None]
    noise = pm.Normal("drift_offset", dims=("patient", "marker", "visit"))
    drift = _prior(card, "serial_sd") * (factor @ noise.transpose(0, 2, 1))
    return pm.Deterministic("drift", drift, dims=("patient", "visit", "marker"))


def _measurement(card: Card, data: Observations, level: Any, sd: Any) -> Any:
    """The observed variable; where values are censored, with the probability of their interval."""
    import pymc as pm

    heavy = card.structure.residual == "student_t"
    of_residual = {"nu": _prior(card, "residual_df")} if heavy else {}
    family = pm.StudentT if heavy else pm.Normal
    value = data.recorded[data.observed]
    if not data.censored.any():
        return family(
            "measurement", mu=level, sigma=sd, **of_residual, observed=value, dims="observation"
        )
    low, high = data.log_lower[data.observed], data.log_upper[data.observed]
    return pm.CustomDist(
        "measurement",
        level,
        sd,
        *of_residual.values(),
        logp=lambda value, level, sd, *df: _interval_logp(family, value, level, sd, df, low, high),
        random=_repeat,
        observed=value,
        dims="observation",
        signature=f"(),(){',()' * heavy}->()",
    )


def _interval_logp(
    family: Any, value: Any, level: Any, sd: Any, df: Any, low: Floats, high: Floats
) -> Any:
    """Log density of exact values, log probability of the intervals of the others."""
    import pymc as pm
    import pytensor.tensor as pt

    named = {"nu": df[0]} if df else {}
    noise = family.dist(mu=0.0, sigma=1.0, **named)
    # An end that is not there must be a number all the same: its branch has a gradient.
    a, b = ((np.where(np.isfinite(end), end, 0.0) - level) / sd for end in (low, high))
    upper = a > 0.0  # from the nearer tail, where the digits are
    inside = pm.logcdf(noise, pt.switch(upper, -a, b))
    outside = pm.logcdf(noise, pt.switch(upper, -b, a))
    between = inside + pt.log1mexp(pt.minimum(outside - inside, -1e-300))
    return pt.switch(
        np.isnan(low),
        pm.logp(family.dist(mu=level, sigma=sd, **named), value),
        pt.switch(
            np.isinf(low),
            pm.logcdf(noise, b),
            pt.switch(np.isinf(high), pm.logcdf(noise, -a), between),
        ),
    )


def _repeat(
    level: Any, sd: Any, *df: Any, rng: np.random.Generator | None = None, size: Any = None
) -> Any:
    """Another measurement at the same true level, not censored."""
    rng = rng or np.random.default_rng()
    noise = rng.standard_t(df[0], size) if df else rng.standard_normal(size)
    return level + sd * noise
