"""The C signature of a compiled log density with its gradient, and calls of such a function."""

from __future__ import annotations

from typing import Any

import numba as nb
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic

#: Dimension, point, gradient (out), log density (out), data; returns 0 where all is finite.
#: ``data[0]`` is the length of ``data``.
SIGNATURE = nb.types.int64(
    nb.types.uint64,
    nb.types.CPointer(nb.types.double),
    nb.types.CPointer(nb.types.double),
    nb.types.CPointer(nb.types.double),
    nb.types.CPointer(nb.types.double),
)


@intrinsic  # type: ignore[untyped-decorator]
def call_density(
    typing_context: Any, address: Any, point: Any, gradient: Any, log_density: Any, data: Any
) -> Any:
    """Call a function of :data:`SIGNATURE` by its address, from compiled code.

    An address is a number: what is compiled does not depend on the density, which numba would
    otherwise compile once more into each of its callers.

    Parameters
    ----------
    address : int
    point, gradient : array, shape (n,)
    log_density : array, shape (1,)
    data : array
    """
    arrays = (point, gradient, log_density, data)

    def codegen(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        double = ir.DoubleType().as_pointer()
        integer = ir.IntType(64)
        kind = ir.FunctionType(integer, [integer, double, double, double, double])
        function = builder.inttoptr(values[0], kind.as_pointer())
        read = [
            context.make_array(array)(context, builder, value)
            for array, value in zip(arrays, values[1:], strict=True)
        ]
        size = cgutils.unpack_tuple(builder, read[0].shape, 1)[0]
        return builder.call(function, [size, *(array.data for array in read)])

    return nb.types.int64(address, *arrays), codegen
