from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError
from runs import edited

from mnbayes.base.problems import InputError, Problem
from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.cards.chosen_definitions import choose_definitions
from mnbayes.cards.definitions import (
    ALBUMIN,
    PROTEIN,
    Definitions,
    canonical,
    definitions_folder,
    load_definitions,
    parse_definitions,
    shipped_definitions,
)
from mnbayes.data.cohort import Cohort, load_cohort
from mnbayes.data.markers import MARKERS
from mnbayes.data.trial import Trial

CARD = Path(__file__).parents[1] / "models" / "definitions" / "embedded.toml"


def problems_of(folder: Path, *edits: tuple[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        load_definitions(edited(folder, CARD, *edits))
    return caught.value.problems


@pytest.fixture(scope="module")
def embedded() -> Cohort:
    return load_cohort(embedded_cohort_folder())


def of_markers(cohort: Cohort, *markers: str) -> Cohort:
    """The cohort as another one, of its first markers' values under other names."""
    table = cohort.measurements[cohort.measurements["marker"].isin([PROTEIN, ALBUMIN])]
    names = dict(zip((PROTEIN, ALBUMIN), markers, strict=False))
    kept = table[table["marker"].isin(names)]
    renamed = kept.assign(marker=kept["marker"].map(names))
    return replace(cohort, measurements=renamed, source="elsewhere", trial=Trial())


def test_the_card_says_what_the_design_says() -> None:
    definitions = load_definitions(CARD)
    threshold = definitions.threshold
    assert threshold("complete", PROTEIN, "below") == 0.3
    assert threshold("complete", ALBUMIN, "at_least") == 35
    assert threshold("partial", PROTEIN, "fall_at_least") == 0.5
    assert threshold("partial", PROTEIN, "below") == 3.5
    assert threshold("effective", PROTEIN, "fall_at_least") == 0.15
    assert {p.unit_of_threshold for p in definitions.criteria} == {"g/24h", "g/L", ""}
    assert definitions.benchmarks == {"remission": 0.25, "effective": 0.5}
    assert definitions.categories == ("complete", "partial", "remission", "effective", "none")
    assert definitions.responses == definitions.categories[:-1]
    assert definitions.stated == ("remission", "effective")
    assert definitions.label("remission") == "remission (complete or partial)"
    with pytest.raises(InputError, match="below of albumin in a category effective"):
        threshold("effective", ALBUMIN, "below")


@pytest.mark.parametrize("name", shipped_definitions())
def test_every_shipped_file_reads_back_from_what_a_run_records(name: str) -> None:
    definitions = load_definitions(name)
    assert definitions.name == name
    assert parse_definitions(definitions.recorded(), "run.json") == definitions
    assert definitions.primary in definitions.benchmarks
    assert all(part.source for part in definitions.criteria)
    assert all(part.marker == "*" or part.marker in MARKERS for part in definitions.criteria)


def test_definitions_cannot_be_changed_after_loading() -> None:
    definitions = load_definitions(CARD)
    with pytest.raises(ValidationError, match="frozen"):
        definitions.category[0].label = "better"


def test_whole_numbers_and_no_benchmark_are_fine(tmp_path: Path) -> None:
    text = CARD.read_text(encoding="utf-8").replace("35.0", "35").partition("[[benchmark]]")[0]
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('primary = "remission"\n', ""), encoding="utf-8")
    definitions = load_definitions(str(path))
    assert definitions.threshold("complete", ALBUMIN, "at_least") == 35
    assert definitions.benchmarks == {}
    assert definitions.primary == "complete"  # the first, where none has a benchmark


@pytest.mark.parametrize(
    ("old", "new", "key", "words"),
    [
        # a misspelt name lists the names that there are
        ("at_least = 35.0", "at_lest = 35.0", "category.0.all.1.at_lest", "did you mean at_least?"),
        ('label = "effective"', 'lable = "effective"', "category.3.lable", "did you mean label?"),
        ('category = "effective"', 'group = "effective"', "benchmark.1.group", "category, share"),
        ('category = "effective"', 'category = "good"', "benchmark.1.category", "remission"),
        ('any = ["complete", "partial"]', 'any = ["compleet"]', "category.2", "mean complete?"),
        ('not = ["effective"]', 'not = ["efective"]', "category.4", "did you mean effective?"),
        ('primary = "remission"', 'primary = "remision"', "primary", "did you mean remission?"),
        ('name = "partial"', 'name = "complete"', "category.1.name", "each name once"),
        ('name = "partial"', 'name = "Partial!"', "category.1.name", "match pattern"),
        ("below = 0.3", "below = 4.0", f"complete.{PROTEIN}.below", "at most partial's 3.5"),
        # categories built on themselves
        ('not = ["complete"]', 'not = ["remission"]', "category", "built on others"),
        # numbers that cannot be meant
        ("below = 0.3", "below = -0.3", "category.0.all.0.below.g/24h", "greater than 0"),
        ("below = 0.3", 'below = "0.3"', "category.0.all.0.below", "dictionary"),
        ("below = 0.3", "below = nan", "category.0.all.0.below.g/24h", "finite"),
        ("at_least = 35.0", "at_least = true", "category.0.all.1.at_least", "dictionary"),
        ("at_least = 0.5", "at_least = 50", "category.1.all.0.fall_at_least", "less than 1"),
        ("share = 0.25", "share = 22", "benchmark.0.share", "less than 1"),
        ('category = "effective"', 'category = "remission"', "benchmark", "one benchmark for a"),
        # one thing for each criterion, with its unit and a reason
        ('unit = "g/L"\n', "", "category.0.all.1", "the unit of at_least = 35"),
        ("fall_at_least = 0.15", "", "category.3.any.0", "one of below, at_least"),
        ("at_least = 0.5", "at_least = 0.5\nunit = 'g'", "category.1.all.0", "no unit beside"),
        ('marker = "albumin"\n', "", "category.0.all.1", "a marker, or the name"),
        ('source = "mnbayes hist', 'sauce = "mnbayes hist', "benchmark.0.source", "for source"),
        ('why = "Below the nephrotic range."\n', "", "category.1.all.1", "a value for why"),
        ('"Below the nephrotic range."', '""', "category.1.all.1.why", "at least 1 char"),
        # confirmed twice
        ('any = ["complete", "partial"]', "not = []", "category.2", "how the category is met"),
    ],
)
def test_a_wrong_card_says_where_and_what(
    tmp_path: Path, old: str, new: str, key: str, words: str
) -> None:
    problems = problems_of(tmp_path, (old, new))
    assert all(problem.file == "mine.toml" for problem in problems)
    at = [problem for problem in problems if problem.column == key]
    assert len(at) == 1, problems
    assert words in at[0].expected
    assert at[0].found


def test_what_is_confirmed_is_not_confirmed_again(tmp_path: Path) -> None:
    path = edited(
        tmp_path,
        definitions_folder() / "kdigo_mn_protein_confirmed.toml",
        ('any = ["complete", "partial"]', 'any = ["complete", "partial"]\nconfirmed = true'),
    )
    with pytest.raises(InputError, match="not confirmed themselves"):
        load_definitions(path)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    problems = problems_of(tmp_path, ("below = 0.3", "below = 0"), ("share = 0.25", "share = 2"))
    columns = {problem.column for problem in problems}
    assert columns == {"category.0.all.0.below.g/24h", "benchmark.0.share"}
    problems = problems_of(
        tmp_path,
        ('not = ["effective"]', 'not = ["x"]'),
        ('category = "remission"\nshare', 'category = "y"\nshare'),
    )
    assert {problem.column for problem in problems} == {"category.4", "benchmark.0.category"}


def test_the_form_before_responses_were_data_is_one_clear_message(tmp_path: Path) -> None:
    path = tmp_path / "old.toml"
    path.write_text('name = "x"\n[complete.urine_protein_24h]\nbelow = 0.3\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"before responses were data.*docs/responses\.md"):
        load_definitions(path)


@pytest.mark.parametrize("content", [b"below = ", b"name = '\xff'", b"x = 1\nx = 2"])
def test_what_is_not_toml_is_a_problem_of_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"broken\.toml.*valid TOML"):
        load_definitions(path)
    with pytest.raises(InputError, match=r"absent\.toml.*No such file"):
        load_definitions(tmp_path / "absent.toml")


@pytest.mark.parametrize(
    "content", ["", "complete = 3", "category = 3", "category = [1]\nbenchmark = 4"]
)
def test_a_card_of_another_shape_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "odd.toml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError):
        load_definitions(path)


def test_a_name_that_is_not_shipped_lists_those_that_are() -> None:
    with pytest.raises(InputError, match=r"kdigo_mn_ratio.*did you mean kdigo_mn_protein\?"):
        load_definitions("kdigo_mn_proteine")


# Thresholds by unit


@pytest.mark.parametrize(
    ("reported", "unit", "value"),
    [
        ("g/g", "g/g", 3.5),
        ("mg/mmol", "mg/mmol", 350.0),
        ("mg/g", "g/g", 3.5),  # a thousandth of the unit: the same number, not another one
        ("", "g/g", 3.5),  # not known: the canonical unit
    ],
)
def test_the_threshold_in_the_unit_of_the_data_counts(
    reported: str, unit: str, value: float
) -> None:
    units = {"upcr": reported} if reported else {}
    definitions = load_definitions("kdigo_mn_ratio").of_markers(MARKERS, units, "upcr")
    part = definitions.rule("partial").every[1]
    assert (part.unit_of_threshold, part.threshold) == (unit, value)
    assert len(part.below or {}) == 1


def test_a_threshold_is_taken_exactly_to_the_canonical_unit() -> None:
    ratio = load_definitions("kdigo_mn_ratio")
    marker = MARKERS["upcr"]
    for reported, expected in (("g/g", 3.5), ("mg/mmol", 350 / 113.12)):
        resolved = ratio.of_markers(MARKERS, {"upcr": reported}, "")
        part = resolved.rule("partial").every[1]
        assert canonical(part, marker) == pytest.approx(expected, rel=1e-12)


# Which definitions a cohort is judged by


def test_the_embedded_cohort_has_its_own(embedded: Cohort) -> None:
    chosen = choose_definitions(embedded)
    assert chosen.definitions == load_definitions("embedded")
    assert "embedded" in chosen.why


@pytest.mark.parametrize(
    ("markers", "name"),
    [
        ((PROTEIN, ALBUMIN), "kdigo_mn_protein"),
        (("upcr", ALBUMIN), "kdigo_mn_ratio"),
        (("upcr", "egfr"), "fall_by_half"),  # lupus is never chosen in silence
        ((PROTEIN,), "fall_by_half"),
        (("egfr",), "fall_by_half"),
    ],
)
def test_another_cohort_has_what_its_markers_allow(
    embedded: Cohort, markers: tuple[str, ...], name: str
) -> None:
    chosen = choose_definitions(of_markers(embedded, *markers))
    assert chosen.definitions.name == name
    assert name in chosen.why
    if name == "fall_by_half":
        kind = "fall_at_least" if MARKERS[markers[0]].falls else "rise_at_least"
        (part,) = chosen.definitions.criteria
        assert (part.marker, part.kind, part.threshold) == (markers[0], kind, 0.5)


def test_what_is_asked_for_comes_first_then_the_trial(embedded: Cohort, tmp_path: Path) -> None:
    trial = replace(
        of_markers(embedded, "upcr", "egfr"),
        trial=Trial(definitions="lupus_nephritis", primary_marker="egfr"),
    )
    assert choose_definitions(trial).definitions.name == "lupus_nephritis"
    assert choose_definitions(trial, "fall_by_half").definitions.markers == ("egfr",)
    path = edited(tmp_path, CARD, ('name = "embedded"', 'name = "mine"'))
    here = replace(trial, source=str(tmp_path), trial=Trial(definitions=path.name))
    assert choose_definitions(here).definitions.name == "mine"


def test_a_marker_or_a_unit_that_does_not_exist_is_refused(
    embedded: Cohort, tmp_path: Path
) -> None:
    wrong = edited(tmp_path, CARD, ('marker = "albumin"', 'marker = "albumine"'))
    with pytest.raises(InputError, match=r"albumine.*did you mean albumin\?"):
        choose_definitions(embedded, wrong)
    wrong = edited(tmp_path, CARD, ('unit = "g/L"', 'unit = "kg"'))
    with pytest.raises(InputError, match=r"at_least.*'kg'.*g/L"):
        choose_definitions(embedded, wrong)


def test_a_threshold_in_another_unit_of_the_marker_is_exact(
    embedded: Cohort, tmp_path: Path
) -> None:
    path = edited(
        tmp_path, CARD, ('at_least = 35.0\nunit = "g/L"', 'at_least = 3.5\nunit = "g/dL"')
    )
    chosen: Definitions = choose_definitions(embedded, path).definitions
    part = chosen.rule("complete").every[1]
    assert canonical(part, MARKERS[ALBUMIN]) == 35.0
