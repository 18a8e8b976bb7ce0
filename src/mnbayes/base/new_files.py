"""Files and folders that are written whole or not at all, and never over what is there."""

from __future__ import annotations

import atexit
import errno
import hashlib
import os
import platform
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mnbayes.base.ending import deaf
from mnbayes.base.problems import InputError, Problem

#: A temporary folder of ours: perhaps what it is for, the machine and the process that made it,
#: and whether all of it is on the disk.
_OURS = re.compile(
    r"(?:\.(?:(?P<named>.*)\.)?)?mnbayes-(?P<machine>[\w-]+)\.(?P<process>\d{1,9})"
    r"\.[^.]+(?P<whole>\.whole)?"
)
_WHOLE = ".whole"
#: Folders that multiprocessing makes, and does not clear when it is killed.
_LIBRARY = "pymp-"
#: Longest part of a folder's name in that of its temporary one: names end at 255 bytes.
_NAMED = 30

#: What is refused to a file that is open already, whose name is then not said.
_UNNAMED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)

_made: set[Path] = set()  # temporary folders of this process that may be there
#: Where this process moved what it made, the last one last.
moved: list[Path] = []


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
def temporary_folder(
    parent: Path | None = None, named: str = "", target: Path | None = None
) -> Iterator[Path]:
    """A folder that goes with the block, or with the process where the block's end is cut short.

    Parameters
    ----------
    parent : Path, optional
        Default: the system's temporary folder.
    named : str
        Begins its name.
    target : Path, optional
        What the user knows it by: what the system refuses in it is said of that. Default: the
        parent.
    """
    parent = Path(parent or tempfile.gettempdir())
    temporary = _new_name(parent, named)
    try:
        temporary.mkdir(0o700)
        yield temporary
    except OSError as error:
        place = Path(str(error.filename or (temporary if error.errno in _UNNAMED else None)))
        inside = next((each for each in _both(temporary) if place.is_relative_to(each)), None)
        if error.errno is None or inside is None:
            raise
        known = str((target or parent) / place.relative_to(inside))
        raise OSError(error.errno, os.strerror(error.errno), known) from error
    finally:
        _clear(temporary)
        _made.discard(temporary)


def lasting_folder() -> Path:
    """A temporary folder that goes with the process."""
    folder = _new_name(Path(tempfile.gettempdir()))
    folder.mkdir(0o700)
    return folder


def _new_name(parent: Path, named: str = "") -> Path:
    path = parent / f"{named}{temporary_prefix()}{secrets.token_hex(4)}"
    _made.add(path)
    return path


def _clear(temporary: Path) -> None:
    for path in _both(temporary):
        shutil.rmtree(path, ignore_errors=True)


def _both(temporary: Path) -> tuple[Path, Path]:
    """A temporary folder, and what it is called once all of it is on the disk."""
    return temporary, temporary.with_name(f"{temporary.name}{_WHOLE}")


@atexit.register
def _clear_made() -> None:
    own = [path for path in _made if temporary_prefix() in path.name]  # not those of a parent
    if own:
        deaf()
    for path in own:
        _clear(path)


@contextmanager
def temporary_beside(folder: Path) -> Iterator[Path]:
    """A folder beside another one, to be filled and then renamed: what is left of it goes.

    It may be read by whom the user lets read new folders (umask). What the system refuses in it
    is said of ``folder``, which the user knows.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder.parent, f".{folder.name[:_NAMED]}.", folder) as temporary:
        temporary.chmod(0o777 & ~_umask())
        yield temporary


def on_disk(made: Path) -> Path:
    """Wait until all of a temporary folder is on the disk, and let its name say so.

    A cut of the power could otherwise leave empty files under names that were given before.

    Returns
    -------
    Path
        Where the folder is now: from here on a kill leaves something whole, for
        :func:`left_whole`.
    """
    for inside, _, files in made.walk():
        for name in files:
            with (inside / name).open("r+b") as file:
                os.fsync(file.fileno())
        _sync_names(inside)
    return made.rename(_both(made)[1])


def _sync_names(folder: Path) -> None:
    """Bring the names of what is in a folder to the disk, where a system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


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
    _sync_names(folder.parent)
    moved.append(folder)
    return True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Let one process at a time change what lies in a folder, where the system can say so.

    Elsewhere (some network disks) nothing is lost either: no folder can be renamed onto one that
    holds something, and what numba keeps is written whole.
    """
    try:
        import fcntl
    except ImportError:  # Windows locks no folder: a file stands for it
        from filelock import FileLock

        digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
        with FileLock(Path(tempfile.gettempdir()) / f"mnbayes-{digest}.lock"):
            yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
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


def mark_ours(folder: Path) -> None:
    """Mark a folder that a library made for this process, so that a later start may clear it."""
    if not any(_OURS.fullmatch(each.name) for each in folder.iterdir()):
        (folder / f"{temporary_prefix()}x").touch()


def _left(folder: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    """What killed processes of this machine left in a folder, and what its name says."""
    with suppress(OSError):
        with os.scandir(folder) as entries:  # ten thousand paths would take half a second
            names = [entry.name for entry in entries if "mnbayes-" in entry.name]
        for found in filter(None, (_OURS.fullmatch(name) for name in names)):
            path = folder / found[0]
            if found["machine"] == _machine() and not _lives(int(found["process"])):
                yield path, found


def left_whole(folder: Path) -> Iterator[tuple[Path, str]]:
    """What killed processes had written whole and not yet moved: where it is, and for what name."""
    for path, found in _left(folder):
        if found["whole"] and path.is_dir():
            yield path, found["named"] or path.name


def clear_left(folder: Path) -> tuple[Path, ...]:
    """Remove the temporary folders that killed processes of this machine left in a folder.

    Those of a living process stay; so does everything where the system cannot say who lives, and
    what is whole.

    Returns
    -------
    tuple of Path
        What was removed.
    """
    removed = [path for path, found in _left(folder) if not found["whole"]]
    removed += [each for each in folder.glob(f"{_LIBRARY}*") if any(_left(each))]
    removed = [path for path in removed if path.is_dir() and not path.is_symlink()]
    for path in removed:
        shutil.rmtree(path, ignore_errors=True)
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
        with temporary_folder(there, "."):
            pass
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
