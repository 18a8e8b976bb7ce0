"""The top-level parameters of a fit: their names in words, their priors against posteriors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.base.labelled import array
from mnbayes.data.markers import MARKERS
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import panels

#: With more parameters than this their densities give way to intervals, one row a marker.
MOST_PANELS = 18
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
SHORT = {
    "urine_protein_24h": "protein",
    "urine_protein_conc": "protein conc.",
    "albumin": "albumin",
    "cd3": "CD3+",
    "cd4": "CD4+",
    "cd8": "CD8+",
    "b_cell": "B cells",
    "nk_cell": "NK cells",
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
        ``level``, ``ratio``, ``sd``, ``positive`` or ``correlation``.
    axis : str
        Axis label, with the unit.
    """

    variable: str
    select: dict[str, str]
    title: str
    kind: str
    axis: str

    def draws(self, result: Result, group: str) -> Floats:
        """Draws on the parameter's own (log) scale, shape (draw,)."""
        return style.draws_of(result, group, self.variable, **self.select)

    def by_chain(self, result: Result) -> Floats:
        """Posterior draws on the parameter's own (log) scale, shape (chain, draw)."""
        return array(result.fit.tree["posterior"].dataset[self.variable].sel(self.select))


def _axis(kind: str, unit: str) -> str:
    return {
        "level": unit,
        "ratio": "ratio (no unit)",
        "sd": "SD of log value",
        "positive": "",  # its words end in the unit
        "correlation": "correlation",
    }[kind]


def scalars(result: Result) -> list[Scalar]:
    """List the top-level parameters that a fit has, marker by marker, correlations last.

    Correlations that the card holds at 0 are left out; of more than two markers also those of a
    baseline with another marker.
    """
    posterior = result.fit.tree["posterior"].to_dataset()
    items = _scalars(result.fit.observations.markers, set(posterior.data_vars))
    return [item for item in items if item.variable != "correlation" or _free(result, item)]


def _free(result: Result, item: Scalar) -> bool:
    return bool(np.any(item.draws(result, "posterior") != 0))


def _scalars(markers: tuple[str, ...], names: set[object]) -> Iterator[Scalar]:
    for marker in markers:
        for variable, (words, kind) in PER_MARKER.items():
            if variable in names:
                title = f"{SHORT[marker]}: {words}" if len(markers) > 1 else words
                axis = _axis(kind, MARKERS[marker].unit)
                yield Scalar(variable, {"marker": marker}, title, kind, axis)
    for variable, (words, kind) in PER_MODEL.items():
        if variable in names:
            yield Scalar(variable, {}, words, kind, _axis(kind, "") or words.split(", ")[-1])
    if "correlation" in names:
        effects = [f"{marker} {part}" for part in ("baseline", "change") for marker in markers]
        for i, first in enumerate(effects):
            for second in effects[i + 1 :]:
                if len(markers) > 2 and not _of_interest(first, second):
                    continue
                pair = {"effect": first, "effect_other": second}
                words = "baseline and change"
                if len(markers) > 1:
                    words = " and ".join(_effect_words(effect) for effect in (first, second))
                yield Scalar("correlation", pair, words, "correlation", "correlation")


def _of_interest(first: str, second: str) -> bool:
    # Of many markers: a marker's own baseline and change, and any two changes.
    same_marker = first.rsplit(" ", 1)[0] == second.rsplit(" ", 1)[0]
    return same_marker or (first.endswith(" change") and second.endswith(" change"))


def _effect_words(effect: str) -> str:
    marker, part = effect.rsplit(" ", 1)
    return f"{SHORT[marker]} {part}"


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


def _limits(scalar: Scalar, prior: Floats, posterior: Floats) -> tuple[float, float]:
    if scalar.kind == "correlation":
        return -1.0, 1.0
    ends = np.quantile(np.stack([prior, posterior]), (0.005, 0.995), axis=1)
    low, high = float(ends[0].min()), float(ends[1].max())
    if high <= low:  # every draw the same
        low, high = low - 0.5, high + 0.5
    return (0.0, high) if scalar.kind in ("sd", "positive") else (low, high)


def _panel(ax: Axes, scalar: Scalar, prior: Floats, posterior: Floats) -> None:
    low, high = _limits(scalar, prior, posterior)
    bounded = (scalar.kind in ("sd", "positive", "correlation"), scalar.kind == "correlation")
    on_log = scalar.kind in ("level", "ratio")
    highest = 0.0
    for draws, is_prior in ((posterior, False), (prior, True)):
        grid, height = density(draws, low, high, bounded=bounded)
        grid, height = grid[::4], height[::4]  # a hundred points look the same
        x = np.exp(grid) if on_log else grid
        if is_prior:
            ax.plot(x, height, "--", color=style.GREY, linewidth=1.4)
        else:
            ax.fill_between(x, 0.0, height, color=style.BAND_50, linewidth=0)
            ax.plot(x, height, color=style.BLUE, linewidth=1.4)
        highest = max(highest, float(height.max()))
    if on_log:
        style.log_axis(ax, "x", float(np.exp(low)), float(np.exp(high)))
    else:
        ax.set_xlim(low, high)
        ticks = style.linear_ticks(low, high, 3)
        ax.set_xticks(ticks, [f"{t:g}".replace("-", "−") for t in ticks])
    if scalar.kind == "ratio":
        ax.axvline(1.0, color=style.BLACK, linewidth=0.8, linestyle=":")
    ax.set_ylim(0, 1.05 * highest)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_title(scalar.title, fontsize=style.TEXT, loc="left", pad=3)
    ax.set_xlabel(scalar.axis, fontsize=style.SMALL, labelpad=1)


def prior_posterior(result: Result, synthetic: bool) -> Figure:
    """Draw the prior against the posterior of every top-level parameter.

    Parameters
    ----------
    result : Result
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One panel each: prior dashed grey, posterior filled. Means are shown as levels in the
        marker's unit and as ratios, on log axes; standard deviations of log values as they are.
        Of many parameters intervals instead; see
        :func:`mnbayes.analyses.results.parameter_rows.parameter_rows`.
    """
    items = scalars(result)
    if len(items) > MOST_PANELS:
        from mnbayes.analyses.results.parameter_rows import parameter_rows

        return parameter_rows(result, items, synthetic)
    figure, axes = panels(len(items), (3.1, 1.35), columns=3)
    for ax, item in zip(axes, items, strict=True):
        _panel(ax, item, item.draws(result, "prior"), item.draws(result, "posterior"))
    handles: list[style.Handle] = [
        style.line(style.GREY, "--", "prior"),
        style.area(style.BAND_50, label="posterior", edge=style.BLUE),
    ]
    if any(item.kind == "ratio" for item in items):
        handles.append(style.line(style.BLACK, ":", "ratio 1: no change"))
    style.heading(figure, "What was assumed, and what the data made of it", handles)
    style.foot(
        figure,
        result,
        synthetic,
        "Densities; levels and ratios on log axes. Where both curves agree, the data say little.",
    )
    return figure
