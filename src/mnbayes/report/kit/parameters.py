"""Top-level parameters of a model in plain words, one number each, and their densities."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array
from mnbayes.data.markers import Catalogue, Marker
from mnbayes.inference.contract import correlated_pairs, effect_names
from mnbayes.report.kit import style

#: Parameter to words and to how its scale is shown: ``level`` and ``ratio`` are exponentials
#: on a log axis, ``sd`` and ``positive`` start at 0.
PER_MARKER: dict[str, tuple[str, str]] = {
    "baseline_mean": ("typical baseline", "level"),
    "change_mean": ("typical ratio to baseline", "ratio"),
    "covariate_slope": ("ratio per unit of the covariate", "ratio"),
    "baseline_sd": ("baseline, between patients", "sd"),
    "change_sd": ("change, between patients", "sd"),
    "visit_sd": ("visits around the mean change", "sd"),
    "residual_sd": ("visit to visit, within a patient", "sd"),
    "serial_sd": ("slowly fading deviations", "sd"),
}


PER_MODEL: dict[str, tuple[str, str]] = {
    "common_change": ("ratio that the markers share", "ratio"),
    "change_spread": ("markers around the shared ratio", "sd"),
    "serial_weeks": ("time in which deviations fade, weeks", "positive"),
    "residual_df": ("degrees of freedom of the residual", "positive"),
}


@dataclass(frozen=True)
class Scalar:
    """One top-level number of a model.

    Attributes
    ----------
    variable : str
        In the fit's tree.
    select : dict
        Coordinates that pick the number.
    title : str
        In plain words.
    kind : str
        ``level``, ``share`` (a level in percent), ``ratio``, ``sd``, ``positive`` or
        ``correlation``.
    axis : str
        Axis label, with the unit.
    marker : Marker or None
        Whose parameter it is, where it is of one alone.
    """

    variable: str
    select: dict[str, str]
    title: str
    kind: str
    axis: str
    marker: Marker | None = None

    def draws(self, result: Result, group: str) -> Floats:
        """Draws as they are shown but for exponentials (on the log scale), shape (draw,)."""
        found = style.draws_of(result, group, self.variable, **self.select)
        return self.marker.in_units(found) if self.kind == "share" and self.marker else found

    def by_chain(self, result: Result) -> Floats:
        """Posterior draws on the parameter's own (log) scale, shape (chain, draw)."""
        return array(result.fit.tree["posterior"].dataset[self.variable].sel(self.select))


def scalars(result: Result) -> list[Scalar]:
    """List the top-level parameters that a fit has, marker by marker, correlations last.

    Correlations that the card holds at 0 are left out; of more than two markers also those of a
    baseline with another marker.
    """
    posterior = result.fit.tree["posterior"].to_dataset()
    return list(_scalars(result.fit.observations.markers, posterior, result.catalogue))


def density(
    draws: Floats, low: float, high: float, *, bounded: tuple[bool, bool] = (False, False)
) -> tuple[Floats, Floats]:
    """Estimate a density on a grid by a Gaussian kernel, reflected at bounds of the support.

    Parameters
    ----------
    draws : array, shape (draw,)
    low, high : float
        Ends of the grid.
    bounded : tuple of bool
        Whether the support ends at ``low``, and at ``high``.

    Returns
    -------
    grid, density : array, shape (400,)
        The bandwidth is Silverman's (1986, section 3.4.2), 0.9 min(sd, iqr / 1.34) n^(-1/5).
    """
    edges = np.linspace(low, high, 401)
    grid, step = (edges[1:] + edges[:-1]) / 2, float(edges[1] - edges[0])
    quartiles = np.quantile(draws, (0.25, 0.75))
    spread = min(float(draws.std()), float(quartiles[1] - quartiles[0]) / 1.34)
    width = max(0.9 * spread * draws.size**-0.2 / step, 0.5)
    counts = np.histogram(draws, edges)[0].astype(float)
    reach = int(np.ceil(4 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    padded = np.pad(counts, reach)
    for side, at_bound in enumerate(bounded):
        mirrored = counts[:reach][::-1] if side == 0 else counts[::-1][:reach]
        if at_bound and mirrored.size:
            place = (
                slice(reach - mirrored.size, reach)
                if side == 0
                else slice(reach + counts.size, reach + counts.size + mirrored.size)
            )
            padded[place] = mirrored
    smooth = np.convolve(padded, kernel / kernel.sum(), mode="valid")
    return grid, np.asarray(smooth / (draws.size * step))


def _axis(kind: str, marker: Marker | None = None) -> str:
    return {
        "level": marker.unit if marker else "",
        "ratio": f"{marker.ratio if marker else 'ratio'} (no unit)",
        "sd": f"SD of {marker.scale if marker else 'log'} value",
        "positive": "",  # its words end in the unit
        "correlation": "correlation",
    }[kind]


def _scalars(markers: tuple[str, ...], posterior: xr.Dataset, known: Catalogue) -> Iterator[Scalar]:
    names = set(posterior.data_vars)
    for marker in markers:
        for variable, (words, kind) in PER_MARKER.items():
            if variable in names:
                about = known[marker]
                title = f"{about.short}: {words}" if len(markers) > 1 else words
                shown = "share" if kind == "level" and about.scale == "logit" else kind
                axis = _axis(kind, about)
                yield Scalar(variable, {"marker": marker}, title, shown, axis, about)
    for variable, (words, kind) in PER_MODEL.items():
        if variable in names:
            yield Scalar(variable, {}, words, kind, _axis(kind) or words.split(", ")[-1])
    rank = {effect: at for at, effect in enumerate(effect_names(markers))}
    pairs = enumerate(correlated_pairs(posterior))
    for at, pair in sorted(pairs, key=lambda item: [rank[effect] for effect in item[1]]):
        if len(markers) > 2 and not _of_interest(*pair):
            continue
        words = "baseline and change"
        if len(markers) > 1:
            words = " and ".join(_effect_words(effect, known) for effect in pair)
        select = {"pair": str(posterior["pair"].to_numpy()[at])}
        yield Scalar("correlation", select, words, "correlation", "correlation")


def _of_interest(first: str, second: str) -> bool:
    # Of many markers: a marker's own baseline and change, and any two changes.
    same_marker = first.rsplit(" ", 1)[0] == second.rsplit(" ", 1)[0]
    return same_marker or (first.endswith(" change") and second.endswith(" change"))


def _effect_words(effect: str, known: Catalogue) -> str:
    marker, part = effect.rsplit(" ", 1)
    return f"{known[marker].short} {part}"
