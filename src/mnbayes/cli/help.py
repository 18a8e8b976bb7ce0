"""How help reads in a terminal: commands and options in groups, names left, no word cut."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from mnbayes.base.problems import did_you_mean

#: Groups of commands, in the order in which a trial meets them.
START, PRIORS, AGAIN, EVIDENCE, VALIDATION = GROUPS = (
    *("Start", "Models and priors", "Ask a finished run again"),
    *("Evidence beside the cohort", "Is the program right?"),
)
#: Column where the texts begin; a longer name has a line of its own.
_TEXTS = 22
_OPTIONS, _OTHERS = "Options", "Others"


def _listed(rows: Iterable[tuple[str, str]], width: int) -> str:
    """Names and their texts, which begin in one column."""
    lines: list[str] = []
    for name, text in rows:
        wrapped = textwrap.wrap(
            text, width - _TEXTS, break_long_words=False, break_on_hyphens=False
        )
        head = f"  {name}"
        if len(head) > _TEXTS - 2:
            lines.append(head)
        elif wrapped:
            lines.append(f"{head:{_TEXTS}}{wrapped.pop(0)}")
        else:
            lines.append(head)
        lines += [f"{'':{_TEXTS}}{line}" for line in wrapped]
    return "\n".join(lines) + "\n"


def _write_options(command: Any, ctx: typer.Context, formatter: Any) -> None:
    """Arguments, then options in their groups, each group in the order of the signature."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        name, text = record
        if parameter.param_type_name == "argument":
            group, name = "Arguments", re.sub(r" <.*>$", "", name)  # without its type
        else:
            group = parameter.rich_help_panel or _OPTIONS
        groups.setdefault(group, []).append((name, text))
    for group, rows in sorted(groups.items(), key=lambda item: item[0] == _OPTIONS):
        formatter.write(f"\n{group}:\n{_listed(rows, formatter.width)}")


def _write_example(command: Any, formatter: Any) -> None:
    """The example as a line to be copied, however long."""
    if command.epilog:
        formatter.write(f"\nExample:\n  {command.epilog}\n")


class Command(TyperCommand):
    """A command whose help has its options in groups and ends in an example."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse, and name the closest choice where a value is none of them."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ")
            quoted = re.findall(r"'([^']*)'", error.message)
            if " is not one of " in error.message and quoted:
                hint = did_you_mean(quoted[0], quoted[1:])
                error.message = f"{error.message.rstrip('.')}{hint}."
            raise

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Name what follows the command; what may be left out is in brackets."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options."""
        _write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example."""
        _write_example(self, formatter)


class Group(TyperGroup):
    """The commands in their groups."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options of all commands, then the commands."""
        _write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each group with a line or two for each command."""
        groups: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            groups.setdefault(command.rich_help_panel or _OTHERS, []).append(
                (name, " ".join(command.help.split()))
            )
        for group, rows in groups.items():
            formatter.write(f"\n{group}:\n{_listed(rows, formatter.width)}")

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the example."""
        _write_example(self, formatter)
