"""The place that a run is written to, and what becomes of a run that is there already.

A run is never overwritten. Without ``force`` its folder is refused before anything is worked on;
with it the folder is moved aside whole, and what the program did not write stays. What is made for
a place that another run took meanwhile is kept in a folder beside it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from mnbayes.base.ending import undisturbed
from mnbayes.base.memory import check_address_space, check_memory
from mnbayes.base.new_files import (
    alone,
    check_writable,
    clear_left,
    left_whole,
    move_into,
    on_disk,
    temporary_beside,
)
from mnbayes.base.problems import InputError, Problem, TakenError
from mnbayes.base.workers import WORKER, cores
from mnbayes.run.record import MANIFEST, read_or_empty, started_at
from mnbayes.run.written_files import give_back

#: Bytes that a folder without the draws of cards needs: tables, pictures, a page, a small model.
ROOM = 10_000_000
#: Bytes of each draw for each patient and marker in ``posterior/``. The embedded cohort's run, with
#: 16 markers in five models, 8 patients and 4,000 draws, is 190 MB.
ROOM_OF_DRAW = 400
#: Bytes of memory that a run takes besides its workers, and times that a worker has what it writes.
#: The embedded cohort's run, on two cores, takes 1.5 GB in all.
_OWN, _TIMES = 200_000_000, 4


@dataclass(frozen=True)
class Target:
    """A folder that may be written to, as it was when that was asked.

    Attributes
    ----------
    folder : Path
    manifest : str
        Name of the file by which a folder of this kind is known.
    seen : str or None
        Which run was there, if one was: what ``force`` was said about.
    force : bool
    any_name : bool
        Whether the name was not asked for: where another run takes it, the next one does as well.
    said : tuple of str
        Sentences on runs that a kill had left beside it, whole, and that were put in their place.
    """

    folder: Path
    manifest: str
    seen: str | None
    force: bool
    any_name: bool = False
    said: tuple[str, ...] = ()

    @property
    def place(self) -> Path:
        """The folder itself, which a link may lead to."""
        led = self.folder.is_symlink() or self.folder.name == ".."
        return self.folder.resolve() if led else self.folder.absolute()


@dataclass(frozen=True)
class Placed:
    """Where something was written.

    Attributes
    ----------
    folder : Path
    said : tuple of str
        Sentences on what was moved or left for it.
    """

    folder: Path
    said: tuple[str, ...] = ()


@dataclass
class Whole:
    """A folder that is being written.

    Attributes
    ----------
    path : Path
        Temporary.
    placed : Placed
        Where it is once the block ended.
    """

    path: Path
    placed: Placed = field(default_factory=lambda: Placed(Path()))


def new_folder(parent: Path, started: datetime) -> Path:
    """A folder name under ``parent`` that is not taken, such as ``results/20260102-030405``."""
    return _free(parent / started.strftime("%Y%m%d-%H%M%S"))


def _free(wanted: Path) -> Path:
    """A name that nothing has: the wanted one, or with a number behind it."""
    numbered = (wanted.with_name(f"{wanted.name}-{i}") for i in count(2))
    return next(path for path in chain((wanted,), numbered) if not os.path.lexists(path))


def _beside(folder: Path, moment: datetime, why: str = "") -> Path:
    return _free(folder.with_name(f"{folder.name}{why}-{moment:%Y%m%d-%H%M%S}"))


def _keep(made: Path, folder: Path, moment: datetime, why: str = "") -> Path:
    """Rename to a free name beside a folder, also where others look for one at the same time."""
    while not move_into(made, kept := _beside(folder, moment, why)):
        pass
    return kept


def claim(
    folder: Path | Target,
    manifest: str = MANIFEST,
    *,
    force: bool = False,
    any_name: bool = False,
) -> Target:
    """Whether a folder may be written to, found out before anything is worked on.

    Temporary folders that killed processes left beside it or in the system's are removed; a run
    that is whole in one of them is put in its place.

    Parameters
    ----------
    folder : Path or Target
        A target was asked about already, and stays as it was.
    manifest : str
        Name of the file by which a folder of this kind is known.
    force : bool
        Whether a run that is there may be moved aside.
    any_name : bool
        Whether another name beside will do as well.

    Raises
    ------
    InputError
        If ``folder`` is a file, holds something that is no run, holds a run and ``force`` was not
        said, cannot be written, or lies where there is no room.
    """
    if isinstance(folder, Target):
        return folder
    if Path.cwd().is_relative_to(folder.resolve()):
        folder = folder.resolve()  # "." would lead to what is moved aside
    said = _recover(Target(folder, manifest, None, force).place.parent)
    _check_foreign(folder, manifest)
    target = Target(folder, manifest, _identity(folder / manifest), force, any_name, said)
    if target.seen is not None and not force:
        aside = _beside(target.place, _moment(folder / manifest)).name
        found = f"{folder}, which holds a run of {_dated(folder / manifest)}"
        found += "".join(f" ({sentence})" for sentence in said)
        expected = f"another folder, or --force (force=True): that run is then moved to {aside}"
        raise InputError([Problem("--out", None, None, found, expected)])
    check_writable(target.folder, ROOM)
    check_address_space()
    for parent in (target.place.parent, Path(tempfile.gettempdir())):
        clear_left(parent)
    return target


def _recover(parent: Path) -> tuple[str, ...]:
    """Put runs that were written whole before a kill where they were meant to be, or beside it."""
    said = []
    for left, name in left_whole(parent):
        place = parent / name
        with suppress(OSError), alone(parent):  # another start may be quicker
            # Its record is one of the few files of JSON; any of them has the moment.
            moment = _moment(next(iter(sorted(left.glob("*.json"))), left))
            if not move_into(left, place):
                place = _keep(left, place, moment)
            when = f"{moment:%Y-%m-%d %H:%M} UTC"
            said.append(f"A run of {when} that was stopped in its last step is in {place}.")
    return tuple(said)


def check_room(target: Target, draws: int, patients: int, markers: Sequence[int]) -> None:
    """Whether there is room for a run: where its draws are made, where they come to lie, in memory.

    Parameters
    ----------
    target : Target
    draws : int
        Of all chains.
    patients : int
    markers : sequence of int
        Of each model.

    Raises
    ------
    InputError
    """
    of_marker = ROOM_OF_DRAW * draws * patients
    need = ROOM + of_marker * sum(markers)
    check_writable(target.folder, need)
    temporary = Path(tempfile.gettempdir())
    check_writable(temporary, need, "TMPDIR", temporary)
    together = sorted(markers)[-cores() :]
    memory = len(together) * WORKER + _TIMES * of_marker * sum(together)
    check_memory(_OWN + memory, "fewer draws (--draws, --chains) or smaller models (--model)")


def _check_foreign(folder: Path, manifest: str) -> None:
    expected = f"a new folder, an empty one or, with --force, one that holds a run's {manifest}"
    found = ""
    if folder.is_dir():
        with suppress(PermissionError):  # said by the check whether it can be written
            if any(folder.iterdir()) and not (folder / manifest).is_file():
                found = "which holds other files"
    elif any(parent.exists() and not parent.is_dir() for parent in folder.parents):
        found = "which lies in a file"
    elif folder.exists() or folder.is_symlink():
        found = "which is a file"
    if found:
        raise InputError([Problem("--out", None, None, f"{folder}, {found}", expected)])


@contextmanager
def whole_folder(
    folder: Path | Target, manifest: str = MANIFEST, *, converged: bool = True
) -> Iterator[Whole]:
    """A temporary folder that comes to its place when the block succeeds.

    It lies beside its place, so that the move is a rename. If the block fails or the process is
    killed, what the place held before is untouched.

    Parameters
    ----------
    folder : Path or Target
    manifest : str
        Of a path; see :func:`claim`.
    converged : bool
        What did not converge comes to lie beside what did.

    Raises
    ------
    InputError
        See :func:`claim`.
    TakenError
        If another run took the place meanwhile, or what is there cannot be moved. What was made is
        kept beside it.
    """
    target = claim(folder, manifest)
    with temporary_beside(target.place) as temporary:
        made = Whole(temporary)
        yield made
        whole = on_disk(temporary)
        with alone(target.place.parent), undisturbed():
            try:
                placed = _settle(target, whole, converged)
            except OSError as error:
                found = f"which could not be taken ({error.strerror or error})"
                raise _taken(target, whole, found) from error
        made.placed = replace(placed, said=(*target.said, *placed.said))


def _settle(target: Target, made: Path, converged: bool) -> Placed:
    place, named = target.place, target.folder
    moment = _moment(made / target.manifest)
    now = _identity(place / target.manifest)
    if target.any_name:
        while not move_into(made, free := _free(place)):
            pass
        return Placed(named.with_name(free.name))
    if now is None:
        if not move_into(made, place):
            raise _taken(target, made)
        return Placed(named)
    if now != target.seen or not target.force:  # not the run that force was said about
        raise _taken(target, made)
    before = read_or_empty(place / target.manifest)
    when = _dated(place / target.manifest)
    if not converged and before.get("converged", True) is not False:
        kept = _keep(made, place, moment, "-unconverged")
        said = f"{named} keeps its run of {when}, which converged; this one did not: it is in"
        return Placed(named.with_name(kept.name), (f"{said} {named.with_name(kept.name)}.",))
    try:
        aside = set_aside(target)
    except FileNotFoundError:  # another process was quicker, where there is no lock
        raise _taken(target, made) from None
    try:
        if not move_into(made, place):
            raise _taken(target, made)
    except BaseException:
        if not os.path.lexists(place):
            aside.rename(place)
        raise
    said = f"The run of {when} that was in {named} is in {named.with_name(aside.name)} now."
    return Placed(named, (said, *give_back(before, target.manifest, aside, place)))


def set_aside(target: Target) -> Path:
    """Move the run that is in a place to a free name beside it, with its time."""
    return _keep(target.place, target.place, _moment(target.place / target.manifest))


def _taken(
    target: Target, made: Path, found: str = "which another run took meanwhile"
) -> TakenError:
    """Keep what was made for a place that it cannot have; say where."""
    kept = _keep(made, target.place, _moment(made / target.manifest))
    expected = f"a folder for this run alone: it is complete, and kept in {kept.name} beside it"
    return TakenError([Problem("--out", None, None, f"{target.folder}, {found}", expected)])


def _identity(record: Path) -> str | None:
    """What tells a run from any other, also from one with the same record."""
    try:
        known = record.stat()
        content = hashlib.sha256(record.read_bytes()).hexdigest()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return str(error)
    return f"{content} {known.st_ino} {known.st_mtime_ns}"


def _moment(record: Path) -> datetime:
    """When what is in a folder was started; where that is not recorded, when it was written."""
    started = started_at(read_or_empty(record))
    if started is not None:
        return started
    try:
        return datetime.fromtimestamp(record.stat().st_mtime, UTC)
    except OSError:
        return datetime.now(UTC)


def _dated(record: Path) -> str:
    return f"{_moment(record):%Y-%m-%d %H:%M} UTC"
