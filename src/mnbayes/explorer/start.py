"""Begin to explore: ``mnbayes explore`` and ``mnbayes.explore``."""

from __future__ import annotations

import asyncio
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

from mnbayes.answers.categories import judge
from mnbayes.base.problems import InputError, Problem, gathered
from mnbayes.base.resources import embedded_cohort_folder
from mnbayes.cards.card import Card, as_card
from mnbayes.cards.choice import choose_models
from mnbayes.cards.chosen_definitions import choose_definitions
from mnbayes.data.cohort import Cohort, as_cohort
from mnbayes.explorer.case import Case
from mnbayes.explorer.server import Explorer, serving

#: Models that are no cards.
_ELSEWHERE = ("published", "historical")


def explored(
    cohort: Cohort | str | Path | None = None,
    cards: Card | str | Path | Sequence[Card | str | Path] = (),
    prior_set: str | Path | Sequence[str | Path] = (),
    definitions: str | Path | None = None,
) -> Case:
    """What a page may be about, from what a user names.

    Parameters
    ----------
    cohort : Cohort, str or Path, optional
        A folder as :func:`mnbayes.load_cohort` takes it; default: the embedded synthetic one.
    cards : Card, str, Path or several, optional
        Default: what the data allow, the primary one first.
    prior_set : str, Path or several, optional
        Where the page begins.
    definitions : str or Path, optional
        Of response.

    Raises
    ------
    InputError
    """
    named = [cards] if isinstance(cards, Card | str | Path) else list(cards)
    sets = [prior_set] if isinstance(prior_set, str | Path) else list(prior_set)
    folder = Path(cohort) if isinstance(cohort, str | Path) else None
    with gathered() as attempt:
        read = attempt(as_cohort, embedded_cohort_folder() if cohort is None else cohort)
        known = read.catalogue if isinstance(read, Cohort) else None
        own = [attempt(as_card, each, known) for each in named]
    if isinstance(cohort, Cohort):
        folder = Path(cohort.source)
    chosen = tuple(own) if named else choose_models(read, _ELSEWHERE).cards
    names = [card.name for card in chosen]
    if len(set(names)) < len(names):
        found = ", ".join(name for name in dict.fromkeys(names) if names.count(name) > 1)
        raise InputError([Problem("--model", None, None, found, "models of different names")])
    case = Case(
        read,
        chosen if named else _primary_first(read, chosen, definitions),
        folder,
        tuple(map(str, sets)),
        "" if definitions is None else str(definitions),
    )
    case.check(case.first)
    return case


def _primary_first(
    cohort: Cohort, cards: Sequence[Card], definitions: str | Path | None
) -> tuple[Card, ...]:
    """The cards, that of page 1 of a report first: it judges most, of equals the smallest."""
    judged_by = choose_definitions(cohort, definitions, cards[0].markers).definitions

    def rank(card: Card) -> tuple[int, bool, int]:
        known = {**cohort.catalogue, **card.catalogue}
        able = judge(judged_by, card.markers, known).categories
        return (-len(able), cohort.primary_marker not in card.markers, len(card.markers))

    return tuple(sorted(cards, key=rank))


def explore(
    cohort: Cohort | str | Path | None = None,
    cards: Card | str | Path | Sequence[Card | str | Path] = (),
    *,
    prior_set: str | Path | Sequence[str | Path] = (),
    definitions: str | Path | None = None,
    port: int = 0,
    browser: bool = True,
    out: str | Path = "results",
    ready: Callable[[str], None] = print,
) -> None:
    """Open a page on this machine where priors can be dragged, and every answer moves.

    Returns when Ctrl-C is pressed, or some seconds after the last page was closed.

    Parameters
    ----------
    cohort : Cohort, str or Path, optional
        A folder as :func:`mnbayes.load_cohort` takes it; default: the embedded synthetic one.
    cards : Card, str, Path or several, optional
        Models to choose from; default: what the data allow.
    prior_set : str, Path or several, optional
        Where the page begins; default: the cards' own priors.
    definitions : str or Path, optional
        Of response.
    port : int
        0: any that is free.
    browser : bool
        Whether to open the page in the browser of this machine.
    out : str or Path
        Where “run this” writes its folders.
    ready : callable
        Called with the address once it can be opened.

    Raises
    ------
    InputError
        If something that is named does not exist, or the port is taken.
    """
    show(
        explored(cohort, cards, prior_set, definitions),
        port=port,
        browser=browser,
        out=Path(out),
        ready=ready,
    )


def show(
    case: Case,
    *,
    port: int = 0,
    browser: bool = True,
    out: Path = Path("results"),
    ready: Callable[[str], None] = print,
) -> None:
    """Serve a case until it is stopped; parameters as of :func:`explore`."""

    def listening(explorer: Explorer) -> None:
        ready(explorer.address)
        if browser:
            # A browser that is slow to start must not hold the server up.
            open_ = threading.Thread(target=webbrowser.open, args=(explorer.address,), daemon=True)
            open_.start()

    serve = serving(case, port, out=out, ready=listening)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(serve)
        return
    # In a notebook a loop runs already: the page is served by a thread of its own.
    thread = threading.Thread(target=asyncio.run, args=(serve,), daemon=True)
    thread.start()
