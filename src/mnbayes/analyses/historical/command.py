"""``mnbayes historical``: a table of earlier studies to a folder of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnbayes.analyses.historical.card import load_historical_card
from mnbayes.analyses.historical.fit import HistoricalResult, News, fit_historical
from mnbayes.analyses.historical.page import render_historical
from mnbayes.analyses.historical.section import drawn, historical_section
from mnbayes.analyses.historical.table import load_historical
from mnbayes.base.versions import versions
from mnbayes.base.workers import silent
from mnbayes.inference.sampling import Sampling
from mnbayes.report.kit.drawing import pictures_of
from mnbayes.run.keeping import claim, new_folder
from mnbayes.run.outputs import write_beside

MANIFEST = "historical.json"
#: Tables of a result and the files they are written to.
FILES = {
    "rates": "rates",
    "arms": "arms",
    "conflict": "conflict",
    "left_out": "left_out",
    "readings": "readings",
    "diagnostics": "diagnostics",
}


@dataclass(frozen=True)
class WrittenHistory:
    """What the command made.

    Attributes
    ----------
    folder : Path
    result : HistoricalResult
    said : tuple of str
        Sentences on what was moved or left for it.
    """

    folder: Path
    result: HistoricalResult
    said: tuple[str, ...] = ()


def describe(result: HistoricalResult, started: datetime) -> dict[str, Any]:
    """What ``historical.json`` holds: inputs, settings, the mixture and provenance."""
    card, mixture = result.card, result.mixture
    return {
        "started": started.isoformat(timespec="seconds"),
        "model": card.name,
        "synthetic": False,
        "table": {
            "file": result.table.file,
            "sha256": result.table.sha256,
            "arms": len(result.table.rows),
            "studies": len(result.table.studies),
        },
        "card": card.model_dump(mode="json"),
        "card_sha256": card.sha256,
        "priors": {name: spec.formula for name, spec in card.prior.items()},
        "chains": result.sampling.chains,
        "draws": result.sampling.draws,
        "seed": result.sampling.seed,
        "diagnostics": result.gate.as_dict(),
        "converged": result.converged,
        "withheld": list(result.withheld),
        "mixture": None
        if mixture is None
        else {
            "weight": mixture.weight.tolist(),
            "a": mixture.a.tolist(),
            "b": mixture.b.tolist(),
            "elir": result.ess,
        },
        "versions": versions(),
        "seconds": {stage: round(taken, 2) for stage, taken in result.seconds.items()},
    }


def run_historical(
    table: Path | None = None,
    model: Path | None = None,
    settings: Sequence[str] = (),
    out: Path | None = None,
    sampling: Sampling | None = None,
    news: News = silent,
    *,
    refits: bool = True,
    allow_unconverged: bool = False,
    force: bool = False,
) -> WrittenHistory:
    """Fit the historical model and write its folder: what ``mnbayes historical`` does.

    Parameters
    ----------
    table, model : Path, optional
        Table of counts and card; default: those that mnbayes brings.
    settings : sequence of str
        Such as ``between_study_sd.sigma=0.5``.
    out : Path, optional
        Default: a new folder under ``results/historical/``.
    sampling : Sampling, optional
    news : callable, optional
        As of :func:`mnbayes.analyses.historical.fit.fit_historical`.
    refits, allow_unconverged : bool
    force : bool
        Whether an earlier result in that folder may be moved aside.

    Returns
    -------
    WrittenHistory
        Its ``result.converged`` decides the exit status.

    Raises
    ------
    InputError
        With every problem of table, card and settings; nothing is written then.
    """
    started = datetime.now(UTC)
    folder = out or new_folder(Path("results") / "historical", datetime.now())
    target = claim(folder, MANIFEST, force=force, any_name=out is None)
    card = load_historical_card(model, settings)
    counts = load_historical(table, card.classes)
    result = fit_historical(
        counts, card, sampling, news, refits=refits, allow_unconverged=allow_unconverged
    )
    news("drawing", 0, 0)
    pictures = pictures_of(drawn(result), result.card.name)
    section = historical_section(result, pictures)
    described = describe(result, started)
    placed = write_beside(
        target,
        described,
        tables={file: getattr(result, name) for name, file in FILES.items()},
        trees={"historical": result.tree},
        pictures={each.name: each for each in pictures},
        page=render_historical(section, described),
    )
    return WrittenHistory(placed.folder, result, placed.said)
