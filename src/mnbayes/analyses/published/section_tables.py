"""Tables of the published facts' answers: by prior set and withdrawal, and by reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from mnbayes.analyses.published.card import Shares
from mnbayes.analyses.published.counts import outcome_counts
from mnbayes.analyses.published.readings import bounds
from mnbayes.analyses.published.result import SPECIFICATION, PublishedResult
from mnbayes.analyses.published.statements import chance
from mnbayes.base.text_table import Table, records
from mnbayes.cards.card import PriorSpec
from mnbayes.cards.published_parameters import SHARES
from mnbayes.report.kit import wording

READINGS = ("remission", "no_response", "ends")

type Row = Mapping[str, Any]
type Keyed = dict[tuple[str, str, str], Row]


def by_specification(table: pd.DataFrame) -> list[tuple[Row, Keyed]]:
    """Answers of each specification, by part, quantity and category."""
    found = []
    for _, rows in table.groupby(list(SPECIFICATION), sort=False):
        keyed: Keyed = {
            (row["part"], row["quantity"], row["category"]): row for row in records(rows)
        }
        found.append((next(iter(keyed.values())), keyed))
    return found


def _shares(known: Keyed) -> list[tuple[str, str, str]]:
    return [k for c in ("effective", "remission") if (k := ("counts", "share", c)) in known]


def _between(low: Row, high: Row) -> str:
    """What every fate of the withdrawn gives, from the worst to the best."""
    if np.isnan(low["value"]) or np.isnan(high["value"]):
        return "withheld"
    if low["quantity"] == "gmr":
        return f"{wording.ratio(high['value'])} to {wording.ratio(low['value'])}"
    return f"{chance(low)} to {chance(high)}"


def by_prior(result: PublishedResult) -> Table:
    """Main answers under each prior set; in brackets their range over the fates of the withdrawn.

    The readings of sentences are the reported ones.
    """
    table, base = result.answers, result.card.readings
    for axis in READINGS:
        table = table[table[axis] == getattr(base, axis)]
    rows, told = [], []
    someone = outcome_counts(result.facts).missing > 0
    for name, part in table.groupby("prior_set", sort=False):
        specs = {str(first["withdrawn"]): known for first, known in by_specification(part)}
        own = specs[base.withdrawn]
        told = [("outcome", "gmr", ""), ("outcome", "p_fall", ""), *_shares(own)]
        cells = []
        for key in told:
            row = own[key]
            centre = wording.ratio(row["value"]) if row["quantity"] == "gmr" else chance(row)
            ends = f" ({_between(*(specs[end][key] for end in ('failure', 'success')))})"
            cells.append(f"{centre}{ends if someone and centre != 'withheld' else ''}")
        rows.append((str(name), *cells))
    labels = {"effective": "Share with any response", "remission": "Share in remission"}
    head = ("Prior set", "GMR", "P(GMR < 1)", *(labels[key[2]] for key in told[2:]))
    over = "; in brackets the range over what became of the withdrawn"
    return Table(f"By prior set{over if someone else ''}", head, tuple(rows))


def fills_of(result: PublishedResult) -> dict[str, str]:
    """Falls that complete the sentences about readings."""
    return bounds(outcome_counts(result.facts), result.facts.outcome.reduction, result.definitions)


def prior_table(result: PublishedResult) -> Table:
    """The priors in use, each with its meaning."""
    specs: dict[str, PriorSpec | Shares] = {**result.card.prior, SHARES: result.card.shares}
    if result.facts.best is None:
        del specs["visit_noise_sd"]
    rows = tuple(
        (
            name,
            spec.formula,
            spec.explained if isinstance(spec, PriorSpec) else spec.meaning,
        )
        for name, spec in specs.items()
    )
    head = ("Prior", "Distribution", "In clinical terms")
    return Table(f"Priors, set {result.prior_set}", head, rows, frozenset(range(3)), wide=True)
