"""The report: complete, self-contained, safe, and silent about what it must not show."""

from __future__ import annotations

import re
from dataclasses import replace
from html import escape
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import runs
from runs import DEFINITIONS, GOOD, unsampled

from mnbayes.analyses.method.tables import computation_table, formulas_of
from mnbayes.analyses.priors.shared import shared_priors
from mnbayes.analyses.provenance.tables import measurement_table, value_text
from mnbayes.analyses.summarise import summarise
from mnbayes.answers.result import Result
from mnbayes.base.problems import Problem
from mnbayes.base.text_table import Spanned, records
from mnbayes.cards.card import Card, load_card
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.trial import Trial
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.models.longitudinal import formulas
from mnbayes.report.kit.results import fall_errors, not_measured
from mnbayes.report.kit.tables import great
from mnbayes.report.kit.wording import level, listed, percent, points
from mnbayes.report.page import IMPLAUSIBLE_MARK, SYNTHETIC_MARK, marks
from mnbayes.run.run import Run

BAD = replace(runs.BAD, reasons=("3 divergent transitions", "R-hat 1.200 is too big"))
COHORT = embedded_cohort()
SVG = b"\x89SVG\r\n\x1a\n not really"


def fitted(name: str, diagnostics: Diagnostics = GOOD) -> Result:
    return summarise(unsampled(load_card(name), COHORT, diagnostics=diagnostics), DEFINITIONS)


@pytest.fixture(scope="module")
def results() -> tuple[Result, ...]:
    return tuple(fitted(name) for name in ("proteinuria", "remission"))


def _run(*results: Result, **changes: object) -> Run:
    manifest = {"started": "2026-01-02T03:04:05+00:00", "versions": {"pymc": "6.4.0"}}
    run = Run(COHORT, DEFINITIONS, results, "weak", ("change_mean.sigma=0.5",), manifest)
    return replace(run, **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(results: tuple[Result, ...]) -> Run:
    return _run(*results)


@pytest.fixture(scope="module")
def pages(run: Run) -> dict[str, str]:
    pictures = {"gmr_by_visit": SVG, "left_out_albumin": SVG, "regression_bound": SVG}
    return runs.pages(run, {"proteinuria": pictures, "remission": pictures})


@pytest.fixture(scope="module")
def page(pages: dict[str, str]) -> str:
    return pages["report.html"]


@pytest.fixture(scope="module")
def annex(pages: dict[str, str]) -> str:
    return pages["annex.html"]


class _Parsed(HTMLParser):
    """Tags with their attributes, and the text a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[str] = []
        self.hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.hidden = tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self.hidden = False

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.pieces.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.pieces).replace("\N{NO-BREAK SPACE}", " "))

    def values(self, attribute: str) -> list[str]:
        return [str(attrs[attribute]) for _, attrs in self.tags if attribute in attrs]


def _text(html: str) -> str:
    return _Parsed(html).text


@pytest.mark.parametrize("file", ["report.html", "annex.html"])
def test_needs_nothing_from_outside(file: str, pages: dict[str, str]) -> None:
    page = pages[file]
    parsed = _Parsed(page)
    assert not {"link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    # The report stands by itself; the annex shows the pictures of the run's folder.
    starts = ("data:image/svg+xml;base64,", *(["plots/"] if file == "annex.html" else []))
    assert all(source.startswith(starts) for source in parsed.values("src"))
    for tag, attributes in parsed.tags:
        target = attributes.get("href")
        if target is not None:
            assert tag == "a"
            assert target.startswith(("#", "https://doi.org/", *pages))
    styles = "".join(re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL))
    assert "color" in styles
    assert not re.search(r"@import|url\(|https?:", styles)
    # What the script does, it does with the page: it loads, sends and stores nothing.
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    assert not re.search(r"https?:|fetch|import|XMLHttp|sendBeacon|Storage|cookie", script)


def test_ids_are_unique_and_links_and_cells_find_them(pages: dict[str, str]) -> None:
    parsed = {file: _Parsed(page) for file, page in pages.items()}
    ids = {file: own.values("id") for file, own in parsed.items()}
    for file, own in parsed.items():
        assert len(ids[file]) == len(set(ids[file]))
        targets = [href for href in own.values("href") if not href.startswith("https:")]
        assert len(targets) >= 10
        for target in targets:
            where, _, anchor = target.partition("#")
            assert not anchor or anchor in ids[where or file], target
        cells = {name for cell in own.values("headers") for name in cell.split()}
        assert cells | set(own.values("popovertarget")) <= set(ids[file])


def _section(page: str, name: str) -> str:
    """One section of a page, with those inside it."""
    start = page.index(f'<section id="{name}"')
    depth = 0
    for match in re.finditer(r"<(/?)section\b", page[start:]):
        depth += -1 if match[1] else 1
        if not depth:
            return page[start : start + match.start()]
    raise AssertionError(name)


def _own(page: str) -> str:
    """The page without the stored studies, which are of no cohort."""
    for name in ("calibration", "characteristics"):
        if f'<section id="{name}"' in page:
            page = page.replace(_section(page, name), "")
    return page


def test_stored_studies_are_shown_and_said_to_be_of_no_cohort(page: str, annex: str) -> None:
    assert "stored, not of this cohort" in _text(_section(page, "characteristics"))
    studies = _section(annex, "characteristics") + _section(annex, "calibration")
    assert studies.count("<img") >= 2


def test_every_prior_is_listed_once(annex: str, results: tuple[Result, ...]) -> None:
    section = _section(annex, "priors")
    table = re.findall(r"Every prior once</span>.*?</table>", section, flags=re.DOTALL)[0]
    rows = shared_priors([result.fit.required_card for result in results])
    assert table.count("<tr>") - 1 == len(rows)
    for row in rows:
        assert " ".join(row.distribution.split()) in _text(table)


def test_what_comes_from_files_is_escaped(run: Run) -> None:
    evil = '<script>alert("x")</script>'
    names = {COHORT.patient_ids[0]: evil}
    tables = {
        name: getattr(COHORT, name).assign(patient=getattr(COHORT, name)["patient"].replace(names))
        for name in ("patients", "measurements")
    }
    problem = Problem("<b>.csv", 2, "bmi", "<i>99</i>", "less", "warning")
    renamed = replace(COHORT, warnings=(problem,), **tables)
    fit = unsampled(load_card("proteinuria"), renamed)
    card = fit.card.model_copy(update={"name": "<u>evil", "title": "<img src=x>"})
    result = summarise(replace(fit, card=card), DEFINITIONS)
    asked = replace(run, cohort=renamed, results=(result,), prior_set="<hr>", settings=("<br>=1",))
    html = "".join(map(_own, runs.pages(asked, {}).values()))
    assert "alert(" not in "".join(re.findall(r"<script>(.*?)</script>", html, re.DOTALL))
    # Bold numbers of tables and breaks of what a number says of itself are the page's own.
    rest = re.sub(r'<b class="number".*?</b>|<span popover.*?</span>', "", html, flags=re.DOTALL)
    assert not {"b", "hr", "br", "i", "img", "u"} & {tag for tag, _ in _Parsed(rest).tags}
    parsed = _Parsed(html)
    for words in (evil, "<i>99</i>", "<hr>", "<br>=1", "<u>evil", "<img src=x>"):
        assert words in parsed.text


def test_a_synthetic_cohort_says_so_everywhere(pages: dict[str, str]) -> None:
    for page in pages.values():
        assert "<title>SYNTHETIC" in page
        assert "Synthetic patients. Draw no conclusion about any treatment" in _text(page)
        assert SYNTHETIC_MARK in _mark(page)
        # On paper, in the margin of every sheet.
        assert re.search(f"@page {{ @bottom-left {{ content: .{SYNTHETIC_MARK}", page)


def _mark(page: str) -> str:
    """What the band says that stays in sight on every page."""
    return " ".join(re.findall(r'class="mark"[^>]*>([^<]*)<', page))


def test_a_real_cohort_is_not_called_synthetic_nor_compared_with_the_preprint(run: Run) -> None:
    real = replace(run.cohort, synthetic=False, trial=Trial())
    for html in runs.pages(replace(run, cohort=real, results=run.results[:1]), {}).values():
        assert "synthetic" not in _text(_own(html)).lower()
        assert 'class="mark"' not in html
        assert "@bottom-left" not in html
        assert "71 % effective" not in _text(html)
    other = replace(run.cohort, trial=Trial())  # synthetic, and not the preprint's
    html = runs.page(replace(run, cohort=other, results=run.results[:1]), {})
    assert "SYNTHETIC COHORT" in html
    assert "71 % effective" not in _text(html)


def test_both_denominators(page: str) -> None:
    text = _text(page)
    assert "5/7 = 71 % (29 % to 96 %)" in text
    assert "5/8 = 62 % (24 % to 91 %)" in text
    assert "4/7 = 57 % (18 % to 90 %)" in text


def test_the_withdrawn_patient_is_marked_predicted(page: str, results: tuple[Result, ...]) -> None:
    assert not_measured(results[1], 12.0) == {"MN01": "withdrew in week 8"}
    assert not_measured(results[1], 4.0) == {}
    text = _text(page)
    assert "MN01 withdrew in week 8: predicted" in text
    assert "Predicted, since not measured: MN01 (withdrew in week 8)." in text
    assert text.count(": predicted") == 1


def test_change_is_never_called_an_effect(page: str, annex: str) -> None:
    assert re.findall(r"\beffects?\b", _text(page + annex), flags=re.IGNORECASE) == []
    assert "no control group" in _text(page).lower()


def test_events_are_counted_with_their_limits(page: str, annex: str) -> None:
    assert "Any term, grade 3 or higher 0 of 8 31 % 7 % 28 %" in _text(_section(page, "safety"))
    text = _text(_section(annex, "safety"))
    assert "Any term, grade 3 or higher 0 of 8 31.2 % 37.5 % 7.4 % 28.3 % 2.7 % 20.8 %" in text
    assert "Prior alone (no patient) – – – 50.0 % 95.0 % 50.0 % 99.4 %" in text
    first = _text(
        re.sub(r"<span popover.*?</span>", "", _section(page, "summary"), flags=re.DOTALL)
    )
    assert re.search(r"Grade 3 or more: 0 of 8 ?; a rate up to 31 %", first)


def test_no_table_of_events_is_not_called_no_event(run: Run) -> None:
    pages = runs.pages(replace(run, cohort=replace(run.cohort, events=None)), {})
    page = pages["report.html"]
    text = _text(_section(page, "safety"))
    assert "not the same as none having happened" in text
    assert " of 8" not in text
    assert "not the same as none having happened" in _text(_section(page, "summary"))
    assert '<section id="safety"' not in pages["annex.html"]


def _without_events(html: str) -> str:
    """A page without the counts of events that page 1 offers."""
    offered = r"<button[^>]*>[^<]*</button><span popover.*?</span>"
    return re.sub(offered, lambda m: "" if "safety.csv" in m[0] else m[0], html, flags=re.DOTALL)


def test_a_withheld_run_shows_no_model_number() -> None:
    run = _run(fitted("remission", BAD))
    pages = runs.pages(run, {"remission": {"gmr_by_visit": SVG, "ranks": SVG, "arrows": SVG}})
    pages = {file: _own(page) for file, page in pages.items()}
    for html in pages.values():
        text = _text(html)
        assert "<img" not in html
        assert "3 divergent transitions" in text
        assert "NUMBERS WITHHELD" in _mark(html)
        assert not re.search(r"\d\.\d\d \(\d\.\d\d to", text)  # a ratio with its interval
        assert not re.search(r"[<>]\d+ %|± \d+ %|−0\.701", text)
        for label in (">Given the data<", ">P(fall)<", ">Best week<", "predictive interval</span>"):
            assert label not in html
        assert "popovertarget" not in _without_events(html)
    # Every percentage left is a definition, a rule or a count with its exact interval.
    html = pages["report.html"]
    counted = _section(html, "flow")
    # Events are counted too, and have no fit to withhold them.
    rest = html.replace(counted, "").replace(_section(html, "safety"), "")
    rest = _without_events(rest)
    shares = set(re.findall(r"\d+(?:\.\d+)? %", _text(rest)))
    assert shares <= {"15 %", "20 %", "25 %", "35 %", "50 %", "59 %", "75 %", "80 %", "95 %"}
    # What was measured stays.
    assert "5/7 = 71 %" in _text(counted)
    for name in ("results", "influence", "withdrawal", "regression", "prior_sets", "structures"):
        assert "Not shown" in _section(html, name)
        assert f'<section id="{name}"' not in pages["annex.html"]


def test_a_withheld_model_does_not_silence_the_other(results: tuple[Result, ...]) -> None:
    run = _run(results[0], fitted("remission", BAD))
    pages = runs.pages(
        run, {"remission": {"gmr_by_visit": SVG}, "proteinuria": {"gmr_by_visit": SVG}}
    )
    html = _own(pages["report.html"])
    assert html.count("<img") == 1
    assert "Withheld: remission." in _text(html)
    changes = _text(_section(html, "results"))
    assert "model proteinuria" in changes
    assert re.search(r"protein 12 0\.\d\d \(", changes)
    assert not re.search(r"albumin 12 \d", _text(html + _own(pages["annex.html"])))
    assert "24-h urinary protein at week 12 fell" in _text(_section(html, "summary"))


def test_an_unconverged_fit_shown_by_override_marks_every_page() -> None:
    bad = unsampled(load_card("proteinuria"), COHORT, diagnostics=BAD)
    result = summarise(bad, DEFINITIONS, allow_unconverged=True)
    pages = runs.pages(_run(result, unconverged_shown=True), {})
    for html in pages.values():
        assert "UNCONVERGED FIT SHOWN" in _mark(html)
        assert re.search(r"@bottom-left [^}]*UNCONVERGED FIT SHOWN", html)
        # With the reasons, before the first number.
        assert "3 divergent transitions" in _text(html[: html.index("<main")])
    first = _text(_section(pages["report.html"], "summary"))
    assert "24-h urinary protein at week 12 fell" in first


def test_a_converged_run_is_not_marked(page: str) -> None:
    assert "UNCONVERGED" not in page
    assert "WITHHELD" not in page


def test_a_model_without_protein_reports_change_and_no_response() -> None:
    base = load_card("remission")
    prior = {
        parameter: {"": table[""]} if "" in table else {"albumin": table["albumin"]}
        for parameter, table in base.prior.items()
    }
    card = Card(name="albumin", title="Albumin alone", markers=("albumin",), priors=prior)
    result = summarise(unsampled(card, COHORT), DEFINITIONS)
    html = runs.page(_run(result), {})
    text = _text(html)
    assert re.search(r"serum albumin at week 12 (rose|fell) to \d+ %", text)
    assert "Each patient at week 12" not in text
    assert "Beyond these patients" not in text
    assert "next patient’s" not in _text(_section(html, "summary"))


def test_the_report_quotes_the_statement_s_formulas(run: Run, page: str, annex: str) -> None:
    for result in run.results:
        for line in formulas(result.fit.required_card.structure):
            assert escape(line) in annex
    for line in formulas(run.results[1].fit.required_card.structure):  # the primary model
        assert escape(line) in _section(page, "part-method")


def test_no_digit_is_finer_than_the_monte_carlo_error(results: tuple[Result, ...]) -> None:
    table = results[1].probabilities
    coarse = table.assign(
        probability=table["probability"].where(table["quantity"] == "observed", 0.6234),
        mcse=0.03,
        prior_probability=0.25,
    )
    html = runs.page(_run(replace(results[1], probabilities=coarse)), {})
    patients = re.findall(r"Each patient at week 12.*?</table>", html, re.DOTALL)[0]
    *own, prior = re.findall(r"<tr>.*?</tr>", patients.partition("<tbody>")[2], re.DOTALL)
    assert len(own) == len(COHORT.patients)
    cell = r">(\d[^<]*%)</td>"
    shares = [" ".join(share.split()) for row in own for share in re.findall(cell, row)]
    assert len(shares) >= len(own)
    assert set(shares) == {"62 ± 3 %"}
    alone = {" ".join(share.split()) for share in re.findall(cell, prior)}
    assert alone == {"25 ± 2 %"}  # of 400 draws


# Small pieces, against hand-computed values.


def test_errors_of_a_fall_match_independent_draws(results: tuple[Result, ...]) -> None:
    result = results[0]
    log_gmr = result.fit.tree["posterior"]["visit_change"].sel(later_visit=12.0).to_numpy().ravel()
    errors = fall_errors(result, "urine_protein_24h")[12.0]
    share = float(np.mean(log_gmr <= np.log(0.5)))
    assert errors["p_fall_50"] == pytest.approx(np.sqrt(share * (1 - share) / 400), rel=0.25)
    assert errors["log_gmr"] == pytest.approx(log_gmr.std() / 20, rel=0.25)


def test_measurements_are_listed_as_they_were_found() -> None:
    nan, inf = float("nan"), float("inf")
    assert value_text(0.275, nan, nan) == "0.275"
    assert value_text(nan, 0.0, 0.1) == "<0.1"
    assert value_text(nan, 40.0, inf) == ">40"
    assert value_text(nan, 1.0, 2.5) == "1 to 2.5"
    table = measurement_table(COHORT)
    assert len(table.rows) == 39  # five visits of eight patients, one missed
    listed_values = sum(cell != "–" for row in table.rows for cell in row[2:])
    assert listed_values == len(COHORT.measurements)


def test_numbers_in_words() -> None:
    said = [percent(x) for x in (0.555, -0.13, -0.001, float("nan"))]
    assert said == ["56 %", "−13 %", "0 %", "–"]
    assert [points(x) for x in (0.0, 0.0004, 0.0123, float("nan"))] == ["exact", "<0.1", "1.2", "–"]
    assert [listed(list("abc"[:n])) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.93471, "0.935"), (28.04, "28"), (999.6, "1000"), (1278.4, "1280"), (52_749.0, "52700")],
)
def test_a_level_has_three_digits_and_no_exponent(value: float, text: str) -> None:
    assert level(value) == text


def test_the_pages_are_written_for_people(page: str, annex: str) -> None:
    popovers = r"<span popover.*?</span>"  # which give a line of Python
    text = _text(re.sub(popovers, "", page + annex, flags=re.DOTALL))
    assert "`" not in text
    assert not re.findall(r"(?<![\d.])\d+\.\d{6,}", text)  # but for a DOI
    assert not re.findall(r"\de[+-]\d", text)


def test_computation_is_a_row_for_each_model(run: Run) -> None:
    slower = replace(run.results[1].fit, seconds={"sample": 2.4, "odd": 0.5})
    changed = replace(run.results[1], fit=slower)
    table = computation_table(replace(run, results=(run.results[0], changed)))
    assert [(row[0], row[-1]) for row in table.rows] == [("proteinuria", "1"), ("remission", "3")]
    assert {len(row) for row in table.rows} == {len(table.head)}


def test_formulas_that_models_share_stand_once(run: Run) -> None:
    of_run = formulas_of(run)
    assert of_run is not None
    told = [*of_run.shared, *(line for _, own in of_run.own for line in own)]
    assert len(told) == len(set(told))
    for result in run.results:
        assert set(formulas(result.fit.required_card.structure)) <= set(told)


def test_records_are_rows_of_native_values():
    frame = pd.DataFrame(
        {"marker": ["albumin", None], "week": [1.0, np.nan], "count": [3, 4], "seen": [True, False]}
    )
    first, second = records(frame)
    assert first == {"marker": "albumin", "week": 1.0, "count": 3, "seen": True}
    assert (type(first["count"]), type(first["seen"]), type(first["week"])) == (int, bool, float)
    assert pd.isna(second["marker"])
    assert np.isnan(second["week"])
    assert records(frame.iloc[:0]) == []


def test_table_of_great_tables_escapes_and_links_every_cell():
    frame = pd.DataFrame({"week": ["week <1>", "week 2"], "gmr": ["0.5", "0.6 & less"]})
    labels = {"week": "Visit", "gmr": "GMR"}
    html = great(Spanned(frame, "change", "Of <both>", labels, {"Given the data": ["gmr"]}))
    assert "<caption><span><!--table:change--> Of &lt;both&gt;</span></caption>" in html
    for text in ("week &lt;1&gt;", "week 2", "0.5", "0.6 &amp; less", "Given the data", "Visit"):
        assert html.count(f">{text}<") == 1, text
    assert "<style" not in html


def test_implausible_values_that_were_accepted_are_on_every_page(run: Run) -> None:
    odd = Problem("measurements.csv", 3, "value", "27 g/dL", "2 to 80 g/L", "warning")
    accepted = replace(run.cohort, implausible=(odd,))
    assert marks(replace(run, cohort=accepted)) == (SYNTHETIC_MARK, IMPLAUSIBLE_MARK)
    for page in runs.pages(replace(run, cohort=accepted, results=run.results[:1]), {}).values():
        assert IMPLAUSIBLE_MARK in _mark(page)
        assert re.search(f"@bottom-left [^}}]*{IMPLAUSIBLE_MARK}", page)
