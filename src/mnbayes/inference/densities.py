"""A model as a compiled log density: what nutpie samples without compiling anything.

Nutpie calls a C function for the log density and its gradient. For a PyMC model it compiles that
function anew in each process (5 to 15 s for the models here). A function compiled by numba with
its cache on the disk loads in milliseconds, and takes the priors' numbers and the observations as
one array, so that nothing is compiled for new ones either.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numba as nb
import numpy as np

from mnbayes.numerics.c_signature import SIGNATURE as SIGNATURE
from mnbayes.numerics.compiling import c_function
from mnbayes.numerics.density import Density

#: Signature of nutpie's function from a point to what it stores: here the point itself.
_EXPAND = nb.types.int64(
    nb.types.uint64,
    nb.types.uint64,
    nb.types.CPointer(nb.types.double),
    nb.types.CPointer(nb.types.double),
    nb.types.voidptr,
)


@c_function(_EXPAND)
def _copy(n, n_out, point, out, data):  # type: ignore[no-untyped-def]
    for i in range(n_out):
        out[i] = point[i]
    return 0


@cache
def _model_class() -> Any:
    """The class of :func:`nutpie_model`: nutpie is imported, and the class made, when needed."""
    from nutpie import _lib
    from nutpie.sample import CompiledModel

    # Nutpie's public way in for functions that are not PyMC's or Stan's goes through Python and
    # takes 40 us an evaluation, four times what the density itself takes.
    @dataclass(frozen=True)
    class Model(CompiledModel):  # type: ignore[misc]
        density: Density

        @property
        def n_dim(self) -> int:
            return self.density.dimension

        @property
        def shapes(self) -> dict[str, tuple[int, ...]]:
            return {"unconstrained": (self.density.dimension,)}

        @property
        def coords(self) -> dict[str, Any]:
            return {}

        def _make_model(self, init_mean: Any) -> Any:
            density, n = self.density, self.density.dimension
            data, sizes = density.data.ctypes.data, {"coordinate": n}
            variables = _lib.PyVariable.new_variables(
                ["unconstrained"], ["float64"], [(n,)], sizes, {"unconstrained": ("coordinate",)}
            )
            return _lib.PyMcModel(
                _lib.LogpFunc(density.address, data, density),
                _lib.ExpandFunc(n, n, _copy.address, data, density),
                variables,
                n,
                sizes,
                {},
                lambda seed: np.random.default_rng(seed).uniform(-1.0, 1.0, n),
                None,
            )

        def _make_sampler(self, settings: Any, init_mean: Any, *others: Any) -> Any:
            return _lib.PySampler.from_pymc(
                settings, others[0], self._make_model(init_mean), *others[1:]
            )

    return Model


def nutpie_model(density: Density) -> Any:
    """A density as a model for :func:`nutpie.sample`, whose one variable is ``unconstrained``.

    Chains start at independent uniform draws from (-1, 1) on unconstrained space.
    """
    return _model_class()(dims={}, density=density)


def nutpie_statement(model: Any) -> Any:
    """A PyMC model for :func:`nutpie.sample`, compiled in this process.

    Its data and dims are frozen, as it is fitted to nothing else: where nothing is compiled yet
    that takes a third less.
    """
    import nutpie

    return nutpie.compile_pymc_model(model, freeze_model=True)
