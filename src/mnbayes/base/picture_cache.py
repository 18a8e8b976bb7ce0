"""Pictures of stored results, kept in the user's cache folder: they are the same in every run."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from platformdirs import user_cache_path


def _key(made_of: Iterable[str]) -> str:
    """Hash of what pictures show and of the code that draws them."""
    digest = hashlib.sha256(version("matplotlib").encode())
    for text in made_of:
        digest.update(text.encode())
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def kept_pictures(
    name: str, made_of: Iterable[str], draw: Callable[[], dict[str, bytes]]
) -> dict[str, bytes]:
    """Pictures from the cache, or drawn and put there.

    Parameters
    ----------
    name : str
        Of the file in the cache folder, before the hash.
    made_of : iterable of str
        Everything that the pictures show. What they show and the code that draws them decide
        whether kept ones are used.
    draw : callable
        Makes the pictures, PNG bytes by name.

    Returns
    -------
    dict
        In the order in which they were drawn. A cache that cannot be read or written costs time,
        nothing else.
    """
    folder = user_cache_path("mnbayes", appauthor=False)
    place = folder / f"{name}-{_key(made_of)}.zip"
    with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(place) as stored:
        return {each: stored.read(each) for each in stored.namelist()}
    pictures = draw()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file, zipfile.ZipFile(file, "w") as made:
            for each, png in pictures.items():
                made.writestr(each, png)
        Path(temporary).replace(place)  # whole or not at all
    return pictures
