"""The report's budgets of words, that it says nothing twice, and that page 1's numbers are found.

Answers of refits are made up here: what is counted is words, and a number is looked up in the file
that is written.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import runs
from runs import DEFINITIONS, unsampled, with_part

from mnbayes.analyses.influence.refits import compare
from mnbayes.analyses.sensitivity import other_priors, structures
from mnbayes.analyses.sensitivity.specifications import STRUCTURES, default_prior_sets
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.answer_table import FITTED
from mnbayes.answers.result import Result
from mnbayes.cards.card import Card, load_card
from mnbayes.data.embedded import embedded_cohort
from mnbayes.report.kit.numbering import numbered
from mnbayes.run.run import Run
from mnbayes.run.section import Asked, Sentence

#: Most words of a page, of page 1 by itself first.
PAGE_ONE = 350
MOST = {"report.html": 5_500, "annex.html": 12_000, "paper.html": 1_500, "history.html": 1_500}
#: Longest sentence that may be said twice.
REPEATED = 12
_VOID = {"meta", "img", "br", "hr", "link", "input", "wbr", "col"}
_HIDDEN = {"style", "script", "title"}
#: What every page says again, and what is no sentence.
_APART = {"header", "footer", "nav", "aside", "td", "th", "table", "pre"}
_BLOCKS = {"p", "li", "dt", "dd", "div", "section", "figcaption", "caption", "summary", "h1", "h2"}
_BLOCKS |= {"h3", "h4", "h5", "tr"}


class Shown(HTMLParser):
    """What a reader sees of a page: its words, those of page 1, and its sentences."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.every: list[str] = []
        self.first: list[str] = []
        self.running: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.running.append("\n")
        if tag not in _VOID:
            self.open.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass
        if tag in _BLOCKS:
            self.running.append("\n")

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _ in self.open}
        if tags & _HIDDEN or any("popover" in attrs for _, attrs in self.open):
            return
        self.every.append(data)
        if any(attrs.get("id") == "summary" for _, attrs in self.open):
            self.first.append(data)
        if not tags & _APART:
            self.running.append(" ".join(data.split("\n")))

    @property
    def sentences(self) -> list[str]:
        """Sentences of more words than may be said twice, tables apart."""
        blocks = (" ".join(block.split()) for block in "".join(self.running).split("\n"))
        split = (re.split(r"(?<=[.!?:;])\s+", block) for block in blocks)
        return [each for found in split for each in found if words(each) > REPEATED]


def words(text: str) -> int:
    """How many words, a number being one and a sign by itself none."""
    return sum(bool(re.search(r"\w", each)) for each in text.split())


def with_refits(result: Result) -> Result:
    """A result with made-up answers of refits: without each patient, other priors and structures.

    Every probability moves by some points, every ratio by some percent, and one conclusion flips.
    """
    full = result.answers

    def moved(by: float) -> pd.DataFrame:
        odds = np.log(full["value"].clip(0.01, 0.99) / (1 - full["value"].clip(0.01, 0.99)))
        chance = 1 / (1 + np.exp(-(odds + by)))
        ratio = full["value"] * np.exp(by / 5)
        return full.assign(value=chance.where(full["kind"] != "gmr", ratio))

    left = [
        compare(full, moved(-1.5 if not place else 0.2), result.name, patient)
        for place, patient in enumerate(result.fit.observations.patients)
    ]
    sets = [
        (moved(0.3 * place) if place else full).assign(prior_set=name)
        for place, name in enumerate((FITTED, *default_prior_sets()[1:]))
    ]
    tried = [("normal", "drift"), ("student_t", "drift"), ("normal", "step")]
    others = [
        (moved(-1.5 * place) if place else full).assign(**dict(zip(STRUCTURES, names, strict=True)))
        for place, names in enumerate(tried)
    ]
    common = {"model": result.name, "reason": ""}
    result = with_part(result, "influence", pd.concat(left, ignore_index=True))
    for name, columns, parts in (
        (other_priors.NAME, other_priors.COLUMNS, sets),
        (structures.NAME, structures.COLUMNS, others),
    ):
        table = pd.concat(parts, ignore_index=True).assign(**common)[list(columns)]
        result = with_part(result, name, table)
    return result


@pytest.fixture(scope="module")
def run() -> Run:
    """A run of two models of the embedded cohort, with all that refits would add."""
    cohort = embedded_cohort()
    results = tuple(
        with_refits(summarise(unsampled(load_card(name), cohort), DEFINITIONS))
        for name in ("proteinuria", "remission")
    )
    manifest = {"started": "2026-01-02T03:04:05+00:00", "versions": {"pymc": "6.4.0"}}
    return runs.with_sections(Run(cohort, DEFINITIONS, results, "weak", (), manifest))


@pytest.fixture(scope="module")
def embedded(run: Run) -> dict[str, str]:
    return runs.render_pages(run)


@pytest.fixture
def lupus(lupus_run: Path) -> dict[str, str]:
    names = [name for name in MOST if (lupus_run / name).exists()]
    return {name: (lupus_run / name).read_text(encoding="utf-8") for name in names}


TRIALS = [
    pytest.param("embedded", id="embedded"),
    pytest.param("lupus", id="lupus", marks=pytest.mark.xdist_group("test_other_trial")),
]


@pytest.mark.parametrize("trial", TRIALS)
def test_pages_keep_their_budgets_of_words(trial: str, request: pytest.FixtureRequest) -> None:
    pages: dict[str, str] = request.getfixturevalue(trial)
    seen = {file: Shown(page) for file, page in pages.items()}
    first = words(" ".join(seen["report.html"].first))
    assert 100 < first <= PAGE_ONE
    counts = {file: words(" ".join(shown.every)) for file, shown in seen.items()}
    assert {file: count for file, count in counts.items() if count > MOST[file]} == {}
    assert counts["report.html"] > 1_000


@pytest.mark.parametrize("trial", TRIALS)
def test_no_long_sentence_is_said_twice(trial: str, request: pytest.FixtureRequest) -> None:
    pages: dict[str, str] = request.getfixturevalue(trial)
    said = Counter(Shown(pages["report.html"]).sentences)
    said.update(set(Shown(pages["annex.html"]).sentences))
    assert len(said) > 50
    assert [sentence for sentence, times in said.items() if times > 1] == []


def test_the_parser_sees_what_a_reader_sees() -> None:
    long = "One two three four five six seven eight nine ten eleven twelve thirteen."
    shown = Shown(
        f"<title>no</title><style>no</style><header>{long}</header>"
        f'<section id="summary"><p>Two words <span popover id="a">not <b>these</b></span>now. '
        f"{long} {long}</p></section><table><tr><td>{long}</td></tr></table><p>50 % – {long}</p>"
    )
    assert words(" ".join(shown.first)) == 3 + 2 * 13
    assert words(" ".join(shown.every)) == 3 + 1 + 5 * 13
    assert Counter(shown.sentences) == {long: 2, f"50 % – {long}": 1}


# --- numbers of tables and figures ---------------------------------------------------------------


def test_tables_and_figures_are_counted_apart_and_page_by_page() -> None:
    page = "<!--table:a--><!--figure:a--><!--table:--><!--figure:b-->"
    said = numbered({"one": page, "two": page}, {"two": "A"})
    ids = {file: re.findall(r'id="([^"]+)"', html) for file, html in said.items()}
    assert ids["one"] == ["table-1", "figure-1", "table-2", "figure-2"]
    assert ids["two"] == ["table-A1", "figure-A1", "table-A2", "figure-A2"]
    # What two pages show is referred to where it stands first.
    (link,) = re.findall("<a.*</a>", numbered({"one": page, "two": "<!--see:table:a-->"})["two"])
    assert link == '<a href="one#table-1">Table 1</a>'


def test_a_caption_that_looks_like_a_mark_is_text() -> None:
    caption = escape("<!--table:x--> <!--see:table:x--> <asked>")
    page = f"<!--table:real-->{caption}<!--see:table:x--><!--see:table:real-->"
    html = numbered({"one": page})["one"]
    assert html.count('class="number"') == 1
    assert caption in html
    assert html.endswith('the table<a href="#table-1">Table 1</a>')


def test_what_is_asked_has_an_id_of_its_own() -> None:
    piece = '<button popovertarget="<asked>">1</button><span popover id="<asked>">x</span>'
    html = numbered({"one": piece + piece})["one"]
    assert re.findall(r'(?:popovertarget|id)="([^"]+)"', html) == [
        *("asked-1", "asked-1"),
        *("asked-2", "asked-2"),
    ]


# --- what page 1's numbers can be asked for ------------------------------------------------------


def printed(value: float, text: str) -> bool:
    """Whether the number that begins a text is the value as the report prints it."""
    match = re.match(r"([<>]?)([\d.]+)(?: ± \d+)?( %)?", text.replace("\N{NO-BREAK SPACE}", " "))
    assert match, text
    bound, digits, percent = match.groups()
    number, seen = float(digits), 100 * value if percent else value
    if bound:
        return seen < number if bound == "<" else seen > number
    half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
    return abs(seen - number) <= half + 1e-9


def numbers_of(run: Run) -> list[Asked]:
    """Every number of page 1 that can be asked for."""
    told = [section.page_one for section in run.sections if section.page_one is not None]
    sentences = [each for page in told for each in page.sentences if isinstance(each, Sentence)]
    return [piece for each in sentences for piece in each.pieces if isinstance(piece, Asked)]


def test_every_number_of_page_1_is_found_by_the_line_that_it_gives(
    run: Run, embedded: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.write(run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    asked = numbers_of(run)
    assert {each.file for each in asked} >= {
        *("estimates", "probabilities", "counts", "decision", "safety", "influence", "prior_sets")
    }
    for each in asked:
        value = eval(each.python, {"pd": pd})  # .item() refuses all but one row
        value = 1 - value if "1 less the number in the file" in each.meaning else value
        assert printed(value, each.shown), (value, each)
    page = embedded["report.html"]
    assert page.count("<span popover") == page.count("popovertarget=") == len(asked)


@pytest.mark.xdist_group("test_other_trial")
def test_another_trial_s_numbers_are_found_too(
    lupus_run: Path, lupus: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(lupus_run)
    told = re.findall(
        r"<span popover.*?<b>(.*?)</b>(.*?)<code>([^<]*item\(\))</code></span>",
        lupus["report.html"],
        flags=re.DOTALL,
    )
    assert len(told) == lupus["report.html"].count("popovertarget=") >= 3
    for shown, about, line in told:
        value = eval(unescape(line), {"pd": pd})
        value = 1 - value if "1 less the number in the file" in about else value
        assert printed(value, unescape(shown)), (shown, line)


@pytest.mark.parametrize(
    ("value", "text", "is_it"),
    [
        (0.6234, "62 %", True),
        (0.6234, "63 %", False),
        (0.6234, "62 ± 3 %", True),
        (0.9992, ">99 %", True),
        (0.9, ">99 %", False),
        (0.001, "<1 %", True),
        (0.50321, "50 % (42 % to 61 %)", True),
        (0.503, "0.50 (0.42 to 0.61)", True),
        (0.51, "0.50 (0.42 to 0.61)", False),
        (4, "4 of 7", True),
    ],
)
def test_a_printed_number_is_told_from_another(value: float, text: str, is_it: bool) -> None:
    assert printed(value, text) is is_it


def test_a_line_finds_one_row_and_quotes_what_it_looks_for(tmp_path: Path) -> None:
    names = ["it's", 'say "so"', "plain"]
    table = pd.DataFrame({"model": names, "week": [1.0, 2.0, 2.0], "value": [0.1, 0.2, 0.3]})
    table.to_csv(tmp_path / "some.csv", index=False)
    for name, value in zip(names, table["value"], strict=True):
        asked = Asked("x", "is x", "some", {"model": name}, "value")
        line = asked.python.replace("some.csv", f"{tmp_path}/some.csv")
        assert eval(line, {"pd": pd}) == value
    twice = Asked("x", "is x", "some", {"week": 2.0}, "value")
    with pytest.raises(ValueError, match="size 1"):
        eval(twice.python.replace("some.csv", f"{tmp_path}/some.csv"), {"pd": pd})


def test_page_1_of_a_run_that_judges_no_response() -> None:
    cohort, base = embedded_cohort(), load_card("remission")
    prior = {
        parameter: {"": table[""]} if "" in table else {"albumin": table["albumin"]}
        for parameter, table in base.prior.items()
    }
    card = Card(name="albumin", title="Albumin alone", markers=("albumin",), priors=prior)
    result = summarise(unsampled(card, cohort), DEFINITIONS)
    run = runs.with_sections(Run(cohort, DEFINITIONS, (result,), "weak"))
    first = " ".join("".join(Shown(runs.render_pages(run)["report.html"]).first).split())
    assert "serum albumin at week 12" in first
    assert "next patient" not in first
    asked = numbers_of(run)
    assert {each.file for each in asked} == {"estimates", "safety"}
    # Of a withheld model no number is left to ask for.
    withheld = replace(run, results=(replace(result, withheld=("no",)),))
    assert {each.file for each in numbers_of(runs.with_sections(withheld))} == {"safety"}
