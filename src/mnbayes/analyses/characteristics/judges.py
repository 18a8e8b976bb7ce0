"""Who judges a simulated cohort: the rules of the decision card, and the readings beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mnbayes.analyses.characteristics.parts import MARKERS, WEEKS, met
from mnbayes.analyses.characteristics.readings import LEVEL, MAJORITY
from mnbayes.analyses.characteristics.scenarios import Scenario
from mnbayes.analyses.design.rules import Criteria, Rule, criteria_of
from mnbayes.answers.categories import Category
from mnbayes.base.arrays import Floats
from mnbayes.base.problems import InputError, Problem
from mnbayes.cards.card import Card
from mnbayes.cards.definitions import ALBUMIN, PROTEIN, Definitions
from mnbayes.report.kit import wording

#: Judges that are not rules, as they are named in tables.
WILCOXON, MAJORITY_READING, EXACT = "wilcoxon", "majority", "exact"
#: Categories that need no albumin.
FALL_ALONE = ("effective", "none")

#: What a go means in a scenario.
FALSE, TRUE, BETWEEN = "false", "true", "between"

#: Patients that a scenario's true shares are counted in, and the seed of them: a standard error
#: of at most 0.0016.
TRUTH_PATIENTS, TRUTH_SEED = 100_000, 20261122


@dataclass(frozen=True)
class Judge:
    """One who says go or not, and what would be right.

    Attributes
    ----------
    name : str
        Of a rule, or one of :func:`other_judges`.
    title, says : str
        In tables; what it asks for.
    quantity : {"share", "gmr"}
        What its verdict is about.
    category : str or None
    marker : str
        Of a share; of a ratio.
    visit : int
        Position among :data:`~mnbayes.analyses.characteristics.scenarios.WEEKS`.
    criteria : Criteria
        A go is false where the quantity is not better than the reference, and right where it
        reaches the target.
    rule : bool
    """

    name: str
    title: str
    says: str
    quantity: str
    category: Category | None
    marker: str
    visit: int
    criteria: Criteria
    rule: bool

    def meaning(self, truth: float, error: float = 0.0) -> str:
        """What a go means where the quantity is truly `truth`, known up to `error`."""
        criteria, sign = self.criteria, 1.0 if self.criteria.above else -1.0
        if sign * (truth - criteria.reference) <= 4 * error:
            return FALSE
        return TRUE if sign * (truth - criteria.target) >= -4 * error else BETWEEN


def called(judge: Judge) -> Category:
    """The category that a judge of a share asks for."""
    if judge.category is None:
        raise ValueError(f"{judge.name} is about a ratio")
    return judge.category


def why_not(rule: Rule, card: Card) -> str:
    """Why a card's fit cannot be judged by a rule; empty if it can."""
    if rule.quantity == "gmr":
        return "" if rule.marker in card.markers else f"it needs {rule.marker}"
    if PROTEIN not in card.markers:
        return f"it needs {PROTEIN}"
    if rule.category not in FALL_ALONE and ALBUMIN not in card.markers:
        return f"it needs {ALBUMIN}"
    return ""


def rule_judges(
    rules: Sequence[Rule], card: Card, definitions: Definitions, file: str = "decision.toml"
) -> tuple[tuple[Judge, ...], dict[str, str]]:
    """The rules that a card's fit can be judged by, and why not by the others.

    Raises
    ------
    InputError
        If a rule does not fit the definitions, asks for a visit that no scenario has, or no rule
        is left.
    """
    found, left_out, problems = [], {}, []
    for rule in rules:
        if reason := why_not(rule, card):
            left_out[rule.name] = reason
            continue
        week = WEEKS[-1] if isinstance(rule.week, str) else float(rule.week)
        if week not in WEEKS[1:]:
            expected = f"one of {', '.join(f'{w:g}' for w in WEEKS[1:])}"
            problems.append(Problem(file, None, f"rule {rule.name}, week", f"{week:g}", expected))
            continue
        try:
            criteria = criteria_of(rule, definitions, file)
        except InputError as error:
            problems.extend(error.problems)
            continue
        found.append(_of_rule(rule, criteria, week, definitions))
    if not found and not problems:
        reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
        expected = f"a model that a rule of {file} can judge ({reasons})"
        problems.append(Problem("--model", None, None, card.name, expected))
    if problems:
        raise InputError(problems)
    return tuple(found), left_out


def _of_rule(rule: Rule, criteria: Criteria, week: float, definitions: Definitions) -> Judge:
    if rule.quantity == "share":
        what, better, reaches = "share", ">", "≥"
        reference, target = (
            wording.stated(criteria.reference),
            wording.stated(criteria.target),
        )
        about = f"share {definitions.patients(str(rule.category))}"
    else:
        what, better, reaches = "GMR", "<", "≤"
        reference, target = f"{criteria.reference:g}", f"{criteria.target:g}"
        about = "geometric mean ratio"
    says = (
        f"{about}: P({what} {better} {reference}) at least {wording.stated(criteria.confidence)} "
        f"and P({what} {reaches} {target}) at least {wording.stated(criteria.target_confidence)}"
    )
    return Judge(
        rule.name,
        f"rule “{rule.name}”",
        says,
        rule.quantity,
        rule.category,
        rule.marker,
        WEEKS.index(week),
        criteria,
        True,
    )


def other_judges() -> tuple[Judge, ...]:
    """The paired test and the two readings of the count."""
    last = len(WEEKS) - 1
    # A test asks whether there is any fall, or any majority: reference and target are one.
    fall = Criteria(1.0, 1 - LEVEL / 2, 1.0, 0.5, above=False)
    most = Criteria(MAJORITY, 1 - LEVEL / 2, MAJORITY, 0.5)
    return (
        Judge(
            WILCOXON,
            "paired Wilcoxon test",
            f"a fall with two-sided P < {LEVEL:g}, week 12 "
            "against baseline, those measured at both",
            "gmr",
            None,
            PROTEIN,
            last,
            fall,
            False,
        ),
        Judge(
            MAJORITY_READING,
            "“5 of 7” reading",
            "more than half of the evaluable called effective as measured",
            "share",
            "effective",
            "",
            last,
            most,
            False,
        ),
        Judge(
            EXACT,
            "“5 of 7”, exact test",
            f"more than half called effective, exact binomial test with two-sided P < {LEVEL:g}",
            "share",
            "effective",
            "",
            last,
            most,
            False,
        ),
    )


@dataclass(frozen=True)
class Truth:
    """What is true in a scenario.

    Attributes
    ----------
    log_gmr : float
        Of protein at the last visit, all who are enrolled.
    value, meaning : dict
        Judge's name to the true value of its quantity, and to what a go means.
    """

    log_gmr: float
    value: Mapping[str, float]
    meaning: Mapping[str, str]


def truth_of(scenario: Scenario, judges: Sequence[Judge], definitions: Definitions) -> Truth:
    """What a scenario makes true, counted in many patients where it is not stated."""
    cohort = scenario.simulate(TRUTH_PATIENTS, np.random.default_rng(TRUTH_SEED))
    log_gmr = _log_gmr(scenario, cohort.true, PROTEIN, len(WEEKS) - 1)[0]
    values, meanings = {}, {}
    for judge in judges:
        if judge.quantity == "gmr":
            moved, error = _log_gmr(scenario, cohort.true, judge.marker, judge.visit)
            value = float(np.exp(moved))
            error *= value
        else:
            value = _share(cohort.true, judge, definitions)
            error = float(np.sqrt(value * (1 - value) / TRUTH_PATIENTS))
        values[judge.name], meanings[judge.name] = value, judge.meaning(value, error)
    return Truth(log_gmr, values, meanings)


def _share(true: Floats, judge: Judge, definitions: Definitions) -> float:
    first, later = true[:, 0, 0], true[:, judge.visit]
    # Effective is the fall alone, as in a count of 24-h protein; with albumin in the model it
    # takes in the few who are in remission without such a fall.
    albumin = None if judge.category in FALL_ALONE else later[:, 1]
    return float(np.mean(met(definitions, first, later[:, 0], albumin)[called(judge)]))


def _log_gmr(scenario: Scenario, true: Floats, marker: str, visit: int) -> tuple[float, float]:
    """Mean log change and its standard error; exact where the scenario states it."""
    if scenario.gmr is not None and marker == PROTEIN and visit == len(WEEKS) - 1:
        return float(np.log(scenario.gmr)), 0.0
    moved = true[:, visit, MARKERS.index(marker)] - true[:, 0, MARKERS.index(marker)]
    return float(moved.mean()), float(moved.std() / np.sqrt(moved.size))
