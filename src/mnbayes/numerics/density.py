"""A log density with its gradient as compiled code that a sampler can call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mnbayes.base.arrays import Floats
from mnbayes.numerics.c_signature import SIGNATURE as SIGNATURE


@dataclass(frozen=True)
class Density:
    """Log density of a posterior on unconstrained space, with its data.

    Attributes
    ----------
    dimension : int
        Number of unconstrained coordinates.
    address : int
        Of the compiled function, whose signature is :data:`SIGNATURE`: ``cfunc.address``.
    data : array, shape (n,)
        What the function reads; ``data[0]`` is ``n``.
    expand : callable
        Takes draws, shape (draw, dimension); returns the model's random variables by name, the
        draw on the first axis.
    value_address : callable
        Gives the address of a function that leaves the gradient alone, which is compiled or
        loaded only now.
    """

    dimension: int
    address: int
    data: Floats
    expand: Callable[[Floats], dict[str, Floats]]
    value_address: Callable[[], int]
