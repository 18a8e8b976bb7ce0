"""What the rules say of a trial, and what its next one may expect: everything at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from mnbayes.analyses.design.beta_binomial import Beta
from mnbayes.analyses.design.decision import (
    RELEVANCE,
    SIGNIFICANCE,
    Decision,
    Judged,
    decide,
    verdicts,
)
from mnbayes.analyses.design.evidence import Counts, Evidence, evidence_of, judges_most
from mnbayes.analyses.design.rules import Criteria, DecisionCard, Rule, criteria_of, rules_for
from mnbayes.analyses.design.share import Share, share_counted, shares_of
from mnbayes.analyses.design.shares import measured_share
from mnbayes.analyses.design.simon import MOST
from mnbayes.analyses.design.success import DesignPrior, assurance_table, scale_table
from mnbayes.cards.definitions import Definitions, load_definitions
from mnbayes.run.run import Run

#: Columns of ``decision.csv``.
DECISION_COLUMNS = (
    *("model", "rule", "quantity", "category", "marker", "week", "criterion", "threshold"),
    *("required", "probability", "mcse", "prior_probability", "prior_mcse", "met", "verdict"),
    *("prior_verdict", "reasons"),
)


@dataclass(frozen=True, eq=False)
class Plan:
    """Decisions of a trial and the prospects of the next.

    Attributes
    ----------
    card : DecisionCard
    definitions : Definitions
    source : str
        Where the numbers come from, in words.
    synthetic : bool
        Whether the cohort is declared to be synthetic.
    decisions : tuple of Decision
        One for each rule, the deciding one first.
    rule : Rule or None
        By which the next trial is judged: the first on a share. None where there is none, or
        it could not be judged; the tables are then empty.
    criteria : Criteria or None
        Of that rule.
    seen : Counts or None
        Patients of this trial, as measured.
    posterior, prior : DesignPrior or None
        Share as measured, of patients who stay.
    shares : tuple of Share
        What was counted and what the model says, of each category of the headlines.
    assurance, designs : DataFrame
        See :mod:`mnbayes.analyses.design.success`.
    folder : Path or None
        Where it was written.
    said : tuple of str
        Sentences on what was moved or left for it.
    """

    card: DecisionCard
    definitions: Definitions
    source: str
    synthetic: bool
    decisions: tuple[Decision, ...]
    rule: Rule | None = None
    criteria: Criteria | None = None
    seen: Counts | None = None
    posterior: DesignPrior | None = None
    prior: DesignPrior | None = None
    shares: tuple[Share, ...] = ()
    assurance: pd.DataFrame = field(default_factory=pd.DataFrame)
    designs: pd.DataFrame = field(default_factory=pd.DataFrame)
    folder: Path | None = None
    said: tuple[str, ...] = ()

    @property
    def main(self) -> Decision:
        """The deciding rule's decision."""
        return self.decisions[0]

    @property
    def planned(self) -> Decision | None:
        """The decision of the rule by which the next trial is judged."""
        names = {decision.rule: decision for decision in self.decisions}
        return None if self.rule is None else names[self.rule.name]

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """``decision``, and where there is a next trial ``assurance`` and ``designs``."""
        found = {"decision": decision_table(self.decisions)}
        if not self.assurance.empty:
            labelled = {"assurance": self.assurance, "designs": self.designs}
            for name, table in labelled.items():
                found[name] = table.copy()
                found[name].insert(0, "rule", self.rule.name if self.rule else "")
        return found


def decision_table(decisions: Sequence[Decision]) -> pd.DataFrame:
    """Decisions as a table (``decision.csv``): a row for each criterion, or for no decision."""
    rows: list[tuple[object, ...]] = []
    for one in decisions:
        head = (one.model, one.rule, one.quantity, one.category, one.marker, one.week)
        tail = (one.verdict, one.prior_verdict, "; ".join(one.reasons))
        judged: list[tuple[object, ...]] = [
            (
                j.name,
                j.threshold,
                j.required,
                j.probability,
                j.error,
                j.prior,
                j.prior_error,
                "yes" if j.met else "no",
            )
            for j in one.judged
        ]
        blank: tuple[object, ...] = ("", *([np.nan] * 6), "")
        rows += [(*head, *cells, *tail) for cells in judged or [blank]]
    return pd.DataFrame(rows, columns=list(DECISION_COLUMNS))


def plan_evidence(
    models: Sequence[Evidence],
    definitions: Definitions,
    card: DecisionCard,
    source: str,
    synthetic: bool,
) -> Plan:
    """Apply a card to the models of a run.

    A rule on a share is applied to the model that judges most categories, a rule on a ratio to
    that of the fewest markers, as the report's first page does; among those whose numbers are
    not withheld, if there is one.
    """
    chosen = [_chosen(models, rule) for rule in card.rule]
    decisions = tuple(
        decide(evidence, rule, definitions)
        for evidence, rule in zip(chosen, card.rule, strict=True)
    )
    plan = Plan(card, definitions, source, synthetic, decisions)
    position = next((i for i, r in enumerate(card.rule) if r.quantity == "share"), None)
    if position is None or not decisions[position].verdict:
        return plan
    rule, evidence = card.rule[position], chosen[position]
    category, week = rule.category, decisions[position].week
    if evidence.tree is None or category is None:
        return plan
    posterior, prior = (
        DesignPrior(measured_share(evidence.tree, group, category, week, definitions))
        for group in ("posterior", "prior")
    )
    plan = replace(
        plan,
        rule=rule,
        seen=evidence.counts(category, week),
        shares=shares_of(evidence, definitions, week),
    )
    return _with_trials(plan, criteria_of(rule, definitions), posterior, prior)


def plan_run(run: Run, card: DecisionCard | None = None) -> Plan | None:
    """Apply a card (default: the one that mnbayes brings) to a run in memory.

    Returns
    -------
    Plan or None
        None where the run has no model.
    """
    models = judges_most([evidence_of(result) for result in run.results])
    if not models:
        return None
    card = rules_for(run.definitions) if card is None else card
    return plan_evidence(models, run.definitions, card, "this run", run.cohort.synthetic)


def plan_counts(
    responders: int,
    patients: int,
    prior: Beta,
    definitions: Definitions | None = None,
    card: DecisionCard | None = None,
) -> Plan | None:
    """Apply a card's first rule on a share to counts alone; no model, no Monte Carlo error.

    Parameters
    ----------
    responders, patients : int
        Counted so far.
    prior : Beta
        The design prior before them.
    definitions : Definitions, optional
        With the benchmarks; default: those that mnbayes brings.
    card : DecisionCard, optional
        Default: the one that mnbayes brings.

    Returns
    -------
    Plan or None
        None where the card has no rule on a share.
    """
    definitions = load_definitions() if definitions is None else definitions
    card = rules_for(definitions) if card is None else card
    rule = next((r for r in card.rule if r.quantity == "share"), None)
    if rule is None:
        return None
    criteria = criteria_of(rule, definitions)
    after = prior.after(responders, patients)
    asked = (
        (SIGNIFICANCE, criteria.reference, criteria.confidence),
        (RELEVANCE, criteria.target, criteria.target_confidence),
    )
    judged = tuple(
        Judged(
            name,
            threshold,
            required,
            float(after.above(threshold)),
            0.0,
            float(prior.above(threshold)),
            0.0,
        )
        for name, threshold, required in asked
    )
    first, second = judged
    said = str(verdicts(first.probability, second.probability, criteria))
    before = str(verdicts(first.prior, second.prior, criteria))
    ends = [0.5, 0.025, 0.975]
    now, then = (tuple(map(float, beta.quantile(ends))) for beta in (after, prior))
    week = float("nan") if isinstance(rule.week, str) else float(rule.week)
    source = f"{responders} of {patients} counted, prior Beta({prior.a:g}, {prior.b:g})"
    decision = Decision(
        source,
        rule.name,
        "share",
        rule.category or "",
        "",
        week,
        said,
        judged,
        before,
        (now[0], now[1], now[2]),
        (then[0], then[1], then[2]),
        about=definitions.patients(rule.category or ""),
    )
    most = max(*card.next_trial.patients, MOST)  # also of the designs for scale
    seen = Counts(responders, patients, patients)
    plan = Plan(
        card,
        definitions,
        source,
        False,
        (decision,),
        rule,
        seen=seen,
        shares=(share_counted(definitions, rule.category or "", week, seen, after, prior),),
    )
    return _with_trials(
        plan, criteria, DesignPrior.from_beta(after, most), DesignPrior.from_beta(prior, most)
    )


def _with_trials(
    plan: Plan, criteria: Criteria, posterior: DesignPrior, prior: DesignPrior
) -> Plan:
    trial = plan.card.next_trial
    return replace(
        plan,
        criteria=criteria,
        posterior=posterior,
        prior=prior,
        assurance=assurance_table(posterior, prior, criteria, trial, plan.seen),
        designs=scale_table(posterior, prior, criteria, trial, plan.card.two_stage),
    )


def _chosen(models: Sequence[Evidence], rule: Rule) -> Evidence:
    """The model that a rule is applied to; one that cannot be judged only if none can."""

    def able(evidence: Evidence) -> bool:
        return not replace(evidence, withheld=()).why_not(rule)

    ranked = judges_most(models)
    if rule.quantity == "gmr":
        ranked = sorted(ranked, key=lambda evidence: len(evidence.markers))
    return min(ranked, key=lambda evidence: (not able(evidence), bool(evidence.withheld)))
