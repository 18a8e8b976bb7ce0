from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from runs import edited

from mnbayes.base.problems import InputError, Problem
from mnbayes.cards.definitions import CATEGORIES, load_definitions

CARD = Path(__file__).parents[1] / "models" / "definitions.toml"


def problems_of(folder: Path, *edits: tuple[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        load_definitions(edited(folder, CARD, *edits))
    return caught.value.problems


def test_the_card_says_what_the_design_says() -> None:
    definitions = load_definitions(CARD)
    assert definitions.complete.urine_protein_24h.below == 0.3
    assert definitions.complete.urine_protein_24h.unit == "g/24h"
    assert definitions.complete.albumin.at_least == 35
    assert definitions.complete.albumin.unit == "g/L"
    assert definitions.partial.fall.at_least == 0.5
    assert definitions.partial.urine_protein_24h.below == 3.5
    assert definitions.effective.fall.at_least == 0.15
    assert definitions.benchmarks == {"remission": 0.25, "effective": 0.5}
    assert CATEGORIES == ("complete", "partial", "remission", "effective", "none")


def test_definitions_cannot_be_changed_after_loading() -> None:
    definitions = load_definitions(CARD)
    with pytest.raises(ValidationError, match="frozen"):
        definitions.complete.albumin.at_least = 30.0


def test_whole_numbers_and_no_benchmark_are_fine(tmp_path: Path) -> None:
    text = CARD.read_text(encoding="utf-8").replace("35.0", "35").partition("[[benchmark]]")[0]
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    definitions = load_definitions(str(path))
    assert definitions.complete.albumin.at_least == 35
    assert definitions.benchmarks == {}


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        # a misspelt name lists the names that there are
        ("at_least = 35.0", "at_lest = 35.0", "complete.albumin.at_lest", "did you mean at_least?"),
        ("[partial.fall]", "[partial.drop]", "partial.drop", "fall, urine_protein_24h"),
        ("[effective.fall]", "[efective.fall]", "efective", "complete, partial, effective"),
        ('category = "effective"', 'group = "effective"', "benchmark.1.group", "category, share"),
        ('category = "effective"', 'category = "good"', "benchmark.1.category", "'remission'"),
        # numbers that cannot be meant
        ("below = 0.3", "below = -0.3", "complete.urine_protein_24h.below", "greater than 0"),
        ("below = 0.3", 'below = "0.3"', "complete.urine_protein_24h.below", "valid number"),
        ("below = 0.3", "below = nan", "complete.urine_protein_24h.below", "finite"),
        ("at_least = 35.0", "at_least = true", "complete.albumin.at_least", "valid number"),
        ("at_least = 0.5", "at_least = 50", "partial.fall.at_least", "less than 1"),
        ("share = 0.25", "share = 22", "benchmark.0.share", "less than 1"),
        ("below = 0.3", "below = 4.0", None, "at most partial's 3.5"),
        ('category = "effective"', 'category = "remission"', None, "one benchmark for a category"),
        # a threshold belongs to its unit
        ('unit = "g/L"', 'unit = "g/dL"', "complete.albumin", "a threshold in g/L"),
        ('unit = "g/24h"', 'unit = "mg/24h"', "complete.urine_protein_24h", "not converted"),
        ('unit = "share of baseline"', 'unit = "%"', "partial.fall.unit", "share of baseline"),
        # nothing without a reason
        ('source = "mnbayes hist', 'sauce = "mnbayes hist', "benchmark.0.source", "for source"),
        ('"Below the nephrotic range."', '""', "partial.urine_protein_24h.why", "at le"),
    ],
)
def test_a_wrong_card_says_where_and_what(
    tmp_path: Path, old: str, new: str, key: str | None, words: str
) -> None:
    problems = problems_of(tmp_path, (old, new))
    assert all(problem.file == "mine.toml" for problem in problems)
    at = [problem for problem in problems if problem.column == key]
    assert len(at) == 1
    assert words in at[0].expected
    assert at[0].found


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, ("below = 0.3", "below = 0"), ("share = 0.25", "share = 2"))
    columns = {problem.column for problem in problems}
    assert columns == {"complete.urine_protein_24h.below", "benchmark.0.share"}


@pytest.mark.parametrize("content", [b"below = ", b"name = '\xff'", b"x = 1\nx = 2"])
def test_what_is_not_toml_is_a_problem_of_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.toml.*valid TOML"):
        load_definitions(path)
    with pytest.raises(InputError, match=r"absent\.toml.*No such file"):
        load_definitions(tmp_path / "absent.toml")


@pytest.mark.parametrize("content", ["", "complete = 3", "complete = [1]\nbenchmark = 4"])
def test_a_card_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        load_definitions(path)
