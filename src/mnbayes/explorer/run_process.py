"""The process of “run this”: what a page says, fitted and written as ``mnbayes fit`` would.

It ends with the explorer: it reads to the end of what it is told, which comes when the explorer is
gone, however that went.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnbayes.base.problems import InputError
from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.base.threads import use_one_thread
from mnbayes.cards.card import restore_card
from mnbayes.cards.prior_sets import joined_name
from mnbayes.data.cohort import load_cohort
from mnbayes.explorer.case import Case
from mnbayes.explorer.saving import Author, prior_set_of
from mnbayes.explorer.settings import read_settings
from mnbayes.inference.sampling import Sampling
from mnbayes.pipeline import Job, run_job
from mnbayes.run.keeping import claim, new_folder

#: Seconds in which a run that is told to end may clear away what it has begun.
_LONGEST_END = 30.0


def _until_the_end() -> None:
    """End this process with the one that asked: as Ctrl-C would, so that nothing is left."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_LONGEST_END)
    os._exit(1)


def run(told: Mapping[str, Any]) -> str:
    """Fit what a page says as ``mnbayes fit`` would, and write its folder.

    Returns
    -------
    str
        A sentence: where the folder is.
    """
    folder = told["folder"]
    cohort = load_cohort(folder if folder is not None else embedded_cohort_folder())
    cards = tuple(restore_card(each, str(each.get("name"))) for each in told["models"])
    place = None if folder is None else Path(folder)
    case = Case(cohort, cards, place, tuple(told["files"]), told["definitions"])
    settings = read_settings(told["settings"], cards[0].name)
    sets = case.sets(settings.sets)
    if case.changes(settings):
        author = Author(**told["author"])
        sets = (*sets, prior_set_of(case, settings, author, datetime.now(UTC)))
    out = new_folder(Path(told["out"]), datetime.now())
    job = Job(
        cohort=case.cohort_of(settings),
        cards=(case.card(settings),),
        definitions=case.definitions_of(settings),
        sampling=Sampling(seed=settings.seed, engine="auto"),
        prior_set=joined_name(sets),
        prior_sets=sets,
    )
    target = claim(out, any_name=True)

    def told_of(model: str, stage: str, done: int, total: int) -> None:
        if done == 0:
            print(f"{model}: {stage} …", flush=True)

    finished = run_job(job, target, told_of)
    state = "" if finished.converged else " It did not converge: its probabilities are withheld."
    return f"Done: {(finished.folder or out) / 'report.html'}.{state}"


def main() -> None:
    """Read one line, run it, say where it is."""
    told = json.loads(sys.stdin.readline())
    threading.Thread(target=_until_the_end, daemon=True).start()
    try:
        print(run(told), flush=True)
    except InputError as error:
        print(f"Nothing was written. {error}", flush=True)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    use_one_thread()
    main()
