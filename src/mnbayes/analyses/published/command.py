"""``mnbayes published``: a paper's facts to a folder of answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mnbayes.analyses.published.card import PublishedCard, load_published_card, override_published
from mnbayes.analyses.published.fit import News, fit_published
from mnbayes.analyses.published.load_facts import load_facts
from mnbayes.analyses.published.page import render_page
from mnbayes.analyses.published.readings import Readings, parse_readings
from mnbayes.analyses.published.result import PublishedResult
from mnbayes.analyses.published.section import drawn, published_section
from mnbayes.analyses.published.specifications import OWN, brought_cards
from mnbayes.base.problems import gathered
from mnbayes.base.versions import versions
from mnbayes.base.workers import silent
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.prior_sets import joined_name, load_prior_sets, parse_setting
from mnbayes.inference.sampling import Sampling
from mnbayes.report.kit.drawing import pictures_of
from mnbayes.run.keeping import claim, new_folder
from mnbayes.run.outputs import write_beside

MANIFEST = "published.json"


@dataclass(frozen=True)
class Written:
    """What the command made.

    Attributes
    ----------
    folder : Path
    result : PublishedResult
    said : tuple of str
        Sentences on what was moved or left for it.
    """

    folder: Path
    result: PublishedResult
    said: tuple[str, ...] = ()


def describe(result: PublishedResult, facts_file: str, started: datetime) -> dict[str, Any]:
    """What ``published.json`` holds: inputs, settings and provenance as plain values."""
    card = result.card
    return {
        "started": started.isoformat(timespec="seconds"),
        "model": card.name,
        "synthetic": False,
        "invented": result.facts.invented,
        "facts": {
            "file": facts_file,
            "sha256": result.facts.sha256,
            "said": result.facts.model_dump(mode="json"),
        },
        "prior_set": result.prior_set,
        "card_sha256": card.sha256,
        "priors_sha256": card.priors_sha256,
        "priors": {name: spec.formula for name, spec in card.prior.items()}
        | {"category_shares": card.shares.formula},
        "readings": card.readings.model_dump(),
        "definitions": result.definitions.recorded(),
        "chains": result.sampling.chains,
        "draws": result.sampling.draws,
        "seed": result.sampling.seed,
        "converged": result.converged,
        "reasons": list(result.reasons),
        "withheld": list(result.withheld),
        "same_priors": result.same_priors,
        "versions": versions(),
        "seconds": round(result.seconds, 2),
    }


def run_published(
    facts: Path | None = None,
    *,
    card: Path | None = None,
    prior_sets: Sequence[str | Path] = (OWN,),
    settings: Sequence[str] = (),
    readings: Sequence[str] = (),
    definitions: Path | str | None = None,
    out: Path | None = None,
    force: bool = False,
    sampling: Sampling | None = None,
    allow_unconverged: bool = False,
    news: News = silent,
) -> Written:
    """Read a paper's facts, fit them, and write a folder.

    Parameters
    ----------
    facts : Path, optional
        Facts file; default: the trial's abstract.
    card : Path, optional
        Card of the model; default: the one that mnbayes brings.
    prior_sets : sequence of str or Path
        Names or files, as everywhere; every other named set is put beside.
    settings : sequence of str
        Single priors of this model, as ``--set`` has them.
    readings : sequence of str
        ``SWITCH=CHOICE``, such as ``remission=unknown``.
    definitions : Path or str, optional
    out : Path, optional
        Default: a new folder under ``results/published``.
    force : bool
        Whether an earlier result in that folder may be moved aside.
    sampling : Sampling, optional
    allow_unconverged : bool
    news : callable
        Called with a stage, the steps done and in all.

    Returns
    -------
    Written

    Raises
    ------
    InputError
        Everything that is wrong with the inputs; nothing was written then.
    """
    started = datetime.now(UTC)
    folder = out if out is not None else new_folder(Path("results/published"), datetime.now())
    target = claim(folder, MANIFEST, force=force, any_name=out is None)
    with gathered() as attempt:
        said = attempt(load_facts, facts)
        own: PublishedCard = attempt(load_published_card, card)
        sets = attempt(load_prior_sets, prior_sets)
        changes = [attempt(parse_setting, text) for text in settings]
        attempt(parse_readings, readings, Readings())
        response = attempt(load_definitions, definitions)
    own = own.model_copy(update={"readings": parse_readings(readings, own.readings)})
    used = override_published(own, sets, changes)
    result = fit_published(
        said,
        used,
        response,
        sampling,
        news=news,
        prior_set=joined_name(sets),
        others=brought_cards(own),
        allow_unconverged=allow_unconverged,
    )
    news("drawing", 0, 0)

    pictures = pictures_of(drawn(result), result.name)
    news("writing", 0, 0)
    section = published_section(result, pictures)
    described = describe(result, facts.name if facts is not None else "published.toml", started)
    tables = ("answers", "estimates", "probabilities", "population", "diagnostics")
    placed = write_beside(
        target,
        described,
        tables={name: getattr(result, name) for name in tables},
        trees={result.name: result.tree},
        pictures={f"{result.name}_{each.name}": each for each in pictures},
        page=render_page(section, described),
    )
    news("done", 1, 1)
    return Written(placed.folder, result, placed.said)
