"""A card as the TOML file that it is read from: to be looked at, edited and fitted."""

from __future__ import annotations

from pathlib import Path

from mnbayes.base.new_files import write_new
from mnbayes.base.toml_files import toml_text
from mnbayes.cards.card import Card, PriorSpec
from mnbayes.cards.parameters import SHARED

_HEAD = """\
# Every number here may be edited; `mnbayes models FILE` prints the result with its meaning worked
# out, `mnbayes fit --model FILE` fits it. In `meaning`, $x50 is the prior's 50 % quantile as a
# level or ratio, $l50 the percentage of which it is the logit, $q95 its 95 % quantile as it stands.
"""


def card_toml(card: Card) -> str:
    """A card as TOML; :func:`mnbayes.load_card` reads the same card from it."""
    structure = card.structure
    lines = [
        f"# {' '.join(card.title.split())}.",
        _HEAD,
        f"name = {toml_text(card.name)}",
        f"title = {toml_text(card.title)}",
        f"markers = [{', '.join(map(toml_text, card.markers))}]",
        f"influence = {str(card.influence).lower()}        # a run refits it without each patient",
        "",
        "[structure]",
        f'residual = {toml_text(structure.residual)}     # "normal", or "student_t": heavier tails',
        f"trajectory = {toml_text(structure.trajectory)}    "
        '# a patient\'s course can turn; or "step"',
        f"covariate = {toml_text(structure.covariate)}          # a number per patient, or nothing",
        f"shrink = {str(structure.shrink).lower()}",
        f"correlation = {toml_text(structure.correlation)}",
    ]
    for parameter, table in card.prior.items():
        for marker, spec in table.items():
            place = f"priors.{parameter}" if parameter in SHARED else f"priors.{parameter}.{marker}"
            lines += ["", f"[{place}]", *_of(spec)]
    return "\n".join(lines) + "\n"


def _of(spec: PriorSpec) -> list[str]:
    lines = [f"distribution = {toml_text(spec.distribution)}"]
    lines += [f"{name} = {float(value)!r}" for name, value in spec.arguments.items()]
    if spec.follow_up_weeks:
        lines.append(f"follow_up_weeks = {spec.follow_up_weeks!r}")
    return [
        *lines,
        *(f"{key} = {toml_text(getattr(spec, key))}" for key in ("meaning", "why", "source")),
    ]


def write_card(card: Card, path: Path) -> None:
    """Write a card to a file that is not there yet.

    Raises
    ------
    InputError
        If the file exists, or cannot be written.
    """
    write_new(path, card_toml(card), " (--to FILE)")
