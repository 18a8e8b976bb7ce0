"""The page of a paper's facts: how each sentence is read, and who withdrew, moves the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mnbayes.analyses.published.card import about, load_published_card, override_published
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.fit import fit_published
from mnbayes.analyses.published.load_facts import load_facts
from mnbayes.analyses.published.readings import WORDS, bounds, parse_readings
from mnbayes.analyses.published.result import PublishedResult
from mnbayes.base.problems import InputError, Problem, quoted
from mnbayes.base.text_table import records
from mnbayes.cards.definitions import load_definitions
from mnbayes.cards.prior_sets import available_prior_sets, load_prior_set
from mnbayes.explorer.case import change_of, refuse_unknown
from mnbayes.explorer.dials import quantiles, unit_of
from mnbayes.explorer.settings import read_settings
from mnbayes.explorer.worker import Newer
from mnbayes.inference.sampling import Sampling
from mnbayes.report.kit import wording

#: Draws of the tree, which this page does not show; the answers are sums and do not depend on it.
DRAWS = 100
_NAMES = {
    "gmr": "Typical ratio to baseline",
    "p_fall": "P(it fell at all)",
    "p_fall_30": "P(it fell by 30 % or more)",
    "p_fall_50": "P(it fell by half or more)",
    "next_any_fall": "Next patient falls at all, as measured",
    "next_fall_50": "Next patient falls by half or more, as measured",
    "share": "Share of such patients",
    "exceeds": "P(that share is above its benchmark)",
}
_PARTS = {
    "outcome": "at the week of the answers",
    "best": "best of the short-term visits, as such",
    "best_naive": "best of the short-term visits, read as one visit",
    "counts": "by the counts alone",
}
#: Priors of this page, by name, each with the bounds of its sliders.
_DIALS = {
    "mean_log_ratio": ("Typical ratio to baseline", ("low", "high"), 0.05, 20.0),
    "sd_log_ratio": (
        "How differently patients change (SD, log scale): 95 % below",
        ("below",),
        0.1,
        5.0,
    ),
}


@dataclass
class FactsPage:
    """A page of published facts that is open somewhere.

    Attributes
    ----------
    send : callable
    results : dict
        The last results by what was asked, so that a reading that was there is there at once.
    """

    send: Callable[[Mapping[str, Any]], None]
    results: dict[str, PublishedResult] = field(default_factory=dict)

    def work_on(self, said: Mapping[str, Any]) -> Callable[[Newer], None]:
        """What a message asks for, to be done by the worker.

        Raises
        ------
        InputError
        """
        if said.get("type") != "set":
            raise InputError([Problem("the page", None, "type", quoted(said.get("type")), "set")])
        given = said.get("settings")
        readings = given.get("readings", {}) if isinstance(given, dict) else {}
        rest = (
            {key: given[key] for key in ("sets", "priors") if key in given}
            if isinstance(given, dict)
            else {}
        )
        settings = read_settings(rest, "published")
        if not isinstance(readings, dict) or not all(isinstance(v, str) for v in readings.values()):
            expected = "a choice for each switch"
            raise InputError([Problem("the page", None, "readings", quoted(readings), expected)])
        texts = [f"{switch}={choice}" for switch, choice in readings.items()]
        n = said.get("n", 0)
        return lambda newer: self._answer(settings, texts, n)

    def _answer(self, settings: Any, texts: list[str], n: Any) -> None:
        result = published(settings, texts)
        self.send({"type": "facts", "n": n, **shown(result)})

    @staticmethod
    def choices() -> dict[str, Any]:
        """What the template lists: sentences of the abstract, how each is read, prior sets."""
        facts, definitions = load_facts(), load_definitions()
        words = bounds(outcome_counts(facts), facts.outcome.reduction, definitions)
        card = load_published_card()
        own = card.readings.model_dump()
        outcome = facts.outcome
        sentences = {
            "remission": outcome.remission.says if outcome.remission else "",
            "no_response": outcome.response.says,
            "ends": outcome.reduction.says if outcome.reduction else "",
            "withdrawn": outcome.says,
        }
        return {
            "source": facts.source,
            "readings": [
                (
                    switch,
                    sentences[switch],
                    [
                        (choice, said.format(**words), own[switch] == choice)
                        for choice, said in told.items()
                    ],
                )
                for switch, told in WORDS.items()
            ],
            "sets": [(name, load_prior_set(name).title) for name in available_prior_sets()],
            "dials": [(name, *rest) for name, rest in _DIALS.items()],
            "says": [facts.enrolled.says, *(each.says for each in facts.statement)],
        }


def published(settings: Any, readings: list[str]) -> PublishedResult:
    """The published-evidence model under some priors and readings, as ``mnbayes published`` has it.

    Raises
    ------
    InputError
        Of a reading, a set or a prior that does not exist, and where the facts cannot be true.
    """
    known = available_prior_sets()
    refuse_unknown("sets", settings.sets, known)
    card = load_published_card()
    card = card.model_copy(update={"readings": parse_readings(readings, card.readings)})
    changes = [change_of(name, said) for name, said in settings.priors]
    used = override_published(card, [load_prior_set(name) for name in settings.sets], changes)
    return fit_published(load_facts(), used, load_definitions(), Sampling(draws=DRAWS), others={})


def shown(result: PublishedResult) -> dict[str, Any]:
    """Answers under the reading that was chosen, and the range over all readings."""
    own = result.reported
    every, definitions = result.answers, result.definitions
    rows = []
    for row in records(own):
        place = (every["part"] == row["part"]) & (every["quantity"] == row["quantity"])
        place &= every["category"] == row["category"]
        values = every.loc[place, "value"].dropna()
        of = f": {definitions.label(row['category'])}" if row["category"] else ""
        rows.append(
            {
                "part": _PARTS[row["part"]],
                "label": _NAMES[row["quantity"]] + of,
                "now": _text(row, ""),
                "prior": _text(row, "prior"),
                "readings": _span(row, values.min(), values.max()) if len(values) > 1 else "",
            }
        )
    ends = {name: spec.formula for name, spec in result.card.prior.items()}
    return {
        "rows": rows,
        "converged": result.converged,
        "reasons": list(result.reasons),
        "priors": ends,
        "beliefs": {name: _quantiles(result, name) for name in _DIALS},
        "impossible": sorted({str(r) for r in every["reason"] if r} - set(result.reasons)),
    }


def _quantiles(result: PublishedResult, name: str) -> dict[str, float]:
    spec, belief = result.card.prior[name], unit_of(about(name))
    keys = _DIALS[name][1]
    at = (0.05, 0.95) if len(keys) == 2 else (0.95,)
    return {
        key: float(f"{belief.natural(value):.4g}")
        for key, value in zip(keys, quantiles(spec, *at), strict=True)
    }


def _text(row: Mapping[str, Any], which: str) -> str:
    value = row[which] if which else row["value"]
    start = f"{which}_" if which else ""
    ends = (row[f"{start}lower"], row[f"{start}upper"])
    if value != value:  # withheld
        return wording.BLANK
    if row["quantity"] == "gmr":
        return wording.ratio_range(value, *ends)
    if row["quantity"] == "share":
        return wording.percent_with_range(value, *ends)
    return wording.probability(value, row["mcse"] if not which else 0.0)


def _span(row: Mapping[str, Any], low: float, high: float) -> str:
    if row["quantity"] == "gmr":
        return f"{wording.ratio(low)} to {wording.ratio(high)}"
    return wording.percent_range(low, high)
