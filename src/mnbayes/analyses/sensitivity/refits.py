"""One model again under other assumptions: its answers beside those of other cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mnbayes.answers.answer_table import NUMBERS, refit_answers
from mnbayes.answers.result import ModelAsked
from mnbayes.cards.card import Card
from mnbayes.inference.fit import fit


def refitted(
    asked: ModelAsked,
    columns: Sequence[str],
    own: Mapping[str, str],
    others: Sequence[tuple[Mapping[str, str], Card]],
    stage: str,
) -> pd.DataFrame:
    """Answers of a card that asks for refits, and of other cards for the same cohort.

    Parameters
    ----------
    asked : ModelAsked
    columns : sequence of str
        Of the table, in their order.
    own : mapping
        Column to what tells the model's card from the others.
    others : sequence of (mapping, Card)
        The other cards, each with the same columns.
    stage : str
        What the progress is called.

    Returns
    -------
    DataFrame
        Long, the model's own answers first; ``reason`` says why a card has no numbers. Empty
        where no cohort to refit is given, or the card asks for no refits.
    """
    result, cohort = asked.result, asked.cohort
    card = result.fit.required_card

    def named(told: Mapping[str, str], answers: pd.DataFrame) -> pd.DataFrame:
        reason = answers.get("reason", "")
        table = answers.assign(model=card.name, **told, reason=reason)
        return table[list(columns)].astype({"reason": "str"})

    if result.withheld or cohort is None or not (asked.refits and card.influence):
        return pd.DataFrame(columns=list(columns))
    parts = [named(own, result.answers)]
    for done, (told, other) in enumerate(others):
        asked.progress(stage, done, len(others))
        sampling = replace(result.fit.sampling.of_a_refit, engine="nuts")
        fitted = fit(other, cohort, sampling)
        if fitted.diagnostics.reasons:
            why = f"did not converge: {'; '.join(fitted.diagnostics.reasons)}"
            blank = result.answers.assign(**dict.fromkeys(NUMBERS, np.nan), reason=why)
            parts.append(named(told, blank))
            continue
        seed = sampling.seed
        found, _ = refit_answers(fitted.tree, asked.definitions, card.name, seed, prior=False)
        parts.append(named(told, found))
    return pd.concat(parts, ignore_index=True)
