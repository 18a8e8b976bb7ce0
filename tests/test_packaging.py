"""What is shipped, what it needs and under which licences, and how it is cited."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from conftest import script

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
dependencies = script("dependencies")
DIRECT = [
    *dependencies.declared(),
    *(
        n
        for extra in PROJECT["project"]["optional-dependencies"]
        for n in dependencies.declared(extra)
    ),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    done = subprocess.run(command, check=True, cwd=ROOT, capture_output=True, text=True)
    assert "warn" not in (done.stdout + done.stderr).casefold()
    return folder


def tracked(*folders: str) -> set[str]:
    """Files of the tree that are no rubbish of a run."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_holds_the_package_its_cards_and_its_data_and_nothing_else(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    sources = {name.removeprefix("src/") for name in tracked("src/mnbayes")}
    shared = {f"mnbayes/_share/{name}" for name in tracked("models", "data")}
    assert shipped == sources | shared
    assert zipfile.ZipFile(wheel).testzip() is None


def test_the_source_archive_holds_what_builds_tests_and_explains(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        shipped = {name.partition("/")[2] for name in opened.getnames()}
    wanted = tracked("src", "models", "data", "scripts", "tests", "examples")
    assert wanted <= shipped
    for name in ("README.md", "LICENSE", "SECURITY.md", "CITATION.cff", "CHANGELOG.md"):
        assert name in shipped
    assert not [name for name in shipped if "__pycache__" in name or name.startswith("results/")]


def test_each_dependency_has_a_purpose_and_a_pinned_version() -> None:
    said = dependencies.purposes()
    assert set(said) == set(DIRECT)
    assert all(text.endswith(".") and len(text) < 120 for text in said.values())
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    names = {dependencies.canonical(line.split("==")[0]) for line in pinned if "==" in line}
    assert set(DIRECT) <= names


def test_the_page_names_what_a_run_needs_with_its_licence() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)`[^|]*\|(.*)\|$", page, flags=re.MULTILINE))
    assert set(dependencies.needed(dependencies.declared())) | set(DIRECT) == set(rows)
    for name, purpose in dependencies.purposes().items():
        assert purpose in rows[name]
    # A licence that binds whoever passes a run's program on would be named here first.
    assert not re.search(r"\b(A?GPL|LGPL|SSPL)\b", page)


def test_the_citation_is_one_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(cited)
    assert all(
        {"name"} <= set(author) or {"family-names"} <= set(author) for author in cited["authors"]
    )
    assert cited["version"] == PROJECT["project"]["version"]
    assert cited["license"] == PROJECT["project"]["license"]
    assert cited["type"] == "software"


def lend_compiled_code(target: Path) -> None:
    """Hand what earlier tests compiled to an installed copy of the same sources.

    Numba looks beside a source for what it compiled of it at its size and time. Compiling again
    takes a minute and is not what a wheel is tested for; what is missing it still compiles.
    """
    for source in (ROOT / "src").rglob("*.py"):
        twin = target / source.relative_to(ROOT / "src")
        if compiled := list((source.parent / "__pycache__").glob(f"{source.stem}.*.nb[ci]")):
            shutil.copystat(source, twin)
            (twin.parent / "__pycache__").mkdir(exist_ok=True)
            for file in compiled:
                shutil.copy(file, twin.parent / "__pycache__")


def test_wheel_works_from_an_empty_folder(built: Path, tmp_path: Path) -> None:
    """The built wheel brings its cards and data; only the dependencies come from outside."""
    target, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(target)  # of a wheel without scripts of its own: as pip does
    lend_compiled_code(target)
    code = "import mnbayes.cli, sys; print(mnbayes.__file__, file=sys.stderr); mnbayes.cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "fit", "--model", "proteinuria", "--no-influence"],
        check=False,
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert str(target) in done.stderr
    folder = empty / done.stdout.splitlines()[-1]
    assert (folder / "report.html").is_file()
    assert folder.parent == empty / "results"
