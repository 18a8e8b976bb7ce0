"""What each dependency is for, its licence, and what it costs to install and to import.

python scripts/dependencies.py    (writes docs/dependencies.md)

What a package is for stands in ``pyproject.toml`` (``[tool.mnbayes.dependencies]``). All else is
read from what is installed here: licences as the packages state them, sizes without bytecode,
seconds of the processor that an import takes in a new process (the least of three).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "docs" / "dependencies.md"
_REPEATS = 3
#: Modules whose names are not the packages', of those that a run may import.
MODULES = {
    "pillow": "PIL",
    "python-docx": "docx",
    "python-calamine": "python_calamine",
    "great-tables": "great_tables",
    "lazy-loader": "lazy_loader",
}
_TEMPLATE = """\
# Dependencies

By `python scripts/dependencies.py` on {system}. Licences are those that the packages
state; sizes are what is installed, without bytecode; “import” is seconds of the processor in a new
process, with all that the package imports in its turn. Nothing heavy is imported before it is
used: `import mnbayes` takes {own} s.

## What mnbayes needs

{count} packages, with theirs {total} ({size:,.0f} MB).

{direct}

## What these need in their turn

{transitive}

## Tools for working on mnbayes

Extras `dev` and `fuzz`; no run needs them.

{tools}
"""


def canonical(name: str) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(extra: str | None = None) -> list[str]:
    """Names of the direct dependencies in pyproject.toml, or of an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = project["dependencies"] if extra is None else project["optional-dependencies"][extra]
    return [canonical(Requirement(line).name) for line in lines]


def purposes() -> dict[str, str]:
    """What each dependency is for, as pyproject.toml says."""
    read: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    said: dict[str, str] = read["tool"]["mnbayes"]["dependencies"]
    return said


def licence(package: Distribution) -> str:
    """The licence that a package states: its expression, else its short text, else its classes."""
    said = package.metadata
    if expression := said.get("License-Expression"):
        return str(expression)
    text = str(said.get("License") or "").strip()
    if text and text.upper() != "UNKNOWN" and "\n" not in text and len(text) < 60:
        return text
    classes = [each for each in said.get_all("Classifier") or [] if each.startswith("License ::")]
    names = [each.split(" :: ")[-1] for each in classes if each.count("::") > 1]
    return ", ".join(names) or text.partition("\n")[0].strip() or "not stated"


def megabytes(package: Distribution) -> float:
    """Size of a package's installed files, without bytecode."""
    sizes = [
        path.stat().st_size
        for file in package.files or ()
        if file.suffix != ".pyc" and (path := Path(str(package.locate_file(file)))).is_file()
    ]
    return sum(sizes) / 1e6


def needed(names: Iterable[str]) -> dict[str, Distribution]:
    """Packages and all that they need here, by canonical name; none is left out in silence.

    Raises
    ------
    PackageNotFoundError
        If one that is needed is not installed.
    """
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in names]
    seen: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        package = distribution(name)
        found[name] = package
        for line in package.requires or ():
            need = Requirement(line)
            asked = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if need.marker is None or any(need.marker.evaluate(each) for each in asked):
                waiting.append((canonical(need.name), frozenset(need.extras)))
    return dict(sorted(found.items()))


def import_seconds(module: str) -> float:
    """Seconds of the processor that an import takes in a new process, the least of three."""
    code = (
        f"import time; start = time.process_time(); import {module}; "
        "print(time.process_time() - start)"
    )
    return min(
        float(
            subprocess.run(
                [sys.executable, "-c", code], check=True, capture_output=True, text=True
            ).stdout.split()[-1]
        )
        for _ in range(_REPEATS)
    )


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    names = list(header)
    lines = [names, ["---"] * len(names), *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page() -> str:
    """The whole page."""
    said, direct = purposes(), declared()
    packages = needed(direct)
    tools = [name for extra in ("dev", "fuzz") for name in declared(extra)]
    rows = [
        (
            f"`{name}` {packages[name].version}",
            said[name],
            licence(packages[name]),
            f"{megabytes(packages[name]):.1f}",
            f"{import_seconds(MODULES.get(name, name)):.2f}",
        )
        for name in direct
    ]
    return _TEMPLATE.format(
        system=f"Python {sys.version_info[0]}.{sys.version_info[1]}, {sys.platform}",
        own=f"{import_seconds('mnbayes'):.2f}",
        count=len(direct),
        total=len(packages),
        size=sum(map(megabytes, packages.values())),
        direct=table(("package", "what for", "licence", "MB", "import, s"), rows),
        transitive=table(
            ("package", "licence"),
            (
                (f"`{name}` {package.version}", licence(package))
                for name, package in packages.items()
                if name not in direct
            ),
        ),
        tools=table(
            ("package", "what for", "licence"),
            ((f"`{n}`", said[n], _licence_of(n)) for n in dict.fromkeys(tools)),
        ),
    )


def _licence_of(name: str) -> str:
    try:
        return licence(distribution(name))
    except PackageNotFoundError:
        return "not installed here"


if __name__ == "__main__":
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    RESULT.write_text(page(), encoding="utf-8")
    print(f"Written: {RESULT.name}")
