"""The facts file: the trial's own, contradictions in words, and what the readings make of it."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnbayes.analyses.published.counts import best_counts, outcome_counts
from mnbayes.analyses.published.load_facts import load_facts, parse_facts
from mnbayes.analyses.published.readings import Readings, best_evidence, outcome_evidence
from mnbayes.base.problems import InputError
from mnbayes.base.resources import published_facts_file
from mnbayes.base.toml_files import read_toml
from mnbayes.cards.definitions import Definitions, load_definitions

RAW = read_toml(published_facts_file())
DEFINITIONS = load_definitions()


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The trial's facts with some keys set; ``None`` takes a key away."""
    data = copy.deepcopy(RAW)
    for path, value in changes:
        *tables, key = path.split(".")
        table: Any = data
        for part in tables:
            table = table[int(part)] if part.isdigit() else table.setdefault(part, {})
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    return data


def refused(*changes: tuple[str, Any]) -> str:
    with pytest.raises(InputError) as error:
        parse_facts(changed(*changes), "mine.toml")
    assert all(problem.file == "mine.toml" for problem in error.value.problems)
    return str(error.value)


def test_the_trials_own_facts_are_those_of_the_abstract() -> None:
    facts = load_facts()
    outcome, best = outcome_counts(facts), best_counts(facts)
    assert (outcome.enrolled, outcome.evaluable, outcome.missing) == (8, 7, 1)
    assert (outcome.effective, outcome.none) == (5, 2)
    assert (outcome.complete, outcome.partial, outcome.remission) == (1, 3, 4)
    assert best is not None
    assert (best.evaluable, best.effective, best.none) == (8, 7, 1)
    assert facts.outcome.reduction is not None
    assert facts.best is not None
    assert facts.best.reduction is not None
    ranges = [
        (r.lowest_percent, r.highest_percent)
        for r in (facts.outcome.reduction, facts.best.reduction)
    ]
    assert ranges == [(17, 76), (46, 79)]
    assert facts.best.weeks == (1, 2, 4)
    assert facts.outcome.week == 12
    assert not facts.invented
    assert "10.21203/rs.3.rs-6824104/v1" in facts.source
    assert all(count.says for count in facts.count)
    assert len(facts.sha256) == 64


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            [("outcome.remission.partial", 5)],
            "found 6 remissions (1 complete, 5 partial); expected no more remissions than "
            "responders: 5",
        ),
        (
            [("outcome.reduction.lowest_percent", 80)],
            "found 80 % to 76 %; expected the lowest first: this range is turned round",
        ),
        ([("outcome.response.effective", 9)], "found 9 patients; expected no more than the 7 eval"),
        ([("outcome.evaluable", 9)], "found 9 patients; expected no more than the 8 enrolled"),
        (
            [("best.reduction.highest_percent", 117)],
            "column best.reduction.highest_percent: found 117 %; expected a reduction of at most",
        ),
        ([("best.reduction.highest_percent", 100)], "below 100 %"),
        ([("outcome.reduction.lowest_percent", -3)], "a fall, above 0 %"),
        (
            [("outcome.remission.total", 5)],
            "found 1 complete and 3 partial, but 5 in all; expected their sum, 4",
        ),
        (
            [("outcome.withdrew", 2)],
            "found 7 evaluable and 2 withdrawn, 9 in all; expected as many as were enrolled: 8",
        ),
        (
            [("outcome.response.none", 1)],
            "found 5 effective and 1 without response, 6 in all; expected as many as were "
            "evaluable: 7",
        ),
        (
            [("best.response.effective", 1), ("best.response.none", 7)],
            "found 46 % to 79 % in 1 patient; expected one number for one patient",
        ),
        (
            [("best.response.effective", 0), ("best.response.none", 8)],
            "no range, since nobody responded",
        ),
        (
            [("outcome.response.effective_percent", 57)],
            "found 57 %; expected the rate of the counts: 5 of 7 (71 %) or 5 of 8 (62 %)",
        ),
        ([("count.0.percent", 70)], "column count.0.percent: found 70 %; expected the rate"),
        ([("count.0.patients", 9)], "found 9 of 8; expected no more than 8"),
        ([("count.0.of", 12)], "from 1 to the 8 enrolled"),
        ([("outcome.response.effective", -1)], "0 or more patients"),
        ([("best.weeks", [])], "found no week"),
        ([("best.weeks", [1, 1])], "different weeks after baseline"),
        ([("outcome.week", 0)], "a week after baseline"),
        ([("outcome.evaluable", 0), ("outcome.withdrew", 8)], "nobody seen"),
        ([("marker", "proteinurea")], "expected one of urine_protein_24h"),
        ([("enrolled.patients", 0)], "expected 1 or more"),
        (
            [("outcome.response", {"says": "Some improved."})],
            "neither effective nor none",
        ),
        ([("outcome.remission", {})], "expected complete and partial, or total"),
        ([("outcome.remission", {"complete": 1})], "no count of partial remissions"),
        ([("outcome.weak", 12)], "column outcome.weak: found unknown key; expected one of"),
        ([("outcome.weak", 12)], "(did you mean week?)"),
        ([("outcome.week", None)], "column outcome.week: found nothing"),
        ([("enrolled.patients", "8")], "column enrolled.patients: found '8'; expected a valid int"),
        ([("invented", 1)], "column invented"),
    ],
)
def test_contradictions_are_refused_in_words(changes: list[tuple[str, Any]], words: str) -> None:
    assert words in refused(*changes)


def test_all_contradictions_are_said_at_once() -> None:
    said = refused(
        ("outcome.remission.partial", 5),
        ("best.reduction.highest_percent", 117),
        ("count.0.percent", 70),
    )
    assert len(said.splitlines()) == 3


def test_counts_left_out_follow_from_the_others() -> None:
    data = changed(
        ("outcome.evaluable", None),
        ("outcome.response.none", None),
        ("outcome.remission", {"total": 4}),
        ("best", None),
        ("count", None),
        ("statement", None),
    )
    facts = parse_facts(data, "mine.toml")
    counts = outcome_counts(facts)
    assert (counts.evaluable, counts.effective, counts.none, counts.remission) == (7, 5, 2, 4)
    assert counts.complete is None
    assert best_evidence(facts, Readings(), DEFINITIONS) is None


def as_ratios(readings: Readings, *changes: tuple[str, Any]) -> dict[str, tuple[float, ...]]:
    facts = parse_facts(changed(*changes), "mine.toml")
    found = outcome_evidence(facts, readings, DEFINITIONS)
    rows = zip(found.label, np.exp(found.lower), np.exp(found.upper), found.patients, strict=True)
    return {label: (round(a, 6), round(b, 6), n) for label, a, b, n in rows}


def test_the_abstract_read_as_the_design_says() -> None:
    inf = np.inf
    assert as_ratios(Readings()) == {
        "highest published fall": (0.24, 0.24, 1),
        "lowest published fall": (0.83, 0.83, 1),
        "between, in remission": (0.24, 0.5, 3),
        "no response": (0.83, inf, 2),
        "not seen": (0.0, inf, 1),
    }
    best = best_evidence(load_facts(), Readings(), DEFINITIONS)
    assert best is not None
    ends = ("highest published fall", "lowest published fall")
    assert best.label == (*ends, "between", "no response")
    assert np.exp(best.lower) == pytest.approx([0.21, 0.54, 0.21, 0.54])
    assert np.exp(best.upper) == pytest.approx([0.21, 0.54, 0.54, inf])
    assert best.patients.tolist() == [1, 1, 5, 1]


def test_other_readings_move_the_bounds_they_are_about() -> None:
    inf = np.inf
    assert as_ratios(Readings(remission="unknown"))["between"] == (0.24, 0.83, 3)
    assert as_ratios(Readings(no_response="no_fall"))["no response"] == (1.0, inf, 2)
    assert as_ratios(Readings(no_response="unknown"))["no response"] == (0.0, inf, 2)
    assert as_ratios(Readings(withdrawn="failure"))["not seen"] == (0.83, inf, 1)
    assert as_ratios(Readings(withdrawn="success"))["not seen"] == (0.0, 0.5, 1)
    rounded = as_ratios(Readings(ends="rounded"))
    assert rounded["highest published fall"] == (0.235, 0.245, 1)
    assert rounded["lowest published fall"] == (0.825, 0.835, 1)


def test_a_range_of_others_without_remission() -> None:
    # 7 of 7 respond: 4 in remission, 3 not; the ends take one of each
    found = as_ratios(
        Readings(),
        ("outcome.response", {"effective": 7}),
    )
    assert found["between, in remission"] == (0.24, 0.5, 3)
    assert found["between"] == (0.24, 0.83, 2)
    # every responder in remission and even the lowest fell by more than half
    high = ("outcome.reduction.lowest_percent", 55)
    every = as_ratios(Readings(), high, ("outcome.remission", {"total": 5}))
    assert every["between, in remission"] == (0.24, 0.45, 3)
    assert "between" not in every


@pytest.mark.parametrize(("effective", "expected"), [(1, (0.6, 0.6, 1)), (2, (0.595, 0.605, 2))])
def test_one_fall_is_known_and_equal_falls_are_equal_as_printed(
    effective: int, expected: tuple[float, float, int]
) -> None:
    # Two equal known values would have an infinite likelihood at an SD of 0.
    found = as_ratios(
        Readings(),
        ("outcome.response", {"effective": effective}),
        ("outcome.remission", None),
        ("outcome.reduction", {"lowest_percent": 40, "highest_percent": 40}),
    )
    assert found["all with a response"] == expected


def test_without_a_range_the_definitions_say_what_a_response_is(definitions: Definitions) -> None:
    found = as_ratios(Readings(), ("outcome.reduction", None))
    floor = 1 - definitions.threshold("effective", "urine_protein_24h", "fall_at_least")
    assert found["in remission"] == (0.0, 0.5, 4)
    assert found["with a response"] == (0.0, floor, 1)
    assert found["no response"] == (floor, np.inf, 2)
    open_ = as_ratios(Readings(no_response="no_fall"), ("outcome.reduction", None))
    assert open_["with a response"] == (0.0, 1.0, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("outcome.reduction.highest_percent", 45)], "a highest fall of 45 %"),
        ([("outcome.remission.partial", 4)], "a lowest fall of 17 % among 5 patients"),
    ],
)
def test_facts_that_a_reading_forbids_are_refused_with_the_reading(
    changes: list[tuple[str, Any]], words: str
) -> None:
    facts = parse_facts(changed(*changes), "mine.toml")
    with pytest.raises(InputError) as error:
        outcome_evidence(facts, Readings(), DEFINITIONS)
    assert words in str(error.value)
    assert 'remission = "unknown"' in str(error.value)
    outcome_evidence(facts, Readings(remission="unknown"), DEFINITIONS)


@given(
    n=st.integers(2, 60),
    data=st.data(),
    readings=st.builds(
        Readings,
        no_response=st.sampled_from(["smaller_fall", "no_fall", "unknown"]),
        ends=st.sampled_from(["known", "rounded"]),
        withdrawn=st.sampled_from(["missing", "failure", "success"]),
    ),
)
def test_everybody_enrolled_is_in_the_evidence_once(
    n: int, data: st.DataObject, readings: Readings
) -> None:
    evaluable = data.draw(st.integers(2, n))
    effective = data.draw(st.integers(2, evaluable))
    remission = data.draw(st.integers(0, effective - 1))
    low = data.draw(st.integers(1, 49))
    high = data.draw(st.integers(51, 99))
    facts = parse_facts(
        {
            "title": "t",
            "source": "s",
            "marker": "urine_protein_24h",
            "enrolled": {"patients": n},
            "outcome": {
                "week": 8,
                "evaluable": evaluable,
                "response": {"effective": effective},
                "reduction": {"lowest_percent": low, "highest_percent": high},
                "remission": {"total": remission},
            },
        },
        "mine.toml",
    )
    found = outcome_evidence(facts, readings, DEFINITIONS)
    assert found.patients.sum() == n
    assert (found.lower <= found.upper).all()
    in_remission = found.patients[[name == "between, in remission" for name in found.label]]
    assert in_remission.sum() == max(remission - 1, 0)
