"""Decision rule of a run, and the next trial: go, consider or no-go."""

from mnbayes.analyses.design.decision import Decision, decide, verdicts
from mnbayes.analyses.design.rules import DecisionCard, Rule, load_rules

__all__ = ["Decision", "DecisionCard", "Rule", "decide", "load_rules", "verdicts"]
