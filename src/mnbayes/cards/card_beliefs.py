"""Priors of a card that are stated as beliefs: fitted, or said what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mnbayes.base.problems import Problem, quoted
from mnbayes.cards import families as priors
from mnbayes.cards.beliefs import BeliefError, Quantity
from mnbayes.cards.elicit import read_prior_belief
from mnbayes.cards.parameters import PARAMETERS, SHARED, quantity
from mnbayes.data.markers import Catalogue


def fit_beliefs(
    tables: Any, file: str, known: Catalogue
) -> tuple[Any, list[Problem], set[tuple[object, ...]]]:
    """Put a distribution in place of each belief of a card.

    Parameters
    ----------
    tables : object
        What the card says under ``priors``; whatever has not the shape of priors is left alone.
    file : str
        For messages.
    known : mapping
        What the markers are.

    Returns
    -------
    tables : object
        With arguments where there were beliefs.
    problems : list of Problem
    failed : set of tuple
        Parameter and marker of the beliefs that could not be fitted.
    """
    problems: list[Problem] = []
    failed: set[tuple[object, ...]] = set()
    if not isinstance(tables, dict):
        return tables, problems, failed
    resolved: dict[str, Any] = dict(tables)
    for parameter, table in tables.items():
        shared = parameter in SHARED
        entries = {"": table} if shared else table
        if parameter not in PARAMETERS or not isinstance(entries, dict):
            continue
        for marker, spec in entries.items():
            if not isinstance(spec, dict) or spec.get("belief", "") == "":
                continue
            if not (shared or marker in known):
                continue
            try:
                fitted = _fitted(spec, quantity(parameter, marker, known))
            except BeliefError as error:
                problems.append(belief_problem(error, file, ("priors", parameter, marker), spec))
                failed.add((parameter, marker))
                continue
            resolved[parameter] = fitted if shared else resolved[parameter] | {marker: fitted}
    return resolved, problems, failed


def _fitted(spec: dict[str, Any], about: Quantity) -> dict[str, Any]:
    texts = {key: spec[key] for key in ("distribution", "meaning", "why", "source") if key in spec}
    stated = {key: value for key, value in spec.items() if key not in texts}
    family = spec.get("distribution")
    if not isinstance(family, str) or family not in priors.FAMILIES:
        expected = f"one of {', '.join(priors.FAMILIES)}"
        raise BeliefError(expected, "distribution", repr(family)[:60])
    elicited = read_prior_belief(stated, about, family, {})
    return texts | {"arguments": elicited.arguments, "belief": elicited.belief.text}


def belief_problem(
    error: BeliefError, file: str, path: tuple[str, ...], values: Mapping[str, Any]
) -> Problem:
    """What is wrong with a belief, with its place."""
    key = ".".join(part for part in (*path, error.key) if part)
    return Problem(file, None, key, quoted(error.found or values.get("belief", "")), str(error))
