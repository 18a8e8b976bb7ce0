"""The catalogue of analyses: adding one is its folder and one line here.

The order is that of the report, and sections are made in it. Page 1 comes last, since the others
give their sentences to it.
"""

from __future__ import annotations

from mnbayes.analyses.calibration import section as calibration
from mnbayes.analyses.characteristics import section as characteristics
from mnbayes.analyses.checks import section as checks
from mnbayes.analyses.comparison import section as comparison
from mnbayes.analyses.correlations import section as correlations
from mnbayes.analyses.design import section as design
from mnbayes.analyses.historical import section as historical
from mnbayes.analyses.influence import section as influence
from mnbayes.analyses.lymphocytes import section as lymphocytes
from mnbayes.analyses.method import section as method
from mnbayes.analyses.participants import section as participants
from mnbayes.analyses.priors import section as priors
from mnbayes.analyses.provenance import section as provenance
from mnbayes.analyses.published import section as published
from mnbayes.analyses.regression import section as regression
from mnbayes.analyses.results import section as results
from mnbayes.analyses.safety import section as safety
from mnbayes.analyses.sensitivity import other_priors, structures
from mnbayes.analyses.sensitivity import section as sensitivity
from mnbayes.analyses.summary import section as summary
from mnbayes.analyses.withdrawal import section as withdrawal
from mnbayes.run.analysis import Analysis

_CATALOGUE: list[Analysis] = [
    method.ESTIMAND,
    participants.ANALYSIS,
    method.MODEL,
    priors.ANALYSIS,
    method.COMPUTATION,
    results.ANALYSIS,
    lymphocytes.ANALYSIS,
    correlations.ANALYSIS,
    checks.ANALYSIS,
    calibration.ANALYSIS,
    influence.ANALYSIS,
    withdrawal.ANALYSIS,
    regression.ANALYSIS,
    other_priors.ANALYSIS,
    sensitivity.ANALYSIS,
    structures.ANALYSIS,
    design.ANALYSIS,
    characteristics.ANALYSIS,
    safety.ANALYSIS,
    provenance.LISTING,
    comparison.ANALYSIS,
    historical.ANALYSIS,
    published.ANALYSIS,
    provenance.LIMITATIONS,
    summary.ANALYSIS,
]


def catalogue() -> tuple[Analysis, ...]:
    """Every analysis, in the order in which sections are made."""
    return tuple(_CATALOGUE)


def register_section(analysis: Analysis) -> Analysis:
    """Add an analysis of one's own: its section stands before the limitations.

    Its functions must be importable by name, since models are worked on in other processes.

    Raises
    ------
    ValueError
        If an analysis of that name exists.
    """
    if analysis.name in {each.name for each in _CATALOGUE}:
        raise ValueError(f"an analysis is called {analysis.name} already")
    _CATALOGUE.insert(_CATALOGUE.index(provenance.LIMITATIONS), analysis)
    return analysis


def unregister_section(name: str) -> None:
    """Take an analysis out of the catalogue.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    found = [each for each in _CATALOGUE if each.name == name]
    if not found:
        raise ValueError(f"no analysis is called {name}")
    _CATALOGUE.remove(found[0])
