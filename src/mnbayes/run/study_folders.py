"""The folder of a study: its own ledger is gone on with, or moved aside where that is asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from mnbayes.base.problems import InputError
from mnbayes.run.keeping import Target, set_aside
from mnbayes.run.written_files import give_back
from mnbayes.studies.identity import LEDGER
from mnbayes.studies.ledger import LOCK, refuse_busy


@contextmanager
def begun(target: Target, written: Sequence[str], *, anew: bool) -> Iterator[tuple[str, ...]]:
    """The folder of a study, as it is or emptied; what was moved, in words.

    Bad input, after which nothing was written, moves it back.

    Parameters
    ----------
    target : Target
        Known by its ledger.
    written : sequence of str
        What the program writes beside the ledger; all else stays.
    anew : bool
        Whether a study that is there is moved aside.

    Raises
    ------
    InputError
        If another process is writing the ledger.
    """
    if not anew or target.seen is None:
        yield ()
        return
    place = target.place
    refuse_busy(place)
    aside = set_aside(target)
    place.mkdir()
    stayed = give_back({"written": [*written, LOCK]}, LEDGER, aside, place)
    moved = target.folder.with_name(aside.name)
    try:
        yield (f"The study that was in {target.folder} is in {moved} now.", *stayed)
    except InputError:
        for path in list(place.iterdir()):
            path.rename(aside / path.name)
        place.rmdir()
        aside.rename(place)
        raise
