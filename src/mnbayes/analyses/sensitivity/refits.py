"""One model again under other assumptions: its answers beside those of other cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    called: Callable[[Card], Mapping[str, str]],
    others: Callable[[Card], Sequence[Card]],
    stage: str,
) -> pd.DataFrame:
    """Answers of a card that asks for refits, and of other cards for the same cohort.

    Parameters
    ----------
    asked : ModelAsked
    columns : sequence of str
        Of the table, in their order.
    called : callable
        A card to the columns that tell it from the others.
    others : callable
        The card to the others.
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

    def named(card: Card, answers: pd.DataFrame) -> pd.DataFrame:
        reason = answers.get("reason", "")
        table = answers.assign(model=card.name, **called(card), reason=reason)
        return table[list(columns)].astype({"reason": "str"})

    if result.withheld or cohort is None or not (asked.refits and card.influence):
        return pd.DataFrame(columns=list(columns))
    parts = [named(card, result.answers)]
    tried = others(card)
    for done, other in enumerate(tried):
        asked.progress(stage, done, len(tried))
        sampling = replace(result.fit.sampling.of_a_refit, engine="nuts")
        fitted = fit(other, cohort, sampling)
        if fitted.diagnostics.reasons:
            why = f"did not converge: {'; '.join(fitted.diagnostics.reasons)}"
            blank = result.answers.assign(**dict.fromkeys(NUMBERS, np.nan), reason=why)
            parts.append(named(other, blank))
            continue
        found, _ = refit_answers(fitted.tree, asked.definitions, card.name, sampling.seed)
        parts.append(named(other, found))
    return pd.concat(parts, ignore_index=True)
