"""Run a study to its end, from wherever its ledger stands."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from time import monotonic

import pandas as pd

from mnbayes.base.problems import InputError, Problem
from mnbayes.base.workers import News, cores, silent
from mnbayes.studies.batches import packed
from mnbayes.studies.cluster import cluster
from mnbayes.studies.ledger import Ledger, open_ledger, peek, refuse_busy
from mnbayes.studies.pending import Pending
from mnbayes.studies.places import Here, Place, Returned, UnusableError
from mnbayes.studies.processes import processes
from mnbayes.studies.records import record
from mnbayes.studies.rerun import check_numbers
from mnbayes.studies.study import Study

#: Batches in hand for each thread, so that none waits for the next one.
_AHEAD = 2
_POLL = 0.5  # seconds between looks at the workers
#: Batches lost with their workers, none finished in between, after which something else is wrong
#: than one replicate.
_DEATHS = 12


class StudyStoppedError(RuntimeError):
    """A study cannot go on for now; its ledger keeps what was done, a restart goes on from it."""


def run_study(
    study: Study,
    folder: Path | str,
    *,
    scheduler: str | None = None,
    workers: int | None = None,
    news: News = silent,
    patience: float = 900.0,
) -> pd.DataFrame:
    """Run a study, or what its ledger still lacks, and return all its replicates.

    It may be killed at any moment, driver or workers, and started again: what was recorded is
    kept, the rest is done, and the table is the same as that of an undisturbed run.

    Parameters
    ----------
    study : Study
    folder : path
        Where its ledger is or will be.
    scheduler : str, optional
        Address of a running Dask cluster, such as ``tcp://host:8786``, whose scheduler and workers
        have the same mnbayes. Without it, processes on this machine.
    workers : int, optional
        Processes on this machine, of one thread each: one for each core by default. 0 works in
        this process: for small studies, tests and debuggers.
    news : callable
        Called with the study's name, a stage (``starting``, ``running``, ``waiting`` for workers,
        ``done``), and the replicates done and in all; about twice a second.
    patience : float
        Seconds without any finished batch after which the study is stopped. A first batch may have
        to compile.

    Returns
    -------
    DataFrame
        One row for each replicate, in the order of cells and replicates: ``cell``, the cell's
        parameters, ``replicate``, ``failure`` (blank where there was none), the study's columns
        (blank where it failed).

    Raises
    ------
    InputError
        If the folder holds another study's ledger, one in use, or one whose first replicate comes
        out otherwise now; or if the cluster cannot be used. Nothing was written then.
    StudyStoppedError
        If the cluster went away, or workers die or hang. What was done is recorded.
    OSError
        If the disk does not take the ledger.
    """
    folder = Path(folder)
    _check_workers(scheduler, workers)
    ledger = peek(study, folder)
    if ledger.count:
        check_numbers(study, ledger.table())
    if ledger.missing():
        refuse_busy(folder)
        news(study.name, "starting", ledger.count, study.total)
        # The ledger is opened second: with a wrong address nothing is written.
        with (
            _place(study, scheduler, workers, study.total - ledger.count) as place,
            open_ledger(study, folder) as ledger,
        ):
            drive(study, place, ledger, news, patience)
    news(study.name, "done", ledger.count, study.total)
    return ledger.table()


def _check_workers(scheduler: str | None, workers: int | None) -> None:
    if workers is not None and (scheduler is not None or workers < 0):
        expected = "0 or more" if scheduler is None else "no number: the cluster has its own"
        raise InputError([Problem("--workers", None, None, str(workers), expected)])


def _place(
    study: Study, scheduler: str | None, workers: int | None, missing: int
) -> AbstractContextManager[Place]:
    pack = packed(study)
    if scheduler is not None:
        return cluster(scheduler, pack)
    if workers == 0:
        return nullcontext(Here(pack))

    return processes(min(workers or cores(), missing), pack)


def drive(study: Study, place: Place, ledger: Ledger, news: News, patience: float) -> None:
    """Hand out what a ledger lacks and record what comes back, until nothing is lacking.

    Raises
    ------
    StudyStoppedError
        As :func:`run_study`.
    """
    pending = Pending(ledger.missing())
    in_hand, threads, deaths = 0, 0, 0
    looked, progress = -_POLL, monotonic()
    try:
        while pending or in_hand:
            now = monotonic()
            if now - progress > patience:
                raise UnusableError(f"no batch came back for {patience:g} s ({threads} threads)")
            if now - looked > _POLL:
                threads, looked = place.threads(), now
                stage = "running" if threads else "waiting"
                news(study.name, stage, ledger.count, study.total)
            while in_hand < _AHEAD * threads and (batch := pending.take(threads, not in_hand)):
                place.submit(batch)
                in_hand += 1
            back = place.collect(_POLL)
            in_hand -= len(back)
            finished = _settle(study, back, pending, ledger)
            deaths = 0 if finished else deaths + sum(each.died for each in back)
            if deaths >= _DEATHS:
                raise UnusableError(f"workers died with {deaths} batches in a row")
            progress = monotonic() if finished else progress
    except UnusableError as error:
        raise StudyStoppedError(
            f"{study.name} stopped: {error}. {ledger.count:,} of {study.total:,} replicates are "
            "recorded; the same command goes on from there."
        ) from error


def _settle(study: Study, back: list[Returned], pending: Pending, ledger: Ledger) -> bool:
    """Record what came back, queue again what was not done; whether anything was recorded."""
    records = []
    for batch, outcome, died in back:
        if outcome is not None:
            records.append(outcome.payload)
            pending.put_back(batch, outcome.done)
        elif not died:
            pending.put_back(batch)
        elif not pending.suspect(batch):
            # Alone, and as often as the place tries: it is this replicate that kills.
            ((cell, replicate, _),) = batch
            reason = "WorkerDied: every process that tried this replicate died (memory? a crash?)"
            records.append(record(study.columns, [(cell, replicate, {}, reason)]))
    if records:
        ledger.append(records)
    return bool(records)
