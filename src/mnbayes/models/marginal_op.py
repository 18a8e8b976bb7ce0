"""The Gaussian likelihood without patient effects as one PyTensor operation.

One operation instead of some sixty keeps compilation short and an evaluation at a few
microseconds. Its gradient is computed in the same call and handed out by
:meth:`MarginalLogLik.pullback`, so PyTensor never differentiates through it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

from mnbayes.numerics.compiling import SOURCES
from mnbayes.numerics.marginal_gradient import marginal_loglik_and_gradient

#: Inputs with a gradient; the one after them is data.
N_PARAMETERS = 13

# PyTensor keys its disk cache by this number: it must change when the kernel does.
_KERNEL_VERSION = int(SOURCES[:8], base=16)


class MarginalLogLik(Op):  # type: ignore[misc]
    """Log-likelihood and gradient: the arguments and results of the kernel of that name.

    See :func:`mnbayes.numerics.marginal_gradient.marginal_loglik_and_gradient`.
    """

    __props__ = ()

    def make_node(self, *inputs: Any) -> Apply:
        """Wrap the inputs; the outputs are the log-likelihood and one gradient an input."""
        variables = [pt.as_tensor_variable(value) for value in inputs]
        gradients = [v.type.clone(dtype="float64")() for v in variables[:N_PARAMETERS]]
        return Apply(self, variables, [pt.scalar(dtype="float64"), *gradients])

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        """Evaluate outside numba mode."""
        outputs = marginal_loglik_and_gradient(*inputs)
        for storage, value in zip(output_storage, outputs, strict=True):
            storage[0] = np.asarray(value, dtype="float64")

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Multiply the gradient by the cotangent of the log-likelihood.

        The gradient outputs themselves have none: nothing downstream uses them.
        """
        return [cotangents[0] * gradient for gradient in outputs[1:]] + [
            disconnected_type() for _ in inputs[N_PARAMETERS:]
        ]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only the log-likelihood depends on the inputs as far as gradients go."""
        others = [False] * (len(node.outputs) - 1)
        return [[i < N_PARAMETERS, *others] for i in range(len(node.inputs))]


@register_funcify_default_op_cache_key(MarginalLogLik)  # type: ignore[untyped-decorator]
def _numba_marginal(op: MarginalLogLik, node: Apply, **kwargs: Any) -> Any:
    @numba_njit
    def marginal_loglik(
        mean, change, slope, visit_sd, base_sd, change_sd, unit, sd, serial, time, *rest
    ):
        out = marginal_loglik_and_gradient(
            mean, change, slope, visit_sd, base_sd, change_sd, unit, sd, serial, time.item(), *rest
        )
        # PyTensor's scalars are arrays without dimensions.
        return (np.asarray(out[0]), *out[1:10], np.asarray(out[10]), *out[11:])

    return marginal_loglik, _KERNEL_VERSION
