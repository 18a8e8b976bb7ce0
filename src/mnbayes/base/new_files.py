"""Files and folders that are written whole or not at all, and never over what is there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mnbayes.base.problems import InputError, Problem


def write_new(path: Path, text: str, hint: str = "") -> None:
    """Write a file that is not there yet.

    Parameters
    ----------
    path : Path
    text : str
    hint : str
        The option by which another file is named, as the end of the message.

    Raises
    ------
    InputError
        If the file exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        expected = f"a file that is not there yet: nothing is overwritten{hint}"
        raise InputError([Problem(str(path), None, None, "it exists", expected)]) from None
    except OSError as error:
        found = error.strerror or "unwritable"
        raise InputError([Problem(str(path), None, None, found, "a file to write")]) from error


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A temporary folder that takes the place of ``folder`` when the block succeeds.

    It lies beside ``folder``, so that the move is a rename, and may be read by whom the user lets
    read new folders (umask). If the block fails or the process is killed, what ``folder`` held
    before is untouched.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if folder.exists():
            retired = temporary.with_name(f"{temporary.name}.old")
            folder.rename(retired)
            temporary.rename(folder)
            shutil.rmtree(retired)
        else:
            temporary.rename(folder)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
