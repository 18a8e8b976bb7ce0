"""Tables of the priors: what they are, and how far the primary answers depend on them."""

from __future__ import annotations

import numpy as np

from mnbayes.answers.answer_table import FITTED
from mnbayes.base.problems import InputError
from mnbayes.base.text_table import Table
from mnbayes.cards.card import load_card
from mnbayes.exports.answers import withheld
from mnbayes.exports.participants import Made
from mnbayes.exports.robustness import (
    KINDS,
    Row,
    absent,
    answers_head,
    legend,
    main_answers,
    marked,
    number,
)
from mnbayes.exports.source import Source
from mnbayes.report.kit import wording
from mnbayes.run.record import texts_of

#: Endings of the columns in which the priors count half and twice.
_ENDS = ("half", "double")


def priors(source: Source) -> Made | str:
    """Every prior of the primary model."""
    stated = source.models[source.primary].get("priors")
    if not stated:
        return "the primary model is somebody's own, whose file states its priors"
    why = reasons(source)
    rows = tuple(
        (
            parameter,
            wording.PARAMETER_LABELS.get(parameter, ""),
            source.known[marker].label if marker in source.known else "all",
            formula,
            *why.get((parameter, marker, formula), (wording.BLANK, wording.BLANK)),
        )
        for parameter, by_marker in stated.items()
        for marker, formula in by_marker.items()
    )
    sets = source.run.manifest.get("prior_sets") or []
    notes = [f"Prior set {each['name']}: {each['why']}" for each in sets]
    changed = texts_of(source.run.manifest, "settings")
    notes += [f"Set by hand: {', '.join(changed)}."] if changed else []
    later = source.run.manifest.get("post_hoc") or []
    notes += ["Priors were changed after an earlier fit to the same data."] if later else []
    head = ("Parameter", "What it is", "Marker", "Prior", "Reason", "Source")
    caption = f"Priors of the primary model ({source.primary}), on the models' log scale"
    return Made(Table(caption, head, rows, frozenset(range(6)), wide=True), tuple(notes))


def reasons(source: Source) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Reason and source of each prior that stands in the card as the run had it.

    A run records the priors themselves; a card that this version brings says the rest of those
    that nobody changed. By parameter, marker ("model" where there is one for all) and prior.
    """
    try:
        card = load_card(source.primary, known=source.known)
    except InputError:
        return {}  # a card of the user's own, or made for the cohort
    stated = source.models[source.primary].get("priors", {})
    return {
        (parameter, marker or "model", spec.formula): (spec.why, spec.source)
        for parameter, table in card.prior.items()
        for marker, spec in table.items()
        if stated.get(parameter, {}).get(marker or "model") == spec.formula
    }


def prior_sensitivity(source: Source) -> Made | str:
    """The primary answers when the priors count half or twice, and under the priors alone."""
    why = absent(source, "power_scaling", "the run has no power scaling of the primary model")
    if why:
        return why
    main = main_answers(source, source.table("power_scaling", source.primary))
    rows = [
        ("Prior alone", *(_before(source, row) for row in main.values())),
        (
            "Priors count half",
            *(marked(source, r, r, "_half") if r else "" for r in main.values()),
        ),
        ("Priors as stated", *(number(row) for row in main.values())),
        (
            "Priors count twice",
            *(marked(source, r, r, "_double") if r else "" for r in main.values()),
        ),
    ]
    found = [
        f"{column}: {row['diagnosis']} (most of it from {row['strongest_prior']})."
        for column, row in zip(answers_head(source), main.values(), strict=False)
        if row and row["diagnosis"] != "none"
    ]
    found += [
        "Where no number stands, the draws are too few or too far from what the weights ask for."
    ] * any(np.isnan(row[f"value_{end}"]) for row in main.values() if row for end in _ENDS)
    weights = [row[f"khat_{end}"] for row in main.values() if row for end in _ENDS]
    largest = wording.ratio(max(weights, default=np.nan))
    head = ("Priors", *(text.removesuffix(" (95 % interval)") for text in answers_head(source)))
    caption = (
        "Sensitivity to the priors, by power scaling, of the answers at "
        f"{wording.week_name(source.week)}"
    )
    notes = (
        "Power scaling (Kallioinen et al. 2024) reweights the draws as though the top-level "
        f"priors counted half or twice; largest Pareto k {largest} (reliable below 0.7). "
        f"Model: {source.primary}, prior set {source.run.manifest.get('prior_set', '')}.",
        legend(source),
        *found,
    )
    cut = tuple(row[: len(head)] for row in rows)
    return Made(Table(caption, head, cut), notes)


def prior_sets(source: Source) -> Made | str:
    """The primary answers refitted under other prior sets."""
    if source.withheld(source.primary):
        return withheld(source, source.primary)
    by = refits(source)
    if not by and source.refits is None:
        return (
            "the run has no refit of its primary model under other prior sets: mnbayes sensitivity "
            "makes them, and its folder is given with --sensitivity"
        )
    if not by:
        return "the folder of --sensitivity has no refit of the primary model as the run has it"
    own = str(source.run.manifest.get("prior_set", ""))
    base = by.get(own, next(iter(by.values())))
    rows = tuple(
        (
            f"{name} (primary analysis)" if name == own else name,
            *(
                marked(source, base[kind], answers[kind]) if answers[kind] else wording.BLANK
                for kind in KINDS
            ),
        )
        for name, answers in by.items()
    )
    alone = tuple(
        (
            f"{name}, prior alone",
            *(_before(source, answers[kind]) for kind in KINDS),
        )
        for name, answers in by.items()
    )
    head = ("Prior set", *answers_head(source))
    told = [row for row in alone if any(cell != wording.BLANK for cell in row[1:])]
    cut = tuple(row[: len(head)] for row in (*rows, *told))
    caption = f"Prior sets: refits, answers at {wording.week_name(source.week)}"
    return Made(
        Table(caption, head, cut),
        (
            f"Each set refitted. Model: {source.primary}.",
            legend(source),
        ),
    )


def _before(source: Source, row: Row) -> str:
    """An answer under the prior alone."""
    value = float(row.get("prior", np.nan))
    if np.isnan(value):
        return wording.BLANK
    return wording.ratio(value) if row["kind"] == "gmr" else source.prior(value, source.primary)


def refits(source: Source) -> dict[str, dict[str, Row]]:
    """Primary answers by prior set, under the structure that the run's primary model has.

    Those of ``mnbayes sensitivity`` where its folder is given, else the run's own. A set whose fit
    did not converge has none.
    """
    if source.refits is None:
        rows = source.table("prior_sets", source.primary)
        if rows.empty:
            return {}
        fitted = str(source.run.manifest.get("prior_set", ""))
        rows = rows.assign(prior_set=rows["prior_set"].replace({FITTED: fitted}))
    else:
        own = source.models[source.primary].get("structure", {})
        rows = source.refits[source.refits["model"] == source.primary]
        for axis in ("residual", "trajectory"):
            rows = rows[rows[axis] == own.get(axis)]
    found = {str(n): main_answers(source, p) for n, p in rows.groupby("prior_set", sort=False)}
    return {name: answers for name, answers in found.items() if answers["gmr"]}
