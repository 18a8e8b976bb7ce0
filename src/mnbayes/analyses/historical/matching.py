"""Priors of the cards' mean change that say of remission what history says.

History speaks of a rate, the cards of a ratio to baseline. Given the other parameters of a model,
each mean log change implies a share of such patients in remission. The width of its normal prior
is chosen so that this share, the other parameters being at their prior medians, has the mean and
the SD of the historical model's predictive rate; the centre then so that under the whole prior the
expected share, which is the next patient's probability of remission, is that of history.
Uncertainty of the other parameters comes on top: the prior says less than history does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mnbayes.analyses.historical.stored import StoredRate
from mnbayes.answers.categories import classify, judge
from mnbayes.base.arrays import Floats
from mnbayes.base.resources import models_folder
from mnbayes.base.toml_files import read_toml
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import ALBUMIN, PROTEIN, Definitions
from mnbayes.models import effects as fx
from mnbayes.models.hyperparameters import hyperparameters_from_draws
from mnbayes.models.likelihood import draw_prior

type Shares = Callable[[float, float], Floats]

#: Draws of the population's parameters, and patients of each.
POPULATIONS, PATIENTS = 2000, 128
WEEKS = (0.0, 1.0, 2.0, 4.0, 12.0)


@dataclass(frozen=True)
class Matched:
    """A normal prior of a mean log change, and what it implies.

    Attributes
    ----------
    mu, sigma : float
    mean, sd : float
        Of the share of patients in remission under the whole prior.
    """

    mu: float
    sigma: float
    mean: float
    sd: float


def card_shares(
    card: Card, definitions: Definitions, *, typical: bool = False, seed: int = 1
) -> Shares:
    """Share of patients in remission at the last visit, as a function of the mean change's prior.

    Parameters
    ----------
    card : Card
        With 24-h protein and albumin.
    definitions : Definitions
    typical : bool
        Whether every parameter but the mean change is at its prior median.
    seed : int
        The same draws serve every prior, so that the function is smooth.

    Returns
    -------
    callable
        Takes ``mu`` and ``sigma``; returns shares as measured, shape (population,).
    """
    rng = np.random.default_rng(seed)
    draws = draw_prior(card, len(WEEKS) - 1, POPULATIONS, rng)
    protein = card.markers.index(PROTEIN)
    if typical:
        for values in draws.values():
            values[:] = np.median(values, axis=0)
    draws["change_mean"][:, protein] = 0.0
    parameters = hyperparameters_from_draws(draws, card.structure.correlation)
    deviations = fx.prior_deviations(parameters, np.array(WEEKS), PATIENTS, rng)
    level = fx.levels(parameters, *deviations, np.zeros(PATIENTS))
    measured = fx.measurements(level, parameters, rng)
    baseline, last = measured[:, :, :1, protein], measured[:, :, -1:, protein]
    albumin = measured[:, :, -1:, card.markers.index(ALBUMIN)]
    judged = judge(definitions, (PROTEIN, ALBUMIN), card.catalogue)
    standard = rng.permutation(_standard_normal(POPULATIONS))[:, None, None]

    def shares(mu: float, sigma: float) -> Floats:
        visit = {PROTEIN: last + mu + sigma * standard, ALBUMIN: albumin}
        met = classify(judged, {PROTEIN: baseline}, visit)
        return np.asarray(met["remission"][:, :, 0].mean(axis=1), dtype=float)

    return shares


def published_shares(sd_sigma: float, *, typical: bool = False) -> Shares:
    """The same for the published-evidence model: the share with a fall of at least half.

    Parameters
    ----------
    sd_sigma : float
        Scale of the half-normal prior of ``sd_log_ratio``.
    typical : bool
        Whether that SD is at its prior median.

    Returns
    -------
    callable
        Takes ``mu`` and ``sigma`` of ``mean_log_ratio``; returns shares, shape (population,).
    """
    from scipy.special import ndtr

    # A grid of quantiles of both priors; nothing is drawn.
    standard = np.repeat(_standard_normal(200), 200)
    spread = sd_sigma * np.tile(_half_normal(1 if typical else 200), 200 * (200 if typical else 1))

    def shares(mu: float, sigma: float) -> Floats:
        return np.asarray(ndtr((np.log(0.5) - mu - sigma * standard) / spread))

    return shares


def _standard_normal(count: int) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri((np.arange(count) + 0.5) / count))


def _half_normal(count: int) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri(0.5 + (np.arange(count) + 0.5) / (2 * count)))


def match(whole: Shares, typical: Shares, mean: float, sd: float) -> Matched:
    """Find the normal prior of the mean log change that says of remission what history says.

    Parameters
    ----------
    whole, typical : callable
        From :func:`card_shares` or :func:`published_shares`, under the whole prior and with the
        other parameters at their medians.
    mean, sd : float
        Of the historical model's predictive rate.

    Returns
    -------
    Matched
    """
    from scipy.optimize import brentq

    def centre(shares: Shares, sigma: float) -> float:
        return float(brentq(lambda mu: shares(mu, sigma).mean() - mean, -4.0, 3.0, xtol=1e-5))

    def excess(sigma: float) -> float:
        return float(typical(centre(typical, sigma), sigma).std()) - sd

    sigma = float(brentq(excess, 0.01, 3.0, xtol=1e-4))
    mu = centre(whole, sigma)
    found = whole(mu, sigma)
    return Matched(mu, sigma, float(found.mean()), float(found.std()))


def match_card(card: Card, definitions: Definitions, rate: StoredRate) -> Matched:
    """The prior of a card's mean change of 24-h protein that fits a historical rate."""
    whole, typical = (card_shares(card, definitions, typical=each) for each in (False, True))
    return match(whole, typical, rate.mean, rate.sd)


def match_published(rate: StoredRate) -> Matched:
    """The same of ``mean_log_ratio``, with the published card's prior of ``sd_log_ratio``."""
    data = read_toml(models_folder() / "published.toml")
    sigma = float(data["priors"]["sd_log_ratio"]["sigma"])
    whole, typical = (published_shares(sigma, typical=each) for each in (False, True))
    return match(whole, typical, rate.mean, rate.sd)
