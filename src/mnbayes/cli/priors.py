"""Look at priors before any fit: ``mnbayes models``, ``prior`` and ``elicit``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mnbayes.cli.shared import Priors, Settings, app, cards_with_priors, clear_errors


@app.command()
@clear_errors
def models(
    name: Annotated[
        list[str] | None, typer.Argument(help="Cards to list (default: every card).")
    ] = None,
    priors: Priors = None,
    set_: Settings = None,
) -> None:
    """List model cards with their priors as they would be used, what each means and why."""
    from mnbayes.analyses.priors.tables import prior_table
    from mnbayes.analyses.priors.words import prior_set_sentences
    from mnbayes.report.terminal import say, show_table

    for card in cards_with_priors(name, priors, set_):
        say(card.title, "bold")
        show_table(prior_table(card, every=True))
    for sentence in prior_set_sentences():
        say(sentence)


@app.command()
@clear_errors
def prior(
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model card, by name or .toml file; repeatable (default: every card)."),
    ] = None,
    priors: Priors = None,
    set_: Settings = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Cohort folder whose visits to use (default: weeks 0, 1, 2, 4, 12)."),
    ] = None,
    definitions: Annotated[
        str | None,
        typer.Option(help="Definitions of response, by name or a .toml file."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the next patient's range into this .svg, .png or .pdf file."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
) -> None:
    """Draw from the priors alone, before any fit: typical and next patients, and what is absurd."""
    from mnbayes.analyses.priors import commands
    from mnbayes.analyses.priors.section import of_predictive
    from mnbayes.report.kit.plot_files import check_plot
    from mnbayes.report.terminal import show_section

    check_plot(plot)
    cards = cards_with_priors(model, priors, set_)
    found = commands.predict(cards, data, definitions, seed)
    for predictive in found:
        show_section(of_predictive(predictive))
    if plot is not None:
        commands.write_predictive(found, plot)


@app.command()
@clear_errors
def elicit(
    parameter: Annotated[
        str, typer.Argument(help="Prior to state, such as change_mean or change_mean.albumin.")
    ],
    belief: Annotated[
        str, typer.Argument(help="Such as '90% between 0.3 and 1.1 on gmr' or '95% below 0.5'.")
    ],
    model: Annotated[
        str | None,
        typer.Option(help="Model card, by name or .toml file (default: remission if it has it)."),
    ] = None,
    priors: Priors = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw density and consequences into this .svg, .png or .pdf file."),
    ] = None,
) -> None:
    """Turn a clinical belief into a prior, and show what follows from it before any data."""
    from mnbayes.analyses.priors import commands
    from mnbayes.analyses.priors.elicit_command import elicit_prior
    from mnbayes.analyses.priors.section import of_belief
    from mnbayes.analyses.priors.words import how_to_use
    from mnbayes.cards.definitions import load_definitions
    from mnbayes.report.kit.plot_files import check_plot
    from mnbayes.report.terminal import say, show_section

    check_plot(plot)
    found = elicit_prior(parameter, belief, load_definitions(), model, priors or ["weak"])
    show_section(of_belief(found))
    for sentence in how_to_use(found):
        say(sentence)
    if plot is not None:
        commands.write_elicitation(found, plot)
