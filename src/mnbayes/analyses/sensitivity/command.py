"""``mnbayes sensitivity``: what it prints and what it writes."""

from __future__ import annotations

from typing import Any

from mnbayes.analyses.sensitivity.decisions import base_of
from mnbayes.analyses.sensitivity.figure import specification_curve
from mnbayes.analyses.sensitivity.multiverse import SPECIFICATION, Multiverse
from mnbayes.analyses.sensitivity.words import (
    failed_sentences,
    flip_sentences,
    range_of,
    specification,
)
from mnbayes.answers.conclusions import Row, as_reported
from mnbayes.base.csv_files import csv_table
from mnbayes.base.labelled import marked
from mnbayes.base.text_table import Table, records
from mnbayes.base.versions import versions
from mnbayes.report.kit import wording
from mnbayes.report.kit.answer_words import heading, number
from mnbayes.report.kit.figures import svg_bytes
from mnbayes.run.keeping import Placed, Target, whole_folder
from mnbayes.run.section import Section
from mnbayes.run.written_files import write_record

MANIFEST = "sensitivity.json"


def manifest(multiverse: Multiverse) -> dict[str, Any]:
    """What a multiverse was made of and what it concludes, as plain values."""
    sampling, cohort = multiverse.sampling, multiverse.cohort
    fits = records(multiverse.fits)
    own = multiverse.definitions
    return {
        "started": multiverse.started.isoformat(timespec="seconds"),
        "synthetic": cohort.synthetic,
        "data": {
            "sha256": cohort.sha256,
            "patients": len(cohort.patients),
            "rows": len(cohort.measurements),
        },
        "seed": sampling.seed,
        "chains": sampling.chains,
        "draws": sampling.draws,
        "tune": sampling.tune,
        "definitions": own.model_dump(mode="json"),
        "decision": own.decision.probability,
        "axes": {
            axis: multiverse.table[axis].drop_duplicates().tolist() for axis in multiverse.axes
        },
        "fits": fits,
        "converged": not any(row["reason"] for row in fits),
        "compared_with": {model: base_of(multiverse, model) for model in multiverse.models},
        "flips": {model: flip_sentences(multiverse, model) for model in multiverse.models},
        "versions": versions(),
        "seconds": round(multiverse.seconds, 2),
    }


def write(multiverse: Multiverse, target: Target) -> Placed:
    """Write a multiverse's files into a folder, whole or not at all.

    ``sensitivity.csv`` and ``power_scaling.csv`` (see
    :class:`mnbayes.analyses.sensitivity.multiverse.Multiverse`), ``specification_curve.svg`` (one
    for each
    model, ``<model>_specification_curve.svg``, where there are several), and ``sensitivity.json``
    with hashes, settings and the conclusions that flip.
    """
    figures = {model: specification_curve(multiverse, model) for model in multiverse.models}
    described = manifest(multiverse)
    with whole_folder(target, converged=described["converged"]) as made:
        place = made.path
        for name, table in (
            ("sensitivity", multiverse.table),
            ("power_scaling", multiverse.power_scaling),
        ):
            synthetic = multiverse.cohort.synthetic
            (place / f"{name}.csv").write_bytes(csv_table(marked(table, synthetic)))
        for model, figure in figures.items():
            if figure is not None:
                prefix = f"{model}_" if len(figures) > 1 else ""
                (place / f"{prefix}specification_curve.svg").write_bytes(svg_bytes(figure))
        write_record(place, MANIFEST, described)
    return made.placed


def _table(multiverse: Multiverse, model: str, base: Row) -> Table:
    """Main answers: reported, prior alone, range over the specifications, power scaling."""
    power, known = multiverse.power_scaling, multiverse.cohort.catalogue
    for axis in SPECIFICATION:
        power = power[power[axis] == base[axis]]
    draws = multiverse.sampling.chains * multiverse.sampling.draws
    rows = []
    for row in records(as_reported(power, ["prior", "value"], known)):
        prior = row["prior"]
        before = (
            wording.ratio(prior)
            if row["kind"] == "gmr"
            else wording.probability_of_draws(prior, draws)
        )
        spread = range_of(multiverse, model, row)
        label = heading(row, multiverse.definitions, known)
        rows.append((label, number(row), before, spread, row["diagnosis"]))
    head = ("Answer", "Given the data", "Prior alone", "Over all", "Power scaling")
    caption = f"{model} with {specification(base)}, and over all specifications"
    return Table(caption, head, tuple(rows), frozenset({0, 4}))


def sections(multiverse: Multiverse) -> tuple[Section, ...]:
    """Of each model: what flips, what could not be fitted, and the main answers."""
    found = []
    for model in multiverse.models:
        base = base_of(multiverse, model)
        found.append(
            Section(
                name="multiverse",
                title=f"Multiverse: {model}",
                remarks=tuple(failed_sentences(multiverse, model)),
                sentences=tuple(flip_sentences(multiverse, model)),
                shown=() if base is None else (_table(multiverse, model, base),),
            )
        )
    return tuple(found)
