"""The results that mnbayes brings, and whether cards and rules are still those they are of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import numpy as np

from mnbayes.analyses.characteristics.judges import Judge, other_judges, rule_judges
from mnbayes.analyses.characteristics.result import MANIFEST, Characteristics, read_result
from mnbayes.analyses.characteristics.scenarios import Scenario, find_scenario
from mnbayes.analyses.design.rules import load_rules
from mnbayes.base.problems import InputError
from mnbayes.base.resources import models_folder
from mnbayes.cards.card import Card, load_card
from mnbayes.cards.definitions import ALBUMIN, PROTEIN, Definitions, load_definitions
from mnbayes.cards.overrides import with_priors
from mnbayes.studies.fingerprint import fingerprint


def stored_folder() -> Path:
    """Folder of the results that mnbayes brings, one folder for each model."""
    return models_folder().parent / "data" / "characteristics"


@cache
def stored_results() -> tuple[Characteristics, ...]:
    """The results that mnbayes brings, the one of most replicates first.

    Raises
    ------
    InputError
        If one cannot be read.
    """
    found = [read_result(path.parent) for path in sorted(stored_folder().glob(f"*/{MANIFEST}"))]
    return tuple(sorted(found, key=lambda item: -item.cells * item.replicates))


def is_current(found: Characteristics) -> bool:
    """Whether cards, rules and scenarios are still those that a stored result is of.

    Whether the program still gives its numbers is a test's business: the result keeps those of
    its first replicates.

    Parameters
    ----------
    found : Characteristics
        Of the cards and the prior set that mnbayes brings.
    """
    try:
        card, definitions, rules, chosen = inputs_of(found)
    except InputError:
        return False
    return found.fingerprint == made_of(card, definitions, (*rules, *other_judges()), chosen)


def inputs_of(
    found: Characteristics,
) -> tuple[Card, Definitions, tuple[Judge, ...], list[Scenario]]:
    """Card, definitions, rules and scenarios of a stored result, as they are now.

    Raises
    ------
    InputError
        If one of them is no longer there.
    """
    card = with_priors(load_card(found.model), found.prior_set)
    chosen = [find_scenario(item.name) for item in found.scenarios]
    definitions = load_definitions()
    rules, _ = rule_judges(load_rules().rule, card, definitions)
    return card, definitions, tuple(rules), chosen


def made_of(
    card: Card, definitions: Definitions, judges: Iterable[Judge], scenarios: Iterable[Scenario]
) -> str:
    """Hash of everything that is given to a study, besides seed and numbers of patients.

    Reasons and titles do not count.
    """
    asked = definitions.threshold
    numbers = {
        "definitions": [
            asked("complete", PROTEIN, "below"),
            asked("complete", ALBUMIN, "at_least"),
            asked("partial", PROTEIN, "fall_at_least"),
            asked("partial", PROTEIN, "below"),
            asked("effective", PROTEIN, "fall_at_least"),
            definitions.decision.probability,
        ],
        "judges": [
            [j.name, j.quantity, j.category, j.marker, j.visit, *vars(j.criteria).values()]
            for j in judges
        ],
        "scenarios": [[s.name, s.gmr, behaviour(s)] for s in scenarios],
    }
    digest = hashlib.sha256(fingerprint([card]).encode())
    digest.update(json.dumps(numbers, sort_keys=True).encode())
    return digest.hexdigest()


def behaviour(scenario: Scenario) -> str:
    """Hash of cohorts that a scenario makes of fixed streams: it knows a user's scenarios too."""
    digest = hashlib.sha256()
    for n in (4, 7, 40):
        cohort = scenario.simulate(n, np.random.default_rng(n))
        for part in (cohort.true, cohort.measured):
            # Rounded: the last bits are the processor's. Plus 0: there is no negative zero.
            digest.update((np.round(part, 6) + 0.0).astype("<f8").tobytes())
    return digest.hexdigest()
