"""What the terminal says before anything is worked out: help, versions, misspelt names."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from mnbayes.base.versions import versions
from mnbayes.cli import app
from mnbayes.cli.help import GROUPS

runner = CliRunner()
COMMANDS: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
WIDTHS = (60, 80)


def help_of(command: str, width: int) -> list[str]:
    arguments = [command, "--help"] if command else ["--help"]
    shown = runner.invoke(app, arguments, terminal_width=width)
    assert shown.exit_code == 0, shown.output
    return shown.output.splitlines()


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("width", WIDTHS)
def test_help_fits_and_breaks_no_word(command: str, width: int) -> None:
    lines = help_of(command, width)
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    group = get_command(app)
    about: Any = COMMANDS[command] if command else group
    for parameter in about.params:
        assert set((parameter.help or "").split()) <= set(words), parameter.name
        assert parameter.param_type_name == "argument" or parameter.opts[0] in words
        assert parameter.help, parameter.name
        # A type in angle brackets says nothing that a name could not.
        if parameter.param_type_name == "option" and not parameter.is_flag:
            assert parameter.metavar, parameter.name
    assert not any(re.search(r"<(?:str|path|list|int|float)", line) for line in lines)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_group_and_an_example_that_it_understands(command: str) -> None:
    assert COMMANDS[command].rich_help_panel in GROUPS
    lines = help_of(command, 60)
    assert lines[-2] == "Example:"
    words = shlex.split(lines[-1])
    assert words[:2] == ["mnbayes", command]
    made = COMMANDS[command].make_context(command, words[2:])
    assert made.command is COMMANDS[command]


def test_commands_stand_in_groups() -> None:
    lines = help_of("", 80)
    headings = [line[:-1] for line in lines if line.endswith(":") and line[0] != " "]
    assert headings == ["Options", *GROUPS, "Example"]
    assert [line.split()[0] for line in lines if re.match(r"  [a-z]+ ", line)] == [
        *(name for group in GROUPS for name in COMMANDS if COMMANDS[name].rich_help_panel == group),
        "mnbayes",
    ]


def test_version_short_help_and_completion() -> None:
    assert runner.invoke(app, ["--version"]).output == f"mnbayes {versions()['mnbayes']}\n"
    assert runner.invoke(app, ["fit", "-h"]).output == runner.invoke(app, ["fit", "--help"]).output
    asked = {"_MNBAYES_COMPLETE": "complete_bash", "COMP_WORDS": "mnbayes si", "COMP_CWORD": "1"}
    done = runner.invoke(app, [], env=asked | {"COMP_WORDS": "mnbayes se"}, prog_name="mnbayes")
    assert done.output.split() == ["sensitivity"]


#: pint, which reads units, imports the bare package of SciPy; what is slow is below it.
HEAVY = (
    *("pymc", "pytensor", "numba", "arviz", "nutpie", "matplotlib", "xarray"),
    *("scipy.stats", "scipy.special", "scipy.linalg", "scipy.optimize"),
)
_RUN = """
import sys
from mnbayes.cli import app
try:
    app(sys.argv[1:], prog_name="mnbayes")
except SystemExit as end:
    status = end.code
print(",".join(m for m in {heavy} if m in sys.modules), status)
"""


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("fit --model protienuria", "proteinuria"),
        ("fit --priors sceptcal", "sceptical"),
        ("fit --model proteinuria --set visit_sd.sgima=1", "sigma"),
        ("fit --marker albumim", "albumin"),
        ("fit --definitions kdgio", "kdigo_mn_protein"),
        ("fit --engine nutts", "nuts"),
        ("fti", "fit"),
        ("sensitivity --priors sceptcal", "sceptical"),
        ("prior --model protienuria", "proteinuria"),
        ("elicit chnge_mean x", "change_mean"),
        ("calibrate --model protienuria", "proteinuria"),
        ("published --priors sceptcal", "sceptical"),
        ("models protienuria", "proteinuria"),
        ("explore --priors sceptcal", "sceptical"),
        ("explore --model protienuria", "proteinuria"),
    ],
)
def test_a_misspelt_name_is_refused_before_anything_heavy_is_loaded(
    asked: str, meant: str, tmp_path: Path
) -> None:
    script = _RUN.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", script, *asked.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.stdout.splitlines()[-1] == " 2", done.stdout
    assert re.search(rf"[Dd]id you mean '?{meant}\b", done.stderr), done.stderr
    assert "Traceback" not in done.stderr
    assert not any(tmp_path.iterdir())
