"""How the report, the terminal and the files of a multiverse put prior sensitivity into words."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from mnbayes.analyses.sensitivity.decisions import base_of, flips, specifications
from mnbayes.analyses.sensitivity.multiverse import SPECIFICATION, Multiverse
from mnbayes.answers.conclusions import CONCLUDED, as_reported
from mnbayes.answers.conclusions import Row as Row
from mnbayes.base.number_words import between
from mnbayes.base.text_table import records
from mnbayes.report.kit import wording
from mnbayes.report.kit.answer_words import answer, lines_text, number
from mnbayes.report.kit.wording import probability

_STRUCTURES = {
    ("residual", "normal"): "normal residuals",
    ("residual", "student_t"): "Student-t residuals",
    ("trajectory", "step"): "a constant step",
    ("trajectory", "drift"): "a drift",
}
#: Specifications named one by one in a sentence.
NAMED = 4


def axis_value(axis: str, value: object) -> str:
    """One choice of a specification: "prior set sceptical", "effective.fall 0.25"."""
    if axis == "prior_set":
        return f"prior set {value}"
    if (axis, str(value)) in _STRUCTURES:
        return _STRUCTURES[axis, str(value)]
    return f"{axis} {value:g}" if isinstance(value, float) else f"{axis} {value}"


def specification(name: Row) -> str:
    """A specification in words, its model left out."""
    return ", ".join(axis_value(axis, value) for axis, value in name.items() if axis != "model")


def covered(chosen: pd.DataFrame, everything: pd.DataFrame) -> list[str]:
    """The shortest words for some specifications: choices that are among them throughout.

    Parameters
    ----------
    chosen, everything : DataFrame
        One row for each specification, one column for each axis.

    Returns
    -------
    list of str
        Such as "prior set sceptical & effective.fall 0.25", each true of specifications of
        ``chosen`` alone; together they name all of them.
    """
    axes = [str(axis) for axis in everything.columns if len(everything[axis].unique()) > 1]
    if not axes:
        return [specification(records(everything)[0])]
    wanted = set(chosen[axes].itertuples(index=False, name=None))
    left, found = set(wanted), []
    for size in range(1, len(axes) + 1):
        for part in combinations(axes, size):
            for values, rows in everything.groupby(list(part), sort=False):
                members = set(rows[axes].itertuples(index=False, name=None))
                if members <= wanted and members & left:
                    left -= members
                    pairs = zip(part, values, strict=True)
                    found.append(" & ".join(axis_value(*pair) for pair in pairs))
    return found


def _numbers(rows: pd.DataFrame) -> str:
    """The range of some probabilities."""
    ends = records(rows.sort_values("value", kind="stable").iloc[[0, -1]])
    low, high = (probability(row["value"], row["mcse"]) for row in ends)
    return between(low, high)


def flip_sentences(multiverse: Multiverse, model: str) -> list[str]:
    """What flips across a model's multiverse, one sentence for each conclusion, or that none does.

    Parameters
    ----------
    multiverse : Multiverse
    model : str

    Returns
    -------
    list of str
        The first sentence says how many conclusions flip, or that none does.
    """
    base, line = base_of(multiverse, model), multiverse.definitions.decision.probability
    known = multiverse.cohort.catalogue
    if base is None:
        return ["No specification passed its checks, so there is nothing to compare."]
    names = pd.DataFrame(
        [name for name, rows in specifications(multiverse, model) if not rows["reason"].any()]
    )
    everything = names.drop(columns="model")
    found = as_reported(flips(multiverse, model), ["value", "value_base"], known)
    # A conclusion that was drawn from a fall turns round with its probability.
    rise = found["kind"] == "p_rise"
    turned = {"likely": "unlikely", "unlikely": "likely"}
    for column in ("conclusion", "conclusion_base"):
        found[column] = found[column].mask(rise, found[column].replace(turned))
    rank = found["kind"].replace({"p_rise": "p_fall"}).map(CONCLUDED.index)
    found = found.loc[rank.sort_values(kind="stable").index]
    keys = ["kind", "patient", "marker", "category"]
    sure = found[found["flip"] == "yes"]
    groups = list(sure.groupby(keys, sort=False))
    close = {tuple(row[key] for key in keys) for row in records(found)}
    close -= {name for name, _ in groups}
    doubt = ""
    if close:
        doubt = (
            f" {len(close)}{' more' if groups else ''} lie{'s' if len(close) == 1 else ''} within "
            "Monte Carlo error of the line."
        )
    if not groups:
        return [
            f"No conclusion flips: under all {len(names)} specifications every probability is on "
            f"the same side of {lines_text(line)} as under {specification(base)}.{doubt}"
        ]
    one = len(groups) == 1
    sentences = [
        f"{len(groups)} conclusion{'' if one else 's'} flip{'s' if one else ''} across "
        f"{lines_text(line)} among {len(names)} specifications, compared with "
        f"{specification(base)}.{doubt}"
    ]
    for _, rows in groups:
        first = records(rows)[0]
        subject = answer(first, multiverse.definitions, known)
        then = probability(first["value_base"], first["mcse_base"])
        endings = []
        for now, part in rows.groupby("conclusion", sort=False):
            where = covered(part[list(everything.columns)], everything)
            if len(where) > NAMED:
                where = [*where[: NAMED - 1], f"{len(where) - NAMED + 1} more"]
            endings.append(f"{now} ({_numbers(part)}) with {'; '.join(where)}")
        sentences.append(
            f"{wording.capital(subject)} is {first['conclusion_base']} ({then}), but "
            f"{', and '.join(endings)}."
        )
    return sentences


def failed_sentences(multiverse: Multiverse, model: str) -> list[str]:
    """Fits without numbers, each with the reason."""
    fits = multiverse.fits[(multiverse.fits["model"] == model) & (multiverse.fits["reason"] != "")]
    return [
        f"{model} has no numbers with "
        f"{specification({axis: row[axis] for axis in SPECIFICATION})}: it {row['reason']}."
        for row in records(fits)
    ]


def range_of(multiverse: Multiverse, model: str, row: Row) -> str:
    """Lowest and highest number of an answer over the specifications that have one.

    Parameters
    ----------
    row : mapping
        With ``kind`` as reported (see :func:`mnbayes.answers.conclusions.as_reported`),
        ``marker``, ``week`` and ``category``.
    """
    own = multiverse.table[multiverse.table["model"] == model]
    table = as_reported(own, ["value"], multiverse.cohort.catalogue)
    for key in ("kind", "marker", "week", "category"):
        table = table[table[key] == row[key]]
    found = records(table[np.isfinite(table["value"])].sort_values("value", kind="stable"))
    low, high = (number(found[place]) for place in (0, -1))
    return between(low, high)
