"""What the commands share: the application, exit statuses, options and errors in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mnbayes.base.ending import EndedError
from mnbayes.base.new_files import moved
from mnbayes.base.problems import InputError, Problem, TakenError
from mnbayes.base.untrusted_text import visible
from mnbayes.cli.help import Command, Group

if TYPE_CHECKING:
    from mnbayes.cards.card import Card
    from mnbayes.data.cohort import Cohort
    from mnbayes.data.markers import Catalogue

#: Options of the commands that have many, by the groups of their help.
fitted, sampled, written = (
    partial(typer.Option, rich_help_panel=group)
    for group in ("What is fitted", "How it is fitted", "What comes out")
)

Priors = Annotated[
    list[str] | None,
    fitted(
        metavar="NAME|FILE", help="Prior set; repeatable, files win over names (default: weak)."
    ),
]
Settings = Annotated[
    list[str] | None,
    fitted(
        "--set",
        metavar="NAME.ARG=VALUE",
        help="Set a number of a prior, or NAME='90% between A and B on SCALE'; repeatable, "
        "stronger than any set.",
    ),
]

Data = Annotated[Path | None, fitted("--data", metavar="DIR", help="The same as DIR.")]
Folder = Annotated[
    Path | None,
    typer.Argument(metavar="DIR", help="Cohort folder (default: the embedded synthetic one)."),
]
RunFolder = Annotated[
    Path | None,
    typer.Argument(metavar="RUN", help="Folder of a run (default: the newest under results/)."),
]
Run = Annotated[Path | None, typer.Option("--run", metavar="RUN", help="The same as RUN.")]
Seed = Annotated[int, sampled(min=0, metavar="N", help="Of the random numbers.")]
AllowUnconverged = Annotated[
    bool,
    written(
        "--allow-unconverged",
        help="Show the numbers of a fit that did not converge, marked as such.",
    ),
]
Response = Annotated[
    str | None,
    fitted(
        "--definitions",
        metavar="NAME|FILE",
        help="Definitions of response (default: the trial's, else what its markers allow).",
    ),
]
Arm = Annotated[
    str | None,
    fitted(
        metavar="NAME", help="Arm to keep, where patients.csv has several (default: trial.toml's)."
    ),
]
Pseudonyms = Annotated[
    bool,
    written(
        "--pseudonyms", help="P01, P02, … for the patients, in everything that is written or shown."
    ),
]
PseudonymKey = Annotated[
    Path | None,
    written(
        metavar="FILE",
        help="With --pseudonyms: who is who, in this .csv file outside the run's folder.",
    ),
]
Force = Annotated[
    bool,
    written(
        "--force",
        help="Move what a folder holds of an earlier run aside, with its time; nothing is deleted.",
    ),
]
AcceptImplausible = Annotated[
    bool,
    fitted(
        "--accept-implausible",
        help="Read values beyond what is possible as they stand, with a warning.",
    ),
]

BAD_INPUT = 2
NOT_CONVERGED = 1
INTERRUPTED = 130

app = typer.Typer(
    name="mnbayes",
    cls=Group,
    help="Bayesian models of tiny single-arm trials.",
    epilog="mnbayes fit --open",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its tables squeeze the names of options, and cut texts
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command(group: str, example: str, **given: Any) -> Callable[..., Any]:
    """Add a command to the application: its group in the help, and an example to be copied."""
    return app.command(cls=Command, rich_help_panel=group, epilog=example, **given)


def either(
    argument: Path | None, option: Path | None, names: tuple[str, str] = ("DIR", "--data")
) -> Path | None:
    """A folder that may be named in two ways.

    Raises
    ------
    InputError
        If both name one, and not the same.
    """
    if argument is not None and option is not None and argument != option:
        expected = f"one folder: {names[0]}, or {names[1]}"
        raise InputError([Problem(names[1], None, None, f"{argument} and {option}", expected)])
    return option if argument is None else argument


def _version(asked: bool) -> None:
    if asked:
        from mnbayes.base.versions import versions

        typer.echo(f"mnbayes {versions()['mnbayes']}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Bayesian models of tiny single-arm trials."""


def read_cohort(
    folder: Path,
    *,
    pseudonyms: bool,
    key: Path | None,
    run: Path | None,
    arm: str | None = None,
    accept_implausible: bool = False,
) -> Cohort:
    """A cohort as a command is asked to read it; the key is written where that is asked for.

    Raises
    ------
    InputError
        With every problem of the cohort, or of the file for the key.
    """
    from mnbayes.data.cohort import load_cohort
    from mnbayes.data.load_pseudonymised import check_key, load_pseudonymised, write_key
    from mnbayes.run.record import MANIFEST

    if not pseudonyms:
        if key is not None:
            expected = "--pseudonyms besides"
            raise InputError([Problem("--pseudonym-key", None, None, str(key), expected)])
        return load_cohort(folder, arm=arm, accept_implausible=accept_implausible)
    above = () if key is None else key.resolve().parents
    for place in (run, *(folder for folder in above if (folder / MANIFEST).is_file())):
        check_key(key, place)
    cohort, who = load_pseudonymised(folder, arm=arm, accept_implausible=accept_implausible)
    write_key(who, key)
    return cohort


def clear_errors[**P, T](command: Callable[P, T]) -> Callable[P, T]:
    """Turn bad input into its message and exit status 2, Ctrl-C into 130, TERM into 143."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        moved.clear()
        try:
            return command(*args, **kwargs)
        except InputError as error:
            typer.echo(str(error), err=True)
            if not isinstance(error, TakenError):
                typer.echo("Nothing was written.", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except OSError as error:
            # A full disk, a folder that may not be written: the system's own words, no traceback.
            typer.echo(
                visible(f"{error.filename or 'output'}: {error.strerror or error}"), err=True
            )
            raise typer.Exit(BAD_INPUT) from None
        except MemoryError:
            typer.echo("There is not enough memory.", err=True)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt as error:
            kept = f"all is written: {moved[-1]}" if moved else "nothing was written"
            typer.echo(f"Interrupted; {kept}.", err=True)
            raise typer.Exit(interrupted(error)) from None

    return wrapped


def interrupted(error: KeyboardInterrupt) -> int:
    """Exit status of a command that was told to end."""
    return error.status if isinstance(error, EndedError) else INTERRUPTED


def cards_with_priors(
    names: list[str] | None,
    priors: list[str] | None,
    settings: list[str] | None,
    known: Catalogue | None = None,
    default: Sequence[Card] = (),
) -> list[Card]:
    """Cards with their priors overridden, what is overridden said on standard error.

    ``default`` is what is meant where no name is given; by default every card.
    """
    from mnbayes.base.problems import gathered
    from mnbayes.cards import overrides
    from mnbayes.cards.card import available_cards, load_card

    with gathered() as attempt:
        if names or not default:
            own = [attempt(load_card, each, known=known) for each in names or available_cards()]
        else:
            own = list(default)
        prior_sets = attempt(overrides.load_prior_sets, priors or ["weak"])
        changes = [attempt(overrides.parse_setting, text) for text in settings or []]
    cards = overrides.override(own, prior_sets, changes)
    if priors or settings:
        from mnbayes.analyses.priors.words import prior_sentences
        from mnbayes.report.terminal import say

        for sentence in prior_sentences(own, cards, prior_sets, changes):
            say(sentence, error=True)
    return cards


def check_names(
    cards: Sequence[str] = (),
    priors: Sequence[str] = (),
    settings: Sequence[str] = (),
    definitions: str | None = None,
    data: Path | None = None,
) -> None:
    """Refuse what is misspelt, before a command loads what is slow to load.

    Raises
    ------
    InputError
        With every name that there is not.
    """
    from mnbayes.base.problems import gathered
    from mnbayes.cards import overrides
    from mnbayes.cards.card import load_card
    from mnbayes.cards.definitions import load_definitions
    from mnbayes.data.cohort import catalogue_of_folder

    with gathered() as attempt:
        known = None if data is None else attempt(catalogue_of_folder, data)
        own = [attempt(load_card, name, known=known) for name in cards]
        sets = attempt(overrides.load_prior_sets, priors)
        changes = [attempt(overrides.parse_setting, text) for text in settings]
        if definitions is not None:
            attempt(load_definitions, definitions)
    if own:
        overrides.override(own, sets, changes)
