"""Prior sensitivity of one run: what power scaling says of each model, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from mnbayes.analyses.sensitivity import part as sensitivity_part
from mnbayes.analyses.sensitivity.figure import power_scaling
from mnbayes.analyses.sensitivity.power_scaling import CONFLICT, POWERS, STRONG_PRIOR, THRESHOLD
from mnbayes.analyses.sensitivity.words import Row
from mnbayes.answers.conclusions import CLOSE, as_reported, conclusion, flip
from mnbayes.answers.result import Result
from mnbayes.base.text_table import Table, records
from mnbayes.cards.card import available_cards
from mnbayes.cards.definitions import Definitions
from mnbayes.data.embedded import is_embedded
from mnbayes.data.markers import Catalogue
from mnbayes.inference.importance_weights import highest_khat
from mnbayes.report.kit import wording
from mnbayes.report.kit.answer_words import answer, heading, lines_text, number
from mnbayes.report.kit.results import joined, primary_model, prior_text, shown
from mnbayes.report.kit.wording import PARAMETER_LABELS
from mnbayes.run.analysis import Analysis, Shown
from mnbayes.run.needs import a_card
from mnbayes.run.run import Run
from mnbayes.run.section import Drawn, Section, Tidy

_COUNTS = {"half": "half", "double": "twice"}
_EXPLAINED = {
    CONFLICT: "both the priors and the data move it, so it is a compromise between them",
    STRONG_PRIOR: "the priors move it and the data hardly do, so it repeats what was assumed",
}


@dataclass(frozen=True)
class PowerScaling:
    """What the report says of one model.

    Attributes
    ----------
    verdict : str
        Which conclusions move when the priors count half or twice, or that none does.
    flips : tuple of str
        One for each conclusion that moves.
    diagnoses : tuple of str
        Which answers are sensitive to the priors, or that none is; and what cannot be relied on.
    table : Table
    """

    verdict: str
    flips: tuple[str, ...]
    diagnoses: tuple[str, ...]
    table: Table


def _flips(
    rows: list[Row], definitions: Definitions, line: float, known: Catalogue
) -> list[tuple[str, str]]:
    """Conclusions that move: the kind of flip, and the sentence."""
    found: list[tuple[str, str]] = []
    for row in rows:
        if row["kind"] in ("gmr", "population"):
            continue
        for ending in POWERS:
            pair = [(row[f"value{end}"], row[f"mcse{end}"]) for end in ("", f"_{ending}")]
            kind = flip(pair[0], pair[1], line)
            if kind != "no":
                then, now = (conclusion(value, line) for value, _ in pair)
                found.append(
                    (
                        kind,
                        f"If the priors counted {_COUNTS[ending]}, "
                        f"{answer(row, definitions, known)} would go from {number(row)}, "
                        f"{then}, to "
                        f"{number(row, f'_{ending}')}, {now}.",
                    )
                )
    return found


def _verdict(found: list[tuple[str, str]], line: float) -> str:
    sure = sum(kind == "yes" for kind, _ in found)
    close = len(found) - sure
    doubt = ""
    if close:
        doubt = (
            f" {close}{' more' if sure else ''} would come within Monte Carlo error of the line."
        )
    if not sure:
        return (
            "No conclusion moves under power scaling: whether the priors count half or twice, no "
            f"probability crosses {lines_text(line)}.{doubt}"
        )
    verb = "conclusion moves" if sure == 1 else "conclusions move"
    return f"{sure} {verb} under power scaling.{doubt}"


def _subject(row: Row, definitions: Definitions, known: Catalogue) -> str:
    """The quantity behind an answer."""
    if row["marker"]:
        marker = known[row["marker"]]
        return f"the {marker.ratio} of {wording.in_text(marker)} to baseline"
    return f"the share of such patients with {definitions.called(row['category'])}"


def _sensitive(rows: list[Row], definitions: Definitions, known: Catalogue) -> list[str]:
    """Which quantities are sensitive to the priors, and to which most; or that none is."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["diagnosis"] in _EXPLAINED:
            key = (row["diagnosis"], row["strongest_prior"])
            if (subject := _subject(row, definitions, known)) not in groups.setdefault(key, []):
                groups[key].append(subject)
    if not groups:
        return [
            "Power scaling finds no answer sensitive to the priors: every prior sensitivity is "
            f"below {THRESHOLD:g}."
        ]
    sentences = []
    for (diagnosis, parameter), subjects in groups.items():
        what = PARAMETER_LABELS[parameter]
        text = (
            f"{diagnosis}: {wording.listed(subjects)}. Of each of them, {_EXPLAINED[diagnosis]}."
            if len(subjects) > 1
            else f"{diagnosis}: {subjects[0]}. {_EXPLAINED[diagnosis].capitalize()}."
        )
        sentences.append(f"{wording.capital(text)} Most of it comes from the prior of the {what}.")
    return sentences


def _unreliable(rows: list[Row], draws: int) -> list[str]:
    """What is left blank because the weights are too uneven."""
    sentences = []
    for ending in POWERS:
        khat = max((row[f"khat_{ending}"] for row in rows), default=float("nan"))
        if khat > highest_khat(draws):
            sentences.append(
                f"Priors that count {_COUNTS[ending]} are too far from these draws to be worked "
                f"out from them (Pareto shape {khat:.2f}, reliable up to "
                f"{highest_khat(draws):.2f}): those answers are left out. A refit tells."
            )
    return sentences


def _sensitivity(value: float) -> str:
    return wording.BLANK if np.isnan(value) else f"{value:.2f}"


def _diagnosis(row: Row) -> str:
    """The diagnosis, and whether Monte Carlo error may have decided it."""
    error = np.nan_to_num(row["prior_sensitivity_mcse"])
    near = abs(row["prior_sensitivity"] - THRESHOLD) < CLOSE * error
    text = row["diagnosis"] or "too few draws"
    return f"{text} (near the line)" if near else text


def _table(result: Result, rows: list[Row], definitions: Definitions) -> Table:
    texts = [
        (
            heading(row, definitions, result.catalogue),
            number(row),
            wording.ratio(row["prior"])
            if row["kind"] == "gmr"
            else prior_text(result, row["prior"]),
            number(row, "_half"),
            number(row, "_double"),
            _sensitivity(row["prior_sensitivity"]),
            _sensitivity(row["likelihood_sensitivity"]),
            _diagnosis(row),
        )
        for row in rows
    ]
    khats = [row[f"khat_{ending}"] for row in rows for ending in POWERS]
    errors = [
        row[f"mcse{end}"]
        for row in rows
        for end in ("", "_half", "_double")
        if row["kind"] != "gmr"
    ]
    worst = float(np.nanmax(errors)) if np.isfinite(errors).any() else float("nan")
    shape = max(khats, default=float("nan"))
    caption = (
        f"Answers at {wording.week_name(result.primary_week)} if the priors counted half or "
        "twice. "
        f"Largest Monte Carlo standard error of a probability: {wording.points(worst)} points. "
        f"Largest Pareto shape of the weights: {shape:.2f} (reliable up to "
        f"{highest_khat(_draws(result)):.2f}). Sensitivities count from {THRESHOLD:g} on."
    )
    head = (
        *("Answer", "Given the data", "Prior alone", "Priors count half", "Priors count twice"),
        *("Prior sensitivity", "Data sensitivity", "Diagnosis"),
    )
    return Table(caption, head, tuple(texts), frozenset({0, 7}))


def _draws(result: Result) -> int:
    sizes = result.fit.tree["posterior"].sizes
    return int(sizes["chain"] * sizes["draw"])


def power_scaling_of(result: Result, definitions: Definitions, line: float) -> PowerScaling:
    """What the report says of a model's power scaling.

    Parameters
    ----------
    result : Result
        Not withheld.
    definitions : Definitions
    line : float
        The definitions' decision probability.
    """
    numbers = ["prior", "value", *(f"value_{ending}" for ending in POWERS)]
    rows: list[Row] = list(
        records(as_reported(sensitivity_part.of(result), numbers, result.catalogue))
    )
    found = _flips(rows, definitions, line, result.catalogue)
    return PowerScaling(
        _verdict(found, line),
        tuple(sentence for kind, sentence in found if kind == "yes"),
        (*_sensitive(rows, definitions, result.catalogue), *_unreliable(rows, _draws(result))),
        _table(result, rows, definitions),
    )


def multiverse_command(run: Run) -> str:
    """The command that refits this run's models under other assumptions."""
    parts = ["mnbayes sensitivity"]
    if not is_embedded(run.cohort):
        source = run.cohort.source
        parts.append(f"--data {source if ' ' not in source else repr(source)}")
    known = {*available_cards(), *run.catalogue}  # a marker's name asks for its card
    parts += [f"--model {result.name}" for result in run.results if result.name in known]
    return " ".join(parts)


def _moved(result: Result, definitions: Definitions) -> str:
    """What the picture shows, in words: which answer the priors move most."""
    table = sensitivity_part.of(result)
    kept = table[table["value_half"].notna() & table["value_double"].notna()]
    if kept.empty:
        return f"0 of {len(table)} answers could be reweighted"
    row = records(kept.loc[[kept["prior_sensitivity"].idxmax()]])[0]
    words = wording.ratio if row["kind"] == "gmr" else wording.percent
    half, now, twice = (words(row[name]) for name in ("value_half", "value", "value_double"))
    return (
        f"Of {len(table)} answers the priors move most {answer(row, definitions, result.catalogue)}"
        f": {half} if they counted half, {now} as they are, {twice} if they counted twice"
    )


def figures(result: Result, how: Shown) -> Sequence[Drawn]:
    """The main answers if the priors counted half or twice."""
    if how.repeated or result.withheld or sensitivity_part.of(result).empty:
        return ()
    return [
        Drawn(
            "power_scaling",
            "Main answers if the priors counted half or twice",
            _moved(result, how.definitions),
            partial(power_scaling, result, how.definitions, how.synthetic),
        )
    ]


def section(run: Run) -> Section:
    """Power scaling of a run, and how to ask for the multiverse."""
    model = primary_model([r for r in shown(run) if not sensitivity_part.of(r).empty])
    line = run.definitions.decision.probability
    first = None if model is None else power_scaling_of(model, run.definitions, line)
    return Section(
        name=ANALYSIS.name,
        title=ANALYSIS.title,
        absent="" if first else "power scaling was not worked out",
        tables={
            "power_scaling": Tidy(joined(sensitivity_part.of(result) for result in run.results))
        },
        pictures=run.pictures.get(ANALYSIS.name, {}),
        sentences=(first.verdict, *first.flips, *first.diagnoses) if first else (),
        shown=(first.table,) if first else (),
        template="sensitivity/section.html.j2",
        annex="sensitivity/annex.html.j2" if first else "",
        words={
            "own": first,
            "name": model.name if model else "",
            "multiverse_command": multiverse_command(run),
            "sensitivity_threshold": THRESHOLD,
        },
    )


ANALYSIS = Analysis(
    name="sensitivity",
    title="Power scaling",
    section=section,
    part="overturns",
    of_model=sensitivity_part.find,
    figures=figures,
    draws={
        "power_scaling": "draws that can be weighted by its priors",
    },
    needs=a_card,
)
