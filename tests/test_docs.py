"""Documentation keeps its word: commands, names, links and the lists of files exist."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path

import pytest
import typer

import mnbayes as mn
from mnbayes import cli
from mnbayes.analyses.catalogue import catalogue
from mnbayes.report.kit.results import ANSWER, FOLLOWS, OVERTURNS, SAFETY

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "data" / "README.md", *(ROOT / "docs").glob("*.md")])
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[list[str]]:
    """Every call of mnbayes in a page's shell blocks, as words."""
    lines = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
    calls = [shlex.split(line, comments=True) for line in lines]
    return [words[1:] for words in calls if words[:1] == ["mnbayes"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist_with_their_options(page: Path) -> None:
    for name, *words in commands(page):
        assert name in COMMANDS, name
        known = {o for p in COMMANDS[name].params for o in (*p.opts, *p.secondary_opts)}
        used = {word.split("=")[0] for word in words if word.startswith("--")}
        assert used <= known, (name, used - known)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_names_exist(page: Path) -> None:
    for code in blocks(page, "python"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mnbayes"):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, each.name) for each in node.names), ast.unparse(node)
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("mn", "mnbayes"):
                assert hasattr(mn, node.attr), ast.unparse(node)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_find_their_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8"))
    lost = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not lost


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        targets = re.findall(r"(?:docs/)?([\w-]+\.md)", page.read_text(encoding="utf-8"))
        waiting += [path for t in targets if (path := ROOT / "docs" / t).exists()]
    assert not set((ROOT / "docs").glob("*.md")) - reached


def test_every_command_is_listed_and_the_readme_shows_ten_at_most() -> None:
    named = {words[0] for words in commands(ROOT / "docs" / "commands.md")}
    assert named == set(COMMANDS)
    assert len(commands(ROOT / "README.md")) <= 10


def test_every_data_file_is_described() -> None:
    text = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    described = {
        name.strip("/")
        for heading in re.findall(r"^## (.*)$", text, re.MULTILINE)
        for name in re.findall(r"`([^`]+)`", heading)
    }
    there = {path.name for path in (ROOT / "data").iterdir() if path.name != "README.md"}
    assert described == there


def test_the_form_of_definitions_is_one_that_loads(tmp_path: Path) -> None:
    page = ROOT / "docs" / "responses.md"
    (form,) = blocks(page, "toml")
    (tmp_path / "mine.toml").write_text(form, encoding="utf-8")
    definitions = mn.load_definitions(tmp_path / "mine.toml")
    assert definitions.responses == ("complete", "partial", "response")
    assert definitions.stated == ("response",)
    listed = re.findall(
        r"^\| `([a-z_]+)` \|.*\|.*\|", page.read_text(encoding="utf-8"), re.MULTILINE
    )
    shipped = [path.stem for path in (ROOT / "models" / "definitions").glob("*.toml")]
    assert sorted(set(listed) & set(shipped)) == sorted(shipped)


def test_every_picture_of_an_analysis_is_in_the_gallery() -> None:
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    drawn = {name for analysis in catalogue() for name in analysis.draws}
    assert drawn
    assert not [name for name in drawn if f"`{name}" not in text]


def test_page_1_is_quoted_where_its_reading_is_explained() -> None:
    text = (ROOT / "docs" / "reading-the-report.md").read_text(encoding="utf-8")
    quoted = text.partition("<!-- page 1 -->")[2].partition("<!-- /page 1 -->")[0]
    said = [line for line in quoted.splitlines() if not line.startswith("> *Picture")]
    words = [word for word in " ".join(said).split() if re.search(r"\w", word)]
    assert 150 < len(words) <= 350
    assert all(f"> **{heading}**" in said for heading in (ANSWER, SAFETY, FOLLOWS, OVERTURNS))
