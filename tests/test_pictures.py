"""Pictures for their readers: contrast on white and on dark paper, texts, size."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
import runs
from matplotlib.figure import Figure
from runs import DEFINITIONS, result_of
from trees import make_tree

from mnbayes.analyses.catalogue import catalogue
from mnbayes.analyses.results.responses_figure import LOOKS, NO_RESPONSE
from mnbayes.report.kit import style
from mnbayes.report.kit.colours import PAPER, contrast, dark
from mnbayes.report.kit.drawing import pictures_of
from mnbayes.report.kit.svg import compact, with_dark
from mnbayes.run.section import Drawn

WHITE = "#ffffff"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn() -> list[Drawn]:
    """Every figure of a model of protein and albumin; one patient left, one value is censored."""
    tree = make_tree(draws=60, missing=((1, 4, 0), (1, 4, 1)), censored_below=((2, 4, 0),))
    return runs.drawn(result_of(tree, withdrew=((1, 8.0),)), DEFINITIONS)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", WHITE) == pytest.approx(21.0)
    assert contrast("#777777", WHITE) == pytest.approx(4.48, abs=0.005)
    assert contrast(WHITE, WHITE) == 1.0


@pytest.mark.parametrize("color", style.MARKS)
def test_lines_and_points_stand_out_on_both_papers(color: str) -> None:
    assert contrast(color, WHITE) >= 3.0
    assert contrast(dark(color), PAPER) >= 2.99  # eight bits a colour


@pytest.mark.parametrize("color", style.WORDS)
def test_words_can_be_read_on_both_papers(color: str) -> None:
    assert contrast(color, WHITE) >= 4.5
    assert contrast(dark(color), PAPER) >= 4.49


def test_areas_of_responses_stand_out() -> None:
    for color, _ in (*LOOKS, NO_RESPONSE):
        assert contrast(color, WHITE) >= 3.0


@pytest.mark.parametrize("color", ["#0072b2", "#cfe3f1", "#6e6e6e", "#d55e00"])
def test_a_dark_page_keeps_the_contrast(color: str) -> None:
    assert contrast(dark(color), PAPER) == pytest.approx(contrast(color, WHITE), rel=0.02)
    assert dark(WHITE) == PAPER


def test_every_colour_of_a_picture_has_its_own_on_a_dark_page() -> None:
    svg = b'<svg><path style="fill: #0072b2; stroke: #ffffff"/><rect fill="#cfe3f1"/></svg>'
    said = with_dark(svg).decode()
    for found in ('[style*="fill: #0072b2"]', '[style*="stroke: #ffffff"]', '[fill="#cfe3f1"]'):
        assert found in said
    assert said.count("prefers-color-scheme:dark") == 1
    assert said.startswith(svg.decode().removesuffix("</svg>"))


def test_a_compact_picture_shows_the_same() -> None:
    svg = (
        b'<svg>\n <metadata>x</metadata>\n <g id="a">\n  <g clip-path="url(#c)">\n   '
        b'<path id="m" d="M 1.2345 2.0004 \nL 3.5 4.96 \n" style="fill: none"/>\n  </g>\n </g>\n '
        b'<use xlink:href="#m" x="1.26" y="2"/><path d="M 0 0 C 1 1 2 2 3 3 L 4 4"/></svg>'
    )
    root = ET.fromstring(compact(svg).replace(b"xlink:", b""))
    group, use, curve, _ = root
    assert (group.tag, group.get("clip-path")) == ("g", "url(#c)")
    assert (group[0].get("id"), group[0].get("d")) == ("m", "M 1.2 2 3.5 4.9")
    assert use.get("x") == "1.2"
    assert curve.get("d") == "M 0 0 C 1 1 2 2 3 3 L 4 4"


def test_a_group_without_anything_in_it_takes_no_other_s_end() -> None:
    svg = (
        b'<svg><g id="a"><g id="points"/><g clip-path="url(#c)"/><g clip-path="url(#c)">'
        b'<path d="M 0 0"/></g></g><path d="M 1 1"/></svg>'
    )
    (group, after, _) = ET.fromstring(compact(svg))
    assert [child.get("d") for child in group] == ["M 0 0"]
    assert after.get("d") == "M 1 1"


def test_every_picture_states_a_finding_in_text_that_is_text(drawn: list[Drawn]) -> None:
    names = {each.name for each in drawn}
    assert {"arrows", "gmr_by_visit", "regression_bound", "pit", "ranks"} <= names
    for each in drawn:
        assert re.search(r"\d", each.alt), each.name
        assert "the numbers are in" not in each.alt, each.name
    for picture in pictures_of(drawn, "m"):
        root = ET.fromstring(picture.content)
        words = [element for element in root.iter(f"{SVG}text") if element.text]
        assert len(words) > 5, picture.name
        sizes = {float(re.findall(r"([\d.]+)px", w.get("style", ""))[0]) for w in words}
        # Points: three quarters of a pixel of the page.
        assert min(sizes) / 0.75 >= 9.0, picture.name
        assert len(picture.content) < 100_000, picture.name


def test_a_phone_shows_the_pictures_of_a_model_whole(drawn: list[Drawn]) -> None:
    wide = {picture.name for picture in pictures_of(drawn, "m") if not picture.narrow}
    assert wide == set()


def test_pictures_of_a_run_say_what_is_not_of_a_model() -> None:
    made = Drawn("a", "A", "1 patient", Figure(), of_model=False)
    (picture,) = pictures_of([made], "m")
    assert picture.alt == "1 patient."
    assert any(each.after_fits is not None for each in catalogue() if each.name == "safety")
