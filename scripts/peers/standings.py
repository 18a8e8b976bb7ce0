"""What a stored race says: its table, its goals, and the block of docs/speed.md."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import page_blocks

#: In the table's order.
NAMES = {
    "mnbayes collapsed": "mnbayes, collapsed",
    "mnbayes nuts": "mnbayes, NUTS",
    "brms": "brms",
    "rstanarm": "rstanarm*",
    "bambi": "bambi*",
}
BLOCK = "benchmark"
PICTURE = "docs/images/benchmark.png"

type Stored = dict[str, Any]


class Goal(NamedTuple):
    """A measure that was set, and what came out."""

    says: str
    value: str
    met: bool


def seconds_text(value: float) -> str:
    """Seconds with two or three figures: 66 s, 3.5 s, 0.25 s."""
    return f"{value:.0f} s" if value >= 20 else f"{value:.1f} s" if value >= 1 else f"{value:.2f} s"


def count_text(value: float) -> str:
    """A number of two figures or more: 12,300, 123, 0.9."""
    if value < 10:
        return f"{value:.1f}"
    digits = max(len(f"{value:.0f}") - 3, 0)
    return f"{round(value, -digits):,.0f}"


def per_second(program: Stored) -> float | None:
    """Effective draws of the worst parameter per second of a warm fit."""
    rates = [draws / s for draws, s in zip(program["effective"], program["warm"], strict=True)]
    return median(rates) if rates else None


def per_minute(program: Stored) -> float | None:
    """Warm fits one after the other."""
    warm: list[float] = program["warm"]
    return 60.0 / float(median(warm)) if warm else None


def rows(stored: Stored) -> list[list[str]]:
    """The table: a header, then a row for each measure; a dash where it was not taken."""
    programs = {name: stored["programs"][name] for name in NAMES if name in stored["programs"]}

    def patients(n: str) -> Callable[[Stored], float | None]:
        return lambda program: program["growth"].get(n)

    def row(label: str, of: Callable[[Stored], float | None], text: Callable[[float], str]) -> None:
        values = [of(program) for program in programs.values()]
        table.append([label, *("–" if v is None else text(v) for v in values)])

    def middle(key: str) -> Callable[[Stored], float | None]:
        return lambda program: median(program[key]) if program[key] else None

    table = [["", *(NAMES[name] for name in programs)]]
    row("first fit in a fresh process", middle("first_cold"), seconds_text)
    row("the same, compiled code on disk", middle("first_warm"), seconds_text)
    row("warm fit: again, same priors", middle("warm"), seconds_text)
    row("refit with new priors", middle("new_priors"), seconds_text)
    row("effective draws a second, worst parameter", per_second, count_text)
    row("warm fits a minute", per_minute, count_text)
    if stored["studies"] and "mnbayes collapsed" in programs:
        of = count_text(stored["studies"]["fits_per_minute"])
        cells = [of if name == "mnbayes collapsed" else "–" for name in programs]
        table.append(["fits of a simulation study a minute", *cells])
    row("peak memory of a first fit, MiB", lambda program: program["peak_mib"], count_text)
    for n in ("80", "800"):
        row(f"warm fit, {n} patients", patients(n), seconds_text)
    return table


def overhead(stored: Stored, alone: str) -> float | None:
    """What a refit takes beyond nutpie alone, as a share of that: median over rounds.

    ``alone`` is ``pymc``, nutpie on the card's PyMC model, or ``density``, on mnbayes's own.
    """
    if not stored["overhead"]:
        return None
    rounds = zip(stored["overhead"]["refit"], stored["overhead"][alone], strict=True)
    return float(median(ours / bare - 1.0 for ours, bare in rounds))


def goals(stored: Stored) -> list[Goal]:
    """The goals that this run can judge."""
    out = []
    programs, studies = stored["programs"], stored["studies"]
    brms = programs.get("brms", {}).get("warm")
    nuts = programs.get("mnbayes nuts", {})
    refit = "NUTS refit with new priors at most 0.1 of brms's fastest refit of the step model"
    first = "NUTS first fit, nothing compiled: at most 1.5 times rstanarm's"
    for says, ours, peer, most, digits in (
        (refit, nuts.get("new_priors"), brms, 0.1, 2),
        (first, nuts.get("first_cold"), programs.get("rstanarm", {}).get("first_cold"), 1.5, 1),
    ):
        if ours and peer:
            ratio = median(ours) / median(peer)
            out.append(Goal(says, f"{ratio:.{digits}f}", ratio <= most))
    # The goal says "bare nutpie"; what that samples can be read in two ways.
    for alone, says in (
        ("pymc", "NUTS refit over nutpie alone on the card's PyMC model: at most 20 % more"),
        ("density", "… and over nutpie alone on mnbayes's own compiled density"),
    ):
        if (share := overhead(stored, alone)) is not None:
            out.append(Goal(says, f"{100 * share:.0f} %", share <= 0.2))
    if studies:
        many = studies["fits_per_minute"]
        says = "collapsed fits of a study: at least 10,000 a minute"
        out.append(Goal(says, count_text(many), many >= 10_000))
        if brms:
            times = many * median(brms) / 60.0
            says = "… and at least 500 times as many as brms refits"
            out.append(Goal(says, count_text(times), times >= 500))
        ratio = studies["growth"]["800"] / studies["growth"]["80"]
        says = "collapsed fit of 800 patients at most 13 times one of 80"
        out.append(Goal(says, f"{ratio:.1f}", ratio <= 13))
    return out


def busy(stored: Stored) -> bool:
    """Whether other work was on the machine when the run began."""
    return bool(stored["machine"]["load_before"][0] > stored["machine"]["cores"] / 2)


def markdown(stored: Stored) -> str:
    """The page's block, without its markers."""
    header, *body = rows(stored)
    lines = [header, ["---", *(["--:"] * (len(header) - 1))], *body]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    machine = stored["machine"]
    studies = stored["studies"]
    versions = {
        name: version
        for program in stored["programs"].values()
        for name, version in program["versions"].items()
        if name in ("brms", "rstanarm", "bambi", "nutpie")
    }
    asked = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
    said = [
        f"`python scripts/benchmark.py`, {stored['date']}, {machine['cores']} cores, "
        f"{machine['system']} ({asked}); medians of 4 chains × 1,000 draws after each program's "
        "default tuning, on the main model and the embedded cohort.",
    ]
    if busy(stored):
        said.append("**Other work was on the machine; the figures are provisional.**")
    if studies:
        said.append(
            f"A study's fit has {studies['effective_per_fit']:.0f} effective draws on average and "
            f"leaves out what only a report needs; {studies['processes']} processes."
        )
    said.append(
        "brms compiles for new priors; what R's programs compile they do not keep. * The nearest "
        "model: rstanarm has other priors, bambi no correlation within a patient."
    )
    judged = [
        f"- {'met' if goal.met else '**missed**'}: {goal.says}: {goal.value}"
        for goal in goals(stored)
    ]
    notes = [f"- {note}" for note in stored["notes"] if "not measured" not in note]
    alt = "Seconds of first fits and refits, effective draws a second, and growth with patients"
    parts = [f"![{alt}]({PICTURE.removeprefix('docs/')})", table, " ".join(said)]
    if judged:
        parts += ["Goals set beforehand:", "\n".join(judged)]
    return "\n\n".join([*parts, "\n".join(notes)] if notes else parts)


def with_block(text: str, stored: Stored) -> str:
    """A text whose block between the markers says what a stored race says.

    Raises
    ------
    ValueError
        If the text does not have the two markers once each, in order.
    """
    return page_blocks.with_block(text, BLOCK, markdown(stored))
