"""A card as the TOML file that it is read from: to be looked at, edited and fitted."""

from __future__ import annotations

import json
from pathlib import Path

from mnbayes.base.problems import InputError, Problem
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
        f"name = {_text(card.name)}",
        f"title = {_text(card.title)}",
        f"markers = [{', '.join(map(_text, card.markers))}]",
        f"influence = {str(card.influence).lower()}        # a run refits it without each patient",
        "",
        "[structure]",
        f'residual = {_text(structure.residual)}     # "normal", or "student_t": heavier tails',
        f'trajectory = {_text(structure.trajectory)}    # a patient\'s course can turn; or "step"',
        f"covariate = {_text(structure.covariate)}          # a number per patient, or nothing",
        f"shrink = {str(structure.shrink).lower()}",
        f"correlation = {_text(structure.correlation)}",
    ]
    for parameter, table in card.prior.items():
        for marker, spec in table.items():
            place = f"priors.{parameter}" if parameter in SHARED else f"priors.{parameter}.{marker}"
            lines += ["", f"[{place}]", *_of(spec)]
    return "\n".join(lines) + "\n"


def _of(spec: PriorSpec) -> list[str]:
    lines = [f"distribution = {_text(spec.distribution)}"]
    lines += [f"{name} = {float(value)!r}" for name, value in spec.arguments.items()]
    if spec.follow_up_weeks:
        lines.append(f"follow_up_weeks = {spec.follow_up_weeks!r}")
    return [
        *lines,
        *(f"{key} = {_text(getattr(spec, key))}" for key in ("meaning", "why", "source")),
    ]


def _text(text: str) -> str:
    """A basic string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def write_card(card: Card, path: Path) -> None:
    """Write a card to a file that is not there yet.

    Raises
    ------
    InputError
        If the file exists, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(card_toml(card))
    except FileExistsError:
        expected = "a file that is not there yet: nothing is overwritten (--to FILE)"
        raise InputError([Problem(str(path), None, None, "it exists", expected)]) from None
    except OSError as error:
        found = error.strerror or "unwritable"
        raise InputError([Problem(str(path), None, None, found, "a file to write")]) from error
