"""Levels of a marker that definitions of response name, for lines across a picture."""

from __future__ import annotations

from mnbayes.cards.definitions import LEVELS, Definitions, canonical
from mnbayes.data.markers import Marker


def thresholds(marker: Marker, definitions: Definitions) -> list[tuple[float, str]]:
    """Levels of a marker, in its unit, that the definitions name, each with a short label."""
    found: dict[float, str] = {}
    for rule in definitions.category:
        for part in rule.parts:
            if part.marker == marker.name and part.kind in LEVELS:
                sign = "<" if part.kind == "below" else "≥"
                label = f"{rule.name}\n{sign} {part.threshold:g}"
                if part.unit_of_threshold != marker.unit:
                    label += f" {part.unit_of_threshold}"
                found.setdefault(canonical(part, marker), label)
    return list(found.items())
