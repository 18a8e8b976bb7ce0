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
from mnbayes.analyses.summary.section import summarise_run
from mnbayes.answers.result import Result
from mnbayes.base.problems import Problem
from mnbayes.base.text_table import Spanned, records
from mnbayes.cards.card import Card, load_card
from mnbayes.data.embedded import embedded_cohort
from mnbayes.data.trial import Trial
from mnbayes.inference.diagnostics import Diagnostics
from mnbayes.models.longitudinal import formulas
from mnbayes.report.kit.dominance import (
    interval_dominated,
    probability_dominated,
    ratio_dominated,
)
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
def page(run: Run) -> str:
    pictures = {"gmr_by_visit": SVG, "left_out_albumin": SVG, "regression_bound": SVG}
    return runs.page(run, {"proteinuria": pictures, "remission": pictures})


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
        self.hidden = tag == "style"

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


def test_needs_nothing_from_outside(page: str) -> None:
    parsed = _Parsed(page)
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in parsed.tags}
    assert all(source.startswith("data:image/svg+xml;base64,") for source in parsed.values("src"))
    for tag, attributes in parsed.tags:
        target = attributes.get("href")
        if target is not None:
            assert tag == "a"
            assert target.startswith(("#", "https://doi.org/"))
    styles = "".join(re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL))
    assert "color" in styles
    assert not re.search(r"@import|url\(|https?:", styles)


def test_ids_are_unique_and_links_and_cells_find_them(page: str) -> None:
    parsed = _Parsed(page)
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))
    targets = {href[1:] for href in parsed.values("href") if href.startswith("#")}
    assert len(targets) >= 10
    assert targets <= set(ids)
    assert {name for cell in parsed.values("headers") for name in cell.split()} <= set(ids)


def _sections(page: str) -> int:
    """Number of sections after the summary."""
    return page.count("<section id=") - 1


def _own(page: str) -> str:
    """The page without the stored studies, which are of no cohort."""
    stored = r'<section id="(calibration|characteristics)">.*?</section>'
    return re.sub(stored, "", page, flags=re.DOTALL)


def test_stored_studies_are_shown_and_said_to_be_of_no_cohort(page: str) -> None:
    studies = page[page.index('<section id="characteristics">') :]
    studies = studies[: studies.index("</section>")]
    assert "they are not of this run’s cohort" in studies
    assert studies.count("<img") >= 2


def test_every_prior_is_listed_once(page: str, results: tuple[Result, ...]) -> None:
    section = page[page.index('<section id="priors">') : page.index('id="computation"')]
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
    html = runs.page(
        replace(run, cohort=renamed, results=(result,), prior_set="<hr>", settings=("<br>=1",)), {}
    )
    parsed = _Parsed(_own(html))
    assert not {"script", "b", "hr", "br", "img", "u"} & {tag for tag, _ in parsed.tags}
    for words in (evil, "<i>99</i>", "<hr>", "<br>=1", "<u>evil", "<img src=x>"):
        assert words in parsed.text


def test_a_synthetic_cohort_says_so_everywhere(page: str) -> None:
    assert "SYNTHETIC COHORT – no real patient. (As the data folder declares.)" in (
        re.sub(r"\s+([.])", r"\1", _text(page))
    )
    assert page.count('<p class="tag">SYNTHETIC COHORT') == _sections(_own(page))
    assert 'class="mark"' in page
    assert "<title>SYNTHETIC" in page


def test_a_real_cohort_is_not_called_synthetic_nor_compared_with_the_preprint(run: Run) -> None:
    real = replace(run.cohort, synthetic=False, trial=Trial())
    html = _own(runs.page(replace(run, cohort=real, results=run.results[:1]), {}))
    assert "synthetic" not in _text(html).lower()
    assert 'class="mark"' not in html
    assert "71 % effective" not in _text(html)
    other = replace(run.cohort, trial=Trial())  # synthetic, and not the preprint's
    html = runs.page(replace(run, cohort=other, results=run.results[:1]), {})
    assert "SYNTHETIC COHORT" in html
    assert "71 % effective" not in _text(html)


def test_both_denominators(page: str) -> None:
    text = _text(page)
    assert "5/7 = 71.4 % (29.0 % to 96.3 %)" in text
    assert "5/8 = 62.5 % (24.5 % to 91.5 %)" in text
    assert "4/7 = 57.1 % (18.4 % to 90.1 %)" in text


def test_the_withdrawn_patient_is_marked_predicted(page: str, results: tuple[Result, ...]) -> None:
    assert not_measured(results[1], 12.0) == {"MN01": "withdrew in week 8"}
    assert not_measured(results[1], 4.0) == {}
    assert "MN01 (predicted" in _text(page)
    assert "MN02 (predicted" not in _text(page)


def test_change_is_never_called_an_effect(page: str) -> None:
    assert re.findall(r"\beffects?\b", _text(page), flags=re.IGNORECASE) == []
    assert "no control group" in _text(page).lower()


def test_events_are_counted_with_their_limits(page: str) -> None:
    text = _text(page[page.index('<section id="safety">') :])
    assert "Any term, grade 3 or higher 0 of 8 31.2 % 37.5 % 7.4 % 28.3 % 2.7 % 20.8 %" in text
    assert "Prior alone (no patient) – – – 50.0 % 95.0 % 50.0 % 99.4 %" in text


def test_no_table_of_events_is_not_called_no_event(run: Run) -> None:
    html = runs.page(replace(run, cohort=replace(run.cohort, events=None)), {})
    text = _text(re.findall(r'<section id="safety">.*?</section>', html, re.DOTALL)[0])
    assert "not the same as none having happened" in text
    assert " of 8" not in text


def test_a_withheld_run_shows_no_model_number() -> None:
    run = _run(fitted("remission", BAD))
    html = runs.page(run, {"remission": {"gmr_by_visit": SVG, "ranks": SVG}})
    html = _own(html)
    text = _text(html)
    assert "<img" not in html
    assert "3 divergent transitions" in text
    assert "NUMBERS WITHHELD" in text
    assert not re.search(r"\d\.\d\d \(\d\.\d\d to", text)  # a ratio with its interval
    assert not re.search(r"[<>]\d+ %|−0\.701", text)
    for label in (">Given the data<", ">P(fall)<", ">Best week<", "predictive interval</span>"):
        assert label not in html
    # Every percentage left is a definition, a rule or a count with its exact interval.
    results = html[html.index('<section id="results">') : html.index('<section id="limitations">')]
    # Events are counted too, and have no fit to withhold them.
    results = _text(re.sub(r'<section id="safety">.*?</section>', "", results, flags=re.DOTALL))
    shares = set(re.findall(r"\d+(?:\.\d+)? %", results))
    assert shares == {"20 %", "25 %", "50 %", "59 %", "80 %", "95 %"}
    # What was measured stays.
    assert "5/7 = 71.4 %" in text


def test_a_withheld_model_does_not_silence_the_other(results: tuple[Result, ...]) -> None:
    run = _run(results[0], fitted("remission", BAD))
    html = runs.page(run, {"remission": {"gmr_by_visit": SVG}, "proteinuria": {"ranks": SVG}})
    html = _own(html)
    assert html.count("<img") == 1
    assert "Withheld: remission." in _text(html)
    assert "By week 12 (7 of 8 patients measured), 24-h urinary protein" in _text(html)
    assert "By week 12 (7 of 8 patients measured), serum albumin" not in _text(html)


def test_an_unconverged_fit_shown_by_override_marks_every_section() -> None:
    bad = unsampled(load_card("proteinuria"), COHORT, diagnostics=BAD)
    result = summarise(bad, DEFINITIONS, allow_unconverged=True)
    html = runs.page(_run(result, unconverged_shown=True), {})
    assert len(re.findall(r'class="tag">[^<]*UNCONVERGED FIT SHOWN', html)) == _sections(_own(html))
    mark = html[html.index('class="mark"') :][:300]
    assert "UNCONVERGED" in mark
    assert "3 divergent transitions" in _text(html)
    assert "By week 12 (7 of 8 patients measured), 24-h urinary protein" in _text(html)


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
    text = _text(runs.page(_run(result), {}))
    assert "By week 12 (7 of 8 patients measured), serum albumin" in text
    assert "By patient" not in text


def test_the_report_quotes_the_statement_s_formulas(run: Run, page: str) -> None:
    for result in run.results:
        for line in formulas(result.fit.card.structure):
            assert escape(line) in page


# The rule for "prior-dominated".


@pytest.mark.parametrize(
    ("width", "dominated"), [(0.79, False), (0.8, False), (0.81, True), (1.2, True)]
)
def test_an_interval_is_dominated_above_80_percent_of_the_priors_width(
    width: float, dominated: bool
) -> None:
    assert interval_dominated(0.1, 0.1 + width, 0.0, 1.0) is dominated
    # a ratio's interval is as wide as the ratio of its ends: log(a^0.81) = 0.81 log a
    assert ratio_dominated(0.5, 0.5 * 16**width, 0.25, 4.0) is dominated


@pytest.mark.parametrize(
    ("probability", "dominated"),
    [(0.40, True), (0.449, True), (0.45, False), (0.35, False), (0.351, True), (0.9, False)],
)
def test_a_probability_is_dominated_within_5_points(probability: float, dominated: bool) -> None:
    assert probability_dominated(probability, 0.40) is dominated


def test_withheld_numbers_are_never_dominated() -> None:
    nan = float("nan")
    assert not probability_dominated(nan, 0.4)
    assert not interval_dominated(nan, nan, 0, 1)


def _set(result: Result, posterior: float, prior: float, width: float) -> Result:
    # Every probability, and every interval as a share of the prior's width.
    shares = {"share_lower": 0.0, "share_upper": width}
    shares |= {"share_lower_prior": 0.0, "share_upper_prior": 1.0}
    ratios = {"gmr_lower": 0.5, "gmr_upper": 0.5 * 16**width}
    ratios |= {"gmr_lower_prior": 0.25, "gmr_upper_prior": 4.0}
    chances = {"probability": posterior, "prior_probability": prior, "mcse": 0.001}
    return replace(
        result,
        probabilities=result.probabilities.assign(**chances),
        population=result.population.assign(**shares),
        estimates=result.estimates.assign(**ratios),
    )


def test_the_prior_dominated_sentence_follows_the_rule(results: tuple[Result, ...]) -> None:
    moved_away = _run(_set(results[1], 0.9, 0.2, 0.3))
    assert summarise_run(moved_away).prior == "None of the main answers is prior-dominated."
    near = summarise_run(_run(_set(results[1], 0.23, 0.2, 0.3)))
    assert near.prior.startswith("Prior-dominated: Next patient: remission at week 12")
    assert "Share of such patients" not in near.prior
    assert "24-h urinary protein" not in near.prior

    wide = summarise_run(_run(_set(results[1], 0.9, 0.2, 0.9)))
    assert wide.prior.startswith("Prior-dominated: 24-h urinary protein at week 12")
    assert "Share of such patients: remission" in wide.prior
    assert "Next patient" not in wide.prior


def test_no_digit_is_finer_than_the_monte_carlo_error(results: tuple[Result, ...]) -> None:
    table = results[1].probabilities
    coarse = table.assign(
        probability=table["probability"].where(table["quantity"] == "observed", 0.6234),
        mcse=0.03,
        prior_probability=0.25,
    )
    html = runs.page(_run(replace(results[1], probabilities=coarse)), {})
    patients = html[html.index("<h4>Response</h4>") : html.index("Beyond the patients")]
    shown = set(re.findall(r"(?<=>)[<>]?\d+.%(?=<)", patients.replace("&lt;", "<")))
    assert {share.replace("\N{NO-BREAK SPACE}", " ") for share in shown} == {"60 %", "25 %"}


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


def test_the_page_is_written_for_people(page: str) -> None:
    text = _Parsed(page).text
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
    assert "<caption><span>Of &lt;both&gt;</span></caption>" in html
    for text in ("week &lt;1&gt;", "week 2", "0.5", "0.6 &amp; less", "Given the data", "Visit"):
        assert html.count(f">{text}<") == 1, text
    assert "<style" not in html


def test_implausible_values_that_were_accepted_are_on_every_page(run: Run) -> None:
    odd = Problem("measurements.csv", 3, "value", "27 g/dL", "2 to 80 g/L", "warning")
    accepted = replace(run.cohort, implausible=(odd,))
    page = runs.page(replace(run, cohort=accepted, results=run.results[:1]), {})
    assert marks(replace(run, cohort=accepted)) == (SYNTHETIC_MARK, IMPLAUSIBLE_MARK)
    tags = len(re.findall(f'class="tag">[^<]*{IMPLAUSIBLE_MARK}', page))
    assert tags == _sections(_own(page))
