"""Text on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape


def say(console: Console, text: str, style: str = "") -> None:
    """Print a text as it is."""
    console.print(escape(text), highlight=False, style=style)
