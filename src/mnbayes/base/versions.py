"""Versions of what a number depends on."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version

_PACKAGES = ("pymc", "pytensor", "nutpie", "arviz", "numba", "numpy", "scipy", "pandas", "xarray")


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    names = ("mnbayes", *_PACKAGES)
    return ("python", platform.python_version()), *((name, version(name)) for name in names)


def versions() -> dict[str, str]:
    """Versions of Python, mnbayes and the packages its numbers depend on."""
    return dict(_versions())
