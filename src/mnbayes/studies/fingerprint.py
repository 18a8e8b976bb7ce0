"""A hash of the code and cards that a stored simulation result depends on."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mnbayes.cards.card import Card

#: Where the density of a Gaussian model and the draws of its effects come from, relative to the
#: package.
GAUSSIAN_CODE = (
    *("numerics/posterior.py", "numerics/groups.py", "numerics/inputs.py", "numerics/designs.py"),
    *("numerics/packed_means.py", "numerics/patient_means*.py", "numerics/effect_draws.py"),
    *("numerics/correlation_factor.py", "numerics/small_matrices.py", "numerics/compiling.py"),
    *("models/density.py", "models/correlation.py", "models/effects.py"),
    "models/gaussian_effects.py",
)
#: And the numbers of any fit with NUTS.
FITTING_CODE = (
    *GAUSSIAN_CODE,
    *("numerics/marginal*.py", "numerics/serial_posterior.py", "models/longitudinal.py"),
    *("models/fixed_effects.py", "models/likelihood.py", "models/observations.py"),
    *("inference/*.py", "fitting.py", "priors.py", "simulation/cohorts.py"),
)
#: And with either engine.
ENGINE_CODE = (
    *FITTING_CODE,
    *("numerics/importance.py", "collapsed/*.py"),
)


def fingerprint(cards: Iterable[Card], code: Iterable[str] = FITTING_CODE) -> str:
    """Hash cards and code; comments, docstrings, reasons and layout do not count.

    Parameters
    ----------
    code : iterable of str
        Glob patterns of source files, relative to the package.
    """
    digest = hashlib.sha256()
    for card in cards:
        digest.update(json.dumps(_numbers(card), sort_keys=True).encode())
    package = Path(__file__).parents[1]
    paths = sorted({path for pattern in code for path in package.glob(pattern)})
    for path in paths:
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(_meaning(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def _numbers(card: Card) -> dict[str, Any]:
    """What of a card decides a fit."""
    return {
        "markers": card.markers,
        "structure": card.structure.model_dump(mode="json"),
        "priors": {
            name: {
                marker: [spec.distribution, spec.arguments]
                for marker, spec in card.prior[name].items()
            }
            for name in card.parameters
        },
    }


def _meaning(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(
            node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
        ) and (ast.get_docstring(node, clean=False) is not None):
            node.body = node.body[1:]
    return ast.dump(tree)
