"""Numba's compiler with a cache on the disk that notices a change in any file of this folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba as nb
from numba.core.caching import FunctionCache

from mnbayes.base.new_files import lasting_folder


def _hash_of_sources() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


#: Of all numerics: decides whether what the disk holds is of this code.
SOURCES = _hash_of_sources()


class _Forgiving:
    """A cache of Numba's in which a damaged file, or a full disk, costs a compilation only."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """What the disk holds; nothing where that cannot be read, and it is begun anew."""
        try:
            return self._cache.load_overload(signature, target)
        except Exception:  # whatever half a pickle raises
            with suppress(OSError):
                self._cache.flush()
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        """Keep what was compiled, where there is room."""
        with suppress(OSError):
            self._cache.save_overload(signature, data)


def compiled(function: Callable[..., Any], *, inline: str = "never") -> Any:
    """Compile a function when it is first called, or load it from the disk.

    Division by zero gives inf or nan, which a sampler rejects; Python's check of it costs time.
    Python's lock is released.

    Parameters
    ----------
    function : callable
    inline : str
        ``"always"`` compiles it as a part of what calls it, and never by itself: quicker where a
        long function has one or two callers (``numba.njit``).
    """
    # No fast math: it rounds a sum one way in the process that compiled a function and another in
    # one that found it on the disk, and NUTS with the same seed then goes another way.
    try:
        dispatcher = _cached(function, inline)
    except RuntimeError:  # neither the folder of this file nor the user's cache can be written
        nb.config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"] = str(lasting_folder())
        dispatcher = _cached(function, inline)
    # Numba compares the file of the function alone with what it was; a function in another file
    # that this one calls would stay as it was compiled in.
    dispatcher._cache._cache_file._source_stamp = SOURCES
    dispatcher._cache = _Forgiving(dispatcher._cache)
    return dispatcher


def _cached(function: Callable[..., Any], inline: str) -> Any:
    return nb.njit(cache=True, error_model="numpy", nogil=True, inline=inline)(function)


def c_function(signature: Any, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function to one of C at once, or load it from the disk (``numba.cfunc``).

    As with :func:`compiled`, a damaged file there, or no room, costs a compilation.
    """

    def made(function: Callable[..., Any]) -> Any:
        try:
            return nb.cfunc(signature, cache=True, **options)(function)
        # Whatever half a pickle raises; what is wrong with a function comes again below.
        except Exception:
            with suppress(Exception):
                FunctionCache(function).flush()
            return nb.cfunc(signature, **options)(function)

    return made
