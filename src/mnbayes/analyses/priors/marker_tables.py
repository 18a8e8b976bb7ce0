"""The markers as tables: what each is, and where its numbers are from."""

from __future__ import annotations

from collections.abc import Sequence

from mnbayes.base.text_table import Table
from mnbayes.data.markers import Catalogue, Marker

_SHOWN = (
    *("scale", "better", "plausible", "possible", "patients", "reference"),
    *("typical", "between_sd", "within_sd", "molar_mass", "spellings"),
)


def markers_table(known: Catalogue) -> Table:
    """Every marker in a row."""
    rows = tuple(
        (
            name,
            marker.label,
            marker.unit,
            marker.scale,
            marker.better,
            _span(marker.plausible),
            _span(marker.possible),
            f"{marker.typical:g}",
            f"{marker.between_sd:g}",
            f"{marker.within_sd:g}",
        )
        for name, marker in known.items()
    )
    head = (
        *("Marker", "Label", "Unit", "Scale", "Better", "Plausible", "Possible"),
        *("Typical", "SD between", "SD within"),
    )
    return Table("Markers", head, rows, frozenset({0, 1, 2, 3, 4}))


def marker_table(marker: Marker) -> Table:
    """One marker, each number with its source."""
    rows = tuple(
        (name, text, marker.source.get(name, ""))
        for name in _SHOWN
        if (text := _value(marker, name))
    )
    caption = f"{marker.name}: {marker.label}, {marker.unit}"
    return Table(caption, ("What", "Value", "Source"), rows, frozenset({0, 1, 2}), wide=True)


def _span(ends: Sequence[float]) -> str:
    return f"{ends[0]:g} to {ends[1]:g}"


def _value(marker: Marker, name: str) -> str:
    value = getattr(marker, name)
    if name in ("plausible", "possible"):
        return _span(value)
    if name == "patients":
        return "" if value is None else f"{value.lower:g} to {value.upper:g}. {value.why}"
    if name == "reference":
        if value is None:
            return ""
        return f"{value.words}, {100 * value.coverage:g} % of {value.population}"
    if name == "spellings":
        return ", ".join(f"{unit} (× {factor:g})" for unit, factor in value.items())
    return f"{value:g}" if isinstance(value, float) else value or ""
