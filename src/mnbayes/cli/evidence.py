"""What is known besides the cohort, and what comes next: published, historical and design."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from mnbayes.cli.help import AGAIN, EVIDENCE
from mnbayes.cli.shared import (
    NOT_CONVERGED,
    AllowUnconverged,
    Force,
    Priors,
    Response,
    Run,
    RunFolder,
    Seed,
    check_names,
    clear_errors,
    command,
    either,
    fitted,
    sampled,
    written,
)


@command(EVIDENCE, "mnbayes published --facts a-paper.toml")
@clear_errors
def published(
    facts: Annotated[
        Path | None,
        fitted(
            metavar="FILE", help="A paper's facts, a .toml file (default: the trial's abstract)."
        ),
    ] = None,
    priors: Priors = None,
    set_: Annotated[
        list[str] | None,
        fitted("--set", metavar="NAME.ARG=VALUE", help="Set a number of this model's priors."),
    ] = None,
    reading: Annotated[
        list[str] | None,
        fitted(
            metavar="SWITCH=CHOICE",
            help="How to read an ambiguous sentence, such as remission=unknown; repeatable.",
        ),
    ] = None,
    definitions: Response = None,
    out: Annotated[
        Path | None,
        written(metavar="DIR", help="Output folder (default: a new one under results/published/)."),
    ] = None,
    force: Force = False,
    seed: Seed = 1,
    chains: Annotated[int, sampled(min=2, metavar="N", help="Chains.")] = 4,
    draws: Annotated[
        int,
        sampled(min=10, metavar="N", help="Draws per chain; the reported fit has at least 2,000."),
    ] = 2000,
    allow_unconverged: AllowUnconverged = False,
) -> None:
    """Turn a paper's printed numbers into a posterior: how far, for whom, under every reading."""
    check_names(priors=priors or (), settings=set_ or (), definitions=definitions)
    from mnbayes.analyses.published.command import run_published
    from mnbayes.analyses.published.section import section_of
    from mnbayes.inference.sampling import Sampling
    from mnbayes.report.terminal import progress_bars, say, show_section

    with progress_bars() as bars:
        written = run_published(
            facts,
            prior_sets=priors or ["weak"],
            settings=set_ or [],
            readings=reading or [],
            definitions=definitions,
            out=out,
            sampling=Sampling(chains=chains, draws=draws, seed=seed),
            allow_unconverged=allow_unconverged,
            force=force,
            news=partial(bars, "published"),
        )
    show_section(section_of(written.result))
    for sentence in written.said:
        say(sentence, error=True)
    typer.echo(str(written.folder))
    if not written.result.converged:
        raise typer.Exit(NOT_CONVERGED)


@command(EVIDENCE, "mnbayes historical --table studies.csv")
@clear_errors
def historical(
    table: Annotated[
        Path | None,
        fitted(
            metavar="FILE", help="Counts of earlier studies, a .csv file (default: those of MN)."
        ),
    ] = None,
    model: Annotated[
        Path | None,
        fitted(metavar="FILE", help="The model's card, a .toml file (default: mnbayes's own)."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        fitted("--set", metavar="NAME.ARG=VALUE", help="As between_study_sd.sigma=0.5."),
    ] = None,
    out: Annotated[
        Path | None,
        written(
            metavar="DIR", help="Output folder (default: a new one under results/historical/)."
        ),
    ] = None,
    force: Force = False,
    seed: Seed = 1,
    refits: Annotated[
        bool, sampled(help="Refit without each study and under other readings of the table.")
    ] = True,
    allow_unconverged: AllowUnconverged = False,
) -> None:
    """What earlier studies lead to expect: remission by kind of treatment, benchmark and prior."""
    from mnbayes.analyses.historical.command import run_historical
    from mnbayes.analyses.historical.section import section_of
    from mnbayes.inference.sampling import Sampling
    from mnbayes.report.terminal import progress_bars, say, show_section

    with progress_bars() as bars:
        written = run_historical(
            table,
            model,
            set_ or [],
            out,
            Sampling(seed=seed),
            partial(bars, "historical"),
            refits=refits,
            allow_unconverged=allow_unconverged,
            force=force,
        )
    show_section(section_of(written.result))
    for sentence in written.said:
        say(sentence, error=True)
    typer.echo(str(written.folder))
    if not written.result.converged:
        raise typer.Exit(NOT_CONVERGED)


@command(AGAIN, "mnbayes design results/first --n 30")
@clear_errors
def design(
    run_folder: RunFolder = None,
    run: Run = None,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Model of the run; repeatable (default: every one)."),
    ] = None,
    responders: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Responders so far, instead of a run.")
    ] = None,
    of: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Patients they are of.")
    ] = None,
    prior: Annotated[
        tuple[float, float] | None,
        typer.Option(metavar="A B", help="Beta prior of the share, with --responders."),
    ] = None,
    definitions: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="Definitions of response (default: the run's)."),
    ] = None,
    rule: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Decision rules, a .toml file (default: mnbayes's own)."),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Category of response that the rule is about."),
    ] = None,
    week: Annotated[
        float | None, typer.Option(metavar="WEEK", help="Visit that the rule is about.")
    ] = None,
    n: Annotated[
        list[int] | None,
        typer.Option(min=1, metavar="N", help="Patients of the next trial; repeatable."),
    ] = None,
    withdrawal: Annotated[
        list[float] | None,
        typer.Option(min=0.0, max=1.0, metavar="SHARE", help="Share that withdraws; repeatable."),
    ] = None,
    confidence: Annotated[
        list[float] | None,
        typer.Option(
            min=0.5,
            max=1.0,
            metavar="P",
            help="Confidence the next trial asks for; repeatable.",
        ),
    ] = None,
    handling: Annotated[
        Literal["composite", "evaluable"] | None,
        typer.Option(
            metavar="HOW",
            help="What a withdrawal counts as: composite (a failure), or evaluable (not at all).",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for tables and pictures (default: none)."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Move what DIR holds of an earlier design aside, with its time.",
        ),
    ] = False,
) -> None:
    """Go, consider or no-go by a rule stated beforehand; how a next trial of n would end."""
    from mnbayes.analyses.design.command import run_design
    from mnbayes.analyses.design.section import section_of
    from mnbayes.report.terminal import say, show_section

    plan = run_design(
        either(run_folder, run, ("RUN", "--run")),
        model=model or [],
        responders=responders,
        of=of,
        prior=prior,
        definitions=definitions,
        rule=rule,
        category=category,
        week=week,
        patients=n or [],
        withdrawal=withdrawal or [],
        confidence=confidence or [],
        handling=handling,
        out=out,
        force=force,
    )
    show_section(section_of(plan), synthetic=plan.synthetic)
    for sentence in plan.said:
        say(sentence, error=True)
    if plan.folder is not None:
        typer.echo(str(plan.folder))
    if not plan.main.verdict:
        raise typer.Exit(NOT_CONVERGED)
