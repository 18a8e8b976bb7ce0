"""What the comparisons share: the data and priors as the peers read them, and how to run R."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.sensitivity.specifications import with_structure
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.overrides import Change, apply_changes
from mnbayes.data.cohort import Cohort
from mnbayes.inference.fit import Fit
from mnbayes.studies.simulated_cohorts import cohort_of

PEERS = Path(__file__).parent
MARKER = "urine_protein_24h"
CORES = 2
#: Patients of the larger cohorts.
LARGER = (80, 800)

#: Parameter of the card -> class, coef and group of brms.
BRMS_NAMES: dict[str, tuple[str, str, str]] = {
    "baseline_mean": ("b", "Intercept", ""),
    "change_mean": ("b", "post", ""),
    "baseline_sd": ("sd", "Intercept", "patient"),
    "change_sd": ("sd", "post", "patient"),
    "visit_sd": ("sd", "post", "week"),
    "residual_sd": ("sigma", "", ""),
    "correlation": ("cor", "", "patient"),
}

#: Prior family of the card -> Stan's. A scale has a lower bound of 0 in brms, which halves it.
_STAN_PRIORS = {
    "Normal": "normal({mu:.10g}, {sigma:.10g})",
    "HalfNormal": "normal(0, {sigma:.10g})",
    "LKJ": "lkj({eta:.10g})",
}

DEBIAN_PACKAGES = ("r-base-core", "r-cran-brms", "r-cran-rstanarm", "r-cran-bh", "libboost-dev")
HOW_TO_GET_R = (
    f"sudo apt-get install {' '.join(DEBIAN_PACKAGES)}; r-cran-bh brings no headers of its own, "
    "so link the system's, or brms does not compile: "
    "d=$(Rscript -e 'cat(system.file(package = \"BH\"))'); "
    'sudo mkdir -p "$d/include" && sudo ln -s /usr/include/boost "$d/include/boost"'
)


def peer_card() -> Card:
    """The proteinuria card as the peers can state it: a constant step, half-normal scales.

    Ours is raced as it stands, with a drift in actual time, which costs it two more unknowns.
    """
    step = with_structure(load_card("proteinuria"), trajectory="step")
    scales = {"visit_sd": 0.2, "residual_sd": 0.3}
    changes = [
        Change(name, "", {"distribution": "HalfNormal", "sigma": sigma}, "the peers' model")
        for name, sigma in scales.items()
    ]
    return apply_changes([step], changes, strict=True)[0]


def peer_data(cohort: Cohort) -> pd.DataFrame:
    """Take the marker's exact values as the peers read them.

    Parameters
    ----------
    cohort : Cohort

    Returns
    -------
    DataFrame
        Columns patient, week and log_y (natural log of g/24h), in the cohort's order.

    Raises
    ------
    ValueError
        If a value is censored: the peers' model has no interval likelihood.
    """
    rows = cohort.measurements[cohort.measurements["marker"] == MARKER]
    if rows["value"].isna().any():
        raise ValueError("the peers' model takes exact values only; the cohort has censored ones")
    log_y = np.log(rows["value"].to_numpy(dtype=float))
    return pd.DataFrame({"patient": rows["patient"], "week": rows["week"], "log_y": log_y})


def larger_cohort(patients: int) -> Cohort:
    """A complete cohort of the proteinuria card's model, for how time grows with patients.

    The parameters are about the posterior means on the embedded cohort, so that the posteriors of
    all sizes differ in what a size makes of them and in nothing else.
    """
    rng = np.random.default_rng(patients)
    weeks = (0.0, 1.0, 2.0, 4.0, 12.0)
    effects = rng.multivariate_normal(np.zeros(2), [[0.593, 0.101], [0.101, 0.114]], patients)
    change = -0.59 + np.array([-0.10, -0.05, 0.02, 0.13]) + effects[:, 1:]
    level = 1.57 + effects[:, :1] + np.column_stack([np.zeros(patients), change])
    log_value = level + 0.27 * rng.standard_normal(level.shape)
    return cohort_of(log_value[:, :, None], (MARKER,), weeks)


def data_hash(cohort: Cohort) -> str:
    """SHA-256 of the rows the peers were fitted to.

    Not the hash of the cohort's files: another marker's rows do not change this model.
    """
    lines = [
        f"{row.patient},{row.week:g},{row.log_y:.10f}"
        for row in peer_data(cohort).itertuples(index=False)
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def prior_numbers(card: Card) -> dict[str, dict[str, Any]]:
    """Family and arguments of each prior in use; its texts do not change a posterior."""
    out: dict[str, dict[str, Any]] = {}
    for parameter in card.parameters:
        (spec,) = card.prior[parameter].values()
        out[parameter] = {"distribution": spec.distribution, **spec.arguments}
    return out


def priors_hash(card: Card) -> str:
    """SHA-256 of :func:`prior_numbers` and of the card's structure."""
    content = {
        "priors": prior_numbers(card),
        # Options at their defaults do not count: an option added later changes no older card.
        "structure": card.structure.model_dump(exclude_defaults=True),
        "markers": card.markers,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def file_hash(path: Path) -> str:
    """SHA-256 of a text file, line ends apart."""
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()


def brms_priors(card: Card) -> list[dict[str, str]]:
    """Write the card's priors as rows for ``set_prior``.

    Raises
    ------
    ValueError
        If the card's model or a prior's family has no counterpart in the R script.
    """
    unknown = [name for name in card.parameters if name not in BRMS_NAMES]
    if unknown or card.markers != (MARKER,):
        raise ValueError(f"the R script has no {', '.join(unknown) or 'such markers'}")
    rows = []
    for parameter, prior in prior_numbers(card).items():
        family = prior.pop("distribution")
        if family not in _STAN_PRIORS:
            raise ValueError(f"no Stan counterpart of the {family} prior of {parameter}")
        kind, coef, group = BRMS_NAMES[parameter]
        text = _STAN_PRIORS[family].format(**prior)
        rows.append({"prior": text, "class": kind, "coef": coef, "group": group})
    return rows


def write_inputs(folder: Path, card: Card, cohort: Cohort) -> tuple[Path, Path]:
    """Write the data and the priors for the R scripts; return the two files."""
    data, priors = folder / "data.csv", folder / "priors.json"
    peer_data(cohort).to_csv(data, index=False)
    priors.write_text(json.dumps(brms_priors(card)), encoding="utf-8")
    return data, priors


def missing_r(packages: Sequence[str]) -> str:
    """Name what of R is not installed; empty if all is there."""
    if shutil.which("Rscript") is None:
        return "R"
    names = ", ".join(f'"{name}"' for name in packages)
    code = f'p <- c({names}); cat(p[!vapply(p, requireNamespace, NA, quietly = TRUE)], sep = ", ")'
    answer = subprocess.run(
        ["Rscript", "-e", code], check=True, capture_output=True, encoding="utf-8"
    )
    return answer.stdout.strip()


def run_brms(
    folder: Path,
    card: Card,
    cohort: Cohort,
    *,
    refits: int,
    draws: int = 1000,
    adapt_delta: float = 0.9,
    changed: Card | None = None,
) -> dict[str, Any]:
    """Run ``brms_proteinuria.R`` and return what it wrote.

    Parameters
    ----------
    folder : Path
        For its files.
    refits : int
        Times to measure a refit without compiling.
    draws : int
        Per chain, 4 chains.
    changed : Card, optional
        A card with other prior numbers; one refit with them (brms compiles) is measured too.

    Raises
    ------
    subprocess.CalledProcessError
        If R fails; its messages go to the terminal.
    """
    data, priors = write_inputs(folder, card, cohort)
    out = folder / "brms.json"
    command: list[str | Path] = ["Rscript", PEERS / "brms_proteinuria.R", data, priors, out]
    command += [str(refits), str(CORES), str(draws), str(adapt_delta)]
    if changed is not None:
        other = folder / "changed.json"
        other.write_text(json.dumps(brms_priors(changed)), encoding="utf-8")
        command.append(other)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    answer: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return answer


def estimates(fit: Fit) -> dict[str, dict[str, float]]:
    """Mean, SD and their Monte Carlo errors of each top-level parameter of a one-marker fit.

    The correlation is the one between a patient's baseline and change.
    """
    from arviz_stats.base.array import array_stats

    posterior = fit.tree["posterior"].to_dataset().transpose("chain", "draw", ...)
    out = {}
    for name in fit.required_card.parameters:
        draws = posterior[name].to_numpy().reshape(*posterior[name].shape[:2], -1)[..., 0]
        function: Any = array_stats.mcse
        errors = {
            f"mcse_{what}": float(function(draws, chain_axis=0, draw_axis=1, method=what))
            for what in ("mean", "sd")
        }
        out[name] = {"mean": float(draws.mean()), "sd": float(draws.std(ddof=1)), **errors}
    return out
