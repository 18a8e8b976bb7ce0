"""Parameters of the longitudinal model: what each measures, and which are shared by all markers."""

from __future__ import annotations

from mnbayes.cards import families as priors
from mnbayes.cards.beliefs import Kind, Quantity
from mnbayes.data.markers import Catalogue

#: Every parameter a card can set a prior of: what it measures and its family's role.
PARAMETERS: dict[str, tuple[Kind, priors.Role]] = {
    "baseline_mean": ("level", "location"),
    "change_mean": ("change", "location"),
    "common_change": ("change", "location"),
    "change_spread": ("sd", "scale"),
    "covariate_slope": ("change", "location"),
    "baseline_sd": ("sd", "scale"),
    "change_sd": ("sd", "scale"),
    "visit_sd": ("sd", "scale"),
    "residual_sd": ("sd", "scale"),
    "serial_sd": ("sd", "scale"),
    "serial_weeks": ("time", "scale"),
    "residual_df": ("shape", "scale"),
    "correlation": ("correlation", "correlation"),
}


#: Parameters with one value for the whole model instead of one for each marker.
SHARED = ("common_change", "change_spread", "serial_weeks", "residual_df", "correlation")


def quantity(parameter: str, marker: str, known: Catalogue) -> Quantity:
    """What a belief about a parameter's prior is about."""
    kind = PARAMETERS[parameter][0]
    if not marker:
        return Quantity(parameter, kind)
    about = known[marker]
    return Quantity(parameter, kind, about.unit if kind == "level" else "", about.scale)
