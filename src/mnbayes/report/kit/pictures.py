"""Pictures as data URIs, with a title, a place in the report and a text for those who hear it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from mnbayes.data.markers import MARKERS

RESULTS, CHECKS, REGRESSION, COMPUTATION = "results", "checks", "regression", "computation"
INFLUENCE = "influence"
SENSITIVITY = "sensitivity"
WITHDRAWAL = "withdrawal"
SUBSETS, CORRELATIONS = "subsets", "correlations"

#: Start of a picture's key: section, title, and what it shows for a reader who cannot see it.
#: The numbers behind each are in a table of the same section.
KNOWN: dict[str, tuple[str, str, str]] = {
    "gmr_by_visit": (
        RESULTS,
        "Ratio to baseline by visit",
        "Geometric mean ratio to baseline with 95 % interval at each visit, data beside prior "
        "alone; the numbers are in the table of change by visit",
    ),
    "trajectories": (
        RESULTS,
        "Course of each patient",
        "One panel for each patient: measured values over weeks, with the band of the true level",
    ),
    "waterfall": (
        RESULTS,
        "Change of each patient at the last visit",
        "One bar for each patient, ordered by change from baseline; predicted visits are marked",
    ),
    "response_probabilities": (
        RESULTS,
        "Probability of response of each patient",
        "Probabilities by patient and category; the numbers are in the tables of response",
    ),
    "prior_posterior": (
        RESULTS,
        "Prior against posterior",
        "Density of each parameter before and after the data",
    ),
    "predictive_check": (
        CHECKS,
        "Measurements against replicated measurements",
        "Measured values of each patient over the 95 % predictive interval; the counts are in "
        "the table above",
    ),
    "subset_forest": (
        SUBSETS,
        "Lymphocyte subsets by visit",
        "Ratio to baseline of each lymphocyte subset at each visit with 95 % interval, each subset "
        "by itself beside all together; the numbers are in the table below",
    ),
    "subset_ranks": (
        SUBSETS,
        "Ranks of the lymphocyte subsets",
        "Probability of each rank of each subset's change, and of its rise, at the last visit; "
        "the probabilities of the first rank are in the table below",
    ),
    "correlations": (
        CORRELATIONS,
        "Correlations between changes",
        "One row for each pair of markers: prior and posterior density of the correlation between "
        "the patients' changes; the numbers are in the table below",
    ),
    "influence": (
        INFLUENCE,
        "Main answers without each patient",
        "One panel for each answer, one row for each patient left out: the answer of the refit "
        "against that of all patients; the numbers are in the table below",
    ),
    "power_scaling": (
        SENSITIVITY,
        "Main answers if the priors counted half or twice",
        "Ratios to baseline, probabilities and shares: given the data, with the priors counting "
        "half and twice, and under the prior alone; the numbers are in the table below",
    ),
    "withdrawal_strategies": (
        WITHDRAWAL,
        "The enrolled patients under each withdrawal strategy",
        "Share of the enrolled in each category and their ratio to baseline, one row for each "
        "strategy, data beside prior alone; the numbers are in the tables below",
    ),
    "tipping_curve": (
        WITHDRAWAL,
        "Tipping point",
        "Probability that the share exceeds its benchmark, and the ratio to baseline, over how "
        "much worse the unseen are than predicted; where each conclusion flips is in the list "
        "above",
    ),
    "regression_bound": (
        REGRESSION,
        "Regression to the mean against the estimated fall",
        "Heat map of the fall that regression to the mean alone would show, over the reliability "
        "of one measurement and the population mean, with a line where it equals the estimated "
        "fall; the numbers are in the table below",
    ),
    "ranks": (
        COMPUTATION,
        "Ranks of the draws by chain",
        "Rank plots of the sampled quantities; even ranks mean that the chains agree",
    ),
}


@dataclass(frozen=True)
class Picture:
    """One embedded picture."""

    section: str
    title: str
    alt: str
    uri: str


def _place(key: str) -> tuple[str, str, str]:
    # A key is a known one, or a known one followed by a marker's name.
    for start, (section, title, alt) in KNOWN.items():
        rest = key.removeprefix(start).strip("_")
        if key == start:
            return section, title, alt
        if key.startswith(f"{start}_") and rest in MARKERS:
            label = MARKERS[rest].label
            return section, f"{title}: {label}", f"{alt}. Marker: {label}"
    title = key.replace("_", " ").capitalize()
    return RESULTS, title, title


def data_uri(svg: bytes) -> str:
    """An SVG picture as a source for ``<img>``, where its ids and styles are its own."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"


def embed(pictures: Mapping[str, bytes], model: str) -> tuple[Picture, ...]:
    """Embed a model's pictures, in the order they were given."""
    found = []
    for key, content in pictures.items():
        section, title, alt = _place(key)
        found.append(Picture(section, title, f"{alt}. Model: {model}.", data_uri(content)))
    return tuple(found)
