"""The rule: a pure function, applied to a fit, and its card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from designs import CARD, DEFINITIONS, PROTEIN, evidence_from, short, withheld_evidence
from hypothesis import given
from hypothesis import strategies as st
from runs import edited
from trees import make_tree

from mnbayes.analyses.design import decide, load_rules, verdicts, words
from mnbayes.analyses.design.plan import plan_evidence
from mnbayes.analyses.design.rules import Bound, Criteria, Rule, criteria_of
from mnbayes.answers.change import estimates
from mnbayes.base.problems import InputError
from mnbayes.base.resources import models_folder
from mnbayes.cards.definitions import Definitions

RULE = Criteria(reference=0.2, confidence=0.8, target=0.4, target_confidence=0.5)
REMISSION, EFFECTIVE, RATIO = CARD.rule


@pytest.fixture(scope="module")
def evidence():
    return evidence_from(make_tree())


def test_the_rule_at_and_beside_its_lines() -> None:
    significance = [0.8, 0.8, 0.79, 0.79, np.nan, 1.0]
    relevance = [0.5, 0.49, 0.5, 0.49, 0.9, np.nan]
    said = verdicts(significance, relevance, RULE)
    assert said.tolist() == ["go", "consider", "consider", "no-go", "", ""]
    assert str(verdicts(0.9, 0.9, RULE)) == "go"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.3))
def test_more_support_never_says_less(significance, relevance, more) -> None:
    order = {"no-go": 0, "consider": 1, "go": 2}
    first = str(verdicts(significance, relevance, RULE))
    for a, b in ((more, 0.0), (0.0, more)):
        then = str(verdicts(min(1, significance + a), min(1, relevance + b), RULE))
        assert order[then] >= order[first]


@pytest.mark.parametrize("rule", [REMISSION, EFFECTIVE], ids=["remission", "effective"])
def test_significance_is_the_reported_exceeds(evidence, rule) -> None:
    decision = decide(evidence, rule, DEFINITIONS)
    table = evidence.probabilities
    asked = f"quantity == 'exceeds' and week == 12 and category == '{rule.category}'"
    row = table.query(asked).iloc[0]
    first, second = decision.judged
    assert (first.threshold, first.required) == (DEFINITIONS.benchmarks[rule.category], 0.8)
    assert first.probability == row["probability"]
    assert first.error == row["mcse"]
    assert first.prior == row["prior_probability"]
    # relevance at 0.5 asks whether the median reaches the target
    assert second.met == (decision.interval[0] >= second.threshold)
    criteria = criteria_of(rule, DEFINITIONS)
    assert decision.verdict == str(verdicts(first.probability, second.probability, criteria))


def test_a_ratio_is_judged_by_the_reported_fall(evidence) -> None:
    decision = decide(evidence, RATIO, DEFINITIONS)
    table = estimates(evidence.tree, "m")
    row = table[(table["marker"] == PROTEIN) & (table["week"] == 12)].iloc[0]
    first, second = decision.judged
    assert first.probability == row["p_fall"]
    assert second.probability == row["p_fall_30"]
    assert first.prior == row["p_fall_prior"]
    assert decision.interval == pytest.approx(
        [row[f"gmr_{part}"] for part in ("median", "lower", "upper")], rel=1e-6
    )
    # every draw of the tree lies near a half, the prior's spread far wider
    assert decision.verdict == "go"
    assert "GMR < 1" in words.asked(decision, first)


def test_an_earlier_week_is_another_decision(evidence) -> None:
    tree = evidence.tree
    at = decide(evidence, RATIO.model_copy(update={"week": 4.0}), DEFINITIONS)
    expected = np.exp(tree["posterior"]["visit_change"].sel(marker=PROTEIN, later_visit=4.0)) < 1
    assert at.week == 4
    assert at.judged[0].probability == float(expected.mean())
    never = decide(evidence, RATIO.model_copy(update={"week": 7.0}), DEFINITIONS)
    assert never.verdict == ""
    assert never.reasons == ("no visit at week 7 (later visits: 1, 2, 4, 12)",)


def test_withheld_numbers_yield_no_decision() -> None:
    for rule in CARD.rule:
        decision = decide(withheld_evidence(), rule, DEFINITIONS)
        assert decision.verdict == ""
        assert decision.judged == ()
        assert "withheld (R-hat 1.200)" in words.verdict(decision)
        assert np.isnan(decision.interval).all()
        assert words.doubts(decision) == ()
    plan = plan_evidence([withheld_evidence()], DEFINITIONS, short(), "a test", True)
    assert plan.rule is None
    assert plan.assurance.empty
    assert set(plan.tables) == {"decision"}
    table = plan.tables["decision"]
    assert table[["probability", "prior_probability"]].isna().all(axis=None)
    assert table["reasons"].str.contains("withheld").all()


def test_a_rule_that_does_not_fit_the_definitions_stops_no_report(evidence) -> None:
    bars = [{"category": "remission", "share": 0.6, "why": "a test", "source": "a test"}]
    other = Definitions.model_validate(DEFINITIONS.model_dump() | {"benchmark": bars})
    plan = plan_evidence([evidence], other, short(), "a test", True)
    assert [bool(one.verdict) for one in plan.decisions] == [False, False, True]
    assert "above the lower reference, 0.6" in plan.main.reasons[0]
    assert "benchmark" in plan.decisions[1].reasons[0]
    assert plan.assurance.empty


def test_a_category_that_the_model_cannot_judge_yields_no_decision() -> None:
    alone = evidence_from(make_tree(markers=(PROTEIN,), draws=50), "proteinuria")
    decision = decide(alone, REMISSION, DEFINITIONS)
    assert decision.verdict == ""
    assert "albumin" in decision.reasons[0]
    assert decide(alone, EFFECTIVE, DEFINITIONS).verdict
    crp = Rule.model_validate(RATIO.model_dump() | {"marker": "cd3"})
    assert "cd3" in decide(alone, crp, DEFINITIONS).reasons[0]


def test_a_probability_on_its_line_is_unsure(evidence) -> None:
    found = decide(evidence, REMISSION, DEFINITIONS).judged[0].probability
    bound = REMISSION.lower_reference.model_dump() | {"confidence": min(found + 0.001, 0.999)}
    close = REMISSION.model_copy(update={"lower_reference": Bound.model_validate(bound)})
    decision = decide(evidence, close, DEFINITIONS)
    assert decision.unsure
    assert any("Monte Carlo error" in sentence for sentence in words.doubts(decision))


def test_a_fit_shown_all_the_same_is_marked(evidence) -> None:
    doubtful = replace(evidence, doubtful=("3 divergent transitions",))
    said = words.doubts(decide(doubtful, REMISSION, DEFINITIONS))
    assert any("3 divergent transitions" in sentence for sentence in said)


def test_a_rule_is_applied_to_the_model_the_first_page_uses() -> None:
    both = [
        evidence_from(make_tree(markers=(PROTEIN,), draws=20), "proteinuria"),
        evidence_from(make_tree(draws=20)),
    ]
    card = short(patients=(10,), withdrawal=(0.0,))
    for order in (both, both[::-1]):
        plan = plan_evidence(order, DEFINITIONS, card, "a test", True)
        assert [one.model for one in plan.decisions] == ["remission", "remission", "proteinuria"]
    # where the better model is withheld, the other one answers what it can
    held = [both[0], replace(both[1], tree=None, withheld=("R-hat",))]
    plan = plan_evidence(held, DEFINITIONS, card, "a test", True)
    found = [(one.model, bool(one.verdict)) for one in plan.decisions]
    assert found == [("remission", False), ("proteinuria", True), ("proteinuria", True)]
    assert plan.assurance.empty


def test_the_card_that_comes_along_uses_the_definitions() -> None:
    criteria = criteria_of(REMISSION, DEFINITIONS)
    assert criteria.reference == DEFINITIONS.benchmarks["remission"]
    assert criteria.confidence == DEFINITIONS.decision.probability
    assert criteria_of(RATIO, DEFINITIONS).above is False


def _broken(tmp_path: Path, *changes: tuple[str, str]) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_rules(edited(tmp_path, models_folder() / "decision.toml", *changes))
    return [str(problem) for problem in caught.value.problems]


def test_every_problem_of_a_card_at_once(tmp_path: Path) -> None:
    said = _broken(
        tmp_path,
        ('value = "benchmark"\n', 'value = "bench"\n'),
        ("confidence = 0.5", "confidence = 1.5"),
        ('marker = "urine_protein_24h"', 'marker = "Urine protein"'),
        ("patients = [10, 20, 30, 40, 60]", "patients = [0]"),
        ("false_go = 0.05", "false_go = true"),
    )
    places = ["lower_reference.value", "target.confidence", "rule.2.marker", "patients.0", "false"]
    assert len(said) == len(places)
    for text, place in zip(said, places, strict=True):
        assert "mine.toml" in text
        assert place in text


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    (said,) = _broken(tmp_path, ('category = "remission"\n', ""))
    assert "needs a category of response" in said
    (said,) = _broken(tmp_path, ('name = "effective"', 'name = "remission"'))
    assert "more called remission" in said
    with pytest.raises(InputError, match="found nothing; expected a value for"):
        load_rules(models_folder() / "definitions" / "embedded.toml")


def test_a_rule_that_the_definitions_do_not_fit_is_refused() -> None:
    bare = Definitions.model_validate(DEFINITIONS.model_dump() | {"benchmark": []})
    with pytest.raises(InputError, match="a category with a benchmark"):
        criteria_of(REMISSION, bare)
    low = REMISSION.target.model_dump() | {"value": 0.1}
    with pytest.raises(InputError, match="above the lower reference"):
        criteria_of(REMISSION.model_copy(update={"target": Bound.model_validate(low)}), DEFINITIONS)
    # Of a ratio either side may be the better one; no target is the reference itself.
    high, same = (RATIO.target.model_dump() | {"value": value} for value in (1.2, 1.0))
    rising = RATIO.model_copy(update={"target": Bound.model_validate(high)})
    assert criteria_of(rising, DEFINITIONS).above
    assert not criteria_of(RATIO, DEFINITIONS).above
    with pytest.raises(InputError, match="beyond the lower reference, 1"):
        criteria_of(RATIO.model_copy(update={"target": Bound.model_validate(same)}), DEFINITIONS)
