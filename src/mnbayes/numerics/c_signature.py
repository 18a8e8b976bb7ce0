"""The C signature of a compiled log density with its gradient."""

from __future__ import annotations

import numba as nb

#: Dimension, point, gradient (out), log density (out), data; returns 0 where all is finite.
#: ``data[0]`` is the length of ``data``.
SIGNATURE = nb.types.int64(
    nb.types.uint64,
    nb.types.CPointer(nb.types.double),
    nb.types.CPointer(nb.types.double),
    nb.types.CPointer(nb.types.double),
    nb.types.CPointer(nb.types.double),
)
