"""The markers a cohort may hold: names, canonical units and plausible ranges."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Marker:
    """A laboratory marker.

    Attributes
    ----------
    name : str
        Name used in tables, cards and coordinates.
    label : str
        Name in running text and on plots.
    short : str
        Name where there is little room.
    unit : str
        Canonical unit; every measurement is held in it.
    plausible : tuple of float
        Lowest and highest value, in `unit`, that passes without a warning.
        Wide on purpose: it is there to catch a wrong unit (mg given as g), not an unusual patient.
    decimals : int
        Digits after the point when a value is printed in `unit`.
    """

    name: str
    label: str
    short: str
    unit: str
    plausible: tuple[float, float]
    decimals: int


# Urine protein: a healthy adult excretes under 0.15 g a day, down to some 0.02 g; the heaviest
# nephrotic syndromes reach about 30 g. Albumin below 5 or above 60 g/L is not compatible with
# a living patient and a working assay. Lymphocytes: adult 95 % ranges (DESIGN.md section 3)
# widened to severe depletion below and to lymphocytosis above; B cells may be almost absent
# after rituximab.
MARKERS: dict[str, Marker] = {
    marker.name: marker
    for marker in (
        Marker("urine_protein_24h", "24-h urinary protein", "protein", "g/24h", (0.01, 40.0), 2),
        Marker(
            "urine_protein_conc",
            "Urinary protein concentration",
            "protein conc.",
            "g/L",
            (0.01, 40.0),
            2,
        ),
        Marker("albumin", "Serum albumin", "albumin", "g/L", (5.0, 60.0), 1),
        Marker("cd3", "CD3+ lymphocytes", "CD3+", "cells/uL", (20.0, 8000.0), 0),
        Marker("cd4", "CD4+ lymphocytes", "CD4+", "cells/uL", (5.0, 5000.0), 0),
        Marker("cd8", "CD8+ lymphocytes", "CD8+", "cells/uL", (5.0, 5000.0), 0),
        Marker("b_cell", "B lymphocytes", "B cells", "cells/uL", (0.5, 4000.0), 0),
        Marker("nk_cell", "NK lymphocytes", "NK cells", "cells/uL", (2.0, 4000.0), 0),
    )
}

#: Markers of which less is better: the probability of a fall is reported, of others of a rise.
URINE = ("urine_protein_24h", "urine_protein_conc")
#: Markers that a response is judged by.
RESPONSE = ("urine_protein_24h", "albumin")
