"""Sample a model with nutpie's NUTS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np

from mnbayes.base.problems import InputError, Problem
from mnbayes.base.workers import silent
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.inference.traces import Sampled, read_trace

Engine = Literal["nuts", "pymc", "collapsed", "auto"]


#: Draws of a chain that a refit needs for the gate.
ENOUGH = 625
#: Seconds between two looks whether somebody wants sampling to end.
_LOOK = 0.1


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes
    ----------
    chains, draws, tune : int
        Draws and tuning draws are per chain.
    target_accept : float
        Of the first attempt; a retry uses 0.99 and twice the tuning.
    seed : int
    engine : {"nuts", "pymc", "collapsed", "auto"}
        ``nuts`` samples the compiled density, patients' effects integrated out; ``pymc`` samples
        the model as PyMC states it (:mod:`mnbayes.models.longitudinal`), which compiles it;
        ``collapsed`` is importance sampling of a Gaussian model
        (:mod:`mnbayes.inference.collapsed`); ``auto`` hands over to NUTS where that cannot be
        used or is not to be trusted.
    """

    chains: int = 4
    draws: int = 1000
    tune: int = 500
    target_accept: float = 0.9
    seed: int = 1
    engine: Engine = "nuts"

    @property
    def of_a_refit(self) -> Sampling:
        """Of a fit that is only compared with this one: shorter, and of the same model.

        Five draws for eight, no fewer than the gate needs: differences that matter are far above
        the Monte Carlo error. The statement would be compiled anew for each refit; the density is
        the same model.
        """
        draws = min(self.draws, max(ENOUGH, 5 * self.draws // 8))
        return replace(self, draws=draws, engine="nuts" if self.engine == "pymc" else self.engine)


class Judged(Protocol):
    """What a sampler drew, and whether it passed the gate."""

    @property
    def diagnostics(self) -> Diagnostics:
        """The gate's verdict."""


def at_most_twice[J: Judged](
    attempt: Callable[[Sampling, np.random.SeedSequence, str], J],
    sampling: Sampling,
    first: np.random.SeedSequence,
    second: np.random.SeedSequence,
) -> tuple[J, Sampling, bool]:
    """Sample, and where that fails the gate once more: smaller steps, twice the tuning.

    Parameters
    ----------
    attempt : callable
        Called with how to sample, a stream, and the stage's name.
    sampling : Sampling
    first, second : SeedSequence
        Of each attempt.

    Returns
    -------
    tuple
        The last attempt, how it was sampled, and whether it was the second.
    """
    tried = attempt(sampling, first, "sampling")
    if tried.diagnostics.converged:
        return tried, sampling, False
    careful = replace(sampling, tune=2 * sampling.tune, target_accept=0.99)
    return attempt(careful, second, "retrying"), careful, True


def sample(
    model: Any,
    sampling: Sampling,
    stream: np.random.SeedSequence,
    news: Callable[[int, int], None] = silent,
    *,
    correlated: bool = False,
) -> Sampled:
    """Draw from a model's posterior.

    Parameters
    ----------
    model : object
        Nutpie's: a compiled PyMC model, or from
        :func:`mnbayes.inference.densities.nutpie_model`.
    sampling : Sampling
        Its seed is not used.
    stream : SeedSequence
    news : callable
        Called with the iterations done and in all. What it raises ends sampling, and is raised.
    correlated : bool
        Whether coordinates are known to move together, as censored values of one patient do: the
        mass matrix is then adapted in a few directions beside its diagonal, which costs as much
        as it brings elsewhere.

    Returns
    -------
    Sampled

    Raises
    ------
    InputError
        If the density is zero or overflows wherever the chains try to start.
    """
    import nutpie

    total = sampling.chains * (sampling.draws + sampling.tune)
    news(0, total)
    raised: list[BaseException] = []

    def told(chains: Sequence[Any]) -> None:
        # Nutpie, which calls this in a thread of its own, would print what is raised and go on.
        try:
            if not raised:
                news(sum(chain.finished_draws for chain in chains), total)
        except BaseException as error:
            raised.append(error)

    sampler = nutpie.sample(
        model,
        draws=sampling.draws,
        tune=sampling.tune,
        chains=sampling.chains,
        seed=int(stream.generate_state(1)[0]),
        target_accept=sampling.target_accept,
        adaptation="low_rank" if correlated else "diag",
        save_warmup=False,
        return_raw_trace=True,
        progress_bar=False,
        progress_callback=told,
        blocking=False,
    )
    try:
        trace = _waited(sampler, raised)
        if not raised:
            return read_trace(trace, sampling.draws)
    except RuntimeError as error:
        expected = "priors under which the measurements are possible"
        raise InputError(
            [Problem("priors", None, None, f"no place to start ({error})", expected)]
        ) from error
    except BaseException:
        # nutpie's blocking call would hand back a truncated posterior on Ctrl-C.
        sampler.cancel()
        raise
    sampler.cancel()
    raise raised[0]


def _waited(sampler: Any, raised: Sequence[BaseException]) -> Any:
    """What a sampler in the background drew; None where something was raised meanwhile."""
    while not raised:
        with suppress(TimeoutError):
            return sampler.wait(timeout=_LOOK)
    return None
