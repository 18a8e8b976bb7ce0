"""Do the chains agree: differences of each chain's rank distribution from uniform."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.figure import Figure
from scipy import stats

from mnbayes.answers.result import Result
from mnbayes.base.arrays import Floats
from mnbayes.report.kit import style
from mnbayes.report.kit.figures import is_left, is_low, panels
from mnbayes.report.kit.parameters import scalars

CHAINS: tuple[tuple[str, style.Dash], ...] = (
    (style.BLUE, "-"),
    (style.ORANGE, "--"),
    (style.GREEN, "-."),
    (style.PURPLE, ":"),
    (style.SKY, "-"),
    (style.VERMILLION, "--"),
    (style.BLACK, "-."),
    (style.GREY, ":"),
)
#: Of more parameters only the least well mixed are drawn.
MOST_PANELS = 9
#: Points at which the difference is evaluated.
POINTS = 101


def rank_differences(draws: Floats) -> tuple[Floats, Floats]:
    """Difference of each chain's distribution of ranks from the uniform distribution.

    Parameters
    ----------
    draws : array, shape (chain, draw)

    Returns
    -------
    at : array, shape (101,)
        Fractional ranks, from 0 to 1.
    difference : array, shape (chain, 101)
        Share of the chain's draws whose fractional rank is at most ``at``, less ``at``.
        Fractional ranks are ranks among all chains' draws over the *true* number of draws,
        never over the highest rank that was seen, which would hide a biased chain (Vehtari et
        al. 2021, Bayesian Analysis 16:667, on rank plots; Säilynoja et al. 2022, Statistics
        and Computing 32:32, on the difference of distribution functions).
    """
    ranks = stats.rankdata(draws, method="average").reshape(draws.shape) / draws.size
    at = np.linspace(0.0, 1.0, POINTS)
    below = np.stack([np.searchsorted(np.sort(chain), at, side="right") for chain in ranks])
    return at, below / draws.shape[1] - at


def correlation_time(draws: Floats) -> float:
    """Mean over chains of the integrated autocorrelation time, at least 1.

    Parameters
    ----------
    draws : array, shape (chain, draw)
        Each chain around its *own* mean, so that a chain that sits elsewhere is not taken for a
        slow one.

    Returns
    -------
    float
        1 + 2 sum of autocorrelations, cut by Geyer's initial positive sequence (1992,
        Statistical Science 7:473).
    """
    times = []
    for chain in draws:
        centred = chain - chain.mean()
        size = chain.size
        power = np.abs(np.fft.rfft(centred, 2 * size)) ** 2
        covariance = np.fft.irfft(power)[:size]
        if covariance[0] <= 0:
            continue
        rho = covariance / covariance[0]
        pairs = rho[: size - size % 2].reshape(-1, 2).sum(axis=1)
        ends = np.flatnonzero(pairs <= 0)
        positive = pairs[: ends[0]] if ends.size else pairs
        times.append(max(1.0, 2.0 * float(positive.sum()) - 1.0))
    return float(np.mean(times)) if times else 1.0


def band(chains: int, draws: int, time: float) -> float:
    """Half-width in which all chains' differences stay with probability about 95 %.

    Kolmogorov's limit for a chain against the pool of all chains (whose difference has the
    variance of a Brownian bridge times (1 - 1/chains)), with draws over their correlation time
    for their number, and shared out over the chains by Bonferroni.
    """
    if chains < 2:
        return 0.0
    quantile = float(stats.kstwobign.ppf(1 - 0.05 / chains))
    return quantile * float(np.sqrt((1 - 1 / chains) * time / draws))


def ranks(result: Result, synthetic: bool) -> Figure:
    """Draw how each chain's ranks differ from uniform, for every top-level parameter.

    Parameters
    ----------
    result : Result
        A withheld one too: this figure helps to see why.
    synthetic : bool
        Whether to say that the cohort is synthetic.

    Returns
    -------
    Figure
        One panel for each parameter, of many those whose chains agree least; one line for each
        chain. The grey band holds all chains
        of a well-mixed parameter with probability about 95 %.
    """
    items = scalars(result)
    differences, widths = [], []
    at = np.linspace(0.0, 1.0, POINTS)
    for item in items:
        draws = item.by_chain(result)
        at, difference = rank_differences(draws)
        differences.append(difference)
        as_ranks = stats.rankdata(draws, method="average").reshape(draws.shape)
        widths.append(band(draws.shape[0], draws.shape[1], correlation_time(as_ranks)))
    worst = np.argsort(
        [w / max(np.abs(d).max(), 1e-12) for d, w in zip(differences, widths, strict=True)]
    )
    kept = sorted(worst[:MOST_PANELS])
    chosen = (
        ""
        if len(kept) == len(items)
        else (f"Drawn are the {len(kept)} of {len(items)} parameters whose chains agree least. ")
    )
    items, differences, widths = ([part[i] for i in kept] for part in (items, differences, widths))
    highest = 1.1 * max(max(np.abs(d).max() for d in differences), max(widths))
    tick = float(f"{0.6 * highest:.1g}")
    figure, axes = panels(len(items), (1.8, 1.2), 2, least=style.NARROW)
    for ax, item, difference, width in zip(axes, items, differences, widths, strict=True):
        ax.axhspan(-width, width, color="#E4E4E4", linewidth=0)
        ax.axhline(0, color=style.GREY, linewidth=0.6)
        for number, values in enumerate(difference):
            color, dash = CHAINS[number % len(CHAINS)]
            ax.plot(at, values, dash, color=color, linewidth=1.1)
        ax.set_title(textwrap.fill(item.title, 26), fontsize=style.SMALL, loc="left", pad=3)
        ax.set_ylim(-highest, highest)
        ax.set_xlim(0, 1)
        left, low = is_left(ax), is_low(ax)
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"] if low else ["", "", ""])
        ax.set_yticks([-tick, 0, tick], [f"−{tick:g}", "0", f"{tick:g}"] if left else [""] * 3)
        if left:
            ax.set_ylabel("difference", fontsize=style.SMALL)
        if low:
            ax.set_xlabel("fractional rank", fontsize=style.SMALL)
    chains = differences[0].shape[0]
    handles: list[style.Handle] = [
        style.line(*CHAINS[number % len(CHAINS)], label=f"chain {number + 1}")
        for number in range(min(chains, len(CHAINS)))
    ]
    handles.append(style.area("#E4E4E4", label="95 % band of well-mixed chains"))
    style.heading(figure, "Do the chains agree? Ranks of their draws against uniform", handles, 5)
    style.foot(
        figure,
        result,
        synthetic,
        f"{chosen}A line that leaves the band: that chain drew too many low values (above 0) "
        "or high ones (below 0). The band allows for autocorrelation. Ranks are among all "
        "chains' draws, divided by their number.",
    )
    return figure
