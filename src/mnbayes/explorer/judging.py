"""What experts' judgements come to: fitted, pooled, and compared with what a file says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mnbayes.base.problems import InputError, Problem, did_you_mean, quoted
from mnbayes.cards import families
from mnbayes.cards.beliefs import BeliefError, Quantity
from mnbayes.cards.card import Card
from mnbayes.cards.elicit import read_prior_belief
from mnbayes.cards.parameters import quantity
from mnbayes.explorer.case import Case, refuse_unknown
from mnbayes.explorer.dials import label, unit_of
from mnbayes.explorer.elicitation import Judged, fit_chips, pool
from mnbayes.explorer.judgements import (
    JUDGEMENTS,
    LARGEST,
    Expert,
    Judgement,
    Judgements,
    read_experts,
    read_judgements,
)
from mnbayes.explorer.settings import Settings

#: Least scale of a distribution; a smaller one is a typing error.
_SMALLEST = 1e-6
#: Largest relative difference of numbers that count as the same: another machine's last digits.
_SAME = 1e-6


def fitted(
    expert: Expert, about: Quantity, family: str, present: Mapping[str, float]
) -> dict[str, float]:
    """What an expert's judgement comes to as a distribution.

    Parameters
    ----------
    expert : Expert
    about : Quantity
        What the prior is of.
    family : str
    present : mapping
        Arguments that the prior has now, of which the degrees of freedom stay.

    Returns
    -------
    dict
        Arguments on the parameter's own scale.

    Raises
    ------
    InputError
        If it says nothing that can be fitted.
    """
    wanted = families.FAMILIES[family].arguments
    own = {name: float(value) for name, value in present.items() if name == "nu"}
    if expert.chips:
        edges = [own_scale(about, edge) for edge in expert.edges]
        try:
            found = fit_chips(edges, expert.chips, family, own).arguments
        except InputError as error:
            raise InputError([replace(p, column=expert.who) for p in error.problems]) from error
    elif expert.belief:
        try:
            found = read_prior_belief({"belief": expert.belief}, about, family, own).arguments
        except BeliefError as error:
            raise _refused(expert.who, error.found or quoted(expert.belief), str(error)) from error
    else:
        found = expert.numbers
    if set(found) != set(wanted):
        expected = f"{', '.join(wanted)} of {family}"
        raise _refused(expert.who, ", ".join(map(quoted, found)), expected)
    return _usable(expert.who, family, found)


def _usable(who: str, family: str, found: Mapping[str, float]) -> dict[str, float]:
    """Arguments in the family's order.

    Raises
    ------
    InputError
        If they are so large or small that they mean nothing.
    """
    positive = families.FAMILIES[family].positive
    usable = {name: float(found[name]) for name in families.FAMILIES[family].arguments}
    for name, value in usable.items():
        least = _SMALLEST if name in positive else -LARGEST
        if not least <= value <= LARGEST:
            raise _refused(who, f"{value:g}", f"{name} between {least:g} and {LARGEST:g}")
    return usable


def _refused(who: str, found: str, expected: str) -> InputError:
    return InputError([Problem("judgements", None, who, found, expected)])


def own_scale(about: Quantity, value: float) -> float:
    """A value in the first unit of a quantity on the parameter's own scale; else NaN."""
    with np.errstate(all="ignore"):
        return unit_of(about).own(value)


def pooled(
    experts: tuple[Expert, ...], about: Quantity, family: str, present: Mapping[str, float]
) -> Judged:
    """The pool of several experts; parameters and errors as of :func:`fitted`."""
    each = [(family, fitted(expert, about, family, present)) for expert in experts]
    found = pool(each, [expert.weight for expert in experts], family, present)
    return replace(found, arguments=_usable("the pool", family, found.arguments))


def judged_of(
    name: str, card: Card, place: tuple[str, str], experts: tuple[Expert, ...]
) -> Judgement:
    """What experts judge of a prior, with what it comes to.

    Parameters
    ----------
    name : str
    card : Card
    place : tuple of str
        Parameter and marker.
    experts : tuple of Expert

    Raises
    ------
    InputError
    """
    spec, about = card.prior[place[0]][place[1]], quantity(*place, card.catalogue)
    family, present = spec.distribution, spec.arguments
    if family == "LKJ" or not about.scales:
        raise InputError([Problem("judgements", None, name, family, "a prior of one number")])
    whole = pooled(experts, about, family, present)
    each = [
        expert.model_copy(update={"fitted": fitted(expert, about, family, present)})
        for expert in experts
    ]
    return Judgement(
        name=name,
        about=label(card, *place),
        distribution=family,
        unit=unit_of(about).scale,
        pooled=whole.arguments,
        apart=min(whole.apart, 1.0),
        expert=tuple(each),
    )


def stated_judgements(
    case: Case, settings: Settings, given: object, why: str, source: str
) -> Judgements | None:
    """Judgements that a page sends, with what they come to.

    Parameters
    ----------
    case : Case
    settings : Settings
    given : object
        Plain values that nobody has looked at yet: name of a prior to its experts.
    why, source : str
        As of a prior set.

    Returns
    -------
    Judgements or None
        None where no expert judged.

    Raises
    ------
    InputError
    """
    card = case.shown_card(settings)
    names = case.names(card)
    named = given if isinstance(given, dict) else {}
    found = {name: each for name, each in named.items() if each != []}
    refuse_unknown("experts", found, names)
    if not found:
        return None
    judged = [judged_of(n, card, names[n], read_experts(each)) for n, each in found.items()]
    return Judgements(format=1, model=settings.model, why=why, source=source, prior=tuple(judged))


def opened_judgements(case: Case, settings: Settings, text: object) -> dict[str, Any]:
    """A file of judgements for a page at some settings.

    Returns
    -------
    dict
        ``experts``, by the prior's name; ``why`` and ``source``; ``remarks``, of
        :func:`differences`.

    Raises
    ------
    InputError
    """
    read = read_judgements(text if isinstance(text, str) else "")
    card = case.shown_card(settings)
    plain = read.model_dump(mode="json", exclude_defaults=True)
    return {
        "experts": {each["name"]: each["expert"] for each in plain["prior"]},
        "why": read.why,
        "source": read.source,
        "remarks": differences(read, settings.model, card, case.names(card)),
    }


def differences(
    read: Judgements, model: str, card: Card, names: Mapping[str, tuple[str, str]]
) -> list[str]:
    """Where judgements that were read come to something else now, each in a sentence.

    Parameters
    ----------
    read : Judgements
    model : str
        That the page is at.
    card : Card
        Its priors as they are in use: their families are what is fitted.
    names : mapping
        From :meth:`mnbayes.explorer.case.Case.names`.

    Raises
    ------
    InputError
        If they are of another model, or of priors that there are not.
    """
    if read.model != model:
        expected = f"those of {model}: choose the model first"
        raise InputError([Problem(JUDGEMENTS, None, "model", quoted(read.model), expected)])
    unknown = [
        Problem(
            JUDGEMENTS,
            None,
            "name",
            quoted(each.name),
            f"one of {', '.join(names)}{did_you_mean(each.name, names)}",
        )
        for each in read.prior
        if each.name not in names
    ]
    if unknown:
        raise InputError(unknown)
    said = []
    for each in read.prior:
        now = judged_of(each.name, card, names[each.name], each.expert)
        if each.pooled and not _alike(each, now):
            before, after = _formula(each), families.formula(now.distribution, now.pooled)
            said.append(f"{now.about}: the pool is {after} now; in the file it was {before}.")
    return said


def _alike(before: Judgement, after: Judgement) -> bool:
    old, new = before.pooled, after.pooled
    return (
        before.distribution == after.distribution
        and set(old) == set(new)
        and all(abs(old[key] - new[key]) <= _SAME * max(1.0, abs(new[key])) for key in new)
    )


def _formula(judgement: Judgement) -> str:
    """What the file says of a pool: its names are somebody else's text."""
    numbers = ", ".join(f"{key} {value:.3g}" for key, value in judgement.pooled.items())
    return f"{judgement.distribution} ({numbers})"
