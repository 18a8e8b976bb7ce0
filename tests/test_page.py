"""The report's pages as a browser shows and prints them: links, widths, contents, accessibility.

What needs a browser is skipped where there is no Chromium, or one made from it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
import runs
from axe_playwright_python.base import AXE_SCRIPT
from markupsafe import Markup
from playwright.sync_api import Browser, Page
from pypdf import PdfReader

from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.summarise import summarise
from mnbayes.cards.card import load_card
from mnbayes.data.embedded import embedded_cohort
from mnbayes.report.kit.headings import below
from mnbayes.report.kit.numbering import numbered
from mnbayes.report.page import render_pages
from mnbayes.report.pdf import report_pdf
from mnbayes.run.analysis import sections_of
from mnbayes.run.run import Run
from mnbayes.run.section import Picture

WIDTHS = (1280, 768, 360)
#: Width of the text on A4, in pixels of CSS: 210 mm without the margins.
PAPER = 695
#: Analyses that take long and add tables like others.
SLOW = {"calibration", "characteristics", "correlations"}
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="504pt" height="288pt" viewBox="0 0 504 288">'
    b'<rect width="504" height="288" fill="#56b4e9"/></svg>'
)
PICTURES = {
    ("results", "remission"): (
        *("gmr_by_visit", "arrows", "trajectories_urine_protein_24h"),
        *("trajectories_albumin", "response_probabilities", "prior_posterior"),
    ),
    ("checks", "remission"): ("pit", "left_out_albumin", "patient_checks"),
    ("regression", "remission"): ("regression_bound",),
    ("decision", "decision"): ("decision_rule",),
    ("influence", "remission"): ("influence",),
}


class _Parsed(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def values(self, attribute: str) -> list[str]:
        return [str(attrs[attribute]) for _, attrs in self.tags if attribute in attrs]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """Report and annex of a run that nobody sampled."""
    cohort = embedded_cohort()
    result = summarise(runs.unsampled(load_card("remission"), cohort), runs.DEFINITIONS)
    pictures: dict[str, dict[str, tuple[Picture, ...]]] = {}
    for (analysis, model), names in PICTURES.items():
        drawn = (Picture(n, n.replace("_", " "), f"What {n} shows", SVG) for n in names)
        pictures[analysis] = {model: tuple(drawn)}
    manifest = {"started": "2026-01-02T03:04:05+00:00", "versions": {"pymc": "6.4.0"}}
    run = Run(cohort, runs.DEFINITIONS, (result,), "weak", (), manifest)
    asked = [each for each in catalogue() if each.name not in SLOW]
    return render_pages(sections_of(replace(run, pictures=pictures), asked))


@pytest.fixture(scope="module")
def folder(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("pages")
    for file, page in pages.items():
        (place / file).write_text(page, encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def report(browser: Browser, folder: Path) -> Page:
    return _opened(browser, folder / "report.html")


@pytest.fixture(scope="module")
def annex(browser: Browser, folder: Path) -> Page:
    return _opened(browser, folder / "annex.html")


def _opened(browser: Browser, path: Path) -> Page:
    page = browser.new_page()
    page.goto(path.as_uri())
    return page


def _at(page: Page, width: int, scheme: str = "light") -> Page:
    """A page at a width, at its top, as if it had just been opened."""
    page.emulate_media(media="screen", color_scheme=scheme)  # type: ignore[arg-type]
    page.set_viewport_size({"width": width, "height": 800})
    page.evaluate("history.replaceState(null, '', location.pathname); scrollTo(0, 0)")
    return page


# Links and numbers ----------------------------------------------------------------------------


def test_every_link_finds_its_target(pages: dict[str, str]) -> None:
    parsed = {file: _Parsed(page) for file, page in pages.items()}
    ids = {file: page.values("id") for file, page in parsed.items()}
    for file, page in parsed.items():
        assert len(set(ids[file])) == len(ids[file]), file
        assert set(page.values("popovertarget")) <= set(ids[file])
        for target in page.values("href"):
            if not target.startswith("https://doi.org/"):
                where, _, anchor = unquote(target).partition("#")
                assert not anchor or anchor in ids[where or file], (file, target)
                assert (where or file) in pages
    assert "annex.html" in parsed["report.html"].values("href")


@pytest.mark.parametrize(("file", "letter"), [("report.html", ""), ("annex.html", "A")])
def test_tables_and_figures_are_numbered_in_order(
    pages: dict[str, str], file: str, letter: str
) -> None:
    page = pages[file]
    for kind, holds in (("table", "<table"), ("figure", "<figure>")):
        numbers = re.findall(rf'class="number" id="{kind}-{letter}(\d+)"', page)
        assert numbers == [str(place + 1) for place in range(page.count(holds))]
        assert len(numbers) > 2
    assert "<!--" not in page
    assert "<asked>" not in page


def test_a_reference_that_no_page_answers_links_nothing() -> None:
    here = "<!--table:one--> <!--see:table:two--> <!--see:figure:none-->"
    there = "<!--table:--> <!--table:two--> <!--see:table:one--> <!--see:table:two-->"
    said = numbered({"a.html": here, "b.html": there}, {"b.html": "B"})
    assert said["a.html"] == (
        '<b class="number" id="table-1">Table 1.</b> <a href="b.html#table-B2">Table B2</a> '
        "the figure"
    )
    assert said["b.html"].endswith(
        '<a href="a.html#table-1">Table 1</a> <a href="#table-B2">Table B2</a>'
    )


def test_headings_follow_the_place_of_their_section() -> None:
    html = Markup('<h4 class="a">&lt;h4&gt;</h4><h5>b</h5><p>c</p><header></header>')
    moved = '<h3 class="a">&lt;h4&gt;</h3><h4>b</h4><p>c</p><header></header>'
    assert below(html, 2) == moved
    assert below(Markup("<p>c</p>"), 2) == "<p>c</p>"


def test_a_report_is_small(pages: dict[str, str]) -> None:
    assert len(pages["report.html"].encode()) < 2_000_000


# On the screen --------------------------------------------------------------------------------

STOPS = """[...document.querySelectorAll('.scroll')].filter(
  (box) => (box.tabIndex === 0) !== (box.scrollWidth > box.clientWidth + 1)
    || (box.tabIndex === 0) !== Boolean(box.getAttribute('aria-label'))).length"""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("file", ["report", "annex"])
def test_nothing_but_a_table_scrolls_and_that_by_the_keyboard(
    file: str, width: int, request: pytest.FixtureRequest
) -> None:
    page = _at(request.getfixturevalue(file), width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.wait_for_function(f"{STOPS} === 0")
    stops = page.evaluate("document.querySelectorAll('.scroll[tabindex]').length")
    if (file, width) == ("report", 1280):
        assert stops == 0
    assert stops > 0 or width > 360


@pytest.mark.parametrize(
    ("file", "width", "scheme"),
    [
        *(("report", width, "light") for width in WIDTHS),
        ("report", 360, "dark"),
        ("annex", 360, "light"),
    ],
)
def test_axe_finds_nothing(
    file: str, width: int, scheme: str, request: pytest.FixtureRequest
) -> None:
    page = _at(request.getfixturevalue(file), width, scheme)
    page.evaluate("document.querySelectorAll('section details').forEach((d) => { d.open = true; })")
    assert _findings(page) == []


def test_axe_finds_nothing_in_what_is_asked_for(report: Page) -> None:
    page = _at(report, 360)
    page.locator(".ask").first.click()
    assert _findings(page, ".asked:popover-open") == []
    page.keyboard.press("Escape")


def _findings(page: Page, within: str = "") -> list[str]:
    """What axe-core objects to, save what it calls minor."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate(
        "(within) => axe.run(within || document, {resultTypes: ['violations'], "
        "rules: {'target-size': {enabled: true}}})",
        within,
    )
    return [
        f"{each['impact']}: {each['id']} at {node['target']}"
        for each in found["violations"]
        for node in each["nodes"]
        if each["impact"] != "minor"
    ]


def _box(page: Page, selector: str) -> dict[str, float]:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return {**box, "bottom": box["y"] + box["height"], "right": box["x"] + box["width"]}


def test_contents_are_a_column_at_the_left(report: Page) -> None:
    page = _at(report, 1280)
    column = _box(page, ".contents")
    assert column["right"] < _box(page, "header")["x"]
    assert column["right"] < _box(page, ".pageone")["x"]
    assert column["bottom"] < _box(page, ".mark")["y"]
    assert page.locator(".contents a").first.is_visible()
    page.locator(".contents a").nth(3).click()
    assert _box(page, ".contents")["y"] == column["y"]
    assert page.locator(".contents a").first.is_visible()


@pytest.mark.parametrize("width", WIDTHS[1:])
def test_contents_are_a_bar_that_opens(report: Page, width: int) -> None:
    page = _at(report, width)
    summary, link = page.locator(".contents summary"), page.locator(".contents a").nth(3)
    assert _box(page, ".contents")["y"] >= _box(page, ".pageone")["bottom"]
    page.evaluate("document.querySelector('footer').scrollIntoView()")
    assert _box(page, ".contents")["y"] == 0
    assert not link.is_visible()
    summary.click()
    assert link.is_visible()
    page.keyboard.press("Escape")
    assert not link.is_visible()
    page.keyboard.press("Enter")  # the focus is on the bar again
    anchor = link.get_attribute("href")
    link.click()
    assert not link.is_visible()
    # What was jumped to is not below the bar.
    assert 0 <= _box(page, f"{anchor} :is(h2, h3)")["y"] - _box(page, ".contents")["bottom"] < 80


@pytest.mark.parametrize("width", WIDTHS)
def test_what_is_clicked_is_large_enough_for_a_finger(report: Page, width: int) -> None:
    page = _at(report, width)
    page.evaluate("document.querySelector('.contents details').open = true")
    heights = page.evaluate(
        "[...document.querySelectorAll('.contents a, summary, .ask')]"
        ".map((each) => each.getBoundingClientRect().height)"
    )
    assert min(heights) >= 24
    page.evaluate("document.querySelector('.contents details').open = innerWidth > 1200")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_warning_covers_no_last_line(report: Page, width: int) -> None:
    page = _at(report, width)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    assert _box(page, "footer")["bottom"] <= _box(page, ".mark")["y"]


def test_a_number_is_asked_for_without_a_mouse(report: Page) -> None:
    page = _at(report, 360)
    asked = page.locator(".asked").first
    assert not asked.is_visible()
    page.locator(".ask").first.focus()
    page.keyboard.press("Enter")
    assert asked.is_visible()
    box = _box(page, ".asked:popover-open")
    assert box["x"] >= 0
    assert box["right"] <= 360
    page.keyboard.press("Escape")
    assert not asked.is_visible()


# On paper -------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["report", "annex"])
def test_nothing_is_cut_on_paper(file: str, request: pytest.FixtureRequest) -> None:
    page = _at(request.getfixturevalue(file), PAPER)
    page.emulate_media(media="print")
    assert page.evaluate("document.documentElement.scrollWidth") <= PAPER
    assert not page.locator(".mark").is_visible()
    assert not page.locator("details :is(p, table, a)").evaluate_all(
        "(found) => found.filter((each) => each.getBoundingClientRect().height === 0).length"
    )
    figures = page.locator("figure").evaluate_all(
        "(found) => found.map((each) => [each.getBoundingClientRect().height, "
        "getComputedStyle(each).breakInside])"
    )
    assert all(height < 900 and inside == "avoid" for height, inside in figures)  # of 1,000
    assert file == "annex" or _findings(page) == []


def test_page_1_is_one_side_of_paper(browser: Browser, folder: Path) -> None:
    page_one = (folder / "report.html").read_text(encoding="utf-8").partition("<nav")[0]
    last = re.sub(r"<[^>]+>", "", page_one.rpartition("<p>")[2]).split()[-6:]
    made = report_pdf(folder)
    assert made == folder / "report.pdf"
    sides = PdfReader(made).pages
    texts = [" ".join(side.extract_text().split()) for side in sides]
    assert [round(float(length)) for length in sides[0].mediabox[2:]] == [595, 842]
    assert "What this cannot say" in texts[0]
    assert "".join(last) in texts[0].replace(" ", "")
    assert not re.search(r"\bContents\b", texts[0])
    assert re.search(r"\bContents\b", texts[1])
    assert "Ordered after BARG" in texts[-1]
    for number, text in enumerate(texts, 1):
        assert f"{number} / {len(sides)}" in text
        assert "SYNTHETIC COHORT" in text
        assert "Monte Carlo standard error:" not in text  # what may be asked for


def test_no_other_script_runs_and_nothing_is_fetched(
    browser: Browser, pages: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "beside.js").write_text("document.title = 'obeyed'", encoding="utf-8")
    (tmp_path / "beside.svg").write_bytes(SVG)
    trap = (
        "<script>document.title = 'obeyed'</script><script src='beside.js'></script>"
        "<img src='beside.svg' id='beside'><img src='https://example.org/a.png'>"
        "<img src='none' onerror=\"document.title = 'obeyed'\"></body>"
    )
    page = pages["report.html"].replace("</body>", trap)
    (tmp_path / "report.html").write_text(page, encoding="utf-8")
    opened = browser.new_page()
    refused: list[str] = []
    opened.on("console", lambda message: refused.append(message.text))
    opened.goto((tmp_path / "report.html").as_uri())
    assert "obeyed" not in opened.title()
    assert sum("Content Security Policy" in text for text in refused) >= 4
    assert opened.evaluate("document.querySelector('#beside').naturalWidth") > 0
    opened.set_viewport_size({"width": 1400, "height": 800})
    opened.wait_for_function("document.querySelector('.contents details').open")  # its own does
    opened.close()
