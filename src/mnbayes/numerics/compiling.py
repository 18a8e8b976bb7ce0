"""Numba's compiler with a cache on the disk that notices a change in any file of this folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba as nb


def _hash_of_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


#: Of all numerics: decides whether what the disk holds is of this code.
SOURCES = _hash_of_sources()


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, or load it from the disk.

    Division by zero gives inf or nan, which a sampler rejects; Python's check of it costs time.
    Python's lock is released.
    """
    # No fast math: it rounds a sum one way in the process that compiled a function and another in
    # one that found it on the disk, and NUTS with the same seed then goes another way.
    dispatcher = nb.njit(cache=True, error_model="numpy", nogil=True)(function)
    # Numba compares the file of the function alone with what it was; a function in another file
    # that this one calls would stay as it was compiled in.
    dispatcher._cache._cache_file._source_stamp = SOURCES
    return dispatcher
