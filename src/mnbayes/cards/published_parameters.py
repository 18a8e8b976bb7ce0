"""Parameters of the published-evidence model, which no longitudinal card has."""

from __future__ import annotations

from mnbayes.cards.beliefs import Kind
from mnbayes.cards.families import Role

#: Parameters whose prior is one of :data:`mnbayes.cards.families.FAMILIES`: what each measures and
#: its family's role, as in :data:`mnbayes.cards.parameters.PARAMETERS`. Each has one value for
#: the model.
PARAMETERS: dict[str, tuple[Kind, Role]] = {
    "mean_log_ratio": ("change", "location"),
    "sd_log_ratio": ("sd", "scale"),
    "visit_noise_sd": ("sd", "scale"),
}
#: The Dirichlet prior of the shares of the categories.
SHARES = "category_shares"
NAMES = (*PARAMETERS, SHARES)
