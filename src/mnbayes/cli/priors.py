"""Look at priors before any fit: ``mnbayes models``, ``prior`` and ``elicit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnbayes.cli.help import PRIORS
from mnbayes.cli.shared import (
    Data,
    Priors,
    Response,
    Seed,
    Settings,
    cards_with_priors,
    check_names,
    clear_errors,
    command,
    either,
    fitted,
    written,
)


@command(PRIORS, "mnbayes models --write egfr")
@clear_errors
def models(
    name: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Cards to list (default: every card)."),
    ] = None,
    priors: Priors = None,
    set_: Settings = None,
    markers: Annotated[
        bool,
        typer.Option("--markers", help="List the markers; of those that are named every source."),
    ] = False,
    definitions: Annotated[
        bool,
        typer.Option("--definitions", help="List the definitions of response, by name, in words."),
    ] = False,
    write: Annotated[
        str | None,
        written(
            metavar="NAME", help="Write this card, or the card of this marker, to a .toml file."
        ),
    ] = None,
    to: Annotated[
        Path | None, written(metavar="FILE", help="File of --write (default: its name, .toml).")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Cohort folder whose markers.toml counts as well."),
    ] = None,
) -> None:
    """List model cards with their priors as they would be used, what each means and why."""
    from mnbayes.cards.card_file import write_card
    from mnbayes.cards.marker_card import of_markers
    from mnbayes.data.cohort import load_cohort
    from mnbayes.data.markers import shipped_markers

    known = shipped_markers() if data is None else load_cohort(data).catalogue
    if markers:
        chosen = of_markers(name or (), known)
        from mnbayes.analyses.priors.marker_tables import marker_table, markers_table
        from mnbayes.report.terminal import say, show_table

        for each in chosen:
            show_table(marker_table(each))
        if not name:
            show_table(markers_table(known))
            say("Where a marker's numbers are from: mnbayes models --markers NAME.")
        return
    if definitions:
        from mnbayes.cards.definitions import load_definitions, shipped_definitions

        loaded = [load_definitions(each) for each in name or shipped_definitions()]
        from mnbayes.report.kit.wording import definition_table
        from mnbayes.report.terminal import show_table

        for each_definitions in loaded:
            show_table(definition_table(each_definitions, known))
        return
    if write is not None:
        (card,) = cards_with_priors([write], priors, set_, known)
        path = to if to is not None else Path(f"{card.name}.toml")
        write_card(card, path)
        typer.echo(str(path))
        return
    cards = cards_with_priors(name, priors, set_, known)
    from mnbayes.analyses.priors.tables import prior_table
    from mnbayes.analyses.priors.words import prior_set_sentences
    from mnbayes.report.terminal import say, show_table

    for card in cards:
        say(card.title, "bold")
        show_table(prior_table(card))
    for sentence in prior_set_sentences():
        say(sentence)


@command(PRIORS, "mnbayes prior my-trial --priors sceptical")
@clear_errors
def prior(
    cohort_folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR",
            help="Cohort folder whose visits to use (default: none, weeks 0, 1, 2, 4, 12).",
        ),
    ] = None,
    data: Data = None,
    model: Annotated[
        list[str] | None,
        fitted(metavar="NAME|FILE", help="Model card; repeatable (default: every card)."),
    ] = None,
    priors: Priors = None,
    set_: Settings = None,
    definitions: Response = None,
    plot: Annotated[
        Path | None,
        written(
            metavar="FILE", help="Draw the next patient's range into this .svg, .png or .pdf file."
        ),
    ] = None,
    seed: Seed = 1,
) -> None:
    """Draw from the priors alone, before any fit: typical and next patients, and what is absurd."""
    from mnbayes.cards.choice import choose_models
    from mnbayes.data.cohort import load_cohort

    data = either(cohort_folder, data)
    cohort = None if data is None else load_cohort(data)
    known = None if cohort is None else cohort.catalogue
    own = () if cohort is None else choose_models(cohort, ("published", "historical")).cards
    cards = cards_with_priors(model, priors, set_, known, own)
    check_names(definitions=definitions)
    from mnbayes.analyses.priors import commands
    from mnbayes.analyses.priors.section import of_predictive
    from mnbayes.report.kit.plot_files import check_plot
    from mnbayes.report.terminal import show_section

    check_plot(plot)
    found = commands.predict(cards, cohort, definitions, seed)
    for predictive in found:
        show_section(of_predictive(predictive))
    if plot is not None:
        commands.write_predictive(found, plot)


@command(PRIORS, 'mnbayes elicit change_mean "90% below 0.8 on gmr"')
@clear_errors
def elicit(
    parameter: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="Prior to state, such as change_mean or change_mean.albumin."
        ),
    ],
    belief: Annotated[
        str,
        typer.Argument(
            metavar="BELIEF", help="Such as '90% between 0.3 and 1.1 on gmr' or '95% below 0.5'."
        ),
    ],
    model: Annotated[
        str | None,
        fitted(metavar="NAME|FILE", help="Model card (default: remission if it has this prior)."),
    ] = None,
    priors: Priors = None,
    plot: Annotated[
        Path | None,
        written(
            metavar="FILE", help="Draw density and consequences into this .svg, .png or .pdf file."
        ),
    ] = None,
    save: Annotated[
        Path | None,
        written(metavar="FILE", help="Write the belief as a prior set into this new .toml file."),
    ] = None,
) -> None:
    """Turn a clinical belief into a prior, and show what follows from it before any data."""
    from mnbayes.analyses.priors.elicit_command import elicit_prior
    from mnbayes.cards.definitions import load_definitions
    from mnbayes.cards.prior_sets import save_belief

    if plot is not None:
        from mnbayes.report.kit.plot_files import check_plot

        check_plot(plot)
    found = elicit_prior(parameter, belief, load_definitions(), model, priors or ["weak"])
    from mnbayes.analyses.priors import commands
    from mnbayes.analyses.priors.section import of_belief
    from mnbayes.analyses.priors.words import how_to_use
    from mnbayes.report.terminal import say, show_section

    show_section(of_belief(found))
    for sentence in how_to_use(found):
        say(sentence)
    if plot is not None:
        commands.write_elicitation(found, plot)
    if save is not None:
        save_belief(save, found.parameter, found.marker, belief)
        say(f"{save}: use it with --priors {save}")
