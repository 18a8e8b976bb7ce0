"""What the commands share: the application, exit statuses, options and errors in words."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from io import TextIOWrapper
from typing import TYPE_CHECKING, Annotated

import typer

from mnbayes.base.problems import InputError

if TYPE_CHECKING:
    from mnbayes.cards.card import Card
    from mnbayes.data.markers import Catalogue

Priors = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME|FILE",
        help="Prior set by name, or .toml file; repeatable, files win over names (default: weak).",
    ),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME.ARG=VALUE",
        help="Set a prior's number, or NAME='P% between A and B on SCALE'; repeatable, strongest.",
    ),
]

Response = Annotated[
    str | None,
    typer.Option("--definitions", help="Definitions of response, by name or a .toml file."),
]
Arm = Annotated[
    str | None,
    typer.Option(
        help="Arm to keep, where the patients' column arm has several (default: trial.toml's)."
    ),
]
AcceptImplausible = Annotated[
    bool,
    typer.Option(
        "--accept-implausible",
        help="Read values beyond what is possible as they stand, with a warning.",
    ),
]

BAD_INPUT = 2
NOT_CONVERGED = 1
INTERRUPTED = 130

#: Groups of commands in the help, in the order in which a trial meets them.
START, PRIORS, AGAIN, EVIDENCE, VALIDATION = (
    *("Start", "Models and priors", "Ask a finished run again"),
    *("Evidence beside the cohort", "Is the program right?"),
)

app = typer.Typer(
    name="mnbayes",
    help="Bayesian models of tiny single-arm trials.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from mnbayes.base.versions import versions

        typer.echo(f"mnbayes {versions()['mnbayes']}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which version."),
    ] = False,
) -> None:
    """Bayesian models of tiny single-arm trials."""


def clear_errors[**P, T](command: Callable[P, T]) -> Callable[P, T]:
    """Turn bad input into its message and exit status 2, and Ctrl-C into 130."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        for stream in (sys.stdout, sys.stderr):
            # A name that the terminal cannot show is no reason to end a fit.
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        try:
            return command(*args, **kwargs)
        except InputError as error:
            typer.echo(str(error), err=True)
            typer.echo("Nothing was written.", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except OSError as error:
            # A full disk, a folder that may not be written: the system's own words, no traceback.
            typer.echo(f"{error.filename or 'output'}: {error.strerror or error}", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            typer.echo("Interrupted; nothing was written.", err=True)
            raise typer.Exit(INTERRUPTED) from None

    return wrapped


def cards_with_priors(
    names: list[str] | None,
    priors: list[str] | None,
    settings: list[str] | None,
    known: Catalogue | None = None,
) -> list[Card]:
    """Cards with their priors overridden, what is overridden said on standard error."""
    from mnbayes.analyses.priors.words import prior_sentences
    from mnbayes.base.problems import gathered
    from mnbayes.cards import overrides
    from mnbayes.cards.card import available_cards, load_card
    from mnbayes.report.terminal import say

    with gathered() as attempt:
        own = [attempt(load_card, each, known=known) for each in names or available_cards()]
        prior_sets = attempt(overrides.load_prior_sets, priors or ["weak"])
        changes = [attempt(overrides.parse_setting, text) for text in settings or []]
    cards = overrides.override(own, prior_sets, changes)
    if priors or settings:
        for sentence in prior_sentences(own, cards, prior_sets, changes):
            say(sentence, error=True)
    return cards
