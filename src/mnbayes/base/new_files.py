"""Files and folders that are written whole or not at all, and never over what is there."""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mnbayes.base.problems import InputError, Problem

#: A temporary folder of ours: perhaps what it is for, the machine and the process that made it.
_OURS = re.compile(r"(?:\..*\.)?mnbayes-(?P<machine>[\w-]+)\.(?P<process>\d{1,9})\.[^.]+")
#: Longest part of a folder's name in that of its temporary one: names end at 255 bytes.
_NAMED = 30


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
def temporary_beside(folder: Path) -> Iterator[Path]:
    """A folder beside another one, to be filled and then renamed: what is left of it goes.

    It may be read by whom the user lets read new folders (umask). What the system refuses in it
    is said of ``folder``, which the user knows.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{folder.name[:_NAMED]}.{temporary_prefix()}"
    temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    try:
        temporary.chmod(0o777 & ~_umask())
        yield temporary
    except OSError as error:
        place = Path(str(error.filename or temporary))
        if error.errno is None or not place.is_relative_to(temporary):
            raise
        target = str(folder / place.relative_to(temporary))
        raise OSError(error.errno, error.strerror or "cannot be written", target) from error
    finally:
        if temporary.exists():
            shutil.rmtree(temporary, ignore_errors=True)


def move_into(made: Path, folder: Path) -> bool:
    """Rename a folder to a name that is free, or an empty folder's.

    Returns
    -------
    bool
        False where something is there: nothing was done then.
    """
    if folder.exists() and not folder.is_dir():
        return False  # some systems would put a folder in the place of a file
    if os.name != "posix":
        with suppress(OSError):
            folder.rmdir()  # an empty one; elsewhere the rename takes its place
    try:
        made.rename(folder)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR) or folder.exists():
            return False
        raise
    return True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time rename what lies in a folder, where the system can say so.

    Elsewhere (Windows, some network disks) nothing is lost either: no folder can be renamed onto
    one that holds something.
    """
    try:
        import fcntl

        handle = os.open(folder, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which gives the lock back, as the end of the process does


def temporary_prefix() -> str:
    """Beginning of a temporary folder's name, by which a later start knows whose it was."""
    return f"mnbayes-{_machine()}.{os.getpid()}."


def clear_left(folder: Path) -> tuple[Path, ...]:
    """Remove the temporary folders that killed processes of this machine left in a folder.

    Those of a living process stay; so does everything where the system cannot say who lives.

    Returns
    -------
    tuple of Path
        What was removed.
    """
    removed = []
    with suppress(OSError):
        with os.scandir(folder) as entries:  # ten thousand paths would take half a second
            names = [entry.name for entry in entries if "mnbayes-" in entry.name]
        matches = [_OURS.fullmatch(name) for name in names]
        for found in filter(None, matches):
            if found["machine"] != _machine() or _lives(int(found["process"])):
                continue
            path = folder / found[0]
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
                removed.append(path)
    return tuple(removed)


def check_writable(
    folder: Path, need: int = 0, option: str = "--out", inside: Path | None = None
) -> None:
    """Whether a folder can be made and there is room for it, found out before it is needed.

    Parameters
    ----------
    folder : Path
        It need not be there, nor those that it lies in.
    need : int
        Bytes.
    option : str
        By which the user names it.
    inside : Path, optional
        Where it will be made. Default: the nearest folder above it that is there.

    Raises
    ------
    InputError
    """
    there = inside or next(parent for parent in folder.absolute().parents if parent.is_dir())
    try:
        with suppress(FileNotFoundError):
            os.lstat(there / f"{folder.absolute().name}-unconverged-20000101-000000")  # too long?
        Path(tempfile.mkdtemp(prefix=f".{temporary_prefix()}", dir=there)).rmdir()
        free = shutil.disk_usage(there).free
    except OSError as error:
        found = f"{folder}: {error.strerror or error}"
        expected = "a folder that can be written"
        raise InputError([Problem(option, None, None, found, expected)]) from error
    if free < need:
        found = f"{folder}, where {_megabytes(free)} are free"
        expected = f"room for what is written there, some {_megabytes(need)}"
        raise InputError([Problem(option, None, None, found, expected)])


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"


def _machine() -> str:
    return re.sub(r"[^\w-]", "-", platform.node(), flags=re.ASCII)[:_NAMED] or "here"


def _lives(process: int) -> bool:
    if os.name != "posix":
        return True  # to ask in this way would end it
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
